/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolutions, pools and fully connected layers against real arithmetic.
 */
#include "model_test.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define U8 TFLITE_UINT8
#define I8 TFLITE_INT8

struct window_case {
	const char *name;
	int n, h, w, c, o; /* o: output channels */
	int kh, kw, sh, sw, dh, dw;
	int padding, activation;
	uint8_t type, filter_type;
	bool depthwise, per_channel, no_bias;
};

static const struct window_case conv_cases[] = {
	{"1x1", 1, 5, 4, 3, 7, 1, 1, 1, 1, 1, 1, 0, 0, I8, I8, false, false, false},
	{"3x3 same", 2, 6, 7, 3, 5, 3, 3, 1, 1, 1, 1, 0, 0, I8, I8, false, true, false},
	{"3x3 same, stride 2", 1, 8, 8, 2, 4, 3, 3, 2, 2, 1, 1, 0, 3, U8, U8, false, false, false},
	{"odd, stride 2", 1, 7, 9, 2, 4, 3, 3, 2, 2, 1, 1, 0, 1, I8, I8, false, true, false},
	{"valid, no bias", 1, 6, 6, 4, 3, 3, 2, 1, 2, 1, 1, 1, 0, U8, I8, false, true, true},
	{"dilated same", 1, 9, 9, 2, 3, 3, 3, 1, 1, 2, 3, 0, 2, I8, I8, false, false, false},
	{"dilated valid", 1, 9, 9, 2, 3, 3, 3, 1, 1, 2, 2, 1, 0, I8, U8, false, false, false},
	{"16 inputs", 1, 3, 3, 16, 4, 1, 1, 1, 1, 1, 1, 1, 0, U8, U8, false, false, false},
	{"even kernel same", 1, 5, 5, 1, 2, 4, 2, 1, 1, 1, 1, 0, 0, I8, I8, false, true, false},
	{"depthwise", 1, 6, 6, 5, 5, 3, 3, 1, 1, 1, 1, 0, 3, I8, I8, true, true, false},
	{"depthwise, stride 2", 2, 7, 6, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0, U8, U8, true, false, false},
	{"depth multiplier 3", 1, 5, 5, 3, 9, 3, 3, 1, 1, 1, 1, 1, 0, I8, I8, true, true, false},
	{"depthwise dilated", 1, 8, 8, 3, 3, 3, 3, 1, 1, 2, 2, 0, 1, U8, I8, true, true, true},
};

static const double lows[] = {-INFINITY, 0, -1, 0};
static const double highs[] = {INFINITY, INFINITY, 1, 6};

/* Output size and padding in front, as TensorFlow defines them. */
static int out_size(int in, int k, int s, int d, int padding, int *ret_pad)
{
	int reach = (k - 1) * d + 1;
	int out = padding ? (in - reach + s) / s : (in + s - 1) / s;
	int total = (out - 1) * s + reach - in;

	*ret_pad = padding || total < 0 ? 0 : total / 2;
	return out;
}

struct conv {
	const struct window_case *c;
	struct sample in, filter, out;
	float scales[BUILDER_MAX_CHANNELS]; /* of filter channels */
	int32_t bias[BUILDER_MAX_CHANNELS];
	double real[MODEL_TEST_MAX];
	int oh, ow, pad_y, pad_x;
};

/* Channel o's weight at (i, j, k), k counted among the filter's input channels. */
static double weight(const struct conv *v, int o, int i, int j, int k)
{
	const struct window_case *c = v->c;
	size_t at = c->depthwise ? (size_t)((i * c->kw + j) * c->o + o)
				 : (size_t)(((o * c->kh + i) * c->kw + j) * c->c + k);

	return sample_real(&v->filter, at) / (double)v->filter.scale * (double)v->scales[o];
}

static double convolve(const struct conv *v, int n, int y, int x, int o)
{
	const struct window_case *c = v->c;
	double sum = c->no_bias ? 0 : v->bias[o] * (double)v->in.scale * (double)v->scales[o];

	for (int i = 0; i < c->kh; i++)
		for (int j = 0; j < c->kw; j++)
			for (int k = 0; k < (c->depthwise ? 1 : c->c); k++) {
				int iy = y * c->sh - v->pad_y + i * c->dh;
				int ix = x * c->sw - v->pad_x + j * c->dw;
				int ic = c->depthwise ? o / (c->o / c->c) : k;

				if (iy < 0 || iy >= c->h || ix < 0 || ix >= c->w)
					continue;
				sum += weight(v, o, i, j, k) *
				       sample_real(
					       &v->in,
					       (size_t)(((n * c->h + iy) * c->w + ix) * c->c + ic));
			}
	return sum;
}

static void fill_conv(struct conv *v, const struct window_case *c)
{
	size_t at = 0;

	v->c = c;
	v->oh = out_size(c->h, c->kh, c->sh, c->dh, c->padding, &v->pad_y);
	v->ow = out_size(c->w, c->kw, c->sw, c->dw, c->padding, &v->pad_x);
	sample_fill(&v->in, c->type, 0.05f, c->type == I8 ? -7 : 120, DIMS(c->n, c->h, c->w, c->c));
	sample_fill(&v->filter, c->filter_type, 0.01f,
		    c->per_channel ? (c->filter_type == I8 ? 0 : 128) : 3,
		    c->depthwise ? DIMS(1, c->kh, c->kw, c->o) : DIMS(c->o, c->kh, c->kw, c->c));
	for (int o = 0; o < c->o; o++) {
		v->scales[o] = c->per_channel ? (float)model_test_random(0.002, 0.03) : 0.01f;
		v->bias[o] = rand() % 4000 - 2000;
	}
	for (int n = 0; n < c->n; n++)
		for (int y = 0; y < v->oh; y++)
			for (int x = 0; x < v->ow; x++)
				for (int o = 0; o < c->o; o++)
					v->real[at++] = convolve(v, n, y, x, o);
	sample_fit(&v->out, c->type, v->real, at, DIMS(c->n, v->oh, v->ow, c->o));
}

static void build_conv(struct builder *b, const struct conv *v)
{
	const struct window_case *c = v->c;
	int in = sample_add(b, "in", &v->in), filter = sample_add(b, "filter", &v->filter);
	int bias =
		builder_constant(b, "bias", TFLITE_INT32, DIMS(c->o), v->bias, 4 * (uint32_t)c->o);
	int out = sample_add(b, "out", &v->out);
	struct builder_tensor *t = &b->tensors[filter];
	struct builder_operator *op =
		builder_operator(b, c->depthwise ? TFLITE_DEPTHWISE_CONV_2D : TFLITE_CONV_2D,
				 TENSORS(in, filter, c->no_bias ? -1 : bias), TENSORS(out));

	t->data = v->filter.data;
	t->size = (uint32_t)sample_size(&v->filter);
	t->quantized_dimension = c->depthwise ? 3 : 0;
	if (c->per_channel) {
		t->n_scales = t->n_zeros = (uint32_t)c->o;
		for (int o = 0; o < c->o; o++) {
			t->scales[o] = v->scales[o];
			t->zeros[o] = v->filter.zero;
		}
	}
	if (c->depthwise)
		OPTIONS(op, 2, B(c->padding), W(c->sw), W(c->sh), W(c->o / c->c), B(c->activation),
			W(c->dw), W(c->dh));
	else
		OPTIONS(op, 1, B(c->padding), W(c->sw), W(c->sh), B(c->activation), W(c->dw),
			W(c->dh));
	builder_input(b, in);
	builder_output(b, out);
}

Test(windows, convolutions_follow_real_arithmetic)
{
	static struct conv v;

	model_test_seed();
	for (size_t i = 0; i < sizeof(conv_cases) / sizeof(conv_cases[0]); i++) {
		const struct window_case *c = &conv_cases[i];
		const struct sample *inputs[] = {&v.in};
		struct builder b;

		fill_conv(&v, c);
		builder_init(&b);
		build_conv(&b, &v);
		model_test_run(&b, inputs, 1, &v.out);
		model_test_compare(&v.out, v.real, lows[c->activation], highs[c->activation], 1,
				   c->name);
		builder_finish(&b);
	}
}

static const struct window_case pool_cases[] = {
	{"2x2", 2, 6, 6, 3, 3, 2, 2, 2, 2, 1, 1, 1, 0, I8, 0, false, false, false},
	{"3x3 same", 1, 5, 7, 4, 4, 3, 3, 1, 1, 1, 1, 0, 0, U8, 0, false, false, false},
	{"3x3 same, stride 2", 1, 6, 6, 2, 2, 3, 3, 2, 2, 1, 1, 0, 1, I8, 0, false, false, false},
	{"global", 1, 4, 5, 3, 3, 4, 5, 1, 1, 1, 1, 1, 3, U8, 0, false, false, false},
};

static double pool(const struct conv *v, int n, int y, int x, int ch, bool is_max)
{
	const struct window_case *c = v->c;
	double sum = 0, best = -INFINITY;
	int count = 0;

	for (int i = 0; i < c->kh; i++)
		for (int j = 0; j < c->kw; j++) {
			int iy = y * c->sh - v->pad_y + i, ix = x * c->sw - v->pad_x + j;
			double real;

			if (iy < 0 || iy >= c->h || ix < 0 || ix >= c->w)
				continue;
			real = sample_real(&v->in,
					   (size_t)(((n * c->h + iy) * c->w + ix) * c->c + ch));
			sum += real;
			best = fmax(best, real);
			count++;
		}
	return is_max ? best : sum / count;
}

static void test_pool(const struct window_case *c, bool is_max)
{
	static struct conv v;
	const struct sample *inputs[] = {&v.in};
	struct builder_operator *op;
	struct builder b;
	size_t at = 0;
	int in, out;

	v.c = c;
	v.oh = out_size(c->h, c->kh, c->sh, 1, c->padding, &v.pad_y);
	v.ow = out_size(c->w, c->kw, c->sw, 1, c->padding, &v.pad_x);
	sample_fill(&v.in, c->type, 0.1f, c->type == I8 ? -20 : 60, DIMS(c->n, c->h, c->w, c->c));
	for (int n = 0; n < c->n; n++)
		for (int y = 0; y < v.oh; y++)
			for (int x = 0; x < v.ow; x++)
				for (int ch = 0; ch < c->c; ch++)
					v.real[at++] = pool(&v, n, y, x, ch, is_max);
	v.out = v.in;
	memcpy(v.out.dims, DIMS(c->n, v.oh, v.ow, c->c), 5 * sizeof(int32_t));
	builder_init(&b);
	in = sample_add(&b, "in", &v.in);
	out = sample_add(&b, "out", &v.out);
	op = builder_operator(&b, is_max ? TFLITE_MAX_POOL_2D : TFLITE_AVERAGE_POOL_2D, TENSORS(in),
			      TENSORS(out));
	OPTIONS(op, 5, B(c->padding), W(c->sw), W(c->sh), W(c->kw), W(c->kh), B(c->activation));
	builder_input(&b, in);
	builder_output(&b, out);
	model_test_run(&b, inputs, 1, &v.out);
	model_test_compare(&v.out, v.real, lows[c->activation], highs[c->activation],
			   is_max ? 0 : 1, c->name);
	builder_finish(&b);
}

Test(windows, pools_follow_real_arithmetic)
{
	model_test_seed();
	for (size_t i = 0; i < sizeof(pool_cases) / sizeof(pool_cases[0]); i++) {
		test_pool(&pool_cases[i], false);
		test_pool(&pool_cases[i], true);
	}
}

struct fc_case {
	const char *name;
	int32_t in[6], out[6];
	int depth, o;
	uint8_t type;
	bool no_bias, per_channel;
};

static const struct fc_case fc_cases[] = {
	{"vector", {1, 20}, {1, 7}, 20, 7, I8, false, false},
	{"batch", {3, 16}, {3, 5}, 16, 5, U8, false, false},
	{"flattened image", {2, 2, 3, 4}, {2, 6}, 24, 6, I8, true, true},
	{"kept dimensions", {1, 4, 6}, {1, 4, 3}, 6, 3, I8, false, true},
};

static void test_fc(const struct fc_case *c)
{
	static struct sample in, filter, out;
	static double real[MODEL_TEST_MAX];
	const struct sample *inputs[] = {&in};
	int32_t bias[BUILDER_MAX_CHANNELS];
	float scales[BUILDER_MAX_CHANNELS];
	struct builder_operator *op;
	struct builder_tensor *t;
	int i, f, b_index, o_index, rows;
	struct builder b;

	sample_fill(&in, c->type, 0.02f, c->type == I8 ? 4 : 131, c->in);
	sample_fill(&filter, c->type, 0.01f, c->type == I8 ? 0 : 117, DIMS(c->o, c->depth));
	rows = (int)sample_size(&in) / c->depth;
	for (int o = 0; o < c->o; o++) {
		scales[o] = c->per_channel ? (float)model_test_random(0.002, 0.03) : 0.01f;
		bias[o] = rand() % 2000 - 1000;
		for (int row = 0; row < rows; row++) {
			double sum = c->no_bias ? 0 : bias[o] * 0.02 * (double)scales[o];

			for (int k = 0; k < c->depth; k++)
				sum += sample_real(&in, (size_t)(row * c->depth + k)) *
				       sample_real(&filter, (size_t)(o * c->depth + k)) / 0.01 *
				       (double)scales[o];
			real[row * c->o + o] = sum;
		}
	}
	sample_fit(&out, c->type, real, (size_t)(rows * c->o), c->out);

	builder_init(&b);
	i = sample_add(&b, "in", &in);
	f = sample_add(&b, "filter", &filter);
	t = &b.tensors[f];
	t->data = filter.data;
	t->size = (uint32_t)sample_size(&filter);
	if (c->per_channel)
		t->n_scales = t->n_zeros = (uint32_t)c->o;
	for (int o = 0; o < c->o; o++) {
		t->scales[o] = scales[o];
		t->zeros[o] = filter.zero;
	}
	b_index = builder_constant(&b, "bias", TFLITE_INT32, DIMS(c->o), bias, 4 * (uint32_t)c->o);
	o_index = sample_add(&b, "out", &out);
	op = builder_operator(&b, TFLITE_FULLY_CONNECTED,
			      c->no_bias ? TENSORS(i, f) : TENSORS(i, f, b_index),
			      TENSORS(o_index));
	OPTIONS(op, 8, B(0), B(0), B(1));
	builder_input(&b, i);
	builder_output(&b, o_index);
	model_test_run(&b, inputs, 1, &out);
	model_test_compare(&out, real, -INFINITY, INFINITY, 1, c->name);
	builder_finish(&b);
}

Test(windows, fully_connected_layers_follow_real_arithmetic)
{
	model_test_seed();
	for (size_t i = 0; i < sizeof(fc_cases) / sizeof(fc_cases[0]); i++)
		test_fc(&fc_cases[i]);
}
