/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of test instructions, from a line of text; see compile.h.
 */
#pragma once

#include "compiler/error.h"
#include "compiler/ir.h"

#include <stdint.h>

/* The ir is the caller's. Returns 0, -EINVAL, -EFBIG or -ENOMEM. */
int test_program_parse(struct ir **ret, const char *program, uint32_t size,
		       struct compile_error *ret_error);
