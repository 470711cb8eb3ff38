/* SPDX-License-Identifier: MIT */
/* softmax over channels; the exponential is a table that the compiler made. */
#include "npu/ops_internal.h"

#define TABLE_SIZE (256u * 4)

const char *npu_softmax_check(const struct npu_insn *insn, struct npu_need *need)
{
	uint64_t elements = npu_elements(insn->out);

	if (!npu_same_shape(insn->in, insn->out))
		return "input and output differ in shape";
	if (insn->zero[2] != (npu_is_signed(insn, 2) ? -128 : 0))
		return "zero[2] is not the least value of the output's type";
	need->size[0] = elements;
	need->size[1] = TABLE_SIZE;
	need->size[2] = elements;
	need->units = npu_positions(insn->out);
	need->unit_cost = 4 * (uint64_t)insn->in[3];
	return NULL;
}

/* The index is a byte whatever the input does meanwhile. */
static uint32_t exponential(const uint8_t *table, uint8_t max, uint8_t byte)
{
	return npu_load32(table + 4 * (size_t)(uint8_t)(max - byte));
}

static void softmax_row(const struct npu_insn *insn, const uint8_t *in, const uint8_t *table,
			uint8_t *out)
{
	uint8_t flip = npu_flip(insn, 0), max = 0;
	uint32_t n = insn->in[3];
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		max = max > (uint8_t)(in[i] ^ flip) ? max : in[i] ^ flip;
	for (uint32_t i = 0; i < n; i++)
		sum += exponential(table, max, in[i] ^ flip);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t e = exponential(table, max, in[i] ^ flip);
		uint64_t q = sum ? (e * 256 + sum / 2) / sum : 0;

		out[i] = (uint8_t)((q < 255 ? q : 255) + (uint64_t)(int64_t)insn->zero[2]);
	}
}

void npu_softmax_run(const struct npu_insn *insn, uint8_t *const operand[NPU_MAX_OPERANDS],
		     uint32_t first, uint32_t count)
{
	size_t row = insn->in[3];

	for (uint32_t u = first; u - first < count; u++)
		softmax_row(insn, operand[0] + u * row, operand[1], operand[2] + u * row);
}
