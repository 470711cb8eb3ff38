/* SPDX-License-Identifier: MIT */
/* copy, add, pad and requantize. */
#include "npu/ops_internal.h"

#define COPY_UNIT 4096u
#define ADD_UNIT 1024u
#define ADD_SHIFT 20 /* inputs of add are taken times 2^20 */

const char *npu_copy_check(const struct npu_insn *insn, struct npu_need *need)
{
	if (!insn->extra[0])
		return "extra[0], the length, is 0";
	need->size[0] = insn->extra[0];
	need->size[1] = insn->extra[0];
	need->units = npu_div_up(insn->extra[0], COPY_UNIT);
	need->unit_cost = COPY_UNIT;
	return NULL;
}

void npu_copy_run(const struct npu_insn *insn, uint8_t *const operand[NPU_MAX_OPERANDS],
		  uint32_t first, uint32_t count)
{
	size_t start = (size_t)first * COPY_UNIT, length = (size_t)count * COPY_UNIT;

	if (!count)
		return;
	if (length > insn->extra[0] - start)
		length = insn->extra[0] - start;
	memcpy(operand[1] + start, operand[0] + start, length);
}

const char *npu_add_check(const struct npu_insn *insn, struct npu_need *need)
{
	uint64_t elements = npu_elements(insn->out);

	if (!npu_same_shape(insn->in, insn->out))
		return "input and output differ in shape";
	need->size[0] = need->size[1] = need->size[2] = elements;
	need->units = npu_div_up(elements, ADD_UNIT);
	need->unit_cost = 4 * ADD_UNIT;
	return NULL;
}

static int32_t add_input(const struct npu_insn *insn, unsigned int i, uint8_t byte, uint8_t flip)
{
	int32_t difference = npu_value(byte, flip) - insn->zero[i];

	return npu_scale_apply(difference * (1 << ADD_SHIFT), insn->scale[i]);
}

void npu_add_run(const struct npu_insn *insn, uint8_t *const operand[NPU_MAX_OPERANDS],
		 uint32_t first, uint32_t count)
{
	size_t start = (size_t)first * ADD_UNIT, elements = (size_t)npu_elements(insn->out);
	size_t end = start + (size_t)count * ADD_UNIT;
	uint8_t flip0 = npu_flip(insn, 0), flip1 = npu_flip(insn, 1);

	if (end > elements)
		end = elements;
	for (size_t i = start; i < end; i++) {
		int64_t a = add_input(insn, 0, operand[0][i], flip0);
		int64_t b = add_input(insn, 1, operand[1][i], flip1);

		operand[2][i] = npu_quantize(insn, npu_saturate(a + b), insn->scale[2]);
	}
}

const char *npu_pad_check(const struct npu_insn *insn, struct npu_need *need)
{
	if (npu_is_signed(insn, 0) != npu_is_signed(insn, 1))
		return "input and output differ in type";
	if (insn->in[0] != insn->out[0] || insn->in[3] != insn->out[3])
		return "input and output differ in N or C";
	for (unsigned int i = 0; i < 2; i++)
		if ((uint64_t)insn->in[1 + i] + insn->pad[i] > insn->out[1 + i])
			return "the padded input does not fit into the output";
	need->size[0] = npu_elements(insn->in);
	need->size[1] = npu_elements(insn->out);
	need->units = npu_mul(insn->out[0], insn->out[1]);
	need->unit_cost = npu_mul(insn->out[2], insn->out[3]);
	return NULL;
}

void npu_pad_run(const struct npu_insn *insn, uint8_t *const operand[NPU_MAX_OPERANDS],
		 uint32_t first, uint32_t count)
{
	size_t pixel = insn->in[3], in_row = pixel * insn->in[2], out_row = pixel * insn->out[2];
	size_t left = pixel * insn->pad[1];

	for (uint32_t u = first; u - first < count; u++) {
		uint8_t *out = operand[1] + u * out_row;
		uint32_t n = u / insn->out[1], y = u % insn->out[1];

		memset(out, insn->zero[2], out_row);
		if (y < insn->pad[0] || y - insn->pad[0] >= insn->in[1])
			continue;
		y -= insn->pad[0];
		memcpy(out + left, operand[0] + ((size_t)n * insn->in[1] + y) * in_row, in_row);
	}
}

/* The last chunk must end inside the operand; numbers below 2^32 cannot overflow this. */
static bool chunks_fit(const uint32_t geometry[4], uint32_t offset)
{
	uint64_t last = offset + (geometry[0] - 1) * (uint64_t)geometry[2];

	return last + geometry[1] <= geometry[3];
}

const char *npu_requantize_check(const struct npu_insn *insn, struct npu_need *need)
{
	const uint32_t *in = insn->in, *out = insn->out;

	for (unsigned int i = 0; i < 4; i++)
		if (!in[i] || !out[i])
			return "a number of chunks, length, distance or size is 0";
	if (in[0] != out[0] || in[1] != out[1])
		return "input and output differ in the number or length of chunks";
	if (out[2] < out[1])
		return "chunks of the output overlap";
	if (!chunks_fit(in, insn->extra[0]))
		return "a chunk lies outside the input";
	if (!chunks_fit(out, insn->extra[1]))
		return "a chunk lies outside the output";
	need->size[0] = in[3];
	need->size[1] = out[3];
	need->units = out[0];
	need->unit_cost = 2 * (uint64_t)out[1];
	return NULL;
}

void npu_requantize_run(const struct npu_insn *insn, uint8_t *const operand[NPU_MAX_OPERANDS],
			uint32_t first, uint32_t count)
{
	uint8_t flip = npu_flip(insn, 0);
	uint8_t table[256]; /* results by input byte */

	for (uint32_t i = 0; i < 256; i++)
		table[i] = npu_quantize(insn, npu_value((uint8_t)i, flip) - insn->zero[0],
					insn->scale[0]);
	for (uint32_t u = first; u - first < count; u++) {
		const uint8_t *in = operand[0] + insn->extra[0] + (size_t)u * insn->in[2];
		uint8_t *out = operand[1] + insn->extra[1] + (size_t)u * insn->out[2];

		for (uint32_t i = 0; i < insn->in[1]; i++)
			out[i] = table[in[i]];
	}
}
