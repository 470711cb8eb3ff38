/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading JSON by tables: which keys an object may have, what they may be, where the value
 * goes. Whatever is wrong is said with the file, the line and the way to the key.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/json_line.h"
#include "simulate/trace.h"

/* What has names that others refer to. */
enum reader_names {
	READER_ACCOUNTS,
	READER_CLIENTS,
	READER_MODELS,
	READER_RESERVATIONS,
	READER_NAMES_MAX_
};

#define READER_MAX_DEPTH 8u

struct reader {
	const char *path, *text;
	size_t size;
	struct trace *trace;
	struct trace_error *error;
	struct json_step steps[READER_MAX_DEPTH]; /* where we are */
	size_t n_steps;
	json_t *names[READER_NAMES_MAX_]; /* {name: index} */
};

enum field_type {
	FIELD_UINT,  /* unsigned int, from min to max */
	FIELD_TIME,  /* uint64_t, from min to max nanoseconds */
	FIELD_MASK,  /* uint64_t */
	FIELD_CLASS, /* enum zy_class */
	FIELD_NAME,  /* uint32_t, the index of what has that name */
	FIELD_OTHER, /* set() knows */
};

struct field {
	const char *key;
	enum field_type type;
	bool required;
	size_t offset; /* in what is filled */
	uint64_t min, max;
	enum reader_names names;
	int (*set)(struct reader *reader, void *target, json_t *value);
};

/* What is wrong where the reader stands. Returns -EINVAL. */
int reader_wrong(struct reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same for a failure of ours. Returns @r. */
int reader_fail(struct reader *reader, int r);

/* One step down, to a member or, without a name, an element; and up again. After something
 * was wrong the reader stays where it was. */
void reader_enter(struct reader *reader, const char *name, size_t index);
void reader_leave(struct reader *reader);

int reader_time(struct reader *reader, const struct field *field, json_t *value, uint64_t *ret);

/* Fill @target from an object. Fields are read in the order of their table. */
int reader_object(struct reader *reader, const struct field *fields, size_t n, void *target,
		  json_t *object);

/* Read an object of things by name. read_one() adds each and returns its index, which goes to
 * @names, unless that is NULL. */
int reader_table(struct reader *reader, json_t *object, json_t *names,
		 int (*read_one)(struct reader *reader, const char *name, json_t *value));
