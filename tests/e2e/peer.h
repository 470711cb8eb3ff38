/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that speaks the protocol by hand, for tests that want to see every packet
 * or to send what the library never would. What goes wrong ends the program.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/entry.h"
#include "proto/packet.h"
#include "proto/zhouyi.pb-c.h"

struct peer {
	int socket;
	const char *name;  /* to be known by, it and its model */
	const char *image; /* file of the model to load */
	int *ret_fd;	   /* where the descriptor of a reply goes; NULL: it is closed */
	uint32_t serial;
	uint32_t model, buffer, binding;
	uint64_t size; /* of the model's tensors */
};

static inline void peer_fail(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

static inline int peer_dial(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		peer_fail("connect");
	return fd;
}

static inline void peer_ask(struct peer *peer, Zy__Request *request, const int *fds, size_t n_fds)
{
	uint8_t packet[ZY_PACKET_MAX];
	ssize_t n;

	request->serial = ++peer->serial;
	n = zy_packet_pack(packet, sizeof(packet), &request->base);
	if (n < 0 || zy_packet_send(peer->socket, packet, (size_t)n, fds, n_fds) < 0)
		peer_fail("send");
}

/* The next control response; completions that come before it are passed over. */
static inline Zy__Response *peer_response(struct peer *peer)
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
		if (peer->ret_fd && fds.n)
			*peer->ret_fd = zy_fds_take(&fds, 0);
		zy_fds_close(&fds);
	} while (zy_packet_type(packet, (size_t)n) == ZY_PACKET_COMPLETE);
	message = zy_packet_message(packet, (size_t)n, &size);
	reply = message ? zy__response__unpack(NULL, size, message) : NULL;
	if (!reply)
		peer_fail("the daemon sent something strange");
	return reply;
}

static inline void peer_expect_ok(struct peer *peer, Zy__Response **ret)
{
	*ret = peer_response(peer);
	if (!*ret || (*ret)->status) {
		fprintf(stderr, "%s: refused: %s\n", program_invocation_short_name,
			*ret ? (*ret)->detail : "disconnected");
		exit(1);
	}
}

static inline void peer_send_hello(struct peer *peer)
{
	Zy__Hello hello = ZY__HELLO__INIT;
	Zy__Request request = ZY__REQUEST__INIT;

	hello.min_version = hello.max_version = ZY_PROTOCOL_VERSION;
	hello.name = (char *)peer->name;
	request.body_case = ZY__REQUEST__BODY_HELLO;
	request.hello = &hello;
	peer_ask(peer, &request, NULL, 0);
}

static inline void peer_await_reply(struct peer *peer)
{
	Zy__Response *reply;

	peer_expect_ok(peer, &reply);
	zy__response__free_unpacked(reply, NULL);
}

static inline int peer_image(const char *path)
{
	int fd = memfd_create("model", MFD_CLOEXEC);
	FILE *file = fopen(path, "rb");
	char chunk[4096];
	size_t n;

	if (fd < 0 || !file)
		peer_fail(path);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
		if (write(fd, chunk, n) != (ssize_t)n)
			peer_fail("memfd");
	}
	fclose(file);
	return fd;
}

static inline void peer_send_load(struct peer *peer)
{
	Zy__LoadModel load = ZY__LOAD_MODEL__INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	int fd = peer_image(peer->image);

	load.name = (char *)peer->name;
	request.body_case = ZY__REQUEST__BODY_LOAD_MODEL;
	request.load_model = &load;
	peer_ask(peer, &request, &fd, 1);
	close(fd);
}

static inline void peer_await_model(struct peer *peer)
{
	Zy__Response *reply;

	peer_expect_ok(peer, &reply);
	peer->model = reply->model->model;
	peer->size = reply->model->tensors[0]->size;
	zy__response__free_unpacked(reply, NULL);
}

static inline void peer_send_buffer(struct peer *peer)
{
	Zy__CreateBuffer create = ZY__CREATE_BUFFER__INIT;
	Zy__Request request = ZY__REQUEST__INIT;

	create.size = 2 * peer->size;
	request.body_case = ZY__REQUEST__BODY_CREATE_BUFFER;
	request.create_buffer = &create;
	peer_ask(peer, &request, NULL, 0);
}

static inline void peer_await_buffer(struct peer *peer)
{
	Zy__Response *reply;

	peer_expect_ok(peer, &reply);
	peer->buffer = reply->buffer->buffer;
	zy__response__free_unpacked(reply, NULL);
}

static inline void peer_send_binding_of(struct peer *peer, uint32_t model, uint32_t buffer)
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
	peer_ask(peer, &request, NULL, 0);
}

static inline void peer_send_binding(struct peer *peer)
{
	peer_send_binding_of(peer, peer->model, peer->buffer);
}

static inline void peer_await_binding(struct peer *peer)
{
	Zy__Response *reply;

	peer_expect_ok(peer, &reply);
	peer->binding = reply->binding->binding;
	zy__response__free_unpacked(reply, NULL);
}
