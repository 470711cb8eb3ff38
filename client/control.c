/* SPDX-License-Identifier: Apache-2.0 */
#include "client/control.h"

#include <errno.h>
#include <poll.h>

#include "client/client.h"
#include "client/object.h"

/* Responses to such serials are counted, not awaited. */
#define FAREWELL (UINT32_C(1) << 31)

void zy_reply_finish(struct zy_reply *reply)
{
	if (reply->response)
		zy__response__free_unpacked(reply->response, NULL);
	reply->response = NULL;
	zy_fds_close(&reply->fds);
}

/* -EAGAIN: no room now. Everything else that fails has its text in @client. */
static int try_send(struct zhouyi_client *client, size_t size, int fd)
{
	int r = zy_packet_send(client->socket, client->out, size, &fd, fd >= 0);

	switch (-r) {
	case 0:
	case EAGAIN:
		return r;
	case ENOMEM:
	case ENOBUFS:
		return zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, NULL);
	case ETOOMANYREFS:
		return zy_client_fail(client, ZHOUYI_ERROR_LIMIT,
				      "too many descriptors are on their way");
	default:
		zy_client_hang_up(client);
		return -ZHOUYI_ERROR_DISCONNECTED;
	}
}

/* Keeps reading meanwhile: a daemon whose answers nobody takes need not take requests. */
static int send_packet(struct zhouyi_client *client, size_t size, int fd)
{
	for (;;) {
		int r = try_send(client, size, fd);
		short events;

		if (r != -EAGAIN)
			return r;
		events = zy_client_wait(client, POLLIN | POLLOUT, UINT64_MAX);
		if (events & ~POLLOUT) {
			r = zy_client_receive(client, false);
			if (r < 0)
				return r;
		}
	}
}

static size_t farewell_pack(struct zhouyi_client *client, const struct zy_object *object)
{
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__CloseModel model = ZY__CLOSE_MODEL__INIT;
	Zy__DestroyBuffer buffer = ZY__DESTROY_BUFFER__INIT;
	Zy__DestroyBinding binding = ZY__DESTROY_BINDING__INIT;
	Zy__DestroyStream stream = ZY__DESTROY_STREAM__INIT;
	Zy__Release release = ZY__RELEASE__INIT;

	request.serial = FAREWELL | ++client->last_farewell;
	switch (object->type->kind) {
	case ZY_OBJECT_MODEL:
		request.body_case = ZY__REQUEST__BODY_CLOSE_MODEL;
		model.model = object->id;
		request.close_model = &model;
		break;
	case ZY_OBJECT_BUFFER:
		request.body_case = ZY__REQUEST__BODY_DESTROY_BUFFER;
		buffer.buffer = object->id;
		request.destroy_buffer = &buffer;
		break;
	case ZY_OBJECT_BINDING:
		request.body_case = ZY__REQUEST__BODY_DESTROY_BINDING;
		binding.binding = object->id;
		request.destroy_binding = &binding;
		break;
	case ZY_OBJECT_STREAM:
		request.body_case = ZY__REQUEST__BODY_DESTROY_STREAM;
		stream.stream = object->id;
		request.destroy_stream = &stream;
		break;
	case ZY_OBJECT_RESERVATION:
		request.body_case = ZY__REQUEST__BODY_RELEASE;
		release.reservation = object->id;
		request.release = &release;
		break;
	}
	return (size_t)zy_packet_pack(client->out, sizeof(client->out), &request.base);
}

/* Returns 0, -EAGAIN or -ENOMEM. */
static int farewell_send(struct zhouyi_client *client, const struct zy_object *object)
{
	size_t size = farewell_pack(client, object);
	int r = zy_packet_send(client->socket, client->out, size, NULL, 0);

	if (r == -EAGAIN)
		return r;
	if (r == -ENOMEM || r == -ENOBUFS)
		return -ENOMEM;
	/* Other errors mean that the daemon is gone, which the next receive finds out. */
	if (r == 0)
		client->n_farewells++;
	return 0;
}

bool zy_control_farewell(struct zy_object *object)
{
	struct zhouyi_client *client = object->client;

	if (client->closed || client->broken || zy_client_is_forked(client))
		return true;
	if (zy_control_flush(client) == 0 && farewell_send(client, object) == 0)
		return true;
	list_append(&client->farewells, &object->link);
	return false;
}

int zy_control_flush(struct zhouyi_client *client)
{
	struct zy_object *object;

	while ((object = list_first(&client->farewells, struct zy_object, link))) {
		int r = farewell_send(client, object);

		if (r < 0)
			return r;
		zy_object_free(object);
	}
	return 0;
}

void zy_control_forget(struct zhouyi_client *client)
{
	struct zy_object *object;

	while ((object = list_first(&client->farewells, struct zy_object, link)))
		zy_object_free(object);
}

/* The daemon refused: its sentence, if it has one. */
static int refusal(struct zhouyi_client *client, const Zy__Response *response)
{
	if (response->status < 0 || response->status >= ZY_STATUS_MAX_)
		return zy_client_violation(client, "a status that does not exist");
	if (response->detail[0] == '\0')
		return zy_client_fail(client, (enum zhouyi_error)response->status, NULL);
	return zy_client_fail(client, (enum zhouyi_error)response->status, "%s", response->detail);
}

static int check_reply(struct zhouyi_client *client, const struct zy_reply *reply,
		       Zy__Response__BodyCase expected)
{
	size_t n_fds = expected == ZY__RESPONSE__BODY_BUFFER ? 1 : 0;

	if (reply->response->status != ZY_OK) {
		if (reply->fds.n > 0)
			return zy_client_violation(client, "a refusal with descriptors");
		return refusal(client, reply->response);
	}
	if (reply->response->body_case != expected)
		return zy_client_violation(client, "a response to another question");
	if (reply->fds.n != n_fds)
		return zy_client_violation(client, "a response with a wrong number of descriptors");
	return 0;
}

static int await(struct zhouyi_client *client, struct zy_call *call)
{
	client->call = call;
	while (!call->reply.response) {
		int r = zy_client_receive(client, true);

		if (r < 0) {
			client->call = NULL;
			return r;
		}
	}
	client->call = NULL;
	return 0;
}

/* Farewells come first: the daemon may need what they give back. */
static int flush_all(struct zhouyi_client *client)
{
	int r;

	while ((r = zy_control_flush(client)) == -EAGAIN) {
		zy_client_wait(client, POLLIN | POLLOUT, UINT64_MAX);
		r = zy_client_receive(client, false);
		if (r < 0)
			return r;
	}
	return r < 0 ? zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, NULL) : 0;
}

/* Send and wait; whatever came is in @call. */
static int converse(struct zhouyi_client *client, Zy__Request *request, int fd,
		    struct zy_call *call)
{
	ssize_t size;
	int r;

	r = flush_all(client);
	if (r < 0)
		return r;
	client->last_serial = (client->last_serial + 1) & ~FAREWELL;
	request->serial = call->serial = client->last_serial;
	size = zy_packet_pack(client->out, sizeof(client->out), &request->base);
	if (size < 0)
		return zy_client_fail(client, ZHOUYI_ERROR_LIMIT, "the request is too large");
	r = send_packet(client, (size_t)size, fd);
	if (r < 0)
		return r;
	return await(client, call);
}

int zy_control_call(struct zhouyi_client *client, Zy__Request *request, int fd,
		    Zy__Response__BodyCase expected, struct zy_reply *ret)
{
	struct zy_call call = {.reply = ZY_REPLY_INIT};
	int r;

	r = zy_client_check(client);
	if (r < 0)
		return r;
	r = converse(client, request, fd, &call);
	if (r == 0)
		r = check_reply(client, &call.reply, expected);
	zy_client_settle(client);
	if (r < 0 && r != -ZHOUYI_ERROR_NO_ROOM) {
		zy_reply_finish(&call.reply);
		return r;
	}
	*ret = call.reply;
	return r;
}

int zy_control_ask(struct zhouyi_client *client, Zy__Request *request)
{
	struct zy_reply reply = ZY_REPLY_INIT;
	int r = zy_control_call(client, request, -1, ZY__RESPONSE__BODY__NOT_SET, &reply);

	zy_reply_finish(&reply);
	return r;
}

static int note_farewell(struct zhouyi_client *client, const struct zy_fds *fds)
{
	if (client->n_farewells == 0 || fds->n > 0)
		return zy_client_violation(client, "a response nobody waits for");
	client->n_farewells--;
	return 0;
}

int zy_control_note(struct zhouyi_client *client, const uint8_t *message, size_t size,
		    struct zy_fds *fds)
{
	Zy__Response *response = zy__response__unpack(NULL, size, message);
	struct zy_call *call = client->call;
	int r = 0;

	if (!response)
		return zy_client_violation(client, "a malformed response");
	if (response->serial & FAREWELL) {
		r = note_farewell(client, fds);
	} else if (call && call->serial == response->serial && !call->reply.response) {
		call->reply.response = response;
		call->reply.fds = *fds;
		fds->n = 0;
		return 0;
	} else {
		r = zy_client_violation(client, "a response nobody waits for");
	}
	zy__response__free_unpacked(response, NULL);
	return r;
}
