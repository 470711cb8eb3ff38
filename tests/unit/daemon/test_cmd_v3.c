/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cmd_v3.h"
#include "npu/tcb.h"

#define WINDOW (UINT64_C(3) << 30)
#define MAX_SUBGRAPHS 8

/* A small graph made of arrays that a test may change before it plans. */
struct fixture {
	struct graph graph;
	struct graph_bss bss[2];
	struct graph_static statics[4];
	struct graph_reuse reuses[6];
	struct graph_patch patches[8];
	struct graph_remap remaps[4];
	struct graph_subgraph subgraphs[MAX_SUBGRAPHS];
	struct graph_tensor inputs[2], outputs[2], profiler[1];
	struct cmd_v3_config config;
	struct cmd_v3_place place;
	struct cmd_v3_plan *plan;
	struct loadable_error error;
	uint8_t *chain;
};

static uint8_t bytes[8192];

static void setup(struct fixture *f, unsigned int cores, size_t n_subgraphs)
{
	memset(f, 0, sizeof(*f));
	f->config = (struct cmd_v3_config){.cores = cores, .tecs = 4, .window_size = WINDOW};
	f->bss[0] = (struct graph_bss){.stack_size = 4096, .stack_align = 4096};
	f->bss[1] = f->bss[0];
	f->graph = (struct graph){
		.text = {bytes, 256},
		.rodata = {bytes, 256},
		.weight = {bytes, 4096},
		.bss = f->bss,
		.n_bss = 1,
		.statics = f->statics,
		.reuses = f->reuses,
		.patches = f->patches,
		.remaps = f->remaps,
		.subgraphs = f->subgraphs,
		.n_subgraphs = n_subgraphs,
		.gm_section = -1,
	};
	f->graph.tensors[GRAPH_TENSOR_INPUT].tensor = f->inputs;
	f->graph.tensors[GRAPH_TENSOR_OUTPUT].tensor = f->outputs;
	f->graph.tensors[GRAPH_TENSOR_PROFILER].tensor = f->profiler;
	f->place = (struct cmd_v3_place){.shared = 0x10000000, .slot = 0x10000000};
}

static void finish(struct fixture *f)
{
	cmd_v3_plan_destroy(f->plan);
	free(f->chain);
}

static int plan(struct fixture *f)
{
	cmd_v3_plan_destroy(f->plan);
	f->plan = NULL;
	f->error.text[0] = '\0';
	return cmd_v3_plan_create(&f->plan, &f->graph, &f->config, &f->error);
}

static void must_plan(struct fixture *f)
{
	int r = plan(f);

	cr_assert_eq(r, 0, "%d: %s", r, f->error.text);
}

static void build(struct fixture *f)
{
	size_t size = (size_t)f->plan->n_tcbs * NPU_TCB_SIZE;

	free(f->chain);
	f->chain = malloc(size);
	cr_assert_not_null(f->chain);
	memset(f->chain, 0xa5, size);
	cmd_v3_chain(f->plan, &f->place, f->chain);
}

/* A word that is not 0. */
struct word {
	uint32_t tcb, offset, value;
};

static void expect_words(const struct fixture *f, const struct word *words, size_t n)
{
	size_t size = (size_t)f->plan->n_tcbs * NPU_TCB_SIZE;
	uint32_t *want = calloc(1, size), got;

	for (size_t i = 0; i < n; i++)
		want[words[i].tcb * 32 + words[i].offset / 4] = words[i].value;
	for (size_t i = 0; i < size / 4; i++) {
		memcpy(&got, f->chain + 4 * i, 4);
		cr_expect_eq(got, want[i], "TCB %zu, word 0x%02zx: 0x%08x, not 0x%08x", i / 32,
			     i % 32 * 4, got, want[i]);
	}
	free(want);
}

static uint32_t word_at(const struct fixture *f, uint32_t tcb, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, f->chain + tcb * NPU_TCB_SIZE + offset, 4);
	return value;
}

/* Everything as in the example that has all words: one core, one subgraph, four TECs. */
static void setup_example(struct fixture *f)
{
	setup(f, 1, 1);
	f->graph.crodata = (struct blob){bytes, 0x100};
	f->graph.n_reuses = 1;
	f->reuses[0] = (struct graph_reuse){.size = 0x1000, .align = 4096};
	f->graph.tensors[GRAPH_TENSOR_PROFILER].n = 1;
	f->profiler[0] = (struct graph_tensor){.size = 0x400, .offset = 0x400};
	f->subgraphs[0] = (struct graph_subgraph){
		.text_offset = 0x20,
		.rodata_offset = 0x10,
		.profiler_offset = 0x40,
		.printf_size = 1,
		.private_size = 100,
	};
	must_plan(f);
	f->plan->text.offset = 0;
	f->plan->crodata.offset = 0x1000;
	f->plan->rodata.offset = 0x3000;
	f->plan->tcbs.offset = 0x5000;
	f->plan->reuses[0].span.offset = 0x7000;
	f->plan->groups[0].stack = 0x9000;
	f->plan->groups[0].dp = 0xd000;
	f->plan->printf.offset = 0x11000;
}

Test(cmd_v3, all_words_of_one_group_with_printf_and_profiler)
{
	struct fixture f;
	struct word words[4 + 19 * 4];
	size_t n = 0;

	setup_example(&f);
	build(&f);
	cr_assert_eq(f.plan->n_tcbs, 6);
	words[n++] = (struct word){0, 0x00, 0x00010000};
	words[n++] = (struct word){0, 0x04, 0x10005100};
	words[n++] = (struct word){0, 0x30, 0x00000060};
	words[n++] = (struct word){0, 0x38, 0x00000060};
	words[n++] = (struct word){1, 0x18, 0x00000031};
	for (uint32_t t = 0; t < 4; t++) {
		const struct word task[] = {
			{2 + t, 0x00, t == 3 ? 0x41 : 0x01},
			{2 + t, 0x04, t == 3 ? 0 : 0x10005180 + t * 0x80},
			{2 + t, 0x0c, 0x10000020},
			{2 + t, 0x10, t == 3 ? 0x73d : 0x13d},
			{2 + t, 0x18, t << 16},
			{2 + t, 0x1c, 0x00010001},
			{2 + t, 0x20, 0x00040001},
			{2 + t, 0x24, 0x00010001},
			{2 + t, 0x28, 0x00000001},
			{2 + t, 0x2c, t << 16},
			{2 + t, 0x34, 0x10009000 + t * 0x1000},
			{2 + t, 0x38, 0x10003010},
			{2 + t, 0x3c, 0x1000d000 + t * 0x1000},
			{2 + t, 0x40, 0x10001000},
			{2 + t, 0x44, 0x10011000 + t * 0x400},
			{2 + t, 0x48, 0x10007440},
			{2 + t, 0x6c, 0x10005100 + t * 0x80},
			{2 + t, 0x7c, 0x10007400},
		};

		memcpy(words + n, task, sizeof(task));
		n += NPU_ARRAY_SIZE(task);
	}
	cr_assert_leq(n, NPU_ARRAY_SIZE(words));
	expect_words(&f, words, n);
	/* The task that is given in full, literally. */
	cr_expect_eq(word_at(&f, 5, 0x34), 0x1000c000);
	cr_expect_eq(word_at(&f, 5, 0x3c), 0x10010000);
	cr_expect_eq(word_at(&f, 5, 0x44), 0x10011c00);
	cr_expect_eq(word_at(&f, 5, 0x6c), 0x10005280);
	finish(&f);
}

/* The words every task has, but for flag, next and interrupt_en. */
static size_t add_task(struct fixture *f, struct word *words, size_t n, uint32_t tcb,
		       uint32_t subgraph, uint32_t task)
{
	const struct cmd_v3_plan *p = f->plan;
	uint32_t slot = (uint32_t)(f->place.slot - f->config.asid0_base);
	uint32_t shared = (uint32_t)(f->place.shared - f->config.asid0_base);
	const struct word common[] = {
		{tcb, 0x0c, shared},
		{tcb, 0x14, subgraph % f->config.cores},
		{tcb, 0x18, task << 16},
		{tcb, 0x1c, 0x00010001},
		{tcb, 0x20, 0x00040001},
		{tcb, 0x24, 0x00010001},
		{tcb, 0x28, 0x00000001},
		{tcb, 0x2c, task << 16},
		{tcb, 0x34, slot + (uint32_t)p->stack.offset + (subgraph * 4 + task) * 4096},
		{tcb, 0x38, slot + (uint32_t)p->rodata.offset},
		{tcb, 0x6c, slot + (uint32_t)p->tcbs.offset + tcb * 128},
	};

	memcpy(words + n, common, sizeof(common));
	return n + NPU_ARRAY_SIZE(common);
}

static size_t add_links(struct word *words, size_t n, uint32_t tcb, uint32_t flag, uint64_t next,
			uint32_t irq)
{
	words[n++] = (struct word){tcb, 0x00, flag};
	words[n++] = (struct word){tcb, 0x04, (uint32_t)next};
	words[n++] = (struct word){tcb, 0x10, irq};
	return n;
}

Test(cmd_v3, one_core_and_one_subgraph)
{
	static const uint32_t flags[] = {1, 1, 1, 0x41}, irqs[] = {0x3d, 0x3d, 0x3d, 0x63d};
	struct fixture f;
	struct word words[100];
	size_t n = 0;
	uint32_t base;

	setup(&f, 1, 1);
	must_plan(&f);
	build(&f);
	base = (uint32_t)(f.place.slot + f.plan->tcbs.offset);
	words[n++] = (struct word){0, 0x00, 0x00010000};
	words[n++] = (struct word){0, 0x04, base + 0x100};
	words[n++] = (struct word){0, 0x30, 0x60};
	words[n++] = (struct word){0, 0x38, 0x60};
	words[n++] = (struct word){1, 0x18, 0x31};
	for (uint32_t t = 0; t < 4; t++) {
		n = add_links(words, n, 2 + t, flags[t], t == 3 ? 0 : base + 0x180 + t * 0x80,
			      irqs[t]);
		n = add_task(&f, words, n, 2 + t, 0, t);
	}
	expect_words(&f, words, n);
	finish(&f);
}

/* Three cores, two subgraphs; the second one's first task has @flag. */
static void expect_two_groups(int32_t dependency, uint32_t flag)
{
	const uint32_t flags[] = {1, 1, 1, 0x41, flag, 1, 1, 0xc1};
	struct fixture f;
	struct word words[200];
	size_t n = 0;
	uint64_t base;

	setup(&f, 3, 2);
	f.subgraphs[1].dependency = dependency;
	f.config.asid0_base = UINT64_C(0x100000000);
	f.place = (struct cmd_v3_place){0x110000000, 0x120000000};
	must_plan(&f);
	build(&f);
	cr_assert_eq(f.plan->n_tcbs, 11);
	base = f.place.slot + f.plan->tcbs.offset;
	words[n++] = (struct word){0, 0x00, 0x00030000};
	words[n++] = (struct word){0, 0x04, (uint32_t)base + 0x180};
	words[n++] = (struct word){0, 0x30, 0x60};
	words[n++] = (struct word){0, 0x34, 1};
	words[n++] = (struct word){0, 0x38, 0x60};
	words[n++] = (struct word){0, 0x3c, 1};
	words[n++] = (struct word){1, 0x18, 0x31};
	words[n++] = (struct word){1, 0x58, 0x31};
	words[n++] = (struct word){2, 0x18, 0x31};
	for (uint32_t i = 0; i < 8; i++) {
		/* After a pre-all dependency the stacks are used again from the start. */
		uint32_t lane = dependency == GRAPH_DEPENDS_ON_ALL ? 0 : i / 4;

		n = add_links(words, n, 3 + i, flags[i], i == 7 ? 0 : base + 0x200 + i * 0x80,
			      i == 7 ? 0x43d : 0x3d);
		n = add_task(&f, words, n, 3 + i, lane, i % 4);
		words[n++] = (struct word){3 + i, 0x14, i / 4};
	}
	expect_words(&f, words, n);
	finish(&f);
}

Test(cmd_v3, three_cores_and_a_group_that_depends_on_the_one_before)
{
	expect_two_groups(1, 0x11);
}

Test(cmd_v3, three_cores_and_a_group_that_depends_on_all)
{
	expect_two_groups(GRAPH_DEPENDS_ON_ALL, 0x21);
}

Test(cmd_v3, three_cores_and_a_group_that_depends_on_nothing)
{
	expect_two_groups(0, 0x01);
}

Test(cmd_v3, a_single_group_loses_pre_all_but_keeps_an_immediate_dependency)
{
	struct fixture f;

	setup(&f, 1, 1);
	f.subgraphs[0].dependency = GRAPH_DEPENDS_ON_ALL;
	must_plan(&f);
	build(&f);
	cr_expect_eq(word_at(&f, 2, 0), 0x01);
	f.subgraphs[0].dependency = 1;
	must_plan(&f);
	build(&f);
	cr_expect_eq(word_at(&f, 2, 0), 0x11);
	finish(&f);
}

Test(cmd_v3, dependencies_that_this_generation_does_not_have_are_refused)
{
	static const int32_t bad[] = {2, 3, 4, -2};
	struct fixture f;

	setup(&f, 1, 2);
	for (size_t i = 0; i < NPU_ARRAY_SIZE(bad); i++) {
		f.subgraphs[1].dependency = bad[i];
		cr_expect_eq(plan(&f), -EBADMSG);
		cr_expect_not_null(strstr(f.error.text, "subgraph 1"));
	}
	finish(&f);
}

/* A BSS that comes back starts a run of its own: three runs of two BSSs. */
Test(cmd_v3, every_run_of_a_bss_has_init_tcbs)
{
	static const uint32_t bss[] = {0, 1, 1, 0}, inits[] = {0, 7, 18};
	struct fixture f;
	uint32_t base;

	setup(&f, 3, 4);
	f.graph.n_bss = 2;
	for (int i = 0; i < 4; i++)
		f.subgraphs[i].bss = bss[i];
	must_plan(&f);
	build(&f);
	cr_assert_eq(f.plan->n_tcbs, 4 * 4 + 3 * 3);
	base = (uint32_t)(f.place.slot + f.plan->tcbs.offset);
	for (uint32_t run = 0; run < 3; run++) {
		uint32_t init = inits[run];

		cr_expect_eq(word_at(&f, init, 0), 0x00030000);
		cr_expect_eq(word_at(&f, init, 4), base + (init + 3) * 128);
		cr_expect_eq(word_at(&f, init, 0x14), run << 16);
		cr_expect_eq(word_at(&f, init + 1, 4), 0, "SegMMU TCBs are not linked");
		cr_expect_eq(word_at(&f, init + 3, 0x14) >> 16, run, "grid id of the tasks");
	}
	/* The last task of a run goes on to the next one's init TCB, without grid end. */
	cr_expect_eq(word_at(&f, 6, 4), base + 7 * 128);
	cr_expect_eq(word_at(&f, 6, 0), 0x41);
	cr_expect_eq(word_at(&f, 17, 4), base + 18 * 128);
	cr_expect_eq(word_at(&f, 24, 4), 0);
	cr_expect_eq(word_at(&f, 24, 0), 0xc1);
	cr_expect_eq(word_at(&f, 21, 0x14) & 0xffff, 0, "group 3 of 3 cores");
	finish(&f);
}

Test(cmd_v3, start_values)
{
	struct fixture f;
	struct cmd_v3_start start;

	setup(&f, 3, 2);
	must_plan(&f);
	cmd_v3_start(f.plan, &f.place, &start);
	cr_expect_eq(start.head, f.place.slot + f.plan->tcbs.offset);
	cr_expect_eq(start.first_task, start.head + 0x180);
	cr_expect_eq(start.last_task, start.head + 10 * 128);
	cr_expect_eq(start.n_tcbs, 11);
	cr_expect_eq(start.n_groups, 2);
	finish(&f);
}

Test(cmd_v3, without_weights_asid_1_has_no_base)
{
	struct fixture f;

	setup(&f, 1, 1);
	f.config.asid0_base = UINT64_C(0x300000000);
	f.place = (struct cmd_v3_place){0x310000000, 0x320000000};
	f.graph.weight = (struct blob){NULL, 0};
	must_plan(&f);
	build(&f);
	cr_expect_eq(word_at(&f, 0, 0x30), 0x60);
	cr_expect_eq(word_at(&f, 0, 0x34), 3);
	cr_expect_eq(word_at(&f, 0, 0x38), 0x60);
	cr_expect_eq(word_at(&f, 0, 0x3c), 0);
	finish(&f);
}

/*
 * Patches
 */

/* Rodata of 100 bytes, position 104: four bytes into the descriptor. */
Test(cmd_v3, a_patch_merges_address_and_old_value)
{
	struct fixture f;
	uint8_t rodata[100] = {0}, desc[16];
	uint32_t value;

	setup(&f, 1, 1);
	f.graph.rodata.size = sizeof(rodata);
	f.graph.desc = (struct blob){bytes, sizeof(desc)};
	f.graph.n_reuses = 1;
	f.reuses[0] = (struct graph_reuse){.size = 4096, .align = 16};
	f.graph.n_patches = 1;
	f.patches[0] = (struct graph_patch){.area = GRAPH_AREA_REUSE,
					    .offset = 0x440,
					    .size = 16,
					    .position = 104,
					    .mask = 0xfffffff0};
	must_plan(&f);
	f.plan->reuses[0].span.offset = 0x7000;
	memset(desc, 0x11, sizeof(desc));
	cmd_v3_patch(f.plan, &f.place, rodata, desc);
	memcpy(&value, desc + 4, 4);
	cr_expect_eq(value, 0x10007441, "0x%08x", value);
	memset(desc + 4, 0x11, 4);
	for (size_t i = 0; i < sizeof(desc); i++)
		cr_expect_eq(desc[i], 0x11);
	finish(&f);
}

static uint32_t u32_at(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, 4);
	return value;
}

Test(cmd_v3, later_patches_win_and_remaps_come_last)
{
	struct fixture f;
	uint8_t rodata[256] = {0}, desc[64] = {0};

	setup(&f, 1, 2);
	f.config.asid0_base = UINT64_C(0x100000000);
	f.place = (struct cmd_v3_place){0x110000000, 0x120000000};
	f.graph.desc = (struct blob){bytes, sizeof(desc)};
	f.bss[0].n_statics = f.graph.n_statics = 1;
	f.statics[0] = (struct graph_static){.size = 64, .align = 64, .type = 4};
	f.bss[0].n_reuses = f.graph.n_reuses = 1;
	f.reuses[0] = (struct graph_reuse){.size = 64, .align = 64};
	f.subgraphs[1].privates = &(struct graph_reuse){.size = 100, .align = 4096};
	f.subgraphs[1].n_privates = 1;
	f.graph.n_patches = 5;
	f.patches[0] = (struct graph_patch){GRAPH_AREA_STATIC, 0, 0, 8, 8, 10, UINT32_MAX};
	f.patches[1] = (struct graph_patch){GRAPH_AREA_REUSE, 0, 0, 4, 8, 10, 0xffff};
	f.patches[2] = (struct graph_patch){GRAPH_AREA_STATIC, 0, 0, 0, 8, 20, UINT32_MAX};
	f.patches[3] = (struct graph_patch){GRAPH_AREA_PRIVATE, 0, 1, 12, 8, 30, UINT32_MAX};
	f.patches[4] = (struct graph_patch){GRAPH_AREA_STATIC, 0, 0, 0, 8, 40, UINT32_MAX};
	f.graph.n_remaps = 3;
	f.remaps[0] = (struct graph_remap){0, 40, 2, 5};
	f.remaps[1] = (struct graph_remap){1, 8, 0, 6};
	f.remaps[2] = (struct graph_remap){1, 60, 1, 7};
	must_plan(&f);
	cmd_v3_patch(f.plan, &f.place, rodata, desc);

	uint32_t statics = 0x10000000 + (uint32_t)f.plan->statics[0].offset;
	uint32_t reuse = 0x20000000 + (uint32_t)f.plan->reuses[0].span.offset;

	cr_expect_eq(u32_at(rodata + 10), ((statics + 8) & 0xffff0000) | ((reuse + 4) & 0xffff));
	cr_expect_eq(u32_at(rodata + 20), statics);
	cr_expect_eq(u32_at(rodata + 30), 0x20000000 + (uint32_t)f.plan->privates[0].offset + 12);
	cr_expect_eq(u32_at(rodata + 40), 0x10000000 + (uint32_t)f.plan->text.offset + 5);
	cr_expect_eq(u32_at(desc + 8), 0x20000000 + (uint32_t)f.plan->rodata.offset + 6);
	cr_expect_eq(u32_at(desc + 60), 0x20000000 + (uint32_t)f.plan->desc.offset + 7);
	finish(&f);
}

/*
 * Tensors in place
 */

/* Input 0 in section 0, output 0 in section 1, an intermediate in section 2; all patched. */
static void setup_io(struct fixture *f)
{
	setup(f, 1, 1);
	f->config.lend_io = true;
	f->graph.n_reuses = 3;
	for (uint32_t i = 0; i < 3; i++) {
		f->reuses[i] = (struct graph_reuse){.size = 64, .align = 64};
		f->patches[i] =
			(struct graph_patch){GRAPH_AREA_REUSE, i, 0, 0, 64, 8 * i, UINT32_MAX};
	}
	f->graph.n_patches = 3;
	f->graph.tensors[GRAPH_TENSOR_INPUT].n = 1;
	f->graph.tensors[GRAPH_TENSOR_OUTPUT].n = 1;
	f->inputs[0] = (struct graph_tensor){.size = 64, .section = 0};
	f->outputs[0] = (struct graph_tensor){.size = 64, .section = 1};
}

Test(cmd_v3, tensors_with_a_section_of_their_own_are_used_in_place)
{
	struct fixture f;
	uint8_t rodata[256];

	setup_io(&f);
	must_plan(&f);
	cr_expect(f.plan->reuses[0].in_place && f.plan->reuses[1].in_place);
	cr_expect_not(f.plan->reuses[2].in_place);
	cr_expect_eq(f.plan->reuses[0].span.size, 0, "it has no memory in the slot");
	cr_expect_eq(f.plan->reuses[2].span.size, 64);
	cr_expect_eq(f.plan->n_io, 2);

	memset(rodata, 0x77, sizeof(rodata));
	cmd_v3_patch(f.plan, &f.place, rodata, NULL);
	cr_expect_eq(u32_at(rodata), 0x77777777, "left for the run");
	cmd_v3_patch_io(f.plan, 1, 0x12345678, rodata, NULL);
	cr_expect_eq(u32_at(rodata), 0x77777777);
	cr_expect_eq(u32_at(rodata + 8), 0x12345678);
	cmd_v3_patch_io(f.plan, 0, 0x22345678, rodata, NULL);
	cr_expect_eq(u32_at(rodata), 0x22345678);
	finish(&f);
}

Test(cmd_v3, a_device_that_may_need_copies_keeps_memory_for_them)
{
	struct fixture f;

	setup_io(&f);
	f.config.lend_io = false;
	must_plan(&f);
	cr_expect(f.plan->reuses[0].in_place);
	cr_expect_eq(f.plan->reuses[0].span.size, 64);
	finish(&f);
}

Test(cmd_v3, a_tensor_that_shares_its_section_is_copied)
{
	struct fixture f;

	setup_io(&f);
	f.outputs[0].section = 0; /* with another tensor */
	must_plan(&f);
	cr_expect_not(f.plan->reuses[0].in_place);

	finish(&f);
	setup_io(&f);
	f.inputs[0].offset = 16; /* not at the start */
	f.inputs[0].size = 48;
	must_plan(&f);
	cr_expect_not(f.plan->reuses[0].in_place);
	cr_expect(f.plan->reuses[1].in_place);

	finish(&f);
	setup_io(&f);
	f.inputs[0].size = 48; /* with something the program addresses behind it */
	must_plan(&f);
	cr_expect_not(f.plan->reuses[0].in_place);

	finish(&f);
	setup_io(&f);
	f.graph.gm_section = 1; /* with the cluster's memory */
	must_plan(&f);
	cr_expect_not(f.plan->reuses[1].in_place);
	finish(&f);
}

Test(cmd_v3, a_tensor_whose_slot_others_write_is_copied)
{
	struct fixture f;

	setup_io(&f);
	f.patches[2].position = f.patches[0].position + 3;
	must_plan(&f);
	cr_expect_not(f.plan->reuses[0].in_place);
	cr_expect(f.plan->reuses[1].in_place);

	finish(&f);
	setup_io(&f);
	f.graph.n_remaps = 1;
	f.remaps[0] = (struct graph_remap){0, 8, 0, 0};
	must_plan(&f);
	cr_expect(f.plan->reuses[0].in_place);
	cr_expect_not(f.plan->reuses[1].in_place);
	finish(&f);
}

/*
 * Layout
 */

struct extent {
	uint64_t start, end;
};

static int extent_compare(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

Test(cmd_v3, nothing_overlaps_and_alignments_hold_in_absolute_addresses)
{
	static const uint32_t aligns[] = {1, 4096, 1 << 20, 64};
	struct fixture f;
	struct extent slot[16], shared[8];
	size_t n = 0, m = 0;
	uint64_t slot_at, shared_at;

	setup(&f, 3, 3);
	f.config.asid0_base = UINT64_C(0x100000000);
	f.config.tail_bytes = 0x800;
	f.graph.desc = (struct blob){bytes, 300};
	f.graph.crodata = (struct blob){bytes, 17};
	f.bss[0].n_statics = f.graph.n_statics = 4;
	f.bss[0].n_reuses = f.graph.n_reuses = 4;
	f.bss[0].stack_size = 5000;
	f.bss[0].stack_align = 8192;
	for (int i = 0; i < 4; i++) {
		f.statics[i] = (struct graph_static){
			.size = 100, .align = aligns[i], .type = i == 2 ? 15 : 4};
		f.reuses[i] = (struct graph_reuse){.size = 5000, .align = aligns[i]};
	}
	for (int i = 0; i < 3; i++) {
		f.subgraphs[i].private_size = 10;
		f.subgraphs[i].printf_size = 1;
	}
	must_plan(&f);
	cr_assert_eq(f.plan->slot_align, 1 << 20);
	cr_assert_eq(cmd_v3_part_place(&f.config, 0x100001000, f.plan->slot_size,
				       f.plan->slot_align, &slot_at),
		     0);
	cr_assert_eq(cmd_v3_part_place(&f.config, 0x150001000, f.plan->shared_size,
				       f.plan->shared_align, &shared_at),
		     0);
	cr_expect_leq(slot_at + f.plan->slot_size,
		      0x100001000 + cmd_v3_part_bytes(f.plan->slot_size, f.plan->slot_align));

#define SPAN(s) ((struct extent){(s).offset, (s).offset + (s).size})
	slot[n++] = SPAN(f.plan->rodata);
	slot[n++] = SPAN(f.plan->desc);
	slot[n++] = SPAN(f.plan->tcbs);
	slot[n++] = SPAN(f.plan->printf);
	slot[n++] = SPAN(f.plan->stack);
	slot[n++] = SPAN(f.plan->dp);
	shared[m++] = SPAN(f.plan->text);
	shared[m++] = SPAN(f.plan->crodata);
	for (int i = 0; i < 4; i++) {
		slot[n++] = SPAN(f.plan->reuses[i].span);
		shared[m++] = SPAN(f.plan->statics[i]);
		cr_expect_eq((slot_at + f.plan->reuses[i].span.offset) % aligns[i], 0);
		cr_expect_eq((shared_at + f.plan->statics[i].offset) % aligns[i], 0);
	}
	qsort(slot, n, sizeof(*slot), extent_compare);
	qsort(shared, m, sizeof(*shared), extent_compare);
	for (size_t i = 1; i < n; i++)
		cr_expect_geq(slot[i].start, slot[i - 1].end);
	for (size_t i = 1; i < m; i++)
		cr_expect_geq(shared[i].start, shared[i - 1].end);
	cr_expect_leq(slot[n - 1].end, f.plan->slot_size);
	cr_expect_leq(shared[m - 1].end + 0x800, f.plan->shared_size);
	cr_expect_eq(f.plan->stack_stride, 8192);
	cr_expect_eq(f.plan->stack.size, 3 * 4 * 8192);
	finish(&f);
}

Test(cmd_v3, constants_are_packed_in_order)
{
	struct fixture f;

	setup(&f, 1, 1);
	f.bss[0].n_statics = f.graph.n_statics = 4;
	f.statics[0] = (struct graph_static){.size = 100, .align = 32, .type = 4};
	f.statics[1] = (struct graph_static){.size = 10, .align = 16, .type = 15};
	f.statics[2] = (struct graph_static){.size = 7, .align = 64, .type = 4};
	f.statics[3] = (struct graph_static){.size = 1, .align = 1, .type = 4};
	must_plan(&f);
	cr_expect_eq(f.plan->statics[0].offset % 4096, 0);
	cr_expect_eq(f.plan->statics[2].offset - f.plan->statics[0].offset, 128);
	cr_expect_eq(f.plan->statics[3].offset - f.plan->statics[0].offset, 135);
	cr_expect_eq(f.plan->statics[1].offset % 4096, 0);
	finish(&f);
}

/* Groups 0 and 1 may run together, 2 waits for both and uses their memory again. */
Test(cmd_v3, groups_that_cannot_meet_share_stacks_and_workspaces)
{
	struct fixture f;
	struct graph_reuse big = {.size = 10000, .align = 4096}, small = {.size = 10, .align = 1};
	struct cmd_v3_group *g;

	setup(&f, 3, 4);
	f.subgraphs[2].dependency = GRAPH_DEPENDS_ON_ALL;
	f.subgraphs[0].private_size = 10;
	f.subgraphs[1].private_size = 0;
	f.subgraphs[2].private_size = 9000; /* larger than the first one that uses the lane */
	f.subgraphs[0].privates = f.subgraphs[1].privates = &small;
	f.subgraphs[2].privates = &big;
	f.subgraphs[0].n_privates = f.subgraphs[1].n_privates = f.subgraphs[2].n_privates = 1;
	must_plan(&f);
	g = f.plan->groups;
	cr_expect_eq(g[0].stack, g[2].stack);
	cr_expect_eq(g[1].stack, g[0].stack + 4 * 4096);
	cr_expect_eq(g[3].stack, g[1].stack);
	cr_expect_eq(f.plan->stack.size, 2 * 4 * 4096);
	cr_expect_eq(g[0].dp, g[2].dp);
	cr_expect_eq(g[0].dp_size, 12288);
	cr_expect_eq(g[2].dp_size, 12288);
	cr_expect_eq(g[1].dp_size, 0);
	cr_expect_eq(f.plan->dp.size, 4 * 12288);
	cr_expect_eq(f.plan->privates[0].offset, f.plan->privates[2].offset);
	cr_expect_eq(f.plan->privates[1].offset, f.plan->privates[0].offset + 4096);
	finish(&f);
}

Test(cmd_v3, what_does_not_fit_the_window_is_refused)
{
	struct fixture f;

	setup(&f, 1, 1);
	f.graph.n_reuses = 1;
	f.reuses[0] = (struct graph_reuse){.size = (uint32_t)WINDOW, .align = 1};
	cr_expect_eq(plan(&f), -EFBIG);
	cr_expect_not_null(strstr(f.error.text, "window"));
	f.reuses[0].size = 4096;
	f.reuses[0].align = UINT32_C(1) << 31;
	f.bss[0].stack_size = f.bss[0].stack_align = UINT32_MAX;
	cr_expect_eq(plan(&f), -EFBIG);
	f.bss[0].stack_size = f.bss[0].stack_align = 4096;
	f.reuses[0].align = 4096;
	must_plan(&f);

	/* Many sections whose sum passes 2^32 must not wrap to something small. */
	f.graph.n_reuses = 6;
	for (int i = 0; i < 6; i++)
		f.reuses[i] = (struct graph_reuse){.size = UINT32_MAX, .align = UINT32_C(1) << 31};
	cr_expect_eq(plan(&f), -EFBIG);
	finish(&f);
}

Test(cmd_v3, parts_must_lie_in_the_window_and_below_4_gib_lines)
{
	struct cmd_v3_config config = {.asid0_base = 0x180000000, .window_size = WINDOW};
	uint64_t at = 7;

	cr_expect_eq(cmd_v3_part_place(&config, 0x180000000, 4096, 4096, &at), -ERANGE,
		     "NPU address 0");
	cr_expect_eq(cmd_v3_part_place(&config, 0x17ffff000, 4096, 4096, &at), -ERANGE);
	cr_expect_eq(cmd_v3_part_place(&config, 0x23ffff000, 8192, 4096, &at), -ERANGE,
		     "window end");
	cr_expect_eq(cmd_v3_part_place(&config, 0x1fffff000, 8192, 4096, &at), -ERANGE,
		     "4 GiB line");
	cr_expect_eq(cmd_v3_part_place(&config, UINT64_MAX - 4095, 8192, 4096, &at), -ERANGE,
		     "wraps");
	cr_expect_eq(at, 7);
	cr_expect_eq(cmd_v3_part_place(&config, 0x1fffff000, 4096, 4096, &at), 0);
	cr_expect_eq(at, 0x1fffff000);
	cr_expect_eq(cmd_v3_part_place(&config, 0x180001000, 4096, 65536, &at), 0);
	cr_expect_eq(at, 0x180010000);
}

Test(cmd_v3, what_cannot_be_built_is_refused)
{
	struct fixture f;

	setup(&f, 1, 0);
	cr_expect_eq(plan(&f), -ENOTSUP);
	setup(&f, 0, 1);
	cr_expect_eq(plan(&f), -ENOTSUP);
	setup(&f, 16, 1);
	cr_expect_eq(plan(&f), -ENOTSUP);
	setup(&f, 1, 1);
	f.graph.n_segmmu = 1;
	cr_expect_eq(plan(&f), -ENOTSUP);
	setup(&f, 1, 1);
	f.graph.n_remaps = 1;
	f.remaps[0] = (struct graph_remap){2, 0, 0, 0};
	cr_expect_eq(plan(&f), -ENOTSUP);
	cr_expect_not_null(strstr(f.error.text, "text"));
	f.remaps[0] = (struct graph_remap){0, 253, 0, 0};
	cr_expect_eq(plan(&f), -EBADMSG);
	f.remaps[0] = (struct graph_remap){1, 0, 0, 0};
	cr_expect_eq(plan(&f), -EBADMSG, "there is no descriptor");
	setup(&f, 1, 1);
	f.graph.n_statics = f.bss[0].n_statics = 1;
	f.statics[0] = (struct graph_static){.size = 1, .align = 1, .type = 4};
	f.graph.weight = (struct blob){NULL, 0};
	cr_expect_eq(plan(&f), -EBADMSG);
	finish(&f);
}
