/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/policy/world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define N(w, task) ((unsigned int)((task) - (w)->tasks))
#define LLU(x) ((unsigned long long)(x))

/* How far an account may run ahead of its share of time. */
#define SHARE_BURST_NS 100000000.0

uint64_t n_checked[N_PROPERTIES];

const char *const property_names[N_PROPERTIES] = {
	[ENDS_ONCE] = "each job starts only when it is queued and ends exactly once",
	[PLACES] = "each job runs on as many cores as it asked for, healthy ones of its mask",
	[DEPTH] = "a core that is busy is given only one short job more",
	[QUOTAS] = "the quotas of accounts are honoured",
	[GATES] = "nothing goes through a closed gate",
	[CLASSES] = "frames first, then classes in their order, except for their floors",
	[EDF] = "realtime jobs go by deadline",
	[ARRIVAL] = "jobs of a client go in the order of their arrival",
	[CONSERVING] = "no core is idle for which there is work, unless it is protected",
	[COLLECTING] = "a multi-core job keeps cores idle only so long",
	[ASKING] = "nothing happens before the time at which to ask again",
	[EXPIRY] = "jobs expire when their deadline cannot be met any more, and only then",
	[REFUSALS] = "only what can never be is refused",
	[STOPPING] = "only what overstays on a reserved core is stopped",
	[FAIRNESS] = "clients differ by their two longest jobs at most",
	[ROUGH_FAIRNESS] =
		"with wrong estimates they differ by that times the places on the device",
	[FLOORS] = "each class gets its floor",
	[BLOCKING] = "no frame meets more blocking than was admitted",
	[FRAMES] = "each frame that conforms meets its deadline",
	[NUMBERS] = "the numbers it shows are right",
	[DRAINING] = "in the end everything has run",
};

void check(struct world *w, bool holds, enum property property, const char *format, ...)
{
	va_list args;

	n_checked[property]++;
	if (holds || w->broken != N_PROPERTIES)
		return;
	w->broken = property;
	va_start(args, format);
	vsnprintf(w->message, sizeof(w->message), format, args);
	va_end(args);
}

static unsigned int count(uint64_t cores)
{
	return (unsigned int)__builtin_popcountll(cores);
}

/*
 * Protection, as reservation.h has it
 */

static bool frame_waits(const struct world *w, unsigned int core)
{
	for (unsigned int i = 0; i < w->n_queued; i++)
		if (w->queued[i]->is_frame && w->queued[i]->grant->home == core)
			return true;
	return false;
}

/* When the next frame may come. */
static uint64_t next_frame(const struct world *w, const struct grant *grant)
{
	if (grant->next_ns > grant->spec.jitter_ns + w->now_ns)
		return grant->next_ns - grant->spec.jitter_ns;
	return w->now_ns;
}

/* A frame that came early, on its home core: it need not go out of the way of its own kind if
 * it will not be, as long as it keeps to its budget. */
static bool is_at_home(const struct world *w, const struct task *task, unsigned int core,
		       uint64_t tolerance)
{
	const struct grant *grant = task->grant;

	return grant && grant->reservation && grant->home == core &&
	       w->now_ns + grant->spec.budget_ns +
			       (w->settings.stop_ns == NEVER ? 0 : w->settings.stop_ns) <=
		       next_frame(w, grant) + tolerance;
}

/* Until when @core may be occupied by @task, if it is started now. */
static uint64_t open_until(const struct world *w, unsigned int core, const struct task *task)
{
	uint64_t tolerance = policy_core_info(w->policy, core).tolerance_ns, open = NEVER;

	if (frame_waits(w, core))
		return 0;
	for (unsigned int i = 0; i < w->n_grants; i++) {
		const struct grant *grant = &w->grants[i];
		uint64_t next;

		if (!grant->reservation || grant->home != core || grant->reservation->dormant ||
		    (grant == task->grant && is_at_home(w, task, core, tolerance)))
			continue;
		next = next_frame(w, grant);
		open = next + tolerance < open ? next + tolerance : open;
	}
	return open;
}

/* It is started on a core where frames may come. */
static void check_guard(struct world *w, struct task *task, unsigned int core)
{
	const struct task *before = w->cores[core].tasks[0];
	uint64_t off = w->now_ns, open = open_until(w, core, task);

	check(w, !frame_waits(w, core), BLOCKING, "task %u is started where a frame waits",
	      N(w, task));
	if (w->settings.stop_ns != NEVER || open == NEVER)
		return; /* see check_blocking(): what counts is when it has left */
	if (before)
		off = before->begin_ns + before->job.bound_ns;
	off += task->job.bound_ns;
	check(w, off >= task->job.bound_ns && off <= open, BLOCKING,
	      "task %u may be on core %u until %llu, which is %llu too long", N(w, task), core,
	      LLU(off), LLU(off - open));
}

/* It leaves its cores: did it stand in the way of a frame for too long? Tolerance only grows in
 * a schedule, when reservations are released. */
static void check_blocking(struct world *w, const struct task *task)
{
	for (unsigned int i = 0; i < w->n_queued && !task->was_frame; i++) {
		const struct task *frame = w->queued[i];
		uint64_t tolerance;

		if (!frame->is_frame || !frame->promised || frame->grant == task->grant ||
		    !(task->job.on_cores >> frame->grant->home & 1))
			continue;
		tolerance = policy_core_info(w->policy, frame->grant->home).tolerance_ns;
		check(w, w->now_ns - frame->conforms_ns <= tolerance, BLOCKING,
		      "task %u blocks frame %u for %llu, which is more than %llu", N(w, task),
		      N(w, frame), LLU(w->now_ns - frame->conforms_ns), LLU(tolerance));
	}
}

/*
 * Into the queue
 */

static bool is_valid(const struct world *w, const struct policy_job *job)
{
	if (!job->n_cores || (job->cores & ~w->all) || count(job->cores) < job->n_cores)
		return false;
	if (job->reservation && job->n_cores > 1)
		return false;
	return job->n_cores == 1 || w->placement == POLICY_PLACEMENT_EXACT ||
	       job->n_cores == w->n_cores;
}

void check_push(struct world *w, struct task *task, int result)
{
	const struct policy_job *job = &task->job;
	bool in_time =
		!job->deadline_ns || job->reservation ||
		(w->now_ns + job->fastest_ns <= job->deadline_ns && w->now_ns < job->deadline_ns);

	check(w, is_valid(w, job) == (result != -EINVAL), REFUSALS, "task %u: invalid, or not: %d",
	      N(w, task), result);
	switch (result) {
	case -EINVAL:
		break;
	case -ETIME:
		check(w, !in_time || !(job->cores & idle_cores(w)), REFUSALS,
		      "task %u could be in time", N(w, task));
		break;
	case -ENOSPC:
		check(w, count(job->cores & ~reserved_cores(w)) < job->n_cores, REFUSALS,
		      "task %u could run beside the reservations", N(w, task));
		break;
	default:
		check(w, result == 0 && in_time, REFUSALS, "task %u cannot be in time: %d",
		      N(w, task), result);
	}
}

/*
 * Decisions
 */

static bool can_stack(const struct world *w, const struct task *task, unsigned int index)
{
	const struct core_record *core = &w->cores[index];

	return core->n == 1 && core->tasks[0]->job.n_cores == 1 && task->job.n_cores == 1 &&
	       task->job.estimate_ns && task->job.estimate_ns <= w->settings.stack_ns &&
	       !task->is_frame && !frame_waits(w, index);
}

static void check_places(struct world *w, struct task *task, uint64_t cores)
{
	unsigned int n = task->job.n_cores;

	check(w,
	      cores && !(cores & ~task->job.cores) && !(cores & ~w->healthy) && count(cores) == n,
	      PLACES, "task %u: cores %llx, %u of %llx", N(w, task), LLU(cores), n,
	      LLU(task->job.cores));
	check(w, w->placement == POLICY_PLACEMENT_EXACT || n == 1 || n == w->n_cores, PLACES,
	      "task %u: %u cores", N(w, task), n);
	check(w, task->job.on_cores == cores && task->job.started_ns == w->now_ns, PLACES,
	      "task %u: it says something else", N(w, task));
}

/* A bucket for each account with a limited share: what it used beyond its share. */
static void check_quota(struct world *w, const struct task *task)
{
	unsigned int index = world_account_index(w, task), n = 0;
	const struct policy_account *account = &w->accounts[index];
	double share = account->share_percent / 100.0 * w->n_cores;
	double left = w->bucket_ns[index] - (double)(w->now_ns - w->bucket_at_ns[index]) * share;

	if (task->is_frame) /* It is promised. */
		return;
	for (unsigned int i = 0; i < w->n_on_device; i++)
		n += world_account_index(w, w->on_device[i]) == index;
	check(w, !account->max_on_device || n < account->max_on_device, QUOTAS,
	      "task %u: %u are on the device", N(w, task), n);
	check(w, !account->share_percent || left <= SHARE_BURST_NS * share + 1000, QUOTAS,
	      "task %u: its account is %.0f ns ahead of its share", N(w, task), left);
}

void quota_changes(struct world *w, unsigned int index, unsigned int percent)
{
	unsigned int before = w->accounts[index].share_percent;

	w->bucket_ns[index] = before ? w->bucket_ns[index] * percent / before : 0;
	if (!before)
		w->bucket_at_ns[index] = w->now_ns;
}

static void use_quota(struct world *w, const struct task *task, uint64_t used_ns)
{
	unsigned int index = world_account_index(w, task);
	double share = w->accounts[index].share_percent / 100.0 * w->n_cores;
	double left = w->bucket_ns[index] - (double)(w->now_ns - w->bucket_at_ns[index]) * share;

	if (!w->accounts[index].share_percent)
		return;
	w->bucket_ns[index] = (left > 0 ? left : 0) + (double)used_ns;
	w->bucket_at_ns[index] = w->now_ns;
}

void check_start(struct world *w, struct task *task, uint64_t cores)
{
	uint64_t reserved = reserved_cores(w);
	bool stacked = false;

	check(w, task->fate == FATE_QUEUED, ENDS_ONCE, "task %u is started, but was not queued",
	      N(w, task));
	check_places(w, task, cores);
	if (w->broken != N_PROPERTIES)
		return;
	task->was_frame = task->is_frame;
	for (uint64_t rest = cores; rest; rest &= rest - 1) {
		unsigned int core = (unsigned int)__builtin_ctzll(rest);

		check(w, !w->cores[core].n || can_stack(w, task, core), DEPTH,
		      "task %u on core %u, which has %u", N(w, task), core, w->cores[core].n);
		stacked = stacked || w->cores[core].n;
		if (!task->is_frame && (reserved >> core & 1))
			check_guard(w, task, core);
	}
	check_quota(w, task);
	check(w, !task->job.gate || !task->job.gate->closed, GATES, "task %u", N(w, task));
	check(w,
	      !task->job.deadline_ns || task->is_early || task->is_frame ||
		      w->now_ns + task->job.fastest_ns <= task->job.deadline_ns,
	      EXPIRY, "task %u is started too late", N(w, task));
	check_order(w, task, cores, stacked);
}

void check_expire(struct world *w, struct task *task)
{
	check(w, task->fate == FATE_QUEUED, ENDS_ONCE, "task %u expires, but was not queued",
	      N(w, task));
	check(w,
	      task->job.deadline_ns && !task->is_early && !task->is_frame &&
		      w->now_ns + task->job.fastest_ns > task->job.deadline_ns,
	      EXPIRY, "task %u expires with %llu left", N(w, task),
	      LLU(task->job.deadline_ns - w->now_ns));
}

void check_stop(struct world *w, struct task *task, bool fails)
{
	uint64_t ran = task->begin_ns == NEVER ? 0 : w->now_ns - task->begin_ns;
	uint64_t least = task->was_frame && task->grant ? task->grant->spec.budget_ns
							: task->job.estimate_ns;

	check(w, task->fate == FATE_ON_DEVICE && !task->stopping, ENDS_ONCE,
	      "task %u is stopped, but does not run", N(w, task));
	check(w, w->settings.stop_ns != NEVER, STOPPING, "that cannot be relied on");
	check(w, fails == task->was_frame, STOPPING, "task %u: frames are stopped, others put back",
	      N(w, task));
	check(w, ran >= least, STOPPING, "task %u is stopped after %llu, but may run for %llu",
	      N(w, task), LLU(ran), LLU(least));
}

void check_end(struct world *w, struct task *task, uint64_t run_ns)
{
	check_blocking(w, task);
	use_quota(w, task, run_ns * task->job.n_cores);
	if (!task->was_frame || !task->grant)
		return;
	w->n_frames++;
	if (run_ns > task->grant->spec.budget_ns || !task->promised)
		return;
	w->n_frames_met++;
	check(w, w->now_ns <= task->conforms_ns + task->grant->spec.deadline_ns, FRAMES,
	      "frame %u on core %llx is %llu late", N(w, task), LLU(task->job.on_cores),
	      LLU(w->now_ns - task->conforms_ns - task->grant->spec.deadline_ns));
}

/*
 * Nothing to do
 */

/* What is idle, and for how many multi-core jobs each core may be kept. */
struct idleness {
	uint64_t cores, reserved, wanted;
	unsigned int n_collectors[POLICY_MAX_CORES];
};

static bool may_collect(const struct world *w, const struct task *task)
{
	return task->job.n_cores > 1 && count(task->job.cores & w->healthy) >= task->job.n_cores &&
	       can_run(w, task);
}

static struct idleness look_around(const struct world *w)
{
	struct idleness idle = {.cores = idle_cores(w), .reserved = reserved_cores(w)};

	for (unsigned int i = 0; idle.cores && i < w->n_queued; i++) {
		if (!may_collect(w, w->queued[i]))
			continue;
		for (uint64_t rest = w->queued[i]->job.cores; rest; rest &= rest - 1)
			idle.n_collectors[__builtin_ctzll(rest)]++;
	}
	return idle;
}

/* The gaps between the frames of @core are never so long, as long as frames keep coming. */
static bool is_longer_than_gaps(const struct world *w, const struct task *task, unsigned int core)
{
	uint64_t gap = NEVER;

	for (unsigned int i = 0; i < w->n_grants; i++) {
		const struct grant *grant = &w->grants[i];
		uint64_t least = grant->spec.period_ns - grant->spec.jitter_ns;

		if (grant->reservation && grant->home == core && grant != task->grant &&
		    least < gap)
			gap = least;
	}
	return gap != NEVER &&
	       task->job.bound_ns > gap + policy_core_info(w->policy, core).tolerance_ns;
}

/* Jobs of one client that can run in the same places wait for each other. */
static bool is_next_of_its_kind(const struct world *w, const struct task *task)
{
	const struct policy_job *job = &task->job;

	for (unsigned int i = 0; i < w->n_queued; i++) {
		const struct policy_job *other = &w->queued[i]->job;

		if (other != job && !w->queued[i]->is_frame && other->client == job->client &&
		    other->class == job->class && other->gate == job->gate &&
		    other->cores == job->cores && other->n_cores == job->n_cores &&
		    goes_before(w->queued[i], task))
			return false;
	}
	return true;
}

static void check_idle_core(struct world *w, const struct task *task, unsigned int index,
			    const struct idleness *idle)
{
	struct core_record *core = &w->cores[index];
	unsigned int n = idle->n_collectors[index];

	if (idle->reserved >> index & 1) {
		check(w,
		      n || w->n_queued > 8 || !is_next_of_its_kind(w, task) ||
			      is_longer_than_gaps(w, task, index) ||
			      w->now_ns + task->job.bound_ns < w->now_ns ||
			      w->now_ns + task->job.bound_ns > open_until(w, index, task),
		      CONSERVING, "task %u could run on core %u and be off it in time", N(w, task),
		      index);
		return;
	}
	check(w, n > 0, CONSERVING, "core %u is idle, and task %u could run", index, N(w, task));
	if (core->idle_since_ns == NEVER)
		core->idle_since_ns = w->now_ns;
	check(w, w->now_ns - core->idle_since_ns <= n * w->settings.collect_ns, COLLECTING,
	      "core %u is kept since %llu", index, LLU(w->now_ns - core->idle_since_ns));
}

static void check_work(struct world *w, const struct task *task, struct idleness *idle)
{
	uint64_t cores = task->job.cores & idle->cores;

	if (!cores || !can_run(w, task))
		return;
	if (task->job.n_cores == 1) {
		idle->wanted |= cores;
		for (; cores; cores &= cores - 1)
			check_idle_core(w, task, (unsigned int)__builtin_ctzll(cores), idle);
		return;
	}
	if (count(cores & ~idle->reserved) < task->job.n_cores || w->n_queued > 8)
		return;
	for (uint64_t rest = cores; rest; rest &= rest - 1)
		if (idle->n_collectors[__builtin_ctzll(rest)] > 1) /* another one, too */
			return;
	check(w, false, CONSERVING, "multi-core task %u could run", N(w, task));
}

static void check_numbers(struct world *w)
{
	unsigned int queued[ZY_CLASS_MAX_] = {0}, on_device[ZY_CLASS_MAX_] = {0};

	for (unsigned int i = 0; i < w->n_queued; i++) {
		queued[w->queued[i]->job.class]++;
		check(w, policy_is_queued(&w->queued[i]->job), NUMBERS, "task %u is not queued",
		      N(w, w->queued[i]));
	}
	for (unsigned int i = 0; i < w->n_on_device; i++) {
		on_device[w->on_device[i]->job.class]++;
		check(w, !policy_is_queued(&w->on_device[i]->job), NUMBERS, "task %u is queued",
		      N(w, w->on_device[i]));
	}
	check(w,
	      policy_n_queued(w->policy) == w->n_queued &&
		      policy_n_on_device(w->policy) == w->n_on_device,
	      NUMBERS, "%u are queued and %u run", w->n_queued, w->n_on_device);
	for (int class = 0; class < ZY_CLASS_MAX_; class ++) {
		struct policy_class_info info = policy_class_info(w->policy, class);

		check(w,
		      info.n_queued == queued[class] && info.n_on_device == on_device[class] &&
			      info.device_ns == w->measured_ns[class],
		      NUMBERS, "class %d: %u queued, %u run, %llu used", class, info.n_queued,
		      info.n_on_device, LLU(info.device_ns));
	}
	for (unsigned int i = 0; i < w->n_clients; i++)
		check(w, w->clients[i].device_ns == w->client_ns[i], NUMBERS, "client %u: %llu", i,
		      LLU(w->clients[i].device_ns));
	for (unsigned int i = 0; i < w->n_cores; i++) {
		struct policy_core_info info = policy_core_info(w->policy, i);

		check(w, info.n_on_device == w->cores[i].n && info.healthy == (w->healthy >> i & 1),
		      NUMBERS, "core %u: %u run", i, info.n_on_device);
	}
}

void check_nothing(struct world *w, uint64_t ask_again_ns)
{
	struct idleness idle = look_around(w);
	bool clear = quotas_are_clear(w);

	check(w, ask_again_ns > w->now_ns, ASKING, "ask again at %llu", LLU(ask_again_ns));
	for (unsigned int i = 0; i < w->n_queued; i++) {
		const struct task *task = w->queued[i];

		check(w,
		      !task->job.deadline_ns || task->is_early || task->is_frame ||
			      w->now_ns + task->job.fastest_ns <= task->job.deadline_ns,
		      EXPIRY, "task %u should have expired", N(w, task));
		if (task->is_frame)
			check(w,
			      !(idle.cores >> task->grant->home & 1) ||
				      (task->job.gate && task->job.gate->closed),
			      CONSERVING, "frame %u could run", N(w, task));
		else if (idle.cores && clear)
			check_work(w, task, &idle);
	}
	for (unsigned int i = 0; i < w->n_cores; i++)
		if (!(idle.wanted >> i & 1))
			w->cores[i].idle_since_ns = NEVER;
	if (w->seq % 8 == 0)
		check_numbers(w);
}

void check_drained(struct world *w)
{
	check(w, !w->n_queued && !w->n_on_device, DRAINING, "%u are queued and %u run", w->n_queued,
	      w->n_on_device);
	check_numbers(w);
	for (unsigned int i = 0; i < w->n_tasks; i++)
		check(w, w->tasks[i].fate == FATE_ENDED, ENDS_ONCE, "task %u has not ended", i);
}
