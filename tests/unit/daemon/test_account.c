/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/account.h"

static struct policy *policy;
static struct account_table table;
static char refusal[ACCOUNT_REFUSAL_MAX];

static void setup(void)
{
	struct policy_settings settings = POLICY_SETTINGS_DEFAULT;

	cr_assert_eq(policy_create(&policy, 3, POLICY_PLACEMENT_EXACT, &settings), 0);
	account_table_init(&table, policy);
}

static void teardown(void)
{
	account_table_finish(&table);
	policy_destroy(policy);
}

TestSuite(account, .init = setup, .fini = teardown);

static struct account *get(uint32_t uid)
{
	struct account *account = NULL;

	cr_assert_eq(account_get(&account, &table, (struct account_key){.uid = uid}), 0);
	return account;
}

Test(account, sessions_of_one_user_share_one)
{
	struct account *a = get(1), *b = get(1), *c = get(2);

	cr_expect_eq(a, b);
	cr_expect_neq(a, c);
	cr_expect_eq(a->policy.weight, 100);
	account_unref(a);
	account_unref(b);
	account_unref(c);
	cr_expect_eq(table.n_kept, 0, "who used nothing leaves nothing");
}

Test(account, of_two_limits_the_tighter_one_holds)
{
	struct account_limits a = {.queued = 5, .on_device = 2, .models = 3, .weight = 300},
			      b = {.queued = 7, .buffers = 4, .models = 3}, both;

	both = account_limits_tightest(&a, &b);
	cr_expect_eq(both.queued, 5);
	cr_expect_eq(both.on_device, 2, "none is no limit");
	cr_expect_eq(both.buffers, 4);
	cr_expect_eq(both.models, 3);
	cr_expect_eq(both.device_bytes, 0);
	cr_expect_eq(both.share_percent, 0);
	cr_expect_eq(both.weight, 100, "the usual one");
	b = account_limits_tightest(&b, &a);
	cr_expect_eq(memcmp(&b, &both, sizeof(both)), 0, "whoever came first");
}

Test(account, what_was_used_is_remembered_when_the_user_has_gone)
{
	struct account *account = get(7);

	account_ran(account, "camera", "mobilenet", 5000000);
	account_unref(account);
	cr_expect_eq(table.n_kept, 1);
	account = get(7);
	cr_expect_eq(table.n_kept, 0);
	cr_assert_eq(account->n_usages, 1);
	cr_expect_str_eq(account->usages[0].client, "camera");
	cr_expect_str_eq(account->usages[0].model, "mobilenet");
	cr_expect_eq(account->usages[0].device_ns, 5000000);
	account_unref(account);
}

Test(account, so_many_are_kept_and_the_longest_gone_is_forgotten)
{
	for (uint32_t uid = 0; uid <= ACCOUNT_KEPT_MAX; uid++) {
		struct account *account = get(uid);

		account_ran(account, "x", "y", 1);
		account_unref(account);
	}
	cr_expect_eq(table.n_kept, ACCOUNT_KEPT_MAX);
	struct account *first = get(0), *second = get(1);

	cr_expect_eq(first->n_usages, 0, "forgotten");
	cr_expect_eq(second->n_usages, 1);
	account_unref(first);
	account_unref(second);
}

Test(account, usage_is_counted_by_program_and_model_and_no_number_is_lost)
{
	struct account *account = get(1);
	uint64_t requests = 0, device_ns = 0;
	char name[16];

	for (unsigned int i = 0; i < 3 * ACCOUNT_USAGES; i++) {
		snprintf(name, sizeof(name), "model%u", i);
		account_ran(account, "busy", name, 10);
		account_ran(account, "steady", "always", 100);
	}
	cr_expect_eq(account->n_usages, ACCOUNT_USAGES);
	for (unsigned int i = 0; i < ACCOUNT_USAGES; i++) {
		requests += account->usages[i].n_requests;
		device_ns += account->usages[i].device_ns;
		if (strcmp(account->usages[i].client, "steady") == 0)
			cr_expect_eq(account->usages[i].n_requests, 3 * ACCOUNT_USAGES,
				     "who is used all the time keeps its place");
	}
	cr_expect_eq(requests + account->others.n_requests, 6 * ACCOUNT_USAGES);
	cr_expect_eq(device_ns + account->others.device_ns, 330 * ACCOUNT_USAGES);
	account_unref(account);
}

Test(account, names_that_are_too_long_are_cut_and_still_found)
{
	struct account *account = get(1);
	char name[200];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	account_ran(account, name, name, 1);
	account_ran(account, name, name, 1);
	cr_expect_eq(account->n_usages, 1);
	cr_expect_eq(account->usages[0].n_requests, 2);
	account_unref(account);
}

Test(account, a_limit_refuses_in_words_and_charges_nothing)
{
	struct account_limits limits = {.buffers = 2, .models = 1, .device_bytes = 10000};
	struct account *account = get(1000);

	account_set_limits(account, &limits, 0);
	cr_expect_eq(account_charge_buffer(account, 8192, refusal), 0);
	cr_expect_eq(account_charge_buffer(account, 4096, refusal), -EDQUOT);
	cr_expect_str_eq(refusal, "all clients of uid 1000 together have 8192 bytes of device "
				  "memory, and may have 10000: there is no room for 4096 more");
	cr_expect_eq(account_charge_buffer(account, UINT64_MAX, refusal), -EDQUOT);
	cr_expect_eq(account_charge_buffer(account, 0, refusal), 0);
	cr_expect_eq(account_charge_buffer(account, 0, refusal), -EDQUOT);
	cr_expect(strstr(refusal, "have 2 buffers, and may have 2"), "%s", refusal);
	cr_expect_eq(account_charge_model(account, refusal), 0);
	cr_expect_eq(account_charge_model(account, refusal), -EDQUOT);
	cr_expect(strstr(refusal, "1 models open, and may have 1"), "%s", refusal);
	cr_expect_eq(account_charge_model_bytes(account, 4096, refusal), -EDQUOT);
	cr_expect(strstr(refusal, "a model of 4096"), "%s", refusal);
	account_uncharge_buffer(account, 8192);
	cr_expect_eq(account_charge_model_bytes(account, 4096, refusal), 0);
	account_uncharge_model_bytes(account, 4096);
	account_uncharge_model(account);
	account_uncharge_buffer(account, 0);
	cr_expect_eq(account->device_bytes, 0);
	cr_expect_eq(account->n_buffers + account->n_models, 0);
	account_unref(account);
}

Test(account, a_lower_limit_takes_nothing_away)
{
	struct account *account = get(1);

	cr_expect_eq(account_charge_buffer(account, 8192, refusal), 0);
	account_set_limits(account, &(struct account_limits){.device_bytes = 4096}, 0);
	cr_expect_eq(account_charge_buffer(account, 1, refusal), -EDQUOT);
	account_uncharge_buffer(account, 8192);
	cr_expect_eq(account_charge_buffer(account, 4096, refusal), 0);
	account_uncharge_buffer(account, 4096);
	account_unref(account);
}

Test(account, queued_requests_are_limited)
{
	struct account *account = get(1);

	account->policy.n_queued = 5;
	cr_expect(account_may_queue(account));
	account_set_limits(account, &(struct account_limits){.queued = 5}, 0);
	cr_expect_not(account_may_queue(account));
	account->policy.n_queued = 4;
	cr_expect(account_may_queue(account));
	account->policy.n_queued = 0;
	account_unref(account);
}

Test(account, limits_reach_the_policy_and_new_accounts_have_those_of_the_table)
{
	struct account *account;

	table.limits = (struct account_limits){.weight = 300, .on_device = 2, .share_percent = 40};
	account = get(1);
	cr_expect_eq(account->policy.weight, 300);
	cr_expect_eq(account->policy.max_on_device, 2);
	cr_expect_eq(account->policy.share_percent, 40);
	account_unref(account);
}

Test(account, a_slice_has_one_whoever_runs_in_it)
{
	struct account_key key = {.uid = 1, .name = "slice:cameras.slice"};
	struct account *user = get(1), *a, *b;

	cr_assert_eq(account_get(&a, &table, key), 0);
	key.uid = 2;
	cr_assert_eq(account_get(&b, &table, key), 0);
	cr_expect_eq(a, b);
	cr_expect_neq(a, user);
	account_set_limits(a, &(struct account_limits){.models = 1}, 0);
	cr_assert_eq(account_charge_model(a, refusal), 0);
	cr_assert_eq(account_charge_model(a, refusal), -EDQUOT);
	cr_expect(strstr(refusal, "slice:cameras.slice"), "%s", refusal);
	account_uncharge_model(a);
	account_unref(a);
	account_unref(b);
	account_unref(user);
}
