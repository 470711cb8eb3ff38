/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop. libevent ends here: everybody else sees descriptors, times and
 * callbacks. All callbacks run on the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_io;
struct loop_timer;
struct loop_signal;

/* What a descriptor is ready for. */
#define LOOP_READ 1u
#define LOOP_WRITE 2u
#define LOOP_CLOSED 4u /* the peer has gone */

typedef void (*loop_io_fn)(void *arg, unsigned int ready);
typedef void (*loop_fn)(void *arg);

int loop_create(struct loop **ret);
/* All watches must be gone. Accepts NULL. */
void loop_destroy(struct loop *loop);

/* Runs until loop_stop(). Returns 0 or a negative errno of the loop itself. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* CLOCK_MONOTONIC in nanoseconds, read now. */
uint64_t loop_now(void);

/*
 * Watch a descriptor, which stays the caller's, for @events (0: none yet). Remove
 * the watch before closing it. A watch may be changed or removed from any
 * callback, its own included.
 */
int loop_io_create(struct loop_io **ret, struct loop *loop, int fd, unsigned int events,
		   loop_io_fn fn, void *arg);
void loop_io_destroy(struct loop_io *io); /* accepts NULL */
int loop_io_set(struct loop_io *io, unsigned int events);

/* A one-shot timer, not armed yet. */
int loop_timer_create(struct loop_timer **ret, struct loop *loop, loop_fn fn, void *arg);
void loop_timer_destroy(struct loop_timer *timer); /* accepts NULL */
int loop_timer_set(struct loop_timer *timer, uint64_t at_ns);
void loop_timer_clear(struct loop_timer *timer);

int loop_signal_create(struct loop_signal **ret, struct loop *loop, int signum, loop_fn fn,
		       void *arg);
void loop_signal_destroy(struct loop_signal *sig); /* accepts NULL */
