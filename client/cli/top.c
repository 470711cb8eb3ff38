/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli top. */
#include "client/cli/top.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/args.h"
#include "client/cli/cli.h"
#include "client/cli/look.h"
#include "client/cli/screen.h"

#define SECOND UINT64_C(1000000000)
#define SHORTEST_NS (SECOND / 100)
/* The first rates are wanted soon, even if they are of a short time. */
#define FIRST_NS (SECOND / 4)

struct top_options {
	uint64_t delay_ns;
	uint64_t count; /* 0: no end */
	enum top_order order;
	bool batch;
};

struct watch {
	struct cli *cli;
	struct top_options options;
	bool on_screen;
	enum top_table table;
	struct zhouyi_client *client;	      /* NULL: there is no daemon */
	int why;			      /* then: what the library says */
	struct zhouyi_activity *before, *now; /* owned; NULL: not yet */
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t at_ns)
{
	struct timespec at = {(time_t)(at_ns / SECOND), (long)(at_ns % SECOND)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

/*
 * Looking
 */

static void forget(struct watch *watch)
{
	zhouyi_free(watch->before);
	zhouyi_free(watch->now);
	watch->before = watch->now = NULL;
}

static int ask(struct watch *watch, struct zhouyi_activity **ret)
{
	unsigned int tries = 0;
	int r;

	do
		r = zhouyi_activity_get(watch->client, ret);
	while (look_again(r, &tries));
	return r;
}

/* It is gone: what it counted is gone with it. */
static void lose(struct watch *watch, int r)
{
	zhouyi_client_close(watch->client);
	watch->client = NULL;
	watch->why = r;
	forget(watch);
}

/* Look once more. CLI_OK, also if there is no daemon now; or the exit code of a failure. */
static int look(struct watch *watch)
{
	struct zhouyi_activity *now = NULL;
	int r = 0;

	if (!watch->client)
		r = zhouyi_client_open(&watch->client, watch->cli->socket);
	if (r < 0) {
		watch->why = r;
		return CLI_OK;
	}
	r = ask(watch, &now);
	if (r == -ZHOUYI_ERROR_DISCONNECTED) {
		lose(watch, r);
		return CLI_OK;
	}
	if (r < 0) {
		screen_end();
		return cli_fail_call(watch->client, r, "top");
	}
	zhouyi_free(watch->before);
	watch->before = watch->now;
	watch->now = now;
	return CLI_OK;
}

/*
 * Showing
 */

static const char *footer(const struct watch *watch)
{
	static const char *const orders[TOP_ORDER_MAX_] = {
		[TOP_BY_TIME] = "device time",
		[TOP_BY_QUEUE] = "queue",
		[TOP_BY_NAME] = "name",
	};
	static char text[160];

	snprintf(text, sizeof(text),
		 "q quit  first: c clients, m models, p classes  sorted by %s: t, u, n ",
		 orders[watch->options.order]);
	return text;
}

static unsigned int batch_width(void)
{
	const char *columns = getenv("COLUMNS");
	long n = columns ? strtol(columns, NULL, 10) : 0;

	return n >= 80 && n <= 1000 ? (unsigned int)n : 80;
}

static int show_page(const struct watch *watch, const struct top *top)
{
	struct top_page page = {.width = batch_width(), .first = watch->table};
	struct screen_size size;
	char *text = NULL;
	size_t n = 0;
	FILE *out;

	if (!watch->on_screen) {
		top_print(stdout, top, &page);
		putchar('\n');
		return CLI_OK;
	}
	size = screen_size();
	page.width = size.columns;
	page.height = size.lines - 1;
	out = open_memstream(&text, &n);
	if (!out)
		return CLI_FAILED;
	top_print(out, top, &page);
	if (fclose(out) == 0)
		screen_show(text, footer(watch));
	free(text);
	return CLI_OK;
}

static int show_absence(const struct watch *watch)
{
	char text[160] = "zhouyid is not running: waiting";
	json_t *json;

	if (watch->why != -ZHOUYI_ERROR_DISCONNECTED)
		snprintf(text, sizeof(text), "zhouyid cannot be used: %s: waiting",
			 zhouyi_strerror(watch->why));
	if (watch->on_screen) {
		screen_show(text, footer(watch));
		return CLI_OK;
	}
	if (!watch->cli->json) {
		printf("%s\n\n", text);
		return CLI_OK;
	}
	json = json_object();
	json_object_set_new(json, "health", json_string("unreachable"));
	json_object_set_new(json, "reasons", json_pack("[s]", text));
	return cli_json_line(json);
}

static int show(const struct watch *watch)
{
	struct top top;
	int code;

	if (!watch->client)
		return show_absence(watch);
	if (top_init(&top, watch->before, watch->now) < 0) {
		screen_end();
		return cli_fail(CLI_FAILED, "out of memory");
	}
	top_sort(&top, watch->options.order);
	code = watch->cli->json ? top_json(&top) : show_page(watch, &top);
	top_finish(&top);
	return code;
}

static bool is_enough(const struct watch *watch, uint64_t n)
{
	return watch->options.count && n >= watch->options.count;
}

/* Whoever reads along wants it now. */
static int show_batch(const struct watch *watch)
{
	int code = show(watch);

	if (code == CLI_OK && (fflush(stdout) != 0 || ferror(stdout)))
		code = cli_fail(CLI_FILE, "cannot write to standard output");
	return code;
}

/*
 * Going on
 */

static int run_batch(struct watch *watch)
{
	uint64_t next = clock_ns(), n = 0;
	int code;

	for (;;) {
		code = look(watch);
		/* The first look only says what to compare the second one with. */
		if (code == CLI_OK && (!watch->client || watch->before)) {
			code = show_batch(watch);
			n++;
		}
		if (code != CLI_OK || is_enough(watch, n))
			return code;
		next += watch->options.delay_ns;
		if (next < clock_ns())
			next = clock_ns();
		sleep_until(next);
	}
}

/* Returns whether to go on. */
static bool take_key(struct watch *watch, int key)
{
	switch (key) {
	case 'q':
		return false;
	case 'c':
		watch->table = TOP_CLIENTS;
		break;
	case 'm':
		watch->table = TOP_MODELS;
		break;
	case 'p':
		watch->table = TOP_CLASSES;
		break;
	case '\t':
		watch->table = (watch->table + 1) % TOP_TABLE_MAX_;
		break;
	case 't':
		watch->options.order = TOP_BY_TIME;
		break;
	case 'u':
		watch->options.order = TOP_BY_QUEUE;
		break;
	case 'n':
		watch->options.order = TOP_BY_NAME;
		break;
	}
	return true;
}

/* Until then keys change what is shown. Returns whether to go on; @ret_code: of a failure. */
static bool wait_on_screen(struct watch *watch, uint64_t at_ns, int *ret_code)
{
	int key;

	while ((key = screen_key(at_ns)) != 0) {
		if (key > 0 && !take_key(watch, key))
			return false;
		*ret_code = show(watch);
		if (*ret_code != CLI_OK)
			return false;
	}
	return true;
}

static int run_on_screen(struct watch *watch)
{
	uint64_t next = clock_ns(), n = 0, delay;
	int code;

	screen_begin();
	watch->on_screen = true;
	do {
		bool is_first = watch->client && !watch->now;

		code = look(watch);
		/* It may have had to wait for its turn. */
		next = is_first ? clock_ns() : next;
		if (code == CLI_OK)
			code = show(watch);
		if (code != CLI_OK || is_enough(watch, ++n))
			break;
		delay = watch->options.delay_ns;
		next += is_first && delay > FIRST_NS ? FIRST_NS : delay;
		if (next < clock_ns())
			next = clock_ns();
	} while (wait_on_screen(watch, next, &code));
	screen_end();
	return code;
}

/*
 * The command
 */

/* "2", in seconds, or "500ms". */
static int parse_delay(const struct cli *cli, const char *text, uint64_t *ret_ns)
{
	char seconds[32];
	size_t n = strlen(text);
	uint64_t ns;

	if (n > 0 && n < sizeof(seconds) - 1 && strspn(text, "0123456789.") == n) {
		snprintf(seconds, sizeof(seconds), "%ss", text);
		text = seconds;
	}
	if (args_time_parse(text, &ns) < 0 || ns < SHORTEST_NS)
		return cli_usage(cli, "--delay: '%s' is no time from 10ms to an hour", text);
	*ret_ns = ns;
	return CLI_OK;
}

static int parse_order(const struct cli *cli, const char *text, enum top_order *ret)
{
	int order = top_order_find(text);

	if (order < 0)
		return cli_usage(cli, "--sort: '%s' is not time, queue or name", text);
	*ret = (enum top_order)order;
	return CLI_OK;
}

static int parse_option(struct cli *cli, int option, struct top_options *options)
{
	int code = CLI_OK;

	switch (option) {
	case 'd':
		code = parse_delay(cli, optarg, &options->delay_ns);
		break;
	case 'n':
		code = args_number(cli, "--count", optarg, 1, UINT32_MAX, &options->count);
		break;
	case 'b':
		options->batch = true;
		break;
	case CLI_OPTION_FIRST:
		code = parse_order(cli, optarg, &options->order);
		break;
	default:
		return cli_option(cli, option);
	}
	return code == CLI_OK ? -1 : code;
}

static int parse(struct cli *cli, int argc, char **argv, struct top_options *options)
{
	static const struct option longs[] = {{"delay", required_argument, NULL, 'd'},
					      {"count", required_argument, NULL, 'n'},
					      {"batch", no_argument, NULL, 'b'},
					      {"sort", required_argument, NULL, CLI_OPTION_FIRST},
					      CLI_OPTIONS};
	int option, code;

	while ((option = getopt_long(argc, argv, CLI_SHORT "d:n:b", longs, NULL)) != -1) {
		code = parse_option(cli, option, options);
		if (code >= 0)
			return code;
	}
	return optind < argc ? cli_usage(cli, "unexpected argument '%s'", argv[optind]) : -1;
}

int cli_top(struct cli *cli, int argc, char **argv)
{
	struct watch watch = {.cli = cli, .options = {.delay_ns = SECOND}};
	int code = parse(cli, argc, argv, &watch.options);

	if (code >= 0)
		return code;
	/* Later it may come and go; but who mistyped the socket wants to know. */
	code = cli_connect(cli, &watch.client);
	if (code != CLI_OK)
		return code;
	if (watch.options.batch || cli->json || !screen_is_there())
		code = run_batch(&watch);
	else
		code = run_on_screen(&watch);
	forget(&watch);
	zhouyi_client_close(watch.client);
	return code;
}
