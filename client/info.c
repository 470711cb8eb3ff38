/* SPDX-License-Identifier: Apache-2.0 */
/* Looking around. Each answer is one allocation: the struct, its array, its strings. */
#include <stdlib.h>

#include "client/client.h"
#include "client/control.h"
#include "client/text.h"
#include "proto/scope.h"

/* Its reasons come behind the counters. */
struct status_block {
	struct zhouyi_status status;
	struct zhouyi_counter counters[];
};

struct device_block {
	struct zhouyi_device device;
	struct zhouyi_counter counters[];
};

struct list_block {
	struct zhouyi_model_list list;
	struct zhouyi_model_summary models[];
};

void zhouyi_free(void *info)
{
	free(info);
}

static int no_memory(struct zhouyi_client *client)
{
	return zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, NULL);
}

static size_t counters_text_size(Zy__Counter *const *counters, size_t n)
{
	size_t size = 0;

	for (size_t i = 0; i < n; i++)
		size += zy_text_size(counters[i]->name);
	return size;
}

static void counters_copy(struct zhouyi_counter *ret, Zy__Counter *const *counters, size_t n,
			  char **texts)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = (struct zhouyi_counter){
			.name = zy_text_append(texts, counters[i]->name),
			.value = counters[i]->value,
		};
}

static struct zhouyi_status *status_copy(struct zhouyi_client *client, const Zy__Status *said)
{
	struct status_block *block;
	const char **reasons;
	char *texts;

	block = zy_text_block(client, &said->base,
			      sizeof(*block) + said->n_counters * sizeof(block->counters[0]) +
				      said->n_reasons * sizeof(reasons[0]),
			      &texts);
	if (!block)
		return NULL;
	reasons = (const char **)&block->counters[said->n_counters];
	for (size_t i = 0; i < said->n_reasons; i++)
		reasons[i] = zy_text_append(&texts, said->reasons[i]);
	block->status = (struct zhouyi_status){
		.version = zy_text_append(&texts, said->version),
		.health = zy_text_append(&texts, said->health),
		.uptime_ns = said->uptime_ns,
		.sessions = said->sessions,
		.models = said->models,
		.queued = said->queued,
		.running = said->running,
		.accepted = said->accepted,
		.answered = said->answered,
		.succeeded = said->succeeded,
		.faulted = said->faulted,
		.cancelled = said->cancelled,
		.copied_bytes = said->copied_bytes,
		.n_counters = said->n_counters,
		.counters = block->counters,
		.n_reasons = said->n_reasons,
		.reasons = reasons,
	};
	counters_copy(block->counters, said->counters, said->n_counters, &texts);
	return &block->status;
}

int zhouyi_status_get(struct zhouyi_client *client, struct zhouyi_status **ret)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__GetStatus get = ZY__GET_STATUS__INIT;
	struct zhouyi_status *status;
	int r;

	request.body_case = ZY__REQUEST__BODY_GET_STATUS;
	request.get_status = &get;
	r = zy_control_call(client, &request, -1, ZY__RESPONSE__BODY_DAEMON, &reply);
	if (r < 0)
		return r;
	status = status_copy(client, reply.response->daemon);
	if (!status)
		return -ZHOUYI_ERROR_NO_MEMORY;
	*ret = status;
	return 0;
}

static size_t device_size(const Zy__Device *said)
{
	return sizeof(struct device_block) + said->n_counters * sizeof(struct zhouyi_counter) +
	       zy_text_size(said->backend) + zy_text_size(said->reason) +
	       zy_text_size(said->target) + zy_text_size(said->placement) +
	       counters_text_size(said->counters, said->n_counters);
}

static struct zhouyi_device *device_copy(const Zy__Device *said)
{
	struct device_block *block = malloc(device_size(said));
	char *texts;

	if (!block)
		return NULL;
	texts = (char *)&block->counters[said->n_counters];
	block->device = (struct zhouyi_device){
		.backend = zy_text_put(&texts, said->backend),
		.reason = zy_text_put(&texts, said->reason),
		.target = zy_text_put(&texts, said->target),
		.placement = zy_text_put(&texts, said->placement),
		.partitions = said->partitions,
		.clusters = said->clusters,
		.cores = said->cores,
		.tecs = said->tecs,
		.memory_bytes = said->memory_bytes,
		.memory_used = said->memory_used,
		.n_counters = said->n_counters,
		.counters = block->counters,
	};
	counters_copy(block->counters, said->counters, said->n_counters, &texts);
	return &block->device;
}

int zhouyi_device_get(struct zhouyi_client *client, struct zhouyi_device **ret)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__GetDevice get = ZY__GET_DEVICE__INIT;
	struct zhouyi_device *device;
	int r;

	request.body_case = ZY__REQUEST__BODY_GET_DEVICE;
	request.get_device = &get;
	r = zy_control_call(client, &request, -1, ZY__RESPONSE__BODY_DEVICE, &reply);
	if (r < 0)
		return r;
	device = device_copy(reply.response->device);
	if (!device)
		return no_memory(client);
	*ret = device;
	return 0;
}

static size_t list_size(const Zy__ModelList *said)
{
	size_t size =
		sizeof(struct list_block) + said->n_models * sizeof(struct zhouyi_model_summary);

	for (size_t i = 0; i < said->n_models; i++)
		size += zy_text_size(said->models[i]->name) + zy_text_size(said->models[i]->hash) +
			zy_text_size(said->models[i]->target);
	return size;
}

static struct zhouyi_model_list *list_copy(const Zy__ModelList *said)
{
	struct list_block *block = malloc(list_size(said));
	char *texts;

	if (!block)
		return NULL;
	texts = (char *)&block->models[said->n_models];
	block->list = (struct zhouyi_model_list){.n = said->n_models, .models = block->models};
	for (size_t i = 0; i < said->n_models; i++) {
		const Zy__ModelSummary *model = said->models[i];

		block->models[i] = (struct zhouyi_model_summary){
			.name = zy_text_put(&texts, model->name),
			.hash = zy_text_put(&texts, model->hash),
			.target = zy_text_put(&texts, model->target),
			.kept = model->kept,
			.users = model->users,
			.slots = model->slots,
			.device_bytes = model->device_bytes,
			.requests = model->requests,
		};
	}
	return &block->list;
}

int zhouyi_model_list_get(struct zhouyi_client *client, struct zhouyi_model_list **ret)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__ListModels get = ZY__LIST_MODELS__INIT;
	struct zhouyi_model_list *list;
	int r;

	request.body_case = ZY__REQUEST__BODY_LIST_MODELS;
	request.list_models = &get;
	r = zy_control_call(client, &request, -1, ZY__RESPONSE__BODY_MODELS, &reply);
	if (r < 0)
		return r;
	list = list_copy(reply.response->models);
	if (!list)
		return no_memory(client);
	*ret = list;
	return 0;
}
