/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/simulation.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/status.h"
#include "simulate/simulation_internal.h"

/* How the daemon's watchdog is set unless it is told otherwise: zhouyid(8). */
#define WATCHDOG_FACTOR 10u
#define WATCHDOG_FLOOR_NS UINT64_C(500000000)
#define WATCHDOG_CEILING_NS UINT64_C(10000000000)

#define PROGRESS_EVENTS 65536u

static uint64_t add_ns(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? NEVER : sum;
}

void sim_schedule(struct simulation *sim, struct tree_node *node, uint64_t at_ns,
		  enum sim_event event)
{
	tree_remove(node);
	node->key[0] = at_ns;
	node->key[1] = 0;
	node->single = event;
	node->gang = 0;
	tree_insert(&sim->events, node);
}

/*
 * Models
 */

uint64_t sim_draw_run(const struct trace_model *model, struct random *random)
{
	uint64_t run =
		model->run_from_ns + random_up_to(random, model->run_to_ns - model->run_from_ns);
	bool rarely = random_up_to(random, 999999) < model->rarely_ppm;

	run = rarely ? model->rarely_ns : run;
	return run ? run : 1;
}

static void learn(struct sim_learned *model, uint64_t run_ns)
{
	uint64_t n = model->n < SIM_WINDOW ? model->n + 1 : SIM_WINDOW;

	model->runs[model->n++ % SIM_WINDOW] = run_ns;
	model->slowest_ns = 0;
	model->fastest_ns = NEVER;
	for (uint64_t i = 0; i < n; i++) {
		if (model->runs[i] > model->slowest_ns)
			model->slowest_ns = model->runs[i];
		if (model->runs[i] < model->fastest_ns)
			model->fastest_ns = model->runs[i];
	}
}

static uint64_t bound_of(const struct trace_model *model, const struct sim_learned *learned)
{
	uint64_t bound = WATCHDOG_CEILING_NS;

	if (model->bound_ns)
		return model->bound_ns;
	if (learned->slowest_ns < WATCHDOG_CEILING_NS / WATCHDOG_FACTOR)
		bound = learned->slowest_ns * WATCHDOG_FACTOR;
	return bound < WATCHDOG_FLOOR_NS ? WATCHDOG_FLOOR_NS : bound;
}

/* A model is run once when it is loaded, to warm up. */
static int models_create(struct simulation *sim)
{
	sim->models = calloc(sim->trace->n_models + 1, sizeof(*sim->models));
	if (!sim->models)
		return -ENOMEM;
	for (uint32_t i = 0; i < sim->trace->n_models; i++) {
		struct trace_model usual = sim->trace->models[i];
		struct random random;

		usual.rarely_ppm = 0;
		random_init(&random, sim->options->seed, UINT64_C(1) << 32 | i);
		learn(&sim->models[i], sim_draw_run(&usual, &random));
	}
	return 0;
}

/*
 * Jobs
 */

struct sim_job *sim_job_create(struct simulation *sim, struct sim_source *source, int *ret_r)
{
	struct sim_job *job;

	*ret_r = sim->n_jobs == SIM_MAX_WAITING ? -EOVERFLOW : -ENOMEM;
	job = sim->n_jobs == SIM_MAX_WAITING ? NULL : calloc(1, sizeof(*job));
	if (!job)
		return NULL;
	*ret_r = 0;
	job->source = source;
	if (source) {
		job->shape = &source->def->shape;
		job->hand_over_ns = sim->trace->device.hand_over_ns;
		job->report_ns = sim->trace->device.report_ns;
	}
	list_init(&job->link);
	list_append(&sim->all, &job->all_link);
	sim->n_jobs++;
	return job;
}

static void job_destroy(struct simulation *sim, struct sim_job *job)
{
	tree_remove(&job->event);
	list_remove(&job->link);
	list_remove(&job->all_link);
	sim->n_jobs--;
	free(job);
}

static struct sim_job *job_of(struct policy_job *job)
{
	return list_entry(scheme_job_of(job), struct sim_job, own);
}

static struct sim_group *client_of(struct simulation *sim, const struct sim_job *job)
{
	return &sim->result->clients[job->shape->client];
}

static struct sim_group *class_of(struct simulation *sim, const struct sim_job *job)
{
	return &sim->result->classes[job->shape->class];
}

static int count(struct sim_group *group, const struct sim_job *job, enum sim_outcome outcome,
		 uint64_t now_ns)
{
	const struct trace_request *recorded = job->recorded;
	uint64_t latency = now_ns - job->due_ns;
	int r;

	group->outcomes[outcome]++;
	if (outcome != SIM_DONE && outcome != SIM_LATE)
		return 0;
	group->device_ns += job->run_ns * job->shape->n_cores;
	if (recorded && recorded->status == ZY_OK && recorded->end_ns > recorded->at_ns) {
		group->both.n++;
		group->both.recorded_ns += recorded->end_ns - recorded->at_ns;
		group->both.simulated_ns += latency;
	}
	r = sim_samples_add(&group->latency_ns, latency);
	if (r == 0 && job->deadline_ns)
		r = sim_samples_add(&group->deadline_permille,
				    (uint64_t)((unsigned __int128)latency * 1000 /
					       (job->deadline_ns - job->due_ns)));
	return r;
}

/* It is over: never was on the device, or no longer is. */
static int answer(struct simulation *sim, struct sim_job *job, enum sim_outcome outcome)
{
	int r;

	job->state = SIM_IDLE;
	if (outcome == SIM_DONE && job->deadline_ns && sim->now_ns > job->deadline_ns)
		outcome = SIM_LATE;
	r = count(client_of(sim, job), job, outcome, sim->now_ns);
	if (r == 0)
		r = count(class_of(sim, job), job, outcome, sim->now_ns);
	if (r == 0 && job->recorded)
		r = source_follow(sim, job->recorded);
	if (!source_keeps(sim, job))
		job_destroy(sim, job);
	return r;
}

static void enqueued(struct sim_job *job, bool again)
{
	job->state = SIM_QUEUED;
	if (!job->source)
		return;
	job->source->n_queued++;
	/* One that was put back is older than all that wait. */
	list_append(again ? job->source->queued.next : &job->source->queued, &job->link);
}

static void dequeued(struct sim_job *job)
{
	if (!job->source)
		return;
	job->source->n_queued--;
	list_remove(&job->link);
}

static int expire(struct simulation *sim, struct sim_job *job)
{
	struct sim_source *source = job->source;
	int r;

	dequeued(job);
	r = answer(sim, job, SIM_EXPIRED);
	return r == 0 && source ? source_room(sim, source) : r;
}

static uint64_t absolute_deadline(const struct simulation *sim, const struct sim_job *job)
{
	const struct trace_shape *shape = job->shape;
	uint64_t deadline = shape->deadline_ns;

	if (!deadline && shape->reservation != TRACE_NONE)
		deadline = sim->trace->reservations[shape->reservation].spec.deadline_ns;
	return deadline ? job->due_ns + deadline : 0;
}

static void describe(struct simulation *sim, struct sim_job *job)
{
	const struct trace_shape *shape = job->shape;
	const struct sim_learned *learned = &sim->models[shape->model];
	bool whole = sim->trace->device.placement == POLICY_PLACEMENT_NONE;
	uint64_t all = sim->n_cores == 64 ? UINT64_MAX : (UINT64_C(1) << sim->n_cores) - 1;

	job->own = (struct scheme_job){.client = shape->client, .reservation = shape->reservation};
	list_init(&job->own.link);
	job->own.job = (struct policy_job){
		.id = ++sim->last_id,
		.class = shape->class,
		.cores = whole || !shape->cores ? all : shape->cores,
		.n_cores = whole ? 1 : shape->n_cores,
		.accepted_ns = sim->now_ns,
		.deadline_ns = job->deadline_ns,
		.estimate_ns = learned->slowest_ns,
		.fastest_ns = learned->fastest_ns,
		.bound_ns = bound_of(&sim->trace->models[shape->model], learned),
	};
}

int sim_arrive(struct simulation *sim, struct sim_job *job, uint64_t due_ns)
{
	int r;

	if (++sim->result->requests > SIM_MAX_REQUESTS)
		return -EFBIG;
	job->due_ns = due_ns;
	job->deadline_ns = absolute_deadline(sim, job);
	job->stopped = POLICY_NOTHING;
	job->is_cut = job->is_timed_out = false;
	describe(sim, job);
	client_of(sim, job)->requests++;
	class_of(sim, job)->requests++;
	if (job->deadline_ns) {
		client_of(sim, job)->deadlines++;
		class_of(sim, job)->deadlines++;
	}
	r = sim->scheme->push(sim->self, &job->own, sim->now_ns);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return answer(sim, job, r == -ETIME ? SIM_REFUSED : SIM_REJECTED);
	enqueued(job, false);
	return 0;
}

int sim_drop(struct simulation *sim, struct sim_job *job)
{
	sim->scheme->remove(sim->self, &job->own);
	dequeued(job);
	return answer(sim, job, SIM_DROPPED);
}

/*
 * The device
 */

/* When it runs, given what is before it on its cores. */
static void place(struct simulation *sim, struct sim_job *job)
{
	uint64_t begin = job->own.job.started_ns + job->hand_over_ns, run = job->run_ns;
	uint64_t bound = job->own.job.bound_ns;

	for (uint64_t rest = job->own.job.on_cores; rest; rest &= rest - 1) {
		const struct sim_core *core = &sim->cores[__builtin_ctzll(rest)];

		if (core->jobs[0] != job && core->jobs[0]->end_ns > begin)
			begin = core->jobs[0]->end_ns;
	}
	job->is_timed_out = run > bound;
	job->begin_ns = begin;
	job->end_ns = begin + (job->is_timed_out ? bound : run);
	sim_schedule(sim, &job->event, job->end_ns + job->report_ns, SIM_OFF_DEVICE);
}

static int start(struct simulation *sim, struct sim_job *job, uint64_t cores)
{
	dequeued(job);
	job->state = SIM_ON_DEVICE;
	job->own.job.started_ns = sim->now_ns;
	job->own.job.on_cores = cores;
	for (uint64_t rest = cores; rest; rest &= rest - 1) {
		struct sim_core *core = &sim->cores[__builtin_ctzll(rest)];

		if (core->n_jobs == 2)
			return -EDEADLK; /* there is no such device */
		core->jobs[core->n_jobs++] = job;
	}
	place(sim, job);
	return job->source ? source_room(sim, job->source) : 0;
}

static void stop(struct simulation *sim, struct sim_job *job, enum policy_action why)
{
	uint64_t off = add_ns(sim->now_ns, sim->trace->device.stop_ns);

	job->stopped = why;
	if (job->end_ns <= off)
		return; /* is done before */
	job->is_cut = true;
	job->end_ns = off;
	if (job->begin_ns > off)
		job->begin_ns = off;
	sim_schedule(sim, &job->event, off, SIM_OFF_DEVICE);
	/* What is behind it begins earlier now. */
	for (uint64_t rest = job->own.job.on_cores; rest; rest &= rest - 1) {
		const struct sim_core *core = &sim->cores[__builtin_ctzll(rest)];

		if (core->n_jobs == 2 && core->jobs[0] == job)
			place(sim, core->jobs[1]);
	}
}

static void leave_cores(struct simulation *sim, struct sim_job *job)
{
	uint64_t run = job->end_ns - job->begin_ns;

	for (uint64_t rest = job->own.job.on_cores; rest; rest &= rest - 1) {
		unsigned int index = (unsigned int)__builtin_ctzll(rest);
		struct sim_core *core = &sim->cores[index];

		if (core->jobs[0] == job)
			core->jobs[0] = core->jobs[1];
		core->n_jobs--;
		sim->result->busy_ns[index] += run;
		if (job->is_cut || job->is_timed_out)
			sim->result->wasted_ns += run;
	}
	sim->result->end_ns = sim->now_ns;
}

static int put_back(struct simulation *sim, struct sim_job *job)
{
	int r;

	job->state = SIM_IDLE;
	r = sim->scheme->push_again(sim->self, &job->own, sim->now_ns);
	if (r < 0)
		return r;
	client_of(sim, job)->preempted++;
	class_of(sim, job)->preempted++;
	job->stopped = POLICY_NOTHING;
	job->is_cut = false;
	enqueued(job, true);
	return 0;
}

static int off_device(struct simulation *sim, struct sim_job *job)
{
	enum sim_outcome outcome = SIM_DONE;

	leave_cores(sim, job);
	if (job->is_cut && job->stopped == POLICY_PREEMPT)
		return put_back(sim, job);
	if (job->is_cut)
		outcome = SIM_STOPPED;
	else if (job->is_timed_out)
		outcome = SIM_TIMED_OUT;
	else
		learn(&sim->models[job->shape->model], job->run_ns);
	sim->scheme->finished(sim->self, &job->own, job->end_ns - job->begin_ns, sim->now_ns);
	return answer(sim, job, outcome);
}

/*
 * Time
 */

static int decide(struct simulation *sim)
{
	int r = 0;

	while (r == 0) {
		struct policy_decision d = sim->scheme->next(sim->self, sim->now_ns);
		struct sim_job *job = d.job ? job_of(d.job) : NULL;

		switch (d.action) {
		case POLICY_NOTHING:
			tree_remove(&sim->ask);
			if (d.ask_again_ns != NEVER)
				sim_schedule(sim, &sim->ask,
					     d.ask_again_ns > sim->now_ns ? d.ask_again_ns
									  : sim->now_ns + 1,
					     SIM_ASK);
			return 0;
		case POLICY_START:
			r = start(sim, job, d.cores);
			break;
		case POLICY_EXPIRE:
			r = expire(sim, job);
			break;
		case POLICY_PREEMPT:
		case POLICY_STOP:
			stop(sim, job, d.action);
			break;
		}
	}
	return r;
}

static int happen(struct simulation *sim, struct tree_node *node)
{
	tree_remove(node);
	switch ((enum sim_event)node->single) {
	case SIM_ARRIVAL:
		return source_arrival(sim, tree_entry(node, struct sim_source, event));
	case SIM_REPEAT:
		return source_repeat(sim, tree_entry(node, struct sim_job, event));
	case SIM_RECORDED:
		return source_recorded(sim);
	case SIM_FOLLOW:
		return sim_arrive(sim, tree_entry(node, struct sim_job, event), sim->now_ns);
	case SIM_OFF_DEVICE:
		return off_device(sim, tree_entry(node, struct sim_job, event));
	case SIM_ASK:
		return 0;
	}
	return -EDEADLK;
}

/* Nothing is left that anybody could be waiting for. */
static bool is_over(const struct simulation *sim)
{
	return !sim->n_jobs && tree_first(&sim->events) == &sim->ask && sim->events.n == 1;
}

static int run(struct simulation *sim)
{
	const struct sim_options *options = sim->options;
	struct tree_node *node;
	uint64_t events = 0;
	int r = 0;

	while (r == 0 && (node = tree_first(&sim->events)) && !is_over(sim)) {
		sim->now_ns = node->key[0];
		/* All that happens at a time, then what follows from it. */
		for (; r == 0 && node && node->key[0] == sim->now_ns;
		     node = tree_first(&sim->events)) {
			r = happen(sim, node);
			if (++events % PROGRESS_EVENTS == 0 && options->progress)
				options->progress(options->userdata, sim->now_ns);
		}
		if (r == 0)
			r = decide(sim);
		/* A scheme that only waits would do so for ever. */
		if (sim->now_ns > sim->trace->duration_ns + 8 * TRACE_LONGEST_NS)
			return -EDEADLK;
	}
	return r == 0 && sim->n_jobs ? -EDEADLK : r;
}

/*
 * Beginning and end
 */

static int result_create(struct simulation *sim)
{
	const struct trace *trace = sim->trace;
	struct sim_result *result = sim->result;

	*result = (struct sim_result){
		.scheme = sim->scheme->name,
		.clients = calloc(trace->n_clients + 1, sizeof(*result->clients)),
		.reservations = calloc(trace->n_reservations + 1, sizeof(*result->reservations)),
		.n_clients = trace->n_clients,
		.n_reservations = trace->n_reservations,
		.n_cores = sim->n_cores,
		.seed = sim->options->seed,
	};
	if (!result->clients || !result->reservations)
		return -ENOMEM;
	for (uint32_t i = 0; i < trace->n_clients; i++)
		result->clients[i].name = trace->clients[i].name;
	for (unsigned int class = 0; class < ZY_CLASS_MAX_; class ++)
		result->classes[class].name = zy_class_name(class);
	return 0;
}

static void reserve(struct simulation *sim)
{
	for (uint32_t i = 0; sim->scheme->reserve && i < sim->trace->n_reservations; i++) {
		struct sim_reservation *reservation = &sim->result->reservations[i];

		reservation->is_known = true;
		reservation->refusal = sim->scheme->reserve(sim->self, i, &reservation->verdict);
	}
}

static int create(struct simulation *sim)
{
	int r;

	tree_init(&sim->events);
	list_init(&sim->all);
	if (sim->trace->n_sources && !sim->trace->duration_ns)
		return -EINVAL;
	r = result_create(sim);
	if (r == 0)
		r = sim->scheme->create(&sim->self, sim->trace, sim->n_cores);
	if (r == 0)
		r = models_create(sim);
	if (r < 0)
		return r;
	sim->calibration = calibrate_requests(sim->trace);
	if (!sim->calibration)
		return -ENOMEM;
	reserve(sim);
	r = sources_create(sim);
	if (r == 0 && sim->trace->n_requests)
		sim_schedule(sim, &sim->recorded, sim->trace->requests[0].at_ns, SIM_RECORDED);
	return r;
}

static void destroy(struct simulation *sim)
{
	struct sim_job *job, *next;

	list_for_each_safe (job, next, &sim->all, all_link) {
		if (job->state == SIM_QUEUED)
			sim->scheme->remove(sim->self, &job->own);
		else if (job->state == SIM_ON_DEVICE)
			sim->scheme->finished(sim->self, &job->own, 0, sim->now_ns);
		job_destroy(sim, job);
	}
	if (sim->self)
		sim->scheme->destroy(sim->self);
	free(sim->sources);
	free(sim->models);
	free(sim->calibration);
}

static void sort(struct sim_group *group)
{
	sim_samples_sort(&group->latency_ns);
	sim_samples_sort(&group->deadline_permille);
}

int simulation_run(struct sim_result *ret, const struct trace *trace, const struct scheme *scheme,
		   const struct sim_options *options)
{
	struct simulation sim = {
		.trace = trace,
		.scheme = scheme,
		.options = options,
		.result = ret,
		.n_cores =
			trace->device.placement == POLICY_PLACEMENT_NONE ? 1 : trace->device.cores,
	};
	int r;

	*ret = (struct sim_result){0};
	r = create(&sim);
	if (r == 0)
		r = run(&sim);
	destroy(&sim);
	if (ret->end_ns < trace->duration_ns)
		ret->end_ns = trace->duration_ns;
	for (uint32_t i = 0; r == 0 && i < ret->n_clients; i++)
		sort(&ret->clients[i]);
	for (int class = 0; r == 0 && class < ZY_CLASS_MAX_; class ++)
		sort(&ret->classes[class]);
	if (r < 0)
		sim_result_finish(ret);
	return r;
}
