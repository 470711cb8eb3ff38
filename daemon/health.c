/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/health.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "daemon/device.h"
#include "daemon/listener.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/notify.h"
#include "daemon/reload.h"
#include "daemon/scheduler.h"
#include "daemon/session.h"

#define SECONDS(ns) ((double)(ns) / 1e9)

static const struct {
	const char *name;
	/* What the log says when it begins and when it is over; NULL: something else does. */
	const char *over;
	bool is_news;
} reasons[HEALTH_REASON_MAX_] = {
	[HEALTH_STOPPING] = {"stopping", NULL, false},
	[HEALTH_MEMORY_LOST] = {"memory_lost", NULL, false},
	[HEALTH_DEVICE_GONE] = {"device_gone", NULL, false},
	[HEALTH_RECOVERING] = {"recovering", NULL, false},
	[HEALTH_CORES_UNUSED] = {"cores_unused", "all cores are in use again", true},
	[HEALTH_QUARANTINE] = {"quarantine", "nothing is in quarantine any more", false},
	[HEALTH_OLD_CONFIG] = {"old_config", NULL, false},
	[HEALTH_TURNED_AWAY] = {"turned_away", "no clients are turned away any more", false},
};

static const char *const states[HEALTH_STATE_MAX_] = {
	[HEALTH_STARTING] = "starting",
	[HEALTH_READY] = "ready",
	[HEALTH_DEGRADED] = "degraded",
	[HEALTH_DRAINING] = "draining",
};

const char *health_state_name(enum health_state state)
{
	return (unsigned int)state < HEALTH_STATE_MAX_ ? states[state] : "unknown";
}

const char *health_reason_name(enum health_reason reason)
{
	return (unsigned int)reason < HEALTH_REASON_MAX_ ? reasons[reason].name : "unknown";
}

/*
 * Finding reasons
 */

static void add(struct health *health, enum health_reason reason, uint64_t since_ns,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

static void add(struct health *health, enum health_reason reason, uint64_t since_ns,
		const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(health->texts[reason], HEALTH_TEXT_MAX, format, args);
	va_end(args);
	health->reasons |= 1u << reason;
	health->since_ns[reason] = since_ns;
}

static void until(struct health *health, uint64_t at_ns)
{
	health->until_ns = at_ns < health->until_ns ? at_ns : health->until_ns;
}

static void look_at_device(const struct scheduler *sched, struct health *ret)
{
	const struct recovery *recovery = &sched->recovery;

	if (sched->memory_lost)
		add(ret, HEALTH_MEMORY_LOST, 0,
		    "the device is back without what was in its memory: restart zhouyid");
	else if (recovery->step == RECOVERY_GONE)
		add(ret, HEALTH_DEVICE_GONE, recovery->began_ns,
		    "the device is gone; zhouyid waits for it to come back");
	else if (recovery->step != RECOVERY_IDLE)
		add(ret, HEALTH_RECOVERING, recovery->began_ns, "the device is being recovered: %s",
		    recovery_step_name(recovery->step));
}

static void look_at_cores(const struct scheduler *sched, struct health *ret)
{
	const struct device_caps *caps = &sched->device->caps;
	/* If cores cannot be told apart they are one to the policy. */
	unsigned int n = caps->placement == DEVICE_PLACEMENT_NONE ? 1 : caps->cores, n_unused = 0;

	for (unsigned int i = 0; i < n; i++)
		n_unused += !policy_core_info(sched->policy, i).healthy;
	if (n_unused)
		add(ret, HEALTH_CORES_UNUSED, 0, "%u of %u cores are not used: they do not work",
		    n_unused, n);
}

static void look_at_quarantine(const struct scheduler *sched, uint64_t now_ns, struct health *ret)
{
	unsigned int n = quarantine_count(&sched->quarantine, now_ns);

	if (!n)
		return;
	add(ret, HEALTH_QUARANTINE, 0,
	    n == 1 ? "requests of %u user for a model are in quarantine: they made the device hang"
		   : "requests of %u users and models are in quarantine: they made the device hang",
	    n);
	until(ret, quarantine_next(&sched->quarantine, now_ns));
}

static void look_at_listener(const struct listener *listener, uint64_t now_ns, struct health *ret)
{
	if (!listener->turned_away_ns || now_ns - listener->turned_away_ns >= HEALTH_TURNED_AWAY_NS)
		return;
	add(ret, HEALTH_TURNED_AWAY, 0, "clients are turned away: %s", listener->turned_away_why);
	until(ret, listener->turned_away_ns + HEALTH_TURNED_AWAY_NS);
}

void health_of(const struct session_group *group, uint64_t now_ns, struct health *ret)
{
	const struct scheduler *sched = group->scheduler;
	bool draining = group->draining || sched->draining;

	*ret = (struct health){.until_ns = UINT64_MAX};
	if (draining)
		add(ret, HEALTH_STOPPING, 0,
		    "zhouyid is stopping; requests on the device may finish");
	look_at_device(sched, ret);
	look_at_cores(sched, ret);
	look_at_quarantine(sched, now_ns, ret);
	if (group->reload && group->reload->was_refused)
		add(ret, HEALTH_OLD_CONFIG, 0,
		    "the configuration is refused, and an older one is in effect; the log says "
		    "why");
	if (group->listener)
		look_at_listener(group->listener, now_ns, ret);
	ret->state = draining ? HEALTH_DRAINING : ret->reasons ? HEALTH_DEGRADED : HEALTH_READY;
}

char *health_say(const struct health *health, enum health_reason reason, uint64_t now_ns,
		 char buf[static HEALTH_TEXT_MAX])
{
	uint64_t since = health->since_ns[reason];

	if (since)
		snprintf(buf, HEALTH_TEXT_MAX, "%s (for %.1f s)", health->texts[reason],
			 SECONDS(now_ns - since));
	else
		snprintf(buf, HEALTH_TEXT_MAX, "%s", health->texts[reason]);
	return buf;
}

/*
 * Watching
 */

void health_starting(const char *what)
{
	char status[HEALTH_TEXT_MAX];

	snprintf(status, sizeof(status), "STATUS=%s: %s", states[HEALTH_STARTING], what);
	notify_send(status);
}

/* What is said stays there until something else is: no durations. */
static void write_status(const struct health *health, char ret[static HEALTH_STATUS_MAX])
{
	const char *before = ": ";
	int at = snprintf(ret, HEALTH_STATUS_MAX, "STATUS=%s", states[health->state]);

	for (unsigned int r = 0; r < HEALTH_REASON_MAX_; r++) {
		if (!(health->reasons & 1u << r))
			continue;
		at += snprintf(ret + at, HEALTH_STATUS_MAX - (size_t)at, "%s%s", before,
			       health->texts[r]);
		before = "; ";
	}
}

static void tell_log(const struct health *health, unsigned int changed)
{
	for (unsigned int r = 0; r < HEALTH_REASON_MAX_; r++) {
		if (!(changed & 1u << r))
			continue;
		if (!(health->reasons & 1u << r) && reasons[r].over)
			log_info("%s", reasons[r].over);
		else if ((health->reasons & 1u << r) && reasons[r].is_news)
			log_warning("%s", health->texts[r]);
	}
}

static void look(struct health_watch *watch)
{
	char status[HEALTH_STATUS_MAX];
	struct health health;

	health_of(watch->group, loop_now(), &health);
	if (health.until_ns != UINT64_MAX)
		loop_timer_set(watch->timer, health.until_ns);
	/* In the end everything is over, which says nothing. */
	if (health.state != HEALTH_DRAINING)
		tell_log(&health, health.reasons ^ watch->reasons);
	watch->reasons = health.reasons;
	write_status(&health, status);
	if (strcmp(status, watch->status) == 0)
		return;
	strcpy(watch->status, status);
	notify_send(status);
}

static void on_time(void *arg)
{
	look(arg);
}

int health_watch_init(struct health_watch *watch, struct loop *loop,
		      const struct session_group *group)
{
	int r;

	*watch = (struct health_watch){.group = group};
	r = loop_timer_create(&watch->timer, loop, on_time, watch);
	if (r == 0)
		look(watch);
	return r;
}

void health_watch_finish(struct health_watch *watch)
{
	loop_timer_destroy(watch->timer);
	watch->timer = NULL;
}

void health_changed(void *arg)
{
	struct health_watch *watch = arg;

	/* Not now: whoever calls may be in the middle of it. And once, if much changes at once. */
	if (watch->timer)
		loop_timer_set(watch->timer, 0);
}
