/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/bytes.h"

#include <stdlib.h>
#include <string.h>

void bytes_finish(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){0};
}

/* Room for @n more bytes, or NULL. */
static uint8_t *extend(struct bytes *bytes, size_t n)
{
	size_t wanted, room = bytes->room ? bytes->room : 4096;
	uint8_t *data;

	if (bytes->failed || __builtin_add_overflow(bytes->size, n, &wanted)) {
		bytes->failed = true;
		return NULL;
	}
	if (!bytes->data || wanted > bytes->room) {
		while (room < wanted)
			room = room > SIZE_MAX / 2 ? wanted : room * 2;
		data = realloc(bytes->data, room);
		if (!data) {
			bytes->failed = true;
			return NULL;
		}
		bytes->data = data;
		bytes->room = room;
	}
	data = bytes->data + bytes->size;
	bytes->size = wanted;
	return data;
}

void bytes_append(struct bytes *bytes, const void *data, size_t size)
{
	uint8_t *p = extend(bytes, size);

	if (p && size > 0)
		memcpy(p, data, size);
}

void bytes_zeros(struct bytes *bytes, size_t n)
{
	uint8_t *p = extend(bytes, n);

	if (p && n > 0)
		memset(p, 0, n);
}

void bytes_align(struct bytes *bytes, size_t start, size_t align)
{
	bytes_zeros(bytes, -(bytes->size - start) & (align - 1));
}

void bytes_u16(struct bytes *bytes, uint16_t x)
{
	bytes_append(bytes, (uint8_t[]){(uint8_t)x, (uint8_t)(x >> 8)}, 2);
}

static void put_u32(uint8_t *p, uint32_t x)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(x >> (8 * i));
}

void bytes_u32(struct bytes *bytes, uint32_t x)
{
	uint8_t p[4];

	put_u32(p, x);
	bytes_append(bytes, p, sizeof(p));
}

void bytes_set_u32(struct bytes *bytes, size_t offset, uint32_t x)
{
	if (!bytes->failed)
		put_u32(bytes->data + offset, x);
}
