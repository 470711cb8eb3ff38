/* SPDX-License-Identifier: Apache-2.0 */
/* What became of requests, what will, and who uses what. */
#include <errno.h>
#include <stdio.h>

#include "daemon/binding.h"
#include "daemon/device.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/request_internal.h"
#include "daemon/scheduler_internal.h"
#include "daemon/tenant.h"

/* So many fit into a packet, however long their names are. */
#define TRACE_RECORDS 180u

/* The loop may spend one part of so many on looking around, for one user. */
#define LOOK_PARTS 20u

/*
 * Who may look, and how often
 */

bool request_sees_all(const struct session *session)
{
	return access_may(&session->grant, ACCESS_ADMIN);
}

bool request_sees(const struct session *session, uint32_t uid)
{
	return session->uid == uid || request_sees_all(session);
}

/*
 * Some questions take the loop longer than running a request does. Whoever asks them
 * without pause must not slow down the others: after one its user gets no other answer for a
 * multiple of the time that it took.
 */
bool request_may_look(struct session *session, uint32_t serial)
{
	uint64_t now = loop_now();

	if (now >= session->objects.account->look_again_ns)
		return true;
	reply_refuse(session, serial, ZY_BUSY,
		     "questions like this are asked too often: try again in %.1f ms",
		     (double)(session->objects.account->look_again_ns - now) / 1e6);
	return false;
}

void request_looked(struct session *session, uint64_t began_ns)
{
	uint64_t now = loop_now();

	session->objects.account->look_again_ns = now + (now - began_ns) * (LOOK_PARTS - 1);
}

/*
 * Records
 */

struct record_texts {
	char client[REQUEST_NAME_MAX], model[REQUEST_NAME_MAX], hash[17];
};

static void describe_record(const struct history_record *record, struct record_texts *texts,
			    Zy__Record *ret)
{
	zy__record__init(ret);
	for (size_t i = 0; i < sizeof(record->model_hash); i++)
		snprintf(texts->hash + 2 * i, 3, "%02x", record->model_hash[i]);
	ret->request = record->request;
	ret->session = record->session;
	ret->uid = record->uid;
	ret->client = log_escape(texts->client, sizeof(texts->client), record->client);
	ret->model = log_escape(texts->model, sizeof(texts->model), record->model);
	ret->model_hash = texts->hash;
	ret->class_ = record->class;
	ret->status = record->status;
	ret->late = record->late;
	ret->accepted = record->accepted_ns;
	ret->started = record->started_ns;
	ret->ended = record->ended_ns;
	ret->run = record->run_ns;
	ret->deadline = record->deadline_ns;
	ret->allowed_cores = record->allowed;
	ret->n_cores = record->n_cores;
	ret->cores = record->cores;
	ret->wait = record->wait;
	ret->waited_for = record->waited_for;
	ret->stream = record->stream;
	ret->sequence = record->sequence;
	ret->reservation = record->reservation;
}

/*
 * Explain
 */

/* A request on its way of somebody whose requests @session may see, or NULL. */
static const struct job *find_job(const struct session *session, uint64_t request)
{
	const struct session *other;
	const struct job *job;

	list_for_each (other, &session->group->sessions, link) {
		if (!request_sees(session, other->uid))
			continue;
		list_for_each (job, &other->owner.jobs, owner_link)
			if (job->id == request)
				return job;
	}
	return NULL;
}

/* The request and its state, or NULL. */
static const char *find_record(const struct session *session, uint64_t request,
			       struct history_record *ret)
{
	const struct history_record *record =
		history_find(&session->group->scheduler->history, request);
	const struct job *job;

	if (record && request_sees(session, record->uid)) {
		*ret = *record;
		return "answered";
	}
	job = record ? NULL : find_job(session, request);
	if (!job)
		return NULL;
	scheduler_record(job, ret);
	return job->state == JOB_QUEUED || job->state == JOB_FAILED ? "queued" : "running";
}

static void collect_running(struct history_occupants *occupants, const struct scheduler *sched)
{
	struct history_record record;
	const struct job *job;

	for (job = scheduler_next_running(sched, NULL); job;
	     job = scheduler_next_running(sched, job)) {
		scheduler_record(job, &record);
		history_occupants_add(occupants, &record);
	}
}

static const char *find_name(const struct session_group *group,
			     const struct history_occupants *occupants, uint64_t id)
{
	const struct session *session;

	for (unsigned int i = 0; id && i < occupants->n; i++)
		if (occupants->occupants[i].session == id)
			return occupants->occupants[i].client;
	list_for_each (session, &group->sessions, link)
		if (id && session->id == id)
			return session->owner.tenant->name;
	return "";
}

struct explanation_texts {
	struct record_texts record;
	char waited_for[REQUEST_NAME_MAX];
	char clients[HISTORY_OCCUPANTS + 1][REQUEST_NAME_MAX];
	Zy__Record request;
	Zy__Occupant occupants[HISTORY_OCCUPANTS + 1], *list[HISTORY_OCCUPANTS + 1];
};

static void describe_occupants(const struct history_occupants *occupants,
			       struct explanation_texts *texts, Zy__Explanation *ret)
{
	for (unsigned int i = 0; i < occupants->n; i++) {
		const struct history_occupant *o = &occupants->occupants[i];
		Zy__Occupant *occupant = &texts->occupants[i];

		zy__occupant__init(occupant);
		occupant->session = o->session;
		occupant->client =
			log_escape(texts->clients[i], sizeof(texts->clients[i]), o->client);
		occupant->uid = o->uid;
		occupant->class_ = o->class;
		occupant->ns = o->ns;
		occupant->requests = o->n_requests;
		texts->list[i] = occupant;
	}
	ret->n_occupants = occupants->n;
	ret->occupants = texts->list;
}

/* Who was on its cores while it waited. */
static void find_occupants(const struct scheduler *sched, const struct history_record *record,
			   struct history_occupants *ret)
{
	uint64_t until = record->started_ns ? record->started_ns : record->ended_ns;

	history_occupants_init(ret, record->accepted_ns, until ? until : loop_now(),
			       record->allowed, record->request);
	history_occupants_collect(ret, &sched->history);
	collect_running(ret, sched);
	history_occupants_sort(ret);
}

void request_explain(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	const struct scheduler *sched = session->group->scheduler;
	Zy__Explanation body = ZY__EXPLANATION__INIT;
	Zy__Response response = ZY__RESPONSE__INIT;
	struct history_occupants occupants;
	struct explanation_texts texts;
	struct history_record record;
	uint64_t began = loop_now(), core_ns;
	const char *state;

	(void)fds;
	if (!request_may_look(session, req->serial))
		return;
	state = find_record(session, req->explain->request, &record);
	if (!state) {
		reply_refuse(session, req->serial, ZY_NOT_FOUND,
			     "no request %llu of this user is on its way or among the latest %u",
			     (unsigned long long)req->explain->request, HISTORY_SIZE);
		request_looked(session, began);
		return;
	}
	find_occupants(sched, &record, &occupants);
	describe_record(&record, &texts.record, &texts.request);
	describe_occupants(&occupants, &texts, &body);
	body.request = &texts.request;
	body.state = (char *)state;
	body.waited_for = log_escape(texts.waited_for, sizeof(texts.waited_for),
				     find_name(session->group, &occupants, record.waited_for));
	core_ns = (occupants.to_ns - occupants.from_ns) *
		  (uint64_t)__builtin_popcountll(record.allowed);
	body.idle = core_ns > occupants.busy_ns ? core_ns - occupants.busy_ns : 0;
	response.body_case = ZY__RESPONSE__BODY_EXPLANATION;
	response.explanation = &body;
	reply_body(session, req->serial, &response, NULL);
	request_looked(session, began);
}

/*
 * Trace
 */

struct trace_space {
	Zy__Record records[TRACE_RECORDS], *list[TRACE_RECORDS];
	struct record_texts texts[TRACE_RECORDS];
};

/* Records from number @i on that the session may see. Returns the number after the last one. */
static uint64_t fill_trace(const struct session *session, uint64_t i, struct trace_space *space,
			   size_t *ret_n)
{
	const struct history *history = &session->group->scheduler->history;
	size_t n = 0;

	for (; i < history->n && n < TRACE_RECORDS; i++) {
		const struct history_record *record = history_at(history, i);

		if (!request_sees(session, record->uid))
			continue;
		describe_record(record, &space->texts[n], &space->records[n]);
		space->list[n] = &space->records[n];
		n++;
	}
	*ret_n = n;
	return i;
}

void request_get_trace(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	const struct device_caps *caps = &session->group->device->caps;
	const struct history *history = &session->group->scheduler->history;
	uint64_t since = req->get_trace->since, began = loop_now();
	uint32_t serial = req->serial; /* the arena is about to be used again */
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Trace body = ZY__TRACE__INIT;
	struct trace_space *space;

	(void)fds;
	if (!request_may_look(session, serial))
		return;
	arena_reset(&session->group->arena);
	space = arena_alloc(&session->group->arena, sizeof(*space));
	if (!space) {
		reply_refuse(session, serial, ZY_NO_MEMORY, "the daemon is out of memory");
		return;
	}
	since = since < history->n ? since : history->n;
	body.lost = history_lost(history, since);
	body.next = fill_trace(session, since + body.lost, space, &body.n_records);
	body.records = space->list;
	body.more = body.next < history->n;
	body.now = loop_now();
	body.cores = caps->cores;
	body.stop = caps->stop_ns;
	body.placement = (char *)request_placement_name(caps->placement);
	response.body_case = ZY__RESPONSE__BODY_TRACE;
	response.trace = &body;
	if (reply_body(session, serial, &response, NULL) < 0)
		reply_refuse(session, serial, ZY_INTERNAL, "the trace does not fit into a packet");
	/* Who follows a busy daemon has to keep up. */
	if (body.n_records < TRACE_RECORDS)
		request_looked(session, began);
}
