/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of config share. config.c reads files, config_keys.c knows the
 * keys, config_access.c the rules.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/config.h"

#define CONFIG_DEPTH 8u

/* Where a key was set last, so that what only shows in the end can still be blamed. */
struct config_origin {
	struct config_origin *next;
	char *path; /* owned; "limits.sessions" */
	char *file; /* owned */
	unsigned int line;
};

struct config_reader {
	struct config *config;	      /* borrowed */
	struct config_report *report; /* borrowed */
	const char *file;	      /* NULL: the command line */
	const char *text;	      /* of the file */
	size_t size;
	const char *path[CONFIG_DEPTH]; /* borrowed: the keys that lead to where we are */
	unsigned int depth;
	struct config_origin *origins; /* owned */
};

/* Go down to a key, and back up. */
void config_enter(struct config_reader *reader, const char *name);
void config_leave(struct config_reader *reader);
/* "limits.sessions": where we are. */
void config_path(const struct config_reader *reader, char *ret, size_t size);
/* That it was set here. */
void config_remember(struct config_reader *reader);

/* "zhouyid.json:3: limits.sessions: must be ..."; returns -EINVAL. */
int config_complain(struct config_reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same about @path, wherever it was set. */
int config_complain_about(struct config_reader *reader, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* @value is what a file, or the command line, says. Complains; -EINVAL, -ENOMEM. */
int config_apply(struct config_reader *reader, json_t *object);

/* What is wrong with the whole although each value is right. */
int config_check(struct config_reader *reader);

/* The section "access". */
int config_access_apply(struct config_reader *reader, json_t *object);
int config_access_check(struct config_reader *reader);
json_t *config_access_dump(const struct access_rules *rules);
