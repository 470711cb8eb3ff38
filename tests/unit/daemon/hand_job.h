/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs for the software device, made by hand: a program, two operands, a chain,
 * and the ranges that go with them. Whatever the daemon would never do can be done
 * to one before it is submitted.
 */
#pragma once

#include <time.h>

#include "daemon/device.h"
#include "loadable/graph.h"
#include "npu/isa.h"

/* Places in hand_job.memory, which is one buffer. */
#define HAND_TEXT 0u
#define HAND_PARAMS 4096u
#define HAND_CHAIN 8192u
#define HAND_MEMORY (8192u + 32768u)

enum hand_range { HAND_R_TEXT, HAND_R_PARAM, HAND_R_TCB, HAND_R_IN, HAND_R_OUT, HAND_R_MAX_ };

struct hand_job {
	struct device *device;
	struct device_buffer *memory, *in, *out; /* owned */
	struct device_range ranges[HAND_R_MAX_];
	struct device_job job;
};

/* An instruction with no operands. */
struct npu_insn hand_insn(uint16_t opcode, uint32_t extra);
/* Copy @n_bytes from operand 0 to operand 1. */
struct npu_insn hand_copy(uint32_t n_bytes);

/*
 * @n_groups groups, each of which depends on the one before if @in_order and all of
 * which run the same @program, up to `end`. Operands are 4096 bytes each. Aborts
 * the test program if anything fails.
 */
void hand_job_init(struct hand_job *hand, struct device *device, const struct npu_insn *program,
		   unsigned int n_groups, bool in_order);
void hand_job_finish(struct hand_job *hand);

/* Another chain for the same program: one group for each of @subgraphs, of up to two BSSs. */
void hand_job_chain(struct hand_job *hand, const struct graph_subgraph *subgraphs, unsigned int n);

/* Operand @i: its address and size in the parameter block. */
struct npu_slot *hand_job_slot(struct hand_job *hand, unsigned int i);
/* TCB @i of the chain. */
uint8_t *hand_job_tcb(struct hand_job *hand, unsigned int i);
/* Instruction @i of the program. */
struct npu_insn *hand_job_insn(struct hand_job *hand, unsigned int i);

/* Programs, until the next call: copy one operand to the other; the same after @opcode. */
const struct npu_insn *hand_copy_program(void);
const struct npu_insn *hand_program(uint16_t opcode, uint32_t extra);

/* Longer than anything takes that works. */
#define HAND_LONG_MS 10000

/* Submit it and wait for its event. */
struct device_event hand_run(struct hand_job *hand);
/* Wait for one event; false after @timeout_ms. */
bool hand_wait(struct device *device, struct device_event *ret, int timeout_ms);

/* A device with @cores cores in one cluster, four TECs, 64 MiB. */
struct device *hand_device(unsigned int cores);

/* Whether it has an event. */
bool hand_is_readable(struct device *device);
/* What it has counted under @name. */
uint64_t hand_counter(struct device *device, const char *name);

uint64_t hand_clock_ms(clockid_t id);
/* Of random tests: $ZHOUYI_SEED, or drawn; it is printed. */
unsigned int hand_seed(void);
