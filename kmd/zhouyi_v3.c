// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generation v3 (X2): command pools of the task schedule manager (TSM).
 *
 * A pool takes chains of TCBs in two ways. A dispatch starts a chain on any cores of the
 * partition, but only if the pool has none yet: otherwise the TSM goes on at the `next` of the
 * last TCB it has seen, which may long be somebody else's memory. A bind-dispatch always
 * starts at the address it is given, on one core.
 *
 * So jobs never get linked to each other here. Those of one core are bound to it; each of those
 * for a whole partition gets a fresh pool. The TSM then never reads a TCB of a job that is over,
 * and a job cannot be lost behind a chain that the TSM has forgotten.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/property.h>

#include <drm/drm_print.h>

#include "zhouyi_job.h"
#include "zhouyi_regs.h"

/* What pools report: ends of groups and grids, failures, signals of programs. */
#define V3_IRQ_CONTROL (V3_IRQ_TYPES | V3_IRQ_CORE | V3_IRQ_CLUSTER)

/* More than a pool can have when the handler comes late; what is left raises the line again. */
#define V3_MAX_REPORTS 256

#define V3_ABORT_US	50
#define V3_RESET_US	10000
#define V3_QUIET_US	200000

struct v3_report {
	u32 status;
	u32 tcbp;
	u32 flag;
};

static u32 v3_pool_read(struct zhouyi_device *zdev, struct zhouyi_partition *part, u32 reg)
{
	return zhouyi_read(zdev, V3_POOL(part->index) + reg);
}

static void v3_pool_write(struct zhouyi_device *zdev, struct zhouyi_partition *part, u32 reg,
			  u32 value)
{
	zhouyi_write(zdev, V3_POOL(part->index) + reg, value);
}

/*
 * Commands
 */

/* The bit of a command that failed stays until it is cleared, and would fail all that follow. */
static int v3_command(struct zhouyi_device *zdev, u32 handle)
{
	u32 status;

	lockdep_assert_held(&zdev->lock);
	zhouyi_write(zdev, V3_HANDLE, handle);
	status = zhouyi_read(zdev, V3_STATUS);
	if (!(status & V3_STATUS_FAILED))
		return 0;
	zhouyi_write(zdev, V3_STATUS, status & ~V3_STATUS_FAILED);
	return -EIO;
}

static void v3_set_chain(struct zhouyi_device *zdev, u64 address, u32 tag)
{
	zhouyi_write(zdev, V3_ADDRESS_HIGH, upper_32_bits(address));
	zhouyi_write(zdev, V3_ADDRESS_LOW, lower_32_bits(address));
	zhouyi_write(zdev, V3_INFO, tag);
}

static int v3_destroy(struct zhouyi_device *zdev, struct zhouyi_partition *part)
{
	u32 pool = V3_HANDLE_POOL(part->index);
	int ret;

	v3_set_chain(zdev, 0, 0);
	ret = v3_command(zdev, V3_HANDLE_DESTROY | pool);
	if (ret) {
		/* A tail without grid end may be in the way. The pool has no work: see callers. */
		ret = v3_command(zdev, V3_HANDLE_ABORT | pool);
		if (ret)
			return ret;
		udelay(V3_ABORT_US);
		v3_set_chain(zdev, 0, 0);
		ret = v3_command(zdev, V3_HANDLE_DESTROY | pool);
		if (ret)
			return ret;
	}
	v3_pool_write(zdev, part, V3_POOL_IRQ_CONTROL, V3_IRQ_CONTROL);
	part->created = false;
	part->chained = false;
	return 0;
}

/* A pool may be there that we do not know of: idle does not mean that there is none. */
static int v3_create(struct zhouyi_device *zdev, struct zhouyi_partition *part)
{
	u32 handle = V3_HANDLE_CREATE | V3_HANDLE_ALL_CLUSTERS | V3_HANDLE_POOL(part->index);
	int ret;

	ret = v3_command(zdev, handle);
	if (ret) {
		ret = v3_destroy(zdev, part);
		if (!ret)
			ret = v3_command(zdev, handle);
		if (ret)
			return ret;
	}
	part->created = true;
	part->chained = false;
	return 0;
}

static int v3_start(struct zhouyi_device *zdev, struct zhouyi_job *job)
{
	struct zhouyi_slot *slot = job->slot;
	struct zhouyi_partition *part = slot->part;
	u32 handle = V3_HANDLE_POOL(part->index);
	int ret = 0;

	lockdep_assert_held(&zdev->lock);
	/* Nothing else runs in the partition if it is for this job alone. */
	if (slot->core < 0 && part->created && part->chained)
		ret = v3_destroy(zdev, part);
	if (!ret && !part->created)
		ret = v3_create(zdev, part);
	if (ret)
		return ret;

	v3_set_chain(zdev, job->head, ++part->tag);
	if (job->fast)
		handle |= V3_HANDLE_QOS_FAST;
	if (slot->core < 0) {
		part->chained = true;
		return v3_command(zdev, handle | V3_HANDLE_DISPATCH);
	}
	/* Counted in the cluster, of which a partition with bound jobs has one. */
	handle |= V3_HANDLE_CORE(slot->core - __ffs64(part->cores));
	return v3_command(zdev, handle | V3_HANDLE_BIND_DISPATCH);
}

/*
 * Reports
 */

static bool v3_take(struct zhouyi_device *zdev, struct zhouyi_partition *part,
		    struct v3_report *ret)
{
	ret->status = v3_pool_read(zdev, part, V3_POOL_IRQ_STATUS);
	/* All ones: nobody answers. */
	if (!(ret->status & V3_IRQ_TYPES) || ret->status == ~0)
		return false;
	ret->tcbp = v3_pool_read(zdev, part, V3_POOL_IRQ_TCBP);
	ret->flag = v3_pool_read(zdev, part, V3_POOL_IRQ_FLAG);
	if (ret->status & V3_IRQ_FAILURES)
		v3_pool_write(zdev, part, V3_POOL_FIRST_BAD, 0);
	/* All types at once: what is left over would be reported again. */
	v3_pool_write(zdev, part, V3_POOL_STATUS, ret->status & V3_IRQ_TYPES);
	return true;
}

static int v3_report_core(struct zhouyi_device *zdev, u32 status)
{
	unsigned int cluster = FIELD_GET(V3_IRQ_STATUS_CLUSTER, status);
	unsigned int core = FIELD_GET(V3_IRQ_STATUS_CORE, status);

	if (cluster >= ZHOUYI_MAX_CLUSTERS || core >= zdev->cluster[cluster].n_cores)
		return -1;
	return zdev->cluster[cluster].first_core + core;
}

/* The job of @part that @tcbp belongs to, the one on @core if there are several. */
static struct zhouyi_job *v3_find(struct zhouyi_device *zdev, struct zhouyi_partition *part,
				  u32 tcbp, int core, bool last_only)
{
	struct zhouyi_job *found = NULL;

	for (unsigned int i = 0; i < zdev->n_slots; i++) {
		struct zhouyi_slot *slot = &zdev->slot[i];
		struct zhouyi_job *job = slot->running;

		if (slot->part != part || !job || job->state != ZHOUYI_JOB_RUNNING)
			continue;
		if (last_only ? tcbp != job->last_tcbp :
				tcbp < job->first_tcbp || tcbp > job->last_tcbp)
			continue;
		if (!found || slot->core == core)
			found = job;
	}
	return found;
}

/* A group that fails ends, but the chain may go on. */
static void v3_failed(struct zhouyi_job *job, const struct zhouyi_fault *fault,
		      struct list_head *done)
{
	enum drm_zhouyi_result result = zhouyi_fault_result(fault->types);

	if (!job->has_fault) {
		job->has_fault = true;
		job->fault = *fault;
	}
	if (job->n_groups == 1 && fault->tcbp == job->last_tcbp) {
		zhouyi_job_end(job, result, 0, done);
		return;
	}
	if (!job->unwanted) {
		job->unwanted = true;
		job->verdict = result;
	}
	queue_work(job->zdev->recover_wq, &job->zdev->recover_work);
}

static void v3_handle(struct zhouyi_device *zdev, struct zhouyi_partition *part,
		      const struct v3_report *report, struct list_head *done)
{
	u32 types = report->status & V3_IRQ_TYPES;
	int core = v3_report_core(zdev, report->status);
	struct zhouyi_fault fault = {
		.types = types & V3_IRQ_FAILURES,
		.tcbp = report->tcbp,
		.core = core < 0 ? U16_MAX : core,
		.tec = FIELD_GET(V3_IRQ_STATUS_TEC, report->status),
	};
	struct zhouyi_job *job;

	if (types & V3_IRQ_SIGNAL && report->flag & V3_FLAG_EXCEPTION) {
		fault.types |= V3_IRQ_EXCEPTION;
		fault.code = FIELD_GET(V3_FLAG_CODE, report->flag);
	}
	if (fault.types) {
		job = v3_find(zdev, part, report->tcbp, core, false);
		if (job)
			v3_failed(job, &fault, done);
	} else if (types & V3_IRQ_DONE) {
		/* With both levels enabled there are two reports; one belongs to the job. */
		job = v3_find(zdev, part, report->tcbp, core, true);
		if (job &&
		    report->status & (job->n_groups == 1 ? V3_IRQ_CORE : V3_IRQ_CLUSTER))
			zhouyi_job_end(job, DRM_ZHOUYI_RESULT_DONE, 0, done);
	} else {
		return; /* output of a program */
	}
	if (!job)
		zdev->counters.stray_irqs++;
}

static unsigned int v3_collect(struct zhouyi_device *zdev, struct list_head *done)
{
	struct v3_report report;
	unsigned int n = 0;

	lockdep_assert_held(&zdev->lock);
	for (unsigned int p = 0; p < zdev->n_partitions; p++) {
		struct zhouyi_partition *part = &zdev->partition[p];

		for (unsigned int i = 0; i < V3_MAX_REPORTS; i++, n++) {
			if (!v3_take(zdev, part, &report))
				break;
			v3_handle(zdev, part, &report, done);
		}
	}
	return n;
}

/*
 * Stopping
 */

static bool v3_core_is_idle(struct zhouyi_device *zdev, unsigned int cluster, unsigned int core)
{
	u32 status;

	zhouyi_write(zdev, V3_PAGE, V3_PAGE_ENABLE | V3_PAGE_CLUSTER(cluster) | core);
	status = zhouyi_read(zdev, V3_CORE_STATUS);
	zhouyi_write(zdev, V3_PAGE, 0);
	return status != ~0 && status & V3_CORE_IDLE;
}

static bool v3_is_quiet(struct zhouyi_device *zdev, u64 cores)
{
	lockdep_assert_held(&zdev->lock);
	for (unsigned int i = 0; i < ZHOUYI_MAX_CLUSTERS; i++)
		for (unsigned int j = 0; j < zdev->cluster[i].n_cores; j++)
			if (cores & BIT_ULL(zdev->cluster[i].first_core + j) &&
			    !v3_core_is_idle(zdev, i, j))
				return false;
	return true;
}

/* The registers tell at once that work was stopped; the cores take their time to let go. */
static int v3_wait_quiet(struct zhouyi_device *zdev, u64 cores)
{
	ktime_t until = ktime_add_us(ktime_get(), V3_QUIET_US);
	bool quiet;

	for (;;) {
		bool late = ktime_after(ktime_get(), until);

		usleep_range(50, 100);
		spin_lock_irq(&zdev->lock);
		quiet = v3_is_quiet(zdev, cores);
		spin_unlock_irq(&zdev->lock);
		if (quiet || late)
			return quiet ? 0 : -ETIMEDOUT;
	}
}

/* What is still to be reported is about work that was stopped. */
static void v3_drain(struct zhouyi_device *zdev, struct zhouyi_partition *part)
{
	struct v3_report report;

	for (unsigned int i = 0; i < 4 * V3_MAX_REPORTS && v3_take(zdev, part, &report); i++)
		;
}

static int v3_abort(struct zhouyi_device *zdev, struct zhouyi_partition *part)
{
	int ret = 0;

	spin_lock_irq(&zdev->lock);
	if (part->created)
		ret = v3_command(zdev, V3_HANDLE_ABORT | V3_HANDLE_POOL(part->index));
	spin_unlock_irq(&zdev->lock);
	if (ret)
		return ret;

	ret = v3_wait_quiet(zdev, part->cores);
	if (ret)
		return ret;

	spin_lock_irq(&zdev->lock);
	if (part->created)
		ret = v3_destroy(zdev, part);
	v3_drain(zdev, part);
	spin_unlock_irq(&zdev->lock);
	return ret;
}

/*
 * Set-up
 */

static void v3_init_cluster(struct zhouyi_device *zdev, unsigned int i)
{
	u32 counts = zdev->cluster[i].config & GENMASK(11, 0);

	if (zdev->cluster[i].n_cores)
		zhouyi_write(zdev, V3_CLUSTER_CONTROL(i),
			     V3_CLUSTER_PARTITION(zdev->cluster[i].partition) | counts |
				     V3_CLUSTER_ENABLE);
}

static void v3_init_pool(struct zhouyi_device *zdev, struct zhouyi_partition *part)
{
	part->created = false;
	part->chained = false;
	v3_pool_write(zdev, part, V3_POOL_CONFIG, part->index);
	v3_pool_write(zdev, part, V3_POOL_SECURE, V3_POOL_NON_SECURE);
	v3_pool_write(zdev, part, V3_POOL_IRQ_CONTROL, V3_IRQ_CONTROL);
}

static int v3_reset(struct zhouyi_device *zdev)
{
	u32 value;
	int ret;

	zhouyi_write(zdev, V3_RESET, V3_RESET_LAUNCH);
	ret = regmap_read_poll_timeout(zdev->regs, V3_RESET, value, value == V3_RESET_DONE, 50,
				       V3_RESET_US);
	if (ret)
		return ret;
	/* Enabled cores start nothing before there are pools. */
	ret = v3_wait_quiet(zdev, GENMASK_ULL(zdev->n_cores - 1, 0));
	if (ret)
		return ret;

	spin_lock_irq(&zdev->lock);
	for (unsigned int i = 0; i < ZHOUYI_MAX_CLUSTERS; i++)
		v3_init_cluster(zdev, i);
	for (unsigned int i = 0; i < zdev->n_partitions; i++)
		v3_init_pool(zdev, &zdev->partition[i]);
	zhouyi_write(zdev, V3_TICK_CONTROL, V3_TICK_STOP);
	spin_unlock_irq(&zdev->lock);
	return 0;
}

static void v3_quiesce(struct zhouyi_device *zdev)
{
	lockdep_assert_held(&zdev->lock);
	for (unsigned int p = 0; p < zdev->n_partitions; p++) {
		struct zhouyi_partition *part = &zdev->partition[p];

		v3_pool_write(zdev, part, V3_POOL_IRQ_CONTROL, 0);
		/* It has no work; whatever the answer is, the next thing to come is a reset. */
		if (part->created)
			v3_command(zdev, V3_HANDLE_DESTROY | V3_HANDLE_POOL(p));
		v3_drain(zdev, part);
		part->created = false;
	}
	for (unsigned int i = 0; i < ZHOUYI_MAX_CLUSTERS; i++)
		if (zdev->cluster[i].n_cores)
			zhouyi_write(zdev, V3_CLUSTER_CONTROL(i), 0);
}

/* Which cluster is in which partition; without a word about it all are in the first. */
static int v3_assign_clusters(struct zhouyi_device *zdev)
{
	u32 pairs[2 * ZHOUYI_MAX_CLUSTERS];
	int n = device_property_count_u32(zdev->dev, "armchina,cluster-partitions");
	int ret;

	for (unsigned int i = 0; i < ZHOUYI_MAX_CLUSTERS; i++)
		zdev->cluster[i].partition = n > 0 ? ~0 : 0;
	if (n <= 0)
		return 0;
	if (n % 2 || n > ARRAY_SIZE(pairs))
		return -EINVAL;
	ret = device_property_read_u32_array(zdev->dev, "armchina,cluster-partitions", pairs, n);
	if (ret)
		return ret;
	for (int i = 0; i < n; i += 2) {
		if (pairs[i] >= ZHOUYI_MAX_CLUSTERS || pairs[i + 1] >= ZHOUYI_MAX_PARTITIONS)
			return -EINVAL;
		zdev->cluster[pairs[i]].partition = pairs[i + 1];
	}
	return 0;
}

static u32 v3_gm_bytes(struct zhouyi_device *zdev, unsigned int cluster)
{
	u32 code;

	zhouyi_write(zdev, V3_PAGE, V3_PAGE_ENABLE | V3_PAGE_CLUSTER(cluster));
	code = FIELD_GET(V3_GM_CONTROL_SIZE, zhouyi_read(zdev, V3_GM_CONTROL));
	zhouyi_write(zdev, V3_PAGE, 0);
	return code < 8 ? SZ_512K << code : 0;
}

static int v3_probe_cluster(struct zhouyi_device *zdev, unsigned int i)
{
	u32 config = zhouyi_read(zdev, V3_CLUSTER_CONFIG(i));
	unsigned int n = FIELD_GET(V3_CLUSTER_CORES, config);
	unsigned int tecs = FIELD_GET(V3_CLUSTER_TECS, config);
	struct zhouyi_partition *part;

	if (zdev->cluster[i].partition == ~0 || !(config & V3_CLUSTER_PRESENT) || config == ~0)
		return 0;
	if (!n || !tecs || zdev->n_cores + n > ZHOUYI_MAX_CORES)
		return -ENODEV;
	if (zdev->n_tecs && zdev->n_tecs != tecs)
		return -ENODEV;

	zdev->cluster[i].config = config;
	zdev->cluster[i].first_core = zdev->n_cores;
	zdev->cluster[i].n_cores = n;
	part = &zdev->partition[zdev->cluster[i].partition];
	part->n_clusters++;
	part->cores |= GENMASK_ULL(zdev->n_cores + n - 1, zdev->n_cores);
	part->gm_bytes = v3_gm_bytes(zdev, i);
	zdev->n_cores += n;
	zdev->n_tecs = tecs;
	zdev->n_clusters++;
	return 0;
}

static int v3_probe(struct zhouyi_device *zdev)
{
	u32 build = zhouyi_read(zdev, V3_BUILD);
	int ret;

	zdev->version = 5;
	ret = v3_assign_clusters(zdev);
	if (ret)
		return dev_err_probe(zdev->dev, ret, "bad armchina,cluster-partitions\n");
	for (unsigned int i = 0; i < ZHOUYI_MAX_CLUSTERS; i++) {
		ret = v3_probe_cluster(zdev, i);
		if (ret)
			return dev_err_probe(zdev->dev, ret, "cluster %u makes no sense\n", i);
	}
	for (unsigned int i = 0; i < ZHOUYI_MAX_PARTITIONS; i++) {
		zdev->partition[i].index = i;
		if (zdev->partition[i].n_clusters)
			zdev->n_partitions = i + 1;
		/* A bound job can only be given to the first cluster. */
		if (zdev->partition[i].n_clusters > 1)
			zdev->bind = false;
	}
	for (unsigned int i = 0; i < zdev->n_partitions; i++)
		if (!zdev->partition[i].n_clusters)
			return dev_err_probe(zdev->dev, -EINVAL, "partition %u is empty\n", i);
	if (!zdev->n_partitions || zdev->n_partitions > FIELD_GET(V3_BUILD_PARTITIONS, build) + 1 ||
	    zdev->n_partitions > FIELD_GET(V3_BUILD_POOLS, build))
		return dev_err_probe(zdev->dev, -ENODEV, "no use of %u partitions (build 0x%x)\n",
				     zdev->n_partitions, build);
	return 0;
}

static int v3_check(struct zhouyi_device *zdev, const struct drm_zhouyi_submit *args)
{
	const u64 size = (u64)args->tcb_count * V3_TCB_SIZE;

	if (!args->group_count || args->group_count >= args->tcb_count)
		return -EINVAL;
	if (!args->head || (args->head | args->first_task | args->last_task) % V3_TCB_SIZE)
		return -EINVAL;
	/* Links between TCBs have 32 bits. */
	if (args->head + size < args->head ||
	    upper_32_bits(args->head) != upper_32_bits(args->head + size - 1))
		return -EINVAL;
	if (args->first_task < args->head || args->last_task < args->first_task ||
	    args->last_task - args->head >= size)
		return -EINVAL;
	return 0;
}

static unsigned int v3_snapshot(struct zhouyi_device *zdev, struct zhouyi_reg *regs,
				unsigned int max)
{
	static const u16 offsets[] = {
		V3_HANDLE, V3_INFO, V3_ADDRESS_HIGH, V3_ADDRESS_LOW, V3_BUILD, V3_STATUS,
		V3_RESET, ZHOUYI_REVISION, V3_TICK_CONTROL,
	};
	static const u16 pool[] = {
		V3_POOL_CONFIG, V3_POOL_STATUS, V3_POOL_IRQ_CONTROL, V3_POOL_IRQ_STATUS,
		V3_POOL_IRQ_SIGNAL, V3_POOL_FIRST_BAD, V3_POOL_SECURE, V3_POOL_IRQ_FLAG,
		V3_POOL_IRQ_TCBP,
	};
	unsigned int n = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(offsets) && n < max; i++)
		regs[n++].offset = offsets[i];
	for (unsigned int p = 0; p < zdev->n_partitions; p++)
		for (unsigned int i = 0; i < ARRAY_SIZE(pool) && n < max; i++)
			regs[n++].offset = V3_POOL(p) + pool[i];
	for (unsigned int i = 0; i < ZHOUYI_MAX_CLUSTERS && n + 1 < max; i++) {
		if (!zdev->cluster[i].n_cores)
			continue;
		regs[n++].offset = V3_CLUSTER_CONFIG(i);
		regs[n++].offset = V3_CLUSTER_CONTROL(i);
	}
	for (unsigned int i = 0; i < n; i++)
		regs[i].value = zhouyi_read(zdev, regs[i].offset);
	return n;
}

const struct zhouyi_hw zhouyi_v3 = {
	.name = "v3",
	.generation = DRM_ZHOUYI_V3,
	/* From 3 GiB on addresses mean something else, and from 3.5 GiB nothing. */
	.window = { { 0, 3ull << 30 }, { 0, 3ull << 30 } },
	.tail_bytes = 2048,
	.config = 1204,
	.probe = v3_probe,
	.reset = v3_reset,
	.quiesce = v3_quiesce,
	.check = v3_check,
	.start = v3_start,
	.collect = v3_collect,
	.abort = v3_abort,
	.is_quiet = v3_is_quiet,
	.snapshot = v3_snapshot,
};
