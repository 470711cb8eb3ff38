/* SPDX-License-Identifier: Apache-2.0 */
/* What a job can reach: what it was granted, and nothing else. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/device.h"
#include "npu/engine.h"
#include "npu/tcb.h"
#include "proto/entry.h"
#include "tests/unit/daemon/hand_job.h"

static void expect_denied(struct hand_job *hand, enum npu_reason reason, const char *what)
{
	struct device_event event = hand_run(hand);

	cr_expect_eq(event.result, DEVICE_FAULTED, "%s", what);
	cr_expect_eq(event.fault.class, ZY_FAULT_MEMORY, "%s", what);
	cr_expect_eq(event.fault.code, (uint32_t)reason, "%s: %s", what,
		     npu_reason_name((enum npu_reason)event.fault.code));
}

Test(device_soft_isolation, a_program_reaches_no_buffer_but_its_jobs)
{
	struct device *device = hand_device(2);
	uint32_t base = (uint32_t)device->caps.asid0_base;
	struct hand_job hand, victim;

	hand_job_init(&victim, device, hand_program(NPU_OP_HANG, 0), 1, true);
	victim.job.cookie = 1;
	memset(victim.in->cpu, 0x77, 4096);
	cr_assert_eq(device_submit(device, &victim.job), 0);
	hand_job_init(&hand, device, hand_copy_program(), 1, true);
	hand.job.core_mask = 2;

	hand_job_slot(&hand, 0)->address = (uint32_t)victim.in->address - base;
	expect_denied(&hand, NPU_REASON_OPERAND_UNMAPPED, "reading a stranger's buffer");
	hand_job_slot(&hand, 0)->address = (uint32_t)hand.in->address - base;
	hand_job_slot(&hand, 1)->address = (uint32_t)victim.in->address - base;
	expect_denied(&hand, NPU_REASON_OPERAND_UNMAPPED, "writing a stranger's buffer");
	hand_job_slot(&hand, 1)->address = (uint32_t)victim.memory->address - base + HAND_CHAIN;
	expect_denied(&hand, NPU_REASON_OPERAND_UNMAPPED, "writing a stranger's chain");
	hand_job_slot(&hand, 1)->address = (uint32_t)hand.memory->address - base + HAND_CHAIN;
	expect_denied(&hand, NPU_REASON_OPERAND_UNMAPPED, "writing its own chain");
	hand_job_slot(&hand, 1)->address = (uint32_t)hand.memory->address - base + HAND_TEXT;
	expect_denied(&hand, NPU_REASON_OPERAND_UNMAPPED, "writing its own text");
	for (int i = 0; i < 4096; i++)
		cr_assert_eq(victim.in->cpu[i], 0x77);
	cr_expect_eq(hand.out->cpu[0], 0);
	device_reset(device);
	cr_assert(hand_wait(device, &(struct device_event){0}, HAND_LONG_MS));
	hand_job_finish(&hand);
	hand_job_finish(&victim);
	device_close(device);
}

Test(device_soft_isolation, objects_are_reached_whole_and_as_granted)
{
	struct device *device = hand_device(1);
	uint32_t in, out;
	struct hand_job hand;

	hand_job_init(&hand, device, hand_copy_program(), 1, true);
	in = hand_job_slot(&hand, 0)->address;
	out = hand_job_slot(&hand, 1)->address;

	hand_job_slot(&hand, 1)->address = in;
	hand_job_slot(&hand, 0)->address = out;
	expect_denied(&hand, NPU_REASON_OPERAND_UNMAPPED, "writing what may only be read");
	hand_job_slot(&hand, 0)->address = in + 4;
	hand_job_slot(&hand, 1)->address = out;
	expect_denied(&hand, NPU_REASON_OPERAND_UNMAPPED, "running off the end");
	hand_job_slot(&hand, 0)->address = in;
	hand.ranges[HAND_R_IN].size = 2048;
	expect_denied(&hand, NPU_REASON_OPERAND_UNMAPPED, "reading more than the object");
	hand.ranges[HAND_R_IN].size = 4096;
	hand_job_slot(&hand, 0)->size = hand_job_slot(&hand, 1)->size = 2048;
	hand_job_insn(&hand, 0)->extra[0] = 2048;
	expect_denied(&hand, NPU_REASON_OPERAND_UNMAPPED, "reading a part of the object");
	hand.ranges[HAND_R_IN].size = hand.ranges[HAND_R_OUT].size = 2048;
	cr_expect_eq(hand_run(&hand).result, DEVICE_DONE, "the object exactly");
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft_isolation, text_parameters_and_chain_end_where_they_end)
{
	struct device *device = hand_device(1);
	struct npu_tcb_task *task;
	struct hand_job hand;

	hand_job_init(&hand, device, hand_copy_program(), 1, true);
	hand.ranges[HAND_R_TEXT].size -= 1;
	expect_denied(&hand, NPU_REASON_TEXT_UNMAPPED, "the last instruction");
	hand.ranges[HAND_R_TEXT].size += 1;
	hand.ranges[HAND_R_PARAM].size -= 1;
	expect_denied(&hand, NPU_REASON_PARAM_UNMAPPED, "the last slot");
	hand.ranges[HAND_R_PARAM].size += 1;
	hand.ranges[HAND_R_PARAM].access = DEVICE_ACCESS_READ;
	expect_denied(&hand, NPU_REASON_PARAM_UNMAPPED, "slots in something else");
	hand.ranges[HAND_R_PARAM].access = DEVICE_ACCESS_PARAM;
	for (unsigned int i = 0; i < 4; i++) {
		task = (struct npu_tcb_task *)(void *)hand_job_tcb(&hand, 2 + i);
		task->pp -= HAND_PARAMS - HAND_TEXT;
	}
	expect_denied(&hand, NPU_REASON_PARAM_UNMAPPED, "slots in the text");
	for (unsigned int i = 0; i < 4; i++) {
		task = (struct npu_tcb_task *)(void *)hand_job_tcb(&hand, 2 + i);
		task->pp += HAND_PARAMS - HAND_TEXT;
	}
	hand.ranges[HAND_R_TCB].size -= 1;
	expect_denied(&hand, NPU_REASON_TCB_UNMAPPED, "the last TCB");
	hand.ranges[HAND_R_TCB].size += 1;
	hand.job.head = hand.in->address;
	expect_denied(&hand, NPU_REASON_TCB_UNMAPPED, "a head in a tensor");
	hand_job_finish(&hand);
	device_close(device);
}

/* Whatever single bits are wrong: one event, and nobody else's memory changes. */
Test(device_soft_isolation, flipped_bits_end_in_one_event_and_touch_nobody_else)
{
	struct device *device = hand_device(2);
	struct hand_job hand, victim;
	struct device_event event;
	unsigned int state = hand_seed();

	hand_job_init(&victim, device, hand_copy_program(), 1, true);
	memset(victim.in->cpu, 0x77, 4096);
	memset(victim.out->cpu, 0x88, 4096);
	for (int round = 0; round < 1500; round++) {
		static const uint32_t areas[][2] = {
			{HAND_TEXT, 256}, {HAND_PARAMS, 16}, {HAND_CHAIN, 7 * 128}};
		const uint32_t *area = areas[round % 3];
		uint32_t bit;

		hand_job_init(&hand, device, hand_copy_program(), 1 + round % 2, true);
		bit = (uint32_t)rand_r(&state) % (area[1] * 8);
		hand.memory->cpu[area[0] + bit / 8] ^= (uint8_t)(1u << bit % 8);
		hand.job.cookie = (uint64_t)round;
		cr_assert_eq(device_submit(device, &hand.job), 0);
		if (!hand_wait(device, &event, 300)) {
			cr_assert_eq(device_abort(device, hand.job.cookie), 0);
			cr_assert(hand_wait(device, &event, HAND_LONG_MS));
		}
		cr_assert_eq(event.cookie, (uint64_t)round);
		cr_assert_eq(device_collect(device, &event, 1), 0);
		hand_job_finish(&hand);
	}
	for (int i = 0; i < 4096; i++) {
		cr_assert_eq(victim.in->cpu[i], 0x77);
		cr_assert_eq(victim.out->cpu[i], 0x88);
	}
	cr_expect_eq(hand_run(&victim).result, DEVICE_DONE);
	hand_job_finish(&victim);
	device_close(device);
}

/* The lookup against one that cannot be wrong, with many ranges in two sets. */
Test(device_soft_isolation, exactly_the_listed_ranges_are_reachable)
{
	enum { N = 60 };
	struct device *device = hand_device(1);
	struct device_range ranges[2][N + HAND_R_MAX_];
	uint32_t base = (uint32_t)device->caps.asid0_base;
	struct device_buffer *arena;
	struct hand_job hand;
	unsigned int state = hand_seed();
	unsigned int n_done = 0;

	cr_assert_eq(device_buffer_create(device, 65536, &arena), 0);
	hand_job_init(&hand, device, hand_copy_program(), 1, true);
	hand_job_insn(&hand, 0)->extra[0] = 64;
	hand_job_slot(&hand, 0)->size = hand_job_slot(&hand, 1)->size = 64;
	hand.ranges[HAND_R_OUT].size = 64;
	for (int set = 0; set < 2; set++) {
		size_t n = 0;

		for (; n < N; n++)
			ranges[set][n] = (struct device_range){
				arena, (uint32_t)rand_r(&state) % 64 * 4,
				rand_r(&state) % 2 ? 64 : 60,
				rand_r(&state) % 2 ? DEVICE_ACCESS_READ : DEVICE_ACCESS_RW};
		for (size_t i = set ? HAND_R_IN : 0; i < (set ? HAND_R_MAX_ : HAND_R_IN); i++)
			ranges[set][n++] = hand.ranges[i];
		hand.job.ranges[set].range = ranges[set];
		hand.job.ranges[set].n = n;
	}
	for (int round = 0; round < 1000; round++) {
		bool write = rand_r(&state) % 2, allowed = false;
		uint64_t offset = (uint64_t)(rand_r(&state) % 70) * 4;

		hand_job_slot(&hand, 0)->address = (uint32_t)hand.in->address - base;
		hand_job_slot(&hand, 1)->address = (uint32_t)hand.out->address - base;
		ranges[1][N].size = 64; /* the input */
		hand_job_slot(&hand, write)->address = (uint32_t)(arena->address + offset) - base;
		for (int i = 0; i < 2 * N; i++) {
			const struct device_range *r = &ranges[i / N][i % N];

			allowed |= r->offset == offset && r->size == 64 &&
				   (!write || r->access == DEVICE_ACCESS_RW);
		}
		cr_assert_eq(hand_run(&hand).result, allowed ? DEVICE_DONE : DEVICE_FAULTED);
		n_done += allowed;
	}
	cr_expect_gt(n_done, 20);
	cr_expect_lt(n_done, 980);
	hand_job_finish(&hand);
	device_buffer_destroy(arena);
	device_close(device);
}
