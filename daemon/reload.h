/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reloading the configuration.
 *
 *	reload_start() --> the worker reads it all --> right: what may change is
 *	                                               swapped in one go, and applied
 *	                                          +--> wrong: logged; nothing changes
 *
 * The worker, because files may be far away and names of users farther still. What
 * cannot change while the daemon runs is named in a warning. The service manager is
 * told when it begins and ends.
 *
 * Loop thread only.
 */
#pragma once

#include <stdbool.h>

#include "daemon/config.h"
#include "daemon/worker.h"

struct reload {
	struct work work;
	struct config *config;		    /* borrowed: what is in effect */
	const struct config_source *source; /* borrowed; NULL: none */
	struct worker *worker;		    /* borrowed */
	void (*apply)(void *arg);	    /* there is a new one in effect */
	void (*ended)(void *arg);	    /* well or not: see was_refused */
	void *arg;
	bool was_refused; /* the latest one: what is in effect is older than what is on disk */
	bool is_running, again;
	struct config next; /* the worker's */
	int result;
};

void reload_init(struct reload *reload, struct config *config, const struct config_source *source,
		 struct worker *worker, void (*apply)(void *arg), void (*ended)(void *arg),
		 void *arg);

/* Once more when the present one is over, if there is one. */
void reload_start(struct reload *reload);
