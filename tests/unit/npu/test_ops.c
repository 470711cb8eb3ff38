/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators compute, compared with real numbers; test_ops_exact.c has the
 * last bit, test_ops_check.c what is legal.
 */
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
