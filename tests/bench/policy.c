/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a decision of the scheduling policy costs, by how many jobs are queued: 16
 * clients of 4 accounts, all classes, deadlines in realtime, three cores, some jobs for
 * some of them only.
 *
 * Prints CSV: queued,round,ns for policy_next() that starts a job, median of a round.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "policy/policy.h"

#define CLIENTS 16u
#define ACCOUNTS 4u
#define ROUNDS 7u
#define SAMPLES 4001u

static uint64_t seed = 1;

static uint64_t draw(uint64_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (seed >> 33) % n;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void must(int ok)
{
	if (!ok)
		abort();
}

static uint64_t next_id = 1, at = 1;
static struct policy *policy;
static struct policy_account accounts[ACCOUNTS];
static struct policy_client clients[CLIENTS];

static void push(struct policy_job *job)
{
	*job = (struct policy_job){
		.id = next_id++,
		.client = &clients[draw(CLIENTS)],
		.class = (enum zy_class)draw(ZY_CLASS_MAX_),
		.cores = draw(4) ? 7 : 1 + draw(7),
		.n_cores = 1,
		.accepted_ns = at,
		.estimate_ns = 1000000 + draw(5000000),
		.bound_ns = UINT64_C(1000000000),
	};
	if (job->class == ZY_CLASS_REALTIME)
		job->deadline_ns = at + UINT64_C(1000000000000) + draw(1000000000);
	must(policy_push(policy, job, at) == 0);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The median time of a decision with @n jobs queued. */
static uint64_t measure(unsigned int n)
{
	struct policy_settings settings = POLICY_SETTINGS_DEFAULT;
	struct policy_job *jobs = calloc(n, sizeof(*jobs));
	uint64_t *samples = calloc(SAMPLES, sizeof(*samples)), median;

	must(jobs && samples);
	/* One decision, one job: nothing is handed over ahead of time. */
	settings.stack_ns = 0;
	must(policy_create(&policy, 3, POLICY_PLACEMENT_EXACT, &settings) == 0);
	for (unsigned int i = 0; i < ACCOUNTS; i++)
		policy_account_init(policy, &accounts[i]);
	for (unsigned int i = 0; i < CLIENTS; i++)
		policy_client_init(&clients[i], &accounts[i % ACCOUNTS], i + 1);
	for (unsigned int i = 0; i < n; i++)
		push(&jobs[i]);
	for (unsigned int i = 0; i < SAMPLES; i++) {
		uint64_t begin = now();
		struct policy_decision decision = policy_next(policy, at);

		samples[i] = now() - begin;
		must(decision.action == POLICY_START);
		at += decision.job->estimate_ns / 3;
		policy_finished(policy, decision.job, decision.job->estimate_ns, at);
		push(decision.job);
	}
	qsort(samples, SAMPLES, sizeof(*samples), compare);
	median = samples[SAMPLES / 2];
	for (unsigned int i = 0; i < n; i++)
		policy_remove(policy, &jobs[i]);
	for (unsigned int i = 0; i < CLIENTS; i++)
		policy_client_finish(policy, &clients[i]);
	for (unsigned int i = 0; i < ACCOUNTS; i++)
		policy_account_finish(policy, &accounts[i]);
	policy_destroy(policy);
	free(jobs);
	free(samples);
	return median;
}

int main(void)
{
	static const unsigned int sizes[] = {10, 100, 1000, 10000, 100000};

	for (unsigned int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			printf("%u,%u,%" PRIu64 "\n", sizes[i], round, measure(sizes[i]));
	return 0;
}
