/* SPDX-License-Identifier: MIT */
/*
 * The instruction set of the software NPU, version 1. docs/instruction-set.md
 * explains it; this header is what the engine executes, the compiler emits and
 * the loader checks.
 *
 * A program is a sequence of 128-byte instructions in `.text`, ended by `end`.
 * All integers are little endian. An instruction is a group operation: the
 * tasks of a group enter it together, share its work by task id and leave
 * together.
 *
 * Operands are not addresses but *slots* of the parameter block that the TCB's
 * `pp` points to: an instruction holds the byte offset of the slot from pp, the
 * slot holds the 32-bit NPU address, which the loader patches, and the size of
 * the object in bytes, which it checks. The size must be exactly the number of
 * bytes the instruction's geometry implies.
 */
#pragma once

#include "npu/types.h"

#define NPU_ISA_VERSION 1u

/* Architecture number in bits [27:20] of a loadable's device word; Arm China's is 0. */
#define NPU_ARCHITECTURE 0x53u

#define NPU_MAX_OPERANDS 6u
#define NPU_NO_SLOT 0xffffffffu

/* Numbers are for ever; 0 is never an instruction. */
enum npu_opcode {
	NPU_OP_END = 1,		     /* the program ends */
	NPU_OP_COPY = 2,	     /* out[i] = in[i], extra[0] bytes */
	NPU_OP_DELAY = 3,	     /* occupy the core for extra[0] microseconds */
	NPU_OP_HANG = 4,	     /* occupy the core until aborted */
	NPU_OP_FAULT = 5,	     /* raise what extra[0] says, enum npu_raise */
	NPU_OP_CONV2D = 16,	     /* in, filter, bias, scales, out */
	NPU_OP_DEPTHWISE2D = 17,     /* in, filter, bias, scales, out; multiplier = out.c / in.c */
	NPU_OP_FULLY_CONNECTED = 18, /* in, filter, bias, scales, out */
	NPU_OP_AVERAGE_POOL = 19,    /* in, out */
	NPU_OP_MAX_POOL = 20,	     /* in, out */
	NPU_OP_ADD = 21,	     /* in, in2, out; same shapes */
	NPU_OP_PAD = 22,	     /* in, out; pads height and width with zero[2] */
	NPU_OP_MEAN = 23,	     /* in, out; mean over height and width */
	NPU_OP_SOFTMAX = 24,	     /* in, table, out; over the channel dimension */
	NPU_OP_REQUANTIZE = 25,	     /* in, out; strided, so it also concatenates */
};

/* What NPU_OP_FAULT raises. */
enum npu_raise {
	NPU_RAISE_EXCEPTION = 0,
	NPU_RAISE_FAULT = 1,
	NPU_RAISE_ERROR = 2,
};

/* A fixed-point factor: multiplier * 2^(shift - 31), multiplier in [2^30, 2^31) or 0. */
struct npu_scale {
	int32_t multiplier;
	int32_t shift; /* -31 … 30 */
};

/*
 * One instruction. Which fields an operation uses is in docs/instruction-set.md;
 * all others must be 0 (slots: NPU_NO_SLOT), or the instruction is illegal.
 */
struct npu_insn {
	uint16_t opcode;
	uint8_t version;   /* NPU_ISA_VERSION */
	uint8_t is_signed; /* bit i: operand i is int8, else uint8; tensors and filters only */
	uint32_t slot[NPU_MAX_OPERANDS]; /* 0x04: byte offset from pp, multiple of 4 */
	uint32_t in[4];			 /* 0x1c: N, H, W, C */
	uint32_t out[4];		 /* 0x2c: N, H, W, C */
	uint16_t kernel[2];		 /* 0x3c: height, width */
	uint16_t stride[2];
	uint16_t dilation[2];
	uint16_t pad[2];	   /* 0x48: top, left; what is below and right follows from out */
	int32_t zero[3];	   /* 0x4c: zero point of in, filter or in2, out */
	int32_t act_min, act_max;  /* 0x58: clamp, in the output's own units */
	struct npu_scale scale[3]; /* 0x60 */
	uint32_t extra[2];	   /* 0x78 */
};
_Static_assert(sizeof(struct npu_insn) == 128, "an instruction has 128 bytes");

/* An operand slot in the parameter block. */
struct npu_slot {
	uint32_t address; /* ASID-relative; patched by the loader */
	uint32_t size;	  /* bytes of the object, fixed by the compiler */
};
_Static_assert(sizeof(struct npu_slot) == 8, "a slot has 8 bytes");

static inline int32_t npu_saturate(int64_t x)
{
	if (x > 0x7fffffff)
		return 0x7fffffff;
	return x < -0x7fffffff - 1 ? -0x7fffffff - 1 : (int32_t)x;
}

/*
 * Scaling, everywhere: x * multiplier * 2^(shift - 31) in the steps of TFLite's
 * reference, which rounds twice: a product's upper half to nearest, ties towards
 * plus infinity, then a right shift to nearest, ties away from zero. (Networks of
 * uint8 notice the difference to a single rounding.) The result saturates; no @x
 * or multiplier overflows anything as long as the shift is in its range.
 */
static inline int32_t npu_scale_apply(int32_t x, struct npu_scale s)
{
	int left = s.shift > 0 ? s.shift : 0, right = s.shift < 0 ? -s.shift : 0;
	int64_t shifted = npu_saturate(x * ((int64_t)1 << left));
	int64_t high = (shifted * s.multiplier + (1 << 30)) >> 31;

	if (right)
		high = (high + ((int64_t)1 << (right - 1)) - (high < 0)) >> right;
	return npu_saturate(high);
}
