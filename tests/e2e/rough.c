/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client without manners: speaks the protocol by hand, to break it or to vanish
 * in the middle.
 *
 * usage: rough steps                           the steps of the protocol, in order
 *        rough vanish SOCKET MODEL STEP        do everything up to STEP, then die
 *        rough garbage SOCKET SEED COUNT       COUNT connections that send rubbish
 *        rough half SOCKET                     messages cut short, at every length
 *        rough turn SOCKET                     messages out of turn, with wrong descriptors
 *        rough foreign SOCKET MODEL            use ids that belong to another client
 *        rough stuff SOCKET MODEL              submit without ever reading an answer
 *
 * Exit status 0: the daemon did what it should (it cut us off, or answered with an
 * error); 1: it did not; 2: usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/entry.h"
#include "proto/packet.h"
#include "proto/zhouyi.pb-c.h"

struct peer {
	int socket;
	uint32_t serial;
	uint32_t model, buffer, binding;
	uint64_t size; /* of the model's tensors */
};

static void fail(const char *what)
{
	fprintf(stderr, "rough: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int dial(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("connect");
	return fd;
}

static void ask(struct peer *peer, Zy__Request *request, const int *fds, size_t n_fds)
{
	uint8_t packet[ZY_PACKET_MAX];
	ssize_t n;

	request->serial = ++peer->serial;
	n = zy_packet_pack(packet, sizeof(packet), &request->base);
	if (n < 0 || zy_packet_send(peer->socket, packet, (size_t)n, fds, n_fds) < 0)
		fail("send");
}

/* The next control response; completions that come before it are passed over. */
static Zy__Response *response(struct peer *peer)
{
	uint8_t packet[ZY_PACKET_MAX];
	struct zy_fds fds = {.n = 0};
	const uint8_t *message;
	Zy__Response *reply;
	size_t size;
	ssize_t n;

	do {
		n = zy_packet_receive_wait(peer->socket, packet, sizeof(packet), &fds);
		if (n <= 0)
			return NULL;
		zy_fds_close(&fds);
	} while (zy_packet_type(packet, (size_t)n) == ZY_PACKET_COMPLETE);
	message = zy_packet_message(packet, (size_t)n, &size);
	reply = message ? zy__response__unpack(NULL, size, message) : NULL;
	if (!reply)
		fail("the daemon sent something strange");
	return reply;
}

static void expect_ok(struct peer *peer, Zy__Response **ret)
{
	*ret = response(peer);
	if (!*ret || (*ret)->status) {
		fprintf(stderr, "rough: refused: %s\n", *ret ? (*ret)->detail : "disconnected");
		exit(1);
	}
}

static void send_hello(struct peer *peer)
{
	Zy__Hello hello = ZY__HELLO__INIT;
	Zy__Request request = ZY__REQUEST__INIT;

	hello.min_version = hello.max_version = ZY_PROTOCOL_VERSION;
	hello.name = "rough";
	request.body_case = ZY__REQUEST__BODY_HELLO;
	request.hello = &hello;
	ask(peer, &request, NULL, 0);
}

static void await_reply(struct peer *peer)
{
	Zy__Response *reply;

	expect_ok(peer, &reply);
	zy__response__free_unpacked(reply, NULL);
}

static int image_memfd(const char *path)
{
	int fd = memfd_create("model", MFD_CLOEXEC);
	FILE *file = fopen(path, "rb");
	char chunk[4096];
	size_t n;

	if (fd < 0 || !file)
		fail(path);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
		if (write(fd, chunk, n) != (ssize_t)n)
			fail("memfd");
	}
	fclose(file);
	return fd;
}

static const char *model_path;

static void send_load(struct peer *peer)
{
	Zy__LoadModel load = ZY__LOAD_MODEL__INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	int fd = image_memfd(model_path);

	load.name = "rough";
	request.body_case = ZY__REQUEST__BODY_LOAD_MODEL;
	request.load_model = &load;
	ask(peer, &request, &fd, 1);
	close(fd);
}

static void await_model(struct peer *peer)
{
	Zy__Response *reply;

	expect_ok(peer, &reply);
	peer->model = reply->model->model;
	peer->size = reply->model->tensors[0]->size;
	zy__response__free_unpacked(reply, NULL);
}

static void send_buffer(struct peer *peer)
{
	Zy__CreateBuffer create = ZY__CREATE_BUFFER__INIT;
	Zy__Request request = ZY__REQUEST__INIT;

	create.size = 2 * peer->size;
	request.body_case = ZY__REQUEST__BODY_CREATE_BUFFER;
	request.create_buffer = &create;
	ask(peer, &request, NULL, 0);
}

static void await_buffer(struct peer *peer)
{
	Zy__Response *reply;

	expect_ok(peer, &reply);
	peer->buffer = reply->buffer->buffer;
	zy__response__free_unpacked(reply, NULL);
}

static void send_binding_of(struct peer *peer, uint32_t model, uint32_t buffer)
{
	Zy__TensorRange in = ZY__TENSOR_RANGE__INIT, out = ZY__TENSOR_RANGE__INIT;
	Zy__TensorRange *ranges[] = {&in, &out};
	Zy__CreateBinding create = ZY__CREATE_BINDING__INIT;
	Zy__Request request = ZY__REQUEST__INIT;

	in.kind = ZY__TENSOR_KIND__INPUT;
	out.kind = ZY__TENSOR_KIND__OUTPUT;
	in.buffer = out.buffer = buffer;
	in.size = out.size = out.offset = peer->size;
	create.model = model;
	create.ranges = ranges;
	create.n_ranges = 2;
	request.body_case = ZY__REQUEST__BODY_CREATE_BINDING;
	request.create_binding = &create;
	ask(peer, &request, NULL, 0);
}

static void send_binding(struct peer *peer)
{
	send_binding_of(peer, peer->model, peer->buffer);
}

static void await_binding(struct peer *peer)
{
	Zy__Response *reply;

	expect_ok(peer, &reply);
	peer->binding = reply->binding->binding;
	zy__response__free_unpacked(reply, NULL);
}

static void send_submits(struct peer *peer)
{
	struct zy_submit submit = {.type = ZY_PACKET_SUBMIT, .binding = peer->binding,
				   .class = ZY_CLASS_INTERACTIVE};

	for (submit.cookie = 0; submit.cookie < 16; submit.cookie++) {
		if (zy_packet_send(peer->socket, &submit, sizeof(submit), NULL, 0) < 0)
			fail("submit");
	}
}

static void await_one(struct peer *peer)
{
	struct zy_complete complete;
	struct zy_fds fds = {.n = 0};

	if (zy_packet_receive_wait(peer->socket, &complete, sizeof(complete), &fds) !=
	    sizeof(complete))
		fail("completion");
	zy_fds_close(&fds);
}

static void send_cancel(struct peer *peer)
{
	Zy__Cancel cancel = ZY__CANCEL__INIT;
	Zy__Request request = ZY__REQUEST__INIT;

	cancel.cookie = 9;
	request.body_case = ZY__REQUEST__BODY_CANCEL;
	request.cancel = &cancel;
	ask(peer, &request, NULL, 0);
}

static void send_destroys(struct peer *peer)
{
	Zy__DestroyBinding binding = ZY__DESTROY_BINDING__INIT;
	Zy__DestroyBuffer buffer = ZY__DESTROY_BUFFER__INIT;
	Zy__Request request = ZY__REQUEST__INIT;

	binding.binding = peer->binding;
	request.body_case = ZY__REQUEST__BODY_DESTROY_BINDING;
	request.destroy_binding = &binding;
	ask(peer, &request, NULL, 0);
	buffer.buffer = peer->buffer;
	request.body_case = ZY__REQUEST__BODY_DESTROY_BUFFER;
	request.destroy_buffer = &buffer;
	ask(peer, &request, NULL, 0);
}

static const struct {
	const char *name;
	void (*take)(struct peer *peer);
} steps[] = {
	{"connected", NULL},
	{"hello-sent", send_hello},
	{"welcomed", await_reply},
	{"load-sent", send_load},
	{"loaded", await_model},
	{"buffer-sent", send_buffer},
	{"buffered", await_buffer},
	{"binding-sent", send_binding},
	{"bound", await_binding},
	{"submitted", send_submits},
	{"one-answered", await_one},
	{"cancel-sent", send_cancel},
	{"destroys-sent", send_destroys},
};
#define N_STEPS (sizeof(steps) / sizeof(steps[0]))

/* Take all steps up to the one called @last. */
static void walk(struct peer *peer, const char *last)
{
	for (size_t i = 0; i < N_STEPS; i++) {
		if (steps[i].take)
			steps[i].take(peer);
		if (strcmp(steps[i].name, last) == 0)
			return;
	}
	fprintf(stderr, "rough: no step is called '%s'\n", last);
	exit(2);
}

/* The daemon ends the connection within five seconds. */
static bool is_cut_off(int socket)
{
	struct pollfd poll_fd = {.fd = socket, .events = POLLIN};
	char packet[ZY_PACKET_MAX];

	while (poll(&poll_fd, 1, 5000) == 1) {
		if (recv(socket, packet, sizeof(packet), 0) <= 0)
			return true;
	}
	return false;
}

static int garbage(const char *path, unsigned int seed, int count)
{
	static const uint32_t types[] = {ZY_PACKET_SUBMIT, ZY_PACKET_COMPLETE, ZY_PACKET_CONTROL, 0};
	uint8_t packet[512];

	for (int i = 0; i < count; i++) {
		struct peer peer = {.socket = dial(path)};
		size_t size = (size_t)rand_r(&seed) % sizeof(packet) + 1;
		uint32_t type = types[i % 4];

		if (i % 8 >= 4)
			walk(&peer, "welcomed");
		for (size_t j = 0; j < size; j++)
			packet[j] = (uint8_t)rand_r(&seed);
		if (type && size >= sizeof(type))
			memcpy(packet, &type, sizeof(type));
		send(peer.socket, packet, size, MSG_NOSIGNAL);
		/* Random bytes are a legal message once in a blue moon: then they are answered. */
		if (type != ZY_PACKET_CONTROL && !is_cut_off(peer.socket)) {
			fprintf(stderr, "rough: %zu bytes of garbage were accepted\n", size);
			return 1;
		}
		close(peer.socket);
	}
	return 0;
}

static int half(const char *path)
{
	Zy__Hello hello = ZY__HELLO__INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	uint8_t packet[256];
	ssize_t size;

	hello.min_version = hello.max_version = ZY_PROTOCOL_VERSION;
	hello.name = "a name long enough to be cut";
	request.serial = 77;
	request.body_case = ZY__REQUEST__BODY_HELLO;
	request.hello = &hello;
	size = zy_packet_pack(packet, sizeof(packet), &request.base);
	for (ssize_t n = 1; n < size; n++) {
		int socket = dial(path);

		send(socket, packet, (size_t)n, MSG_NOSIGNAL);
		if (!is_cut_off(socket)) {
			fprintf(stderr, "rough: %zd of %zd bytes were taken for a message\n", n, size);
			return 1;
		}
		close(socket);
	}
	return 0;
}

static int turn(const char *path)
{
	struct zy_submit submit = {.type = ZY_PACKET_SUBMIT, .class = ZY_CLASS_INTERACTIVE};
	Zy__GetStatus status = ZY__GET_STATUS__INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	struct peer peer = {.socket = dial(path)};

	/* A request, or a submission, before hello. */
	request.body_case = ZY__REQUEST__BODY_GET_STATUS;
	request.get_status = &status;
	ask(&peer, &request, NULL, 0);
	if (!is_cut_off(peer.socket))
		return 1;
	peer.socket = dial(path);
	zy_packet_send(peer.socket, &submit, sizeof(submit), NULL, 0);
	if (!is_cut_off(peer.socket))
		return 1;
	/* Hello twice. */
	peer.socket = dial(path);
	walk(&peer, "welcomed");
	send_hello(&peer);
	if (!is_cut_off(peer.socket))
		return 1;
	/* A descriptor nobody asked for; a load without one; reserved fields. */
	peer.socket = dial(path);
	walk(&peer, "welcomed");
	ask(&peer, &request, &(int){0}, 1);
	if (!is_cut_off(peer.socket))
		return 1;
	peer.socket = dial(path);
	walk(&peer, "welcomed");
	submit.reserved[9] = 1;
	zy_packet_send(peer.socket, &submit, sizeof(submit), NULL, 0);
	return is_cut_off(peer.socket) ? 0 : 1;
}

static int foreign(const char *path)
{
	struct peer owner = {.socket = dial(path)}, thief = {.socket = dial(path)};
	struct zy_submit submit = {.type = ZY_PACKET_SUBMIT, .class = ZY_CLASS_INTERACTIVE};
	struct zy_complete complete;
	struct zy_fds fds = {.n = 0};
	Zy__Response *reply;

	walk(&owner, "bound");
	walk(&thief, "welcomed");
	thief.size = owner.size;
	send_binding_of(&thief, owner.model, owner.buffer);
	reply = response(&thief);
	if (!reply || reply->status != ZY_NOT_FOUND)
		return 1;
	submit.binding = owner.binding;
	zy_packet_send(thief.socket, &submit, sizeof(submit), NULL, 0);
	if (zy_packet_receive_wait(thief.socket, &complete, sizeof(complete), &fds) !=
		    sizeof(complete) ||
	    complete.status != ZY_NOT_FOUND)
		return 1;
	zy__response__free_unpacked(reply, NULL);
	return 0;
}

static int stuff(const char *path)
{
	struct peer peer = {.socket = dial(path)};
	struct zy_submit submit = {.type = ZY_PACKET_SUBMIT, .class = ZY_CLASS_INTERACTIVE};

	walk(&peer, "bound");
	fcntl(peer.socket, F_SETFL, O_NONBLOCK);
	submit.binding = peer.binding;
	for (submit.cookie = 0; submit.cookie < 100000; submit.cookie++) {
		struct pollfd poll_fd = {.fd = peer.socket, .events = POLLOUT};

		if (zy_packet_send(peer.socket, &submit, sizeof(submit), NULL, 0) == 0)
			continue;
		/* Full for half a second: the daemon has stopped reading us. */
		if (poll(&poll_fd, 1, 500) == 0 || (poll_fd.revents & POLLHUP))
			return 0;
	}
	fprintf(stderr, "rough: the daemon took 100000 submissions without one answer being read\n");
	return 1;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	model_path = argc > 3 ? argv[3] : NULL;
	if (strcmp(what, "steps") == 0) {
		for (size_t i = 0; i < N_STEPS; i++)
			puts(steps[i].name);
		return 0;
	}
	if (strcmp(what, "vanish") == 0 && argc == 5) {
		struct peer peer = {.socket = dial(argv[2])};

		walk(&peer, argv[4]);
		_exit(0);
	}
	if (strcmp(what, "garbage") == 0 && argc == 5)
		return garbage(argv[2], (unsigned int)atoi(argv[3]), atoi(argv[4]));
	if (strcmp(what, "half") == 0 && argc == 3)
		return half(argv[2]);
	if (strcmp(what, "turn") == 0 && argc == 3)
		return turn(argv[2]);
	if (strcmp(what, "foreign") == 0 && argc == 4)
		return foreign(argv[2]);
	if (strcmp(what, "stuff") == 0 && argc == 4)
		return stuff(argv[2]);
	fprintf(stderr, "usage: %s steps|vanish|garbage|half|turn|foreign|stuff …\n", argv[0]);
	return 2;
}
