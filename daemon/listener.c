/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/session.h"

#define ACCEPTS_PER_TURN 16
#define RETRY_NS UINT64_C(1000000000)

/*
 * Accepting
 */

/* Once per shortage: who is turned away again and again must not fill the log. */
static void complain(struct listener *listener, const char *why)
{
	if (!listener->complained)
		log_event(LOG_LEVEL_WARNING, LOG_EVENT_TURNED_AWAY, "turning clients away: %s",
			  why);
	listener->complained = true;
	listener->turned_away_ns = loop_now();
	snprintf(listener->turned_away_why, sizeof(listener->turned_away_why), "%s", why);
	if (listener->changed)
		listener->changed(listener->changed_arg);
}

static void start_session(struct listener *listener, int fd)
{
	struct session_group *group = listener->group;
	struct session *session;
	int r;

	if (group->n_sessions >= group->limits->sessions) {
		complain(listener, "limits.sessions is reached");
		close(fd);
		return;
	}
	r = session_create(&session, group, fd);
	if (r < 0) {
		complain(listener, strerror(-r));
		close(fd);
		return;
	}
	listener->complained = false;
}

/*
 * No descriptor is left to accept with, and the connection would keep the socket
 * readable for ever. Give up the reserve to accept and close it. If that does not
 * work either, look away for a while.
 */
static void turn_away(struct listener *listener)
{
	int fd;

	complain(listener, "out of file descriptors");
	if (listener->reserve_fd >= 0) {
		close(listener->reserve_fd);
		fd = accept4(listener->path.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			close(fd);
	}
	listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (listener->reserve_fd >= 0)
		return;
	loop_io_set(listener->io, 0);
	loop_timer_set(listener->retry, loop_now() + RETRY_NS);
}

static void on_retry(void *arg)
{
	struct listener *listener = arg;

	if (listener->reserve_fd < 0)
		listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	loop_io_set(listener->io, LOOP_READ);
}

static void on_connection(void *arg, unsigned int ready)
{
	struct listener *listener = arg;
	int fd;

	(void)ready;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		fd = accept4(listener->path.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			start_session(listener, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			turn_away(listener);
		return;
	}
}

/*
 * Beginning and ending
 */

static int option_of(int fd, int option)
{
	int value = -1;

	return getsockopt(fd, SOL_SOCKET, option, &value, &(socklen_t){sizeof(value)}) < 0 ? -1
											   : value;
}

/* Also finds out where it is. */
static int check_passed(struct listener *listener, int fd)
{
	socklen_t size = sizeof(listener->path.address);
	int flags;

	if (option_of(fd, SO_DOMAIN) != AF_UNIX || option_of(fd, SO_TYPE) != SOCK_SEQPACKET ||
	    option_of(fd, SO_ACCEPTCONN) != 1 ||
	    getsockname(fd, (struct sockaddr *)&listener->path.address, &size) < 0 ||
	    listener->path.address.sun_path[0] != '/') {
		log_error("what the service manager passed is no listening sequential-packet "
			  "socket at a path (ListenSequentialPacket=)");
		return -EINVAL;
	}
	/* The kernel promises no zero byte behind the longest path. */
	listener->path.address.sun_path[sizeof(listener->path.address.sun_path) - 1] = '\0';
	flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static void begin(struct listener *listener, struct session_group *group)
{
	*listener = (struct listener){.group = group, .reserve_fd = -1};
	socket_path_init(&listener->path);
}

static int watch(struct listener *listener, int fd)
{
	int r = loop_timer_create(&listener->retry, listener->group->loop, on_retry, listener);

	if (r == 0)
		r = loop_io_create(&listener->io, listener->group->loop, fd, LOOP_READ,
				   on_connection, listener);
	if (r == 0)
		listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return r;
}

int listener_init(struct listener *listener, struct session_group *group, const char *path,
		  mode_t mode)
{
	int r;

	begin(listener, group);
	r = socket_path_open(&listener->path, path, SOCK_SEQPACKET, mode);
	if (r == 0)
		r = watch(listener, listener->path.fd);
	if (r < 0)
		listener_finish(listener);
	return r;
}

int listener_init_passed(struct listener *listener, struct session_group *group, int fd)
{
	int r;

	begin(listener, group);
	r = check_passed(listener, fd);
	if (r == 0)
		r = watch(listener, fd);
	if (r < 0)
		listener_finish(listener);
	else
		listener->path.fd = fd;
	return r;
}

void listener_finish(struct listener *listener)
{
	if (!listener->group)
		return;
	loop_io_destroy(listener->io);
	loop_timer_destroy(listener->retry);
	socket_path_close(&listener->path);
	if (listener->reserve_fd >= 0)
		close(listener->reserve_fd);
	*listener = (struct listener){0};
}
