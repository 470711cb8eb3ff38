/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer for writing files, little endian. Running out of memory is
 * remembered: what is appended from there on is dropped, and the caller looks once,
 * in the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	uint8_t *data; /* owned */
	size_t size, room;
	bool failed;
};

void bytes_finish(struct bytes *bytes);

void bytes_append(struct bytes *bytes, const void *data, size_t size);
void bytes_zeros(struct bytes *bytes, size_t n);
/* Zeros up to the next multiple of @align (a power of two) behind @start. */
void bytes_align(struct bytes *bytes, size_t start, size_t align);
void bytes_u16(struct bytes *bytes, uint16_t x);
void bytes_u32(struct bytes *bytes, uint32_t x);
/* Overwrite what was written at @offset. */
void bytes_set_u32(struct bytes *bytes, size_t offset, uint32_t x);
