/* SPDX-License-Identifier: Apache-2.0 */
/* What came of a simulation: counts and latencies, per client and per class. */
#pragma once

#include <stdint.h>

#include "simulate/trace.h"

enum sim_outcome {
	SIM_DONE,      /* in time, or without deadline */
	SIM_LATE,      /* done after its deadline */
	SIM_EXPIRED,   /* taken out of the queue when its deadline could no longer be met */
	SIM_REFUSED,   /* at once: the deadline could not be met */
	SIM_DROPPED,   /* a newer frame took its place */
	SIM_STOPPED,   /* ran longer than its reservation allowed */
	SIM_TIMED_OUT, /* ran longer than the watchdog allows */
	SIM_REJECTED,  /* could never run beside the reservations, or with so many cores */
	SIM_OUTCOMES_
};

/* "done", "late", …; never NULL. */
const char *sim_outcome_name(enum sim_outcome outcome);

struct sim_samples {
	uint64_t *values; /* owned; sorted once the simulation is over */
	size_t n, room;
	unsigned __int128 sum;
};

struct sim_group {
	const char *name; /* the trace's, or static */
	uint64_t outcomes[SIM_OUTCOMES_], requests;
	uint64_t deadlines;	       /* how many had one */
	uint64_t preempted;	       /* times a job was stopped and put back */
	uint64_t device_ns;	       /* times cores, without what was stopped */
	struct sim_samples latency_ns; /* of those that were done, late or not */
	/* Latency in thousandths of the deadline, of those of them that had one. */
	struct sim_samples deadline_permille;
	/* Of those that were done both in the simulation and when they were recorded. */
	struct {
		uint64_t n;
		unsigned __int128 recorded_ns, simulated_ns; /* sums of latencies */
	} both;
};

struct sim_reservation {
	enum reservation_refusal refusal;
	struct reservation_verdict verdict;
	bool is_known; /* the scheme has reservations at all */
};

struct sim_result {
	const char *scheme;
	struct sim_group *clients; /* as in the trace */
	struct sim_group classes[ZY_CLASS_MAX_];
	struct sim_reservation *reservations; /* as in the trace */
	uint32_t n_clients, n_reservations;
	unsigned int n_cores;
	uint64_t busy_ns[POLICY_MAX_CORES]; /* jobs run */
	uint64_t wasted_ns;		    /* of that, for runs that were stopped */
	uint64_t end_ns;		    /* when everything was over */
	uint64_t seed, requests;
	uint64_t left_out; /* recorded ones that never ran, for reasons of their own */
};

void sim_result_finish(struct sim_result *result);

/* late + expired + refused */
uint64_t sim_misses(const struct sim_group *group);
/* 0 if there are none. */
uint64_t sim_mean(const struct sim_samples *samples);
/* The smallest value that @permille of a thousand do not exceed; 0 if there are none. */
uint64_t sim_quantile(const struct sim_samples *samples, unsigned int permille);

/* For the simulation. -ENOMEM. */
int sim_samples_add(struct sim_samples *samples, uint64_t value);
void sim_samples_sort(struct sim_samples *samples);
