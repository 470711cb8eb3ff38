/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the instructions of a software program to what they touch: the slot of an
 * operand in rodata, and the patch entry that fills it in. Judges nothing; the
 * check (program.c) and the listings do.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loadable/graph.h"
#include "npu/isa.h"

/* Patch entries by position. */
struct patch_index {
	uint64_t *key; /* owned; position << 32 | number of the entry */
	size_t n;
};

/* 0 or -ENOMEM. */
int patch_index_init(struct patch_index *index, const struct graph *graph);
void patch_index_finish(struct patch_index *index);

static inline uint32_t patch_index_position(const struct patch_index *index, size_t i)
{
	return (uint32_t)(index->key[i] >> 32);
}

static inline uint32_t patch_index_entry(const struct patch_index *index, size_t i)
{
	return (uint32_t)index->key[i];
}

/* The first entry at @position, as a place in the index; index->n if there is none. */
size_t patch_index_find(const struct patch_index *index, uint32_t position);

struct operand {
	uint64_t position;		 /* of the slot in rodata */
	bool is_inside;			 /* all 8 bytes; what follows is valid only then */
	uint32_t size;			 /* as the slot says */
	size_t place;			 /* in the index */
	const struct graph_patch *patch; /* borrowed from the graph, or NULL */
};

void operand_resolve(struct operand *ret, const struct graph *graph,
		     const struct patch_index *index, const struct graph_subgraph *subgraph,
		     uint32_t slot);

/* Instruction @i of a subgraph; false if .text ends before its end. */
bool operand_fetch(struct npu_insn *ret, const struct graph *graph,
		   const struct graph_subgraph *subgraph, uint32_t i);
