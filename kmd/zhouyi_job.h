/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Jobs: from the queue to their end.
 *
 *	QUEUED ──> RUNNING ──> OVER
 *	   │        │    ^       ^
 *	   │        v    │       │
 *	   │       STOPPED ──────┤
 *	   └─────────────────────┘
 *
 * A queued job is over without having run when it is aborted. A running job that the device is
 * stopped with is restarted, or over. Whoever makes a job OVER, with zdev->lock held, reports
 * it, without: event first, then the fence, after which it may be freed at any time.
 */
#ifndef _ZHOUYI_JOB_H_
#define _ZHOUYI_JOB_H_

#include <linux/dma-fence.h>
#include <linux/ktime.h>

#include <drm/gpu_scheduler.h>

#include "zhouyi_device.h"

struct zhouyi_bo;
struct zhouyi_bo_list;

enum zhouyi_job_state {
	ZHOUYI_JOB_QUEUED,
	ZHOUYI_JOB_RUNNING,
	ZHOUYI_JOB_STOPPED,
	ZHOUYI_JOB_OVER,
};

/* The hardware's fence. It has a lock of its own because it may outlive the device. */
struct zhouyi_fence {
	struct dma_fence base;
	spinlock_t lock; /* of base */
};

struct zhouyi_event {
	struct drm_pending_event base;
	struct drm_zhouyi_event event;
};

/* What the device said of a failure. */
struct zhouyi_fault {
	u32 types;
	u32 code;
	u32 tcbp;
	u16 core;
	u16 tec;
};

struct zhouyi_job {
	struct drm_sched_job base;
	struct zhouyi_device *zdev;
	struct zhouyi_file *file;
	struct zhouyi_slot *slot;
	struct list_head link;		/* zdev->jobs */
	struct list_head done;		/* on its way to zhouyi_job_report_all() */

	u64 cookie;
	u64 head, last_task;
	u32 n_tcbs, n_groups;
	u32 first_tcbp, last_tcbp;	/* as the device reports them */
	bool fast, restartable;
	u32 timeout_ms;

	struct zhouyi_bo_list *bos;
	struct zhouyi_bo *chain;	/* the one with the TCBs */
	struct zhouyi_fence *fence;
	bool pm;			/* holds a reference to the device's power */

	/* Protected by zdev->lock: */
	enum zhouyi_job_state state;
	bool unwanted;			/* to be stopped, with this: */
	enum drm_zhouyi_result verdict;
	bool has_fault;
	struct zhouyi_fault fault;
	ktime_t started, deadline;
	struct zhouyi_event *event;	/* NULL: has been sent */
};

#define to_zhouyi_job(j) container_of(j, struct zhouyi_job, base)

int zhouyi_slots_init(struct zhouyi_device *zdev);

/* With its fence and without a slot. It keeps the device, and its fence the module. */
struct zhouyi_job *zhouyi_job_create(struct zhouyi_device *zdev, struct zhouyi_file *file);

/* Locked: may start, and is started. */
int zhouyi_job_start(struct zhouyi_job *job);

/* Locked: @job is over; put it on @done. @flags: DRM_ZHOUYI_EVENT_* */
void zhouyi_job_end(struct zhouyi_job *job, enum drm_zhouyi_result result, u16 flags,
		    struct list_head *done);

/* Locked: the device has reported a failure of @job. */
enum drm_zhouyi_result zhouyi_fault_result(u32 types);

/* Not locked: send the events and signal the fences of @done. */
void zhouyi_job_report_all(struct zhouyi_device *zdev, struct list_head *done);

/* Take what the device reports. Any context. */
unsigned int zhouyi_collect(struct zhouyi_device *zdev);

/* Frees a job, armed or not. */
void zhouyi_job_free(struct zhouyi_job *job);

int zhouyi_job_error(enum drm_zhouyi_result result);

/* zhouyi_submit.c */
int zhouyi_ioctl_submit(struct drm_device *drm, void *data, struct drm_file *drm_file);

/* zhouyi_recover.c */
int zhouyi_ioctl_abort(struct drm_device *drm, void *data, struct drm_file *drm_file);
int zhouyi_ioctl_reset(struct drm_device *drm, void *data, struct drm_file *drm_file);
int zhouyi_recover_init(struct zhouyi_device *zdev);
void zhouyi_recover(struct zhouyi_device *zdev);
void zhouyi_recover_unplug(struct zhouyi_device *zdev);
/* After that: tell the owner of the jobs that wait for their turn. It must not leave meanwhile. */
void zhouyi_lose_queued(struct zhouyi_device *zdev);
void zhouyi_set_wedged(struct zhouyi_device *zdev, bool wedged);
void zhouyi_scheds_stop(struct zhouyi_device *zdev);
void zhouyi_scheds_start(struct zhouyi_device *zdev);
/* All of @file's jobs; those that run are over when this returns. */
void zhouyi_abort_file(struct zhouyi_device *zdev, struct zhouyi_file *file);

#endif
