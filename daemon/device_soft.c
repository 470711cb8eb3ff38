/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The software device: the engine of npu/ with a thread for each core.
 *
 *	loop's thread                   core's thread (device_soft_core.c)
 *	soft_submit()                   npu_core_run()        unlocked, as long as it takes
 *	  attach, start, pump  --wake-> npu_core_retire(), pump
 *	soft_collect()  <---eventfd---    job quiet: event
 *
 * "Pump" is what follows every change: hand out groups, stop jobs that failed, note
 * which threads to wake, and turn jobs whose lists have become quiet into events.
 * It, and all calls of the engine but npu_core_run(), happen under the lock.
 *
 * A job's entry is taken by submit and given back by collect, so there can never be
 * more events than entries.
 */
#include "daemon/device_soft.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/device_backend.h"
#include "proto/entry.h"

/* A core looks for aborts after each slice, if the host lets its thread run. */
#define STOP_NS UINT64_C(2000000)
#define WINDOW_BASE UINT64_C(0x100000000) /* upper bits that matter, as on real buses */
#define WINDOW_SIZE (UINT64_C(3) << 30)
#define JOBS_PER_CORE 2

static struct soft *soft_of(struct device *device)
{
	return list_entry(device, struct soft, device);
}

/*
 * What the engine asks of its host
 */

static void *on_map(void *host, struct npu_list *list, uint64_t address, uint32_t length,
		    enum npu_access access)
{
	const struct soft_job *job = list->host_data;

	(void)host;
	return soft_ranges_map(&job->ranges, address, length, access);
}

static uint32_t fault_class(uint32_t irq)
{
	if (irq & NPU_IRQ_ERROR)
		return ZY_FAULT_ERROR;
	return irq & NPU_IRQ_FAULT ? ZY_FAULT_MEMORY : ZY_FAULT_EXCEPTION;
}

/* The engine is not to be called from here: what follows from it is the pump's business. */
static void on_report(void *host, struct npu_list *list, const struct npu_cause *cause)
{
	struct soft *soft = host;
	struct soft_job *job = list->host_data;
	const uint32_t failures = NPU_IRQ_EXCEPTION | NPU_IRQ_FAULT | NPU_IRQ_ERROR;

	if (!(cause->irq & failures)) {
		if (cause->irq & NPU_IRQ_DONE && cause->tcbp == job->last_tcbp)
			job->completed = true;
		return;
	}
	if (job->failed)
		return; /* the first one tells most */
	job->failed = true;
	job->event.fault.class = fault_class(cause->irq);
	job->event.fault.code = cause->reason;
	job->event.fault.tcbp = cause->tcbp;
	job->event.fault.insn = cause->insn;
	job->event.fault.address = cause->address;
	job->event.fault.core =
		(uint8_t)(cause->cluster * soft->engine.topology.cores + cause->core);
	job->event.fault.tec = cause->tec;
}

/*
 * The pump
 */

static void job_stop(struct soft_job *job)
{
	npu_list_abort(&job->list);
	job->stopped = true;
}

static void call_core(struct soft_core *core)
{
	if (core->npu->busy && (!core->called || core->npu->abort)) {
		core->called = true;
		core->soft->to_wake |= UINT64_C(1) << core->npu->index;
	}
}

static void job_result(struct soft_job *job)
{
	if (job->lost || job->faults & FAULT_BIT(LOSE)) {
		/* Whatever became of it, nobody heard. */
		memset(&job->event.fault, 0, sizeof(job->event.fault));
		job->event.result = job->lost ? DEVICE_LOST : DEVICE_ABORTED;
	} else if (job->failed) {
		job->event.result = DEVICE_FAULTED;
	} else if (job->completed) {
		job->event.result = DEVICE_DONE;
	} else if (job->aborted) {
		job->event.result = DEVICE_ABORTED;
	} else {
		job->event.result = DEVICE_FAULTED;
		job->event.fault.class = ZY_FAULT_NO_END;
		job->event.fault.tcbp = job->last_tcbp;
	}
	if (job->started_ns)
		job->event.run_ns = job->ended_ns - job->started_ns;
}

static void job_over(struct soft *soft, struct soft_job *job)
{
	npu_list_detach(&job->list);
	job_result(job);
	job->state = SOFT_OVER;
	job->next_over = NULL;
	/* Who drains the queue empties it, so only the first event needs a wake-up. */
	if (!soft->over)
		eventfd_write(soft->device.fd, 1);
	*soft->over_end = job;
	soft->over_end = &job->next_over;
}

static bool job_is_over(const struct soft_job *job)
{
	if (job->state != SOFT_ON_ITS_WAY || !npu_list_is_quiet(&job->list))
		return false;
	/* If its completion is lost, nothing is heard of it before somebody loses patience. */
	return !(job->faults & FAULT_BIT(LOSE)) || job->aborted || job->lost;
}

void soft_pump(struct soft *soft)
{
	npu_engine_schedule(&soft->engine);
	for (unsigned int i = 0; i < soft->device.caps.depth; i++)
		if (soft->jobs[i].state == SOFT_ON_ITS_WAY && soft->jobs[i].failed &&
		    !soft->jobs[i].stopped)
			job_stop(&soft->jobs[i]);
	for (unsigned int i = 0; i < soft->device.caps.cores; i++)
		call_core(&soft->cores[i]);
	for (unsigned int i = 0; i < soft->device.caps.depth; i++)
		if (job_is_over(&soft->jobs[i]))
			job_over(soft, &soft->jobs[i]);
}

/*
 * Operations
 */

/* Threads are woken when they can have the lock: one that cannot would go to sleep again. */
static void unlock_and_wake(struct soft *soft)
{
	uint64_t mask = soft->to_wake;

	soft->to_wake = 0;
	pthread_mutex_unlock(&soft->lock);
	soft_cores_wake(soft, mask);
}

static struct soft_job *job_find(struct soft *soft, enum soft_state state, const uint64_t *cookie)
{
	for (unsigned int i = 0; i < soft->device.caps.depth; i++) {
		struct soft_job *job = &soft->jobs[i];

		if (job->state == state && (!cookie || job->event.cookie == *cookie))
			return job;
	}
	return NULL;
}

static void job_begin(struct soft *soft, struct soft_job *entry, const struct device_job *job)
{
	struct soft_ranges ranges = entry->ranges;

	*entry = (struct soft_job){
		.state = SOFT_ON_ITS_WAY,
		.last_tcbp = (uint32_t)(job->last_task - soft->device.caps.asid0_base),
		.event.cookie = job->cookie,
		.ranges = ranges,
	};
	npu_list_attach(&soft->engine, &entry->list, entry, job->fast, job->core_mask);
	npu_list_start(&entry->list, job->head);
	soft->n_jobs++;
}

static void stop_all(struct soft *soft, bool lost)
{
	for (unsigned int i = 0; i < soft->device.caps.depth; i++) {
		struct soft_job *job = &soft->jobs[i];

		if (job->state != SOFT_ON_ITS_WAY)
			continue;
		job->lost |= lost;
		job->aborted = true;
		if (!job->stopped)
			job_stop(job);
	}
}

/* The script's turn, with the job that was begun last. */
static void go_wrong(struct soft *soft, struct soft_job *entry)
{
	const uint32_t of_jobs =
		FAULT_BIT(HANG) | FAULT_BIT(SLOW) | FAULT_BIT(EXCEPTION) | FAULT_BIT(LOSE);
	struct fault_set set = fault_script_at(soft->faults.script, soft->n_jobs);

	entry->faults = set.faults & of_jobs;
	entry->factor = set.value[FAULT_SLOW];
	soft_faults_arm(&soft->faults, &set, soft_now());
	if (soft->faults.gone)
		stop_all(soft, true);
}

static int soft_submit(struct device *device, const struct device_job *job)
{
	struct soft *soft = soft_of(device);
	uint64_t all = UINT64_MAX >> (64 - device->caps.cores);
	struct soft_job *entry;
	int r = -EAGAIN;

	if (!job->core_mask || job->core_mask & ~all)
		return -EINVAL;
	pthread_mutex_lock(&soft->lock);
	entry = job_find(soft, SOFT_FREE, NULL);
	if (soft->faults.gone)
		r = -ENODEV;
	else if (entry)
		r = soft_ranges_set(&entry->ranges, device, job);
	if (r == 0) {
		job_begin(soft, entry, job);
		if (soft->faults.script)
			go_wrong(soft, entry);
		soft_pump(soft);
	}
	unlock_and_wake(soft);
	return r;
}

static int job_abort(struct soft *soft, uint64_t cookie)
{
	struct soft_job *job = job_find(soft, SOFT_ON_ITS_WAY, &cookie);

	if (!job)
		return job_find(soft, SOFT_OVER, &cookie) ? 0 : -ENOENT;
	job->aborted = true;
	if (!job->stopped)
		job_stop(job);
	soft_pump(soft);
	return 0;
}

static int soft_abort(struct device *device, uint64_t cookie)
{
	struct soft *soft = soft_of(device);
	int r;

	pthread_mutex_lock(&soft->lock);
	r = soft_faults_refuse(&soft->faults, FAULT_ABORT_FAILS);
	if (r == 0)
		r = job_abort(soft, cookie);
	unlock_and_wake(soft);
	return r;
}

/* The engine keeps nothing between jobs, so both resets come to the same. */
static int reset(struct soft *soft, enum fault_kind unless)
{
	int r;

	pthread_mutex_lock(&soft->lock);
	r = soft_faults_refuse(&soft->faults, unless);
	if (r == 0) {
		stop_all(soft, false);
		soft_pump(soft);
	}
	unlock_and_wake(soft);
	return r;
}

static int soft_soft_reset(struct device *device)
{
	return reset(soft_of(device), FAULT_SOFT_RESET_FAILS);
}

static int soft_reset(struct device *device)
{
	return reset(soft_of(device), FAULT_RESET_FAILS);
}

static bool has_busy_core(const struct soft *soft)
{
	for (unsigned int i = 0; i < soft->device.caps.cores; i++)
		if (soft->engine.cores[i].busy)
			return true;
	return false;
}

/* No core is busy and no job on its way, so no thread and no list knows the engine. */
static void renew_engine(struct soft *soft)
{
	const struct npu_topology topology = soft->engine.topology;
	const struct npu_counters counters = soft->engine.counters;

	npu_engine_init(&soft->engine, &topology, &soft->host, soft);
	soft->engine.counters = counters;
}

/* Waits until the cores have left their programs: as real drivers do, and a slice at most. */
static int soft_reopen(struct device *device)
{
	struct soft *soft = soft_of(device);
	int r;

	pthread_mutex_lock(&soft->lock);
	r = soft_faults_reopen(&soft->faults, soft_now());
	if (r == 0) {
		stop_all(soft, true);
		soft_pump(soft);
		soft_cores_wake(soft, soft->to_wake);
		soft->to_wake = 0;
		soft->reopening = true;
		while (has_busy_core(soft))
			pthread_cond_wait(&soft->settled, &soft->lock);
		soft->reopening = false;
		renew_engine(soft);
	}
	unlock_and_wake(soft);
	return r;
}

static size_t soft_collect(struct device *device, struct device_event *ret, size_t max)
{
	struct soft *soft = soft_of(device);
	struct soft_job *job;
	eventfd_t value;
	size_t n = 0;

	pthread_mutex_lock(&soft->lock);
	while (soft->over && n < max) {
		job = soft->over;
		ret[n++] = job->event;
		job->state = SOFT_FREE;
		soft->over = job->next_over;
	}
	if (!soft->over) {
		soft->over_end = &soft->over;
		if (n)
			eventfd_read(device->fd, &value);
	}
	pthread_mutex_unlock(&soft->lock);
	return n;
}

static size_t soft_counters(struct device *device, struct device_counter *ret, size_t max)
{
	struct soft *soft = soft_of(device);
	const struct npu_counters *c = &soft->engine.counters;
	size_t n = 0;

	pthread_mutex_lock(&soft->lock);
	const struct device_counter all[] = {
		{"jobs", soft->n_jobs}, {"tcbs", c->tcbs},	    {"groups", c->groups},
		{"tasks", c->tasks},	{"instructions", c->insns}, {"done", c->done},
		{"failed", c->failed},	{"aborts", c->aborts},
	};
	for (; n < NPU_ARRAY_SIZE(all) && n < max; n++)
		ret[n] = all[n];
	/* Counted by the threads that run the programs, whatever anybody had asked for. */
	for (unsigned int i = 0; i < soft->device.caps.cores && n < max; i++)
		ret[n++] = (struct device_counter){soft->cores[i].counter, soft->cores[i].n_jobs};
	pthread_mutex_unlock(&soft->lock);
	return n;
}

static int soft_create(struct device *device, size_t size, struct device_buffer **ret)
{
	return soft_buffer_create(&soft_of(device)->memory, device, size, ret);
}

static int soft_import(struct device *device, int fd, size_t size, struct device_buffer **ret)
{
	return soft_buffer_import(&soft_of(device)->memory, device, fd, size, ret);
}

static void soft_destroy(struct device_buffer *buffer)
{
	soft_buffer_destroy(&soft_of(buffer->device)->memory, buffer);
}

static uint64_t soft_used(struct device *device)
{
	return soft_memory_used(&soft_of(device)->memory);
}

static void soft_close(struct device *device)
{
	struct soft *soft = soft_of(device);

	/* There should be none; but a hanging job must not hang us. */
	pthread_mutex_lock(&soft->lock);
	if (soft->n_threads) {
		stop_all(soft, false);
		soft_pump(soft);
	}
	unlock_and_wake(soft);
	soft_cores_stop(soft);
	for (unsigned int i = 0; soft->jobs && i < device->caps.depth; i++)
		soft_ranges_finish(&soft->jobs[i].ranges);
	if (device->fd >= 0)
		close(device->fd);
	pthread_cond_destroy(&soft->settled);
	pthread_mutex_destroy(&soft->lock);
	soft_memory_finish(&soft->memory);
	free(soft->cores);
	free(soft->jobs);
	free(soft);
}

static const struct device_ops soft_ops = {
	.close = soft_close,
	.buffer_create = soft_create,
	.buffer_import = soft_import,
	.buffer_destroy = soft_destroy,
	.submit = soft_submit,
	.abort = soft_abort,
	.soft_reset = soft_soft_reset,
	.reset = soft_reset,
	.reopen = soft_reopen,
	.collect = soft_collect,
	.counters = soft_counters,
	.memory_used = soft_used,
};

static bool config_is_sane(const struct device_soft_config *config)
{
	/* One partition is all that the engine plays. */
	return config->partitions == 1 && config->clusters >= 1 &&
	       config->clusters <= NPU_MAX_CLUSTERS && config->cores >= 1 &&
	       config->cores <= NPU_MAX_CLUSTER_CORES && config->tecs >= 1 &&
	       config->tecs <= NPU_MAX_TECS && config->clusters * config->cores <= NPU_MAX_CORES &&
	       config->memory_bytes >= 4096 && config->memory_bytes <= WINDOW_SIZE;
}

static void fill_caps(struct device_caps *caps, const struct device_soft_config *config)
{
	caps->backend = "soft";
	graph_target_find(&caps->target, "soft_X2_1204");
	caps->partitions = config->partitions;
	caps->clusters = config->clusters;
	caps->cores = config->clusters * config->cores;
	caps->tecs = config->tecs;
	caps->placement = DEVICE_PLACEMENT_EXACT;
	caps->asid0_base = WINDOW_BASE;
	caps->window_size = WINDOW_SIZE;
	caps->memory_bytes = config->memory_bytes;
	caps->tail_bytes = 0;
	caps->depth = caps->cores * JOBS_PER_CORE;
	caps->stop_ns = STOP_NS;
}

static int soft_start(struct soft *soft, const struct device_soft_config *config)
{
	const struct npu_topology topology = {
		.clusters = (uint8_t)config->clusters,
		.cores = (uint8_t)config->cores,
		.tecs = (uint8_t)config->tecs,
	};

	soft->host = (struct npu_host){.map = on_map, .report = on_report};
	if (!npu_engine_init(&soft->engine, &topology, &soft->host, soft))
		return -EINVAL;
	soft->cores = calloc(soft->device.caps.cores, sizeof(*soft->cores));
	soft->jobs = calloc(soft->device.caps.depth, sizeof(*soft->jobs));
	if (!soft->cores || !soft->jobs)
		return -ENOMEM;
	soft->device.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (soft->device.fd < 0)
		return -errno;
	return soft_cores_start(soft);
}

int device_soft_open(struct device **ret, const struct device_soft_config *config)
{
	struct soft *soft;
	int r;

	if (!config_is_sane(config))
		return -EINVAL;
	soft = calloc(1, sizeof(*soft));
	if (!soft)
		return -ENOMEM;
	soft->device.ops = &soft_ops;
	soft->device.fd = -1;
	fill_caps(&soft->device.caps, config);
	pthread_mutex_init(&soft->lock, NULL);
	pthread_cond_init(&soft->settled, NULL);
	soft->faults.script = config->faults;
	soft_memory_init(&soft->memory, WINDOW_BASE, WINDOW_SIZE, config->memory_bytes);
	soft->over_end = &soft->over;

	r = soft_start(soft, config);
	if (r < 0) {
		soft_close(&soft->device);
		return r;
	}
	*ret = &soft->device;
	return 0;
}
