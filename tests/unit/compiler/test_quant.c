/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/quant.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>

static double value(struct npu_scale s)
{
	return ldexp(s.multiplier, s.shift - 31);
}

Test(quant, factors_are_encoded_to_31_bits)
{
	static const double factors[] = {1,	0.5, 0.999999999999, 1.0 / 3, 3e-9, 0.0078125,
					 255.7, 1e9, 1.0000001,	     3e-10};

	for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
		struct npu_scale s;

		cr_assert_eq(quant_scale(&s, factors[i]), 0);
		cr_expect_leq(fabs(value(s) / factors[i] - 1), ldexp(1, -31), "%g", factors[i]);
		cr_expect_geq(s.multiplier, 1 << 30);
		cr_expect(s.shift >= -31 && s.shift <= 30);
	}
}

Test(quant, one_is_half_of_two)
{
	struct npu_scale s;

	cr_assert_eq(quant_scale(&s, 1), 0);
	cr_assert_eq(s.multiplier, 1 << 30);
	cr_assert_eq(s.shift, 1);
}

Test(quant, rounding_up_to_the_next_power_of_two_stays_in_range)
{
	struct npu_scale s;

	cr_assert_eq(quant_scale(&s, 1 - ldexp(1, -40)), 0);
	cr_assert_eq(s.multiplier, 1 << 30);
	cr_assert_eq(s.shift, 1);
}

Test(quant, what_is_too_small_to_matter_is_nothing)
{
	struct npu_scale s = {1, 1};

	cr_assert_eq(quant_scale(&s, ldexp(1, -40)), 0);
	cr_assert_eq(s.multiplier, 0);
	cr_assert_eq(s.shift, 0);
}

Test(quant, what_is_no_factor_is_refused)
{
	static const double bad[] = {0, -1, INFINITY, NAN, 1.1e9, 0x1p30};
	struct npu_scale s = {7, 7};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(quant_scale(&s, bad[i]), -ERANGE, "%g", bad[i]);
	cr_assert_eq(s.multiplier, 7, "outputs stay as they are on failure");
}

struct clamp_case {
	struct quant quant;
	struct quant_bounds bounds;
	int32_t min, max;
};

Test(quant, activations_become_stored_values)
{
	static const struct clamp_case cases[] = {
		{{0.1, 0, true}, {-INFINITY, INFINITY}, -128, 127},
		{{0.1, 0, false}, {-INFINITY, INFINITY}, 0, 255},
		{{0.1, 3, true}, {0, INFINITY}, 3, 127},
		{{0.1, 3, true}, {0, 6}, 3, 63},
		{{0.02, 0, false}, {0, 6}, 0, 255},
		{{0.1, 100, false}, {-1, 1}, 90, 110},
		{{1e-30, 0, true}, {-1, 1}, -128, 127},
		{{0.5, 127, true}, {0, 6}, 127, 127},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int32_t min, max;

		quant_clamp(&cases[i].quant, &cases[i].bounds, &min, &max);
		cr_expect_eq(min, cases[i].min, "case %zu: %d", i, min);
		cr_expect_eq(max, cases[i].max, "case %zu: %d", i, max);
	}
}

Test(quant, the_softmax_table_is_exponential)
{
	uint32_t table[256];

	quant_softmax_table(table, 0.05, 2);
	cr_assert_eq(table[0], 1u << 31);
	for (int d = 0; d < 256; d++)
		cr_expect_leq(fabs(table[d] - exp(-0.1 * d) * 0x1p31), 0.5001);
	quant_softmax_table(table, 1e10, 1e10);
	cr_assert_eq(table[0], 1u << 31);
	cr_assert_eq(table[1], 0);
}
