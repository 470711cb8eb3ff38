/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog, and what follows when it bites. One timer serves all: it rings at
 * the earliest moment at which something must have happened. To cost a request
 * nothing, a job is first due after the shortest time any job is allowed, and only
 * then is looked up what its model's runs have taken so far.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/binding.h"
#include "daemon/device.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/scheduler_internal.h"

#define NEVER UINT64_MAX
#define MS(ns) ((double)(ns) / 1e6)

/*
 * The timer
 */

static void ring_at(struct scheduler *sched, uint64_t at_ns)
{
	if (at_ns >= sched->watchdog_ns)
		return;
	sched->watchdog_ns = at_ns;
	loop_timer_set(sched->watchdog, at_ns);
}

static const struct estimate_limits *limits_of(const struct scheduler *sched,
					       const struct model *model)
{
	const struct scheduler_patience *patience = &sched->patience;

	for (unsigned int i = 0; i < patience->n_models; i++)
		if (strcmp(patience->models[i].model, model->name) == 0)
			return &patience->models[i].limits;
	return &patience->watchdog;
}

void rescue_watch(struct scheduler *sched, struct job *job, uint64_t now_ns)
{
	job->since_ns = now_ns;
	/* A verdict has a limit of its own already. */
	if (job->verdict == ZY_OK)
		job->due_ns = now_ns + limits_of(sched, job->binding->model)->floor_ns;
	ring_at(sched, job->due_ns);
}

void rescue_watch_timeout(struct scheduler *sched, struct job *job)
{
	list_append(&sched->timed, &job->timed_link);
	ring_at(sched, job->timeout_at_ns);
}

/* Whoever asks how we are would hear something else now. */
static void changed(const struct scheduler *sched)
{
	if (sched->changed)
		sched->changed(sched->changed_arg);
}

/*
 * The ladder
 */

static void declare_gone(struct scheduler *sched)
{
	struct job *job;

	log_event(LOG_LEVEL_ERROR, LOG_EVENT_DEVICE_GONE,
		  "the device is gone; it will be used again when it is back");
	while ((job = list_first(&sched->queued, struct job, link)))
		scheduler_drop(sched, job, ZY_DEVICE_GONE);
	/* Their buffers stay pinned: nobody knows what the device still does. */
	for (job = scheduler_next_running(sched, NULL); job;
	     job = scheduler_next_running(sched, job))
		if (!job->detached)
			scheduler_detach(sched, job, job->verdict ? job->verdict : ZY_DEVICE_GONE);
	scheduler_check_drained(sched);
}

static int take_step(struct scheduler *sched, enum recovery_step step)
{
	struct device *device = sched->device;

	sched->counters.steps[step]++;
	switch (step) {
	case RECOVERY_ABORT:
		/* It may have ended by itself since it was found guilty. */
		return sched->guilty
			       ? device_abort(device, scheduler_device_cookie(sched, sched->guilty))
			       : 0;
	case RECOVERY_SOFT_RESET:
		return device_soft_reset(device);
	case RECOVERY_RESET:
		return device_reset(device);
	case RECOVERY_REOPEN:
		return device_reopen(device);
	case RECOVERY_GONE:
		declare_gone(sched);
		return 0;
	case RECOVERY_IDLE:
	case RECOVERY_STEP_MAX_:
		break;
	}
	return 0;
}

static void settled(struct scheduler *sched)
{
	uint64_t now = loop_now(), took = now - sched->recovery.began_ns;
	enum recovery_step step = sched->recovery.step;

	recovery_settled(&sched->recovery, now);
	if (sched->recovery.step != RECOVERY_IDLE)
		return;
	sched->counters.recoveries++;
	if (took > sched->counters.recovery_max_ns)
		sched->counters.recovery_max_ns = took;
	sched->blames = false;
	if (step != RECOVERY_ABORT)
		log_event(LOG_LEVEL_INFO, LOG_EVENT_DEVICE_BACK,
			  "the device works again after %s, %.1f ms; %" PRIu64
			  " requests run again%s",
			  recovery_step_name(step), MS(took),
			  sched->counters.resubmitted - sched->resubmitted_before,
			  sched->n_suspects ? ", one at a time" : "");
	sched->resubmitted_before = sched->counters.resubmitted;
	changed(sched);
}

/* What the present step promised may have happened. */
static void check_settled(struct scheduler *sched)
{
	if (!sched->recovery.waiting)
		return;
	if (sched->recovery.step == RECOVERY_ABORT ? !sched->guilty : !sched->n_running)
		settled(sched);
}

static void carry_out(struct scheduler *sched, struct recovery_order order)
{
	while (order.step != RECOVERY_IDLE) {
		uint64_t began = loop_now();
		enum recovery_step step = order.step;
		int r = take_step(sched, step);

		if (r == -ENOTRECOVERABLE && !sched->memory_lost) {
			log_error("the device is back, but what was in its memory is lost: restart "
				  "zhouyid to use it again");
			sched->memory_lost = true;
		}
		if (step != RECOVERY_GONE &&
		    (step != RECOVERY_REOPEN || sched->recovery.tries <= 1))
			log_warning("device recovery: %s: %s, %.3f ms", recovery_step_name(step),
				    r < 0 ? strerror(-r) : "done", MS(loop_now() - began));
		order = recovery_result(&sched->recovery, r, loop_now());
		changed(sched);
	}
	check_settled(sched);
	ring_at(sched, sched->recovery.due_ns);
}

/*
 * Verdicts
 */

static void blame(struct scheduler *sched, struct job *job, uint64_t now)
{
	const struct model *model = job->binding->model;
	uint64_t until = quarantine_strike(&sched->quarantine, model->hash, job->uid, now);

	sched->counters.overrun++;
	log_warning("request %" PRIu64 " of uid %u overran: model '%s' on core %u for %.1f ms",
		    job->id, job->uid, model->name, job->core, MS(now - job->since_ns));
	if (!until)
		return;
	log_event(LOG_LEVEL_WARNING, LOG_EVENT_QUARANTINE,
		  "model '%s' is in quarantine for uid %u, for %.1f s", model->name, job->uid,
		  (double)(until - now) / 1e9);
	changed(sched);
}

void rescue_overran(struct scheduler *sched, struct job *job)
{
	if (job->verdict != ZY_OK)
		return;
	if (!job->is_internal)
		blame(sched, job, loop_now());
	job->verdict = ZY_DEVICE_TIMEOUT;
}

/* The watchdog has waited long enough for this one. */
static void begin(struct scheduler *sched, struct job *job, uint64_t now)
{
	if (job->verdict == ZY_OK) {
		if (!job->is_internal)
			blame(sched, job, now);
		job->verdict = ZY_DEVICE_TIMEOUT;
	}
	job->due_ns = NEVER;
	sched->guilty = job;
	sched->blames = true;
	carry_out(sched, recovery_begin(&sched->recovery, now));
}

void rescue_stop(struct scheduler *sched, struct job *job, enum zy_status verdict)
{
	if (job->verdict != ZY_OK)
		return;
	job->verdict = verdict;
	/* Whether it is refused or has no effect: the watchdog looks after it. */
	(void)device_abort(sched->device, scheduler_device_cookie(sched, job));
	job->due_ns = loop_now() + sched->patience.recovery.abort_ns;
	ring_at(sched, job->due_ns);
}

void rescue_preempt(struct scheduler *sched, struct job *job)
{
	/* If it is refused, or without effect, the watchdog's own limit holds. */
	if (job->verdict == ZY_OK)
		(void)device_abort(sched->device, scheduler_device_cookie(sched, job));
}

uint64_t rescue_bound(const struct scheduler *sched, const struct model *model)
{
	return estimate_limit(&model->estimate, limits_of(sched, model)) +
	       sched->patience.recovery.abort_ns;
}

static bool has_overrun(struct scheduler *sched, struct job *job, uint64_t now)
{
	uint64_t limit;

	if (job->due_ns > now)
		return false;
	if (job->verdict != ZY_OK)
		return true;
	limit = estimate_limit(&job->binding->model->estimate,
			       limits_of(sched, job->binding->model));
	job->due_ns = job->since_ns + limit;
	return job->due_ns <= now;
}

static void expire_timeouts(struct scheduler *sched, uint64_t now)
{
	struct job *job, *next;

	list_for_each_safe (job, next, &sched->timed, timed_link) {
		if (job->timeout_at_ns > now)
			continue;
		list_remove(&job->timed_link);
		sched->counters.timed_out += !job->is_internal;
		if (job->state == JOB_QUEUED) {
			scheduler_drop(sched, job, ZY_TIMEOUT);
		} else if (job->state == JOB_RUNNING && job->verdict == ZY_OK) {
			rescue_stop(sched, job, ZY_TIMEOUT);
			scheduler_detach(sched, job, ZY_TIMEOUT);
		}
	}
}

static struct job *find_overrun(struct scheduler *sched, uint64_t now)
{
	struct job *job;

	for (job = scheduler_next_running(sched, NULL); job;
	     job = scheduler_next_running(sched, job))
		if (has_overrun(sched, job, now))
			return job;
	return NULL;
}

/* The earliest moment at which there may be something to do. */
static uint64_t next_ring(const struct scheduler *sched)
{
	uint64_t at = sched->recovery.due_ns;
	const struct job *job;

	list_for_each (job, &sched->timed, timed_link)
		at = job->timeout_at_ns < at ? job->timeout_at_ns : at;
	/* While the device is being recovered the next overrun has to wait. */
	if (sched->recovery.step != RECOVERY_IDLE)
		return at;
	for (job = scheduler_next_running(sched, NULL); job;
	     job = scheduler_next_running(sched, job))
		at = job->due_ns < at ? job->due_ns : at;
	return at;
}

static void on_watchdog(void *arg)
{
	struct scheduler *sched = arg;
	uint64_t now = loop_now();
	struct job *job;

	sched->watchdog_ns = NEVER;
	expire_timeouts(sched, now);
	carry_out(sched, recovery_tick(&sched->recovery, now));
	if (sched->recovery.step == RECOVERY_IDLE) {
		job = find_overrun(sched, now);
		if (job)
			begin(sched, job, now);
	}
	ring_at(sched, next_ring(sched));
	scheduler_kick(sched);
	scheduler_check_drained(sched);
}

/*
 * The interface
 */

int rescue_init(struct scheduler *sched, struct loop *loop)
{
	sched->patience = SCHEDULER_PATIENCE_DEFAULT;
	sched->watchdog_ns = NEVER;
	list_init(&sched->timed);
	recovery_init(&sched->recovery, &sched->patience.recovery);
	quarantine_init(&sched->quarantine, &sched->patience.quarantine);
	return loop_timer_create(&sched->watchdog, loop, on_watchdog, sched);
}

void rescue_finish(struct scheduler *sched)
{
	loop_timer_destroy(sched->watchdog);
}

bool rescue_may_start(const struct scheduler *sched)
{
	return sched->recovery.step == RECOVERY_IDLE && !(sched->n_suspects && sched->n_running);
}

void rescue_vanished(struct scheduler *sched)
{
	if (sched->recovery.step == RECOVERY_REOPEN || sched->recovery.step == RECOVERY_GONE)
		return;
	log_error("the device has vanished");
	carry_out(sched, recovery_vanished(&sched->recovery, loop_now()));
}

void rescue_event(struct scheduler *sched, const struct job *job, bool lost)
{
	if (job == sched->guilty)
		sched->guilty = NULL;
	if (lost)
		rescue_vanished(sched);
	if (sched->recovery.step == RECOVERY_IDLE)
		return;
	check_settled(sched);
	/* The next one may have been waiting for this recovery to end. */
	if (sched->recovery.step == RECOVERY_IDLE)
		ring_at(sched, next_ring(sched));
}

void rescue_mark(struct scheduler *sched, struct job *job)
{
	if (!sched->blames || job->suspect)
		return;
	job->suspect = true;
	sched->n_suspects++;
}

void rescue_clear(struct scheduler *sched, struct job *job)
{
	list_remove(&job->timed_link);
	if (!job->suspect)
		return;
	job->suspect = false;
	sched->n_suspects--;
}

uint64_t scheduler_overdue(const struct scheduler *sched, uint64_t now_ns)
{
	uint64_t since = now_ns;
	const struct job *job;

	if (!sched->n_running)
		return 0;
	if (sched->recovery.step != RECOVERY_IDLE)
		return now_ns - sched->recovery.began_ns;
	for (job = scheduler_next_running(sched, NULL); job;
	     job = scheduler_next_running(sched, job))
		since = job->due_ns < since ? job->due_ns : since;
	return now_ns - since;
}
