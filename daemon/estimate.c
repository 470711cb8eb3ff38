/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/estimate.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

void estimate_init(struct estimate *estimate)
{
	*estimate = (struct estimate){0};
}

static size_t n_remembered(const struct estimate *estimate)
{
	return estimate->n < ESTIMATE_WINDOW ? (size_t)estimate->n : ESTIMATE_WINDOW;
}

static void take_extremes(struct estimate *estimate, uint64_t run_ns, bool first)
{
	if (first || run_ns > estimate->slowest_ns)
		estimate->slowest_ns = run_ns;
	if (first || run_ns < estimate->fastest_ns)
		estimate->fastest_ns = run_ns;
}

static void find_extremes(struct estimate *estimate)
{
	for (size_t i = 0; i < n_remembered(estimate); i++)
		take_extremes(estimate, estimate->run_ns[i], i == 0);
}

void estimate_add(struct estimate *estimate, uint64_t run_ns)
{
	uint64_t *place = &estimate->run_ns[estimate->n % ESTIMATE_WINDOW], forgotten = *place;
	bool was_extreme = estimate->n >= ESTIMATE_WINDOW &&
			   (forgotten == estimate->slowest_ns || forgotten == estimate->fastest_ns);

	*place = run_ns;
	estimate->n++;
	if (was_extreme)
		find_extremes(estimate);
	else
		take_extremes(estimate, run_ns, estimate->n == 1);
}

static void sort(uint64_t *values, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		uint64_t value = values[i];
		size_t at = i;

		for (; at > 0 && values[at - 1] > value; at--)
			values[at] = values[at - 1];
		values[at] = value;
	}
}

/* The smallest value that at least @q of @n values do not exceed has this place in their order. */
static size_t nearest_rank(double q, size_t n)
{
	double rank = q * (double)n;
	size_t place;

	/* Also what to do with a NaN. */
	if (!(rank > 1))
		return 0;
	if (rank >= (double)n)
		return n - 1;
	place = (size_t)rank;
	return (double)place < rank ? place : place - 1;
}

uint64_t estimate_quantile(const struct estimate *estimate, double q)
{
	size_t n = n_remembered(estimate);
	uint64_t sorted[ESTIMATE_WINDOW];

	if (n == 0)
		return 0;
	memcpy(sorted, estimate->run_ns, n * sizeof(*sorted));
	sort(sorted, n);
	return sorted[nearest_rank(q, n)];
}

uint64_t estimate_limit(const struct estimate *estimate, const struct estimate_limits *limits)
{
	double limit;

	if (estimate->n == 0)
		return limits->ceiling_ns;
	/* The product may be more than an integer holds: compare before it becomes one. */
	limit = limits->factor * (double)estimate->slowest_ns;
	if (limit < (double)limits->floor_ns)
		limit = (double)limits->floor_ns;
	return limit < (double)limits->ceiling_ns ? (uint64_t)limit : limits->ceiling_ns;
}
