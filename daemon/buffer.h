/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's buffer: a memfd that we made, sealed against growing and shrinking,
 * populated, and mapped for the device; the client gets a descriptor of it.
 *
 * Counted references: the session's id holds one, each binding one. Creation
 * [any], everything else [loop].
 */
#pragma once

#include <stddef.h>

#include "proto/scope.h"

struct device;
struct device_buffer;

struct buffer {
	unsigned int n_refs;
	size_t size; /* multiple of the page size */
	int fd;	     /* owned; to be sent to the client */
	struct device_buffer *memory; /* owned */
};

/* -EINVAL (size 0), -ENOMEM, -ENOSPC (device memory), -EMFILE and the like. */
int buffer_create(struct buffer **ret, struct device *device, size_t size);
struct buffer *buffer_ref(struct buffer *buffer);
void buffer_unref(struct buffer *buffer); /* accepts NULL */
ZY_DEFINE_AUTO(struct buffer, buffer_unref)
