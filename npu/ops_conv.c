/* SPDX-License-Identifier: MIT */
/*
 * conv2d and fully_connected: inner products of windows and filters.
 *
 * A unit is a tile of output positions × channels. A tile's windows are flattened
 * into int16 differences from the zero point, CHUNK taps at a time, and multiplied
 * with the rows of the filter, which are read in place: one row for all
 * positions. Padding and the filler of the rows are differences of 0, so the loop
 * over taps has no exceptions and its length is a multiple of FILLER: compilers
 * make the multiply-add instructions of any vector unit of it.
 *
 * Filter bytes are taken as unsigned, their zero point is subtracted for a whole
 * chunk: sum(x * (w - z)) = sum(x * w) - z * sum(x). |x| <= 255 and w <= 255, so
 * 32 bits are ample for a chunk; across chunks sums wrap around.
 */
#include "npu/ops_internal.h"

#define POSITIONS 4u
#define CHANNELS 32u
#define CHUNK 128u
#define FILLER 16u

struct conv {
	const struct npu_insn *insn;
	struct npu_window window;
	const uint8_t *in, *filter, *bias, *scales;
	uint8_t *out;
	uint32_t positions, tiles; /* of the output; tiles = groups of POSITIONS */
	uint32_t taps, pitch;	   /* of a filter row */
	/*
	 * A window consists of equal segments of consecutive input bytes: rows of
	 * the kernel, or single taps where dilation sets them apart.
	 */
	uint32_t segment, row_segments;
	uint8_t in_flip, filter_flip;
	int16_t in_zero;     /* of flipped bytes */
	int32_t filter_zero; /* of flipped bytes */
};

static uint64_t taps_of(const struct npu_insn *insn)
{
	struct npu_window window;

	npu_window_init(&window, insn);
	return npu_mul((uint64_t)window.kernel[0] * window.kernel[1], insn->in[3]);
}

static const char *conv_need(const struct npu_insn *insn, struct npu_need *need)
{
	uint64_t taps = taps_of(insn), pitch;

	if (taps > NPU_MAX_TAPS)
		return "a filter has more than 2^20 taps";
	pitch = npu_div_up(taps, FILLER) * FILLER;
	need->size[0] = npu_elements(insn->in);
	need->size[1] = pitch * insn->out[3];
	need->size[2] = 4 * (uint64_t)insn->out[3];
	need->size[3] = 8 * (uint64_t)insn->out[3];
	need->size[4] = npu_elements(insn->out);
	need->units = npu_div_up(npu_positions(insn->out), POSITIONS) *
		      npu_div_up(insn->out[3], CHANNELS);
	need->unit_cost = POSITIONS * CHANNELS * pitch;
	return NULL;
}

const char *npu_conv2d_check(const struct npu_insn *insn, struct npu_need *need)
{
	const char *why = npu_window_check(insn);

	return why ? why : conv_need(insn, need);
}

const char *npu_fully_connected_check(const struct npu_insn *insn, struct npu_need *need)
{
	if (insn->in[1] != 1 || insn->in[2] != 1 || insn->out[1] != 1 || insn->out[2] != 1)
		return "height or width is not 1";
	if (insn->in[0] != insn->out[0])
		return "input and output differ in N";
	return conv_need(insn, need);
}

static void conv_init(struct conv *c, const struct npu_insn *insn, uint8_t *const *operand)
{
	bool rows;

	npu_window_init(&c->window, insn);
	rows = c->window.dilation[1] == 1;
	c->insn = insn;
	c->in = operand[0];
	c->filter = operand[1];
	c->bias = operand[2];
	c->scales = operand[3];
	c->out = operand[4];
	c->positions = (uint32_t)npu_positions(insn->out);
	c->tiles = (uint32_t)npu_div_up(c->positions, POSITIONS);
	c->taps = (uint32_t)taps_of(insn);
	c->pitch = (uint32_t)npu_div_up(c->taps, FILLER) * FILLER;
	c->segment = rows ? c->window.kernel[1] * insn->in[3] : insn->in[3];
	c->row_segments = rows ? 1 : c->window.kernel[1];
	c->in_flip = npu_flip(insn, 0);
	c->filter_flip = npu_flip(insn, 1);
	c->in_zero = (int16_t)(insn->zero[0] + c->in_flip);
	c->filter_zero = insn->zero[1] + c->filter_flip;
}

static void widen(const struct conv *c, const uint8_t *in, uint32_t n, int16_t *restrict x)
{
	uint8_t flip = c->in_flip;
	int16_t zero = c->in_zero;

	for (uint32_t i = 0; i < n; i++)
		x[i] = (int16_t)((uint8_t)(in[i] ^ flip) - zero);
}

static uint32_t clip(int64_t value, uint32_t low, uint32_t high)
{
	if (value < low)
		return low;
	return value > high ? high : (uint32_t)value;
}

/* @n elements of segment @index of a window, from element @e. */
static void gather_segment(const struct conv *c, const struct npu_place *place, uint32_t index,
			   uint32_t e, uint32_t n, int16_t *restrict x)
{
	const uint32_t *shape = c->insn->in;
	uint32_t i = index / c->row_segments, j = index % c->row_segments;
	int64_t row = (int64_t)shape[2] * shape[3];
	int64_t y = place->y + (int64_t)i * c->window.dilation[0];
	int64_t start = (place->x + (int64_t)j * c->window.dilation[1]) * shape[3] + e;
	bool inside = y >= 0 && y < shape[1];
	uint32_t low = inside ? clip(-start, 0, n) : n;
	uint32_t high = inside ? clip(row - start, low, n) : n;

	if (low)
		memset(x, 0, low * sizeof(*x));
	if (high > low)
		widen(c, c->in + ((int64_t)place->n * shape[1] + y) * row + start + low, high - low,
		      x + low);
	if (n > high)
		memset(x + high, 0, (n - high) * sizeof(*x));
}

/* Taps [@first, @first + @n) of the window at output position @index; returns their sum. */
static int32_t gather(const struct conv *c, uint32_t index, uint32_t first, uint32_t n,
		      int16_t *restrict x)
{
	struct npu_place place = npu_window_place(&c->window, c->insn, index);
	uint32_t segment = first / c->segment, e = first % c->segment;
	uint32_t padded = (n + FILLER - 1) / FILLER * FILLER;
	int32_t sum = 0;

	for (uint32_t done = 0, length; done < n; done += length) {
		length = npu_min(c->segment - e, n - done);
		gather_segment(c, &place, segment++, e, length, x + done);
		e = 0;
	}
	for (uint32_t i = n; i < padded; i++)
		x[i] = 0;
	for (uint32_t i = 0; i < padded; i++)
		sum += x[i];
	return sum;
}

static void dot4(const int16_t (*restrict x)[CHUNK], const uint8_t *restrict w, uint32_t n,
		 uint8_t flip, int32_t ret[POSITIONS])
{
	int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;

	n &= ~(FILLER - 1);
	for (uint32_t i = 0; i < n; i++) {
		int16_t v = (uint8_t)(w[i] ^ flip);

		s0 += x[0][i] * v;
		s1 += x[1][i] * v;
		s2 += x[2][i] * v;
		s3 += x[3][i] * v;
	}
	ret[0] = s0;
	ret[1] = s1;
	ret[2] = s2;
	ret[3] = s3;
}

static int32_t dot1(const int16_t *restrict x, const uint8_t *restrict w, uint32_t n, uint8_t flip)
{
	int32_t s = 0;

	n &= ~(FILLER - 1);
	for (uint32_t i = 0; i < n; i++)
		s += x[i] * (int16_t)(uint8_t)(w[i] ^ flip);
	return s;
}

struct tile {
	uint32_t position, n_positions;
	uint32_t channel, n_channels;
	uint32_t acc[CHANNELS][POSITIONS]; /* wrap around */
};

/* Add taps [@first, @first + @n) to the tile. */
static void tile_accumulate(const struct conv *c, struct tile *tile, uint32_t first, uint32_t n)
{
	const uint8_t *w = c->filter + (size_t)tile->channel * c->pitch + first;
	uint32_t padded = (n + FILLER - 1) / FILLER * FILLER;
	int16_t x[POSITIONS][CHUNK];
	int32_t correction[POSITIONS] = {0};

	for (uint32_t p = 0; p < tile->n_positions; p++)
		correction[p] = gather(c, tile->position + p, first, n, x[p]) * c->filter_zero;
	for (uint32_t p = tile->n_positions; p > 1 && p < POSITIONS; p++)
		memset(x[p], 0, padded * sizeof(x[p][0]));

	for (uint32_t k = 0; k < tile->n_channels; k++, w += c->pitch) {
		int32_t sums[POSITIONS] = {0};

		if (tile->n_positions == 1)
			sums[0] = dot1(x[0], w, padded, c->filter_flip);
		else
			dot4(x, w, padded, c->filter_flip, sums);
		for (uint32_t p = 0; p < POSITIONS; p++)
			tile->acc[k][p] += (uint32_t)(sums[p] - correction[p]);
	}
}

static void tile_begin(const struct conv *c, struct tile *tile, uint32_t unit)
{
	tile->position = unit % c->tiles * POSITIONS;
	tile->channel = unit / c->tiles * CHANNELS;
	tile->n_positions = npu_min(c->positions - tile->position, POSITIONS);
	tile->n_channels = npu_min(c->insn->out[3] - tile->channel, CHANNELS);
	for (uint32_t k = 0; k < tile->n_channels; k++) {
		uint32_t bias = npu_load32(c->bias + 4 * (size_t)(tile->channel + k));

		for (uint32_t p = 0; p < POSITIONS; p++)
			tile->acc[k][p] = bias;
	}
}

static void tile_store(const struct conv *c, const struct tile *tile)
{
	uint32_t channels = c->insn->out[3];
	uint8_t *out = c->out + (size_t)tile->position * channels + tile->channel;

	for (uint32_t k = 0; k < tile->n_channels; k++) {
		struct npu_scale scale = npu_load_scale(c->scales, tile->channel + k);

		for (uint32_t p = 0; p < tile->n_positions; p++)
			out[(size_t)p * channels + k] =
				npu_quantize(c->insn, (int32_t)tile->acc[k][p], scale);
	}
}

void npu_conv2d_run(const struct npu_insn *insn, uint8_t *const operand[NPU_MAX_OPERANDS],
		    uint32_t first, uint32_t count)
{
	struct conv c;
	struct tile tile;

	conv_init(&c, insn, operand);
	for (uint32_t i = 0; i < count; i++) {
		tile_begin(&c, &tile, first + i);
		for (uint32_t tap = 0; tap < c.taps; tap += CHUNK)
			tile_accumulate(&c, &tile, tap, npu_min(c.taps - tap, CHUNK));
		tile_store(&c, &tile);
	}
}

void npu_fully_connected_run(const struct npu_insn *insn, uint8_t *const operand[NPU_MAX_OPERANDS],
			     uint32_t first, uint32_t count)
{
	npu_conv2d_run(insn, operand, first, count);
}
