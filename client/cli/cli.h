/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zhouyi-cli: what its commands share. A command is a function that takes its own
 * arguments and returns an exit code; it has said what went wrong, on standard
 * error, once, before it returns another one than CLI_OK.
 */
#pragma once

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "zhouyi-client.h"

/* Documented in zhouyi-cli(1). */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1, /* the daemon refused, or the request failed */
	CLI_USAGE = 2,
	CLI_UNREACHABLE = 3, /* no daemon, or the connection was lost */
	CLI_FILE = 4,	     /* a file of ours: a model, an input, an output */
};

struct cli_command;

struct cli {
	const char *socket; /* --socket; NULL: the library's default */
	bool json, quiet;
	const struct cli_command *command; /* the one that runs */
};

struct cli_command {
	const char *name, *arguments, *summary;
	const char *options; /* for its help: one line each, or NULL */
	int (*run)(struct cli *cli, int argc, char **argv);
};

int cli_infer(struct cli *cli, int argc, char **argv);
int cli_load(struct cli *cli, int argc, char **argv);
int cli_unload(struct cli *cli, int argc, char **argv);
int cli_models(struct cli *cli, int argc, char **argv);
int cli_status(struct cli *cli, int argc, char **argv);
int cli_health(struct cli *cli, int argc, char **argv);
int cli_top(struct cli *cli, int argc, char **argv);
int cli_device(struct cli *cli, int argc, char **argv);
int cli_metrics(struct cli *cli, int argc, char **argv);
int cli_stream(struct cli *cli, int argc, char **argv);
int cli_reserve(struct cli *cli, int argc, char **argv);
int cli_explain(struct cli *cli, int argc, char **argv);
int cli_plan(struct cli *cli, int argc, char **argv);
int cli_accounts(struct cli *cli, int argc, char **argv);
int cli_whoami(struct cli *cli, int argc, char **argv);
int cli_policy(struct cli *cli, int argc, char **argv);
int cli_inspect(struct cli *cli, int argc, char **argv);
int cli_record(struct cli *cli, int argc, char **argv);
int cli_simulate(struct cli *cli, int argc, char **argv);

/* "zhouyi-cli: …", with a newline. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, and returns @code. */
int cli_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for a call of the library that returned @r; @what: what was being done. */
int cli_fail_call(const struct zhouyi_client *client, int r, const char *what);

/*
 * Options that every command has. A command's table of long options ends with
 * CLI_OPTIONS and its short options contain CLI_SHORT.
 */
#define CLI_SHORT "qh"
#define CLI_OPTION_SOCKET 0x100
#define CLI_OPTION_JSON 0x101
#define CLI_OPTIONS                                                                                \
	{"socket", required_argument, NULL, CLI_OPTION_SOCKET},                                    \
		{"json", no_argument, NULL, CLI_OPTION_JSON}, {"quiet", no_argument, NULL, 'q'},   \
		{"help", no_argument, NULL, 'h'},                                                  \
	{                                                                                          \
		NULL, 0, NULL, 0                                                                   \
	}
/* What a command numbers its own long options from. */
#define CLI_OPTION_FIRST 0x200

/*
 * Handle an option that every command has. Returns -1 if the command can go on, or
 * the exit code: after --help, or for an option that getopt_long() did not know.
 */
int cli_option(struct cli *cli, int option);

/* For commands without options of their own and with @n_min to @n_max arguments: -1 or the exit
 * code. */
int cli_options_only(struct cli *cli, int argc, char **argv, int n_min, int n_max);

/* Wrong use of the command: says so, points to its help, returns CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Where the daemon should be. */
const char *cli_socket(const struct cli *cli);
/* Connect, or say how to get a daemon. Returns an exit code. */
int cli_connect(const struct cli *cli, struct zhouyi_client **ret);

/* Names come from strangers: control characters are shown as '?'. Static: 16 at a time, together
 * with those that are like it. */
const char *cli_text(const char *text);
/* As printf() writes it; the same. */
const char *cli_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "1.5 MiB"; the same. */
const char *cli_size(uint64_t bytes);

/* For JSON, whatever its encoding. */
json_t *cli_json_text(const char *text);
/* 64-bit numbers beyond JSON's own end there. */
json_t *cli_json_number(uint64_t number);
/* Print and free; returns an exit code. */
int cli_json_print(json_t *json);
/* The same on one line, for those who read one after the other. */
int cli_json_line(json_t *json);

/* "1x128x128x3", or "?" without a shape; like cli_text(). */
const char *cli_shape(const struct zhouyi_tensor *tensor);
