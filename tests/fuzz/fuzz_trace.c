/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces: read them; what is accepted can be written and read again, and a few
 * milliseconds of it can be simulated under every policy, with every request ended once.
 *
 * Needs no corpus: the mutator starts from a trace that has everything.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulate/simulation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static const char start[] =
	"{\"seed\":3,\"duration\":\"4ms\",\"device\":{\"cores\":3,\"placement\":\"exact\","
	"\"hand_over\":\"10us\",\"report\":9,\"stop\":\"50us\"},\"policy\":{\"floors\":{\"normal\":"
	"5},\"stack\":\"50us\",\"collect\":\"1ms\"},\"accounts\":{\"u\":{\"weight\":100,"
	"\"max_on_device\":2,\"share_percent\":50}},\"clients\":{\"a\":{\"account\":\"u\","
	"\"class\":\"realtime\"},\"b\":{\"class\":\"background\"}},\"models\":{\"m\":{\"run\":"
	"\"100us\"},\"n\":{\"run\":{\"from\":5,\"to\":\"300us\"},\"rarely\":{\"ppm\":90000,"
	"\"run\":\"2ms\"},\"bound\":\"1ms\"}},\"reservations\":{\"r\":{\"client\":\"a\","
	"\"budget\":\"150us\",\"period\":\"500us\",\"deadline\":\"400us\",\"jitter\":7,"
	"\"cores\":\"0x3\"}},\"sources\":{\"s\":{\"client\":\"a\",\"model\":\"m\",\"reservation\":"
	"\"r\",\"arrivals\":\"periodic\",\"period\":\"500us\",\"jitter\":70,\"drop\":\"latest\"},"
	"\"t\":{\"client\":\"b\",\"model\":\"n\",\"n_cores\":2,\"arrivals\":\"bursty\","
	"\"period\":\"20us\",\"on\":\"1ms\",\"off\":\"1ms\",\"drop\":\"queue:2\",\"deadline\":"
	"\"1ms\"},\"u\":{"
	"\"client\":\"b\",\"model\":\"n\",\"arrivals\":\"closed\",\"in_flight\":2}},\"requests\":["
	"{\"at\":5,\"client\":\"b\",\"model\":\"m\",\"class\":\"normal\",\"cores\":6,\"deadline\":"
	"900000,\"run\":50,\"start\":10,\"end\":90,\"on\":\"0x2\"},{\"at\":90,\"client\":\"a\","
	"\"model\":\"m\",\"status\":\"deadline-expired\",\"after\":0}]}";

#define SHORT_NS UINT64_C(5000000)

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static void write_and_read(const struct trace *trace)
{
	struct trace_error error;
	struct trace *again = NULL;
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	expect(file && trace_write(trace, file) == 0 && fclose(file) == 0);
	expect(trace_parse(&again, text, size, "again", &error) == 0);
	expect(again->n_requests == trace->n_requests && again->n_sources == trace->n_sources);
	trace_destroy(again);
	free(text);
}

/* Whether it can be simulated in no time. */
static bool is_small(const struct trace *trace)
{
	if (trace->n_sources > 4 || trace->n_requests > 100)
		return false;
	for (uint32_t i = 0; i < trace->n_sources; i++)
		if (trace->sources[i].in_flight > 8)
			return false;
	return true;
}

static void run(const struct trace *trace, const struct scheme *scheme)
{
	struct sim_options options = {.seed = 1};
	struct sim_result result;
	uint64_t ended = 0, asked = 0;
	int r = simulation_run(&result, trace, scheme, &options);

	expect(r != -EDEADLK);
	if (r < 0)
		return;
	for (uint32_t i = 0; i < result.n_clients; i++) {
		asked += result.clients[i].requests;
		for (int outcome = 0; outcome < SIM_OUTCOMES_; outcome++)
			ended += result.clients[i].outcomes[outcome];
	}
	expect(asked == result.requests && ended == asked);
	sim_result_finish(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace_error error;
	struct trace *trace;
	int r = trace_parse(&trace, (const char *)data, size, "fuzz", &error);

	if (r < 0) {
		expect(memchr(error.text, '\0', sizeof(error.text)) && error.text[0]);
		return 0;
	}
	write_and_read(trace);
	if (trace->duration_ns > SHORT_NS)
		trace->duration_ns = SHORT_NS;
	for (unsigned int i = 0; is_small(trace) && i < N_SCHEMES; i++)
		run(trace, schemes[i]);
	trace_destroy(trace);
	return 0;
}

/* Numbers are what makes a trace odd; the rest is for JSON's reader. */
static void change_number(char *text, size_t size, unsigned int seed)
{
	size_t from = seed % size;

	for (size_t i = 0; i < size; i++) {
		char *c = &text[(from + i) % size];

		if (*c >= '0' && *c <= '9') {
			*c = (char)('0' + seed / 7 % 10);
			return;
		}
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	if (size < 64 && max_size >= sizeof(start)) {
		memcpy(data, start, sizeof(start) - 1);
		return sizeof(start) - 1;
	}
	if (seed % 3 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	for (unsigned int i = 0; i <= seed % 4; i++)
		change_number((char *)data, size, seed / 3 * (i + 1));
	return size;
}
