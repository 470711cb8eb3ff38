/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that breaks under a core. The kernel says so with SIGBUS, in the thread
 * that touched it, and means to end the process; the guard turns it into the end of
 * one group.
 *
 * Leaving the handler by a jump is safe because of where the signal struck: inside
 * npu_core_run(), on an operand, a chain, text or parameters. Nothing there holds a
 * lock or is half-way through changing anything but the core's own progress.
 *
 * How a process answers a signal is the process's, whoever has devices open, so
 * the handler is installed once and stays.
 */
#include <signal.h>

#include "daemon/device_soft.h"

/* What the calling thread guards; NULL: nothing. */
static __thread struct soft_guard *volatile current;

static struct sigaction previous;

static void on_bus_error(int signum, siginfo_t *info, void *context)
{
	struct soft_guard *guard = current;

	(void)context;
	/* A positive code is the kernel's, about an access; others were sent by somebody. */
	if (guard && info->si_code > 0 &&
	    soft_ranges_find(guard->ranges, info->si_addr, &guard->address)) {
		current = NULL;
		siglongjmp(guard->env, 1);
	}
	/* Whoever was to hear of it before us: the access will be repeated, and fail again. */
	sigaction(SIGBUS, &previous, NULL);
	if (info->si_code <= 0)
		raise(signum);
}

static void install(void)
{
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, &previous);
}

void soft_guard_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}

void soft_guard_set(struct soft_guard *guard)
{
	current = guard;
}

/* sigsetjmp() could save the mask, too, but would enter the kernel each time. */
void soft_guard_recover(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
