/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduling policy: which job runs next, where, and what has to be stopped.
 *
 * Pure: it knows jobs, cores and the time it is told, and no device, clock, socket
 * or client. The daemon, the simulator and the tests run this very code.
 *
 *	push ---> (queued) --- next(): START ---> (on the device) --- finished --->
 *	             |  ^                              |   |
 *	             |  +----------- push_again -------+   +- next(): PREEMPT, STOP
 *	             +- next(): EXPIRE, or remove
 *
 * Order. A reserved frame first; then a class that is owed its floor; then the
 * classes in their order. Inside `realtime` earliest deadline first; elsewhere
 * start-time fair queuing (Goyal, Vin, Cheng, "Start-time Fair Queuing", SIGCOMM
 * 1996) by measured device time, first between accounts, then between the clients
 * of an account; a client's own jobs in the order of their arrival. Whoever was idle
 * begins at the virtual time of its group: idling earns nothing.
 *
 * Eligibility. Jobs of one client that can run in the same places (same class,
 * gate, cores, number of cores) form a flow. A decision looks for the first flow in
 * order that can run on a core that is free, in logarithmic time; one that cannot
 * holds up nobody.
 *
 * Reservations are described in reservation.h.
 *
 * Times are nanoseconds of one monotonic clock. Nothing here allocates but the
 * functions that may return -ENOMEM; pushing does only when a client uses more
 * kinds of jobs at a time than ever before.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/reservation.h"
#include "policy/tree.h"
#include "proto/entry.h"
#include "proto/list.h"

#define POLICY_MAX_CORES 64u

struct policy;
struct policy_flow;

/* Which core masks the device honours. */
enum policy_placement {
	POLICY_PLACEMENT_NONE, /* none: the whole partition is one resource, core 0 */
	POLICY_PLACEMENT_ONE,  /* exactly one core, or all of them at once */
	POLICY_PLACEMENT_EXACT,
};

struct policy_settings {
	/* Share of device time, in percent, that a class keeps while it has work. In all at most
	 * 90. That of realtime is without effect. */
	unsigned int floor_percent[ZY_CLASS_MAX_];
	/* A job that is expected to be this short may be handed over while another still runs on
	 * its core: it hides the way from the device to the policy and back. 0: none. */
	uint64_t stack_ns;
	/* How long a multi-core job may keep cores idle while it waits for the others. */
	uint64_t collect_ns;
	/* A job that is stopped is off its cores after this. UINT64_MAX: not to be relied on; then
	 * nothing is started that would have to be stopped for the sake of a reservation. */
	uint64_t stop_ns;
};

#define POLICY_SETTINGS_DEFAULT                                                                    \
	((struct policy_settings){.floor_percent = {0, 5, 5, 5},                                   \
				  .stack_ns = 500000,                                              \
				  .collect_ns = 100000000,                                         \
				  .stop_ns = UINT64_MAX})

/*
 * A place in the hierarchy of fair shares: a class, an account in a class, a client
 * in a class. Private to the policy.
 */
struct policy_share {
	struct tree_node node;	     /* in parent->children while it has queued jobs */
	struct policy_share *parent; /* borrowed; NULL: a class */
	struct tree children;	     /* shares, or flows by the number of their first job */
	uint64_t vtime;		     /* device time by weight */
	/* Of its children, when they were last served on a core: there one begins that was idle. */
	uint64_t core_vtime[POLICY_MAX_CORES];
	unsigned int weight;
};

/* A principal: weights and quotas are its; any number of clients. Embedded in the caller's. */
struct policy_account {
	/* Set by the caller after init, changed with policy_account_changed(). */
	unsigned int weight;	    /* of its share; 100 is usual */
	unsigned int max_on_device; /* jobs; protected frames start all the same; 0: no limit */
	unsigned int share_percent; /* of all cores' time, at most; 0: no limit */

	unsigned int n_queued, n_on_device;
	uint64_t device_ns; /* measured, times cores */

	/* Private. */
	struct list flows;     /* policy_flow.account_link */
	uint64_t share_at_ns;  /* by when what it used will be its share again */
	struct tree_node wake; /* in policy.timers while it waits for that */
	bool blocked;	       /* by its limits: none of its jobs is started */
	uint64_t unblocked;    /* the decision before which it was */
	struct policy_share shares[ZY_CLASS_MAX_];
};

/* One connection. Embedded in the caller's. */
struct policy_client {
	struct policy_account *account; /* borrowed */
	uint64_t id;			/* for explanations */
	uint64_t device_ns;		/* measured, times cores */

	/* Private. */
	struct list flows; /* policy_flow.client_link; empty ones are kept for reuse */
	unsigned int n_queued, n_on_device, n_reservations;
	struct policy_share shares[ZY_CLASS_MAX_];
};

/*
 * Something that jobs need besides a core: a free execution slot of their model. While it
 * is closed none of its jobs is started. Embedded in the caller's.
 */
struct policy_gate {
	bool closed;
	unsigned int n_queued; /* jobs that will go through it */

	/* Private. */
	struct list flows; /* policy_flow.gate_link */
	uint64_t opened;   /* the decision before which it was */
};

/* Why a job was not started at once; the last reason counts. */
enum policy_wait {
	POLICY_WAIT_NONE,	 /* it was */
	POLICY_WAIT_OWN,	 /* behind a job of the same client */
	POLICY_WAIT_RUNNING,	 /* a job was running already that is not more urgent */
	POLICY_WAIT_URGENT,	 /* behind a job of a more urgent class */
	POLICY_WAIT_DEADLINE,	 /* behind an earlier deadline */
	POLICY_WAIT_SHARE,	 /* another client's turn in the same class */
	POLICY_WAIT_FLOOR,	 /* a less urgent class was owed its floor */
	POLICY_WAIT_RESERVATION, /* its cores were kept for a reservation, or ran one */
	POLICY_WAIT_THROTTLE,	 /* its reservation, or the quota of its account, was used up */
	POLICY_WAIT_GATE,	 /* no execution slot of its model was free */
	POLICY_WAIT_CORES,	 /* several cores had to become free together */
	POLICY_WAIT_RECOVERY,	 /* it ran before and was put back */
	POLICY_WAIT_MAX_
};

/* A job. Embedded in the caller's. */
struct policy_job {
	/* Set by the caller before policy_push(). */
	uint64_t id; /* ascending in the order of arrival, unique */
	struct policy_client *client;
	struct policy_gate *gate; /* NULL: none */
	enum zy_class class;
	uint64_t cores;	      /* where it may run; with placement none 1 */
	unsigned int n_cores; /* how many of them at once; at least 1 */
	uint64_t accepted_ns;
	uint64_t deadline_ns; /* 0: none */
	/* How long it runs, at most, if all is well: what it is charged until it is measured. 0:
	 * unknown. */
	uint64_t estimate_ns;
	uint64_t fastest_ns; /* how long it runs at least; 0: unknown */
	/* After how long it is surely off the device, whatever it does. */
	uint64_t bound_ns;
	struct reservation *reservation; /* it is a frame of; NULL: none */

	/* When it is started. */
	uint64_t started_ns, on_cores;
	enum policy_wait wait;
	uint64_t waited_for; /* id of the client; 0: nobody in particular */

	/* Private. */
	struct policy_flow *flow; /* queued in; NULL: not, or as a frame */
	struct tree_node node;	  /* in flow->jobs, or in the frames of its home core */
	struct tree_node due;	  /* in policy.timers: when time itself changes something */
	unsigned char state;	  /* enum job_state of policy_internal.h */
	bool owed;		  /* was started because its class was owed its floor */
	bool no_gaps;		  /* was stopped once: runs only where nothing is reserved */
	bool again;		  /* was put back */
	bool limited;		  /* on the device: has to be stopped after limit_ns */
	struct list early_link;	  /* reservation.waiting */
	uint64_t conforms_ns;	  /* a frame: protected from then on */
	uint64_t pushed;	  /* the decision before which it came */
	uint64_t limit_ns;	  /* on the device: how long it may run there */
	uint64_t free_ns;	  /* on the device: when it is surely off its cores */
	uint64_t charged_ns;	  /* times cores */
};

enum policy_action {
	POLICY_NOTHING,
	POLICY_START,	/* put @job on @cores now; tell policy_finished() or policy_push_again() */
	POLICY_EXPIRE,	/* its deadline can no longer be met; it has been taken out */
	POLICY_PREEMPT, /* a reservation needs its core: stop it and push it again */
	POLICY_STOP,	/* it has run longer than its reservation allows: stop it and let it fail */
};

struct policy_decision {
	enum policy_action action;
	struct policy_job *job;
	uint64_t cores;	       /* START: exactly n_cores of them */
	uint64_t ask_again_ns; /* NOTHING: when to ask again at the latest; UINT64_MAX: not before
				  something else happens */
};

/* @n_cores from 1 to POLICY_MAX_CORES; with placement none 1. -ENOMEM, -EINVAL (settings). */
int policy_create(struct policy **ret, unsigned int n_cores, enum policy_placement placement,
		  const struct policy_settings *settings);
/* Nothing may be queued, on the device or reserved. Accepts NULL. */
void policy_destroy(struct policy *policy);
/* From now on. -EINVAL: as before. */
int policy_set(struct policy *policy, const struct policy_settings *settings);

void policy_account_init(struct policy *policy, struct policy_account *account);
/* None of its clients may be left. */
void policy_account_finish(struct policy *policy, struct policy_account *account);
/* Weight or limits were changed. */
void policy_account_changed(struct policy *policy, struct policy_account *account, uint64_t now_ns);

void policy_client_init(struct policy_client *client, struct policy_account *account, uint64_t id);
/* Nothing of it may be queued, on the device or reserved. */
void policy_client_finish(struct policy *policy, struct policy_client *client);

void policy_gate_init(struct policy_gate *gate);
void policy_gate_set(struct policy *policy, struct policy_gate *gate, bool closed);

/* Cores on which nothing is started until they are healthy again. */
void policy_cores_set(struct policy *policy, uint64_t healthy);

/*
 * Queue @job.
 *   -ETIME   its deadline cannot be met, even if it is the next
 *   -ENOSPC  it could never be started beside the reservations on its cores
 *   -EINVAL  fewer cores than it needs, or a number the device cannot place
 *   -ENOMEM
 */
int policy_push(struct policy *policy, struct policy_job *job, uint64_t now_ns);

/*
 * It was on the device and is to run again: it stands where it stood or, if @first,
 * before everybody, and nobody else starts until it has. -ENOMEM: it is finished.
 */
int policy_push_again(struct policy *policy, struct policy_job *job, bool first, uint64_t now_ns);

/* A queued job leaves. */
void policy_remove(struct policy *policy, struct policy_job *job);

/*
 * What to do now. Carry it out and ask again, until it is NOTHING. A job that is to
 * be stopped is named once; its cores are free when it is finished or pushed again.
 */
struct policy_decision policy_next(struct policy *policy, uint64_t now_ns);

/* A job is off the device, after @run_ns there; 0 if it never ran. */
void policy_finished(struct policy *policy, struct policy_job *job, uint64_t run_ns,
		     uint64_t now_ns);

/* Whether @job is queued (pushed and neither started nor taken out). */
bool policy_is_queued(const struct policy_job *job);

/* "own", "urgent", …; never NULL. */
const char *policy_wait_name(enum policy_wait wait);

/*
 * Looking at it
 */

struct policy_class_info {
	unsigned int n_queued, n_on_device;
	uint64_t device_ns; /* measured, times cores */
	unsigned int floor_percent;
};

struct policy_core_info {
	bool healthy;
	unsigned int n_on_device;
	bool is_held; /* for a multi-core job that collects cores */
	unsigned int n_reservations;
	unsigned int reserved_ppm; /* utilisation by reservations, in millionths */
	uint64_t tolerance_ns;	   /* how long others may block its reservations */
	uint64_t device_ns;
};

unsigned int policy_n_queued(const struct policy *policy);
unsigned int policy_n_on_device(const struct policy *policy);
struct policy_class_info policy_class_info(const struct policy *policy, enum zy_class class);
struct policy_core_info policy_core_info(const struct policy *policy, unsigned int core);

/*
 * The queued jobs in the order in which they would be started if nothing else came
 * and each ran as long as estimated, at most @max of them. Returns how many.
 * Expensive: for people who ask.
 */
struct policy_plan_entry {
	const struct policy_job *job;
	uint64_t start_ns, end_ns; /* expected */
	uint64_t cores;
};
size_t policy_plan(const struct policy *policy, uint64_t now_ns, struct policy_plan_entry *ret,
		   size_t max);
