/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both listings need to know about instructions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loadable/operand.h"
#include "npu/ops.h"

/* All subgraphs together; a listing of an unchecked file must end some day. */
#define LISTING_MAX_INSNS 262144u

/* Walks the instructions of one subgraph after the other. */
struct insn_walk {
	const struct graph *graph; /* borrowed */
	struct patch_index patches;
	uint32_t left; /* of LISTING_MAX_INSNS */

	const struct graph_subgraph *subgraph; /* borrowed */
	uint32_t next;
	bool has_ended;

	uint32_t number; /* of the current one, in its subgraph */
	struct npu_insn insn;
	const struct npu_op *op; /* NULL: unknown opcode */
	const char *illegal;	 /* why, or NULL */
};

/* False if memory is short. */
bool insn_walk_init(struct insn_walk *walk, const struct graph *graph);
void insn_walk_finish(struct insn_walk *walk);
void insn_walk_enter(struct insn_walk *walk, const struct graph_subgraph *subgraph);
/* False behind `end`, behind an illegal instruction, at the end of .text and at the limit. */
bool insn_walk_next(struct insn_walk *walk);
/* Why insn_walk_next() stopped too early, or NULL. */
const char *insn_walk_problem(const struct insn_walk *walk);

/* "reuse", "static", "private" */
const char *area_name(enum graph_area area);

/* A group of numbers of an instruction, as a listing shows it. */
struct insn_field {
	const char *name;
	size_t n;
	int64_t value[4];
};
/* Field @i that is not all zero, skipping the others; false behind the last. */
bool insn_field_at(struct insn_field *ret, const struct npu_insn *insn, size_t *i);
