/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a graph needs of the device's memory, as far as the graph alone says:
 * stacks, private data and the TCB chain also depend on the device.
 */
#pragma once

#include <stdint.h>

struct graph;

/* In bytes. */
struct graph_memory {
	uint64_t text, crodata, rodata, desc;
	uint64_t constants; /* packed, over all BSSs */
	uint64_t zero_copy;
	uint64_t reuse;	    /* sections, each rounded up to its alignment in pages */
	uint64_t workspace; /* private buffers; the pool restarts where a subgraph depends on all */
	uint64_t stack;	    /* of one task */
	uint64_t private_data; /* of one task: the largest */
	uint64_t total;	       /* of all above */
};

void graph_measure(const struct graph *graph, struct graph_memory *ret);
