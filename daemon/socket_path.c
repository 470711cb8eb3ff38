/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/socket_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/log.h"
#include "proto/scope.h"

#define BACKLOG 128
#define LOCK_NAME_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) + sizeof(".lock"))

void socket_path_init(struct socket_path *path)
{
	*path = (struct socket_path){.fd = -1, .lock_fd = -1, .address.sun_family = AF_UNIX};
}

static int make_directory(const char *name)
{
	char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	strcpy(directory, name);
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

static bool is_same_file(int fd, const char *name)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(name, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static void lock_name(const struct socket_path *path, char ret[static LOCK_NAME_MAX])
{
	snprintf(ret, LOCK_NAME_MAX, "%s.lock", path->address.sun_path);
}

/* The lock file is removed by who holds it, so what was opened may be gone when it is locked. */
static int take_lock(struct socket_path *path)
{
	char name[LOCK_NAME_MAX];

	lock_name(path, name);
	for (;;) {
		zy_auto(zy_close) int fd =
			open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0) {
			log_error("cannot make %s: %s", name, strerror(errno));
			return -errno;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
			log_error("another zhouyid is listening on %s", path->address.sun_path);
			return -EADDRINUSE;
		}
		if (is_same_file(fd, name)) {
			path->lock_fd = zy_take_fd(fd);
			return 0;
		}
	}
}

/* 0: there is. -ECONNREFUSED: its owner is gone. Whatever else happens, somebody may be there. */
static int find_owner(const struct sockaddr_un *address, int type)
{
	zy_auto(zy_close) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	return connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
}

static int remove_stale(const struct socket_path *path, int type)
{
	const char *name = path->address.sun_path;
	struct stat st;
	int r;

	if (lstat(name, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode)) {
		log_error("%s exists and is not a socket", name);
		return -EEXIST;
	}
	r = find_owner(&path->address, type);
	if (r != -ECONNREFUSED) {
		/* -EAGAIN: too many wait for it. */
		if (r == 0 || r == -EAGAIN)
			log_error("another zhouyid is listening on %s", name);
		else
			log_error("%s is there, and nobody knows who listens on it: %s", name,
				  strerror(-r));
		return -EADDRINUSE;
	}
	if (unlink(name) < 0) {
		log_error("cannot remove the stale socket %s: %s", name, strerror(errno));
		return -errno;
	}
	return 0;
}

/* Nobody can connect before listen(), so the mode is right from the first moment on. */
static int bind_path(struct socket_path *path, int type, mode_t mode)
{
	const char *name = path->address.sun_path;
	struct stat st;

	path->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (path->fd < 0)
		return -errno;
	if (bind(path->fd, (const struct sockaddr *)&path->address, sizeof(path->address)) < 0)
		return -errno;
	if (lstat(name, &st) < 0)
		return -errno;
	path->device = st.st_dev;
	path->inode = st.st_ino;
	if (chmod(name, mode) < 0 || listen(path->fd, BACKLOG) < 0)
		return -errno;
	return 0;
}

static int open_path(struct socket_path *path, int type, mode_t mode)
{
	int r;

	r = make_directory(path->address.sun_path);
	if (r < 0)
		return r;
	r = take_lock(path);
	if (r < 0)
		return r;
	r = remove_stale(path, type);
	if (r < 0)
		return r;
	r = bind_path(path, type, mode);
	if (r < 0)
		log_error("cannot listen on %s: %s", path->address.sun_path, strerror(-r));
	return r;
}

int socket_path_open(struct socket_path *path, const char *name, int type, mode_t mode)
{
	int r;

	socket_path_init(path);
	if (name[0] != '/' || strlen(name) >= sizeof(path->address.sun_path)) {
		log_error("%s cannot be the path of a socket: it is too long or not absolute",
			  name);
		return -EINVAL;
	}
	strcpy(path->address.sun_path, name);
	r = open_path(path, type, mode);
	if (r < 0)
		socket_path_close(path);
	return r;
}

static void remove_socket(const struct socket_path *path)
{
	const char *name = path->address.sun_path;
	struct stat st;

	if (path->inode && lstat(name, &st) == 0 && st.st_dev == path->device &&
	    st.st_ino == path->inode)
		unlink(name);
}

void socket_path_close(struct socket_path *path)
{
	char name[LOCK_NAME_MAX];

	remove_socket(path);
	if (path->fd >= 0)
		close(path->fd);
	/* Last, and removed while it is locked. */
	if (path->lock_fd >= 0) {
		lock_name(path, name);
		unlink(name);
		close(path->lock_fd);
	}
	socket_path_init(path);
}
