/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/objects.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/binding.h"
#include "daemon/buffer.h"
#include "daemon/config.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/stream.h"

struct held_buffer {
	struct list link;      /* objects.parting */
	struct buffer *buffer; /* a reference */
};

struct held_binding {
	struct binding *binding;  /* a reference */
	struct held_model *model; /* borrowed: cannot be closed before */
};

void objects_init(struct objects *objects, const struct config_limits *limits,
		  struct account *account)
{
	*objects = (struct objects){.limits = limits, .account = account_ref(account)};
	id_table_init(&objects->models, limits->models_per_session);
	id_table_init(&objects->buffers, limits->buffers_per_session);
	id_table_init(&objects->bindings, limits->bindings_per_session);
	id_table_init(&objects->streams, OBJECTS_MAX_STREAMS);
	id_table_init(&objects->reservations, OBJECTS_MAX_RESERVATIONS);
	list_init(&objects->parting);
}

/*
 * Models
 */

int objects_reserve_model(struct objects *objects)
{
	if (objects->models.n_used + objects->n_loading >= objects->limits->models_per_session) {
		snprintf(objects->refusal, sizeof(objects->refusal),
			 "this client may have %u models open: close one of them first",
			 objects->limits->models_per_session);
		return -EDQUOT;
	}
	if (account_charge_model(objects->account, objects->refusal) < 0)
		return -EDQUOT;
	objects->n_loading++;
	return 0;
}

void objects_unreserve_model(struct objects *objects)
{
	objects->n_loading--;
	account_uncharge_model(objects->account);
}

static bool has_model(const struct objects *objects, const struct model *model)
{
	const struct held_model *held;

	for (uint32_t i = 0; i < objects->models.n_places; i++) {
		held = id_table_at(&objects->models, i);
		if (held && held->model == model)
			return true;
	}
	return false;
}

int objects_add_model(struct objects *objects, struct model *model, uint32_t *ret_id)
{
	zy_auto(zy_free) struct held_model *held = calloc(1, sizeof(*held));
	bool again = has_model(objects, model);
	uint64_t bytes = model->device_bytes;
	int r;

	if (!held)
		return -ENOMEM;
	r = account_charge_model_bytes(objects->account, bytes, objects->refusal);
	if (r < 0)
		return r;
	r = id_table_add(&objects->models, held, ret_id);
	if (r < 0) {
		account_uncharge_model_bytes(objects->account, bytes);
		return r;
	}
	held->charged = bytes;
	zy_take(held)->model = model;
	objects->n_loading--;
	/* Users are sessions: having it twice counts once. */
	if (!again)
		model->n_users++;
	return 0;
}

struct held_model *objects_find_model(const struct objects *objects, uint32_t id)
{
	return id_table_find(&objects->models, id);
}

/* @held is out of the table. */
static void held_model_free(struct objects *objects, struct held_model *held)
{
	account_uncharge_model(objects->account);
	account_uncharge_model_bytes(objects->account, held->charged);
	if (!has_model(objects, held->model))
		held->model->n_users--;
	model_unref(held->model);
	free(held);
}

int objects_close_model(struct objects *objects, uint32_t id)
{
	struct held_model *held = id_table_find(&objects->models, id);

	if (!held)
		return -ENOENT;
	if (held->n_bindings)
		return -EBUSY;
	id_table_remove(&objects->models, id);
	held_model_free(objects, held);
	return 0;
}

/*
 * Buffers
 */

int objects_charge_buffer(struct objects *objects, uint64_t size)
{
	const struct config_limits *limits = objects->limits;

	objects_sweep(objects);
	if (objects->n_buffers >= limits->buffers_per_session ||
	    size > limits->buffer_bytes_per_session - objects->buffer_bytes) {
		snprintf(objects->refusal, sizeof(objects->refusal),
			 "this client has %u buffers of %" PRIu64
			 " bytes, and may have %u of %" PRIu64,
			 objects->n_buffers, objects->buffer_bytes, limits->buffers_per_session,
			 limits->buffer_bytes_per_session);
		return -EDQUOT;
	}
	if (account_charge_buffer(objects->account, size, objects->refusal) < 0)
		return -EDQUOT;
	objects->n_buffers++;
	objects->buffer_bytes += size;
	return 0;
}

void objects_uncharge_buffer(struct objects *objects, uint64_t size)
{
	objects->n_buffers--;
	objects->buffer_bytes -= size;
	account_uncharge_buffer(objects->account, size);
}

int objects_add_buffer(struct objects *objects, struct buffer *buffer, uint32_t *ret_id)
{
	zy_auto(zy_free) struct held_buffer *held = calloc(1, sizeof(*held));
	int r;

	if (!held)
		return -ENOMEM;
	r = id_table_add(&objects->buffers, held, ret_id);
	if (r < 0)
		return r;
	list_init(&held->link);
	zy_take(held)->buffer = buffer;
	return 0;
}

struct buffer *objects_find_buffer(const struct objects *objects, uint32_t id)
{
	const struct held_buffer *held = id_table_find(&objects->buffers, id);

	return held ? held->buffer : NULL;
}

/* @held is in no table and no list. */
static void held_buffer_free(struct held_buffer *held)
{
	buffer_unref(held->buffer);
	free(held);
}

int objects_destroy_buffer(struct objects *objects, uint32_t id)
{
	struct held_buffer *held = id_table_remove(&objects->buffers, id);

	if (!held)
		return -ENOENT;
	list_append(&objects->parting, &held->link);
	objects_sweep(objects);
	return 0;
}

void objects_sweep(struct objects *objects)
{
	struct held_buffer *held, *next;

	list_for_each_safe (held, next, &objects->parting, link) {
		if (held->buffer->n_refs > 1)
			continue;
		list_remove(&held->link);
		objects_uncharge_buffer(objects, held->buffer->size);
		held_buffer_free(held);
	}
}

/*
 * Bindings
 */

int objects_add_binding(struct objects *objects, struct held_model *model, struct binding *binding,
			uint32_t *ret_id)
{
	zy_auto(zy_free) struct held_binding *held = calloc(1, sizeof(*held));
	int r;

	if (!held)
		return -ENOMEM;
	r = id_table_add(&objects->bindings, held, ret_id);
	if (r < 0)
		return r;
	held->binding = binding;
	zy_take(held)->model = model;
	model->n_bindings++;
	return 0;
}

struct binding *objects_find_binding(const struct objects *objects, uint32_t id)
{
	const struct held_binding *held = id_table_find(&objects->bindings, id);

	return held ? held->binding : NULL;
}

static void held_binding_free(struct held_binding *held)
{
	held->model->n_bindings--;
	binding_unref(held->binding);
	free(held);
}

int objects_destroy_binding(struct objects *objects, uint32_t id)
{
	struct held_binding *held = id_table_remove(&objects->bindings, id);

	if (!held)
		return -ENOENT;
	held_binding_free(held);
	objects_sweep(objects);
	return 0;
}

/*
 * Streams
 */

int objects_add_stream(struct objects *objects, struct stream *stream,
		       struct held_reservation *reservation, uint32_t *ret_id)
{
	int r = id_table_add(&objects->streams, stream, ret_id);

	if (r == -EDQUOT)
		snprintf(objects->refusal, sizeof(objects->refusal),
			 "this client may have %u streams: destroy one of them first",
			 OBJECTS_MAX_STREAMS);
	if (r < 0 || !reservation)
		return r;
	stream->reservation = reservation->reservation;
	list_append(&reservation->streams, &stream->reservation_link);
	return 0;
}

struct stream *objects_find_stream(const struct objects *objects, uint32_t id)
{
	return id_table_find(&objects->streams, id);
}

int objects_destroy_stream(struct objects *objects, uint32_t id)
{
	struct stream *stream = id_table_remove(&objects->streams, id);

	if (!stream)
		return -ENOENT;
	stream_unref(stream);
	return 0;
}

/*
 * Reservations
 */

bool objects_may_reserve(struct objects *objects)
{
	if (objects->reservations.n_used < OBJECTS_MAX_RESERVATIONS)
		return true;
	snprintf(objects->refusal, sizeof(objects->refusal),
		 "this client may have %u reservations: release one of them first",
		 OBJECTS_MAX_RESERVATIONS);
	return false;
}

int objects_add_reservation(struct objects *objects, struct reservation *reservation,
			    struct model *model, uint32_t *ret_id)
{
	zy_auto(zy_free) struct held_reservation *held = calloc(1, sizeof(*held));
	int r;

	if (!held)
		return -ENOMEM;
	r = id_table_add(&objects->reservations, held, ret_id);
	if (r < 0)
		return r;
	list_init(&held->streams);
	held->reservation = reservation;
	zy_take(held)->model = model_ref(model);
	return 0;
}

struct held_reservation *objects_find_reservation(const struct objects *objects, uint32_t id)
{
	return id_table_find(&objects->reservations, id);
}

/* @held is out of the table. Its streams go on, without it. */
static void held_reservation_free(struct objects *objects, struct held_reservation *held)
{
	struct stream *stream;

	while ((stream = list_first(&held->streams, struct stream, reservation_link))) {
		list_remove(&stream->reservation_link);
		stream->reservation = NULL;
	}
	policy_release(objects->account->table->policy, held->reservation, loop_now());
	model_unref(held->model);
	free(held);
}

int objects_release(struct objects *objects, uint32_t id)
{
	struct held_reservation *held = id_table_remove(&objects->reservations, id);

	if (!held)
		return -ENOENT;
	held_reservation_free(objects, held);
	return 0;
}

void objects_release_all(struct objects *objects)
{
	struct held_reservation *held;

	for (uint32_t i = 0; i < objects->reservations.n_places; i++) {
		held = id_table_take(&objects->reservations, i);
		if (held)
			held_reservation_free(objects, held);
	}
}

/*
 * The end
 */

static void drop_models(struct objects *objects)
{
	struct held_model *held;

	for (uint32_t i = 0; i < objects->models.n_places; i++) {
		held = id_table_take(&objects->models, i);
		if (held)
			held_model_free(objects, held);
	}
}

static void drop_buffers(struct objects *objects)
{
	struct held_buffer *held;

	for (uint32_t i = 0; i < objects->buffers.n_places; i++) {
		held = id_table_take(&objects->buffers, i);
		if (held)
			held_buffer_free(held);
	}
	while ((held = list_first(&objects->parting, struct held_buffer, link))) {
		list_remove(&held->link);
		held_buffer_free(held);
	}
	/* Also those that are on their way. */
	account_uncharge_buffers(objects->account, objects->n_buffers, objects->buffer_bytes);
}

static void drop_streams(struct objects *objects)
{
	for (uint32_t i = 0; i < objects->streams.n_places; i++)
		stream_unref(id_table_take(&objects->streams, i));
}

static void drop_bindings(struct objects *objects)
{
	struct held_binding *held;

	for (uint32_t i = 0; i < objects->bindings.n_places; i++) {
		held = id_table_take(&objects->bindings, i);
		if (held)
			held_binding_free(held);
	}
}

void objects_finish(struct objects *objects)
{
	drop_streams(objects);
	drop_bindings(objects);
	drop_buffers(objects);
	drop_models(objects);
	while (objects->n_loading)
		objects_unreserve_model(objects);
	id_table_finish(&objects->reservations);
	id_table_finish(&objects->streams);
	id_table_finish(&objects->bindings);
	id_table_finish(&objects->buffers);
	id_table_finish(&objects->models);
	account_unref(objects->account);
}
