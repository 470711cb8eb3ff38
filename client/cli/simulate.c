/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli simulate: run a trace on a model of the device; needs no daemon. */
#include "client/cli/simulate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "client/cli/args.h"
#include "simulate/simulation.h"

enum { OPT_POLICY = CLI_OPTION_FIRST, OPT_SEED, OPT_DURATION, OPT_MARKDOWN };

struct simulate {
	struct cli *cli;
	const struct scheme *only; /* NULL: all */
	uint64_t seed;		   /* 0: the trace's, or drawn anew */
	uint64_t duration_ns;	   /* 0: the trace's */
	bool markdown;
};

static int set_policy(struct simulate *simulate, const char *name)
{
	simulate->only = NULL;
	if (strcmp(name, "all") == 0)
		return -1;
	for (unsigned int i = 0; i < N_SCHEMES; i++)
		if (strcmp(schemes[i]->name, name) == 0)
			simulate->only = schemes[i];
	if (simulate->only)
		return -1;
	return cli_usage(simulate->cli,
			 "--policy must be zhouyi, fifo, round-robin, drain or all, not '%s'",
			 cli_text(name));
}

static int set_seed(struct simulate *simulate, const char *text)
{
	int code = args_number(simulate->cli, "--seed", text, 1, INT64_MAX, &simulate->seed);

	return code == CLI_OK ? -1 : code;
}

static int set_duration(struct simulate *simulate, const char *text)
{
	if (trace_time_parse(text, &simulate->duration_ns) == 0 && simulate->duration_ns)
		return -1;
	return cli_usage(simulate->cli, "--duration must be a time like 90s, 500ms or 1h, not '%s'",
			 cli_text(text));
}

static int set_option(struct simulate *simulate, int option)
{
	switch (option) {
	case OPT_POLICY:
		return set_policy(simulate, optarg);
	case OPT_SEED:
		return set_seed(simulate, optarg);
	case OPT_DURATION:
		return set_duration(simulate, optarg);
	case OPT_MARKDOWN:
		simulate->markdown = true;
		return -1;
	default:
		return cli_option(simulate->cli, option);
	}
}

static int parse(struct simulate *simulate, int argc, char **argv)
{
	static const struct option options[] = {
		{"policy", required_argument, NULL, OPT_POLICY},
		{"seed", required_argument, NULL, OPT_SEED},
		{"duration", required_argument, NULL, OPT_DURATION},
		{"markdown", no_argument, NULL, OPT_MARKDOWN},
		CLI_OPTIONS,
	};
	int option;

	while ((option = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		int code = set_option(simulate, option);

		if (code >= 0)
			return code;
	}
	if (argc - optind != 1)
		return cli_usage(simulate->cli,
				 argc > optind ? "one TRACE at a time" : "TRACE is missing");
	return -1;
}

/*
 * Running
 */

struct progress {
	const char *scheme;
	uint64_t duration_ns;
};

static void show_progress(void *userdata, uint64_t now_ns)
{
	const struct progress *progress = userdata;

	if (progress->duration_ns)
		fprintf(stderr, "\r%-12s %3u %%", progress->scheme,
			(unsigned int)(now_ns < progress->duration_ns
					       ? now_ns / (progress->duration_ns / 100 + 1)
					       : 100));
}

static int fail(const char *path, const struct scheme *scheme, int r)
{
	switch (-r) {
	case EINVAL:
		return cli_fail(CLI_FILE,
				"%s: sources would go on for ever: give it a 'duration', or use "
				"--duration",
				cli_text(path));
	case EFBIG:
		return cli_fail(CLI_FAILED,
				"%s: more than %" PRIu64 " requests: use a shorter --duration",
				cli_text(path), SIM_MAX_REQUESTS);
	case EOVERFLOW:
		return cli_fail(CLI_FAILED,
				"%s: with %s more than %u requests wait at a time: it asks for "
				"more than the device can do",
				cli_text(path), scheme->name, SIM_MAX_WAITING);
	case EDEADLK:
		return cli_fail(CLI_FAILED, "%s: %s left requests waiting for ever: a bug",
				cli_text(path), scheme->name);
	default:
		return cli_fail(CLI_FAILED, "%s: %s", cli_text(path), strerror(-r));
	}
}

static int run_one(const struct simulate *simulate, const char *path, struct simulated *simulated,
		   const struct scheme *scheme)
{
	struct progress progress = {scheme->name, simulated->trace->duration_ns};
	bool show = !simulate->cli->quiet && isatty(STDERR_FILENO);
	struct sim_options options = {
		.seed = simulated->seed,
		.progress = show ? show_progress : NULL,
		.userdata = &progress,
	};
	int r = simulation_run(&simulated->results[simulated->n], simulated->trace, scheme,
			       &options);

	if (show)
		fputs("\r                 \r", stderr);
	if (r < 0)
		return fail(path, scheme, r);
	simulated->n++;
	return CLI_OK;
}

static int print(const struct simulate *simulate, const struct simulated *simulated)
{
	if (simulate->cli->json)
		return simulate_json(simulated);
	if (simulate->markdown)
		simulate_markdown(simulated);
	else
		simulate_text(simulated);
	return CLI_OK;
}

static int run(const struct simulate *simulate, const char *path, struct trace *trace)
{
	struct simulated simulated = {.trace = trace};
	int code = CLI_OK;

	if (simulate->duration_ns)
		trace->duration_ns = simulate->duration_ns;
	simulated.seed = simulate->seed ? simulate->seed : trace->seed;
	while (!simulated.seed) {
		uint32_t drawn;

		if (getrandom(&drawn, sizeof(drawn), 0) != sizeof(drawn))
			return cli_fail(CLI_FAILED, "no random numbers: %s", strerror(errno));
		simulated.seed = drawn;
	}
	for (unsigned int i = 0; code == CLI_OK && i < N_SCHEMES; i++)
		if (!simulate->only || simulate->only == schemes[i])
			code = run_one(simulate, path, &simulated, schemes[i]);
	if (code == CLI_OK)
		code = print(simulate, &simulated);
	for (unsigned int i = 0; i < simulated.n; i++)
		sim_result_finish(&simulated.results[i]);
	return code;
}

int cli_simulate(struct cli *cli, int argc, char **argv)
{
	struct simulate simulate = {.cli = cli, .only = &scheme_zhouyi};
	int code = parse(&simulate, argc, argv);
	struct trace_error error;
	struct trace *trace;

	if (code >= 0)
		return code;
	if (trace_read(&trace, argv[optind], &error) < 0)
		return cli_fail(CLI_FILE, "%s", cli_text(error.text));
	code = run(&simulate, argv[optind], trace);
	trace_destroy(trace);
	return code;
}
