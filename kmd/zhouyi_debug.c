// SPDX-License-Identifier: GPL-2.0-only
/*
 * What somebody wants to see who looks for a mistake: the state of the device, and of a job
 * that failed, as a device core dump (text, /sys/class/devcoredump).
 */
#include <linux/devcoredump.h>
#include <linux/iosys-map.h>
#include <linux/slab.h>
#include <linux/utsname.h>
#include <linux/vmalloc.h>

#include <drm/drm_debugfs.h>
#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "zhouyi_gem.h"
#include "zhouyi_job.h"
#include "zhouyi_regs.h"

#define DUMP_REGS	128
#define DUMP_TCBS	128 /* 16 KiB: atomic allocations stay small */
#define DUMP_TEXT	SZ_128K

/* What is known at the time of the failure, when nothing may wait for memory. */
struct zhouyi_dump {
	u64 cookie, head, last_task;
	u32 n_tcbs, n_groups;
	int core;
	enum drm_zhouyi_result result;
	bool has_fault;
	struct zhouyi_fault fault;
	u64 ran_ns;
	unsigned int n_regs;
	struct zhouyi_reg regs[DUMP_REGS];
	unsigned int n_words;
	__le32 tcb[DUMP_TCBS * V3_TCB_SIZE / 4];
};

static void zhouyi_dump_tcbs(struct zhouyi_dump *dump, const struct zhouyi_job *job)
{
	u64 size = min_t(u64, (u64)job->n_tcbs * V3_TCB_SIZE, sizeof(dump->tcb));

	if (!job->chain || iosys_map_is_null(&job->chain->map))
		return;
	iosys_map_memcpy_from(dump->tcb, &job->chain->map, job->head - job->chain->address, size);
	dump->n_words = size / 4;
}

/* Locked. Only the first of several failures: those that follow are often its consequences. */
void zhouyi_dump_job(struct zhouyi_device *zdev, const struct zhouyi_job *job)
{
	struct zhouyi_dump *dump;

	lockdep_assert_held(&zdev->lock);
	if (zdev->dump)
		return;
	dump = kzalloc(sizeof(*dump), GFP_NOWAIT | __GFP_NOWARN);
	if (!dump)
		return;
	dump->cookie = job->cookie;
	dump->head = job->head;
	dump->last_task = job->last_task;
	dump->n_tcbs = job->n_tcbs;
	dump->n_groups = job->n_groups;
	dump->core = job->slot->core;
	dump->result = job->verdict;
	dump->has_fault = job->has_fault;
	dump->fault = job->fault;
	dump->ran_ns = ktime_to_ns(ktime_sub(ktime_get(), job->started));
	dump->n_regs = zdev->hw->snapshot(zdev, dump->regs, DUMP_REGS);
	zhouyi_dump_tcbs(dump, job);
	zdev->dump = dump;
	schedule_work(&zdev->dump_work);
}

static const char *zhouyi_result_name(enum drm_zhouyi_result result)
{
	switch (result) {
	case DRM_ZHOUYI_RESULT_DONE:
		return "done";
	case DRM_ZHOUYI_RESULT_EXCEPTION:
		return "exception";
	case DRM_ZHOUYI_RESULT_FAULT:
		return "fault";
	case DRM_ZHOUYI_RESULT_ERROR:
		return "error";
	case DRM_ZHOUYI_RESULT_TIMEOUT:
		return "timeout";
	case DRM_ZHOUYI_RESULT_ABORTED:
		return "aborted";
	case DRM_ZHOUYI_RESULT_LOST:
		return "lost";
	}
	return "?";
}

static void zhouyi_dump_print(struct drm_printer *p, struct zhouyi_device *zdev,
			      const struct zhouyi_dump *dump)
{
	drm_printf(p, "**** zhouyi device core dump ****\n");
	drm_printf(p, "kernel: %s\n", init_utsname()->release);
	drm_printf(p, "device: %s\n", dev_name(zdev->dev));
	drm_printf(p, "generation: %s\narch: 0x%02x\nrevision: 0x%x\n", zdev->hw->name, zdev->arch,
		   zdev->revision);
	drm_printf(p, "job: 0x%llx\nresult: %s\ncore: %d\nran_ns: %llu\n", dump->cookie,
		   zhouyi_result_name(dump->result), dump->core, dump->ran_ns);
	drm_printf(p, "head: 0x%llx\nlast_task: 0x%llx\ntcbs: %u\ngroups: %u\n", dump->head,
		   dump->last_task, dump->n_tcbs, dump->n_groups);
	if (dump->has_fault)
		drm_printf(p, "fault: types 0x%x code 0x%x tcbp 0x%x core %u tec %u\n",
			   dump->fault.types, dump->fault.code, dump->fault.tcbp,
			   dump->fault.core, dump->fault.tec);
	drm_puts(p, "registers:\n");
	for (unsigned int i = 0; i < dump->n_regs; i++)
		drm_printf(p, "  0x%04x: 0x%08x\n", dump->regs[i].offset,
			   dump->regs[i].value);
	drm_puts(p, "chain:\n");
	for (unsigned int i = 0; i + 3 < dump->n_words; i += 4)
		drm_printf(p, "  0x%llx: %08x %08x %08x %08x\n", dump->head + i * 4,
			   le32_to_cpu(dump->tcb[i]), le32_to_cpu(dump->tcb[i + 1]),
			   le32_to_cpu(dump->tcb[i + 2]), le32_to_cpu(dump->tcb[i + 3]));
}

static void zhouyi_dump_work(struct work_struct *work)
{
	struct zhouyi_device *zdev = container_of(work, struct zhouyi_device, dump_work);
	char *text = vzalloc(DUMP_TEXT);
	struct drm_print_iterator it = { .data = text, .remain = DUMP_TEXT };
	struct drm_printer p = drm_coredump_printer(&it);
	struct zhouyi_dump *dump;

	spin_lock_irq(&zdev->lock);
	dump = zdev->dump;
	spin_unlock_irq(&zdev->lock);
	if (text && dump) {
		zhouyi_dump_print(&p, zdev, dump);
		/* Takes the text. Keeps an older one if nobody has read that. */
		dev_coredumpv(zdev->dev, text, DUMP_TEXT - it.remain, GFP_KERNEL);
	} else {
		vfree(text);
	}
	spin_lock_irq(&zdev->lock);
	zdev->dump = NULL;
	spin_unlock_irq(&zdev->lock);
	kfree(dump);
}

static void zhouyi_dump_fini(struct drm_device *drm, void *arg)
{
	cancel_work_sync(&to_zhouyi(drm)->dump_work);
	kfree(to_zhouyi(drm)->dump);
}

int zhouyi_dump_init(struct zhouyi_device *zdev)
{
	INIT_WORK(&zdev->dump_work, zhouyi_dump_work);
	return drmm_add_action_or_reset(&zdev->drm, zhouyi_dump_fini, NULL);
}

/*
 * debugfs
 */

static const char *zhouyi_state_name(enum zhouyi_job_state state)
{
	switch (state) {
	case ZHOUYI_JOB_QUEUED:
		return "queued";
	case ZHOUYI_JOB_RUNNING:
		return "running";
	case ZHOUYI_JOB_STOPPED:
		return "stopped";
	case ZHOUYI_JOB_OVER:
		return "over";
	}
	return "?";
}

static int zhouyi_show_status(struct seq_file *m, void *unused)
{
	struct drm_debugfs_entry *entry = m->private;
	struct zhouyi_device *zdev = to_zhouyi(entry->dev);
	struct zhouyi_job *job;

	spin_lock_irq(&zdev->lock);
	seq_printf(m, "generation: %s\npowered: %d\nwedged: %d\n", zdev->hw->name, zdev->powered,
		   zdev->wedged);
	seq_printf(m, "partitions: %u\nclusters: %u\ncores: %u\nbind: %d\niommu: %d\n",
		   zdev->n_partitions, zdev->n_clusters, zdev->n_cores, zdev->bind, zdev->iommu);
	seq_printf(m, "done: %llu\nfailed: %llu\nrestarted: %llu\ntimeouts: %llu\n",
		   zdev->counters.done, zdev->counters.failed, zdev->counters.restarted,
		   zdev->counters.timeouts);
	seq_printf(m, "aborts: %llu\nsoft_resets: %llu\nfull_resets: %llu\n",
		   zdev->counters.aborts, zdev->counters.soft_resets, zdev->counters.full_resets);
	seq_printf(m, "lost_interrupts: %llu\nstray_interrupts: %llu\n", zdev->counters.lost_irqs,
		   zdev->counters.stray_irqs);
	seq_puts(m, "jobs:\n");
	list_for_each_entry(job, &zdev->jobs, link)
		seq_printf(m, "  0x%llx: %s core %d\n", job->cookie,
			   zhouyi_state_name(job->state), job->slot->core);
	spin_unlock_irq(&zdev->lock);
	return 0;
}

static int zhouyi_show_registers(struct seq_file *m, void *unused)
{
	struct drm_debugfs_entry *entry = m->private;
	struct zhouyi_device *zdev = to_zhouyi(entry->dev);
	struct zhouyi_reg *regs = kcalloc(DUMP_REGS, sizeof(*regs), GFP_KERNEL);
	unsigned int n = 0;

	if (!regs)
		return -ENOMEM;
	spin_lock_irq(&zdev->lock);
	if (zdev->powered)
		n = zdev->hw->snapshot(zdev, regs, DUMP_REGS);
	spin_unlock_irq(&zdev->lock);
	for (unsigned int i = 0; i < n; i++)
		seq_printf(m, "0x%04x: 0x%08x\n", regs[i].offset, regs[i].value);
	kfree(regs);
	return 0;
}

static const struct drm_debugfs_info zhouyi_debugfs[] = {
	{ "status", zhouyi_show_status, 0 },
	{ "registers", zhouyi_show_registers, 0 },
};

void zhouyi_debugfs_init(struct zhouyi_device *zdev)
{
	drm_debugfs_add_files(&zdev->drm, zhouyi_debugfs, ARRAY_SIZE(zhouyi_debugfs));
}
