/* SPDX-License-Identifier: Apache-2.0 */
#include "run_model.h"

#include "loadable/graph.h"
#include "loadable/program.h"
#include "npu/engine.h"
#include "npu/ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POISON 0xa5
/* Addresses start here, so that 0 is never one. */
#define BASE 4096u

static int fail(struct run_model *m, const char *text, uint32_t insn)
{
	snprintf(m->error.text, sizeof(m->error.text), "instruction %u: %s", insn, text);
	return -EINVAL;
}

static uint32_t place(size_t *cursor, uint32_t size, uint32_t align)
{
	size_t address = (*cursor + align - 1) & ~(size_t)(align - 1);

	*cursor = address + size;
	return (uint32_t)address;
}

static int lay_out(struct run_model *m)
{
	const struct graph *g = m->graph;

	m->memory_size = m->weights_size = BASE;
	m->reuse = calloc(g->n_reuses + 1, sizeof(*m->reuse));
	m->statics = calloc(g->n_statics + 1, sizeof(*m->statics));
	m->rodata = malloc(g->rodata.size);
	if (!m->reuse || !m->statics || !m->rodata)
		return -ENOMEM;
	for (size_t i = 0; i < g->n_reuses; i++)
		m->reuse[i] = place(&m->memory_size, g->reuses[i].size, g->reuses[i].align);
	for (size_t i = 0; i < g->n_statics; i++)
		m->statics[i] = place(&m->weights_size, g->statics[i].size, g->statics[i].align);
	m->memory = malloc(m->memory_size);
	m->weights = malloc(m->weights_size);
	if (!m->memory || !m->weights)
		return -ENOMEM;
	memset(m->memory, POISON, m->memory_size);
	memset(m->weights, POISON, m->weights_size);
	for (size_t i = 0; i < g->n_statics; i++)
		memcpy(m->weights + m->statics[i], g->weight.data + g->statics[i].src_offset,
		       g->statics[i].size);
	return 0;
}

static void patch(struct run_model *m)
{
	const struct graph *g = m->graph;

	memcpy(m->rodata, g->rodata.data, g->rodata.size);
	for (size_t i = 0; i < g->n_patches; i++) {
		const struct graph_patch *p = &g->patches[i];
		uint32_t address = p->offset, slot;

		address += p->area == GRAPH_AREA_STATIC ? m->statics[p->section]
							: m->reuse[p->section];
		memcpy(&slot, m->rodata + p->position, 4);
		slot = (address & p->mask) | (slot & ~p->mask);
		memcpy(m->rodata + p->position, &slot, 4);
	}
}

int run_model_open(struct run_model *m, const uint8_t *image, size_t size)
{
	int r;

	memset(m, 0, sizeof(*m));
	r = loadable_elf_parse(&m->graph, image, size, &m->error);
	if (r == 0)
		r = program_check(m->graph, &m->error);
	if (r == 0)
		r = lay_out(m);
	if (r == 0)
		patch(m);
	return r;
}

void run_model_close(struct run_model *m)
{
	graph_destroy(m->graph);
	free(m->rodata);
	free(m->memory);
	free(m->weights);
	free(m->reuse);
	free(m->statics);
	memset(m, 0, sizeof(*m));
}

static uint8_t *tensor(struct run_model *m, enum graph_tensor_kind kind, uint32_t id)
{
	const struct graph_tensor *t = &m->graph->tensors[kind].tensor[id];

	return m->memory + m->reuse[t->section] + t->offset;
}

uint8_t *run_model_input(struct run_model *m, uint32_t id)
{
	return tensor(m, GRAPH_TENSOR_INPUT, id);
}

uint8_t *run_model_output(struct run_model *m, uint32_t id)
{
	return tensor(m, GRAPH_TENSOR_OUTPUT, id);
}

static bool is_input(const struct run_model *m, size_t section)
{
	const struct graph_tensors *inputs = &m->graph->tensors[GRAPH_TENSOR_INPUT];

	for (size_t i = 0; i < inputs->n; i++)
		if (inputs->tensor[i].section == section)
			return true;
	return false;
}

static void poison(struct run_model *m)
{
	for (size_t i = 0; i < m->graph->n_reuses; i++)
		if (!is_input(m, i))
			memset(m->memory + m->reuse[i], POISON, m->graph->reuses[i].size);
}

/* The operand behind a slot, or NULL with the reason. */
static uint8_t *resolve(struct run_model *m, uint32_t slot, bool is_constant, uint32_t size,
			const char **ret_why)
{
	uint8_t *memory = is_constant ? m->weights : m->memory;
	size_t room = is_constant ? m->weights_size : m->memory_size;
	struct npu_slot s;

	if (slot + sizeof(s) > m->graph->rodata.size) {
		*ret_why = "a slot is outside the parameter block";
		return NULL;
	}
	memcpy(&s, m->rodata + slot, sizeof(s));
	if (s.size != size || s.address < BASE || (uint64_t)s.address + size > room) {
		*ret_why = "an operand is not where it should be";
		return NULL;
	}
	return memory + s.address;
}

static int check_overlap(const struct npu_demand *demand, uint8_t *const operand[])
{
	for (int i = 0; i < (int)NPU_MAX_OPERANDS; i++) {
		if (demand->kind[i] != NPU_OPERAND_OUTPUT)
			continue;
		for (int k = 0; k < (int)NPU_MAX_OPERANDS; k++)
			if (k != i && demand->kind[k] != NPU_OPERAND_NONE &&
			    operand[k] < operand[i] + demand->size[i] &&
			    operand[i] < operand[k] + demand->size[k])
				return -EINVAL;
	}
	return 0;
}

static int run_insn(struct run_model *m, const struct npu_insn *insn, uint32_t index)
{
	uint8_t *operand[NPU_MAX_OPERANDS] = {NULL};
	struct npu_demand demand;
	const char *why = npu_insn_check(insn, &demand);

	if (why)
		return fail(m, why, index);
	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++) {
		if (demand.kind[i] == NPU_OPERAND_NONE)
			continue;
		operand[i] = resolve(m, insn->slot[i], demand.kind[i] == NPU_OPERAND_CONSTANT,
				     demand.size[i], &why);
		if (!operand[i])
			return fail(m, why, index);
	}
	if (check_overlap(&demand, operand) < 0)
		return fail(m, "an output overlaps another operand", index);
	if (insn->opcode == NPU_OP_HANG || insn->opcode == NPU_OP_FAULT)
		return fail(m, "hang or fault", index);
	if (insn->opcode != NPU_OP_DELAY)
		npu_insn_run(insn, operand, 0, demand.units);
	return 0;
}

int run_model_run(struct run_model *m)
{
	poison(m);
	for (uint32_t i = 0; i < NPU_MAX_INSNS; i++) {
		struct npu_insn insn;
		int r;

		if (((size_t)i + 1) * sizeof(insn) > m->graph->text.size)
			break;
		memcpy(&insn, m->graph->text.data + i * sizeof(insn), sizeof(insn));
		if (insn.opcode == NPU_OP_END)
			return 0;
		r = run_insn(m, &insn, i);
		if (r < 0)
			return r;
	}
	return fail(m, "the program does not end", 0);
}
