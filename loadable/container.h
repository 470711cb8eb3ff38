/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encoding of ELF loadables: names and numbers that the parser and the
 * compiler share. All integers are little endian, structures are packed as
 * shown. Everything but the tensor note is Arm China's format.
 */
#pragma once

#include <stdint.h>

#define CONTAINER_ELF_MACHINE 0x29a
#define CONTAINER_NOTE_SECTION ".note.aipu"

#define CONTAINER_NOTE_RODATA "rodata"
#define CONTAINER_NOTE_DESC "desc"
#define CONTAINER_NOTE_WEIGHT "weight"
#define CONTAINER_NOTE_FMLIST "fmlist"
#define CONTAINER_NOTE_REMAP "remap"
#define CONTAINER_NOTE_SUBGRAPHS "subgraphs"
#define CONTAINER_NOTE_COMPILERMSG "compilermsg"
#define CONTAINER_NOTE_GMCONFIG "gmconfig"
#define CONTAINER_NOTE_SEGMMU "segmmu"
#define CONTAINER_NOTE_GLOBALPARAM "globalparam"
#define CONTAINER_NOTE_SHAPES "inputshapeconstraint"
#define CONTAINER_NOTE_EXTRA_WEIGHT "extra_weight_name"
#define CONTAINER_NOTE_HASHES "constanthashtable"

/*
 * Our addition: names, shapes and layouts of tensors, which the vendor's container
 * lacks (its loader skips unknown notes). Layout:
 *	u32 version = 1, u32 count, then count records:
 *	u32 kind (0 input, 1 output), u32 id, u32 layout (enum graph_layout),
 *	u32 rank (0 … 8), rank × u32 dims, u32 name length without NUL,
 *	name padded with zeros to 4 bytes.
 * The product of dims times the element size must be the tensor's size.
 */
#define CONTAINER_NOTE_TENSORS "zhouyi.tensors"
#define CONTAINER_TENSORS_VERSION 1u

#define CONTAINER_SUBSECTION_INPUT 0u
#define CONTAINER_SUBSECTION_OUTPUT 1u
#define CONTAINER_SUBSECTION_INTER_DUMP 2u
#define CONTAINER_SUBSECTION_INTERMEDIATE 3u
#define CONTAINER_SUBSECTION_CONSTANT 4u
#define CONTAINER_SUBSECTION_PROFILER 10u
#define CONTAINER_SUBSECTION_PRINTF 12u
#define CONTAINER_SUBSECTION_LAYER_COUNTER 13u
#define CONTAINER_SUBSECTION_ERROR_CODE 14u
#define CONTAINER_SUBSECTION_ZERO_COPY_CONSTANT 15u
#define CONTAINER_SUBSECTION_OUTPUT_SHAPE 16u
#define CONTAINER_SUBSECTION_SEGMMU 255u

#define CONTAINER_FLAG_DYNAMIC_SHAPE (1u << 6)

struct container_bss {
	uint32_t stack_size, stack_align, n_statics, n_reuses;
};

struct container_static {
	uint32_t src_offset, size, align, n_subsections;
};

struct container_reuse {
	uint32_t size, align, type, n_subsections;
};

/* Followed by n_positions u32. */
struct container_subsection {
	uint32_t offset, size, type, id, data_type;
	float scale;
	int32_t zero_point;
	uint32_t reserved[3];
	uint32_t mask, n_positions;
};
_Static_assert(sizeof(struct container_subsection) == 48, "subsection descriptor");

/* Followed by precursors, the count of private buffers, and those. */
struct container_subgraph {
	uint32_t id, type, text_offset, bss, rodata_offset, rodata_size, dcr_offset, dcr_size;
	uint32_t printf_size, profiler_offset, private_size, warmup_len, reserved[2];
	int32_t dependency;
};
_Static_assert(sizeof(struct container_subgraph) == 0x3c, "subgraph record");

struct container_compilermsg {
	uint32_t file_version, build_version, device, flag;
	uint32_t reserve[8];
};
_Static_assert(sizeof(struct container_compilermsg) == 48, "compilermsg note");
