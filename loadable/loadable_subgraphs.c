/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `subgraphs` note: what runs, in which order, and its workspaces.
 */
#include <errno.h>
#include <stdlib.h>

#include "loadable/parse.h"

#define PRECURSORS_MAX (sizeof(((struct graph_subgraph *)0)->precursor) / sizeof(uint32_t))
#define RECORD_MIN (sizeof(struct container_subgraph) + 4) /* and the count of private buffers */
#define VERSION_V3 5

static int read_precursors(struct parse *p, struct reader *r, struct graph_subgraph *sub)
{
	bool is_v3 = p->graph->target.version == VERSION_V3;

	if (sub->dependency < GRAPH_DEPENDS_ON_ALL || sub->dependency > (int32_t)PRECURSORS_MAX)
		return parse_fail(p, -EBADMSG, "dependency code %d", sub->dependency);
	if (is_v3 && sub->dependency > 1)
		return parse_fail(p, -EBADMSG, "%d precursors; generation v3 allows 1",
				  sub->dependency);
	for (int32_t i = 0; i < sub->dependency; i++) {
		if (!reader_u32(r, &sub->precursor[i]))
			return parse_fail(p, -EBADMSG, "precursor %d is cut off", i);
		if (sub->precursor[i] >= (uint64_t)p->place.subgraph)
			return parse_fail(p, -EBADMSG,
					  "precursor %d is subgraph %u, not an earlier one", i,
					  sub->precursor[i]);
	}
	return 0;
}

static int read_private(struct parse *p, struct reader *r, struct graph_subgraph *sub)
{
	struct graph_reuse read = {.bss = sub->bss};
	struct parse_section section = {
		.area = GRAPH_AREA_PRIVATE,
		.index = (uint32_t)sub->n_privates,
		.subgraph = (uint32_t)p->place.subgraph,
	};
	int error;

	p->place.section = section.index;
	error = parse_reuse(p, r, &read, &section.n_subsections);
	if (error)
		return error;
	section.size = read.size;
	error = parse_subsections(p, r, &section);
	if (!error)
		sub->privates[sub->n_privates++] = read;
	return error;
}

static int read_privates(struct parse *p, struct reader *r, struct graph_subgraph *sub)
{
	uint32_t count;
	int error = 0;

	if (!reader_u32(r, &count))
		return parse_fail(p, -EBADMSG, "count of private buffers is cut off");
	if (count > reader_left(r) / sizeof(struct container_reuse))
		return parse_fail(p, -EBADMSG, "%d private buffers, but only %zu bytes follow",
				  (int32_t)count, reader_left(r));
	if (count > PARSE_MAX_SECTIONS - p->n_privates)
		return parse_fail(p, -EFBIG, "more than %u private buffers in all",
				  PARSE_MAX_SECTIONS);
	if (count == 0)
		return 0;

	p->n_privates += count;
	sub->privates = calloc(count, sizeof(*sub->privates));
	if (!sub->privates)
		return -ENOMEM;
	p->place.section_kind = "private buffer";
	for (uint32_t i = 0; i < count && !error; i++)
		error = read_private(p, r, sub);
	if (!error)
		p->place.section_kind = NULL;
	return error;
}

static int check_subgraph(struct parse *p, const struct graph_subgraph *sub)
{
	const struct graph *g = p->graph;
	const struct graph_tensors *profiler = &g->tensors[GRAPH_TENSOR_PROFILER];

	if (sub->text_offset >= g->text.size)
		return parse_fail(p, -EBADMSG, "text offset %#x is outside .text (%#zx)",
				  sub->text_offset, g->text.size);
	if (sub->rodata_offset > g->rodata.size)
		return parse_fail(p, -EBADMSG, "rodata offset %#x is outside rodata (%#zx)",
				  sub->rodata_offset, g->rodata.size);
	if (sub->bss >= g->n_bss)
		return parse_fail(p, -EBADMSG, "BSS index %u, but there are %zu", sub->bss,
				  g->n_bss);
	if (sub->private_size > PARSE_MAX_PRIVATE_DATA)
		return parse_fail(p, -EBADMSG, "private data of %u bytes is above %u",
				  sub->private_size, PARSE_MAX_PRIVATE_DATA);
	if (profiler->n > 0 && sub->profiler_offset >= profiler->tensor[0].size)
		return parse_fail(p, -EBADMSG, "profiler offset %#x is outside its buffer (%#x)",
				  sub->profiler_offset, profiler->tensor[0].size);
	return 0;
}

static int read_subgraph(struct parse *p, struct reader *r, struct graph_subgraph *sub)
{
	const uint8_t *d = reader_take(r, sizeof(struct container_subgraph));
	int error;

	if (!d)
		return parse_fail(p, -EBADMSG, "record is cut off: %zu of %zu bytes",
				  reader_left(r), sizeof(struct container_subgraph));
	sub->text_offset = load_le32(d + 0x08);
	sub->bss = load_le32(d + 0x0c);
	sub->rodata_offset = load_le32(d + 0x10);
	sub->printf_size = load_le32(d + 0x20);
	sub->profiler_offset = load_le32(d + 0x24);
	sub->private_size = load_le32(d + 0x28);
	sub->warmup_len = load_le32(d + 0x2c);
	sub->dependency = (int32_t)load_le32(d + 0x38);

	error = check_subgraph(p, sub);
	if (!error)
		error = read_precursors(p, r, sub);
	return error ? error : read_privates(p, r, sub);
}

int parse_subgraphs(struct parse *p, struct reader *r)
{
	struct graph *g = p->graph;
	uint32_t count;
	int error = 0;

	if (!reader_u32(r, &count))
		return parse_fail(p, -EBADMSG, "%zu bytes, too few for a count", reader_left(r));
	if (count > reader_left(r) / RECORD_MIN)
		return parse_fail(p, -EBADMSG, "%u subgraphs, but only %zu bytes follow", count,
				  reader_left(r));
	if (count > PARSE_MAX_SUBGRAPHS)
		return parse_fail(p, -EFBIG, "%u subgraphs, more than %u", count,
				  PARSE_MAX_SUBGRAPHS);
	if (!PARSE_RESERVE(g->subgraphs, &p->room.subgraphs, count))
		return -ENOMEM;

	for (uint32_t i = 0; i < count && !error; i++) {
		p->place.subgraph = i;
		/* Counted at once: what it owns is the graph's even if the rest is bad. */
		error = read_subgraph(p, r, &g->subgraphs[g->n_subgraphs++]);
	}
	if (!error)
		p->place.subgraph = -1;
	return error;
}
