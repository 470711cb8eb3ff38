/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What model.c, model_load.c, slot.c and binding.c share: a model's memory, and how
 * its slots are made. Nobody else includes this.
 *
 * All but the bookkeeping at the end is made by the worker while the model loads,
 * and constant from then on, so the worker may read it to make further slots.
 */
#pragma once

#include "daemon/cmd_v3.h"
#include "daemon/device.h"
#include "daemon/model.h"
#include "daemon/slot.h"
#include "daemon/worker.h"

/* A range of every slot, before it is known where the slot lies. */
struct slot_range {
	bool shared; /* in the model's part, else in the slot's */
	uint64_t offset, size;
	enum device_access access;
};

struct model_memory {
	struct model *model;   /* whose memory it is */
	struct device *device; /* borrowed */
	struct cmd_v3_plan *plan;
	struct device_buffer *shared; /* text and constants */
	uint64_t shared_at;	      /* where the plan's shared part starts */
	uint64_t shared_offset;	      /* the same, in the buffer */
	unsigned int epoch;	      /* of the device, when that was so */
	uint8_t *rodata, *desc;	      /* as in the file; desc may be NULL */
	struct slot_range *ranges;
	size_t n_ranges;

	/* Loop only. */
	struct list waiting;	/* model_load.link: loads of the same image, while it loads */
	bool growing;		/* the worker makes a slot */
	bool starved;		/* slot_take() found none */
	bool full;		/* the device had no memory for another slot, */
	uint64_t full_at;	/* when this much was in use */
	struct work retirement; /* of a model that nobody uses any more */
};

/* Execution slot: what slot.h does not show. */
struct slot_memory {
	struct device_buffer *buffer;
	struct cmd_v3_place place;
	uint64_t offset;		/* of place.slot in the buffer */
	unsigned int epoch;		/* of the device, when that was so */
	uint8_t *rodata, *desc, *chain; /* in the buffer */
	uint8_t *chain_template;
	struct device_range *ranges;
};

/*
 * The ranges that slots of @plan have. [any]
 *   -ENOMEM
 */
int slot_ranges_create(struct slot_range **ret, size_t *ret_n, const struct cmd_v3_plan *plan);

/*
 * A slot of @model, which need not be loaded completely: only @memory is looked at. [any]
 *   -ENOSPC  device memory
 *   -ERANGE  the device's memory lies outside of the window
 *   -ENOMEM
 */
int slot_create(struct slot **ret, struct model *model, const struct model_memory *memory);
void slot_destroy(struct slot *slot); /* [any]; accepts NULL */

/* Bytes of device memory a slot takes. */
uint64_t slot_bytes(const struct model_memory *memory);

/* Accepts NULL and half-made ones. [any] */
void model_memory_destroy(struct model_memory *memory);

/* List @model, loading, as a new reference; NULL: out of memory. */
struct model *model_create(struct model_registry *reg, const uint8_t hash[32], const char *name);

/* Keep @model as @name. -EEXIST: that name, or this model, is taken; @text says which. */
int model_keep(struct model *model, const char *name, char *text, size_t size);
