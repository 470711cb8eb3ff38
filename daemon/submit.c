/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler's clients: who joins, what they submit and take back, and what is left when they
 * go. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/binding.h"
#include "daemon/device.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/scheduler_internal.h"
#include "daemon/stream.h"
#include "daemon/tenant.h"

uint64_t scheduler_all_cores(const struct scheduler *sched)
{
	unsigned int n = sched->device->caps.cores;

	return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* By the access rules; of them nothing is left where the device does not place jobs. */
static uint64_t permitted_cores(const struct scheduler *sched, const struct job_owner *owner)
{
	bool places = sched->device->caps.placement != DEVICE_PLACEMENT_NONE;

	return places ? owner->cores : UINT64_MAX;
}

/* 0, or why this request is not accepted. */
static int admit(const struct scheduler *sched, const struct job_owner *owner,
		 const struct binding *binding, uint64_t wanted)
{
	if (sched->draining)
		return -ESHUTDOWN;
	if (!wanted)
		return -EINVAL;
	if (!(wanted & permitted_cores(sched, owner)))
		return -EACCES;
	if (sched->recovery.step == RECOVERY_GONE)
		return -ENODEV;
	if (quarantine_until(&sched->quarantine, binding->model->hash, owner->uid, loop_now()))
		return -EKEYREJECTED;
	return 0;
}

static struct job *job_get(struct scheduler *sched)
{
	struct job *job = list_first(&sched->pool, struct job, link);

	if (job)
		list_remove(&job->link);
	else
		job = malloc(sizeof(*job));
	if (job) {
		*job = (struct job){.id = sched->next_id++, .device_cookie = SCHEDULER_NO_ENTRY};
		list_init(&job->link);
		list_init(&job->owner_link);
		list_init(&job->timed_link);
		list_init(&job->stream_link);
	}
	return job;
}

void scheduler_leave_owner(struct job *job)
{
	if (!job->owner)
		return;
	list_remove(&job->owner_link);
	cookie_table_remove(&job->owner->by_cookie, &job->by_cookie);
	job->owner->n_jobs--;
	job->owner = NULL;
}

int scheduler_join(struct scheduler *sched, struct job_owner *owner, const struct account_key *key,
		   uint64_t id, void (*answer)(struct job_owner *, const struct zy_complete *))
{
	zy_auto(account_unref) struct account *account = NULL;
	struct tenant *tenant;
	int r;

	r = account_get(&account, &sched->accounts, *key);
	if (r < 0)
		return r;
	r = tenant_create(&tenant, account, id);
	if (r < 0)
		return r;
	zy_take(account);
	*owner = (struct job_owner){
		.tenant = tenant, .uid = key->uid, .cores = UINT64_MAX, .answer = answer};
	list_init(&owner->jobs);
	cookie_table_init(&owner->by_cookie);
	return 0;
}

/* The cores it asks for, of those there are. */
static uint64_t wanted_cores(const struct scheduler *sched, const struct zy_submit *entry,
			     const struct stream *stream)
{
	uint64_t cores = stream ? stream->spec.cores : entry->core_mask;

	if (stream && stream->reservation)
		cores = UINT64_C(1) << stream->reservation->core;
	return (cores ? cores : UINT64_MAX) & scheduler_all_cores(sched);
}

/* What the policy has to know. */
static void describe(const struct scheduler *sched, const struct job_owner *owner, struct job *job,
		     const struct zy_submit *entry, const struct stream *stream)
{
	struct model *model = job->binding->model;
	uint64_t now = loop_now(), deadline = entry->deadline_ns;
	struct reservation *reservation = stream ? stream->reservation : NULL;

	if (stream)
		deadline = stream->spec.deadline_ns ? now + stream->spec.deadline_ns : 0;
	job->deadline_ns = deadline;
	job->reservation = reservation ? reservation->id : 0;
	job->policy = (struct policy_job){
		.id = job->id,
		.client = &job->tenant->client,
		.gate = &model->gate,
		.class = (enum zy_class)(stream ? stream->spec.class : entry->class),
		.cores = wanted_cores(sched, entry, stream) & permitted_cores(sched, owner),
		.n_cores = entry->n_cores && !stream ? entry->n_cores : 1,
		.accepted_ns = now,
		.deadline_ns = deadline,
		.estimate_ns = model->estimate.slowest_ns,
		.fastest_ns = model->estimate.fastest_ns,
		.bound_ns = rescue_bound(sched, model),
		.reservation = reservation,
	};
	if (reservation) {
		job->policy.class = ZY_CLASS_REALTIME;
		job->policy.cores = reservation->spec.cores & scheduler_all_cores(sched) &
				    permitted_cores(sched, owner);
	}
	if (sched->device->caps.placement == DEVICE_PLACEMENT_NONE)
		job->policy.cores = job->policy.n_cores = 1;
}

/* Frame or not, let the policy have it. On failure it is neither. */
static int enqueue(struct scheduler *sched, struct job *job, struct stream *stream)
{
	struct job *dropped = NULL;
	int r = stream ? stream_push(stream, job, &dropped) : 0;

	if (r < 0)
		return r;
	r = policy_push(sched->policy, &job->policy, job->policy.accepted_ns);
	if (r < 0) {
		stream_leave(job, NULL);
		return r;
	}
	if (dropped)
		scheduler_drop(sched, dropped, ZY_DROPPED);
	return 0;
}

/* It was not accepted after all. */
static void job_drop(struct scheduler *sched, struct job *job)
{
	tenant_unref(job->tenant);
	binding_unref(job->binding);
	list_append(&sched->pool, &job->link);
}

static void job_join_owner(struct job *job, struct job_owner *owner)
{
	job->owner = owner;
	job->is_internal = owner->is_internal;
	list_append(&owner->jobs, &job->owner_link);
	cookie_table_add(&owner->by_cookie, &job->by_cookie, job->cookie);
	owner->n_jobs++;
}

int scheduler_submit(struct scheduler *sched, struct job_owner *owner, struct binding *binding,
		     const struct zy_submit *entry, struct stream *stream)
{
	int r = admit(sched, owner, binding, wanted_cores(sched, entry, stream));
	struct job *job;

	sched->counters.quarantined += r == -EKEYREJECTED;
	if (r < 0)
		return r;
	job = job_get(sched);
	if (!job)
		return -ENOMEM;

	job->scheduler = sched;
	job->state = JOB_QUEUED;
	job->uid = owner->uid;
	job->cookie = entry->cookie;
	job->tenant = tenant_ref(owner->tenant);
	job->binding = binding_ref(binding);
	describe(sched, owner, job, entry, stream);
	r = enqueue(sched, job, stream);
	if (r < 0) {
		job_drop(sched, job);
		return r;
	}
	list_append(&sched->queued, &job->link);
	job_join_owner(job, owner);
	sched->counters.accepted += !job->is_internal;
	if (entry->timeout_ns) {
		if (__builtin_add_overflow(job->policy.accepted_ns, entry->timeout_ns,
					   &job->timeout_at_ns))
			job->timeout_at_ns = UINT64_MAX;
		rescue_watch_timeout(sched, job);
	}
	if (binding->model->gate.closed)
		scheduler_gate(sched, binding->model);
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

/* Several may have the same cookie, and some may have been told their end already. */
static struct job *find_unanswered(const struct job_owner *owner, uint64_t cookie)
{
	struct cookie_link *link = cookie_table_find(&owner->by_cookie, cookie, NULL);

	for (; link; link = cookie_table_find(&owner->by_cookie, cookie, link)) {
		struct job *job = list_entry(link, struct job, by_cookie);

		if (!job->detached)
			return job;
	}
	return NULL;
}

int scheduler_cancel(struct scheduler *sched, struct job_owner *owner, uint64_t cookie)
{
	struct job *job = find_unanswered(owner, cookie);

	if (!job)
		return -ENOENT;
	job_cancel(sched, job);
	return 0;
}

void scheduler_forget(struct scheduler *sched, struct job_owner *owner)
{
	struct job *job;

	/* The last first: so the order of those that are left need not be kept up. */
	while ((job = list_last(&owner->jobs, struct job, owner_link))) {
		scheduler_leave_owner(job);
		job_cancel(sched, job);
	}
	cookie_table_finish(&owner->by_cookie);
	tenant_unref(owner->tenant);
	owner->tenant = NULL;
	scheduler_check_drained(sched);
}
