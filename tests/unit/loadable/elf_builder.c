/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/loadable/elf_builder.h"

#include <stdlib.h>
#include <string.h>

#define SOFT_X2_1204 0x053504b4u
#define X2_1204 0x000504b4u
#define TYPE_UINT8 0x02u

static void check(bool ok)
{
	if (!ok)
		abort();
}

void bytes_resize(struct bytes *b, size_t size)
{
	if (size > b->room) {
		b->room = size * 2;
		b->data = realloc(b->data, b->room);
		check(b->data);
	}
	if (size > b->size)
		memset(b->data + b->size, 0, size - b->size);
	b->size = size;
}

void bytes_add(struct bytes *b, const void *data, size_t n)
{
	size_t at = b->size;

	bytes_resize(b, at + n);
	if (data && n)
		memcpy(b->data + at, data, n);
}

void bytes_add32(struct bytes *b, uint32_t value)
{
	bytes_add(b, NULL, 4);
	bytes_poke32(b, b->size - 4, value);
}

void bytes_poke32(struct bytes *b, size_t offset, uint32_t value)
{
	check(b->size >= 4 && offset <= b->size - 4);
	for (size_t i = 0; i < 4; i++)
		b->data[offset + i] = (uint8_t)(value >> 8 * i);
}

uint32_t bytes_peek32(const struct bytes *b, size_t offset)
{
	uint32_t value = 0;

	check(b->size >= 4 && offset <= b->size - 4);
	for (size_t i = 0; i < 4; i++)
		value |= (uint32_t)b->data[offset + i] << 8 * i;
	return value;
}

void bytes_finish(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){0};
}

static void pad(struct bytes *b)
{
	bytes_resize(b, (b->size + 3) & ~(size_t)3);
}

void elf_builder_init(struct elf_builder *b, uint32_t device_word)
{
	*b = (struct elf_builder){
		.compilermsg = {.file_version = 0x01010000,
				.build_version = 0x00010205,
				.device = device_word},
		.n_bss = 1,
	};
	for (size_t i = 0; i < ELF_MAX_BSS; i++) {
		b->bss[i].stack_size = 4096;
		b->bss[i].stack_align = 4096;
	}
}

void elf_builder_finish(struct elf_builder *b)
{
	struct bytes *all[] = {&b->text,   &b->crodata, &b->comment,
			       &b->rodata, &b->desc,	&b->weight};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		bytes_finish(all[i]);
	for (size_t i = 0; i < b->n_notes; i++)
		bytes_finish(&b->note[i].content);
	free(b->image);
	*b = (struct elf_builder){0};
}

uint32_t elf_builder_add_tensor(struct elf_builder *b, uint32_t type, uint32_t id, uint32_t size)
{
	uint32_t index = b->bss[0].n_reuses++;
	struct elf_section *section;

	check(index < ELF_MAX_SECTIONS);
	section = &b->bss[0].reuses[index];
	section->size = size;
	section->align = 4096;
	section->n_subsections = 1;
	section->sub[0].desc = (struct container_subsection){
		.size = size,
		.type = type,
		.id = id,
		.data_type = TYPE_UINT8,
		.scale = 0.5f,
		.zero_point = 128,
		.mask = 0xffffffff,
	};
	return index;
}

uint32_t elf_builder_add_constant(struct elf_builder *b, uint32_t type, const void *data,
				  uint32_t size)
{
	uint32_t index = b->bss[0].n_statics++;
	struct elf_section *section;

	check(index < ELF_MAX_SECTIONS);
	section = &b->bss[0].statics[index];
	section->src_offset = (uint32_t)b->weight.size;
	section->size = size;
	section->align = 16;
	section->n_subsections = 1;
	section->sub[0].desc = (struct container_subsection){
		.size = size,
		.type = type,
		.mask = 0xffffffff,
	};
	bytes_add(&b->weight, data, size);
	return index;
}

uint32_t elf_builder_add_slot(struct elf_builder *b, struct elf_section *section)
{
	struct elf_subsection *sub = &section->sub[0];
	uint32_t offset = (uint32_t)b->rodata.size;

	check(sub->desc.n_positions < ELF_MAX_POSITIONS);
	sub->position[sub->desc.n_positions++] = offset;
	bytes_add32(&b->rodata, 0);
	bytes_add32(&b->rodata, sub->desc.size);
	return offset;
}

struct npu_insn elf_insn(uint16_t opcode)
{
	struct npu_insn insn = {.opcode = opcode, .version = NPU_ISA_VERSION};

	for (size_t i = 0; i < NPU_MAX_OPERANDS; i++)
		insn.slot[i] = NPU_NO_SLOT;
	return insn;
}

void elf_builder_add_insn(struct elf_builder *b, const struct npu_insn *insn)
{
	bytes_add(&b->text, insn, sizeof(*insn));
}

void elf_builder_prepend(struct elf_builder *b, uint16_t opcode, uint32_t extra)
{
	struct npu_insn insn = elf_insn(opcode);
	size_t size = b->text.size;

	insn.extra[0] = extra;
	bytes_add(&b->text, NULL, sizeof(insn));
	memmove(b->text.data + sizeof(insn), b->text.data, size);
	memcpy(b->text.data, &insn, sizeof(insn));
}

void elf_add_tensor_record(struct bytes *note, uint32_t kind, uint32_t id, uint32_t layout,
			   uint32_t rank, const uint32_t *dims, const char *name)
{
	bytes_add32(note, kind);
	bytes_add32(note, id);
	bytes_add32(note, layout);
	bytes_add32(note, rank);
	for (uint32_t i = 0; i < rank; i++)
		bytes_add32(note, dims[i]);
	bytes_add32(note, (uint32_t)strlen(name));
	bytes_add(note, name, strlen(name));
	pad(note);
}

static void add_copy_names(struct elf_builder *b, uint32_t n_bytes)
{
	struct bytes *note = &elf_builder_add_note(b, CONTAINER_NOTE_TENSORS)->content;

	bytes_add32(note, CONTAINER_TENSORS_VERSION);
	bytes_add32(note, 2);
	elf_add_tensor_record(note, 0, 0, 0, 1, &n_bytes, "in");
	elf_add_tensor_record(note, 1, 0, 0, 1, &n_bytes, "out");
}

void elf_builder_init_copy(struct elf_builder *b, uint32_t n_bytes)
{
	struct npu_insn copy = elf_insn(NPU_OP_COPY), end = elf_insn(NPU_OP_END);
	uint32_t in, out;

	elf_builder_init(b, SOFT_X2_1204);
	in = elf_builder_add_tensor(b, CONTAINER_SUBSECTION_INPUT, 0, n_bytes);
	out = elf_builder_add_tensor(b, CONTAINER_SUBSECTION_OUTPUT, 0, n_bytes);
	copy.slot[0] = elf_builder_add_slot(b, &b->bss[0].reuses[in]);
	copy.slot[1] = elf_builder_add_slot(b, &b->bss[0].reuses[out]);
	copy.extra[0] = n_bytes;
	elf_builder_add_insn(b, &copy);
	elf_builder_add_insn(b, &end);
	b->n_subgraphs = 1;
	b->subgraph[0].desc.private_size = 64;
	add_copy_names(b, n_bytes);
}

void elf_builder_init_softmax(struct elf_builder *b, uint32_t n_bytes)
{
	struct npu_insn softmax = elf_insn(NPU_OP_SOFTMAX);
	uint32_t table;

	elf_builder_init_copy(b, n_bytes);
	table = elf_builder_add_constant(b, CONTAINER_SUBSECTION_CONSTANT, NULL, 1024);
	softmax.slot[0] = 0;
	softmax.slot[1] = elf_builder_add_slot(b, &b->bss[0].statics[table]);
	softmax.slot[2] = 8;
	for (size_t i = 0; i < 4; i++)
		softmax.in[i] = softmax.out[i] = i < 3 ? 1 : n_bytes;
	memcpy(b->text.data, &softmax, sizeof(softmax));
}

static void add_native_subgraphs(struct elf_builder *b)
{
	struct elf_section *workspace = &b->subgraph[1].privates[0];

	b->n_subgraphs = 2;
	b->subgraph[0].desc.private_size = 256;
	b->subgraph[1].desc.text_offset = 64;
	b->subgraph[1].desc.rodata_offset = 32;
	b->subgraph[1].desc.private_size = 512;
	b->subgraph[1].desc.profiler_offset = 16;
	b->subgraph[1].desc.dependency = 1;
	b->subgraph[1].n_privates = 1;
	workspace->size = 8192;
	workspace->align = 4096;
	workspace->n_subsections = 1;
	workspace->sub[0].desc =
		(struct container_subsection){.size = 4096, .mask = 0xffffffff, .n_positions = 1};
	workspace->sub[0].position[0] = 48;
}

static void add_native_remap(struct elf_builder *b)
{
	static const uint32_t entries[] = {1, 4, 0, 32, 0, 60, 2, 16};
	struct bytes *note = &elf_builder_add_note(b, CONTAINER_NOTE_REMAP)->content;

	bytes_add32(note, 2);
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		bytes_add32(note, entries[i]);
}

void elf_builder_init_native(struct elf_builder *b)
{
	static const char comment[] = "compiler\0target:X2_1204MP3;";
	struct elf_bss *bss = &b->bss[0];

	elf_builder_init(b, X2_1204);
	bytes_add(&b->text, NULL, 128);
	bytes_add(&b->crodata, NULL, 24);
	bytes_add(&b->comment, comment, sizeof(comment));
	bytes_add(&b->desc, NULL, 32);

	elf_builder_add_tensor(b, CONTAINER_SUBSECTION_OUTPUT, 0, 100);
	elf_builder_add_tensor(b, CONTAINER_SUBSECTION_INPUT, 1, 40);
	elf_builder_add_tensor(b, CONTAINER_SUBSECTION_INPUT, 0, 30);
	elf_builder_add_tensor(b, CONTAINER_SUBSECTION_PROFILER, 0, 64);
	elf_builder_add_constant(b, CONTAINER_SUBSECTION_CONSTANT, NULL, 48);
	elf_builder_add_constant(b, CONTAINER_SUBSECTION_ZERO_COPY_CONSTANT, NULL, 20);
	for (uint32_t i = 0; i < 3; i++)
		elf_builder_add_slot(b, &bss->reuses[i]);
	for (uint32_t i = 0; i < 2; i++)
		elf_builder_add_slot(b, &bss->statics[i]);
	bytes_resize(&b->rodata, 64);
	/* The second pointer to the output is in the descriptor. */
	bss->reuses[0].sub[0].desc.n_positions = 2;
	bss->reuses[0].sub[0].position[1] = 64 + 8;
	add_native_subgraphs(b);
	add_native_remap(b);
}

static void encode_subsection(struct bytes *out, const struct elf_subsection *sub)
{
	bytes_add(out, &sub->desc, sizeof(sub->desc));
	check(sub->desc.n_positions <= ELF_MAX_POSITIONS);
	for (uint32_t i = 0; i < sub->desc.n_positions; i++)
		bytes_add32(out, sub->position[i]);
}

static void encode_section(struct bytes *out, const struct elf_section *section, bool is_static)
{
	if (is_static)
		bytes_add32(out, section->src_offset);
	bytes_add32(out, section->size);
	bytes_add32(out, section->align);
	if (!is_static)
		bytes_add32(out, 0);
	bytes_add32(out, section->n_subsections);
	check(section->n_subsections <= ELF_MAX_SUBSECTIONS);
	for (uint32_t i = 0; i < section->n_subsections; i++)
		encode_subsection(out, &section->sub[i]);
}

static void encode_fmlist(struct elf_builder *b)
{
	struct bytes *out = &elf_builder_add_note(b, CONTAINER_NOTE_FMLIST)->content;

	bytes_add(out, NULL, 8);
	bytes_add32(out, b->n_bss);
	for (uint32_t i = 0; i < b->n_bss; i++) {
		const struct elf_bss *bss = &b->bss[i];

		bytes_add32(out, bss->stack_size);
		bytes_add32(out, bss->stack_align);
		bytes_add32(out, bss->n_statics);
		bytes_add32(out, bss->n_reuses);
		for (uint32_t k = 0; k < bss->n_statics; k++)
			encode_section(out, &bss->statics[k], true);
		for (uint32_t k = 0; k < bss->n_reuses; k++)
			encode_section(out, &bss->reuses[k], false);
	}
}

static void encode_subgraphs(struct elf_builder *b)
{
	struct bytes *out = &elf_builder_add_note(b, CONTAINER_NOTE_SUBGRAPHS)->content;

	bytes_add32(out, b->n_subgraphs);
	for (uint32_t i = 0; i < b->n_subgraphs; i++) {
		const struct elf_subgraph *sub = &b->subgraph[i];

		bytes_add(out, &sub->desc, sizeof(sub->desc));
		check(sub->desc.dependency <= ELF_MAX_PRECURSORS);
		for (int32_t k = 0; k < sub->desc.dependency; k++)
			bytes_add32(out, sub->precursor[k]);
		bytes_add32(out, sub->n_privates);
		for (uint32_t k = 0; k < sub->n_privates; k++)
			encode_section(out, &sub->privates[k], false);
	}
}

static void encode_blob(struct elf_builder *b, const char *name, const struct bytes *blob)
{
	if (blob->size > 0)
		bytes_add(&elf_builder_add_note(b, name)->content, blob->data, blob->size);
}

static void encode(struct elf_builder *b)
{
	if (b->is_encoded)
		return;
	b->is_encoded = true;
	bytes_add(&elf_builder_add_note(b, CONTAINER_NOTE_COMPILERMSG)->content, &b->compilermsg,
		  sizeof(b->compilermsg));
	encode_blob(b, CONTAINER_NOTE_RODATA, &b->rodata);
	encode_blob(b, CONTAINER_NOTE_DESC, &b->desc);
	encode_blob(b, CONTAINER_NOTE_WEIGHT, &b->weight);
	encode_fmlist(b);
	encode_subgraphs(b);
}

static struct elf_note *find_note(struct elf_builder *b, const char *name)
{
	for (size_t i = 0; i < b->n_notes; i++) {
		if (strcmp(b->note[i].name, name) == 0)
			return &b->note[i];
	}
	return NULL;
}

struct elf_note *elf_builder_add_note(struct elf_builder *b, const char *name)
{
	struct elf_note *note = &b->note[b->n_notes];

	check(b->n_notes < ELF_MAX_NOTES && strlen(name) < sizeof(note->name));
	b->n_notes++;
	strcpy(note->name, name);
	return note;
}

struct bytes *elf_builder_note(struct elf_builder *b, const char *name)
{
	struct elf_note *note;

	encode(b);
	note = find_note(b, name);
	return note ? &note->content : &elf_builder_add_note(b, name)->content;
}

void elf_builder_drop_note(struct elf_builder *b, const char *name)
{
	struct elf_note *note;

	encode(b);
	note = find_note(b, name);
	check(note);
	bytes_finish(&note->content);
	*note = b->note[--b->n_notes];
	b->note[b->n_notes] = (struct elf_note){0};
}

static void encode_notes(const struct elf_builder *b, struct bytes *out)
{
	for (size_t i = 0; i < b->n_notes; i++) {
		const struct elf_note *note = &b->note[i];
		uint32_t namesz = (uint32_t)strlen(note->name) + 1;

		bytes_add32(out, note->namesz ? note->namesz : namesz);
		bytes_add32(out, (uint32_t)note->content.size);
		bytes_add32(out, 0);
		bytes_add(out, note->name, namesz);
		pad(out);
		bytes_add(out, note->content.data, note->content.size);
		pad(out);
	}
}

static void add16(struct bytes *b, uint16_t value)
{
	bytes_add32(b, value);
	b->size -= 2;
}

/* 32 or 64 bits, as the class says. */
static void add_word(struct bytes *b, bool is_64, uint64_t value)
{
	bytes_add32(b, (uint32_t)value);
	if (is_64)
		bytes_add32(b, (uint32_t)(value >> 32));
}

static void add_header(struct elf_builder *b, struct bytes *out)
{
	static const uint8_t magic[4] = {0x7f, 'E', 'L', 'F'};
	uint8_t ident[16] = {[4] = b->is_64 ? 2 : 1, [5] = 1, [6] = 1};

	memcpy(ident, magic, sizeof(magic));
	bytes_add(out, ident, sizeof(ident));
	add16(out, 2);
	add16(out, CONTAINER_ELF_MACHINE);
	bytes_add32(out, 1);
	add_word(out, b->is_64, 0); /* entry */
	add_word(out, b->is_64, 0); /* segments */
	add_word(out, b->is_64, 0); /* section headers, known later */
	bytes_add32(out, 0);	    /* flags */
	add16(out, b->is_64 ? 64 : 52);
	add16(out, 0);
	add16(out, 0);
	add16(out, b->is_64 ? 64 : 40);
	add16(out, ELF_NAMES + 1);
	add16(out, ELF_NAMES);
}

static void add_section_header(struct bytes *out, bool is_64, uint32_t name, uint32_t type,
			       uint64_t offset, uint64_t size)
{
	bytes_add32(out, name);
	bytes_add32(out, type);
	add_word(out, is_64, 0); /* flags */
	add_word(out, is_64, 0); /* address */
	add_word(out, is_64, offset);
	add_word(out, is_64, size);
	bytes_add(out, NULL, 8); /* link, info */
	add_word(out, is_64, 4); /* alignment */
	add_word(out, is_64, 0);
}

static const struct {
	const char *name;
	uint32_t name_offset, type;
} sections[] = {
	[ELF_NULL] = {"", 0, 0},
	[ELF_TEXT] = {".text", 1, 1},
	[ELF_RODATA] = {".rodata", 7, 1},
	[ELF_COMMENT] = {".comment", 15, 1},
	[ELF_NOTE] = {".note.aipu", 24, 7},
	[ELF_NAMES] = {".shstrtab", 35, 3},
};
#define SECTION_NAMES "\0.text\0.rodata\0.comment\0.note.aipu\0.shstrtab"

static void add_sections(struct elf_builder *b, struct bytes *out)
{
	struct bytes notes = {0}, names = {0};
	const struct bytes *content[] = {
		[ELF_TEXT] = &b->text, [ELF_RODATA] = &b->crodata, [ELF_COMMENT] = &b->comment,
		[ELF_NOTE] = &notes,   [ELF_NAMES] = &names,
	};
	uint64_t offset[ELF_NAMES + 1] = {0};

	encode_notes(b, &notes);
	bytes_add(&names, SECTION_NAMES, sizeof(SECTION_NAMES));
	for (size_t i = ELF_TEXT; i <= ELF_NAMES; i++) {
		pad(out);
		offset[i] = out->size;
		bytes_add(out, content[i]->data, content[i]->size);
	}
	pad(out);
	b->section_table = out->size;
	bytes_poke32(out, b->is_64 ? 40 : 32, (uint32_t)out->size);
	for (size_t i = ELF_NULL; i <= ELF_NAMES; i++)
		add_section_header(out, b->is_64, sections[i].name_offset, sections[i].type,
				   offset[i], i == ELF_NULL ? 0 : content[i]->size);
	bytes_finish(&notes);
	bytes_finish(&names);
}

uint8_t *elf_builder_image(struct elf_builder *b, size_t *ret_size)
{
	struct bytes out = {0};

	encode(b);
	add_header(b, &out);
	add_sections(b, &out);
	/* Exactly as long as it says, so that a read behind the end is seen. */
	free(b->image);
	b->image = malloc(out.size);
	check(b->image);
	memcpy(b->image, out.data, out.size);
	*ret_size = out.size;
	bytes_finish(&out);
	return b->image;
}

void elf_builder_poke_section(struct elf_builder *b, enum elf_section_index section,
			      enum elf_field field, uint64_t value)
{
	static const uint8_t field32[] = {0, 4, 16, 20}, field64[] = {0, 4, 24, 32};
	uint8_t *at = b->image + b->section_table + (size_t)section * (b->is_64 ? 64 : 40);
	size_t n = b->is_64 && field >= ELF_SH_OFFSET ? 8 : 4;

	at += b->is_64 ? field64[field] : field32[field];
	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}
