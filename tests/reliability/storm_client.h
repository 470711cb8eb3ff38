/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each client of `storm` does: requests as fast as they are answered, several at
 * once, until it is told to stop. It is a process of its own; what it saw it leaves in
 * memory that it shares with its parent.
 */
#pragma once

#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "tests/e2e/peer.h"

#define CLIENTS 8u
#define DEPTH 3u /* requests on their way, per client */
#define POISON 0xa5
#define MAX_SUCCESSES (4u << 20)
#define MAX_VICTIMS (64u << 10)
#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define LOST_AFTER (15 * SECOND)
/* After an error an output is left alone for so long, and must be the same then. */
#define REST (5 * MS)

static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline uint64_t seed_state(uint64_t seed)
{
	return (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

/*
 * What the clients, which are processes, and their parent share
 */

struct tally {
	uint64_t submitted, answered, lost, duplicated, wrong;
	uint64_t status[ZY_STATUS_MAX_];
};

/* A request that was answered with an error. */
struct victim {
	uint64_t limit_ns; /* when the watchdog's limit was reached; or when it was answered */
	uint64_t after_ns; /* from then to the answer */
};

struct shared {
	atomic_bool stop;
	struct tally tallies[CLIENTS];
	atomic_uint n_successes, n_victims;
	uint64_t success_ns[MAX_SUCCESSES];
	struct victim victims[MAX_VICTIMS];
};

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

/*
 * A client
 */

struct lane {
	uint32_t binding;
	uint8_t *in, *out;
	uint64_t cookie;
	uint64_t sent_ns, rest_until_ns;
	int32_t status; /* of the latest answer */
	bool busy;
	bool used;
	bool told; /* answered, and not released yet */
};

struct client {
	struct peer peer;
	struct shared *shared;
	struct tally *tally;
	uint64_t limit_ns;
	unsigned int id;
	struct lane lanes[DEPTH];
};

static inline void complain(const struct client *client, const struct lane *lane, uint64_t cookie,
			    const char *what)
{
	fprintf(stderr, "storm: client %u, request %" PRIu64 ": %s", client->id, cookie, what);
	if (lane)
		fprintf(stderr, " (status %" PRIi32 ", output begins %02x %02x, input %02x %02x)",
			lane->status, lane->out[0], lane->out[1], lane->in[0], lane->in[1]);
	fputc('\n', stderr);
}

/* Different for every client, request and position. */
static inline void fill(const struct client *client, struct lane *lane)
{
	uint64_t state = seed_state((uint64_t)client->id << 40 | lane->cookie);

	for (size_t i = 0; i < client->peer.size; i++)
		lane->in[i] = (uint8_t)(next_random(&state) >> 32);
}

static inline bool is_poisoned(const uint8_t *data, size_t size)
{
	return data[0] == POISON && memcmp(data, data + 1, size - 1) == 0;
}

/* The output is what its answer said, and stays so. */
static inline void check_output(struct client *client, const struct lane *lane, const char *what)
{
	size_t size = client->peer.size;
	bool good = lane->status == ZY_OK ? memcmp(lane->in, lane->out, size) == 0
					  : is_poisoned(lane->out, size);

	if (good)
		return;
	client->tally->wrong++;
	complain(client, lane, lane->cookie, what);
}

static inline void submit(struct client *client, struct lane *lane)
{
	struct zy_submit entry = {
		.type = ZY_PACKET_SUBMIT, .binding = lane->binding, .class = ZY_CLASS_INTERACTIVE};
	size_t index = (size_t)(lane - client->lanes);

	if (lane->used)
		check_output(client, lane, "the output changed after the answer");
	lane->cookie += DEPTH;
	if (!lane->used)
		lane->cookie = index;
	fill(client, lane);
	memset(lane->out, 0, client->peer.size);
	entry.cookie = lane->cookie;
	lane->used = lane->busy = true;
	lane->told = false;
	lane->sent_ns = now_ns();
	if (zy_packet_send(client->peer.socket, &entry, sizeof(entry), NULL, 0) < 0)
		peer_fail("submit");
	client->tally->submitted++;
}

static inline void note(struct client *client, const struct lane *lane,
			const struct zy_complete *answer)
{
	struct shared *shared = client->shared;
	uint64_t on_device_ns = answer->total_ns - answer->queue_ns;
	struct victim victim = {.limit_ns = now_ns()};
	unsigned int i;

	if (answer->status == ZY_OK) {
		i = atomic_fetch_add(&shared->n_successes, 1);
		if (i < MAX_SUCCESSES)
			shared->success_ns[i] = victim.limit_ns;
		return;
	}
	if (answer->status == ZY_DEVICE_TIMEOUT) {
		victim.limit_ns = lane->sent_ns + answer->queue_ns + client->limit_ns;
		if (on_device_ns > client->limit_ns)
			victim.after_ns = on_device_ns - client->limit_ns;
	}
	i = atomic_fetch_add(&shared->n_victims, 1);
	if (i < MAX_VICTIMS)
		shared->victims[i] = victim;
}

static inline void take_answer(struct client *client, const struct zy_complete *answer)
{
	struct lane *lane = &client->lanes[answer->cookie % DEPTH];
	bool released = answer->flags & ZY_COMPLETE_RELEASED;

	if (!lane->busy || answer->cookie != lane->cookie || (lane->told && !released)) {
		client->tally->duplicated++;
		complain(client, NULL, answer->cookie, "answered again, or never asked");
		return;
	}
	if (!lane->told && (uint32_t)answer->status < ZY_STATUS_MAX_)
		client->tally->status[answer->status]++;
	lane->told = true;
	if (!released)
		return;
	lane->status = answer->status;
	lane->busy = false;
	client->tally->answered++;
	check_output(client, lane, "the output is not what the answer says");
	if (answer->status != ZY_OK)
		lane->rest_until_ns = now_ns() + REST;
	note(client, lane, answer);
}

static inline void receive_all(struct client *client)
{
	struct zy_complete answer;
	struct zy_fds fds = {.n = 0};
	ssize_t n;

	while ((n = zy_packet_receive(client->peer.socket, &answer, sizeof(answer), &fds)) > 0) {
		zy_fds_close(&fds);
		if (n != sizeof(answer) || answer.type != ZY_PACKET_COMPLETE)
			peer_fail("the daemon sent something strange");
		take_answer(client, &answer);
	}
	if (n != -EAGAIN && n != -EINTR)
		peer_fail("the daemon hung up");
}

/* Returns how many are on their way. */
static inline unsigned int submit_all(struct client *client, uint64_t now)
{
	bool stop = atomic_load(&client->shared->stop);
	unsigned int n = 0;

	for (size_t i = 0; i < DEPTH; i++) {
		struct lane *lane = &client->lanes[i];

		if (!lane->busy && !stop && now >= lane->rest_until_ns)
			submit(client, lane);
		n += lane->busy;
	}
	return n;
}

/* Those that have waited too long are lost, and their lanes with them. */
static inline void give_up(struct client *client, uint64_t now)
{
	for (size_t i = 0; i < DEPTH; i++) {
		struct lane *lane = &client->lanes[i];

		if (!lane->busy || now < lane->sent_ns + LOST_AFTER)
			continue;
		complain(client, NULL, lane->cookie, "never answered");
		client->tally->lost++;
		lane->busy = lane->used = false;
		/* There is no need to go on. */
		atomic_store(&client->shared->stop, true);
	}
}

static inline void make_lane(struct client *client, struct lane *lane)
{
	struct peer *peer = &client->peer;
	uint8_t *data;
	int fd = -1;

	peer_send_buffer(peer);
	peer->ret_fd = &fd;
	peer_await_buffer(peer);
	peer->ret_fd = NULL;
	data = mmap(NULL, 2 * peer->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		peer_fail("mmap");
	close(fd);
	peer_send_binding(peer);
	peer_await_binding(peer);
	*lane = (struct lane){.binding = peer->binding, .in = data, .out = data + peer->size};
}

static inline void client_open(struct client *client, const char *socket)
{
	client->peer.socket = peer_dial(socket);
	peer_send_hello(&client->peer);
	peer_await_reply(&client->peer);
	peer_send_load(&client->peer);
	peer_await_model(&client->peer);
	for (size_t i = 0; i < DEPTH; i++)
		make_lane(client, &client->lanes[i]);
}

static inline void client_main(struct client *client, const char *socket)
{
	struct pollfd poll_fd = {.events = POLLIN};
	uint64_t now = now_ns();

	client_open(client, socket);
	poll_fd.fd = client->peer.socket;
	while (submit_all(client, now) || !atomic_load(&client->shared->stop)) {
		if (poll(&poll_fd, 1, 5) > 0)
			receive_all(client);
		now = now_ns();
		give_up(client, now);
	}
	/* What comes now was not asked for. */
	if (poll(&poll_fd, 1, 20) > 0)
		receive_all(client);
	for (size_t i = 0; i < DEPTH; i++)
		if (client->lanes[i].used)
			check_output(client, &client->lanes[i], "the output changed in the end");
}
