/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Execution slots: an instance of a model in device memory that can run one job at
 * a time - a copy of rodata, the TCB chain, stacks, intermediate tensors. They
 * grow on demand, made by the worker, to caps.depth per model.
 *
 * A run restores the chain from its template and applies the binding's patches to
 * rodata; nothing else, no allocation, no system call.
 *
 * Loop thread only, unless stated.
 */
#pragma once

#include <stdint.h>

#include "daemon/device.h"
#include "proto/list.h"

struct binding;
struct model;

struct slot {
	struct list link;      /* model.free_slots while free */
	struct model *model;   /* borrowed: who holds a slot holds the model */
	struct device_job job; /* filled in by slot_prepare() but for cookie, fast and core_mask */
	struct slot_memory *memory; /* private to slot.c */
};

/*
 * A free slot of @model, or NULL. If there is none and the model may grow, one is
 * asked of the worker; registry.slot_ready is called when it is worth trying again.
 */
struct slot *slot_take(struct model *model);

/* Give it back; calls registry.slot_ready if somebody failed to get one. */
void slot_put(struct slot *slot);

/*
 * If the device was reopened since, make @slot fit the new addresses. Once, before it is
 * prepared: it costs as much as to make it. -ERANGE: it cannot be used at its new address.
 */
int slot_renew(struct slot *slot);

/*
 * Make @slot run @binding: restore the chain, apply I/O patches, copy inputs that
 * cannot be used in place. Returns the tensor bytes copied. slot->job is then
 * ready to be given a cookie and a core mask and submitted.
 */
uint64_t slot_prepare(struct slot *slot, const struct binding *binding);

/* After a successful run: copy outputs that could not be written in place. Returns the bytes
 * copied. */
uint64_t slot_collect(struct slot *slot, const struct binding *binding);
