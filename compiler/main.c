/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zhouyi-cc: options, files, exit codes. The work is done by compile.h.
 */
#include "compiler/compile.h"
#include "compiler/file.h"
#include "loadable/listing.h"
#include "loadable/loadable_elf.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_IO = 3 };

struct options {
	const char *input;  /* NULL with a test program */
	const char *output; /* NULL: none */
	const char *test_program;
	const char *target_name;
	struct graph_target target;
	uint32_t size; /* of the test program's tensors */
	bool dump, json, verbose;
};

static const char usage[] =
	"usage: zhouyi-cc [options] MODEL.tflite -o MODEL.elf\n"
	"       zhouyi-cc [options] --test-program PROGRAM --size BYTES -o MODEL.elf\n"
	"Compile a quantized TFLite model for the software NPU.\n"
	"\n"
	"  -o, --output FILE       write the loadable to FILE\n"
	"      --target NAME       compile for NAME (default " COMPILE_DEFAULT_TARGET
	"); 'help' lists them\n"
	"      --dump              list what was made, on standard output\n"
	"      --json              with --dump: as JSON\n"
	"      --test-program TEXT make a model of test instructions: copy, delay MICROSECONDS,\n"
	"                          hang, fault [exception|fault|error], separated by semicolons\n"
	"      --size BYTES        size of a test model's input and output\n"
	"  -v, --verbose           say what the model became, on standard error\n"
	"  -h, --help              show this\n"
	"      --version           show the version\n"
	"\n"
	"Exit status: 0 done, 1 the model is refused, 2 wrong usage, 3 cannot read or write.\n";

static int usage_error(const char *text, const char *what)
{
	fprintf(stderr, "zhouyi-cc: %s%s\nTry 'zhouyi-cc --help'.\n", text, what);
	return EXIT_USAGE;
}

static int list_targets(void)
{
	const char *name;

	for (unsigned int i = 0; (name = graph_target_at(i)) != NULL; i++)
		puts(name);
	exit(fflush(stdout) ? EXIT_IO : EXIT_SUCCESS);
}

static int parse_size(struct options *o, const char *text)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || n == 0 || n > INT32_MAX)
		return usage_error("--size takes a number from 1 to 2147483647, not ", text);
	o->size = (uint32_t)n;
	return 0;
}

static int check_options(struct options *o)
{
	if (o->test_program && o->input)
		return usage_error("a test program needs no model file: ", o->input);
	if (!o->test_program && !o->input)
		return usage_error("no model given", "");
	if (o->test_program && !o->size)
		return usage_error("--test-program needs --size", "");
	if (!o->test_program && o->size)
		return usage_error("--size is for --test-program", "");
	if (o->json && !o->dump)
		return usage_error("--json is for --dump", "");
	if (!o->output && !o->dump)
		return usage_error("no output given, use -o FILE or --dump", "");
	if (!graph_target_find(&o->target, o->target_name))
		return usage_error("unknown target, see --target help: ", o->target_name);
	return 0;
}

enum { OPT_TARGET = 256, OPT_DUMP, OPT_JSON, OPT_TEST_PROGRAM, OPT_SIZE, OPT_VERSION };

static const struct option long_options[] = {
	{"output", required_argument, NULL, 'o'},
	{"target", required_argument, NULL, OPT_TARGET},
	{"dump", no_argument, NULL, OPT_DUMP},
	{"json", no_argument, NULL, OPT_JSON},
	{"test-program", required_argument, NULL, OPT_TEST_PROGRAM},
	{"size", required_argument, NULL, OPT_SIZE},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static int parse_option(struct options *o, int option)
{
	switch (option) {
	case 'o':
		o->output = optarg;
		return 0;
	case OPT_TARGET:
		o->target_name = optarg;
		return strcmp(optarg, "help") ? 0 : list_targets();
	case OPT_DUMP:
		o->dump = true;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_TEST_PROGRAM:
		o->test_program = optarg;
		return 0;
	case OPT_SIZE:
		return parse_size(o, optarg);
	case 'v':
		o->verbose = true;
		return 0;
	case 'h':
		fputs(usage, stdout);
		exit(fflush(stdout) ? EXIT_IO : EXIT_SUCCESS);
	case OPT_VERSION:
		puts("zhouyi-cc " ZHOUYI_VERSION);
		exit(fflush(stdout) ? EXIT_IO : EXIT_SUCCESS);
	default: /* getopt has said what is wrong */
		fputs("Try 'zhouyi-cc --help'.\n", stderr);
		return EXIT_USAGE;
	}
}

static int parse_options(struct options *o, int argc, char **argv)
{
	int option, status;

	while ((option = getopt_long(argc, argv, "o:vh", long_options, NULL)) != -1) {
		status = parse_option(o, option);
		if (status)
			return status;
	}
	if (optind < argc)
		o->input = argv[optind++];
	if (optind < argc)
		return usage_error("only one model at a time: ", argv[optind]);
	return check_options(o);
}

static int io_error(const char *what, const char *path, int error)
{
	fprintf(stderr, "zhouyi-cc: cannot %s %s: %s\n", what, path, strerror(-error));
	return EXIT_IO;
}

static int compile_file(struct compile_result *ret, const struct options *o)
{
	struct compile_error error;
	struct bytes model = {0};
	int r = file_read(&model, o->input, LOADABLE_MAX_SIZE);

	if (r < 0) {
		bytes_finish(&model);
		return io_error("read", o->input, r);
	}
	r = compile_tflite(ret, model.data, model.size, &o->target, &error);
	bytes_finish(&model);
	if (r == 0)
		return 0;
	fprintf(stderr, "zhouyi-cc: %s: %s\n", o->input, error.text);
	return r == -ENOMEM ? EXIT_IO : EXIT_REFUSED;
}

static int compile_test(struct compile_result *ret, const struct options *o)
{
	struct compile_error error;
	int r = compile_test_program(ret, o->test_program, o->size, &o->target, &error);

	if (r == 0)
		return 0;
	fprintf(stderr, "zhouyi-cc: test program: %s\n", error.text);
	return r == -ENOMEM ? EXIT_IO : EXIT_REFUSED;
}

static void describe(const struct compile_result *result, const struct options *o)
{
	const struct layout_report *report = &result->report;

	if (o->input)
		fprintf(stderr, "%s: %zu operators\n", o->input, result->n_operators);
	fprintf(stderr,
		"%u instructions for %s\n"
		"%u constants, %" PRIu64 " bytes\n"
		"%u intermediate tensors, %" PRIu64 " bytes, sharing %u\n"
		"%zu bytes in all\n",
		report->n_insns, o->target.name, report->n_constants, report->constant_bytes,
		report->n_intermediates, report->intermediate_bytes, report->arena_bytes,
		result->size);
}

static int dump(const struct compile_result *result, bool json)
{
	struct loadable_error error;
	struct graph *graph;
	int r = loadable_elf_parse(&graph, result->data, result->size, &error);

	if (r < 0) {
		fprintf(stderr, "zhouyi-cc: %s\n", error.text);
		return EXIT_IO;
	}
	if (json)
		graph_list_json(graph, stdout, true);
	else
		graph_list(graph, stdout, true);
	graph_destroy(graph);
	if (fflush(stdout) || ferror(stdout))
		return io_error("write", "standard output", -errno);
	return 0;
}

static int output(const struct compile_result *result, const struct options *o)
{
	int status = 0, r;

	if (o->output) {
		r = file_write(o->output, result->data, result->size);
		if (r < 0)
			return io_error("write", o->output, r);
	}
	if (o->verbose)
		describe(result, o);
	if (o->dump)
		status = dump(result, o->json);
	return status;
}

int main(int argc, char **argv)
{
	struct options options = {.target_name = COMPILE_DEFAULT_TARGET};
	struct compile_result result = {0};
	int status = parse_options(&options, argc, argv);

	if (!status)
		status = options.input ? compile_file(&result, &options)
				       : compile_test(&result, &options);
	if (!status)
		status = output(&result, &options);
	free(result.data);
	return status;
}
