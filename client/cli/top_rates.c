/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rates: the differences of two answers. Somebody who was not there before began from
 * nothing, unless the earlier answer summed up some: then it may have been among those,
 * and nothing is known of it this time.
 */
#include <stdlib.h>
#include <string.h>

#include "client/cli/top.h"

/* Sums shrink when somebody leaves. */
static uint64_t grown(uint64_t before, uint64_t now)
{
	return now > before ? now - before : 0;
}

static double per_second(uint64_t n, uint64_t interval_ns)
{
	return interval_ns ? (double)n * 1e9 / (double)interval_ns : 0;
}

/* What the device measures and what the clock says differ a little. */
static double share(uint64_t ns, uint64_t of_ns)
{
	return !of_ns ? 0 : ns >= of_ns ? 1 : (double)ns / (double)of_ns;
}

/* What somebody had counted at a look. */
struct count {
	uint64_t device_ns, live_ns, answers, failures;
};

static struct top_rate rate_of(const struct top *top, struct count before, struct count now)
{
	uint64_t answers = grown(before.answers, now.answers);
	/* Of those that are answered only. */
	uint64_t done_ns =
		grown(grown(before.live_ns, before.device_ns), grown(now.live_ns, now.device_ns));

	return (struct top_rate){
		.device = share(grown(before.device_ns, now.device_ns),
				top->interval_ns * top->now->n_cores),
		.answers = per_second(answers, top->interval_ns),
		.failures = per_second(grown(before.failures, now.failures), top->interval_ns),
		.mean_ns = answers ? done_ns / answers : 0,
	};
}

static struct count count_class(const struct zhouyi_activity_class *c)
{
	return (struct count){c->device_ns, c->live_ns, c->answered, 0};
}

static struct count count_client(const struct zhouyi_activity_client *c)
{
	return (struct count){c->device_ns, c->live_ns, c->answered, c->failed};
}

static struct count count_model(const struct zhouyi_activity_model *m)
{
	return (struct count){m->device_ns, m->live_ns, m->requests, 0};
}

/*
 * Who it was before
 */

static bool sums_up_clients(const struct zhouyi_activity *a)
{
	return a->n_clients && !a->clients[a->n_clients - 1].session;
}

static bool sums_up_models(const struct zhouyi_activity *a)
{
	return a->n_models && !a->models[a->n_models - 1].hash[0];
}

static const struct zhouyi_activity_client *client_before(
	const struct zhouyi_activity *before, const struct zhouyi_activity_client *client)
{
	static const struct zhouyi_activity_client nothing;

	for (size_t i = 0; i < before->n_clients; i++)
		if (before->clients[i].session == client->session)
			return &before->clients[i];
	return !client->session || sums_up_clients(before) ? NULL : &nothing;
}

static const struct zhouyi_activity_model *model_before(const struct zhouyi_activity *before,
							const struct zhouyi_activity_model *model)
{
	static const struct zhouyi_activity_model nothing;

	for (size_t i = 0; i < before->n_models; i++)
		if (strcmp(before->models[i].hash, model->hash) == 0)
			return &before->models[i];
	return !model->hash[0] || sums_up_models(before) ? NULL : &nothing;
}

/*
 * All of them
 */

static void rate_cores(struct top *top, const struct zhouyi_activity *before)
{
	const struct zhouyi_activity *now = top->now;
	double busy = 0;

	for (size_t i = 0; i < now->n_cores && i < before->n_cores; i++) {
		uint64_t ns = grown(before->cores[i].device_ns, now->cores[i].device_ns);

		top->cores[i] = share(ns, top->interval_ns);
		busy += top->cores[i];
	}
	top->device = now->n_cores ? busy / (double)now->n_cores : 0;
}

static void rate_classes(struct top *top, const struct zhouyi_activity *before)
{
	const struct zhouyi_activity *now = top->now;

	for (size_t i = 0; i < now->n_classes && i < before->n_classes; i++) {
		const struct zhouyi_activity_class *a = &before->classes[i], *b = &now->classes[i];

		top->classes[i] = rate_of(top, count_class(a), count_class(b));
	}
}

static void rate_clients(struct top *top, const struct zhouyi_activity *before)
{
	for (size_t i = 0; i < top->now->n_clients; i++) {
		const struct zhouyi_activity_client *b = &top->now->clients[i];
		const struct zhouyi_activity_client *a = client_before(before, b);

		if (a)
			top->clients[i] = rate_of(top, count_client(a), count_client(b));
	}
}

static void rate_models(struct top *top, const struct zhouyi_activity *before)
{
	for (size_t i = 0; i < top->now->n_models; i++) {
		const struct zhouyi_activity_model *b = &top->now->models[i];
		const struct zhouyi_activity_model *a = model_before(before, b);

		if (a)
			top->models[i] = rate_of(top, count_model(a), count_model(b));
	}
}

static void *array(size_t n, size_t size)
{
	return calloc(n ? n : 1, size);
}

static int allocate(struct top *top)
{
	const struct zhouyi_activity *now = top->now;

	top->cores = array(now->n_cores, sizeof(*top->cores));
	top->classes = array(now->n_classes, sizeof(*top->classes));
	top->clients = array(now->n_clients, sizeof(*top->clients));
	top->models = array(now->n_models, sizeof(*top->models));
	top->client_order = array(now->n_clients, sizeof(*top->client_order));
	top->model_order = array(now->n_models, sizeof(*top->model_order));
	return top->cores && top->classes && top->clients && top->models && top->client_order &&
			       top->model_order
		       ? 0
		       : -1;
}

int top_init(struct top *ret, const struct zhouyi_activity *before,
	     const struct zhouyi_activity *now)
{
	*ret = (struct top){.now = now};
	if (allocate(ret) < 0) {
		top_finish(ret);
		return -1;
	}
	for (size_t i = 0; i < now->n_clients; i++)
		ret->client_order[i] = i;
	for (size_t i = 0; i < now->n_models; i++)
		ret->model_order[i] = i;
	/* A clock that stands still, or another daemon's, makes no rates. */
	if (!before || now->now_ns <= before->now_ns)
		return 0;
	ret->interval_ns = now->now_ns - before->now_ns;
	ret->answers = per_second(grown(before->answered, now->answered), ret->interval_ns);
	ret->failures = per_second(grown(before->failed, now->failed), ret->interval_ns);
	rate_cores(ret, before);
	rate_classes(ret, before);
	rate_clients(ret, before);
	rate_models(ret, before);
	return 0;
}

void top_finish(struct top *top)
{
	free(top->cores);
	free(top->classes);
	free(top->clients);
	free(top->models);
	free(top->client_order);
	free(top->model_order);
	*top = (struct top){0};
}

/*
 * Order
 */

struct sorting {
	const struct top *top;
	enum top_order order;
};

static int more_first(double a, double b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

/* By its name if nothing else tells them apart, so that equal ones do not jump about. */
static int client_compare(const void *a, const void *b, void *arg)
{
	const struct sorting *sorting = arg;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;
	const struct zhouyi_activity_client *x = &sorting->top->now->clients[i];
	const struct zhouyi_activity_client *y = &sorting->top->now->clients[k];
	int r = 0;

	if (!x->session != !y->session)
		return x->session ? -1 : 1;
	if (sorting->order == TOP_BY_TIME)
		r = more_first(sorting->top->clients[i].device, sorting->top->clients[k].device);
	else if (sorting->order == TOP_BY_QUEUE)
		r = more_first(x->queued + x->running, y->queued + y->running);
	if (!r)
		r = strcmp(x->name, y->name);
	return r ? r : x->session < y->session ? -1 : x->session > y->session;
}

static int model_compare(const void *a, const void *b, void *arg)
{
	const struct sorting *sorting = arg;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;
	const struct zhouyi_activity_model *x = &sorting->top->now->models[i];
	const struct zhouyi_activity_model *y = &sorting->top->now->models[k];
	int r = 0;

	if (!x->hash[0] != !y->hash[0])
		return x->hash[0] ? -1 : 1;
	if (sorting->order == TOP_BY_TIME)
		r = more_first(sorting->top->models[i].device, sorting->top->models[k].device);
	else if (sorting->order == TOP_BY_QUEUE)
		r = more_first(x->users, y->users);
	if (!r)
		r = strcmp(x->name, y->name);
	return r ? r : strcmp(x->hash, y->hash);
}

void top_sort(struct top *top, enum top_order order)
{
	struct sorting sorting = {top, order};

	qsort_r(top->client_order, top->now->n_clients, sizeof(size_t), client_compare, &sorting);
	qsort_r(top->model_order, top->now->n_models, sizeof(size_t), model_compare, &sorting);
}

int top_order_find(const char *name)
{
	static const char *const names[TOP_ORDER_MAX_] = {
		[TOP_BY_TIME] = "time",
		[TOP_BY_QUEUE] = "queue",
		[TOP_BY_NAME] = "name",
	};

	for (int i = 0; i < TOP_ORDER_MAX_; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}
