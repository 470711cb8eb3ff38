/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loadable as data: what the executable containers say, checked, and free of
 * the container's encoding. Made by loadable_elf.c (later loadable_bin.c), read
 * by the command builders, the registry and the listing.
 *
 * A graph owns its arrays. Its blobs point into the image it was made from, which
 * must outlive it. Pure data: any thread, one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blob {
	const uint8_t *data; /* borrowed from the image; NULL if size is 0 */
	size_t size;
};

#define GRAPH_ARCHITECTURE_NATIVE 0u /* Arm China's NPU */

/* The device word, taken apart; and the generation it implies. */
struct graph_target {
	uint32_t word;
	uint16_t config;      /* 1204 */
	uint8_t isa_class;    /* 5 = X2 */
	uint8_t architecture; /* GRAPH_ARCHITECTURE_NATIVE, or 0x53 = software NPU */
	uint8_t revision;     /* 0 none, 1 "P", 2 "S" */
	uint8_t version;      /* driver version number, 5 = v3; 0 = none */
	char name[24];	      /* "X2_1204"; software: "soft_X2_1204" */
};

enum graph_data_type {
	GRAPH_TYPE_NONE = 0x00,
	GRAPH_TYPE_BOOL = 0x01,
	GRAPH_TYPE_UINT8 = 0x02,
	GRAPH_TYPE_INT8 = 0x03,
	GRAPH_TYPE_UINT16 = 0x04,
	GRAPH_TYPE_INT16 = 0x05,
	GRAPH_TYPE_UINT32 = 0x06,
	GRAPH_TYPE_INT32 = 0x07,
	GRAPH_TYPE_UINT64 = 0x08,
	GRAPH_TYPE_INT64 = 0x09,
	GRAPH_TYPE_FLOAT16 = 0x0a,
	GRAPH_TYPE_FLOAT32 = 0x0b,
	GRAPH_TYPE_FLOAT64 = 0x0c,
	GRAPH_TYPE_BFLOAT16 = 0x0d,
	GRAPH_TYPE_UINT4 = 0x12,
	GRAPH_TYPE_INT4 = 0x13,
	GRAPH_TYPE_UINT12 = 0x14,
	GRAPH_TYPE_INT12 = 0x15,
	GRAPH_TYPE_UINT4_PACKED = 0x20,
	GRAPH_TYPE_INT4_PACKED = 0x21,
	GRAPH_TYPE_UINT12_PACKED = 0x22,
	GRAPH_TYPE_INT12_PACKED = 0x23,
};

#define GRAPH_MAX_RANK 8u
#define GRAPH_MAX_NAME 128u /* with the NUL */

enum graph_tensor_kind {
	GRAPH_TENSOR_INPUT,
	GRAPH_TENSOR_OUTPUT,
	GRAPH_TENSOR_INTER_DUMP,
	GRAPH_TENSOR_OUTPUT_SHAPE,
	GRAPH_TENSOR_PROFILER,
	GRAPH_TENSOR_PRINTF,
	GRAPH_TENSOR_LAYER_COUNTER,
	GRAPH_TENSOR_ERROR_CODE,
	GRAPH_TENSOR_KIND_MAX_
};

enum graph_layout {
	GRAPH_LAYOUT_NONE = 0,
	GRAPH_LAYOUT_NHWC = 1,
	GRAPH_LAYOUT_NCHW = 2,
};

struct graph_tensor {
	uint32_t id;		   /* position in its list, for the sorted kinds */
	uint32_t size;		   /* bytes, > 0 */
	uint32_t section;	   /* index into reuses */
	uint32_t offset;	   /* in that section */
	enum graph_data_type type; /* as in the file; may be a value not listed here */
	float scale;		   /* real = (stored - zero_point) * scale */
	int32_t zero_point;

	/* From the extra note; name "" and rank 0 if the file has none. */
	char name[GRAPH_MAX_NAME];
	uint32_t rank;
	uint32_t dims[GRAPH_MAX_RANK];
	enum graph_layout layout;
};

struct graph_tensors {
	struct graph_tensor *tensor;
	size_t n;
};

enum graph_area { GRAPH_AREA_REUSE, GRAPH_AREA_STATIC, GRAPH_AREA_PRIVATE };

/* slot at @position = (address of target & mask) | (slot & ~mask); in order of application. */
struct graph_patch {
	enum graph_area area;
	uint32_t section;  /* index into reuses, statics or the subgraph's privates */
	uint32_t subgraph; /* of private patches, else 0 */
	uint32_t offset;   /* of the subsection in its section */
	uint32_t size;	   /* of the subsection */
	uint32_t position; /* in rodata, or behind it in the descriptor */
	uint32_t mask;
};

struct graph_static {
	uint32_t bss;
	uint32_t src_offset; /* in the BSS's weight blob */
	uint32_t size;
	uint32_t align; /* power of two */
	uint32_t type;	/* 4 constant, 15 zero-copy constant */
};

struct graph_reuse {
	uint32_t bss;
	uint32_t size;	/* 0 only if nothing refers to it */
	uint32_t align; /* power of two */
};

struct graph_bss {
	uint32_t stack_size;
	uint32_t stack_align;
	uint32_t first_static, n_statics;
	uint32_t first_reuse, n_reuses;
};

#define GRAPH_DEPENDS_ON_ALL (-1)

struct graph_subgraph {
	uint32_t text_offset;
	uint32_t bss;
	uint32_t rodata_offset;
	uint32_t printf_size; /* != 0: uses printf */
	uint32_t profiler_offset;
	uint32_t private_size; /* bytes of per-task data */
	uint32_t warmup_len;
	int32_t dependency; /* 0 none, n: on n precursors, GRAPH_DEPENDS_ON_ALL */
	uint32_t precursor[4];
	struct graph_reuse *privates; /* workspaces */
	size_t n_privates;
};

/* write32(area(type) + offset) = address(area(next_type)) + next_offset; areas: 0 rodata, 1
 * descriptor, 2 text */
struct graph_remap {
	uint32_t type, offset, next_type, next_offset;
};

struct graph_segmmu {
	uint32_t segment[4][2];
};

struct graph {
	struct graph_target target;
	char detailed_target[64]; /* "X2_1204MP3" or "" */
	uint32_t file_version, build_version;
	uint32_t flags; /* compilermsg.flag */

	struct blob text, crodata, rodata, desc;
	struct blob weight; /* of all BSSs */

	struct graph_bss *bss;
	size_t n_bss;
	struct graph_static *statics;
	size_t n_statics;
	struct graph_reuse *reuses;
	size_t n_reuses;
	struct graph_patch *patches;
	size_t n_patches;
	struct graph_remap *remaps;
	size_t n_remaps;
	struct graph_subgraph *subgraphs;
	size_t n_subgraphs;
	struct graph_segmmu *segmmu;
	size_t n_segmmu;
	struct graph_tensors tensors[GRAPH_TENSOR_KIND_MAX_];

	int32_t gm_section; /* reuse section named by gmconfig, or -1 */
};

/* Accepts NULL. */
void graph_destroy(struct graph *graph);

/* Take a device word apart. Returns false if no NPU has it: name is then "unknown". */
bool graph_target_parse(struct graph_target *ret, uint32_t word);
/* The reverse: by name ("X2_1204", "soft_X2_1204"); false if there is no such target. */
bool graph_target_find(struct graph_target *ret, const char *name);
/* Software targets, for --target help; NULL behind the last. */
const char *graph_target_at(unsigned int i);

/* Printable names, never NULL. */
const char *graph_data_type_name(enum graph_data_type type);
const char *graph_tensor_kind_name(enum graph_tensor_kind kind);
