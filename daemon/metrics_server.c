/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/metrics_server_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/http.h"
#include "daemon/loop.h"
#include "daemon/session.h"
#include "proto/scope.h"

#define PATH "/metrics"
#define TYPE "text/plain; version=0.0.4; charset=utf-8"

/* How much of a page goes out before it is somebody else's turn. */
#define TURN_MAX 65536u
/* How much a peer may still send when it has its answer. */
#define LEFTOVER_MAX 65536u

struct metrics_page {
	unsigned int n_refs;
	char *text; /* owned */
	size_t size;
};

enum state { READING, WAITING, WRITING, ENDING };

struct connection {
	struct list link;	       /* server.connections */
	struct list waiting_link;      /* server.waiting or served, while WAITING */
	struct metrics_server *server; /* borrowed */
	struct loop_io *io;	       /* owned */
	struct loop_timer *timer;      /* owned; the end of our patience */
	int fd;			       /* owned */
	enum state state;
	bool head; /* it wants no body */
	char in[HTTP_REQUEST_MAX];
	size_t n_in; /* ENDING: how much came since */
	char header[HTTP_ANSWER_MAX];
	size_t header_size, n_out; /* n_out: of header and page together */
	struct metrics_page *page; /* a reference, or NULL */
};

/*
 * Connections
 */

static void page_unref(struct metrics_page *page)
{
	if (!page || --page->n_refs > 0)
		return;
	free(page->text);
	free(page);
}

static void connection_destroy(struct connection *connection)
{
	list_remove(&connection->link);
	list_remove(&connection->waiting_link);
	connection->server->n_connections--;
	loop_io_destroy(connection->io);
	loop_timer_destroy(connection->timer);
	close(connection->fd);
	page_unref(connection->page);
	free(connection);
}

static void on_impatience(void *arg)
{
	connection_destroy(arg);
}

/* From now on, and not while it waits for us. */
static void be_patient(struct connection *connection)
{
	loop_timer_set(connection->timer, loop_now() + METRICS_PATIENCE_NS);
}

/* A call returned @n, which is no bytes: it may work later, or there is nobody left. */
static void retry_or_destroy(struct connection *connection, ssize_t n)
{
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		connection_destroy(connection);
}

/*
 * Out
 */

/* All is sent. What it still sends has to be read: closing with that unread may lose the answer. */
static void end(struct connection *connection)
{
	connection->state = ENDING;
	connection->n_in = 0;
	shutdown(connection->fd, SHUT_WR);
	if (loop_io_set(connection->io, LOOP_READ) < 0)
		connection_destroy(connection);
}

static void on_writable(struct connection *connection)
{
	const struct metrics_page *page = connection->head ? NULL : connection->page;
	size_t header = connection->header_size, sent = connection->n_out;
	size_t of_header = sent < header ? sent : header, of_page = sent - of_header;
	size_t page_left = page ? page->size - of_page : 0;
	struct iovec parts[2] = {
		{connection->header + of_header, header - of_header},
		{page ? page->text + of_page : NULL, page_left < TURN_MAX ? page_left : TURN_MAX},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t n = sendmsg(connection->fd, &message, MSG_NOSIGNAL);

	if (n < 0) {
		retry_or_destroy(connection, n);
		return;
	}
	connection->n_out += (size_t)n;
	if ((size_t)n == parts[0].iov_len + page_left)
		end(connection);
}

static void answer(struct connection *connection, enum http_status status)
{
	size_t size = connection->page ? connection->page->size : 0;

	connection->state = WRITING;
	connection->header_size =
		http_answer(connection->header, status, TYPE, size, connection->head);
	be_patient(connection);
	if (loop_io_set(connection->io, LOOP_WRITE) < 0)
		connection_destroy(connection);
}

/*
 * The page
 */

/* [worker] */
static void run(struct work *work)
{
	struct metrics_server *server = list_entry(work, struct metrics_server, work);
	struct metrics_page *page = calloc(1, sizeof(*page));

	if (page && metrics_print(server->snapshot, &page->text, &page->size) < 0)
		free(zy_take(page));
	server->page = page;
}

static void make_page(struct metrics_server *server);

static void done(struct work *work)
{
	struct metrics_server *server = list_entry(work, struct metrics_server, work);
	struct metrics_page *page = zy_take(server->page);
	struct connection *connection;

	server->busy = false;
	if (page)
		page->n_refs = 1;
	while ((connection = list_first(&server->served, struct connection, waiting_link))) {
		list_remove(&connection->waiting_link);
		connection->page = page;
		if (page)
			page->n_refs++;
		answer(connection, page ? HTTP_OK : HTTP_UNAVAILABLE);
	}
	page_unref(page);
	if (!list_is_empty(&server->waiting))
		make_page(server);
}

/* For those who wait now. Who comes later may want to see what happened since. */
static void make_page(struct metrics_server *server)
{
	uint64_t now = loop_now(), at = server->made_ns + METRICS_PERIOD_NS;
	struct connection *connection;

	if (server->busy)
		return;
	if (server->made_ns && now < at) {
		loop_timer_set(server->period, at);
		return;
	}
	while ((connection = list_first(&server->waiting, struct connection, waiting_link))) {
		list_remove(&connection->waiting_link);
		list_append(&server->served, &connection->waiting_link);
	}
	metrics_gather(server->snapshot, server->group);
	server->made_ns = now;
	server->busy = true;
	server->work = (struct work){.run = run, .done = done};
	worker_submit(server->group->worker, &server->work);
}

static void on_period(void *arg)
{
	struct metrics_server *server = arg;

	if (!list_is_empty(&server->waiting))
		make_page(server);
}

static void wait_for_page(struct connection *connection)
{
	connection->state = WAITING;
	loop_timer_clear(connection->timer);
	/* Should it go away meanwhile, writing finds out. */
	loop_io_set(connection->io, 0);
	list_append(&connection->server->waiting, &connection->waiting_link);
	make_page(connection->server);
}

/*
 * In
 */

static void on_request(struct connection *connection)
{
	struct http_request request;
	int status = http_parse(&request, connection->in, connection->n_in);

	if (status == 0)
		return;
	if (status == HTTP_OK) {
		connection->head = request.head;
		if (http_is_for(&request, connection->in, PATH)) {
			wait_for_page(connection);
			return;
		}
		status = HTTP_NOT_FOUND;
	}
	answer(connection, (enum http_status)status);
}

static void on_readable(struct connection *connection)
{
	ssize_t n = read(connection->fd, connection->in + connection->n_in,
			 sizeof(connection->in) - connection->n_in);

	if (n <= 0) {
		retry_or_destroy(connection, n);
		return;
	}
	connection->n_in += (size_t)n;
	on_request(connection);
}

static void on_leftover(struct connection *connection)
{
	ssize_t n = read(connection->fd, connection->in, sizeof(connection->in));

	if (n <= 0) {
		retry_or_destroy(connection, n);
		return;
	}
	connection->n_in += (size_t)n;
	if (connection->n_in > LEFTOVER_MAX)
		connection_destroy(connection);
}

static void on_ready(void *arg, unsigned int ready)
{
	struct connection *connection = arg;

	(void)ready;
	switch (connection->state) {
	case READING:
		on_readable(connection);
		break;
	case WAITING:
		break;
	case WRITING:
		on_writable(connection);
		break;
	case ENDING:
		on_leftover(connection);
		break;
	}
}

int metrics_server_serve(struct metrics_server *server, int fd)
{
	struct loop *loop = server->group->loop;
	struct connection *connection = calloc(1, sizeof(*connection));
	int r;

	if (!connection)
		return -ENOMEM;
	connection->server = server;
	connection->fd = fd;
	list_init(&connection->waiting_link);
	r = loop_timer_create(&connection->timer, loop, on_impatience, connection);
	if (r == 0)
		r = loop_io_create(&connection->io, loop, fd, LOOP_READ, on_ready, connection);
	if (r < 0) {
		loop_timer_destroy(connection->timer);
		free(connection);
		return r;
	}
	list_append(&server->connections, &connection->link);
	server->n_connections++;
	be_patient(connection);
	return 0;
}

/*
 * Beginning and ending
 */

int metrics_server_init(struct metrics_server *server, const struct session_group *group)
{
	int r;

	*server = (struct metrics_server){.group = group};
	list_init(&server->connections);
	list_init(&server->waiting);
	list_init(&server->served);
	server->snapshot = calloc(1, sizeof(*server->snapshot));
	r = server->snapshot ? 0 : -ENOMEM;
	if (r == 0)
		r = metrics_listen_init(server);
	if (r == 0)
		r = loop_timer_create(&server->period, group->loop, on_period, server);
	if (r < 0)
		metrics_server_finish(server);
	return r;
}

void metrics_server_finish(struct metrics_server *server)
{
	struct connection *connection;

	if (!server->group)
		return;
	metrics_listen_finish(server);
	while ((connection = list_first(&server->connections, struct connection, link)))
		connection_destroy(connection);
	loop_timer_destroy(server->period);
	free(server->snapshot);
	*server = (struct metrics_server){0};
}
