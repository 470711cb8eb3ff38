/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unanswered requests of a client by their cookies: a hash table that grows
 * with them, so that cancelling one of thousands costs what cancelling the only one
 * does. The links are inside the objects. Cookies are the client's own: it may use one
 * twice, and gets them in the order in which it used them.
 *
 * Where a cookie lands is different in each table, so that no client can make lists
 * of the same few.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/list.h"

#define COOKIE_TABLE_SMALL 16u

struct cookie_link {
	struct list link;
	uint64_t cookie;
};

struct cookie_table {
	struct list small[COOKIE_TABLE_SMALL]; /* of the first buckets */
	struct list *buckets;		       /* small, or owned */
	size_t n_buckets;		       /* a power of two */
	size_t n;
	uint64_t secret; /* odd */
};

/* The table points into itself: it must stay where it is. */
void cookie_table_init(struct cookie_table *table);
/* It must be empty. */
void cookie_table_finish(struct cookie_table *table);

void cookie_table_add(struct cookie_table *table, struct cookie_link *link, uint64_t cookie);
void cookie_table_remove(struct cookie_table *table, struct cookie_link *link);

/* The first that has @cookie, or with @after the next one; or NULL. */
struct cookie_link *cookie_table_find(const struct cookie_table *table, uint64_t cookie,
				      const struct cookie_link *after);
