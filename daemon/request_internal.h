/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of request share: the handlers, one per message of zhouyi.proto,
 * and how to reply. A handler sees only messages that are legal; it replies
 * exactly once, now or later by the request's serial.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/device.h"
#include "daemon/session.h"
#include "proto/entry.h"
#include "proto/packet.h"
#include "proto/zhouyi.pb-c.h"

struct buffer;
struct health;

typedef void request_handler(struct session *session, const Zy__Request *req, struct zy_fds *fds);

request_handler request_hello, request_load_model, request_open_model, request_close_model,
	request_unload_model, request_list_models, request_create_buffer, request_destroy_buffer,
	request_create_binding, request_destroy_binding, request_cancel, request_get_status,
	request_get_device, request_reserve, request_release, request_create_stream,
	request_destroy_stream, request_get_stream, request_explain, request_get_plan,
	request_get_trace, request_get_accounts, request_get_activity, request_whoami,
	request_test_access;

/* Success, without a body. */
void reply_done(struct session *session, uint32_t serial);

/* Success, if @response has no status: it has its body set, and nothing else but status and detail.
 * -EMSGSIZE: it fits into no packet, and was not sent. */
int reply_body(struct session *session, uint32_t serial, Zy__Response *response,
	       struct buffer *buffer);

/* No, and why. */
void reply_refuse(struct session *session, uint32_t serial, enum zy_status status,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Whether @name has at most @max bytes and is printable; if not it is refused. */
bool request_check_name(struct session *session, uint32_t serial, const char *name, size_t max);

/* The reasons of @health as texts, in the arena; -ENOMEM. */
int request_list_reasons(struct arena *arena, const struct health *health, uint64_t now_ns,
			 size_t *ret_n, char ***ret);

/* "none", "one", "exact". */
const char *request_placement_name(enum device_placement placement);

/*
 * Looking around: everybody sees what their own user does; who has the right admin, as root
 * and the daemon's own user have, sees all.
 */
bool request_sees_all(const struct session *session);
bool request_sees(const struct session *session, uint32_t uid);

/*
 * For questions that are expensive: whether it is time for another one, or it is refused;
 * and one that began then is answered.
 */
bool request_may_look(struct session *session, uint32_t serial);
void request_looked(struct session *session, uint64_t began_ns);

/* Escaped, in the arena; NULL: that is full. */
char *request_escape(struct arena *arena, const char *name);

/* Names are cut somewhere, perhaps in the middle of a character: then a start of one is escaped. */
#define REQUEST_NAME_MAX 48u
