/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random legal instructions with real-valued quantization, and what they should
 * compute: written from the definitions in real numbers, in double precision,
 * sharing nothing with the integer operators but the layout of operands.
 */
#pragma once

#include "npu/ops.h"

#include <stdlib.h>

/* A small generator, so that a printed seed repeats a run anywhere. */
struct ops_random {
	uint64_t state;
};

/* From ZHOUYI_SEED, else fresh; printed to stderr either way. */
void ops_random_init(struct ops_random *random);
uint64_t ops_random_next(struct ops_random *random);
/* Uniform in [@low, @high]. */
int64_t ops_random_range(struct ops_random *random, int64_t low, int64_t high);
double ops_random_real(struct ops_random *random, double low, double high);

struct ops_case {
	const struct ops_recipe *recipe;
	struct npu_insn insn;
	unsigned int n_operands;
	uint32_t size[NPU_MAX_OPERANDS];   /* by the layouts of docs/instruction-set.md */
	uint8_t *memory[NPU_MAX_OPERANDS]; /* owned; the operand lies inside, between guards */
	uint8_t *operand[NPU_MAX_OPERANDS];
	size_t guard; /* bytes on either side */
	bool clamped; /* the operation has act_min and act_max */

	/* Real scales; a filter's for each output channel. */
	double in_scale, in2_scale, out_scale, beta;
	double *filter_scale; /* owned, out.C of them; NULL without filter */
};

/* What an output element should be. */
struct ops_expected {
	bool untouched; /* the element keeps its old value */
	double value;	/* real number; else */
};

struct ops_recipe {
	uint16_t opcode;
	/* Fill insn (opcode, version and slots are there), size and scales. */
	void (*make)(struct ops_case *c, struct ops_random *random);
	/* Fill constant operands; NULL: there are none. */
	void (*fill)(struct ops_case *c, struct ops_random *random);
	/* The @index-th element of the output; NULL: a control instruction. */
	struct ops_expected (*expect)(const struct ops_case *c, uint32_t index);
};

/* Recipe @i, NULL behind the last. */
const struct ops_recipe *ops_recipe_at(unsigned int i);
const struct ops_recipe *ops_recipe_find(uint16_t opcode);

/*
 * A random case of @recipe with random operands. With @guarded operands lie
 * unaligned between guard bytes, else each ends where its allocation ends, for
 * address sanitizers.
 */
void ops_case_init(struct ops_case *c, const struct ops_recipe *recipe, struct ops_random *random,
		   bool guarded);
void ops_case_finish(struct ops_case *c);
/* The guard bytes are as they were. */
bool ops_case_guards_hold(const struct ops_case *c);
/* Index of the output operand. */
unsigned int ops_case_output(const struct ops_case *c);
/* Stored value @index of operand @operand. */
int ops_case_stored(const struct ops_case *c, unsigned int operand, uint64_t index);

/* Element @index of a tensor, taken apart. */
struct ops_position {
	uint32_t n, y, x, c;
};
struct ops_position ops_position_of(const uint32_t shape[4], uint32_t index);
/* Input index of tap (@i, @j) of the window at @p, or -1 in the padding. */
int64_t ops_tap_of(const struct npu_insn *insn, const struct ops_position *p, uint32_t i,
		   uint32_t j, uint32_t channel);
/* Bytes of a filter's row with its filler. */
uint32_t ops_row_pitch(uint32_t taps);
