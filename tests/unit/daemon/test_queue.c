/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "daemon/job.h"
#include "daemon/queue.h"

static struct queue queue;
static struct job jobs[4];
static unsigned int load[3];
static struct queue_view view;

static void setup(void)
{
	queue_init(&queue);
	for (size_t i = 0; i < 4; i++) {
		jobs[i] = (struct job){.id = i, .core_mask = 7};
		queue_push(&queue, &jobs[i], i);
	}
	for (size_t i = 0; i < 3; i++)
		load[i] = 0;
	view = (struct queue_view){.load = load, .n_cores = 3, .depth = 2};
}

TestSuite(queue, .init = setup);

static struct job *next(void)
{
	struct queue_decision decision = queue_next(&queue, &view, 0);

	if (decision.job)
		load[decision.core]++;
	return decision.job;
}

Test(queue, serves_jobs_in_the_order_of_arrival)
{
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(next(), &jobs[i]);
	cr_assert_null(next());
	cr_assert_eq(queue.n_jobs, 0);
}

Test(queue, spreads_jobs_over_idle_cores_before_it_stacks_them)
{
	for (size_t i = 0; i < 3; i++)
		next();
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(load[i], 1);
}

Test(queue, never_puts_a_job_on_a_core_outside_its_mask)
{
	jobs[0].core_mask = 4;
	for (int i = 0; i < 20; i++) {
		struct queue_decision decision = queue_next(&queue, &view, 0);

		if (decision.job == &jobs[0])
			cr_assert_eq(decision.core, 2);
	}
}

Test(queue, a_blocked_head_does_not_hold_up_the_jobs_behind_it)
{
	jobs[0].core_mask = 1;
	load[0] = 2;
	cr_assert_eq(next(), &jobs[1]);
	load[0] = 0;
	cr_assert_eq(next(), &jobs[0]);
}

static bool only_the_third(const struct job *job, void *arg)
{
	(void)arg;
	return job == &jobs[2];
}

Test(queue, skips_jobs_that_cannot_start)
{
	view.can_start = only_the_third;
	cr_assert_eq(next(), &jobs[2]);
	cr_assert_null(next());
	cr_assert_eq(queue.n_jobs, 3);
}

Test(queue, decides_nothing_when_every_core_is_full)
{
	for (size_t i = 0; i < 3; i++)
		load[i] = 2;
	cr_assert_null(next());
	cr_assert_eq(queue.n_jobs, 4);
}

Test(queue, a_removed_job_is_never_served)
{
	queue_remove(&queue, &jobs[1]);
	cr_assert_eq(next(), &jobs[0]);
	cr_assert_eq(next(), &jobs[2]);
	cr_assert_eq(queue.n_jobs, 1);
}

Test(queue, a_job_that_comes_back_stands_where_it_stood)
{
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(next(), &jobs[i]);
	for (size_t i = 0; i < 3; i++)
		load[i] = 0;
	queue_push_again(&queue, &jobs[1]);
	queue_push_again(&queue, &jobs[0]);
	queue_push_again(&queue, &jobs[2]);
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(next(), &jobs[i]);
	cr_assert_eq(queue.n_jobs, 0);
}
