/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "client/binding.h"
#include "client/client.h"
#include "client/control.h"
#include "client/options.h"
#include "client/request.h"
#include "proto/status.h"

/* What the first version of the struct had: nobody's is smaller. */
#define OPTIONS_MIN_SIZE (offsetof(struct zhouyi_options, timeout_ns) + sizeof(uint64_t))

static int read_options(struct zhouyi_options *ret, const struct zhouyi_options *options)
{
	int r;

	*ret = (struct zhouyi_options)ZHOUYI_OPTIONS_INIT;
	r = zy_options_read(ret, sizeof(*ret), OPTIONS_MIN_SIZE, options);
	if (r < 0)
		return r;
	return (unsigned int)ret->request_class < ZY_CLASS_MAX_ ? 0 : -ZHOUYI_ERROR_INVALID;
}

static struct zy_submit make_entry(const struct zhouyi_options *options)
{
	return (struct zy_submit){
		.type = ZY_PACKET_SUBMIT,
		.class = options->request_class,
		.core_mask = options->core_mask,
		.deadline_ns = options->deadline_ns,
		.timeout_ns = options->timeout_ns,
		/* One is what daemons do that do not know the field. */
		.n_cores = options->n_cores > 1 ? options->n_cores : 0,
	};
}

static int send_failure(struct zhouyi_client *client, int r)
{
	switch (-r) {
	case EAGAIN:
		return zy_client_fail(client, ZHOUYI_ERROR_BUSY, NULL);
	case ENOMEM:
	case ENOBUFS:
		return zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, NULL);
	default:
		/* What others wait for is delivered by the next dispatch. */
		zy_client_hang_up(client);
		zy_client_settle(client);
		return -ZHOUYI_ERROR_DISCONNECTED;
	}
}

int zy_request_submit(struct zhouyi_binding *binding, struct zy_submit *entry, zhouyi_done_fn done,
		      void *userdata, uint64_t *ret_request)
{
	struct zy_object *object = zy_binding_object(binding);
	struct zhouyi_client *client = object->client;
	int r;

	r = zy_client_check(client);
	if (r < 0)
		return r;
	if (!done)
		return zy_client_fail(client, ZHOUYI_ERROR_INVALID, NULL);
	if (entry->n_cores || entry->stream) {
		r = zy_client_needs(client, ZY_FEATURE_SCHEDULING);
		if (r < 0)
			return r;
	}
	entry->binding = object->id;
	if (zy_pending_add(&client->pending, binding, done, userdata, &entry->cookie) < 0)
		return zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, NULL);
	r = zy_packet_send(client->socket, entry, sizeof(*entry), NULL, 0);
	if (r < 0) {
		zy_pending_drop(&client->pending, entry->cookie);
		return send_failure(client, r);
	}
	zy_object_ref(object);
	if (ret_request)
		*ret_request = entry->cookie;
	return 0;
}

int zhouyi_submit(struct zhouyi_binding *binding, const struct zhouyi_options *options,
		  zhouyi_done_fn done, void *userdata, uint64_t *ret_request)
{
	struct zhouyi_client *client = zy_binding_object(binding)->client;
	struct zhouyi_options known;
	struct zy_submit entry;
	int r;

	r = zy_client_check(client);
	if (r < 0)
		return r;
	r = read_options(&known, options);
	if (r < 0)
		return zy_client_fail(client, (enum zhouyi_error) - r, NULL);
	entry = make_entry(&known);
	return zy_request_submit(binding, &entry, done, userdata, ret_request);
}

struct run {
	bool done;
	struct zhouyi_result result;
};

static void run_done(struct zhouyi_binding *binding, const struct zhouyi_result *result,
		     void *userdata)
{
	struct run *run = userdata;

	(void)binding;
	run->done = true;
	run->result = *result;
}

/* While the socket is full, take answers, so that the daemon takes requests. */
static int submit_wait(struct zhouyi_binding *binding, const struct zhouyi_options *options,
		       struct run *run)
{
	struct zhouyi_client *client = zy_binding_object(binding)->client;
	int r;

	while ((r = zhouyi_submit(binding, options, run_done, run, NULL)) == -ZHOUYI_ERROR_BUSY) {
		zy_client_wait(client, POLLIN | POLLOUT, UINT64_MAX);
		zy_client_receive(client, false);
		while (zy_client_deliver(client))
			;
	}
	return r;
}

int zhouyi_run(struct zhouyi_binding *binding, const struct zhouyi_options *options,
	       struct zhouyi_result *ret_result)
{
	struct zhouyi_client *client = zy_binding_object(binding)->client;
	struct run run = {.done = false};
	int r;

	r = submit_wait(binding, options, &run);
	/* If the connection ends, everything is answered, so this does end. */
	while (r == 0 && !run.done)
		if (!zy_client_deliver(client))
			zy_client_receive(client, true);
	if (r == 0 || r == -ZHOUYI_ERROR_DISCONNECTED)
		zy_client_settle(client);
	if (r < 0)
		return r;
	if (run.result.error != 0 && !client->broken)
		zy_client_fail(client, (enum zhouyi_error) - run.result.error, "%s",
			       zhouyi_result_text(&run.result));
	if (ret_result)
		*ret_result = run.result;
	return run.result.error;
}

int zhouyi_cancel(struct zhouyi_client *client, uint64_t request)
{
	Zy__Request message = ZY__REQUEST__INIT;
	Zy__Cancel cancel = ZY__CANCEL__INIT;
	int r;

	r = zy_client_check(client);
	if (r < 0)
		return r;
	if (!zy_pending_is_waiting(&client->pending, request))
		return zy_client_fail(client, ZHOUYI_ERROR_NOT_FOUND,
				      "the request is answered already");
	cancel.cookie = request;
	message.body_case = ZY__REQUEST__BODY_CANCEL;
	message.cancel = &cancel;
	return zy_control_ask(client, &message);
}

static const char *fault_name(unsigned int fault)
{
	switch (fault) {
	case ZY_FAULT_EXCEPTION:
		return "illegal instruction";
	case ZY_FAULT_MEMORY:
		return "memory access not allowed";
	case ZY_FAULT_ERROR:
		return "device error";
	case ZY_FAULT_NO_END:
		return "no completion was reported";
	default:
		return "unknown fault";
	}
}

static void describe_fault(const struct zhouyi_result *result, char *text, size_t size)
{
	snprintf(text, size,
		 "the job faulted on the device: %s (code %u) at address 0x%" PRIx64
		 ", core %u, TEC %u, instruction %u",
		 fault_name(result->fault), result->fault_code, result->fault_address,
		 result->fault_core, result->fault_tec, result->fault_insn);
}

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

/* Where it ran, as "core 0", "cores 0, 2", or nothing if it did not. */
static void describe_cores(uint64_t cores, char *text, size_t size)
{
	const char *separator = (cores & (cores - 1)) ? " on cores " : " on core ";
	size_t length = 0;

	text[0] = '\0';
	for (unsigned int i = 0; i < 64 && length < size; i++) {
		if (!(cores >> i & 1))
			continue;
		length += (size_t)snprintf(text + length, size - length, "%s%u", separator, i);
		separator = ", ";
	}
}

/* Which limit it was, if the daemon said that. */
static const char *refusal_text(const struct zhouyi_result *result)
{
	if (result->error == -ZHOUYI_ERROR_LIMIT && result->fault_code == ZY_LIMIT_SESSION_QUEUED)
		return "this client has as many unanswered requests as it may";
	if (result->error == -ZHOUYI_ERROR_LIMIT && result->fault_code == ZY_LIMIT_ACCOUNT_QUEUED)
		return "all clients of this user together have as many requests queued as they "
		       "may";
	return zhouyi_strerror(result->error);
}

/* Why and for whom it waited, if it did and the daemon says so. */
static void describe_wait(const struct zhouyi_result *result, char *text, size_t size)
{
	text[0] = '\0';
	if (result->wait == ZHOUYI_WAIT_NONE)
		return;
	if (result->waited_for)
		snprintf(text, size, " (%s, session %" PRIu64 ")", zhouyi_wait_text(result->wait),
			 result->waited_for);
	else
		snprintf(text, size, " (%s)", zhouyi_wait_text(result->wait));
}

const char *zhouyi_result_text(const struct zhouyi_result *result)
{
	static _Thread_local char text[512];
	char cores[128], wait[128];

	describe_wait(result, wait, sizeof(wait));
	if (result->error == -ZHOUYI_ERROR_DEVICE_FAULT) {
		describe_fault(result, text, sizeof(text));
	} else if (result->error != 0 && result->request == 0) {
		snprintf(text, sizeof(text), "refused: %s", refusal_text(result));
	} else if (result->error != 0) {
		snprintf(text, sizeof(text), "%s, after %.3f ms%s", zhouyi_strerror(result->error),
			 ms(result->total_ns), wait);
	} else {
		describe_cores(result->cores, cores, sizeof(cores));
		snprintf(text, sizeof(text),
			 "ran %.3f ms%s; %.3f ms in all, %.3f ms in the queue%s%s",
			 ms(result->run_ns), cores, ms(result->total_ns), ms(result->queue_ns),
			 wait, result->late ? "; late" : "");
	}
	return text;
}

const char *zhouyi_wait_name(enum zhouyi_wait wait)
{
	return zy_wait_name(wait);
}

const char *zhouyi_wait_text(enum zhouyi_wait wait)
{
	static const char *const texts[] = {
		[ZHOUYI_WAIT_NONE] = "started at once",
		[ZHOUYI_WAIT_OWN] = "behind a request of the same client",
		[ZHOUYI_WAIT_RUNNING] = "for a request that was running already",
		[ZHOUYI_WAIT_URGENT] = "behind a more urgent class",
		[ZHOUYI_WAIT_DEADLINE] = "behind an earlier deadline",
		[ZHOUYI_WAIT_SHARE] = "another client's turn",
		[ZHOUYI_WAIT_FLOOR] = "a less urgent class was owed its floor",
		[ZHOUYI_WAIT_RESERVATION] = "its cores were kept for a reservation",
		[ZHOUYI_WAIT_THROTTLE] = "its reservation or a quota was used up",
		[ZHOUYI_WAIT_SLOT] = "for an execution slot of its model",
		[ZHOUYI_WAIT_CORES] = "until several cores were free together",
		[ZHOUYI_WAIT_RECOVERY] = "it had to run again",
	};

	return (unsigned int)wait < ZY_WAIT_MAX_ ? texts[wait] : "for an unknown reason";
}

const char *zhouyi_class_name(enum zhouyi_class request_class)
{
	return zy_class_name(request_class);
}
