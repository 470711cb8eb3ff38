/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/policy_internal.h"

/*
 * A class that could not run, for whatever reason, is not owed its floor of what others used
 * before this: it may not hold up everybody for long. Much longer than a job on all cores.
 */
#define FLOOR_MEMORY_NS UINT64_C(2000000000)

/* How far an account may run ahead of its share of device time. */
#define SHARE_BURST_NS UINT64_C(100000000)

/*
 * Time
 */

void timer_insert(struct policy *policy, struct tree_node *node, uint64_t at_ns, uint64_t id,
		  enum timer_owner owner)
{
	tree_remove(node);
	node->key[0] = at_ns;
	node->key[1] = id;
	node->single = owner;
	node->gang = 0;
	tree_insert(&policy->timers, node);
}

void timer_set(struct policy *policy, struct policy_job *job, uint64_t at_ns)
{
	if (at_ns == NEVER)
		tree_remove(&job->due);
	else
		timer_insert(policy, &job->due, at_ns, job->id, TIMER_JOB);
}

/*
 * Accounts
 */

void policy_account_init(struct policy *policy, struct policy_account *account)
{
	*account = (struct policy_account){.weight = 100};
	list_init(&account->flows);
	for (int class = 0; class < ZY_CLASS_MAX_; class ++)
		share_init(&account->shares[class], &policy->classes[class].share, 100);
}

void policy_account_finish(struct policy *policy, struct policy_account *account)
{
	(void)policy;
	tree_remove(&account->wake);
}

void policy_account_changed(struct policy *policy, struct policy_account *account, uint64_t now_ns)
{
	bool over = account->share_percent && account->share_at_ns > add_ns(now_ns, SHARE_BURST_NS);
	bool blocked =
		over || (account->max_on_device && account->n_on_device >= account->max_on_device);
	struct policy_flow *flow;

	if (!account->weight)
		account->weight = 1;
	for (int class = 0; class < ZY_CLASS_MAX_; class ++)
		account->shares[class].weight = account->weight;
	if (over)
		timer_insert(policy, &account->wake, account->share_at_ns - SHARE_BURST_NS,
			     (uint64_t)(uintptr_t)account, TIMER_ACCOUNT);
	else
		tree_remove(&account->wake);
	if (blocked == account->blocked)
		return;
	account->blocked = blocked;
	if (!blocked)
		account->unblocked = policy->decision;
	list_for_each (flow, &account->flows, account_link)
		flow_refresh(policy, flow);
}

/* Device time was used: when will it be within its share again? */
static void account_use(const struct policy *policy, struct policy_account *account, uint64_t ns,
			uint64_t now_ns)
{
	uint64_t all;

	account->device_ns += ns;
	if (!account->share_percent)
		return;
	all = (uint64_t)__builtin_popcountll(policy->healthy ? policy->healthy : policy->all);
	if (account->share_at_ns < now_ns)
		account->share_at_ns = now_ns;
	account->share_at_ns =
		add_ns(account->share_at_ns,
		       (uint64_t)((unsigned __int128)ns * 100 / (account->share_percent * all)));
}

void policy_client_init(struct policy_client *client, struct policy_account *account, uint64_t id)
{
	*client = (struct policy_client){.account = account, .id = id};
	list_init(&client->flows);
	for (int class = 0; class < ZY_CLASS_MAX_; class ++)
		share_init(&client->shares[class], &account->shares[class], 100);
}

void policy_client_finish(struct policy *policy, struct policy_client *client)
{
	struct policy_flow *flow, *next;

	(void)policy;
	list_for_each_safe (flow, next, &client->flows, client_link) {
		list_remove(&flow->link);
		list_remove(&flow->client_link);
		list_remove(&flow->account_link);
		list_remove(&flow->gate_link);
		free(flow);
	}
}

/*
 * Gates and health
 */

void policy_gate_init(struct policy_gate *gate)
{
	*gate = (struct policy_gate){.closed = false};
	list_init(&gate->flows);
}

void policy_gate_set(struct policy *policy, struct policy_gate *gate, bool closed)
{
	struct policy_flow *flow;

	if (gate->closed == closed)
		return;
	gate->closed = closed;
	if (!closed)
		gate->opened = policy->decision;
	list_for_each (flow, &gate->flows, gate_link)
		flow_refresh(policy, flow);
}

void policy_cores_set(struct policy *policy, uint64_t healthy)
{
	policy->healthy = healthy & policy->all;
	flows_refresh(policy);
}

/*
 * In and out of the queue
 */

static void count_queued(struct policy *policy, struct policy_job *job, int n)
{
	struct class *class = &policy->classes[job->class];

	if (n > 0 && !class->n_queued && class->floor_ns < policy->charged_ns)
		class->floor_ns = policy->charged_ns;
	class->n_queued += (unsigned int)n;
	policy->n_queued += (unsigned int)n;
	job->client->n_queued += (unsigned int)n;
	job->client->account->n_queued += (unsigned int)n;
}

static void count_on_device(struct policy *policy, struct policy_job *job, int n, uint64_t now_ns)
{
	struct policy_account *account = job->client->account;

	policy->classes[job->class].n_on_device += (unsigned int)n;
	policy->n_on_device += (unsigned int)n;
	job->client->n_on_device += (unsigned int)n;
	account->n_on_device += (unsigned int)n;
	if (account->max_on_device || account->share_percent || account->blocked)
		policy_account_changed(policy, account, now_ns);
}

/* When @core will be free at the earliest, as far as is known. */
static uint64_t free_at_best(const struct core *core, uint64_t now_ns)
{
	uint64_t at = now_ns;

	if (core->n_jobs)
		at = add_ns(core->jobs[0]->started_ns, core->jobs[0]->fastest_ns);
	return at > now_ns ? at : now_ns;
}

static bool can_be_met(const struct policy *policy, const struct policy_job *job, uint64_t now_ns)
{
	uint64_t start = NEVER;

	for (uint64_t rest = job->cores; rest; rest &= rest - 1) {
		uint64_t at = free_at_best(&policy->cores[first_core(rest)], now_ns);

		start = at < start ? at : start;
	}
	return add_ns(start, job->fastest_ns) <= job->deadline_ns && job->deadline_ns > now_ns;
}

/* Whether the reservations leave room for it anywhere. */
static bool can_be_started(const struct policy *policy, const struct policy_job *job)
{
	uint64_t occupies;
	unsigned int n = 0;

	if (!(policy->reserved & job->cores))
		return true;
	occupies = job_occupies(policy, job, NULL);
	for (uint64_t rest = job->cores; rest; rest &= rest - 1) {
		unsigned int core = first_core(rest);

		n += !(policy->reserved & bit(core)) || occupies <= policy->cores[core].longest_ns;
	}
	return n >= job->n_cores;
}

static bool can_be_placed(const struct policy *policy, const struct policy_job *job)
{
	unsigned int n = job->n_cores;

	if (!n || (unsigned int)__builtin_popcountll(job->cores & policy->all) < n ||
	    (job->cores & ~policy->all))
		return false;
	return n == 1 || policy->placement == POLICY_PLACEMENT_EXACT || n == policy->n_cores;
}

void watch_deadline(struct policy *policy, struct policy_job *job)
{
	uint64_t last = job->deadline_ns;

	if (!job->deadline_ns || job->state == JOB_EARLY || job->state == JOB_FRAME)
		return;
	/* One nanosecond after it could last be started in time. */
	last = last > job->fastest_ns ? last - job->fastest_ns : 0;
	timer_set(policy, job, add_ns(last, 1));
}

int policy_push(struct policy *policy, struct policy_job *job, uint64_t now_ns)
{
	int r;

	if (!can_be_placed(policy, job) || (job->reservation && job->n_cores > 1))
		return -EINVAL;
	if (!job->reservation) {
		if (job->deadline_ns && !can_be_met(policy, job, now_ns))
			return -ETIME;
		if (!can_be_started(policy, job))
			return -ENOSPC;
	}
	job->flow = NULL;
	job->node.tree = job->due.tree = NULL;
	job->no_gaps = job->again = job->owed = job->limited = false;
	job->conforms_ns = 0;
	job->wait = POLICY_WAIT_NONE;
	job->waited_for = 0;
	job->pushed = policy->decision;
	list_init(&job->early_link);
	r = job->reservation ? frame_push(policy, job, now_ns) : flow_push(policy, job);
	if (r < 0)
		return r;
	if (job->reservation)
		job->reservation->n_jobs++;
	else
		job->state = JOB_QUEUED;
	watch_deadline(policy, job);
	count_queued(policy, job, 1);
	return 0;
}

static void first_push(struct policy *policy, struct policy_job *job)
{
	job->state = JOB_FIRST;
	job->node.key[0] = job->id;
	job->node.key[1] = 0;
	job->node.single = job->node.gang = 0;
	tree_insert(&policy->first, &job->node);
	if (job->gate)
		job->gate->n_queued++;
}

static void first_remove(struct policy_job *job)
{
	tree_remove(&job->node);
	if (job->gate)
		job->gate->n_queued--;
}

/* Out of whatever it is queued in. */
static void unqueue(struct policy *policy, struct policy_job *job)
{
	if (job->state == JOB_FIRST)
		first_remove(job);
	else if (job->state == JOB_FRAME)
		frame_unqueue(policy, job);
	else
		flow_remove(policy, job);
	if (job->state == JOB_EARLY)
		frame_leave_waiting(policy, job);
	tree_remove(&job->due);
	if (policy->collector == job)
		policy->collector = NULL;
	count_queued(policy, job, -1);
}

void policy_remove(struct policy *policy, struct policy_job *job)
{
	unqueue(policy, job);
	job->state = JOB_IDLE;
	if (job->reservation)
		frame_finish(policy, job, 0, 0);
}

bool policy_is_queued(const struct policy_job *job)
{
	return job->state == JOB_QUEUED || job->state == JOB_EARLY || job->state == JOB_FRAME ||
	       job->state == JOB_FIRST;
}

/*
 * On the device
 */

/* @ns more or less than it was charged, times cores. */
static void charge(struct policy *policy, struct policy_job *job, int64_t ns)
{
	struct class *class = &policy->classes[job->class];
	unsigned int floor = policy->settings.floor_percent[job->class];

	policy->charged_ns += (uint64_t)ns;
	job->charged_ns += (uint64_t)ns;
	if (job->owed && floor)
		class->floor_ns += (uint64_t)(ns * 100 / floor);
	flow_charge(policy, job, ns);
}

static void core_put(struct policy *policy, unsigned int index, struct policy_job *job)
{
	struct core *core = &policy->cores[index];

	core->jobs[core->n_jobs++] = job;
	policy->free &= ~bit(index);
	if (core->n_jobs == 1 && job->n_cores == 1)
		policy->stackable |= bit(index);
	else
		policy->stackable &= ~bit(index);
}

static void watch_limit(struct policy *policy, struct policy_job *job, uint64_t now_ns)
{
	if (job->limited)
		timer_set(policy, job, add_ns(now_ns, job->limit_ns));
}

/* When it is surely off its cores, if it begins to run at @from_ns. */
static uint64_t off_at(const struct policy *policy, const struct policy_job *job, uint64_t from_ns)
{
	uint64_t occupies = job->bound_ns;

	if (job->limited && add_ns(job->limit_ns, policy->settings.stop_ns) < occupies)
		occupies = job->limit_ns + policy->settings.stop_ns;
	return add_ns(from_ns, occupies);
}

/* The job behind it, if there is one, is on its own time from now on. */
static void core_take(struct policy *policy, unsigned int index, struct policy_job *job,
		      uint64_t now_ns)
{
	struct core *core = &policy->cores[index];
	bool was_first = core->jobs[0] == job;

	if (was_first)
		core->jobs[0] = core->jobs[1];
	core->n_jobs--;
	core->jobs[1] = NULL;
	if (!core->n_jobs) {
		core->jobs[0] = NULL;
		policy->free |= bit(index);
		policy->stackable &= ~bit(index);
		return;
	}
	policy->stackable |= bit(index);
	if (!was_first)
		return;
	core->jobs[0]->free_ns = off_at(policy, core->jobs[0], now_ns);
	watch_limit(policy, core->jobs[0], now_ns);
}

static enum policy_wait waited_on_core(const struct policy *policy, const struct policy_job *job,
				       unsigned int index)
{
	const struct core_history *last = &policy->cores[index].last;

	if (last->is_frame || (!last->any && (policy->reserved & bit(index))))
		return POLICY_WAIT_RESERVATION;
	if (!last->any)
		return POLICY_WAIT_NONE;
	if (last->client == job->client->id)
		return POLICY_WAIT_OWN;
	if (last->class < job->class)
		return POLICY_WAIT_URGENT;
	if (last->started_ns <= job->accepted_ns)
		return POLICY_WAIT_RUNNING;
	if (last->class > job->class)
		return last->owed ? POLICY_WAIT_FLOOR : POLICY_WAIT_RUNNING;
	return job->class == ZY_CLASS_REALTIME ? POLICY_WAIT_DEADLINE : POLICY_WAIT_SHARE;
}

/* Why it starts only now. */
static void explain(const struct policy *policy, struct policy_job *job, uint64_t cores)
{
	unsigned int index = first_core(cores);

	job->waited_for = 0;
	if (job->again)
		job->wait = POLICY_WAIT_RECOVERY;
	else if (job->pushed == policy->decision)
		job->wait = POLICY_WAIT_NONE;
	else if (job->client->account->unblocked > job->pushed || job->state == JOB_EARLY)
		job->wait = POLICY_WAIT_THROTTLE;
	else if (job->gate && job->gate->opened > job->pushed)
		job->wait = POLICY_WAIT_GATE;
	else if (job->n_cores > 1)
		job->wait = POLICY_WAIT_CORES;
	else {
		job->wait = waited_on_core(policy, job, index);
		if (job->wait != POLICY_WAIT_NONE && policy->cores[index].last.any)
			job->waited_for = policy->cores[index].last.client;
	}
}

static void note_history(struct policy *policy, const struct policy_job *job, uint64_t cores,
			 uint64_t now_ns)
{
	for (uint64_t rest = cores; rest; rest &= rest - 1)
		policy->cores[first_core(rest)].last = (struct core_history){
			.client = job->client->id,
			.started_ns = now_ns,
			.class = job->class,
			.is_frame = job->conforms_ns != 0,
			.owed = job->owed,
			.any = true,
		};
}

/* How long a frame may run: as long as it harms no other reservation of the core. */
static void limit_frame(const struct policy *policy, struct policy_job *job, unsigned int core,
			uint64_t now_ns)
{
	uint64_t budget = job->reservation->spec.budget_ns, open, stop = policy->settings.stop_ns;

	job->limited = false;
	if (stop == NEVER || !(policy->reserved & bit(core)))
		return;
	open = core_open_until(policy, core, now_ns, job->reservation);
	if (open == NEVER)
		return;
	open = open > add_ns(now_ns, stop) ? open - stop - now_ns : 0;
	job->limited = true;
	job->limit_ns = open > budget ? open : budget;
}

/* A frame that came early and is at home leaves before it is in the way of its own kind: they would
 * be in the way of others then. */
static void limit_early(const struct policy *policy, struct policy_job *job, unsigned int core,
			uint64_t from_ns, uint64_t now_ns)
{
	uint64_t open, limit, stop = policy->settings.stop_ns;

	if (stop == NEVER || !job->reservation || job->reservation->core != core ||
	    !(policy->reserved & bit(core)))
		return;
	open = core_open_until(policy, core, now_ns, NULL);
	if (open == NEVER || add_ns(from_ns, job->bound_ns) <= open)
		return;
	limit = open > add_ns(from_ns, stop) ? open - stop - from_ns : 0;
	if (job->limited && job->limit_ns <= limit)
		return;
	job->limited = true;
	job->limit_ns = limit;
}

struct policy_decision job_start(struct policy *policy, struct policy_job *job, uint64_t cores,
				 bool owed, uint64_t now_ns)
{
	struct class *class = &policy->classes[job->class];
	uint64_t from = now_ns, limit;

	for (uint64_t rest = cores; rest; rest &= rest - 1) {
		const struct core *core = &policy->cores[first_core(rest)];

		if (core->n_jobs && core->jobs[0]->free_ns > from)
			from = core->jobs[0]->free_ns;
	}
	explain(policy, job, cores);
	unqueue(policy, job);
	/* Its reservation was given back while it was on the device, from where it was put back. */
	if (job->reservation && job->reservation->released)
		job->conforms_ns = 0;
	job_occupies(policy, job, &limit);
	job->limited = limit != NEVER && (cores & policy->reserved);
	job->limit_ns = limit;
	if (job->conforms_ns)
		limit_frame(policy, job, first_core(cores), now_ns);
	else
		limit_early(policy, job, first_core(cores), from, now_ns);
	job->state = JOB_RUNNING;
	job->started_ns = now_ns;
	job->on_cores = cores;
	job->owed = owed;
	job->charged_ns = 0;
	job->free_ns = off_at(policy, job, from);
	for (uint64_t rest = cores; rest; rest &= rest - 1)
		core_put(policy, first_core(rest), job);
	if (from == now_ns)
		watch_limit(policy, job, now_ns);
	flow_served(job);
	if (!owed)
		class->floor_ns = policy->charged_ns;
	charge(policy, job, (int64_t)job_charge(job));
	if (owed && class->floor_ns + FLOOR_MEMORY_NS < policy->charged_ns)
		class->floor_ns = policy->charged_ns - FLOOR_MEMORY_NS;
	note_history(policy, job, cores, now_ns);
	count_on_device(policy, job, 1, now_ns);
	return (struct policy_decision){.action = POLICY_START, .job = job, .cores = cores};
}

static void leave_cores(struct policy *policy, struct policy_job *job, uint64_t now_ns)
{
	tree_remove(&job->due);
	for (uint64_t rest = job->on_cores; rest; rest &= rest - 1)
		core_take(policy, first_core(rest), job, now_ns);
	job->state = JOB_IDLE;
}

void policy_finished(struct policy *policy, struct policy_job *job, uint64_t run_ns,
		     uint64_t now_ns)
{
	uint64_t used = run_ns * job->n_cores;

	leave_cores(policy, job, now_ns);
	charge(policy, job, (int64_t)used - (int64_t)job->charged_ns);
	policy->classes[job->class].device_ns += used;
	job->client->device_ns += used;
	for (uint64_t rest = job->on_cores; rest; rest &= rest - 1)
		policy->cores[first_core(rest)].device_ns += run_ns;
	account_use(policy, job->client->account, used, now_ns);
	count_on_device(policy, job, -1, now_ns);
	if (job->reservation)
		frame_finish(policy, job, run_ns, now_ns);
}

int policy_push_again(struct policy *policy, struct policy_job *job, bool first, uint64_t now_ns)
{
	bool was_stopped = job->state == JOB_STOPPING;
	int r = 0;

	leave_cores(policy, job, now_ns);
	charge(policy, job, -(int64_t)job->charged_ns);
	count_on_device(policy, job, -1, now_ns);
	job->again = true;
	job->no_gaps = job->no_gaps || was_stopped;
	job->pushed = policy->decision;
	if (first)
		first_push(policy, job);
	else if (job->conforms_ns && !job->reservation->released)
		frame_queue(policy, job);
	else
		r = flow_push(policy, job);
	if (r < 0) {
		if (job->reservation)
			frame_finish(policy, job, 0, now_ns);
		return r;
	}
	if (job->state == JOB_IDLE)
		job->state = JOB_QUEUED;
	watch_deadline(policy, job);
	count_queued(policy, job, 1);
	return 0;
}

/*
 * The policy itself
 */

static int check_settings(const struct policy_settings *settings)
{
	unsigned int floors = 0;

	for (int class = 0; class < ZY_CLASS_MAX_; class ++) {
		if (settings->floor_percent[class] > 90)
			return -EINVAL;
		floors += class == ZY_CLASS_REALTIME ? 0 : settings->floor_percent[class];
	}
	return floors > 90 ? -EINVAL : 0;
}

int policy_create(struct policy **ret, unsigned int n_cores, enum policy_placement placement,
		  const struct policy_settings *settings)
{
	struct policy *policy;

	if (!n_cores || n_cores > POLICY_MAX_CORES || check_settings(settings) < 0 ||
	    (placement == POLICY_PLACEMENT_NONE && n_cores != 1))
		return -EINVAL;
	policy = calloc(1, sizeof(*policy));
	if (!policy)
		return -ENOMEM;
	policy->settings = *settings;
	policy->placement = placement;
	policy->n_cores = n_cores;
	policy->all = n_cores == 64 ? UINT64_MAX : bit(n_cores) - 1;
	policy->healthy = policy->free = policy->all;
	policy->decision = 1;
	tree_init(&policy->timers);
	tree_init(&policy->first);
	list_init(&policy->flows);
	for (int class = 0; class < ZY_CLASS_MAX_; class ++)
		share_init(&policy->classes[class].share, NULL, 100);
	for (unsigned int i = 0; i < n_cores; i++) {
		list_init(&policy->cores[i].reservations);
		tree_init(&policy->cores[i].frames);
		policy->cores[i].tolerance_ns = policy->cores[i].longest_ns = NEVER;
	}
	*ret = policy;
	return 0;
}

void policy_destroy(struct policy *policy)
{
	free(policy);
}

int policy_set(struct policy *policy, const struct policy_settings *settings)
{
	if (check_settings(settings) < 0)
		return -EINVAL;
	policy->settings = *settings;
	reservations_recount(policy);
	return 0;
}

const char *policy_wait_name(enum policy_wait wait)
{
	static const char *const names[POLICY_WAIT_MAX_] = {
		[POLICY_WAIT_NONE] = "none",	     [POLICY_WAIT_OWN] = "own",
		[POLICY_WAIT_RUNNING] = "running",   [POLICY_WAIT_URGENT] = "urgent",
		[POLICY_WAIT_DEADLINE] = "deadline", [POLICY_WAIT_SHARE] = "share",
		[POLICY_WAIT_FLOOR] = "floor",	     [POLICY_WAIT_RESERVATION] = "reservation",
		[POLICY_WAIT_THROTTLE] = "throttle", [POLICY_WAIT_GATE] = "gate",
		[POLICY_WAIT_CORES] = "cores",	     [POLICY_WAIT_RECOVERY] = "recovery",
	};

	return (unsigned int)wait < POLICY_WAIT_MAX_ ? names[wait] : "?";
}
