/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/loop.h"

/*
 *	loop's thread                        worker's thread
 *	worker_submit() -> todo ---- wake ---> run()
 *	done()          <- done <-- eventfd --  |
 *
 * An item is on one of the lists or in the hands of one of the threads, never
 * both; only the lists are shared. The eventfd says that done is no longer empty:
 * it is nobody else's, so that reading and writing it cannot block.
 */
struct worker {
	pthread_t thread;
	struct loop_io *io; /* owned; on done_fd */
	int done_fd;

	pthread_mutex_t lock; /* protects what follows */
	pthread_cond_t wake;  /* todo or stop changed */
	pthread_cond_t idle;  /* busy became false */
	struct list todo;     /* work.link */
	struct list done;     /* work.link */
	bool busy;	      /* an item is in the worker's hands */
	bool stop;
};

static struct work *list_take(struct list *list)
{
	struct work *work = list_first(list, struct work, link);

	if (work)
		list_remove(&work->link);
	return work;
}

static void announce(const struct worker *worker)
{
	/* Fails only if the counter is at its maximum, and then it is readable as well. */
	if (write(worker->done_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0)
		return;
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct work *work;

	pthread_mutex_lock(&worker->lock);
	while (!worker->stop) {
		work = list_take(&worker->todo);
		if (!work) {
			pthread_cond_wait(&worker->wake, &worker->lock);
			continue;
		}
		worker->busy = true;
		pthread_mutex_unlock(&worker->lock);

		work->run(work);

		pthread_mutex_lock(&worker->lock);
		worker->busy = false;
		if (list_is_empty(&worker->done))
			announce(worker);
		list_append(&worker->done, &work->link);
		pthread_cond_signal(&worker->idle);
	}
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

static void deliver(struct worker *worker)
{
	struct work *work;

	for (;;) {
		pthread_mutex_lock(&worker->lock);
		work = list_take(&worker->done);
		pthread_mutex_unlock(&worker->lock);
		if (!work)
			return;
		work->done(work);
	}
}

static void on_done(void *arg, unsigned int ready)
{
	struct worker *worker = arg;
	uint64_t n;

	(void)ready;
	/* Before the list is looked at: what comes later announces itself again. */
	if (read(worker->done_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	deliver(worker);
}

/* Signals are for the loop's thread. */
static int start_thread(struct worker *worker)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&worker->thread, NULL, worker_main, worker);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		pthread_setname_np(worker->thread, "worker");
	return -r;
}

static void worker_free(struct worker *worker)
{
	loop_io_destroy(worker->io);
	if (worker->done_fd >= 0)
		close(worker->done_fd);
	pthread_cond_destroy(&worker->idle);
	pthread_cond_destroy(&worker->wake);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

int worker_create(struct worker **ret, struct loop *loop)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int r = 0;

	if (!worker)
		return -ENOMEM;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->wake, NULL);
	pthread_cond_init(&worker->idle, NULL);
	list_init(&worker->todo);
	list_init(&worker->done);

	worker->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->done_fd < 0)
		r = -errno;
	if (r == 0)
		r = loop_io_create(&worker->io, loop, worker->done_fd, LOOP_READ, on_done, worker);
	if (r == 0)
		r = start_thread(worker);
	if (r < 0) {
		worker_free(worker);
		return r;
	}
	*ret = worker;
	return 0;
}

/* Returns whether anything was delivered; its done() may have submitted more. */
static bool finish_round(struct worker *worker)
{
	bool any;

	pthread_mutex_lock(&worker->lock);
	while (worker->busy || !list_is_empty(&worker->todo))
		pthread_cond_wait(&worker->idle, &worker->lock);
	any = !list_is_empty(&worker->done);
	pthread_mutex_unlock(&worker->lock);
	deliver(worker);
	return any;
}

void worker_destroy(struct worker *worker)
{
	if (!worker)
		return;
	while (finish_round(worker))
		;
	pthread_mutex_lock(&worker->lock);
	worker->stop = true;
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
	pthread_join(worker->thread, NULL);
	worker_free(worker);
}

void worker_submit(struct worker *worker, struct work *work)
{
	pthread_mutex_lock(&worker->lock);
	list_append(&worker->todo, &work->link);
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}
