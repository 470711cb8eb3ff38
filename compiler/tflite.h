/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TFLite file as plain structs: tensors, their quantization and constant data,
 * and operators with their options. The reader checks the file's form, so that
 * what comes out can be indexed and read without fear; whether an operator makes
 * sense is for lower.h.
 *
 * The structs point into the file, which must outlive them. Pure; any thread.
 */
#pragma once

#include "compiler/error.h"
#include "compiler/flatbuffer.h"
#include "loadable/graph.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than any real model has, little enough for a hostile one. */
#define TFLITE_MAX_TENSORS 65536u
#define TFLITE_MAX_OPERATORS 65536u
#define TFLITE_MAX_ARGUMENTS 1024u /* inputs, and outputs, of one operator */
#define TFLITE_MAX_RANK GRAPH_MAX_RANK
#define TFLITE_NO_TENSOR (-1) /* an optional input that is not there */

enum tflite_type {
	TFLITE_FLOAT32 = 0,
	TFLITE_INT32 = 2,
	TFLITE_UINT8 = 3,
	TFLITE_INT64 = 4,
	TFLITE_INT8 = 9,
};

enum tflite_builtin {
	TFLITE_ADD = 0,
	TFLITE_AVERAGE_POOL_2D = 1,
	TFLITE_CONCATENATION = 2,
	TFLITE_CONV_2D = 3,
	TFLITE_DEPTHWISE_CONV_2D = 4,
	TFLITE_FULLY_CONNECTED = 9,
	TFLITE_MAX_POOL_2D = 17,
	TFLITE_RELU = 19,
	TFLITE_RELU_N1_TO_1 = 20,
	TFLITE_RELU6 = 21,
	TFLITE_RESHAPE = 22,
	TFLITE_SOFTMAX = 25,
	TFLITE_CUSTOM = 32,
	TFLITE_PAD = 34,
	TFLITE_MEAN = 40,
	TFLITE_SQUEEZE = 43,
	TFLITE_EXPAND_DIMS = 70,
	TFLITE_QUANTIZE = 114,
};

enum tflite_padding { TFLITE_PADDING_SAME = 0, TFLITE_PADDING_VALID = 1 };

enum tflite_activation {
	TFLITE_ACTIVATION_NONE = 0,
	TFLITE_ACTIVATION_RELU = 1,
	TFLITE_ACTIVATION_RELU_N1_TO_1 = 2,
	TFLITE_ACTIVATION_RELU6 = 3,
	TFLITE_ACTIVATION_TANH = 4,
	TFLITE_ACTIVATION_SIGN_BIT = 5,
};

struct tflite_tensor {
	char name[GRAPH_MAX_NAME]; /* printable ASCII, cut to fit */
	uint32_t type;		   /* enum tflite_type, or another value */
	uint32_t rank;
	int32_t dims[TFLITE_MAX_RANK];
	bool is_dynamic; /* a dimension is not positive */
	bool is_variable;
	bool is_sparse;
	uint64_t n_elements;		     /* 0 if dynamic */
	struct flatbuffer_vector data;	     /* bytes of a constant; else data is NULL */
	struct flatbuffer_vector scale;	     /* floats */
	struct flatbuffer_vector zero_point; /* 64-bit integers */
	int32_t quantized_dimension;
};

/* Options of all operators in one; what an operator does not have is 0. */
struct tflite_options {
	uint8_t padding, activation, weights_format, keep_num_dims;
	int32_t stride_h, stride_w, dilation_h, dilation_w, filter_h, filter_w;
	int32_t axis;
	float beta;
};

struct tflite_operator {
	uint32_t code;	 /* enum tflite_builtin, or another value */
	char custom[64]; /* name of a custom operator, else "" */
	struct flatbuffer_vector inputs,
		outputs; /* tensor indices; inputs may be TFLITE_NO_TENSOR */
	bool has_options;
	struct tflite_options options;
};

struct tflite_model {
	struct tflite_tensor *tensors; /* owned */
	size_t n_tensors;
	struct tflite_operator *operators; /* owned */
	size_t n_operators;
	struct flatbuffer_vector inputs, outputs; /* tensor indices */
};

/*
 * Returns 0, or
 *   -ENOEXEC  not a TFLite file; the error says what it looks like
 *   -EBADMSG  malformed
 *   -ENOTSUP  well-formed, but of a kind that is not supported (several subgraphs)
 *   -ENOMEM
 */
int tflite_parse(struct tflite_model **ret, const uint8_t *image, size_t size,
		 struct compile_error *ret_error);

/* Accepts NULL. */
void tflite_destroy(struct tflite_model *model);

/* Element @i of a vector of tensor indices. */
int32_t tflite_index(const struct flatbuffer_vector *indices, uint32_t i);

/* "CONV_2D", a custom operator's own name, or "operator code 300". @buffer is used if needed. */
const char *tflite_operator_name(const struct tflite_operator *op, char buffer[32]);

/* "float32", or "type 77". */
const char *tflite_type_name(uint32_t type, char buffer[32]);

/* Bytes of an element, 0 if unknown or variable. */
uint32_t tflite_type_size(uint32_t type);

/* Read the options table of an operator whose code is set; for the reader itself. */
void tflite_options_read(struct tflite_operator *op, const struct flatbuffer_table *table);
