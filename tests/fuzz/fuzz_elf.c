/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model images: parse them; what is accepted must keep what the headers promise,
 * can be listed, and, if the program check accepts it too, touches nothing but
 * its own sections.
 *
 * Needs no corpus: the mutator starts from what the tests' builder builds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loadable/graph.h"
#include "loadable/listing.h"
#include "loadable/loadable_elf.h"
#include "loadable/program.h"
#include "npu/ops.h"
#include "tests/unit/loadable/elf_builder.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* Where a section of the graph would lie in the device's window. */
struct object {
	uint32_t base, size;
	bool is_static;
};

struct layout {
	struct object *objects;
	size_t n;
	uint64_t next;
};

static void expect(bool ok)
{
	if (!ok)
		abort();
}

/* Every byte, so that a blob outside the image is noticed. */
static void read_blob(struct blob blob)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < blob.size; i++)
		sum ^= blob.data[i];
	__asm__ volatile("" : : "r"(sum));
}

static void place(struct layout *layout, uint32_t size, bool is_static)
{
	expect(layout->next + size <= UINT32_MAX);
	layout->objects[layout->n++] = (struct object){(uint32_t)layout->next, size, is_static};
	/* A gap, so that a reach into the neighbour is not inside it by chance. */
	layout->next += (uint64_t)size + 64;
}

/* Statics, then reuses, then the private buffers of each subgraph. */
static struct layout lay_out(const struct graph *g)
{
	struct layout layout = {.next = 4096};
	size_t n = g->n_statics + g->n_reuses;

	for (size_t i = 0; i < g->n_subgraphs; i++)
		n += g->subgraphs[i].n_privates;
	layout.objects = calloc(n + 1, sizeof(*layout.objects));
	for (size_t i = 0; i < g->n_statics; i++)
		place(&layout, g->statics[i].size, true);
	for (size_t i = 0; i < g->n_reuses; i++)
		place(&layout, g->reuses[i].size, false);
	for (size_t i = 0; i < g->n_subgraphs; i++) {
		for (size_t k = 0; k < g->subgraphs[i].n_privates; k++)
			place(&layout, g->subgraphs[i].privates[k].size, false);
	}
	return layout;
}

static const struct object *object_of(const struct graph *g, const struct layout *layout,
				      const struct graph_patch *patch)
{
	size_t i = patch->section;

	if (patch->area == GRAPH_AREA_STATIC) {
		expect(i < g->n_statics);
		return &layout->objects[i];
	}
	if (patch->area == GRAPH_AREA_REUSE) {
		expect(i < g->n_reuses);
		return &layout->objects[g->n_statics + i];
	}
	expect(patch->subgraph < g->n_subgraphs);
	expect(i < g->subgraphs[patch->subgraph].n_privates);
	i += g->n_statics + g->n_reuses;
	for (size_t k = 0; k < patch->subgraph; k++)
		i += g->subgraphs[k].n_privates;
	return &layout->objects[i];
}

/* What the loader does before a job. The caller frees. */
static uint8_t *patched_rodata(const struct graph *g, const struct layout *layout)
{
	size_t size = g->rodata.size + g->desc.size;
	uint8_t *space = malloc(size);

	memcpy(space, g->rodata.data, g->rodata.size);
	if (g->desc.size)
		memcpy(space + g->rodata.size, g->desc.data, g->desc.size);
	for (size_t i = 0; i < g->n_patches; i++) {
		const struct graph_patch *patch = &g->patches[i];
		const struct object *object = object_of(g, layout, patch);
		uint32_t old, address = object->base + patch->offset;

		expect((uint64_t)patch->offset + patch->size <= object->size && object->size > 0);
		expect((uint64_t)patch->position + 4 <= size);
		memcpy(&old, space + patch->position, 4);
		old = (address & patch->mask) | (old & ~patch->mask);
		memcpy(space + patch->position, &old, 4);
	}
	return space;
}

static bool may_touch(const struct layout *layout, const struct npu_slot *slot, bool writes)
{
	for (size_t i = 0; i < layout->n; i++) {
		const struct object *o = &layout->objects[i];

		if (slot->address >= o->base &&
		    (uint64_t)slot->address + slot->size <= (uint64_t)o->base + o->size)
			return !(writes && o->is_static);
	}
	return false;
}

/* What the device does, as far as addresses go. */
static void run(const struct graph *g, const struct layout *layout, const uint8_t *rodata,
		const struct graph_subgraph *subgraph)
{
	struct npu_demand demand;
	struct npu_insn insn;
	struct npu_slot slot;

	for (uint64_t at = subgraph->text_offset;; at += sizeof(insn)) {
		expect(at + sizeof(insn) <= g->text.size);
		memcpy(&insn, g->text.data + at, sizeof(insn));
		expect(!npu_insn_check(&insn, &demand));
		if (insn.opcode == NPU_OP_END)
			return;
		for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++) {
			uint64_t position = (uint64_t)subgraph->rodata_offset + insn.slot[i];

			if (demand.kind[i] == NPU_OPERAND_NONE)
				continue;
			expect(position + sizeof(slot) <= g->rodata.size);
			memcpy(&slot, rodata + position, sizeof(slot));
			expect(slot.size == demand.size[i]);
			expect(may_touch(layout, &slot, demand.kind[i] == NPU_OPERAND_OUTPUT));
		}
	}
}

static void check_tensors(const struct graph *g)
{
	for (size_t kind = 0; kind < GRAPH_TENSOR_KIND_MAX_; kind++) {
		for (size_t i = 0; i < g->tensors[kind].n; i++) {
			const struct graph_tensor *t = &g->tensors[kind].tensor[i];

			expect(kind > GRAPH_TENSOR_OUTPUT_SHAPE || t->id == i);
			expect(t->section < g->n_reuses && t->size > 0);
			expect((uint64_t)t->offset + t->size <= g->reuses[t->section].size);
			expect(strnlen(t->name, sizeof(t->name)) < sizeof(t->name));
		}
	}
}

static void check_graph(const struct graph *g)
{
	struct loadable_error error;
	struct layout layout = lay_out(g);
	uint8_t *rodata = patched_rodata(g, &layout);
	bool is_safe = program_check(g, &error) == 0 && g->target.architecture == NPU_ARCHITECTURE;

	for (size_t i = 0; i < g->n_statics; i++)
		read_blob((struct blob){g->weight.data + g->statics[i].src_offset,
					g->statics[i].size});
	for (size_t i = 0; i < g->n_subgraphs; i++) {
		expect(g->subgraphs[i].bss < g->n_bss);
		if (is_safe)
			run(g, &layout, rodata, &g->subgraphs[i]);
	}
	check_tensors(g);
	free(rodata);
	free(layout.objects);
}

static void list_graph(const struct graph *g)
{
	size_t size = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	graph_list(g, out, true);
	graph_list_json(g, out, true);
	fclose(out);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct loadable_error error;
	struct graph *graph = NULL;
	int r = loadable_elf_parse(&graph, data, size, &error);

	if (r < 0) {
		expect(!graph && error.text[0] && strlen(error.text) < sizeof(error.text));
		return 0;
	}
	read_blob(graph->text);
	read_blob(graph->crodata);
	read_blob(graph->rodata);
	read_blob(graph->desc);
	read_blob(graph->weight);
	check_graph(graph);
	list_graph(graph);
	graph_destroy(graph);
	return 0;
}

static unsigned int next_random(unsigned int *state, unsigned int n)
{
	*state = *state * 1664525u + 1013904223u;
	return (*state >> 8) % n;
}

static uint32_t interesting(unsigned int *state)
{
	static const uint32_t values[] = {
		0,	    1,		2,     3,      4,	   8,	      15,      16,
		63,	    64,		0x100, 0x1000, 4095,	   0x8000,    0x10000, 0x7fffffff,
		0x80000000, 0xfffffff0, 128,   1024,   0xfffffffc, 0xffffffff};

	return values[next_random(state, sizeof(values) / sizeof(values[0]))];
}

static void poke(uint8_t *at, unsigned int *state)
{
	uint32_t value;

	memcpy(&value, at, 4);
	switch (next_random(state, 4)) {
	case 0:
		value += next_random(state, 17) - 8;
		break;
	case 1:
		value ^= 1u << next_random(state, 32);
		break;
	default:
		value = interesting(state);
	}
	memcpy(at, &value, 4);
}

static const char *const note_names[] = {
	"rodata",
	"desc",
	"weight",
	"fmlist",
	"remap",
	"subgraphs",
	"compilermsg",
	"gmconfig",
	"segmmu",
	"globalparam",
	"zhouyi.tensors",
	"fmlist",
	"constanthashtable",
	"inputshapeconstraint",
	"extra_weight_name",
	"subgraphs",
};

/* One note: longer, shorter, or with another word somewhere. */
static void disturb_note(struct elf_builder *b, unsigned int *state)
{
	size_t n = sizeof(note_names) / sizeof(note_names[0]);
	struct bytes *note = elf_builder_note(b, note_names[next_random(state, n)]);

	switch (next_random(state, 6)) {
	case 0:
		bytes_resize(note, next_random(state, (unsigned int)note->size + 64));
		break;
	case 1:
		bytes_add32(note, interesting(state));
		break;
	default:
		if (note->size >= 4)
			poke(note->data + 4 * next_random(state, (unsigned int)note->size / 4),
			     state);
	}
}

static size_t build(uint8_t *data, size_t max_size, unsigned int *state)
{
	struct elf_builder b;
	uint8_t *image;
	size_t size;

	switch (next_random(state, 3)) {
	case 0:
		elf_builder_init_copy(&b, 1 + next_random(state, 300));
		break;
	case 1:
		elf_builder_init_softmax(&b, 1 + next_random(state, 300));
		break;
	default:
		elf_builder_init_native(&b);
	}
	b.is_64 = next_random(state, 4) == 0;
	for (unsigned int i = next_random(state, 4); i > 0; i--)
		disturb_note(&b, state);
	image = elf_builder_image(&b, &size);
	size = size < max_size ? size : max_size;
	memcpy(data, image, size);
	elf_builder_finish(&b);
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	unsigned int state = seed;

	if (size < 64 || memcmp(data, "\177ELF", 4) != 0 || next_random(&state, 3) == 0)
		return build(data, max_size, &state);
	if (next_random(&state, 3) == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	for (unsigned int i = 1 + next_random(&state, 3); i > 0; i--)
		poke(data + 4 * next_random(&state, (unsigned int)size / 4), &state);
	return size;
}
