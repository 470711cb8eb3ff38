/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler moves jobs: into the queue, whose order is the business of policy/, from
 * there into execution slots and onto the device, and from the device's events to the answer.
 *
 * It also watches them (rescue.c): a job that overruns is stopped, by resetting the
 * device if need be; the jobs that were reset for its sake go back to where they
 * stood in the queue and run again, one at a time, before anything else does. Each is
 * answered once.
 *
 * Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/account.h"
#include "daemon/estimate.h"
#include "daemon/history.h"
#include "daemon/job.h"
#include "daemon/quarantine.h"
#include "daemon/recovery.h"
#include "policy/policy.h"

struct device;
struct loop;
struct loop_io;
struct loop_timer;
struct model;
struct stream;
struct worker;

struct scheduler_counters {
	uint64_t accepted; /* = answered + queued + running */
	uint64_t answered;
	uint64_t succeeded;
	uint64_t faulted;
	uint64_t cancelled;
	uint64_t copied_bytes;
	uint64_t timed_out;		    /* by their own timeout */
	uint64_t overrun;		    /* stopped by the watchdog */
	uint64_t resubmitted;		    /* runs that were repeated for somebody else's sake */
	uint64_t preempted;		    /* of those, for the sake of a reservation */
	uint64_t quarantined;		    /* refused */
	uint64_t steps[RECOVERY_STEP_MAX_]; /* rungs taken */
	uint64_t recoveries;
	uint64_t recovery_max_ns; /* from the overrun to the end */
	uint64_t answered_of[ZY_CLASS_MAX_];
};

/* A model, by the name it is listed under, whose runs have limits of their own. */
struct scheduler_model_limits {
	char model[64];
	struct estimate_limits limits;
};

/* How patient to be; see the modules these come from. */
struct scheduler_patience {
	struct estimate_limits watchdog;
	const struct scheduler_model_limits *models; /* borrowed */
	unsigned int n_models;
	struct recovery_times recovery;
	struct quarantine_limits quarantine;
};

#define SCHEDULER_PATIENCE_DEFAULT                                                                 \
	((struct scheduler_patience){                                                              \
		.watchdog = ESTIMATE_LIMITS_DEFAULT,                                               \
		.recovery = RECOVERY_TIMES_DEFAULT,                                                \
		.quarantine = QUARANTINE_LIMITS_DEFAULT,                                           \
	})

struct scheduler {
	struct device *device; /* borrowed */
	struct worker *worker; /* borrowed */
	struct loop_io *io;    /* owned; on the device's descriptor */
	struct policy *policy; /* owned; decides who is next */
	struct account_table accounts;
	struct loop_timer *alarm; /* owned; when the policy wants to be asked again */
	uint64_t alarm_ns;	  /* when it rings; UINT64_MAX: it is off */
	struct history history;
	struct list queued;   /* job.link; in no particular order */
	struct list *running; /* job.link; one list for each core, in the order of submission */
	unsigned int n_running;
	struct scheduler_entry *entries; /* caps.depth; what device cookies index */
	uint32_t free_entry;
	struct list failed; /* job.link; refused by the device, answered from failed_timer */
	struct loop_timer *failed_timer; /* owned */
	unsigned int n_clearing;	 /* jobs whose outputs the worker poisons */
	bool kicking;
	struct list pool; /* job.link; freed jobs for reuse, so that a request allocates nothing */
	uint64_t next_id;
	struct scheduler_counters counters;
	bool draining;
	void (*drained)(void *arg); /* no job is left while draining */
	void *drained_arg;

	/* rescue.c */
	struct scheduler_patience patience;
	struct recovery recovery;
	bool memory_lost;	    /* the device cannot be used again, and that was said */
	void (*changed)(void *arg); /* any of this; NULL: nobody wants to know */
	void *changed_arg;
	struct quarantine quarantine;
	struct loop_timer *watchdog; /* owned */
	uint64_t watchdog_ns;	     /* when it rings; UINT64_MAX: it is off */
	struct list timed;	     /* job.timed_link */
	struct job *guilty;	     /* whose event an abort waits for; NULL: it came */
	bool blames; /* this recovery began with a job, so those around it are suspects */
	unsigned int n_suspects;
	uint64_t resubmitted_before; /* the latest recovery was over */
};

/* Settings of the policy and patience are the defaults; change sched->patience before the first
 * job. */
int scheduler_init(struct scheduler *sched, struct loop *loop, struct device *device,
		   struct worker *worker);
/* Settings of the policy, but what only the device knows. From now on; -EINVAL: as before. */
int scheduler_set(struct scheduler *sched, const struct policy_settings *settings);
/* No job may be left, and the worker must be idle. */
void scheduler_finish(struct scheduler *sched);

/*
 * Become one of those who submit: on the account @key, known to others as number @id. -ENOMEM.
 * Until scheduler_forget().
 */
int scheduler_join(struct scheduler *sched, struct job_owner *owner, const struct account_key *key,
		   uint64_t id, void (*answer)(struct job_owner *, const struct zy_complete *));

/*
 * Accept a request; if @stream is not NULL as its next frame, whose class, cores and
 * deadline are the stream's. @owner gets its answer later through owner->answer(), never
 * from inside this call.
 *   -EINVAL     core mask names no core of this device
 *   -EACCES     owner->cores has none of the cores it names
 *   -EBUSY      @stream takes no more frames at the moment
 *   -ETIME      its deadline cannot be met
 *   -ENOSPC     it can never be started beside the reservations of its cores
 *   -ESHUTDOWN  draining
 *   -ENODEV     the device is gone
 *   -EKEYREJECTED  this owner's requests of this model are in quarantine
 *   -ENOMEM
 */
int scheduler_submit(struct scheduler *sched, struct job_owner *owner, struct binding *binding,
		     const struct zy_submit *entry, struct stream *stream);

/*
 * Cancel the owner's job with @cookie: it is answered ZY_CANCELLED before this
 * returns. A running one is released later, when the device has let go of it.
 * -ENOENT: no unanswered job has this cookie.
 */
int scheduler_cancel(struct scheduler *sched, struct job_owner *owner, uint64_t cookie);

/* The owner goes away: queued jobs vanish, running ones are aborted; nothing is answered to it any
 * more. */
void scheduler_forget(struct scheduler *sched, struct job_owner *owner);

/* A slot of @model became free: start what can start. */
void scheduler_slot_ready(struct scheduler *sched, struct model *model);

/*
 * How long the device has owed us a job: since the oldest should have been over, or since
 * recovery began if it is under way. 0 while all is well, and without jobs on the device.
 */
uint64_t scheduler_overdue(const struct scheduler *sched, uint64_t now_ns);

/* Something changed: start what can start. */
void scheduler_kick(struct scheduler *sched);

/*
 * Shut down in order: refuse new work, answer queued jobs ZY_SHUTTING_DOWN, let
 * running ones finish until scheduler_abort_all(), and call @drained when none is left
 * (perhaps from inside this call).
 */
void scheduler_drain(struct scheduler *sched, void (*drained)(void *arg), void *arg);
void scheduler_abort_all(struct scheduler *sched);
