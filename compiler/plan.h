/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Static memory planning: places for intermediate tensors in one section, so that
 * tensors that are alive at the same time never overlap and others share.
 *
 * Greedy by size: the largest first, each at the lowest place that is free while it
 * lives. Deterministic: equal input, equal plan.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct plan_item {
	uint32_t size;	      /* bytes, > 0 */
	uint32_t first, last; /* alive from step first to step last, both included */
	uint32_t offset;      /* result */
};

/* All of one model's intermediates; the software NPU's address window is not larger. */
#define PLAN_MAX_SIZE 0xc0000000u

/*
 * Set the offsets of @items, multiples of @align (a power of two), and the size of
 * the section. Returns 0, -EFBIG if it would be larger than PLAN_MAX_SIZE, or -ENOMEM.
 */
int plan_memory(struct plan_item *items, size_t n, uint32_t align, uint32_t *ret_size);
