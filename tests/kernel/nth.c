/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens when memory is short: each call is made with its first allocation failing, then
 * with its second, and so on until it makes no more. A call fails with ENOMEM and has done
 * nothing, or works all the same. Whether it forgot anything, the kernel's checkers tell.
 *
 * usage: nth [PATTERN]
 */
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/kernel/device.h"

#define DONE DRM_ZHOUYI_RESULT_DONE
#define MAX_POINTS 400

static int nth_fd = -1;

static void nth_write(unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	check_eq(pwrite(nth_fd, text, (size_t)length, 0), length);
}

/* From here on, the @n-th allocation of this thread fails. */
static void arm(unsigned int n)
{
	if (nth_fd < 0)
		nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0)
		test_skip("this kernel cannot fail allocations on demand");
	nth_write(n);
}

/* Did it? If not, the call made fewer. */
static bool disarm(void)
{
	char text[16] = "";

	check(pread(nth_fd, text, sizeof(text) - 1, 0) > 0);
	nth_write(0);
	return atoi(text) == 0;
}

/* Sweep over one call: @call returns its result; what it made is undone by @undo. */
static void sweep(struct npu *npu, int (*call)(struct npu *), void (*undo)(struct npu *))
{
	unsigned int n, failed = 0;

	for (n = 1; n < MAX_POINTS; n++) {
		bool injected;
		int r;

		arm(n);
		r = call(npu);
		injected = disarm();
		if (r >= 0 && undo)
			undo(npu);
		if (!injected) {
			check(r >= 0);
			break;
		}
		failed += r < 0;
		if (r < 0 && r != -ENOMEM && r != -ENOSPC && r != -EINTR)
			test_fail(__FILE__, __LINE__, "point %u: unexpected error %d", n, r);
	}
	printf("# %u points, %u of them errors\n", n - 1, failed);
	check(n > 1 && n < MAX_POINTS);
}

static void device_works(struct npu *npu)
{
	struct job job = job_copy(npu, 4711);

	job_run(&job, DONE);
	check(job_has_copied(&job));
	job_destroy(&job);
}

static int made_fd;
static struct bo made;
static struct job job;

static int call_open(struct npu *npu)
{
	(void)npu;
	made_fd = open("/dev/accel/accel0", O_RDWR | O_CLOEXEC);
	return made_fd < 0 ? -errno : 0;
}

static void undo_open(struct npu *npu)
{
	(void)npu;
	close(made_fd);
}

TEST(opening_the_device)
{
	struct npu npu;

	close(npu_try_open());
	sweep(NULL, call_open, undo_open);
	npu = npu_open();
	device_works(&npu);
}

static int call_create(struct npu *npu)
{
	return bo_try_create(npu, 65536, 0, &made);
}

static int call_create_sram(struct npu *npu)
{
	return bo_try_create(npu, 16384, 1 << DRM_ZHOUYI_ZONE_SRAM, &made);
}

static void undo_create(struct npu *npu)
{
	(void)npu;
	bo_destroy(&made);
}

TEST(creating_a_buffer)
{
	struct npu npu = npu_open();

	sweep(&npu, call_create, undo_create);
	device_works(&npu);
}

TEST(creating_a_buffer_in_static_memory)
{
	struct npu npu = npu_open();

	if (npu.info.zones < 2)
		test_skip("no static memory");
	sweep(&npu, call_create_sram, undo_create);
	device_works(&npu);
}

static int call_map(struct npu *npu)
{
	(void)npu;
	return bo_try_map(&made);
}

static void undo_map(struct npu *npu)
{
	(void)npu;
	munmap(made.cpu, made.size);
	made.cpu = NULL;
}

TEST(mapping_a_buffer)
{
	struct npu npu = npu_open();

	check_eq(bo_try_create(&npu, 65536, 0, &made), 0);
	sweep(&npu, call_map, undo_map);
	bo_destroy(&made);
	device_works(&npu);
}

static int call_submit(struct npu *npu)
{
	(void)npu;
	return job_try_submit(&job);
}

static void undo_submit(struct npu *npu)
{
	event_expect(npu, job.submit.cookie, DONE);
	check(job_has_copied(&job));
	job_rewind(&job);
}

TEST(submitting_a_job)
{
	struct npu npu = npu_open();
	struct bo second = bo_create(&npu, 4096), third = bo_create(&npu, 4096);
	struct drm_zhouyi_sync in[2] = {{.handle = syncobj_create(&npu, true)},
					{.handle = syncobj_create(&npu, true)}};
	struct drm_zhouyi_sync out[3] = {
		{.handle = syncobj_create(&npu, false)},
		{syncobj_create(&npu, false), DRM_ZHOUYI_SYNC_TIMELINE, 1},
		{syncobj_create(&npu, false), DRM_ZHOUYI_SYNC_TIMELINE, 1},
	};

	job = job_copy(&npu, 1);
	struct drm_zhouyi_bo_use uses[] = {
		{job.bo.handle, DRM_ZHOUYI_BO_USE_SYNC_WRITE},
		{second.handle, DRM_ZHOUYI_BO_USE_SYNC_READ},
		{third.handle, 0},
	};

	job.submit.bos = (uintptr_t)uses;
	job.submit.bo_count = 3;
	job.submit.in_syncs = (uintptr_t)in;
	job.submit.in_sync_count = 2;
	job.submit.out_syncs = (uintptr_t)out;
	job.submit.out_sync_count = 3;
	sweep(&npu, call_submit, undo_submit);
	device_works(&npu);
}

TEST(submitting_a_job_to_a_device_that_sleeps)
{
	struct npu npu = npu_open();

	job = job_copy(&npu, 1);
	for (unsigned int n = 1; n < 30; n++) {
		int r;

		sleep_ms(250);
		arm(n);
		r = job_try_submit(&job);
		disarm();
		check(r == 0 || r == -ENOMEM);
		if (r == 0)
			undo_submit(&npu);
	}
	device_works(&npu);
}

static int call_export(struct npu *npu)
{
	struct drm_prime_handle arg = {.handle = made.handle, .flags = DRM_CLOEXEC};
	int r = npu_ioctl(npu->fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &arg);

	made_fd = arg.fd;
	return r;
}

static void undo_export(struct npu *npu)
{
	(void)npu;
	close(made_fd);
	/* The export stays with its buffer, so a new one is needed for the next time. */
	bo_destroy(&made);
	check_eq(bo_try_create(made.npu, 4096, 0, &made), 0);
}

TEST(exporting_a_buffer)
{
	struct npu npu = npu_open();

	check_eq(bo_try_create(&npu, 4096, 0, &made), 0);
	sweep(&npu, call_export, undo_export);
	device_works(&npu);
}

static uint32_t imported;

static int call_import(struct npu *npu)
{
	struct drm_prime_handle arg = {.fd = made_fd};
	int r = npu_ioctl(npu->fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &arg);

	imported = arg.handle;
	return r;
}

static void undo_import(struct npu *npu)
{
	check_eq(gem_try_close(npu->fd, imported), 0);
}

TEST(importing_pages_of_a_client)
{
	struct npu npu = npu_open();
	int memfd = memfd_create("tensor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	struct udmabuf_create arg = {
		.memfd = (uint32_t)memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = 4096};

	check_eq(ftruncate(memfd, 4096), 0);
	check_eq(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	made_fd = npu_ioctl(device, UDMABUF_CREATE, &arg);
	check(made_fd >= 0);
	sweep(&npu, call_import, undo_import);
	device_works(&npu);
}

static int call_reset(struct npu *npu)
{
	return npu_ioctl(npu->fd, DRM_IOCTL_ZHOUYI_RESET,
			 &(struct drm_zhouyi_reset){.kind = DRM_ZHOUYI_RESET_FULL});
}

TEST(resetting_the_device)
{
	struct npu npu = npu_open();

	/* It may make no allocation at all; then there is nothing to sweep. */
	for (unsigned int n = 1; n < 10; n++) {
		int r;

		job = job_hang(&npu, n);
		job_submit(&job);
		arm(n);
		r = call_reset(&npu);
		disarm();
		if (r < 0)
			check_eq(call_reset(&npu), 0);
		check_eq(event_next(&npu, 10000).result, DRM_ZHOUYI_RESULT_ABORTED);
		job_destroy(&job);
	}
	device_works(&npu);
}

int main(int argc, char **argv)
{
	return test_main(argc, argv);
}
