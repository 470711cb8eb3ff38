/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of zhouyid: the very code the daemon runs. */
#include <errno.h>
#include <stdlib.h>

#include "simulate/scheme.h"

struct zhouyi {
	struct policy *policy;
	struct policy_account *accounts;
	struct policy_client *clients;
	struct reservation **reservations; /* NULL where refused */
	const struct trace *trace;
};

static void zhouyi_destroy(void *self)
{
	struct zhouyi *z = self;

	for (uint32_t i = 0; z->reservations && i < z->trace->n_reservations; i++)
		if (z->reservations[i])
			policy_release(z->policy, z->reservations[i], 0);
	for (uint32_t i = 0; z->clients && i < z->trace->n_clients; i++)
		policy_client_finish(z->policy, &z->clients[i]);
	policy_destroy(z->policy);
	free(z->accounts);
	free(z->clients);
	free(z->reservations);
	free(z);
}

static void init_principals(struct zhouyi *z)
{
	for (uint32_t i = 0; i < z->trace->n_accounts; i++) {
		const struct trace_account *account = &z->trace->accounts[i];

		policy_account_init(z->policy, &z->accounts[i]);
		z->accounts[i].weight = account->weight;
		z->accounts[i].max_on_device = account->max_on_device;
		z->accounts[i].share_percent = account->share_percent;
		policy_account_changed(z->policy, &z->accounts[i], 0);
	}
	for (uint32_t i = 0; i < z->trace->n_clients; i++)
		policy_client_init(&z->clients[i], &z->accounts[z->trace->clients[i].account],
				   i + 1);
}

static int zhouyi_create(void **ret, const struct trace *trace, unsigned int n_cores)
{
	struct zhouyi *z = calloc(1, sizeof(*z));
	int r;

	if (!z)
		return -ENOMEM;
	r = policy_create(&z->policy, n_cores, trace->device.placement, &trace->settings);
	if (r < 0) {
		free(z);
		return r;
	}
	z->trace = trace;
	z->accounts = calloc(trace->n_accounts + 1, sizeof(*z->accounts));
	z->clients = calloc(trace->n_clients + 1, sizeof(*z->clients));
	z->reservations = calloc(trace->n_reservations + 1, sizeof(struct reservation *));
	if (!z->accounts || !z->clients || !z->reservations) {
		free(z->clients);
		z->clients = NULL; /* were never made */
		zhouyi_destroy(z);
		return -ENOMEM;
	}
	init_principals(z);
	*ret = z;
	return 0;
}

static enum reservation_refusal zhouyi_reserve(void *self, uint32_t reservation,
					       struct reservation_verdict *ret_verdict)
{
	struct zhouyi *z = self;
	const struct trace_reservation *wanted = &z->trace->reservations[reservation];
	struct reservation_spec spec = wanted->spec;

	if (!spec.cores || z->trace->device.placement == POLICY_PLACEMENT_NONE)
		spec.cores = UINT64_MAX;
	return policy_reserve(z->policy, &z->clients[wanted->client], &spec, false, 0,
			      &z->reservations[reservation], ret_verdict);
}

static int zhouyi_push(void *self, struct scheme_job *job, uint64_t now_ns)
{
	struct zhouyi *z = self;

	job->job.client = &z->clients[job->client];
	if (job->reservation != TRACE_NONE)
		job->job.reservation = z->reservations[job->reservation];
	return policy_push(z->policy, &job->job, now_ns);
}

static int zhouyi_push_again(void *self, struct scheme_job *job, uint64_t now_ns)
{
	return policy_push_again(((struct zhouyi *)self)->policy, &job->job, false, now_ns);
}

static void zhouyi_remove(void *self, struct scheme_job *job)
{
	policy_remove(((struct zhouyi *)self)->policy, &job->job);
}

static struct policy_decision zhouyi_next(void *self, uint64_t now_ns)
{
	return policy_next(((struct zhouyi *)self)->policy, now_ns);
}

static void zhouyi_finished(void *self, struct scheme_job *job, uint64_t run_ns, uint64_t now_ns)
{
	policy_finished(((struct zhouyi *)self)->policy, &job->job, run_ns, now_ns);
}

const struct scheme scheme_zhouyi = {
	.name = "zhouyi",
	.summary = "the policy of zhouyid",
	.create = zhouyi_create,
	.destroy = zhouyi_destroy,
	.reserve = zhouyi_reserve,
	.push = zhouyi_push,
	.push_again = zhouyi_push_again,
	.remove = zhouyi_remove,
	.next = zhouyi_next,
	.finished = zhouyi_finished,
};

const struct scheme *const schemes[N_SCHEMES] = {
	&scheme_zhouyi,
	&scheme_fifo,
	&scheme_round_robin,
	&scheme_drain,
};
