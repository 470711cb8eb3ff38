/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices and drivers that come and go, under load: unplugging, unbinding, unloading, sleeping.
 *
 * usage: life [PATTERN]
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kernel/device.h"

#define DONE DRM_ZHOUYI_RESULT_DONE
#define LOST DRM_ZHOUYI_RESULT_LOST
#define UNPLUG "/sys/kernel/debug/zhouyi_sim/unplug"
#define DRIVER "/sys/bus/platform/drivers/zhouyi/"
#define MODULE "/lib/modules/zhouyi.ko"

static void device_works(void)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);

	job_run(&job, DONE);
	check(job_has_copied(&job));
	job_destroy(&job);
	close(npu.fd);
}

static void plug(bool in)
{
	check_eq(file_write(UNPLUG, in ? "0" : "1"), 0);
}

/* A program that keeps the device busy, in every way, until it is gone or killed. */
static pid_t load_start(unsigned int seed)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	struct npu npu = npu_open();
	struct job job[6];

	for (unsigned int i = 0; i < 6; i++)
		job[i] = i == 5 ? job_hang(&npu, 6) : job_delay(&npu, 300 * seed * i, i + 1);
	job[5].submit.timeout_ms = 60;
	for (;;) {
		for (unsigned int i = 0; i < 6; i++) {
			if (bo_wait(&job[i].bo, 0) == 0)
				job_rewind(&job[i]);
			job[i].submit.flags = i % 2 ? DRM_ZHOUYI_SUBMIT_RESTARTABLE : 0;
			if (job_try_submit(&job[i]) == -ENODEV)
				_exit(0);
		}
		for (unsigned int i = 0; i < 6; i++) {
			struct drm_zhouyi_event event;

			/* EVENT_GONE is shorter */
			if (event_waits(&npu, 100) &&
			    read(npu.fd, &event, sizeof(event)) != sizeof(event))
				_exit(0);
		}
	}
}

static void load_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	check_eq(waitpid(pid, NULL, 0), pid);
}

TEST(a_device_can_be_unplugged_when_nobody_uses_it)
{
	for (int i = 0; i < 3; i++) {
		device_works();
		plug(false);
		check(access("/dev/accel/accel0", F_OK) < 0);
		plug(true);
		device_works();
	}
}

TEST(unplugging_ends_all_jobs_and_tells_their_owner)
{
	struct npu npu = npu_open();
	struct job job[4];
	struct drm_zhouyi_sync out = {.handle = syncobj_create(&npu, false)};
	struct drm_event gone;
	int sync_file;

	for (unsigned int i = 0; i < 4; i++) {
		job[i] = i ? job_hang(&npu, i + 1) : job_copy(&npu, i + 1);
		job[i].submit.core_mask = 1u << i % 3;
		if (i == 3) {
			job[i].submit.out_syncs = (uintptr_t)&out;
			job[i].submit.out_sync_count = 1;
		}
		job_submit(&job[i]);
	}
	event_expect(&npu, 1, DONE);
	sync_file = syncobj_export_sync_file(&npu, out.handle);
	plug(false);
	for (unsigned int i = 1; i < 4; i++)
		check_eq(event_next(&npu, 10000).result, LOST);
	check_eq(sync_file_end(sync_file), -ENODEV);
	check(event_waits(&npu, 10000));
	check_eq(read(npu.fd, &gone, sizeof(gone)), sizeof(gone));
	check_eq(gone.type, DRM_ZHOUYI_EVENT_GONE);
	/* The descriptor is of no use any more, but harmless. */
	check_eq(job_try_submit(&job[0]), -ENODEV);
	struct bo bo;

	check_eq(bo_try_create(&npu, 4096, 0, &bo), -ENODEV);
	for (unsigned int i = 0; i < 4; i++)
		job[i].bo.cpu[100] =
			1; /* old memory, or nobody's; no signal, nobody could handle it */
	plug(true);
	/* The old owner does not keep others from the new device. */
	device_works();
	for (unsigned int i = 0; i < 4; i++)
		munmap(job[i].bo.cpu, job[i].bo.size);
	close(npu.fd);
	device_works();
}

TEST(buffers_outlive_the_device_they_were_made_for)
{
	struct npu npu = npu_open();
	struct bo bo = bo_create(&npu, 65536), sram;
	struct drm_prime_handle export = {.handle = bo.handle, .flags = DRM_CLOEXEC | DRM_RDWR};
	uint8_t *cpu;

	if (bo_try_create(&npu, 16384, 1 << DRM_ZHOUYI_ZONE_SRAM, &sram) == 0)
		check_eq(bo_try_map(&sram), 0);
	else
		sram.cpu = NULL;
	memset(bo.cpu, 0x42, bo.size);
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &export), 0);
	cpu = mmap(NULL, 65536, PROT_READ, MAP_SHARED, export.fd, 0);
	check(cpu != MAP_FAILED);
	plug(false);
	/* Without an IOMMU the memory was the device's; what is read then is no signal, and no
	 * more. */
	check(!(npu.info.flags & DRM_ZHOUYI_DEVICE_IOMMU) || cpu[65535] == 0x42);
	bo.cpu[1] = cpu[0];
	if (sram.cpu)
		munmap(sram.cpu, sram.size);
	munmap(bo.cpu, bo.size);
	close(npu.fd);
	check(!(npu.info.flags & DRM_ZHOUYI_DEVICE_IOMMU) || cpu[65535] == 0x42);
	plug(true);
	device_works();
	munmap(cpu, 65536);
	close(export.fd);
	device_works();
}

TEST(buffers_of_others_are_given_back_when_the_device_goes)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 6);
	struct drm_zhouyi_bo_info info = {0};
	uint8_t *cpu;
	int fd = udmabuf_create(IMAGE_BYTES, &cpu);

	check_eq(prime_import(&npu, fd, &info.handle), 0);
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_BO_INFO, &info), 0);
	struct drm_zhouyi_bo_use uses[] = {job.use, {.handle = info.handle}};

	image_set_slot(job.bo.cpu, &npu.image, 1, info.address, IMAGE_BYTES);
	job.submit.bos = (uintptr_t)uses;
	job.submit.bo_count = 2;
	job_run(&job, DONE);
	check_eq(cpu[7], image_pattern(6, 7));
	/* Plugged in again before the old owner lets go, and after */
	plug(false);
	plug(true);
	munmap(job.bo.cpu, job.bo.size);
	close(npu.fd);
	check_eq(cpu[7], image_pattern(6, 7));
	close(fd);
	munmap(cpu, IMAGE_BYTES);
	device_works();
}

TEST(a_device_can_be_unplugged_under_load)
{
	for (unsigned int i = 0; i < 6; i++) {
		pid_t pid = load_start(i + 1);

		sleep_ms(100 + i * 37);
		plug(false);
		if (i % 2)
			sleep_ms(50);
		plug(true);
		load_stop(pid);
		device_works();
	}
}

TEST(a_driver_can_be_unbound_under_load)
{
	for (unsigned int i = 0; i < 4; i++) {
		pid_t pid = load_start(i + 1);

		sleep_ms(100 + i * 41);
		check_eq(file_write(DRIVER "unbind", "zhouyi-soft"), 0);
		load_stop(pid);
		check_eq(file_write(DRIVER "bind", "zhouyi-soft"), 0);
		device_works();
	}
}

static int unload(void)
{
	return syscall(SYS_delete_module, "zhouyi", O_NONBLOCK) ? -errno : 0;
}

static void load(void)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);

	check(fd >= 0);
	check_eq(syscall(SYS_finit_module, fd, "", 0), 0);
	close(fd);
}

TEST(a_module_in_use_stays_and_goes_when_its_user_has_gone)
{
	for (unsigned int i = 0; i < 4; i++) {
		pid_t pid = load_start(i + 1);
		int r = -EAGAIN;

		sleep_ms(150 + i * 43);
		r = unload();
		check(r == -EAGAIN || r == -EBUSY);
		load_stop(pid);
		for (int j = 0; j < 500 && r; j++) {
			r = unload();
			sleep_ms(10);
		}
		check_eq(r, 0);
		check(access("/dev/accel/accel0", F_OK) < 0);
		load();
		device_works();
	}
}

TEST(a_fence_keeps_its_code_in_memory)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);
	struct drm_zhouyi_sync out = {.handle = syncobj_create(&npu, false)};
	int fd, r = -EAGAIN;

	job.submit.out_syncs = (uintptr_t)&out;
	job.submit.out_sync_count = 1;
	job_run(&job, DONE);
	fd = syncobj_export_sync_file(&npu, out.handle);
	munmap(job.bo.cpu, job.bo.size);
	close(npu.fd);
	for (int i = 0; i < 300 && r; i++) {
		r = unload();
		sleep_ms(10);
	}
	/* Refused while somebody holds the fence, or the fence does not need the module. */
	check_eq(sync_file_end(fd), 1);
	close(fd);
	for (int i = 0; i < 300 && r; i++) {
		r = unload();
		sleep_ms(10);
	}
	check_eq(r, 0);
	load();
	device_works();
}

TEST(modules_can_be_loaded_and_unloaded_many_times)
{
	for (int i = 0; i < 5; i++) {
		int r = -EAGAIN;

		for (int j = 0; j < 300 && r; j++) {
			r = unload();
			sleep_ms(10);
		}
		check_eq(r, 0);
		load();
	}
	device_works();
}

/* Everything a suspend does but the power, and back. */
static void suspend(const char *depth)
{
	check_eq(file_write("/sys/power/pm_test", depth), 0);
	check_eq(file_write("/sys/power/state", "freeze"), 0);
	check_eq(file_write("/sys/power/pm_test", "none"), 0);
}

TEST(jobs_survive_that_the_system_sleeps)
{
	struct npu npu = npu_open();
	struct job job[8];

	if (access("/sys/power/pm_test", F_OK) < 0)
		test_skip("this kernel cannot rehearse suspend");
	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < 8; i++) {
			job[i] = job_delay(&npu, 150000, i + 1);
			job[i].submit.flags = DRM_ZHOUYI_SUBMIT_RESTARTABLE;
			job_submit(&job[i]);
		}
		suspend(round ? "platform" : "devices");
		for (unsigned int i = 0; i < 8; i++) {
			check_eq(event_next(&npu, 20000).result, DONE);
			job[i].submit.flags = 0;
		}
		for (unsigned int i = 0; i < 8; i++) {
			check(job_has_copied(&job[i]));
			job_destroy(&job[i]);
		}
	}
	/* Asleep already */
	sleep_ms(500);
	suspend("devices");
	struct job after = job_copy(&npu, 1);

	job_run(&after, DONE);
	check(job_has_copied(&after));
}

TEST(a_job_that_hangs_does_not_keep_the_system_awake_for_long)
{
	struct npu npu = npu_open();
	struct job hang = job_hang(&npu, 1), job = job_copy(&npu, 2);

	if (access("/sys/power/pm_test", F_OK) < 0)
		test_skip("this kernel cannot rehearse suspend");
	hang.submit.timeout_ms = 500;
	job_submit(&hang);
	/* It may be refused; it may not last for ever, and the device works afterwards. */
	file_write("/sys/power/pm_test", "devices");
	file_write("/sys/power/state", "freeze");
	file_write("/sys/power/pm_test", "none");
	check(event_next(&npu, 20000).result != DONE);
	job_run(&job, DONE);
	check(job_has_copied(&job));
}

TEST(a_device_that_does_not_wake_up_fails_its_jobs_and_may_come_back)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);
	int r;

	sleep_ms(800);
	check_eq(file_write("/sys/kernel/debug/zhouyi_sim/fail_reset", "1000"), 0);
	r = job_try_submit(&job);
	if (r == 0)
		check_eq(event_next(&npu, 20000).result, LOST);
	else
		check_eq(r, -EIO);
	check_eq(file_write("/sys/kernel/debug/zhouyi_sim/fail_reset", "0"), 0);
	npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_RESET,
		  &(struct drm_zhouyi_reset){.kind = DRM_ZHOUYI_RESET_FULL});
	job_rewind(&job);
	job_run(&job, DONE);
	check(job_has_copied(&job));
}

int main(int argc, char **argv)
{
	return test_main(argc, argv);
}
