/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "fake_daemon.h"
#include "zhouyi-client.h"

static struct fake fake;
static struct zhouyi_client *client;
static struct zhouyi_model *model;
static struct zhouyi_binding *binding;

static void begin(void (*script)(int socket))
{
	fake_start(&fake, script);
	client = fake_client(&fake);
	binding = fake_binding(client, &model);
}

static void end(void)
{
	zhouyi_binding_destroy(binding);
	zhouyi_model_close(model);
	zhouyi_client_close(client);
	fake_stop(&fake);
}

static void reply(int socket, const Zy__Request *request, Zy__Response *response)
{
	response->serial = request->serial;
	fake_reply(socket, response, -1);
}

/*
 * An old daemon
 */

static void old_daemon(int socket)
{
	Zy__Request *request = fake_expect(socket, ZY__REQUEST__BODY_HELLO, 0, NULL);
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Welcome welcome = ZY__WELCOME__INIT;

	welcome.version = ZY_PROTOCOL_VERSION;
	response.body_case = ZY__RESPONSE__BODY_WELCOME;
	response.welcome = &welcome;
	reply(socket, request, &response);
	fake_load(socket, 1);
	fake_buffer(socket, 2);
	fake_bind(socket, 3);
	/* A single core is what it knows. */
	fake_complete(socket, fake_submission(socket).cookie, ZY_OK);
	fake_expect(socket, ZY__REQUEST__BODY_DESTROY_BINDING, 0, NULL);
	fake_wait_end(socket);
}

static void ignore(struct zhouyi_binding *b, const struct zhouyi_result *result, void *userdata)
{
	(void)b, (void)result, (void)userdata;
}

Test(schedule, an_old_daemon_is_asked_nothing_it_does_not_know)
{
	struct zhouyi_stream_options stream = ZHOUYI_STREAM_OPTIONS_INIT;
	struct zhouyi_reserve_options reserve = ZHOUYI_RESERVE_OPTIONS_INIT;
	struct zhouyi_options options = ZHOUYI_OPTIONS_INIT;
	int no = -ZHOUYI_ERROR_NOT_SUPPORTED;

	begin(old_daemon);
	reserve.probe = true;
	cr_expect_eq(zhouyi_reserve(model, &reserve, NULL, NULL), no);
	cr_expect(strstr(zhouyi_client_error(client), "older"), "%s", zhouyi_client_error(client));
	cr_expect_eq(zhouyi_stream_create(model, &stream, NULL), no);
	cr_expect_eq(zhouyi_explain(client, 1, NULL), no);
	cr_expect_eq(zhouyi_plan_get(client, NULL), no);
	cr_expect_eq(zhouyi_accounts_get(client, NULL), no);
	cr_expect_eq(zhouyi_trace_get(client, 0, NULL), no);
	options.n_cores = 2;
	cr_expect_eq(zhouyi_submit(binding, &options, ignore, NULL, NULL), no);
	options.n_cores = 1;
	cr_expect_eq(zhouyi_run(binding, &options, NULL), 0);
	end();
}

/*
 * Reservations
 */

static void reserving(int socket)
{
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Reservation said = ZY__RESERVATION__INIT;
	uint32_t used[3] = {1, 200000, 3};
	Zy__Request *request;

	fake_prepare(socket);
	request = fake_expect(socket, ZY__REQUEST__BODY_RESERVE, 0, NULL);
	FAKE_CHECK(request->reserve->model == 1);
	FAKE_CHECK(request->reserve->period == 100 && request->reserve->deadline == 90);
	FAKE_CHECK(request->reserve->jitter == 5 && request->reserve->budget == 10);
	FAKE_CHECK(request->reserve->cores == 6 && !request->reserve->probe);
	said.reservation = 77;
	said.granted = true;
	said.core = 1;
	said.budget = 10;
	said.period = 100;
	said.deadline = 90;
	said.jitter = 5;
	said.tolerance = 40;
	said.n_used_ppm = 3;
	said.used_ppm = used;
	response.body_case = ZY__RESPONSE__BODY_RESERVATION;
	response.reservation = &said;
	reply(socket, request, &response);
	/* The next one is denied, with a body. */
	request = fake_expect(socket, ZY__REQUEST__BODY_RESERVE, 0, NULL);
	said.reservation = 0;
	said.granted = false;
	said.refusal = (char *)"utilisation";
	said.best_period = 250;
	response.status = ZY_NO_ROOM;
	response.detail = (char *)"no room, but for 250 ns";
	reply(socket, request, &response);
	request = fake_expect(socket, ZY__REQUEST__BODY_RELEASE, 0, NULL);
	FAKE_CHECK(request->release->reservation == 77);
	fake_ack(socket, request, ZY_OK, "");
	fake_wait_end(socket);
}

Test(schedule, a_reservation_is_granted_or_denied_with_its_numbers)
{
	struct zhouyi_reserve_options options = ZHOUYI_RESERVE_OPTIONS_INIT;
	struct zhouyi_reservation *reservation = NULL, *other = NULL;
	struct zhouyi_verdict *verdict = NULL;

	begin(reserving);
	options.period_ns = 100;
	options.deadline_ns = 90;
	options.jitter_ns = 5;
	options.budget_ns = 10;
	options.core_mask = 6;
	cr_assert_eq(zhouyi_reserve(model, &options, &reservation, &verdict), 0);
	cr_assert(reservation && verdict);
	cr_expect(verdict->granted && verdict->refusal[0] == '\0');
	cr_expect_eq(verdict->core, 1);
	cr_expect_eq(verdict->tolerance_ns, 40);
	cr_assert_eq(verdict->n_cores, 3);
	cr_expect_eq(verdict->used_ppm[1], 200000);
	zhouyi_free(verdict);
	verdict = NULL;
	cr_assert_eq(zhouyi_reserve(model, &options, &other, &verdict), -ZHOUYI_ERROR_NO_ROOM);
	cr_expect_null(other);
	cr_assert_not_null(verdict);
	cr_expect_not(verdict->granted);
	cr_expect_str_eq(verdict->refusal, "utilisation");
	cr_expect_eq(verdict->best_period_ns, 250);
	cr_expect_str_eq(zhouyi_client_error(client), "no room, but for 250 ns");
	zhouyi_free(verdict);
	zhouyi_reservation_release(reservation);
	zhouyi_reservation_release(NULL);
	end();
}

Test(schedule, senseless_reservation_options_are_refused_here)
{
	struct zhouyi_reserve_options options = ZHOUYI_RESERVE_OPTIONS_INIT;

	begin(fake_prepare);
	options.size = 1;
	cr_expect_eq(zhouyi_reserve(model, &options, NULL, NULL), -ZHOUYI_ERROR_INVALID);
	options.size = sizeof(options);
	cr_expect_eq(zhouyi_reserve(model, &options, NULL, NULL), -ZHOUYI_ERROR_INVALID,
		     "nowhere to put it");
	end();
}

/*
 * Streams
 */

static void complete_frame(int socket, uint64_t cookie, int status, uint64_t sequence)
{
	struct zy_complete answer = {
		.type = ZY_PACKET_COMPLETE,
		.status = status,
		.cookie = cookie,
		.flags = ZY_COMPLETE_RELEASED | (status == ZY_OK ? ZY_COMPLETE_LATE : 0),
		.request = 1000 + sequence,
		.wait = ZY_WAIT_URGENT,
		.waited_for = 9,
		.sequence = sequence,
		.dropped = 1,
	};

	FAKE_CHECK(zy_packet_send(socket, &answer, sizeof(answer), NULL, 0) == 0);
}

static void reply_stream(int socket, const Zy__Request *request)
{
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Stream said = ZY__STREAM__INIT;

	said.stream = 55;
	said.sequence = 2;
	said.submitted = 2;
	said.done = said.late = said.dropped = 1;
	said.run_max = 7;
	said.response_max = 8;
	response.body_case = ZY__RESPONSE__BODY_STREAM;
	response.stream = &said;
	reply(socket, request, &response);
}

static void streaming(int socket)
{
	struct zy_submit first, second;
	Zy__Request *request;

	fake_prepare(socket);
	request = fake_expect(socket, ZY__REQUEST__BODY_CREATE_STREAM, 0, NULL);
	FAKE_CHECK(request->create_stream->model == 1 && request->create_stream->class_ == 2);
	FAKE_CHECK(request->create_stream->period == 30 && request->create_stream->deadline == 20);
	FAKE_CHECK(request->create_stream->drop == ZY__STREAM_DROP__BLOCK);
	FAKE_CHECK(request->create_stream->depth == 4 && !request->create_stream->reservation);
	reply_stream(socket, request);
	first = fake_submission(socket);
	second = fake_submission(socket);
	FAKE_CHECK(first.stream == 55 && second.stream == 55 && first.binding == 3);
	complete_frame(socket, first.cookie, ZY_DROPPED, 1);
	complete_frame(socket, second.cookie, ZY_OK, 2);
	reply_stream(socket, fake_expect(socket, ZY__REQUEST__BODY_GET_STREAM, 0, NULL));
	request = fake_expect(socket, ZY__REQUEST__BODY_DESTROY_STREAM, 0, NULL);
	FAKE_CHECK(request->destroy_stream->stream == 55);
	fake_wait_end(socket);
}

struct note {
	struct zhouyi_result results[2];
	unsigned int n;
};

static void take_note(struct zhouyi_binding *b, const struct zhouyi_result *result, void *userdata)
{
	struct note *note = userdata;

	(void)b;
	cr_assert_lt(note->n, 2);
	note->results[note->n++] = *result;
}

Test(schedule, frames_are_numbered_and_dropped_and_counted)
{
	struct zhouyi_stream_options options = ZHOUYI_STREAM_OPTIONS_INIT;
	struct zhouyi_stream_info *info;
	struct zhouyi_stream *stream;
	struct note note = {.n = 0};

	begin(streaming);
	options.stream_class = ZHOUYI_CLASS_NORMAL;
	options.period_ns = 30;
	options.deadline_ns = 20;
	options.drop = ZHOUYI_DROP_BLOCK;
	options.depth = 4;
	cr_assert_eq(zhouyi_stream_create(model, &options, &stream), 0);
	cr_assert_eq(zhouyi_stream_submit(stream, binding, take_note, &note, NULL), 0);
	cr_assert_eq(zhouyi_stream_submit(stream, binding, take_note, &note, NULL), 0);
	while (note.n < 2)
		cr_assert_geq(zhouyi_client_dispatch(client, -1), 0);
	cr_expect_eq(note.results[0].error, -ZHOUYI_ERROR_DROPPED);
	cr_expect_eq(note.results[0].sequence, 1);
	cr_expect_eq(note.results[0].dropped, 1);
	cr_expect_not(note.results[0].late);
	cr_expect_eq(note.results[1].error, 0);
	cr_expect(note.results[1].late);
	cr_expect_eq(note.results[1].wait, ZHOUYI_WAIT_URGENT);
	cr_expect_eq(note.results[1].waited_for, 9);
	cr_expect(strstr(zhouyi_result_text(&note.results[1]),
			 "(behind a more urgent class, session 9); late"),
		  "%s", zhouyi_result_text(&note.results[1]));
	cr_assert_eq(zhouyi_stream_info_get(stream, &info), 0);
	cr_expect_eq(info->submitted, 2);
	cr_expect_eq(info->dropped, 1);
	cr_expect_eq(info->response_max_ns, 8);
	zhouyi_free(info);
	zhouyi_stream_destroy(stream);
	zhouyi_stream_destroy(NULL);
	end();
}

/*
 * Explanations
 */

static void explaining(int socket)
{
	Zy__Request *request;
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Explanation said = ZY__EXPLANATION__INIT;
	Zy__Record record = ZY__RECORD__INIT;
	Zy__Occupant occupant = ZY__OCCUPANT__INIT, *list[] = {&occupant};

	fake_prepare(socket);
	request = fake_expect(socket, ZY__REQUEST__BODY_EXPLAIN, 0, NULL);
	FAKE_CHECK(request->explain->request == 42);
	record.request = 42;
	record.client = (char *)"camera";
	record.model = (char *)"detector";
	record.class_ = 99; /* of a later version */
	record.status = 99;
	record.wait = 99;
	occupant.session = 3;
	occupant.client = (char *)"greedy";
	occupant.ns = 5;
	said.request = &record;
	said.state = (char *)"answered";
	said.waited_for = (char *)"greedy";
	said.n_occupants = 1;
	said.occupants = list;
	said.idle = 6;
	response.body_case = ZY__RESPONSE__BODY_EXPLANATION;
	response.explanation = &said;
	reply(socket, request, &response);
	/* One without a request is none. */
	request = fake_expect(socket, ZY__REQUEST__BODY_EXPLAIN, 0, NULL);
	said.request = NULL;
	reply(socket, request, &response);
	fake_wait_end(socket);
}

Test(schedule, an_explanation_is_what_the_daemon_says)
{
	struct zhouyi_explanation *e;

	begin(explaining);
	cr_assert_eq(zhouyi_explain(client, 42, &e), 0);
	cr_expect_eq(e->request.request, 42);
	cr_expect_str_eq(e->request.client, "camera");
	cr_expect_str_eq(e->request.model, "detector");
	cr_expect_eq(e->request.error, -ZHOUYI_ERROR_INTERNAL, "what nobody knows is no success");
	cr_expect_eq(e->request.wait, ZHOUYI_WAIT_NONE);
	cr_expect_str_eq(e->state, "answered");
	cr_expect_str_eq(e->waited_for, "greedy");
	cr_assert_eq(e->n_occupants, 1);
	cr_expect_str_eq(e->occupants[0].client, "greedy");
	cr_expect_eq(e->occupants[0].ns, 5);
	cr_expect_eq(e->idle_ns, 6);
	zhouyi_free(e);
	cr_expect_eq(zhouyi_explain(client, 42, &e), -ZHOUYI_ERROR_PROTOCOL);
	end();
}

static void planning(int socket)
{
	Zy__Request *request;
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Plan said = ZY__PLAN__INIT;
	Zy__PlanEntry entry = ZY__PLAN_ENTRY__INIT, *entries[] = {&entry, &entry};
	Zy__PlanReservation reservation = ZY__PLAN_RESERVATION__INIT,
			    *reservations[] = {&reservation};
	Zy__PlanClass class = ZY__PLAN_CLASS__INIT, *classes[] = {&class};
	Zy__PlanCore core = ZY__PLAN_CORE__INIT, *cores[] = {&core, &core, &core};

	fake_prepare(socket);
	request = fake_expect(socket, ZY__REQUEST__BODY_GET_PLAN, 0, NULL);
	entry.client = (char *)"a";
	entry.model = (char *)"b";
	entry.start = 10;
	reservation.client = (char *)"c";
	reservation.model = (char *)"d";
	reservation.missed = 4;
	class.floor_percent = 5;
	core.reserved_ppm = 123;
	said.n_queue = 2;
	said.queue = entries;
	said.n_reservations = 1;
	said.reservations = reservations;
	said.n_classes = 1;
	said.classes = classes;
	said.n_cores = 3;
	said.cores = cores;
	said.queued = 2;
	response.body_case = ZY__RESPONSE__BODY_PLAN;
	response.plan = &said;
	reply(socket, request, &response);
	fake_wait_end(socket);
}

Test(schedule, a_plan_is_what_the_daemon_says)
{
	struct zhouyi_plan *plan;

	begin(planning);
	cr_assert_eq(zhouyi_plan_get(client, &plan), 0);
	cr_assert_eq(plan->n_entries, 2);
	cr_expect_str_eq(plan->entries[1].client, "a");
	cr_expect_str_eq(plan->entries[1].model, "b");
	cr_expect_eq(plan->entries[1].start_ns, 10);
	cr_assert_eq(plan->n_reservations, 1);
	cr_expect_str_eq(plan->reservations[0].model, "d");
	cr_expect_eq(plan->reservations[0].missed, 4);
	cr_assert_eq(plan->n_classes, 1);
	cr_expect_eq(plan->classes[0].floor_percent, 5);
	cr_assert_eq(plan->n_cores, 3);
	cr_expect_eq(plan->cores[2].reserved_ppm, 123);
	zhouyi_free(plan);
	end();
}

static void accounting(int socket)
{
	Zy__Request *request;
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Accounts said = ZY__ACCOUNTS__INIT;
	Zy__Account first = ZY__ACCOUNT__INIT, second = ZY__ACCOUNT__INIT,
		    *accounts[] = {&first, &second};
	Zy__Usage usage = ZY__USAGE__INIT, *usages[] = {&usage, &usage};
	Zy__SessionUsage session = ZY__SESSION_USAGE__INIT, *sessions[] = {&session};

	fake_prepare(socket);
	request = fake_expect(socket, ZY__REQUEST__BODY_GET_ACCOUNTS, 0, NULL);
	usage.client = (char *)"program";
	usage.model = (char *)"model";
	usage.requests = 3;
	session.client = (char *)"other";
	session.pid = 12;
	first.uid = 1;
	first.n_usage = 1;
	first.usage = usages;
	second.uid = 2;
	second.principal = (char *)"slice:cameras.slice";
	second.n_usage = 2;
	second.usage = usages;
	second.n_clients = 1;
	second.clients = sessions;
	said.n_accounts = 2;
	said.accounts = accounts;
	response.body_case = ZY__RESPONSE__BODY_ACCOUNTS;
	response.accounts = &said;
	reply(socket, request, &response);
	fake_wait_end(socket);
}

Test(schedule, accounts_are_what_the_daemon_says)
{
	struct zhouyi_account_list *list;

	begin(accounting);
	cr_assert_eq(zhouyi_accounts_get(client, &list), 0);
	cr_assert_eq(list->n, 2);
	cr_expect_eq(list->accounts[0].n_usages, 1);
	cr_expect_eq(list->accounts[0].n_clients, 0);
	cr_expect_str_eq(list->accounts[0].principal, "");
	cr_expect_str_eq(list->accounts[1].principal, "slice:cameras.slice");
	cr_assert_eq(list->accounts[1].n_usages, 2);
	cr_expect_str_eq(list->accounts[1].usages[1].client, "program");
	cr_expect_str_eq(list->accounts[1].usages[1].model, "model");
	cr_expect_eq(list->accounts[1].usages[1].requests, 3);
	cr_assert_eq(list->accounts[1].n_clients, 1);
	cr_expect_str_eq(list->accounts[1].clients[0].client, "other");
	cr_expect_eq(list->accounts[1].clients[0].pid, 12);
	zhouyi_free(list);
	end();
}

static void tracing(int socket)
{
	Zy__Request *request;
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Trace said = ZY__TRACE__INIT;
	Zy__Record record = ZY__RECORD__INIT, *records[] = {&record, &record};

	fake_prepare(socket);
	request = fake_expect(socket, ZY__REQUEST__BODY_GET_TRACE, 0, NULL);
	FAKE_CHECK(request->get_trace->since == 17);
	record.client = (char *)"x";
	record.status = ZY_OVERRUN;
	record.stream = 5;
	said.n_records = 2;
	said.records = records;
	said.next = 19;
	said.placement = (char *)"one";
	said.more = true;
	said.stop = 20;
	response.body_case = ZY__RESPONSE__BODY_TRACE;
	response.trace = &said;
	reply(socket, request, &response);
	fake_wait_end(socket);
}

Test(schedule, a_trace_is_what_the_daemon_says)
{
	struct zhouyi_trace *trace;

	begin(tracing);
	cr_assert_eq(zhouyi_trace_get(client, 17, &trace), 0);
	cr_assert_eq(trace->n, 2);
	cr_expect_str_eq(trace->records[1].client, "x");
	cr_expect_eq(trace->records[1].error, -ZHOUYI_ERROR_OVERRUN);
	cr_expect_eq(trace->records[1].stream, 5);
	cr_expect_eq(trace->next, 19);
	cr_expect(trace->more);
	cr_expect_eq(trace->stop_ns, 20);
	cr_expect_str_eq(trace->placement, "one");
	zhouyi_free(trace);
	end();
}
