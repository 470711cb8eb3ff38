/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds ELF loadables for tests: valid ones, and ones with any one thing broken.
 *
 * Three levels, from far to near. A test stays at the first that can say what it
 * wants to break:
 *
 *	struct elf_builder b;
 *
 *	elf_builder_init_copy(&b, 64);		// a valid software program
 *	b.bss[0].reuses[0].align = 12;		// 1. the description
 *	bytes_poke32(elf_builder_note(&b, "fmlist"), 8, 77);	// 2. an encoded note
 *	image = elf_builder_image(&b, &size);	// a copy of exactly @size bytes
 *	image[5] = 2;				// 3. the file
 *	elf_builder_finish(&b);			// frees the image too
 *
 * The description is encoded when the first note or the image is asked for;
 * changes to it after that have no effect. Out of memory, or out of the limits
 * below: abort().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loadable/container.h"
#include "npu/isa.h"

#define ELF_MAX_BSS 3
#define ELF_MAX_SECTIONS 6
#define ELF_MAX_SUBSECTIONS 3
#define ELF_MAX_POSITIONS 4
#define ELF_MAX_SUBGRAPHS 4
#define ELF_MAX_PRECURSORS 6
#define ELF_MAX_NOTES 24

/* Grows by itself; all zero is empty. */
struct bytes {
	uint8_t *data; /* owned */
	size_t size, room;
};

void bytes_add(struct bytes *b, const void *data, size_t n); /* @data NULL: zeros */
void bytes_add32(struct bytes *b, uint32_t value);
void bytes_poke32(struct bytes *b, size_t offset, uint32_t value);
uint32_t bytes_peek32(const struct bytes *b, size_t offset);
void bytes_resize(struct bytes *b, size_t size);
void bytes_finish(struct bytes *b);

struct elf_subsection {
	struct container_subsection desc; /* desc.n_positions are written */
	uint32_t position[ELF_MAX_POSITIONS];
};

struct elf_section {
	uint32_t src_offset; /* static sections */
	uint32_t size, align;
	uint32_t n_subsections;
	struct elf_subsection sub[ELF_MAX_SUBSECTIONS];
};

struct elf_bss {
	uint32_t stack_size, stack_align;
	uint32_t n_statics, n_reuses;
	struct elf_section statics[ELF_MAX_SECTIONS], reuses[ELF_MAX_SECTIONS];
};

struct elf_subgraph {
	struct container_subgraph desc; /* desc.dependency precursors are written */
	uint32_t precursor[ELF_MAX_PRECURSORS];
	uint32_t n_privates;
	struct elf_section privates[ELF_MAX_SECTIONS];
};

struct elf_note {
	char name[32];
	uint32_t namesz; /* 0: as long as the name */
	struct bytes content;
};

struct elf_builder {
	bool is_64;
	struct container_compilermsg compilermsg;
	struct bytes text, crodata, comment; /* sections; empty: not there */
	struct bytes rodata, desc, weight;   /* notes; empty: not there */
	uint32_t n_bss;
	struct elf_bss bss[ELF_MAX_BSS];
	uint32_t n_subgraphs;
	struct elf_subgraph subgraph[ELF_MAX_SUBGRAPHS];

	bool is_encoded;
	size_t n_notes;
	struct elf_note note[ELF_MAX_NOTES];
	uint8_t *image;	      /* owned */
	size_t section_table; /* offset of the section headers in the image */
};

/* Sections of the image, in the order of their headers. */
enum elf_section_index { ELF_NULL, ELF_TEXT, ELF_RODATA, ELF_COMMENT, ELF_NOTE, ELF_NAMES };

/* Fields of a section header. */
enum elf_field { ELF_SH_NAME, ELF_SH_TYPE, ELF_SH_OFFSET, ELF_SH_SIZE };

/* Nothing but a target and one BSS with a stack; not valid yet. */
void elf_builder_init(struct elf_builder *b, uint32_t device_word);
/*
 * soft_X2_1204: input 0 is copied to output 0, @n_bytes of uint8; sections of
 * their own, named "in" and "out" by the tensor note. Slots at rodata 0 and 8.
 */
void elf_builder_init_copy(struct elf_builder *b, uint32_t n_bytes);
/* The same with a softmax over @n_bytes channels, and so with a constant; its slot is at 16. */
void elf_builder_init_softmax(struct elf_builder *b, uint32_t n_bytes);
/* X2_1204, with a bit of everything: descriptor, constants, zero-copy constants, private
 * buffers, remap entries, two subgraphs, profiler buffer. */
void elf_builder_init_native(struct elf_builder *b);
void elf_builder_finish(struct elf_builder *b);

/* A reuse section of BSS 0 with one uint8 tensor in it. Returns its index. */
uint32_t elf_builder_add_tensor(struct elf_builder *b, uint32_t type, uint32_t id, uint32_t size);
/* A static section of BSS 0 with its own @size bytes at the end of `weight`; type 4 or 15. */
uint32_t elf_builder_add_constant(struct elf_builder *b, uint32_t type, const void *data,
				  uint32_t size);
/* A slot at the end of rodata for the whole of a section's first subsection. Returns its offset. */
uint32_t elf_builder_add_slot(struct elf_builder *b, struct elf_section *section);
/* An instruction with all fields 0 and no slots. */
struct npu_insn elf_insn(uint16_t opcode);
void elf_builder_add_insn(struct elf_builder *b, const struct npu_insn *insn);
/* In front of the program: delay, hang or fault. */
void elf_builder_prepend(struct elf_builder *b, uint16_t opcode, uint32_t extra);

/* The note of that name, made empty if there is none. */
struct bytes *elf_builder_note(struct elf_builder *b, const char *name);
void elf_builder_drop_note(struct elf_builder *b, const char *name);
/* Another note, even if there is one of that name. */
struct elf_note *elf_builder_add_note(struct elf_builder *b, const char *name);
/* A record of the tensor note; the caller wrote version and count. */
void elf_add_tensor_record(struct bytes *note, uint32_t kind, uint32_t id, uint32_t layout,
			   uint32_t rank, const uint32_t *dims, const char *name);

/* The builder's own, of exactly *@ret_size bytes; the caller may scribble on it. */
uint8_t *elf_builder_image(struct elf_builder *b, size_t *ret_size);
/* Change a section header of the image. */
void elf_builder_poke_section(struct elf_builder *b, enum elf_section_index section,
			      enum elf_field field, uint64_t value);
