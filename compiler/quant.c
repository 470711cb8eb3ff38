/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/quant.h"

#include <errno.h>
#include <math.h>

int quant_scale(struct npu_scale *ret, double factor)
{
	struct npu_scale scale = {0, 0};
	int64_t multiplier;
	int shift;

	if (!isfinite(factor) || factor <= 0)
		return -ERANGE;
	multiplier = llround(ldexp(frexp(factor, &shift), 31));
	if (multiplier == (int64_t)1 << 31) {
		multiplier /= 2;
		shift++;
	}
	if (shift > 30)
		return -ERANGE;
	if (shift >= -31) {
		scale.multiplier = (int32_t)multiplier;
		scale.shift = shift;
	}
	*ret = scale;
	return 0;
}

static int32_t quantize(const struct quant *quant, double real, int32_t low, int32_t high)
{
	double stored = quant->zero + round(real / quant->scale);

	if (stored <= low)
		return low;
	return stored >= high ? high : (int32_t)stored;
}

void quant_clamp(const struct quant *quant, const struct quant_bounds *bounds, int32_t *ret_min,
		 int32_t *ret_max)
{
	int32_t low = quant->is_signed ? INT8_MIN : 0;
	int32_t high = quant->is_signed ? INT8_MAX : UINT8_MAX;

	*ret_min = quantize(quant, bounds->min, low, high);
	*ret_max = quantize(quant, bounds->max, low, high);
}

void quant_softmax_table(uint32_t ret[256], double scale, double beta)
{
	for (int d = 0; d < 256; d++)
		ret[d] = (uint32_t)llround(ldexp(exp(-d * scale * beta), 31));
}
