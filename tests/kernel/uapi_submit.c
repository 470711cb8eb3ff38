/* SPDX-License-Identifier: Apache-2.0 */
/* Submissions: what runs, where, in which order; and everything that is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/kernel/device.h"

#define DONE DRM_ZHOUYI_RESULT_DONE

TEST_QUIET(a_job_runs_and_its_event_says_so)
{
	struct npu npu = npu_open();
	struct job job = job_delay(&npu, 2000, 77);
	struct drm_zhouyi_event event = job_run(&job, DONE);

	check(job_has_copied(&job));
	check(event.device_ns >= 2000000 && event.device_ns < 20000000000);
	check(event.cores == 1 || event.cores == 2 || event.cores == 4);
	check_eq(event.flags, 0);
	check_eq(event.fault_class, 0);
	check_eq(event.fault_code, 0);
	check_eq(event.fault_address, 0);
	check(!event_waits(&npu, 50));
}

TEST_QUIET(a_job_runs_on_a_core_of_its_mask)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);

	for (uint64_t mask = 1; mask <= npu.partition.core_mask; mask++) {
		job.submit.core_mask = mask;
		uint64_t cores = job_run(&job, DONE).cores;

		check(cores != 0);
		if (npu.info.placement == DRM_ZHOUYI_PLACEMENT_EXACT)
			check_eq(cores & ~mask, 0);
		check(job_has_copied(&job));
		job_rewind(&job);
	}
}

TEST_QUIET(three_cores_run_three_jobs_at_once)
{
	struct npu npu = npu_open();
	struct job job[3];
	int64_t start;

	for (unsigned int i = 0; i < 3; i++) {
		job[i] = job_delay(&npu, 300000, i + 1);
		job[i].submit.core_mask = 1u << i;
	}
	start = now_ns();
	for (unsigned int i = 0; i < 3; i++)
		job_submit(&job[i]);
	for (unsigned int i = 0; i < 3; i++)
		check_eq(event_next(&npu, 10000).result, DONE);
	check(now_ns() - start < 750000000);
	for (unsigned int i = 0; i < 3; i++)
		check(job_has_copied(&job[i]));
}

TEST_QUIET(jobs_spread_over_the_cores_they_may_use)
{
	struct npu npu = npu_open();
	struct job job[3];
	uint64_t cores = 0;

	for (unsigned int i = 0; i < 3; i++) {
		job[i] = job_delay(&npu, 200000, i + 1);
		job_submit(&job[i]);
	}
	for (unsigned int i = 0; i < 3; i++)
		cores |= event_next(&npu, 10000).cores;
	check_eq(cores, 7);
}

TEST_QUIET(a_chain_of_several_groups_uses_all_cores)
{
	struct npu npu = npu_open();
	struct job job;
	struct drm_zhouyi_event event;

	npu.image.groups = 3;
	job = job_delay(&npu, 200000, 5);
	job.submit.group_count = 3;
	event = job_run(&job, DONE);
	check(job_has_copied(&job));
	check_eq(event.cores, 7);
	check(event.device_ns < 500000000);
	/* On one core they run one after the other. */
	job_rewind(&job);
	job.submit.core_mask = 2;
	event = job_run(&job, DONE);
	check(event.device_ns >= 600000000);
}

TEST_QUIET(an_urgent_job_overtakes_those_that_wait)
{
	enum { BACKLOG = 8 };
	struct npu npu = npu_open();
	struct job backlog[BACKLOG], urgent = job_copy(&npu, 100);
	unsigned int before = 0;

	for (unsigned int i = 0; i < BACKLOG; i++) {
		backlog[i] = job_delay(&npu, 100000, i + 1);
		backlog[i].submit.core_mask = 1;
		backlog[i].submit.priority = DRM_ZHOUYI_PRIORITY_LOW;
	}
	for (unsigned int i = 0; i < BACKLOG; i++)
		job_submit(&backlog[i]);
	urgent.submit.core_mask = 1;
	urgent.submit.priority = DRM_ZHOUYI_PRIORITY_REALTIME;
	job_submit(&urgent);
	while (event_next(&npu, 10000).cookie != 100)
		before++;
	/* One may run and a few may be with the device already. */
	check(before <= 4);
	for (; before < BACKLOG; before++)
		check_eq(event_next(&npu, 10000).result, DONE);
}

TEST_QUIET(jobs_of_one_priority_and_core_run_in_order)
{
	enum { N = 20 };
	struct npu npu = npu_open();

	for (uint32_t priority = 0; priority < npu.info.priorities; priority++) {
		struct job job[N];

		for (unsigned int i = 0; i < N; i++) {
			job[i] = job_copy(&npu, i + 1);
			job[i].submit.core_mask = 2;
			job[i].submit.priority = priority;
			job_submit(&job[i]);
		}
		for (unsigned int i = 0; i < N; i++)
			event_expect(&npu, i + 1, DONE);
		for (unsigned int i = 0; i < N; i++) {
			check(job_has_copied(&job[i]));
			job_destroy(&job[i]);
		}
	}
}

TEST_QUIET(two_jobs_on_their_way_cannot_have_the_same_cookie)
{
	struct npu npu = npu_open();
	struct job first = job_delay(&npu, 200000, 9), second = job_copy(&npu, 9);

	job_submit(&first);
	check_eq(job_try_submit(&second), -EEXIST);
	event_expect(&npu, 9, DONE);
	/* Whoever comes later may. */
	job_run(&second, DONE);
	check(job_has_copied(&second));
}

TEST_QUIET(only_so_many_jobs_are_taken_until_their_events_are_read)
{
	struct npu npu = npu_open();
	uint32_t max = npu.info.max_jobs;
	struct job *job = calloc(max + 1, sizeof(*job));

	for (uint32_t i = 0; i <= max; i++)
		job[i] = job_copy(&npu, i + 1);
	for (uint32_t i = 0; i < max; i++)
		job_submit(&job[i]);
	check_eq(job_try_submit(&job[max]), -EAGAIN);
	/* They are over, but nobody has read so. */
	for (uint32_t i = 0; i < max; i++)
		check_eq(bo_wait(&job[i].bo, 20000), 0);
	check_eq(job_try_submit(&job[max]), -EAGAIN);
	check_eq(event_next(&npu, 10000).result, DONE);
	job_submit(&job[max]);
	for (uint32_t i = 0; i < max; i++)
		check_eq(event_next(&npu, 10000).result, DONE);
	for (uint32_t i = 0; i <= max; i++)
		check(job_has_copied(&job[i]));
}

TEST_QUIET(many_events_can_be_read_at_once)
{
	struct npu npu = npu_open();
	struct drm_zhouyi_event events[8];
	struct job job[5];

	for (unsigned int i = 0; i < 5; i++) {
		job[i] = job_copy(&npu, i + 1);
		job_submit(&job[i]);
	}
	for (unsigned int i = 0; i < 5; i++)
		check_eq(bo_wait(&job[i].bo, 10000), 0);
	sleep_ms(50);
	check_eq(read(npu.fd, events, sizeof(events)), 5 * sizeof(events[0]));
	/* What is too small for one gives none and loses none. */
	job_rewind(&job[0]);
	job_submit(&job[0]);
	check(event_waits(&npu, 10000));
	check(read(npu.fd, events, sizeof(events[0]) - 1) <= 0);
	event_expect(&npu, 1, DONE);
}

TEST_QUIET(a_buffer_stays_while_a_job_uses_it)
{
	struct npu npu = npu_open();
	struct job job = job_delay(&npu, 300000, 3);
	struct bo other;

	job_submit(&job);
	check_eq(bo_wait(&job.bo, 0), -ETIMEDOUT);
	check_eq(gem_try_close(npu.fd, job.bo.handle), 0);
	/* Its memory must not go to somebody else. */
	for (int i = 0; i < 20; i++) {
		check_eq(bo_try_create(&npu, IMAGE_SIZE, 0, &other), 0);
		check(other.address + other.size <= job.bo.address ||
		      other.address >= job.bo.address + job.bo.size);
	}
	event_expect(&npu, 3, DONE);
	check(job_has_copied(&job)); /* through the mapping */
}

TEST_QUIET(waiting_for_a_buffer_waits_for_its_jobs)
{
	struct npu npu = npu_open();
	struct job job = job_delay(&npu, 200000, 3);
	struct drm_zhouyi_bo_wait past = {.handle = job.bo.handle, .timeout_ns = -1};
	int64_t start = now_ns();

	check_eq(bo_wait(&job.bo, 0), 0); /* nobody uses it */
	job_submit(&job);
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_BO_WAIT, &past), -ETIMEDOUT);
	past.timeout_ns = INT64_MIN;
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_BO_WAIT, &past), -ETIMEDOUT);
	past.timeout_ns = INT64_MAX;
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_BO_WAIT, &past), 0);
	check(now_ns() - start >= 190000000);
	check(job_has_copied(&job));
}

/*
 * What is refused. Each test starts from a submission that is good.
 */

static void refused(struct job *job, int error)
{
	check_eq(job_try_submit(job), error);
}

/* Change one field of a copy; the original must stay good. */
#define REFUSED(good, field, value, error)                                                         \
	do {                                                                                       \
		struct job changed_ = *(good);                                                     \
		changed_.submit.field = (value);                                                   \
		refused(&changed_, error);                                                         \
	} while (0)

static void still_works(struct job *job)
{
	check(!event_waits(job->bo.npu, 0));
	job_run(job, DONE);
	check(job_has_copied(job));
}

TEST_QUIET(addresses_outside_the_job_are_refused)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);
	struct bo other = bo_create(&npu, 8192);
	uint64_t size = job.image.n_tcbs * NPU_TCB_SIZE, end = job.bo.address + job.bo.size;
	const uint64_t bad[] = {0,
				1,
				job.bo.address - NPU_TCB_SIZE,
				job.bo.address + 1,
				job.bo.address + 64,
				end - size + NPU_TCB_SIZE,
				end - NPU_TCB_SIZE,
				end,
				other.address,
				job.bo.address + (1ull << 32),
				job.bo.address | 1ull << 63,
				UINT64_MAX - 127,
				UINT64_MAX};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		REFUSED(&job, head, bad[i], -EINVAL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (bad[i] >= job.image.head && bad[i] < job.image.head + size && bad[i] % 128 == 0)
			continue;
		REFUSED(&job, first_task, bad[i], -EINVAL);
		REFUSED(&job, last_task, bad[i], -EINVAL);
	}
	still_works(&job);
}

TEST_QUIET(impossible_counts_are_refused)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);
	static const uint32_t tcbs[] = {0,	    IMAGE_SIZE / NPU_TCB_SIZE + 1,
					0x02000000, 0x02000001,
					0x7fffffff, 0x80000000,
					0xffffffff};
	static const uint32_t groups[] = {0, 1000, 0x7fffffff, 0xffffffff};

	for (size_t i = 0; i < sizeof(tcbs) / sizeof(tcbs[0]); i++)
		REFUSED(&job, tcb_count, tcbs[i], -EINVAL);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		REFUSED(&job, group_count, groups[i], -EINVAL);
	REFUSED(&job, bo_count, 0, -EINVAL);
	still_works(&job);
}

TEST_QUIET(cores_partitions_priorities_and_flags_must_exist)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);

	REFUSED(&job, core_mask, 0, -EINVAL);
	REFUSED(&job, core_mask, 1ull << npu.info.cores, -EINVAL);
	REFUSED(&job, core_mask, npu.partition.core_mask | 1ull << 63, -EINVAL);
	REFUSED(&job, core_mask, UINT64_MAX, -EINVAL);
	REFUSED(&job, partition, npu.info.partitions, -EINVAL);
	REFUSED(&job, partition, 0xffffffff, -EINVAL);
	REFUSED(&job, priority, npu.info.priorities, -EINVAL);
	REFUSED(&job, priority, 0xffffffff, -EINVAL);
	for (int bit = 1; bit < 32; bit++)
		REFUSED(&job, flags, 1u << bit, -EINVAL);
	for (int bit = 0; bit < 32; bit++)
		REFUSED(&job, pad, 1u << bit, -EINVAL);
	still_works(&job);
}

TEST_QUIET(hostile_arrays_are_refused)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);
	static const uint32_t counts[] = {0x10000000, 0x20000001, 0x7fffffff, 0x80000000,
					  0xffffffff};
	struct job bad = job;

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		int r;

		bad = job;
		bad.submit.bos = (uintptr_t)&bad.use;
		bad.submit.bo_count = counts[i];
		r = npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_SUBMIT, &bad.submit);
		check(r == -EINVAL || r == -E2BIG);
		bad = job;
		bad.submit.in_syncs = (uintptr_t)&bad.use;
		bad.submit.in_sync_count = counts[i];
		r = job_try_submit(&bad);
		check(r == -EINVAL || r == -E2BIG || r == -EFAULT || r == -ENOENT);
		bad = job;
		bad.submit.out_syncs = (uintptr_t)&bad.use;
		bad.submit.out_sync_count = counts[i];
		r = job_try_submit(&bad);
		check(r == -EINVAL || r == -E2BIG || r == -EFAULT || r == -ENOENT);
	}
	static const uint32_t strides[] = {0, 1, 4, 7, 9, 0x10001, 0x7fffffff, 0xfffffffc};

	for (size_t i = 0; i < sizeof(strides) / sizeof(strides[0]); i++) {
		struct drm_zhouyi_sync sync = {.handle = 1};
		int r;

		bad = job;
		bad.submit.bo_stride = strides[i];
		r = job_try_submit(&bad);
		check(r == -EINVAL || r == -E2BIG || r == -EFAULT);
		bad = job;
		bad.submit.out_syncs = (uintptr_t)&sync;
		bad.submit.out_sync_count = 1;
		bad.submit.sync_stride = strides[i];
		r = job_try_submit(&bad);
		check(r == -EINVAL || r == -E2BIG || r == -EFAULT || r == -ENOENT);
	}
	still_works(&job);
}

TEST_QUIET(arrays_at_addresses_that_nobody_has_are_refused)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);
	static const uint64_t pointers[] = {0, 8, 1ull << 47, 1ull << 63, UINT64_MAX - 7};

	for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
		struct job bad = job;

		bad.submit.bos = pointers[i];
		check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_SUBMIT, &bad.submit), -EFAULT);
		bad = job;
		bad.submit.in_syncs = pointers[i];
		bad.submit.in_sync_count = 1;
		refused(&bad, -EFAULT);
		bad = job;
		bad.submit.out_syncs = pointers[i];
		bad.submit.out_sync_count = 1;
		refused(&bad, -EFAULT);
	}
	/* The second element is in a page that is not there. */
	uint8_t *page =
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct job bad = job;

	munmap(page + 4096, 4096);
	memcpy(page + 4096 - sizeof(bad.use), &bad.use, sizeof(bad.use));
	bad.submit.bos = (uintptr_t)(page + 4096 - sizeof(bad.use));
	bad.submit.bo_count = 2;
	refused(&bad, -EFAULT);
	still_works(&job);
}

TEST_QUIET(buffers_of_a_job_must_exist_and_have_known_flags)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1), bad = job;

	for (int bit = 2; bit < 32; bit++) {
		bad = job;
		bad.use.flags = 1u << bit;
		refused(&bad, -EINVAL);
	}
	static const uint32_t handles[] = {0, 2, 0xffffffff};

	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		struct drm_zhouyi_bo_use uses[] = {job.use, {.handle = handles[i]}};

		bad = job;
		bad.use.handle = handles[i];
		refused(&bad, -ENOENT);
		bad = job;
		bad.submit.bos = (uintptr_t)uses;
		bad.submit.bo_count = 2;
		refused(&bad, -ENOENT);
	}
	/* More than a job may have */
	struct drm_zhouyi_bo_use *uses = calloc(npu.info.max_bos + 1, sizeof(*uses));

	for (uint32_t i = 0; i <= npu.info.max_bos; i++)
		uses[i] = job.use;
	bad = job;
	bad.submit.bos = (uintptr_t)uses;
	bad.submit.bo_count = npu.info.max_bos + 1;
	check(job_try_submit(&bad) == -EINVAL);
	still_works(&job);
}

TEST_QUIET(longer_elements_are_taken_if_what_is_new_is_zero)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);
	struct {
		struct drm_zhouyi_bo_use use;
		uint64_t future;
	} uses[2] = {{job.use, 0}, {{.handle = job.bo.handle}, 0}};
	struct bo second = bo_create(&npu, 4096);
	int r;

	uses[1].use.handle = second.handle;
	job.submit.bos = (uintptr_t)uses;
	job.submit.bo_count = 2;
	job.submit.bo_stride = sizeof(uses[0]);
	job_run(&job, DONE);
	check(job_has_copied(&job));
	uses[1].future = 1;
	r = job_try_submit(&job);
	check(r == -EINVAL || r == -E2BIG);
}

TEST_QUIET(a_buffer_may_be_named_twice_or_is_refused_cleanly)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);
	struct drm_zhouyi_bo_use uses[] = {job.use, job.use};
	int r;

	job.submit.bos = (uintptr_t)uses;
	job.submit.bo_count = 2;
	r = job_try_submit(&job);
	check(r == 0 || r == -EINVAL);
	if (r == 0)
		event_expect(&npu, 1, DONE);
	uses[0].flags = DRM_ZHOUYI_BO_USE_SYNC_READ;
	uses[1].flags = DRM_ZHOUYI_BO_USE_SYNC_WRITE;
	job_rewind(&job);
	r = job_try_submit(&job);
	check(r == 0 || r == -EINVAL);
	if (r == 0)
		event_expect(&npu, 1, DONE);
}

TEST_QUIET(refused_submissions_leave_nothing_behind)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);

	/* Far more than events or jobs there is room for; the last thing checked fails, if any. */
	for (int i = 0; i < 500; i++) {
		struct drm_zhouyi_sync sync = {.handle = 12345};
		struct job bad = job;

		bad.submit.out_syncs = (uintptr_t)&sync;
		bad.submit.out_sync_count = 1;
		refused(&bad, -ENOENT);
	}
	still_works(&job);
}
