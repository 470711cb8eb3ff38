/* SPDX-License-Identifier: Apache-2.0 */
#include <locale.h>
#include <string.h>

#include "client/cli/cli.h"

static int cli_version(struct cli *cli, int argc, char **argv);
static int cli_help(struct cli *cli, int argc, char **argv);

static const struct cli_command commands[] = {
	{"infer", "MODEL INPUT...", "run a model",
	 "  -o, --output FILE      write the output as it is (several: FILE.0, FILE.1, ...)\n"
	 "      --labels FILE      line n, from 0, names class n\n"
	 "      --top N            show the N best classes (5)\n"
	 "      --repeat N         run N times and show how long it took\n"
	 "      --priority CLASS   realtime, interactive (default), normal, background\n"
	 "      --deadline TIME    to be met by each run: 10ms, 2.5s, 100us\n"
	 "      --core-mask MASK   cores it may run on: bit i for core i\n"
	 "      --cores N          run on N cores at once\n"
	 "      --timeout TIME     give up after that; without a unit, milliseconds\n"
	 "MODEL is a loadable (.elf) or the name of a kept model. INPUT is a raw tensor, a PNG,\n"
	 "JPEG or PNM picture, or - for standard input: one for each input of the model.\n",
	 cli_infer},
	{"stream", "MODEL INPUT...", "run a model again and again, one frame each period",
	 "      --period TIME      one frame each: 10ms, 16.6ms, 1s\n"
	 "      --frames N         stop after N; without it, when interrupted\n"
	 "      --priority CLASS   realtime, interactive (default), normal, background\n"
	 "      --deadline TIME    of each frame, from its beginning\n"
	 "      --core-mask MASK   cores it may run on: bit i for core i\n"
	 "      --drop HOW         latest (default): a newer frame replaces the one that waits;\n"
	 "                         queue:N: N wait, then the oldest is dropped; block, block:N:\n"
	 "                         N wait, then more are refused\n"
	 "      --reserve          with a reservation: frames meet the deadline (the period, if\n"
	 "                         none is given), whatever else is going on\n"
	 "      --budget TIME      for that: device time of a frame; without it, learned\n"
	 "      --jitter TIME      for that: how much early a frame may come\n",
	 cli_stream},
	{"reserve", "MODEL", "ask what would come of a reservation",
	 "      --probe            only ask: a reservation lasts as long as its program\n"
	 "      --period TIME      one frame each: 10ms, 16.6ms, 1s\n"
	 "      --deadline TIME    from a frame's arrival; without it, the period\n"
	 "      --budget TIME      device time of a frame; without it, learned from runs\n"
	 "      --jitter TIME      how much early a frame may come\n"
	 "      --core-mask MASK   cores one of which would be its own\n",
	 cli_reserve},
	{"explain", "REQUEST", "say why a request was slow, by its number", NULL, cli_explain},
	{"plan", "", "show what is reserved, and what will run when", NULL, cli_plan},
	{"accounts", "", "show who uses what, and what they may use", NULL, cli_accounts},
	{"load", "FILE", "load a model and keep it loaded, by name",
	 "      --name NAME        call it NAME rather than FILE\n", cli_load},
	{"unload", "NAME", "stop keeping a model", NULL, cli_unload},
	{"models", "", "list the models that are loaded", NULL, cli_models},
	{"status", "", "show what the daemon does", NULL, cli_status},
	{"health", "", "say whether all is well, and if not why",
	 "      --timeout TIME     how long to wait for the daemon (5s)\n"
	 "Fails if it is not.\n",
	 cli_health},
	{"top", "", "show who keeps the device busy, again and again",
	 "  -d, --delay SECONDS    between two looks (1)\n"
	 "  -n, --count N          stop after N\n"
	 "  -b, --batch            print text, as without a terminal\n"
	 "      --sort ORDER       time (default), queue, name\n"
	 "Keys: q quits; c, m and p show clients, models or classes first; t, u and n sort by\n"
	 "device time, queue or name. With --json it prints a line for each look.\n",
	 cli_top},
	{"device", "", "show the device and its counters", NULL, cli_device},
	{"metrics", "[SOCKET]", "print what is counted, in the format of Prometheus",
	 "SOCKET is where the daemon's metrics are; without it, metrics.sock beside its socket.\n",
	 cli_metrics},
	{"whoami", "", "show who the daemon takes you for, and what you may do", NULL, cli_whoami},
	{"policy", "test [OPERATION...]", "show what somebody may do, by the rules in effect",
	 "      --uid USER         a user, with the groups that one has\n"
	 "      --gid GROUP        in this group, and no others but those named; any number\n"
	 "      --unit UNIT        running in this unit: camera.service\n"
	 "      --slice SLICE      running in this slice: cameras.slice\n"
	 "Fails if one of the OPERATIONs would be denied: load, load-native, infer, reserve,\n"
	 "admin. About others may ask who has the right admin.\n",
	 cli_policy},
	{"inspect", "FILE", "show what is in a loadable; needs no daemon",
	 "      --instructions     every instruction, too\n", cli_inspect},
	{"record", "", "write down what the daemon does, as a trace to simulate",
	 "  -o, --output FILE      the trace; - for standard output\n"
	 "      --seconds N        how long; Ctrl-C ends it earlier\n",
	 cli_record},
	{"simulate", "TRACE", "run a trace on a model of the device; needs no daemon",
	 "      --policy POLICY    zhouyi (default), fifo, round-robin, drain, or all of them\n"
	 "      --seed N           of the random numbers; drawn anew if the trace has none\n"
	 "      --duration TIME    how long requests come, like 90s\n"
	 "      --markdown         a table of misses and p99/deadline, for a document\n"
	 "docs/scheduling.md says what is in a trace and what the other policies are.\n",
	 cli_simulate},
	{"version", "", "show the version", NULL, cli_version},
	{"help", "[COMMAND]", "show how to use a command", NULL, cli_help},
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct cli_command *find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void print_overview(FILE *out)
{
	fputs("usage: zhouyi-cli [OPTIONS] COMMAND [ARGUMENTS]\n"
	      "Run neural networks on a Zhouyi NPU through zhouyid.\n\n",
	      out);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-8s %-15s %s\n", commands[i].name, commands[i].arguments,
			commands[i].summary);
	fputs("\nOptions of every command:\n"
	      "      --socket PATH      the daemon's socket ($ZHOUYI_SOCKET, or\n"
	      "                         " ZHOUYI_DEFAULT_SOCKET ")\n"
	      "      --json             print JSON\n"
	      "  -q, --quiet            print results only\n"
	      "  -h, --help             show how to use the command\n",
	      out);
}

static void print_help(const struct cli_command *command)
{
	if (!command) {
		print_overview(stdout);
		return;
	}
	printf("usage: zhouyi-cli %s [OPTIONS]%s%s\n%s\n", command->name,
	       command->arguments[0] ? " " : "", command->arguments, command->summary);
	if (command->options)
		printf("\n%s", command->options);
}

int cli_option(struct cli *cli, int option)
{
	switch (option) {
	case CLI_OPTION_SOCKET:
		cli->socket = optarg;
		return -1;
	case CLI_OPTION_JSON:
		cli->json = true;
		return -1;
	case 'q':
		cli->quiet = true;
		return -1;
	case 'h':
		print_help(cli->command);
		return CLI_OK;
	default: /* getopt_long() has said it */
		fprintf(stderr, "Try: zhouyi-cli %s%s--help\n",
			cli->command ? cli->command->name : "", cli->command ? " " : "");
		return CLI_USAGE;
	}
}

int cli_options_only(struct cli *cli, int argc, char **argv, int n_min, int n_max)
{
	static const struct option options[] = {CLI_OPTIONS};
	int option, n;

	while ((option = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		int code = cli_option(cli, option);

		if (code >= 0)
			return code;
	}
	n = argc - optind;
	if (n < n_min)
		return cli_usage(cli, "%s is missing", cli->command->arguments);
	if (n > n_max)
		return cli_usage(cli, "unexpected argument '%s'", argv[optind + n_max]);
	return -1;
}

static int cli_version(struct cli *cli, int argc, char **argv)
{
	int code = cli_options_only(cli, argc, argv, 0, 0);
	json_t *json;

	if (code >= 0)
		return code;
	if (cli->json) {
		json = json_object();
		json_object_set_new(json, "version", cli_json_text(ZHOUYI_VERSION));
		json_object_set_new(json, "library", cli_json_text(zhouyi_version()));
		return cli_json_print(json);
	}
	printf("zhouyi-cli %s, library %s\n", ZHOUYI_VERSION, zhouyi_version());
	return CLI_OK;
}

static int cli_help(struct cli *cli, int argc, char **argv)
{
	int code = cli_options_only(cli, argc, argv, 0, 1);
	const struct cli_command *command = NULL;

	if (code >= 0)
		return code;
	if (optind < argc) {
		command = find(argv[optind]);
		if (!command)
			return cli_usage(cli, "there is no command '%s'", argv[optind]);
	}
	print_help(command);
	return CLI_OK;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"version", no_argument, NULL, 'V'}, CLI_OPTIONS};
	struct cli cli = {.socket = NULL};
	int option, code;

	setlocale(LC_CTYPE, "");
	argv[0] = (char *)"zhouyi-cli"; /* for what getopt_long() says */
	while ((option = getopt_long(argc, argv, "+V" CLI_SHORT, options, NULL)) != -1) {
		if (option == 'V') {
			cli.command = find("version");
			return cli_version(&cli, 1, argv);
		}
		code = cli_option(&cli, option);
		if (code >= 0)
			return code;
	}
	if (optind >= argc) {
		print_overview(stderr);
		return CLI_USAGE;
	}
	cli.command = find(argv[optind]);
	if (!cli.command)
		return cli_usage(&cli, "there is no command '%s'", argv[optind]);
	argc -= optind;
	argv += optind;
	argv[0] = (char *)"zhouyi-cli";
	optind = 0; /* starts over, with the command's options */
	code = cli.command->run(&cli, argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout))
		return cli_fail(CLI_FILE, "cannot write to standard output");
	return code;
}
