/* SPDX-License-Identifier: Apache-2.0 */
/* What schedules consist of, by family. */
#include "tests/policy/world.h"

#include <stdio.h>
#include <string.h>

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

static uint64_t some_cores(struct world *w)
{
	uint64_t cores;

	if (random_chance(w, 60))
		return w->all;
	do
		cores = random_u64(w) & w->all;
	while (!cores);
	return cores;
}

static void make_device(struct world *w, unsigned int max_cores)
{
	w->placement = random_chance(w, 70) ? POLICY_PLACEMENT_EXACT : POLICY_PLACEMENT_ONE;
	w->n_cores = (unsigned int)random_between(w, 1, random_chance(w, 70) ? 4 : max_cores);
	if (random_chance(w, 10))
		w->placement = POLICY_PLACEMENT_NONE;
	if (w->placement == POLICY_PLACEMENT_NONE)
		w->n_cores = 1;
	w->settings = POLICY_SETTINGS_DEFAULT;
	for (int i = ZY_CLASS_INTERACTIVE; i < ZY_CLASS_MAX_; i++)
		w->settings.floor_percent[i] =
			random_chance(w, 30) ? 0 : (unsigned int)random_between(w, 1, 30);
	w->settings.stack_ns = random_chance(w, 50) ? 0 : random_scale(w, 10 * US, 100 * MS);
	w->settings.collect_ns = random_chance(w, 20) ? 0 : random_scale(w, 100 * US, 100 * MS);
	w->settings.stop_ns = random_chance(w, 50) ? NEVER : random_scale(w, 1 * US, 2 * MS);
}

/* The first client of each account, then others of any. */
static void join(struct world *w)
{
	for (unsigned int i = 0; i < w->n_clients; i++) {
		unsigned int account =
			i < w->n_accounts ? i
					  : (unsigned int)random_between(w, 0, w->n_accounts - 1);

		policy_client_init(&w->clients[i], &w->accounts[account], i + 1);
	}
}

/* Nothing happens at 0. */
#define FIRST_NS (1000 * MS)

static void plan_at(struct world *w, uint64_t at_ns, enum event_kind kind, unsigned int what,
		    uint64_t argument)
{
	world_at(w, FIRST_NS + at_ns, kind, what, argument);
}

static struct task *add_task(struct world *w, uint64_t at_ns, unsigned int client,
			     enum zy_class class, uint64_t true_ns)
{
	struct task *task = &w->tasks[w->n_tasks];

	memset(task, 0, sizeof(*task));
	task->client = client;
	task->true_ns = true_ns;
	task->begin_ns = task->end_ns = NEVER;
	task->job = (struct policy_job){
		.id = ++w->n_tasks,
		.client = &w->clients[client],
		.class = class,
		.cores = w->all,
		.n_cores = 1,
		.estimate_ns = true_ns,
		.bound_ns = true_ns,
	};
	plan_at(w, at_ns, EVENT_ARRIVE, w->n_tasks - 1, 0);
	return task;
}

/* Ids ascend in the order of arrival: tasks are made in that order, at these times. */
struct clock {
	uint64_t now_ns, gap_ns;
};

static uint64_t tick(struct world *w, struct clock *clock)
{
	if (random_chance(w, 40))
		clock->now_ns += random_between(w, 0, 2 * clock->gap_ns);
	return clock->now_ns;
}

static uint64_t some_length(struct world *w, uint64_t unit)
{
	if (random_chance(w, 2))
		return random_between(w, 1, 2);
	if (random_chance(w, 3))
		return unit * random_between(w, 100, 3000);
	return random_between(w, 1, random_chance(w, 70) ? unit : 20 * unit);
}

/* What is known about how long it runs: something, the truth, or nothing. */
static void guess(struct world *w, struct task *task)
{
	uint64_t truth = random_chance(w, 2) ? task->true_ns = 0 : task->true_ns;

	switch (random_between(w, 0, 4)) {
	case 0:
		task->job.estimate_ns = 0;
		break;
	case 1:
		task->job.estimate_ns = truth + random_between(w, 0, truth);
		break;
	case 2:
		task->job.estimate_ns = 1 + truth / random_between(w, 1, 20);
		break;
	case 3:
		task->job.estimate_ns = random_scale(w, 1, 3600000 * MS);
		break;
	}
	task->job.fastest_ns = random_chance(w, 50) ? truth : truth / random_between(w, 1, 10);
	switch (random_between(w, 0, 3)) {
	case 0:
		task->job.bound_ns = truth + random_between(w, 0, 4 * truth + 1);
		break;
	case 1:
		task->job.bound_ns = truth > 2 ? truth / 2 : truth;
		task->job.fastest_ns = 0;
		break;
	case 2:
		task->job.bound_ns = random_chance(w, 50) ? NEVER : 3600000 * MS;
		break;
	}
}

static void make_multi_core(struct world *w, struct task *task)
{
	unsigned int n = (unsigned int)__builtin_popcountll(task->job.cores);

	if (w->placement != POLICY_PLACEMENT_EXACT) {
		n = w->n_cores;
		task->job.cores = w->all;
	}
	task->job.n_cores =
		w->placement == POLICY_PLACEMENT_EXACT ? (unsigned int)random_between(w, 1, n) : n;
}

/* Sometimes, what no job may ask for. */
static void spoil(struct world *w, struct task *task)
{
	switch (random_between(w, 0, 2)) {
	case 0:
		task->job.n_cores = w->n_cores + 1;
		break;
	case 1:
		task->job.n_cores = 0;
		break;
	case 2:
		task->job.cores = 0;
		break;
	}
}

static void make_obstacles(struct world *w, const struct clock *clock, unsigned int n)
{
	uint64_t end = clock->now_ns + 20 * clock->gap_ns + 1;

	while (n--) {
		uint64_t at = random_between(w, 0, end);
		unsigned int core = (unsigned int)random_between(w, 0, w->n_cores - 1);
		unsigned int account = (unsigned int)random_between(w, 0, w->n_accounts - 1);

		switch (random_between(w, 0, 3)) {
		case 0:
			if (!w->n_gates)
				break;
			plan_at(w, at, EVENT_GATE, (unsigned)random_between(w, 0, w->n_gates - 1),
				random_chance(w, 50));
			w->terms.frames = false;
			break;
		case 1:
			plan_at(w, at, EVENT_HEALTH, 0,
				random_chance(w, 50) ? w->all : random_u64(w));
			w->terms.frames = false;
			break;
		case 2:
			plan_at(w, at, EVENT_FAIL, core, 0);
			w->terms.frames = w->terms.smooth = false;
			break;
		case 3:
			plan_at(w, at, EVENT_ACCOUNT, account,
				random_between(w, 0, 400) |
					(random_chance(w, 50) ? random_between(w, 0, 3) << 16 : 0) |
					(random_chance(w, 30) ? random_between(w, 1, 100) << 32
							      : 0));
			break;
		}
	}
}

struct reservation_spec mix_spec(struct world *w, uint64_t cores, unsigned int percent)
{
	struct reservation_spec spec = {.cores = cores};

	spec.period_ns = random_scale(w, 100 * US, 100 * MS);
	spec.budget_ns = spec.period_ns * random_between(w, 1, percent) / 100 + 1;
	spec.deadline_ns =
		random_between(w, spec.budget_ns + (spec.period_ns - spec.budget_ns) / 2,
			       random_chance(w, 80) ? spec.period_ns : 3 * spec.period_ns);
	if (random_chance(w, 50))
		spec.jitter_ns = random_between(w, 0, spec.period_ns / 2);
	return spec;
}

/* Ask for reservations, until enough have been tried. */
static void make_grants(struct world *w, unsigned int n)
{
	for (w->n_grants = 0; w->n_grants < n; w->n_grants++) {
		struct grant *grant = &w->grants[w->n_grants];
		uint64_t cores = some_cores(w);

		*grant = (struct grant){.spec = mix_spec(w, cores, 60)};
		grant->client = (unsigned int)random_between(w, 0, w->n_clients - 1);
		plan_at(w, 0, EVENT_RESERVE, w->n_grants, grant->client);
	}
}

static void make_frame(struct world *w, uint64_t at_ns, struct grant *grant, unsigned int overruns)
{
	uint64_t budget = grant->spec.budget_ns;
	struct task *task = add_task(w, at_ns, grant->client, ZY_CLASS_REALTIME,
				     random_chance(w, 70) ? budget : random_between(w, 0, budget));

	task->grant = grant;
	task->job.cores = grant->spec.cores;
	task->job.estimate_ns = random_chance(w, 70) ? budget : task->true_ns;
	task->job.fastest_ns = task->true_ns;
	if (random_chance(w, overruns))
		task->true_ns =
			random_between(w, budget, random_chance(w, 50) ? 2 * budget : 50 * budget);
	task->job.bound_ns = random_chance(w, 50) ? 60 * budget : random_between(w, budget, NEVER);
}

/*
 * Families
 */

/* Everything, at once. */
static void make_anything(struct world *w, unsigned int max_tasks)
{
	unsigned int n = (unsigned int)random_between(w, 1, max_tasks), n_classes;
	uint64_t unit = random_scale(w, 10, 10 * MS);
	struct clock clock = {.gap_ns = random_between(w, 1, 3 * unit)};
	bool hints = random_chance(w, 50), gangs = random_chance(w, 40);
	bool deadlines = random_chance(w, 40), cancels = random_chance(w, 30);

	n_classes = (unsigned int)random_between(w, 1, ZY_CLASS_MAX_);
	w->terms = (struct terms){.exact = !hints, .frames = true, .smooth = true};
	w->n_gates = (unsigned int)random_between(w, 0, MAX_GATES);
	if (random_chance(w, 25))
		make_grants(w, (unsigned int)random_between(w, 1, 4));
	for (unsigned int i = 0; i < n; i++) {
		uint64_t at = tick(w, &clock);
		struct task *task;

		if (w->n_grants && random_chance(w, 30)) {
			make_frame(w, at, &w->grants[random_between(w, 0, w->n_grants - 1)], 10);
			continue;
		}
		task = add_task(w, at, (unsigned int)random_between(w, 0, w->n_clients - 1),
				(enum zy_class)random_between(w, 0, n_classes - 1),
				some_length(w, unit));
		task->job.cores = some_cores(w);
		if (hints)
			guess(w, task);
		if (gangs && random_chance(w, 30))
			make_multi_core(w, task);
		if (deadlines && random_chance(w, 50))
			task->job.deadline_ns =
				FIRST_NS + at + random_between(w, 0, task->true_ns + 20 * unit);
		if (w->n_gates && random_chance(w, 50))
			task->job.gate = &w->gates[random_between(w, 0, w->n_gates - 1)];
		if (cancels && random_chance(w, 20))
			plan_at(w, at + random_between(w, 0, 20 * unit), EVENT_CANCEL,
				w->n_tasks - 1, 0);
		if (random_chance(w, 1))
			spoil(w, task);
	}
	if (random_chance(w, 50))
		make_obstacles(w, &clock, (unsigned int)random_between(w, 1, 10));
	for (unsigned int i = 0; i < w->n_grants; i++)
		if (random_chance(w, 30))
			plan_at(w, random_between(w, 0, clock.now_ns + 1), EVENT_RELEASE, i, 0);
}

/* Two clients that want the same, in bursts, and others around them. */
static void make_fair(struct world *w, unsigned int max_tasks)
{
	unsigned int n = (unsigned int)random_between(w, max_tasks / 2, 2 * max_tasks);
	enum zy_class class =
		(enum zy_class)random_between(w, ZY_CLASS_INTERACTIVE, ZY_CLASS_BACKGROUND);
	uint64_t unit = random_scale(w, 100, 10 * MS), cores = some_cores(w);
	uint64_t lengths[2] = {random_scale(w, unit, 1000 * unit),
			       random_scale(w, unit, 1000 * unit)};
	struct clock clock = {.gap_ns = 1 + unit * random_between(w, 0, 30) / 10};
	bool others = random_chance(w, 50);

	w->terms = (struct terms){.exact = random_chance(w, 70), .fair = true, .smooth = true};
	w->rivals.a = 0;
	w->rivals.b = 1;
	for (unsigned int i = 0; i < w->n_accounts; i++)
		plan_at(w, 0, EVENT_ACCOUNT, i,
			random_chance(w, 50) ? 100 : random_between(w, 1, 300));
	for (unsigned int i = 0; i < n; i++) {
		unsigned int client = (unsigned int)random_between(w, 0, 1);
		struct task *task;

		if (others && random_chance(w, 40))
			client = (unsigned int)random_between(w, 0, w->n_clients - 1);
		if (random_chance(w, 3)) /* idle, perhaps */
			clock.now_ns += 50 * unit;
		task = add_task(w, tick(w, &clock), client, class,
				client < 2 ? random_between(w, 1, lengths[client])
					   : some_length(w, unit));
		task->job.cores = cores;
		if (!w->terms.exact)
			guess(w, task);
		if (client > 1) {
			task->job.class = (enum zy_class)random_between(w, 0, ZY_CLASS_MAX_ - 1);
			task->job.cores = some_cores(w);
		}
	}
}

/* A flood of urgent work, and a little that has only its floor. */
static void make_floors(struct world *w, unsigned int max_tasks)
{
	unsigned int n = 2 * max_tasks;
	uint64_t unit = random_scale(w, 1000, 10 * MS), lengths[ZY_CLASS_MAX_];
	struct clock clock = {.gap_ns = 1 + unit / 10};
	bool one = random_chance(w, 50), masks = random_chance(w, 30);

	w->terms = (struct terms){.exact = true, .floors = true, .smooth = true};
	for (int i = 0; i < ZY_CLASS_MAX_; i++)
		lengths[i] = random_scale(w, unit / 50 + 1, unit);
	for (unsigned int i = 0; i < n; i++) {
		enum zy_class class =
			random_chance(w, 60) ? ZY_CLASS_REALTIME
			: one		     ? ZY_CLASS_BACKGROUND
			      : (enum zy_class)random_between(w, 1, ZY_CLASS_MAX_ - 1);
		struct task *task = add_task(w, tick(w, &clock),
					     (unsigned)random_between(w, 0, w->n_clients - 1),
					     class, random_between(w, 1, lengths[class]));

		if (masks)
			task->job.cores = some_cores(w);
	}
}

/* Other load of all kinds, hostile to reservations. */
static void make_load(struct world *w, uint64_t end_ns, unsigned int n)
{
	uint64_t unit = random_scale(w, 10 * US, 50 * MS);

	while (n--) {
		struct task *task = add_task(w, random_between(w, 0, end_ns),
					     (unsigned int)random_between(w, 0, w->n_clients - 1),
					     (enum zy_class)random_between(w, 0, ZY_CLASS_MAX_ - 1),
					     some_length(w, unit));

		task->job.cores = some_cores(w);
		guess(w, task);
		if (random_chance(w, 15))
			make_multi_core(w, task);
	}
}

/* Frames of reservations, more or less when they may come. */
static void make_frames(struct world *w, uint64_t end_ns, unsigned int max)
{
	for (unsigned int i = 0; i < w->n_grants && w->n_tasks < max; i++) {
		struct grant *grant = &w->grants[i];
		unsigned int overruns = random_chance(w, 30) ? 30 : 0;
		unsigned int early = random_chance(w, 30) ? 30 : 0;
		uint64_t at = random_between(w, 0, 4 * grant->spec.period_ns);
		uint64_t conforming = at;
		unsigned int n = max / (2 * w->n_grants);

		while (n-- && at < end_ns) {
			make_frame(w, at, grant, overruns);
			conforming += grant->spec.period_ns;
			if (random_chance(w, 10))
				conforming += random_between(w, 0, 3 * grant->spec.period_ns);
			at = conforming - random_between(w, 0, grant->spec.jitter_ns);
			if (random_chance(w, early))
				at -= random_between(
					w, 0, grant->spec.period_ns - grant->spec.jitter_ns - 1);
		}
	}
}

/* The order in which they were made is not that of arrival: number them by that. */
static void number_tasks(struct world *w)
{
	struct event *events = w->events;
	unsigned int n = w->n_events;

	for (unsigned int i = 0; i < n; i++) {
		uint64_t before = 0;

		if (events[i].kind != EVENT_ARRIVE)
			continue;
		for (unsigned int k = 0; k < n; k++)
			before += events[k].kind == EVENT_ARRIVE &&
				  (events[k].at_ns < events[i].at_ns ||
				   (events[k].at_ns == events[i].at_ns &&
				    events[k].seq < events[i].seq));
		w->tasks[events[i].what].job.id = before + 1;
	}
}

static void make_reserved(struct world *w, unsigned int max_tasks)
{
	uint64_t end = 0;

	w->terms = (struct terms){.frames = true, .smooth = true};
	make_grants(w, (unsigned int)random_between(w, 1, 3 * w->n_cores));
	for (unsigned int i = 0; i < w->n_grants; i++)
		if (w->grants[i].spec.period_ns > end)
			end = w->grants[i].spec.period_ns;
	end *= 2 + max_tasks / (2 * w->n_grants);
	make_frames(w, end, max_tasks);
	make_load(w, end, max_tasks > 100 ? max_tasks / 10 : max_tasks / 2);
	number_tasks(w);
}

void mix_make(struct world *w, enum family family, uint64_t seed, unsigned int max_tasks)
{
	bool simple = family == FAMILY_FAIR || family == FAMILY_FLOORS;

	memset(w, 0, offsetof(struct world, queued));
	w->random = seed;
	make_device(w, 8);
	w->n_clients = (unsigned int)random_between(w, 2, 6);
	w->n_accounts = (unsigned int)random_between(w, 1, w->n_clients);
	/* Rivals are alone in their accounts, or in one together. */
	if (simple)
		w->n_accounts = random_chance(w, 50) ? 1 : w->n_clients;
	if (family == FAMILY_FLOORS)
		w->settings.stack_ns = 0;
	if (world_init(w) < 0)
		return;
	join(w);
	switch (family) {
	case FAMILY_FAIR:
		make_fair(w, max_tasks);
		break;
	case FAMILY_FLOORS:
		make_floors(w, max_tasks);
		break;
	case FAMILY_RESERVED:
		make_reserved(w, max_tasks);
		break;
	case FAMILY_ANYTHING:
	case N_FAMILIES:
		make_anything(w, max_tasks);
		break;
	}
}
