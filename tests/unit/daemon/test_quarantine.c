/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/quarantine.h"

#define SECOND UINT64_C(1000000000)

static const uint8_t bad[32] = {1}, other[32] = {[31] = 1};
static struct quarantine quarantine;
static uint64_t now;

static void begin(unsigned int strikes, uint64_t first, uint64_t longest, uint64_t fade)
{
	quarantine_init(&quarantine, &(struct quarantine_limits){.strikes = strikes,
								 .first_ns = first,
								 .longest_ns = longest,
								 .fade_ns = fade});
	now = 1000;
}

static void setup(void)
{
	begin(3, 10, 100, 1000000);
}

TestSuite(quarantine, .init = setup);

static uint64_t strike(void)
{
	return quarantine_strike(&quarantine, bad, 7, now);
}

static uint64_t until(void)
{
	return quarantine_until(&quarantine, bad, 7, now);
}

Test(quarantine, nobody_is_refused_without_a_strike)
{
	cr_assert_eq(until(), 0);
	cr_assert_eq(quarantine_count(&quarantine, now), 0);
}

Test(quarantine, the_last_strike_that_is_tolerated_brings_the_first_quarantine)
{
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(strike(), 0);
		cr_assert_eq(until(), 0);
	}
	cr_assert_eq(strike(), now + 10);
	cr_assert_eq(until(), now + 10);
	cr_assert_eq(quarantine_count(&quarantine, now), 1);
}

Test(quarantine, one_strike_may_be_enough)
{
	begin(1, 10, 100, 0);
	cr_assert_eq(strike(), now + 10);
}

Test(quarantine, ends_at_its_time)
{
	for (int i = 0; i < 3; i++)
		strike();
	now += 9;
	cr_assert_eq(until(), now + 1);
	cr_assert_eq(quarantine_count(&quarantine, now), 1);
	now++;
	cr_assert_eq(until(), 0);
	cr_assert_eq(quarantine_count(&quarantine, now), 0);
}

Test(quarantine, lasts_twice_as_long_each_time_up_to_the_longest)
{
	static const uint64_t lengths[] = {10, 20, 40, 80, 100, 100, 100};

	strike();
	strike();
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		cr_assert_eq(strike(), now + lengths[i], "quarantine %zu", i + 1);
		now += lengths[i];
		cr_assert_eq(until(), 0);
	}
}

Test(quarantine, a_strike_during_quarantine_makes_it_longer)
{
	for (int i = 0; i < 3; i++)
		strike();
	now += 5;
	cr_assert_eq(strike(), now + 20);
	cr_assert_eq(until(), now + 20);
}

Test(quarantine, lengths_do_not_overflow)
{
	begin(1, UINT64_MAX / 2, UINT64_MAX, 0);
	cr_assert_eq(strike(), now + UINT64_MAX / 2);
	cr_assert_eq(strike(), UINT64_MAX);
	for (int i = 0; i < 200; i++)
		cr_assert_eq(strike(), UINT64_MAX);

	begin(1, 1, UINT64_MAX, 0);
	for (int i = 0; i < 64; i++)
		strike();
	cr_assert_eq(strike(), UINT64_MAX);

	begin(1, 50, 20, 0);
	cr_assert_eq(strike(), now + 20, "the longest is the longest");

	begin(1, 0, 100, 0);
	cr_assert_eq(strike(), 0, "a quarantine of no length refuses nobody");
	cr_assert_eq(until(), 0);
}

Test(quarantine, a_very_old_offender_stays_at_the_longest)
{
	begin(1, 10, 100, 0);
	strike();
	quarantine.entries[0].strikes = UINT32_MAX;
	cr_assert_eq(strike(), now + 100);
	cr_assert_eq(quarantine.entries[0].strikes, UINT32_MAX);
}

Test(quarantine, no_limit_no_quarantine)
{
	begin(0, 10, 100, 1000);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(strike(), 0);
	cr_assert_eq(until(), 0);
	cr_assert_eq(quarantine_count(&quarantine, now), 0);
}

Test(quarantine, a_strike_is_forgotten_after_a_while_without_another)
{
	begin(3, 10, 100, 1000);
	strike();
	strike();
	now += 999;
	cr_assert_neq(strike(), 0, "just in time to be the third");

	begin(3, 10, 100, 1000);
	strike();
	strike();
	now += 1000;
	cr_assert_eq(strike(), 0, "one of two was forgotten");
	cr_assert_eq(strike(), now + 10);

	begin(3, 10, 100, 1000);
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(strike(), 0, "a pair that hangs that seldom is never refused");
		now += 1000;
	}
}

Test(quarantine, good_behaviour_makes_the_next_one_shorter)
{
	begin(1, 10, 1000, 100000);
	for (int i = 0; i < 4; i++)
		strike();
	cr_assert_eq(until(), now + 80);
	now += 2 * 100000;
	cr_assert_eq(strike(), now + 40, "4 - 2 + 1 strikes");
	now += 50 * 100000;
	cr_assert_eq(strike(), now + 10, "all was forgotten");
}

Test(quarantine, fading_strikes_end_no_quarantine_early)
{
	uint64_t end;

	begin(1, 1000, 8000, 100);
	for (int i = 0; i < 4; i++)
		strike();
	end = now + 8000;
	cr_assert_eq(until(), end);
	now += 1000;
	cr_assert_eq(until(), end, "though all strikes have faded");
	cr_assert_eq(strike(), end, "a shorter one does not replace a longer one");
	cr_assert_eq(until(), end);
}

Test(quarantine, strikes_never_fade_without_a_time)
{
	begin(2, 10, 100, 0);
	strike();
	now = UINT64_MAX - 100;
	cr_assert_eq(strike(), now + 10);
}

Test(quarantine, a_clock_that_stands_still_or_jumps_back_forgets_nothing)
{
	begin(2, 10, 100, 5);
	strike();
	now -= 500;
	cr_assert_eq(strike(), now + 10);
}

Test(quarantine, pairs_are_independent)
{
	for (int i = 0; i < 3; i++)
		strike();
	cr_assert_neq(until(), 0);
	cr_assert_eq(quarantine_until(&quarantine, other, 7, now), 0, "another model");
	cr_assert_eq(quarantine_until(&quarantine, bad, 8, now), 0, "another user");
	cr_assert_eq(quarantine_strike(&quarantine, bad, 8, now), 0);
	cr_assert_eq(quarantine_strike(&quarantine, other, 7, now), 0);
	cr_assert_eq(quarantine_count(&quarantine, now), 1);
	for (int i = 0; i < 2; i++)
		quarantine_strike(&quarantine, other, 0, now);
	cr_assert_eq(quarantine_strike(&quarantine, other, 0, now), now + 10, "root, too");
	cr_assert_eq(until(), now + 10);
	cr_assert_eq(quarantine_count(&quarantine, now), 2);
}

Test(quarantine, a_full_table_forgets_the_pair_whose_last_strike_is_oldest)
{
	begin(1, SECOND, SECOND, 0);
	for (uint32_t uid = 0; uid < QUARANTINE_MAX; uid++)
		cr_assert_neq(quarantine_strike(&quarantine, bad, uid, now++), 0);
	cr_assert_eq(quarantine_count(&quarantine, now), QUARANTINE_MAX);
	/* The first one strikes again, so the second is the oldest now. */
	quarantine_strike(&quarantine, bad, 0, now++);
	quarantine_strike(&quarantine, other, 500, now++);
	cr_assert_eq(quarantine_count(&quarantine, now), QUARANTINE_MAX);
	cr_assert_neq(quarantine_until(&quarantine, other, 500, now), 0);
	for (uint32_t uid = 0; uid < QUARANTINE_MAX; uid++)
		cr_assert_eq(quarantine_until(&quarantine, bad, uid, now) == 0, uid == 1, "uid %u",
			     uid);
}

Test(quarantine, what_is_forgotten_anyway_makes_place_first)
{
	begin(1, SECOND, SECOND, 0);
	for (uint32_t uid = 0; uid < QUARANTINE_MAX; uid++)
		quarantine_strike(&quarantine, bad, uid, now++);
	/* Number 5 is neither the oldest nor the first, but the only one with nothing against it.
	 */
	quarantine.limits.fade_ns = SECOND;
	for (uint32_t uid = 0; uid < QUARANTINE_MAX; uid++)
		quarantine.entries[uid].strikes = uid == 5 ? 1 : 10;
	now += 2 * SECOND;
	quarantine_strike(&quarantine, other, 500, now);
	cr_assert_eq(quarantine.entries[5].uid, 500);
	cr_assert_eq(quarantine.entries[0].uid, 0);
}

Test(quarantine, a_pair_that_is_refused_is_not_forgotten_while_others_are)
{
	begin(1, SECOND, SECOND, 0);
	for (uint32_t uid = 0; uid < QUARANTINE_MAX; uid++)
		quarantine_strike(&quarantine, bad, uid, now++);
	/* All strikes have faded, and all but the first quarantine have ended. */
	quarantine.limits.fade_ns = 1;
	now += 1000;
	for (uint32_t uid = 1; uid < QUARANTINE_MAX; uid++)
		quarantine.entries[uid].until_ns = now;
	quarantine_strike(&quarantine, other, 500, now);
	cr_assert_neq(quarantine_until(&quarantine, bad, 0, now), 0);
	cr_assert_neq(quarantine_until(&quarantine, other, 500, now), 0);
}

Test(quarantine, a_pair_that_was_forgotten_begins_anew)
{
	begin(2, 10, 100, 0);
	strike();
	for (uint32_t uid = 0; uid < QUARANTINE_MAX; uid++)
		quarantine_strike(&quarantine, other, uid, ++now);
	cr_assert_eq(strike(), 0, "its first strike is gone");
	cr_assert_eq(strike(), now + 10);
}

/*
 * Against a second account of it that has room for everybody: as many pairs as fit
 * the table, random strikes and pauses.
 */
struct account {
	unsigned int strikes;
	uint64_t last, until;
};

static uint64_t account_strike(struct account *account)
{
	uint64_t length = 100;

	while (account->strikes > 0 && now >= account->last + 5000) {
		account->strikes--;
		account->last += 5000;
	}
	account->strikes++;
	account->last = now;
	if (account->strikes >= 3) {
		for (unsigned int i = 3; i < account->strikes; i++)
			length = 2 * length < 1500 ? 2 * length : 1500;
		if (now + length > account->until)
			account->until = now + length;
	}
	return account->until > now ? account->until : 0;
}

Test(quarantine, random_strikes_agree_with_plain_book_keeping)
{
	const char *env = getenv("ZHOUYI_SEED");
	unsigned int seed = env ? (unsigned int)strtoul(env, NULL, 0) : (unsigned int)time(NULL);
	static struct account accounts[QUARANTINE_MAX];

	cr_log_info("ZHOUYI_SEED=%u", seed);
	begin(3, 100, 1500, 5000);
	for (int i = 0; i < 20000; i++) {
		unsigned int who = (unsigned int)rand_r(&seed) % QUARANTINE_MAX;
		uint8_t model[32] = {[7] = (uint8_t)(who / 16)};
		unsigned int n = 0;

		now += (unsigned int)rand_r(&seed) % 60;
		if (rand_r(&seed) % 1000 == 0)
			now += 4000;
		cr_assert_eq(quarantine_strike(&quarantine, model, who % 16, now),
			     account_strike(&accounts[who]));
		who = (unsigned int)rand_r(&seed) % QUARANTINE_MAX;
		memset(model, 0, sizeof(model));
		model[7] = (uint8_t)(who / 16);
		cr_assert_eq(quarantine_until(&quarantine, model, who % 16, now),
			     accounts[who].until > now ? accounts[who].until : 0);
		for (size_t k = 0; k < QUARANTINE_MAX; k++)
			n += accounts[k].until > now;
		cr_assert_eq(quarantine_count(&quarantine, now), n);
	}
}
