/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers for instructions, from the real-valued quantization of a model. The only
 * place that computes in floating point; docs/instruction-set.md says what is wanted.
 *
 * Pure; any thread.
 */
#pragma once

#include "npu/isa.h"

#include <stdbool.h>
#include <stdint.h>

/* Scale and zero point of a tensor: real = scale * (stored - zero). */
struct quant {
	double scale;
	int32_t zero;
	bool is_signed; /* int8, else uint8 */
};

/*
 * Encode @factor. A factor too small to matter becomes 0.
 * Returns 0, or -ERANGE if it is not a positive number or too large.
 */
int quant_scale(struct npu_scale *ret, double factor);

/* A fused activation, as bounds of real numbers; -INFINITY and INFINITY bound nothing. */
struct quant_bounds {
	double min, max;
};

/* The same as stored values of a tensor, never outside its type. */
void quant_clamp(const struct quant *quant, const struct quant_bounds *bounds, int32_t *ret_min,
		 int32_t *ret_max);

/* ret[d] = exp(-d * scale * beta) * 2^31; both factors positive. */
void quant_softmax_table(uint32_t ret[256], double scale, double beta);
