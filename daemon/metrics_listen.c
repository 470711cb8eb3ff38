/* SPDX-License-Identifier: Apache-2.0 */
/* Where the metrics' server listens: paths, ports, and what the service manager passes. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/metrics_server_internal.h"
#include "daemon/session.h"

#define BACKLOG 16
#define RETRY_NS UINT64_C(1000000000)

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
	int fd = accept4(listener->path.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)ready;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			look_away(server);
		return;
	}
	if (server->n_connections >= METRICS_CONNECTIONS || metrics_server_serve(server, fd) < 0)
		close(fd);
}

static void listener_close(struct metrics_listener *listener)
{
	loop_io_destroy(listener->io);
	socket_path_close(&listener->path);
	listener->io = NULL;
}

/* The next one. It counts when it has a socket and was started. */
static struct metrics_listener *new_listener(struct metrics_server *server)
{
	struct metrics_listener *listener = &server->listeners[server->n_listeners];

	if (server->n_listeners == METRICS_LISTENERS) {
		log_error("there are more than %u sockets for metrics", METRICS_LISTENERS);
		return NULL;
	}
	*listener = (struct metrics_listener){.server = server};
	socket_path_init(&listener->path);
	return listener;
}

/* Also takes care of a socket that could not be made. */
static int start(struct metrics_listener *listener, int r)
{
	struct metrics_server *server = listener->server;

	if (r == 0)
		r = loop_io_create(&listener->io, server->group->loop, listener->path.fd, LOOP_READ,
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
	return start(listener, r);
}

static int open_port(struct metrics_listener *listener, unsigned int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	listener->path.fd = fd;
	/* Connections of the daemon before us may linger. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
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
	int fd = listener->path.fd, domain = option_of(fd, SO_DOMAIN), flags = fcntl(fd, F_GETFL);

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
	listener->path.fd = fd;
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

int metrics_listen_init(struct metrics_server *server)
{
	return loop_timer_create(&server->retry, server->group->loop, on_retry, server);
}

void metrics_listen_finish(struct metrics_server *server)
{
	for (unsigned int i = 0; i < server->n_listeners; i++)
		listener_close(&server->listeners[i]);
	loop_timer_destroy(server->retry);
}
