// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interrupt line: level triggered, and handled in true interrupt context. The line is a
 * level, an irq_work looks at it.
 */
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>

#include "sim.h"

static void sim_irq_mask(struct irq_data *data)
{
	struct sim_irq *irq = irq_data_get_irq_chip_data(data);
	unsigned long flags;

	spin_lock_irqsave(&irq->lock, flags);
	irq->masked = true;
	spin_unlock_irqrestore(&irq->lock, flags);
}

/* A line that is still up interrupts again. */
static void sim_irq_unmask(struct irq_data *data)
{
	struct sim_irq *irq = irq_data_get_irq_chip_data(data);
	unsigned long flags;

	spin_lock_irqsave(&irq->lock, flags);
	irq->masked = false;
	if (READ_ONCE(irq->line))
		irq_work_queue(&irq->work);
	spin_unlock_irqrestore(&irq->lock, flags);
}

static struct irq_chip sim_irq_chip = {
	.name = "zhouyi-sim",
	.irq_mask = sim_irq_mask,
	.irq_unmask = sim_irq_unmask,
};

static void sim_irq_work(struct irq_work *work)
{
	struct sim_irq *irq = container_of(work, struct sim_irq, work);

	if (READ_ONCE(irq->line) && !READ_ONCE(irq->masked))
		generic_handle_domain_irq(irq->domain, 0);
}

void sim_irq_set(void *arg, bool level)
{
	struct sim *sim = arg;
	struct sim_irq *irq = &sim->irq;

	if (level && sim_fault(&sim->faults.lose_irq))
		irq->lost = true;
	if (!level)
		irq->lost = false;
	WRITE_ONCE(irq->line, level && !irq->lost);
	if (irq->line)
		irq_work_queue(&irq->work);
}

static int sim_irq_map(struct irq_domain *domain, unsigned int virq, irq_hw_number_t hwirq)
{
	irq_set_chip_data(virq, domain->host_data);
	irq_set_chip_and_handler(virq, &sim_irq_chip, handle_level_irq);
	irq_set_noprobe(virq);
	return 0;
}

static const struct irq_domain_ops sim_irq_domain_ops = {
	.map = sim_irq_map,
};

static void sim_irq_fini(void *arg)
{
	struct sim_irq *irq = arg;

	irq_dispose_mapping(irq->virq);
	irq_domain_remove(irq->domain);
	irq_work_sync(&irq->work);
}

int sim_irq_init(struct sim *sim)
{
	struct sim_irq *irq = &sim->irq;

	spin_lock_init(&irq->lock);
	irq->masked = true;
	irq->work = IRQ_WORK_INIT_HARD(sim_irq_work);
	irq->domain = irq_domain_create_linear(dev_fwnode(sim->dev), 1, &sim_irq_domain_ops, irq);
	if (!irq->domain)
		return -ENOMEM;
	irq->virq = irq_create_mapping(irq->domain, 0);
	if (!irq->virq) {
		irq_domain_remove(irq->domain);
		return -ENOMEM;
	}
	return devm_add_action_or_reset(sim->dev, sim_irq_fini, irq);
}
