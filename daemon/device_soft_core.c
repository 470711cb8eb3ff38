/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cores of the software device: a thread for each, which runs what the engine
 * has handed to its core, and sleeps.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

#include "daemon/device_soft.h"

uint64_t soft_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void soft_cores_wake(struct soft *soft, uint64_t mask)
{
	for (unsigned int i = 0; i < soft->device.caps.cores; i++)
		if (mask >> i & 1)
			pthread_cond_signal(&soft->cores[i].wake);
}

static void core_wait(struct soft_core *core, uint64_t until)
{
	struct timespec ts = {
		.tv_sec = (time_t)(until / 1000000000u),
		.tv_nsec = (long)(until % 1000000000u),
	};

	if (until == NPU_TIME_NEVER)
		pthread_cond_wait(&core->wake, &core->soft->lock);
	else
		pthread_cond_timedwait(&core->wake, &core->soft->lock, &ts);
}

static void core_start(struct soft_core *core, struct soft_job *job)
{
	uint64_t bit = UINT64_C(1) << core->npu->index;

	core->started = true;
	if (!(job->event.cores & bit))
		core->n_jobs++;
	job->event.cores |= bit;
	if (!job->started_ns)
		job->started_ns = soft_now();
	if (job->faults)
		core->started_ns = soft_now();
}

static void core_retire(struct soft_core *core, struct soft_job *job)
{
	job->ended_ns = soft_now();
	core->called = core->started = false;
	npu_core_retire(core->npu);
	soft_pump(core->soft);
	if (core->soft->reopening)
		pthread_cond_signal(&core->soft->settled);
	soft_cores_wake(core->soft, core->soft->to_wake);
	core->soft->to_wake = 0;
}

/* What goes wrong with a group in place of its program. True if something did. */
static bool core_go_wrong(struct soft_core *core, struct soft_job *job)
{
	if (core->npu->abort || !(job->faults & (FAULT_BIT(HANG) | FAULT_BIT(EXCEPTION))))
		return false;
	if (job->faults & FAULT_BIT(HANG)) {
		core_wait(core, NPU_TIME_NEVER);
		return true;
	}
	npu_core_fail(core->npu, NPU_REASON_RAISED, 0);
	core_retire(core, job);
	return true;
}

/* A slow core has done its group and does not say so yet. */
static void core_linger(struct soft_core *core, const struct soft_job *job)
{
	uint64_t now = soft_now();
	uint64_t until = now + (now - core->started_ns) * (job->factor - 1);

	while (!core->npu->abort && soft_now() < until)
		core_wait(core, until);
}

/* As npu_core_run(), slice after slice; an access to memory that is gone fails the group. */
static enum npu_step core_run(struct soft_core *core, struct soft_job *job, uint64_t *ret_until)
{
	enum npu_step step;

	core->guard.ranges = &job->ranges;
	if (sigsetjmp(core->guard.env, 0)) {
		soft_guard_recover();
		npu_core_fail(core->npu, NPU_REASON_MEMORY_LOST, core->guard.address);
		return NPU_STEP_IDLE;
	}
	soft_guard_set(&core->guard);
	do {
		step = npu_core_run(core->npu, soft_now(), ret_until);
	} while (step == NPU_STEP_RAN);
	soft_guard_set(NULL);
	return step;
}

/* Called and returns with the lock held; it is free while the program runs. */
static void core_work(struct soft_core *core)
{
	struct soft *soft = core->soft;
	struct soft_job *job = core->npu->group.list->host_data;
	enum npu_step step;
	uint64_t until = 0;

	if (!core->started)
		core_start(core, job);
	if (job->faults && core_go_wrong(core, job))
		return;
	pthread_mutex_unlock(&soft->lock);
	step = core_run(core, job, &until);
	pthread_mutex_lock(&soft->lock);

	if (step == NPU_STEP_IDLE && job->faults & FAULT_BIT(SLOW))
		core_linger(core, job);
	if (step == NPU_STEP_IDLE)
		core_retire(core, job);
	else if (!core->npu->abort)
		core_wait(core, until);
}

static void *core_main(void *arg)
{
	struct soft_core *core = arg;
	struct soft *soft = core->soft;

	/* Delays are measured in microseconds; the default slack is fifty of them. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	pthread_mutex_lock(&soft->lock);
	while (core->npu->busy || !soft->closing) {
		if (core->npu->busy)
			core_work(core);
		else
			core_wait(core, NPU_TIME_NEVER);
	}
	pthread_mutex_unlock(&soft->lock);
	return NULL;
}

static int start_core(struct soft *soft, unsigned int i)
{
	struct soft_core *core = &soft->cores[i];
	pthread_condattr_t attr;
	char name[16];
	int r;

	core->soft = soft;
	core->npu = &soft->engine.cores[i];
	snprintf(core->counter, sizeof(core->counter), "core %u jobs", i);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&core->wake, &attr);
	pthread_condattr_destroy(&attr);
	r = pthread_create(&core->thread, NULL, core_main, core);
	if (r) {
		pthread_cond_destroy(&core->wake);
		return -r;
	}
	snprintf(name, sizeof(name), "npu-core-%u", (uint8_t)i);
	pthread_setname_np(core->thread, name);
	soft->n_threads++;
	return 0;
}

/* Signals are for the loop's thread, but for what the guard wants to know. */
int soft_cores_start(struct soft *soft)
{
	sigset_t all, old;
	int r = 0;

	soft_guard_install();
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (unsigned int i = 0; i < soft->device.caps.cores && r == 0; i++)
		r = start_core(soft, i);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

void soft_cores_stop(struct soft *soft)
{
	pthread_mutex_lock(&soft->lock);
	soft->closing = true;
	for (unsigned int i = 0; i < soft->n_threads; i++)
		pthread_cond_signal(&soft->cores[i].wake);
	pthread_mutex_unlock(&soft->lock);
	for (unsigned int i = 0; i < soft->n_threads; i++) {
		pthread_join(soft->cores[i].thread, NULL);
		pthread_cond_destroy(&soft->cores[i].wake);
	}
}
