/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many clients at once, each with inputs of its own, against a `copy` model: the
 * output must be the input, byte for byte, and every request is answered once.
 *
 * usage: clients SOCKET MODEL CLIENTS REQUESTS
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "zhouyi-client.h"

#define DEPTH 4u /* requests on their way, per client */

struct lane {
	struct zhouyi_binding *binding;
	uint64_t number; /* of the request on its way */
	bool busy;
};

struct run {
	struct zhouyi_client *client;
	struct lane lanes[DEPTH];
	size_t size;
	unsigned int id;
	uint64_t submitted, answered, wrong;
};

static void die(const char *what, int error)
{
	fprintf(stderr, "clients: %s: %s\n", what, zhouyi_strerror(error));
	_exit(1);
}

/* Different for every client, request and position. */
static void fill(uint8_t *data, size_t size, unsigned int client, uint64_t number)
{
	uint64_t x = (uint64_t)client << 32 ^ (number + 1) * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < size; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		data[i] = (uint8_t)x;
	}
}

static void done(struct zhouyi_binding *binding, const struct zhouyi_result *result, void *userdata)
{
	struct run *run = userdata;
	struct lane *lane = run->lanes;

	while (lane->binding != binding)
		lane++;
	if (result->error)
		die(zhouyi_result_text(result), result->error);
	if (!lane->busy || result->copied_bytes ||
	    memcmp(zhouyi_binding_data(binding, ZHOUYI_INPUT, 0),
		   zhouyi_binding_data(binding, ZHOUYI_OUTPUT, 0), run->size) != 0)
		run->wrong++;
	lane->busy = false;
	run->answered++;
}

static void submit(struct run *run, struct lane *lane)
{
	int r;

	lane->number = run->submitted;
	fill(zhouyi_binding_data(lane->binding, ZHOUYI_INPUT, 0), run->size, run->id, lane->number);
	memset(zhouyi_binding_data(lane->binding, ZHOUYI_OUTPUT, 0), 0, run->size);
	lane->busy = true;
	r = zhouyi_submit(lane->binding, NULL, done, run, NULL);
	if (r < 0)
		die("submit", r);
	run->submitted++;
}

static int client_main(const char *socket, const char *path, unsigned int id, uint64_t requests)
{
	struct run run = {.id = id};
	struct zhouyi_model *model;
	int r;

	r = zhouyi_client_open(&run.client, socket);
	if (r < 0)
		die("open", r);
	r = zhouyi_model_load_file(run.client, path, NULL, 0, &model);
	if (r < 0)
		die(zhouyi_client_error(run.client), r);
	run.size = zhouyi_model_tensor(model, ZHOUYI_INPUT, 0)->size;
	for (size_t i = 0; i < DEPTH; i++) {
		r = zhouyi_binding_create_simple(model, &run.lanes[i].binding);
		if (r < 0)
			die(zhouyi_client_error(run.client), r);
	}
	while (run.answered < requests) {
		for (size_t i = 0; i < DEPTH; i++) {
			if (!run.lanes[i].busy && run.submitted < requests)
				submit(&run, &run.lanes[i]);
		}
		r = zhouyi_client_dispatch(run.client, 10000);
		if (r <= 0)
			die("dispatch", r);
	}
	for (size_t i = 0; i < DEPTH; i++)
		zhouyi_binding_destroy(run.lanes[i].binding);
	zhouyi_model_close(model);
	zhouyi_client_close(run.client);
	if (run.wrong || run.answered != requests)
		fprintf(stderr,
			"clients: client %u: %" PRIu64 " wrong, %" PRIu64 " answered of %" PRIu64
			"\n",
			id, run.wrong, run.answered, requests);
	return run.wrong || run.answered != requests;
}

int main(int argc, char **argv)
{
	unsigned int n_clients = argc == 5 ? (unsigned int)atoi(argv[3]) : 0;
	int failed = 0;

	if (!n_clients) {
		fprintf(stderr, "usage: %s SOCKET MODEL CLIENTS REQUESTS\n", argv[0]);
		return 2;
	}
	for (unsigned int i = 0; i < n_clients; i++) {
		pid_t pid = fork();

		if (pid == 0)
			return client_main(argv[1], argv[2], i, strtoull(argv[4], NULL, 10));
		if (pid < 0)
			return 1;
	}
	for (unsigned int i = 0; i < n_clients; i++) {
		int status;

		if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
			failed++;
	}
	printf("%u clients, %d failed\n", n_clients, failed);
	return failed != 0;
}
