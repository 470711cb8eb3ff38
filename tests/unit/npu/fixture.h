/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the engine begin and end with: a machine of one cluster, and one list. For one
 * file of a test program. */
#pragma once

#include "tests/unit/npu/chain.h"

#define US 1000ull
#define CORE_DONE (NPU_IRQ_CORE | NPU_IRQ_DONE)
#define CLUSTER_DONE (NPU_IRQ_CLUSTER | NPU_IRQ_DONE)
#define ALL_CORES UINT64_MAX

static struct machine *m;
static struct npu_list list;

static void setup_with(unsigned int cores, unsigned int tecs)
{
	m = machine_create(1, cores, tecs);
	npu_list_attach(&m->engine, &list, NULL, false, ALL_CORES);
}

static void setup(void)
{
	setup_with(3, 4);
}

static void teardown(void)
{
	machine_destroy(m);
}

/* Start @chain on the list and run the machine until nothing happens any more. */
static enum npu_step start_and_run(const struct chain *chain)
{
	npu_list_start(&list, chain->head);
	return machine_run(m);
}
