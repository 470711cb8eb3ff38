/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler: bytes of a model to bytes of a loadable. What zhouyi-cc, the tests and
 * the fuzzer call. Pure; any thread. Deterministic: equal input, equal bytes.
 *
 * Each result has passed loadable_elf_parse() and program_check(), so what the loader
 * would refuse is never handed out.
 */
#pragma once

#include "compiler/error.h"
#include "compiler/layout.h"
#include "loadable/graph.h"

#include <stddef.h>
#include <stdint.h>

#define COMPILE_DEFAULT_TARGET "soft_X2_1204"

struct compile_result {
	uint8_t *data; /* owned by the caller: free() */
	size_t size;
	size_t n_operators; /* of the model; 0 for test programs */
	struct layout_report report;
};

/*
 * Compile a TFLite model. Returns 0, or a negative errno and the reason:
 *   -ENOEXEC  not a TFLite file
 *   -EBADMSG  malformed or contradictory
 *   -ENOTSUP  sound, but not supported
 *   -EINVAL   the instruction set cannot express it
 *   -EFBIG    too large
 *   -ENOMEM
 *   -EPROTO   the result would not load: a bug of the compiler
 */
int compile_tflite(struct compile_result *ret, const uint8_t *model, size_t size,
		   const struct graph_target *target, struct compile_error *ret_error);

/*
 * Make a model of test instructions, with one uint8 input and one uint8 output of @size
 * bytes: statements `copy`, `delay MICROSECONDS`, `hang` and `fault
 * [exception|fault|error]`, separated by semicolons or line ends. Returns as above;
 * -EINVAL for a statement that is none.
 */
int compile_test_program(struct compile_result *ret, const char *program, uint32_t size,
			 const struct graph_target *target, struct compile_error *ret_error);
