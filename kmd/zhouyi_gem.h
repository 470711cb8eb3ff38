/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers: memory at a device address that stays the same as long as the buffer lives.
 *
 * System memory is GEM shmem behind an IOMMU, where scattered pages become contiguous for the
 * device, and one piece of DMA memory otherwise. On-chip memory comes out of a gen_pool.
 * Nothing ever moves: user space writes addresses into command memory. When the device goes,
 * buffers lose their address, and without an IOMMU their content, but neither handles nor mappings.
 */
#ifndef _ZHOUYI_GEM_H_
#define _ZHOUYI_GEM_H_

#include <linux/iosys-map.h>

#include <drm/drm_gem_shmem_helper.h>
#include <drm/zhouyi_accel.h>

struct zhouyi_device;

enum zhouyi_bo_kind {
	ZHOUYI_BO_SHMEM,
	ZHOUYI_BO_IMPORTED,
	ZHOUYI_BO_CONTIGUOUS,
	ZHOUYI_BO_SRAM,
};

struct zhouyi_bo {
	struct drm_gem_shmem_object shmem; /* shmem.base is the GEM object of all kinds */
	struct list_head link;		   /* zdev->bos */
	enum zhouyi_bo_kind kind;
	enum drm_zhouyi_zone zone;
	u64 address;
	void *cpu;			   /* contiguous: the kernel's mapping */
	unsigned long pool;		   /* SRAM: as gen_pool knows it */
	struct dma_buf *revoked;	   /* imported: what it was, when the device has gone */
	/* Protected by the reservation lock: mapped for device core dumps. */
	struct iosys_map map;
};

static inline struct zhouyi_bo *to_zhouyi_bo(struct drm_gem_object *obj)
{
	return container_of(to_drm_gem_shmem_obj(obj), struct zhouyi_bo, shmem);
}

/* The buffers of a job, with a reference to each. */
struct zhouyi_bo_list {
	struct list_head link; /* zdev->held, where a device that does not stop may use them */
	unsigned int n;
	struct drm_gem_object *bo[];
};

/* Accepts NULL. */
void zhouyi_bo_list_free(struct zhouyi_bo_list *list);

/* drm_driver.gem_create_object, .gem_prime_import and .gem_prime_import_sg_table */
struct drm_gem_object *zhouyi_gem_create_object(struct drm_device *drm, size_t size);
struct drm_gem_object *zhouyi_gem_import(struct drm_device *drm, struct dma_buf *dma_buf);
struct drm_gem_object *zhouyi_gem_import_sg_table(struct drm_device *drm,
						  struct dma_buf_attachment *attach,
						  struct sg_table *sgt);

int zhouyi_ioctl_bo_create(struct drm_device *drm, void *data, struct drm_file *file);
int zhouyi_ioctl_bo_mmap_offset(struct drm_device *drm, void *data, struct drm_file *file);
int zhouyi_ioctl_bo_info(struct drm_device *drm, void *data, struct drm_file *file);
int zhouyi_ioctl_bo_wait(struct drm_device *drm, void *data, struct drm_file *file);

/* [start, start + size) lies in [base, base + length), whatever the numbers are. */
static inline bool zhouyi_range_in(u64 start, u64 size, u64 base, u64 length)
{
	return size <= length && start >= base && start - base <= length - size;
}

/* Find the on-chip memory, if there is any. */
int zhouyi_gem_init(struct zhouyi_device *zdev);

/* Map @bo for the kernel until it is freed. Process context; nothing if it cannot be had. */
void zhouyi_bo_map(struct zhouyi_bo *bo);

/* Take the device's addresses from all buffers, before it goes. */
void zhouyi_gem_unmap_all(struct zhouyi_device *zdev);

#endif
