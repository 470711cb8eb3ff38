/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/device.h"

#define PAGE ((size_t)4096)
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Populated before it is sealed: touching it later must not fail for anybody. */
static int memory_create(int *ret_fd, size_t size)
{
	zy_auto(zy_close) int fd = memfd_create("zhouyid-buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = -posix_fallocate(fd, 0, (off_t)size);
	if (r < 0)
		/* Not the device's memory, which is what -ENOSPC would say. */
		return r == -ENOSPC ? -ENOMEM : r;
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	*ret_fd = zy_take_fd(fd);
	return 0;
}

static int take_device_memory(struct buffer *buffer, struct device *device)
{
	int r = device_buffer_create(device, buffer->size, &buffer->memory);

	return r < 0 ? r : device_buffer_export(buffer->memory, &buffer->fd);
}

int buffer_create(struct buffer **ret, struct device *device, size_t size)
{
	zy_auto(buffer_unref) struct buffer *buffer = NULL;
	int r;

	if (!size)
		return -EINVAL;
	/* What can never fit is not worth asking the kernel for. */
	if (size > device->caps.memory_bytes)
		return -ENOSPC;
	buffer = calloc(1, sizeof(*buffer));
	if (!buffer)
		return -ENOMEM;
	buffer->n_refs = 1;
	buffer->fd = -1;
	buffer->size = (size + PAGE - 1) & ~(PAGE - 1);
	r = memory_create(&buffer->fd, buffer->size);
	if (r == 0)
		r = device_buffer_import(device, buffer->fd, buffer->size, &buffer->memory);
	if (r == -EOPNOTSUPP) {
		close(zy_take_fd(buffer->fd));
		r = take_device_memory(buffer, device);
	}
	if (r < 0)
		return r;
	*ret = zy_take(buffer);
	return 0;
}

struct buffer *buffer_ref(struct buffer *buffer)
{
	buffer->n_refs++;
	return buffer;
}

static void buffer_destroy(struct buffer *buffer)
{
	device_buffer_destroy(buffer->memory);
	if (buffer->fd >= 0)
		close(buffer->fd);
}

static void destroy_run(struct work *work)
{
	buffer_destroy(list_entry(work, struct buffer, work));
}

static void destroy_done(struct work *work)
{
	free(list_entry(work, struct buffer, work));
}

void buffer_unref(struct buffer *buffer)
{
	if (!buffer || --buffer->n_refs > 0)
		return;
	if (buffer->worker && buffer->size > BUFFER_LARGE) {
		buffer->work.run = destroy_run;
		buffer->work.done = destroy_done;
		worker_submit(buffer->worker, &buffer->work);
		return;
	}
	buffer_destroy(buffer);
	free(buffer);
}
