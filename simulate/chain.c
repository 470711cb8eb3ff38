/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/chain.h"

#include <stdlib.h>

/* An arrival, or an answer. */
struct moment {
	uint64_t at_ns;
	uint32_t client, index;
	bool is_arrival;
};

static int by_client_and_time(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	if (x->client != y->client)
		return x->client < y->client ? -1 : 1;
	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	if (x->is_arrival != y->is_arrival)
		return x->is_arrival ? 1 : -1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static size_t get_moments(const struct trace *trace, struct moment *ret)
{
	size_t n = 0;

	for (uint32_t i = 0; i < trace->n_requests; i++) {
		const struct trace_request *request = &trace->requests[i];

		ret[n++] = (struct moment){request->at_ns, request->shape.client, i, true};
		if (request->end_ns)
			ret[n++] =
				(struct moment){request->end_ns, request->shape.client, i, false};
	}
	qsort(ret, n, sizeof(*ret), by_client_and_time);
	return n;
}

static bool waited_for(const struct trace_request *request, const struct trace_request *answer)
{
	return !request->is_frame && request->shape.reservation == TRACE_NONE &&
	       request->at_ns - answer->end_ns < answer->end_ns - answer->at_ns;
}

void chain_requests(struct trace *trace)
{
	struct moment *moments = calloc(2 * (size_t)trace->n_requests + 1, sizeof(*moments));
	/* Answers that nobody has been found to have waited for, the latest last. */
	uint32_t *answers = calloc((size_t)trace->n_requests + 1, sizeof(*answers)), n_answers = 0;
	size_t n = moments && answers ? get_moments(trace, moments) : 0;

	for (size_t i = 0; i < n; i++) {
		struct trace_request *request = &trace->requests[moments[i].index];
		struct trace_request *answer;

		if (i && moments[i].client != moments[i - 1].client)
			n_answers = 0;
		if (!moments[i].is_arrival) {
			answers[n_answers++] = moments[i].index;
			continue;
		}
		if (!n_answers)
			continue;
		answer = &trace->requests[answers[n_answers - 1]];
		if (!waited_for(request, answer))
			continue;
		request->after = answers[--n_answers];
		answer->next = moments[i].index;
	}
	free(moments);
	free(answers);
}
