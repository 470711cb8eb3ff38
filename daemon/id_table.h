/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers for a client's objects. A table hands out ids and finds the object
 * behind one, both in constant time. An id is a place in the table and the
 * generation of that place, so that the id of an object that is gone finds
 * nothing, even when its place is taken again; and it is never 0.
 *
 * The table owns its places, not the objects. It grows on demand up to its limit.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ID_TABLE_MAX 65535u

struct id_place;

struct id_table {
	struct id_place *places; /* owned */
	uint32_t n_places;	 /* allocated */
	uint32_t n_used;	 /* hold an object */
	uint32_t limit;
	uint32_t free; /* first of the free places; ID_TABLE_MAX: none */
};

/* @limit is at most ID_TABLE_MAX. */
void id_table_init(struct id_table *table, uint32_t limit);
void id_table_finish(struct id_table *table);

/* -EDQUOT: limit reached. -ENOMEM. */
int id_table_add(struct id_table *table, void *object, uint32_t *ret_id);

/* Borrowed, or NULL. */
void *id_table_find(const struct id_table *table, uint32_t id);

/* Returns the object that was there, or NULL. */
void *id_table_remove(struct id_table *table, uint32_t id);

/* To walk the table: the object at @place < n_places, or NULL. */
void *id_table_at(const struct id_table *table, uint32_t place);
/* The same, and remove it. */
void *id_table_take(struct id_table *table, uint32_t place);
