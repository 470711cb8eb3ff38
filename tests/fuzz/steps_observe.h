/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of fuzz_message.c about watching: whoever asks, whatever goes on, it is not disturbed. */
#pragma once

#include "daemon/tenant.h"

static void expect_no_traces(void)
{
	const struct session *session;
	const struct model *model;

	list_for_each (session, &host.group.sessions, link)
		expect(session->owner.tenant->live_ns == 0);
	list_for_each (model, &host.models.models, link)
		expect(model->live_ns == 0);
}

static void step_observe(struct peer *peer)
{
	Zy__GetActivity get = ZY__GET_ACTIVITY__INIT;
	Zy__Request req = ZY__REQUEST__INIT;
	struct account *account;

	/* Otherwise it depends on the clock what the answer is. */
	list_for_each (account, &host.scheduler.accounts.accounts, link)
		account->look_again_ns = 0;
	req.body_case = ZY__REQUEST__BODY_GET_ACTIVITY;
	req.get_activity = &get;
	send_request(peer, &req, NULL, 0);
	turn();
	expect_no_traces();
}
