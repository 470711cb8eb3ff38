/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators without windows: arithmetic and changes of quantization.
 */
#include "compiler/lower_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int read_pair(const struct lower *l, struct lower_operand *in, struct lower_operand *out)
{
	int r = lower_input(l, 0, in);

	return r < 0 ? r : lower_output(l, out);
}

static int check_same_shape(const struct lower *l, const struct lower_operand *a,
			    const struct lower_operand *b, const char *hint)
{
	if (!memcmp(a->dims, b->dims, sizeof(a->dims)))
		return 0;
	return lower_error(l, -ENOTSUP, "tensors '%s' and '%s' have different shapes%s",
			   a->tensor->name, b->tensor->name, hint);
}

int lower_add(const struct lower *l)
{
	struct lower_operand in, in2, out;
	struct npu_insn insn;
	double twice;
	int r;

	r = read_pair(l, &in, &out);
	if (r < 0)
		return r;
	r = lower_input(l, 1, &in2);
	if (r < 0)
		return r;
	r = check_same_shape(l, &in, &in2, "; broadcasting is not supported");
	if (r < 0)
		return r;
	r = check_same_shape(l, &in, &out, "");
	if (r < 0)
		return r;
	insn = lower_insn(NPU_OP_ADD, &in, &out, 3);
	insn.is_signed |= (uint8_t)(in2.quant.is_signed << 1);
	insn.zero[1] = in2.quant.zero;
	r = lower_activation(l, l->op->options.activation, &out, &insn);
	if (r < 0)
		return r;
	twice = 2 * fmax(in.quant.scale, in2.quant.scale);
	if (lower_scale(l, &insn.scale[0], in.quant.scale / twice) < 0 ||
	    lower_scale(l, &insn.scale[1], in2.quant.scale / twice) < 0 ||
	    lower_scale(l, &insn.scale[2], ldexp(twice / out.quant.scale, -20)) < 0)
		return -ENOTSUP;
	return lower_emit(l, &insn, (uint32_t[]){in.value, in2.value, out.value}, 3);
}

/* Which dimensions a MEAN is over, as a range: others cannot be folded to height and width. */
static int read_axes(const struct lower *l, const struct tflite_tensor *tensor, uint32_t *ret_first,
		     uint32_t *ret_last)
{
	const struct tflite_tensor *axes;
	unsigned int set = 0;
	int r = lower_integers(l, 1, &axes);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < axes->n_elements; i++) {
		int64_t axis = lower_integer(axes, i);

		if (axis < -(int64_t)tensor->rank || axis >= tensor->rank)
			return lower_error(l, -EBADMSG, "tensor '%s' has no axis %" PRId64,
					   tensor->name, axis);
		set |= 1u << (axis < 0 ? axis + tensor->rank : axis);
	}
	*ret_first = (uint32_t)__builtin_ctz(set);
	*ret_last = 31 - (uint32_t)__builtin_clz(set);
	if (set != (2u << *ret_last) - (1u << *ret_first))
		return lower_error(
			l, -ENOTSUP,
			"a mean of tensor '%s' over axes that are not next to each other "
			"is not supported",
			tensor->name);
	return 0;
}

int lower_mean(const struct lower *l)
{
	uint32_t first = 0, last = 0, dims[4] = {1, 1, 1, 1};
	struct lower_operand in, out;
	struct npu_insn insn;
	int r;

	r = read_pair(l, &in, &out);
	if (r < 0)
		return r;
	r = read_axes(l, in.tensor, &first, &last);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < in.tensor->rank; i++)
		dims[i < first	 ? 0
		     : i < last	 ? 1
		     : i == last ? 2
				 : 3] *= (uint32_t)in.tensor->dims[i];
	if ((uint64_t)dims[0] * dims[3] != out.size)
		return lower_error(l, -EBADMSG, "output tensor '%s' has %u elements instead of %u",
				   out.tensor->name, out.size, dims[0] * dims[3]);
	memcpy(in.dims, dims, sizeof(dims));
	memcpy(out.dims, (uint32_t[]){dims[0], 1, 1, dims[3]}, sizeof(dims));
	insn = lower_insn(NPU_OP_MEAN, &in, &out, 2);
	r = lower_activation(l, TFLITE_ACTIVATION_NONE, &out, &insn);
	if (r < 0)
		return r;
	r = lower_scale(l, &insn.scale[0], in.quant.scale / (out.quant.scale * dims[1] * dims[2]));
	if (r < 0)
		return r;
	return lower_emit(l, &insn, (uint32_t[]){in.value, out.value}, 2);
}

#define SOFTMAX_TABLE_SIZE 1024u

static int add_softmax_table(const struct lower *l, double scale, double beta, uint32_t *ret_value)
{
	uint32_t table[256];
	uint8_t *bytes = malloc(SOFTMAX_TABLE_SIZE);

	if (!bytes)
		return lower_error(l, -ENOMEM, "out of memory");
	quant_softmax_table(table, scale, beta);
	for (uint32_t i = 0; i < SOFTMAX_TABLE_SIZE; i++)
		bytes[i] = (uint8_t)(table[i / 4] >> (8 * (i % 4)));
	return lower_add_constant(l, bytes, SOFTMAX_TABLE_SIZE, true, ret_value);
}

/* The result is in steps of 1/256 from 0; converters emit nothing else. */
static int check_softmax(const struct lower *l, const struct lower_operand *out)
{
	double beta = (double)l->op->options.beta;

	if (!isfinite(beta) || beta <= 0)
		return lower_error(l, -EBADMSG, "beta is %g instead of a positive number", beta);
	if (fabs(out->quant.scale * 256 - 1) > 1e-3 ||
	    out->quant.zero != (out->quant.is_signed ? -128 : 0))
		return lower_error(l, -ENOTSUP,
				   "output tensor '%s' has scale %g and zero point %d; only scale "
				   "1/256 from zero on is supported",
				   out->tensor->name, out->quant.scale, out->quant.zero);
	return 0;
}

int lower_softmax(const struct lower *l)
{
	struct lower_operand in, out;
	struct npu_insn insn;
	uint32_t table;
	int r;

	r = read_pair(l, &in, &out);
	if (r < 0)
		return r;
	r = check_same_shape(l, &in, &out, "");
	if (r < 0)
		return r;
	r = check_softmax(l, &out);
	if (r < 0)
		return r;
	r = add_softmax_table(l, in.quant.scale, (double)l->op->options.beta, &table);
	if (r < 0)
		return r;
	insn = lower_insn(NPU_OP_SOFTMAX, &in, &out, 3);
	insn.zero[0] = 0;
	return lower_emit(l, &insn, (uint32_t[]){in.value, table, out.value}, 3);
}

int lower_chunks(const struct lower *l, const struct lower_operand *in,
		 const struct lower_operand *out, const struct lower_chunks *chunks,
		 uint8_t activation)
{
	struct npu_insn insn = lower_insn(NPU_OP_REQUANTIZE, in, out, 2);
	double factor = in->quant.scale / out->quant.scale;
	int r;

	/* Equal scales, but for the noise of a converter, must copy exactly. */
	if (fabs(factor - 1) < 1e-6)
		factor = 1;
	memcpy(insn.in, (uint32_t[]){chunks->n, chunks->size, chunks->size, in->size},
	       sizeof(insn.in));
	memcpy(insn.out, (uint32_t[]){chunks->n, chunks->size, chunks->pitch, out->size},
	       sizeof(insn.out));
	insn.extra[1] = chunks->start;
	r = lower_activation(l, activation, out, &insn);
	if (r < 0)
		return r;
	r = lower_scale(l, &insn.scale[0], factor);
	if (r < 0)
		return r;
	return lower_emit(l, &insn, (uint32_t[]){in->value, out->value}, 2);
}

/* A whole tensor, in chunks that are small enough to be shared among tasks. */
static int lower_requantize(const struct lower *l, uint8_t activation)
{
	struct lower_operand in, out;
	struct lower_chunks chunks = {.n = 1};
	int r;

	r = read_pair(l, &in, &out);
	if (r < 0)
		return r;
	r = check_same_shape(l, &in, &out, "");
	if (r < 0)
		return r;
	for (int i = 0; i < 4 && in.size / chunks.n > 4096; i++)
		chunks.n *= in.dims[i];
	chunks.size = chunks.pitch = in.size / chunks.n;
	return lower_chunks(l, &in, &out, &chunks, activation);
}

int lower_quantize(const struct lower *l)
{
	return lower_requantize(l, TFLITE_ACTIVATION_NONE);
}

int lower_relu(const struct lower *l)
{
	return lower_requantize(l, TFLITE_ACTIVATION_RELU);
}

int lower_relu_n1_to_1(const struct lower *l)
{
	return lower_requantize(l, TFLITE_ACTIVATION_RELU_N1_TO_1);
}

int lower_relu6(const struct lower *l)
{
	return lower_requantize(l, TFLITE_ACTIVATION_RELU6);
}
