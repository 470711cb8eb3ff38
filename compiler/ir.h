/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program between model and file: instructions whose operands are values, and
 * values that have no addresses yet.
 *
 * An ir owns its arrays and the constants it was told to own. Any thread, one at a
 * time.
 */
#pragma once

#include "compiler/error.h"
#include "loadable/graph.h"
#include "npu/isa.h"

#include <stddef.h>
#include <stdint.h>

#define IR_NO_VALUE UINT32_MAX

enum ir_kind {
	IR_INPUT,  /* of the model, in the order they were added */
	IR_OUTPUT, /* likewise */
	IR_INTERMEDIATE,
	IR_CONSTANT,
};

struct ir_value {
	enum ir_kind kind;
	uint32_t size; /* bytes, > 0 */
	uint32_t id;   /* position among the values of its kind */
	enum graph_data_type type;
	float scale;
	int32_t zero;
	char name[GRAPH_MAX_NAME]; /* not of constants */
	uint32_t rank;
	uint32_t dims[GRAPH_MAX_RANK];

	const uint8_t *data; /* of a constant */
	uint8_t *owned;	     /* the same if the ir frees it, else NULL */
	uint32_t hash, next; /* of a constant: to find equal ones */

	uint32_t first, last; /* instructions that use it, if is_used */
	uint32_t slot;	      /* offset in the parameter block, set by the layout */
	bool is_used;
};

struct ir_insn {
	struct npu_insn insn;		  /* slots: 0, or NPU_NO_SLOT where there is no operand */
	uint32_t value[NPU_MAX_OPERANDS]; /* IR_NO_VALUE where there is no operand */
};

#define IR_BUCKETS 1024u

struct ir {
	struct ir_value *values;
	size_t n_values, max_values;
	struct ir_insn *insns;
	size_t n_insns, max_insns;
	uint32_t n_kind[IR_CONSTANT + 1];
	uint64_t constant_bytes;     /* all that were offered, equal ones included */
	uint32_t bucket[IR_BUCKETS]; /* newest constant of each hash */
};

/* Returns NULL if there is no memory. */
struct ir *ir_create(void);
/* Accepts NULL. */
void ir_destroy(struct ir *ir);

/*
 * Add a value that is not a constant: kind, size, type, scale, zero, name and shape
 * of @value count. Returns 0 or -ENOMEM.
 */
int ir_add_value(struct ir *ir, const struct ir_value *value, uint32_t *ret_value);

/*
 * Add a constant, or find an equal one. With @owned, @data was malloc()ed and is the
 * ir's from now on, also on failure; else it must outlive the ir.
 * Returns 0, -ENOMEM, or -EFBIG if the constants of this model are too many.
 */
int ir_add_constant(struct ir *ir, const uint8_t *data, uint32_t size, bool owned,
		    uint32_t *ret_value);

/*
 * Add an instruction with its operands' values, IR_NO_VALUE behind the last. Slots
 * are set later. Returns 0, -ENOMEM, -EFBIG if the program is too long, or -EINVAL if
 * the instruction set does not have it; the error says why.
 */
int ir_add_insn(struct ir *ir, const struct npu_insn *insn, const uint32_t values[NPU_MAX_OPERANDS],
		struct compile_error *ret_error);
