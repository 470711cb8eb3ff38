/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/policy/world.h"

/* A decision looks behind so many jobs that cannot start; further ones may have to wait. */
#define LOOKAHEAD 8u

uint64_t charge_of(const struct task *task)
{
	const struct policy_job *job = &task->job;

	return (job->estimate_ns ? job->estimate_ns : UNKNOWN_CHARGE_NS) * job->n_cores;
}

uint64_t idle_cores(const struct world *w)
{
	uint64_t idle = 0;

	for (unsigned int i = 0; i < w->n_cores; i++)
		if (!w->cores[i].n)
			idle |= UINT64_C(1) << i;
	return idle & w->healthy;
}

uint64_t reserved_cores(const struct world *w)
{
	uint64_t reserved = 0;

	for (unsigned int i = 0; i < w->n_grants; i++)
		if (w->grants[i].reservation)
			reserved |= UINT64_C(1) << w->grants[i].home;
	return reserved;
}

static unsigned int n_on_device(const struct world *w, unsigned int account)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_on_device; i++)
		n += world_account_index(w, w->on_device[i]) == account;
	return n;
}

bool quotas_are_clear(const struct world *w)
{
	for (unsigned int i = 0; i < w->n_accounts; i++)
		if (w->accounts[i].share_percent)
			return false;
	return true;
}

bool can_run(const struct world *w, const struct task *task)
{
	unsigned int index = world_account_index(w, task);
	const struct policy_account *account = &w->accounts[index];

	if (task->is_frame || (task->job.gate && task->job.gate->closed))
		return false;
	/* A share of time may be used up: not for sure. */
	if (account->share_percent)
		return false;
	return !account->max_on_device || n_on_device(w, index) < account->max_on_device;
}

static bool is_far(const struct world *w, uint64_t reserved)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_queued; i++)
		n += w->queued[i]->job.n_cores > 1 || (w->queued[i]->job.cores & reserved);
	return n > LOOKAHEAD;
}

static bool has_room(const struct world *w, const struct task *task, uint64_t reserved)
{
	return (unsigned int)__builtin_popcountll(task->job.cores & idle_cores(w) & ~reserved) >=
	       task->job.n_cores;
}

/* Cores that it wants may be kept for another one, which waits for more. */
static bool is_kept_from(const struct world *w, const struct task *task, uint64_t reserved)
{
	for (unsigned int i = 0; i < w->n_queued; i++) {
		const struct task *other = w->queued[i];

		if (other != task && other->job.n_cores > 1 && can_run(w, other) &&
		    (other->job.cores & task->job.cores) && !has_room(w, other, reserved))
			return true;
	}
	return false;
}

/* Whether @other could have been started instead of what is started on @cores. */
static bool competes(const struct world *w, const struct task *other, uint64_t cores, bool stacked,
		     uint64_t reserved)
{
	const struct policy_job *job = &other->job;

	if (!can_run(w, other) || !(job->cores & cores & ~reserved))
		return false;
	if (job->n_cores == 1)
		return true;
	if (is_far(w, reserved) || !quotas_are_clear(w))
		return false;
	if (stacked) /* It waits for the core. */
		return (unsigned int)__builtin_popcountll(job->cores & w->healthy & ~reserved) >=
		       job->n_cores;
	return has_room(w, other, reserved) && !is_kept_from(w, other, reserved);
}

bool goes_before(const struct task *a, const struct task *b)
{
	uint64_t x = a->job.deadline_ns ? a->job.deadline_ns : NEVER;
	uint64_t y = b->job.deadline_ns ? b->job.deadline_ns : NEVER;

	if (a->job.class == ZY_CLASS_REALTIME && x != y)
		return x < y;
	return a->job.id < b->job.id;
}

static uint64_t frame_deadline(const struct task *task)
{
	return task->conforms_ns + task->grant->spec.deadline_ns;
}

static bool is_open(const struct task *task)
{
	return !task->job.gate || !task->job.gate->closed;
}

/* Frames go first, in the order of their deadlines. */
static void check_frames(struct world *w, const struct task *task)
{
	uint64_t idle = idle_cores(w);

	for (unsigned int i = 0; i < w->n_queued; i++) {
		const struct task *other = w->queued[i];

		if (other == task || !other->is_frame || !is_open(other))
			continue;
		if (task->is_frame)
			check(w,
			      other->grant->home != task->grant->home ||
				      frame_deadline(other) >= frame_deadline(task),
			      EDF, "frame %u is due after frame %u", (unsigned)(task - w->tasks),
			      (unsigned)(other - w->tasks));
		else
			check(w, !(idle >> other->grant->home & 1), CLASSES,
			      "task %u goes before frame %u", (unsigned)(task - w->tasks),
			      (unsigned)(other - w->tasks));
	}
}

void check_order(struct world *w, struct task *task, uint64_t cores, bool stacked)
{
	uint64_t reserved = reserved_cores(w);

	check_frames(w, task);
	task->out_of_order = false;
	if (task->is_frame)
		return;
	for (unsigned int i = 0; i < w->n_queued; i++) {
		const struct task *other = w->queued[i];

		if (other == task || other->job.class > task->job.class ||
		    !competes(w, other, cores, stacked, reserved))
			continue;
		if (other->job.class < task->job.class)
			task->out_of_order = true;
		else if (task->job.class == ZY_CLASS_REALTIME)
			check(w, goes_before(task, other), EDF, "task %u goes before task %u",
			      (unsigned)(task - w->tasks), (unsigned)(other - w->tasks));
		else if (other->client == task->client)
			check(w, other->job.id > task->job.id, ARRIVAL,
			      "task %u goes before task %u", (unsigned)(task - w->tasks),
			      (unsigned)(other - w->tasks));
	}
	check_out_of_order(w, task);
}
