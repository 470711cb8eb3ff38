/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "fake_daemon.h"
#include "zhouyi-client.h"

static struct fake fake;
static struct zhouyi_client *client;
static struct zhouyi_model *model;
static struct zhouyi_buffer *buffer;
static struct zhouyi_binding *binding;

/* The farewells of a binding made by create_simple: it, its buffer, the model. */
static void expect_farewells(int socket)
{
	Zy__Request *request;

	request = fake_expect(socket, ZY__REQUEST__BODY_DESTROY_BINDING, 0, NULL);
	FAKE_CHECK(request->destroy_binding->binding == 3);
	fake_ack(socket, request, 0, "");
	request = fake_expect(socket, ZY__REQUEST__BODY_DESTROY_BUFFER, 0, NULL);
	FAKE_CHECK(request->destroy_buffer->buffer == 2);
	fake_ack(socket, request, 0, "");
	request = fake_expect(socket, ZY__REQUEST__BODY_CLOSE_MODEL, 0, NULL);
	FAKE_CHECK(request->close_model->model == 1);
	fake_ack(socket, request, ZY_NOT_FOUND, "no matter");
	fake_wait_end(socket);
}

static void simple(int socket)
{
	Zy__Request *request;
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Binding said = ZY__BINDING__INIT;
	Zy__TensorRange **ranges;

	fake_hello(socket);
	fake_load(socket, 1);
	fake_buffer(socket, 2);
	request = fake_expect(socket, ZY__REQUEST__BODY_CREATE_BINDING, 0, NULL);
	FAKE_CHECK(request->create_binding->model == 1);
	FAKE_CHECK(request->create_binding->n_ranges == 2);
	ranges = request->create_binding->ranges;
	FAKE_CHECK(ranges[0]->kind == ZY__TENSOR_KIND__INPUT && ranges[0]->index == 0);
	FAKE_CHECK(ranges[0]->buffer == 2 && ranges[0]->size == FAKE_INPUT_SIZE);
	FAKE_CHECK(ranges[0]->offset == 0);
	FAKE_CHECK(ranges[1]->kind == ZY__TENSOR_KIND__OUTPUT && ranges[1]->index == 0);
	FAKE_CHECK(ranges[1]->buffer == 2 && ranges[1]->size == FAKE_OUTPUT_SIZE);
	FAKE_CHECK(ranges[1]->offset == 4096);
	said.binding = 3;
	response.serial = request->serial;
	response.body_case = ZY__RESPONSE__BODY_BINDING;
	response.binding = &said;
	fake_reply(socket, &response, -1);
	expect_farewells(socket);
}

Test(binding, a_simple_one_has_a_place_for_everything)
{
	char *input, *output;

	fake_start(&fake, simple);
	client = fake_client(&fake);
	binding = fake_binding(client, &model);
	input = zhouyi_binding_data(binding, ZHOUYI_INPUT, 0);
	output = zhouyi_binding_data(binding, ZHOUYI_OUTPUT, 0);
	cr_assert_not_null(input);
	cr_assert_eq(output - input, 4096);
	memset(input, 1, FAKE_INPUT_SIZE);
	memset(output, 2, FAKE_OUTPUT_SIZE);
	cr_assert_null(zhouyi_binding_data(binding, ZHOUYI_INPUT, 1));
	cr_assert_null(zhouyi_binding_data(binding, ZHOUYI_OUTPUT, 1));
	cr_assert_null(zhouyi_binding_data(binding, (enum zhouyi_tensor_kind)2, 0));
	zhouyi_binding_destroy(binding);
	zhouyi_model_close(model);
	zhouyi_client_close(client);
	fake_stop(&fake);
}

static void with_own_buffer(int socket)
{
	fake_hello(socket);
	fake_load(socket, 1);
	fake_buffer(socket, 2);
	fake_bind(socket, 3);
	expect_farewells(socket);
}

Test(binding, keeps_what_it_is_made_of_for_the_daemon)
{
	struct zhouyi_range ranges[2];

	fake_start(&fake, with_own_buffer);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_model_load_memory(client, "x", 1, "m", 0, &model), 0);
	cr_assert_eq(zhouyi_buffer_create(client, 4096, &buffer), 0);
	ranges[0] = (struct zhouyi_range){ZHOUYI_OUTPUT, 0, buffer, 4096 - FAKE_OUTPUT_SIZE};
	ranges[1] = (struct zhouyi_range){ZHOUYI_INPUT, 0, buffer, 3};
	cr_assert_eq(zhouyi_binding_create(model, ranges, 2, &binding), 0);
	cr_assert_eq(zhouyi_binding_data(binding, ZHOUYI_INPUT, 0),
		     (char *)zhouyi_buffer_data(buffer) + 3);
	/* In the wrong order: the farewells come in the right one, when nobody needs them. */
	zhouyi_buffer_destroy(buffer);
	cr_assert_null(zhouyi_binding_data(binding, ZHOUYI_INPUT, 0), "not a stale pointer");
	zhouyi_model_close(model);
	zhouyi_binding_destroy(binding);
	zhouyi_client_close(client);
	fake_stop(&fake);
}

static void only_buffers(int socket)
{
	fake_hello(socket);
	fake_load(socket, 1);
	fake_buffer(socket, 2);
	fake_wait_end(socket);
}

static struct zhouyi_range good_input(void)
{
	return (struct zhouyi_range){ZHOUYI_INPUT, 0, buffer, 0};
}

static struct zhouyi_range good_output(void)
{
	return (struct zhouyi_range){ZHOUYI_OUTPUT, 0, buffer, 64};
}

static void expect_refusal(struct zhouyi_range a, struct zhouyi_range b, size_t n, int error)
{
	const struct zhouyi_range ranges[] = {a, b, a};

	binding = NULL;
	cr_assert_eq(zhouyi_binding_create(model, ranges, n, &binding), -error, "%s",
		     zhouyi_client_error(client));
	cr_assert_null(binding);
}

Test(binding, ranges_that_make_no_sense_are_refused_before_anybody_uses_them)
{
	struct zhouyi_range range;

	fake_start(&fake, only_buffers);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_model_load_memory(client, "x", 1, "m", 0, &model), 0);
	cr_assert_eq(zhouyi_buffer_create(client, 4096, &buffer), 0);

	expect_refusal(good_input(), good_output(), 0, ZHOUYI_ERROR_INVALID);
	expect_refusal(good_input(), good_output(), 1, ZHOUYI_ERROR_INVALID);
	expect_refusal(good_input(), good_output(), 3, ZHOUYI_ERROR_INVALID);
	expect_refusal(good_input(), good_input(), 2, ZHOUYI_ERROR_INVALID);
	range = good_input();
	range.index = 1;
	expect_refusal(range, good_output(), 2, ZHOUYI_ERROR_INVALID);
	range = good_input();
	range.buffer = NULL;
	expect_refusal(range, good_output(), 2, ZHOUYI_ERROR_INVALID);
	range = good_input();
	range.offset = 4096 - FAKE_INPUT_SIZE + 1;
	expect_refusal(range, good_output(), 2, ZHOUYI_ERROR_BAD_BUFFER);
	range.offset = SIZE_MAX;
	expect_refusal(range, good_output(), 2, ZHOUYI_ERROR_BAD_BUFFER);

	zhouyi_buffer_destroy(buffer);
	zhouyi_model_close(model);
	zhouyi_client_close(client);
	fake_stop(&fake);
}

static void refuse_binding(int socket)
{
	fake_hello(socket);
	fake_load(socket, 1);
	fake_buffer(socket, 2);
	fake_ack(socket, fake_expect(socket, ZY__REQUEST__BODY_CREATE_BINDING, 0, NULL), ZY_LIMIT,
		 "enough bindings");
	/* No farewell to a binding that never was. */
	fake_expect(socket, ZY__REQUEST__BODY_DESTROY_BUFFER, 0, NULL);
	fake_expect(socket, ZY__REQUEST__BODY_CLOSE_MODEL, 0, NULL);
	fake_wait_end(socket);
}

Test(binding, that_is_refused_leaves_nothing_behind)
{
	fake_start(&fake, refuse_binding);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_model_load_memory(client, "x", 1, "m", 0, &model), 0);
	cr_assert_eq(zhouyi_binding_create_simple(model, &binding), -ZHOUYI_ERROR_LIMIT);
	cr_assert_str_eq(zhouyi_client_error(client), "enough bindings");
	zhouyi_model_close(model);
	zhouyi_client_close(client);
	fake_stop(&fake);
}

/* The daemon reads nothing until the client has filled the socket and said farewell. */
static void read_late(int socket)
{
	struct zy_submit entry;
	struct zy_fds fds;
	size_t n = 0;

	fake_prepare(socket);
	sleep(1);
	while (zy_packet_receive_wait(socket, &entry, sizeof(entry), &fds) == sizeof(entry) &&
	       entry.type == ZY_PACKET_SUBMIT) {
		fake_complete(socket, entry.cookie, 0);
		n++;
	}
	FAKE_CHECK(n > 10);
	/* That was the start of the first farewell; the others follow in order. */
	FAKE_CHECK(entry.type == ZY_PACKET_CONTROL);
	fake_expect(socket, ZY__REQUEST__BODY_DESTROY_BUFFER, 0, NULL);
	fake_expect(socket, ZY__REQUEST__BODY_CLOSE_MODEL, 0, NULL);
	fake_ack(socket, fake_expect(socket, ZY__REQUEST__BODY_UNLOAD_MODEL, 0, NULL), 0, "");
	fake_wait_end(socket);
}

static void count(struct zhouyi_binding *b, const struct zhouyi_result *result, void *userdata)
{
	(void)b;
	(void)result;
	++*(size_t *)userdata;
}

Test(binding, farewells_wait_their_turn_when_the_socket_is_full)
{
	size_t n_submitted = 0, n_answered = 0;
	int r;

	fake_start(&fake, read_late);
	client = fake_client(&fake);
	binding = fake_binding(client, &model);
	while ((r = zhouyi_submit(binding, NULL, count, &n_answered, NULL)) == 0)
		n_submitted++;
	cr_assert_eq(r, -ZHOUYI_ERROR_BUSY);
	/* It has unanswered requests: it stays until they are answered. */
	zhouyi_binding_destroy(binding);
	zhouyi_model_close(model);
	while (n_answered < n_submitted)
		cr_assert_gt(zhouyi_client_dispatch(client, -1), 0);
	cr_assert_eq(zhouyi_model_unload(client, "other"), 0);
	zhouyi_client_close(client);
	fake_stop(&fake);
}

static void park(int socket)
{
	struct zy_submit entry;
	struct zy_fds fds;
	uint8_t packet[256];

	fake_hello(socket);
	fake_load(socket, 1);
	fake_buffer(socket, 2);
	fake_buffer(socket, 4);
	fake_bind(socket, 3);
	sleep(1);
	for (;;) {
		ssize_t n = zy_packet_receive_wait(socket, packet, sizeof(packet), &fds);

		FAKE_CHECK(n > 0);
		if (zy_packet_type(packet, (size_t)n) != ZY_PACKET_SUBMIT)
			break;
		memcpy(&entry, packet, sizeof(entry));
		fake_complete(socket, entry.cookie, 0);
	}
	/* The packet that ended the loop is the parked farewell to buffer 4. */
	fake_ack(socket, fake_expect(socket, ZY__REQUEST__BODY_UNLOAD_MODEL, 0, NULL), 0, "");
	fake_wait_end(socket);
}

Test(binding, a_call_sends_parked_farewells_first)
{
	struct zhouyi_buffer *other;
	struct zhouyi_range ranges[2];
	size_t n_answered = 0;

	fake_start(&fake, park);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_model_load_memory(client, "x", 1, "m", 0, &model), 0);
	cr_assert_eq(zhouyi_buffer_create(client, 4096, &buffer), 0);
	cr_assert_eq(zhouyi_buffer_create(client, 4096, &other), 0);
	ranges[0] = good_input();
	ranges[1] = good_output();
	cr_assert_eq(zhouyi_binding_create(model, ranges, 2, &binding), 0);
	while (zhouyi_submit(binding, NULL, count, &n_answered, NULL) == 0)
		;
	zhouyi_buffer_destroy(other); /* no room: parked */
	cr_assert_eq(zhouyi_model_unload(client, "other"), 0);
	zhouyi_binding_destroy(binding);
	zhouyi_buffer_destroy(buffer);
	zhouyi_model_close(model);
	zhouyi_client_close(client);
	cr_assert_gt(n_answered, 0);
	fake_stop(&fake);
}
