/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli reserve, and reservations for streams. */
#include <inttypes.h>

#include "client/cli/args.h"
#include "client/cli/stream.h"

enum { OPT_PROBE = OPT_RESERVE_LAST + 1 };

/* The daemon learns a budget from so many runs. */
#define LEARN_RUNS 8u

int reserve_option(const struct cli *cli, struct reserve *reserve, int option)
{
	struct zhouyi_reserve_options *o = &reserve->options;

	switch (option) {
	case OPT_PERIOD:
		return args_time(cli, "--period", optarg, &o->period_ns);
	case OPT_DEADLINE:
		return args_time(cli, "--deadline", optarg, &o->deadline_ns);
	case OPT_BUDGET:
		return args_time(cli, "--budget", optarg, &o->budget_ns);
	case OPT_JITTER:
		return args_time(cli, "--jitter", optarg, &o->jitter_ns);
	default:
		return args_number(cli, "--core-mask", optarg, 1, UINT64_MAX, &o->core_mask);
	}
}

/* With what is in the buffers: inputs were read, or are zero. */
static int learn(struct infer *infer)
{
	int r = 0;

	for (unsigned int i = 0; i < LEARN_RUNS && r == 0; i++)
		r = zhouyi_run(infer->binding, NULL, NULL);
	return r < 0 ? cli_fail_call(infer->client, r, "learning how long a frame takes") : CLI_OK;
}

int reserve_ask(struct infer *infer, struct reserve *reserve)
{
	int code = reserve->options.budget_ns ? CLI_OK : learn(infer), r;

	if (code != CLI_OK)
		return code;
	r = zhouyi_reserve(infer->model, &reserve->options, &reserve->reservation,
			   &reserve->verdict);
	return r < 0 ? cli_fail_call(infer->client, r, "reserve") : CLI_OK;
}

void reserve_print(FILE *out, const struct zhouyi_verdict *verdict)
{
	fprintf(out, "granted: core %u, %s each %s, deadline %s", verdict->core,
		args_time_text(verdict->budget_ns), args_time_text(verdict->period_ns),
		args_time_text(verdict->deadline_ns));
	if (verdict->learned_from)
		fprintf(out, " (budget learned from %u runs)", verdict->learned_from);
	fprintf(out,
		"; others may block it for %s\nreserved:", args_time_text(verdict->tolerance_ns));
	for (size_t i = 0; i < verdict->n_cores; i++)
		fprintf(out, "%s core %zu %.1f %%", i ? "," : "", i, verdict->used_ppm[i] / 1e4);
	fputc('\n', out);
}

json_t *reserve_json(const struct zhouyi_verdict *verdict)
{
	json_t *json = json_object(), *used = json_array();

	for (size_t i = 0; i < verdict->n_cores; i++)
		json_array_append_new(used, json_integer(verdict->used_ppm[i]));
	json_object_set_new(json, "granted", json_boolean(verdict->granted));
	json_object_set_new(json, "refusal", cli_json_text(verdict->refusal));
	json_object_set_new(json, "core", json_integer(verdict->core));
	json_object_set_new(json, "budget_ns", cli_json_number(verdict->budget_ns));
	json_object_set_new(json, "period_ns", cli_json_number(verdict->period_ns));
	json_object_set_new(json, "deadline_ns", cli_json_number(verdict->deadline_ns));
	json_object_set_new(json, "jitter_ns", cli_json_number(verdict->jitter_ns));
	json_object_set_new(json, "learned_from", json_integer(verdict->learned_from));
	json_object_set_new(json, "tolerance_ns", cli_json_number(verdict->tolerance_ns));
	json_object_set_new(json, "best_period_ns", cli_json_number(verdict->best_period_ns));
	json_object_set_new(json, "reserved_ppm", used);
	return json;
}

/* Returns -1 to go on, or the exit code. */
static int parse(struct infer *infer, struct reserve *reserve, int argc, char **argv)
{
	static const struct option options[] = {
		{"probe", no_argument, NULL, OPT_PROBE},
		{"period", required_argument, NULL, OPT_PERIOD},
		{"deadline", required_argument, NULL, OPT_DEADLINE},
		{"budget", required_argument, NULL, OPT_BUDGET},
		{"jitter", required_argument, NULL, OPT_JITTER},
		{"core-mask", required_argument, NULL, OPT_CORE_MASK},
		CLI_OPTIONS,
	};
	int option, code;

	while ((option = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		code = -1;
		if (option == OPT_PROBE)
			reserve->options.probe = true;
		else if (option >= OPT_PERIOD && option <= OPT_RESERVE_LAST)
			code = reserve_option(infer->cli, reserve, option);
		else
			code = cli_option(infer->cli, option);
		if (code > CLI_OK || (code == CLI_OK && option == 'h'))
			return code;
	}
	if (argc - optind != 1)
		return cli_usage(infer->cli,
				 argc > optind ? "one MODEL at a time" : "MODEL is missing");
	if (!reserve->options.period_ns)
		return cli_usage(infer->cli, "--period is missing");
	if (!reserve->options.probe)
		return cli_usage(infer->cli,
				 "a reservation lasts as long as its program: use --probe to ask "
				 "what would come of it, or stream --reserve to use one");
	infer->model_name = argv[optind];
	return -1;
}

static int run(struct infer *infer, struct reserve *reserve)
{
	int code = infer_get_model(infer), r;

	if (code != CLI_OK)
		return code;
	r = zhouyi_binding_create_simple(infer->model, &infer->binding);
	if (r < 0)
		return cli_fail_call(infer->client, r, infer->model_name);
	code = reserve_ask(infer, reserve);
	if (infer->cli->json && reserve->verdict)
		cli_json_print(reserve_json(reserve->verdict));
	else if (code == CLI_OK)
		reserve_print(stdout, reserve->verdict);
	return code;
}

int cli_reserve(struct cli *cli, int argc, char **argv)
{
	struct infer infer = {.cli = cli};
	struct reserve reserve = {.options = ZHOUYI_RESERVE_OPTIONS_INIT};
	int code = parse(&infer, &reserve, argc, argv);

	if (code >= 0)
		return code;
	code = run(&infer, &reserve);
	zhouyi_free(reserve.verdict);
	zhouyi_binding_destroy(infer.binding);
	zhouyi_model_close(infer.model);
	zhouyi_client_close(infer.client);
	return code;
}
