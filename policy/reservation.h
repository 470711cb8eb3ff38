/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reservations: a stream of frames that is promised to meet its deadlines,
 * whatever else is going on.
 *
 * A reservation is (budget, period, deadline, jitter) on one home core, chosen from
 * its mask when it is granted. Its frames are those that arrive at most so often:
 * the generic cell rate algorithm with increment `period` and tolerance `jitter`
 * says when a frame conforms (ITU-T I.371). One that comes earlier is an ordinary
 * realtime job until it does. One that has run for longer than its budget delays those behind it
 * by as much as it took from them, and is stopped where it would hurt another
 * reservation.
 *
 * Admission. The frames of a core are scheduled by non-preemptive earliest deadline
 * first. With blocking B all deadlines are met if for every t in the synchronous
 * busy period
 *
 *	h(t) + max(B, longest budget whose deadline is after t) <= t,
 *	h(t) = sum over frames of (floor((t + jitter - deadline) / period) + 1) * budget
 *
 * (George, Rivierre, Spuri, "Preemptive and Non-Preemptive Real-Time UniProcessor
 * Scheduling", INRIA RR-2966, 1996; processor demand after Baruah, Rosier, Howell,
 * 1990; non-preemptive feasibility after Jeffay, Stanat, Martel, RTSS 1991). The
 * largest B for which it holds is the core's tolerance. A job without reservation
 * is started on such a core only if it is surely off it at most `tolerance` after
 * the next frame can come; else the core stays idle. So no frame ever meets more
 * than the blocking that was admitted.
 *
 * On the safe side: sums are rounded up; each budget is charged the time that
 * stopping a job takes; on a device of several cores one core is never reserved.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/tree.h"
#include "proto/list.h"

struct policy;
struct policy_client;

#define RESERVATION_MAX_PER_CORE 32u

/*
 * A reservation without a frame for so long after one could have come is dormant: its core
 * is everybody's. Its next frame wakes it, but is protected only when what was started meanwhile is
 * surely done.
 */
#define RESERVATION_DORMANT_NS UINT64_C(1000000000)

struct reservation_spec {
	uint64_t budget_ns; /* device time of a frame */
	uint64_t period_ns;
	uint64_t deadline_ns; /* relative to the arrival */
	uint64_t jitter_ns;   /* how much early a frame may come; less than the period */
	uint64_t cores;	      /* the home is one of them */
};

struct reservation {
	struct list link;	      /* of its core */
	struct policy_client *client; /* borrowed; whose frames */
	struct reservation_spec spec; /* as granted */
	uint64_t id;		      /* the caller's to set */
	unsigned int core;	      /* home */
	uint64_t next_ns;	      /* theoretical arrival time of the next protected frame */
	struct list waiting;	      /* policy_job.early_link: frames that do not conform yet */
	unsigned int n_jobs;	      /* its frames that are queued or on the device */
	bool released;		      /* vanishes with its last job */
	bool dormant;
	struct tree_node sleep; /* in policy.timers: when it may become that */
	/* For people. */
	uint64_t frames, early, overruns, missed;
};

enum reservation_refusal {
	RESERVATION_GRANTED,
	RESERVATION_INVALID,	 /* numbers that make no sense: budget above deadline, … */
	RESERVATION_UTILISATION, /* no core of the mask has so much time left */
	RESERVATION_BLOCKING,	 /* there is time, but deadlines would be missed */
	RESERVATION_LAST_CORE,	 /* nothing would be left for others */
	RESERVATION_TOO_MANY,
	RESERVATION_NO_MEMORY,
};

/* What came of asking. */
struct reservation_verdict {
	enum reservation_refusal refusal;
	unsigned int core;     /* granted: home */
	uint64_t tolerance_ns; /* granted: that the home has from now on */
	unsigned int n_cores;
	unsigned int used_ppm[64]; /* utilisation of each core by reservations, as it is after
				      this */
	uint64_t best_period_ns;   /* refused: the smallest that would be granted with the same
				      budget, deadline and cores; 0: none */
};

/*
 * Ask for a reservation. *@ret is NULL unless it is granted, or if @probe: then nothing is
 * kept. Returns the refusal.
 */
enum reservation_refusal policy_reserve(struct policy *policy, struct policy_client *client,
					const struct reservation_spec *spec, bool probe,
					uint64_t now_ns, struct reservation **ret,
					struct reservation_verdict *ret_verdict);

/* Give it back. Frames that are queued become ordinary realtime jobs. */
void policy_release(struct policy *policy, struct reservation *reservation, uint64_t now_ns);

/*
 * The admission test of one core, by itself. Returns the tolerance, at least
 * @blocking_ns, or -1 if a deadline could be missed with a blocking of @blocking_ns.
 */
int64_t reservation_tolerance(const struct reservation_spec *specs, size_t n, uint64_t blocking_ns);

/* "granted", "utilisation", …; never NULL. */
const char *reservation_refusal_name(enum reservation_refusal refusal);
