/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>

#include "run_trace.h"

#define PEOPLE                                                                                     \
	"\"clients\": {\"a\": {\"class\": \"normal\"}, \"b\": {\"class\": \"normal\"}, "           \
	"\"rt\": {\"class\": \"realtime\"}, \"bg\": {\"class\": \"background\"}}, "                \
	"\"models\": {\"m\": {\"run\": 1000}, \"odd\": {\"run\": {\"from\": 500, \"to\": 1500}}, " \
	"\"bad\": {\"run\": 5000, \"bound\": 2000}}, "
#define NO_STACK "\"policy\": {\"stack\": 0}, "
#define REQUEST(who, at) "{\"client\": \"" who "\", \"model\": \"m\", \"at\": " #at "}"

Test(simulation, a_request_alone_takes_hand_over_run_and_report)
{
	for (unsigned int i = 0; i < N_SCHEMES; i++) {
		struct sim_result result = run_trace(
			"{" CORES(1) "}, " PEOPLE "\"requests\": [" REQUEST("a", 500) "]}",
			schemes[i]);

		cr_assert_eq(latency(&result, 0, 0), 60 + 1000 + 40, "%s", schemes[i]->name);
		cr_assert_eq(result.busy_ns[0], 1000);
		cr_assert_eq(result.end_ns, 1600);
		sim_result_finish(&result);
	}
}

Test(simulation, one_after_another_on_one_core_side_by_side_on_two)
{
	for (unsigned int i = 0; i < N_SCHEMES; i++) {
		struct sim_result one = run_trace(
			"{" CORES(1) "}, " PEOPLE NO_STACK
				     "\"requests\": [" REQUEST("a", 0) ", " REQUEST("a", 0) "]}",
			schemes[i]);
		struct sim_result two = run_trace(
			"{" CORES(2) "}, " PEOPLE NO_STACK
				     "\"requests\": [" REQUEST("a", 0) ", " REQUEST("a", 0) "]}",
			schemes[i]);

		cr_assert_eq(latency(&one, 0, 0), 1100);
		cr_assert_eq(latency(&one, 0, 1), 2200);
		cr_assert_eq(latency(&two, 0, 1), 1100, "%s", schemes[i]->name);
		sim_result_finish(&one);
		sim_result_finish(&two);
	}
}

Test(simulation, a_job_behind_another_on_its_core_hides_the_hand_over)
{
	struct sim_result result =
		run_trace("{" CORES(1) "}, " PEOPLE "\"requests\": [" REQUEST("a", 0) ", " REQUEST(
				  "a", 0) ", " REQUEST("a", 0) "]}",
			  &scheme_zhouyi);

	cr_assert_eq(latency(&result, 0, 1), 60 + 2 * 1000 + 40);
	cr_assert_eq(latency(&result, 0, 2), 60 + 3 * 1000 + 40);
	sim_result_finish(&result);
}

Test(simulation, without_placement_the_device_is_one_resource)
{
	struct sim_result result =
		run_trace("{" CORES(3) ", \"placement\": \"none\"}, " PEOPLE NO_STACK
				       "\"requests\": [" REQUEST("a", 0) ", " REQUEST("a", 0) "]}",
			  &scheme_zhouyi);

	cr_assert_eq(result.n_cores, 1);
	cr_assert_eq(latency(&result, 0, 1), 2200);
	sim_result_finish(&result);
}

Test(simulation, masks_and_several_cores_are_honoured)
{
	for (unsigned int i = 0; i < N_SCHEMES; i++) {
		struct sim_result result = run_trace(
			"{" CORES(
				3) "}, " PEOPLE NO_STACK "\"requests\": ["
				   "{\"client\": \"a\", \"model\": \"m\", \"at\": 0, \"cores\": 2},"
				   "{\"client\": \"a\", \"model\": \"m\", \"at\": 0, \"cores\": 2},"
				   "{\"client\": \"b\", \"model\": \"m\", \"at\": 0, \"cores\": 5, "
				   "\"n_cores\": 2}]}",
			schemes[i]);

		cr_assert_eq(result.busy_ns[0], 1000, "%s", schemes[i]->name);
		cr_assert_eq(result.busy_ns[1], 2000);
		cr_assert_eq(result.busy_ns[2], 1000);
		cr_assert_eq(result.clients[1].device_ns, 2000, "time counts for each core");
		sim_result_finish(&result);
	}
}

Test(simulation, deadlines_are_late_or_expire_and_are_counted_once)
{
	/* Three jobs of 1100, to be done within 2250, one core. */
	static const char text[] = "{" CORES(
		1) "}, " PEOPLE NO_STACK "\"requests\": ["
		   "{\"client\": \"rt\", \"model\": \"m\", \"at\": 0, \"deadline\": 2250},"
		   "{\"client\": \"rt\", \"model\": \"m\", \"at\": 0, \"deadline\": 2250},"
		   "{\"client\": \"rt\", \"model\": \"m\", \"at\": 0, \"deadline\": 2250}]}";
	struct sim_result ours = run_trace(text, &scheme_zhouyi);
	struct sim_result fifo = run_trace(text, &scheme_fifo);

	cr_assert_eq(ours.clients[2].outcomes[SIM_DONE], 2);
	cr_assert_eq(ours.clients[2].outcomes[SIM_EXPIRED], 1);
	cr_assert_eq(sim_misses(&ours.clients[2]), 1);
	cr_assert_eq(ours.clients[2].deadline_permille.n, 2, "of those that were done");
	cr_assert_eq(fifo.clients[2].outcomes[SIM_LATE], 1);
	cr_assert_eq(sim_quantile(&fifo.clients[2].deadline_permille, 1000), 3300 * 1000 / 2250);
	cr_assert_eq(fifo.classes[ZY_CLASS_REALTIME].outcomes[SIM_LATE], 1);
	sim_result_finish(&ours);
	sim_result_finish(&fifo);
}

Test(simulation, a_deadline_that_cannot_be_met_is_refused)
{
	struct sim_result result = run_trace(
		"{" CORES(
			1) "}, " PEOPLE "\"requests\": ["
			   "{\"client\": \"rt\", \"model\": \"m\", \"at\": 0, \"deadline\": 900}]}",
		&scheme_zhouyi);

	cr_assert_eq(result.clients[2].outcomes[SIM_REFUSED], 1);
	cr_assert_eq(sim_misses(&result.clients[2]), 1);
	sim_result_finish(&result);
}

Test(simulation, a_run_beyond_the_watchdog_is_ended_and_counted)
{
	struct sim_result result = run_trace(
		"{" CORES(1) "}, " PEOPLE
			     "\"requests\": [{\"client\": \"a\", \"model\": \"bad\", \"at\": 0}]}",
		&scheme_zhouyi);

	cr_assert_eq(result.clients[0].outcomes[SIM_TIMED_OUT], 1);
	cr_assert_eq(result.busy_ns[0], 2000);
	cr_assert_eq(result.wasted_ns, 2000);
	sim_result_finish(&result);
}

#define SOURCE(rest) "\"sources\": {\"s\": {\"client\": \"a\", \"model\": \"m\", " rest "}}}"

Test(simulation, sources_come_as_often_as_they_say)
{
	struct sim_result periodic = run_trace(
		"{\"duration\": \"1ms\", " CORES(3) "}, " PEOPLE SOURCE(
			"\"arrivals\": \"periodic\", \"period\": 10000, \"jitter\": 5000"),
		&scheme_fifo);
	struct sim_result poisson =
		run_trace("{\"duration\": \"10s\", " CORES(3) "}, " PEOPLE SOURCE(
				  "\"arrivals\": \"poisson\", \"period\": \"1ms\""),
			  &scheme_fifo);
	struct sim_result bursty = run_trace(
		"{\"duration\": \"100s\", " CORES(3) "}, " PEOPLE SOURCE(
			"\"arrivals\": \"bursty\", \"period\": \"1ms\", \"on\": \"50ms\", "
			"\"off\": \"150ms\""),
		&scheme_fifo);

	cr_assert_eq(periodic.requests, 100);
	/* Four standard deviations. */
	cr_assert(poisson.requests > 9600 && poisson.requests < 10400, "%lu", poisson.requests);
	cr_assert(bursty.requests > 20000 && bursty.requests < 30000, "%lu", bursty.requests);
	sim_result_finish(&periodic);
	sim_result_finish(&poisson);
	sim_result_finish(&bursty);
}

Test(simulation, a_closed_source_asks_again_when_it_is_answered)
{
	/* Two on their way, one core, 1100 for each: it is never idle. */
	struct sim_result result = run_trace(
		"{\"duration\": \"1100us\", " CORES(1) "}, " PEOPLE NO_STACK SOURCE(
			"\"arrivals\": \"closed\", \"in_flight\": 2, \"period\": \"1us\""),
		&scheme_zhouyi);

	cr_assert_eq(result.clients[0].requests, 1001, "the last is asked before the end");
	cr_assert_eq(latency(&result, 0, 0), 1100);
	/* Each comes 1000 after an answer, and the other one has 100 to go. */
	cr_assert_eq(sim_quantile(&result.clients[0].latency_ns, 500), 100 + 1100);
	sim_result_finish(&result);
}

/* One frame every 2 us, each takes 5 us: five times as many as can be done. */
#define TOO_MANY(drop)                                                                             \
	"{\"duration\": \"1ms\", " CORES(1) "}, " PEOPLE NO_STACK                                  \
					    "\"sources\": {\"s\": {\"client\": \"a\", "            \
					    "\"model\": \"slow\", " drop                           \
					    "\"arrivals\": \"periodic\", \"period\": 2000}}}"

Test(simulation, frames_are_dropped_as_the_stream_says)
{
#undef PEOPLE
#define PEOPLE                                                                                     \
	"\"clients\": {\"a\": {}}, \"models\": {\"slow\": {\"run\": 4900, \"bound\": 100000}}, "
	struct sim_result latest = run_trace(TOO_MANY("\"drop\": \"latest\", "), &scheme_zhouyi);
	struct sim_result three = run_trace(TOO_MANY("\"drop\": \"queue:3\", "), &scheme_zhouyi);
	struct sim_result block = run_trace(TOO_MANY("\"drop\": \"block:1\", "), &scheme_zhouyi);
	struct sim_result never = run_trace(TOO_MANY(""), &scheme_zhouyi);

	cr_assert_eq(never.clients[0].outcomes[SIM_DONE], 500);
	cr_assert_eq(latest.clients[0].requests, 500);
	cr_assert(latest.clients[0].outcomes[SIM_DONE] >= 200);
	cr_assert(latest.clients[0].outcomes[SIM_DONE] <= 203);
	cr_assert_eq(latest.clients[0].outcomes[SIM_DROPPED],
		     500 - latest.clients[0].outcomes[SIM_DONE]);
	cr_assert_leq(latency(&latest, 0, latest.clients[0].latency_ns.n - 1), 10000,
		      "one waits for one at most");
	cr_assert_gt(latency(&three, 0, three.clients[0].latency_ns.n - 1), 10000);
	cr_assert_leq(latency(&three, 0, three.clients[0].latency_ns.n - 1), 20000);
	cr_assert_eq(block.clients[0].outcomes[SIM_DROPPED], 0);
	cr_assert_eq(block.clients[0].outcomes[SIM_DONE], block.clients[0].requests);
	cr_assert_lt(block.clients[0].requests, 210, "a client that waits asks less");
	sim_result_finish(&latest);
	sim_result_finish(&three);
	sim_result_finish(&block);
	sim_result_finish(&never);
}

Test(simulation, the_same_seed_gives_the_same_and_another_one_another)
{
	static const char text[] = "{\"duration\": \"1s\", " CORES(
		2) "}, \"clients\": {\"a\": {}}, "
		   "\"models\": {\"m\": {\"run\": {\"from\": \"1ms\", \"to\": \"3ms\"}}}, "
		   "\"sources\": {\"s\": {\"client\": \"a\", \"model\": \"m\", "
		   "\"arrivals\": \"poisson\", \"period\": \"2ms\"}}}";
	struct sim_options options = {.seed = 7};
	struct sim_result first, again, other, fifo;
	struct trace_error error;
	struct trace *trace;

	cr_assert_eq(trace_parse(&trace, text, sizeof(text) - 1, "test", &error), 0);
	cr_assert_eq(simulation_run(&first, trace, &scheme_zhouyi, &options), 0);
	cr_assert_eq(simulation_run(&again, trace, &scheme_zhouyi, &options), 0);
	cr_assert_eq(simulation_run(&fifo, trace, &scheme_fifo, &options), 0);
	options.seed = 8;
	cr_assert_eq(simulation_run(&other, trace, &scheme_zhouyi, &options), 0);
	cr_assert_eq(first.clients[0].latency_ns.sum, again.clients[0].latency_ns.sum);
	cr_assert_neq(first.clients[0].latency_ns.sum, other.clients[0].latency_ns.sum);
	cr_assert_eq(first.requests, fifo.requests, "all schemes get the same");
	cr_assert_eq(first.busy_ns[0] + first.busy_ns[1], fifo.busy_ns[0] + fifo.busy_ns[1]);
	sim_result_finish(&first);
	sim_result_finish(&again);
	sim_result_finish(&other);
	sim_result_finish(&fifo);
	trace_destroy(trace);
}

Test(simulation, what_cannot_be_simulated_is_an_error)
{
	cr_assert_eq(try_trace("{" CORES(1) "}, " PEOPLE
					    "\"sources\": {\"s\": {\"client\": \"a\", \"model\": "
					    "\"slow\", \"arrivals\": \"poisson\", \"period\": "
					    "2000}}}",
			       &scheme_zhouyi),
		     -EINVAL, "for how long?");
	for (unsigned int i = 0; i < N_SCHEMES; i++)
		cr_assert_eq(try_trace("{\"duration\": \"1h\", " CORES(
					       1) "}, " PEOPLE
						  "\"sources\": {\"s\": {\"client\": \"a\", "
						  "\"model\": \"slow\", \"arrivals\": \"poisson\", "
						  "\"period\": 1000}}}",
				       schemes[i]),
			     -EOVERFLOW, "%s", schemes[i]->name);
}
