/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/id_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define NONE ID_TABLE_MAX
#define FIRST_PLACES 8u

struct id_place {
	void *object;	     /* NULL: free */
	uint16_t generation; /* never 0 */
	uint16_t next_free;
};

void id_table_init(struct id_table *table, uint32_t limit)
{
	assert(limit <= ID_TABLE_MAX);
	*table = (struct id_table){.limit = limit, .free = NONE};
}

void id_table_finish(struct id_table *table)
{
	free(table->places);
	*table = (struct id_table){.free = NONE};
}

static int grow(struct id_table *table)
{
	uint32_t n = table->n_places ? table->n_places * 2 : FIRST_PLACES;
	struct id_place *places;

	if (n > table->limit)
		n = table->limit;
	if (n == table->n_places)
		return -EDQUOT;
	places = realloc(table->places, n * sizeof(*places));
	if (!places)
		return -ENOMEM;
	for (uint32_t i = n; i-- > table->n_places;) {
		places[i] = (struct id_place){.generation = 1, .next_free = (uint16_t)table->free};
		table->free = i;
	}
	table->places = places;
	table->n_places = n;
	return 0;
}

int id_table_add(struct id_table *table, void *object, uint32_t *ret_id)
{
	struct id_place *place;
	uint32_t i;
	int r;

	if (table->free == NONE) {
		r = grow(table);
		if (r < 0)
			return r;
	}
	i = table->free;
	place = &table->places[i];
	table->free = place->next_free;
	table->n_used++;
	place->object = object;
	*ret_id = (uint32_t)place->generation << 16 | i;
	return 0;
}

void *id_table_find(const struct id_table *table, uint32_t id)
{
	uint32_t i = id & 0xffff;

	if (i >= table->n_places || table->places[i].generation != id >> 16)
		return NULL;
	return table->places[i].object;
}

static void *place_clear(struct id_table *table, uint32_t i)
{
	struct id_place *place = &table->places[i];
	void *object = place->object;

	place->object = NULL;
	place->generation = place->generation == UINT16_MAX ? 1 : place->generation + 1;
	place->next_free = (uint16_t)table->free;
	table->free = i;
	table->n_used--;
	return object;
}

void *id_table_remove(struct id_table *table, uint32_t id)
{
	return id_table_find(table, id) ? place_clear(table, id & 0xffff) : NULL;
}

void *id_table_at(const struct id_table *table, uint32_t place)
{
	return table->places[place].object;
}

void *id_table_take(struct id_table *table, uint32_t place)
{
	return table->places[place].object ? place_clear(table, place) : NULL;
}
