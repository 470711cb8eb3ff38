/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: JSON files. jansson ends in config*.c.
 *
 * What a file does not mention keeps its default. Unknown and duplicate keys,
 * wrong types, values out of range and what makes no sense together are errors that
 * name file, line and key; reading goes on, to find them all. A key that begins with
 * "#" is a comment. zhouyid.json(5) describes every key; the table in config_keys.c
 * is the truth.
 *
 * Any thread, but looking up users and groups may block.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

#include "daemon/access.h"
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

struct config_scheduling {
	unsigned int floor_percent[ZY_CLASS_MAX_]; /* of realtime: 0 */
	unsigned int stack_us, collect_ms;
};

/* Where metrics can be had. */
struct config_metrics {
	/* Absolute, or a name beside the clients' socket; "": nowhere */
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
	mode_t socket_mode;
	unsigned int port; /* on 127.0.0.1; 0: none */
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
	struct config_scheduling scheduling;
	struct config_metrics metrics;
	struct access_rules access; /* owned */
};

/* Hears what is wrong, for people: "zhouyid.json:3: limits.sessions: must be ...". */
struct config_report {
	void (*say)(void *arg, const char *text);
	void *arg;
};

/* Where a configuration comes from: files, and over them the command line. */
#define CONFIG_OPTIONS 3u
struct config_source {
	const char *file; /* NULL: CONFIG_DEFAULT_FILE, if it is there */
	struct {
		const char *key, *value; /* "log_level", "debug"; value NULL: not given */
	} options[CONFIG_OPTIONS];
};

void config_init(struct config *config);
void config_finish(struct config *config);

/*
 * Read all of @source into @ret, which is to be finished. On failure it is as it was, and
 * everything that is wrong has been reported.
 *   -ENOENT  there is no such file
 *   -EINVAL  something is wrong
 *   -EFBIG   a file is larger than any configuration
 *   or another negative errno of reading it
 */
int config_read(struct config *ret, const struct config_source *source,
		struct config_report *report);

/*
 * Apply the file at @path, then the files @path.d/\*.json in alphabetical order. On
 * failure, as above, @config may be partly changed.
 */
int config_load(struct config *config, const char *path, struct config_report *report);

/* In @next what cannot change while the daemon runs becomes what it is @now; @changed hears of
 * each difference. */
void config_keep_fixed(struct config *next, const struct config *now,
		       void (*changed)(const char *key));

/* All of it as JSON, in the form of a file; to be freed. NULL: out of memory. */
char *config_dump(const struct config *config);
