/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/lower_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lowering {
	uint32_t code; /* enum tflite_builtin */
	const char *name;
	uint32_t min_inputs, max_inputs;
	bool needs_options;
	bool is_alias; /* the output is the input under another shape */
	int (*lower)(const struct lower *l);
};

static const struct lowering lowerings[] = {
	{TFLITE_ADD, "ADD", 2, 2, true, false, lower_add},
	{TFLITE_AVERAGE_POOL_2D, "AVERAGE_POOL_2D", 1, 1, true, false, lower_average_pool},
	{TFLITE_CONCATENATION, "CONCATENATION", 1, TFLITE_MAX_ARGUMENTS, true, false,
	 lower_concatenation},
	{TFLITE_CONV_2D, "CONV_2D", 2, 3, true, false, lower_conv2d},
	{TFLITE_DEPTHWISE_CONV_2D, "DEPTHWISE_CONV_2D", 2, 3, true, false, lower_depthwise_conv2d},
	{TFLITE_EXPAND_DIMS, "EXPAND_DIMS", 2, 2, false, true, lower_reshape},
	{TFLITE_FULLY_CONNECTED, "FULLY_CONNECTED", 2, 3, true, false, lower_fully_connected},
	{TFLITE_MAX_POOL_2D, "MAX_POOL_2D", 1, 1, true, false, lower_max_pool},
	{TFLITE_MEAN, "MEAN", 2, 2, false, false, lower_mean},
	{TFLITE_PAD, "PAD", 2, 2, false, false, lower_pad},
	{TFLITE_QUANTIZE, "QUANTIZE", 1, 1, false, false, lower_quantize},
	{TFLITE_RELU, "RELU", 1, 1, false, false, lower_relu},
	{TFLITE_RELU6, "RELU6", 1, 1, false, false, lower_relu6},
	{TFLITE_RELU_N1_TO_1, "RELU_N1_TO_1", 1, 1, false, false, lower_relu_n1_to_1},
	{TFLITE_RESHAPE, "RESHAPE", 1, 2, false, true, lower_reshape},
	{TFLITE_SOFTMAX, "SOFTMAX", 1, 1, true, false, lower_softmax},
	{TFLITE_SQUEEZE, "SQUEEZE", 1, 1, false, true, lower_reshape},
};

#define N_LOWERINGS (sizeof(lowerings) / sizeof(lowerings[0]))

const char *lower_operator_at(unsigned int i)
{
	return i < N_LOWERINGS ? lowerings[i].name : NULL;
}

static const struct lowering *find_lowering(uint32_t code)
{
	for (size_t i = 0; i < N_LOWERINGS; i++)
		if (lowerings[i].code == code)
			return &lowerings[i];
	return NULL;
}

static int refuse_operator(const struct lower *l)
{
	const char *tensor = "";
	char list[256];
	size_t length = 0;

	if (l->op->outputs.n > 0)
		tensor = l->model->tensors[tflite_index(&l->op->outputs, 0)].name;
	for (size_t i = 0; i < N_LOWERINGS && length < sizeof(list); i++)
		length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s",
					   i ? ", " : "", lowerings[i].name);
	return lower_error(l, -ENOTSUP,
			   "this operator, which makes tensor '%s', is not supported; supported "
			   "are %s",
			   tensor, list);
}

static int lower_operator(struct lower *l)
{
	const struct lowering *lowering = find_lowering(l->op->code);
	int r;

	if (!lowering)
		return refuse_operator(l);
	if (l->op->inputs.n < lowering->min_inputs || l->op->inputs.n > lowering->max_inputs)
		return lower_error(l, -EBADMSG, "it has %u inputs", l->op->inputs.n);
	if (l->op->outputs.n != 1)
		return lower_error(l, -EBADMSG, "it has %u outputs instead of one",
				   l->op->outputs.n);
	if (lowering->needs_options && !l->op->has_options)
		return lower_error(l, -EBADMSG, "its options are missing");
	r = lowering->lower(l);
	if (r < 0)
		return r;
	l->is_defined[tflite_index(&l->op->outputs, 0)] = true;
	return 0;
}

static int refuse_io(const struct lower *l, int r, bool is_input, uint32_t i, const char *why)
{
	const struct flatbuffer_vector *list = is_input ? &l->model->inputs : &l->model->outputs;

	return compile_error_set(l->error, r, "model %s %u, tensor '%s': %s",
				 is_input ? "input" : "output", i,
				 l->model->tensors[tflite_index(list, i)].name, why);
}

/* An input or output of the model becomes a value of its own. */
static int add_io_value(const struct lower *l, bool is_input, uint32_t i, uint32_t *ret)
{
	const struct flatbuffer_vector *list = is_input ? &l->model->inputs : &l->model->outputs;
	const struct tflite_tensor *tensor = &l->model->tensors[tflite_index(list, i)];
	struct ir_value value = {.kind = is_input ? IR_INPUT : IR_OUTPUT};
	struct lower_operand operand;
	char why[160], name[32];
	int r;

	if (tensor->type != TFLITE_INT8 && tensor->type != TFLITE_UINT8) {
		snprintf(why, sizeof(why),
			 "it is %s; only int8 and uint8 are supported; quantize the model, with "
			 "integer inputs and outputs",
			 tflite_type_name(tensor->type, name));
		return refuse_io(l, -ENOTSUP, is_input, i, why);
	}
	if (tensor->data.data)
		return refuse_io(l, -ENOTSUP, is_input, i, "it is a constant");
	r = lower_describe(l, tensor, is_input ? "model input" : "model output", &operand);
	if (r < 0)
		return r;
	lower_set_value(&value, &operand);
	r = ir_add_value(l->ir, &value, ret);
	return r < 0 ? compile_error_set(l->error, r, "out of memory") : 0;
}

static int add_inputs(const struct lower *l)
{
	const struct flatbuffer_vector *inputs = &l->model->inputs;

	if (inputs->n == 0)
		return compile_error_set(l->error, -ENOTSUP, "the model has no inputs");
	for (uint32_t i = 0; i < inputs->n; i++) {
		int32_t tensor = tflite_index(inputs, i);
		int r;

		if (l->home[tensor] != IR_NO_VALUE)
			return refuse_io(l, -EBADMSG, true, i, "it is listed as an input twice");
		r = add_io_value(l, true, i, &l->home[tensor]);
		if (r < 0)
			return r;
		l->is_defined[tensor] = true;
	}
	return 0;
}

/*
 * Each output is a value. A tensor that is an output is computed right there, unless it
 * is an input, or an output already: those are copied in the end.
 */
static int add_outputs(const struct lower *l, uint32_t *values)
{
	const struct flatbuffer_vector *outputs = &l->model->outputs;

	if (outputs->n == 0)
		return compile_error_set(l->error, -ENOTSUP, "the model has no outputs");
	for (uint32_t i = 0; i < outputs->n; i++) {
		int32_t tensor = tflite_index(outputs, i);
		int r = add_io_value(l, false, i, &values[i]);

		if (r < 0)
			return r;
		if (l->home[tensor] == IR_NO_VALUE)
			l->home[tensor] = values[i];
	}
	return 0;
}

/* What is only reshaped into an output can be computed there as well. */
static void share_homes(const struct lower *l)
{
	for (size_t i = l->model->n_operators; i-- > 0;) {
		const struct tflite_operator *op = &l->model->operators[i];
		const struct lowering *lowering = find_lowering(op->code);
		int32_t in, out;

		if (!lowering || !lowering->is_alias || op->inputs.n == 0 || op->outputs.n != 1)
			continue;
		in = tflite_index(&op->inputs, 0);
		out = tflite_index(&op->outputs, 0);
		if (in == TFLITE_NO_TENSOR || l->home[in] != IR_NO_VALUE ||
		    l->model->tensors[in].data.data ||
		    l->model->tensors[in].n_elements != l->model->tensors[out].n_elements)
			continue;
		l->home[in] = l->home[out];
	}
}

static int copy_outputs(const struct lower *l, const uint32_t *values)
{
	const struct flatbuffer_vector *outputs = &l->model->outputs;
	int r = 0;

	for (uint32_t i = 0; i < outputs->n && r == 0; i++) {
		int32_t tensor = tflite_index(outputs, i);
		struct npu_insn insn = {.opcode = NPU_OP_COPY};

		if (!l->is_defined[tensor])
			return refuse_io(l, -EBADMSG, false, i, "no operator computes it");
		if (l->home[tensor] == values[i])
			continue;
		insn.extra[0] = l->ir->values[values[i]].size;
		r = lower_emit(l, &insn, (uint32_t[]){l->home[tensor], values[i]}, 2);
	}
	return r;
}

static int lower_all(struct lower *l, uint32_t *output_values)
{
	int r;

	r = add_inputs(l);
	if (r < 0)
		return r;
	r = add_outputs(l, output_values);
	if (r < 0)
		return r;
	share_homes(l);
	for (l->index = 0; l->index < l->model->n_operators; l->index++) {
		l->op = &l->model->operators[l->index];
		r = lower_operator(l);
		if (r < 0)
			return r;
	}
	l->op = NULL;
	r = copy_outputs(l, output_values);
	if (r < 0)
		return r;
	return lower_emit(l, &(struct npu_insn){.opcode = NPU_OP_END}, NULL, 0);
}

int lower_model(struct ir **ret, const struct tflite_model *model, struct compile_error *ret_error)
{
	struct lower l = {.model = model, .error = ret_error, .ir = ir_create()};
	uint32_t *output_values = calloc(model->outputs.n + 1, sizeof(*output_values));
	int r = -ENOMEM;

	l.home = malloc(model->n_tensors * sizeof(*l.home));
	l.is_defined = calloc(model->n_tensors, sizeof(*l.is_defined));
	if (l.ir && l.home && l.is_defined && output_values) {
		memset(l.home, 0xff, model->n_tensors * sizeof(*l.home));
		r = lower_all(&l, output_values);
	} else {
		compile_error_set(ret_error, r, "out of memory");
	}
	free(output_values);
	free(l.home);
	free(l.is_defined);
	if (r < 0) {
		ir_destroy(l.ir);
		return r;
	}
	*ret = l.ir;
	return 0;
}
