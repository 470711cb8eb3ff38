/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device that computes nothing: it takes jobs, and ends them when it is told to.
 * At both moments it touches all memory the job may touch, so that what is gone too
 * early is noticed. It has no threads.
 */
#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/device.h"

#define MIB (1u << 20)
#define FAKE_DEPTH 6

static inline void expect(bool ok)
{
	if (!ok)
		abort();
}

struct fake_job {
	const struct device_job *job; /* NULL: free */
	bool aborted;
};

static struct fake {
	struct device device;
	uint64_t used, next;
	struct fake_job jobs[FAKE_DEPTH];
	struct device_event events[FAKE_DEPTH];
	unsigned int n_events;
} fake;

static int fake_map(size_t size, int fd, struct device_buffer **ret)
{
	size_t bytes = (size + 4095) & ~(size_t)4095;
	struct device_buffer *buffer;
	void *p;

	if (!size)
		return -EINVAL;
	if (bytes > fake.device.caps.memory_bytes - fake.used)
		return -ENOSPC;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		 fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
	expect(p != MAP_FAILED);
	buffer = malloc(sizeof(*buffer));
	expect(buffer);
	*buffer = (struct device_buffer){&fake.device, fake.next, bytes, p};
	fake.next += bytes + 4096;
	fake.used += bytes;
	*ret = buffer;
	return 0;
}

static int fake_buffer_create(struct device *device, size_t size, struct device_buffer **ret)
{
	(void)device;
	return fake_map(size, -1, ret);
}

static int fake_buffer_import(struct device *device, int fd, size_t size,
			      struct device_buffer **ret)
{
	(void)device;
	return fake_map(size, fd, ret);
}

static void fake_buffer_destroy(struct device_buffer *buffer)
{
	if (!buffer)
		return;
	fake.used -= buffer->size;
	munmap(buffer->cpu, buffer->size);
	free(buffer);
}

/* All that the job may touch must be there. */
static void touch(const struct device_job *job)
{
	for (size_t set = 0; set < DEVICE_JOB_RANGE_SETS; set++) {
		for (size_t i = 0; i < job->ranges[set].n; i++) {
			const struct device_range *range = &job->ranges[set].range[i];
			volatile uint8_t *cpu = range->buffer->cpu;

			if (!range->size)
				continue;
			expect(range->offset + range->size <= range->buffer->size);
			(void)cpu[range->offset];
			if (range->access == DEVICE_ACCESS_RW)
				cpu[range->offset + range->size - 1] = 0x55;
		}
	}
}

static int fake_submit(struct device *device, const struct device_job *job)
{
	(void)device;
	expect(job->core_mask && !(job->core_mask >> fake.device.caps.cores));
	touch(job);
	for (unsigned int i = 0; i < FAKE_DEPTH; i++) {
		if (fake.jobs[i].job)
			continue;
		fake.jobs[i] = (struct fake_job){.job = job};
		return 0;
	}
	return -EAGAIN;
}

static int fake_abort(struct device *device, uint64_t cookie)
{
	(void)device;
	for (unsigned int i = 0; i < FAKE_DEPTH; i++) {
		if (fake.jobs[i].job && fake.jobs[i].job->cookie == cookie) {
			fake.jobs[i].aborted = true;
			return 0;
		}
	}
	return -ENOENT;
}

static int fake_reset(struct device *device)
{
	(void)device;
	return 0;
}

static int fake_reopen(struct device *device);

static size_t fake_collect(struct device *device, struct device_event *ret, size_t max)
{
	size_t n = fake.n_events < max ? fake.n_events : max;
	uint64_t count;

	memcpy(ret, fake.events, n * sizeof(*ret));
	memmove(fake.events, fake.events + n, (fake.n_events - n) * sizeof(*ret));
	fake.n_events -= (unsigned int)n;
	if (!fake.n_events && read(device->fd, &count, sizeof(count)) < 0)
		expect(errno == EAGAIN);
	return n;
}

static size_t fake_counters(struct device *device, struct device_counter *ret, size_t max)
{
	(void)device, (void)max;
	ret[0] = (struct device_counter){"jobs", 1};
	return 1;
}

static uint64_t fake_memory_used(struct device *device)
{
	(void)device;
	return fake.used;
}

static void fake_close(struct device *device)
{
	(void)device;
}

static const struct device_ops fake_ops = {
	.close = fake_close,
	.buffer_create = fake_buffer_create,
	.buffer_import = fake_buffer_import,
	.buffer_destroy = fake_buffer_destroy,
	.submit = fake_submit,
	.abort = fake_abort,
	.soft_reset = fake_reset,
	.reset = fake_reset,
	.reopen = fake_reopen,
	.collect = fake_collect,
	.counters = fake_counters,
	.memory_used = fake_memory_used,
};

/* The job at @i ends. Until then it might have touched anything of its own. */
static bool fake_end(unsigned int i, enum device_result result)
{
	struct fake_job *job = &fake.jobs[i];

	if (!job->job)
		return false;
	touch(job->job);
	fake.events[fake.n_events++] = (struct device_event){
		.cookie = job->job->cookie,
		.result = job->aborted ? DEVICE_ABORTED : result,
		.cores = job->job->core_mask,
	};
	job->job = NULL;
	expect(write(fake.device.fd, &(uint64_t){1}, sizeof(uint64_t)) > 0);
	return true;
}

static int fake_reopen(struct device *device)
{
	(void)device;
	for (unsigned int i = 0; i < FAKE_DEPTH; i++)
		fake_end(i, DEVICE_LOST);
	return 0;
}

static void fake_init(void)
{
	fake.device.ops = &fake_ops;
	fake.device.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fake.device.caps = (struct device_caps){
		.backend = "fake",
		.partitions = 1,
		.clusters = 1,
		.cores = 3,
		.tecs = 4,
		.placement = DEVICE_PLACEMENT_EXACT,
		.asid0_base = UINT64_C(0x100000000),
		.window_size = UINT64_C(3) << 30,
		.memory_bytes = 8 * MIB,
		.depth = FAKE_DEPTH,
		.stop_ns = UINT64_MAX,
	};
	expect(graph_target_find(&fake.device.caps.target, "soft_X2_1204"));
}
