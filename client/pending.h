/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that a client has on their way, found by cookie in one step.
 *
 *	free -> waiting -> ready -> free
 *	           |         ^
 *	           +-> held -+
 *
 * A request waits for its answer and is then ready until its callback has been
 * called. It is held if it was answered while the device still used its buffers:
 * its callback is called when the daemon says that they are released.
 *
 * A cookie is the index of a record and the record's generation, which changes
 * with each use: an answer to nothing, or a second answer, is recognized. The
 * records are kept for reuse, so that a client in its stride allocates nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/entry.h"
#include "zhouyi-client.h"

enum zy_pending_state {
	ZY_PENDING_FREE,
	ZY_PENDING_WAITING,
	ZY_PENDING_HELD,
	ZY_PENDING_READY,
};

struct zy_pending {
	struct zhouyi_binding *binding; /* referenced */
	zhouyi_done_fn done;
	void *userdata;
	uint32_t generation;
	uint32_t next; /* of the free or the ready records */
	enum zy_pending_state state;
	struct zy_complete answer; /* if held or ready */
};

struct zy_pending_pool {
	struct zy_pending *records; /* owned */
	uint32_t n;
	uint32_t free; /* index of the first, or ZY_PENDING_NONE */
	uint32_t first_ready, last_ready;
};

#define ZY_PENDING_NONE UINT32_MAX

void zy_pending_init(struct zy_pending_pool *pool);
/* Every record must be free. */
void zy_pending_finish(struct zy_pending_pool *pool);

/*
 * Make a record, waiting, and give out its cookie. The pool takes over the reference
 * on @binding and hands it back with the record. Returns 0 or -ENOMEM.
 */
int zy_pending_add(struct zy_pending_pool *pool, struct zhouyi_binding *binding,
		   zhouyi_done_fn done, void *userdata, uint64_t *ret_cookie);

/* Take back what was just added: it never left. The reference on the binding is the caller's again.
 */
void zy_pending_drop(struct zy_pending_pool *pool, uint64_t cookie);

/* Whether a request of this cookie is unanswered. */
bool zy_pending_is_waiting(const struct zy_pending_pool *pool, uint64_t cookie);

/* Note an answer. Returns 0, or -EPROTO if nobody waits for it. */
int zy_pending_answer(struct zy_pending_pool *pool, const struct zy_complete *answer);

/* Answer whatever waits with @status, and what is held with what it got. */
void zy_pending_answer_all(struct zy_pending_pool *pool, enum zy_status status);

static inline bool zy_pending_has_ready(const struct zy_pending_pool *pool)
{
	return pool->first_ready != ZY_PENDING_NONE;
}

/* Move the record that has been ready longest out of the pool; false if none is. */
bool zy_pending_pop(struct zy_pending_pool *pool, struct zy_pending *ret);
