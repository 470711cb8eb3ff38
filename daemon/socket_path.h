/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listening Unix socket at a path of the file system.
 *
 * Two daemons never share a path: whoever holds the lock on <path>.lock owns it,
 * and a socket file that is there already is replaced only if nobody answers on
 * it. Both files are gone when the socket is closed.
 */
#pragma once

#include <sys/types.h>
#include <sys/un.h>

struct socket_path {
	int fd;	     /* owned; listening, never blocks; -1: none */
	int lock_fd; /* owned; -1: the path is somebody else's business */
	struct sockaddr_un address;
	dev_t device; /* of the socket file, so that we remove only our own */
	ino_t inode;
};

/* To be closed from now on: there is no socket yet. */
void socket_path_init(struct socket_path *path);

/*
 * Listen at @name, whose directory is made if only that is missing; @type is SOCK_STREAM or
 * SOCK_SEQPACKET.
 *   -EADDRINUSE  another daemon is listening there
 *   -EEXIST      there is something that is no socket
 *   -EINVAL      no socket can have this path
 *   or another negative errno; all are logged.
 */
int socket_path_open(struct socket_path *path, const char *name, int type, mode_t mode);

/* Also removes the files, if they are ours. Harmless when done twice. */
void socket_path_close(struct socket_path *path);
