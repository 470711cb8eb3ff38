/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/policy/world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TRACE(w, ...)                                                                              \
	do {                                                                                       \
		if ((w)->verbose) {                                                                \
			printf("# %12llu ", (unsigned long long)(w)->now_ns);                      \
			printf(__VA_ARGS__);                                                       \
			putchar('\n');                                                             \
		}                                                                                  \
	} while (0)

/* What stands for a task in traces. */
#define T(w, task) ((unsigned int)((task) - (w)->tasks))
#define LLU(x) ((unsigned long long)(x))

uint64_t random_u64(struct world *w)
{
	uint64_t x = w->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t random_between(struct world *w, uint64_t least, uint64_t most)
{
	return least + random_u64(w) % (most - least + 1);
}

bool random_chance(struct world *w, unsigned int percent)
{
	return random_u64(w) % 100 < percent;
}

uint64_t random_scale(struct world *w, uint64_t least, uint64_t most)
{
	uint64_t top = least;

	while (top < most && random_chance(w, 75))
		top *= 4;
	return random_between(w, least, top < most ? top : most);
}

/*
 * Events
 */

static bool is_earlier(const struct event *a, const struct event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->seq < b->seq;
}

static void swap(struct event *a, struct event *b)
{
	struct event c = *a;

	*a = *b;
	*b = c;
}

void world_at(struct world *w, uint64_t at_ns, enum event_kind kind, unsigned int what,
	      uint64_t argument)
{
	unsigned int i = w->n_events;

	if (i == MAX_EVENTS) {
		check(w, false, DRAINING, "events without end");
		return;
	}
	w->n_events++;
	w->events[i] = (struct event){at_ns, w->seq++, argument, kind, what};
	for (; i && is_earlier(&w->events[i], &w->events[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&w->events[i], &w->events[(i - 1) / 2]);
}

static struct event take_event(struct world *w)
{
	struct event first = w->events[0];
	unsigned int i = 0;

	w->events[0] = w->events[--w->n_events];
	for (;;) {
		unsigned int least = i, left = 2 * i + 1, right = left + 1;

		if (left < w->n_events && is_earlier(&w->events[left], &w->events[least]))
			least = left;
		if (right < w->n_events && is_earlier(&w->events[right], &w->events[least]))
			least = right;
		if (least == i)
			return first;
		swap(&w->events[i], &w->events[least]);
		i = least;
	}
}

/*
 * The record
 */

unsigned int world_account_index(const struct world *w, const struct task *task)
{
	return (unsigned int)(w->clients[task->client].account - w->accounts);
}

struct policy_account *world_account(struct world *w, const struct task *task)
{
	return &w->accounts[world_account_index(w, task)];
}

static void take_from(struct task **tasks, unsigned int *n, const struct task *task)
{
	unsigned int i = 0;

	while (i < *n && tasks[i] != task)
		i++;
	if (i == *n)
		return;
	memmove(&tasks[i], &tasks[i + 1], (*n - i - 1) * sizeof(*tasks));
	(*n)--;
}

/* Cores may be kept for a multi-core job anew. */
static void forget_idle(struct world *w)
{
	for (unsigned int i = 0; i < w->n_cores; i++)
		w->cores[i].idle_since_ns = NEVER;
}

/* In the order of arrival, wherever it comes from. */
static void record_queued(struct world *w, struct task *task)
{
	unsigned int i = w->n_queued++;

	for (; i && w->queued[i - 1]->job.id > task->job.id; i--)
		w->queued[i] = w->queued[i - 1];
	w->queued[i] = task;
	task->fate = FATE_QUEUED;
	if (task->job.n_cores > 1)
		forget_idle(w);
}

static void record_ended(struct world *w, struct task *task)
{
	if (task->fate == FATE_QUEUED)
		take_from(w->queued, &w->n_queued, task);
	else
		take_from(w->on_device, &w->n_on_device, task);
	if (task->job.n_cores > 1)
		forget_idle(w);
	task->fate = FATE_ENDED;
	task->n_ends++;
	task->is_early = task->is_frame = false;
	check(w, task->n_ends == 1, ENDS_ONCE, "task %u ended %u times", T(w, task), task->n_ends);
}

/*
 * Frames
 */

static bool is_first_early(const struct world *w, const struct task *task)
{
	for (unsigned int i = 0; i < w->n_queued; i++)
		if (w->queued[i]->is_early && w->queued[i]->grant == task->grant)
			return w->queued[i] == task;
	return false;
}

/* The generic cell rate algorithm: from now on it is a frame. */
static void frame_conforms(struct world *w, struct task *task)
{
	struct grant *grant = task->grant;

	task->is_early = false;
	task->is_frame = true;
	task->promised = w->terms.frames && w->now_ns >= grant->excused_ns;
	task->conforms_ns = w->now_ns;
	grant->next_ns =
		(grant->next_ns > w->now_ns ? grant->next_ns : w->now_ns) + grant->spec.period_ns;
	TRACE(w, "task %u conforms, its deadline is %llu", T(w, task),
	      LLU(w->now_ns + grant->spec.deadline_ns));
}

static void promote_frames(struct world *w)
{
	for (unsigned int i = 0; i < w->n_queued; i++) {
		struct task *task = w->queued[i];

		if (task->is_early && is_first_early(w, task) &&
		    w->now_ns + task->grant->spec.jitter_ns >= task->grant->next_ns)
			frame_conforms(w, task);
	}
}

/*
 * What takes longer than its budget may be in the way of frames of the same reservation,
 * and of no others.
 */
static bool is_in_its_own_way(const struct task *task)
{
	const struct grant *grant = task->grant;

	return grant && (task->job.on_cores >> grant->home & 1) &&
	       task->true_ns > grant->spec.budget_ns;
}

static void excuse_frames(struct world *w, struct grant *grant, uint64_t until_ns)
{
	grant->excused_ns = until_ns;
	for (unsigned int i = 0; i < w->n_queued; i++)
		if (w->queued[i]->grant == grant)
			w->queued[i]->promised = false;
}

/* What it took too much is taken from those behind it, even if they came in time. */
static void frame_overran(struct world *w, struct grant *grant, uint64_t run_ns)
{
	if (run_ns <= grant->spec.budget_ns || !grant->reservation)
		return;
	for (unsigned int i = 0; i < w->n_queued; i++) {
		if (w->queued[i]->grant != grant || !w->queued[i]->is_frame)
			continue;
		w->queued[i]->is_frame = false;
		w->queued[i]->is_early = true;
		grant->next_ns -= grant->spec.period_ns;
	}
	grant->next_ns += (uint64_t)((unsigned __int128)(run_ns - grant->spec.budget_ns) *
				     grant->spec.period_ns / grant->spec.budget_ns);
}

/*
 * What happens
 */

static void arrive(struct world *w, struct task *task)
{
	struct grant *grant = task->grant;
	bool slept = false, waits = false;
	int r;

	task->job.accepted_ns = w->now_ns;
	if (grant && !grant->reservation)
		task->grant = grant = NULL;
	task->job.reservation = grant ? grant->reservation : NULL;
	slept = grant && grant->reservation->dormant;
	for (unsigned int i = 0; grant && i < w->n_queued; i++)
		waits = waits || (w->queued[i]->is_early && w->queued[i]->grant == grant);
	r = policy_push(w->policy, &task->job, w->now_ns);
	TRACE(w,
	      "push task %u: client %u class %u cores %llx x%u true %llu estimate %llu bound %llu "
	      "deadline %llu gate %d%s -> %d",
	      T(w, task), task->client, task->job.class, LLU(task->job.cores), task->job.n_cores,
	      LLU(task->true_ns), LLU(task->job.estimate_ns), LLU(task->job.bound_ns),
	      LLU(task->job.deadline_ns), task->job.gate ? (int)(task->job.gate - w->gates) : -1,
	      grant ? " frame" : "", r);
	check_push(w, task, r);
	if (r < 0) {
		task->fate = FATE_ENDED;
		return;
	}
	record_queued(w, task);
	if (!grant)
		return;
	task->is_early = waits || w->now_ns + grant->spec.jitter_ns < grant->next_ns;
	if (slept) /* It begins anew, as if it had just been granted. */
		task->is_early = !task->job.conforms_ns;
	if (!task->is_early)
		frame_conforms(w, task);
	if (slept)
		grant->next_ns = grant->reservation->next_ns;
}

/* The next one on a core may have its turn. */
static void begin_what_can(struct world *w)
{
	for (unsigned int i = 0; i < w->n_on_device; i++) {
		struct task *task = w->on_device[i];
		uint64_t run =
			task->true_ns < task->job.bound_ns ? task->true_ns : task->job.bound_ns;
		bool is_next = true;

		if (task->begin_ns != NEVER)
			continue;
		for (uint64_t rest = task->job.on_cores; rest; rest &= rest - 1)
			is_next = is_next && w->cores[__builtin_ctzll(rest)].tasks[0] == task;
		if (!is_next)
			continue;
		task->begin_ns = w->now_ns;
		task->end_ns = w->now_ns + run;
		world_at(w, task->end_ns, EVENT_END, T(w, task), 0);
	}
}

static void leave_cores(struct world *w, struct task *task)
{
	for (uint64_t rest = task->job.on_cores; rest; rest &= rest - 1) {
		struct core_record *core = &w->cores[__builtin_ctzll(rest)];

		if (core->tasks[0] == task)
			core->tasks[0] = core->tasks[1];
		core->tasks[1] = NULL;
		core->n--;
	}
}

static void put_back(struct world *w, struct task *task)
{
	int r;

	leave_cores(w, task);
	shares_put_back(w, task);
	task->put_back = task->put_back || task->stopping;
	task->is_frame = task->was_frame && task->grant && task->grant->reservation;
	task->stopping = task->fails = false;
	task->begin_ns = task->end_ns = NEVER;
	take_from(w->on_device, &w->n_on_device, task);
	r = policy_push_again(w->policy, &task->job, false, w->now_ns);
	TRACE(w, "task %u is put back", T(w, task));
	check(w, r == 0, ENDS_ONCE, "push_again says %d", r);
	record_queued(w, task);
	begin_what_can(w);
}

static void end(struct world *w, struct task *task)
{
	uint64_t run = w->now_ns - task->begin_ns;

	if (task->stopping && !task->fails) {
		put_back(w, task);
		return;
	}
	TRACE(w, "task %u has run for %llu", T(w, task), LLU(run));
	check_end(w, task, run);
	leave_cores(w, task);
	shares_corrected(w, task, run * task->job.n_cores);
	w->measured_ns[task->job.class] += run * task->job.n_cores;
	w->client_ns[task->client] += run * task->job.n_cores;
	if (task->grant)
		frame_overran(w, task->grant, run);
	if (is_in_its_own_way(task))
		excuse_frames(w, task->grant, w->now_ns + task->grant->spec.period_ns);
	record_ended(w, task);
	policy_finished(w->policy, &task->job, run, w->now_ns);
	begin_what_can(w);
}

static void fail_core(struct world *w, unsigned int core)
{
	while (w->cores[core].n)
		put_back(w, w->cores[core].tasks[w->cores[core].n - 1]);
	w->terms.frames = w->terms.smooth = false;
	for (unsigned int i = 0; i < w->n_queued; i++)
		w->queued[i]->promised = false;
}

static void reserve(struct world *w, struct grant *grant, unsigned int client)
{
	struct reservation_verdict verdict;
	enum reservation_refusal refusal =
		policy_reserve(w->policy, &w->clients[client], &grant->spec, false, w->now_ns,
			       &grant->reservation, &verdict);

	TRACE(w,
	      "reserve budget %llu period %llu deadline %llu jitter %llu cores %llx: %s, core %u",
	      LLU(grant->spec.budget_ns), LLU(grant->spec.period_ns), LLU(grant->spec.deadline_ns),
	      LLU(grant->spec.jitter_ns), LLU(grant->spec.cores), reservation_refusal_name(refusal),
	      verdict.core);
	check(w, (refusal == RESERVATION_GRANTED) == (grant->reservation != NULL), NUMBERS,
	      "refusal %d and reservation %p", refusal, (void *)grant->reservation);
	grant->client = client;
	if (!grant->reservation)
		return;
	check(w, grant->spec.cores >> verdict.core & 1, PLACES, "home %u is not in %llx",
	      verdict.core, LLU(grant->spec.cores));
	w->n_granted++;
	grant->home = grant->reservation->core;
	grant->next_ns = grant->reservation->next_ns;
}

static void release(struct world *w, struct grant *grant)
{
	if (!grant->reservation)
		return;
	TRACE(w, "release reservation %u", (unsigned int)(grant - w->grants));
	policy_release(w->policy, grant->reservation, w->now_ns);
	grant->reservation = NULL;
	for (unsigned int i = 0; i < w->n_tasks; i++) {
		struct task *task = &w->tasks[i];

		if (task->grant != grant || task->fate == FATE_COMING)
			continue;
		task->is_early = task->is_frame = task->promised = false;
		if (task->fate == FATE_QUEUED)
			task->grant = NULL;
	}
}

static void set_account(struct world *w, unsigned int index, uint64_t argument)
{
	struct policy_account *account = &w->accounts[index];

	quota_changes(w, index, argument >> 32 & 0xffff);
	account->weight = argument & 0xffff;
	account->max_on_device = argument >> 16 & 0xffff;
	account->share_percent = argument >> 32 & 0xffff;
	TRACE(w, "account %u: weight %u, %u on the device, %u %%", index, account->weight,
	      account->max_on_device, account->share_percent);
	policy_account_changed(w->policy, account, w->now_ns);
}

static void cancel(struct world *w, struct task *task)
{
	if (task->fate != FATE_QUEUED)
		return;
	TRACE(w, "remove task %u", T(w, task));
	policy_remove(w->policy, &task->job);
	record_ended(w, task);
}

static void happen(struct world *w, const struct event *event)
{
	struct task *task = &w->tasks[event->what % MAX_TASKS];

	switch (event->kind) {
	case EVENT_ARRIVE:
		arrive(w, task);
		break;
	case EVENT_END:
		if (task->fate == FATE_ON_DEVICE && task->end_ns == w->now_ns)
			end(w, task);
		break;
	case EVENT_CANCEL:
		cancel(w, task);
		break;
	case EVENT_GATE:
		forget_idle(w);
		TRACE(w, "gate %u %s", event->what, event->argument ? "closes" : "opens");
		policy_gate_set(w->policy, &w->gates[event->what], event->argument);
		break;
	case EVENT_HEALTH:
		forget_idle(w);
		TRACE(w, "healthy: %llx", LLU(event->argument));
		w->healthy = event->argument & w->all;
		policy_cores_set(w->policy, event->argument);
		break;
	case EVENT_FAIL:
		TRACE(w, "core %u fails", event->what);
		fail_core(w, event->what);
		break;
	case EVENT_ACCOUNT:
		forget_idle(w);
		set_account(w, event->what, event->argument);
		break;
	case EVENT_RESERVE:
		reserve(w, &w->grants[event->what], (unsigned int)event->argument);
		break;
	case EVENT_RELEASE:
		release(w, &w->grants[event->what]);
		break;
	case EVENT_ASK:
		break;
	}
}

/*
 * Decisions
 */

static void start(struct world *w, struct task *task, uint64_t cores)
{
	TRACE(w, "start task %u on %llx", T(w, task), LLU(cores));
	check_start(w, task, cores);
	if (w->broken != N_PROPERTIES)
		return;
	take_from(w->queued, &w->n_queued, task);
	w->on_device[w->n_on_device++] = task;
	task->fate = FATE_ON_DEVICE;
	task->is_early = task->is_frame = false;
	task->n_starts++;
	task->begin_ns = task->end_ns = NEVER;
	for (uint64_t rest = cores; rest; rest &= rest - 1) {
		struct core_record *core = &w->cores[__builtin_ctzll(rest)];

		core->tasks[core->n++] = task;
		core->idle_since_ns = NEVER;
	}
	if (task->job.n_cores > 1)
		forget_idle(w);
	shares_started(w, task);
	if (is_in_its_own_way(task))
		excuse_frames(w, task->grant, NEVER);
	begin_what_can(w);
}

static void stop(struct world *w, struct task *task, bool fails)
{
	uint64_t off;

	TRACE(w, "%s task %u", fails ? "stop" : "preempt", T(w, task));
	check_stop(w, task, fails);
	task->stopping = true;
	task->fails = fails;
	off = w->now_ns +
	      random_between(w, 0, w->settings.stop_ns == NEVER ? 1000000 : w->settings.stop_ns);
	if (task->begin_ns != NEVER && off < task->end_ns) {
		task->end_ns = off;
		world_at(w, off, EVENT_END, T(w, task), 0);
	}
}

static void carry_out(struct world *w, const struct policy_decision *decision)
{
	struct task *task = tree_entry(decision->job, struct task, job);

	switch (decision->action) {
	case POLICY_NOTHING:
		break;
	case POLICY_START:
		start(w, task, decision->cores);
		break;
	case POLICY_EXPIRE:
		TRACE(w, "task %u expires", T(w, task));
		check_expire(w, task);
		record_ended(w, task);
		break;
	case POLICY_PREEMPT:
	case POLICY_STOP:
		stop(w, task, decision->action == POLICY_STOP);
		break;
	}
	shares_look(w);
}

static void drive(struct world *w)
{
	promote_frames(w);
	shares_look(w);
	for (unsigned int n = 0; w->broken == N_PROPERTIES; n++) {
		struct policy_decision decision = policy_next(w->policy, w->now_ns);

		check(w,
		      (decision.job != NULL) == (decision.action != POLICY_NOTHING) &&
			      n <= 4 * MAX_TASKS,
		      ENDS_ONCE, "action %d without end, or a job", decision.action);
		if (w->broken != N_PROPERTIES)
			return;
		if (decision.action == POLICY_NOTHING) {
			check_nothing(w, decision.ask_again_ns);
			w->ask_again_ns = decision.ask_again_ns;
			return;
		}
		carry_out(w, &decision);
	}
}

static bool is_stacked(const struct world *w, const struct policy_decision *decision)
{
	return decision->action == POLICY_START && (decision->cores & ~idle_cores(w));
}

/*
 * Ask before it is time: then there must be nothing to do. Only what may be stacked on a
 * reserved core becomes more by itself, and that can wait.
 */
static void ask_early(struct world *w, uint64_t until_ns)
{
	struct policy_decision decision;

	if (w->now_ns + 1 >= until_ns)
		return;
	w->now_ns = random_between(w, w->now_ns + 1, until_ns - 1);
	decision = policy_next(w->policy, w->now_ns);
	check(w,
	      decision.action == POLICY_NOTHING ||
		      (is_stacked(w, &decision) && (decision.cores & reserved_cores(w))),
	      ASKING, "action %d at %llu, not before %llu", decision.action, LLU(w->now_ns),
	      LLU(w->ask_again_ns));
	if (w->broken != N_PROPERTIES)
		return;
	if (decision.action == POLICY_NOTHING) {
		w->ask_again_ns = decision.ask_again_ns;
		return;
	}
	carry_out(w, &decision);
	drive(w);
}

static void run_events(struct world *w)
{
	unsigned int n = 0, n_idle = 0;
	uint64_t before;

	/* A policy that has something to wait for may ask to be asked for ever. */
	while (w->broken == N_PROPERTIES && n_idle < 50) {
		uint64_t at = w->n_events ? w->events[0].at_ns : NEVER;

		n_idle = w->n_events ? 0 : n_idle + 1;

		if (w->ask_again_ns < at)
			at = w->ask_again_ns;
		if (at == NEVER)
			return;
		before = w->now_ns;
		if (random_chance(w, 10))
			ask_early(w, at);
		/* What it started may be over before. */
		if (w->n_events && w->events[0].at_ns < at)
			at = w->events[0].at_ns;
		if (at > w->now_ns)
			w->now_ns = at;
		while (w->n_events && w->events[0].at_ns <= w->now_ns &&
		       w->broken == N_PROPERTIES) {
			struct event event = take_event(w);

			happen(w, &event);
			/* Most of the time the policy is asked after each. */
			if (random_chance(w, 70))
				break;
		}
		drive(w);
		n = w->now_ns > before ? 0 : n + 1;
		check(w, n < 4 * MAX_TASKS, DRAINING, "time stands still");
	}
}

void world_run(struct world *w)
{
	TRACE(w, "%u cores, placement %d, floors %u %u %u %%, stack %llu collect %llu stop %llu",
	      w->n_cores, w->placement, w->settings.floor_percent[1], w->settings.floor_percent[2],
	      w->settings.floor_percent[3], LLU(w->settings.stack_ns), LLU(w->settings.collect_ns),
	      LLU(w->settings.stop_ns));
	run_events(w);
	/* No more obstacles. */
	world_at(w, w->now_ns + 1, EVENT_HEALTH, 0, w->all);
	for (unsigned int i = 0; i < w->n_gates; i++)
		world_at(w, w->now_ns + 1, EVENT_GATE, i, 0);
	for (unsigned int i = 0; i < w->n_grants; i++)
		world_at(w, w->now_ns + 1, EVENT_RELEASE, i, 0);
	w->terms.fair = w->terms.floors = false;
	run_events(w);
	check_drained(w);
}

int world_init(struct world *w)
{
	int r = policy_create(&w->policy, w->n_cores, w->placement, &w->settings);

	if (r < 0)
		return r;
	w->all = w->n_cores == 64 ? UINT64_MAX : (UINT64_C(1) << w->n_cores) - 1;
	w->healthy = w->all;
	w->ask_again_ns = NEVER;
	w->broken = N_PROPERTIES;
	for (unsigned int i = 0; i < w->n_cores; i++)
		w->cores[i] = (struct core_record){.idle_since_ns = NEVER};
	for (unsigned int i = 0; i < w->n_accounts; i++)
		policy_account_init(w->policy, &w->accounts[i]);
	for (unsigned int i = 0; i < MAX_GATES; i++)
		policy_gate_init(&w->gates[i]);
	return 0;
}

void world_finish(struct world *w)
{
	/* With jobs in it, it is only of interest for what went wrong. */
	if (w->broken == N_PROPERTIES) {
		for (unsigned int i = 0; i < w->n_clients; i++)
			policy_client_finish(w->policy, &w->clients[i]);
		for (unsigned int i = 0; i < w->n_accounts; i++)
			policy_account_finish(w->policy, &w->accounts[i]);
	}
	policy_destroy(w->policy);
	w->policy = NULL;
}
