/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Executes a loadable without a device: lays out its memory, patches its slots and runs
 * its instructions one after another. For tests; errors are texts.
 */
#pragma once

#include "loadable/loadable_elf.h"

#include <stddef.h>
#include <stdint.h>

struct graph;

struct run_model {
	struct graph *graph; /* owned, as all of this */
	uint8_t *rodata;     /* patched */
	uint8_t *memory;     /* ASID 0: reuse sections */
	uint8_t *weights;    /* ASID 1: static sections */
	size_t memory_size, weights_size;
	uint32_t *reuse, *statics; /* address of each section */
	struct loadable_error error;
};

/* @image must stay until run_model_close(). Returns 0, or a negative errno with the error set. */
int run_model_open(struct run_model *m, const uint8_t *image, size_t size);
void run_model_close(struct run_model *m);

/* Memory of input (or output) @id; writable before, readable after a run. */
uint8_t *run_model_input(struct run_model *m, uint32_t id);
uint8_t *run_model_output(struct run_model *m, uint32_t id);

/*
 * Run to the end. All memory but the inputs is poisoned before, so that results that
 * depend on what was there show. Returns 0, or a negative errno with the error set.
 */
int run_model_run(struct run_model *m);
