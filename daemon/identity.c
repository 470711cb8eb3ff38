/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Newer than the headers of Debian 12. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define OVERFLOW_DEFAULT 65534u

void identity_destroy(struct identity *identity)
{
	if (!identity)
		return;
	free(identity->groups);
	free(identity);
}

static int compare_groups(const void *a, const void *b)
{
	gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

	return x < y ? -1 : x > y;
}

bool identity_has_group(const struct identity *identity, gid_t gid)
{
	if (identity->has_gid && identity->gid == gid)
		return true;
	return identity->n_groups &&
	       bsearch(&gid, identity->groups, identity->n_groups, sizeof(gid), compare_groups);
}

/* Returns how many bytes, or a negative errno. @ret is a string in any case. */
static ssize_t read_text(const char *path, char *ret, size_t size)
{
	zy_auto(zy_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t n = 0;
	ssize_t r = 0;

	ret[0] = '\0';
	if (fd < 0)
		return -errno;
	while (n < size - 1 && (r = read(fd, ret + n, size - 1 - n)) > 0)
		n += (size_t)r;
	ret[n] = '\0';
	return r < 0 ? -errno : (ssize_t)n;
}

/* Whether @id, of the kind "uid" or "gid", is somebody, and not all who have no number here. */
static bool is_mapped(const char *kind, unsigned int id)
{
	unsigned int overflow = OVERFLOW_DEFAULT;
	char path[64], text[64];

	if (id == UINT32_MAX)
		return false;
	snprintf(path, sizeof(path), "/proc/sys/kernel/overflow%s", kind);
	if (read_text(path, text, sizeof(text)) > 0)
		sscanf(text, "%u", &overflow);
	if (id != overflow)
		return true;
	snprintf(path, sizeof(path), "/proc/self/%s_map", kind);
	return read_text(path, text, sizeof(text)) > 0 && identity_map_is_full(text);
}

static int get_credentials(struct identity *identity, int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	identity->uid = peer.uid;
	identity->gid = peer.gid;
	identity->pid = peer.pid;
	identity->has_uid = is_mapped("uid", peer.uid);
	identity->has_gid = is_mapped("gid", peer.gid);
	return 0;
}

/* Groups without a number of ours all look like the overflow gid, and count as none. */
static void drop_unmapped_groups(struct identity *identity)
{
	size_t n = 0;
	gid_t known = UINT32_MAX; /* looked at last; they are sorted */
	bool is_good = false;

	for (size_t i = 0; i < identity->n_groups; i++) {
		if (identity->groups[i] != known) {
			known = identity->groups[i];
			is_good = is_mapped("gid", known);
		}
		if (is_good)
			identity->groups[n++] = known;
	}
	identity->n_groups = n;
}

static int get_groups(struct identity *identity, int fd)
{
	socklen_t size = 0;

	/* Tells the size. They cannot change: they are those of connect(). */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0)
		return 0;
	if (errno != ERANGE)
		return -errno;
	identity->groups = malloc(size);
	if (!identity->groups)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, identity->groups, &size) < 0)
		return -errno;
	identity->n_groups = size / sizeof(gid_t);
	qsort(identity->groups, identity->n_groups, sizeof(gid_t), compare_groups);
	drop_unmapped_groups(identity);
	return 0;
}

/* Whether the process with this number may be the peer's: what cannot be traced shows as root's. */
static bool is_of_user(const struct identity *identity)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", (int)identity->pid);
	return stat(path, &st) == 0 && (st.st_uid == identity->uid || st.st_uid == 0);
}

/* The peer's process, or -1. */
static int open_process(const struct identity *identity, int fd)
{
	socklen_t size = sizeof(int);
	int pidfd = -1;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
		return pidfd;
	if (errno != ENOPROTOOPT || identity->pid <= 0)
		return -1;
	pidfd = (int)syscall(SYS_pidfd_open, identity->pid, 0);
	if (pidfd >= 0 && !is_of_user(identity)) {
		close(pidfd);
		return -1;
	}
	return pidfd;
}

/* A pidfd is readable when its process has ended; its number is nobody else's before that. */
static bool is_alive(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, 0) == 0;
}

static void get_place(struct identity *identity, int fd)
{
	zy_auto(zy_close) int pidfd = open_process(identity, fd);
	char path[32], text[4 * IDENTITY_CGROUP_MAX];
	ssize_t n;

	if (pidfd < 0 || identity->pid <= 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)identity->pid);
	n = read_text(path, text, sizeof(text));
	/* What did not fit might hold the line that counts. */
	if (n <= 0 || (size_t)n == sizeof(text) - 1 || !is_alive(pidfd) ||
	    identity_parse_cgroup(text, identity->cgroup) < 0)
		identity->cgroup[0] = '\0';
	else
		identity_parse_place(identity->cgroup, &identity->place);
}

static void get_label(struct identity *identity, int fd)
{
	socklen_t size = sizeof(identity->label) - 1;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERSEC, identity->label, &size) < 0)
		size = 0;
	identity->label[size] = '\0';
}

int identity_get(struct identity **ret, int fd)
{
	zy_auto(identity_destroy) struct identity *identity = calloc(1, sizeof(*identity));
	int r;

	if (!identity)
		return -ENOMEM;
	r = get_credentials(identity, fd);
	if (r < 0)
		return r;
	r = get_groups(identity, fd);
	if (r < 0)
		return r;
	get_place(identity, fd);
	get_label(identity, fd);
	*ret = zy_take(identity);
	return 0;
}
