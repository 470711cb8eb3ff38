/* SPDX-License-Identifier: Apache-2.0 */
#include "loadable/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "npu/isa.h"

#define SOFT_PREFIX "soft_"

/* Names the vendor's loader accepts and some NPU has; the word is without architecture. */
static const struct {
	const char *name;
	uint32_t word;
	uint8_t version; /* of the driver; a number of its own, not the ISA class */
} targets[] = {
	{"Z1_0904", 0x00010000 | 904, 1},   {"Z1_1002", 0x00010000 | 1002, 1},
	{"Z1_0701", 0x00010000 | 701, 1},   {"Z2_1104", 0x00020000 | 1104, 2},
	{"Z2_0901", 0x00020000 | 901, 2},   {"Z2_1002", 0x00020000 | 1002, 2},
	{"Z2_1004", 0x00020000 | 1004, 2},  {"Z3_1204", 0x00030000 | 1204, 3},
	{"Z3_1104", 0x00030000 | 1104, 3},  {"Z3_1002", 0x00030000 | 1002, 3},
	{"Z3_0901", 0x00030000 | 901, 3},   {"X1_1204", 0x00040000 | 1204, 4},
	{"X2_1204", 0x00050000 | 1204, 5},  {"X3P_1304", 0x10060000 | 1304, 7},
	{"X3P_1302", 0x10060000 | 1302, 7}, {"X3P_1202", 0x10060000 | 1202, 7},
	{"X3P_1204", 0x10060000 | 1204, 7}, {"X3S_1304", 0x20060000 | 1304, 8},
};

#define N_TARGETS (sizeof(targets) / sizeof(targets[0]))
#define ARCHITECTURE_SHIFT 20
#define ARCHITECTURE_MASK (0xffu << ARCHITECTURE_SHIFT)

void graph_destroy(struct graph *graph)
{
	if (!graph)
		return;

	for (size_t i = 0; i < graph->n_subgraphs; i++)
		free(graph->subgraphs[i].privates);
	for (size_t i = 0; i < GRAPH_TENSOR_KIND_MAX_; i++)
		free(graph->tensors[i].tensor);
	free(graph->bss);
	free(graph->statics);
	free(graph->reuses);
	free(graph->patches);
	free(graph->remaps);
	free(graph->subgraphs);
	free(graph->segmmu);
	free(graph);
}

bool graph_target_parse(struct graph_target *ret, uint32_t word)
{
	struct graph_target target = {
		.word = word,
		.config = word & 0xffff,
		.isa_class = word >> 16 & 0xf,
		.architecture = word >> ARCHITECTURE_SHIFT & 0xff,
		.revision = word >> 28,
		.name = "unknown",
	};
	bool is_soft = target.architecture == NPU_ARCHITECTURE;
	size_t i = 0;

	while (i < N_TARGETS && targets[i].word != (word & ~ARCHITECTURE_MASK))
		i++;
	*ret = target;
	if (i == N_TARGETS || (target.architecture != 0 && !is_soft))
		return false;

	ret->version = targets[i].version;
	snprintf(ret->name, sizeof(ret->name), "%s%s", is_soft ? SOFT_PREFIX : "", targets[i].name);
	return true;
}

bool graph_target_find(struct graph_target *ret, const char *name)
{
	uint32_t architecture = 0;

	if (strncmp(name, SOFT_PREFIX, strlen(SOFT_PREFIX)) == 0) {
		architecture = NPU_ARCHITECTURE << ARCHITECTURE_SHIFT;
		name += strlen(SOFT_PREFIX);
	}
	for (size_t i = 0; i < N_TARGETS; i++) {
		if (strcmp(name, targets[i].name) == 0)
			return graph_target_parse(ret, architecture | targets[i].word);
	}
	return false;
}

const char *graph_target_at(unsigned int i)
{
	/* The software NPU is of generation v3 for now. */
	static const char *const soft[] = {SOFT_PREFIX "X2_1204"};

	return i < sizeof(soft) / sizeof(soft[0]) ? soft[i] : NULL;
}

const char *graph_data_type_name(enum graph_data_type type)
{
	static const char *const names[] = {
		[GRAPH_TYPE_NONE] = "none",
		[GRAPH_TYPE_BOOL] = "bool",
		[GRAPH_TYPE_UINT8] = "uint8",
		[GRAPH_TYPE_INT8] = "int8",
		[GRAPH_TYPE_UINT16] = "uint16",
		[GRAPH_TYPE_INT16] = "int16",
		[GRAPH_TYPE_UINT32] = "uint32",
		[GRAPH_TYPE_INT32] = "int32",
		[GRAPH_TYPE_UINT64] = "uint64",
		[GRAPH_TYPE_INT64] = "int64",
		[GRAPH_TYPE_FLOAT16] = "float16",
		[GRAPH_TYPE_FLOAT32] = "float32",
		[GRAPH_TYPE_FLOAT64] = "float64",
		[GRAPH_TYPE_BFLOAT16] = "bfloat16",
		[GRAPH_TYPE_UINT4] = "uint4",
		[GRAPH_TYPE_INT4] = "int4",
		[GRAPH_TYPE_UINT12] = "uint12",
		[GRAPH_TYPE_INT12] = "int12",
		[GRAPH_TYPE_UINT4_PACKED] = "uint4-packed",
		[GRAPH_TYPE_INT4_PACKED] = "int4-packed",
		[GRAPH_TYPE_UINT12_PACKED] = "uint12-packed",
		[GRAPH_TYPE_INT12_PACKED] = "int12-packed",
	};

	/* The value comes from a file as it is: compare it as a number, not as an enumerator. */
	if ((uint32_t)type >= sizeof(names) / sizeof(names[0]) || !names[type])
		return "unknown";
	return names[type];
}

const char *graph_tensor_kind_name(enum graph_tensor_kind kind)
{
	static const char *const names[GRAPH_TENSOR_KIND_MAX_] = {
		[GRAPH_TENSOR_INPUT] = "input",
		[GRAPH_TENSOR_OUTPUT] = "output",
		[GRAPH_TENSOR_INTER_DUMP] = "intermediate dump",
		[GRAPH_TENSOR_OUTPUT_SHAPE] = "output shape",
		[GRAPH_TENSOR_PROFILER] = "profiler data",
		[GRAPH_TENSOR_PRINTF] = "printf data",
		[GRAPH_TENSOR_LAYER_COUNTER] = "layer counter",
		[GRAPH_TENSOR_ERROR_CODE] = "error code",
	};

	return (uint32_t)kind < GRAPH_TENSOR_KIND_MAX_ ? names[kind] : "unknown";
}
