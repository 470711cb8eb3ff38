/* SPDX-License-Identifier: Apache-2.0 */
/* Memory sections, patches, tensors, and the subgraphs that use them. */
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

/* Offsets in the fmlist note of elf_builder_init_copy(). */
#define BSS 12u
#define REUSE (BSS + 16)
#define SUBSECTION (REUSE + 16)

static void poke_fmlist(size_t offset, uint32_t value)
{
	bytes_poke32(elf_builder_note(&b, "fmlist"), offset, value);
}

Test(bss, counts_are_held_against_what_follows, .fini = finish)
{
	static const struct {
		size_t offset;
		const char *text;
	} cases[] = {
		{8, "note 'fmlist': 4294967295 BSSs, but only"},
		{BSS + 8, "BSS 0: 4294967295 static sections, but only"},
		{BSS + 12, "BSS 0: 4294967295 reuse sections, but only"},
		{REUSE + 12, "reuse section 0: 4294967295 subsections, but only"},
		{SUBSECTION + 0x2c, "subsection 0: 4294967295 patch positions, but only"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		elf_builder_init_copy(&b, 64);
		poke_fmlist(cases[i].offset, 0xffffffff);
		expect_refused(&b, -EBADMSG, cases[i].text);
	}
}

Test(bss, counts_one_too_many_are_noticed_where_the_bytes_end, .fini = finish)
{
	elf_builder_init_copy(&b, 64);
	poke_fmlist(8, 2);
	expect_refused(&b, -EBADMSG, "BSS 1: header is cut off: 0 of 16 bytes");

	elf_builder_init_copy(&b, 64);
	poke_fmlist(BSS + 12, 3);
	expect_refused(&b, -EBADMSG, "reuse section 2: descriptor is cut off: 0 of 16 bytes");

	elf_builder_init_copy(&b, 64);
	bytes_resize(elf_builder_note(&b, "fmlist"), 11);
	expect_refused(&b, -EBADMSG, "note 'fmlist': 11 bytes, too few for a header");

	elf_builder_init_copy(&b, 64);
	bytes_resize(elf_builder_note(&b, "fmlist"), BSS + 15);
	expect_refused(&b, -EBADMSG, "1 BSSs, but only 15 bytes follow");
}

Test(bss, there_must_be_a_bss_with_a_stack_and_a_reuse_section, .fini = finish)
{
	elf_builder_init_copy(&b, 64);
	b.n_bss = 0;
	expect_refused(&b, -EBADMSG, "note 'fmlist': no BSS");

	elf_builder_init_copy(&b, 64);
	b.bss[0].n_reuses = 0;
	expect_refused(&b, -EBADMSG, "BSS 0: no reuse section");
}

static void refuse_stack(uint32_t size, uint32_t align, const char *text)
{
	elf_builder_init_copy(&b, 64);
	b.bss[0].stack_size = size;
	b.bss[0].stack_align = align;
	expect_refused(&b, -EBADMSG, text);
}

Test(bss, stacks_are_bounded, .fini = finish)
{
	refuse_stack(0, 4096, "BSS 0: stack size is 0");
	refuse_stack(0x10000001, 4096, "BSS 0: stack size 268435457 is above 268435456");
	refuse_stack(4096, 0, "BSS 0: stack alignment 0 is not a power of two");
	refuse_stack(4096, 12, "BSS 0: stack alignment 12 is not a power of two");
	refuse_stack(4096, 0x80000000, "BSS 0: stack alignment 2147483648 is above");
}

Test(bss, alignments_are_powers_of_two, .fini = finish)
{
	static const uint32_t bad[] = {0, 3, 12, 0x80000000, 0xffffffff};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		elf_builder_init_native(&b);
		b.bss[0].statics[1].align = bad[i];
		expect_refused(&b, -EBADMSG, "static section 1: alignment");
		elf_builder_init_native(&b);
		b.bss[0].reuses[2].align = bad[i];
		expect_refused(&b, -EBADMSG, "reuse section 2: alignment");
		elf_builder_init_native(&b);
		b.subgraph[1].privates[0].align = bad[i];
		expect_refused(&b, -EBADMSG, "subgraph 1: private buffer 0: alignment");
	}
}

Test(bss, subsections_lie_in_their_sections, .fini = finish)
{
	elf_builder_init_native(&b);
	b.bss[0].reuses[0].sub[0].desc.size = 101;
	expect_refused(&b, -EBADMSG,
		       "reuse section 0: subsection 0: offset 0 + size 0x65 exceeds the section's "
		       "0x64");

	/* The sum is 0x10 in 32 bits. */
	elf_builder_init_native(&b);
	b.bss[0].reuses[0].sub[0].desc.size = 0x20;
	b.bss[0].reuses[0].sub[0].desc.offset = 0xfffffff0;
	expect_refused(&b, -EBADMSG, "offset 0xfffffff0 + size 0x20 exceeds");

	elf_builder_init_native(&b);
	b.bss[0].statics[0].sub[0].desc.offset = 1;
	expect_refused(&b, -EBADMSG, "static section 0: subsection 0: offset 0x1 + size 0x30");

	elf_builder_init_native(&b);
	b.subgraph[1].privates[0].sub[0].desc.size = 8193;
	expect_refused(&b, -EBADMSG, "subgraph 1: private buffer 0: subsection 0: offset 0 + size");
}

Test(bss, constants_come_from_the_weights, .fini = finish)
{
	elf_builder_init_native(&b);
	b.bss[0].statics[1].src_offset = 49;
	expect_refused(&b, -EBADMSG,
		       "static section 1: source 0x31 + size 0x14 exceeds the weights' 0x44");

	elf_builder_init_native(&b);
	b.bss[0].statics[1].src_offset = 0xfffffff8;
	expect_refused(&b, -EBADMSG, "source 0xfffffff8 + size 0x14 exceeds");

	elf_builder_init_native(&b);
	bytes_resize(&b.weight, 0);
	expect_refused(&b, -EBADMSG, "static section 0: there is no note 'weight'");
}

Test(bss, constants_may_come_in_any_order_of_source, .fini = finish)
{
	struct graph *g;

	elf_builder_init_native(&b);
	b.bss[0].statics[0].src_offset = 20;
	b.bss[0].statics[1].src_offset = 0;
	g = expect_accepted(&b);
	cr_assert_eq(g->statics[0].src_offset, 20);
	graph_destroy(g);
}

Test(bss, a_static_section_has_one_type_of_constant, .fini = finish)
{
	elf_builder_init_native(&b);
	b.bss[0].statics[0].sub[0].desc.type = CONTAINER_SUBSECTION_INPUT;
	expect_refused(&b, -EBADMSG, "static section 0: subsection 0: type 0 is neither constant");

	elf_builder_init_native(&b);
	b.bss[0].statics[0].n_subsections = 2;
	b.bss[0].statics[0].sub[1].desc.type = CONTAINER_SUBSECTION_ZERO_COPY_CONSTANT;
	expect_refused(&b, -EBADMSG, "subsection 1: type 15 differs from the section's, 4");

	elf_builder_init_native(&b);
	b.bss[0].statics[1].n_subsections = 0;
	expect_refused(&b, -EBADMSG, "static section 1: no subsection, so it has no type");
}

static void refuse_position(uint32_t position, const char *text)
{
	elf_builder_init_native(&b);
	b.bss[0].reuses[1].sub[0].position[0] = position;
	expect_refused(&b, -EBADMSG, text);
}

Test(bss, patch_positions_lie_in_rodata_or_descriptor, .fini = finish)
{
	struct graph *g;

	/* 64 bytes of rodata, 32 of descriptor. */
	refuse_position(93,
			"reuse section 1: subsection 0: patch 0: position 0x5d is outside rodata");
	refuse_position(0xfffffffc, "position 0xfffffffc is outside rodata (64) and desc (32)");
	refuse_position(0xffffffff, "position 0xffffffff is outside");
	refuse_position(61, "position 0x3d straddles rodata and desc");
	refuse_position(63, "position 0x3f straddles rodata and desc");

	elf_builder_init_native(&b);
	b.bss[0].reuses[1].sub[0].position[0] = 92;
	b.bss[0].reuses[2].sub[0].position[0] = 60;
	b.bss[0].reuses[0].sub[0].position[0] = 64;
	g = expect_accepted(&b);
	graph_destroy(g);
}

Test(bss, without_a_descriptor_positions_end_with_rodata, .fini = finish)
{
	elf_builder_init_copy(&b, 64);
	b.bss[0].reuses[0].sub[0].position[0] = 13;
	expect_refused(&b, -EBADMSG, "position 0xd is outside rodata (16) and desc (0)");
}

Test(bss, private_buffers_have_checked_positions_too, .fini = finish)
{
	elf_builder_init_native(&b);
	b.subgraph[1].privates[0].sub[0].position[0] = 96;
	expect_refused(&b, -EBADMSG,
		       "note 'subgraphs': subgraph 1: private buffer 0: subsection 0: patch 0");
}

Test(bss, an_empty_section_keeps_its_index, .fini = finish)
{
	struct graph *g;

	elf_builder_init_native(&b);
	b.bss[0].n_reuses = 5;
	b.bss[0].reuses[4] = b.bss[0].reuses[2];
	b.bss[0].reuses[2] = (struct elf_section){.align = 4096, .n_subsections = 1};
	b.bss[0].reuses[2].sub[0].desc.type = CONTAINER_SUBSECTION_INTERMEDIATE;
	g = expect_accepted(&b);
	cr_assert_eq(g->n_reuses, 5);
	cr_assert_eq(g->reuses[2].size, 0);
	cr_assert_eq(g->tensors[GRAPH_TENSOR_INPUT].tensor[0].section, 4);
	cr_assert_eq(g->tensors[GRAPH_TENSOR_PROFILER].tensor[0].section, 3);
	graph_destroy(g);
}

Test(bss, nothing_refers_to_an_empty_section, .fini = finish)
{
	elf_builder_init_native(&b);
	b.bss[0].reuses[1].size = 0;
	b.bss[0].reuses[1].sub[0].desc.size = 0;
	expect_refused(&b, -EBADMSG, "reuse section 1: subsection 0: input tensor 1 has size 0");

	elf_builder_init_native(&b);
	b.bss[0].reuses[1].size = 0;
	b.bss[0].reuses[1].sub[0].desc.size = 0;
	b.bss[0].reuses[1].sub[0].desc.type = CONTAINER_SUBSECTION_INTERMEDIATE;
	expect_refused(&b, -EBADMSG, "subsection 0: patched, but the section's size is 0");
}

Test(bss, tensors_are_sorted_by_id, .fini = finish)
{
	const struct graph_tensors *in;
	struct graph *g;

	elf_builder_init_native(&b);
	g = expect_accepted(&b);
	in = &g->tensors[GRAPH_TENSOR_INPUT];
	cr_assert_eq(in->n, 2);
	cr_assert_eq(in->tensor[0].id, 0);
	cr_assert_eq(in->tensor[0].size, 30);
	cr_assert_eq(in->tensor[0].section, 2);
	cr_assert_eq(in->tensor[1].id, 1);
	cr_assert_eq(in->tensor[1].size, 40);
	cr_assert_eq(in->tensor[1].section, 1);
	cr_assert_eq(in->tensor[1].type, GRAPH_TYPE_UINT8);
	cr_assert_float_eq(in->tensor[1].scale, 0.5f, 0);
	cr_assert_eq(in->tensor[1].zero_point, 128);
	cr_assert_str_empty(in->tensor[1].name);
	cr_assert_eq(in->tensor[1].rank, 0);
	graph_destroy(g);
}

Test(bss, tensor_ids_are_a_permutation, .fini = finish)
{
	static const struct {
		uint32_t type;
		const char *name;
	} sorted[] = {
		{CONTAINER_SUBSECTION_INPUT, "input"},
		{CONTAINER_SUBSECTION_OUTPUT, "output"},
		{CONTAINER_SUBSECTION_INTER_DUMP, "intermediate dump"},
		{CONTAINER_SUBSECTION_OUTPUT_SHAPE, "output shape"},
	};
	char text[80];

	for (size_t i = 0; i < sizeof(sorted) / sizeof(sorted[0]); i++) {
		elf_builder_init(&b, 0x000504b4);
		bytes_add(&b.text, NULL, 16);
		bytes_add(&b.rodata, NULL, 16);
		elf_builder_add_tensor(&b, sorted[i].type, 0, 16);
		elf_builder_add_tensor(&b, sorted[i].type, 2, 16);
		snprintf(text, sizeof(text), "note 'fmlist': %s tensor id 2, but there are only 2",
			 sorted[i].name);
		expect_refused(&b, -EBADMSG, text);

		elf_builder_init(&b, 0x000504b4);
		bytes_add(&b.text, NULL, 16);
		bytes_add(&b.rodata, NULL, 16);
		elf_builder_add_tensor(&b, sorted[i].type, 0, 16);
		elf_builder_add_tensor(&b, sorted[i].type, 0, 16);
		snprintf(text, sizeof(text), "two %s tensors have id 0", sorted[i].name);
		expect_refused(&b, -EBADMSG, text);
	}
}

Test(bss, special_buffers_are_single, .fini = finish)
{
	static const uint32_t single[] = {CONTAINER_SUBSECTION_PROFILER,
					  CONTAINER_SUBSECTION_PRINTF,
					  CONTAINER_SUBSECTION_ERROR_CODE};

	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
		elf_builder_init_copy(&b, 64);
		elf_builder_add_tensor(&b, single[i], 0, 16);
		elf_builder_add_tensor(&b, single[i], 1, 16);
		expect_refused(&b, -EBADMSG, "tensors, at most one is possible");
	}
}

Test(bss, segmmu_buffers_are_not_supported, .fini = finish)
{
	elf_builder_init_native(&b);
	elf_builder_add_tensor(&b, CONTAINER_SUBSECTION_SEGMMU, 0, 64);
	expect_refused(&b, -ENOTSUP, "SegMMU buffers are not supported");
}

/* A second BSS with a constant of its own and a second input. */
static void add_bss(void)
{
	struct elf_bss *bss = &b.bss[1];

	elf_builder_init_native(&b);
	b.n_bss = 2;
	*bss = b.bss[0];
	bss->n_statics = 1;
	bss->n_reuses = 1;
	bss->statics[0].sub[0].desc.n_positions = 0;
	bss->reuses[0].sub[0].desc.id = 1;
	b.subgraph[1].desc.bss = 1;
}

Test(bss, several_take_their_weights_from_the_one_note, .fini = finish)
{
	struct graph *g;

	add_bss();
	g = expect_accepted(&b);
	cr_assert_eq(g->n_bss, 2);
	cr_assert_eq(g->bss[1].first_static, 2);
	cr_assert_eq(g->bss[1].first_reuse, 4);
	cr_assert_eq(g->statics[2].bss, 1);
	cr_assert_eq(g->reuses[4].bss, 1);
	cr_assert_eq(g->subgraphs[1].bss, 1);
	/* All tensors are in one list, sections are counted over all BSSs. */
	cr_assert_eq(g->tensors[GRAPH_TENSOR_OUTPUT].n, 2);
	cr_assert_eq(g->tensors[GRAPH_TENSOR_OUTPUT].tensor[1].section, 4);
	graph_destroy(g);
}

Test(bss, the_second_one_is_checked_like_the_first, .fini = finish)
{
	add_bss();
	b.bss[1].statics[0].src_offset = 100;
	expect_refused(&b, -EBADMSG, "BSS 1: static section 2: source 0x64");
	add_bss();
	b.bss[1].stack_size = 0;
	expect_refused(&b, -EBADMSG, "BSS 1: stack size is 0");
}

Test(bss, device_memory_is_added_up_in_64_bits, .fini = finish)
{
	elf_builder_init_native(&b);
	for (uint32_t i = 0; i < 4; i++)
		b.bss[0].reuses[i].size = 0xc0000000;
	expect_refused(&b, -EFBIG, "it can address 3221225472");

	/* Small constants, far apart. */
	elf_builder_init_native(&b);
	for (uint32_t i = 0; i < 4; i++)
		elf_builder_add_constant(&b, CONTAINER_SUBSECTION_CONSTANT, NULL, 16);
	for (uint32_t i = 0; i < 6; i++)
		b.bss[0].statics[i].align = 1u << 30;
	expect_refused(&b, -EFBIG, "bytes of device memory");
}

Test(bss, there_are_limits_to_their_number_and_to_that_of_sections, .fini = finish)
{
	elf_builder_init_copy(&b, 64);
	poke_fmlist(8, 4097);
	bytes_resize(elf_builder_note(&b, "fmlist"), 12 + 4097 * 16);
	expect_refused(&b, -EFBIG, "note 'fmlist': 4097 BSSs, more than 4096");

	elf_builder_init_copy(&b, 64);
	poke_fmlist(BSS + 8, 65537);
	bytes_resize(elf_builder_note(&b, "fmlist"), REUSE + 65537 * 16);
	expect_refused(&b, -EFBIG, "BSS 0: more than 65536 static sections in all");

	elf_builder_init_copy(&b, 64);
	poke_fmlist(BSS + 12, 65537);
	bytes_resize(elf_builder_note(&b, "fmlist"), REUSE + 65537 * 16);
	expect_refused(&b, -EFBIG, "BSS 0: more than 65536 reuse sections in all");
}

Test(bss, there_is_a_limit_to_tensors, .fini = finish)
{
	uint32_t n = 4097;
	struct bytes *fmlist;

	elf_builder_init_copy(&b, 64);
	poke_fmlist(BSS + 12, 1);
	poke_fmlist(REUSE + 12, n);
	fmlist = elf_builder_note(&b, "fmlist");
	bytes_resize(fmlist, SUBSECTION);
	bytes_resize(fmlist, SUBSECTION + n * 48);
	for (uint32_t i = 0; i < n; i++) {
		bytes_poke32(fmlist, SUBSECTION + i * 48 + 0x04, 1);
		bytes_poke32(fmlist, SUBSECTION + i * 48 + 0x0c, i);
	}
	expect_refused(&b, -EFBIG, "subsection 4096: more than 4096 input tensors");
}

/* Offsets in the subgraphs note of elf_builder_init_copy(). */
#define RECORD 4u
#define DEPENDENCY (RECORD + 0x38)
#define N_PRIVATES (RECORD + 0x3c)

static void refuse_subgraph(size_t offset, uint32_t value, const char *text)
{
	elf_builder_init_copy(&b, 64);
	bytes_poke32(elf_builder_note(&b, "subgraphs"), offset, value);
	expect_refused(&b, -EBADMSG, text);
}

Test(subgraphs, counts_are_held_against_what_follows, .fini = finish)
{
	refuse_subgraph(0, 0xffffffff, "note 'subgraphs': 4294967295 subgraphs, but only 64 bytes");
	refuse_subgraph(0, 2, "note 'subgraphs': 2 subgraphs, but only 64 bytes follow");
	refuse_subgraph(N_PRIVATES, 0x7fffffff,
			"subgraph 0: 2147483647 private buffers, but only 0");
	refuse_subgraph(N_PRIVATES, 0xffffffff, "subgraph 0: -1 private buffers");

	elf_builder_init_copy(&b, 64);
	bytes_resize(elf_builder_note(&b, "subgraphs"), 3);
	expect_refused(&b, -EBADMSG, "note 'subgraphs': 3 bytes, too few for a count");

	elf_builder_init_native(&b);
	b.subgraph[0].n_privates = 1;
	b.subgraph[0].privates[0].align = 4096;
	bytes_resize(elf_builder_note(&b, "subgraphs"), 4 + 64 + 16 + 59);
	expect_refused(&b, -EBADMSG, "subgraph 1: record is cut off: 59 of 60 bytes");

	elf_builder_init_native(&b);
	bytes_resize(elf_builder_note(&b, "subgraphs"), 4 + 64 + 64);
	expect_refused(&b, -EBADMSG, "subgraph 1: count of private buffers is cut off");
}

Test(subgraphs, there_is_a_limit_to_their_number, .fini = finish)
{
	struct bytes *note;

	elf_builder_init_copy(&b, 64);
	note = elf_builder_note(&b, "subgraphs");
	bytes_poke32(note, 0, 16385);
	bytes_resize(note, 4 + 16385 * 64);
	expect_refused(&b, -EFBIG, "16385 subgraphs, more than 16384");
}

Test(subgraphs, there_is_a_limit_to_private_buffers, .fini = finish)
{
	struct bytes *note;

	elf_builder_init_copy(&b, 64);
	note = elf_builder_note(&b, "subgraphs");
	bytes_poke32(note, N_PRIVATES, 65537);
	bytes_resize(note, note->size + 65537 * 16);
	expect_refused(&b, -EFBIG, "subgraph 0: more than 65536 private buffers in all");
}

Test(subgraphs, offsets_lie_where_they_point, .fini = finish)
{
	refuse_subgraph(RECORD + 0x08, 256,
			"subgraph 0: text offset 0x100 is outside .text (0x100)");
	refuse_subgraph(RECORD + 0x10, 17,
			"subgraph 0: rodata offset 0x11 is outside rodata (0x10)");
	refuse_subgraph(RECORD + 0x0c, 1, "subgraph 0: BSS index 1, but there are 1");
	refuse_subgraph(RECORD + 0x0c, 0xffffffff, "subgraph 0: BSS index 4294967295");
	refuse_subgraph(RECORD + 0x28, 0xffffffff, "subgraph 0: private data of 4294967295 bytes");

	elf_builder_init_native(&b);
	b.subgraph[1].desc.profiler_offset = 64;
	expect_refused(&b, -EBADMSG,
		       "subgraph 1: profiler offset 0x40 is outside its buffer (0x40)");
}

Test(subgraphs, dependency_codes_are_those_of_the_generation, .fini = finish)
{
	refuse_subgraph(DEPENDENCY, (uint32_t)-2, "subgraph 0: dependency code -2");
	refuse_subgraph(DEPENDENCY, 5, "subgraph 0: dependency code 5");
	refuse_subgraph(DEPENDENCY, 0x7fffffff, "subgraph 0: dependency code 2147483647");
	refuse_subgraph(DEPENDENCY, 2, "subgraph 0: 2 precursors; generation v3 allows 1");
}

static void init_three_subgraphs(uint32_t device)
{
	elf_builder_init_native(&b);
	b.compilermsg.device = device;
	b.n_subgraphs = 3;
	b.subgraph[2].desc.dependency = 2;
	b.subgraph[2].precursor[1] = 1;
}

Test(subgraphs, generation_v3_2_lists_its_precursors, .fini = finish)
{
	struct graph *g;

	init_three_subgraphs(0x10060518);
	g = expect_accepted(&b);
	cr_assert_eq(g->subgraphs[2].dependency, 2);
	cr_assert_eq(g->subgraphs[2].precursor[1], 1);
	graph_destroy(g);
	finish();

	init_three_subgraphs(0x10060518);
	b.subgraph[2].precursor[1] = 2;
	expect_refused(&b, -EBADMSG, "subgraph 2: precursor 1 is subgraph 2, not an earlier one");

	init_three_subgraphs(0x000504b4);
	expect_refused(&b, -EBADMSG, "subgraph 2: 2 precursors; generation v3 allows 1");
}

Test(subgraphs, precursors_are_earlier_ones, .fini = finish)
{
	elf_builder_init_native(&b);
	b.subgraph[1].precursor[0] = 1;
	expect_refused(&b, -EBADMSG, "subgraph 1: precursor 0 is subgraph 1, not an earlier one");
	elf_builder_init_native(&b);
	b.subgraph[1].desc.dependency = GRAPH_DEPENDS_ON_ALL;
	graph_destroy(expect_accepted(&b));
}

Test(subgraphs, none_and_no_private_data_are_legal, .fini = finish)
{
	struct graph *g;

	elf_builder_init_native(&b);
	b.n_subgraphs = 0;
	g = expect_accepted(&b);
	cr_assert_eq(g->n_subgraphs, 0);
	cr_assert_eq(g->n_remaps, 0);
	graph_destroy(g);
	finish();

	elf_builder_init_native(&b);
	b.subgraph[0].desc.private_size = 0;
	graph_destroy(expect_accepted(&b));
}
