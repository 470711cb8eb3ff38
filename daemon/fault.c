/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT (1u << 20)
#define MAX_TOKENS 7 /* "every N from M FAULT VALUE", and one too many */
#define DAY_MS 86400000u

struct fault_rule {
	uint64_t first, step; /* step 0: the first job only */
	enum fault_kind kind;
	uint64_t value;
};

struct fault_script {
	struct fault_rule *rules; /* owned */
	size_t n, capacity;
};

/* The line that is being parsed: its tokens, cut out of a copy of the text. */
struct line {
	unsigned int number;
	const char *token[MAX_TOKENS];
	size_t n;
	size_t at; /* token to look at next */
	struct loadable_error *error;
};

static const struct fault_name {
	const char *name;
	const char *value; /* what its number is, or NULL if it has none */
	uint64_t min, max;
} names[FAULT_KIND_MAX_] = {
	[FAULT_HANG] = {"hang", NULL, 0, 0},
	[FAULT_SLOW] = {"slow", "FACTOR", 2, 1000},
	[FAULT_EXCEPTION] = {"exception", NULL, 0, 0},
	[FAULT_LOSE] = {"lose", NULL, 0, 0},
	[FAULT_ABORT_FAILS] = {"abort-fails", NULL, 0, 0},
	[FAULT_SOFT_RESET_FAILS] = {"soft-reset-fails", NULL, 0, 0},
	[FAULT_RESET_FAILS] = {"reset-fails", NULL, 0, 0},
	[FAULT_REOPEN_BUSY] = {"reopen-busy", "COUNT", 1, 1000000},
	[FAULT_GONE] = {"gone", "MILLISECONDS", 1, DAY_MS},
};

__attribute__((format(printf, 2, 3))) static int refuse(const struct line *line, const char *format,
							...)
{
	struct loadable_error *error = line->error;
	int n = snprintf(error->text, sizeof(error->text), "line %u: ", line->number);
	va_list args;

	va_start(args, format);
	vsnprintf(error->text + n, sizeof(error->text) - (size_t)n, format, args);
	va_end(args);
	return -EINVAL;
}

static const char *next_token(struct line *line)
{
	return line->at < line->n ? line->token[line->at++] : NULL;
}

static bool next_is(struct line *line, const char *word)
{
	if (line->at == line->n || strcmp(line->token[line->at], word) != 0)
		return false;
	line->at++;
	return true;
}

static int parse_number(struct line *line, const char *after, const char *what, uint64_t min,
			uint64_t max, uint64_t *ret)
{
	const char *text = next_token(line);
	char *end;
	unsigned long long value;

	if (!text)
		return refuse(line, "'%s' needs %s", after, what);
	errno = 0;
	value = strtoull(text, &end, 10);
	/* strtoull() takes signs and leading blanks, too. */
	if (*text < '0' || *text > '9' || *end || errno || value < min || value > max)
		return refuse(line, "'%.40s' is no %s: a number from %llu to %llu is", text, what,
			      (unsigned long long)min, (unsigned long long)max);
	*ret = value;
	return 0;
}

static int parse_when(struct line *line, struct fault_rule *rule)
{
	int r;

	if (next_is(line, "job"))
		return parse_number(line, "job", "N", 1, UINT64_MAX, &rule->first);
	if (!next_is(line, "every"))
		return refuse(line, "'%.40s': a line begins with job N, every N or every N from M",
			      line->token[0]);
	r = parse_number(line, "every", "N", 1, UINT64_MAX, &rule->step);
	rule->first = rule->step;
	if (r == 0 && next_is(line, "from"))
		r = parse_number(line, "from", "M", 1, UINT64_MAX, &rule->first);
	return r;
}

static int parse_fault(struct line *line, struct fault_rule *rule)
{
	const char *name = next_token(line);
	unsigned int kind = 0;

	if (!name)
		return refuse(line, "there is no fault behind '%s'", line->token[line->n - 1]);
	while (kind < FAULT_KIND_MAX_ && strcmp(names[kind].name, name) != 0)
		kind++;
	if (kind == FAULT_KIND_MAX_)
		return refuse(line,
			      "'%.40s' is no fault: hang, slow, exception, lose, abort-fails, "
			      "soft-reset-fails, reset-fails, reopen-busy and gone are",
			      name);
	rule->kind = (enum fault_kind)kind;
	if (!names[kind].value)
		return 0;
	return parse_number(line, name, names[kind].value, names[kind].min, names[kind].max,
			    &rule->value);
}

static int script_add(struct fault_script *script, const struct fault_rule *rule)
{
	if (script->n == script->capacity) {
		size_t capacity = script->capacity ? 2 * script->capacity : 8;
		struct fault_rule *rules =
			reallocarray(script->rules, capacity, sizeof(*script->rules));

		if (!rules)
			return -ENOMEM;
		script->rules = rules;
		script->capacity = capacity;
	}
	script->rules[script->n++] = *rule;
	return 0;
}

static void split(struct line *line, char *text)
{
	char *rest = NULL;

	text[strcspn(text, "#")] = '\0';
	for (char *token = strtok_r(text, " \t\r", &rest); token && line->n < MAX_TOKENS;
	     token = strtok_r(NULL, " \t\r", &rest))
		line->token[line->n++] = token;
}

static int parse_line(struct fault_script *script, struct line *line)
{
	struct fault_rule rule = {0};
	int r;

	if (!line->n)
		return 0;
	r = parse_when(line, &rule);
	if (r == 0)
		r = parse_fault(line, &rule);
	if (r < 0)
		return r;
	if (line->at < line->n)
		return refuse(line, "nothing may follow '%s', but '%.40s' does",
			      line->token[line->at - 1], line->token[line->at]);
	return script_add(script, &rule);
}

static int parse_lines(struct fault_script *script, char *text, struct loadable_error *error)
{
	unsigned int number = 0;
	int r = 0;

	for (char *next; r == 0 && text; text = next) {
		struct line line = {.number = ++number, .error = error};

		next = strchr(text, '\n');
		if (next)
			*next++ = '\0';
		split(&line, text);
		r = parse_line(script, &line);
	}
	return r;
}

int fault_script_parse(struct fault_script **ret, const char *text,
		       struct loadable_error *ret_error)
{
	struct fault_script *script = calloc(1, sizeof(*script));
	char *copy = strdup(text);
	int r = -ENOMEM;

	snprintf(ret_error->text, sizeof(ret_error->text), "out of memory");
	if (script && copy)
		r = parse_lines(script, copy, ret_error);
	free(copy);
	if (r < 0) {
		fault_script_destroy(script);
		return r;
	}
	*ret = script;
	return 0;
}

static int fail(struct loadable_error *error, int r, const char *text)
{
	snprintf(error->text, sizeof(error->text), "%s", text);
	return r;
}

int fault_script_load(struct fault_script **ret, const char *path, struct loadable_error *ret_error)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t n;
	int r;

	if (!file) {
		r = -errno;
		return fail(ret_error, r, strerror(-r));
	}
	text = malloc(MAX_TEXT + 1);
	n = text ? fread(text, 1, MAX_TEXT + 1, file) : 0;
	if (!text)
		r = fail(ret_error, -ENOMEM, "out of memory");
	else if (ferror(file))
		r = fail(ret_error, -EIO, "cannot be read");
	else if (n > MAX_TEXT)
		r = fail(ret_error, -EFBIG, "larger than 1 MiB");
	else if (memchr(text, '\0', n))
		r = fail(ret_error, -EINVAL, "not a text file: it has a zero byte");
	else {
		text[n] = '\0';
		r = fault_script_parse(ret, text, ret_error);
	}
	free(text);
	fclose(file);
	return r;
}

void fault_script_destroy(struct fault_script *script)
{
	if (!script)
		return;
	free(script->rules);
	free(script);
}

static bool rule_matches(const struct fault_rule *rule, uint64_t number)
{
	if (number < rule->first)
		return false;
	return rule->step ? (number - rule->first) % rule->step == 0 : number == rule->first;
}

struct fault_set fault_script_at(const struct fault_script *script, uint64_t number)
{
	struct fault_set set = {0};

	for (size_t i = 0; i < script->n; i++) {
		const struct fault_rule *rule = &script->rules[i];

		if (!rule_matches(rule, number))
			continue;
		set.faults |= 1u << rule->kind;
		set.value[rule->kind] = rule->value;
	}
	return set;
}
