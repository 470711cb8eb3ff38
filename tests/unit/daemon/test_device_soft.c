/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/device.h"
#include "npu/engine.h"
#include "npu/tcb.h"
#include "proto/entry.h"
#include "tests/unit/daemon/hand_job.h"

#define LONG_MS 10000

static const struct npu_insn *copy_program(void)
{
	static struct npu_insn program[2];

	program[0] = hand_copy(4096);
	program[1] = hand_insn(NPU_OP_END, 0);
	return program;
}

static const struct npu_insn *program_of(uint16_t opcode, uint32_t extra)
{
	static struct npu_insn program[3];

	program[0] = hand_insn(opcode, extra);
	program[1] = hand_copy(4096);
	program[2] = hand_insn(NPU_OP_END, 0);
	return program;
}

static bool is_readable(struct device *device)
{
	struct pollfd p = {.fd = device->fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static struct device_event run(struct hand_job *hand)
{
	struct device_event event = {0};

	cr_assert_eq(device_submit(hand->device, &hand->job), 0);
	cr_assert(hand_wait(hand->device, &event, LONG_MS), "no event");
	return event;
}

static uint64_t counter(struct device *device, const char *name)
{
	struct device_counter counters[16];
	size_t n = device_counters(device, counters, NPU_ARRAY_SIZE(counters));

	for (size_t i = 0; i < n; i++)
		if (strcmp(counters[i].name, name) == 0)
			return counters[i].value;
	cr_assert(false, "there is no counter %s", name);
	return 0;
}

static uint64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static unsigned int seed(void)
{
	const char *text = getenv("ZHOUYI_SEED");
	unsigned int value = text ? (unsigned int)strtoul(text, NULL, 0)
				  : (unsigned int)clock_ms(CLOCK_REALTIME);

	fprintf(stderr, "ZHOUYI_SEED=%u\n", value);
	return value;
}

/*
 * Jobs
 */

Test(device_soft, a_job_runs_and_reports_once)
{
	struct device *device = hand_device(3);
	struct hand_job hand;
	struct device_event event;

	hand_job_init(&hand, device, copy_program(), 1, true);
	for (int i = 0; i < 4096; i++)
		hand.in->cpu[i] = (uint8_t)(i * 7);
	hand.job.cookie = 0xfeedfacecafe;
	cr_expect_not(is_readable(device));
	event = run(&hand);
	cr_expect_eq(event.cookie, 0xfeedfacecafe);
	cr_expect_eq(event.result, DEVICE_DONE);
	cr_expect_gt(event.run_ns, 0);
	cr_expect_eq(event.cores, 1);
	cr_expect_eq(event.fault.class, ZY_FAULT_NONE);
	cr_expect_eq(memcmp(hand.in->cpu, hand.out->cpu, 4096), 0);
	cr_expect_not(is_readable(device), "the descriptor is drained");
	cr_expect_eq(device_collect(device, &event, 1), 0);
	cr_expect_eq(counter(device, "jobs"), 1);
	cr_expect_eq(counter(device, "groups"), 1);
	cr_expect_eq(counter(device, "tasks"), 4);
	cr_expect_eq(counter(device, "instructions"), 2);
	cr_expect_eq(counter(device, "tcbs"), 1 + 2 + 4);
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft, several_groups_report_when_the_last_is_done)
{
	struct device *device = hand_device(3);
	struct hand_job hand;
	struct device_event event;

	for (int in_order = 0; in_order < 2; in_order++) {
		hand_job_init(&hand, device, program_of(NPU_OP_DELAY, 20000), 3, in_order);
		event = run(&hand);
		cr_expect_eq(event.result, DEVICE_DONE);
		cr_expect_geq(event.run_ns, (in_order ? 60 : 20) * 1000000);
		if (!in_order)
			cr_expect_eq(event.cores, 7, "all at once");
		hand_job_finish(&hand);
	}
	cr_expect_eq(counter(device, "groups"), 6);
	device_close(device);
}

/* The walker takes nothing but what makes sense, so it must make sense in all shapes. */
Test(device_soft, chains_of_all_shapes_run)
{
	static const uint32_t bss[] = {0, 1, 1, 0};
	static const int32_t dependencies[] = {0, 1, GRAPH_DEPENDS_ON_ALL};
	unsigned int state = seed();

	for (int round = 0; round < 150; round++) {
		unsigned int cores = 1 + (unsigned int)rand_r(&state) % 15;
		unsigned int tecs = 1 + (unsigned int)rand_r(&state) % 15;
		unsigned int n = 1 + (unsigned int)rand_r(&state) % 4;
		struct device_soft_config config = {1, 1, cores, tecs, UINT64_C(1) << 20, NULL};
		struct graph_subgraph subgraphs[4] = {0};
		struct device_event event;
		struct device *device;
		struct hand_job hand;
		const char *reason;

		for (unsigned int i = 0; i < n; i++) {
			subgraphs[i].bss = bss[i];
			subgraphs[i].dependency = dependencies[rand_r(&state) % 3];
			subgraphs[i].printf_size = (uint32_t)rand_r(&state) % 2;
			subgraphs[i].private_size = (uint32_t)rand_r(&state) % 2;
		}
		cr_assert_eq(device_open(&device, "soft", &config, &reason), 0);
		hand_job_init(&hand, device, program_of(NPU_OP_DELAY, 1), 1, true);
		*hand_job_insn(&hand, 1) = hand_insn(NPU_OP_END, 0);
		hand_job_chain(&hand, subgraphs, n);
		event = run(&hand);
		cr_assert_eq(event.result, DEVICE_DONE, "%u cores, %u TECs, %u groups: %s", cores,
			     tecs, n, npu_reason_name((enum npu_reason)event.fault.code));
		cr_assert_eq(counter(device, "groups"), n);
		cr_assert_eq(counter(device, "tasks"), n * tecs);
		hand_job_finish(&hand);
		device_close(device);
	}
}

Test(device_soft, core_masks_are_honoured)
{
	struct device *device = hand_device(3);
	struct hand_job hand;

	hand_job_init(&hand, device, copy_program(), 1, true);
	for (int i = 0; i < 30; i++) {
		hand.job.core_mask = UINT64_C(1) << i % 3;
		cr_expect_eq(run(&hand).cores, UINT64_C(1) << i % 3);
	}
	hand.job.core_mask = 6;
	cr_expect_eq(run(&hand).cores & ~UINT64_C(6), 0);
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft, what_makes_no_sense_is_not_taken)
{
	struct device *device = hand_device(2);
	struct device *other = hand_device(1);
	struct hand_job hand, stranger;
	struct device_event event;

	hand_job_init(&hand, device, copy_program(), 1, true);
	hand_job_init(&stranger, other, copy_program(), 1, true);
	hand.job.core_mask = 0;
	cr_expect_eq(device_submit(device, &hand.job), -EINVAL);
	hand.job.core_mask = 4;
	cr_expect_eq(device_submit(device, &hand.job), -EINVAL);
	hand.job.core_mask = 5;
	cr_expect_eq(device_submit(device, &hand.job), -EINVAL);
	hand.job.core_mask = 3;
	hand.ranges[HAND_R_IN].size = 4097;
	cr_expect_eq(device_submit(device, &hand.job), -EINVAL);
	hand.ranges[HAND_R_IN] = (struct device_range){hand.in, 4096, 4096, DEVICE_ACCESS_READ};
	cr_expect_eq(device_submit(device, &hand.job), -EINVAL);
	hand.ranges[HAND_R_IN] = (struct device_range){hand.in, UINT64_MAX, 2, DEVICE_ACCESS_READ};
	cr_expect_eq(device_submit(device, &hand.job), -EINVAL);
	hand.ranges[HAND_R_IN] = (struct device_range){stranger.in, 0, 4096, DEVICE_ACCESS_READ};
	cr_expect_eq(device_submit(device, &hand.job), -EINVAL);
	cr_expect_eq(device_collect(device, &event, 1), 0);
	cr_expect_eq(counter(device, "jobs"), 0);
	hand_job_finish(&hand);
	hand_job_finish(&stranger);
	device_close(device);
	device_close(other);
}

Test(device_soft, a_delay_occupies_the_core_and_not_the_processor)
{
	struct device *device = hand_device(1);
	struct hand_job hand;
	struct device_event event;
	uint64_t cpu = clock_ms(CLOCK_PROCESS_CPUTIME_ID);

	hand_job_init(&hand, device, program_of(NPU_OP_DELAY, 300000), 1, true);
	event = run(&hand);
	cpu = clock_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	cr_expect_eq(event.result, DEVICE_DONE);
	cr_expect_geq(event.run_ns, 300000000);
	cr_expect_lt(cpu, 100, "%llu ms of processor time", (unsigned long long)cpu);
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft, more_jobs_than_it_takes_are_refused_until_one_is_collected)
{
	struct device *device = hand_device(3);
	struct hand_job hand[8];
	struct device_event events[8];
	size_t submitted = 0, collected = 0;
	unsigned int seen = 0;

	cr_assert_eq(device->caps.depth, 6);
	for (size_t i = 0; i < 8; i++) {
		hand_job_init(&hand[i], device, program_of(NPU_OP_DELAY, 5000), 1, true);
		hand[i].job.cookie = i;
	}
	while (submitted < 6)
		cr_assert_eq(device_submit(device, &hand[submitted++].job), 0);
	cr_expect_eq(device_submit(device, &hand[6].job), -EAGAIN);
	while (collected < 8) {
		struct pollfd p = {.fd = device->fd, .events = POLLIN};
		size_t n;

		cr_assert_eq(poll(&p, 1, LONG_MS), 1);
		n = device_collect(device, events, 8);
		for (size_t i = 0; i < n; i++) {
			cr_expect_eq(events[i].result, DEVICE_DONE);
			cr_expect_not(seen & 1u << events[i].cookie, "reported twice");
			seen |= 1u << events[i].cookie;
			if (submitted < 8)
				cr_expect_eq(device_submit(device, &hand[submitted++].job), 0);
		}
		collected += n;
	}
	cr_expect_eq(seen, 0xff);
	for (size_t i = 0; i < 8; i++)
		hand_job_finish(&hand[i]);
	device_close(device);
}

/*
 * Aborts
 */

Test(device_soft, a_hanging_job_sleeps_until_it_is_aborted)
{
	struct device *device = hand_device(1);
	struct hand_job hang, next;
	struct device_event event;
	uint64_t cpu = clock_ms(CLOCK_PROCESS_CPUTIME_ID);

	hand_job_init(&hang, device, program_of(NPU_OP_HANG, 0), 1, true);
	hand_job_init(&next, device, copy_program(), 1, true);
	hang.job.cookie = 1;
	next.job.cookie = 2;
	cr_assert_eq(device_submit(device, &hang.job), 0);
	cr_assert_eq(device_submit(device, &next.job), 0);
	cr_expect_not(hand_wait(device, &event, 200));
	cpu = clock_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	cr_expect_lt(cpu, 100, "%llu ms of processor time", (unsigned long long)cpu);
	cr_expect_eq(device_abort(device, 3), -ENOENT);
	cr_expect_eq(device_abort(device, 1), 0);
	cr_assert(hand_wait(device, &event, LONG_MS));
	cr_expect_eq(event.cookie, 1);
	cr_expect_eq(event.result, DEVICE_ABORTED);
	cr_expect_geq(event.run_ns, 190000000);
	cr_assert(hand_wait(device, &event, LONG_MS));
	cr_expect_eq(event.cookie, 2, "the core goes on with the next job");
	cr_expect_eq(event.result, DEVICE_DONE);
	cr_expect_eq(device_abort(device, 1), -ENOENT);
	cr_expect_eq(hang.out->cpu[0], 0);
	cr_expect_eq(counter(device, "aborts"), 1);
	hand_job_finish(&hang);
	hand_job_finish(&next);
	device_close(device);
}

Test(device_soft, a_job_that_waits_is_aborted_at_once)
{
	struct device *device = hand_device(1);
	struct hand_job hang, next;
	struct device_event event;

	hand_job_init(&hang, device, program_of(NPU_OP_HANG, 0), 1, true);
	hand_job_init(&next, device, copy_program(), 1, true);
	hang.job.cookie = 1;
	next.job.cookie = 2;
	cr_assert_eq(device_submit(device, &hang.job), 0);
	cr_assert_eq(device_submit(device, &next.job), 0);
	cr_expect_eq(device_abort(device, 2), 0);
	cr_assert_eq(device_collect(device, &event, 1), 1);
	cr_expect_eq(event.cookie, 2);
	cr_expect_eq(event.result, DEVICE_ABORTED);
	cr_expect_eq(event.cores, 0);
	cr_expect_eq(event.run_ns, 0);
	cr_expect_eq(device_abort(device, 1), 0);
	cr_assert(hand_wait(device, &event, LONG_MS));
	hand_job_finish(&hang);
	hand_job_finish(&next);
	device_close(device);
}

Test(device_soft, an_abort_that_comes_too_late_changes_nothing)
{
	struct device *device = hand_device(1);
	struct hand_job hand;
	struct device_event event;

	hand_job_init(&hand, device, copy_program(), 1, true);
	cr_assert_eq(device_submit(device, &hand.job), 0);
	while (!is_readable(device))
		usleep(1000);
	cr_expect_eq(device_abort(device, hand.job.cookie), 0);
	cr_assert_eq(device_collect(device, &event, 1), 1);
	cr_expect_eq(event.result, DEVICE_DONE);
	cr_expect_eq(device_collect(device, &event, 1), 0);
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft, a_reset_ends_everything_and_the_device_starts_afresh)
{
	struct device *device = hand_device(2);
	struct hand_job hand[4];
	struct device_event event;
	unsigned int seen = 0;

	for (size_t i = 0; i < 4; i++) {
		hand_job_init(&hand[i], device, program_of(NPU_OP_HANG, 0), 2, false);
		hand[i].job.cookie = i;
		cr_assert_eq(device_submit(device, &hand[i].job), 0);
	}
	cr_expect_eq(device_reset(device), 0);
	for (size_t i = 0; i < 4; i++) {
		cr_assert(hand_wait(device, &event, LONG_MS));
		cr_expect_eq(event.result, DEVICE_ABORTED);
		seen |= 1u << event.cookie;
	}
	cr_expect_eq(seen, 0xf);
	*hand_job_insn(&hand[0], 0) = hand_insn(NPU_OP_DELAY, 1);
	cr_expect_eq(run(&hand[0]).result, DEVICE_DONE);
	for (size_t i = 0; i < 4; i++)
		hand_job_finish(&hand[i]);
	device_close(device);
}

/*
 * Failures
 */

Test(device_soft, what_a_program_raises_arrives_in_its_class)
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
		hand_job_init(&hand, device, program_of(NPU_OP_FAULT, i), 1, true);
		hand.job.core_mask = 4;
		event = run(&hand);
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

Test(device_soft, after_a_failure_the_rest_of_the_job_does_not_run)
{
	struct device *device = hand_device(3);
	struct hand_job hand;
	struct device_event event;
	struct npu_tcb_task *task;

	/* Group 0 faults, group 1 enters the program one instruction later. */
	hand_job_init(&hand, device, program_of(NPU_OP_FAULT, NPU_RAISE_EXCEPTION), 2, true);
	for (unsigned int i = 0; i < 4; i++) {
		task = (struct npu_tcb_task *)(void *)hand_job_tcb(&hand, 1 + 2 + 4 + i);
		cr_assert_eq(task->flag & NPU_TCB_TYPE_MASK, NPU_TCB_TYPE_TASK);
		task->spc += sizeof(struct npu_insn);
	}
	memset(hand.in->cpu, 0x5a, 4096);
	event = run(&hand);
	cr_expect_eq(event.result, DEVICE_FAULTED);
	cr_expect_eq(hand.out->cpu[0], 0);
	cr_expect_eq(counter(device, "groups"), 1);
	cr_expect_eq(device_collect(device, &event, 1), 0, "one event, not two");
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft, the_event_of_a_failed_job_waits_until_its_other_groups_have_stopped)
{
	struct device *device = hand_device(2);
	struct hand_job hand;
	struct npu_tcb_task *task;

	/* Group 0 hangs, group 1 faults beside it. */
	hand_job_init(&hand, device, program_of(NPU_OP_HANG, 0), 2, false);
	*hand_job_insn(&hand, 1) = hand_insn(NPU_OP_FAULT, NPU_RAISE_ERROR);
	for (unsigned int i = 0; i < 4; i++) {
		task = (struct npu_tcb_task *)(void *)hand_job_tcb(&hand, 1 + 1 + 4 + i);
		task->spc += sizeof(struct npu_insn);
	}
	cr_expect_eq(run(&hand).result, DEVICE_FAULTED);
	cr_expect_eq(counter(device, "aborts"), 1);
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft, a_chain_that_ends_without_completion_is_a_fault)
{
	struct device *device = hand_device(1);
	struct hand_job hand;
	struct device_event event;

	hand_job_init(&hand, device, copy_program(), 1, true);
	hand.job.last_task += NPU_TCB_SIZE;
	event = run(&hand);
	cr_expect_eq(event.result, DEVICE_FAULTED);
	cr_expect_eq(event.fault.class, ZY_FAULT_NO_END);
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft, a_damaged_chain_is_an_exception)
{
	struct device *device = hand_device(1);
	struct hand_job hand;
	struct device_event event;

	hand_job_init(&hand, device, copy_program(), 1, true);
	hand_job_tcb(&hand, 3)[0x6c] ^= 0x80;
	event = run(&hand);
	cr_expect_eq(event.result, DEVICE_FAULTED);
	cr_expect_eq(event.fault.class, ZY_FAULT_EXCEPTION);
	cr_expect_eq(event.fault.code, NPU_REASON_BAD_TCB);
	hand_job_finish(&hand);
	device_close(device);
}

/*
 * Isolation
 */

static void expect_denied(struct hand_job *hand, enum npu_reason reason, const char *what)
{
	struct device_event event = run(hand);

	cr_expect_eq(event.result, DEVICE_FAULTED, "%s", what);
	cr_expect_eq(event.fault.class, ZY_FAULT_MEMORY, "%s", what);
	cr_expect_eq(event.fault.code, (uint32_t)reason, "%s: %s", what,
		     npu_reason_name((enum npu_reason)event.fault.code));
}

Test(device_soft, a_program_reaches_no_buffer_but_its_jobs)
{
	struct device *device = hand_device(2);
	uint32_t base = (uint32_t)device->caps.asid0_base;
	struct hand_job hand, victim;

	hand_job_init(&victim, device, program_of(NPU_OP_HANG, 0), 1, true);
	victim.job.cookie = 1;
	memset(victim.in->cpu, 0x77, 4096);
	cr_assert_eq(device_submit(device, &victim.job), 0);
	hand_job_init(&hand, device, copy_program(), 1, true);
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
	cr_assert(hand_wait(device, &(struct device_event){0}, LONG_MS));
	hand_job_finish(&hand);
	hand_job_finish(&victim);
	device_close(device);
}

Test(device_soft, objects_are_reached_whole_and_as_granted)
{
	struct device *device = hand_device(1);
	uint32_t in, out;
	struct hand_job hand;

	hand_job_init(&hand, device, copy_program(), 1, true);
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
	cr_expect_eq(run(&hand).result, DEVICE_DONE, "the object exactly");
	hand_job_finish(&hand);
	device_close(device);
}

Test(device_soft, text_parameters_and_chain_end_where_they_end)
{
	struct device *device = hand_device(1);
	struct npu_tcb_task *task;
	struct hand_job hand;

	hand_job_init(&hand, device, copy_program(), 1, true);
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
Test(device_soft, flipped_bits_end_in_one_event_and_touch_nobody_else)
{
	struct device *device = hand_device(2);
	struct hand_job hand, victim;
	struct device_event event;
	unsigned int state = seed();

	hand_job_init(&victim, device, copy_program(), 1, true);
	memset(victim.in->cpu, 0x77, 4096);
	memset(victim.out->cpu, 0x88, 4096);
	for (int round = 0; round < 1500; round++) {
		static const uint32_t areas[][2] = {
			{HAND_TEXT, 256}, {HAND_PARAMS, 16}, {HAND_CHAIN, 7 * 128}};
		const uint32_t *area = areas[round % 3];
		uint32_t bit;

		hand_job_init(&hand, device, copy_program(), 1 + round % 2, true);
		bit = (uint32_t)rand_r(&state) % (area[1] * 8);
		hand.memory->cpu[area[0] + bit / 8] ^= (uint8_t)(1u << bit % 8);
		hand.job.cookie = (uint64_t)round;
		cr_assert_eq(device_submit(device, &hand.job), 0);
		if (!hand_wait(device, &event, 300)) {
			cr_assert_eq(device_abort(device, hand.job.cookie), 0);
			cr_assert(hand_wait(device, &event, LONG_MS));
		}
		cr_assert_eq(event.cookie, (uint64_t)round);
		cr_assert_eq(device_collect(device, &event, 1), 0);
		hand_job_finish(&hand);
	}
	for (int i = 0; i < 4096; i++) {
		cr_assert_eq(victim.in->cpu[i], 0x77);
		cr_assert_eq(victim.out->cpu[i], 0x88);
	}
	cr_expect_eq(run(&victim).result, DEVICE_DONE);
	hand_job_finish(&victim);
	device_close(device);
}

/* The lookup against one that cannot be wrong, with many ranges in two sets. */
Test(device_soft, exactly_the_listed_ranges_are_reachable)
{
	enum { N = 60 };
	struct device *device = hand_device(1);
	struct device_range ranges[2][N + HAND_R_MAX_];
	uint32_t base = (uint32_t)device->caps.asid0_base;
	struct device_buffer *arena;
	struct hand_job hand;
	unsigned int state = seed();
	unsigned int n_done = 0;

	cr_assert_eq(device_buffer_create(device, 65536, &arena), 0);
	hand_job_init(&hand, device, copy_program(), 1, true);
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
		cr_assert_eq(run(&hand).result, allowed ? DEVICE_DONE : DEVICE_FAULTED);
		n_done += allowed;
	}
	cr_expect_gt(n_done, 20);
	cr_expect_lt(n_done, 980);
	hand_job_finish(&hand);
	device_buffer_destroy(arena);
	device_close(device);
}

/*
 * Memory
 */

Test(device_soft, memory_is_accounted_to_the_byte)
{
	struct device_soft_config config = {1, 1, 1, 1, 65536, NULL};
	struct device_buffer *buffers[16], *more;
	struct device *device;
	const char *reason;

	cr_assert_eq(device_open(&device, "soft", &config, &reason), 0);
	cr_expect_eq(device->caps.memory_bytes, 65536);
	cr_expect_eq(device_buffer_create(device, 0, &more), -EINVAL);
	cr_expect_eq(device_buffer_create(device, 65537, &more), -ENOSPC);
	cr_expect_eq(device_buffer_create(device, SIZE_MAX, &more), -ENOSPC);
	for (size_t i = 0; i < 16; i++) {
		cr_assert_eq(device_buffer_create(device, 1 + i, &buffers[i]), 0);
		cr_expect_eq(buffers[i]->size, 4096);
		cr_expect_eq(device_memory_used(device), (i + 1) * 4096);
	}
	cr_expect_eq(device_buffer_create(device, 1, &more), -ENOSPC, "all of it is used");
	for (size_t i = 0; i < 16; i += 2)
		device_buffer_destroy(buffers[i]);
	cr_expect_eq(device_memory_used(device), 32768);
	/* In pieces, but addresses are not what is scarce. */
	cr_expect_eq(device_buffer_create(device, 32768, &more), 0);
	device_buffer_destroy(more);
	for (size_t i = 1; i < 16; i += 2)
		device_buffer_destroy(buffers[i]);
	device_buffer_destroy(NULL);
	cr_expect_eq(device_memory_used(device), 0);
	device_close(device);
}

Test(device_soft, buffers_keep_their_distance_and_start_out_zero)
{
	struct device *device = hand_device(1);
	struct device_buffer *buffers[40] = {NULL};
	unsigned int state = seed();

	for (int round = 0; round < 2000; round++) {
		struct device_buffer **b = &buffers[rand_r(&state) % 40];

		if (*b) {
			device_buffer_destroy(*b);
			*b = NULL;
			continue;
		}
		cr_assert_eq(device_buffer_create(device, 1 + rand_r(&state) % 50000, b), 0);
		for (size_t i = 0; i < (*b)->size; i++)
			cr_assert_eq((*b)->cpu[i], 0);
		memset((*b)->cpu, 0xee, (*b)->size);
		cr_expect_gt((*b)->address, device->caps.asid0_base);
		cr_expect_leq((*b)->address + (*b)->size,
			      device->caps.asid0_base + device->caps.window_size);
		for (int i = 0; i < 40; i++)
			if (buffers[i] && &buffers[i] != b)
				cr_assert(buffers[i]->address + buffers[i]->size + 4096 <=
						  (*b)->address ||
					  (*b)->address + (*b)->size + 4096 <= buffers[i]->address);
	}
	for (int i = 0; i < 40; i++)
		device_buffer_destroy(buffers[i]);
	cr_expect_eq(device_memory_used(device), 0);
	device_close(device);
}

static int sealed(size_t size, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, (off_t)size), 0);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

Test(device_soft, sealed_memfds_become_device_memory)
{
	struct device *device = hand_device(1);
	struct device_buffer *buffer;
	int fd = sealed(8192, F_SEAL_SHRINK | F_SEAL_GROW);
	uint8_t *client = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	cr_assert_eq(device_buffer_import(device, fd, 8192, &buffer), 0);
	close(fd);
	client[5000] = 42;
	cr_expect_eq(buffer->cpu[5000], 42);
	buffer->cpu[1] = 43;
	cr_expect_eq(client[1], 43);
	cr_expect_eq(device_memory_used(device), 8192);
	device_buffer_destroy(buffer);
	cr_expect_eq(device_memory_used(device), 0);
	munmap(client, 8192);
	device_close(device);
}

Test(device_soft, descriptors_that_could_pull_the_rug_are_refused)
{
	struct device *device = hand_device(1);
	struct device_buffer *buffer;
	int fd = sealed(8192, F_SEAL_GROW), null = open("/dev/null", O_RDWR | O_CLOEXEC);

	cr_expect_eq(device_buffer_import(device, fd, 8192, &buffer), -EPERM);
	close(fd);
	cr_expect_eq(device_buffer_import(device, null, 8192, &buffer), -EPERM);
	close(null);
	cr_expect_eq(device_buffer_import(device, -1, 8192, &buffer), -EBADF);
	fd = sealed(8192, F_SEAL_SHRINK);
	cr_expect_eq(device_buffer_import(device, fd, 8193, &buffer), -EINVAL, "larger than it is");
	cr_expect_eq(device_buffer_import(device, fd, 0, &buffer), -EINVAL);
	cr_expect_eq(device_buffer_import(device, fd, SIZE_MAX, &buffer), -ENOSPC);
	close(fd);
	fd = sealed(8192, F_SEAL_SHRINK | F_SEAL_WRITE);
	cr_expect_eq(device_buffer_import(device, fd, 8192, &buffer), -EPERM, "cannot be written");
	close(fd);
	cr_expect_eq(device_memory_used(device), 0);
	device_close(device);
}

/*
 * Memory that breaks
 */

/* Touching that page is a bus error from now on: there is a mapping and nothing behind it. */
static void break_page(uint8_t *page)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0), page);
	close(fd);
}

static void mend_page(uint8_t *page)
{
	cr_assert_eq(mmap(page, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		     page);
}

static void expect_memory_lost(const struct device_event *event, uint64_t address)
{
	cr_expect_eq(event->result, DEVICE_FAULTED);
	cr_expect_eq(event->fault.class, ZY_FAULT_MEMORY);
	cr_expect_eq(event->fault.code, NPU_REASON_MEMORY_LOST);
	/* The page; where in it the processor touched it first is memcpy's business. */
	cr_expect_eq(event->fault.address & ~UINT64_C(4095), address, "%llx instead of %llx",
		     (unsigned long long)event->fault.address, (unsigned long long)address);
}

Test(device_soft, memory_that_breaks_fails_its_job_only)
{
	struct device *device = hand_device(2);
	struct hand_job broken, beside;
	struct device_event event[2];

	hand_job_init(&broken, device, copy_program(), 1, true);
	hand_job_init(&beside, device, program_of(NPU_OP_DELAY, 2000), 1, true);
	broken.job.core_mask = 1;
	beside.job.core_mask = 2;
	beside.job.cookie = 1;
	for (int round = 0; round < 40; round++) {
		struct device_buffer *victim = round % 2 ? broken.in : broken.out;

		memset(event, 0, sizeof(event));
		break_page(victim->cpu);
		cr_assert_eq(device_submit(device, &beside.job), 0);
		cr_assert_eq(device_submit(device, &broken.job), 0);
		for (int i = 0; i < 2; i++) {
			struct device_event any;

			cr_assert(hand_wait(device, &any, LONG_MS));
			event[any.cookie] = any;
		}
		expect_memory_lost(&event[0], victim->address);
		cr_expect_eq(event[0].fault.core, 0);
		cr_expect_eq(event[0].fault.insn, 0);
		cr_expect_eq(event[1].result, DEVICE_DONE);
		mend_page(victim->cpu);
		broken.in->cpu[7] = (uint8_t)(round + 1);
		cr_expect_eq(run(&broken).result, DEVICE_DONE, "the same core goes on");
		cr_expect_eq(broken.out->cpu[7], round + 1);
	}
	hand_job_finish(&broken);
	hand_job_finish(&beside);
	device_close(device);
}

Test(device_soft, text_and_parameters_may_break_too)
{
	static const uint32_t places[] = {HAND_TEXT, HAND_PARAMS};
	struct device *device = hand_device(1);

	for (size_t i = 0; i < NPU_ARRAY_SIZE(places); i++) {
		struct hand_job hand;
		struct device_event event;

		hand_job_init(&hand, device, copy_program(), 1, true);
		break_page(hand.memory->cpu + places[i]);
		event = run(&hand);
		expect_memory_lost(&event, hand.memory->address + places[i]);
		hand_job_finish(&hand);
	}
	device_close(device);
}

Test(device_soft, the_page_that_broke_is_named)
{
	struct device *device = hand_device(1);
	struct device_buffer *large;
	struct hand_job hand;
	struct device_event event;

	cr_assert_eq(device_buffer_create(device, 65536, &large), 0);
	hand_job_init(&hand, device, copy_program(), 1, true);
	*hand_job_insn(&hand, 0) = hand_copy(20000);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t offset = i ? 30720 : 5000;

		hand_job_slot(&hand, i)->address =
			(uint32_t)(large->address - device->caps.asid0_base + offset);
		hand_job_slot(&hand, i)->size = 20000;
		hand.ranges[i ? HAND_R_OUT : HAND_R_IN] = (struct device_range){
			large, offset, 20000, i ? DEVICE_ACCESS_RW : DEVICE_ACCESS_READ};
	}
	cr_expect_eq(run(&hand).result, DEVICE_DONE);
	break_page(large->cpu + 40960);
	event = run(&hand);
	cr_expect_eq(event.fault.code, NPU_REASON_MEMORY_LOST);
	cr_expect_eq((event.fault.address - large->address) / 4096, 10);
	hand_job_finish(&hand);
	device_buffer_destroy(large);
	device_close(device);
}

/* How a process ends that does @what with a device open; it says 0 if it does not. */
static int fate(void (*what)(struct device *device))
{
	int status = 0;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		const struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		what(hand_device(2));
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void do_nothing(struct device *device)
{
	device_close(device);
}

static void touch_broken(struct device *device)
{
	struct device_buffer *buffer;

	if (device_buffer_create(device, 4096, &buffer) == 0) {
		break_page(buffer->cpu);
		*(volatile uint8_t *)buffer->cpu = 1;
	}
}

static void take_a_signal(struct device *device)
{
	(void)device;
	kill(getpid(), SIGBUS);
	usleep(100000);
}

/* A sanitizer may have been there first and ends the process in its own way. */
Test(device_soft, other_bus_errors_end_the_process_as_ever)
{
	cr_expect_eq(fate(do_nothing), 0);
	cr_expect_neq(fate(touch_broken), 0);
	cr_expect_neq(fate(take_a_signal), 0);
}

/*
 * Opening
 */

Test(device_soft, configurations_that_no_device_can_have_are_refused)
{
	static const struct device_soft_config bad[] = {
		{2, 1, 3, 4, 65536, NULL},
		{0, 1, 3, 4, 65536, NULL},
		{1, 0, 3, 4, 65536, NULL},
		{1, 9, 1, 4, 65536, NULL},
		{1, 1, 0, 4, 65536, NULL},
		{1, 1, 16, 4, 65536, NULL},
		{1, 8, 9, 4, 65536, NULL},
		{1, 1, 3, 0, 65536, NULL},
		{1, 1, 3, 16, 65536, NULL},
		{1, 1, 3, 4, 0, NULL},
		{1, 1, 3, 4, UINT64_C(3221225473), NULL},
	};
	struct device_soft_config good = {1, 8, 8, 15, UINT64_C(3) << 30, NULL};
	struct device *device = NULL;
	const char *reason;

	for (size_t i = 0; i < NPU_ARRAY_SIZE(bad); i++)
		cr_expect_eq(device_open(&device, "soft", &bad[i], &reason), -EINVAL, "%zu", i);
	cr_assert_eq(device_open(&device, "soft", &good, &reason), 0);
	cr_expect_eq(device->caps.cores, 64);
	cr_expect_eq(device->caps.depth, 128);
	device_close(device);
}

Test(device_soft, names_say_which_device)
{
	struct device_soft_config config = {1, 1, 3, 4, 65536, NULL};
	struct device *device = NULL;
	const char *reason = NULL;

	cr_expect_eq(device_open(&device, "hard", &config, &reason), -EINVAL);
	cr_expect_null(device);
	cr_expect_null(reason);
	cr_assert_eq(device_open(&device, "soft", &config, &reason), 0);
	cr_expect_not_null(reason);
	cr_expect_str_eq(device->caps.backend, "soft");
	cr_expect_str_eq(device->caps.target.name, "soft_X2_1204");
	cr_expect_eq(device->caps.target.architecture, NPU_ARCHITECTURE);
	cr_expect_eq(device->caps.placement, DEVICE_PLACEMENT_EXACT);
	cr_expect_eq(device->caps.tail_bytes, 0);
	device_close(device);
	device_close(NULL);
}

/* Whether the signals that a daemon gets are blocked, given a line of a status file. */
static bool blocks_signals(const char *line)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1};
	unsigned long long mask = strtoull(line + strlen("SigBlk:"), NULL, 16);

	for (size_t i = 0; i < NPU_ARRAY_SIZE(signals); i++)
		if (!(mask >> (signals[i] - 1) & 1))
			return false;
	return true;
}

/* How many threads have a name that begins like that; those that take signals count -100. */
static int count_threads(const char *prefix)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	char path[300], line[256];
	int n = 0;

	while ((entry = readdir(dir))) {
		bool ours = false, blocked = false;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
		f = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		while (f && fgets(line, sizeof(line), f)) {
			if (!strncmp(line, "Name:\t", 6))
				ours = !strncmp(line + 6, prefix, strlen(prefix));
			if (!strncmp(line, "SigBlk:", 7))
				blocked = blocks_signals(line);
		}
		if (f)
			fclose(f);
		if (ours)
			n += blocked ? 1 : -100;
	}
	closedir(dir);
	return n;
}

Test(device_soft, its_threads_have_names_take_no_signals_and_end)
{
	struct device *device = hand_device(3);
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), fd2;
	struct hand_job hand;

	close(fd);
	/* A thread that has not run yet has all signals blocked in any case. */
	hand_job_init(&hand, device, copy_program(), 1, true);
	for (int i = 0; i < 3; i++) {
		hand.job.core_mask = UINT64_C(1) << i;
		cr_expect_eq(run(&hand).result, DEVICE_DONE);
	}
	hand_job_finish(&hand);
	cr_expect_eq(count_threads("npu-core-"), 3);
	device_close(device);
	cr_expect_eq(count_threads("npu-core-"), 0);
	device = hand_device(3);
	device_close(device);
	fd2 = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_expect_leq(fd2, fd, "descriptors are closed");
	close(fd2);
}
