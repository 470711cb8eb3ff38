/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/config_internal.h"
#include "proto/json_line.h"
#include "proto/scope.h"

#define FILE_MAX_BYTES (1u << 20)

/*
 * Where we are, and what is wrong there
 */

void config_enter(struct config_reader *reader, const char *name)
{
	assert(reader->depth < CONFIG_DEPTH);
	reader->path[reader->depth++] = name;
}

void config_leave(struct config_reader *reader)
{
	reader->depth--;
}

void config_path(const struct config_reader *reader, char *ret, size_t size)
{
	size_t n = 0;

	ret[0] = '\0';
	for (unsigned int i = 0; i < reader->depth && n < size; i++)
		n += (size_t)snprintf(ret + n, size - n, "%s%s", i ? "." : "", reader->path[i]);
}

static unsigned int line_of(const struct config_reader *reader)
{
	struct json_step steps[CONFIG_DEPTH];

	for (unsigned int i = 0; i < reader->depth; i++)
		steps[i] = (struct json_step){.name = reader->path[i]};
	return json_line(reader->text, reader->size, steps, reader->depth);
}

/* @file NULL: the command line; @line 0: not known. */
static void say(struct config_reader *reader, const char *file, unsigned int line, const char *path,
		const char *format, va_list args)
{
	char where[300] = "", what[400], text[1024];

	if (file && line)
		snprintf(where, sizeof(where), "%s:%u: ", file, line);
	else if (file)
		snprintf(where, sizeof(where), "%s: ", file);
	vsnprintf(what, sizeof(what), format, args);
	snprintf(text, sizeof(text), "%s%.200s%s%s", where, path, *path ? ": " : "", what);
	reader->report->say(reader->report->arg, text);
}

int config_complain(struct config_reader *reader, const char *format, ...)
{
	char path[256];
	va_list args;

	config_path(reader, path, sizeof(path));
	va_start(args, format);
	say(reader, reader->file, reader->text ? line_of(reader) : 0, path, format, args);
	va_end(args);
	return -EINVAL;
}

static struct config_origin *find_origin(struct config_reader *reader, const char *path)
{
	struct config_origin *origin = reader->origins;

	while (origin && strcmp(origin->path, path) != 0)
		origin = origin->next;
	return origin;
}

int config_complain_about(struct config_reader *reader, const char *path, const char *format, ...)
{
	const struct config_origin *origin = find_origin(reader, path);
	va_list args;

	va_start(args, format);
	say(reader, origin ? origin->file : NULL, origin ? origin->line : 0, path, format, args);
	va_end(args);
	return -EINVAL;
}

/* Out of memory: then we know less when something is wrong. */
void config_remember(struct config_reader *reader)
{
	zy_auto(zy_free) char *file = reader->file ? strdup(reader->file) : NULL;
	struct config_origin *origin;
	char path[512];

	config_path(reader, path, sizeof(path));
	origin = find_origin(reader, path);
	if (!origin) {
		origin = calloc(1, sizeof(*origin));
		if (!origin || !(origin->path = strdup(path))) {
			free(origin);
			return;
		}
		origin->next = reader->origins;
		reader->origins = origin;
	}
	free(origin->file);
	origin->file = zy_take(file);
	origin->line = reader->text ? line_of(reader) : 0;
}

static void forget_origins(struct config_reader *reader)
{
	struct config_origin *origin;

	while ((origin = reader->origins)) {
		reader->origins = origin->next;
		free(origin->path);
		free(origin->file);
		free(origin);
	}
}

/*
 * Files
 */

static void json_unref_p(json_t **json)
{
	json_decref(*json);
}

static int cannot_read(struct config_reader *reader, int r)
{
	config_complain(reader, "cannot be read: %s", strerror(-r));
	return r;
}

/* Reads it whole: a file that grows meanwhile, a pipe or a device cannot feed us for ever. */
static int read_file(struct config_reader *reader, char **ret, size_t *ret_size)
{
	zy_auto(zy_close) int fd = open(reader->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	zy_auto(zy_free) char *text = malloc(FILE_MAX_BYTES);
	size_t size = 0;
	ssize_t n;

	if (fd < 0)
		return cannot_read(reader, -errno);
	if (!text)
		return cannot_read(reader, -ENOMEM);
	do {
		n = read(fd, text + size, FILE_MAX_BYTES - size);
		if (n < 0)
			return cannot_read(reader, -errno);
		size += (size_t)n;
	} while (n > 0 && size < FILE_MAX_BYTES);
	if (size == FILE_MAX_BYTES)
		return cannot_read(reader, -EFBIG);
	*ret = zy_take(text);
	*ret_size = size;
	return 0;
}

/* jansson's words; the key is not known, but the line. */
static int complain_json(struct config_reader *reader, const json_error_t *error)
{
	char text[512];

	snprintf(text, sizeof(text), "%.300s:%d: %s", reader->file, error->line, error->text);
	reader->report->say(reader->report->arg, text);
	return -EINVAL;
}

static int load_file(struct config_reader *reader, const char *path)
{
	zy_auto(zy_free) char *text = NULL;
	zy_auto(json_unref) json_t *root = NULL;
	json_error_t where;
	size_t size = 0;
	int r;

	reader->file = path;
	r = read_file(reader, &text, &size);
	if (r == 0) {
		root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
		if (!root)
			r = complain_json(reader, &where);
		else if (!json_is_object(root))
			r = config_complain(reader, "must be an object");
	}
	if (r == 0) {
		reader->text = text;
		reader->size = size;
		r = config_apply(reader, root);
	}
	reader->file = NULL;
	reader->text = NULL;
	return r;
}

static int is_json(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0;
}

/* All of them, also after a mistake. */
static int load_directory(struct config_reader *reader, const char *path)
{
	struct dirent **entries;
	char file[4096];
	int n, r = 0, one;

	n = scandir(path, &entries, is_json, alphasort);
	if (n < 0 && errno == ENOENT)
		return 0;
	reader->file = path;
	if (n < 0)
		return cannot_read(reader, -errno);
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		one = load_file(reader, file);
		r = r < 0 ? r : one;
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int load(struct config_reader *reader, const char *path)
{
	char directory[2048];
	int r, rest;

	r = load_file(reader, path);
	if (r < 0 && r != -EINVAL)
		return r;
	reader->file = path;
	if (snprintf(directory, sizeof(directory), "%s.d", path) >= (int)sizeof(directory))
		return config_complain(reader, "the path is too long");
	rest = load_directory(reader, directory);
	reader->file = NULL;
	return r < 0 ? r : rest;
}

int config_load(struct config *config, const char *path, struct config_report *report)
{
	struct config_reader reader = {.config = config, .report = report};
	int r = load(&reader, path);

	if (r == 0)
		r = config_check(&reader);
	forget_origins(&reader);
	return r;
}

static int apply_options(struct config_reader *reader, const struct config_source *source)
{
	int r = 0;

	for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
		const char *key = source->options[i].key, *value = source->options[i].value;
		json_t *object;

		if (!value)
			continue;
		/* Not UTF-8: then jansson makes nothing of it. */
		object = json_pack("{s:s}", key, value);
		config_enter(reader, key);
		if (!object)
			r = config_complain(reader, "is no text");
		config_leave(reader);
		if (object && config_apply(reader, object) < 0)
			r = -EINVAL;
		json_decref(object);
	}
	return r;
}

int config_read(struct config *ret, const struct config_source *source,
		struct config_report *report)
{
	const char *path = source->file ? source->file : CONFIG_DEFAULT_FILE;
	struct config config;
	struct config_reader reader = {.config = &config, .report = report};
	int r = 0, options;

	config_init(&config);
	if (source->file || access(path, F_OK) == 0 || errno != ENOENT)
		r = load(&reader, path);
	options = apply_options(&reader, source);
	r = r < 0 ? r : options;
	if (r == 0)
		r = config_check(&reader);
	forget_origins(&reader);
	if (r < 0)
		config_finish(&config);
	else
		*ret = config;
	return r;
}
