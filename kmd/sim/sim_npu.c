// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched.h>

#include "sim.h"

static void sim_report(void *arg, struct npu_list *list, const struct npu_cause *cause)
{
	struct sim *sim = arg;

	npu_front_report(&sim->front, list, cause);
}

static const struct npu_host sim_host = {
	.map = sim_memory_map,
	.report = sim_report,
};

/* Locked: give free cores what there is to do. */
static void sim_schedule(struct sim *sim)
{
	lockdep_assert_held(&sim->lock);
	npu_engine_schedule(&sim->engine);
	for (unsigned int i = 0; i < sim->n_cores; i++)
		if (sim->cores[i].npu->busy)
			wake_up_process(sim->cores[i].task);
}

/*
 * Cores
 */

/* Locked: sleep until somebody wakes us, or until a time. The lock is free meanwhile. */
static void sim_core_wait(struct sim_core *core, u64 until)
	__must_hold(&core->sim->lock)
{
	ktime_t expires = ns_to_ktime(until);

	set_current_state(TASK_IDLE);
	if (kthread_should_stop()) {
		__set_current_state(TASK_RUNNING);
		return;
	}
	spin_unlock_irq(&core->sim->lock);
	if (until == NPU_TIME_NEVER)
		schedule();
	else
		schedule_hrtimeout_range(&expires, 0, HRTIMER_MODE_ABS);
	spin_lock_irq(&core->sim->lock);
}

/* Locked, and free while the program runs. */
static void sim_core_work(struct sim_core *core)
	__must_hold(&core->sim->lock)
{
	struct sim *sim = core->sim;
	enum npu_step step;
	u64 until = 0;

	if (!core->started) {
		core->started = true;
		core->hung = sim_fault(&sim->faults.hang);
	}
	if (core->hung && !core->npu->abort) {
		sim_core_wait(core, NPU_TIME_NEVER);
		return;
	}
	spin_unlock_irq(&sim->lock);
	do {
		step = npu_core_run(core->npu, ktime_get_ns(), &until);
		cond_resched();
	} while (step == NPU_STEP_RAN);
	if (step == NPU_STEP_IDLE)
		sim_memory_release(core);
	spin_lock_irq(&sim->lock);

	if (step == NPU_STEP_IDLE) {
		core->started = false;
		npu_core_retire(core->npu);
		sim_schedule(sim);
	} else if (!core->npu->abort) {
		sim_core_wait(core, until);
	}
}

static int sim_core_main(void *arg)
{
	struct sim_core *core = arg;

	spin_lock_irq(&core->sim->lock);
	while (!kthread_should_stop()) {
		if (core->npu->busy)
			sim_core_work(core);
		else
			sim_core_wait(core, NPU_TIME_NEVER);
	}
	spin_unlock_irq(&core->sim->lock);
	sim_memory_release(core);
	return 0;
}

void sim_npu_stop(struct sim *sim)
{
	for (unsigned int i = 0; i < sim->n_cores; i++)
		kthread_stop(sim->cores[i].task);
	sim->n_cores = 0;
}

int sim_npu_start(struct sim *sim, const struct npu_topology *topology,
		  const struct npu_front_config *config)
{
	struct task_struct *task;

	if (!npu_engine_init(&sim->engine, topology, &sim_host, sim) ||
	    !npu_front_init(&sim->front, &sim->engine, config, sim_irq_set, sim))
		return -EINVAL;
	for (unsigned int i = 0; i < topology->clusters * topology->cores; i++) {
		struct sim_core *core = &sim->cores[i];

		core->sim = sim;
		core->npu = &sim->engine.cores[i];
		INIT_LIST_HEAD(&core->mappings);
		task = kthread_run(sim_core_main, core, "zhouyi-core/%u", i);
		if (IS_ERR(task)) {
			sim_npu_stop(sim);
			return PTR_ERR(task);
		}
		core->task = task;
		sim->n_cores++;
	}
	return 0;
}

/*
 * The bus
 */

u32 sim_npu_read(struct sim *sim, u32 offset)
{
	unsigned long flags;
	u32 value;

	spin_lock_irqsave(&sim->lock, flags);
	value = npu_front_read(&sim->front, offset, ktime_get_ns());
	spin_unlock_irqrestore(&sim->lock, flags);
	return value;
}

/* A command that goes wrong; true if this is one. */
static bool sim_npu_go_wrong(struct sim *sim, u32 offset, u32 value)
{
	if (offset == NPU_REG_HANDLE && (value & NPU_COMMAND_MASK) == NPU_COMMAND_ABORT &&
	    sim_fault(&sim->faults.fail_abort)) {
		sim->front.failed = true;
		return true;
	}
	if (offset == NPU_REG_RESET && value & NPU_RESET_LAUNCH &&
	    sim_fault(&sim->faults.fail_reset)) {
		sim->front.reset_done = false;
		return true;
	}
	return false;
}

/*
 * Registers show at once what a command has done. Cores that were told to stop take until the
 * end of their slice, which core status tells; the pages they use stay until then.
 */
void sim_npu_write(struct sim *sim, u32 offset, u32 value)
{
	unsigned long flags;

	spin_lock_irqsave(&sim->lock, flags);
	if (!sim_npu_go_wrong(sim, offset, value)) {
		npu_front_write(&sim->front, offset, value, ktime_get_ns());
		sim_schedule(sim);
	}
	spin_unlock_irqrestore(&sim->lock, flags);
}
