/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What models, buffers, bindings, streams and reservations have in common: they belong to a client,
 * have a number in the daemon's session, are shared by those who use them, and are given up with a
 * message of their own that nobody waits for.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/list.h"

struct zhouyi_client;
struct zy_object;

enum zy_object_kind {
	ZY_OBJECT_MODEL,
	ZY_OBJECT_BUFFER,
	ZY_OBJECT_BINDING,
	ZY_OBJECT_STREAM,
	ZY_OBJECT_RESERVATION,
};

struct zy_object_type {
	enum zy_object_kind kind;
	/* Give back what the object holds, but not the object. */
	void (*finish)(struct zy_object *object);
};

/* The first member of each, in an allocation of its own. */
struct zy_object {
	const struct zy_object_type *type;
	struct zhouyi_client *client; /* referenced */
	uint32_t id;		      /* in the session */
	size_t n_refs;
	struct list link; /* zhouyi_client.farewells, when nothing else is left of it */
};

void zy_object_init(struct zy_object *object, const struct zy_object_type *type,
		    struct zhouyi_client *client, uint32_t id);
void zy_object_ref(struct zy_object *object);
/* The last one says farewell to the daemon, and frees the object. Accepts NULL. */
void zy_object_unref(struct zy_object *object);

/* The only reference to something the daemon never heard of: no farewell. */
void zy_object_discard(struct zy_object *object);

/* For zy_object_unref() and whoever says the farewell later: free what is left. */
void zy_object_free(struct zy_object *object);
