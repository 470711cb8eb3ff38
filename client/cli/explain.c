/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli explain. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/args.h"
#include "client/cli/look.h"
#include "client/cli/table.h"

static json_t *occupants_json(const struct zhouyi_explanation *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < e->n_occupants; i++) {
		const struct zhouyi_occupant *o = &e->occupants[i];
		json_t *json = json_object();

		json_object_set_new(json, "session", cli_json_number(o->session));
		json_object_set_new(json, "client", cli_json_text(o->client));
		json_object_set_new(json, "uid", json_integer(o->uid));
		json_object_set_new(json, "class",
				    cli_json_text(zhouyi_class_name(o->request_class)));
		json_object_set_new(json, "ns", cli_json_number(o->ns));
		json_object_set_new(json, "requests", json_integer(o->requests));
		json_array_append_new(list, json);
	}
	return list;
}

static int explanation_json(const struct zhouyi_explanation *e)
{
	const struct zhouyi_record *r = &e->request;
	json_t *json = json_object();

	json_object_set_new(json, "request", cli_json_number(r->request));
	json_object_set_new(json, "state", cli_json_text(e->state));
	json_object_set_new(json, "session", cli_json_number(r->session));
	json_object_set_new(json, "client", cli_json_text(r->client));
	json_object_set_new(json, "uid", json_integer(r->uid));
	json_object_set_new(json, "model", cli_json_text(r->model));
	json_object_set_new(json, "hash", cli_json_text(r->model_hash));
	json_object_set_new(json, "class", cli_json_text(zhouyi_class_name(r->request_class)));
	json_object_set_new(json, "result", cli_json_text(zhouyi_strerror(r->error)));
	json_object_set_new(json, "late", json_boolean(r->late));
	json_object_set_new(json, "accepted_ns", cli_json_number(r->accepted_ns));
	json_object_set_new(json, "started_ns", cli_json_number(r->started_ns));
	json_object_set_new(json, "ended_ns", cli_json_number(r->ended_ns));
	json_object_set_new(json, "run_ns", cli_json_number(r->run_ns));
	json_object_set_new(json, "deadline_ns", cli_json_number(r->deadline_ns));
	json_object_set_new(json, "allowed_cores", look_cores_json(r->allowed_cores));
	json_object_set_new(json, "cores", look_cores_json(r->cores));
	json_object_set_new(json, "wait", cli_json_text(zhouyi_wait_name(r->wait)));
	json_object_set_new(json, "waited_for", cli_json_number(r->waited_for));
	json_object_set_new(json, "waited_for_client", cli_json_text(e->waited_for));
	json_object_set_new(json, "sequence", cli_json_number(r->sequence));
	json_object_set_new(json, "reservation", cli_json_number(r->reservation));
	json_object_set_new(json, "occupants", occupants_json(e));
	json_object_set_new(json, "idle_ns", cli_json_number(e->idle_ns));
	return cli_json_print(json);
}

/* From its acceptance to its start, or as long as it was known to wait. */
static uint64_t waited_ns(const struct zhouyi_record *r, uint64_t core_ns)
{
	unsigned int n = (unsigned int)__builtin_popcountll(r->allowed_cores);

	if (r->started_ns || r->ended_ns)
		return (r->started_ns ? r->started_ns : r->ended_ns) - r->accepted_ns;
	return n ? core_ns / n : 0;
}

static void print_wait(const struct zhouyi_explanation *e, uint64_t busy_ns)
{
	const struct zhouyi_record *r = &e->request;

	printf("waited     %s", args_time_text(waited_ns(r, busy_ns + e->idle_ns)));
	if (r->wait != ZHOUYI_WAIT_NONE)
		printf(": %s", zhouyi_wait_text(r->wait));
	if (r->waited_for)
		printf(" (session %" PRIu64 "%s%s)", r->waited_for, e->waited_for[0] ? ", " : "",
		       cli_text(e->waited_for));
	putchar('\n');
}

static void print_occupants(const struct zhouyi_explanation *e)
{
	static const struct table table = {.indent = 2,
					   .columns = {{"CLIENT", -20},
						       {"SESSION", 8},
						       {"UID", 8},
						       {"CLASS", -11},
						       {"TIME", 12},
						       {"REQUESTS", 8}}};

	if (e->n_occupants == 0)
		return;
	printf("meanwhile its cores (%s) were used by\n", look_cores(e->request.allowed_cores));
	table_head(stdout, &table, 0);
	for (size_t i = 0; i < e->n_occupants; i++) {
		const struct zhouyi_occupant *o = &e->occupants[i];
		const char *name = !o->session ? "(others)" : o->client[0] ? o->client : "-";

		table_row(stdout, &table, 0,
			  (const char *[]){name,
					   o->session ? cli_format("%" PRIu64, o->session) : "",
					   o->session ? cli_format("%u", o->uid) : "",
					   o->session ? zhouyi_class_name(o->request_class) : "",
					   args_time_text(o->ns), cli_format("%u", o->requests)});
	}
	table_row(stdout, &table, 0,
		  (const char *[]){"(nobody)", "", "", "", args_time_text(e->idle_ns), ""});
}

static void explanation_text(const struct zhouyi_explanation *e)
{
	const struct zhouyi_record *r = &e->request;
	uint64_t busy_ns = 0;

	for (size_t i = 0; i < e->n_occupants; i++)
		busy_ns += e->occupants[i].ns;
	printf("request    %" PRIu64 ", %s, of %s (session %" PRIu64 ", uid %u), model %s\n",
	       r->request, cli_text(e->state), r->client[0] ? cli_text(r->client) : "-", r->session,
	       r->uid, r->model[0] ? cli_text(r->model) : cli_text(r->model_hash));
	printf("class      %s\n", zhouyi_class_name(r->request_class));
	if (strcmp(e->state, "answered") == 0)
		printf("result     %s%s, after %s\n", zhouyi_strerror(r->error),
		       r->late ? ", but late" : "", args_time_text(r->ended_ns - r->accepted_ns));
	if (r->deadline_ns > r->accepted_ns)
		printf("deadline   %s\n", args_time_text(r->deadline_ns - r->accepted_ns));
	print_wait(e, busy_ns);
	if (r->started_ns)
		printf("ran        %s on core %s\n",
		       r->run_ns ? args_time_text(r->run_ns) : "not to its end",
		       look_cores(r->cores));
	print_occupants(e);
}

static int explain(struct cli *cli, uint64_t request)
{
	struct zhouyi_explanation *explanation = NULL;
	struct zhouyi_client *client;
	unsigned int tries = 0;
	int code = cli_connect(cli, &client), r;

	if (code != CLI_OK)
		return code;
	do
		r = zhouyi_explain(client, request, &explanation);
	while (look_again(r, &tries));
	if (r < 0)
		code = cli_fail_call(client, r, "explain");
	else if (cli->json)
		code = explanation_json(explanation);
	else
		explanation_text(explanation);
	zhouyi_free(explanation);
	zhouyi_client_close(client);
	return code;
}

int cli_explain(struct cli *cli, int argc, char **argv)
{
	int code = cli_options_only(cli, argc, argv, 1, 1);
	uint64_t request;

	if (code >= 0)
		return code;
	code = args_number(cli, "REQUEST", argv[optind], 1, UINT64_MAX, &request);
	return code == CLI_OK ? explain(cli, request) : code;
}
