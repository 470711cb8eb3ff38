/* SPDX-License-Identifier: Apache-2.0 */
/* Models, as bindings see them. A binding holds a reference on its model. */
#pragma once

#include <stddef.h>

#include "client/object.h"
#include "zhouyi-client.h"

/* One for each enum zhouyi_tensor_kind. */
#define ZY_N_KINDS 2u

struct zhouyi_model {
	struct zy_object object;
	struct zhouyi_tensor *tensors[ZY_N_KINDS]; /* owned, in order */
	unsigned int n_tensors[ZY_N_KINDS];
	const char *name, *hash, *target; /* in texts */
	char *texts;			  /* owned: these and the tensors' names */
};
