/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers, as bindings see them. A binding holds a reference on each of its buffers. */
#pragma once

#include <stddef.h>

#include "client/object.h"

struct zhouyi_buffer {
	struct zy_object object;
	void *data; /* mapped; NULL once its user has destroyed it */
	size_t size;
};
