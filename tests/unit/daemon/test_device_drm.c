/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/entry.h"
#include "tests/unit/daemon/fake_npu.h"

#define SIZE ((size_t)8192)

static struct device *device;

static int open_fake(void)
{
	const struct drm_why *why;

	return device_drm_create(&device, &fake.source, &why);
}

static void setup(void)
{
	fake_init();
	cr_assert_eq(open_fake(), 0);
}

static void teardown(void)
{
	device_close(device);
	device = NULL;
	fake_finish();
}

TestSuite(device_drm, .init = setup, .fini = teardown);

static struct device_buffer *make_buffer(size_t size)
{
	struct device_buffer *buffer = NULL;

	cr_assert_eq(device_buffer_create(device, size, &buffer), 0);
	return buffer;
}

static int submit(struct device_buffer *buffer, uint64_t cookie)
{
	struct device_range range = {buffer, 0, SIZE, DEVICE_ACCESS_TCB};
	struct device_job job = {
		.cookie = cookie,
		.head = buffer->address,
		.first_task = buffer->address + 128,
		.last_task = buffer->address + 256,
		.n_tcbs = 3,
		.n_groups = 1,
		.core_mask = 2,
		.ranges[0] = {&range, 1},
	};

	return device_submit(device, &job);
}

static bool is_readable(void)
{
	struct pollfd p = {.fd = device->fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* The one event there is. */
static struct device_event collect(void)
{
	struct device_event events[2];

	cr_assert(is_readable());
	cr_assert_eq(device_collect(device, events, 2), 1);
	return events[0];
}

static bool is_empty(void)
{
	struct device_event event;

	return device_collect(device, &event, 1) == 0;
}

/*
 * What the device is
 */

Test(device_drm, capabilities_are_the_drivers)
{
	const struct device_caps *caps = &device->caps;

	cr_expect_str_eq(caps->backend, "drm");
	cr_expect_str_eq(caps->target.name, "soft_X2_1204");
	cr_expect_eq(caps->cores, 3);
	cr_expect_eq(caps->tecs, 4);
	cr_expect_eq(caps->placement, DEVICE_PLACEMENT_EXACT);
	cr_expect_eq(caps->asid0_base, FAKE_BASE);
	cr_expect_eq(caps->window_size, UINT64_C(1) << 32);
	cr_expect_eq(caps->memory_bytes, UINT64_C(1) << 24);
	cr_expect_eq(caps->tail_bytes, 2048);
	cr_expect_eq(caps->depth, 6);
	cr_expect_eq(caps->stop_ns, UINT64_MAX, "nobody promised anything");
	cr_expect(caps->fences);
}

Test(device_drm, hardware_that_nobody_can_drive_is_refused)
{
	const struct fake_npu good = fake;
	struct device *first = device;
	struct drm_zhouyi_device_info *info = &fake.info;

#define REFUSES(what, error)                                                                       \
	do {                                                                                       \
		info->what;                                                                        \
		cr_expect_eq(open_fake(), error, #what);                                           \
		fake.info = good.info;                                                             \
	} while (0)
	REFUSES(generation = DRM_ZHOUYI_V2, -ENOTSUP);
	REFUSES(version = 4, -ENOTSUP);
	REFUSES(version = UINT32_MAX, -ENOTSUP);
	REFUSES(config = 9999, -ENOTSUP);
	REFUSES(arch = 1, -ENOTSUP);
	REFUSES(cores = 0, -EIO);
	REFUSES(cores = 65, -EIO);
	REFUSES(cores = 4, -EIO);
	REFUSES(tecs = 0, -EIO);
	REFUSES(placement = 3, -EIO);
	REFUSES(max_jobs = 0, -EIO);
	REFUSES(max_bos = 0, -EIO);
	fake.window.size = 0;
	cr_expect_eq(open_fake(), -EIO, "there is no window");
	cr_expect_eq(device, first);
}

/*
 * Events
 */

Test(device_drm, each_job_is_told_once)
{
	struct device_buffer *buffer = make_buffer(SIZE);
	struct device_event event;

	cr_assert_eq(submit(buffer, 7), 0);
	cr_expect(!is_readable());
	cr_expect(is_empty());
	fake_say_over(7, DRM_ZHOUYI_RESULT_DONE);
	event = collect();
	cr_expect_eq(event.cookie, 7);
	cr_expect_eq(event.result, DEVICE_DONE);
	cr_expect_eq(event.run_ns, 1007);
	cr_expect_eq(event.cores, 1);
	fake_say_over(7, DRM_ZHOUYI_RESULT_DONE);
	fake_say_over(8, DRM_ZHOUYI_RESULT_DONE);
	cr_expect(is_empty(), "nobody asked for this");
	cr_expect(is_empty());
	cr_expect(!is_readable());
	device_buffer_destroy(buffer);
}

Test(device_drm, more_events_than_the_caller_has_room_for_are_kept)
{
	struct device_buffer *buffer = make_buffer(SIZE);
	struct drm_zhouyi_event both[2] = {0};
	struct device_event event;

	for (int i = 0; i < 2; i++) {
		both[i].base.type = DRM_ZHOUYI_EVENT_JOB;
		both[i].base.length = sizeof(both[i]);
		both[i].cookie = (uint64_t)i;
		cr_assert_eq(submit(buffer, (uint64_t)i), 0);
	}
	fake_say(both, sizeof(both));
	cr_assert_eq(device_collect(device, &event, 1), 1);
	cr_expect_eq(event.cookie, 0);
	cr_assert_eq(device_collect(device, &event, 1), 1);
	cr_expect_eq(event.cookie, 1);
	cr_expect(is_empty());
	device_buffer_destroy(buffer);
}

Test(device_drm, results_have_our_names)
{
	static const struct {
		int result;
		enum device_result ours;
		uint32_t class;
	} cases[] = {
		{DRM_ZHOUYI_RESULT_DONE, DEVICE_DONE, 0},
		{DRM_ZHOUYI_RESULT_EXCEPTION, DEVICE_FAULTED, ZY_FAULT_EXCEPTION},
		{DRM_ZHOUYI_RESULT_FAULT, DEVICE_FAULTED, ZY_FAULT_MEMORY},
		{DRM_ZHOUYI_RESULT_ERROR, DEVICE_FAULTED, ZY_FAULT_ERROR},
		{DRM_ZHOUYI_RESULT_TIMEOUT, DEVICE_OVERRAN, 0},
		{DRM_ZHOUYI_RESULT_ABORTED, DEVICE_ABORTED, 0},
		{DRM_ZHOUYI_RESULT_LOST, DEVICE_LOST, 0},
		{999, DEVICE_FAULTED, ZY_FAULT_ERROR},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct drm_zhouyi_event from = {.cookie = 5,
						.cores = UINT64_MAX,
						.result = (uint16_t)cases[i].result,
						.flags = DRM_ZHOUYI_EVENT_INSN,
						.fault_insn = 9,
						.fault_tcbp = 8,
						.fault_code = 3};
		bool faulted = cases[i].ours == DEVICE_FAULTED;
		struct device_event event;

		drm_event_translate(&from, 3, &event);
		cr_expect_eq(event.cookie, 5);
		cr_expect_eq(event.result, cases[i].ours, "%d", cases[i].result);
		cr_expect_eq(event.fault.class, cases[i].class, "%d", cases[i].result);
		cr_expect_eq(event.cores, 7, "there are three cores");
		cr_expect_eq(event.fault.code, faulted ? 3 : 0);
		cr_expect_eq(event.fault.insn, faulted ? 9 : 0);
		cr_expect_eq(event.fault.tcbp, 0, "it is not valid");
	}
}

struct counted {
	unsigned int n;
};

static void count(void *arg, const struct drm_zhouyi_event *event)
{
	struct counted *counted = arg;

	(void)event;
	counted->n++;
}

Test(device_drm, events_of_no_sense_are_told_from_those_of_the_future)
{
	union {
		struct drm_zhouyi_event event;
		struct drm_event base;
		uint8_t data[256];
	} u = {0};
	struct counted counted = {0};
	bool gone = false;

#define PARSES(type_, length_, size)                                                               \
	(u.base.type = (type_), u.base.length = (length_),                                         \
	 drm_events_parse(u.data, size, count, &counted, &gone))
	cr_expect_eq(PARSES(DRM_ZHOUYI_EVENT_JOB, 64, 64), 0);
	cr_expect_eq(PARSES(DRM_ZHOUYI_EVENT_JOB, 72, 72), 0, "it may grow");
	cr_expect_eq(counted.n, 2);
	cr_expect_eq(PARSES(0x90000000, 8, 8), 0, "what we do not know");
	cr_expect_eq(PARSES(0x90000000, 200, 200), 0);
	cr_expect(!gone);
	cr_expect_eq(PARSES(DRM_ZHOUYI_EVENT_GONE, 8, 8), 0);
	cr_expect(gone);
	cr_expect_eq(PARSES(DRM_ZHOUYI_EVENT_JOB, 56, 56), -EBADMSG, "too short");
	cr_expect_eq(PARSES(DRM_ZHOUYI_EVENT_JOB, 64, 63), -EBADMSG, "cut off");
	cr_expect_eq(PARSES(DRM_ZHOUYI_EVENT_JOB, UINT32_MAX, 64), -EBADMSG);
	cr_expect_eq(PARSES(0x90000000, 0, 8), -EBADMSG, "would never end");
	cr_expect_eq(PARSES(0x90000000, 7, 8), -EBADMSG);
	cr_expect_eq(PARSES(0x90000000, 8, 7), -EBADMSG);
	cr_expect_eq(counted.n, 2);
}

Test(device_drm, a_device_that_talks_nonsense_is_as_good_as_gone)
{
	struct device_buffer *buffer = make_buffer(SIZE);
	struct device_event event;

	cr_assert_eq(submit(buffer, 1), 0);
	fake_say("nonsense", 8);
	event = collect();
	cr_expect_eq(event.cookie, 1);
	cr_expect_eq(event.result, DEVICE_LOST);
	fake_say("nonsense", 8);
	cr_expect(!is_readable(), "nobody listens any more");
	cr_expect_eq(submit(buffer, 2), -ENODEV);
	cr_expect_eq(device_abort(device, 2), -ENOENT);
	cr_expect_eq(device_soft_reset(device), -ENODEV);
	cr_expect_eq(device_reset(device), -ENODEV);
	device_buffer_destroy(buffer);
}

Test(device_drm, jobs_of_a_device_that_goes_are_lost)
{
	struct drm_event gone = {.type = DRM_ZHOUYI_EVENT_GONE, .length = sizeof(gone)};
	struct device_buffer *buffer = make_buffer(SIZE);
	struct device_event events[3];

	cr_assert_eq(submit(buffer, 1), 0);
	cr_assert_eq(submit(buffer, 2), 0);
	fake_say(&gone, sizeof(gone));
	cr_assert(is_readable());
	cr_expect(!device->gone);
	cr_assert_eq(device_collect(device, events, 3), 2);
	cr_expect(device->gone);
	cr_expect_eq(events[0].result, DEVICE_LOST);
	cr_expect_eq(events[1].result, DEVICE_LOST);
	cr_expect(!is_readable());
	buffer->cpu[0] = 1;
	cr_assert_eq(device_reopen(device), 0);
	cr_expect(!device->gone);
	device_buffer_destroy(buffer);
}

/*
 * Submission
 */

Test(device_drm, what_the_driver_says_about_a_job_is_passed_on)
{
	struct device_buffer *buffer = make_buffer(SIZE);

	fake.submit_error = EAGAIN;
	cr_expect_eq(submit(buffer, 1), -EAGAIN);
	cr_expect_eq(fake.n_submits, 1, "it is not repeated");
	fake.submit_error = EINVAL;
	cr_expect_eq(submit(buffer, 1), -EINVAL);
	fake.submit_error = ENOMEM;
	cr_expect_eq(submit(buffer, 1), -ENOMEM);
	fake.submit_error = EINTR;
	cr_expect_eq(submit(buffer, 1), 0, "a signal is no answer");
	cr_expect_eq(fake.n_submits, 5);
	fake.submit_error = EIO;
	cr_expect_eq(submit(buffer, 2), -ENODEV, "it does not recover, and has to be reopened");
	cr_expect_eq(collect().result, DEVICE_LOST, "and the first one went with it");
	device_buffer_destroy(buffer);
}

Test(device_drm, a_job_names_each_of_its_buffers_once)
{
	struct device_buffer *a = make_buffer(SIZE), *b = make_buffer(SIZE);
	struct device_range slot[] = {{a, 0, 64, DEVICE_ACCESS_TCB}, {b, 0, 8, DEVICE_ACCESS_READ}};
	struct device_range io[] = {{b, 64, 8, DEVICE_ACCESS_RW}, {a, 8, 8, DEVICE_ACCESS_READ}};
	struct device_job job = {.cookie = 1,
				 .head = a->address,
				 .n_tcbs = 5,
				 .n_groups = 2,
				 .core_mask = 5,
				 .fast = true,
				 .ranges = {{slot, 2}, {io, 2}}};

	cr_assert_eq(device_submit(device, &job), 0);
	cr_expect_eq(fake.submit.bo_count, 2);
	cr_expect_eq(fake.handle[fake.use[0].handle].address, a->address);
	cr_expect_eq(fake.handle[fake.use[1].handle].address, b->address);
	cr_expect_eq(fake.submit.core_mask, 5);
	cr_expect_eq(fake.submit.tcb_count, 5);
	cr_expect_eq(fake.submit.group_count, 2);
	cr_expect_eq(fake.submit.priority, DRM_ZHOUYI_PRIORITY_HIGH);
	cr_expect_eq(fake.submit.flags, 0, "running it again is the daemon's business");
	job.core_mask = 0;
	cr_expect_eq(device_submit(device, &job), -EINVAL);
	job.core_mask = 8;
	cr_expect_eq(device_submit(device, &job), -EINVAL);
	cr_expect_eq(fake.n_submits, 1);
	device_buffer_destroy(a);
	device_buffer_destroy(b);
}

Test(device_drm, no_more_jobs_are_taken_than_promised)
{
	struct device_buffer *buffer = make_buffer(SIZE);

	for (uint64_t i = 0; i < device->caps.depth; i++)
		cr_assert_eq(submit(buffer, i), 0);
	cr_expect_eq(submit(buffer, 99), -EAGAIN);
	cr_expect_eq(fake.n_submits, device->caps.depth);
	fake_say_over(3, DRM_ZHOUYI_RESULT_DONE);
	cr_expect_eq(collect().cookie, 3);
	cr_expect_eq(submit(buffer, 99), 0);
	device_buffer_destroy(buffer);
}

Test(device_drm, fences_go_in_and_come_out)
{
	struct device_buffer *buffer = make_buffer(SIZE);
	struct device_range range = {buffer, 0, SIZE, DEVICE_ACCESS_TCB};
	int in[9] = {eventfd(0, 0), eventfd(0, 0)}, out = -1;
	struct device_job job = {
		.core_mask = 1, .ranges[0] = {&range, 1}, .in_fences = in, .n_in_fences = 2};

	job.ret_out_fence = &out;
	cr_assert_eq(device_submit(device, &job), 0);
	cr_expect_eq(fake.submit.in_sync_count, 2);
	cr_expect_eq(fake.submit.out_sync_count, 1);
	cr_expect_neq(fake.in[0].handle, fake.in[1].handle);
	cr_expect_neq(fake.out.handle, fake.in[0].handle);
	cr_expect_geq(out, 0);
	cr_expect_eq(fake.n_syncobjs, 0, "none is left behind");
	close(out);
	out = -1;
	fake.submit_error = EINVAL;
	cr_expect_eq(device_submit(device, &job), -EINVAL);
	cr_expect_eq(out, -1);
	close(in[1]);
	cr_expect_eq(device_submit(device, &job), -EINVAL, "that is no fence");
	job.n_in_fences = 9;
	cr_expect_eq(device_submit(device, &job), -EINVAL);
	cr_expect_eq(fake.n_syncobjs, 0);
	close(in[0]);
	device_buffer_destroy(buffer);
}

Test(device_drm, a_job_that_ended_by_itself_can_be_aborted)
{
	struct device_buffer *buffer = make_buffer(SIZE);

	cr_expect_eq(device_abort(device, 1), -ENOENT);
	cr_assert_eq(submit(buffer, 1), 0);
	cr_expect_eq(device_abort(device, 1), 0);
	fake.abort_error = ENOENT;
	cr_expect_eq(device_abort(device, 1), 0, "its event is on the way");
	fake.abort_error = EIO;
	cr_expect_eq(device_abort(device, 1), -EIO);
	cr_expect_eq(fake.n_aborts, 3);
	fake.reset_error = EIO;
	cr_expect_eq(device_soft_reset(device), -EIO);
	cr_expect_eq(device_reset(device), 0);
	device_buffer_destroy(buffer);
}

/*
 * Memory
 */

Test(device_drm, memory_is_shared_with_the_device_and_given_back)
{
	struct device_buffer *buffer = make_buffer(100);

	cr_expect_eq(buffer->size, 4096);
	cr_expect_geq(buffer->address, FAKE_BASE);
	for (size_t i = 0; i < buffer->size; i++)
		cr_assert_eq(buffer->cpu[i], 0);
	cr_expect_eq(device_memory_used(device), 4096);
	cr_expect_eq(fake_n_open(), 1);
	device_buffer_destroy(buffer);
	cr_expect_eq(device_memory_used(device), 0);
	cr_expect_eq(fake_n_open(), 0);
	cr_expect_eq(device_buffer_create(device, 0, &buffer), -EINVAL);
	cr_expect_eq(device_buffer_create(device, SIZE_MAX, &buffer), -ENOSPC);
	cr_expect_eq(device_buffer_create(device, (size_t)1 << 25, &buffer), -ENOSPC);
}

Test(device_drm, only_sealed_memory_is_imported)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct device_buffer *buffer = NULL;
	uint8_t *other;

	cr_assert_eq(ftruncate(fd, (off_t)SIZE), 0);
	cr_expect_eq(device_buffer_import(device, fd, SIZE, &buffer), -EPERM);
	cr_expect_eq(device_buffer_import(device, -1, SIZE, &buffer), -EBADF);
	cr_expect_eq(device_buffer_import(device, device->fd, SIZE, &buffer), -EPERM);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	cr_expect_eq(device_buffer_import(device, fd, SIZE + 1, &buffer), -EINVAL);
	cr_expect_null(buffer);
	cr_assert_eq(device_buffer_import(device, fd, SIZE, &buffer), 0);
	other = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	other[5] = 55;
	cr_expect_eq(buffer->cpu[5], 55);
	munmap(other, SIZE);
	device_buffer_destroy(buffer);
}

static void expect_drivers_memory(size_t size)
{
	struct device_buffer *buffer = make_buffer(size);
	uint8_t *other;
	int fd = -1;

	cr_expect_geq(fake.handle[fake.n_handles].memory, 0, "the driver did not make it");
	cr_assert_eq(device_buffer_export(buffer, &fd), 0);
	other = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert_neq(other, MAP_FAILED);
	other[1] = 11;
	cr_expect_eq(buffer->cpu[1], 11);
	munmap(other, size);
	close(fd);
	device_buffer_destroy(buffer);
	cr_expect_eq(fake_n_open(), 0);
}

static int import_sealed(size_t size, struct device_buffer **ret)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING), r;

	cr_assert_eq(ftruncate(fd, (off_t)size), 0);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	r = device_buffer_import(device, fd, size, ret);
	close(fd);
	return r;
}

Test(device_drm, too_much_for_udmabuf_is_made_by_the_driver)
{
	struct device_buffer *buffer = NULL;

	expect_drivers_memory(fake.udmabuf_limit + 4096);
	cr_expect_eq(import_sealed(fake.udmabuf_limit + 4096, &buffer), -EOPNOTSUPP);
	cr_expect_eq(device_memory_used(device), 0);
}

Test(device_drm, memory_that_the_device_cannot_gather_is_made_by_the_driver)
{
	static const uint32_t flags[] = {0, DRM_ZHOUYI_DEVICE_IOMMU, DRM_ZHOUYI_DEVICE_COHERENT};
	struct device_buffer *buffer = NULL;

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		device_close(device);
		fake.info.flags = flags[i];
		cr_assert_eq(open_fake(), 0);
		expect_drivers_memory(SIZE);
		cr_expect_eq(import_sealed(SIZE, &buffer), -EOPNOTSUPP);
	}
}

/*
 * Reopening
 */

Test(device_drm, reopening_keeps_content_and_tells_of_new_addresses)
{
	struct device_buffer *ours = make_buffer(SIZE);
	struct device_buffer *drivers = make_buffer(fake.udmabuf_limit + 4096);
	uint64_t old = ours->address, old_drivers = drivers->address;
	const uint8_t *cpu = ours->cpu, *drivers_cpu = drivers->cpu;
	unsigned int epoch = device_epoch(device);
	int fd = device->fd;

	ours->cpu[1] = 1;
	drivers->cpu[2] = 2;
	cr_assert_eq(submit(ours, 1), 0);
	cr_assert_eq(device_reopen(device), 0);
	cr_expect_eq(fake.n_opens, 2);
	cr_expect_eq(fake.n_resets, 1, "whatever it was doing before is over");
	cr_expect_eq(device->fd, fd);
	cr_expect_neq(device_epoch(device), epoch);
	cr_expect_neq(ours->address, old);
	cr_expect_neq(drivers->address, old_drivers);
	cr_expect_eq(collect().result, DEVICE_LOST);
	cr_expect(!is_readable());
	cr_expect(ours->cpu == cpu && ours->cpu[1] == 1);
	cr_expect(drivers->cpu == drivers_cpu && drivers->cpu[2] == 2);
	cr_assert_eq(submit(ours, 2), 0, "it works");
	fake_say_over(2, DRM_ZHOUYI_RESULT_DONE);
	cr_expect_eq(collect().result, DEVICE_DONE);
	device_buffer_destroy(ours);
	device_buffer_destroy(drivers);
	cr_expect_eq(fake_n_open(), 0);
}

Test(device_drm, a_device_that_is_not_back_yet_can_be_asked_again)
{
	struct device_buffer *buffer = make_buffer(SIZE), *other = NULL;

	cr_assert_eq(submit(buffer, 1), 0);
	fake.open_error = ENOENT;
	cr_expect_eq(device_reopen(device), -ENODEV);
	cr_expect_eq(collect().result, DEVICE_LOST, "the events come all the same");
	cr_expect_eq(device_buffer_create(device, SIZE, &other), -ENODEV);
	fake.open_error = EBUSY;
	cr_expect_eq(device_reopen(device), -EBUSY);
	cr_expect_eq(submit(buffer, 2), -ENODEV);
	fake.open_error = 0;
	fake.reset_error = EIO;
	cr_expect_eq(device_reopen(device), -ENODEV, "it is in no state to be used");
	cr_assert_eq(device_reopen(device), 0);
	cr_assert_eq(submit(buffer, 2), 0);
	device_buffer_destroy(buffer);
}

Test(device_drm, memory_that_went_with_the_device_is_missed)
{
	struct device_buffer *buffer = make_buffer(SIZE), *other = NULL;

	fake.import_error = ENODEV;
	cr_expect_eq(device_reopen(device), -ENOTRECOVERABLE);
	cr_expect(device->gone);
	cr_expect_eq(submit(buffer, 1), -ENODEV);
	fake.import_error = 0;
	cr_assert_eq(device_reopen(device), 0);
	fake.import_error = EINVAL;
	cr_expect_eq(device_buffer_create(device, SIZE, &other), -ENOSPC, "no address is left");
	cr_expect_eq(device_memory_used(device), SIZE);
	device_buffer_destroy(buffer);
}

Test(device_drm, other_hardware_does_not_take_its_place)
{
	struct device_buffer *buffer = make_buffer(SIZE);

	fake.info.tecs = 2;
	cr_expect_eq(device_reopen(device), -ENODEV);
	fake.info.tecs = 4;
	fake.window.base += 4096;
	cr_expect_eq(device_reopen(device), -ENODEV);
	fake.window.base -= 4096;
	fake.info.job_timeout_ms = 5;
	cr_expect_eq(device_reopen(device), 0, "that makes no difference");
	device_buffer_destroy(buffer);
}

/*
 * Finding it
 */

static void make_node(const char *dir, const char *node, const char *driver)
{
	char path[256], target[256];

	snprintf(path, sizeof(path), "%s/dev/%s", dir, node);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof(path), "mkdir -p %s/sys/class/accel/%s/device", dir, node);
	cr_assert_eq(system(path), 0);
	snprintf(path, sizeof(path), "%s/sys/class/accel/%s/device/driver", dir, node);
	snprintf(target, sizeof(target), "../../../bus/platform/drivers/%s", driver);
	cr_assert_eq(symlink(target, path), 0);
}

Test(device_drm, why_there_is_no_device_is_said)
{
	char dir[] = "/tmp/zhouyi-drm-XXXXXX", dev[64], sys[64];
	const struct drm_why *why = NULL;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(dev, sizeof(dev), "%s/dev", dir);
	snprintf(sys, sizeof(sys), "%s/sys", dir);
	cr_expect_eq(drm_find(dev, sys, &why), -ENODEV);
	cr_expect(strstr(why->text, "no /dev/accel") || strstr(why->text, "6.12"), "%s", why->text);
	cr_assert_eq(mkdir(dev, 0700), 0);
	make_node(dir, "accel0", "habanalabs");
	make_node(dir, "accel", "zhouyi");
	make_node(dir, "accelerator1", "zhouyi");
	cr_expect_eq(drm_find(dev, sys, &why), -ENODEV);
	cr_expect(strstr(why->text, "driver zhouyi") || strstr(why->text, "6.12"), "%s", why->text);
	make_node(dir, "accel2", "zhouyi");
	cr_expect_eq(drm_find(dev, sys, &why), -ENODEV, "it does not behave like one");
	snprintf(dev, sizeof(dev), "rm -r %s", dir);
	cr_assert_eq(system(dev), 0);
}
