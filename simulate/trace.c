/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/trace.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "simulate/calibrate.h"
#include "simulate/chain.h"

struct trace *trace_create(unsigned int cores)
{
	struct trace *trace = calloc(1, sizeof(*trace));

	if (!trace)
		return NULL;
	trace->device = (struct trace_device){
		.cores = cores,
		.placement = POLICY_PLACEMENT_EXACT,
		.stop_ns = UINT64_MAX,
	};
	trace->settings = POLICY_SETTINGS_DEFAULT;
	return trace;
}

void trace_destroy(struct trace *trace)
{
	if (!trace)
		return;
	free(trace->accounts);
	free(trace->clients);
	free(trace->models);
	free(trace->reservations);
	free(trace->sources);
	free(trace->requests);
	free(trace);
}

/*
 * Growing
 */

/* Room in @array for one more after @n. Arrays grow whenever n is a power of two. */
static int reserve(void *array, uint32_t n, size_t size, uint32_t max, void **ret)
{
	if (n == max)
		return -ENOSPC;
	*ret = array;
	if (n & (n - 1))
		return 0;
	array = realloc(array, (n ? 2 * (size_t)n : 1) * size);
	if (!array)
		return -ENOMEM;
	*ret = array;
	return 0;
}

/* A name as traces have them: short, UTF-8, no comment, and never empty. */
static void make_name(char ret[64], const char *name)
{
	size_t n = strnlen(name, 63);
	json_t *text;

	memcpy(ret, name, n);
	ret[n] = '\0';
	if (n == 0 || ret[0] == '#')
		memcpy(ret, "_", n ? 1 : 2);
	text = json_stringn(ret, strlen(ret));
	for (char *c = ret; !text && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	json_decref(text);
}

/* Return the index of what is called so; or add it, and go on behind this. */
#define FIND_OR_ADD(trace, array, n, name)                                                         \
	do {                                                                                       \
		char own_[64];                                                                     \
		void *more_;                                                                       \
		int r_;                                                                            \
		make_name(own_, name);                                                             \
		for (uint32_t i_ = 0; i_ < (trace)->n; i_++)                                       \
			if (strcmp((trace)->array[i_].name, own_) == 0)                            \
				return (int)i_;                                                    \
		r_ = reserve((trace)->array, (trace)->n, sizeof(*(trace)->array), TRACE_MAX_NAMED, \
			     &more_);                                                              \
		if (r_ < 0)                                                                        \
			return r_;                                                                 \
		(trace)->array = more_;                                                            \
		memset(&(trace)->array[(trace)->n], 0, sizeof(*(trace)->array));                   \
		memcpy((trace)->array[(trace)->n++].name, own_, sizeof(own_));                     \
	} while (0)

int trace_find_account(struct trace *trace, const char *name)
{
	FIND_OR_ADD(trace, accounts, n_accounts, name);
	trace->accounts[trace->n_accounts - 1].weight = 100;
	return (int)trace->n_accounts - 1;
}

int trace_find_client(struct trace *trace, const char *name, uint32_t account)
{
	FIND_OR_ADD(trace, clients, n_clients, name);
	trace->clients[trace->n_clients - 1].account = account;
	trace->clients[trace->n_clients - 1].class = ZY_CLASS_INTERACTIVE;
	return (int)trace->n_clients - 1;
}

int trace_find_model(struct trace *trace, const char *name)
{
	FIND_OR_ADD(trace, models, n_models, name);
	return (int)trace->n_models - 1;
}

int trace_find_reservation(struct trace *trace, const char *name, uint32_t client)
{
	FIND_OR_ADD(trace, reservations, n_reservations, name);
	trace->reservations[trace->n_reservations - 1].client = client;
	return (int)trace->n_reservations - 1;
}

int trace_find_source(struct trace *trace, const char *name)
{
	struct trace_shape *shape;

	FIND_OR_ADD(trace, sources, n_sources, name);
	shape = &trace->sources[trace->n_sources - 1].shape;
	shape->n_cores = 1;
	shape->reservation = TRACE_NONE;
	return (int)trace->n_sources - 1;
}

int trace_add_request(struct trace *trace, const struct trace_request *request)
{
	void *more;
	int r = reserve(trace->requests, trace->n_requests, sizeof(*request), TRACE_MAX_REQUESTS,
			&more);

	if (r < 0)
		return r;
	trace->requests = more;
	trace->requests[trace->n_requests] = *request;
	trace->requests[trace->n_requests].after = TRACE_NONE;
	trace->requests[trace->n_requests++].next = TRACE_NONE;
	return 0;
}

/*
 * Settling
 */

static int by_arrival(const void *a, const void *b)
{
	const struct trace_request *x = a, *y = b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

static void learn_run(struct trace_model *model, uint64_t run_ns)
{
	if (!run_ns)
		return;
	if (!model->run_to_ns || run_ns < model->run_from_ns)
		model->run_from_ns = run_ns;
	if (run_ns > model->run_to_ns)
		model->run_to_ns = run_ns;
}

void trace_settle(struct trace *trace)
{
	uint64_t origin;

	if (!trace->n_requests)
		return;
	qsort(trace->requests, trace->n_requests, sizeof(*trace->requests), by_arrival);
	origin = trace->requests[0].at_ns;
	for (uint32_t i = 0; i < trace->n_requests; i++) {
		struct trace_request *request = &trace->requests[i];

		request->at_ns -= origin;
		request->start_ns = request->start_ns > origin ? request->start_ns - origin : 0;
		request->end_ns = request->end_ns > origin ? request->end_ns - origin : 0;
		learn_run(&trace->models[request->shape.model], request->run_ns);
	}
	calibrate_device(trace);
	chain_requests(trace);
}

/*
 * Times
 */

int trace_time_parse(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"ns", 1},
		{"us", 1000},
		{"ms", 1000000},
		{"s", 1000000000},
		{"min", UINT64_C(60000000000)},
		{"h", UINT64_C(3600000000000)},
	};
	uint64_t whole = 0, fraction = 0, scale = 1, unit = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && whole <= TRACE_LONGEST_NS; p++)
		whole = whole * 10 + (uint64_t)(*p - '0');
	if (p == text)
		return -EINVAL;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++) {
			if (scale == 1000000000)
				continue;
			fraction = fraction * 10 + (uint64_t)(*p - '0');
			scale *= 10;
		}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(p, units[i].name) == 0)
			unit = units[i].ns;
	if (!unit && *p == '\0' && !whole && !fraction)
		unit = 1; /* zero of anything */
	if (!unit || whole > TRACE_LONGEST_NS / unit)
		return -EINVAL;
	/* Both are small: a fraction has nine digits, the longest unit thirteen. */
	whole = whole * unit + (uint64_t)((unsigned __int128)fraction * unit / scale);
	if (whole > TRACE_LONGEST_NS)
		return -EINVAL;
	*ret_ns = whole;
	return 0;
}
