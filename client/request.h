/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, as streams make them. */
#pragma once

#include "proto/entry.h"
#include "zhouyi-client.h"

/* Send @entry, whose binding and cookie are set here. Otherwise as zhouyi_submit(). */
int zy_request_submit(struct zhouyi_binding *binding, struct zy_submit *entry, zhouyi_done_fn done,
		      void *userdata, uint64_t *ret_request);
