/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small TFLite files for tests: tensors and operators are listed, then written. Nothing
 * is checked, so that nonsense can be written too.
 */
#pragma once

#include "compiler/tflite.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUILDER_MAX_TENSORS 48
#define BUILDER_MAX_OPERATORS 24
#define BUILDER_MAX_ARGUMENTS 8
#define BUILDER_MAX_FIELDS 10
#define BUILDER_MAX_CHANNELS 32

struct builder_tensor {
	const char *name;
	uint8_t type;
	uint32_t rank;
	int32_t dims[10];
	uint32_t n_scales, n_zeros;
	float scales[BUILDER_MAX_CHANNELS];
	int64_t zeros[BUILDER_MAX_CHANNELS];
	int32_t quantized_dimension;
	const void *data; /* borrowed; NULL: not a constant */
	uint32_t size;
	bool is_variable, is_sparse, has_details, is_external;
};

struct builder_field {
	uint8_t width; /* 1 or 4; 0: absent */
	uint32_t value;
};

struct builder_operator {
	uint32_t code;
	const char *custom;
	uint8_t options_type; /* 0: no options */
	struct builder_field fields[BUILDER_MAX_FIELDS];
	uint32_t n_inputs, n_outputs;
	int32_t inputs[BUILDER_MAX_ARGUMENTS], outputs[BUILDER_MAX_ARGUMENTS];
};

struct builder {
	uint32_t version, n_subgraphs; /* as written; the second and later ones are empty */
	struct builder_tensor tensors[BUILDER_MAX_TENSORS];
	struct builder_operator operators[BUILDER_MAX_OPERATORS];
	int32_t inputs[BUILDER_MAX_ARGUMENTS], outputs[BUILDER_MAX_ARGUMENTS];
	uint32_t n_tensors, n_operators, n_inputs, n_outputs;

	uint8_t *data; /* the file, owned, after builder_write() */
	size_t size, room;
};

void builder_init(struct builder *b);
void builder_finish(struct builder *b);

/* A quantized tensor; dims end with 0. */
int builder_tensor(struct builder *b, const char *name, uint8_t type, float scale, int64_t zero,
		   const int32_t *dims);
/* A constant without quantization. */
int builder_constant(struct builder *b, const char *name, uint8_t type, const int32_t *dims,
		     const void *data, uint32_t size);
/* An operator; lists end with -2. */
struct builder_operator *builder_operator(struct builder *b, uint32_t code, const int *inputs,
					  const int *outputs);
/* Options: pairs of width and value in order of fields; an int holds each value. */
void builder_options(struct builder_operator *op, uint8_t type, const struct builder_field *fields,
		     uint32_t n);
void builder_input(struct builder *b, int tensor);
void builder_output(struct builder *b, int tensor);

/* Write the file to data and size. */
void builder_write(struct builder *b);

#define DIMS(...) ((const int32_t[]){__VA_ARGS__, 0})
#define TENSORS(...) ((const int[]){__VA_ARGS__, -2})
#define OPTIONS(op, type, ...)                                                                     \
	builder_options(op, type, (const struct builder_field[]){__VA_ARGS__},                     \
			sizeof((const struct builder_field[]){__VA_ARGS__}) /                      \
				sizeof(struct builder_field))
#define B(v)                                                                                       \
	{                                                                                          \
		1, v                                                                               \
	}
#define W(v)                                                                                       \
	{                                                                                          \
		4, v                                                                               \
	}
#define NO_FIELD                                                                                   \
	{                                                                                          \
		0, 0                                                                               \
	}
