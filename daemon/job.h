/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job: one accepted request on its way through the daemon.
 *
 *	          submit              device_submit()            event
 *	(client) -------> QUEUED --------------------> RUNNING -------> (answered, freed)
 *	                    |  |                          |
 *	                    |  | the device refuses it    | cancel, client gone: abort
 *	                    |  +---> FAILED --> (answered) +-> ABORTING --event--> (answered)
 *	                    | cancel, client gone
 *	                    +-------> (answered)
 *
 * It is answered exactly once, by scheduler.c calling the owner's answer function,
 * and holds its binding, with it model and buffers, until the device is done.
 *
 * Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/entry.h"
#include "proto/list.h"

struct binding;
struct job_owner;
struct slot;

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_ABORTING, JOB_FAILED };

struct job {
	struct list link;	/* in the queue, or in the scheduler's list of running jobs */
	struct list owner_link; /* job_owner.jobs */
	struct job_owner *owner; /* borrowed; NULL: gone, nobody wants the answer */
	enum job_state state;
	uint64_t id;	 /* the daemon's number for the request */
	uint64_t cookie; /* the client's */
	struct binding *binding; /* a reference */
	enum zy_class job_class;
	uint64_t core_mask;	 /* effective, never 0 */
	uint64_t accepted_ns, started_ns;
	uint64_t copied_bytes;
	unsigned int core;    /* RUNNING: where the scheduler put it */
	uint32_t device_cookie; /* RUNNING: index into the scheduler's table */
	struct slot *slot;    /* RUNNING */
};

/* Who submits jobs and gets the answers; embedded in a session. */
struct job_owner {
	struct list jobs; /* job.owner_link; unanswered */
	unsigned int n_jobs;
	void (*answer)(struct job_owner *owner, const struct zy_complete *answer);
};

static inline void job_owner_init(struct job_owner *owner,
				  void (*answer)(struct job_owner *, const struct zy_complete *))
{
	list_init(&owner->jobs);
	owner->n_jobs = 0;
	owner->answer = answer;
}
