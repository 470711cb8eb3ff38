/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keep several requests on their way and wait for them in a poll() loop, as a
 * program does that has other descriptors to watch.
 *
 *	cc infer_async.c -o infer_async $(pkg-config --cflags --libs zhouyi-client)
 *	./infer_async model.elf 100
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <zhouyi-client.h>

/* As a camera has frames: one is filled while others are looked at. */
#define N_FRAMES 4

struct app {
	struct zhouyi_client *client;
	struct zhouyi_model *model;
	struct zhouyi_binding *frames[N_FRAMES];
	int n_wanted, n_submitted, n_answered, n_failed;
};

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static void submit(struct app *app, struct zhouyi_binding *frame);

/* Runs inside zhouyi_client_dispatch(), once for each request. */
static void done(struct zhouyi_binding *frame, const struct zhouyi_result *result, void *userdata)
{
	struct app *app = userdata;

	app->n_answered++;
	if (result->error != 0) {
		app->n_failed++;
		fprintf(stderr, "request %d: %s\n", app->n_answered, zhouyi_result_text(result));
		return; /* this frame stops */
	}
	/* Here the outputs are ours: zhouyi_binding_data(frame, ZHOUYI_OUTPUT, 0). */
	if (app->n_submitted < app->n_wanted)
		submit(app, frame);
}

static void submit(struct app *app, struct zhouyi_binding *frame)
{
	struct zhouyi_options options = ZHOUYI_OPTIONS_INIT;
	int r;

	/* Here the inputs are ours: zhouyi_binding_data(frame, ZHOUYI_INPUT, 0). */
	options.request_class = ZHOUYI_CLASS_INTERACTIVE; /* the default */
	r = zhouyi_submit(frame, &options, done, app, NULL);
	if (r < 0)
		fail("cannot submit", zhouyi_strerror(r));
	app->n_submitted++;
}

static void set_up(struct app *app, const char *path)
{
	int r;

	r = zhouyi_client_open(&app->client, NULL);
	if (r < 0)
		fail("cannot connect", zhouyi_strerror(r));
	r = zhouyi_model_load_file(app->client, path, NULL, 0, &app->model);
	if (r < 0)
		fail(path, zhouyi_client_error(app->client));
	for (int i = 0; i < N_FRAMES; i++) {
		r = zhouyi_binding_create_simple(app->model, &app->frames[i]);
		if (r < 0)
			fail("cannot make buffers", zhouyi_client_error(app->client));
	}
}

static void tear_down(struct app *app)
{
	for (int i = 0; i < N_FRAMES; i++)
		zhouyi_binding_destroy(app->frames[i]);
	zhouyi_model_close(app->model);
	zhouyi_client_close(app->client);
}

int main(int argc, char **argv)
{
	struct app app = {.n_wanted = argc > 2 ? atoi(argv[2]) : 100};
	struct pollfd fds[1];

	if (argc < 2)
		fail("usage", "infer_async MODEL [COUNT]");
	set_up(&app, argv[1]);
	for (int i = 0; i < N_FRAMES && app.n_submitted < app.n_wanted; i++)
		submit(&app, app.frames[i]);

	fds[0] = (struct pollfd){.fd = zhouyi_client_fd(app.client), .events = POLLIN};
	while (app.n_answered < app.n_submitted) {
		/* Other descriptors would stand beside this one. */
		if (poll(fds, 1, -1) < 0)
			continue;
		if (zhouyi_client_dispatch(app.client, 0) < 0)
			fail("cannot go on", zhouyi_client_error(app.client));
	}
	printf("%d answered, %d failed\n", app.n_answered, app.n_failed);
	tear_down(&app);
	return app.n_failed ? 1 : 0;
}
