/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/compile.h"
#include "compiler/tflite.h"
#include "tflite_builder.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const uint8_t filter[4 * 3 * 3 * 2] = {1, 2, 3};
static const int32_t bias[4] = {10, 20, 30, 40};

static void build(struct builder *b)
{
	struct builder_operator *op;

	builder_init(b);
	builder_tensor(b, "image/\xc3\xa4\n", TFLITE_UINT8, 0.5f, 128, DIMS(1, 6, 7, 2));
	builder_tensor(b, "weights", TFLITE_INT8, 0.25f, 0, DIMS(4, 3, 3, 2));
	builder_constant(b, NULL, TFLITE_INT32, DIMS(4), bias, sizeof(bias));
	builder_tensor(b, "result", TFLITE_INT8, 0.5f, -3, DIMS(1, 2, 5, 4));
	b->tensors[1].data = filter;
	b->tensors[1].size = sizeof(filter);
	op = builder_operator(b, TFLITE_CONV_2D, TENSORS(0, 1, 2), TENSORS(3));
	OPTIONS(op, 1, B(1), W(1), W(2), B(3), W(1), NO_FIELD);
	builder_input(b, 0);
	builder_output(b, 3);
	builder_write(b);
}

Test(tflite, tensors_and_operators_are_read)
{
	struct tflite_model *m = NULL;
	struct compile_error error;
	struct tflite_operator *op;
	struct builder b;
	char buffer[32];

	build(&b);
	cr_assert_eq(tflite_parse(&m, b.data, b.size, &error), 0, "%s", error.text);
	cr_assert_eq(m->n_tensors, 4);
	cr_assert_str_eq(m->tensors[0].name, "image/___", "only printable ASCII");
	cr_assert_eq(m->tensors[0].type, TFLITE_UINT8);
	cr_assert_eq(m->tensors[0].rank, 4);
	cr_assert_eq(m->tensors[0].dims[2], 7);
	cr_assert_eq(m->tensors[0].n_elements, 84);
	cr_assert_eq(flatbuffer_get_u64(m->tensors[0].zero_point.data), 128);
	cr_assert_null(m->tensors[0].data.data);
	cr_assert_eq(memcmp(m->tensors[1].data.data, filter, sizeof(filter)), 0);
	cr_assert_str_eq(m->tensors[2].name, "tensor_2");
	cr_assert_eq(m->n_operators, 1);
	op = &m->operators[0];
	cr_assert_str_eq(tflite_operator_name(op, buffer), "CONV_2D");
	cr_assert_eq(op->inputs.n, 3);
	cr_assert_eq(tflite_index(&op->inputs, 2), 2);
	cr_assert_eq(op->options.padding, TFLITE_PADDING_VALID);
	cr_assert_eq(op->options.stride_h, 2);
	cr_assert_eq(op->options.activation, TFLITE_ACTIVATION_RELU6);
	cr_assert_eq(op->options.dilation_h, 1, "an absent dilation is 1");
	tflite_destroy(m);
	builder_finish(&b);
}

static const struct {
	const char *bytes;
	size_t size;
	const char *words;
} others[] = {
	{"", 0, "empty"},
	{"TFL", 3, "\"TFL3\""},
	{"\x7f"
	 "ELF\1\1\1\0\0\0\0",
	 11, "ELF"},
	{"AIPU BIN\0\0\0", 11, "v1 and v2"},
	{"PK\3\4\0\0\0\0\0", 9, "zip archive"},
	{"\x1f\x8b\x08\0\0\0\0\0\0", 9, "gzip"},
	{"\x89HDF\r\n\x1a\n\0", 9, "Keras"},
	{"\x89PNG\r\n\x1a\n\0", 9, "PNG"},
	{"\xff\xd8\xff\xe0\0\0\0\0\0", 9, "JPEG"},
	{"\x08\x07\x12\x07pytorch", 11, "ONNX"},
	{"{\"model\": 1}", 12, "JSON"},
	{"\0\0\0\0TFL2\0\0\0\0", 12, "\"TFL3\""},
};

Test(tflite, a_file_of_another_kind_is_called_by_its_name)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct tflite_model *m = NULL;
		struct compile_error error = {""};
		uint8_t *copy = malloc(others[i].size + 1);

		memcpy(copy, others[i].bytes, others[i].size);
		copy = realloc(copy, others[i].size ? others[i].size : 1);
		cr_expect_eq(tflite_parse(&m, copy, others[i].size, &error), -ENOEXEC);
		cr_expect(strstr(error.text, others[i].words), "no '%s' in: %s", others[i].words,
			  error.text);
		cr_expect_null(m);
		free(copy);
	}
}

/* Compile a copy that is exactly as large as it says; the result does not matter, surviving does.
 */
static int try_compile(const uint8_t *data, size_t size, struct compile_error *error)
{
	struct compile_result result = {0};
	struct graph_target target;
	uint8_t *copy = malloc(size ? size : 1);
	int r;

	graph_target_find(&target, COMPILE_DEFAULT_TARGET);
	memcpy(copy, data, size);
	error->text[0] = '\0';
	r = compile_tflite(&result, copy, size, &target, error);
	free(result.data);
	free(copy);
	return r;
}

Test(tflite, a_file_cut_anywhere_is_refused_with_a_reason)
{
	struct compile_error error;
	struct builder b;

	build(&b);
	cr_assert_eq(try_compile(b.data, b.size, &error), 0, "%s", error.text);
	/* At the end is the entry of a buffer that nothing refers to. */
	for (size_t size = 0; size < b.size; size++) {
		int r = try_compile(b.data, size, &error);

		cr_expect(r < 0 || size + 32 > b.size, "%zu of %zu", size, b.size);
		cr_expect(r == 0 || error.text[0]);
	}
	builder_finish(&b);
}

Test(tflite, any_changed_byte_is_survived)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
	struct compile_error error;
	struct builder b;

	build(&b);
	for (size_t i = 0; i < b.size; i++) {
		uint8_t old = b.data[i];

		for (size_t k = 0; k < sizeof(values); k++) {
			int r;

			b.data[i] = values[k];
			r = try_compile(b.data, b.size, &error);
			cr_expect(r == 0 || error.text[0], "byte %zu: no reason", i);
			cr_expect_neq(r, -EPROTO, "byte %zu = %u: %s", i, values[k], error.text);
		}
		b.data[i] = old;
	}
	builder_finish(&b);
}

Test(tflite, any_changed_word_is_survived)
{
	const char *text = getenv("ZHOUYI_SEED");
	unsigned int seed = text ? (unsigned int)strtoul(text, NULL, 0) : (unsigned int)time(NULL);
	struct compile_error error;
	struct builder b;

	cr_log_info("ZHOUYI_SEED=%u\n", seed);
	srand(seed);
	build(&b);
	for (int round = 0; round < 5000; round++) {
		size_t at = (size_t)rand() % (b.size - 4) & ~(size_t)3;
		uint32_t old, new = (uint32_t)rand() >> rand() % 31;
		int r;

		memcpy(&old, b.data + at, 4);
		memcpy(b.data + at, &new, 4);
		r = try_compile(b.data, b.size, &error);
		cr_expect(r == 0 || error.text[0]);
		cr_expect_neq(r, -EPROTO, "%s", error.text);
		memcpy(b.data + at, &old, 4);
	}
	builder_finish(&b);
}

/* A vector whose elements all lead to the same table makes much of few bytes. */
Test(tflite, too_many_tensors_are_refused_before_they_are_read)
{
	enum { N = TFLITE_MAX_TENSORS + 1 };
	static uint8_t file[32 + 32 + 4 * N + 64];
	struct compile_error error;

	memcpy(file, "\x18\0\0\0TFL3", 8);			 /* the model is at 24 */
	memcpy(file + 8, "\x0a\0\x0c\0\x04\0\0\0\x08\0", 10);	 /* its vtable */
	memcpy(file + 24, "\x10\0\0\0\x03\0\0\0\x04\0\0\0", 12); /* version 3, subgraphs */
	memcpy(file + 36, "\x01\0\0\0\x0c\0\0\0", 8);		 /* one subgraph, at 52 */
	memcpy(file + 44, "\x06\0\x08\0\x04\0\0\0", 8);		 /* its vtable */
	memcpy(file + 52, "\x08\0\0\0\x04\0\0\0", 8);		 /* its tensors, at 60 */
	memcpy(file + 60, &(uint32_t){N}, 4);
	cr_assert_eq(try_compile(file, sizeof(file), &error), -ENOTSUP, "%s", error.text);
	cr_assert(strstr(error.text, "65537 tensors"), "%s", error.text);
}
