/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loop, worker, software device and model registry, and nothing on top: for tests
 * of models, slots, bindings and buffers.
 *
 * rig_finish() aborts the test if a byte of device memory or a descriptor was left
 * behind.
 */
#pragma once

#include "daemon/binding.h"
#include "daemon/buffer.h"
#include "daemon/device.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/slot.h"
#include "daemon/worker.h"
#include "tests/unit/loadable/elf_builder.h"

struct rig {
	struct loop *loop;
	struct worker *worker;
	struct device *device;
	struct model_registry models;
	unsigned int n_fds;
	int n_pending; /* loads without answer */
	int n_ready;   /* calls of slot_ready */
};

/* What a load was answered. */
struct rig_answer {
	struct rig *rig;
	struct model *model; /* a reference */
	bool shared, done;
	int error;
	char text[256];
};

/* Three cores, @memory_bytes of device memory. */
void rig_init(struct rig *rig, uint64_t memory_bytes);
void rig_finish(struct rig *rig);

/* Run the loop until the worker has nothing left and all loads are answered. */
void rig_settle(struct rig *rig);

/* A memfd with that content. */
int rig_memfd(const void *data, size_t size);
/* Ask for it; @answer is filled in by rig_settle(). */
void rig_begin(struct rig *rig, struct rig_answer *answer, const void *image, size_t size,
	       const char *name, unsigned int flags);
/* Ask for it and settle; returns the error. */
int rig_load(struct rig *rig, struct rig_answer *answer, struct elf_builder *b, const char *name,
	     unsigned int flags);
/* The model that copies @n_bytes, which must load. */
struct model *rig_load_copy(struct rig *rig, uint32_t n_bytes);

struct buffer *rig_buffer(struct rig *rig, size_t size);
/* Input 0 at the start of @in, output 0 at the start of @out. */
struct binding *rig_bind_copy(struct model *model, struct buffer *in, struct buffer *out,
			      uint32_t n_bytes);

/* Prepare and run; the bytes copied before and after go to @ret_copied. */
struct device_event rig_run(struct rig *rig, struct slot *slot, const struct binding *binding,
			    uint64_t *ret_copied);
