/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>

#include "daemon/history.h"

static struct history history;

static void setup(void)
{
	cr_assert_eq(history_init(&history), 0);
}

static void teardown(void)
{
	history_finish(&history);
}

TestSuite(history, .init = setup, .fini = teardown);

static struct history_record record(uint64_t request, uint64_t session, uint64_t cores,
				    uint64_t started, uint64_t ended)
{
	return (struct history_record){
		.request = request,
		.session = session,
		.class = 1,
		.cores = cores,
		.accepted_ns = started,
		.started_ns = started,
		.ended_ns = ended,
		.client = "somebody",
	};
}

static void add(uint64_t request, uint64_t session, uint64_t cores, uint64_t started,
		uint64_t ended)
{
	struct history_record r = record(request, session, cores, started, ended);

	history_add(&history, &r);
}

Test(history, an_empty_one_has_nothing)
{
	cr_expect_null(history_find(&history, 0));
	cr_expect_null(history_at(&history, 0));
	cr_expect_eq(history_lost(&history, 0), 0);
}

Test(history, what_is_old_makes_room_and_is_counted_as_lost)
{
	uint64_t n = 3 * HISTORY_SIZE + 17;

	for (uint64_t i = 0; i < n; i++)
		add(i + 1, 1, 1, i, i + 1);
	cr_expect_null(history_find(&history, n - HISTORY_SIZE));
	cr_assert(history_find(&history, n - HISTORY_SIZE + 1));
	cr_expect_eq(history_find(&history, n)->request, n);
	cr_expect_null(history_find(&history, n + 1));
	cr_expect_null(history_at(&history, n));
	cr_expect_null(history_at(&history, n - HISTORY_SIZE - 1));
	cr_expect_eq(history_at(&history, n - HISTORY_SIZE)->request, n - HISTORY_SIZE + 1);
	cr_expect_eq(history_lost(&history, 0), n - HISTORY_SIZE);
	cr_expect_eq(history_lost(&history, n), 0);
}

Test(history, a_request_that_took_long_is_found_among_those_that_came_later)
{
	for (uint64_t i = 2; i < 2 + 2 * HISTORY_SIZE; i++)
		add(i, 1, 1, i, i + 1);
	add(1, 1, 1, 1, 2 + 2 * HISTORY_SIZE);
	cr_assert(history_find(&history, 1));
	cr_expect_eq(history_find(&history, 1)->request, 1);
}

Test(history, occupants_are_who_was_there_at_the_time_on_those_cores)
{
	struct history_occupants o;
	struct history_record still = record(9, 40, 3, 150, 0);

	add(1, 10, 1, 0, 100);	 /* ended when we came */
	add(2, 10, 1, 100, 150); /* half of the time */
	add(3, 20, 4, 100, 180); /* elsewhere */
	add(4, 30, 2, 50, 190);	 /* since before, on another of our cores */
	add(5, 10, 1, 150, 160);
	add(6, 50, 1, 160, 200); /* us */
	add(7, 60, 1, 200, 300); /* after us */
	history_occupants_init(&o, 100, 160, 3, 6);
	history_occupants_collect(&o, &history);
	history_occupants_add(&o, &still);
	history_occupants_sort(&o);
	cr_assert_eq(o.n, 3);
	cr_expect(o.occupants[0].session == 10 || o.occupants[1].session == 10);
	cr_expect_eq(o.occupants[0].ns, 60);
	cr_expect_eq(o.occupants[1].ns, 60);
	cr_expect_eq(o.occupants[0].n_requests + o.occupants[1].n_requests, 3);
	cr_expect_eq(o.occupants[2].session, 40);
	cr_expect_eq(o.occupants[2].ns, 20, "on two cores");
	cr_expect_eq(o.busy_ns, 140);
}

Test(history, who_never_ran_occupied_nothing)
{
	struct history_occupants o;

	add(1, 10, 0, 0, 100);
	history_occupants_init(&o, 0, 100, 7, 2);
	history_occupants_collect(&o, &history);
	cr_expect_eq(o.n, 0);
}

Test(history, more_occupants_than_have_a_place_are_summed_up)
{
	struct history_occupants o;

	for (uint64_t i = 0; i < 5 * HISTORY_OCCUPANTS; i++)
		add(i + 1, i + 1, 1, i + 1, i + 2);
	history_occupants_init(&o, 0, 1000, 1, 0);
	history_occupants_collect(&o, &history);
	history_occupants_sort(&o);
	cr_assert_eq(o.n, HISTORY_OCCUPANTS + 1);
	cr_expect_eq(o.occupants[HISTORY_OCCUPANTS].session, 0);
	cr_expect_eq(o.occupants[HISTORY_OCCUPANTS].n_requests, 4 * HISTORY_OCCUPANTS);
	cr_expect_eq(o.busy_ns, 5 * HISTORY_OCCUPANTS);
}

Test(history, asking_about_all_of_it_takes_a_few_milliseconds_at_most)
{
	struct history_occupants o;
	struct timespec a, b;
	double ms;

	for (uint64_t i = 0; i < HISTORY_SIZE; i++)
		add(i + 1, i % 100, 1, i, i + 1);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	history_occupants_init(&o, 0, UINT64_MAX, 1, 0);
	history_occupants_collect(&o, &history);
	history_occupants_sort(&o);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
	printf("asking about %u records: %.3f ms\n", HISTORY_SIZE, ms);
	cr_expect_lt(ms, 50, "%.3f ms", ms);
}
