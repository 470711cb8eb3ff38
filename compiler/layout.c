/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/layout.h"

#include "compiler/bytes.h"
#include "compiler/container_writer.h"
#include "compiler/plan.h"
#include "loadable/container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGN 64u
/* Cores of the device that software targets describe: it goes into the detailed target name. */
#define TARGET_CORES 3

struct layout {
	struct ir *ir;
	struct bytes text, rodata;
	struct plan_item *items;      /* one for each intermediate, in order of values */
	struct container_part *parts; /* one for each value; intermediates in order */
	struct container_section *statics, *reuses;
	struct container_tensor *tensors;
	size_t n_items, n_parts, n_statics, n_reuses, n_tensors;
};

static void layout_finish(struct layout *l)
{
	bytes_finish(&l->text);
	bytes_finish(&l->rodata);
	free(l->items);
	free(l->parts);
	free(l->statics);
	free(l->reuses);
	free(l->tensors);
}

static int layout_init(struct layout *l, struct ir *ir)
{
	size_t n = ir->n_values + 1;

	l->ir = ir;
	l->items = calloc(n, sizeof(*l->items));
	l->parts = calloc(n, sizeof(*l->parts));
	l->statics = calloc(n, sizeof(*l->statics));
	l->reuses = calloc(n, sizeof(*l->reuses));
	l->tensors = calloc(n, sizeof(*l->tensors));
	return l->items && l->parts && l->statics && l->reuses && l->tensors ? 0 : -ENOMEM;
}

/* The slot of a value, in order of values; those that nothing uses have none. */
static void write_slots(struct layout *l)
{
	for (size_t i = 0; i < l->ir->n_values; i++) {
		struct ir_value *value = &l->ir->values[i];

		value->slot = NPU_NO_SLOT;
		if (!value->is_used)
			continue;
		value->slot = (uint32_t)l->rodata.size;
		bytes_u32(&l->rodata, 0);
		bytes_u32(&l->rodata, value->size);
	}
	/* The format has no empty parameter blocks. */
	if (l->rodata.size == 0)
		bytes_zeros(&l->rodata, sizeof(struct npu_slot));
}

static void write_text(struct layout *l)
{
	for (size_t i = 0; i < l->ir->n_insns; i++) {
		struct ir_insn *insn = &l->ir->insns[i];

		for (unsigned int k = 0; k < NPU_MAX_OPERANDS; k++)
			if (insn->value[k] != IR_NO_VALUE)
				insn->insn.slot[k] = l->ir->values[insn->value[k]].slot;
		bytes_append(&l->text, &insn->insn, sizeof(insn->insn));
	}
}

static const struct container_part *add_part(struct layout *l, const struct ir_value *value,
					     uint32_t type, uint32_t offset)
{
	struct container_part *part = &l->parts[l->n_parts++];

	*part = (struct container_part){
		.offset = offset,
		.size = value->size,
		.type = type,
		.id = value->id,
		.data_type = value->type,
		.scale = value->scale,
		.zero_point = value->zero,
		.position = value->slot == NPU_NO_SLOT ? CONTAINER_NO_POSITION : value->slot,
	};
	return part;
}

static void add_tensor(struct layout *l, const struct ir_value *value, bool is_input)
{
	l->tensors[l->n_tensors++] = (struct container_tensor){
		.kind = is_input ? 0 : 1,
		.id = value->id,
		.layout = value->rank == 4 ? GRAPH_LAYOUT_NHWC : GRAPH_LAYOUT_NONE,
		.rank = value->rank,
		.dims = value->dims,
		.name = value->name,
	};
}

static void add_constants(struct layout *l, struct layout_report *report)
{
	for (size_t i = 0; i < l->ir->n_values; i++) {
		const struct ir_value *value = &l->ir->values[i];

		if (value->kind != IR_CONSTANT || !value->is_used)
			continue;
		l->statics[l->n_statics++] = (struct container_section){
			.size = value->size,
			.align = ALIGN,
			.data = value->data,
			.parts = add_part(l, value, CONTAINER_SUBSECTION_CONSTANT, 0),
			.n_parts = 1,
		};
		report->n_constants++;
		report->constant_bytes += value->size;
	}
}

/* Inputs, then outputs: each alone in its section. */
static void add_ios(struct layout *l, enum ir_kind kind)
{
	bool is_input = kind == IR_INPUT;

	for (size_t i = 0; i < l->ir->n_values; i++) {
		const struct ir_value *value = &l->ir->values[i];

		if (value->kind != kind)
			continue;
		l->reuses[l->n_reuses++] = (struct container_section){
			.size = value->size,
			.align = ALIGN,
			.parts = add_part(l, value,
					  is_input ? CONTAINER_SUBSECTION_INPUT
						   : CONTAINER_SUBSECTION_OUTPUT,
					  0),
			.n_parts = 1,
		};
		add_tensor(l, value, is_input);
	}
}

static bool is_placed(const struct ir_value *value)
{
	return value->kind == IR_INTERMEDIATE && value->is_used;
}

static int add_intermediates(struct layout *l, struct layout_report *report)
{
	const struct container_part *parts = &l->parts[l->n_parts];
	size_t n = 0;
	int r;

	for (size_t i = 0; i < l->ir->n_values; i++) {
		const struct ir_value *value = &l->ir->values[i];

		if (!is_placed(value))
			continue;
		l->items[l->n_items++] = (struct plan_item){
			.size = value->size, .first = value->first, .last = value->last};
		report->intermediate_bytes += value->size;
	}
	r = plan_memory(l->items, l->n_items, ALIGN, &report->arena_bytes);
	if (r < 0 || l->n_items == 0)
		return r;
	for (size_t i = 0; i < l->ir->n_values; i++)
		if (is_placed(&l->ir->values[i]))
			add_part(l, &l->ir->values[i], CONTAINER_SUBSECTION_INTERMEDIATE,
				 l->items[n++].offset);
	l->reuses[l->n_reuses++] = (struct container_section){
		.size = report->arena_bytes,
		.align = ALIGN,
		.parts = parts,
		.n_parts = l->n_items,
	};
	report->n_intermediates = (uint32_t)l->n_items;
	return 0;
}

static int write_container(const struct layout *l, const struct graph_target *target, uint8_t **ret,
			   size_t *ret_size)
{
	struct container container = {
		.device = target->word,
		.text = {l->text.data, l->text.size},
		.rodata = {l->rodata.data, l->rodata.size},
		.statics = l->statics,
		.n_statics = l->n_statics,
		.reuses = l->reuses,
		.n_reuses = l->n_reuses,
		.tensors = l->tensors,
		.n_tensors = l->n_tensors,
	};
	char comment[96];

	snprintf(comment, sizeof(comment), "zhouyi-cc %s\ntarget:%sMP%d;", ZHOUYI_VERSION,
		 target->name, TARGET_CORES);
	container.comment = comment;
	if (l->text.failed || l->rodata.failed)
		return -ENOMEM;
	return container_write(ret, ret_size, &container);
}

int layout_write(uint8_t **ret, size_t *ret_size, struct ir *ir, const struct graph_target *target,
		 struct layout_report *ret_report, struct compile_error *ret_error)
{
	struct layout_report report = {.n_insns = (uint32_t)ir->n_insns};
	struct layout l = {0};
	int r = layout_init(&l, ir);

	if (r == 0) {
		write_slots(&l);
		write_text(&l);
		add_constants(&l, &report);
		add_ios(&l, IR_INPUT);
		add_ios(&l, IR_OUTPUT);
		r = add_intermediates(&l, &report);
	}
	if (r == 0)
		r = write_container(&l, target, ret, ret_size);
	layout_finish(&l);
	if (r == -EFBIG)
		return compile_error_set(ret_error, r,
					 "the compiled model is too large: its constants need more "
					 "than 2 GiB, or its tensors more than 3 GiB");
	if (r < 0)
		return compile_error_set(ret_error, r, "out of memory");
	*ret_report = report;
	return 0;
}
