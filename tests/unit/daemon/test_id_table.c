/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/id_table.h"

static struct id_table table;
static int objects[100];

static void setup(void)
{
	id_table_init(&table, 100);
}

static void teardown(void)
{
	id_table_finish(&table);
}

TestSuite(id_table, .init = setup, .fini = teardown);

Test(id_table, what_was_added_is_found_until_it_is_removed)
{
	uint32_t id;

	cr_assert_eq(id_table_add(&table, &objects[0], &id), 0);
	cr_assert_neq(id, 0);
	cr_assert_eq(id_table_find(&table, id), &objects[0]);
	cr_assert_eq(id_table_remove(&table, id), &objects[0]);
	cr_assert_null(id_table_find(&table, id));
	cr_assert_null(id_table_remove(&table, id));
}

Test(id_table, a_stale_id_does_not_find_the_successor)
{
	uint32_t old, new;

	cr_assert_eq(id_table_add(&table, &objects[0], &old), 0);
	id_table_remove(&table, old);
	cr_assert_eq(id_table_add(&table, &objects[1], &new), 0);
	cr_assert_eq(old & 0xffff, new & 0xffff, "the place is the same");
	cr_assert_null(id_table_find(&table, old));
	cr_assert_null(id_table_remove(&table, old));
	cr_assert_eq(id_table_find(&table, new), &objects[1]);
}

Test(id_table, the_limit_holds)
{
	uint32_t id, last = 0;

	for (int i = 0; i < 100; i++)
		cr_assert_eq(id_table_add(&table, &objects[i], &last), 0);
	cr_assert_eq(id_table_add(&table, &objects[0], &id), -EDQUOT);
	id_table_remove(&table, last);
	cr_assert_eq(id_table_add(&table, &objects[0], &id), 0);
	cr_assert_eq(id_table_add(&table, &objects[0], &id), -EDQUOT);
}

Test(id_table, a_table_without_places_finds_nothing)
{
	cr_assert_null(id_table_find(&table, 0));
	cr_assert_null(id_table_find(&table, 0x10000));
	cr_assert_null(id_table_find(&table, UINT32_MAX));
}

/* Generations come round after 65535 uses of a place; 0 is left out. */
Test(id_table, no_id_is_ever_zero)
{
	uint32_t id;

	for (int i = 0; i < 70000; i++) {
		cr_assert_eq(id_table_add(&table, &objects[0], &id), 0);
		cr_assert_neq(id >> 16, 0);
		id_table_remove(&table, id);
	}
}

Test(id_table, random_use_agrees_with_a_plain_array)
{
	const char *given = getenv("ZHOUYI_SEED");
	unsigned int seed = given ? (unsigned int)atoi(given) : (unsigned int)time(NULL);
	uint32_t ids[100] = {0}, stale[1000] = {0};
	unsigned int n_stale = 0, n = 0;

	cr_log_info("ZHOUYI_SEED=%u", seed);
	srand(seed);
	for (int i = 0; i < 20000; i++) {
		int k = rand() % 100;

		if (ids[k] == 0) {
			cr_assert_eq(id_table_add(&table, &objects[k], &ids[k]), 0);
			n++;
		} else {
			cr_assert_eq(id_table_remove(&table, ids[k]), &objects[k]);
			stale[n_stale++ % 1000] = ids[k];
			ids[k] = 0;
			n--;
		}
		cr_assert_eq(table.n_used, n);
		k = rand() % 100;
		if (ids[k])
			cr_assert_eq(id_table_find(&table, ids[k]), &objects[k]);
		cr_assert_null(id_table_find(&table, stale[rand() % 1000]));
	}
}
