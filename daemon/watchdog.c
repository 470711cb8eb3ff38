/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/watchdog.h"

#include <stdlib.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/notify.h"
#include "daemon/scheduler.h"

#define LAST_WORDS_NS UINT64_C(500000000)

/* How often we have to say something, or 0 if nobody listens. */
static uint64_t period_ns(void)
{
	const char *period = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	unsigned long long us = period ? strtoull(period, NULL, 10) : 0;

	/* Inherited by whom it was not meant for. */
	if (pid && strtol(pid, NULL, 10) != getpid())
		return 0;
	return us > UINT64_MAX / 1000 ? 0 : us * 1000;
}

/* A device that is gone without a job is not stuck: the daemon waits for it. */
static bool is_stuck(const struct watchdog *watchdog)
{
	return scheduler_overdue(watchdog->scheduler, loop_now()) >= watchdog->device_ns;
}

static void complain(const struct watchdog *watchdog)
{
	log_event(LOG_LEVEL_ERROR, LOG_EVENT_STUCK,
		  "the device should have given back %u jobs %.1f s ago, and nothing helps: asking "
		  "to be restarted",
		  watchdog->scheduler->n_running,
		  (double)scheduler_overdue(watchdog->scheduler, loop_now()) / 1e9);
}

static void on_time(void *arg)
{
	struct watchdog *watchdog = arg;
	uint64_t wait = watchdog->interval_ns;

	if (!is_stuck(watchdog)) {
		notify_send("WATCHDOG=1");
		watchdog->stuck = watchdog->asked = false;
	} else if (!watchdog->stuck) {
		complain(watchdog);
		watchdog->stuck = true;
		/* journald has to find us alive when it looks up whose line it was: see
		 * log_close(). */
		wait = wait < LAST_WORDS_NS ? wait : LAST_WORDS_NS;
	} else if (!watchdog->asked) {
		/* To be silent would do, too, but clients would have to wait. */
		notify_send("WATCHDOG=trigger");
		watchdog->asked = true;
	}
	loop_timer_set(watchdog->timer, loop_now() + wait);
}

int watchdog_init(struct watchdog *watchdog, struct loop *loop, const struct scheduler *scheduler)
{
	/* Often enough that one late turn of the loop does no harm. */
	uint64_t interval = period_ns() / 4;
	int r;

	*watchdog = (struct watchdog){
		.scheduler = scheduler, .interval_ns = interval, .device_ns = WATCHDOG_DEVICE_NS};
	if (!interval)
		return 0;
	r = loop_timer_create(&watchdog->timer, loop, on_time, watchdog);
	return r < 0 ? r : loop_timer_set(watchdog->timer, 0);
}

void watchdog_finish(struct watchdog *watchdog)
{
	loop_timer_destroy(watchdog->timer);
	watchdog->timer = NULL;
}
