/* SPDX-License-Identifier: Apache-2.0 */
#include "loadable/graph_memory.h"

#include "loadable/container.h"
#include "loadable/graph.h"

#define PAGE_SIZE 4096u

/* No sum overflows: sections are below 2^32 bytes, alignments are at most 2^30, counts below 2^20.
 */
static uint64_t round_up(uint64_t size, uint64_t align)
{
	return (size + align - 1) / align * align;
}

static uint64_t in_pages(uint64_t size, uint32_t align)
{
	return round_up(size, round_up(align, PAGE_SIZE));
}

/* Sections of a type lie one behind the other, each BSS starts at a page. */
static uint64_t packed_size(const struct graph *graph, uint32_t type)
{
	uint64_t total = 0;

	for (size_t i = 0; i < graph->n_bss; i++) {
		const struct graph_bss *bss = &graph->bss[i];
		uint64_t cursor = 0;

		for (uint32_t k = 0; k < bss->n_statics; k++) {
			const struct graph_static *s = &graph->statics[bss->first_static + k];

			if (s->type == type)
				cursor = round_up(cursor, s->align) + s->size;
		}
		total += round_up(cursor, PAGE_SIZE);
	}
	return total;
}

static uint64_t workspace_size(const struct graph *graph)
{
	uint64_t largest = 0, pool = 0;

	for (size_t i = 0; i < graph->n_subgraphs; i++) {
		const struct graph_subgraph *sub = &graph->subgraphs[i];

		if (sub->dependency == GRAPH_DEPENDS_ON_ALL)
			pool = 0;
		for (size_t k = 0; k < sub->n_privates; k++)
			pool += in_pages(sub->privates[k].size, sub->privates[k].align);
		if (pool > largest)
			largest = pool;
	}
	return largest;
}

static uint64_t largest_private_data(const struct graph *graph)
{
	uint64_t largest = 0;

	for (size_t i = 0; i < graph->n_subgraphs; i++) {
		if (graph->subgraphs[i].private_size > largest)
			largest = graph->subgraphs[i].private_size;
	}
	return round_up(largest, PAGE_SIZE);
}

void graph_measure(const struct graph *graph, struct graph_memory *ret)
{
	struct graph_memory m = {
		.text = graph->text.size,
		.crodata = graph->crodata.size,
		.rodata = graph->rodata.size,
		.desc = graph->desc.size,
		.constants = packed_size(graph, CONTAINER_SUBSECTION_CONSTANT),
		.zero_copy = packed_size(graph, CONTAINER_SUBSECTION_ZERO_COPY_CONSTANT),
		.workspace = workspace_size(graph),
		.private_data = largest_private_data(graph),
	};

	for (size_t i = 0; i < graph->n_reuses; i++)
		m.reuse += in_pages(graph->reuses[i].size, graph->reuses[i].align);
	/* The vendor's loader uses the first BSS's stack for all. */
	if (graph->n_bss > 0)
		m.stack = in_pages(graph->bss[0].stack_size, graph->bss[0].stack_align);
	m.total = m.text + m.crodata + m.rodata + m.desc + m.constants + m.zero_copy + m.reuse +
		  m.workspace + m.stack + m.private_data;
	*ret = m;
}
