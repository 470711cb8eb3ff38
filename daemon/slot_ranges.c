/* SPDX-License-Identifier: Apache-2.0 */
/* What the program of a model may touch: everything its patches point to, exactly. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/model_memory.h"

static int compare(const void *a, const void *b)
{
	const struct slot_range *x = a, *y = b;

	if (x->shared != y->shared)
		return x->shared ? -1 : 1;
	if (x->access != y->access)
		return x->access < y->access ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->size < y->size ? -1 : x->size > y->size;
}

/* The object a patch points to; false: a client's. */
static bool patched_object(const struct cmd_v3_plan *plan, const struct graph_patch *patch,
			   struct slot_range *ret)
{
	struct cmd_v3_span span = {0};

	switch (patch->area) {
	case GRAPH_AREA_STATIC:
		span = plan->statics[patch->section];
		break;
	case GRAPH_AREA_REUSE:
		span = plan->reuses[patch->section].span;
		break;
	case GRAPH_AREA_PRIVATE:
		span = plan->privates[plan->groups[patch->subgraph].first_private + patch->section];
		break;
	}
	*ret = (struct slot_range){
		.shared = patch->area == GRAPH_AREA_STATIC,
		.offset = span.offset + patch->offset,
		.size = patch->size,
		.access = patch->area == GRAPH_AREA_STATIC ? DEVICE_ACCESS_READ : DEVICE_ACCESS_RW,
	};
	return span.size && patch->size;
}

static size_t drop_duplicates(struct slot_range *ranges, size_t n)
{
	size_t kept = 0;

	qsort(ranges, n, sizeof(*ranges), compare);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || compare(&ranges[kept - 1], &ranges[i]) != 0)
			ranges[kept++] = ranges[i];
	return kept;
}

int slot_ranges_create(struct slot_range **ret, size_t *ret_n, const struct cmd_v3_plan *plan)
{
	const struct graph *graph = plan->graph;
	struct slot_range *ranges = calloc(graph->n_patches + 3, sizeof(*ranges));
	size_t n = 0;

	if (!ranges)
		return -ENOMEM;
	ranges[n++] =
		(struct slot_range){true, plan->text.offset, plan->text.size, DEVICE_ACCESS_TEXT};
	ranges[n++] = (struct slot_range){false, plan->rodata.offset, plan->rodata.size,
					  DEVICE_ACCESS_PARAM};
	ranges[n++] =
		(struct slot_range){false, plan->tcbs.offset, plan->tcbs.size, DEVICE_ACCESS_TCB};
	for (size_t i = 0; i < graph->n_patches; i++)
		n += patched_object(plan, &graph->patches[i], &ranges[n]);
	*ret_n = drop_duplicates(ranges, n);
	*ret = ranges;
	return 0;
}
