/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: what clients' packets mean. Both kinds, entries and protobuf, are
 * checked against a table or a struct before anything acts on them.
 *
 * A refusal is an answer: a status and a sentence. A violation - what no correct
 * client sends: broken, out of turn, unknown, with reserved bits or with the wrong
 * number of descriptors - ends the conversation.
 *
 * Loop thread only.
 */
#pragma once

#include <stddef.h>

#include "proto/packet.h"

struct session;
struct Zy__Request;

/* How a request of the control protocol is to be treated. */
struct request_op {
	unsigned int states; /* where it is served, one bit per session_state */
	unsigned int n_fds;  /* exactly this many descriptors come with it */
	void (*handle)(struct session *session, const struct Zy__Request *req, struct zy_fds *fds);
};

/* @body is a Zy__Request__BodyCase, or anything; NULL: no request. */
const struct request_op *request_op_find(unsigned int body);

/* Handle one packet. Descriptors that are wanted are taken out of @fds. */
void request_receive(struct session *session, const void *data, size_t size, struct zy_fds *fds);

/* The client sent @what: log it, but not so often that the log becomes the target, and disconnect.
 */
void request_violation(struct session *session, const char *what);
