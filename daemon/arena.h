/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scratch memory for one message: allocating is adding, freeing is nothing, and
 * the next message starts afresh. What a message can make us allocate is thereby
 * bounded, however it is built.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ARENA_ALIGN 16u

struct arena {
	uint8_t *base; /* borrowed */
	size_t size;
	size_t used; /* multiple of ARENA_ALIGN */
};

static inline void arena_reset(struct arena *arena)
{
	arena->used = 0;
}

/* Not zeroed; NULL when the arena is full. */
static inline void *arena_alloc(struct arena *arena, size_t size)
{
	void *p = arena->base + arena->used;

	if (size > arena->size - arena->used)
		return NULL;
	size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	arena->used = size > arena->size - arena->used ? arena->size : arena->used + size;
	return p;
}

/* @n objects of @size, or NULL. */
static inline void *arena_array(struct arena *arena, size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL : arena_alloc(arena, bytes);
}
