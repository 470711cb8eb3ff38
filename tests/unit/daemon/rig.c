/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/daemon/rig.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/daemon/hand_job.h"

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "rig: %s\n", what);
	abort();
}

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void on_slot_ready(void *arg, struct model *model)
{
	(void)model;
	((struct rig *)arg)->n_ready++;
}

void rig_init(struct rig *rig, uint64_t memory_bytes)
{
	struct device_soft_config config = {1, 1, 3, 4, memory_bytes, NULL};
	const char *reason;

	memset(rig, 0, sizeof(*rig));
	rig->n_fds = count_fds();
	must(loop_create(&rig->loop) == 0, "no loop");
	must(worker_create(&rig->worker, rig->loop) == 0, "no worker");
	must(device_open(&rig->device, "soft", &config, &reason) == 0, "no device");
	must(model_registry_init(&rig->models, rig->device, rig->worker) == 0, "no registry");
	rig->models.slot_ready = on_slot_ready;
	rig->models.slot_ready_arg = rig;
}

void rig_finish(struct rig *rig)
{
	rig_settle(rig);
	model_registry_finish(&rig->models);
	must(device_memory_used(rig->device) == 0, "device memory was left behind");
	device_close(rig->device);
	worker_destroy(rig->worker);
	loop_destroy(rig->loop);
	must(count_fds() == rig->n_fds, "a descriptor was left behind");
}

/* A last item of work: behind it the worker is idle, unless done() submitted more. */
struct barrier {
	struct work work;
	struct rig *rig;
	int passes;
};

static void barrier_run(struct work *work)
{
	(void)work;
}

static void barrier_done(struct work *work)
{
	struct barrier *barrier = list_entry(work, struct barrier, work);

	/* A load goes to the worker twice, and a retirement may follow. */
	if (barrier->passes++ < 4 || barrier->rig->n_pending)
		worker_submit(barrier->rig->worker, work);
	else
		loop_stop(barrier->rig->loop);
}

void rig_settle(struct rig *rig)
{
	struct barrier barrier = {.work = {.run = barrier_run, .done = barrier_done}, .rig = rig};

	list_init(&barrier.work.link);
	worker_submit(rig->worker, &barrier.work);
	must(loop_run(rig->loop) == 0, "the loop failed");
}

int rig_memfd(const void *data, size_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size, "no memfd");
	return fd;
}

static void on_loaded(void *arg, struct model *model, bool shared, int error, const char *text)
{
	struct rig_answer *answer = arg;

	must(!answer->done, "a load was answered twice");
	answer->done = true;
	answer->model = model;
	answer->shared = shared;
	answer->error = error;
	snprintf(answer->text, sizeof(answer->text), "%s", text);
	answer->rig->n_pending--;
}

void rig_begin(struct rig *rig, struct rig_answer *answer, const void *image, size_t size,
	       const char *name, unsigned int flags)
{
	*answer = (struct rig_answer){.rig = rig};
	rig->n_pending++;
	must(model_registry_load(&rig->models, rig_memfd(image, size), name, flags, on_loaded,
				 answer) == 0,
	     "the load did not start");
	must(!answer->done, "answered too early");
}

int rig_load(struct rig *rig, struct rig_answer *answer, struct elf_builder *b, const char *name,
	     unsigned int flags)
{
	size_t size;
	uint8_t *image = elf_builder_image(b, &size);

	rig_begin(rig, answer, image, size, name, flags);
	rig_settle(rig);
	must(answer->done, "a load was not answered");
	return answer->error;
}

struct model *rig_load_copy(struct rig *rig, uint32_t n_bytes)
{
	struct elf_builder b;
	struct rig_answer answer;

	elf_builder_init_copy(&b, n_bytes);
	must(rig_load(rig, &answer, &b, "copy", false) == 0, answer.text);
	elf_builder_finish(&b);
	return answer.model;
}

struct buffer *rig_buffer(struct rig *rig, size_t size)
{
	struct buffer *buffer;

	must(buffer_create(&buffer, rig->device, size) == 0, "no buffer");
	return buffer;
}

struct binding *rig_bind_copy(struct model *model, struct buffer *in, struct buffer *out,
			      uint32_t n_bytes)
{
	const struct binding_range ranges[] = {
		{GRAPH_TENSOR_INPUT, 0, in, 0, n_bytes},
		{GRAPH_TENSOR_OUTPUT, 0, out, 0, n_bytes},
	};
	struct binding *binding;
	struct loadable_error error;

	must(binding_create(&binding, model, ranges, 2, &error) == 0, error.text);
	return binding;
}

struct device_event rig_run(struct rig *rig, struct slot *slot, const struct binding *binding,
			    uint64_t *ret_copied)
{
	struct device_event event;
	uint64_t copied = slot_prepare(slot, binding);

	slot->job.core_mask = 7;
	must(device_submit(rig->device, &slot->job) == 0, "the job was refused");
	must(hand_wait(rig->device, &event, 10000), "no event");
	if (event.result == DEVICE_DONE)
		copied += slot_collect(slot, binding);
	if (ret_copied)
		*ret_copied = copied;
	return event;
}
