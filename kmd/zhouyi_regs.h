/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registers of generation v3 (X2), and the revision register that all generations share.
 */
#ifndef _ZHOUYI_REGS_H_
#define _ZHOUYI_REGS_H_

#include <linux/bits.h>

/* Task schedule manager */
#define V3_HANDLE			0x00
#define  V3_HANDLE_CREATE		1
#define  V3_HANDLE_DESTROY		2
#define  V3_HANDLE_ABORT		3
#define  V3_HANDLE_DISPATCH		4
#define  V3_HANDLE_BIND_DISPATCH	5
#define  V3_HANDLE_QOS_FAST		(2 << 8)
#define  V3_HANDLE_ALL_CLUSTERS		BIT(12)
#define  V3_HANDLE_POOL(pool)		((pool) << 16)
#define  V3_HANDLE_CORE(core)		((core) << 24)
#define V3_INFO				0x04
#define V3_ADDRESS_HIGH			0x08
#define V3_ADDRESS_LOW			0x0c
#define V3_BUILD			0x14
#define  V3_BUILD_PARTITIONS		GENMASK(25, 24)	/* minus 1 */
#define  V3_BUILD_POOLS			GENMASK(19, 16)
#define V3_STATUS			0x18
#define  V3_STATUS_FAILED		BIT(31)	/* the last command; until written 0 */
#define V3_RESET			0x20
#define  V3_RESET_LAUNCH		BIT(0)
#define  V3_RESET_DONE			BIT(1)
#define ZHOUYI_REVISION			0x50
#define V3_TICK_LOW			0x60
#define V3_TICK_HIGH			0x64
#define V3_TICK_CONTROL			0x68
#define  V3_TICK_STOP			3

/* Command pool n */
#define V3_POOL(n)			(0x800 + 0x40 * (n))
#define V3_POOL_CONFIG			0x00
#define V3_POOL_STATUS			0x04
#define  V3_POOL_IDLE			BIT(6)
#define V3_POOL_IRQ_CONTROL		0x08
#define V3_POOL_IRQ_STATUS		0x0c
#define  V3_IRQ_STATUS_CLUSTER		GENMASK(31, 24)
#define  V3_IRQ_STATUS_CORE		GENMASK(23, 20)
#define  V3_IRQ_STATUS_TEC		GENMASK(19, 16)
#define V3_POOL_IRQ_SIGNAL		0x10
#define V3_POOL_FIRST_BAD		0x14
#define V3_POOL_SECURE			0x1c
#define  V3_POOL_NON_SECURE		1
#define V3_POOL_IRQ_FLAG		0x20
#define  V3_FLAG_EXCEPTION		GENMASK(31, 30)	/* by hardware, by software */
#define  V3_FLAG_CODE			GENMASK(15, 0)
#define V3_POOL_IRQ_TCBP		0x24

/* Interrupt types and levels: pool control, interrupt status and TCBs share them. */
#define V3_IRQ_DONE			BIT(0)
#define V3_IRQ_EXCEPTION		BIT(2)
#define V3_IRQ_FAULT			BIT(3)
#define V3_IRQ_ERROR			BIT(4)
#define V3_IRQ_SIGNAL			BIT(5)
#define V3_IRQ_FAILURES			(V3_IRQ_EXCEPTION | V3_IRQ_FAULT | V3_IRQ_ERROR)
#define V3_IRQ_TYPES			(V3_IRQ_DONE | V3_IRQ_FAILURES | V3_IRQ_SIGNAL)
#define V3_IRQ_TEC			BIT(8)
#define V3_IRQ_CORE			BIT(9)
#define V3_IRQ_CLUSTER			BIT(10)

/* Cluster n */
#define V3_CLUSTER_CONFIG(n)		(0xc00 + 0x20 * (n))
#define  V3_CLUSTER_PRESENT		BIT(12)
#define  V3_CLUSTER_CORES		GENMASK(11, 8)
#define  V3_CLUSTER_TECS		GENMASK(3, 0)
#define V3_CLUSTER_CONTROL(n)		(0xc04 + 0x20 * (n))
#define  V3_CLUSTER_PARTITION(p)	((p) << 16)
#define  V3_CLUSTER_ENABLE		BIT(12)

/* Debug window: 0x2000 shows the selected cluster, 0x3000 the selected core. */
#define V3_PAGE				0x1f00
#define  V3_PAGE_ENABLE			BIT(12)
#define  V3_PAGE_CLUSTER(n)		((n) << 4)
#define V3_GM_CONTROL			0x2070
#define  V3_GM_CONTROL_SIZE		GENMASK(19, 16)
#define V3_CORE_STATUS			0x3004
#define  V3_CORE_IDLE			BIT(4)

#define V3_MAX_OFFSET			0x322c
#define V3_TCB_SIZE			128

#endif
