/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener: the socket clients connect to, at a path of the file system.
 *
 * A socket that the service manager made keeps its place: its file, who may connect
 * and that there is only one are the manager's business then.
 *
 * Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/socket_path.h"

struct loop_io;
struct loop_timer;
struct session_group;

struct listener {
	struct session_group *group; /* borrowed */
	struct loop_io *io;	     /* owned */
	struct loop_timer *retry;    /* owned; while we have no descriptor to accept with */
	struct socket_path path;     /* owned; without a lock if the service manager made it */
	int reserve_fd;	 /* owned; given up to turn somebody away when descriptors run out */
	bool complained; /* about the present shortage, once */
	uint64_t turned_away_ns;    /* somebody, latest; 0: never */
	char turned_away_why[64];   /* then */
	void (*changed)(void *arg); /* somebody was turned away; NULL: nobody wants to know */
	void *changed_arg;
};

/*
 * Listen on @path, whose directory is made if only that is missing.
 *   -EADDRINUSE  another daemon is listening there
 *   -EEXIST      there is something that is no socket
 *   or another negative errno; all are logged.
 */
int listener_init(struct listener *listener, struct session_group *group, const char *path,
		  mode_t mode);

/*
 * Listen on @fd, which the service manager passed; owned on success. Where it is goes to
 * listener->path.address.
 *   -EINVAL  it is no listening SOCK_SEQPACKET socket at a path
 *   or another negative errno; all are logged.
 */
int listener_init_passed(struct listener *listener, struct session_group *group, int fd);

/* Accept no more and remove the files. Harmless when done twice, or without init on zeroes. */
void listener_finish(struct listener *listener);
