/* SPDX-License-Identifier: Apache-2.0 */
#include "ops_cases.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <sys/random.h>

#define GUARD 64u
#define GUARD_BYTE 0xa5

void ops_random_init(struct ops_random *random)
{
	const char *seed = getenv("ZHOUYI_SEED");

	if (seed)
		random->state = strtoull(seed, NULL, 0);
	else if (getrandom(&random->state, sizeof(random->state), 0) < 0)
		abort();
	fprintf(stderr, "ZHOUYI_SEED=%" PRIu64 "\n", random->state);
}

/* splitmix64 */
uint64_t ops_random_next(struct ops_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

int64_t ops_random_range(struct ops_random *random, int64_t low, int64_t high)
{
	return low + (int64_t)(ops_random_next(random) % (uint64_t)(high - low + 1));
}

double ops_random_real(struct ops_random *random, double low, double high)
{
	return low + (high - low) * (double)(ops_random_next(random) >> 11) * 0x1p-53;
}

static uint32_t pick(struct ops_random *random, uint32_t low, uint32_t high)
{
	return (uint32_t)ops_random_range(random, low, high);
}

static struct npu_scale encode(double factor)
{
	int exponent;
	int64_t multiplier = llround(frexp(factor, &exponent) * 0x1p31);

	if (multiplier == (int64_t)1 << 31) {
		multiplier /= 2;
		exponent++;
	}
	if (exponent < -31 || exponent > 30)
		abort();
	return (struct npu_scale){(int32_t)multiplier, exponent};
}

static int type_min(const struct ops_case *c, unsigned int operand)
{
	return c->insn.is_signed >> operand & 1 ? -128 : 0;
}

unsigned int ops_case_output(const struct ops_case *c)
{
	return c->n_operands - 1;
}

int ops_case_stored(const struct ops_case *c, unsigned int operand, uint64_t index)
{
	uint8_t byte = c->operand[operand][index];

	if (index >= c->size[operand])
		abort();
	return c->insn.is_signed >> operand & 1 ? (int8_t)byte : byte;
}

static double real_of(const struct ops_case *c, unsigned int operand, uint64_t index, double scale,
		      unsigned int zero)
{
	return scale * (ops_case_stored(c, operand, index) - c->insn.zero[zero]);
}

static uint64_t index_of(const uint32_t shape[4], uint64_t n, uint64_t y, uint64_t x, uint64_t ch)
{
	return ((n * shape[1] + y) * shape[2] + x) * shape[3] + ch;
}

static uint32_t bytes_of(const uint32_t shape[4])
{
	return shape[0] * shape[1] * shape[2] * shape[3];
}

struct ops_position ops_position_of(const uint32_t shape[4], uint32_t index)
{
	struct ops_position p;

	p.c = index % shape[3];
	index /= shape[3];
	p.x = index % shape[2];
	index /= shape[2];
	p.y = index % shape[1];
	p.n = index / shape[1];
	return p;
}

static int pick_zero(struct ops_case *c, struct ops_random *random, unsigned int operand)
{
	return type_min(c, operand) + (int)pick(random, 0, 255);
}

/* The whole range, or a random part of it. */
static void pick_clamp(struct ops_case *c, struct ops_random *random)
{
	int min = type_min(c, ops_case_output(c));

	c->clamped = true;
	c->insn.act_min = min;
	c->insn.act_max = min + 255;
	if (pick(random, 0, 2))
		return;
	c->insn.act_min = min + (int)pick(random, 0, 255);
	c->insn.act_max = (int)ops_random_range(random, c->insn.act_min, min + 255);
}

static void pick_types(struct ops_case *c, struct ops_random *random, uint8_t mask, bool equal)
{
	c->insn.is_signed = (uint8_t)ops_random_next(random) & mask;
	if (equal)
		c->insn.is_signed = c->insn.is_signed & 1 ? mask : 0;
}

static void pick_shape(struct ops_random *random, uint32_t shape[4], uint32_t size,
		       uint32_t channels)
{
	shape[0] = pick(random, 1, 3);
	shape[1] = pick(random, 1, size);
	shape[2] = pick(random, 1, size);
	shape[3] = pick(random, 1, channels);
}

/* A window for insn.in, and an output height and width that fit to it. */
static void pick_window(struct ops_case *c, struct ops_random *random, bool dilated)
{
	struct npu_insn *insn = &c->insn;

	for (unsigned int i = 0; i < 2; i++) {
		uint32_t dilation = dilated ? pick(random, 1, 3) : 1, extent;

		insn->kernel[i] = (uint16_t)pick(random, 1, 5);
		insn->stride[i] = (uint16_t)pick(random, 1, 3);
		extent = (insn->kernel[i] - 1u) * dilation + 1;
		insn->pad[i] = (uint16_t)(pick(random, 0, 1) ? pick(random, 0, extent - 1) : 0);
		insn->dilation[i] = dilated ? (uint16_t)dilation : 0;
		insn->out[1 + i] =
			pick(random, 1, (insn->in[1 + i] + insn->pad[i] - 1) / insn->stride[i] + 1);
	}
	insn->out[0] = insn->in[0];
}

int64_t ops_tap_of(const struct npu_insn *insn, const struct ops_position *p, uint32_t i,
		   uint32_t j, uint32_t channel)
{
	int dy = insn->dilation[0] ? insn->dilation[0] : 1;
	int dx = insn->dilation[1] ? insn->dilation[1] : 1;
	int y = (int)(p->y * insn->stride[0] + i * (uint32_t)dy) - insn->pad[0];
	int x = (int)(p->x * insn->stride[1] + j * (uint32_t)dx) - insn->pad[1];

	if (y < 0 || y >= (int)insn->in[1] || x < 0 || x >= (int)insn->in[2])
		return -1;
	return (int64_t)index_of(insn->in, p->n, (uint64_t)y, (uint64_t)x, channel);
}

/*
 * Operations with a filter: scales such that results use the output's range, and
 * zero points. @taps is how many products a result sums up.
 */
static void pick_filter_quantization(struct ops_case *c, struct ops_random *random, uint32_t taps)
{
	struct npu_insn *insn = &c->insn;
	double filter_scale = ops_random_real(random, 0.002, 0.05);
	bool per_channel = pick(random, 0, 1);

	pick_types(c, random, 0x13, false);
	insn->zero[0] = pick_zero(c, random, 0);
	insn->zero[1] = per_channel && insn->is_signed & 2 ? 0 : pick_zero(c, random, 1);
	insn->zero[2] = pick_zero(c, random, 4);
	pick_clamp(c, random);
	c->in_scale = ops_random_real(random, 0.001, 0.2);
	c->out_scale = c->in_scale * filter_scale * sqrt(taps) * ops_random_real(random, 20, 200);
	c->filter_scale = calloc(insn->out[3], sizeof(*c->filter_scale));
	for (uint32_t i = 0; i < insn->out[3]; i++)
		c->filter_scale[i] =
			filter_scale * (per_channel ? ops_random_real(random, 0.3, 3) : 1);
	c->size[0] = bytes_of(insn->in);
	c->size[2] = 4 * insn->out[3];
	c->size[3] = 8 * insn->out[3];
	c->size[4] = bytes_of(insn->out);
}

static void fill_filter(struct ops_case *c, struct ops_random *random)
{
	for (uint32_t i = 0; i < c->insn.out[3]; i++) {
		double factor = c->in_scale * c->filter_scale[i] / c->out_scale;
		int32_t bias = (int32_t)(ops_random_real(random, -80, 80) / factor);
		struct npu_scale scale = encode(factor);

		memcpy(c->operand[2] + 4 * i, &bias, sizeof(bias));
		memcpy(c->operand[3] + 8 * i, &scale, sizeof(scale));
	}
}

static double bias_of(const struct ops_case *c, uint32_t channel)
{
	int32_t bias;

	memcpy(&bias, c->operand[2] + 4 * channel, sizeof(bias));
	return bias * c->in_scale * c->filter_scale[channel];
}

uint32_t ops_row_pitch(uint32_t taps)
{
	return (taps + 15) / 16 * 16;
}

static void make_conv2d(struct ops_case *c, struct ops_random *random)
{
	struct npu_insn *insn = &c->insn;
	uint32_t taps;

	pick_shape(random, insn->in, 9, pick(random, 0, 3) ? 8 : 160);
	insn->out[3] = pick(random, 1, 40);
	pick_window(c, random, true);
	if (!pick(random, 0, 3))
		insn->kernel[0] = insn->kernel[1] = 1, insn->pad[0] = insn->pad[1] = 0;
	for (unsigned int i = 0; i < 2; i++)
		if (insn->kernel[i] == 1)
			insn->out[1 + i] = (insn->in[1 + i] - 1) / insn->stride[i] + 1;
	taps = (uint32_t)insn->kernel[0] * insn->kernel[1] * insn->in[3];
	pick_filter_quantization(c, random, taps);
	c->size[1] = ops_row_pitch(taps) * insn->out[3];
}

static struct ops_expected expect_conv2d(const struct ops_case *c, uint32_t index)
{
	const struct npu_insn *insn = &c->insn;
	struct ops_position p = ops_position_of(insn->out, index);
	uint32_t pitch = ops_row_pitch((uint32_t)insn->kernel[0] * insn->kernel[1] * insn->in[3]);
	double sum = bias_of(c, p.c);

	for (uint32_t i = 0; i < insn->kernel[0]; i++)
		for (uint32_t j = 0; j < insn->kernel[1]; j++)
			for (uint32_t k = 0; k < insn->in[3]; k++) {
				int64_t in = ops_tap_of(insn, &p, i, j, k);
				uint32_t w =
					p.c * pitch + (i * insn->kernel[1] + j) * insn->in[3] + k;

				if (in >= 0)
					sum += real_of(c, 0, (uint64_t)in, c->in_scale, 0) *
					       real_of(c, 1, w, c->filter_scale[p.c], 1);
			}
	return (struct ops_expected){.value = sum};
}

static void make_depthwise2d(struct ops_case *c, struct ops_random *random)
{
	struct npu_insn *insn = &c->insn;
	uint32_t taps;

	pick_shape(random, insn->in, 9, 70);
	insn->out[3] = insn->in[3] * (pick(random, 0, 1) ? 1 : pick(random, 1, 3));
	pick_window(c, random, true);
	taps = (uint32_t)insn->kernel[0] * insn->kernel[1];
	pick_filter_quantization(c, random, taps);
	c->size[1] = taps * insn->out[3];
}

static struct ops_expected expect_depthwise2d(const struct ops_case *c, uint32_t index)
{
	const struct npu_insn *insn = &c->insn;
	struct ops_position p = ops_position_of(insn->out, index);
	uint32_t multiplier = insn->out[3] / insn->in[3];
	double sum = bias_of(c, p.c);

	for (uint32_t i = 0; i < insn->kernel[0]; i++)
		for (uint32_t j = 0; j < insn->kernel[1]; j++) {
			int64_t in = ops_tap_of(insn, &p, i, j, p.c / multiplier);
			uint32_t w = (i * insn->kernel[1] + j) * insn->out[3] + p.c;

			if (in >= 0)
				sum += real_of(c, 0, (uint64_t)in, c->in_scale, 0) *
				       real_of(c, 1, w, c->filter_scale[p.c], 1);
		}
	return (struct ops_expected){.value = sum};
}

static void make_fully_connected(struct ops_case *c, struct ops_random *random)
{
	struct npu_insn *insn = &c->insn;

	insn->in[0] = insn->out[0] = pick(random, 1, 6);
	insn->in[1] = insn->in[2] = insn->out[1] = insn->out[2] = 1;
	insn->in[3] = pick(random, 1, 700);
	insn->out[3] = pick(random, 1, 80);
	pick_filter_quantization(c, random, insn->in[3]);
	c->size[1] = ops_row_pitch(insn->in[3]) * insn->out[3];
}

static struct ops_expected expect_fully_connected(const struct ops_case *c, uint32_t index)
{
	const struct npu_insn *insn = &c->insn;
	uint32_t n = index / insn->out[3], channel = index % insn->out[3];
	double sum = bias_of(c, channel);

	for (uint32_t k = 0; k < insn->in[3]; k++)
		sum += real_of(c, 0, n * insn->in[3] + k, c->in_scale, 0) *
		       real_of(c, 1, channel * ops_row_pitch(insn->in[3]) + k,
			       c->filter_scale[channel], 1);
	return (struct ops_expected){.value = sum};
}

static void make_pool(struct ops_case *c, struct ops_random *random)
{
	struct npu_insn *insn = &c->insn;

	pick_shape(random, insn->in, 12, 70);
	insn->out[3] = insn->in[3];
	pick_window(c, random, false);
	pick_types(c, random, 3, true);
	pick_clamp(c, random);
	/* Pools know no quantization: a stored value is the real value. */
	c->in_scale = c->out_scale = 1;
	c->size[0] = bytes_of(insn->in);
	c->size[1] = bytes_of(insn->out);
}

static struct ops_expected expect_average_pool(const struct ops_case *c, uint32_t index)
{
	struct ops_position p = ops_position_of(c->insn.out, index);
	double sum = 0;
	int count = 0;

	for (uint32_t i = 0; i < c->insn.kernel[0]; i++)
		for (uint32_t j = 0; j < c->insn.kernel[1]; j++) {
			int64_t in = ops_tap_of(&c->insn, &p, i, j, p.c);

			if (in < 0)
				continue;
			sum += ops_case_stored(c, 0, (uint64_t)in);
			count++;
		}
	return (struct ops_expected){.value = sum / count};
}

static struct ops_expected expect_max_pool(const struct ops_case *c, uint32_t index)
{
	struct ops_position p = ops_position_of(c->insn.out, index);
	double max = -INFINITY;

	for (uint32_t i = 0; i < c->insn.kernel[0]; i++)
		for (uint32_t j = 0; j < c->insn.kernel[1]; j++) {
			int64_t in = ops_tap_of(&c->insn, &p, i, j, p.c);

			if (in >= 0)
				max = fmax(max, ops_case_stored(c, 0, (uint64_t)in));
		}
	return (struct ops_expected){.value = max};
}

static void make_add(struct ops_case *c, struct ops_random *random)
{
	struct npu_insn *insn = &c->insn;
	double twice;

	pick_shape(random, insn->in, 20, 40);
	memcpy(insn->out, insn->in, sizeof(insn->out));
	pick_types(c, random, 7, false);
	for (unsigned int i = 0; i < 3; i++)
		insn->zero[i] = pick_zero(c, random, i);
	pick_clamp(c, random);
	c->in_scale = ops_random_real(random, 0.001, 0.2);
	c->in2_scale = ops_random_real(random, 0.001, 0.2);
	c->out_scale = fmax(c->in_scale, c->in2_scale) * ops_random_real(random, 0.3, 3);
	twice = 2 * fmax(c->in_scale, c->in2_scale);
	insn->scale[0] = encode(c->in_scale / twice);
	insn->scale[1] = encode(c->in2_scale / twice);
	insn->scale[2] = encode(twice / (c->out_scale * 0x1p20));
	c->size[0] = c->size[1] = c->size[2] = bytes_of(insn->in);
}

static struct ops_expected expect_add(const struct ops_case *c, uint32_t index)
{
	return (struct ops_expected){.value = real_of(c, 0, index, c->in_scale, 0) +
					      real_of(c, 1, index, c->in2_scale, 1)};
}

static void make_pad(struct ops_case *c, struct ops_random *random)
{
	struct npu_insn *insn = &c->insn;

	pick_shape(random, insn->in, 12, 30);
	memcpy(insn->out, insn->in, sizeof(insn->out));
	for (unsigned int i = 0; i < 2; i++) {
		insn->pad[i] = (uint16_t)pick(random, 0, 5);
		insn->out[1 + i] += insn->pad[i] + pick(random, 0, 5);
	}
	pick_types(c, random, 3, true);
	insn->zero[2] = pick_zero(c, random, 1);
	c->in_scale = c->out_scale = 0.1;
	c->size[0] = bytes_of(insn->in);
	c->size[1] = bytes_of(insn->out);
}

static struct ops_expected expect_pad(const struct ops_case *c, uint32_t index)
{
	const struct npu_insn *insn = &c->insn;
	struct ops_position p = ops_position_of(insn->out, index);
	uint64_t y = p.y - insn->pad[0], x = p.x - insn->pad[1];

	if (p.y < insn->pad[0] || p.x < insn->pad[1] || y >= insn->in[1] || x >= insn->in[2])
		return (struct ops_expected){.value = 0};
	return (struct ops_expected){
		.value = real_of(c, 0, index_of(insn->in, p.n, y, x, p.c), c->in_scale, 2),
	};
}

static void make_mean(struct ops_case *c, struct ops_random *random)
{
	struct npu_insn *insn = &c->insn;

	pick_shape(random, insn->in, 15, 100);
	insn->out[0] = insn->in[0];
	insn->out[1] = insn->out[2] = 1;
	insn->out[3] = insn->in[3];
	pick_types(c, random, 3, false);
	insn->zero[0] = pick_zero(c, random, 0);
	insn->zero[2] = pick_zero(c, random, 1);
	pick_clamp(c, random);
	c->in_scale = ops_random_real(random, 0.001, 0.2);
	c->out_scale = c->in_scale * ops_random_real(random, 0.3, 3);
	insn->scale[0] = encode(c->in_scale / (c->out_scale * insn->in[1] * insn->in[2]));
	c->size[0] = bytes_of(insn->in);
	c->size[1] = bytes_of(insn->out);
}

static struct ops_expected expect_mean(const struct ops_case *c, uint32_t index)
{
	const struct npu_insn *insn = &c->insn;
	struct ops_position p = ops_position_of(insn->out, index);
	double sum = 0;

	for (uint32_t y = 0; y < insn->in[1]; y++)
		for (uint32_t x = 0; x < insn->in[2]; x++)
			sum += real_of(c, 0, index_of(insn->in, p.n, y, x, p.c), c->in_scale, 0);
	return (struct ops_expected){.value = sum / insn->in[1] / insn->in[2]};
}

static void make_softmax(struct ops_case *c, struct ops_random *random)
{
	struct npu_insn *insn = &c->insn;

	pick_shape(random, insn->in, 4, pick(random, 0, 1) ? 10 : 1001);
	memcpy(insn->out, insn->in, sizeof(insn->out));
	pick_types(c, random, 5, false);
	insn->zero[2] = type_min(c, 2);
	c->in_scale = ops_random_real(random, 0.001, 0.5);
	c->beta = ops_random_real(random, 0.2, 2);
	c->out_scale = 1 / 256.;
	c->size[0] = c->size[2] = bytes_of(insn->in);
	c->size[1] = 1024;
}

static void fill_softmax(struct ops_case *c, struct ops_random *random)
{
	(void)random;
	for (uint32_t d = 0; d < 256; d++) {
		uint32_t e = (uint32_t)llround(exp(-c->in_scale * c->beta * d) * 0x1p31);

		memcpy(c->operand[1] + 4 * d, &e, sizeof(e));
	}
}

static struct ops_expected expect_softmax(const struct ops_case *c, uint32_t index)
{
	uint32_t channels = c->insn.in[3], row = index / channels * channels;
	double factor = c->in_scale * c->beta, sum = 0;
	int self = ops_case_stored(c, 0, index);

	for (uint32_t i = 0; i < channels; i++)
		sum += exp(factor * (ops_case_stored(c, 0, row + i) - self));
	return (struct ops_expected){.value = 1 / sum};
}

/* Chunks of a tensor on their way into a larger one; input and output may each have gaps. */
static void make_requantize(struct ops_case *c, struct ops_random *random)
{
	struct npu_insn *insn = &c->insn;
	uint32_t count = pick(random, 1, 40), length = pick(random, 1, 60);

	for (unsigned int i = 0; i < 2; i++) {
		uint32_t *g = i ? insn->out : insn->in;
		uint32_t gap = pick(random, 0, 1) ? pick(random, 0, 30) : 0;

		insn->extra[i] = pick(random, 0, 1) ? pick(random, 0, 50) : 0;
		g[0] = count;
		g[1] = length;
		g[2] = length + gap;
		if (!i && !pick(random, 0, 5))
			g[2] = pick(random, 1, length); /* chunks of the input may overlap */
		g[3] = insn->extra[i] + (count - 1) * g[2] + length + pick(random, 0, 20);
		c->size[i] = g[3];
	}
	pick_types(c, random, 3, false);
	insn->zero[0] = pick_zero(c, random, 0);
	insn->zero[2] = pick_zero(c, random, 1);
	pick_clamp(c, random);
	c->in_scale = ops_random_real(random, 0.001, 0.2);
	c->out_scale = c->in_scale * ops_random_real(random, 0.3, 3);
	insn->scale[0] = encode(c->in_scale / c->out_scale);
}

static struct ops_expected expect_requantize(const struct ops_case *c, uint32_t index)
{
	const struct npu_insn *insn = &c->insn;
	uint64_t from = (uint64_t)index - insn->extra[1], k = from / insn->out[2];
	uint64_t i = from % insn->out[2];

	if (index < insn->extra[1] || k >= insn->out[0] || i >= insn->out[1])
		return (struct ops_expected){.untouched = true};
	return (struct ops_expected){
		.value = real_of(c, 0, insn->extra[0] + k * insn->in[2] + i, c->in_scale, 0),
	};
}

static void make_copy(struct ops_case *c, struct ops_random *random)
{
	c->insn.extra[0] = pick(random, 1, pick(random, 0, 1) ? 100 : 20000);
	c->in_scale = c->out_scale = 1;
	c->size[0] = c->size[1] = c->insn.extra[0];
}

static struct ops_expected expect_copy(const struct ops_case *c, uint32_t index)
{
	return (struct ops_expected){.value = ops_case_stored(c, 0, index)};
}

static void make_control(struct ops_case *c, struct ops_random *random)
{
	if (c->insn.opcode == NPU_OP_DELAY)
		c->insn.extra[0] = (uint32_t)ops_random_next(random);
	if (c->insn.opcode == NPU_OP_FAULT)
		c->insn.extra[0] = pick(random, NPU_RAISE_EXCEPTION, NPU_RAISE_ERROR);
}

static const struct ops_recipe recipes[] = {
	{NPU_OP_END, make_control, NULL, NULL},
	{NPU_OP_COPY, make_copy, NULL, expect_copy},
	{NPU_OP_DELAY, make_control, NULL, NULL},
	{NPU_OP_HANG, make_control, NULL, NULL},
	{NPU_OP_FAULT, make_control, NULL, NULL},
	{NPU_OP_CONV2D, make_conv2d, fill_filter, expect_conv2d},
	{NPU_OP_DEPTHWISE2D, make_depthwise2d, fill_filter, expect_depthwise2d},
	{NPU_OP_FULLY_CONNECTED, make_fully_connected, fill_filter, expect_fully_connected},
	{NPU_OP_AVERAGE_POOL, make_pool, NULL, expect_average_pool},
	{NPU_OP_MAX_POOL, make_pool, NULL, expect_max_pool},
	{NPU_OP_ADD, make_add, NULL, expect_add},
	{NPU_OP_PAD, make_pad, NULL, expect_pad},
	{NPU_OP_MEAN, make_mean, NULL, expect_mean},
	{NPU_OP_SOFTMAX, make_softmax, fill_softmax, expect_softmax},
	{NPU_OP_REQUANTIZE, make_requantize, NULL, expect_requantize},
};

const struct ops_recipe *ops_recipe_at(unsigned int i)
{
	return i < NPU_ARRAY_SIZE(recipes) ? &recipes[i] : NULL;
}

const struct ops_recipe *ops_recipe_find(uint16_t opcode)
{
	for (unsigned int i = 0; i < NPU_ARRAY_SIZE(recipes); i++)
		if (recipes[i].opcode == opcode)
			return &recipes[i];
	return NULL;
}

static void operand_init(struct ops_case *c, unsigned int i, struct ops_random *random,
			 bool guarded)
{
	size_t odd = guarded ? pick(random, 0, 15) : 0;

	c->guard = guarded ? GUARD : 0;
	c->memory[i] = malloc(c->size[i] + 2 * c->guard + odd);
	if (!c->memory[i])
		abort();
	if (guarded)
		memset(c->memory[i], GUARD_BYTE, c->size[i] + 2 * c->guard + odd);
	c->operand[i] = c->memory[i] + c->guard + odd;
	for (uint32_t k = 0; k < c->size[i]; k++)
		c->operand[i][k] = (uint8_t)ops_random_next(random);
}

void ops_case_init(struct ops_case *c, const struct ops_recipe *recipe, struct ops_random *random,
		   bool guarded)
{
	const struct npu_op *op = npu_op_find(recipe->opcode);

	memset(c, 0, sizeof(*c));
	c->recipe = recipe;
	c->insn.opcode = recipe->opcode;
	c->insn.version = NPU_ISA_VERSION;
	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++) {
		c->insn.slot[i] = op->operands[i] ? 8 * i : NPU_NO_SLOT;
		c->n_operands += op->operands[i] != NULL;
	}
	recipe->make(c, random);
	for (unsigned int i = 0; i < c->n_operands; i++)
		operand_init(c, i, random, guarded);
	if (recipe->fill)
		recipe->fill(c, random);
}

void ops_case_finish(struct ops_case *c)
{
	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++)
		free(c->memory[i]);
	free(c->filter_scale);
}

static bool guard_holds(const uint8_t *from, const uint8_t *to)
{
	while (from < to)
		if (*from++ != GUARD_BYTE)
			return false;
	return true;
}

bool ops_case_guards_hold(const struct ops_case *c)
{
	for (unsigned int i = 0; i < c->n_operands; i++) {
		const uint8_t *end = c->operand[i] + c->size[i];

		if (!guard_holds(c->memory[i], c->operand[i]) || !guard_holds(end, end + c->guard))
			return false;
	}
	return true;
}
