/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "simulate/calibrate.h"
#include "simulate/simulation.h"

static void add(struct trace *trace, uint64_t at, uint64_t start, uint64_t run, uint64_t end)
{
	struct trace_request request = {
		.shape = {.n_cores = 1, .reservation = TRACE_NONE, .class = ZY_CLASS_NORMAL},
		.at_ns = at,
		.start_ns = start,
		.run_ns = run,
		.end_ns = end,
		.on_cores = 1,
	};

	trace_find_account(trace, "x");
	trace_find_client(trace, "x", 0);
	trace_find_model(trace, "m");
	cr_assert_eq(trace_add_request(trace, &request), 0);
}

Test(calibrate, what_is_neither_waiting_nor_run_is_halved)
{
	struct trace *trace = trace_create(1);
	struct calibration *c;

	/* 10 until it is handed over, 100 besides the run. */
	add(trace, 0, 10, 1000, 1110);
	add(trace, 5000, 5010, 1000, 6150);
	trace_settle(trace);
	c = calibrate_requests(trace);
	cr_assert_eq(c[0].report_ns, 50);
	cr_assert_eq(c[0].hand_over_ns, 50 + 10);
	cr_assert_eq(c[1].report_ns, 70);
	cr_assert_eq(c[1].hand_over_ns, 70 + 10);
	cr_assert_eq(trace->device.report_ns, 60, "the mean");
	cr_assert_eq(trace->device.hand_over_ns, 70);
	free(c);
	trace_destroy(trace);
}

Test(calibrate, a_stacked_one_shows_its_report_only)
{
	struct trace *trace = trace_create(1);
	struct calibration *c;

	add(trace, 0, 10, 1000, 1110);
	/* Handed over while the first ran; begins when that ends, 50 before it was reported. */
	add(trace, 20, 30, 1000, 2120);
	trace_settle(trace);
	c = calibrate_requests(trace);
	cr_assert_eq(c[1].report_ns, 60);
	cr_assert_eq(c[1].hand_over_ns, 50 + 10, "as the others, if it is not stacked this time");
	free(c);
	trace_destroy(trace);
}

Test(calibrate, requests_that_were_not_measured_cost_what_the_device_does)
{
	struct trace *trace = trace_create(1);
	struct calibration *c;

	trace->device.hand_over_ns = 7;
	trace->device.report_ns = 8;
	add(trace, 0, 0, 1000, 0);
	add(trace, 0, 10, 0, 1000);
	trace_settle(trace);
	c = calibrate_requests(trace);
	for (unsigned int i = 0; i < 2; i++) {
		cr_assert_not(c[i].is_measured);
		cr_assert_eq(c[i].hand_over_ns, 7);
		cr_assert_eq(c[i].report_ns, 8);
	}
	free(c);
	trace_destroy(trace);
}

Test(calibrate, a_device_that_was_simulated_is_found_again)
{
	/* As it would be recorded: one core, 60 to hand over, 60 to report, one request a time. */
	struct sim_options options = {.seed = 1};
	struct trace *trace = trace_create(1);
	struct sim_result result;
	uint64_t at = 0, free_at = 0, recorded = 0;

	for (unsigned int i = 0; i < 1000; i++, at += 900 + i % 7 * 100) {
		uint64_t start = at > free_at ? at : free_at, run = 900 + i % 3 * 100;

		add(trace, at, start + 1, run, start + 1 + 120 + run);
		free_at = start + 1 + 120 + run;
		recorded += free_at - at;
	}
	trace->settings.stack_ns = 0;
	trace_settle(trace);
	cr_assert_eq(simulation_run(&result, trace, &scheme_fifo, &options), 0);
	cr_assert_eq(result.classes[ZY_CLASS_NORMAL].both.n, 1000);
	cr_assert_eq((uint64_t)result.classes[ZY_CLASS_NORMAL].both.recorded_ns, recorded);
	cr_assert_eq((uint64_t)result.classes[ZY_CLASS_NORMAL].both.simulated_ns, recorded,
		     "to the nanosecond");
	sim_result_finish(&result);
	trace_destroy(trace);
}
