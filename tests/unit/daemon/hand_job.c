/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/daemon/hand_job.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cmd_v3.h"
#include "npu/engine.h"
#include "npu/tcb.h"

#define OPERAND_BYTES 4096u
#define MAX_GROUPS 4

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "hand_job: %s failed\n", what);
	abort();
}

struct npu_insn hand_insn(uint16_t opcode, uint32_t extra)
{
	struct npu_insn insn = {.opcode = opcode, .version = NPU_ISA_VERSION, .extra = {extra}};

	memset(insn.slot, 0xff, sizeof(insn.slot));
	return insn;
}

struct npu_insn hand_copy(uint32_t n_bytes)
{
	struct npu_insn insn = hand_insn(NPU_OP_COPY, n_bytes);

	insn.slot[0] = 0;
	insn.slot[1] = sizeof(struct npu_slot);
	return insn;
}

struct npu_slot *hand_job_slot(struct hand_job *hand, unsigned int i)
{
	return (struct npu_slot *)(void *)(hand->memory->cpu + HAND_PARAMS) + i;
}

uint8_t *hand_job_tcb(struct hand_job *hand, unsigned int i)
{
	return hand->memory->cpu + HAND_CHAIN + (size_t)i * NPU_TCB_SIZE;
}

struct npu_insn *hand_job_insn(struct hand_job *hand, unsigned int i)
{
	return (struct npu_insn *)(void *)(hand->memory->cpu + HAND_TEXT) + i;
}

void hand_job_chain(struct hand_job *hand, const struct graph_subgraph *subgraphs, unsigned int n)
{
	static const uint8_t bytes[4096];
	const struct device_caps *caps = &hand->device->caps;
	struct graph_bss bss[2] = {{.stack_size = 16, .stack_align = 16},
				   {.stack_size = 16, .stack_align = 16}};
	struct graph graph = {
		.text = {bytes, 4096},
		.rodata = {bytes, 4096},
		.bss = bss,
		.n_bss = 2,
		.subgraphs = (struct graph_subgraph *)subgraphs,
		.n_subgraphs = n,
		.gm_section = -1,
	};
	struct cmd_v3_config config = {
		.cores = caps->cores / caps->clusters,
		.tecs = caps->tecs,
		.asid0_base = caps->asid0_base,
		.window_size = caps->window_size,
	};
	struct cmd_v3_place place = {hand->memory->address, hand->memory->address};
	struct cmd_v3_plan *plan = NULL;
	struct loadable_error error;
	struct cmd_v3_start start;

	must(cmd_v3_plan_create(&plan, &graph, &config, &error) == 0, "planning");
	plan->text.offset = HAND_TEXT;
	plan->rodata.offset = HAND_PARAMS;
	plan->tcbs.offset = HAND_CHAIN;
	must(plan->tcbs.size <= HAND_MEMORY - HAND_CHAIN, "fitting the chain");
	cmd_v3_chain(plan, &place, hand->memory->cpu + HAND_CHAIN);
	cmd_v3_start(plan, &place, &start);
	hand->job.head = start.head;
	hand->job.first_task = start.first_task;
	hand->job.last_task = start.last_task;
	hand->job.n_tcbs = start.n_tcbs;
	hand->job.n_groups = start.n_groups;
	hand->ranges[HAND_R_TCB] =
		(struct device_range){hand->memory, HAND_CHAIN, plan->tcbs.size, DEVICE_ACCESS_TCB};
	cmd_v3_plan_destroy(plan);
}

void hand_job_init(struct hand_job *hand, struct device *device, const struct npu_insn *program,
		   unsigned int n_groups, bool in_order)
{
	struct graph_subgraph subgraphs[MAX_GROUPS] = {0};
	uint32_t base = (uint32_t)device->caps.asid0_base;
	size_t n = 0;

	memset(hand, 0, sizeof(*hand));
	hand->device = device;
	must(device_buffer_create(device, HAND_MEMORY, &hand->memory) == 0, "memory");
	must(device_buffer_create(device, OPERAND_BYTES, &hand->in) == 0, "memory");
	must(device_buffer_create(device, OPERAND_BYTES, &hand->out) == 0, "memory");
	do {
		*hand_job_insn(hand, (unsigned int)n) = program[n];
	} while (program[n++].opcode != NPU_OP_END);
	*hand_job_slot(hand, 0) =
		(struct npu_slot){(uint32_t)hand->in->address - base, OPERAND_BYTES};
	*hand_job_slot(hand, 1) =
		(struct npu_slot){(uint32_t)hand->out->address - base, OPERAND_BYTES};
	for (unsigned int i = 1; i < n_groups; i++)
		subgraphs[i].dependency = in_order ? 1 : 0;
	hand_job_chain(hand, subgraphs, n_groups);
	hand->ranges[HAND_R_TEXT] = (struct device_range){hand->memory, HAND_TEXT,
							  n * sizeof(*program), DEVICE_ACCESS_TEXT};
	hand->ranges[HAND_R_PARAM] = (struct device_range){
		hand->memory, HAND_PARAMS, 2 * sizeof(struct npu_slot), DEVICE_ACCESS_PARAM};
	hand->ranges[HAND_R_IN] =
		(struct device_range){hand->in, 0, OPERAND_BYTES, DEVICE_ACCESS_READ};
	hand->ranges[HAND_R_OUT] =
		(struct device_range){hand->out, 0, OPERAND_BYTES, DEVICE_ACCESS_RW};
	hand->job.core_mask = UINT64_MAX >> (64 - device->caps.cores);
	/* As the daemon does: what belongs to the program, and what belongs to the client. */
	hand->job.ranges[0].range = hand->ranges;
	hand->job.ranges[0].n = HAND_R_IN;
	hand->job.ranges[1].range = hand->ranges + HAND_R_IN;
	hand->job.ranges[1].n = HAND_R_MAX_ - HAND_R_IN;
}

void hand_job_finish(struct hand_job *hand)
{
	device_buffer_destroy(hand->memory);
	device_buffer_destroy(hand->in);
	device_buffer_destroy(hand->out);
}

const struct npu_insn *hand_copy_program(void)
{
	static struct npu_insn program[2];

	program[0] = hand_copy(OPERAND_BYTES);
	program[1] = hand_insn(NPU_OP_END, 0);
	return program;
}

const struct npu_insn *hand_program(uint16_t opcode, uint32_t extra)
{
	static struct npu_insn program[3];

	program[0] = hand_insn(opcode, extra);
	program[1] = hand_copy(OPERAND_BYTES);
	program[2] = hand_insn(NPU_OP_END, 0);
	return program;
}

struct device_event hand_run(struct hand_job *hand)
{
	struct device_event event = {0};

	must(device_submit(hand->device, &hand->job) == 0, "submitting a job");
	must(hand_wait(hand->device, &event, HAND_LONG_MS), "waiting for an event");
	return event;
}

bool hand_wait(struct device *device, struct device_event *ret, int timeout_ms)
{
	struct pollfd p = {.fd = device->fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1 && device_collect(device, ret, 1) == 1;
}

struct device *hand_device(unsigned int cores)
{
	struct device_soft_config config = {1, 1, cores, 4, UINT64_C(64) << 20, NULL};
	struct device *device;
	const char *reason;

	must(device_open(&device, "soft", &config, &reason) == 0, "opening the device");
	return device;
}

bool hand_is_readable(struct device *device)
{
	struct pollfd p = {.fd = device->fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

uint64_t hand_counter(struct device *device, const char *name)
{
	struct device_counter counters[8 + NPU_MAX_CORES];
	size_t n = device_counters(device, counters, NPU_ARRAY_SIZE(counters));

	for (size_t i = 0; i < n; i++)
		if (strcmp(counters[i].name, name) == 0)
			return counters[i].value;
	must(false, name);
	return 0;
}

uint64_t hand_clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

unsigned int hand_seed(void)
{
	const char *text = getenv("ZHOUYI_SEED");
	unsigned int value = text ? (unsigned int)strtoul(text, NULL, 0)
				  : (unsigned int)hand_clock_ms(CLOCK_REALTIME);

	fprintf(stderr, "ZHOUYI_SEED=%u\n", value);
	return value;
}
