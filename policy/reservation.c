/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to frames, and what their protection means to everybody else. */
#include <errno.h>
#include <stdlib.h>

#include "policy/policy_internal.h"

/* A job that is stopped for the sake of a reservation may first take so much longer than ever
 * seen. */
#define PATIENCE 2u
#define PATIENCE_NS UINT64_C(200000)

/*
 * Frames
 */

/* Ask again when the first frame that waits conforms. */
static void watch_first(struct policy *policy, struct reservation *r)
{
	struct policy_job *job = list_first(&r->waiting, struct policy_job, early_link);

	if (job)
		timer_set(policy, job, r->next_ns - r->spec.jitter_ns);
}

void reservation_watch(struct policy *policy, struct reservation *r, uint64_t from_ns)
{
	timer_insert(policy, &r->sleep, add_ns(from_ns, RESERVATION_DORMANT_NS), r->id,
		     TIMER_RESERVATION);
}

void reservation_sleep(struct policy *policy, struct reservation *r, uint64_t now_ns)
{
	uint64_t from = r->n_jobs ? now_ns : r->next_ns;

	if (add_ns(from, RESERVATION_DORMANT_NS) > now_ns) {
		reservation_watch(policy, r, from);
		return;
	}
	tree_remove(&r->sleep);
	r->dormant = true;
	core_account(policy, r->core);
}

/* It is used again. */
static void wake_up(struct policy *policy, struct reservation *r)
{
	uint64_t from = add_ns(protected_from(policy, &policy->cores[r->core]), r->spec.jitter_ns);

	r->dormant = false;
	if (from > r->next_ns)
		r->next_ns = from;
	reservation_watch(policy, r, r->next_ns);
	core_account(policy, r->core);
}

static bool conforms(const struct reservation *r, uint64_t now_ns)
{
	return list_is_empty(&r->waiting) && add_ns(now_ns, r->spec.jitter_ns) >= r->next_ns;
}

void frame_queue(struct policy *policy, struct policy_job *job)
{
	struct reservation *r = job->reservation;

	job->state = JOB_FRAME;
	job->node.key[0] = job->deadline_ns;
	job->node.key[1] = job->id;
	job->node.single = job->node.gang = 0;
	tree_insert(&policy->cores[r->core].frames, &job->node);
	policy->pending |= UINT64_C(1) << r->core;
	if (job->gate)
		job->gate->n_queued++;
}

void frame_unqueue(struct policy *policy, struct policy_job *job)
{
	struct core *core = &policy->cores[job->reservation->core];

	tree_remove(&job->node);
	if (tree_is_empty(&core->frames))
		policy->pending &= ~(UINT64_C(1) << job->reservation->core);
	if (job->gate)
		job->gate->n_queued--;
}

/* From now on it is protected. */
static void frame_conform(struct policy_job *job, uint64_t now_ns)
{
	struct reservation *r = job->reservation;

	job->conforms_ns = now_ns;
	job->deadline_ns = add_ns(now_ns, r->spec.deadline_ns);
	r->next_ns = (now_ns > r->next_ns ? now_ns : r->next_ns) + r->spec.period_ns;
	r->frames++;
}

int frame_push(struct policy *policy, struct policy_job *job, uint64_t now_ns)
{
	struct reservation *r = job->reservation;
	int result;

	if (r->dormant)
		wake_up(policy, r);
	if (conforms(r, now_ns)) {
		frame_conform(job, now_ns);
		frame_queue(policy, job);
		return 0;
	}
	job->deadline_ns = add_ns(now_ns, r->spec.deadline_ns);
	result = flow_push(policy, job);
	if (result < 0)
		return result;
	job->state = JOB_EARLY;
	r->early++;
	list_append(&r->waiting, &job->early_link);
	watch_first(policy, r);
	return 0;
}

void frame_leave_waiting(struct policy *policy, struct policy_job *job)
{
	list_remove(&job->early_link);
	tree_remove(&job->due);
	watch_first(policy, job->reservation);
}

void frame_promote(struct policy *policy, struct policy_job *job, uint64_t now_ns)
{
	flow_remove(policy, job);
	list_remove(&job->early_link);
	tree_remove(&job->due);
	frame_conform(job, now_ns);
	frame_queue(policy, job);
	watch_first(policy, job->reservation);
}

static void reservation_drop(struct reservation *r)
{
	if (r->released && !r->n_jobs)
		free(r);
}

/* Frames that conformed have to wait again, before those that wait already. */
static void frames_demote(struct policy *policy, struct reservation *r)
{
	struct tree_node *node = tree_first(&policy->cores[r->core].frames), *next;
	struct policy_job *job;
	struct list all;

	list_init(&all);
	for (; node; node = next) {
		next = tree_next(node);
		job = tree_entry(node, struct policy_job, node);
		if (job->reservation != r)
			continue;
		frame_unqueue(policy, job);
		/* No memory for a flow: it stays. */
		if (flow_push(policy, job) < 0) {
			frame_queue(policy, job);
			continue;
		}
		job->state = JOB_EARLY;
		job->conforms_ns = 0;
		r->next_ns -= r->spec.period_ns;
		list_append(&all, &job->early_link);
	}
	while ((job = list_first(&r->waiting, struct policy_job, early_link))) {
		tree_remove(&job->due);
		list_remove(&job->early_link);
		list_append(&all, &job->early_link);
	}
	while ((job = list_first(&all, struct policy_job, early_link))) {
		list_remove(&job->early_link);
		list_append(&r->waiting, &job->early_link);
	}
}

/*
 * What it took too much is taken from those behind it, even if they came in time: they would
 * be late now, and go before frames of others that are not.
 */
static void frame_overran(struct policy *policy, struct reservation *r, uint64_t run_ns)
{
	unsigned __int128 excess = run_ns - r->spec.budget_ns;

	r->overruns++;
	frames_demote(policy, r);
	r->next_ns = add_ns(r->next_ns, (uint64_t)(excess * r->spec.period_ns / r->spec.budget_ns));
	watch_first(policy, r);
}

void frame_finish(struct policy *policy, struct policy_job *job, uint64_t run_ns, uint64_t now_ns)
{
	struct reservation *r = job->reservation;

	job->reservation = NULL;
	if (run_ns > r->spec.budget_ns && !r->released)
		frame_overran(policy, r, run_ns);
	if (run_ns && job->conforms_ns && now_ns > job->deadline_ns)
		r->missed++;
	r->n_jobs--;
	reservation_drop(r);
}

/* It has lost its reservation, and is a realtime job like others. */
static void frame_degrade(struct policy *policy, struct policy_job *job)
{
	if (job->state == JOB_FRAME) {
		frame_unqueue(policy, job);
		/* No memory for a flow: it stays where it is, and starts when the core is free. */
		if (flow_push(policy, job) < 0) {
			frame_queue(policy, job);
			return;
		}
	} else {
		frame_leave_waiting(policy, job);
	}
	job->state = JOB_QUEUED;
	job->conforms_ns = 0;
	watch_deadline(policy, job);
}

void policy_release(struct policy *policy, struct reservation *r, uint64_t now_ns)
{
	struct core *core = &policy->cores[r->core];
	struct tree_node *node, *next;
	struct policy_flow *flow;

	(void)now_ns;
	r->released = true;
	while (!list_is_empty(&r->waiting))
		frame_degrade(policy, list_first(&r->waiting, struct policy_job, early_link));
	for (node = tree_first(&core->frames); node; node = next) {
		struct policy_job *job = tree_entry(node, struct policy_job, node);

		next = tree_next(node);
		if (job->reservation == r)
			frame_degrade(policy, job);
	}
	list_for_each (flow, &r->client->flows, client_link)
		if (flow->reservation == r)
			flow->reservation = NULL;
	list_remove(&r->link);
	tree_remove(&r->sleep);
	core->n_reservations--;
	r->client->n_reservations--;
	core_account(policy, r->core);
	reservation_drop(r);
}

/*
 * Protection
 */

uint64_t job_occupies(const struct policy *policy, const struct policy_job *job,
		      uint64_t *ret_limit)
{
	uint64_t limit, occupies;

	if (ret_limit)
		*ret_limit = NEVER;
	if (!stop_is_reliable(policy) || !job->estimate_ns || job->no_gaps)
		return job->bound_ns;
	limit = add_ns(PATIENCE * job->estimate_ns, PATIENCE_NS);
	occupies = add_ns(limit, policy->settings.stop_ns);
	if (occupies >= job->bound_ns)
		return job->bound_ns;
	if (ret_limit)
		*ret_limit = limit;
	return occupies;
}

uint64_t core_longest(const struct policy *policy, unsigned int index,
		      const struct reservation *but)
{
	const struct core *core = &policy->cores[index];
	uint64_t shortest = NEVER;
	const struct reservation *r;

	if (!but || but->core != index)
		return core->longest_ns;
	list_for_each (r, &core->reservations, link)
		if (r != but && !r->dormant && r->spec.period_ns - r->spec.jitter_ns < shortest)
			shortest = r->spec.period_ns - r->spec.jitter_ns;
	return add_ns(shortest, core->tolerance_ns);
}

uint64_t core_open_until(const struct policy *policy, unsigned int index, uint64_t now_ns,
			 const struct reservation *but)
{
	const struct core *core = &policy->cores[index];
	uint64_t open = NEVER;
	const struct reservation *r;

	if (policy->pending & UINT64_C(1) << index)
		return 0;
	list_for_each (r, &core->reservations, link) {
		uint64_t next = r->next_ns > r->spec.jitter_ns ? r->next_ns - r->spec.jitter_ns : 0;

		if (r == but || r->dormant)
			continue;
		next = add_ns(next > now_ns ? next : now_ns, core->tolerance_ns);
		open = next < open ? next : open;
	}
	return open;
}

const char *reservation_refusal_name(enum reservation_refusal refusal)
{
	switch (refusal) {
	case RESERVATION_GRANTED:
		return "granted";
	case RESERVATION_INVALID:
		return "invalid";
	case RESERVATION_UTILISATION:
		return "utilisation";
	case RESERVATION_BLOCKING:
		return "blocking";
	case RESERVATION_LAST_CORE:
		return "last core";
	case RESERVATION_TOO_MANY:
		return "too many";
	case RESERVATION_NO_MEMORY:
		return "no memory";
	}
	return "?";
}
