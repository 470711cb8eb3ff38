// SPDX-License-Identifier: GPL-2.0-only
#include <linux/debugfs.h>

#include "sim.h"

static int sim_plugged_get(void *data, u64 *value)
{
	struct sim *sim = data;

	mutex_lock(&sim->child_lock);
	*value = !sim->child;
	mutex_unlock(&sim->child_lock);
	return 0;
}

static int sim_plugged_set(void *data, u64 value)
{
	if (!value)
		return sim_plug(data);
	sim_unplug(data);
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(sim_unplug_fops, sim_plugged_get, sim_plugged_set, "%llu\n");

void sim_faults_init(struct sim *sim)
{
	struct dentry *dir = debugfs_create_dir("zhouyi_sim", NULL);

	sim->debugfs = dir;
	debugfs_create_atomic_t("hang", 0600, dir, &sim->faults.hang);
	debugfs_create_atomic_t("lose_irq", 0600, dir, &sim->faults.lose_irq);
	debugfs_create_atomic_t("bus_error", 0600, dir, &sim->faults.bus_error);
	debugfs_create_atomic_t("fail_abort", 0600, dir, &sim->faults.fail_abort);
	debugfs_create_atomic_t("fail_reset", 0600, dir, &sim->faults.fail_reset);
	debugfs_create_file_unsafe("unplug", 0600, dir, sim, &sim_unplug_fops);
}
