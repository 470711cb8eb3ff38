// SPDX-License-Identifier: GPL-2.0-only
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/iommu.h>
#include <linux/of.h>
#include <linux/of_reserved_mem.h>
#include <linux/platform_device.h>
#include <linux/pm_domain.h>
#include <linux/pm_runtime.h>
#include <linux/reset.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "zhouyi_gem.h"
#include "zhouyi_job.h"
#include "zhouyi_regs.h"

#define ZHOUYI_AUTOSUSPEND_MS 100

/* Generations that are known, but have no operations, are not supported. */
static const struct zhouyi_hw zhouyi_v1 = { .name = "v1", .generation = DRM_ZHOUYI_V1 };
static const struct zhouyi_hw zhouyi_v2 = { .name = "v2", .generation = DRM_ZHOUYI_V2 };
static const struct zhouyi_hw zhouyi_v3_2 = { .name = "v3_2", .generation = DRM_ZHOUYI_V3_2 };

/*
 * The revision register says what a device is. A bus without power or clock often reads as
 * 0, which is also a Z1; that has to wait for a driver of its own, anyway.
 */
static const struct {
	u32 revision;
	const struct zhouyi_hw *hw;
} zhouyi_revisions[] = {
	{ 0x00000, &zhouyi_v1 },   { 0x00100, &zhouyi_v2 },   { 0x00200, &zhouyi_v2 },
	{ 0x00300, &zhouyi_v2 },   { 0x10000, &zhouyi_v3 },   { 0x10003, &zhouyi_v3 },
	{ 0x10210, &zhouyi_v3_2 }, { 0x10220, &zhouyi_v3_2 },
};

const struct zhouyi_hw *zhouyi_hw_find(u32 revision)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(zhouyi_revisions); i++)
		if (zhouyi_revisions[i].revision == revision)
			return zhouyi_revisions[i].hw;
	return NULL;
}

/*
 * Power
 */

static int zhouyi_power_on(struct zhouyi_device *zdev)
{
	int ret;

	ret = clk_bulk_prepare_enable(zdev->n_clks, zdev->clks);
	if (ret)
		return ret;
	ret = reset_control_deassert(zdev->reset);
	if (ret)
		clk_bulk_disable_unprepare(zdev->n_clks, zdev->clks);
	return ret;
}

static void zhouyi_power_off(struct zhouyi_device *zdev)
{
	reset_control_assert(zdev->reset);
	clk_bulk_disable_unprepare(zdev->n_clks, zdev->clks);
}

/* The registers answer, or do not any more. */
static void zhouyi_set_powered(struct zhouyi_device *zdev, bool powered)
{
	spin_lock_irq(&zdev->lock);
	if (!powered && zdev->powered)
		zdev->hw->quiesce(zdev);
	zdev->powered = powered;
	spin_unlock_irq(&zdev->lock);
}

int zhouyi_device_reset_line(struct zhouyi_device *zdev)
{
	int ret;

	lockdep_assert_held(&zdev->recover_lock);
	/* Without a line a second soft reset after a while is all there is. */
	if (!zdev->reset) {
		usleep_range(10000, 11000);
		return 0;
	}
	ret = reset_control_assert(zdev->reset);
	if (ret)
		return ret;
	usleep_range(100, 200);
	return reset_control_deassert(zdev->reset);
}

static int zhouyi_runtime_suspend(struct device *dev)
{
	struct zhouyi_device *zdev = dev_get_drvdata(dev);

	mutex_lock(&zdev->recover_lock);
	zhouyi_set_powered(zdev, false);
	mutex_unlock(&zdev->recover_lock);
	zhouyi_power_off(zdev);
	return 0;
}

static int zhouyi_runtime_resume(struct device *dev)
{
	struct zhouyi_device *zdev = dev_get_drvdata(dev);
	int ret;

	/* Not with the lock: clocks have locks of their own, for which recovery must not wait. */
	ret = zhouyi_power_on(zdev);
	if (ret)
		return ret;
	mutex_lock(&zdev->recover_lock);
	ret = zdev->hw->reset(zdev);
	if (ret && !zhouyi_device_reset_line(zdev))
		ret = zdev->hw->reset(zdev);
	/* A device that does not come up is there, and says so to its owner. */
	zhouyi_set_wedged(zdev, ret);
	zhouyi_set_powered(zdev, true);
	mutex_unlock(&zdev->recover_lock);
	return 0;
}

static bool zhouyi_is_running(struct zhouyi_device *zdev)
{
	bool running = false;

	spin_lock_irq(&zdev->lock);
	for (unsigned int i = 0; i < zdev->n_slots; i++)
		running |= !!zdev->slot[i].running;
	spin_unlock_irq(&zdev->lock);
	return running;
}

static void zhouyi_set_suspended(struct zhouyi_device *zdev, bool suspended)
{
	mutex_lock(&zdev->recover_lock);
	zdev->suspended = suspended;
	if (suspended)
		zhouyi_scheds_stop(zdev);
	else
		zhouyi_scheds_start(zdev);
	mutex_unlock(&zdev->recover_lock);
}

/* The system sleeps: what runs is waited for, what is queued stays. */
static int zhouyi_suspend(struct device *dev)
{
	struct zhouyi_device *zdev = dev_get_drvdata(dev);
	ktime_t until = ktime_add_ms(ktime_get(), zhouyi_time_limit());
	int ret = 0;

	zhouyi_set_suspended(zdev, true);
	while (zhouyi_is_running(zdev) && !ret) {
		if (ktime_after(ktime_get(), until))
			ret = -EBUSY;
		msleep(20);
	}
	if (!ret)
		ret = pm_runtime_force_suspend(dev);
	if (ret)
		zhouyi_set_suspended(zdev, false);
	return ret;
}

static int zhouyi_resume(struct device *dev)
{
	int ret = pm_runtime_force_resume(dev);

	zhouyi_set_suspended(dev_get_drvdata(dev), false);
	return ret;
}

const struct dev_pm_ops zhouyi_pm_ops = {
	SYSTEM_SLEEP_PM_OPS(zhouyi_suspend, zhouyi_resume)
	RUNTIME_PM_OPS(zhouyi_runtime_suspend, zhouyi_runtime_resume, NULL)
};

static irqreturn_t zhouyi_irq(int irq, void *arg)
{
	bool cookie = dma_fence_begin_signalling();
	unsigned int n = zhouyi_collect(arg);

	dma_fence_end_signalling(cookie);
	return n ? IRQ_HANDLED : IRQ_NONE;
}

/*
 * Life
 */

static const struct regmap_config zhouyi_regmap = {
	.reg_bits = 32,
	.reg_stride = 4,
	.val_bits = 32,
	.max_register = V3_MAX_OFFSET,
};

/* A device inside of another finds its registers there. */
static int zhouyi_init_regs(struct zhouyi_device *zdev)
{
	void __iomem *base;

	if (zdev->dev->parent)
		zdev->regs = dev_get_regmap(zdev->dev->parent, NULL);
	if (zdev->regs)
		return 0;
	base = devm_platform_ioremap_resource(to_platform_device(zdev->dev), 0);
	if (IS_ERR(base))
		return PTR_ERR(base);
	zdev->regs = devm_regmap_init_mmio(zdev->dev, base, &zhouyi_regmap);
	return PTR_ERR_OR_ZERO(zdev->regs);
}

/* One for each core; they follow the device's power. The bus takes care of a single one. */
static int zhouyi_init_domains(struct zhouyi_device *zdev)
{
	static const char *const names[] = { "core0", "core1", "core2" };
	int n = of_count_phandle_with_args(zdev->dev->of_node, "power-domains",
					   "#power-domain-cells");
	struct dev_pm_domain_attach_data domains = {
		.pd_names = names,
		.num_pd_names = min_t(int, n, ARRAY_SIZE(names)),
		.pd_flags = PD_FLAG_DEV_LINK_ON,
	};

	return n > 1 ? devm_pm_domain_attach_list(zdev->dev, &domains, &zdev->domains) : 0;
}

static int zhouyi_init_resources(struct zhouyi_device *zdev)
{
	struct device *dev = zdev->dev;
	int ret;

	ret = zhouyi_init_regs(zdev);
	if (ret)
		return dev_err_probe(dev, ret, "no registers\n");
	zdev->n_clks = devm_clk_bulk_get_all(dev, &zdev->clks);
	if (zdev->n_clks < 0)
		return dev_err_probe(dev, zdev->n_clks, "no clocks\n");
	zdev->reset = devm_reset_control_get_optional_exclusive(dev, NULL);
	if (IS_ERR(zdev->reset))
		return dev_err_probe(dev, PTR_ERR(zdev->reset), "no reset\n");
	ret = zhouyi_init_domains(zdev);
	if (ret < 0)
		return dev_err_probe(dev, ret, "no power domains\n");
	zdev->irq = platform_get_irq(to_platform_device(dev), 0);
	return zdev->irq < 0 ? zdev->irq : 0;
}

static void zhouyi_release_reserved(void *dev)
{
	of_reserved_mem_device_release(dev);
}

static int zhouyi_init_dma(struct zhouyi_device *zdev)
{
	const struct zhouyi_window *window = &zdev->hw->window[0];
	struct device *dev = zdev->dev;
	int ret;

	/* Not all of what 32 bits can address is memory for the device. */
	ret = dma_set_mask_and_coherent(dev, window->base + window->size - 1);
	if (ret)
		return dev_err_probe(dev, ret, "no DMA below 0x%llx\n",
				     window->base + window->size);
	dma_set_max_seg_size(dev, UINT_MAX);
	zdev->iommu = device_iommu_mapped(dev);
	zdev->coherent = device_get_dma_attr(dev) != DEV_DMA_NON_COHERENT;
	if (zdev->iommu || !dev->of_node)
		return 0;
	ret = of_reserved_mem_device_init(dev);
	if (ret == -ENODEV)
		return 0;
	if (ret)
		return dev_err_probe(dev, ret, "bad memory region\n");
	return devm_add_action_or_reset(dev, zhouyi_release_reserved, dev);
}

static int zhouyi_identify(struct zhouyi_device *zdev)
{
	zdev->revision = zhouyi_read(zdev, ZHOUYI_REVISION);
	zdev->hw = zhouyi_hw_find(zdev->revision);
	if (!zdev->hw)
		return dev_err_probe(zdev->dev, -ENODEV, "unknown revision 0x%x\n",
				     zdev->revision);
	if (!zdev->hw->probe)
		return dev_err_probe(zdev->dev, -EOPNOTSUPP,
				     "generation %s (revision 0x%x) is not supported yet\n",
				     zdev->hw->name, zdev->revision);
	return zdev->hw->probe(zdev);
}

static void zhouyi_destroy_start_wq(struct drm_device *drm, void *arg)
{
	destroy_workqueue(to_zhouyi(drm)->start_wq);
}

/* The software side. Jobs may outlive the device, and with them all this. */
static int zhouyi_init_jobs(struct zhouyi_device *zdev)
{
	int ret;

	zdev->placement = zdev->bind ? DRM_ZHOUYI_PLACEMENT_EXACT : DRM_ZHOUYI_PLACEMENT_NONE;
	ret = zhouyi_recover_init(zdev);
	if (ret)
		return ret;
	zdev->start_wq = alloc_ordered_workqueue("zhouyi-start", WQ_MEM_RECLAIM);
	if (!zdev->start_wq)
		return -ENOMEM;
	ret = drmm_add_action_or_reset(&zdev->drm, zhouyi_destroy_start_wq, NULL);
	if (ret)
		return ret;
	return zhouyi_slots_init(zdev);
}

static int zhouyi_init_powered(struct zhouyi_device *zdev)
{
	int ret;

	ret = zhouyi_identify(zdev);
	if (!ret)
		ret = zhouyi_init_dma(zdev);
	if (!ret)
		ret = zhouyi_init_jobs(zdev);
	if (!ret)
		ret = zhouyi_gem_init(zdev);
	if (ret)
		return ret;

	/* Nothing is reported before the reset, and the handler looks only at what has power. */
	ret = devm_request_irq(zdev->dev, zdev->irq, zhouyi_irq, IRQF_SHARED, "zhouyi", zdev);
	if (ret)
		return dev_err_probe(zdev->dev, ret, "no interrupt\n");
	ret = zdev->hw->reset(zdev);
	if (ret)
		return dev_err_probe(zdev->dev, ret, "no answer to a reset\n");
	zhouyi_set_powered(zdev, true);
	return 0;
}

int zhouyi_device_init(struct zhouyi_device *zdev)
{
	struct device *dev = zdev->dev;
	int ret;

	spin_lock_init(&zdev->lock);
	INIT_LIST_HEAD(&zdev->jobs);
	INIT_LIST_HEAD(&zdev->bos);
	ret = drmm_mutex_init(&zdev->drm, &zdev->recover_lock);
	if (!ret)
		ret = drmm_mutex_init(&zdev->drm, &zdev->owner_lock);
	if (!ret)
		ret = drmm_mutex_init(&zdev->drm, &zdev->bos_lock);
	if (!ret)
		ret = zhouyi_dump_init(zdev);
	if (!ret)
		ret = zhouyi_init_resources(zdev);
	if (ret)
		return ret;

	ret = zhouyi_power_on(zdev);
	if (ret)
		return dev_err_probe(dev, ret, "no power\n");
	ret = zhouyi_init_powered(zdev);
	if (ret) {
		zhouyi_power_off(zdev);
		return ret;
	}
	pm_runtime_set_active(dev);
	pm_runtime_set_autosuspend_delay(dev, ZHOUYI_AUTOSUSPEND_MS);
	pm_runtime_use_autosuspend(dev);
	pm_runtime_mark_last_busy(dev);
	pm_runtime_enable(dev);
	pm_runtime_idle(dev);
	return 0;
}

void zhouyi_device_fini(struct zhouyi_device *zdev)
{
	struct device *dev = zdev->dev;

	/* From here on power stays as it is. */
	pm_runtime_disable(dev);
	zhouyi_recover_unplug(zdev);
	zhouyi_gem_unmap_all(zdev);
	flush_work(&zdev->dump_work);
	if (zdev->powered) {
		zhouyi_set_powered(zdev, false);
		zhouyi_power_off(zdev);
	}
	pm_runtime_dont_use_autosuspend(dev);
	pm_runtime_set_suspended(dev);
}
