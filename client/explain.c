/* SPDX-License-Identifier: Apache-2.0 */
/* Explanations, plans, accounts, traces. Each answer is one allocation, as in info.c. */
#include <stdlib.h>

#include "client/client.h"
#include "client/control.h"
#include "client/text.h"
#include "proto/scope.h"

static enum zhouyi_class class_of(uint32_t said)
{
	return said < ZY_CLASS_MAX_ ? (enum zhouyi_class)said : ZHOUYI_CLASS_INTERACTIVE;
}

/* Ask a question of the scheduling feature. */
static int ask(struct zhouyi_client *client, Zy__Request *request, Zy__Response__BodyCase expected,
	       struct zy_reply *ret)
{
	int r = zy_client_needs(client, ZY_FEATURE_SCHEDULING);

	return r < 0 ? r : zy_control_call(client, request, -1, expected, ret);
}

/*
 * Explanations
 */

struct explanation_block {
	struct zhouyi_explanation explanation;
	struct zhouyi_occupant occupants[];
};

static struct zhouyi_record record_copy(const Zy__Record *said, char **texts)
{
	return (struct zhouyi_record){
		.request = said->request,
		.session = said->session,
		.uid = said->uid,
		.client = zy_text_append(texts, said->client),
		.model = zy_text_append(texts, said->model),
		.model_hash = zy_text_append(texts, said->model_hash),
		.request_class = class_of(said->class_),
		.error = said->status >= 0 && said->status < ZY_STATUS_MAX_
				 ? -said->status
				 : -ZHOUYI_ERROR_INTERNAL,
		.late = said->late,
		.accepted_ns = said->accepted,
		.started_ns = said->started,
		.ended_ns = said->ended,
		.run_ns = said->run,
		.deadline_ns = said->deadline,
		.allowed_cores = said->allowed_cores,
		.n_cores = said->n_cores,
		.cores = said->cores,
		.wait = said->wait < ZY_WAIT_MAX_ ? (enum zhouyi_wait)said->wait : ZHOUYI_WAIT_NONE,
		.waited_for = said->waited_for,
		.stream = said->stream,
		.sequence = said->sequence,
		.reservation = said->reservation,
	};
}

static struct zhouyi_explanation *explanation_copy(struct zhouyi_client *client,
						   const Zy__Explanation *said)
{
	struct explanation_block *b;
	char *texts;

	b = zy_text_block(client, &said->base,
			  sizeof(*b) + said->n_occupants * sizeof(struct zhouyi_occupant), &texts);
	if (!b)
		return NULL;
	b->explanation = (struct zhouyi_explanation){
		.request = record_copy(said->request, &texts),
		.state = zy_text_append(&texts, said->state),
		.waited_for = zy_text_append(&texts, said->waited_for),
		.n_occupants = said->n_occupants,
		.occupants = b->occupants,
		.idle_ns = said->idle,
	};
	for (size_t i = 0; i < said->n_occupants; i++) {
		const Zy__Occupant *o = said->occupants[i];

		b->occupants[i] = (struct zhouyi_occupant){
			.session = o->session,
			.client = zy_text_append(&texts, o->client),
			.uid = o->uid,
			.request_class = class_of(o->class_),
			.ns = o->ns,
			.requests = o->requests,
		};
	}
	return &b->explanation;
}

int zhouyi_explain(struct zhouyi_client *client, uint64_t request_number,
		   struct zhouyi_explanation **ret)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__Explain explain = ZY__EXPLAIN__INIT;
	struct zhouyi_explanation *explanation;
	int r;

	explain.request = request_number;
	request.body_case = ZY__REQUEST__BODY_EXPLAIN;
	request.explain = &explain;
	r = ask(client, &request, ZY__RESPONSE__BODY_EXPLANATION, &reply);
	if (r < 0)
		return r;
	if (!reply.response->explanation->request)
		return zy_client_violation(client, "an explanation of nothing");
	explanation = explanation_copy(client, reply.response->explanation);
	if (!explanation)
		return -ZHOUYI_ERROR_NO_MEMORY;
	*ret = explanation;
	return 0;
}

/*
 * Plans
 */

static void plan_entries_copy(struct zhouyi_plan_entry *ret, const Zy__Plan *said, char **texts)
{
	for (size_t i = 0; i < said->n_queue; i++) {
		const Zy__PlanEntry *e = said->queue[i];

		ret[i] = (struct zhouyi_plan_entry){
			.request = e->request,
			.session = e->session,
			.uid = e->uid,
			.client = zy_text_append(texts, e->client),
			.model = zy_text_append(texts, e->model),
			.request_class = class_of(e->class_),
			.accepted_ns = e->accepted,
			.start_ns = e->start,
			.end_ns = e->end,
			.cores = e->cores,
			.deadline_ns = e->deadline,
			.own = e->own,
		};
	}
}

static void plan_reservations_copy(struct zhouyi_plan_reservation *ret, const Zy__Plan *said,
				   char **texts)
{
	for (size_t i = 0; i < said->n_reservations; i++) {
		const Zy__PlanReservation *r = said->reservations[i];

		ret[i] = (struct zhouyi_plan_reservation){
			.reservation = r->reservation,
			.session = r->session,
			.uid = r->uid,
			.client = zy_text_append(texts, r->client),
			.model = zy_text_append(texts, r->model),
			.core = r->core,
			.budget_ns = r->budget,
			.period_ns = r->period,
			.deadline_ns = r->deadline,
			.jitter_ns = r->jitter,
			.frames = r->frames,
			.early = r->early,
			.overruns = r->overruns,
			.missed = r->missed,
			.own = r->own,
		};
	}
}

static void plan_classes_copy(struct zhouyi_plan_class *ret, const Zy__Plan *said)
{
	for (size_t i = 0; i < said->n_classes; i++)
		ret[i] = (struct zhouyi_plan_class){
			.request_class = class_of(said->classes[i]->class_),
			.queued = said->classes[i]->queued,
			.running = said->classes[i]->running,
			.floor_percent = said->classes[i]->floor_percent,
			.device_ns = said->classes[i]->device_time,
		};
}

static void plan_cores_copy(struct zhouyi_plan_core *ret, const Zy__Plan *said)
{
	for (size_t i = 0; i < said->n_cores; i++)
		ret[i] = (struct zhouyi_plan_core){
			.core = said->cores[i]->core,
			.healthy = said->cores[i]->healthy,
			.running = said->cores[i]->running,
			.held = said->cores[i]->held,
			.reservations = said->cores[i]->reservations,
			.reserved_ppm = said->cores[i]->reserved_ppm,
			.tolerance_ns = said->cores[i]->tolerance,
			.device_ns = said->cores[i]->device_time,
		};
}

static struct zhouyi_plan *plan_copy(struct zhouyi_client *client, const Zy__Plan *said)
{
	struct zhouyi_plan_reservation *reservations;
	struct zhouyi_plan_entry *entries;
	struct zhouyi_plan_class *classes;
	struct zhouyi_plan_core *cores;
	struct zhouyi_plan *plan;
	char *texts;

	/* All of them are as aligned as 64-bit numbers are. */
	plan = zy_text_block(client, &said->base,
			     sizeof(*plan) + said->n_queue * sizeof(*entries) +
				     said->n_reservations * sizeof(*reservations) +
				     said->n_classes * sizeof(*classes) +
				     said->n_cores * sizeof(*cores),
			     &texts);
	if (!plan)
		return NULL;
	entries = (struct zhouyi_plan_entry *)(plan + 1);
	reservations = (struct zhouyi_plan_reservation *)(entries + said->n_queue);
	classes = (struct zhouyi_plan_class *)(reservations + said->n_reservations);
	cores = (struct zhouyi_plan_core *)(classes + said->n_classes);
	plan_entries_copy(entries, said, &texts);
	plan_reservations_copy(reservations, said, &texts);
	plan_classes_copy(classes, said);
	plan_cores_copy(cores, said);
	*plan = (struct zhouyi_plan){
		.now_ns = said->now,
		.queued = said->queued,
		.running = said->running,
		.n_entries = said->n_queue,
		.entries = entries,
		.n_reservations = said->n_reservations,
		.reservations = reservations,
		.n_classes = said->n_classes,
		.classes = classes,
		.n_cores = said->n_cores,
		.cores = cores,
	};
	return plan;
}

int zhouyi_plan_get(struct zhouyi_client *client, struct zhouyi_plan **ret)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__GetPlan get = ZY__GET_PLAN__INIT;
	struct zhouyi_plan *plan;
	int r;

	request.body_case = ZY__REQUEST__BODY_GET_PLAN;
	request.get_plan = &get;
	r = ask(client, &request, ZY__RESPONSE__BODY_PLAN, &reply);
	if (r < 0)
		return r;
	plan = plan_copy(client, reply.response->plan);
	if (!plan)
		return -ZHOUYI_ERROR_NO_MEMORY;
	*ret = plan;
	return 0;
}

/*
 * Accounts
 */

static struct zhouyi_usage *usages_copy(struct zhouyi_usage *ret, const Zy__Account *said,
					char **texts)
{
	for (size_t i = 0; i < said->n_usage; i++)
		*ret++ = (struct zhouyi_usage){
			.client = zy_text_append(texts, said->usage[i]->client),
			.model = zy_text_append(texts, said->usage[i]->model),
			.requests = said->usage[i]->requests,
			.device_ns = said->usage[i]->device_time,
		};
	return ret;
}

static struct zhouyi_account_client *account_clients_copy(struct zhouyi_account_client *ret,
							  const Zy__Account *said, char **texts)
{
	for (size_t i = 0; i < said->n_clients; i++) {
		const Zy__SessionUsage *c = said->clients[i];

		*ret++ = (struct zhouyi_account_client){
			.session = c->session,
			.client = zy_text_append(texts, c->client),
			.pid = c->pid,
			.queued = c->queued,
			.running = c->running,
			.buffers = c->buffers,
			.models = c->models,
			.device_ns = c->device_time,
			.buffer_bytes = c->buffer_bytes,
		};
	}
	return ret;
}

static struct zhouyi_account account_copy(const Zy__Account *said, char **texts)
{
	return (struct zhouyi_account){
		.uid = said->uid,
		.principal = zy_text_append(texts, said->principal),
		.sessions = said->sessions,
		.queued = said->queued,
		.running = said->running,
		.buffers = said->buffers,
		.models = said->models,
		.weight = said->weight,
		.device_ns = said->device_time,
		.device_bytes = said->device_bytes,
		.max_queued = said->max_queued,
		.max_running = said->max_running,
		.max_buffers = said->max_buffers,
		.max_models = said->max_models,
		.share_percent = said->share_percent,
		.max_device_bytes = said->max_device_bytes,
		.n_usages = said->n_usage,
		.n_clients = said->n_clients,
	};
}

static struct zhouyi_account_list *accounts_copy(struct zhouyi_client *client,
						 const Zy__Accounts *said)
{
	struct zhouyi_account_client *clients;
	struct zhouyi_account_list *list;
	struct zhouyi_account *accounts;
	struct zhouyi_usage *usages;
	size_t n_usages = 0, n_clients = 0;
	char *texts;

	for (size_t i = 0; i < said->n_accounts; i++) {
		n_usages += said->accounts[i]->n_usage;
		n_clients += said->accounts[i]->n_clients;
	}
	list = zy_text_block(client, &said->base,
			     sizeof(*list) + said->n_accounts * sizeof(*accounts) +
				     n_clients * sizeof(*clients) + n_usages * sizeof(*usages),
			     &texts);
	if (!list)
		return NULL;
	accounts = (struct zhouyi_account *)((char *)list + sizeof(*list));
	clients = (struct zhouyi_account_client *)(accounts + said->n_accounts);
	usages = (struct zhouyi_usage *)(clients + n_clients);
	*list = (struct zhouyi_account_list){.n = said->n_accounts, .accounts = accounts};
	for (size_t i = 0; i < said->n_accounts; i++) {
		accounts[i] = account_copy(said->accounts[i], &texts);
		accounts[i].usages = usages;
		accounts[i].clients = clients;
		usages = usages_copy(usages, said->accounts[i], &texts);
		clients = account_clients_copy(clients, said->accounts[i], &texts);
	}
	return list;
}

int zhouyi_accounts_get(struct zhouyi_client *client, struct zhouyi_account_list **ret)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__GetAccounts get = ZY__GET_ACCOUNTS__INIT;
	struct zhouyi_account_list *list;
	int r;

	request.body_case = ZY__REQUEST__BODY_GET_ACCOUNTS;
	request.get_accounts = &get;
	r = ask(client, &request, ZY__RESPONSE__BODY_ACCOUNTS, &reply);
	if (r < 0)
		return r;
	list = accounts_copy(client, reply.response->accounts);
	if (!list)
		return -ZHOUYI_ERROR_NO_MEMORY;
	*ret = list;
	return 0;
}

/*
 * Traces
 */

struct trace_block {
	struct zhouyi_trace trace;
	struct zhouyi_record records[];
};

static struct zhouyi_trace *trace_copy(struct zhouyi_client *client, const Zy__Trace *said)
{
	struct trace_block *b;
	char *texts;

	b = zy_text_block(client, &said->base,
			  sizeof(*b) + said->n_records * sizeof(struct zhouyi_record), &texts);
	if (!b)
		return NULL;
	b->trace = (struct zhouyi_trace){
		.n = said->n_records,
		.records = b->records,
		.next = said->next,
		.lost = said->lost,
		.now_ns = said->now,
		.cores = said->cores,
		.placement = zy_text_append(&texts, said->placement),
		.more = said->more,
		.stop_ns = said->stop,
	};
	for (size_t i = 0; i < said->n_records; i++)
		b->records[i] = record_copy(said->records[i], &texts);
	return &b->trace;
}

int zhouyi_trace_get(struct zhouyi_client *client, uint64_t since, struct zhouyi_trace **ret)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__GetTrace get = ZY__GET_TRACE__INIT;
	struct zhouyi_trace *trace;
	int r;

	get.since = since;
	request.body_case = ZY__REQUEST__BODY_GET_TRACE;
	request.get_trace = &get;
	r = ask(client, &request, ZY__RESPONSE__BODY_TRACE, &reply);
	if (r < 0)
		return r;
	trace = trace_copy(client, reply.response->trace);
	if (!trace)
		return -ZHOUYI_ERROR_NO_MEMORY;
	*ret = trace;
	return 0;
}
