/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command builder for generation v3 (X2, and the software NPU): what a graph needs
 * in device memory, its parameters with addresses patched in, and the TCB chain
 * that runs it.
 *
 * A graph's memory has two parts. The *shared* one (text, constants) exists once
 * per model, the *slot* one (parameters, chain, stacks, intermediate tensors) once
 * per execution slot. A plan says where in its part everything lies; the caller
 * allocates the parts and then says where they are.
 *
 * Pure: no device, no memory but its arguments. Plans do not change once made; any
 * thread may read one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loadable/graph.h"
#include "loadable/loadable_elf.h"
#include "proto/scope.h"

#define CMD_V3_PRINTF_PER_TASK UINT64_C(1024)

struct cmd_v3_config {
	unsigned int cores; /* of the cluster; 1 … 15 */
	unsigned int tecs;  /* per core; 1 … 15 */
	uint64_t asid0_base;
	uint64_t window_size;
	uint32_t tail_bytes; /* readable bytes the device wants behind constants and tensors */
	/*
	 * Reuse sections that can be used in place get no memory in the slot: the
	 * device takes clients' ranges of any alignment.
	 */
	bool lend_io;
};

/* Where something lies in its part. */
struct cmd_v3_span {
	uint64_t offset;
	uint64_t size; /* 0: it is not there */
};

/* slot at @position = (address & mask) | (slot & ~mask), address = section + offset */
struct cmd_v3_io {
	uint32_t position;
	uint32_t mask;
	uint32_t offset;
	uint32_t size; /* of the object at that address */
};

struct cmd_v3_reuse {
	struct cmd_v3_span span; /* size 0: lent, it lies in a client's buffer */
	bool in_place;		 /* one input or output has it to itself */
	size_t first_io, n_io;	 /* its patches, if in_place */
};

/* One subgraph. */
struct cmd_v3_group {
	bool starts_run;  /* consecutive subgraphs of one BSS are a run, with init TCBs of their own
			   */
	uint32_t flag;	  /* dependency, for the first task */
	uint64_t stack;	  /* offset of task 0's in the slot */
	uint64_t dp;	  /* likewise, private data */
	uint64_t dp_size; /* per task; 0: none */
	size_t first_private;
};

struct cmd_v3_plan {
	const struct graph *graph; /* borrowed; its blobs are not used after the plan is made */
	struct cmd_v3_config config;

	uint64_t shared_size, shared_align;
	struct cmd_v3_span text, crodata;
	struct cmd_v3_span *statics; /* graph.n_statics */
	bool has_weights;

	uint64_t slot_size, slot_align;
	struct cmd_v3_span rodata, desc, tcbs, printf, stack, dp;
	struct cmd_v3_reuse *reuses;  /* graph.n_reuses */
	struct cmd_v3_group *groups;  /* graph.n_subgraphs */
	struct cmd_v3_span *privates; /* of all subgraphs */
	struct cmd_v3_io *io;	      /* grouped by section */
	size_t n_io;

	uint64_t stack_stride;	/* from task to task */
	uint64_t printf_stride; /* from subgraph to subgraph */
	uint32_t n_segmmu;	/* SegMMU TCBs behind each init TCB */
	uint32_t n_tcbs;
};

/*
 * @graph must outlive the plan. Returns 0, or
 *   -ENOTSUP  uses what this builder does not do
 *   -EBADMSG  is not for this generation: a dependency on several groups
 *   -EFBIG    does not fit the address window
 *   -ENOMEM
 * and @ret_error says why.
 */
int cmd_v3_plan_create(struct cmd_v3_plan **ret, const struct graph *graph,
		       const struct cmd_v3_config *config, struct loadable_error *ret_error);
void cmd_v3_plan_destroy(struct cmd_v3_plan *plan); /* accepts NULL */
ZY_DEFINE_AUTO(struct cmd_v3_plan, cmd_v3_plan_destroy)

/* Bytes to allocate, page aligned, for a part of @size that wants @align. */
uint64_t cmd_v3_part_bytes(uint64_t size, uint64_t align);

/*
 * Where such a part starts inside an allocation at the bus address @address.
 * -ERANGE if it leaves the window, crosses 4 GiB, or starts at NPU address 0.
 */
int cmd_v3_part_place(const struct cmd_v3_config *config, uint64_t address, uint64_t size,
		      uint64_t align, uint64_t *ret);

/* Bus addresses of a plan's parts. */
struct cmd_v3_place {
	uint64_t shared, slot;
};

/* What the device is started with. */
struct cmd_v3_start {
	uint64_t head, first_task, last_task;
	uint32_t n_tcbs, n_groups;
};

void cmd_v3_start(const struct cmd_v3_plan *plan, const struct cmd_v3_place *place,
		  struct cmd_v3_start *ret);

/*
 * Apply all patches and remaps to @rodata and @desc, which hold the file's content.
 * Sections that are lent are left for cmd_v3_patch_io().
 */
void cmd_v3_patch(const struct cmd_v3_plan *plan, const struct cmd_v3_place *place, uint8_t *rodata,
		  uint8_t *desc);

/* Let the patches of reuse section @section, which is in_place, point to @address on the bus. */
void cmd_v3_patch_io(const struct cmd_v3_plan *plan, uint32_t section, uint64_t address,
		     uint8_t *rodata, uint8_t *desc);

/* Write the whole chain, plan.n_tcbs * 128 bytes. */
void cmd_v3_chain(const struct cmd_v3_plan *plan, const struct cmd_v3_place *place, uint8_t *chain);
