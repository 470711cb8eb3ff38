/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's backend for the driver, with sync files: what jobs wait for and what they hand back
 * is what other drivers on the machine understand. No request of a client carries them yet, so this
 * speaks with the backend as the daemon does.
 */
#include <poll.h>
#include <unistd.h>

#include "daemon/device.h"
#include "tests/kernel/device.h"

static struct device *device;

struct backend_job {
	struct device_buffer *buffer;
	struct device_range range;
	struct device_job job;
};

static void backend_open(void)
{
	check_eq(device_open(&device, "drm", NULL, &(const char *){NULL}), 0);
	check(device->caps.fences);
}

static void job_init(struct backend_job *ret, uint64_t cookie, uint64_t core_mask,
		     const struct npu_insn *insn)
{
	struct image_device chain = {
		.asid0_base = device->caps.asid0_base,
		.cores = device->caps.cores / device->caps.clusters,
		.tecs = device->caps.tecs,
	};
	struct npu_insn program[2] = {*insn, insn_copy(IMAGE_BYTES)};
	struct image image;

	check_eq(device_buffer_create(device, IMAGE_SIZE, &ret->buffer), 0);
	image = image_write(ret->buffer->cpu, ret->buffer->address, &chain, program, 2,
			    (uint32_t)cookie);
	ret->range = (struct device_range){ret->buffer, 0, IMAGE_SIZE, DEVICE_ACCESS_RW};
	ret->job = (struct device_job){
		.cookie = cookie,
		.head = image.head,
		.first_task = image.first_task,
		.last_task = image.last_task,
		.n_tcbs = image.n_tcbs,
		.n_groups = 1,
		.core_mask = core_mask,
		.ranges[0] = {&ret->range, 1},
	};
}

static bool has_copied(const struct backend_job *job)
{
	return !memcmp(job->buffer->cpu + IMAGE_OUT, job->buffer->cpu + IMAGE_IN, IMAGE_BYTES);
}

static void expect(uint64_t cookie, enum device_result result)
{
	struct pollfd poller = {.fd = device->fd, .events = POLLIN};
	struct device_event event;

	/* What the backend has read already does not make the descriptor readable. */
	while (!device_collect(device, &event, 1))
		check_eq(poll(&poller, 1, 10000), 1);
	check_eq(event.cookie, cookie);
	check_eq(event.result, result);
}

static void finish(struct backend_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		device_buffer_destroy(jobs[i].buffer);
	device_close(device);
}

TEST(a_job_waits_for_a_sync_file_that_another_one_handed_back)
{
	struct npu_insn delay = insn_delay(300000), none = insn_delay(1);
	struct backend_job job[2];
	int fence = -1, last = -1;

	backend_open();
	job_init(&job[0], 1, 1, &delay);
	job_init(&job[1], 2, 2, &none);
	job[0].job.ret_out_fence = &fence;
	job[1].job.in_fences = &fence;
	job[1].job.n_in_fences = 1;
	job[1].job.ret_out_fence = &last;
	check_eq(device_submit(device, &job[0].job), 0);
	check(fence >= 0);
	check_eq(sync_file_status(fence), 0);
	check_eq(device_submit(device, &job[1].job), 0);
	/* On cores of their own the second one would be first. */
	expect(1, DEVICE_DONE);
	expect(2, DEVICE_DONE);
	check_eq(sync_file_end(fence), 1);
	check_eq(sync_file_end(last), 1);
	check(has_copied(&job[0]) && has_copied(&job[1]));
	close(fence);
	close(last);
	finish(job, 2);
}

TEST(the_sync_file_of_a_job_that_is_aborted_says_so)
{
	struct npu_insn hang = insn_hang();
	struct backend_job job;
	int fence = -1;

	backend_open();
	job_init(&job, 1, 1, &hang);
	job.job.ret_out_fence = &fence;
	check_eq(device_submit(device, &job.job), 0);
	check_eq(device_abort(device, 1), 0);
	expect(1, DEVICE_ABORTED);
	check_eq(sync_file_end(fence), -ECANCELED);
	close(fence);
	finish(&job, 1);
}

TEST(what_is_no_sync_file_is_refused_and_leaves_nothing_behind)
{
	struct npu_insn none = insn_delay(1);
	struct backend_job job;
	int pipes[2], fence = -1;

	backend_open();
	check_eq(pipe(pipes), 0);
	job_init(&job, 1, 1, &none);
	job.job.ret_out_fence = &fence;
	job.job.in_fences = pipes;
	job.job.n_in_fences = 2;
	check_eq(device_submit(device, &job.job), -EINVAL);
	check_eq(fence, -1);
	job.job.n_in_fences = 0;
	check_eq(device_submit(device, &job.job), 0);
	expect(1, DEVICE_DONE);
	check_eq(sync_file_end(fence), 1);
	finish(&job, 1);
}

int main(int argc, char **argv)
{
	return test_main(argc, argv);
}
