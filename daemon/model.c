/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/model.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/device.h"
#include "daemon/model_memory.h"
#include "loadable/graph.h"

#define DEFAULT_MAX_MODELS 64
#define DEFAULT_MIN_IMAGE (UINT64_C(16) << 20)

/* What is in an image must fit the device; copying more than that is in vain. */
static size_t default_max_image(const struct device *device)
{
	uint64_t max = device->caps.memory_bytes;

	if (max < DEFAULT_MIN_IMAGE)
		max = DEFAULT_MIN_IMAGE;
	return max < LOADABLE_MAX_SIZE ? (size_t)max : LOADABLE_MAX_SIZE;
}

int model_registry_init(struct model_registry *reg, struct device *device, struct worker *worker)
{
	*reg = (struct model_registry){
		.device = device,
		.worker = worker,
		.max_models = DEFAULT_MAX_MODELS,
		.max_image = default_max_image(device),
		.max_slot_bytes = device->caps.memory_bytes,
	};
	list_init(&reg->models);
	return 0;
}

void model_registry_finish(struct model_registry *reg)
{
	struct model *model, *next;

	/* Nobody is left who could be held up. */
	reg->worker = NULL;
	list_for_each_safe (model, next, &reg->models, link) {
		if (!model->kept)
			continue;
		model->kept = false;
		model_unref(model);
	}
	assert(list_is_empty(&reg->models));
}

struct model *model_registry_find(struct model_registry *reg, const char *name)
{
	struct model *model;

	list_for_each (model, &reg->models, link)
		if (model->kept && strcmp(model->name, name) == 0)
			return model;
	return NULL;
}

int model_registry_unkeep(struct model_registry *reg, const char *name)
{
	struct model *model = model_registry_find(reg, name);

	if (!model)
		return -ENOENT;
	model->kept = false;
	model_unref(model);
	return 0;
}

int model_keep(struct model *model, const char *name, char *text, size_t size)
{
	struct model *other = model_registry_find(model->registry, name);

	if (other == model)
		return 0;
	if (other) {
		snprintf(text, size, "another model is kept as '%s': unload it first", name);
		return -EEXIST;
	}
	if (model->kept) {
		snprintf(text, size, "this model is kept already, as '%s'", model->name);
		return -EEXIST;
	}
	model->kept = true;
	/* What was counted stays where it was, under the name it had. */
	metrics_leave(model->registry->metrics, &model->place);
	snprintf(model->name, sizeof(model->name), "%s", name);
	model_ref(model);
	return 0;
}

/*
 * Models
 */

struct model *model_create(struct model_registry *reg, const uint8_t hash[32], const char *name)
{
	struct model *model = calloc(1, sizeof(*model));
	struct model_memory *memory = calloc(1, sizeof(*memory));

	if (!model || !memory) {
		free(model);
		free(memory);
		return NULL;
	}
	memory->device = reg->device;
	list_init(&memory->waiting);
	memory->model = model;
	model->registry = reg;
	model->n_refs = 1;
	model->memory = memory;
	memcpy(model->hash, hash, sizeof(model->hash));
	snprintf(model->name, sizeof(model->name), "%s", name);
	list_init(&model->free_slots);
	policy_gate_init(&model->gate);
	list_append(&reg->models, &model->link);
	reg->n_models++;
	return model;
}

struct model *model_ref(struct model *model)
{
	model->n_refs++;
	return model;
}

void model_memory_destroy(struct model_memory *memory)
{
	if (!memory)
		return;
	cmd_v3_plan_destroy(memory->plan);
	device_buffer_destroy(memory->shared);
	free(memory->rodata);
	free(memory->desc);
	free(memory->ranges);
	free(memory);
}

/* Who holds a slot holds the model, so now all of them are free. */
static void destroy_device_memory(struct model *model)
{
	struct slot *slot, *next;

	list_for_each_safe (slot, next, &model->free_slots, link)
		slot_destroy(slot);
	device_buffer_destroy(model->memory->shared);
	model->memory->shared = NULL;
}

static void model_destroy(struct model *model)
{
	destroy_device_memory(model);
	graph_destroy(model->graph);
	model_memory_destroy(model->memory);
	free(model);
}

static struct model *retired_model(struct work *work)
{
	return list_entry(work, struct model_memory, retirement)->model;
}

/* Giving back megabytes takes the kernel a while, and the loop has better things to do. */
static void on_retirement(struct work *work)
{
	destroy_device_memory(retired_model(work));
}

static void on_retired(struct work *work)
{
	model_destroy(retired_model(work));
}

void model_unref(struct model *model)
{
	if (!model || --model->n_refs > 0)
		return;
	assert(!model->kept);
	list_remove(&model->link);
	model->registry->n_models--;
	metrics_leave(model->registry->metrics, &model->place);
	if (!model->memory->shared || !model->registry->worker) {
		model_destroy(model);
		return;
	}
	model->memory->retirement.run = on_retirement;
	model->memory->retirement.done = on_retired;
	worker_submit(model->registry->worker, &model->memory->retirement);
}
