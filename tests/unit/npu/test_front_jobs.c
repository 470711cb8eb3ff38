/* SPDX-License-Identifier: Apache-2.0 */
/* The register front at work: jobs back to back, several pools, full queues, odd accesses. */
#include "tests/unit/npu/bench.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(front_jobs, .init = bench_setup, .fini = bench_teardown);

/* --- Jobs back to back --- */

/* What the vendor's driver keeps of a list. */
struct driver_list {
	struct chain tail; /* the last private tail */
	bool has_head;
};

static void driver_submit(struct driver_list *list, struct chain *chain, bool elide)
{
	uint64_t head = elide ? chain->first_task : chain->head;
	struct chain hold = chain_hold(chain);

	if (list->has_head) {
		chain_link(&list->tail, head);
	} else {
		PLAY(IS_IDLE, W(NPU_REG_HANDLE, CREATE), OK, IS_BUSY);
		set_reg(NPU_REG_ADDRESS_HIGH, (uint32_t)(head >> 32));
		set_reg(NPU_REG_ADDRESS_LOW, (uint32_t)head);
	}
	PLAY(W(NPU_REG_HANDLE, DISPATCH), OK);
	list->tail = hold;
	list->has_head = true;
}

/* As the handler does: one cause for each edge. Returns how many were this chain's. */
static unsigned int driver_interrupts(const struct chain *chain)
{
	unsigned int matched = 0;

	for (unsigned int i = 0; line && i < 1000; i++) {
		cr_assert_eq(reg(IRQ_STATUS) & 0x3f, DONE, "%s at 0x%x",
			     npu_reason_name(m->cause[m->n_causes - 1].cause.reason),
			     reg(IRQ_TCBP));
		matched += reg(IRQ_TCBP) == chain_tcbp(chain);
		set_reg(STATUS, DONE);
	}
	return matched;
}

Test(front_jobs, single_group_jobs_run_back_to_back_with_idle_gaps)
{
	struct driver_list list = {.has_head = false};
	uint64_t tcbs = 0;

	init();
	for (unsigned int i = 0; i < 40; i++) {
		struct chain chain;

		/* Two places take turns: the tail before stays until the next one has run. */
		m->used = i % 2 ? 0x20000 : 0x18000;
		m->n_objects = i % 2 ? 40 : 50;
		chain = job_create(insn_delay(10));
		driver_submit(&list, &chain, false);
		tcbs += chain.n_tcbs + 1;
		PLAY(RUN_FOR(i % 3 ? 11 : 500));
		cr_assert_eq(driver_interrupts(&chain), 1, "job %u", i);
		PLAY(IS_BUSY, NOTHING_SHOWN, RUN_FOR(i % 5));
		/* The bottom half. */
		chain_task(&chain, chain.last_task)->next = 0;
	}
	cr_assert_eq(m->engine.counters.tcbs, tcbs);
	cr_assert_eq(front->lost, 0);
}

Test(front_jobs, jobs_linked_before_the_tail_is_reached_go_straight_on)
{
	struct driver_list list = {.has_head = false};
	unsigned int done = 0;

	init();
	driver_submit(&list, &job[JOB_SINGLE], false);
	driver_submit(&list, &job[JOB_OTHER], false);
	PLAY(RUN);
	for (; line; done++)
		PLAY(ACK_DONE);
	cr_assert_eq(done, 4, "two jobs and two private tails");
}

Test(front_jobs, jobs_without_their_init_tcb_run_at_the_same_time)
{
	struct driver_list list = {.has_head = false};
	uint64_t start;

	init();
	start = m->now;
	driver_submit(&list, &job[JOB_SINGLE], false);
	driver_submit(&list, &job[JOB_OTHER], true);
	machine_run(m);
	cr_assert_eq(m->now - start, 10 * US);
	cr_assert_eq(machine_failures(m), 0);
	cr_assert_eq(m->engine.counters.groups, 4);
}

Test(front_jobs, a_multi_group_job_s_private_tail_says_nothing)
{
	struct driver_list list = {.has_head = false};

	init();
	driver_submit(&list, &job[JOB_MULTI], false);
	PLAY(RUN, R_BITS(IRQ_STATUS, 0xf3f, NPU_IRQ_CLUSTER | DONE), TCBP(JOB_MULTI), ACK_DONE,
	     NOTHING_SHOWN, IS_BUSY);
	driver_submit(&list, &job[JOB_SINGLE], false);
	PLAY(RUN);
	cr_assert_eq(driver_interrupts(&job[JOB_SINGLE]), 1);
}

Test(front_jobs, a_link_stored_in_a_running_task_is_lost_where_lines_are_written_back)
{
	init();
	PLAY(SUBMIT_CREATE(JOB_SINGLE, 1), RUN_FOR(5), LINK(JOB_SINGLE, JOB_OTHER), RUN, ACK_DONE,
	     W(NPU_REG_HANDLE, DISPATCH), RUN, TCBP(JOB_OTHER));
	chain_link(&job[JOB_SINGLE], 0);
	choose(NPU_CHOICE_WRITE_LINES);
	init();
	PLAY(SUBMIT_CREATE(JOB_SINGLE, 1), RUN_FOR(5), LINK(JOB_SINGLE, JOB_OTHER), RUN, ACK_DONE,
	     W(NPU_REG_HANDLE, DISPATCH), RUN, NOTHING_SHOWN);
}

/* --- The rest of the map --- */

Test(front_jobs, ticks_follow_the_clock_while_both_control_bits_are_zero)
{
	init();
	m->now = 5ull << 32;
	PLAY(R(NPU_REG_TICK_LOW, 0), R(NPU_REG_TICK_CONTROL, 3), W(NPU_REG_TICK_CONTROL, 0));
	m->now += (2ull << 32) + 77;
	PLAY(R(NPU_REG_TICK_LOW, 77), R(NPU_REG_TICK_HIGH, 2), W(NPU_REG_TICK_CONTROL, 1));
	m->now += 1000;
	PLAY(R(NPU_REG_TICK_LOW, 77), W(NPU_REG_TICK_CONTROL, 0));
	m->now += 3;
	PLAY(R(NPU_REG_TICK_LOW, 80), W(NPU_REG_TICK_CONTROL, 2), R(NPU_REG_TICK_LOW, 0),
	     R(NPU_REG_TICK_HIGH, 0));
}

Test(front_jobs, the_debug_window_shows_what_was_selected)
{
	init();
	PLAY(R(NPU_REG_GM_CONTROL, 0), W(NPU_REG_PAGE, 0x1002), R(NPU_REG_PAGE, 0x1002),
	     R(NPU_REG_CORE_STATUS, 0x10), R(NPU_REG_CLUSTER_STATUS, 0x60),
	     R(NPU_REG_TEC_MEMORY, 1), R(NPU_REG_CORE_MEMORY, 4), W(NPU_REG_PAGE, 0x1003),
	     R(NPU_REG_CORE_STATUS, 0), W(NPU_REG_PAGE, 0x1ff0), R(NPU_REG_CLUSTER_STATUS, 0),
	     W(NPU_REG_PAGE, 0x0002), R(NPU_REG_CORE_STATUS, 0));
}

Test(front_jobs, clusters_belong_to_the_pool_of_their_partition)
{
	struct npu_front_config config = plain;
	struct npu_topology topology = {3, 2, 4};

	config.partitions = 2;
	cr_assert(npu_engine_init(&m->engine, &topology, &m->host, m));
	front_create(&config);
	PLAY(R(NPU_REG_BUILD, 0x01020000), W(NPU_REG_CLUSTER_CONTROL(0), 0x1214),
	     W(NPU_REG_CLUSTER_CONTROL(1), 0x11214), W(NPU_REG_CLUSTER_CONTROL(2), 0x11214),
	     W(NPU_REG_POOL(1) + NPU_POOL_CONFIG, 1),
	     W(NPU_REG_POOL(1) + NPU_POOL_IRQ_CONTROL, CONTROL),
	     W(NPU_REG_HANDLE, CREATE | NPU_HANDLE_POOL(1)));
	cr_assert_eq(front->pool[0].qos[0].list.core_mask, 3);
	cr_assert_eq(front->pool[1].qos[0].list.core_mask, 0x3c);
	cr_assert_eq(front->pool[1].bound[1].list.core_mask, 8);
	PLAY(HEAD(JOB_SINGLE), W(NPU_REG_HANDLE, DISPATCH | NPU_HANDLE_POOL(1)), OK, RUN,
	     NOTHING_SHOWN,
	     R(NPU_REG_POOL(1) + NPU_POOL_IRQ_STATUS, 1 << 24 | 3 << 16 | NPU_IRQ_CORE | DONE),
	     R_BITS(NPU_REG_POOL(1) + NPU_POOL_STATUS, 0xff000000, 1 << 24), LINE(1),
	     W(NPU_REG_POOL(1) + NPU_POOL_STATUS, DONE), LINE(0),
	     W(NPU_REG_HANDLE, DESTROY | NPU_HANDLE_POOL(1)), OK,
	     W(NPU_REG_HANDLE, NPU_COMMAND_CREATE | NPU_HANDLE_POOL(1)), OK);
	cr_assert_eq(front->pool[1].qos[0].list.core_mask, 0xc, "one cluster only");
}

Test(front_jobs, a_driver_that_acknowledges_nothing_stops_its_own_pool_and_loses_nothing)
{
	unsigned int shown = 0;

	init();
	PLAY(LINK(JOB_SINGLE, JOB_SINGLE), SUBMIT_CREATE(JOB_SINGLE, 1), RUN_FOR(10000));
	cr_assert_eq(front->pool[0].n_causes, NPU_FRONT_CAUSES_HOLD);
	PLAY(ACK_DONE, RUN_FOR(100));
	cr_assert_eq(front->pool[0].n_causes, NPU_FRONT_CAUSES_HOLD);
	chain_task(&job[JOB_SINGLE], job[JOB_SINGLE].last_task)->next = 0;
	while (line) {
		PLAY(TCBP(JOB_SINGLE), ACK_DONE, RUN_FOR(100));
		shown++;
	}
	cr_assert_eq(shown + 1, m->engine.counters.done);
	cr_assert_eq(front->lost, 0);
}

Test(front_jobs, a_full_queue_drops_the_newest_and_counts_it)
{
	init();
	PLAY(SUBMIT_CREATE(JOB_SINGLE, 1));
	for (unsigned int i = 0; i < NPU_FRONT_CAUSES + 3; i++) {
		struct npu_cause cause = {.irq = NPU_IRQ_CORE | DONE, .tcbp = 1000 + i};

		npu_front_report(front, &front->pool[0].qos[0].list, &cause);
	}
	cr_assert_eq(front->lost, 3);
	for (unsigned int i = 0; i < NPU_FRONT_CAUSES; i++)
		PLAY(R(IRQ_TCBP, 1000 + i), ACK_DONE);
	PLAY(NOTHING_SHOWN, LINE(0));
}

/* So many steps: failing jobs linked in a circle keep the engine busy without time passing. */
static void steps_do(unsigned int n)
{
	uint64_t until;

	while (n--)
		if (npu_engine_step(&m->engine, m->now, &until) != NPU_STEP_RAN)
			m->now += 5 * 1000;
}

/* Any access in any order: the front stays within itself, and a reset always helps. */
Test(front_jobs, random_accesses_do_no_harm, .timeout = 60)
{
	static const uint32_t some[] = {NPU_REG_HANDLE,
					NPU_REG_HANDLE,
					NPU_REG_HANDLE,
					NPU_REG_INFO,
					NPU_REG_STATUS,
					NPU_REG_RESET,
					STATUS,
					IRQ_CONTROL,
					POOL_CONFIG,
					NPU_REG_PAGE,
					NPU_REG_CLUSTER_CONTROL(0)};
	const char *env = getenv("ZHOUYI_SEED");
	unsigned int seed = env ? (unsigned int)strtoul(env, NULL, 0) : 0x5eed;

	cr_log_info("ZHOUYI_SEED=%u", seed);
	for (unsigned int i = 0; i < 40000; i++) {
		uint32_t r = (uint32_t)rand_r(&seed), value = (uint32_t)rand_r(&seed);

		if (r % 8 < 4) {
			set_reg(some[r / 8 % NPU_ARRAY_SIZE(some)],
				r & 0x400000 ? value : value & 0x01111f3f);
		} else if (r % 8 == 4) {
			PLAY(HEAD(value % JOB_MAX));
		} else if (r % 8 == 5) {
			chain_link(&job[value % JOB_MAX],
				   value & 64 ? 0 : job[value / 128 % JOB_MAX].head);
		} else if (r % 8 == 6) {
			set_reg(value % 0x4000, (uint32_t)rand_r(&seed));
			reg(value % 0x4000);
		} else {
			steps_do(value % 64);
		}
		m->n_causes = 0;
		cr_assert_eq(line, front->pool[0].n_causes + front->pool[1].n_causes > 0);
	}
	for (unsigned int i = 0; i < JOB_MAX; i++)
		chain_link(&job[i], 0);
	init();
	PLAY(RUN, SUBMIT_CREATE(JOB_MULTI, 1), RUN, TCBP(JOB_MULTI), IS_IDLE);
}
