/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "run_trace.h"

static struct trace *trace;

static void create(void)
{
	trace = trace_create(1);
	trace_find_account(trace, "x");
	trace_find_client(trace, "a", 0);
	trace_find_client(trace, "b", 0);
	trace_find_model(trace, "m");
}

static void destroy(void)
{
	trace_destroy(trace);
}

TestSuite(chain, .init = create, .fini = destroy);

static void add(uint32_t client, uint64_t at, uint64_t end, bool is_frame)
{
	struct trace_request request = {
		.shape = {.client = client,
			  .n_cores = 1,
			  .reservation = TRACE_NONE,
			  .class = ZY_CLASS_NORMAL},
		.at_ns = at,
		.start_ns = at + 1,
		.end_ns = end,
		.run_ns = end - at - 1,
		.on_cores = 1,
		.is_frame = is_frame,
	};

	cr_assert_eq(trace_add_request(trace, &request), 0);
}

Test(chain, who_asks_right_after_an_answer_waited_for_it)
{
	add(0, 0, 1000, false);
	add(1, 10, 2000, false);
	add(0, 1100, 3000, false);
	add(1, 2500, 4000, false);
	trace_settle(trace);
	cr_assert_eq(trace->requests[0].after, TRACE_NONE);
	cr_assert_eq(trace->requests[2].after, 0);
	cr_assert_eq(trace->requests[0].next, 2);
	cr_assert_eq(trace->requests[3].after, 1);
	cr_assert_eq(trace->requests[2].next, TRACE_NONE);
}

Test(chain, who_asks_much_later_or_before_did_not)
{
	add(0, 0, 1000, false);
	add(0, 500, 1500, false);
	add(0, 5000, 6000, false);
	trace_settle(trace);
	for (uint32_t i = 0; i < 3; i++)
		cr_assert_eq(trace->requests[i].after, TRACE_NONE, "%u", i);
}

Test(chain, each_answer_is_waited_for_once)
{
	add(0, 0, 1000, false);
	add(0, 10, 1200, false);
	add(0, 1300, 2000, false);
	add(0, 1310, 2100, false);
	add(0, 1320, 2200, false);
	trace_settle(trace);
	cr_assert_eq(trace->requests[2].after, 1);
	cr_assert_eq(trace->requests[3].after, 0);
	cr_assert_eq(trace->requests[4].after, TRACE_NONE);
}

Test(chain, frames_of_streams_come_by_the_clock)
{
	add(0, 0, 1000, true);
	add(0, 1100, 2000, true);
	trace_settle(trace);
	cr_assert_eq(trace->requests[1].after, TRACE_NONE);
}

#define BEGIN                                                                                      \
	"{" CORES(                                                                                 \
		1) "}, \"policy\": {\"stack\": 0}, \"clients\": {\"a\": {}}, "                     \
		   "\"models\": {\"m\": {\"run\": 900}}, \"requests\": ["                          \
		   "{\"client\": \"a\", \"model\": \"m\", \"at\": 0, \"run\": 900, \"end\": 500},"

Test(chain, in_a_simulation_it_comes_as_long_after_the_answer)
{
	/* Answered at 1000 rather than 500: so asked again at 1100, not 600. */
	struct sim_result result =
		run_trace(BEGIN "{\"client\": \"a\", \"model\": \"m\", \"at\": 600, \"run\": 900, "
				"\"after\": 0}]}",
			  &scheme_zhouyi);
	struct sim_result other = run_trace(
		BEGIN "{\"client\": \"a\", \"model\": \"m\", \"at\": 600, \"run\": 900}]}",
		&scheme_zhouyi);

	cr_assert_eq(latency(&result, 0, 1), 1000);
	cr_assert_eq(result.end_ns, 2100);
	cr_assert_eq(latency(&other, 0, 1), 1400);
	cr_assert_eq(other.end_ns, 2000);
	sim_result_finish(&result);
	sim_result_finish(&other);
}

Test(chain, what_follows_one_that_is_left_out_comes_all_the_same)
{
	struct sim_result result =
		run_trace(BEGIN "{\"client\": \"a\", \"model\": \"m\", \"at\": 600, \"end\": 700, "
				"\"status\": \"cancelled\", \"after\": 0},"
				"{\"client\": \"a\", \"model\": \"m\", \"at\": 800, \"run\": 900, "
				"\"after\": 1}]}",
			  &scheme_zhouyi);

	cr_assert_eq(result.left_out, 1);
	cr_assert_eq(result.requests, 2);
	cr_assert_eq(result.end_ns, 1000 + 100 + 100 + 1000);
	sim_result_finish(&result);
}
