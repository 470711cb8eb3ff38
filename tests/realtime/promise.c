/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a reservation kept? A stream with a reservation sends frames of a short model
 * on time, while others flood all cores with a long one in the background. Beside it,
 * and knowing nothing of it, a thread on each processor sleeps for a millisecond at a time and
 * notes when the host woke it late: a stall. A frame that was missed is excused only if stalls took
 * half of its slack.
 *
 * usage: promise SOCKET SHORT.elf LONG.elf FRAMES BUDGET_US PERIOD_US DEADLINE_US FLOODERS
 * Prints one line of key=value. Status 0: no frame was missed without excuse, and
 * the flood was served.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "zhouyi-client.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define IN_FLIGHT 8
#define MAX_BINDINGS 16
#define MAX_FLOODERS 64
#define MAX_STALLS 100000
#define MAX_CPUS 8

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "promise: %s: %s\n", what, zhouyi_strerror(r));
	exit(2);
}

static void sleep_until(uint64_t at)
{
	struct timespec t = {(time_t)(at / 1000000000u), (long)(at % 1000000000u)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

/*
 * Stalls
 */

struct monitor {
	pthread_t thread;
	int cpu;
	size_t n;
	struct {
		uint64_t from, to;
	} stalls[MAX_STALLS];
};

static atomic_bool over;

static void *monitor_run(void *arg)
{
	struct monitor *monitor = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(monitor->cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	while (!atomic_load(&over)) {
		uint64_t due = now() + MS, woken;

		sleep_until(due);
		woken = now();
		/* Timers have a slack of 50 us, and a wake-up between processors takes as long. */
		if (woken > due + 200 * US && monitor->n < MAX_STALLS) {
			monitor->stalls[monitor->n].from = due;
			monitor->stalls[monitor->n].to = woken;
			monitor->n++;
		}
	}
	return NULL;
}

static uint64_t stalled(const struct monitor *monitor, uint64_t from, uint64_t to)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < monitor->n; i++) {
		uint64_t a = monitor->stalls[i].from, b = monitor->stalls[i].to;

		a = a > from ? a : from;
		b = b < to ? b : to;
		sum += b > a ? b - a : 0;
	}
	return sum;
}

/*
 * The flood: one process each
 */

static void flood_done(struct zhouyi_binding *binding, const struct zhouyi_result *result,
		       void *arg)
{
	struct zhouyi_options options = ZHOUYI_OPTIONS_INIT;
	uint64_t *served = arg;

	if (result->error == -ZHOUYI_ERROR_DISCONNECTED)
		exit(0);
	*served += result->error == 0;
	options.request_class = ZHOUYI_CLASS_BACKGROUND;
	must(zhouyi_submit(binding, &options, flood_done, arg, NULL), "flood");
}

static volatile sig_atomic_t told_to_stop;

static void on_term(int signum)
{
	(void)signum;
	told_to_stop = 1;
}

static int flood(const char *socket, const char *path, int report)
{
	struct zhouyi_options options = ZHOUYI_OPTIONS_INIT;
	struct sigaction action = {.sa_handler = on_term};
	struct zhouyi_client *client;
	struct zhouyi_model *model;
	uint64_t served = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGTERM, &action, NULL);
	must(zhouyi_client_open(&client, socket), "open");
	must(zhouyi_model_load_file(client, path, NULL, 0, &model), "load");
	options.request_class = ZHOUYI_CLASS_BACKGROUND;
	for (int i = 0; i < IN_FLIGHT; i++) {
		struct zhouyi_binding *binding;

		must(zhouyi_binding_create_simple(model, &binding), "bind");
		must(zhouyi_submit(binding, &options, flood_done, &served, NULL), "submit");
	}
	while (!told_to_stop)
		zhouyi_client_dispatch(client, 100);
	if (write(report, &served, sizeof(served)) != (ssize_t)sizeof(served))
		return 1;
	return 0;
}

/*
 * The stream
 */

struct frame {
	uint64_t sent, back;
	uint64_t total; /* as the daemon measured it */
	int error;
	bool late, answered;
};

struct stream {
	struct zhouyi_client *client;
	struct zhouyi_model *model;
	struct zhouyi_reservation *reservation;
	struct zhouyi_stream *stream;
	struct zhouyi_binding *bindings[MAX_BINDINGS];
	struct frame *frames;
	unsigned int n, next, answered;
};

static void frame_done(struct zhouyi_binding *binding, const struct zhouyi_result *result,
		       void *arg)
{
	struct frame *frame = arg;

	(void)binding;
	frame->back = now();
	frame->total = result->total_ns;
	frame->error = result->error;
	frame->late = result->late;
	frame->answered = true;
}

static void stream_dispatch(struct stream *stream, uint64_t until)
{
	for (;;) {
		struct pollfd fd = {zhouyi_client_fd(stream->client), POLLIN, 0};
		uint64_t t = now(), rest = until > t ? until - t : 0;
		struct timespec timeout = {(time_t)(rest / 1000000000u),
					   (long)(rest % 1000000000u)};

		if (!rest)
			return;
		if (ppoll(&fd, 1, &timeout, NULL) > 0)
			must(zhouyi_client_dispatch(stream->client, 0), "dispatch");
	}
}

static void stream_run(struct stream *stream, uint64_t period)
{
	uint64_t begin = now() + 10 * MS;

	for (unsigned int i = 0; i < stream->n; i++) {
		struct frame *frame = &stream->frames[i];

		stream_dispatch(stream, begin + i * period);
		frame->sent = now();
		must(zhouyi_stream_submit(stream->stream, stream->bindings[i % MAX_BINDINGS],
					  frame_done, frame, NULL),
		     "frame");
	}
	stream_dispatch(stream, now() + 500 * MS);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static struct monitor monitors[MAX_CPUS];

/* Returns the frames that were missed without excuse. */
static unsigned int judge(const struct stream *stream, int n_monitors, uint64_t deadline,
			  uint64_t slack, uint64_t flooded)
{
	uint64_t *totals = calloc(stream->n, sizeof(*totals));
	unsigned int missed = 0, excused = 0;
	size_t n_stalls = 0;
	uint64_t excuse_until = 0;

	must(totals ? 0 : -ZHOUYI_ERROR_NO_MEMORY, "memory");
	for (unsigned int i = 0; i < stream->n; i++) {
		const struct frame *frame = &stream->frames[i];
		uint64_t lost = 0;
		bool behind;

		totals[i] = frame->total;
		if (frame->answered && !frame->error && !frame->late && frame->total <= deadline)
			continue;
		missed++;
		for (int cpu = 0; cpu < n_monitors; cpu++)
			lost += stalled(&monitors[cpu], frame->sent, frame->sent + deadline);
		/* Frames that a stall held up hold up those that were sent before they were back.
		 */
		behind = i && excuse_until > frame->sent;
		if (lost >= slack / 2 || behind) {
			excused++;
			excuse_until = frame->answered ? frame->back : UINT64_MAX;
		}
		fprintf(stderr,
			"frame %u: %s%s, %.3f ms (deadline %.3f ms), host stalled %.3f ms%s\n",
			i + 1, frame->answered ? zhouyi_strerror(frame->error) : "no answer",
			frame->late ? ", late" : "", (double)frame->total / 1e6,
			(double)deadline / 1e6, (double)lost / 1e6,
			behind ? ", behind a frame that was held up" : "");
	}
	qsort(totals, stream->n, sizeof(*totals), compare);
	for (int cpu = 0; cpu < n_monitors; cpu++)
		n_stalls += monitors[cpu].n;
	printf("frames=%u missed=%u excused=%u stalls=%zu flood=%" PRIu64
	       " p50_us=%.1f p99_us=%.1f max_us=%.1f deadline_us=%.1f\n",
	       stream->n, missed, excused, n_stalls, flooded, (double)totals[stream->n / 2] / 1e3,
	       (double)totals[stream->n * 99 / 100] / 1e3, (double)totals[stream->n - 1] / 1e3,
	       (double)deadline / 1e3);
	free(totals);
	return missed - excused;
}

static void stream_open(struct stream *stream, const char *socket, const char *path,
			uint64_t budget, uint64_t period, uint64_t deadline)
{
	struct zhouyi_reserve_options reserve = ZHOUYI_RESERVE_OPTIONS_INIT;
	struct zhouyi_stream_options options = ZHOUYI_STREAM_OPTIONS_INIT;
	struct zhouyi_verdict *verdict = NULL;
	int r;

	must(zhouyi_client_open(&stream->client, socket), "open");
	must(zhouyi_model_load_file(stream->client, path, NULL, 0, &stream->model), "load");
	for (int i = 0; i < MAX_BINDINGS; i++) {
		must(zhouyi_binding_create_simple(stream->model, &stream->bindings[i]), "bind");
	}
	reserve.budget_ns = budget;
	reserve.period_ns = period;
	reserve.deadline_ns = deadline;
	r = zhouyi_reserve(stream->model, &reserve, &stream->reservation, &verdict);
	if (r < 0)
		fprintf(stderr, "promise: %s\n", zhouyi_client_error(stream->client));
	must(r, "reserve");
	zhouyi_free(verdict);
	options.reservation = stream->reservation;
	options.stream_class = ZHOUYI_CLASS_REALTIME;
	options.period_ns = period;
	options.deadline_ns = deadline;
	options.drop = ZHOUYI_DROP_OLDEST;
	options.depth = MAX_BINDINGS - 1;
	must(zhouyi_stream_create(stream->model, &options, &stream->stream), "stream");
}

static void stream_close(struct stream *stream)
{
	zhouyi_stream_destroy(stream->stream);
	zhouyi_reservation_release(stream->reservation);
	for (int i = 0; i < MAX_BINDINGS; i++)
		zhouyi_binding_destroy(stream->bindings[i]);
	zhouyi_model_close(stream->model);
	zhouyi_client_close(stream->client);
	free(stream->frames);
}

int main(int argc, char **argv)
{
	struct stream stream = {0};
	pid_t flooders[MAX_FLOODERS];
	uint64_t period, deadline, budget, flooded = 0;
	int n_flooders, n_monitors = (int)sysconf(_SC_NPROCESSORS_ONLN), report[2];
	unsigned int unexcused;

	if (argc != 9 || (n_flooders = atoi(argv[8])) < 0 || n_flooders > MAX_FLOODERS) {
		fprintf(stderr, "usage: promise SOCKET SHORT.elf LONG.elf FRAMES PERIOD_US "
				"DEADLINE_US FLOODERS\n");
		return 2;
	}
	stream.n = (unsigned int)atoi(argv[4]);
	budget = (uint64_t)atoi(argv[5]) * US;
	period = (uint64_t)atoi(argv[6]) * US;
	deadline = (uint64_t)atoi(argv[7]) * US;
	stream.frames = calloc(stream.n, sizeof(*stream.frames));
	must(stream.frames && pipe(report) == 0 ? 0 : -ZHOUYI_ERROR_NO_MEMORY, "memory");
	stream_open(&stream, argv[1], argv[2], budget, period, deadline);
	for (int i = 0; i < n_flooders; i++) {
		flooders[i] = fork();
		if (flooders[i] == 0)
			_exit(flood(argv[1], argv[3], report[1]));
	}
	n_monitors = n_monitors > MAX_CPUS ? MAX_CPUS : n_monitors;
	for (int i = 0; i < n_monitors; i++) {
		monitors[i].cpu = i;
		pthread_create(&monitors[i].thread, NULL, monitor_run, &monitors[i]);
	}
	/* The flood rises. */
	stream_dispatch(&stream, now() + 300 * MS);
	stream_run(&stream, period);
	atomic_store(&over, true);
	for (int i = 0; i < n_monitors; i++)
		pthread_join(monitors[i].thread, NULL);
	for (int i = 0; i < n_flooders; i++) {
		uint64_t served;

		kill(flooders[i], SIGTERM);
		if (read(report[0], &served, sizeof(served)) == (ssize_t)sizeof(served))
			flooded += served;
		waitpid(flooders[i], NULL, 0);
	}
	unexcused = judge(&stream, n_monitors, deadline, deadline > budget ? deadline - budget : 0,
			  flooded);
	stream_close(&stream);
	return unexcused || (n_flooders && !flooded);
}
