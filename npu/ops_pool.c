/* SPDX-License-Identifier: MIT */
/* average_pool, max_pool and mean. */
#include "npu/ops_internal.h"

#define CHANNELS 32u /* that are computed together */

static const char *pool_check(const struct npu_insn *insn, struct npu_need *need)
{
	uint64_t taps = (uint64_t)insn->kernel[0] * insn->kernel[1];

	if (npu_is_signed(insn, 0) != npu_is_signed(insn, 1))
		return "input and output differ in type";
	if (insn->in[3] != insn->out[3])
		return "input and output differ in C";
	if (taps > NPU_MAX_TAPS)
		return "a window has more than 2^20 taps";
	need->size[0] = npu_elements(insn->in);
	need->size[1] = npu_elements(insn->out);
	need->units = npu_positions(insn->out);
	need->unit_cost = taps * insn->out[3];
	return npu_window_check(insn);
}

const char *npu_average_pool_check(const struct npu_insn *insn, struct npu_need *need)
{
	return pool_check(insn, need);
}

const char *npu_max_pool_check(const struct npu_insn *insn, struct npu_need *need)
{
	return pool_check(insn, need);
}

/* The part of a window that lies in the input: @height rows of @width pixels. */
struct area {
	const uint8_t *in;
	uint32_t height, width;
};

static struct area area_of(const struct npu_insn *insn, const uint8_t *in, uint32_t position)
{
	struct npu_window window;
	struct npu_place place;
	struct npu_taps rows, columns;
	int64_t pixel;

	npu_window_init(&window, insn);
	place = npu_window_place(&window, insn, position);
	rows = npu_window_taps(&window, insn, place.y, 0);
	columns = npu_window_taps(&window, insn, place.x, 1);
	pixel = ((int64_t)place.n * insn->in[1] + place.y + rows.first) * insn->in[2] + place.x +
		columns.first;
	return (struct area){
		.in = in + pixel * insn->in[3],
		.height = rows.end - rows.first,
		.width = columns.end - columns.first,
	};
}

/* Flipped bytes of @n channels, summed up: at most 2^20 taps of 255. */
static void area_sum(const struct npu_insn *insn, const struct area *area, uint32_t channel,
		     uint32_t n, int32_t sum[CHANNELS])
{
	uint8_t flip = npu_flip(insn, 0);
	size_t pixel = insn->in[3], row = pixel * insn->in[2];

	memset(sum, 0, CHANNELS * sizeof(*sum));
	for (uint32_t y = 0; y < area->height; y++) {
		const uint8_t *in = area->in + y * row + channel;

		for (uint32_t x = 0; x < area->width; x++, in += pixel)
			for (uint32_t i = 0; i < n; i++)
				sum[i] += (uint8_t)(in[i] ^ flip);
	}
}

/* To nearest, ties away from zero. */
static int32_t divide_round(int32_t sum, int32_t count)
{
	return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

void npu_average_pool_run(const struct npu_insn *insn, uint8_t *const operand[NPU_MAX_OPERANDS],
			  uint32_t first, uint32_t count)
{
	uint32_t channels = insn->out[3];
	int32_t sum[CHANNELS];

	for (uint32_t u = 0; u < count; u++) {
		struct area area = area_of(insn, operand[0], first + u);
		uint8_t *out = operand[1] + (size_t)(first + u) * channels;
		int32_t taps = (int32_t)(area.height * area.width);
		int32_t shift = npu_flip(insn, 0) * taps;

		for (uint32_t c = 0, n; c < channels; c += n) {
			n = npu_min(channels - c, CHANNELS);
			area_sum(insn, &area, c, n, sum);
			for (uint32_t i = 0; i < n; i++)
				out[c + i] = npu_clamp(insn, divide_round(sum[i] - shift, taps));
		}
	}
}

static void area_max(const struct npu_insn *insn, const struct area *area, uint32_t channel,
		     uint32_t n, uint8_t max[CHANNELS])
{
	uint8_t flip = npu_flip(insn, 0);
	size_t pixel = insn->in[3], row = pixel * insn->in[2];

	memset(max, 0, CHANNELS);
	for (uint32_t y = 0; y < area->height; y++) {
		const uint8_t *in = area->in + y * row + channel;

		for (uint32_t x = 0; x < area->width; x++, in += pixel)
			for (uint32_t i = 0; i < n; i++) {
				uint8_t v = in[i] ^ flip;

				max[i] = max[i] > v ? max[i] : v;
			}
	}
}

void npu_max_pool_run(const struct npu_insn *insn, uint8_t *const operand[NPU_MAX_OPERANDS],
		      uint32_t first, uint32_t count)
{
	uint32_t channels = insn->out[3];
	uint8_t max[CHANNELS];

	for (uint32_t u = 0; u < count; u++) {
		struct area area = area_of(insn, operand[0], first + u);
		uint8_t *out = operand[1] + (size_t)(first + u) * channels;

		for (uint32_t c = 0, n; c < channels; c += n) {
			n = npu_min(channels - c, CHANNELS);
			area_max(insn, &area, c, n, max);
			for (uint32_t i = 0; i < n; i++)
				out[c + i] = npu_clamp(insn, max[i] - npu_flip(insn, 0));
		}
	}
}

const char *npu_mean_check(const struct npu_insn *insn, struct npu_need *need)
{
	uint64_t pixels = npu_mul(insn->in[1], insn->in[2]);

	if (insn->out[1] != 1 || insn->out[2] != 1)
		return "the output's height or width is not 1";
	if (insn->in[0] != insn->out[0] || insn->in[3] != insn->out[3])
		return "input and output differ in N or C";
	if (pixels > NPU_MAX_TAPS)
		return "more than 2^20 positions are averaged";
	need->size[0] = npu_elements(insn->in);
	need->size[1] = npu_elements(insn->out);
	need->units = insn->out[0] * npu_div_up(insn->out[3], CHANNELS);
	need->unit_cost = CHANNELS * pixels;
	return NULL;
}

static void mean_unit(const struct npu_insn *insn, uint8_t *const *operand, uint32_t unit)
{
	uint32_t channels = insn->in[3], blocks = (channels - 1) / CHANNELS + 1;
	uint32_t batch = unit / blocks, channel = unit % blocks * CHANNELS;
	uint32_t n = npu_min(channels - channel, CHANNELS), pixels = insn->in[1] * insn->in[2];
	struct area area = {
		.in = operand[0] + (size_t)batch * pixels * channels,
		.height = insn->in[1],
		.width = insn->in[2],
	};
	int32_t shift = (insn->zero[0] + npu_flip(insn, 0)) * (int32_t)pixels;
	uint8_t *out = operand[1] + (size_t)batch * channels + channel;
	int32_t sum[CHANNELS];

	area_sum(insn, &area, channel, n, sum);
	for (uint32_t i = 0; i < n; i++)
		out[i] = npu_quantize(insn, sum[i] - shift, insn->scale[0]);
}

void npu_mean_run(const struct npu_insn *insn, uint8_t *const operand[NPU_MAX_OPERANDS],
		  uint32_t first, uint32_t count)
{
	for (uint32_t u = 0; u < count; u++)
		mean_unit(insn, operand, first + u);
}
