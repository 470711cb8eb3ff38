/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics' server: HTTP on the loop, for those who monitor. It has one page, "/metrics",
 * and answers one request on each connection:
 *
 *	READING ---> WAITING ---> WRITING ---> ENDING ---> (closed)
 *	   |          for the page  ^            the peer may still be sending
 *	   +------------------------+ anything but the page
 *
 * Whoever may connect is trusted with the numbers, not with the daemon: connections are few,
 * requests small, and who takes longer than METRICS_PATIENCE_NS to send one, or to take the
 * answer, is gone. The loop only copies the numbers; the worker makes the text, for all who
 * wait for it together, and at most once in METRICS_PERIOD_NS, however often somebody asks.
 *
 * libevent has an HTTP server. Version 2.1 has no bound for the number of its connections, nor a
 * way to count those that never sent a request.
 *
 * Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/metrics.h"
#include "daemon/socket_path.h"
#include "daemon/worker.h"
#include "proto/list.h"

struct loop;
struct loop_io;
struct loop_timer;
struct session_group;

#define METRICS_CONNECTIONS 16u
#define METRICS_LISTENERS 8u
#define METRICS_PATIENCE_NS UINT64_C(5000000000)
#define METRICS_PERIOD_NS UINT64_C(100000000)

struct metrics_page; /* a text, shared by those who send it */

struct metrics_listener {
	struct metrics_server *server; /* borrowed */
	struct loop_io *io;	       /* owned */
	struct socket_path path;       /* owned; of a port only the descriptor */
	bool is_passed;		       /* by the service manager, whose file it is */
};

struct metrics_server {
	const struct session_group *group; /* borrowed; whose numbers it tells */
	struct metrics_listener listeners[METRICS_LISTENERS];
	unsigned int n_listeners;
	struct loop_timer *retry; /* owned; while there is no descriptor to accept with */
	struct list connections;  /* connection.link */
	struct list waiting;	  /* connection.waiting_link; for the next page */
	struct list served;	  /* connection.waiting_link; by the page that is being made */
	unsigned int n_connections;
	struct loop_timer *period; /* owned; when the next page may be made */
	uint64_t made_ns;	   /* when the latest was begun */
	/* Being made: the worker's from then on. */
	struct work work;
	bool busy;
	struct metrics_snapshot *snapshot; /* owned */
	struct metrics_page *page;	   /* owned; NULL: out of memory */
};

/* @group outlives it, and is complete. Listens nowhere yet. */
int metrics_server_init(struct metrics_server *server, const struct session_group *group);
/* The worker must be idle. Harmless on zeroes, and when done twice. */
void metrics_server_finish(struct metrics_server *server);

/* Failures of these are logged; the others go on. */

/* Listen at a path. */
int metrics_server_open_path(struct metrics_server *server, const char *path, mode_t mode);
/* Listen on 127.0.0.1. */
int metrics_server_open_port(struct metrics_server *server, unsigned int port);
/* Listen on a stream socket that the service manager made; owned in any case. */
int metrics_server_take(struct metrics_server *server, int fd);
/* Whether it listens at this path already. */
bool metrics_server_is_at(const struct metrics_server *server, const char *path);

/* Somebody else may have the addresses now. Passed sockets, and connections, go on. */
void metrics_server_release(struct metrics_server *server);
