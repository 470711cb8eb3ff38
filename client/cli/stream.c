/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli stream: frames, one each period, and what became of them. */
#include "client/cli/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/args.h"

/* Frames that may be on their way beyond those that wait: running, ready, being answered. */
#define RUNNING_MAX 16u
/* Response times that are kept for the quantiles: the latest. */
#define TIMES_MAX ((size_t)1 << 20)
#define SHOW_EVERY_NS 200000000u
#define NEVER UINT64_MAX

enum { OPT_FRAMES = OPT_RESERVE_LAST + 1, OPT_PRIORITY, OPT_DROP, OPT_RESERVE, OPT_LAST };

struct run;

/* One of the frames that can be on their way at a time. */
struct frame {
	struct run *run;
	struct zhouyi_binding *binding;
	struct frame *next; /* of the free ones */
};

struct run {
	struct infer infer;
	struct reserve reserve;
	struct zhouyi_stream_options options;
	bool wants_reservation;
	uint64_t max_frames; /* 0: until interrupted */

	struct zhouyi_stream *stream;
	struct frame *frames, *free; /* owned: n_frames of them */
	unsigned int n_frames;

	uint64_t n_due, n_sent, n_answered, n_done, n_late, n_dropped, n_missed, n_failed;
	uint64_t n_skipped;	      /* all frames were on their way */
	struct zhouyi_result failure; /* the first one */
	uint64_t *times;	      /* owned: response times, the latest TIMES_MAX */
	size_t n_times;
	uint64_t begun_ns, ended_ns, show_ns;
	bool shows, shown, lost;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/*
 * Answers
 */

static void count(struct run *run, const struct zhouyi_result *result)
{
	run->n_answered++;
	switch (-result->error) {
	case ZHOUYI_SUCCESS:
		run->n_done++;
		run->n_late += result->late;
		run->times[run->n_times++ % TIMES_MAX] = result->total_ns;
		break;
	case ZHOUYI_ERROR_DROPPED:
		run->n_dropped++;
		break;
	case ZHOUYI_ERROR_DEADLINE_REFUSED:
	case ZHOUYI_ERROR_DEADLINE_EXPIRED:
		run->n_missed++;
		break;
	default:
		if (run->n_failed++ == 0)
			run->failure = *result;
	}
}

static void on_done(struct zhouyi_binding *binding, const struct zhouyi_result *result,
		    void *userdata)
{
	struct frame *frame = userdata;

	(void)binding;
	count(frame->run, result);
	frame->next = frame->run->free;
	frame->run->free = frame;
}

/*
 * Frames
 */

/* All the same: what they are made of is not the point. */
static void fill_frame(const struct infer *infer, struct zhouyi_binding *binding)
{
	unsigned int n = zhouyi_model_n_tensors(infer->model, ZHOUYI_INPUT);

	for (unsigned int i = 0; i < n; i++)
		memcpy(zhouyi_binding_data(binding, ZHOUYI_INPUT, i),
		       zhouyi_binding_data(infer->binding, ZHOUYI_INPUT, i),
		       zhouyi_model_tensor(infer->model, ZHOUYI_INPUT, i)->size);
}

static int make_frames(struct run *run)
{
	run->n_frames = run->options.depth + RUNNING_MAX;
	run->frames = calloc(run->n_frames, sizeof(*run->frames));
	run->times = calloc(TIMES_MAX, sizeof(*run->times));
	if (!run->frames || !run->times)
		return cli_fail(CLI_FAILED, "out of memory");
	for (unsigned int i = 0; i < run->n_frames; i++) {
		struct frame *frame = &run->frames[i];
		int r = zhouyi_binding_create_simple(run->infer.model, &frame->binding);

		if (r < 0)
			return cli_fail_call(run->infer.client, r, "a buffer for frames");
		fill_frame(&run->infer, frame->binding);
		frame->run = run;
		frame->next = run->free;
		run->free = frame;
	}
	return CLI_OK;
}

static void destroy_frames(struct run *run)
{
	for (unsigned int i = 0; run->frames && i < run->n_frames; i++)
		zhouyi_binding_destroy(run->frames[i].binding);
	free(run->frames);
	free(run->times);
}

static void send_frame(struct run *run)
{
	struct frame *frame = run->free;
	int r;

	run->n_due++;
	if (!frame) {
		run->n_skipped++;
		return;
	}
	r = zhouyi_stream_submit(run->stream, frame->binding, on_done, frame, NULL);
	if (r == -ZHOUYI_ERROR_BUSY) {
		run->n_skipped++;
		return;
	}
	if (r < 0) {
		run->lost = true;
		return;
	}
	run->free = frame->next;
	run->n_sent++;
}

/* Until something arrives, or @until. */
static void wait_until(struct run *run, uint64_t until)
{
	struct pollfd p = {.fd = zhouyi_client_fd(run->infer.client), .events = POLLIN};
	uint64_t now = now_ns(), ns = until > now ? until - now : 0;
	struct timespec timeout = {.tv_sec = (time_t)(ns / 1000000000u),
				   .tv_nsec = (long)(ns % 1000000000u)};

	if (ppoll(&p, 1, until == NEVER ? NULL : &timeout, NULL) <= 0)
		return;
	if (zhouyi_client_dispatch(run->infer.client, 0) < 0)
		run->lost = true;
}

static void show(struct run *run, uint64_t now)
{
	if (!run->shows || now < run->show_ns)
		return;
	fprintf(stderr,
		"\r%" PRIu64 " frames: %" PRIu64 " done, %" PRIu64 " late, %" PRIu64
		" dropped, %" PRIu64 " missed, %" PRIu64 " failed\033[K",
		run->n_due, run->n_done, run->n_late, run->n_dropped, run->n_missed,
		run->n_failed + run->n_skipped);
	run->shown = true;
	run->show_ns = now + SHOW_EVERY_NS;
}

static void run_frames(struct run *run)
{
	uint64_t period = run->reserve.options.period_ns, next;

	run->begun_ns = next = now_ns();
	while (!interrupted && !run->lost && (!run->max_frames || run->n_due < run->max_frames)) {
		uint64_t now = now_ns();

		if (now >= next) {
			send_frame(run);
			next += period;
			/* After a pause, of the machine or of ours: go on from there. */
			if (next + 100 * period < now)
				next = now;
		}
		show(run, now);
		wait_until(run, next);
	}
	while (run->n_answered < run->n_sent && !run->lost)
		wait_until(run, now_ns() + 1000000000u);
	run->ended_ns = now_ns();
	if (run->shown)
		fputs("\r\033[K", stderr);
}

/*
 * What came of it
 */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Of sorted times; 0 if there are none. */
static uint64_t quantile(const struct run *run, double part)
{
	size_t n = run->n_times < TIMES_MAX ? run->n_times : TIMES_MAX;
	size_t i = (size_t)ceil(part * (double)n);

	return n ? run->times[i > 0 ? i - 1 : 0] : 0;
}

static void print_summary(const struct run *run, const struct zhouyi_stream_info *info)
{
	printf("%" PRIu64 " frames in %s: %" PRIu64 " done, %" PRIu64 " late, %" PRIu64
	       " dropped, %" PRIu64 " missed, %" PRIu64 " failed",
	       run->n_due, args_time_text(run->ended_ns - run->begun_ns), run->n_done, run->n_late,
	       run->n_dropped, run->n_missed, run->n_failed);
	if (run->n_skipped)
		printf(", %" PRIu64 " not sent, because as many as can be were on their way",
		       run->n_skipped);
	putchar('\n');
	if (run->n_times)
		printf("response   min %s, median %s, p99 %s, max %s; longest run %s\n",
		       args_time_text(quantile(run, 0)), args_time_text(quantile(run, 0.5)),
		       args_time_text(quantile(run, 0.99)), args_time_text(quantile(run, 1)),
		       args_time_text(info->run_max_ns));
}

static json_t *response_json(const struct run *run)
{
	json_t *json = json_object();

	json_object_set_new(json, "min_ns", cli_json_number(quantile(run, 0)));
	json_object_set_new(json, "median_ns", cli_json_number(quantile(run, 0.5)));
	json_object_set_new(json, "p99_ns", cli_json_number(quantile(run, 0.99)));
	json_object_set_new(json, "max_ns", cli_json_number(quantile(run, 1)));
	return json;
}

static int summary_json(const struct run *run, const struct zhouyi_stream_info *info)
{
	json_t *json = json_object();

	json_object_set_new(json, "frames", cli_json_number(run->n_due));
	json_object_set_new(json, "duration_ns", cli_json_number(run->ended_ns - run->begun_ns));
	json_object_set_new(json, "done", cli_json_number(run->n_done));
	json_object_set_new(json, "late", cli_json_number(run->n_late));
	json_object_set_new(json, "dropped", cli_json_number(run->n_dropped));
	json_object_set_new(json, "missed", cli_json_number(run->n_missed));
	json_object_set_new(json, "failed", cli_json_number(run->n_failed));
	json_object_set_new(json, "not_sent", cli_json_number(run->n_skipped));
	json_object_set_new(json, "longest_run_ns", cli_json_number(info->run_max_ns));
	json_object_set_new(json, "response", response_json(run));
	if (run->reserve.verdict)
		json_object_set_new(json, "reservation", reserve_json(run->reserve.verdict));
	return cli_json_print(json);
}

static int summarize(struct run *run)
{
	struct zhouyi_client *client = run->infer.client;
	struct zhouyi_stream_info *info = NULL;
	int code = CLI_OK, r;

	qsort(run->times, run->n_times < TIMES_MAX ? run->n_times : TIMES_MAX, sizeof(*run->times),
	      compare);
	if (run->lost)
		return cli_fail_call(client, -ZHOUYI_ERROR_DISCONNECTED, "stream");
	r = zhouyi_stream_info_get(run->stream, &info);
	if (r < 0)
		return cli_fail_call(client, r, "stream");
	if (run->infer.cli->json)
		code = summary_json(run, info);
	else
		print_summary(run, info);
	zhouyi_free(info);
	if (run->n_failed)
		return cli_fail(CLI_FAILED, "the first frame that failed: %s",
				zhouyi_result_text(&run->failure));
	return code;
}

/*
 * The command
 */

static int own_option(struct run *run, int option)
{
	const struct cli *cli = run->infer.cli;

	switch (option) {
	case OPT_FRAMES:
		return args_number(cli, "--frames", optarg, 1, UINT64_MAX, &run->max_frames);
	case OPT_PRIORITY:
		return args_class(cli, "--priority", optarg, &run->options.stream_class);
	case OPT_DROP:
		return args_drop(cli, "--drop", optarg, &run->options.drop, &run->options.depth);
	case OPT_RESERVE:
		run->wants_reservation = true;
		return CLI_OK;
	default:
		return reserve_option(cli, &run->reserve, option);
	}
}

/* Returns -1 to go on, or the exit code. */
static int check(struct run *run, int argc, char **argv)
{
	struct infer *infer = &run->infer;

	if (optind + 2 > argc)
		return cli_usage(infer->cli, "%s is missing", optind < argc ? "INPUT" : "MODEL");
	if (!run->reserve.options.period_ns)
		return cli_usage(infer->cli, "--period is missing");
	if (!run->wants_reservation &&
	    (run->reserve.options.budget_ns || run->reserve.options.jitter_ns))
		return cli_usage(infer->cli, "--budget and --jitter are for --reserve");
	infer->model_name = argv[optind];
	infer->inputs = argv + optind + 1;
	infer->n_inputs = (unsigned int)(argc - optind - 1);
	return -1;
}

static int parse(struct run *run, int argc, char **argv)
{
	static const struct option options[] = {
		{"period", required_argument, NULL, OPT_PERIOD},
		{"deadline", required_argument, NULL, OPT_DEADLINE},
		{"budget", required_argument, NULL, OPT_BUDGET},
		{"jitter", required_argument, NULL, OPT_JITTER},
		{"core-mask", required_argument, NULL, OPT_CORE_MASK},
		{"frames", required_argument, NULL, OPT_FRAMES},
		{"priority", required_argument, NULL, OPT_PRIORITY},
		{"drop", required_argument, NULL, OPT_DROP},
		{"reserve", no_argument, NULL, OPT_RESERVE},
		CLI_OPTIONS,
	};
	int option, code;

	while ((option = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		if (option >= OPT_PERIOD && option < OPT_LAST) {
			code = own_option(run, option);
			if (code != CLI_OK)
				return code;
		} else {
			code = cli_option(run->infer.cli, option);
			if (code >= 0)
				return code;
		}
	}
	return check(run, argc, argv);
}

static int prepare(struct run *run)
{
	struct infer *infer = &run->infer;
	int code = infer_get_model(infer), r;

	if (code != CLI_OK)
		return code;
	r = zhouyi_binding_create_simple(infer->model, &infer->binding);
	if (r < 0)
		return cli_fail_call(infer->client, r, infer->model_name);
	code = infer_read_inputs(infer);
	if (code == CLI_OK)
		code = make_frames(run);
	if (code == CLI_OK && run->wants_reservation)
		code = reserve_ask(infer, &run->reserve);
	if (code != CLI_OK)
		return code;
	run->options.period_ns = run->reserve.options.period_ns;
	run->options.deadline_ns = run->reserve.options.deadline_ns;
	run->options.core_mask = run->reserve.options.core_mask;
	run->options.reservation = run->reserve.reservation;
	r = zhouyi_stream_create(infer->model, &run->options, &run->stream);
	return r < 0 ? cli_fail_call(infer->client, r, "stream") : CLI_OK;
}

static int stream(struct run *run)
{
	struct sigaction action = {.sa_handler = on_signal};
	int code = prepare(run);

	if (code != CLI_OK)
		return code;
	if (run->wants_reservation && !run->infer.cli->json && !run->infer.cli->quiet)
		reserve_print(stdout, run->reserve.verdict);
	fflush(stdout);
	/* The first one ends the stream, and the summary follows; the second one ends us. */
	action.sa_flags = (int)SA_RESETHAND;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	run->shows = !run->infer.cli->quiet && isatty(STDERR_FILENO);
	run_frames(run);
	return summarize(run);
}

int cli_stream(struct cli *cli, int argc, char **argv)
{
	struct run run = {
		.infer = {.cli = cli},
		.reserve = {.options = ZHOUYI_RESERVE_OPTIONS_INIT},
		.options = ZHOUYI_STREAM_OPTIONS_INIT,
	};
	int code;

	run.options.depth = 1;
	code = parse(&run, argc, argv);
	if (code >= 0)
		return code;
	code = stream(&run);
	/* What is still on its way is answered now. */
	zhouyi_client_close(run.infer.client);
	zhouyi_stream_destroy(run.stream);
	zhouyi_reservation_release(run.reserve.reservation);
	zhouyi_free(run.reserve.verdict);
	zhouyi_binding_destroy(run.infer.binding);
	destroy_frames(&run);
	zhouyi_model_close(run.infer.model);
	return code;
}
