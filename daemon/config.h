/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: JSON files, read once at start. jansson ends in config.c.
 *
 * What a file does not mention keeps its default. Unknown and duplicate keys,
 * wrong types and values out of range are errors that name the file, the key and,
 * where the JSON itself is broken, the line. A key that begins with "#" is a
 * comment. zhouyid(8) describes every key; the table in config.c is the truth.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

#include "daemon/device.h"
#include "daemon/log.h"

#define CONFIG_DEFAULT_FILE "/etc/zhouyid/zhouyid.json"

/* What clients can make the daemon hold. */
struct config_limits {
	unsigned int sessions;
	unsigned int queued_per_session; /* unanswered requests */
	unsigned int buffers_per_session;
	uint64_t buffer_bytes_per_session;
	unsigned int bindings_per_session;
	unsigned int models_per_session;
	unsigned int models; /* in all */
	uint64_t image_bytes;
};

/* How patient the watchdog is; milliseconds, because people write them. */
struct config_watchdog {
	unsigned int factor; /* times the slowest of the latest runs */
	unsigned int floor_ms, ceiling_ms;
};

#define CONFIG_MAX_WATCHDOGS 64u

/* For models that are kept under this name; what it leaves out is as for all. */
struct config_model_watchdog {
	char model[64];
	struct config_watchdog watchdog; /* 0: as for all */
};

struct config_quarantine {
	unsigned int strikes; /* 0: none */
	unsigned int first_ms, longest_ms, fade_ms;
};

struct config {
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
	mode_t socket_mode;
	char device[16]; /* for device_open() */
	enum log_level log_level;
	struct device_soft_config soft;
	struct config_limits limits;
	struct config_watchdog watchdog;
	unsigned int warm_up_ms; /* longest warm-up run of a model; 0: none */
	struct config_model_watchdog model_watchdogs[CONFIG_MAX_WATCHDOGS];
	unsigned int n_model_watchdogs;
	struct config_quarantine quarantine;
};

/* Says what is wrong, for people: "zhouyid.json: limits.sessions: must be ...". */
struct config_error {
	char text[512];
};

void config_init(struct config *config);

/*
 * Apply the file at @path, then the files @path.d/\*.json in alphabetical order. On
 * failure @config may be partly changed and @ret_error says what is wrong.
 *   -ENOENT  there is no such file
 *   -EINVAL  something in it is wrong
 *   -EFBIG   it is larger than any configuration
 *   or another negative errno of reading it
 */
int config_load(struct config *config, const char *path, struct config_error *ret_error);

/* Apply one value, as the command line does: config_set(config, "log_level", "debug", ...).
 * -EINVAL. */
int config_set(struct config *config, const char *key, const char *value,
	       struct config_error *ret_error);
