/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Put many requests on their way, then wait until each is answered exactly once,
 * whatever happens to the daemon meanwhile.
 *
 * usage: inflight SOCKET MODEL COUNT [cancel]
 *
 * Prints "submitted" when all are on their way; with `cancel` it then cancels every
 * second one, from the last to the first. At the end prints how many had which
 * result, a line each. Exit status 1 if one was lost or answered twice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zhouyi-client.h"

struct request {
	uint64_t id;
	unsigned int answers;
	int error;
};

static unsigned int answered;

static void done(struct zhouyi_binding *binding, const struct zhouyi_result *result, void *userdata)
{
	struct request *request = userdata;

	(void)binding;
	request->answers++;
	request->error = result->error;
	answered++;
}

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "inflight: %s: %s\n", what, zhouyi_strerror(r));
	exit(1);
}

static void cancel_half(struct zhouyi_client *client, struct request *requests, unsigned int n)
{
	for (unsigned int i = n; i-- > 0;) {
		int r = i % 2 ? zhouyi_cancel(client, requests[i].id) : 0;

		if (r != -ZHOUYI_ERROR_NOT_FOUND)
			check(r, "cancel");
	}
}

static int report(const struct request *requests, unsigned int n)
{
	unsigned int counts[64] = {0}, bad = 0;

	for (unsigned int i = 0; i < n; i++) {
		bad += requests[i].answers != 1;
		counts[-requests[i].error & 63]++;
	}
	for (int e = 0; e < 64; e++) {
		if (counts[e])
			printf("%u: %s\n", counts[e], zhouyi_strerror(e));
	}
	if (bad)
		fprintf(stderr, "inflight: %u requests were not answered exactly once\n", bad);
	return bad != 0;
}

int main(int argc, char **argv)
{
	unsigned int n = argc >= 4 ? (unsigned int)atoi(argv[3]) : 0;
	struct request *requests = calloc(n ? n : 1, sizeof(*requests));
	struct zhouyi_client *client;
	struct zhouyi_model *model;
	struct zhouyi_binding *binding;

	if (!n || !requests) {
		fprintf(stderr, "usage: %s SOCKET MODEL COUNT [cancel]\n", argv[0]);
		return 2;
	}
	check(zhouyi_client_open(&client, argv[1]), "open");
	check(zhouyi_model_load_file(client, argv[2], NULL, 0, &model), "load");
	check(zhouyi_binding_create_simple(model, &binding), "bind");
	for (unsigned int i = 0; i < n; i++) {
		int r;

		while ((r = zhouyi_submit(binding, NULL, done, &requests[i], &requests[i].id)) ==
		       -ZHOUYI_ERROR_BUSY)
			check(zhouyi_client_dispatch(client, 1000), "dispatch");
		check(r, "submit");
	}
	puts("submitted");
	fflush(stdout);
	if (argc == 5)
		cancel_half(client, requests, n);
	while (answered < n) {
		if (zhouyi_client_dispatch(client, 30000) == 0) {
			fprintf(stderr, "inflight: no answer for half a minute\n");
			break;
		}
	}
	zhouyi_binding_destroy(binding);
	zhouyi_model_close(model);
	zhouyi_client_close(client);
	n = (unsigned int)report(requests, n);
	free(requests);
	return (int)n;
}
