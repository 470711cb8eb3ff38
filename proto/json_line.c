/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/json_line.h"

#include <stdbool.h>
#include <string.h>

struct cursor {
	const char *at, *end;
	unsigned int line;
};

static void advance(struct cursor *c)
{
	if (c->at < c->end && *c->at == '\n')
		c->line++;
	if (c->at < c->end)
		c->at++;
}

static bool at(const struct cursor *c, char what)
{
	return c->at < c->end && *c->at == what;
}

static void skip_space(struct cursor *c)
{
	while (at(c, ' ') || at(c, '\t') || at(c, '\r') || at(c, '\n'))
		advance(c);
}

static void skip_string(struct cursor *c)
{
	advance(c);
	while (c->at < c->end && *c->at != '"') {
		if (*c->at == '\\')
			advance(c);
		advance(c);
	}
	advance(c);
}

static void skip_value(struct cursor *c)
{
	size_t depth = 0;

	do {
		if (at(c, '"')) {
			skip_string(c);
			continue;
		}
		if (at(c, '{') || at(c, '['))
			depth++;
		else if (at(c, '}') || at(c, ']'))
			depth--;
		advance(c);
	} while (c->at < c->end && (depth || !(at(c, ',') || at(c, '}') || at(c, ']'))));
}

/* To the member; whether it is there. */
static bool enter_object(struct cursor *c, const char *name)
{
	size_t length = strlen(name);

	do {
		const char *key;
		size_t n;

		advance(c); /* { or , */
		skip_space(c);
		if (!at(c, '"'))
			return false;
		key = c->at + 1;
		skip_string(c);
		n = (size_t)(c->at - key) - 1;
		if (n == length && memcmp(key, name, n) == 0)
			return true;
		skip_space(c);
		advance(c); /* : */
		skip_space(c);
		skip_value(c);
		skip_space(c);
	} while (at(c, ','));
	return false;
}

static bool enter_array(struct cursor *c, size_t index)
{
	for (size_t i = 0;; i++) {
		advance(c); /* [ or , */
		skip_space(c);
		if (i == index)
			return true;
		skip_value(c);
		skip_space(c);
		if (!at(c, ','))
			return false;
	}
}

unsigned int json_line(const char *text, size_t size, const struct json_step *steps, size_t n)
{
	struct cursor c = {text, text + size, 1};
	unsigned int line;

	skip_space(&c);
	line = c.line;
	for (size_t i = 0; i < n; i++) {
		if (steps[i].name ? !at(&c, '{') || !enter_object(&c, steps[i].name)
				  : !at(&c, '[') || !enter_array(&c, steps[i].index))
			break;
		line = c.line;
		if (steps[i].name) {
			/* A member's own line; its value may begin below. */
			skip_space(&c);
			advance(&c);
			skip_space(&c);
		}
	}
	return line;
}
