/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/classes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t element_size(enum zhouyi_data_type type)
{
	switch (type) {
	case ZHOUYI_TYPE_BOOL:
	case ZHOUYI_TYPE_UINT8:
	case ZHOUYI_TYPE_INT8:
		return 1;
	case ZHOUYI_TYPE_UINT16:
	case ZHOUYI_TYPE_INT16:
		return 2;
	case ZHOUYI_TYPE_UINT32:
	case ZHOUYI_TYPE_INT32:
	case ZHOUYI_TYPE_FLOAT32:
		return 4;
	case ZHOUYI_TYPE_UINT64:
	case ZHOUYI_TYPE_INT64:
		return 8;
	case ZHOUYI_TYPE_UNKNOWN:
	case ZHOUYI_TYPE_FLOAT16:
		break;
	}
	return 0;
}

size_t tensor_count(const struct zhouyi_tensor *tensor)
{
	size_t size = element_size(tensor->type);

	return size ? tensor->size / size : 0;
}

#define LOAD(T)                                                                                    \
	({                                                                                         \
		T value_;                                                                          \
		memcpy(&value_, at, sizeof(value_));                                               \
		(double)value_;                                                                    \
	})

static double code_at(enum zhouyi_data_type type, const uint8_t *at)
{
	switch (type) {
	case ZHOUYI_TYPE_BOOL:
	case ZHOUYI_TYPE_UINT8:
		return *at;
	case ZHOUYI_TYPE_INT8:
		return LOAD(int8_t);
	case ZHOUYI_TYPE_UINT16:
		return LOAD(uint16_t);
	case ZHOUYI_TYPE_INT16:
		return LOAD(int16_t);
	case ZHOUYI_TYPE_UINT32:
		return LOAD(uint32_t);
	case ZHOUYI_TYPE_INT32:
		return LOAD(int32_t);
	case ZHOUYI_TYPE_UINT64:
		return LOAD(uint64_t);
	case ZHOUYI_TYPE_INT64:
		return LOAD(int64_t);
	case ZHOUYI_TYPE_FLOAT32:
		return LOAD(float);
	case ZHOUYI_TYPE_UNKNOWN:
	case ZHOUYI_TYPE_FLOAT16:
		break;
	}
	return NAN;
}

double tensor_value(const struct zhouyi_tensor *tensor, const void *data, size_t i)
{
	const uint8_t *at = (const uint8_t *)data + i * element_size(tensor->type);
	double code = code_at(tensor->type, at);

	if (tensor->type == ZHOUYI_TYPE_FLOAT32 || !(tensor->scale > 0))
		return code;
	return (code - tensor->zero_point) * (double)tensor->scale;
}

bool tensor_is_list(const struct zhouyi_tensor *tensor)
{
	unsigned int n_long = 0;

	for (unsigned int i = 0; i < tensor->rank; i++)
		n_long += tensor->dims[i] > 1;
	return n_long <= 1 && tensor_count(tensor) > 1;
}

/* Put @candidate into its place among @n, whose last one falls out. */
static void rank_insert(struct ranked *best, size_t n, struct ranked candidate)
{
	size_t i = n - 1;

	for (; i > 0 && candidate.value > best[i - 1].value; i--)
		best[i] = best[i - 1];
	best[i] = candidate;
}

size_t tensor_best(const struct zhouyi_tensor *tensor, const void *data, struct ranked *ret,
		   size_t n)
{
	size_t count = tensor_count(tensor), n_best = 0;

	for (size_t i = 0; i < count; i++) {
		struct ranked candidate = {.index = i, .value = tensor_value(tensor, data, i)};

		if (isnan(candidate.value))
			candidate.value = -INFINITY;
		if (n_best < n)
			rank_insert(ret, ++n_best, candidate);
		else if (n > 0 && candidate.value > ret[n - 1].value)
			rank_insert(ret, n, candidate);
	}
	return n_best;
}

int labels_init(struct labels *labels, char *text, size_t size)
{
	size_t n = 1;

	for (size_t i = 0; i < size; i++)
		n += text[i] == '\n';
	labels->line = calloc(n, sizeof(*labels->line));
	labels->n = 0;
	if (!labels->line)
		return -1;
	while (size > 0) {
		char *end = memchr(text, '\n', size);
		size_t length = end ? (size_t)(end - text) : size;

		labels->line[labels->n++] = text;
		text[length] = '\0';
		if (length > 0 && text[length - 1] == '\r')
			text[length - 1] = '\0';
		if (!end)
			break;
		size -= length + 1;
		text += length + 1;
	}
	return 0;
}

void labels_finish(struct labels *labels)
{
	free(labels->line);
	*labels = (struct labels){.line = NULL};
}

const char *labels_find(const struct labels *labels, size_t index)
{
	return index < labels->n ? labels->line[index] : "";
}
