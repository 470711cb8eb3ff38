/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/loadable/expect.h"

#include <criterion/criterion.h>
#include <string.h>

struct graph *expect_accepted(struct elf_builder *b)
{
	struct loadable_error error;
	struct graph *graph = NULL;
	size_t size;
	uint8_t *image = elf_builder_image(b, &size);
	int r = loadable_elf_parse(&graph, image, size, &error);

	cr_assert_eq(r, 0, "refused with %d: %s", r, error.text);
	cr_assert_str_empty(error.text);
	return graph;
}

void expect_image_refused(const uint8_t *image, size_t size, int error, const char *text)
{
	struct loadable_error got;
	struct graph *graph = NULL;
	int r = loadable_elf_parse(&graph, image, size, &got);

	cr_assert_eq(r, error, "%d instead of %d: %s", r, error, got.text);
	cr_assert(strstr(got.text, text), "says \"%s\", not \"%s\"", got.text, text);
	cr_assert_null(graph);
}

void expect_refused(struct elf_builder *b, int error, const char *text)
{
	size_t size;
	uint8_t *image = elf_builder_image(b, &size);

	expect_image_refused(image, size, error, text);
	elf_builder_finish(b);
}
