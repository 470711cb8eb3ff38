/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the loadable room ask about images. */
#pragma once

#include "loadable/graph.h"
#include "loadable/loadable_elf.h"
#include "tests/unit/loadable/elf_builder.h"

/* Parse what @b builds. The graph is the caller's, and borrows from @b. */
struct graph *expect_accepted(struct elf_builder *b);
/* The parser answers @error, and its text contains @text. Finishes @b. */
void expect_refused(struct elf_builder *b, int error, const char *text);
/* The same for an image that was tampered with. */
void expect_image_refused(const uint8_t *image, size_t size, int error, const char *text);
