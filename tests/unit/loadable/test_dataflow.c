/* SPDX-License-Identifier: Apache-2.0 */
/* What a program may read: only what it has written, or was given. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "loadable/dataflow.h"
#include "loadable/graph.h"
#include "npu/isa.h"

#define INPUT 0u   /* sections: an input tensor of 100 bytes at 0 … */
#define SCRATCH 1u /* … and memory that the program has to itself */

static struct graph_tensor input = {.section = INPUT, .size = 100};
static struct graph_subgraph subgraphs[4];
static struct graph graph = {
	.target.version = 5,
	.tensors[GRAPH_TENSOR_INPUT] = {&input, 1},
	.subgraphs = subgraphs,
	.n_subgraphs = 4,
};
static struct dataflow flow;

static void setup(void)
{
	cr_assert_eq(dataflow_init(&flow, &graph), 0);
	cr_assert_eq(dataflow_enter(&flow, 0), 0);
}

static void finish(void)
{
	dataflow_finish(&flow);
}

TestSuite(dataflow, .init = setup, .fini = finish);

static bool is_written(uint32_t section, uint32_t offset, uint32_t size)
{
	struct graph_patch patch = {.section = section, .offset = offset, .size = size};

	return dataflow_is_written(&flow, &patch);
}

static int write_at(uint32_t offset, uint32_t size)
{
	struct graph_patch patch = {.section = SCRATCH, .offset = offset, .size = size};
	struct npu_insn insn = {.opcode = NPU_OP_COPY};

	return dataflow_write(&flow, &insn, &patch);
}

/* @chunks of @length at distances of @stride, from @start on, into 60 bytes at 0. */
static void write_strided(uint32_t chunks, uint32_t length, uint32_t stride, uint32_t start)
{
	struct graph_patch patch = {.section = SCRATCH, .size = 60};
	struct npu_insn insn = {
		.opcode = NPU_OP_REQUANTIZE,
		.out = {chunks, length, stride, 60},
		.extra = {0, start},
	};

	cr_assert_eq(dataflow_write(&flow, &insn, &patch), 0);
}

static void next_subgraph(uint32_t i, int32_t dependency)
{
	subgraphs[i].dependency = dependency;
	cr_assert_eq(dataflow_leave(&flow, i - 1), 0);
	cr_assert_eq(dataflow_enter(&flow, i), 0);
}

Test(dataflow, inputs_are_there_from_the_start)
{
	cr_assert(is_written(INPUT, 0, 100));
	cr_assert(is_written(INPUT, 10, 90));
	cr_assert_not(is_written(INPUT, 10, 91), "a byte behind the tensor");
	cr_assert_not(is_written(SCRATCH, 0, 1));
}

Test(dataflow, constants_are_always_there)
{
	struct graph_patch patch = {.area = GRAPH_AREA_STATIC, .section = SCRATCH, .size = 9};

	cr_assert(dataflow_is_written(&flow, &patch));
}

Test(dataflow, what_was_written_may_be_read_and_no_byte_more)
{
	cr_assert_eq(write_at(20, 30), 0);
	cr_assert(is_written(SCRATCH, 20, 30));
	cr_assert(is_written(SCRATCH, 25, 5));
	cr_assert_not(is_written(SCRATCH, 19, 2));
	cr_assert_not(is_written(SCRATCH, 49, 2));
	cr_assert_not(is_written(INPUT, 100, 1));
}

Test(dataflow, pieces_in_any_order_add_up)
{
	write_at(40, 10);
	write_at(0, 10);
	write_at(20, 10);
	cr_assert_not(is_written(SCRATCH, 0, 50));
	write_at(5, 20);  /* overlaps two */
	write_at(30, 10); /* touches two */
	cr_assert(is_written(SCRATCH, 0, 50));
	cr_assert_eq(flow.own.n, 1);
}

Test(dataflow, private_buffers_are_each_subgraphs_own)
{
	struct graph_patch patch = {
		.area = GRAPH_AREA_PRIVATE, .section = 3, .size = 8, .subgraph = 1};
	struct npu_insn insn = {.opcode = NPU_OP_COPY};

	dataflow_write(&flow, &insn, &patch);
	cr_assert(dataflow_is_written(&flow, &patch));
	patch.subgraph = 2;
	cr_assert_not(dataflow_is_written(&flow, &patch));
	patch.area = GRAPH_AREA_REUSE;
	patch.subgraph = 1;
	cr_assert_not(dataflow_is_written(&flow, &patch));
}

Test(dataflow, a_concatenation_counts_when_its_last_piece_is_there)
{
	write_strided(6, 3, 10, 0);
	write_strided(6, 5, 10, 3);
	cr_assert_not(is_written(SCRATCH, 0, 1), "stripes are not a range");
	write_strided(6, 2, 10, 8);
	cr_assert(is_written(SCRATCH, 0, 60));
}

Test(dataflow, a_concatenation_with_a_gap_does_not_count)
{
	write_strided(6, 3, 10, 0);
	write_strided(6, 6, 10, 4);
	cr_assert_not(is_written(SCRATCH, 0, 60));
}

Test(dataflow, pieces_of_different_strides_do_not_add_up)
{
	write_strided(6, 5, 10, 0);
	write_strided(3, 15, 20, 5);
	cr_assert_not(is_written(SCRATCH, 0, 60));
}

Test(dataflow, contiguous_chunks_count_where_they_are)
{
	write_strided(2, 10, 10, 5);
	cr_assert(is_written(SCRATCH, 5, 20));
	cr_assert_not(is_written(SCRATCH, 4, 2));
	cr_assert_not(is_written(SCRATCH, 24, 2));
}

Test(dataflow, a_subgraph_sees_what_it_waits_for)
{
	write_at(0, 10);
	next_subgraph(1, 1);
	cr_assert(is_written(SCRATCH, 0, 10));
	write_at(10, 10);
	next_subgraph(2, 0);
	cr_assert(is_written(SCRATCH, 0, 10), "the one before it had waited for that");
	cr_assert_not(is_written(SCRATCH, 10, 10), "nobody has waited for that");
	next_subgraph(3, GRAPH_DEPENDS_ON_ALL);
	cr_assert(is_written(SCRATCH, 0, 20));
}

Test(dataflow, a_dependency_on_the_previous_group_is_on_no_other)
{
	write_at(0, 10);
	next_subgraph(1, 0);
	next_subgraph(2, 1);
	cr_assert_not(is_written(SCRATCH, 0, 10));
}

Test(dataflow, scattered_writes_have_a_limit)
{
	int r = 0;

	for (uint32_t i = 0; i <= DATAFLOW_MAX_SPANS && r == 0; i++)
		r = write_at(i * 10, 5);
	cr_assert_eq(r, -E2BIG);
}
