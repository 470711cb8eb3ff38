/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queued jobs, in order: classes hold accounts, accounts hold clients, clients
 * hold flows, flows hold jobs; realtime holds flows directly. Every level is a tree
 * whose masks say on which cores something below could run.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/policy_internal.h"

#define WEIGHT_USUAL 100u

void share_init(struct policy_share *share, struct policy_share *parent, unsigned int weight)
{
	*share = (struct policy_share){.parent = parent, .weight = weight};
	tree_init(&share->children);
}

static uint64_t by_weight(uint64_t ns, unsigned int weight)
{
	return weight == WEIGHT_USUAL
		       ? ns
		       : ns / weight * WEIGHT_USUAL + ns % weight * WEIGHT_USUAL / weight;
}

/*
 * Masks, from a flow up
 */

/*
 * Where a share begins that was idle and can run on @cores: where those are that were last
 * served there. Who has had other cores for himself must not make it wait.
 */
static uint64_t start_vtime(const struct policy_share *group, uint64_t cores)
{
	uint64_t vtime = 0;

	for (; cores; cores &= cores - 1) {
		uint64_t here = group->core_vtime[__builtin_ctzll(cores)];

		vtime = here > vtime ? here : vtime;
	}
	return vtime;
}

/* The masks of @share, and of all above, follow from what it holds; a job for @cores has come
 * or gone. */
static void share_refresh(struct policy_share *share, uint64_t cores)
{
	for (; share->parent; share = share->parent) {
		const struct tree_node *root = share->children.root;
		uint64_t start;

		if (!root) {
			tree_remove(&share->node);
			continue;
		}
		if (share->node.tree) {
			tree_remove(&share->node);
		} else {
			start = start_vtime(share->parent, cores);
			share->vtime = share->vtime > start ? share->vtime : start;
		}
		share->node.single = root->all_single;
		share->node.gang = root->all_gang;
		share->node.key[0] = share->vtime;
		share->node.key[1] = 0;
		tree_insert(&share->parent->children, &share->node);
	}
}

/* The same when only masks can have changed: no place in an order has. */
static void share_masks(struct policy_share *share)
{
	for (; share->parent; share = share->parent) {
		const struct tree_node *root = share->children.root;

		if (!root || !tree_mask(&share->node, root->all_single, root->all_gang))
			return;
	}
}

/* Cores on which a job that occupies one for so long may ever be started. */
static uint64_t cores_open_for(const struct policy *policy, const struct policy_flow *flow)
{
	uint64_t cores = flow->cores & policy->healthy, occupies;

	if (!(cores & policy->reserved))
		return cores;
	occupies = job_occupies(policy, flow_head(flow), NULL);
	for (uint64_t rest = cores & policy->reserved; rest; rest &= rest - 1) {
		unsigned int core = (unsigned int)__builtin_ctzll(rest);

		if (occupies > core_longest(policy, core, flow->reservation))
			cores &= ~(UINT64_C(1) << core);
	}
	return cores;
}

static uint64_t flow_mask(const struct policy *policy, const struct policy_flow *flow)
{
	uint64_t cores;

	if (flow->skipped || (flow->gate && flow->gate->closed) || flow->client->account->blocked)
		return 0;
	cores = cores_open_for(policy, flow);
	return (unsigned int)__builtin_popcountll(cores) < flow->n_cores ? 0 : cores;
}

void flow_refresh(struct policy *policy, struct policy_flow *flow)
{
	uint64_t mask;

	if (!flow->node.tree)
		return;
	mask = flow_mask(policy, flow);
	if (tree_mask(&flow->node, flow->n_cores == 1 ? mask : 0, flow->n_cores == 1 ? 0 : mask))
		share_masks(flow->share);
}

void flows_refresh(struct policy *policy)
{
	struct policy_flow *flow;

	list_for_each (flow, &policy->flows, link)
		flow_refresh(policy, flow);
}

/*
 * Flows
 */

struct policy_job *flow_head(const struct policy_flow *flow)
{
	return tree_entry(tree_first(&flow->jobs), struct policy_job, node);
}

static struct reservation *reservation_of(const struct policy_job *job)
{
	return job->reservation && !job->reservation->released ? job->reservation : NULL;
}

static bool fits_flow(const struct policy_flow *flow, const struct policy_job *job)
{
	return flow->class == job->class && flow->gate == job->gate && flow->cores == job->cores &&
	       flow->n_cores == job->n_cores && flow->no_gaps == job->no_gaps &&
	       flow->reservation == reservation_of(job);
}

static bool is_empty(const struct policy_flow *flow)
{
	return tree_is_empty(&flow->jobs);
}

/* Its flow, or an empty one to be made its, or NULL. */
static struct policy_flow *flow_of(const struct policy_job *job)
{
	struct policy_flow *flow, *empty = NULL;

	list_for_each (flow, &job->client->flows, client_link) {
		if (fits_flow(flow, job))
			return flow;
		if (!empty && is_empty(flow))
			empty = flow;
	}
	return empty;
}

static struct policy_flow *flow_create(struct policy *policy, struct policy_client *client)
{
	struct policy_flow *flow = calloc(1, sizeof(*flow));

	if (!flow)
		return NULL;
	flow->client = client;
	tree_init(&flow->jobs);
	list_init(&flow->gate_link);
	list_append(&policy->flows, &flow->link);
	list_append(&client->flows, &flow->client_link);
	list_append(&client->account->flows, &flow->account_link);
	return flow;
}

static void flow_become(struct policy *policy, struct policy_flow *flow,
			const struct policy_job *job)
{
	flow->class = job->class;
	flow->gate = job->gate;
	flow->cores = job->cores;
	flow->n_cores = job->n_cores;
	flow->no_gaps = job->no_gaps;
	flow->reservation = reservation_of(job);
	flow->share = job->class == ZY_CLASS_REALTIME ? &policy->classes[job->class].share
						      : &job->client->shares[job->class];
	list_remove(&flow->gate_link);
	if (flow->gate)
		list_append(&flow->gate->flows, &flow->gate_link);
}

/* It has jobs, and another first one: put it where it belongs. */
static void flow_place(struct policy *policy, struct policy_flow *flow)
{
	const struct policy_job *head = flow_head(flow);
	uint64_t mask = flow_mask(policy, flow);

	tree_remove(&flow->node);
	flow->node.key[0] = head->node.key[0];
	flow->node.key[1] = head->node.key[1];
	flow->node.single = flow->n_cores == 1 ? mask : 0;
	flow->node.gang = flow->n_cores == 1 ? 0 : mask;
	tree_insert(&flow->share->children, &flow->node);
}

int flow_push(struct policy *policy, struct policy_job *job)
{
	struct policy_flow *flow = flow_of(job);

	if (!flow)
		flow = flow_create(policy, job->client);
	if (!flow)
		return -ENOMEM;
	if (!fits_flow(flow, job))
		flow_become(policy, flow, job);
	job->flow = flow;
	job->node.single = job->node.gang = 0;
	if (job->class == ZY_CLASS_REALTIME) {
		job->node.key[0] = job->deadline_ns ? job->deadline_ns : NEVER;
		job->node.key[1] = job->id;
	} else {
		job->node.key[0] = job->id;
		job->node.key[1] = 0;
	}
	tree_insert(&flow->jobs, &job->node);
	if (job->gate)
		job->gate->n_queued++;
	if (flow_head(flow) == job) {
		flow_place(policy, flow);
		share_refresh(flow->share, job->cores);
	}
	return 0;
}

/* It is kept for reuse, and knows nothing that may not be there any more by then. */
static void flow_retire(struct policy_flow *flow)
{
	tree_remove(&flow->node);
	list_remove(&flow->gate_link);
	flow->gate = NULL;
	flow->reservation = NULL;
}

void flow_remove(struct policy *policy, struct policy_job *job)
{
	struct policy_flow *flow = job->flow;
	bool was_head = flow_head(flow) == job;

	tree_remove(&job->node);
	job->flow = NULL;
	if (job->gate)
		job->gate->n_queued--;
	if (!was_head)
		return;
	if (is_empty(flow))
		flow_retire(flow);
	else
		flow_place(policy, flow);
	share_refresh(flow->share, job->cores);
}

/*
 * Order
 */

struct policy_flow *flow_find(struct policy *policy, enum zy_class class, uint64_t single,
			      uint64_t gang)
{
	struct policy_share *share = &policy->classes[class].share;
	struct tree_node *node = tree_find(&share->children, single, gang);

	/* Accounts, clients; the masks promise that there is something at the end. */
	for (int depth = 0; node && class != ZY_CLASS_REALTIME && depth < 2; depth++) {
		share = tree_entry(node, struct policy_share, node);
		node = tree_find(&share->children, single, gang);
	}
	return node ? tree_entry(node, struct policy_flow, node) : NULL;
}

void flow_served(struct policy_job *job)
{
	struct policy_share *share;

	if (job->class == ZY_CLASS_REALTIME)
		return;
	for (share = &job->client->shares[job->class]; share->parent; share = share->parent) {
		for (uint64_t rest = job->on_cores; rest; rest &= rest - 1) {
			uint64_t *vtime = &share->parent->core_vtime[__builtin_ctzll(rest)];

			if (share->vtime > *vtime)
				*vtime = share->vtime;
		}
	}
}

static void move_vtime(struct policy_share *share, int64_t ns)
{
	uint64_t step = by_weight((uint64_t)(ns < 0 ? -ns : ns), share->weight);

	if (ns >= 0)
		share->vtime += step;
	else
		share->vtime -= step < share->vtime ? step : share->vtime;
	if (!share->node.tree)
		return;
	tree_remove(&share->node);
	share->node.key[0] = share->vtime;
	tree_insert(&share->parent->children, &share->node);
}

void flow_charge(struct policy *policy, struct policy_job *job, int64_t ns)
{
	struct policy_share *share;

	(void)policy;
	if (job->class == ZY_CLASS_REALTIME)
		return;
	for (share = &job->client->shares[job->class]; share->parent; share = share->parent)
		move_vtime(share, ns);
}
