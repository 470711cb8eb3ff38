/* SPDX-License-Identifier: Apache-2.0 */
/* What goes on in the daemon. The answer is one allocation, as in info.c. */
#include "zhouyi-observe.h"

#include "client/client.h"
#include "client/control.h"
#include "client/text.h"
#include "proto/scope.h"

static void copy_cores(struct zhouyi_activity_core *ret, const Zy__Activity *said)
{
	for (size_t i = 0; i < said->n_cores; i++)
		ret[i] = (struct zhouyi_activity_core){
			.core = said->cores[i]->core,
			.healthy = said->cores[i]->healthy,
			.running = said->cores[i]->running,
			.device_ns = said->cores[i]->device_time,
		};
}

static void copy_classes(struct zhouyi_activity_class *ret, const Zy__Activity *said)
{
	for (size_t i = 0; i < said->n_classes; i++) {
		const Zy__ActivityClass *c = said->classes[i];

		ret[i] = (struct zhouyi_activity_class){
			.request_class = c->class_ < ZY_CLASS_MAX_ ? (enum zhouyi_class)c->class_
								   : ZHOUYI_CLASS_BACKGROUND,
			.queued = c->queued,
			.running = c->running,
			.device_ns = c->device_time,
			.live_ns = c->live_time,
			.answered = c->answered,
		};
	}
}

static void copy_clients(struct zhouyi_activity_client *ret, const Zy__Activity *said, char **texts)
{
	for (size_t i = 0; i < said->n_clients; i++) {
		const Zy__ActivityClient *c = said->clients[i];

		ret[i] = (struct zhouyi_activity_client){
			.session = c->session,
			.clients = c->clients,
			.name = zy_text_append(texts, c->name),
			.pid = c->pid,
			.uid = c->uid,
			.principal = zy_text_append(texts, c->principal),
			.queued = c->queued,
			.running = c->running,
			.device_ns = c->device_time,
			.live_ns = c->live_time,
			.answered = c->answered,
			.failed = c->failed,
		};
	}
}

static void copy_models(struct zhouyi_activity_model *ret, const Zy__Activity *said, char **texts)
{
	for (size_t i = 0; i < said->n_models; i++) {
		const Zy__ActivityModel *m = said->models[i];

		ret[i] = (struct zhouyi_activity_model){
			.models = m->models,
			.name = zy_text_append(texts, m->name),
			.hash = zy_text_append(texts, m->hash),
			.users = m->users,
			.requests = m->requests,
			.device_ns = m->device_time,
			.live_ns = m->live_time,
			.estimate_ns = m->estimate,
		};
	}
}

static struct zhouyi_activity *activity_copy(struct zhouyi_client *client, const Zy__Activity *said)
{
	struct zhouyi_activity_client *clients;
	struct zhouyi_activity_class *classes;
	struct zhouyi_activity_model *models;
	struct zhouyi_activity_core *cores;
	struct zhouyi_activity *activity;
	const char **reasons;
	char *texts;

	/* All of them are as aligned as 64-bit numbers are; pointers come last. */
	activity = zy_text_block(
		client, &said->base,
		sizeof(*activity) + said->n_clients * sizeof(*clients) +
			said->n_models * sizeof(*models) + said->n_classes * sizeof(*classes) +
			said->n_cores * sizeof(*cores) + said->n_reasons * sizeof(*reasons),
		&texts);
	if (!activity)
		return NULL;
	clients = (struct zhouyi_activity_client *)(activity + 1);
	models = (struct zhouyi_activity_model *)(clients + said->n_clients);
	classes = (struct zhouyi_activity_class *)(models + said->n_models);
	cores = (struct zhouyi_activity_core *)(classes + said->n_classes);
	reasons = (const char **)(cores + said->n_cores);
	copy_clients(clients, said, &texts);
	copy_models(models, said, &texts);
	copy_classes(classes, said);
	copy_cores(cores, said);
	for (size_t i = 0; i < said->n_reasons; i++)
		reasons[i] = zy_text_append(&texts, said->reasons[i]);
	*activity = (struct zhouyi_activity){
		.now_ns = said->now,
		.uptime_ns = said->uptime,
		.health = zy_text_append(&texts, said->health),
		.n_reasons = said->n_reasons,
		.reasons = reasons,
		.queued = said->queued,
		.running = said->running,
		.answered = said->answered,
		.failed = said->failed,
		.memory_bytes = said->memory_bytes,
		.memory_used = said->memory_used,
		.n_cores = said->n_cores,
		.cores = cores,
		.n_classes = said->n_classes,
		.classes = classes,
		.n_clients = said->n_clients,
		.clients = clients,
		.n_models = said->n_models,
		.models = models,
	};
	return activity;
}

int zhouyi_activity_get(struct zhouyi_client *client, struct zhouyi_activity **ret)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__GetActivity get = ZY__GET_ACTIVITY__INIT;
	struct zhouyi_activity *activity;
	int r = zy_client_needs(client, ZY_FEATURE_ACTIVITY);

	if (r < 0)
		return r;
	request.body_case = ZY__REQUEST__BODY_GET_ACTIVITY;
	request.get_activity = &get;
	r = zy_control_call(client, &request, -1, ZY__RESPONSE__BODY_ACTIVITY, &reply);
	if (r < 0)
		return r;
	activity = activity_copy(client, reply.response->activity);
	if (!activity)
		return -ZHOUYI_ERROR_NO_MEMORY;
	*ret = activity;
	return 0;
}
