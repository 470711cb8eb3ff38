/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/binding.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/buffer.h"
#include "daemon/device_backend.h"
#include "daemon/model_memory.h"

static int __attribute__((format(printf, 3, 4)))
refuse(struct loadable_error *error, int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return r;
}

static const struct graph_tensors *tensors_of(const struct model *model,
					      enum graph_tensor_kind kind)
{
	return &model->graph->tensors[kind];
}

/*
 * Ranges
 */

static int check_range(const struct model *model, const struct binding_range *range,
		       struct loadable_error *error)
{
	const char *kind = graph_tensor_kind_name(range->kind);
	const struct graph_tensor *tensor;

	if (range->kind != GRAPH_TENSOR_INPUT && range->kind != GRAPH_TENSOR_OUTPUT)
		return refuse(error, -EINVAL, "only inputs and outputs are bound");
	if (range->index >= tensors_of(model, range->kind)->n)
		return refuse(error, -EINVAL, "there is no %s %u: the model has %zu", kind,
			      range->index, tensors_of(model, range->kind)->n);
	tensor = &tensors_of(model, range->kind)->tensor[range->index];
	if (range->size != tensor->size)
		return refuse(error, -ERANGE, "%s %u has %u bytes, not %llu", kind, range->index,
			      tensor->size, (unsigned long long)range->size);
	if (range->offset > range->buffer->size ||
	    range->size > range->buffer->size - range->offset)
		return refuse(error, -ERANGE,
			      "%s %u: %u bytes at offset %llu do not fit a buffer of %zu bytes",
			      kind, range->index, tensor->size, (unsigned long long)range->offset,
			      range->buffer->size);
	return 0;
}

static int find_missing(const struct binding *binding, enum graph_tensor_kind kind, size_t first,
			struct loadable_error *error)
{
	for (size_t i = 0; i < tensors_of(binding->model, kind)->n; i++)
		if (!binding->ranges[first + i].buffer)
			return refuse(error, -EINVAL, "no range for %s %zu",
				      graph_tensor_kind_name(kind), i);
	return 0;
}

/* Put each range where its tensor is in the list, with a reference on its buffer. */
static int take_ranges(struct binding *binding, const struct binding_range *ranges, size_t n,
		       struct loadable_error *error)
{
	size_t n_inputs = tensors_of(binding->model, GRAPH_TENSOR_INPUT)->n;
	int r;

	for (size_t i = 0; i < n; i++) {
		const struct binding_range *range = &ranges[i];
		struct binding_range *place;

		r = check_range(binding->model, range, error);
		if (r < 0)
			return r;
		place = &binding->ranges[range->index +
					 (range->kind == GRAPH_TENSOR_OUTPUT ? n_inputs : 0)];
		if (place->buffer)
			return refuse(error, -EINVAL, "%s %u is named twice",
				      graph_tensor_kind_name(range->kind), range->index);
		*place = *range;
		buffer_ref(place->buffer);
	}
	r = find_missing(binding, GRAPH_TENSOR_INPUT, 0, error);
	return r < 0 ? r : find_missing(binding, GRAPH_TENSOR_OUTPUT, n_inputs, error);
}

static int compare_places(const void *a, const void *b)
{
	const struct binding_range *x = *(const struct binding_range *const *)a;
	const struct binding_range *y = *(const struct binding_range *const *)b;

	if (x->buffer != y->buffer)
		return (uintptr_t)x->buffer < (uintptr_t)y->buffer ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/*
 * Inputs may share bytes. An output may not, with anything: a request can be run
 * again after a device failure, and then its inputs must be what they were.
 */
static int check_overlap(const struct binding *binding, const struct binding_range **order,
			 struct loadable_error *error)
{
	const struct buffer *buffer = NULL;
	uint64_t end = 0, output_end = 0; /* of all, and of outputs, so far in this buffer */

	for (size_t i = 0; i < binding->n_ranges; i++)
		order[i] = &binding->ranges[i];
	qsort(order, binding->n_ranges, sizeof(*order), compare_places);
	for (size_t i = 0; i < binding->n_ranges; i++) {
		const struct binding_range *range = order[i];
		bool is_output = range->kind == GRAPH_TENSOR_OUTPUT;

		if (range->buffer != buffer)
			end = output_end = 0;
		buffer = range->buffer;
		if (range->offset < (is_output ? end : output_end))
			return refuse(error, -ERANGE, "%s %u overlaps another range, %s",
				      graph_tensor_kind_name(range->kind), range->index,
				      "and outputs need memory of their own");
		if (range->offset + range->size > end)
			end = range->offset + range->size;
		if (is_output && range->offset + range->size > output_end)
			output_end = range->offset + range->size;
	}
	return 0;
}

static int check_ranges(const struct binding *binding, struct loadable_error *error)
{
	const struct binding_range **order = calloc(binding->n_ranges + 1, sizeof(*order));
	int r;

	if (!order)
		return refuse(error, -ENOMEM, "out of memory");
	r = check_overlap(binding, order, error);
	free(order);
	return r;
}

/*
 * In place
 */

static uint32_t range_section(const struct binding *binding, const struct binding_range *range)
{
	return tensors_of(binding->model, range->kind)->tensor[range->index].section;
}

/* A section without memory in slots takes any range; others want to have it as they would. */
static bool is_usable(const struct binding *binding, const struct binding_range *range)
{
	const struct cmd_v3_plan *plan = binding->model->memory->plan;
	uint32_t section = range_section(binding, range);
	const struct cmd_v3_reuse *reuse = &plan->reuses[section];
	uint64_t tail = plan->config.tail_bytes;

	if (!reuse->in_place || !reuse->span.size)
		return reuse->in_place;
	return (range->buffer->memory->address + range->offset) %
			       plan->graph->reuses[section].align ==
		       0 &&
	       range->buffer->memory->size - range->offset - range->size >= tail;
}

/* What the program addresses in the range; never to be written if it is an input. */
static size_t list_objects(const struct binding *binding, const struct binding_range *range,
			   struct device_range *ret)
{
	const struct cmd_v3_plan *plan = binding->model->memory->plan;
	const struct cmd_v3_reuse *reuse = &plan->reuses[range_section(binding, range)];
	size_t n = 0;

	for (size_t i = reuse->first_io; i < reuse->first_io + reuse->n_io; i++) {
		const struct cmd_v3_io *io = &plan->io[i];

		if (io->size)
			ret[n++] = (struct device_range){
				.buffer = range->buffer->memory,
				.offset = range->offset + io->offset,
				.size = io->size,
				.access = range->kind == GRAPH_TENSOR_INPUT ? DEVICE_ACCESS_READ
									    : DEVICE_ACCESS_RW,
			};
	}
	return n;
}

static size_t drop_duplicates(struct device_range *ranges, size_t n)
{
	size_t kept = 0;

	qsort(ranges, n, sizeof(*ranges), device_range_compare);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || device_range_compare(&ranges[kept - 1], &ranges[i]) != 0)
			ranges[kept++] = ranges[i];
	return kept;
}

static int prepare(struct binding *binding, struct loadable_error *error)
{
	size_t n = 0;

	binding->in_place = calloc(binding->n_ranges + 1, sizeof(*binding->in_place));
	binding->device_ranges =
		calloc(binding->model->memory->plan->n_io + 1, sizeof(*binding->device_ranges));
	if (!binding->in_place || !binding->device_ranges)
		return refuse(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < binding->n_ranges; i++) {
		binding->in_place[i] = is_usable(binding, &binding->ranges[i]);
		if (binding->in_place[i])
			n += list_objects(binding, &binding->ranges[i], &binding->device_ranges[n]);
	}
	binding->n_device_ranges = drop_duplicates(binding->device_ranges, n);
	return 0;
}

int binding_create(struct binding **ret, struct model *model, const struct binding_range *ranges,
		   size_t n_ranges, struct loadable_error *ret_error)
{
	zy_auto(binding_unref) struct binding *binding = calloc(1, sizeof(*binding));
	int r;

	if (!binding)
		return refuse(ret_error, -ENOMEM, "out of memory");
	binding->n_refs = 1;
	binding->model = model_ref(model);
	binding->n_ranges = tensors_of(model, GRAPH_TENSOR_INPUT)->n +
			    tensors_of(model, GRAPH_TENSOR_OUTPUT)->n;
	binding->ranges = calloc(binding->n_ranges + 1, sizeof(*binding->ranges));
	if (!binding->ranges)
		return refuse(ret_error, -ENOMEM, "out of memory");
	r = take_ranges(binding, ranges, n_ranges, ret_error);
	if (r == 0)
		r = check_ranges(binding, ret_error);
	if (r == 0)
		r = prepare(binding, ret_error);
	if (r < 0)
		return r;
	*ret = zy_take(binding);
	return 0;
}

struct binding *binding_ref(struct binding *binding)
{
	binding->n_refs++;
	return binding;
}

void binding_unref(struct binding *binding)
{
	if (!binding || --binding->n_refs > 0)
		return;
	for (size_t i = 0; binding->ranges && i < binding->n_ranges; i++)
		buffer_unref(binding->ranges[i].buffer);
	free(binding->ranges);
	free(binding->device_ranges);
	free(binding->in_place);
	model_unref(binding->model);
	free(binding);
}

uint64_t binding_output_bytes(const struct binding *binding)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < binding->n_ranges; i++)
		if (binding->ranges[i].kind == GRAPH_TENSOR_OUTPUT)
			bytes += binding->ranges[i].size;
	return bytes;
}

void binding_poison(const struct binding *binding)
{
	for (size_t i = 0; i < binding->n_ranges; i++) {
		const struct binding_range *range = &binding->ranges[i];

		if (range->kind == GRAPH_TENSOR_OUTPUT)
			memset(range->buffer->memory->cpu + range->offset, BINDING_POISON,
			       range->size);
	}
}
