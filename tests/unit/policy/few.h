/* SPDX-License-Identifier: Apache-2.0 */
/* A policy with a few clients and jobs, for tests that decide by hand. */
#pragma once

#include "policy/policy.h"

#define MS UINT64_C(1000000)
#define FEW_JOBS 32

struct few {
	struct policy *policy;
	struct policy_settings settings;
	struct policy_account accounts[3];
	struct policy_client clients[3]; /* client i is of account i */
	struct policy_gate gate;
	struct policy_job jobs[FEW_JOBS];
	unsigned int n;
	uint64_t now_ns, all;
};

/* On @n_cores; settings as they are in @few. */
void few_init(struct few *few, unsigned int n_cores, enum policy_placement placement);
void few_finish(struct few *few);

/* A job of @client that runs for @ms on one core of any; not pushed yet. */
struct policy_job *few_job(struct few *few, unsigned int client, enum zy_class class, uint64_t ms);
/* The same, pushed; it must be taken. */
struct policy_job *few_push(struct few *few, unsigned int client, enum zy_class class, uint64_t ms);
int few_push_it(struct few *few, struct policy_job *job);

/* The job that is started now, or NULL if none is. */
struct policy_job *few_next(struct few *few);
struct policy_decision few_decide(struct few *few);
/* @ms later it has run for as long. */
void few_run(struct few *few, struct policy_job *job, uint64_t ms);
