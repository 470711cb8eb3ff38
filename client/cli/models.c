/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli load, unload, models. */
#include <inttypes.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/file.h"
#include "client/cli/table.h"

enum { OPT_NAME = CLI_OPTION_FIRST };

static int parse_load(struct cli *cli, int argc, char **argv, const char **ret_name)
{
	static const struct option options[] = {
		{"name", required_argument, NULL, OPT_NAME},
		CLI_OPTIONS,
	};
	int option;

	while ((option = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		int code = -1;

		if (option == OPT_NAME)
			*ret_name = optarg;
		else
			code = cli_option(cli, option);
		if (code >= 0)
			return code;
	}
	if (argc - optind != 1)
		return cli_usage(cli, argc > optind ? "one FILE at a time" : "FILE is missing");
	return -1;
}

static int print_loaded(const struct cli *cli, const struct zhouyi_model *model)
{
	json_t *json;

	if (cli->json) {
		json = json_object();
		json_object_set_new(json, "name", cli_json_text(zhouyi_model_name(model)));
		json_object_set_new(json, "hash", cli_json_text(zhouyi_model_hash(model)));
		json_object_set_new(json, "target", cli_json_text(zhouyi_model_target(model)));
		return cli_json_print(json);
	}
	if (!cli->quiet)
		printf("%s is loaded, for %s\n", cli_text(zhouyi_model_name(model)),
		       cli_text(zhouyi_model_target(model)));
	return CLI_OK;
}

static int load(struct cli *cli, struct zhouyi_client *client, const char *path, const char *name)
{
	struct zhouyi_model *model;
	int r = zhouyi_model_load_file(client, path, name, ZHOUYI_LOAD_KEEP, &model);
	int code;

	if (r == -ZHOUYI_ERROR_IO)
		return cli_fail(CLI_FILE, "%s", cli_text(zhouyi_client_error(client)));
	if (r < 0)
		return cli_fail_call(client, r, path);
	code = print_loaded(cli, model);
	zhouyi_model_close(model);
	return code;
}

int cli_load(struct cli *cli, int argc, char **argv)
{
	struct zhouyi_client *client = NULL;
	const char *name = NULL, *path;
	int code = parse_load(cli, argc, argv, &name);

	if (code >= 0)
		return code;
	path = argv[optind];
	if (file_is_tflite(path))
		return file_refuse_tflite(path);
	code = file_check(path);
	if (code == CLI_OK)
		code = cli_connect(cli, &client);
	if (code == CLI_OK)
		code = load(cli, client, path, name);
	zhouyi_client_close(client);
	return code;
}

int cli_unload(struct cli *cli, int argc, char **argv)
{
	struct zhouyi_client *client;
	int code = cli_options_only(cli, argc, argv, 1, 1);
	const char *name;
	int r;

	if (code >= 0)
		return code;
	name = argv[optind];
	code = cli_connect(cli, &client);
	if (code != CLI_OK)
		return code;
	r = zhouyi_model_unload(client, name);
	if (r == -ZHOUYI_ERROR_NOT_FOUND)
		code = cli_fail(CLI_FAILED,
				"the daemon keeps no model called '%s' (see: zhouyi-cli models)",
				name);
	else if (r < 0)
		code = cli_fail_call(client, r, name);
	zhouyi_client_close(client);
	return code;
}

static int models_json(const struct zhouyi_model_list *list)
{
	json_t *models = json_array();

	for (size_t i = 0; i < list->n; i++) {
		const struct zhouyi_model_summary *m = &list->models[i];
		json_t *json = json_object();

		json_object_set_new(json, "name", cli_json_text(m->name));
		json_object_set_new(json, "hash", cli_json_text(m->hash));
		json_object_set_new(json, "target", cli_json_text(m->target));
		json_object_set_new(json, "kept", json_boolean(m->kept));
		json_object_set_new(json, "users", json_integer(m->users));
		json_object_set_new(json, "slots", json_integer(m->slots));
		json_object_set_new(json, "device_bytes", cli_json_number(m->device_bytes));
		json_object_set_new(json, "requests", cli_json_number(m->requests));
		json_array_append_new(models, json);
	}
	return cli_json_print(models);
}

static void models_table(const struct zhouyi_model_list *list)
{
	static const struct table table = {.columns = {{"NAME", -24},
						       {"TARGET", -16},
						       {"KEPT", -4},
						       {"USERS", 5},
						       {"SLOTS", 5},
						       {"MEMORY", 10},
						       {"REQUESTS", 10},
						       {"HASH", -12}}};

	table_head(stdout, &table, 0);
	for (size_t i = 0; i < list->n; i++) {
		const struct zhouyi_model_summary *m = &list->models[i];

		table_row(stdout, &table, 0,
			  (const char *[]){m->name[0] ? m->name : "-", m->target,
					   m->kept ? "yes" : "no", cli_format("%u", m->users),
					   cli_format("%u", m->slots), cli_size(m->device_bytes),
					   cli_format("%" PRIu64, m->requests), m->hash});
	}
}

int cli_models(struct cli *cli, int argc, char **argv)
{
	struct zhouyi_model_list *list = NULL;
	struct zhouyi_client *client;
	int code = cli_options_only(cli, argc, argv, 0, 0);
	int r;

	if (code >= 0)
		return code;
	code = cli_connect(cli, &client);
	if (code != CLI_OK)
		return code;
	r = zhouyi_model_list_get(client, &list);
	if (r < 0)
		code = cli_fail_call(client, r, "models");
	else if (cli->json)
		code = models_json(list);
	else if (list->n > 0)
		models_table(list);
	else if (!cli->quiet)
		puts("no models are loaded");
	zhouyi_free(list);
	zhouyi_client_close(client);
	return code;
}
