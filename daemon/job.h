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

#include "daemon/cookie_table.h"
#include "daemon/worker.h"
#include "policy/policy.h"
#include "proto/entry.h"
#include "proto/list.h"

struct binding;
struct job_owner;
struct scheduler;
struct slot;
struct stream;
struct tenant;

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_FAILED, JOB_CLEARING };

struct job {
	struct list link;	      /* scheduler.queued, or its core's list of running jobs */
	struct list owner_link;	      /* job_owner.jobs */
	struct cookie_link by_cookie; /* job_owner.by_cookie */
	struct policy_job policy;     /* what the policy knows of it: class, cores, times */
	struct tenant *tenant;	      /* a reference: whose it is, also when the owner is gone */
	struct scheduler *scheduler;  /* borrowed */
	struct job_owner *owner;      /* borrowed; NULL: gone, nobody wants the answer */
	enum job_state state;
	uint64_t id;		 /* the daemon's number for the request */
	uint64_t cookie;	 /* the client's */
	uint32_t uid;		 /* the client's; outlives the owner */
	struct binding *binding; /* a reference */
	uint64_t deadline_ns;	 /* end to end; 0: none */
	uint64_t started_ns;	 /* latest hand-over to the device; 0: none */
	uint64_t timeout_at_ns;	 /* 0: none */
	struct list timed_link;	 /* scheduler.timed, if it has a timeout */
	struct stream *stream;	 /* a reference; NULL: it is no frame */
	struct list stream_link; /* stream.queued, while it is */
	uint64_t sequence;	 /* of the stream */
	uint64_t reservation;	 /* number of; 0: none */
	uint64_t copied_bytes;
	enum zy_status verdict;	 /* ZY_OK: none */
	bool detached;		 /* its owner has been told the verdict */
	bool is_internal;	 /* nobody's request: not counted */
	bool suspect;		 /* was on the device when that had to be reset: runs alone */
	struct zy_complete last; /* CLEARING: the answer to give afterwards */
	struct work work;	 /* CLEARING */
	unsigned int core;	 /* RUNNING: where the scheduler put it; the first of several */
	uint32_t device_cookie;	 /* RUNNING: index into the scheduler's table */
	struct slot *slot;	 /* RUNNING */
	uint64_t since_ns;	 /* RUNNING: when its core got to it; 0: it has not yet */
	uint64_t due_ns; /* RUNNING: when something must have happened; UINT64_MAX: no limit yet */
};

/* Who submits jobs and gets the answers; embedded in a session. */
struct job_owner {
	struct list jobs; /* job.owner_link; unanswered, or not released yet */
	struct cookie_table by_cookie;
	unsigned int n_jobs;
	struct tenant *tenant; /* a reference */
	uint32_t uid;	       /* whom strikes count against */
	uint64_t cores;	       /* where its jobs may run; UINT64_MAX: anywhere */
	bool is_internal;      /* the daemon itself: its jobs are not counted */
	void (*answer)(struct job_owner *owner, const struct zy_complete *answer);
};
