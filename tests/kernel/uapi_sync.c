/* SPDX-License-Identifier: Apache-2.0 */
/* Fences in and out: syncobjs, timelines, sync_files, and buffers shared with others. */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kernel/device.h"

#define DONE DRM_ZHOUYI_RESULT_DONE

static void wait_for(struct job *job, struct drm_zhouyi_sync *in)
{
	job->submit.in_syncs = (uintptr_t)in;
	job->submit.in_sync_count = 1;
}

static void signals(struct job *job, struct drm_zhouyi_sync *out)
{
	job->submit.out_syncs = (uintptr_t)out;
	job->submit.out_sync_count = 1;
}

TEST_QUIET(a_job_signals_a_syncobj)
{
	struct npu npu = npu_open();
	struct job job = job_delay(&npu, 100000, 1);
	struct drm_zhouyi_sync out = {.handle = syncobj_create(&npu, false)};

	signals(&job, &out);
	job_submit(&job);
	check_eq(syncobj_wait(&npu, out.handle, 0, 10), -ETIME);
	check_eq(syncobj_wait(&npu, out.handle, 0, 10000), 0);
	check(job_has_copied(&job));
	event_expect(&npu, 1, DONE);
}

TEST_QUIET(a_job_waits_for_a_point_that_comes_later)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);
	struct drm_zhouyi_sync in = {.handle = syncobj_create(&npu, false),
				     .flags = DRM_ZHOUYI_SYNC_TIMELINE,
				     .point = 5};
	struct drm_zhouyi_sync out = {.handle = syncobj_create(&npu, false)};
	struct job gate = job_delay(&npu, 100000, 2);
	struct drm_zhouyi_sync gate_out = in;

	signals(&gate, &gate_out);
	job_submit(&gate);
	wait_for(&job, &in);
	signals(&job, &out);
	job_submit(&job);
	check_eq(syncobj_wait(&npu, out.handle, 0, 10000), 0);
	event_expect(&npu, 2, DONE);
	event_expect(&npu, 1, DONE);
	check(job_has_copied(&job));
}

TEST_QUIET(twenty_jobs_run_along_a_timeline_whatever_their_priority)
{
	enum { N = 20 };
	struct npu npu = npu_open();
	uint32_t timeline = syncobj_create(&npu, false);
	struct drm_zhouyi_sync in[N], out[N];
	struct job job[N];

	for (unsigned int i = 0; i < N; i++) {
		job[i] = job_delay(&npu, 1000, i + 1);
		in[i] = (struct drm_zhouyi_sync){timeline, DRM_ZHOUYI_SYNC_TIMELINE, i};
		out[i] = (struct drm_zhouyi_sync){timeline, DRM_ZHOUYI_SYNC_TIMELINE, i + 1};
		job[i].submit.priority = (i * 7) % npu.info.priorities;
		if (i > 0)
			wait_for(&job[i], &in[i]);
		signals(&job[i], &out[i]);
		job_submit(&job[i]);
	}
	check_eq(syncobj_wait(&npu, timeline, N, 20000), 0);
	for (unsigned int i = 0; i < N; i++)
		event_expect(&npu, i + 1, DONE);
}

TEST_QUIET(a_sync_file_tells_that_a_job_is_over)
{
	struct npu npu = npu_open();
	struct job job = job_delay(&npu, 100000, 1), next = job_copy(&npu, 2);
	struct drm_zhouyi_sync out = {.handle = syncobj_create(&npu, false)};
	struct drm_zhouyi_sync in = {.handle = syncobj_create(&npu, false)};
	struct pollfd poller = {.events = POLLIN};

	signals(&job, &out);
	job_submit(&job);
	poller.fd = syncobj_export_sync_file(&npu, out.handle);
	check_eq(sync_file_status(poller.fd), 0);
	/* Another job waits for it. */
	syncobj_import_sync_file(&npu, in.handle, poller.fd);
	wait_for(&next, &in);
	job_submit(&next);
	check_eq(poll(&poller, 1, 10000), 1);
	check_eq(sync_file_status(poller.fd), 1);
	event_expect(&npu, 1, DONE);
	event_expect(&npu, 2, DONE);
	check(job_has_copied(&next));
}

TEST_QUIET(the_fence_of_a_failed_job_says_why)
{
	static const struct {
		enum npu_raise raise;
		uint16_t result;
		int status;
	} cases[] = {
		{NPU_RAISE_EXCEPTION, DRM_ZHOUYI_RESULT_EXCEPTION, -EINVAL},
		{NPU_RAISE_FAULT, DRM_ZHOUYI_RESULT_FAULT, -EFAULT},
		{NPU_RAISE_ERROR, DRM_ZHOUYI_RESULT_ERROR, -EIO},
	};
	struct npu npu = npu_open();

	for (size_t i = 0; i < 3; i++) {
		struct job job = job_fault(&npu, cases[i].raise, (uint32_t)i + 1);
		struct drm_zhouyi_sync out = {.handle = syncobj_create(&npu, false)};
		int fd;

		signals(&job, &out);
		job_run(&job, cases[i].result);
		fd = syncobj_export_sync_file(&npu, out.handle);
		check_eq(sync_file_end(fd), cases[i].status);
		close(fd);
	}
}

TEST_QUIET(many_syncobjs_can_be_named_at_once)
{
	enum { N = 16 };
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);
	struct drm_zhouyi_sync in[N], out[N];

	for (unsigned int i = 0; i < N; i++) {
		in[i] = (struct drm_zhouyi_sync){.handle = syncobj_create(&npu, true)};
		out[i] = (struct drm_zhouyi_sync){syncobj_create(&npu, false),
						  i % 2 ? DRM_ZHOUYI_SYNC_TIMELINE : 0, i % 2};
	}
	job.submit.in_syncs = (uintptr_t)in;
	job.submit.out_syncs = (uintptr_t)out;
	job.submit.in_sync_count = job.submit.out_sync_count = N;
	job_run(&job, DONE);
	for (unsigned int i = 0; i < N; i++)
		check_eq(syncobj_wait(&npu, out[i].handle, out[i].point, 1000), 0);
}

TEST_QUIET(hostile_syncs_are_refused)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);
	uint32_t handle = syncobj_create(&npu, true), empty = syncobj_create(&npu, false);
	static const uint32_t handles[] = {0, 1000, 0x80000000, 0xffffffff};
	struct drm_zhouyi_sync sync;

	for (int out = 0; out < 2; out++) {
		job.submit.in_sync_count = job.submit.out_sync_count = 0;
		if (out)
			signals(&job, &sync);
		else
			wait_for(&job, &sync);
		for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
			sync = (struct drm_zhouyi_sync){.handle = handles[i]};
			check_eq(job_try_submit(&job), -ENOENT);
		}
		for (int bit = 1; bit < 32; bit++) {
			sync = (struct drm_zhouyi_sync){.handle = handle, .flags = 1u << bit};
			check_eq(job_try_submit(&job), -EINVAL);
		}
		sync = (struct drm_zhouyi_sync){.handle = handle, .point = 1};
		check_eq(job_try_submit(&job), -EINVAL);
		sync = (struct drm_zhouyi_sync){.handle = handle,
						.flags = DRM_ZHOUYI_SYNC_TIMELINE};
		check_eq(job_try_submit(&job), -EINVAL);
	}
	/* Nothing to wait for: there is no fence in it. */
	job.submit.out_sync_count = 0;
	sync = (struct drm_zhouyi_sync){.handle = empty};
	wait_for(&job, &sync);
	check_eq(job_try_submit(&job), -EINVAL);
	sync = (struct drm_zhouyi_sync){empty, DRM_ZHOUYI_SYNC_TIMELINE, 100};
	check_eq(job_try_submit(&job), -EINVAL);
	job.submit.in_sync_count = 0;
	job_run(&job, DONE);
	check(job_has_copied(&job));
}

TEST_QUIET(a_job_that_waits_for_its_fence_can_be_aborted)
{
	struct npu npu = npu_open();
	struct job gate = job_delay(&npu, 400000, 1), job = job_copy(&npu, 2),
		   next = job_copy(&npu, 3);
	struct drm_zhouyi_sync sync = {.handle = syncobj_create(&npu, false)};
	struct drm_zhouyi_sync out = {.handle = syncobj_create(&npu, false)};
	struct drm_zhouyi_abort abort = {.cookie = 2};
	struct drm_zhouyi_event event;

	gate.submit.core_mask = 1;
	job.submit.core_mask = next.submit.core_mask = 2;
	signals(&gate, &sync);
	job_submit(&gate);
	wait_for(&job, &sync);
	signals(&job, &out);
	job_submit(&job);
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_ABORT, &abort), 0);
	job_submit(&next);
	/* It may end at once, or when its turn would have come; but it never runs. */
	for (int i = 0; i < 3; i++) {
		event = event_next(&npu, 10000);
		check_eq(event.result, event.cookie == 2 ? DRM_ZHOUYI_RESULT_ABORTED : DONE);
		if (event.cookie == 2)
			check_eq(event.cores, 0);
	}
	check(!job_has_copied(&job));
	check(job_has_copied(&next));
	check_eq(syncobj_wait(&npu, out.handle, 0, 1000), 0);
	check_eq(sync_file_end(syncobj_export_sync_file(&npu, out.handle)), -ECANCELED);
}

TEST_QUIET(an_owner_may_leave_while_its_jobs_wait)
{
	for (int i = 0; i < 5; i++) {
		struct npu npu = npu_open();
		struct job gate = job_delay(&npu, 200000, 1), job = job_copy(&npu, 2);
		struct drm_zhouyi_sync sync = {.handle = syncobj_create(&npu, false)};

		signals(&gate, &sync);
		job_submit(&gate);
		wait_for(&job, &sync);
		job_submit(&job);
		bo_destroy(&gate.bo);
		bo_destroy(&job.bo);
		close(npu.fd);
	}
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 1);

	job_run(&job, DONE);
	check(job_has_copied(&job));
}

TEST_QUIET(a_shared_buffer_knows_its_writer)
{
	struct npu npu = npu_open();
	struct job job = job_delay(&npu, 200000, 1);
	struct drm_prime_handle export = {.handle = job.bo.handle, .flags = DRM_CLOEXEC | DRM_RDWR};
	struct pollfd reader = {.events = POLLIN};

	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &export), 0);
	reader.fd = export.fd;
	check_eq(poll(&reader, 1, 0), 1); /* nobody writes */
	job.use.flags = DRM_ZHOUYI_BO_USE_SYNC_WRITE;
	job_submit(&job);
	check_eq(poll(&reader, 1, 0), 0);
	check_eq(poll(&reader, 1, 10000), 1);
	check(job_has_copied(&job));
	event_expect(&npu, 1, DONE);
}

TEST_QUIET(readers_of_a_shared_buffer_are_waited_for_by_writers_only)
{
	struct npu npu = npu_open();
	struct job first = job_delay(&npu, 300000, 1), second = job_copy(&npu, 2);
	struct job third = job_copy(&npu, 3);
	struct bo shared = bo_create(&npu, 4096);
	struct drm_zhouyi_bo_use uses[3][2] = {
		{first.use, {shared.handle, DRM_ZHOUYI_BO_USE_SYNC_READ}},
		{second.use, {shared.handle, DRM_ZHOUYI_BO_USE_SYNC_READ}},
		{third.use, {shared.handle, DRM_ZHOUYI_BO_USE_SYNC_WRITE}},
	};
	struct job *jobs[] = {&first, &second, &third};

	for (unsigned int i = 0; i < 3; i++) {
		jobs[i]->submit.bos = (uintptr_t)uses[i];
		jobs[i]->submit.bo_count = 2;
		jobs[i]->submit.core_mask = 1u << i;
	}
	for (unsigned int i = 0; i < 3; i++)
		job_submit(jobs[i]);
	event_expect(&npu, 2, DONE);
	event_expect(&npu, 1, DONE);
	event_expect(&npu, 3, DONE);
}

/* @n jobs that wait, each a timeline of its own because of its core and priority, use @shared. */
static void use_with_jobs(struct npu *npu, struct bo *shared, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct job job = job_copy(npu, i + 1);
		struct drm_zhouyi_bo_use uses[] = {job.use, {.handle = shared->handle}};

		job.submit.core_mask = 1u << i % 3;
		job.submit.priority = i / 3;
		job.submit.bos = (uintptr_t)uses;
		job.submit.bo_count = 2;
		job_submit(&job);
		job_destroy(&job);
	}
}

/* There is a place for each fence, made beforehand, and all but one may be taken. */
TEST_QUIET(a_buffer_named_in_several_ways_has_room_for_all_its_fences)
{
	struct npu npu = npu_open();

	for (unsigned int n = 0; n <= 9; n++) {
		struct bo shared = bo_create(&npu, 4096);
		struct job last = job_copy(&npu, 100);
		struct drm_zhouyi_bo_use uses[] = {
			last.use,
			{shared.handle, DRM_ZHOUYI_BO_USE_SYNC_WRITE},
			{shared.handle, DRM_ZHOUYI_BO_USE_SYNC_READ},
			{shared.handle, 0},
		};
		struct job hang[3];

		for (unsigned int i = 0; i < 3; i++) {
			hang[i] = job_hang(&npu, 101 + i);
			hang[i].submit.core_mask = 1u << i;
			job_submit(&hang[i]);
		}
		use_with_jobs(&npu, &shared, n);
		last.submit.priority = DRM_ZHOUYI_PRIORITY_REALTIME;
		last.submit.bos = (uintptr_t)uses;
		last.submit.bo_count = 4;
		job_submit(&last);
		for (unsigned int i = 0; i < 3; i++)
			npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_ABORT,
				  &(struct drm_zhouyi_abort){.cookie = 101 + i});
		for (unsigned int i = 0; i < n + 4; i++)
			event_next(&npu, 10000);
		for (unsigned int i = 0; i < 3; i++)
			job_destroy(&hang[i]);
		job_destroy(&last);
		bo_destroy(&shared);
	}
}
