/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between kernels, and nothing else. Kbuild looks into the headers and defines
 * HAVE_*; a driver in the kernel's tree has no such file.
 */
#ifndef _ZHOUYI_COMPAT_H_
#define _ZHOUYI_COMPAT_H_

#include <drm/drm_gem_shmem_helper.h>
#include <drm/gpu_scheduler.h>

#ifdef HAVE_BARE_IMPORT_NS
#define ZHOUYI_IMPORT_NS_DMA_BUF MODULE_IMPORT_NS(DMA_BUF)
#else
#define ZHOUYI_IMPORT_NS_DMA_BUF MODULE_IMPORT_NS("DMA_BUF")
#endif

#ifndef HAVE_DRM_SCHED_INIT_ARGS
struct drm_sched_init_args {
	const struct drm_sched_backend_ops *ops;
	struct workqueue_struct *submit_wq;
	struct workqueue_struct *timeout_wq;
	u32 num_rqs;
	u32 credit_limit;
	unsigned int hang_limit;
	long timeout;
	atomic_t *score;
	const char *name;
	struct device *dev;
};

static inline int zhouyi_sched_init(struct drm_gpu_scheduler *sched,
				    const struct drm_sched_init_args *a)
{
	return drm_sched_init(sched, a->ops, a->submit_wq, a->num_rqs, a->credit_limit,
			      a->hang_limit, a->timeout, a->timeout_wq, a->score, a->name,
			      a->dev);
}
#else
#define zhouyi_sched_init drm_sched_init
#endif

#ifdef HAVE_DRM_SCHED_CLIENT_ID
#define zhouyi_sched_job_init drm_sched_job_init
#else
static inline int zhouyi_sched_job_init(struct drm_sched_job *job, struct drm_sched_entity *entity,
					u32 credits, void *owner, u64 client_id)
{
	return drm_sched_job_init(job, entity, credits, owner);
}
#endif

/*
 * A timed out job that is over, or that may go on: the scheduler has taken it off its list and
 * has to have it back. Newer schedulers do that themselves.
 */
static inline enum drm_gpu_sched_stat zhouyi_sched_give_back(struct drm_sched_job *job)
{
#ifdef HAVE_DRM_SCHED_NO_HANG
	return DRM_GPU_SCHED_STAT_NO_HANG;
#else
	struct drm_gpu_scheduler *sched = job->sched;

	spin_lock(&sched->job_list_lock);
	list_add(&job->list, &sched->pending_list);
	spin_unlock(&sched->job_list_lock);
	/* If its fence was signaled meanwhile, the work that frees it has found nothing. */
	drm_sched_wqueue_start(sched);
	return DRM_GPU_SCHED_STAT_NOMINAL;
#endif
}

#ifdef HAVE_DRM_SHMEM_LOCKED
#define zhouyi_shmem_vmap drm_gem_shmem_vmap_locked
#define zhouyi_shmem_vunmap drm_gem_shmem_vunmap_locked
#else
#define zhouyi_shmem_vmap drm_gem_shmem_vmap
#define zhouyi_shmem_vunmap drm_gem_shmem_vunmap
#endif

#endif
