/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/model.h"
#include "daemon/request_internal.h"
#include "daemon/warmup.h"
#include "loadable/graph.h"
#include "proto/scope.h"
#include "proto/status.h"

#define HASH_TEXT 65u

struct pending_load {
	struct pending pending;
	struct model *model; /* a reference, while it warms up */
};

static char *hash_text(const struct model *model, char ret[HASH_TEXT])
{
	for (size_t i = 0; i < sizeof(model->hash); i++)
		snprintf(ret + 2 * i, 3, "%02x", model->hash[i]);
	return ret;
}

static char *target_text(const struct model *model)
{
	struct graph *graph = model->graph;

	return graph->detailed_target[0] ? graph->detailed_target : graph->target.name;
}

/* Files name tensors as they like, but what is no printable text cannot travel as a string. */
static char *tensor_name(struct graph_tensor *tensor)
{
	size_t n;

	for (const char *c = tensor->name; *c; c += n) {
		n = log_printable(c);
		if (!n)
			return (char *)"";
	}
	return tensor->name;
}

static void describe_tensor(struct graph_tensor *tensor, Zy__TensorKind kind, size_t index,
			    Zy__Tensor *ret)
{
	zy__tensor__init(ret);
	ret->kind = kind;
	ret->index = (uint32_t)index;
	ret->name = tensor_name(tensor);
	ret->size = tensor->size;
	ret->type = tensor->type;
	ret->n_dims = tensor->rank;
	ret->dims = tensor->dims;
	ret->layout = tensor->layout;
	ret->scale = tensor->scale;
	ret->zero_point = tensor->zero_point;
}

/* -ENOMEM: more tensors than a message may have. */
static int describe_tensors(struct model *model, struct arena *arena, Zy__Model *ret)
{
	struct graph_tensors *in = &model->graph->tensors[GRAPH_TENSOR_INPUT];
	struct graph_tensors *out = &model->graph->tensors[GRAPH_TENSOR_OUTPUT];
	size_t n = in->n + out->n;
	Zy__Tensor *tensors, **list;

	arena_reset(arena);
	tensors = arena_array(arena, n, sizeof(*tensors));
	list = arena_array(arena, n, sizeof(*list));
	if (!tensors || !list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (i < in->n)
			describe_tensor(&in->tensor[i], ZY__TENSOR_KIND__INPUT, i, &tensors[i]);
		else
			describe_tensor(&out->tensor[i - in->n], ZY__TENSOR_KIND__OUTPUT, i - in->n,
					&tensors[i]);
		list[i] = &tensors[i];
	}
	ret->n_tensors = n;
	ret->tensors = list;
	return 0;
}

static int reply_model(struct session *session, uint32_t serial, struct model *model, uint32_t id,
		       bool shared)
{
	Zy__Model body = ZY__MODEL__INIT;
	Zy__Response response = ZY__RESPONSE__INIT;
	char hash[HASH_TEXT];
	int r;

	r = describe_tensors(model, &session->group->arena, &body);
	if (r < 0)
		return r;
	body.model = id;
	body.name = model->name;
	body.hash = hash_text(model, hash);
	body.target = target_text(model);
	body.device_bytes = model->device_bytes;
	body.shared = shared;
	response.body_case = ZY__RESPONSE__BODY_MODEL;
	response.model = &body;
	return reply_body(session, serial, &response, NULL);
}

/* A place is reserved for it. The reference on @model is taken over. */
static void give_model(struct session *session, uint32_t serial, struct model *model, bool shared)
{
	zy_auto(model_unref) struct model *owned = model;
	uint32_t id;
	int r = objects_add_model(&session->objects, model, &id);

	if (r < 0) {
		objects_unreserve_model(&session->objects);
		reply_refuse(session, serial, zy_status_from_errno(r), "%s",
			     r == -EDQUOT ? session->objects.refusal
					  : "the daemon is out of memory");
		return;
	}
	zy_take(owned);
	if (reply_model(session, serial, model, id, shared) < 0) {
		objects_close_model(&session->objects, id);
		reply_refuse(session, serial, ZY_NOT_SUPPORTED,
			     "the model has more tensors than can be described");
	}
}

static bool reserve(struct session *session, uint32_t serial)
{
	if (objects_reserve_model(&session->objects) == 0)
		return true;
	reply_refuse(session, serial, ZY_LIMIT, "%s", session->objects.refusal);
	return false;
}

/* The model is there and warm. */
static void on_warm(void *arg)
{
	zy_auto(zy_free) struct pending_load *load = arg;
	struct session *session = pending_end(&load->pending);

	if (session)
		give_model(session, load->pending.serial, load->model, false);
	else
		model_unref(load->model);
}

static void on_loaded(void *arg, struct model *model, bool shared, int error, const char *text)
{
	zy_auto(zy_free) struct pending_load *load = arg;
	struct session_group *group = load->pending.group;
	struct session *session;

	load->model = model;
	if (model && !shared && group->warm_up_ns &&
	    warmup_start(group->scheduler, model, group->warm_up_ns, on_warm, load) == 0) {
		zy_take(load);
		return;
	}
	session = pending_end(&load->pending);
	if (!session) {
		model_unref(model);
		return;
	}
	if (!model) {
		objects_unreserve_model(&session->objects);
		reply_refuse(session, load->pending.serial, zy_status_from_errno(error), "%s",
			     text);
		return;
	}
	give_model(session, load->pending.serial, model, shared);
}

void request_load_model(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	const Zy__LoadModel *body = req->load_model;
	unsigned int flags = body->keep ? MODEL_KEEP : 0;
	struct pending_load *load;

	if (access_may(&session->grant, ACCESS_LOAD_NATIVE))
		flags |= MODEL_NATIVE;
	if (!request_check_name(session, req->serial, body->name, MODEL_NAME_MAX - 1))
		return;
	if (body->keep && !body->name[0]) {
		reply_refuse(session, req->serial, ZY_INVALID, "a model needs a name to be kept");
		return;
	}
	if (!reserve(session, req->serial))
		return;
	load = calloc(1, sizeof(*load));
	if (load)
		pending_start(&load->pending, session, req->serial);
	if (load && model_registry_load(session->group->models, zy_fds_take(fds, 0), body->name,
					flags, on_loaded, load) == 0)
		return;
	if (load)
		pending_end(&load->pending);
	free(load);
	objects_unreserve_model(&session->objects);
	reply_refuse(session, req->serial, ZY_NO_MEMORY, "the daemon is out of memory");
}

void request_open_model(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	struct model *model = model_registry_find(session->group->models, req->open_model->name);

	(void)fds;
	if (!model || !model->graph) {
		reply_refuse(session, req->serial, ZY_NOT_FOUND,
			     "no model is kept under the name '%s'", req->open_model->name);
		return;
	}
	if (reserve(session, req->serial))
		give_model(session, req->serial, model_ref(model), true);
}

void request_close_model(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	int r = objects_close_model(&session->objects, req->close_model->model);

	(void)fds;
	if (r == -ENOENT)
		reply_refuse(session, req->serial, ZY_NOT_FOUND, "there is no model %u",
			     req->close_model->model);
	else if (r == -EBUSY)
		reply_refuse(session, req->serial, ZY_BUSY,
			     "model %u has bindings: destroy them first", req->close_model->model);
	else
		reply_done(session, req->serial);
}

void request_unload_model(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	const char *name = req->unload_model->name;

	(void)fds;
	if (model_registry_unkeep(session->group->models, name) < 0)
		reply_refuse(session, req->serial, ZY_NOT_FOUND,
			     "no model is kept under the name '%s'", name);
	else
		reply_done(session, req->serial);
}

static void summarize(struct model *model, char hash[HASH_TEXT], Zy__ModelSummary *ret)
{
	zy__model_summary__init(ret);
	ret->name = model->name;
	ret->hash = hash_text(model, hash);
	ret->target = target_text(model);
	ret->kept = model->kept;
	ret->users = model->n_users;
	ret->slots = model->n_slots;
	ret->device_bytes = model->device_bytes;
	ret->requests = model->n_requests;
}

/* The models that are there, as messages in the arena; -ENOMEM. */
static int list_models(struct model_registry *reg, struct arena *arena, Zy__ModelList *ret)
{
	Zy__ModelSummary *summary;
	struct model *model;
	char *hashes;

	arena_reset(arena);
	summary = arena_array(arena, reg->n_models, sizeof(*summary));
	hashes = arena_array(arena, reg->n_models, HASH_TEXT);
	ret->models = arena_array(arena, reg->n_models, sizeof(*ret->models));
	if (!summary || !hashes || !ret->models)
		return -ENOMEM;
	list_for_each (model, &reg->models, link) {
		if (!model->graph || ret->n_models == reg->n_models)
			continue;
		summarize(model, hashes + ret->n_models * HASH_TEXT, &summary[ret->n_models]);
		ret->models[ret->n_models] = &summary[ret->n_models];
		ret->n_models++;
	}
	return 0;
}

void request_list_models(struct session *session, const Zy__Request *req, struct zy_fds *fds)
{
	Zy__ModelList body = ZY__MODEL_LIST__INIT;
	Zy__Response response = ZY__RESPONSE__INIT;
	uint32_t serial = req->serial; /* the arena is about to be used again */
	int r;

	(void)fds;
	r = list_models(session->group->models, &session->group->arena, &body);
	response.body_case = ZY__RESPONSE__BODY_MODELS;
	response.models = &body;
	if (r == 0)
		r = reply_body(session, serial, &response, NULL);
	if (r < 0)
		reply_refuse(session, serial, ZY_INTERNAL, "there are too many models to list");
}
