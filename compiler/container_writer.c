/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/container_writer.h"

#include "compiler/bytes.h"
#include "loadable/container.h"
#include "loadable/loadable_elf.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FILE_VERSION 0x01010000u /* 1.1 */
/* Clients' buffers may replace inputs and outputs: nothing else lies in their sections. */
#define RESERVE_INPUT_ALONE 1u
#define RESERVE_OUTPUT_ALONE 2u

/* The format wants these to be there; programs of the software NPU use neither. */
#define STACK_SIZE 64u
#define STACK_ALIGN 64u
#define PRIVATE_SIZE 64u

#define TEXT_ALIGN 64u
#define NOTE_ALIGN 4u
#define PATCH_MASK 0xffffffffu

enum { SECTION_NULL, SECTION_TEXT, SECTION_NOTE, SECTION_COMMENT, SECTION_NAMES, N_SECTIONS };

static const char names[] = "\0.text\0" CONTAINER_NOTE_SECTION "\0.comment\0.shstrtab";

/* Begin a note; returns where it starts, for end_note(). */
static size_t begin_note(struct bytes *out, const char *name)
{
	size_t start = out->size, length = strlen(name) + 1;

	bytes_u32(out, (uint32_t)length);
	bytes_u32(out, 0);
	bytes_u32(out, 0);
	bytes_append(out, name, length);
	bytes_align(out, start, NOTE_ALIGN);
	return start;
}

static void end_note(struct bytes *out, size_t start, const char *name)
{
	size_t header = 12 + ((strlen(name) + 1 + 3) & ~(size_t)3);

	bytes_set_u32(out, start + 4, (uint32_t)(out->size - start - header));
	bytes_align(out, start, NOTE_ALIGN);
}

static uint32_t build_version(void)
{
	unsigned int major = 0, minor = 0, number = 0;

	sscanf(ZHOUYI_VERSION, "%u.%u.%u", &major, &minor, &number);
	return (major & 0xff) | (minor & 0xff) << 8 | (number & 0xffff) << 16;
}

static void write_compilermsg(struct bytes *out, const struct container *c)
{
	size_t start = begin_note(out, CONTAINER_NOTE_COMPILERMSG);

	bytes_u32(out, FILE_VERSION);
	bytes_u32(out, build_version());
	bytes_u32(out, c->device);
	bytes_u32(out, 0);
	bytes_u32(out, RESERVE_INPUT_ALONE | RESERVE_OUTPUT_ALONE);
	bytes_zeros(out, 7 * 4);
	end_note(out, start, CONTAINER_NOTE_COMPILERMSG);
}

static void write_part(struct bytes *out, const struct container_part *part)
{
	uint32_t scale;

	memcpy(&scale, &part->scale, sizeof(scale));
	bytes_u32(out, part->offset);
	bytes_u32(out, part->size);
	bytes_u32(out, part->type);
	bytes_u32(out, part->id);
	bytes_u32(out, part->data_type);
	bytes_u32(out, scale);
	bytes_u32(out, (uint32_t)part->zero_point);
	bytes_zeros(out, 3 * 4);
	bytes_u32(out, PATCH_MASK);
	bytes_u32(out, part->position != CONTAINER_NO_POSITION);
	if (part->position != CONTAINER_NO_POSITION)
		bytes_u32(out, part->position);
}

/* @source: offset in the weight note for static sections. */
static void write_section(struct bytes *out, const struct container_section *section,
			  bool is_static, uint32_t source)
{
	if (is_static)
		bytes_u32(out, source);
	bytes_u32(out, section->size);
	bytes_u32(out, section->align);
	if (!is_static)
		bytes_u32(out, 0); /* type, reserved */
	bytes_u32(out, (uint32_t)section->n_parts);
	for (size_t i = 0; i < section->n_parts; i++)
		write_part(out, &section->parts[i]);
}

/* Where a section's data starts in the weight note when @cursor bytes are in front. */
static uint64_t place_weight(uint64_t cursor, const struct container_section *section)
{
	return (cursor + section->align - 1) & ~(uint64_t)(section->align - 1);
}

static void write_fmlist(struct bytes *out, const struct container *c)
{
	size_t start = begin_note(out, CONTAINER_NOTE_FMLIST);
	uint64_t cursor = 0;

	bytes_zeros(out, 2 * 4);
	bytes_u32(out, 1);
	bytes_u32(out, STACK_SIZE);
	bytes_u32(out, STACK_ALIGN);
	bytes_u32(out, (uint32_t)c->n_statics);
	bytes_u32(out, (uint32_t)c->n_reuses);
	for (size_t i = 0; i < c->n_statics; i++) {
		cursor = place_weight(cursor, &c->statics[i]);
		write_section(out, &c->statics[i], true, (uint32_t)cursor);
		cursor += c->statics[i].size;
	}
	for (size_t i = 0; i < c->n_reuses; i++)
		write_section(out, &c->reuses[i], false, 0);
	end_note(out, start, CONTAINER_NOTE_FMLIST);
}

static void write_subgraphs(struct bytes *out, const struct container *c)
{
	size_t start = begin_note(out, CONTAINER_NOTE_SUBGRAPHS);

	bytes_u32(out, 1);
	bytes_zeros(out, 5 * 4); /* id, type, text offset, BSS, rodata offset */
	bytes_u32(out, (uint32_t)c->rodata.size);
	bytes_zeros(out, 4 * 4); /* descriptor, printf, profiler */
	bytes_u32(out, PRIVATE_SIZE);
	bytes_zeros(out, 5 * 4); /* warm-up, reserved, no precursors, no private buffers */
	end_note(out, start, CONTAINER_NOTE_SUBGRAPHS);
}

static void write_rodata(struct bytes *out, const struct container *c)
{
	size_t start = begin_note(out, CONTAINER_NOTE_RODATA);

	bytes_append(out, c->rodata.data, c->rodata.size);
	end_note(out, start, CONTAINER_NOTE_RODATA);
}

static void write_weight(struct bytes *out, const struct container *c)
{
	uint64_t cursor = 0;
	size_t start;

	if (c->n_statics == 0)
		return;
	start = begin_note(out, CONTAINER_NOTE_WEIGHT);
	for (size_t i = 0; i < c->n_statics; i++) {
		uint64_t place = place_weight(cursor, &c->statics[i]);

		bytes_zeros(out, place - cursor);
		bytes_append(out, c->statics[i].data, c->statics[i].size);
		cursor = place + c->statics[i].size;
	}
	end_note(out, start, CONTAINER_NOTE_WEIGHT);
}

static void write_tensor(struct bytes *out, const struct container_tensor *tensor)
{
	size_t length = strlen(tensor->name), start;

	bytes_u32(out, tensor->kind);
	bytes_u32(out, tensor->id);
	bytes_u32(out, tensor->layout);
	bytes_u32(out, tensor->rank);
	for (uint32_t i = 0; i < tensor->rank; i++)
		bytes_u32(out, tensor->dims[i]);
	bytes_u32(out, (uint32_t)length);
	start = out->size;
	bytes_append(out, tensor->name, length);
	bytes_align(out, start, 4);
}

static void write_tensors(struct bytes *out, const struct container *c)
{
	size_t start = begin_note(out, CONTAINER_NOTE_TENSORS);

	bytes_u32(out, CONTAINER_TENSORS_VERSION);
	bytes_u32(out, (uint32_t)c->n_tensors);
	for (size_t i = 0; i < c->n_tensors; i++)
		write_tensor(out, &c->tensors[i]);
	end_note(out, start, CONTAINER_NOTE_TENSORS);
}

static void write_elf_header(struct bytes *out)
{
	static const uint8_t ident[EI_NIDENT] = {
		ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB, EV_CURRENT,
	};

	bytes_append(out, ident, sizeof(ident));
	bytes_u16(out, ET_EXEC);
	bytes_u16(out, CONTAINER_ELF_MACHINE);
	bytes_u32(out, EV_CURRENT);
	bytes_zeros(out, 4 * 4); /* entry, program and section headers, flags */
	bytes_u16(out, sizeof(Elf32_Ehdr));
	bytes_zeros(out, 2 * 2); /* program headers */
	bytes_u16(out, sizeof(Elf32_Shdr));
	bytes_u16(out, N_SECTIONS);
	bytes_u16(out, SECTION_NAMES);
}

struct extent {
	size_t offset, size;
};

static void write_section_header(struct bytes *out, const char *name, uint32_t type, uint32_t flags,
				 const struct extent *extent, uint32_t align)
{
	const char *known = memmem(names, sizeof(names), name, strlen(name) + 1);

	bytes_u32(out, (uint32_t)(known - names));
	bytes_u32(out, type);
	bytes_u32(out, flags);
	bytes_u32(out, 0); /* address */
	bytes_u32(out, (uint32_t)extent->offset);
	bytes_u32(out, (uint32_t)extent->size);
	bytes_zeros(out, 2 * 4); /* link, info */
	bytes_u32(out, align);
	bytes_u32(out, 0); /* entry size */
}

static void write_notes(struct bytes *out, const struct container *c)
{
	write_compilermsg(out, c);
	write_fmlist(out, c);
	write_subgraphs(out, c);
	write_rodata(out, c);
	write_weight(out, c);
	write_tensors(out, c);
}

static struct extent begin_section(struct bytes *out, size_t align)
{
	bytes_align(out, 0, align);
	return (struct extent){.offset = out->size};
}

static void write_file(struct bytes *out, const struct container *c)
{
	struct extent extents[N_SECTIONS] = {{0, 0}};
	size_t table;

	write_elf_header(out);
	extents[SECTION_TEXT] = begin_section(out, TEXT_ALIGN);
	bytes_append(out, c->text.data, c->text.size);
	extents[SECTION_TEXT].size = out->size - extents[SECTION_TEXT].offset;
	extents[SECTION_NOTE] = begin_section(out, NOTE_ALIGN);
	write_notes(out, c);
	extents[SECTION_NOTE].size = out->size - extents[SECTION_NOTE].offset;
	extents[SECTION_COMMENT] = begin_section(out, 1);
	bytes_append(out, c->comment, strlen(c->comment) + 1);
	extents[SECTION_COMMENT].size = out->size - extents[SECTION_COMMENT].offset;
	extents[SECTION_NAMES] = begin_section(out, 1);
	bytes_append(out, names, sizeof(names));
	extents[SECTION_NAMES].size = sizeof(names);

	bytes_align(out, 0, 4);
	table = out->size;
	bytes_set_u32(out, offsetof(Elf32_Ehdr, e_shoff), (uint32_t)table);
	write_section_header(out, "", SHT_NULL, 0, &extents[SECTION_NULL], 0);
	write_section_header(out, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR,
			     &extents[SECTION_TEXT], TEXT_ALIGN);
	write_section_header(out, CONTAINER_NOTE_SECTION, SHT_NOTE, 0, &extents[SECTION_NOTE],
			     NOTE_ALIGN);
	write_section_header(out, ".comment", SHT_PROGBITS, 0, &extents[SECTION_COMMENT], 1);
	write_section_header(out, ".shstrtab", SHT_STRTAB, 0, &extents[SECTION_NAMES], 1);
}

/* All payload fits, so that no 32-bit field overflows; the rest of the file is small change. */
static int check_size(const struct container *c)
{
	uint64_t size = (uint64_t)c->text.size + c->rodata.size;

	for (size_t i = 0; i < c->n_statics; i++)
		size = place_weight(size, &c->statics[i]) + c->statics[i].size;
	return size > LOADABLE_MAX_SIZE ? -EFBIG : 0;
}

int container_write(uint8_t **ret, size_t *ret_size, const struct container *container)
{
	struct bytes out = {0};

	if (check_size(container) < 0)
		return -EFBIG;
	write_file(&out, container);
	if (out.failed || out.size > LOADABLE_MAX_SIZE) {
		bool failed = out.failed;

		bytes_finish(&out);
		return failed ? -ENOMEM : -EFBIG;
	}
	*ret = out.data;
	*ret_size = out.size;
	return 0;
}
