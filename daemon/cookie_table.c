/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/cookie_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* As many buckets as this is worth: more are not needed for what one client may have queued. */
#define BUCKETS_MAX ((size_t)1 << 16)

static struct list *bucket_of(const struct cookie_table *table, uint64_t cookie)
{
	uint64_t hash = (cookie ^ table->secret >> 1) * table->secret;

	return &table->buckets[(hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 32 &
			       (table->n_buckets - 1)];
}

void cookie_table_init(struct cookie_table *table)
{
	uint64_t secret = 0;

	/* Without one the table still works. */
	if (getrandom(&secret, sizeof(secret), GRND_NONBLOCK) != sizeof(secret))
		secret = (uint64_t)(uintptr_t)table;
	*table = (struct cookie_table){
		.buckets = table->small,
		.n_buckets = COOKIE_TABLE_SMALL,
		.secret = secret | 1,
	};
	for (size_t i = 0; i < COOKIE_TABLE_SMALL; i++)
		list_init(&table->small[i]);
}

void cookie_table_finish(struct cookie_table *table)
{
	assert(table->n == 0);
	if (table->buckets != table->small)
		free(table->buckets);
	table->buckets = table->small;
	table->n_buckets = COOKIE_TABLE_SMALL;
}

/* Without memory it stays as it is, and finding takes longer. */
static void grow(struct cookie_table *table)
{
	struct list *old = table->buckets;
	size_t n_old = table->n_buckets;
	struct list *buckets = malloc(2 * n_old * sizeof(*buckets));
	struct cookie_link *link;

	if (!buckets)
		return;
	for (size_t i = 0; i < 2 * n_old; i++)
		list_init(&buckets[i]);
	table->buckets = buckets;
	table->n_buckets = 2 * n_old;
	for (size_t i = 0; i < n_old; i++) {
		while ((link = list_first(&old[i], struct cookie_link, link))) {
			list_remove(&link->link);
			list_append(bucket_of(table, link->cookie), &link->link);
		}
	}
	if (old != table->small)
		free(old);
}

void cookie_table_add(struct cookie_table *table, struct cookie_link *link, uint64_t cookie)
{
	if (table->n >= table->n_buckets && table->n_buckets < BUCKETS_MAX)
		grow(table);
	link->cookie = cookie;
	list_append(bucket_of(table, cookie), &link->link);
	table->n++;
}

void cookie_table_remove(struct cookie_table *table, struct cookie_link *link)
{
	list_remove(&link->link);
	table->n--;
}

struct cookie_link *cookie_table_find(const struct cookie_table *table, uint64_t cookie,
				      const struct cookie_link *after)
{
	const struct list *bucket = bucket_of(table, cookie);
	const struct list *at = after ? after->link.next : bucket->next;

	for (; at != bucket; at = at->next) {
		struct cookie_link *link = list_entry((struct list *)at, struct cookie_link, link);

		if (link->cookie == cookie)
			return link;
	}
	return NULL;
}
