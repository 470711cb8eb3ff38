/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/plan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Larger first; a total order, so that sorting is deterministic. */
static int compare_size(const void *a, const void *b)
{
	const struct plan_item *x = *(struct plan_item *const *)a;
	const struct plan_item *y = *(struct plan_item *const *)b;

	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	return x < y ? -1 : x > y;
}

static bool lives_with(const struct plan_item *a, const struct plan_item *b)
{
	return a->first <= b->last && b->first <= a->last;
}

/* The lowest free place for @item among those @placed, which are in order of their offsets. */
static uint64_t find_place(const struct plan_item *item, struct plan_item *const *placed, size_t n,
			   uint32_t align)
{
	uint64_t offset = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t end = (uint64_t)placed[i]->offset + placed[i]->size;

		if (!lives_with(item, placed[i]))
			continue;
		if (placed[i]->offset >= offset + item->size)
			break;
		end = (end + align - 1) & ~(uint64_t)(align - 1);
		if (end > offset)
			offset = end;
	}
	return offset;
}

static void insert(struct plan_item **placed, size_t n, struct plan_item *item)
{
	size_t i = n;

	while (i > 0 && placed[i - 1]->offset > item->offset)
		i--;
	memmove(placed + i + 1, placed + i, (n - i) * sizeof(*placed));
	placed[i] = item;
}

static int place_all(struct plan_item **order, struct plan_item **placed, size_t n, uint32_t align,
		     uint32_t *ret_size)
{
	uint64_t size = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t offset = find_place(order[i], placed, i, align);
		uint64_t end = offset + order[i]->size;

		if (end > PLAN_MAX_SIZE)
			return -EFBIG;
		if (end > size)
			size = end;
		order[i]->offset = (uint32_t)offset;
		insert(placed, i, order[i]);
	}
	*ret_size = (uint32_t)size;
	return 0;
}

int plan_memory(struct plan_item *items, size_t n, uint32_t align, uint32_t *ret_size)
{
	struct plan_item **order = calloc(2 * n + 1, sizeof(*order));
	int r;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		order[i] = &items[i];
	qsort(order, n, sizeof(*order), compare_size);
	r = place_all(order, order + n, n, align, ret_size);
	free(order);
	return r;
}
