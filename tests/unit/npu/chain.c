/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/npu/chain.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

static void *machine_map(void *arg, struct npu_list *list, uint64_t address, uint32_t length,
			 enum npu_access access)
{
	struct machine *m = arg;

	(void)list;
	for (unsigned int i = 0; i < NPU_ARRAY_SIZE(m->object); i++) {
		struct machine_object *o = &m->object[i];
		bool whole = access == NPU_ACCESS_READ || access == NPU_ACCESS_WRITE;

		if (!(o->access >> access & 1) || address < o->address ||
		    address - o->address > o->size || length > o->size - (address - o->address))
			continue;
		if (whole && (address != o->address || length != o->size))
			continue;
		return o->memory + (address - o->address);
	}
	return NULL;
}

static void machine_report(void *arg, struct npu_list *list, const struct npu_cause *cause)
{
	struct machine *m = arg;

	if (m->n_causes < NPU_ARRAY_SIZE(m->cause))
		m->cause[m->n_causes++] = (struct machine_cause){list, *cause};
	if (m->report)
		m->report(m->report_arg, list, cause);
}

struct machine *machine_create(unsigned int clusters, unsigned int cores, unsigned int tecs)
{
	struct npu_topology topology = {(uint8_t)clusters, (uint8_t)cores, (uint8_t)tecs};
	struct machine *m = calloc(1, sizeof(*m));

	cr_assert(m);
	m->host = (struct npu_host){.map = machine_map, .report = machine_report};
	cr_assert(npu_engine_init(&m->engine, &topology, &m->host, m));
	return m;
}

void machine_destroy(struct machine *m)
{
	free(m);
}

uint64_t machine_alloc(struct machine *m, uint32_t size, uint32_t access)
{
	struct machine_object *o = &m->object[m->n_objects++];

	cr_assert(m->n_objects <= NPU_ARRAY_SIZE(m->object));
	cr_assert(m->used + size <= MACHINE_SIZE);
	*o = (struct machine_object){MACHINE_MEMORY + m->used, size, access, m->memory + m->used};
	m->used += (size + PAGE - 1) / PAGE * PAGE;
	return o->address;
}

uint64_t machine_alloc_weights(struct machine *m, uint32_t size, uint8_t byte)
{
	struct machine_object *o = &m->object[m->n_objects++];

	cr_assert(size <= sizeof(m->weights));
	memset(m->weights, byte, size);
	*o = (struct machine_object){MACHINE_WEIGHTS + 0x1200, size, MACHINE_READ, m->weights};
	return o->address;
}

void machine_unmap(struct machine *m, uint64_t address)
{
	for (unsigned int i = 0; i < m->n_objects; i++)
		if (m->object[i].address == address)
			m->object[i].access = 0;
}

void *machine_at(struct machine *m, uint64_t address)
{
	cr_assert(address >= MACHINE_MEMORY && address < MACHINE_MEMORY + MACHINE_SIZE);
	return m->memory + (address - MACHINE_MEMORY);
}

uint32_t machine_rel(uint64_t address)
{
	return (uint32_t)(address - MACHINE_WINDOW);
}

enum npu_step machine_run_until(struct machine *m, uint64_t end)
{
	uint64_t until = 0;
	enum npu_step step;

	for (;;) {
		step = npu_engine_step(&m->engine, m->now, &until);
		if (step == NPU_STEP_RAN)
			continue;
		if (step == NPU_STEP_IDLE || until > end)
			break;
		m->now = until;
	}
	if (end != NPU_TIME_NEVER - 1)
		m->now = end;
	return step;
}

enum npu_step machine_run(struct machine *m)
{
	return machine_run_until(m, NPU_TIME_NEVER - 1);
}

unsigned int machine_count(const struct machine *m, uint32_t irq, uint32_t tcbp)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < m->n_causes; i++)
		n += (m->cause[i].cause.irq & irq) == irq && m->cause[i].cause.tcbp == tcbp;
	return n;
}

unsigned int machine_failures(const struct machine *m)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < m->n_causes; i++)
		n += m->cause[i].cause.reason != NPU_REASON_NONE;
	return n;
}

void machine_assert_only_failure(const struct machine *m, enum npu_reason reason, uint32_t irq,
				 uint32_t tcbp)
{
	cr_assert_eq(machine_failures(m), 1);
	cr_assert_eq(m->cause[0].cause.reason, reason, "%s",
		     npu_reason_name(m->cause[0].cause.reason));
	cr_assert_eq(m->cause[0].cause.irq, irq);
	cr_assert_eq(m->cause[0].cause.tcbp, tcbp);
}

static struct npu_insn insn_plain(uint16_t opcode)
{
	struct npu_insn insn = {.opcode = opcode, .version = NPU_ISA_VERSION};

	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++)
		insn.slot[i] = NPU_NO_SLOT;
	return insn;
}

struct npu_insn insn_end(void)
{
	return insn_plain(NPU_OP_END);
}

struct npu_insn insn_delay(uint32_t microseconds)
{
	struct npu_insn insn = insn_plain(NPU_OP_DELAY);

	insn.extra[0] = microseconds;
	return insn;
}

struct npu_insn insn_hang(void)
{
	return insn_plain(NPU_OP_HANG);
}

struct npu_insn insn_fault(enum npu_raise what)
{
	struct npu_insn insn = insn_plain(NPU_OP_FAULT);

	insn.extra[0] = what;
	return insn;
}

struct npu_insn insn_copy(uint32_t bytes)
{
	struct npu_insn insn = insn_plain(NPU_OP_COPY);

	insn.extra[0] = bytes;
	insn.slot[0] = 0;
	insn.slot[1] = 8;
	return insn;
}

uint64_t program_create(struct machine *m, const struct npu_insn *insn, unsigned int n)
{
	uint64_t text = machine_alloc(m, (n + 1) * (uint32_t)sizeof(*insn), MACHINE_TEXT);
	struct npu_insn *p = machine_at(m, text);

	memcpy(p, insn, n * sizeof(*insn));
	p[n] = insn_end();
	return text;
}

uint64_t program_delay(struct machine *m, uint32_t microseconds)
{
	struct npu_insn insn = insn_delay(microseconds);

	return program_create(m, &insn, 1);
}

uint64_t param_create(struct machine *m, unsigned int n)
{
	return machine_alloc(m, n * (uint32_t)sizeof(struct npu_slot), MACHINE_PARAM);
}

void param_set(struct machine *m, uint64_t param, unsigned int slot, uint64_t address,
	       uint64_t base, uint32_t size)
{
	struct npu_slot *p = machine_at(m, param);

	p[slot] = (struct npu_slot){.address = (uint32_t)(address - base), .size = size};
}

static void init_fill(struct npu_tcb_init *tcb, uint64_t address, unsigned int segmmus)
{
	*tcb = (struct npu_tcb_init){
		.flag = ((1u << segmmus) - 1) << NPU_TCB_SEGMMU_SHIFT,
		.next = (uint32_t)(address + (1 + segmmus) * NPU_TCB_SIZE),
	};
	tcb->asid[0].low = (uint32_t)MACHINE_WINDOW | NPU_ASID_RW;
	tcb->asid[0].high = MACHINE_WINDOW >> 32;
	tcb->asid[1].low = (uint32_t)MACHINE_WEIGHTS | NPU_ASID_RW;
	tcb->asid[1].high = MACHINE_WEIGHTS >> 32;
}

static void segmmu_fill(struct npu_tcb_segmmu *tcb, unsigned int cores)
{
	tcb->even.ctrl = NPU_SEGMMU_IDENTITY;
	tcb->odd.ctrl = cores > 1 ? NPU_SEGMMU_IDENTITY : 0;
}

static void task_fill(struct npu_tcb_task *tcb, const struct chain_group *group, uint64_t address,
		      unsigned int id, unsigned int n)
{
	*tcb = (struct npu_tcb_task){
		.flag = NPU_TCB_TYPE_TASK | (id == 0 ? group->dependency : 0) |
			(id == n - 1 ? NPU_TCB_GROUP_END : 0),
		.next = (uint32_t)(address + NPU_TCB_SIZE),
		.spc = machine_rel(group->text),
		.interrupt_en = NPU_IRQ_TYPES,
		.task_id = (uint16_t)id,
		.grid_dim = {1, 1, 1},
		.group_dim = {(uint16_t)n, 1, 1},
		.group_pos = {1, 0, 0},
		.task_pos = {(uint16_t)id, 0, 0},
		.sp = 0x2000000 + id * PAGE,
		.pp = group->param ? machine_rel(group->param) : 0,
		.tcbp = machine_rel(address),
	};
}

static unsigned int chain_length(const struct machine *m, const struct chain_group *groups,
				 unsigned int n)
{
	unsigned int length = 1 + (m->engine.topology.cores + 1u) / 2;

	for (unsigned int i = 0; i < n; i++)
		length += groups[i].tasks ? groups[i].tasks : m->engine.topology.tecs;
	return length;
}

static uint64_t chain_fill_group(struct machine *m, const struct chain_group *group,
				 uint64_t address, uint32_t flags)
{
	unsigned int tasks = group->tasks ? group->tasks : m->engine.topology.tecs;
	struct npu_tcb_task *task = machine_at(m, address);

	for (unsigned int t = 0; t < tasks; t++, address += NPU_TCB_SIZE)
		task_fill(task++, group, address, t, tasks);
	if (flags & CHAIN_EVERY_CORE_DONE)
		task[-1].interrupt_en |= NPU_IRQ_CORE;
	return address;
}

struct chain chain_create(struct machine *m, const struct chain_group *groups, unsigned int n,
			  uint32_t flags)
{
	unsigned int cores = m->engine.topology.cores, segmmus = (cores + 1) / 2;
	struct chain chain = {.machine = m, .n_tcbs = chain_length(m, groups, n)};
	struct npu_tcb_task *last;
	uint64_t address;

	chain.head = machine_alloc(m, chain.n_tcbs * NPU_TCB_SIZE, MACHINE_TCB);
	init_fill(machine_at(m, chain.head), chain.head, segmmus);
	for (unsigned int i = 0; i < segmmus; i++)
		segmmu_fill(machine_at(m, chain.head + (1 + i) * NPU_TCB_SIZE), cores - 2 * i);
	chain.first_task = address = chain.head + (1 + segmmus) * NPU_TCB_SIZE;
	for (unsigned int i = 0; i < n; i++)
		address = chain_fill_group(m, &groups[i], address, flags);
	chain.last_task = address - NPU_TCB_SIZE;

	last = machine_at(m, chain.last_task);
	last->next = 0;
	if (flags & CHAIN_GRID_END)
		last->flag |= NPU_TCB_GRID_END;
	if (flags & CHAIN_CORE_DONE)
		last->interrupt_en |= NPU_IRQ_CORE;
	if (flags & CHAIN_CLUSTER_DONE)
		last->interrupt_en |= NPU_IRQ_CLUSTER;
	return chain;
}

struct chain chain_single(struct machine *m, uint64_t text)
{
	struct chain_group group = {.text = text};

	return chain_create(m, &group, 1, CHAIN_SINGLE);
}

struct chain chain_hold(struct chain *chain)
{
	static const uint8_t program[16] = {0x00, 0x80, 0x4f, 0x01, 0xff, 0x7f, 0x0c, 0x40,
					    0xff, 0x7f, 0x0c, 0x40, 0xff, 0x7f, 0x0c, 0x40};
	struct machine *m = chain->machine;
	uint64_t address = machine_alloc(m, PAGE, MACHINE_TCB | MACHINE_TEXT);
	struct npu_tcb_task *hold = machine_at(m, address);

	memcpy((uint8_t *)hold + 0x100, program, sizeof(program));
	*hold = *chain_task(chain, chain->last_task);
	hold->flag = NPU_TCB_TYPE_TASK | NPU_TCB_GROUP_END;
	hold->next = 0;
	hold->interrupt_en &= ~NPU_IRQ_TEC;
	hold->spc = machine_rel(address + 0x100);
	hold->tcbp = machine_rel(address);
	chain_link(chain, address);
	return (struct chain){m, address, address, address, 1};
}

struct npu_tcb_task *chain_task(const struct chain *chain, uint64_t address)
{
	return machine_at(chain->machine, address);
}

void chain_link(struct chain *from, uint64_t to)
{
	chain_task(from, from->last_task)->next = (uint32_t)to;
}

uint32_t chain_tcbp(const struct chain *chain)
{
	return machine_rel(chain->last_task);
}

struct copy_job copy_job_create(struct machine *m, uint32_t bytes)
{
	struct npu_insn insn = insn_copy(bytes);
	struct chain_group group;
	struct copy_job job;

	job.in = machine_alloc(m, bytes, MACHINE_READ);
	job.out = machine_alloc(m, bytes, MACHINE_WRITE);
	job.param = param_create(m, 2);
	param_set(m, job.param, 0, job.in, MACHINE_WINDOW, bytes);
	param_set(m, job.param, 1, job.out, MACHINE_WINDOW, bytes);
	job.text = program_create(m, &insn, 1);
	group = (struct chain_group){.text = job.text, .param = job.param};
	job.chain = chain_create(m, &group, 1, CHAIN_SINGLE);
	for (uint32_t i = 0; i < bytes; i++)
		((uint8_t *)machine_at(m, job.in))[i] = (uint8_t)(i * 7 + 1);
	return job;
}
