/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/random.h"

#define LN2_Q32 UINT64_C(2977044472) /* the natural logarithm of 2, times 2^32 */

/* SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014). */
uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void random_init(struct random *random, uint64_t seed, uint64_t stream)
{
	struct random mix = {stream};

	random->state = seed ^ random_next(&mix);
	random->state = random_next(random);
}

uint64_t random_up_to(struct random *random, uint64_t most)
{
	uint64_t next = random_next(random);

	if (most == UINT64_MAX)
		return next;
	return (uint64_t)((unsigned __int128)next * (most + 1) >> 64);
}

/* 64 - log2(@x), times 2^32; @x is not 0. The fraction comes bit by bit from squaring. */
static uint64_t minus_log2(uint64_t x)
{
	unsigned int zeros = (unsigned int)__builtin_clzll(x);
	uint64_t log = (uint64_t)(63 - zeros) << 32;
	uint64_t m = x << zeros; /* from 1 to 2, times 2^63 */

	for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1) {
		unsigned __int128 square = (unsigned __int128)m * m;

		if (square >> 127) {
			log |= bit;
			m = (uint64_t)(square >> 64);
		} else {
			m = (uint64_t)(square >> 63);
		}
	}
	return (UINT64_C(64) << 32) - log;
}

uint64_t random_exponential(struct random *random, uint64_t mean)
{
	unsigned __int128 ln = (unsigned __int128)minus_log2(random_next(random) | 1) * LN2_Q32;

	return (uint64_t)((unsigned __int128)(uint64_t)(ln >> 32) * mean >> 32);
}
