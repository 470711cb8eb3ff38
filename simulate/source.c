/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks for what, and when. */
#include <errno.h>
#include <stdlib.h>

#include "simulate/simulation_internal.h"

/* The time a client that waits for answers needs at least to ask again. */
#define TURNAROUND_NS UINT64_C(1000)

static void schedule_arrival(struct simulation *sim, struct sim_source *source, uint64_t at_ns)
{
	if (at_ns < sim->now_ns)
		at_ns = sim->now_ns;
	if (at_ns < sim->trace->duration_ns)
		sim_schedule(sim, &source->event, at_ns, SIM_ARRIVAL);
}

/* A burst begins some time after @from_ns. */
static void schedule_burst(struct simulation *sim, struct sim_source *source, uint64_t from_ns)
{
	uint64_t at = from_ns + random_exponential(&source->random, source->def->off_ns);

	source->burst_end_ns = at + random_exponential(&source->random, source->def->on_ns);
	schedule_arrival(sim, source, at);
}

static void schedule_next(struct simulation *sim, struct sim_source *source)
{
	const struct trace_source *def = source->def;

	switch (def->arrivals) {
	case TRACE_PERIODIC:
		source->tick_ns += def->period_ns;
		schedule_arrival(sim, source,
				 source->tick_ns + random_up_to(&source->random, def->jitter_ns));
		break;
	case TRACE_POISSON:
		schedule_arrival(sim, source,
				 sim->now_ns + random_exponential(&source->random, def->period_ns));
		break;
	case TRACE_BURSTY:
		if (sim->now_ns + def->period_ns < source->burst_end_ns)
			schedule_arrival(sim, source, sim->now_ns + def->period_ns);
		else
			schedule_burst(sim, source, source->burst_end_ns);
		break;
	case TRACE_CLOSED:
		break;
	}
}

static int begin_closed(struct simulation *sim, struct sim_source *source)
{
	int r = 0;

	if (source->def->offset_ns >= sim->trace->duration_ns)
		return 0;
	for (unsigned int i = 0; i < source->def->in_flight; i++) {
		struct sim_job *job = sim_job_create(sim, source, &r);

		if (!job)
			return r;
		sim_schedule(sim, &job->event, source->def->offset_ns, SIM_REPEAT);
	}
	return 0;
}

static int begin(struct simulation *sim, struct sim_source *source)
{
	const struct trace_source *def = source->def;

	switch (def->arrivals) {
	case TRACE_PERIODIC:
		source->tick_ns = def->offset_ns;
		schedule_arrival(sim, source,
				 def->offset_ns + random_up_to(&source->random, def->jitter_ns));
		return 0;
	case TRACE_POISSON:
		schedule_arrival(sim, source,
				 def->offset_ns +
					 random_exponential(&source->random, def->period_ns));
		return 0;
	case TRACE_BURSTY:
		schedule_burst(sim, source, def->offset_ns);
		return 0;
	case TRACE_CLOSED:
		return begin_closed(sim, source);
	}
	return -EINVAL;
}

int sources_create(struct simulation *sim)
{
	const struct trace *trace = sim->trace;
	int r = 0;

	sim->sources = calloc(trace->n_sources + 1, sizeof(*sim->sources));
	if (!sim->sources)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < trace->n_sources; i++) {
		struct sim_source *source = &sim->sources[i];

		source->def = &trace->sources[i];
		source->blocked_since_ns = NEVER;
		list_init(&source->queued);
		random_init(&source->random, sim->options->seed, i + 1);
		r = begin(sim, source);
	}
	return r;
}

/*
 * Arrivals
 */

static int submit(struct simulation *sim, struct sim_source *source, uint64_t due_ns,
		  uint64_t run_ns)
{
	struct sim_job *job;
	int r;

	job = sim_job_create(sim, source, &r);
	if (!job)
		return r;
	job->run_ns = run_ns;
	schedule_next(sim, source);
	r = sim_arrive(sim, job, due_ns);
	/* As the daemon does: the new one first, then the oldest makes room for it. */
	if (r == 0 && source->def->drop == TRACE_DROP_OLDEST &&
	    source->n_queued > source->def->depth)
		r = sim_drop(sim, list_first(&source->queued, struct sim_job, link));
	return r;
}

int source_arrival(struct simulation *sim, struct sim_source *source)
{
	uint64_t run = sim_draw_run(&sim->trace->models[source->def->shape.model], &source->random);

	if (source->def->drop == TRACE_DROP_BLOCK && source->n_queued >= source->def->depth) {
		source->blocked_since_ns = sim->now_ns;
		source->blocked_run_ns = run;
		return 0;
	}
	return submit(sim, source, sim->now_ns, run);
}

int source_room(struct simulation *sim, struct sim_source *source)
{
	uint64_t since = source->blocked_since_ns;

	if (since == NEVER)
		return 0;
	source->blocked_since_ns = NEVER;
	return submit(sim, source, since, source->blocked_run_ns);
}

int source_repeat(struct simulation *sim, struct sim_job *job)
{
	job->run_ns = sim_draw_run(&sim->trace->models[job->shape->model], &job->source->random);
	return sim_arrive(sim, job, sim->now_ns);
}

bool source_keeps(struct simulation *sim, struct sim_job *job)
{
	uint64_t pause;

	if (!job->source || job->source->def->arrivals != TRACE_CLOSED)
		return false;
	pause = job->source->def->period_ns;
	if (pause < TURNAROUND_NS)
		pause = TURNAROUND_NS;
	if (sim->now_ns + pause >= sim->trace->duration_ns)
		return false;
	sim_schedule(sim, &job->event, sim->now_ns + pause, SIM_REPEAT);
	return true;
}

/*
 * Recorded requests
 */

/* Those that never ran for reasons that are not the policy's are left out. */
static bool is_worth_it(const struct trace_request *request)
{
	return request->run_ns || request->status == ZY_OK ||
	       request->status == ZY_DEADLINE_EXPIRED || request->status == ZY_DEADLINE_REFUSED;
}

/* NULL: it is left out, or something failed. */
static struct sim_job *create_recorded(struct simulation *sim, uint32_t index, int *ret_r)
{
	const struct trace_request *request = &sim->trace->requests[index];
	struct random random;
	struct sim_job *job;

	*ret_r = 0;
	if (!is_worth_it(request)) {
		sim->result->left_out++;
		return NULL;
	}
	job = sim_job_create(sim, NULL, ret_r);
	if (!job)
		return NULL;
	job->recorded = request;
	job->shape = &request->shape;
	job->hand_over_ns = sim->calibration[index].hand_over_ns;
	job->report_ns = sim->calibration[index].report_ns;
	job->run_ns = request->run_ns;
	if (!job->run_ns) {
		random_init(&random, sim->options->seed ^ index, 0);
		job->run_ns = sim_draw_run(&sim->trace->models[job->shape->model], &random);
	}
	return job;
}

int source_recorded(struct simulation *sim)
{
	const struct trace *trace = sim->trace;
	int r = 0;

	for (; r == 0 && sim->next_recorded < trace->n_requests; sim->next_recorded++) {
		const struct trace_request *request = &trace->requests[sim->next_recorded];
		struct sim_job *job;

		if (request->after != TRACE_NONE)
			continue; /* it comes when that is answered */
		if (request->at_ns > sim->now_ns) {
			sim_schedule(sim, &sim->recorded, request->at_ns, SIM_RECORDED);
			return 0;
		}
		job = create_recorded(sim, sim->next_recorded, &r);
		if (job)
			r = sim_arrive(sim, job, sim->now_ns);
		else if (r == 0)
			r = source_follow(sim, request);
	}
	return r;
}

int source_follow(struct simulation *sim, const struct trace_request *answered)
{
	const struct trace *trace = sim->trace;
	uint64_t at = sim->now_ns;
	struct sim_job *job;
	int r;

	/* What is left out is answered when it arrives. */
	for (; answered->next != TRACE_NONE; answered = &trace->requests[answered->next]) {
		at += trace->requests[answered->next].at_ns - answered->end_ns;
		job = create_recorded(sim, answered->next, &r);
		if (!job && r == 0)
			continue;
		if (job)
			sim_schedule(sim, &job->event, at, SIM_FOLLOW);
		return r;
	}
	return 0;
}
