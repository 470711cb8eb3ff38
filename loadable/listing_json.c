/* SPDX-License-Identifier: Apache-2.0 */
#include "loadable/graph.h"
#include "loadable/graph_memory.h"
#include "loadable/json.h"
#include "loadable/listing.h"
#include "loadable/listing_insn.h"

static void write_target(struct json *j, const struct graph *g)
{
	char version[32];

	json_open(j, "target", '{');
	json_string(j, "name", g->target.name);
	json_string(j, "detailed_name", g->detailed_target);
	json_unsigned(j, "device_word", g->target.word);
	json_unsigned(j, "architecture", g->target.architecture);
	json_unsigned(j, "isa_class", g->target.isa_class);
	json_unsigned(j, "version", g->target.version);
	json_unsigned(j, "config", g->target.config);
	json_close(j, '}');
	snprintf(version, sizeof(version), "%u.%u.%u", g->build_version & 0xff,
		 g->build_version >> 8 & 0xff, g->build_version >> 16);
	json_string(j, "compiler_version", version);
}

static void write_memory(struct json *j, const struct graph *g)
{
	struct graph_memory m;

	graph_measure(g, &m);
	json_open(j, "memory", '{');
	json_unsigned(j, "text", m.text);
	json_unsigned(j, "constant_rodata", m.crodata);
	json_unsigned(j, "constants", m.constants);
	json_unsigned(j, "zero_copy_constants", m.zero_copy);
	json_unsigned(j, "rodata", m.rodata);
	json_unsigned(j, "descriptor", m.desc);
	json_unsigned(j, "reuse", m.reuse);
	json_unsigned(j, "workspace", m.workspace);
	json_unsigned(j, "stack_per_task", m.stack);
	json_unsigned(j, "private_data_per_task", m.private_data);
	json_close(j, '}');
}

static void write_static(struct json *j, const struct graph_static *s)
{
	json_open(j, NULL, '{');
	json_unsigned(j, "size", s->size);
	json_unsigned(j, "source", s->src_offset);
	json_unsigned(j, "alignment", s->align);
	json_bool(j, "zero_copy", s->type == 15);
	json_close(j, '}');
}

static void write_reuse(struct json *j, const struct graph_reuse *r)
{
	json_open(j, NULL, '{');
	json_unsigned(j, "size", r->size);
	json_unsigned(j, "alignment", r->align);
	json_close(j, '}');
}

static void write_bss(struct json *j, const struct graph *g, const struct graph_bss *bss)
{
	json_open(j, NULL, '{');
	json_unsigned(j, "stack", bss->stack_size);
	json_unsigned(j, "first_static", bss->first_static);
	json_open(j, "static", '[');
	for (uint32_t i = 0; i < bss->n_statics; i++)
		write_static(j, &g->statics[bss->first_static + i]);
	json_close(j, ']');
	json_unsigned(j, "first_reuse", bss->first_reuse);
	json_open(j, "reuse", '[');
	for (uint32_t i = 0; i < bss->n_reuses; i++)
		write_reuse(j, &g->reuses[bss->first_reuse + i]);
	json_close(j, ']');
	json_close(j, '}');
}

static void write_tensor(struct json *j, const struct graph_tensor *t, enum graph_tensor_kind kind)
{
	static const char *const layouts[] = {"", "NHWC", "NCHW"};

	json_open(j, NULL, '{');
	json_string(j, "kind", graph_tensor_kind_name(kind));
	json_unsigned(j, "id", t->id);
	json_string(j, "name", t->name);
	json_string(j, "type", graph_data_type_name(t->type));
	json_unsigned_array(j, "shape", t->dims, t->rank);
	json_string(j, "layout", layouts[t->layout]);
	json_unsigned(j, "size", t->size);
	json_unsigned(j, "section", t->section);
	json_unsigned(j, "offset", t->offset);
	json_float(j, "scale", t->scale);
	json_signed(j, "zero_point", t->zero_point);
	json_close(j, '}');
}

static void write_tensors(struct json *j, const struct graph *g)
{
	json_open(j, "tensors", '[');
	for (size_t kind = 0; kind < GRAPH_TENSOR_KIND_MAX_; kind++) {
		for (size_t i = 0; i < g->tensors[kind].n; i++)
			write_tensor(j, &g->tensors[kind].tensor[i], kind);
	}
	json_close(j, ']');
}

static void write_operand(struct json *j, const struct insn_walk *walk, unsigned int i)
{
	struct operand operand;

	operand_resolve(&operand, walk->graph, &walk->patches, walk->subgraph, walk->insn.slot[i]);
	json_open(j, NULL, '{');
	json_string(j, "name", walk->op->operands[i]);
	json_unsigned(j, "slot", operand.position);
	if (operand.is_inside)
		json_unsigned(j, "size", operand.size);
	if (operand.patch) {
		json_string(j, "area", area_name(operand.patch->area));
		json_unsigned(j, "section", operand.patch->section);
		json_unsigned(j, "offset", operand.patch->offset);
	}
	json_close(j, '}');
}

static void write_operands(struct json *j, const struct insn_walk *walk)
{
	json_open(j, "operands", '[');
	for (unsigned int i = 0; i < NPU_MAX_OPERANDS && walk->op->operands[i]; i++) {
		if (walk->insn.slot[i] != NPU_NO_SLOT)
			write_operand(j, walk, i);
	}
	json_close(j, ']');
}

static void write_insn(struct json *j, const struct insn_walk *walk)
{
	struct insn_field field;
	size_t at = 0;

	json_open(j, NULL, '{');
	json_unsigned(j, "opcode", walk->insn.opcode);
	if (walk->op) {
		json_string(j, "name", walk->op->name);
		while (insn_field_at(&field, &walk->insn, &at)) {
			json_open(j, field.name, '[');
			for (size_t i = 0; i < field.n; i++)
				json_signed(j, NULL, field.value[i]);
			json_close(j, ']');
		}
		write_operands(j, walk);
	}
	json_close(j, '}');
}

static void write_insns(struct json *j, struct insn_walk *walk, const struct graph_subgraph *sub)
{
	insn_walk_enter(walk, sub);
	json_open(j, "instructions", '[');
	while (insn_walk_next(walk))
		write_insn(j, walk);
	json_close(j, ']');
	if (insn_walk_problem(walk))
		json_string(j, "problem", insn_walk_problem(walk));
}

/* @walk: NULL without instructions. */
static void write_subgraph(struct json *j, struct insn_walk *walk, const struct graph_subgraph *sub)
{
	json_open(j, NULL, '{');
	json_unsigned(j, "text_offset", sub->text_offset);
	json_unsigned(j, "rodata_offset", sub->rodata_offset);
	json_unsigned(j, "bss", sub->bss);
	json_unsigned(j, "private_data", sub->private_size);
	json_bool(j, "depends_on_all", sub->dependency == GRAPH_DEPENDS_ON_ALL);
	json_unsigned_array(j, "precursors", sub->precursor,
			    sub->dependency > 0 ? (size_t)sub->dependency : 0);
	json_open(j, "private", '[');
	for (size_t i = 0; i < sub->n_privates; i++)
		write_reuse(j, &sub->privates[i]);
	json_close(j, ']');
	if (walk)
		write_insns(j, walk, sub);
	json_close(j, '}');
}

void graph_list_json(const struct graph *graph, FILE *out, bool instructions)
{
	struct json j = {.out = out};
	struct insn_walk walk = {0};
	bool can_walk = instructions && graph->target.architecture == NPU_ARCHITECTURE &&
			insn_walk_init(&walk, graph);

	json_open(&j, NULL, '{');
	write_target(&j, graph);
	write_memory(&j, graph);
	json_open(&j, "bss", '[');
	for (size_t i = 0; i < graph->n_bss; i++)
		write_bss(&j, graph, &graph->bss[i]);
	json_close(&j, ']');
	write_tensors(&j, graph);
	json_unsigned(&j, "patches", graph->n_patches);
	json_unsigned(&j, "remaps", graph->n_remaps);
	json_unsigned(&j, "segmmu_records", graph->n_segmmu);
	json_signed(&j, "gm_section", graph->gm_section);
	json_open(&j, "subgraphs", '[');
	for (size_t i = 0; i < graph->n_subgraphs; i++)
		write_subgraph(&j, can_walk ? &walk : NULL, &graph->subgraphs[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	fputc('\n', out);
	insn_walk_finish(&walk);
}
