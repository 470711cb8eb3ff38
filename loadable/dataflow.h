/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program has written so far, so that it can be seen to read nothing else.
 * Execution slots serve one client after the other: what an earlier run left in
 * scratch memory must not be there for a later one to read.
 *
 * Memory of a job is written by its inputs, before the program starts, and by the
 * outputs of its instructions. What a subgraph wrote counts for a later one only if
 * the dependencies between them make it wait.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct graph;
struct graph_patch;
struct npu_insn;

/* [start, end) of a section; ordered, disjoint and not adjacent within a set. */
struct span {
	uint64_t section;
	uint64_t start, end;
	uint32_t subgraph; /* that wrote it; pending spans only */
};

struct span_set {
	struct span *span; /* owned */
	size_t n, room;
};

/* Strided writes to one operand, until together they fill it. */
struct comb {
	const struct graph_patch *patch; /* NULL: none is open */
	uint32_t chunks, stride;
	uint32_t filled; /* every stride has [0, filled) */
};

struct dataflow {
	const struct graph *graph;
	struct span_set visible; /* to the present subgraph, before it started */
	struct span_set own;	 /* of the present subgraph */
	struct span_set pending; /* of subgraphs that nobody has waited for; in order of writing */
	struct comb comb;
};

/* A program that writes in more separate pieces than this is refused. */
#define DATAFLOW_MAX_SPANS 4096u

/* 0 or -ENOMEM. */
int dataflow_init(struct dataflow *flow, const struct graph *graph);
void dataflow_finish(struct dataflow *flow);

/* Subgraphs are met in order. 0, -ENOMEM or -E2BIG (too many pieces). */
int dataflow_enter(struct dataflow *flow, uint32_t subgraph);
int dataflow_leave(struct dataflow *flow, uint32_t subgraph);

/* Whether every byte behind a patched operand has been written. Constants always have. */
bool dataflow_is_written(const struct dataflow *flow, const struct graph_patch *patch);

/* The instruction writes the operand behind @patch: all of it, or what its geometry says. Errors as
 * above. */
int dataflow_write(struct dataflow *flow, const struct npu_insn *insn,
		   const struct graph_patch *patch);
