/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of the driver say to it. Everything goes through plain ioctls, so that a
 * test can pass what no library would. Functions without "try" end the test on failure;
 * those with it return 0 or a negative errno.
 */
#pragma once

#include "tests/kernel/chain.h"
#include "tests/kernel/harness.h"
#include "uapi/drm/zhouyi_accel.h"

struct npu {
	int fd;
	struct drm_zhouyi_device_info info;
	struct drm_zhouyi_partition_info partition; /* the first */
	struct image_device image;
};

struct bo {
	struct npu *npu;
	uint32_t handle;
	uint64_t size, address;
	uint8_t *cpu; /* NULL unless mapped */
};

/* A buffer with an image in it, and a submission of it that can be changed. */
struct job {
	struct bo bo;
	struct image image;
	uint32_t seed;
	struct drm_zhouyi_bo_use use;
	struct drm_zhouyi_submit submit;
};

/* ioctl() that returns a negative errno, and is not interrupted. */
int npu_ioctl(int fd, unsigned long request, void *arg);

/* The node; waits a moment for an owner that is about to leave. */
int npu_try_open(void);
struct npu npu_open(void);

int bo_try_create(struct npu *npu, uint64_t size, uint32_t placement, struct bo *ret);
struct bo bo_create(struct npu *npu, uint64_t size); /* system memory, mapped */
int bo_try_map(struct bo *bo);
int gem_try_close(int fd, uint32_t handle);
void bo_destroy(struct bo *bo);
int bo_wait(struct bo *bo, int64_t timeout_ms);

/* These return a descriptor, or 0, or a negative errno. */
int prime_export(struct npu *npu, uint32_t handle);
int prime_import(struct npu *npu, int fd, uint32_t *ret_handle);
/* A dma-buf over pages of a memfd, as the daemon makes them for its clients; @ret_cpu sees them. */
int udmabuf_create(size_t size, uint8_t **ret_cpu);

/* A job with the program @insn[0 … @n], all cores, normal priority, cookie @seed. */
struct job job_create(struct npu *npu, const struct npu_insn *insn, unsigned int n, uint32_t seed);
struct job job_copy(struct npu *npu, uint32_t seed);
struct job job_delay(struct npu *npu, uint32_t microseconds, uint32_t seed); /* then copies */
struct job job_hang(struct npu *npu, uint32_t seed);
struct job job_fault(struct npu *npu, enum npu_raise what, uint32_t seed);
int job_try_submit(struct job *job);
void job_submit(struct job *job);
/* After it is over: ready to be submitted again, with an empty output. */
void job_rewind(struct job *job);
/* Its output is its input. */
bool job_has_copied(const struct job *job);
void job_destroy(struct job *job);

/* The next event, or a failed test after @timeout_ms; -ETIME as result if @timeout_ms is 0 and
 * there is none. */
struct drm_zhouyi_event event_next(struct npu *npu, int timeout_ms);
bool event_waits(struct npu *npu, int timeout_ms);
/* The next event is that of @cookie with @result. Returns it. */
struct drm_zhouyi_event event_expect(struct npu *npu, uint64_t cookie, uint16_t result);
/* Submit, and see it end like this. */
struct drm_zhouyi_event job_run(struct job *job, uint16_t result);

struct drm_zhouyi_stats_info npu_stats(struct npu *npu);

uint32_t syncobj_create(struct npu *npu, bool signaled);
void syncobj_destroy(struct npu *npu, uint32_t handle);
/* @point 0: binary. @timeout_ms from now. */
int syncobj_wait(struct npu *npu, uint32_t handle, uint64_t point, int timeout_ms);
void syncobj_signal(struct npu *npu, uint32_t handle, uint64_t point);
int syncobj_export_sync_file(struct npu *npu, uint32_t handle);
void syncobj_import_sync_file(struct npu *npu, uint32_t handle, int fd);
/* Status of the fence behind a sync_file: 1 signaled, 0 not yet, negative errno: failed. */
int sync_file_status(int fd);
/* The same when it is over. Events are read before fences are signaled, so that may take a moment. */
int sync_file_end(int fd);

int64_t now_ns(void); /* CLOCK_MONOTONIC */
void sleep_ms(unsigned int ms);
/* Write @text to a file, or read a number from one; negative errno. */
int file_write(const char *path, const char *text);
long long file_number(const char *path);
