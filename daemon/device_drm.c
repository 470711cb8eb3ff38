/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An NPU with the zhouyi driver.
 *
 * What the driver reports is read() from the device. device->fd is an epoll descriptor with
 * two others in it, the device and an eventfd, so that it stays the same however often the
 * device is opened, and can say something while it is not open at all.
 *
 * Whether to run a job again is the daemon's decision, so no job is marked as restartable: the
 * driver stops those that are in the way of an abort, and says so.
 */
#include "daemon/device_drm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xf86drm.h>

#include "daemon/device_backend.h"
#include "proto/scope.h"

#define MAX_FENCES 8 /* that a job waits for */

enum drm_job_state { DRM_JOB_FREE, DRM_JOB_ON_ITS_WAY, DRM_JOB_OVER };

struct drm_job {
	enum drm_job_state state;
	struct device_event event;
	struct drm_job *next_over; /* drm.over */
};

struct drm {
	struct device device;
	const struct drm_source *source;
	struct drm_info info;
	struct drm_memory memory;
	struct drm_job *jobs; /* caps.depth */
	struct drm_job *over; /* events to be collected, oldest first */
	struct drm_job **over_end;
	struct drm_zhouyi_bo_use *uses; /* of the job that is being submitted: max_bos */
	uint64_t n_jobs;		/* submitted so far */
	int wake;   /* readable: there are events that the device does not tell */
	bool woken; /* and it is readable */
};

static struct drm *drm_of(struct device *device)
{
	return list_entry(device, struct drm, device);
}

/*
 * Events
 */

static struct drm_job *job_find(struct drm *drm, enum drm_job_state state, const uint64_t *cookie)
{
	for (unsigned int i = 0; i < drm->device.caps.depth; i++) {
		struct drm_job *job = &drm->jobs[i];

		if (job->state == state && (!cookie || job->event.cookie == *cookie))
			return job;
	}
	return NULL;
}

static void job_over(struct drm *drm, struct drm_job *job)
{
	job->state = DRM_JOB_OVER;
	job->next_over = NULL;
	*drm->over_end = job;
	drm->over_end = &job->next_over;
}

/* Jobs that are not ours are nobody's. */
static void on_job(void *arg, const struct drm_zhouyi_event *event)
{
	struct drm *drm = arg;
	uint64_t cookie = event->cookie;
	struct drm_job *job = job_find(drm, DRM_JOB_ON_ITS_WAY, &cookie);

	if (!job)
		return;
	drm_event_translate(event, drm->device.caps.cores, &job->event);
	job_over(drm, job);
}

/* The device is not to be listened to any more, and whatever is on its way is lost. */
static void vanish(struct drm *drm)
{
	struct drm_job *job;

	if (!drm->device.gone && drm->memory.fd >= 0)
		epoll_ctl(drm->device.fd, EPOLL_CTL_DEL, drm->memory.fd, NULL);
	drm->device.gone = true;
	while ((job = job_find(drm, DRM_JOB_ON_ITS_WAY, NULL))) {
		job->event =
			(struct device_event){.cookie = job->event.cookie, .result = DEVICE_LOST};
		job_over(drm, job);
	}
	if (drm->over)
		drm->woken = eventfd_write(drm->wake, 1) == 0;
}

/* Once: if there is more the descriptor stays readable. */
static void read_events(struct drm *drm)
{
	uint8_t data[4096] __attribute__((aligned(8)));
	bool gone = false;
	ssize_t n;

	if (drm->device.gone)
		return;
	n = read(drm->memory.fd, data, sizeof(data));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || drm_events_parse(data, (size_t)n, on_job, drm, &gone) < 0 || gone)
		vanish(drm);
}

static size_t drm_collect(struct device *device, struct device_event *ret, size_t max)
{
	struct drm *drm = drm_of(device);
	eventfd_t value;
	size_t n = 0;

	if (!drm->over)
		read_events(drm);
	while (drm->over && n < max) {
		struct drm_job *job = drm->over;

		ret[n++] = job->event;
		job->state = DRM_JOB_FREE;
		drm->over = job->next_over;
	}
	if (!drm->over) {
		drm->over_end = &drm->over;
		if (drm->woken)
			(void)eventfd_read(drm->wake, &value);
		drm->woken = false;
	}
	return n;
}

/*
 * Submission
 */

static int find_partition(const struct drm *drm, uint64_t cores)
{
	for (unsigned int i = 0; i < drm->device.caps.partitions; i++)
		if (cores && !(cores & ~drm->info.partition[i]))
			return (int)i;
	return -EINVAL;
}

/* Each buffer once, however many ranges lie in it. */
static int list_buffers(struct drm *drm, const struct device_job *job, uint32_t *ret_n)
{
	uint32_t n = 0;

	drm->n_jobs++;
	for (size_t set = 0; set < DEVICE_JOB_RANGE_SETS; set++) {
		for (size_t i = 0; i < job->ranges[set].n; i++) {
			const struct device_range *range = &job->ranges[set].range[i];
			struct drm_buffer *buffer = drm_buffer_of(range->buffer);

			if (range->buffer->device != &drm->device || !buffer->handle)
				return -EINVAL;
			if (buffer->job == drm->n_jobs)
				continue;
			if (n == drm->info.device.max_bos)
				return -EINVAL;
			buffer->job = drm->n_jobs;
			drm->uses[n++] = (struct drm_zhouyi_bo_use){.handle = buffer->handle};
		}
	}
	*ret_n = n;
	return 0;
}

struct drm_fences {
	struct drm_zhouyi_sync in[MAX_FENCES], out;
	uint32_t n_in, n_out;
};

static void fences_finish(struct drm_fences *fences, int fd)
{
	for (uint32_t i = 0; i < fences->n_in; i++)
		drmSyncobjDestroy(fd, fences->in[i].handle);
	if (fences->n_out)
		drmSyncobjDestroy(fd, fences->out.handle);
}

/* The driver speaks of syncobjs; sync files go in and out by way of some for the moment. */
static int fences_import(struct drm_fences *fences, int fd, const struct device_job *job)
{
	if (job->n_in_fences > MAX_FENCES)
		return -EINVAL;
	for (size_t i = 0; i < job->n_in_fences; i++) {
		struct drm_zhouyi_sync *sync = &fences->in[i];

		if (drmSyncobjCreate(fd, 0, &sync->handle) < 0)
			return -errno;
		fences->n_in++;
		if (drmSyncobjImportSyncFile(fd, sync->handle, job->in_fences[i]) < 0)
			return -EINVAL;
	}
	if (!job->ret_out_fence)
		return 0;
	if (drmSyncobjCreate(fd, 0, &fences->out.handle) < 0)
		return -errno;
	fences->n_out = 1;
	return 0;
}

static int submit_call(struct drm *drm, const struct device_job *job, uint32_t n_buffers,
		       const struct drm_fences *fences)
{
	struct drm_zhouyi_submit args = {
		.cookie = job->cookie,
		.head = job->head,
		.first_task = job->first_task,
		.last_task = job->last_task,
		.core_mask = job->core_mask,
		.in_syncs = (uintptr_t)fences->in,
		.out_syncs = (uintptr_t)&fences->out,
		.bos = (uintptr_t)drm->uses,
		.in_sync_count = fences->n_in,
		.out_sync_count = fences->n_out,
		.sync_stride = sizeof(struct drm_zhouyi_sync),
		.bo_count = n_buffers,
		.bo_stride = sizeof(*drm->uses),
		.tcb_count = job->n_tcbs,
		.group_count = job->n_groups,
		.partition = (uint32_t)find_partition(drm, job->core_mask),
		.priority = job->fast ? DRM_ZHOUYI_PRIORITY_HIGH : DRM_ZHOUYI_PRIORITY_NORMAL,
	};
	int r = drm_call(drm->memory.fd, DRM_IOCTL_ZHOUYI_SUBMIT, &args);

	/* A device that does not recover is as good as none: it has to be opened again. */
	if (r == -EIO)
		return -ENODEV;
	return r == -ENOENT || r == -EEXIST ? -EINVAL : r;
}

static int submit(struct drm *drm, const struct device_job *job)
{
	struct drm_fences fences = {0};
	int fd = drm->memory.fd, r, out = -1;
	uint32_t n;

	r = list_buffers(drm, job, &n);
	if (r < 0)
		return r;
	r = fences_import(&fences, fd, job);
	if (r == 0)
		r = submit_call(drm, job, n, &fences);
	/* Too late to fail: without a descriptor there is no fence, and the event tells. */
	if (r == 0 && job->ret_out_fence) {
		if (drmSyncobjExportSyncFile(fd, fences.out.handle, &out) < 0)
			out = -1;
		*job->ret_out_fence = out;
	}
	fences_finish(&fences, fd);
	return r;
}

static int drm_submit(struct device *device, const struct device_job *job)
{
	struct drm *drm = drm_of(device);
	struct drm_job *entry = job_find(drm, DRM_JOB_FREE, NULL);
	int r;

	if (find_partition(drm, job->core_mask) < 0)
		return -EINVAL;
	if (drm->device.gone)
		return -ENODEV;
	if (!entry)
		return -EAGAIN;
	r = submit(drm, job);
	if (r == -ENODEV)
		vanish(drm);
	if (r < 0)
		return r;
	entry->state = DRM_JOB_ON_ITS_WAY;
	entry->event = (struct device_event){.cookie = job->cookie};
	return 0;
}

/*
 * The ladder
 */

static int drm_abort(struct device *device, uint64_t cookie)
{
	struct drm *drm = drm_of(device);
	struct drm_zhouyi_abort args = {.cookie = cookie};
	int r;

	if (!job_find(drm, DRM_JOB_ON_ITS_WAY, &cookie))
		return job_find(drm, DRM_JOB_OVER, &cookie) ? 0 : -ENOENT;
	if (drm->device.gone)
		return -ENODEV;
	r = drm_call(drm->memory.fd, DRM_IOCTL_ZHOUYI_ABORT, &args);
	/* It is over, and its event waits to be read. */
	return r == -ENOENT ? 0 : r;
}

static int reset_call(int fd, enum drm_zhouyi_reset_kind kind)
{
	struct drm_zhouyi_reset args = {.kind = kind};

	return drm_call(fd, DRM_IOCTL_ZHOUYI_RESET, &args);
}

static int drm_soft_reset(struct device *device)
{
	struct drm *drm = drm_of(device);

	return drm->device.gone ? -ENODEV : reset_call(drm->memory.fd, DRM_ZHOUYI_RESET_SOFT);
}

static int drm_reset(struct device *device)
{
	struct drm *drm = drm_of(device);

	return drm->device.gone ? -ENODEV : reset_call(drm->memory.fd, DRM_ZHOUYI_RESET_FULL);
}

static int listen_to(struct drm *drm, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(drm->device.fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* What has come back must be what programs and addresses were made for. */
static int check_same(const struct drm *drm, int fd)
{
	const struct drm_why *why;
	struct drm_info info;
	int r = drm_info_query(&info, fd, &why);

	if (r < 0)
		return r;
	return drm_info_equal(&info, &drm->info) ? 0 : -ENODEV;
}

static int reopen(struct drm *drm)
{
	const struct drm_why *why;
	zy_auto(zy_close) int fd = drm->source->open_npu(drm->source->arg, &why);
	int r;

	if (fd < 0)
		return fd;
	r = check_same(drm, fd);
	/* Whatever it was in the middle of. */
	if (r == 0)
		r = reset_call(fd, DRM_ZHOUYI_RESET_FULL);
	if (r == 0)
		r = listen_to(drm, fd);
	if (r == 0)
		r = drm_memory_attach(&drm->memory, fd);
	if (r < 0)
		return r;
	zy_take_fd(fd);
	return 0;
}

static int drm_reopen(struct device *device)
{
	struct drm *drm = drm_of(device);
	int r;

	vanish(drm);
	drm_memory_detach(&drm->memory);
	/* Before any address changes: who sees an old one with a new epoch would keep it. */
	__atomic_add_fetch(&device->epoch, 1, __ATOMIC_RELEASE);
	r = reopen(drm);
	if (r == 0)
		drm->device.gone = false;
	/* All others mean that there is nothing that could be used now. */
	return r == 0 || r == -EBUSY || r == -ENOTRECOVERABLE ? r : -ENODEV;
}

/*
 * The rest
 */

static size_t drm_counters(struct device *device, struct device_counter *ret, size_t max)
{
	struct drm *drm = drm_of(device);
	struct drm_zhouyi_stats_info s = {0};
	struct drm_zhouyi_query query = {
		.type = DRM_ZHOUYI_QUERY_STATS, .size = sizeof(s), .pointer = (uintptr_t)&s};

	/* Of a device that is gone they are 0, like those of one that comes. */
	if (!drm->device.gone)
		(void)drm_call(drm->memory.fd, DRM_IOCTL_ZHOUYI_QUERY, &query);

	const struct device_counter all[] = {
		{"jobs", drm->n_jobs},
		{"done", s.jobs_done},
		{"failed", s.jobs_failed},
		{"timeouts", s.timeouts},
		{"aborts", s.aborts},
		{"soft_resets", s.soft_resets},
		{"full_resets", s.full_resets},
		{"lost_interrupts", s.lost_interrupts},
		{"stray_interrupts", s.stray_interrupts},
	};
	size_t n = sizeof(all) / sizeof(*all);

	n = n < max ? n : max;
	memcpy(ret, all, n * sizeof(*all));
	return n;
}

static int drm_create(struct device *device, size_t size, struct device_buffer **ret)
{
	return drm_memory_create(&drm_of(device)->memory, device, size, ret);
}

static int drm_import(struct device *device, int fd, size_t size, struct device_buffer **ret)
{
	return drm_memory_import(&drm_of(device)->memory, device, fd, size, ret);
}

static void drm_destroy(struct device_buffer *buffer)
{
	drm_memory_destroy(&drm_of(buffer->device)->memory, buffer);
}

static uint64_t drm_used(struct device *device)
{
	return drm_memory_used(&drm_of(device)->memory);
}

static void drm_close(struct device *device)
{
	struct drm *drm = drm_of(device);

	/* The driver stops what may still be running. */
	drm_memory_detach(&drm->memory);
	if (drm->memory.udmabuf >= 0)
		close(drm->memory.udmabuf);
	drm_memory_finish(&drm->memory);
	if (drm->wake >= 0)
		close(drm->wake);
	if (device->fd >= 0)
		close(device->fd);
	free(drm->jobs);
	free(drm->uses);
	free(drm);
}

static const struct device_ops drm_ops = {
	.close = drm_close,
	.buffer_create = drm_create,
	.buffer_import = drm_import,
	.buffer_export = drm_memory_export,
	.buffer_destroy = drm_destroy,
	.submit = drm_submit,
	.abort = drm_abort,
	.soft_reset = drm_soft_reset,
	.reset = drm_reset,
	.reopen = drm_reopen,
	.collect = drm_collect,
	.counters = drm_counters,
	.memory_used = drm_used,
};

/* Scattered memory that the processor's caches may hold is for devices that see both. */
static bool takes_any_memory(const struct drm_info *info)
{
	const uint32_t needed = DRM_ZHOUYI_DEVICE_IOMMU | DRM_ZHOUYI_DEVICE_COHERENT;

	return (info->device.flags & needed) == needed;
}

static int start(struct drm *drm, const struct drm_why **ret_why)
{
	zy_auto(zy_close) int fd = drm->source->open_npu(drm->source->arg, ret_why);
	int r;

	if (fd < 0)
		return fd;
	r = drm_info_query(&drm->info, fd, ret_why);
	if (r == 0)
		r = drm_info_caps(&drm->info, &drm->device.caps);
	if (r < 0)
		return r;
	drm->jobs = calloc(drm->device.caps.depth, sizeof(*drm->jobs));
	drm->uses = calloc(drm->info.device.max_bos, sizeof(*drm->uses));
	if (!drm->jobs || !drm->uses)
		return -ENOMEM;
	if (takes_any_memory(&drm->info))
		drm->memory.udmabuf = drm->source->open_udmabuf(drm->source->arg);
	r = listen_to(drm, fd);
	if (r == 0)
		r = drm_memory_attach(&drm->memory, fd);
	if (r == 0)
		zy_take_fd(fd);
	return r;
}

static int make_descriptors(struct drm *drm)
{
	drm->device.fd = epoll_create1(EPOLL_CLOEXEC);
	drm->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (drm->device.fd < 0 || drm->wake < 0)
		return -errno;
	return listen_to(drm, drm->wake);
}

int device_drm_create(struct device **ret, const struct drm_source *source,
		      const struct drm_why **ret_why)
{
	static const struct drm_why trouble = {
		"the NPU is there, but the daemon has no memory or descriptors left for it",
		"there is no memory for the NPU's driver; the software NPU takes its place",
	};
	struct drm *drm = calloc(1, sizeof(*drm));
	int r;

	*ret_why = &trouble;
	if (!drm)
		return -ENOMEM;
	drm->device.ops = &drm_ops;
	drm->source = source;
	drm->over_end = &drm->over;
	drm_memory_init(&drm->memory);
	r = make_descriptors(drm);
	if (r == 0)
		r = start(drm, ret_why);
	if (r < 0) {
		drm_close(&drm->device);
		return r;
	}
	*ret = &drm->device;
	return 0;
}

int device_drm_open(struct device **ret, const char **ret_reason, const char **ret_soft_reason)
{
	const struct drm_why *why;
	int r = device_drm_create(ret, &drm_system, &why);

	*ret_reason = why->text;
	*ret_soft_reason = why->soft;
	return r;
}
