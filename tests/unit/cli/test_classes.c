/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "client/cli/classes.h"

static struct zhouyi_tensor list_of(enum zhouyi_data_type type, size_t size)
{
	return (struct zhouyi_tensor){
		.type = type,
		.size = size,
		.rank = 2,
		.dims = {1, (uint32_t)size},
	};
}

Test(classes, values_are_dequantized)
{
	static const uint8_t u8[] = {0, 128, 255};
	static const int8_t s8[] = {-128, 0, 127};
	static const float f32[] = {0.5f};
	struct zhouyi_tensor t = list_of(ZHOUYI_TYPE_UINT8, 3);

	cr_assert_float_eq(tensor_value(&t, u8, 2), 255, 0, "without a scale the code");
	t.scale = 0.5f;
	t.zero_point = 128;
	cr_assert_float_eq(tensor_value(&t, u8, 0), -64, 0);
	cr_assert_float_eq(tensor_value(&t, u8, 1), 0, 0);
	t.type = ZHOUYI_TYPE_INT8;
	t.zero_point = -128;
	cr_assert_float_eq(tensor_value(&t, s8, 0), 0, 0);
	cr_assert_float_eq(tensor_value(&t, s8, 2), 127.5, 0);
	t.type = ZHOUYI_TYPE_FLOAT32;
	cr_assert_float_eq(tensor_value(&t, f32, 0), 0.5, 0, "a float is real already");
}

Test(classes, wide_values_need_no_alignment)
{
	uint8_t bytes[1 + 2 * sizeof(int32_t)] = {0};
	const int32_t values[2] = {-5, 70000};
	struct zhouyi_tensor t = list_of(ZHOUYI_TYPE_INT32, sizeof(values));

	memcpy(bytes + 1, values, sizeof(values));
	cr_assert_eq(tensor_count(&t), 2);
	cr_assert_float_eq(tensor_value(&t, bytes + 1, 0), -5, 0);
	cr_assert_float_eq(tensor_value(&t, bytes + 1, 1), 70000, 0);
}

Test(classes, the_best_come_first_and_equal_ones_in_order)
{
	static const uint8_t data[] = {5, 9, 1, 9, 7, 9};
	struct zhouyi_tensor t = list_of(ZHOUYI_TYPE_UINT8, sizeof(data));
	struct ranked best[10];

	cr_assert_eq(tensor_best(&t, data, best, 4), 4);
	cr_assert_eq(best[0].index, 1);
	cr_assert_eq(best[1].index, 3);
	cr_assert_eq(best[2].index, 5);
	cr_assert_eq(best[3].index, 4);
	cr_assert_float_eq(best[3].value, 7, 0);
	cr_assert_eq(tensor_best(&t, data, best, 10), 6);
	cr_assert_eq(best[5].index, 2);
	cr_assert_eq(tensor_best(&t, data, best, 0), 0);
}

Test(classes, what_is_no_number_comes_last)
{
	static const float data[] = {NAN, 1, -3, NAN, 2};
	struct zhouyi_tensor t = list_of(ZHOUYI_TYPE_FLOAT32, sizeof(data));
	struct ranked best[3];

	cr_assert_eq(tensor_best(&t, data, best, 3), 3);
	cr_assert_eq(best[0].index, 4);
	cr_assert_eq(best[1].index, 1);
	cr_assert_eq(best[2].index, 2);
}

Test(classes, a_list_is_long_in_one_direction_only)
{
	struct zhouyi_tensor t = list_of(ZHOUYI_TYPE_UINT8, 10);

	cr_assert(tensor_is_list(&t));
	t.rank = 0;
	cr_assert(tensor_is_list(&t), "without a shape, why not");
	t = (struct zhouyi_tensor){
		.type = ZHOUYI_TYPE_UINT8, .size = 10, .rank = 2, .dims = {2, 5}};
	cr_assert_not(tensor_is_list(&t));
	t = list_of(ZHOUYI_TYPE_UINT8, 1);
	cr_assert_not(tensor_is_list(&t));
	t = list_of(ZHOUYI_TYPE_FLOAT16, 10);
	cr_assert_not(tensor_is_list(&t));
}

Test(classes, labels_are_lines)
{
	char text[] = "background\r\ncat\n\ndog";
	struct labels labels;

	cr_assert_eq(labels_init(&labels, text, strlen(text)), 0);
	cr_assert_eq(labels.n, 4);
	cr_assert_str_eq(labels_find(&labels, 0), "background");
	cr_assert_str_eq(labels_find(&labels, 1), "cat");
	cr_assert_str_eq(labels_find(&labels, 2), "");
	cr_assert_str_eq(labels_find(&labels, 3), "dog");
	cr_assert_str_eq(labels_find(&labels, 4), "");
	labels_finish(&labels);
}

Test(classes, an_empty_file_has_no_labels)
{
	char text[] = "";
	struct labels labels;

	cr_assert_eq(labels_init(&labels, text, 0), 0);
	cr_assert_eq(labels.n, 0);
	labels_finish(&labels);
}
