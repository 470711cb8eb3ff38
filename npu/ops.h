/* SPDX-License-Identifier: MIT */
/*
 * Operators: what an instruction needs, whether it is legal, and doing it. A new
 * operator is one row of the table in ops.c, one function and one test.
 *
 * Everything here is a pure function of its arguments; any thread may call it.
 */
#pragma once

#include "npu/isa.h"

/* How an operand is used; constants come from ASID 1, everything else from ASID 0. */
enum npu_operand_kind {
	NPU_OPERAND_NONE = 0,
	NPU_OPERAND_INPUT,
	NPU_OPERAND_CONSTANT,
	NPU_OPERAND_OUTPUT,
};

/* What a legal instruction needs before it can run. */
struct npu_demand {
	enum npu_operand_kind kind[NPU_MAX_OPERANDS];
	uint32_t size[NPU_MAX_OPERANDS]; /* bytes of each operand, exactly */
	uint32_t units;	    /* pieces the work can be cut into, e.g. output rows; >= 1 */
	uint32_t unit_cost; /* rough number of multiply-accumulates or bytes per unit, >= 1 */
};

struct npu_op {
	uint16_t opcode;
	const char *name;			/* as in listings: "conv2d" */
	const char *operands[NPU_MAX_OPERANDS]; /* "in", "filter", …; NULL behind the last */
};

/* The table's row, or NULL for an unknown opcode. */
const struct npu_op *npu_op_find(uint16_t opcode);

/* Row @i of the table, NULL behind the last: for listings and for tests that walk all rows. */
const struct npu_op *npu_op_at(unsigned int i);

/*
 * Check every field of @insn and say what it demands. Never reads memory beyond
 * @insn. Returns NULL when legal, else a static text that says what is wrong
 * ("stride is 0"); @ret is then undefined. Sizes are computed without overflow:
 * a legal instruction's operands are each at most 2^31 - 1 bytes, and so is the
 * number of elements anything is indexed with.
 */
const char *npu_insn_check(const struct npu_insn *insn, struct npu_demand *ret);

/*
 * Execute units [@first, @first + @count) of a legal instruction that is not a
 * control instruction (end, delay, hang, fault). @operand[i] points to exactly
 * demand.size[i] bytes; no output overlaps another operand. Units are
 * independent: any order, any split over calls gives the same bytes.
 *
 * Contents of operands are untrusted and may change while this runs: whatever
 * they are, nothing outside the operands is touched.
 */
void npu_insn_run(const struct npu_insn *insn, uint8_t *const operand[NPU_MAX_OPERANDS],
		  uint32_t first, uint32_t count);
