/* SPDX-License-Identifier: Apache-2.0 */
#include "loadable/operand.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loadable/reader.h"

static int compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int patch_index_init(struct patch_index *index, const struct graph *graph)
{
	index->n = graph->n_patches;
	index->key = malloc((index->n + 1) * sizeof(*index->key));
	if (!index->key)
		return -ENOMEM;
	for (size_t i = 0; i < index->n; i++)
		index->key[i] = (uint64_t)graph->patches[i].position << 32 | (uint32_t)i;
	qsort(index->key, index->n, sizeof(*index->key), compare_keys);
	return 0;
}

void patch_index_finish(struct patch_index *index)
{
	free(index->key);
	*index = (struct patch_index){0};
}

size_t patch_index_find(const struct patch_index *index, uint32_t position)
{
	size_t low = 0, high = index->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (patch_index_position(index, middle) < position)
			low = middle + 1;
		else
			high = middle;
	}
	return low < index->n && patch_index_position(index, low) == position ? low : index->n;
}

void operand_resolve(struct operand *ret, const struct graph *graph,
		     const struct patch_index *index, const struct graph_subgraph *subgraph,
		     uint32_t slot)
{
	*ret = (struct operand){
		.position = (uint64_t)subgraph->rodata_offset + slot,
		.place = index->n,
	};
	ret->is_inside = ret->position + sizeof(struct npu_slot) <= graph->rodata.size;
	if (!ret->is_inside)
		return;
	ret->size = load_le32(graph->rodata.data + ret->position + offsetof(struct npu_slot, size));
	ret->place = patch_index_find(index, (uint32_t)ret->position);
	if (ret->place < index->n)
		ret->patch = &graph->patches[patch_index_entry(index, ret->place)];
}

bool operand_fetch(struct npu_insn *ret, const struct graph *graph,
		   const struct graph_subgraph *subgraph, uint32_t i)
{
	uint64_t offset = subgraph->text_offset + (uint64_t)i * sizeof(*ret);

	if (offset + sizeof(*ret) > graph->text.size)
		return false;
	memcpy(ret, graph->text.data + offset, sizeof(*ret));
	return true;
}
