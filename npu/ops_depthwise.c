/* SPDX-License-Identifier: MIT */
/* depthwise2d: each input channel has out.C / in.C filters of its own. A unit is one position. */
#include "npu/ops_internal.h"

#define CHANNELS 32u /* that are accumulated together */

struct depthwise {
	const struct npu_insn *insn;
	struct npu_window window;
	const uint8_t *in, *filter, *bias, *scales;
	uint8_t *out;
	uint32_t multiplier;
	uint8_t in_flip, filter_flip;
	int16_t in_zero, filter_zero; /* of flipped bytes */
};

const char *npu_depthwise2d_check(const struct npu_insn *insn, struct npu_need *need)
{
	uint64_t filter = npu_mul((uint64_t)insn->kernel[0] * insn->kernel[1], insn->out[3]);

	if (insn->out[3] % insn->in[3])
		return "the output's channels are no multiple of the input's";
	need->size[0] = npu_elements(insn->in);
	need->size[1] = filter;
	need->size[2] = 4 * (uint64_t)insn->out[3];
	need->size[3] = 8 * (uint64_t)insn->out[3];
	need->size[4] = npu_elements(insn->out);
	need->units = npu_positions(insn->out);
	need->unit_cost = filter;
	return npu_window_check(insn);
}

static void depthwise_init(struct depthwise *d, const struct npu_insn *insn,
			   uint8_t *const *operand)
{
	npu_window_init(&d->window, insn);
	d->insn = insn;
	d->in = operand[0];
	d->filter = operand[1];
	d->bias = operand[2];
	d->scales = operand[3];
	d->out = operand[4];
	d->multiplier = insn->out[3] / insn->in[3];
	d->in_flip = npu_flip(insn, 0);
	d->filter_flip = npu_flip(insn, 1);
	d->in_zero = (int16_t)(insn->zero[0] + d->in_flip);
	d->filter_zero = (int16_t)(insn->zero[1] + d->filter_flip);
}

/* One tap for @n channels. */
static inline void accumulate(const struct depthwise *d, const uint8_t *restrict x,
			      const uint8_t *restrict w, uint32_t n, uint32_t *restrict acc)
{
	uint8_t in_flip = d->in_flip, filter_flip = d->filter_flip;
	int16_t in_zero = d->in_zero, filter_zero = d->filter_zero;

	for (uint32_t i = 0; i < n; i++) {
		int16_t a = (int16_t)((uint8_t)(x[i] ^ in_flip) - in_zero);
		int16_t b = (int16_t)((uint8_t)(w[i] ^ filter_flip) - filter_zero);

		acc[i] += (uint32_t)(a * b);
	}
}

/* Input bytes of output channels [@channel, @channel + @n) at the pixel @in. */
static const uint8_t *spread(const struct depthwise *d, const uint8_t *in, uint32_t channel,
			     uint32_t n, uint8_t buffer[CHANNELS])
{
	if (d->multiplier == 1)
		return in + channel;
	for (uint32_t i = 0; i < n; i++)
		buffer[i] = in[(channel + i) / d->multiplier];
	return buffer;
}

static void block_run(const struct depthwise *d, const struct npu_place *place,
		      struct npu_taps rows, struct npu_taps columns, uint32_t channel, uint32_t n,
		      uint32_t acc[CHANNELS])
{
	const uint32_t *shape = d->insn->in;
	uint8_t buffer[CHANNELS];

	for (uint32_t i = rows.first; i < rows.end; i++) {
		int64_t y = place->y + (int64_t)i * d->window.dilation[0];

		for (uint32_t j = columns.first; j < columns.end; j++) {
			int64_t x = place->x + (int64_t)j * d->window.dilation[1];
			const uint8_t *in = d->in + (((int64_t)place->n * shape[1] + y) * shape[2] +
						     x) * shape[3];
			const uint8_t *w = d->filter + channel +
					   ((size_t)i * d->window.kernel[1] + j) * d->insn->out[3];

			in = spread(d, in, channel, n, buffer);
			if (n == CHANNELS)
				accumulate(d, in, w, CHANNELS, acc);
			else
				accumulate(d, in, w, n, acc);
		}
	}
}

static void position_run(const struct depthwise *d, uint32_t position)
{
	struct npu_place place = npu_window_place(&d->window, d->insn, position);
	struct npu_taps rows = npu_window_taps(&d->window, d->insn, place.y, 0);
	struct npu_taps columns = npu_window_taps(&d->window, d->insn, place.x, 1);
	uint32_t channels = d->insn->out[3];
	uint8_t *out = d->out + (size_t)position * channels;
	uint32_t acc[CHANNELS];

	for (uint32_t c = 0, n; c < channels; c += n) {
		n = npu_min(channels - c, CHANNELS);
		for (uint32_t i = 0; i < n; i++)
			acc[i] = npu_load32(d->bias + 4 * (size_t)(c + i));
		block_run(d, &place, rows, columns, c, n, acc);
		for (uint32_t i = 0; i < n; i++)
			out[c + i] = npu_quantize(d->insn, (int32_t)acc[i],
						  npu_load_scale(d->scales, c + i));
	}
}

void npu_depthwise2d_run(const struct npu_insn *insn, uint8_t *const operand[NPU_MAX_OPERANDS],
			 uint32_t first, uint32_t count)
{
	struct depthwise d;

	depthwise_init(&d, insn, operand);
	for (uint32_t i = 0; i < count; i++)
		position_run(&d, first + i);
}
