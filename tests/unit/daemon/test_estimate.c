/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/estimate.h"

static struct estimate estimate;

static void setup(void)
{
	estimate_init(&estimate);
}

TestSuite(estimate, .init = setup);

static void add(uint64_t first, uint64_t last)
{
	for (uint64_t ns = first; ns <= last; ns++)
		estimate_add(&estimate, ns);
}

Test(estimate, knows_nothing_at_first)
{
	cr_assert_eq(estimate_quantile(&estimate, 0), 0);
	cr_assert_eq(estimate_quantile(&estimate, 0.5), 0);
	cr_assert_eq(estimate_quantile(&estimate, 1), 0);
}

Test(estimate, one_run_is_all_its_quantiles)
{
	estimate_add(&estimate, 42);
	cr_assert_eq(estimate_quantile(&estimate, 0), 42);
	cr_assert_eq(estimate_quantile(&estimate, 0.5), 42);
	cr_assert_eq(estimate_quantile(&estimate, 1), 42);
}

Test(estimate, quantiles_are_values_that_occurred)
{
	static const struct {
		double q;
		uint64_t ns;
	} cases[] = {
		{0, 1},	     {0.05, 1}, {0.1, 1}, {0.1001, 2},	  {0.25, 3},	  {0.5, 5},
		{0.5001, 6}, {0.75, 8}, {0.9, 9}, {0.9001, 10},	  {0.99, 10},	  {1, 10},
		{-1, 1},     {2, 10},	{NAN, 1}, {INFINITY, 10}, {-INFINITY, 1},
	};

	for (uint64_t ns = 10; ns > 0; ns--)
		estimate_add(&estimate, ns);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(estimate_quantile(&estimate, cases[i].q), cases[i].ns, "q %g: %lu",
			     cases[i].q, (unsigned long)estimate_quantile(&estimate, cases[i].q));
}

Test(estimate, asking_changes_nothing)
{
	struct estimate before;

	add(1, 30);
	estimate_add(&estimate, 3);
	before = estimate;
	estimate_quantile(&estimate, 0.5);
	estimate_limit(&estimate, &ESTIMATE_LIMITS_DEFAULT);
	cr_assert_arr_eq(&estimate, &before, sizeof(before));
}

Test(estimate, remembers_a_window_of_runs_and_forgets_the_oldest)
{
	estimate_add(&estimate, 1000000);
	add(1, ESTIMATE_WINDOW - 1);
	cr_assert_eq(estimate_quantile(&estimate, 1), 1000000);
	estimate_add(&estimate, ESTIMATE_WINDOW);
	cr_assert_eq(estimate_quantile(&estimate, 1), ESTIMATE_WINDOW);
	cr_assert_eq(estimate_quantile(&estimate, 0.5), ESTIMATE_WINDOW / 2);
	cr_assert_eq(estimate_quantile(&estimate, 0), 1);
	estimate_add(&estimate, 1);
	cr_assert_eq(estimate_quantile(&estimate, 1), ESTIMATE_WINDOW);
	cr_assert_eq(estimate.n, ESTIMATE_WINDOW + 2);
}

Test(estimate, a_limit_is_a_multiple_of_the_slowest_run_within_bounds)
{
	static const struct {
		uint64_t run_ns;
		double factor;
		uint64_t floor_ns, ceiling_ns, limit_ns;
	} cases[] = {
		{100, 10, 0, 1000000, 1000},
		{100, 2.5, 0, 1000000, 250},
		{100, 10, 1001, 1000000, 1001}, /* floor */
		{100, 10, 1000, 1000000, 1000},
		{100, 10, 0, 999, 999},	     /* ceiling */
		{100, 10, 2000, 1500, 1500}, /* the ceiling has the last word */
		{0, 10, 7, 1000, 7},	     /* a run that took no time */
		{100, -1, 7, 1000, 7},
		{100, 0, 0, 1000, 0},
		{UINT64_MAX, 10, 0, UINT64_MAX, UINT64_MAX}, /* more than an integer holds */
		{UINT64_MAX, 1e300, 0, 5000, 5000},
		{100, NAN, 7, 5000, 5000},
		{100, INFINITY, 7, 5000, 5000},
		{100, 10, UINT64_MAX, UINT64_MAX, UINT64_MAX},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct estimate_limits limits = {
			.factor = cases[i].factor,
			.floor_ns = cases[i].floor_ns,
			.ceiling_ns = cases[i].ceiling_ns,
		};

		estimate_init(&estimate);
		estimate_add(&estimate, cases[i].run_ns);
		estimate_add(&estimate, cases[i].run_ns / 2);
		cr_expect_eq(estimate_limit(&estimate, &limits), cases[i].limit_ns, "case %zu: %lu",
			     i, (unsigned long)estimate_limit(&estimate, &limits));
	}
}

Test(estimate, nothing_learned_is_limited_by_the_ceiling_alone)
{
	cr_assert_eq(estimate_limit(&estimate, &ESTIMATE_LIMITS_DEFAULT), 10000000000);
	estimate_add(&estimate, 1000);
	cr_assert_eq(estimate_limit(&estimate, &ESTIMATE_LIMITS_DEFAULT), 500000000);
	estimate_add(&estimate, 100000000);
	cr_assert_eq(estimate_limit(&estimate, &ESTIMATE_LIMITS_DEFAULT), 1000000000);
}

Test(estimate, one_slow_run_is_forgiven_for_a_window_and_no_longer)
{
	struct estimate_limits limits = {.factor = 2, .floor_ns = 0, .ceiling_ns = UINT64_MAX};

	estimate_add(&estimate, 5000);
	for (unsigned int i = 1; i < ESTIMATE_WINDOW; i++) {
		estimate_add(&estimate, 10);
		cr_assert_eq(estimate_limit(&estimate, &limits), 10000);
	}
	estimate_add(&estimate, 10);
	cr_assert_eq(estimate_limit(&estimate, &limits), 20);
}

/* How many of the last runs took at most @ns, counted without sorting. */
static unsigned int n_at_most(const uint64_t *runs, size_t n, uint64_t ns)
{
	size_t first = n > ESTIMATE_WINDOW ? n - ESTIMATE_WINDOW : 0;
	unsigned int count = 0;

	for (size_t i = first; i < n; i++)
		count += runs[i] <= ns;
	return count;
}

Test(estimate, random_runs_have_the_quantiles_that_counting_finds)
{
	const char *env = getenv("ZHOUYI_SEED");
	unsigned int seed = env ? (unsigned int)strtoul(env, NULL, 0) : (unsigned int)time(NULL);
	uint64_t runs[300];

	cr_log_info("ZHOUYI_SEED=%u", seed);
	for (size_t n = 0; n < 300; n++) {
		size_t remembered = n + 1 < ESTIMATE_WINDOW ? n + 1 : ESTIMATE_WINDOW;

		runs[n] = (uint64_t)(rand_r(&seed) % 50);
		estimate_add(&estimate, runs[n]);
		for (unsigned int percent = 1; percent <= 100; percent++) {
			uint64_t ns = estimate_quantile(&estimate, percent / 100.0);
			double want = percent / 100.0 * (double)remembered;

			cr_assert_geq(n_at_most(runs, n + 1, ns), want);
			if (ns > 0)
				cr_assert_lt(n_at_most(runs, n + 1, ns - 1), want);
		}
	}
}
