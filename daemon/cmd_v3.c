/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/cmd_v3.h"

#include <errno.h>
#include <string.h>

#include "npu/tcb.h"

#define PAGE UINT64_C(4096)

/* Addresses in programs and TCBs are relative to ASID 0 and have 32 bits. */
static uint32_t rel(const struct cmd_v3_plan *plan, uint64_t address)
{
	return (uint32_t)(address - plan->config.asid0_base);
}

uint64_t cmd_v3_part_bytes(uint64_t size, uint64_t align)
{
	/* Allocations are page aligned; what is missing is made up for by a larger one. */
	uint64_t slack = align > PAGE ? align - PAGE : 0;

	return (size + slack + PAGE - 1) & ~(PAGE - 1);
}

int cmd_v3_part_place(const struct cmd_v3_config *config, uint64_t address, uint64_t size,
		      uint64_t align, uint64_t *ret)
{
	uint64_t start, end;

	if (address < config->asid0_base)
		return -ERANGE;
	start = address - config->asid0_base;
	if (__builtin_add_overflow(start, align - 1, &start))
		return -ERANGE;
	start &= ~(align - 1);
	if (!start || __builtin_add_overflow(start, size, &end) || end > config->window_size)
		return -ERANGE;
	if (__builtin_add_overflow(start, config->asid0_base, &start) ||
	    __builtin_add_overflow(start, size, &end))
		return -ERANGE;
	/* `next` has 32 bits, and so has every address a program computes. */
	if (size && (start >> 32) != ((end - 1) >> 32))
		return -ERANGE;
	*ret = start;
	return 0;
}

void cmd_v3_start(const struct cmd_v3_plan *plan, const struct cmd_v3_place *place,
		  struct cmd_v3_start *ret)
{
	uint64_t head = place->slot + plan->tcbs.offset;

	*ret = (struct cmd_v3_start){
		.head = head,
		.first_task = head + (1 + (uint64_t)plan->n_segmmu) * NPU_TCB_SIZE,
		.last_task = head + ((uint64_t)plan->n_tcbs - 1) * NPU_TCB_SIZE,
		.n_tcbs = plan->n_tcbs,
		.n_groups = (uint32_t)plan->graph->n_subgraphs,
	};
}

/*
 * Patches
 */

/* Rodata and descriptor are one space without padding between them. */
static uint8_t *slot_at(const struct cmd_v3_plan *plan, uint8_t *rodata, uint8_t *desc,
			uint32_t position)
{
	if (position < plan->rodata.size)
		return rodata + position;
	return desc + (position - plan->rodata.size);
}

static void slot_write(uint8_t *slot, uint32_t value, uint32_t mask)
{
	uint32_t old;

	memcpy(&old, slot, sizeof(old));
	value = (value & mask) | (old & ~mask);
	memcpy(slot, &value, sizeof(value));
}

static uint64_t patch_target(const struct cmd_v3_plan *plan, const struct cmd_v3_place *place,
			     const struct graph_patch *patch)
{
	switch (patch->area) {
	case GRAPH_AREA_STATIC:
		return place->shared + plan->statics[patch->section].offset + patch->offset;
	case GRAPH_AREA_REUSE:
		return place->slot + plan->reuses[patch->section].span.offset + patch->offset;
	case GRAPH_AREA_PRIVATE:
		return place->slot + patch->offset +
		       plan->privates[plan->groups[patch->subgraph].first_private + patch->section]
			       .offset;
	}
	return 0;
}

static uint64_t remap_area(const struct cmd_v3_plan *plan, const struct cmd_v3_place *place,
			   uint32_t type)
{
	switch (type) {
	case 0:
		return place->slot + plan->rodata.offset;
	case 1:
		return place->slot + plan->desc.offset;
	default:
		return place->shared + plan->text.offset;
	}
}

void cmd_v3_patch(const struct cmd_v3_plan *plan, const struct cmd_v3_place *place, uint8_t *rodata,
		  uint8_t *desc)
{
	const struct graph *graph = plan->graph;

	for (size_t i = 0; i < graph->n_patches; i++) {
		const struct graph_patch *patch = &graph->patches[i];

		if (patch->area == GRAPH_AREA_REUSE && !plan->reuses[patch->section].span.size)
			continue;
		slot_write(slot_at(plan, rodata, desc, patch->position),
			   rel(plan, patch_target(plan, place, patch)), patch->mask);
	}
	for (size_t i = 0; i < graph->n_remaps; i++) {
		const struct graph_remap *remap = &graph->remaps[i];
		uint8_t *area = remap->type == 0 ? rodata : desc;

		slot_write(area + remap->offset,
			   rel(plan, remap_area(plan, place, remap->next_type)) +
				   remap->next_offset,
			   UINT32_MAX);
	}
}

void cmd_v3_patch_io(const struct cmd_v3_plan *plan, uint32_t section, uint64_t address,
		     uint8_t *rodata, uint8_t *desc)
{
	const struct cmd_v3_reuse *reuse = &plan->reuses[section];

	for (size_t i = reuse->first_io; i < reuse->first_io + reuse->n_io; i++) {
		const struct cmd_v3_io *io = &plan->io[i];

		slot_write(slot_at(plan, rodata, desc, io->position),
			   rel(plan, address + io->offset), io->mask);
	}
}

/*
 * The chain
 */

static void build_init(const struct cmd_v3_plan *plan, uint16_t grid_id, struct npu_tcb_init *ret)
{
	/* Weights share the window with everything else; without any, ASID 1 has no base. */
	uint64_t bases[2] = {plan->config.asid0_base,
			     plan->has_weights ? plan->config.asid0_base : 0};
	uint32_t indicator = plan->n_segmmu == 1 ? 1 : plan->n_segmmu == 2 ? 3 : 0;

	*ret = (struct npu_tcb_init){
		.flag = NPU_TCB_TYPE_INIT | indicator << NPU_TCB_SEGMMU_SHIFT,
		.grid_id = grid_id,
	};
	for (int i = 0; i < 2; i++) {
		ret->asid[i].low = (uint32_t)bases[i] | NPU_ASID_RW;
		ret->asid[i].high = (uint32_t)(bases[i] >> 32);
	}
}

/* TCB @i of n_segmmu; with an odd number of cores the last one's odd half stays 0. */
static void build_segmmu(const struct cmd_v3_plan *plan, uint32_t i, struct npu_tcb_segmmu *ret)
{
	*ret = (struct npu_tcb_segmmu){.even.ctrl = NPU_SEGMMU_IDENTITY};
	if (2 * i + 1 < plan->config.cores)
		ret->odd.ctrl = NPU_SEGMMU_IDENTITY;
}

static uint32_t task_flag(const struct cmd_v3_plan *plan, size_t subgraph, uint32_t task)
{
	size_t n = plan->graph->n_subgraphs;
	uint32_t flag = NPU_TCB_TYPE_TASK;

	if (task == 0)
		flag |= plan->groups[subgraph].flag;
	if (task == plan->config.tecs - 1) {
		flag |= NPU_TCB_GROUP_END;
		/* A job of one group has no grid end, so that the next one can run beside it. */
		if (n > 1 && subgraph == n - 1)
			flag |= NPU_TCB_GRID_END;
	}
	return flag;
}

static uint32_t task_interrupts(const struct cmd_v3_plan *plan, size_t subgraph, uint32_t task)
{
	size_t n = plan->graph->n_subgraphs;
	uint32_t irq = NPU_IRQ_TYPES;

	if (plan->graph->subgraphs[subgraph].printf_size)
		irq |= NPU_IRQ_TEC;
	if (task == plan->config.tecs - 1 && subgraph == n - 1)
		irq |= NPU_IRQ_CLUSTER | (n == 1 ? NPU_IRQ_CORE : 0);
	return irq;
}

/* Where the profiler's records go; 0: the graph has none. */
static uint32_t profiler_address(const struct cmd_v3_plan *plan, const struct cmd_v3_place *place)
{
	const struct graph_tensors *list = &plan->graph->tensors[GRAPH_TENSOR_PROFILER];
	const struct graph_tensor *tensor = list->tensor;

	if (!list->n)
		return 0;
	return rel(plan, place->slot + plan->reuses[tensor->section].span.offset + tensor->offset);
}

static void build_task(const struct cmd_v3_plan *plan, const struct cmd_v3_place *place,
		       size_t subgraph, uint32_t task, struct npu_tcb_task *ret)
{
	const struct graph_subgraph *sub = &plan->graph->subgraphs[subgraph];
	const struct cmd_v3_group *group = &plan->groups[subgraph];
	uint32_t profiler = profiler_address(plan, place);

	*ret = (struct npu_tcb_task){
		.flag = task_flag(plan, subgraph, task),
		.spc = rel(plan, place->shared + plan->text.offset) + sub->text_offset,
		.interrupt_en = task_interrupts(plan, subgraph, task),
		.group_id = (uint16_t)(subgraph % plan->config.cores),
		.task_id = (uint16_t)task,
		.grid_dim = {1, 1, 1},
		.group_dim = {(uint16_t)plan->config.tecs, 1, 1},
		.group_pos = {1, 0, 0},
		.task_pos = {(uint16_t)task, 0, 0},
		.sp = rel(plan, place->slot + group->stack + task * plan->stack_stride),
		.pp = rel(plan, place->slot + plan->rodata.offset) + sub->rodata_offset,
	};
	if (group->dp_size)
		ret->dp = rel(plan, place->slot + group->dp + task * group->dp_size);
	if (plan->crodata.size)
		ret->cp = rel(plan, place->shared + plan->crodata.offset);
	if (sub->printf_size)
		ret->pprint = rel(plan, place->slot + plan->printf.offset +
						plan->printf_stride * subgraph +
						CMD_V3_PRINTF_PER_TASK * task);
	if (profiler) {
		ret->pprofiler = profiler + sub->profiler_offset;
		ret->reserved2[2] = profiler;
	}
}

/* Memory where a chain is built, TCB by TCB. */
struct chain {
	uint8_t *tcbs;
	uint64_t address;
	uint32_t n;
};

static void *chain_at(const struct chain *chain, uint32_t i)
{
	return chain->tcbs + (size_t)i * NPU_TCB_SIZE;
}

/* The last TCB that carries a link, if any, goes on at TCB @i. */
static void chain_link(struct chain *chain, int64_t from, uint32_t to)
{
	struct npu_tcb_init tcb;

	if (from < 0)
		return;
	/* `next` is at the same place in all of them. */
	memcpy(&tcb, chain_at(chain, (uint32_t)from), sizeof(tcb));
	tcb.next = (uint32_t)(chain->address + (uint64_t)to * NPU_TCB_SIZE);
	memcpy(chain_at(chain, (uint32_t)from), &tcb, sizeof(tcb));
}

static void chain_add(struct chain *chain, const void *tcb)
{
	memcpy(chain_at(chain, chain->n++), tcb, NPU_TCB_SIZE);
}

/* SegMMU TCBs are found by position: only the init TCB is part of the linked list. */
static uint32_t chain_add_init(struct chain *chain, const struct cmd_v3_plan *plan,
			       uint16_t grid_id)
{
	struct npu_tcb_init init;
	struct npu_tcb_segmmu segmmu;
	uint32_t at = chain->n;

	build_init(plan, grid_id, &init);
	chain_add(chain, &init);
	for (uint32_t i = 0; i < plan->n_segmmu; i++) {
		build_segmmu(plan, i, &segmmu);
		chain_add(chain, &segmmu);
	}
	return at;
}

void cmd_v3_chain(const struct cmd_v3_plan *plan, const struct cmd_v3_place *place, uint8_t *memory)
{
	struct chain chain = {.tcbs = memory, .address = place->slot + plan->tcbs.offset};
	uint16_t grid_id = 0;
	int64_t last = -1;

	for (size_t i = 0; i < plan->graph->n_subgraphs; i++) {
		if (plan->groups[i].starts_run) {
			chain_link(&chain, last, chain.n);
			last = chain_add_init(&chain, plan, grid_id++);
		}
		for (uint32_t t = 0; t < plan->config.tecs; t++) {
			struct npu_tcb_task task;

			build_task(plan, place, i, t, &task);
			task.grid_id = (uint16_t)(grid_id - 1);
			task.tcbp = rel(plan, chain.address + (uint64_t)chain.n * NPU_TCB_SIZE);
			chain_link(&chain, last, chain.n);
			last = chain.n;
			chain_add(&chain, &task);
		}
	}
}
