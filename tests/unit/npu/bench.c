/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/npu/bench.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct machine *m;
struct npu_front *front;
struct chain job[JOB_MAX];
unsigned int edges;
bool line;

void irq(void *arg, bool level)
{
	cr_assert_eq(arg, front);
	cr_assert_neq(line, level);
	line = level;
	edges += level;
}

static void report(void *arg, struct npu_list *list, const struct npu_cause *cause)
{
	npu_front_report(arg, list, cause);
}

const struct npu_front_config plain = {
	.revision = NPU_REVISION_X2_R0P3, .partitions = 1, .pools = 2, .aiffs = 1, .gm_kib = 4096};

void front_create(const struct npu_front_config *config)
{
	if (!front)
		front = malloc(sizeof(*front));
	m->report = report;
	m->report_arg = front;
	line = false;
	cr_assert(npu_front_init(front, &m->engine, config, irq, front));
}

/* The same front again on a fresh engine, with other answers. */
void choose(uint32_t choices)
{
	struct npu_topology topology = m->engine.topology;
	struct npu_front_config config = plain;

	config.choices = choices;
	cr_assert(npu_engine_init(&m->engine, &topology, &m->host, m));
	front_create(&config);
}

struct chain job_create(struct npu_insn insn)
{
	return chain_single(m, program_create(m, &insn, 1));
}

static void jobs_create(void)
{
	struct chain_group group = {.text = program_delay(m, 10)};
	struct chain_group groups[2] = {group, group};

	groups[1].dependency = NPU_TCB_DEP_IMMEDIATE;
	job[JOB_SINGLE] = job_create(insn_delay(10));
	job[JOB_OTHER] = job_create(insn_delay(10));
	job[JOB_MULTI] = chain_create(m, groups, 2, CHAIN_MULTI);
	job[JOB_HANG] = job_create(insn_hang());
	job[JOB_EXCEPTION] = job_create(insn_fault(NPU_RAISE_EXCEPTION));
	job[JOB_FAULT] = job_create(insn_fault(NPU_RAISE_FAULT));
	job[JOB_ERROR] = job_create(insn_fault(NPU_RAISE_ERROR));
}

void bench_setup(void)
{
	m = machine_create(1, 3, 4);
	jobs_create();
	front_create(&plain);
}

void bench_teardown(void)
{
	free(front);
	machine_destroy(m);
}

uint32_t reg(uint32_t offset)
{
	return npu_front_read(front, offset, m->now);
}

void set_reg(uint32_t offset, uint32_t value)
{
	npu_front_write(front, offset, value, m->now);
}

static void step_do(const struct step *s, unsigned int i)
{
	switch (s->kind) {
	case STEP_WRITE:
		set_reg(s->offset, s->value);
		break;
	case STEP_READ:
		cr_assert_eq(reg(s->offset) & s->mask, s->value,
			     "step %u: register 0x%x is 0x%x, not 0x%x", i, s->offset,
			     reg(s->offset) & s->mask, s->value);
		break;
	case STEP_HEAD:
		set_reg(NPU_REG_ADDRESS_HIGH, (uint32_t)(job[s->value].head >> 32));
		set_reg(NPU_REG_ADDRESS_LOW, (uint32_t)job[s->value].head);
		break;
	case STEP_TCBP:
		cr_assert_eq(reg(IRQ_TCBP), chain_tcbp(&job[s->value]), "step %u: TCBP", i);
		break;
	case STEP_LINK:
		chain_link(&job[s->offset], job[s->value].head);
		break;
	case STEP_RUN:
		machine_run_until(m, m->now + s->value * US);
		break;
	case STEP_LINE:
		cr_assert_eq(line, s->value, "step %u: the line is %d", i, line);
		break;
	case STEP_EDGES:
		cr_assert_eq(edges, s->value, "step %u: %u edges", i, edges);
		edges = 0;
		break;
	case STEP_END:
		break;
	}
}

void play(const struct step *steps)
{
	for (unsigned int i = 0; steps[i].kind != STEP_END; i++)
		step_do(&steps[i], i);
}

/* 2.5 as the driver does it, for one partition. */
void init(void)
{
	PLAY(W(NPU_REG_RESET, 1), R(NPU_REG_RESET, 2), R(NPU_REG_BUILD, 0x00020000),
	     R(NPU_REG_CLUSTER_CONFIG(0), 0x1314), W(NPU_REG_PAGE, 0x1000),
	     R(NPU_REG_GM_CONTROL, 3 << 16), W(NPU_REG_PAGE, 0),
	     W(NPU_REG_CLUSTER_CONTROL(0), 0x1314), W(POOL_CONFIG, 0), W(SECURE, 1),
	     W(IRQ_CONTROL, CONTROL), W(NPU_REG_TICK_CONTROL, 3));
}
