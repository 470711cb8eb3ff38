/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon: builds everything in order, runs it, tears it down in reverse.
 *
 *	RUNNING --SIGTERM, SIGINT--> STOPPING --> (daemon_run() returns)
 *
 * While stopping nobody can connect and new work is refused. Running jobs may
 * finish for DAEMON_JOBS_NS, then they are aborted; clients may take their answers
 * for DAEMON_ANSWERS_NS. A second signal cuts all that short.
 *
 * The thread that calls daemon_init() is the loop's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/activation.h"
#include "daemon/config.h"
#include "daemon/health.h"
#include "daemon/listener.h"
#include "daemon/metrics.h"
#include "daemon/metrics_server.h"
#include "daemon/model.h"
#include "daemon/reload.h"
#include "daemon/scheduler.h"
#include "daemon/session.h"
#include "daemon/watchdog.h"

#define DAEMON_JOBS_NS UINT64_C(5000000000)
#define DAEMON_ABORT_NS UINT64_C(2000000000)
#define DAEMON_ANSWERS_NS UINT64_C(1000000000)

struct config;
struct device;
struct loop;
struct loop_signal;
struct loop_timer;
struct worker;

enum daemon_signal { DAEMON_SIGTERM, DAEMON_SIGINT, DAEMON_SIGHUP, DAEMON_SIGNAL_MAX_ };

enum daemon_state {
	DAEMON_RUNNING,
	DAEMON_DRAINING, /* jobs may finish */
	DAEMON_ABORTING, /* jobs were told to stop */
	DAEMON_FLUSHING, /* no job is left; answers may be taken */
};

struct daemon {
	struct config *config; /* borrowed; reloading changes it */
	struct reload reload;
	struct loop *loop;
	struct worker *worker;
	struct device *device;
	struct metrics *metrics; /* owned */
	struct model_registry models;
	struct scheduler scheduler;
	struct scheduler_model_limits model_limits[CONFIG_MAX_WATCHDOGS]; /* of its patience */
	struct session_group sessions;
	struct activation activation; /* while starting */
	struct listener listener;
	struct metrics_server metrics_server;
	struct loop_signal *signals[DAEMON_SIGNAL_MAX_];
	struct loop_timer *tick; /* while stopping */
	struct watchdog watchdog;
	struct health_watch health;
	enum daemon_state state;
	uint64_t until_ns;		/* the present state, unless it is RUNNING */
	bool has_models, has_scheduler; /* were built */
};

/*
 * @config outlives the daemon, which changes it when it is told to reload. Failures are logged. On
 * failure nothing is left. -EADDRINUSE  another daemon is listening or another negative errno
 */
int daemon_init(struct daemon *daemon, struct config *config);

/* Where to read the configuration from on SIGHUP; borrowed. Without it there is no reloading. */
void daemon_set_source(struct daemon *daemon, const struct config_source *source);

/*
 * Returns when told to stop: 0, or a negative errno of the loop, or
 *   -ETIMEDOUT  the device has not given back all jobs. The daemon cannot be
 *               finished then; daemon_abandon() and leave the process.
 */
int daemon_run(struct daemon *daemon);

void daemon_finish(struct daemon *daemon);

/* Remove what would outlive the process. */
void daemon_abandon(struct daemon *daemon);
