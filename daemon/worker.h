/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker: one thread for what takes long and must not hold up the loop:
 * hashing, parsing, allocating, uploading, preparing, zeroing.
 *
 * Work goes there by value: an item embeds a struct work, and from
 * worker_submit() until its done() is called the item belongs to the worker. Items
 * run in order, one at a time. done() is called on the loop's thread. The two
 * lists between the threads have the only mutex the daemon owns.
 */
#pragma once

#include "proto/list.h"

struct loop;
struct work;
struct worker;

struct work {
	struct list link;
	void (*run)(struct work *work);	 /* on the worker's thread */
	void (*done)(struct work *work); /* on the loop's thread; may free the item */
};

/* Starts the thread; results come through @loop. */
int worker_create(struct worker **ret, struct loop *loop);

/* Waits for what is submitted, calls every done(), stops the thread. Accepts NULL. */
void worker_destroy(struct worker *worker);

/* [loop] Never fails, never blocks. */
void worker_submit(struct worker *worker, struct work *work);
