/* SPDX-License-Identifier: Apache-2.0 */
/* The small notes, and the tensor note. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/loadable/expect.h"

static struct elf_builder b;

static void finish(void)
{
	elf_builder_finish(&b);
}

/* A native graph with this note, made of words. */
static struct bytes *native_with(const char *name, size_t n, const uint32_t *words)
{
	struct bytes *note;

	elf_builder_init_native(&b);
	note = elf_builder_note(&b, name);
	bytes_resize(note, 0);
	for (size_t i = 0; i < n; i++)
		bytes_add32(note, words[i]);
	return note;
}

#define NATIVE_WITH(name, ...)                                                                     \
	native_with(name, sizeof((uint32_t[]){__VA_ARGS__}) / 4, (uint32_t[]){__VA_ARGS__})

Test(compilermsg, has_exactly_its_size, .fini = finish)
{
	static const size_t sizes[] = {1, 47, 49, 4096};
	char text[64];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		elf_builder_init_copy(&b, 64);
		bytes_resize(elf_builder_note(&b, "compilermsg"), sizes[i]);
		snprintf(text, sizeof(text), "note 'compilermsg': %zu bytes instead of 48",
			 sizes[i]);
		expect_refused(&b, -EBADMSG, text);
	}
}

static void refuse_device(uint32_t device, const char *text)
{
	elf_builder_init_copy(&b, 64);
	b.compilermsg.device = device;
	expect_refused(&b, -ENOTSUP, text);
}

Test(compilermsg, names_a_target_that_uses_this_container, .fini = finish)
{
	refuse_device(0xdeadbeef, "note 'compilermsg': device word 0xdeadbeef is no known NPU");
	refuse_device(0x000604b4, "device word 0x000604b4 is no known NPU");
	refuse_device(0x000404b4, "target X1_1204 is older than ELF loadables");
}

Test(compilermsg, dynamic_shapes_are_not_supported, .fini = finish)
{
	elf_builder_init_copy(&b, 64);
	b.compilermsg.flag = CONTAINER_FLAG_DYNAMIC_SHAPE;
	expect_refused(&b, -ENOTSUP, "dynamic shapes are not supported");
}

Test(gmconfig, has_exactly_its_size, .fini = finish)
{
	bytes_resize(NATIVE_WITH("gmconfig", 1), 55);
	expect_refused(&b, -EBADMSG, "note 'gmconfig': 55 bytes instead of 56");
	bytes_resize(NATIVE_WITH("gmconfig", 1), 4096);
	expect_refused(&b, -EBADMSG, "note 'gmconfig': 4096 bytes instead of 56");
}

static void refuse_gm(size_t offset, uint32_t value, const char *text)
{
	struct bytes *note = NATIVE_WITH("gmconfig", 1);

	bytes_resize(note, 56);
	bytes_poke32(note, offset, value);
	expect_refused(&b, -EBADMSG, text);
}

Test(gmconfig, names_a_section_that_exists, .fini = finish)
{
	refuse_gm(0x18, 1, "record 0: BSS index 1 instead of 0");
	refuse_gm(0x28, 1, "record 1: BSS index 1 instead of 0");
	refuse_gm(0x1c, 2, "record 0: buffer type 2");
	refuse_gm(0x20, 4, "record 0: section 4, but there are 4");
	refuse_gm(0x20, 0xffffffff, "record 0: section 4294967295");
}

Test(gmconfig, only_a_reuse_section_is_honoured, .fini = finish)
{
	static const struct {
		uint32_t count, type, section;
		int32_t want;
	} cases[] = {{1, 0, 2, 2}, {2, 0, 3, 3}, {0, 0, 2, -1}, {1, 1, 1, -1}, {0, 9, 99, -1}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes *note = NATIVE_WITH("gmconfig", cases[i].count);
		struct graph *g;

		bytes_resize(note, 56);
		bytes_poke32(note, 0x1c, cases[i].type);
		bytes_poke32(note, 0x20, cases[i].section);
		g = expect_accepted(&b);
		cr_assert_eq(g->gm_section, cases[i].want, "case %zu: %d", i, g->gm_section);
		graph_destroy(g);
		finish();
	}
}

Test(segmmu, records_are_bounded, .fini = finish)
{
	NATIVE_WITH("segmmu", 1);
	expect_refused(&b, -EBADMSG, "note 'segmmu': 1 records, but only 0 bytes follow");
	bytes_resize(NATIVE_WITH("segmmu", 2), 4 + 2 * 56 - 1);
	expect_refused(&b, -EBADMSG, "note 'segmmu': 2 records, but only 111 bytes follow");
	NATIVE_WITH("segmmu", 0xffffffff);
	expect_refused(&b, -EBADMSG, "note 'segmmu': 4294967295 records");
	bytes_resize(NATIVE_WITH("segmmu", 121), 4 + 121 * 56);
	expect_refused(&b, -EBADMSG, "121 records, but no NPU has more than 120 cores");
	bytes_resize(NATIVE_WITH("segmmu", 0), 3);
	expect_refused(&b, -EBADMSG, "note 'segmmu': 3 bytes, too few for a count");
}

Test(segmmu, records_are_read, .fini = finish)
{
	struct bytes *note = NATIVE_WITH("segmmu", 1, 10, 11, 12, 13, 14, 15, 16, 17);
	struct graph *g;

	bytes_resize(note, 4 + 56);
	g = expect_accepted(&b);
	cr_assert_eq(g->n_segmmu, 1);
	cr_assert_eq(g->segmmu[0].segment[0][0], 10);
	cr_assert_eq(g->segmmu[0].segment[3][1], 17);
	graph_destroy(g);
	finish();

	NATIVE_WITH("segmmu", 0);
	g = expect_accepted(&b);
	cr_assert_eq(g->n_segmmu, 0);
	graph_destroy(g);
}

Test(remap, entries_are_bounded, .fini = finish)
{
	NATIVE_WITH("remap", 0xffffffff, 0, 0, 0, 0);
	expect_refused(&b, -EBADMSG, "note 'remap': 4294967295 entries, but only 16 bytes follow");
	NATIVE_WITH("remap", 2, 0, 0, 0, 0, 0, 0, 0);
	expect_refused(&b, -EBADMSG, "note 'remap': 2 entries, but only 28 bytes follow");
	bytes_resize(NATIVE_WITH("remap", 1048577), 4 + 1048577 * 16);
	expect_refused(&b, -EFBIG, "note 'remap': 1048577 entries, more than 1048576");
	bytes_resize(NATIVE_WITH("remap", 0), 1);
	expect_refused(&b, -EBADMSG, "note 'remap': 1 bytes, too few for a count");
}

Test(remap, areas_and_offsets_exist, .fini = finish)
{
	NATIVE_WITH("remap", 1, 3, 0, 0, 0);
	expect_refused(&b, -EBADMSG, "entry 0: area code 3 is not 0, 1 or 2");
	NATIVE_WITH("remap", 1, 0, 0, 0xffffffff, 0);
	expect_refused(&b, -EBADMSG, "entry 0: area code 4294967295");
	NATIVE_WITH("remap", 1, 0, 61, 0, 0);
	expect_refused(&b, -EBADMSG, "entry 0: offset 0x3d is outside area 0 (0x40)");
	NATIVE_WITH("remap", 1, 1, 0xfffffffe, 0, 0);
	expect_refused(&b, -EBADMSG, "entry 0: offset 0xfffffffe is outside area 1 (0x20)");
	NATIVE_WITH("remap", 2, 0, 0, 0, 0, 0, 0, 2, 125);
	expect_refused(&b, -EBADMSG, "entry 1: target 0x7d is outside area 2 (0x80)");
}

Test(remap, an_absent_descriptor_is_no_area, .fini = finish)
{
	struct bytes *note;

	elf_builder_init_copy(&b, 64);
	note = elf_builder_note(&b, "remap");
	bytes_add32(note, 1);
	bytes_add32(note, 1);
	bytes_add(note, NULL, 12);
	expect_refused(&b, -EBADMSG, "entry 0: offset 0 is outside area 1 (0)");
}

Test(remap, text_that_jobs_share_is_not_written, .fini = finish)
{
	struct graph *g;

	NATIVE_WITH("remap", 1, 2, 0, 0, 0);
	expect_refused(&b, -ENOTSUP, "entry 0: writes text that all jobs share");

	elf_builder_init_native(&b);
	b.compilermsg.device = 0x20060518;
	bytes_poke32(elf_builder_note(&b, "remap"), 4, 2);
	g = expect_accepted(&b);
	cr_assert_eq(g->remaps[0].type, 2);
	graph_destroy(g);
}

Test(shapes, globalparam_has_room_for_the_shapes, .fini = finish)
{
	bytes_resize(NATIVE_WITH("globalparam", 0), 3);
	expect_refused(&b, -EBADMSG, "note 'globalparam': 3 bytes, too few for a header");
	NATIVE_WITH("globalparam", 8, 0, 1);
	expect_refused(&b, -EBADMSG, "offset 0x8 leaves no room for the shapes of 2 inputs");
	NATIVE_WITH("globalparam", 8, 0, 1, 2);
	graph_destroy(expect_accepted(&b));
	finish();
	NATIVE_WITH("globalparam", 0xffffffff, 0);
	graph_destroy(expect_accepted(&b));
}

Test(shapes, constraints_are_bounded, .fini = finish)
{
	bytes_resize(NATIVE_WITH("inputshapeconstraint", 0), 2);
	expect_refused(&b, -EBADMSG, "note 'inputshapeconstraint': 2 bytes, too few");
	NATIVE_WITH("inputshapeconstraint", 2);
	expect_refused(&b, -EBADMSG, "2 records for 2 inputs");
	NATIVE_WITH("inputshapeconstraint", 0xffffffff);
	expect_refused(&b, -EBADMSG, "4294967295 records for 2 inputs");
	NATIVE_WITH("inputshapeconstraint", 4, 9);
	expect_refused(&b, -EBADMSG, "record 0: rank 9 is above 8");
	NATIVE_WITH("inputshapeconstraint", 4, 2, 1);
	expect_refused(&b, -EBADMSG, "record 0: dimension 1 is cut off");
	NATIVE_WITH("inputshapeconstraint", 4, 1, 1);
	expect_refused(&b, -EBADMSG, "record 1 is cut off");
}

Test(shapes, constraints_make_sense, .fini = finish)
{
	NATIVE_WITH("inputshapeconstraint", 4, 1, 5, 1, 4, 0, 0);
	expect_refused(&b, -EBADMSG, "record 0: dimension 0: minimum 5, maximum 4");
	NATIVE_WITH("inputshapeconstraint", 4, 1, 5, 0, 0, 0);
	expect_refused(&b, -EBADMSG, "record 0: rank 1, its maximum has 0");
	NATIVE_WITH("inputshapeconstraint", 4, 2, 65536, 65536);
	expect_refused(&b, -EBADMSG, "record 0: more than 2^32 elements");
	NATIVE_WITH("inputshapeconstraint", 4, 1, 1, 1, 4, 1, 2, 1, 2);
	graph_destroy(expect_accepted(&b));
}

Test(hashes, are_bounded, .fini = finish)
{
	bytes_resize(NATIVE_WITH("constanthashtable", 1), 1);
	expect_refused(&b, -EBADMSG, "note 'constanthashtable': 1 bytes, too few");
	NATIVE_WITH("constanthashtable", 7, 0);
	expect_refused(&b, -EBADMSG, "note 'constanthashtable': 7 BSSs, but there are 1");
	NATIVE_WITH("constanthashtable", 1);
	expect_refused(&b, -EBADMSG, "BSS 0: count is cut off");
	bytes_resize(NATIVE_WITH("constanthashtable", 1, 2), 8 + 79);
	expect_refused(&b, -EBADMSG, "BSS 0: 2 items, but only 79 bytes follow");
	NATIVE_WITH("constanthashtable", 1, 0xffffffff);
	expect_refused(&b, -EBADMSG, "BSS 0: 4294967295 items");
	bytes_resize(NATIVE_WITH("constanthashtable", 1, 2), 8 + 80);
	graph_destroy(expect_accepted(&b));
}

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void refuse_weight_name(const char *name, int error, const char *text)
{
	struct bytes *note = NATIVE_WITH("extra_weight_name", 1, 0, (uint32_t)strlen(name), 0);

	bytes_add(note, name, strlen(name));
	expect_refused(&b, error, text);
}

Test(extra_weights, names_are_plain_and_hashed, .fini = finish)
{
	refuse_weight_name("weights.bin", -EBADMSG, "entry 0: no '+' between name and hash");
	refuse_weight_name("+" HASH, -EBADMSG, "entry 0: not a plain file name");
	refuse_weight_name("../../etc/shadow+" HASH, -EBADMSG, "entry 0: not a plain file name");
	refuse_weight_name(".+" HASH, -EBADMSG, "entry 0: not a plain file name");
	refuse_weight_name("..+" HASH, -EBADMSG, "entry 0: not a plain file name");
	refuse_weight_name("w+" HASH "0", -EBADMSG, "entry 0: hash has 65 digits instead of 64");
	refuse_weight_name("w+", -EBADMSG, "entry 0: hash has 0 digits");
	refuse_weight_name("w+G123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			   -EBADMSG, "entry 0: hash is not lower-case hex");
	refuse_weight_name("", -EBADMSG, "entry 0 is empty or cut off");
}

Test(extra_weights, are_not_supported, .fini = finish)
{
	refuse_weight_name("a+b.bin+" HASH, -ENOTSUP, "weights in extra files are not supported");
}

Test(extra_weights, are_bounded, .fini = finish)
{
	NATIVE_WITH("extra_weight_name", 1);
	expect_refused(&b, -EBADMSG, "note 'extra_weight_name': 4 bytes, too few for a count");
	NATIVE_WITH("extra_weight_name", 0xffffffff, 0xffffffff);
	expect_refused(&b, -EBADMSG, "18446744073709551615 entries, but only 0 bytes follow");
	NATIVE_WITH("extra_weight_name", 1, 0, 0xffffffff, 0xffffffff);
	expect_refused(&b, -EBADMSG, "entry 0 is empty or cut off");
	NATIVE_WITH("extra_weight_name", 0, 0);
	graph_destroy(expect_accepted(&b));
}

/* The copy program, its tensor note replaced by one with @count records to come. */
static struct bytes *tensor_note(uint32_t version, uint32_t count)
{
	struct bytes *note;

	elf_builder_init_copy(&b, 64);
	note = elf_builder_note(&b, "zhouyi.tensors");
	bytes_resize(note, 0);
	bytes_add32(note, version);
	bytes_add32(note, count);
	return note;
}

Test(tensor_note, gives_names_shapes_and_layouts, .fini = finish)
{
	static const uint32_t dims[] = {1, 4, 4, 4};
	struct bytes *note = tensor_note(1, 2);
	const struct graph_tensor *t;
	struct graph *g;

	elf_add_tensor_record(note, 1, 0, GRAPH_LAYOUT_NHWC, 4, dims, "größe");
	elf_add_tensor_record(note, 0, 0, GRAPH_LAYOUT_NONE, 1, (uint32_t[]){64}, "");
	g = expect_accepted(&b);
	t = &g->tensors[GRAPH_TENSOR_OUTPUT].tensor[0];
	cr_assert_str_eq(t->name, "größe");
	cr_assert_eq(t->rank, 4);
	cr_assert_arr_eq(t->dims, dims, sizeof(dims));
	cr_assert_eq(t->layout, GRAPH_LAYOUT_NHWC);
	t = &g->tensors[GRAPH_TENSOR_INPUT].tensor[0];
	cr_assert_str_empty(t->name);
	cr_assert_eq(t->rank, 1);
	graph_destroy(g);
}

Test(tensor_note, a_file_without_one_runs, .fini = finish)
{
	struct graph *g;

	elf_builder_init_copy(&b, 64);
	elf_builder_drop_note(&b, "zhouyi.tensors");
	g = expect_accepted(&b);
	cr_assert_str_empty(g->tensors[GRAPH_TENSOR_INPUT].tensor[0].name);
	cr_assert_eq(g->tensors[GRAPH_TENSOR_INPUT].tensor[0].rank, 0);
	graph_destroy(g);
}

Test(tensor_note, is_bounded, .fini = finish)
{
	bytes_resize(tensor_note(1, 0), 7);
	expect_refused(&b, -EBADMSG, "note 'zhouyi.tensors': 7 bytes, too few for a header");
	tensor_note(2, 0);
	expect_refused(&b, -ENOTSUP, "note 'zhouyi.tensors': version 2, this program knows 1");
	tensor_note(1, 0xffffffff);
	expect_refused(&b, -EBADMSG, "4294967295 records for 2 inputs and outputs");
	tensor_note(1, 1);
	expect_refused(&b, -EBADMSG, "record 0 is cut off");
	bytes_add32(tensor_note(1, 0), 0);
	expect_refused(&b, -EBADMSG, "4 bytes behind the last record");
}

static void refuse_record(uint32_t kind, uint32_t id, uint32_t layout, uint32_t rank,
			  const char *name, const char *text)
{
	static const uint32_t dims[9] = {64, 1, 1, 1, 1, 1, 1, 1, 1};
	struct bytes *note = tensor_note(1, 1);

	elf_add_tensor_record(note, kind, id, layout, rank, dims, name);
	expect_refused(&b, -EBADMSG, text);
}

Test(tensor_note, describes_tensors_that_exist, .fini = finish)
{
	refuse_record(2, 0, 0, 1, "x", "record 0: kind 2 is neither input nor output");
	refuse_record(0, 1, 0, 1, "x", "record 0: there is no input 1");
	refuse_record(1, 0xffffffff, 0, 1, "x", "record 0: there is no output 4294967295");
	refuse_record(0, 0, 3, 1, "x", "record 0: unknown layout 3");
	refuse_record(0, 0, 0, 9, "x", "record 0: rank 9 is above 8");
	refuse_record(0, 0, 0, 0, "x",
		      "record 0: the shape makes 1 bytes of uint8, but the tensor has 64");
}

Test(tensor_note, describes_each_tensor_once, .fini = finish)
{
	struct bytes *note = tensor_note(1, 2);

	elf_add_tensor_record(note, 1, 0, 0, 1, (uint32_t[]){64}, "x");
	elf_add_tensor_record(note, 1, 0, 0, 1, (uint32_t[]){64}, "x");
	expect_refused(&b, -EBADMSG, "record 1: output 0 is described twice");
}

Test(tensor_note, shapes_have_the_size_of_the_tensor, .fini = finish)
{
	static const uint32_t huge[] = {0x80000000, 0x80000000, 4, 64};
	static const uint32_t zero[] = {64, 0};

	elf_add_tensor_record(tensor_note(1, 1), 0, 0, 0, 1, (uint32_t[]){63}, "x");
	expect_refused(&b, -EBADMSG, "the shape makes 63 bytes of uint8, but the tensor has 64");
	/* The product wraps to 0, and times 8 bits earlier. */
	elf_add_tensor_record(tensor_note(1, 1), 0, 0, 0, 4, huge, "x");
	expect_refused(&b, -EBADMSG, "the shape makes 18446744073709551615 bytes");
	elf_add_tensor_record(tensor_note(1, 1), 0, 0, 0, 2, zero, "x");
	expect_refused(&b, -EBADMSG, "the shape makes 0 bytes");
}

Test(tensor_note, element_sizes_count, .fini = finish)
{
	static const struct {
		uint32_t type, elements;
	} cases[] = {{0x07, 16},  {0x0b, 16}, {0x0a, 32}, {0x09, 8},
		     {0x20, 128}, {0x22, 42}, {0x01, 64}, {0x20, 127}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes *note;

		elf_builder_init_copy(&b, cases[i].type == 0x22 ? 63 : 64);
		b.bss[0].reuses[0].sub[0].desc.data_type = cases[i].type;
		note = elf_builder_note(&b, "zhouyi.tensors");
		bytes_resize(note, 0);
		bytes_add32(note, 1);
		bytes_add32(note, 1);
		elf_add_tensor_record(note, 0, 0, 0, 1, &cases[i].elements, "x");
		graph_destroy(expect_accepted(&b));
		finish();
	}
}

Test(tensor_note, a_type_without_elements_has_no_shape, .fini = finish)
{
	elf_builder_init_copy(&b, 64);
	b.bss[0].reuses[0].sub[0].desc.data_type = 0x99;
	expect_refused(&b, -EBADMSG,
		       "record 0: the shape makes 0 bytes of unknown, but the tensor");
}

Test(tensor_note, names_are_bounded_text, .fini = finish)
{
	static const char *const bad[] = {
		"a\nb",	   "\x7f", "\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xc2\x80"};
	struct bytes *note;
	char longest[129];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse_record(0, 0, 0, 1, bad[i], "record 0: name is not printable UTF-8");
	memset(longest, 'n', 128);
	longest[128] = '\0';
	refuse_record(0, 0, 0, 1, longest, "record 0: a name of 128 bytes, 127 are possible");

	note = tensor_note(1, 1);
	elf_add_tensor_record(note, 0, 0, 0, 1, (uint32_t[]){64}, "abcdef");
	bytes_resize(note, note->size - 4);
	expect_refused(&b, -EBADMSG, "record 0: name is cut off");

	note = tensor_note(1, 1);
	elf_add_tensor_record(note, 0, 0, 0, 1, (uint32_t[]){64}, "abcdef");
	note->data[note->size - 1] = 'x';
	expect_refused(&b, -EBADMSG, "record 0: name is not padded with zeros");
}

Test(tensor_note, a_name_may_not_hide_a_nul, .fini = finish)
{
	struct bytes *note = tensor_note(1, 1);

	elf_add_tensor_record(note, 0, 0, 0, 1, (uint32_t[]){64}, "abcd");
	note->data[note->size - 2] = '\0';
	expect_refused(&b, -EBADMSG, "record 0: name is not printable UTF-8");
}
