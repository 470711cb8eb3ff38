/* SPDX-License-Identifier: Apache-2.0 */
/* Reservations: granted or not, protected, throttled, asleep. Core 0 is the home. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/unit/policy/few.h"

static struct few few;
static struct reservation *reservation;
static struct reservation_verdict verdict;
static const struct reservation_spec camera = {
	.budget_ns = 2 * MS, .period_ns = 10 * MS, .deadline_ns = 10 * MS, .cores = 1};

static enum reservation_refusal reserve(const struct reservation_spec *spec)
{
	return policy_reserve(few.policy, &few.clients[0], spec, false, few.now_ns, &reservation,
			      &verdict);
}

static void reserved(uint64_t stop_ns)
{
	few.settings = POLICY_SETTINGS_DEFAULT;
	few.settings.stop_ns = stop_ns;
	few_init(&few, 1, POLICY_PLACEMENT_EXACT);
	cr_assert_eq(reserve(&camera), RESERVATION_GRANTED);
	/* Nothing is promised before it had time to settle. */
	few.now_ns = reservation->next_ns > few.now_ns ? reservation->next_ns : few.now_ns;
}

static void unstoppable(void)
{
	reserved(UINT64_MAX);
}

static void stoppable(void)
{
	reserved(MS / 10);
}

static void finish(void)
{
	if (reservation)
		policy_release(few.policy, reservation, few.now_ns);
	few_finish(&few);
}

TestSuite(reservation, .init = unstoppable, .fini = finish);
TestSuite(stopping, .init = stoppable, .fini = finish);

static struct policy_job *frame(uint64_t ms)
{
	struct policy_job *job = few_job(&few, 0, ZY_CLASS_REALTIME, ms);

	job->reservation = reservation;
	cr_assert_eq(few_push_it(&few, job), 0);
	return job;
}

Test(reservation, a_frame_goes_before_everybody)
{
	struct policy_job *urgent = few_push(&few, 1, ZY_CLASS_REALTIME, 1), *job = frame(2);

	cr_assert_eq(few_next(&few), job);
	few_run(&few, job, 2);
	cr_assert_eq(reservation->frames, 1);
	cr_assert_eq(reservation->missed, 0);
	cr_assert_eq(few_next(&few), urgent);
	few_run(&few, urgent, 1);
}

Test(reservation, a_core_is_idle_only_for_what_would_be_in_the_way)
{
	uint64_t tolerance = policy_core_info(few.policy, 0).tolerance_ns;
	struct policy_job *job = few_job(&few, 1, ZY_CLASS_REALTIME, 1);

	cr_assert_eq(tolerance, 8 * MS);
	job->bound_ns = tolerance + 1;
	cr_assert_eq(few_push_it(&few, job), 0);
	cr_assert_null(few_next(&few), "a frame may come at any time");
	policy_remove(few.policy, job);
	job->bound_ns = tolerance;
	cr_assert_eq(few_push_it(&few, job), 0);
	cr_assert_eq(few_next(&few), job);
	few_run(&few, job, 1);
}

Test(reservation, after_a_frame_there_is_room_until_the_next)
{
	struct policy_job *job = few_job(&few, 1, ZY_CLASS_BACKGROUND, 1), *first = frame(2);

	job->bound_ns = 16 * MS;
	cr_assert_eq(few_push_it(&few, job), 0);
	cr_assert_eq(few_next(&few), first);
	few_run(&few, first, 2);
	cr_assert_eq(few_next(&few), job, "it is gone 8 ms after the next frame, at most");
	few_run(&few, job, 1);
}

Test(reservation, what_never_fits_is_refused_at_once)
{
	struct policy_job *job = few_job(&few, 1, ZY_CLASS_NORMAL, 1);

	job->bound_ns = 18 * MS + 1;
	cr_assert_eq(few_push_it(&few, job), -ENOSPC);
}

Test(reservation, a_frame_that_comes_early_is_protected_when_its_time_has_come)
{
	struct policy_job *first = frame(2), *early;
	uint64_t arrived = few.now_ns;

	cr_assert_eq(few_next(&few), first);
	few_run(&few, first, 2);
	early = frame(2);
	early->bound_ns = 1000 * MS;
	cr_assert_eq(reservation->early, 1);
	few.now_ns = arrived + camera.period_ns;
	cr_assert_eq(few_next(&few), early);
	cr_assert_eq(reservation->frames, 2);
	cr_assert_eq(early->deadline_ns, few.now_ns + camera.deadline_ns);
	few_run(&few, early, 2);
}

Test(reservation, an_overrun_delays_the_frames_behind_it)
{
	struct policy_job *first = frame(2);
	uint64_t arrived = few.now_ns;

	cr_assert_eq(few_next(&few), first);
	few_run(&few, first, 6);
	cr_assert_eq(reservation->overruns, 1);
	/* 4 ms too long: as much as two frames more. */
	cr_assert_eq(reservation->next_ns, arrived + 3 * camera.period_ns);
}

Test(reservation, an_overrun_delays_frames_that_had_conformed_already)
{
	struct policy_job *first = frame(2), *second;
	uint64_t arrived = few.now_ns;

	cr_assert_eq(few_next(&few), first);
	few.now_ns += camera.period_ns;
	second = frame(2);
	cr_assert_eq(reservation->frames, 2);
	policy_finished(few.policy, first, 12 * MS, few.now_ns += 2 * MS);
	cr_assert_eq(reservation->next_ns, arrived + 6 * camera.period_ns);
	policy_remove(few.policy, second);
}

Test(reservation, released_frames_are_ordinary_and_expire)
{
	struct policy_job *running = frame(2), *job;
	struct policy_decision decision;

	cr_assert_eq(few_next(&few), running);
	few.now_ns += camera.period_ns;
	job = frame(2);
	policy_release(few.policy, reservation, few.now_ns);
	reservation = NULL;
	cr_assert(policy_is_queued(job));
	few.now_ns += camera.deadline_ns;
	decision = few_decide(&few);
	cr_assert_eq(decision.action, POLICY_EXPIRE);
	cr_assert_eq(decision.job, job);
	few_run(&few, running, 0);
}

Test(reservation, one_that_is_not_used_gives_its_core_back_until_it_is)
{
	struct policy_job *job = few_job(&few, 1, ZY_CLASS_NORMAL, 1);
	struct policy_decision decision;

	job->bound_ns = 15 * MS;
	cr_assert_eq(few_push_it(&few, job), 0);
	decision = few_decide(&few);
	cr_assert_eq(decision.action, POLICY_NOTHING);
	for (int i = 0; i < 5 && decision.action == POLICY_NOTHING; i++) {
		cr_assert_neq(decision.ask_again_ns, UINT64_MAX);
		few.now_ns = decision.ask_again_ns;
		decision = few_decide(&few);
	}
	cr_assert_eq(decision.job, job);
	cr_assert(reservation->dormant);
	few_run(&few, job, 1);
	job = frame(2);
	cr_assert_not(reservation->dormant);
	cr_assert_eq(few_next(&few), job);
	few_run(&few, job, 2);
}

Test(reservation, a_refusal_says_which_period_would_do)
{
	struct reservation_spec spec = camera;

	policy_release(few.policy, reservation, few.now_ns);
	spec.budget_ns = 9 * MS;
	cr_assert_eq(reserve(&spec), RESERVATION_UTILISATION);
	cr_assert_null(reservation);
	cr_assert_gt(verdict.best_period_ns, 10 * MS);
	spec.period_ns = verdict.best_period_ns - 1001;
	cr_assert_neq(reserve(&spec), RESERVATION_GRANTED);
	spec.period_ns = verdict.best_period_ns ? verdict.best_period_ns : spec.period_ns + 1001;
	cr_assert_eq(reserve(&spec), RESERVATION_GRANTED);
}

Test(reservation, asking_to_see_keeps_nothing)
{
	struct reservation *other = NULL;

	policy_release(few.policy, reservation, few.now_ns);
	reservation = NULL;
	cr_assert_eq(policy_reserve(few.policy, &few.clients[0], &camera, true, few.now_ns, &other,
				    &verdict),
		     RESERVATION_GRANTED);
	cr_assert_null(other);
	cr_assert_eq(policy_core_info(few.policy, 0).n_reservations, 0);
}

Test(reservation, numbers_that_make_no_sense_are_refused)
{
	struct reservation_spec specs[] = {
		{0, 10 * MS, 10 * MS, 0, 1},
		{2 * MS, 0, 10 * MS, 0, 1},
		{2 * MS, 10 * MS, 1 * MS, 0, 1},
		{11 * MS, 10 * MS, 20 * MS, 0, 1},
		{2 * MS, 10 * MS, 10 * MS, 10 * MS, 1},
		{2 * MS, 10 * MS, 10 * MS, 0, 2},
		{2 * MS, UINT64_MAX, UINT64_MAX, 0, 1},
	};

	policy_release(few.policy, reservation, few.now_ns);
	for (size_t i = 0; i < sizeof(specs) / sizeof(*specs); i++)
		cr_assert_eq(reserve(&specs[i]), RESERVATION_INVALID, "%zu", i);
}

Test(stopping, a_job_in_the_way_is_preempted_in_time_and_runs_again)
{
	struct policy_job *job = few_job(&few, 1, ZY_CLASS_NORMAL, 1), *first;
	uint64_t began = few.now_ns, left;
	struct policy_decision decision;

	job->bound_ns = 1000 * MS;
	cr_assert_eq(few_push_it(&few, job), 0);
	cr_assert_eq(few_next(&few), job, "it can be stopped");
	first = frame(2);
	decision = few_decide(&few);
	while (decision.action == POLICY_NOTHING) {
		cr_assert_leq(decision.ask_again_ns, began + 10 * MS);
		few.now_ns = decision.ask_again_ns;
		decision = few_decide(&few);
	}
	cr_assert_eq(decision.action, POLICY_PREEMPT);
	cr_assert_eq(decision.job, job);
	cr_assert_geq(few.now_ns, began + 2 * MS,
		      "it had time for twice what it was thought to need");
	left = few.now_ns += few.settings.stop_ns;
	cr_assert_leq(left, began + policy_core_info(few.policy, 0).tolerance_ns);
	cr_assert_eq(policy_push_again(few.policy, job, false, few.now_ns), 0);
	cr_assert_eq(few_next(&few), first);
	few_run(&few, first, 2);
	cr_assert_eq(reservation->missed, 0);
}

Test(stopping, a_frame_that_lost_its_reservation_is_put_back_like_others)
{
	struct reservation *given_back = reservation;
	struct policy_decision decision;
	struct policy_job *job, *other;

	job = few_job(&few, 0, ZY_CLASS_REALTIME, 1);
	job->reservation = given_back;
	job->bound_ns = 9 * MS;
	cr_assert_eq(few_push_it(&few, job), 0);
	cr_assert_eq(few_next(&few), job);
	/* While it runs its client gives the reservation back, somebody else gets one, and the
	 * device is reset. */
	policy_release(few.policy, given_back, few.now_ns);
	cr_assert_eq(policy_reserve(few.policy, &few.clients[1], &camera, false, few.now_ns,
				    &reservation, &verdict),
		     RESERVATION_GRANTED);
	cr_assert_eq(policy_push_again(few.policy, job, false, few.now_ns), 0);
	if (reservation->next_ns > few.now_ns)
		few.now_ns = reservation->next_ns;
	cr_assert_eq(few_next(&few), job);
	other = few_job(&few, 1, ZY_CLASS_REALTIME, 2);
	other->reservation = reservation;
	cr_assert_eq(few_push_it(&few, other), 0);
	decision = few_decide(&few);
	while (decision.action == POLICY_NOTHING) {
		cr_assert_neq(decision.ask_again_ns, UINT64_MAX);
		few.now_ns = decision.ask_again_ns;
		decision = few_decide(&few);
	}
	cr_assert_eq(decision.action, POLICY_PREEMPT);
	cr_assert_eq(decision.job, job);
	cr_assert_eq(policy_push_again(few.policy, job, false, few.now_ns), 0);
	cr_assert_eq(few_decide(&few).action, POLICY_EXPIRE, "its deadline has passed meanwhile");
	cr_assert_eq(few_next(&few), other);
	few_run(&few, other, 2);
}

Test(stopping, a_job_that_keeps_to_its_estimate_is_left_alone)
{
	struct policy_job *job = few_job(&few, 1, ZY_CLASS_NORMAL, 2), *first;

	job->bound_ns = 1000 * MS;
	cr_assert_eq(few_push_it(&few, job), 0);
	cr_assert_eq(few_next(&few), job);
	first = frame(2);
	few.now_ns += 2 * MS - 1;
	cr_assert_eq(few_decide(&few).action, POLICY_NOTHING);
	policy_finished(few.policy, job, 2 * MS, ++few.now_ns);
	cr_assert_eq(few_next(&few), first);
	few_run(&few, first, 2);
}

Test(reservation, each_refusal_has_a_name_of_its_own)
{
	for (int i = 0; i <= RESERVATION_NO_MEMORY; i++)
		for (int k = 0; k < i; k++)
			cr_assert_str_neq(reservation_refusal_name((enum reservation_refusal)i),
					  reservation_refusal_name((enum reservation_refusal)k));
}
