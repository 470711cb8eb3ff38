// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-fence-chain.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_exec.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>
#include <drm/drm_syncobj.h>

#include "zhouyi_compat.h"
#include "zhouyi_gem.h"
#include "zhouyi_job.h"
#include "zhouyi_regs.h"

#define ZHOUYI_MAX_SYNCS 1024

/* A fence to provide, ready so that nothing can fail when the job is there. */
struct zhouyi_out_sync {
	struct drm_syncobj *syncobj;
	struct dma_fence_chain *chain;
	u64 point;
};

/* What a submission has until the job owns it, or until it is over. */
struct zhouyi_submission {
	struct zhouyi_device *zdev;
	struct drm_file *drm_file;
	const struct drm_zhouyi_submit *args;
	struct zhouyi_job *job;
	bool initialized; /* job->base is */
	u32 *bo_flags;	  /* DRM_ZHOUYI_BO_USE_*, one for each of job->bos */
	struct zhouyi_out_sync *out;
	unsigned int n_out;
};

/*
 * Arguments
 */

static bool zhouyi_stride_is_sane(u32 stride, size_t size)
{
	return stride >= size && stride <= PAGE_SIZE && stride % sizeof(u64) == 0;
}

static int zhouyi_check_args(struct zhouyi_device *zdev, const struct drm_zhouyi_submit *args)
{
	if (args->flags & ~DRM_ZHOUYI_SUBMIT_RESTARTABLE || args->pad)
		return -EINVAL;
	if (args->partition >= zdev->n_partitions || args->priority >= ZHOUYI_PRIORITIES)
		return -EINVAL;
	if (!args->core_mask || args->core_mask & ~zdev->partition[args->partition].cores)
		return -EINVAL;
	if (args->in_sync_count > ZHOUYI_MAX_SYNCS || args->out_sync_count > ZHOUYI_MAX_SYNCS ||
	    !args->bo_count || args->bo_count > ZHOUYI_MAX_BOS)
		return -EINVAL;
	if (!zhouyi_stride_is_sane(args->bo_stride, sizeof(struct drm_zhouyi_bo_use)))
		return -EINVAL;
	if ((args->in_sync_count || args->out_sync_count) &&
	    !zhouyi_stride_is_sane(args->sync_stride, sizeof(struct drm_zhouyi_sync)))
		return -EINVAL;
	return zdev->hw->check(zdev, args);
}

/* Element @i of an array of user space, whose elements may be larger than ours. */
static int zhouyi_copy_element(void *to, size_t size, u64 array, u32 i, u32 stride)
{
	int ret = copy_struct_from_user(to, size, u64_to_user_ptr(array) + (size_t)i * stride,
					stride);

	/* Something of a newer kernel. */
	return ret == -E2BIG ? -EINVAL : ret;
}

static int zhouyi_copy_sync(struct drm_zhouyi_sync *sync, u64 array, u32 i, u32 stride)
{
	int ret = zhouyi_copy_element(sync, sizeof(*sync), array, i, stride);

	if (ret)
		return ret;
	if (sync->flags & ~DRM_ZHOUYI_SYNC_TIMELINE ||
	    !(sync->flags & DRM_ZHOUYI_SYNC_TIMELINE) != !sync->point)
		return -EINVAL;
	return 0;
}

/*
 * Buffers
 */

/* One TCB chain is in one buffer, and that is one of the job's. */
static struct zhouyi_bo *zhouyi_find_chain(struct zhouyi_submission *sub)
{
	const struct drm_zhouyi_submit *args = sub->args;
	struct zhouyi_bo_list *list = sub->job->bos;
	u64 size = args->last_task - args->head;

	size = max(size + V3_TCB_SIZE, (u64)args->tcb_count * V3_TCB_SIZE);
	for (unsigned int i = 0; i < list->n; i++) {
		struct zhouyi_bo *bo = to_zhouyi_bo(list->bo[i]);

		if (zhouyi_range_in(args->head, size, bo->address, list->bo[i]->size))
			return bo;
	}
	return NULL;
}

static int zhouyi_get_bos(struct zhouyi_submission *sub)
{
	const struct drm_zhouyi_submit *args = sub->args;
	struct zhouyi_bo_list *list;
	struct drm_zhouyi_bo_use use;
	int ret;

	list = kvzalloc(struct_size(list, bo, args->bo_count), GFP_KERNEL);
	sub->bo_flags = kvcalloc(args->bo_count, sizeof(*sub->bo_flags), GFP_KERNEL);
	sub->job->bos = list;
	if (!list || !sub->bo_flags)
		return -ENOMEM;
	for (u32 i = 0; i < args->bo_count; i++) {
		ret = zhouyi_copy_element(&use, sizeof(use), args->bos, i, args->bo_stride);
		if (ret)
			return ret;
		if (use.flags & ~(DRM_ZHOUYI_BO_USE_SYNC_READ | DRM_ZHOUYI_BO_USE_SYNC_WRITE))
			return -EINVAL;
		list->bo[i] = drm_gem_object_lookup(sub->drm_file, use.handle);
		if (!list->bo[i])
			return -ENOENT;
		list->n++;
		sub->bo_flags[i] = use.flags;
	}
	sub->job->chain = zhouyi_find_chain(sub);
	if (!sub->job->chain)
		return -EINVAL;
	zhouyi_bo_map(sub->job->chain);
	return 0;
}

/* Implicit synchronization, for those that want it. */
static int zhouyi_wait_for_others(struct zhouyi_submission *sub, unsigned int i)
{
	bool write = sub->bo_flags[i] & DRM_ZHOUYI_BO_USE_SYNC_WRITE;

	return drm_sched_job_add_implicit_dependencies(&sub->job->base, sub->job->bos->bo[i],
						       write);
}

/*
 * A buffer may be named several times, and a fence takes the place of itself only where it is as
 * strong: three places for the three ways of use.
 */
#define ZHOUYI_FENCES_OF_BO 3

static int zhouyi_lock_bos(struct zhouyi_submission *sub, struct drm_exec *exec)
{
	struct zhouyi_bo_list *list = sub->job->bos;
	int ret = 0;

	drm_exec_until_all_locked(exec) {
		for (unsigned int i = 0; i < list->n; i++) {
			ret = drm_exec_prepare_obj(exec, list->bo[i], ZHOUYI_FENCES_OF_BO);
			drm_exec_retry_on_contention(exec);
			if (ret)
				return ret;
		}
	}
	for (unsigned int i = 0; i < list->n && !ret; i++)
		if (sub->bo_flags[i])
			ret = zhouyi_wait_for_others(sub, i);
	return ret;
}

static void zhouyi_attach_fence(struct zhouyi_submission *sub, struct dma_fence *fence)
{
	struct zhouyi_bo_list *list = sub->job->bos;

	for (unsigned int i = 0; i < list->n; i++) {
		enum dma_resv_usage usage = DMA_RESV_USAGE_BOOKKEEP;

		if (sub->bo_flags[i] & DRM_ZHOUYI_BO_USE_SYNC_WRITE)
			usage = DMA_RESV_USAGE_WRITE;
		else if (sub->bo_flags[i] & DRM_ZHOUYI_BO_USE_SYNC_READ)
			usage = DMA_RESV_USAGE_READ;
		dma_resv_add_fence(list->bo[i]->resv, fence, usage);
	}
}

/*
 * Fences
 */

static int zhouyi_add_in_syncs(struct zhouyi_submission *sub)
{
	const struct drm_zhouyi_submit *args = sub->args;
	struct drm_zhouyi_sync sync;
	int ret = 0;

	for (u32 i = 0; i < args->in_sync_count && !ret; i++) {
		ret = zhouyi_copy_sync(&sync, args->in_syncs, i, args->sync_stride);
		if (!ret)
			ret = drm_sched_job_add_syncobj_dependency(&sub->job->base, sub->drm_file,
								   sync.handle, sync.point);
	}
	return ret;
}

static int zhouyi_get_out_syncs(struct zhouyi_submission *sub)
{
	const struct drm_zhouyi_submit *args = sub->args;
	struct drm_zhouyi_sync sync;
	int ret;

	if (!args->out_sync_count)
		return 0;
	sub->out = kvcalloc(args->out_sync_count, sizeof(*sub->out), GFP_KERNEL);
	if (!sub->out)
		return -ENOMEM;
	for (u32 i = 0; i < args->out_sync_count; i++) {
		struct zhouyi_out_sync *out = &sub->out[i];

		ret = zhouyi_copy_sync(&sync, args->out_syncs, i, args->sync_stride);
		if (ret)
			return ret;
		out->syncobj = drm_syncobj_find(sub->drm_file, sync.handle);
		if (!out->syncobj)
			return -ENOENT;
		sub->n_out++;
		out->point = sync.point;
		if (!out->point)
			continue;
		out->chain = dma_fence_chain_alloc();
		if (!out->chain)
			return -ENOMEM;
	}
	return 0;
}

static void zhouyi_signal_out_syncs(struct zhouyi_submission *sub, struct dma_fence *fence)
{
	for (unsigned int i = 0; i < sub->n_out; i++) {
		struct zhouyi_out_sync *out = &sub->out[i];

		if (out->chain)
			drm_syncobj_add_point(out->syncobj, out->chain, fence, out->point);
		else
			drm_syncobj_replace_fence(out->syncobj, fence);
		out->chain = NULL;
	}
}

/*
 * The job
 */

static int zhouyi_reserve_event(struct zhouyi_submission *sub)
{
	struct zhouyi_event *event = kzalloc(sizeof(*event), GFP_KERNEL);

	if (!event)
		return -ENOMEM;
	event->event.base.type = DRM_ZHOUYI_EVENT_JOB;
	event->event.base.length = sizeof(event->event);
	event->event.cookie = sub->args->cookie;
	if (drm_event_reserve_init(&sub->zdev->drm, sub->drm_file, &event->base,
				   &event->event.base)) {
		kfree(event);
		return -EAGAIN;
	}
	sub->job->event = event;
	return 0;
}

static int zhouyi_create_job(struct zhouyi_submission *sub)
{
	const struct drm_zhouyi_submit *args = sub->args;
	const struct zhouyi_window *window = &sub->zdev->hw->window[0];
	struct zhouyi_job *job;

	/* Events are read before jobs are freed, so that both have to be counted. */
	if (READ_ONCE(sub->zdev->n_jobs) >= ZHOUYI_MAX_JOBS)
		return -EAGAIN;
	job = zhouyi_job_create(sub->zdev, sub->drm_file->driver_priv);
	if (IS_ERR(job))
		return PTR_ERR(job);
	sub->job = job;
	job->cookie = args->cookie;
	job->head = args->head;
	job->last_task = args->last_task;
	job->n_tcbs = args->tcb_count;
	job->n_groups = args->group_count;
	job->first_tcbp = lower_32_bits(args->head - window->base);
	job->last_tcbp = lower_32_bits(args->last_task - window->base);
	job->fast = args->priority >= DRM_ZHOUYI_PRIORITY_HIGH;
	job->restartable = args->flags & DRM_ZHOUYI_SUBMIT_RESTARTABLE;
	job->timeout_ms = args->timeout_ms;
	return zhouyi_reserve_event(sub);
}

/*
 * Where a job runs: a job of several groups that may use the whole partition gets it; others get
 * the core with the fewest jobs. Without cores of their own everything gets the partition.
 */
static struct zhouyi_slot *zhouyi_pick_slot(struct zhouyi_device *zdev,
					    const struct drm_zhouyi_submit *args)
{
	struct zhouyi_partition *part = &zdev->partition[args->partition];
	struct zhouyi_slot *best = NULL;

	if (!zdev->bind || (args->group_count > 1 && args->core_mask == part->cores))
		return part->slot;
	spin_lock_irq(&zdev->lock);
	for (unsigned int i = 0; i < zdev->n_slots; i++) {
		struct zhouyi_slot *slot = &zdev->slot[i];

		if (slot->core >= 0 && args->core_mask & slot->cores &&
		    (!best || slot->n_jobs < best->n_jobs))
			best = slot;
	}
	spin_unlock_irq(&zdev->lock);
	return best;
}

static int zhouyi_init_job(struct zhouyi_submission *sub)
{
	struct zhouyi_slot *slot = zhouyi_pick_slot(sub->zdev, sub->args);
	struct zhouyi_file *file = sub->drm_file->driver_priv;
	int ret;

	sub->job->slot = slot;
	ret = zhouyi_sched_job_init(&sub->job->base,
				    zhouyi_file_entity(file, slot, sub->args->priority), 1, file,
				    sub->drm_file->client_id);
	if (ret)
		return ret;
	sub->initialized = true;
	return zhouyi_add_in_syncs(sub);
}

/* From here on the job is known by its cookie. */
static int zhouyi_add_job(struct zhouyi_submission *sub)
{
	struct zhouyi_device *zdev = sub->zdev;
	struct zhouyi_job *job = sub->job, *other;
	int ret = 0;

	spin_lock_irq(&zdev->lock);
	list_for_each_entry(other, &zdev->jobs, link)
		if (other->file == job->file && other->cookie == job->cookie &&
		    other->state != ZHOUYI_JOB_OVER)
			ret = -EEXIST;
	if (zdev->gone)
		ret = -ENODEV;
	else if (zdev->wedged)
		ret = -EIO;
	if (!ret) {
		list_add_tail(&job->link, &zdev->jobs);
		job->slot->n_jobs++;
	}
	spin_unlock_irq(&zdev->lock);
	return ret;
}

static int zhouyi_push_job(struct zhouyi_submission *sub)
{
	struct zhouyi_file *file = sub->drm_file->driver_priv;
	struct dma_fence *fence;
	struct drm_exec exec;
	int ret;

	drm_exec_init(&exec, DRM_EXEC_INTERRUPTIBLE_WAIT | DRM_EXEC_IGNORE_DUPLICATES,
		      sub->job->bos->n);
	ret = zhouyi_lock_bos(sub, &exec);
	if (ret) {
		drm_exec_fini(&exec);
		return ret;
	}

	mutex_lock(&file->submit_lock);
	ret = zhouyi_add_job(sub);
	if (!ret) {
		drm_sched_job_arm(&sub->job->base);
		fence = dma_fence_get(&sub->job->base.s_fence->finished);
		zhouyi_attach_fence(sub, fence);
	}
	/*
	 * Before the job can be over: it has references to its buffers, so that those dropped here,
	 * with some of the buffers still locked, are not the last ones.
	 */
	drm_exec_fini(&exec);
	if (!ret) {
		drm_sched_entity_push_job(&sub->job->base);
		sub->job = NULL; /* may be over already */
		zhouyi_signal_out_syncs(sub, fence);
		dma_fence_put(fence);
	}
	mutex_unlock(&file->submit_lock);
	return ret;
}

static int zhouyi_submit(struct zhouyi_submission *sub)
{
	int ret;

	ret = zhouyi_create_job(sub);
	if (!ret)
		ret = zhouyi_get_bos(sub);
	if (!ret)
		ret = zhouyi_get_out_syncs(sub);
	if (ret)
		return ret;

	/* Outermost, and not when it is started: waking up may have to wait for memory. */
	ret = pm_runtime_resume_and_get(sub->zdev->dev);
	if (ret)
		return ret == -EACCES ? -ENODEV : ret;
	sub->job->pm = true;
	ret = zhouyi_init_job(sub);
	if (!ret)
		ret = zhouyi_push_job(sub);
	return ret;
}

static void zhouyi_submission_fini(struct zhouyi_submission *sub)
{
	for (unsigned int i = 0; i < sub->n_out; i++) {
		dma_fence_chain_free(sub->out[i].chain);
		drm_syncobj_put(sub->out[i].syncobj);
	}
	kvfree(sub->out);
	kvfree(sub->bo_flags);
	if (!sub->job)
		return;
	if (sub->initialized)
		drm_sched_job_cleanup(&sub->job->base);
	zhouyi_job_free(sub->job);
}

int zhouyi_ioctl_submit(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct zhouyi_submission sub = {
		.zdev = to_zhouyi(drm),
		.drm_file = drm_file,
		.args = data,
	};
	int ret, idx;

	ret = zhouyi_check_args(sub.zdev, data);
	if (ret)
		return ret;
	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	ret = zhouyi_submit(&sub);
	zhouyi_submission_fini(&sub);
	drm_dev_exit(idx);
	return ret;
}
