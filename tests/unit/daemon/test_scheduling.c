/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines, streams, reservations and explanations, as clients meet them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/stream.h"
#include "daemon/tenant.h"
#include "npu/isa.h"
#include "tests/unit/daemon/front.h"

#define MS UINT64_C(1000000)

static struct front front;
static struct front_packet packet;
static struct front_setup s;
static int client;

static void setup(void)
{
	log_open(LOG_LEVEL_ERROR);
	front_init(&front);
	client = front_client(&front);
}

static void teardown(void)
{
	front_packet_finish(&packet);
	close(client);
	front_finish(&front);
}

TestSuite(scheduling, .init = setup, .fini = teardown);

/* A model whose runs take so long. */
static void load(uint32_t delay_us)
{
	front_setup(&front, client, 64, NPU_OP_DELAY, delay_us, &s);
}

/* Ask, and keep the answer in packet. */
static int call(Zy__Request *req)
{
	front_packet_finish(&packet);
	return front_call(&front, client, req, -1, &packet);
}

static void submit(uint64_t cookie, struct zy_submit entry)
{
	entry.type = ZY_PACKET_SUBMIT;
	entry.binding = s.binding;
	entry.cookie = cookie;
	cr_assert_eq(front_send(client, &entry, sizeof(entry), NULL, 0), 0);
}

static struct zy_complete answer(void)
{
	struct front_packet got;

	front_receive(&front, client, &got);
	cr_assert_gt(got.size, 0);
	cr_assert_null(got.response, "a completion");
	return got.complete;
}

/* The answer to @cookie, whichever come before. */
static struct zy_complete answer_to(uint64_t cookie)
{
	struct zy_complete complete;

	do
		complete = answer();
	while (complete.cookie != cookie);
	return complete;
}

static void run_once(void)
{
	submit(1000, (struct zy_submit){.class = ZY_CLASS_INTERACTIVE});
	cr_assert_eq(answer().status, ZY_OK);
}

/* Fill core 0 with one request that takes a while. */
static void occupy(uint64_t cookie)
{
	submit(cookie, (struct zy_submit){.class = ZY_CLASS_NORMAL, .core_mask = 1});
	front_settle(&front);
}

static struct session *session(void)
{
	return front_session(&front);
}

/* Somebody without any right over others. */
static void become_somebody_else(void)
{
	session()->uid = session()->identity->uid = 54321;
	session_group_refresh(&front.group);
}

/*
 * Deadlines
 */

Test(scheduling, a_deadline_that_has_passed_is_refused_at_once)
{
	struct zy_complete complete;

	load(1000);
	submit(1, (struct zy_submit){.class = ZY_CLASS_REALTIME, .deadline_ns = loop_now() - 1});
	complete = answer();
	cr_expect_eq(complete.status, ZY_DEADLINE_REFUSED);
	cr_expect_eq(complete.request, 0, "it was never accepted");
	front_setup_finish(&s);
}

Test(scheduling, a_deadline_that_passes_in_the_queue_expires)
{
	struct zy_complete complete;

	load(100000);
	occupy(1);
	submit(2, (struct zy_submit){.class = ZY_CLASS_NORMAL,
				     .core_mask = 1,
				     .deadline_ns = loop_now() + 30 * MS});
	complete = answer();
	cr_expect_eq(complete.cookie, 2);
	cr_expect_eq(complete.status, ZY_DEADLINE_EXPIRED);
	cr_expect_neq(complete.request, 0);
	cr_expect_eq(answer().status, ZY_OK);
	front_setup_finish(&s);
}

Test(scheduling, an_answer_after_its_deadline_is_late)
{
	struct zy_complete complete;

	load(60000);
	/* Nobody knows yet how long it takes. */
	submit(1,
	       (struct zy_submit){.class = ZY_CLASS_REALTIME, .deadline_ns = loop_now() + 20 * MS});
	complete = answer();
	cr_expect_eq(complete.status, ZY_OK);
	cr_expect(complete.flags & ZY_COMPLETE_LATE);
	submit(2, (struct zy_submit){.class = ZY_CLASS_REALTIME,
				     .deadline_ns = loop_now() + 10000 * MS});
	complete = answer();
	cr_expect_eq(complete.status, ZY_OK);
	cr_expect_not(complete.flags & ZY_COMPLETE_LATE);
	front_setup_finish(&s);
}

/*
 * Streams
 */

static int create_stream(Zy__CreateStream create, uint32_t *ret)
{
	Zy__Request req = ZY__REQUEST__INIT;
	int status;

	create.model = create.model ? create.model : s.model;
	req.body_case = ZY__REQUEST__BODY_CREATE_STREAM;
	req.create_stream = &create;
	status = call(&req);
	if (status == 0)
		*ret = packet.response->stream->stream;
	return status;
}

static const Zy__Stream *get_stream(uint32_t id)
{
	Zy__Request req = ZY__REQUEST__INIT;
	Zy__GetStream get = ZY__GET_STREAM__INIT;

	get.stream = id;
	req.body_case = ZY__REQUEST__BODY_GET_STREAM;
	req.get_stream = &get;
	cr_assert_eq(call(&req), ZY_OK);
	return packet.response->stream;
}

static Zy__CreateStream stream_of(Zy__StreamDrop drop, uint32_t depth)
{
	Zy__CreateStream create = ZY__CREATE_STREAM__INIT;

	create.class_ = ZY_CLASS_NORMAL;
	create.cores = 1;
	create.drop = drop;
	create.depth = depth;
	return create;
}

Test(scheduling, only_the_newest_frame_waits)
{
	Zy__CreateStream create = stream_of(ZY__STREAM_DROP__KEEP_LATEST, 0);
	const Zy__Stream *got;
	struct zy_complete complete;
	uint32_t stream = 0;

	load(50000);
	cr_assert_eq(create_stream(create, &stream), ZY_OK);
	submit(1, (struct zy_submit){.stream = stream});
	front_settle(&front);
	submit(2, (struct zy_submit){.stream = stream});
	submit(3, (struct zy_submit){.stream = stream});
	submit(4, (struct zy_submit){.stream = stream});
	for (uint64_t i = 2; i <= 3; i++) {
		complete = answer();
		cr_expect_eq(complete.cookie, i);
		cr_expect_eq(complete.status, ZY_DROPPED);
		cr_expect_eq(complete.sequence, i);
	}
	complete = answer();
	cr_expect_eq(complete.cookie, 1);
	cr_expect_eq(complete.status, ZY_OK);
	cr_expect_eq(complete.dropped, 2);
	complete = answer();
	cr_expect_eq(complete.cookie, 4);
	cr_expect_eq(complete.sequence, 4);
	got = get_stream(stream);
	cr_expect_eq(got->submitted, 4);
	cr_expect_eq(got->done, 2);
	cr_expect_eq(got->dropped, 2);
	cr_expect_eq(got->queued + got->running, 0);
	cr_expect_geq(got->run_max, 50 * MS);
	cr_expect_geq(got->response_max, got->run_max);
	front_setup_finish(&s);
}

Test(scheduling, a_stream_that_blocks_says_so)
{
	Zy__CreateStream create = stream_of(ZY__STREAM_DROP__BLOCK, 1);
	struct zy_complete complete;
	uint32_t stream = 0;

	load(50000);
	cr_assert_eq(create_stream(create, &stream), ZY_OK);
	submit(1, (struct zy_submit){.stream = stream});
	front_settle(&front);
	submit(2, (struct zy_submit){.stream = stream});
	submit(3, (struct zy_submit){.stream = stream});
	complete = answer();
	cr_expect_eq(complete.cookie, 3);
	cr_expect_eq(complete.status, ZY_BUSY);
	cr_expect_eq(answer().status, ZY_OK);
	cr_expect_eq(answer().status, ZY_OK);
	cr_expect_eq(get_stream(stream)->failed, 1);
	front_setup_finish(&s);
}

Test(scheduling, a_stream_has_its_own_deadline_and_class)
{
	Zy__CreateStream create = stream_of(ZY__STREAM_DROP__QUEUE, 4);
	uint32_t stream = 0;

	load(100000);
	create.deadline = 20 * MS;
	create.class_ = ZY_CLASS_REALTIME;
	cr_assert_eq(create_stream(create, &stream), ZY_OK);
	occupy(1);
	submit(2, (struct zy_submit){.class = ZY_CLASS_BACKGROUND, .stream = stream});
	cr_expect_eq(answer_to(2).status, ZY_DEADLINE_EXPIRED);
	cr_expect_eq(answer_to(1).status, ZY_OK);
	cr_expect_eq(get_stream(stream)->missed, 1);
	front_setup_finish(&s);
}

Test(scheduling, streams_that_make_no_sense_are_refused)
{
	Zy__CreateStream create = stream_of(ZY__STREAM_DROP__QUEUE, 4), bad;
	uint32_t stream = 0;

	load(0);
	bad = create, bad.model = 77;
	cr_expect_eq(create_stream(bad, &stream), ZY_NOT_FOUND);
	bad = create, bad.class_ = ZY_CLASS_MAX_;
	cr_expect_eq(create_stream(bad, &stream), ZY_INVALID);
	bad = create, bad.cores = UINT64_C(1) << 40;
	cr_expect_eq(create_stream(bad, &stream), ZY_INVALID);
	bad = create, bad.depth = 0;
	cr_expect_eq(create_stream(bad, &stream), ZY_INVALID);
	bad = create, bad.depth = STREAM_DEPTH_MAX + 1;
	cr_expect_eq(create_stream(bad, &stream), ZY_INVALID);
	bad = create, bad.drop = (Zy__StreamDrop)9;
	cr_expect_eq(create_stream(bad, &stream), ZY_INVALID);
	bad = create, bad.reservation = 5;
	cr_expect_eq(create_stream(bad, &stream), ZY_NOT_FOUND);
	bad = create, bad.deadline = UINT64_MAX;
	cr_expect_eq(create_stream(bad, &stream), ZY_INVALID);
	for (unsigned int i = 0; i < OBJECTS_MAX_STREAMS; i++)
		cr_assert_eq(create_stream(create, &stream), ZY_OK);
	cr_expect_eq(create_stream(create, &stream), ZY_LIMIT);
	cr_expect(strstr(packet.response->detail, "64 streams"), "%s", packet.response->detail);
	submit(1, (struct zy_submit){.stream = stream + 1});
	cr_expect_eq(answer().status, ZY_NOT_FOUND);
	front_setup_finish(&s);
}

Test(scheduling, a_frame_of_another_model_is_refused)
{
	Zy__CreateStream create = stream_of(ZY__STREAM_DROP__QUEUE, 4);
	struct front_setup first;
	uint32_t stream = 0;

	load(1);
	first = s;
	cr_assert_eq(create_stream(create, &stream), ZY_OK);
	load(2);
	submit(1, (struct zy_submit){.stream = stream});
	cr_expect_eq(answer().status, ZY_INVALID);
	cr_expect_eq(get_stream(stream)->failed, 1);
	front_setup_finish(&first);
	front_setup_finish(&s);
}

/*
 * Reservations
 */

static int reserve(Zy__Reserve ask)
{
	Zy__Request req = ZY__REQUEST__INIT;

	ask.model = ask.model ? ask.model : s.model;
	req.body_case = ZY__REQUEST__BODY_RESERVE;
	req.reserve = &ask;
	return call(&req);
}

static Zy__Reserve reservation_of(uint64_t budget, uint64_t period)
{
	Zy__Reserve ask = ZY__RESERVE__INIT;

	ask.budget = budget;
	ask.period = period;
	return ask;
}

static int release(uint32_t id)
{
	Zy__Request req = ZY__REQUEST__INIT;
	Zy__Release body = ZY__RELEASE__INIT;

	body.reservation = id;
	req.body_case = ZY__REQUEST__BODY_RELEASE;
	req.release = &body;
	return call(&req);
}

static unsigned int n_reservations(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < 3; i++)
		n += policy_core_info(front.scheduler.policy, i).n_reservations;
	return n;
}

Test(scheduling, a_reservation_is_granted_with_its_numbers_and_given_back)
{
	const Zy__Reservation *got;
	uint32_t id;

	load(1000);
	cr_assert_eq(reserve(reservation_of(2 * MS, 10 * MS)), ZY_OK);
	got = packet.response->reservation;
	id = got->reservation;
	cr_expect_neq(id, 0);
	cr_expect(got->granted);
	cr_expect_str_eq(got->refusal, "");
	cr_expect_eq(got->deadline, 10 * MS, "the period");
	cr_assert_eq(got->n_used_ppm, 3);
	cr_expect_geq(got->used_ppm[got->core], 200000);
	cr_expect_eq(n_reservations(), 1);
	cr_expect_eq(release(id), ZY_OK);
	cr_expect_eq(release(id), ZY_NOT_FOUND);
	cr_expect_eq(n_reservations(), 0);
	front_setup_finish(&s);
}

Test(scheduling, a_probe_keeps_nothing)
{
	Zy__Reserve ask = reservation_of(2 * MS, 10 * MS);

	load(1000);
	ask.probe = true;
	cr_assert_eq(reserve(ask), ZY_OK);
	cr_expect(packet.response->reservation->granted);
	cr_expect_eq(packet.response->reservation->reservation, 0);
	cr_expect_eq(n_reservations(), 0);
	front_setup_finish(&s);
}

Test(scheduling, a_denial_says_why_and_what_would_be_granted)
{
	const Zy__Reservation *got;
	Zy__Reserve ask = reservation_of(40 * MS, 100 * MS);
	uint64_t best;

	load(1000);
	ask.cores = 1;
	cr_assert_eq(reserve(ask), ZY_OK);
	ask.budget = 20 * MS;
	ask.period = 30 * MS;
	ask.deadline = 1000 * MS;
	cr_assert_eq(reserve(ask), ZY_NO_ROOM);
	cr_assert_eq(packet.response->body_case, ZY__RESPONSE__BODY_RESERVATION);
	got = packet.response->reservation;
	cr_expect_not(got->granted);
	cr_expect_str_eq(got->refusal, "utilisation");
	cr_expect_eq(got->reservation, 0);
	cr_expect(strstr(packet.response->detail, "core 0: 4"), "%s", packet.response->detail);
	best = got->best_period;
	cr_assert_gt(best, 30 * MS);
	cr_expect(strstr(packet.response->detail, "would be granted"), "%s",
		  packet.response->detail);
	ask.period = best;
	cr_expect_eq(reserve(ask), ZY_OK, "%s", packet.response->detail);
	front_setup_finish(&s);
}

Test(scheduling, reservations_that_make_no_sense_are_refused)
{
	Zy__Reserve ask = reservation_of(2 * MS, 10 * MS), bad;

	load(1000);
	bad = ask, bad.model = 99;
	cr_expect_eq(reserve(bad), ZY_NOT_FOUND);
	bad = ask, bad.cores = 8;
	cr_expect_eq(reserve(bad), ZY_INVALID);
	bad = ask, bad.period = 0;
	cr_expect_eq(reserve(bad), ZY_INVALID);
	bad = ask, bad.period = UINT64_MAX;
	cr_expect_eq(reserve(bad), ZY_INVALID);
	bad = ask, bad.budget = 11 * MS;
	cr_expect_eq(reserve(bad), ZY_INVALID);
	bad = ask, bad.jitter = 10 * MS;
	cr_expect_eq(reserve(bad), ZY_INVALID);
	bad = ask, bad.budget = UINT64_MAX;
	cr_expect_eq(reserve(bad), ZY_INVALID);
	cr_expect_eq(n_reservations(), 0);
	front_setup_finish(&s);
}

Test(scheduling, a_budget_is_learned_from_runs)
{
	Zy__Reserve ask = reservation_of(0, 100 * MS);

	load(2000);
	cr_expect_eq(reserve(ask), ZY_INVALID);
	cr_expect(strstr(packet.response->detail, "has run 0 times"), "%s",
		  packet.response->detail);
	for (int i = 0; i < 8; i++)
		run_once();
	cr_assert_eq(reserve(ask), ZY_OK, "%s", packet.response->detail);
	cr_expect_eq(packet.response->reservation->learned_from, 8);
	cr_expect_geq(packet.response->reservation->budget, 2500000);
	front_setup_finish(&s);
}

Test(scheduling, frames_of_a_reservation_go_first_and_streams_outlive_it)
{
	Zy__CreateStream create = stream_of(ZY__STREAM_DROP__QUEUE, 8);
	uint32_t stream = 0, reservation;

	load(1000);
	cr_assert_eq(reserve(reservation_of(20 * MS, 50 * MS)), ZY_OK);
	reservation = packet.response->reservation->reservation;
	create.reservation = reservation;
	cr_assert_eq(create_stream(create, &stream), ZY_OK);
	submit(1, (struct zy_submit){.stream = stream});
	cr_expect_eq(answer().status, ZY_OK);
	submit(2, (struct zy_submit){.stream = stream});
	cr_expect_eq(release(reservation), ZY_OK);
	cr_expect_eq(answer().status, ZY_OK);
	submit(3, (struct zy_submit){.stream = stream});
	cr_expect_eq(answer().status, ZY_OK);
	cr_expect_eq(get_stream(stream)->done, 3);
	front_setup_finish(&s);
}

Test(scheduling, who_leaves_with_reservations_and_frames_leaves_nothing)
{
	Zy__CreateStream create = stream_of(ZY__STREAM_DROP__QUEUE, 8);
	uint32_t stream = 0;

	load(30000);
	cr_assert_eq(reserve(reservation_of(40 * MS, 50 * MS)), ZY_OK);
	create.reservation = packet.response->reservation->reservation;
	cr_assert_eq(create_stream(create, &stream), ZY_OK);
	for (uint64_t i = 0; i < 5; i++)
		submit(i, (struct zy_submit){.stream = stream});
	front_settle(&front);
	front_setup_finish(&s);
	close(client);
	front_settle(&front);
	cr_expect_eq(n_reservations(), 0);
	cr_expect_eq(policy_n_queued(front.scheduler.policy), 0);
	client = front_client(&front);
}

Test(scheduling, what_can_never_run_beside_a_reservation_is_refused_in_words_the_client_knows)
{
	Zy__Reserve ask = reservation_of(1 * MS, 3 * MS);
	struct zy_submit entry = {.class = ZY_CLASS_NORMAL, .core_mask = 1};

	load(1000);
	ask.cores = 1;
	cr_assert_eq(reserve(ask), ZY_OK);
	submit(1, entry);
	cr_expect_eq(answer().status, ZY_NO_ROOM);
	session()->features = 0;
	submit(2, entry);
	cr_expect_eq(answer().status, ZY_BUSY);
	front_setup_finish(&s);
}

/*
 * Explanations
 */

static int explain(uint64_t request)
{
	Zy__Request req = ZY__REQUEST__INIT;
	Zy__Explain body = ZY__EXPLAIN__INIT;
	int status;

	body.request = request;
	req.body_case = ZY__REQUEST__BODY_EXPLAIN;
	req.explain = &body;
	/* Questions may be too close to each other. */
	while ((status = call(&req)) == ZY_BUSY)
		front_settle(&front);
	return status;
}

Test(scheduling, an_explanation_says_how_long_why_and_for_whom)
{
	const Zy__Explanation *got;
	struct zy_complete complete;
	uint64_t first;

	load(60000);
	occupy(1);
	submit(2, (struct zy_submit){.class = ZY_CLASS_NORMAL, .core_mask = 1});
	first = answer().request;
	complete = answer();
	cr_assert_eq(complete.cookie, 2);
	cr_expect_neq(complete.wait, ZY_WAIT_NONE);
	cr_assert_eq(explain(complete.request), ZY_OK);
	got = packet.response->explanation;
	cr_expect_str_eq(got->state, "answered");
	cr_expect_eq(got->request->wait, complete.wait);
	cr_expect_eq(got->request->started - got->request->accepted, complete.queue_ns);
	cr_expect_eq(got->request->allowed_cores, 1);
	cr_expect_str_eq(got->request->client, "test");
	cr_assert_eq(got->n_occupants, 1);
	cr_expect_str_eq(got->occupants[0]->client, "test");
	cr_expect_eq(got->occupants[0]->uid, getuid());
	cr_expect_eq(got->occupants[0]->session, session()->id);
	cr_expect_eq(got->occupants[0]->requests, 1);
	cr_expect_leq(got->occupants[0]->ns, complete.queue_ns);
	cr_expect_geq(got->occupants[0]->ns, 10 * MS);
	cr_assert_eq(explain(first), ZY_OK);
	cr_expect_eq(packet.response->explanation->n_occupants, 0);
	cr_expect_eq(explain(1234567), ZY_NOT_FOUND);
	front_setup_finish(&s);
}

Test(scheduling, a_request_that_waits_can_be_explained)
{
	uint64_t request;

	load(100000);
	occupy(1);
	submit(2, (struct zy_submit){.class = ZY_CLASS_NORMAL, .core_mask = 1});
	front_settle(&front);
	request = front.scheduler.next_id - 1;
	cr_assert_eq(explain(request), ZY_OK);
	cr_expect_str_eq(packet.response->explanation->state, "queued");
	cr_expect_eq(packet.response->explanation->n_occupants, 1);
	cr_assert_eq(explain(request - 1), ZY_OK);
	cr_expect_str_eq(packet.response->explanation->state, "running");
	answer();
	answer();
	front_setup_finish(&s);
}

Test(scheduling, requests_of_others_are_nobodys_business)
{
	uint64_t request;

	load(0);
	run_once();
	request = front.scheduler.next_id - 1;
	cr_expect_eq(explain(request), ZY_OK);
	become_somebody_else();
	cr_expect_eq(explain(request), ZY_NOT_FOUND);
	front_setup_finish(&s);
}

static int get_trace(uint64_t since)
{
	Zy__Request req = ZY__REQUEST__INIT;
	Zy__GetTrace get = ZY__GET_TRACE__INIT;
	int status;

	get.since = since;
	req.body_case = ZY__REQUEST__BODY_GET_TRACE;
	req.get_trace = &get;
	while ((status = call(&req)) == ZY_BUSY)
		front_settle(&front);
	return status;
}

Test(scheduling, a_trace_is_followed_without_gaps_and_only_by_who_may)
{
	const Zy__Trace *got;
	uint64_t next, n = 0;

	load(0);
	cr_assert_eq(get_trace(UINT64_MAX), ZY_OK);
	next = packet.response->trace->next;
	cr_expect_eq(packet.response->trace->n_records, 0);
	for (int i = 0; i < 400; i++)
		run_once();
	do {
		cr_assert_eq(get_trace(next), ZY_OK);
		got = packet.response->trace;
		for (size_t i = 0; i < got->n_records; i++)
			cr_assert_geq(got->records[i]->ended, got->records[i]->started);
		n += got->n_records;
		next = got->next;
	} while (got->more);
	cr_expect_eq(n, 400);
	cr_expect_eq(got->cores, 3);
	cr_expect_str_eq(got->placement, "exact");
	become_somebody_else();
	cr_assert_eq(get_trace(0), ZY_OK);
	cr_expect_eq(packet.response->trace->n_records, 0);
	cr_expect_eq(packet.response->trace->next, next);
	front_setup_finish(&s);
}

static const Zy__Plan *get_plan(void)
{
	Zy__Request req = ZY__REQUEST__INIT;
	Zy__GetPlan get = ZY__GET_PLAN__INIT;
	int status;

	req.body_case = ZY__REQUEST__BODY_GET_PLAN;
	req.get_plan = &get;
	while ((status = call(&req)) == ZY_BUSY)
		front_settle(&front);
	cr_assert_eq(status, ZY_OK);
	return packet.response->plan;
}

Test(scheduling, the_plan_is_the_order_in_which_they_will_start)
{
	Zy__Reserve ask = reservation_of(1 * MS, 100 * MS);
	const Zy__Plan *got;
	uint64_t first;

	load(3000000);
	ask.cores = 4;
	cr_assert_eq(reserve(ask), ZY_OK);
	occupy(1);
	first = front.scheduler.next_id;
	submit(2, (struct zy_submit){.class = ZY_CLASS_BACKGROUND, .core_mask = 1});
	submit(3, (struct zy_submit){.class = ZY_CLASS_NORMAL, .core_mask = 1});
	submit(4, (struct zy_submit){.class = ZY_CLASS_REALTIME, .core_mask = 1});
	got = get_plan();
	cr_assert_eq(got->n_queue, 3);
	for (uint64_t i = 0; i < 3; i++) {
		cr_expect_eq(got->queue[i]->request, first + 2 - i, "place %llu",
			     (unsigned long long)i);
		cr_expect_geq(got->queue[i]->end, got->queue[i]->start);
		cr_expect_eq(got->queue[i]->cores, 1);
		cr_expect(got->queue[i]->own);
	}
	cr_expect_eq(got->queued, 3);
	cr_expect_eq(got->running, 1);
	cr_assert_eq(got->n_classes, ZY_CLASS_MAX_);
	cr_expect_eq(got->classes[ZY_CLASS_BACKGROUND]->queued, 1);
	cr_assert_eq(got->n_cores, 3);
	cr_assert_eq(got->n_reservations, 1);
	cr_expect_eq(got->reservations[0]->budget, 1 * MS);
	become_somebody_else();
	got = get_plan();
	cr_assert_eq(got->n_queue, 3);
	cr_expect_eq(got->queue[0]->request, 0, "others are nameless");
	cr_expect_str_eq(got->queue[0]->client, "");
	cr_expect_not(got->queue[0]->own);
	front_setup_finish(&s);
}

/*
 * Accounts
 */

static const Zy__Accounts *get_accounts(void)
{
	Zy__Request req = ZY__REQUEST__INIT;
	Zy__GetAccounts get = ZY__GET_ACCOUNTS__INIT;
	int status;

	req.body_case = ZY__REQUEST__BODY_GET_ACCOUNTS;
	req.get_accounts = &get;
	while ((status = call(&req)) == ZY_BUSY)
		front_settle(&front);
	cr_assert_eq(status, ZY_OK);
	return packet.response->accounts;
}

Test(scheduling, an_account_says_what_was_used_by_whom)
{
	const Zy__Account *account;

	load(5000);
	run_once();
	run_once();
	cr_assert_eq(get_accounts()->n_accounts, 1);
	account = packet.response->accounts->accounts[0];
	cr_expect_eq(account->uid, getuid());
	cr_expect_eq(account->sessions, 1);
	cr_expect_eq(account->buffers, 2);
	cr_expect_eq(account->models, 1);
	cr_expect_geq(account->device_bytes, 8192);
	cr_expect_geq(account->device_time, 10 * MS);
	cr_assert_eq(account->n_usage, 1);
	cr_expect_str_eq(account->usage[0]->client, "test");
	cr_expect_str_eq(account->usage[0]->model, "copy");
	cr_expect_eq(account->usage[0]->requests, 2);
	cr_expect_eq(account->usage[0]->device_time, account->device_time);
	cr_assert_eq(account->n_clients, 1);
	cr_expect_eq(account->clients[0]->session, session()->id);
	cr_expect_eq(account->clients[0]->pid, getpid());
	become_somebody_else();
	cr_expect_eq(get_accounts()->n_accounts, 0);
	front_setup_finish(&s);
}

static void limit(struct account_limits limits)
{
	account_set_limits(session()->objects.account, &limits, loop_now());
}

Test(scheduling, quotas_of_a_user_hold_for_all_its_clients_together)
{
	int second = front_client(&front), first = client;
	int image;

	load(0);
	limit((struct account_limits){.buffers = 3, .models = 1});
	client = second;
	cr_expect_gt(front_create_buffer(&front, client, 4096), 0);
	cr_expect_eq(front_create_buffer(&front, client, 4096), -ZY_LIMIT);
	image = front_image(64, 0, 0);
	cr_expect_eq(front_load(&front, client, image, "x", false), -ZY_LIMIT);
	/* What leaves gives back. */
	client = first;
	front_setup_finish(&s);
	close(first);
	front_settle(&front);
	client = second;
	cr_expect_gt(front_create_buffer(&front, client, 4096), 0);
	cr_expect_gt(front_load(&front, client, image, "x", false), 0);
	close(image);
	limit((struct account_limits){.device_bytes = 8192});
	cr_expect_eq(front_create_buffer(&front, client, 4096), -ZY_LIMIT);
}

Test(scheduling, queued_requests_of_a_user_are_limited)
{
	struct zy_complete complete;

	load(50000);
	occupy(1);
	limit((struct account_limits){.queued = 1});
	submit(2, (struct zy_submit){.class = ZY_CLASS_NORMAL, .core_mask = 1});
	submit(3, (struct zy_submit){.class = ZY_CLASS_NORMAL, .core_mask = 1});
	complete = answer();
	cr_expect_eq(complete.cookie, 3);
	cr_expect_eq(complete.status, ZY_LIMIT);
	cr_expect_eq(complete.fault_code, ZY_LIMIT_ACCOUNT_QUEUED);
	cr_expect_eq(answer().status, ZY_OK);
	cr_expect_eq(answer().status, ZY_OK);
	front_setup_finish(&s);
}

Test(scheduling, an_account_is_empty_when_everybody_has_left)
{
	struct account *account;

	load(0);
	account = account_ref(session()->objects.account);
	front_setup_finish(&s);
	close(client);
	front_settle(&front);
	cr_expect_eq(account->n_sessions, 0);
	cr_expect_eq(account->n_buffers, 0);
	cr_expect_eq(account->n_models, 0);
	cr_expect_eq(account->device_bytes, 0);
	account_unref(account);
	client = front_client(&front);
}

/* Whoever asks expensive questions all the time is told to wait. */
Test(scheduling, questions_without_pause_are_refused)
{
	Zy__Request req = ZY__REQUEST__INIT;
	Zy__GetPlan get = ZY__GET_PLAN__INIT;
	unsigned int busy = 0;

	load(0);
	req.body_case = ZY__REQUEST__BODY_GET_PLAN;
	req.get_plan = &get;
	for (int i = 0; i < 200; i++)
		busy += call(&req) == ZY_BUSY;
	cr_expect_gt(busy, 0);
	front_setup_finish(&s);
}
