/* SPDX-License-Identifier: Apache-2.0 */
/* What the device says about itself, and the file it is. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kernel/device.h"

TEST(the_node_is_an_accel_device)
{
	struct stat st;

	check_eq(stat("/dev/accel/accel0", &st), 0);
	check(S_ISCHR(st.st_mode));
	check_eq(major(st.st_rdev), 261);
}

TEST(the_driver_has_a_name)
{
	char name[32] = "";
	struct drm_version version = {.name = name, .name_len = sizeof(name) - 1};
	struct npu npu = npu_open();

	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_VERSION, &version), 0);
	check_eq(strcmp(name, "zhouyi"), 0);
}

TEST(the_simulated_device_is_an_x2_with_three_cores_of_a_software_npu)
{
	struct npu npu = npu_open();

	check_eq(npu.info.generation, DRM_ZHOUYI_V3);
	check_eq(npu.info.arch, DRM_ZHOUYI_ARCH_SOFT);
	check_eq(npu.info.version, 5);
	check_eq(npu.info.config, 1204);
	check_eq(npu.info.partitions, 1);
	check_eq(npu.info.clusters, 1);
	check_eq(npu.info.cores, 3);
	check_eq(npu.info.tecs, 4);
	check_eq(npu.partition.core_mask, 7);
	check(npu.info.max_jobs >= 6);
	check(npu.info.priorities >= 4);
	check(npu.info.job_timeout_ms > 0);
}

TEST_QUIET(every_question_tells_how_long_its_answer_is)
{
	struct npu npu = npu_open();

	for (uint32_t type = 0; type <= DRM_ZHOUYI_QUERY_STATS; type++) {
		struct drm_zhouyi_query query = {.type = type};

		check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_QUERY, &query), 0);
		check(query.size > 0);
		check_eq(query.size % 4, 0);
	}
}

TEST_QUIET(an_answer_is_cut_to_the_size_of_the_question)
{
	struct npu npu = npu_open();
	uint8_t full[sizeof(npu.info)], part[sizeof(npu.info) + 64];

	memcpy(full, &npu.info, sizeof(full));
	for (uint32_t size = 0; size < sizeof(full); size++) {
		struct drm_zhouyi_query query = {
			.type = DRM_ZHOUYI_QUERY_DEVICE, .size = size, .pointer = (uintptr_t)part};

		memset(part, 0xa5, sizeof(part));
		check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_QUERY, &query), 0);
		check_eq(memcmp(part, full, size), 0);
		for (uint32_t i = size; i < sizeof(part); i++)
			check_eq(part[i], 0xa5);
	}
}

TEST_QUIET(what_an_older_kernel_does_not_know_reads_as_zero)
{
	struct npu npu = npu_open();
	uint8_t answer[sizeof(npu.info) + 64];
	struct drm_zhouyi_query query = {.type = DRM_ZHOUYI_QUERY_DEVICE,
					 .size = sizeof(answer),
					 .pointer = (uintptr_t)answer};

	memset(answer, 0xa5, sizeof(answer));
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_QUERY, &query), 0);
	check_eq(query.size, sizeof(npu.info));
	for (size_t i = sizeof(npu.info); i < sizeof(answer); i++)
		check_eq(answer[i], 0);
}

TEST_QUIET(elements_of_a_list_are_cut_and_extended_too)
{
	struct npu npu = npu_open();
	struct drm_zhouyi_zone_info zone;
	uint8_t answer[1024];
	struct drm_zhouyi_query query = {.type = DRM_ZHOUYI_QUERY_ZONES,
					 .size = sizeof(answer),
					 .pointer = (uintptr_t)answer,
					 .stride = sizeof(zone) + 8};

	memset(answer, 0xa5, sizeof(answer));
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_QUERY, &query), 0);
	check_eq(query.stride, sizeof(zone));
	check_eq(query.size, npu.info.zones * (sizeof(zone) + 8));
	for (uint32_t i = 0; i < npu.info.zones; i++) {
		uint64_t extension;

		memcpy(&zone, answer + i * (sizeof(zone) + 8), sizeof(zone));
		memcpy(&extension, answer + i * (sizeof(zone) + 8) + sizeof(zone), 8);
		check(zone.size > 0);
		check_eq(zone.pad, 0);
		check_eq(extension, 0);
	}
	/* Only the first word of each */
	query = (struct drm_zhouyi_query){.type = DRM_ZHOUYI_QUERY_ZONES,
					  .size = sizeof(answer),
					  .pointer = (uintptr_t)answer,
					  .stride = 4};
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_QUERY, &query), 0);
	check_eq(query.size, npu.info.zones * 4);
}

TEST_QUIET(hostile_questions_are_refused)
{
	struct npu npu = npu_open();
	static const uint32_t strides[] = {1, 2, 3, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
	struct drm_zhouyi_query query = {.type = 5};

	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_QUERY, &query), -EINVAL);
	query = (struct drm_zhouyi_query){.type = 0xffffffff};
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_QUERY, &query), -EINVAL);
	query = (struct drm_zhouyi_query){.type = 0, .pad = 1};
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_QUERY, &query), -EINVAL);
	/* Nothing is mapped there. */
	for (uint32_t type = 0; type <= DRM_ZHOUYI_QUERY_STATS; type++) {
		query = (struct drm_zhouyi_query){.type = type, .size = 4096, .pointer = 8};
		check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_QUERY, &query), -EFAULT);
		query = (struct drm_zhouyi_query){
			.type = type, .size = 0xffffffff, .pointer = UINT64_MAX - 8};
		check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_QUERY, &query), -EFAULT);
	}
	/* Sizes whose product does not fit: any clean answer will do, but no more than asked for.
	 */
	for (size_t i = 0; i < sizeof(strides) / sizeof(strides[0]); i++) {
		uint8_t answer[64];

		memset(answer, 0xa5, sizeof(answer));
		query = (struct drm_zhouyi_query){.type = DRM_ZHOUYI_QUERY_ZONES,
						  .size = 16,
						  .pointer = (uintptr_t)answer,
						  .stride = strides[i]};
		npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_QUERY, &query);
		for (size_t j = 16; j < sizeof(answer); j++)
			check_eq(answer[j], 0xa5);
	}
}

TEST_QUIET(commands_that_do_not_exist_are_refused)
{
	struct npu npu = npu_open();
	uint8_t arg[16384] = {0};

	for (unsigned int nr = DRM_ZHOUYI_RESET + 1; DRM_COMMAND_BASE + nr < DRM_COMMAND_END; nr++)
		check_eq(npu_ioctl(npu.fd, DRM_IOWR(DRM_COMMAND_BASE + nr, uint64_t), arg),
			 -EINVAL);
	check_eq(npu_ioctl(npu.fd, _IOWR('x', DRM_COMMAND_BASE, uint64_t), arg), -ENOTTY);
}

TEST_QUIET(arguments_of_any_length_are_read_as_the_struct_they_begin)
{
	struct npu npu = npu_open();
	uint8_t arg[16384];

	/* The size is part of the number. Shorter: the rest is 0. Longer: the rest does not count.
	 */
	for (unsigned int size = 0; size < 256; size++) {
		for (unsigned int nr = 0; nr <= DRM_ZHOUYI_RESET; nr++) {
			unsigned long request =
				_IOC(_IOC_READ | _IOC_WRITE, 'd', DRM_COMMAND_BASE + nr, size);

			if (nr == DRM_ZHOUYI_RESET)
				continue;
			memset(arg, 0xff, sizeof(arg));
			check(npu_ioctl(npu.fd, request, arg) < 0 || size < 8);
		}
	}
	for (unsigned int nr = 0; nr <= DRM_ZHOUYI_RESET; nr++)
		check_eq(npu_ioctl(npu.fd, DRM_IOWR(DRM_COMMAND_BASE + nr, uint64_t), NULL),
			 -EFAULT);
}

TEST_QUIET(graphics_and_modesetting_are_not_to_be_had)
{
	struct npu npu = npu_open();
	uint8_t arg[256] = {0};

	check(npu_ioctl(npu.fd, DRM_IOWR(0xa0, arg), arg) < 0); /* MODE_GETRESOURCES */
	check(npu_ioctl(npu.fd, DRM_IOWR(0xb2, arg), arg) < 0); /* MODE_CREATE_DUMB */
}

TEST_QUIET(the_device_has_one_owner_at_a_time)
{
	struct npu npu = npu_open();
	int again = open("/dev/accel/accel0", O_RDWR | O_CLOEXEC);

	check(again < 0);
	check_eq(errno, EBUSY);
	/* A copy of the descriptor keeps it, ... */
	again = dup(npu.fd);
	close(npu.fd);
	check(open("/dev/accel/accel0", O_RDWR | O_CLOEXEC) < 0);
	check_eq(errno, EBUSY);
	/* ... and the last one to go frees it. */
	close(again);
	npu = npu_open();
}

TEST_QUIET(a_child_that_inherits_the_device_keeps_it)
{
	struct npu npu = npu_open();
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct job job = job_copy(&npu, 1);

		job_run(&job, DRM_ZHOUYI_RESULT_DONE);
		_exit(job_has_copied(&job) ? 0 : 1);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	check_eq(status, 0);
}

TEST_QUIET(the_owner_sees_what_it_uses)
{
	struct npu npu = npu_open();
	struct job job = job_delay(&npu, 3000, 1);
	char path[64], text[4096];
	FILE *file;
	size_t n;

	job_run(&job, DRM_ZHOUYI_RESULT_DONE);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", npu.fd);
	file = fopen(path, "r");
	check(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	check(strstr(text, "drm-driver:\tzhouyi"));
	check(strstr(text, "drm-client-id:\t"));
	check(strstr(text, "drm-engine-"));
	check(strstr(text, "drm-total-") || strstr(text, "drm-memory-"));
	/* The job ran for 3 ms, and some core says so. */
	uint64_t busy = 0;

	for (char *p = text; (p = strstr(p, "drm-engine-")); p++)
		if (strncmp(p, "drm-engine-capacity", 19))
			busy += strtoull(strchr(p, ':') + 1, NULL, 10);
	check(busy >= 3000000 && busy < 30000000000);
}

TEST_QUIET(reading_without_events_does_not_block_when_told_not_to)
{
	struct npu npu = npu_open();
	char buffer[4096];

	check_eq(fcntl(npu.fd, F_SETFL, fcntl(npu.fd, F_GETFL) | O_NONBLOCK), 0);
	check_eq(read(npu.fd, buffer, sizeof(buffer)), -1);
	check_eq(errno, EAGAIN);
	check(!event_waits(&npu, 0));
}

TEST_QUIET(writing_and_mapping_what_is_no_buffer_fail)
{
	struct npu npu = npu_open();
	static const uint64_t offsets[] = {0, 4096, 1ull << 32, 0x100000ull << 12, 1ull << 62};

	check(write(npu.fd, "x", 1) < 0);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		check(mmap(NULL, 4096, PROT_READ, MAP_SHARED, npu.fd, (off_t)offsets[i]) ==
		      MAP_FAILED);
}

/*
 * What debugfs tells
 */

static void debugfs_read(const char *name, char *text, size_t size)
{
	char path[80];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/sys/kernel/debug/accel/zhouyi-soft/%s", name);
	file = fopen(path, "r");
	check(file);
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	fclose(file);
}

TEST_QUIET(the_state_of_every_job_can_be_looked_at)
{
	struct npu npu = npu_open();
	struct job first = job_hang(&npu, 0x111), second = job_copy(&npu, 0x222);
	char text[4096];

	first.submit.core_mask = second.submit.core_mask = 2;
	job_submit(&first);
	job_submit(&second);
	sleep_ms(100);
	debugfs_read("status", text, sizeof(text));
	check(strstr(text, "0x111: running core 1\n"));
	check(strstr(text, "0x222: queued core 1\n"));
	check(strstr(text, "powered: 1\n"));
	check(strstr(text, "wedged: 0\n"));
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_ABORT,
			   &(struct drm_zhouyi_abort){.cookie = 0x111}),
		 0);
	event_expect(&npu, 0x111, DRM_ZHOUYI_RESULT_ABORTED);
	event_expect(&npu, 0x222, DRM_ZHOUYI_RESULT_DONE);
	check_eq(bo_wait(&second.bo, 10000), 0);
	debugfs_read("status", text, sizeof(text));
	check(!strstr(text, "running") && !strstr(text, "queued"));
}

TEST_QUIET(registers_are_looked_at_only_while_there_is_power)
{
	struct npu npu = npu_open();
	struct job hang = job_hang(&npu, 1);
	char text[8192], revision[40];

	job_submit(&hang);
	snprintf(revision, sizeof(revision), "0x0050: 0x%08x\n", npu.info.revision);
	debugfs_read("registers", text, sizeof(text));
	check(strstr(text, revision));
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_ABORT, &(struct drm_zhouyi_abort){.cookie = 1}),
		 0);
	event_expect(&npu, 1, DRM_ZHOUYI_RESULT_ABORTED);
	sleep_ms(1500);
	debugfs_read("registers", text, sizeof(text));
	check_eq(text[0], '\0');
}
