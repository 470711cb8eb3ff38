/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli plan. */
#include <inttypes.h>

#include "client/cli/args.h"
#include "client/cli/look.h"
#include "client/cli/table.h"

/* Times of the plan are the daemon's: what people want is how far away they are. */
static const char *from_now(const struct zhouyi_plan *plan, uint64_t at_ns)
{
	return at_ns <= plan->now_ns ? "now" : args_time_text(at_ns - plan->now_ns);
}

static json_t *entries_json(const struct zhouyi_plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->n_entries; i++) {
		const struct zhouyi_plan_entry *e = &plan->entries[i];
		json_t *json = json_object();

		json_object_set_new(json, "request", cli_json_number(e->request));
		json_object_set_new(json, "session", cli_json_number(e->session));
		json_object_set_new(json, "uid", json_integer(e->uid));
		json_object_set_new(json, "client", cli_json_text(e->client));
		json_object_set_new(json, "model", cli_json_text(e->model));
		json_object_set_new(json, "class",
				    cli_json_text(zhouyi_class_name(e->request_class)));
		json_object_set_new(json, "accepted_ns", cli_json_number(e->accepted_ns));
		json_object_set_new(json, "start_ns", cli_json_number(e->start_ns));
		json_object_set_new(json, "end_ns", cli_json_number(e->end_ns));
		json_object_set_new(json, "response_ns",
				    cli_json_number(e->end_ns - e->accepted_ns));
		json_object_set_new(json, "deadline_ns", cli_json_number(e->deadline_ns));
		json_object_set_new(json, "cores", look_cores_json(e->cores));
		json_object_set_new(json, "own", json_boolean(e->own));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *reservations_json(const struct zhouyi_plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->n_reservations; i++) {
		const struct zhouyi_plan_reservation *r = &plan->reservations[i];
		json_t *json = json_object();

		json_object_set_new(json, "reservation", cli_json_number(r->reservation));
		json_object_set_new(json, "session", cli_json_number(r->session));
		json_object_set_new(json, "uid", json_integer(r->uid));
		json_object_set_new(json, "client", cli_json_text(r->client));
		json_object_set_new(json, "model", cli_json_text(r->model));
		json_object_set_new(json, "core", json_integer(r->core));
		json_object_set_new(json, "budget_ns", cli_json_number(r->budget_ns));
		json_object_set_new(json, "period_ns", cli_json_number(r->period_ns));
		json_object_set_new(json, "deadline_ns", cli_json_number(r->deadline_ns));
		json_object_set_new(json, "jitter_ns", cli_json_number(r->jitter_ns));
		json_object_set_new(json, "frames", cli_json_number(r->frames));
		json_object_set_new(json, "early", cli_json_number(r->early));
		json_object_set_new(json, "overruns", cli_json_number(r->overruns));
		json_object_set_new(json, "missed", cli_json_number(r->missed));
		json_object_set_new(json, "own", json_boolean(r->own));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *classes_json(const struct zhouyi_plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->n_classes; i++) {
		const struct zhouyi_plan_class *c = &plan->classes[i];
		json_t *json = json_object();

		json_object_set_new(json, "class",
				    cli_json_text(zhouyi_class_name(c->request_class)));
		json_object_set_new(json, "queued", json_integer(c->queued));
		json_object_set_new(json, "running", json_integer(c->running));
		json_object_set_new(json, "floor_percent", json_integer(c->floor_percent));
		json_object_set_new(json, "device_ns", cli_json_number(c->device_ns));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *cores_json(const struct zhouyi_plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->n_cores; i++) {
		const struct zhouyi_plan_core *c = &plan->cores[i];
		json_t *json = json_object();

		json_object_set_new(json, "core", json_integer(c->core));
		json_object_set_new(json, "healthy", json_boolean(c->healthy));
		json_object_set_new(json, "running", json_integer(c->running));
		json_object_set_new(json, "held", json_boolean(c->held));
		json_object_set_new(json, "reservations", json_integer(c->reservations));
		json_object_set_new(json, "reserved_ppm", json_integer(c->reserved_ppm));
		json_object_set_new(json, "tolerance_ns", cli_json_number(c->tolerance_ns));
		json_object_set_new(json, "device_ns", cli_json_number(c->device_ns));
		json_array_append_new(list, json);
	}
	return list;
}

static int plan_json(const struct zhouyi_plan *plan)
{
	json_t *json = json_object();

	json_object_set_new(json, "now_ns", cli_json_number(plan->now_ns));
	json_object_set_new(json, "queued", json_integer(plan->queued));
	json_object_set_new(json, "running", json_integer(plan->running));
	json_object_set_new(json, "queue", entries_json(plan));
	json_object_set_new(json, "reservations", reservations_json(plan));
	json_object_set_new(json, "classes", classes_json(plan));
	json_object_set_new(json, "cores", cores_json(plan));
	return cli_json_print(json);
}

static void print_cores(const struct zhouyi_plan *plan)
{
	static const struct table table = {.columns = {{"CORE", -5},
						       {"STATE", -8},
						       {"RUNNING", 7},
						       {"RESERVATIONS", 12},
						       {"RESERVED", 9},
						       {"TOLERANCE", 12},
						       {"BUSY SO FAR", 12}}};

	table_head(stdout, &table, 0);
	for (size_t i = 0; i < plan->n_cores; i++) {
		const struct zhouyi_plan_core *c = &plan->cores[i];
		const char *state = !c->healthy	 ? "broken"
				    : c->held	 ? "held"
				    : c->running ? "busy"
						 : "idle";

		table_row(stdout, &table, 0,
			  (const char *[]){cli_format("%u", c->core), state,
					   cli_format("%u", c->running),
					   cli_format("%u", c->reservations),
					   cli_format("%.1f %%", c->reserved_ppm / 1e4),
					   c->reservations ? args_time_text(c->tolerance_ns) : "-",
					   args_time_text(c->device_ns)});
	}
}

static void print_classes(const struct zhouyi_plan *plan)
{
	static const struct table table = {.columns = {{"CLASS", -11},
						       {"QUEUED", 7},
						       {"RUNNING", 7},
						       {"FLOOR", 7},
						       {"BUSY SO FAR", 12}}};

	putchar('\n');
	table_head(stdout, &table, 0);
	for (size_t i = 0; i < plan->n_classes; i++) {
		const struct zhouyi_plan_class *c = &plan->classes[i];

		table_row(stdout, &table, 0,
			  (const char *[]){zhouyi_class_name(c->request_class),
					   cli_format("%u", c->queued),
					   cli_format("%u", c->running),
					   cli_format("%u %%", c->floor_percent),
					   args_time_text(c->device_ns)});
	}
}

static void print_reservations(const struct zhouyi_plan *plan)
{
	static const struct table table = {.columns = {{"RESERVED FOR", -16},
						       {"MODEL", -16},
						       {"CORE", 4},
						       {"BUDGET", 11},
						       {"PERIOD", 11},
						       {"DEADLINE", 11},
						       {"FRAMES", 8},
						       {"EARLY", 6},
						       {"OVERRUNS", 8},
						       {"MISSED", 6}}};

	if (plan->n_reservations == 0)
		return;
	putchar('\n');
	table_head(stdout, &table, 0);
	for (size_t i = 0; i < plan->n_reservations; i++) {
		const struct zhouyi_plan_reservation *r = &plan->reservations[i];

		table_row(stdout, &table, 0,
			  (const char *[]){
				  r->client[0] ? r->client : "-", r->model[0] ? r->model : "-",
				  cli_format("%u", r->core), args_time_text(r->budget_ns),
				  args_time_text(r->period_ns), args_time_text(r->deadline_ns),
				  cli_format("%" PRIu64, r->frames),
				  cli_format("%" PRIu64, r->early),
				  cli_format("%" PRIu64, r->overruns),
				  cli_format("%" PRIu64, r->missed)});
	}
}

static void print_queue(const struct zhouyi_plan *plan)
{
	static const struct table table = {.columns = {{"REQUEST", 9},
						       {"CLIENT", -16},
						       {"MODEL", -16},
						       {"CLASS", -11},
						       {"CORES", 5},
						       {"STARTS IN", 12},
						       {"ENDS IN", 12},
						       {"RESPONSE", 12}}};

	if (plan->n_entries == 0) {
		printf("\nnothing is queued\n");
		return;
	}
	putchar('\n');
	table_head(stdout, &table, 0);
	for (size_t i = 0; i < plan->n_entries; i++) {
		const struct zhouyi_plan_entry *e = &plan->entries[i];

		table_row(stdout, &table, 0,
			  (const char *[]){
				  e->request ? cli_format("%" PRIu64, e->request) : "-",
				  e->client[0] ? e->client : "-", e->model[0] ? e->model : "-",
				  zhouyi_class_name(e->request_class), look_cores(e->cores),
				  from_now(plan, e->start_ns), from_now(plan, e->end_ns),
				  args_time_text(e->end_ns - e->accepted_ns)});
	}
	if (plan->n_entries < plan->queued)
		printf("... and %zu more\n", plan->queued - plan->n_entries);
}

static void plan_text(const struct zhouyi_plan *plan)
{
	print_cores(plan);
	print_classes(plan);
	print_reservations(plan);
	print_queue(plan);
}

int cli_plan(struct cli *cli, int argc, char **argv)
{
	struct zhouyi_plan *plan = NULL;
	struct zhouyi_client *client;
	int code = cli_options_only(cli, argc, argv, 0, 0);
	unsigned int tries = 0;
	int r;

	if (code >= 0)
		return code;
	code = cli_connect(cli, &client);
	if (code != CLI_OK)
		return code;
	do
		r = zhouyi_plan_get(client, &plan);
	while (look_again(r, &tries));
	if (r < 0)
		code = cli_fail_call(client, r, "plan");
	else if (cli->json)
		code = plan_json(plan);
	else
		plan_text(plan);
	zhouyi_free(plan);
	zhouyi_client_close(client);
	return code;
}
