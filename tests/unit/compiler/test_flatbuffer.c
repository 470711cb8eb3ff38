/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/flatbuffer.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/*
 * A file by hand: root at 16 with its vtable at 4; field 0 is a number, field 1 a vector of
 * three bytes, field 2 a table (itself, as a hostile file may), field 3 absent.
 */
static const uint8_t good[] = {
	16,   0,    0,	  0,				       /* 0: root */
	12,   0,    16,	  0,	4,   0,	  8,   0, 12, 0, 0, 0, /* 4: vtable */
	12,   0,    0,	  0,				       /* 16: back to the vtable */
	7,    0,    0,	  0,				       /* 20: field 0 */
	8,    0,    0,	  0,				       /* 24: field 1 -> 32 */
	0xf4, 0xff, 0xff, 0xff,		       /* 28: field 2 -> 16, if offsets could be negative */
	3,    0,    0,	  0,	'a', 'b', 'c', /* 32: vector */
};

static struct flatbuffer open_copy(const uint8_t *data, size_t size)
{
	/* Exactly as large as said, so that a sanitizer sees what lies behind. */
	uint8_t *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	return (struct flatbuffer){.data = copy, .size = size};
}

static void close_copy(struct flatbuffer *buffer)
{
	free((void *)buffer->data);
}

Test(flatbuffer, fields_are_read)
{
	struct flatbuffer b = open_copy(good, sizeof(good));
	struct flatbuffer_table root = flatbuffer_root(&b);
	struct flatbuffer_vector v;

	cr_assert_null(b.error);
	cr_assert_eq(flatbuffer_i32(&root, 0, 1), 7);
	v = flatbuffer_vector(&root, 1, 1);
	cr_assert_eq(v.n, 3);
	cr_assert_eq(memcmp(v.data, "abc", 3), 0);
	cr_assert_eq(flatbuffer_i32(&root, 3, -5), -5, "an absent field has its default");
	cr_assert_eq(flatbuffer_i32(&root, 4, -6), -6, "so has one behind the vtable");
	cr_assert_eq(flatbuffer_i32(&root, 40000, -7), -7);
	cr_assert_null(b.error);
	close_copy(&b);
}

Test(flatbuffer, an_offset_never_leads_backwards)
{
	struct flatbuffer b = open_copy(good, sizeof(good));
	struct flatbuffer_table root = flatbuffer_root(&b);

	cr_assert_null(flatbuffer_table(&root, 2).buffer);
	cr_assert_not_null(b.error);
	cr_assert_eq(flatbuffer_i32(&root, 0, 1), 1, "what follows an error is absent");
	close_copy(&b);
}

Test(flatbuffer, a_file_cut_anywhere_is_an_error_or_complete)
{
	for (size_t size = 0; size < sizeof(good); size++) {
		struct flatbuffer b = open_copy(good, size);
		struct flatbuffer_table root = flatbuffer_root(&b);

		flatbuffer_vector(&root, 1, 1);
		cr_expect_not_null(b.error, "%zu bytes", size);
		close_copy(&b);
	}
}

static const struct {
	const char *what;
	size_t offset;
	uint8_t value;
} spoilt[] = {
	{"root behind the end", 3, 0x7f},
	{"root at the last byte", 0, sizeof(good) - 1},
	{"vtable shorter than its header", 4, 2},
	{"vtable longer than the file", 5, 1},
	{"table shorter than its header", 6, 3},
	{"table longer than the file", 7, 1},
	{"field behind its table", 10, 14},
	{"vtable in front of the file", 16, 17},
	{"vtable behind the file", 19, 0x80},
	{"vector behind the file", 24, 200},
	{"vector at the last byte", 24, sizeof(good) - 24 - 1},
	{"vector too long", 32, 4},
	{"vector far too long", 35, 0xff},
};

Test(flatbuffer, what_points_outside_is_an_error)
{
	for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		struct flatbuffer b = open_copy(good, sizeof(good));
		struct flatbuffer_table root;

		((uint8_t *)b.data)[spoilt[i].offset] = spoilt[i].value;
		root = flatbuffer_root(&b);
		flatbuffer_vector(&root, 1, 1);
		cr_expect_not_null(b.error, "%s", spoilt[i].what);
		close_copy(&b);
	}
}

Test(flatbuffer, the_size_of_elements_counts)
{
	struct flatbuffer b = open_copy(good, sizeof(good));
	struct flatbuffer_table root = flatbuffer_root(&b);

	cr_assert_eq(flatbuffer_vector(&root, 1, 2).n, 0);
	cr_assert_not_null(b.error);
	close_copy(&b);
}

Test(flatbuffer, a_field_that_reaches_out_of_its_table_is_an_error)
{
	struct flatbuffer b = open_copy(good, sizeof(good));
	struct flatbuffer_table root;

	((uint8_t *)b.data)[8] = 13;
	root = flatbuffer_root(&b);
	cr_assert_eq(flatbuffer_u8(&root, 0, 9), good[16 + 13], "the last three bytes are inside");
	cr_assert_null(b.error);
	cr_assert_eq(flatbuffer_i32(&root, 0, 9), 9);
	cr_assert_not_null(b.error);
	close_copy(&b);
}
