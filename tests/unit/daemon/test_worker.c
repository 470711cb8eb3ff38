/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/loop.h"
#include "daemon/worker.h"

#define N_ITEMS 1000

struct item {
	struct work work;
	int number;
	pthread_t thread;
	struct item *again; /* submitted by done() */
};

static struct loop *loop;
static struct worker *worker;
static struct item items[N_ITEMS];
static int n_done, n_run;

static void setup(void)
{
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(worker_create(&worker, loop), 0);
}

static void teardown(void)
{
	worker_destroy(worker);
	loop_destroy(loop);
}

TestSuite(worker, .init = setup, .fini = teardown);

static void run(struct work *work)
{
	struct item *item = list_entry(work, struct item, work);

	cr_assert_eq(item->number, n_run++, "items run in order, one at a time");
	item->thread = pthread_self();
}

static void done(struct work *work)
{
	struct item *item = list_entry(work, struct item, work);

	cr_assert(!pthread_equal(item->thread, pthread_self()), "it ran on another thread");
	cr_assert_eq(item->number, n_done++);
	if (item->again)
		worker_submit(worker, &item->again->work);
	if (n_done == N_ITEMS)
		loop_stop(loop);
}

static void prepare(int n)
{
	for (int i = 0; i < n; i++)
		items[i] = (struct item){.work = {.run = run, .done = done}, .number = i};
}

Test(worker, items_run_in_order_and_are_done_on_the_loop)
{
	prepare(N_ITEMS);
	for (int i = 0; i < N_ITEMS; i++)
		worker_submit(worker, &items[i].work);
	cr_assert_eq(loop_run(loop), 0);
	cr_assert_eq(n_done, N_ITEMS);
}

Test(worker, done_may_submit_more)
{
	prepare(N_ITEMS);
	for (int i = 0; i + 1 < N_ITEMS; i++)
		items[i].again = &items[i + 1];
	worker_submit(worker, &items[0].work);
	cr_assert_eq(loop_run(loop), 0);
	cr_assert_eq(n_done, N_ITEMS);
}

Test(worker, destroying_it_finishes_what_was_submitted_and_what_that_submits)
{
	prepare(10);
	for (int i = 0; i < 5; i++)
		worker_submit(worker, &items[i].work);
	for (int i = 4; i < 9; i++)
		items[i].again = &items[i + 1];
	worker_destroy(worker);
	worker = NULL;
	cr_assert_eq(n_done, 10);
}

static void run_freed(struct work *work)
{
	(void)work;
	n_run++;
}

static void done_freed(struct work *work)
{
	free(list_entry(work, struct item, work));
	n_done++;
}

Test(worker, done_may_free_the_item)
{
	for (int i = 0; i < 100; i++) {
		struct item *item = calloc(1, sizeof(*item));

		item->work.run = run_freed;
		item->work.done = done_freed;
		worker_submit(worker, &item->work);
	}
	worker_destroy(worker);
	worker = NULL;
	cr_assert_eq(n_done, 100);
}

static sigset_t blocked;

static void look_at_mask(struct work *work)
{
	(void)work;
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
}

static void nothing(struct work *work)
{
	(void)work;
}

Test(worker, signals_are_left_to_the_loop)
{
	struct item item = {.work = {.run = look_at_mask, .done = nothing}};
	sigset_t ours;

	worker_submit(worker, &item.work);
	worker_destroy(worker);
	worker = NULL;
	cr_assert(sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGINT));
	pthread_sigmask(SIG_BLOCK, NULL, &ours);
	cr_assert_not(sigismember(&ours, SIGTERM));
}
