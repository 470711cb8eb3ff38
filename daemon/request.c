/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/request.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/binding.h"
#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/request_access.h"
#include "daemon/request_internal.h"
#include "daemon/scheduler.h"
#include "daemon/stream.h"
#include "proto/status.h"

#define COMPLAIN_EVERY_NS UINT64_C(1000000000)

#define IN(state) (1u << SESSION_##state)
/* New work: while draining it is refused, not served. */
#define WORK IN(READY)
#define ALWAYS (IN(READY) | IN(DRAINING))

static const struct request_op request_ops[] = {
	[ZY__REQUEST__BODY_HELLO] = {IN(NEW), 0, request_hello},
	[ZY__REQUEST__BODY_LOAD_MODEL] = {WORK, 1, request_load_model},
	[ZY__REQUEST__BODY_OPEN_MODEL] = {WORK, 0, request_open_model},
	[ZY__REQUEST__BODY_CLOSE_MODEL] = {ALWAYS, 0, request_close_model},
	[ZY__REQUEST__BODY_UNLOAD_MODEL] = {ALWAYS, 0, request_unload_model},
	[ZY__REQUEST__BODY_LIST_MODELS] = {ALWAYS, 0, request_list_models},
	[ZY__REQUEST__BODY_CREATE_BUFFER] = {WORK, 0, request_create_buffer},
	[ZY__REQUEST__BODY_DESTROY_BUFFER] = {ALWAYS, 0, request_destroy_buffer},
	[ZY__REQUEST__BODY_CREATE_BINDING] = {WORK, 0, request_create_binding},
	[ZY__REQUEST__BODY_DESTROY_BINDING] = {ALWAYS, 0, request_destroy_binding},
	[ZY__REQUEST__BODY_CANCEL] = {ALWAYS, 0, request_cancel},
	[ZY__REQUEST__BODY_GET_STATUS] = {ALWAYS, 0, request_get_status},
	[ZY__REQUEST__BODY_GET_DEVICE] = {ALWAYS, 0, request_get_device},
	[ZY__REQUEST__BODY_RESERVE] = {WORK, 0, request_reserve},
	[ZY__REQUEST__BODY_RELEASE] = {ALWAYS, 0, request_release},
	[ZY__REQUEST__BODY_CREATE_STREAM] = {WORK, 0, request_create_stream},
	[ZY__REQUEST__BODY_DESTROY_STREAM] = {ALWAYS, 0, request_destroy_stream},
	[ZY__REQUEST__BODY_GET_STREAM] = {ALWAYS, 0, request_get_stream},
	[ZY__REQUEST__BODY_EXPLAIN] = {ALWAYS, 0, request_explain},
	[ZY__REQUEST__BODY_GET_PLAN] = {ALWAYS, 0, request_get_plan},
	[ZY__REQUEST__BODY_GET_TRACE] = {ALWAYS, 0, request_get_trace},
	[ZY__REQUEST__BODY_GET_ACTIVITY] = {ALWAYS, 0, request_get_activity},
	[ZY__REQUEST__BODY_WHOAMI] = {ALWAYS, 0, request_whoami},
	[ZY__REQUEST__BODY_TEST_ACCESS] = {ALWAYS, 0, request_test_access},
	[ZY__REQUEST__BODY_GET_ACCOUNTS] = {ALWAYS, 0, request_get_accounts},
};

const struct request_op *request_op_find(unsigned int body)
{
	if (body >= sizeof(request_ops) / sizeof(request_ops[0]) || !request_ops[body].handle)
		return NULL;
	return &request_ops[body];
}

void request_violation(struct session *session, const char *what)
{
	struct session_group *group = session->group;
	uint64_t now = loop_now();
	enum log_level level = LOG_LEVEL_DEBUG;

	if (!group->complained_ns || now - group->complained_ns > COMPLAIN_EVERY_NS) {
		group->complained_ns = now;
		level = LOG_LEVEL_INFO;
	}
	log_at(level, "%s: disconnected, because it sent %s", session->label, what);
	session_disconnect(session);
}

/*
 * Replies
 */

int reply_body(struct session *session, uint32_t serial, Zy__Response *response,
	       struct buffer *buffer)
{
	struct session_group *group = session->group;
	ssize_t n;

	response->serial = serial;
	n = zy_packet_pack(group->out, ZY_PACKET_MAX, &response->base);
	if (n < 0)
		return (int)n;
	session_send(session, group->out, (size_t)n, buffer);
	return 0;
}

void reply_done(struct session *session, uint32_t serial)
{
	Zy__Response response = ZY__RESPONSE__INIT;
	int r = reply_body(session, serial, &response, NULL);

	assert(r == 0);
	(void)r;
}

void reply_refuse(struct session *session, uint32_t serial, enum zy_status status,
		  const char *format, ...)
{
	Zy__Response response = ZY__RESPONSE__INIT;
	char text[512], detail[sizeof(text)];
	va_list args;
	int r;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	response.status = (int32_t)status;
	/* Goes to terminals, and has to be UTF-8 in any case. */
	response.detail = log_escape(detail, sizeof(detail), text);
	log_debug("%s: request %" PRIu32 ": %s: %s", session->label, serial, zy_status_name(status),
		  text);
	r = reply_body(session, serial, &response, NULL);
	assert(r == 0);
	(void)r;
}

bool request_check_name(struct session *session, uint32_t serial, const char *name, size_t max)
{
	size_t size = strlen(name), n;

	for (size_t i = 0; i < size && size <= max; i += n) {
		n = log_printable(name + i);
		if (!n) {
			reply_refuse(
				session, serial, ZY_INVALID,
				"the name has a control character, or is not UTF-8, at byte %zu",
				i);
			return false;
		}
	}
	if (size > max)
		reply_refuse(session, serial, ZY_INVALID,
			     "the name has %zu bytes, and may have %zu", size, max);
	return size <= max;
}

/*
 * The control protocol
 */

static void *decode_alloc(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void decode_free(void *arena, void *p)
{
	(void)arena, (void)p;
}

/* The message lives in the arena until the next one comes. */
static const Zy__Request *decode(struct session_group *group, const void *data, size_t size)
{
	ProtobufCAllocator allocator = {decode_alloc, decode_free, &group->arena};
	const uint8_t *message = zy_packet_message(data, size, &size);

	arena_reset(&group->arena);
	return zy__request__unpack(&allocator, size, message);
}

static void refuse_state(struct session *session, const Zy__Request *req,
			 const struct request_op *op)
{
	if (session->state == SESSION_DRAINING && (op->states & IN(READY)))
		reply_refuse(session, req->serial, ZY_SHUTTING_DOWN, "the daemon is stopping");
	else
		request_violation(session, "a request out of turn");
}

static void receive_control(struct session *session, const void *data, size_t size,
			    struct zy_fds *fds)
{
	const Zy__Request *req = decode(session->group, data, size);
	const struct request_op *op;
	char why[ACCESS_WHY_MAX];

	if (!req) {
		request_violation(session, "a message that cannot be decoded");
		return;
	}
	op = request_op_find(req->body_case);
	if (!op)
		request_violation(session, "a request that does not exist");
	else if (fds->n != op->n_fds)
		request_violation(session, "the wrong number of descriptors");
	else if (!(op->states & (1u << session->state)))
		refuse_state(session, req, op);
	else if (!request_is_allowed(session, req->body_case, why))
		reply_refuse(session, req->serial, ZY_DENIED, "%s", why);
	else
		op->handle(session, req, fds);
}

/*
 * Entries
 */

static bool is_zero(const uint64_t *word, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (word[i])
			return false;
	return true;
}

/* What the submission deserves before anybody looks at its core mask. */
static enum zy_status submit_check(const struct session *session, const struct zy_submit *entry)
{
	if (session->state != SESSION_READY)
		return ZY_SHUTTING_DOWN;
	if (entry->class >= ZY_CLASS_MAX_)
		return ZY_INVALID;
	if (session->owner.n_jobs >= session->group->limits->queued_per_session ||
	    !account_may_queue(session->objects.account))
		return ZY_LIMIT;
	return ZY_OK;
}

_Static_assert((int)POLICY_WAIT_MAX_ == (int)ZY_WAIT_MAX_, "one numbering");
_Static_assert((int)POLICY_WAIT_RECOVERY == (int)ZY_WAIT_RECOVERY, "one numbering");

/* An answer that this client knows. */
static enum zy_status submit_status(const struct session *session, int r)
{
	if (r == -ENOSPC)
		return session->features & ZY_FEATURE_SCHEDULING ? ZY_NO_ROOM : ZY_BUSY;
	return zy_status_from_errno(r);
}

/*
 * Cookies are not checked for being unique: to us they are opaque. A client that
 * uses one twice confuses nobody but itself, about which answer is whose and which
 * of the two a Cancel means, and an honest one should not pay for a search.
 */
static enum zy_status submit(struct session *session, const struct zy_submit *entry,
			     struct stream *stream)
{
	struct binding *binding;
	enum zy_status status = submit_check(session, entry);

	if (status == ZY_OK && !request_may_submit(session, entry->class, stream))
		status = ZY_DENIED;
	if (status != ZY_OK)
		return status;
	binding = objects_find_binding(&session->objects, entry->binding);
	if (!binding || (entry->stream && !stream))
		return ZY_NOT_FOUND;
	if (stream && binding->model != stream->model)
		return ZY_INVALID;
	return submit_status(session, scheduler_submit(session->group->scheduler, &session->owner,
						       binding, entry, stream));
}

/* With ZY_LIMIT: whose. */
static enum zy_limit which_limit(const struct session *session)
{
	return account_may_queue(session->objects.account) ? ZY_LIMIT_SESSION_QUEUED
							   : ZY_LIMIT_ACCOUNT_QUEUED;
}

/* Whether a bit is set that this client cannot know, or that nobody knows. */
static bool has_reserved_bits(const struct session *session, const struct zy_submit *entry)
{
	if (!(session->features & ZY_FEATURE_SCHEDULING) && (entry->n_cores || entry->stream))
		return true;
	return entry->flags ||
	       !is_zero(entry->reserved, sizeof(entry->reserved) / sizeof(entry->reserved[0]));
}

static void receive_submit(struct session *session, const void *data, size_t size, size_t n_fds)
{
	struct zy_complete answer = {.type = ZY_PACKET_COMPLETE, .flags = ZY_COMPLETE_RELEASED};
	struct stream *stream;
	struct zy_submit entry;

	if (size != sizeof(entry) || n_fds) {
		request_violation(session, "a submission of the wrong size or with descriptors");
		return;
	}
	memcpy(&entry, data, sizeof(entry));
	if (session->state == SESSION_NEW) {
		request_violation(session, "a submission out of turn");
		return;
	}
	if (has_reserved_bits(session, &entry)) {
		request_violation(session, "a submission with reserved bits");
		return;
	}
	stream = entry.stream ? objects_find_stream(&session->objects, entry.stream) : NULL;
	answer.status = (int32_t)submit(session, &entry, stream);
	if (answer.status == ZY_OK)
		return;
	metrics_refused(session->group->models->metrics, (enum zy_status)answer.status);
	answer.cookie = entry.cookie;
	if (answer.status == ZY_LIMIT)
		answer.fault_code = which_limit(session);
	if (stream) {
		stream_refused(stream, (enum zy_status)answer.status);
		answer.dropped = stream->counters.dropped;
	}
	session_send(session, &answer, sizeof(answer), NULL);
}

void request_receive(struct session *session, const void *data, size_t size, struct zy_fds *fds)
{
	switch (zy_packet_type(data, size)) {
	case ZY_PACKET_SUBMIT:
		receive_submit(session, data, size, fds->n);
		break;
	case ZY_PACKET_CONTROL:
		receive_control(session, data, size, fds);
		break;
	default:
		request_violation(session, "a packet of no known type");
	}
}
