/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/compile.h"

#include "compiler/lower.h"
#include "compiler/test_program.h"
#include "compiler/tflite.h"
#include "loadable/loadable_elf.h"
#include "loadable/program.h"

#include <errno.h>
#include <stdlib.h>

/* Whether the loader takes what we made. */
static int check_result(const struct compile_result *result, struct compile_error *error)
{
	struct loadable_error why = {""};
	struct graph *graph = NULL;
	int r;

	r = loadable_elf_parse(&graph, result->data, result->size, &why);
	if (r == 0)
		r = program_check(graph, &why);
	graph_destroy(graph);
	switch (r) {
	case 0:
		return 0;
	case -ENOMEM:
		return compile_error_set(error, r, "out of memory");
	case -EFBIG:
		return compile_error_set(error, r, "the compiled model is too large: %s", why.text);
	default:
		return compile_error_set(error, -EPROTO,
					 "internal error: the result would not load: %s; please "
					 "report this with the model",
					 why.text);
	}
}

static int finish(struct compile_result *ret, struct ir *ir, const struct graph_target *target,
		  struct compile_error *error)
{
	struct compile_result result = {0};
	int r;

	r = layout_write(&result.data, &result.size, ir, target, &result.report, error);
	if (r < 0)
		return r;
	r = check_result(&result, error);
	if (r < 0) {
		free(result.data);
		return r;
	}
	*ret = result;
	return 0;
}

static int check_target(const struct graph_target *target, struct compile_error *error)
{
	if (target->architecture == NPU_ARCHITECTURE)
		return 0;
	return compile_error_set(error, -ENOTSUP,
				 "target %s: its instruction set is not public; only software "
				 "NPUs can be compiled for",
				 target->name);
}

int compile_tflite(struct compile_result *ret, const uint8_t *model, size_t size,
		   const struct graph_target *target, struct compile_error *ret_error)
{
	struct tflite_model *parsed = NULL;
	struct ir *ir = NULL;
	size_t n_operators;
	int r;

	r = check_target(target, ret_error);
	if (r < 0)
		return r;
	r = tflite_parse(&parsed, model, size, ret_error);
	if (r < 0)
		return r;
	n_operators = parsed->n_operators;
	r = lower_model(&ir, parsed, ret_error);
	tflite_destroy(parsed);
	if (r < 0)
		return r;
	r = finish(ret, ir, target, ret_error);
	ir_destroy(ir);
	if (r < 0)
		return r;
	ret->n_operators = n_operators;
	return 0;
}

int compile_test_program(struct compile_result *ret, const char *program, uint32_t size,
			 const struct graph_target *target, struct compile_error *ret_error)
{
	struct ir *ir = NULL;
	int r;

	r = check_target(target, ret_error);
	if (r < 0)
		return r;
	r = test_program_parse(&ir, program, size, ret_error);
	if (r < 0)
		return r;
	r = finish(ret, ir, target, ret_error);
	ir_destroy(ir);
	return r;
}
