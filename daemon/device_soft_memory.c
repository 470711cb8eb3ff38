/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "daemon/device_backend.h"
#include "daemon/device_soft.h"

#define PAGE UINT64_C(4096)

struct soft_buffer {
	struct device_buffer base;
	struct list link; /* soft_memory.buffers */
};

static struct soft_buffer *soft_buffer(struct device_buffer *buffer)
{
	return list_entry(buffer, struct soft_buffer, base);
}

void soft_memory_init(struct soft_memory *memory, uint64_t base, uint64_t window, uint64_t limit)
{
	pthread_mutex_init(&memory->lock, NULL);
	list_init(&memory->buffers);
	memory->base = base;
	memory->end = base + window;
	memory->limit = limit;
	memory->used = 0;
}

void soft_memory_finish(struct soft_memory *memory)
{
	pthread_mutex_destroy(&memory->lock);
}

uint64_t soft_memory_used(struct soft_memory *memory)
{
	uint64_t used;

	pthread_mutex_lock(&memory->lock);
	used = memory->used;
	pthread_mutex_unlock(&memory->lock);
	return used;
}

/*
 * Addresses, first fit. A page stays free in front of every buffer, so that running
 * off the end of one never arrives in the next; it also keeps NPU address 0 free,
 * which means "none" in many places.
 */
static int memory_insert(struct soft_memory *memory, struct soft_buffer *buffer)
{
	uint64_t at = memory->base + PAGE, size = buffer->base.size;
	struct soft_buffer *next;

	if (size > memory->limit - memory->used)
		return -ENOSPC;
	list_for_each (next, &memory->buffers, link) {
		if (next->base.address >= at && next->base.address - at >= size + PAGE)
			break;
		at = next->base.address + next->base.size + PAGE;
	}
	if (at > memory->end || size > memory->end - at)
		return -ENOSPC;
	buffer->base.address = at;
	/* In front of `next`, which is the list's head if nothing lies behind. */
	list_append(&next->link, &buffer->link);
	memory->used += size;
	return 0;
}

static void memory_remove(struct soft_memory *memory, struct soft_buffer *buffer)
{
	pthread_mutex_lock(&memory->lock);
	list_remove(&buffer->link);
	memory->used -= buffer->base.size;
	pthread_mutex_unlock(&memory->lock);
}

/* A buffer without memory behind it yet. */
static int buffer_reserve(struct soft_memory *memory, struct device *device, size_t size,
			  struct soft_buffer **ret)
{
	struct soft_buffer *buffer;
	int r;

	if (!size)
		return -EINVAL;
	if (size > memory->limit)
		return -ENOSPC;
	buffer = calloc(1, sizeof(*buffer));
	if (!buffer)
		return -ENOMEM;
	buffer->base.device = device;
	buffer->base.size = (size + PAGE - 1) & ~(PAGE - 1);

	pthread_mutex_lock(&memory->lock);
	r = memory_insert(memory, buffer);
	pthread_mutex_unlock(&memory->lock);
	if (r < 0) {
		free(buffer);
		return r;
	}
	*ret = buffer;
	return 0;
}

/* Populated: a core must not wait for the kernel to find a page. */
static int buffer_map(struct soft_memory *memory, struct soft_buffer *buffer, int flags, int fd)
{
	void *cpu =
		mmap(NULL, buffer->base.size, PROT_READ | PROT_WRITE, flags | MAP_POPULATE, fd, 0);
	int r = -errno;

	if (cpu == MAP_FAILED) {
		memory_remove(memory, buffer);
		free(buffer);
		/* What a sealed or read-only descriptor says when it is to be written. */
		return r == -EACCES ? -EPERM : r;
	}
	buffer->base.cpu = cpu;
	return 0;
}

int soft_buffer_create(struct soft_memory *memory, struct device *device, size_t size,
		       struct device_buffer **ret)
{
	struct soft_buffer *buffer;
	int r = buffer_reserve(memory, device, size, &buffer);

	/* Fresh from the kernel, so it is zero; and it goes back there, so nobody sees it later. */
	if (r == 0)
		r = buffer_map(memory, buffer, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (r < 0)
		return r;
	*ret = &buffer->base;
	return 0;
}

int soft_buffer_import(struct soft_memory *memory, struct device *device, int fd, size_t size,
		       struct device_buffer **ret)
{
	struct soft_buffer *buffer;
	int r;

	if (size > memory->limit)
		return -ENOSPC;
	r = device_check_memfd(fd, (size + PAGE - 1) & ~(PAGE - 1));
	if (r == 0)
		r = buffer_reserve(memory, device, size, &buffer);
	if (r == 0)
		r = buffer_map(memory, buffer, MAP_SHARED, fd);
	if (r < 0)
		return r;
	*ret = &buffer->base;
	return 0;
}

void soft_buffer_destroy(struct soft_memory *memory, struct device_buffer *buffer)
{
	munmap(buffer->cpu, buffer->size);
	memory_remove(memory, soft_buffer(buffer));
	free(soft_buffer(buffer));
}
