/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A binding: a model and, for each of its input and output tensors, a range of a
 * client's buffer. Checked once, then used for any number of requests.
 *
 * A tensor is used in place when it has its reuse section to itself: the section's
 * patches then point to the client's range. Otherwise it is copied.
 *
 * Counted references: the session's id holds one, each job on its way one. Loop
 * thread only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/device.h"
#include "loadable/graph.h"
#include "loadable/loadable_elf.h"
#include "proto/scope.h"

struct buffer;
struct model;

struct binding_range {
	enum graph_tensor_kind kind; /* input or output */
	uint32_t index;
	struct buffer *buffer; /* borrowed; the binding takes a reference */
	uint64_t offset;
	uint64_t size;
};

struct binding {
	unsigned int n_refs;
	struct model *model; /* a reference */
	/* Inputs by index, then outputs by index, with references on their buffers. */
	struct binding_range *ranges;
	size_t n_ranges;
	struct device_range *device_ranges; /* of the tensors used in place; second set of a job */
	size_t n_device_ranges;
	bool *in_place; /* one per range */
};

/*
 * @ranges in any order.
 *   -EINVAL  a tensor is missing, named twice, or does not exist
 *   -ERANGE  a range does not fit its buffer, has not the tensor's size, or an
 *            output overlaps something
 *   -ENOMEM
 * and @ret_error says which, for people.
 */
int binding_create(struct binding **ret, struct model *model, const struct binding_range *ranges,
		   size_t n_ranges, struct loadable_error *ret_error);
struct binding *binding_ref(struct binding *binding);
void binding_unref(struct binding *binding); /* accepts NULL */
ZY_DEFINE_AUTO(struct binding, binding_unref)

/*
 * Outputs of a run that failed are filled with this, so that nobody mistakes what
 * is in them for a result.
 */
#define BINDING_POISON 0xa5

/* How much binding_poison() writes, and doing it. Poisoning [any], while a reference is held. */
uint64_t binding_output_bytes(const struct binding *binding);
void binding_poison(const struct binding *binding);
