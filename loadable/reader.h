/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cursor over bytes nobody has checked. A read that would pass the end fails
 * and moves nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loadable/graph.h"

struct reader {
	const uint8_t *data; /* borrowed */
	size_t size;
	size_t pos; /* <= size */
};

static inline uint16_t load_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t load_le32(const uint8_t *p)
{
	return load_le16(p) | (uint32_t)load_le16(p + 2) << 16;
}

static inline uint64_t load_le64(const uint8_t *p)
{
	return load_le32(p) | (uint64_t)load_le32(p + 4) << 32;
}

static inline struct reader reader_of(struct blob blob)
{
	return (struct reader){.data = blob.data, .size = blob.size};
}

static inline size_t reader_left(const struct reader *r)
{
	return r->size - r->pos;
}

/* The next @n (> 0) bytes, or NULL if there are not so many. */
static inline const uint8_t *reader_take(struct reader *r, uint64_t n)
{
	const uint8_t *p;

	if (n > reader_left(r))
		return NULL;
	p = r->data + r->pos;
	r->pos += (size_t)n;
	return p;
}

static inline bool reader_u32(struct reader *r, uint32_t *ret)
{
	const uint8_t *p = reader_take(r, 4);

	if (p)
		*ret = load_le32(p);
	return p != NULL;
}

static inline bool reader_u64(struct reader *r, uint64_t *ret)
{
	const uint8_t *p = reader_take(r, 8);

	if (p)
		*ret = load_le64(p);
	return p != NULL;
}
