/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kernel/chain.h"

#include <string.h>

static struct npu_insn insn_plain(uint16_t opcode)
{
	struct npu_insn insn = {.opcode = opcode, .version = NPU_ISA_VERSION};

	for (unsigned int i = 0; i < NPU_MAX_OPERANDS; i++)
		insn.slot[i] = NPU_NO_SLOT;
	return insn;
}

struct npu_insn insn_copy(uint32_t bytes)
{
	struct npu_insn insn = insn_plain(NPU_OP_COPY);

	insn.slot[0] = 0;
	insn.slot[1] = sizeof(struct npu_slot);
	insn.extra[0] = bytes;
	return insn;
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

uint8_t image_pattern(uint32_t seed, uint32_t i)
{
	uint32_t x = (seed + 1) * 2654435761u ^ i * 40503u;

	return (uint8_t)(x >> 16 ^ x >> 5 ^ x);
}

void image_set_slot(uint8_t *cpu, const struct image_device *device, unsigned int slot,
		    uint64_t address, uint32_t size)
{
	struct npu_slot *slots = (struct npu_slot *)(cpu + IMAGE_PARAM);

	slots[slot] = (struct npu_slot){(uint32_t)(address - device->asid0_base), size};
}

static unsigned int segmmus(const struct image_device *device)
{
	return (device->cores + 1) / 2;
}

/* The TCBs in front of the tasks: the address window, and a SegMMU TCB for every two cores. */
static void write_init(uint8_t *cpu, uint64_t address, const struct image_device *device)
{
	struct npu_tcb_init *init = (struct npu_tcb_init *)cpu;
	struct npu_tcb_segmmu *segmmu = (struct npu_tcb_segmmu *)(cpu + NPU_TCB_SIZE);
	unsigned int n = segmmus(device);

	*init = (struct npu_tcb_init){
		.flag = NPU_TCB_TYPE_INIT | ((1u << n) - 1) << NPU_TCB_SEGMMU_SHIFT,
		.next = (uint32_t)(address + (1 + n) * NPU_TCB_SIZE),
	};
	for (unsigned int i = 0; i < 2; i++) {
		init->asid[i].low = (uint32_t)device->asid0_base | NPU_ASID_RW;
		init->asid[i].high = (uint32_t)(device->asid0_base >> 32);
	}
	for (unsigned int i = 0; i < n; i++) {
		segmmu[i] = (struct npu_tcb_segmmu){.even.ctrl = NPU_SEGMMU_IDENTITY};
		if (device->cores > 2 * i + 1)
			segmmu[i].odd.ctrl = NPU_SEGMMU_IDENTITY;
	}
}

/* Several groups may run at once; then only the end of the grid is the end of all. */
static uint32_t last_flags(const struct image_device *device)
{
	return device->groups > 1 ? NPU_TCB_GRID_END : 0;
}

static uint32_t last_levels(const struct image_device *device)
{
	return NPU_IRQ_CLUSTER | (device->groups > 1 ? 0 : NPU_IRQ_CORE);
}

static unsigned int tasks(const struct image_device *device)
{
	return device->tecs * (device->groups ? device->groups : 1);
}

static void write_task(struct npu_tcb_task *tcb, uint64_t address, uint64_t image,
		       const struct image_device *device, unsigned int task)
{
	uint32_t relative = (uint32_t)(image - device->asid0_base);
	unsigned int id = task % device->tecs;
	bool last = task == tasks(device) - 1;

	*tcb = (struct npu_tcb_task){
		.flag = NPU_TCB_TYPE_TASK | (id == device->tecs - 1 ? NPU_TCB_GROUP_END : 0) |
			(last ? last_flags(device) : 0),
		.next = last ? 0 : (uint32_t)(address + NPU_TCB_SIZE),
		.spc = relative + IMAGE_TEXT,
		.interrupt_en = NPU_IRQ_TYPES | (last ? last_levels(device) : 0),
		.group_id = (uint16_t)(task / device->tecs),
		.task_id = (uint16_t)id,
		.grid_dim = {1, 1, 1},
		.group_dim = {(uint16_t)device->tecs, 1, 1},
		.group_pos = {1, 0, 0},
		.task_pos = {(uint16_t)id, 0, 0},
		.sp = relative + IMAGE_STACK + task * 64,
		.pp = relative + IMAGE_PARAM,
		.tcbp = (uint32_t)(address - device->asid0_base),
	};
}

static void write_chain(uint8_t *cpu, uint64_t address, const struct image_device *device)
{
	unsigned int tcb = 1 + segmmus(device);

	write_init(cpu, address, device);
	for (unsigned int task = 0; task < tasks(device); task++, tcb++)
		write_task((struct npu_tcb_task *)(cpu + tcb * NPU_TCB_SIZE),
			   address + tcb * NPU_TCB_SIZE, address, device, task);
}

struct image image_write(uint8_t *cpu, uint64_t address, const struct image_device *device,
			 const struct npu_insn *insn, unsigned int n, uint32_t seed)
{
	struct npu_insn end = insn_plain(NPU_OP_END);
	struct image image = {.head = address, .n_tcbs = 1 + segmmus(device) + tasks(device)};

	memset(cpu, 0, IMAGE_SIZE);
	write_chain(cpu, address, device);
	memcpy(cpu + IMAGE_TEXT, insn, n * sizeof(*insn));
	memcpy(cpu + IMAGE_TEXT + n * sizeof(*insn), &end, sizeof(end));
	image_set_slot(cpu, device, 0, address + IMAGE_IN, IMAGE_BYTES);
	image_set_slot(cpu, device, 1, address + IMAGE_OUT, IMAGE_BYTES);
	for (uint32_t i = 0; i < IMAGE_BYTES; i++)
		cpu[IMAGE_IN + i] = image_pattern(seed, i);
	image.first_task = address + (1 + segmmus(device)) * NPU_TCB_SIZE;
	image.last_task = address + (image.n_tcbs - 1) * NPU_TCB_SIZE;
	return image;
}

void image_rewind(uint8_t *cpu, uint64_t address, const struct image_device *device)
{
	write_chain(cpu, address, device);
	memset(cpu + IMAGE_OUT, 0, IMAGE_BYTES);
}
