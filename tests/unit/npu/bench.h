/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bench for tests of the front: a machine with one front, a few jobs in memory,
 * and a player of steps: write a register, expect one, let the device work.
 */
#pragma once

#include "npu/front.h"
#include "tests/unit/npu/chain.h"

#define US 1000ull
#define DONE NPU_IRQ_DONE
#define IDLE NPU_POOL_IDLE
#define FAILED NPU_STATUS_FAILED
#define CONTROL 0x63du /* what drivers enable */

/* Handles for pool 0. */
#define CREATE (NPU_COMMAND_CREATE | NPU_HANDLE_ALL_CLUSTERS)
#define DESTROY NPU_COMMAND_DESTROY
#define ABORT NPU_COMMAND_ABORT
#define DISPATCH NPU_COMMAND_DISPATCH
#define DISPATCH_FAST (NPU_COMMAND_DISPATCH | NPU_HANDLE_QOS_FAST)
#define BIND(core) (NPU_COMMAND_BIND_DISPATCH | NPU_HANDLE_CORE(core))

/* Registers of pool 0. */
#define POOL_CONFIG (NPU_REG_POOL(0) + NPU_POOL_CONFIG)
#define STATUS (NPU_REG_POOL(0) + NPU_POOL_STATUS)
#define IRQ_CONTROL (NPU_REG_POOL(0) + NPU_POOL_IRQ_CONTROL)
#define IRQ_STATUS (NPU_REG_POOL(0) + NPU_POOL_IRQ_STATUS)
#define IRQ_SIGNAL (NPU_REG_POOL(0) + NPU_POOL_IRQ_SIGNAL)
#define FIRST_BAD (NPU_REG_POOL(0) + NPU_POOL_FIRST_BAD)
#define LAST_ISSUED (NPU_REG_POOL(0) + NPU_POOL_LAST_ISSUED)
#define SECURE (NPU_REG_POOL(0) + NPU_POOL_SECURE)
#define IRQ_FLAG (NPU_REG_POOL(0) + NPU_POOL_IRQ_FLAG)
#define IRQ_TCBP (NPU_REG_POOL(0) + NPU_POOL_IRQ_TCBP)

/* Jobs every test finds in memory. */
enum job {
	JOB_SINGLE, /* one group, 10 µs, core-level done */
	JOB_OTHER,  /* another one */
	JOB_MULTI,  /* two groups, 10 µs each, grid end, cluster-level done */
	JOB_HANG,
	JOB_EXCEPTION,
	JOB_FAULT,
	JOB_ERROR,
	JOB_MAX,
};

enum step_kind {
	STEP_END,
	STEP_WRITE, /* value to offset */
	STEP_READ,  /* bits of mask at offset are value */
	STEP_HEAD,  /* address registers = head of job value */
	STEP_TCBP,  /* the cause shown is that of job value */
	STEP_LINK,  /* last TCB of job offset -> head of job value */
	STEP_RUN,   /* until nothing more happens, value µs at most */
	STEP_LINE,  /* the line is value */
	STEP_EDGES, /* it has risen value times since the last such step */
};

struct step {
	enum step_kind kind;
	uint32_t offset, value, mask;
};

#define W(o, v)                                                                                    \
	{                                                                                          \
		STEP_WRITE, o, v, 0                                                                \
	}
#define R(o, v)                                                                                    \
	{                                                                                          \
		STEP_READ, o, v, UINT32_MAX                                                        \
	}
#define R_BITS(o, m, v)                                                                            \
	{                                                                                          \
		STEP_READ, o, v, m                                                                 \
	}
#define HEAD(j)                                                                                    \
	{                                                                                          \
		STEP_HEAD, 0, j, 0                                                                 \
	}
#define TCBP(j)                                                                                    \
	{                                                                                          \
		STEP_TCBP, 0, j, 0                                                                 \
	}
#define LINK(from, to)                                                                             \
	{                                                                                          \
		STEP_LINK, from, to, 0                                                             \
	}
#define RUN                                                                                        \
	{                                                                                          \
		STEP_RUN, 0, 1000, 0                                                               \
	}
#define RUN_FOR(us)                                                                                \
	{                                                                                          \
		STEP_RUN, 0, us, 0                                                                 \
	}
#define LINE(v)                                                                                    \
	{                                                                                          \
		STEP_LINE, 0, v, 0                                                                 \
	}
#define EDGES(n)                                                                                   \
	{                                                                                          \
		STEP_EDGES, 0, n, 0                                                                \
	}
#define END                                                                                        \
	{                                                                                          \
		STEP_END, 0, 0, 0                                                                  \
	}

#define OK R(NPU_REG_STATUS, 0)
#define REFUSED R(NPU_REG_STATUS, FAILED)
#define CLEAR W(NPU_REG_STATUS, 0)
#define IS_IDLE R_BITS(STATUS, IDLE, IDLE)
#define IS_BUSY R_BITS(STATUS, IDLE, 0)
#define NOTHING_SHOWN R(IRQ_STATUS, 0), R(IRQ_TCBP, 0), R_BITS(STATUS, 0x3f, 0)
#define ACK_DONE W(STATUS, DONE)

/* Steps 1 to 6 on a pool that does not exist. */
#define SUBMIT_CREATE(j, tag)                                                                      \
	IS_IDLE, W(NPU_REG_HANDLE, CREATE), OK, IS_BUSY, HEAD(j), W(NPU_REG_INFO, tag),            \
		W(NPU_REG_HANDLE, DISPATCH), OK

/* One of each; Criterion runs every test in a process of its own. */
extern struct machine *m;
extern struct npu_front *front;
extern struct chain job[JOB_MAX];
extern unsigned int edges; /* of the interrupt line, since the last STEP_EDGES */
extern bool line;
extern const struct npu_front_config plain; /* one partition, two pools, 4 MiB, no choices */

/* One cluster with three cores of four TECs; for TestSuite(). */
void bench_setup(void);
void bench_teardown(void);
/* The same front again, on an engine that is fresh. */
void front_create(const struct npu_front_config *config);
void choose(uint32_t choices);
void irq(void *arg, bool level);

uint32_t reg(uint32_t offset);
void set_reg(uint32_t offset, uint32_t value);
/* A job with one group and one instruction. */
struct chain job_create(struct npu_insn insn);

/* Play up to STEP_END; stops the test at the first that is not as expected. */
void play(const struct step *steps);
#define PLAY(...) play((const struct step[]){__VA_ARGS__, END})

/* Initialise as the driver does, for one partition. */
void init(void);
