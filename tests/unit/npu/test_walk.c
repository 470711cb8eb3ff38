/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/npu/fixture.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(walk, .init = setup, .fini = teardown);

/* --- Malformed chains --- */

Test(walk, a_bad_tcb_ends_the_walk_and_is_named)
{
	struct chain a = chain_single(m, program_delay(m, 10)),
		     b = chain_single(m, program_delay(m, 10));
	uint64_t bad = b.first_task + NPU_TCB_SIZE;

	chain_task(&b, bad)->loop_count = 1;
	chain_link(&a, b.head);
	start_and_run(&a);
	cr_assert_eq(m->n_causes, 2);
	cr_assert_eq(m->cause[0].cause.irq, CORE_DONE, "what came before finishes");
	cr_assert_eq(m->cause[1].cause.reason, NPU_REASON_BAD_TCB);
	cr_assert_eq(m->cause[1].cause.tcbp, machine_rel(bad));
	cr_assert(npu_list_is_quiet(&list));
	cr_assert_not(npu_list_has_ended(&list));
	npu_list_continue(&list);
	machine_run(m);
	cr_assert_eq(m->n_causes, 2, "there is no link one could trust");
}

Test(walk, a_chain_that_ends_inside_a_group_is_malformed_there)
{
	struct chain a = chain_single(m, program_delay(m, 10));
	uint64_t end = a.first_task + NPU_TCB_SIZE;

	chain_task(&a, end)->next = 0;
	start_and_run(&a);
	machine_assert_only_failure(m, NPU_REASON_BAD_TCB, NPU_IRQ_CORE | NPU_IRQ_EXCEPTION,
				    machine_rel(end));
}

Test(walk, a_dependency_of_both_kinds_or_of_a_later_task_is_impossible)
{
	struct chain a = chain_single(m, program_delay(m, 10));
	struct chain b = chain_single(m, program_delay(m, 10));

	chain_task(&a, a.first_task)->flag |= NPU_TCB_DEP_MASK;
	start_and_run(&a);
	machine_assert_only_failure(m, NPU_REASON_BAD_DEPENDENCY, NPU_IRQ_CORE | NPU_IRQ_EXCEPTION,
				    machine_rel(a.first_task));
	m->n_causes = 0;
	chain_task(&b, b.first_task + NPU_TCB_SIZE)->flag |= NPU_TCB_DEP_PRE_ALL;
	start_and_run(&b);
	machine_assert_only_failure(m, NPU_REASON_BAD_DEPENDENCY, NPU_IRQ_CORE | NPU_IRQ_EXCEPTION,
				    machine_rel(b.first_task + NPU_TCB_SIZE));
}

Test(walk, loop_tasks_and_address_segments_are_not_supported)
{
	struct chain a = chain_single(m, program_delay(m, 10));
	struct chain b = chain_single(m, program_delay(m, 10));
	struct npu_tcb_segmmu *segmmu = machine_at(m, b.head + NPU_TCB_SIZE);

	chain_task(&a, a.first_task)->flag ^= NPU_TCB_TYPE_TASK ^ NPU_TCB_TYPE_LOOP;
	start_and_run(&a);
	machine_assert_only_failure(m, NPU_REASON_BAD_TCB, NPU_IRQ_CORE | NPU_IRQ_EXCEPTION,
				    machine_rel(a.first_task));
	m->n_causes = 0;
	segmmu->even.ctrl = 0x21;
	segmmu->even.segment[0][0] = 0x1000;
	start_and_run(&b);
	machine_assert_only_failure(m, NPU_REASON_BAD_TCB, NPU_IRQ_CORE | NPU_IRQ_EXCEPTION,
				    machine_rel(b.head + NPU_TCB_SIZE));
}

Test(walk, a_link_to_nowhere_is_a_fault_with_that_address)
{
	struct chain a = chain_single(m, program_delay(m, 10));

	chain_link(&a, 0x12345680);
	start_and_run(&a);
	cr_assert_eq(m->cause[0].cause.reason, NPU_REASON_TCB_UNMAPPED);
	cr_assert_eq(m->cause[0].cause.irq, NPU_IRQ_CORE | NPU_IRQ_FAULT | NPU_IRQ_DONE);
	cr_assert_eq(m->cause[0].cause.address, 0x312345680, "the upper half is the chain's");
	cr_assert_eq(m->cause[1].cause.irq, CORE_DONE);
}

Test(walk, a_head_of_zero_is_a_fault)
{
	npu_list_start(&list, 0);
	machine_run(m);
	cr_assert_eq(m->cause[0].cause.reason, NPU_REASON_TCB_UNMAPPED);
}

Test(walk, init_tcbs_in_a_circle_are_noticed, .timeout = 10)
{
	struct chain a = chain_single(m, program_delay(m, 10));

	((struct npu_tcb_init *)machine_at(m, a.head))->next = (uint32_t)a.head;
	start_and_run(&a);
	machine_assert_only_failure(m, NPU_REASON_BAD_TCB, NPU_IRQ_CORE | NPU_IRQ_EXCEPTION,
				    machine_rel(a.head));
}

Test(walk, tasks_in_a_circle_run_until_aborted)
{
	struct chain a = chain_single(m, program_delay(m, 10));

	chain_link(&a, a.first_task);
	npu_list_start(&list, a.head);
	machine_run_until(m, 1000 * US);
	cr_assert_geq(m->engine.counters.groups, 100);
	npu_list_abort(&list);
	cr_assert_eq(machine_run(m), NPU_STEP_IDLE);
}

Test(walk, more_tasks_than_a_core_has_tecs_are_refused)
{
	struct chain_group group = {.text = program_delay(m, 1), .tasks = 5};
	struct chain a = chain_create(m, &group, 1, CHAIN_SINGLE);

	start_and_run(&a);
	machine_assert_only_failure(m, NPU_REASON_BAD_TCB, NPU_IRQ_CORE | NPU_IRQ_EXCEPTION,
				    machine_rel(a.first_task));
}

Test(walk, a_tail_that_is_no_longer_mapped_is_a_fault)
{
	struct chain a = chain_single(m, program_delay(m, 1));

	start_and_run(&a);
	machine_unmap(m, a.head);
	npu_list_continue(&list);
	cr_assert_eq(m->n_causes, 2);
	cr_assert_eq(m->cause[1].cause.reason, NPU_REASON_TCB_UNMAPPED);
	cr_assert_eq(m->cause[1].cause.tcbp, chain_tcbp(&a));
}

Test(walk, a_tcb_that_vanishes_while_it_runs_is_a_fault)
{
	struct chain a = chain_single(m, program_delay(m, 10));

	npu_list_start(&list, a.head);
	npu_engine_schedule(&m->engine);
	machine_unmap(m, a.head);
	machine_run(m);
	machine_assert_only_failure(m, NPU_REASON_TCB_UNMAPPED,
				    NPU_IRQ_CORE | NPU_IRQ_FAULT | NPU_IRQ_DONE, chain_tcbp(&a));
}

/*
 * --- Every bit ---
 *
 * A job that uses both windows: softmax reads `in` and writes `out` in ASID 0 and
 * has its table in ASID 1. Six TCBs: init, SegMMU, four tasks.
 */

#define SOFTMAX_N 12u

struct victim {
	struct npu_list list;
	struct chain chain;
	uint64_t param, out;
	uint8_t expected[SOFTMAX_N];
};

static void victim_create(struct victim *v, uint32_t table_bytes)
{
	struct npu_insn insn = insn_copy(0);
	struct chain_group group;
	uint64_t in, table;

	insn.opcode = NPU_OP_SOFTMAX;
	insn.extra[0] = 0;
	insn.slot[2] = 16;
	insn.zero[2] = 0;
	for (unsigned int i = 0; i < 4; i++)
		insn.in[i] = insn.out[i] = i == 3 ? SOFTMAX_N : 1;
	in = machine_alloc(m, SOFTMAX_N, MACHINE_READ);
	v->out = machine_alloc(m, SOFTMAX_N, MACHINE_WRITE);
	table = machine_alloc_weights(m, table_bytes, 3);
	v->param = param_create(m, 3);
	param_set(m, v->param, 0, in, MACHINE_WINDOW, SOFTMAX_N);
	param_set(m, v->param, 1, table, MACHINE_WEIGHTS, table_bytes);
	param_set(m, v->param, 2, v->out, MACHINE_WINDOW, SOFTMAX_N);
	group = (struct chain_group){.text = program_create(m, &insn, 1), .param = v->param};
	v->chain = chain_create(m, &group, 1, CHAIN_SINGLE);
	cr_assert_eq(v->chain.n_tcbs, 6);
}

/* Success is what a host takes for it: done for the last TCB, no failure, the right bytes. */
static bool victim_succeeds(struct victim *v)
{
	bool success;

	m->n_causes = 0;
	memset(machine_at(m, v->out), 0xee, SOFTMAX_N);
	npu_list_attach(&m->engine, &v->list, NULL, false, ALL_CORES);
	npu_list_start(&v->list, v->chain.head);
	machine_run_until(m, m->now + 1000 * US);
	success = machine_count(m, CORE_DONE, chain_tcbp(&v->chain)) == 1 &&
		  machine_failures(m) == 0 &&
		  memcmp(machine_at(m, v->out), v->expected, SOFTMAX_N) == 0;
	npu_list_abort(&v->list);
	machine_run(m);
	npu_list_detach(&v->list);
	return success;
}

enum tcb_kind {
	TCB_INIT = 1,
	TCB_SEGMMU = 2,
	TCB_TASK = 4,
	TCB_FIRST_TASK = 8,
	TCB_LAST_TASK = 16
};

/* Bits that may change without harm, and why. Everything else must matter. */
static const struct {
	unsigned int kinds; /* enum tcb_kind */
	unsigned int offset;
	uint32_t bits;
	const char *why;
} harmless[] = {
	/* clang-format off */
	{ TCB_INIT, 0x00, 1u << 16, "no SegMMU TCBs follow: legal, and they only say identity" },
	{ TCB_INIT, 0x14, 0xffff0000, "the grid's number is the driver's own" },
	{ TCB_INIT, 0x38, NPU_ASID_WRITE, "constants are only read, writable or not" },
	{ TCB_FIRST_TASK, 0x00, NPU_TCB_DEP_MASK, "orders the group behind others; there are none" },
	{ TCB_LAST_TASK, 0x00, NPU_TCB_GRID_END, "ends the list, and the cluster level reports it" },
	{ TCB_LAST_TASK, 0x10, NPU_IRQ_CLUSTER, "nothing to report without a grid end" },
	{ TCB_TASK, 0x34, UINT32_MAX, "stack: not used by this instruction set" },
	{ TCB_TASK, 0x3c, UINT32_MAX, "private data: not used" },
	{ TCB_TASK, 0x40, UINT32_MAX, "constant rodata: not used" },
	{ TCB_TASK, 0x44, UINT32_MAX, "printf buffer: not used" },
	{ TCB_TASK, 0x48, UINT32_MAX, "profiler buffer: not used" },
	{ TCB_TASK, 0x4c, UINT32_MAX, "core and cluster: written by the device" },
	{ TCB_TASK, 0x50, 0xffff0000, "TEC: written by the device" },
	{ TCB_TASK, 0x70, UINT32_MAX, "model parameters: not used" },
	{ TCB_TASK, 0x78, UINT32_MAX, "core dump buffer: not used" },
	{ TCB_TASK, 0x7c, UINT32_MAX, "profiler record: not used" },
	/* clang-format on */
};

static unsigned int kinds_of(unsigned int tcb)
{
	if (tcb == 0)
		return TCB_INIT;
	if (tcb == 1)
		return TCB_SEGMMU;
	return TCB_TASK | (tcb == 2 ? TCB_FIRST_TASK : 0) | (tcb == 5 ? TCB_LAST_TASK : 0);
}

static uint32_t harmless_bits(unsigned int tcb, unsigned int offset)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < NPU_ARRAY_SIZE(harmless); i++)
		if (harmless[i].kinds & kinds_of(tcb) && harmless[i].offset == offset)
			bits |= harmless[i].bits;
	return bits;
}

static struct victim victim;

static void victim_setup(void)
{
	setup_with(1, 4);
	victim_create(&victim, 1024);
	victim_succeeds(&victim);
	memcpy(victim.expected, machine_at(m, victim.out), SOFTMAX_N);
	cr_assert_neq(victim.expected[0], 0xee, "softmax did not run: %s",
		      npu_reason_name(m->cause[0].cause.reason));
	cr_assert(victim_succeeds(&victim));
}

TestSuite(bits, .init = victim_setup, .fini = teardown, .timeout = 60);

Test(bits, no_flipped_bit_of_a_chain_passes_for_success_unless_it_is_known_to_be_harmless)
{
	uint8_t template[6 * NPU_TCB_SIZE];
	uint8_t *chain = machine_at(m, victim.chain.head);

	memcpy(template, chain, sizeof(template));
	for (unsigned int bit = 0; bit < sizeof(template) * 8; bit++) {
		unsigned int tcb = bit / 8 / NPU_TCB_SIZE, offset = bit / 8 % NPU_TCB_SIZE;
		unsigned int shift = bit % 32;
		bool known = harmless_bits(tcb, offset & ~3u) >> shift & 1;

		memcpy(chain, template, sizeof(template));
		chain[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert_eq(victim_succeeds(&victim), known, "TCB %u, word 0x%02x, bit %u", tcb,
			     offset & ~3u, shift);
	}
	memcpy(chain, template, sizeof(template));
	cr_assert(victim_succeeds(&victim), "and none of this has broken the engine");
}

Test(bits, no_flipped_bit_of_a_slot_passes_for_success)
{
	uint8_t *param = machine_at(m, victim.param);

	for (unsigned int bit = 0; bit < 3 * sizeof(struct npu_slot) * 8; bit++) {
		param[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert_not(victim_succeeds(&victim), "byte %u, bit %u", bit / 8, bit % 8);
		param[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	cr_assert(victim_succeeds(&victim));
}

Test(bits, no_inverted_or_cleared_word_of_a_chain_passes_for_success)
{
	uint32_t *chain = machine_at(m, victim.chain.head);

	for (unsigned int i = 0; i < 6 * NPU_TCB_SIZE / 4; i++) {
		unsigned int tcb = i * 4 / NPU_TCB_SIZE, offset = i * 4 % NPU_TCB_SIZE;
		uint32_t old = chain[i], free = harmless_bits(tcb, offset);

		if (free == UINT32_MAX)
			continue;
		chain[i] = ~old;
		cr_assert_not(victim_succeeds(&victim), "TCB %u, word 0x%02x inverted", tcb,
			      offset);
		chain[i] = 0;
		if (old & ~free)
			cr_assert_not(victim_succeeds(&victim), "TCB %u, word 0x%02x cleared", tcb,
				      offset);
		chain[i] = old;
	}
}
