/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "simulate/trace.h"

static struct trace *parse(const char *text)
{
	struct trace_error error;
	struct trace *trace = NULL;

	cr_assert_eq(trace_parse(&trace, text, strlen(text), "t.json", &error), 0, "%s",
		     error.text);
	return trace;
}

static void refused(const char *text, const char *why)
{
	struct trace_error error;
	struct trace *trace = NULL;

	cr_assert_eq(trace_parse(&trace, text, strlen(text), "t.json", &error), -EINVAL,
		     "accepted: %s", text);
	cr_assert_null(trace);
	cr_assert(strstr(error.text, why), "says '%s', not '%s'", error.text, why);
}

#define BEGIN "{\"device\": {\"cores\": 3},\n\"clients\": {\"a\": {\"class\": \"normal\"}},\n"
#define MODEL "\"models\": {\"m\": {\"run\": \"2ms\"}},\n"

Test(trace, times_have_units_and_are_exact)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"0", 0},
		{"7ns", 7},
		{"100us", 100000},
		{"16.7ms", 16700000},
		{"0.0000000019s", 1},
		{"33.333333333ms", 33333333},
		{"1min", 60000000000},
		{"24h", TRACE_LONGEST_NS},
	};
	static const char *const bad[] = {"",	  "10",	   "ms",    "-1ms",
					  "1 ms", "1e3ms", "24.1h", "99999999999999999999s",
					  "1.5",  ".5s",   "1msx"};
	uint64_t ns;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_expect_eq(trace_time_parse(good[i].text, &ns), 0, "%s", good[i].text);
		cr_expect_eq(ns, good[i].ns, "%s is not %lu", good[i].text, ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(trace_time_parse(bad[i], &ns), -EINVAL, "%s", bad[i]);
}

Test(trace, a_trace_is_read_whatever_its_order)
{
	struct trace *trace = parse(
		"{\"sources\": {\"s\": {\"client\": \"cam\", \"model\": \"m\", \"reservation\": "
		"\"r\","
		"	\"arrivals\": \"periodic\", \"period\": \"10ms\", \"jitter\": 5000,"
		"	\"drop\": \"queue:3\"}},"
		"\"models\": {\"m\": {\"run\": {\"from\": \"1ms\", \"to\": \"2ms\"},"
		"	\"rarely\": {\"ppm\": 100, \"run\": \"50ms\"}}},"
		"\"reservations\": {\"r\": {\"client\": \"cam\", \"budget\": \"2.5ms\", "
		"\"period\": "
		"\"10ms\", \"deadline\": \"8ms\", \"cores\": \"0x2\"}},"
		"\"clients\": {\"cam\": {\"account\": \"root\", \"class\": \"realtime\"}},"
		"\"accounts\": {\"root\": {\"weight\": 300}},"
		"\"policy\": {\"floors\": {\"normal\": 20}, \"stack\": 0},"
		"\"device\": {\"cores\": 2, \"placement\": \"one\", \"stop\": \"1ms\"},"
		"\"#why\": \"a comment\", \"seed\": 5, \"duration\": \"3s\"}");

	cr_assert_eq(trace->device.cores, 2);
	cr_assert_eq(trace->device.placement, POLICY_PLACEMENT_ONE);
	cr_assert_eq(trace->settings.stop_ns, 1000000);
	cr_assert_eq(trace->settings.floor_percent[ZY_CLASS_NORMAL], 20);
	cr_assert_eq(trace->settings.floor_percent[ZY_CLASS_BACKGROUND], 5, "the default");
	cr_assert_eq(trace->accounts[trace->clients[0].account].weight, 300);
	cr_assert_eq(trace->reservations[0].spec.cores, 2);
	cr_assert_eq(trace->reservations[0].spec.budget_ns, 2500000);
	cr_assert_eq(trace->models[0].rarely_ns, 50000000);
	cr_assert_eq(trace->sources[0].shape.class, ZY_CLASS_REALTIME, "its client's");
	cr_assert_eq(trace->sources[0].shape.reservation, 0);
	cr_assert_eq(trace->sources[0].drop, TRACE_DROP_OLDEST);
	cr_assert_eq(trace->sources[0].depth, 3);
	cr_assert_eq(trace->seed, 5);
	cr_assert_eq(trace->duration_ns, 3000000000);
	trace_destroy(trace);
}

Test(trace, what_is_wrong_is_said_with_line_and_key)
{
	refused("{\n\"device\": {}}", "t.json:2: device: 'cores' is missing");
	refused("{\"device\": {\"cores\": 65}}", "device.cores: must be an integer from 1 to 64");
	refused("{\"device\": {\"cores\": \"3\"}}", "device.cores: must be an integer");
	refused("{\"device\": {\"cores\": 3,\n\n\"speed\": 1}}",
		"t.json:3: device.speed: there is no such key");
	refused("[]", "t.json:1: must be an object");
	refused("{\"device\": \n1,", "t.json:2");
	refused("{\"device\": {\"cores\": 1, \"cores\": 2}}", "duplicate");
	refused(BEGIN MODEL "\"x\": 1}", "t.json:4: x: there is no such key");
	refused(BEGIN MODEL "\"seed\": 0}", "t.json:4: seed: must be an integer, from 1");
	refused(BEGIN MODEL "\"duration\": \"10\"}", "duration: must be a time");
	refused(BEGIN MODEL "\"duration\": 1.5}", "duration: must be a time");
	refused(BEGIN MODEL "\"version\": 2}", "version: must be 1");
	refused(BEGIN MODEL "\"#\": 0}", "nothing to simulate");
	refused(BEGIN "\"models\": {\"m\": {\"run\": {\"from\": 2, \"to\": 1}}}}",
		"models.m.run: 'from' is more than 'to'");
	refused(BEGIN "\"models\": {\"m\": {\"run\": 0}}}", "models.m.run: must be a time");
	refused(BEGIN MODEL "\"policy\": {\"floors\": {\"normal\": 50, \"background\": 50}}}",
		"policy.floors: must be at most 90");
	refused(BEGIN "\"models\": {\"\": {}}}", "a name has from 1 to 63 bytes");
	refused(BEGIN "\"models\": []}", "models: must be an object");
}

#define SOURCE(text) BEGIN MODEL "\"sources\": {\n\"s\": {" text "}}}"
#define SHAPE "\"client\": \"a\", \"model\": \"m\", "

Test(trace, sources_have_to_make_sense)
{
	refused(SOURCE("\"client\": \"b\""), "t.json:5: sources.s.client: must be a name");
	refused(SOURCE(SHAPE "\"period\": 5"), "sources.s: 'arrivals' is missing");
	refused(SOURCE(SHAPE "\"arrivals\": \"often\""), "must be one of periodic");
	refused(SOURCE(SHAPE "\"arrivals\": \"periodic\", \"period\": 5"), "at least 1us");
	refused(SOURCE(SHAPE "\"arrivals\": \"closed\""), "'in_flight' is missing");
	refused(SOURCE(SHAPE "\"arrivals\": \"bursty\", \"period\": \"1ms\""), "'on' or 'off'");
	refused(SOURCE(SHAPE "\"arrivals\": \"poisson\", \"period\": \"1ms\", \"jitter\": 1"),
		"'jitter' is for periodic");
	refused(SOURCE(SHAPE "\"arrivals\": \"poisson\", \"period\": \"1ms\", \"n_cores\": 4"),
		"'n_cores' is more than");
	refused(SOURCE(SHAPE "\"arrivals\": \"poisson\", \"cores\": 8"), "cores that the device");
	refused(SOURCE(SHAPE "\"arrivals\": \"poisson\", \"class\": \"urgent\""),
		"sources.s.class: must be one of realtime");
	for (size_t i = 0; i < 7; i++) {
		static const char *const drops[] = {
			"queue",    "queue:0",	"queue:-1",	    "block: 1",
			"latest:1", "block:1x", "queue:99999999999"};
		char text[512];

		snprintf(text, sizeof(text),
			 SOURCE(SHAPE "\"arrivals\": \"poisson\", \"drop\": \"%s\""), drops[i]);
		refused(text, "sources.s.drop: must be");
	}
}

#define REQUESTS(text) BEGIN MODEL "\"requests\": [\n" text "\n]}"

Test(trace, requests_have_to_make_sense)
{
	refused(REQUESTS("{" SHAPE "\"at\": 5},\n{" SHAPE "\"at\": 4}"),
		"t.json:6: requests[1]: comes before");
	refused(REQUESTS("{" SHAPE "\"at\": 5, \"start\": 4}"), "requests[0]: ends before");
	refused(REQUESTS("{" SHAPE "\"at\": 5, \"start\": 6, \"end\": 5}"), "ends before");
	refused(REQUESTS("{" SHAPE "\"at\": -1}"), "requests[0].at: must be a time");
	refused(REQUESTS("{" SHAPE "\"at\": 1, \"status\": \"fine\"}"), "must be a status");
	refused(REQUESTS("{" SHAPE "\"at\": 1, \"on\": \"7\"}"), "must be a mask");
	refused(REQUESTS("{" SHAPE "\"at\": 1, \"on\": \"0xfffffffffffffffff\"}"), "of 64 bits");
	refused(REQUESTS("{" SHAPE "\"at\": 1, \"after\": 0}"), "not the number of an earlier");
	refused(REQUESTS("{" SHAPE "\"at\": 1},{" SHAPE "\"at\": 5, \"after\": 0}"),
		"has no answer before");
	refused(REQUESTS("{" SHAPE "\"at\": 1, \"end\": 6},{" SHAPE "\"at\": 5, \"after\": 0}"),
		"has no answer before");
	refused(REQUESTS("{" SHAPE "\"at\": 1, \"end\": 2},{" SHAPE
			 "\"at\": 5, \"after\": 0},{" SHAPE "\"at\": 6, \"after\": 0}"),
		"requests[2]: another request is after number 0");
	refused(REQUESTS("7"), "t.json:5: requests[0]: must be an object");
}

static void record(struct trace *trace, uint64_t at, uint64_t start, uint64_t run, uint64_t end,
		   uint64_t cores)
{
	struct trace_request request = {
		.shape = {.n_cores = 1, .reservation = TRACE_NONE, .class = ZY_CLASS_NORMAL},
		.at_ns = at,
		.start_ns = start,
		.run_ns = run,
		.end_ns = end,
		.on_cores = cores,
	};

	cr_assert_eq(trace_find_client(trace, "session 7", 0), 0);
	cr_assert_eq(trace_find_model(trace, "de\"lay"), 0);
	cr_assert_eq(trace_add_request(trace, &request), 0);
}

Test(trace, what_is_written_can_be_read)
{
	struct trace *trace = trace_create(64), *again;
	char *text;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	cr_assert_eq(trace_find_account(trace, "# \xff"), 0, "neither a comment nor UTF-8");
	record(trace, 5000, 5100, 300, 5600, UINT64_C(1) << 63);
	record(trace, 4000, 4100, 200, 4400, 1);
	trace->settings.floor_percent[ZY_CLASS_NORMAL] = 17;
	trace_settle(trace);
	cr_assert_eq(trace_write(trace, file), 0);
	fclose(file);
	again = parse(text);
	cr_assert_str_eq(again->accounts[0].name, "_ ?");
	cr_assert_str_eq(again->models[0].name, "de\"lay");
	cr_assert_eq(again->models[0].run_from_ns, 200);
	cr_assert_eq(again->models[0].run_to_ns, 300);
	cr_assert_eq(again->settings.floor_percent[ZY_CLASS_NORMAL], 17);
	cr_assert_eq(again->n_requests, 2);
	for (unsigned int i = 0; i < 2; i++) {
		const struct trace_request *was = &trace->requests[i], *is = &again->requests[i];

		cr_assert_eq(is->at_ns, was->at_ns);
		cr_assert_eq(is->start_ns, was->start_ns);
		cr_assert_eq(is->end_ns, was->end_ns);
		cr_assert_eq(is->run_ns, was->run_ns);
		cr_assert_eq(is->on_cores, was->on_cores);
		cr_assert_eq(is->shape.class, was->shape.class);
	}
	cr_assert_eq(again->requests[0].at_ns, 0, "the first arrives at 0");
	cr_assert_eq(again->requests[1].end_ns, 1600);
	trace_destroy(again);
	trace_destroy(trace);
	free(text);
}

Test(trace, names_are_found_again_and_bounded)
{
	struct trace *trace = trace_create(1);
	char name[100];

	memset(name, 'x', sizeof(name));
	name[99] = '\0';
	cr_assert_eq(trace_find_model(trace, name), 0);
	name[80] = '\0';
	cr_assert_eq(trace_find_model(trace, name), 0, "the same, once it is cut");
	for (unsigned int i = 1; i < TRACE_MAX_NAMED; i++) {
		snprintf(name, sizeof(name), "model %u", i);
		cr_assert_eq(trace_find_model(trace, name), (int)i);
	}
	cr_assert_eq(trace_find_model(trace, "one more"), -ENOSPC);
	trace_destroy(trace);
}
