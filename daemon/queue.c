/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/queue.h"

#include "daemon/job.h"

void queue_init(struct queue *queue)
{
	list_init(&queue->jobs);
	queue->n_jobs = 0;
}

void queue_push(struct queue *queue, struct job *job, uint64_t now_ns)
{
	(void)now_ns; /* arrival order is all this policy needs */
	list_append(&queue->jobs, &job->link);
	queue->n_jobs++;
}

void queue_push_again(struct queue *queue, struct job *job)
{
	struct list *before = &queue->jobs;
	struct job *other;

	list_for_each (other, &queue->jobs, link) {
		if (other->id > job->id) {
			before = &other->link;
			break;
		}
	}
	/* Appending to a link puts it in front of that. */
	list_append(before, &job->link);
	queue->n_jobs++;
}

void queue_remove(struct queue *queue, struct job *job)
{
	list_remove(&job->link);
	queue->n_jobs--;
}

/* The least loaded core @job may use that has room, or -1. */
static int pick_core(const struct job *job, const struct queue_view *view)
{
	int best = -1;

	for (unsigned int core = 0; core < view->n_cores; core++) {
		if (!(job->core_mask & UINT64_C(1) << core) || view->load[core] >= view->depth)
			continue;
		if (best < 0 || view->load[core] < view->load[best])
			best = (int)core;
	}
	return best;
}

static bool has_room(const struct queue_view *view)
{
	for (unsigned int core = 0; core < view->n_cores; core++) {
		if (view->load[core] < view->depth)
			return true;
	}
	return false;
}

struct queue_decision queue_next(struct queue *queue, const struct queue_view *view,
				 uint64_t now_ns)
{
	struct queue_decision decision = {.ask_again_ns = UINT64_MAX};
	struct job *job;

	(void)now_ns;
	if (!has_room(view))
		return decision;

	list_for_each (job, &queue->jobs, link) {
		int core = pick_core(job, view);

		if (core < 0 || (view->can_start && !view->can_start(job, view->arg)))
			continue;
		queue_remove(queue, job);
		decision.job = job;
		decision.core = (unsigned int)core;
		return decision;
	}
	return decision;
}
