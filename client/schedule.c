/* SPDX-License-Identifier: Apache-2.0 */
/* Reservations and streams. */
#include <stdlib.h>

#include "client/binding.h"
#include "client/client.h"
#include "client/control.h"
#include "client/model.h"
#include "client/options.h"
#include "client/request.h"
#include "client/text.h"
#include "proto/scope.h"

struct zhouyi_reservation {
	struct zy_object object;
};

struct zhouyi_stream {
	struct zy_object object;
	struct zhouyi_model *model; /* referenced */
};

static void nothing_to_finish(struct zy_object *object)
{
	(void)object;
}

static void stream_finish(struct zy_object *object)
{
	zy_object_unref(&((struct zhouyi_stream *)object)->model->object);
}

static const struct zy_object_type reservation_type = {
	.kind = ZY_OBJECT_RESERVATION,
	.finish = nothing_to_finish,
};

static const struct zy_object_type stream_type = {
	.kind = ZY_OBJECT_STREAM,
	.finish = stream_finish,
};

/*
 * Reservations
 */

struct verdict_block {
	struct zhouyi_verdict verdict;
	uint32_t used_ppm[];
};

static struct zhouyi_verdict *verdict_copy(const Zy__Reservation *said)
{
	size_t cores = said->n_used_ppm * sizeof(uint32_t);
	struct verdict_block *block = malloc(sizeof(*block) + cores + zy_text_size(said->refusal));
	char *texts;

	if (!block)
		return NULL;
	texts = (char *)&block->used_ppm[said->n_used_ppm];
	for (size_t i = 0; i < said->n_used_ppm; i++)
		block->used_ppm[i] = said->used_ppm[i];
	block->verdict = (struct zhouyi_verdict){
		.granted = said->granted,
		.refusal = zy_text_put(&texts, said->refusal),
		.core = said->core,
		.budget_ns = said->budget,
		.period_ns = said->period,
		.deadline_ns = said->deadline,
		.jitter_ns = said->jitter,
		.learned_from = said->learned_from,
		.tolerance_ns = said->tolerance,
		.best_period_ns = said->best_period,
		.n_cores = said->n_used_ppm,
		.used_ppm = block->used_ppm,
	};
	return &block->verdict;
}

static int reservation_make(struct zhouyi_client *client, const Zy__Reservation *said,
			    struct zhouyi_reservation **ret)
{
	struct zhouyi_reservation *reservation = calloc(1, sizeof(*reservation));

	if (!reservation)
		return zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, NULL);
	zy_object_init(&reservation->object, &reservation_type, client, said->reservation);
	*ret = reservation;
	return 0;
}

/* @r is what the daemon decided. */
static int reserve_result(struct zhouyi_client *client, int r, const Zy__Reservation *said,
			  bool probe, struct zhouyi_reservation **ret,
			  struct zhouyi_verdict **ret_verdict)
{
	struct zhouyi_reservation *reservation = NULL;
	struct zhouyi_verdict *verdict = ret_verdict ? verdict_copy(said) : NULL;
	int failed = 0;

	if (ret_verdict && !verdict)
		failed = zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, NULL);
	/* Also if it is of no use any more: giving it up tells the daemon. */
	if (r == 0 && !probe && reservation_make(client, said, &reservation) < 0)
		failed = -ZHOUYI_ERROR_NO_MEMORY;
	if (failed) {
		zhouyi_reservation_release(reservation);
		free(verdict);
		return failed;
	}
	if (r == 0 && ret)
		*ret = reservation;
	if (ret_verdict)
		*ret_verdict = verdict;
	return r;
}

int zhouyi_reserve(struct zhouyi_model *model, const struct zhouyi_reserve_options *options,
		   struct zhouyi_reservation **ret, struct zhouyi_verdict **ret_verdict)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	struct zhouyi_reserve_options known = ZHOUYI_RESERVE_OPTIONS_INIT;
	struct zhouyi_client *client = model->object.client;
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__Reserve reserve = ZY__RESERVE__INIT;
	int r;

	r = zy_options_read(&known, sizeof(known), sizeof(known), options);
	if (r == 0 && !known.probe && !ret)
		r = -ZHOUYI_ERROR_INVALID;
	if (r < 0)
		return zy_client_fail(client, (enum zhouyi_error) - r, NULL);
	r = zy_client_needs(client, ZY_FEATURE_SCHEDULING);
	if (r < 0)
		return r;
	reserve.model = model->object.id;
	reserve.period = known.period_ns;
	reserve.deadline = known.deadline_ns;
	reserve.jitter = known.jitter_ns;
	reserve.budget = known.budget_ns;
	reserve.cores = known.core_mask;
	reserve.probe = known.probe;
	request.body_case = ZY__REQUEST__BODY_RESERVE;
	request.reserve = &reserve;
	r = zy_control_call(client, &request, -1, ZY__RESPONSE__BODY_RESERVATION, &reply);
	if (!reply.response || reply.response->body_case != ZY__RESPONSE__BODY_RESERVATION)
		return r;
	return reserve_result(client, r, reply.response->reservation, known.probe, ret,
			      ret_verdict);
}

void zhouyi_reservation_release(struct zhouyi_reservation *reservation)
{
	if (reservation)
		zy_object_unref(&reservation->object);
}

/*
 * Streams
 */

static int stream_make(struct zhouyi_model *model, const Zy__Stream *said,
		       struct zhouyi_stream **ret)
{
	struct zhouyi_client *client = model->object.client;
	struct zhouyi_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, NULL);
	zy_object_init(&stream->object, &stream_type, client, said->stream);
	zy_object_ref(&model->object);
	stream->model = model;
	*ret = stream;
	return 0;
}

int zhouyi_stream_create(struct zhouyi_model *model, const struct zhouyi_stream_options *options,
			 struct zhouyi_stream **ret)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	struct zhouyi_stream_options known = ZHOUYI_STREAM_OPTIONS_INIT;
	struct zhouyi_client *client = model->object.client;
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__CreateStream create = ZY__CREATE_STREAM__INIT;
	int r;

	r = zy_options_read(&known, sizeof(known), sizeof(known), options);
	if (r == 0 && known.reservation && known.reservation->object.client != client)
		r = -ZHOUYI_ERROR_INVALID;
	if (r < 0)
		return zy_client_fail(client, (enum zhouyi_error) - r, NULL);
	r = zy_client_needs(client, ZY_FEATURE_SCHEDULING);
	if (r < 0)
		return r;
	create.model = model->object.id;
	create.class_ = known.stream_class;
	create.period = known.period_ns;
	create.deadline = known.deadline_ns;
	create.cores = known.core_mask;
	create.drop = (Zy__StreamDrop)known.drop;
	create.depth = known.depth;
	create.reservation = known.reservation ? known.reservation->object.id : 0;
	request.body_case = ZY__REQUEST__BODY_CREATE_STREAM;
	request.create_stream = &create;
	r = zy_control_call(client, &request, -1, ZY__RESPONSE__BODY_STREAM, &reply);
	if (r < 0)
		return r;
	return stream_make(model, reply.response->stream, ret);
}

void zhouyi_stream_destroy(struct zhouyi_stream *stream)
{
	if (stream)
		zy_object_unref(&stream->object);
}

int zhouyi_stream_submit(struct zhouyi_stream *stream, struct zhouyi_binding *binding,
			 zhouyi_done_fn done, void *userdata, uint64_t *ret_request)
{
	struct zy_submit entry = {
		.type = ZY_PACKET_SUBMIT,
		.class = ZY_CLASS_INTERACTIVE, /* what holds is the stream's */
		.stream = stream->object.id,
	};

	if (zy_binding_object(binding)->client != stream->object.client)
		return zy_client_fail(stream->object.client, ZHOUYI_ERROR_INVALID,
				      "the binding is of another client than the stream");
	return zy_request_submit(binding, &entry, done, userdata, ret_request);
}

int zhouyi_stream_info_get(struct zhouyi_stream *stream, struct zhouyi_stream_info **ret)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	struct zhouyi_client *client = stream->object.client;
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__GetStream get = ZY__GET_STREAM__INIT;
	struct zhouyi_stream_info *info;
	const Zy__Stream *said;
	int r;

	get.stream = stream->object.id;
	request.body_case = ZY__REQUEST__BODY_GET_STREAM;
	request.get_stream = &get;
	r = zy_control_call(client, &request, -1, ZY__RESPONSE__BODY_STREAM, &reply);
	if (r < 0)
		return r;
	info = malloc(sizeof(*info));
	if (!info)
		return zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, NULL);
	said = reply.response->stream;
	*info = (struct zhouyi_stream_info){
		.sequence = said->sequence,
		.submitted = said->submitted,
		.done = said->done,
		.late = said->late,
		.dropped = said->dropped,
		.missed = said->missed,
		.failed = said->failed,
		.queued = said->queued,
		.running = said->running,
		.run_max_ns = said->run_max,
		.response_max_ns = said->response_max,
	};
	*ret = info;
	return 0;
}
