/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TFLite files: compile them. Whatever is refused has a reason; whatever is accepted
 * loads, passes the program check, and is the same when compiled again.
 *
 * Needs no corpus: the mutator starts from models that the tests' builder builds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/compile.h"
#include "loadable/loadable_elf.h"
#include "loadable/program.h"
#include "tests/unit/compiler/tflite_builder.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	abort();
}

static void check_loads(const struct compile_result *result)
{
	struct loadable_error error = {""};
	struct graph *graph = NULL;
	int r = loadable_elf_parse(&graph, result->data, result->size, &error);

	if (r == 0)
		r = program_check(graph, &error);
	if (r < 0)
		fail("compiled, but does not load", error.text);
	graph_destroy(graph);
}

static void check_again(const struct compile_result *first, const uint8_t *data, size_t size,
			const struct graph_target *target)
{
	struct compile_result second = {0};
	struct compile_error error = {""};

	if (compile_tflite(&second, data, size, target, &error) < 0)
		fail("compiled once, but not twice", error.text);
	if (first->size != second.size || memcmp(first->data, second.data, first->size))
		fail("compiled to something else", "");
	free(second.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct compile_result result = {0};
	struct compile_error error = {""};
	struct graph_target target;
	int r;

	if (!graph_target_find(&target, COMPILE_DEFAULT_TARGET))
		fail("no target", COMPILE_DEFAULT_TARGET);
	r = compile_tflite(&result, data, size, &target, &error);
	if (r == -EPROTO)
		fail("internal error", error.text);
	if (r < 0 && (!error.text[0] || result.data))
		fail("refused", "without a reason, or with a result");
	if (r < 0)
		return 0;
	check_loads(&result);
	check_again(&result, data, size, &target);
	free(result.data);
	return 0;
}

/* Contents of constants: small numbers make sensible axes and paddings. */
static const int32_t numbers[64] = {1, 2, 0, 0, 1, 1, 1, 1};

static const struct {
	uint32_t code;
	uint8_t options; /* number in the union of options */
} operators[] = {
	{TFLITE_CONV_2D, 1},
	{TFLITE_DEPTHWISE_CONV_2D, 2},
	{TFLITE_FULLY_CONNECTED, 8},
	{TFLITE_ADD, 11},
	{TFLITE_CONCATENATION, 10},
	{TFLITE_MAX_POOL_2D, 5},
	{TFLITE_AVERAGE_POOL_2D, 5},
	{TFLITE_MEAN, 27},
	{TFLITE_PAD, 22},
	{TFLITE_SOFTMAX, 9},
	{TFLITE_QUANTIZE, 0},
	{TFLITE_RELU6, 0},
	{TFLITE_RESHAPE, 0},
};

enum { IN, OUT, FILTER, BIAS, AXES, PADDINGS }; /* tensors */

static void set_output(struct builder *b, int32_t height, int32_t width)
{
	b->tensors[OUT].dims[1] = height;
	b->tensors[OUT].dims[2] = width;
}

/* Make the operator, which was told of all inputs it could have, one that works. */
static void complete(struct builder *b, struct builder_operator *op, uint8_t options)
{
	struct builder_tensor *filter = &b->tensors[FILTER], *out = &b->tensors[OUT];

	op->n_inputs = 3;
	switch (op->code) {
	case TFLITE_DEPTHWISE_CONV_2D:
		memcpy(filter->dims, DIMS(1, 2, 2, 4), 4 * sizeof(int32_t));
		OPTIONS(op, options, B(0), W(1), W(1), B(0), B(0));
		return;
	case TFLITE_CONV_2D:
		OPTIONS(op, options, B(0), W(1), W(1), B(0));
		return;
	case TFLITE_FULLY_CONNECTED:
		filter->rank = 2;
		filter->dims[1] = 4;
		OPTIONS(op, options, B(0), B(0));
		return;
	}
	op->n_inputs = 1;
	switch (op->code) {
	case TFLITE_ADD:
		op->inputs[op->n_inputs++] = IN;
		OPTIONS(op, options, B(0));
		return;
	case TFLITE_CONCATENATION:
		op->inputs[op->n_inputs++] = IN;
		set_output(b, 12, 6);
		OPTIONS(op, options, W(1), B(0));
		return;
	case TFLITE_MEAN:
		op->inputs[op->n_inputs++] = AXES;
		set_output(b, 1, 1);
		return;
	case TFLITE_PAD:
		op->inputs[op->n_inputs++] = PADDINGS;
		set_output(b, 8, 8);
		return;
	case TFLITE_SOFTMAX:
		out->scales[0] = 1.0f / 256;
		out->zeros[0] = -128;
		OPTIONS(op, options, W(0x3f800000));
		return;
	default: /* pools; others have no options */
		OPTIONS(op, options, B(0), W(1), W(1), W(2), W(2), B(0));
	}
}

/* One operator on an image of (1, 6, 6, 4), with the constants it may have. */
static void build_model(struct builder *b, unsigned int choice)
{
	size_t i = choice % (sizeof(operators) / sizeof(operators[0]));
	struct builder_operator *op;

	builder_tensor(b, "in", TFLITE_INT8, 0.5f, 0, DIMS(1, 6, 6, 4));
	builder_tensor(b, "out", TFLITE_INT8, 0.5f, 0, DIMS(1, 6, 6, 4));
	builder_tensor(b, "filter", TFLITE_INT8, 0.5f, 0, DIMS(4, 1, 1, 4));
	b->tensors[FILTER].data = numbers;
	b->tensors[FILTER].size = 16;
	builder_constant(b, "bias", TFLITE_INT32, DIMS(4), numbers, 16);
	builder_constant(b, "axes", TFLITE_INT32, DIMS(2), numbers, 8);
	builder_constant(b, "paddings", TFLITE_INT32, DIMS(4, 2), numbers + 2, 32);
	op = builder_operator(b, operators[i].code, TENSORS(IN, FILTER, BIAS), TENSORS(OUT));
	complete(b, op, operators[i].options);
	builder_input(b, IN);
	builder_output(b, OUT);
}

/* Change what the builder is told before it writes. */
static void spoil_builder(struct builder *b, unsigned int seed)
{
	struct builder_tensor *t = &b->tensors[seed % b->n_tensors];
	struct builder_operator *op = &b->operators[0];

	switch (seed / 16 % 12) {
	case 0:
		t->dims[seed / 256 % 4] = (int32_t)(seed / 1024 % 9);
		break;
	case 1:
		t->rank = seed / 256 % 10;
		break;
	case 2:
		t->type = (uint8_t)(seed / 256 % 20);
		break;
	case 3:
		t->n_scales = t->n_zeros = seed / 256 % 6;
		break;
	case 4:
		op->inputs[seed / 256 % BUILDER_MAX_ARGUMENTS] = (int32_t)(seed / 4096 % 9) - 1;
		break;
	case 5:
		op->n_inputs = seed / 256 % BUILDER_MAX_ARGUMENTS;
		break;
	case 6:
		op->fields[seed / 256 % 8].value = seed / 4096 % 9;
		break;
	case 7:
		b->outputs[0] = (int32_t)(seed / 256 % b->n_tensors);
		break;
	case 8:
		t->data = seed / 256 % 2 ? numbers : NULL;
		t->size = seed / 512 % 200;
		break;
	default:
		break; /* a model as it should be */
	}
}

static size_t write_model(uint8_t *data, size_t max_size, unsigned int seed)
{
	struct builder b;
	size_t size;

	builder_init(&b);
	build_model(&b, seed);
	spoil_builder(&b, seed / 13);
	builder_write(&b);
	size = b.size < max_size ? b.size : max_size;
	memcpy(data, b.data, size);
	builder_finish(&b);
	return size;
}

/* Files are made of words: offsets, counts, dimensions. */
static void spoil_word(uint8_t *data, size_t size, unsigned int seed)
{
	static const uint32_t values[] = {0,	  1,	 2,	     3,		 4,
					  8,	  0x7f,	 0x100,	     0xffff,	 0x10000,
					  0x7ffe, 0xfff, 0x7fffffff, 0xffffffff, 0x80000000};
	size_t at = seed / 64 % (size / 4) * 4;
	uint32_t word;

	memcpy(&word, data + at, 4);
	if (seed % 4 == 0)
		word = values[seed / 4 % (sizeof(values) / sizeof(values[0]))];
	else if (seed % 4 == 1)
		word += seed / 4 % 16;
	else if (seed % 4 == 2)
		word -= seed / 4 % 16;
	else
		word ^= 1u << (seed / 4 % 32);
	memcpy(data + at, &word, 4);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	unsigned int way = seed % 16;

	seed /= 16;
	if (size < 64 || way == 0)
		return write_model(data, max_size, seed);
	if (way < 4)
		return LLVMFuzzerMutate(data, size, max_size);
	for (unsigned int i = 0; i < way % 4 + 1; i++)
		spoil_word(data, size, seed * 2654435761u + i * 40503u);
	return size;
}
