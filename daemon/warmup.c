/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/warmup.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/binding.h"
#include "daemon/buffer.h"
#include "daemon/model.h"
#include "daemon/scheduler.h"

struct warmup {
	struct work work;
	struct job_owner owner;
	struct scheduler *scheduler; /* borrowed */
	struct model *model;	     /* a reference */
	struct buffer *buffer;	     /* a reference; room for all tensors */
	uint64_t limit_ns;
	void (*done)(void *arg);
	void *arg;
};

static void finish(struct warmup *warmup)
{
	void (*done)(void *arg) = warmup->done;
	void *arg = warmup->arg;

	scheduler_forget(warmup->scheduler, &warmup->owner);
	buffer_unref(warmup->buffer);
	model_unref(warmup->model);
	free(warmup);
	done(arg);
}

static void on_answer(struct job_owner *owner, const struct zy_complete *answer)
{
	if (answer->flags & ZY_COMPLETE_RELEASED)
		finish(list_entry(owner, struct warmup, owner));
}

static size_t tensor_bytes(const struct model *model)
{
	size_t bytes = 0;

	for (int kind = GRAPH_TENSOR_INPUT; kind <= GRAPH_TENSOR_OUTPUT; kind++)
		for (size_t i = 0; i < model->graph->tensors[kind].n; i++)
			bytes += model->graph->tensors[kind].tensor[i].size;
	return bytes;
}

static int bind(struct warmup *warmup, struct binding **ret)
{
	const struct graph_tensors *in = &warmup->model->graph->tensors[GRAPH_TENSOR_INPUT];
	const struct graph_tensors *out = &warmup->model->graph->tensors[GRAPH_TENSOR_OUTPUT];
	zy_auto(zy_free) struct binding_range *ranges = calloc(in->n + out->n, sizeof(*ranges));
	struct loadable_error error;
	uint64_t offset = 0;

	if (!ranges)
		return -ENOMEM;
	for (size_t i = 0; i < in->n + out->n; i++) {
		const struct graph_tensor *tensor =
			i < in->n ? &in->tensor[i] : &out->tensor[i - in->n];

		ranges[i] = (struct binding_range){
			.kind = i < in->n ? GRAPH_TENSOR_INPUT : GRAPH_TENSOR_OUTPUT,
			.index = tensor->id,
			.buffer = warmup->buffer,
			.offset = offset,
			.size = tensor->size,
		};
		offset += tensor->size;
	}
	return binding_create(ret, warmup->model, ranges, in->n + out->n, &error);
}

static void prepare_run(struct work *work)
{
	struct warmup *warmup = list_entry(work, struct warmup, work);

	/* Without it there is no run, and no harm done. */
	(void)buffer_create(&warmup->buffer, warmup->scheduler->device,
			    tensor_bytes(warmup->model));
}

static void prepare_done(struct work *work)
{
	struct warmup *warmup = list_entry(work, struct warmup, work);
	const struct zy_submit entry = {.class = ZY_CLASS_BACKGROUND,
					.timeout_ns = warmup->limit_ns};
	zy_auto(binding_unref) struct binding *binding = NULL;

	if (warmup->buffer)
		warmup->buffer->worker = warmup->scheduler->worker;
	if (!warmup->buffer || bind(warmup, &binding) < 0 ||
	    scheduler_submit(warmup->scheduler, &warmup->owner, binding, &entry, NULL) < 0)
		finish(warmup);
}

int warmup_start(struct scheduler *sched, struct model *model, uint64_t limit_ns,
		 void (*done)(void *arg), void *arg)
{
	struct warmup *warmup = calloc(1, sizeof(*warmup));

	if (!warmup)
		return -ENOMEM;
	if (scheduler_join(sched, &warmup->owner, &(struct account_key){.uid = UINT32_MAX}, 0,
			   on_answer) < 0) {
		free(warmup);
		return -ENOMEM;
	}
	warmup->owner.is_internal = true;
	warmup->work = (struct work){.run = prepare_run, .done = prepare_done};
	warmup->scheduler = sched;
	warmup->model = model_ref(model);
	warmup->limit_ns = limit_ns;
	warmup->done = done;
	warmup->arg = arg;
	worker_submit(sched->worker, &warmup->work);
	return 0;
}
