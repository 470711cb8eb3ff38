/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536u

static int read_all(struct bytes *ret, int fd, size_t max)
{
	for (;;) {
		ssize_t n;

		bytes_zeros(ret, CHUNK);
		if (ret->failed)
			return -ENOMEM;
		ret->size -= CHUNK;
		n = read(fd, ret->data + ret->size, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		ret->size += (size_t)n;
		if (ret->size > max)
			return -EFBIG;
		if (n == 0)
			return 0;
	}
}

int file_read(struct bytes *ret, const char *path, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = read_all(ret, fd, max);
	close(fd);
	return r;
}

static int write_all(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_over(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, data, size);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

/* mkstemp() makes files for their owner only; give this one what open() would have. */
static int fix_mode(int fd)
{
	mode_t mask = umask(0);

	umask(mask);
	return fchmod(fd, 0666 & ~mask) < 0 ? -errno : 0;
}

static int write_aside(const char *path, char *aside, const void *data, size_t size)
{
	int fd = mkostemp(aside, O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = fix_mode(fd);
	if (r == 0)
		r = write_all(fd, data, size);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(aside, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(aside);
	return r;
}

int file_write(const char *path, const void *data, size_t size)
{
	struct stat st;
	char *aside;
	int r;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : write_over(path, data, size);
	if (asprintf(&aside, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	r = write_aside(path, aside, data, size);
	free(aside);
	return r;
}
