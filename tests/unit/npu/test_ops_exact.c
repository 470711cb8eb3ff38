/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of docs/instruction-set.md to the last bit, also for constants
 * that no compiler would write: formulas taken literally, in 128 bits.
 */
#include "ops_cases.h"

#include <criterion/criterion.h>
#include <string.h>

#define ROUNDS 200

static __int128 floor_divide(__int128 a, __int128 b)
{
	return a / b - (a % b < 0);
}

static int32_t saturate(__int128 x)
{
	if (x > INT32_MAX)
		return INT32_MAX;
	return x < INT32_MIN ? INT32_MIN : (int32_t)x;
}

static int32_t scale_exactly(int32_t x, struct npu_scale s)
{
	__int128 left = (__int128)1 << (s.shift > 0 ? s.shift : 0);
	__int128 right = (__int128)1 << (s.shift < 0 ? -s.shift : 0);
	__int128 h = floor_divide((__int128)saturate(x * left) * s.multiplier + (1 << 30),
				  (__int128)1 << 31);

	/* Away from zero: round the magnitude, ties up, and give it back its sign. */
	if (right > 1)
		h = h < 0 ? -floor_divide(-h + right / 2, right)
			  : floor_divide(h + right / 2, right);
	return saturate(h);
}

static struct npu_scale scale_at(const struct ops_case *c, uint32_t channel)
{
	struct npu_scale s;

	memcpy(&s, c->operand[3] + 8 * channel, sizeof(s));
	if (s.shift < -31)
		s.shift = -31;
	if (s.shift > 30)
		s.shift = 30;
	return s;
}

static int clamp(const struct ops_case *c, int64_t value)
{
	if (value < c->insn.act_min)
		return c->insn.act_min;
	return value > c->insn.act_max ? c->insn.act_max : (int)value;
}

static int quantize(const struct ops_case *c, int32_t x, struct npu_scale s)
{
	return clamp(c, (int64_t)scale_exactly(x, s) + c->insn.zero[2]);
}

static int64_t difference(const struct ops_case *c, unsigned int operand, uint64_t index)
{
	return ops_case_stored(c, operand, index) - c->insn.zero[operand];
}

/* Bias plus products, modulo 2^32. A depthwise tap has one input channel, others have all. */
static int exact_filter(const struct ops_case *c, uint32_t index)
{
	const struct npu_insn *insn = &c->insn;
	struct ops_position p = ops_position_of(insn->out, index);
	bool depthwise = insn->opcode == NPU_OP_DEPTHWISE2D;
	uint32_t rows = insn->kernel[0] ? insn->kernel[0] : 1;
	uint32_t columns = insn->kernel[1] ? insn->kernel[1] : 1;
	uint32_t depth = depthwise ? 1 : insn->in[3];
	uint32_t first = depthwise ? p.c / (insn->out[3] / insn->in[3]) : 0;
	int32_t bias;
	int64_t sum;

	memcpy(&bias, c->operand[2] + 4 * p.c, sizeof(bias));
	sum = bias;
	for (uint32_t i = 0; i < rows; i++)
		for (uint32_t j = 0; j < columns; j++)
			for (uint32_t k = 0; k < depth; k++) {
				int64_t in = ops_tap_of(insn, &p, i, j, first + k);
				uint32_t tap = i * columns + j, w;

				w = depthwise ? tap * insn->out[3] + p.c
					      : p.c * ops_row_pitch(rows * columns * depth) +
							tap * depth + k;
				if (in >= 0)
					sum += difference(c, 0, (uint64_t)in) * difference(c, 1, w);
			}
	return quantize(c, (int32_t)(uint32_t)(uint64_t)sum, scale_at(c, p.c));
}

static int exact_average_pool(const struct ops_case *c, uint32_t index)
{
	struct ops_position p = ops_position_of(c->insn.out, index);
	int sum = 0, count = 0, rounded;

	for (uint32_t i = 0; i < c->insn.kernel[0]; i++)
		for (uint32_t j = 0; j < c->insn.kernel[1]; j++) {
			int64_t in = ops_tap_of(&c->insn, &p, i, j, p.c);

			if (in >= 0)
				sum += ops_case_stored(c, 0, (uint64_t)in), count++;
		}
	/* |sum| / count, ties up, with its sign again */
	rounded = (2 * abs(sum) + count) / (2 * count);
	return clamp(c, sum < 0 ? -rounded : rounded);
}

static int exact_max_pool(const struct ops_case *c, uint32_t index)
{
	return clamp(c, (int64_t)c->recipe->expect(c, index).value);
}

static int exact_add(const struct ops_case *c, uint32_t index)
{
	int32_t a = scale_exactly((int32_t)(difference(c, 0, index) * (1 << 20)), c->insn.scale[0]);
	int32_t b = scale_exactly((int32_t)(difference(c, 1, index) * (1 << 20)), c->insn.scale[1]);
	int64_t sum = (int64_t)a + b;

	if (sum > INT32_MAX)
		sum = INT32_MAX;
	if (sum < INT32_MIN)
		sum = INT32_MIN;
	return quantize(c, (int32_t)sum, c->insn.scale[2]);
}

static int exact_mean(const struct ops_case *c, uint32_t index)
{
	struct ops_position p = ops_position_of(c->insn.out, index);
	uint32_t pixels = c->insn.in[1] * c->insn.in[2];
	int64_t sum = 0;

	for (uint32_t i = 0; i < pixels; i++)
		sum += difference(c, 0, (uint64_t)(p.n * pixels + i) * c->insn.in[3] + p.c);
	return quantize(c, (int32_t)sum, c->insn.scale[0]);
}

static uint32_t exponential(const struct ops_case *c, int d)
{
	uint32_t e;

	memcpy(&e, c->operand[1] + 4 * d, sizeof(e));
	return e;
}

static int exact_softmax(const struct ops_case *c, uint32_t index)
{
	uint32_t channels = c->insn.in[3], row = index / channels * channels;
	int max = -128, self = ops_case_stored(c, 0, index);
	unsigned __int128 sum = 0, q;

	for (uint32_t i = 0; i < channels; i++)
		if (ops_case_stored(c, 0, row + i) > max)
			max = ops_case_stored(c, 0, row + i);
	for (uint32_t i = 0; i < channels; i++)
		sum += exponential(c, max - ops_case_stored(c, 0, row + i));
	q = sum ? ((unsigned __int128)exponential(c, max - self) * 256 + sum / 2) / sum : 0;
	return c->insn.zero[2] + (q < 255 ? (int)q : 255);
}

/* Only of elements that are written. */
static int exact_requantize(const struct ops_case *c, uint32_t index)
{
	const struct npu_insn *insn = &c->insn;
	uint32_t from = index - insn->extra[1], k = from / insn->out[2], i = from % insn->out[2];

	return quantize(c, (int32_t)difference(c, 0, insn->extra[0] + k * insn->in[2] + i),
			insn->scale[0]);
}

/* Operations without arithmetic: what is expected in real numbers is exact. */
static int exact_bytes(const struct ops_case *c, uint32_t index)
{
	double stored = c->recipe->expect(c, index).value / c->out_scale + c->insn.zero[2];

	return (int)(stored < 0 ? stored - 0.5 : stored + 0.5);
}

static int (*const exact[32])(const struct ops_case *c, uint32_t index) = {
	[NPU_OP_COPY] = exact_bytes,
	[NPU_OP_CONV2D] = exact_filter,
	[NPU_OP_DEPTHWISE2D] = exact_filter,
	[NPU_OP_FULLY_CONNECTED] = exact_filter,
	[NPU_OP_AVERAGE_POOL] = exact_average_pool,
	[NPU_OP_MAX_POOL] = exact_max_pool,
	[NPU_OP_ADD] = exact_add,
	[NPU_OP_PAD] = exact_bytes,
	[NPU_OP_MEAN] = exact_mean,
	[NPU_OP_SOFTMAX] = exact_softmax,
	[NPU_OP_REQUANTIZE] = exact_requantize,
};

/* Any legal scales instead of sensible ones, and constants that are noise. */
static void make_odd(struct ops_case *c, struct npu_demand *demand, struct ops_random *random)
{
	for (unsigned int i = 0; i < NPU_ARRAY_SIZE(c->insn.scale); i++) {
		if (!c->insn.scale[i].multiplier)
			continue;
		c->insn.scale[i].multiplier = (int32_t)ops_random_range(random, 1 << 30, INT32_MAX);
		c->insn.scale[i].shift = (int32_t)ops_random_range(random, -31, 30);
	}
	for (unsigned int i = 1; i < c->n_operands; i++)
		for (uint32_t k = 0; k < c->size[i]; k++)
			if (demand->kind[i] == NPU_OPERAND_CONSTANT)
				c->operand[i][k] = (uint8_t)ops_random_next(random);
	/* Most shifts of noise are far out of range: let some be in it. */
	for (uint32_t k = 0; demand->kind[3] == NPU_OPERAND_CONSTANT && k < c->insn.out[3]; k++) {
		int32_t shift = (int32_t)ops_random_range(random, -34, 33);

		if (k % 4)
			memcpy(c->operand[3] + 8 * k + 4, &shift, sizeof(shift));
	}
}

Test(ops_exact, every_byte_is_what_the_manual_says)
{
	struct ops_random random;

	ops_random_init(&random);
	for (unsigned int i = 0; ops_recipe_at(i); i++)
		for (unsigned int round = 0; ops_recipe_at(i)->expect && round < ROUNDS; round++) {
			struct npu_demand demand;
			struct ops_case c;
			unsigned int out;

			ops_case_init(&c, ops_recipe_at(i), &random, true);
			cr_assert_null(npu_insn_check(&c.insn, &demand));
			if (round % 2)
				make_odd(&c, &demand, &random);
			cr_assert_null(npu_insn_check(&c.insn, &demand));
			npu_insn_run(&c.insn, c.operand, 0, demand.units);
			out = ops_case_output(&c);
			for (uint32_t k = 0; k < c.size[out]; k++) {
				if (c.recipe->expect(&c, k).untouched)
					continue;
				if (ops_case_stored(&c, out, k) != exact[c.insn.opcode](&c, k))
					cr_assert(false, "%s: element %u is %d, not %d",
						  npu_op_find(c.insn.opcode)->name, k,
						  ops_case_stored(&c, out, k),
						  exact[c.insn.opcode](&c, k));
			}
			ops_case_finish(&c);
		}
}

Test(ops_exact, scaling_rounds_and_saturates_for_all_values)
{
	static const int32_t edges[] = {INT32_MIN, INT32_MIN + 1, -(1 << 30),	 -1,	   0, 1, 2,
					3,	   1 << 30,	  INT32_MAX - 1, INT32_MAX};
	struct ops_random random;

	ops_random_init(&random);
	for (unsigned int i = 0; i < 200000; i++) {
		int32_t x = (int32_t)ops_random_next(&random);
		struct npu_scale s = {(int32_t)ops_random_next(&random),
				      (int32_t)ops_random_range(&random, -31, 30)};

		x >>= ops_random_range(&random, 0, 31);
		if (i % 2)
			x = edges[i / 2 % NPU_ARRAY_SIZE(edges)];
		if (i % 3)
			s.multiplier = edges[i / 3 % NPU_ARRAY_SIZE(edges)];
		if (npu_scale_apply(x, s) != scale_exactly(x, s))
			cr_assert(false, "%d * {%d, %d} is %d, not %d", x, s.multiplier, s.shift,
				  npu_scale_apply(x, s), scale_exactly(x, s));
	}
}

Test(ops_exact, ties_are_rounded_as_documented)
{
	const struct npu_scale half = {1 << 30, 0}, eighth = {1 << 30, -2};
	struct npu_insn pool = {
		.opcode = NPU_OP_AVERAGE_POOL,
		.version = NPU_ISA_VERSION,
		.is_signed = 3,
		.slot = {0, 8, NPU_NO_SLOT, NPU_NO_SLOT, NPU_NO_SLOT, NPU_NO_SLOT},
		.in = {1, 1, 2, 2},
		.out = {1, 1, 1, 2},
		.kernel = {1, 2},
		.stride = {1, 1},
		.act_min = -128,
		.act_max = 127,
	};
	int8_t in[4] = {1, -1, 2, -2}, out[2];
	uint8_t *const operand[NPU_MAX_OPERANDS] = {(uint8_t *)in, (uint8_t *)out};
	struct npu_demand demand;

	cr_expect_eq(npu_scale_apply(1, half), 1, "0.5 goes up");
	cr_expect_eq(npu_scale_apply(-1, half), 0, "-0.5 goes up");
	cr_expect_eq(npu_scale_apply(-3, half), -1, "-1.5 goes up");
	cr_expect_eq(npu_scale_apply(4, eighth), 1, "0.5, by a shift, goes away from zero");
	cr_expect_eq(npu_scale_apply(-4, eighth), -1, "-0.5, by a shift, goes away from zero");
	cr_expect_eq(npu_scale_apply(-1, eighth), 0);
	cr_assert_null(npu_insn_check(&pool, &demand));
	npu_insn_run(&pool, operand, 0, demand.units);
	cr_expect_eq(out[0], 2, "1.5 goes away from zero");
	cr_expect_eq(out[1], -2, "-1.5 goes away from zero");
}

/* One product, in * filter + bias, with constants that nobody checked. */
static int8_t multiply(int8_t in, int8_t weight, int32_t bias, struct npu_scale scale)
{
	const struct npu_insn insn = {
		.opcode = NPU_OP_FULLY_CONNECTED,
		.version = NPU_ISA_VERSION,
		.is_signed = 0x13,
		.slot = {0, 8, 16, 24, 32, NPU_NO_SLOT},
		.in = {1, 1, 1, 1},
		.out = {1, 1, 1, 1},
		.act_min = -128,
		.act_max = 127,
	};
	int8_t filter[16] = {weight}, out = 0;
	uint8_t *const operand[NPU_MAX_OPERANDS] = {
		(uint8_t *)&in,	   (uint8_t *)filter, (uint8_t *)&bias,
		(uint8_t *)&scale, (uint8_t *)&out,
	};
	struct npu_demand demand;

	/* The filler of the row has no influence. */
	memset(filter + 1, 0x77, sizeof(filter) - 1);
	cr_assert_null(npu_insn_check(&insn, &demand));
	npu_insn_run(&insn, operand, 0, demand.units);
	return out;
}

Test(ops_exact, accumulators_wrap_around)
{
	const struct npu_scale shrink = {1 << 30, -23}; /* 2^-24 */

	cr_expect_eq(multiply(1, -1, INT32_MAX, shrink), 127);
	cr_expect_eq(multiply(1, 1, INT32_MAX, shrink), -128);
	cr_expect_eq(multiply(1, -1, INT32_MIN, shrink), 127);
}

Test(ops_exact, shifts_of_a_scales_operand_are_clamped)
{
	cr_expect_eq(multiply(2, 3, 0, (struct npu_scale){1 << 30, INT32_MAX}), 127);
	cr_expect_eq(multiply(2, -3, 0, (struct npu_scale){1 << 30, INT32_MAX}), -128);
	cr_expect_eq(multiply(2, 3, 0, (struct npu_scale){1 << 30, INT32_MIN}), 0);
	cr_expect_eq(multiply(2, 3, INT32_MAX - 6, (struct npu_scale){INT32_MAX, -32}),
		     multiply(2, 3, INT32_MAX - 6, (struct npu_scale){INT32_MAX, -31}));
	cr_expect_eq(multiply(2, 3, 0, (struct npu_scale){1, 31}),
		     multiply(2, 3, 0, (struct npu_scale){1, 30}));
	cr_expect_eq(multiply(2, 3, 1, (struct npu_scale){INT32_MIN, 0}), -7);
}

Test(ops_exact, softmax_of_a_table_of_zeros_is_the_zero_point)
{
	const struct npu_insn insn = {
		.opcode = NPU_OP_SOFTMAX,
		.version = NPU_ISA_VERSION,
		.is_signed = 1 << 2,
		.slot = {0, 8, 16, NPU_NO_SLOT, NPU_NO_SLOT, NPU_NO_SLOT},
		.in = {1, 1, 1, 3},
		.out = {1, 1, 1, 3},
		.zero = {0, 0, -128},
	};
	uint8_t in[3] = {1, 255, 0}, table[1024] = {0}, out[3];
	uint8_t *const operand[NPU_MAX_OPERANDS] = {in, table, out};
	struct npu_demand demand;

	cr_assert_null(npu_insn_check(&insn, &demand));
	npu_insn_run(&insn, operand, 0, demand.units);
	for (unsigned int i = 0; i < 3; i++)
		cr_expect_eq((int8_t)out[i], -128);
}
