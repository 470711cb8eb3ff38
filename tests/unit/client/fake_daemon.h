/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon that follows a script. It runs in a forked child, listens on a socket of
 * its own in a new directory, takes one connection and does with it what the script
 * says. A script that does not get what it expects ends the child with a message,
 * and fake_stop() then aborts the test. So it does if the test leaks descriptors.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "proto/entry.h"
#include "proto/packet.h"
#include "proto/zhouyi.pb-c.h"

struct zhouyi_client;
struct zhouyi_model;
struct zhouyi_binding;

struct fake {
	char dir[32], path[48];
	pid_t pid;
	size_t n_open; /* descriptors of the test before it began */
};

/* The connection is set up when this returns only in so far as the daemon listens. */
void fake_start(struct fake *fake, void (*script)(int socket));
/* The script must have ended, or end now. Aborts if it failed or if descriptors are left. */
void fake_stop(struct fake *fake);

/* Open a client of it, or fail the test. */
struct zhouyi_client *fake_client(const struct fake *fake);
/* The test's half of fake_prepare(). */
struct zhouyi_binding *fake_binding(struct zhouyi_client *client, struct zhouyi_model **ret_model);

size_t fake_count_open(void);

/*
 * For scripts.
 */

#define FAKE_CHECK(condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: the client did not do this: %s\n", __FILE__,       \
				__LINE__, #condition);                                             \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* The next packet, which must be a request with this body and @n_fds descriptors. Never freed. */
Zy__Request *fake_expect(int socket, Zy__Request__BodyCase body, size_t n_fds, struct zy_fds *fds);
void fake_reply(int socket, Zy__Response *response, int fd);
/* An empty reply to @request. */
void fake_ack(int socket, const Zy__Request *request, int status, const char *detail);

/* The next packet must be a submission. */
struct zy_submit fake_submission(int socket);
void fake_complete(int socket, uint64_t cookie, int status);

/* Wait until the client is gone, whatever it still says. */
void fake_wait_end(int socket);

/* A sealed memfd. */
int fake_memfd(size_t size);

/* The phases of a usual session. */
void fake_hello(int socket);
void fake_load(int socket, uint32_t id);
uint32_t fake_buffer(int socket, uint32_t id); /* returns the serial */
void fake_bind(int socket, uint32_t id);
/* Hello, model 1 with an input of 16 and an output of 8 bytes, buffer 2, binding 3. */
void fake_prepare(int socket);

#define FAKE_INPUT_SIZE 16u
#define FAKE_OUTPUT_SIZE 8u
