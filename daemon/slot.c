/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/slot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/binding.h"
#include "daemon/buffer.h"
#include "daemon/device_backend.h"
#include "daemon/model_memory.h"
#include "npu/tcb.h"

ZY_DEFINE_AUTO(struct slot, slot_destroy)

static size_t chain_bytes(const struct cmd_v3_plan *plan)
{
	return (size_t)plan->n_tcbs * NPU_TCB_SIZE;
}

uint64_t slot_bytes(const struct model_memory *memory)
{
	return cmd_v3_part_bytes(memory->plan->slot_size, memory->plan->slot_align);
}

/*
 * Making one
 */

static int slot_place(struct slot_memory *slot, const struct model_memory *memory)
{
	const struct cmd_v3_plan *plan = memory->plan;
	uint64_t address = slot->buffer->address;
	int r;

	slot->place.shared = memory->shared_at;
	r = cmd_v3_part_place(&plan->config, address, plan->slot_size, plan->slot_align,
			      &slot->place.slot);
	if (r == 0)
		slot->offset = slot->place.slot - address;
	return r;
}

static int slot_allocate(struct slot_memory *slot, const struct model_memory *memory)
{
	int r;

	slot->chain_template = malloc(chain_bytes(memory->plan));
	slot->ranges = calloc(memory->n_ranges, sizeof(*slot->ranges));
	if (!slot->chain_template || !slot->ranges)
		return -ENOMEM;
	slot->epoch = device_epoch(memory->device);
	r = device_buffer_create(memory->device, slot_bytes(memory), &slot->buffer);
	return r < 0 ? r : slot_place(slot, memory);
}

static uint8_t *slot_cpu(const struct slot_memory *slot, const struct cmd_v3_span *span)
{
	return slot->buffer->cpu + slot->offset + span->offset;
}

static void slot_fill(struct slot_memory *slot, const struct model_memory *memory)
{
	const struct cmd_v3_plan *plan = memory->plan;

	slot->rodata = slot_cpu(slot, &plan->rodata);
	slot->desc = slot_cpu(slot, &plan->desc);
	slot->chain = slot_cpu(slot, &plan->tcbs);
	memcpy(slot->rodata, memory->rodata, plan->rodata.size);
	if (plan->desc.size)
		memcpy(slot->desc, memory->desc, plan->desc.size);
	cmd_v3_patch(plan, &slot->place, slot->rodata, slot->desc);
	cmd_v3_chain(plan, &slot->place, slot->chain_template);
}

static void slot_fill_ranges(struct slot_memory *slot, const struct model_memory *memory)
{
	for (size_t i = 0; i < memory->n_ranges; i++) {
		const struct slot_range *from = &memory->ranges[i];
		struct device_buffer *buffer = from->shared ? memory->shared : slot->buffer;
		uint64_t start = from->shared ? memory->shared_offset : slot->offset;

		slot->ranges[i] = (struct device_range){
			.buffer = buffer,
			.offset = start + from->offset,
			.size = from->size,
			.access = from->access,
		};
	}
	/* Now rather than at each submission. */
	qsort(slot->ranges, memory->n_ranges, sizeof(*slot->ranges), device_range_compare);
}

static void slot_fill_job(struct slot *slot, const struct model_memory *memory)
{
	struct cmd_v3_start start;

	cmd_v3_start(memory->plan, &slot->memory->place, &start);
	slot->job = (struct device_job){
		.head = start.head,
		.first_task = start.first_task,
		.last_task = start.last_task,
		.n_tcbs = start.n_tcbs,
		.n_groups = start.n_groups,
		.ranges[0] = {slot->memory->ranges, memory->n_ranges},
	};
}

int slot_create(struct slot **ret, struct model *model, const struct model_memory *memory)
{
	zy_auto(slot_destroy) struct slot *slot = calloc(1, sizeof(*slot));
	int r;

	if (!slot)
		return -ENOMEM;
	list_init(&slot->link);
	slot->model = model;
	slot->memory = calloc(1, sizeof(*slot->memory));
	if (!slot->memory)
		return -ENOMEM;
	r = slot_allocate(slot->memory, memory);
	if (r < 0)
		return r;
	slot_fill(slot->memory, memory);
	slot_fill_ranges(slot->memory, memory);
	slot_fill_job(slot, memory);
	*ret = zy_take(slot);
	return 0;
}

void slot_destroy(struct slot *slot)
{
	if (!slot)
		return;
	list_remove(&slot->link);
	if (slot->memory) {
		device_buffer_destroy(slot->memory->buffer);
		free(slot->memory->chain_template);
		free(slot->memory->ranges);
		free(slot->memory);
	}
	free(slot);
}

/*
 * New addresses
 */

/* The part may start elsewhere in its buffer, too, if it wants more alignment than a page. */
static int shared_renew(struct model_memory *memory, unsigned int epoch)
{
	const struct cmd_v3_plan *plan = memory->plan;
	const struct device_buffer *buffer = memory->shared;
	uint64_t old = memory->shared_offset, at;
	int r;

	if (memory->epoch == epoch)
		return 0;
	r = cmd_v3_part_place(&plan->config, buffer->address, plan->shared_size, plan->shared_align,
			      &at);
	if (r < 0)
		return r;
	memory->shared_at = at;
	memory->shared_offset = at - buffer->address;
	if (memory->shared_offset != old)
		memmove(buffer->cpu + memory->shared_offset, buffer->cpu + old, plan->shared_size);
	memory->epoch = epoch;
	return 0;
}

int slot_renew(struct slot *slot)
{
	struct model_memory *memory = slot->model->memory;
	unsigned int epoch = device_epoch(memory->device);
	int r;

	if (slot->memory->epoch == epoch)
		return 0;
	r = shared_renew(memory, epoch);
	if (r == 0)
		r = slot_place(slot->memory, memory);
	if (r < 0)
		return r;
	slot_fill(slot->memory, memory);
	slot_fill_ranges(slot->memory, memory);
	slot_fill_job(slot, memory);
	slot->memory->epoch = epoch;
	return 0;
}

/*
 * Growing: the worker makes one slot at a time.
 */

struct growth {
	struct work work;
	struct model *model; /* a reference */
	struct slot *slot;
	int error;
};

static void announce(struct model *model)
{
	struct model_registry *reg = model->registry;

	if (!model->memory->starved)
		return;
	model->memory->starved = false;
	if (reg->slot_ready)
		reg->slot_ready(reg->slot_ready_arg, model);
}

static void growth_run(struct work *work)
{
	struct growth *growth = list_entry(work, struct growth, work);

	growth->error = slot_create(&growth->slot, growth->model, growth->model->memory);
}

static void growth_done(struct work *work)
{
	struct growth *growth = list_entry(work, struct growth, work);
	struct model *model = growth->model;
	struct model_memory *memory = model->memory;

	memory->growing = false;
	if (growth->error == 0) {
		model->n_slots++;
		model->device_bytes += growth->slot->memory->buffer->size;
		list_append(&model->free_slots, &growth->slot->link);
		announce(model);
	} else {
		/* The slots there are must do, until somebody gives memory back. */
		memory->full = true;
		memory->full_at = device_memory_used(memory->device);
	}
	free(growth);
	model_unref(model);
}

static bool may_grow(struct model *model)
{
	struct model_memory *memory = model->memory;

	if (memory->growing || model->n_slots >= memory->device->caps.depth)
		return false;
	if (memory->full && device_memory_used(memory->device) >= memory->full_at)
		return false;
	memory->full = false;
	return model->registry->worker;
}

static void grow(struct model *model)
{
	struct growth *growth = calloc(1, sizeof(*growth));

	/* Out of memory: there is at least one slot, and it will be free again. */
	if (!growth)
		return;
	list_init(&growth->work.link);
	growth->work.run = growth_run;
	growth->work.done = growth_done;
	growth->model = model_ref(model);
	model->memory->growing = true;
	worker_submit(model->registry->worker, &growth->work);
}

struct slot *slot_take(struct model *model)
{
	struct slot *slot = list_first(&model->free_slots, struct slot, link);

	if (slot) {
		list_remove(&slot->link);
		return slot;
	}
	model->memory->starved = true;
	if (may_grow(model))
		grow(model);
	return NULL;
}

void slot_put(struct slot *slot)
{
	struct model *model = slot->model;

	/* In front: what ran last is still in the caches. */
	list_append(model->free_slots.next, &slot->link);
	announce(model);
}

/*
 * Running
 */

static const struct graph_tensor *range_tensor(const struct slot *slot,
					       const struct binding_range *range)
{
	return &slot->model->graph->tensors[range->kind].tensor[range->index];
}

/* Where a tensor that is not used in place lies. */
static uint8_t *tensor_copy(const struct slot *slot, const struct graph_tensor *tensor)
{
	const struct cmd_v3_plan *plan = slot->model->memory->plan;

	return slot_cpu(slot->memory, &plan->reuses[tensor->section].span) + tensor->offset;
}

/* Let the program use the client's range, or the slot's own if it can be either. */
static void patch_range(const struct slot *slot, const struct binding_range *range, bool in_place)
{
	const struct cmd_v3_plan *plan = slot->model->memory->plan;
	const struct slot_memory *memory = slot->memory;
	uint32_t section = range_tensor(slot, range)->section;
	uint64_t address;

	if (!plan->reuses[section].in_place)
		return;
	address = in_place ? range->buffer->memory->address + range->offset
			   : memory->place.slot + plan->reuses[section].span.offset;
	cmd_v3_patch_io(plan, section, address, memory->rodata, memory->desc);
}

/* The slot's last tenant left its results there, and a program need not write all of an output. */
static void clear_outputs(const struct slot *slot, const struct binding *binding)
{
	for (size_t i = 0; i < binding->n_ranges; i++) {
		const struct binding_range *range = &binding->ranges[i];

		if (!binding->in_place[i] && range->kind == GRAPH_TENSOR_OUTPUT)
			memset(tensor_copy(slot, range_tensor(slot, range)), 0, range->size);
	}
}

uint64_t slot_prepare(struct slot *slot, const struct binding *binding)
{
	const struct slot_memory *memory = slot->memory;
	uint64_t copied = 0;

	clear_outputs(slot, binding);
	memcpy(memory->chain, memory->chain_template, chain_bytes(slot->model->memory->plan));
	for (size_t i = 0; i < binding->n_ranges; i++) {
		const struct binding_range *range = &binding->ranges[i];

		patch_range(slot, range, binding->in_place[i]);
		if (binding->in_place[i] || range->kind != GRAPH_TENSOR_INPUT)
			continue;
		memcpy(tensor_copy(slot, range_tensor(slot, range)),
		       range->buffer->memory->cpu + range->offset, range->size);
		copied += range->size;
	}
	slot->job.ranges[1].range = binding->device_ranges;
	slot->job.ranges[1].n = binding->n_device_ranges;
	return copied;
}

uint64_t slot_collect(struct slot *slot, const struct binding *binding)
{
	uint64_t copied = 0;

	for (size_t i = 0; i < binding->n_ranges; i++) {
		const struct binding_range *range = &binding->ranges[i];

		if (binding->in_place[i] || range->kind != GRAPH_TENSOR_OUTPUT)
			continue;
		memcpy(range->buffer->memory->cpu + range->offset,
		       tensor_copy(slot, range_tensor(slot, range)), range->size);
		copied += range->size;
	}
	return copied;
}
