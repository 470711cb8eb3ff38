/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators that move elements: padding, concatenation, reshaping.
 */
#include "compiler/lower_internal.h"

#include <errno.h>
#include <inttypes.h>

/* Padding of dimension @i of four: the tensor of paddings has a pair for each real one. */
static int64_t padding_at(const struct tflite_tensor *paddings, uint32_t rank, uint32_t i,
			  uint32_t side)
{
	uint32_t missing = 4 - rank;

	return i < missing ? 0 : lower_integer(paddings, 2 * (i - missing) + side);
}

static int check_paddings(const struct lower *l, const struct tflite_tensor *paddings,
			  const struct lower_operand *in, const struct lower_operand *out)
{
	uint32_t rank = in->tensor->rank;

	if (rank > 4 || out->tensor->rank != rank)
		return lower_error(
			l, -ENOTSUP,
			"tensors '%s' and '%s' have %u and %u dimensions; the same number "
			"and at most 4 are supported",
			in->tensor->name, out->tensor->name, rank, out->tensor->rank);
	if (paddings->n_elements != 2 * (uint64_t)rank)
		return lower_error(l, -EBADMSG,
				   "tensor '%s' has %" PRIu64 " paddings instead of %u",
				   paddings->name, paddings->n_elements, 2 * rank);
	for (uint32_t i = 0; i < 4; i++) {
		int64_t before = padding_at(paddings, rank, i, 0);
		int64_t after = padding_at(paddings, rank, i, 1);

		if (before < 0 || after < 0 || before > UINT16_MAX || after > INT32_MAX ||
		    in->dims[i] + before + after != out->dims[i])
			return lower_error(l, -EBADMSG,
					   "padding %" PRId64 " + %" PRId64
					   " does not lead from %u to %u elements",
					   before, after, in->dims[i], out->dims[i]);
		if ((i == 0 || i == 3) && before + after)
			return lower_error(
				l, -ENOTSUP,
				"padding is supported for height and width only, not for "
				"batch and channels");
	}
	return 0;
}

int lower_pad(const struct lower *l)
{
	const struct tflite_tensor *paddings;
	struct lower_operand in, out;
	struct npu_insn insn;
	int r;

	r = lower_input(l, 0, &in);
	if (r < 0)
		return r;
	r = lower_output(l, &out);
	if (r < 0)
		return r;
	r = lower_same_quant(l, &in, &out);
	if (r < 0)
		return r;
	r = lower_integers(l, 1, &paddings);
	if (r < 0)
		return r;
	r = check_paddings(l, paddings, &in, &out);
	if (r < 0)
		return r;
	insn = lower_insn(NPU_OP_PAD, &in, &out, 2);
	insn.zero[0] = 0;
	insn.pad[0] = (uint16_t)padding_at(paddings, in.tensor->rank, 1, 0);
	insn.pad[1] = (uint16_t)padding_at(paddings, in.tensor->rank, 2, 0);
	return lower_emit(l, &insn, (uint32_t[]){in.value, out.value}, 2);
}

/* What is in front of and behind an axis. */
struct around {
	uint32_t outer, inner;
};

static struct around around_axis(const struct tflite_tensor *tensor, uint32_t axis)
{
	struct around around = {1, 1};

	for (uint32_t i = 0; i < tensor->rank; i++) {
		if (i < axis)
			around.outer *= (uint32_t)tensor->dims[i];
		else if (i > axis)
			around.inner *= (uint32_t)tensor->dims[i];
	}
	return around;
}

static int check_joint(const struct lower *l, const struct tflite_tensor *in,
		       const struct tflite_tensor *out, uint32_t axis)
{
	bool fits = in->rank == out->rank;

	for (uint32_t i = 0; i < out->rank && fits; i++)
		fits = i == axis || in->dims[i] == out->dims[i];
	if (!fits)
		return lower_error(l, -EBADMSG,
				   "tensors '%s' and '%s' differ in more than dimension %u",
				   in->name, out->name, axis);
	return 0;
}

int lower_concatenation(const struct lower *l)
{
	struct lower_operand out, in;
	struct around around;
	int64_t axis = l->op->options.axis;
	uint64_t filled = 0; /* along the axis */
	int r;

	r = lower_output(l, &out);
	if (r < 0)
		return r;
	if (axis < -(int64_t)out.tensor->rank || axis >= out.tensor->rank)
		return lower_error(l, -EBADMSG, "output tensor '%s' has no axis %" PRId64,
				   out.tensor->name, axis);
	axis += axis < 0 ? out.tensor->rank : 0;
	around = around_axis(out.tensor, (uint32_t)axis);
	for (uint32_t i = 0; i < l->op->inputs.n; i++) {
		struct lower_chunks chunks = {.n = around.outer};

		r = lower_input(l, i, &in);
		if (r < 0)
			return r;
		r = check_joint(l, in.tensor, out.tensor, (uint32_t)axis);
		if (r < 0)
			return r;
		if (filled + (uint32_t)in.tensor->dims[axis] > (uint32_t)out.tensor->dims[axis])
			break;
		chunks.size = (uint32_t)in.tensor->dims[axis] * around.inner;
		chunks.pitch = (uint32_t)out.tensor->dims[axis] * around.inner;
		chunks.start = (uint32_t)filled * around.inner;
		r = lower_chunks(l, &in, &out, &chunks, l->op->options.activation);
		if (r < 0)
			return r;
		filled += (uint32_t)in.tensor->dims[axis];
	}
	if (filled != (uint32_t)out.tensor->dims[axis])
		return lower_error(l, -EBADMSG,
				   "its inputs do not fill dimension %" PRId64 " of tensor '%s'",
				   axis, out.tensor->name);
	return 0;
}

int lower_reshape(const struct lower *l)
{
	size_t index = (size_t)tflite_index(&l->op->outputs, 0);
	struct npu_insn insn = {.opcode = NPU_OP_COPY};
	struct lower_operand in, out;
	int r;

	r = lower_input(l, 0, &in);
	if (r < 0)
		return r;
	/* Without a place of its own the output is another name for the input. */
	if (l->home[index] == IR_NO_VALUE)
		l->home[index] = in.value;
	r = lower_output(l, &out);
	if (r < 0)
		return r;
	if (in.size != out.size || in.tensor->type != out.tensor->type)
		return lower_error(l, -EBADMSG,
				   "tensors '%s' and '%s' differ in type or number of elements",
				   in.tensor->name, out.tensor->name);
	if (in.value == out.value)
		return 0;
	insn.extra[0] = in.size;
	return lower_emit(l, &insn, (uint32_t[]){in.value, out.value}, 2);
}
