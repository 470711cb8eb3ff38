/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli accounts. */
#include <inttypes.h>

#include "client/cli/args.h"
#include "client/cli/look.h"
#include "client/cli/table.h"

static json_t *usages_json(const struct zhouyi_account *account)
{
	json_t *list = json_array();

	for (size_t i = 0; i < account->n_usages; i++) {
		const struct zhouyi_usage *u = &account->usages[i];
		json_t *json = json_object();

		json_object_set_new(json, "client", cli_json_text(u->client));
		json_object_set_new(json, "model", cli_json_text(u->model));
		json_object_set_new(json, "requests", cli_json_number(u->requests));
		json_object_set_new(json, "device_ns", cli_json_number(u->device_ns));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *clients_json(const struct zhouyi_account *account)
{
	json_t *list = json_array();

	for (size_t i = 0; i < account->n_clients; i++) {
		const struct zhouyi_account_client *c = &account->clients[i];
		json_t *json = json_object();

		json_object_set_new(json, "session", cli_json_number(c->session));
		json_object_set_new(json, "client", cli_json_text(c->client));
		json_object_set_new(json, "pid", json_integer(c->pid));
		json_object_set_new(json, "queued", json_integer(c->queued));
		json_object_set_new(json, "running", json_integer(c->running));
		json_object_set_new(json, "device_ns", cli_json_number(c->device_ns));
		json_object_set_new(json, "buffers", json_integer(c->buffers));
		json_object_set_new(json, "buffer_bytes", cli_json_number(c->buffer_bytes));
		json_object_set_new(json, "models", json_integer(c->models));
		json_array_append_new(list, json);
	}
	return list;
}

/* What is used, and what may be; null: no limit. */
static void use_json(json_t *json, const char *name, uint64_t used, uint64_t limit)
{
	json_t *use = json_object();

	json_object_set_new(use, "used", cli_json_number(used));
	json_object_set_new(use, "limit", limit ? cli_json_number(limit) : json_null());
	json_object_set_new(json, name, use);
}

static int accounts_json(const struct zhouyi_account_list *list)
{
	json_t *accounts = json_array();

	for (size_t i = 0; i < list->n; i++) {
		const struct zhouyi_account *a = &list->accounts[i];
		json_t *json = json_object();

		json_object_set_new(json, "uid", json_integer(a->uid));
		json_object_set_new(json, "principal", cli_json_text(a->principal));
		json_object_set_new(json, "sessions", json_integer(a->sessions));
		json_object_set_new(json, "device_ns", cli_json_number(a->device_ns));
		json_object_set_new(json, "weight", json_integer(a->weight));
		json_object_set_new(json, "share_percent",
				    a->share_percent ? json_integer(a->share_percent)
						     : json_null());
		use_json(json, "queued", a->queued, a->max_queued);
		use_json(json, "running", a->running, a->max_running);
		use_json(json, "device_bytes", a->device_bytes, a->max_device_bytes);
		use_json(json, "buffers", a->buffers, a->max_buffers);
		use_json(json, "models", a->models, a->max_models);
		json_object_set_new(json, "usage", usages_json(a));
		json_object_set_new(json, "clients", clients_json(a));
		json_array_append_new(accounts, json);
	}
	return cli_json_print(accounts);
}

static void print_use(const char *name, uint64_t used, uint64_t limit)
{
	if (limit)
		printf("  %-14s %" PRIu64 " of %" PRIu64 "\n", name, used, limit);
	else
		printf("  %-14s %" PRIu64 "\n", name, used);
}

static void usages_text(const struct zhouyi_account *a)
{
	static const struct table table = {
		.indent = 2,
		.columns = {
			{"CLIENT", -20}, {"MODEL", -24}, {"REQUESTS", 10}, {"DEVICE TIME", 14}}};

	if (a->n_usages)
		table_head(stdout, &table, 0);
	for (size_t i = 0; i < a->n_usages; i++) {
		const struct zhouyi_usage *u = &a->usages[i];
		bool others = !u->client[0] && !u->model[0];
		const char *client = u->client[0] ? u->client : "-";

		table_row(stdout, &table, 0,
			  (const char *[]){others ? "(others)" : client,
					   u->model[0] ? u->model : "-",
					   cli_format("%" PRIu64, u->requests),
					   args_time_text(u->device_ns)});
	}
}

static void account_text(const struct zhouyi_account *a)
{
	if (a->principal[0])
		printf("%s", cli_text(a->principal));
	else
		printf("uid %u", a->uid);
	printf(": %s on the device, %u session%s, weight %u", args_time_text(a->device_ns),
	       a->sessions, a->sessions == 1 ? "" : "s", a->weight);
	if (a->share_percent)
		printf(", at most %u %% of the device's time", a->share_percent);
	putchar('\n');
	print_use("queued", a->queued, a->max_queued);
	print_use("running", a->running, a->max_running);
	if (a->max_device_bytes)
		printf("  %-14s %s of %s\n", "device memory", cli_size(a->device_bytes),
		       cli_size(a->max_device_bytes));
	else
		printf("  %-14s %s\n", "device memory", cli_size(a->device_bytes));
	print_use("buffers", a->buffers, a->max_buffers);
	print_use("models", a->models, a->max_models);
	for (size_t i = 0; i < a->n_clients; i++) {
		const struct zhouyi_account_client *c = &a->clients[i];

		printf("  session %-6" PRIu64 " %s (pid %d): %u queued, %u running, %s\n",
		       c->session, c->client[0] ? cli_text(c->client) : "-", c->pid, c->queued,
		       c->running, args_time_text(c->device_ns));
	}
	usages_text(a);
}

int cli_accounts(struct cli *cli, int argc, char **argv)
{
	struct zhouyi_account_list *list = NULL;
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
		r = zhouyi_accounts_get(client, &list);
	while (look_again(r, &tries));
	if (r < 0)
		code = cli_fail_call(client, r, "accounts");
	else if (cli->json)
		code = accounts_json(list);
	for (size_t i = 0; r == 0 && !cli->json && i < list->n; i++)
		account_text(&list->accounts[i]);
	zhouyi_free(list);
	zhouyi_client_close(client);
	return code;
}
