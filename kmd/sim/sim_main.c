// SPDX-License-Identifier: GPL-2.0-only
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/genalloc.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/regmap.h>

#include "sim.h"

static unsigned int clusters = 1;
module_param(clusters, uint, 0444);
MODULE_PARM_DESC(clusters, "Clusters");

static unsigned int cores = 3;
module_param(cores, uint, 0444);
MODULE_PARM_DESC(cores, "Cores of a cluster");

static unsigned int tecs = 4;
module_param(tecs, uint, 0444);
MODULE_PARM_DESC(tecs, "Engines of a core");

static unsigned int revision = NPU_REVISION_X2_R0P3;
module_param(revision, uint, 0444);
MODULE_PARM_DESC(revision, "Value of the revision register");

static unsigned int choices;
module_param(choices, uint, 0444);
MODULE_PARM_DESC(choices, "Where it is not known what hardware does (enum npu_front_choice)");

static bool iommu = true;
module_param(iommu, bool, 0444);
MODULE_PARM_DESC(iommu, "An IOMMU between the device and memory");

static unsigned int sram_kib = 1024;
module_param(sram_kib, uint, 0444);
MODULE_PARM_DESC(sram_kib, "On-chip memory [KiB, a power of two], 0: none");

/*
 * Registers
 */

static int sim_reg_read(void *context, unsigned int offset, unsigned int *value)
{
	*value = offset == NPU_REG_REVISION ? revision : sim_npu_read(context, offset);
	return 0;
}

static int sim_reg_write(void *context, unsigned int offset, unsigned int value)
{
	sim_npu_write(context, offset, value);
	return 0;
}

static const struct regmap_bus sim_regmap_bus = {
	.fast_io = true,
	.reg_read = sim_reg_read,
	.reg_write = sim_reg_write,
};

static const struct regmap_config sim_regmap_config = {
	.reg_bits = 32,
	.reg_stride = 4,
	.val_bits = 32,
	.max_register = 0x322c,
};

/*
 * The driver's device
 */

int sim_plug(struct sim *sim)
{
	struct resource res = DEFINE_RES_IRQ(sim->irq.virq);
	struct platform_device_info info = {
		.parent = sim->dev,
		.name = "zhouyi-soft",
		.id = PLATFORM_DEVID_NONE,
		.res = &res,
		.num_res = 1,
		.dma_mask = DMA_BIT_MASK(32),
	};
	struct platform_device *child;
	int ret = 0;

	mutex_lock(&sim->child_lock);
	if (!sim->child) {
		child = platform_device_register_full(&info);
		ret = PTR_ERR_OR_ZERO(child);
		if (!ret)
			sim->child = child;
	}
	mutex_unlock(&sim->child_lock);
	return ret;
}

void sim_unplug(struct sim *sim)
{
	mutex_lock(&sim->child_lock);
	platform_device_unregister(sim->child);
	sim->child = NULL;
	mutex_unlock(&sim->child_lock);
}

static void sim_free_sram(void *arg)
{
	struct sim *sim = arg;

	free_pages(sim->sram, get_order(sram_kib * SZ_1K));
}

static int sim_init_sram(struct sim *sim)
{
	struct gen_pool *pool;
	int ret;

	if (!sram_kib)
		return 0;
	if (!is_power_of_2(sram_kib) || sram_kib * SZ_1K < PAGE_SIZE)
		return -EINVAL;
	sim->sram = __get_free_pages(GFP_KERNEL | __GFP_ZERO | __GFP_COMP,
				     get_order(sram_kib * SZ_1K));
	if (!sim->sram)
		return -ENOMEM;
	ret = devm_add_action_or_reset(sim->dev, sim_free_sram, sim);
	if (ret)
		return ret;
	pool = devm_gen_pool_create(sim->dev, PAGE_SHIFT, NUMA_NO_NODE, "sram");
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	return gen_pool_add_virt(pool, sim->sram, virt_to_phys((void *)sim->sram),
				 sram_kib * SZ_1K, NUMA_NO_NODE);
}

static int sim_init_npu(struct sim *sim)
{
	const struct npu_topology topology = {
		.clusters = clusters,
		.cores = cores,
		.tecs = tecs,
	};
	/* The register may show another revision, for drivers to see. */
	const struct npu_front_config config = {
		.revision = NPU_REVISION_X2_R0P3,
		.partitions = 1,
		.pools = 1,
		.aiffs = 1,
		.gm_kib = 4096,
		.choices = choices,
	};

	if (clusters > U8_MAX || cores > U8_MAX || tecs > U8_MAX)
		return -EINVAL;
	return sim_npu_start(sim, &topology, &config);
}

static int sim_init_device(struct sim *sim)
{
	struct regmap *regs;
	int ret;

	ret = sim_init_sram(sim);
	if (ret)
		return ret;
	ret = sim_irq_init(sim);
	if (ret)
		return ret;
	regs = devm_regmap_init(sim->dev, &sim_regmap_bus, sim, &sim_regmap_config);
	if (IS_ERR(regs))
		return PTR_ERR(regs);
	return sim_iommu_init(sim);
}

static void sim_free(void *sim)
{
	kvfree(sim);
}

static int sim_probe(struct platform_device *pdev)
{
	struct sim *sim = kvzalloc(sizeof(*sim), GFP_KERNEL);
	int ret;

	if (!sim)
		return -ENOMEM;
	ret = devm_add_action_or_reset(&pdev->dev, sim_free, sim);
	if (ret)
		return ret;
	sim->dev = &pdev->dev;
	sim->iommu = iommu;
	mutex_init(&sim->child_lock);
	spin_lock_init(&sim->lock);
	platform_set_drvdata(pdev, sim);

	ret = sim_init_device(sim);
	if (ret)
		return ret;
	ret = sim_init_npu(sim);
	if (ret)
		goto fini_iommu;
	ret = sim_plug(sim);
	if (ret)
		goto stop_npu;
	sim_faults_init(sim);
	return 0;

stop_npu:
	sim_npu_stop(sim);
fini_iommu:
	sim_iommu_fini(sim);
	return ret;
}

static void sim_remove(struct platform_device *pdev)
{
	struct sim *sim = platform_get_drvdata(pdev);

	debugfs_remove(sim->debugfs);
	sim_unplug(sim);
	sim_npu_stop(sim);
	sim_iommu_fini(sim);
}

static struct platform_driver sim_driver = {
	.remove = sim_remove,
	.driver = {
		.name = "zhouyi-sim",
	},
};

static struct platform_device *sim_device;

static int __init sim_init(void)
{
	sim_device = platform_create_bundle(&sim_driver, sim_probe, NULL, 0, NULL, 0);
	return PTR_ERR_OR_ZERO(sim_device);
}

static void __exit sim_exit(void)
{
	platform_device_unregister(sim_device);
	platform_driver_unregister(&sim_driver);
}

module_init(sim_init);
module_exit(sim_exit);

MODULE_DESCRIPTION("Simulated Zhouyi NPU");
MODULE_LICENSE("GPL");
