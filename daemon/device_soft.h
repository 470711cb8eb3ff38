/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the software device share: device_soft.c (jobs, cores, events),
 * device_soft_memory.c (buffers and addresses) and device_soft_ranges.c (what a
 * job may touch). Nobody else includes this.
 */
#pragma once

#include <pthread.h>

#include "daemon/device.h"
#include "npu/engine.h"
#include "proto/list.h"

/*
 * Memory: buffers at addresses of the window, with a page that nobody has between
 * any two. Has a lock of its own, because the worker makes buffers while the loop
 * submits.
 */
struct soft_memory {
	pthread_mutex_t lock;
	struct list buffers; /* soft_buffer.link, by address */
	uint64_t base;	     /* of the window */
	uint64_t end;
	uint64_t limit; /* bytes there are */
	uint64_t used;
};

void soft_memory_init(struct soft_memory *memory, uint64_t base, uint64_t window, uint64_t limit);
void soft_memory_finish(struct soft_memory *memory); /* no buffer may be left */
uint64_t soft_memory_used(struct soft_memory *memory);

/* As device.h says. */
int soft_buffer_create(struct soft_memory *memory, struct device *device, size_t size,
		       struct device_buffer **ret);
int soft_buffer_import(struct soft_memory *memory, struct device *device, int fd, size_t size,
		       struct device_buffer **ret);
void soft_buffer_destroy(struct soft_memory *memory, struct device_buffer *buffer);

/* A range as the cores see it. */
struct soft_range {
	uint64_t address, size;
	uint8_t *cpu;
	enum device_access access;
};

/* What one job may touch: copied at submission, then constant until it is over. */
struct soft_ranges {
	struct soft_range *range; /* owned; each set sorted */
	size_t capacity;
	size_t n[DEVICE_JOB_RANGE_SETS];
};

/*
 * Take over the ranges of @job. Allocates only if it has more than any job before.
 *   -EINVAL  a range does not lie in a buffer of @device
 *   -ENOMEM
 */
int soft_ranges_set(struct soft_ranges *ranges, struct device *device,
		    const struct device_job *job);
void soft_ranges_finish(struct soft_ranges *ranges);

/* The memory behind an access of the program, or NULL if it is not allowed. Any thread. */
void *soft_ranges_map(const struct soft_ranges *ranges, uint64_t address, uint32_t length,
		      enum npu_access access);
