/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers that are the same everywhere for the same seed; in integers, so
 * that virtual time is.
 */
#pragma once

#include <stdint.h>

struct random {
	uint64_t state;
};

/* Stream @stream of @seed: as good as unrelated to the others. */
void random_init(struct random *random, uint64_t seed, uint64_t stream);
uint64_t random_next(struct random *random);
/* From 0 to @most. */
uint64_t random_up_to(struct random *random, uint64_t most);
/* Exponentially distributed, at most 45 times its @mean. */
uint64_t random_exponential(struct random *random, uint64_t mean);
