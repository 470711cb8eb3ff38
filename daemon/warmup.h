/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warm-up runs: a model that was just loaded runs once, on zeroed tensors of its
 * own, before anybody is told that it is there. So the watchdog knows from the first
 * request on how long it takes. What the run comes to does not matter otherwise.
 *
 * Loop thread only.
 */
#pragma once

#include <stdint.h>

struct model;
struct scheduler;

/*
 * Run @model for at most @limit_ns, then call @done, never from inside this
 * function. -ENOMEM: nothing was started, and @done will not be called.
 */
int warmup_start(struct scheduler *sched, struct model *model, uint64_t limit_ns,
		 void (*done)(void *arg), void *arg);
