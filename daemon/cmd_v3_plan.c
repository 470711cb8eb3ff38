/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: what goes where, and which tensors can be used in place. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/cmd_v3.h"
#include "npu/tcb.h"

#define PAGE UINT64_C(4096)
#define TYPE_ZERO_COPY 15u
#define TEXT_PADDING 16u /* behind the instructions, for debuggers */

static int __attribute__((format(printf, 3, 4)))
refuse(struct loadable_error *error, int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return r;
}

/* Never empty, so that NULL always means that there is no memory. */
static void *array(size_t n, size_t size)
{
	return calloc(n ? n : 1, size);
}

/*
 * A part while it is laid out. Offsets stay below 2^63: sums saturate, and what
 * has saturated is larger than any window.
 */
struct cursor {
	uint64_t size, align;
};

#define TOO_LARGE (UINT64_MAX >> 1)

static uint64_t sum(uint64_t a, uint64_t b)
{
	uint64_t s;

	return __builtin_add_overflow(a, b, &s) || s > TOO_LARGE ? TOO_LARGE : s;
}

static uint64_t product(uint64_t a, uint64_t b)
{
	uint64_t p;

	return __builtin_mul_overflow(a, b, &p) || p > TOO_LARGE ? TOO_LARGE : p;
}

/* To a multiple of @unit, which need not be a power of two. */
static uint64_t round_up(uint64_t x, uint64_t unit)
{
	return product(sum(x, unit - 1) / unit, unit);
}

/* @align is a power of two. */
static struct cmd_v3_span cursor_add(struct cursor *cursor, uint64_t size, uint64_t align)
{
	struct cmd_v3_span span = {.size = size};

	if (!size)
		return span;
	if (align > cursor->align)
		cursor->align = align;
	span.offset = round_up(cursor->size, align);
	cursor->size = sum(span.offset, size);
	return span;
}

/* What may be touched by different units of the device is kept on pages of its own. */
static struct cmd_v3_span cursor_add_pages(struct cursor *cursor, uint64_t size, uint64_t align)
{
	struct cmd_v3_span span =
		cursor_add(cursor, round_up(size, PAGE), align > PAGE ? align : PAGE);

	span.size = size;
	return span;
}

static uint64_t pages_pow2(uint64_t bytes)
{
	uint64_t size = PAGE;

	while (size < bytes)
		size *= 2;
	return size;
}

/*
 * Checks
 */

static int check_subgraphs(const struct graph *graph, struct loadable_error *error)
{
	if (!graph->n_subgraphs)
		return refuse(error, -ENOTSUP,
			      "the model has no subgraphs: there is nothing to run");
	for (size_t i = 0; i < graph->n_subgraphs; i++) {
		const struct graph_subgraph *sub = &graph->subgraphs[i];

		if (sub->dependency > 1 || sub->dependency < GRAPH_DEPENDS_ON_ALL)
			return refuse(
				error, -EBADMSG,
				"subgraph %zu depends on %d groups: this generation knows only "
				"none, the one before, or all",
				i, (int)sub->dependency);
	}
	return 0;
}

static int check_features(const struct graph *graph, struct loadable_error *error)
{
	if (graph->n_segmmu)
		return refuse(error, -ENOTSUP, "segment-MMU records are not supported");
	for (size_t i = 0; i < graph->n_remaps; i++) {
		const struct graph_remap *remap = &graph->remaps[i];
		size_t size = remap->type == 0 ? graph->rodata.size : graph->desc.size;

		if (remap->type == 2)
			return refuse(error, -ENOTSUP,
				      "remap entry %zu writes into the text, which jobs share", i);
		if (remap->type > 2 || remap->next_type > 2 || size < 4 || remap->offset > size - 4)
			return refuse(error, -EBADMSG, "remap entry %zu is out of range", i);
	}
	if (graph->n_statics && !graph->weight.size)
		return refuse(error, -EBADMSG, "static sections, but no weights to fill them");
	return 0;
}

static int check_config(const struct cmd_v3_config *config, struct loadable_error *error)
{
	/* What the device can number. */
	if (!config->cores || config->cores > 15 || !config->tecs || config->tecs > 15)
		return refuse(error, -ENOTSUP, "%u cores with %u TECs: at most 15 of each",
			      config->cores, config->tecs);
	return 0;
}

/*
 * The shared part
 */

/* One BSS's constants, or its zero-copy constants, packed in order. */
static void place_area(struct cmd_v3_plan *plan, struct cursor *part, const struct graph_bss *bss,
		       bool zero_copy)
{
	bool empty = true;

	for (size_t i = bss->first_static; i < (size_t)bss->first_static + bss->n_statics; i++) {
		const struct graph_static *section = &plan->graph->statics[i];

		if ((section->type == TYPE_ZERO_COPY) != zero_copy)
			continue;
		if (empty)
			part->size = round_up(part->size, PAGE);
		empty = false;
		plan->statics[i] = cursor_add(part, section->size, section->align);
	}
	/* A placeholder for an empty area is not needed while ASID 1 has no window of its own. */
	if (!empty)
		part->size = sum(part->size, plan->config.tail_bytes);
}

static void place_statics(struct cmd_v3_plan *plan, struct cursor *part)
{
	for (size_t b = 0; b < plan->graph->n_bss; b++) {
		place_area(plan, part, &plan->graph->bss[b], false);
		place_area(plan, part, &plan->graph->bss[b], true);
	}
}

static void place_shared(struct cmd_v3_plan *plan)
{
	const struct graph *graph = plan->graph;
	struct cursor part = {.align = PAGE};

	plan->text = cursor_add_pages(&part, sum(graph->text.size, TEXT_PADDING), PAGE);
	plan->text.size = graph->text.size;
	plan->crodata = cursor_add_pages(&part, graph->crodata.size, PAGE);
	plan->has_weights = graph->weight.size > 0;
	place_statics(plan, &part);
	plan->shared_size = part.size;
	plan->shared_align = part.align;
}

/*
 * The slot part
 */

/*
 * Subgraphs between two that depend on all earlier ones may run at the same time;
 * they get stacks, private data and workspaces of their own. Those of the next
 * such segment reuse them.
 */
struct lanes {
	size_t n;	   /* most subgraphs in a segment */
	uint64_t *dp_size; /* per lane: of the largest that runs there, per task */
};

static bool starts_segment(const struct graph *graph, size_t subgraph)
{
	return subgraph == 0 || graph->subgraphs[subgraph].dependency == GRAPH_DEPENDS_ON_ALL;
}

static int lanes_init(struct lanes *lanes, const struct graph *graph)
{
	size_t lane = 0;

	lanes->n = 0;
	lanes->dp_size = calloc(graph->n_subgraphs, sizeof(*lanes->dp_size));
	if (!lanes->dp_size)
		return -ENOMEM;
	for (size_t i = 0; i < graph->n_subgraphs; i++) {
		uint64_t size = round_up(graph->subgraphs[i].private_size, PAGE);

		lane = starts_segment(graph, i) ? 0 : lane + 1;
		if (lane + 1 > lanes->n)
			lanes->n = lane + 1;
		if (size > lanes->dp_size[lane])
			lanes->dp_size[lane] = size;
	}
	return 0;
}

static int place_stacks(struct cmd_v3_plan *plan, struct cursor *part)
{
	const struct graph *graph = plan->graph;
	uint64_t unit = round_up(graph->bss[0].stack_align, PAGE), tecs = plan->config.tecs;
	uint64_t dp_bytes = 0, dp = 0;
	struct lanes lanes;
	size_t lane = 0;

	if (lanes_init(&lanes, graph) < 0)
		return -ENOMEM;
	plan->stack_stride = round_up(graph->bss[0].stack_size, unit);
	plan->stack = cursor_add_pages(part, product(product(plan->stack_stride, tecs), lanes.n),
				       pages_pow2(unit));
	for (size_t l = 0; l < lanes.n; l++)
		dp_bytes = sum(dp_bytes, product(lanes.dp_size[l], tecs));
	plan->dp = cursor_add_pages(part, dp_bytes, PAGE);

	for (size_t i = 0; i < graph->n_subgraphs; i++) {
		struct cmd_v3_group *group = &plan->groups[i];

		dp = starts_segment(graph, i) ? 0 : sum(dp, product(lanes.dp_size[lane], tecs));
		lane = starts_segment(graph, i) ? 0 : lane + 1;
		group->stack =
			sum(plan->stack.offset, product(product(lane, tecs), plan->stack_stride));
		group->dp = sum(plan->dp.offset, dp);
		group->dp_size = graph->subgraphs[i].private_size ? lanes.dp_size[lane] : 0;
	}
	free(lanes.dp_size);
	return 0;
}

static void place_privates(struct cmd_v3_plan *plan, struct cursor *part)
{
	const struct graph *graph = plan->graph;
	struct cursor segment = {.align = PAGE};
	uint64_t bytes = 0;
	struct cmd_v3_span area;
	size_t n = 0;

	for (size_t i = 0; i < graph->n_subgraphs; i++) {
		const struct graph_subgraph *sub = &graph->subgraphs[i];

		if (starts_segment(graph, i))
			segment.size = 0;
		plan->groups[i].first_private = n;
		for (size_t k = 0; k < sub->n_privates; k++)
			plan->privates[n++] = cursor_add_pages(&segment, sub->privates[k].size,
							       sub->privates[k].align);
		if (segment.size > bytes)
			bytes = segment.size;
	}
	area = cursor_add_pages(part, bytes, segment.align);
	for (size_t i = 0; i < n; i++)
		plan->privates[i].offset = sum(plan->privates[i].offset, area.offset);
}

static void place_reuses(struct cmd_v3_plan *plan, struct cursor *part)
{
	for (size_t i = 0; i < plan->graph->n_reuses; i++) {
		const struct graph_reuse *reuse = &plan->graph->reuses[i];

		if (plan->config.lend_io && plan->reuses[i].in_place)
			continue;
		plan->reuses[i].span = cursor_add_pages(part, reuse->size, reuse->align);
	}
	part->size = sum(part->size, plan->config.tail_bytes);
}

static void place_printf(struct cmd_v3_plan *plan, struct cursor *part)
{
	const struct graph *graph = plan->graph;
	bool used = false;

	for (size_t i = 0; i < graph->n_subgraphs; i++)
		used |= graph->subgraphs[i].printf_size != 0;
	plan->printf_stride = round_up(CMD_V3_PRINTF_PER_TASK * plan->config.tecs, PAGE);
	if (used)
		plan->printf = cursor_add_pages(
			part, product(plan->printf_stride, graph->n_subgraphs), PAGE);
}

static int place_slot(struct cmd_v3_plan *plan, uint64_t n_tcbs)
{
	struct cursor part = {.align = PAGE};

	plan->rodata = cursor_add_pages(&part, plan->graph->rodata.size, PAGE);
	plan->desc = cursor_add_pages(&part, plan->graph->desc.size, PAGE);
	plan->tcbs = cursor_add_pages(&part, product(n_tcbs, NPU_TCB_SIZE), PAGE);
	place_privates(plan, &part);
	place_reuses(plan, &part);
	place_printf(plan, &part);
	if (place_stacks(plan, &part) < 0)
		return -ENOMEM;
	plan->slot_size = part.size;
	plan->slot_align = part.align;
	return 0;
}

/* Count runs of subgraphs of one BSS, not BSSs: a BSS may come back. */
static uint64_t mark_runs(struct cmd_v3_plan *plan)
{
	const struct graph *graph = plan->graph;
	uint64_t runs = 0;

	for (size_t i = 0; i < graph->n_subgraphs; i++) {
		struct cmd_v3_group *group = &plan->groups[i];
		int32_t dependency = graph->subgraphs[i].dependency;

		group->starts_run =
			i == 0 || graph->subgraphs[i].bss != graph->subgraphs[i - 1].bss;
		runs += group->starts_run;
		if (dependency == 1)
			group->flag = NPU_TCB_DEP_IMMEDIATE;
		else if (dependency == GRAPH_DEPENDS_ON_ALL && graph->n_subgraphs > 1)
			group->flag = NPU_TCB_DEP_PRE_ALL;
	}
	return runs;
}

/*
 * Tensors in place
 */

/*
 * A section is a candidate if it holds one tensor, at its start, and that is an
 * input or output. @ends gets the size of a tensor of each section that has any.
 */
static void find_candidates(struct cmd_v3_plan *plan, uint32_t *ends)
{
	const struct graph *graph = plan->graph;

	for (int kind = 0; kind < GRAPH_TENSOR_KIND_MAX_; kind++) {
		bool is_io = kind == GRAPH_TENSOR_INPUT || kind == GRAPH_TENSOR_OUTPUT;

		for (size_t i = 0; i < graph->tensors[kind].n; i++) {
			const struct graph_tensor *tensor = &graph->tensors[kind].tensor[i];
			bool is_first = !ends[tensor->section];

			plan->reuses[tensor->section].in_place =
				is_first && is_io && !tensor->offset;
			ends[tensor->section] = tensor->size;
		}
	}
	if (graph->gm_section >= 0)
		plan->reuses[graph->gm_section].in_place = false;
}

/* Whatever the program addresses in such a section must lie in the tensor: behind it is not ours.
 */
static void drop_overreaching(struct cmd_v3_plan *plan, const uint32_t *ends)
{
	for (size_t i = 0; i < plan->graph->n_patches; i++) {
		const struct graph_patch *patch = &plan->graph->patches[i];

		if (patch->area == GRAPH_AREA_REUSE &&
		    (uint64_t)patch->offset + patch->size > ends[patch->section])
			plan->reuses[patch->section].in_place = false;
	}
}

/* A place that is patched, and for which reuse section; UINT32_MAX: for anything else. */
struct mark {
	uint32_t position, section;
};

static int mark_compare(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;

	return x->position < y->position ? -1 : x->position > y->position;
}

/*
 * Patches of a run are applied again after all others. That gives the same result
 * only where no other patch or remap touches the same bytes.
 */
static int drop_contested(struct cmd_v3_plan *plan)
{
	const struct graph *graph = plan->graph;
	size_t n = graph->n_patches + graph->n_remaps;
	struct mark *marks = array(n, sizeof(*marks));

	if (!marks)
		return -ENOMEM;
	for (size_t i = 0; i < graph->n_patches; i++) {
		const struct graph_patch *patch = &graph->patches[i];

		marks[i].position = patch->position;
		marks[i].section = patch->area == GRAPH_AREA_REUSE ? patch->section : UINT32_MAX;
	}
	for (size_t i = 0; i < graph->n_remaps; i++) {
		const struct graph_remap *remap = &graph->remaps[i];
		uint32_t base = remap->type == 0 ? 0 : (uint32_t)graph->rodata.size;

		marks[graph->n_patches + i] = (struct mark){base + remap->offset, UINT32_MAX};
	}
	qsort(marks, n, sizeof(*marks), mark_compare);
	for (size_t i = 1; i < n; i++) {
		const struct mark *a = &marks[i - 1], *b = &marks[i];

		if (b->position - a->position >= 4 || a->section == b->section)
			continue;
		if (a->section != UINT32_MAX)
			plan->reuses[a->section].in_place = false;
		if (b->section != UINT32_MAX)
			plan->reuses[b->section].in_place = false;
	}
	free(marks);
	return 0;
}

/* Group the patches of sections in place, in their order. */
static int collect_io(struct cmd_v3_plan *plan)
{
	const struct graph *graph = plan->graph;
	size_t first = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < graph->n_patches; i++) {
			const struct graph_patch *patch = &graph->patches[i];
			struct cmd_v3_reuse *reuse;

			if (patch->area != GRAPH_AREA_REUSE)
				continue;
			reuse = &plan->reuses[patch->section];
			if (!reuse->in_place)
				continue;
			if (pass == 1)
				plan->io[reuse->first_io + reuse->n_io] = (struct cmd_v3_io){
					patch->position, patch->mask, patch->offset, patch->size};
			reuse->n_io++;
		}
		for (size_t i = 0; pass == 0 && i < graph->n_reuses; i++) {
			plan->reuses[i].first_io = first;
			first += plan->reuses[i].n_io;
			plan->reuses[i].n_io = 0;
		}
		if (pass == 0) {
			plan->n_io = first;
			plan->io = array(first, sizeof(*plan->io));
			if (!plan->io)
				return -ENOMEM;
		}
	}
	return 0;
}

static int find_in_place(struct cmd_v3_plan *plan)
{
	uint32_t *ends = array(plan->graph->n_reuses, sizeof(*ends));

	if (!ends)
		return -ENOMEM;
	find_candidates(plan, ends);
	drop_overreaching(plan, ends);
	free(ends);
	if (drop_contested(plan) < 0)
		return -ENOMEM;
	return collect_io(plan);
}

/*
 * Plans
 */

static int plan_allocate(struct cmd_v3_plan *plan)
{
	const struct graph *graph = plan->graph;
	size_t n_privates = 0;

	for (size_t i = 0; i < graph->n_subgraphs; i++)
		n_privates += graph->subgraphs[i].n_privates;
	plan->statics = array(graph->n_statics, sizeof(*plan->statics));
	plan->reuses = array(graph->n_reuses, sizeof(*plan->reuses));
	plan->groups = array(graph->n_subgraphs, sizeof(*plan->groups));
	plan->privates = array(n_privates, sizeof(*plan->privates));
	if (!plan->statics || !plan->reuses || !plan->groups || !plan->privates)
		return -ENOMEM;
	return 0;
}

static int check_size(const struct cmd_v3_plan *plan, uint64_t n_tcbs, struct loadable_error *error)
{
	uint64_t window = plan->config.window_size;
	uint64_t bytes = sum(sum(plan->shared_size, plan->shared_align),
			     sum(plan->slot_size, plan->slot_align));

	if (bytes > window || n_tcbs > UINT32_MAX)
		return refuse(error, -EFBIG,
			      "needs %llu bytes of device memory, the address window has %llu",
			      (unsigned long long)bytes, (unsigned long long)window);
	return 0;
}

static int plan_lay_out(struct cmd_v3_plan *plan, struct loadable_error *error)
{
	const struct graph *graph = plan->graph;
	uint64_t n_tcbs;

	plan->n_segmmu = (plan->config.cores + 1) / 2;
	if (plan_allocate(plan) < 0 || find_in_place(plan) < 0)
		return refuse(error, -ENOMEM, "out of memory");
	n_tcbs = sum(product(graph->n_subgraphs, plan->config.tecs),
		     product(mark_runs(plan), 1 + plan->n_segmmu));
	place_shared(plan);
	if (place_slot(plan, n_tcbs) < 0)
		return refuse(error, -ENOMEM, "out of memory");
	plan->n_tcbs = (uint32_t)n_tcbs;
	return check_size(plan, n_tcbs, error);
}

int cmd_v3_plan_create(struct cmd_v3_plan **ret, const struct graph *graph,
		       const struct cmd_v3_config *config, struct loadable_error *ret_error)
{
	zy_auto(cmd_v3_plan_destroy) struct cmd_v3_plan *plan = NULL;
	int r;

	r = check_config(config, ret_error);
	if (r == 0)
		r = check_subgraphs(graph, ret_error);
	if (r == 0)
		r = check_features(graph, ret_error);
	if (r < 0)
		return r;
	plan = calloc(1, sizeof(*plan));
	if (!plan)
		return refuse(ret_error, -ENOMEM, "out of memory");
	plan->graph = graph;
	plan->config = *config;
	r = plan_lay_out(plan, ret_error);
	if (r < 0)
		return r;
	*ret = zy_take(plan);
	return 0;
}

void cmd_v3_plan_destroy(struct cmd_v3_plan *plan)
{
	if (!plan)
		return;
	free(plan->statics);
	free(plan->reuses);
	free(plan->groups);
	free(plan->privates);
	free(plan->io);
	free(plan);
}
