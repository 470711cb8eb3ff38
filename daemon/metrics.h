/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: what is counted for monitoring, and its text for Prometheus. docs/operating.md
 * says what each of them means.
 *
 *	answers --> struct metrics --copy--> struct metrics_snapshot --> text
 *	            [loop]                   [loop]                      [any thread]
 *
 * Counting an answer takes constant time and allocates nothing. Names of models come
 * from clients, so there is a fixed number of places for them: a model takes one when
 * its first request is answered, models with the same name share it, and it stays when they
 * are unloaded until another model needs it. Whoever finds none counts as "other".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/health.h"
#include "daemon/recovery.h"
#include "policy/policy.h"
#include "proto/entry.h"

struct session_group;

#define METRICS_MODELS 64u
#define METRICS_BUCKETS 17u /* and one without an end */
#define METRICS_FAULTS 5u   /* enum zy_fault */
#define METRICS_NAME_MAX 64u
#define METRICS_HASH_MAX 32u

struct metrics_histogram {
	uint64_t buckets[METRICS_BUCKETS + 1]; /* each for itself */
	uint64_t sum_ns;
};

/* Answered requests of one class and model. */
struct metrics_requests {
	struct metrics_histogram queue, run, duration;
	uint64_t results[ZY_STATUS_MAX_];
};

struct metrics_model {
	char name[METRICS_NAME_MAX]; /* as it is: not to be trusted */
	unsigned int n_loaded;	     /* models that count here and are loaded */
	uint64_t used;		     /* metrics.clock when the latest came */
	struct metrics_requests classes[ZY_CLASS_MAX_];
};

struct metrics {
	uint64_t late[ZY_CLASS_MAX_];	  /* succeeded after their deadline */
	uint64_t refused[ZY_STATUS_MAX_]; /* never accepted */
	uint64_t faults[METRICS_FAULTS];
	uint64_t clock; /* counts answers */
	unsigned int n_models;
	/* The first is "other"; behind n_models there is nothing yet. */
	struct metrics_model models[1 + METRICS_MODELS];
};

/* Where a model counts: 0: it has not looked for a place yet. */
typedef unsigned int metrics_place;

/* All zero but the name of "other". */
void metrics_init(struct metrics *metrics);

/* Take a place, unless the model has one. @name may be empty, then it is called by its @hash. */
void metrics_join(struct metrics *metrics, metrics_place *place, const char *name,
		  const uint8_t hash[static METRICS_HASH_MAX]);
/* It is unloaded, or has another name from now on. Accepts NULL, and a model without a place. */
void metrics_leave(struct metrics *metrics, metrics_place *place);

/* A request was answered, of a model that has joined. */
void metrics_answered(struct metrics *metrics, metrics_place place, enum zy_class class,
		      const struct zy_complete *answer);
/* A request was not accepted. Accepts NULL. */
void metrics_refused(struct metrics *metrics, enum zy_status status);

/*
 * All there is to say at one moment
 */

struct metrics_snapshot {
	double start_time; /* seconds since 1970 */
	enum health_state health;
	unsigned int health_reasons;  /* bit r: enum health_reason */
	const char *backend, *target; /* of the device; static */
	unsigned int sessions, loaded_models, running, quarantines, n_cores;
	struct policy_class_info classes[ZY_CLASS_MAX_];
	uint64_t core_ns[POLICY_MAX_CORES];
	uint64_t memory_bytes, memory_used;
	uint64_t accepted, answered, copied_bytes, overrun, resubmitted, preempted;
	uint64_t steps[RECOVERY_STEP_MAX_], recoveries, recovery_max_ns;
	struct metrics counted;
};

/* Copies @from, but not places that nobody took. */
void metrics_copy(struct metrics *to, const struct metrics *from);

/* [loop] In metrics_gather.c. All of @ret; what was counted is that of the group's models. */
void metrics_gather(struct metrics_snapshot *ret, const struct session_group *group);

/* [any] In metrics_text.c. Text of the format 0.0.4, to be freed. -ENOMEM. */
int metrics_print(const struct metrics_snapshot *snapshot, char **ret, size_t *ret_size);

/* The upper ends of buckets, ascending. */
extern const uint64_t metrics_bounds_ns[METRICS_BUCKETS];
