/* SPDX-License-Identifier: Apache-2.0 */
#include "client/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/control.h"
#include "client/image.h"
#include "client/text.h"
#include "proto/scope.h"

#define MAX_NAME 63u

static void model_finish(struct zy_object *object)
{
	struct zhouyi_model *model = (struct zhouyi_model *)object;

	for (unsigned int kind = 0; kind < ZY_N_KINDS; kind++)
		free(model->tensors[kind]);
	free(model->texts);
}

static const struct zy_object_type model_type = {
	.kind = ZY_OBJECT_MODEL,
	.finish = model_finish,
};

/* Tensors come in any order; each kind's indices are 0 to n - 1, each once. */
static int count_tensors(struct zhouyi_model *model, const Zy__Model *said)
{
	for (size_t i = 0; i < said->n_tensors; i++) {
		const Zy__Tensor *t = said->tensors[i];

		if (t->kind != ZY__TENSOR_KIND__INPUT && t->kind != ZY__TENSOR_KIND__OUTPUT)
			return -1;
		if (t->size == 0 || t->size > SIZE_MAX / 2 || t->n_dims > ZHOUYI_MAX_RANK)
			return -1;
		model->n_tensors[t->kind]++;
	}
	return 0;
}

static enum zhouyi_layout layout_of(const Zy__Tensor *said)
{
	if (said->layout == ZHOUYI_LAYOUT_NHWC || said->layout == ZHOUYI_LAYOUT_NCHW)
		return (enum zhouyi_layout)said->layout;
	return ZHOUYI_LAYOUT_UNKNOWN;
}

static void fill_tensor(struct zhouyi_tensor *ret, const Zy__Tensor *said, const char *name)
{
	*ret = (struct zhouyi_tensor){
		.kind = (enum zhouyi_tensor_kind)said->kind,
		.index = said->index,
		.name = name,
		.size = (size_t)said->size,
		.type = (enum zhouyi_data_type)said->type,
		.rank = (unsigned int)said->n_dims,
		.layout = layout_of(said),
		.scale = isfinite(said->scale) && said->scale > 0 ? said->scale : 0,
		.zero_point = said->zero_point,
	};
	for (size_t i = 0; i < said->n_dims; i++)
		ret->dims[i] = said->dims[i];
}

static int place_tensors(struct zhouyi_model *model, const Zy__Model *said, char **texts)
{
	for (size_t i = 0; i < said->n_tensors; i++) {
		const Zy__Tensor *t = said->tensors[i];
		struct zhouyi_tensor *tensor;

		if (t->index >= model->n_tensors[t->kind])
			return -1;
		tensor = &model->tensors[t->kind][t->index];
		if (tensor->name) /* this index was there already */
			return -1;
		fill_tensor(tensor, t, zy_text_put(texts, t->name));
	}
	return 0;
}

static size_t texts_size(const Zy__Model *said)
{
	size_t size =
		zy_text_size(said->name) + zy_text_size(said->hash) + zy_text_size(said->target);

	for (size_t i = 0; i < said->n_tensors; i++)
		size += zy_text_size(said->tensors[i]->name);
	return size;
}

static int allocate(struct zhouyi_model *model, const Zy__Model *said)
{
	for (unsigned int kind = 0; kind < ZY_N_KINDS; kind++) {
		model->tensors[kind] =
			calloc(model->n_tensors[kind] + 1, sizeof(*model->tensors[kind]));
		if (!model->tensors[kind])
			return -1;
	}
	model->texts = malloc(texts_size(said));
	return model->texts ? 0 : -1;
}

static int model_fill(struct zhouyi_model *model, const Zy__Model *said)
{
	struct zhouyi_client *client = model->object.client;
	char *texts;

	if (count_tensors(model, said) < 0)
		return zy_client_violation(client, "a model with an impossible tensor");
	if (allocate(model, said) < 0)
		return zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, NULL);
	texts = model->texts;
	model->name = zy_text_put(&texts, said->name);
	model->hash = zy_text_put(&texts, said->hash);
	model->target = zy_text_put(&texts, said->target);
	if (place_tensors(model, said, &texts) < 0)
		return zy_client_violation(client, "a model whose tensors are not in order");
	return 0;
}

/* Send a request that is answered with a model. */
static int model_get(struct zhouyi_client *client, Zy__Request *request, int fd,
		     struct zhouyi_model **ret)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	struct zhouyi_model *model;
	int r;

	r = zy_control_call(client, request, fd, ZY__RESPONSE__BODY_MODEL, &reply);
	if (r < 0)
		return r;
	model = calloc(1, sizeof(*model));
	if (!model)
		return zy_client_fail(client, ZHOUYI_ERROR_NO_MEMORY, NULL);
	zy_object_init(&model->object, &model_type, client, reply.response->model->model);
	r = model_fill(model, reply.response->model);
	if (r < 0) {
		zhouyi_model_close(model);
		return r;
	}
	*ret = model;
	return 0;
}

static int check_name(struct zhouyi_client *client, const char *name, unsigned int flags)
{
	if (flags & ~ZHOUYI_LOAD_KEEP)
		return zy_client_fail(client, ZHOUYI_ERROR_INVALID, "unknown flags 0x%x", flags);
	if (name && strlen(name) > MAX_NAME)
		return zy_client_fail(client, ZHOUYI_ERROR_INVALID,
				      "a model's name has at most %u bytes", MAX_NAME);
	return 0;
}

static int load(struct zhouyi_client *client, int fd, const char *name, unsigned int flags,
		struct zhouyi_model **ret)
{
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__LoadModel load_model = ZY__LOAD_MODEL__INIT;

	load_model.name = (char *)name;
	load_model.keep = flags & ZHOUYI_LOAD_KEEP;
	request.body_case = ZY__REQUEST__BODY_LOAD_MODEL;
	request.load_model = &load_model;
	return model_get(client, &request, fd, ret);
}

/* "/models/face.elf" is called "face.elf". */
static void name_from_path(char *ret, size_t size, const char *path)
{
	const char *slash = strrchr(path, '/');

	snprintf(ret, size, "%s", slash ? slash + 1 : path);
}

int zhouyi_model_load_file(struct zhouyi_client *client, const char *path, const char *name,
			   unsigned int flags, struct zhouyi_model **ret)
{
	zy_auto(zy_close) int fd = -1;
	char file_name[MAX_NAME + 1];
	int r;

	r = zy_client_check(client);
	if (r == 0)
		r = check_name(client, name, flags);
	if (r == 0)
		r = zy_image_from_file(client, path, &fd);
	if (r < 0)
		return r;
	name_from_path(file_name, sizeof(file_name), path);
	return load(client, fd, name ? name : file_name, flags, ret);
}

int zhouyi_model_load_memory(struct zhouyi_client *client, const void *image, size_t size,
			     const char *name, unsigned int flags, struct zhouyi_model **ret)
{
	zy_auto(zy_close) int fd = -1;
	int r;

	r = zy_client_check(client);
	if (r == 0)
		r = check_name(client, name, flags);
	if (r == 0)
		r = zy_image_from_memory(client, image, size, &fd);
	if (r < 0)
		return r;
	return load(client, fd, name ? name : "", flags, ret);
}

int zhouyi_model_open(struct zhouyi_client *client, const char *name, struct zhouyi_model **ret)
{
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__OpenModel open_model = ZY__OPEN_MODEL__INIT;

	open_model.name = (char *)name;
	request.body_case = ZY__REQUEST__BODY_OPEN_MODEL;
	request.open_model = &open_model;
	return model_get(client, &request, -1, ret);
}

void zhouyi_model_close(struct zhouyi_model *model)
{
	if (model)
		zy_object_unref(&model->object);
}

int zhouyi_model_unload(struct zhouyi_client *client, const char *name)
{
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__UnloadModel unload = ZY__UNLOAD_MODEL__INIT;

	unload.name = (char *)name;
	request.body_case = ZY__REQUEST__BODY_UNLOAD_MODEL;
	request.unload_model = &unload;
	return zy_control_ask(client, &request);
}

unsigned int zhouyi_model_n_tensors(const struct zhouyi_model *model, enum zhouyi_tensor_kind kind)
{
	return (unsigned int)kind < ZY_N_KINDS ? model->n_tensors[kind] : 0;
}

const struct zhouyi_tensor *zhouyi_model_tensor(const struct zhouyi_model *model,
						enum zhouyi_tensor_kind kind, unsigned int index)
{
	if (index >= zhouyi_model_n_tensors(model, kind))
		return NULL;
	return &model->tensors[kind][index];
}

const char *zhouyi_model_name(const struct zhouyi_model *model)
{
	return model->name;
}

const char *zhouyi_model_hash(const struct zhouyi_model *model)
{
	return model->hash;
}

const char *zhouyi_model_target(const struct zhouyi_model *model)
{
	return model->target;
}
