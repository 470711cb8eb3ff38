/* SPDX-License-Identifier: MIT */
/* The table of operators, and the checks they have in common. */
#include "npu/ops_internal.h"

#define OPERATOR(name) npu_##name##_check, npu_##name##_run
#define CONTROL NULL, NULL

/* in, filter, bias, scales, out */
#define FILTER_OPERANDS                                                                            \
	{                                                                                          \
		NPU_OPERAND_INPUT, NPU_OPERAND_CONSTANT, NPU_OPERAND_CONSTANT,                     \
			NPU_OPERAND_CONSTANT, NPU_OPERAND_OUTPUT                                   \
	}
#define FILTER_BYTES (1u << 0 | 1u << 1 | 1u << 4)
#define IN_OUT                                                                                     \
	{                                                                                          \
		NPU_OPERAND_INPUT, NPU_OPERAND_OUTPUT                                              \
	}
#define IN_OUT_BYTES (1u << 0 | 1u << 1)
#define THREE_BYTES (1u << 0 | 1u << 1 | 1u << 2)

#define SHAPES (NPU_FIELD_IN | NPU_FIELD_OUT)
#define WINDOW (NPU_FIELD_KERNEL | NPU_FIELD_STRIDE | NPU_FIELD_PAD)
#define ZERO_IN_OUT (NPU_FIELD_ZERO0 | NPU_FIELD_ZERO2)
#define ZEROS (ZERO_IN_OUT | NPU_FIELD_ZERO1)
#define SCALES (NPU_FIELD_SCALE0 | NPU_FIELD_SCALE1 | NPU_FIELD_SCALE2)
#define CHUNKS (NPU_FIELD_CHUNKS | NPU_FIELD_EXTRA0 | NPU_FIELD_EXTRA1)

static const char *check_fault(const struct npu_insn *insn, struct npu_need *need)
{
	(void)need;
	return insn->extra[0] > NPU_RAISE_ERROR ? "extra[0] is nothing that can be raised" : NULL;
}

/* clang-format off */
static const struct npu_op_row rows[] = {
	{ { NPU_OP_END, "end", { NULL } }, { NPU_OPERAND_NONE }, 0, 0, CONTROL },
	{ { NPU_OP_COPY, "copy", { "in", "out" } },
	  IN_OUT, 0, NPU_FIELD_EXTRA0, OPERATOR(copy) },
	{ { NPU_OP_DELAY, "delay", { NULL } }, { NPU_OPERAND_NONE }, 0, NPU_FIELD_EXTRA0, CONTROL },
	{ { NPU_OP_HANG, "hang", { NULL } }, { NPU_OPERAND_NONE }, 0, 0, CONTROL },
	{ { NPU_OP_FAULT, "fault", { NULL } },
	  { NPU_OPERAND_NONE }, 0, NPU_FIELD_EXTRA0, check_fault, NULL },
	{ { NPU_OP_CONV2D, "conv2d", { "in", "filter", "bias", "scales", "out" } },
	  FILTER_OPERANDS, FILTER_BYTES,
	  SHAPES | WINDOW | NPU_FIELD_DILATION | ZEROS | NPU_FIELD_ACT, OPERATOR(conv2d) },
	{ { NPU_OP_DEPTHWISE2D, "depthwise2d", { "in", "filter", "bias", "scales", "out" } },
	  FILTER_OPERANDS, FILTER_BYTES,
	  SHAPES | WINDOW | NPU_FIELD_DILATION | ZEROS | NPU_FIELD_ACT, OPERATOR(depthwise2d) },
	{ { NPU_OP_FULLY_CONNECTED, "fully_connected", { "in", "filter", "bias", "scales", "out" } },
	  FILTER_OPERANDS, FILTER_BYTES, SHAPES | ZEROS | NPU_FIELD_ACT, OPERATOR(fully_connected) },
	{ { NPU_OP_AVERAGE_POOL, "average_pool", { "in", "out" } },
	  IN_OUT, IN_OUT_BYTES, SHAPES | WINDOW | NPU_FIELD_ACT, OPERATOR(average_pool) },
	{ { NPU_OP_MAX_POOL, "max_pool", { "in", "out" } },
	  IN_OUT, IN_OUT_BYTES, SHAPES | WINDOW | NPU_FIELD_ACT, OPERATOR(max_pool) },
	{ { NPU_OP_ADD, "add", { "in", "in2", "out" } },
	  { NPU_OPERAND_INPUT, NPU_OPERAND_INPUT, NPU_OPERAND_OUTPUT }, THREE_BYTES,
	  SHAPES | ZEROS | NPU_FIELD_ACT | SCALES, OPERATOR(add) },
	{ { NPU_OP_PAD, "pad", { "in", "out" } },
	  IN_OUT, IN_OUT_BYTES, SHAPES | NPU_FIELD_PAD | NPU_FIELD_ZERO2, OPERATOR(pad) },
	{ { NPU_OP_MEAN, "mean", { "in", "out" } },
	  IN_OUT, IN_OUT_BYTES, SHAPES | ZERO_IN_OUT | NPU_FIELD_ACT | NPU_FIELD_SCALE0,
	  OPERATOR(mean) },
	{ { NPU_OP_SOFTMAX, "softmax", { "in", "table", "out" } },
	  { NPU_OPERAND_INPUT, NPU_OPERAND_CONSTANT, NPU_OPERAND_OUTPUT }, 1u << 0 | 1u << 2,
	  SHAPES | NPU_FIELD_ZERO2, OPERATOR(softmax) },
	{ { NPU_OP_REQUANTIZE, "requantize", { "in", "out" } },
	  IN_OUT, IN_OUT_BYTES,
	  SHAPES | ZERO_IN_OUT | NPU_FIELD_ACT | NPU_FIELD_SCALE0 | CHUNKS, OPERATOR(requantize) },
};

#define UNUSED(field, member) \
	{ field, offsetof(struct npu_insn, member), sizeof(((struct npu_insn *)0)->member), \
	  #member " is set but this operation does not use it" }

static const struct {
	uint32_t field;
	uint8_t offset, size;
	const char *text;
} unused[] = {
	UNUSED(NPU_FIELD_IN, in),
	UNUSED(NPU_FIELD_OUT, out),
	UNUSED(NPU_FIELD_KERNEL, kernel),
	UNUSED(NPU_FIELD_STRIDE, stride),
	UNUSED(NPU_FIELD_DILATION, dilation),
	UNUSED(NPU_FIELD_PAD, pad),
	UNUSED(NPU_FIELD_ZERO0, zero[0]),
	UNUSED(NPU_FIELD_ZERO1, zero[1]),
	UNUSED(NPU_FIELD_ZERO2, zero[2]),
	UNUSED(NPU_FIELD_ACT, act_min),
	UNUSED(NPU_FIELD_ACT, act_max),
	UNUSED(NPU_FIELD_SCALE0, scale[0]),
	UNUSED(NPU_FIELD_SCALE1, scale[1]),
	UNUSED(NPU_FIELD_SCALE2, scale[2]),
	UNUSED(NPU_FIELD_EXTRA0, extra[0]),
	UNUSED(NPU_FIELD_EXTRA1, extra[1]),
};
/* clang-format on */

static const struct npu_op_row *row_find(uint16_t opcode)
{
	for (unsigned int i = 0; i < NPU_ARRAY_SIZE(rows); i++)
		if (rows[i].op.opcode == opcode)
			return &rows[i];
	return NULL;
}

const struct npu_op *npu_op_find(uint16_t opcode)
{
	const struct npu_op_row *row = row_find(opcode);

	return row ? &row->op : NULL;
}

const struct npu_op *npu_op_at(unsigned int i)
{
	return i < NPU_ARRAY_SIZE(rows) ? &rows[i].op : NULL;
}

static const char *check_unused(const struct npu_op_row *row, const struct npu_insn *insn)
{
	const uint8_t *bytes = (const uint8_t *)insn;

	for (unsigned int i = 0; i < NPU_ARRAY_SIZE(unused); i++) {
		if (row->fields & unused[i].field)
			continue;
		for (unsigned int j = 0; j < unused[i].size; j++)
			if (bytes[unused[i].offset + j])
				return unused[i].text;
	}
	return NULL;
}

static const char *check_slots(const struct npu_op_row *row, const struct npu_insn *insn)
{
	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++) {
		if (row->kind[i] == NPU_OPERAND_NONE) {
			if (insn->slot[i] != NPU_NO_SLOT)
				return "a slot is set but this operation does not use it";
			continue;
		}
		if (insn->slot[i] == NPU_NO_SLOT)
			return "an operand has no slot";
		if (insn->slot[i] % 4)
			return "a slot is not a multiple of 4";
		if (insn->slot[i] > 0xfffffff8u)
			return "a slot does not end below 4 GiB";
	}
	if (insn->is_signed & ~row->bytes)
		return "is_signed is set for an operand that does not consist of bytes";
	return NULL;
}

static const char *check_shape(const uint32_t shape[4])
{
	if (!shape[0] || !shape[1] || !shape[2] || !shape[3])
		return "a dimension is 0";
	if (npu_elements(shape) > NPU_MAX_OPERAND_SIZE)
		return "a tensor is larger than 2^31 - 1 bytes";
	return NULL;
}

static const char *check_geometry(const struct npu_op_row *row, const struct npu_insn *insn)
{
	bool shapes = row->fields & NPU_FIELD_IN && !(row->fields & NPU_FIELD_CHUNKS);
	const char *why = shapes ? check_shape(insn->in) : NULL;

	if (!why && shapes)
		why = check_shape(insn->out);
	if (why)
		return why;
	if (row->fields & NPU_FIELD_KERNEL && (!insn->kernel[0] || !insn->kernel[1]))
		return "kernel is 0";
	if (row->fields & NPU_FIELD_STRIDE && (!insn->stride[0] || !insn->stride[1]))
		return "stride is 0";
	if (row->fields & NPU_FIELD_DILATION && (!insn->dilation[0] || !insn->dilation[1]))
		return "dilation is 0";
	return NULL;
}

static bool in_type(int32_t value, bool is_signed)
{
	return is_signed ? value >= -128 && value <= 127 : value >= 0 && value <= 255;
}

static unsigned int output_of(const struct npu_op_row *row)
{
	unsigned int i = 0;

	while (i < NPU_MAX_OPERANDS - 1 && row->kind[i] != NPU_OPERAND_OUTPUT)
		i++;
	return i;
}

/* Unused fields are 0 and pass: 0 is in both types, and a legal multiplier. */
static const char *check_quantization(const struct npu_op_row *row, const struct npu_insn *insn)
{
	bool out_signed = npu_is_signed(insn, output_of(row));

	if (!in_type(insn->zero[0], npu_is_signed(insn, 0)))
		return "zero[0] is outside the type of its operand";
	if (!in_type(insn->zero[1], npu_is_signed(insn, 1)))
		return "zero[1] is outside the type of its operand";
	if (!in_type(insn->zero[2], out_signed))
		return "zero[2] is outside the type of the output";
	if (!in_type(insn->act_min, out_signed) || !in_type(insn->act_max, out_signed))
		return "the clamp is outside the type of the output";
	if (insn->act_min > insn->act_max)
		return "act_min is above act_max";
	for (unsigned int i = 0; i < NPU_ARRAY_SIZE(insn->scale); i++) {
		if (insn->scale[i].multiplier && insn->scale[i].multiplier < 1 << 30)
			return "a scale's multiplier is neither 0 nor at least 2^30";
		if (insn->scale[i].shift < -31 || insn->scale[i].shift > 30)
			return "a scale's shift is outside -31 to 30";
	}
	return NULL;
}

static const char *demand_fill(struct npu_demand *ret, const struct npu_op_row *row,
			       const struct npu_need *need)
{
	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++) {
		if (need->size[i] > NPU_MAX_OPERAND_SIZE)
			return "an operand is larger than 2^31 - 1 bytes";
		ret->kind[i] = row->kind[i];
		ret->size[i] = (uint32_t)need->size[i];
	}
	if (need->unit_cost > NPU_MAX_UNIT_COST)
		return "a unit of work costs more than 2^27";
	if (need->units > 0xffffffffu)
		return "there are more than 2^32 - 1 units of work";
	ret->units = (uint32_t)need->units;
	ret->unit_cost = (uint32_t)need->unit_cost;
	return NULL;
}

const char *npu_insn_check(const struct npu_insn *insn, struct npu_demand *ret)
{
	const struct npu_op_row *row = row_find(insn->opcode);
	struct npu_need need = {.units = 1, .unit_cost = 1};
	const char *why;

	if (!row)
		return "unknown opcode";
	if (insn->version != NPU_ISA_VERSION)
		return "unknown version of the instruction set";
	why = check_unused(row, insn);
	if (!why)
		why = check_slots(row, insn);
	if (!why)
		why = check_geometry(row, insn);
	if (!why)
		why = check_quantization(row, insn);
	if (!why && row->check)
		why = row->check(insn, &need);
	return why ? why : demand_fill(ret, row, &need);
}

void npu_insn_run(const struct npu_insn *insn, uint8_t *const operand[NPU_MAX_OPERANDS],
		  uint32_t first, uint32_t count)
{
	const struct npu_op_row *row = row_find(insn->opcode);

	if (row && row->run)
		row->run(insn, operand, first, count);
}
