/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/daemon/fake_npu.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct fake_npu fake;

static int fail(int error)
{
	errno = error;
	return -1;
}

static uint32_t new_handle(uint64_t size, int memory)
{
	uint32_t i = ++fake.n_handles;

	cr_assert_lt(i, FAKE_HANDLES);
	fake.handle[i].address = fake.next_address;
	fake.handle[i].size = size;
	fake.handle[i].memory = memory;
	fake.handle[i].open = true;
	fake.next_address += size + 0x10000;
	return i;
}

static bool is_open(uint32_t handle)
{
	return handle && handle <= fake.n_handles && fake.handle[handle].open;
}

static int on_query(struct drm_zhouyi_query *args)
{
	const struct {
		const void *data;
		uint32_t size;
	} answers[] = {
		[DRM_ZHOUYI_QUERY_DEVICE] = {&fake.info, sizeof(fake.info)},
		[DRM_ZHOUYI_QUERY_PARTITIONS] = {&fake.partition, sizeof(fake.partition)},
		[DRM_ZHOUYI_QUERY_ASIDS] = {&fake.window, sizeof(fake.window)},
		[DRM_ZHOUYI_QUERY_ZONES] = {&fake.zone, sizeof(fake.zone)},
	};

	if (args->type >= sizeof(answers) / sizeof(*answers))
		return fail(EINVAL);
	memcpy((void *)(uintptr_t)args->pointer, answers[args->type].data,
	       args->size < answers[args->type].size ? args->size : answers[args->type].size);
	args->size = answers[args->type].size;
	return 0;
}

static int on_submit(const struct drm_zhouyi_submit *args)
{
	int error = fake.submit_error;

	fake.n_submits++;
	fake.submit_error = 0;
	if (error)
		return fail(error);
	fake.submit = *args;
	cr_assert(args->bo_count <= 8 && args->in_sync_count <= 8 && args->out_sync_count <= 1);
	memcpy(fake.use, (void *)(uintptr_t)args->bos, args->bo_count * sizeof(*fake.use));
	memcpy(fake.in, (void *)(uintptr_t)args->in_syncs, args->in_sync_count * sizeof(*fake.in));
	memcpy(&fake.out, (void *)(uintptr_t)args->out_syncs,
	       args->out_sync_count * sizeof(fake.out));
	for (uint32_t i = 0; i < args->bo_count; i++)
		cr_assert(is_open(fake.use[i].handle));
	return 0;
}

static int on_bo(unsigned long request, void *data)
{
	struct drm_zhouyi_bo_create *create = data;
	struct drm_zhouyi_bo_info *info = data;
	struct drm_prime_handle *prime = data;
	struct drm_gem_close *gem = data;

	switch (request) {
	case DRM_IOCTL_ZHOUYI_BO_CREATE:
		create->handle = new_handle(create->size, memfd_create("fake", MFD_CLOEXEC));
		cr_assert_eq(ftruncate(fake.handle[create->handle].memory, (off_t)create->size), 0);
		create->address = fake.handle[create->handle].address;
		return 0;
	case DRM_IOCTL_ZHOUYI_BO_INFO:
		if (!is_open(info->handle))
			return fail(ENOENT);
		info->size = fake.handle[info->handle].size;
		info->address = fake.handle[info->handle].address;
		return 0;
	case DRM_IOCTL_PRIME_FD_TO_HANDLE:
		if (fake.import_error)
			return fail(fake.import_error);
		prime->handle = new_handle((uint64_t)lseek(prime->fd, 0, SEEK_END), -1);
		return 0;
	case DRM_IOCTL_PRIME_HANDLE_TO_FD:
		prime->fd = fcntl(fake.handle[prime->handle].memory, F_DUPFD_CLOEXEC, 0);
		return 0;
	case DRM_IOCTL_GEM_CLOSE:
		cr_assert(is_open(gem->handle), "handle %u is not open", gem->handle);
		fake.handle[gem->handle].open = false;
		if (fake.handle[gem->handle].memory >= 0)
			close(fake.handle[gem->handle].memory);
		return 0;
	}
	return fail(ENOTTY);
}

static int on_syncobj(unsigned long request, void *data)
{
	struct drm_syncobj_create *create = data;
	struct drm_syncobj_handle *handle = data;

	switch (request) {
	case DRM_IOCTL_SYNCOBJ_CREATE:
		create->handle = 100 + fake.n_syncobjs++;
		return 0;
	case DRM_IOCTL_SYNCOBJ_DESTROY:
		fake.n_syncobjs--;
		return 0;
	case DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE:
		return fcntl(handle->fd, F_GETFD) < 0 ? fail(EINVAL) : 0;
	case DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD:
		handle->fd = eventfd(0, EFD_CLOEXEC);
		return 0;
	}
	return on_bo(request, data);
}

static int on_npu(unsigned long request, void *data)
{
	int error;

	switch (request) {
	case DRM_IOCTL_ZHOUYI_QUERY:
		return on_query(data);
	case DRM_IOCTL_ZHOUYI_SUBMIT:
		return on_submit(data);
	case DRM_IOCTL_ZHOUYI_RESET:
		fake.n_resets++;
		error = fake.reset_error;
		fake.reset_error = 0;
		return error ? fail(error) : 0;
	case DRM_IOCTL_ZHOUYI_ABORT:
		fake.n_aborts++;
		error = fake.abort_error;
		fake.abort_error = 0;
		return error ? fail(error) : 0;
	}
	return on_syncobj(request, data);
}

/* In front of the C library's, for everybody in this process. */
__attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...)
{
	struct udmabuf_create *create;
	va_list ap;
	void *data;

	va_start(ap, request);
	data = va_arg(ap, void *);
	va_end(ap);
	if (fake.peer >= 0 && fd == fake.npu)
		return on_npu(request, data);
	if (!fake.has_udmabuf || fd != fake.udmabuf || request != UDMABUF_CREATE)
		return (int)syscall(SYS_ioctl, fd, request, data);
	create = data;
	if (create->size > fake.udmabuf_limit)
		return fail(EINVAL);
	return fcntl((int)create->memfd, F_DUPFD_CLOEXEC, 0);
}

static int open_npu(void *arg, const struct drm_why **ret_why)
{
	static const struct drm_why why = {"it does not want to", "it does not want to"};
	int pair[2];

	(void)arg;
	*ret_why = &why;
	if (fake.open_error)
		return -fake.open_error;
	if (fake.peer >= 0)
		close(fake.peer);
	/* As when a device is closed. */
	for (uint32_t i = 1; i <= fake.n_handles; i++)
		fake.handle[i].open = false;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
		     0);
	fake.npu = pair[0];
	fake.peer = pair[1];
	fake.n_opens++;
	return pair[0];
}

static int open_udmabuf(void *arg)
{
	(void)arg;
	if (!fake.has_udmabuf)
		return -ENOENT;
	fake.udmabuf = eventfd(0, EFD_CLOEXEC);
	return fake.udmabuf;
}

void fake_init(void)
{
	fake = (struct fake_npu){
		.info = {.generation = DRM_ZHOUYI_V3,
			 .arch = DRM_ZHOUYI_ARCH_SOFT,
			 .version = 5,
			 .config = 1204,
			 .partitions = 1,
			 .clusters = 1,
			 .cores = 3,
			 .tecs = 4,
			 .placement = DRM_ZHOUYI_PLACEMENT_EXACT,
			 .asids = 1,
			 .zones = 1,
			 .tail_bytes = 2048,
			 .max_jobs = 62,
			 .max_bos = 8,
			 .priorities = 4,
			 .flags = DRM_ZHOUYI_DEVICE_IOMMU | DRM_ZHOUYI_DEVICE_COHERENT},
		.partition = {.core_mask = 7, .clusters = 1},
		.window = {.base = FAKE_BASE, .size = UINT64_C(1) << 32},
		.zone = {.zone = DRM_ZHOUYI_ZONE_SYSTEM, .size = UINT64_C(1) << 24},
		.source = {.open_npu = open_npu, .open_udmabuf = open_udmabuf},
		.peer = -1,
		.udmabuf_limit = 65536,
		.has_udmabuf = true,
		.next_address = FAKE_BASE + 0x1000,
	};
}

void fake_finish(void)
{
	if (fake.peer >= 0)
		close(fake.peer);
	fake.peer = -1;
	cr_expect_eq(fake.n_syncobjs, 0);
}

void fake_say(const void *data, size_t size)
{
	cr_assert_eq(send(fake.peer, data, size, 0), (ssize_t)size);
}

void fake_say_over(uint64_t cookie, enum drm_zhouyi_result result)
{
	struct drm_zhouyi_event event = {
		.base = {.type = DRM_ZHOUYI_EVENT_JOB, .length = sizeof(event)},
		.cookie = cookie,
		.device_ns = 1000 + cookie,
		.cores = 1,
		.result = (uint16_t)result,
	};

	fake_say(&event, sizeof(event));
}

unsigned int fake_n_open(void)
{
	unsigned int n = 0;

	for (uint32_t i = 1; i <= fake.n_handles; i++)
		n += fake.handle[i].open;
	return n;
}
