/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs on the software device, and how it is opened. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/device.h"
#include "npu/engine.h"
#include "proto/entry.h"
#include "tests/unit/daemon/hand_job.h"

/*
 * Jobs
 */

Test(device_soft, a_job_runs_and_reports_once)
{
	struct device *device = hand_device(3);
	struct hand_job hand;
	struct device_event event;

	hand_job_init(&hand, device, hand_copy_program(), 1, true);
	for (int i = 0; i < 4096; i++)
		hand.in->cpu[i] = (uint8_t)(i * 7);
	hand.job.cookie = 0xfeedfacecafe;
	cr_expect_not(hand_is_readable(device));
	event = hand_run(&hand);
	cr_expect_eq(event.cookie, 0xfeedfacecafe);
	cr_expect_eq(event.result, DEVICE_DONE);
	cr_expect_gt(event.run_ns, 0);
	cr_expect_eq(event.cores, 1);
	cr_expect_eq(event.fault.class, ZY_FAULT_NONE);
	cr_expect_eq(memcmp(hand.in->cpu, hand.out->cpu, 4096), 0);
	cr_expect_not(hand_is_readable(device), "the descriptor is drained");
	cr_expect_eq(device_collect(device, &event, 1), 0);
	cr_expect_eq(hand_counter(device, "jobs"), 1);
	cr_expect_eq(hand_counter(device, "groups"), 1);
	cr_expect_eq(hand_counter(device, "tasks"), 4);
	cr_expect_eq(hand_counter(device, "instructions"), 2);
	cr_expect_eq(hand_counter(device, "tcbs"), 1 + 2 + 4);
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft, several_groups_report_when_the_last_is_done)
{
	struct device *device = hand_device(3);
	struct hand_job hand;
	struct device_event event;

	for (int in_order = 0; in_order < 2; in_order++) {
		hand_job_init(&hand, device, hand_program(NPU_OP_DELAY, 20000), 3, in_order);
		event = hand_run(&hand);
		cr_expect_eq(event.result, DEVICE_DONE);
		cr_expect_geq(event.run_ns, (in_order ? 60 : 20) * 1000000);
		if (!in_order)
			cr_expect_eq(event.cores, 7, "all at once");
		hand_job_finish(&hand);
	}
	cr_expect_eq(hand_counter(device, "groups"), 6);
	device_close(device);
}

/* The walker takes nothing but what makes sense, so it must make sense in all shapes. */
Test(device_soft, chains_of_all_shapes_run)
{
	static const uint32_t bss[] = {0, 1, 1, 0};
	static const int32_t dependencies[] = {0, 1, GRAPH_DEPENDS_ON_ALL};
	unsigned int state = hand_seed();

	for (int round = 0; round < 150; round++) {
		unsigned int cores = 1 + (unsigned int)rand_r(&state) % 15;
		unsigned int tecs = 1 + (unsigned int)rand_r(&state) % 15;
		unsigned int n = 1 + (unsigned int)rand_r(&state) % 4;
		struct device_soft_config config = {1, 1, cores, tecs, UINT64_C(1) << 20, NULL};
		struct graph_subgraph subgraphs[4] = {0};
		struct device_event event;
		struct device *device;
		struct hand_job hand;
		const char *reason;

		for (unsigned int i = 0; i < n; i++) {
			subgraphs[i].bss = bss[i];
			subgraphs[i].dependency = dependencies[rand_r(&state) % 3];
			subgraphs[i].printf_size = (uint32_t)rand_r(&state) % 2;
			subgraphs[i].private_size = (uint32_t)rand_r(&state) % 2;
		}
		cr_assert_eq(device_open(&device, "soft", &config, &reason), 0);
		hand_job_init(&hand, device, hand_program(NPU_OP_DELAY, 1), 1, true);
		*hand_job_insn(&hand, 1) = hand_insn(NPU_OP_END, 0);
		hand_job_chain(&hand, subgraphs, n);
		event = hand_run(&hand);
		cr_assert_eq(event.result, DEVICE_DONE, "%u cores, %u TECs, %u groups: %s", cores,
			     tecs, n, npu_reason_name((enum npu_reason)event.fault.code));
		cr_assert_eq(hand_counter(device, "groups"), n);
		cr_assert_eq(hand_counter(device, "tasks"), n * tecs);
		hand_job_finish(&hand);
		device_close(device);
	}
}

Test(device_soft, core_masks_are_honoured)
{
	struct device *device = hand_device(3);
	struct hand_job hand;

	hand_job_init(&hand, device, hand_copy_program(), 1, true);
	for (int i = 0; i < 30; i++) {
		hand.job.core_mask = UINT64_C(1) << i % 3;
		cr_expect_eq(hand_run(&hand).cores, UINT64_C(1) << i % 3);
	}
	hand.job.core_mask = 6;
	cr_expect_eq(hand_run(&hand).cores & ~UINT64_C(6), 0);
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft, each_core_counts_the_jobs_of_which_it_ran_something)
{
	const struct device_soft_config config = {1, 8, 8, 1, 1u << 20, NULL};
	struct device *device = hand_device(3), *large;
	const char *why;
	struct hand_job hand;

	hand_job_init(&hand, device, hand_copy_program(), 4, true);
	for (int i = 0; i < 5; i++) {
		hand.job.core_mask = i < 2 ? 1 : 4;
		hand_run(&hand);
	}
	cr_expect_eq(hand_counter(device, "core 0 jobs"), 2, "groups do not count");
	cr_expect_eq(hand_counter(device, "core 1 jobs"), 0);
	cr_expect_eq(hand_counter(device, "core 2 jobs"), 3);
	hand_job_finish(&hand);
	cr_assert_eq(device_reset(device), 0);
	cr_expect_eq(hand_counter(device, "core 2 jobs"), 3, "a reset forgets nothing");
	device_close(device);
	cr_assert_eq(device_open(&large, "soft", &config, &why), 0);
	cr_expect_eq(hand_counter(large, "core 63 jobs"), 0);
	device_close(large);
}

Test(device_soft, what_makes_no_sense_is_not_taken)
{
	struct device *device = hand_device(2);
	struct device *other = hand_device(1);
	struct hand_job hand, stranger;
	struct device_event event;

	hand_job_init(&hand, device, hand_copy_program(), 1, true);
	hand_job_init(&stranger, other, hand_copy_program(), 1, true);
	hand.job.core_mask = 0;
	cr_expect_eq(device_submit(device, &hand.job), -EINVAL);
	hand.job.core_mask = 4;
	cr_expect_eq(device_submit(device, &hand.job), -EINVAL);
	hand.job.core_mask = 5;
	cr_expect_eq(device_submit(device, &hand.job), -EINVAL);
	hand.job.core_mask = 3;
	hand.ranges[HAND_R_IN].size = 4097;
	cr_expect_eq(device_submit(device, &hand.job), -EINVAL);
	hand.ranges[HAND_R_IN] = (struct device_range){hand.in, 4096, 4096, DEVICE_ACCESS_READ};
	cr_expect_eq(device_submit(device, &hand.job), -EINVAL);
	hand.ranges[HAND_R_IN] = (struct device_range){hand.in, UINT64_MAX, 2, DEVICE_ACCESS_READ};
	cr_expect_eq(device_submit(device, &hand.job), -EINVAL);
	hand.ranges[HAND_R_IN] = (struct device_range){stranger.in, 0, 4096, DEVICE_ACCESS_READ};
	cr_expect_eq(device_submit(device, &hand.job), -EINVAL);
	cr_expect_eq(device_collect(device, &event, 1), 0);
	cr_expect_eq(hand_counter(device, "jobs"), 0);
	hand_job_finish(&hand);
	hand_job_finish(&stranger);
	device_close(device);
	device_close(other);
}

Test(device_soft, a_delay_occupies_the_core_and_not_the_processor)
{
	struct device *device = hand_device(1);
	struct hand_job hand;
	struct device_event event;
	uint64_t cpu = hand_clock_ms(CLOCK_PROCESS_CPUTIME_ID);

	hand_job_init(&hand, device, hand_program(NPU_OP_DELAY, 300000), 1, true);
	event = hand_run(&hand);
	cpu = hand_clock_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	cr_expect_eq(event.result, DEVICE_DONE);
	cr_expect_geq(event.run_ns, 300000000);
	cr_expect_lt(cpu, 100, "%llu ms of processor time", (unsigned long long)cpu);
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft, more_jobs_than_it_takes_are_refused_until_one_is_collected)
{
	struct device *device = hand_device(3);
	struct hand_job hand[8];
	struct device_event events[8];
	size_t submitted = 0, collected = 0;
	unsigned int seen = 0;

	cr_assert_eq(device->caps.depth, 6);
	for (size_t i = 0; i < 8; i++) {
		hand_job_init(&hand[i], device, hand_program(NPU_OP_DELAY, 5000), 1, true);
		hand[i].job.cookie = i;
	}
	while (submitted < 6)
		cr_assert_eq(device_submit(device, &hand[submitted++].job), 0);
	cr_expect_eq(device_submit(device, &hand[6].job), -EAGAIN);
	while (collected < 8) {
		struct pollfd p = {.fd = device->fd, .events = POLLIN};
		size_t n;

		cr_assert_eq(poll(&p, 1, HAND_LONG_MS), 1);
		n = device_collect(device, events, 8);
		for (size_t i = 0; i < n; i++) {
			cr_expect_eq(events[i].result, DEVICE_DONE);
			cr_expect_not(seen & 1u << events[i].cookie, "reported twice");
			seen |= 1u << events[i].cookie;
			if (submitted < 8)
				cr_expect_eq(device_submit(device, &hand[submitted++].job), 0);
		}
		collected += n;
	}
	cr_expect_eq(seen, 0xff);
	for (size_t i = 0; i < 8; i++)
		hand_job_finish(&hand[i]);
	device_close(device);
}

/*
 * Aborts
 */

Test(device_soft, a_hanging_job_sleeps_until_it_is_aborted)
{
	struct device *device = hand_device(1);
	struct hand_job hang, next;
	struct device_event event;
	uint64_t cpu = hand_clock_ms(CLOCK_PROCESS_CPUTIME_ID);

	hand_job_init(&hang, device, hand_program(NPU_OP_HANG, 0), 1, true);
	hand_job_init(&next, device, hand_copy_program(), 1, true);
	hang.job.cookie = 1;
	next.job.cookie = 2;
	cr_assert_eq(device_submit(device, &hang.job), 0);
	cr_assert_eq(device_submit(device, &next.job), 0);
	cr_expect_not(hand_wait(device, &event, 200));
	cpu = hand_clock_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	cr_expect_lt(cpu, 100, "%llu ms of processor time", (unsigned long long)cpu);
	cr_expect_eq(device_abort(device, 3), -ENOENT);
	cr_expect_eq(device_abort(device, 1), 0);
	cr_assert(hand_wait(device, &event, HAND_LONG_MS));
	cr_expect_eq(event.cookie, 1);
	cr_expect_eq(event.result, DEVICE_ABORTED);
	cr_expect_geq(event.run_ns, 190000000);
	cr_assert(hand_wait(device, &event, HAND_LONG_MS));
	cr_expect_eq(event.cookie, 2, "the core goes on with the next job");
	cr_expect_eq(event.result, DEVICE_DONE);
	cr_expect_eq(device_abort(device, 1), -ENOENT);
	cr_expect_eq(hang.out->cpu[0], 0);
	cr_expect_eq(hand_counter(device, "aborts"), 1);
	hand_job_finish(&hang);
	hand_job_finish(&next);
	device_close(device);
}

Test(device_soft, a_job_that_waits_is_aborted_at_once)
{
	struct device *device = hand_device(1);
	struct hand_job hang, next;
	struct device_event event;

	hand_job_init(&hang, device, hand_program(NPU_OP_HANG, 0), 1, true);
	hand_job_init(&next, device, hand_copy_program(), 1, true);
	hang.job.cookie = 1;
	next.job.cookie = 2;
	cr_assert_eq(device_submit(device, &hang.job), 0);
	cr_assert_eq(device_submit(device, &next.job), 0);
	cr_expect_eq(device_abort(device, 2), 0);
	cr_assert_eq(device_collect(device, &event, 1), 1);
	cr_expect_eq(event.cookie, 2);
	cr_expect_eq(event.result, DEVICE_ABORTED);
	cr_expect_eq(event.cores, 0);
	cr_expect_eq(event.run_ns, 0);
	cr_expect_eq(device_abort(device, 1), 0);
	cr_assert(hand_wait(device, &event, HAND_LONG_MS));
	hand_job_finish(&hang);
	hand_job_finish(&next);
	device_close(device);
}

Test(device_soft, an_abort_that_comes_too_late_changes_nothing)
{
	struct device *device = hand_device(1);
	struct hand_job hand;
	struct device_event event;

	hand_job_init(&hand, device, hand_copy_program(), 1, true);
	cr_assert_eq(device_submit(device, &hand.job), 0);
	while (!hand_is_readable(device))
		usleep(1000);
	cr_expect_eq(device_abort(device, hand.job.cookie), 0);
	cr_assert_eq(device_collect(device, &event, 1), 1);
	cr_expect_eq(event.result, DEVICE_DONE);
	cr_expect_eq(device_collect(device, &event, 1), 0);
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft, a_reset_ends_everything_and_the_device_starts_afresh)
{
	struct device *device = hand_device(2);
	struct hand_job hand[4];
	struct device_event event;
	unsigned int seen = 0;

	for (size_t i = 0; i < 4; i++) {
		hand_job_init(&hand[i], device, hand_program(NPU_OP_HANG, 0), 2, false);
		hand[i].job.cookie = i;
		cr_assert_eq(device_submit(device, &hand[i].job), 0);
	}
	cr_expect_eq(device_reset(device), 0);
	for (size_t i = 0; i < 4; i++) {
		cr_assert(hand_wait(device, &event, HAND_LONG_MS));
		cr_expect_eq(event.result, DEVICE_ABORTED);
		seen |= 1u << event.cookie;
	}
	cr_expect_eq(seen, 0xf);
	*hand_job_insn(&hand[0], 0) = hand_insn(NPU_OP_DELAY, 1);
	cr_expect_eq(hand_run(&hand[0]).result, DEVICE_DONE);
	for (size_t i = 0; i < 4; i++)
		hand_job_finish(&hand[i]);
	device_close(device);
}

/*
 * Opening
 */

Test(device_soft, configurations_that_no_device_can_have_are_refused)
{
	static const struct device_soft_config bad[] = {
		{2, 1, 3, 4, 65536, NULL},
		{0, 1, 3, 4, 65536, NULL},
		{1, 0, 3, 4, 65536, NULL},
		{1, 9, 1, 4, 65536, NULL},
		{1, 1, 0, 4, 65536, NULL},
		{1, 1, 16, 4, 65536, NULL},
		{1, 8, 9, 4, 65536, NULL},
		{1, 1, 3, 0, 65536, NULL},
		{1, 1, 3, 16, 65536, NULL},
		{1, 1, 3, 4, 0, NULL},
		{1, 1, 3, 4, UINT64_C(3221225473), NULL},
	};
	struct device_soft_config good = {1, 8, 8, 15, UINT64_C(3) << 30, NULL};
	struct device *device = NULL;
	const char *reason;

	for (size_t i = 0; i < NPU_ARRAY_SIZE(bad); i++)
		cr_expect_eq(device_open(&device, "soft", &bad[i], &reason), -EINVAL, "%zu", i);
	cr_assert_eq(device_open(&device, "soft", &good, &reason), 0);
	cr_expect_eq(device->caps.cores, 64);
	cr_expect_eq(device->caps.depth, 128);
	device_close(device);
}

Test(device_soft, names_say_which_device)
{
	struct device_soft_config config = {1, 1, 3, 4, 65536, NULL};
	struct device *device = NULL;
	const char *reason = NULL;

	cr_expect_eq(device_open(&device, "hard", &config, &reason), -EINVAL);
	cr_expect_null(device);
	cr_expect_null(reason);
	cr_assert_eq(device_open(&device, "soft", &config, &reason), 0);
	cr_expect_not_null(reason);
	cr_expect_str_eq(device->caps.backend, "soft");
	cr_expect_str_eq(device->caps.target.name, "soft_X2_1204");
	cr_expect_eq(device->caps.target.architecture, NPU_ARCHITECTURE);
	cr_expect_eq(device->caps.placement, DEVICE_PLACEMENT_EXACT);
	cr_expect_eq(device->caps.tail_bytes, 0);
	device_close(device);
	device_close(NULL);
}

/* Whether the signals that a daemon gets are blocked, given a line of a status file. */
static bool blocks_signals(const char *line)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1};
	unsigned long long mask = strtoull(line + strlen("SigBlk:"), NULL, 16);

	for (size_t i = 0; i < NPU_ARRAY_SIZE(signals); i++)
		if (!(mask >> (signals[i] - 1) & 1))
			return false;
	return true;
}

/* How many threads have a name that begins like that; those that take signals count -100. */
static int count_threads(const char *prefix)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	char path[300], line[256];
	int n = 0;

	while ((entry = readdir(dir))) {
		bool ours = false, blocked = false;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
		f = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		while (f && fgets(line, sizeof(line), f)) {
			if (!strncmp(line, "Name:\t", 6))
				ours = !strncmp(line + 6, prefix, strlen(prefix));
			if (!strncmp(line, "SigBlk:", 7))
				blocked = blocks_signals(line);
		}
		if (f)
			fclose(f);
		if (ours)
			n += blocked ? 1 : -100;
	}
	closedir(dir);
	return n;
}

Test(device_soft, its_threads_have_names_take_no_signals_and_end)
{
	struct device *device = hand_device(3);
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), fd2;
	struct hand_job hand;

	close(fd);
	/* A thread that has not run yet has all signals blocked in any case. */
	hand_job_init(&hand, device, hand_copy_program(), 1, true);
	for (int i = 0; i < 3; i++) {
		hand.job.core_mask = UINT64_C(1) << i;
		cr_expect_eq(hand_run(&hand).result, DEVICE_DONE);
	}
	hand_job_finish(&hand);
	cr_expect_eq(count_threads("npu-core-"), 3);
	device_close(device);
	cr_expect_eq(count_threads("npu-core-"), 0);
	device = hand_device(3);
	device_close(device);
	fd2 = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_expect_leq(fd2, fd, "descriptors are closed");
	close(fd2);
}
