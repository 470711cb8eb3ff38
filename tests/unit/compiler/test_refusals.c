/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is refused, and whether the reason helps: each line spoils a good model in one
 * place and looks for words in the message.
 */
#include "compiler/compile.h"
#include "tflite_builder.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 2000000000

static const uint8_t filter_data[4 * 3 * 3 * 2];
static const int32_t bias_data[4];
static const int32_t paddings[8] = {0, 0, 1, 1, 1, 1, 0, 0};
static const int32_t deep_paddings[8] = {0, 0, 0, 0, 0, 0, 0, 2};
static const int32_t negative_paddings[8] = {0, 0, -1, 1, 0, 0, 0, 0};
static const int32_t axes[] = {1, 4, -5, 0, 2};

/* The tensors of the good model, which has one CONV_2D. */
enum { IN, FILTER, BIAS, OUT };

static void build_good(struct builder *b)
{
	struct builder_operator *op;

	builder_init(b);
	builder_tensor(b, "image", TFLITE_INT8, 0.5f, 0, DIMS(1, 6, 6, 2));
	builder_tensor(b, "weights", TFLITE_INT8, 0.5f, 0, DIMS(4, 3, 3, 2));
	builder_constant(b, "bias", TFLITE_INT32, DIMS(4), bias_data, sizeof(bias_data));
	builder_tensor(b, "result", TFLITE_INT8, 0.5f, 0, DIMS(1, 6, 6, 4));
	b->tensors[FILTER].data = filter_data;
	b->tensors[FILTER].size = sizeof(filter_data);
	op = builder_operator(b, TFLITE_CONV_2D, TENSORS(IN, FILTER, BIAS), TENSORS(OUT));
	OPTIONS(op, 1, B(0), W(1), W(1), B(0), W(1), W(1));
	builder_input(b, IN);
	builder_output(b, OUT);
}

/* Another operator in place of the convolution, with equal input and output. */
static struct builder_operator *become(struct builder *b, uint32_t code)
{
	struct builder_operator *op = &b->operators[0];

	op->code = code;
	op->n_inputs = 1;
	op->options_type = 0;
	memset(op->fields, 0, sizeof(op->fields));
	b->tensors[OUT].dims[3] = 2;
	return op;
}

static void become_pad(struct builder *b, const int32_t *values)
{
	struct builder_operator *op = become(b, TFLITE_PAD);

	op->inputs[op->n_inputs++] =
		builder_constant(b, "paddings", TFLITE_INT32, DIMS(4, 2), values, 32);
	b->tensors[OUT].dims[1] = b->tensors[OUT].dims[2] = 8;
}

static void become_mean(struct builder *b, const int32_t *values, int32_t n)
{
	struct builder_operator *op = become(b, TFLITE_MEAN);

	op->inputs[op->n_inputs++] =
		builder_constant(b, "axes", TFLITE_INT32, DIMS(n), values, 4 * (uint32_t)n);
	b->tensors[OUT].dims[1] = b->tensors[OUT].dims[2] = 1;
}

static struct builder_operator *become_add(struct builder *b)
{
	struct builder_operator *op = become(b, TFLITE_ADD);

	op->inputs[op->n_inputs++] = IN;
	OPTIONS(op, 11, B(0));
	return op;
}

static struct builder_operator *become_concat(struct builder *b, uint32_t axis)
{
	struct builder_operator *op = become(b, TFLITE_CONCATENATION);

	op->inputs[op->n_inputs++] = IN;
	OPTIONS(op, 10, W(axis), B(0));
	b->tensors[OUT].dims[3] = 4;
	return op;
}

static struct builder_operator *become_softmax(struct builder *b, float beta)
{
	struct builder_operator *op = become(b, TFLITE_SOFTMAX);
	uint32_t bits;

	memcpy(&bits, &beta, 4);
	OPTIONS(op, 9, W(bits));
	b->tensors[OUT].scales[0] = 1.0f / 256;
	b->tensors[OUT].zeros[0] = -128;
	return op;
}

static struct builder_operator *become_pool(struct builder *b, uint32_t filter)
{
	struct builder_operator *op = become(b, TFLITE_MAX_POOL_2D);

	OPTIONS(op, 5, B(0), W(1), W(1), W(filter), W(filter), B(0));
	return op;
}

/* A window so dilated that the padding does not fit its field. */
static void become_conv_reach(struct builder *b)
{
	b->operators[0].fields[4].value = 65535;
	b->operators[0].fields[5].value = 65535;
	b->tensors[FILTER].dims[1] = 9;
	b->tensors[FILTER].dims[2] = 1;
}

static struct builder_operator *become_fc(struct builder *b)
{
	struct builder_operator *op = become(b, TFLITE_FULLY_CONNECTED);

	op->n_inputs = 3;
	OPTIONS(op, 8, B(0), B(0), B(0));
	b->tensors[FILTER].rank = 2;
	b->tensors[FILTER].dims[0] = 4;
	b->tensors[FILTER].dims[1] = 18;
	b->tensors[OUT].rank = 2;
	b->tensors[OUT].dims[0] = 4;
	b->tensors[OUT].dims[1] = 4;
	return op;
}

static int compile(struct builder *b, struct compile_error *error)
{
	struct compile_result result = {0};
	struct graph_target target;
	int r;

	builder_write(b);
	cr_assert(graph_target_find(&target, COMPILE_DEFAULT_TARGET));
	r = compile_tflite(&result, b->data, b->size, &target, error);
	free(result.data);
	return r;
}

/* Assert that @b is refused with @r and a message that has all of @words, joined by '|'. */
static void expect(struct builder *b, int r, const char *words, int line)
{
	struct compile_error error = {""};
	char copy[200], *word, *rest = copy;
	int got = compile(b, &error);

	cr_expect_eq(got, r, "line %d: %d instead of %d: %s", line, got, r, error.text);
	snprintf(copy, sizeof(copy), "%s", words);
	while ((word = strsep(&rest, "|")) != NULL)
		cr_expect(strstr(error.text, word), "line %d: no '%s' in: %s", line, word,
			  error.text);
	builder_finish(b);
}

#define REFUSE(r, words, ...)                                                                      \
	do {                                                                                       \
		struct builder builder;                                                            \
		struct builder *b = &builder;                                                      \
                                                                                                   \
		build_good(b);                                                                     \
		__VA_ARGS__;                                                                       \
		expect(b, r, words, __LINE__);                                                     \
	} while (0)

Test(refusals, the_good_model_is_good)
{
	struct compile_error error = {""};
	struct builder b;

	build_good(&b);
	cr_assert_eq(compile(&b, &error), 0, "%s", error.text);
	builder_finish(&b);
}

Test(refusals, tensors_of_the_wrong_kind)
{
	REFUSE(-ENOTSUP, "operator 0 (CONV_2D)|input tensor 'image' is float32|quantize the model",
	       b->tensors[IN].type = TFLITE_FLOAT32;
	       b->inputs[0] = builder_tensor(b, "x", TFLITE_INT8, 1, 0, DIMS(1)));
	REFUSE(-ENOTSUP, "model input 0|'image'|it is float32|only int8 and uint8|quantize",
	       b->tensors[IN].type = TFLITE_FLOAT32);
	REFUSE(-ENOTSUP, "model output 0|'result'|only int8 and uint8", b->tensors[OUT].type = 7);
	REFUSE(-ENOTSUP, "(CONV_2D)|'weights' is int16|8 bits", b->tensors[FILTER].type = 7;
	       b->tensors[FILTER].dims[0] = 2);
	REFUSE(-ENOTSUP, "'image'|dynamic shape|fixed", b->tensors[IN].dims[1] = -1);
	REFUSE(-ENOTSUP, "'image'|dynamic shape", b->tensors[IN].dims[0] = 0);
	REFUSE(-ENOTSUP, "'image'|is a variable", b->tensors[IN].is_variable = true);
	REFUSE(-ENOTSUP, "'weights'|is sparse", b->tensors[FILTER].is_sparse = true);
	REFUSE(-EFBIG, "'image' is too large", b->tensors[IN].dims[1] = MANY);
	REFUSE(-EBADMSG, "tensor 0 is too large", b->tensors[IN].dims[0] = MANY;
	       b->tensors[IN].dims[1] = MANY; b->tensors[IN].dims[2] = MANY);
	REFUSE(-ENOTSUP, "tensor 0 has 9 dimensions", b->tensors[IN].rank = 9);
	REFUSE(-ENOTSUP, "behind the model", b->tensors[IN].is_external = true);
}

Test(refusals, quantization_that_makes_no_sense)
{
	struct builder_tensor *t;

	REFUSE(-ENOTSUP, "'image'|not quantized", b->tensors[IN].n_scales = 0);
	REFUSE(-ENOTSUP, "'image'|not quantized", b->tensors[IN].has_details = true);
	REFUSE(-ENOTSUP, "'image'|per channel", b->tensors[IN].n_scales = 2;
	       b->tensors[IN].scales[1] = 1);
	REFUSE(-EBADMSG, "'image'|scale nan", b->tensors[IN].scales[0] = NAN);
	REFUSE(-EBADMSG, "'weights'|scale -1", b->tensors[FILTER].scales[0] = -1);
	REFUSE(-EBADMSG, "'image'|zero point 200", b->tensors[IN].zeros[0] = 200);
	REFUSE(-EBADMSG, "'image'|zero point -9000000000", b->tensors[IN].zeros[0] = -9000000000);
	REFUSE(-ENOTSUP, "'weights'|different zero points", t = &b->tensors[FILTER]; t->n_zeros = 2;
	       t->zeros[1] = 1);
	REFUSE(-EBADMSG, "'weights' has 3 scales along dimension 0", t = &b->tensors[FILTER];
	       t->n_scales = 3; t->scales[1] = t->scales[2] = 1);
	REFUSE(-EBADMSG, "'weights' has 4 scales along dimension 3", t = &b->tensors[FILTER];
	       t->n_scales = 4; t->scales[1] = t->scales[2] = t->scales[3] = 1;
	       t->quantized_dimension = 3);
	REFUSE(-ENOTSUP, "too far apart", b->tensors[IN].scales[0] = 1e30f);
}

Test(refusals, constants_that_do_not_fit)
{
	REFUSE(-EBADMSG, "'weights' has 71 bytes", b->tensors[FILTER].size--);
	REFUSE(-ENOTSUP, "'weights' is not a constant", b->tensors[FILTER].data = NULL);
	REFUSE(-ENOTSUP, "'weights' is not a constant", b->tensors[FILTER].dims[0] = -4);
	REFUSE(-EBADMSG, "'weights' has 3 dimensions", b->tensors[FILTER].rank = 3;
	       b->tensors[FILTER].size = 36);
	REFUSE(-ENOTSUP, "bias|4 of type int32", b->tensors[BIAS].type = TFLITE_INT64;
	       b->tensors[BIAS].data = filter_data; b->tensors[BIAS].size = 32);
	REFUSE(-ENOTSUP, "bias|3 elements", b->tensors[BIAS].dims[0] = 3;
	       b->tensors[BIAS].size = 12);
	REFUSE(-ENOTSUP, "'image' has 2|grouped", b->tensors[FILTER].dims[3] = 1;
	       b->tensors[FILTER].size = 36);
	REFUSE(-EBADMSG, "'weights' has 4 output channels|has 5", b->tensors[OUT].dims[3] = 5);
	REFUSE(-EBADMSG, "first dimension must be 1",
	       b->operators[0].code = TFLITE_DEPTHWISE_CONV_2D;
	       b->operators[0].options_type = 2; b->tensors[OUT].dims[3] = 2);
}

Test(refusals, windows_that_do_not_fit)
{
	struct builder_field *f;

	REFUSE(-EBADMSG, "output's height is 6|give 3", f = b->operators[0].fields; f[2].value = 2);
	REFUSE(-EBADMSG, "output's width is 6|give 4", f = b->operators[0].fields; f[0].value = 1;
	       b->tensors[OUT].dims[1] = 4);
	REFUSE(-EBADMSG, "give 0", f = b->operators[0].fields; f[0].value = 1;
	       b->tensors[IN].dims[1] = 2);
	REFUSE(-ENOTSUP, "stride 0", b->operators[0].fields[1].value = 0);
	REFUSE(-ENOTSUP, "stride -1", b->operators[0].fields[1].value = -1u);
	REFUSE(-ENOTSUP, "dilation 65536", b->operators[0].fields[4].value = 65536);
	REFUSE(-ENOTSUP, "padding scheme 2", b->operators[0].fields[0].value = 2);
	REFUSE(-EBADMSG, "its batch is 1 in the input and 2", b->tensors[OUT].dims[0] = 2);
	REFUSE(-ENOTSUP, "'image' has 3 dimensions instead of 4", b->tensors[IN].rank = 3);
	REFUSE(-ENOTSUP, "same type, scale and zero point", become_pool(b, 2);
	       b->tensors[OUT].scales[0] = 0.6f);
	REFUSE(-ENOTSUP, "size 0", become_pool(b, 0));
	REFUSE(-EINVAL, "operator 0 (MAX_POOL_2D)|software NPU cannot do this",
	       become_pool(b, 40000);
	       b->tensors[IN].dims[1] = b->tensors[OUT].dims[1] = 46000);
	REFUSE(-ENOTSUP, "needs a padding of", become_conv_reach(b));
}

Test(refusals, operators_that_are_not_supported)
{
	struct builder_operator *op;

	REFUSE(-ENOTSUP, "operator 0 (LOGISTIC)|'result'|supported are ADD, AVERAGE_POOL_2D",
	       b->operators[0].code = 14);
	REFUSE(-ENOTSUP, "(STRIDED_SLICE)", b->operators[0].code = 45);
	REFUSE(-ENOTSUP, "(operator code 999)", b->operators[0].code = 999);
	REFUSE(-ENOTSUP, "(Detection_PostProcess)", op = &b->operators[0]; op->code = TFLITE_CUSTOM;
	       op->custom = "Detection\nPostProcess");
	REFUSE(-ENOTSUP, "activation TANH", b->operators[0].fields[3].value = 4);
	REFUSE(-ENOTSUP, "activation of this number", b->operators[0].fields[3].value = 99);
	REFUSE(-EBADMSG, "options are missing", b->operators[0].options_type = 0);
	REFUSE(-EBADMSG, "options are missing", b->operators[0].options_type = 2);
}

Test(refusals, arguments_that_are_not_there)
{
	REFUSE(-EBADMSG, "4 inputs", b->operators[0].n_inputs = 4);
	REFUSE(-EBADMSG, "1 inputs", b->operators[0].n_inputs = 1);
	REFUSE(-EBADMSG, "2 outputs", b->operators[0].n_outputs = 2);
	REFUSE(-EBADMSG, "0 outputs", b->operators[0].n_outputs = 0);
	REFUSE(-EBADMSG, "input 0 is missing", b->operators[0].inputs[0] = -1);
	REFUSE(-EBADMSG, "input 1 is missing", b->operators[0].inputs[1] = -1);
	REFUSE(-EBADMSG, "there is no tensor 44", b->operators[0].inputs[0] = 44);
	REFUSE(-EBADMSG, "there is no tensor -1", b->operators[0].outputs[0] = -1);
	REFUSE(-EBADMSG, "there is no tensor 4", b->inputs[0] = 4);
	REFUSE(-EBADMSG, "there is no tensor -7", b->outputs[0] = -7);
}

Test(refusals, data_that_comes_from_nowhere)
{
	REFUSE(-EBADMSG, "'result' is a constant, a model input or",
	       builder_operator(b, TFLITE_RELU, TENSORS(IN), TENSORS(OUT)));
	REFUSE(-EBADMSG, "'late' is neither",
	       b->operators[0].inputs[0] =
		       builder_tensor(b, "late", TFLITE_INT8, 1, 0, DIMS(1, 6, 6, 2)));
	REFUSE(-ENOTSUP, "model input 0|'image'|it is a constant",
	       b->tensors[IN].data = filter_data;
	       b->tensors[IN].size = 72);
	REFUSE(-ENOTSUP, "model output 0|'weights'|it is a constant", b->outputs[0] = FILTER);
	REFUSE(-EBADMSG, "'never'|no operator computes it",
	       b->outputs[0] = builder_tensor(b, "never", TFLITE_INT8, 1, 0, DIMS(5)));
	REFUSE(-EBADMSG, "listed as an input twice", builder_input(b, IN));
}

Test(refusals, models_of_the_wrong_shape)
{
	REFUSE(-ENOTSUP, "model has no inputs", b->n_inputs = 0);
	REFUSE(-ENOTSUP, "model has no outputs", b->n_outputs = 0);
	REFUSE(-EBADMSG, "model has no operators", b->n_operators = 0);
	REFUSE(-ENOTSUP, "version 2", b->version = 2);
	REFUSE(-ENOTSUP, "has 3 subgraphs|control flow", b->n_subgraphs = 3);
	REFUSE(-ENOTSUP, "has 0 subgraphs", b->n_subgraphs = 0);
}

Test(refusals, paddings_that_do_not_fit)
{
	REFUSE(-EBADMSG, "does not lead from 6 to 9", become_pad(b, paddings);
	       b->tensors[OUT].dims[1] = 9);
	REFUSE(-ENOTSUP, "height and width only", become_pad(b, deep_paddings);
	       b->tensors[OUT].dims[1] = b->tensors[OUT].dims[2] = 6; b->tensors[OUT].dims[3] = 4);
	REFUSE(-EBADMSG, "padding -1 + 1", become_pad(b, negative_paddings));
	REFUSE(-ENOTSUP, "same type, scale and zero point", become_pad(b, paddings);
	       b->tensors[OUT].zeros[0] = 3);
	REFUSE(-EBADMSG, "6 paddings instead of 8", become_pad(b, paddings);
	       b->tensors[4].dims[0] = 3; b->tensors[4].size = 24);
	REFUSE(-EBADMSG, "is uint8 instead of int32", become_pad(b, paddings);
	       b->tensors[4].type = TFLITE_UINT8; b->tensors[4].size = 8);
	REFUSE(-ENOTSUP, "same number|at most 4", become_pad(b, paddings);
	       b->tensors[OUT].rank = 3);
}

Test(refusals, axes_that_do_not_fit)
{
	REFUSE(-ENOTSUP, "not next to each other", become_mean(b, axes + 3, 2));
	REFUSE(-EBADMSG, "has no axis 4", become_mean(b, axes + 1, 1));
	REFUSE(-EBADMSG, "has no axis -5", become_mean(b, axes + 2, 1));
	REFUSE(-EBADMSG, "2 elements instead of 12", become_mean(b, axes, 1));
	REFUSE(-EBADMSG, "has no axis 4", become_concat(b, 4));
	REFUSE(-EBADMSG, "do not fill dimension 3", become_concat(b, 3);
	       b->tensors[OUT].dims[3] = 5);
	REFUSE(-EBADMSG, "do not fill dimension 3", become_concat(b, 3);
	       b->tensors[OUT].dims[3] = 3);
	REFUSE(-EBADMSG, "differ in more than dimension 1", become_concat(b, 1));
}

Test(refusals, shapes_that_do_not_fit)
{
	REFUSE(-ENOTSUP, "'image' and 'row' have different shapes|broadcasting",
	       become_add(b)->inputs[1] = builder_tensor(b, "row", TFLITE_INT8, 1, 0, DIMS(2));
	       builder_input(b, 4));
	REFUSE(-ENOTSUP, "'one' is a constant",
	       become_add(b)->inputs[1] =
		       builder_tensor(b, "one", TFLITE_INT8, 1, 0, DIMS(1, 6, 6, 2));
	       b->tensors[4].data = filter_data; b->tensors[4].size = 72);
	REFUSE(-ENOTSUP, "'image' and 'result' have different shapes", become_add(b);
	       b->tensors[OUT].dims[3] = 1);
	REFUSE(-EBADMSG, "differ in type or number", become(b, TFLITE_RESHAPE);
	       b->tensors[OUT].dims[1] = 7);
	REFUSE(-EBADMSG, "differ in type or number", become(b, TFLITE_RESHAPE);
	       b->tensors[OUT].type = TFLITE_UINT8);
	REFUSE(-EBADMSG, "4 x 18|72 and 15", become_fc(b); b->tensors[OUT].dims[0] = 3;
	       b->tensors[OUT].dims[1] = 5);
	REFUSE(-ENOTSUP, "shuffled", become_fc(b)->fields[1].value = 1);
}

Test(refusals, softmax_with_other_units)
{
	REFUSE(-EBADMSG, "beta is 0", become_softmax(b, 0));
	REFUSE(-EBADMSG, "beta is inf", become_softmax(b, INFINITY));
	REFUSE(-ENOTSUP, "1/256", become_softmax(b, 1); b->tensors[OUT].scales[0] = 0.5f);
	REFUSE(-ENOTSUP, "1/256", become_softmax(b, 1); b->tensors[OUT].zeros[0] = 0);
}
