/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/scope.h"

#define FILE_MAX_BYTES (1u << 20)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define HOUR_MS 3600000u

enum config_type {
	CONFIG_UINT,	  /* unsigned int, from min to max */
	CONFIG_BYTES,	  /* uint64_t, from min to max */
	CONFIG_PATH,	  /* char[max], absolute */
	CONFIG_MODE,	  /* mode_t, an octal string */
	CONFIG_CHOICE,	  /* char[max], one of choices */
	CONFIG_LEVEL,	  /* enum log_level */
	CONFIG_WATCHDOGS, /* an object: for each model's name an object like "watchdog" */
};

struct config_key {
	const char *path; /* "limits.sessions" */
	enum config_type type;
	size_t offset; /* in struct config */
	uint64_t min, max;
	const char *choices; /* with spaces around each */
};

#define KEY(key, kind, member, ...)                                                                \
	{                                                                                          \
		.path = key, .type = kind, .offset = offsetof(struct config, member),              \
		##__VA_ARGS__                                                                      \
	}
#define RANGE(from, to) .min = from, .max = to
#define FITS(member) .max = sizeof(((struct config *)0)->member)

static const struct config_key keys[] = {
	KEY("socket", CONFIG_PATH, socket, FITS(socket)),
	KEY("socket_mode", CONFIG_MODE, socket_mode, RANGE(0, 0777)),
	KEY("device", CONFIG_CHOICE, device, FITS(device), .choices = " auto soft drm "),
	KEY("log_level", CONFIG_LEVEL, log_level),
	KEY("topology.partitions", CONFIG_UINT, soft.partitions, RANGE(1, 4)),
	KEY("topology.clusters", CONFIG_UINT, soft.clusters, RANGE(1, 8)),
	KEY("topology.cores", CONFIG_UINT, soft.cores, RANGE(1, 16)),
	KEY("topology.tecs", CONFIG_UINT, soft.tecs, RANGE(1, 16)),
	KEY("memory_bytes", CONFIG_BYTES, soft.memory_bytes, RANGE(MIB, 3 * GIB)),
	KEY("limits.sessions", CONFIG_UINT, limits.sessions, RANGE(1, 4096)),
	KEY("limits.queued_per_session", CONFIG_UINT, limits.queued_per_session, RANGE(1, 65536)),
	KEY("limits.buffers_per_session", CONFIG_UINT, limits.buffers_per_session, RANGE(1, 4096)),
	KEY("limits.buffer_bytes_per_session", CONFIG_BYTES, limits.buffer_bytes_per_session,
	    RANGE(4096, 64 * GIB)),
	KEY("limits.bindings_per_session", CONFIG_UINT, limits.bindings_per_session,
	    RANGE(1, 65535)),
	KEY("limits.models_per_session", CONFIG_UINT, limits.models_per_session, RANGE(1, 256)),
	KEY("limits.models", CONFIG_UINT, limits.models, RANGE(1, 256)),
	KEY("limits.image_bytes", CONFIG_BYTES, limits.image_bytes, RANGE(4096, 2 * GIB)),
	KEY("watchdog.factor", CONFIG_UINT, watchdog.factor, RANGE(2, 1000)),
	KEY("watchdog.floor_ms", CONFIG_UINT, watchdog.floor_ms, RANGE(1, HOUR_MS)),
	KEY("watchdog.ceiling_ms", CONFIG_UINT, watchdog.ceiling_ms, RANGE(1, HOUR_MS)),
	KEY("watchdog.warm_up_ms", CONFIG_UINT, warm_up_ms, RANGE(0, HOUR_MS)),
	KEY("watchdog.models", CONFIG_WATCHDOGS, model_watchdogs),
	KEY("quarantine.strikes", CONFIG_UINT, quarantine.strikes, RANGE(0, 1000)),
	KEY("quarantine.first_ms", CONFIG_UINT, quarantine.first_ms, RANGE(1, 24 * HOUR_MS)),
	KEY("quarantine.longest_ms", CONFIG_UINT, quarantine.longest_ms, RANGE(1, 24 * HOUR_MS)),
	KEY("quarantine.fade_ms", CONFIG_UINT, quarantine.fade_ms, RANGE(1, 24 * HOUR_MS)),
};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

void config_init(struct config *config)
{
	*config = (struct config){
		.socket = "/run/zhouyid/zhouyid.sock",
		.socket_mode = 0660,
		.device = "auto",
		.log_level = LOG_LEVEL_INFO,
		/* The CIX P1. */
		.soft = {.partitions = 1,
			 .clusters = 1,
			 .cores = 3,
			 .tecs = 4,
			 .memory_bytes = GIB},
		.limits =
			{
				.sessions = 64,
				.queued_per_session = 256,
				.buffers_per_session = 256,
				.buffer_bytes_per_session = 256 * MIB,
				.bindings_per_session = 256,
				.models_per_session = 16,
				.models = 64,
				.image_bytes = 512 * MIB,
			},
		.watchdog = {.factor = 10, .floor_ms = 500, .ceiling_ms = 10000},
		.warm_up_ms = 1000,
		.quarantine = {.strikes = 3,
			       .first_ms = 5000,
			       .longest_ms = 600000,
			       .fade_ms = HOUR_MS},
	};
}

__attribute__((format(printf, 3, 4))) static int fail(struct config_error *error, int r,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return r;
}

/*
 * One value
 */

static int set_number(struct config *config, const struct config_key *key, const json_t *value,
		      struct config_error *error)
{
	void *member = (char *)config + key->offset;
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0 || (uint64_t)n < key->min || (uint64_t)n > key->max)
		return fail(error, -EINVAL, "must be an integer from %" PRIu64 " to %" PRIu64,
			    key->min, key->max);
	if (key->type == CONFIG_UINT)
		*(unsigned int *)member = (unsigned int)n;
	else
		*(uint64_t *)member = (uint64_t)n;
	return 0;
}

static int set_path(struct config *config, const struct config_key *key, const char *text,
		    struct config_error *error)
{
	if (!text || text[0] != '/')
		return fail(error, -EINVAL, "must be a string, an absolute path");
	if (strlen(text) >= key->max)
		return fail(error, -EINVAL, "is too long: at most %" PRIu64 " bytes", key->max - 1);
	strcpy((char *)config + key->offset, text);
	return 0;
}

static int set_mode(struct config *config, const struct config_key *key, const char *text,
		    struct config_error *error)
{
	char *end = NULL;
	unsigned long mode = text ? strtoul(text, &end, 8) : 0;

	if (!text || text[0] != '0' || *end || mode > key->max)
		return fail(error, -EINVAL, "must be a string of octal digits, like \"0660\"");
	*(mode_t *)((char *)config + key->offset) = (mode_t)mode;
	return 0;
}

static int set_choice(struct config *config, const struct config_key *key, const char *text,
		      struct config_error *error)
{
	char wanted[32];

	if (text && !strchr(text, ' ') && text[0] &&
	    (size_t)snprintf(wanted, sizeof(wanted), " %s ", text) < sizeof(wanted) &&
	    strstr(key->choices, wanted)) {
		strcpy((char *)config + key->offset, text);
		return 0;
	}
	return fail(error, -EINVAL, "must be one of the strings%.*s", (int)strlen(key->choices) - 1,
		    key->choices);
}

static int set_level(struct config *config, const struct config_key *key, const char *text,
		     struct config_error *error)
{
	int level = text ? log_level_find(text) : -EINVAL;

	if (level < 0)
		return fail(error, -EINVAL, "must be one of the strings error warning info debug");
	*(enum log_level *)((char *)config + key->offset) = (enum log_level)level;
	return 0;
}

static int set_watchdog_member(struct config_watchdog *watchdog, const char *name,
			       const json_t *value, struct config_error *error)
{
	unsigned int *member = strcmp(name, "factor") == 0	 ? &watchdog->factor
			       : strcmp(name, "floor_ms") == 0	 ? &watchdog->floor_ms
			       : strcmp(name, "ceiling_ms") == 0 ? &watchdog->ceiling_ms
								 : NULL;
	json_int_t n = json_integer_value(value);

	if (!member)
		return fail(error, -EINVAL, "'%.64s' is not one of factor, floor_ms, ceiling_ms",
			    name);
	if (!json_is_integer(value) || n < 1 || n > HOUR_MS)
		return fail(error, -EINVAL, "%s must be an integer from 1 to %u", name, HOUR_MS);
	*member = (unsigned int)n;
	return 0;
}

static int set_model_watchdog(struct config *config, const char *model, json_t *object,
			      struct config_error *error)
{
	struct config_model_watchdog *entry = &config->model_watchdogs[config->n_model_watchdogs];
	struct config_error why;
	const char *name;
	json_t *value;

	if (config->n_model_watchdogs == CONFIG_MAX_WATCHDOGS)
		return fail(error, -EINVAL, "more than %u models", CONFIG_MAX_WATCHDOGS);
	if (strlen(model) >= sizeof(entry->model) || !json_is_object(object))
		return fail(error, -EINVAL, "'%.64s' must be a model's name with an object", model);
	*entry = (struct config_model_watchdog){0};
	strcpy(entry->model, model);
	json_object_foreach(object, name, value)
	{
		if (name[0] == '#')
			continue;
		if (set_watchdog_member(&entry->watchdog, name, value, &why) < 0)
			return fail(error, -EINVAL, "%.64s: %.300s", model, why.text);
	}
	config->n_model_watchdogs++;
	return 0;
}

/* What a later file says replaces all of it. */
static int set_watchdogs(struct config *config, const json_t *object, struct config_error *error)
{
	const char *model;
	json_t *value;
	int r = 0;

	if (!json_is_object(object))
		return fail(error, -EINVAL, "must be an object with a model's name for each key");
	config->n_model_watchdogs = 0;
	json_object_foreach((json_t *)object, model, value)
	{
		if (model[0] != '#')
			r = set_model_watchdog(config, model, value, error);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_value(struct config *config, const struct config_key *key, const json_t *value,
		     struct config_error *error)
{
	const char *text = json_string_value(value); /* NULL if it is no string */

	switch (key->type) {
	case CONFIG_UINT:
	case CONFIG_BYTES:
		return set_number(config, key, value, error);
	case CONFIG_PATH:
		return set_path(config, key, text, error);
	case CONFIG_MODE:
		return set_mode(config, key, text, error);
	case CONFIG_CHOICE:
		return set_choice(config, key, text, error);
	case CONFIG_LEVEL:
		return set_level(config, key, text, error);
	case CONFIG_WATCHDOGS:
		return set_watchdogs(config, value, error);
	}
	return -EINVAL;
}

/*
 * Objects
 */

static const struct config_key *find_key(const char *path)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (strcmp(keys[i].path, path) == 0)
			return &keys[i];
	return NULL;
}

/* Whether some key lies below @path. */
static bool is_section(const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < N_KEYS; i++)
		if (strncmp(keys[i].path, path, n) == 0 && keys[i].path[n] == '.')
			return true;
	return false;
}

static int apply_object(struct config *config, json_t *object, const char *prefix,
			struct config_error *error);

/* On failure @error begins with the key. */
static int apply_member(struct config *config, const char *path, json_t *value,
			struct config_error *error)
{
	const struct config_key *key = find_key(path);
	struct config_error why;
	char prefix[64];
	int r;

	if (key) {
		r = set_value(config, key, value, &why);
		return r < 0 ? fail(error, r, "%s: %.400s", path, why.text) : 0;
	}
	if (!is_section(path))
		return fail(error, -EINVAL, "%s: there is no such key", path);
	if (!json_is_object(value))
		return fail(error, -EINVAL, "%s: must be an object", path);
	snprintf(prefix, sizeof(prefix), "%s.", path);
	return apply_object(config, value, prefix, error);
}

static int apply_object(struct config *config, json_t *object, const char *prefix,
			struct config_error *error)
{
	const char *name;
	json_t *value;
	char path[128];
	int r;

	json_object_foreach(object, name, value)
	{
		if (name[0] == '#')
			continue;
		/* A name too long to be a key is cut here, and not found. */
		snprintf(path, sizeof(path), "%s%s", prefix, name);
		r = apply_member(config, path, value, error);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Files
 */

static void json_unref_p(json_t **json)
{
	json_decref(*json);
}

/* Reads it whole: a file that grows meanwhile, a pipe or a device cannot feed us for ever. */
static int read_file(const char *path, char **ret, size_t *ret_size, struct config_error *error)
{
	zy_auto(zy_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	zy_auto(zy_free) char *text = malloc(FILE_MAX_BYTES);
	size_t size = 0;
	ssize_t n;

	if (fd < 0)
		return fail(error, -errno, "%s: cannot be read: %s", path, strerror(errno));
	if (!text)
		return fail(error, -ENOMEM, "%s: out of memory", path);
	do {
		n = read(fd, text + size, FILE_MAX_BYTES - size);
		if (n < 0)
			return fail(error, -errno, "%s: cannot be read: %s", path, strerror(errno));
		size += (size_t)n;
	} while (n > 0 && size < FILE_MAX_BYTES);
	if (size == FILE_MAX_BYTES)
		return fail(error, -EFBIG, "%s: is too large", path);
	*ret = zy_take(text);
	*ret_size = size;
	return 0;
}

static int load_file(struct config *config, const char *path, struct config_error *error)
{
	zy_auto(zy_free) char *text = NULL;
	zy_auto(json_unref) json_t *root = NULL;
	struct config_error why;
	json_error_t where;
	size_t size = 0;
	int r;

	r = read_file(path, &text, &size, error);
	if (r < 0)
		return r;
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	if (!root)
		return fail(error, -EINVAL, "%s:%d: %s", path, where.line, where.text);
	if (!json_is_object(root))
		return fail(error, -EINVAL, "%s: must be an object", path);
	r = apply_object(config, root, "", &why);
	return r < 0 ? fail(error, r, "%s: %.400s", path, why.text) : 0;
}

static int is_json(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0;
}

static int load_directory(struct config *config, const char *path, struct config_error *error)
{
	struct dirent **entries;
	char file[4096];
	int n, r = 0;

	n = scandir(path, &entries, is_json, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : fail(error, -errno, "%s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (r == 0)
			r = load_file(config, file, error);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int config_load(struct config *config, const char *path, struct config_error *ret_error)
{
	char directory[2048];
	int r;

	r = load_file(config, path, ret_error);
	if (r < 0)
		return r;
	if (snprintf(directory, sizeof(directory), "%s.d", path) >= (int)sizeof(directory))
		return fail(ret_error, -EINVAL, "%.100s...: the path is too long", path);
	return load_directory(config, directory, ret_error);
}

int config_set(struct config *config, const char *key, const char *value,
	       struct config_error *ret_error)
{
	zy_auto(json_unref) json_t *json = json_stringn_nocheck(value, strlen(value));

	if (!json)
		return fail(ret_error, -ENOMEM, "out of memory");
	return apply_member(config, key, json, ret_error);
}
