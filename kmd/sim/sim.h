/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A simulated Zhouyi X2: the software NPU of npu/ behind the registers, interrupts and memory
 * of a device.
 *
 *	sim_main.c	module, parent device, registers
 *	sim_npu.c	engine and front, a thread for each core
 *	sim_memory.c	from the device's addresses to memory
 *	sim_irq.c	the interrupt line
 *	sim_iommu.c	an IOMMU between the device and memory
 *	sim_faults.c	what can be made to go wrong, in debugfs
 *
 * The driver's device is a child of ours, as of a multi-function device: it finds a regmap and
 * on-chip memory at its parent and an interrupt among its resources. The two modules share no
 * symbols.
 */
#ifndef _ZHOUYI_SIM_H_
#define _ZHOUYI_SIM_H_

#include <linux/atomic.h>
#include <linux/iommu.h>
#include <linux/irq_work.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "npu/engine.h"
#include "npu/front.h"

struct sim;

/* What can be made to go wrong: each is the number of times that it still will. */
struct sim_faults {
	atomic_t hang;		/* groups that never end */
	atomic_t lose_irq;	/* rising edges of the line that nobody sees */
	atomic_t bus_error;	/* accesses of programs that fail */
	atomic_t fail_abort;	/* abort commands that fail */
	atomic_t fail_reset;	/* resets that never finish */
};

/* Memory that a program uses, kept in place until its group is over. */
struct sim_mapping {
	struct list_head link;
	u64 address;		/* of the first page */
	u64 size;
	u8 *base;
	bool vmapped;
	bool held;		/* with a reference to each page */
	unsigned int n_pages;
	struct page *pages[];
};

/* A core: everything but npu is its thread's own. */
struct sim_core {
	struct sim *sim;
	struct npu_core *npu;
	struct task_struct *task;
	struct list_head mappings; /* sim_mapping.link */
	bool started;		   /* the group has been looked at */
	bool hung;
};

struct sim_irq {
	struct irq_domain *domain;
	unsigned int virq;
	struct irq_work work;
	bool line;	/* protected by sim->lock */
	bool lost;	/* the rising edge was: nothing until the line falls */
	bool masked;
	spinlock_t lock; /* masked, and what follows from it */
};

/* Pages that the device can reach, by the page number of their address. */
struct sim_domain {
	struct iommu_domain domain;
	struct xarray pages;
};

struct sim {
	struct device *dev;		/* the parent */
	struct platform_device *child;	/* the driver's, or NULL; protected by child_lock */
	struct mutex child_lock;

	/* The front, the engine, and what goes with them. */
	spinlock_t lock;
	struct npu_engine engine;
	struct npu_front front;
	struct sim_core cores[NPU_MAX_CORES];
	unsigned int n_cores;

	struct sim_irq irq;
	struct sim_faults faults;
	struct dentry *debugfs;

	bool iommu;
	struct iommu_device iommu_dev;
	struct sim_domain __rcu *domain; /* where the device is attached */
	unsigned long sram;
};

/* Is it this time? */
static inline bool sim_fault(atomic_t *fault)
{
	return atomic_read(fault) > 0 && atomic_dec_if_positive(fault) >= 0;
}

/* sim_main.c */
int sim_plug(struct sim *sim);
void sim_unplug(struct sim *sim);

/* sim_npu.c */
int sim_npu_start(struct sim *sim, const struct npu_topology *topology,
		  const struct npu_front_config *config);
void sim_npu_stop(struct sim *sim);
u32 sim_npu_read(struct sim *sim, u32 offset);
void sim_npu_write(struct sim *sim, u32 offset, u32 value);

/* sim_memory.c */
void *sim_memory_map(void *arg, struct npu_list *list, u64 address, u32 length,
		     enum npu_access access);
/* The group of @core is over. */
void sim_memory_release(struct sim_core *core);

/* sim_irq.c */
int sim_irq_init(struct sim *sim);
/* The line has a new level. Under sim->lock. */
void sim_irq_set(void *arg, bool level);

/* sim_iommu.c */
int sim_iommu_init(struct sim *sim);
void sim_iommu_fini(struct sim *sim);
/* The page behind @address of the device, or NULL. */
struct page *sim_iommu_page(struct sim *sim, u64 address);

/* sim_faults.c */
void sim_faults_init(struct sim *sim);

#endif
