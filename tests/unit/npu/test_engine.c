/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/npu/fixture.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

TestSuite(engine, .init = setup, .fini = teardown);

/* --- Topologies and names --- */

Test(engine, refuses_topologies_the_registers_cannot_describe)
{
	static const struct npu_topology bad[] = {{0, 1, 1},  {1, 0, 1},  {1, 1, 0}, {9, 1, 1},
						  {1, 16, 1}, {1, 1, 16}, {5, 13, 1}};
	static const struct npu_topology good = {8, 8, 15};

	for (size_t i = 0; i < NPU_ARRAY_SIZE(bad); i++)
		cr_assert_not(npu_engine_init(&m->engine, &bad[i], &m->host, m));
	cr_assert(npu_engine_init(&m->engine, &good, &m->host, m));
	cr_assert_eq(m->engine.cores[63].cluster, 7);
	cr_assert_eq(m->engine.cores[63].id, 7);
}

Test(engine, every_reason_has_a_name)
{
	for (int i = 0; i < NPU_REASON_MAX_; i++)
		cr_assert(npu_reason_name(i) && npu_reason_name(i)[0]);
	cr_assert_str_eq(npu_reason_name(NPU_REASON_MAX_), "unknown failure");
}

/* --- Chains that work --- */

Test(engine, a_single_group_is_done_at_core_level_and_then_waits_at_its_tail)
{
	struct chain chain = chain_single(m, program_delay(m, 50));

	cr_assert_eq(start_and_run(&chain), NPU_STEP_IDLE);
	cr_assert_eq(m->n_causes, 1);
	cr_assert_eq(m->cause[0].cause.irq, CORE_DONE);
	cr_assert_eq(m->cause[0].cause.tcbp, chain_tcbp(&chain));
	cr_assert_eq(m->cause[0].cause.reason, NPU_REASON_NONE);
	cr_assert_eq(m->cause[0].cause.tec, 3);
	cr_assert_eq(m->now, 50 * US);
	cr_assert(npu_list_is_quiet(&list));
	cr_assert_not(npu_list_has_ended(&list), "a tail without grid end is not an end");
}

Test(engine, a_multi_group_job_is_done_once_at_cluster_level)
{
	uint64_t text = program_delay(m, 10);
	struct chain_group groups[3] = {{.text = text},
					{.text = text, .dependency = NPU_TCB_DEP_IMMEDIATE},
					{.text = text, .dependency = NPU_TCB_DEP_PRE_ALL}};
	struct chain chain = chain_create(m, groups, 3, CHAIN_MULTI);

	start_and_run(&chain);
	cr_assert_eq(m->n_causes, 1);
	cr_assert_eq(m->cause[0].cause.irq, CLUSTER_DONE);
	cr_assert_eq(m->cause[0].cause.tcbp, chain_tcbp(&chain));
	cr_assert_eq(m->now, 30 * US);
	cr_assert(npu_list_has_ended(&list));
}

Test(engine, grid_end_with_both_levels_reports_twice_core_first)
{
	struct chain_group group = {.text = program_delay(m, 1)};
	struct chain chain = chain_create(m, &group, 1, CHAIN_SINGLE | CHAIN_GRID_END);

	start_and_run(&chain);
	cr_assert_eq(m->n_causes, 2);
	cr_assert_eq(m->cause[0].cause.irq, CORE_DONE);
	cr_assert_eq(m->cause[1].cause.irq, CLUSTER_DONE);
	cr_assert_eq(m->cause[1].cause.tcbp, chain_tcbp(&chain));
}

Test(engine, a_grid_is_done_once_whatever_follows_it)
{
	struct chain_group group = {.text = program_delay(m, 10)};
	struct chain a = chain_create(m, &group, 1, CHAIN_MULTI);
	struct chain b = chain_create(m, &group, 1, CHAIN_GRID_END);

	chain_link(&a, b.head);
	start_and_run(&a);
	cr_assert_eq(m->n_causes, 1, "the second grid's end has nothing enabled");
	cr_assert(npu_list_has_ended(&list));
}

Test(engine, a_grid_that_was_aborted_is_never_done)
{
	struct chain_group groups[2] = {{.text = program_delay(m, 100)},
					{.text = program_delay(m, 10)}};
	struct chain a = chain_create(m, groups, 2, CHAIN_MULTI);
	struct chain b = chain_create(m, groups, 2, CHAIN_GRID_END);

	npu_list_start(&list, a.head);
	machine_run_until(m, 50 * US); /* its last group is done, its first is not */
	npu_list_abort(&list);
	npu_list_start(&list, b.head);
	machine_run(m);
	cr_assert_eq(m->n_causes, 0);
	npu_list_start(&list, a.head);
	machine_run_until(m, m->now + 50 * US);
	npu_list_start(&list, b.head); /* forgets as well */
	machine_run(m);
	cr_assert_eq(m->n_causes, 0);
}

Test(engine, cluster_level_without_grid_end_reports_nothing)
{
	struct chain_group group = {.text = program_delay(m, 1)};
	struct chain chain = chain_create(m, &group, 1, CHAIN_CLUSTER_DONE);

	start_and_run(&chain);
	cr_assert_eq(m->n_causes, 0);
	cr_assert_eq(m->engine.counters.groups, 1);
}

Test(engine, done_needs_its_type_enabled)
{
	struct chain chain = chain_single(m, program_delay(m, 1));

	for (unsigned int t = 0; t < 4; t++)
		chain_task(&chain, chain.first_task + t * NPU_TCB_SIZE)->interrupt_en &=
			~NPU_IRQ_DONE;
	start_and_run(&chain);
	cr_assert_eq(m->n_causes, 0);
}

Test(engine, independent_groups_run_at_the_same_time)
{
	uint64_t text = program_delay(m, 100);
	struct chain_group groups[3] = {{.text = text}, {.text = text}, {.text = text}};
	struct chain chain = chain_create(m, groups, 3, CHAIN_MULTI);

	start_and_run(&chain);
	cr_assert_eq(m->now, 100 * US, "three groups on three cores take as long as one");
	for (unsigned int g = 0; g < 3; g++)
		cr_assert_eq(chain_task(&chain, chain.first_task + g * 4 * NPU_TCB_SIZE)->core_id,
			     g);
}

Test(engine, an_immediate_dependency_waits_for_the_group_just_before_only)
{
	uint64_t slow = program_delay(m, 100), fast = program_delay(m, 10);
	struct chain_group groups[3] = {{.text = slow},
					{.text = fast},
					{.text = fast, .dependency = NPU_TCB_DEP_IMMEDIATE}};
	struct chain chain = chain_create(m, groups, 3, CHAIN_EVERY_CORE_DONE);

	start_and_run(&chain);
	cr_assert_eq(m->n_causes, 3);
	/* 10: the second, 20: the third, 100: the first. */
	cr_assert_eq(m->cause[1].cause.tcbp, chain_tcbp(&chain));
	cr_assert_eq(m->now, 100 * US);
}

Test(engine, a_pre_all_dependency_waits_for_all_groups_before)
{
	uint64_t slow = program_delay(m, 100), fast = program_delay(m, 10);
	struct chain_group groups[3] = {
		{.text = slow}, {.text = fast}, {.text = fast, .dependency = NPU_TCB_DEP_PRE_ALL}};
	struct chain chain = chain_create(m, groups, 3, CHAIN_EVERY_CORE_DONE);

	start_and_run(&chain);
	cr_assert_eq(m->cause[2].cause.tcbp, chain_tcbp(&chain));
	cr_assert_eq(m->now, 110 * US);
}

Test(engine, an_init_tcb_waits_for_everything_before_it)
{
	struct chain a = chain_single(m, program_delay(m, 100));
	struct chain b = chain_single(m, program_delay(m, 10));

	chain_link(&a, b.head);
	start_and_run(&a);
	cr_assert_eq(m->n_causes, 2);
	cr_assert_eq(m->cause[0].cause.tcbp, chain_tcbp(&a));
	cr_assert_eq(m->now, 110 * US);
}

Test(engine, without_its_init_tcb_a_job_runs_beside_the_one_before)
{
	struct chain a = chain_single(m, program_delay(m, 100));
	struct chain b = chain_single(m, program_delay(m, 10));

	chain_link(&a, b.first_task);
	start_and_run(&a);
	cr_assert_eq(m->n_causes, 2);
	cr_assert_eq(m->cause[0].cause.tcbp, chain_tcbp(&b));
	cr_assert_eq(m->now, 100 * US);
}

Test(engine, the_walker_does_not_pass_a_grid_end_before_its_groups_are_done)
{
	uint64_t slow = program_delay(m, 100), fast = program_delay(m, 10);
	struct chain_group groups[2] = {{.text = slow}, {.text = fast}};
	struct chain a = chain_create(m, groups, 2, CHAIN_MULTI);
	struct chain b = chain_single(m, fast);

	chain_link(&a, b.first_task); /* no init TCB that would wait anyway */
	start_and_run(&a);
	cr_assert_eq(m->n_causes, 2);
	cr_assert_eq(m->cause[0].cause.irq, CLUSTER_DONE);
	cr_assert_eq(m->now, 110 * US);
}

Test(engine, an_init_tcb_alone_moves_the_tail)
{
	struct chain a = chain_single(m, program_delay(m, 1)),
		     b = chain_single(m, program_delay(m, 1));
	uint64_t lone = machine_alloc(m, NPU_TCB_SIZE, MACHINE_TCB);
	struct npu_tcb_init *tcb = machine_at(m, lone);

	memcpy(tcb, machine_at(m, a.head), NPU_TCB_SIZE);
	tcb->flag = 0;
	tcb->next = 0;
	chain_link(&a, lone);
	start_and_run(&a);
	cr_assert_eq(list.walk, NPU_WALK_TAIL);
	cr_assert_eq(list.tail, lone);
	machine_unmap(m, a.head);
	tcb->next = (uint32_t)b.head;
	npu_list_continue(&list);
	machine_run(m);
	cr_assert_eq(m->n_causes, 2);
	cr_assert_eq(machine_failures(m), 0);
}

/* --- Growing chains --- */

Test(engine, a_tail_is_read_again_when_told_to)
{
	struct chain a = chain_single(m, program_delay(m, 10)),
		     b = chain_single(m, program_delay(m, 10));

	start_and_run(&a);
	npu_list_continue(&list);
	cr_assert_eq(machine_run(m), NPU_STEP_IDLE);
	cr_assert_eq(m->n_causes, 1, "a dispatch with nothing new does no harm");
	chain_link(&a, b.head);
	machine_run(m);
	cr_assert_eq(m->n_causes, 1, "nobody looks at a tail without being told");
	npu_list_continue(&list);
	machine_run(m);
	cr_assert_eq(m->n_causes, 2);
}

Test(engine, a_link_stored_while_the_tail_still_waits_for_a_core_is_not_lost)
{
	struct chain a = chain_single(m, program_delay(m, 10)),
		     b = chain_single(m, program_delay(m, 10));

	for (unsigned int i = 0; i < 3; i++)
		npu_core_enable(&m->engine.cores[i], false);
	start_and_run(&a);
	cr_assert_eq(list.walk, NPU_WALK_GROUP);
	chain_link(&a, b.head);
	npu_list_continue(&list);
	npu_core_enable(&m->engine.cores[2], true);
	machine_run(m);
	cr_assert_eq(m->n_causes, 2);
	cr_assert_eq(m->cause[0].cause.core, 2);
}

Test(engine, a_link_stored_while_a_grid_end_waits_is_not_lost)
{
	struct chain_group group = {.text = program_delay(m, 100)};
	struct chain a = chain_create(m, &group, 1, CHAIN_MULTI), b = chain_single(m, group.text);

	npu_list_start(&list, a.head);
	machine_run_until(m, 50 * US);
	cr_assert_eq(list.walk, NPU_WALK_GRID_END);
	chain_link(&a, b.head);
	npu_list_continue(&list);
	machine_run(m);
	cr_assert_eq(machine_count(m, CORE_DONE, chain_tcbp(&b)), 1);
}

Test(engine, next_is_kept_as_fetched)
{
	uint64_t text = program_delay(m, 10);
	struct chain_group groups[2] = {{.text = text},
					{.text = text, .dependency = NPU_TCB_DEP_PRE_ALL}};
	struct chain a = chain_create(m, groups, 2, CHAIN_CORE_DONE);

	npu_list_start(&list, a.head);
	npu_engine_schedule(&m->engine);
	/* The first group runs, its last TCB is fetched: this store comes too late. */
	chain_task(&a, a.first_task + 3 * NPU_TCB_SIZE)->next = 0;
	machine_run(m);
	cr_assert_eq(machine_count(m, CORE_DONE, chain_tcbp(&a)), 1);
}

Test(engine, write_back_of_whole_lines_undoes_an_edit_of_a_running_task)
{
	struct chain a = chain_single(m, program_delay(m, 10));

	m->engine.options = NPU_OPTION_WRITE_LINES;
	npu_list_start(&list, a.head);
	npu_engine_schedule(&m->engine);
	chain_link(&a, a.head);
	machine_run(m);
	cr_assert_eq(chain_task(&a, a.last_task)->next, 0);
}

Test(engine, a_private_tail_is_an_ordinary_group_of_one)
{
	struct chain a = chain_single(m, program_delay(m, 10)), hold = chain_hold(&a);
	struct chain b = chain_single(m, program_delay(m, 10));

	start_and_run(&a);
	cr_assert_eq(machine_failures(m), 0);
	cr_assert_eq(machine_count(m, CORE_DONE, chain_tcbp(&hold)), 1);
	cr_assert_eq(machine_count(m, CORE_DONE, chain_tcbp(&a)), 1);
	chain_link(&hold, b.head);
	npu_list_continue(&list);
	machine_run(m);
	cr_assert_eq(machine_count(m, CORE_DONE, chain_tcbp(&b)), 1);
	cr_assert_eq(m->engine.counters.tasks, 9);
}

/* --- Cores --- */

Test(engine, a_core_mask_is_honoured)
{
	struct chain a = chain_single(m, program_delay(m, 10));

	list.core_mask = 1 << 1;
	start_and_run(&a);
	cr_assert_eq(m->cause[0].cause.core, 1);
}

Test(engine, a_disabled_core_gets_nothing_and_a_busy_one_finishes)
{
	struct chain a = chain_single(m, program_delay(m, 10));

	list.core_mask = 1;
	npu_list_start(&list, a.head);
	npu_engine_schedule(&m->engine);
	npu_core_enable(&m->engine.cores[0], false);
	machine_run(m);
	cr_assert_eq(m->n_causes, 1);
	npu_list_start(&list, a.head);
	machine_run(m);
	cr_assert_eq(m->n_causes, 1);
	cr_assert_not(npu_list_is_quiet(&list));
}

Test(engine, fast_lists_are_served_first)
{
	struct chain a = chain_single(m, program_delay(m, 10)),
		     b = chain_single(m, program_delay(m, 10)),
		     c = chain_single(m, program_delay(m, 10));
	struct npu_list other, fast;

	npu_list_attach(&m->engine, &other, NULL, false, 1);
	npu_list_attach(&m->engine, &fast, NULL, true, 1);
	list.core_mask = 1;
	npu_list_start(&other, b.head);
	npu_list_start(&list, a.head);
	npu_list_start(&fast, c.head);
	machine_run(m);
	cr_assert_eq(m->n_causes, 3);
	cr_assert_eq(m->cause[0].list, &fast);
	cr_assert_eq(m->cause[1].list, &list, "then in order of attachment");
	cr_assert_eq(m->cause[2].list, &other);
	npu_list_detach(&other);
	npu_list_detach(&fast);
	cr_assert_eq(m->engine.lists, &list);
	cr_assert_null(list.next_list);
}

Test(engine, ids_are_written_back_before_completion_is_reported)
{
	struct chain a;

	machine_destroy(m);
	m = machine_create(2, 3, 4);
	npu_list_attach(&m->engine, &list, NULL, false, 1 << 5);
	a = chain_single(m, program_delay(m, 10));
	start_and_run(&a);
	cr_assert_eq(m->cause[0].cause.cluster, 1);
	cr_assert_eq(m->cause[0].cause.core, 2);
	for (unsigned int t = 0; t < 4; t++) {
		struct npu_tcb_task *task = chain_task(&a, a.first_task + t * NPU_TCB_SIZE);

		cr_assert_eq(task->cluster_id, 1);
		cr_assert_eq(task->core_id, 2);
		cr_assert_eq(task->tec_id, t);
	}
}

static void look_at_ids(void *arg, struct npu_list *reporting, const struct npu_cause *cause)
{
	struct npu_tcb_task *task = machine_at(m, MACHINE_WINDOW + cause->tcbp);

	(void)reporting;
	*(unsigned int *)arg += task->tec_id == 3 && task->core_id == 2;
}

Test(engine, a_report_finds_the_ids_in_memory)
{
	struct chain a = chain_single(m, program_delay(m, 10));
	unsigned int seen = 0;

	list.core_mask = 1 << 2;
	m->report = look_at_ids;
	m->report_arg = &seen;
	start_and_run(&a);
	cr_assert_eq(seen, 1);
}

Test(engine, counters_count_what_was_really_done)
{
	uint64_t text = program_delay(m, 1);
	struct chain_group groups[2] = {{.text = text}, {.text = text}};
	struct chain a = chain_create(m, groups, 2, CHAIN_MULTI);
	const unsigned int jobs = 25;

	for (unsigned int i = 0; i < jobs; i++)
		start_and_run(&a);
	cr_assert_eq(a.n_tcbs, 11);
	cr_assert_eq(m->engine.counters.tcbs, jobs * a.n_tcbs);
	cr_assert_eq(m->engine.counters.groups, jobs * 2);
	cr_assert_eq(m->engine.counters.tasks, jobs * 8);
	cr_assert_eq(m->engine.counters.insns, jobs * 4, "a delay and an end for each group");
	cr_assert_eq(m->engine.counters.done, jobs);
	cr_assert_eq(m->engine.counters.failed, 0);
}

/* --- Abort --- */

Test(engine, a_hang_lasts_until_it_is_aborted_and_nothing_is_reported)
{
	struct npu_insn insn = insn_hang();
	struct chain a = chain_single(m, program_create(m, &insn, 1));

	cr_assert_eq(start_and_run(&a), NPU_STEP_WAIT);
	cr_assert_not(npu_list_is_quiet(&list));
	npu_list_abort(&list);
	cr_assert_not(npu_engine_is_settled(&m->engine));
	cr_assert_not(npu_list_is_working(&list));
	machine_unmap(m, a.head); /* nobody looks at an aborted job's memory */
	cr_assert_eq(machine_run(m), NPU_STEP_IDLE);
	cr_assert(npu_engine_is_settled(&m->engine));
	cr_assert(npu_list_is_quiet(&list));
	cr_assert(npu_list_has_ended(&list));
	cr_assert_eq(m->n_causes, 0);
	cr_assert_eq(m->engine.counters.aborts, 1);
	cr_assert_eq(m->engine.counters.groups, 0);
}

Test(engine, an_abort_concerns_one_list_only)
{
	struct chain a = chain_single(m, program_delay(m, 100)),
		     b = chain_single(m, program_delay(m, 100));
	struct npu_list other;

	npu_list_attach(&m->engine, &other, NULL, false, ALL_CORES);
	npu_list_start(&list, a.head);
	npu_list_start(&other, b.head);
	machine_run_until(m, 50 * US);
	npu_list_abort(&list);
	machine_run(m);
	cr_assert_eq(m->n_causes, 1);
	cr_assert_eq(m->cause[0].list, &other);
}

Test(engine, a_list_can_start_again_before_its_aborted_groups_have_left)
{
	struct npu_insn insn = insn_hang();
	struct chain a = chain_single(m, program_create(m, &insn, 1));
	struct chain b = chain_single(m, program_delay(m, 10));

	start_and_run(&a);
	npu_list_abort(&list);
	npu_list_start(&list, b.head);
	npu_engine_schedule(&m->engine);
	cr_assert_eq(list.walk, NPU_WALK_INIT, "memory may be shared: wait for the old group");
	machine_run(m);
	cr_assert_eq(m->n_causes, 1);
	cr_assert_eq(m->cause[0].cause.tcbp, chain_tcbp(&b));
}

Test(engine, an_abort_forgets_a_group_that_has_no_core_yet)
{
	struct chain a = chain_single(m, program_delay(m, 10));

	list.core_mask = 0;
	start_and_run(&a);
	cr_assert(npu_list_is_working(&list));
	npu_list_abort(&list);
	list.core_mask = ALL_CORES;
	cr_assert_eq(machine_run(m), NPU_STEP_IDLE);
	cr_assert_eq(m->n_causes, 0);
	cr_assert_eq(m->engine.counters.groups, 0);
}

/* --- Threads --- */

/* A host with a thread for each core, and one lock, as the contract describes it. */
struct crew {
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool stop;
};

static struct crew crew = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

/* Sleeping is decided under the lock, after scheduling and with a look at `abort`: no wake-up is
 * lost. */
static void *crew_member(void *arg)
{
	struct npu_core *core = arg;
	enum npu_step step = NPU_STEP_IDLE;
	uint64_t until;

	pthread_mutex_lock(&crew.lock);
	while (!crew.stop) {
		npu_engine_schedule(&m->engine);
		if (!core->busy || (step == NPU_STEP_WAIT && !core->abort)) {
			pthread_cond_wait(&crew.change, &crew.lock);
			continue;
		}
		pthread_mutex_unlock(&crew.lock);
		step = npu_core_run(core, UINT64_MAX - 1, &until);
		pthread_mutex_lock(&crew.lock);
		if (step == NPU_STEP_IDLE) {
			npu_core_retire(core);
			pthread_cond_broadcast(&crew.change);
		}
	}
	pthread_mutex_unlock(&crew.lock);
	return NULL;
}

static void crew_wait_quiet(struct npu_list *lists, size_t n)
{
	for (size_t i = 0; i < n; i++)
		while (!npu_list_is_quiet(&lists[i]))
			pthread_cond_wait(&crew.change, &crew.lock);
}

Test(engine, cores_run_on_threads_of_their_own, .timeout = 60)
{
	struct npu_insn hang = insn_hang();
	uint64_t hanging = program_create(m, &hang, 1);
	struct npu_list lists[6];
	struct copy_job job[6];
	pthread_t thread[3];

	for (unsigned int i = 0; i < 6; i++) {
		job[i] = copy_job_create(m, 4000);
		npu_list_attach(&m->engine, &lists[i], NULL, i == 5, ALL_CORES);
	}
	for (unsigned int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, crew_member, &m->engine.cores[i]);
	pthread_mutex_lock(&crew.lock);
	for (unsigned int round = 0; round < 200; round++) {
		uint32_t spc = machine_rel(round % 4 == 3 ? hanging : job[0].text);

		for (unsigned int t = 0; t < 4; t++)
			chain_task(&job[0].chain, job[0].chain.first_task + t * NPU_TCB_SIZE)->spc =
				spc;
		m->n_causes = 0;
		for (unsigned int i = 0; i < 6; i++)
			npu_list_start(&lists[i], job[i].chain.head);
		pthread_cond_broadcast(&crew.change);
		crew_wait_quiet(lists + 1, 5);
		if (round % 4 == 3)
			npu_list_abort(&lists[0]);
		pthread_cond_broadcast(&crew.change);
		crew_wait_quiet(lists, 6);
		cr_assert(npu_engine_is_settled(&m->engine));
		cr_assert_eq(m->n_causes, round % 4 == 3 ? 5 : 6);
		cr_assert_eq(machine_failures(m), 0);
	}
	crew.stop = true;
	pthread_cond_broadcast(&crew.change);
	pthread_mutex_unlock(&crew.lock);
	for (unsigned int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	cr_assert_eq(m->engine.counters.aborts, 50);
	for (unsigned int i = 0; i < 6; i++)
		cr_assert_eq(memcmp(machine_at(m, job[i].in), machine_at(m, job[i].out), 4000), 0);
}
