/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/binding.h"
#include "daemon/buffer.h"
#include "daemon/device.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/scheduler_internal.h"
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
	if (job) {
		*job = (struct job){.id = sched->next_id++, .device_cookie = NO_ENTRY};
		list_init(&job->link);
		list_init(&job->owner_link);
		list_init(&job->timed_link);
		list_init(&job->stream_link);
	}
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

/* What every entry about the job says. */
static void fill_in(const struct job *job, struct zy_complete *answer)
{
	uint64_t now = loop_now();

	answer->type = ZY_PACKET_COMPLETE;
	answer->cookie = job->cookie;
	answer->request = job->id;
	answer->total_ns = now - job->accepted_ns;
	answer->queue_ns = (job->started_ns ? job->started_ns : now) - job->accepted_ns;
	answer->copied_bytes = job->copied_bytes;
}

static void count_answer(struct scheduler *sched, const struct job *job, int32_t status)
{
	if (job->is_internal)
		return;
	job->binding->model->n_requests++;
	sched->counters.answered++;
	sched->counters.succeeded += status == ZY_OK;
	sched->counters.faulted += status == ZY_DEVICE_FAULT;
	sched->counters.cancelled += status == ZY_CANCELLED;
	sched->counters.copied_bytes += job->copied_bytes;
}

/* Nothing holds it any more. */
static void job_finish(struct scheduler *sched, struct job *job, struct zy_complete *answer)
{
	struct job_owner *owner = job->owner;

	fill_in(job, answer);
	answer->flags = ZY_COMPLETE_RELEASED;
	count_answer(sched, job, answer->status);
	rescue_clear(sched, job);
	job_leave_owner(job);
	binding_unref(job->binding);
	list_append(&sched->pool, &job->link);
	if (owner)
		owner->answer(owner, answer);
}

static void clear_run(struct work *work)
{
	binding_poison(list_entry(work, struct job, work)->binding);
}

static void clear_done(struct work *work)
{
	struct job *job = list_entry(work, struct job, work);
	struct scheduler *sched = job->scheduler;

	sched->n_clearing--;
	job_finish(sched, job, &job->last);
	scheduler_check_drained(sched);
}

/* The device may have written half of the outputs: nobody is to take them for a result. */
void scheduler_answer(struct scheduler *sched, struct job *job, struct zy_complete *answer)
{
	uint64_t bytes = binding_output_bytes(job->binding);

	if (answer->status == ZY_OK || !job->started_ns || !bytes) {
		job_finish(sched, job, answer);
	} else if (bytes <= BUFFER_LARGE) {
		binding_poison(job->binding);
		job_finish(sched, job, answer);
	} else {
		job->state = JOB_CLEARING;
		job->last = *answer;
		job->work = (struct work){.run = clear_run, .done = clear_done};
		sched->n_clearing++;
		worker_submit(sched->worker, &job->work);
	}
}

void scheduler_answer_status(struct scheduler *sched, struct job *job, enum zy_status status)
{
	struct zy_complete answer = {.status = (int32_t)status};

	scheduler_answer(sched, job, &answer);
}

void scheduler_drop(struct scheduler *sched, struct job *job, enum zy_status status)
{
	queue_remove(&sched->queue, job);
	scheduler_answer_status(sched, job, status);
}

void scheduler_detach(struct scheduler *sched, struct job *job, enum zy_status verdict)
{
	struct zy_complete answer = {.status = (int32_t)verdict};

	(void)sched;
	job->verdict = verdict;
	job->detached = true;
	if (!job->owner)
		return;
	fill_in(job, &answer);
	job->owner->answer(job->owner, &answer);
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

uint64_t scheduler_device_cookie(const struct scheduler *sched, const struct job *job)
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

struct job *scheduler_next_running(const struct scheduler *sched, const struct job *job)
{
	unsigned int core = job ? job->core : 0;
	const struct list *link = job ? job->link.next : sched->running[0].next;

	while (link == &sched->running[core]) {
		if (++core == sched->device->caps.cores)
			return NULL;
		link = sched->running[core].next;
	}
	return list_entry((struct list *)link, struct job, link);
}

/* The core's next job, if there is one, is on its own time from now on. */
static void core_goes_on(struct scheduler *sched, unsigned int core)
{
	struct job *head = list_first(&sched->running[core], struct job, link);

	if (head && !head->since_ns)
		rescue_watch(sched, head, loop_now());
}

static void job_leave_device(struct scheduler *sched, struct job *job)
{
	list_remove(&job->link);
	sched->n_running--;
	sched->load[job->core]--;
	entry_put(sched, job);
	slot_put(job->slot);
	job->slot = NULL;
	core_goes_on(sched, job->core);
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
	job->slot->job.cookie = scheduler_device_cookie(sched, job);
	job->slot->job.fast = false;
	job->slot->job.core_mask = job_placement(sched, job);
	job->started_ns = loop_now();
	job->state = JOB_RUNNING;
	job->since_ns = 0;
	job->due_ns = UINT64_MAX;
	sched->load[core]++;
	sched->n_running++;
	list_append(&sched->running[core], &job->link);

	r = device_submit(sched->device, &job->slot->job);
	if (r < 0)
		job_leave_device(sched, job);
	else
		core_goes_on(sched, core);
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

/* The device did not take it, and it is in no list. */
static void start_failed(struct scheduler *sched, struct job *job, int r)
{
	job->started_ns = 0;
	if (r == -ENODEV) {
		job->state = JOB_QUEUED;
		queue_push_again(&sched->queue, job);
		rescue_vanished(sched);
		return;
	}
	/* Never answer from inside scheduler_submit(): the owner may be in the middle of something.
	 */
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
	int r;

	/* Giving a slot back while starting a job ends up here again. */
	if (sched->kicking)
		return;
	sched->kicking = true;
	while (sched->free_entry != NO_ENTRY && rescue_may_start(sched)) {
		struct queue_decision next = queue_next(&sched->queue, &view, loop_now());

		if (!next.job)
			break;
		r = job_start(sched, next.job, next.core);
		if (r < 0)
			start_failed(sched, next.job, r);
	}
	sched->kicking = false;
}

void scheduler_check_drained(struct scheduler *sched)
{
	void (*drained)(void *arg) = sched->drained;

	if (!sched->draining || !drained || sched->n_running || sched->n_clearing ||
	    sched->queue.n_jobs || !list_is_empty(&sched->failed))
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
		scheduler_answer_status(sched, job, ZY_INTERNAL);
	}
	scheduler_check_drained(sched);
}

/* It was taken off the device for somebody else's sake. */
static void resubmit(struct scheduler *sched, struct job *job)
{
	rescue_mark(sched, job);
	job_leave_device(sched, job);
	job->state = JOB_QUEUED;
	sched->counters.resubmitted++;
	queue_push_again(&sched->queue, job);
}

static void take_fault(struct zy_complete *answer, const struct device_event *event)
{
	answer->status = ZY_DEVICE_FAULT;
	answer->fault = event->fault.class;
	answer->fault_code = event->fault.code;
	answer->fault_address = event->fault.address;
	answer->fault_tcbp = event->fault.tcbp;
	answer->fault_insn = event->fault.insn;
	answer->fault_core = event->fault.core;
	answer->fault_tec = event->fault.tec;
}

static void conclude(struct scheduler *sched, struct job *job, const struct device_event *event)
{
	struct zy_complete answer = {.run_ns = event->run_ns, .cores = event->cores};

	/* Who was told one thing is not told another; who was not gets what really happened. */
	if (job->detached || event->result == DEVICE_ABORTED || event->result == DEVICE_LOST)
		answer.status = (int32_t)job->verdict;
	else if (event->result == DEVICE_FAULTED)
		take_fault(&answer, event);
	if (answer.status == ZY_OK) {
		job->copied_bytes += slot_collect(job->slot, job->binding);
		estimate_add(&job->binding->model->estimate, event->run_ns);
	}
	job_leave_device(sched, job);
	scheduler_answer(sched, job, &answer);
}

static void handle_event(struct scheduler *sched, const struct device_event *event)
{
	struct job *job = entry_find(sched, event->cookie);
	bool was_taken = event->result == DEVICE_ABORTED || event->result == DEVICE_LOST;

	if (!job)
		return;
	if (was_taken && job->verdict == ZY_OK)
		resubmit(sched, job);
	else
		conclude(sched, job, event);
	rescue_event(sched, job, event->result == DEVICE_LOST);
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
	scheduler_check_drained(sched);
}

/*
 * The interface
 */

int scheduler_init(struct scheduler *sched, struct loop *loop, struct device *device,
		   struct worker *worker)
{
	uint32_t depth = device->caps.depth, cores = device->caps.cores;
	int r;

	*sched = (struct scheduler){.device = device, .worker = worker, .next_id = 1};
	queue_init(&sched->queue);
	list_init(&sched->failed);
	list_init(&sched->pool);
	sched->running = calloc(cores, sizeof(*sched->running));
	sched->load = calloc(cores, sizeof(*sched->load));
	sched->entries = calloc(depth, sizeof(*sched->entries));
	if (!sched->running || !sched->load || !sched->entries) {
		scheduler_finish(sched);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < cores; i++)
		list_init(&sched->running[i]);
	for (uint32_t i = 0; i < depth; i++)
		sched->entries[i].next_free = i + 1 < depth ? i + 1 : NO_ENTRY;
	r = rescue_init(sched, loop);
	if (r == 0)
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
	rescue_finish(sched);
	while ((job = list_first(&sched->pool, struct job, link))) {
		list_remove(&job->link);
		free(job);
	}
	free(sched->running);
	free(sched->load);
	free(sched->entries);
	*sched = (struct scheduler){0};
}

/* 0, or why this request is not accepted. */
static int admit(const struct scheduler *sched, const struct job_owner *owner,
		 const struct binding *binding, uint64_t core_mask)
{
	if (sched->draining)
		return -ESHUTDOWN;
	if (!core_mask)
		return -EINVAL;
	if (sched->recovery.step == RECOVERY_GONE)
		return -ENODEV;
	if (quarantine_until(&sched->quarantine, binding->model->hash, owner->uid, loop_now()))
		return -EKEYREJECTED;
	return 0;
}

int scheduler_submit(struct scheduler *sched, struct job_owner *owner, struct binding *binding,
		     const struct zy_submit *entry)
{
	uint64_t mask = (entry->core_mask ? entry->core_mask : UINT64_MAX) & all_cores(sched);
	int r = admit(sched, owner, binding, mask);
	struct job *job;

	sched->counters.quarantined += r == -EKEYREJECTED;
	if (r < 0)
		return r;
	job = job_get(sched);
	if (!job)
		return -ENOMEM;

	job->scheduler = sched;
	job->state = JOB_QUEUED;
	job->owner = owner;
	list_append(&owner->jobs, &job->owner_link);
	owner->n_jobs++;
	job->uid = owner->uid;
	job->is_internal = owner->is_internal;
	job->cookie = entry->cookie;
	job->binding = binding_ref(binding);
	job->job_class = (enum zy_class)entry->class;
	job->core_mask = mask;
	job->accepted_ns = loop_now();
	sched->counters.accepted += !job->is_internal;
	if (entry->timeout_ns) {
		if (__builtin_add_overflow(job->accepted_ns, entry->timeout_ns,
					   &job->timeout_at_ns))
			job->timeout_at_ns = UINT64_MAX;
		rescue_watch_timeout(sched, job);
	}
	queue_push(&sched->queue, job, job->accepted_ns);
	scheduler_kick(sched);
	return 0;
}

static void job_cancel(struct scheduler *sched, struct job *job)
{
	switch (job->state) {
	case JOB_QUEUED:
		scheduler_drop(sched, job, ZY_CANCELLED);
		break;
	case JOB_RUNNING:
		rescue_stop(sched, job, ZY_CANCELLED);
		if (!job->detached)
			scheduler_detach(sched, job, job->verdict);
		break;
	case JOB_FAILED:
	case JOB_CLEARING:
		break;
	}
}

int scheduler_cancel(struct scheduler *sched, struct job_owner *owner, uint64_t cookie)
{
	struct job *job;

	list_for_each (job, &owner->jobs, owner_link) {
		if (job->cookie == cookie && !job->detached) {
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
	scheduler_check_drained(sched);
}

void scheduler_drain(struct scheduler *sched, void (*drained)(void *arg), void *arg)
{
	struct job *job;

	sched->draining = true;
	sched->drained = drained;
	sched->drained_arg = arg;
	while ((job = list_first(&sched->queue.jobs, struct job, link)))
		scheduler_drop(sched, job, ZY_SHUTTING_DOWN);
	scheduler_check_drained(sched);
}

void scheduler_abort_all(struct scheduler *sched)
{
	struct job *job;

	for (job = scheduler_next_running(sched, NULL); job;
	     job = scheduler_next_running(sched, job))
		rescue_stop(sched, job, ZY_SHUTTING_DOWN);
}
