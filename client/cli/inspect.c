/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli inspect: what is in a loadable, without a daemon. */
#include "client/cli/cli.h"
#include "client/cli/file.h"
#include "loadable/graph.h"
#include "loadable/listing.h"
#include "loadable/loadable_elf.h"
#include "loadable/program.h"

enum { OPT_INSTRUCTIONS = CLI_OPTION_FIRST };

static int parse(struct cli *cli, int argc, char **argv, bool *ret_instructions)
{
	static const struct option options[] = {
		{"instructions", no_argument, NULL, OPT_INSTRUCTIONS},
		CLI_OPTIONS,
	};
	int option;

	while ((option = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		int code = -1;

		if (option == OPT_INSTRUCTIONS)
			*ret_instructions = true;
		else
			code = cli_option(cli, option);
		if (code >= 0)
			return code;
	}
	if (argc - optind != 1)
		return cli_usage(cli, argc > optind ? "one FILE at a time" : "FILE is missing");
	return -1;
}

/* A graph that a daemon would refuse is shown all the same, with the reason. */
static int list(const struct cli *cli, const char *path, const struct graph *graph,
		bool instructions)
{
	struct loadable_error error;
	int r = program_check(graph, &error);

	if (cli->json)
		graph_list_json(graph, stdout, instructions);
	else
		graph_list(graph, stdout, instructions);
	if (r < 0)
		return cli_fail(CLI_FAILED, "%s: a daemon would refuse it: %s", path,
				cli_text(error.text));
	return CLI_OK;
}

static int inspect(const struct cli *cli, const char *path, const struct file *file,
		   bool instructions)
{
	struct loadable_error error = {.text = ""};
	struct graph *graph;
	int code, r;

	r = loadable_elf_parse(&graph, file->data, file->size, &error);
	if (r < 0)
		return cli_fail(CLI_FILE, "%s: %s", path,
				error.text[0] ? cli_text(error.text) : "not a loadable");
	code = list(cli, path, graph, instructions);
	graph_destroy(graph);
	return code;
}

int cli_inspect(struct cli *cli, int argc, char **argv)
{
	struct file file = {.data = NULL};
	bool instructions = false;
	int code = parse(cli, argc, argv, &instructions);
	const char *path;

	if (code >= 0)
		return code;
	path = argv[optind];
	if (file_is_tflite(path))
		return file_refuse_tflite(path);
	code = file_read(&file, path, LOADABLE_MAX_SIZE);
	if (code == CLI_OK)
		code = inspect(cli, path, &file, instructions);
	file_finish(&file);
	return code;
}
