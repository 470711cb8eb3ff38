/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who made the device hang: strikes against (model, principal) pairs. After a
 * number of strikes the pair is refused for a while, each time for twice as long;
 * good behaviour is remembered, too: strikes fade with time.
 *
 * Pure and bounded: no clock, no allocation. When the table is full the pair whose
 * last strike is oldest is forgotten.
 */
#pragma once

#include <stdint.h>

#define QUARANTINE_MAX 128u

struct quarantine_limits {
	unsigned int strikes; /* the first quarantine follows this one; 0: no quarantine */
	uint64_t first_ns;    /* length of the first one */
	uint64_t longest_ns;
	uint64_t fade_ns; /* a strike is forgotten after so long without another */
};

#define QUARANTINE_LIMITS_DEFAULT                                                                  \
	((struct quarantine_limits){.strikes = 3,                                                  \
				    .first_ns = 5000000000,                                        \
				    .longest_ns = 600000000000,                                    \
				    .fade_ns = 3600000000000})

struct quarantine_entry {
	uint8_t model[32]; /* hash */
	uint32_t uid;
	unsigned int strikes; /* 0: free */
	uint64_t last_ns;     /* latest strike */
	uint64_t until_ns;    /* refused until then; 0: not */
};

struct quarantine {
	struct quarantine_limits limits;
	struct quarantine_entry entries[QUARANTINE_MAX];
};

void quarantine_init(struct quarantine *quarantine, const struct quarantine_limits *limits);

/* One more. Returns until when the pair is refused, or 0 if it is not. */
uint64_t quarantine_strike(struct quarantine *quarantine, const uint8_t model[32], uint32_t uid,
			   uint64_t now_ns);

/* Until when the pair is refused, or 0. */
uint64_t quarantine_until(const struct quarantine *quarantine, const uint8_t model[32],
			  uint32_t uid, uint64_t now_ns);

/* When the first of those that are refused now no longer is; UINT64_MAX: none is refused. */
uint64_t quarantine_next(const struct quarantine *quarantine, uint64_t now_ns);

/* How many pairs are refused now. */
unsigned int quarantine_count(const struct quarantine *quarantine, uint64_t now_ns);
