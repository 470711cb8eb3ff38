/* SPDX-License-Identifier: Apache-2.0 */
#include "client/buffer.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "client/client.h"
#include "client/control.h"
#include "proto/scope.h"

/* What the mapping relies on: nobody can take its pages away. */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

static void buffer_unmap(struct zhouyi_buffer *buffer)
{
	if (buffer->data)
		munmap(buffer->data, buffer->size);
	buffer->data = NULL;
}

static void buffer_finish(struct zy_object *object)
{
	buffer_unmap((struct zhouyi_buffer *)object);
}

static const struct zy_object_type buffer_type = {
	.kind = ZY_OBJECT_BUFFER,
	.finish = buffer_finish,
};

/* Memory of a device has no seals, and cannot shrink. */
static bool is_dma_buf(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == DMA_BUF_MAGIC;
}

/* On failure the connection is ended: a daemon that sends such memory is none. */
static int buffer_map(struct zhouyi_buffer *buffer, int fd)
{
	struct zhouyi_client *client = buffer->object.client;
	off_t size = lseek(fd, 0, SEEK_END);
	int seals = fcntl(fd, F_GET_SEALS);
	void *data;

	if ((seals < 0 || (seals & SEALS) != SEALS) && !is_dma_buf(fd))
		return zy_client_violation(client, "a buffer that is not sealed");
	if (size < 0 || (uint64_t)size < buffer->size)
		return zy_client_violation(client, "a buffer that is shorter than it says");
	data = mmap(NULL, buffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		return zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, "cannot map %zu bytes",
				      buffer->size);
	buffer->data = data;
	return 0;
}

static int buffer_make(struct zhouyi_client *client, struct zy_reply *reply, size_t size,
		       struct zhouyi_buffer **ret)
{
	const Zy__Buffer *said = reply->response->buffer;
	struct zhouyi_buffer *buffer;
	int r;

	if (said->size < size || said->size > SIZE_MAX / 2)
		return zy_client_violation(client, "a buffer of another size");
	buffer = calloc(1, sizeof(*buffer));
	if (!buffer)
		return zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, NULL);
	zy_object_init(&buffer->object, &buffer_type, client, said->buffer);
	buffer->size = (size_t)said->size;
	r = buffer_map(buffer, reply->fds.fd[0]);
	if (r < 0) {
		zhouyi_buffer_destroy(buffer);
		return r;
	}
	*ret = buffer;
	return 0;
}

int zhouyi_buffer_create(struct zhouyi_client *client, size_t size, struct zhouyi_buffer **ret)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__CreateBuffer create = ZY__CREATE_BUFFER__INIT;
	int r;

	create.size = size;
	request.body_case = ZY__REQUEST__BODY_CREATE_BUFFER;
	request.create_buffer = &create;
	r = zy_control_call(client, &request, -1, ZY__RESPONSE__BODY_BUFFER, &reply);
	if (r < 0)
		return r;
	return buffer_make(client, &reply, size, ret);
}

void zhouyi_buffer_destroy(struct zhouyi_buffer *buffer)
{
	if (!buffer)
		return;
	/* Bindings that use it may stay, but without its bytes on this side. */
	buffer_unmap(buffer);
	zy_object_unref(&buffer->object);
}

void *zhouyi_buffer_data(const struct zhouyi_buffer *buffer)
{
	return buffer->data;
}

size_t zhouyi_buffer_size(const struct zhouyi_buffer *buffer)
{
	return buffer->size;
}
