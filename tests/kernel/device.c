/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kernel/device.h"

#include <fcntl.h>
#include <linux/sync_file.h>
#include <linux/udmabuf.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int npu_ioctl(int fd, unsigned long request, void *arg)
{
	int r;

	do
		r = ioctl(fd, request, arg);
	while (r < 0 && (errno == EINTR || errno == ERESTART));
	return r < 0 ? -errno : r;
}

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void sleep_ms(unsigned int ms)
{
	struct timespec duration = {ms / 1000, (long)(ms % 1000) * 1000000};

	while (nanosleep(&duration, &duration) < 0 && errno == EINTR)
		;
}

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

long long file_number(const char *path)
{
	char text[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	text[n] = '\0';
	return strtoll(text, NULL, 0);
}

/* A device that is plugged in again, while somebody holds the old one, has the next number. */
static int open_any(void)
{
	int r = -ENOENT;

	for (int i = 0; i < 8; i++) {
		char node[40];
		int fd;

		snprintf(node, sizeof(node), "/dev/accel/accel%d", i);
		fd = open(node, O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (errno != ENOENT && errno != ENODEV)
			r = -errno;
	}
	return r;
}

int npu_try_open(void)
{
	for (int i = 0;; i++) {
		int fd = open_any();

		/* The last process may not quite have gone, a device not quite have come. */
		if ((fd != -EBUSY && fd != -ENOENT) || i == 200)
			return fd;
		sleep_ms(10);
	}
}

struct npu npu_open(void)
{
	struct npu npu = {.fd = npu_try_open()};
	struct drm_zhouyi_asid_info asid = {0};
	struct drm_zhouyi_query device = {.type = DRM_ZHOUYI_QUERY_DEVICE,
					  .size = sizeof(npu.info),
					  .pointer = (uintptr_t)&npu.info};
	struct drm_zhouyi_query partitions = {.type = DRM_ZHOUYI_QUERY_PARTITIONS,
					      .size = sizeof(npu.partition),
					      .pointer = (uintptr_t)&npu.partition,
					      .stride = sizeof(npu.partition)};
	struct drm_zhouyi_query asids = {.type = DRM_ZHOUYI_QUERY_ASIDS,
					 .size = sizeof(asid),
					 .pointer = (uintptr_t)&asid,
					 .stride = sizeof(asid)};

	check(npu.fd >= 0);
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_QUERY, &device), 0);
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_QUERY, &partitions), 0);
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_QUERY, &asids), 0);
	npu.image = (struct image_device){.asid0_base = asid.base,
					  .cores = npu.info.cores / npu.info.clusters,
					  .tecs = npu.info.tecs};
	return npu;
}

struct drm_zhouyi_stats_info npu_stats(struct npu *npu)
{
	struct drm_zhouyi_stats_info stats = {0};
	struct drm_zhouyi_query query = {.type = DRM_ZHOUYI_QUERY_STATS,
					 .size = sizeof(stats),
					 .pointer = (uintptr_t)&stats};

	check_eq(npu_ioctl(npu->fd, DRM_IOCTL_ZHOUYI_QUERY, &query), 0);
	return stats;
}

/*
 * Buffers
 */

int bo_try_create(struct npu *npu, uint64_t size, uint32_t placement, struct bo *ret)
{
	struct drm_zhouyi_bo_create create = {.size = size, .placement = placement};
	int r = npu_ioctl(npu->fd, DRM_IOCTL_ZHOUYI_BO_CREATE, &create);

	if (r < 0)
		return r;
	*ret = (struct bo){npu, create.handle, create.size, create.address, NULL};
	return 0;
}

int bo_try_map(struct bo *bo)
{
	struct drm_zhouyi_bo_mmap_offset offset = {.handle = bo->handle};
	int r = npu_ioctl(bo->npu->fd, DRM_IOCTL_ZHOUYI_BO_MMAP_OFFSET, &offset);
	void *cpu;

	if (r < 0)
		return r;
	cpu = mmap(NULL, bo->size, PROT_READ | PROT_WRITE, MAP_SHARED, bo->npu->fd,
		   (off_t)offset.offset);
	if (cpu == MAP_FAILED)
		return -errno;
	bo->cpu = cpu;
	return 0;
}

struct bo bo_create(struct npu *npu, uint64_t size)
{
	struct bo bo;

	check_eq(bo_try_create(npu, size, 0, &bo), 0);
	check_eq(bo_try_map(&bo), 0);
	return bo;
}

int gem_try_close(int fd, uint32_t handle)
{
	struct drm_gem_close close = {.handle = handle};

	return npu_ioctl(fd, DRM_IOCTL_GEM_CLOSE, &close);
}

void bo_destroy(struct bo *bo)
{
	if (bo->cpu)
		munmap(bo->cpu, bo->size);
	check_eq(gem_try_close(bo->npu->fd, bo->handle), 0);
}

int bo_wait(struct bo *bo, int64_t timeout_ms)
{
	struct drm_zhouyi_bo_wait wait = {.handle = bo->handle,
					  .timeout_ns = now_ns() + timeout_ms * 1000000};

	return npu_ioctl(bo->npu->fd, DRM_IOCTL_ZHOUYI_BO_WAIT, &wait);
}

/*
 * Buffers of others
 */

int prime_export(struct npu *npu, uint32_t handle)
{
	struct drm_prime_handle arg = {.handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR};
	int r = npu_ioctl(npu->fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &arg);

	return r < 0 ? r : arg.fd;
}

int prime_import(struct npu *npu, int fd, uint32_t *ret_handle)
{
	struct drm_prime_handle arg = {.fd = fd};
	int r = npu_ioctl(npu->fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg);

	if (r < 0)
		return r;
	*ret_handle = arg.handle;
	return 0;
}

int udmabuf_create(size_t size, uint8_t **ret_cpu)
{
	int memfd = memfd_create("tensor", MFD_CLOEXEC | MFD_ALLOW_SEALING), device, fd;
	struct udmabuf_create arg = {.flags = UDMABUF_FLAGS_CLOEXEC, .size = size};

	check(memfd >= 0);
	check_eq(ftruncate(memfd, (off_t)size), 0);
	check_eq(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	check(device >= 0);
	arg.memfd = (uint32_t)memfd;
	fd = npu_ioctl(device, UDMABUF_CREATE, &arg);
	check(fd >= 0);
	*ret_cpu = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	check(*ret_cpu != MAP_FAILED);
	close(device);
	close(memfd);
	return fd;
}

/*
 * Jobs
 */

struct job job_create(struct npu *npu, const struct npu_insn *insn, unsigned int n, uint32_t seed)
{
	struct job job = {.bo = bo_create(npu, IMAGE_SIZE), .seed = seed};

	job.image = image_write(job.bo.cpu, job.bo.address, &npu->image, insn, n, seed);
	job.use.handle = job.bo.handle;
	job.submit = (struct drm_zhouyi_submit){
		.cookie = seed,
		.head = job.image.head,
		.first_task = job.image.first_task,
		.last_task = job.image.last_task,
		.core_mask = npu->partition.core_mask,
		.sync_stride = sizeof(struct drm_zhouyi_sync),
		.bo_count = 1,
		.bo_stride = sizeof(struct drm_zhouyi_bo_use),
		.tcb_count = job.image.n_tcbs,
		.group_count = 1,
		.priority = DRM_ZHOUYI_PRIORITY_NORMAL,
	};
	return job;
}

struct job job_copy(struct npu *npu, uint32_t seed)
{
	struct npu_insn insn = insn_copy(IMAGE_BYTES);

	return job_create(npu, &insn, 1, seed);
}

struct job job_delay(struct npu *npu, uint32_t microseconds, uint32_t seed)
{
	struct npu_insn insns[] = {insn_delay(microseconds), insn_copy(IMAGE_BYTES)};

	return job_create(npu, insns, 2, seed);
}

struct job job_hang(struct npu *npu, uint32_t seed)
{
	struct npu_insn insn = insn_hang();

	return job_create(npu, &insn, 1, seed);
}

struct job job_fault(struct npu *npu, enum npu_raise what, uint32_t seed)
{
	struct npu_insn insn = insn_fault(what);

	return job_create(npu, &insn, 1, seed);
}

int job_try_submit(struct job *job)
{
	/* The job may have been copied since. */
	if (job->submit.bo_count == 1)
		job->submit.bos = (uintptr_t)&job->use;
	return npu_ioctl(job->bo.npu->fd, DRM_IOCTL_ZHOUYI_SUBMIT, &job->submit);
}

void job_submit(struct job *job)
{
	check_eq(job_try_submit(job), 0);
}

void job_rewind(struct job *job)
{
	image_rewind(job->bo.cpu, job->bo.address, &job->bo.npu->image);
}

bool job_has_copied(const struct job *job)
{
	for (uint32_t i = 0; i < IMAGE_BYTES; i++)
		if (job->bo.cpu[IMAGE_OUT + i] != image_pattern(job->seed, i))
			return false;
	return true;
}

void job_destroy(struct job *job)
{
	bo_destroy(&job->bo);
}

/*
 * Events
 */

bool event_waits(struct npu *npu, int timeout_ms)
{
	struct pollfd fd = {.fd = npu->fd, .events = POLLIN};
	int r;

	do
		r = poll(&fd, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	check(r >= 0);
	return r > 0 && fd.revents & POLLIN;
}

struct drm_zhouyi_event event_next(struct npu *npu, int timeout_ms)
{
	struct drm_zhouyi_event event;
	uint8_t buffer[sizeof(event)];

	if (!event_waits(npu, timeout_ms))
		test_fail(__FILE__, __LINE__, "no event within %d ms", timeout_ms);
	/* One at a time: a read never tears an event. */
	check_eq(read(npu->fd, buffer, sizeof(buffer)), sizeof(buffer));
	memcpy(&event, buffer, sizeof(event));
	check_eq(event.base.type, DRM_ZHOUYI_EVENT_JOB);
	check_eq(event.base.length, sizeof(event));
	return event;
}

struct drm_zhouyi_event event_expect(struct npu *npu, uint64_t cookie, uint16_t result)
{
	struct drm_zhouyi_event event = event_next(npu, 30000);

	check_eq(event.cookie, cookie);
	check_eq(event.result, result);
	return event;
}

struct drm_zhouyi_event job_run(struct job *job, uint16_t result)
{
	job_submit(job);
	return event_expect(job->bo.npu, job->submit.cookie, result);
}

/*
 * Fences
 */

uint32_t syncobj_create(struct npu *npu, bool signaled)
{
	struct drm_syncobj_create create = {.flags = signaled ? DRM_SYNCOBJ_CREATE_SIGNALED : 0};

	check_eq(npu_ioctl(npu->fd, DRM_IOCTL_SYNCOBJ_CREATE, &create), 0);
	return create.handle;
}

void syncobj_destroy(struct npu *npu, uint32_t handle)
{
	struct drm_syncobj_destroy destroy = {.handle = handle};

	check_eq(npu_ioctl(npu->fd, DRM_IOCTL_SYNCOBJ_DESTROY, &destroy), 0);
}

int syncobj_wait(struct npu *npu, uint32_t handle, uint64_t point, int timeout_ms)
{
	int64_t end = now_ns() + (int64_t)timeout_ms * 1000000;
	struct drm_syncobj_timeline_wait timeline = {
		.handles = (uintptr_t)&handle,
		.points = (uintptr_t)&point,
		.timeout_nsec = end,
		.count_handles = 1,
		.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
	};
	struct drm_syncobj_wait binary = {
		.handles = (uintptr_t)&handle,
		.timeout_nsec = end,
		.count_handles = 1,
		.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
	};

	if (point)
		return npu_ioctl(npu->fd, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &timeline);
	return npu_ioctl(npu->fd, DRM_IOCTL_SYNCOBJ_WAIT, &binary);
}

void syncobj_signal(struct npu *npu, uint32_t handle, uint64_t point)
{
	struct drm_syncobj_timeline_array timeline = {
		.handles = (uintptr_t)&handle,
		.points = (uintptr_t)&point,
		.count_handles = 1,
	};
	struct drm_syncobj_array binary = {.handles = (uintptr_t)&handle, .count_handles = 1};

	if (point)
		check_eq(npu_ioctl(npu->fd, DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &timeline), 0);
	else
		check_eq(npu_ioctl(npu->fd, DRM_IOCTL_SYNCOBJ_SIGNAL, &binary), 0);
}

int syncobj_export_sync_file(struct npu *npu, uint32_t handle)
{
	struct drm_syncobj_handle export = {
		.handle = handle,
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
		.fd = -1,
	};

	check_eq(npu_ioctl(npu->fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &export), 0);
	return export.fd;
}

void syncobj_import_sync_file(struct npu *npu, uint32_t handle, int fd)
{
	struct drm_syncobj_handle import = {
		.handle = handle,
		.flags = DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE,
		.fd = fd,
	};

	check_eq(npu_ioctl(npu->fd, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &import), 0);
}

int sync_file_status(int fd)
{
	struct sync_fence_info fence = {0};
	struct sync_file_info info = {.num_fences = 1, .sync_fence_info = (uintptr_t)&fence};

	check_eq(npu_ioctl(fd, SYNC_IOC_FILE_INFO, &info), 0);
	check_eq(info.num_fences, 1);
	return fence.status;
}

int sync_file_end(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	check_eq(poll(&poller, 1, 10000), 1);
	return sync_file_status(fd);
}
