/* SPDX-License-Identifier: Apache-2.0 */
/* The ELF container itself: header, sections, the walk over the notes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/loadable/expect.h"

static struct elf_builder b;
static uint8_t *image;
static size_t size;

static void build_copy(bool is_64)
{
	elf_builder_init_copy(&b, 64);
	b.is_64 = is_64;
	image = elf_builder_image(&b, &size);
}

static void finish(void)
{
	elf_builder_finish(&b);
}

static void refused(int error, const char *text)
{
	expect_image_refused(image, size, error, text);
}

static void check_copy(const struct graph *g)
{
	cr_assert_str_eq(g->target.name, "soft_X2_1204");
	cr_assert_eq(g->build_version, 0x00010205);
	cr_assert_eq(g->text.size, 256);
	cr_assert_eq(g->rodata.size, 16);
	cr_assert_eq(g->n_bss, 1);
	cr_assert_eq(g->n_reuses, 2);
	cr_assert_eq(g->n_statics, 0);
	cr_assert_eq(g->n_patches, 2);
	cr_assert_eq(g->n_subgraphs, 1);
	cr_assert_eq(g->gm_section, -1);
	cr_assert_eq(g->tensors[GRAPH_TENSOR_INPUT].n, 1);
	cr_assert_eq(g->tensors[GRAPH_TENSOR_OUTPUT].n, 1);
	cr_assert_eq(g->tensors[GRAPH_TENSOR_OUTPUT].tensor[0].section, 1);
}

Test(loadable_elf, both_classes_say_the_same, .fini = finish)
{
	for (int is_64 = 0; is_64 < 2; is_64++) {
		struct graph *g;

		elf_builder_init_copy(&b, 64);
		b.is_64 = is_64;
		g = expect_accepted(&b);
		check_copy(g);
		graph_destroy(g);
		elf_builder_finish(&b);
	}
}

static void check_native_memory(const struct graph *g)
{
	cr_assert_eq(g->n_statics, 2);
	cr_assert_eq(g->statics[0].type, 4);
	cr_assert_eq(g->statics[1].type, 15);
	cr_assert_eq(g->statics[1].src_offset, 48);
	cr_assert_eq(g->n_reuses, 4);
	cr_assert_eq(g->reuses[1].size, 40);
	cr_assert_eq(g->bss[0].stack_size, 4096);
	cr_assert_eq(g->bss[0].n_statics, 2);
	cr_assert_eq(g->weight.size, 68);
	cr_assert_eq(g->crodata.size, 24);
	cr_assert_eq(g->desc.size, 32);
}

static void check_native_subgraphs(const struct graph *g)
{
	cr_assert_eq(g->n_subgraphs, 2);
	cr_assert_eq(g->subgraphs[1].text_offset, 64);
	cr_assert_eq(g->subgraphs[1].rodata_offset, 32);
	cr_assert_eq(g->subgraphs[1].private_size, 512);
	cr_assert_eq(g->subgraphs[1].profiler_offset, 16);
	cr_assert_eq(g->subgraphs[1].dependency, 1);
	cr_assert_eq(g->subgraphs[1].precursor[0], 0);
	cr_assert_eq(g->subgraphs[1].n_privates, 1);
	cr_assert_eq(g->subgraphs[1].privates[0].size, 8192);
	cr_assert_eq(g->n_remaps, 2);
	cr_assert_eq(g->remaps[1].offset, 60);
	cr_assert_eq(g->remaps[1].next_type, 2);
}

Test(loadable_elf, a_native_graph_is_read_in_full, .fini = finish)
{
	struct graph *g;

	elf_builder_init_native(&b);
	g = expect_accepted(&b);
	cr_assert_str_eq(g->target.name, "X2_1204");
	cr_assert_str_eq(g->detailed_target, "X2_1204MP3");
	check_native_memory(g);
	check_native_subgraphs(g);
	graph_destroy(g);
}

Test(loadable_elf, patches_are_in_the_order_of_application, .fini = finish)
{
	/* statics, then reuses in file order, then private buffers */
	static const struct graph_patch want[] = {
		{.area = GRAPH_AREA_STATIC, .section = 0, .position = 24, .size = 48},
		{.area = GRAPH_AREA_STATIC, .section = 1, .position = 32, .size = 20},
		{.area = GRAPH_AREA_REUSE, .section = 0, .position = 0, .size = 100},
		{.area = GRAPH_AREA_REUSE, .section = 0, .position = 72, .size = 100},
		{.area = GRAPH_AREA_REUSE, .section = 1, .position = 8, .size = 40},
		{.area = GRAPH_AREA_REUSE, .section = 2, .position = 16, .size = 30},
		{.area = GRAPH_AREA_PRIVATE, .subgraph = 1, .position = 48, .size = 4096},
	};
	struct graph *g;

	elf_builder_init_native(&b);
	g = expect_accepted(&b);
	cr_assert_eq(g->n_patches, sizeof(want) / sizeof(want[0]));
	for (size_t i = 0; i < g->n_patches; i++) {
		cr_assert_eq(g->patches[i].area, want[i].area, "patch %zu", i);
		cr_assert_eq(g->patches[i].section, want[i].section, "patch %zu", i);
		cr_assert_eq(g->patches[i].subgraph, want[i].subgraph, "patch %zu", i);
		cr_assert_eq(g->patches[i].position, want[i].position, "patch %zu", i);
		cr_assert_eq(g->patches[i].size, want[i].size, "patch %zu", i);
		cr_assert_eq(g->patches[i].mask, 0xffffffff, "patch %zu", i);
	}
	graph_destroy(g);
}

Test(loadable_elf, blobs_point_into_the_image, .fini = finish)
{
	struct graph *g;

	elf_builder_init_native(&b);
	g = expect_accepted(&b);
	image = b.image;
	cr_assert(g->text.data > image && g->text.data < image + b.section_table);
	cr_assert(g->weight.data > image && g->weight.data < image + b.section_table);
	graph_destroy(g);
}

Test(loadable_elf, a_detailed_target_must_agree_with_the_device_word, .fini = finish)
{
	static const char *const comments[] = {"target:X3P_1304MP3;", "target:X2_1204MP3",
					       "target:;", "target:X2_1204\n;",
					       "target:X2_1204\";"};
	struct graph *g;

	for (size_t i = 0; i < sizeof(comments) / sizeof(comments[0]); i++) {
		elf_builder_init_native(&b);
		bytes_resize(&b.comment, 0);
		bytes_add(&b.comment, comments[i], strlen(comments[i]));
		g = expect_accepted(&b);
		cr_assert_str_empty(g->detailed_target);
		graph_destroy(g);
		elf_builder_finish(&b);
	}
}

Test(loadable_elf, what_is_no_elf_is_called_so, .fini = finish)
{
	static const uint8_t flat[104] = "AIPU BIN";

	build_copy(false);
	expect_image_refused(image, 0, -ENOEXEC, "not an ELF file");
	expect_image_refused(image, 15, -ENOEXEC, "not an ELF file");
	expect_image_refused(flat, sizeof(flat), -ENOEXEC, "generation v1/v2");
	image[0] = 0;
	refused(-ENOEXEC, "not an ELF file");
}

Test(loadable_elf, headers_of_other_elf_files_are_refused, .fini = finish)
{
	static const struct {
		size_t offset;
		uint8_t value;
		const char *text;
	} cases[] = {
		{4, 0, "ELF class 0"}, {4, 3, "ELF class 3"},		{5, 2, "data encoding 2"},
		{16, 4, "ELF type 4"}, {18, 0x3e, "ELF machine 0x23e"}, {20, 2, "ELF version 2"},
	};

	build_copy(false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t old = image[cases[i].offset];

		image[cases[i].offset] = cases[i].value;
		refused(-ENOEXEC, cases[i].text);
		image[cases[i].offset] = old;
	}
}

Test(loadable_elf, a_file_larger_than_we_handle_is_not_even_looked_at)
{
	struct loadable_error error;
	struct graph *graph = NULL;
	uint8_t byte = 0;

	cr_assert_eq(loadable_elf_parse(&graph, &byte, LOADABLE_MAX_SIZE + 1, &error), -EFBIG);
	cr_assert(strstr(error.text, "at most 2147483648"));
}

static void end_inside_header(bool is_64)
{
	uint8_t *head;

	build_copy(is_64);
	for (size_t n = 16; n < (is_64 ? 64 : 52); n++) {
		head = malloc(n);
		memcpy(head, image, n);
		expect_image_refused(head, n, -EBADMSG, "ends inside the ELF header");
		free(head);
	}
}

Test(loadable_elf, a_file_may_not_end_inside_the_header, .fini = finish)
{
	end_inside_header(false);
	finish();
	end_inside_header(true);
}

static void poke16(size_t offset, uint16_t value)
{
	image[offset] = (uint8_t)value;
	image[offset + 1] = (uint8_t)(value >> 8);
}

Test(loadable_elf, section_headers_must_lie_in_the_file, .fini = finish)
{
	build_copy(false);
	poke16(48, 0xffff);
	refused(-EBADMSG, "65535 section headers at offset");
	poke16(48, 0);
	refused(-EBADMSG, "no section headers");
	poke16(48, ELF_NAMES + 1);
	poke16(46, 39);
	refused(-EBADMSG, "section headers of 39 bytes, at least 40");
	poke16(46, 40);
	memset(image + 32, 0xff, 4);
	refused(-EBADMSG, "6 section headers at offset 0xffffffff exceed the file");
}

Test(loadable_elf, a_64_bit_table_offset_cannot_wrap, .fini = finish)
{
	build_copy(true);
	memset(image + 40, 0xff, 8);
	refused(-EBADMSG, "at offset 0xffffffffffffffff exceed the file");
}

Test(loadable_elf, section_names_must_be_there_and_end, .fini = finish)
{
	build_copy(false);
	poke16(50, 77);
	refused(-EBADMSG, "names in section 77, but there are 6");
	poke16(50, ELF_NULL);
	refused(-EBADMSG, "section 0: names are missing");
	poke16(50, ELF_TEXT);
	image[52 + 255] = 'x';
	refused(-EBADMSG, "section 1: names are missing or not terminated");
	poke16(50, ELF_NAMES);
	elf_builder_poke_section(&b, ELF_NOTE, ELF_SH_NAME, 4000);
	refused(-EBADMSG, "section 4: name at 0xfa0 is outside the names");
}

static void sections_outside(bool is_64)
{
	build_copy(is_64);
	elf_builder_poke_section(&b, ELF_TEXT, ELF_SH_SIZE, size);
	refused(-EBADMSG, "section 1: offset");
	elf_builder_poke_section(&b, ELF_TEXT, ELF_SH_SIZE, UINT64_MAX);
	refused(-EBADMSG, "exceeds the file");
	elf_builder_poke_section(&b, ELF_TEXT, ELF_SH_SIZE, 256);
	elf_builder_poke_section(&b, ELF_TEXT, ELF_SH_OFFSET, UINT64_MAX - 8);
	refused(-EBADMSG, "section 1: offset");
}

Test(loadable_elf, sections_must_lie_in_the_file, .fini = finish)
{
	sections_outside(false);
	finish();
	sections_outside(true);
}

Test(loadable_elf, text_must_have_bytes, .fini = finish)
{
	build_copy(false);
	elf_builder_poke_section(&b, ELF_TEXT, ELF_SH_TYPE, 8);
	refused(-EBADMSG, "section .text is missing or empty");
	elf_builder_poke_section(&b, ELF_TEXT, ELF_SH_TYPE, 1);
	elf_builder_poke_section(&b, ELF_TEXT, ELF_SH_SIZE, 0);
	refused(-EBADMSG, "section .text is missing or empty");
	elf_builder_poke_section(&b, ELF_TEXT, ELF_SH_SIZE, 256);
	elf_builder_poke_section(&b, ELF_TEXT, ELF_SH_NAME, 0);
	refused(-EBADMSG, "section .text is missing or empty");
}

Test(loadable_elf, notes_must_have_bytes, .fini = finish)
{
	build_copy(false);
	elf_builder_poke_section(&b, ELF_NOTE, ELF_SH_TYPE, 8);
	refused(-EBADMSG, "section .note.aipu is missing or empty");
	elf_builder_poke_section(&b, ELF_NOTE, ELF_SH_TYPE, 7);
	elf_builder_poke_section(&b, ELF_NOTE, ELF_SH_SIZE, 8);
	refused(-EBADMSG, "note 'compilermsg' is missing or empty");
}

/* The first note of the image; the builder puts notes behind .text. */
static uint8_t *first_note(void)
{
	const uint8_t *h = image + b.section_table + ELF_NOTE * 40;

	return image + (h[16] | h[17] << 8);
}

Test(loadable_elf, a_note_may_not_reach_behind_its_section, .fini = finish)
{
	build_copy(false);
	memset(first_note(), 0xff, 4);
	refused(-EBADMSG, "note at offset 0: name of 4294967295 bytes");
	memset(first_note(), 0, 4);
	memset(first_note() + 4, 0xff, 4);
	refused(-EBADMSG, "note at offset 0: content of 4294967295 bytes");
}

Test(loadable_elf, the_last_note_needs_no_padding, .fini = finish)
{
	struct graph *graph = NULL;
	struct loadable_error error;
	uint32_t n;

	elf_builder_init_copy(&b, 64);
	bytes_add(elf_builder_note(&b, "subgraphs"), "x", 1);
	image = elf_builder_image(&b, &size);
	n = (uint32_t)(image[b.section_table + ELF_NOTE * 40 + 20] |
		       image[b.section_table + ELF_NOTE * 40 + 21] << 8);
	elf_builder_poke_section(&b, ELF_NOTE, ELF_SH_SIZE, n - 3);
	cr_assert_eq(loadable_elf_parse(&graph, image, size, &error), 0, "%s", error.text);
	graph_destroy(graph);
	elf_builder_poke_section(&b, ELF_NOTE, ELF_SH_SIZE, n - 4);
	refused(-EBADMSG, "content of 69 bytes exceeds .note.aipu");
}

Test(loadable_elf, a_known_note_may_be_there_once, .fini = finish)
{
	elf_builder_init_copy(&b, 64);
	elf_builder_note(&b, "rodata");
	bytes_add32(&elf_builder_add_note(&b, "rodata")->content, 1);
	expect_refused(&b, -EBADMSG, "note 'rodata' is there twice");

	/* An empty one would hide it from the vendor's loader. */
	elf_builder_init_copy(&b, 64);
	elf_builder_note(&b, "rodata");
	elf_builder_add_note(&b, "weight");
	elf_builder_add_note(&b, "weight");
	expect_refused(&b, -EBADMSG, "note 'weight' is there twice");
}

Test(loadable_elf, unknown_notes_are_skipped, .fini = finish)
{
	struct graph *g;

	elf_builder_init_copy(&b, 64);
	bytes_add(&elf_builder_add_note(&b, "graphjson")->content, "{}", 2);
	bytes_add(&elf_builder_add_note(&b, "graphjson")->content, "{}", 2);
	bytes_add32(&elf_builder_add_note(&b, "")->content, 0);
	elf_builder_add_note(&b, "gmconfig")->namesz = 12;
	g = expect_accepted(&b);
	check_copy(g);
	graph_destroy(g);
}

Test(loadable_elf, required_notes_are_required, .fini = finish)
{
	static const char *const required[] = {"compilermsg", "rodata", "fmlist", "subgraphs"};
	char text[64];

	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
		snprintf(text, sizeof(text), "note '%s' is missing or empty", required[i]);
		elf_builder_init_copy(&b, 64);
		elf_builder_drop_note(&b, required[i]);
		expect_refused(&b, -EBADMSG, text);
		elf_builder_init_copy(&b, 64);
		bytes_resize(elf_builder_note(&b, required[i]), 0);
		expect_refused(&b, -EBADMSG, text);
	}
}

/* Whatever a cut or a changed byte does, it must not make the parser misbehave. */
static int parse_copy(const uint8_t *from, size_t n)
{
	uint8_t *copy = malloc(n + !n);
	struct graph *graph = NULL;
	struct loadable_error error;
	int r;

	memcpy(copy, from, n);
	r = loadable_elf_parse(&graph, copy, n, &error);
	cr_assert(r == 0 || error.text[0], "an error without a text");
	cr_assert(r == 0 || r == -EBADMSG || r == -ENOEXEC || r == -ENOTSUP || r == -EFBIG, "%d",
		  r);
	graph_destroy(graph);
	free(copy);
	return r;
}

Test(loadable_elf, no_shortened_file_is_accepted, .fini = finish)
{
	elf_builder_init_native(&b);
	image = elf_builder_image(&b, &size);
	cr_assert_eq(parse_copy(image, size), 0);
	for (size_t n = 0; n < size; n++)
		cr_assert_neq(parse_copy(image, n), 0, "%zu of %zu bytes", n, size);
}

Test(loadable_elf, no_shortened_note_makes_it_read_on, .fini = finish)
{
	size_t n_notes, length;

	elf_builder_init_native(&b);
	elf_builder_note(&b, "fmlist");
	n_notes = b.n_notes;
	for (size_t i = 0; i < n_notes; i++) {
		length = b.note[i].content.size;
		while (b.note[i].content.size > 0) {
			bytes_resize(&b.note[i].content, b.note[i].content.size - 1);
			image = elf_builder_image(&b, &size);
			parse_copy(image, size);
		}
		elf_builder_finish(&b);
		elf_builder_init_native(&b);
		elf_builder_note(&b, "fmlist");
		cr_assert_eq(b.note[i].content.size, length);
	}
}

Test(loadable_elf, no_changed_byte_makes_it_misbehave, .fini = finish)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};

	elf_builder_init_native(&b);
	image = elf_builder_image(&b, &size);
	for (size_t i = 0; i < size; i++) {
		uint8_t old = image[i];

		for (size_t k = 0; k < sizeof(values); k++) {
			image[i] = values[k];
			parse_copy(image, size);
		}
		image[i] = old;
	}
	cr_assert_eq(parse_copy(image, size), 0);
}

/* A million pointer slots: the densest thing a file can hold. */
static void add_positions(uint32_t n)
{
	struct bytes *fmlist = elf_builder_note(&b, "fmlist");
	size_t first = 12 + 16 + 16; /* headers, then the first subsection */

	bytes_resize(fmlist, first + 48);
	bytes_poke32(fmlist, 12 + 12, 1); /* one reuse section */
	bytes_poke32(fmlist, first + 0x2c, n);
	bytes_add(fmlist, NULL, (size_t)n * 4);
}

Test(loadable_elf, memory_stays_within_a_small_factor_of_the_file, .fini = finish)
{
	struct graph *g;
	size_t before;

	elf_builder_init_copy(&b, 64);
	elf_builder_drop_note(&b, "zhouyi.tensors");
	add_positions(1000000);
	image = elf_builder_image(&b, &size);
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	g = expect_accepted(&b);
	cr_assert_eq(g->n_patches, 1000000);
	/* The builder's copy of the image is part of the difference. */
	cr_assert_lt(mallinfo2().uordblks + mallinfo2().hblkhd - before, 10 * size);
	graph_destroy(g);
}

Test(loadable_elf, there_is_a_limit_to_patch_positions, .fini = finish)
{
	elf_builder_init_copy(&b, 64);
	add_positions((1 << 20) + 1);
	expect_refused(&b, -EFBIG, "more than 1048576 patch positions");
}
