/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a model runs, learned from how long it ran: rolling quantiles of device
 * time, and from them how long a run may take before the watchdog acts.
 *
 * Pure: no clock, no allocation; one struct per model and kind of core.
 */
#pragma once

#include <stdint.h>

#define ESTIMATE_WINDOW 64u /* runs that are remembered */

struct estimate {
	uint64_t run_ns[ESTIMATE_WINDOW]; /* newest at (n - 1) % ESTIMATE_WINDOW */
	uint64_t n;			  /* runs seen */
	uint64_t slowest_ns, fastest_ns;  /* of those remembered; 0: none */
};

/* How a learned time becomes a limit. */
struct estimate_limits {
	double factor;	     /* times the slowest of the remembered runs */
	uint64_t floor_ns;   /* never less: short runs are at the mercy of the host's scheduler */
	uint64_t ceiling_ns; /* never more, and what holds while nothing has been learned */
};

#define ESTIMATE_LIMITS_DEFAULT                                                                    \
	((struct estimate_limits){.factor = 10.0, .floor_ns = 500000000, .ceiling_ns = 10000000000})

void estimate_init(struct estimate *estimate);

/* A run that succeeded took @run_ns on the device. */
void estimate_add(struct estimate *estimate, uint64_t run_ns);

/* The @q quantile (0 … 1) of the remembered runs; 0 if there are none. */
uint64_t estimate_quantile(const struct estimate *estimate, double q);

/* How long the next run may take. */
uint64_t estimate_limit(const struct estimate *estimate, const struct estimate_limits *limits);
