/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client as the scheduling policy knows it. It outlives the session until the
 * last of its jobs is off the device.
 *
 * Counted references: the session's job owner holds one, each of its jobs one. Loop
 * thread only.
 */
#pragma once

#include <stdint.h>

#include "daemon/account.h"

struct tenant {
	unsigned int n_refs;
	struct account *account; /* a reference */
	struct policy_client client;
	char name[32];		       /* of the program, as it calls itself */
	uint64_t n_answered, n_failed; /* requests; the failed ones are among the answered */
	uint64_t live_ns;	       /* scratch of request_activity.c; else 0 */
};

/* The reference on @account becomes the tenant's on success. -ENOMEM */
int tenant_create(struct tenant **ret, struct account *account, uint64_t id);
struct tenant *tenant_ref(struct tenant *tenant);
void tenant_unref(struct tenant *tenant); /* accepts NULL */
