/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/recovery.h"

#define NEVER UINT64_MAX

/* Times that cannot be mistaken for each other. */
static const struct recovery_times times = {
	.abort_ns = 100,
	.soft_reset_ns = 200,
	.reset_ns = 300,
	.reopen_ns = 400,
	.reopen_retry_ns = 50,
	.reopen_tries = 3,
	.gone_retry_ns = 1000,
};

static struct recovery recovery;
static uint64_t now;

static void setup(void)
{
	recovery_init(&recovery, &times);
	now = 5000;
}

TestSuite(recovery, .init = setup);

#define expect(order_, step_, again_)                                                              \
	do {                                                                                       \
		struct recovery_order o_ = (order_);                                               \
		cr_assert_eq(o_.step, RECOVERY_##step_, "ordered %s",                              \
			     recovery_step_name(o_.step));                                         \
		cr_assert_eq(o_.ask_again_ns, (again_), "ask again at %lu",                        \
			     (unsigned long)o_.ask_again_ns);                                      \
	} while (0)

static struct recovery_order begin(void)
{
	return recovery_begin(&recovery, now);
}

static struct recovery_order result(int r)
{
	return recovery_result(&recovery, r, now);
}

static struct recovery_order tick(void)
{
	return recovery_tick(&recovery, now);
}

static struct recovery_order vanished(void)
{
	return recovery_vanished(&recovery, now);
}

static void settled(void)
{
	recovery_settled(&recovery, now);
}

/* As far as @step, with everything below it refused; its result is still to come. */
static void climb_to(enum recovery_step step)
{
	struct recovery_order order = begin();

	while (order.step != step && order.step != RECOVERY_IDLE)
		order = result(-EIO);
	cr_assert_eq(order.step, step);
}

/* Device gone, and a look at it due at now + gone_retry_ns. */
static void lose_device(void)
{
	climb_to(RECOVERY_REOPEN);
	while (recovery.step != RECOVERY_GONE) {
		if (result(-EBUSY).step == RECOVERY_GONE)
			break;
		now += times.reopen_retry_ns;
		cr_assert_eq(tick().step, RECOVERY_REOPEN);
	}
}

Test(recovery, an_idle_ladder_orders_nothing)
{
	cr_assert_eq(recovery.step, RECOVERY_IDLE);
	expect(tick(), IDLE, NEVER);
	now = NEVER;
	expect(tick(), IDLE, NEVER);
	settled();
	expect(tick(), IDLE, NEVER);
	expect(result(0), IDLE, NEVER);
	expect(result(-EIO), IDLE, NEVER);
}

Test(recovery, begins_with_an_abort_and_ends_when_it_settles)
{
	expect(begin(), ABORT, NEVER);
	expect(result(0), IDLE, now + 100);
	cr_assert(recovery.waiting);
	now += 60;
	expect(tick(), IDLE, now + 40);
	settled();
	cr_assert_eq(recovery.step, RECOVERY_IDLE);
	cr_assert_not(recovery.waiting);
	now += 1000;
	expect(tick(), IDLE, NEVER);
	expect(begin(), ABORT, NEVER);
}

Test(recovery, climbs_when_promises_are_not_kept_in_time)
{
	expect(begin(), ABORT, NEVER);
	expect(result(0), IDLE, now + 100);
	now += 99;
	expect(tick(), IDLE, now + 1);
	now += 1;
	expect(tick(), SOFT_RESET, NEVER);
	now += 10; /* carrying it out takes time, too */
	expect(result(0), IDLE, now + 200);
	now += 200;
	expect(tick(), RESET, NEVER);
	expect(result(0), IDLE, now + 300);
	now += 300;
	expect(tick(), REOPEN, NEVER);
	expect(result(0), IDLE, now + 400);
	now += 400;
	expect(tick(), GONE, now + 1000);
}

Test(recovery, climbs_at_once_when_refused)
{
	expect(begin(), ABORT, NEVER);
	expect(result(-ENOENT), SOFT_RESET, NEVER);
	expect(result(-EOPNOTSUPP), RESET, NEVER);
	expect(result(-EIO), REOPEN, NEVER);
	expect(result(-EBUSY), IDLE, now + 50);
}

Test(recovery, settles_on_every_rung_that_promises_something)
{
	for (enum recovery_step step = RECOVERY_ABORT; step < RECOVERY_GONE; step++) {
		climb_to(step);
		result(0);
		settled();
		cr_assert_eq(recovery.step, RECOVERY_IDLE);
		now += 100000;
		expect(tick(), IDLE, NEVER);
	}
}

Test(recovery, reopens_again_and_again_before_it_gives_up)
{
	climb_to(RECOVERY_REOPEN);
	for (unsigned int i = 1; i < times.reopen_tries; i++) {
		cr_assert_eq(recovery.tries, i);
		expect(result(-EBUSY), IDLE, now + 50);
		now += 49;
		expect(tick(), IDLE, now + 1);
		now += 1;
		expect(tick(), REOPEN, NEVER);
	}
	expect(result(-EBUSY), GONE, now + 1000);
	cr_assert_eq(recovery.tries, times.reopen_tries);
}

Test(recovery, a_late_try_to_reopen_may_succeed)
{
	climb_to(RECOVERY_REOPEN);
	expect(result(-EBUSY), IDLE, now + 50);
	now += 50;
	expect(tick(), REOPEN, NEVER);
	expect(result(0), IDLE, now + 400);
	settled();
	cr_assert_eq(recovery.step, RECOVERY_IDLE);
}

Test(recovery, without_tries_it_still_reopens_once)
{
	struct recovery_times none = times;

	none.reopen_tries = 0;
	recovery_init(&recovery, &none);
	climb_to(RECOVERY_REOPEN);
	expect(result(-EBUSY), GONE, now + 1000);
}

Test(recovery, looks_after_a_device_that_is_gone_and_is_silent_about_it)
{
	lose_device();
	/* Whether or not the order to be gone is reported, the next look comes. */
	expect(result(0), IDLE, now + 1000);
	for (int i = 0; i < 20; i++) {
		now += 999;
		expect(tick(), IDLE, now + 1);
		now += 1;
		expect(tick(), REOPEN, NEVER);
		expect(result(-ENODEV), IDLE, now + 1000);
		cr_assert_eq(recovery.step, RECOVERY_GONE);
	}
	now += 1000;
	expect(tick(), REOPEN, NEVER);
	expect(result(0), IDLE, now + 400);
	settled();
	cr_assert_eq(recovery.step, RECOVERY_IDLE);
}

Test(recovery, what_went_away_twice_is_gone_twice)
{
	lose_device();
	now += 1000;
	expect(tick(), REOPEN, NEVER);
	result(0);
	settled();
	lose_device();
	cr_assert_eq(recovery.step, RECOVERY_GONE);
}

Test(recovery, a_look_that_opens_and_hears_nothing_is_no_return)
{
	lose_device();
	now += 1000;
	expect(tick(), REOPEN, NEVER);
	expect(result(0), IDLE, now + 400);
	now += 400;
	expect(tick(), IDLE, now + 1000);
	cr_assert_eq(recovery.step, RECOVERY_GONE);
}

Test(recovery, a_reopening_that_is_silent_ends_in_gone_once)
{
	climb_to(RECOVERY_REOPEN);
	expect(result(0), IDLE, now + 400);
	now += 400;
	expect(tick(), GONE, now + 1000);
	now += 1000;
	expect(tick(), REOPEN, NEVER);
	expect(result(-ENODEV), IDLE, now + 1000);
}

Test(recovery, each_recovery_has_all_its_tries)
{
	for (int i = 0; i < 2; i++) {
		climb_to(RECOVERY_REOPEN);
		cr_assert_eq(recovery.tries, 1);
		result(0);
		settled();

		expect(vanished(), REOPEN, NEVER);
		cr_assert_eq(recovery.tries, 1);
		result(0);
		settled();
	}
}

Test(recovery, the_last_job_does_not_bring_a_device_back)
{
	lose_device();
	settled();
	cr_assert_eq(recovery.step, RECOVERY_GONE);
	now += 1000;
	expect(tick(), REOPEN, NEVER);
	settled();
	cr_assert_eq(recovery.step, RECOVERY_REOPEN, "not before it has been opened");
	expect(result(-ENODEV), IDLE, now + 1000);
}

Test(recovery, between_two_tries_nothing_can_settle)
{
	climb_to(RECOVERY_REOPEN);
	expect(result(-EBUSY), IDLE, now + 50);
	settled();
	cr_assert_eq(recovery.step, RECOVERY_REOPEN);
	now += 50;
	expect(tick(), REOPEN, NEVER);
}

/* The event of the job comes while the order to abort it is being carried out. */
Test(recovery, a_job_that_ends_before_its_abort_needs_none)
{
	for (enum recovery_step step = RECOVERY_ABORT; step < RECOVERY_REOPEN; step++) {
		climb_to(step);
		settled();
		cr_assert_eq(recovery.step, RECOVERY_IDLE);
		expect(result(-ENOENT), IDLE, NEVER);
		cr_assert_eq(recovery.step, RECOVERY_IDLE);
	}
}

Test(recovery, orders_nothing_while_a_step_is_being_carried_out)
{
	for (enum recovery_step step = RECOVERY_ABORT; step < RECOVERY_GONE; step++) {
		setup();
		climb_to(step);
		now += 1000000;
		expect(tick(), IDLE, NEVER);
		cr_assert_eq(recovery.step, step);
	}
}

Test(recovery, reports_twice_are_heard_once)
{
	expect(begin(), ABORT, NEVER);
	expect(result(0), IDLE, now + 100);
	expect(result(-EIO), IDLE, now + 100);
	cr_assert_eq(recovery.step, RECOVERY_ABORT);
}

Test(recovery, a_device_that_vanishes_is_reopened_from_any_state)
{
	expect(vanished(), REOPEN, NEVER);
	expect(result(0), IDLE, now + 400);
	settled();

	for (enum recovery_step step = RECOVERY_ABORT; step < RECOVERY_REOPEN; step++) {
		setup();
		climb_to(step);
		expect(vanished(), REOPEN, NEVER);
		cr_assert_eq(recovery.tries, 1);

		setup();
		climb_to(step);
		result(0);
		expect(vanished(), REOPEN, NEVER);
	}

	setup();
	climb_to(RECOVERY_REOPEN);
	expect(result(0), IDLE, now + 400);
	expect(vanished(), REOPEN, NEVER);

	setup();
	lose_device();
	expect(vanished(), REOPEN, NEVER);
	expect(result(-ENODEV), IDLE, now + 1000);
}

Test(recovery, vanishing_hurries_no_reopening_that_is_under_way)
{
	expect(vanished(), REOPEN, NEVER);
	expect(vanished(), IDLE, NEVER);
	expect(result(-EBUSY), IDLE, now + 50);
	now += 20;
	expect(vanished(), IDLE, now + 30);
	now += 30;
	expect(tick(), REOPEN, NEVER);
}

Test(recovery, knows_when_it_and_its_step_began)
{
	uint64_t began = now;

	begin();
	result(0);
	now += 100;
	tick();
	cr_assert_eq(recovery.began_ns, began);
	cr_assert_eq(recovery.stepped_ns, now);
	now += 10;
	vanished();
	cr_assert_eq(recovery.began_ns, began);
	cr_assert_eq(recovery.stepped_ns, now);
	result(0);
	settled();
	now += 10;
	vanished();
	cr_assert_eq(recovery.began_ns, now);
}

Test(recovery, the_end_of_time_is_not_the_beginning)
{
	struct recovery_times patient = times;

	patient.abort_ns = patient.reopen_retry_ns = patient.gone_retry_ns = UINT64_MAX;
	recovery_init(&recovery, &patient);
	begin();
	expect(result(0), IDLE, NEVER - 1);
	expect(tick(), IDLE, NEVER - 1);
	recovery_vanished(&recovery, now);
	expect(result(-EBUSY), IDLE, NEVER - 1);
	expect(result(-EBUSY), IDLE, NEVER - 1);
}

Test(recovery, only_begins_when_idle, .signal = SIGABRT)
{
	begin();
	begin();
}

Test(recovery, every_step_has_a_name_of_its_own)
{
	cr_assert_str_eq(recovery_step_name(RECOVERY_ABORT), "abort");
	cr_assert_str_eq(recovery_step_name(RECOVERY_SOFT_RESET), "soft reset");
	for (int i = 0; i < RECOVERY_STEP_MAX_; i++)
		for (int k = 0; k < i; k++)
			cr_assert_str_neq(recovery_step_name(i), recovery_step_name(k));
	cr_assert_str_eq(recovery_step_name(RECOVERY_STEP_MAX_), "unknown");
	cr_assert_str_eq(recovery_step_name(-1), "unknown");
}

/*
 * Random devices: each step is refused, keeps its promise after a random time, or
 * breaks it. The caller is as lazy as it may be: it comes when it was told to.
 */

static unsigned int seed;

static unsigned int any(unsigned int n)
{
	return (unsigned int)rand_r(&seed) % n;
}

struct ladder {
	unsigned int ordered[RECOVERY_STEP_MAX_];
	enum recovery_step last;
	bool outstanding;  /* an order whose result has not been reported */
	uint64_t keeps_ns; /* when the present promise will be kept; NEVER: it will not */
};

static void check_order(struct ladder *ladder, struct recovery_order order)
{
	if (order.step == RECOVERY_IDLE)
		return;
	cr_assert_not(ladder->outstanding, "two steps at once");
	cr_assert_eq(order.step, recovery.step);
	if (order.step == RECOVERY_REOPEN) {
		cr_assert_geq(order.step, ladder->last);
		cr_assert_lt(ladder->ordered[RECOVERY_REOPEN], times.reopen_tries);
	} else {
		cr_assert_gt(order.step, ladder->last);
		cr_assert_eq(ladder->ordered[order.step], 0, "a rung is tried once");
	}
	ladder->ordered[order.step]++;
	ladder->last = order.step;
	ladder->outstanding = order.step != RECOVERY_GONE;
	ladder->keeps_ns = NEVER;
}

/* Carry out, report; returns the next order. */
static struct recovery_order carry_out(struct ladder *ladder, struct recovery_order order)
{
	ladder->outstanding = false;
	if (any(3) == 0)
		return recovery_result(&recovery, -EIO, now);
	if (any(3) == 0)
		ladder->keeps_ns = now + any(450);
	cr_assert_neq(order.step, RECOVERY_IDLE);
	return recovery_result(&recovery, 0, now);
}

static void pass_time(struct ladder *ladder, struct recovery_order *order)
{
	cr_assert_neq(order->ask_again_ns, NEVER, "nobody would ever come back");
	cr_assert_gt(order->ask_again_ns, now);
	if (ladder->keeps_ns < order->ask_again_ns) {
		now = ladder->keeps_ns;
		settled();
		cr_assert_eq(recovery.step, RECOVERY_IDLE);
		return;
	}
	if (any(4) == 0) /* too early */
		now += any((unsigned int)(order->ask_again_ns - now));
	else
		now = order->ask_again_ns;
	*order = tick();
}

static void climb(struct ladder *ladder, struct recovery_order order)
{
	while (recovery.step != RECOVERY_IDLE && recovery.step != RECOVERY_GONE) {
		check_order(ladder, order);
		if (ladder->outstanding && any(20) == 0 && recovery.step != RECOVERY_REOPEN) {
			order = vanished();
			ladder->outstanding = false;
		} else if (ladder->outstanding) {
			cr_assert_eq(tick().step, RECOVERY_IDLE);
			order = carry_out(ladder, order);
		} else {
			pass_time(ladder, &order);
		}
	}
	check_order(ladder, order);
}

/* All rungs in a row, each as slow as it may be. */
#define LONGEST (100 + 200 + 300 + 400 + (3 - 1) * 50)

Test(recovery, random_devices_end_idle_or_gone_in_bounded_time)
{
	const char *env = getenv("ZHOUYI_SEED");
	unsigned int n_idle = 0, n_gone = 0;
	uint64_t longest = 0;

	seed = env ? (unsigned int)strtoul(env, NULL, 0) : (unsigned int)time(NULL);
	cr_log_info("ZHOUYI_SEED=%u", seed);
	for (int i = 0; i < 50000; i++) {
		struct ladder ladder = {.keeps_ns = NEVER};
		uint64_t start;

		setup();
		now += any(1000);
		start = now;
		climb(&ladder, any(10) ? begin() : vanished());
		cr_assert_leq(now - start, LONGEST);
		longest = now - start > longest ? now - start : longest;
		n_idle += recovery.step == RECOVERY_IDLE;
		n_gone += recovery.step == RECOVERY_GONE;
		cr_assert_eq(ladder.ordered[RECOVERY_GONE], recovery.step == RECOVERY_GONE);
	}
	/* The test means something: both ends occur, and the bound is nearly reached. */
	cr_assert_gt(n_idle, 1000);
	cr_assert_gt(n_gone, 1000);
	cr_assert_gt(longest, LONGEST / 2);
}
