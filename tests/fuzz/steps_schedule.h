/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of fuzz_message.c about scheduling: reservations and streams. */
#pragma once

static uint64_t take_time(struct tape *tape)
{
	static const uint64_t times[] = {0,	  1,	    1000,	500000,
					 2000000, 10000000, 1000000000, UINT64_MAX};

	return times[take(tape) % 8];
}

static void step_reserve(struct peer *peer, struct tape *tape)
{
	Zy__Reserve reserve = ZY__RESERVE__INIT;
	Zy__Request req = ZY__REQUEST__INIT;
	uint8_t how = take(tape);

	reserve.model = pick(tape, &peer->models);
	reserve.period = take_time(tape);
	reserve.deadline = take_time(tape);
	reserve.budget = take_time(tape);
	reserve.jitter = how & 1 ? take_time(tape) : 0;
	reserve.cores = how >> 4;
	reserve.probe = how & 2;
	req.body_case = ZY__REQUEST__BODY_RESERVE;
	req.reserve = &reserve;
	send_request(peer, &req, NULL, 0);
}

static void step_create_stream(struct peer *peer, struct tape *tape)
{
	Zy__CreateStream create = ZY__CREATE_STREAM__INIT;
	Zy__Request req = ZY__REQUEST__INIT;
	uint8_t how = take(tape);

	create.model = pick(tape, &peer->models);
	create.class_ = how % 5;
	create.period = take_time(tape);
	create.deadline = how & 0x10 ? take_time(tape) : 0;
	create.cores = how & 0x20 ? take(tape) : 0;
	create.drop = (Zy__StreamDrop)(take(tape) % 4);
	create.depth = take(tape) % 5;
	create.reservation = how & 0x40 ? pick(tape, &peer->reservations) : 0;
	req.body_case = ZY__REQUEST__BODY_CREATE_STREAM;
	req.create_stream = &create;
	send_request(peer, &req, NULL, 0);
}

/* Give up a stream or a reservation, or look at a stream. */
static void step_stream(struct peer *peer, struct tape *tape)
{
	Zy__DestroyStream destroy = ZY__DESTROY_STREAM__INIT;
	Zy__Release release = ZY__RELEASE__INIT;
	Zy__GetStream get = ZY__GET_STREAM__INIT;
	Zy__Request req = ZY__REQUEST__INIT;

	switch (take(tape) % 3) {
	case 0:
		destroy.stream = pick(tape, &peer->streams);
		req.body_case = ZY__REQUEST__BODY_DESTROY_STREAM;
		req.destroy_stream = &destroy;
		break;
	case 1:
		release.reservation = pick(tape, &peer->reservations);
		req.body_case = ZY__REQUEST__BODY_RELEASE;
		req.release = &release;
		break;
	case 2:
		get.stream = pick(tape, &peer->streams);
		req.body_case = ZY__REQUEST__BODY_GET_STREAM;
		req.get_stream = &get;
		break;
	}
	send_request(peer, &req, NULL, 0);
}

/* What any camera would do: a reservation, a stream that uses it, and a frame, perhaps to its end.
 */
static void step_camera(struct peer *peer, bool ends)
{
	/* The model known first; a period of 10 ms, its deadline, half a millisecond each. */
	static const uint8_t reserve[] = {0, 0, 5, 0, 3};
	static const uint8_t create[] = {0x41, 0, 5, 1, 4, 0};
	struct tape tape = {reserve, reserve + sizeof(reserve)};
	struct zy_submit entry = {.type = ZY_PACKET_SUBMIT, .class = ZY_CLASS_INTERACTIVE};

	step_setup(peer);
	step_reserve(peer, &tape);
	turn();
	peer_read(peer);
	tape = (struct tape){create, create + sizeof(create)};
	step_create_stream(peer, &tape);
	turn();
	peer_read(peer);
	entry.binding = peer->bindings.ids[0];
	entry.stream = peer->streams.ids[0];
	send_entry(peer, &entry);
	turn();
	for (unsigned int i = 0; ends && i < FAKE_DEPTH; i++)
		fake_end(i, DEVICE_DONE);
}

static void step_schedule(struct peer *peer, struct tape *tape)
{
	switch (take(tape) % 5) {
	case 4:
		step_camera(peer, take(tape) & 1);
		break;
	case 0:
		step_reserve(peer, tape);
		break;
	case 1:
		step_create_stream(peer, tape);
		break;
	case 2:
		step_stream(peer, tape);
		break;
	case 3:
		step_look(peer, tape);
		break;
	}
}

static void expect_empty(const struct account *account)
{
	expect(account->n_buffers == 0 && account->n_models == 0);
	expect(account->device_bytes == 0 && account->n_sessions == 0);
}

/* Nobody has anything any more. */
static void expect_nothing_held(void)
{
	struct account *account;

	for (unsigned int i = 0; i < fake.device.caps.cores; i++)
		expect(policy_core_info(host.scheduler.policy, i).n_reservations == 0);
	list_for_each (account, &host.scheduler.accounts.kept, link)
		expect_empty(account);
	list_for_each (account, &host.scheduler.accounts.accounts, link)
		expect_empty(account);
}
