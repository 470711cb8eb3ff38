// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-fence.h>
#include <linux/module.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "zhouyi_compat.h"
#include "zhouyi_gem.h"
#include "zhouyi_job.h"
#include "zhouyi_regs.h"

/*
 * Fences
 */

static const char *zhouyi_fence_driver_name(struct dma_fence *fence)
{
	return "zhouyi";
}

static const char *zhouyi_fence_timeline_name(struct dma_fence *fence)
{
	return "job";
}

/* Whoever holds a fence calls into this module when it lets go. */
static void zhouyi_fence_release(struct dma_fence *base)
{
	kfree_rcu(container_of(base, struct zhouyi_fence, base), base.rcu);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops zhouyi_fence_ops = {
	.get_driver_name = zhouyi_fence_driver_name,
	.get_timeline_name = zhouyi_fence_timeline_name,
	.release = zhouyi_fence_release,
};

static struct zhouyi_fence *zhouyi_fence_create(void)
{
	struct zhouyi_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	if (!fence)
		return NULL;
	__module_get(THIS_MODULE);
	spin_lock_init(&fence->lock);
	/* Jobs end in any order, so each is a timeline of its own. */
	dma_fence_init(&fence->base, &zhouyi_fence_ops, &fence->lock, dma_fence_context_alloc(1),
		       1);
	return fence;
}

int zhouyi_job_error(enum drm_zhouyi_result result)
{
	switch (result) {
	case DRM_ZHOUYI_RESULT_DONE:
		return 0;
	case DRM_ZHOUYI_RESULT_EXCEPTION:
		return -EINVAL;
	case DRM_ZHOUYI_RESULT_FAULT:
		return -EFAULT;
	case DRM_ZHOUYI_RESULT_ERROR:
		return -EIO;
	case DRM_ZHOUYI_RESULT_TIMEOUT:
		return -ETIME;
	case DRM_ZHOUYI_RESULT_ABORTED:
		return -ECANCELED;
	case DRM_ZHOUYI_RESULT_LOST:
		return -ENODEV;
	}
	return -EIO;
}

enum drm_zhouyi_result zhouyi_fault_result(u32 types)
{
	if (types & V3_IRQ_FAULT)
		return DRM_ZHOUYI_RESULT_FAULT;
	if (types & V3_IRQ_ERROR)
		return DRM_ZHOUYI_RESULT_ERROR;
	return DRM_ZHOUYI_RESULT_EXCEPTION;
}

/*
 * The end of a job
 */

static void zhouyi_job_fill_event(struct zhouyi_job *job, enum drm_zhouyi_result result, u16 flags,
				  u64 ran_ns)
{
	struct drm_zhouyi_event *event = &job->event->event;
	const struct zhouyi_fault *fault = &job->fault;

	event->result = result;
	event->flags = flags;
	event->device_ns = ran_ns;
	if (job->started)
		event->cores = job->slot->cores;
	if (!job->has_fault || result == DRM_ZHOUYI_RESULT_DONE)
		return;
	event->flags |= DRM_ZHOUYI_EVENT_TCBP;
	event->fault_class = fault->types;
	event->fault_code = fault->code;
	event->fault_tcbp = fault->tcbp;
	if (fault->core != U16_MAX) {
		event->flags |= DRM_ZHOUYI_EVENT_UNIT;
		event->fault_core = fault->core;
		event->fault_tec = fault->tec;
		if (job->n_groups == 1)
			event->cores = BIT_ULL(fault->core);
	}
}

static void zhouyi_job_stop_waiting(struct zhouyi_job *job)
{
	if (job->slot->part->waiting == job)
		job->slot->part->waiting = NULL;
}

void zhouyi_job_end(struct zhouyi_job *job, enum drm_zhouyi_result result, u16 flags,
		    struct list_head *done)
{
	struct zhouyi_device *zdev = job->zdev;
	u64 ran_ns = 0;

	lockdep_assert_held(&zdev->lock);
	if (WARN_ON_ONCE(job->state == ZHOUYI_JOB_OVER))
		return;
	if (job->state != ZHOUYI_JOB_QUEUED) {
		ran_ns = ktime_to_ns(ktime_sub(ktime_get(), job->started));
		atomic64_add(ran_ns, &job->file->busy_ns);
		timer_delete(&job->slot->timer);
		job->slot->running = NULL;
	}
	job->state = ZHOUYI_JOB_OVER;
	job->slot->n_jobs--;
	atomic64_inc(&job->file->jobs);
	if (result == DRM_ZHOUYI_RESULT_DONE)
		zdev->counters.done++;
	else
		zdev->counters.failed++;
	if (result == DRM_ZHOUYI_RESULT_TIMEOUT)
		zdev->counters.timeouts++;
	zhouyi_job_stop_waiting(job);

	zhouyi_job_fill_event(job, result, flags, ran_ns);
	if (result != DRM_ZHOUYI_RESULT_DONE)
		dma_fence_set_error(&job->fence->base, zhouyi_job_error(result));
	list_add_tail(&job->done, done);
}

void zhouyi_job_report_all(struct zhouyi_device *zdev, struct list_head *done)
{
	struct zhouyi_job *job, *next;

	list_for_each_entry_safe(job, next, done, done) {
		struct dma_fence *fence = dma_fence_get(&job->fence->base);
		struct zhouyi_event *event = job->event;

		list_del_init(&job->done);
		job->event = NULL;
		drm_send_event(&zdev->drm, &event->base);
		/* The scheduler frees the job as soon as it knows. */
		dma_fence_signal(fence);
		dma_fence_put(fence);
	}
}

unsigned int zhouyi_collect(struct zhouyi_device *zdev)
{
	unsigned long flags;
	unsigned int n = 0;
	LIST_HEAD(done);

	spin_lock_irqsave(&zdev->lock, flags);
	if (zdev->powered)
		n = zdev->hw->collect(zdev, &done);
	spin_unlock_irqrestore(&zdev->lock, flags);
	zhouyi_job_report_all(zdev, &done);
	return n;
}

static void zhouyi_put_work(struct work_struct *work)
{
	struct zhouyi_device *zdev = container_of(work, struct zhouyi_device, put_work);
	int n = atomic_xchg(&zdev->n_puts, 0);

	/* The last one frees @zdev. */
	while (n--)
		drm_dev_put(&zdev->drm);
}

struct zhouyi_job *zhouyi_job_create(struct zhouyi_device *zdev, struct zhouyi_file *file)
{
	struct zhouyi_job *job = kzalloc(sizeof(*job), GFP_KERNEL);

	if (!job)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&job->link);
	job->zdev = zdev;
	job->file = file;
	job->fence = zhouyi_fence_create();
	if (!job->fence) {
		kfree(job);
		return ERR_PTR(-ENOMEM);
	}
	kref_get(&file->ref);
	drm_dev_get(&zdev->drm);
	spin_lock_irq(&zdev->lock);
	zdev->n_jobs++;
	spin_unlock_irq(&zdev->lock);
	return job;
}

void zhouyi_job_free(struct zhouyi_job *job)
{
	struct zhouyi_device *zdev = job->zdev;
	struct dma_fence *fence = &job->fence->base;
	unsigned long flags;

	spin_lock_irqsave(&zdev->lock, flags);
	list_del_init(&job->link);
	zdev->n_jobs--;
	spin_unlock_irqrestore(&zdev->lock, flags);

	zhouyi_bo_list_free(job->bos);
	if (job->event)
		drm_event_cancel_free(&zdev->drm, &job->event->base);
	if (job->pm) {
		pm_runtime_mark_last_busy(zdev->dev);
		pm_runtime_put_autosuspend(zdev->dev);
	}
	kref_put(&job->file->ref, zhouyi_file_free);
	kfree(job);
	atomic_inc(&zdev->n_puts);
	queue_work(zhouyi_put_wq, &zdev->put_work);
	/* Last, for it keeps the module. */
	dma_fence_put(fence);
}

/*
 * The scheduler's side
 */

/* A reference to the fence of something that runs in @part besides @job, or NULL. */
static struct dma_fence *zhouyi_running_fence(struct zhouyi_partition *part,
					      struct zhouyi_device *zdev)
{
	for (unsigned int i = 0; i < zdev->n_slots; i++) {
		struct zhouyi_slot *slot = &zdev->slot[i];

		if (slot->part == part && slot->running)
			return dma_fence_get(&slot->running->fence->base);
	}
	return NULL;
}

/*
 * Jobs of cores and jobs of the partition as a whole exclude each other. A job of the partition
 * waits for those that run, and what comes after waits for it, so that it gets its turn.
 *
 * All schedulers start jobs on one ordered workqueue and call this immediately before run_job,
 * so what is true here is still true there.
 */
static struct dma_fence *zhouyi_sched_prepare(struct drm_sched_job *base,
					      struct drm_sched_entity *entity)
{
	struct zhouyi_job *job = to_zhouyi_job(base);
	struct zhouyi_device *zdev = job->zdev;
	struct zhouyi_partition *part = job->slot->part;
	struct dma_fence *fence = NULL;

	spin_lock_irq(&zdev->lock);
	if (job->state == ZHOUYI_JOB_OVER) {
		/* aborted: passes without waiting */
	} else if (job->slot->core < 0) {
		fence = zhouyi_running_fence(part, zdev);
		if (fence)
			part->waiting = job;
	} else if (part->slot->running) {
		fence = dma_fence_get(&part->slot->running->fence->base);
	} else if (part->waiting) {
		fence = dma_fence_get(&part->waiting->fence->base);
	}
	spin_unlock_irq(&zdev->lock);
	return fence;
}

int zhouyi_job_start(struct zhouyi_job *job)
{
	struct zhouyi_slot *slot = job->slot;
	u32 limit = zhouyi_time_limit();
	int ret;

	lockdep_assert_held(&job->zdev->lock);
	job->started = ktime_get();
	ret = job->zdev->hw->start(job->zdev, job);
	if (ret)
		return ret;
	job->state = ZHOUYI_JOB_RUNNING;
	slot->running = job;
	if (job->timeout_ms && job->timeout_ms < limit)
		limit = job->timeout_ms;
	/* The scheduler has one time limit for all. */
	if (msecs_to_jiffies(limit) < slot->sched.timeout)
		mod_timer(&slot->timer, jiffies + msecs_to_jiffies(limit) + 1);
	/* Timers may be early by the rest of a jiffy. */
	job->deadline = ktime_add_ms(job->started, limit);
	job->deadline = ktime_sub_us(job->deadline, jiffies_to_usecs(2));
	return 0;
}

static struct dma_fence *zhouyi_sched_run(struct drm_sched_job *base)
{
	struct zhouyi_job *job = to_zhouyi_job(base);
	struct zhouyi_device *zdev = job->zdev;
	struct dma_fence *fence = dma_fence_get(&job->fence->base);
	bool cookie = dma_fence_begin_signalling();
	LIST_HEAD(done);

	spin_lock_irq(&zdev->lock);
	zhouyi_job_stop_waiting(job);
	if (job->state == ZHOUYI_JOB_OVER) {
		/* aborted while it was queued */
	} else if (zdev->gone || zdev->wedged) {
		zhouyi_job_end(job, DRM_ZHOUYI_RESULT_LOST, 0, &done);
	} else if (zhouyi_job_start(job)) {
		/* Something is wrong with the device, not with the job. */
		zdev->wanted |= ZHOUYI_WANT_SOFT_RESET;
		zhouyi_job_end(job, DRM_ZHOUYI_RESULT_ERROR, 0, &done);
		queue_work(zdev->recover_wq, &zdev->recover_work);
	}
	spin_unlock_irq(&zdev->lock);
	zhouyi_job_report_all(zdev, &done);
	dma_fence_end_signalling(cookie);
	return fence;
}

static enum drm_gpu_sched_stat zhouyi_sched_timedout(struct drm_sched_job *base)
{
	struct zhouyi_job *job = to_zhouyi_job(base);
	struct zhouyi_device *zdev = job->zdev;
	bool hung = false, cookie, over;
	LIST_HEAD(done);

	cookie = dma_fence_begin_signalling();
	spin_lock_irq(&zdev->lock);
	over = job->state == ZHOUYI_JOB_OVER;
	if (!over && zdev->powered) {
		zdev->hw->collect(zdev, &done);
		if (job->state == ZHOUYI_JOB_OVER)
			zdev->counters.lost_irqs++;
	}
	if (job->state == ZHOUYI_JOB_RUNNING && !job->unwanted &&
	    ktime_after(ktime_get(), job->deadline)) {
		hung = true;
		job->unwanted = true;
		job->verdict = DRM_ZHOUYI_RESULT_TIMEOUT;
	}
	spin_unlock_irq(&zdev->lock);
	zhouyi_job_report_all(zdev, &done);
	dma_fence_end_signalling(cookie);

	if (hung) {
		drm_err(&zdev->drm, "job %llu on core %d timed out\n", job->cookie,
			job->slot->core);
		zhouyi_recover(zdev);
	}
	return zhouyi_sched_give_back(base);
}

static void zhouyi_sched_free(struct drm_sched_job *base)
{
	struct zhouyi_job *job = to_zhouyi_job(base);
	LIST_HEAD(done);

	/* Its entity was destroyed before it was its turn. Others may wait for it. */
	spin_lock_irq(&job->zdev->lock);
	if (job->state != ZHOUYI_JOB_OVER)
		zhouyi_job_end(job, DRM_ZHOUYI_RESULT_ABORTED, 0, &done);
	spin_unlock_irq(&job->zdev->lock);
	zhouyi_job_report_all(job->zdev, &done);

	drm_sched_job_cleanup(base);
	zhouyi_job_free(job);
}

static const struct drm_sched_backend_ops zhouyi_sched_ops = {
	.prepare_job = zhouyi_sched_prepare,
	.run_job = zhouyi_sched_run,
	.timedout_job = zhouyi_sched_timedout,
	.free_job = zhouyi_sched_free,
};

/* The running job has a shorter limit than the scheduler's. */
static void zhouyi_slot_timeout(struct timer_list *timer)
{
	struct zhouyi_slot *slot = container_of(timer, struct zhouyi_slot, timer);

	drm_sched_fault(&slot->sched);
}

static void zhouyi_slot_fini(struct drm_device *drm, void *arg)
{
	struct zhouyi_slot *slot = arg;

	timer_shutdown_sync(&slot->timer);
	drm_sched_fini(&slot->sched);
}

static int zhouyi_slot_init(struct zhouyi_device *zdev, struct zhouyi_slot *slot)
{
	struct drm_sched_init_args args = {
		.ops = &zhouyi_sched_ops,
		.submit_wq = zdev->start_wq,
		.timeout_wq = zdev->recover_wq,
		.num_rqs = DRM_SCHED_PRIORITY_COUNT,
		.credit_limit = 1,
		.timeout = msecs_to_jiffies(zhouyi_time_limit()),
		.name = "zhouyi",
		.dev = zdev->dev,
	};
	int ret;

	ret = zhouyi_sched_init(&slot->sched, &args);
	if (ret)
		return ret;
	timer_setup(&slot->timer, zhouyi_slot_timeout, 0);
	return drmm_add_action_or_reset(&zdev->drm, zhouyi_slot_fini, slot);
}

int zhouyi_slots_init(struct zhouyi_device *zdev)
{
	unsigned int n_cores = zdev->bind ? zdev->n_cores : 0;
	int ret;

	INIT_WORK(&zdev->put_work, zhouyi_put_work);
	zdev->slot = drmm_kcalloc(&zdev->drm, n_cores + zdev->n_partitions, sizeof(*zdev->slot),
				  GFP_KERNEL);
	if (!zdev->slot)
		return -ENOMEM;
	for (unsigned int p = 0; p < zdev->n_partitions; p++) {
		struct zhouyi_partition *part = &zdev->partition[p];

		part->slot = &zdev->slot[n_cores + p];
		part->slot->part = part;
		part->slot->core = -1;
		part->slot->cores = part->cores;
		for (unsigned int i = 0; i < n_cores; i++) {
			if (!(part->cores & BIT_ULL(i)))
				continue;
			zdev->slot[i].part = part;
			zdev->slot[i].core = i;
			zdev->slot[i].cores = BIT_ULL(i);
		}
	}
	for (unsigned int i = 0; i < n_cores + zdev->n_partitions; i++) {
		zdev->slot[i].zdev = zdev;
		ret = zhouyi_slot_init(zdev, &zdev->slot[i]);
		if (ret)
			return ret;
	}
	zdev->n_slots = n_cores + zdev->n_partitions;
	return 0;
}
