/* SPDX-License-Identifier: Apache-2.0 */
/* What operators compute; test_ops_check.c has what is legal. */
#include "ops_cases.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define ROUNDS 300

static uint8_t *copy_of(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size);

	cr_assert(copy);
	return memcpy(copy, bytes, size);
}

static void assert_legal(const struct ops_case *c, struct npu_demand *ret)
{
	const char *why = npu_insn_check(&c->insn, ret);

	cr_assert_null(why, "%s: %s", npu_op_find(c->insn.opcode)->name, why);
	cr_assert(ret->units >= 1 && ret->unit_cost >= 1);
	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++) {
		cr_assert_eq(ret->size[i], c->size[i], "%s: operand %u has %u bytes, not %u",
			     npu_op_find(c->insn.opcode)->name, i, ret->size[i], c->size[i]);
		cr_assert_eq(ret->kind[i] == NPU_OPERAND_NONE, i >= c->n_operands);
	}
	if (c->n_operands)
		cr_assert_eq(ret->kind[ops_case_output(c)], NPU_OPERAND_OUTPUT);
}

/* Each output element is within one step of what real numbers give. */
static void assert_output(const struct ops_case *c, const uint8_t *before)
{
	unsigned int out = ops_case_output(c);
	double min = c->insn.is_signed >> out & 1 ? -128 : 0, max = min + 255;

	if (c->clamped)
		min = c->insn.act_min, max = c->insn.act_max;
	for (uint32_t i = 0; i < c->size[out]; i++) {
		struct ops_expected e = c->recipe->expect(c, i);
		int stored = ops_case_stored(c, out, i);
		double q = round(e.value / c->out_scale) + c->insn.zero[2];

		if (e.untouched) {
			if (c->operand[out][i] != before[i])
				cr_assert(false, "element %u was touched", i);
			continue;
		}
		q = fmin(fmax(q, min), max);
		if (!(fabs(q - stored) <= 1) || stored < min || stored > max)
			cr_assert(false, "%s: element %u is %d, not %g",
				  npu_op_find(c->insn.opcode)->name, i, stored, q);
	}
}

static void check_case(const struct ops_recipe *recipe, struct ops_random *random, bool guarded)
{
	uint8_t *before[NPU_MAX_OPERANDS] = {NULL};
	struct npu_demand demand;
	struct ops_case c;

	ops_case_init(&c, recipe, random, guarded);
	assert_legal(&c, &demand);
	for (unsigned int i = 0; i < c.n_operands; i++)
		before[i] = copy_of(c.operand[i], c.size[i]);

	npu_insn_run(&c.insn, c.operand, 0, demand.units);

	if (recipe->expect)
		assert_output(&c, before[ops_case_output(&c)]);
	for (unsigned int i = 0; i + 1 < c.n_operands; i++)
		cr_assert_eq(memcmp(before[i], c.operand[i], c.size[i]), 0, "operand %u changed",
			     i);
	cr_assert(ops_case_guards_hold(&c), "bytes around an operand changed");
	for (unsigned int i = 0; i < c.n_operands; i++)
		free(before[i]);
	ops_case_finish(&c);
}

Test(ops, every_row_of_the_table_has_a_recipe)
{
	unsigned int n_rows = 0, n_recipes = 0;

	for (const struct npu_op *op; (op = npu_op_at(n_rows)); n_rows++) {
		cr_expect(ops_recipe_find(op->opcode), "no recipe for %s", op->name);
		cr_expect_eq(npu_op_find(op->opcode), op, "two rows for %s", op->name);
	}
	while (ops_recipe_at(n_recipes))
		n_recipes++;
	cr_expect_eq(n_rows, n_recipes);
	cr_expect_null(npu_op_find(0));
}

Test(ops, results_are_within_one_step_of_real_arithmetic)
{
	struct ops_random random;

	ops_random_init(&random);
	for (unsigned int i = 0; ops_recipe_at(i); i++)
		for (unsigned int round = 0; round < ROUNDS; round++)
			check_case(ops_recipe_at(i), &random, round % 2);
}

/* Run all units in pieces, from the last to the first, or in random order. */
static void run_in_pieces(const struct ops_case *c, uint32_t units, struct ops_random *random)
{
	uint32_t end = units;

	while (end) {
		uint32_t piece = (uint32_t)ops_random_range(random, 1, end < 9 ? end : 9);
		uint32_t first = end - piece;

		/* A second time for some: units do not depend on what was there. */
		npu_insn_run(&c->insn, c->operand, first, piece);
		if (ops_random_range(random, 0, 3) == 0)
			npu_insn_run(&c->insn, c->operand, first, piece);
		end = first;
	}
}

Test(ops, any_split_into_units_gives_the_same_bytes)
{
	struct ops_random random;

	ops_random_init(&random);
	for (unsigned int i = 0; ops_recipe_at(i); i++)
		for (unsigned int round = 0; round < ROUNDS / 3; round++) {
			struct npu_demand demand;
			struct ops_case c;
			uint8_t *old, *whole;
			unsigned int out;

			ops_case_init(&c, ops_recipe_at(i), &random, true);
			assert_legal(&c, &demand);
			if (!c.n_operands)
				break;
			out = ops_case_output(&c);
			old = copy_of(c.operand[out], c.size[out]);
			npu_insn_run(&c.insn, c.operand, 0, demand.units);
			whole = copy_of(c.operand[out], c.size[out]);
			memcpy(c.operand[out], old, c.size[out]);

			npu_insn_run(&c.insn, c.operand, 0, 0);
			cr_assert_eq(memcmp(c.operand[out], old, c.size[out]), 0);
			run_in_pieces(&c, demand.units, &random);

			cr_assert_eq(memcmp(c.operand[out], whole, c.size[out]), 0,
				     "%s depends on the split", npu_op_find(c.insn.opcode)->name);
			cr_assert(ops_case_guards_hold(&c));
			free(old);
			free(whole);
			ops_case_finish(&c);
		}
}

/* floor((x * m + 2^(30 - s)) / 2^(31 - s)), saturated, in integers that cannot overflow. */
static int32_t scale_exactly(int32_t x, struct npu_scale s)
{
	__int128 divisor = (__int128)1 << (31 - s.shift);
	__int128 sum = (__int128)x * s.multiplier + divisor / 2;
	__int128 y = sum / divisor - (sum % divisor < 0);

	if (y > INT32_MAX)
		return INT32_MAX;
	return y < INT32_MIN ? INT32_MIN : (int32_t)y;
}

Test(ops, scaling_rounds_and_saturates_for_all_values)
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

Test(ops, ties_are_rounded_as_documented)
{
	const struct npu_scale half = {1 << 30, 0};
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

Test(ops, accumulators_wrap_around)
{
	const struct npu_scale shrink = {1 << 30, -23}; /* 2^-24 */

	cr_expect_eq(multiply(1, -1, INT32_MAX, shrink), 127);
	cr_expect_eq(multiply(1, 1, INT32_MAX, shrink), -128);
	cr_expect_eq(multiply(1, -1, INT32_MIN, shrink), 127);
}

Test(ops, shifts_of_a_scales_operand_are_clamped)
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

Test(ops, softmax_of_a_table_of_zeros_is_the_zero_point)
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

/* Two tensors into their places in a third, along the width. */
Test(ops, requantize_concatenates)
{
	struct npu_insn insn = {
		.opcode = NPU_OP_REQUANTIZE,
		.version = NPU_ISA_VERSION,
		.is_signed = 2,
		.slot = {0, 8, NPU_NO_SLOT, NPU_NO_SLOT, NPU_NO_SLOT, NPU_NO_SLOT},
		.zero = {128, 0, 0},
		.act_min = -128,
		.act_max = 127,
		.scale = {{1 << 30, 1}},
	};
	uint8_t left[2][1] = {{1}, {2}}, right[2][2] = {{3, 4}, {5, 255}};
	static const int8_t expected[2][3] = {{-127, -125, -124}, {-126, -123, 127}};
	uint8_t out[2][3];
	struct npu_demand demand;

	memcpy(insn.in, (uint32_t[]){2, 1, 1, 2}, sizeof(insn.in));
	memcpy(insn.out, (uint32_t[]){2, 1, 3, 6}, sizeof(insn.out));
	cr_assert_null(npu_insn_check(&insn, &demand));
	npu_insn_run(&insn, (uint8_t *const[NPU_MAX_OPERANDS]){left[0], out[0]}, 0, demand.units);

	memcpy(insn.in, (uint32_t[]){2, 2, 2, 4}, sizeof(insn.in));
	memcpy(insn.out, (uint32_t[]){2, 2, 3, 6}, sizeof(insn.out));
	insn.extra[1] = 1;
	cr_assert_null(npu_insn_check(&insn, &demand));
	npu_insn_run(&insn, (uint8_t *const[NPU_MAX_OPERANDS]){right[0], out[0]}, 0, demand.units);
	cr_expect_eq(memcmp(out, expected, sizeof(out)), 0);
}
