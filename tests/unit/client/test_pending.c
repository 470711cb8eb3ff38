/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "client/pending.h"

static struct zy_pending_pool pool;

static void setup(void)
{
	zy_pending_init(&pool);
}

static void teardown(void)
{
	zy_pending_finish(&pool);
}

TestSuite(pending, .init = setup, .fini = teardown);

static uint64_t add(uintptr_t tag)
{
	uint64_t cookie;

	cr_assert_eq(zy_pending_add(&pool, NULL, NULL, (void *)tag, &cookie), 0);
	return cookie;
}

static int answer(uint64_t cookie, int status, uint32_t flags)
{
	struct zy_complete entry = {.cookie = cookie, .status = status, .flags = flags};

	return zy_pending_answer(&pool, &entry);
}

static uintptr_t pop(int *ret_status)
{
	struct zy_pending record;

	if (!zy_pending_pop(&pool, &record))
		return 0;
	if (ret_status)
		*ret_status = record.answer.status;
	return (uintptr_t)record.userdata;
}

Test(pending, answers_are_ready_in_the_order_they_came)
{
	uint64_t a = add(1), b = add(2), c = add(3);

	cr_assert_eq(pop(NULL), 0);
	cr_assert_eq(answer(b, 0, ZY_COMPLETE_RELEASED), 0);
	cr_assert_eq(answer(c, 0, ZY_COMPLETE_RELEASED), 0);
	cr_assert_eq(answer(a, 0, ZY_COMPLETE_RELEASED), 0);
	cr_assert_eq(pop(NULL), 2);
	cr_assert_eq(pop(NULL), 3);
	cr_assert_eq(pop(NULL), 1);
	cr_assert_eq(pop(NULL), 0);
}

Test(pending, no_cookie_is_zero_and_none_is_given_twice)
{
	uint64_t last = 0;

	for (int i = 0; i < 100; i++) {
		uint64_t cookie = add(1);

		cr_assert_neq(cookie, 0);
		cr_assert_neq(cookie, last);
		last = cookie;
		zy_pending_drop(&pool, cookie);
	}
}

Test(pending, an_answer_nobody_waits_for_is_a_violation)
{
	uint64_t cookie = add(1);

	cr_assert_eq(answer(cookie + 1, 0, ZY_COMPLETE_RELEASED), -EPROTO);
	cr_assert_eq(answer(cookie ^ (UINT64_C(1) << 32), 0, ZY_COMPLETE_RELEASED), -EPROTO);
	cr_assert_eq(answer(UINT64_MAX, 0, ZY_COMPLETE_RELEASED), -EPROTO);
	cr_assert_eq(answer(0, 0, ZY_COMPLETE_RELEASED), -EPROTO);
	cr_assert_eq(answer(cookie, 0, ZY_COMPLETE_RELEASED), 0);
	cr_assert_eq(answer(cookie, 0, ZY_COMPLETE_RELEASED), -EPROTO, "a second answer");
	cr_assert_eq(pop(NULL), 1);
	cr_assert_eq(answer(cookie, 0, ZY_COMPLETE_RELEASED), -EPROTO, "and a late one");
}

Test(pending, a_held_request_is_ready_when_it_is_released_with_its_first_answer)
{
	uint64_t cookie = add(1);
	int status = -1;

	cr_assert_eq(answer(cookie, ZY_CANCELLED, 0), 0);
	cr_assert(zy_pending_is_waiting(&pool, cookie));
	cr_assert_not(zy_pending_has_ready(&pool));
	cr_assert_eq(answer(cookie, ZY_CANCELLED, 0), -EPROTO, "held twice");
	cr_assert_eq(answer(cookie, ZY_OK, ZY_COMPLETE_RELEASED), 0);
	cr_assert_eq(pop(&status), 1);
	cr_assert_eq(status, ZY_CANCELLED);
}

Test(pending, answering_all_keeps_the_answers_that_are_there)
{
	uint64_t ready = add(1), held = add(2);
	int status;

	add(3);
	answer(ready, ZY_OK, ZY_COMPLETE_RELEASED);
	answer(held, ZY_TIMEOUT, 0);
	zy_pending_answer_all(&pool, ZY_DISCONNECTED);
	cr_assert_eq(pop(&status), 1);
	cr_assert_eq(status, ZY_OK);
	cr_assert_eq(pop(&status), 2);
	cr_assert_eq(status, ZY_TIMEOUT);
	cr_assert_eq(pop(&status), 3);
	cr_assert_eq(status, ZY_DISCONNECTED);
	cr_assert_eq(pop(NULL), 0);
}

Test(pending, records_are_reused_before_the_pool_grows)
{
	struct zy_pending *records;

	zy_pending_drop(&pool, add(1));
	records = pool.records;
	for (int i = 0; i < 1000; i++) {
		cr_assert_eq(answer(add(1), 0, ZY_COMPLETE_RELEASED), 0);
		cr_assert_eq(pop(NULL), 1);
	}
	cr_assert_eq(pool.records, records);
	cr_assert_eq(pool.n, 16);
}

/* What a slow and simple pool would hold: by tag, its cookie and whether it is answered. */
enum { N = 300 };
static uint64_t cookies[N + 1];
static bool answered[N + 1];

static void step(unsigned int *seed)
{
	uintptr_t tag = 1 + (uintptr_t)rand_r(seed) % N;

	if (cookies[tag] == 0) {
		cookies[tag] = add(tag);
	} else if (!answered[tag]) {
		cr_assert_eq(answer(cookies[tag], 0, ZY_COMPLETE_RELEASED), 0);
		answered[tag] = true;
	} else {
		cr_assert_eq(answer(cookies[tag], 0, ZY_COMPLETE_RELEASED), -EPROTO);
		tag = pop(NULL);
		cr_assert(tag >= 1 && tag <= N && answered[tag]);
		cookies[tag] = 0;
		answered[tag] = false;
	}
}

Test(pending, any_order_of_requests_and_answers_is_kept_apart)
{
	const char *given = getenv("ZHOUYI_SEED");
	unsigned int seed = given ? (unsigned int)strtoul(given, NULL, 0) : (unsigned int)rand();
	size_t n_left = 0;

	cr_log_info("ZHOUYI_SEED=%u", seed);
	for (int i = 0; i < 100000; i++)
		step(&seed);
	for (uintptr_t tag = 1; tag <= N; tag++)
		n_left += cookies[tag] != 0;
	zy_pending_answer_all(&pool, ZY_DISCONNECTED);
	while (pop(NULL) != 0)
		n_left--;
	cr_assert_eq(n_left, 0);
}
