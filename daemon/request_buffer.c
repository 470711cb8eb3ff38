/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "daemon/binding.h"
#include "daemon/buffer.h"
#include "daemon/config.h"
#include "daemon/request_internal.h"
#include "daemon/scheduler.h"
#include "daemon/worker.h"
#include "proto/scope.h"
#include "proto/status.h"

/*
 * Buffers
 */

struct pending_buffer {
	struct pending pending;
	struct work work;
	struct device *device; /* borrowed */
	struct worker *worker; /* borrowed */
	uint64_t size;
	struct buffer *buffer; /* owned; the result, if error is 0 */
	int error;
};

/* The size is charged. @buffer is taken over. */
static void give_buffer(struct session *session, uint32_t serial, struct buffer *buffer)
{
	zy_auto(buffer_unref) struct buffer *owned = buffer;
	Zy__Buffer body = ZY__BUFFER__INIT;
	Zy__Response response = ZY__RESPONSE__INIT;

	if (objects_add_buffer(&session->objects, buffer, &body.buffer) < 0) {
		objects_uncharge_buffer(&session->objects, buffer->size);
		reply_refuse(session, serial, ZY_NO_MEMORY, "the daemon is out of memory");
		return;
	}
	zy_take(owned);
	body.size = buffer->size;
	response.body_case = ZY__RESPONSE__BODY_BUFFER;
	response.buffer = &body;
	reply_body(session, serial, &response, buffer);
}

static void refuse_buffer(struct session *session, uint32_t serial, uint64_t size, int error)
{
	objects_uncharge_buffer(&session->objects, size);
	reply_refuse(session, serial, zy_status_from_errno(error),
		     "no buffer of %" PRIu64 " bytes: %s", size,
		     zy_status_text((int)zy_status_from_errno(error)));
}

static void on_buffer_run(struct work *work)
{
	struct pending_buffer *p = list_entry(work, struct pending_buffer, work);

	p->error = buffer_create(&p->buffer, p->device, p->size);
}

static void on_buffer_done(struct work *work)
{
	zy_auto(zy_free) struct pending_buffer *p = list_entry(work, struct pending_buffer, work);
	struct session *session = pending_end(&p->pending);

	if (p->buffer)
		p->buffer->worker = p->worker;
	if (!session)
		buffer_unref(p->buffer);
	else if (p->error < 0)
		refuse_buffer(session, p->pending.serial, p->size, p->error);
	else
		give_buffer(session, p->pending.serial, p->buffer);
}

static void create_large_buffer(struct session *session, uint32_t serial, uint64_t size)
{
	struct pending_buffer *p = calloc(1, sizeof(*p));

	if (!p) {
		refuse_buffer(session, serial, size, -ENOMEM);
		return;
	}
	p->device = session->group->device;
	p->worker = session->group->worker;
	p->size = size;
	p->work.run = on_buffer_run;
	p->work.done = on_buffer_done;
	pending_start(&p->pending, session, serial);
	worker_submit(session->group->worker, &p->work);
}

static void create_small_buffer(struct session *session, uint32_t serial, uint64_t size)
{
	struct buffer *buffer;
	int r = buffer_create(&buffer, session->group->device, size);

	if (r < 0)
		refuse_buffer(session, serial, size, r);
	else
		give_buffer(session, serial, buffer);
}

/* Whole pages; 0 if that is too large, or nothing. */
static uint64_t round_to_pages(uint64_t size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return size > SIZE_MAX - page ? 0 : (size + page - 1) & ~(page - 1);
}

void request_create_buffer(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	uint64_t size = round_to_pages(req->create_buffer->size);

	(void)fds;
	if (!size) {
		reply_refuse(session, req->serial, ZY_INVALID,
			     "a buffer cannot have %" PRIu64 " bytes", req->create_buffer->size);
		return;
	}
	if (objects_charge_buffer(&session->objects, size) < 0) {
		reply_refuse(session, req->serial, ZY_LIMIT, "%s", session->objects.refusal);
		return;
	}
	if (size > BUFFER_LARGE)
		create_large_buffer(session, req->serial, size);
	else
		create_small_buffer(session, req->serial, size);
}

void request_destroy_buffer(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	(void)fds;
	if (objects_destroy_buffer(&session->objects, req->destroy_buffer->buffer) < 0)
		reply_refuse(session, req->serial, ZY_NOT_FOUND, "there is no buffer %u",
			     req->destroy_buffer->buffer);
	else
		reply_done(session, req->serial);
}

/*
 * Bindings
 */

/* Returns false if it was refused. */
static bool read_range(struct session *session, uint32_t serial, const Zy__TensorRange *from,
		       struct binding_range *ret)
{
	ret->buffer = objects_find_buffer(&session->objects, from->buffer);
	if (!ret->buffer) {
		reply_refuse(session, serial, ZY_NOT_FOUND, "there is no buffer %u", from->buffer);
		return false;
	}
	switch (from->kind) {
	case ZY__TENSOR_KIND__INPUT:
		ret->kind = GRAPH_TENSOR_INPUT;
		break;
	case ZY__TENSOR_KIND__OUTPUT:
		ret->kind = GRAPH_TENSOR_OUTPUT;
		break;
	default:
		reply_refuse(session, serial, ZY_INVALID, "there is no kind %d of tensors",
			     (int)from->kind);
		return false;
	}
	ret->index = from->index;
	ret->offset = from->offset;
	ret->size = from->size;
	return true;
}

static enum zy_status binding_status(int error)
{
	return error == -ERANGE ? ZY_BAD_BUFFER : zy_status_from_errno(error);
}

/* The reference on @binding is taken over. */
static void give_binding(struct session *session, uint32_t serial, struct held_model *model,
			 struct binding *binding)
{
	zy_auto(binding_unref) struct binding *owned = binding;
	Zy__Binding body = ZY__BINDING__INIT;
	Zy__Response response = ZY__RESPONSE__INIT;
	int r = objects_add_binding(&session->objects, model, binding, &body.binding);

	if (r == -EDQUOT) {
		reply_refuse(session, serial, ZY_LIMIT, "this client may have %u bindings",
			     session->group->limits->bindings_per_session);
		return;
	}
	if (r < 0) {
		reply_refuse(session, serial, ZY_NO_MEMORY, "the daemon is out of memory");
		return;
	}
	zy_take(owned);
	response.body_case = ZY__RESPONSE__BODY_BINDING;
	response.binding = &body;
	reply_body(session, serial, &response, NULL);
}

void request_create_binding(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	const Zy__CreateBinding *body = req->create_binding;
	struct held_model *model = objects_find_model(&session->objects, body->model);
	zy_auto(zy_free) struct binding_range *ranges = NULL;
	struct loadable_error error = {.text = "out of memory"};
	struct binding *binding;
	int r;

	(void)fds;
	if (!model) {
		reply_refuse(session, req->serial, ZY_NOT_FOUND, "there is no model %u",
			     body->model);
		return;
	}
	ranges = calloc(body->n_ranges + 1, sizeof(*ranges));
	if (!ranges) {
		reply_refuse(session, req->serial, ZY_NO_MEMORY, "the daemon is out of memory");
		return;
	}
	for (size_t i = 0; i < body->n_ranges; i++)
		if (!read_range(session, req->serial, body->ranges[i], &ranges[i]))
			return;
	r = binding_create(&binding, model->model, ranges, body->n_ranges, &error);
	if (r < 0)
		reply_refuse(session, req->serial, binding_status(r), "%s", error.text);
	else
		give_binding(session, req->serial, model, binding);
}

void request_destroy_binding(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	(void)fds;
	if (objects_destroy_binding(&session->objects, req->destroy_binding->binding) < 0)
		reply_refuse(session, req->serial, ZY_NOT_FOUND, "there is no binding %u",
			     req->destroy_binding->binding);
	else
		reply_done(session, req->serial);
}

void request_cancel(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	struct session_group *group = session->group;

	(void)fds;
	if (scheduler_cancel(group->scheduler, &session->owner, req->cancel->cookie) < 0)
		reply_refuse(session, req->serial, ZY_NOT_FOUND,
			     "no unanswered request has the cookie %" PRIu64, req->cancel->cookie);
	else
		reply_done(session, req->serial);
}
