/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler moves jobs: from the queue, whose policy it does not know, into
 * execution slots and onto the device, and from the device's events to the answer.
 *
 * Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/job.h"
#include "daemon/queue.h"

struct device;
struct loop;
struct loop_io;
struct loop_timer;

struct scheduler_counters {
	uint64_t accepted;  /* = answered + queued + running */
	uint64_t answered;
	uint64_t succeeded;
	uint64_t faulted;
	uint64_t cancelled;
	uint64_t copied_bytes;
};

struct scheduler {
	struct device *device; /* borrowed */
	struct loop_io *io;    /* owned; on the device's descriptor */
	struct queue queue;
	struct list running; /* job.link */
	unsigned int n_running;
	unsigned int *load; /* jobs per core; caps.cores of them */
	struct scheduler_entry *entries; /* caps.depth; what device cookies index */
	uint32_t free_entry;
	struct list failed;  /* job.link; the device refused them, to be answered from failed_timer */
	struct loop_timer *failed_timer; /* owned */
	bool kicking;
	struct list pool; /* job.link; freed jobs for reuse, so that a request allocates nothing */
	uint64_t next_id;
	struct scheduler_counters counters;
	bool draining;
	void (*drained)(void *arg); /* no job is left while draining */
	void *drained_arg;
};

int scheduler_init(struct scheduler *sched, struct loop *loop, struct device *device);
/* No job may be left. */
void scheduler_finish(struct scheduler *sched);

/*
 * Accept a request. @owner gets its answer later through owner->answer(), never
 * from inside this call.
 *   -EINVAL     core mask names no core of this device
 *   -ESHUTDOWN  draining
 *   -ENOMEM
 */
int scheduler_submit(struct scheduler *sched, struct job_owner *owner, struct binding *binding,
		     const struct zy_submit *entry);

/*
 * Cancel the owner's job with @cookie. A queued one is answered ZY_CANCELLED before
 * this returns; a running one is aborted and answered when the device has let go.
 * -ENOENT: no unanswered job has this cookie.
 */
int scheduler_cancel(struct scheduler *sched, struct job_owner *owner, uint64_t cookie);

/* The owner goes away: queued jobs vanish, running ones are aborted; nothing is answered to it any more. */
void scheduler_forget(struct scheduler *sched, struct job_owner *owner);

/* Something changed (a slot became free): start what can start. */
void scheduler_kick(struct scheduler *sched);

/*
 * Shut down in order: refuse new work, answer queued jobs ZY_SHUTTING_DOWN, let
 * running ones finish until scheduler_abort_all(), and call @drained when none is left
 * (perhaps from inside this call).
 */
void scheduler_drain(struct scheduler *sched, void (*drained)(void *arg), void *arg);
void scheduler_abort_all(struct scheduler *sched);
