/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon without a listener and a main(), and clients of it, all on one thread:
 * waiting for an answer runs the daemon's loop.
 *
 * front_finish() aborts the test if a descriptor, a byte of device memory or a
 * session was left behind.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/config.h"
#include "daemon/model.h"
#include "daemon/scheduler.h"
#include "daemon/session.h"
#include "proto/entry.h"
#include "proto/packet.h"
#include "proto/zhouyi.pb-c.h"

struct fault_script;

struct front {
	struct config config;
	struct loop *loop;
	struct worker *worker;
	struct device *device;
	struct model_registry models;
	struct scheduler scheduler;
	struct session_group group;
	struct fault_script *faults;
	unsigned int n_fds; /* before anything was made */
};

void front_init(struct front *front);
/* The same with a device on which things go wrong: a fault script. */
void front_init_faulty(struct front *front, const char *script);
void front_finish(struct front *front);

/* "ready", "degraded: device_gone quarantine"; static. */
const char *front_health(const struct front *front);

/* Run the daemon until it has nothing to do at the moment, the worker included. */
void front_settle(struct front *front);

/* A connected client's socket; the session is the group's last. */
int front_connect(struct front *front);
/* The same, past hello. */
int front_client(struct front *front);
struct session *front_session(struct front *front);

/* Send one packet. Returns as send() does. */
int front_send(int client, const void *data, size_t size, const int *fds, size_t n_fds);
void front_request(int client, Zy__Request *req, uint32_t serial, int fd);

/*
 * The next packet for the client, or, if there is none within five seconds, its
 * size is -EAGAIN; 0: disconnected. Descriptors are closed by front_packet_finish().
 */
struct front_packet {
	ssize_t size;
	struct zy_fds fds;
	Zy__Response *response;	     /* owned; of a control packet */
	struct zy_complete complete; /* otherwise */
	uint8_t data[ZY_PACKET_MAX];
};

void front_receive(struct front *front, int client, struct front_packet *ret);
void front_packet_finish(struct front_packet *packet);

/* Send, wait for the response to it and return its status; @ret may be NULL. */
int front_call(struct front *front, int client, Zy__Request *req, int fd, struct front_packet *ret);

/* Whether the daemon has closed the connection. */
bool front_is_disconnected(struct front *front, int client);

/* The usual requests; ids, or a negative status. */
int64_t front_create_buffer(struct front *front, int client, uint64_t size);
int front_hello(struct front *front, int client, const char *name);
/* As an older or newer client would say it. */
int front_hello_with(struct front *front, int client, const char *name, uint64_t features);

/* A memfd with a software program that copies @n_bytes, after @opcode with @extra unless that is 0.
 */
int front_image(uint32_t n_bytes, uint16_t opcode, uint32_t extra);

/* A loaded model, an input and an output buffer of one page each, and a binding. */
struct front_setup {
	uint32_t model, buffer[2], binding;
	uint8_t *memory[2]; /* mappings of the buffers; owned */
};

/* Of a client past hello, for a program from front_image() with @n_bytes <= 4096. */
void front_setup(struct front *front, int client, uint32_t n_bytes, uint16_t opcode, uint32_t extra,
		 struct front_setup *ret);
void front_setup_finish(struct front_setup *setup);
/* Ids, or a negative status. */
int64_t front_load(struct front *front, int client, int image_fd, const char *name, bool keep);
int64_t front_bind(struct front *front, int client, uint32_t model, uint32_t in, uint32_t out,
		   uint64_t n_bytes);
void front_submit(int client, uint32_t binding, uint64_t cookie);
