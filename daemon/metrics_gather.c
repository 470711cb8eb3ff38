/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the numbers from where they are; fast, because the loop waits. */
#include <time.h>

#include "daemon/device.h"
#include "daemon/loop.h"
#include "daemon/metrics.h"
#include "daemon/model.h"
#include "daemon/scheduler.h"
#include "daemon/session.h"

static void gather_health(struct metrics_snapshot *ret, const struct session_group *group)
{
	struct health health;

	health_of(group, loop_now(), &health);
	ret->health = health.state;
	ret->health_reasons = health.reasons;
}

/* The clock may have been set since, so this is as exact as that is. */
static double start_time(const struct session_group *group)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9 -
	       (double)(loop_now() - group->started_ns) / 1e9;
}

static void gather_device(struct metrics_snapshot *ret, struct device *device,
			  const struct policy *policy)
{
	bool one = device->caps.placement == DEVICE_PLACEMENT_NONE;

	ret->backend = device->caps.backend;
	ret->target = device->caps.target.name;
	ret->memory_bytes = device->caps.memory_bytes;
	ret->memory_used = device_memory_used(device);
	/* Where masks are not honoured all cores are one to the policy. */
	ret->n_cores = one ? 1 : device->caps.cores;
	for (unsigned int i = 0; i < ret->n_cores; i++)
		ret->core_ns[i] = policy_core_info(policy, i).device_ns;
}

static void gather_scheduler(struct metrics_snapshot *ret, const struct scheduler *sched)
{
	const struct scheduler_counters *counters = &sched->counters;

	for (unsigned int i = 0; i < ZY_CLASS_MAX_; i++)
		ret->classes[i] = policy_class_info(sched->policy, (enum zy_class)i);
	ret->running = sched->n_running + sched->n_clearing;
	ret->quarantines = quarantine_count(&sched->quarantine, loop_now());
	ret->accepted = counters->accepted;
	ret->answered = counters->answered;
	ret->copied_bytes = counters->copied_bytes;
	ret->overrun = counters->overrun;
	ret->resubmitted = counters->resubmitted;
	ret->preempted = counters->preempted;
	ret->recoveries = counters->recoveries;
	ret->recovery_max_ns = counters->recovery_max_ns;
	for (unsigned int i = 0; i < RECOVERY_STEP_MAX_; i++)
		ret->steps[i] = counters->steps[i];
}

void metrics_gather(struct metrics_snapshot *ret, const struct session_group *group)
{
	ret->start_time = start_time(group);
	gather_health(ret, group);
	ret->sessions = group->n_sessions;
	ret->loaded_models = (unsigned int)group->models->n_models;
	gather_device(ret, group->device, group->scheduler->policy);
	gather_scheduler(ret, group->scheduler);
	metrics_copy(&ret->counted, group->models->metrics);
}
