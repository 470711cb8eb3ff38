/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the policy share: flow.c keeps the queued jobs in order,
 * reservation.c admits and protects, policy.c decides.
 */
#pragma once

#include "policy/policy.h"

#define NEVER UINT64_MAX

/* What a job of which nothing is known is charged until it is measured. */
#define UNKNOWN_NS UINT64_C(1000000)

/*
 *	IDLE --push--> QUEUED or EARLY or FRAME or FIRST --START--> RUNNING --finished--> IDLE
 *
 * EARLY: a frame that does not conform yet, queued as an ordinary job. FIRST: before everybody.
 *STOPPING: RUNNING, and the caller was told to stop it.
 */
enum job_state { JOB_IDLE, JOB_QUEUED, JOB_EARLY, JOB_FRAME, JOB_FIRST, JOB_RUNNING, JOB_STOPPING };

/* Jobs of one client that can run in the same places. */
struct policy_flow {
	struct tree_node node;	    /* in share->children while it has jobs */
	struct policy_share *share; /* borrowed: of its client, or its class if that is realtime */
	struct policy_client *client;
	struct policy_gate *gate; /* NULL: none */
	enum zy_class class;
	uint64_t cores;
	unsigned int n_cores;
	bool no_gaps;
	struct reservation *reservation; /* of frames that do not conform yet; NULL: none */
	bool skipped;			 /* by the decision that is being made */
	struct tree jobs;		 /* policy_job.node */
	struct list link;		 /* policy.flows */
	struct list account_link, client_link, gate_link;
};

/* What happened last on a core, to explain who waited for what. */
struct core_history {
	uint64_t client, started_ns;
	enum zy_class class;
	bool is_frame, owed, any;
};

struct core {
	struct policy_job *jobs[2]; /* on the device, in order */
	unsigned int n_jobs;
	struct tree frames;	  /* policy_job.node: that conform, by deadline */
	struct list reservations; /* reservation.link */
	unsigned int n_reservations;
	unsigned int used_ppm;
	uint64_t tolerance_ns;
	uint64_t longest_ns; /* no job that occupies a core for longer is ever started here */
	uint64_t device_ns;
	struct core_history last;
};

struct class
{
	struct policy_share share;
	unsigned int n_queued, n_on_device;
	uint64_t device_ns;
	uint64_t floor_ns; /* of charged time, at which its floor is used up */
};

struct policy {
	struct policy_settings settings;
	enum policy_placement placement;
	unsigned int n_cores;
	uint64_t all, healthy;
	uint64_t free;	    /* cores with no job */
	uint64_t stackable; /* cores with one single-core job */
	uint64_t reserved;  /* cores with reservations */
	uint64_t pending;   /* cores with frames */
	struct core cores[POLICY_MAX_CORES];
	struct class classes[ZY_CLASS_MAX_];
	uint64_t charged_ns; /* in all, times cores */
	struct tree timers;  /* policy_job.due, policy_account.wake */
	struct list flows;   /* policy_flow.link; all that exist */
	struct tree first;   /* policy_job.node: before everybody */
	uint64_t decision;   /* counts the times nothing was left to do */
	unsigned int n_queued, n_on_device;
	/* The multi-core job that other jobs leave cores to, and since when. */
	const struct policy_job *collector;
	uint64_t collecting_ns;
	uint64_t held, held_until_ns;
};

/* flow.c */

/* -ENOMEM */
int flow_push(struct policy *policy, struct policy_job *job);
void flow_remove(struct policy *policy, struct policy_job *job);
/* What decides about its masks has changed. */
void flow_refresh(struct policy *policy, struct policy_flow *flow);
void flows_refresh(struct policy *policy);
/* The first flow of the class that can run on one of these cores, or NULL. */
struct policy_flow *flow_find(struct policy *policy, enum zy_class class, uint64_t single,
			      uint64_t gang);
struct policy_job *flow_head(const struct policy_flow *flow);
/* The job is on its way to the device, or was measured: @ns, times cores, more or less. */
void flow_charge(struct policy *policy, struct policy_job *job, int64_t ns);
/* A job starts: who was idle until now begins at its virtual time. */
void flow_served(struct policy_job *job);
void share_init(struct policy_share *share, struct policy_share *parent, unsigned int weight);

static inline uint64_t job_charge(const struct policy_job *job)
{
	return (job->estimate_ns ? job->estimate_ns : UNKNOWN_NS) * job->n_cores;
}

/* admission.c */

static inline bool stop_is_reliable(const struct policy *policy)
{
	return policy->settings.stop_ns != NEVER;
}

/* The reservations of a core have changed, or fallen asleep or woken up. */
void core_account(struct policy *policy, unsigned int core);
/*
 * Nothing new is promised on a core before what is on it now is surely gone, and what
 * that may have delayed is through.
 */
uint64_t protected_from(const struct policy *policy, const struct core *core);

/* reservation.c */

/* It sleeps if it is not used until long after @from_ns. */
void reservation_watch(struct policy *policy, struct reservation *r, uint64_t from_ns);

/* Settings or health have changed what reservations mean to others. */
void reservations_recount(struct policy *policy);
/* How long, if it is started now, @job may occupy a core; and when it then has to be stopped
 * (NEVER: it need not). */
uint64_t job_occupies(const struct policy *policy, const struct policy_job *job,
		      uint64_t *ret_limit);
/* For how long at most a core may ever be occupied by others. @but is not asked. */
uint64_t core_longest(const struct policy *policy, unsigned int core,
		      const struct reservation *but);
/* Until when a core may be occupied by others without harm to its reservations; NEVER. @but is
 * not asked. */
uint64_t core_open_until(const struct policy *policy, unsigned int core, uint64_t now_ns,
			 const struct reservation *but);
/* A frame has come, or was put back unprotected: queue it. -ENOMEM */
int frame_push(struct policy *policy, struct policy_job *job, uint64_t now_ns);
/* Protect it: it conforms. */
void frame_promote(struct policy *policy, struct policy_job *job, uint64_t now_ns);
/* It waits no longer for that. */
void frame_leave_waiting(struct policy *policy, struct policy_job *job);
/* Queue it, protected, on its home core. */
void frame_queue(struct policy *policy, struct policy_job *job);
void frame_unqueue(struct policy *policy, struct policy_job *job);
/* It is through, after @run_ns, or was never run: then 0. Detaches it from its reservation. */
void frame_finish(struct policy *policy, struct policy_job *job, uint64_t run_ns, uint64_t now_ns);

/* Its timer has rung. */
void reservation_sleep(struct policy *policy, struct reservation *r, uint64_t now_ns);

/* policy.c */

static inline uint64_t bit(unsigned int core)
{
	return UINT64_C(1) << core;
}

/* Of a mask that is not empty. */
static inline unsigned int first_core(uint64_t cores)
{
	return (unsigned int)__builtin_ctzll(cores);
}

/* Put a queued job on cores that fit, because its class was @owed its floor or in its turn. */
struct policy_decision job_start(struct policy *policy, struct policy_job *job, uint64_t cores,
				 bool owed, uint64_t now_ns);

/* What the masks of a node in policy.timers say: whose it is. */
enum timer_owner { TIMER_JOB, TIMER_ACCOUNT, TIMER_RESERVATION };

void timer_insert(struct policy *policy, struct tree_node *node, uint64_t at_ns, uint64_t id,
		  enum timer_owner owner);

/* A queued job expires, unless it is a frame. */
void watch_deadline(struct policy *policy, struct policy_job *job);

/* Tell next() about a job at a moment, instead of one it had before. */
void timer_set(struct policy *policy, struct policy_job *job, uint64_t at_ns);

static inline uint64_t add_ns(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? NEVER : sum;
}
