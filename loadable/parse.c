/* SPDX-License-Identifier: Apache-2.0 */
#include "loadable/parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "note 'fmlist': BSS 0: reuse section 3: subsection 1: " */
static size_t place_print(const struct parse_place *place, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	if (place->note)
		n += (size_t)snprintf(text + n, size - n, "note '%s': ", place->note);
	if (place->subgraph >= 0)
		n += (size_t)snprintf(text + n, size - n,
				      "subgraph %lld: ", (long long)place->subgraph);
	if (place->bss >= 0)
		n += (size_t)snprintf(text + n, size - n, "BSS %lld: ", (long long)place->bss);
	if (place->section_kind)
		n += (size_t)snprintf(text + n, size - n, "%s %u: ", place->section_kind,
				      place->section);
	if (place->subsection >= 0)
		n += (size_t)snprintf(text + n, size - n,
				      "subsection %lld: ", (long long)place->subsection);
	return n;
}

int parse_fail(struct parse *p, int error, const char *format, ...)
{
	struct loadable_error *e = p->error;
	va_list args;
	size_t n;

	/* Our own words and numbers only: at most about 120 characters. */
	n = place_print(&p->place, e->text, sizeof(e->text));
	va_start(args, format);
	vsnprintf(e->text + n, sizeof(e->text) - n, format, args);
	va_end(args);
	return error;
}

void *parse_reserve(void *array, size_t *room, size_t need, size_t element_size)
{
	size_t want = *room + *room / 2, bytes;
	uint8_t *moved;

	if (array && need <= *room)
		return array;
	if (want < need)
		want = need;
	if (want == 0)
		want = 1;
	if (__builtin_mul_overflow(want, element_size, &bytes))
		return NULL;
	moved = realloc(array, bytes);
	if (!moved)
		return NULL;
	memset(moved + *room * element_size, 0, bytes - *room * element_size);
	*room = want;
	return moved;
}

static void *trim(void *array, size_t n, size_t element_size)
{
	/* Shrinking may fail like any allocation; then the array stays as it is. */
	void *moved = n ? realloc(array, n * element_size) : NULL;

	return moved ? moved : array;
}

#define TRIM(array, n) ((array) = trim(array, n, sizeof(*(array))))

void parse_trim(struct parse *p)
{
	struct graph *g = p->graph;

	TRIM(g->bss, g->n_bss);
	TRIM(g->statics, g->n_statics);
	TRIM(g->reuses, g->n_reuses);
	TRIM(g->patches, g->n_patches);
	TRIM(g->subgraphs, g->n_subgraphs);
	for (size_t i = 0; i < GRAPH_TENSOR_KIND_MAX_; i++)
		TRIM(g->tensors[i].tensor, g->tensors[i].n);
	memset(&p->room, 0, sizeof(p->room));
}

int parse_check_align(struct parse *p, uint32_t align)
{
	if (align == 0 || (align & (align - 1)) != 0)
		return parse_fail(p, -EBADMSG, "alignment %u is not a power of two", align);
	if (align > PARSE_MAX_ALIGN)
		return parse_fail(p, -EBADMSG, "alignment %u is above %u", align, PARSE_MAX_ALIGN);
	return 0;
}
