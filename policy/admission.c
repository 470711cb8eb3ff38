/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "policy/policy_internal.h"

#define PPM UINT64_C(1000000)
/* A set of reservations that needs more is too close to the limit to be admitted. */
#define MAX_POINTS 20000u
#define LONGEST_PERIOD_NS UINT64_C(3600000000000)

/*
 * Admission
 */

static unsigned int utilisation_ppm(const struct reservation_spec *spec)
{
	uint64_t ppm = (uint64_t)(((unsigned __int128)spec->budget_ns * PPM + spec->period_ns - 1) /
				  spec->period_ns);

	return ppm < 10 * PPM ? (unsigned int)ppm : (unsigned int)(10 * PPM);
}

/* Device time of all frames that both come and have to be done within @t. */
static uint64_t demand(const struct reservation_spec *specs, size_t n, uint64_t t)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (t >= specs[i].deadline_ns)
			sum += ((t - specs[i].deadline_ns + specs[i].jitter_ns) /
					specs[i].period_ns +
				1) *
			       specs[i].budget_ns;
	return sum;
}

/* The first moment after @t at which there is more of it. */
static uint64_t next_point(const struct reservation_spec *specs, size_t n, uint64_t t)
{
	uint64_t next = NEVER;

	for (size_t i = 0; i < n; i++) {
		const struct reservation_spec *spec = &specs[i];
		uint64_t at = spec->deadline_ns;

		if (t >= at) {
			uint64_t k = (t - at + spec->jitter_ns) / spec->period_ns + 1;

			at = at + k * spec->period_ns - spec->jitter_ns;
		}
		next = at < next ? at : next;
	}
	return next;
}

/* The longest frame with a deadline after @t: it may have just begun. */
static uint64_t own_blocking(const struct reservation_spec *specs, size_t n, uint64_t t)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < n; i++)
		if (specs[i].deadline_ns > t && specs[i].budget_ns > longest)
			longest = specs[i].budget_ns;
	return longest;
}

int64_t reservation_tolerance(const struct reservation_spec *specs, size_t n, uint64_t blocking_ns)
{
	uint64_t t = 0, last_deadline = 0, tolerance = NEVER / 4;
	unsigned __int128 burst = 0;
	uint64_t used = 0;

	for (size_t i = 0; i < n; i++) {
		used += utilisation_ppm(&specs[i]);
		burst += specs[i].budget_ns +
			 (unsigned __int128)specs[i].budget_ns * specs[i].jitter_ns /
				 specs[i].period_ns +
			 1;
		if (specs[i].deadline_ns > last_deadline)
			last_deadline = specs[i].deadline_ns;
	}
	if (used >= PPM)
		return -1;
	for (unsigned int points = 0;; points++) {
		uint64_t h, slack;

		t = next_point(specs, n, t);
		/* Beyond this, demand grows more slowly than time, from below. */
		if (t > last_deadline && (burst + tolerance) * PPM / (PPM - used) < t)
			break;
		if (points == MAX_POINTS)
			return -1;
		h = demand(specs, n, t);
		if (h > t)
			return -1;
		slack = t - h;
		if (own_blocking(specs, n, t) > slack || blocking_ns > slack)
			return -1;
		tolerance = slack < tolerance ? slack : tolerance;
	}
	return (int64_t)tolerance;
}

/* What the core has; room for one more. */
static size_t get_specs(const struct core *core,
			struct reservation_spec specs[RESERVATION_MAX_PER_CORE + 1])
{
	const struct reservation *r;
	size_t n = 0;

	list_for_each (r, &core->reservations, link)
		specs[n++] = r->spec;
	return n;
}

/* A frame that has to be stopped for the sake of others on its core takes a little more. */
static void charge_stops(const struct policy *policy, struct reservation_spec *specs, size_t n)
{
	for (size_t i = 0; n > 1 && i < n; i++)
		specs[i].budget_ns = add_ns(specs[i].budget_ns, policy->settings.stop_ns);
}

/* A core's reservations have changed, or fallen asleep or woken up. */
void core_account(struct policy *policy, unsigned int index)
{
	struct core *core = &policy->cores[index];
	struct reservation_spec specs[RESERVATION_MAX_PER_CORE + 1];
	size_t n = get_specs(core, specs);
	uint64_t bit = UINT64_C(1) << index, shortest = NEVER;
	const struct reservation *r;

	charge_stops(policy, specs, n);
	core->used_ppm = 0;
	for (size_t i = 0; i < n; i++)
		core->used_ppm += utilisation_ppm(&specs[i]);
	list_for_each (r, &core->reservations, link)
		if (!r->dormant && r->spec.period_ns - r->spec.jitter_ns < shortest)
			shortest = r->spec.period_ns - r->spec.jitter_ns;
	if (shortest != NEVER) {
		int64_t tolerance = reservation_tolerance(specs, n, 0);

		core->tolerance_ns = tolerance < 0 ? 0 : (uint64_t)tolerance;
		core->longest_ns = add_ns(shortest, core->tolerance_ns);
		policy->reserved |= bit;
	} else {
		core->tolerance_ns = core->longest_ns = NEVER;
		policy->reserved &= ~bit;
	}
	flows_refresh(policy);
}

/* How much of a core, in millionths, reservations may take: lower classes keep their floors. */
static unsigned int most_ppm(const struct policy *policy)
{
	unsigned int floors = 0;

	for (int class = 0; class < ZY_CLASS_MAX_; class ++)
		floors += class == ZY_CLASS_REALTIME ? 0 : policy->settings.floor_percent[class];
	return (100 - floors) * 10000;
}

/* Those with reservations, dormant ones too. */
static uint64_t taken_cores(const struct policy *policy)
{
	uint64_t cores = 0;

	for (unsigned int i = 0; i < policy->n_cores; i++)
		if (policy->cores[i].n_reservations)
			cores |= bit(i);
	return cores;
}

/* Whether @spec fits on the core; what stands in the way. */
static enum reservation_refusal try_core(const struct policy *policy, unsigned int index,
					 const struct reservation_spec *spec,
					 uint64_t *ret_tolerance)
{
	const struct core *core = &policy->cores[index];
	struct reservation_spec specs[RESERVATION_MAX_PER_CORE + 1];
	size_t n = get_specs(core, specs);
	uint64_t used = 0;
	int64_t tolerance;

	if (n == RESERVATION_MAX_PER_CORE || (n && !stop_is_reliable(policy)))
		return RESERVATION_TOO_MANY;
	specs[n++] = *spec;
	charge_stops(policy, specs, n);
	for (size_t i = 0; i < n; i++)
		used += utilisation_ppm(&specs[i]);
	if (used > most_ppm(policy))
		return RESERVATION_UTILISATION;
	tolerance = reservation_tolerance(specs, n, 0);
	if (tolerance < 0)
		return RESERVATION_BLOCKING;
	if (policy->n_cores > 1 && !(policy->healthy & ~(taken_cores(policy) | bit(index))))
		return RESERVATION_LAST_CORE;
	*ret_tolerance = (uint64_t)tolerance;
	return RESERVATION_GRANTED;
}

/* Pack: among the cores it fits on, the one that has most reservations already. */
static enum reservation_refusal find_core(const struct policy *policy,
					  const struct reservation_spec *spec,
					  unsigned int *ret_core, uint64_t *ret_tolerance)
{
	enum reservation_refusal refusal = RESERVATION_INVALID;
	bool found = false;

	for (unsigned int i = 0; i < policy->n_cores; i++) {
		enum reservation_refusal here;
		uint64_t tolerance;

		if (!(spec->cores & policy->healthy & UINT64_C(1) << i))
			continue;
		here = try_core(policy, i, spec, &tolerance);
		if (here != RESERVATION_GRANTED) {
			refusal = here;
			continue;
		}
		if (found && policy->cores[i].used_ppm <= policy->cores[*ret_core].used_ppm)
			continue;
		found = true;
		*ret_core = i;
		*ret_tolerance = tolerance;
	}
	return found ? RESERVATION_GRANTED : refusal;
}

static bool fits_with_period(const struct policy *policy, struct reservation_spec spec,
			     uint64_t period_ns)
{
	unsigned int core;
	uint64_t tolerance;

	spec.period_ns = period_ns;
	if (spec.jitter_ns >= period_ns)
		return false;
	return find_core(policy, &spec, &core, &tolerance) == RESERVATION_GRANTED;
}

static uint64_t best_period(const struct policy *policy, const struct reservation_spec *spec)
{
	uint64_t no = spec->period_ns, yes = no;

	while (!fits_with_period(policy, *spec, yes)) {
		no = yes;
		yes *= 2;
		if (yes > LONGEST_PERIOD_NS)
			return 0;
	}
	/* To the microsecond. */
	while (yes - no > 1000) {
		uint64_t middle = no + (yes - no) / 2;

		if (fits_with_period(policy, *spec, middle))
			yes = middle;
		else
			no = middle;
	}
	return yes;
}

static bool makes_sense(const struct policy *policy, const struct reservation_spec *spec)
{
	return spec->budget_ns && spec->period_ns && spec->period_ns <= LONGEST_PERIOD_NS &&
	       spec->deadline_ns <= LONGEST_PERIOD_NS && spec->budget_ns <= spec->deadline_ns &&
	       spec->budget_ns <= spec->period_ns && spec->jitter_ns < spec->period_ns &&
	       (spec->cores & policy->all);
}

/*
 * Nothing is promised before what is on the core now is surely gone, and what it may
 * have delayed is through: a busy period is no longer than that.
 */
uint64_t protected_from(const struct policy *policy, const struct core *core)
{
	struct reservation_spec specs[RESERVATION_MAX_PER_CORE + 1];
	size_t n = get_specs(core, specs);
	uint64_t from = 0, used = 0;
	unsigned __int128 burst = core->tolerance_ns;

	for (unsigned int i = 0; i < core->n_jobs; i++)
		from = core->jobs[i]->free_ns > from ? core->jobs[i]->free_ns : from;
	if (!n)
		return from;
	charge_stops(policy, specs, n);
	for (size_t i = 0; i < n; i++) {
		used += utilisation_ppm(&specs[i]);
		burst += 2 * specs[i].budget_ns;
	}
	return add_ns(from, (uint64_t)(burst * PPM / (PPM - used)));
}

static void describe(const struct policy *policy, struct reservation_verdict *ret)
{
	ret->n_cores = policy->n_cores;
	for (unsigned int i = 0; i < policy->n_cores; i++)
		ret->used_ppm[i] = policy->cores[i].used_ppm;
}

enum reservation_refusal policy_reserve(struct policy *policy, struct policy_client *client,
					const struct reservation_spec *spec, bool probe,
					uint64_t now_ns, struct reservation **ret,
					struct reservation_verdict *ret_verdict)
{
	struct reservation *r;
	unsigned int core = 0;
	uint64_t tolerance = 0;
	enum reservation_refusal refusal = RESERVATION_INVALID;

	*ret = NULL;
	*ret_verdict = (struct reservation_verdict){0};
	if (makes_sense(policy, spec))
		refusal = find_core(policy, spec, &core, &tolerance);
	describe(policy, ret_verdict);
	ret_verdict->refusal = refusal;
	if (refusal != RESERVATION_GRANTED) {
		if (refusal == RESERVATION_UTILISATION || refusal == RESERVATION_BLOCKING)
			ret_verdict->best_period_ns = best_period(policy, spec);
		return refusal;
	}
	ret_verdict->core = core;
	ret_verdict->tolerance_ns = tolerance;
	if (probe)
		return refusal;
	r = calloc(1, sizeof(*r));
	if (!r) {
		ret_verdict->refusal = RESERVATION_NO_MEMORY;
		return RESERVATION_NO_MEMORY;
	}
	r->client = client;
	r->spec = *spec;
	r->core = core;
	list_init(&r->waiting);
	r->next_ns = add_ns(protected_from(policy, &policy->cores[core]), spec->jitter_ns);
	if (r->next_ns < now_ns)
		r->next_ns = now_ns;
	list_append(&policy->cores[core].reservations, &r->link);
	policy->cores[core].n_reservations++;
	client->n_reservations++;
	reservation_watch(policy, r, r->next_ns);
	core_account(policy, core);
	describe(policy, ret_verdict);
	*ret = r;
	return RESERVATION_GRANTED;
}

void reservations_recount(struct policy *policy)
{
	for (unsigned int i = 0; i < policy->n_cores; i++)
		core_account(policy, i);
}
