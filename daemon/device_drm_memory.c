/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>

#include "daemon/device_backend.h"
#include "daemon/device_drm.h"
#include "proto/scope.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

void drm_memory_init(struct drm_memory *memory)
{
	pthread_mutex_init(&memory->lock, NULL);
	list_init(&memory->buffers);
	memory->fd = -1;
	memory->udmabuf = -1;
	memory->used = 0;
}

void drm_memory_finish(struct drm_memory *memory)
{
	pthread_mutex_destroy(&memory->lock);
}

uint64_t drm_memory_used(struct drm_memory *memory)
{
	return __atomic_load_n(&memory->used, __ATOMIC_RELAXED);
}

/* Not the size of a page that the rest of the daemon thinks of: the kernel's own. */
static size_t page_round(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return size > SIZE_MAX - page ? 0 : (size + page - 1) & ~(page - 1);
}

/*
 * Handles
 */

static void close_handle(int fd, uint32_t handle)
{
	struct drm_gem_close args = {.handle = handle};

	if (fd >= 0 && handle)
		drm_call(fd, DRM_IOCTL_GEM_CLOSE, &args);
}

/* Let the open device use the memory behind @buffer's dma-buf. */
static int give(struct drm_buffer *buffer, int fd)
{
	struct drm_zhouyi_bo_info info = {0};
	uint32_t handle;
	int r;

	if (drmPrimeFDToHandle(fd, buffer->dmabuf, &handle) < 0) {
		/* Memory of the driver that went with the device it was made for. */
		if (errno == ENODEV)
			return -ENOTRECOVERABLE;
		/* Nothing else can be wrong with it but that there is no address for it. */
		return errno == EINVAL ? -ENOSPC : -errno;
	}
	info.handle = handle;
	r = drm_call(fd, DRM_IOCTL_ZHOUYI_BO_INFO, &info);
	if (r == 0 && (info.size < buffer->base.size || !info.address))
		r = -EIO;
	if (r < 0) {
		close_handle(fd, handle);
		return r;
	}
	buffer->handle = handle;
	buffer->base.address = info.address;
	return 0;
}

/*
 * Making one
 */

static void buffer_free(struct drm_buffer *buffer)
{
	if (!buffer)
		return;
	if (buffer->base.cpu)
		munmap(buffer->base.cpu, buffer->base.size);
	if (buffer->dmabuf >= 0)
		close(buffer->dmabuf);
	free(buffer);
}

ZY_DEFINE_AUTO(struct drm_buffer, buffer_free)

static struct drm_buffer *buffer_new(struct device *device, size_t size)
{
	struct drm_buffer *buffer = calloc(1, sizeof(*buffer));

	if (!buffer)
		return NULL;
	list_init(&buffer->link);
	buffer->base.device = device;
	buffer->base.size = size;
	buffer->dmabuf = -1;
	return buffer;
}

/* Populated: nobody has to wait for the kernel to find a page later. */
static int buffer_map(struct drm_buffer *buffer, int fd)
{
	void *cpu = mmap(NULL, buffer->base.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			 fd, 0);

	if (cpu == MAP_FAILED)
		/* What a sealed or read-only descriptor says when it is to be written. */
		return errno == EACCES ? -EPERM : -errno;
	buffer->base.cpu = cpu;
	return 0;
}

static void buffer_list(struct drm_memory *memory, struct drm_buffer *buffer)
{
	list_append(&memory->buffers, &buffer->link);
	__atomic_add_fetch(&memory->used, buffer->base.size, __ATOMIC_RELAXED);
}

/* From a memfd: -EOPNOTSUPP if that way is closed, or closed for so much. */
static int buffer_from_memfd(struct drm_memory *memory, struct device *device, int memfd,
			     size_t size, struct device_buffer **ret)
{
	zy_auto(buffer_free) struct drm_buffer *buffer = buffer_new(device, size);
	struct udmabuf_create args = {
		.memfd = (uint32_t)memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = size};
	int r;

	if (!buffer)
		return -ENOMEM;
	r = buffer_map(buffer, memfd);
	if (r < 0)
		return r;
	buffer->dmabuf = ioctl(memory->udmabuf, UDMABUF_CREATE, &args);
	if (buffer->dmabuf < 0)
		/* The memfd is right, so it is too large: see udmabuf's parameter size_limit_mb. */
		return errno == EINVAL ? -EOPNOTSUPP : -errno;

	pthread_mutex_lock(&memory->lock);
	r = memory->fd < 0 ? -ENODEV : give(buffer, memory->fd);
	if (r == 0)
		buffer_list(memory, buffer);
	pthread_mutex_unlock(&memory->lock);
	if (r < 0)
		return r;
	*ret = &zy_take(buffer)->base;
	return 0;
}

static int memfd_new(size_t size)
{
	zy_auto(zy_close) int fd = memfd_create("zhouyid-device", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = -posix_fallocate(fd, 0, (off_t)size);
	if (r < 0)
		/* Not the device's memory, which is what -ENOSPC would say. */
		return r == -ENOSPC ? -ENOMEM : r;
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	return zy_take_fd(fd);
}

/*
 * The driver's own memory. It is mapped by its dma-buf, because a mapping of the device would
 * keep the device open.
 */
static int driver_create(struct drm_buffer *buffer, int fd)
{
	struct drm_zhouyi_bo_create args = {.size = buffer->base.size};
	int r = drm_call(fd, DRM_IOCTL_ZHOUYI_BO_CREATE, &args);

	if (r < 0)
		return r;
	if (drmPrimeHandleToFD(fd, args.handle, DRM_CLOEXEC | DRM_RDWR, &buffer->dmabuf) < 0) {
		r = -errno;
		close_handle(fd, args.handle);
		return r;
	}
	buffer->handle = args.handle;
	buffer->base.address = args.address;
	return 0;
}

static int buffer_from_driver(struct drm_memory *memory, struct device *device, size_t size,
			      struct device_buffer **ret)
{
	zy_auto(buffer_free) struct drm_buffer *buffer = buffer_new(device, size);
	int r;

	if (!buffer)
		return -ENOMEM;
	pthread_mutex_lock(&memory->lock);
	r = memory->fd < 0 ? -ENODEV : driver_create(buffer, memory->fd);
	if (r == 0) {
		r = buffer_map(buffer, buffer->dmabuf);
		if (r == 0)
			buffer_list(memory, buffer);
		else
			close_handle(memory->fd, buffer->handle);
	}
	pthread_mutex_unlock(&memory->lock);
	if (r < 0)
		return r;
	*ret = &zy_take(buffer)->base;
	return 0;
}

static int check_size(const struct device *device, size_t size, size_t *ret_rounded)
{
	*ret_rounded = page_round(size);
	if (!size)
		return -EINVAL;
	return !*ret_rounded || *ret_rounded > device->caps.memory_bytes ? -ENOSPC : 0;
}

int drm_memory_import(struct drm_memory *memory, struct device *device, int fd, size_t size,
		      struct device_buffer **ret)
{
	int r = check_size(device, size, &size);

	if (r == 0)
		r = device_check_memfd(fd, size);
	if (r == 0 && memory->udmabuf < 0)
		r = -EOPNOTSUPP;
	return r < 0 ? r : buffer_from_memfd(memory, device, fd, size, ret);
}

int drm_memory_create(struct drm_memory *memory, struct device *device, size_t size,
		      struct device_buffer **ret)
{
	int r = check_size(device, size, &size), fd;

	if (r < 0)
		return r;
	if (memory->udmabuf < 0)
		return buffer_from_driver(memory, device, size, ret);
	fd = memfd_new(size);
	if (fd < 0)
		return fd;
	r = buffer_from_memfd(memory, device, fd, size, ret);
	close(fd);
	return r == -EOPNOTSUPP ? buffer_from_driver(memory, device, size, ret) : r;
}

int drm_memory_export(struct device_buffer *buffer, int *ret_fd)
{
	int fd = fcntl(drm_buffer_of(buffer)->dmabuf, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

void drm_memory_destroy(struct drm_memory *memory, struct device_buffer *base)
{
	struct drm_buffer *buffer = drm_buffer_of(base);

	pthread_mutex_lock(&memory->lock);
	list_remove(&buffer->link);
	close_handle(memory->fd, buffer->handle);
	pthread_mutex_unlock(&memory->lock);
	__atomic_sub_fetch(&memory->used, base->size, __ATOMIC_RELAXED);
	/* Its pages go back to the kernel, which gives out none that are not zero. */
	buffer_free(buffer);
}

/*
 * Openings of the device
 */

int drm_memory_attach(struct drm_memory *memory, int fd)
{
	struct drm_buffer *buffer;
	int r = 0;

	pthread_mutex_lock(&memory->lock);
	list_for_each (buffer, &memory->buffers, link) {
		r = give(buffer, fd);
		if (r < 0)
			break;
	}
	if (r == 0) {
		memory->fd = fd;
	} else {
		list_for_each (buffer, &memory->buffers, link)
			buffer->handle = 0;
	}
	pthread_mutex_unlock(&memory->lock);
	return r;
}

void drm_memory_detach(struct drm_memory *memory)
{
	struct drm_buffer *buffer;

	pthread_mutex_lock(&memory->lock);
	if (memory->fd >= 0)
		close(memory->fd);
	memory->fd = -1;
	list_for_each (buffer, &memory->buffers, link)
		buffer->handle = 0;
	pthread_mutex_unlock(&memory->lock);
}
