/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading FlatBuffers that nobody vouches for. Every offset, vtable and vector is
 * checked against the buffer before it is followed; nothing is assumed about
 * alignment; nothing is allocated.
 *
 * Errors stick: the first malformed thing is remembered in flatbuffer.error, what
 * is read from there on is absent (defaults, empty vectors), and the caller looks
 * at the error when it has read an object. Absent and malformed are thus told
 * apart without a check after each field.
 *
 * Everything returned points into the buffer, which must outlive it. Pure; any
 * thread, one at a time per struct flatbuffer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flatbuffer {
	const uint8_t *data; /* borrowed */
	size_t size;
	const char *error; /* static text, NULL while nothing was wrong */
};

struct flatbuffer_table {
	struct flatbuffer *buffer; /* NULL: the table is absent */
	size_t position;
	size_t vtable;
	uint16_t vtable_size, size;
};

/* @n elements, in the file's byte order and at any alignment. */
struct flatbuffer_vector {
	const uint8_t *data; /* NULL if absent */
	uint32_t n;
};

/* The root table of @buffer, whose members data and size the caller has set. */
struct flatbuffer_table flatbuffer_root(struct flatbuffer *buffer);

/* Field number @field of @table, which may be absent. */
bool flatbuffer_bool(const struct flatbuffer_table *table, unsigned int field, bool absent);
uint8_t flatbuffer_u8(const struct flatbuffer_table *table, unsigned int field, uint8_t absent);
int32_t flatbuffer_i32(const struct flatbuffer_table *table, unsigned int field, int32_t absent);
uint64_t flatbuffer_u64(const struct flatbuffer_table *table, unsigned int field, uint64_t absent);
float flatbuffer_float(const struct flatbuffer_table *table, unsigned int field, float absent);
struct flatbuffer_table flatbuffer_table(const struct flatbuffer_table *table, unsigned int field);
/* Also strings, whose elements are their bytes. */
struct flatbuffer_vector flatbuffer_vector(const struct flatbuffer_table *table, unsigned int field,
					   unsigned int element_size);

/* Element @i, less than @vector->n, of a vector of tables (its elements have 4 bytes). */
struct flatbuffer_table flatbuffer_element(struct flatbuffer *buffer,
					   const struct flatbuffer_vector *vector, uint32_t i);

/* Numbers inside vectors. */
uint32_t flatbuffer_get_u32(const uint8_t *p);
uint64_t flatbuffer_get_u64(const uint8_t *p);
float flatbuffer_get_float(const uint8_t *p);
