/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/log.h"

/*
 * A watch may be destroyed from any callback, its own included. libevent makes
 * that simple: event_del() also takes an event out of the queue of those that wait
 * for their callback, and libevent looks at no event again after it has called it.
 * So each callback below touches its watch only before it calls out.
 */

struct loop {
	struct event_base *base;
	bool stopped;
};

struct loop_io {
	struct event event;
	struct loop *loop; /* borrowed */
	int fd;
	unsigned int events; /* LOOP_*; 0: not with libevent */
	loop_io_fn fn;
	void *arg;
};

struct loop_timer {
	struct event event;
	struct loop *loop; /* borrowed */
	uint64_t at_ns;
	loop_fn fn;
	void *arg;
};

struct loop_signal {
	struct event event;
	loop_fn fn;
	void *arg;
};

static void on_libevent_log(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		log_warning("libevent: %s", text);
	else
		log_debug("libevent: %s", text);
}

int loop_create(struct loop **ret)
{
	struct event_config *config = event_config_new();
	struct loop *loop = calloc(1, sizeof(*loop));
	int r = -ENOMEM;

	event_set_log_callback(on_libevent_log);
	if (!config || !loop)
		goto fail;
	r = -ENOSYS;
	/* Noticing that a peer has gone while not reading from it is what epoll can do. */
	if (event_config_require_features(config, EV_FEATURE_EARLY_CLOSE) < 0 ||
	    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) < 0)
		goto fail;
	loop->base = event_base_new_with_config(config);
	if (!loop->base)
		goto fail;
	event_config_free(config);
	*ret = loop;
	return 0;
fail:
	if (config)
		event_config_free(config);
	free(loop);
	return r;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	event_base_free(loop->base);
	free(loop);
}

int loop_run(struct loop *loop)
{
	int r = 0;

	while (!loop->stopped && r == 0) {
		errno = 0;
		if (event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
			r = errno ? -errno : -EIO;
	}
	loop->stopped = false;
	return r;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
	event_base_loopbreak(loop->base);
}

uint64_t loop_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/*
 * Descriptors
 */

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;

	(void)fd;
	io->fn(io->arg, (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0) |
				(what & EV_CLOSED ? LOOP_CLOSED : 0));
}

int loop_io_set(struct loop_io *io, unsigned int events)
{
	short what = EV_PERSIST;

	if (events == io->events)
		return 0;
	/* An error of the descriptor shows as readable and writable; nobody would see it. */
	if (events == LOOP_CLOSED)
		return -EINVAL;
	if (io->events)
		event_del(&io->event);
	io->events = 0;
	if (!events)
		return 0;
	what |= events & LOOP_READ ? EV_READ : 0;
	what |= events & LOOP_WRITE ? EV_WRITE : 0;
	what |= events & LOOP_CLOSED ? EV_CLOSED : 0;
	if (event_assign(&io->event, io->loop->base, io->fd, what, on_io, io) < 0)
		return -EINVAL;
	errno = 0;
	if (event_add(&io->event, NULL) < 0)
		return errno ? -errno : -ENOMEM;
	io->events = events;
	return 0;
}

int loop_io_create(struct loop_io **ret, struct loop *loop, int fd, unsigned int events,
		   loop_io_fn fn, void *arg)
{
	struct loop_io *io = calloc(1, sizeof(*io));
	int r;

	if (!io)
		return -ENOMEM;
	io->loop = loop;
	io->fd = fd;
	io->fn = fn;
	io->arg = arg;
	r = loop_io_set(io, events);
	if (r < 0) {
		free(io);
		return r;
	}
	*ret = io;
	return 0;
}

void loop_io_destroy(struct loop_io *io)
{
	if (!io)
		return;
	if (io->events)
		event_del(&io->event);
	free(io);
}

/*
 * Timers
 */

static int timer_arm(struct loop_timer *timer)
{
	uint64_t now = loop_now();
	uint64_t wait_us = timer->at_ns > now ? (timer->at_ns - now + 999) / 1000 : 0;
	struct timeval wait = {
		.tv_sec = (time_t)(wait_us / 1000000),
		.tv_usec = (suseconds_t)(wait_us % 1000000),
	};

	return event_add(&timer->event, &wait) < 0 ? -ENOMEM : 0;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;

	(void)fd, (void)what;
	/* libevent's own clock is coarse and may be some milliseconds behind: never fire early. */
	if (timer->at_ns > loop_now() && timer_arm(timer) == 0)
		return;
	timer->fn(timer->arg);
}

int loop_timer_create(struct loop_timer **ret, struct loop *loop, loop_fn fn, void *arg)
{
	struct loop_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return -ENOMEM;
	timer->loop = loop;
	timer->fn = fn;
	timer->arg = arg;
	event_assign(&timer->event, loop->base, -1, 0, on_timer, timer);
	*ret = timer;
	return 0;
}

void loop_timer_destroy(struct loop_timer *timer)
{
	if (!timer)
		return;
	event_del(&timer->event);
	free(timer);
}

int loop_timer_set(struct loop_timer *timer, uint64_t at_ns)
{
	timer->at_ns = at_ns;
	return timer_arm(timer);
}

void loop_timer_clear(struct loop_timer *timer)
{
	event_del(&timer->event);
}

/*
 * Signals
 */

static void on_signal(evutil_socket_t signum, short what, void *arg)
{
	struct loop_signal *sig = arg;

	(void)signum, (void)what;
	sig->fn(sig->arg);
}

int loop_signal_create(struct loop_signal **ret, struct loop *loop, int signum, loop_fn fn,
		       void *arg)
{
	struct loop_signal *sig = calloc(1, sizeof(*sig));

	if (!sig)
		return -ENOMEM;
	sig->fn = fn;
	sig->arg = arg;
	event_assign(&sig->event, loop->base, signum, EV_SIGNAL | EV_PERSIST, on_signal, sig);
	if (event_add(&sig->event, NULL) < 0) {
		free(sig);
		return -EINVAL;
	}
	*ret = sig;
	return 0;
}

void loop_signal_destroy(struct loop_signal *sig)
{
	if (!sig)
		return;
	event_del(&sig->event);
	free(sig);
}
