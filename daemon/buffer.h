/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's buffer: a memfd that we made, sealed against growing and shrinking,
 * populated, and mapped for the device; the client gets a descriptor of it. Where the
 * device cannot use such memory it is the device's own, as a dma-buf.
 *
 * Counted references: the session's id holds one, each binding one. Creation
 * [any], everything else [loop].
 */
#pragma once

#include <stddef.h>

#include "daemon/worker.h"
#include "proto/scope.h"

struct device;
struct device_buffer;

/* Mapping, unmapping and zeroing more than this is the worker's. */
#define BUFFER_LARGE ((size_t)64 << 10)

struct buffer {
	unsigned int n_refs;
	size_t size;		      /* multiple of the page size */
	int fd;			      /* owned; to be sent to the client */
	struct device_buffer *memory; /* owned */
	struct worker *worker; /* borrowed; destroys the buffer if it is large; NULL: whoever unrefs
				  does */
	struct work work;      /* for that */
};

/* -EINVAL (size 0), -ENOMEM, -ENOSPC (device memory), -EMFILE and the like. */
int buffer_create(struct buffer **ret, struct device *device, size_t size);
struct buffer *buffer_ref(struct buffer *buffer);
void buffer_unref(struct buffer *buffer); /* accepts NULL */
ZY_DEFINE_AUTO(struct buffer, buffer_unref)
