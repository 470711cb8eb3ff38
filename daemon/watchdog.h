/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service manager's watchdog: it restarts us if we do not say in time that we make
 * progress ($WATCHDOG_USEC, sd_notify(3)). What we say is worth something only if it is
 * said by the loop itself, and only while the device gives back what it was given.
 *
 * Not to be confused with the scheduler's watchdog, which looks after single jobs: this
 * one is for the day on which that has tried everything, or does not work.
 *
 * Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_timer;
struct scheduler;

/* Jobs that are overdue so long are never coming: recovery is over in less than a second. */
#define WATCHDOG_DEVICE_NS UINT64_C(5000000000)

struct watchdog {
	const struct scheduler *scheduler; /* borrowed */
	struct loop_timer *timer;	   /* owned; NULL: nobody watches */
	uint64_t interval_ns;
	uint64_t device_ns; /* WATCHDOG_DEVICE_NS, unless a test is less patient */
	bool stuck, asked;  /* and said so; to be restarted */
};

/* Says so for the first time at once. Does nothing if no service manager wants to know. */
int watchdog_init(struct watchdog *watchdog, struct loop *loop, const struct scheduler *scheduler);
/* Harmless on zeroes, and when done twice. */
void watchdog_finish(struct watchdog *watchdog);
