/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
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

/* What a callback saw. */
struct note {
	unsigned int n_calls, order;
	struct zhouyi_result result;
};

static unsigned int n_calls;

static void take_note(struct zhouyi_binding *b, const struct zhouyi_result *result, void *userdata)
{
	struct note *note = userdata;

	cr_assert_eq(b, binding);
	note->n_calls++;
	note->order = n_calls++;
	note->result = *result;
}

static bool is_readable(void)
{
	struct pollfd p = {.fd = zhouyi_client_fd(client), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void check_entry(int socket)
{
	struct zy_submit entry;

	fake_prepare(socket);
	entry = fake_submission(socket);
	FAKE_CHECK(entry.binding == 3);
	FAKE_CHECK(entry.class == ZY_CLASS_BACKGROUND);
	FAKE_CHECK(entry.core_mask == 5);
	FAKE_CHECK(entry.deadline_ns == 123456789012);
	FAKE_CHECK(entry.timeout_ns == 1000000);
	fake_complete(socket, entry.cookie, ZY_DEADLINE_REFUSED);
	entry = fake_submission(socket);
	FAKE_CHECK(entry.class == ZY_CLASS_INTERACTIVE);
	FAKE_CHECK(entry.core_mask == 0 && entry.deadline_ns == 0 && entry.timeout_ns == 0);
	fake_complete(socket, entry.cookie, ZY_OK);
	fake_wait_end(socket);
}

Test(request, options_reach_the_daemon_and_its_answer_the_caller)
{
	struct zhouyi_options options = ZHOUYI_OPTIONS_INIT;
	struct zhouyi_result result;

	begin(check_entry);
	options.request_class = ZHOUYI_CLASS_BACKGROUND;
	options.core_mask = 5;
	options.deadline_ns = 123456789012;
	options.timeout_ns = 1000000;
	cr_assert_eq(zhouyi_run(binding, &options, &result), -ZHOUYI_ERROR_DEADLINE_REFUSED);
	cr_assert_eq(result.error, -ZHOUYI_ERROR_DEADLINE_REFUSED);
	cr_assert_eq(zhouyi_run(binding, NULL, &result), 0);
	cr_assert_eq(result.error, 0);
	cr_assert_eq(result.request, 1000);
	cr_assert_eq(result.run_ns, 5000);
	cr_assert_eq(result.total_ns, 7000);
	cr_assert_eq(result.cores, 1);
	end();
}

static void nothing_comes(int socket)
{
	fake_prepare(socket);
	/* Nothing may come but farewells. */
	fake_expect(socket, ZY__REQUEST__BODY_DESTROY_BINDING, 0, NULL);
	fake_wait_end(socket);
}

Test(request, senseless_options_are_refused)
{
	struct {
		struct zhouyi_options options;
		uint64_t more;
	} newer = {.options = ZHOUYI_OPTIONS_INIT};
	struct zhouyi_options options = ZHOUYI_OPTIONS_INIT;
	struct note note = {0};

	begin(nothing_comes);
	cr_assert_eq(zhouyi_submit(binding, NULL, NULL, NULL, NULL), -ZHOUYI_ERROR_INVALID);
	options.size = 0;
	cr_assert_eq(zhouyi_submit(binding, &options, take_note, &note, NULL),
		     -ZHOUYI_ERROR_INVALID);
	options.size = sizeof(options);
	options.request_class = (enum zhouyi_class)4;
	cr_assert_eq(zhouyi_submit(binding, &options, take_note, &note, NULL),
		     -ZHOUYI_ERROR_INVALID);
	newer.options.size = sizeof(newer);
	newer.more = 1;
	cr_assert_eq(zhouyi_submit(binding, &newer.options, take_note, &note, NULL),
		     -ZHOUYI_ERROR_NOT_SUPPORTED);
	cr_assert_eq(note.n_calls, 0);
	end();
}

static void one_at_a_time(int socket)
{
	fake_prepare(socket);
	for (;;) {
		struct zy_submit entry;
		struct zy_fds fds;

		if (zy_packet_receive_wait(socket, &entry, sizeof(entry), &fds) != sizeof(entry) ||
		    entry.type != ZY_PACKET_SUBMIT)
			break;
		fake_complete(socket, entry.cookie, 0);
	}
	fake_wait_end(socket);
}

Test(request, options_of_a_newer_program_work_while_it_uses_nothing_new)
{
	struct {
		struct zhouyi_options options;
		uint64_t more;
	} newer = {.options = ZHOUYI_OPTIONS_INIT};

	begin(one_at_a_time);
	newer.options.size = sizeof(newer);
	cr_assert_eq(zhouyi_run(binding, &newer.options, NULL), 0);
	end();
}

Test(request, in_its_stride_it_allocates_nothing)
{
	struct mallinfo2 before, after;

	begin(one_at_a_time);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(zhouyi_run(binding, NULL, NULL), 0);
	before = mallinfo2();
	for (int i = 0; i < 1000; i++)
		if (zhouyi_run(binding, NULL, NULL) != 0)
			abort();
	after = mallinfo2();
	cr_assert_eq(before.uordblks, after.uordblks);
	end();
}

static void out_of_order(int socket)
{
	struct zy_submit entries[3];

	fake_prepare(socket);
	for (int i = 0; i < 3; i++)
		entries[i] = fake_submission(socket);
	fake_complete(socket, entries[2].cookie, 0);
	fake_complete(socket, entries[0].cookie, ZY_TIMEOUT);
	fake_complete(socket, entries[1].cookie, 0);
	fake_wait_end(socket);
}

Test(request, answers_in_any_order_find_their_callbacks)
{
	struct note notes[3] = {{0}};
	uint64_t ids[3];

	begin(out_of_order);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(zhouyi_submit(binding, NULL, take_note, &notes[i], &ids[i]), 0);
	cr_assert(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
	for (int n = 0; n < 3;) {
		int r = zhouyi_client_dispatch(client, -1);

		cr_assert_gt(r, 0);
		n += r;
	}
	cr_assert_eq(notes[2].order, 0);
	cr_assert_eq(notes[0].order, 1);
	cr_assert_eq(notes[1].order, 2);
	cr_assert_eq(notes[0].result.error, -ZHOUYI_ERROR_TIMEOUT);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(notes[i].n_calls, 1);
	end();
}

static void answer_before_status(int socket)
{
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Status status = ZY__STATUS__INIT;
	struct zy_submit entry;

	fake_prepare(socket);
	entry = fake_submission(socket);
	response.serial = fake_expect(socket, ZY__REQUEST__BODY_GET_STATUS, 0, NULL)->serial;
	fake_complete(socket, entry.cookie, 0);
	response.body_case = ZY__RESPONSE__BODY_DAEMON;
	response.daemon = &status;
	fake_reply(socket, &response, -1);
	fake_wait_end(socket);
}

Test(request, an_answer_read_while_waiting_for_something_else_is_still_polled_for)
{
	struct note note = {0};
	struct zhouyi_status *status;

	begin(answer_before_status);
	cr_assert_eq(zhouyi_submit(binding, NULL, take_note, &note, NULL), 0);
	cr_assert_not(is_readable());
	cr_assert_eq(zhouyi_status_get(client, &status), 0);
	zhouyi_free(status);
	cr_assert_eq(note.n_calls, 0, "callbacks run in dispatch only");
	cr_assert(is_readable());
	cr_assert_eq(zhouyi_client_dispatch(client, -1), 1);
	cr_assert_eq(note.n_calls, 1);
	cr_assert_not(is_readable());
	end();
}

static void other_first(int socket)
{
	struct zy_submit first, second;

	fake_prepare(socket);
	first = fake_submission(socket);
	second = fake_submission(socket);
	fake_complete(socket, first.cookie, 0);
	fake_complete(socket, second.cookie, 0);
	fake_wait_end(socket);
}

Test(request, run_delivers_the_answers_of_others_meanwhile)
{
	struct note note = {0};

	begin(other_first);
	cr_assert_eq(zhouyi_submit(binding, NULL, take_note, &note, NULL), 0);
	cr_assert_eq(zhouyi_run(binding, NULL, NULL), 0);
	cr_assert_eq(note.n_calls, 1);
	end();
}

static void answer_some_and_die(int socket)
{
	struct zy_submit entries[5];

	fake_prepare(socket);
	for (int i = 0; i < 5; i++)
		entries[i] = fake_submission(socket);
	fake_complete(socket, entries[1].cookie, 0);
	fake_complete(socket, entries[3].cookie, ZY_DEVICE_TIMEOUT);
}

Test(request, when_the_daemon_dies_every_request_is_answered_once)
{
	struct note notes[5] = {{0}};

	begin(answer_some_and_die);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(zhouyi_submit(binding, NULL, take_note, &notes[i], NULL), 0);
	while (zhouyi_client_dispatch(client, -1) != -ZHOUYI_ERROR_DISCONNECTED)
		;
	for (int i = 0; i < 5; i++)
		cr_assert_eq(notes[i].n_calls, 1, "request %d", i);
	cr_assert_eq(notes[1].result.error, 0, "what it had sent before counts");
	cr_assert_eq(notes[3].result.error, -ZHOUYI_ERROR_DEVICE_TIMEOUT);
	cr_assert_eq(notes[0].result.error, -ZHOUYI_ERROR_DISCONNECTED);
	cr_assert_eq(notes[2].result.error, -ZHOUYI_ERROR_DISCONNECTED);
	cr_assert_eq(notes[4].result.error, -ZHOUYI_ERROR_DISCONNECTED);
	cr_assert_eq(zhouyi_submit(binding, NULL, take_note, &notes[0], NULL),
		     -ZHOUYI_ERROR_DISCONNECTED);
	end();
	for (int i = 0; i < 5; i++)
		cr_assert_eq(notes[i].n_calls, 1, "closing delivers nothing again");
}

static void die_without_reading(int socket)
{
	struct zy_submit entry;

	fake_prepare(socket);
	entry = fake_submission(socket);
	fake_complete(socket, entry.cookie, 0);
	usleep(100000); /* the other request is there, unread */
}

Test(request, a_daemon_that_dies_without_reading_loses_no_answer)
{
	struct note notes[2] = {{0}};

	begin(die_without_reading);
	cr_assert_eq(zhouyi_submit(binding, NULL, take_note, &notes[0], NULL), 0);
	cr_assert_eq(zhouyi_submit(binding, NULL, take_note, &notes[1], NULL), 0);
	usleep(300000);
	cr_assert_eq(zhouyi_client_dispatch(client, -1), -ZHOUYI_ERROR_DISCONNECTED);
	cr_assert_eq(notes[0].n_calls, 1);
	cr_assert_eq(notes[0].result.error, 0);
	cr_assert_eq(notes[1].n_calls, 1);
	cr_assert_eq(notes[1].result.error, -ZHOUYI_ERROR_DISCONNECTED);
	end();
}

static void die_after_preparing(int socket)
{
	fake_prepare(socket);
}

Test(request, submitting_to_a_dead_daemon_fails_at_once)
{
	struct note note = {0};

	begin(die_after_preparing);
	usleep(200000);
	cr_assert_eq(zhouyi_submit(binding, NULL, take_note, &note, NULL),
		     -ZHOUYI_ERROR_DISCONNECTED);
	cr_assert(is_readable());
	cr_assert_eq(zhouyi_client_dispatch(client, -1), -ZHOUYI_ERROR_DISCONNECTED);
	cr_assert_eq(note.n_calls, 0, "it was never accepted");
	end();
}

static void die_in_run(int socket)
{
	fake_prepare(socket);
	fake_submission(socket);
}

Test(request, run_ends_when_the_daemon_dies)
{
	struct zhouyi_result result;

	begin(die_in_run);
	cr_assert_eq(zhouyi_run(binding, NULL, &result), -ZHOUYI_ERROR_DISCONNECTED);
	cr_assert_eq(result.error, -ZHOUYI_ERROR_DISCONNECTED);
	end();
}

/* Nonsense completions; the client must end the connection and still answer everything once. */

static size_t which;

static struct zy_complete nonsense(const struct zy_submit *entry, size_t *ret_size)
{
	struct zy_complete answer = {
		.type = ZY_PACKET_COMPLETE,
		.cookie = entry->cookie,
		.flags = ZY_COMPLETE_RELEASED,
	};

	switch (which) {
	case 0:
		answer.cookie++;
		break;
	case 1:
		answer.cookie += UINT64_C(1) << 32;
		break;
	case 2:
		answer.status = ZY_STATUS_MAX_;
		break;
	case 3:
		answer.status = -1;
		break;
	case 4:
		*ret_size = sizeof(answer) - 1;
		break;
	case 5:
		*ret_size = 4;
		break;
	}
	return answer;
}

static void complete_nonsense(int socket)
{
	struct zy_complete answer;
	struct zy_submit entry;
	size_t size = sizeof(answer);

	fake_prepare(socket);
	entry = fake_submission(socket);
	answer = nonsense(&entry, &size);
	FAKE_CHECK(zy_packet_send(socket, &answer, size, &socket, which == 6) == 0);
	fake_wait_end(socket);
}

Test(request, nonsense_completions_end_the_connection_and_the_request)
{
	for (which = 0; which < 7; which++) {
		struct note note = {0};

		begin(complete_nonsense);
		cr_assert_eq(zhouyi_submit(binding, NULL, take_note, &note, NULL), 0);
		cr_assert_eq(zhouyi_client_dispatch(client, -1), -ZHOUYI_ERROR_DISCONNECTED, "%zu",
			     which);
		cr_assert(strstr(zhouyi_client_error(client), "broke the protocol"));
		cr_assert_eq(note.n_calls, 1);
		cr_assert_eq(note.result.error, -ZHOUYI_ERROR_DISCONNECTED);
		end();
	}
}

static void complete_twice(int socket)
{
	struct zy_submit entry;

	fake_prepare(socket);
	entry = fake_submission(socket);
	fake_complete(socket, entry.cookie, 0);
	fake_complete(socket, entry.cookie, 0);
	fake_wait_end(socket);
}

Test(request, a_second_answer_is_not_delivered)
{
	struct note note = {0};

	begin(complete_twice);
	cr_assert_eq(zhouyi_submit(binding, NULL, take_note, &note, NULL), 0);
	while (zhouyi_client_dispatch(client, -1) > 0)
		;
	cr_assert_eq(note.n_calls, 1);
	cr_assert_eq(note.result.error, 0);
	end();
}

static void cancel_two(int socket)
{
	struct zy_submit queued, running;
	struct zy_complete held = {.type = ZY_PACKET_COMPLETE, .status = ZY_CANCELLED};
	Zy__Request *request;

	fake_prepare(socket);
	queued = fake_submission(socket);
	running = fake_submission(socket);
	request = fake_expect(socket, ZY__REQUEST__BODY_CANCEL, 0, NULL);
	FAKE_CHECK(request->cancel->cookie == queued.cookie);
	fake_complete(socket, queued.cookie, ZY_CANCELLED);
	fake_ack(socket, request, 0, "");
	request = fake_expect(socket, ZY__REQUEST__BODY_CANCEL, 0, NULL);
	FAKE_CHECK(request->cancel->cookie == running.cookie);
	fake_ack(socket, request, 0, "");
	held.cookie = running.cookie;
	FAKE_CHECK(zy_packet_send(socket, &held, sizeof(held), NULL, 0) == 0);
	usleep(50000);
	fake_complete(socket, running.cookie, ZY_OK);
	fake_wait_end(socket);
}

Test(request, a_cancelled_one_is_answered_when_its_buffers_are_free)
{
	struct note notes[2] = {{0}};
	uint64_t ids[2];

	begin(cancel_two);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(zhouyi_submit(binding, NULL, take_note, &notes[i], &ids[i]), 0);
	cr_assert_eq(zhouyi_cancel(client, ids[0]), 0);
	cr_assert_eq(notes[0].n_calls, 0);
	cr_assert_eq(zhouyi_cancel(client, ids[0]), -ZHOUYI_ERROR_NOT_FOUND, "answered");
	cr_assert_eq(zhouyi_cancel(client, ids[0] + 99), -ZHOUYI_ERROR_NOT_FOUND);
	cr_assert_eq(zhouyi_cancel(client, ids[1]), 0);
	while (notes[1].n_calls == 0)
		cr_assert_geq(zhouyi_client_dispatch(client, 10), 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(notes[i].n_calls, 1);
		cr_assert_eq(notes[i].result.error, -ZHOUYI_ERROR_CANCELLED);
	}
	end();
}

static void never_answer(int socket)
{
	fake_prepare(socket);
	fake_wait_end(socket);
}

Test(request, closing_answers_what_is_left)
{
	struct note notes[3] = {{0}};

	begin(never_answer);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(zhouyi_submit(binding, NULL, take_note, &notes[i], NULL), 0);
	zhouyi_client_close(client);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(notes[i].n_calls, 1);
		cr_assert_eq(notes[i].result.error, -ZHOUYI_ERROR_CANCELLED);
	}
	cr_assert_eq(zhouyi_run(binding, NULL, NULL), -ZHOUYI_ERROR_DISCONNECTED);
	zhouyi_binding_destroy(binding);
	zhouyi_model_close(model);
	fake_stop(&fake);
}

static void resubmit(struct zhouyi_binding *b, const struct zhouyi_result *result, void *userdata)
{
	unsigned int *n_left = userdata;

	cr_assert_eq(result->error, 0);
	if (--*n_left > 0)
		cr_assert_eq(zhouyi_submit(b, NULL, resubmit, userdata, NULL), 0);
}

Test(request, a_callback_may_submit_the_next_one)
{
	unsigned int n_left = 500;

	begin(one_at_a_time);
	cr_assert_eq(zhouyi_submit(binding, NULL, resubmit, &n_left, NULL), 0);
	while (n_left > 0)
		cr_assert_eq(zhouyi_client_dispatch(client, -1), 1);
	end();
}

static void count(struct zhouyi_binding *b, const struct zhouyi_result *result, void *userdata)
{
	(void)b;
	(void)result;
	++*(size_t *)userdata;
}

static void read_late(int socket)
{
	fake_prepare(socket);
	usleep(200000);
	for (;;) {
		struct zy_submit entry;
		struct zy_fds fds;

		if (zy_packet_receive_wait(socket, &entry, sizeof(entry), &fds) != sizeof(entry) ||
		    entry.type != ZY_PACKET_SUBMIT)
			break;
		fake_complete(socket, entry.cookie, 0);
	}
	fake_wait_end(socket);
}

Test(request, a_full_socket_is_busy_for_submit_and_waited_for_by_run)
{
	size_t n_submitted = 0, n_answered = 0;
	int r;

	begin(read_late);
	while ((r = zhouyi_submit(binding, NULL, count, &n_answered, NULL)) == 0)
		n_submitted++;
	cr_assert_eq(r, -ZHOUYI_ERROR_BUSY);
	cr_assert_eq(zhouyi_run(binding, NULL, NULL), 0);
	while (n_answered < n_submitted)
		cr_assert_gt(zhouyi_client_dispatch(client, -1), 0);
	cr_assert_eq(n_answered, n_submitted);
	end();
}

Test(request, results_read_as_sentences)
{
	struct zhouyi_result result = {
		.run_ns = 1500000,
		.queue_ns = 250000,
		.total_ns = 2000000,
		.cores = 5,
	};

	cr_assert_str_eq(zhouyi_result_text(&result),
			 "ran 1.500 ms on cores 0, 2; 2.000 ms in all, 0.250 ms in the queue");
	result.cores = 2;
	cr_assert(strstr(zhouyi_result_text(&result), "on core 1;"));
	result.cores = UINT64_MAX;
	cr_assert_lt(strlen(zhouyi_result_text(&result)), 256);
	result.error = -ZHOUYI_ERROR_LIMIT;
	cr_assert_str_eq(zhouyi_result_text(&result), "refused: a limit of this client is reached");
	result.request = 7;
	result.error = -ZHOUYI_ERROR_TIMEOUT;
	cr_assert_str_eq(zhouyi_result_text(&result),
			 "the request's timeout passed, after 2.000 ms");
	result = (struct zhouyi_result){
		.error = -ZHOUYI_ERROR_DEVICE_FAULT,
		.fault = 2,
		.fault_code = 9,
		.fault_core = 1,
		.fault_tec = 3,
		.fault_insn = 4,
		.fault_address = 0x1000,
	};
	cr_assert_str_eq(zhouyi_result_text(&result),
			 "the job faulted on the device: memory access not allowed (code 9) at "
			 "address 0x1000, core 1, TEC 3, instruction 4");
}

Test(request, every_error_has_a_text_of_either_sign)
{
	for (int i = 0; i <= ZHOUYI_ERROR_IO; i++) {
		cr_assert_str_neq(zhouyi_strerror(i), "unknown", "%d", i);
		cr_assert_str_eq(zhouyi_strerror(i), zhouyi_strerror(-i));
	}
	cr_assert_str_eq(zhouyi_strerror(ZHOUYI_ERROR_NO_ROOM + 1), "unknown");
	cr_assert_str_eq(zhouyi_strerror(INT32_MIN), "unknown");
	cr_assert_str_eq(zhouyi_strerror(INT32_MAX), "unknown");
}
