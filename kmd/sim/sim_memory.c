// SPDX-License-Identifier: GPL-2.0-only
#include <linux/dma-direct.h>
#include <linux/highmem.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "sim.h"

/* Behind an IOMMU what it maps; otherwise, as for hardware, all memory there is. */
static struct page *sim_page(struct sim *sim, u64 address)
{
	unsigned long pfn = PHYS_PFN(address);

	if (sim->iommu)
		return sim_iommu_page(sim, address);
	return pfn_valid(pfn) ? pfn_to_page(pfn) : NULL;
}

/* A TCB is never in two pages. This is under sim->lock and for the moment only. */
static void *sim_map_tcb(struct sim *sim, u64 address, u32 length)
{
	struct page *page = sim_page(sim, address);

	if (!page || offset_in_page(address) + length > PAGE_SIZE || PageHighMem(page))
		return NULL;
	return page_address(page) + offset_in_page(address);
}

static void sim_mapping_free(struct sim_mapping *mapping)
{
	if (mapping->vmapped)
		vunmap(mapping->base);
	for (unsigned int i = 0; i < mapping->n_pages && mapping->held; i++)
		put_page(mapping->pages[i]);
	kvfree(mapping);
}

static bool sim_mapping_is_contiguous(const struct sim_mapping *mapping)
{
	for (unsigned int i = 1; i < mapping->n_pages; i++)
		if (page_to_pfn(mapping->pages[i]) != page_to_pfn(mapping->pages[0]) + i)
			return false;
	return !PageHighMem(mapping->pages[0]);
}

static struct sim_mapping *sim_mapping_create(struct sim *sim, u64 address, u32 length)
{
	u64 first = round_down(address, PAGE_SIZE);
	unsigned int n = (round_up(address + length, PAGE_SIZE) - first) >> PAGE_SHIFT;
	struct sim_mapping *mapping;

	mapping = kvzalloc(struct_size(mapping, pages, n), GFP_KERNEL);
	if (!mapping)
		return NULL;
	mapping->address = first;
	mapping->size = (u64)n << PAGE_SHIFT;
	/*
	 * What an IOMMU maps consists of pages. Without one it may be a part of anything; the
	 * driver keeps it until the core is idle, as it has to for hardware.
	 */
	mapping->held = sim->iommu;
	for (unsigned int i = 0; i < n; i++) {
		struct page *page = sim_page(sim, first + ((u64)i << PAGE_SHIFT));

		if (!page)
			goto free;
		if (mapping->held)
			get_page(page);
		mapping->pages[mapping->n_pages++] = page;
	}
	if (sim_mapping_is_contiguous(mapping)) {
		mapping->base = page_address(mapping->pages[0]);
	} else {
		mapping->base = vmap(mapping->pages, n, VM_MAP, PAGE_KERNEL);
		mapping->vmapped = mapping->base;
	}
	if (mapping->base)
		return mapping;
free:
	sim_mapping_free(mapping);
	return NULL;
}

/* By the core's own thread, which may sleep. */
static void *sim_map_operand(struct sim_core *core, u64 address, u32 length)
{
	struct sim_mapping *mapping;

	list_for_each_entry(mapping, &core->mappings, link)
		if (address >= mapping->address && length <= mapping->size &&
		    address - mapping->address <= mapping->size - length)
			return mapping->base + (address - mapping->address);
	mapping = sim_mapping_create(core->sim, address, length);
	if (!mapping)
		return NULL;
	list_add(&mapping->link, &core->mappings);
	return mapping->base + (address - mapping->address);
}

void *sim_memory_map(void *arg, struct npu_list *list, u64 address, u32 length,
		     enum npu_access access)
{
	struct sim *sim = arg;

	if (!length || address + length < address)
		return NULL;
	if (access == NPU_ACCESS_TCB)
		return sim_map_tcb(sim, address, length);
	if (sim_fault(&sim->faults.bus_error))
		return NULL;
	return sim_map_operand(kthread_data(current), address, length);
}

void sim_memory_release(struct sim_core *core)
{
	struct sim_mapping *mapping, *next;

	list_for_each_entry_safe(mapping, next, &core->mappings, link)
		sim_mapping_free(mapping);
	INIT_LIST_HEAD(&core->mappings);
}
