/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BSS description, which both containers share: memory sections, the
 * pointer slots that refer to them, and the tensors inside.
 */
#include <errno.h>

#include "loadable/parse.h"

#define SECTION_SIZE 16u    /* descriptor */
#define SUBSECTION_SIZE 48u /* descriptor, without positions */

static bool read_subsection(struct reader *r, struct container_subsection *ret)
{
	const uint8_t *d = reader_take(r, SUBSECTION_SIZE);
	union {
		uint32_t bits;
		float value;
	} scale;

	if (!d)
		return false;
	scale.bits = load_le32(d + 0x14);
	*ret = (struct container_subsection){
		.offset = load_le32(d),
		.size = load_le32(d + 0x04),
		.type = load_le32(d + 0x08),
		.id = load_le32(d + 0x0c),
		.data_type = load_le32(d + 0x10),
		.scale = scale.value,
		.zero_point = (int32_t)load_le32(d + 0x18),
		.mask = load_le32(d + 0x28),
		.n_positions = load_le32(d + 0x2c),
	};
	return true;
}

/* Rodata and descriptor are one space for positions, but a slot lies in one of them. */
static int check_position(struct parse *p, uint32_t index, uint32_t position)
{
	uint64_t rodata = p->graph->rodata.size, desc = p->graph->desc.size;
	uint64_t end = (uint64_t)position + 4;

	if (end <= rodata || (position >= rodata && end <= rodata + desc))
		return 0;
	if (position < rodata && desc > 0)
		return parse_fail(p, -EBADMSG, "patch %u: position %#x straddles rodata and desc",
				  index, position);
	return parse_fail(p, -EBADMSG,
			  "patch %u: position %#x is outside rodata (%zu) and desc (%zu)", index,
			  position, p->graph->rodata.size, p->graph->desc.size);
}

static int read_patches(struct parse *p, struct reader *r, const struct parse_section *section,
			const struct container_subsection *sub)
{
	struct graph *g = p->graph;
	uint32_t position;
	int error;

	if (sub->n_positions > reader_left(r) / 4)
		return parse_fail(p, -EBADMSG, "%u patch positions, but only %zu bytes follow",
				  sub->n_positions, reader_left(r));
	if (sub->n_positions > PARSE_MAX_PATCHES - g->n_patches)
		return parse_fail(p, -EFBIG, "more than %u patch positions in all",
				  PARSE_MAX_PATCHES);
	if (sub->n_positions > 0 && section->size == 0)
		return parse_fail(p, -EBADMSG, "patched, but the section's size is 0");
	if (!PARSE_RESERVE(g->patches, &p->room.patches, g->n_patches + sub->n_positions))
		return -ENOMEM;

	for (uint32_t i = 0; i < sub->n_positions; i++) {
		if (!reader_u32(r, &position))
			return parse_fail(p, -EBADMSG, "patch %u is cut off", i);
		error = check_position(p, i, position);
		if (error)
			return error;
		g->patches[g->n_patches++] = (struct graph_patch){
			.area = section->area,
			.section = section->index,
			.subgraph = section->subgraph,
			.offset = sub->offset,
			.size = sub->size,
			.position = position,
			.mask = sub->mask,
		};
	}
	return 0;
}

/* A static section has one type: that of all its subsections. */
static int check_constant(struct parse *p, const struct container_subsection *sub,
			  struct parse_section *section, uint32_t index)
{
	if (sub->type != CONTAINER_SUBSECTION_CONSTANT &&
	    sub->type != CONTAINER_SUBSECTION_ZERO_COPY_CONSTANT)
		return parse_fail(p, -EBADMSG, "type %u is neither constant (4) nor zero-copy (15)",
				  sub->type);
	if (index > 0 && sub->type != section->type)
		return parse_fail(p, -EBADMSG, "type %u differs from the section's, %u", sub->type,
				  section->type);
	section->type = sub->type;
	return 0;
}

static int read_one(struct parse *p, struct reader *r, struct parse_section *section,
		    uint32_t index)
{
	struct container_subsection sub;
	int error = 0;

	if (!read_subsection(r, &sub))
		return parse_fail(p, -EBADMSG, "descriptor is cut off: %zu of %u bytes",
				  reader_left(r), SUBSECTION_SIZE);
	if ((uint64_t)sub.offset + sub.size > section->size)
		return parse_fail(p, -EBADMSG, "offset %#x + size %#x exceeds the section's %#x",
				  sub.offset, sub.size, section->size);
	if (section->area == GRAPH_AREA_STATIC)
		error = check_constant(p, &sub, section, index);
	else if (section->area == GRAPH_AREA_REUSE)
		error = parse_tensor(p, &sub, section->index);
	return error ? error : read_patches(p, r, section, &sub);
}

int parse_subsections(struct parse *p, struct reader *r, struct parse_section *section)
{
	int error = 0;

	if (section->n_subsections > reader_left(r) / SUBSECTION_SIZE)
		return parse_fail(p, -EBADMSG, "%u subsections, but only %zu bytes follow",
				  section->n_subsections, reader_left(r));
	for (uint32_t i = 0; i < section->n_subsections && !error; i++) {
		p->place.subsection = i;
		error = read_one(p, r, section, i);
	}
	if (!error)
		p->place.subsection = -1;
	return error;
}

/*
 * All BSSs take their constants from the one `weight` note, as the vendor's loader
 * does for files without extra weights; files with some never get here.
 */
static int read_static_descriptor(struct parse *p, struct reader *r, struct graph_static *ret,
				  uint32_t *ret_n_subsections)
{
	const uint8_t *d = reader_take(r, SECTION_SIZE);
	size_t weight = p->graph->weight.size;

	if (!d)
		return parse_fail(p, -EBADMSG, "descriptor is cut off: %zu of %u bytes",
				  reader_left(r), SECTION_SIZE);
	*ret = (struct graph_static){
		.src_offset = load_le32(d),
		.size = load_le32(d + 4),
		.align = load_le32(d + 8),
	};
	*ret_n_subsections = load_le32(d + 12);
	if (*ret_n_subsections == 0)
		return parse_fail(p, -EBADMSG, "no subsection, so it has no type");
	if (weight == 0)
		return parse_fail(p, -EBADMSG, "there is no note 'weight' to load it from");
	if ((uint64_t)ret->src_offset + ret->size > weight)
		return parse_fail(p, -EBADMSG, "source %#x + size %#x exceeds the weights' %#zx",
				  ret->src_offset, ret->size, weight);
	return parse_check_align(p, ret->align);
}

static int read_static(struct parse *p, struct reader *r, uint32_t bss)
{
	struct graph *g = p->graph;
	struct graph_static read = {0};
	struct parse_section section = {.area = GRAPH_AREA_STATIC, .index = (uint32_t)g->n_statics};
	int error;

	error = read_static_descriptor(p, r, &read, &section.n_subsections);
	if (error)
		return error;
	section.size = read.size;
	error = parse_subsections(p, r, &section);
	if (error)
		return error;

	if (!PARSE_RESERVE(g->statics, &p->room.statics, g->n_statics + 1))
		return -ENOMEM;
	read.bss = bss;
	read.type = section.type;
	g->statics[g->n_statics++] = read;
	return 0;
}

int parse_reuse(struct parse *p, struct reader *r, struct graph_reuse *ret,
		uint32_t *ret_n_subsections)
{
	const uint8_t *d = reader_take(r, SECTION_SIZE);

	if (!d)
		return parse_fail(p, -EBADMSG, "descriptor is cut off: %zu of %u bytes",
				  reader_left(r), SECTION_SIZE);
	ret->size = load_le32(d);
	ret->align = load_le32(d + 4);
	*ret_n_subsections = load_le32(d + 12);
	return parse_check_align(p, ret->align);
}

static int read_reuse(struct parse *p, struct reader *r, uint32_t bss)
{
	struct graph *g = p->graph;
	struct graph_reuse read = {.bss = bss};
	struct parse_section section = {.area = GRAPH_AREA_REUSE, .index = (uint32_t)g->n_reuses};
	int error;

	error = parse_reuse(p, r, &read, &section.n_subsections);
	if (error)
		return error;
	section.size = read.size;
	error = parse_subsections(p, r, &section);
	if (error)
		return error;

	if (!PARSE_RESERVE(g->reuses, &p->room.reuses, g->n_reuses + 1))
		return -ENOMEM;
	g->reuses[g->n_reuses++] = read;
	return 0;
}

static int read_sections(struct parse *p, struct reader *r, const char *kind, uint32_t n,
			 size_t n_before,
			 int (*read)(struct parse *p, struct reader *r, uint32_t bss))
{
	int error = 0;

	if (n > reader_left(r) / SECTION_SIZE)
		return parse_fail(p, -EBADMSG, "%u %ss, but only %zu bytes follow", n, kind,
				  reader_left(r));
	if (n > PARSE_MAX_SECTIONS - n_before)
		return parse_fail(p, -EFBIG, "more than %u %ss in all", PARSE_MAX_SECTIONS, kind);

	p->place.section_kind = kind;
	for (uint32_t i = 0; i < n && !error; i++) {
		p->place.section = (uint32_t)n_before + i;
		error = read(p, r, (uint32_t)p->graph->n_bss);
	}
	if (!error)
		p->place.section_kind = NULL;
	return error;
}

static int check_stack(struct parse *p, const struct graph_bss *bss)
{
	if (bss->stack_size == 0)
		return parse_fail(p, -EBADMSG, "stack size is 0");
	if (bss->stack_size > PARSE_MAX_STACK)
		return parse_fail(p, -EBADMSG, "stack size %u is above %u", bss->stack_size,
				  PARSE_MAX_STACK);
	if (bss->stack_align == 0 || (bss->stack_align & (bss->stack_align - 1)) != 0)
		return parse_fail(p, -EBADMSG, "stack alignment %u is not a power of two",
				  bss->stack_align);
	if (bss->stack_align > PARSE_MAX_STACK)
		return parse_fail(p, -EBADMSG, "stack alignment %u is above %u", bss->stack_align,
				  PARSE_MAX_STACK);
	return 0;
}

int parse_bss(struct parse *p, struct reader *r)
{
	struct graph *g = p->graph;
	const uint8_t *d;
	struct graph_bss bss;
	int error;

	p->place.bss = (int64_t)g->n_bss;
	d = reader_take(r, sizeof(struct container_bss));
	if (!d)
		return parse_fail(p, -EBADMSG, "header is cut off: %zu of %zu bytes",
				  reader_left(r), sizeof(struct container_bss));
	bss = (struct graph_bss){
		.stack_size = load_le32(d),
		.stack_align = load_le32(d + 4),
		.first_static = (uint32_t)g->n_statics,
		.n_statics = load_le32(d + 8),
		.first_reuse = (uint32_t)g->n_reuses,
		.n_reuses = load_le32(d + 12),
	};
	error = check_stack(p, &bss);
	if (error)
		return error;
	if (bss.n_reuses == 0)
		return parse_fail(p, -EBADMSG, "no reuse section");

	error = read_sections(p, r, "static section", bss.n_statics, g->n_statics, read_static);
	if (!error)
		error = read_sections(p, r, "reuse section", bss.n_reuses, g->n_reuses, read_reuse);
	if (error)
		return error;

	if (!PARSE_RESERVE(g->bss, &p->room.bss, g->n_bss + 1))
		return -ENOMEM;
	g->bss[g->n_bss++] = bss;
	p->place.bss = -1;
	return 0;
}
