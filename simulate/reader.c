/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/reader.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/status.h"

/*
 * What is wrong
 */

int reader_wrong(struct reader *reader, const char *format, ...)
{
	char where[256] = "", what[256];
	size_t n = 0;
	va_list args;

	for (size_t i = 0; i < reader->n_steps && n < sizeof(where); i++)
		n += (size_t)(reader->steps[i].name
				      ? snprintf(where + n, sizeof(where) - n, "%s%.64s",
						 i ? "." : "", reader->steps[i].name)
				      : snprintf(where + n, sizeof(where) - n, "[%zu]",
						 reader->steps[i].index));
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(reader->error->text, sizeof(reader->error->text), "%.150s:%u: %.200s%s%.150s",
		 reader->path,
		 json_line(reader->text, reader->size, reader->steps, reader->n_steps), where,
		 where[0] ? ": " : "", what);
	return -EINVAL;
}

int reader_fail(struct reader *reader, int r)
{
	if (r == -ENOSPC)
		return reader_wrong(reader, "there are too many");
	snprintf(reader->error->text, sizeof(reader->error->text), "%.400s: %s", reader->path,
		 strerror(-r));
	return r;
}

void reader_enter(struct reader *reader, const char *name, size_t index)
{
	assert(reader->n_steps < READER_MAX_DEPTH);
	reader->steps[reader->n_steps++] = (struct json_step){name, index};
}

void reader_leave(struct reader *reader)
{
	reader->n_steps--;
}

/*
 * One value
 */

static int read_uint(struct reader *reader, const struct field *field, json_t *value,
		     unsigned int *ret)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0 || (uint64_t)n < field->min ||
	    (uint64_t)n > field->max)
		return reader_wrong(reader, "must be an integer from %" PRIu64 " to %" PRIu64,
				    field->min, field->max);
	*ret = (unsigned int)n;
	return 0;
}

int reader_time(struct reader *reader, const struct field *field, json_t *value, uint64_t *ret)
{
	uint64_t ns = UINT64_MAX;

	if (json_is_integer(value) && json_integer_value(value) >= 0)
		ns = (uint64_t)json_integer_value(value);
	else if (json_is_string(value) && trace_time_parse(json_string_value(value), &ns) < 0)
		ns = UINT64_MAX;
	if (ns < field->min || ns > field->max)
		return reader_wrong(reader,
				    "must be a time, like \"10ms\" or an integer of nanoseconds, "
				    "from %" PRIu64 " to %" PRIu64 " ns",
				    field->min, field->max);
	*ret = ns;
	return 0;
}

static int read_mask(struct reader *reader, json_t *value, uint64_t *ret)
{
	const char *text = json_string_value(value);
	char *end = NULL;

	errno = 0;
	if (json_is_integer(value) && json_integer_value(value) >= 0)
		*ret = (uint64_t)json_integer_value(value);
	else if (text && strncmp(text, "0x", 2) == 0 && strlen(text) > 2)
		*ret = strtoull(text, &end, 16);
	else
		return reader_wrong(reader, "must be a mask: an integer, or a string like \"0x6\"");
	if (errno || (end && *end))
		return reader_wrong(reader, "must be a mask of 64 bits");
	if (*ret && reader->trace->device.cores < 64 && *ret >> reader->trace->device.cores)
		return reader_wrong(reader, "names cores that the device does not have");
	return 0;
}

static int read_class(struct reader *reader, json_t *value, enum zy_class *ret)
{
	int class = json_is_string(value) ? zy_class_find(json_string_value(value)) : -EINVAL;

	if (class < 0)
		return reader_wrong(reader,
				    "must be one of realtime, interactive, normal, background");
	*ret = (enum zy_class) class;
	return 0;
}

static int read_name(struct reader *reader, enum reader_names names, json_t *value, uint32_t *ret)
{
	json_t *index = json_is_string(value)
				? json_object_get(reader->names[names], json_string_value(value))
				: NULL;

	if (!index)
		return reader_wrong(reader, "must be a name that is in the trace");
	*ret = (uint32_t)json_integer_value(index);
	return 0;
}

static int read_field(struct reader *reader, const struct field *field, void *target, json_t *value)
{
	void *member = (char *)target + field->offset;

	switch (field->type) {
	case FIELD_UINT:
		return read_uint(reader, field, value, member);
	case FIELD_TIME:
		return reader_time(reader, field, value, member);
	case FIELD_MASK:
		return read_mask(reader, value, member);
	case FIELD_CLASS:
		return read_class(reader, value, member);
	case FIELD_NAME:
		return read_name(reader, field->names, value, member);
	case FIELD_OTHER:
		return field->set(reader, target, value);
	}
	return -EINVAL;
}

/*
 * Objects
 */

static const struct field *find_field(const struct field *fields, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i].key, key) == 0)
			return &fields[i];
	return NULL;
}

/* Fields are read in the order of their table, whatever that of the file. */
int reader_object(struct reader *reader, const struct field *fields, size_t n, void *target,
		  json_t *object)
{
	const char *key;
	json_t *value;
	int r = 0;

	if (!json_is_object(object))
		return reader_wrong(reader, "must be an object");
	json_object_foreach(object, key, value)
	{
		if (key[0] == '#' || find_field(fields, n, key))
			continue;
		reader_enter(reader, key, 0);
		return reader_wrong(reader, "there is no such key");
	}
	for (size_t i = 0; r == 0 && i < n; i++) {
		value = json_object_get(object, fields[i].key);
		if (!value && fields[i].required)
			return reader_wrong(reader, "'%s' is missing", fields[i].key);
		if (!value)
			continue;
		reader_enter(reader, fields[i].key, 0);
		r = read_field(reader, &fields[i], target, value);
		if (r == 0)
			reader_leave(reader);
	}
	return r;
}

/* An object of named things; read_one() adds each and returns its index. */
int reader_table(struct reader *reader, json_t *object, json_t *names,
		 int (*read_one)(struct reader *reader, const char *name, json_t *value))
{
	const char *name;
	json_t *value;
	int r;

	if (!json_is_object(object))
		return reader_wrong(reader, "must be an object: a name for each");
	json_object_foreach(object, name, value)
	{
		if (name[0] == '#')
			continue;
		reader_enter(reader, name, 0);
		if (!name[0] || strlen(name) >= sizeof(((struct trace_client *)0)->name))
			return reader_wrong(reader, "a name has from 1 to 63 bytes");
		r = read_one(reader, name, value);
		if (r < 0)
			return r;
		if (names && json_object_set_new_nocheck(names, name, json_integer(r)) < 0)
			return reader_fail(reader, -ENOMEM);
		reader_leave(reader);
	}
	return 0;
}
