/* SPDX-License-Identifier: Apache-2.0 */
#include "client/binding.h"

#include <stdlib.h>

#include "client/buffer.h"
#include "client/client.h"
#include "client/control.h"
#include "client/model.h"
#include "proto/scope.h"

/* Where create_simple puts tensors: what any device's alignment is content with. */
#define ALIGNMENT ((size_t)4096)
/* Some devices read that far past a tensor; without it they would need a copy. */
#define TAIL ((size_t)2048)

struct place {
	struct zhouyi_buffer *buffer; /* referenced */
	size_t offset;
};

struct zhouyi_binding {
	struct zy_object object;
	struct zhouyi_model *model; /* referenced */
	size_t n_places;
	struct place places[]; /* of the inputs, then of the outputs, in order */
};

static void binding_finish(struct zy_object *object)
{
	struct zhouyi_binding *binding = (struct zhouyi_binding *)object;

	for (size_t i = 0; i < binding->n_places; i++)
		if (binding->places[i].buffer)
			zy_object_unref(&binding->places[i].buffer->object);
	zy_object_unref(&binding->model->object);
}

static const struct zy_object_type binding_type = {
	.kind = ZY_OBJECT_BINDING,
	.finish = binding_finish,
};

struct zy_object *zy_binding_object(struct zhouyi_binding *binding)
{
	return &binding->object;
}

static size_t n_tensors(const struct zhouyi_model *model)
{
	return (size_t)model->n_tensors[ZHOUYI_INPUT] + model->n_tensors[ZHOUYI_OUTPUT];
}

/* The place of a tensor that exists. */
static size_t place_index(const struct zhouyi_model *model, enum zhouyi_tensor_kind kind,
			  unsigned int index)
{
	return (kind == ZHOUYI_OUTPUT ? model->n_tensors[ZHOUYI_INPUT] : 0) + (size_t)index;
}

static const char *kind_name(enum zhouyi_tensor_kind kind)
{
	return kind == ZHOUYI_INPUT ? "input" : "output";
}

static int check_range(const struct zhouyi_model *model, const struct zhouyi_range *range)
{
	struct zhouyi_client *client = model->object.client;
	const struct zhouyi_tensor *tensor = zhouyi_model_tensor(model, range->kind, range->index);

	if (!tensor)
		return zy_client_fail(client, ZHOUYI_ERROR_INVALID, "the model has no %s %u",
				      kind_name(range->kind), range->index);
	if (!range->buffer || range->buffer->object.client != client)
		return zy_client_fail(client, ZHOUYI_ERROR_INVALID,
				      "%s %u: the buffer is of another client",
				      kind_name(range->kind), range->index);
	if (range->offset > range->buffer->size ||
	    tensor->size > range->buffer->size - range->offset)
		return zy_client_fail(client, ZHOUYI_ERROR_BAD_BUFFER,
				      "%s %u: %zu bytes at %zu do not fit a buffer of %zu bytes",
				      kind_name(range->kind), range->index, tensor->size,
				      range->offset, range->buffer->size);
	return 0;
}

static int place_range(struct zhouyi_binding *binding, const struct zhouyi_range *range)
{
	struct place *place;
	int r;

	r = check_range(binding->model, range);
	if (r < 0)
		return r;
	place = &binding->places[place_index(binding->model, range->kind, range->index)];
	if (place->buffer)
		return zy_client_fail(binding->object.client, ZHOUYI_ERROR_INVALID,
				      "%s %u has two ranges", kind_name(range->kind), range->index);
	zy_object_ref(&range->buffer->object);
	*place = (struct place){.buffer = range->buffer, .offset = range->offset};
	return 0;
}

static int place_ranges(struct zhouyi_binding *binding, const struct zhouyi_range *ranges,
			size_t n_ranges)
{
	/* Each only once and none unknown: then as many as tensors are all of them. */
	if (n_ranges != binding->n_places)
		return zy_client_fail(
			binding->object.client, ZHOUYI_ERROR_INVALID,
			"the model has %zu inputs and outputs, but %zu ranges are given",
			binding->n_places, n_ranges);
	for (size_t i = 0; i < n_ranges; i++) {
		int r = place_range(binding, &ranges[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static void fill_ranges(const struct zhouyi_binding *binding, Zy__TensorRange *ranges,
			Zy__TensorRange **pointers)
{
	for (size_t i = 0; i < binding->n_places; i++) {
		unsigned int n_inputs = binding->model->n_tensors[ZHOUYI_INPUT];
		enum zhouyi_tensor_kind kind = i < n_inputs ? ZHOUYI_INPUT : ZHOUYI_OUTPUT;
		unsigned int index = (unsigned int)(kind == ZHOUYI_OUTPUT ? i - n_inputs : i);

		zy__tensor_range__init(&ranges[i]);
		ranges[i].kind = (Zy__TensorKind)kind;
		ranges[i].index = index;
		ranges[i].buffer = binding->places[i].buffer->object.id;
		ranges[i].offset = binding->places[i].offset;
		ranges[i].size = binding->model->tensors[kind][index].size;
		pointers[i] = &ranges[i];
	}
}

/* Tell the daemon, and learn the binding's id. */
static int binding_register(struct zhouyi_binding *binding)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	zy_auto(zy_free) Zy__TensorRange *ranges = NULL;
	zy_auto(zy_free) Zy__TensorRange **pointers = NULL;
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__CreateBinding create = ZY__CREATE_BINDING__INIT;
	int r;

	ranges = calloc(binding->n_places + 1, sizeof(*ranges));
	pointers = calloc(binding->n_places + 1, sizeof(struct Zy__TensorRange *));
	if (!ranges || !pointers)
		return zy_client_fail(binding->object.client, ZHOUYI_ERROR_NO_MEMORY, NULL);
	fill_ranges(binding, ranges, pointers);
	create.model = binding->model->object.id;
	create.n_ranges = binding->n_places;
	create.ranges = pointers;
	request.body_case = ZY__REQUEST__BODY_CREATE_BINDING;
	request.create_binding = &create;
	r = zy_control_call(binding->object.client, &request, -1, ZY__RESPONSE__BODY_BINDING,
			    &reply);
	if (r == 0)
		binding->object.id = reply.response->binding->binding;
	return r;
}

static int binding_build(struct zhouyi_binding *binding, const struct zhouyi_range *ranges,
			 size_t n_ranges)
{
	int r;

	r = place_ranges(binding, ranges, n_ranges);
	if (r < 0)
		return r;
	return binding_register(binding);
}

int zhouyi_binding_create(struct zhouyi_model *model, const struct zhouyi_range *ranges,
			  size_t n_ranges, struct zhouyi_binding **ret)
{
	struct zhouyi_binding *binding;
	int r;

	r = zy_client_check(model->object.client);
	if (r < 0)
		return r;
	binding = calloc(1, sizeof(*binding) + n_tensors(model) * sizeof(binding->places[0]));
	if (!binding)
		return zy_client_fail(model->object.client, ZHOUYI_ERROR_NO_MEMORY, NULL);
	zy_object_init(&binding->object, &binding_type, model->object.client, 0);
	zy_object_ref(&model->object);
	binding->model = model;
	binding->n_places = n_tensors(model);
	r = binding_build(binding, ranges, n_ranges);
	if (r < 0) {
		zy_object_discard(&binding->object);
		return r;
	}
	*ret = binding;
	return 0;
}

/* One after the other. Returns the size of the buffer that they need, or 0 if nothing has room for
 * it. */
static size_t lay_out(const struct zhouyi_model *model, struct zhouyi_range *ranges)
{
	size_t n = 0, end = 0;

	for (unsigned int kind = 0; kind < ZY_N_KINDS; kind++) {
		for (unsigned int i = 0; i < model->n_tensors[kind]; i++) {
			ranges[n++] = (struct zhouyi_range){
				.kind = (enum zhouyi_tensor_kind)kind,
				.index = i,
				.offset = end,
			};
			if (__builtin_add_overflow(end, model->tensors[kind][i].size, &end) ||
			    __builtin_add_overflow(end, TAIL + ALIGNMENT - 1, &end))
				return 0;
			end &= ~(ALIGNMENT - 1);
		}
	}
	return end;
}

int zhouyi_binding_create_simple(struct zhouyi_model *model, struct zhouyi_binding **ret)
{
	zy_auto(zy_free) struct zhouyi_range *ranges = NULL;
	struct zhouyi_client *client = model->object.client;
	struct zhouyi_buffer *buffer;
	size_t size;
	int r;

	ranges = calloc(n_tensors(model) + 1, sizeof(*ranges));
	if (!ranges)
		return zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, NULL);
	size = lay_out(model, ranges);
	if (size == 0)
		return zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY,
				      "the model's inputs and outputs do not fit into memory");
	r = zhouyi_buffer_create(client, size, &buffer);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_tensors(model); i++)
		ranges[i].buffer = buffer;
	r = zhouyi_binding_create(model, ranges, n_tensors(model), ret);
	/* The binding holds it from here on, or nobody needs it. */
	zy_object_unref(&buffer->object);
	return r;
}

void zhouyi_binding_destroy(struct zhouyi_binding *binding)
{
	if (binding)
		zy_object_unref(&binding->object);
}

void *zhouyi_binding_data(const struct zhouyi_binding *binding, enum zhouyi_tensor_kind kind,
			  unsigned int index)
{
	const struct place *place;

	if (!zhouyi_model_tensor(binding->model, kind, index))
		return NULL;
	place = &binding->places[place_index(binding->model, kind, index)];
	return place->buffer->data ? (char *)place->buffer->data + place->offset : NULL;
}
