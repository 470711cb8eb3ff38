/* SPDX-License-Identifier: Apache-2.0 */
/* The schemes ours is compared with. */
#include <errno.h>
#include <stdlib.h>

#include "simulate/scheme.h"

struct queue {
	struct list jobs[ZY_CLASS_MAX_]; /* scheme_job.link, in the order of arrival */
	struct list turn[ZY_CLASS_MAX_]; /* in reference.turns while it has jobs of that class */
	unsigned int n_queued, n_running;
};

struct reference {
	uint64_t free;			  /* cores */
	struct queue *queues;		  /* one for each client; of fifo one for all */
	struct list turns[ZY_CLASS_MAX_]; /* queue.turn */
	struct queue *current;		  /* of drain: has the device; NULL: nobody */
	bool is_fifo;
};

static void reference_destroy(void *self)
{
	struct reference *ref = self;

	free(ref->queues);
	free(ref);
}

static int reference_create(void **ret, const struct trace *trace, unsigned int n_cores)
{
	struct reference *ref = calloc(1, sizeof(*ref));

	if (!ref)
		return -ENOMEM;
	ref->queues = calloc(trace->n_clients + 1, sizeof(*ref->queues));
	if (!ref->queues) {
		free(ref);
		return -ENOMEM;
	}
	ref->free = n_cores == 64 ? UINT64_MAX : (UINT64_C(1) << n_cores) - 1;
	for (int class = 0; class < ZY_CLASS_MAX_; class ++) {
		list_init(&ref->turns[class]);
		for (uint32_t i = 0; i < trace->n_clients; i++) {
			list_init(&ref->queues[i].jobs[class]);
			list_init(&ref->queues[i].turn[class]);
		}
	}
	*ret = ref;
	return 0;
}

static int fifo_create(void **ret, const struct trace *trace, unsigned int n_cores)
{
	int r = reference_create(ret, trace, n_cores);

	if (r == 0)
		((struct reference *)*ret)->is_fifo = true;
	return r;
}

static struct queue *queue_of(struct reference *ref, const struct scheme_job *job)
{
	return &ref->queues[ref->is_fifo ? 0 : job->client];
}

static enum zy_class class_of(const struct reference *ref, const struct scheme_job *job)
{
	return ref->is_fifo ? ZY_CLASS_NORMAL : job->job.class;
}

static int reference_push(void *self, struct scheme_job *job, uint64_t now_ns)
{
	struct reference *ref = self;
	struct queue *queue = queue_of(ref, job);
	enum zy_class class = class_of(ref, job);

	(void)now_ns;
	if (list_is_empty(&queue->jobs[class]))
		list_append(&ref->turns[class], &queue->turn[class]);
	list_append(&queue->jobs[class], &job->link);
	queue->n_queued++;
	return 0;
}

static void reference_remove(void *self, struct scheme_job *job)
{
	struct reference *ref = self;
	struct queue *queue = queue_of(ref, job);
	enum zy_class class = class_of(ref, job);

	list_remove(&job->link);
	queue->n_queued--;
	if (list_is_empty(&queue->jobs[class]))
		list_remove(&queue->turn[class]);
}

static void reference_finished(void *self, struct scheme_job *job, uint64_t run_ns, uint64_t now_ns)
{
	struct reference *ref = self;

	(void)run_ns;
	(void)now_ns;
	ref->free |= job->job.on_cores;
	queue_of(ref, job)->n_running--;
}

/* Where it can start now; 0: nowhere. */
static uint64_t cores_for(const struct reference *ref, const struct policy_job *job)
{
	uint64_t free = ref->free & job->cores, cores = 0;

	for (unsigned int n = job->n_cores; n; n--, free &= free - 1) {
		if (!free)
			return 0;
		cores |= free & -free;
	}
	return cores;
}

/* The first that can start. A job that needs several cores waits for them, and with it all
 * behind it: else it would wait for ever. */
static struct scheme_job *first_to_start(const struct reference *ref, const struct list *jobs,
					 bool *ret_waits)
{
	struct scheme_job *job;

	list_for_each (job, jobs, link) {
		if (cores_for(ref, &job->job))
			return job;
		if (job->job.n_cores > 1) {
			*ret_waits = true;
			return NULL;
		}
	}
	return NULL;
}

static struct policy_decision start(struct reference *ref, struct scheme_job *job, uint64_t now_ns)
{
	uint64_t cores = cores_for(ref, &job->job);

	reference_remove(ref, job);
	queue_of(ref, job)->n_running++;
	ref->free &= ~cores;
	job->job.started_ns = now_ns;
	job->job.on_cores = cores;
	return (struct policy_decision){.action = POLICY_START, .job = &job->job, .cores = cores};
}

static const struct policy_decision nothing = {.ask_again_ns = UINT64_MAX};

/* Also that of fifo, which has one class and one client. */
static struct policy_decision round_robin_next(void *self, uint64_t now_ns)
{
	struct reference *ref = self;
	bool waits = false;

	if (!ref->free)
		return nothing;
	for (int class = 0; class < ZY_CLASS_MAX_; class ++) {
		struct list *link;

		for (link = ref->turns[class].next; link != &ref->turns[class]; link = link->next) {
			struct queue *queue = list_entry(link, struct queue, turn[class]);
			struct scheme_job *job = first_to_start(ref, &queue->jobs[class], &waits);

			if (waits)
				return nothing;
			if (!job)
				continue;
			/* It has had its turn. */
			list_remove(link);
			list_append(&ref->turns[class], link);
			return start(ref, job, now_ns);
		}
	}
	return nothing;
}

static struct queue *next_client(const struct reference *ref)
{
	for (int class = 0; class < ZY_CLASS_MAX_; class ++)
		if (!list_is_empty(&ref->turns[class]))
			return list_entry(ref->turns[class].next, struct queue, turn[class]);
	return NULL;
}

static struct policy_decision drain_next(void *self, uint64_t now_ns)
{
	struct reference *ref = self;
	bool waits = false;

	if (!ref->free)
		return nothing;
	if (ref->current && !ref->current->n_queued && !ref->current->n_running)
		ref->current = NULL;
	if (!ref->current)
		ref->current = next_client(ref);
	for (int class = 0; ref->current && !waits && class < ZY_CLASS_MAX_; class ++) {
		struct scheme_job *job = first_to_start(ref, &ref->current->jobs[class], &waits);

		if (job)
			return start(ref, job, now_ns);
	}
	return nothing;
}

const struct scheme scheme_fifo = {
	.name = "fifo",
	.summary = "first come, first served",
	.create = fifo_create,
	.destroy = reference_destroy,
	.push = reference_push,
	.remove = reference_remove,
	.next = round_robin_next,
	.finished = reference_finished,
};

const struct scheme scheme_round_robin = {
	.name = "round-robin",
	.summary = "strict classes, clients take turns",
	.create = reference_create,
	.destroy = reference_destroy,
	.push = reference_push,
	.remove = reference_remove,
	.next = round_robin_next,
	.finished = reference_finished,
};

const struct scheme scheme_drain = {
	.name = "drain",
	.summary = "strict classes, one client at a time, drained before the next",
	.create = reference_create,
	.destroy = reference_destroy,
	.push = reference_push,
	.remove = reference_remove,
	.next = drain_next,
	.finished = reference_finished,
};
