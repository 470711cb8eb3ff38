/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"

#define FIRST_FD 3 /* sd_listen_fds(3) */

/* A number from 1, or -1: what is in the environment may be anything. */
static int number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long n;

	if (!text || text[0] < '0' || text[0] > '9')
		return -1;
	n = strtol(text, &end, 10);
	return *end || n < 1 || n > INT_MAX ? -1 : (int)n;
}

/* The names are a list with colons between them. Returns what follows. */
static const char *next_name(const char *names, char ret[static 32])
{
	size_t n = names ? strcspn(names, ":") : 0;

	snprintf(ret, 32, "%.*s", (int)(n < 31 ? n : 31), names ? names : "");
	return names && names[n] == ':' ? names + n + 1 : NULL;
}

void activation_init(struct activation *activation)
{
	const char *names = getenv("LISTEN_FDNAMES");
	int n = number("LISTEN_PID") == getpid() ? number("LISTEN_FDS") : 0;

	*activation = (struct activation){0};
	for (int fd = FIRST_FD; fd - FIRST_FD < n; fd++) {
		/* More than there are: whoever says so is not a service manager. */
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			break;
		if (activation->n == ACTIVATION_MAX) {
			close(fd);
			continue;
		}
		activation->fds[activation->n] = fd;
		names = next_name(names, activation->names[activation->n++]);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

void activation_finish(struct activation *activation)
{
	for (int i = 0; i < activation->n; i++) {
		if (activation->fds[i] < 0)
			continue;
		log_warning("the service manager passed a socket '%s', which is not used",
			    activation->names[i]);
		close(activation->fds[i]);
	}
	activation->n = 0;
}

int activation_take(struct activation *activation, const char *name)
{
	for (int i = 0; i < activation->n; i++) {
		int fd = activation->fds[i];

		if (fd < 0 || strcmp(activation->names[i], name) != 0)
			continue;
		activation->fds[i] = -1;
		return fd;
	}
	return -ENOENT;
}
