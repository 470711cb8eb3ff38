/* SPDX-License-Identifier: Apache-2.0 */
/* Who is next, and where. */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/unit/policy/few.h"

static struct few few;

static void one_core(void)
{
	few.settings = POLICY_SETTINGS_DEFAULT;
	few.settings.stack_ns = 0;
	few_init(&few, 1, POLICY_PLACEMENT_EXACT);
}

static void three_cores(void)
{
	few.settings = POLICY_SETTINGS_DEFAULT;
	few.settings.stack_ns = 0;
	few_init(&few, 3, POLICY_PLACEMENT_EXACT);
}

static void finish(void)
{
	few_finish(&few);
}

TestSuite(order, .init = one_core, .fini = finish);
TestSuite(cores, .init = three_cores, .fini = finish);

Test(order, jobs_of_a_client_are_served_in_the_order_of_their_arrival)
{
	struct policy_job *jobs[4];

	for (int i = 0; i < 4; i++)
		jobs[i] = few_push(&few, 0, ZY_CLASS_NORMAL, (uint64_t)(4 - i));
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(few_next(&few), jobs[i]);
		few_run(&few, jobs[i], 1);
	}
}

Test(order, more_urgent_classes_go_first)
{
	struct policy_job *jobs[ZY_CLASS_MAX_];

	for (int class = ZY_CLASS_MAX_ - 1; class >= 0; class --)
		jobs[class] = few_push(&few, 0, (enum zy_class) class, 1);
	for (int class = 0; class < ZY_CLASS_MAX_; class ++) {
		cr_assert_eq(few_next(&few), jobs[class]);
		few_run(&few, jobs[class], 1);
	}
}

Test(order, realtime_goes_by_deadline_and_without_one_last)
{
	struct policy_job *never = few_push(&few, 0, ZY_CLASS_REALTIME, 1);
	struct policy_job *late = few_job(&few, 1, ZY_CLASS_REALTIME, 1);
	struct policy_job *soon = few_job(&few, 2, ZY_CLASS_REALTIME, 1);

	late->deadline_ns = few.now_ns + 50 * MS;
	soon->deadline_ns = few.now_ns + 20 * MS;
	cr_assert_eq(few_push_it(&few, late), 0);
	cr_assert_eq(few_push_it(&few, soon), 0);
	cr_assert_eq(few_next(&few), soon);
	few_run(&few, soon, 1);
	cr_assert_eq(few_next(&few), late);
	few_run(&few, late, 1);
	cr_assert_eq(few_next(&few), never);
	few_run(&few, never, 1);
}

Test(order, a_client_with_long_jobs_does_not_crowd_out_one_with_short_jobs)
{
	uint64_t ran[2] = {0, 0};

	for (int i = 0; i < 5; i++)
		few_push(&few, 0, ZY_CLASS_NORMAL, 10);
	for (int i = 0; i < 20; i++)
		few_push(&few, 1, ZY_CLASS_NORMAL, 1);
	for (int i = 0; i < 20; i++) {
		struct policy_job *job = few_next(&few);
		unsigned int who = job->client == &few.clients[1];

		ran[who] += job->estimate_ns / MS;
		few_run(&few, job, job->estimate_ns / MS);
		cr_assert_leq(ran[0], ran[1] + 11);
		cr_assert_leq(ran[1], ran[0] + 11);
	}
}

Test(order, an_account_with_twice_the_weight_gets_twice_the_time)
{
	uint64_t ran[2] = {0, 0};

	few.accounts[0].weight = 200;
	policy_account_changed(few.policy, &few.accounts[0], few.now_ns);
	for (int i = 0; i < 30; i++)
		few_push(&few, (unsigned int)i % 2, ZY_CLASS_NORMAL, 1);
	for (int i = 0; i < 18; i++) {
		struct policy_job *job = few_next(&few);

		ran[job->client == &few.clients[1]]++;
		few_run(&few, job, 1);
	}
	cr_assert_eq(ran[0], 12);
	cr_assert_eq(ran[1], 6);
}

Test(order, idling_earns_nothing)
{
	struct policy_job *first[2];

	for (int i = 0; i < 10; i++)
		few_push(&few, 0, ZY_CLASS_NORMAL, 10);
	for (int i = 0; i < 8; i++)
		few_run(&few, few_next(&few), 10);
	/* Client 1 was idle for 80 ms; it is served in turn from now on. */
	for (int i = 0; i < 5; i++)
		few_push(&few, 1, ZY_CLASS_NORMAL, 10);
	for (int i = 0; i < 2; i++) {
		first[i] = few_next(&few);
		few_run(&few, first[i], 10);
	}
	cr_assert_neq(first[0]->client, first[1]->client);
}

Test(order, idling_behind_a_closed_gate_earns_nothing)
{
	unsigned int n = 0;

	policy_gate_set(few.policy, &few.gate, true);
	for (int i = 0; i < 12; i++)
		few_push(&few, 0, ZY_CLASS_NORMAL, 10);
	for (int i = 0; i < 6; i++)
		few_run(&few, few_next(&few), 10);
	for (int i = 0; i < 6; i++) {
		struct policy_job *job = few_job(&few, 1, ZY_CLASS_NORMAL, 10);

		job->gate = &few.gate;
		cr_assert_eq(few_push_it(&few, job), 0);
	}
	policy_gate_set(few.policy, &few.gate, false);
	for (int i = 0; i < 6; i++) {
		struct policy_job *job = few_next(&few);

		n += job->client == &few.clients[1];
		few_run(&few, job, 10);
	}
	cr_assert_leq(n, 4);
	cr_assert_geq(n, 2);
}

Test(order, a_class_is_owed_its_floor)
{
	uint64_t ran = 0, all = 0;

	for (int i = 0; i < 20; i++)
		few_push(&few, 0, ZY_CLASS_REALTIME, 10);
	for (int i = 0; i < 10; i++)
		few_push(&few, 1, ZY_CLASS_BACKGROUND, 2);
	while (all < 200) {
		struct policy_job *job = few_next(&few);
		uint64_t ms = job->estimate_ns / MS;

		all += ms;
		ran += job->class == ZY_CLASS_BACKGROUND ? ms : 0;
		few_run(&few, job, ms);
	}
	/* Five percent of 200 ms, but for one job more or less. */
	cr_assert_geq(ran, 8);
	cr_assert_leq(ran, 12);
}

Test(order, without_floors_classes_are_strict)
{
	for (int class = 0; class < ZY_CLASS_MAX_; class ++)
		few.settings.floor_percent[class] = 0;
	cr_assert_eq(policy_set(few.policy, &few.settings), 0);
	few_push(&few, 1, ZY_CLASS_BACKGROUND, 1);
	for (int i = 0; i < 20; i++)
		few_push(&few, 0, ZY_CLASS_REALTIME, 100);
	for (int i = 0; i < 20; i++) {
		struct policy_job *job = few_next(&few);

		cr_assert_eq(job->class, ZY_CLASS_REALTIME);
		few_run(&few, job, 100);
	}
}

Test(order, floors_above_ninety_percent_are_refused)
{
	few.settings.floor_percent[ZY_CLASS_NORMAL] = 86;
	cr_assert_eq(policy_set(few.policy, &few.settings), -EINVAL);
	few.settings.floor_percent[ZY_CLASS_NORMAL] = 80;
	cr_assert_eq(policy_set(few.policy, &few.settings), 0);
}

Test(cores, a_job_runs_where_its_mask_allows_and_holds_up_nobody_else)
{
	struct policy_job *first = few_job(&few, 0, ZY_CLASS_NORMAL, 1);
	struct policy_job *blocked = few_job(&few, 0, ZY_CLASS_NORMAL, 1), *other;
	struct policy_decision decision;

	first->cores = blocked->cores = 4;
	cr_assert_eq(few_push_it(&few, first), 0);
	cr_assert_eq(few_push_it(&few, blocked), 0);
	other = few_push(&few, 0, ZY_CLASS_NORMAL, 1);
	decision = few_decide(&few);
	cr_assert_eq(decision.job, first);
	cr_assert_eq(decision.cores, 4);
	decision = few_decide(&few);
	cr_assert_eq(decision.job, other);
	cr_assert_eq(decision.cores & 4, 0);
	cr_assert_null(few_next(&few));
	few_run(&few, first, 1);
	cr_assert_eq(few_next(&few), blocked);
	few_run(&few, blocked, 1);
	few_run(&few, other, 1);
}

Test(cores, a_multi_core_job_gets_as_many_as_it_asked_for)
{
	struct policy_job *pair = few_job(&few, 0, ZY_CLASS_NORMAL, 1);
	struct policy_decision decision;

	pair->n_cores = 2;
	pair->cores = 5;
	cr_assert_eq(few_push_it(&few, pair), 0);
	decision = few_decide(&few);
	cr_assert_eq(decision.job, pair);
	cr_assert_eq(decision.cores, 5);
	few_run(&few, pair, 1);
}

Test(cores, a_multi_core_job_collects_cores_and_not_for_ever)
{
	struct policy_job *running = few_push(&few, 0, ZY_CLASS_NORMAL, 1000), *all, *single;
	uint64_t began = few.now_ns;
	struct policy_decision decision;

	cr_assert_eq(few_next(&few), running);
	all = few_job(&few, 1, ZY_CLASS_NORMAL, 1);
	all->n_cores = 3;
	cr_assert_eq(few_push_it(&few, all), 0);
	cr_assert_null(few_next(&few));
	single = few_push(&few, 2, ZY_CLASS_BACKGROUND, 1);
	decision = few_decide(&few);
	cr_assert_eq(decision.action, POLICY_NOTHING);
	cr_assert(policy_core_info(few.policy, 1).is_held ||
		  policy_core_info(few.policy, 2).is_held);
	cr_assert_leq(decision.ask_again_ns, began + few.settings.collect_ns);
	few.now_ns = began + few.settings.collect_ns;
	cr_assert_eq(few_next(&few), single);
	few_run(&few, single, 1);
	few_run(&few, running, 900);
	cr_assert_eq(few_next(&few), all);
	few_run(&few, all, 1);
}

Test(cores, nothing_is_kept_for_more_cores_than_are_healthy)
{
	struct policy_job *all = few_job(&few, 0, ZY_CLASS_REALTIME, 1), *single;

	policy_cores_set(few.policy, 3);
	all->n_cores = 3;
	cr_assert_eq(few_push_it(&few, all), 0);
	single = few_push(&few, 1, ZY_CLASS_BACKGROUND, 1);
	cr_assert_eq(few_next(&few), single);
	few_run(&few, single, 1);
	cr_assert_null(few_next(&few));
	policy_cores_set(few.policy, 7);
	cr_assert_eq(few_next(&few), all);
	few_run(&few, all, 1);
}

Test(cores, nothing_starts_on_a_core_that_is_ill)
{
	struct policy_job *job = few_push(&few, 0, ZY_CLASS_NORMAL, 1);

	policy_cores_set(few.policy, 0);
	cr_assert_null(few_next(&few));
	cr_assert_not(policy_core_info(few.policy, 0).healthy);
	policy_cores_set(few.policy, 2);
	cr_assert_eq(few_decide(&few).cores, 2);
	few_run(&few, job, 1);
}

Test(cores, what_the_device_cannot_place_is_refused)
{
	struct policy_job *job = few_job(&few, 0, ZY_CLASS_NORMAL, 1);

	job->n_cores = 0;
	cr_assert_eq(few_push_it(&few, job), -EINVAL);
	job->n_cores = 4;
	cr_assert_eq(few_push_it(&few, job), -EINVAL);
	job->n_cores = 2;
	job->cores = 1;
	cr_assert_eq(few_push_it(&few, job), -EINVAL);
	job->n_cores = 1;
	job->cores = 8;
	cr_assert_eq(few_push_it(&few, job), -EINVAL);
	cr_assert_eq(policy_n_queued(few.policy), 0);
}
