/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers: made, mapped, shared and destroyed. */
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/kernel/device.h"

#define KIB 1024ull
#define MIB (1024 * KIB)

static int create(struct npu *npu, struct drm_zhouyi_bo_create *arg)
{
	return npu_ioctl(npu->fd, DRM_IOCTL_ZHOUYI_BO_CREATE, arg);
}

static int info(struct npu *npu, uint32_t handle, struct drm_zhouyi_bo_info *ret)
{
	*ret = (struct drm_zhouyi_bo_info){.handle = handle};
	return npu_ioctl(npu->fd, DRM_IOCTL_ZHOUYI_BO_INFO, ret);
}

TEST_QUIET(a_buffer_is_zeroed_and_has_an_address)
{
	struct npu npu = npu_open();
	struct bo bo = bo_create(&npu, 3 * 4096 + 1);

	check_eq(bo.size, 4 * 4096);
	check(bo.address != 0);
	check_eq(bo.address % 4096, 0);
	for (size_t i = 0; i < bo.size; i++)
		check_eq(bo.cpu[i], 0);
}

TEST_QUIET(memory_is_zeroed_before_it_gets_a_new_owner)
{
	for (int round = 0; round < 4; round++) {
		struct npu npu = npu_open();
		struct bo bo = bo_create(&npu, 256 * KIB);

		for (size_t i = 0; i < bo.size; i++)
			check_eq(bo.cpu[i], 0);
		memset(bo.cpu, 0x5a, bo.size);
		bo_destroy(&bo);
		close(npu.fd);
	}
}

TEST_QUIET(a_buffer_tells_about_itself)
{
	struct npu npu = npu_open();
	struct bo bo = bo_create(&npu, 8192);
	struct drm_zhouyi_bo_info about;

	check_eq(info(&npu, bo.handle, &about), 0);
	check_eq(about.size, 8192);
	check_eq(about.address, bo.address);
	check_eq(about.flags, 0);
	check_eq(about.zone, DRM_ZHOUYI_ZONE_SYSTEM);
}

TEST_QUIET(sizes_that_nobody_has_are_refused)
{
	static const uint64_t sizes[] = {1ull << 33, 1ull << 40,	1ull << 63,
					 UINT64_MAX, UINT64_MAX - 4095, UINT64_MAX - 4096};
	struct npu npu = npu_open();
	struct drm_zhouyi_bo_create arg = {.size = 0};

	check_eq(create(&npu, &arg), -EINVAL);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int r;

		arg = (struct drm_zhouyi_bo_create){.size = sizes[i]};
		r = create(&npu, &arg);
		check(r == -EINVAL || r == -ENOSPC || r == -ENOMEM);
	}
}

TEST_QUIET(unknown_zones_windows_and_flags_are_refused)
{
	struct npu npu = npu_open();
	struct drm_zhouyi_bo_create arg;

	for (int bit = 3; bit < 32; bit++) {
		arg = (struct drm_zhouyi_bo_create){.size = 4096, .placement = 1u << bit};
		check_eq(create(&npu, &arg), -EINVAL);
	}
	arg = (struct drm_zhouyi_bo_create){.size = 4096, .asid = npu.info.asids};
	check_eq(create(&npu, &arg), -EINVAL);
	arg = (struct drm_zhouyi_bo_create){.size = 4096, .asid = 0xffffffff};
	check_eq(create(&npu, &arg), -EINVAL);
	for (int bit = 0; bit < 32; bit++) {
		arg = (struct drm_zhouyi_bo_create){.size = 4096, .flags = 1u << bit};
		check_eq(create(&npu, &arg), -EINVAL);
		arg = (struct drm_zhouyi_bo_create){.size = 4096, .pad = 1u << bit};
		check_eq(create(&npu, &arg), -EINVAL);
	}
}

TEST_QUIET(padding_of_the_small_commands_is_checked)
{
	struct npu npu = npu_open();
	struct bo bo = bo_create(&npu, 4096);

	for (int bit = 0; bit < 32; bit++) {
		struct drm_zhouyi_bo_mmap_offset offset = {.handle = bo.handle, .pad = 1u << bit};
		struct drm_zhouyi_bo_info about = {.handle = bo.handle, .pad = 1u << bit};
		struct drm_zhouyi_bo_wait wait = {.handle = bo.handle, .pad = 1u << bit};
		struct drm_zhouyi_abort abort = {.cookie = 1, .pad = 1u << bit};
		struct drm_zhouyi_reset reset = {.flags = 1u << bit};

		check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_BO_MMAP_OFFSET, &offset), -EINVAL);
		check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_BO_INFO, &about), -EINVAL);
		check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_BO_WAIT, &wait), -EINVAL);
		check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_ABORT, &abort), -EINVAL);
		abort = (struct drm_zhouyi_abort){.cookie = 1, .flags = 1u << bit};
		check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_ABORT, &abort), -EINVAL);
		check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_RESET, &reset), -EINVAL);
		reset = (struct drm_zhouyi_reset){.kind = 2u << bit};
		if (reset.kind)
			check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_RESET, &reset), -EINVAL);
	}
}

TEST_QUIET(handles_that_do_not_exist_are_refused)
{
	static const uint32_t handles[] = {0, 2, 0x7fffffff, 0x80000000, 0xffffffff};
	struct npu npu = npu_open();
	struct bo bo = bo_create(&npu, 4096);

	check_eq(bo.handle, 1);
	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		struct drm_zhouyi_bo_mmap_offset offset = {.handle = handles[i]};
		struct drm_zhouyi_bo_wait wait = {.handle = handles[i]};
		struct drm_zhouyi_bo_info about;

		check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_BO_MMAP_OFFSET, &offset), -ENOENT);
		check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_BO_WAIT, &wait), -ENOENT);
		check_eq(info(&npu, handles[i], &about), -ENOENT);
		check(prime_export(&npu, handles[i]) == -ENOENT);
		check_eq(gem_try_close(npu.fd, handles[i]), -EINVAL);
	}
	check_eq(gem_try_close(npu.fd, bo.handle), 0);
	check_eq(gem_try_close(npu.fd, bo.handle), -EINVAL);
}

TEST_QUIET(a_mapping_outlives_handle_and_owner)
{
	struct npu npu = npu_open();
	struct bo bo = bo_create(&npu, 64 * KIB);

	memset(bo.cpu, 0x42, bo.size);
	check_eq(gem_try_close(npu.fd, bo.handle), 0);
	check_eq(bo.cpu[65535], 0x42);
	close(npu.fd);
	check_eq(bo.cpu[0], 0x42);
	bo.cpu[1] = 0x43;
	/* It still is the device's file, so nobody else gets in. */
	check_eq(open("/dev/accel/accel0", O_RDWR | O_CLOEXEC), -1);
	check_eq(errno, EBUSY);
	munmap(bo.cpu, bo.size);
	npu = npu_open();
}

TEST_QUIET(a_mapping_cannot_be_larger_than_its_buffer)
{
	struct npu npu = npu_open();
	struct bo bo = bo_create(&npu, 8192);
	struct drm_zhouyi_bo_mmap_offset offset = {.handle = bo.handle};

	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_BO_MMAP_OFFSET, &offset), 0);
	check_eq(offset.offset % 4096, 0);
	check(mmap(NULL, 12288, PROT_READ, MAP_SHARED, npu.fd, (off_t)offset.offset) == MAP_FAILED);
	check(mremap(bo.cpu, 8192, 16384, MREMAP_MAYMOVE) == MAP_FAILED);
	/* Nor begin in its neighbour. */
	check(mmap(NULL, 8192, PROT_READ, MAP_SHARED, npu.fd, (off_t)offset.offset + 4096) ==
	      MAP_FAILED);
}

TEST_QUIET(what_is_freed_can_be_had_again)
{
	struct npu npu = npu_open();
	struct bo bo;

	for (int i = 0; i < 20; i++) {
		check_eq(bo_try_create(&npu, 4 * MIB, 0, &bo), 0);
		bo_destroy(&bo);
	}
}

TEST_QUIET(many_buffers_live_side_by_side)
{
	enum { N = 300 };
	struct npu npu = npu_open();
	struct bo *bo = calloc(N, sizeof(*bo));

	for (int i = 0; i < N; i++) {
		bo[i] = bo_create(&npu, 4096u << i % 4);
		memset(bo[i].cpu, i, bo[i].size);
	}
	for (int i = 0; i < N; i++) {
		for (int j = 0; j < i; j++)
			check(bo[i].address + bo[i].size <= bo[j].address ||
			      bo[j].address + bo[j].size <= bo[i].address);
		check_eq(bo[i].cpu[0], i & 0xff);
		check_eq(bo[i].cpu[bo[i].size - 1], i & 0xff);
	}
	for (int i = 0; i < N; i += 2)
		bo_destroy(&bo[i]);
}

TEST_QUIET(a_large_scattered_buffer_is_one_piece_behind_an_iommu)
{
	struct npu npu = npu_open();
	struct bo bo;
	int r = bo_try_create(&npu, 32 * MIB, 0, &bo);

	if (!(npu.info.flags & DRM_ZHOUYI_DEVICE_IOMMU)) {
		/* Without one it is what the allocator has in one piece. */
		check(r == 0 || r == -ENOMEM || r == -ENOSPC);
		return;
	}
	check_eq(r, 0);
	check_eq(bo_try_map(&bo), 0);
	/* Its very end is reachable from the device: the output of a copy. */
	struct job job = job_copy(&npu, 9);
	struct drm_zhouyi_bo_use uses[] = {job.use, {.handle = bo.handle}};

	image_set_slot(job.bo.cpu, &npu.image, 1, bo.address + bo.size - IMAGE_BYTES, IMAGE_BYTES);
	job.submit.bos = (uintptr_t)uses;
	job.submit.bo_count = 2;
	job_run(&job, DRM_ZHOUYI_RESULT_DONE);
	for (uint32_t i = 0; i < IMAGE_BYTES; i++)
		check_eq(bo.cpu[bo.size - IMAGE_BYTES + i], image_pattern(9, i));
}

TEST_QUIET(the_static_memory_is_bounded_and_never_given_twice)
{
	struct npu npu = npu_open();
	struct bo bo[256];
	unsigned int n = 0;

	while (n < 256 && bo_try_create(&npu, 16 * KIB, 1 << DRM_ZHOUYI_ZONE_SRAM, &bo[n]) == 0) {
		struct drm_zhouyi_bo_info about;

		check_eq(info(&npu, bo[n].handle, &about), 0);
		check_eq(about.zone, DRM_ZHOUYI_ZONE_SRAM);
		for (unsigned int j = 0; j < n; j++)
			check(bo[n].address + bo[n].size <= bo[j].address ||
			      bo[j].address + bo[j].size <= bo[n].address);
		n++;
	}
	if (npu.info.zones < 2) {
		check_eq(n, 0);
		return;
	}
	check(n > 0 && n < 256);
	struct bo more;

	check_eq(bo_try_create(&npu, 16 * KIB, 1 << DRM_ZHOUYI_ZONE_SRAM, &more), -ENOSPC);
	/* System memory, if that will do, too */
	check_eq(bo_try_create(&npu, 16 * KIB, 1 << DRM_ZHOUYI_ZONE_SRAM | 1, &more), 0);
	bo_destroy(&bo[0]);
	check_eq(bo_try_create(&npu, 16 * KIB, 1 << DRM_ZHOUYI_ZONE_SRAM, &bo[0]), 0);
	check_eq(bo_try_map(&bo[0]), 0);
	for (size_t i = 0; i < bo[0].size; i++)
		check_eq(bo[0].cpu[i], 0);
}

TEST_QUIET(a_part_of_a_mapping_of_static_memory_shows_what_it_did)
{
	struct npu npu = npu_open();
	struct bo bo, part;

	if (npu.info.zones < 2)
		test_skip("this device has no static memory");
	check_eq(bo_try_create(&npu, 8192, 1 << DRM_ZHOUYI_ZONE_SRAM, &bo), 0);
	part = bo;
	check_eq(bo_try_map(&bo), 0);
	check_eq(bo_try_map(&part), 0);
	bo.cpu[0] = 1;
	bo.cpu[4096] = 2;
	/* Its second page is looked at for the first time when the first one is not there. */
	check_eq(munmap(part.cpu, 4096), 0);
	check_eq(part.cpu[4096], 2);
}

TEST_QUIET(the_device_works_in_static_memory)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 4);
	struct bo bo;

	if (npu.info.zones < 2)
		test_skip("this device has no static memory");
	check_eq(bo_try_create(&npu, IMAGE_BYTES, 1 << DRM_ZHOUYI_ZONE_SRAM, &bo), 0);
	check_eq(bo_try_map(&bo), 0);
	struct drm_zhouyi_bo_use uses[] = {job.use, {.handle = bo.handle}};

	image_set_slot(job.bo.cpu, &npu.image, 1, bo.address, IMAGE_BYTES);
	job.submit.bos = (uintptr_t)uses;
	job.submit.bo_count = 2;
	job_run(&job, DRM_ZHOUYI_RESULT_DONE);
	for (uint32_t i = 0; i < IMAGE_BYTES; i++)
		check_eq(bo.cpu[i], image_pattern(4, i));
	check(prime_export(&npu, bo.handle) < 0);
}

TEST_QUIET(a_buffer_can_be_exported_and_mapped_by_anybody)
{
	struct npu npu = npu_open();
	struct bo bo = bo_create(&npu, 16 * KIB);
	int fd = prime_export(&npu, bo.handle);
	struct dma_buf_sync sync = {.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW};
	uint8_t *cpu;

	check(fd >= 0);
	check_eq(lseek(fd, 0, SEEK_END), 16 * KIB);
	bo.cpu[5] = 0x77;
	cpu = mmap(NULL, 16 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(cpu != MAP_FAILED);
	check_eq(npu_ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync), 0);
	check_eq(cpu[5], 0x77);
	cpu[6] = 0x78;
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	check_eq(npu_ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync), 0);
	check_eq(bo.cpu[6], 0x78);
	/* And outlives its owner */
	munmap(bo.cpu, bo.size);
	close(npu.fd);
	check_eq(cpu[6], 0x78);
}

TEST_QUIET(importing_an_own_export_gives_the_same_buffer)
{
	struct npu npu = npu_open();
	struct bo bo = bo_create(&npu, 4096);
	int fd = prime_export(&npu, bo.handle);
	uint32_t handle;

	check_eq(prime_import(&npu, fd, &handle), 0);
	check_eq(handle, bo.handle);
}

TEST_QUIET(an_export_can_come_back_to_the_next_owner)
{
	struct npu npu = npu_open();
	struct bo bo = bo_create(&npu, 4096);
	struct drm_zhouyi_bo_info about;
	int fd = prime_export(&npu, bo.handle);
	uint64_t address = bo.address;
	uint32_t handle;

	bo.cpu[9] = 99;
	munmap(bo.cpu, bo.size);
	close(npu.fd);
	npu = npu_open();
	check_eq(prime_import(&npu, fd, &handle), 0);
	check_eq(info(&npu, handle, &about), 0);
	check_eq(about.address, address);
	check_eq(about.size, 4096);
}

TEST_QUIET(pages_of_a_client_can_be_imported_and_computed_on)
{
	struct npu npu = npu_open();
	struct job job = job_copy(&npu, 6);
	struct drm_zhouyi_bo_info about;
	uint8_t *cpu;
	int fd = udmabuf_create(IMAGE_BYTES, &cpu);
	uint32_t handle;

	check_eq(prime_import(&npu, fd, &handle), 0);
	check_eq(info(&npu, handle, &about), 0);
	check_eq(about.flags, DRM_ZHOUYI_BO_IMPORTED);
	check_eq(about.size, IMAGE_BYTES);
	check(about.address != 0);
	struct drm_zhouyi_bo_use uses[] = {job.use, {.handle = handle}};
	struct drm_zhouyi_bo_mmap_offset offset = {.handle = handle};

	image_set_slot(job.bo.cpu, &npu.image, 1, about.address, IMAGE_BYTES);
	job.submit.bos = (uintptr_t)uses;
	job.submit.bo_count = 2;
	job_run(&job, DRM_ZHOUYI_RESULT_DONE);
	for (uint32_t i = 0; i < IMAGE_BYTES; i++)
		check_eq(cpu[i], image_pattern(6, i));
	check_eq(npu_ioctl(npu.fd, DRM_IOCTL_ZHOUYI_BO_MMAP_OFFSET, &offset), -EINVAL);
	check_eq(gem_try_close(npu.fd, handle), 0);
	close(fd);
	check_eq(cpu[0], image_pattern(6, 0));
}

TEST_QUIET(scattered_imports_need_an_iommu)
{
	struct npu npu = npu_open();
	uint8_t *cpu;
	int fd = udmabuf_create(4 * MIB, &cpu), r;
	uint32_t handle;

	r = prime_import(&npu, fd, &handle);
	if (npu.info.flags & DRM_ZHOUYI_DEVICE_IOMMU)
		check_eq(r, 0);
	else /* unless the pages happen to lie in order */
		check(r == 0 || r == -EINVAL || r == -ENOSPC);
}

TEST_QUIET(what_is_no_buffer_cannot_be_imported)
{
	struct npu npu = npu_open();
	int memfd = memfd_create("x", MFD_CLOEXEC);
	uint32_t handle;

	check_eq(prime_import(&npu, -1, &handle), -EBADF);
	check_eq(prime_import(&npu, 12345, &handle), -EBADF);
	check_eq(prime_import(&npu, memfd, &handle), -EINVAL);
	check_eq(prime_import(&npu, npu.fd, &handle), -EINVAL);
}
