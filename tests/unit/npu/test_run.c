/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/npu/fixture.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(run, .init = setup, .fini = teardown);

Test(run, a_program_reads_and_writes_what_its_slots_point_to)
{
	struct copy_job job = copy_job_create(m, 10000);

	start_and_run(&job.chain);
	cr_assert_eq(machine_failures(m), 0);
	cr_assert_eq(memcmp(machine_at(m, job.in), machine_at(m, job.out), 10000), 0);
}

Test(run, work_is_cut_into_slices)
{
	struct npu_insn copies[40];
	struct copy_job job = copy_job_create(m, 60000);
	uint64_t until;
	unsigned int slices = 0;

	for (size_t i = 0; i < NPU_ARRAY_SIZE(copies); i++)
		copies[i] = insn_copy(60000);
	for (unsigned int t = 0; t < 4; t++)
		chain_task(&job.chain, job.chain.first_task + t * NPU_TCB_SIZE)->spc =
			machine_rel(program_create(m, copies, NPU_ARRAY_SIZE(copies)));
	for (unsigned int t = 1; t < 4; t++)
		chain_task(&job.chain, job.chain.first_task + t * NPU_TCB_SIZE)->spc =
			chain_task(&job.chain, job.chain.first_task)->spc;
	npu_list_start(&list, job.chain.head);
	while (npu_engine_step(&m->engine, 0, &until) == NPU_STEP_RAN)
		slices++;
	cr_assert_eq(machine_failures(m), 0);
	cr_assert_geq(slices, 4, "2.4 million bytes make more than four slices of 500000");
}

Test(run, one_large_instruction_is_cut_too)
{
	struct copy_job job;
	uint64_t until;
	unsigned int slices = 0;

	machine_destroy(m);
	m = machine_create(1, 1, 1); /* one task, so that it is not the split that cuts */
	npu_list_attach(&m->engine, &list, NULL, false, ALL_CORES);
	job = copy_job_create(m, 1800000);
	npu_list_start(&list, job.chain.head);
	while (npu_engine_step(&m->engine, 0, &until) == NPU_STEP_RAN)
		slices++;
	cr_assert_eq(machine_failures(m), 0);
	cr_assert_geq(slices, 4);
	cr_assert_eq(memcmp(machine_at(m, job.in), machine_at(m, job.out), 1800000), 0);
}

Test(run, a_program_fails_with_the_reason_the_index_and_the_address)
{
	struct copy_job job = copy_job_create(m, 64);
	uint64_t wrong = MACHINE_WINDOW + 0x3000000;

	param_set(m, job.param, 1, wrong, MACHINE_WINDOW, 64);
	start_and_run(&job.chain);
	machine_assert_only_failure(m, NPU_REASON_OPERAND_UNMAPPED,
				    NPU_IRQ_CORE | NPU_IRQ_FAULT | NPU_IRQ_DONE,
				    chain_tcbp(&job.chain));
	cr_assert_eq(m->cause[0].cause.address, wrong);
	cr_assert_eq(m->cause[0].cause.insn, 0);
	cr_assert_eq(m->n_causes, 1, "a TCB that failed is not done");
	cr_assert_eq(m->engine.counters.failed, 1);
	cr_assert_eq(m->engine.counters.done, 0);
}

Test(run, sizes_must_be_exact)
{
	struct copy_job job = copy_job_create(m, 64);

	param_set(m, job.param, 0, job.in, MACHINE_WINDOW, 63);
	start_and_run(&job.chain);
	machine_assert_only_failure(m, NPU_REASON_SIZE_MISMATCH, NPU_IRQ_CORE | NPU_IRQ_EXCEPTION,
				    chain_tcbp(&job.chain));
}

Test(run, an_output_must_not_overlap_an_input)
{
	struct copy_job job = copy_job_create(m, 64);

	/* Two objects of the host, one byte shared: only the engine can notice. */
	m->object[m->n_objects++] =
		(struct machine_object){job.in + 63, 64, MACHINE_WRITE, machine_at(m, job.in + 63)};
	param_set(m, job.param, 1, job.in + 63, MACHINE_WINDOW, 64);
	start_and_run(&job.chain);
	machine_assert_only_failure(m, NPU_REASON_OVERLAP, NPU_IRQ_CORE | NPU_IRQ_EXCEPTION,
				    chain_tcbp(&job.chain));
}

Test(run, operands_that_touch_do_not_overlap)
{
	struct copy_job job = copy_job_create(m, 64);

	m->object[m->n_objects++] =
		(struct machine_object){job.in + 64, 64, MACHINE_WRITE, machine_at(m, job.in + 64)};
	param_set(m, job.param, 1, job.in + 64, MACHINE_WINDOW, 64);
	start_and_run(&job.chain);
	cr_assert_eq(machine_failures(m), 0);
}

Test(run, addresses_do_not_wrap_around_the_32_bits_of_a_program)
{
	struct copy_job job = copy_job_create(m, 64);
	struct npu_slot *slot = machine_at(m, job.param);

	/* Even a host that has memory across the boundary is not asked. */
	m->object[m->n_objects++] = (struct machine_object){MACHINE_WINDOW + 0xffffffe0, 64,
							    MACHINE_READ, machine_at(m, job.in)};
	slot[0].address = 0xffffffe0;
	start_and_run(&job.chain);
	machine_assert_only_failure(m, NPU_REASON_OPERAND_UNMAPPED,
				    NPU_IRQ_CORE | NPU_IRQ_FAULT | NPU_IRQ_DONE,
				    chain_tcbp(&job.chain));
}

Test(run, a_window_without_write_enable_is_not_written)
{
	struct copy_job job = copy_job_create(m, 64);
	struct npu_tcb_init *init = machine_at(m, job.chain.head);

	init->asid[0].low &= ~NPU_ASID_WRITE;
	start_and_run(&job.chain);
	machine_assert_only_failure(m, NPU_REASON_ASID_DISABLED, NPU_IRQ_CORE | NPU_IRQ_EXCEPTION,
				    chain_tcbp(&job.chain));
}

Test(run, a_program_without_end_is_stopped_at_the_edge_of_its_text)
{
	struct npu_insn insn[2] = {insn_delay(0), insn_delay(0)};
	uint64_t text = program_create(m, insn, 2);
	struct chain a = chain_single(m, text);

	((struct npu_insn *)machine_at(m, text))[2] = insn_delay(0);
	start_and_run(&a);
	machine_assert_only_failure(m, NPU_REASON_TEXT_UNMAPPED,
				    NPU_IRQ_CORE | NPU_IRQ_FAULT | NPU_IRQ_DONE, chain_tcbp(&a));
	cr_assert_eq(m->cause[0].cause.insn, 3);
	cr_assert_eq(m->engine.counters.insns, 3);
}

static void *map_endless_text(void *arg, struct npu_list *asking, uint64_t address, uint32_t length,
			      enum npu_access access)
{
	static struct npu_insn insn;

	(void)arg, (void)asking, (void)length;
	insn = insn_delay(0);
	return access == NPU_ACCESS_TEXT ? &insn : machine_at(m, address);
}

Test(run, a_program_longer_than_any_program_is_stopped)
{
	struct chain a = chain_single(m, MACHINE_MEMORY);

	m->host.map = map_endless_text;
	start_and_run(&a);
	machine_assert_only_failure(m, NPU_REASON_RUNAWAY, NPU_IRQ_CORE | NPU_IRQ_EXCEPTION,
				    chain_tcbp(&a));
	cr_assert_eq(m->engine.counters.insns, NPU_MAX_INSNS);
}

Test(run, an_illegal_instruction_is_an_exception)
{
	struct npu_insn insn = insn_delay(1);
	struct chain a;

	insn.opcode = 0;
	a = chain_single(m, program_create(m, &insn, 1));
	start_and_run(&a);
	machine_assert_only_failure(m, NPU_REASON_ILLEGAL_INSN, NPU_IRQ_CORE | NPU_IRQ_EXCEPTION,
				    chain_tcbp(&a));
}

Test(run, a_program_can_raise_each_kind_of_failure)
{
	static const uint32_t irq[] = {[NPU_RAISE_EXCEPTION] = NPU_IRQ_EXCEPTION,
				       [NPU_RAISE_FAULT] = NPU_IRQ_FAULT | NPU_IRQ_DONE,
				       [NPU_RAISE_ERROR] = NPU_IRQ_ERROR};

	for (unsigned int i = 0; i < NPU_ARRAY_SIZE(irq); i++) {
		struct npu_insn insn = insn_fault(i);
		struct chain a = chain_single(m, program_create(m, &insn, 1));

		m->n_causes = 0;
		start_and_run(&a);
		machine_assert_only_failure(m, NPU_REASON_RAISED, NPU_IRQ_CORE | irq[i],
					    chain_tcbp(&a));
	}
}

Test(run, a_failure_is_reported_only_if_its_type_is_enabled)
{
	struct npu_insn insn = insn_fault(NPU_RAISE_FAULT);
	struct chain a = chain_single(m, program_create(m, &insn, 1));

	for (unsigned int t = 0; t < 4; t++)
		chain_task(&a, a.first_task + t * NPU_TCB_SIZE)->interrupt_en &= ~NPU_IRQ_FAULT;
	start_and_run(&a);
	cr_assert_eq(m->n_causes, 0, "neither a fault nor, in its place, done");
}

/* As a host does whose memory fails under a core: in place of the next slice. */
Test(run, a_host_can_fail_what_is_on_a_core)
{
	struct npu_insn insn[] = {insn_delay(1), insn_hang()};
	struct chain a = chain_single(m, program_create(m, insn, 2));
	struct npu_core *core = &m->engine.cores[0];
	uint64_t until;

	npu_list_start(&list, a.head);
	npu_engine_schedule(&m->engine);
	npu_core_run(core, 0, &until);
	cr_assert_eq(npu_core_run(core, 2 * US, &until), NPU_STEP_WAIT);
	npu_core_fail(core, NPU_REASON_MEMORY_LOST, 0x1234);
	npu_core_fail(core, NPU_REASON_RAISED, 0);
	cr_assert_eq(npu_core_run(core, 2 * US, &until), NPU_STEP_IDLE, "it is over");
	npu_core_retire(core);
	machine_assert_only_failure(m, NPU_REASON_MEMORY_LOST,
				    NPU_IRQ_CORE | NPU_IRQ_FAULT | NPU_IRQ_DONE, chain_tcbp(&a));
	cr_assert_eq(m->cause[0].cause.insn, 1);
	cr_assert_eq(m->cause[0].cause.address, 0x1234);
	npu_core_fail(core, NPU_REASON_RAISED, 0);
	npu_core_retire(core);
	cr_assert_eq(m->n_causes, 1, "there is nothing on it any more");
	start_and_run(&a);
	npu_list_abort(&list);
	npu_core_fail(core, NPU_REASON_RAISED, 0);
	npu_core_retire(core);
	cr_assert_eq(m->n_causes, 1, "nobody wants to hear of what was aborted");
	cr_assert(npu_list_is_quiet(&list));
}

static struct chain failing_then_delay(void)
{
	struct npu_insn insn = insn_fault(NPU_RAISE_EXCEPTION);
	struct chain_group groups[2] = {
		{.text = program_create(m, &insn, 1)},
		{.text = program_delay(m, 10), .dependency = NPU_TCB_DEP_IMMEDIATE}};

	return chain_create(m, groups, 2, CHAIN_MULTI);
}

Test(run, after_a_failed_group_the_chain_goes_on)
{
	struct chain a = failing_then_delay();

	start_and_run(&a);
	cr_assert_eq(m->n_causes, 2);
	cr_assert_eq(m->cause[0].cause.reason, NPU_REASON_RAISED);
	cr_assert_eq(m->cause[1].cause.irq, CLUSTER_DONE);
	cr_assert(npu_list_has_ended(&list));
}

Test(run, the_other_answer_a_failed_group_ends_the_walk)
{
	struct chain a = failing_then_delay();

	m->engine.options = NPU_OPTION_STOP_ON_FAILURE;
	start_and_run(&a);
	cr_assert_eq(m->n_causes, 1);
	cr_assert(npu_list_is_quiet(&list));
	cr_assert_not(npu_list_has_ended(&list));
}
