// SPDX-License-Identifier: GPL-2.0-only
#include <linux/uaccess.h>

#include <drm/drm_drv.h>
#include <drm/drm_ioctl.h>

#include "zhouyi_device.h"

union zhouyi_answer {
	struct drm_zhouyi_device_info device;
	struct drm_zhouyi_partition_info partition;
	struct drm_zhouyi_asid_info asid;
	struct drm_zhouyi_zone_info zone;
	struct drm_zhouyi_stats_info stats;
};

static u32 zhouyi_n_partitions(struct zhouyi_device *zdev)
{
	return zdev->n_partitions;
}

static u32 zhouyi_n_asids(struct zhouyi_device *zdev)
{
	return ZHOUYI_ASIDS;
}

/* System memory, and what there is on the chip. */
static u32 zhouyi_n_zones(struct zhouyi_device *zdev)
{
	return zdev->sram ? 2 : 1;
}

static void zhouyi_fill_device(struct zhouyi_device *zdev, u32 i, union zhouyi_answer *ret)
{
	ret->device = (struct drm_zhouyi_device_info){
		.generation = zdev->hw->generation,
		.arch = zdev->arch,
		.version = zdev->version,
		.config = zdev->hw->config,
		.revision = zdev->revision,
		.partitions = zdev->n_partitions,
		.clusters = zdev->n_clusters,
		.cores = zdev->n_cores,
		.tecs = zdev->n_tecs,
		.placement = zdev->placement,
		.asids = ZHOUYI_ASIDS,
		.zones = zhouyi_n_zones(zdev),
		.tail_bytes = zdev->hw->tail_bytes,
		.max_jobs = ZHOUYI_MAX_JOBS,
		.max_bos = ZHOUYI_MAX_BOS,
		.priorities = ZHOUYI_PRIORITIES,
		.job_timeout_ms = zhouyi_time_limit(),
		.flags = (zdev->iommu ? DRM_ZHOUYI_DEVICE_IOMMU : 0) |
			 (zdev->coherent ? DRM_ZHOUYI_DEVICE_COHERENT : 0),
	};
}

static void zhouyi_fill_partition(struct zhouyi_device *zdev, u32 i, union zhouyi_answer *ret)
{
	const struct zhouyi_partition *part = &zdev->partition[i];

	ret->partition = (struct drm_zhouyi_partition_info){
		.core_mask = part->cores,
		.clusters = part->n_clusters,
		.gm_bytes = part->gm_bytes,
	};
}

static void zhouyi_fill_asid(struct zhouyi_device *zdev, u32 i, union zhouyi_answer *ret)
{
	ret->asid.base = zdev->hw->window[i].base;
	ret->asid.size = zdev->hw->window[i].size;
}

static void zhouyi_fill_zone(struct zhouyi_device *zdev, u32 i, union zhouyi_answer *ret)
{
	static const enum drm_zhouyi_zone zones[] = {
		DRM_ZHOUYI_ZONE_SYSTEM, DRM_ZHOUYI_ZONE_SRAM,
	};

	ret->zone.zone = zones[i];
	ret->zone.pad = 0;
	ret->zone.size = i == 0 ? zdev->hw->window[0].size : zdev->sram_size;
	mutex_lock(&zdev->bos_lock);
	ret->zone.used = zdev->zone_used[zones[i]];
	mutex_unlock(&zdev->bos_lock);
}

static void zhouyi_fill_stats(struct zhouyi_device *zdev, u32 i, union zhouyi_answer *ret)
{
	struct zhouyi_counters c;

	spin_lock_irq(&zdev->lock);
	c = zdev->counters;
	spin_unlock_irq(&zdev->lock);
	ret->stats = (struct drm_zhouyi_stats_info){
		.jobs_done = c.done,
		.jobs_failed = c.failed,
		.jobs_restarted = c.restarted,
		.timeouts = c.timeouts,
		.aborts = c.aborts,
		.soft_resets = c.soft_resets,
		.full_resets = c.full_resets,
		.lost_interrupts = c.lost_irqs,
		.stray_interrupts = c.stray_irqs,
	};
}

static const struct {
	u32 size;
	u32 (*n)(struct zhouyi_device *zdev); /* NULL: no list */
	void (*fill)(struct zhouyi_device *zdev, u32 i, union zhouyi_answer *ret);
} zhouyi_queries[] = {
	[DRM_ZHOUYI_QUERY_DEVICE] = { sizeof(struct drm_zhouyi_device_info), NULL,
				      zhouyi_fill_device },
	[DRM_ZHOUYI_QUERY_PARTITIONS] = { sizeof(struct drm_zhouyi_partition_info),
					  zhouyi_n_partitions, zhouyi_fill_partition },
	[DRM_ZHOUYI_QUERY_ASIDS] = { sizeof(struct drm_zhouyi_asid_info), zhouyi_n_asids,
				     zhouyi_fill_asid },
	[DRM_ZHOUYI_QUERY_ZONES] = { sizeof(struct drm_zhouyi_zone_info), zhouyi_n_zones,
				     zhouyi_fill_zone },
	[DRM_ZHOUYI_QUERY_STATS] = { sizeof(struct drm_zhouyi_stats_info), NULL,
				     zhouyi_fill_stats },
};

/* @size bytes of an answer for somebody who has room for @room. */
static int zhouyi_copy_answer(u8 __user *to, u32 room, const union zhouyi_answer *answer, u32 size)
{
	if (copy_to_user(to, answer, min(room, size)))
		return -EFAULT;
	if (room > size && clear_user(to + size, room - size))
		return -EFAULT;
	return 0;
}

int zhouyi_ioctl_query(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct zhouyi_device *zdev = to_zhouyi(drm);
	struct drm_zhouyi_query *args = data;
	u8 __user *to = u64_to_user_ptr(args->pointer);
	u32 size, stride, n = 1, room = args->size;
	union zhouyi_answer answer;
	int ret;

	if (args->type >= ARRAY_SIZE(zhouyi_queries) || args->pad)
		return -EINVAL;
	size = zhouyi_queries[args->type].size;
	stride = args->stride ?: size;
	if (zhouyi_queries[args->type].n)
		n = zhouyi_queries[args->type].n(zdev);
	else
		stride = PAGE_SIZE; /* as much as there is room for */
	if (stride > PAGE_SIZE)
		return -EINVAL;

	for (u32 i = 0; args->pointer && i < n && room; i++) {
		zhouyi_queries[args->type].fill(zdev, i, &answer);
		ret = zhouyi_copy_answer(to + i * stride, min(stride, room), &answer, size);
		if (ret)
			return ret;
		room -= min(stride, room);
	}
	args->size = zhouyi_queries[args->type].n ? n * stride : size;
	args->stride = size;
	return 0;
}
