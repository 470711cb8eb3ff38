/* SPDX-License-Identifier: Apache-2.0 */
#include "tflite_builder.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FIELDS 16

/* A field of a table: a scalar, or the place of an offset to be linked later. */
struct field {
	uint8_t width; /* 0: absent */
	bool is_link;
	uint64_t value;
	size_t position; /* set when the table is written */
};

void builder_init(struct builder *b)
{
	memset(b, 0, sizeof(*b));
	b->version = 3;
	b->n_subgraphs = 1;
}

void builder_finish(struct builder *b)
{
	free(b->data);
	b->data = NULL;
}

int builder_tensor(struct builder *b, const char *name, uint8_t type, float scale, int64_t zero,
		   const int32_t *dims)
{
	struct builder_tensor *t = &b->tensors[b->n_tensors];

	t->name = name;
	t->type = type;
	while (dims[t->rank]) {
		t->dims[t->rank] = dims[t->rank];
		t->rank++;
	}
	t->n_scales = t->n_zeros = 1;
	t->scales[0] = scale;
	t->zeros[0] = zero;
	return (int)b->n_tensors++;
}

int builder_constant(struct builder *b, const char *name, uint8_t type, const int32_t *dims,
		     const void *data, uint32_t size)
{
	int i = builder_tensor(b, name, type, 1, 0, dims);

	b->tensors[i].n_scales = b->tensors[i].n_zeros = 0;
	b->tensors[i].data = data;
	b->tensors[i].size = size;
	return i;
}

struct builder_operator *builder_operator(struct builder *b, uint32_t code, const int *inputs,
					  const int *outputs)
{
	struct builder_operator *op = &b->operators[b->n_operators++];

	op->code = code;
	while (inputs[op->n_inputs] != -2) {
		op->inputs[op->n_inputs] = inputs[op->n_inputs];
		op->n_inputs++;
	}
	while (outputs[op->n_outputs] != -2) {
		op->outputs[op->n_outputs] = outputs[op->n_outputs];
		op->n_outputs++;
	}
	return op;
}

void builder_options(struct builder_operator *op, uint8_t type, const struct builder_field *fields,
		     uint32_t n)
{
	op->options_type = type;
	memcpy(op->fields, fields, n * sizeof(*fields));
}

void builder_input(struct builder *b, int tensor)
{
	b->inputs[b->n_inputs++] = tensor;
}

void builder_output(struct builder *b, int tensor)
{
	b->outputs[b->n_outputs++] = tensor;
}

static void put(struct builder *b, const void *data, size_t n)
{
	if (b->size + n > b->room) {
		b->room = (b->size + n) * 2;
		b->data = realloc(b->data, b->room);
		if (!b->data)
			abort();
	}
	if (n)
		memcpy(b->data + b->size, data, n);
	b->size += n;
}

static void put_u16(struct builder *b, uint16_t x)
{
	put(b, &x, 2);
}

static void put_u32(struct builder *b, uint32_t x)
{
	put(b, &x, 4);
}

static void align(struct builder *b)
{
	static const uint8_t zeros[16];

	put(b, zeros, -b->size & 15);
}

/* What is written next is what the offset at @position refers to. */
static void link_next(struct builder *b, size_t position)
{
	uint32_t offset;

	align(b);
	offset = (uint32_t)(b->size - position);
	memcpy(b->data + position, &offset, 4);
}

/* A table behind its vtable, linked from @from. */
static void put_table(struct builder *b, size_t from, struct field *fields, unsigned int n)
{
	uint16_t offset = 4, offsets[MAX_FIELDS] = {0};
	uint32_t back, link;
	size_t vtable;

	for (unsigned int i = 0; i < n; i++) {
		if (!fields[i].width)
			continue;
		offsets[i] = offset;
		offset = (uint16_t)(offset + fields[i].width);
	}
	align(b);
	vtable = b->size;
	put_u16(b, (uint16_t)(4 + 2 * n));
	put_u16(b, offset);
	for (unsigned int i = 0; i < n; i++)
		put_u16(b, offsets[i]);
	link = (uint32_t)(b->size - from);
	memcpy(b->data + from, &link, 4);
	back = (uint32_t)(b->size - vtable);
	put_u32(b, back);
	for (unsigned int i = 0; i < n; i++) {
		fields[i].position = b->size;
		put(b, &fields[i].value, fields[i].width);
	}
}

static void put_vector(struct builder *b, size_t from, const void *data, uint32_t n, size_t size)
{
	link_next(b, from);
	put_u32(b, n);
	put(b, data, n * size);
}

/* A vector of @n offsets; returns where they are. */
static size_t put_links(struct builder *b, size_t from, uint32_t n)
{
	size_t start;

	link_next(b, from);
	put_u32(b, n);
	start = b->size;
	for (uint32_t i = 0; i < n; i++)
		put_u32(b, 0);
	return start;
}

static void put_quantization(struct builder *b, size_t from, const struct builder_tensor *t)
{
	struct field fields[] = {
		{0, false, 0, 0},
		{0, false, 0, 0},
		{4, true, 0, 0},
		{4, true, 0, 0},
		{t->has_details ? 1 : 0, false, 1, 0},
		{0, false, 0, 0},
		{4, false, (uint32_t)t->quantized_dimension, 0},
	};

	put_table(b, from, fields, 7);
	put_vector(b, fields[2].position, t->scales, t->n_scales, 4);
	put_vector(b, fields[3].position, t->zeros, t->n_zeros, 8);
}

static void put_tensor(struct builder *b, size_t from, const struct builder_tensor *t, uint32_t i)
{
	struct field fields[] = {
		{4, true, 0, 0},
		{1, false, t->type, 0},
		{4, false, t->data || t->is_external ? i + 1 : 0, 0},
		{t->name ? 4 : 0, true, 0, 0},
		{t->n_scales || t->has_details ? 4 : 0, true, 0, 0},
		{1, false, t->is_variable, 0},
		{t->is_sparse ? 4 : 0, true, 0, 0},
	};

	put_table(b, from, fields, 7);
	put_vector(b, fields[0].position, t->dims, t->rank, 4);
	if (t->name)
		put_vector(b, fields[3].position, t->name, (uint32_t)strlen(t->name), 1);
	if (fields[4].width)
		put_quantization(b, fields[4].position, t);
	if (t->is_sparse)
		put_table(b, fields[6].position, NULL, 0);
}

static void put_operator(struct builder *b, size_t from, const struct builder_operator *op,
			 uint32_t i)
{
	struct field options[BUILDER_MAX_FIELDS];
	struct field fields[] = {
		{4, false, i, 0},
		{4, true, 0, 0},
		{4, true, 0, 0},
		{op->options_type ? 1 : 0, false, op->options_type, 0},
		{op->options_type ? 4 : 0, true, 0, 0},
	};

	put_table(b, from, fields, 5);
	put_vector(b, fields[1].position, op->inputs, op->n_inputs, 4);
	put_vector(b, fields[2].position, op->outputs, op->n_outputs, 4);
	if (!op->options_type)
		return;
	for (int k = 0; k < BUILDER_MAX_FIELDS; k++)
		options[k] = (struct field){op->fields[k].width, false, op->fields[k].value, 0};
	put_table(b, fields[4].position, options, BUILDER_MAX_FIELDS);
}

static void put_code(struct builder *b, size_t from, const struct builder_operator *op)
{
	uint8_t old = op->code < 127 ? (uint8_t)op->code : 127;
	struct field fields[] = {
		{1, false, old, 0},
		{op->custom ? 4 : 0, true, 0, 0},
		{0, false, 0, 0},
		{4, false, op->code, 0},
	};

	put_table(b, from, fields, 4);
	if (op->custom)
		put_vector(b, fields[1].position, op->custom, (uint32_t)strlen(op->custom), 1);
}

static void put_buffer(struct builder *b, size_t from, const struct builder_tensor *t)
{
	struct field fields[] = {
		{t && t->data ? 4 : 0, true, 0, 0},
		{t && t->is_external ? 8 : 0, false, 4096, 0},
	};

	put_table(b, from, fields, 2);
	if (t && t->data)
		put_vector(b, fields[0].position, t->data, t->size, 1);
}

static void put_subgraph(struct builder *b, size_t from)
{
	struct field fields[] = {
		{4, true, 0, 0},
		{4, true, 0, 0},
		{4, true, 0, 0},
		{4, true, 0, 0},
	};
	size_t links;

	put_table(b, from, fields, 4);
	links = put_links(b, fields[0].position, b->n_tensors);
	for (uint32_t i = 0; i < b->n_tensors; i++)
		put_tensor(b, links + 4 * i, &b->tensors[i], i);
	put_vector(b, fields[1].position, b->inputs, b->n_inputs, 4);
	put_vector(b, fields[2].position, b->outputs, b->n_outputs, 4);
	links = put_links(b, fields[3].position, b->n_operators);
	for (uint32_t i = 0; i < b->n_operators; i++)
		put_operator(b, links + 4 * i, &b->operators[i], i);
}

void builder_write(struct builder *b)
{
	struct field model[] = {
		{4, false, b->version, 0}, {4, true, 0, 0}, {4, true, 0, 0},
		{0, false, 0, 0},	   {4, true, 0, 0},
	};
	size_t links;

	b->size = 0;
	put_u32(b, 0);
	put(b, "TFL3", 4);
	put_table(b, 0, model, 5);
	links = put_links(b, model[1].position, b->n_operators);
	for (uint32_t i = 0; i < b->n_operators; i++)
		put_code(b, links + 4 * i, &b->operators[i]);
	links = put_links(b, model[2].position, b->n_subgraphs);
	for (uint32_t i = 0; i < b->n_subgraphs; i++)
		put_subgraph(b, links + 4 * i);
	links = put_links(b, model[4].position, b->n_tensors + 1);
	put_buffer(b, links, NULL);
	for (uint32_t i = 0; i < b->n_tensors; i++)
		put_buffer(b, links + 4 + 4 * i, &b->tensors[i]);
}
