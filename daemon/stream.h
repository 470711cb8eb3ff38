/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream: frames of one model that come one after the other, such as those of a
 * camera, and what is to become of them when they come faster than they run.
 *
 *	            stream_push()         stream_started()
 *	(scheduler) ------------> queued ------------------> running
 *	                          |    ^                        |  |
 *	                          |    +------------------------+  |
 *	                          |        stream_put_back()       |
 *	                          +--> stream_leave() <------------+
 *
 * A stream only keeps the order of its frames and counts; the scheduler moves them. A
 * frame is a job with job.stream set. It holds a reference, so that a stream can be
 * destroyed with frames on the way: they are answered as ever.
 *
 * Loop thread only.
 */
#pragma once

#include <stdint.h>

#include "proto/entry.h"
#include "proto/list.h"
#include "proto/scope.h"

struct job;
struct model;
struct reservation;

#define STREAM_DEPTH_MAX 1024u

enum stream_drop {
	STREAM_KEEP_LATEST, /* only the newest frame waits */
	STREAM_QUEUE,	    /* depth frames wait; then the oldest of them is dropped */
	STREAM_BLOCK,	    /* depth frames wait; then more are refused */
};

struct stream_spec {
	enum zy_class class;
	uint64_t period_ns;   /* as the client says; 0: unknown */
	uint64_t deadline_ns; /* of a frame, from its acceptance; 0: none */
	uint64_t cores;	      /* 0: any */
	enum stream_drop drop;
	unsigned int depth;
};

/* submitted = done + dropped + missed + failed + queued + running. */
struct stream_counters {
	uint64_t submitted;
	uint64_t done, late;	  /* the late ones are among the done */
	uint64_t dropped;	  /* a newer one came */
	uint64_t missed;	  /* refused or expired, because of the deadline */
	uint64_t failed;	  /* whatever else */
	uint64_t run_max_ns;	  /* of those done: on the device */
	uint64_t response_max_ns; /* of those done: from acceptance to answer */
};

struct stream {
	unsigned int n_refs; /* its owner, and each frame */
	uint64_t number;     /* the daemon's, for traces */
	struct model *model; /* a reference */
	struct stream_spec spec;
	struct reservation *reservation; /* borrowed from its holder, who takes it away; or NULL */
	struct list reservation_link;	 /* the holder's; see objects.h */
	struct list queued;		 /* job.stream_link, in order */
	unsigned int n_queued, n_running;
	uint64_t sequence; /* of the latest frame */
	struct stream_counters counters;
};

/* -ENOMEM, -EINVAL: a depth that makes no sense. Takes a reference on @model. */
int stream_create(struct stream **ret, struct model *model, const struct stream_spec *spec,
		  uint64_t number);
struct stream *stream_ref(struct stream *stream);
void stream_unref(struct stream *stream); /* accepts NULL */
ZY_DEFINE_AUTO(struct stream, stream_unref)

/*
 * @job is the next frame. It gets its number, and a reference on the stream, and counts
 * as queued. If there are too many with it, *@ret_drop is the one that has to go, or NULL:
 * it still counts until it leaves.
 *   -EBUSY  no room: nothing happened
 */
int stream_push(struct stream *stream, struct job *job, struct job **ret_drop);

/* A frame that was queued is on the device; a frame that was is queued again. Harmless for jobs
 * that are none. */
void stream_started(struct job *job);
void stream_put_back(struct job *job);

/* Fill in what an answer says about the stream. Harmless for jobs that are no frames. */
void stream_fill(const struct job *job, struct zy_complete *answer);

/*
 * The frame is answered, and is none any more; @answer is NULL if it was refused after
 * all and never counted. Harmless for jobs that are no frames.
 */
void stream_leave(struct job *job, const struct zy_complete *answer);

/* A frame was refused before it became one. */
void stream_refused(struct stream *stream, enum zy_status status);
