/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of fuzz_message.c that only ask: about the daemon, requests, access. */
#pragma once

/* A question in which there is nothing to say. */
static void send_empty(struct peer *peer, Zy__Request__BodyCase what, uint32_t serial)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field(&zy__request__descriptor, what);
	Zy__GetStatus empty;
	Zy__Request req = ZY__REQUEST__INIT;

	expect(((const ProtobufCMessageDescriptor *)field->descriptor)->sizeof_message ==
	       sizeof(empty));
	protobuf_c_message_init(field->descriptor, &empty.base);
	req.serial = serial;
	req.body_case = what;
	req.get_status = &empty;
	send_request(peer, &req, NULL, 0);
}

static void step_ask(struct peer *peer, struct tape *tape)
{
	Zy__Cancel cancel = ZY__CANCEL__INIT;
	Zy__Request req = ZY__REQUEST__INIT;
	uint8_t how = take(tape);

	if (!(how & 1)) {
		send_empty(peer,
			   how & 2 ? ZY__REQUEST__BODY_GET_STATUS : ZY__REQUEST__BODY_GET_DEVICE,
			   how);
		return;
	}
	cancel.cookie = next_cookie - 1 - (how >> 5);
	req.serial = how;
	req.body_case = ZY__REQUEST__BODY_CANCEL;
	req.cancel = &cancel;
	send_request(peer, &req, NULL, 0);
}

/* The many questions of somebody who does not read the answers. */
static void step_flood(struct peer *peer, struct tape *tape)
{
	uint8_t how = take(tape);

	peer->lazy = true;
	for (unsigned int n = how * 4u; n; n--) {
		send_empty(peer, how & 1 ? ZY__REQUEST__BODY_WHOAMI : ZY__REQUEST__BODY_GET_STATUS,
			   n);
		if (n % 32 == 0)
			turn();
	}
}

/* What became of requests. */
static void step_look(struct peer *peer, struct tape *tape)
{
	Zy__Explain explain = ZY__EXPLAIN__INIT;
	Zy__GetTrace trace = ZY__GET_TRACE__INIT;
	Zy__Request req = ZY__REQUEST__INIT;
	uint8_t how = take(tape);
	struct account *account;

	/* Otherwise it depends on the clock what the answer is. */
	list_for_each (account, &host.scheduler.accounts.accounts, link)
		account->look_again_ns = 0;
	explain.request = host.scheduler.next_id - 1 - (how >> 2) % 16;
	trace.since = how & 4 ? host.scheduler.history.n - (how >> 3) : UINT64_MAX;
	switch (how & 3) {
	case 0:
		req.body_case = ZY__REQUEST__BODY_EXPLAIN;
		req.explain = &explain;
		break;
	case 1:
		send_empty(peer, ZY__REQUEST__BODY_GET_PLAN, 0);
		return;
	case 2:
		req.body_case = ZY__REQUEST__BODY_GET_TRACE;
		req.get_trace = &trace;
		break;
	case 3:
		send_empty(peer, ZY__REQUEST__BODY_GET_ACCOUNTS, 0);
		return;
	}
	send_request(peer, &req, NULL, 0);
}

/* About oneself, and about others, who may be anybody or nobody at all. */
static void step_access(struct peer *peer, struct tape *tape)
{
	static const char *const units[] = {
		"",	    "camera.service", "a.b.scope",    "camera",
		".service", "a/b.service",    "\x1b.service",
	};
	static const char *const slices[] = {"",	   "-.slice",  "a-b.slice",
					     "a--b.slice", "-a.slice", "../x.slice"};
	static char longest[16384]; /* more than anybody has room for */
	Zy__TestAccess about = ZY__TEST_ACCESS__INIT;
	Zy__Request req = ZY__REQUEST__INIT;
	uint32_t groups[8];
	uint8_t how = take(tape);

	if (how & 1) {
		send_empty(peer, ZY__REQUEST__BODY_WHOAMI, how);
		return;
	}
	memset(longest, 'x', sizeof(longest));
	strcpy(longest + sizeof(longest) - 9, ".service");
	about.has_uid = how & 2;
	about.uid = how & 2 && take(tape) & 1 ? 4242 : 0;
	about.n_groups = how >> 5;
	about.groups = groups;
	for (size_t i = 0; i < about.n_groups; i++)
		groups[i] = take(tape) & 1 ? 4243 : take32(tape);
	about.unit = (char *)(how & 8 ? units[take(tape) % 7] : how & 4 ? longest : "");
	about.slice = (char *)(how & 16 ? slices[take(tape) % 6] : "");
	req.body_case = ZY__REQUEST__BODY_TEST_ACCESS;
	req.test_access = &about;
	send_request(peer, &req, NULL, 0);
}
