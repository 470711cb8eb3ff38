/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the lowering share. An operator's function checks its tensors
 * and options with the functions here and emits instructions; whatever fails has set
 * the error, which names operator and tensor.
 */
#pragma once

#include "compiler/lower.h"
#include "compiler/quant.h"

struct lower {
	const struct tflite_model *model;
	const struct tflite_operator *op; /* the one being lowered */
	size_t index;			  /* its index */
	struct ir *ir;
	uint32_t *home;	  /* value of each tensor, or IR_NO_VALUE */
	bool *is_defined; /* of each tensor: whether its value has been computed by now */
	struct compile_error *error;
};

/* An activation: a quantized tensor that is not constant. */
struct lower_operand {
	const struct tflite_tensor *tensor;
	uint32_t value;
	struct quant quant;
	uint32_t dims[4]; /* N, H, W, C; missing leading dimensions are 1, surplus ones in N */
	uint32_t size;	  /* elements = bytes */
};

/* Set the error, "operator 3 (CONV_2D): …" while there is an operator; returns @r. */
int lower_error(const struct lower *l, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What a tensor is as an activation, its value aside; refuses what cannot be one. */
int lower_describe(const struct lower *l, const struct tflite_tensor *tensor, const char *role,
		   struct lower_operand *ret);
/* Everything of @value but its kind, from @operand. */
void lower_set_value(struct ir_value *value, const struct lower_operand *operand);

/* Input @i as an activation. */
int lower_input(const struct lower *l, uint32_t i, struct lower_operand *ret);
/* The operator's only output; it gets a value if it has none yet. */
int lower_output(const struct lower *l, struct lower_operand *ret);
/* Input @i as a constant, whole and present; NULL with 0 if it is optional and not there. */
int lower_constant(const struct lower *l, uint32_t i, bool optional,
		   const struct tflite_tensor **ret);
/* Element @i of a constant of int32 or int64 (checked by lower_integers()). */
int64_t lower_integer(const struct tflite_tensor *tensor, uint32_t i);
/* Input @i as a constant of integers. */
int lower_integers(const struct lower *l, uint32_t i, const struct tflite_tensor **ret);

/* Whether a tensor has exactly one scale and zero point that make sense; else an error. */
int lower_quant(const struct lower *l, const struct tflite_tensor *tensor, const char *role,
		struct quant *ret);
int lower_same_quant(const struct lower *l, const struct lower_operand *a,
		     const struct lower_operand *b);
/* Clamp of the instruction from the operator's fused activation. */
int lower_activation(const struct lower *l, uint8_t activation, const struct lower_operand *out,
		     struct npu_insn *insn);
int lower_scale(const struct lower *l, struct npu_scale *ret, double factor);

int lower_add_constant(const struct lower *l, const uint8_t *data, uint32_t size, bool owned,
		       uint32_t *ret_value);
/* Add an instruction whose operands are @n values. */
int lower_emit(const struct lower *l, const struct npu_insn *insn, const uint32_t *values,
	       unsigned int n);

/* An instruction with the geometry, signs and zero points of @in (operand 0) and @out (number @n -
 * 1). */
struct npu_insn lower_insn(uint16_t opcode, const struct lower_operand *in,
			   const struct lower_operand *out, unsigned int n);

/* Chunks of equal size, one after another in the input, at a pitch in the output. */
struct lower_chunks {
	uint32_t n, size, pitch;
	uint32_t start; /* of the first, in the output */
};

/* Emit a change of quantization from chunks to chunks. */
int lower_chunks(const struct lower *l, const struct lower_operand *in,
		 const struct lower_operand *out, const struct lower_chunks *chunks,
		 uint8_t activation);

/* Input tensor @i, or NULL if there is none; whatever it is. */
const struct tflite_tensor *lower_tensor(const struct lower *l, uint32_t i);

/* The operators: lower_conv.c, lower_ops.c, lower_shape.c. */
int lower_conv2d(const struct lower *l);
int lower_depthwise_conv2d(const struct lower *l);
int lower_fully_connected(const struct lower *l);
int lower_average_pool(const struct lower *l);
int lower_max_pool(const struct lower *l);
int lower_add(const struct lower *l);
int lower_mean(const struct lower *l);
int lower_softmax(const struct lower *l);
int lower_quantize(const struct lower *l);
int lower_relu(const struct lower *l);
int lower_relu_n1_to_1(const struct lower *l);
int lower_relu6(const struct lower *l);
int lower_pad(const struct lower *l);
int lower_concatenation(const struct lower *l);
int lower_reshape(const struct lower *l);
