/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors as operands: what the operators' functions have in common.
 */
#include "compiler/lower_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int lower_error(const struct lower *l, int r, const char *format, ...)
{
	char text[400], name[32];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);

	if (!l->op)
		return compile_error_set(l->error, r, "%s", text);
	return compile_error_set(l->error, r, "operator %zu (%s): %s", l->index,
				 tflite_operator_name(l->op, name), text);
}

const struct tflite_tensor *lower_tensor(const struct lower *l, uint32_t i)
{
	int32_t index = i < l->op->inputs.n ? tflite_index(&l->op->inputs, i) : TFLITE_NO_TENSOR;

	return index == TFLITE_NO_TENSOR ? NULL : &l->model->tensors[index];
}

/* Fold dimensions to four. All are positive and their product fits 31 bits. */
static void fold_dims(const struct tflite_tensor *tensor, uint32_t ret[4])
{
	uint32_t surplus = tensor->rank > 4 ? tensor->rank - 4 : 0;
	uint32_t missing = tensor->rank < 4 ? 4 - tensor->rank : 0;

	for (uint32_t i = 0; i < 4; i++)
		ret[i] = i < missing ? 1 : (uint32_t)tensor->dims[surplus + i - missing];
	for (uint32_t i = 0; i < surplus; i++)
		ret[0] *= (uint32_t)tensor->dims[i];
}

static int check_type(const struct lower *l, const struct tflite_tensor *tensor, const char *role)
{
	char name[32];

	if (tensor->type == TFLITE_INT8 || tensor->type == TFLITE_UINT8)
		return 0;
	if (tensor->type == TFLITE_FLOAT32)
		return lower_error(l, -ENOTSUP,
				   "%s tensor '%s' is float32; float tensors are not supported; "
				   "quantize the model, with int8 or uint8 inputs and outputs",
				   role, tensor->name);
	return lower_error(l, -ENOTSUP,
			   "%s tensor '%s' is %s; only int8 and uint8 are supported; quantize the "
			   "model to 8 bits",
			   role, tensor->name, tflite_type_name(tensor->type, name));
}

/* The zero point, which all channels share. */
static int read_zero(const struct lower *l, const struct tflite_tensor *tensor, const char *role,
		     struct quant *quant)
{
	int64_t low = quant->is_signed ? INT8_MIN : 0;
	int64_t high = quant->is_signed ? INT8_MAX : UINT8_MAX;

	for (uint32_t i = 0; i < tensor->zero_point.n; i++) {
		int64_t zero = (int64_t)flatbuffer_get_u64(tensor->zero_point.data + 8 * (size_t)i);

		if (zero < low || zero > high)
			return lower_error(l, -EBADMSG,
					   "%s tensor '%s': zero point %" PRId64
					   " does not fit its type",
					   role, tensor->name, zero);
		if (i > 0 && zero != quant->zero)
			return lower_error(l, -ENOTSUP,
					   "%s tensor '%s': its channels have different zero "
					   "points",
					   role, tensor->name);
		quant->zero = (int32_t)zero;
	}
	return 0;
}

static int check_scales(const struct lower *l, const struct tflite_tensor *tensor, const char *role)
{
	if (tensor->scale.n == 0)
		return lower_error(l, -ENOTSUP, "%s tensor '%s' is not quantized: it has no scale",
				   role, tensor->name);
	for (uint32_t i = 0; i < tensor->scale.n; i++) {
		float scale = flatbuffer_get_float(tensor->scale.data + 4 * (size_t)i);

		if (!isfinite(scale) || scale <= 0)
			return lower_error(l, -EBADMSG,
					   "%s tensor '%s': scale %g is not a positive number",
					   role, tensor->name, (double)scale);
	}
	return 0;
}

int lower_quant(const struct lower *l, const struct tflite_tensor *tensor, const char *role,
		struct quant *ret)
{
	int r = check_type(l, tensor, role);

	if (r < 0)
		return r;
	r = check_scales(l, tensor, role);
	if (r < 0)
		return r;
	ret->is_signed = tensor->type == TFLITE_INT8;
	ret->scale = (double)flatbuffer_get_float(tensor->scale.data);
	ret->zero = 0;
	return read_zero(l, tensor, role, ret);
}

int lower_describe(const struct lower *l, const struct tflite_tensor *tensor, const char *role,
		   struct lower_operand *ret)
{
	int r = lower_quant(l, tensor, role, &ret->quant);

	if (r < 0)
		return r;
	if (tensor->scale.n != 1)
		return lower_error(l, -ENOTSUP,
				   "%s tensor '%s' is quantized per channel; only constants can be",
				   role, tensor->name);
	if (tensor->is_dynamic)
		return lower_error(l, -ENOTSUP,
				   "%s tensor '%s' has a dynamic shape; convert the model with a "
				   "fixed input shape",
				   role, tensor->name);
	if (tensor->is_variable)
		return lower_error(l, -ENOTSUP,
				   "%s tensor '%s' is a variable, which keeps its value between "
				   "runs; that is not supported",
				   role, tensor->name);
	if (tensor->n_elements > INT32_MAX)
		return lower_error(l, -EFBIG,
				   "%s tensor '%s' is too large: %" PRIu64
				   " bytes, at most 2147483647 are supported",
				   role, tensor->name, tensor->n_elements);
	ret->tensor = tensor;
	ret->size = (uint32_t)tensor->n_elements;
	fold_dims(tensor, ret->dims);
	return 0;
}

void lower_set_value(struct ir_value *value, const struct lower_operand *operand)
{
	const struct tflite_tensor *tensor = operand->tensor;

	value->size = operand->size;
	value->type = operand->quant.is_signed ? GRAPH_TYPE_INT8 : GRAPH_TYPE_UINT8;
	value->scale = (float)operand->quant.scale;
	value->zero = operand->quant.zero;
	memcpy(value->name, tensor->name, sizeof(value->name));
	value->rank = tensor->rank;
	for (uint32_t i = 0; i < tensor->rank; i++)
		value->dims[i] = (uint32_t)tensor->dims[i];
}

int lower_input(const struct lower *l, uint32_t i, struct lower_operand *ret)
{
	const struct tflite_tensor *tensor = lower_tensor(l, i);
	size_t index;
	int r;

	if (!tensor)
		return lower_error(l, -EBADMSG, "input %u is missing", i);
	r = lower_describe(l, tensor, "input", ret);
	if (r < 0)
		return r;
	if (tensor->data.data)
		return lower_error(l, -ENOTSUP,
				   "input tensor '%s' is a constant; here only results of other "
				   "operators and model inputs are supported",
				   tensor->name);
	index = (size_t)(tensor - l->model->tensors);
	if (!l->is_defined[index])
		return lower_error(l, -EBADMSG,
				   "input tensor '%s' is neither a model input nor the result of "
				   "an earlier operator",
				   tensor->name);
	ret->value = l->home[index];
	return 0;
}

int lower_output(const struct lower *l, struct lower_operand *ret)
{
	size_t index = (size_t)tflite_index(&l->op->outputs, 0);
	const struct tflite_tensor *tensor = &l->model->tensors[index];
	struct ir_value value = {.kind = IR_INTERMEDIATE};
	int r;

	r = lower_describe(l, tensor, "output", ret);
	if (r < 0)
		return r;
	if (tensor->data.data || l->is_defined[index])
		return lower_error(l, -EBADMSG,
				   "output tensor '%s' is a constant, a model input or the result "
				   "of an earlier operator",
				   tensor->name);
	if (l->home[index] == IR_NO_VALUE) {
		lower_set_value(&value, ret);
		r = ir_add_value(l->ir, &value, &l->home[index]);
		if (r < 0)
			return lower_error(l, r, "out of memory");
	}
	ret->value = l->home[index];
	return 0;
}

int lower_constant(const struct lower *l, uint32_t i, bool optional,
		   const struct tflite_tensor **ret)
{
	const struct tflite_tensor *tensor = lower_tensor(l, i);
	char name[32];

	*ret = tensor;
	if (!tensor)
		return optional ? 0 : lower_error(l, -EBADMSG, "input %u is missing", i);
	if (tensor->is_sparse)
		return lower_error(l, -ENOTSUP,
				   "input tensor '%s' is sparse; sparse tensors are not supported",
				   tensor->name);
	if (!tensor->data.data || tensor->is_dynamic)
		return lower_error(l, -ENOTSUP,
				   "input tensor '%s' is not a constant; here only constants are "
				   "supported",
				   tensor->name);
	if (tensor->n_elements > INT32_MAX ||
	    tensor->n_elements * tflite_type_size(tensor->type) != tensor->data.n)
		return lower_error(l, -EBADMSG,
				   "input tensor '%s' has %u bytes of data, which does not fit its "
				   "shape and type %s",
				   tensor->name, tensor->data.n,
				   tflite_type_name(tensor->type, name));
	return 0;
}

int lower_integers(const struct lower *l, uint32_t i, const struct tflite_tensor **ret)
{
	char name[32];
	int r = lower_constant(l, i, false, ret);

	if (r < 0)
		return r;
	if ((*ret)->type != TFLITE_INT32 && (*ret)->type != TFLITE_INT64)
		return lower_error(l, -EBADMSG, "input tensor '%s' is %s instead of int32",
				   (*ret)->name, tflite_type_name((*ret)->type, name));
	return 0;
}

int64_t lower_integer(const struct tflite_tensor *tensor, uint32_t i)
{
	if (tensor->type == TFLITE_INT64)
		return (int64_t)flatbuffer_get_u64(tensor->data.data + 8 * (size_t)i);
	return (int32_t)flatbuffer_get_u32(tensor->data.data + 4 * (size_t)i);
}

int lower_same_quant(const struct lower *l, const struct lower_operand *a,
		     const struct lower_operand *b)
{
	double difference = fabs(a->quant.scale - b->quant.scale);

	if (a->quant.is_signed == b->quant.is_signed && a->quant.zero == b->quant.zero &&
	    difference <= 1e-5 * a->quant.scale)
		return 0;
	return lower_error(l, -ENOTSUP,
			   "tensors '%s' and '%s' must have the same type, scale and zero point",
			   a->tensor->name, b->tensor->name);
}

int lower_activation(const struct lower *l, uint8_t activation, const struct lower_operand *out,
		     struct npu_insn *insn)
{
	static const struct quant_bounds bounds[] = {
		[TFLITE_ACTIVATION_NONE] = {-INFINITY, INFINITY},
		[TFLITE_ACTIVATION_RELU] = {0, INFINITY},
		[TFLITE_ACTIVATION_RELU_N1_TO_1] = {-1, 1},
		[TFLITE_ACTIVATION_RELU6] = {0, 6},
	};

	if (activation >= sizeof(bounds) / sizeof(bounds[0]))
		return lower_error(l, -ENOTSUP,
				   "the fused activation %s is not supported, only RELU, "
				   "RELU_N1_TO_1 and RELU6",
				   activation == TFLITE_ACTIVATION_TANH	      ? "TANH"
				   : activation == TFLITE_ACTIVATION_SIGN_BIT ? "SIGN_BIT"
									      : "of this number");
	quant_clamp(&out->quant, &bounds[activation], &insn->act_min, &insn->act_max);
	return 0;
}

int lower_scale(const struct lower *l, struct npu_scale *ret, double factor)
{
	if (quant_scale(ret, factor) < 0)
		return lower_error(l, -ENOTSUP,
				   "the scales of its tensors are too far apart (factor %g)",
				   factor);
	return 0;
}

int lower_add_constant(const struct lower *l, const uint8_t *data, uint32_t size, bool owned,
		       uint32_t *ret_value)
{
	int r = ir_add_constant(l->ir, data, size, owned, ret_value);

	if (r == -EFBIG)
		return lower_error(l, r, "the model's constants are more than 2 GiB");
	return r < 0 ? lower_error(l, r, "out of memory") : 0;
}

int lower_emit(const struct lower *l, const struct npu_insn *insn, const uint32_t *values,
	       unsigned int n)
{
	uint32_t operands[NPU_MAX_OPERANDS];
	struct compile_error why;
	int r;

	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++)
		operands[i] = i < n ? values[i] : IR_NO_VALUE;
	r = ir_add_insn(l->ir, insn, operands, &why);
	return r < 0 ? lower_error(l, r, "%.380s", why.text) : 0;
}

struct npu_insn lower_insn(uint16_t opcode, const struct lower_operand *in,
			   const struct lower_operand *out, unsigned int n)
{
	struct npu_insn insn = {.opcode = opcode};

	memcpy(insn.in, in->dims, sizeof(insn.in));
	memcpy(insn.out, out->dims, sizeof(insn.out));
	insn.is_signed = (uint8_t)(in->quant.is_signed | out->quant.is_signed << (n - 1));
	insn.zero[0] = in->quant.zero;
	insn.zero[2] = out->quant.zero;
	return insn;
}
