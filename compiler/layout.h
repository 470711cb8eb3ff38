/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From values to places: a slot of the parameter block for each value that is used, a
 * section of its own for each input and output, one shared section for intermediates,
 * one static section for each constant; and then the file.
 */
#pragma once

#include "compiler/error.h"
#include "compiler/ir.h"
#include "loadable/graph.h"

#include <stddef.h>
#include <stdint.h>

/* What came out, for --verbose. */
struct layout_report {
	uint32_t n_insns;
	uint32_t n_constants, n_intermediates;
	uint64_t constant_bytes;     /* as stored */
	uint64_t intermediate_bytes; /* if nothing were shared */
	uint32_t arena_bytes;	     /* what they share */
};

/*
 * Write @ir, whose instructions get their slots here, as a loadable for @target. The
 * file is the caller's to free(). Returns 0, -EFBIG, or -ENOMEM.
 */
int layout_write(uint8_t **ret, size_t *ret_size, struct ir *ir, const struct graph_target *target,
		 struct layout_report *ret_report, struct compile_error *ret_error);
