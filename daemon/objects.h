/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one client holds: its models, buffers, bindings, streams and reservations by id,
 * counted against its limits and those of its account.
 *
 * An id holds one reference. A buffer is charged from the moment it is asked for
 * until its memory is really gone: when its id is destroyed while bindings use it,
 * it is *parting*, and keeps our reference until that is the last one.
 *
 * Loop thread only.
 */
#pragma once

#include <stdint.h>

#include "daemon/account.h"
#include "daemon/id_table.h"
#include "proto/list.h"

struct binding;
struct buffer;
struct config_limits;
struct model;
struct reservation;
struct stream;

#define OBJECTS_MAX_STREAMS 64u
#define OBJECTS_MAX_RESERVATIONS 32u

struct objects {
	const struct config_limits *limits; /* borrowed */
	struct account *account;	    /* a reference */
	struct id_table models;		    /* struct held_model */
	struct id_table buffers;	    /* struct held_buffer */
	struct id_table bindings;	    /* struct held_binding */
	struct id_table streams;	    /* struct stream, each a reference */
	struct id_table reservations;	    /* struct held_reservation */
	struct list parting;		    /* held_buffer.link */
	unsigned int n_loading;		    /* models on their way to an id */
	unsigned int n_buffers;		    /* charged: on their way, with an id, parting */
	uint64_t buffer_bytes;		    /* likewise */
	char refusal[ACCOUNT_REFUSAL_MAX];  /* after -EDQUOT: which limit, and whose */
};

struct held_model {
	struct model *model;	 /* a reference */
	unsigned int n_bindings; /* with an id */
	uint64_t charged;	 /* bytes */
};

/* A reservation, given back with the id, and the streams that use it. */
struct held_reservation {
	struct reservation *reservation;
	struct model *model; /* a reference; whose frames */
	struct list streams; /* stream.reservation_link */
};

/* Takes a reference on @account. */
void objects_init(struct objects *objects, const struct config_limits *limits,
		  struct account *account);
/* Drops every reference. Reservations must have been given back. */
void objects_finish(struct objects *objects);

/*
 * Models. A place is reserved while the model is loading; adding uses it up.
 * add: -ENOMEM, -EDQUOT: too large; the reference becomes ours on success. close: -ENOENT, -EBUSY.
 */
int objects_reserve_model(struct objects *objects); /* -EDQUOT */
void objects_unreserve_model(struct objects *objects);
int objects_add_model(struct objects *objects, struct model *model, uint32_t *ret_id);
struct held_model *objects_find_model(const struct objects *objects, uint32_t id);
int objects_close_model(struct objects *objects, uint32_t id);

/* Buffers. The same: charge, then add or uncharge. @size is a multiple of pages. */
int objects_charge_buffer(struct objects *objects, uint64_t size); /* -EDQUOT */
void objects_uncharge_buffer(struct objects *objects, uint64_t size);
int objects_add_buffer(struct objects *objects, struct buffer *buffer, uint32_t *ret_id);
struct buffer *objects_find_buffer(const struct objects *objects, uint32_t id);
int objects_destroy_buffer(struct objects *objects, uint32_t id); /* -ENOENT */

/* Bindings. add: -EDQUOT, -ENOMEM; the reference becomes ours on success. */
int objects_add_binding(struct objects *objects, struct held_model *model, struct binding *binding,
			uint32_t *ret_id);
struct binding *objects_find_binding(const struct objects *objects, uint32_t id);
int objects_destroy_binding(struct objects *objects, uint32_t id); /* -ENOENT */

/* Streams. add: -EDQUOT, -ENOMEM; the reference becomes ours on success. @reservation may be NULL.
 */
int objects_add_stream(struct objects *objects, struct stream *stream,
		       struct held_reservation *reservation, uint32_t *ret_id);
struct stream *objects_find_stream(const struct objects *objects, uint32_t id);
int objects_destroy_stream(struct objects *objects, uint32_t id); /* -ENOENT */

/*
 * Reservations. add: -EDQUOT, -ENOMEM; the reservation becomes ours on success, and a
 * reference on @model is taken. A probe before asking the policy: whether there is a place for one
 * more.
 */
bool objects_may_reserve(struct objects *objects);
int objects_add_reservation(struct objects *objects, struct reservation *reservation,
			    struct model *model, uint32_t *ret_id);
struct held_reservation *objects_find_reservation(const struct objects *objects, uint32_t id);
int objects_release(struct objects *objects, uint32_t id); /* -ENOENT */
/* Give all of them back, before their owner leaves the scheduler. */
void objects_release_all(struct objects *objects);

/* Let go of parting buffers that nobody uses any more. */
void objects_sweep(struct objects *objects);
