/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/loop.h"

#define MS UINT64_C(1000000)

static struct loop *loop;
static int pair[2], other[2];
static struct loop_io *a, *b;
static unsigned int n_calls, n_timers, last_ready;
static struct loop_timer *timer;

static void setup(void)
{
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, other), 0);
}

static void teardown(void)
{
	loop_io_destroy(a);
	loop_io_destroy(b);
	loop_timer_destroy(timer);
	loop_destroy(loop);
}

TestSuite(loop, .init = setup, .fini = teardown);

static void stop(void *arg)
{
	n_timers++;
	loop_stop(arg);
}

/* Run for a while: nothing in these tests takes that long, unless it spins. */
static void run_for(uint64_t ns)
{
	struct loop_timer *end;

	cr_assert_eq(loop_timer_create(&end, loop, stop, loop), 0);
	cr_assert_eq(loop_timer_set(end, loop_now() + ns), 0);
	cr_assert_eq(loop_run(loop), 0);
	loop_timer_destroy(end);
}

static void note(void *arg, unsigned int ready)
{
	(void)arg;
	n_calls++;
	last_ready = ready;
	loop_stop(loop);
}

Test(loop, a_descriptor_is_reported_while_it_is_readable)
{
	cr_assert_eq(loop_io_create(&a, loop, pair[0], LOOP_READ, note, NULL), 0);
	run_for(20 * MS);
	cr_assert_eq(n_calls, 0);
	cr_assert_eq(send(pair[1], "x", 1, 0), 1);
	cr_assert_eq(loop_run(loop), 0);
	cr_assert_eq(loop_run(loop), 0);
	cr_assert_eq(n_calls, 2);
	cr_assert_eq(last_ready, LOOP_READ);
}

Test(loop, what_is_watched_for_can_change)
{
	cr_assert_eq(loop_io_create(&a, loop, pair[0], 0, note, NULL), 0);
	cr_assert_eq(send(pair[1], "x", 1, 0), 1);
	run_for(20 * MS);
	cr_assert_eq(n_calls, 0);
	cr_assert_eq(loop_io_set(a, LOOP_WRITE), 0);
	cr_assert_eq(loop_run(loop), 0);
	cr_assert_eq(last_ready, LOOP_WRITE);
	cr_assert_eq(loop_io_set(a, LOOP_READ | LOOP_WRITE), 0);
	cr_assert_eq(loop_run(loop), 0);
	cr_assert_eq(last_ready, LOOP_READ | LOOP_WRITE);
	cr_assert_eq(loop_io_set(a, 0), 0);
	n_calls = 0;
	run_for(20 * MS);
	cr_assert_eq(n_calls, 0);
}

Test(loop, a_peer_that_goes_is_noticed_without_reading)
{
	cr_assert_eq(loop_io_create(&a, loop, pair[0], LOOP_WRITE | LOOP_CLOSED, note, NULL), 0);
	cr_assert_eq(send(pair[1], "unread", 6, 0), 6);
	close(pair[1]);
	cr_assert_eq(loop_run(loop), 0);
	cr_assert(last_ready & LOOP_CLOSED);
}

/* The kernel reports that as an error, which libevent calls readable and writable. */
Test(loop, a_peer_that_goes_without_reading_is_noticed)
{
	cr_assert_eq(send(pair[0], "unread", 6, 0), 6);
	cr_assert_eq(loop_io_create(&a, loop, pair[0], LOOP_READ | LOOP_CLOSED, note, NULL), 0);
	close(pair[1]);
	cr_assert_eq(loop_run(loop), 0);
	cr_assert_eq(n_calls, 1);
}

Test(loop, watching_for_the_end_alone_is_refused)
{
	cr_assert_eq(loop_io_create(&a, loop, pair[0], LOOP_CLOSED, note, NULL), -EINVAL);
}

static void destroy_both(void *arg, unsigned int ready)
{
	(void)arg, (void)ready;
	n_calls++;
	loop_io_destroy(a);
	loop_io_destroy(b);
	a = b = NULL;
}

Test(loop, a_callback_may_destroy_its_own_watch_and_others_that_are_ready)
{
	cr_assert_eq(loop_io_create(&a, loop, pair[0], LOOP_READ, destroy_both, NULL), 0);
	cr_assert_eq(loop_io_create(&b, loop, other[0], LOOP_READ, destroy_both, NULL), 0);
	cr_assert_eq(send(pair[1], "x", 1, 0), 1);
	cr_assert_eq(send(other[1], "x", 1, 0), 1);
	run_for(20 * MS);
	cr_assert_eq(n_calls, 1);
}

static void replace(void *arg, unsigned int ready)
{
	(void)ready;
	n_calls++;
	loop_io_destroy(a);
	loop_io_destroy(b);
	a = NULL;
	close(pair[0]);
	close(other[0]);
	/* Takes the number of the other descriptor, which was reported ready in this turn. */
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(loop_io_create(&b, loop, pair[0], LOOP_READ, arg ? note : replace, NULL), 0);
}

Test(loop, a_reused_descriptor_does_not_inherit_events)
{
	cr_assert_eq(loop_io_create(&a, loop, pair[0], LOOP_READ, replace, &n_calls), 0);
	cr_assert_eq(loop_io_create(&b, loop, other[0], LOOP_READ, replace, &n_calls), 0);
	cr_assert_eq(send(pair[1], "x", 1, 0), 1);
	cr_assert_eq(send(other[1], "x", 1, 0), 1);
	run_for(20 * MS);
	cr_assert_eq(n_calls, 1);
}

static void nothing(void *arg, unsigned int ready)
{
	(void)arg, (void)ready;
}

Test(loop, a_timer_fires_once_and_never_early)
{
	/* Something else keeps the loop awake, so that every moment is looked at. */
	cr_assert_eq(loop_io_create(&a, loop, pair[0], LOOP_WRITE, nothing, NULL), 0);
	for (int i = 0; i < 100; i++) {
		uint64_t at = loop_now() + (uint64_t)(i % 10) * MS * 9 / 10;

		cr_assert_eq(timer ? 0 : loop_timer_create(&timer, loop, stop, loop), 0);
		cr_assert_eq(loop_timer_set(timer, at), 0);
		cr_assert_eq(loop_run(loop), 0);
		cr_assert_geq(loop_now(), at);
	}
	cr_assert_eq(n_timers, 100);
}

Test(loop, a_timer_can_be_cleared_and_set_again)
{
	cr_assert_eq(loop_timer_create(&timer, loop, stop, loop), 0);
	loop_timer_clear(timer);
	cr_assert_eq(loop_timer_set(timer, loop_now() + 5 * MS), 0);
	loop_timer_clear(timer);
	run_for(20 * MS);
	cr_assert_eq(n_timers, 1, "only the one of run_for()");
	cr_assert_eq(loop_timer_set(timer, loop_now() + 500 * MS), 0);
	cr_assert_eq(loop_timer_set(timer, loop_now() + 1 * MS), 0);
	cr_assert_eq(loop_run(loop), 0);
	cr_assert_eq(n_timers, 2);
}

static void on_signal(void *arg)
{
	n_calls++;
	loop_stop(arg);
}

Test(loop, signals_arrive_on_the_loop)
{
	struct loop_signal *sig;

	cr_assert_eq(loop_signal_create(&sig, loop, SIGUSR1, on_signal, loop), 0);
	raise(SIGUSR1);
	cr_assert_eq(loop_run(loop), 0);
	raise(SIGUSR1);
	cr_assert_eq(loop_run(loop), 0);
	cr_assert_eq(n_calls, 2);
	loop_signal_destroy(sig);
}

Test(loop, stopping_before_running_is_not_forgotten)
{
	loop_stop(loop);
	cr_assert_eq(loop_run(loop), 0);
}

/* An idle daemon uses no processor time: two thousand spins would take longer. */
Test(loop, waiting_for_a_peer_is_idle)
{
	struct rusage before, after;

	cr_assert_eq(loop_io_create(&a, loop, pair[0], LOOP_READ | LOOP_CLOSED, note, NULL), 0);
	getrusage(RUSAGE_SELF, &before);
	run_for(300 * MS);
	getrusage(RUSAGE_SELF, &after);
	cr_assert_lt(after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw, 40);
	cr_assert_eq(n_calls, 0);
}
