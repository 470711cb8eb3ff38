/* SPDX-License-Identifier: Apache-2.0 */
#include "run_trace.h"

#include <criterion/criterion.h>
#include <string.h>

static int run(const char *text, const struct scheme *scheme, struct sim_result *ret)
{
	struct sim_options options = {.seed = 1};
	struct trace_error error;
	struct trace *trace = NULL;
	int r;

	cr_assert_eq(trace_parse(&trace, text, strlen(text), "test", &error), 0, "%s", error.text);
	r = simulation_run(ret, trace, scheme, &options);
	/* Names are the trace's. */
	for (uint32_t i = 0; r == 0 && i < ret->n_clients; i++)
		ret->clients[i].name = NULL;
	trace_destroy(trace);
	return r;
}

struct sim_result run_trace(const char *text, const struct scheme *scheme)
{
	struct sim_result result;

	cr_assert_eq(run(text, scheme, &result), 0);
	return result;
}

int try_trace(const char *text, const struct scheme *scheme)
{
	struct sim_result result;
	int r = run(text, scheme, &result);

	sim_result_finish(&result);
	return r;
}

uint64_t latency(const struct sim_result *result, uint32_t client, size_t i)
{
	const struct sim_samples *samples = &result->clients[client].latency_ns;

	cr_assert_lt(i, samples->n, "client %u has %zu latencies", client, samples->n);
	return samples->values[i];
}
