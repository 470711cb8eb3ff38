/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors: the subsections that clients see, and the note that names them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loadable/parse.h"

static const struct {
	enum graph_tensor_kind kind;
	bool is_sorted; /* position = id */
	bool is_single; /* at most one */
} kinds[] = {
	{GRAPH_TENSOR_INPUT, true, false},	    {GRAPH_TENSOR_OUTPUT, true, false},
	{GRAPH_TENSOR_INTER_DUMP, true, false},	    {GRAPH_TENSOR_OUTPUT_SHAPE, true, false},
	{GRAPH_TENSOR_PROFILER, false, true},	    {GRAPH_TENSOR_PRINTF, false, true},
	{GRAPH_TENSOR_LAYER_COUNTER, false, false}, {GRAPH_TENSOR_ERROR_CODE, false, true},
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == GRAPH_TENSOR_KIND_MAX_, "a row for each kind");

/* The kind of tensor a subsection type means, or -1. */
static int kind_of(uint32_t type)
{
	switch (type) {
	case CONTAINER_SUBSECTION_INPUT:
		return GRAPH_TENSOR_INPUT;
	case CONTAINER_SUBSECTION_OUTPUT:
		return GRAPH_TENSOR_OUTPUT;
	case CONTAINER_SUBSECTION_INTER_DUMP:
		return GRAPH_TENSOR_INTER_DUMP;
	case CONTAINER_SUBSECTION_OUTPUT_SHAPE:
		return GRAPH_TENSOR_OUTPUT_SHAPE;
	case CONTAINER_SUBSECTION_PROFILER:
		return GRAPH_TENSOR_PROFILER;
	case CONTAINER_SUBSECTION_PRINTF:
		return GRAPH_TENSOR_PRINTF;
	case CONTAINER_SUBSECTION_LAYER_COUNTER:
		return GRAPH_TENSOR_LAYER_COUNTER;
	case CONTAINER_SUBSECTION_ERROR_CODE:
		return GRAPH_TENSOR_ERROR_CODE;
	}
	return -1;
}

int parse_tensor(struct parse *p, const struct container_subsection *sub, uint32_t section)
{
	int kind = kind_of(sub->type);
	struct graph_tensors *list;

	/* Its address would have to go into a control word nobody writes here. */
	if (sub->type == CONTAINER_SUBSECTION_SEGMMU)
		return parse_fail(p, -ENOTSUP, "SegMMU buffers are not supported");
	if (kind < 0)
		return 0;

	if (sub->size == 0)
		return parse_fail(p, -EBADMSG, "%s tensor %u has size 0",
				  graph_tensor_kind_name(kind), sub->id);
	list = &p->graph->tensors[kind];
	if (list->n >= PARSE_MAX_TENSORS)
		return parse_fail(p, -EFBIG, "more than %u %s tensors", PARSE_MAX_TENSORS,
				  graph_tensor_kind_name(kind));
	if (!PARSE_RESERVE(list->tensor, &p->room.tensors[kind], list->n + 1))
		return -ENOMEM;
	list->tensor[list->n++] = (struct graph_tensor){
		.id = sub->id,
		.size = sub->size,
		.section = section,
		.offset = sub->offset,
		.type = sub->data_type,
		.scale = sub->scale,
		.zero_point = sub->zero_point,
	};
	return 0;
}

static int sort_kind(struct parse *p, enum graph_tensor_kind kind)
{
	struct graph_tensors *list = &p->graph->tensors[kind];
	struct graph_tensor *sorted;
	int error = 0;

	if (list->n == 0)
		return 0;
	sorted = calloc(list->n, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < list->n && !error; i++) {
		const struct graph_tensor *tensor = &list->tensor[i];

		if (tensor->id >= list->n)
			error = parse_fail(p, -EBADMSG, "%s tensor id %u, but there are only %zu",
					   graph_tensor_kind_name(kind), tensor->id, list->n);
		else if (sorted[tensor->id].size != 0)
			error = parse_fail(p, -EBADMSG, "two %s tensors have id %u",
					   graph_tensor_kind_name(kind), tensor->id);
		else
			sorted[tensor->id] = *tensor;
	}
	free(error ? sorted : list->tensor);
	if (!error) {
		list->tensor = sorted;
		p->room.tensors[kind] = list->n;
	}
	return error;
}

int parse_sort_tensors(struct parse *p)
{
	int error = 0;

	for (size_t i = 0; i < GRAPH_TENSOR_KIND_MAX_ && !error; i++) {
		enum graph_tensor_kind kind = kinds[i].kind;

		if (kinds[i].is_single && p->graph->tensors[kind].n > 1)
			error = parse_fail(p, -EBADMSG, "%zu %s tensors, at most one is possible",
					   p->graph->tensors[kind].n, graph_tensor_kind_name(kind));
		else if (kinds[i].is_sorted)
			error = sort_kind(p, kind);
	}
	return error;
}

/* Bits per element, or 0 for types that have none. */
static unsigned int type_bits(enum graph_data_type type)
{
	switch (type) {
	case GRAPH_TYPE_BOOL:
	case GRAPH_TYPE_UINT8:
	case GRAPH_TYPE_INT8:
	case GRAPH_TYPE_UINT4:
	case GRAPH_TYPE_INT4:
		return 8;
	case GRAPH_TYPE_UINT16:
	case GRAPH_TYPE_INT16:
	case GRAPH_TYPE_FLOAT16:
	case GRAPH_TYPE_BFLOAT16:
	case GRAPH_TYPE_UINT12:
	case GRAPH_TYPE_INT12:
		return 16;
	case GRAPH_TYPE_UINT32:
	case GRAPH_TYPE_INT32:
	case GRAPH_TYPE_FLOAT32:
		return 32;
	case GRAPH_TYPE_UINT64:
	case GRAPH_TYPE_INT64:
	case GRAPH_TYPE_FLOAT64:
		return 64;
	case GRAPH_TYPE_UINT4_PACKED:
	case GRAPH_TYPE_INT4_PACKED:
		return 4;
	case GRAPH_TYPE_UINT12_PACKED:
	case GRAPH_TYPE_INT12_PACKED:
		return 12;
	case GRAPH_TYPE_NONE:
		break;
	}
	return 0;
}

/* Bytes a shape implies; UINT64_MAX if nobody could have so many. */
static uint64_t shape_bytes(const struct graph_tensor *tensor)
{
	uint64_t bits = type_bits(tensor->type);

	for (uint32_t i = 0; i < tensor->rank; i++) {
		if (__builtin_mul_overflow(bits, (uint64_t)tensor->dims[i], &bits))
			return UINT64_MAX;
	}
	return bits / 8 + (bits % 8 != 0);
}

/* Length of the UTF-8 sequence at @s, 0 if it is none, overlong, or a control character. */
static size_t utf8_length(const uint8_t *s, size_t n)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = s[0] < 0x80	  ? 1
			: s[0] >> 5 == 6  ? 2
			: s[0] >> 4 == 14 ? 3
			: s[0] >> 3 == 30 ? 4
					  : 0;
	uint32_t c;

	if (length == 0 || length > n)
		return 0;
	if (length == 1)
		return s[0] >= 0x20 && s[0] != 0x7f;
	c = s[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < smallest[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || c < 0xa0)
		return 0;
	return length;
}

/* Names end up in messages, logs and JSON. */
static bool name_is_text(const uint8_t *s, size_t n)
{
	size_t length;

	for (; n > 0; s += length, n -= length) {
		length = utf8_length(s, n);
		if (length == 0)
			return false;
	}
	return true;
}

static int read_name(struct parse *p, struct reader *r, uint32_t record,
		     struct graph_tensor *tensor)
{
	uint32_t length;
	const uint8_t *s;

	if (!reader_u32(r, &length))
		return parse_fail(p, -EBADMSG, "record %u: name length is cut off", record);
	if (length >= GRAPH_MAX_NAME)
		return parse_fail(p, -EBADMSG, "record %u: a name of %u bytes, %u are possible",
				  record, length, GRAPH_MAX_NAME - 1);
	if (length == 0)
		return 0;
	s = reader_take(r, (length + 3) & ~3u);
	if (!s)
		return parse_fail(p, -EBADMSG, "record %u: name is cut off", record);
	if (!name_is_text(s, length))
		return parse_fail(p, -EBADMSG, "record %u: name is not printable UTF-8", record);
	for (uint32_t i = length; i & 3; i++) {
		if (s[i] != 0)
			return parse_fail(p, -EBADMSG, "record %u: name is not padded with zeros",
					  record);
	}
	memcpy(tensor->name, s, length);
	return 0;
}

static int read_shape(struct parse *p, struct reader *r, uint32_t record,
		      struct graph_tensor *tensor)
{
	uint32_t layout, rank;
	uint64_t bytes;

	if (!reader_u32(r, &layout) || !reader_u32(r, &rank))
		return parse_fail(p, -EBADMSG, "record %u is cut off", record);
	if (layout > GRAPH_LAYOUT_NCHW)
		return parse_fail(p, -EBADMSG, "record %u: unknown layout %u", record, layout);
	if (rank > GRAPH_MAX_RANK)
		return parse_fail(p, -EBADMSG, "record %u: rank %u is above %u", record, rank,
				  GRAPH_MAX_RANK);
	tensor->layout = layout;
	tensor->rank = rank;
	for (uint32_t i = 0; i < rank; i++) {
		if (!reader_u32(r, &tensor->dims[i]))
			return parse_fail(p, -EBADMSG, "record %u: dimension %u is cut off", record,
					  i);
	}
	bytes = shape_bytes(tensor);
	if (bytes != tensor->size)
		return parse_fail(
			p, -EBADMSG,
			"record %u: the shape makes %llu bytes of %s, but the tensor has %u",
			record, (unsigned long long)bytes, graph_data_type_name(tensor->type),
			tensor->size);
	return 0;
}

/* @described: one flag for each input, then for each output. */
static int read_record(struct parse *p, struct reader *r, uint32_t record, bool *described)
{
	struct graph_tensors *tensors = p->graph->tensors;
	uint32_t kind, id;
	bool *flag;
	int error;

	if (!reader_u32(r, &kind) || !reader_u32(r, &id))
		return parse_fail(p, -EBADMSG, "record %u is cut off", record);
	if (kind > GRAPH_TENSOR_OUTPUT)
		return parse_fail(p, -EBADMSG, "record %u: kind %u is neither input nor output",
				  record, kind);
	if (id >= tensors[kind].n)
		return parse_fail(p, -EBADMSG, "record %u: there is no %s %u", record,
				  graph_tensor_kind_name(kind), id);
	flag = &described[id + (kind == GRAPH_TENSOR_OUTPUT ? tensors[GRAPH_TENSOR_INPUT].n : 0)];
	if (*flag)
		return parse_fail(p, -EBADMSG, "record %u: %s %u is described twice", record,
				  graph_tensor_kind_name(kind), id);
	*flag = true;

	error = read_shape(p, r, record, &tensors[kind].tensor[id]);
	return error ? error : read_name(p, r, record, &tensors[kind].tensor[id]);
}

int parse_tensor_note(struct parse *p, struct reader *r)
{
	const struct graph_tensors *tensors = p->graph->tensors;
	size_t n = tensors[GRAPH_TENSOR_INPUT].n + tensors[GRAPH_TENSOR_OUTPUT].n;
	uint32_t version, count;
	bool *described;
	int error = 0;

	if (!reader_u32(r, &version) || !reader_u32(r, &count))
		return parse_fail(p, -EBADMSG, "%zu bytes, too few for a header", r->size);
	if (version != CONTAINER_TENSORS_VERSION)
		return parse_fail(p, -ENOTSUP, "version %u, this program knows %u", version,
				  CONTAINER_TENSORS_VERSION);
	if (count > n)
		return parse_fail(p, -EBADMSG, "%u records for %zu inputs and outputs", count, n);

	described = calloc(n + 1, sizeof(*described));
	if (!described)
		return -ENOMEM;
	for (uint32_t i = 0; i < count && !error; i++)
		error = read_record(p, r, i, described);
	free(described);
	if (!error && reader_left(r) > 0)
		error = parse_fail(p, -EBADMSG, "%zu bytes behind the last record", reader_left(r));
	return error;
}
