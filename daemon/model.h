/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models, and the registry of those this daemon holds.
 *
 * A model is found by the SHA-256 of its image, so any number of clients share one
 * copy of its text and weights. It is referenced by the sessions that opened it,
 * by bindings and, while it is kept under a name, by the registry; the last
 * reference frees it, device memory included.
 *
 * Loading is asynchronous: the worker copies the image into a sealed memfd and
 * hashes it; if the registry has that content already the load joins it, else the
 * worker parses, checks, allocates and uploads.
 *
 * Loop thread only, unless stated.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/estimate.h"
#include "daemon/metrics.h"
#include "loadable/loadable_elf.h"
#include "policy/policy.h"
#include "proto/list.h"
#include "proto/scope.h"

struct device;
struct graph;
struct model;
struct slot;
struct worker;

#define MODEL_NAME_MAX 64 /* with the NUL */

struct model_registry {
	struct device *device; /* borrowed */
	struct worker *worker; /* borrowed */
	struct list models;    /* model.link; all that exist, loading ones included */
	size_t n_models;
	size_t max_models;
	size_t max_image;	 /* bytes */
	uint64_t max_slot_bytes; /* device memory one slot may need */
	/* @model has a free slot again: jobs that waited for one may go on. */
	void (*slot_ready)(void *arg, struct model *model);
	void *slot_ready_arg;
	struct metrics *metrics; /* borrowed; where requests are counted. NULL: nowhere */
};

struct model {
	struct model_registry *registry; /* borrowed */
	struct list link;
	unsigned int n_refs;
	unsigned int n_users;	   /* sessions that have it open; for listings */
	bool kept;		   /* under @name; the registry then holds a reference */
	char name[MODEL_NAME_MAX]; /* for listings; of the first who loaded it, or of who keeps it
				    */
	uint8_t hash[32];
	struct graph *graph;	  /* owned; NULL while loading */
	uint64_t device_bytes;	  /* text, weights and all slots */
	uint64_t n_requests;	  /* answered */
	metrics_place place;	  /* where they count */
	uint64_t device_ns;	  /* measured, times cores; warm-up runs are nobody's */
	uint64_t live_ns;	  /* scratch of request_activity.c; else 0 */
	uint64_t seen;		  /* likewise: by which look */
	struct estimate estimate; /* of its run time; one kind of core */
	struct list free_slots;	  /* slot.link */
	unsigned int n_slots;
	struct policy_gate gate;     /* the scheduler's: whether a slot is free */
	struct model_memory *memory; /* private to model.c and slot.c */
};

int model_registry_init(struct model_registry *reg, struct device *device, struct worker *worker);
/* All references but the registry's own must be gone and the worker idle. */
void model_registry_finish(struct model_registry *reg);

/*
 * @model is a new reference for the callee, or NULL; then @error is
 *   -ENOEXEC, -EBADMSG  not a loadable, malformed
 *   -EXDEV              for another device: "built for X2_1204, this device is …"
 *   -ENOTSUP            uses what we do not support
 *   -EFBIG              the image, or a slot, exceeds the limit
 *   -EEXIST             another model is kept under this name
 *   -ENOSPC             device memory: needed, free
 *   -EMFILE             max_models are loaded
 *   -EINVAL             the descriptor is no memfd
 *   -EACCES             it is native code, without MODEL_NATIVE
 *   -ENOMEM
 * and @text says it for people. @shared: it was loaded already.
 */
typedef void (*model_loaded_fn)(void *arg, struct model *model, bool shared, int error,
				const char *text);

/*
 * Load the image behind @image_fd, which is taken over in any case. @done is
 * called later, exactly once, never from inside this function. If the caller has
 * gone by then it must still accept the call (and drop the reference).
 * -ENOMEM: nothing was started, and @image_fd is closed.
 */
#define MODEL_KEEP 1u	/* list it under its name */
#define MODEL_NATIVE 2u /* who loads it may load code that nobody can check */
int model_registry_load(struct model_registry *reg, int image_fd, const char *name,
			unsigned int flags, model_loaded_fn done, void *arg);

/* Borrowed; a kept model by name, or NULL. */
struct model *model_registry_find(struct model_registry *reg, const char *name);

/* Stop keeping it. -ENOENT. */
int model_registry_unkeep(struct model_registry *reg, const char *name);

struct model *model_ref(struct model *model);
void model_unref(struct model *model); /* accepts NULL */
ZY_DEFINE_AUTO(struct model, model_unref)
