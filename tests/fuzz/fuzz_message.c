/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages: what clients can send, in any order, to real sessions on a real loop,
 * with the real registry and scheduler behind them. Only what has threads is
 * replaced: the worker does its work when the input says so, and so does a device
 * that touches all memory a job may touch, at its beginning and at its end.
 *
 * The input is a tape of steps, each for one of three clients: packets of random
 * bytes, well-formed requests about ids that exist or do not, clients that read,
 * do not read, or vanish, work that gets done, jobs that end in all ways. Behind
 * every input waits the same end: whoever is still connected has got exactly one
 * answer for each submission, and when all have gone nothing is left of them.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/device.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/model.h"
#include "daemon/scheduler.h"
#include "daemon/session.h"
#include "daemon/worker.h"
#include "npu/isa.h"
#include "proto/packet.h"
#include "proto/zhouyi.pb-c.h"
#include "tests/fuzz/fake_device.h"
#include "tests/unit/loadable/elf_builder.c"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N_PEERS 3
#define N_KNOWN 4
#define N_COOKIES 4096
#define MAX_STEPS 300

/*
 * The tape
 */

struct tape {
	const uint8_t *at, *end;
};

static uint8_t take(struct tape *tape)
{
	return tape->at < tape->end ? *tape->at++ : 0;
}

static uint32_t take32(struct tape *tape)
{
	uint32_t value = take(tape);

	value |= (uint32_t)take(tape) << 8;
	value |= (uint32_t)take(tape) << 16;
	return value | (uint32_t)take(tape) << 24;
}

/*
 * A worker that works when it is told to
 */

struct worker {
	struct list todo; /* work.link */
};

static struct worker the_worker;

int worker_create(struct worker **ret, struct loop *loop)
{
	(void)loop;
	list_init(&the_worker.todo);
	*ret = &the_worker;
	return 0;
}

void worker_destroy(struct worker *worker)
{
	(void)worker;
}

void worker_submit(struct worker *worker, struct work *work)
{
	list_append(&worker->todo, &work->link);
}

static bool work_once(void)
{
	struct work *work = list_first(&the_worker.todo, struct work, link);

	if (!work)
		return false;
	list_remove(&work->link);
	work->run(work);
	work->done(work);
	return true;
}

/*
 * The daemon
 */

enum image { IMAGE_COPY, IMAGE_OTHER, IMAGE_GARBAGE, IMAGE_EMPTY, IMAGE_NULL, N_IMAGES };

static struct {
	struct loop *loop;
	struct loop_timer *end_of_turn;
	struct worker *worker;
	struct config_limits limits;
	struct model_registry models;
	struct scheduler scheduler;
	struct session_group group;
	int images[N_IMAGES];
} host;

static int image_create(uint32_t n_bytes, const char *garbage)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct elf_builder builder;
	const uint8_t *image;
	size_t size;

	expect(fd >= 0);
	if (garbage) {
		expect(write(fd, garbage, strlen(garbage)) == (ssize_t)strlen(garbage));
		return fd;
	}
	elf_builder_init_copy(&builder, n_bytes);
	image = elf_builder_image(&builder, &size);
	expect(write(fd, image, size) == (ssize_t)size);
	elf_builder_finish(&builder);
	return fd;
}

static void on_slot_ready(void *arg, struct model *model)
{
	scheduler_slot_ready(arg, model);
}

static void on_end_of_turn(void *arg)
{
	loop_stop(arg);
}

/* One turn of the loop; its own timer comes last. */
static void turn(void)
{
	loop_timer_set(host.end_of_turn, 0);
	expect(loop_run(host.loop) == 0);
}

/* About nobody here, so that they only show when somebody asks. */
static const struct access_rules *make_rules(void)
{
	static const struct access_rule some[] = {
		{.kind = ACCESS_USER, .name = "4242", .id = 4242, .deny = ACCESS_EVERYTHING},
		{.kind = ACCESS_GROUP, .name = "4243", .id = 4243, .has = 1u << ACCESS_QUEUED},
	};
	static struct access_rules rules;

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		expect(access_rules_put(&rules, &some[i]) == 0);
	return &rules;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_open(LOG_LEVEL_ERROR);
	fake_init();
	host.limits = (struct config_limits){64, 8, 6, MIB, 6, 3, 4, MIB};
	expect(loop_create(&host.loop) == 0);
	expect(loop_timer_create(&host.end_of_turn, host.loop, on_end_of_turn, host.loop) == 0);
	expect(worker_create(&host.worker, host.loop) == 0);
	expect(model_registry_init(&host.models, &fake.device, host.worker) == 0);
	host.models.max_models = host.limits.models;
	host.models.max_image = host.limits.image_bytes;
	host.models.slot_ready = on_slot_ready;
	host.models.slot_ready_arg = &host.scheduler;
	expect(scheduler_init(&host.scheduler, host.loop, &fake.device, host.worker) == 0);
	expect(session_group_init(&host.group) == 0);
	host.group.loop = host.loop;
	host.group.worker = host.worker;
	host.group.device = &fake.device;
	host.group.device_reason = "it is fake";
	host.group.models = &host.models;
	host.group.scheduler = &host.scheduler;
	host.group.limits = &host.limits;
	host.group.access = make_rules();
	host.images[IMAGE_COPY] = image_create(64, NULL);
	host.images[IMAGE_OTHER] = image_create(4096, NULL);
	host.images[IMAGE_GARBAGE] = image_create(0, "garbage");
	host.images[IMAGE_EMPTY] = image_create(0, "");
	host.images[IMAGE_NULL] = eventfd(0, EFD_CLOEXEC);
	return 0;
}

/*
 * Clients
 */

struct known {
	uint32_t ids[N_KNOWN];
	unsigned int n;
};

static struct peer {
	int fd;	   /* -1: not connected */
	bool lazy; /* does not read */
	struct known models, buffers, bindings, streams, reservations;
	bool waiting[N_COOKIES]; /* for the answer to this cookie */
	bool told[N_COOKIES];	 /* what it will be; only the release is still to come */
	unsigned int n_waiting;
} peers[N_PEERS];

/* Of submissions that are random bytes. */
#define RAW_COOKIE (UINT64_C(1) << 63)

static uint32_t next_cookie;

static void know(struct known *known, uint32_t id)
{
	expect(id != 0);
	known->ids[known->n++ % N_KNOWN] = id;
}

/* An id that exists, most of the time. */
static uint32_t pick(struct tape *tape, const struct known *known)
{
	uint8_t which = take(tape);
	unsigned int n = known->n < N_KNOWN ? known->n : N_KNOWN;

	return n && which < 0xe0 ? known->ids[which % n] : take32(tape);
}

static void peer_close(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	memset(peer, 0, sizeof(*peer));
	peer->fd = -1;
}

static void learn(struct peer *peer, const struct zy_fds *fds, const uint8_t *message, size_t size)
{
	Zy__Response *response = zy__response__unpack(NULL, size, message);

	expect(response && response->status >= 0 && response->status < ZY_STATUS_MAX_);
	expect((response->status == 0) == (response->detail[0] == '\0'));
	expect(fds->n == (response->body_case == ZY__RESPONSE__BODY_BUFFER));
	if (response->body_case == ZY__RESPONSE__BODY_MODEL)
		know(&peer->models, response->model->model);
	else if (response->body_case == ZY__RESPONSE__BODY_BUFFER)
		know(&peer->buffers, response->buffer->buffer);
	else if (response->body_case == ZY__RESPONSE__BODY_BINDING)
		know(&peer->bindings, response->binding->binding);
	else if (response->body_case == ZY__RESPONSE__BODY_STREAM)
		know(&peer->streams, response->stream->stream);
	else if (response->body_case == ZY__RESPONSE__BODY_RESERVATION &&
		 response->reservation->reservation)
		know(&peer->reservations, response->reservation->reservation);
	else if (response->body_case == ZY__RESPONSE__BODY_ACCESS)
		expect(response->access->identity && response->access->limits &&
		       response->access->n_rights == ACCESS_RIGHT_MAX_);
	zy__response__free_unpacked(response, NULL);
}

static void answered(struct peer *peer, const void *data, size_t size)
{
	struct zy_complete answer;

	expect(size == sizeof(answer));
	memcpy(&answer, data, size);
	expect(answer.type == ZY_PACKET_COMPLETE);
	expect((answer.flags & ~(ZY_COMPLETE_RELEASED | ZY_COMPLETE_LATE)) == 0);
	if (answer.cookie & RAW_COOKIE)
		return;
	expect(answer.cookie < N_COOKIES && peer->waiting[answer.cookie]);
	if (!(answer.flags & ZY_COMPLETE_RELEASED)) {
		expect(!peer->told[answer.cookie] && answer.status != ZY_OK);
		peer->told[answer.cookie] = true;
		return;
	}
	peer->waiting[answer.cookie] = false;
	peer->n_waiting--;
}

/* Everything that is there. Returns whether there was anything. */
static bool peer_read(struct peer *peer)
{
	static uint8_t buf[ZY_PACKET_MAX];
	struct zy_fds fds;
	const uint8_t *message;
	bool any = false;
	size_t length;
	ssize_t n;

	while (peer->fd >= 0) {
		n = zy_packet_receive(peer->fd, buf, sizeof(buf), &fds);
		if (n == -EAGAIN)
			break;
		any = true;
		if (n == -ECONNRESET)
			continue;
		if (n == 0) {
			peer_close(peer);
			break;
		}
		expect(n > 0);
		message = zy_packet_message(buf, (size_t)n, &length);
		if (message)
			learn(peer, &fds, message, length);
		else
			answered(peer, buf, (size_t)n);
		zy_fds_close(&fds);
	}
	return any;
}

static bool peer_send(struct peer *peer, const void *data, size_t size, const int *fds,
		      size_t n_fds)
{
	return peer->fd >= 0 && size && zy_packet_send(peer->fd, data, size, fds, n_fds) == 0;
}

static void send_request(struct peer *peer, Zy__Request *req, const int *fds, size_t n_fds)
{
	static uint8_t buf[ZY_PACKET_MAX];
	ssize_t n = zy_packet_pack(buf, sizeof(buf), &req->base);

	if (n > 0)
		peer_send(peer, buf, (size_t)n, fds, n_fds);
}

static void send_hello(struct peer *peer, uint32_t version, const char *name)
{
	Zy__Hello hello = ZY__HELLO__INIT;
	Zy__Request req = ZY__REQUEST__INIT;

	hello.min_version = hello.max_version = version;
	hello.features = ZY_FEATURES;
	hello.name = (char *)name;
	req.body_case = ZY__REQUEST__BODY_HELLO;
	req.hello = &hello;
	send_request(peer, &req, NULL, 0);
}

static void peer_connect(struct peer *peer, bool hello)
{
	struct session *session;
	int pair[2];

	if (peer->fd >= 0)
		return;
	expect(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	expect(session_create(&session, &host.group, pair[0]) == 0);
	peer->fd = pair[1];
	if (hello)
		send_hello(peer, ZY_PROTOCOL_VERSION, "fuzz");
}

/*
 * Steps
 */

static void step_raw(struct peer *peer, struct tape *tape)
{
	static const uint32_t types[] = {ZY_PACKET_CONTROL, ZY_PACKET_SUBMIT, ZY_PACKET_COMPLETE,
					 0};
	uint8_t how = take(tape), data[260];
	size_t size = take(tape);
	int fds[ZY_PACKET_MAX_FDS] = {0, 0, 0, 0};

	memcpy(data, &types[how & 3], 4);
	for (size_t i = 0; i < size; i++)
		data[4 + i] = take(tape);
	/* It may turn out to be a good submission, whose answer nobody keeps count of. */
	if (4 + size == sizeof(struct zy_submit))
		data[offsetof(struct zy_submit, cookie) + 7] |= (uint8_t)(RAW_COOKIE >> 56);
	peer_send(peer, data, 4 + size, fds, (how >> 2) % (ZY_PACKET_MAX_FDS + 1));
}

/* Class, cores and deadline, of all kinds. */
static void vary(struct zy_submit *entry, uint8_t how)
{
	static const uint64_t soon_ns[] = {1, 1000000, 50000000, 10000000000};

	entry->class = how & 3;
	entry->n_cores = (how >> 2) & 3;
	if (how & 0x10)
		entry->deadline_ns = loop_now() + soon_ns[(how >> 5) & 3];
	if (how & 0x80)
		entry->timeout_ns = 1 + soon_ns[(how >> 5) & 3];
}

static void send_entry(struct peer *peer, struct zy_submit *entry)
{
	entry->cookie = next_cookie;
	if (next_cookie >= N_COOKIES || !peer_send(peer, entry, sizeof(*entry), NULL, 0))
		return;
	peer->waiting[next_cookie++] = true;
	peer->n_waiting++;
}

/* A well-formed entry; anything about it may be off. */
static void step_submit(struct peer *peer, struct tape *tape)
{
	struct zy_submit entry = {.type = ZY_PACKET_SUBMIT, .class = ZY_CLASS_INTERACTIVE};
	uint8_t flaw = take(tape);

	entry.binding = pick(tape, &peer->bindings);
	if (flaw >= 0xf0)
		((uint8_t *)&entry)[16 + take(tape) % 112] ^= take(tape);
	else if (flaw >= 0xe0)
		entry.core_mask = take(tape);
	else if (flaw >= 0xc0)
		entry.stream = pick(tape, &peer->streams);
	else if (flaw >= 0xa0)
		vary(&entry, take(tape));
	send_entry(peer, &entry);
}

#include "tests/fuzz/steps_objects.h"

static void step_device(struct tape *tape)
{
	static const enum device_result results[] = {DEVICE_DONE, DEVICE_DONE, DEVICE_FAULTED,
						     DEVICE_LOST};
	uint8_t how = take(tape);

	fake_end(how % FAKE_DEPTH, results[(how >> 4) & 3]);
}

static void step_connection(struct peer *peer, struct tape *tape)
{
	uint8_t how = take(tape);

	switch (how & 7) {
	case 0:
		if (peer->fd >= 0)
			shutdown(peer->fd, how & 8 ? SHUT_WR : SHUT_RD);
		break;
	case 1:
		peer_close(peer);
		peer_connect(peer, false);
		break;
	case 2:
		send_hello(peer, how >> 3, how & 8 ? "fuzz\n" : "");
		break;
	case 3:
		session_group_drain(&host.group);
		break;
	default:
		peer_close(peer);
		break;
	}
}

/* A model, two buffers and a binding of them, as any client would. */
static void step_setup(struct peer *peer)
{
	static const uint8_t load[] = {IMAGE_COPY}, buffer[] = {1}, bind[] = {1, 0, 0, 1};
	struct tape tape = {load, load + sizeof(load)};

	step_load(peer, &tape);
	for (int i = 0; i < 2; i++) {
		tape = (struct tape){buffer, buffer + sizeof(buffer)};
		step_create_buffer(peer, &tape);
	}
	turn();
	while (work_once())
		;
	peer_read(peer);
	tape = (struct tape){bind, bind + sizeof(bind)};
	step_bind(peer, &tape);
}

#include "tests/fuzz/steps_ask.h"
#include "tests/fuzz/steps_observe.h"
#include "tests/fuzz/steps_schedule.h"

static void step(struct tape *tape)
{
	uint8_t what = take(tape);
	struct peer *peer = &peers[(what >> 4) % N_PEERS];

	peer_connect(peer, true);
	switch (what & 15) {
	case 0:
		step_raw(peer, tape);
		break;
	case 1:
	case 2:
		step_submit(peer, tape);
		break;
	case 3:
		step_load(peer, tape);
		break;
	case 4:
		step_model(peer, tape);
		break;
	case 5:
		step_create_buffer(peer, tape);
		break;
	case 6:
		step_destroy(peer, tape);
		break;
	case 7:
		step_bind(peer, tape);
		break;
	case 8:
		step_ask(peer, tape);
		break;
	case 9:
		step_flood(peer, tape);
		break;
	case 10:
		step_device(tape);
		break;
	case 11:
		work_once();
		break;
	case 12:
		step_connection(peer, tape);
		break;
	case 13:
		step_setup(peer);
		break;
	case 14:
		if (what & 0x40)
			step_access(peer, tape);
		else if (take(tape) & 1)
			step_observe(peer);
		else
			peer->lazy = !peer->lazy;
		break;
	case 15:
		step_schedule(peer, tape);
		break;
	}
	/* Most steps are seen at once, some only together with the next. */
	if (what < 0xc0)
		turn();
	if (!peer->lazy)
		peer_read(peer);
}

/*
 * The end
 */

/* Everybody reads, works and finishes until nothing moves. */
static void settle(void)
{
	bool moved;

	do {
		moved = false;
		turn();
		turn();
		while (work_once())
			moved = true;
		for (unsigned int i = 0; i < FAKE_DEPTH; i++)
			moved |= fake_end(i, DEVICE_DONE);
		for (unsigned int i = 0; i < N_PEERS; i++)
			moved |= peer_read(&peers[i]);
	} while (moved);
}

static void unload_all(void)
{
	struct model *model, *next;

	list_for_each_safe (model, next, &host.models.models, link)
		if (model->kept)
			expect(model_registry_unkeep(&host.models, model->name) == 0);
}

static int lowest_descriptor(void)
{
	int fd = dup(0);

	expect(fd >= 0);
	close(fd);
	return fd;
}

static void finish(void)
{
	settle();
	expect(session_group_is_idle(&host.group));
	for (unsigned int i = 0; i < N_PEERS; i++) {
		expect(peers[i].fd < 0 || peers[i].n_waiting == 0);
		peer_close(&peers[i]);
	}
	settle();
	unload_all();
	settle();
	expect(host.group.n_sessions == 0 && host.group.n_pending == 0);
	expect(host.scheduler.n_running == 0 && policy_n_queued(host.scheduler.policy) == 0);
	expect_nothing_held();
	expect(host.models.n_models == 0 && list_is_empty(&host.models.models));
	expect(fake.used == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tape tape = {data, data + size};
	int descriptor = lowest_descriptor();

	host.group.draining = false;
	fake.next = fake.device.caps.asid0_base + 4096;
	next_cookie = 0;
	for (unsigned int i = 0; i < N_PEERS; i++)
		peers[i] = (struct peer){.fd = -1};
	for (unsigned int i = 0; i < MAX_STEPS && tape.at < tape.end; i++)
		step(&tape);
	finish();
	expect(lowest_descriptor() == descriptor);
	return 0;
}
