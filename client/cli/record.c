/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli record: what the daemon does, as a trace for zhouyi-cli simulate. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/args.h"
#include "client/cli/look.h"
#include "simulate/trace.h"

/* Often enough that nothing is forgotten before it is fetched. */
#define POLL_NS 50000000
/* Reservations come and go; their numbers are looked up so often. */
#define PLAN_POLLS 10u
#define MAX_SECONDS 86400u

enum { OPT_SECONDS = CLI_OPTION_FIRST };

struct record {
	struct cli *cli;
	const char *output;
	uint64_t seconds;
	struct zhouyi_client *client;
	struct trace *trace; /* owned */
	uint64_t next;
	uint64_t n_lost;
	bool full;
	bool knows_plan; /* it was asked for during this poll */
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
 * Names. A client is a connection, and several of the same program are told apart.
 */

static int find_account(struct record *record, unsigned int uid)
{
	char name[32];

	snprintf(name, sizeof(name), "uid %u", uid);
	return trace_find_account(record->trace, name);
}

static int find_client(struct record *record, unsigned int uid, uint64_t session,
		       const char *program)
{
	int account = find_account(record, uid);
	char name[64];

	if (account < 0)
		return account;
	snprintf(name, sizeof(name), "%.40s#%" PRIu64, program[0] ? program : "client", session);
	return trace_find_client(record->trace, name, (uint32_t)account);
}

static int find_model(struct record *record, const struct zhouyi_record *r)
{
	char name[64];

	/* Different models may have the same name. */
	snprintf(name, sizeof(name), "%.40s@%.8s", r->model, r->model_hash);
	return trace_find_model(record->trace, name);
}

static void reservation_name(uint64_t number, char name[32])
{
	snprintf(name, 32, "reservation %" PRIu64, number);
}

/* One that is known already, or TRACE_NONE: then its frames are ordinary requests. */
static uint32_t known_reservation(const struct record *record, uint64_t number)
{
	const struct trace *trace = record->trace;
	char name[32];

	reservation_name(number, name);
	for (uint32_t i = 0; number && i < trace->n_reservations; i++)
		if (strcmp(trace->reservations[i].name, name) == 0)
			return i;
	return TRACE_NONE;
}

/*
 * Fetching
 */

static void fill_request(const struct zhouyi_record *r, unsigned int cores,
			 struct trace_request *ret)
{
	uint64_t all = cores == 64 ? UINT64_MAX : (UINT64_C(1) << cores) - 1;

	ret->shape.class = (enum zy_class)r->request_class;
	ret->shape.cores = (r->allowed_cores & all) == all ? 0 : r->allowed_cores & all;
	ret->shape.n_cores = r->n_cores ? r->n_cores : 1;
	if (r->deadline_ns)
		ret->shape.deadline_ns =
			r->deadline_ns > r->accepted_ns ? r->deadline_ns - r->accepted_ns : 1;
	ret->at_ns = r->accepted_ns;
	ret->start_ns = r->started_ns;
	ret->end_ns = r->ended_ns;
	ret->run_ns = r->started_ns ? r->run_ns : 0;
	ret->on_cores = r->cores & all;
	ret->is_frame = r->stream != 0;
	ret->status = (enum zy_status) - r->error;
}

static int fetch_plan(struct record *record);

/* Returns 0 or a negative errno. */
static int add(struct record *record, const struct zhouyi_record *r)
{
	struct trace_request request = {.at_ns = 0};
	int client = find_client(record, r->uid, r->session, r->client);
	int model = find_model(record, r);

	/* A reservation of which nothing is known yet: it is new. */
	if (r->reservation && !record->knows_plan &&
	    known_reservation(record, r->reservation) == TRACE_NONE)
		fetch_plan(record);

	if (client < 0 || model < 0)
		return client < 0 ? client : model;
	fill_request(r, record->trace->device.cores, &request);
	request.shape.client = (uint32_t)client;
	request.shape.model = (uint32_t)model;
	request.shape.reservation = known_reservation(record, r->reservation);
	return trace_add_request(record->trace, &request);
}

static int fail_add(struct record *record, int r)
{
	if (r == -ENOMEM)
		return cli_fail(CLI_FAILED, "out of memory");
	record->full = true;
	cli_say("the trace is full; what comes from now on is not recorded");
	return CLI_OK;
}

/* What was answered since the last time. Returns an exit code. */
static int fetch(struct record *record)
{
	struct zhouyi_trace *got;
	bool more = true;
	int r;

	while (more && !record->full) {
		unsigned int tries = 0;

		do
			r = zhouyi_trace_get(record->client, record->next, &got);
		while (look_again(r, &tries));
		if (r < 0)
			return cli_fail_call(record->client, r, "record");
		record->n_lost += got->lost;
		record->next = got->next;
		more = got->more;
		for (size_t i = 0; i < got->n && r == 0; i++)
			r = add(record, &got->records[i]);
		zhouyi_free(got);
		if (r < 0)
			return fail_add(record, r);
	}
	return CLI_OK;
}

static enum policy_placement placement_of(const char *name)
{
	if (strcmp(name, "none") == 0)
		return POLICY_PLACEMENT_NONE;
	return strcmp(name, "one") == 0 ? POLICY_PLACEMENT_ONE : POLICY_PLACEMENT_EXACT;
}

static int begin(struct record *record)
{
	struct zhouyi_trace *got;
	unsigned int tries = 0;
	int r;

	do
		r = zhouyi_trace_get(record->client, UINT64_MAX, &got);
	while (look_again(r, &tries));
	if (r < 0)
		return cli_fail_call(record->client, r, "record");
	record->next = got->next;
	record->trace = trace_create(got->cores);
	if (record->trace) {
		record->trace->device.stop_ns = got->stop_ns;
		record->trace->device.placement = placement_of(got->placement);
	}
	zhouyi_free(got);
	return record->trace ? CLI_OK : cli_fail(CLI_FAILED, "out of memory");
}

static int add_reservation(struct record *record, const struct zhouyi_plan_reservation *r)
{
	struct trace_reservation *reservation;
	char name[32];
	int client, i;

	/* Those of others, whom one may not see, have no number. */
	if (!r->reservation)
		return 0;
	client = find_client(record, r->uid, r->session, r->client);
	if (client < 0)
		return client;
	reservation_name(r->reservation, name);
	i = trace_find_reservation(record->trace, name, (uint32_t)client);
	if (i < 0)
		return i;
	reservation = &record->trace->reservations[i];
	reservation->client = (uint32_t)client;
	reservation->spec = (struct reservation_spec){
		.budget_ns = r->budget_ns,
		.period_ns = r->period_ns,
		.deadline_ns = r->deadline_ns,
		.jitter_ns = r->jitter_ns,
		.cores = UINT64_C(1) << r->core,
	};
	return 0;
}

/* Reservations and floors as they are now. */
static int fetch_plan(struct record *record)
{
	struct zhouyi_plan *plan;
	unsigned int tries = 0;
	int r;

	do
		r = zhouyi_plan_get(record->client, &plan);
	while (look_again(r, &tries));
	record->knows_plan = true;
	if (r < 0)
		return cli_fail_call(record->client, r, "record");
	for (size_t i = 0; i < plan->n_classes; i++)
		record->trace->settings.floor_percent[plan->classes[i].request_class] =
			plan->classes[i].floor_percent;
	for (size_t i = 0; i < plan->n_reservations && r == 0; i++)
		r = add_reservation(record, &plan->reservations[i]);
	zhouyi_free(plan);
	return r < 0 ? fail_add(record, r) : CLI_OK;
}

/* Weights and quotas of those who were there. */
static int fetch_accounts(struct record *record)
{
	struct zhouyi_account_list *list;
	unsigned int tries = 0;
	int r;

	do
		r = zhouyi_accounts_get(record->client, &list);
	while (look_again(r, &tries));
	if (r < 0)
		return cli_fail_call(record->client, r, "record");
	for (size_t i = 0; i < list->n; i++) {
		const struct zhouyi_account *from = &list->accounts[i];
		int index = find_account(record, from->uid);

		if (index < 0)
			continue;
		record->trace->accounts[index].weight = from->weight;
		record->trace->accounts[index].max_on_device = from->max_running;
		record->trace->accounts[index].share_percent = from->share_percent;
	}
	zhouyi_free(list);
	return CLI_OK;
}

static void show(const struct record *record, bool shows)
{
	if (shows)
		fprintf(stderr, "\r%" PRIu32 " requests", record->trace->n_requests);
}

static int follow(struct record *record)
{
	bool shows = !record->cli->quiet && isatty(STDERR_FILENO);
	uint64_t until = now_ns() + record->seconds * 1000000000u;
	struct timespec pause = {.tv_nsec = POLL_NS};
	int code = CLI_OK;

	for (unsigned int i = 0; code == CLI_OK && !interrupted && now_ns() < until; i++) {
		if (i % PLAN_POLLS == 0)
			code = fetch_plan(record);
		nanosleep(&pause, NULL);
		record->knows_plan = false;
		if (code == CLI_OK)
			code = fetch(record);
		show(record, shows);
	}
	if (shows)
		fputs("\r\033[K", stderr);
	return code == CLI_OK ? fetch_accounts(record) : code;
}

/*
 * Writing
 */

static int write_trace(const struct record *record)
{
	bool is_stdout = strcmp(record->output, "-") == 0;
	FILE *file = is_stdout ? stdout : fopen(record->output, "w");
	int r;

	if (!file)
		return cli_fail(CLI_FILE, "cannot write %s: %s", record->output, strerror(errno));
	errno = 0;
	r = trace_write(record->trace, file);
	if (!is_stdout && fclose(file) != 0)
		r = -EIO;
	if (r < 0)
		return cli_fail(CLI_FILE, "cannot write %s: %s", record->output,
				strerror(errno ? errno : EIO));
	return CLI_OK;
}

static int finish(struct record *record)
{
	const struct trace *trace = record->trace;
	int code;

	if (record->n_lost)
		cli_say("%" PRIu64 " requests were answered faster than they could be recorded",
			record->n_lost);
	if (!trace->n_requests)
		return cli_fail(CLI_FAILED, "nothing was answered meanwhile, so there is no trace");
	trace_settle(record->trace);
	code = write_trace(record);
	if (code == CLI_OK && !record->cli->quiet && strcmp(record->output, "-") != 0)
		printf("%" PRIu32 " requests of %" PRIu32 " clients are in %s\n", trace->n_requests,
		       trace->n_clients, record->output);
	return code;
}

/* Returns -1 to go on, or the exit code. */
static int parse(struct record *record, int argc, char **argv)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'},
		{"seconds", required_argument, NULL, OPT_SECONDS},
		CLI_OPTIONS,
	};
	int option, code;

	while ((option = getopt_long(argc, argv, "o:" CLI_SHORT, options, NULL)) != -1) {
		code = -1;
		if (option == 'o') {
			record->output = optarg;
		} else if (option == OPT_SECONDS) {
			code = args_number(record->cli, "--seconds", optarg, 1, MAX_SECONDS,
					   &record->seconds);
			code = code == CLI_OK ? -1 : code;
		} else {
			code = cli_option(record->cli, option);
		}
		if (code >= 0)
			return code;
	}
	if (optind < argc)
		return cli_usage(record->cli, "unexpected argument '%s'", argv[optind]);
	if (!record->output || !record->seconds)
		return cli_usage(record->cli, "%s is missing",
				 record->output ? "--seconds" : "--output");
	return -1;
}

int cli_record(struct cli *cli, int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	struct record record = {.cli = cli};
	int code = parse(&record, argc, argv);

	if (code >= 0)
		return code;
	code = cli_connect(cli, &record.client);
	if (code != CLI_OK)
		return code;
	/* The first one ends the recording, and it is written. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	code = begin(&record);
	if (code == CLI_OK)
		code = follow(&record);
	if (code == CLI_OK)
		code = finish(&record);
	trace_destroy(record.trace);
	zhouyi_client_close(record.client);
	return code;
}
