/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session: one connected client.
 *
 *	         hello                 shutdown
 *	NEW ------------> READY ---------------------> DRAINING
 *	 |                  |                              |
 *	 +------------------+------------------------------+---> (destroyed)
 *	    the client closes, breaks the protocol or does not take its answers
 *
 * The session moves packets; what they mean is request.c's business. It never
 * blocks and takes turns: at most SESSION_TURN packets, fewer if they are large,
 * then the others. A client that does not read its answers is not read from
 * either: what waits for it is bounded by SESSION_PAUSE packets, one turn, and its
 * limits on unanswered requests.
 *
 * What a client started and what outlives it (a model on its way through the
 * worker, a job on the device) refers to a dead session by NULL.
 *
 * Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/access.h"
#include "daemon/arena.h"
#include "daemon/job.h"
#include "daemon/objects.h"
#include "proto/list.h"

struct buffer;
struct config_limits;
struct device;
struct loop;
struct loop_io;
struct listener;
struct model_registry;
struct reload;
struct scheduler;
struct worker;

#define SESSION_TURN 32u     /* packets */
#define SESSION_PAUSE 64u    /* unsent packets */
#define SESSION_NAME_MAX 65u /* with the NUL */

enum session_state { SESSION_NEW, SESSION_READY, SESSION_DRAINING };

/* All sessions, and what they work with. Fill in the borrowed members after init. */
struct session_group {
	struct loop *loop;
	struct worker *worker;
	struct device *device;
	const char *device_reason;
	struct model_registry *models;
	struct scheduler *scheduler;
	const struct config_limits *limits;
	const struct access_rules *access; /* NULL: none */
	const struct listener *listener;   /* both for health.h; NULL: not to be looked at */
	const struct reload *reload;
	uint64_t warm_up_ns; /* how long a warm-up run may take; 0: there are none */

	struct list sessions; /* session.link */
	unsigned int n_sessions;
	unsigned int n_pending; /* replies that the worker owes, to dead sessions too */
	uint64_t next_id;
	uint64_t n_numbers; /* given to streams and reservations */
	uint64_t n_looks;   /* of request_activity.c, so far */
	uint64_t started_ns;
	uint64_t complained_ns; /* when a violation was last logged above debug */
	bool draining;
	/* Owned scratch memory, for one packet at a time. */
	uint8_t *in, *out; /* ZY_PACKET_MAX each */
	struct arena arena;
};

struct session {
	struct list link;	     /* session_group.sessions */
	struct session_group *group; /* borrowed */
	uint64_t id;
	enum session_state state;
	uint64_t features; /* of hello: what both ends may use */
	bool broken; /* nothing more is read or sent; destroyed in the next turn of the loop */
	int fd;	     /* owned */
	struct loop_io *io; /* owned */
	struct list out;    /* packets that did not fit into the socket */
	unsigned int n_out;

	uid_t uid;
	pid_t pid;
	struct identity *identity;   /* owned; fixed */
	struct access_grant grant;   /* by the rules that are in effect */
	char name[SESSION_NAME_MAX]; /* as the client calls itself; printable */
	char label[160];	     /* for the log */

	struct job_owner owner;
	struct objects objects;
	struct list pending; /* pending.link */
};

/* A reply that comes later. Embedded first in what the worker works on. */
struct pending {
	struct list link;	     /* session.pending */
	struct session_group *group; /* borrowed */
	struct session *session;     /* borrowed; NULL: it has gone */
	uint32_t serial;
};

int session_group_init(struct session_group *group);
/* Destroys all sessions. */
void session_group_finish(struct session_group *group);
/* The access rules have changed: decide anew for everybody. */
void session_group_refresh(struct session_group *group);
/* What somebody may do, by the rules that are in effect. */
void session_group_decide(const struct session_group *group, const struct identity *identity,
			  struct access_grant *ret);
/* New sessions are dropped, the others refuse new work from now on. */
void session_group_drain(struct session_group *group);
/* Whether every request is answered and every answer sent. */
bool session_group_is_idle(const struct session_group *group);

/* A session on the connected socket @fd, which becomes its own on success. */
int session_create(struct session **ret, struct session_group *group, int fd);
/* Cancels and drops everything. Not from inside a callback of this session's; see
 * session_disconnect(). */
void session_destroy(struct session *session);

void session_enter(struct session *session, enum session_state state);
/* How the client calls itself; for the log. */
void session_set_name(struct session *session, const char *name);

/* Send a packet, if @buffer is not NULL with its descriptor; now or as soon as the socket takes it.
 */
void session_send(struct session *session, const void *data, size_t size, struct buffer *buffer);

/* End the conversation, from wherever; the session is destroyed in the next turn. */
void session_disconnect(struct session *session);

void pending_start(struct pending *pending, struct session *session, uint32_t serial);
/* The session that waits for it, or NULL. */
struct session *pending_end(struct pending *pending);
