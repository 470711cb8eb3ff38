// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recovery: getting rid of jobs, and of a device in trouble.
 *
 * A ladder: stop a partition's work; soft reset; reset by the reset line and power. Each rung
 * ends with a look at the cores: only when none of them touches memory any more, jobs are told
 * to be over. The hardware stops partitions, not jobs; innocent jobs are then started again if
 * their owner said that they may be, and aborted otherwise.
 *
 * A device that is not quiet on the last rung is wedged. Its jobs are over, but their memory
 * is held back until a reset succeeds or the device goes.
 *
 * All of this runs on one ordered workqueue, with no job starting meanwhile. It signals
 * fences, so nothing here may wait for memory.
 */
#include <linux/pm_runtime.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "zhouyi_compat.h"
#include "zhouyi_gem.h"
#include "zhouyi_job.h"

/* The job that runs in @slot, if it is one of @cores. */
static struct zhouyi_job *zhouyi_running(struct zhouyi_slot *slot, u64 cores)
{
	return slot->cores & cores ? slot->running : NULL;
}

static bool zhouyi_has_victims(struct zhouyi_device *zdev, u64 cores)
{
	for (unsigned int i = 0; i < zdev->n_slots; i++) {
		struct zhouyi_job *job = zhouyi_running(&zdev->slot[i], cores);

		if (job && job->unwanted)
			return true;
	}
	return false;
}

/* A job of one group that failed is over if its core has nothing to do. */
static void zhouyi_end_failed(struct zhouyi_device *zdev, u64 cores, struct list_head *done)
{
	for (unsigned int i = 0; i < zdev->n_slots; i++) {
		struct zhouyi_job *job = zhouyi_running(&zdev->slot[i], cores);

		if (job && job->unwanted && job->has_fault && job->n_groups == 1 &&
		    job->verdict == zhouyi_fault_result(job->fault.types) &&
		    zdev->hw->is_quiet(zdev, job->slot->cores))
			zhouyi_job_end(job, job->verdict, 0, done);
	}
}

/* From here on reports of these jobs count no more. */
static void zhouyi_stop_jobs(struct zhouyi_device *zdev, u64 cores)
{
	for (unsigned int i = 0; i < zdev->n_slots; i++) {
		struct zhouyi_job *job = zhouyi_running(&zdev->slot[i], cores);

		if (!job || job->state == ZHOUYI_JOB_STOPPED)
			continue;
		if (job->unwanted && job->verdict != DRM_ZHOUYI_RESULT_ABORTED)
			zhouyi_dump_job(zdev, job);
		job->state = ZHOUYI_JOB_STOPPED;
		timer_delete(&job->slot->timer);
	}
}

static void zhouyi_settle_job(struct zhouyi_job *job, struct list_head *done)
{
	struct zhouyi_device *zdev = job->zdev;

	if (zdev->wedged) {
		list_add_tail(&job->bos->link, &zdev->held);
		job->bos = NULL;
		job->chain = NULL;
	}
	if (job->unwanted) {
		zhouyi_job_end(job, job->verdict, 0, done);
	} else if (zdev->wedged || zdev->gone) {
		zhouyi_job_end(job, DRM_ZHOUYI_RESULT_LOST, 0, done);
	} else if (!job->restartable) {
		zhouyi_job_end(job, DRM_ZHOUYI_RESULT_ABORTED, DRM_ZHOUYI_EVENT_INNOCENT, done);
	} else if (zhouyi_job_start(job)) {
		zdev->wanted |= ZHOUYI_WANT_SOFT_RESET;
		queue_work(zdev->recover_wq, &zdev->recover_work);
		zhouyi_job_end(job, DRM_ZHOUYI_RESULT_ERROR, 0, done);
	} else {
		zdev->counters.restarted++;
	}
}

/* What was stopped is over, or starts again. */
static void zhouyi_settle_jobs(struct zhouyi_device *zdev)
{
	LIST_HEAD(done);

	spin_lock_irq(&zdev->lock);
	for (unsigned int i = 0; i < zdev->n_slots; i++) {
		struct zhouyi_job *job = zdev->slot[i].running;

		if (job && job->state == ZHOUYI_JOB_STOPPED)
			zhouyi_settle_job(job, &done);
	}
	spin_unlock_irq(&zdev->lock);
	zhouyi_job_report_all(zdev, &done);
}

/* The first rung. An error leads to the next. */
static int zhouyi_abort_partition(struct zhouyi_device *zdev, struct zhouyi_partition *part)
{
	LIST_HEAD(done);
	bool victims;

	spin_lock_irq(&zdev->lock);
	zhouyi_end_failed(zdev, part->cores, &done);
	victims = zhouyi_has_victims(zdev, part->cores);
	if (victims) {
		zhouyi_stop_jobs(zdev, part->cores);
		zdev->counters.aborts++;
	}
	spin_unlock_irq(&zdev->lock);
	zhouyi_job_report_all(zdev, &done);
	return victims ? zdev->hw->abort(zdev, part) : 0;
}

/* A device that answers again does not touch the memory it was given before. */
static void zhouyi_release_held(struct work_struct *work)
{
	struct zhouyi_device *zdev = container_of(work, struct zhouyi_device, release_work);
	struct zhouyi_bo_list *list, *next;
	LIST_HEAD(release);

	spin_lock_irq(&zdev->lock);
	if (!zdev->wedged)
		list_splice_init(&zdev->held, &release);
	spin_unlock_irq(&zdev->lock);
	list_for_each_entry_safe(list, next, &release, link)
		zhouyi_bo_list_free(list);
}

void zhouyi_set_wedged(struct zhouyi_device *zdev, bool wedged)
{
	bool release;

	spin_lock_irq(&zdev->lock);
	zdev->wedged = wedged;
	release = !wedged && !list_empty(&zdev->held);
	spin_unlock_irq(&zdev->lock);
	/* Not here: freeing memory may wait for fences. */
	if (release)
		schedule_work(&zdev->release_work);
}

static int zhouyi_reset_device(struct zhouyi_device *zdev, u32 wanted)
{
	int ret = -EIO;

	spin_lock_irq(&zdev->lock);
	zhouyi_stop_jobs(zdev, ~0ull);
	zdev->counters.soft_resets += !(wanted & ZHOUYI_WANT_FULL_RESET);
	spin_unlock_irq(&zdev->lock);

	if (!(wanted & ZHOUYI_WANT_FULL_RESET))
		ret = zdev->hw->reset(zdev);
	if (ret) {
		spin_lock_irq(&zdev->lock);
		zdev->counters.full_resets++;
		spin_unlock_irq(&zdev->lock);
		ret = zhouyi_device_reset_line(zdev);
		if (!ret)
			ret = zdev->hw->reset(zdev);
	}
	zhouyi_set_wedged(zdev, ret);
	return ret;
}

static void zhouyi_climb(struct zhouyi_device *zdev)
{
	bool powered, victims;
	u32 wanted;
	int ret = 0;

	zhouyi_collect(zdev);
	spin_lock_irq(&zdev->lock);
	wanted = zdev->wanted;
	zdev->wanted = 0;
	powered = zdev->powered && !zdev->gone;
	victims = zhouyi_has_victims(zdev, ~0ull);
	spin_unlock_irq(&zdev->lock);
	/* A device without power has no jobs, and is reset when it gets power. */
	if (!powered || (!wanted && !victims))
		return;

	for (unsigned int i = 0; i < zdev->n_partitions && !wanted && !ret; i++)
		ret = zhouyi_abort_partition(zdev, &zdev->partition[i]);
	if (wanted || ret)
		ret = zhouyi_reset_device(zdev, wanted);
	zhouyi_settle_jobs(zdev);
	if (ret)
		drm_err(&zdev->drm, "the device does not recover (%d)\n", ret);
}

void zhouyi_scheds_stop(struct zhouyi_device *zdev)
{
	for (unsigned int i = 0; i < zdev->n_slots; i++)
		drm_sched_wqueue_stop(&zdev->slot[i].sched);
}

void zhouyi_scheds_start(struct zhouyi_device *zdev)
{
	lockdep_assert_held(&zdev->recover_lock);
	if (zdev->suspended)
		return;
	for (unsigned int i = 0; i < zdev->n_slots; i++)
		drm_sched_wqueue_start(&zdev->slot[i].sched);
}

void zhouyi_recover(struct zhouyi_device *zdev)
{
	bool cookie;

	mutex_lock(&zdev->recover_lock);
	/* Waits for jobs being started, which is a signaling section of its own. */
	zhouyi_scheds_stop(zdev);
	cookie = dma_fence_begin_signalling();
	zhouyi_climb(zdev);
	dma_fence_end_signalling(cookie);
	zhouyi_scheds_start(zdev);
	mutex_unlock(&zdev->recover_lock);
}

static void zhouyi_recover_work(struct work_struct *work)
{
	zhouyi_recover(container_of(work, struct zhouyi_device, recover_work));
}

/* The device goes: stop it and tell everybody. Its registers may not answer any more. */
void zhouyi_recover_unplug(struct zhouyi_device *zdev)
{
	bool cookie, powered;
	int ret = 0;

	mutex_lock(&zdev->recover_lock);
	zhouyi_scheds_stop(zdev);
	cookie = dma_fence_begin_signalling();
	zhouyi_collect(zdev);
	spin_lock_irq(&zdev->lock);
	powered = zdev->powered;
	zdev->gone = true;
	zhouyi_stop_jobs(zdev, ~0ull);
	spin_unlock_irq(&zdev->lock);

	if (powered) {
		for (unsigned int i = 0; i < zdev->n_partitions && !ret; i++)
			ret = zdev->hw->abort(zdev, &zdev->partition[i]);
		if (ret)
			zhouyi_set_wedged(zdev, zdev->hw->reset(zdev));
	}
	zhouyi_settle_jobs(zdev);
	dma_fence_end_signalling(cookie);
	zdev->suspended = false;
	zhouyi_scheds_start(zdev);
	mutex_unlock(&zdev->recover_lock);
}

void zhouyi_lose_queued(struct zhouyi_device *zdev)
{
	struct zhouyi_job *job;
	LIST_HEAD(done);

	lockdep_assert_held(&zdev->owner_lock);
	spin_lock_irq(&zdev->lock);
	list_for_each_entry(job, &zdev->jobs, link)
		if (job->state == ZHOUYI_JOB_QUEUED)
			zhouyi_job_end(job, DRM_ZHOUYI_RESULT_LOST, 0, &done);
	spin_unlock_irq(&zdev->lock);
	zhouyi_job_report_all(zdev, &done);
}

static void zhouyi_recover_fini(struct drm_device *drm, void *arg)
{
	struct zhouyi_device *zdev = arg;
	struct zhouyi_bo_list *list, *next;

	cancel_work_sync(&zdev->release_work);
	list_for_each_entry_safe(list, next, &zdev->held, link)
		zhouyi_bo_list_free(list);
	destroy_workqueue(zdev->recover_wq);
}

int zhouyi_recover_init(struct zhouyi_device *zdev)
{
	INIT_LIST_HEAD(&zdev->held);
	INIT_WORK(&zdev->recover_work, zhouyi_recover_work);
	INIT_WORK(&zdev->release_work, zhouyi_release_held);
	zdev->recover_wq = alloc_ordered_workqueue("zhouyi-recover", WQ_MEM_RECLAIM);
	if (!zdev->recover_wq)
		return -ENOMEM;
	return drmm_add_action_or_reset(&zdev->drm, zhouyi_recover_fini, zdev);
}

/*
 * What user space may ask for
 */

/* Locked: @job is not wanted any more. True if the device has to be stopped for that. */
static bool zhouyi_abort_job(struct zhouyi_job *job, struct list_head *done)
{
	if (job->state == ZHOUYI_JOB_OVER)
		return false;
	if (job->state == ZHOUYI_JOB_QUEUED) {
		zhouyi_job_end(job, DRM_ZHOUYI_RESULT_ABORTED, 0, done);
		return false;
	}
	if (!job->unwanted) {
		job->unwanted = true;
		job->verdict = DRM_ZHOUYI_RESULT_ABORTED;
	}
	return true;
}

static void zhouyi_abort_jobs(struct zhouyi_device *zdev, const struct zhouyi_file *file,
			      u32 wanted)
{
	struct zhouyi_job *job;
	bool stop = wanted;
	LIST_HEAD(done);

	spin_lock_irq(&zdev->lock);
	zdev->wanted |= wanted;
	list_for_each_entry(job, &zdev->jobs, link)
		if (job->file == file)
			stop |= zhouyi_abort_job(job, &done);
	spin_unlock_irq(&zdev->lock);
	zhouyi_job_report_all(zdev, &done);
	if (stop) {
		queue_work(zdev->recover_wq, &zdev->recover_work);
		flush_work(&zdev->recover_work);
	}
}

void zhouyi_abort_file(struct zhouyi_device *zdev, struct zhouyi_file *file)
{
	zhouyi_abort_jobs(zdev, file, 0);
}

int zhouyi_ioctl_abort(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct zhouyi_device *zdev = to_zhouyi(drm);
	struct drm_zhouyi_abort *args = data;
	struct zhouyi_job *job;
	bool stop = false;
	int ret = -ENOENT;
	LIST_HEAD(done);

	if (args->flags || args->pad)
		return -EINVAL;

	spin_lock_irq(&zdev->lock);
	list_for_each_entry(job, &zdev->jobs, link) {
		if (job->cookie != args->cookie || job->state == ZHOUYI_JOB_OVER ||
		    job->file != drm_file->driver_priv)
			continue;
		stop = zhouyi_abort_job(job, &done);
		ret = 0;
		break;
	}
	spin_unlock_irq(&zdev->lock);
	zhouyi_job_report_all(zdev, &done);
	if (stop)
		queue_work(zdev->recover_wq, &zdev->recover_work);
	return ret;
}

int zhouyi_ioctl_reset(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct zhouyi_device *zdev = to_zhouyi(drm);
	struct drm_zhouyi_reset *args = data;
	u32 wanted = ZHOUYI_WANT_SOFT_RESET;
	int ret, idx;

	if (args->kind > DRM_ZHOUYI_RESET_FULL || args->flags)
		return -EINVAL;
	if (args->kind == DRM_ZHOUYI_RESET_FULL)
		wanted = ZHOUYI_WANT_FULL_RESET;

	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	ret = pm_runtime_resume_and_get(zdev->dev);
	if (!ret) {
		zhouyi_abort_jobs(zdev, drm_file->driver_priv, wanted);
		pm_runtime_mark_last_busy(zdev->dev);
		pm_runtime_put_autosuspend(zdev->dev);
		if (READ_ONCE(zdev->wedged))
			ret = -EIO;
	}
	drm_dev_exit(idx);
	return ret;
}
