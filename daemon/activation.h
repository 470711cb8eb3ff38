/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that the service manager made and hands over when it starts us, as
 * sd_listen_fds(3) describes.
 */
#pragma once

#define ACTIVATION_MAX 8

struct activation {
	int n;
	int fds[ACTIVATION_MAX]; /* owned; -1: taken */
	char names[ACTIVATION_MAX][32];
};

/*
 * Take over what $LISTEN_FDS names, if it is meant for this process, and forget about
 * it: children get neither descriptors nor variables. What does not fit is closed.
 */
void activation_init(struct activation *activation);

/* Close what nobody has taken, with a warning. */
void activation_finish(struct activation *activation);

/*
 * The next descriptor called @name (FileDescriptorName= of the socket unit), the
 * caller's from now on, or -ENOENT.
 */
int activation_take(struct activation *activation, const char *name);
