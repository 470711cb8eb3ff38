/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli status, health, device. */
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "client/cli/args.h"
#include "client/cli/cli.h"

#define HEALTH_TIMEOUT_NS UINT64_C(5000000000)

static json_t *counters_json(const struct zhouyi_counter *counters, size_t n)
{
	json_t *json = json_object();

	for (size_t i = 0; i < n; i++)
		json_object_set_new(json, cli_text(counters[i].name),
				    cli_json_number(counters[i].value));
	return json;
}

static void counters_text(const struct zhouyi_counter *counters, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%-30s %" PRIu64 "\n", cli_text(counters[i].name), counters[i].value);
}

static json_t *reasons_json(const struct zhouyi_status *s)
{
	json_t *json = json_array();

	for (size_t i = 0; i < s->n_reasons; i++)
		json_array_append_new(json, cli_json_text(s->reasons[i]));
	return json;
}

static void reasons_text(const struct zhouyi_status *s)
{
	for (size_t i = 0; i < s->n_reasons; i++)
		printf("  %s\n", cli_text(s->reasons[i]));
}

static int status_json(const struct zhouyi_status *s)
{
	json_t *json = json_object();

	json_object_set_new(json, "version", cli_json_text(s->version));
	json_object_set_new(json, "health", cli_json_text(s->health));
	json_object_set_new(json, "reasons", reasons_json(s));
	json_object_set_new(json, "uptime_ns", cli_json_number(s->uptime_ns));
	json_object_set_new(json, "sessions", json_integer(s->sessions));
	json_object_set_new(json, "models", json_integer(s->models));
	json_object_set_new(json, "queued", json_integer(s->queued));
	json_object_set_new(json, "running", json_integer(s->running));
	json_object_set_new(json, "accepted", cli_json_number(s->accepted));
	json_object_set_new(json, "answered", cli_json_number(s->answered));
	json_object_set_new(json, "succeeded", cli_json_number(s->succeeded));
	json_object_set_new(json, "faulted", cli_json_number(s->faulted));
	json_object_set_new(json, "cancelled", cli_json_number(s->cancelled));
	json_object_set_new(json, "copied_bytes", cli_json_number(s->copied_bytes));
	json_object_set_new(json, "counters", counters_json(s->counters, s->n_counters));
	return cli_json_print(json);
}

static void status_text(const struct zhouyi_status *s)
{
	uint64_t seconds = s->uptime_ns / 1000000000u;

	printf("zhouyid %s: %s, up %" PRIu64 "d %02u:%02u:%02u\n", cli_text(s->version),
	       cli_text(s->health), seconds / 86400, (unsigned int)(seconds / 3600 % 24),
	       (unsigned int)(seconds / 60 % 60), (unsigned int)(seconds % 60));
	reasons_text(s);
	printf("sessions   %u\n", s->sessions);
	printf("models     %u\n", s->models);
	printf("requests   %u queued, %u running\n", s->queued, s->running);
	printf("accepted   %" PRIu64 "\n", s->accepted);
	printf("answered   %" PRIu64 ": %" PRIu64 " succeeded, %" PRIu64 " faulted, %" PRIu64
	       " cancelled\n",
	       s->answered, s->succeeded, s->faulted, s->cancelled);
	printf("copied     %s\n", cli_size(s->copied_bytes));
	counters_text(s->counters, s->n_counters);
}

int cli_status(struct cli *cli, int argc, char **argv)
{
	struct zhouyi_status *status = NULL;
	struct zhouyi_client *client;
	int code = cli_options_only(cli, argc, argv, 0, 0);
	int r;

	if (code >= 0)
		return code;
	code = cli_connect(cli, &client);
	if (code != CLI_OK)
		return code;
	r = zhouyi_status_get(client, &status);
	if (r < 0)
		code = cli_fail_call(client, r, "status");
	else if (cli->json)
		code = status_json(status);
	else
		status_text(status);
	zhouyi_free(status);
	zhouyi_client_close(client);
	return code;
}

/* A daemon that hangs is not healthy, and neither is a check that hangs with it. */
static void on_alarm(int signum)
{
	static const char text[] = "zhouyi-cli: the daemon does not answer\n";

	ssize_t n;

	(void)signum;
	n = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)n;
	_exit(CLI_UNREACHABLE);
}

static int health_arguments(struct cli *cli, int argc, char **argv, uint64_t *ret_ns)
{
	static const struct option options[] = {
		{"timeout", required_argument, NULL, CLI_OPTION_FIRST}, CLI_OPTIONS};
	int option, code;

	while ((option = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		if (option != CLI_OPTION_FIRST) {
			code = cli_option(cli, option);
			if (code >= 0)
				return code;
		} else if (args_time(cli, "--timeout", optarg, ret_ns) != CLI_OK) {
			return CLI_USAGE;
		}
	}
	return optind < argc ? cli_usage(cli, "unexpected argument '%s'", argv[optind]) : -1;
}

static int health_print(const struct cli *cli, const struct zhouyi_status *s)
{
	bool ready = strcmp(s->health, "ready") == 0;
	json_t *json;

	if (cli->json) {
		json = json_object();
		json_object_set_new(json, "health", cli_json_text(s->health));
		json_object_set_new(json, "reasons", reasons_json(s));
		if (cli_json_print(json) != CLI_OK)
			return CLI_FAILED;
	} else if (!cli->quiet) {
		printf("%s\n", cli_text(s->health));
		reasons_text(s);
	}
	return ready ? CLI_OK : CLI_FAILED;
}

int cli_health(struct cli *cli, int argc, char **argv)
{
	struct zhouyi_status *status = NULL;
	struct zhouyi_client *client;
	uint64_t timeout_ns = HEALTH_TIMEOUT_NS;
	int code = health_arguments(cli, argc, argv, &timeout_ns);
	int r;

	if (code >= 0)
		return code;
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL,
		  &(struct itimerval){
			  .it_value = {.tv_sec = (time_t)(timeout_ns / 1000000000u),
				       .tv_usec = (suseconds_t)(timeout_ns % 1000000000u / 1000u)}},
		  NULL);
	code = cli_connect(cli, &client);
	if (code != CLI_OK)
		return code;
	r = zhouyi_status_get(client, &status);
	code = r < 0 ? cli_fail_call(client, r, "health") : health_print(cli, status);
	zhouyi_free(status);
	zhouyi_client_close(client);
	return code;
}

static int device_json(const struct zhouyi_device *d)
{
	json_t *json = json_object();

	json_object_set_new(json, "backend", cli_json_text(d->backend));
	json_object_set_new(json, "reason", cli_json_text(d->reason));
	json_object_set_new(json, "target", cli_json_text(d->target));
	json_object_set_new(json, "placement", cli_json_text(d->placement));
	json_object_set_new(json, "partitions", json_integer(d->partitions));
	json_object_set_new(json, "clusters", json_integer(d->clusters));
	json_object_set_new(json, "cores", json_integer(d->cores));
	json_object_set_new(json, "tecs", json_integer(d->tecs));
	json_object_set_new(json, "memory_bytes", cli_json_number(d->memory_bytes));
	json_object_set_new(json, "memory_used", cli_json_number(d->memory_used));
	json_object_set_new(json, "counters", counters_json(d->counters, d->n_counters));
	return cli_json_print(json);
}

static void device_text(const struct zhouyi_device *d)
{
	printf("backend    %s (%s)\n", cli_text(d->backend), cli_text(d->reason));
	printf("runs       loadables for %s\n", cli_text(d->target));
	printf("topology   partitions %u, clusters %u, cores %u, TECs per core %u\n", d->partitions,
	       d->clusters, d->cores, d->tecs);
	printf("placement  %s\n", cli_text(d->placement));
	printf("memory     %s used of %s\n", cli_size(d->memory_used), cli_size(d->memory_bytes));
	counters_text(d->counters, d->n_counters);
}

int cli_device(struct cli *cli, int argc, char **argv)
{
	struct zhouyi_device *device = NULL;
	struct zhouyi_client *client;
	int code = cli_options_only(cli, argc, argv, 0, 0);
	int r;

	if (code >= 0)
		return code;
	code = cli_connect(cli, &client);
	if (code != CLI_OK)
		return code;
	r = zhouyi_device_get(client, &device);
	if (r < 0)
		code = cli_fail_call(client, r, "device");
	else if (cli->json)
		code = device_json(device);
	else
		device_text(device);
	zhouyi_free(device);
	zhouyi_client_close(client);
	return code;
}
