/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/metrics_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/http.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/session.h"
#include "proto/scope.h"

#define BACKLOG 16
#define RETRY_NS UINT64_C(1000000000)
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

/* Not while it waits for us. */
static void be_patient(struct connection *connection)
{
	loop_timer_set(connection->timer, loop_now() + METRICS_PATIENCE_NS);
}

/* Whether a call may work later; if not, the connection is no more. */
static bool may_go_on(struct connection *connection, ssize_t n)
{
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	connection_destroy(connection);
	return false;
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
		may_go_on(connection, n);
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
		may_go_on(connection, n);
		return;
	}
	connection->n_in += (size_t)n;
	on_request(connection);
}

static void on_leftover(struct connection *connection)
{
	ssize_t n = read(connection->fd, connection->in, sizeof(connection->in));

	if (n <= 0) {
		may_go_on(connection, n);
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

static int connection_create(struct metrics_server *server, int fd)
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
 * Listening
 */

static void watch(const struct metrics_listener *listener, unsigned int events)
{
	/* It may have been released. */
	if (listener->io)
		loop_io_set(listener->io, events);
}

/* Out of descriptors, and the connection keeps the socket readable: look away for a while. */
static void look_away(struct metrics_server *server)
{
	for (unsigned int i = 0; i < server->n_listeners; i++)
		watch(&server->listeners[i], 0);
	loop_timer_set(server->retry, loop_now() + RETRY_NS);
}

static void on_retry(void *arg)
{
	struct metrics_server *server = arg;

	for (unsigned int i = 0; i < server->n_listeners; i++)
		watch(&server->listeners[i], LOOP_READ);
}

static void on_connection(void *arg, unsigned int ready)
{
	struct metrics_listener *listener = arg;
	struct metrics_server *server = listener->server;
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)ready;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			look_away(server);
		return;
	}
	if (server->n_connections >= METRICS_CONNECTIONS || connection_create(server, fd) < 0)
		close(fd);
}

static void listener_close(struct metrics_listener *listener)
{
	loop_io_destroy(listener->io);
	/* The socket of a path is closed with that. */
	if (listener->fd >= 0 && listener->fd != listener->path.fd)
		close(listener->fd);
	socket_path_close(&listener->path);
	listener->io = NULL;
	listener->fd = -1;
}

/* The next one. It counts when it has a socket and was started. */
static struct metrics_listener *new_listener(struct metrics_server *server)
{
	struct metrics_listener *listener = &server->listeners[server->n_listeners];

	if (server->n_listeners == METRICS_LISTENERS) {
		log_error("there are more than %u sockets for metrics", METRICS_LISTENERS);
		return NULL;
	}
	*listener = (struct metrics_listener){.server = server, .fd = -1};
	socket_path_init(&listener->path);
	return listener;
}

/* Also takes care of a socket that could not be made. */
static int start(struct metrics_listener *listener, int r)
{
	struct metrics_server *server = listener->server;

	if (r == 0)
		r = loop_io_create(&listener->io, server->group->loop, listener->fd, LOOP_READ,
				   on_connection, listener);
	if (r < 0)
		listener_close(listener);
	else
		server->n_listeners++;
	return r;
}

int metrics_server_open_path(struct metrics_server *server, const char *path, mode_t mode)
{
	struct metrics_listener *listener = new_listener(server);
	int r;

	if (!listener)
		return -EMFILE;
	r = socket_path_open(&listener->path, path, SOCK_STREAM, mode);
	listener->fd = listener->path.fd;
	return start(listener, r);
}

static int open_port(struct metrics_listener *listener, unsigned int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0)
		return -errno;
	/* Connections of the daemon before us may linger. */
	setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(listener->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener->fd, BACKLOG) < 0)
		return -errno;
	return 0;
}

int metrics_server_open_port(struct metrics_server *server, unsigned int port)
{
	struct metrics_listener *listener = new_listener(server);
	int r;

	if (!listener)
		return -EMFILE;
	r = open_port(listener, port);
	if (r < 0)
		log_error("cannot listen on 127.0.0.1:%u: %s%s", port, strerror(-r),
			  r == -EAFNOSUPPORT ? "; in the sandbox of zhouyid.service enable "
					       "zhouyid-metrics.socket instead"
					     : "");
	return start(listener, r);
}

static int option_of(int fd, int option)
{
	int value = -1;

	return getsockopt(fd, SOL_SOCKET, option, &value, &(socklen_t){sizeof(value)}) < 0 ? -1
											   : value;
}

/* Also finds out where it is, for a Unix socket. */
static int check_passed(struct metrics_listener *listener)
{
	struct sockaddr_un *address = &listener->path.address;
	int fd = listener->fd, domain = option_of(fd, SO_DOMAIN), flags = fcntl(fd, F_GETFL);

	if ((domain != AF_UNIX && domain != AF_INET && domain != AF_INET6) ||
	    option_of(fd, SO_TYPE) != SOCK_STREAM || option_of(fd, SO_ACCEPTCONN) != 1) {
		log_error("what the service manager passed for metrics is no listening stream "
			  "socket (ListenStream=)");
		return -EINVAL;
	}
	if (domain == AF_UNIX &&
	    getsockname(fd, (struct sockaddr *)address, &(socklen_t){sizeof(*address)}) < 0)
		return -errno;
	/* The kernel promises no zero byte behind the longest path. */
	address->sun_path[sizeof(address->sun_path) - 1] = '\0';
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int metrics_server_take(struct metrics_server *server, int fd)
{
	struct metrics_listener *listener = new_listener(server);

	if (!listener) {
		close(fd);
		return -EMFILE;
	}
	listener->fd = fd;
	listener->is_passed = true;
	return start(listener, check_passed(listener));
}

bool metrics_server_is_at(const struct metrics_server *server, const char *path)
{
	for (unsigned int i = 0; i < server->n_listeners; i++)
		if (strcmp(server->listeners[i].path.address.sun_path, path) == 0)
			return true;
	return false;
}

void metrics_server_release(struct metrics_server *server)
{
	for (unsigned int i = 0; i < server->n_listeners; i++)
		if (!server->listeners[i].is_passed)
			listener_close(&server->listeners[i]);
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
		r = loop_timer_create(&server->retry, group->loop, on_retry, server);
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
	for (unsigned int i = 0; i < server->n_listeners; i++)
		listener_close(&server->listeners[i]);
	while ((connection = list_first(&server->connections, struct connection, link)))
		connection_destroy(connection);
	loop_timer_destroy(server->retry);
	loop_timer_destroy(server->period);
	free(server->snapshot);
	*server = (struct metrics_server){0};
}
