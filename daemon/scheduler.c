/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/scheduler.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/binding.h"
#include "daemon/device.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/slot.h"

/* One running and one ready, so that a core need not wait for the loop between two jobs. */
#define CORE_DEPTH 2u

#define EVENTS_PER_TURN 32u
#define NO_ENTRY UINT32_MAX

/*
 * Device cookies are an index into this table and a generation, so that whatever a
 * device reports can be checked before it is believed.
 */
struct scheduler_entry {
	struct job *job; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

static uint64_t all_cores(const struct scheduler *sched)
{
	unsigned int n = sched->device->caps.cores;

	return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/*
 * Jobs
 */

static struct job *job_get(struct scheduler *sched)
{
	struct job *job = list_first(&sched->pool, struct job, link);

	if (job)
		list_remove(&job->link);
	else
		job = malloc(sizeof(*job));
	if (job)
		*job = (struct job){.id = sched->next_id++, .device_cookie = NO_ENTRY};
	return job;
}

static void job_leave_owner(struct job *job)
{
	if (!job->owner)
		return;
	list_remove(&job->owner_link);
	job->owner->n_jobs--;
	job->owner = NULL;
}

/* The job is out of all lists but its owner's: answer it and let it go. */
static void job_answer(struct scheduler *sched, struct job *job, struct zy_complete *answer)
{
	struct job_owner *owner = job->owner;
	uint64_t now = loop_now();

	answer->type = ZY_PACKET_COMPLETE;
	answer->flags = ZY_COMPLETE_RELEASED;
	answer->cookie = job->cookie;
	answer->request = job->id;
	answer->total_ns = now - job->accepted_ns;
	answer->queue_ns = (job->started_ns ? job->started_ns : now) - job->accepted_ns;
	answer->copied_bytes = job->copied_bytes;

	sched->counters.answered++;
	sched->counters.succeeded += answer->status == ZY_OK;
	sched->counters.faulted += answer->status == ZY_DEVICE_FAULT;
	sched->counters.cancelled += answer->status == ZY_CANCELLED;
	sched->counters.copied_bytes += job->copied_bytes;

	job_leave_owner(job);
	job->binding->model->n_requests++;
	binding_unref(job->binding);
	list_append(&sched->pool, &job->link);
	if (owner)
		owner->answer(owner, answer);
}

static void job_answer_status(struct scheduler *sched, struct job *job, enum zy_status status)
{
	struct zy_complete answer = {.status = (int32_t)status};

	job_answer(sched, job, &answer);
}

/*
 * On the device
 */

static void entry_take(struct scheduler *sched, struct job *job)
{
	struct scheduler_entry *entry = &sched->entries[sched->free_entry];

	job->device_cookie = sched->free_entry;
	sched->free_entry = entry->next_free;
	entry->job = job;
	entry->generation++;
}

static void entry_put(struct scheduler *sched, struct job *job)
{
	struct scheduler_entry *entry = &sched->entries[job->device_cookie];

	entry->job = NULL;
	entry->next_free = sched->free_entry;
	sched->free_entry = job->device_cookie;
	job->device_cookie = NO_ENTRY;
}

static uint64_t job_device_cookie(const struct scheduler *sched, const struct job *job)
{
	return (uint64_t)sched->entries[job->device_cookie].generation << 32 | job->device_cookie;
}

/* The job a device event is about, or NULL if the device made it up. */
static struct job *entry_find(const struct scheduler *sched, uint64_t cookie)
{
	uint32_t index = (uint32_t)cookie;

	if (index >= sched->device->caps.depth || !sched->entries[index].job ||
	    sched->entries[index].generation != cookie >> 32)
		return NULL;
	return sched->entries[index].job;
}

static void job_leave_device(struct scheduler *sched, struct job *job)
{
	list_remove(&job->link);
	sched->n_running--;
	sched->load[job->core]--;
	entry_put(sched, job);
	slot_put(job->slot);
	job->slot = NULL;
}

static uint64_t job_placement(const struct scheduler *sched, const struct job *job)
{
	return sched->device->caps.placement == DEVICE_PLACEMENT_NONE ? all_cores(sched)
								      : UINT64_C(1) << job->core;
}

/* Returns 0, or why the device did not take it; the job is then as it was, but out of the queue. */
static int job_start(struct scheduler *sched, struct job *job, unsigned int core)
{
	int r;

	job->slot = slot_take(job->binding->model);
	if (!job->slot)
		return -EAGAIN;
	job->core = core;
	job->copied_bytes += slot_prepare(job->slot, job->binding);
	entry_take(sched, job);
	job->slot->job.cookie = job_device_cookie(sched, job);
	job->slot->job.fast = false;
	job->slot->job.core_mask = job_placement(sched, job);
	job->started_ns = loop_now();
	job->state = JOB_RUNNING;
	sched->load[core]++;
	sched->n_running++;
	list_append(&sched->running, &job->link);

	r = device_submit(sched->device, &job->slot->job);
	if (r < 0)
		job_leave_device(sched, job);
	return r;
}

static bool job_can_start(const struct job *job, void *arg)
{
	struct model *model = job->binding->model;

	(void)arg;
	if (!list_is_empty(&model->free_slots))
		return true;
	/* Asks the worker for one more; slot_ready brings us back. */
	(void)slot_take(model);
	return false;
}

static void fail_later(struct scheduler *sched, struct job *job)
{
	/* Never answer from inside scheduler_submit(): the owner may be in the middle of something. */
	job->state = JOB_FAILED;
	list_append(&sched->failed, &job->link);
	loop_timer_set(sched->failed_timer, 0);
}

void scheduler_kick(struct scheduler *sched)
{
	struct queue_view view = {
		.load = sched->load,
		.n_cores = sched->device->caps.cores,
		.depth = CORE_DEPTH,
		.can_start = job_can_start,
	};

	/* Giving a slot back while starting a job ends up here again. */
	if (sched->kicking)
		return;
	sched->kicking = true;
	while (sched->free_entry != NO_ENTRY) {
		struct queue_decision next = queue_next(&sched->queue, &view, loop_now());

		if (!next.job)
			break;
		if (job_start(sched, next.job, next.core) < 0)
			fail_later(sched, next.job);
	}
	sched->kicking = false;
}

static void check_drained(struct scheduler *sched)
{
	void (*drained)(void *arg) = sched->drained;

	if (!sched->draining || !drained || sched->n_running || !list_is_empty(&sched->failed))
		return;
	sched->drained = NULL;
	drained(sched->drained_arg);
}

static void on_failed(void *arg)
{
	struct scheduler *sched = arg;
	struct job *job;

	while ((job = list_first(&sched->failed, struct job, link))) {
		list_remove(&job->link);
		job_answer_status(sched, job, ZY_DEVICE_GONE);
	}
	check_drained(sched);
}

static enum zy_status event_status(const struct scheduler *sched, const struct job *job,
				   enum device_result result)
{
	switch (result) {
	case DEVICE_DONE:
		return ZY_OK;
	case DEVICE_FAULTED:
		return ZY_DEVICE_FAULT;
	case DEVICE_ABORTED:
		if (job->state == JOB_ABORTING)
			return ZY_CANCELLED;
		return sched->draining ? ZY_SHUTTING_DOWN : ZY_INTERNAL;
	case DEVICE_LOST:
		return ZY_DEVICE_GONE;
	}
	return ZY_INTERNAL;
}

static void handle_event(struct scheduler *sched, const struct device_event *event)
{
	struct job *job = entry_find(sched, event->cookie);
	struct zy_complete answer = {.run_ns = event->run_ns, .cores = event->cores};

	if (!job)
		return;
	answer.status = (int32_t)event_status(sched, job, event->result);
	if (event->result == DEVICE_FAULTED) {
		answer.fault = event->fault.class;
		answer.fault_code = event->fault.code;
		answer.fault_address = event->fault.address;
		answer.fault_tcbp = event->fault.tcbp;
		answer.fault_insn = event->fault.insn;
		answer.fault_core = event->fault.core;
		answer.fault_tec = event->fault.tec;
	}
	if (answer.status == ZY_OK)
		job->copied_bytes += slot_collect(job->slot, job->binding);
	job_leave_device(sched, job);
	job_answer(sched, job, &answer);
}

static void on_device(void *arg, unsigned int ready)
{
	struct scheduler *sched = arg;
	struct device_event events[EVENTS_PER_TURN];
	size_t n;

	(void)ready;
	do {
		n = device_collect(sched->device, events, EVENTS_PER_TURN);
		for (size_t i = 0; i < n; i++)
			handle_event(sched, &events[i]);
		scheduler_kick(sched);
	} while (n == EVENTS_PER_TURN);
	check_drained(sched);
}

/*
 * The interface
 */

int scheduler_init(struct scheduler *sched, struct loop *loop, struct device *device)
{
	uint32_t depth = device->caps.depth;
	int r;

	*sched = (struct scheduler){.device = device, .next_id = 1};
	queue_init(&sched->queue);
	list_init(&sched->running);
	list_init(&sched->failed);
	list_init(&sched->pool);
	sched->load = calloc(device->caps.cores, sizeof(*sched->load));
	sched->entries = calloc(depth, sizeof(*sched->entries));
	if (!sched->load || !sched->entries) {
		scheduler_finish(sched);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < depth; i++)
		sched->entries[i].next_free = i + 1 < depth ? i + 1 : NO_ENTRY;
	r = loop_timer_create(&sched->failed_timer, loop, on_failed, sched);
	if (r == 0)
		r = loop_io_create(&sched->io, loop, device->fd, LOOP_READ, on_device, sched);
	if (r < 0)
		scheduler_finish(sched);
	return r;
}

void scheduler_finish(struct scheduler *sched)
{
	struct job *job;

	loop_io_destroy(sched->io);
	loop_timer_destroy(sched->failed_timer);
	while ((job = list_first(&sched->pool, struct job, link))) {
		list_remove(&job->link);
		free(job);
	}
	free(sched->load);
	free(sched->entries);
	*sched = (struct scheduler){0};
}

int scheduler_submit(struct scheduler *sched, struct job_owner *owner, struct binding *binding,
		     const struct zy_submit *entry)
{
	uint64_t mask = (entry->core_mask ? entry->core_mask : UINT64_MAX) & all_cores(sched);
	struct job *job;

	if (sched->draining)
		return -ESHUTDOWN;
	if (!mask)
		return -EINVAL;
	job = job_get(sched);
	if (!job)
		return -ENOMEM;

	job->state = JOB_QUEUED;
	job->owner = owner;
	list_append(&owner->jobs, &job->owner_link);
	owner->n_jobs++;
	job->cookie = entry->cookie;
	job->binding = binding_ref(binding);
	job->job_class = (enum zy_class)entry->class;
	job->core_mask = mask;
	job->accepted_ns = loop_now();
	sched->counters.accepted++;
	queue_push(&sched->queue, job, job->accepted_ns);
	scheduler_kick(sched);
	return 0;
}

/* Answered at once if queued; else when the device has let go. */
static void job_cancel(struct scheduler *sched, struct job *job)
{
	switch (job->state) {
	case JOB_QUEUED:
		queue_remove(&sched->queue, job);
		job_answer_status(sched, job, ZY_CANCELLED);
		break;
	case JOB_RUNNING:
		job->state = JOB_ABORTING;
		device_abort(sched->device, job_device_cookie(sched, job));
		break;
	case JOB_ABORTING:
	case JOB_FAILED:
		break;
	}
}

int scheduler_cancel(struct scheduler *sched, struct job_owner *owner, uint64_t cookie)
{
	struct job *job;

	list_for_each(job, &owner->jobs, owner_link) {
		if (job->cookie == cookie) {
			job_cancel(sched, job);
			return 0;
		}
	}
	return -ENOENT;
}

void scheduler_forget(struct scheduler *sched, struct job_owner *owner)
{
	struct job *job;

	while ((job = list_first(&owner->jobs, struct job, owner_link))) {
		job_leave_owner(job);
		job_cancel(sched, job);
	}
	check_drained(sched);
}

void scheduler_drain(struct scheduler *sched, void (*drained)(void *arg), void *arg)
{
	struct job *job;

	sched->draining = true;
	sched->drained = drained;
	sched->drained_arg = arg;
	while ((job = list_first(&sched->queue.jobs, struct job, link))) {
		queue_remove(&sched->queue, job);
		job_answer_status(sched, job, ZY_SHUTTING_DOWN);
	}
	check_drained(sched);
}

void scheduler_abort_all(struct scheduler *sched)
{
	struct job *job;

	list_for_each(job, &sched->running, link) {
		if (job->state == JOB_RUNNING)
			device_abort(sched->device, job_device_cookie(sched, job));
	}
}
