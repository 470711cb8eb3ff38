/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do about a job that ran longer than it may: the ladder
 *
 *	abort -> soft reset -> device reset -> close and reopen -> gone
 *
 * Each rung is tried once (reopening several times, while an old owner lingers),
 * and the next one when it is refused or when what it promised has not happened in
 * time. Abort promises the event of one job; the other rungs promise the events of
 * all jobs. When the promise is kept, recovery is over.
 *
 * Pure: told results and the time, it says what to do and when to ask again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum recovery_step {
	RECOVERY_IDLE,
	RECOVERY_ABORT,
	RECOVERY_SOFT_RESET,
	RECOVERY_RESET,
	RECOVERY_REOPEN,
	RECOVERY_GONE, /* nothing helped: the device is gone; begin again with reopening when told
			  to */
	RECOVERY_STEP_MAX_
};

struct recovery_times {
	uint64_t abort_ns; /* how long each rung may take to keep its promise */
	uint64_t soft_reset_ns;
	uint64_t reset_ns;
	uint64_t reopen_ns;
	uint64_t reopen_retry_ns; /* between two tries to reopen */
	unsigned int reopen_tries;
	uint64_t gone_retry_ns; /* between two looks whether a device that was gone is back */
};

/* In all less than a second, should every rung have to be waited for. */
#define RECOVERY_TIMES_DEFAULT                                                                     \
	((struct recovery_times){.abort_ns = 100000000,                                            \
				 .soft_reset_ns = 100000000,                                       \
				 .reset_ns = 100000000,                                            \
				 .reopen_ns = 100000000,                                           \
				 .reopen_retry_ns = 50000000,                                      \
				 .reopen_tries = 10,                                               \
				 .gone_retry_ns = 250000000})

struct recovery {
	const struct recovery_times *times; /* borrowed */
	enum recovery_step step;
	bool waiting;	     /* the step was carried out; its promise is awaited */
	uint64_t due_ns;     /* when to act on our own; UINT64_MAX: never */
	uint64_t began_ns;   /* this recovery */
	uint64_t stepped_ns; /* this step */
	unsigned int tries;  /* of reopening */
};

/* What the caller is to do now. */
struct recovery_order {
	enum recovery_step
		step;	       /* carry this out now and report recovery_result(); IDLE: nothing */
	uint64_t ask_again_ns; /* call recovery_tick() then; UINT64_MAX: never */
};

void recovery_init(struct recovery *recovery, const struct recovery_times *times);

/* A job overran. Only while idle. Orders an abort. */
struct recovery_order recovery_begin(struct recovery *recovery, uint64_t now_ns);

/* The device vanished by itself: all jobs' events have come or will come. In any state. Orders
 * reopening. */
struct recovery_order recovery_vanished(struct recovery *recovery, uint64_t now_ns);

/* What came of the step that was ordered: 0 or a negative errno. */
struct recovery_order recovery_result(struct recovery *recovery, int r, uint64_t now_ns);

/* The promise of the present step has been kept: idle again. */
void recovery_settled(struct recovery *recovery, uint64_t now_ns);

/* Time has passed. */
struct recovery_order recovery_tick(struct recovery *recovery, uint64_t now_ns);

/* "abort", "soft reset", …; never NULL. */
const char *recovery_step_name(enum recovery_step step);
