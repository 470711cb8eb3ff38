/* SPDX-License-Identifier: Apache-2.0 */
/* Device memory, and memory that breaks. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/device.h"
#include "npu/engine.h"
#include "proto/entry.h"
#include "tests/unit/daemon/hand_job.h"

Test(device_soft_memory, memory_is_accounted_to_the_byte)
{
	struct device_soft_config config = {1, 1, 1, 1, 65536, NULL};
	struct device_buffer *buffers[16], *more;
	struct device *device;
	const char *reason;

	cr_assert_eq(device_open(&device, "soft", &config, &reason), 0);
	cr_expect_eq(device->caps.memory_bytes, 65536);
	cr_expect_eq(device_buffer_create(device, 0, &more), -EINVAL);
	cr_expect_eq(device_buffer_create(device, 65537, &more), -ENOSPC);
	cr_expect_eq(device_buffer_create(device, SIZE_MAX, &more), -ENOSPC);
	for (size_t i = 0; i < 16; i++) {
		cr_assert_eq(device_buffer_create(device, 1 + i, &buffers[i]), 0);
		cr_expect_eq(buffers[i]->size, 4096);
		cr_expect_eq(device_memory_used(device), (i + 1) * 4096);
	}
	cr_expect_eq(device_buffer_create(device, 1, &more), -ENOSPC, "all of it is used");
	for (size_t i = 0; i < 16; i += 2)
		device_buffer_destroy(buffers[i]);
	cr_expect_eq(device_memory_used(device), 32768);
	/* In pieces, but addresses are not what is scarce. */
	cr_expect_eq(device_buffer_create(device, 32768, &more), 0);
	device_buffer_destroy(more);
	for (size_t i = 1; i < 16; i += 2)
		device_buffer_destroy(buffers[i]);
	device_buffer_destroy(NULL);
	cr_expect_eq(device_memory_used(device), 0);
	device_close(device);
}

Test(device_soft_memory, buffers_keep_their_distance_and_start_out_zero)
{
	struct device *device = hand_device(1);
	struct device_buffer *buffers[40] = {NULL};
	unsigned int state = hand_seed();

	for (int round = 0; round < 2000; round++) {
		struct device_buffer **b = &buffers[rand_r(&state) % 40];

		if (*b) {
			device_buffer_destroy(*b);
			*b = NULL;
			continue;
		}
		cr_assert_eq(device_buffer_create(device, 1 + rand_r(&state) % 50000, b), 0);
		for (size_t i = 0; i < (*b)->size; i++)
			cr_assert_eq((*b)->cpu[i], 0);
		memset((*b)->cpu, 0xee, (*b)->size);
		cr_expect_gt((*b)->address, device->caps.asid0_base);
		cr_expect_leq((*b)->address + (*b)->size,
			      device->caps.asid0_base + device->caps.window_size);
		for (int i = 0; i < 40; i++)
			if (buffers[i] && &buffers[i] != b)
				cr_assert(buffers[i]->address + buffers[i]->size + 4096 <=
						  (*b)->address ||
					  (*b)->address + (*b)->size + 4096 <= buffers[i]->address);
	}
	for (int i = 0; i < 40; i++)
		device_buffer_destroy(buffers[i]);
	cr_expect_eq(device_memory_used(device), 0);
	device_close(device);
}

static int sealed(size_t size, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, (off_t)size), 0);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

Test(device_soft_memory, sealed_memfds_become_device_memory)
{
	struct device *device = hand_device(1);
	struct device_buffer *buffer;
	int fd = sealed(8192, F_SEAL_SHRINK | F_SEAL_GROW);
	uint8_t *client = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	cr_assert_eq(device_buffer_import(device, fd, 8192, &buffer), 0);
	close(fd);
	client[5000] = 42;
	cr_expect_eq(buffer->cpu[5000], 42);
	buffer->cpu[1] = 43;
	cr_expect_eq(client[1], 43);
	cr_expect_eq(device_memory_used(device), 8192);
	device_buffer_destroy(buffer);
	cr_expect_eq(device_memory_used(device), 0);
	munmap(client, 8192);
	device_close(device);
}

Test(device_soft_memory, descriptors_that_could_pull_the_rug_are_refused)
{
	struct device *device = hand_device(1);
	struct device_buffer *buffer;
	int fd = sealed(8192, F_SEAL_GROW), null = open("/dev/null", O_RDWR | O_CLOEXEC);

	cr_expect_eq(device_buffer_import(device, fd, 8192, &buffer), -EPERM);
	close(fd);
	cr_expect_eq(device_buffer_import(device, null, 8192, &buffer), -EPERM);
	close(null);
	cr_expect_eq(device_buffer_import(device, -1, 8192, &buffer), -EBADF);
	fd = sealed(8192, F_SEAL_SHRINK);
	cr_expect_eq(device_buffer_import(device, fd, 8193, &buffer), -EINVAL, "larger than it is");
	cr_expect_eq(device_buffer_import(device, fd, 0, &buffer), -EINVAL);
	cr_expect_eq(device_buffer_import(device, fd, SIZE_MAX, &buffer), -ENOSPC);
	close(fd);
	fd = sealed(8192, F_SEAL_SHRINK | F_SEAL_WRITE);
	cr_expect_eq(device_buffer_import(device, fd, 8192, &buffer), -EPERM, "cannot be written");
	close(fd);
	cr_expect_eq(device_memory_used(device), 0);
	device_close(device);
}

/*
 * Memory that breaks
 */

/* Touching that page is a bus error from now on: there is a mapping and nothing behind it. */
static void break_page(uint8_t *page)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0), page);
	close(fd);
}

static void mend_page(uint8_t *page)
{
	cr_assert_eq(mmap(page, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		     page);
}

static void expect_memory_lost(const struct device_event *event, uint64_t address)
{
	cr_expect_eq(event->result, DEVICE_FAULTED);
	cr_expect_eq(event->fault.class, ZY_FAULT_MEMORY);
	cr_expect_eq(event->fault.code, NPU_REASON_MEMORY_LOST);
	/* The page; where in it the processor touched it first is memcpy's business. */
	cr_expect_eq(event->fault.address & ~UINT64_C(4095), address, "%llx instead of %llx",
		     (unsigned long long)event->fault.address, (unsigned long long)address);
}

Test(device_soft_memory, memory_that_breaks_fails_its_job_only)
{
	struct device *device = hand_device(2);
	struct hand_job broken, beside;
	struct device_event event[2];

	hand_job_init(&broken, device, hand_copy_program(), 1, true);
	hand_job_init(&beside, device, hand_program(NPU_OP_DELAY, 2000), 1, true);
	broken.job.core_mask = 1;
	beside.job.core_mask = 2;
	beside.job.cookie = 1;
	for (int round = 0; round < 40; round++) {
		struct device_buffer *victim = round % 2 ? broken.in : broken.out;

		memset(event, 0, sizeof(event));
		break_page(victim->cpu);
		cr_assert_eq(device_submit(device, &beside.job), 0);
		cr_assert_eq(device_submit(device, &broken.job), 0);
		for (int i = 0; i < 2; i++) {
			struct device_event any;

			cr_assert(hand_wait(device, &any, HAND_LONG_MS));
			event[any.cookie] = any;
		}
		expect_memory_lost(&event[0], victim->address);
		cr_expect_eq(event[0].fault.core, 0);
		cr_expect_eq(event[0].fault.insn, 0);
		cr_expect_eq(event[1].result, DEVICE_DONE);
		mend_page(victim->cpu);
		broken.in->cpu[7] = (uint8_t)(round + 1);
		cr_expect_eq(hand_run(&broken).result, DEVICE_DONE, "the same core goes on");
		cr_expect_eq(broken.out->cpu[7], round + 1);
	}
	hand_job_finish(&broken);
	hand_job_finish(&beside);
	device_close(device);
}

Test(device_soft_memory, text_and_parameters_may_break_too)
{
	static const uint32_t places[] = {HAND_TEXT, HAND_PARAMS};
	struct device *device = hand_device(1);

	for (size_t i = 0; i < NPU_ARRAY_SIZE(places); i++) {
		struct hand_job hand;
		struct device_event event;

		hand_job_init(&hand, device, hand_copy_program(), 1, true);
		break_page(hand.memory->cpu + places[i]);
		event = hand_run(&hand);
		expect_memory_lost(&event, hand.memory->address + places[i]);
		hand_job_finish(&hand);
	}
	device_close(device);
}

Test(device_soft_memory, the_page_that_broke_is_named)
{
	struct device *device = hand_device(1);
	struct device_buffer *large;
	struct hand_job hand;
	struct device_event event;

	cr_assert_eq(device_buffer_create(device, 65536, &large), 0);
	hand_job_init(&hand, device, hand_copy_program(), 1, true);
	*hand_job_insn(&hand, 0) = hand_copy(20000);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t offset = i ? 30720 : 5000;

		hand_job_slot(&hand, i)->address =
			(uint32_t)(large->address - device->caps.asid0_base + offset);
		hand_job_slot(&hand, i)->size = 20000;
		hand.ranges[i ? HAND_R_OUT : HAND_R_IN] = (struct device_range){
			large, offset, 20000, i ? DEVICE_ACCESS_RW : DEVICE_ACCESS_READ};
	}
	cr_expect_eq(hand_run(&hand).result, DEVICE_DONE);
	break_page(large->cpu + 40960);
	event = hand_run(&hand);
	cr_expect_eq(event.fault.code, NPU_REASON_MEMORY_LOST);
	cr_expect_eq((event.fault.address - large->address) / 4096, 10);
	hand_job_finish(&hand);
	device_buffer_destroy(large);
	device_close(device);
}

/* How a process ends that does @what with a device open; it says 0 if it does not. */
static int fate(void (*what)(struct device *device))
{
	int status = 0;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		const struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		what(hand_device(2));
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void do_nothing(struct device *device)
{
	device_close(device);
}

static void touch_broken(struct device *device)
{
	struct device_buffer *buffer;

	if (device_buffer_create(device, 4096, &buffer) == 0) {
		break_page(buffer->cpu);
		*(volatile uint8_t *)buffer->cpu = 1;
	}
}

static void take_a_signal(struct device *device)
{
	(void)device;
	kill(getpid(), SIGBUS);
	usleep(100000);
}

/* A sanitizer may have been there first and ends the process in its own way. */
Test(device_soft_memory, other_bus_errors_end_the_process_as_ever)
{
	cr_expect_eq(fate(do_nothing), 0);
	cr_expect_neq(fate(touch_broken), 0);
	cr_expect_neq(fate(take_a_signal), 0);
}
