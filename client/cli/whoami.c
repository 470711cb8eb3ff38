/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli whoami, policy test. */
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/args.h"
#include "client/cli/look.h"

#define GROUPS_MAX 1024

/*
 * Showing
 */

static json_t *texts_json(const char *const *texts, size_t n)
{
	json_t *json = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(json, cli_json_text(texts[i]));
	return json;
}

static json_t *id_json(bool is_known, unsigned int id)
{
	return is_known ? json_integer(id) : json_null();
}

static json_t *limit_json(uint64_t limit)
{
	return limit ? cli_json_number(limit) : json_null();
}

static json_t *identity_json(const struct zhouyi_access *a)
{
	json_t *json = json_object(), *groups = json_array();

	for (size_t i = 0; i < a->n_groups; i++)
		json_array_append_new(groups, json_integer(a->groups[i]));
	json_object_set_new(json, "uid", id_json(a->has_uid, a->uid));
	json_object_set_new(json, "gid", id_json(a->has_gid, a->gid));
	json_object_set_new(json, "groups", groups);
	json_object_set_new(json, "pid", a->pid ? json_integer(a->pid) : json_null());
	json_object_set_new(json, "placed", json_boolean(a->placed));
	json_object_set_new(json, "unit", cli_json_text(a->unit));
	json_object_set_new(json, "slice", cli_json_text(a->slice));
	json_object_set_new(json, "user_unit", cli_json_text(a->user_unit));
	json_object_set_new(json, "cgroup", cli_json_text(a->cgroup));
	json_object_set_new(json, "label", cli_json_text(a->label));
	return json;
}

static json_t *limits_json(const struct zhouyi_access *a)
{
	json_t *json = json_object();

	json_object_set_new(json, "of", cli_json_text(a->principal));
	json_object_set_new(json, "weight", json_integer(a->weight));
	json_object_set_new(json, "queued", limit_json(a->max_queued));
	json_object_set_new(json, "on_device", limit_json(a->max_running));
	json_object_set_new(json, "buffers", limit_json(a->max_buffers));
	json_object_set_new(json, "models", limit_json(a->max_models));
	json_object_set_new(json, "device_bytes", limit_json(a->max_device_bytes));
	json_object_set_new(json, "share_percent", limit_json(a->share_percent));
	return json;
}

static int access_json(const struct zhouyi_access *a)
{
	json_t *json = json_object(), *rights = json_object();

	for (size_t i = 0; i < a->n_rights; i++)
		json_object_set_new(rights, cli_text(a->rights[i].name),
				    json_boolean(a->rights[i].allowed));
	json_object_set_new(json, "identity", identity_json(a));
	json_object_set_new(json, "rules", texts_json(a->rules, a->n_rules));
	json_object_set_new(json, "rights", rights);
	json_object_set_new(json, "class", cli_json_text(zhouyi_class_name(a->class_ceiling)));
	json_object_set_new(json, "cores", look_cores_json(a->cores));
	json_object_set_new(json, "unplaced", json_boolean(a->unplaced));
	json_object_set_new(json, "limits", limits_json(a));
	return cli_json_print(json);
}

static void print_id(const char *name, bool is_known, unsigned int id)
{
	if (is_known)
		printf("%-15s %u\n", name, id);
	else
		printf("%-15s not known in the daemon's user namespace\n", name);
}

static void print_text(const char *name, const char *text, const char *otherwise)
{
	if (text[0] || otherwise)
		printf("%-15s %s\n", name, text[0] ? cli_text(text) : otherwise);
}

static void print_identity(const struct zhouyi_access *a)
{
	print_id("user", a->has_uid, a->uid);
	/* Somebody imagined has only groups. */
	if (a->has_gid || a->pid)
		print_id("group", a->has_gid, a->gid);
	if (a->n_groups) {
		printf("%-15s", "groups");
		for (size_t i = 0; i < a->n_groups; i++)
			printf(" %u", a->groups[i]);
		putchar('\n');
	}
	if (a->pid)
		printf("%-15s %" PRId64 "\n", "process", a->pid);
	if (a->placed) {
		print_text("unit", a->unit, "none");
		print_text("slice", a->slice, NULL);
		print_text("user's unit", a->user_unit, NULL);
	} else {
		printf("%-15s not known to the daemon\n", "unit and slice");
	}
	print_text("cgroup", a->cgroup, NULL);
	print_text("label", a->label, NULL);
}

static void print_limit(const char *name, uint64_t limit)
{
	if (limit)
		printf("  %-13s %" PRIu64 "\n", name, limit);
}

static void print_limits(const struct zhouyi_access *a)
{
	printf("limits of       %s\n", a->principal[0] ? cli_text(a->principal) : "the user");
	print_limit("weight", a->weight);
	print_limit("queued", a->max_queued);
	print_limit("on device", a->max_running);
	print_limit("buffers", a->max_buffers);
	print_limit("models", a->max_models);
	if (a->max_device_bytes)
		printf("  %-13s %s\n", "device memory", cli_size(a->max_device_bytes));
	print_limit("share percent", a->share_percent);
}

static void print_grant(const struct zhouyi_access *a)
{
	printf("%-15s", "rules");
	for (size_t i = 0; i < a->n_rules; i++)
		printf(" %s", cli_text(a->rules[i]));
	puts(a->n_rules ? "" : " none");
	for (size_t i = 0; i < a->n_rights; i++)
		printf("%-15s %s\n", cli_text(a->rights[i].name),
		       a->rights[i].allowed ? "allowed" : "denied");
	if (a->unplaced)
		puts("                because rules speak of units or slices, and it is not known "
		     "which these are");
	printf("%-15s %s\n", "most urgent", zhouyi_class_name(a->class_ceiling));
	printf("%-15s %s\n", "cores", a->cores ? look_cores(a->cores) : "none");
	print_limits(a);
}

/* Prints and frees it. */
static int show(const struct cli *cli, struct zhouyi_access *access)
{
	int code = CLI_OK;

	if (cli->json) {
		code = access_json(access);
	} else {
		print_identity(access);
		print_grant(access);
	}
	zhouyi_free(access);
	return code;
}

int cli_whoami(struct cli *cli, int argc, char **argv)
{
	struct zhouyi_access *access;
	struct zhouyi_client *client;
	int code = cli_options_only(cli, argc, argv, 0, 0);
	int r;

	if (code >= 0)
		return code;
	code = cli_connect(cli, &client);
	if (code != CLI_OK)
		return code;
	r = zhouyi_whoami(client, &access);
	code = r < 0 ? cli_fail_call(client, r, "whoami") : show(cli, access);
	zhouyi_client_close(client);
	return code;
}

/*
 * policy test
 */

enum {
	OPTION_UID = CLI_OPTION_FIRST,
	OPTION_GID,
	OPTION_UNIT,
	OPTION_SLICE,
};

struct somebody {
	struct zhouyi_principal principal;
	unsigned int groups[GROUPS_MAX];
	const char *user; /* by name; NULL: by number, or not at all */
	gid_t user_gid;
};

static int add_group(const struct cli *cli, struct somebody *who, unsigned int gid)
{
	if (who->principal.n_groups == GROUPS_MAX)
		return cli_usage(cli, "at most %d groups can be asked about", GROUPS_MAX);
	who->groups[who->principal.n_groups++] = gid;
	return CLI_OK;
}

static bool is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

static int set_user(const struct cli *cli, struct somebody *who, const char *text)
{
	const struct passwd *entry;
	uint64_t uid;
	int code;

	who->principal.has_uid = true;
	if (is_number(text)) {
		code = args_number(cli, "--uid", text, 0, UINT32_MAX - 1, &uid);
		who->principal.uid = (unsigned int)uid;
		who->user = NULL;
		return code;
	}
	entry = getpwnam(text);
	if (!entry)
		return cli_fail(CLI_USAGE, "there is no user '%s'", cli_text(text));
	who->principal.uid = entry->pw_uid;
	who->user = text;
	who->user_gid = entry->pw_gid;
	return CLI_OK;
}

static int set_group(const struct cli *cli, struct somebody *who, const char *text)
{
	const struct group *entry;
	uint64_t gid;
	int code;

	if (is_number(text)) {
		code = args_number(cli, "--gid", text, 0, UINT32_MAX - 1, &gid);
		return code != CLI_OK ? code : add_group(cli, who, (unsigned int)gid);
	}
	entry = getgrnam(text);
	if (!entry)
		return cli_fail(CLI_USAGE, "there is no group '%s'", cli_text(text));
	return add_group(cli, who, entry->gr_gid);
}

/* Groups that nobody named are those that a user who is named would have. */
static int look_up_groups(const struct cli *cli, struct somebody *who)
{
	gid_t groups[GROUPS_MAX];
	int n = GROUPS_MAX, code = CLI_OK;

	if (!who->user || who->principal.n_groups)
		return CLI_OK;
	if (getgrouplist(who->user, who->user_gid, groups, &n) < 0)
		return cli_fail(CLI_FAILED, "'%s' is in more than %d groups", cli_text(who->user),
				GROUPS_MAX);
	for (int i = 0; i < n && code == CLI_OK; i++)
		code = add_group(cli, who, groups[i]);
	return code;
}

/* -1 or an exit code. */
static int parse_test(struct cli *cli, int argc, char **argv, struct somebody *who)
{
	static const struct option options[] = {
		{"uid", required_argument, NULL, OPTION_UID},
		{"gid", required_argument, NULL, OPTION_GID},
		{"unit", required_argument, NULL, OPTION_UNIT},
		{"slice", required_argument, NULL, OPTION_SLICE},
		CLI_OPTIONS,
	};
	int option, code;

	while ((option = getopt_long(argc, argv, CLI_SHORT, options, NULL)) != -1) {
		code = CLI_OK;
		switch (option) {
		case OPTION_UID:
			code = set_user(cli, who, optarg);
			break;
		case OPTION_GID:
			code = set_group(cli, who, optarg);
			break;
		case OPTION_UNIT:
			who->principal.unit = optarg;
			break;
		case OPTION_SLICE:
			who->principal.slice = optarg;
			break;
		default:
			code = cli_option(cli, option);
			if (code < 0)
				code = CLI_OK;
			else
				return code;
		}
		if (code != CLI_OK)
			return code;
	}
	if (optind == argc || strcmp(argv[optind], "test") != 0)
		return cli_usage(cli, "say what to do: test");
	optind++;
	code = look_up_groups(cli, who);
	return code == CLI_OK ? -1 : code;
}

/* Whether all operations are allowed; the first that is not is named. */
static int check_operations(const struct cli *cli, const struct zhouyi_access *access, int n,
			    char **operations)
{
	for (int i = 0; i < n; i++) {
		const struct zhouyi_right *right = NULL;

		for (size_t k = 0; k < access->n_rights && !right; k++)
			if (strcmp(access->rights[k].name, operations[i]) == 0)
				right = &access->rights[k];
		if (!right)
			return cli_usage(cli,
					 "there is no operation '%s': load, load-native, "
					 "infer, reserve, admin",
					 cli_text(operations[i]));
		if (!right->allowed)
			return cli_fail(CLI_FAILED, "'%s' would be denied", right->name);
	}
	return CLI_OK;
}

static int test(struct cli *cli, struct zhouyi_client *client, const struct somebody *who, int n,
		char **operations)
{
	struct zhouyi_access *access;
	int r = zhouyi_access_test(client, &who->principal, &access);
	int code;

	if (r < 0)
		return cli_fail_call(client, r, "policy test");
	code = check_operations(cli, access, n, operations);
	if (code == CLI_USAGE || (n && cli->quiet)) {
		zhouyi_free(access);
		return code;
	}
	r = show(cli, access);
	return code == CLI_OK ? r : code;
}

int cli_policy(struct cli *cli, int argc, char **argv)
{
	struct somebody who = {.user = NULL};
	struct zhouyi_client *client;
	int code = parse_test(cli, argc, argv, &who);

	if (code >= 0)
		return code;
	who.principal.groups = who.groups;
	code = cli_connect(cli, &client);
	if (code != CLI_OK)
		return code;
	code = test(cli, client, &who, argc - optind, argv + optind);
	zhouyi_client_close(client);
	return code;
}
