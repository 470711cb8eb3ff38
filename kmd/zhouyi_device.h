/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device: what the parts of the driver share.
 *
 *	zhouyi_drv.c		module, platform driver, DRM driver, files
 *	zhouyi_device.c		power, clocks, interrupt, life of a device
 *	zhouyi_query.c		what user space may ask
 *	zhouyi_gem.c		memory and its addresses
 *	zhouyi_submit.c		from arguments to a queued job
 *	zhouyi_job.c		jobs from queue to end: slots, fences, events
 *	zhouyi_recover.c	aborts, resets, and who survives them
 *	zhouyi_v3.c		registers of generation v3
 *	zhouyi_debug.c		debugfs, device core dumps
 */
#ifndef _ZHOUYI_DEVICE_H_
#define _ZHOUYI_DEVICE_H_

#include <linux/clk.h>
#include <linux/mutex.h>
#include <linux/regmap.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#include <drm/drm_device.h>
#include <drm/drm_file.h>
#include <drm/gpu_scheduler.h>
#include <drm/zhouyi_accel.h>

struct dev_pm_domain_list;
struct gen_pool;
struct reset_control;
struct zhouyi_device;
struct zhouyi_job;

#define ZHOUYI_MAX_PARTITIONS	4
#define ZHOUYI_MAX_CLUSTERS	8
#define ZHOUYI_MAX_CORES	64
#define ZHOUYI_ASIDS		4
#define ZHOUYI_ZONES		3
#define ZHOUYI_PRIORITIES	4
#define ZHOUYI_MAX_BOS		4096
/* drm_file has 4096 bytes for events. One is set aside when the device is opened. */
#define ZHOUYI_MAX_JOBS		(4096 / sizeof(struct drm_zhouyi_event) - 1)

/* A window of the address space: [base, base + size) */
struct zhouyi_window {
	u64 base;
	u64 size;
};

/*
 * A place where one job can run: a core, or a whole partition. Nothing else runs in a partition
 * that runs a job as a whole.
 */
struct zhouyi_slot {
	struct drm_gpu_scheduler sched;
	struct zhouyi_device *zdev;
	struct zhouyi_partition *part;
	int core;			/* index in core masks; -1: the partition */
	u64 cores;			/* mask of what it may use */
	struct timer_list timer;	/* the running job's own time limit */

	/* Protected by zdev->lock: */
	struct zhouyi_job *running;
	unsigned int n_jobs;		/* that are not over */
};

struct zhouyi_partition {
	unsigned int index;		/* and its command pool's */
	u64 cores;			/* mask */
	unsigned int n_clusters;
	u32 gm_bytes;
	struct zhouyi_slot *slot;	/* of the whole partition */

	/* Protected by zdev->lock: */
	struct zhouyi_job *waiting;	/* for those that run, to have all of it */
	bool created;			/* the command pool exists */
	bool chained;			/* the pool remembers a chain, or may do */
	u16 tag;
};

/* Since the device appeared; drm_zhouyi_stats_info says what they mean. */
struct zhouyi_counters {
	u64 done, failed, restarted, timeouts;
	u64 aborts, soft_resets, full_resets;
	u64 lost_irqs, stray_irqs;
};

/* A register as it was. */
struct zhouyi_reg {
	u32 offset, value;
};

/*
 * What differs between generations. All are called with the device powered; "locked" is with
 * zdev->lock held and interrupts off, the others may sleep.
 */
struct zhouyi_hw {
	const char *name;
	u32 generation;
	/* The rest is missing where a generation is not supported yet. */
	struct zhouyi_window window[ZHOUYI_ASIDS];
	u32 tail_bytes;
	u32 config;
	/* Read what the device is made of. */
	int (*probe)(struct zhouyi_device *zdev);
	/* Soft reset, then everything set up; no job is on the device afterwards. */
	int (*reset)(struct zhouyi_device *zdev);
	/* Locked: disable interrupts and cores. */
	void (*quiesce)(struct zhouyi_device *zdev);
	/* Is this a job for this generation? */
	int (*check)(struct zhouyi_device *zdev, const struct drm_zhouyi_submit *args);
	/* Locked: start @job in its slot. */
	int (*start)(struct zhouyi_device *zdev, struct zhouyi_job *job);
	/* Locked: take what the device reports; finished jobs go to @done. Reports taken. */
	unsigned int (*collect)(struct zhouyi_device *zdev, struct list_head *done);
	/* Stop all work of @part, of which nothing is counted as running any more. */
	int (*abort)(struct zhouyi_device *zdev, struct zhouyi_partition *part);
	/* Locked: none of @cores touches memory. */
	bool (*is_quiet)(struct zhouyi_device *zdev, u64 cores);
	/* Locked: registers worth keeping of a failure. Returns how many. */
	unsigned int (*snapshot)(struct zhouyi_device *zdev, struct zhouyi_reg *regs,
				 unsigned int max);
};

extern const struct zhouyi_hw zhouyi_v3;

struct zhouyi_device {
	struct drm_device drm;
	struct device *dev;
	struct regmap *regs;
	struct clk_bulk_data *clks;
	int n_clks;
	struct reset_control *reset;
	struct dev_pm_domain_list *domains;
	int irq;

	/* Fixed after probe. */
	const struct zhouyi_hw *hw;
	u32 arch, revision, version;
	bool iommu, coherent, bind;
	u32 placement;			/* enum drm_zhouyi_placement */
	unsigned int n_partitions, n_clusters, n_cores, n_tecs, n_slots;
	struct {
		unsigned int partition;	/* ~0: not used */
		unsigned int first_core, n_cores;
		u32 config;
	} cluster[ZHOUYI_MAX_CLUSTERS];
	struct zhouyi_partition partition[ZHOUYI_MAX_PARTITIONS];
	struct zhouyi_slot *slot;	/* n_slots: cores first, then partitions */

	/*
	 * One at a time: all starting of jobs, so that jobs of cores and of partitions can wait
	 * for each other; and all recovery, so that nothing starts meanwhile that should not.
	 */
	struct workqueue_struct *start_wq;
	struct workqueue_struct *recover_wq;
	struct work_struct recover_work;
	struct work_struct release_work;

	/*
	 * Held while the device is stopped or reset, or gets and loses its power. Taken where
	 * fences are signaled, so that nothing may wait for memory with it.
	 */
	struct mutex recover_lock;
	bool suspended;			/* the system sleeps: no job starts */

	/*
	 * States of jobs and slots, registers that belong together, counters. Taken in the
	 * interrupt handler. Fences are signaled and events sent after it has been released.
	 */
	spinlock_t lock;
	bool powered;			/* registers answer */
	bool gone;			/* unplugged: they never will again */
	bool wedged;			/* does not recover */
	struct list_head held;		/* zhouyi_bo_list.link: what it may still write to then */
	u32 wanted;			/* ZHOUYI_WANT_*: for recover_work */
	struct list_head jobs;		/* zhouyi_job.link: those not freed yet */
	unsigned int n_jobs;
	atomic_t n_puts;		/* references that freed jobs had to drm */
	struct work_struct put_work;
	struct zhouyi_counters counters;

	/* Whose device it is, or NULL. */
	struct mutex owner_lock;
	struct zhouyi_file *owner;

	/* Buffers, and how much they take. */
	struct mutex bos_lock;
	struct list_head bos;		/* zhouyi_bo.link */
	u64 zone_used[ZHOUYI_ZONES];
	struct page *dummy;		/* for mappings of memory that went with the device */
	struct gen_pool *sram;		/* or NULL */
	u64 sram_address;		/* device address of its first byte */
	phys_addr_t sram_start;
	size_t sram_size;

	/* The last failure, on its way to a device core dump. */
	struct work_struct dump_work;
	struct zhouyi_dump *dump;	/* protected by lock */
};

#define ZHOUYI_WANT_SOFT_RESET	BIT(0)
#define ZHOUYI_WANT_FULL_RESET	BIT(1)

#define to_zhouyi(d) container_of(d, struct zhouyi_device, drm)

/* Its owner: an open file. */
struct zhouyi_file {
	struct kref ref;		/* the file, and jobs that are not freed */
	struct zhouyi_device *zdev;
	struct mutex submit_lock;	/* order of entities and their fences */
	struct drm_pending_event *gone;	/* to be sent when the device is unplugged */
	struct work_struct end_work;
	atomic64_t busy_ns;
	atomic64_t jobs;
	struct drm_sched_entity entity[];	/* [n_slots][ZHOUYI_PRIORITIES] */
};

static inline struct drm_sched_entity *zhouyi_file_entity(struct zhouyi_file *file,
							  const struct zhouyi_slot *slot,
							  unsigned int priority)
{
	return &file->entity[(slot - slot->zdev->slot) * ZHOUYI_PRIORITIES + priority];
}

void zhouyi_file_free(struct kref *ref);

extern struct workqueue_struct *zhouyi_put_wq;

/* Module parameters */
extern unsigned int zhouyi_job_timeout_ms;
extern bool zhouyi_bind;

/* How long a job may run, in milliseconds. */
static inline u32 zhouyi_time_limit(void)
{
	return max(READ_ONCE(zhouyi_job_timeout_ms), 1u);
}

static inline u32 zhouyi_read(struct zhouyi_device *zdev, u32 offset)
{
	u32 value;

	/* What does not answer reads as a bus does. */
	if (regmap_read(zdev->regs, offset, &value))
		return ~0;
	return value;
}

static inline void zhouyi_write(struct zhouyi_device *zdev, u32 offset, u32 value)
{
	regmap_write(zdev->regs, offset, value);
}

/* zhouyi_device.c */
int zhouyi_device_init(struct zhouyi_device *zdev);
void zhouyi_device_fini(struct zhouyi_device *zdev);
const struct zhouyi_hw *zhouyi_hw_find(u32 revision);
int zhouyi_device_reset_line(struct zhouyi_device *zdev);
extern const struct dev_pm_ops zhouyi_pm_ops;

/* zhouyi_query.c */
int zhouyi_ioctl_query(struct drm_device *drm, void *data, struct drm_file *drm_file);

/* zhouyi_debug.c */
void zhouyi_debugfs_init(struct zhouyi_device *zdev);
void zhouyi_dump_job(struct zhouyi_device *zdev, const struct zhouyi_job *job);
int zhouyi_dump_init(struct zhouyi_device *zdev);

#endif
