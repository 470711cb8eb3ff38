/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run-time half of isolation: a program reaches what its job lists and nothing
 * else, whatever addresses it computes.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/device_backend.h"
#include "daemon/device_soft.h"

static bool range_is_sane(const struct device_range *range, const struct device *device)
{
	const struct device_buffer *buffer = range->buffer;

	return buffer->device == device && range->size && range->offset <= buffer->size &&
	       range->size <= buffer->size - range->offset;
}

static bool is_object(enum device_access access)
{
	return access == DEVICE_ACCESS_READ || access == DEVICE_ACCESS_RW;
}

/* The order of device_range_compare(). */
static int compare(const struct soft_range *a, const struct soft_range *b)
{
	if (a->access != b->access && !(is_object(a->access) && is_object(b->access)))
		return a->access < b->access ? -1 : 1;
	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return a->access > b->access ? -1 : a->access < b->access;
}

static int compare_unsorted(const void *a, const void *b)
{
	return compare(a, b);
}

static int reserve(struct soft_ranges *ranges, const struct device_job *job)
{
	struct soft_range *range;
	size_t n = 0;

	for (size_t i = 0; i < DEVICE_JOB_RANGE_SETS; i++)
		n += job->ranges[i].n;
	if (n <= ranges->capacity)
		return 0;
	range = reallocarray(ranges->range, n, sizeof(*range));
	if (!range)
		return -ENOMEM;
	ranges->range = range;
	ranges->capacity = n;
	return 0;
}

int soft_ranges_set(struct soft_ranges *ranges, struct device *device, const struct device_job *job)
{
	struct soft_range *to;
	int r = reserve(ranges, job);

	if (r < 0)
		return r;
	to = ranges->range;
	for (size_t set = 0; set < DEVICE_JOB_RANGE_SETS; set++) {
		size_t n = job->ranges[set].n;
		bool sorted = true;

		for (size_t i = 0; i < n; i++) {
			const struct device_range *from = &job->ranges[set].range[i];

			if (!range_is_sane(from, device))
				return -EINVAL;
			to[i] = (struct soft_range){
				.address = from->buffer->address + from->offset,
				.size = from->size,
				.cpu = from->buffer->cpu + from->offset,
				.access = from->access,
			};
			sorted = sorted && (i == 0 || compare(&to[i - 1], &to[i]) <= 0);
		}
		if (!sorted)
			qsort(to, n, sizeof(*to), compare_unsorted);
		ranges->n[set] = n;
		to += n;
	}
	return 0;
}

void soft_ranges_finish(struct soft_ranges *ranges)
{
	free(ranges->range);
}

/* How many ranges sort before @key. */
static size_t count_before(const struct soft_range *range, size_t n, const struct soft_range *key)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&range[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* An object must be named exactly; of equal ones the writable comes first. */
static void *find_object(const struct soft_range *range, size_t n, uint64_t address,
			 uint32_t length, bool write)
{
	const struct soft_range key = {
		.address = address, .size = length, .access = DEVICE_ACCESS_RW};
	size_t i = count_before(range, n, &key);

	if (i == n || !is_object(range[i].access) || range[i].address != address ||
	    range[i].size != length || (write && range[i].access != DEVICE_ACCESS_RW))
		return NULL;
	return range[i].cpu;
}

/* Chain, text and parameters are read piece by piece. */
static void *find_inside(const struct soft_range *range, size_t n, uint64_t address,
			 uint32_t length, enum device_access access)
{
	const struct soft_range key = {.address = address, .size = UINT64_MAX, .access = access};
	size_t i = count_before(range, n, &key);
	uint64_t offset;

	/* Before the key are all that start at or below the address; the last is the closest. */
	if (i == 0 || range[i - 1].access != access)
		return NULL;
	offset = address - range[i - 1].address;
	if (offset >= range[i - 1].size || length > range[i - 1].size - offset)
		return NULL;
	return range[i - 1].cpu + offset;
}

void *soft_ranges_map(const struct soft_ranges *ranges, uint64_t address, uint32_t length,
		      enum npu_access access)
{
	static const enum device_access piecewise[] = {
		[NPU_ACCESS_TCB] = DEVICE_ACCESS_TCB,
		[NPU_ACCESS_TEXT] = DEVICE_ACCESS_TEXT,
		[NPU_ACCESS_PARAM] = DEVICE_ACCESS_PARAM,
	};
	const struct soft_range *range = ranges->range;
	void *p = NULL;

	if (!length)
		return NULL;
	for (size_t set = 0; set < DEVICE_JOB_RANGE_SETS && !p; set++) {
		size_t n = ranges->n[set];

		if (access == NPU_ACCESS_READ || access == NPU_ACCESS_WRITE)
			p = find_object(range, n, address, length, access == NPU_ACCESS_WRITE);
		else
			p = find_inside(range, n, address, length, piecewise[access]);
		range += n;
	}
	return p;
}

/* In whole pages, because that is what the kernel may speak of. */
bool soft_ranges_find(const struct soft_ranges *ranges, const void *cpu, uint64_t *ret_address)
{
	const uintptr_t page = 4096, at = (uintptr_t)cpu;
	size_t n = 0;

	for (size_t set = 0; set < DEVICE_JOB_RANGE_SETS; set++)
		n += ranges->n[set];
	for (size_t i = 0; i < n; i++) {
		const struct soft_range *range = &ranges->range[i];
		uintptr_t begin = (uintptr_t)range->cpu;
		uintptr_t end = begin + range->size;

		if (at >= (begin & ~(page - 1)) && at < ((end + page - 1) & ~(page - 1))) {
			*ret_address = range->address + (at - begin);
			return true;
		}
	}
	return false;
}
