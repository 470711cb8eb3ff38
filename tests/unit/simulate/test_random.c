/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "simulate/random.h"

#define N 100000u

Test(random, numbers_are_spread_evenly_and_streams_differ)
{
	struct random a, b;
	unsigned int counts[10] = {0}, same = 0;

	random_init(&a, 1, 1);
	random_init(&b, 1, 2);
	for (unsigned int i = 0; i < N; i++) {
		uint64_t x = random_up_to(&a, 9);

		cr_assert_leq(x, 9);
		counts[x]++;
		same += x == random_up_to(&b, 9);
	}
	for (unsigned int i = 0; i < 10; i++)
		cr_assert(counts[i] > N / 10 - 500 && counts[i] < N / 10 + 500, "%u", counts[i]);
	cr_assert(same > N / 10 - 500 && same < N / 10 + 500, "%u", same);
	cr_assert_eq(random_up_to(&a, 0), 0);
}

Test(random, exponential_ones_have_the_mean_and_the_tail_they_should)
{
	struct random random;
	uint64_t sum = 0, beyond = 0;

	random_init(&random, 3, 0);
	for (unsigned int i = 0; i < N; i++) {
		uint64_t x = random_exponential(&random, 1000000);

		cr_assert_leq(x, 45000000);
		sum += x;
		beyond += x > 2000000;
	}
	/* The mean to four standard deviations; exp(-2) of them lie beyond twice the mean. */
	cr_assert(sum / N > 987000 && sum / N < 1013000, "%lu", sum / N);
	cr_assert(beyond > 13100 && beyond < 13970, "%lu", beyond);
	cr_assert_eq(random_exponential(&random, 0), 0);
}
