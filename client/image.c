/* SPDX-License-Identifier: Apache-2.0 */
#include "client/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/client.h"
#include "proto/scope.h"

/* No loadable is larger; an endless file ends here. */
#define MAX_SIZE ((uint64_t)INT32_MAX)

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

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

static int too_large(struct zhouyi_client *client)
{
	return zy_client_fail(client, ZHOUYI_ERROR_BAD_MODEL, "the model is larger than 2 GiB");
}

static int no_room(struct zhouyi_client *client, int error)
{
	return zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, "cannot copy the model: %s",
			      strerror(error));
}

static int make(struct zhouyi_client *client)
{
	int fd = memfd_create("zhouyi-model", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? no_room(client, errno) : fd;
}

/* Takes @fd over in any case. */
static int seal(struct zhouyi_client *client, int fd, int *ret_fd)
{
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
		close(fd);
		return zy_client_fail(client, ZHOUYI_ERROR_NOT_SUPPORTED, "cannot seal memory: %s",
				      strerror(errno));
	}
	*ret_fd = fd;
	return 0;
}

/* Through the packet buffer, which is idle now, so that any size takes the same memory. */
static int copy_file(struct zhouyi_client *client, int from, int to, const char *path)
{
	uint64_t total = 0;

	for (;;) {
		ssize_t n = read(from, client->out, sizeof(client->out));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return zy_client_fail(client, ZHOUYI_ERROR_IO, "cannot read %s: %s", path,
					      strerror(errno));
		if (n == 0)
			return 0;
		total += (uint64_t)n;
		if (total > MAX_SIZE)
			return too_large(client);
		r = write_all(to, client->out, (size_t)n);
		if (r < 0)
			return no_room(client, -r);
	}
}

static int open_file(struct zhouyi_client *client, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum zhouyi_error error = ZHOUYI_ERROR_IO;

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENOTDIR)
		error = ZHOUYI_ERROR_NOT_FOUND;
	else if (errno == EACCES || errno == EPERM)
		error = ZHOUYI_ERROR_DENIED;
	return zy_client_fail(client, error, "cannot open %s: %s", path, strerror(errno));
}

/* Before anything is copied, where the size is known before. */
static int check_size(struct zhouyi_client *client, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size > MAX_SIZE)
		return too_large(client);
	return 0;
}

int zy_image_from_file(struct zhouyi_client *client, const char *path, int *ret_fd)
{
	zy_auto(zy_close) int from = -1;
	zy_auto(zy_close) int to = -1;
	int r;

	from = open_file(client, path);
	if (from < 0)
		return from;
	r = check_size(client, from);
	if (r < 0)
		return r;
	to = make(client);
	if (to < 0)
		return to;
	r = copy_file(client, from, to, path);
	if (r < 0)
		return r;
	return seal(client, zy_take_fd(to), ret_fd);
}

int zy_image_from_memory(struct zhouyi_client *client, const void *data, size_t size, int *ret_fd)
{
	zy_auto(zy_close) int to = -1;
	int r;

	if (size > MAX_SIZE)
		return too_large(client);
	to = make(client);
	if (to < 0)
		return to;
	r = write_all(to, data, size);
	if (r < 0)
		return no_room(client, -r);
	return seal(client, zy_take_fd(to), ret_fd);
}
