/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a job: deadlines, gates, quotas, stacking, put back, taken out, explained. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/unit/policy/few.h"

static struct few few;

static void setup(void)
{
	few.settings = POLICY_SETTINGS_DEFAULT;
	few_init(&few, 1, POLICY_PLACEMENT_EXACT);
}

static void finish(void)
{
	few_finish(&few);
}

TestSuite(life, .init = setup, .fini = finish);

Test(life, a_deadline_that_cannot_be_met_is_refused_at_once)
{
	struct policy_job *job = few_job(&few, 0, ZY_CLASS_NORMAL, 10);

	job->deadline_ns = few.now_ns + 9 * MS;
	cr_assert_eq(few_push_it(&few, job), -ETIME);
	job->deadline_ns = few.now_ns + 10 * MS;
	cr_assert_eq(few_push_it(&few, job), 0);
	cr_assert_eq(few_next(&few), job);
	few_run(&few, job, 10);
}

Test(life, a_deadline_counts_what_is_running_for_at_least_so_long)
{
	struct policy_job *running = few_push(&few, 0, ZY_CLASS_NORMAL, 50), *job;

	cr_assert_eq(few_next(&few), running);
	job = few_job(&few, 1, ZY_CLASS_REALTIME, 10);
	job->deadline_ns = few.now_ns + 59 * MS;
	cr_assert_eq(few_push_it(&few, job), -ETIME);
	job->deadline_ns = few.now_ns + 60 * MS;
	cr_assert_eq(few_push_it(&few, job), 0);
	few_run(&few, running, 50);
}

Test(life, a_job_expires_as_soon_as_it_would_be_late)
{
	struct policy_job *running = few_push(&few, 0, ZY_CLASS_NORMAL, 30);
	struct policy_job *job = few_job(&few, 1, ZY_CLASS_NORMAL, 10);
	struct policy_decision decision;

	cr_assert_eq(few_next(&few), running);
	job->deadline_ns = few.now_ns + 40 * MS;
	cr_assert_eq(few_push_it(&few, job), 0);
	decision = few_decide(&few);
	cr_assert_eq(decision.action, POLICY_NOTHING);
	cr_assert_eq(decision.ask_again_ns, few.now_ns + 30 * MS + 1);
	few.now_ns = decision.ask_again_ns;
	decision = few_decide(&few);
	cr_assert_eq(decision.action, POLICY_EXPIRE);
	cr_assert_eq(decision.job, job);
	cr_assert_not(policy_is_queued(job));
	few_run(&few, running, 0);
}

Test(life, a_closed_gate_holds_back_its_jobs_and_no_others)
{
	struct policy_job *job = few_job(&few, 0, ZY_CLASS_NORMAL, 1), *other;

	job->gate = &few.gate;
	policy_gate_set(few.policy, &few.gate, true);
	cr_assert_eq(few_push_it(&few, job), 0);
	cr_assert_eq(few.gate.n_queued, 1);
	other = few_push(&few, 0, ZY_CLASS_NORMAL, 1);
	cr_assert_eq(few_next(&few), other);
	few_run(&few, other, 1);
	cr_assert_null(few_next(&few));
	policy_gate_set(few.policy, &few.gate, false);
	cr_assert_eq(few_next(&few), job);
	cr_assert_eq(job->wait, POLICY_WAIT_GATE);
	cr_assert_eq(few.gate.n_queued, 0);
	few_run(&few, job, 1);
}

Test(life, a_short_job_is_stacked_behind_one_that_runs)
{
	struct policy_job *running = few_push(&few, 0, ZY_CLASS_NORMAL, 5);
	struct policy_job *shorter = few_push(&few, 1, ZY_CLASS_NORMAL, 0), *third;

	shorter->estimate_ns = few.settings.stack_ns;
	cr_assert_eq(few_next(&few), running);
	cr_assert_eq(few_next(&few), shorter);
	cr_assert_eq(policy_core_info(few.policy, 0).n_on_device, 2);
	third = few_push(&few, 2, ZY_CLASS_NORMAL, 0);
	third->estimate_ns = 1;
	cr_assert_null(few_next(&few), "a core has two places");
	few_run(&few, running, 5);
	cr_assert_eq(few_next(&few), third);
	few_run(&few, shorter, 0);
	few_run(&few, third, 0);
}

Test(life, nothing_is_stacked_that_is_long_unknown_or_not_the_first)
{
	struct policy_job *running = few_push(&few, 0, ZY_CLASS_NORMAL, 5), *job;

	cr_assert_eq(few_next(&few), running);
	job = few_push(&few, 1, ZY_CLASS_NORMAL, 1);
	job->estimate_ns = few.settings.stack_ns + 1;
	cr_assert_null(few_next(&few));
	policy_remove(few.policy, job);
	job = few_push(&few, 1, ZY_CLASS_NORMAL, 0);
	cr_assert_null(few_next(&few), "nobody knows how long it takes");
	job->estimate_ns = 1;
	few_push(&few, 2, ZY_CLASS_REALTIME, 5);
	cr_assert_null(few_next(&few), "a more urgent one would have to wait");
	few_run(&few, running, 5);
}

Test(life, a_limit_of_jobs_on_the_device_is_kept)
{
	struct policy_job *first = few_push(&few, 0, ZY_CLASS_NORMAL, 1), *second;

	few.accounts[0].max_on_device = 1;
	policy_account_changed(few.policy, &few.accounts[0], few.now_ns);
	second = few_push(&few, 0, ZY_CLASS_NORMAL, 0);
	second->estimate_ns = 1;
	cr_assert_eq(few_next(&few), first);
	cr_assert_null(few_next(&few));
	few_run(&few, first, 1);
	cr_assert_eq(few_next(&few), second);
	cr_assert_eq(second->wait, POLICY_WAIT_THROTTLE);
	few_run(&few, second, 0);
}

Test(life, a_share_of_time_is_kept_even_if_nobody_else_wants_it)
{
	uint64_t began = few.now_ns, used = 0;

	few.accounts[0].share_percent = 10;
	policy_account_changed(few.policy, &few.accounts[0], few.now_ns);
	for (int i = 0; i < 20; i++)
		few_push(&few, 0, ZY_CLASS_NORMAL, 20);
	while (few.now_ns < began + 2000 * MS) {
		struct policy_decision decision = few_decide(&few);

		if (decision.action == POLICY_START) {
			used += 20;
			few_run(&few, decision.job, 20);
		} else {
			cr_assert_neq(decision.ask_again_ns, UINT64_MAX);
			few.now_ns = decision.ask_again_ns;
		}
	}
	cr_assert_geq(used, 180);
	cr_assert_leq(used, 240);
}

Test(life, a_job_that_is_put_back_stands_where_it_stood)
{
	struct policy_job *jobs[3];

	for (int i = 0; i < 3; i++)
		jobs[i] = few_push(&few, 0, ZY_CLASS_NORMAL, 5);
	cr_assert_eq(few_next(&few), jobs[0]);
	cr_assert_eq(policy_push_again(few.policy, jobs[0], false, few.now_ns), 0);
	cr_assert(policy_is_queued(jobs[0]));
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(few_next(&few), jobs[i]);
		cr_assert_eq(jobs[i]->wait == POLICY_WAIT_RECOVERY, i == 0);
		few_run(&few, jobs[i], 5);
	}
}

Test(life, a_job_that_must_go_first_goes_before_everybody)
{
	struct policy_job *job = few_push(&few, 0, ZY_CLASS_BACKGROUND, 5), *urgent;

	cr_assert_eq(few_next(&few), job);
	cr_assert_eq(policy_push_again(few.policy, job, true, few.now_ns), 0);
	urgent = few_push(&few, 1, ZY_CLASS_REALTIME, 1);
	cr_assert_eq(few_next(&few), job);
	few_run(&few, job, 5);
	cr_assert_eq(few_next(&few), urgent);
	few_run(&few, urgent, 1);
}

Test(life, what_was_put_back_is_not_charged_twice)
{
	struct policy_job *jobs[4], *job;

	for (unsigned int i = 0; i < 4; i++)
		jobs[i] = few_push(&few, i % 2, ZY_CLASS_NORMAL, 10);
	for (int i = 0; i < 5; i++) {
		job = few_next(&few);
		cr_assert_eq(policy_push_again(few.policy, job, true, few.now_ns), 0);
		cr_assert_eq(few_next(&few), job);
		cr_assert_eq(policy_push_again(few.policy, job, false, few.now_ns), 0);
	}
	/* As if nothing had happened: one each. */
	for (unsigned int i = 0; i < 2; i++) {
		jobs[i] = few_next(&few);
		few_run(&few, jobs[i], 10);
	}
	cr_assert_neq(jobs[0]->client, jobs[1]->client);
	cr_assert_eq(few.clients[0].device_ns, 10 * MS);
	cr_assert_eq(policy_class_info(few.policy, ZY_CLASS_NORMAL).device_ns, 20 * MS);
}

Test(life, a_job_can_be_taken_out_first_last_and_after_it_was_put_back)
{
	struct policy_job *jobs[4];

	for (int i = 0; i < 4; i++)
		jobs[i] = few_push(&few, 0, ZY_CLASS_NORMAL, 5);
	policy_remove(few.policy, jobs[0]);
	policy_remove(few.policy, jobs[3]);
	cr_assert_not(policy_is_queued(jobs[0]));
	cr_assert_eq(few_next(&few), jobs[1]);
	cr_assert_eq(policy_push_again(few.policy, jobs[1], true, few.now_ns), 0);
	policy_remove(few.policy, jobs[1]);
	cr_assert_eq(few_next(&few), jobs[2]);
	few_run(&few, jobs[2], 5);
	cr_assert_eq(policy_n_queued(few.policy), 0);
	cr_assert_eq(policy_n_on_device(few.policy), 0);
	cr_assert_eq(few.accounts[0].n_queued, 0);
}

Test(life, each_job_can_say_what_it_waited_for)
{
	struct policy_job *first = few_push(&few, 0, ZY_CLASS_NORMAL, 5), *own, *urgent, *other;

	cr_assert_eq(few_next(&few), first);
	cr_assert_eq(first->wait, POLICY_WAIT_NONE);
	cr_assert_null(few_next(&few));
	few.now_ns += MS;
	own = few_push(&few, 0, ZY_CLASS_NORMAL, 5);
	other = few_push(&few, 1, ZY_CLASS_NORMAL, 5);
	urgent = few_push(&few, 2, ZY_CLASS_REALTIME, 5);
	cr_assert_null(few_next(&few));
	few_run(&few, first, 5);
	cr_assert_eq(few_next(&few), urgent);
	cr_assert_eq(urgent->wait, POLICY_WAIT_RUNNING);
	cr_assert_eq(urgent->waited_for, few.clients[0].id);
	cr_assert_null(few_next(&few));
	few_run(&few, urgent, 5);
	cr_assert_eq(few_next(&few), other);
	cr_assert_eq(other->wait, POLICY_WAIT_URGENT);
	cr_assert_eq(other->waited_for, few.clients[2].id);
	cr_assert_null(few_next(&few));
	few_run(&few, other, 5);
	cr_assert_eq(few_next(&few), own);
	cr_assert_eq(own->wait, POLICY_WAIT_SHARE);
	few_run(&few, own, 5);
}

Test(life, each_reason_has_a_name_of_its_own)
{
	for (int i = 0; i < POLICY_WAIT_MAX_; i++)
		for (int k = 0; k < i; k++)
			cr_assert_str_neq(policy_wait_name((enum policy_wait)i),
					  policy_wait_name((enum policy_wait)k));
	cr_assert_not_null(policy_wait_name(POLICY_WAIT_MAX_));
}

Test(life, the_plan_is_what_then_happens)
{
	struct policy_plan_entry plan[8];
	size_t n;

	few_push(&few, 0, ZY_CLASS_BACKGROUND, 3);
	few_push(&few, 1, ZY_CLASS_NORMAL, 2);
	few_push(&few, 2, ZY_CLASS_NORMAL, 4);
	few_push(&few, 1, ZY_CLASS_REALTIME, 5);
	n = policy_plan(few.policy, few.now_ns, plan, 8);
	cr_assert_eq(n, 4);
	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(plan[i].start_ns, few.now_ns);
		cr_assert_eq(plan[i].cores, 1);
		cr_assert_eq(few_next(&few), plan[i].job);
		few_run(&few, &few.jobs[plan[i].job->id - 1], plan[i].job->estimate_ns / MS);
		cr_assert_eq(plan[i].end_ns, few.now_ns);
	}
	few_push(&few, 0, ZY_CLASS_NORMAL, 1);
	few_push(&few, 0, ZY_CLASS_NORMAL, 1);
	cr_assert_eq(policy_plan(few.policy, few.now_ns, plan, 1), 1);
}
