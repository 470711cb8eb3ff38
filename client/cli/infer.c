/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli infer: the command line, and one step after the other. */
#include "client/cli/infer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/args.h"

#define MAX_LABELS ((size_t)16 << 20)
#define MAX_REPEAT 10000000u
#define MAX_TOP 100000u

enum {
	OPT_LABELS = CLI_OPTION_FIRST,
	OPT_TOP,
	OPT_REPEAT,
	OPT_PRIORITY,
	OPT_CORE_MASK,
	OPT_CORES,
	OPT_DEADLINE,
	OPT_TIMEOUT,
};

/* Also plain milliseconds, as ever. */
static int timeout(struct infer *infer, const char *text)
{
	uint64_t value = 0;
	int code;

	if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
		return args_time(infer->cli, "--timeout", text, &infer->options.timeout_ns);
	code = args_number(infer->cli, "--timeout", text, 1, UINT32_MAX, &value);
	infer->options.timeout_ns = value * 1000000u;
	return code;
}

static int own_option(struct infer *infer, int option)
{
	uint64_t value = 0;
	int code;

	switch (option) {
	case 'o':
		infer->output = optarg;
		return CLI_OK;
	case OPT_LABELS:
		infer->labels_path = optarg;
		return CLI_OK;
	case OPT_TOP:
		code = args_number(infer->cli, "--top", optarg, 1, MAX_TOP, &value);
		infer->top = (size_t)value;
		return code;
	case OPT_REPEAT:
		code = args_number(infer->cli, "--repeat", optarg, 1, MAX_REPEAT, &value);
		infer->repeat = (size_t)value;
		return code;
	case OPT_CORE_MASK:
		return args_number(infer->cli, "--core-mask", optarg, 1, UINT64_MAX,
				   &infer->options.core_mask);
	case OPT_CORES:
		code = args_number(infer->cli, "--cores", optarg, 1, 64, &value);
		infer->options.n_cores = (unsigned int)value;
		return code;
	case OPT_DEADLINE:
		return args_time(infer->cli, "--deadline", optarg, &infer->deadline_ns);
	case OPT_TIMEOUT:
		return timeout(infer, optarg);
	default:
		return args_class(infer->cli, "--priority", optarg, &infer->options.request_class);
	}
}

/* Returns -1 to go on, or the exit code. */
static int parse(struct infer *infer, int argc, char **argv)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'},
		{"labels", required_argument, NULL, OPT_LABELS},
		{"top", required_argument, NULL, OPT_TOP},
		{"repeat", required_argument, NULL, OPT_REPEAT},
		{"priority", required_argument, NULL, OPT_PRIORITY},
		{"core-mask", required_argument, NULL, OPT_CORE_MASK},
		{"cores", required_argument, NULL, OPT_CORES},
		{"deadline", required_argument, NULL, OPT_DEADLINE},
		{"timeout", required_argument, NULL, OPT_TIMEOUT},
		CLI_OPTIONS,
	};
	int option, code;

	while ((option = getopt_long(argc, argv, "o:" CLI_SHORT, options, NULL)) != -1) {
		if (option == 'o' || (option >= OPT_LABELS && option <= OPT_TIMEOUT)) {
			code = own_option(infer, option);
			if (code != CLI_OK)
				return code;
		} else {
			code = cli_option(infer->cli, option);
			if (code >= 0)
				return code;
		}
	}
	if (optind + 2 > argc)
		return cli_usage(infer->cli, "%s is missing", optind < argc ? "INPUT" : "MODEL");
	infer->model_name = argv[optind];
	infer->inputs = argv + optind + 1;
	infer->n_inputs = (unsigned int)(argc - optind - 1);
	return -1;
}

/* A file if there is one, or if it can only be one; else the name of a kept model. */
static bool is_path(const char *name)
{
	return strchr(name, '/') || access(name, F_OK) == 0;
}

static int load_file(struct infer *infer)
{
	const char *path = infer->model_name;
	int code, r;

	if (file_is_tflite(path))
		return file_refuse_tflite(path);
	code = file_check(path);
	if (code != CLI_OK)
		return code;
	code = cli_connect(infer->cli, &infer->client);
	if (code != CLI_OK)
		return code;
	r = zhouyi_model_load_file(infer->client, path, NULL, 0, &infer->model);
	if (r == -ZHOUYI_ERROR_IO)
		return cli_fail(CLI_FILE, "%s", cli_text(zhouyi_client_error(infer->client)));
	return r < 0 ? cli_fail_call(infer->client, r, path) : CLI_OK;
}

static int open_kept(struct infer *infer)
{
	const char *name = infer->model_name;
	int code, r;

	code = cli_connect(infer->cli, &infer->client);
	if (code != CLI_OK)
		return code;
	r = zhouyi_model_open(infer->client, name, &infer->model);
	if (r == -ZHOUYI_ERROR_NOT_FOUND)
		return cli_fail(
			CLI_FAILED,
			"there is no file '%s' here, and the daemon keeps no model of that name "
			"(see: zhouyi-cli models)",
			name);
	return r < 0 ? cli_fail_call(infer->client, r, name) : CLI_OK;
}

int infer_get_model(struct infer *infer)
{
	return is_path(infer->model_name) ? load_file(infer) : open_kept(infer);
}

static int get_model(struct infer *infer)
{
	int code, r;

	code = infer_get_model(infer);
	if (code != CLI_OK)
		return code;
	r = zhouyi_binding_create_simple(infer->model, &infer->binding);
	return r < 0 ? cli_fail_call(infer->client, r, infer->model_name) : CLI_OK;
}

static int read_labels(struct infer *infer)
{
	int code;

	if (!infer->labels_path)
		return CLI_OK;
	code = file_read(&infer->labels_text, infer->labels_path, MAX_LABELS);
	if (code != CLI_OK)
		return code;
	if (labels_init(&infer->labels, (char *)infer->labels_text.data, infer->labels_text.size) <
	    0)
		return cli_fail(CLI_FAILED, "out of memory");
	return CLI_OK;
}

static int infer_steps(struct infer *infer)
{
	static int (*const steps[])(struct infer * infer) = {
		read_labels, get_model, infer_read_inputs, infer_run, infer_show,
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int code = steps[i](infer);

		if (code != CLI_OK)
			return code;
	}
	return CLI_OK;
}

int cli_infer(struct cli *cli, int argc, char **argv)
{
	struct infer infer = {
		.cli = cli,
		.top = 5,
		.repeat = 1,
		.options = ZHOUYI_OPTIONS_INIT,
	};
	int code = parse(&infer, argc, argv);

	if (code >= 0)
		return code;
	code = infer_steps(&infer);
	zhouyi_binding_destroy(infer.binding);
	zhouyi_model_close(infer.model);
	zhouyi_client_close(infer.client);
	labels_finish(&infer.labels);
	file_finish(&infer.labels_text);
	free(infer.latency);
	return code;
}
