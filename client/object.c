/* SPDX-License-Identifier: Apache-2.0 */
#include "client/object.h"

#include <stdlib.h>

#include "client/client.h"
#include "client/control.h"

void zy_object_init(struct zy_object *object, const struct zy_object_type *type,
		    struct zhouyi_client *client, uint32_t id)
{
	zy_client_ref(client);
	*object = (struct zy_object){
		.type = type,
		.client = client,
		.id = id,
		.n_refs = 1,
	};
	list_init(&object->link);
}

void zy_object_ref(struct zy_object *object)
{
	object->n_refs++;
}

void zy_object_unref(struct zy_object *object)
{
	bool said;

	if (!object || --object->n_refs > 0)
		return;
	/* A binding's farewell comes before those of what it was made of. */
	said = zy_control_farewell(object);
	object->type->finish(object);
	if (said)
		zy_object_free(object);
}

void zy_object_discard(struct zy_object *object)
{
	object->type->finish(object);
	zy_object_free(object);
}

void zy_object_free(struct zy_object *object)
{
	struct zhouyi_client *client = object->client;

	list_remove(&object->link);
	free(object);
	zy_client_unref(client);
}
