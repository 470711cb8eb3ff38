/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs the daemon's loop that somebody cancels, or goes away, with a
 * thousand requests queued: CPU time of its thread, as the kernel counts it.
 *
 * usage: leave SOCKET MODEL PID N ROUNDS
 * MODEL should run long enough that N requests stay queued. Prints CSV: what,round,ns.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/bench/cpu.h"
#include "zhouyi-client.h"

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "leave: %s: %s\n", what, zhouyi_strerror(r));
	exit(1);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void done(struct zhouyi_binding *binding, const struct zhouyi_result *result, void *arg)
{
	(void)binding, (void)result, (void)arg;
}

/* A client with @n requests on their way; the number of the one in the middle. */
static struct zhouyi_client *fill(const char *socket, const char *path, unsigned int n,
				  uint64_t *ret_middle)
{
	struct zhouyi_client *client;
	struct zhouyi_model *model;
	struct zhouyi_binding *binding;

	must(zhouyi_client_open(&client, socket), "open");
	must(zhouyi_model_load_file(client, path, NULL, 0, &model), "load");
	must(zhouyi_binding_create_simple(model, &binding), "bind");
	for (unsigned int i = 0; i < n; i++) {
		uint64_t request;
		int r;

		while ((r = zhouyi_submit(binding, NULL, done, NULL, &request)) ==
		       -ZHOUYI_ERROR_BUSY)
			zhouyi_client_dispatch(client, 1);
		must(r, "submit");
		if (i == n / 2)
			*ret_middle = request;
	}
	return client;
}

/* The daemon takes turns: it may not have read all of them yet. */
static void wait_queued(const char *socket, unsigned int n)
{
	struct zhouyi_client *client;
	unsigned int queued = 0;

	must(zhouyi_client_open(&client, socket), "open");
	for (int i = 0; i < 1000 && queued < n; i++) {
		struct zhouyi_status *status;

		pause_ms(1);
		must(zhouyi_status_get(client, &status), "status");
		queued = status->queued;
		zhouyi_free(status);
	}
	if (queued < n) {
		fprintf(stderr, "leave: only %u requests are queued\n", queued);
		exit(1);
	}
	zhouyi_client_close(client);
	pause_ms(20);
}

int main(int argc, char **argv)
{
	unsigned int n, rounds;

	if (argc != 6) {
		fprintf(stderr, "usage: leave SOCKET MODEL PID N ROUNDS\n");
		return 2;
	}
	n = (unsigned int)atoi(argv[4]);
	rounds = (unsigned int)atoi(argv[5]);
	for (unsigned int round = 0; round < rounds; round++) {
		uint64_t middle = 0, before;
		/* More than are to be queued: a few are on the device. */
		struct zhouyi_client *client = fill(argv[1], argv[2], n + 16, &middle);

		wait_queued(argv[1], n);
		before = cpu_ns(atoi(argv[3]));
		must(zhouyi_cancel(client, middle), "cancel");
		pause_ms(2);
		printf("cancel,%u,%" PRIu64 "\n", round, cpu_ns(atoi(argv[3])) - before);
		before = cpu_ns(atoi(argv[3]));
		zhouyi_client_close(client);
		pause_ms(20);
		printf("disconnect,%u,%" PRIu64 "\n", round, cpu_ns(atoi(argv[3])) - before);
	}
	return 0;
}
