/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of what comes out, whatever goes in: the container, determinism, test
 * programs.
 */
#include "compiler/compile.h"
#include "loadable/container.h"
#include "loadable/graph.h"
#include "model_test.h"
#include "npu/isa.h"
#include "run_model.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct graph_target target(void)
{
	struct graph_target t;

	cr_assert(graph_target_find(&t, COMPILE_DEFAULT_TARGET));
	return t;
}

/* Two inputs, two outputs, a chain of intermediates, equal constants. */
static void build(struct builder *b)
{
	static const uint8_t weights[4 * 4] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	int a, c, t[5], filter[2];
	struct builder_operator *op;

	builder_init(b);
	a = builder_tensor(b, "left", TFLITE_INT8, 0.5f, 1, DIMS(1, 4));
	c = builder_tensor(b, "right", TFLITE_INT8, 0.25f, -1, DIMS(1, 4));
	for (int i = 0; i < 2; i++) {
		filter[i] = builder_tensor(b, "weights", TFLITE_INT8, 0.125f, 0, DIMS(4, 4));
		b->tensors[filter[i]].data = weights;
		b->tensors[filter[i]].size = sizeof(weights);
	}
	for (int i = 0; i < 5; i++)
		t[i] = builder_tensor(b, "t", TFLITE_INT8, 0.5f, 3, DIMS(1, 4));
	b->tensors[t[4]].name = "sum";
	b->tensors[t[3]].name = "deep";
	op = builder_operator(b, TFLITE_FULLY_CONNECTED, TENSORS(a, filter[0]), TENSORS(t[0]));
	OPTIONS(op, 8, B(0));
	op = builder_operator(b, TFLITE_FULLY_CONNECTED, TENSORS(t[0], filter[1]), TENSORS(t[1]));
	OPTIONS(op, 8, B(0));
	builder_operator(b, TFLITE_RELU, TENSORS(t[1]), TENSORS(t[2]));
	builder_operator(b, TFLITE_RELU6, TENSORS(t[2]), TENSORS(t[3]));
	op = builder_operator(b, TFLITE_ADD, TENSORS(t[2], c), TENSORS(t[4]));
	OPTIONS(op, 11, B(0));
	builder_input(b, a);
	builder_input(b, c);
	builder_output(b, t[4]);
	builder_output(b, t[3]);
}

static struct graph *parse(const struct compile_result *result)
{
	struct loadable_error error;
	struct graph *g = NULL;

	cr_assert_eq(loadable_elf_parse(&g, result->data, result->size, &error), 0, "%s",
		     error.text);
	return g;
}

static void check_tensor(const struct graph *g, enum graph_tensor_kind kind, uint32_t id,
			 const char *name, float scale, int32_t zero)
{
	const struct graph_tensor *t = &g->tensors[kind].tensor[id];

	cr_expect_str_eq(t->name, name);
	cr_expect_eq(t->size, 4);
	cr_expect_eq(t->offset, 0);
	cr_expect_eq(t->type, GRAPH_TYPE_INT8);
	cr_expect_float_eq(t->scale, scale, 0);
	cr_expect_eq(t->zero_point, zero);
	cr_expect_eq(t->rank, 2);
	cr_expect_eq(t->dims[1], 4);
	for (size_t i = 0; i < g->n_patches; i++) {
		const struct graph_patch *p = &g->patches[i];

		if (p->area == GRAPH_AREA_REUSE && p->section == t->section)
			cr_expect(p->offset == 0 && p->size == t->size,
				  "%s: something else is in its section", name);
	}
}

Test(compile, inputs_and_outputs_have_sections_of_their_own)
{
	struct compile_result result;
	struct builder b;
	struct graph *g;

	build(&b);
	result = model_test_compile(&b);
	g = parse(&result);
	cr_assert_eq(g->tensors[GRAPH_TENSOR_INPUT].n, 2);
	cr_assert_eq(g->tensors[GRAPH_TENSOR_OUTPUT].n, 2);
	check_tensor(g, GRAPH_TENSOR_INPUT, 0, "left", 0.5f, 1);
	check_tensor(g, GRAPH_TENSOR_INPUT, 1, "right", 0.25f, -1);
	check_tensor(g, GRAPH_TENSOR_OUTPUT, 0, "sum", 0.5f, 3);
	check_tensor(g, GRAPH_TENSOR_OUTPUT, 1, "deep", 0.5f, 3);
	cr_assert_eq(g->n_reuses, 5, "and one for the intermediates");
	graph_destroy(g);
	free(result.data);
	builder_finish(&b);
}

Test(compile, the_container_says_what_it_is)
{
	struct compile_result result;
	struct builder b;
	struct graph *g;

	build(&b);
	result = model_test_compile(&b);
	g = parse(&result);
	cr_assert_eq(g->target.word, 0x053504b4);
	cr_assert_eq(g->file_version, 0x01010000);
	cr_assert_eq(g->flags, 0);
	cr_assert_str_eq(g->detailed_target, "soft_X2_1204MP3");
	cr_assert_eq(g->n_bss, 1);
	cr_assert_eq(g->n_subgraphs, 1);
	cr_assert_eq(g->subgraphs[0].dependency, 0);
	cr_assert_gt(g->subgraphs[0].private_size, 0);
	cr_assert_gt(g->bss[0].stack_size, 0);
	cr_assert_eq(g->n_remaps, 0);
	cr_assert_eq(g->desc.size, 0);
	cr_assert_eq(g->text.size, 6 * sizeof(struct npu_insn));
	/* The vendor's loader knows this from a bit; ours takes care by itself. */
	cr_assert_not_null(memmem(result.data, result.size, "compilermsg\0\0\0\1\1", 16));
	graph_destroy(g);
	free(result.data);
	builder_finish(&b);
}

Test(compile, equal_constants_are_stored_once)
{
	struct compile_result result;
	struct builder b;
	struct graph *g;

	build(&b);
	result = model_test_compile(&b);
	g = parse(&result);
	/* Two filters are one; so are two biases of zeros. The scales differ: 0.125 is also s_in.
	 */
	cr_assert_eq(g->n_statics, 3, "%zu", g->n_statics);
	for (size_t i = 0; i < g->n_statics; i++) {
		cr_expect_eq(g->statics[i].type, CONTAINER_SUBSECTION_CONSTANT);
		cr_expect_eq(g->statics[i].align, 64);
		cr_expect_eq(g->statics[i].src_offset % 64, 0);
	}
	graph_destroy(g);
	free(result.data);
	builder_finish(&b);
}

Test(compile, each_slot_has_one_patch_of_all_bits)
{
	struct compile_result result;
	struct builder b;
	struct graph *g;

	build(&b);
	result = model_test_compile(&b);
	g = parse(&result);
	cr_assert_eq(g->n_patches * sizeof(struct npu_slot), g->rodata.size);
	for (size_t i = 0; i < g->n_patches; i++) {
		struct npu_slot slot;

		memcpy(&slot, g->rodata.data + g->patches[i].position, sizeof(slot));
		cr_expect_eq(slot.address, 0);
		cr_expect_eq(slot.size, g->patches[i].size);
		cr_expect_eq(g->patches[i].mask, 0xffffffff);
	}
	graph_destroy(g);
	free(result.data);
	builder_finish(&b);
}

Test(compile, equal_input_gives_equal_bytes)
{
	struct compile_result first, second;
	struct builder b;
	void *noise;

	build(&b);
	first = model_test_compile(&b);
	noise = malloc(12345);
	second = model_test_compile(&b);
	cr_assert_eq(first.size, second.size);
	cr_assert_eq(memcmp(first.data, second.data, first.size), 0);
	free(noise);
	free(first.data);
	free(second.data);
	builder_finish(&b);
}

Test(compile, an_unused_input_is_still_an_input)
{
	struct compile_result result;
	struct builder b;
	struct graph *g;

	build(&b);
	builder_input(&b, builder_tensor(&b, "spare", TFLITE_UINT8, 1, 0, DIMS(9)));
	result = model_test_compile(&b);
	g = parse(&result);
	cr_assert_eq(g->tensors[GRAPH_TENSOR_INPUT].n, 3);
	cr_assert_eq(g->tensors[GRAPH_TENSOR_INPUT].tensor[2].size, 9);
	graph_destroy(g);
	free(result.data);
	builder_finish(&b);
}

Test(compile, hardware_targets_are_refused)
{
	struct compile_result result = {0};
	struct compile_error error;
	struct graph_target hardware;
	struct builder b;

	build(&b);
	builder_write(&b);
	cr_assert(graph_target_find(&hardware, "X2_1204"));
	cr_assert_eq(compile_tflite(&result, b.data, b.size, &hardware, &error), -ENOTSUP);
	cr_assert(strstr(error.text, "X2_1204"));
	cr_assert_eq(compile_test_program(&result, "copy", 4, &hardware, &error), -ENOTSUP);
	cr_assert_null(result.data);
	builder_finish(&b);
}

static const struct npu_insn *insn_at(const struct graph *g, size_t i)
{
	static struct npu_insn insn;

	memcpy(&insn, g->text.data + i * sizeof(insn), sizeof(insn));
	return &insn;
}

Test(compile, a_test_program_does_what_it_says)
{
	struct compile_result result;
	struct compile_error error;
	struct graph_target t = target();
	struct run_model m;
	int r;

	r = compile_test_program(&result, " delay 20000;copy ;\n; delay 4294967295 ", 5000, &t,
				 &error);
	cr_assert_eq(r, 0, "%s", error.text);
	cr_assert_eq(run_model_open(&m, result.data, result.size), 0, "%s", m.error.text);
	cr_assert_eq(m.graph->text.size, 4 * sizeof(struct npu_insn));
	cr_assert_eq(insn_at(m.graph, 0)->opcode, NPU_OP_DELAY);
	cr_assert_eq(insn_at(m.graph, 0)->extra[0], 20000);
	cr_assert_eq(insn_at(m.graph, 1)->opcode, NPU_OP_COPY);
	cr_assert_eq(insn_at(m.graph, 2)->extra[0], UINT32_MAX);
	cr_assert_eq(insn_at(m.graph, 3)->opcode, NPU_OP_END);
	for (int i = 0; i < 5000; i++)
		run_model_input(&m, 0)[i] = (uint8_t)(i * 7);
	cr_assert_eq(run_model_run(&m), 0, "%s", m.error.text);
	cr_assert_eq(memcmp(run_model_input(&m, 0), run_model_output(&m, 0), 5000), 0);
	cr_assert_str_eq(m.graph->tensors[GRAPH_TENSOR_INPUT].tensor[0].name, "input");
	run_model_close(&m);
	free(result.data);
}

Test(compile, test_programs_without_operands_load_too)
{
	static const char *const programs[] = {"hang",	      "fault",	     "fault exception",
					       "fault fault", "fault error", "delay 0"};
	static const uint32_t raises[] = {0, 0, 0, 1, 2, 0};

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct compile_result result;
		struct compile_error error;
		struct graph_target t = target();
		struct run_model m;

		cr_assert_eq(compile_test_program(&result, programs[i], 1, &t, &error), 0, "%s: %s",
			     programs[i], error.text);
		cr_assert_eq(run_model_open(&m, result.data, result.size), 0, "%s", m.error.text);
		cr_assert_eq(insn_at(m.graph, 0)->extra[0], raises[i]);
		run_model_close(&m);
		free(result.data);
	}
}

static const struct {
	const char *program;
	uint32_t size;
	const char *words;
} bad_programs[] = {
	{"", 4, "empty"},
	{" ; ;", 4, "empty"},
	{"copy; jump", 4, "statement 2: 'jump'"},
	{"copy 5", 4, "usage: copy"},
	{"delay", 4, "usage: delay MICROSECONDS"},
	{"delay 1 2", 4, "usage: delay"},
	{"delay -1", 4, "'-1' is not a number"},
	{"delay 4294967296", 4, "not a number"},
	{"delay 99999999999999999999999999999999999999999999", 4, "not a number"},
	{"delay 5us", 4, "'5us'"},
	{"fault badly", 4, "exception, fault or error"},
	{"hang on", 4, "usage: hang"},
	{"a_word_that_is_far_too_long_for_a_statement_of_a_test_program", 4, "statement 1"},
	{"copy", 0, "size of 0"},
	{"copy", 0x80000000, "size of 2147483648"},
};

Test(compile, a_test_program_that_is_none_is_refused)
{
	for (size_t i = 0; i < sizeof(bad_programs) / sizeof(bad_programs[0]); i++) {
		struct compile_result result = {0};
		struct compile_error error = {""};
		struct graph_target t = target();
		int r = compile_test_program(&result, bad_programs[i].program, bad_programs[i].size,
					     &t, &error);

		cr_expect_eq(r, -EINVAL, "'%s': %d", bad_programs[i].program, r);
		cr_expect(strstr(error.text, bad_programs[i].words), "no '%s' in: %s",
			  bad_programs[i].words, error.text);
		cr_expect_null(result.data);
	}
}

Test(compile, a_program_that_is_too_long_is_refused)
{
	enum { STATEMENTS = 65536 };
	char *text = malloc(STATEMENTS * 5 + 1);
	struct compile_result result = {0};
	struct compile_error error = {""};
	struct graph_target t = target();

	for (size_t i = 0; i < STATEMENTS; i++)
		memcpy(text + 5 * i, "hang;", 5);
	text[(STATEMENTS - 1) * 5] = '\0';
	cr_assert_eq(compile_test_program(&result, text, 4, &t, &error), 0, "%s", error.text);
	free(result.data);
	text[(STATEMENTS - 1) * 5] = 'h';
	text[STATEMENTS * 5] = '\0';
	cr_assert_eq(compile_test_program(&result, text, 4, &t, &error), -EFBIG);
	cr_assert(strstr(error.text, "more than 65535 instructions"), "%s", error.text);
	free(text);
}
