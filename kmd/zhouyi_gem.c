// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/genalloc.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/of.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_managed.h>
#include <drm/drm_prime.h>
#include <drm/drm_print.h>
#include <drm/drm_utils.h>

#include "zhouyi_compat.h"
#include "zhouyi_device.h"
#include "zhouyi_gem.h"

/*
 * Addresses
 */

/* Is this a place that programs can reach through window @asid? Address 0 ends chains. */
static bool zhouyi_address_fits(struct zhouyi_device *zdev, u32 asid, u64 address, u64 size)
{
	const struct zhouyi_window *window = &zdev->hw->window[asid];

	return address && zhouyi_range_in(address, size, window->base, window->size);
}

/* The device sees no pages: @sgt has to be one piece for it. */
static int zhouyi_sgt_address(struct sg_table *sgt, u64 size, u64 *ret)
{
	struct scatterlist *sg;
	u64 next = 0;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (i && sg_dma_address(sg) != next)
			return -EINVAL;
		next = sg_dma_address(sg) + sg_dma_len(sg);
	}
	*ret = sg_dma_address(sgt->sgl);
	return next - *ret < size ? -EINVAL : 0;
}

static void zhouyi_bo_add(struct zhouyi_device *zdev, struct zhouyi_bo *bo)
{
	mutex_lock(&zdev->bos_lock);
	list_add_tail(&bo->link, &zdev->bos);
	zdev->zone_used[bo->zone] += bo->shmem.base.size;
	mutex_unlock(&zdev->bos_lock);
}

static void zhouyi_bo_remove(struct zhouyi_device *zdev, struct zhouyi_bo *bo)
{
	mutex_lock(&zdev->bos_lock);
	if (!list_empty(&bo->link)) {
		list_del_init(&bo->link);
		zdev->zone_used[bo->zone] -= bo->shmem.base.size;
	}
	mutex_unlock(&zdev->bos_lock);
}

/* Locked by bos_lock, or the last user's. */
static void zhouyi_bo_free_memory(struct zhouyi_device *zdev, struct zhouyi_bo *bo)
{
	if (bo->cpu)
		dma_free_coherent(zdev->dev, bo->shmem.base.size, bo->cpu, bo->address);
	if (bo->pool)
		gen_pool_free(zdev->sram, bo->pool, bo->shmem.base.size);
	bo->cpu = NULL;
	bo->pool = 0;
}

static void zhouyi_bo_unmap(struct zhouyi_bo *bo)
{
	if (iosys_map_is_null(&bo->map))
		return;
	dma_resv_lock(bo->shmem.base.resv, NULL);
	zhouyi_shmem_vunmap(&bo->shmem, &bo->map);
	dma_resv_unlock(bo->shmem.base.resv);
	iosys_map_clear(&bo->map);
}

static void zhouyi_bo_free(struct drm_gem_object *obj)
{
	struct zhouyi_device *zdev = to_zhouyi(obj->dev);
	struct zhouyi_bo *bo = to_zhouyi_bo(obj);
	struct dma_buf *revoked;

	zhouyi_bo_remove(zdev, bo);
	revoked = bo->revoked;
	switch (bo->kind) {
	case ZHOUYI_BO_SHMEM:
	case ZHOUYI_BO_IMPORTED:
		zhouyi_bo_unmap(bo);
		drm_gem_shmem_free(&bo->shmem);
		/* Last: the reservation object was its. */
		if (revoked)
			dma_buf_put(revoked);
		break;
	case ZHOUYI_BO_CONTIGUOUS:
	case ZHOUYI_BO_SRAM:
		zhouyi_bo_free_memory(zdev, bo);
		drm_gem_object_release(obj);
		kfree(bo);
		break;
	}
}

/*
 * System memory behind an IOMMU, and what comes from others
 */

static struct dma_buf *zhouyi_shmem_export(struct drm_gem_object *obj, int flags)
{
	/* Not known as an import any more, and has no pages of its own. */
	if (to_zhouyi_bo(obj)->revoked)
		return ERR_PTR(-ENODEV);
	return drm_gem_prime_export(obj, flags);
}

static const struct drm_gem_object_funcs zhouyi_shmem_funcs = {
	.free = zhouyi_bo_free,
	.export = zhouyi_shmem_export,
	.print_info = drm_gem_shmem_object_print_info,
	.pin = drm_gem_shmem_object_pin,
	.unpin = drm_gem_shmem_object_unpin,
	.get_sg_table = drm_gem_shmem_object_get_sg_table,
	.vmap = drm_gem_shmem_object_vmap,
	.vunmap = drm_gem_shmem_object_vunmap,
	.mmap = drm_gem_shmem_object_mmap,
	.vm_ops = &drm_gem_shmem_vm_ops,
};

static struct zhouyi_bo *zhouyi_bo_alloc(enum zhouyi_bo_kind kind)
{
	struct zhouyi_bo *bo = kzalloc(sizeof(*bo), GFP_KERNEL);

	if (bo) {
		INIT_LIST_HEAD(&bo->link);
		bo->kind = kind;
	}
	return bo;
}

struct drm_gem_object *zhouyi_gem_create_object(struct drm_device *drm, size_t size)
{
	struct zhouyi_bo *bo = zhouyi_bo_alloc(ZHOUYI_BO_SHMEM);

	if (!bo)
		return ERR_PTR(-ENOMEM);
	bo->shmem.base.funcs = &zhouyi_shmem_funcs;
	bo->shmem.map_wc = !to_zhouyi(drm)->coherent;
	return &bo->shmem.base;
}

static struct zhouyi_bo *zhouyi_bo_create_shmem(struct zhouyi_device *zdev, u64 size)
{
	struct drm_gem_shmem_object *shmem;
	struct zhouyi_bo *bo;
	struct sg_table *sgt;
	int ret;

	shmem = drm_gem_shmem_create(&zdev->drm, size);
	if (IS_ERR(shmem))
		return ERR_CAST(shmem);
	bo = to_zhouyi_bo(&shmem->base);
	sgt = drm_gem_shmem_get_pages_sgt(shmem);
	ret = PTR_ERR_OR_ZERO(sgt);
	/* What does not find room in the address space fails like this. */
	if (ret == -EINVAL || ret == -EIO)
		ret = -ENOSPC;
	if (!ret && zhouyi_sgt_address(sgt, size, &bo->address))
		ret = -ENOSPC;
	if (ret) {
		drm_gem_object_put(&shmem->base);
		return ERR_PTR(ret);
	}
	return bo;
}

struct drm_gem_object *zhouyi_gem_import_sg_table(struct drm_device *drm,
						  struct dma_buf_attachment *attach,
						  struct sg_table *sgt)
{
	struct zhouyi_device *zdev = to_zhouyi(drm);
	size_t size = PAGE_ALIGN(attach->dmabuf->size);
	struct drm_gem_object *obj;
	struct zhouyi_bo *bo;
	u64 address;

	/* Before there is an object: the caller takes the mapping back itself. */
	if (zhouyi_sgt_address(sgt, attach->dmabuf->size, &address) ||
	    !zhouyi_address_fits(zdev, 0, address, size)) {
		drm_dbg(drm, "imported buffer is not in one piece, or out of reach\n");
		return ERR_PTR(-EINVAL);
	}
	obj = drm_gem_shmem_prime_import_sg_table(drm, attach, sgt);
	if (IS_ERR(obj))
		return obj;
	bo = to_zhouyi_bo(obj);
	bo->kind = ZHOUYI_BO_IMPORTED;
	bo->zone = DRM_ZHOUYI_ZONE_SYSTEM;
	bo->address = address;
	zhouyi_bo_add(zdev, bo);
	return obj;
}

struct drm_gem_object *zhouyi_gem_import(struct drm_device *drm, struct dma_buf *dma_buf)
{
	struct drm_gem_object *obj;
	int idx;

	/* What is imported by half when the device goes would keep its mapping. */
	if (!drm_dev_enter(drm, &idx))
		return ERR_PTR(-ENODEV);
	obj = drm_gem_prime_import(drm, dma_buf);
	drm_dev_exit(idx);
	return obj;
}

/*
 * Mappings of what goes with the device
 */

/* Whoever still has one may go on to use it: a signal would be a surprise. */
static vm_fault_t zhouyi_dummy_fault(struct vm_fault *vmf)
{
	struct drm_gem_object *obj = vmf->vma->vm_private_data;

	return vmf_insert_pfn(vmf->vma, vmf->address, page_to_pfn(to_zhouyi(obj->dev)->dummy));
}

static void zhouyi_free_dummy(struct drm_device *drm, void *page)
{
	__free_page(page);
}

static int zhouyi_alloc_dummy(struct zhouyi_device *zdev)
{
	zdev->dummy = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!zdev->dummy)
		return -ENOMEM;
	return drmm_add_action_or_reset(&zdev->drm, zhouyi_free_dummy, zdev->dummy);
}

/*
 * System memory in one piece
 */

static struct sg_table *zhouyi_contiguous_get_sg_table(struct drm_gem_object *obj)
{
	struct zhouyi_device *zdev = to_zhouyi(obj->dev);
	struct zhouyi_bo *bo = to_zhouyi_bo(obj);
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	int ret = -ENODEV;

	if (!sgt)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&zdev->bos_lock);
	if (bo->cpu)
		ret = dma_get_sgtable(zdev->dev, sgt, bo->cpu, bo->address, obj->size);
	mutex_unlock(&zdev->bos_lock);
	if (ret) {
		kfree(sgt);
		return ERR_PTR(ret);
	}
	return sgt;
}

static int zhouyi_contiguous_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct zhouyi_bo *bo = to_zhouyi_bo(obj);

	if (!bo->cpu)
		return -ENODEV;
	iosys_map_set_vaddr(map, bo->cpu);
	return 0;
}

static int zhouyi_contiguous_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	struct zhouyi_device *zdev = to_zhouyi(obj->dev);
	struct zhouyi_bo *bo = to_zhouyi_bo(obj);
	int ret, idx;

	/* A copy of it is no device memory. */
	if (is_cow_mapping(vma->vm_flags))
		return -EINVAL;
	if (!drm_dev_enter(obj->dev, &idx))
		return -ENODEV;
	/* DMA memory is mapped from its first page; DRM has put its own offset there. */
	vma->vm_pgoff -= drm_vma_node_start(&obj->vma_node);
	vm_flags_mod(vma, VM_DONTEXPAND, VM_PFNMAP);
	ret = dma_mmap_coherent(zdev->dev, vma, bo->cpu, bo->address,
				vma->vm_end - vma->vm_start);
	drm_dev_exit(idx);
	return ret;
}

/* All of it is mapped at once, and unmapped when the device goes. */
static const struct vm_operations_struct zhouyi_contiguous_vm_ops = {
	.fault = zhouyi_dummy_fault,
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

static const struct drm_gem_object_funcs zhouyi_contiguous_funcs = {
	.free = zhouyi_bo_free,
	.get_sg_table = zhouyi_contiguous_get_sg_table,
	.vmap = zhouyi_contiguous_vmap,
	.mmap = zhouyi_contiguous_mmap,
	.vm_ops = &zhouyi_contiguous_vm_ops,
};

static struct zhouyi_bo *zhouyi_bo_create_contiguous(struct zhouyi_device *zdev, u64 size)
{
	struct zhouyi_bo *bo = zhouyi_bo_alloc(ZHOUYI_BO_CONTIGUOUS);
	dma_addr_t address;

	if (!bo)
		return ERR_PTR(-ENOMEM);
	bo->cpu = dma_alloc_coherent(zdev->dev, size, &address, GFP_KERNEL | __GFP_NOWARN);
	if (!bo->cpu) {
		kfree(bo);
		return ERR_PTR(-ENOSPC);
	}
	bo->address = address;
	bo->shmem.base.funcs = &zhouyi_contiguous_funcs;
	drm_gem_private_object_init(&zdev->drm, &bo->shmem.base, size);
	return bo;
}

/*
 * On-chip memory
 */

static vm_fault_t zhouyi_sram_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct drm_gem_object *obj = vma->vm_private_data;
	struct zhouyi_device *zdev = to_zhouyi(obj->dev);
	struct zhouyi_bo *bo = to_zhouyi_bo(obj);
	/* Of the object: the mapping may have been cut. */
	u64 offset = PFN_PHYS(vmf->pgoff - drm_vma_node_start(&obj->vma_node));
	vm_fault_t ret;
	int idx;

	if (!drm_dev_enter(obj->dev, &idx))
		return zhouyi_dummy_fault(vmf);
	ret = vmf_insert_pfn(vma, vmf->address,
			     PHYS_PFN(gen_pool_virt_to_phys(zdev->sram, bo->pool) + offset));
	drm_dev_exit(idx);
	return ret;
}

static const struct vm_operations_struct zhouyi_sram_vm_ops = {
	.fault = zhouyi_sram_fault,
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

static int zhouyi_sram_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	if (is_cow_mapping(vma->vm_flags))
		return -EINVAL;
	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = pgprot_writecombine(vm_get_page_prot(vma->vm_flags));
	return 0;
}

/* It has no pages others could map, and goes with the device. */
static struct dma_buf *zhouyi_sram_export(struct drm_gem_object *obj, int flags)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static const struct drm_gem_object_funcs zhouyi_sram_funcs = {
	.free = zhouyi_bo_free,
	.export = zhouyi_sram_export,
	.mmap = zhouyi_sram_mmap,
	.vm_ops = &zhouyi_sram_vm_ops,
};

static struct zhouyi_bo *zhouyi_bo_create_sram(struct zhouyi_device *zdev, u64 size)
{
	struct zhouyi_bo *bo;

	if (!zdev->sram)
		return ERR_PTR(-ENOSPC);
	bo = zhouyi_bo_alloc(ZHOUYI_BO_SRAM);
	if (!bo)
		return ERR_PTR(-ENOMEM);
	bo->pool = gen_pool_alloc(zdev->sram, size);
	if (!bo->pool) {
		kfree(bo);
		return ERR_PTR(-ENOSPC);
	}
	memset_io((void __iomem *)bo->pool, 0, size);
	bo->address = zdev->sram_address + gen_pool_virt_to_phys(zdev->sram, bo->pool) -
		      zdev->sram_start;
	bo->zone = DRM_ZHOUYI_ZONE_SRAM;
	bo->shmem.base.funcs = &zhouyi_sram_funcs;
	drm_gem_private_object_init(&zdev->drm, &bo->shmem.base, size);
	return bo;
}

/*
 * All kinds
 */

static struct zhouyi_bo *zhouyi_bo_create_in(struct zhouyi_device *zdev, u32 zone, u64 size)
{
	switch (zone) {
	case DRM_ZHOUYI_ZONE_SYSTEM:
		if (zdev->iommu)
			return zhouyi_bo_create_shmem(zdev, size);
		return zhouyi_bo_create_contiguous(zdev, size);
	case DRM_ZHOUYI_ZONE_SRAM:
		return zhouyi_bo_create_sram(zdev, size);
	}
	return ERR_PTR(-ENOSPC); /* no generation that is supported has it */
}

static struct zhouyi_bo *zhouyi_bo_create(struct zhouyi_device *zdev, u32 placement, u32 asid,
					  u64 size)
{
	static const u32 order[] = {
		DRM_ZHOUYI_ZONE_SRAM, DRM_ZHOUYI_ZONE_DTCM, DRM_ZHOUYI_ZONE_SYSTEM,
	};
	struct zhouyi_bo *bo = ERR_PTR(-ENOSPC);

	for (unsigned int i = 0; i < ARRAY_SIZE(order) && bo == ERR_PTR(-ENOSPC); i++)
		if (placement & BIT(order[i]))
			bo = zhouyi_bo_create_in(zdev, order[i], size);
	if (IS_ERR(bo))
		return bo;
	if (!zhouyi_address_fits(zdev, asid, bo->address, size)) {
		drm_gem_object_put(&bo->shmem.base);
		return ERR_PTR(-ENOSPC);
	}
	zhouyi_bo_add(zdev, bo);
	return bo;
}

void zhouyi_bo_map(struct zhouyi_bo *bo)
{
	/* Others may not be able to, or not for as long. */
	if (bo->kind != ZHOUYI_BO_SHMEM)
		return;
	dma_resv_lock(bo->shmem.base.resv, NULL);
	if (iosys_map_is_null(&bo->map) && zhouyi_shmem_vmap(&bo->shmem, &bo->map))
		iosys_map_clear(&bo->map);
	dma_resv_unlock(bo->shmem.base.resv);
}

void zhouyi_bo_list_free(struct zhouyi_bo_list *list)
{
	if (!list)
		return;
	for (unsigned int i = 0; i < list->n; i++)
		drm_gem_object_put(list->bo[i]);
	kvfree(list);
}

/*
 * The device
 */

static void zhouyi_sram_chunk(struct gen_pool *pool, struct gen_pool_chunk *chunk, void *arg)
{
	struct zhouyi_device *zdev = arg;

	zdev->sram_start = chunk->phys_addr;
	zdev->sram_size = chunk->end_addr - chunk->start_addr + 1;
}

/* Memory of a system on chip has page structs where it is cut out of the system's. */
static int zhouyi_sram_map(struct zhouyi_device *zdev)
{
	dma_addr_t address;

	if (pfn_valid(PHYS_PFN(zdev->sram_start)))
		address = dma_map_page(zdev->dev, pfn_to_page(PHYS_PFN(zdev->sram_start)), 0,
				       zdev->sram_size, DMA_BIDIRECTIONAL);
	else
		address = dma_map_resource(zdev->dev, zdev->sram_start, zdev->sram_size,
					   DMA_BIDIRECTIONAL, 0);
	if (dma_mapping_error(zdev->dev, address))
		return -ENOMEM;
	zdev->sram_address = address;
	return 0;
}

static void zhouyi_sram_unmap(struct zhouyi_device *zdev)
{
	if (pfn_valid(PHYS_PFN(zdev->sram_start)))
		dma_unmap_page(zdev->dev, zdev->sram_address, zdev->sram_size,
			       DMA_BIDIRECTIONAL);
	else
		dma_unmap_resource(zdev->dev, zdev->sram_address, zdev->sram_size,
				   DMA_BIDIRECTIONAL, 0);
}

int zhouyi_gem_init(struct zhouyi_device *zdev)
{
	struct gen_pool *pool = of_gen_pool_get(zdev->dev->of_node, "sram", 0);
	int ret;

	ret = zhouyi_alloc_dummy(zdev);
	if (ret)
		return ret;
	if (!pool && zdev->dev->parent)
		pool = gen_pool_get(zdev->dev->parent, "sram");
	if (!pool || gen_pool_avail(pool) == 0)
		return 0;
	/* Buffers are made of pages. */
	if (pool->min_alloc_order < PAGE_SHIFT)
		return dev_err_probe(zdev->dev, -EINVAL, "on-chip memory is not in pages\n");
	gen_pool_for_each_chunk(pool, zhouyi_sram_chunk, zdev);
	ret = zhouyi_sram_map(zdev);
	if (ret)
		return dev_err_probe(zdev->dev, ret, "no address for on-chip memory\n");
	zdev->sram = pool;
	return 0;
}

/*
 * Exporters may keep a mapping for as long as there is the attachment, so that has to end, too:
 * later there is no address space any more that it could be taken from.
 */
static void zhouyi_bo_revoke_import(struct zhouyi_bo *bo)
{
	struct drm_gem_object *obj = &bo->shmem.base;
	struct dma_buf_attachment *attach = obj->import_attach;

	bo->revoked = attach->dmabuf;
	dma_buf_unmap_attachment_unlocked(attach, bo->shmem.sgt, DMA_BIDIRECTIONAL);
	bo->shmem.sgt = NULL;
	obj->import_attach = NULL;
	dma_buf_detach(bo->revoked, attach);
}

/* Locked by bos_lock. */
static void zhouyi_bo_revoke(struct zhouyi_device *zdev, struct zhouyi_bo *bo)
{
	struct sg_table *sgt = bo->shmem.sgt;

	switch (bo->kind) {
	case ZHOUYI_BO_SHMEM:
		dma_unmap_sgtable(zdev->dev, sgt, DMA_BIDIRECTIONAL, 0);
		sg_free_table(sgt);
		kfree(sgt);
		bo->shmem.sgt = NULL;
		break;
	case ZHOUYI_BO_IMPORTED:
		zhouyi_bo_revoke_import(bo);
		break;
	case ZHOUYI_BO_CONTIGUOUS:
		/* Somebody else may still use what was exported. */
		if (!bo->shmem.base.dma_buf)
			zhouyi_bo_free_memory(zdev, bo);
		break;
	case ZHOUYI_BO_SRAM:
		zhouyi_bo_free_memory(zdev, bo);
		break;
	}
}

void zhouyi_gem_unmap_all(struct zhouyi_device *zdev)
{
	struct zhouyi_bo *bo;

	/* drm_dev_unplug() has taken the mappings of user space already. */
	mutex_lock(&zdev->bos_lock);
	list_for_each_entry(bo, &zdev->bos, link)
		zhouyi_bo_revoke(zdev, bo);
	if (zdev->sram)
		zhouyi_sram_unmap(zdev);
	mutex_unlock(&zdev->bos_lock);
}

/*
 * What user space may ask for
 */

int zhouyi_ioctl_bo_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct zhouyi_device *zdev = to_zhouyi(drm);
	struct drm_zhouyi_bo_create *args = data;
	u32 placement = args->placement ?: BIT(DRM_ZHOUYI_ZONE_SYSTEM);
	struct zhouyi_bo *bo;
	int ret, idx;

	if (!args->size || args->flags || args->pad || placement >= BIT(ZHOUYI_ZONES) ||
	    args->asid >= ZHOUYI_ASIDS || !zdev->hw->window[args->asid].size)
		return -EINVAL;
	if (args->size > zdev->hw->window[args->asid].size)
		return -ENOSPC;
	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	bo = zhouyi_bo_create(zdev, placement, args->asid, PAGE_ALIGN(args->size));
	ret = PTR_ERR_OR_ZERO(bo);
	if (!ret) {
		args->size = bo->shmem.base.size;
		args->address = bo->address;
		args->zone = bo->zone;
		ret = drm_gem_handle_create(file, &bo->shmem.base, &args->handle);
		drm_gem_object_put(&bo->shmem.base);
	}
	drm_dev_exit(idx);
	return ret;
}

int zhouyi_ioctl_bo_mmap_offset(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_zhouyi_bo_mmap_offset *args = data;
	struct drm_gem_object *obj;
	int ret = -EINVAL;

	if (args->pad)
		return -EINVAL;
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	if (to_zhouyi_bo(obj)->kind != ZHOUYI_BO_IMPORTED)
		ret = drm_gem_create_mmap_offset(obj);
	if (!ret)
		args->offset = drm_vma_node_offset_addr(&obj->vma_node);
	drm_gem_object_put(obj);
	return ret;
}

int zhouyi_ioctl_bo_info(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_zhouyi_bo_info *args = data;
	struct drm_gem_object *obj;
	struct zhouyi_bo *bo;

	if (args->pad)
		return -EINVAL;
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	bo = to_zhouyi_bo(obj);
	args->flags = bo->kind == ZHOUYI_BO_IMPORTED ? DRM_ZHOUYI_BO_IMPORTED : 0;
	args->size = obj->size;
	args->address = bo->address;
	args->zone = bo->zone;
	drm_gem_object_put(obj);
	return 0;
}

int zhouyi_ioctl_bo_wait(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_zhouyi_bo_wait *args = data;
	unsigned long timeout = drm_timeout_abs_to_jiffies(args->timeout_ns);
	struct drm_gem_object *obj;
	long ret;

	if (args->pad)
		return -EINVAL;
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;
	ret = dma_resv_wait_timeout(obj->resv, DMA_RESV_USAGE_BOOKKEEP, true, timeout);
	drm_gem_object_put(obj);
	if (ret == 0)
		return -ETIMEDOUT;
	return ret < 0 ? ret : 0;
}
