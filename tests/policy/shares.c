/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fairness and floors, added up by the tests themselves.
 *
 * Fairness. Of two clients of one class that can run in the same places, while both have
 * jobs queued: what one is served more than the other never changes by more than the longest
 * job of the one plus the longest of the other, by weight. A job counts when it starts, with
 * the time it really takes. That holds if a job is charged what it takes, or if nothing is on the
 * device when the next is chosen (one core, no stacking). If estimates are wrong, what is on the
 * device has been charged wrongly: then times the number of jobs that can be there.
 *
 * Floors. While a class has a job for whatever core becomes free, of all that is charged it gets at
 *least its floor f, less its longest job and f times what can pass before its turn comes:
 *
 *	S >= f * W - (L + f * (n * (M + sum over other classes k of (100 * f_k + 1) * L_k) + (n - 1)
 ** M))
 *
 * S: charged to the class; W: to all; L, L_k: longest job of the class, of class k; M: of all;
 * n: cores. So it waits for its next job no longer than until W has grown by the parentheses / f.
 * And it gets no more than its floor while a more urgent one could run instead.
 */
#include "tests/policy/world.h"

static uint64_t used_by(const struct task *task)
{
	uint64_t run = task->true_ns < task->job.bound_ns ? task->true_ns : task->job.bound_ns;

	return run * task->job.n_cores;
}

static __int128 by_weight(struct world *w, const struct task *task, uint64_t ns)
{
	unsigned int weight = world_account(w, task)->weight;

	return (__int128)ns * 100 * 100 / (weight ? weight : 1);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void shares_started(struct world *w, struct task *task)
{
	uint64_t charge = charge_of(task), longest = larger(charge, used_by(task));
	enum zy_class class = task->job.class;

	task->charged_ns = charge;
	w->charged_ns += charge;
	w->class_served[class] += charge;
	w->served[task->client] += by_weight(w, task, used_by(task));
	w->longest_ns[task->client] = larger(w->longest_ns[task->client], longest);
	w->longest_of_class[class] = larger(w->longest_of_class[class], longest);
	w->longest_of_all = larger(w->longest_of_all, longest / task->job.n_cores);
	if (task->out_of_order)
		w->out_of_order_ns[class] += charge;
}

void shares_corrected(struct world *w, struct task *task, uint64_t charged_ns)
{
	uint64_t more = charged_ns - task->charged_ns; /* or less */

	w->charged_ns += more;
	w->class_served[task->job.class] += more;
	if (task->out_of_order)
		w->out_of_order_ns[task->job.class] += more;
	task->charged_ns = charged_ns;
}

void shares_put_back(struct world *w, struct task *task)
{
	shares_corrected(w, task, 0);
	w->served[task->client] -= by_weight(w, task, used_by(task));
}

void check_out_of_order(struct world *w, const struct task *task)
{
	enum zy_class class = task->job.class;
	uint64_t slack = 100 * w->n_tasks; /* what is divided is rounded down */

	if (!task->out_of_order)
		return;
	/* Time that is given back was not used, and floors may have been met with it. */
	if (!w->terms.exact || !w->terms.smooth)
		slack += 200 * w->n_cores * larger(w->longest_of_all, charge_of(task));
	check(w,
	      w->settings.floor_percent[class] &&
		      (w->out_of_order_ns[class] + charge_of(task)) * 100 <=
			      w->charged_ns * w->settings.floor_percent[class] + slack,
	      CLASSES, "class %d had %llu of %llu before its turn, and now %llu more", class,
	      (unsigned long long)w->out_of_order_ns[class], (unsigned long long)w->charged_ns,
	      (unsigned long long)charge_of(task));
}

static unsigned int n_queued_of(const struct world *w, unsigned int client)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_queued; i++)
		n += w->queued[i]->client == client;
	return n;
}

static __int128 longest_by_weight(const struct world *w, unsigned int client)
{
	return (__int128)w->longest_ns[client] * 100 * 100 / w->clients[client].account->weight;
}

static void compare_rivals(struct world *w)
{
	struct rivals *r = &w->rivals;
	bool rough = !w->terms.exact && (w->n_cores > 1 || w->settings.stack_ns);
	__int128 difference, most;

	if (!w->terms.fair || !n_queued_of(w, r->a) || !n_queued_of(w, r->b)) {
		r->both = false;
		return;
	}
	difference = w->served[r->a] - w->served[r->b];
	if (!r->both) {
		r->both = true;
		r->least = r->most = difference;
	}
	r->least = difference < r->least ? difference : r->least;
	r->most = difference > r->most ? difference : r->most;
	most = longest_by_weight(w, r->a) + longest_by_weight(w, r->b);
	if (rough)
		most *= (w->settings.stack_ns ? 2 : 1) * (int)w->n_cores;
	/* Weights are divided by; 100 for each job is more than is lost in that. */
	most += 100 * (__int128)w->n_tasks;
	check(w, r->most - r->least <= most, rough ? ROUGH_FAIRNESS : FAIRNESS,
	      "clients %u and %u differ by %lld, %lld are allowed", r->a, r->b,
	      (long long)((r->most - r->least) / 100), (long long)(most / 100));
}

/* The right side of the formula above, times 100. */
static uint64_t least_served(const struct world *w, enum zy_class class, uint64_t all)
{
	uint64_t floor = w->settings.floor_percent[class];
	uint64_t passes = w->longest_of_all, longest = w->longest_of_all, allowed;

	for (int k = ZY_CLASS_INTERACTIVE; k < ZY_CLASS_MAX_; k++)
		if (k != (int)class)
			passes += (w->settings.floor_percent[k] + 1) * w->longest_of_class[k];
	allowed = 100 * w->longest_of_class[class] +
		  floor * (w->n_cores * passes + (w->n_cores - 1) * longest);
	return floor * all > allowed ? floor * all - allowed : 0;
}

static void compare_floor(struct world *w, enum zy_class class)
{
	uint64_t wanted = 0;
	bool backlogged;

	for (unsigned int i = 0; i < w->n_queued; i++) {
		const struct task *task = w->queued[i];

		if (task->job.class != class)
			continue;
		wanted |= can_run(w, task) ? task->job.cores : 0;
		/* It may be the one that waits for its turn. */
		w->longest_of_class[class] = larger(w->longest_of_class[class], charge_of(task));
	}
	backlogged = wanted == w->all;
	if (!backlogged || !w->backlogged[class]) {
		w->backlogged[class] = backlogged;
		w->class_from[class] = w->class_served[class];
		w->all_from[class] = w->charged_ns;
		return;
	}
	check(w,
	      (w->class_served[class] - w->class_from[class]) * 100 >=
		      least_served(w, class, w->charged_ns - w->all_from[class]),
	      FLOORS, "class %d had %llu of %llu", class,
	      (unsigned long long)(w->class_served[class] - w->class_from[class]),
	      (unsigned long long)(w->charged_ns - w->all_from[class]));
}

void shares_look(struct world *w)
{
	compare_rivals(w);
	if (!w->terms.floors)
		return;
	for (int class = ZY_CLASS_INTERACTIVE; class < ZY_CLASS_MAX_; class ++)
		if (w->settings.floor_percent[class])
			compare_floor(w, class);
}
