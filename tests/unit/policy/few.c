/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/policy/few.h"

#include <criterion/criterion.h>

void few_init(struct few *few, unsigned int n_cores, enum policy_placement placement)
{
	cr_assert_eq(policy_create(&few->policy, n_cores, placement, &few->settings), 0);
	few->n = 0;
	few->all = (UINT64_C(1) << n_cores) - 1;
	few->now_ns = 1000 * MS;
	policy_gate_init(&few->gate);
	for (unsigned int i = 0; i < 3; i++) {
		policy_account_init(few->policy, &few->accounts[i]);
		policy_client_init(&few->clients[i], &few->accounts[i], i + 1);
	}
}

void few_finish(struct few *few)
{
	struct policy_job *job;

	for (unsigned int i = 0; i < few->n; i++) {
		job = &few->jobs[i];
		if (policy_is_queued(job))
			policy_remove(few->policy, job);
	}
	for (unsigned int i = 0; i < 3; i++) {
		policy_client_finish(few->policy, &few->clients[i]);
		policy_account_finish(few->policy, &few->accounts[i]);
	}
	policy_destroy(few->policy);
}

struct policy_job *few_job(struct few *few, unsigned int client, enum zy_class class, uint64_t ms)
{
	struct policy_job *job = &few->jobs[few->n];

	cr_assert_lt(few->n, FEW_JOBS);
	*job = (struct policy_job){
		.id = ++few->n,
		.client = &few->clients[client],
		.class = class,
		.cores = few->all,
		.n_cores = 1,
		.estimate_ns = ms * MS,
		.fastest_ns = ms * MS,
		.bound_ns = ms * MS,
	};
	return job;
}

int few_push_it(struct few *few, struct policy_job *job)
{
	job->accepted_ns = few->now_ns;
	return policy_push(few->policy, job, few->now_ns);
}

struct policy_job *few_push(struct few *few, unsigned int client, enum zy_class class, uint64_t ms)
{
	struct policy_job *job = few_job(few, client, class, ms);

	cr_assert_eq(few_push_it(few, job), 0);
	return job;
}

struct policy_decision few_decide(struct few *few)
{
	return policy_next(few->policy, few->now_ns);
}

struct policy_job *few_next(struct few *few)
{
	struct policy_decision decision = few_decide(few);

	return decision.action == POLICY_START ? decision.job : NULL;
}

void few_run(struct few *few, struct policy_job *job, uint64_t ms)
{
	few->now_ns += ms * MS;
	policy_finished(few->policy, job, ms * MS, few->now_ns);
}
