/* SPDX-License-Identifier: Apache-2.0 */
#include "client/pending.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define FIRST_SIZE 16u

static uint64_t cookie_make(const struct zy_pending_pool *pool, uint32_t index)
{
	return (uint64_t)pool->records[index].generation << 32 | index;
}

static uint32_t cookie_index(uint64_t cookie)
{
	return (uint32_t)cookie;
}

/* The record of a request that is not answered for good, or NULL. */
static struct zy_pending *find(const struct zy_pending_pool *pool, uint64_t cookie)
{
	uint32_t index = cookie_index(cookie);
	struct zy_pending *record;

	if (index >= pool->n || cookie_make(pool, index) != cookie)
		return NULL;
	record = &pool->records[index];
	if (record->state != ZY_PENDING_WAITING && record->state != ZY_PENDING_HELD)
		return NULL;
	return record;
}

static void release(struct zy_pending_pool *pool, uint32_t index)
{
	struct zy_pending *record = &pool->records[index];

	record->state = ZY_PENDING_FREE;
	record->generation++;
	record->next = pool->free;
	pool->free = index;
}

static void make_ready(struct zy_pending_pool *pool, uint32_t index)
{
	struct zy_pending *record = &pool->records[index];

	record->state = ZY_PENDING_READY;
	record->next = ZY_PENDING_NONE;
	if (pool->first_ready == ZY_PENDING_NONE)
		pool->first_ready = index;
	else
		pool->records[pool->last_ready].next = index;
	pool->last_ready = index;
}

static int grow(struct zy_pending_pool *pool)
{
	uint32_t n = pool->n ? pool->n * 2 : FIRST_SIZE;
	struct zy_pending *records;
	size_t size;

	if (n < pool->n || __builtin_mul_overflow((size_t)n, sizeof(*records), &size))
		return -ENOMEM;
	records = realloc(pool->records, size);
	if (!records)
		return -ENOMEM;
	pool->records = records;
	/* The lowest index comes first; generations start from 1, so that no cookie is 0. */
	for (uint32_t i = n; i-- > pool->n;) {
		records[i] = (struct zy_pending){.generation = 0};
		release(pool, i);
	}
	pool->n = n;
	return 0;
}

void zy_pending_init(struct zy_pending_pool *pool)
{
	*pool = (struct zy_pending_pool){
		.free = ZY_PENDING_NONE,
		.first_ready = ZY_PENDING_NONE,
		.last_ready = ZY_PENDING_NONE,
	};
}

void zy_pending_finish(struct zy_pending_pool *pool)
{
	for (uint32_t i = 0; i < pool->n; i++)
		assert(pool->records[i].state == ZY_PENDING_FREE);
	free(pool->records);
	zy_pending_init(pool);
}

int zy_pending_add(struct zy_pending_pool *pool, struct zhouyi_binding *binding,
		   zhouyi_done_fn done, void *userdata, uint64_t *ret_cookie)
{
	struct zy_pending *record;
	uint32_t index;
	int r;

	if (pool->free == ZY_PENDING_NONE) {
		r = grow(pool);
		if (r < 0)
			return r;
	}
	index = pool->free;
	record = &pool->records[index];
	pool->free = record->next;
	record->binding = binding;
	record->done = done;
	record->userdata = userdata;
	record->state = ZY_PENDING_WAITING;
	*ret_cookie = cookie_make(pool, index);
	return 0;
}

void zy_pending_drop(struct zy_pending_pool *pool, uint64_t cookie)
{
	assert(find(pool, cookie));
	release(pool, cookie_index(cookie));
}

bool zy_pending_is_waiting(const struct zy_pending_pool *pool, uint64_t cookie)
{
	return find(pool, cookie) != NULL;
}

int zy_pending_answer(struct zy_pending_pool *pool, const struct zy_complete *answer)
{
	struct zy_pending *record = find(pool, answer->cookie);
	bool released = answer->flags & ZY_COMPLETE_RELEASED;

	if (!record || (record->state == ZY_PENDING_HELD && !released))
		return -EPROTO;
	/* Of two answers the first says how it went, the second only when it was over. */
	if (record->state == ZY_PENDING_WAITING)
		record->answer = *answer;
	if (released)
		make_ready(pool, cookie_index(answer->cookie));
	else
		record->state = ZY_PENDING_HELD;
	return 0;
}

void zy_pending_answer_all(struct zy_pending_pool *pool, enum zy_status status)
{
	for (uint32_t i = 0; i < pool->n; i++) {
		struct zy_pending *record = &pool->records[i];

		if (record->state == ZY_PENDING_WAITING)
			record->answer = (struct zy_complete){.status = status};
		if (record->state == ZY_PENDING_WAITING || record->state == ZY_PENDING_HELD)
			make_ready(pool, i);
	}
}

bool zy_pending_pop(struct zy_pending_pool *pool, struct zy_pending *ret)
{
	uint32_t index = pool->first_ready;

	if (index == ZY_PENDING_NONE)
		return false;
	*ret = pool->records[index];
	pool->first_ready = ret->next;
	release(pool, index);
	return true;
}
