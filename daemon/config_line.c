/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a file is a key? jansson has forgotten, so look again. The text has been parsed before:
 * this only has to find its way, and never to leave it. */
#include <stdbool.h>
#include <string.h>

#include "daemon/config_internal.h"

struct cursor {
	const char *at, *end;
	unsigned int line;
};

static void skip_space(struct cursor *c)
{
	for (; c->at < c->end && strchr(" \t\r\n", *c->at) && *c->at; c->at++)
		c->line += *c->at == '\n';
}

static bool skip_char(struct cursor *c, char wanted)
{
	skip_space(c);
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

/* A string; @ret is what stands between the quotes, as it is written. */
static bool skip_string(struct cursor *c, const char **ret, size_t *ret_size)
{
	if (!skip_char(c, '"'))
		return false;
	*ret = c->at;
	for (; c->at < c->end && *c->at != '"'; c->at++)
		if (*c->at == '\\' && c->at + 1 < c->end)
			c->at++;
	*ret_size = (size_t)(c->at - *ret);
	return skip_char(c, '"');
}

/* Whatever stands here: counts brackets, so that it needs no stack. */
static void skip_value(struct cursor *c)
{
	unsigned int depth = 0;
	const char *string;
	size_t size;

	do {
		skip_space(c);
		if (c->at == c->end)
			return;
		if (*c->at == '"') {
			skip_string(c, &string, &size);
			continue;
		}
		depth += *c->at == '{' || *c->at == '[';
		depth -= depth && (*c->at == '}' || *c->at == ']');
		c->at++;
		/* A number, or a word. */
		while (!depth && c->at < c->end && !strchr(",}] \t\r\n", *c->at))
			c->at++;
	} while (depth);
}

/* Stop in front of the value of @key, or after the object. */
static bool find_key(struct cursor *c, const char *key, unsigned int *ret_line)
{
	const char *name;
	size_t size;

	if (!skip_char(c, '{'))
		return false;
	while (skip_string(c, &name, &size)) {
		*ret_line = c->line;
		if (!skip_char(c, ':'))
			return false;
		if (size == strlen(key) && memcmp(name, key, size) == 0)
			return true;
		skip_value(c);
		skip_char(c, ',');
	}
	return false;
}

unsigned int config_line_find(const char *text, size_t size, const char *const *path, size_t n)
{
	struct cursor c = {.at = text, .end = text + size, .line = 1};
	unsigned int line, found = 0;

	for (size_t i = 0; i < n && find_key(&c, path[i], &line); i++)
		found = line;
	return found;
}
