/* SPDX-License-Identifier: Apache-2.0 */
#include "loadable/dataflow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loadable/graph.h"
#include "npu/isa.h"

static uint64_t section_key(const struct graph_patch *patch)
{
	return (uint64_t)patch->area << 62 | (uint64_t)patch->subgraph << 32 | patch->section;
}

/*
 * Sets
 */

static int set_reserve(struct span_set *set)
{
	size_t room = set->room ? 2 * set->room : 64;
	struct span *moved;

	if (set->n < set->room)
		return 0;
	if (set->n >= DATAFLOW_MAX_SPANS)
		return -E2BIG;
	moved = realloc(set->span, room * sizeof(*moved));
	if (!moved)
		return -ENOMEM;
	set->span = moved;
	set->room = room;
	return 0;
}

/* The first span of the section that ends at or behind @at, or where it would stand. */
static size_t set_find(const struct span_set *set, uint64_t section, uint64_t at)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct span *span = &set->span[middle];

		if (span->section < section || (span->section == section && span->end < at))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Merge [start, end) with everything it touches. */
static int set_add(struct span_set *set, uint64_t section, uint64_t start, uint64_t end)
{
	size_t first = set_find(set, section, start), last = first;
	int r;

	for (; last < set->n && set->span[last].section == section && set->span[last].start <= end;
	     last++) {
		start = set->span[last].start < start ? set->span[last].start : start;
		end = set->span[last].end > end ? set->span[last].end : end;
	}
	if (last == first) {
		r = set_reserve(set);
		if (r < 0)
			return r;
		last = first;
		memmove(&set->span[first + 1], &set->span[first],
			(set->n - first) * sizeof(*set->span));
		set->n++;
	} else {
		memmove(&set->span[first + 1], &set->span[last],
			(set->n - last) * sizeof(*set->span));
		set->n -= last - first - 1;
	}
	set->span[first] = (struct span){.section = section, .start = start, .end = end};
	return 0;
}

/* How far the set reaches without a gap from @at; @at itself if it does not hold it. */
static uint64_t set_reach(const struct span_set *set, uint64_t section, uint64_t at)
{
	size_t i = set_find(set, section, at + 1);

	if (i < set->n && set->span[i].section == section && set->span[i].start <= at)
		return set->span[i].end;
	return at;
}

/*
 * Subgraphs
 */

int dataflow_init(struct dataflow *flow, const struct graph *graph)
{
	const struct graph_tensors *inputs = &graph->tensors[GRAPH_TENSOR_INPUT];
	int r = 0;

	*flow = (struct dataflow){.graph = graph};
	for (size_t i = 0; i < inputs->n && r == 0; i++) {
		const struct graph_tensor *tensor = &inputs->tensor[i];
		const struct graph_patch at = {.area = GRAPH_AREA_REUSE,
					       .section = tensor->section};

		r = set_add(&flow->visible, section_key(&at), tensor->offset,
			    (uint64_t)tensor->offset + tensor->size);
	}
	return r;
}

void dataflow_finish(struct dataflow *flow)
{
	free(flow->visible.span);
	free(flow->own.span);
	free(flow->pending.span);
	*flow = (struct dataflow){0};
}

/* Whether @subgraph starts only after @earlier, which nobody has waited for yet, is over. */
static bool waits_for(const struct graph *graph, uint32_t subgraph, uint32_t earlier)
{
	int32_t dependency = graph->subgraphs[subgraph].dependency;

	if (dependency == GRAPH_DEPENDS_ON_ALL)
		return true;
	/* On v3 a dependency is one on the group just before; other generations list them. */
	return dependency == 1 && graph->target.version == 5 && earlier + 1 == subgraph;
}

int dataflow_enter(struct dataflow *flow, uint32_t subgraph)
{
	struct span_set *pending = &flow->pending;
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < pending->n && r == 0; i++) {
		const struct span *span = &pending->span[i];

		if (waits_for(flow->graph, subgraph, span->subgraph))
			r = set_add(&flow->visible, span->section, span->start, span->end);
		else
			pending->span[kept++] = *span;
	}
	pending->n = kept;
	flow->own.n = 0;
	flow->comb.patch = NULL;
	return r;
}

int dataflow_leave(struct dataflow *flow, uint32_t subgraph)
{
	for (size_t i = 0; i < flow->own.n; i++) {
		int r = set_reserve(&flow->pending);

		if (r < 0)
			return r;
		flow->own.span[i].subgraph = subgraph;
		flow->pending.span[flow->pending.n++] = flow->own.span[i];
	}
	return 0;
}

/*
 * Operands
 */

bool dataflow_is_written(const struct dataflow *flow, const struct graph_patch *patch)
{
	uint64_t section = section_key(patch);
	uint64_t at = patch->offset, end = at + patch->size;

	if (patch->area == GRAPH_AREA_STATIC)
		return true;
	while (at < end) {
		uint64_t reach = set_reach(&flow->visible, section, at);

		if (reach == at)
			reach = set_reach(&flow->own, section, at);
		if (reach == at)
			return false;
		at = reach;
	}
	return true;
}

static int write_range(struct dataflow *flow, const struct graph_patch *patch, uint64_t start,
		       uint64_t size)
{
	uint64_t at = (uint64_t)patch->offset + start;

	return set_add(&flow->own, section_key(patch), at, at + size);
}

/* Slots of their own for the same bytes are the same operand. */
static bool is_same_operand(const struct graph_patch *a, const struct graph_patch *b)
{
	return a && section_key(a) == section_key(b) && a->offset == b->offset &&
	       a->size == b->size;
}

/*
 * A concatenation along an inner axis fills its output piece by piece: each piece
 * writes the same part of every stride. Pieces are followed while they come one
 * behind the other, which is how anybody would emit them; when they have filled the
 * stride, the operand is written.
 */
static int write_comb(struct dataflow *flow, const struct npu_insn *insn,
		      const struct graph_patch *patch)
{
	struct comb *comb = &flow->comb;
	uint32_t chunks = insn->out[0], length = insn->out[1], stride = insn->out[2];
	uint32_t start = insn->extra[1];

	if ((uint64_t)chunks * stride != patch->size)
		return 0;
	if (start == 0)
		*comb = (struct comb){.patch = patch, .chunks = chunks, .stride = stride};
	if (!is_same_operand(comb->patch, patch) || comb->chunks != chunks ||
	    comb->stride != stride || comb->filled != start)
		return 0;
	comb->filled += length;
	return comb->filled == stride ? write_range(flow, patch, 0, patch->size) : 0;
}

int dataflow_write(struct dataflow *flow, const struct npu_insn *insn,
		   const struct graph_patch *patch)
{
	uint32_t chunks = insn->out[0], length = insn->out[1], stride = insn->out[2];

	if (insn->opcode != NPU_OP_REQUANTIZE)
		return write_range(flow, patch, 0, patch->size);
	if (chunks == 1 || length == stride)
		return write_range(flow, patch, insn->extra[1], (uint64_t)chunks * length);
	return write_comb(flow, insn, patch);
}
