/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs that fail, hang or are unwanted, and devices that do not do what they should: who
 * gets to know what, and that nobody else pays for it. What the device does wrong is told to the
 * simulated one through its debugfs.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kernel/device.h"

#define DONE DRM_ZHOUYI_RESULT_DONE
#define ABORTED DRM_ZHOUYI_RESULT_ABORTED
#define SIM "/sys/kernel/debug/zhouyi_sim/"
#define SHORT_MS 300 /* a job's own time limit, where it is to run out */

static int abort_job(struct npu *npu, uint64_t cookie)
{
	struct drm_zhouyi_abort abort = {.cookie = cookie};

	return npu_ioctl(npu->fd, DRM_IOCTL_ZHOUYI_ABORT, &abort);
}

static int reset(struct npu *npu, uint32_t kind)
{
	struct drm_zhouyi_reset arg = {.kind = kind};

	return npu_ioctl(npu->fd, DRM_IOCTL_ZHOUYI_RESET, &arg);
}

static void device_works(struct npu *npu)
{
	struct job job = job_copy(npu, 4711);

	for (uint64_t core = 1; core < 8; core <<= 1) {
		job.submit.core_mask = core;
		job_rewind(&job);
		job_run(&job, DONE);
		check(job_has_copied(&job));
	}
	job_destroy(&job);
}

/* What is wrong leads anywhere, and without an IOMMU that may be memory of the kernel's. */
static void needs_iommu(const struct npu *npu)
{
	if (!(npu->info.flags & DRM_ZHOUYI_DEVICE_IOMMU))
		test_skip("only an IOMMU protects memory from such a job");
}

/*
 * Programs that fail
 */

TEST_QUIET(an_illegal_instruction_is_an_exception_with_its_place)
{
	struct npu npu = npu_open();
	struct npu_insn insns[] = {insn_delay(10), {.opcode = 999, .version = NPU_ISA_VERSION}};
	struct job job = job_create(&npu, insns, 2, 1);
	struct drm_zhouyi_event event = job_run(&job, DRM_ZHOUYI_RESULT_EXCEPTION);

	check(event.fault_class & NPU_IRQ_EXCEPTION);
	check(event.flags & DRM_ZHOUYI_EVENT_TCBP);
	check_eq(event.fault_tcbp, (uint32_t)(job.image.last_task - npu.image.asid0_base));
	check(!(event.flags & DRM_ZHOUYI_EVENT_UNIT) || event.fault_core < 3);
	device_works(&npu);
}

TEST_QUIET(an_address_that_nobody_has_is_a_fault)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);

	image_set_slot(job.bo.cpu, &npu.image, 1, npu.image.asid0_base + 0xfffff000u, IMAGE_BYTES);
	job_run(&job, DRM_ZHOUYI_RESULT_FAULT);
	device_works(&npu);
}

TEST_QUIET(memory_that_was_freed_cannot_be_reached)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);
	struct bo bo = bo_create(&npu, IMAGE_BYTES);

	needs_iommu(&npu);
	image_set_slot(job.bo.cpu, &npu.image, 1, bo.address, IMAGE_BYTES);
	bo_destroy(&bo);
	job_run(&job, DRM_ZHOUYI_RESULT_FAULT);
	device_works(&npu);
}

TEST(damaged_chains_end_and_hurt_nobody)
{
	struct npu npu = npu_open();
	unsigned int ended = 0;

	needs_iommu(&npu);
	/* Not every bit matters to every reader, but each job has an end. */
	for (unsigned int bit = 0; bit < NPU_TCB_SIZE * 8 * 7; bit += 37) {
		struct job job = job_copy(&npu, bit + 1);

		job.submit.timeout_ms = SHORT_MS;
		job.bo.cpu[bit / 8] ^= 1u << bit % 8;
		job_submit(&job);
		ended += event_next(&npu, 20000).cookie == bit + 1;
		job_destroy(&job);
	}
	check_eq(ended, (NPU_TCB_SIZE * 8 * 7 + 36) / 37);
	device_works(&npu);
}

TEST(random_memory_is_no_program_and_hurts_nobody)
{
	struct npu npu = npu_open();

	needs_iommu(&npu);
	srandom(1);
	for (unsigned int i = 0; i < 60; i++) {
		struct job job = job_copy(&npu, i + 1);
		unsigned int from = i % 3 * 0x1000, n = i % 2 ? 0x1000 : 0x100;

		job.submit.timeout_ms = SHORT_MS;
		for (unsigned int j = 0; j < n; j++)
			job.bo.cpu[from + j] = (uint8_t)random();
		job_submit(&job);
		event_next(&npu, 20000);
		job_destroy(&job);
	}
	device_works(&npu);
}

/*
 * Jobs that hang or are unwanted. The driver may say that it stopped one, so these are not quiet.
 */

TEST(a_job_that_hangs_runs_out_of_time_and_the_next_one_works)
{
	struct npu npu = npu_open();
	struct drm_zhouyi_sync out = {.handle = syncobj_create(&npu, false)};
	struct job hang = job_hang(&npu, 1);
	int64_t start = now_ns();

	hang.submit.timeout_ms = SHORT_MS;
	hang.submit.out_syncs = (uintptr_t)&out;
	hang.submit.out_sync_count = 1;
	job_run(&hang, DRM_ZHOUYI_RESULT_TIMEOUT);
	check(now_ns() - start >= SHORT_MS * 1000000ll - 20000000);
	check(now_ns() - start < 5000000000);
	check_eq(sync_file_end(syncobj_export_sync_file(&npu, out.handle)), -ETIME);
	device_works(&npu);
}

TEST(jobs_on_all_cores_can_hang_at_once)
{
	struct npu npu = npu_open();
	struct job hang[3];

	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < 3; i++) {
			hang[i] = job_hang(&npu, i + 1);
			hang[i].submit.core_mask = 1u << i;
			hang[i].submit.timeout_ms = SHORT_MS;
			job_submit(&hang[i]);
		}
		for (unsigned int i = 0; i < 3; i++) {
			struct drm_zhouyi_event event = event_next(&npu, 20000);

			check(event.result == DRM_ZHOUYI_RESULT_TIMEOUT ||
			      (event.result == ABORTED && event.flags & DRM_ZHOUYI_EVENT_INNOCENT));
		}
		device_works(&npu);
	}
}

TEST(innocent_jobs_that_can_be_restarted_survive_a_hang)
{
	struct npu npu = npu_open();
	struct drm_zhouyi_stats_info before = npu_stats(&npu);
	struct job hang = job_hang(&npu, 1), innocent[2], waiting = job_copy(&npu, 4);
	unsigned int seen = 0;

	hang.submit.core_mask = 1;
	hang.submit.timeout_ms = SHORT_MS;
	job_submit(&hang);
	for (unsigned int i = 0; i < 2; i++) {
		innocent[i] = job_delay(&npu, 600000, i + 2);
		innocent[i].submit.core_mask = 2u << i;
		innocent[i].submit.flags = DRM_ZHOUYI_SUBMIT_RESTARTABLE;
		job_submit(&innocent[i]);
	}
	/* Behind the one that hangs: it has not started, so nothing can have happened to it. */
	waiting.submit.core_mask = 1;
	waiting.submit.flags = DRM_ZHOUYI_SUBMIT_RESTARTABLE;
	job_submit(&waiting);
	while (seen++ < 4) {
		struct drm_zhouyi_event event = event_next(&npu, 20000);

		check_eq(event.result, event.cookie == 1 ? DRM_ZHOUYI_RESULT_TIMEOUT : DONE);
	}
	check(job_has_copied(&innocent[0]) && job_has_copied(&innocent[1]) &&
	      job_has_copied(&waiting));
	check_eq(npu_stats(&npu).timeouts - before.timeouts, 1);
	check(!event_waits(&npu, 100));
}

TEST(innocent_jobs_that_cannot_be_restarted_are_told_so)
{
	struct npu npu = npu_open();
	struct job hang = job_hang(&npu, 1), innocent = job_delay(&npu, 2000000, 2);

	hang.submit.core_mask = 1;
	hang.submit.timeout_ms = SHORT_MS;
	innocent.submit.core_mask = 2;
	job_submit(&hang);
	job_submit(&innocent);
	for (int i = 0; i < 2; i++) {
		struct drm_zhouyi_event event = event_next(&npu, 20000);

		if (event.cookie == 1) {
			check_eq(event.result, DRM_ZHOUYI_RESULT_TIMEOUT);
			check(!(event.flags & DRM_ZHOUYI_EVENT_INNOCENT));
		} else if (event.result == ABORTED) {
			check(event.flags & DRM_ZHOUYI_EVENT_INNOCENT);
		} else {
			check_eq(event.result, DONE);
		}
	}
	device_works(&npu);
}

TEST(a_running_job_can_be_aborted)
{
	struct npu npu = npu_open();
	struct job job = job_hang(&npu, 1);

	check_eq(abort_job(&npu, 1), -ENOENT);
	for (int i = 0; i < 5; i++) {
		int64_t start = now_ns();

		job_rewind(&job);
		job_submit(&job);
		sleep_ms((unsigned int)i * 20);
		check_eq(abort_job(&npu, 1), 0);
		event_expect(&npu, 1, ABORTED);
		check(now_ns() - start < 3000000000);
		check_eq(abort_job(&npu, 1), -ENOENT);
	}
	device_works(&npu);
}

TEST(aborting_one_job_leaves_the_others_alone)
{
	struct npu npu = npu_open();
	struct job hang = job_hang(&npu, 1), others[2];

	hang.submit.core_mask = 1;
	job_submit(&hang);
	for (unsigned int i = 0; i < 2; i++) {
		others[i] = job_delay(&npu, 300000, i + 2);
		others[i].submit.flags = DRM_ZHOUYI_SUBMIT_RESTARTABLE;
		others[i].submit.core_mask = 2u << i;
		job_submit(&others[i]);
	}
	sleep_ms(50);
	check_eq(abort_job(&npu, 1), 0);
	for (int i = 0; i < 3; i++) {
		struct drm_zhouyi_event event = event_next(&npu, 20000);

		check_eq(event.result, event.cookie == 1 ? ABORTED : DONE);
	}
	check(job_has_copied(&others[0]) && job_has_copied(&others[1]));
}

TEST(jobs_are_aborted_at_any_moment)
{
	struct npu npu = npu_open();
	unsigned int aborted = 0;

	for (unsigned int i = 0; i < 60; i++) {
		struct job job = job_delay(&npu, 3000, i + 1);
		uint16_t result;
		int r;

		job_submit(&job);
		for (volatile unsigned int spin = 0; spin < i * 40000; spin++)
			;
		r = abort_job(&npu, i + 1);
		check(r == 0 || r == -ENOENT);
		result = event_next(&npu, 20000).result;
		check(result == ABORTED || (result == DONE && job_has_copied(&job)));
		aborted += result == ABORTED;
		job_destroy(&job);
	}
	check(aborted > 0);
	device_works(&npu);
}

TEST(a_reset_ends_all_jobs_and_is_over_when_it_returns)
{
	struct npu npu = npu_open();
	struct job job[5];

	for (uint32_t kind = DRM_ZHOUYI_RESET_SOFT; kind <= DRM_ZHOUYI_RESET_FULL; kind++) {
		for (unsigned int i = 0; i < 5; i++) {
			job[i] = job_hang(&npu, i + 1);
			job_submit(&job[i]);
		}
		sleep_ms(20);
		check_eq(reset(&npu, kind), 0);
		check(event_waits(&npu, 0));
		for (unsigned int i = 0; i < 5; i++)
			check_eq(event_next(&npu, 0).result, ABORTED);
		device_works(&npu);
	}
	/* With nothing to do, too */
	check_eq(reset(&npu, DRM_ZHOUYI_RESET_SOFT), 0);
	check_eq(reset(&npu, DRM_ZHOUYI_RESET_FULL), 0);
	device_works(&npu);
}

TEST(an_owner_may_leave_its_hanging_jobs_behind)
{
	for (int i = 0; i < 3; i++) {
		struct npu npu = npu_open();
		struct job hang[3];

		for (unsigned int j = 0; j < 3; j++) {
			hang[j] = job_hang(&npu, j + 1);
			job_submit(&hang[j]);
		}
		if (i)
			sleep_ms(50);
		/* A mapping would keep the device's file. */
		for (unsigned int j = 0; j < 3; j++)
			munmap(hang[j].bo.cpu, hang[j].bo.size);
		close(npu.fd);
	}
	struct npu npu = npu_open();

	device_works(&npu);
}

TEST(an_owner_may_be_killed_at_any_time)
{
	for (unsigned int i = 0; i < 10; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct npu npu = npu_open();

			for (uint32_t j = 1;; j++) {
				struct job job =
					j % 5 == 0 ? job_hang(&npu, j) : job_delay(&npu, 2000, j);

				job.submit.timeout_ms = 20;
				if (job_try_submit(&job) < 0 || j % 3 == 0)
					event_next(&npu, 10000);
			}
		}
		sleep_ms(60 + i * 17);
		kill(pid, SIGKILL);
		check_eq(waitpid(pid, NULL, 0), pid);
	}
	struct npu npu = npu_open();

	device_works(&npu);
}

TEST(a_job_that_hung_leaves_a_dump)
{
	struct npu npu = npu_open();
	struct job hang = job_hang(&npu, 1);
	char path[300] = "", data[4096];
	struct dirent *entry;
	DIR *dir;
	int fd;

	hang.submit.timeout_ms = SHORT_MS;
	job_run(&hang, DRM_ZHOUYI_RESULT_TIMEOUT);
	dir = opendir("/sys/class/devcoredump");
	if (!dir)
		test_skip("this kernel has no device core dumps");
	for (int i = 0; i < 50 && !path[0]; i++) {
		rewinddir(dir);
		while ((entry = readdir(dir)))
			if (!strncmp(entry->d_name, "devcd", 5))
				snprintf(path, sizeof(path), "/sys/class/devcoredump/%s/data",
					 entry->d_name);
		sleep_ms(20);
	}
	check(path[0]);
	fd = open(path, O_RDWR);
	check(fd >= 0);
	check(read(fd, data, sizeof(data)) > 64);
	check(write(fd, "0", 1) == 1); /* thrown away */
	closedir(dir);
	device_works(&npu);
}

/*
 * Devices that do wrong
 */

static void sim(const char *what, const char *times)
{
	char path[100];

	snprintf(path, sizeof(path), SIM "%s", what);
	check_eq(file_write(path, times), 0);
}

/* A test that fails leaves the device as it should be. */
void test_after_failure(void)
{
	static const char *const faults[] = {"hang", "lose_irq", "bus_error", "fail_abort",
					     "fail_reset"};
	int fd = npu_try_open();

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		char path[100];

		snprintf(path, sizeof(path), SIM "%s", faults[i]);
		file_write(path, "0");
	}
	npu_ioctl(fd, DRM_IOCTL_ZHOUYI_RESET,
		  &(struct drm_zhouyi_reset){.kind = DRM_ZHOUYI_RESET_FULL});
	close(fd);
}

TEST(a_lost_interrupt_does_not_lose_the_job)
{
	struct npu npu = npu_open();
	struct drm_zhouyi_stats_info before = npu_stats(&npu);
	struct job job = job_copy(&npu, 1);

	job.submit.timeout_ms = SHORT_MS;
	sim("lose_irq", "1");
	job_run(&job, DONE);
	check(job_has_copied(&job));
	check_eq(npu_stats(&npu).lost_interrupts - before.lost_interrupts, 1);
	device_works(&npu);
}

TEST(a_device_that_hangs_by_itself_is_recovered)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);

	job.submit.timeout_ms = SHORT_MS;
	sim("hang", "1");
	job_run(&job, DRM_ZHOUYI_RESULT_TIMEOUT);
	device_works(&npu);
}

TEST(a_bus_error_is_a_fault_of_that_job)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);

	sim("bus_error", "1");
	job_run(&job, DRM_ZHOUYI_RESULT_FAULT);
	sim("bus_error", "0");
	device_works(&npu);
}

TEST(an_abort_that_fails_is_followed_by_a_reset)
{
	struct npu npu = npu_open();
	struct drm_zhouyi_stats_info before = npu_stats(&npu);
	struct job job = job_hang(&npu, 1);

	job.submit.timeout_ms = SHORT_MS;
	sim("fail_abort", "1");
	job_run(&job, DRM_ZHOUYI_RESULT_TIMEOUT);
	sim("fail_abort", "0");
	check(npu_stats(&npu).soft_resets > before.soft_resets);
	device_works(&npu);
}

TEST(a_soft_reset_that_fails_is_followed_by_a_full_one)
{
	struct npu npu = npu_open();
	struct drm_zhouyi_stats_info before = npu_stats(&npu);
	struct job job = job_hang(&npu, 1);

	job.submit.timeout_ms = SHORT_MS;
	sim("fail_abort", "1");
	sim("fail_reset", "1");
	job_run(&job, DRM_ZHOUYI_RESULT_TIMEOUT);
	sim("fail_abort", "0");
	sim("fail_reset", "0");
	check(npu_stats(&npu).full_resets > before.full_resets);
	device_works(&npu);
}

TEST(a_device_that_does_not_recover_says_so_until_a_reset_helps)
{
	struct npu npu = npu_open();
	struct job job = job_hang(&npu, 1), next = job_copy(&npu, 2);

	job.submit.timeout_ms = SHORT_MS;
	job.submit.core_mask = next.submit.core_mask = 1;
	job_submit(&job);
	job_submit(&next);
	/* Now, that it is awake: waking up is a reset, too. */
	sim("fail_abort", "1000");
	sim("fail_reset", "1000");
	for (int i = 0; i < 2; i++) {
		struct drm_zhouyi_event event = event_next(&npu, 20000);

		check(event.result == DRM_ZHOUYI_RESULT_LOST ||
		      (event.cookie == 1 && event.result == DRM_ZHOUYI_RESULT_TIMEOUT));
	}
	/* From now on, no. */
	job_rewind(&next);
	check_eq(job_try_submit(&next), -EIO);
	check_eq(reset(&npu, DRM_ZHOUYI_RESET_FULL), -EIO);
	check_eq(job_try_submit(&next), -EIO);
	sim("fail_abort", "0");
	sim("fail_reset", "0");
	check_eq(reset(&npu, DRM_ZHOUYI_RESET_FULL), 0);
	device_works(&npu);
}
