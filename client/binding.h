/* SPDX-License-Identifier: Apache-2.0 */
/* Bindings, as requests see them. A request holds a reference on its binding. */
#pragma once

#include <stdint.h>

#include "client/object.h"

struct zhouyi_binding;

struct zy_object *zy_binding_object(struct zhouyi_binding *binding);

static inline void zy_binding_unref(struct zhouyi_binding *binding)
{
	zy_object_unref(zy_binding_object(binding));
}
