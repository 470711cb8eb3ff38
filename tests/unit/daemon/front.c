/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/daemon/front.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/device.h"
#include "daemon/fault.h"
#include "daemon/health.h"
#include "daemon/loop.h"
#include "daemon/worker.h"
#include "tests/unit/loadable/elf_builder.h"

#define WAIT_NS UINT64_C(5000000000)
#define SETTLE_NS UINT64_C(20000000)
#define PAGE 4096u

/* A fixture that cannot be built or leaves something behind is a failed test, in .fini too. */
#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition,         \
				strerror(errno));                                                  \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	must(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void on_slot_ready(void *arg, struct model *model)
{
	scheduler_slot_ready(arg, model);
}

void front_init(struct front *front)
{
	front_init_faulty(front, "");
}

void front_init_faulty(struct front *front, const char *script)
{
	struct device_soft_config soft = {1, 1, 3, 4, 64 << 20, NULL};
	struct loadable_error error;

	*front = (struct front){.n_fds = count_fds()};
	must(fault_script_parse(&front->faults, script, &error) == 0);
	soft.faults = front->faults;
	config_init(&front->config);
	must(loop_create(&front->loop) == 0);
	must(worker_create(&front->worker, front->loop) == 0);
	must(device_open(&front->device, "soft", &soft, &front->group.device_reason) == 0);
	must(model_registry_init(&front->models, front->device, front->worker) == 0);
	front->models.max_models = front->config.limits.models;
	front->models.max_image = front->config.limits.image_bytes;
	front->models.slot_ready = on_slot_ready;
	front->models.slot_ready_arg = &front->scheduler;
	must(scheduler_init(&front->scheduler, front->loop, front->device, front->worker) == 0);
	must(session_group_init(&front->group) == 0);
	front->group.loop = front->loop;
	front->group.worker = front->worker;
	front->group.device = front->device;
	front->group.device_reason = "a test wants it";
	front->group.models = &front->models;
	front->group.scheduler = &front->scheduler;
	front->group.limits = &front->config.limits;
	front->group.access = &front->config.access;
}

const char *front_health(const struct front *front)
{
	static char text[256];
	struct health health;
	int n;

	health_of(&front->group, loop_now(), &health);
	n = snprintf(text, sizeof(text), "%s", health_state_name(health.state));
	for (unsigned int r = 0; r < HEALTH_REASON_MAX_; r++)
		if (health.reasons & 1u << r)
			n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s",
				      strchr(text, ':') ? " " : ": ", health_reason_name(r));
	return text;
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void stop_io(void *arg, unsigned int ready)
{
	(void)ready;
	loop_stop(arg);
}

/* Run the daemon until @fd (if not -1) is readable, or until @ns have passed. */
static void run(struct front *front, int fd, uint64_t ns)
{
	struct loop_timer *timer;
	struct loop_io *io = NULL;

	must(loop_timer_create(&timer, front->loop, stop, front->loop) == 0);
	must(loop_timer_set(timer, loop_now() + ns) == 0);
	if (fd >= 0)
		must(loop_io_create(&io, front->loop, fd, LOOP_READ, stop_io, front->loop) == 0);
	must(loop_run(front->loop) == 0);
	loop_io_destroy(io);
	loop_timer_destroy(timer);
}

void front_settle(struct front *front)
{
	uint64_t until = loop_now() + WAIT_NS;

	do
		run(front, -1, SETTLE_NS);
	while (front->group.n_pending && loop_now() < until);
}

static void on_drained(void *arg)
{
	*(bool *)arg = true;
}

void front_finish(struct front *front)
{
	bool drained = false;

	session_group_finish(&front->group);
	must(front->group.n_sessions == 0);
	scheduler_drain(&front->scheduler, on_drained, &drained);
	scheduler_abort_all(&front->scheduler);
	for (int i = 0; i < 250 && !drained; i++)
		run(front, -1, SETTLE_NS);
	must(drained);
	worker_destroy(front->worker);
	must(front->group.n_pending == 0);
	scheduler_finish(&front->scheduler);
	model_registry_finish(&front->models);
	must(device_memory_used(front->device) == 0);
	device_close(front->device);
	fault_script_destroy(front->faults);
	config_finish(&front->config);
	loop_destroy(front->loop);
	must(count_fds() == front->n_fds);
}

int front_connect(struct front *front)
{
	struct session *session;
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	must(session_create(&session, &front->group, pair[0]) == 0);
	return pair[1];
}

struct session *front_session(struct front *front)
{
	return list_is_empty(&front->group.sessions)
		       ? NULL
		       : list_entry(front->group.sessions.prev, struct session, link);
}

int front_send(int client, const void *data, size_t size, const int *fds, size_t n_fds)
{
	return zy_packet_send(client, data, size, fds, n_fds);
}

void front_request(int client, Zy__Request *req, uint32_t serial, int fd)
{
	uint8_t buf[ZY_PACKET_MAX];
	ssize_t n;

	req->serial = serial;
	n = zy_packet_pack(buf, sizeof(buf), &req->base);
	must(n > 0);
	must(front_send(client, buf, (size_t)n, &fd, fd >= 0) == 0);
}

void front_receive(struct front *front, int client, struct front_packet *ret)
{
	const uint8_t *message;
	size_t size;

	ret->response = NULL;
	ret->size = zy_packet_receive(client, ret->data, sizeof(ret->data), &ret->fds);
	if (ret->size == -EAGAIN) {
		run(front, client, WAIT_NS);
		ret->size = zy_packet_receive(client, ret->data, sizeof(ret->data), &ret->fds);
	}
	/* Gone, and not all that we sent was read: what it said before may still be there. */
	if (ret->size == -ECONNRESET)
		ret->size = zy_packet_receive(client, ret->data, sizeof(ret->data), &ret->fds);
	if (ret->size <= 0)
		return;
	message = zy_packet_message(ret->data, (size_t)ret->size, &size);
	if (message) {
		ret->response = zy__response__unpack(NULL, size, message);
		must(ret->response);
		return;
	}
	must(ret->size == sizeof(ret->complete));
	memcpy(&ret->complete, ret->data, sizeof(ret->complete));
	must(ret->complete.type == ZY_PACKET_COMPLETE);
	must((ret->complete.flags & ~(ZY_COMPLETE_RELEASED | ZY_COMPLETE_LATE)) == 0);
}

void front_packet_finish(struct front_packet *packet)
{
	zy_fds_close(&packet->fds);
	if (packet->response)
		zy__response__free_unpacked(packet->response, NULL);
	packet->response = NULL;
}

int front_call(struct front *front, int client, Zy__Request *req, int fd, struct front_packet *ret)
{
	static uint32_t serial = 1000;
	struct front_packet packet;
	int status;

	front_request(client, req, ++serial, fd);
	front_receive(front, client, &packet);
	must(packet.size > 0 && packet.response);
	must(packet.response->serial == serial);
	/* A refusal says why, and a success does not. */
	must((packet.response->status == 0) == (packet.response->detail[0] == '\0'));
	status = packet.response->status;
	if (ret)
		*ret = packet;
	else
		front_packet_finish(&packet);
	return status;
}

bool front_is_disconnected(struct front *front, int client)
{
	struct front_packet packet;

	front_receive(front, client, &packet);
	front_packet_finish(&packet);
	return packet.size == 0 || packet.size == -ECONNRESET;
}

int front_hello_with(struct front *front, int client, const char *name, uint64_t features)
{
	Zy__Hello hello = ZY__HELLO__INIT;
	Zy__Request req = ZY__REQUEST__INIT;

	hello.min_version = hello.max_version = ZY_PROTOCOL_VERSION;
	hello.features = features;
	hello.name = (char *)name;
	req.body_case = ZY__REQUEST__BODY_HELLO;
	req.hello = &hello;
	return front_call(front, client, &req, -1, NULL);
}

int front_hello(struct front *front, int client, const char *name)
{
	return front_hello_with(front, client, name, ZY_FEATURES);
}

int front_client(struct front *front)
{
	int client = front_connect(front);

	must(front_hello(front, client, "test") == 0);
	return client;
}

/*
 * Models, buffers, bindings
 */

int front_image(uint32_t n_bytes, uint16_t opcode, uint32_t extra)
{
	int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct elf_builder builder;
	const uint8_t *image;
	size_t size;

	elf_builder_init_copy(&builder, n_bytes);
	if (opcode)
		elf_builder_prepend(&builder, opcode, extra);
	image = elf_builder_image(&builder, &size);
	must(fd >= 0 && write(fd, image, size) == (ssize_t)size);
	elf_builder_finish(&builder);
	return fd;
}

int64_t front_load(struct front *front, int client, int image_fd, const char *name, bool keep)
{
	Zy__LoadModel load = ZY__LOAD_MODEL__INIT;
	Zy__Request req = ZY__REQUEST__INIT;
	struct front_packet packet;
	int64_t r;

	load.name = (char *)name;
	load.keep = keep;
	req.body_case = ZY__REQUEST__BODY_LOAD_MODEL;
	req.load_model = &load;
	r = -front_call(front, client, &req, image_fd, &packet);
	if (r == 0)
		r = packet.response->model->model;
	else
		fprintf(stderr, "load: %s\n", packet.response->detail);
	front_packet_finish(&packet);
	return r;
}

/* @ret_fd may be NULL. */
static int64_t create_buffer(struct front *front, int client, uint64_t size, int *ret_fd)
{
	Zy__CreateBuffer create = ZY__CREATE_BUFFER__INIT;
	Zy__Request req = ZY__REQUEST__INIT;
	struct front_packet packet;
	int64_t r;

	create.size = size;
	req.body_case = ZY__REQUEST__BODY_CREATE_BUFFER;
	req.create_buffer = &create;
	r = -front_call(front, client, &req, -1, &packet);
	must(packet.fds.n == (r == 0));
	if (r == 0) {
		r = packet.response->buffer->buffer;
		if (ret_fd)
			*ret_fd = zy_fds_take(&packet.fds, 0);
	}
	front_packet_finish(&packet);
	return r;
}

int64_t front_create_buffer(struct front *front, int client, uint64_t size)
{
	return create_buffer(front, client, size, NULL);
}

int64_t front_bind(struct front *front, int client, uint32_t model, uint32_t in, uint32_t out,
		   uint64_t n_bytes)
{
	Zy__CreateBinding bind = ZY__CREATE_BINDING__INIT;
	Zy__TensorRange range[2] = {ZY__TENSOR_RANGE__INIT, ZY__TENSOR_RANGE__INIT};
	Zy__TensorRange *list[2] = {&range[0], &range[1]};
	Zy__Request req = ZY__REQUEST__INIT;
	struct front_packet packet;
	int64_t r;

	range[0].kind = ZY__TENSOR_KIND__INPUT;
	range[1].kind = ZY__TENSOR_KIND__OUTPUT;
	range[0].buffer = in;
	range[1].buffer = out;
	range[0].size = range[1].size = n_bytes;
	bind.model = model;
	bind.n_ranges = 2;
	bind.ranges = list;
	req.body_case = ZY__REQUEST__BODY_CREATE_BINDING;
	req.create_binding = &bind;
	r = -front_call(front, client, &req, -1, &packet);
	if (r == 0)
		r = packet.response->binding->binding;
	front_packet_finish(&packet);
	return r;
}

void front_setup(struct front *front, int client, uint32_t n_bytes, uint16_t opcode, uint32_t extra,
		 struct front_setup *ret)
{
	int image = front_image(n_bytes, opcode, extra), fd;
	int64_t id;

	id = front_load(front, client, image, "copy", false);
	close(image);
	must(id > 0);
	ret->model = (uint32_t)id;
	for (int i = 0; i < 2; i++) {
		id = create_buffer(front, client, PAGE, &fd);
		must(id > 0);
		ret->buffer[i] = (uint32_t)id;
		ret->memory[i] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		must(ret->memory[i] != MAP_FAILED);
		close(fd);
	}
	id = front_bind(front, client, ret->model, ret->buffer[0], ret->buffer[1], n_bytes);
	must(id > 0);
	ret->binding = (uint32_t)id;
}

void front_setup_finish(struct front_setup *setup)
{
	munmap(setup->memory[0], PAGE);
	munmap(setup->memory[1], PAGE);
}

void front_submit(int client, uint32_t binding, uint64_t cookie)
{
	struct zy_submit entry = {
		.type = ZY_PACKET_SUBMIT,
		.binding = binding,
		.cookie = cookie,
		.class = ZY_CLASS_INTERACTIVE,
	};

	must(front_send(client, &entry, sizeof(entry), NULL, 0) == 0);
}
