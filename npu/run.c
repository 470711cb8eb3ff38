/* SPDX-License-Identifier: MIT */
/*
 * A core at work: fetches the instructions of its group, checks and runs them, a
 * slice at a time. Nothing here may touch anything but the core, what the host
 * maps and what never changes in the engine: other threads own the rest.
 */
#include "npu/internal.h"

/* What fetching and checking an instruction counts, so that cheap ones make slices, too. */
#define INSN_COST 1000u

#define VA_END ((uint64_t)1 << 32) /* programs see 32-bit addresses */

/*
 * Drivers for Arm China's NPU end their private tail TCBs with this: an exit
 * instruction and three no-ops. It is the one foreign program that means the same here.
 */
static const uint32_t foreign_exit[4] = {0x014f8000, 0x400c7fff, 0x400c7fff, 0x400c7fff};

/* The group is over. From here on the core belongs to npu_core_retire(). */
static enum npu_step core_finish(struct npu_core *core)
{
	__atomic_store_n(&core->finished, true, __ATOMIC_RELEASE);
	return NPU_STEP_IDLE;
}

static void core_fail(struct npu_core *core, enum npu_reason reason, uint64_t address)
{
	core->failure.reason = reason;
	core->failure.irq = npu_reason_irq(reason);
	core->failure.insn = core->pc;
	core->failure.address = address;
}

static enum npu_reason unmapped_reason(enum npu_access access)
{
	switch (access) {
	case NPU_ACCESS_TCB:
		return NPU_REASON_TCB_UNMAPPED;
	case NPU_ACCESS_TEXT:
		return NPU_REASON_TEXT_UNMAPPED;
	case NPU_ACCESS_PARAM:
		return NPU_REASON_PARAM_UNMAPPED;
	case NPU_ACCESS_READ:
	case NPU_ACCESS_WRITE:
		break;
	}
	return NPU_REASON_OPERAND_UNMAPPED;
}

/* Map @length bytes at @va of window @asid, or fail the group and return NULL. */
static uint8_t *core_map(struct npu_core *core, unsigned int asid, uint64_t va, uint32_t length,
			 enum npu_access access)
{
	const struct npu_engine *engine = core->engine;
	uint32_t enable = access == NPU_ACCESS_WRITE ? NPU_ASID_WRITE : NPU_ASID_READ;
	uint64_t base = npu_asid_base(core->group.asid[asid]);
	uint64_t address = base + va;
	uint8_t *p = NULL;

	if (!(core->group.asid[asid] & enable)) {
		core_fail(core, NPU_REASON_ASID_DISABLED, address);
		return NULL;
	}
	if (va + length <= VA_END && address >= base)
		p = engine->host->map(engine->host_arg, core->group.list, address, length, access);
	if (!p)
		core_fail(core, unmapped_reason(access), address);
	return p;
}

/* Find operand @i through its slot. Its absolute address goes to @ret_address. */
static bool core_map_operand(struct npu_core *core, unsigned int i, uint64_t *ret_address)
{
	enum npu_operand_kind kind = core->demand.kind[i];
	unsigned int asid = kind == NPU_OPERAND_CONSTANT ? 1 : 0;
	enum npu_access access = kind == NPU_OPERAND_OUTPUT ? NPU_ACCESS_WRITE : NPU_ACCESS_READ;
	uint64_t pp = core->group.pp[0];
	struct npu_slot slot;
	uint8_t *p;

	p = core_map(core, 0, pp + core->insn.slot[i], sizeof(slot), NPU_ACCESS_PARAM);
	if (!p)
		return false;
	memcpy(&slot, p, sizeof(slot));
	*ret_address = npu_asid_base(core->group.asid[asid]) + slot.address;
	if (slot.size != core->demand.size[i] || slot.size == 0) {
		core_fail(core, NPU_REASON_SIZE_MISMATCH, *ret_address);
		return false;
	}
	core->operand[i] = core_map(core, asid, slot.address, slot.size, access);
	return core->operand[i];
}

/* No output may share a byte with another operand: operators rely on it. */
static bool core_check_overlap(struct npu_core *core, const uint64_t address[NPU_MAX_OPERANDS])
{
	const struct npu_demand *demand = &core->demand;

	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++) {
		if (demand->kind[i] != NPU_OPERAND_OUTPUT)
			continue;
		for (unsigned int j = 0; j < NPU_MAX_OPERANDS; j++) {
			if (j == i || demand->kind[j] == NPU_OPERAND_NONE)
				continue;
			if (address[i] - address[j] < demand->size[j] ||
			    address[j] - address[i] < demand->size[i]) {
				core_fail(core, NPU_REASON_OVERLAP, address[i]);
				return false;
			}
		}
	}
	return true;
}

static bool core_map_operands(struct npu_core *core)
{
	uint64_t address[NPU_MAX_OPERANDS] = {0};

	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++) {
		core->operand[i] = NULL;
		if (core->demand.kind[i] != NPU_OPERAND_NONE &&
		    !core_map_operand(core, i, &address[i]))
			return false;
	}
	return core_check_overlap(core, address);
}

static void core_raise(struct npu_core *core)
{
	static const uint32_t irq[] = {
		[NPU_RAISE_EXCEPTION] = NPU_IRQ_EXCEPTION,
		[NPU_RAISE_FAULT] = NPU_IRQ_FAULT | NPU_IRQ_DONE,
		[NPU_RAISE_ERROR] = NPU_IRQ_ERROR,
	};
	uint32_t what = core->insn.extra[0];

	if (what >= NPU_ARRAY_SIZE(irq)) {
		core_fail(core, NPU_REASON_ILLEGAL_INSN, 0);
		return;
	}
	core_fail(core, NPU_REASON_RAISED, 0);
	core->failure.irq = irq[what];
}

/* Copy the instruction at pc: what is checked must be what is executed. */
static bool core_fetch(struct npu_core *core)
{
	uint64_t va = (uint64_t)core->group.spc[0] + (uint64_t)core->pc * sizeof(core->insn);
	uint32_t head[4];
	uint8_t *p;

	if (core->pc >= NPU_MAX_INSNS) {
		core_fail(core, NPU_REASON_RUNAWAY, 0);
		return false;
	}
	p = core_map(core, 0, va, sizeof(core->insn), NPU_ACCESS_TEXT);
	if (!p)
		return false;
	memcpy(&core->insn, p, sizeof(core->insn));
	memcpy(head, &core->insn, sizeof(head));
	if (head[0] == foreign_exit[0] && head[1] == foreign_exit[1] &&
	    head[2] == foreign_exit[2] && head[3] == foreign_exit[3]) {
		memset(&core->insn, 0, sizeof(core->insn));
		core->insn.opcode = NPU_OP_END;
		return true;
	}
	if (npu_insn_check(&core->insn, &core->demand)) {
		core_fail(core, NPU_REASON_ILLEGAL_INSN, 0);
		return false;
	}
	return true;
}

/* Get ready to execute the instruction at pc. False: the group has failed. */
static bool core_load(struct npu_core *core, uint64_t now)
{
	if (!core_fetch(core))
		return false;
	core->unit = 0;
	switch (core->insn.opcode) {
	case NPU_OP_END:
	case NPU_OP_HANG:
		break;
	case NPU_OP_DELAY:
		core->deadline = now + (uint64_t)core->insn.extra[0] * 1000;
		break;
	case NPU_OP_FAULT:
		core_raise(core);
		return false;
	default:
		if (!core_map_operands(core))
			return false;
	}
	core->loaded = true;
	return true;
}

static void core_next(struct npu_core *core)
{
	core->insns++;
	core->pc++;
	core->loaded = false;
}

/*
 * Do as many units as @budget pays for, one at least, but none of the next task:
 * task t of n has units [units * t / n, units * (t + 1) / n). Returns the cost.
 */
static uint64_t core_do_units(struct npu_core *core, uint64_t budget)
{
	uint64_t units = core->demand.units, n = core->group.n_tasks;
	uint64_t task = (((uint64_t)core->unit + 1) * n - 1) / units;
	uint64_t count = units * (task + 1) / n - core->unit;
	uint64_t affordable = budget / core->demand.unit_cost;

	if (affordable < 1)
		affordable = 1;
	if (count > affordable)
		count = affordable;
	npu_insn_run(&core->insn, core->operand, core->unit, (uint32_t)count);
	core->unit += (uint32_t)count;
	if (core->unit == units)
		core_next(core);
	return count * core->demand.unit_cost;
}

enum npu_step npu_core_run(struct npu_core *core, uint64_t now, uint64_t *ret_until)
{
	uint64_t cost = 0;

	/* In this order: retiring clears `busy` first, so a stale group is never taken up again. */
	if (__atomic_load_n(&core->finished, __ATOMIC_ACQUIRE) ||
	    !__atomic_load_n(&core->busy, __ATOMIC_ACQUIRE))
		return NPU_STEP_IDLE;

	while (cost < NPU_SLICE_COST) {
		if (__atomic_load_n(&core->abort, __ATOMIC_ACQUIRE))
			return core_finish(core);
		if (!core->loaded) {
			if (!core_load(core, now))
				return core_finish(core);
			cost += INSN_COST;
		}
		switch (core->insn.opcode) {
		case NPU_OP_END:
			core_next(core);
			return core_finish(core);
		case NPU_OP_HANG:
			*ret_until = NPU_TIME_NEVER;
			return NPU_STEP_WAIT;
		case NPU_OP_DELAY:
			if (now < core->deadline) {
				*ret_until = core->deadline;
				return NPU_STEP_WAIT;
			}
			core_next(core);
			break;
		default:
			cost += core_do_units(core,
					      cost < NPU_SLICE_COST ? NPU_SLICE_COST - cost : 0);
		}
	}
	return NPU_STEP_RAN;
}

void npu_core_fail(struct npu_core *core, enum npu_reason reason, uint64_t address)
{
	if (__atomic_load_n(&core->finished, __ATOMIC_ACQUIRE) ||
	    !__atomic_load_n(&core->busy, __ATOMIC_ACQUIRE))
		return;
	core_fail(core, reason, address);
	core_finish(core);
}
