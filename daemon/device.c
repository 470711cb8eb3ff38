/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/device_backend.h"

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Objects first come by address and size; of two that are equal the writable one. */
int device_range_compare(const void *a, const void *b)
{
	const struct device_range *x = a, *y = b;
	bool x_is_object = x->access >= DEVICE_ACCESS_READ;
	bool y_is_object = y->access >= DEVICE_ACCESS_READ;
	int r = 0;

	if (!x_is_object || !y_is_object)
		r = compare(x->access, y->access);
	if (r == 0)
		r = compare(x->buffer->address + x->offset, y->buffer->address + y->offset);
	if (r == 0)
		r = compare(x->size, y->size);
	return r ? r : compare(y->access, x->access);
}

int device_check_memfd(int fd, size_t size)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0)
		return errno == EBADF ? -EBADF : -EPERM;
	/* If it could shrink, touching it could kill us. */
	if (!(seals & F_SEAL_SHRINK))
		return -EPERM;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_size < 0 || (uint64_t)st.st_size < size ? -EINVAL : 0;
}

/* One that is there, but cannot be had, is no reason to be content with less. */
static int open_auto(struct device **ret, const struct device_soft_config *soft,
		     const char **ret_reason)
{
	const char *soft_reason;
	int r = device_drm_open(ret, ret_reason, &soft_reason);

	if (r == 0)
		*ret_reason = "an NPU with the zhouyi driver is present";
	if (r != -ENODEV && r != -ENOTSUP)
		return r;
	r = device_soft_open(ret, soft);
	*ret_reason = r == 0 ? soft_reason : NULL;
	return r;
}

int device_open(struct device **ret, const char *name, const struct device_soft_config *soft,
		const char **ret_reason)
{
	const char *soft_reason;
	int r = -EINVAL;

	*ret_reason = NULL;
	if (strcmp(name, "auto") == 0)
		return open_auto(ret, soft, ret_reason);
	if (strcmp(name, "soft") == 0)
		r = device_soft_open(ret, soft);
	else if (strcmp(name, "drm") == 0)
		r = device_drm_open(ret, ret_reason, &soft_reason);
	if (r == 0)
		*ret_reason = "it was asked for by name";
	return r;
}

unsigned int device_epoch(const struct device *device)
{
	return __atomic_load_n(&device->epoch, __ATOMIC_ACQUIRE);
}

void device_close(struct device *device)
{
	if (device)
		device->ops->close(device);
}

int device_buffer_create(struct device *device, size_t size, struct device_buffer **ret)
{
	return device->ops->buffer_create(device, size, ret);
}

int device_buffer_import(struct device *device, int fd, size_t size, struct device_buffer **ret)
{
	return device->ops->buffer_import(device, fd, size, ret);
}

int device_buffer_export(struct device_buffer *buffer, int *ret_fd)
{
	const struct device_ops *ops = buffer->device->ops;

	return ops->buffer_export ? ops->buffer_export(buffer, ret_fd) : -EOPNOTSUPP;
}

void device_buffer_destroy(struct device_buffer *buffer)
{
	if (buffer)
		buffer->device->ops->buffer_destroy(buffer);
}

int device_submit(struct device *device, const struct device_job *job)
{
	if (!device->caps.fences && (job->n_in_fences || job->ret_out_fence))
		return -EOPNOTSUPP;
	return device->ops->submit(device, job);
}

int device_abort(struct device *device, uint64_t cookie)
{
	return device->ops->abort(device, cookie);
}

int device_soft_reset(struct device *device)
{
	return device->ops->soft_reset(device);
}

int device_reset(struct device *device)
{
	return device->ops->reset(device);
}

int device_reopen(struct device *device)
{
	return device->ops->reopen(device);
}

size_t device_collect(struct device *device, struct device_event *ret, size_t max)
{
	return device->ops->collect(device, ret, max);
}

size_t device_counters(struct device *device, struct device_counter *ret, size_t max)
{
	return device->ops->counters(device, ret, max);
}

uint64_t device_memory_used(struct device *device)
{
	return device->ops->memory_used(device);
}
