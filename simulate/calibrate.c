/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/calibrate.h"

#include <stdlib.h>

static bool is_measured(const struct trace_request *request)
{
	return request->start_ns && request->end_ns > request->start_ns && request->run_ns &&
	       request->on_cores;
}

struct start {
	uint64_t start_ns;
	uint32_t index;
};

static int by_start(const void *a, const void *b)
{
	const struct start *x = a, *y = b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* What is on a core, as far as the requests so far say. */
struct core_record {
	uint64_t end_ns;
	uint64_t report_ns; /* of what ended then */
};

struct work {
	struct calibration *ret;
	uint64_t *gaps; /* from a core that is free to the next hand-over */
	size_t n_gaps;
	uint64_t hand_over_ns, report_ns; /* sums */
	uint64_t n;			  /* of those that were not stacked */
};

static void measure(struct work *work, const struct trace_request *request, struct calibration *ret,
		    struct core_record cores[POLICY_MAX_CORES])
{
	struct core_record before = {0};
	uint64_t from = request->start_ns, spent, rest;

	for (unsigned int i = 0; i < POLICY_MAX_CORES; i++)
		if ((request->on_cores >> i & 1) && cores[i].end_ns > before.end_ns)
			before = cores[i];
	ret->is_measured = true;
	if (before.end_ns > from) {
		/* Stacked. Both ends were reported late: only the difference shows. */
		spent = request->end_ns > before.end_ns ? request->end_ns - before.end_ns : 0;
		spent += before.report_ns;
		ret->report_ns = spent > request->run_ns ? spent - request->run_ns : 0;
	} else {
		uint64_t ready = before.end_ns > request->at_ns ? before.end_ns : request->at_ns;

		work->gaps[work->n_gaps++] = from > ready ? from - ready : 0;
		spent = request->end_ns - from;
		rest = spent > request->run_ns ? spent - request->run_ns : 0;
		ret->report_ns = rest / 2;
		ret->hand_over_ns = rest - ret->report_ns;
		work->hand_over_ns += ret->hand_over_ns;
		work->report_ns += ret->report_ns;
		work->n++;
	}
	for (unsigned int i = 0; i < POLICY_MAX_CORES; i++)
		if (request->on_cores >> i & 1)
			cores[i] = (struct core_record){request->end_ns, ret->report_ns};
}

/* Sums in @work; its gaps are sorted. -1: no memory. */
static int calibrate(const struct trace *trace, struct work *work)
{
	struct core_record cores[POLICY_MAX_CORES] = {{0}};
	struct start *order = calloc(trace->n_requests + 1, sizeof(*order));
	uint32_t n = 0;

	work->gaps = calloc(trace->n_requests + 1, sizeof(*work->gaps));
	if (!order || !work->gaps) {
		free(order);
		return -1;
	}
	for (uint32_t i = 0; i < trace->n_requests; i++)
		if (is_measured(&trace->requests[i]))
			order[n++] = (struct start){trace->requests[i].start_ns, i};
	qsort(order, n, sizeof(*order), by_start);
	for (uint32_t i = 0; i < n; i++)
		measure(work, &trace->requests[order[i].index], &work->ret[order[i].index], cores);
	qsort(work->gaps, work->n_gaps, sizeof(*work->gaps), by_size);
	free(order);
	return 0;
}

/* Of all but the longest hundredth: those were kept idle for something else, or the host stalled. */
static uint64_t mean_gap(const struct work *work)
{
	size_t n = work->n_gaps - work->n_gaps / 100;
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += work->gaps[i];
	return n ? sum / n : 0;
}

struct calibration *calibrate_requests(const struct trace *trace)
{
	struct work work = {.ret = calloc(trace->n_requests + 1, sizeof(*work.ret))};
	uint64_t gap, hand_over;

	if (!work.ret || calibrate(trace, &work) < 0) {
		free(work.gaps);
		free(work.ret);
		return NULL;
	}
	gap = mean_gap(&work);
	hand_over = work.n ? work.hand_over_ns / work.n : trace->device.hand_over_ns;
	for (uint32_t i = 0; i < trace->n_requests; i++) {
		struct calibration *c = &work.ret[i];

		if (!c->is_measured)
			*c = (struct calibration){trace->device.hand_over_ns,
						  trace->device.report_ns, false};
		else
			c->hand_over_ns = (c->hand_over_ns ? c->hand_over_ns : hand_over) + gap;
	}
	free(work.gaps);
	return work.ret;
}

void calibrate_device(struct trace *trace)
{
	struct work work = {.ret = calloc(trace->n_requests + 1, sizeof(*work.ret))};

	if (work.ret && calibrate(trace, &work) == 0 && work.n) {
		trace->device.hand_over_ns =
			work.hand_over_ns / work.n + mean_gap(&work);
		trace->device.report_ns = work.report_ns / work.n;
	}
	free(work.gaps);
	free(work.ret);
}
