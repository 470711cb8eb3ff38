/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job: one accepted request on its way through the daemon.
 *
 *	         submit             device_submit()           event
 *	(client) ------> QUEUED --------------------> RUNNING ------> (answered)
 *	                 ^   | |                       |    |            ^
 *	                 |   | | the device refuses it |    | it failed  |
 *	                 |   | +---> FAILED -----------)----)----------->+
 *	                 |   |                         |    v            |
 *	                 |   | cancel, timeout         |  CLEARING ----->+
 *	                 |   +---> (answered)          |  outputs are poisoned
 *	                 |                             |
 *	                 +-----------------------------+
 *	                   reset for somebody else's sake: runs again
 *
 * A running job that is cancelled, times out, overruns or loses its client gets a
 * *verdict*, which is what it will be answered when the device lets go of it. If its
 * client is told at once it is *detached*: then only the release is still to come.
 *
 * It is answered exactly once (and released exactly once), by scheduler.c calling
 * the owner's answer function, and holds its binding, with it model and buffers,
 * until the device is done.
 *
 * Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/worker.h"
#include "proto/entry.h"
#include "proto/list.h"

struct binding;
struct job_owner;
struct scheduler;
struct slot;
struct stream;

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_FAILED, JOB_CLEARING };

struct job {
	struct list link;	     /* in the queue, or in its core's list of running jobs */
	struct list owner_link;	     /* job_owner.jobs */
	struct scheduler *scheduler; /* borrowed */
	struct job_owner *owner;     /* borrowed; NULL: gone, nobody wants the answer */
	enum job_state state;
	uint64_t id;		 /* the daemon's number for the request */
	uint64_t cookie;	 /* the client's */
	uint32_t uid;		 /* the client's; outlives the owner */
	struct binding *binding; /* a reference */
	enum zy_class job_class;
	uint64_t core_mask; /* effective, never 0 */
	uint64_t accepted_ns, started_ns;
	uint64_t timeout_at_ns;	 /* 0: none */
	struct list timed_link;	 /* scheduler.timed, if it has a timeout */
	struct stream *stream;	 /* a reference; NULL: it is no frame */
	struct list stream_link; /* stream.queued, while it is */
	uint64_t sequence;	 /* of the stream */
	uint64_t copied_bytes;
	enum zy_status verdict;	 /* ZY_OK: none */
	bool detached;		 /* its owner has been told the verdict */
	bool is_internal;	 /* nobody's request: not counted */
	bool suspect;		 /* was on the device when that had to be reset: runs alone */
	struct zy_complete last; /* CLEARING: the answer to give afterwards */
	struct work work;	 /* CLEARING */
	unsigned int core;	 /* RUNNING: where the scheduler put it */
	uint32_t device_cookie;	 /* RUNNING: index into the scheduler's table */
	struct slot *slot;	 /* RUNNING */
	uint64_t since_ns;	 /* RUNNING: when its core got to it; 0: it has not yet */
	uint64_t due_ns; /* RUNNING: when something must have happened; UINT64_MAX: no limit yet */
};

/* Who submits jobs and gets the answers; embedded in a session. */
struct job_owner {
	struct list jobs; /* job.owner_link; unanswered, or not released yet */
	unsigned int n_jobs;
	uint32_t uid;	  /* whom strikes count against */
	bool is_internal; /* the daemon itself: its jobs are not counted */
	void (*answer)(struct job_owner *owner, const struct zy_complete *answer);
};

static inline void job_owner_init(struct job_owner *owner,
				  void (*answer)(struct job_owner *, const struct zy_complete *))
{
	list_init(&owner->jobs);
	owner->n_jobs = 0;
	owner->uid = 0;
	owner->is_internal = false;
	owner->answer = answer;
}
