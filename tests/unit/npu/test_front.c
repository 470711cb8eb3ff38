/* SPDX-License-Identifier: Apache-2.0 */
/* The register front, driven through the sequences of the vendor's drivers. */
#include "tests/unit/npu/bench.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(front, .init = bench_setup, .fini = bench_teardown);

/* --- Initialisation --- */

Test(front, constants_are_those_of_the_part)
{
	PLAY(R(NPU_REG_REVISION, 0x10003), R(NPU_REG_BUILD, 0x00020000),
	     R(NPU_REG_CLUSTER_CONFIG(0), 0x1314), R(NPU_REG_CLUSTER_CONFIG(1), 0), R(0x10000, 0),
	     R(NPU_REG_REVISION + 1, 0), R(NPU_REG_RESET, 0));
}

Test(front, refuses_impossible_configurations)
{
	static const struct npu_front_config bad[] = {
		{0x10210, 1, 2, 1, 4096, 0},  {0x10000, 0, 2, 1, 4096, 0},
		{0x10000, 5, 8, 1, 4096, 0},  {0x10000, 2, 1, 1, 4096, 0},
		{0x10000, 1, 9, 1, 4096, 0},  {0x10000, 1, 1, 0, 4096, 0},
		{0x10000, 1, 1, 16, 4096, 0}, {0x10000, 1, 1, 1, 3000, 0},
		{0x10000, 1, 1, 1, 0, 0},     {0x10000, 1, 1, 1, 131072, 0},
	};
	struct npu_engine *engine = calloc(1, sizeof(*engine));

	cr_assert(npu_engine_init(engine, &m->engine.topology, &m->host, m));
	for (size_t i = 0; i < NPU_ARRAY_SIZE(bad); i++)
		cr_assert_not(npu_front_init(front, engine, &bad[i], irq, front), "%zu", i);
	free(engine);
}

Test(front, initialisation_works_and_leaves_an_idle_pool)
{
	init();
	PLAY(IS_IDLE, OK, NOTHING_SHOWN, LINE(0), R(IRQ_CONTROL, CONTROL), R(SECURE, 1));
}

Test(front, a_reset_stops_everything_and_forgets_all_settings)
{
	init();
	PLAY(W(NPU_REG_HANDLE, CREATE), HEAD(JOB_SINGLE), W(NPU_REG_INFO, 7),
	     W(NPU_REG_HANDLE, DISPATCH), RUN, LINE(1), HEAD(JOB_HANG),
	     W(NPU_REG_HANDLE, DISPATCH_FAST), W(NPU_REG_HANDLE, CREATE), REFUSED, RUN,
	     W(NPU_REG_RESET, 1), R(NPU_REG_RESET, 2), LINE(0), IS_IDLE, NOTHING_SHOWN, OK,
	     R(IRQ_CONTROL, 0), R(NPU_REG_HANDLE, 0), R(NPU_REG_INFO, 0), R(NPU_REG_ADDRESS_LOW, 0),
	     R(LAST_ISSUED, 0), R(SECURE, 0), R(NPU_REG_CLUSTER_CONTROL(0), 0x1314), RUN,
	     NOTHING_SHOWN, R(NPU_REG_RESET, 2), W(NPU_REG_RESET, 0), R(NPU_REG_RESET, 2));
	cr_assert(npu_front_is_settled(front));
	init();
	PLAY(W(NPU_REG_HANDLE, CREATE), OK, HEAD(JOB_OTHER), W(NPU_REG_HANDLE, DISPATCH), RUN,
	     TCBP(JOB_OTHER));
}

Test(front, a_reset_reads_done_at_once_and_says_when_memory_is_free)
{
	init();
	PLAY(W(NPU_REG_HANDLE, CREATE), HEAD(JOB_HANG), W(NPU_REG_HANDLE, DISPATCH), RUN,
	     W(NPU_REG_PAGE, 0x1000), R(NPU_REG_CORE_STATUS, 0), R(NPU_REG_CLUSTER_STATUS, 0),
	     W(NPU_REG_RESET, 1), R(NPU_REG_RESET, 2));
	cr_assert_not(npu_front_is_settled(front));
	PLAY(W(NPU_REG_PAGE, 0x1000), R(NPU_REG_CORE_STATUS, 0), RUN, R(NPU_REG_CORE_STATUS, 0x10),
	     R(NPU_REG_CLUSTER_STATUS, 0x60));
	cr_assert(npu_front_is_settled(front));
}

/* --- Create, dispatch, bind --- */

Test(front, the_first_job_creates_the_pool_and_completes)
{
	init();
	PLAY(SUBMIT_CREATE(JOB_SINGLE, 0x1234), R(LAST_ISSUED, 0x1234), R(NPU_REG_HANDLE, 4), RUN,
	     LINE(1), R(IRQ_STATUS, NPU_IRQ_CORE | DONE | 3 << 16), R(IRQ_FLAG, 0),
	     R(IRQ_SIGNAL, 0), TCBP(JOB_SINGLE), R(FIRST_BAD, 0), ACK_DONE, LINE(0), NOTHING_SHOWN,
	     IS_BUSY);
}

Test(front, a_further_job_is_linked_behind_the_tail_and_dispatched_without_an_address)
{
	init();
	PLAY(SUBMIT_CREATE(JOB_SINGLE, 1), RUN, ACK_DONE, W(NPU_REG_ADDRESS_LOW, 0xbad00000),
	     LINK(JOB_SINGLE, JOB_OTHER), IS_BUSY, W(NPU_REG_INFO, 2), W(NPU_REG_HANDLE, DISPATCH),
	     OK, RUN, TCBP(JOB_OTHER), ACK_DONE, W(NPU_REG_HANDLE, DISPATCH), OK, RUN,
	     NOTHING_SHOWN);
}

Test(front, the_address_may_be_written_before_the_create)
{
	init();
	PLAY(HEAD(JOB_SINGLE), W(NPU_REG_HANDLE, CREATE), W(POOL_CONFIG, 0),
	     W(NPU_REG_HANDLE, DISPATCH), RUN, TCBP(JOB_SINGLE));
}

Test(front, the_simulators_way_is_to_poll_for_idle_and_destroy)
{
	init();
	PLAY(SUBMIT_CREATE(JOB_MULTI, 1), IS_BUSY, RUN, IS_IDLE, W(NPU_REG_HANDLE, DESTROY), OK,
	     IS_IDLE, W(NPU_REG_HANDLE, DESTROY), OK);
}

Test(front, each_qos_list_starts_with_an_address_of_its_own)
{
	init();
	PLAY(SUBMIT_CREATE(JOB_MULTI, 1), HEAD(JOB_SINGLE), W(NPU_REG_HANDLE, DISPATCH_FAST), OK,
	     RUN, TCBP(JOB_SINGLE), ACK_DONE, TCBP(JOB_MULTI), ACK_DONE, NOTHING_SHOWN, IS_BUSY);
}

Test(front, the_create_s_qos_stands_for_the_first_dispatch)
{
	init();
	PLAY(W(NPU_REG_HANDLE, CREATE | 1 << 8), HEAD(JOB_MULTI), W(NPU_REG_HANDLE, DISPATCH));
	cr_assert_neq(front->pool[0].qos[1].list.walk, NPU_WALK_IDLE);
	cr_assert_eq(front->pool[0].qos[0].list.walk, NPU_WALK_IDLE);
	PLAY(HEAD(JOB_SINGLE), W(NPU_REG_HANDLE, DISPATCH));
	cr_assert_neq(front->pool[0].qos[0].list.walk, NPU_WALK_IDLE);
}

Test(front, a_create_of_an_existing_pool_fails_until_destroyed)
{
	init();
	PLAY(W(NPU_REG_HANDLE, CREATE), OK, W(NPU_REG_HANDLE, CREATE), REFUSED, IS_BUSY,
	     W(NPU_REG_HANDLE, DISPATCH | 1 << 16), REFUSED, /* only writing it clears the bit */
	     CLEAR, OK, W(NPU_REG_STATUS, FAILED), OK, W(NPU_REG_HANDLE, DESTROY), OK,
	     W(NPU_REG_HANDLE, CREATE), OK);
}

/* After an abort the pool reads idle and exists: the driver's ladder destroys and creates it. */
Test(front, the_ladder_after_an_abort_gets_a_fresh_pool)
{
	init();
	PLAY(SUBMIT_CREATE(JOB_HANG, 1), RUN, IS_BUSY, W(NPU_REG_HANDLE, ABORT), OK, IS_IDLE,
	     W(NPU_REG_HANDLE, CREATE), REFUSED, CLEAR, W(NPU_REG_ADDRESS_HIGH, 0),
	     W(NPU_REG_ADDRESS_LOW, 0), W(NPU_REG_INFO, 0), W(NPU_REG_HANDLE, DESTROY), OK,
	     W(NPU_REG_HANDLE, CREATE), OK, IS_BUSY, HEAD(JOB_SINGLE), W(NPU_REG_HANDLE, DISPATCH),
	     OK, R(IRQ_CONTROL, CONTROL), RUN, TCBP(JOB_SINGLE));
}

Test(front, the_ladder_gives_up_when_the_destroy_fails)
{
	choose(NPU_CHOICE_IDLE_WITHOUT_CORES);
	init();
	PLAY(SUBMIT_CREATE(JOB_HANG, 1), RUN, W(NPU_REG_CLUSTER_CONTROL(0), 0x1014), IS_IDLE,
	     W(NPU_REG_HANDLE, CREATE), REFUSED, CLEAR, W(NPU_REG_ADDRESS_HIGH, 0),
	     W(NPU_REG_ADDRESS_LOW, 0), W(NPU_REG_INFO, 0), W(NPU_REG_HANDLE, DESTROY), REFUSED,
	     CLEAR, OK);
}

Test(front, a_dispatch_from_a_bad_address_fails)
{
	init();
	PLAY(W(NPU_REG_HANDLE, CREATE), W(NPU_REG_ADDRESS_LOW, 0x41a00040),
	     W(NPU_REG_HANDLE, DISPATCH), REFUSED, CLEAR, W(NPU_REG_ADDRESS_LOW, 0),
	     W(NPU_REG_HANDLE, DISPATCH), REFUSED, CLEAR, W(NPU_REG_HANDLE, BIND(0)), REFUSED);
}

Test(front, unknown_commands_fail_and_no_command_does_nothing)
{
	init();
	PLAY(W(NPU_REG_HANDLE, 6), REFUSED, CLEAR, W(NPU_REG_HANDLE, 0), OK,
	     W(NPU_REG_HANDLE, CREATE | NPU_HANDLE_POOL(2)), REFUSED, CLEAR,
	     W(NPU_REG_HANDLE, CREATE | NPU_HANDLE_POOL(15)), REFUSED);
}

Test(front, commands_to_a_missing_pool_are_ignored)
{
	init();
	PLAY(HEAD(JOB_SINGLE), W(NPU_REG_HANDLE, DISPATCH), OK, IS_IDLE, RUN, NOTHING_SHOWN,
	     W(NPU_REG_HANDLE, ABORT), OK, W(NPU_REG_HANDLE, DESTROY), OK,
	     W(NPU_REG_HANDLE, BIND(0)), OK, W(NPU_REG_HANDLE, DISPATCH | NPU_HANDLE_POOL(9)), OK);
}

Test(front, a_bound_job_runs_on_its_core_only)
{
	init();
	PLAY(W(NPU_REG_HANDLE, CREATE), HEAD(JOB_SINGLE), W(NPU_REG_HANDLE, BIND(2)), OK, RUN,
	     R(IRQ_STATUS, NPU_IRQ_CORE | DONE | 2 << 20 | 3 << 16), ACK_DONE,
	     W(NPU_REG_HANDLE, BIND(2)), OK, RUN, R_BITS(IRQ_STATUS, 0xf00000, 2 << 20),
	     W(NPU_REG_HANDLE, BIND(3)), REFUSED);
}

Test(front, a_core_that_works_on_a_bound_job_refuses_another)
{
	init();
	PLAY(W(NPU_REG_HANDLE, CREATE), HEAD(JOB_HANG), W(NPU_REG_HANDLE, BIND(1)), OK, RUN,
	     HEAD(JOB_SINGLE), W(NPU_REG_HANDLE, BIND(1)), REFUSED, CLEAR,
	     W(NPU_REG_HANDLE, BIND(0)), OK, RUN, TCBP(JOB_SINGLE), IS_BUSY);
}

Test(front, a_chain_may_begin_with_a_task_in_the_windows_of_the_last_grid)
{
	init();
	PLAY(SUBMIT_CREATE(JOB_SINGLE, 1), RUN, ACK_DONE, W(NPU_REG_HANDLE, DESTROY), OK,
	     W(NPU_REG_HANDLE, CREATE), OK);
	job[JOB_OTHER].head = job[JOB_OTHER].first_task;
	PLAY(HEAD(JOB_OTHER), W(NPU_REG_HANDLE, DISPATCH_FAST), OK, RUN, TCBP(JOB_OTHER),
	     R_BITS(IRQ_STATUS, 0x3f, DONE));
}

/* --- Destroy and abort --- */

Test(front, a_destroy_fails_while_work_is_in_progress_and_works_after_an_abort)
{
	init();
	PLAY(SUBMIT_CREATE(JOB_HANG, 1), RUN, W(NPU_REG_ADDRESS_HIGH, 0), W(NPU_REG_ADDRESS_LOW, 0),
	     W(NPU_REG_INFO, 0), W(NPU_REG_HANDLE, DESTROY), REFUSED, IS_BUSY, CLEAR,
	     W(NPU_REG_HANDLE, ABORT), OK, W(NPU_REG_ADDRESS_HIGH, 0), W(NPU_REG_ADDRESS_LOW, 0),
	     W(NPU_REG_INFO, 0), W(NPU_REG_HANDLE, DESTROY), OK, IS_IDLE, R(IRQ_CONTROL, CONTROL),
	     R(NPU_REG_CLUSTER_CONTROL(0), 0x1314));
}

Test(front, a_tail_that_waits_does_not_prevent_a_destroy)
{
	init();
	PLAY(SUBMIT_CREATE(JOB_SINGLE, 1), RUN, ACK_DONE, IS_BUSY, W(NPU_REG_HANDLE, DESTROY), OK,
	     IS_IDLE);
	choose(NPU_CHOICE_DESTROY_NEEDS_GRID_END);
	init();
	PLAY(SUBMIT_CREATE(JOB_SINGLE, 1), RUN, ACK_DONE, W(NPU_REG_HANDLE, DESTROY), REFUSED,
	     CLEAR, W(NPU_REG_HANDLE, ABORT), OK, W(NPU_REG_HANDLE, DESTROY), OK);
}

Test(front, an_abort_drops_pending_causes_and_keeps_the_settings)
{
	init();
	PLAY(SUBMIT_CREATE(JOB_SINGLE, 1), RUN, LINE(1), W(NPU_REG_HANDLE, ABORT), LINE(0),
	     NOTHING_SHOWN, IS_IDLE, R(IRQ_CONTROL, CONTROL), HEAD(JOB_OTHER),
	     W(NPU_REG_HANDLE, DISPATCH), IS_BUSY, RUN, TCBP(JOB_OTHER));
}

Test(front, the_other_answers_about_an_abort)
{
	choose(NPU_CHOICE_ABORT_KEEPS_CAUSES | NPU_CHOICE_ABORT_KEEPS_BUSY);
	init();
	PLAY(SUBMIT_CREATE(JOB_SINGLE, 1), RUN, W(NPU_REG_HANDLE, ABORT), LINE(1), TCBP(JOB_SINGLE),
	     IS_BUSY, ACK_DONE, HEAD(JOB_OTHER), W(NPU_REG_HANDLE, DISPATCH), RUN, TCBP(JOB_OTHER));
}

Test(front, the_other_answers_about_commands)
{
	choose(NPU_CHOICE_MISSING_POOL_FAILS | NPU_CHOICE_SUCCESS_CLEARS_FAILURE |
	       NPU_CHOICE_ADDRESS_DECIDES);
	init();
	PLAY(W(NPU_REG_HANDLE, DISPATCH), REFUSED, W(NPU_REG_HANDLE, CREATE), OK, HEAD(JOB_SINGLE),
	     W(NPU_REG_HANDLE, DISPATCH), OK, RUN, ACK_DONE, HEAD(JOB_OTHER),
	     W(NPU_REG_HANDLE, DISPATCH), RUN, TCBP(JOB_OTHER));
}

/* --- Interrupts --- */

Test(front, a_fault_comes_with_done_and_is_acknowledged_in_two_writes)
{
	init();
	PLAY(SUBMIT_CREATE(JOB_FAULT, 0x77), RUN, EDGES(1),
	     R(IRQ_STATUS, NPU_IRQ_CORE | NPU_IRQ_FAULT | DONE | 3 << 16), TCBP(JOB_FAULT),
	     R(FIRST_BAD, NPU_FIRST_BAD_VALID | 0x77), W(FIRST_BAD, 1),
	     R(FIRST_BAD, NPU_FIRST_BAD_VALID | 0x77), W(FIRST_BAD, 0), R(FIRST_BAD, 0),
	     W(STATUS, NPU_IRQ_FAULT), LINE(1), EDGES(1), R_BITS(IRQ_STATUS, 0x3f, DONE),
	     R_BITS(STATUS, 0x3f, DONE), W(STATUS, DONE), LINE(0), NOTHING_SHOWN);
}

Test(front, errors_and_exceptions_are_acknowledged_by_their_own_bit)
{
	init();
	PLAY(SUBMIT_CREATE(JOB_ERROR, 1), HEAD(JOB_EXCEPTION), W(NPU_REG_HANDLE, DISPATCH_FAST),
	     RUN, R_BITS(IRQ_STATUS, 0xf3f, NPU_IRQ_CORE | NPU_IRQ_EXCEPTION), TCBP(JOB_EXCEPTION),
	     W(STATUS, NPU_IRQ_ERROR), TCBP(JOB_EXCEPTION), W(STATUS, NPU_IRQ_EXCEPTION),
	     R_BITS(IRQ_STATUS, 0xf3f, NPU_IRQ_CORE | NPU_IRQ_ERROR), TCBP(JOB_ERROR),
	     W(STATUS, NPU_IRQ_ERROR), NOTHING_SHOWN, LINE(0));
}

Test(front, causes_are_shown_one_at_a_time_in_order_and_never_merged)
{
	init();
	PLAY(LINK(JOB_SINGLE, JOB_OTHER), SUBMIT_CREATE(JOB_SINGLE, 1), RUN, EDGES(1),
	     TCBP(JOB_SINGLE), ACK_DONE, LINE(1), EDGES(1), TCBP(JOB_OTHER), ACK_DONE, LINE(0),
	     EDGES(0), ACK_DONE, NOTHING_SHOWN);
}

Test(front, acknowledging_more_than_is_shown_takes_nothing_from_the_next_cause)
{
	init();
	PLAY(LINK(JOB_SINGLE, JOB_OTHER), SUBMIT_CREATE(JOB_SINGLE, 1), RUN, W(STATUS, 0x3f),
	     TCBP(JOB_OTHER), R_BITS(STATUS, 0x3f, DONE), W(STATUS, 0x3c), TCBP(JOB_OTHER),
	     W(IRQ_STATUS, 0), W(IRQ_TCBP, 0), TCBP(JOB_OTHER));
}

Test(front, done_needs_level_and_type_in_the_pool_control)
{
	init();
	PLAY(W(IRQ_CONTROL, 0x43d), SUBMIT_CREATE(JOB_SINGLE, 1), RUN, NOTHING_SHOWN, LINE(0),
	     W(NPU_REG_HANDLE, DESTROY), W(IRQ_CONTROL, 0x63c), SUBMIT_CREATE(JOB_SINGLE, 1), RUN,
	     NOTHING_SHOWN);
}

Test(front, failures_need_only_their_type_in_the_pool_control)
{
	init();
	PLAY(W(IRQ_CONTROL, NPU_IRQ_FAULT), SUBMIT_CREATE(JOB_FAULT, 1), RUN,
	     R_BITS(STATUS, 0x3f, NPU_IRQ_FAULT | DONE), W(NPU_REG_HANDLE, DESTROY),
	     W(STATUS, 0x3f), W(IRQ_CONTROL, CONTROL & ~NPU_IRQ_FAULT), SUBMIT_CREATE(JOB_FAULT, 1),
	     RUN, NOTHING_SHOWN);
}

Test(front, failures_at_tec_level_is_the_other_answer)
{
	choose(NPU_CHOICE_FAILURES_AT_TEC);
	init();
	PLAY(SUBMIT_CREATE(JOB_EXCEPTION, 1), RUN,
	     R_BITS(IRQ_STATUS, 0xf3f, NPU_IRQ_TEC | NPU_IRQ_EXCEPTION));
}

Test(front, a_failed_group_does_not_stop_the_jobs_behind_it)
{
	init();
	PLAY(LINK(JOB_EXCEPTION, JOB_SINGLE), SUBMIT_CREATE(JOB_EXCEPTION, 1), RUN,
	     TCBP(JOB_EXCEPTION), W(STATUS, NPU_IRQ_EXCEPTION), TCBP(JOB_SINGLE));
	choose(NPU_CHOICE_STOP_ON_FAILURE);
	init();
	PLAY(SUBMIT_CREATE(JOB_EXCEPTION, 1), RUN, W(STATUS, NPU_IRQ_EXCEPTION), NOTHING_SHOWN,
	     IS_BUSY, W(NPU_REG_HANDLE, DESTROY), OK);
}

Test(front, a_signal_shows_its_number_and_flag_and_is_never_merged)
{
	struct npu_cause signal = {
		.irq = NPU_IRQ_TEC | NPU_IRQ_SIGNAL, .tcbp = 0x1280, .flag = 0x20000010};

	init();
	PLAY(SUBMIT_CREATE(JOB_SINGLE, 1));
	npu_front_report(front, &front->pool[0].qos[0].list, &signal);
	PLAY(RUN, R(IRQ_STATUS, NPU_IRQ_TEC | NPU_IRQ_SIGNAL), R(IRQ_SIGNAL, 0x10000),
	     R(IRQ_FLAG, 0x20000010), R(IRQ_TCBP, 0x1280), W(STATUS, NPU_IRQ_SIGNAL),
	     R(IRQ_SIGNAL, 0), R(IRQ_FLAG, 0), TCBP(JOB_SINGLE));
}

/* --- Suspend and core count --- */

Test(front, cores_are_switched_off_and_on_by_their_count)
{
	init();
	PLAY(W(NPU_REG_CLUSTER_CONTROL(0), 0x1114), OK, SUBMIT_CREATE(JOB_SINGLE, 1),
	     HEAD(JOB_OTHER), W(NPU_REG_HANDLE, DISPATCH_FAST), RUN,
	     R_BITS(IRQ_STATUS, 0xf00000, 0), ACK_DONE, R_BITS(IRQ_STATUS, 0xf00000, 0), ACK_DONE);
	cr_assert(m->engine.cores[0].enabled);
	cr_assert_not(m->engine.cores[1].enabled);
}

Test(front, a_suspended_pool_can_be_destroyed_and_comes_back)
{
	init();
	PLAY(SUBMIT_CREATE(JOB_SINGLE, 1), RUN, ACK_DONE, W(NPU_REG_CLUSTER_CONTROL(0), 0x1014), OK,
	     W(NPU_REG_ADDRESS_HIGH, 0), W(NPU_REG_ADDRESS_LOW, 0), W(NPU_REG_INFO, 0),
	     W(NPU_REG_HANDLE, DESTROY), OK, SUBMIT_CREATE(JOB_SINGLE, 1), RUN, NOTHING_SHOWN,
	     W(NPU_REG_CLUSTER_CONTROL(0), 0x1314), RUN, TCBP(JOB_SINGLE));
}
