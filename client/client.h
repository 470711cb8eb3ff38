/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to the daemon, as the rest of the library sees it.
 *
 * Answers to requests may arrive at any time, also while a function waits for
 * something else. Whoever reads the socket notes them in the pool of pending
 * requests; only dispatch, run and close call callbacks. So that nobody who polls
 * zhouyi_client_fd() misses answers that have been read already, that descriptor
 * is an epoll set of the socket and an eventfd, the alarm, which is readable while
 * answers are ready (zy_client_settle()).
 *
 * A connection that has ended is shut down but stays open until the client is
 * closed: it remains readable, and dispatch says why.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/pending.h"
#include "proto/entry.h"
#include "proto/list.h"
#include "proto/packet.h"
#include "zhouyi-client.h"

struct zy_call;

struct zhouyi_client {
	size_t n_refs; /* its user and each object made from it */
	pid_t pid;     /* the process it belongs to */
	int socket, alarm, epoll;
	bool closed;  /* by its user */
	bool broken;  /* the connection has ended */
	bool reset;   /* the daemon went away without reading everything */
	bool alarmed; /* the alarm is readable */

	uint64_t features; /* of hello: what both ends may use */

	struct zy_pending_pool pending;

	/* Control requests, see control.h. */
	struct zy_call *call; /* the one that waits for its response; borrowed, or NULL */
	uint32_t last_serial, last_farewell;
	uint32_t n_farewells;  /* sent and not answered yet */
	struct list farewells; /* zy_object.link: not sent yet */

	char error[256];
	_Alignas(8) uint8_t out[ZY_PACKET_MAX]; /* the packet that is being sent */
	_Alignas(8) uint8_t in[ZY_PACKET_MAX];	/* the last one that was received */
};

void zy_client_ref(struct zhouyi_client *client);
void zy_client_unref(struct zhouyi_client *client);

/* Whether this is another process than the one that opened @client. */
bool zy_client_is_forked(const struct zhouyi_client *client);

/* 0 if @client can be used, or why not: the negated error to return. */
int zy_client_check(struct zhouyi_client *client);

/* 0 if the daemon knows @feature and @client can be used, or the negated error to return. */
int zy_client_needs(struct zhouyi_client *client, uint64_t feature);

/* Remember a sentence about a call that failed; returns -@error. NULL: the text of the error. */
int zy_client_fail(struct zhouyi_client *client, enum zhouyi_error error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The daemon broke the protocol: end the connection. Returns -ZHOUYI_ERROR_PROTOCOL. */
int zy_client_violation(struct zhouyi_client *client, const char *what);

/* After a send failed for good: read what is still there and end the connection. */
void zy_client_hang_up(struct zhouyi_client *client);

/*
 * Receive one packet and note what it says. Returns 1, or 0 if there is none
 * (never with @wait), or a negated error if that was the end of the connection.
 */
int zy_client_receive(struct zhouyi_client *client, bool wait);

/*
 * Wait for poll() @events on the socket, until @deadline_ns of CLOCK_MONOTONIC, or
 * for ever if that is UINT64_MAX. Returns the events, 0 when the time is over.
 */
short zy_client_wait(struct zhouyi_client *client, short events, uint64_t deadline_ns);

/* Call the callback of the first request that is ready; false if none is. */
bool zy_client_deliver(struct zhouyi_client *client);

/* Make zhouyi_client_fd() tell the truth. To be called by whoever received anything, at the end. */
void zy_client_settle(struct zhouyi_client *client);
