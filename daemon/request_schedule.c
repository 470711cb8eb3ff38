/* SPDX-License-Identifier: Apache-2.0 */
/* Reservations and streams. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "daemon/device.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/request_access.h"
#include "daemon/request_internal.h"
#include "daemon/scheduler.h"
#include "daemon/stream.h"
#include "daemon/tenant.h"
#include "proto/scope.h"
#include "proto/status.h"

/* A budget is learned from at least so many runs, and is that much longer than the longest. */
#define LEARN_RUNS 8u
#define LEARN_MARGIN 4u /* a quarter */

/* Longer than anybody waits for a frame; keeps sums far from overflowing. */
#define LONGEST_NS UINT64_C(3600000000000)

#define MS(ns) ((double)(ns) / 1e6)

static uint64_t all_cores(const struct session *session)
{
	unsigned int n = session->group->device->caps.cores;

	return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

static struct policy *policy_of(const struct session *session)
{
	return session->group->scheduler->policy;
}

/* NULL: refused. */
static struct model *find_model(struct session *session, uint32_t serial, uint32_t id)
{
	struct held_model *held = objects_find_model(&session->objects, id);

	if (!held)
		reply_refuse(session, serial, ZY_NOT_FOUND, "there is no model %u", id);
	return held ? held->model : NULL;
}

/* Cores of this device in @cores, some of which it may use, or 0: refused. */
static uint64_t find_cores(struct session *session, uint32_t serial, uint64_t cores)
{
	uint64_t found = (cores ? cores : UINT64_MAX) & all_cores(session);

	if (found && session->group->device->caps.placement != DEVICE_PLACEMENT_NONE &&
	    !(found & session->grant.cores)) {
		reply_refuse(session, serial, ZY_DENIED,
			     "the access rules give this client none of the cores in 0x%" PRIx64,
			     found);
		return 0;
	}
	if (!found)
		reply_refuse(session, serial, ZY_INVALID,
			     "the core mask 0x%" PRIx64 " names none of the device's %u cores",
			     cores, session->group->device->caps.cores);
	return found;
}

/*
 * Reservations
 */

/* The budget, and how many runs it was learned from; false: refused. */
static bool find_budget(struct session *session, const Zy__Request *req, const struct model *model,
			uint64_t *ret, uint32_t *ret_learned)
{
	const struct estimate *estimate = &model->estimate;

	*ret_learned = 0;
	*ret = req->reserve->budget;
	if (*ret)
		return true;
	if (estimate->n < LEARN_RUNS) {
		reply_refuse(session, req->serial, ZY_INVALID,
			     "the model has run %" PRIu64 " times so far, and a budget is learned "
			     "from %u runs or more: run it, or say a budget",
			     estimate->n, LEARN_RUNS);
		return false;
	}
	*ret_learned = estimate->n < ESTIMATE_WINDOW ? (uint32_t)estimate->n : ESTIMATE_WINDOW;
	*ret = estimate->slowest_ns + estimate->slowest_ns / LEARN_MARGIN;
	return true;
}

static bool find_spec(struct session *session, const Zy__Request *req, const struct model *model,
		      struct reservation_spec *ret, uint32_t *ret_learned)
{
	const Zy__Reserve *body = req->reserve;

	if (!find_budget(session, req, model, &ret->budget_ns, ret_learned))
		return false;
	ret->cores = find_cores(session, req->serial, body->cores);
	if (!ret->cores)
		return false;
	ret->cores &= session->grant.cores;
	ret->period_ns = body->period;
	ret->deadline_ns = body->deadline ? body->deadline : body->period;
	ret->jitter_ns = body->jitter;
	if (session->group->device->caps.placement == DEVICE_PLACEMENT_NONE)
		ret->cores = 1;
	if (ret->period_ns && ret->period_ns <= LONGEST_NS && ret->deadline_ns <= LONGEST_NS)
		return true;
	reply_refuse(session, req->serial, ZY_INVALID,
		     "a period and a deadline have to be between 1 ns and an hour");
	return false;
}

/* "core 0: 40.0 %, core 1: 0.0 %" */
static void describe_use(const struct reservation_verdict *verdict, char *text, size_t size)
{
	size_t length = 0;

	text[0] = '\0';
	for (unsigned int i = 0; i < verdict->n_cores && length < size; i++)
		length += (size_t)snprintf(text + length, size - length, "%score %u: %.1f %%",
					   i ? ", " : "", i, verdict->used_ppm[i] / 1e4);
}

static const char *refusal_text(enum reservation_refusal refusal)
{
	switch (refusal) {
	case RESERVATION_UTILISATION:
		return "none of the cores has so much time left";
	case RESERVATION_BLOCKING:
		return "there would be time, but deadlines would be missed, because what runs "
		       "cannot be interrupted";
	case RESERVATION_LAST_CORE:
		return "one core stays without reservations, for everybody else";
	case RESERVATION_TOO_MANY:
		return "there are as many reservations as a core may have";
	case RESERVATION_GRANTED:
	case RESERVATION_INVALID:
	case RESERVATION_NO_MEMORY:
		break;
	}
	return "";
}

/* The sentence to a denial. */
static void describe_denial(const struct reservation_spec *spec,
			    const struct reservation_verdict *verdict, char *text, size_t size)
{
	char use[256], best[96] = "no period would do";

	describe_use(verdict, use, sizeof(use));
	if (verdict->best_period_ns)
		snprintf(best, sizeof(best), "a period of %.3f ms or longer would be granted",
			 MS(verdict->best_period_ns));
	snprintf(text, size, "no reservation of %.3f ms each %.3f ms: %s (reserved are %s); %s",
		 MS(spec->budget_ns), MS(spec->period_ns), refusal_text(verdict->refusal), use,
		 best);
}

static void describe_reservation(const struct reservation_spec *spec,
				 const struct reservation_verdict *verdict, uint32_t *used,
				 Zy__Reservation *ret)
{
	bool granted = verdict->refusal == RESERVATION_GRANTED;

	for (unsigned int i = 0; i < verdict->n_cores; i++)
		used[i] = verdict->used_ppm[i];
	ret->granted = granted;
	ret->refusal = (char *)(granted ? "" : reservation_refusal_name(verdict->refusal));
	ret->core = verdict->core;
	ret->tolerance = verdict->tolerance_ns;
	ret->budget = spec->budget_ns;
	ret->period = spec->period_ns;
	ret->deadline = spec->deadline_ns;
	ret->jitter = spec->jitter_ns;
	ret->best_period = verdict->best_period_ns;
	ret->n_used_ppm = verdict->n_cores;
	ret->used_ppm = used;
}

static void refuse_reservation(struct session *session, uint32_t serial,
			       const struct reservation_spec *spec,
			       enum reservation_refusal refusal)
{
	if (refusal == RESERVATION_NO_MEMORY)
		reply_refuse(session, serial, ZY_NO_MEMORY, "the daemon is out of memory");
	else
		reply_refuse(session, serial, ZY_INVALID,
			     "a budget of %.3f ms, a period of %.3f ms, a deadline of %.3f ms and "
			     "a jitter of %.3f ms do not go together: the budget has to fit into "
			     "deadline and period, and the jitter has to be less than the period",
			     MS(spec->budget_ns), MS(spec->period_ns), MS(spec->deadline_ns),
			     MS(spec->jitter_ns));
}

/* Whether it has an id now; if not it is given back and refused. */
static bool keep_reservation(struct session *session, uint32_t serial,
			     struct reservation *reservation, struct model *model, uint32_t *ret_id)
{
	reservation->id = ++session->group->n_numbers;
	if (objects_add_reservation(&session->objects, reservation, model, ret_id) == 0)
		return true;
	policy_release(policy_of(session), reservation, loop_now());
	reply_refuse(session, serial, ZY_NO_MEMORY, "the daemon is out of memory");
	return false;
}

void request_reserve(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	struct model *model = find_model(session, req->serial, req->reserve->model);
	Zy__Reservation body = ZY__RESERVATION__INIT;
	Zy__Response response = ZY__RESPONSE__INIT;
	struct reservation_verdict verdict;
	struct reservation_spec spec;
	struct reservation *reservation;
	enum reservation_refusal refusal;
	uint32_t used[POLICY_MAX_CORES];
	char detail[768];

	(void)fds;
	if (!model || !find_spec(session, req, model, &spec, &body.learned_from))
		return;
	if (!req->reserve->probe && !objects_may_reserve(&session->objects)) {
		reply_refuse(session, req->serial, ZY_LIMIT, "%s", session->objects.refusal);
		return;
	}
	refusal = policy_reserve(policy_of(session), &session->owner.tenant->client, &spec,
				 req->reserve->probe, loop_now(), &reservation, &verdict);
	if (refusal == RESERVATION_INVALID || refusal == RESERVATION_NO_MEMORY) {
		refuse_reservation(session, req->serial, &spec, refusal);
		return;
	}
	if (reservation &&
	    !keep_reservation(session, req->serial, reservation, model, &body.reservation))
		return;
	describe_reservation(&spec, &verdict, used, &body);
	if (refusal != RESERVATION_GRANTED) {
		describe_denial(&spec, &verdict, detail, sizeof(detail));
		response.status = ZY_NO_ROOM;
		response.detail = detail;
	}
	response.body_case = ZY__RESPONSE__BODY_RESERVATION;
	response.reservation = &body;
	reply_body(session, req->serial, &response, NULL);
	/* What was kept away from its cores may be allowed there now, or what was allowed not. */
	scheduler_kick(session->group->scheduler);
}

void request_release(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	(void)fds;
	if (objects_release(&session->objects, req->release->reservation) < 0) {
		reply_refuse(session, req->serial, ZY_NOT_FOUND, "there is no reservation %u",
			     req->release->reservation);
		return;
	}
	reply_done(session, req->serial);
	scheduler_kick(session->group->scheduler);
}

/*
 * Streams
 */

static void reply_stream(struct session *session, uint32_t serial, uint32_t id,
			 const struct stream *stream)
{
	const struct stream_counters *c = &stream->counters;
	Zy__Stream body = ZY__STREAM__INIT;
	Zy__Response response = ZY__RESPONSE__INIT;

	body.stream = id;
	body.sequence = stream->sequence;
	body.submitted = c->submitted;
	body.done = c->done;
	body.late = c->late;
	body.dropped = c->dropped;
	body.missed = c->missed;
	body.failed = c->failed;
	body.queued = stream->n_queued;
	body.running = stream->n_running;
	body.run_max = c->run_max_ns;
	body.response_max = c->response_max_ns;
	response.body_case = ZY__RESPONSE__BODY_STREAM;
	response.stream = &body;
	reply_body(session, serial, &response, NULL);
}

static bool find_drop(struct session *session, const Zy__Request *req, struct stream_spec *ret)
{
	const Zy__CreateStream *body = req->create_stream;

	switch (body->drop) {
	case ZY__STREAM_DROP__KEEP_LATEST:
		ret->drop = STREAM_KEEP_LATEST;
		return true;
	case ZY__STREAM_DROP__QUEUE:
		ret->drop = STREAM_QUEUE;
		break;
	case ZY__STREAM_DROP__BLOCK:
		ret->drop = STREAM_BLOCK;
		break;
	default:
		reply_refuse(session, req->serial, ZY_INVALID, "there is no way %d to drop frames",
			     (int)body->drop);
		return false;
	}
	ret->depth = body->depth;
	if (body->depth && body->depth <= STREAM_DEPTH_MAX)
		return true;
	reply_refuse(session, req->serial, ZY_INVALID,
		     "between 1 and %u frames of a stream may wait, not %u", STREAM_DEPTH_MAX,
		     body->depth);
	return false;
}

/* What the reservation says holds where the request says nothing. False: refused. */
static bool find_reservation(struct session *session, const Zy__Request *req,
			     const struct model *model, struct stream_spec *spec,
			     struct held_reservation **ret)
{
	uint32_t id = req->create_stream->reservation;

	*ret = NULL;
	if (!id)
		return true;
	*ret = objects_find_reservation(&session->objects, id);
	if (!*ret) {
		reply_refuse(session, req->serial, ZY_NOT_FOUND, "there is no reservation %u", id);
		return false;
	}
	if ((*ret)->model != model) {
		reply_refuse(session, req->serial, ZY_INVALID,
			     "reservation %u was made for another model", id);
		return false;
	}
	spec->class = ZY_CLASS_REALTIME;
	spec->cores = (*ret)->reservation->spec.cores;
	if (!spec->period_ns)
		spec->period_ns = (*ret)->reservation->spec.period_ns;
	if (!spec->deadline_ns)
		spec->deadline_ns = (*ret)->reservation->spec.deadline_ns;
	return true;
}

static bool find_stream_spec(struct session *session, const Zy__Request *req,
			     struct stream_spec *ret)
{
	const Zy__CreateStream *body = req->create_stream;
	char why[ACCESS_WHY_MAX];

	*ret = (struct stream_spec){
		.class = (enum zy_class)body->class_,
		.period_ns = body->period,
		.deadline_ns = body->deadline,
		.cores = body->cores,
	};
	if (body->class_ >= ZY_CLASS_MAX_ || body->period > LONGEST_NS ||
	    body->deadline > LONGEST_NS) {
		reply_refuse(session, req->serial, ZY_INVALID,
			     "there is no class %u, or a period or deadline is longer than an hour",
			     body->class_);
		return false;
	}
	if (!body->reservation && !request_may_class(session, body->class_, why)) {
		reply_refuse(session, req->serial, ZY_DENIED, "%s", why);
		return false;
	}
	return find_cores(session, req->serial, body->cores) && find_drop(session, req, ret);
}

void request_create_stream(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	struct model *model = find_model(session, req->serial, req->create_stream->model);
	zy_auto(stream_unref) struct stream *stream = NULL;
	struct held_reservation *reservation;
	struct stream_spec spec;
	uint32_t id;
	int r;

	(void)fds;
	if (!model || !find_stream_spec(session, req, &spec) ||
	    !find_reservation(session, req, model, &spec, &reservation))
		return;
	r = stream_create(&stream, model, &spec, ++session->group->n_numbers);
	if (r == 0)
		r = objects_add_stream(&session->objects, stream, reservation, &id);
	if (r < 0)
		reply_refuse(session, req->serial, zy_status_from_errno(r), "%s",
			     r == -EDQUOT ? session->objects.refusal
					  : "the daemon is out of memory");
	else
		reply_stream(session, req->serial, id, zy_take(stream));
}

void request_destroy_stream(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	uint32_t id = req->destroy_stream->stream;

	(void)fds;
	if (objects_destroy_stream(&session->objects, id) < 0)
		reply_refuse(session, req->serial, ZY_NOT_FOUND, "there is no stream %u", id);
	else
		reply_done(session, req->serial);
}

void request_get_stream(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	uint32_t id = req->get_stream->stream;
	const struct stream *stream = objects_find_stream(&session->objects, id);

	(void)fds;
	if (stream)
		reply_stream(session, req->serial, id, stream);
	else
		reply_refuse(session, req->serial, ZY_NOT_FOUND, "there is no stream %u", id);
}
