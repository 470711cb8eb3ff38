/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "daemon/cookie_table.h"

#define MANY 5000u

static struct cookie_table table;

static void setup(void)
{
	cookie_table_init(&table);
}

static void teardown(void)
{
	cookie_table_finish(&table);
}

TestSuite(cookie_table, .init = setup, .fini = teardown);

static size_t longest_bucket(void)
{
	size_t longest = 0;

	for (size_t i = 0; i < table.n_buckets; i++) {
		size_t n = 0;

		for (const struct list *at = table.buckets[i].next; at != &table.buckets[i];
		     at = at->next)
			n++;
		longest = n > longest ? n : longest;
	}
	return longest;
}

/* Cookies in steps, as clients count them or as somebody might who wants one bucket. */
static void fill_and_empty(uint64_t step)
{
	struct cookie_link *links = calloc(MANY, sizeof(*links));

	for (uint64_t i = 0; i < MANY; i++)
		cookie_table_add(&table, &links[i], i * step);
	for (uint64_t i = 0; i < MANY; i++)
		cr_assert_eq(cookie_table_find(&table, i * step, NULL), &links[i]);
	cr_expect_null(cookie_table_find(&table, UINT64_MAX, NULL));
	cr_expect_leq(longest_bucket(), 24, "with steps of %llu", (unsigned long long)step);
	for (uint64_t i = 0; i < MANY; i++) {
		cookie_table_remove(&table, &links[i]);
		cr_assert_null(cookie_table_find(&table, i * step, NULL));
	}
	free(links);
}

Test(cookie_table, each_of_many_is_found_in_a_few_steps)
{
	fill_and_empty(1);
	fill_and_empty(UINT64_C(1) << 16);
	fill_and_empty(UINT64_C(1) << 32);
	fill_and_empty((UINT64_C(1) << 32) + 1);
	fill_and_empty(UINT64_C(1) << 51);
}

Test(cookie_table, a_cookie_used_twice_is_found_twice_in_order)
{
	struct cookie_link links[3];

	for (int i = 0; i < 3; i++)
		cookie_table_add(&table, &links[i], i == 1 ? 8 : 7);
	cr_expect_eq(cookie_table_find(&table, 7, NULL), &links[0]);
	cr_expect_eq(cookie_table_find(&table, 7, &links[0]), &links[2]);
	cr_expect_null(cookie_table_find(&table, 7, &links[2]));
	cookie_table_remove(&table, &links[0]);
	cr_expect_eq(cookie_table_find(&table, 7, NULL), &links[2]);
	cookie_table_remove(&table, &links[1]);
	cookie_table_remove(&table, &links[2]);
}

Test(cookie_table, order_survives_growing)
{
	struct cookie_link twice[2], links[100];

	cookie_table_add(&table, &twice[0], 1);
	cookie_table_add(&table, &twice[1], 1);
	for (unsigned int i = 0; i < 100; i++)
		cookie_table_add(&table, &links[i], 100 + i);
	cr_expect_gt(table.n_buckets, COOKIE_TABLE_SMALL);
	cr_expect_eq(cookie_table_find(&table, 1, NULL), &twice[0]);
	cr_expect_eq(cookie_table_find(&table, 1, &twice[0]), &twice[1]);
	cookie_table_remove(&table, &twice[0]);
	cookie_table_remove(&table, &twice[1]);
	for (unsigned int i = 0; i < 100; i++)
		cookie_table_remove(&table, &links[i]);
}
