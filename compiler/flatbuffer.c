/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/flatbuffer.h"

#include <string.h>

static uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t flatbuffer_get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t flatbuffer_get_u64(const uint8_t *p)
{
	return flatbuffer_get_u32(p) | (uint64_t)flatbuffer_get_u32(p + 4) << 32;
}

float flatbuffer_get_float(const uint8_t *p)
{
	uint32_t bits = flatbuffer_get_u32(p);
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

static void set_error(struct flatbuffer *buffer, const char *error)
{
	if (!buffer->error)
		buffer->error = error;
}

/* Whether [@position, @position + @length) lies in the buffer. */
static bool is_inside(const struct flatbuffer *buffer, uint64_t position, uint64_t length)
{
	return position <= buffer->size && length <= buffer->size - position;
}

static struct flatbuffer_table table_at(struct flatbuffer *buffer, uint64_t position)
{
	struct flatbuffer_table table = {0};
	int64_t vtable;

	if (!is_inside(buffer, position, 4)) {
		set_error(buffer, "a table lies outside the file");
		return table;
	}
	vtable = (int64_t)position - (int32_t)flatbuffer_get_u32(buffer->data + position);
	if (vtable < 0 || !is_inside(buffer, (uint64_t)vtable, 4)) {
		set_error(buffer, "a table's vtable lies outside the file");
		return table;
	}
	table.vtable_size = get_u16(buffer->data + vtable);
	table.size = get_u16(buffer->data + vtable + 2);
	if (table.vtable_size < 4 || !is_inside(buffer, (uint64_t)vtable, table.vtable_size)) {
		set_error(buffer, "a vtable has an impossible size");
		return table;
	}
	if (table.size < 4 || !is_inside(buffer, position, table.size)) {
		set_error(buffer, "a table has an impossible size");
		return table;
	}
	table.buffer = buffer;
	table.position = (size_t)position;
	table.vtable = (size_t)vtable;
	return table;
}

/* What the offset stored at @position leads to. The offset itself is known to be inside. */
static uint64_t follow(const struct flatbuffer *buffer, uint64_t position)
{
	return position + flatbuffer_get_u32(buffer->data + position);
}

struct flatbuffer_table flatbuffer_root(struct flatbuffer *buffer)
{
	struct flatbuffer_table absent = {0};

	buffer->error = NULL;
	if (!is_inside(buffer, 0, 4)) {
		set_error(buffer, "the file is too short");
		return absent;
	}
	return table_at(buffer, follow(buffer, 0));
}

/* The bytes of a field of @width bytes, or NULL if the table has no such field. */
static const uint8_t *field_at(const struct flatbuffer_table *table, unsigned int field,
			       unsigned int width)
{
	unsigned int entry = 4 + 2 * field;
	uint16_t offset;

	if (!table->buffer || table->buffer->error || entry + 2 > table->vtable_size)
		return NULL;
	offset = get_u16(table->buffer->data + table->vtable + entry);
	if (!offset)
		return NULL;
	if (offset + width > table->size) {
		set_error(table->buffer, "a field lies outside its table");
		return NULL;
	}
	return table->buffer->data + table->position + offset;
}

uint8_t flatbuffer_u8(const struct flatbuffer_table *table, unsigned int field, uint8_t absent)
{
	const uint8_t *p = field_at(table, field, 1);

	return p ? *p : absent;
}

bool flatbuffer_bool(const struct flatbuffer_table *table, unsigned int field, bool absent)
{
	return flatbuffer_u8(table, field, absent) != 0;
}

int32_t flatbuffer_i32(const struct flatbuffer_table *table, unsigned int field, int32_t absent)
{
	const uint8_t *p = field_at(table, field, 4);

	return p ? (int32_t)flatbuffer_get_u32(p) : absent;
}

uint64_t flatbuffer_u64(const struct flatbuffer_table *table, unsigned int field, uint64_t absent)
{
	const uint8_t *p = field_at(table, field, 8);

	return p ? flatbuffer_get_u64(p) : absent;
}

float flatbuffer_float(const struct flatbuffer_table *table, unsigned int field, float absent)
{
	const uint8_t *p = field_at(table, field, 4);

	return p ? flatbuffer_get_float(p) : absent;
}

struct flatbuffer_table flatbuffer_table(const struct flatbuffer_table *table, unsigned int field)
{
	const uint8_t *p = field_at(table, field, 4);
	struct flatbuffer_table absent = {0};

	if (!p)
		return absent;
	return table_at(table->buffer, follow(table->buffer, (size_t)(p - table->buffer->data)));
}

struct flatbuffer_vector flatbuffer_vector(const struct flatbuffer_table *table, unsigned int field,
					   unsigned int element_size)
{
	const uint8_t *p = field_at(table, field, 4);
	struct flatbuffer *buffer = table->buffer;
	struct flatbuffer_vector vector = {0};
	uint64_t position;
	uint32_t n;

	if (!p)
		return vector;
	position = follow(buffer, (size_t)(p - buffer->data));
	if (!is_inside(buffer, position, 4)) {
		set_error(buffer, "a vector lies outside the file");
		return vector;
	}
	n = flatbuffer_get_u32(buffer->data + position);
	if (!is_inside(buffer, position + 4, (uint64_t)n * element_size)) {
		set_error(buffer, "a vector is longer than the file");
		return vector;
	}
	vector.data = buffer->data + position + 4;
	vector.n = n;
	return vector;
}

struct flatbuffer_table flatbuffer_element(struct flatbuffer *buffer,
					   const struct flatbuffer_vector *vector, uint32_t i)
{
	const uint8_t *p = vector->data + (size_t)i * 4;

	return table_at(buffer, follow(buffer, (size_t)(p - buffer->data)));
}
