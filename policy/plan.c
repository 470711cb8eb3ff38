/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at the policy, for people: what is where, and what would happen if nothing else came. */
#include <stdlib.h>

#include "policy/policy_internal.h"

unsigned int policy_n_queued(const struct policy *policy)
{
	return policy->n_queued;
}

unsigned int policy_n_on_device(const struct policy *policy)
{
	return policy->n_on_device;
}

struct policy_class_info policy_class_info(const struct policy *policy, enum zy_class class)
{
	const struct class *c = &policy->classes[class];

	return (struct policy_class_info){
		.n_queued = c->n_queued,
		.n_on_device = c->n_on_device,
		.device_ns = c->device_ns,
		.floor_percent = policy->settings.floor_percent[class],
	};
}

struct policy_core_info policy_core_info(const struct policy *policy, unsigned int core)
{
	const struct core *c = &policy->cores[core];

	return (struct policy_core_info){
		.healthy = policy->healthy >> core & 1,
		.n_on_device = c->n_jobs,
		.is_held = policy->collector && !c->n_jobs && (policy->held >> core & 1),
		.n_reservations = c->n_reservations,
		.reserved_ppm = c->used_ppm,
		.tolerance_ns = c->n_reservations ? c->tolerance_ns : 0,
		.device_ns = c->device_ns,
	};
}

/* A queued job, and how its client and account stand while the plan is made. */
struct candidate {
	const struct policy_job *job;
	size_t client, account; /* indices into standing */
	bool taken;
};

struct standing {
	const void *whose;
	uint64_t vtime[ZY_CLASS_MAX_];
	unsigned int weight;
};

struct plan {
	const struct policy *policy;
	struct candidate *candidates;
	struct standing *standings;
	size_t n, n_standings;
	uint64_t free_ns[POLICY_MAX_CORES];
};

static size_t standing_of(struct plan *plan, const void *whose, const struct policy_share *shares,
			  unsigned int weight)
{
	struct standing *standing;

	for (size_t i = 0; i < plan->n_standings; i++)
		if (plan->standings[i].whose == whose)
			return i;
	standing = &plan->standings[plan->n_standings];
	*standing = (struct standing){.whose = whose, .weight = weight};
	for (int class = 0; class < ZY_CLASS_MAX_; class ++)
		standing->vtime[class] = shares[class].vtime;
	return plan->n_standings++;
}

static void add(struct plan *plan, const struct policy_job *job)
{
	struct policy_client *client = job->client;

	plan->candidates[plan->n++] = (struct candidate){
		.job = job,
		.client = standing_of(plan, client, client->shares, 100),
		.account = standing_of(plan, client->account, client->account->shares,
				       client->account->weight),
	};
}

static void gather(struct plan *plan)
{
	const struct policy *policy = plan->policy;
	struct policy_flow *flow;

	for (unsigned int i = 0; i < policy->n_cores; i++)
		for (struct tree_node *node = tree_first(&policy->cores[i].frames); node;
		     node = tree_next(node))
			add(plan, tree_entry(node, struct policy_job, node));
	list_for_each (flow, &policy->flows, link)
		for (struct tree_node *node = tree_first(&flow->jobs); node; node = tree_next(node))
			add(plan, tree_entry(node, struct policy_job, node));
}

static uint64_t expected_ns(const struct policy_job *job)
{
	return job->estimate_ns ? job->estimate_ns : UNKNOWN_NS;
}

static uint64_t cores_of(const struct policy *policy, const struct policy_job *job)
{
	uint64_t cores = job->cores & policy->healthy;

	if (job->state == JOB_FRAME)
		return UINT64_C(1) << job->reservation->core;
	return cores & ~policy->reserved ? cores & ~policy->reserved : cores;
}

/* The order of policy.h, without floors. */
static bool is_before(const struct plan *plan, const struct candidate *a, const struct candidate *b)
{
	const struct policy_job *x = a->job, *y = b->job;
	enum zy_class class = x->class;
	uint64_t v, w;

	if ((x->state == JOB_FRAME) != (y->state == JOB_FRAME))
		return x->state == JOB_FRAME;
	if (x->class != y->class)
		return x->class < y->class;
	if (class == ZY_CLASS_REALTIME) {
		v = x->deadline_ns ? x->deadline_ns : NEVER;
		w = y->deadline_ns ? y->deadline_ns : NEVER;
		return v != w ? v < w : x->id < y->id;
	}
	v = plan->standings[a->account].vtime[class];
	w = plan->standings[b->account].vtime[class];
	if (v != w)
		return v < w;
	v = plan->standings[a->client].vtime[class];
	w = plan->standings[b->client].vtime[class];
	return v != w ? v < w : x->id < y->id;
}

/* When @n of @cores are free, and which those are. */
static uint64_t when_free(const struct plan *plan, uint64_t cores, unsigned int n, uint64_t *ret)
{
	uint64_t at = 0;

	*ret = 0;
	for (; n; n--) {
		unsigned int best = POLICY_MAX_CORES;

		for (unsigned int i = 0; i < plan->policy->n_cores; i++)
			if (((cores & ~*ret) >> i & 1) &&
			    (best == POLICY_MAX_CORES || plan->free_ns[i] < plan->free_ns[best]))
				best = i;
		if (best == POLICY_MAX_CORES)
			return NEVER;
		*ret |= UINT64_C(1) << best;
		if (plan->free_ns[best] > at)
			at = plan->free_ns[best];
	}
	return at;
}

/* Who starts next: whoever can start first, and of those the first in order. */
static struct candidate *next_one(const struct plan *plan, uint64_t *ret_start, uint64_t *ret_cores)
{
	struct candidate *best = NULL;

	for (size_t i = 0; i < plan->n; i++) {
		struct candidate *candidate = &plan->candidates[i];
		uint64_t cores, start;

		if (candidate->taken)
			continue;
		start = when_free(plan, cores_of(plan->policy, candidate->job),
				  candidate->job->n_cores, &cores);
		if (start == NEVER ||
		    (best && (start > *ret_start ||
			      (start == *ret_start && !is_before(plan, candidate, best)))))
			continue;
		best = candidate;
		*ret_start = start;
		*ret_cores = cores;
	}
	return best;
}

static void run(struct plan *plan, struct candidate *candidate, uint64_t end_ns, uint64_t cores)
{
	const struct policy_job *job = candidate->job;
	struct standing *whose[] = {&plan->standings[candidate->client],
				    &plan->standings[candidate->account]};

	candidate->taken = true;
	for (size_t i = 0; i < 2; i++)
		whose[i]->vtime[job->class] +=
			expected_ns(job) * job->n_cores * 100 / whose[i]->weight;
	for (unsigned int i = 0; i < plan->policy->n_cores; i++)
		if (cores >> i & 1)
			plan->free_ns[i] = end_ns;
}

static void init_cores(struct plan *plan, uint64_t now_ns)
{
	for (unsigned int i = 0; i < plan->policy->n_cores; i++) {
		const struct core *core = &plan->policy->cores[i];
		uint64_t at = now_ns;

		for (unsigned int k = 0; k < core->n_jobs; k++) {
			uint64_t end =
				add_ns(core->jobs[k]->started_ns, expected_ns(core->jobs[k]));

			at = k == 0 ? (end > now_ns ? end : now_ns)
				    : add_ns(at, expected_ns(core->jobs[k]));
		}
		plan->free_ns[i] = at;
	}
}

size_t policy_plan(const struct policy *policy, uint64_t now_ns, struct policy_plan_entry *ret,
		   size_t max)
{
	struct plan plan = {.policy = policy};
	struct candidate *next;
	size_t n = 0;

	plan.candidates = calloc(policy->n_queued + 1, sizeof(*plan.candidates));
	plan.standings = calloc(2 * (size_t)policy->n_queued + 2, sizeof(*plan.standings));
	if (plan.candidates && plan.standings) {
		uint64_t start = 0, cores = 0;

		gather(&plan);
		init_cores(&plan, now_ns);
		while (n < max && (next = next_one(&plan, &start, &cores))) {
			uint64_t end = add_ns(start, expected_ns(next->job));

			ret[n++] = (struct policy_plan_entry){next->job, start, end, cores};
			run(&plan, next, end, cores);
		}
	}
	free(plan.candidates);
	free(plan.standings);
	return n;
}
