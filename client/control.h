/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and responses of the control protocol (zhouyi.proto), on top of a
 * connection. A call sends a request and waits for its response. A farewell to an
 * object is sent without waiting: its serial has the top bit set, and its response
 * is only counted. If the socket has no room for it, it is sent later, in order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/packet.h"
#include "proto/zhouyi.pb-c.h"

struct zhouyi_client;
struct zy_object;

/* A response, and its descriptors. */
struct zy_reply {
	Zy__Response *response; /* owned */
	struct zy_fds fds;	/* owned */
};
#define ZY_REPLY_INIT                                                                              \
	{                                                                                          \
		.response = NULL                                                                   \
	}

/* Accepts an empty one. */
void zy_reply_finish(struct zy_reply *reply);

static inline void zy_reply_finish_p(struct zy_reply *reply)
{
	zy_reply_finish(reply);
}

/* A request that waits for its response. */
struct zy_call {
	uint32_t serial;
	struct zy_reply reply; /* empty until it is there */
};

/*
 * Send @request, whose serial is set here, with the descriptor @fd (-1: none), and
 * wait for the response. A reply is successful and has the body @expected, with the
 * one descriptor that belongs to it if it is a buffer. Returns 0 and
 * the reply, or a negated enum zhouyi_error whose text is zhouyi_client_error(). With
 * ZHOUYI_ERROR_NO_ROOM, too, there is a reply, which may have a body of any kind.
 */
int zy_control_call(struct zhouyi_client *client, Zy__Request *request, int fd,
		    Zy__Response__BodyCase expected, struct zy_reply *ret);

/* The same for requests whose success says nothing more. */
int zy_control_ask(struct zhouyi_client *client, Zy__Request *request);

/* Note a response that has arrived. Returns 0 or -ZHOUYI_ERROR_PROTOCOL; takes what it wants of
 * @fds. */
int zy_control_note(struct zhouyi_client *client, const uint8_t *message, size_t size,
		    struct zy_fds *fds);

/*
 * Tell the daemon that nobody uses @object any more, if there is somebody to tell.
 * Returns true if that is done; false if it has to wait, and @object is kept, and
 * freed, by the client.
 */
bool zy_control_farewell(struct zy_object *object);

/* Send farewells that had to wait. Returns 0 if none is left, else why not: -EAGAIN, -ENOMEM. */
int zy_control_flush(struct zhouyi_client *client);

/* Drop them: there is nobody to tell. */
void zy_control_forget(struct zhouyi_client *client);
