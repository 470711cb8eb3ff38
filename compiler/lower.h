/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lowering: a TFLite model's operators to instructions.
 *
 * Model inputs and outputs become values of their own, used for nothing else, so that
 * a client's buffers can stand in for them. Reshaping costs nothing where two names
 * for one value will do, and a copy where they will not (an input that is also an
 * output).
 */
#pragma once

#include "compiler/error.h"
#include "compiler/ir.h"
#include "compiler/tflite.h"

#include <stddef.h>

/*
 * The ir is the caller's; the constants in it point into the file behind @model, or are
 * owned by the ir. Returns 0, or
 *   -EBADMSG  the model contradicts itself
 *   -ENOTSUP  it is sound, but uses what is not supported
 *   -EINVAL   the instruction set cannot express it (too large a window, for example)
 *   -EFBIG    too many instructions or constants
 *   -ENOMEM
 */
int lower_model(struct ir **ret, const struct tflite_model *model, struct compile_error *ret_error);

/* Name of the supported operator number @i, NULL behind the last: for messages and help. */
const char *lower_operator_at(unsigned int i);
