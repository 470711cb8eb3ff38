/* SPDX-License-Identifier: Apache-2.0 */
/* What to do now: time first, then frames, then whoever is first in order. */
#include "policy/policy_internal.h"

/* How many flows that cannot use the cores they would get a decision looks behind. */
#define MAX_SKIPS 8u

/*
 * A frame that does not conform yet may start on its home if it leaves the time of those
 * that do alone, provided that it keeps to the budget. If it does not, that is its client's
 * own loss.
 */
static bool is_no_rival(const struct policy *policy, const struct policy_job *job,
			unsigned int index, uint64_t from_ns, uint64_t now_ns)
{
	const struct reservation *r = job->reservation;
	uint64_t next, stop = policy->settings.stop_ns == NEVER ? 0 : policy->settings.stop_ns;
	uint64_t most;

	if (!r || r->core != index || r->dormant)
		return true;
	next = r->next_ns > r->spec.jitter_ns ? r->next_ns - r->spec.jitter_ns : 0;
	most = r->spec.budget_ns + stop < job->bound_ns ? r->spec.budget_ns + stop : job->bound_ns;
	return add_ns(from_ns, most) <=
	       add_ns(next > now_ns ? next : now_ns, policy->cores[index].tolerance_ns);
}

/* A job may be put on @core, to run after what is there, and be off it in time. */
static bool core_fits(const struct policy *policy, const struct policy_job *job, unsigned int index,
		      uint64_t now_ns)
{
	const struct core *core = &policy->cores[index];
	uint64_t from = now_ns;

	if (!(policy->reserved & bit(index)))
		return true;
	if (core->n_jobs && core->jobs[0]->free_ns > from)
		from = core->jobs[0]->free_ns;
	return add_ns(from, job_occupies(policy, job, NULL)) <=
		       core_open_until(policy, index, now_ns, job->reservation) &&
	       is_no_rival(policy, job, index, from, now_ns);
}

/* Of @cores, up to @n that fit; those without reservations first. */
static uint64_t choose_cores(const struct policy *policy, const struct policy_job *job,
			     uint64_t cores, unsigned int n, uint64_t now_ns)
{
	uint64_t chosen = 0, open = cores & ~policy->reserved;

	for (; open && n; open &= open - 1, n--)
		chosen |= open & -open;
	for (uint64_t rest = cores & policy->reserved; rest && n; rest &= rest - 1) {
		if (core_fits(policy, job, first_core(rest), now_ns)) {
			chosen |= rest & -rest;
			n--;
		}
	}
	return chosen;
}

/* The first by deadline whose gate is open, or NULL. */
static struct policy_job *first_frame(const struct core *core)
{
	for (struct tree_node *node = tree_first(&core->frames); node; node = tree_next(node)) {
		struct policy_job *job = tree_entry(node, struct policy_job, node);

		if (!job->gate || !job->gate->closed)
			return job;
	}
	return NULL;
}

/* The frame with the earliest deadline that can start, at home or on a core that nobody needs. */
static bool next_frame(struct policy *policy, uint64_t now_ns, struct policy_decision *ret)
{
	struct policy_job *best = NULL;
	uint64_t best_cores = 0;

	for (uint64_t rest = policy->pending; rest; rest &= rest - 1) {
		struct policy_job *job = first_frame(&policy->cores[first_core(rest)]);
		uint64_t idle = policy->free & policy->healthy, cores = idle & rest & -rest;

		if (!cores && job)
			cores = idle & job->cores & ~policy->reserved;
		if (!cores || !job)
			continue;
		if (!best || job->deadline_ns < best->deadline_ns) {
			best = job;
			best_cores = cores & -cores;
		}
	}
	if (best)
		*ret = job_start(policy, best, best_cores, false, now_ns);
	return best;
}

/* The class that has had less than its floor for longest, and may have its next job now. */
static struct policy_flow *find_owed(struct policy *policy, uint64_t single, uint64_t gang)
{
	struct policy_flow *best = NULL;

	for (enum zy_class i = ZY_CLASS_INTERACTIVE; i < ZY_CLASS_MAX_; i++) {
		struct class *class = &policy->classes[i];
		unsigned int floor = policy->settings.floor_percent[i];
		struct policy_flow *flow;

		if (!class->n_queued || !floor || class->floor_ns >= policy->charged_ns)
			continue;
		flow = flow_find(policy, i, single, gang);
		if (!flow || class->floor_ns + job_charge(flow_head(flow)) * 100 / floor >
				     policy->charged_ns)
			continue;
		if (!best || class->floor_ns < policy->classes[best->class].floor_ns)
			best = flow;
	}
	return best;
}

static struct policy_flow *find_first(struct policy *policy, uint64_t single, uint64_t gang,
				      bool *ret_owed)
{
	struct policy_flow *flow;

	*ret_owed = false;
	if (!(single | gang))
		return NULL;
	flow = find_owed(policy, single, gang);
	*ret_owed = flow;
	for (enum zy_class class = 0; !flow && class < ZY_CLASS_MAX_; class ++)
		if (policy->classes[class].n_queued)
			flow = flow_find(policy, class, single, gang);
	return flow;
}

/* The gaps between frames that @job could use close: from then on its cores are not kept. */
static void watch_gaps(struct policy *policy, const struct policy_job *job, uint64_t cores,
		       uint64_t now_ns)
{
	uint64_t occupies = job_occupies(policy, job, NULL);

	for (uint64_t rest = cores & policy->reserved; rest; rest &= rest - 1) {
		uint64_t open = core_open_until(policy, first_core(rest), now_ns, NULL);

		if (open != NEVER && open - occupies + 1 < policy->held_until_ns)
			policy->held_until_ns = open - occupies + 1;
	}
}

/*
 * The job wants more cores than are free: keep them for it, for a while. Returns those. However
 * many such jobs there are and take turns, cores are kept for half of the time at most.
 */
static uint64_t collect(struct policy *policy, const struct policy_job *job, uint64_t cores,
			uint64_t now_ns)
{
	uint64_t most = policy->settings.collect_ns;

	if (policy->held)
		return 0; /* for another one, which comes first */
	policy->collector = job;
	if (now_ns - policy->collecting_ns >= 2 * most)
		policy->collecting_ns = now_ns;
	if (now_ns - policy->collecting_ns >= most)
		return 0; /* others may have their turn for as long */
	policy->held = job->cores;
	watch_gaps(policy, job, cores, now_ns);
	return cores;
}

/* Who comes before everybody takes what it gets. */
static bool next_first(struct policy *policy, uint64_t now_ns, struct policy_decision *ret)
{
	struct policy_job *job = tree_entry(tree_first(&policy->first), struct policy_job, node);
	uint64_t free = policy->free & policy->healthy & job->cores, cores;

	if (job->gate && job->gate->closed)
		return false;
	cores = choose_cores(policy, job, free, job->n_cores, now_ns);
	for (; (unsigned int)__builtin_popcountll(cores) < job->n_cores && (free & ~cores);)
		cores |= (free & ~cores) & -(free & ~cores);
	if ((unsigned int)__builtin_popcountll(cores) < job->n_cores)
		return false;
	*ret = job_start(policy, job, cores, false, now_ns);
	return true;
}

/* The next job for a core that is idle. */
static bool next_idle(struct policy *policy, uint64_t now_ns, struct policy_decision *ret)
{
	struct policy_flow *skipped[MAX_SKIPS], *flow;
	uint64_t single = policy->free & policy->healthy, gang = single;
	unsigned int n_skipped = 0;
	bool owed, found = false;

	while ((flow = find_first(policy, single, gang, &owed))) {
		struct policy_job *job = flow_head(flow);
		uint64_t usable = (flow->n_cores == 1 ? single : gang) & flow->cores;
		uint64_t cores = choose_cores(policy, job, usable, flow->n_cores, now_ns);

		if ((unsigned int)__builtin_popcountll(cores) == flow->n_cores) {
			*ret = job_start(policy, job, cores, owed, now_ns);
			found = true;
			break;
		}
		if (flow->n_cores > 1) {
			uint64_t held = collect(policy, job, cores, now_ns);

			single &= ~held;
			gang &= ~held;
		}
		if (n_skipped == MAX_SKIPS) {
			/* Only what surely can be used; no more looking behind. */
			single &= ~policy->reserved;
			gang = 0;
			continue;
		}
		flow->skipped = true;
		skipped[n_skipped++] = flow;
		flow_refresh(policy, flow);
	}
	while (n_skipped) {
		flow = skipped[--n_skipped];
		flow->skipped = false;
		flow_refresh(policy, flow);
	}
	return found;
}

/*
 * A job behind one that runs. Only a short one, and only if it is the first that would come
 * when the core is free: then the most it can cost a more urgent one is its own short time.
 */
static bool next_stacked(struct policy *policy, uint64_t now_ns, struct policy_decision *ret)
{
	uint64_t cores = policy->stackable & policy->healthy & ~policy->held & ~policy->pending;
	struct policy_flow *flow;
	bool owed;

	if (!policy->settings.stack_ns)
		return false;
	while ((flow = find_first(policy, cores, cores, &owed))) {
		struct policy_job *job = flow_head(flow);
		uint64_t usable = cores & flow->cores;

		if (flow->n_cores == 1 && job->estimate_ns &&
		    job->estimate_ns <= policy->settings.stack_ns) {
			usable = choose_cores(policy, job, usable, 1, now_ns);
			if (usable) {
				*ret = job_start(policy, job, usable, owed, now_ns);
				return true;
			}
		}
		/* They are spoken for. */
		cores &= ~flow->cores;
	}
	return false;
}

/* How long the job behind @job on a core may then still be there; 0: nothing is. */
static uint64_t behind_occupies(const struct policy *policy, const struct policy_job *job,
				unsigned int index)
{
	const struct core *core = &policy->cores[index];

	if (core->n_jobs < 2 || core->jobs[0] != job)
		return 0;
	return job_occupies(policy, core->jobs[1], NULL);
}

/* A job on the device has reached its limit. Returns whether it has to be stopped. */
static bool reach_limit(struct policy *policy, struct policy_job *job, uint64_t now_ns,
			struct policy_decision *ret)
{
	uint64_t open = NEVER, stop = policy->settings.stop_ns;

	/* Things may have become easier since it was started. */
	for (uint64_t rest = job->on_cores & policy->reserved; rest; rest &= rest - 1) {
		unsigned int index = first_core(rest);
		uint64_t until = core_open_until(policy, index, now_ns,
						 job->conforms_ns ? job->reservation : NULL);
		uint64_t behind = behind_occupies(policy, job, index);

		if (until == NEVER)
			continue;
		until = until > behind ? until - behind : 0;
		open = until < open ? until : open;
	}
	tree_remove(&job->due);
	if (open == NEVER) {
		job->limited = false;
		job->free_ns = add_ns(now_ns, job->bound_ns);
		return false;
	}
	if (open > add_ns(now_ns, stop)) {
		job->free_ns = open;
		timer_set(policy, job, open - stop);
		return false;
	}
	job->state = JOB_STOPPING;
	*ret = (struct policy_decision){
		.action = job->conforms_ns ? POLICY_STOP : POLICY_PREEMPT,
		.job = job,
	};
	return true;
}

/* Something is due. Returns whether there is something to do about it. */
static bool handle_due(struct policy *policy, struct policy_job *job, uint64_t now_ns,
		       struct policy_decision *ret)
{
	switch ((enum job_state)job->state) {
	case JOB_EARLY:
		frame_promote(policy, job, now_ns);
		return false;
	case JOB_QUEUED:
	case JOB_FIRST:
		policy_remove(policy, job);
		*ret = (struct policy_decision){.action = POLICY_EXPIRE, .job = job};
		return true;
	case JOB_RUNNING:
		return reach_limit(policy, job, now_ns, ret);
	case JOB_IDLE:
	case JOB_FRAME:
	case JOB_STOPPING:
		break;
	}
	tree_remove(&job->due);
	return false;
}

static bool next_due(struct policy *policy, uint64_t now_ns, struct policy_decision *ret)
{
	struct tree_node *node;

	while ((node = tree_first(&policy->timers)) && node->key[0] <= now_ns) {
		if (node->single == TIMER_ACCOUNT)
			policy_account_changed(
				policy, tree_entry(node, struct policy_account, wake), now_ns);
		else if (node->single == TIMER_RESERVATION)
			reservation_sleep(policy, tree_entry(node, struct reservation, sleep),
					  now_ns);
		else if (handle_due(policy, tree_entry(node, struct policy_job, due), now_ns, ret))
			return true;
	}
	return false;
}

static uint64_t ask_again(const struct policy *policy, uint64_t now_ns)
{
	const struct tree_node *node = tree_first(&policy->timers);
	uint64_t at = node ? node->key[0] : NEVER, most = policy->settings.collect_ns, turn;

	if (policy->held && policy->held_until_ns < at)
		at = policy->held_until_ns;
	if (!policy->collector || !most)
		return at;
	/* The end of the present half: of keeping cores, or of leaving them to others. */
	turn = policy->collecting_ns + most;
	if (turn <= now_ns)
		turn += most;
	/* Later still: it is found again when a core becomes free. */
	return turn > now_ns && turn < at ? turn : at;
}

struct policy_decision policy_next(struct policy *policy, uint64_t now_ns)
{
	struct policy_decision decision = {.ask_again_ns = NEVER};

	policy->held = 0;
	policy->held_until_ns = NEVER;
	if (next_due(policy, now_ns, &decision))
		return decision;
	if (!tree_is_empty(&policy->first)) {
		if (!next_first(policy, now_ns, &decision))
			decision.ask_again_ns = ask_again(policy, now_ns);
		return decision;
	}
	if (next_frame(policy, now_ns, &decision) || next_idle(policy, now_ns, &decision) ||
	    next_stacked(policy, now_ns, &decision))
		return decision;
	if (!policy->held && policy->collector &&
	    now_ns - policy->collecting_ns < policy->settings.collect_ns)
		policy->collector = NULL;
	policy->decision++;
	decision.ask_again_ns = ask_again(policy, now_ns);
	return decision;
}
