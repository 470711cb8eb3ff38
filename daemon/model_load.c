/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: from a client's descriptor to a model that can run.
 *
 *	loop      load     (1)                known hash: join     (2)             answers
 *	            |       ^                 else list, loading    ^                 |
 *	worker      +-------+ copy, hash          +-----------------+ parse, check,   v
 *	                                                              allocate, upload
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/model_image.h"
#include "daemon/model_memory.h"
#include "loadable/graph.h"
#include "loadable/program.h"
#include "npu/isa.h"

struct model_load {
	struct work work;
	struct list link; /* model_memory.waiting */
	struct model_registry *reg;
	int fd; /* owned, until it is copied */
	char name[MODEL_NAME_MAX];
	unsigned int flags; /* MODEL_KEEP, … */
	bool is_native;	    /* the vendor's code */
	model_loaded_fn done;
	void *arg;

	struct model_image image; /* owned, until the model is built */
	struct model *model;	  /* a reference; the one that this load builds */
	struct graph *graph;	  /* what the worker built; the model's if all went well */
	struct slot *slot;
	uint64_t needed; /* device memory */
	int error;
	char text[sizeof(struct loadable_error)];
};

/*
 * Answers
 */

/* All programs share the device's memory, and what the vendor's do in it cannot be checked. */
static int check_native(struct model_load *load)
{
	if (!load->is_native || (load->flags & MODEL_NATIVE))
		return load->error;
	snprintf(load->text, sizeof(load->text),
		 "has native code, which can read everything on the device: it takes the right "
		 "load-native");
	return -EACCES;
}

static void load_answer(struct model_load *load, struct model *model, bool shared)
{
	int error = check_native(load);

	if (error == 0 && (load->flags & MODEL_KEEP))
		error = model_keep(model, load->name, load->text, sizeof(load->text));
	if (error < 0)
		load->done(load->arg, NULL, false, error, load->text);
	else
		load->done(load->arg, model_ref(model), shared, 0, "");
	model_image_finish(&load->image);
	free(load);
}

/* Everybody who waited gets what the one who did the work got. */
static void answer_all(struct model_load *load)
{
	struct model *model = load->model;
	struct list *waiting = &model->memory->waiting;
	struct model_load *other;

	while ((other = list_first(waiting, struct model_load, link))) {
		list_remove(&other->link);
		other->error = load->error;
		other->is_native = load->is_native;
		memcpy(other->text, load->text, sizeof(other->text));
		load_answer(other, model, true);
	}
	load_answer(load, model, false);
	model_unref(model);
}

/*
 * Building, on the worker
 */

static int check_target(struct model_load *load)
{
	const struct graph_target *target = &load->graph->target;
	const struct device_caps *caps = &load->reg->device->caps;

	if (target->architecture == caps->target.architecture &&
	    target->version == caps->target.version && target->config == caps->target.config)
		return 0;
	snprintf(load->text, sizeof(load->text), "built for %s, this device is %s (%s)",
		 target->name,
		 caps->target.architecture == NPU_ARCHITECTURE ? "a software NPU" : "an NPU",
		 caps->target.name);
	return -EXDEV;
}

static int make_plan(struct model_load *load, struct loadable_error *error)
{
	const struct device_caps *caps = &load->reg->device->caps;
	struct model_memory *memory = load->model->memory;
	const struct cmd_v3_config config = {
		.cores = caps->cores / caps->clusters,
		.tecs = caps->tecs,
		.asid0_base = caps->asid0_base,
		.window_size = caps->window_size,
		.tail_bytes = caps->tail_bytes,
		/* The software NPU works on bytes, wherever they are. */
		.lend_io = !caps->tail_bytes && caps->target.architecture == NPU_ARCHITECTURE,
	};
	int r = cmd_v3_plan_create(&memory->plan, load->graph, &config, error);

	if (r < 0)
		return r;
	if (slot_bytes(memory) > load->reg->max_slot_bytes) {
		snprintf(error->text, sizeof(error->text),
			 "needs %llu bytes of device memory for each execution slot, %llu are "
			 "allowed",
			 (unsigned long long)slot_bytes(memory),
			 (unsigned long long)load->reg->max_slot_bytes);
		return -EFBIG;
	}
	return slot_ranges_create(&memory->ranges, &memory->n_ranges, memory->plan);
}

static uint8_t *copy_blob(const struct blob *blob)
{
	uint8_t *copy = malloc(blob->size ? blob->size : 1);

	if (copy && blob->size)
		memcpy(copy, blob->data, blob->size);
	return copy;
}

static void upload(const struct model_memory *memory)
{
	const struct cmd_v3_plan *plan = memory->plan;
	const struct graph *graph = plan->graph;
	uint8_t *to = memory->shared->cpu + memory->shared_offset;

	memcpy(to + plan->text.offset, graph->text.data, graph->text.size);
	if (graph->crodata.size)
		memcpy(to + plan->crodata.offset, graph->crodata.data, graph->crodata.size);
	for (size_t i = 0; i < graph->n_statics; i++)
		if (graph->statics[i].size)
			memcpy(to + plan->statics[i].offset,
			       graph->weight.data + graph->statics[i].src_offset,
			       graph->statics[i].size);
}

static int make_memory(struct model_load *load)
{
	struct model_memory *memory = load->model->memory;
	const struct cmd_v3_plan *plan = memory->plan;
	uint64_t shared_bytes = cmd_v3_part_bytes(plan->shared_size, plan->shared_align);
	uint64_t address;
	int r;

	load->needed = shared_bytes + slot_bytes(memory);
	memory->rodata = copy_blob(&load->graph->rodata);
	memory->desc = copy_blob(&load->graph->desc);
	if (!memory->rodata || !memory->desc)
		return -ENOMEM;
	memory->epoch = device_epoch(memory->device);
	r = device_buffer_create(memory->device, shared_bytes, &memory->shared);
	if (r < 0)
		return r;
	/* It may change at any time; see slot_renew(). */
	address = memory->shared->address;
	r = cmd_v3_part_place(&plan->config, address, plan->shared_size, plan->shared_align,
			      &memory->shared_at);
	if (r < 0)
		return r;
	memory->shared_offset = memory->shared_at - address;
	upload(memory);
	return slot_create(&load->slot, load->model, memory);
}

static int build(struct model_load *load)
{
	struct loadable_error error = {"out of memory"};
	int r;

	r = loadable_elf_parse(&load->graph, load->image.data, load->image.size, &error);
	if (r == 0) {
		load->is_native = load->graph->target.architecture == GRAPH_ARCHITECTURE_NATIVE;
		r = check_target(load);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = program_check(load->graph, &error);
	if (r == 0)
		r = make_plan(load, &error);
	if (r < 0) {
		memcpy(load->text, error.text, sizeof(load->text));
		return r;
	}
	return make_memory(load);
}

/* What was taken from the image is on the device now, or copied. */
static void drop_image(struct model_load *load)
{
	struct graph *graph = load->graph;

	if (graph) {
		graph->text = graph->crodata = graph->rodata = (struct blob){NULL, 0};
		graph->desc = graph->weight = (struct blob){NULL, 0};
	}
	model_image_finish(&load->image);
}

/* A failed load gives its memory back here, so that the answer can say what is free. */
static void build_run(struct work *work)
{
	struct model_load *load = list_entry(work, struct model_load, work);
	struct model_memory *memory = load->model->memory;

	load->error = build(load);
	drop_image(load);
	if (load->error == 0)
		return;
	slot_destroy(zy_take(load->slot));
	device_buffer_destroy(zy_take(memory->shared));
	cmd_v3_plan_destroy(zy_take(memory->plan));
	graph_destroy(zy_take(load->graph));
}

static void describe_shortage(struct model_load *load)
{
	const struct device *device = load->reg->device;
	uint64_t all = device->caps.memory_bytes;
	uint64_t used = device_memory_used(load->reg->device);

	if (load->error == -ENOSPC)
		snprintf(load->text, sizeof(load->text),
			 "needs %llu bytes of device memory, %llu of %llu are free",
			 (unsigned long long)load->needed, (unsigned long long)(all - used),
			 (unsigned long long)all);
	else if (load->error == -ENODEV)
		snprintf(load->text, sizeof(load->text), "the device is gone");
	else if (!load->text[0])
		snprintf(load->text, sizeof(load->text), "%s", strerror(-load->error));
}

static void build_done(struct work *work)
{
	struct model_load *load = list_entry(work, struct model_load, work);
	struct model *model = load->model;

	if (load->error < 0) {
		describe_shortage(load);
		/* Nobody may find what will not come to be. */
		list_remove(&model->link);
	} else {
		model->graph = zy_take(load->graph);
		model->device_bytes =
			model->memory->shared->size + load->slot->memory->buffer->size;
		model->n_slots = 1;
		list_append(&model->free_slots, &zy_take(load->slot)->link);
	}
	answer_all(load);
}

/*
 * Copying, and finding out whether it is known
 */

static struct model *find_by_hash(struct model_registry *reg, const uint8_t hash[32])
{
	struct model *model;

	list_for_each (model, &reg->models, link)
		if (memcmp(model->hash, hash, sizeof(model->hash)) == 0)
			return model;
	return NULL;
}

static void copy_run(struct work *work)
{
	struct model_load *load = list_entry(work, struct model_load, work);

	load->error = model_image_copy(&load->image, load->fd, load->reg->max_image, load->text,
				       sizeof(load->text));
	close(zy_take_fd(load->fd));
}

/* An unknown image becomes a model that loads, unless there are too many. */
static int list_model(struct model_load *load)
{
	struct model_registry *reg = load->reg;

	/* Found out again at the end; but most often known now, before the work is done. */
	if ((load->flags & MODEL_KEEP) && model_registry_find(reg, load->name)) {
		snprintf(load->text, sizeof(load->text),
			 "another model is kept as '%s': unload it first", load->name);
		return -EEXIST;
	}
	if (reg->n_models >= reg->max_models) {
		snprintf(load->text, sizeof(load->text),
			 "%zu models are loaded, which is as many as there may be", reg->n_models);
		return -EMFILE;
	}
	load->model = model_create(reg, load->image.hash, load->name);
	if (!load->model) {
		snprintf(load->text, sizeof(load->text), "out of memory");
		return -ENOMEM;
	}
	return 0;
}

/* From here on others can join. */
static void begin_build(struct model_load *load)
{
	load->error = list_model(load);
	if (load->error < 0) {
		load_answer(load, NULL, false);
		return;
	}
	load->work.run = build_run;
	load->work.done = build_done;
	worker_submit(load->reg->worker, &load->work);
}

static void copy_done(struct work *work)
{
	struct model_load *load = list_entry(work, struct model_load, work);
	struct model *model;

	if (load->error < 0) {
		load_answer(load, NULL, false);
		return;
	}
	model = find_by_hash(load->reg, load->image.hash);
	if (!model) {
		begin_build(load);
		return;
	}
	model_image_finish(&load->image);
	load->is_native =
		model->graph && model->graph->target.architecture == GRAPH_ARCHITECTURE_NATIVE;
	if (model->graph)
		load_answer(load, model, true);
	else
		list_append(&model->memory->waiting, &load->link);
}

int model_registry_load(struct model_registry *reg, int image_fd, const char *name,
			unsigned int flags, model_loaded_fn done, void *arg)
{
	struct model_load *load = calloc(1, sizeof(*load));

	assert(!(flags & MODEL_KEEP) || name[0]);
	if (!load) {
		close(image_fd);
		return -ENOMEM;
	}
	list_init(&load->link);
	list_init(&load->work.link);
	load->work.run = copy_run;
	load->work.done = copy_done;
	load->reg = reg;
	load->fd = image_fd;
	snprintf(load->name, sizeof(load->name), "%s", name);
	load->flags = flags;
	load->done = done;
	load->arg = arg;
	worker_submit(reg->worker, &load->work);
	return 0;
}
