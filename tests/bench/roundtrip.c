/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The round trip of one inference against the smallest thing it could be: a
 * SOCK_SEQPACKET ping-pong of packets of the same size with a process that does
 * nothing. The variants take turns in blocks, so that a machine that slows down
 * slows both.
 *
 * usage: roundtrip SOCKET MODEL ROUNDS COUNT
 *
 * Prints one line for each sample: variant, round, nanoseconds. Pin it, and the
 * daemon, to one CPU: see tests/bench/run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/entry.h"
#include "zhouyi-client.h"

struct bench {
	struct zhouyi_binding *binding;
	int pong; /* socket to the process that echoes */
};

static void die(const char *what, int r)
{
	fprintf(stderr, "roundtrip: %s: %s\n", what, zhouyi_strerror(r));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void infer(struct bench *bench)
{
	int r = zhouyi_run(bench->binding, NULL, NULL);

	if (r < 0)
		die("run", r);
}

static void ping(struct bench *bench)
{
	char packet[sizeof(struct zy_submit)] = {0};

	if (send(bench->pong, packet, sizeof(packet), 0) < 0 ||
	    recv(bench->pong, packet, sizeof(packet), 0) < 0)
		die("ping", -ZHOUYI_ERROR_IO);
}

static const struct {
	const char *name;
	void (*once)(struct bench *bench);
} variants[] = {{"infer", infer}, {"pingpong", ping}};

static int start_pong(void)
{
	char packet[sizeof(struct zy_submit)];
	int sockets[2];
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) < 0)
		die("socketpair", -ZHOUYI_ERROR_IO);
	if (fork() != 0) {
		close(sockets[1]);
		return sockets[0];
	}
	close(sockets[0]);
	while ((n = recv(sockets[1], packet, sizeof(packet), 0)) > 0)
		send(sockets[1], packet, (size_t)n, 0);
	_exit(0);
}

static void measure(struct bench *bench, int rounds, int count, uint64_t *samples)
{
	for (int round = -1; round < rounds; round++) { /* round -1 warms up */
		for (size_t v = 0; v < 2; v++) {
			for (int i = 0; i < count; i++) {
				uint64_t start = now();

				variants[v].once(bench);
				samples[i] = now() - start;
			}
			for (int i = 0; i < count && round >= 0; i++)
				printf("%s,%d,%" PRIu64 "\n", variants[v].name, round, samples[i]);
		}
	}
}

int main(int argc, char **argv)
{
	struct bench bench = {.pong = start_pong()};
	struct zhouyi_client *client;
	struct zhouyi_model *model;
	uint64_t *samples;
	int r;

	if (argc != 5) {
		fprintf(stderr, "usage: %s SOCKET MODEL ROUNDS COUNT\n", argv[0]);
		return 2;
	}
	samples = calloc((size_t)atoi(argv[4]), sizeof(*samples));
	r = zhouyi_client_open(&client, argv[1]);
	if (r < 0 || !samples)
		die("open", r);
	r = zhouyi_model_load_file(client, argv[2], NULL, 0, &model);
	if (r < 0)
		die(zhouyi_client_error(client), r);
	r = zhouyi_binding_create_simple(model, &bench.binding);
	if (r < 0)
		die(zhouyi_client_error(client), r);
	puts("variant,round,ns");
	measure(&bench, atoi(argv[3]), atoi(argv[4]), samples);
	zhouyi_binding_destroy(bench.binding);
	zhouyi_model_close(model);
	zhouyi_client_close(client);
	free(samples);
	return 0;
}
