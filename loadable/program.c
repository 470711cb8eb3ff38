/* SPDX-License-Identifier: Apache-2.0 */
#include "loadable/program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "loadable/container.h"
#include "loadable/dataflow.h"
#include "loadable/graph.h"
#include "loadable/operand.h"
#include "npu/engine.h"
#include "npu/ops.h"

#define SLOT_MASK 0xffffffffu

/* One check under way; the rest is where it is. */
struct check {
	const struct graph *graph;
	struct loadable_error *error;
	struct patch_index patches;
	struct dataflow flow;
	bool *is_used;	  /* by place in patches */
	uint32_t n_insns; /* met so far, of all subgraphs */

	size_t subgraph;
	uint32_t insn;
	const char *op; /* or NULL: not in an instruction */
};

static int fail(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct check *c, const char *format, ...)
{
	char *text = c->error->text;
	size_t size = sizeof(c->error->text), n = 0;
	va_list args;

	if (c->op)
		n = (size_t)snprintf(text, size, "subgraph %zu: instruction %u (%s): ", c->subgraph,
				     c->insn, c->op);
	va_start(args, format);
	vsnprintf(text + n, size - n, format, args);
	va_end(args);
	return -EBADMSG;
}

/* What a software program has no use for, and could only do harm with. */
static int check_absent(struct check *c)
{
	const struct graph *g = c->graph;

	if (g->desc.size > 0)
		return fail(c, "a software program has no descriptor");
	if (g->n_remaps > 0)
		return fail(c, "a software program has no remap entries");
	if (g->n_segmmu > 0)
		return fail(c, "a software program has no SegMMU records");
	return 0;
}

/*
 * Each entry must turn out to be the address word of a slot, so entries that are
 * closer than a slot is long would be slots that overlap.
 */
static int check_patches(struct check *c)
{
	for (size_t i = 0; i < c->patches.n; i++) {
		uint32_t entry = patch_index_entry(&c->patches, i);
		uint32_t position = patch_index_position(&c->patches, i);
		uint32_t before = i > 0 ? patch_index_position(&c->patches, i - 1) : 0;

		if (position % 4 != 0)
			return fail(c, "patch entry %u: position %#x is not a multiple of 4", entry,
				    position);
		if (c->graph->patches[entry].mask != SLOT_MASK)
			return fail(c, "patch entry %u at %#x: mask %#x instead of %#x", entry,
				    position, c->graph->patches[entry].mask, SLOT_MASK);
		if (i > 0 && position == before)
			return fail(c, "patch entries %u and %u both write position %#x",
				    patch_index_entry(&c->patches, i - 1), entry, position);
		if (i > 0 && position - before < sizeof(struct npu_slot))
			return fail(c, "slots at %#x and %#x overlap", before, position);
	}
	return 0;
}

/*
 * Constants are addressed through ASID 1, everything else through ASID 0; an
 * address of the one window must never be used in the other.
 */
static int check_area(struct check *c, const char *name, enum npu_operand_kind kind,
		      const struct graph_patch *patch)
{
	bool is_static = patch->area == GRAPH_AREA_STATIC;
	bool is_weight = is_static &&
			 c->graph->statics[patch->section].type == CONTAINER_SUBSECTION_CONSTANT;

	if (kind == NPU_OPERAND_CONSTANT && !is_weight)
		return fail(c, "constant operand '%s' is not in a static section of constants",
			    name);
	if (kind == NPU_OPERAND_INPUT && is_weight)
		return fail(c, "input operand '%s' is in a static section of constants", name);
	if (kind == NPU_OPERAND_OUTPUT && is_static)
		return fail(c, "output operand '%s' is in a static section", name);
	return 0;
}

/* @ret_patch: what the operand is patched to. */
static int check_operand(struct check *c, const char *name, uint32_t slot,
			 enum npu_operand_kind kind, uint32_t size,
			 const struct graph_patch **ret_patch)
{
	struct operand operand;

	operand_resolve(&operand, c->graph, &c->patches, &c->graph->subgraphs[c->subgraph], slot);
	if (!operand.is_inside)
		return fail(c, "operand '%s': slot at %#llx is outside rodata (%#zx)", name,
			    (unsigned long long)operand.position, c->graph->rodata.size);
	if (operand.position % 4 != 0)
		return fail(c, "operand '%s': slot at %#llx is not 4-byte aligned", name,
			    (unsigned long long)operand.position);
	if (!operand.patch)
		return fail(c, "operand '%s': no patch entry for the slot at %#llx", name,
			    (unsigned long long)operand.position);
	if (operand.size != size)
		return fail(c, "operand '%s': the slot says %u bytes, the instruction implies %u",
			    name, operand.size, size);
	if (operand.patch->size != size)
		return fail(c, "operand '%s': the slot says %u bytes, its subsection has %u", name,
			    size, operand.patch->size);
	c->is_used[operand.place] = true;
	if (kind == NPU_OPERAND_INPUT && !dataflow_is_written(&c->flow, operand.patch))
		return fail(c, "operand '%s' reads memory that nothing has written", name);
	*ret_patch = operand.patch;
	return check_area(c, name, kind, operand.patch);
}

static int flow_error(struct check *c, int error)
{
	return error == -E2BIG ? fail(c, "memory is written in more than %u separate pieces",
				      DATAFLOW_MAX_SPANS)
			       : error;
}

static int check_insn(struct check *c, const struct npu_insn *insn)
{
	const struct npu_op *op = npu_op_find(insn->opcode);
	const struct graph_patch *patch = NULL;
	struct npu_demand demand;
	const char *why;
	int error = 0;

	c->op = op ? op->name : "unknown";
	why = npu_insn_check(insn, &demand);
	if (why)
		return fail(c, "%s", why);
	for (unsigned int i = 0; i < NPU_MAX_OPERANDS && !error; i++) {
		if (demand.kind[i] == NPU_OPERAND_NONE)
			continue;
		error = check_operand(c, op->operands[i], insn->slot[i], demand.kind[i],
				      demand.size[i], &patch);
		if (!error && demand.kind[i] == NPU_OPERAND_OUTPUT)
			error = flow_error(c, dataflow_write(&c->flow, insn, patch));
	}
	return error;
}

static int check_subgraph(struct check *c)
{
	const struct graph_subgraph *subgraph = &c->graph->subgraphs[c->subgraph];
	struct npu_insn insn;
	int error = flow_error(c, dataflow_enter(&c->flow, (uint32_t)c->subgraph));

	if (error)
		return error;
	for (c->insn = 0; c->insn < NPU_MAX_INSNS; c->insn++) {
		c->op = NULL;
		if (!operand_fetch(&insn, c->graph, subgraph, c->insn))
			return fail(c, "subgraph %zu: .text ends before an `end` instruction",
				    c->subgraph);
		if (c->n_insns++ == PROGRAM_MAX_INSNS)
			return fail(c, "more than %u instructions in all subgraphs",
				    PROGRAM_MAX_INSNS);
		error = check_insn(c, &insn);
		if (error)
			return error;
		if (insn.opcode == NPU_OP_END)
			return flow_error(c, dataflow_leave(&c->flow, (uint32_t)c->subgraph));
	}
	c->op = NULL;
	return fail(c, "subgraph %zu: more than %u instructions", c->subgraph, NPU_MAX_INSNS);
}

static int check_unused(struct check *c)
{
	c->op = NULL;
	for (size_t i = 0; i < c->patches.n; i++) {
		if (!c->is_used[i])
			return fail(c, "patch entry %u: position %#x is not the slot of an operand",
				    patch_index_entry(&c->patches, i),
				    patch_index_position(&c->patches, i));
	}
	return 0;
}

static int check_program(struct check *c)
{
	int error;

	error = check_absent(c);
	if (!error)
		error = check_patches(c);
	for (c->subgraph = 0; !error && c->subgraph < c->graph->n_subgraphs; c->subgraph++)
		error = check_subgraph(c);
	return error ? error : check_unused(c);
}

int program_check(const struct graph *graph, struct loadable_error *ret_error)
{
	struct check check = {.graph = graph, .error = ret_error};
	int error;

	ret_error->text[0] = '\0';
	if (graph->target.architecture != NPU_ARCHITECTURE)
		return 0;

	error = patch_index_init(&check.patches, graph);
	if (!error)
		error = flow_error(&check, dataflow_init(&check.flow, graph));
	if (!error) {
		check.is_used = calloc(check.patches.n + 1, sizeof(*check.is_used));
		error = check.is_used ? check_program(&check) : -ENOMEM;
	}
	if (error == -ENOMEM)
		snprintf(ret_error->text, sizeof(ret_error->text), "out of memory");
	free(check.is_used);
	dataflow_finish(&check.flow);
	patch_index_finish(&check.patches);
	return error;
}
