/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/job.h"
#include "daemon/model.h"

int stream_create(struct stream **ret, struct model *model, const struct stream_spec *spec,
		  uint64_t number)
{
	struct stream *stream;

	if (spec->drop != STREAM_KEEP_LATEST && (!spec->depth || spec->depth > STREAM_DEPTH_MAX))
		return -EINVAL;
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return -ENOMEM;
	stream->n_refs = 1;
	stream->number = number;
	stream->model = model_ref(model);
	stream->spec = *spec;
	if (spec->drop == STREAM_KEEP_LATEST)
		stream->spec.depth = 1;
	list_init(&stream->reservation_link);
	list_init(&stream->queued);
	*ret = stream;
	return 0;
}

struct stream *stream_ref(struct stream *stream)
{
	stream->n_refs++;
	return stream;
}

void stream_unref(struct stream *stream)
{
	if (!stream || --stream->n_refs > 0)
		return;
	assert(list_is_empty(&stream->queued));
	list_remove(&stream->reservation_link);
	model_unref(stream->model);
	free(stream);
}

int stream_push(struct stream *stream, struct job *job, struct job **ret_drop)
{
	*ret_drop = NULL;
	if (stream->n_queued >= stream->spec.depth) {
		if (stream->spec.drop == STREAM_BLOCK)
			return -EBUSY;
		*ret_drop = list_first(&stream->queued, struct job, stream_link);
	}
	job->stream = stream_ref(stream);
	job->sequence = ++stream->sequence;
	list_append(&stream->queued, &job->stream_link);
	stream->n_queued++;
	stream->counters.submitted++;
	return 0;
}

/* Whether it is among the queued: a link of its own means that it is not. */
static bool is_queued(const struct job *job)
{
	return !list_is_empty(&job->stream_link);
}

void stream_started(struct job *job)
{
	if (!job->stream || !is_queued(job))
		return;
	list_remove(&job->stream_link);
	job->stream->n_queued--;
	job->stream->n_running++;
}

void stream_put_back(struct job *job)
{
	struct stream *stream = job->stream;
	struct list *before;
	struct job *other;

	if (!stream || is_queued(job))
		return;
	before = &stream->queued;
	list_for_each (other, &stream->queued, stream_link) {
		if (other->sequence > job->sequence) {
			before = &other->stream_link;
			break;
		}
	}
	list_append(before, &job->stream_link);
	stream->n_running--;
	stream->n_queued++;
}

void stream_fill(const struct job *job, struct zy_complete *answer)
{
	if (!job->stream)
		return;
	answer->sequence = job->sequence;
	answer->dropped = job->stream->counters.dropped;
}

static void count(struct stream_counters *counters, enum zy_status status)
{
	switch (status) {
	case ZY_OK:
		counters->done++;
		break;
	case ZY_DROPPED:
		counters->dropped++;
		break;
	case ZY_DEADLINE_REFUSED:
	case ZY_DEADLINE_EXPIRED:
		counters->missed++;
		break;
	default:
		counters->failed++;
	}
}

static void count_answer(struct stream_counters *counters, const struct zy_complete *answer)
{
	count(counters, (enum zy_status)answer->status);
	if (answer->status != ZY_OK)
		return;
	counters->late += !!(answer->flags & ZY_COMPLETE_LATE);
	if (answer->run_ns > counters->run_max_ns)
		counters->run_max_ns = answer->run_ns;
	if (answer->total_ns > counters->response_max_ns)
		counters->response_max_ns = answer->total_ns;
}

void stream_leave(struct job *job, const struct zy_complete *answer)
{
	struct stream *stream = job->stream;

	if (!stream)
		return;
	if (is_queued(job)) {
		list_remove(&job->stream_link);
		stream->n_queued--;
	} else {
		stream->n_running--;
	}
	if (answer)
		count_answer(&stream->counters, answer);
	else
		stream->counters.submitted--;
	job->stream = NULL;
	stream_unref(stream);
}

void stream_refused(struct stream *stream, enum zy_status status)
{
	stream->counters.submitted++;
	count(&stream->counters, status);
}
