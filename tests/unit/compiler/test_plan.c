/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/plan.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ALIGN 64u

static unsigned int seed(void)
{
	const char *text = getenv("ZHOUYI_SEED");
	unsigned int s = text ? (unsigned int)strtoul(text, NULL, 0) : (unsigned int)time(NULL);

	cr_log_info("ZHOUYI_SEED=%u\n", s);
	return s;
}

static void check_plan(const struct plan_item *items, size_t n, uint32_t size)
{
	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(items[i].offset % ALIGN, 0);
		cr_assert_leq((uint64_t)items[i].offset + items[i].size, size);
		for (size_t k = 0; k < i; k++) {
			const struct plan_item *a = &items[i], *b = &items[k];
			bool together = a->first <= b->last && b->first <= a->last;
			bool apart = a->offset + a->size <= b->offset ||
				     b->offset + b->size <= a->offset;

			cr_assert(!together || apart, "items %zu and %zu overlap", i, k);
		}
	}
}

/* No plan can do with less than what is alive at one step. */
static uint64_t most_alive(const struct plan_item *items, size_t n, uint32_t steps)
{
	uint64_t most = 0;

	for (uint32_t step = 0; step < steps; step++) {
		uint64_t alive = 0;

		for (size_t i = 0; i < n; i++)
			if (items[i].first <= step && step <= items[i].last)
				alive += items[i].size;
		most = alive > most ? alive : most;
	}
	return most;
}

Test(plan, tensors_alive_at_the_same_time_never_overlap)
{
	unsigned int s = seed();

	srand(s);
	for (int round = 0; round < 300; round++) {
		struct plan_item items[60], again[60];
		size_t n = (size_t)rand() % 60 + 1;
		uint32_t size, size_again;

		for (size_t i = 0; i < n; i++) {
			uint32_t first = (uint32_t)rand() % 40;

			items[i] = (struct plan_item){.size = (uint32_t)rand() % 5000 + 1,
						      .first = first,
						      .last = first + (uint32_t)rand() % 8};
		}
		memcpy(again, items, sizeof(items));
		cr_assert_eq(plan_memory(items, n, ALIGN, &size), 0);
		check_plan(items, n, size);
		cr_assert_geq(size, most_alive(items, n, 48));
		cr_assert_eq(plan_memory(again, n, ALIGN, &size_again), 0);
		cr_assert_eq(size, size_again);
		cr_assert_arr_eq(items, again, n * sizeof(*items), "plans differ");
	}
}

Test(plan, a_chain_needs_room_for_two)
{
	struct plan_item items[20];
	uint32_t size;

	for (uint32_t i = 0; i < 20; i++)
		items[i] = (struct plan_item){.size = 1024, .first = i, .last = i + 1};
	cr_assert_eq(plan_memory(items, 20, ALIGN, &size), 0);
	cr_assert_eq(size, 2048);
}

Test(plan, a_small_tensor_fills_the_gap_of_a_dead_one)
{
	struct plan_item items[] = {
		{.size = 1000, .first = 0, .last = 1},
		{.size = 900, .first = 0, .last = 9},
		{.size = 300, .first = 2, .last = 9},
		{.size = 300, .first = 2, .last = 9},
	};
	uint32_t size;

	cr_assert_eq(plan_memory(items, 4, ALIGN, &size), 0);
	check_plan(items, 4, size);
	cr_assert_eq(size, 1024 + 900);
}

Test(plan, nothing_needs_nothing)
{
	uint32_t size = 77;

	cr_assert_eq(plan_memory(NULL, 0, ALIGN, &size), 0);
	cr_assert_eq(size, 0);
}

Test(plan, more_than_the_window_is_refused)
{
	struct plan_item items[] = {
		{.size = 0x7fffffff, .first = 0, .last = 1},
		{.size = 0x7fffffff, .first = 1, .last = 2},
	};
	uint32_t size = 77;

	cr_assert_eq(plan_memory(items, 2, ALIGN, &size), -EFBIG);
	cr_assert_eq(size, 77, "outputs stay as they are on failure");
	items[1].first = 2;
	cr_assert_eq(plan_memory(items, 2, ALIGN, &size), 0);
	cr_assert_eq(size, 0x7fffffff);
}
