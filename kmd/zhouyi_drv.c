// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driver for Arm China Zhouyi neural processing units.
 *
 * The device has one owner at a time: see zhouyi_accel.h.
 */
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/pm.h>

#include <drm/drm_accel.h>
#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "zhouyi_compat.h"
#include "zhouyi_gem.h"
#include "zhouyi_job.h"

unsigned int zhouyi_job_timeout_ms = 10000;
module_param_named(job_timeout_ms, zhouyi_job_timeout_ms, uint, 0644);
MODULE_PARM_DESC(job_timeout_ms, "How long a job may run [ms]");

bool zhouyi_bind = true;
module_param_named(bind, zhouyi_bind, bool, 0444);
MODULE_PARM_DESC(bind, "Bind jobs to cores; without, one job at a time has all of them");

/*
 * Files
 */

void zhouyi_file_free(struct kref *ref)
{
	kvfree(container_of(ref, struct zhouyi_file, ref));
}

static void zhouyi_file_end(struct work_struct *work)
{
	struct zhouyi_file *file = container_of(work, struct zhouyi_file, end_work);

	/* Not drm_sched_entity_destroy(): nobody is interested in what has not run yet. */
	for (unsigned int i = 0; i < file->zdev->n_slots * ZHOUYI_PRIORITIES; i++)
		drm_sched_entity_fini(&file->entity[i]);
}

/*
 * A scheduler that takes a job from an entity sorts that in again by its next job, also if it
 * was killed in that moment, and it would stay there when it is freed. So entities end where
 * schedulers start jobs, one after the other.
 */
static void zhouyi_file_fini(struct zhouyi_file *file)
{
	queue_work(file->zdev->start_wq, &file->end_work);
	flush_work(&file->end_work);
	mutex_destroy(&file->submit_lock);
	kref_put(&file->ref, zhouyi_file_free);
}

static int zhouyi_file_create(struct zhouyi_device *zdev, struct zhouyi_file **ret)
{
	/* The kernel has no jobs of its own, so its priority is free. */
	static const enum drm_sched_priority priorities[ZHOUYI_PRIORITIES] = {
		[DRM_ZHOUYI_PRIORITY_LOW] = DRM_SCHED_PRIORITY_LOW,
		[DRM_ZHOUYI_PRIORITY_NORMAL] = DRM_SCHED_PRIORITY_NORMAL,
		[DRM_ZHOUYI_PRIORITY_HIGH] = DRM_SCHED_PRIORITY_HIGH,
		[DRM_ZHOUYI_PRIORITY_REALTIME] = DRM_SCHED_PRIORITY_KERNEL,
	};
	struct zhouyi_file *file;

	file = kvzalloc(struct_size(file, entity, zdev->n_slots * ZHOUYI_PRIORITIES), GFP_KERNEL);
	if (!file)
		return -ENOMEM;
	file->zdev = zdev;
	kref_init(&file->ref);
	mutex_init(&file->submit_lock);
	INIT_WORK(&file->end_work, zhouyi_file_end);
	for (unsigned int i = 0; i < zdev->n_slots; i++) {
		struct drm_gpu_scheduler *sched = &zdev->slot[i].sched;

		/* Fails only for arguments that these are not. */
		for (unsigned int p = 0; p < ZHOUYI_PRIORITIES; p++)
			drm_sched_entity_init(zhouyi_file_entity(file, &zdev->slot[i], p),
					      priorities[p], &sched, 1, NULL);
	}
	*ret = file;
	return 0;
}

/* Set aside room for one more event, so that the owner can be told when the device goes. */
static int zhouyi_file_reserve_gone(struct zhouyi_file *file, struct drm_file *drm_file)
{
	struct {
		struct drm_pending_event base;
		struct drm_event event;
	} *gone;
	int ret;

	gone = kzalloc(sizeof(*gone), GFP_KERNEL);
	if (!gone)
		return -ENOMEM;
	gone->event.type = DRM_ZHOUYI_EVENT_GONE;
	gone->event.length = sizeof(gone->event);
	ret = drm_event_reserve_init(&file->zdev->drm, drm_file, &gone->base, &gone->event);
	if (ret) {
		kfree(gone);
		return ret;
	}
	file->gone = &gone->base;
	return 0;
}

static int zhouyi_open(struct drm_device *drm, struct drm_file *drm_file)
{
	struct zhouyi_device *zdev = to_zhouyi(drm);
	struct zhouyi_file *file;
	int ret = -EBUSY;

	mutex_lock(&zdev->owner_lock);
	if (zdev->owner)
		goto unlock;
	ret = zhouyi_file_create(zdev, &file);
	if (ret)
		goto unlock;
	ret = zhouyi_file_reserve_gone(file, drm_file);
	if (ret) {
		zhouyi_file_fini(file);
		goto unlock;
	}
	drm_file->driver_priv = file;
	zdev->owner = file;
unlock:
	mutex_unlock(&zdev->owner_lock);
	return ret;
}

static void zhouyi_postclose(struct drm_device *drm, struct drm_file *drm_file)
{
	struct zhouyi_device *zdev = to_zhouyi(drm);
	struct zhouyi_file *file = drm_file->driver_priv;

	/* When this is over no job of the file is on the device, and the next owner may come. */
	zhouyi_abort_file(zdev, file);
	mutex_lock(&zdev->owner_lock);
	zdev->owner = NULL;
	if (file->gone)
		drm_event_cancel_free(drm, file->gone);
	mutex_unlock(&zdev->owner_lock);
	zhouyi_file_fini(file);
}

static void zhouyi_show_fdinfo(struct drm_printer *p, struct drm_file *drm_file)
{
	struct zhouyi_device *zdev = to_zhouyi(drm_file->minor->dev);
	struct zhouyi_file *file = drm_file->driver_priv;

	drm_printf(p, "drm-engine-npu:\t%llu ns\n", (u64)atomic64_read(&file->busy_ns));
	drm_printf(p, "drm-engine-capacity-npu:\t%u\n",
		   zdev->bind ? zdev->n_cores : zdev->n_partitions);
	drm_printf(p, "zhouyi-jobs:\t%llu\n", (u64)atomic64_read(&file->jobs));
	drm_show_memory_stats(p, drm_file);
}

/*
 * The DRM driver
 */

static const struct drm_ioctl_desc zhouyi_ioctls[] = {
	DRM_IOCTL_DEF_DRV(ZHOUYI_QUERY, zhouyi_ioctl_query, 0),
	DRM_IOCTL_DEF_DRV(ZHOUYI_BO_CREATE, zhouyi_ioctl_bo_create, 0),
	DRM_IOCTL_DEF_DRV(ZHOUYI_BO_MMAP_OFFSET, zhouyi_ioctl_bo_mmap_offset, 0),
	DRM_IOCTL_DEF_DRV(ZHOUYI_BO_INFO, zhouyi_ioctl_bo_info, 0),
	DRM_IOCTL_DEF_DRV(ZHOUYI_BO_WAIT, zhouyi_ioctl_bo_wait, 0),
	DRM_IOCTL_DEF_DRV(ZHOUYI_SUBMIT, zhouyi_ioctl_submit, 0),
	DRM_IOCTL_DEF_DRV(ZHOUYI_ABORT, zhouyi_ioctl_abort, 0),
	DRM_IOCTL_DEF_DRV(ZHOUYI_RESET, zhouyi_ioctl_reset, 0),
};

static const struct file_operations zhouyi_fops = {
	.owner = THIS_MODULE,
	DRM_ACCEL_FOPS,
	.show_fdinfo = drm_show_fdinfo,
};

static const struct drm_driver zhouyi_drm_driver = {
	.driver_features = DRIVER_COMPUTE_ACCEL | DRIVER_GEM | DRIVER_SYNCOBJ |
			   DRIVER_SYNCOBJ_TIMELINE,
	.open = zhouyi_open,
	.postclose = zhouyi_postclose,
	.show_fdinfo = zhouyi_show_fdinfo,
	.gem_create_object = zhouyi_gem_create_object,
	.gem_prime_import = zhouyi_gem_import,
	.gem_prime_import_sg_table = zhouyi_gem_import_sg_table,
	.ioctls = zhouyi_ioctls,
	.num_ioctls = ARRAY_SIZE(zhouyi_ioctls),
	.fops = &zhouyi_fops,
	.name = "zhouyi",
	.desc = "Arm China Zhouyi NPU",
	.major = 1,
	.minor = 0,
};

/*
 * The platform driver
 */

static int zhouyi_probe(struct platform_device *pdev)
{
	const struct platform_device_id *id = platform_get_device_id(pdev);
	struct zhouyi_device *zdev;
	int ret;

	zdev = devm_drm_dev_alloc(&pdev->dev, &zhouyi_drm_driver, struct zhouyi_device, drm);
	if (IS_ERR(zdev))
		return PTR_ERR(zdev);
	zdev->dev = &pdev->dev;
	zdev->arch = id ? id->driver_data : DRM_ZHOUYI_ARCH_ZHOUYI;
	zdev->bind = zhouyi_bind;
	platform_set_drvdata(pdev, zdev);

	ret = zhouyi_device_init(zdev);
	if (ret)
		return ret;
	zhouyi_debugfs_init(zdev);
	ret = drm_dev_register(&zdev->drm, 0);
	if (ret)
		zhouyi_device_fini(zdev);
	return ret;
}

static void zhouyi_send_gone(struct zhouyi_device *zdev)
{
	mutex_lock(&zdev->owner_lock);
	if (zdev->owner && zdev->owner->gone) {
		zhouyi_lose_queued(zdev);
		drm_send_event(&zdev->drm, zdev->owner->gone);
		zdev->owner->gone = NULL;
	}
	mutex_unlock(&zdev->owner_lock);
}

static void zhouyi_remove(struct platform_device *pdev)
{
	struct zhouyi_device *zdev = platform_get_drvdata(pdev);

	drm_dev_unplug(&zdev->drm);
	zhouyi_device_fini(zdev);
	zhouyi_send_gone(zdev);
}

static const struct of_device_id zhouyi_of_match[] = {
	{ .compatible = "armchina,zhouyi" },
	{ .compatible = "armchina,zhouyi-v3" },
	{}
};
MODULE_DEVICE_TABLE(of, zhouyi_of_match);

/* Inside of another device; the simulated one is such. */
static const struct platform_device_id zhouyi_id_table[] = {
	{ "zhouyi", DRM_ZHOUYI_ARCH_ZHOUYI },
	{ "zhouyi-soft", DRM_ZHOUYI_ARCH_SOFT },
	{}
};
MODULE_DEVICE_TABLE(platform, zhouyi_id_table);

static struct platform_driver zhouyi_driver = {
	.probe = zhouyi_probe,
	.remove = zhouyi_remove,
	.id_table = zhouyi_id_table,
	.driver = {
		.name = "zhouyi",
		.pm = pm_ptr(&zhouyi_pm_ops),
		.of_match_table = zhouyi_of_match,
	},
};

/*
 * The last job of a device that has gone may be freed by the device's own schedulers, which
 * cannot be waited for by themselves: they drop their reference to the device here.
 */
struct workqueue_struct *zhouyi_put_wq;

static int __init zhouyi_init(void)
{
	int ret;

	zhouyi_put_wq = alloc_workqueue("zhouyi-put", WQ_UNBOUND, 0);
	if (!zhouyi_put_wq)
		return -ENOMEM;
	ret = platform_driver_register(&zhouyi_driver);
	if (ret)
		destroy_workqueue(zhouyi_put_wq);
	return ret;
}

static void __exit zhouyi_exit(void)
{
	platform_driver_unregister(&zhouyi_driver);
	destroy_workqueue(zhouyi_put_wq);
}

module_init(zhouyi_init);
module_exit(zhouyi_exit);

MODULE_DESCRIPTION("Arm China Zhouyi NPU driver");
MODULE_LICENSE("GPL");
ZHOUYI_IMPORT_NS_DMA_BUF;
