/* SPDX-License-Identifier: Apache-2.0 */
/* What a cgroup's path says: pure. The layout is systemd's, described in its "CGROUP_DELEGATION".
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/identity.h"

/* The characters of unit names. */
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@"

static bool ends_in(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n > m && strcmp(text + n - m, suffix) == 0;
}

static bool is_name(const char *name)
{
	return strlen(name) < IDENTITY_UNIT_MAX && name[strspn(name, NAME_CHARS)] == '\0';
}

/* "a-b.slice" is in "a.slice", so a dash stands between two names. */
bool identity_is_slice_name(const char *name)
{
	const char *end = name + strlen(name) - strlen(".slice");

	if (!is_name(name) || !ends_in(name, ".slice"))
		return false;
	if (strcmp(name, "-.slice") == 0)
		return true;
	return name[0] != '-' && end[-1] != '-' && !strstr(name, "--");
}

bool identity_is_unit_name(const char *name)
{
	static const char *const suffixes[] = {".service", ".scope", ".socket", ".mount", ".swap"};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (ends_in(name, suffixes[i]))
			return is_name(name) && name[0] != '@';
	return false;
}

bool identity_slice_is_in(const char *slice, const char *ancestor)
{
	size_t n = strlen(ancestor) - strlen(".slice");

	if (strcmp(slice, ancestor) == 0 || strcmp(ancestor, "-.slice") == 0)
		return *slice != '\0';
	return strncmp(slice, ancestor, n) == 0 && slice[n] == '-';
}

int identity_parse_cgroup(const char *text, char ret[static IDENTITY_CGROUP_MAX])
{
	static const char own[] = ":name=systemd:";
	const char *best = NULL, *end;
	size_t n;

	for (const char *line = text; *line; line = *end ? end + 1 : end) {
		const char *colon = strchr(line, ':');

		end = strchrnul(line, '\n');
		if (!colon || colon > end)
			continue;
		/* The unified one, unless nobody uses it. */
		if (strncmp(line, "0::/", 4) == 0 && (end > line + 4 || !best))
			best = line + 3;
		else if (strncmp(colon, own, strlen(own)) == 0 &&
			 (!best || best[1] == '\n' || best[1] == '\0'))
			best = colon + strlen(own);
	}
	if (!best || *best != '/')
		return -ENOENT;
	n = (size_t)(strchrnul(best, '\n') - best);
	if (n >= IDENTITY_CGROUP_MAX)
		return -ENAMETOOLONG;
	memcpy(ret, best, n);
	ret[n] = '\0';
	return 0;
}

/*
 * The next name on the way down. systemd puts a "_" before names that would be taken
 * for a file of the kernel's. False: there is none, or none that it would make.
 */
static bool next_name(const char **path, char ret[static IDENTITY_UNIT_MAX])
{
	static const char deleted[] = " (deleted)";
	const char *name = *path + strspn(*path, "/");
	size_t n = strcspn(name, "/");

	*path = name + n;
	if (*name == '_') {
		name++;
		n--;
	}
	/* What the kernel adds when the group has gone, and its processes not quite. */
	if (**path == '\0' && n > strlen(deleted) &&
	    memcmp(name + n - strlen(deleted), deleted, strlen(deleted)) == 0)
		n -= strlen(deleted);
	if (n == 0 || n >= IDENTITY_UNIT_MAX)
		return false;
	memcpy(ret, name, n);
	ret[n] = '\0';
	return true;
}

/* Slices one inside the other, then a unit; @path is left behind it. */
static void walk(const char **path, char ret_slice[static IDENTITY_UNIT_MAX],
		 char ret_unit[static IDENTITY_UNIT_MAX])
{
	char name[IDENTITY_UNIT_MAX];

	strcpy(ret_slice, "-.slice");
	while (next_name(path, name)) {
		if (identity_is_unit_name(name)) {
			strcpy(ret_unit, name);
			return;
		}
		/* Anything else was not made by the manager: it and what is below count for
		 * nothing. */
		if (!identity_is_slice_name(name) || !identity_slice_is_in(name, ret_slice))
			return;
		strcpy(ret_slice, name);
	}
}

static bool is_user_manager(const char *unit)
{
	return strncmp(unit, "user@", 5) == 0 && ends_in(unit, ".service") && unit[5] >= '0' &&
	       unit[5] <= '9';
}

void identity_parse_place(const char *path, struct identity_place *ret)
{
	char slice[IDENTITY_UNIT_MAX]; /* of the user's; says nothing that we need */

	*ret = (struct identity_place){0};
	/* "/../x": beside or above the root of our namespace, wherever that is. */
	if (path[0] != '/' || strcmp(path, "/..") == 0 || strncmp(path, "/../", 4) == 0)
		return;
	ret->is_known = true;
	walk(&path, ret->slice, ret->unit);
	if (is_user_manager(ret->unit))
		walk(&path, slice, ret->user_unit);
}

bool identity_map_is_full(const char *text)
{
	uint32_t inside, outside, n;

	return sscanf(text, "%" SCNu32 " %" SCNu32 " %" SCNu32, &inside, &outside, &n) == 3 &&
	       inside == 0 && n == UINT32_MAX;
}
