/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs for tests of the driver: one buffer with everything a job is made of, laid
 * out by hand from the project's own headers, so that a test can break any word of it.
 *
 * Offsets in the image:
 *	0x0000  chain: init TCB, SegMMU TCBs, a task TCB for each group and TEC
 *	0x1000  text
 *	0x2000  parameter block: slot 0 in, slot 1 out
 *	0x3000  stacks, which no instruction uses
 *	0x4000  in
 *	0x5000  out
 */
#pragma once

#include <stdint.h>

#include "npu/isa.h"
#include "npu/tcb.h"

#define IMAGE_TEXT 0x1000u
#define IMAGE_PARAM 0x2000u
#define IMAGE_STACK 0x3000u
#define IMAGE_IN 0x4000u
#define IMAGE_OUT 0x5000u
#define IMAGE_SIZE 0x6000u
#define IMAGE_BYTES 0x1000u /* of in and of out */

/* What chains look like on this device. */
struct image_device {
	uint64_t asid0_base;
	unsigned int cores;  /* of a cluster */
	unsigned int tecs;   /* of a core */
	unsigned int groups; /* of the chain, all with the same program; 0 is 1 */
};

/* What a submission needs to know. All addresses are absolute. */
struct image {
	uint64_t head, first_task, last_task;
	unsigned int n_tcbs;
};

/*
 * Write a whole image with the program @insn[0 … @n] and `end` to @cpu, which is at @address
 * of the device. `in` is filled with a pattern made from @seed, `out` with zeros.
 */
struct image image_write(uint8_t *cpu, uint64_t address, const struct image_device *device,
			 const struct npu_insn *insn, unsigned int n, uint32_t seed);
/* Point a slot somewhere else. */
void image_set_slot(uint8_t *cpu, const struct image_device *device, unsigned int slot,
		    uint64_t address, uint32_t size);
/* Forget what an earlier run wrote, so that the image can run again. */
void image_rewind(uint8_t *cpu, uint64_t address, const struct image_device *device);
/* Byte @i of a pattern. */
uint8_t image_pattern(uint32_t seed, uint32_t i);

struct npu_insn insn_copy(uint32_t bytes);
struct npu_insn insn_delay(uint32_t microseconds);
struct npu_insn insn_hang(void);
struct npu_insn insn_fault(enum npu_raise what);
