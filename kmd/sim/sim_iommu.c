// SPDX-License-Identifier: GPL-2.0-only
/*
 * An IOMMU for one device: scattered pages become contiguous, what is not mapped faults. Its page
 * table is an xarray.
 */
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "sim.h"

/* There is one IOMMU, as there is one simulated device. */
static struct sim *sim_iommu_sim;

static struct sim_domain *to_sim_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct sim_domain, domain);
}

static int sim_domain_attach(struct iommu_domain *domain, struct device *dev)
{
	rcu_assign_pointer(sim_iommu_sim->domain, to_sim_domain(domain));
	return 0;
}

static int sim_domain_map(struct iommu_domain *domain, unsigned long iova, phys_addr_t paddr,
			  size_t size, size_t count, int prot, gfp_t gfp, size_t *mapped)
{
	struct sim_domain *d = to_sim_domain(domain);

	for (; count; count--, iova += size, paddr += size, *mapped += size) {
		int ret = xa_err(xa_store(&d->pages, iova >> PAGE_SHIFT,
					  xa_mk_value(PHYS_PFN(paddr)), gfp));

		if (ret)
			return ret;
	}
	return 0;
}

static size_t sim_domain_unmap(struct iommu_domain *domain, unsigned long iova, size_t size,
			       size_t count, struct iommu_iotlb_gather *gather)
{
	struct sim_domain *d = to_sim_domain(domain);
	size_t unmapped = 0;

	for (; count; count--, iova += size, unmapped += size)
		if (!xa_erase(&d->pages, iova >> PAGE_SHIFT))
			break;
	return unmapped;
}

static phys_addr_t sim_domain_lookup(struct sim_domain *d, u64 iova)
{
	void *entry = xa_load(&d->pages, iova >> PAGE_SHIFT);

	return entry ? PFN_PHYS(xa_to_value(entry)) + offset_in_page(iova) : 0;
}

static phys_addr_t sim_domain_iova_to_phys(struct iommu_domain *domain, dma_addr_t iova)
{
	return sim_domain_lookup(to_sim_domain(domain), iova);
}

static void sim_domain_free(struct iommu_domain *domain)
{
	struct sim_domain *d = to_sim_domain(domain);

	if (rcu_access_pointer(sim_iommu_sim->domain) == d)
		rcu_assign_pointer(sim_iommu_sim->domain, NULL);
	synchronize_rcu();
	xa_destroy(&d->pages);
	kfree(d);
}

static struct iommu_domain *sim_domain_alloc(struct device *dev)
{
	struct sim_domain *d = kzalloc(sizeof(*d), GFP_KERNEL);

	if (!d)
		return NULL;
	xa_init_flags(&d->pages, XA_FLAGS_LOCK_IRQ);
	d->domain.pgsize_bitmap = PAGE_SIZE;
	d->domain.geometry.aperture_end = DMA_BIT_MASK(32);
	d->domain.geometry.force_aperture = true;
	return &d->domain;
}

static struct iommu_device *sim_iommu_probe(struct device *dev)
{
	if (dev->parent != sim_iommu_sim->dev)
		return ERR_PTR(-ENODEV);
	return &sim_iommu_sim->iommu_dev;
}

static int sim_iommu_domain_type(struct device *dev)
{
	return IOMMU_DOMAIN_DMA;
}

static const struct iommu_ops sim_iommu_ops = {
	.owner = THIS_MODULE,
	.pgsize_bitmap = PAGE_SIZE,
	.domain_alloc_paging = sim_domain_alloc,
	.probe_device = sim_iommu_probe,
	.device_group = generic_device_group,
	.def_domain_type = sim_iommu_domain_type,
	.default_domain_ops = &(const struct iommu_domain_ops){
		.attach_dev = sim_domain_attach,
		.map_pages = sim_domain_map,
		.unmap_pages = sim_domain_unmap,
		.iova_to_phys = sim_domain_iova_to_phys,
		.free = sim_domain_free,
	},
};

struct page *sim_iommu_page(struct sim *sim, u64 address)
{
	struct sim_domain *d;
	phys_addr_t phys = 0;

	rcu_read_lock();
	d = rcu_dereference(sim->domain);
	if (d)
		phys = sim_domain_lookup(d, address);
	rcu_read_unlock();
	return phys && pfn_valid(PHYS_PFN(phys)) ? pfn_to_page(PHYS_PFN(phys)) : NULL;
}

int sim_iommu_init(struct sim *sim)
{
	int ret;

	if (!sim->iommu)
		return 0;
	sim_iommu_sim = sim;
	ret = iommu_device_sysfs_add(&sim->iommu_dev, sim->dev, NULL, "zhouyi-sim-iommu");
	if (ret)
		return ret;
	/* Without a device of its own it is asked about all devices, and takes ours. */
	ret = iommu_device_register(&sim->iommu_dev, &sim_iommu_ops, NULL);
	if (ret)
		iommu_device_sysfs_remove(&sim->iommu_dev);
	return ret;
}

void sim_iommu_fini(struct sim *sim)
{
	if (!sim->iommu)
		return;
	iommu_device_unregister(&sim->iommu_dev);
	iommu_device_sysfs_remove(&sim->iommu_dev);
}
