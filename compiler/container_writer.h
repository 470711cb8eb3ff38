/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing ELF loadables: the opposite of loadable_elf.h, for what this compiler makes
 * (one subgraph, one BSS, no descriptor, no remapping). Deterministic: the bytes depend
 * on the arguments alone.
 */
#pragma once

#include "loadable/graph.h"

#include <stddef.h>
#include <stdint.h>

#define CONTAINER_NO_POSITION UINT32_MAX

/* A part of a section: a constant, an input, an output, an intermediate. */
struct container_part {
	uint32_t offset, size;
	uint32_t type; /* CONTAINER_SUBSECTION_* */
	uint32_t id;
	uint32_t data_type;
	float scale;
	int32_t zero_point;
	uint32_t position; /* of the only pointer to it in rodata, or CONTAINER_NO_POSITION */
};

struct container_section {
	uint32_t size, align;
	const uint8_t *data;		    /* of a static section: goes into the weight note */
	const struct container_part *parts; /* borrowed */
	size_t n_parts;
};

/* An input or output as the tensor note describes it. */
struct container_tensor {
	uint32_t kind; /* 0 input, 1 output */
	uint32_t id;
	enum graph_layout layout;
	uint32_t rank;
	const uint32_t *dims;
	const char *name;
};

struct container {
	uint32_t device; /* device word */
	const char *comment;
	struct blob text, rodata;
	const struct container_section *statics;
	size_t n_statics;
	const struct container_section *reuses;
	size_t n_reuses;
	const struct container_tensor *tensors;
	size_t n_tensors;
};

/* The file is the caller's to free(). Returns 0, -EFBIG if it would be too large, or -ENOMEM. */
int container_write(uint8_t **ret, size_t *ret_size, const struct container *container);
