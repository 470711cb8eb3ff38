/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/buffer.h"
#include "daemon/device.h"
#include "tests/unit/daemon/hand_job.h"

Test(buffer, client_and_device_see_the_same_bytes)
{
	struct device *device = hand_device(1);
	struct buffer *buffer;
	struct stat st;
	uint8_t *client;

	cr_assert_eq(buffer_create(&buffer, device, 5000), 0);
	cr_expect_eq(buffer->size, 8192);
	cr_assert_eq(fstat(buffer->fd, &st), 0);
	cr_expect_eq(st.st_size, 8192);
	cr_expect_eq(st.st_blocks * 512, 8192, "populated");
	cr_expect_eq(fcntl(buffer->fd, F_GETFD), FD_CLOEXEC);
	client = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, buffer->fd, 0);
	cr_assert_neq(client, MAP_FAILED);
	for (size_t i = 0; i < 8192; i++)
		cr_assert_eq(client[i], 0);
	client[8191] = 5;
	cr_expect_eq(buffer->memory->cpu[8191], 5);
	munmap(client, 8192);
	cr_expect_eq(device_memory_used(device), 8192);
	buffer_unref(buffer);
	cr_expect_eq(device_memory_used(device), 0);
	device_close(device);
}

Test(buffer, a_client_can_neither_shrink_nor_grow_it)
{
	struct device *device = hand_device(1);
	struct buffer *buffer;

	cr_assert_eq(buffer_create(&buffer, device, 4096), 0);
	cr_expect_eq(ftruncate(buffer->fd, 0), -1);
	cr_expect_eq(ftruncate(buffer->fd, 8192), -1);
	cr_expect_eq(fallocate(buffer->fd, FALLOC_FL_KEEP_SIZE, 0, 1 << 20), -1);
	cr_expect_eq(fcntl(buffer->fd, F_ADD_SEALS, F_SEAL_WRITE), -1, "nor take it away from us");
	/* A hole may be punched; it reads as zeros. */
	buffer_unref(buffer);
	device_close(device);
}

Test(buffer, references_are_counted)
{
	struct device *device = hand_device(1);
	struct buffer *buffer;

	cr_assert_eq(buffer_create(&buffer, device, 1), 0);
	cr_expect_eq(buffer_ref(buffer), buffer);
	buffer_unref(buffer);
	cr_expect_eq(device_memory_used(device), 4096);
	buffer_unref(buffer);
	buffer_unref(NULL);
	cr_expect_eq(device_memory_used(device), 0);
	device_close(device);
}

Test(buffer, what_cannot_be_had_leaves_nothing_behind)
{
	struct device_soft_config config = {1, 1, 1, 1, 8192, NULL};
	struct rlimit limit;
	struct device *device;
	struct buffer *buffer = NULL, *first;
	const char *reason;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	cr_assert_eq(device_open(&device, "soft", &config, &reason), 0);
	cr_expect_eq(buffer_create(&buffer, device, 0), -EINVAL);
	cr_expect_eq(buffer_create(&buffer, device, 8193), -ENOSPC);
	cr_expect_eq(buffer_create(&buffer, device, SIZE_MAX), -ENOSPC);
	cr_assert_eq(buffer_create(&first, device, 8192), 0);
	cr_expect_eq(buffer_create(&buffer, device, 1), -ENOSPC);
	buffer_unref(first);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, limit.rlim_max}), 0);
	cr_expect_eq(buffer_create(&buffer, device, 1), -EMFILE);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_expect_null(buffer);
	cr_expect_eq(device_memory_used(device), 0);
	device_close(device);
	cr_expect_eq(open("/dev/null", O_RDONLY | O_CLOEXEC), fd, "no descriptor either");
}
