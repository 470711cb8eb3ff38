/* SPDX-License-Identifier: MIT */
/*
 * The register front of the software NPU: what a driver sees of an X2 (v3). It
 * turns register accesses into lists for the engine and the engine's reports into
 * interrupt causes.
 *
 * A host embeds one engine and one front:
 *
 *	npu_engine_init(&engine, &topology, &host, arg);
 *	npu_front_init(&front, &engine, &config, raise_or_lower, arg);
 *
 * forwards register accesses, and lets its npu_host.report call
 * npu_front_report(). All functions here are serialized with each other and with
 * the engine's serialized functions. None allocates or sleeps. The front owns all
 * lists of its engine; npu_list.host_data is the front's.
 *
 * After npu_front_write() the engine may have work or an abort to see: schedule
 * and wake the cores' threads, whatever was written.
 *
 * Memory after an abort or a reset. The registers show the result at once, but a
 * thread inside npu_core_run() notices only when its slice ends and may read and
 * write memory of the old group until then. npu_front_is_settled() says when no
 * such thread is left. A host with threads must not let the driver see the
 * register write finished (or must keep all mapped memory in place) until it is
 * true:
 *
 *	lock; npu_front_write(…); wake the cores' threads;
 *	while (!npu_front_is_settled(front))
 *		unlock and wait for an npu_core_retire(); // or spin
 *	unlock; complete the bus access
 *
 * A bus access may take that long; the driver's 50 µs begin when it returns. A
 * host that runs cores and registers on one thread has nothing to wait for: a
 * group that was aborted between two calls of npu_core_run() touches nothing more.
 *
 * Where it is unknown what hardware does the front makes a choice; docs/software-npu.md
 * lists them, and enum npu_front_choice selects the other answer for tests of drivers.
 */
#pragma once

#include "npu/engine.h"

/* Registers of the task schedule manager. */
#define NPU_REG_HANDLE 0x00u
#define NPU_REG_INFO 0x04u
#define NPU_REG_ADDRESS_HIGH 0x08u
#define NPU_REG_ADDRESS_LOW 0x0cu
#define NPU_REG_CONFIG 0x10u
#define NPU_REG_BUILD 0x14u
#define NPU_REG_STATUS 0x18u
#define NPU_REG_RESET 0x20u
#define NPU_REG_REVISION 0x50u
#define NPU_REG_TICK_LOW 0x60u
#define NPU_REG_TICK_HIGH 0x64u
#define NPU_REG_TICK_CONTROL 0x68u

#define NPU_STATUS_FAILED (1u << 31)
#define NPU_RESET_LAUNCH (1u << 0)
#define NPU_RESET_DONE (1u << 1)

/* Fields of the handle. */
#define NPU_COMMAND_CREATE 1u
#define NPU_COMMAND_DESTROY 2u
#define NPU_COMMAND_ABORT 3u
#define NPU_COMMAND_DISPATCH 4u
#define NPU_COMMAND_BIND_DISPATCH 5u
#define NPU_COMMAND_MASK 0xfu
#define NPU_HANDLE_QOS_FAST (2u << 8) /* any value but 0 is fast */
#define NPU_HANDLE_QOS_MASK (3u << 8)
#define NPU_HANDLE_ALL_CLUSTERS (1u << 12)
#define NPU_HANDLE_POOL(pool) ((uint32_t)(pool) << 16)
#define NPU_HANDLE_CORE(core) ((uint32_t)(core) << 24)

/* Command pool @n, registers relative to it. */
#define NPU_REG_POOL(n) (0x800u + 0x40u * (n))
#define NPU_POOL_CONFIG 0x00u
#define NPU_POOL_STATUS 0x04u
#define NPU_POOL_IRQ_CONTROL 0x08u
#define NPU_POOL_IRQ_STATUS 0x0cu
#define NPU_POOL_IRQ_SIGNAL 0x10u
#define NPU_POOL_FIRST_BAD 0x14u
#define NPU_POOL_LAST_ISSUED 0x18u
#define NPU_POOL_SECURE 0x1cu
#define NPU_POOL_IRQ_FLAG 0x20u
#define NPU_POOL_IRQ_TCBP 0x24u
#define NPU_POOL_IDLE (1u << 6) /* in the status */
#define NPU_FIRST_BAD_VALID (1u << 31)

/* Cluster @n. */
#define NPU_REG_CLUSTER_CONFIG(n) (0xc00u + 0x20u * (n))
#define NPU_REG_CLUSTER_CONTROL(n) (0xc04u + 0x20u * (n))
#define NPU_CLUSTER_ENABLE (1u << 12) /* control; in the configuration: present */

/* Debug window. */
#define NPU_REG_PAGE 0x1f00u
#define NPU_PAGE_ENABLE (1u << 12)
#define NPU_REG_CLUSTER_STATUS 0x2004u
#define NPU_REG_GM_CONTROL 0x2070u
#define NPU_REG_TEC_MEMORY 0x2848u
#define NPU_REG_CORE_MEMORY 0x284cu
#define NPU_REG_CORE_STATUS 0x3004u

#define NPU_REVISION_X2_R0P2 0x10000u
#define NPU_REVISION_X2_R0P3 0x10003u

#define NPU_MAX_POOLS 8u
#define NPU_MAX_PARTITIONS 4u

/*
 * Causes a pool can hold. From NPU_FRONT_CAUSES_HOLD on its lists start no new
 * group until some have been acknowledged; what can still come then (two for each
 * running group, one for each walk that fails) has room. Only a driver that makes
 * walks fail again and again, aborting in between under KEEP_CAUSES and
 * acknowledging nothing, can overflow it: the newest cause is then dropped and
 * counted in npu_front.lost.
 */
#define NPU_FRONT_CAUSES 256u
#define NPU_FRONT_CAUSES_HOLD 96u

/* The other answer, for tests of drivers. What applies without is in docs/software-npu.md. */
enum npu_front_choice {
	/* A dispatch starts at the address registers if they were written since the last one. */
	NPU_CHOICE_ADDRESS_DECIDES = 1 << 0,
	/* A list that waits at a tail without grid end makes a destroy fail. */
	NPU_CHOICE_DESTROY_NEEDS_GRID_END = 1 << 1,
	/* An abort leaves the pool's pending causes. */
	NPU_CHOICE_ABORT_KEEPS_CAUSES = 1 << 2,
	/* An aborted pool stays busy, so that the next create is skipped. */
	NPU_CHOICE_ABORT_KEEPS_BUSY = 1 << 3,
	/* Commands to a pool that does not exist fail. */
	NPU_CHOICE_MISSING_POOL_FAILS = 1 << 4,
	/* A successful command clears the failure bit of the one before. */
	NPU_CHOICE_SUCCESS_CLEARS_FAILURE = 1 << 5,
	/* A program's failure ends the walk of its list. */
	NPU_CHOICE_STOP_ON_FAILURE = 1 << 6,
	/* Failures carry TEC level. */
	NPU_CHOICE_FAILURES_AT_TEC = 1 << 7,
	/* Write-back stores `next` as it was fetched. */
	NPU_CHOICE_WRITE_LINES = 1 << 8,
	/* A pool reads idle while its partition has no cores, whatever it holds. */
	NPU_CHOICE_IDLE_WITHOUT_CORES = 1 << 9,
};

struct npu_front_config {
	uint32_t revision;  /* NPU_REVISION_X2_* */
	uint8_t partitions; /* 1 … 4 */
	uint8_t pools;	    /* partitions … 8 */
	uint8_t aiffs;	    /* per core, 1 … 15; only shown */
	uint32_t gm_kib;    /* global memory of a cluster: 512, or 1024 … 65536, a power of two */
	uint32_t choices;   /* enum npu_front_choice */
};

struct npu_front_pool;

struct npu_front_list {
	struct npu_list list;
	struct npu_front_pool *pool;
	uint16_t tag; /* of the command that started or continued it last */
};

/* A cause as the registers show it. */
struct npu_front_cause {
	uint32_t status; /* +0x0c: ids, level, types not yet acknowledged */
	uint32_t tcbp;
	uint32_t flag;
};

struct npu_front_pool {
	uint32_t config, irq_control, secure, first_bad;
	uint16_t last_issued;
	uint8_t last_cluster;
	bool exists;
	bool aborted;		      /* and nothing dispatched since */
	bool all_clusters;	      /* as created */
	bool create_fast;	      /* the create's QoS, for the first dispatch */
	bool dispatched;	      /* since the create */
	struct npu_front_list qos[2]; /* slow, fast */
	struct npu_front_list bound[NPU_MAX_CLUSTER_CORES]; /* attached with their first command */
	struct npu_front_list *recent; /* whose ASIDs are the pool's; may be NULL */
	struct npu_front_cause cause[NPU_FRONT_CAUSES]; /* a ring */
	uint32_t first_cause, n_causes;
};

struct npu_front {
	struct npu_engine *engine; /* borrowed */
	struct npu_front_config config;
	void (*irq)(void *arg, bool level);
	void *irq_arg;
	bool line;
	uint64_t lost; /* causes dropped because a queue was full */

	uint32_t handle, info, address_high, address_low, policy, page;
	bool address_written; /* since the last dispatch */
	bool failed;	      /* bit 31 of the status */
	bool reset_done;
	uint32_t tick_control;
	uint64_t tick_value, tick_since; /* value at that time */
	uint32_t cluster_control[NPU_MAX_CLUSTERS];
	struct npu_front_pool pool[NPU_MAX_POOLS];
};

/*
 * @engine is fresh from npu_engine_init() and outlives the front. @irq is called
 * with the new level whenever the interrupt line changes, from any function here;
 * it must not call back. The state is that after a soft reset.
 *
 * Returns false if @config is impossible.
 */
bool npu_front_init(struct npu_front *front, struct npu_engine *engine,
		    const struct npu_front_config *config, void (*irq)(void *arg, bool level),
		    void *irq_arg);

/* @now: the host's clock, only for the tick counter. What is no register reads 0. */
uint32_t npu_front_read(const struct npu_front *front, uint32_t offset, uint64_t now);
void npu_front_write(struct npu_front *front, uint32_t offset, uint32_t value, uint64_t now);

/* What the host's npu_host.report passes on. */
void npu_front_report(struct npu_front *front, struct npu_list *list,
		      const struct npu_cause *cause);

/* No core is still inside a group that an abort or a reset has ended; see above. */
bool npu_front_is_settled(const struct npu_front *front);
