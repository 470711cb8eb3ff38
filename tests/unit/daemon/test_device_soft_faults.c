/* SPDX-License-Identifier: Apache-2.0 */
/* Failures of programs: what they raise and what becomes of the rest of the job. */
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

Test(device_soft_faults, what_a_program_raises_arrives_in_its_class)
{
	static const uint32_t classes[] = {
		[NPU_RAISE_EXCEPTION] = ZY_FAULT_EXCEPTION,
		[NPU_RAISE_FAULT] = ZY_FAULT_MEMORY,
		[NPU_RAISE_ERROR] = ZY_FAULT_ERROR,
	};
	struct device *device = hand_device(3);
	struct hand_job hand;
	struct device_event event;

	for (uint32_t i = 0; i < NPU_ARRAY_SIZE(classes); i++) {
		hand_job_init(&hand, device, hand_program(NPU_OP_FAULT, i), 1, true);
		hand.job.core_mask = 4;
		event = hand_run(&hand);
		cr_expect_eq(event.result, DEVICE_FAULTED);
		cr_expect_eq(event.fault.class, classes[i]);
		cr_expect_eq(event.fault.code, NPU_REASON_RAISED);
		cr_expect_eq(event.fault.core, 2);
		cr_expect_eq(event.fault.tec, 3);
		cr_expect_eq(event.fault.insn, 0);
		cr_expect_eq(event.fault.tcbp,
			     (uint32_t)(hand.job.last_task - device->caps.asid0_base));
		hand_job_finish(&hand);
	}
	device_close(device);
}

Test(device_soft_faults, after_a_failure_the_rest_of_the_job_does_not_run)
{
	struct device *device = hand_device(3);
	struct hand_job hand;
	struct device_event event;
	struct npu_tcb_task *task;

	/* Group 0 faults, group 1 enters the program one instruction later. */
	hand_job_init(&hand, device, hand_program(NPU_OP_FAULT, NPU_RAISE_EXCEPTION), 2, true);
	for (unsigned int i = 0; i < 4; i++) {
		task = (struct npu_tcb_task *)(void *)hand_job_tcb(&hand, 1 + 2 + 4 + i);
		cr_assert_eq(task->flag & NPU_TCB_TYPE_MASK, NPU_TCB_TYPE_TASK);
		task->spc += sizeof(struct npu_insn);
	}
	memset(hand.in->cpu, 0x5a, 4096);
	event = hand_run(&hand);
	cr_expect_eq(event.result, DEVICE_FAULTED);
	cr_expect_eq(hand.out->cpu[0], 0);
	cr_expect_eq(hand_counter(device, "groups"), 1);
	cr_expect_eq(device_collect(device, &event, 1), 0, "one event, not two");
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft_faults, the_event_of_a_failed_job_waits_until_its_other_groups_have_stopped)
{
	struct device *device = hand_device(2);
	struct hand_job hand;
	struct npu_tcb_task *task;

	/* Group 0 hangs, group 1 faults beside it. */
	hand_job_init(&hand, device, hand_program(NPU_OP_HANG, 0), 2, false);
	*hand_job_insn(&hand, 1) = hand_insn(NPU_OP_FAULT, NPU_RAISE_ERROR);
	for (unsigned int i = 0; i < 4; i++) {
		task = (struct npu_tcb_task *)(void *)hand_job_tcb(&hand, 1 + 1 + 4 + i);
		task->spc += sizeof(struct npu_insn);
	}
	cr_expect_eq(hand_run(&hand).result, DEVICE_FAULTED);
	cr_expect_eq(hand_counter(device, "aborts"), 1);
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft_faults, a_chain_that_ends_without_completion_is_a_fault)
{
	struct device *device = hand_device(1);
	struct hand_job hand;
	struct device_event event;

	hand_job_init(&hand, device, hand_copy_program(), 1, true);
	hand.job.last_task += NPU_TCB_SIZE;
	event = hand_run(&hand);
	cr_expect_eq(event.result, DEVICE_FAULTED);
	cr_expect_eq(event.fault.class, ZY_FAULT_NO_END);
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft_faults, a_damaged_chain_is_an_exception)
{
	struct device *device = hand_device(1);
	struct hand_job hand;
	struct device_event event;

	hand_job_init(&hand, device, hand_copy_program(), 1, true);
	hand_job_tcb(&hand, 3)[0x6c] ^= 0x80;
	event = hand_run(&hand);
	cr_expect_eq(event.result, DEVICE_FAULTED);
	cr_expect_eq(event.fault.class, ZY_FAULT_EXCEPTION);
	cr_expect_eq(event.fault.code, NPU_REASON_BAD_TCB);
	hand_job_finish(&hand);
	device_close(device);
}
