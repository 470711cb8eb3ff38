/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job after another. A driver that links jobs behind each other in a command pool, and
 * destroys the pool when it seems idle, hangs at the second job of some sequences: with a gap
 * after the first, without one, or where the device went to sleep in between. Here every job is
 * a chain of its own, so that no sequence may hang. These are the sequences.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/kernel/device.h"

#define POWER "/sys/class/accel/accel0/device/power/"

static unsigned int autosuspend_ms(void)
{
	long long ms = file_number(POWER "autosuspend_delay_ms");

	return ms > 0 ? (unsigned int)ms : 0;
}

static void run_one(struct npu *npu, struct job *job, uint64_t cookie)
{
	job_rewind(job);
	job->submit.cookie = cookie;
	job_submit(job);
	event_expect(npu, cookie, DRM_ZHOUYI_RESULT_DONE);
	check(job_has_copied(job));
}

/* No job took a timeout, an abort or a reset to end. */
static void nothing_went_wrong(struct npu *npu, const struct drm_zhouyi_stats_info *before)
{
	struct drm_zhouyi_stats_info now = npu_stats(npu);

	check_eq(now.timeouts, before->timeouts);
	check_eq(now.aborts, before->aborts);
	check_eq(now.soft_resets, before->soft_resets);
	check_eq(now.full_resets, before->full_resets);
	check_eq(now.lost_interrupts, before->lost_interrupts);
	check_eq(now.jobs_failed, before->jobs_failed);
}

TEST_QUIET(single_jobs_with_gaps_never_hang)
{
	struct npu npu = npu_open();
	struct drm_zhouyi_stats_info before = npu_stats(&npu);
	struct job job = job_copy(&npu, 1);
	unsigned int longest = autosuspend_ms() * 3 + 50;

	for (unsigned int i = 0; i < 25; i++) {
		run_one(&npu, &job, i + 1);
		sleep_ms(longest * (i % 5) / 10);
	}
	nothing_went_wrong(&npu, &before);
}

TEST_QUIET(single_jobs_back_to_back_never_hang)
{
	struct npu npu = npu_open();
	struct drm_zhouyi_stats_info before = npu_stats(&npu);
	struct job job = job_copy(&npu, 1);

	for (unsigned int i = 0; i < 400; i++)
		run_one(&npu, &job, i + 1);
	nothing_went_wrong(&npu, &before);
	check_eq(npu_stats(&npu).jobs_done - before.jobs_done, 400);
}

TEST_QUIET(jobs_that_pile_up_never_hang)
{
	enum { DEPTH = 6 };
	struct npu npu = npu_open();
	struct drm_zhouyi_stats_info before = npu_stats(&npu);
	struct job job[DEPTH];
	unsigned int sent = 0, seen = 0;

	for (unsigned int i = 0; i < DEPTH; i++)
		job[i] = job_copy(&npu, i + 1);
	for (; sent < DEPTH; sent++)
		job_submit(&job[sent]);
	while (seen < 400) {
		struct drm_zhouyi_event event = event_next(&npu, 10000);
		struct job *j = &job[(event.cookie - 1) % DEPTH];

		check_eq(event.result, DRM_ZHOUYI_RESULT_DONE);
		check(job_has_copied(j));
		seen++;
		if (sent >= 400)
			continue;
		job_rewind(j);
		j->submit.priority = sent % npu.info.priorities;
		j->submit.core_mask = 1 + sent % 7;
		job_submit(j);
		sent++;
	}
	nothing_went_wrong(&npu, &before);
}

TEST_QUIET(bursts_and_gaps_and_chains_of_any_length_never_hang)
{
	struct npu npu = npu_open();
	struct drm_zhouyi_stats_info before = npu_stats(&npu);
	unsigned int gap = autosuspend_ms() * 2 + 20;
	uint32_t random = 12345;
	struct job job[6];

	for (unsigned int i = 0; i < 6; i++) {
		npu.image.groups = 1 + i % 3;
		job[i] = job_delay(&npu, i * 500, i + 1);
		job[i].submit.group_count = npu.image.groups;
	}
	for (unsigned int round = 0; round < 30; round++) {
		unsigned int n;

		random = random * 1103515245 + 12345;
		n = 1 + (random >> 16) % 6;
		for (unsigned int i = 0; i < n; i++) {
			npu.image.groups = 1 + i % 3;
			job_rewind(&job[i]);
			job_submit(&job[i]);
		}
		for (unsigned int i = 0; i < n; i++)
			check_eq(event_next(&npu, 10000).result, DRM_ZHOUYI_RESULT_DONE);
		for (unsigned int i = 0; i < n; i++)
			check(job_has_copied(&job[i]));
		if (round % 3 == 0)
			sleep_ms((random >> 20) % (gap + 1));
	}
	nothing_went_wrong(&npu, &before);
}

TEST_QUIET(a_job_after_each_kind_of_failure_never_hangs)
{
	struct npu npu = npu_open();
	struct drm_zhouyi_stats_info before = npu_stats(&npu);
	struct job good = job_copy(&npu, 1);
	struct job bad[3];

	for (unsigned int i = 0; i < 3; i++)
		bad[i] = job_fault(&npu, i, 10 + i);
	for (unsigned int i = 0; i < 30; i++) {
		struct job *job = &bad[i % 3];

		job_rewind(job);
		job_run(job, DRM_ZHOUYI_RESULT_EXCEPTION + i % 3);
		if (i % 5 == 0)
			sleep_ms(autosuspend_ms() + 20);
		run_one(&npu, &good, i + 100);
	}
	check_eq(npu_stats(&npu).jobs_failed - before.jobs_failed, 30);
	check_eq(npu_stats(&npu).timeouts, before.timeouts);
}

TEST_QUIET(the_device_sleeps_between_jobs_and_wakes_for_them)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);
	unsigned int delay = autosuspend_ms();
	long long suspended = file_number(POWER "runtime_suspended_time");

	if (suspended < 0)
		test_skip("this kernel has no runtime power management");
	for (unsigned int i = 0; i < 3; i++) {
		run_one(&npu, &job, i + 1);
		sleep_ms(delay + 300);
		check(file_number(POWER "runtime_suspended_time") > suspended);
		suspended = file_number(POWER "runtime_suspended_time");
	}
}
