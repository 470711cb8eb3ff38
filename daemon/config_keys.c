/* SPDX-License-Identifier: Apache-2.0 */
/* The keys: a table says what each may be, and where it goes. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/config_internal.h"
#include "policy/policy.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define HOUR_MS 3600000u

enum config_type {
	CONFIG_UINT,	  /* unsigned int, from min to max */
	CONFIG_BYTES,	  /* uint64_t, from min to max */
	CONFIG_PATH,	  /* char[max], absolute */
	CONFIG_PLACE,	  /* char[max], absolute, a name in a directory, or empty */
	CONFIG_MODE,	  /* mode_t, an octal string */
	CONFIG_CHOICE,	  /* char[max], one of choices */
	CONFIG_LEVEL,	  /* enum log_level */
	CONFIG_WATCHDOGS, /* an object: for each model's name an object like "watchdog" */
	CONFIG_ACCESS,	  /* an object: for each principal a rule */
};

struct config_key {
	const char *path; /* "limits.sessions" */
	enum config_type type;
	size_t offset; /* in struct config */
	uint64_t min, max;
	const char *choices; /* with spaces around each */
	bool is_fixed;	     /* takes effect at start only */
};

#define KEY(key, kind, member, ...)                                                                \
	{                                                                                          \
		.path = key, .type = kind, .offset = offsetof(struct config, member),              \
		##__VA_ARGS__                                                                      \
	}
#define RANGE(from, to) .min = from, .max = to
#define FIXED .is_fixed = true
#define FITS(member) .max = sizeof(((struct config *)0)->member)

static const struct config_key keys[] = {
	KEY("socket", CONFIG_PATH, socket, FITS(socket), FIXED),
	KEY("socket_mode", CONFIG_MODE, socket_mode, RANGE(0, 0777), FIXED),
	KEY("device", CONFIG_CHOICE, device, FITS(device), .choices = " auto soft drm ", FIXED),
	KEY("log_level", CONFIG_LEVEL, log_level),
	KEY("topology.partitions", CONFIG_UINT, soft.partitions, RANGE(1, 4), FIXED),
	KEY("topology.clusters", CONFIG_UINT, soft.clusters, RANGE(1, 8), FIXED),
	KEY("topology.cores", CONFIG_UINT, soft.cores, RANGE(1, 16), FIXED),
	KEY("topology.tecs", CONFIG_UINT, soft.tecs, RANGE(1, 16), FIXED),
	KEY("memory_bytes", CONFIG_BYTES, soft.memory_bytes, RANGE(MIB, 3 * GIB), FIXED),
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
	KEY("scheduling.floors.interactive", CONFIG_UINT,
	    scheduling.floor_percent[ZY_CLASS_INTERACTIVE], RANGE(0, 90)),
	KEY("scheduling.floors.normal", CONFIG_UINT, scheduling.floor_percent[ZY_CLASS_NORMAL],
	    RANGE(0, 90)),
	KEY("scheduling.floors.background", CONFIG_UINT,
	    scheduling.floor_percent[ZY_CLASS_BACKGROUND], RANGE(0, 90)),
	KEY("scheduling.stack_us", CONFIG_UINT, scheduling.stack_us, RANGE(0, 1000000)),
	KEY("scheduling.collect_ms", CONFIG_UINT, scheduling.collect_ms, RANGE(0, 60000)),
	KEY("metrics.socket", CONFIG_PLACE, metrics.socket, FITS(metrics.socket), FIXED),
	KEY("metrics.socket_mode", CONFIG_MODE, metrics.socket_mode, RANGE(0, 0777), FIXED),
	KEY("metrics.port", CONFIG_UINT, metrics.port, RANGE(0, 65535), FIXED),
	KEY("access", CONFIG_ACCESS, access),
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
				.sessions = 128,
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
		.scheduling = {.floor_percent = {0, 5, 5, 5}, .stack_us = 500, .collect_ms = 100},
		.metrics = {.socket = "metrics.sock", .socket_mode = 0660},
	};
}

void config_finish(struct config *config)
{
	access_rules_finish(&config->access);
}

/*
 * One value
 */

static void *member_of(struct config *config, const struct config_key *key)
{
	return (char *)config + key->offset;
}

static int set_number(struct config_reader *reader, const struct config_key *key,
		      const json_t *value)
{
	void *member = member_of(reader->config, key);
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0 || (uint64_t)n < key->min || (uint64_t)n > key->max)
		return config_complain(reader, "must be an integer from %" PRIu64 " to %" PRIu64,
				       key->min, key->max);
	if (key->type == CONFIG_UINT)
		*(unsigned int *)member = (unsigned int)n;
	else
		*(uint64_t *)member = (uint64_t)n;
	return 0;
}

static int set_path(struct config_reader *reader, const struct config_key *key, const char *text)
{
	if (key->type == CONFIG_PLACE && (!text || (text[0] != '/' && strchr(text, '/'))))
		return config_complain(reader, "must be a string: an absolute path, the name of a "
					       "file beside \"socket\", or nothing");
	if (key->type == CONFIG_PATH && (!text || text[0] != '/'))
		return config_complain(reader, "must be a string, an absolute path");
	if (strlen(text) >= key->max)
		return config_complain(reader, "is too long: at most %" PRIu64 " bytes",
				       key->max - 1);
	strcpy(member_of(reader->config, key), text);
	return 0;
}

static int set_mode(struct config_reader *reader, const struct config_key *key, const char *text)
{
	char *end = NULL;
	unsigned long mode = text ? strtoul(text, &end, 8) : 0;

	if (!text || text[0] != '0' || *end || mode > key->max)
		return config_complain(reader, "must be a string of octal digits, like \"0660\"");
	*(mode_t *)member_of(reader->config, key) = (mode_t)mode;
	return 0;
}

static int set_choice(struct config_reader *reader, const struct config_key *key, const char *text)
{
	char wanted[32];

	if (text && !strchr(text, ' ') && text[0] &&
	    (size_t)snprintf(wanted, sizeof(wanted), " %s ", text) < sizeof(wanted) &&
	    strstr(key->choices, wanted)) {
		strcpy(member_of(reader->config, key), text);
		return 0;
	}
	return config_complain(reader, "must be one of the strings%.*s",
			       (int)strlen(key->choices) - 1, key->choices);
}

static int set_level(struct config_reader *reader, const struct config_key *key, const char *text)
{
	int level = text ? log_level_find(text) : -EINVAL;

	if (level < 0)
		return config_complain(reader,
				       "must be one of the strings error warning info debug");
	*(enum log_level *)member_of(reader->config, key) = (enum log_level)level;
	return 0;
}

/*
 * Watchdogs of single models
 */

static const struct {
	const char *name;
	size_t offset; /* in struct config_watchdog */
} watchdog_keys[] = {
	{"factor", offsetof(struct config_watchdog, factor)},
	{"floor_ms", offsetof(struct config_watchdog, floor_ms)},
	{"ceiling_ms", offsetof(struct config_watchdog, ceiling_ms)},
};

#define N_WATCHDOG_KEYS (sizeof(watchdog_keys) / sizeof(watchdog_keys[0]))

static int set_watchdog_member(struct config_reader *reader, struct config_watchdog *watchdog,
			       const char *name, const json_t *value)
{
	json_int_t n = json_integer_value(value);
	size_t i = 0;

	while (i < N_WATCHDOG_KEYS && strcmp(name, watchdog_keys[i].name) != 0)
		i++;
	if (i == N_WATCHDOG_KEYS)
		return config_complain(reader, "is not one of factor, floor_ms, ceiling_ms");
	if (!json_is_integer(value) || n < 1 || n > HOUR_MS)
		return config_complain(reader, "must be an integer from 1 to %u", HOUR_MS);
	*(unsigned int *)((char *)watchdog + watchdog_keys[i].offset) = (unsigned int)n;
	return 0;
}

static int set_model_watchdog(struct config_reader *reader, const char *model, json_t *object)
{
	struct config *config = reader->config;
	struct config_model_watchdog *entry = &config->model_watchdogs[config->n_model_watchdogs];
	const char *name;
	json_t *value;
	int r = 0;

	if (config->n_model_watchdogs == CONFIG_MAX_WATCHDOGS)
		return config_complain(reader, "more than %u models", CONFIG_MAX_WATCHDOGS);
	if (strlen(model) >= sizeof(entry->model) || !json_is_object(object))
		return config_complain(reader, "must be a model's name with an object");
	*entry = (struct config_model_watchdog){0};
	strcpy(entry->model, model);
	json_object_foreach(object, name, value)
	{
		if (name[0] == '#')
			continue;
		config_enter(reader, name);
		if (set_watchdog_member(reader, &entry->watchdog, name, value) < 0)
			r = -EINVAL;
		config_leave(reader);
	}
	config->n_model_watchdogs++;
	return r;
}

/* What a later file says replaces all of it. */
static int set_watchdogs(struct config_reader *reader, json_t *object)
{
	const char *model;
	json_t *value;
	int r = 0;

	if (!json_is_object(object))
		return config_complain(reader,
				       "must be an object with a model's name for each key");
	reader->config->n_model_watchdogs = 0;
	json_object_foreach(object, model, value)
	{
		if (model[0] == '#')
			continue;
		config_enter(reader, model);
		if (set_model_watchdog(reader, model, value) < 0)
			r = -EINVAL;
		config_leave(reader);
	}
	return r;
}

static int set_value(struct config_reader *reader, const struct config_key *key, json_t *value)
{
	const char *text = json_string_value(value); /* NULL if it is no string */

	switch (key->type) {
	case CONFIG_UINT:
	case CONFIG_BYTES:
		return set_number(reader, key, value);
	case CONFIG_PATH:
	case CONFIG_PLACE:
		return set_path(reader, key, text);
	case CONFIG_MODE:
		return set_mode(reader, key, text);
	case CONFIG_CHOICE:
		return set_choice(reader, key, text);
	case CONFIG_LEVEL:
		return set_level(reader, key, text);
	case CONFIG_WATCHDOGS:
		return set_watchdogs(reader, value);
	case CONFIG_ACCESS:
		return config_access_apply(reader, value);
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

static int apply_member(struct config_reader *reader, json_t *value)
{
	char path[128];
	const struct config_key *key;

	/* A name too long to be a key is cut here, and not found. */
	config_path(reader, path, sizeof(path));
	key = find_key(path);
	if (key) {
		config_remember(reader);
		return set_value(reader, key, value);
	}
	if (!is_section(path))
		return config_complain(reader, "there is no such key");
	if (!json_is_object(value))
		return config_complain(reader, "must be an object");
	return config_apply(reader, value);
}

/* Goes on after a mistake, to find them all. */
int config_apply(struct config_reader *reader, json_t *object)
{
	const char *name;
	json_t *value;
	int r = 0;

	json_object_foreach(object, name, value)
	{
		if (name[0] == '#')
			continue;
		config_enter(reader, name);
		if (apply_member(reader, value) < 0)
			r = -EINVAL;
		config_leave(reader);
	}
	return r;
}

static int check_watchdogs(struct config_reader *reader)
{
	const struct config *config = reader->config;
	const struct config_watchdog *all = &config->watchdog;
	int r = 0;

	if (all->floor_ms > all->ceiling_ms)
		r = config_complain_about(reader, "watchdog.floor_ms",
					  "is above watchdog.ceiling_ms, which is %u",
					  all->ceiling_ms);
	for (unsigned int i = 0; i < config->n_model_watchdogs; i++) {
		const struct config_model_watchdog *own = &config->model_watchdogs[i];
		unsigned int floor = own->watchdog.floor_ms, ceiling = own->watchdog.ceiling_ms;

		/* Only what it says itself: the other may well have been lowered for all. */
		if (floor && ceiling && floor > ceiling)
			r = config_complain_about(reader, "watchdog.models",
						  "floor_ms of %s is above its ceiling_ms",
						  own->model);
	}
	return r;
}

int config_check(struct config_reader *reader)
{
	const struct config *config = reader->config;
	const unsigned int *floors = config->scheduling.floor_percent;
	unsigned int sum = floors[ZY_CLASS_INTERACTIVE] + floors[ZY_CLASS_NORMAL] +
			   floors[ZY_CLASS_BACKGROUND];
	int r = check_watchdogs(reader);

	if (config->quarantine.first_ms > config->quarantine.longest_ms)
		r = config_complain_about(reader, "quarantine.first_ms",
					  "is above quarantine.longest_ms, which is %u",
					  config->quarantine.longest_ms);
	if (sum > 90)
		r = config_complain_about(reader, "scheduling.floors.background",
					  "all floors together are %u percent, and may be 90", sum);
	if (config_access_check(reader) < 0)
		r = -EINVAL;
	return r;
}

/*
 * Changing
 */

static size_t size_of(const struct config_key *key)
{
	switch (key->type) {
	case CONFIG_UINT:
		return sizeof(unsigned int);
	case CONFIG_BYTES:
		return sizeof(uint64_t);
	case CONFIG_MODE:
		return sizeof(mode_t);
	case CONFIG_LEVEL:
		return sizeof(enum log_level);
	case CONFIG_PATH:
	case CONFIG_PLACE:
	case CONFIG_CHOICE:
		return key->max;
	case CONFIG_WATCHDOGS:
	case CONFIG_ACCESS:
		break;
	}
	return 0;
}

static bool is_text(const struct config_key *key)
{
	return key->type == CONFIG_PATH || key->type == CONFIG_PLACE || key->type == CONFIG_CHOICE;
}

void config_keep_fixed(struct config *next, const struct config *now,
		       void (*changed)(const char *key))
{
	for (size_t i = 0; i < N_KEYS; i++) {
		const struct config_key *key = &keys[i];
		const char *from = (const char *)now + key->offset;
		char *to = member_of(next, key);

		if (!key->is_fixed)
			continue;
		/* What is behind the end of a string does not matter. */
		if (is_text(key) ? strcmp(to, from) != 0 : memcmp(to, from, size_of(key)) != 0)
			changed(key->path);
		memcpy(to, from, size_of(key));
	}
	next->soft.faults = now->soft.faults;
}

/*
 * Showing
 */

static json_t *dump_watchdogs(const struct config *config)
{
	json_t *json = json_object(), *own;

	for (unsigned int i = 0; i < config->n_model_watchdogs; i++) {
		const struct config_model_watchdog *entry = &config->model_watchdogs[i];

		own = json_object();
		for (size_t k = 0; k < N_WATCHDOG_KEYS; k++) {
			const char *member =
				(const char *)&entry->watchdog + watchdog_keys[k].offset;
			unsigned int n = *(const unsigned int *)member;

			if (n)
				json_object_set_new(own, watchdog_keys[k].name, json_integer(n));
		}
		json_object_set_new(json, entry->model, own);
	}
	return json;
}

static json_t *dump_value(const struct config *config, const struct config_key *key)
{
	const void *member = (const char *)config + key->offset;
	char mode[16];

	switch (key->type) {
	case CONFIG_UINT:
		return json_integer(*(const unsigned int *)member);
	case CONFIG_BYTES:
		return json_integer((json_int_t) * (const uint64_t *)member);
	case CONFIG_PATH:
	case CONFIG_PLACE:
	case CONFIG_CHOICE:
		return json_string(member);
	case CONFIG_MODE:
		snprintf(mode, sizeof(mode), "0%03o", *(const mode_t *)member);
		return json_string(mode);
	case CONFIG_LEVEL:
		return json_string(log_level_name(*(const enum log_level *)member));
	case CONFIG_WATCHDOGS:
		return dump_watchdogs(config);
	case CONFIG_ACCESS:
		return config_access_dump(&config->access);
	}
	return NULL;
}

/* Under "a.b" in @root, whose sections are made as needed. */
static void dump_key(json_t *root, const char *path, json_t *value)
{
	const char *dot;
	char name[32];

	while ((dot = strchr(path, '.'))) {
		json_t *section;

		snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
		section = json_object_get(root, name);
		if (!section) {
			section = json_object();
			json_object_set_new(root, name, section);
		}
		root = section;
		path = dot + 1;
	}
	json_object_set_new(root, path, value);
}

char *config_dump(const struct config *config)
{
	json_t *root = json_object();
	char *text;

	for (size_t i = 0; i < N_KEYS; i++)
		dump_key(root, keys[i].path, dump_value(config, &keys[i]));
	text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	return text;
}
