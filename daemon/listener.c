/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/session.h"
#include "proto/scope.h"

#define BACKLOG 128
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
		fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
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
		fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
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
 * The path
 */

static int make_directory(const char *path)
{
	char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	strcpy(directory, path);
	slash = strrchr(directory, '/');
	if (slash == directory)
		return 0;
	*slash = '\0';
	if (mkdir(directory, 0755) < 0 && errno != EEXIST) {
		log_error("cannot make the directory %s: %s", directory, strerror(errno));
		return -errno;
	}
	return 0;
}

static bool is_same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static void lock_path(const struct listener *listener, char ret[static 128])
{
	snprintf(ret, 128, "%s.lock", listener->address.sun_path);
}

/* The lock file is removed by who holds it, so what was opened may be gone when it is locked. */
static int take_lock(struct listener *listener)
{
	const char *socket_path = listener->address.sun_path;
	char path[128];

	lock_path(listener, path);
	for (;;) {
		zy_auto(zy_close) int fd =
			open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0) {
			log_error("cannot make %s: %s", path, strerror(errno));
			return -errno;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
			log_error("another zhouyid is listening on %s", socket_path);
			return -EADDRINUSE;
		}
		if (is_same_file(fd, path)) {
			listener->lock_fd = zy_take_fd(fd);
			return 0;
		}
	}
}

/* A socket whose owner is gone refuses; whatever else happens, somebody may be there. */
static bool is_answered(const struct sockaddr_un *address)
{
	zy_auto(zy_close) int fd =
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	       errno != ECONNREFUSED;
}

static int remove_stale(const struct listener *listener)
{
	const char *path = listener->address.sun_path;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode)) {
		log_error("%s exists and is not a socket", path);
		return -EEXIST;
	}
	if (is_answered(&listener->address)) {
		log_error("another zhouyid is listening on %s", path);
		return -EADDRINUSE;
	}
	if (unlink(path) < 0) {
		log_error("cannot remove the stale socket %s: %s", path, strerror(errno));
		return -errno;
	}
	return 0;
}

/* Nobody can connect before listen(), so the mode is right from the first moment on. */
static int bind_path(struct listener *listener, mode_t mode)
{
	const char *path = listener->address.sun_path;
	struct stat st;

	listener->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0)
		return -errno;
	if (bind(listener->fd, (const struct sockaddr *)&listener->address,
		 sizeof(listener->address)) < 0)
		return -errno;
	if (lstat(path, &st) < 0)
		return -errno;
	listener->device = st.st_dev;
	listener->inode = st.st_ino;
	if (chmod(path, mode) < 0 || listen(listener->fd, BACKLOG) < 0)
		return -errno;
	return 0;
}

static int listener_open(struct listener *listener, mode_t mode)
{
	int r;

	r = make_directory(listener->address.sun_path);
	if (r < 0)
		return r;
	r = take_lock(listener);
	if (r < 0)
		return r;
	r = remove_stale(listener);
	if (r < 0)
		return r;
	r = bind_path(listener, mode);
	if (r < 0)
		log_error("cannot listen on %s: %s", listener->address.sun_path, strerror(-r));
	return r;
}

static int option_of(int fd, int option)
{
	int value = -1;

	return getsockopt(fd, SOL_SOCKET, option, &value, &(socklen_t){sizeof(value)}) < 0 ? -1
											   : value;
}

/* Also finds out where it is. */
static int check_passed(struct listener *listener, int fd)
{
	socklen_t size = sizeof(listener->address);
	int flags;

	if (option_of(fd, SO_DOMAIN) != AF_UNIX || option_of(fd, SO_TYPE) != SOCK_SEQPACKET ||
	    option_of(fd, SO_ACCEPTCONN) != 1 ||
	    getsockname(fd, (struct sockaddr *)&listener->address, &size) < 0 ||
	    listener->address.sun_path[0] != '/') {
		log_error("what the service manager passed is no listening sequential-packet "
			  "socket at a path (ListenSequentialPacket=)");
		return -EINVAL;
	}
	/* The kernel promises no zero byte behind the longest path. */
	listener->address.sun_path[sizeof(listener->address.sun_path) - 1] = '\0';
	flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static void begin(struct listener *listener, struct session_group *group)
{
	*listener = (struct listener){
		.group = group,
		.fd = -1,
		.lock_fd = -1,
		.reserve_fd = -1,
		.address.sun_family = AF_UNIX,
	};
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
	if (path[0] != '/' || strlen(path) >= sizeof(listener->address.sun_path)) {
		log_error("%s cannot be the path of a socket: it is too long or not absolute",
			  path);
		return -EINVAL;
	}
	strcpy(listener->address.sun_path, path);
	r = listener_open(listener, mode);
	if (r == 0)
		r = watch(listener, listener->fd);
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
		listener->fd = fd;
	return r;
}

static void remove_socket(const struct listener *listener)
{
	const char *path = listener->address.sun_path;
	struct stat st;

	if (listener->inode && lstat(path, &st) == 0 && st.st_dev == listener->device &&
	    st.st_ino == listener->inode)
		unlink(path);
}

void listener_finish(struct listener *listener)
{
	char path[128];

	if (!listener->group)
		return;
	loop_io_destroy(listener->io);
	loop_timer_destroy(listener->retry);
	remove_socket(listener);
	if (listener->fd >= 0)
		close(listener->fd);
	if (listener->reserve_fd >= 0)
		close(listener->reserve_fd);
	/* Last, and removed while it is locked. */
	if (listener->lock_fd >= 0) {
		lock_path(listener, path);
		unlink(path);
		close(listener->lock_fd);
	}
	*listener = (struct listener){0};
}
