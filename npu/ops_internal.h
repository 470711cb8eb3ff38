/* SPDX-License-Identifier: MIT */
/*
 * What the families of operators share: the row of the table, checks, and the
 * arithmetic of docs/instruction-set.md. Private to ops*.c.
 */
#pragma once

#include "npu/ops.h"

/* Fields beyond opcode, version, slots and is_signed: those a row lists are used, the others 0. */
enum npu_field {
	NPU_FIELD_IN = 1u << 0,
	NPU_FIELD_OUT = 1u << 1,
	NPU_FIELD_KERNEL = 1u << 2,
	NPU_FIELD_STRIDE = 1u << 3,
	NPU_FIELD_DILATION = 1u << 4,
	NPU_FIELD_PAD = 1u << 5,
	NPU_FIELD_ZERO0 = 1u << 6,
	NPU_FIELD_ZERO1 = 1u << 7,
	NPU_FIELD_ZERO2 = 1u << 8,
	NPU_FIELD_ACT = 1u << 9,
	NPU_FIELD_SCALE0 = 1u << 10,
	NPU_FIELD_SCALE1 = 1u << 11,
	NPU_FIELD_SCALE2 = 1u << 12,
	NPU_FIELD_EXTRA0 = 1u << 13,
	NPU_FIELD_EXTRA1 = 1u << 14,
	NPU_FIELD_CHUNKS = 1u << 15, /* in and out describe chunks, not shapes */
};

#define NPU_MAX_OPERAND_SIZE 0x7fffffffu
#define NPU_MAX_UNIT_COST (1u << 27)
#define NPU_MAX_TAPS (1u << 20) /* of a convolution's sum, a pool's window, a mean */

/* A demand before its limits are checked; its arithmetic saturates, so it cannot overflow. */
struct npu_need {
	uint64_t size[NPU_MAX_OPERANDS];
	uint64_t units;
	uint64_t unit_cost;
};

struct npu_op_row {
	struct npu_op op;
	enum npu_operand_kind kind[NPU_MAX_OPERANDS]; /* the last one is the output */
	uint32_t bytes;				      /* bit i: operand i is int8 or uint8 */
	uint32_t fields;			      /* NPU_FIELD_* */
	/*
	 * What is particular to the operation; ranges of single fields are checked
	 * before. Fills @need, or says what is wrong. NULL: no operands, nothing to check.
	 */
	const char *(*check)(const struct npu_insn *insn, struct npu_need *need);
	/* npu_insn_run(). NULL: a control instruction. */
	void (*run)(const struct npu_insn *insn, uint8_t *const operand[NPU_MAX_OPERANDS],
		    uint32_t first, uint32_t count);
};

#define NPU_OPERATOR(name)                                                                         \
	const char *npu_##name##_check(const struct npu_insn *insn, struct npu_need *need);        \
	void npu_##name##_run(const struct npu_insn *insn,                                         \
			      uint8_t *const operand[NPU_MAX_OPERANDS], uint32_t first,            \
			      uint32_t count)

NPU_OPERATOR(copy);
NPU_OPERATOR(conv2d);
NPU_OPERATOR(depthwise2d);
NPU_OPERATOR(fully_connected);
NPU_OPERATOR(average_pool);
NPU_OPERATOR(max_pool);
NPU_OPERATOR(add);
NPU_OPERATOR(pad);
NPU_OPERATOR(mean);
NPU_OPERATOR(softmax);
NPU_OPERATOR(requantize);

static inline uint64_t npu_mul(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? ~0ull : product;
}

/* @a >= 1 */
static inline uint64_t npu_div_up(uint64_t a, uint64_t b)
{
	return (a - 1) / b + 1;
}

static inline uint32_t npu_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint64_t npu_elements(const uint32_t shape[4])
{
	return npu_mul(npu_mul(shape[0], shape[1]), npu_mul(shape[2], shape[3]));
}

/* Positions (n, y, x) of a tensor. */
static inline uint64_t npu_positions(const uint32_t shape[4])
{
	return npu_mul(npu_mul(shape[0], shape[1]), shape[2]);
}

static inline bool npu_same_shape(const uint32_t a[4], const uint32_t b[4])
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

static inline bool npu_is_signed(const struct npu_insn *insn, unsigned int operand)
{
	return insn->is_signed >> operand & 1;
}

/*
 * Bytes of both types are computed with as uint8: an int8 value q, with its sign
 * bit flipped, is the byte q + 128, and its zero point moves along.
 */
static inline uint8_t npu_flip(const struct npu_insn *insn, unsigned int operand)
{
	return npu_is_signed(insn, operand) ? 0x80 : 0;
}

/* A stored value as a number. */
static inline int32_t npu_value(uint8_t byte, uint8_t flip)
{
	return (uint8_t)(byte ^ flip) - flip;
}

static inline uint32_t npu_load32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Entry @i of a scales operand. It is data: whatever it holds, the shift comes out legal. */
static inline struct npu_scale npu_load_scale(const uint8_t *scales, uint32_t i)
{
	struct npu_scale scale = {
		.multiplier = (int32_t)npu_load32(scales + 8 * (size_t)i),
		.shift = (int32_t)npu_load32(scales + 8 * (size_t)i + 4),
	};

	if (scale.shift < -31)
		scale.shift = -31;
	if (scale.shift > 30)
		scale.shift = 30;
	return scale;
}

/* The last step of most operations; the byte is the same for int8 and uint8. */
static inline uint8_t npu_clamp(const struct npu_insn *insn, int64_t value)
{
	if (value < insn->act_min)
		return (uint8_t)insn->act_min;
	return (uint8_t)(value > insn->act_max ? insn->act_max : value);
}

static inline uint8_t npu_quantize(const struct npu_insn *insn, int32_t x, struct npu_scale scale)
{
	return npu_clamp(insn, (int64_t)npu_scale_apply(x, scale) + insn->zero[2]);
}

/* kernel, stride and dilation, 1 where an operation does not have them. */
struct npu_window {
	uint32_t kernel[2];
	uint32_t stride[2];
	uint32_t dilation[2];
};

/* Where the window of one output position lies in the input; negative: begins in the padding. */
struct npu_place {
	uint32_t n;
	int64_t y, x;
};

/* Taps [first, end) of a window along one axis lie inside the input. */
struct npu_taps {
	uint32_t first, end;
};

/* NULL, or what is wrong with the windows of @insn. */
const char *npu_window_check(const struct npu_insn *insn);
void npu_window_init(struct npu_window *window, const struct npu_insn *insn);
/* Output position number @index, counted n, y, x. */
struct npu_place npu_window_place(const struct npu_window *window, const struct npu_insn *insn,
				  uint32_t index);
/* @start: npu_place.y or .x; @axis: 0 or 1 */
struct npu_taps npu_window_taps(const struct npu_window *window, const struct npu_insn *insn,
				int64_t start, unsigned int axis);
