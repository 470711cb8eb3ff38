/* SPDX-License-Identifier: Apache-2.0 */
#include "loadable/listing.h"

#include <inttypes.h>

#include "loadable/graph.h"
#include "loadable/graph_memory.h"
#include "loadable/listing_insn.h"

static void list_target(const struct graph *g, FILE *out)
{
	fprintf(out, "target %s, device word %#010" PRIx32 "\n", g->target.name, g->target.word);
	if (g->detailed_target[0])
		fprintf(out, "  in detail %s\n", g->detailed_target);
	fprintf(out, "  made by compiler %u.%u.%u\n", g->build_version & 0xff,
		g->build_version >> 8 & 0xff, g->build_version >> 16);
}

static void list_memory(const struct graph *g, FILE *out)
{
	struct graph_memory m;

	graph_measure(g, &m);
	fputs("device memory, in bytes\n", out);
	fprintf(out,
		"  of the model: text %" PRIu64 ", constant rodata %" PRIu64 ", constants %" PRIu64
		", zero-copy constants %" PRIu64 "\n",
		m.text, m.crodata, m.constants, m.zero_copy);
	fprintf(out,
		"  of each job: rodata %" PRIu64 ", descriptor %" PRIu64 ", reuse %" PRIu64
		", workspace %" PRIu64 "\n",
		m.rodata, m.desc, m.reuse, m.workspace);
	fprintf(out, "  of each task: stack %" PRIu64 ", private data %" PRIu64 "\n", m.stack,
		m.private_data);
}

static void list_bss(const struct graph *g, size_t index, FILE *out)
{
	const struct graph_bss *bss = &g->bss[index];

	fprintf(out, "BSS %zu: stack %u\n", index, bss->stack_size);
	for (uint32_t i = bss->first_static; i < bss->first_static + bss->n_statics; i++) {
		const struct graph_static *s = &g->statics[i];

		fprintf(out, "  static %u: %u bytes from weights %#x, alignment %u%s\n", i, s->size,
			s->src_offset, s->align, s->type == 15 ? ", zero-copy" : "");
	}
	for (uint32_t i = bss->first_reuse; i < bss->first_reuse + bss->n_reuses; i++)
		fprintf(out, "  reuse %u: %u bytes, alignment %u%s\n", i, g->reuses[i].size,
			g->reuses[i].align,
			g->gm_section == (int32_t)i ? ", in global memory" : "");
}

static void list_shape(const struct graph_tensor *t, FILE *out)
{
	static const char *const layouts[] = {"", " NHWC", " NCHW"};

	if (t->rank == 0)
		return;
	fputs(" [", out);
	for (uint32_t i = 0; i < t->rank; i++)
		fprintf(out, "%s%u", i ? "," : "", t->dims[i]);
	fprintf(out, "]%s", layouts[t->layout]);
}

static void list_tensor(const struct graph_tensor *t, enum graph_tensor_kind kind, FILE *out)
{
	fprintf(out, "  %s %u", graph_tensor_kind_name(kind), t->id);
	if (t->name[0])
		fprintf(out, " \"%s\"", t->name);
	fprintf(out, ": %s", graph_data_type_name(t->type));
	list_shape(t, out);
	fprintf(out, ", %u bytes at reuse %u + %#x, scale %.9g, zero point %d\n", t->size,
		t->section, t->offset, (double)t->scale, t->zero_point);
}

static void list_tensors(const struct graph *g, FILE *out)
{
	fputs("tensors\n", out);
	for (size_t kind = 0; kind < GRAPH_TENSOR_KIND_MAX_; kind++) {
		for (size_t i = 0; i < g->tensors[kind].n; i++)
			list_tensor(&g->tensors[kind].tensor[i], kind, out);
	}
}

static void list_operand(const struct insn_walk *walk, unsigned int i, FILE *out)
{
	struct operand operand;

	operand_resolve(&operand, walk->graph, &walk->patches, walk->subgraph, walk->insn.slot[i]);
	fprintf(out, "          %s: slot %#" PRIx64, walk->op->operands[i], operand.position);
	if (!operand.is_inside)
		fputs(" (outside rodata)", out);
	else if (!operand.patch)
		fprintf(out, ", %u bytes (not patched)", operand.size);
	else
		fprintf(out, ", %u bytes -> %s %u + %#x", operand.size,
			area_name(operand.patch->area), operand.patch->section,
			operand.patch->offset);
	fputc('\n', out);
}

static void list_insn(const struct insn_walk *walk, FILE *out)
{
	struct insn_field field;
	size_t at = 0;

	if (!walk->op) {
		fprintf(out, "    %5u  opcode %u\n", walk->number, walk->insn.opcode);
		return;
	}
	fprintf(out, "    %5u  %s", walk->number, walk->op->name);
	while (insn_field_at(&field, &walk->insn, &at)) {
		fprintf(out, " %s=", field.name);
		for (size_t i = 0; i < field.n; i++)
			fprintf(out, "%s%" PRId64, i ? "," : "", field.value[i]);
	}
	fputc('\n', out);
	for (unsigned int i = 0; i < NPU_MAX_OPERANDS && walk->op->operands[i]; i++) {
		if (walk->insn.slot[i] != NPU_NO_SLOT)
			list_operand(walk, i, out);
	}
}

static void list_insns(struct insn_walk *walk, const struct graph_subgraph *sub, FILE *out)
{
	insn_walk_enter(walk, sub);
	while (insn_walk_next(walk))
		list_insn(walk, out);
	if (insn_walk_problem(walk))
		fprintf(out, "    (%s)\n", insn_walk_problem(walk));
}

static void list_subgraph(const struct graph *g, size_t index, FILE *out)
{
	const struct graph_subgraph *sub = &g->subgraphs[index];

	fprintf(out, "subgraph %zu: text %#x, rodata %#x, BSS %u, private data %u", index,
		sub->text_offset, sub->rodata_offset, sub->bss, sub->private_size);
	if (sub->dependency == GRAPH_DEPENDS_ON_ALL)
		fputs(", after all before it", out);
	for (int32_t i = 0; i < sub->dependency; i++)
		fprintf(out, "%s %u", i ? "," : ", after", sub->precursor[i]);
	fputc('\n', out);
	for (size_t i = 0; i < sub->n_privates; i++)
		fprintf(out, "  private %zu: %u bytes, alignment %u\n", i, sub->privates[i].size,
			sub->privates[i].align);
}

void graph_list(const struct graph *graph, FILE *out, bool instructions)
{
	struct insn_walk walk = {0};
	bool can_walk = instructions && graph->target.architecture == NPU_ARCHITECTURE &&
			insn_walk_init(&walk, graph);

	list_target(graph, out);
	list_memory(graph, out);
	for (size_t i = 0; i < graph->n_bss; i++)
		list_bss(graph, i, out);
	list_tensors(graph, out);
	fprintf(out, "%zu patch entries, %zu remap entries, %zu SegMMU records\n", graph->n_patches,
		graph->n_remaps, graph->n_segmmu);
	for (size_t i = 0; i < graph->n_subgraphs; i++) {
		list_subgraph(graph, i, out);
		if (can_walk)
			list_insns(&walk, &graph->subgraphs[i], out);
	}
	if (instructions && !can_walk)
		fputs("(instructions of this target cannot be listed)\n", out);
	insn_walk_finish(&walk);
}
