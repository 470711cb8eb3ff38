/* SPDX-License-Identifier: Apache-2.0 */
#include "loadable/graph.h"
#include "loadable/graph_memory.h"
#include "loadable/json_writer.h"
#include "loadable/listing.h"
#include "loadable/listing_insn.h"

static void write_target(struct json_writer *j, const struct graph *g)
{
	char version[32];

	json_writer_open(j, "target", '{');
	json_writer_string(j, "name", g->target.name);
	json_writer_string(j, "detailed_name", g->detailed_target);
	json_writer_unsigned(j, "device_word", g->target.word);
	json_writer_unsigned(j, "architecture", g->target.architecture);
	json_writer_unsigned(j, "isa_class", g->target.isa_class);
	json_writer_unsigned(j, "version", g->target.version);
	json_writer_unsigned(j, "config", g->target.config);
	json_writer_close(j, '}');
	snprintf(version, sizeof(version), "%u.%u.%u", g->build_version & 0xff,
		 g->build_version >> 8 & 0xff, g->build_version >> 16);
	json_writer_string(j, "compiler_version", version);
}

static void write_memory(struct json_writer *j, const struct graph *g)
{
	struct graph_memory m;

	graph_measure(g, &m);
	json_writer_open(j, "memory", '{');
	json_writer_unsigned(j, "text", m.text);
	json_writer_unsigned(j, "constant_rodata", m.crodata);
	json_writer_unsigned(j, "constants", m.constants);
	json_writer_unsigned(j, "zero_copy_constants", m.zero_copy);
	json_writer_unsigned(j, "rodata", m.rodata);
	json_writer_unsigned(j, "descriptor", m.desc);
	json_writer_unsigned(j, "reuse", m.reuse);
	json_writer_unsigned(j, "workspace", m.workspace);
	json_writer_unsigned(j, "stack_per_task", m.stack);
	json_writer_unsigned(j, "private_data_per_task", m.private_data);
	json_writer_close(j, '}');
}

static void write_static(struct json_writer *j, const struct graph_static *s)
{
	json_writer_open(j, NULL, '{');
	json_writer_unsigned(j, "size", s->size);
	json_writer_unsigned(j, "source", s->src_offset);
	json_writer_unsigned(j, "alignment", s->align);
	json_writer_bool(j, "zero_copy", s->type == 15);
	json_writer_close(j, '}');
}

static void write_reuse(struct json_writer *j, const struct graph_reuse *r)
{
	json_writer_open(j, NULL, '{');
	json_writer_unsigned(j, "size", r->size);
	json_writer_unsigned(j, "alignment", r->align);
	json_writer_close(j, '}');
}

static void write_bss(struct json_writer *j, const struct graph *g, const struct graph_bss *bss)
{
	json_writer_open(j, NULL, '{');
	json_writer_unsigned(j, "stack", bss->stack_size);
	json_writer_unsigned(j, "first_static", bss->first_static);
	json_writer_open(j, "static", '[');
	for (uint32_t i = 0; i < bss->n_statics; i++)
		write_static(j, &g->statics[bss->first_static + i]);
	json_writer_close(j, ']');
	json_writer_unsigned(j, "first_reuse", bss->first_reuse);
	json_writer_open(j, "reuse", '[');
	for (uint32_t i = 0; i < bss->n_reuses; i++)
		write_reuse(j, &g->reuses[bss->first_reuse + i]);
	json_writer_close(j, ']');
	json_writer_close(j, '}');
}

static void write_tensor(struct json_writer *j, const struct graph_tensor *t,
			 enum graph_tensor_kind kind)
{
	static const char *const layouts[] = {"", "NHWC", "NCHW"};

	json_writer_open(j, NULL, '{');
	json_writer_string(j, "kind", graph_tensor_kind_name(kind));
	json_writer_unsigned(j, "id", t->id);
	json_writer_string(j, "name", t->name);
	json_writer_string(j, "type", graph_data_type_name(t->type));
	json_writer_unsigned_array(j, "shape", t->dims, t->rank);
	json_writer_string(j, "layout", layouts[t->layout]);
	json_writer_unsigned(j, "size", t->size);
	json_writer_unsigned(j, "section", t->section);
	json_writer_unsigned(j, "offset", t->offset);
	json_writer_float(j, "scale", t->scale);
	json_writer_signed(j, "zero_point", t->zero_point);
	json_writer_close(j, '}');
}

static void write_tensors(struct json_writer *j, const struct graph *g)
{
	json_writer_open(j, "tensors", '[');
	for (size_t kind = 0; kind < GRAPH_TENSOR_KIND_MAX_; kind++) {
		for (size_t i = 0; i < g->tensors[kind].n; i++)
			write_tensor(j, &g->tensors[kind].tensor[i], kind);
	}
	json_writer_close(j, ']');
}

static void write_operand(struct json_writer *j, const struct insn_walk *walk, unsigned int i)
{
	struct operand operand;

	operand_resolve(&operand, walk->graph, &walk->patches, walk->subgraph, walk->insn.slot[i]);
	json_writer_open(j, NULL, '{');
	json_writer_string(j, "name", walk->op->operands[i]);
	json_writer_unsigned(j, "slot", operand.position);
	if (operand.is_inside)
		json_writer_unsigned(j, "size", operand.size);
	if (operand.patch) {
		json_writer_string(j, "area", area_name(operand.patch->area));
		json_writer_unsigned(j, "section", operand.patch->section);
		json_writer_unsigned(j, "offset", operand.patch->offset);
	}
	json_writer_close(j, '}');
}

static void write_operands(struct json_writer *j, const struct insn_walk *walk)
{
	json_writer_open(j, "operands", '[');
	for (unsigned int i = 0; i < NPU_MAX_OPERANDS && walk->op->operands[i]; i++) {
		if (walk->insn.slot[i] != NPU_NO_SLOT)
			write_operand(j, walk, i);
	}
	json_writer_close(j, ']');
}

static void write_insn(struct json_writer *j, const struct insn_walk *walk)
{
	struct insn_field field;
	size_t at = 0;

	json_writer_open(j, NULL, '{');
	json_writer_unsigned(j, "opcode", walk->insn.opcode);
	if (walk->op) {
		json_writer_string(j, "name", walk->op->name);
		while (insn_field_at(&field, &walk->insn, &at)) {
			json_writer_open(j, field.name, '[');
			for (size_t i = 0; i < field.n; i++)
				json_writer_signed(j, NULL, field.value[i]);
			json_writer_close(j, ']');
		}
		write_operands(j, walk);
	}
	json_writer_close(j, '}');
}

static void write_insns(struct json_writer *j, struct insn_walk *walk,
			const struct graph_subgraph *sub)
{
	insn_walk_enter(walk, sub);
	json_writer_open(j, "instructions", '[');
	while (insn_walk_next(walk))
		write_insn(j, walk);
	json_writer_close(j, ']');
	if (insn_walk_problem(walk))
		json_writer_string(j, "problem", insn_walk_problem(walk));
}

/* @walk: NULL without instructions. */
static void write_subgraph(struct json_writer *j, struct insn_walk *walk,
			   const struct graph_subgraph *sub)
{
	json_writer_open(j, NULL, '{');
	json_writer_unsigned(j, "text_offset", sub->text_offset);
	json_writer_unsigned(j, "rodata_offset", sub->rodata_offset);
	json_writer_unsigned(j, "bss", sub->bss);
	json_writer_unsigned(j, "private_data", sub->private_size);
	json_writer_bool(j, "depends_on_all", sub->dependency == GRAPH_DEPENDS_ON_ALL);
	json_writer_unsigned_array(j, "precursors", sub->precursor,
				   sub->dependency > 0 ? (size_t)sub->dependency : 0);
	json_writer_open(j, "private", '[');
	for (size_t i = 0; i < sub->n_privates; i++)
		write_reuse(j, &sub->privates[i]);
	json_writer_close(j, ']');
	if (walk)
		write_insns(j, walk, sub);
	json_writer_close(j, '}');
}

void graph_list_json(const struct graph *graph, FILE *out, bool instructions)
{
	struct json_writer j = {.out = out};
	struct insn_walk walk = {0};
	bool can_walk = instructions && graph->target.architecture == NPU_ARCHITECTURE &&
			insn_walk_init(&walk, graph);

	json_writer_open(&j, NULL, '{');
	write_target(&j, graph);
	write_memory(&j, graph);
	json_writer_open(&j, "bss", '[');
	for (size_t i = 0; i < graph->n_bss; i++)
		write_bss(&j, graph, &graph->bss[i]);
	json_writer_close(&j, ']');
	write_tensors(&j, graph);
	json_writer_unsigned(&j, "patches", graph->n_patches);
	json_writer_unsigned(&j, "remaps", graph->n_remaps);
	json_writer_unsigned(&j, "segmmu_records", graph->n_segmmu);
	json_writer_signed(&j, "gm_section", graph->gm_section);
	json_writer_open(&j, "subgraphs", '[');
	for (size_t i = 0; i < graph->n_subgraphs; i++)
		write_subgraph(&j, can_walk ? &walk : NULL, &graph->subgraphs[i]);
	json_writer_close(&j, ']');
	json_writer_close(&j, '}');
	fputc('\n', out);
	insn_walk_finish(&walk);
}
