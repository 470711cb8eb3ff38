/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators without windows against real arithmetic, and what becomes of inputs that
 * are outputs.
 */
#include "model_test.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define U8 TFLITE_UINT8
#define I8 TFLITE_INT8

static struct sample in, in2, out;
static double real[MODEL_TEST_MAX];

/* A model of one operator with @n_inputs of the samples above. */
static struct builder_operator *build(struct builder *b, uint32_t code, int n_inputs)
{
	int first, second = TFLITE_NO_TENSOR, last;
	struct builder_operator *op;

	builder_init(b);
	first = sample_add(b, "in", &in);
	builder_input(b, first);
	if (n_inputs > 1) {
		second = sample_add(b, "in2", &in2);
		builder_input(b, second);
	}
	last = sample_add(b, "out", &out);
	builder_output(b, last);
	op = builder_operator(b, code, TENSORS(first, second), TENSORS(last));
	op->n_inputs = (uint32_t)n_inputs;
	return op;
}

/* Make @data an extra, constant input of int32. */
static void add_integers(struct builder *b, struct builder_operator *op, const int32_t *data,
			 int32_t n)
{
	op->inputs[op->n_inputs++] =
		builder_constant(b, "integers", TFLITE_INT32, DIMS(n), data, 4 * (uint32_t)n);
}

static void run(struct builder *b, double low, double high, int tolerance, const char *what)
{
	const struct sample *inputs[] = {&in, &in2};

	model_test_run(b, inputs, b->n_inputs, &out);
	model_test_compare(&out, real, low, high, tolerance, what);
	builder_finish(b);
}

Test(operators, add_follows_real_arithmetic)
{
	static const struct {
		uint8_t a, b, out;
		float scale_a, scale_b;
		int activation;
	} cases[] = {
		{I8, I8, I8, 0.1f, 0.1f, 0},   {U8, U8, U8, 0.1f, 0.013f, 0},
		{I8, I8, I8, 0.002f, 0.3f, 1}, {U8, I8, I8, 0.1f, 0.1f, 3},
		{I8, U8, U8, 0.05f, 0.07f, 2},
	};
	static const double lows[] = {-INFINITY, 0, -1, 0};
	static const double highs[] = {INFINITY, INFINITY, 1, 6};

	model_test_seed();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct builder_operator *op;
		struct builder b;

		sample_fill(&in, cases[i].a, cases[i].scale_a, 11, DIMS(2, 5, 7, 3));
		sample_fill(&in2, cases[i].b, cases[i].scale_b, 60, DIMS(2, 5, 7, 3));
		for (size_t k = 0; k < sample_size(&in); k++)
			real[k] = sample_real(&in, k) + sample_real(&in2, k);
		sample_fit(&out, cases[i].out, real, sample_size(&in), in.dims);
		op = build(&b, TFLITE_ADD, 2);
		OPTIONS(op, 11, B((uint32_t)cases[i].activation));
		run(&b, lows[cases[i].activation], highs[cases[i].activation], 1, "add");
	}
}

Test(operators, a_tensor_can_be_added_to_itself)
{
	struct builder_operator *op;
	struct builder b;

	sample_fill(&in, I8, 0.1f, 0, DIMS(1, 33));
	for (size_t k = 0; k < 33; k++)
		real[k] = 2 * sample_real(&in, k);
	sample_fit(&out, I8, real, 33, in.dims);
	op = build(&b, TFLITE_ADD, 1);
	op->n_inputs = 2;
	op->inputs[1] = op->inputs[0];
	OPTIONS(op, 11, B(0));
	run(&b, -INFINITY, INFINITY, 1, "add");
}

static void test_mean(const int32_t *in_dims, const int32_t *out_dims, const int32_t *axes,
		      int32_t n_axes, int outer, int middle, int inner)
{
	struct builder_operator *op;
	struct builder b;

	sample_fill(&in, I8, 0.1f, -9, in_dims);
	for (int o = 0; o < outer; o++)
		for (int i = 0; i < inner; i++) {
			double sum = 0;

			for (int m = 0; m < middle; m++)
				sum += sample_real(&in, (size_t)((o * middle + m) * inner + i));
			real[o * inner + i] = sum / middle;
		}
	sample_fit(&out, U8, real, (size_t)(outer * inner), out_dims);
	op = build(&b, TFLITE_MEAN, 1);
	add_integers(&b, op, axes, n_axes);
	OPTIONS(op, 27, B(1));
	run(&b, -INFINITY, INFINITY, 1, "mean");
}

Test(operators, mean_follows_real_arithmetic)
{
	model_test_seed();
	test_mean(DIMS(2, 4, 5, 6), DIMS(2, 1, 1, 6), (int32_t[]){1, 2}, 2, 2, 20, 6);
	test_mean(DIMS(2, 4, 5, 6), DIMS(2, 6), (int32_t[]){-2, -3}, 2, 2, 20, 6);
	test_mean(DIMS(4, 5, 6), DIMS(6), (int32_t[]){0, 1}, 2, 1, 20, 6);
	test_mean(DIMS(2, 4, 5, 6), DIMS(2, 4, 6), (int32_t[]){2}, 1, 8, 5, 6);
	test_mean(DIMS(3, 8), DIMS(3), (int32_t[]){1}, 1, 3, 8, 1);
}

static void test_softmax(uint8_t type, float scale, float beta, const int32_t *dims, int depth)
{
	struct builder_operator *op;
	struct builder b;
	uint32_t bits;
	size_t n;

	sample_fill(&in, type, scale, 3, dims);
	n = sample_size(&in);
	for (size_t row = 0; row < n / (size_t)depth; row++) {
		double sum = 0;

		for (int k = 0; k < depth; k++)
			sum += exp((double)beta *
				   sample_real(&in, row * (size_t)depth + (size_t)k));
		for (int k = 0; k < depth; k++) {
			size_t at = row * (size_t)depth + (size_t)k;

			real[at] = exp((double)beta * sample_real(&in, at)) / sum;
		}
	}
	out = in;
	out.scale = 1.0f / 256;
	out.zero = type == I8 ? -128 : 0;
	op = build(&b, TFLITE_SOFTMAX, 1);
	memcpy(&bits, &beta, 4);
	OPTIONS(op, 9, W(bits));
	run(&b, 0, 255.0 / 256, 1, "softmax");
}

Test(operators, softmax_follows_real_arithmetic)
{
	model_test_seed();
	test_softmax(I8, 0.05f, 1, DIMS(1, 10), 10);
	test_softmax(U8, 0.01f, 2, DIMS(4, 7), 7);
	test_softmax(I8, 0.02f, 1, DIMS(1, 3, 3, 5), 5);
}

static void test_requantize(uint32_t code, uint8_t from, uint8_t to, float scale, int32_t zero,
			    const int32_t *dims, double low, double high)
{
	struct builder b;

	sample_fill(&in, from, 0.05f, from == I8 ? -10 : 118, dims);
	out = in;
	out.type = to;
	out.scale = scale;
	out.zero = zero;
	for (size_t i = 0; i < sample_size(&in); i++)
		real[i] = sample_real(&in, i);
	build(&b, code, 1);
	run(&b, low, high, 1, "requantize");
}

Test(operators, changes_of_quantization_follow_real_arithmetic)
{
	model_test_seed();
	test_requantize(TFLITE_QUANTIZE, U8, I8, 0.05f, -10, DIMS(1, 4, 4, 3), -INFINITY, INFINITY);
	test_requantize(TFLITE_QUANTIZE, I8, U8, 0.07f, 100, DIMS(8000), -INFINITY, INFINITY);
	test_requantize(TFLITE_QUANTIZE, I8, I8, 0.02f, 0, DIMS(90, 90), -INFINITY, INFINITY);
	test_requantize(TFLITE_RELU, I8, I8, 0.05f, -128, DIMS(3, 5), 0, INFINITY);
	test_requantize(TFLITE_RELU6, U8, U8, 0.03f, 5, DIMS(1, 2, 3, 4), 0, 6);
	test_requantize(TFLITE_RELU_N1_TO_1, I8, U8, 0.01f, 128, DIMS(64), -1, 1);
}

Test(operators, a_change_between_int8_and_uint8_is_exact)
{
	struct builder b;

	sample_fill(&in, U8, 0.05f, 128, DIMS(256));
	for (int i = 0; i < 256; i++)
		in.data[i] = (uint8_t)i;
	out = in;
	out.type = I8;
	out.zero = 0;
	for (size_t i = 0; i < 256; i++)
		real[i] = sample_real(&in, i);
	build(&b, TFLITE_QUANTIZE, 1);
	run(&b, -INFINITY, INFINITY, 0, "uint8 to int8");
}

static void test_pad(const int32_t *in_dims, const int32_t *out_dims, const int32_t *paddings,
		     int32_t n)
{
	int32_t h = in_dims[n / 2 - 3], w = in_dims[n / 2 - 2], c = in_dims[n / 2 - 1];
	int32_t oh = out_dims[n / 2 - 3], ow = out_dims[n / 2 - 2];
	struct builder_operator *op;
	struct builder b;

	sample_fill(&in, I8, 0.1f, 5, in_dims);
	out = in;
	memset(out.dims, 0, sizeof(out.dims));
	memcpy(out.dims, out_dims, (size_t)n / 2 * 4);
	for (int i = 0; i < (int)sample_size(&out); i++) {
		int y = i / c / ow % oh - paddings[n - 6], x = i / c % ow - paddings[n - 4];
		int image = i / c / ow / oh;
		bool inside = y >= 0 && y < h && x >= 0 && x < w;

		real[i] = inside ? sample_real(&in, (size_t)(((image * h + y) * w + x) * c + i % c))
				 : 0;
	}
	op = build(&b, TFLITE_PAD, 1);
	add_integers(&b, op, paddings, n);
	b.tensors[op->inputs[1]].rank = 2;
	b.tensors[op->inputs[1]].dims[0] = n / 2;
	b.tensors[op->inputs[1]].dims[1] = 2;
	run(&b, -INFINITY, INFINITY, 0, "pad");
}

Test(operators, pad_puts_zero_around)
{
	test_pad(DIMS(2, 3, 4, 2), DIMS(2, 6, 9, 2), (int32_t[]){0, 0, 1, 2, 3, 2, 0, 0}, 8);
	test_pad(DIMS(3, 4, 2), DIMS(4, 4, 2), (int32_t[]){1, 0, 0, 0, 0, 0}, 6);
}

/* Concatenate (2, 3, 2) and (2, a, 2) or the like along @axis. */
static void test_concat(const int32_t *a, const int32_t *b_dims, const int32_t *joint, int32_t axis,
			int outer, int inner_a, int inner_b)
{
	struct builder_operator *op;
	struct builder b;

	sample_fill(&in, U8, 0.05f, 100, a);
	sample_fill(&in2, U8, 0.08f, 90, b_dims);
	for (int o = 0; o < outer; o++) {
		for (int i = 0; i < inner_a; i++)
			real[o * (inner_a + inner_b) + i] =
				sample_real(&in, (size_t)(o * inner_a + i));
		for (int i = 0; i < inner_b; i++)
			real[o * (inner_a + inner_b) + inner_a + i] =
				sample_real(&in2, (size_t)(o * inner_b + i));
	}
	sample_fit(&out, U8, real, (size_t)(outer * (inner_a + inner_b)), joint);
	op = build(&b, TFLITE_CONCATENATION, 2);
	OPTIONS(op, 10, W((uint32_t)axis), B(0));
	run(&b, -INFINITY, INFINITY, 1, "concatenation");
}

Test(operators, concatenation_follows_real_arithmetic_along_any_axis)
{
	model_test_seed();
	test_concat(DIMS(1, 4, 4, 3), DIMS(1, 4, 4, 5), DIMS(1, 4, 4, 8), 3, 16, 3, 5);
	test_concat(DIMS(1, 4, 4, 3), DIMS(1, 4, 4, 5), DIMS(1, 4, 4, 8), -1, 16, 3, 5);
	test_concat(DIMS(2, 3, 4), DIMS(2, 1, 4), DIMS(2, 4, 4), 1, 2, 12, 4);
	test_concat(DIMS(2, 3), DIMS(5, 3), DIMS(7, 3), 0, 1, 6, 15);
}

static void expect_copy(struct builder *b, const char *what)
{
	for (size_t i = 0; i < sample_size(&in); i++)
		real[i] = sample_real(&in, i);
	run(b, -INFINITY, INFINITY, 0, what);
}

Test(operators, an_input_reshaped_to_an_output_is_copied)
{
	static const uint32_t codes[] = {TFLITE_RESHAPE, TFLITE_SQUEEZE, TFLITE_EXPAND_DIMS};
	static const int32_t axis[] = {0};

	for (size_t i = 0; i < 3; i++) {
		struct builder_operator *op;
		struct builder b;

		sample_fill(&in, I8, 0.1f, 0, DIMS(1, 6, 2));
		out = in;
		memcpy(out.dims, DIMS(4, 3), 3 * sizeof(int32_t));
		op = build(&b, codes[i], 1);
		if (codes[i] == TFLITE_EXPAND_DIMS)
			add_integers(&b, op, axis, 1);
		expect_copy(&b, "reshape");
	}
}

Test(operators, reshaping_between_operators_costs_no_instruction)
{
	struct compile_result result;
	struct builder_operator *op;
	struct builder b;
	int relu, flat, last;

	sample_fill(&in, I8, 0.1f, 0, DIMS(2, 6));
	out = in;
	builder_init(&b);
	builder_input(&b, sample_add(&b, "in", &in));
	relu = sample_add(&b, "relu", &in);
	flat = sample_add(&b, "flat", &in);
	last = sample_add(&b, "last", &in);
	b.tensors[flat].rank = 1;
	b.tensors[flat].dims[0] = 12;
	b.tensors[last].rank = 1;
	b.tensors[last].dims[0] = 12;
	builder_operator(&b, TFLITE_RELU, TENSORS(0), TENSORS(relu));
	builder_operator(&b, TFLITE_RESHAPE, TENSORS(relu), TENSORS(flat));
	op = builder_operator(&b, TFLITE_RELU6, TENSORS(flat), TENSORS(last));
	builder_output(&b, last);
	result = model_test_compile(&b);
	cr_assert_eq(result.report.n_insns, 3, "%u", result.report.n_insns);
	free(result.data);

	/* Straight to an output as well, if what is reshaped was computed. */
	b.n_operators--;
	b.outputs[0] = flat;
	(void)op;
	result = model_test_compile(&b);
	cr_assert_eq(result.report.n_insns, 2, "%u", result.report.n_insns);
	cr_assert_eq(result.report.n_intermediates, 0);
	free(result.data);
	builder_finish(&b);
}

Test(operators, an_input_that_is_an_output_is_copied)
{
	struct builder b;

	sample_fill(&in, U8, 0.1f, 0, DIMS(100));
	out = in;
	build(&b, TFLITE_RELU, 1);
	b.outputs[0] = b.inputs[0];
	expect_copy(&b, "identity");
}

Test(operators, an_output_that_is_listed_twice_is_computed_once_and_copied)
{
	const struct sample *inputs[] = {&in};
	struct compile_result result;
	struct run_model m;
	struct builder b;

	sample_fill(&in, U8, 0.1f, 0, DIMS(50));
	out = in;
	build(&b, TFLITE_RELU, 1);
	builder_output(&b, b.outputs[0]);
	model_test_run(&b, inputs, 1, &out);
	result = model_test_compile(&b);
	cr_assert_eq(result.report.n_insns, 3);
	cr_assert_eq(run_model_open(&m, result.data, result.size), 0);
	memcpy(run_model_input(&m, 0), in.data, 50);
	cr_assert_eq(run_model_run(&m), 0);
	cr_assert_neq(run_model_output(&m, 0), run_model_output(&m, 1));
	cr_assert_eq(memcmp(run_model_output(&m, 0), in.data, 50), 0);
	cr_assert_eq(memcmp(run_model_output(&m, 1), in.data, 50), 0);
	run_model_close(&m);
	free(result.data);
	builder_finish(&b);
}

Test(operators, an_output_may_be_read_on)
{
	struct builder b;
	int next;

	sample_fill(&in, I8, 0.1f, 0, DIMS(64));
	out = in;
	build(&b, TFLITE_RELU, 1);
	next = sample_add(&b, "next", &in);
	builder_operator(&b, TFLITE_RELU6, TENSORS(b.outputs[0]), TENSORS(next));
	b.outputs[1] = b.outputs[0];
	b.outputs[0] = next;
	b.n_outputs = 2;
	for (size_t i = 0; i < 64; i++)
		real[i] = sample_real(&in, i);
	run(&b, 0, 6, 0, "relu6 of relu");
}
