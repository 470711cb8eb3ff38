/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes on, for those who watch. The policy measures a request when it is over; so
 * that a long one is no jump, what is on the device right now is added here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/binding.h"
#include "daemon/health.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/request_internal.h"
#include "daemon/scheduler_internal.h"
#include "daemon/tenant.h"

/* So many fit into a packet, however long their names are. */
#define ACTIVITY_CLIENTS 160u
#define ACTIVITY_MODELS 120u

struct activity_space {
	Zy__ActivityCore cores[POLICY_MAX_CORES], *core_list[POLICY_MAX_CORES];
	Zy__ActivityClass classes[ZY_CLASS_MAX_], *class_list[ZY_CLASS_MAX_];
	Zy__ActivityClient clients[ACTIVITY_CLIENTS + 1], *client_list[ACTIVITY_CLIENTS + 1];
	Zy__ActivityModel models[ACTIVITY_MODELS + 1], *model_list[ACTIVITY_MODELS + 1];
	char hashes[ACTIVITY_MODELS][17];
	/* On the device right now. */
	uint64_t live_cores[POLICY_MAX_CORES], live_classes[ZY_CLASS_MAX_];
};

/*
 * On the device right now
 */

/* Since its core got to it; 0: that is busy with another one. */
static uint64_t live_ns(const struct job *job, uint64_t now)
{
	return job->since_ns && now > job->since_ns ? now - job->since_ns : 0;
}

static void live_begin(const struct scheduler *sched, uint64_t now, struct activity_space *space)
{
	const struct job *job;

	for (job = scheduler_next_running(sched, NULL); job;
	     job = scheduler_next_running(sched, job)) {
		uint64_t ns = live_ns(job, now), times_cores = ns * job->policy.n_cores;

		for (uint64_t rest = job->policy.on_cores; rest; rest &= rest - 1)
			space->live_cores[__builtin_ctzll(rest)] += ns;
		space->live_classes[job->policy.class] += times_cores;
		job->tenant->live_ns += times_cores;
		job->binding->model->live_ns += job->is_internal ? 0 : times_cores;
	}
}

static void live_end(const struct scheduler *sched)
{
	const struct job *job;

	for (job = scheduler_next_running(sched, NULL); job;
	     job = scheduler_next_running(sched, job))
		job->tenant->live_ns = job->binding->model->live_ns = 0;
}

/*
 * Cores and classes
 */

static void list_cores(const struct session_group *group, struct activity_space *space,
		       Zy__Activity *ret)
{
	const struct device_caps *caps = &group->device->caps;
	/* If cores cannot be told apart they are one to the policy. */
	unsigned int n = caps->placement == DEVICE_PLACEMENT_NONE ? 1 : caps->cores;

	for (unsigned int i = 0; i < n; i++) {
		struct policy_core_info info = policy_core_info(group->scheduler->policy, i);
		Zy__ActivityCore *core = &space->cores[i];

		zy__activity_core__init(core);
		core->core = i;
		core->healthy = info.healthy;
		core->running = info.n_on_device;
		core->device_time = info.device_ns + space->live_cores[i];
		space->core_list[i] = core;
	}
	ret->n_cores = n;
	ret->cores = space->core_list;
}

static void list_classes(const struct scheduler *sched, struct activity_space *space,
			 Zy__Activity *ret)
{
	for (unsigned int i = 0; i < ZY_CLASS_MAX_; i++) {
		struct policy_class_info info = policy_class_info(sched->policy, (enum zy_class)i);
		Zy__ActivityClass *class = &space->classes[i];

		zy__activity_class__init(class);
		class->class_ = i;
		class->queued = info.n_queued;
		class->running = info.n_on_device;
		class->live_time = space->live_classes[i];
		class->device_time = info.device_ns + class->live_time;
		class->answered = sched->counters.answered_of[i];
		space->class_list[i] = class;
	}
	ret->n_classes = ZY_CLASS_MAX_;
	ret->classes = space->class_list;
}

/*
 * Clients
 */

/* A slice's or unit's account is seen from inside. */
static bool sees_client(const struct session *session, const struct session *other)
{
	return other->objects.account == session->objects.account || request_sees_all(session);
}

static bool is_busy(const struct session *session)
{
	const struct policy_client *client = &session->owner.tenant->client;

	return client->n_queued || client->n_on_device;
}

static void add_numbers(const struct session *session, Zy__ActivityClient *ret)
{
	const struct tenant *tenant = session->owner.tenant;

	ret->clients++;
	ret->queued += tenant->client.n_queued;
	ret->running += tenant->client.n_on_device;
	ret->live_time += tenant->live_ns;
	ret->device_time += tenant->client.device_ns + tenant->live_ns;
	ret->answered += tenant->n_answered;
	ret->failed += tenant->n_failed;
}

/* -ENOMEM */
static int add_client(const struct session *session, Zy__ActivityClient *ret)
{
	struct arena *arena = &session->group->arena;

	zy__activity_client__init(ret);
	ret->session = session->id;
	ret->pid = session->pid;
	ret->uid = session->uid;
	ret->name = request_escape(arena, session->owner.tenant->name);
	ret->principal = request_escape(arena, session->objects.account->key.name);
	add_numbers(session, ret);
	return ret->name && ret->principal ? 0 : -ENOMEM;
}

/* Those who do something first, should there be too many. -ENOMEM */
static int list_clients(const struct session *session, struct activity_space *space,
			Zy__Activity *ret)
{
	Zy__ActivityClient *others = &space->clients[ACTIVITY_CLIENTS];
	const struct session *other;
	unsigned int n = 0;

	zy__activity_client__init(others);
	for (int busy = 1; busy >= 0; busy--)
		list_for_each (other, &session->group->sessions, link) {
			if (is_busy(other) != busy)
				continue;
			if (n == ACTIVITY_CLIENTS || !sees_client(session, other)) {
				add_numbers(other, others);
				continue;
			}
			space->client_list[n] = &space->clients[n];
			if (add_client(other, &space->clients[n++]) < 0)
				return -ENOMEM;
		}
	if (others->clients)
		space->client_list[n++] = others;
	ret->n_clients = n;
	ret->clients = space->client_list;
	return 0;
}

/*
 * Models
 */

static void see_models(const struct session *session, uint64_t look)
{
	const struct id_table *table = &session->objects.models;

	for (uint32_t i = 0; i < table->n_places; i++) {
		const struct held_model *held = id_table_at(table, i);

		if (held)
			held->model->seen = look;
	}
}

/* Those that clients of the same account have open are marked with the number of this look. */
static uint64_t see_all_models(const struct session *session)
{
	uint64_t look = ++session->group->n_looks;
	const struct session *other;

	list_for_each (other, &session->group->sessions, link)
		if (other->objects.account == session->objects.account)
			see_models(other, look);
	return look;
}

static void add_model_numbers(const struct model *model, Zy__ActivityModel *ret)
{
	ret->models++;
	ret->users += model->n_users;
	ret->requests += model->n_requests;
	ret->live_time += model->live_ns;
	ret->device_time += model->device_ns + model->live_ns;
}

/* -ENOMEM */
static int add_model(struct arena *arena, const struct model *model, char hash[static 17],
		     Zy__ActivityModel *ret)
{
	zy__activity_model__init(ret);
	for (size_t i = 0; i < 8; i++)
		snprintf(hash + 2 * i, 3, "%02x", model->hash[i]);
	ret->hash = hash;
	ret->name = request_escape(arena, model->name);
	ret->estimate = estimate_quantile(&model->estimate, 0.5);
	add_model_numbers(model, ret);
	return ret->name ? 0 : -ENOMEM;
}

/* -ENOMEM */
static int list_models(const struct session *session, struct activity_space *space,
		       Zy__Activity *ret)
{
	Zy__ActivityModel *others = &space->models[ACTIVITY_MODELS];
	bool all = request_sees_all(session);
	uint64_t look = see_all_models(session);
	const struct model *model;
	unsigned int n = 0;

	zy__activity_model__init(others);
	list_for_each (model, &session->group->models->models, link) {
		/* Still loading. */
		if (!model->graph)
			continue;
		if (n == ACTIVITY_MODELS || !(all || model->seen == look)) {
			add_model_numbers(model, others);
			continue;
		}
		space->model_list[n] = &space->models[n];
		if (add_model(&session->group->arena, model, space->hashes[n], &space->models[n]) <
		    0)
			return -ENOMEM;
		n++;
	}
	if (others->models)
		space->model_list[n++] = others;
	ret->n_models = n;
	ret->models = space->model_list;
	return 0;
}

/*
 * All of it
 */

/* -ENOMEM */
static int list_health(struct session_group *group, uint64_t now, Zy__Activity *ret)
{
	struct health health;

	health_of(group, now, &health);
	ret->health = (char *)health_state_name(health.state);
	return request_list_reasons(&group->arena, &health, now, &ret->n_reasons, &ret->reasons);
}

static int fill(const struct session *session, uint64_t now, Zy__Activity *ret)
{
	struct session_group *group = session->group;
	const struct scheduler *sched = group->scheduler;
	struct activity_space *space = arena_alloc(&group->arena, sizeof(*space));
	int r;

	if (!space)
		return -ENOMEM;
	memset(space->live_cores, 0, sizeof(space->live_cores));
	memset(space->live_classes, 0, sizeof(space->live_classes));
	ret->now = now;
	ret->uptime = now - group->started_ns;
	ret->queued = policy_n_queued(sched->policy);
	ret->running = sched->n_running + sched->n_clearing;
	ret->answered = sched->counters.answered;
	ret->failed = sched->counters.answered - sched->counters.succeeded;
	ret->memory_bytes = group->device->caps.memory_bytes;
	ret->memory_used = device_memory_used(group->device);
	live_begin(sched, now, space);
	list_cores(group, space, ret);
	list_classes(sched, space, ret);
	r = list_clients(session, space, ret);
	if (r == 0)
		r = list_models(session, space, ret);
	live_end(sched);
	return r < 0 ? r : list_health(group, now, ret);
}

void request_get_activity(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	uint32_t serial = req->serial; /* the arena is about to be used again */
	uint64_t began = loop_now();
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Activity body = ZY__ACTIVITY__INIT;

	(void)fds;
	if (!request_may_look(session, serial))
		return;
	arena_reset(&session->group->arena);
	response.body_case = ZY__RESPONSE__BODY_ACTIVITY;
	response.activity = &body;
	if (fill(session, began, &body) < 0)
		reply_refuse(session, serial, ZY_NO_MEMORY, "the daemon is out of memory");
	else if (reply_body(session, serial, &response, NULL) < 0)
		reply_refuse(session, serial, ZY_INTERNAL, "the answer does not fit into a packet");
	request_looked(session, began);
}
