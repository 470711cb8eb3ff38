/* SPDX-License-Identifier: Apache-2.0 */
#include "loadable/loadable_elf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loadable/graph_memory.h"
#include "loadable/parse.h"
#include "proto/scope.h"

#define ELF_CLASS_32 1
#define ELF_CLASS_64 2
#define ELF_DATA_LSB 1
#define ELF_TYPE_EXEC 2
#define ELF_VERSION 1
#define ELF_SECTION_NULL 0
#define ELF_SECTION_NOBITS 8

#define HEADER32_SIZE 52u
#define HEADER64_SIZE 64u
#define SECTION32_SIZE 40u
#define SECTION64_SIZE 64u

/* The part of the file header that matters, and what follows from it. */
struct elf {
	struct blob image;
	bool is_64;
	uint64_t table; /* section headers */
	uint16_t entry_size;
	uint16_t n_sections;
	struct blob names; /* string table */
};

struct elf_section {
	uint32_t name, type;
	uint64_t offset, size;
};

/* For graph_destroy() on the way out of loadable_elf_parse(). */
ZY_DEFINE_AUTO(struct graph, graph_destroy)

static int check_magic(struct parse *p, struct blob image)
{
	if (image.size >= 8 && memcmp(image.data, "AIPU BIN", 8) == 0)
		return parse_fail(
			p, -ENOEXEC,
			"a container of generation v1/v2 (AIPU BIN), not an ELF loadable");
	if (image.size < 16 || memcmp(image.data, "\177ELF", 4) != 0)
		return parse_fail(p, -ENOEXEC, "not an ELF file");
	if (image.data[4] != ELF_CLASS_32 && image.data[4] != ELF_CLASS_64)
		return parse_fail(p, -ENOEXEC, "ELF class %u is neither 32 nor 64 bit",
				  image.data[4]);
	if (image.data[5] != ELF_DATA_LSB)
		return parse_fail(p, -ENOEXEC, "ELF data encoding %u is not little endian",
				  image.data[5]);
	return 0;
}

static int check_kind(struct parse *p, const uint8_t *header)
{
	if (load_le16(header + 18) != CONTAINER_ELF_MACHINE)
		return parse_fail(p, -ENOEXEC, "ELF machine %#x is not a Zhouyi NPU (%#x)",
				  load_le16(header + 18), CONTAINER_ELF_MACHINE);
	if (load_le16(header + 16) != ELF_TYPE_EXEC)
		return parse_fail(p, -ENOEXEC, "ELF type %u is not an executable (%u)",
				  load_le16(header + 16), ELF_TYPE_EXEC);
	if (load_le32(header + 20) != ELF_VERSION)
		return parse_fail(p, -ENOEXEC, "ELF version %u is not %u", load_le32(header + 20),
				  ELF_VERSION);
	return 0;
}

static int check_table(struct parse *p, const struct elf *elf)
{
	uint16_t smallest = elf->is_64 ? SECTION64_SIZE : SECTION32_SIZE;
	uint64_t size = (uint64_t)elf->entry_size * elf->n_sections;

	if (elf->n_sections == 0)
		return parse_fail(p, -EBADMSG, "ELF header: no section headers");
	if (elf->entry_size < smallest)
		return parse_fail(p, -EBADMSG,
				  "ELF header: section headers of %u bytes, at least %u",
				  elf->entry_size, smallest);
	if (elf->table > elf->image.size || size > elf->image.size - elf->table)
		return parse_fail(p, -EBADMSG,
				  "ELF header: %u section headers at offset %#llx exceed the file",
				  elf->n_sections, (unsigned long long)elf->table);
	return 0;
}

static int read_header(struct parse *p, struct elf *elf, uint16_t *ret_names)
{
	const uint8_t *d = elf->image.data;
	const uint8_t *tail; /* e_shentsize, e_shnum, e_shstrndx */
	int error;

	error = check_magic(p, elf->image);
	if (error)
		return error;
	elf->is_64 = d[4] == ELF_CLASS_64;
	if (elf->image.size < (elf->is_64 ? HEADER64_SIZE : HEADER32_SIZE))
		return parse_fail(p, -EBADMSG, "file ends inside the ELF header (%zu bytes)",
				  elf->image.size);
	error = check_kind(p, d);
	if (error)
		return error;

	elf->table = elf->is_64 ? load_le64(d + 40) : load_le32(d + 32);
	tail = d + (elf->is_64 ? 58 : 46);
	elf->entry_size = load_le16(tail);
	elf->n_sections = load_le16(tail + 2);
	*ret_names = load_le16(tail + 4);
	return check_table(p, elf);
}

static struct elf_section read_section(const struct elf *elf, uint16_t index)
{
	const uint8_t *d = elf->image.data + elf->table + (size_t)index * elf->entry_size;

	return (struct elf_section){
		.name = load_le32(d),
		.type = load_le32(d + 4),
		.offset = elf->is_64 ? load_le64(d + 24) : load_le32(d + 16),
		.size = elf->is_64 ? load_le64(d + 32) : load_le32(d + 20),
	};
}

static struct blob section_data(const struct elf *elf, const struct elf_section *section)
{
	if (section->type == ELF_SECTION_NULL || section->type == ELF_SECTION_NOBITS ||
	    section->size == 0)
		return (struct blob){0};
	return (struct blob){.data = elf->image.data + section->offset,
			     .size = (size_t)section->size};
}

static int check_section(struct parse *p, const struct elf *elf, uint16_t index)
{
	struct elf_section section = read_section(elf, index);

	if (section.type == ELF_SECTION_NULL || section.type == ELF_SECTION_NOBITS)
		return 0;
	if (section.offset > elf->image.size || section.size > elf->image.size - section.offset)
		return parse_fail(p, -EBADMSG,
				  "section %u: offset %#llx + size %#llx exceeds the file (%#zx)",
				  index, (unsigned long long)section.offset,
				  (unsigned long long)section.size, elf->image.size);
	return 0;
}

/* Only the last byte matters: with it 0, every name inside the table ends there too. */
static int read_names(struct parse *p, struct elf *elf, uint16_t index)
{
	struct elf_section section;

	if (index >= elf->n_sections)
		return parse_fail(p, -EBADMSG, "ELF header: names in section %u, but there are %u",
				  index, elf->n_sections);
	section = read_section(elf, index);
	elf->names = section_data(elf, &section);
	if (elf->names.size == 0 || elf->names.data[elf->names.size - 1] != '\0')
		return parse_fail(p, -EBADMSG, "section %u: names are missing or not terminated",
				  index);
	for (uint16_t i = 0; i < elf->n_sections; i++) {
		if (read_section(elf, i).name >= elf->names.size)
			return parse_fail(p, -EBADMSG,
					  "section %u: name at %#x is outside the names", i,
					  read_section(elf, i).name);
	}
	return 0;
}

/* The first of that name wins, as in the vendor's loader. */
static struct blob find_section(const struct elf *elf, const char *name)
{
	for (uint16_t i = 0; i < elf->n_sections; i++) {
		struct elf_section section = read_section(elf, i);

		if (strcmp((const char *)elf->names.data + section.name, name) == 0)
			return section_data(elf, &section);
	}
	return (struct blob){0};
}

static int open_elf(struct parse *p, struct elf *elf)
{
	uint16_t names = 0;
	int error;

	error = read_header(p, elf, &names);
	for (uint16_t i = 0; !error && i < elf->n_sections; i++)
		error = check_section(p, elf, i);
	return error ? error : read_names(p, elf, names);
}

static bool is_printable(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] < 0x20 || text[i] > 0x7e || text[i] == '"' || text[i] == '\\')
			return false;
	}
	return true;
}

/* "target:X2_1204MP3;" in .comment says more than the device word, if it agrees with it. */
static void read_detailed_target(struct graph *g, struct blob comment)
{
	static const char key[] = "target:";
	const char *start, *end;
	size_t n, left;

	start = comment.size ? memmem(comment.data, comment.size, key, strlen(key)) : NULL;
	if (!start)
		return;
	start += strlen(key);
	left = comment.size - (size_t)((const uint8_t *)start - comment.data);
	end = memchr(start, ';', left);
	n = end ? (size_t)(end - start) : 0;
	if (n == 0 || n >= sizeof(g->detailed_target) || !is_printable(start, n) ||
	    !memmem(start, n, g->target.name, strlen(g->target.name)))
		return;
	memcpy(g->detailed_target, start, n);
}

static int check_memory(struct parse *p)
{
	struct graph_memory memory;

	graph_measure(p->graph, &memory);
	if (memory.total > PARSE_MAX_WINDOW)
		return parse_fail(p, -EFBIG,
				  "a job needs %llu bytes of device memory, it can address %llu",
				  (unsigned long long)memory.total, PARSE_MAX_WINDOW);
	return 0;
}

static int read_graph(struct parse *p, const struct elf *elf)
{
	struct graph *g = p->graph;
	struct blob notes = find_section(elf, CONTAINER_NOTE_SECTION);
	int error;

	g->text = find_section(elf, ".text");
	g->crodata = find_section(elf, ".rodata");
	if (g->text.size == 0)
		return parse_fail(p, -EBADMSG, "section .text is missing or empty");
	if (notes.size == 0)
		return parse_fail(p, -EBADMSG, "section %s is missing or empty",
				  CONTAINER_NOTE_SECTION);

	error = parse_notes(p, notes);
	if (error)
		return error;
	read_detailed_target(g, find_section(elf, ".comment"));
	parse_trim(p);
	return check_memory(p);
}

int loadable_elf_parse(struct graph **ret, const uint8_t *image, size_t size,
		       struct loadable_error *ret_error)
{
	struct elf elf = {.image = {.data = image, .size = size}};
	zy_auto(graph_destroy) struct graph *graph = NULL;
	struct parse p = {.error = ret_error, .place = PARSE_NOWHERE};
	int error;

	ret_error->text[0] = '\0';
	if (size > LOADABLE_MAX_SIZE)
		return parse_fail(&p, -EFBIG, "%zu bytes, at most %zu are possible", size,
				  LOADABLE_MAX_SIZE);
	p.graph = graph = calloc(1, sizeof(*graph));
	if (!graph)
		return -ENOMEM;
	graph->gm_section = -1;

	error = open_elf(&p, &elf);
	if (!error)
		error = read_graph(&p, &elf);
	if (error == -ENOMEM)
		parse_fail(&p, error, "out of memory");
	if (error)
		return error;
	*ret = zy_take(graph);
	return 0;
}
