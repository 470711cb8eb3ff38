/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A way to schedule, as the simulator sees it: the policy of zhouyid, or one of those it is
 * compared with. All of them get the same jobs and give the same kind of decisions
 * (policy/policy.h).
 *
 * Those for comparison are what other daemons do, at their best: none of them leaves a
 * core idle if a waiting job could run there, unless its own rules say so.
 */
#pragma once

#include "policy/policy.h"
#include "simulate/trace.h"

struct scheme_job {
	struct policy_job job;
	uint32_t client;      /* index in the trace */
	uint32_t reservation; /* the same; TRACE_NONE: none */
	struct list link;     /* for the scheme */
};

static inline struct scheme_job *scheme_job_of(struct policy_job *job)
{
	return list_entry(job, struct scheme_job, job);
}

struct scheme {
	const char *name, *summary;
	/* @trace stays. 0, or a negative errno; *@ret is what the others get as @self. */
	int (*create)(void **ret, const struct trace *trace, unsigned int n_cores);
	/* Nothing is queued or on the device. */
	void (*destroy)(void *self);
	/* NULL: knows no reservations; their frames are then jobs like others. */
	enum reservation_refusal (*reserve)(void *self, uint32_t reservation,
					    struct reservation_verdict *ret_verdict);
	/* As policy_push() and so on. */
	int (*push)(void *self, struct scheme_job *job, uint64_t now_ns);
	/* NULL: never preempts. */
	int (*push_again)(void *self, struct scheme_job *job, uint64_t now_ns);
	void (*remove)(void *self, struct scheme_job *job);
	struct policy_decision (*next)(void *self, uint64_t now_ns);
	void (*finished)(void *self, struct scheme_job *job, uint64_t run_ns, uint64_t now_ns);
};

extern const struct scheme scheme_zhouyi;
/* The job that came first runs first. */
extern const struct scheme scheme_fifo;
/* Classes are strict; inside a class clients take turns, one job each. */
extern const struct scheme scheme_round_robin;
/*
 * As round robin, but the device is one client's at a time: it goes on until nothing of that
 * client is left, queued or running; only then another one has it.
 */
extern const struct scheme scheme_drain;

/* All of them, ours first. */
#define N_SCHEMES 4u
extern const struct scheme *const schemes[N_SCHEMES];
