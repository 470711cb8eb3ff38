/* SPDX-License-Identifier: Apache-2.0 */
/* The isolation rule: one test for each way around it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "loadable/program.h"
#include "npu/engine.h"
#include "tests/unit/loadable/expect.h"

static struct elf_builder b;

static void finish(void)
{
	elf_builder_finish(&b);
}

static void accepted(void)
{
	struct graph *g = expect_accepted(&b);
	struct loadable_error error;
	int r = program_check(g, &error);

	cr_assert_eq(r, 0, "refused: %s", error.text);
	graph_destroy(g);
	finish();
}

/* The container is in order, the program is not. */
static void refused(const char *text)
{
	struct graph *g = expect_accepted(&b);
	struct loadable_error error;
	int r = program_check(g, &error);

	cr_assert_eq(r, -EBADMSG, "%d: %s", r, error.text);
	cr_assert(strstr(error.text, text), "says \"%s\", not \"%s\"", error.text, text);
	graph_destroy(g);
	finish();
}

static struct elf_section *in(void)
{
	return &b.bss[0].reuses[0];
}

static struct elf_section *out(void)
{
	return &b.bss[0].reuses[1];
}

static struct npu_insn *insn_at(size_t i)
{
	return (struct npu_insn *)(void *)(b.text.data + i * sizeof(struct npu_insn));
}

Test(program, what_keeps_the_rule_is_accepted)
{
	elf_builder_init_copy(&b, 64);
	accepted();
	elf_builder_init_softmax(&b, 10);
	accepted();
	elf_builder_init_copy(&b, 64);
	elf_builder_prepend(&b, NPU_OP_DELAY, 1000);
	accepted();
}

Test(program, native_code_is_a_matter_of_policy)
{
	elf_builder_init_native(&b);
	accepted();
}

Test(program, subgraphs_may_share_text_and_slots)
{
	elf_builder_init_copy(&b, 64);
	b.n_subgraphs = 4;
	for (size_t i = 1; i < 4; i++)
		b.subgraph[i] = b.subgraph[0];
	accepted();
}

Test(program, subgraphs_may_have_parameters_of_their_own)
{
	elf_builder_init_copy(&b, 64);
	elf_builder_add_slot(&b, out());
	elf_builder_add_slot(&b, in());
	b.n_subgraphs = 2;
	b.subgraph[1] = b.subgraph[0];
	b.subgraph[1].desc.rodata_offset = 16;
	b.subgraph[1].desc.dependency = GRAPH_DEPENDS_ON_ALL;
	accepted();
}

Test(program, illegal_instructions_are_refused)
{
	elf_builder_init_copy(&b, 64);
	insn_at(0)->opcode = 0;
	refused("subgraph 0: instruction 0 (unknown): unknown opcode");

	elf_builder_init_copy(&b, 64);
	insn_at(0)->stride[0] = 1;
	refused("subgraph 0: instruction 0 (copy): stride");

	elf_builder_init_copy(&b, 64);
	insn_at(1)->version = 2;
	refused("subgraph 0: instruction 1 (end): unknown version");
}

Test(program, text_ends_with_end)
{
	elf_builder_init_copy(&b, 64);
	bytes_resize(&b.text, 128);
	refused("subgraph 0: .text ends before an `end` instruction");

	elf_builder_init_copy(&b, 64);
	bytes_resize(&b.text, 255);
	refused("subgraph 0: .text ends before an `end` instruction");

	elf_builder_init_copy(&b, 64);
	b.subgraph[0].desc.text_offset = 129;
	refused("subgraph 0: .text ends before an `end` instruction");
}

Test(program, what_lies_behind_end_does_not_matter)
{
	elf_builder_init_copy(&b, 64);
	bytes_add(&b.text, NULL, 128);
	accepted();
}

Test(program, slots_lie_in_rodata)
{
	elf_builder_init_copy(&b, 64);
	insn_at(0)->slot[1] = 12;
	refused("instruction 0 (copy): operand 'out': slot at 0xc is outside rodata (0x10)");

	elf_builder_init_copy(&b, 64);
	insn_at(0)->slot[1] = 0xfffffff8;
	refused("operand 'out': slot at 0xfffffff8 is outside rodata");

	/* 0x1_0000_0000 in 64 bits, 0 in 32. */
	elf_builder_init_copy(&b, 64);
	b.subgraph[0].desc.rodata_offset = 8;
	insn_at(0)->slot[0] = 0xfffffff8;
	refused("operand 'in': slot at 0x100000000 is outside rodata");
}

Test(program, slots_are_aligned)
{
	elf_builder_init_copy(&b, 64);
	bytes_resize(&b.rodata, 32);
	b.subgraph[0].desc.rodata_offset = 2;
	refused("operand 'in': slot at 0x2 is not 4-byte aligned");

	elf_builder_init_copy(&b, 64);
	in()->sub[0].position[0] = 1;
	refused("patch entry 0: position 0x1 is not a multiple of 4");
}

Test(program, slots_do_not_overlap)
{
	elf_builder_init_copy(&b, 64);
	insn_at(0)->slot[1] = 4;
	out()->sub[0].position[0] = 4;
	refused("slots at 0 and 0x4 overlap");
}

Test(program, each_slot_is_patched_once)
{
	elf_builder_init_copy(&b, 64);
	out()->sub[0].desc.n_positions = 0;
	refused("instruction 0 (copy): operand 'out': no patch entry for the slot at 0x8");

	elf_builder_init_copy(&b, 64);
	out()->sub[0].position[0] = 0;
	refused("patch entries 0 and 1 both write position 0");

	elf_builder_init_copy(&b, 64);
	in()->sub[0].desc.n_positions = 2;
	in()->sub[0].position[1] = 0;
	refused("patch entries 0 and 1 both write position 0");
}

Test(program, the_size_word_is_not_patched)
{
	elf_builder_init_copy(&b, 64);
	in()->sub[0].desc.n_positions = 2;
	in()->sub[0].position[1] = 4;
	refused("slots at 0 and 0x4 overlap");
}

Test(program, nothing_else_is_patched)
{
	elf_builder_init_copy(&b, 64);
	bytes_resize(&b.rodata, 32);
	in()->sub[0].desc.n_positions = 2;
	in()->sub[0].position[1] = 24;
	refused("patch entry 1: position 0x18 is not the slot of an operand");

	elf_builder_init_copy(&b, 64);
	b.n_subgraphs = 0;
	refused("patch entry 0: position 0 is not the slot of an operand");
}

Test(program, the_whole_address_is_patched)
{
	static const uint32_t masks[] = {0, 0xfffffff0, 0x7fffffff, 0xfffffffe};

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		elf_builder_init_copy(&b, 64);
		out()->sub[0].desc.mask = masks[i];
		refused("patch entry 1 at 0x8: mask");
	}
}

Test(program, sizes_are_what_the_instruction_implies)
{
	elf_builder_init_copy(&b, 64);
	bytes_poke32(&b.rodata, 12, 65);
	refused("operand 'out': the slot says 65 bytes, the instruction implies 64");

	elf_builder_init_copy(&b, 64);
	insn_at(0)->extra[0] = 65;
	refused("operand 'in': the slot says 64 bytes, the instruction implies 65");

	elf_builder_init_softmax(&b, 10);
	bytes_poke32(&b.rodata, 20, 1023);
	refused("(softmax): operand 'table': the slot says 1023 bytes, the instruction implies "
		"1024");
}

Test(program, subsections_are_as_large_as_their_slots)
{
	elf_builder_init_copy(&b, 64);
	out()->size = 65;
	out()->sub[0].desc.size = 63;
	elf_builder_drop_note(&b, "zhouyi.tensors");
	refused("operand 'out': the slot says 64 bytes, its subsection has 63");

	elf_builder_init_copy(&b, 64);
	out()->size = 65;
	out()->sub[0].desc.size = 65;
	elf_builder_drop_note(&b, "zhouyi.tensors");
	refused("operand 'out': the slot says 64 bytes, its subsection has 65");
}

Test(program, constants_are_static)
{
	elf_builder_init_softmax(&b, 10);
	b.bss[0].statics[0].sub[0].desc.n_positions = 0;
	elf_builder_add_tensor(&b, CONTAINER_SUBSECTION_INTERMEDIATE, 0, 1024);
	b.bss[0].reuses[2].sub[0].desc.n_positions = 1;
	b.bss[0].reuses[2].sub[0].position[0] = 16;
	refused("(softmax): constant operand 'table' is not in a static section of constants");
}

/* Move the operand at @position to a constant of the same size. */
static void make_static(struct elf_section *section, uint32_t type)
{
	uint32_t index = elf_builder_add_constant(&b, type, NULL, section->size);

	b.bss[0].statics[index].sub[0].desc.n_positions = 1;
	b.bss[0].statics[index].sub[0].position[0] = section->sub[0].position[0];
	section->sub[0].desc.n_positions = 0;
}

Test(program, outputs_are_not_static)
{
	elf_builder_init_copy(&b, 64);
	make_static(out(), CONTAINER_SUBSECTION_CONSTANT);
	refused("instruction 0 (copy): output operand 'out' is in a static section");
	elf_builder_init_copy(&b, 64);
	make_static(out(), CONTAINER_SUBSECTION_ZERO_COPY_CONSTANT);
	refused("instruction 0 (copy): output operand 'out' is in a static section");
}

Test(program, inputs_may_be_zero_copy_constants_but_not_weights)
{
	elf_builder_init_copy(&b, 64);
	make_static(in(), CONTAINER_SUBSECTION_ZERO_COPY_CONSTANT);
	accepted();
	elf_builder_init_copy(&b, 64);
	make_static(in(), CONTAINER_SUBSECTION_CONSTANT);
	refused("(copy): input operand 'in' is in a static section of constants");
}

Test(program, constants_are_no_zero_copy_constants)
{
	elf_builder_init_softmax(&b, 10);
	b.bss[0].statics[0].sub[0].desc.type = CONTAINER_SUBSECTION_ZERO_COPY_CONSTANT;
	refused("(softmax): constant operand 'table' is not in a static section of constants");
}

Test(program, a_slot_keeps_its_nature_in_every_instruction)
{
	struct npu_insn again, end;

	/* A second instruction writes what the first reads as a constant. */
	elf_builder_init_softmax(&b, 10);
	again = elf_insn(NPU_OP_COPY);
	again.slot[0] = insn_at(0)->slot[1];
	again.slot[1] = insn_at(0)->slot[1];
	again.extra[0] = 1024;
	end = *insn_at(1);
	elf_builder_add_insn(&b, &end);
	*insn_at(1) = again;
	refused("instruction 1 (copy): input operand 'in' is in a static section of constants");
}

Test(program, private_buffers_may_be_written)
{
	elf_builder_init_copy(&b, 64);
	out()->sub[0].desc.n_positions = 0;
	b.subgraph[0].n_privates = 1;
	b.subgraph[0].privates[0] = *out();
	b.subgraph[0].privates[0].sub[0].desc.n_positions = 1;
	accepted();
}

Test(program, there_are_no_remaps_descriptors_or_segments)
{
	struct bytes *note;

	elf_builder_init_copy(&b, 64);
	note = elf_builder_note(&b, "remap");
	bytes_add32(note, 1);
	bytes_add(note, NULL, 16);
	refused("a software program has no remap entries");

	elf_builder_init_copy(&b, 64);
	bytes_add(&b.desc, NULL, 4);
	refused("a software program has no descriptor");

	elf_builder_init_copy(&b, 64);
	note = elf_builder_note(&b, "segmmu");
	bytes_add32(note, 1);
	bytes_add(note, NULL, 56);
	refused("a software program has no SegMMU records");
}

/* @n delays, then end. */
static void init_delays(size_t n)
{
	struct npu_insn delay = elf_insn(NPU_OP_DELAY), end = elf_insn(NPU_OP_END);

	elf_builder_init(&b, 0x053504b4);
	elf_builder_add_tensor(&b, CONTAINER_SUBSECTION_INPUT, 0, 64);
	bytes_add(&b.rodata, NULL, 16);
	for (size_t i = 0; i < n; i++)
		elf_builder_add_insn(&b, &delay);
	elf_builder_add_insn(&b, &end);
	b.n_subgraphs = 1;
}

Test(program, a_program_has_a_largest_length)
{
	init_delays(NPU_MAX_INSNS - 1);
	accepted();
	init_delays(NPU_MAX_INSNS);
	refused("subgraph 0: more than 65536 instructions");
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* 16384 subgraphs that all run the same longest program. */
Test(program, long_programs_cannot_be_multiplied, .fini = finish)
{
	struct bytes *note;

	init_delays(NPU_MAX_INSNS - 1);
	note = elf_builder_note(&b, "subgraphs");
	bytes_poke32(note, 0, 16384);
	bytes_resize(note, 4 + 16384 * 64);
	refused("more than 262144 instructions in all subgraphs");
}

/* As many slots as a 16 MiB file can have, in the order that is worst for sorting. */
static void init_many_slots(uint32_t n)
{
	struct bytes *fmlist;

	elf_builder_init_copy(&b, 64);
	bytes_resize(&b.rodata, (size_t)n * 8);
	elf_builder_drop_note(&b, "zhouyi.tensors");
	fmlist = elf_builder_note(&b, "fmlist");
	bytes_poke32(fmlist, 12 + 12, 1);
	bytes_resize(fmlist, 12 + 16 + 16 + 48);
	bytes_poke32(fmlist, 12 + 16 + 16 + 0x2c, n);
	for (uint32_t i = 0; i < n; i++)
		bytes_add32(fmlist, (uint32_t)((uint64_t)i * 7919 % n) * 8);
}

Test(program, a_hostile_file_is_judged_in_well_under_a_second, .fini = finish)
{
	struct loadable_error error;
	struct graph *g;
	double start, took;

	init_many_slots(1 << 20);
	start = seconds();
	g = expect_accepted(&b);
	cr_assert_eq(program_check(g, &error), -EBADMSG);
	took = seconds() - start;
	fprintf(stderr, "%zu patches: %.3f s: %s\n", g->n_patches, took, error.text);
	/* A quadratic check would take hours; sanitizers and a busy machine are forgiven. */
	cr_assert_lt(took, 5.0);
	graph_destroy(g);
}

/* Each byte of text and rodata changed: whatever is accepted still keeps the rule. */
Test(program, no_changed_byte_makes_it_misbehave, .fini = finish)
{
	struct loadable_error error;
	size_t n_accepted = 0;
	struct graph *g;

	elf_builder_init_softmax(&b, 10);
	for (size_t i = 0; i < b.text.size + b.rodata.size; i++) {
		uint8_t *byte = i < b.text.size ? &b.text.data[i] : &b.rodata.data[i - b.text.size];

		*byte ^= 0x11;
		g = expect_accepted(&b);
		n_accepted += program_check(g, &error) == 0;
		graph_destroy(g);
		*byte ^= 0x11;
		for (size_t k = 0; k < b.n_notes; k++)
			bytes_finish(&b.note[k].content);
		b.n_notes = 0;
		b.is_encoded = false;
	}
	/* Address words are overwritten anyway; signs and zero points are free to some extent. */
	cr_assert_geq(n_accepted, 12);
	cr_assert_lt(n_accepted, 24);
}
