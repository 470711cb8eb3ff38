/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/binding.h"
#include "daemon/buffer.h"
#include "daemon/device.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/scheduler_internal.h"
#include "daemon/slot.h"
#include "daemon/stream.h"
#include "daemon/tenant.h"

#define EVENTS_PER_TURN 32u

/*
 * Device cookies are an index into this table and a generation, so that whatever a
 * device reports can be checked before it is believed.
 */
struct scheduler_entry {
	struct job *job; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

/*
 * Jobs
 */

/* What every entry about the job says. */
static void fill_in(const struct job *job, struct zy_complete *answer)
{
	uint64_t now = loop_now();

	answer->type = ZY_PACKET_COMPLETE;
	answer->flags = 0;
	answer->cookie = job->cookie;
	answer->request = job->id;
	answer->total_ns = now - job->policy.accepted_ns;
	answer->queue_ns = (job->started_ns ? job->started_ns : now) - job->policy.accepted_ns;
	answer->copied_bytes = job->copied_bytes;
	answer->wait = (uint8_t)job->policy.wait;
	answer->waited_for = (uint32_t)job->policy.waited_for;
	if (answer->status == ZY_OK && job->deadline_ns && now > job->deadline_ns)
		answer->flags |= ZY_COMPLETE_LATE;
	stream_fill(job, answer);
}

void scheduler_record(const struct job *job, struct history_record *ret)
{
	const struct model *model = job->binding->model;

	*ret = (struct history_record){
		.request = job->id,
		.accepted_ns = job->policy.accepted_ns,
		.started_ns = job->started_ns,
		.cores = job->started_ns ? job->policy.on_cores : 0,
		.session = job->tenant->client.id,
		.uid = job->uid,
		.class = (uint8_t)job->policy.class,
		.wait = (uint8_t)job->policy.wait,
		.n_cores = (uint8_t)job->policy.n_cores,
		.allowed = job->policy.cores,
		.deadline_ns = job->deadline_ns,
		.waited_for = job->policy.waited_for,
		.stream = job->stream ? job->stream->number : 0,
		.sequence = job->sequence,
		.reservation = job->reservation,
	};
	memcpy(ret->model_hash, model->hash, sizeof(ret->model_hash));
	memcpy(ret->client, job->tenant->name, sizeof(ret->client));
	memcpy(ret->model, model->name, sizeof(ret->model) - 1);
}

static void remember(struct scheduler *sched, const struct job *job,
		     const struct zy_complete *answer)
{
	struct history_record record;

	scheduler_record(job, &record);
	record.ended_ns = loop_now();
	record.status = (uint8_t)answer->status;
	record.run_ns = answer->run_ns;
	record.late = answer->flags & ZY_COMPLETE_LATE;
	history_add(&sched->history, &record);
}

static void count_for_metrics(const struct job *job, const struct zy_complete *answer)
{
	struct model *model = job->binding->model;
	struct metrics *metrics = model->registry->metrics;

	if (!metrics)
		return;
	metrics_join(metrics, &model->place, model->name, model->hash);
	metrics_answered(metrics, model->place, job->policy.class, answer);
}

static void count_answer(struct scheduler *sched, const struct job *job,
			 const struct zy_complete *answer)
{
	int32_t status = answer->status;

	if (job->is_internal)
		return;
	count_for_metrics(job, answer);
	job->binding->model->n_requests++;
	job->tenant->n_answered++;
	job->tenant->n_failed += status != ZY_OK;
	sched->counters.answered++;
	sched->counters.answered_of[job->policy.class]++;
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
	answer->flags |= ZY_COMPLETE_RELEASED;
	count_answer(sched, job, answer);
	if (!job->is_internal)
		remember(sched, job, answer);
	stream_leave(job, answer);
	rescue_clear(sched, job);
	scheduler_leave_owner(job);
	tenant_unref(job->tenant);
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
	policy_remove(sched->policy, &job->policy);
	list_remove(&job->link);
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
	job->device_cookie = SCHEDULER_NO_ENTRY;
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

void scheduler_gate(struct scheduler *sched, struct model *model)
{
	bool none = list_is_empty(&model->free_slots);

	policy_gate_set(sched->policy, &model->gate, none);
	if (none && model->gate.n_queued)
		(void)slot_take(model);
}

static void job_leave_device(struct scheduler *sched, struct job *job)
{
	struct model *model = job->binding->model;

	list_remove(&job->link);
	sched->n_running--;
	entry_put(sched, job);
	slot_put(job->slot);
	job->slot = NULL;
	scheduler_gate(sched, model);
	core_goes_on(sched, job->core);
}

/* It will run again. */
static void job_requeue(struct scheduler *sched, struct job *job)
{
	job->state = JOB_QUEUED;
	if (policy_push_again(sched->policy, &job->policy, job->suspect, loop_now()) == 0) {
		stream_put_back(job);
		list_append(&sched->queued, &job->link);
		return;
	}
	job->state = JOB_FAILED;
	list_append(&sched->failed, &job->link);
	loop_timer_set(sched->failed_timer, 0);
}

static uint64_t device_cores(const struct scheduler *sched, uint64_t cores)
{
	return sched->device->caps.placement == DEVICE_PLACEMENT_NONE ? scheduler_all_cores(sched)
								      : cores;
}

/* Returns 0, or why the device did not take it; the job is then in no list. */
static int job_start(struct scheduler *sched, struct job *job, uint64_t cores)
{
	int r;

	list_remove(&job->link);
	job->slot = slot_take(job->binding->model);
	if (!job->slot)
		return -EAGAIN;
	scheduler_gate(sched, job->binding->model);
	r = slot_renew(job->slot);
	if (r < 0) {
		slot_put(zy_take(job->slot));
		scheduler_gate(sched, job->binding->model);
		return r;
	}
	job->core = (unsigned int)__builtin_ctzll(cores);
	job->copied_bytes += slot_prepare(job->slot, job->binding);
	entry_take(sched, job);
	job->slot->job.cookie = scheduler_device_cookie(sched, job);
	job->slot->job.fast = false;
	job->slot->job.core_mask = device_cores(sched, cores);
	job->started_ns = loop_now();
	job->state = JOB_RUNNING;
	stream_started(job);
	job->since_ns = 0;
	job->due_ns = UINT64_MAX;
	sched->n_running++;
	list_append(&sched->running[job->core], &job->link);

	r = device_submit(sched->device, &job->slot->job);
	if (r < 0)
		job_leave_device(sched, job);
	else
		core_goes_on(sched, job->core);
	return r;
}

/* The device did not take it, and it is in no list. */
static void start_failed(struct scheduler *sched, struct job *job, int r)
{
	job->started_ns = 0;
	if (r == -ENODEV || r == -EAGAIN) {
		job_requeue(sched, job);
		if (r == -ENODEV)
			rescue_vanished(sched);
		return;
	}
	policy_finished(sched->policy, &job->policy, 0, loop_now());
	/* Never answer from inside scheduler_submit(): the owner may be in the middle of something.
	 */
	job->state = JOB_FAILED;
	list_append(&sched->failed, &job->link);
	loop_timer_set(sched->failed_timer, 0);
}

static void carry_out(struct scheduler *sched, const struct policy_decision *decision)
{
	struct job *job = list_entry(decision->job, struct job, policy);
	int r;

	switch (decision->action) {
	case POLICY_NOTHING:
		break;
	case POLICY_START:
		r = job_start(sched, job, decision->cores);
		if (r < 0)
			start_failed(sched, job, r);
		break;
	case POLICY_EXPIRE:
		list_remove(&job->link);
		scheduler_answer_status(sched, job, ZY_DEADLINE_EXPIRED);
		break;
	case POLICY_PREEMPT:
		sched->counters.preempted++;
		rescue_preempt(sched, job);
		break;
	case POLICY_STOP:
		rescue_stop(sched, job, ZY_OVERRUN);
		break;
	}
}

static void ring_at(struct scheduler *sched, uint64_t at_ns)
{
	if (at_ns == sched->alarm_ns)
		return;
	sched->alarm_ns = at_ns;
	if (at_ns == UINT64_MAX)
		loop_timer_clear(sched->alarm);
	else
		loop_timer_set(sched->alarm, at_ns);
}

static void on_alarm(void *arg)
{
	struct scheduler *sched = arg;

	sched->alarm_ns = UINT64_MAX;
	scheduler_kick(sched);
	scheduler_check_drained(sched);
}

void scheduler_kick(struct scheduler *sched)
{
	struct policy_decision decision;

	/* Giving a slot back while starting a job ends up here again. */
	if (sched->kicking)
		return;
	sched->kicking = true;
	while (sched->free_entry != SCHEDULER_NO_ENTRY && rescue_may_start(sched)) {
		decision = policy_next(sched->policy, loop_now());
		if (decision.action == POLICY_NOTHING) {
			ring_at(sched, decision.ask_again_ns);
			break;
		}
		carry_out(sched, &decision);
	}
	sched->kicking = false;
}

void scheduler_slot_ready(struct scheduler *sched, struct model *model)
{
	scheduler_gate(sched, model);
	scheduler_kick(sched);
}

void scheduler_check_drained(struct scheduler *sched)
{
	void (*drained)(void *arg) = sched->drained;

	if (!sched->draining || !drained || sched->n_running || sched->n_clearing ||
	    policy_n_queued(sched->policy) || !list_is_empty(&sched->failed))
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
	sched->counters.resubmitted++;
	job_requeue(sched, job);
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

/* What it is charged: also if it came to nothing. */
static uint64_t time_on_device(const struct job *job, const struct device_event *event)
{
	if (event->run_ns || !job->since_ns)
		return event->run_ns;
	return loop_now() - job->since_ns;
}

static void charge(struct scheduler *sched, struct job *job, uint64_t ns)
{
	policy_finished(sched->policy, &job->policy, ns, loop_now());
	if (job->is_internal)
		return;
	job->binding->model->device_ns += ns * job->policy.n_cores;
	account_ran(job->tenant->account, job->tenant->name, job->binding->model->name,
		    ns * job->policy.n_cores);
}

static void conclude(struct scheduler *sched, struct job *job, const struct device_event *event)
{
	struct zy_complete answer = {.run_ns = event->run_ns, .cores = event->cores};

	/* Who was told one thing is not told another; who was not gets what really happened. */
	if (job->detached || event->result == DEVICE_ABORTED || event->result == DEVICE_LOST ||
	    event->result == DEVICE_OVERRAN)
		answer.status = (int32_t)job->verdict;
	else if (event->result == DEVICE_FAULTED)
		take_fault(&answer, event);
	if (answer.status == ZY_OK) {
		job->copied_bytes += slot_collect(job->slot, job->binding);
		estimate_add(&job->binding->model->estimate, event->run_ns);
	}
	job_leave_device(sched, job);
	charge(sched, job, time_on_device(job, event));
	scheduler_answer(sched, job, &answer);
}

static void handle_event(struct scheduler *sched, const struct device_event *event)
{
	struct job *job = entry_find(sched, event->cookie);
	bool was_taken = event->result == DEVICE_ABORTED || event->result == DEVICE_LOST;

	if (!job)
		return;
	if (event->result == DEVICE_OVERRAN)
		rescue_overran(sched, job);
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
	/* Perhaps in the middle of nothing, so that no job tells. */
	if (sched->device->gone)
		rescue_vanished(sched);
	scheduler_check_drained(sched);
}

/*
 * The interface
 */

static const enum policy_placement placements[] = {
	[DEVICE_PLACEMENT_NONE] = POLICY_PLACEMENT_NONE,
	[DEVICE_PLACEMENT_ONE] = POLICY_PLACEMENT_ONE,
	[DEVICE_PLACEMENT_EXACT] = POLICY_PLACEMENT_EXACT,
};

static int init_policy(struct scheduler *sched)
{
	const struct device_caps *caps = &sched->device->caps;
	struct policy_settings settings = POLICY_SETTINGS_DEFAULT;
	bool one = caps->placement == DEVICE_PLACEMENT_NONE;

	settings.stop_ns = caps->stop_ns;
	return policy_create(&sched->policy, one ? 1 : caps->cores, placements[caps->placement],
			     &settings);
}

int scheduler_set(struct scheduler *sched, const struct policy_settings *settings)
{
	struct policy_settings own = *settings;
	int r;

	own.stop_ns = sched->device->caps.stop_ns;
	r = policy_set(sched->policy, &own);
	if (r == 0)
		scheduler_kick(sched);
	return r;
}

static int init_tables(struct scheduler *sched)
{
	uint32_t depth = sched->device->caps.depth, cores = sched->device->caps.cores;

	sched->running = calloc(cores, sizeof(*sched->running));
	sched->entries = calloc(depth, sizeof(*sched->entries));
	if (!sched->running || !sched->entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < cores; i++)
		list_init(&sched->running[i]);
	for (uint32_t i = 0; i < depth; i++)
		sched->entries[i].next_free = i + 1 < depth ? i + 1 : SCHEDULER_NO_ENTRY;
	return 0;
}

int scheduler_init(struct scheduler *sched, struct loop *loop, struct device *device,
		   struct worker *worker)
{
	int r;

	*sched = (struct scheduler){
		.device = device, .worker = worker, .next_id = 1, .alarm_ns = UINT64_MAX};
	list_init(&sched->queued);
	list_init(&sched->failed);
	list_init(&sched->pool);
	r = init_tables(sched);
	if (r == 0)
		r = init_policy(sched);
	if (r == 0)
		account_table_init(&sched->accounts, sched->policy);
	if (r == 0)
		r = history_init(&sched->history);
	if (r == 0)
		r = rescue_init(sched, loop);
	if (r == 0)
		r = loop_timer_create(&sched->failed_timer, loop, on_failed, sched);
	if (r == 0)
		r = loop_timer_create(&sched->alarm, loop, on_alarm, sched);
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
	loop_timer_destroy(sched->alarm);
	rescue_finish(sched);
	while ((job = list_first(&sched->pool, struct job, link))) {
		list_remove(&job->link);
		free(job);
	}
	history_finish(&sched->history);
	if (sched->policy)
		account_table_finish(&sched->accounts);
	policy_destroy(sched->policy);
	free(sched->running);
	free(sched->entries);
	*sched = (struct scheduler){0};
}

void scheduler_drain(struct scheduler *sched, void (*drained)(void *arg), void *arg)
{
	struct job *job;

	sched->draining = true;
	sched->drained = drained;
	sched->drained_arg = arg;
	while ((job = list_first(&sched->queued, struct job, link)))
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
