/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config_internal.h"

static char directory[] = "/tmp/zhouyi-config.XXXXXX";
static char file[64];
static struct config config;
/* What was reported, one complaint on each line. */
static struct {
	unsigned int n;
	char text[8192];
} error;

static void say(void *arg, const char *text)
{
	size_t n = strlen(error.text);

	(void)arg;
	error.n++;
	snprintf(error.text + n, sizeof(error.text) - n, "%s\n", text);
}

static struct config_report report = {.say = say};

static void reset(void)
{
	config_finish(&config);
	config_init(&config);
	error.n = 0;
	error.text[0] = '\0';
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static int load(const char *text)
{
	write_file(file, text);
	reset();
	return config_load(&config, file, &report);
}

/* It is refused, and the text says where and what. */
static void refuses(const char *text, const char *where, const char *what)
{
	cr_expect_eq(load(text), -EINVAL, "%s was accepted", text);
	cr_expect(strncmp(error.text, file, strlen(file)) == 0, "%s", error.text);
	cr_expect(strstr(error.text, where) && strstr(error.text, what), "%s: %s", text,
		  error.text);
}

static void setup(void)
{
	cr_assert(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/z.json", directory);
}

static void teardown(void)
{
	char command[64];

	config_finish(&config);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	if (system(command) != 0)
		abort();
}

TestSuite(config, .init = setup, .fini = teardown);

Test(config, an_empty_object_changes_nothing)
{
	struct config defaults;

	config_init(&defaults);
	cr_assert_eq(load("{}"), 0);
	cr_assert_str_eq(config.socket, defaults.socket);
	cr_assert_eq(config.socket_mode, 0660);
	cr_assert_eq(config.limits.sessions, defaults.limits.sessions);
	cr_assert_eq(config.soft.cores, 3);
}

Test(config, every_key_reaches_its_member)
{
	cr_assert_eq(
		load("{\"#\": \"a comment\", \"socket\": \"/tmp/s\", \"socket_mode\": \"0600\","
		     "\"device\": \"soft\", \"log_level\": \"debug\","
		     "\"topology\": {\"#x\": [], \"partitions\": 2, \"clusters\": 3,"
		     "\"cores\": 4, \"tecs\": 5}, \"memory_bytes\": 67108864,"
		     "\"limits\": {\"sessions\": 10, \"queued_per_session\": 11,"
		     "\"buffers_per_session\": 12, \"buffer_bytes_per_session\": 8589934592,"
		     "\"bindings_per_session\": 14, \"models_per_session\": 15,"
		     "\"models\": 16, \"image_bytes\": 1000000}}"),
		0, "%s", error.text);
	cr_expect_str_eq(config.socket, "/tmp/s");
	cr_expect_eq(config.socket_mode, 0600);
	cr_expect_str_eq(config.device, "soft");
	cr_expect_eq(config.log_level, LOG_LEVEL_DEBUG);
	cr_expect_eq(config.soft.partitions, 2);
	cr_expect_eq(config.soft.clusters, 3);
	cr_expect_eq(config.soft.cores, 4);
	cr_expect_eq(config.soft.tecs, 5);
	cr_expect_eq(config.soft.memory_bytes, 67108864);
	cr_expect_eq(config.limits.sessions, 10);
	cr_expect_eq(config.limits.queued_per_session, 11);
	cr_expect_eq(config.limits.buffers_per_session, 12);
	cr_expect_eq(config.limits.buffer_bytes_per_session, UINT64_C(8589934592));
	cr_expect_eq(config.limits.bindings_per_session, 14);
	cr_expect_eq(config.limits.models_per_session, 15);
	cr_expect_eq(config.limits.models, 16);
	cr_expect_eq(config.limits.image_bytes, 1000000);
}

Test(config, broken_json_is_refused_with_its_line)
{
	refuses("{\n\"device\": \"soft\",\n\n}", ":4:", "");
	refuses("", ":1:", "");
	refuses("[]", "", "must be an object");
	refuses("{\"device\": \"soft\", \"device\": \"drm\"}", ":1:", "duplicate");
}

Test(config, unknown_keys_are_named_with_their_path)
{
	refuses("{\"sockett\": \"/x\"}", "sockett:", "no such key");
	refuses("{\"limits\": {\"session\": 1}}", "limits.session:", "no such key");
	refuses("{\"limits.sessions\": {}}", "limits.sessions:", "integer");
	refuses("{\"topology\": {\"limits\": {\"sessions\": 1}}}", "topology.limits:", "no such");
	refuses("{\"limi\": {}}", "limi:", "no such key");
	refuses("{\"\": 1}", ": ", "no such key");
}

Test(config, wrong_types_are_refused)
{
	refuses("{\"limits\": 3}", "limits:", "object");
	refuses("{\"limits\": {\"sessions\": \"3\"}}",
		"limits.sessions:", "integer from 1 to 4096");
	refuses("{\"limits\": {\"sessions\": 3.0}}", "limits.sessions:", "integer");
	refuses("{\"limits\": {\"sessions\": null}}", "limits.sessions:", "integer");
	refuses("{\"socket\": 1}", "socket:", "absolute path");
	refuses("{\"socket_mode\": 432}", "socket_mode:", "octal");
	refuses("{\"device\": [\"soft\"]}", "device:", "auto soft drm");
	refuses("{\"log_level\": true}", "log_level:", "error warning info debug");
}

Test(config, values_out_of_range_are_refused)
{
	refuses("{\"limits\": {\"sessions\": 0}}", "limits.sessions:", "1 to 4096");
	refuses("{\"limits\": {\"sessions\": -1}}", "limits.sessions:", "1 to 4096");
	refuses("{\"limits\": {\"sessions\": 4294967297}}", "limits.sessions:", "1 to 4096");
	refuses("{\"limits\": {\"sessions\": 99999999999999999999}}", ":1:", "");
	refuses("{\"socket\": \"relative\"}", "socket:", "absolute");
	refuses("{\"socket_mode\": \"0999\"}", "socket_mode:", "octal");
	refuses("{\"socket_mode\": \"07777\"}", "socket_mode:", "octal");
	refuses("{\"socket_mode\": \"\"}", "socket_mode:", "octal");
	refuses("{\"device\": \"aut\"}", "device:", "one of");
	refuses("{\"device\": \"soft drm\"}", "device:", "one of");
	refuses("{\"device\": \"\"}", "device:", "one of");
	refuses("{\"log_level\": \"loud\"}", "log_level:", "one of");
}

Test(config, a_path_longer_than_a_socket_address_is_refused)
{
	char text[300];

	snprintf(text, sizeof(text), "{\"socket\": \"/%0150d\"}", 0);
	refuses(text, "socket:", "at most 107 bytes");
}

Test(config, a_missing_file_says_so)
{
	reset();
	cr_assert_eq(config_load(&config, "/nonexistent/z.json", &report), -ENOENT);
	cr_assert(strstr(error.text, "/nonexistent/z.json"));
}

Test(config, an_endless_file_is_refused)
{
	reset();
	cr_assert_eq(config_load(&config, "/dev/zero", &report), -EFBIG);
}

Test(config, drop_ins_are_applied_in_alphabetical_order)
{
	char path[128];

	snprintf(path, sizeof(path), "%s.d", file);
	cr_assert_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s.d/20.json", file);
	write_file(path, "{\"limits\": {\"models\": 20}}");
	snprintf(path, sizeof(path), "%s.d/10.json", file);
	write_file(path, "{\"limits\": {\"models\": 10, \"sessions\": 10}}");
	snprintf(path, sizeof(path), "%s.d/30.json~", file);
	write_file(path, "nonsense");
	cr_assert_eq(load("{\"limits\": {\"models\": 1, \"sessions\": 1}}"), 0, "%s", error.text);
	cr_assert_eq(config.limits.models, 20);
	cr_assert_eq(config.limits.sessions, 10);

	snprintf(path, sizeof(path), "%s.d/30.json", file);
	write_file(path, "{\"oops\": 1}");
	cr_assert_eq(load("{}"), -EINVAL);
	cr_assert(strstr(error.text, "/30.json:1: oops:"), "%s", error.text);
}

static int read_with(const char *text, const char *key, const char *value)
{
	struct config_source source = {.file = file, .options[0] = {key, value}};

	write_file(file, text);
	reset();
	return config_read(&config, &source, &report);
}

Test(config, the_command_line_comes_last)
{
	cr_assert_eq(read_with("{\"log_level\": \"error\"}", "log_level", "debug"), 0);
	cr_assert_eq(config.log_level, LOG_LEVEL_DEBUG);
	cr_assert_eq(read_with("{\"log_level\": \"error\"}", "log_level", NULL), 0);
	cr_assert_eq(config.log_level, LOG_LEVEL_ERROR);
	cr_assert_eq(read_with("{}", "device", "gpu"), -EINVAL);
	cr_assert(strncmp(error.text, "device: ", 8) == 0, "%s", error.text);
	cr_assert_eq(read_with("{}", "device", "\xff"), -EINVAL);
	cr_assert(strncmp(error.text, "device: ", 8) == 0, "%s", error.text);
}

Test(config, a_configuration_that_is_refused_changes_nothing)
{
	cr_assert_eq(read_with("{\"limits\": {\"models\": 7}, \"oops\": 1}", "x", NULL), -EINVAL);
	cr_expect_eq(config.limits.models, 64);
}

Test(config, all_that_is_wrong_is_said_with_file_line_and_key)
{
	static const char *const where[] = {
		"z.json:2: oops: there is no such key",
		"z.json:4: limits.sessions: must be an integer from 1 to 4096",
		"z.json:5: limits.session: there is no such key",
		"z.json:8: watchdog.models.slow.flor_ms: is not one of",
		"z.json:10: log_level: must be one of",
		"z.json.d/1.json:3: device: must be one of",
	};
	char path[128];

	snprintf(path, sizeof(path), "%s.d", file);
	cr_assert_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s.d/1.json", file);
	write_file(path, "{\n\n \"device\": 7\n}");
	cr_assert_eq(load("{\n\"oops\": [1, {\"limits\": \"}\\\"\"}],\n\"limits\": {\n"
			  "  \"sessions\": 0,\n  \"session\": 1},\n"
			  "\"watchdog\": {\"models\": {\"slow\": {\n\"floor_ms\": 5,\n"
			  "\"flor_ms\": 5}}},\n\n\"log_level\": \"loud\"}"),
		     -EINVAL);
	cr_expect_eq(error.n, 6, "%s", error.text);
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++)
		cr_expect(strstr(error.text, where[i]), "%s is not in\n%s", where[i], error.text);
}

Test(config, what_makes_no_sense_together_is_blamed_on_a_line)
{
	refuses("{\n\"watchdog\":\n{\"floor_ms\": 5000,\n\"ceiling_ms\": 4000}}",
		":3: watchdog.floor_ms: ", "4000");
	refuses("{\n\"quarantine\": {\"first_ms\": 700000}}",
		":2: quarantine.first_ms: ", "600000");
	refuses("{\"scheduling\":\n{\"floors\":\n{\"normal\": 50,\n\"background\": 36}}}",
		":4: scheduling.floors.background: ", "91 percent");
	refuses("{\"watchdog\": {\n\"models\": {\"m\": {\"floor_ms\": 2, \"ceiling_ms\": 1}}}}",
		":2: watchdog.models: ", "of m");
}

Test(config, scheduling_reaches_its_members)
{
	cr_assert_eq(load("{\"scheduling\": {\"floors\": {\"interactive\": 10, \"normal\": 20,"
			  "\"background\": 0}, \"stack_us\": 7, \"collect_ms\": 8}}"),
		     0, "%s", error.text);
	cr_expect_eq(config.scheduling.floor_percent[ZY_CLASS_REALTIME], 0);
	cr_expect_eq(config.scheduling.floor_percent[ZY_CLASS_INTERACTIVE], 10);
	cr_expect_eq(config.scheduling.floor_percent[ZY_CLASS_NORMAL], 20);
	cr_expect_eq(config.scheduling.floor_percent[ZY_CLASS_BACKGROUND], 0);
	cr_expect_eq(config.scheduling.stack_us, 7);
	cr_expect_eq(config.scheduling.collect_ms, 8);
}

Test(config, metrics_reach_their_members)
{
	cr_assert_eq(load("{\"metrics\": {\"socket\": \"/tmp/m\", \"socket_mode\": \"0666\","
			  "\"port\": 9464}}"),
		     0, "%s", error.text);
	cr_expect_str_eq(config.metrics.socket, "/tmp/m");
	cr_expect_eq(config.metrics.socket_mode, 0666);
	cr_expect_eq(config.metrics.port, 9464);
	cr_assert_eq(load("{\"metrics\": {\"socket\": \"\", \"port\": 0}}"), 0);
	cr_expect_str_eq(config.metrics.socket, "");
	cr_assert_eq(load("{\"metrics\": {\"socket\": \"m\"}}"), 0);
	cr_expect_str_eq(config.metrics.socket, "m");
}

Test(config, metrics_that_make_no_sense_are_refused)
{
	char text[256];

	refuses("{\"metrics\": {\"socket\": \"a/b\"}}", "metrics.socket:", "absolute path");
	refuses("{\"metrics\": {\"socket\": false}}", "metrics.socket:", "must be a string");
	refuses("{\"metrics\": {\"port\": 65536}}", "metrics.port:", "0 to 65535");
	refuses("{\"metrics\": {\"socket_mode\": \"0999\"}}", "metrics.socket_mode:", "octal");
	snprintf(text, sizeof(text), "{\"metrics\": {\"socket\": \"%0108d\"}}", 0);
	refuses(text, "metrics.socket:", "too long: at most 107");
}

static const struct access_rule *rule(const char *name)
{
	char own[ACCESS_NAME_MAX];

	for (size_t i = 0; i < config.access.n; i++)
		if (strcmp(access_rule_name(&config.access.rules[i], own), name) == 0)
			return &config.access.rules[i];
	cr_assert(false, "there is no rule %s", name);
	return NULL;
}

Test(config, access_rules_reach_their_members)
{
	const struct access_rule *r;

	cr_assert_eq(
		load("{\"access\": {\"#\": 1,"
		     "\"slice:cameras.slice\": {\"allow\": [\"reserve\", \"load-native\"],"
		     "\"deny\": [\"admin\"], \"class\": \"normal\", \"cores\": [2, 63],"
		     "\"exclusive\": true, \"weight\": 200, \"queued\": 1, \"on_device\": 2,"
		     "\"buffers\": 3, \"models\": 4, \"device_bytes\": 8589934592,"
		     "\"share_percent\": 50, \"#why\": \"\"},"
		     "\"user:root\": {\"cores\": \"all\"}, \"user:1000\": {},"
		     "\"group:root\": {\"deny\": []}, \"unit:camera.service\": {\"queued\": 0},"
		     "\"default\": {\"deny\": [\"load\"]}}}"),
		0, "%s", error.text);
	cr_assert_eq(config.access.n, 6);
	r = rule("slice:cameras.slice");
	cr_expect_eq(r->allow, ACCESS_BIT(ACCESS_RESERVE) | ACCESS_BIT(ACCESS_LOAD_NATIVE));
	cr_expect_eq(r->deny, ACCESS_BIT(ACCESS_ADMIN));
	cr_expect_eq(r->has, (1u << ACCESS_FIELD_MAX_) - 1);
	cr_expect_eq(r->ceiling, ZY_CLASS_NORMAL);
	cr_expect_eq(r->cores, UINT64_C(1) << 63 | 4);
	cr_expect(r->exclusive);
	cr_expect_eq(r->limits.weight, 200);
	cr_expect_eq(r->limits.queued, 1);
	cr_expect_eq(r->limits.on_device, 2);
	cr_expect_eq(r->limits.buffers, 3);
	cr_expect_eq(r->limits.models, 4);
	cr_expect_eq(r->limits.device_bytes, UINT64_C(8589934592));
	cr_expect_eq(r->limits.share_percent, 50);
	cr_expect_eq(rule("user:root")->id, 0);
	cr_expect_eq(rule("user:root")->cores, UINT64_MAX);
	cr_expect_eq(rule("user:1000")->id, 1000);
	cr_expect_eq(rule("group:root")->kind, ACCESS_GROUP);
	cr_expect_eq(rule("unit:camera.service")->has, 1u << ACCESS_QUEUED);
	cr_expect_eq(rule("default")->deny, ACCESS_BIT(ACCESS_LOAD));
}

Test(config, access_rules_that_make_no_sense_are_refused)
{
#define RULE(principal, body) "{\"access\": {\n\"" principal "\": {\n" body "}}}"
	refuses("{\"access\": []}", ":1: access: ", "object");
	refuses("{\"access\": {\n\"default\": 1}}", ":2: access.default: ", "object");
	refuses(RULE("alice", ""), ":2: access.alice: ", "must be default, user:NAME");
	refuses(RULE("user:", ""), ":2: access.user:: ", "not a name");
	refuses(RULE("user:no such user", ""), ":2: access.user:no", "there is no user");
	refuses(RULE("group:no such group", ""), ":2: access.group:no", "there is no group");
	refuses(RULE("user:4294967295", ""), ":2: access.user:4", "no user has this number");
	refuses(RULE("user:99999999999999999999", ""), ":2: access.user:9", "no user has");
	refuses(RULE("slice:cameras", ""), ":2: access.slice:cameras: ", "name of a slice");
	refuses(RULE("slice:a--b.slice", ""), ":2: access.slice:", "name of a slice");
	refuses(RULE("unit:camera", ""), ":2: access.unit:camera: ", "camera.service");
	refuses(RULE("unit:/camera.service", ""), ":2: access.unit:/", "camera.service");
	refuses(RULE("default", "\"allow\": \"load\""), ":3: access.default.allow: ", "array");
	refuses(RULE("default", "\"deny\": [\"fly\"]"), ":3: access.default.deny: ", "load-native");
	refuses(RULE("default", "\"deny\": [1]"), ":3: access.default.deny: ", "load-native");
	refuses(RULE("default", "\"class\": \"urgent\""), ":3: access.default.class: ", "one of");
	refuses(RULE("default", "\"cores\": []"), ":3: access.default.cores: ", "array");
	refuses(RULE("default", "\"cores\": [64]"), ":3: access.default.cores: ", "0 to 63");
	refuses(RULE("default", "\"cores\": [-1]"), ":3: access.default.cores: ", "0 to 63");
	refuses(RULE("default", "\"cores\": {\"1\": 1}"), ":3: access.default.cores: ", "array");
	refuses(RULE("default", "\"weight\": 0"), ":3: access.default.weight: ", "1 to 10000");
	refuses(RULE("default", "\"share_percent\": 101"), ":3: access.default.share", "0 to 100");
	refuses(RULE("default", "\"exclusive\": 1"), ":3: access.default.exclusive: ", "true");
	refuses(RULE("default", "\"colour\": 1"), ":3: access.default.colour: ", "no such key");
	refuses(RULE("user:1", "\"exclusive\": true"), ":2: access.user:1: ", "list of cores");
	refuses(RULE("default", "\"exclusive\": true, \"cores\": [1]"),
		":2: access.default: ", "other than default");
	refuses(RULE("user:1", "\"allow\": [\"load\"], \"deny\": [\"load\"]"),
		":2: access.user:1: ", "allows and denies");
	refuses("{\"access\": {\n\"user:1\": {\"cores\": [1], \"exclusive\": true},\n"
		"\"user:2\": {\"cores\": [1, 2], \"exclusive\": true}}}",
		":3: access.user:2: ", "user:1 has already");
}

Test(config, a_drop_in_replaces_the_rule_of_a_principal_and_leaves_the_others)
{
	char path[128];

	snprintf(path, sizeof(path), "%s.d", file);
	cr_assert_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s.d/1.json", file);
	write_file(path, "{\"access\": {\"user:1\": {\"weight\": 7}}}");
	cr_assert_eq(load("{\"access\": {\"user:1\": {\"queued\": 1}, \"user:2\": {}}}"), 0);
	cr_assert_eq(config.access.n, 2);
	cr_expect_eq(rule("user:1")->has, 1u << ACCESS_WEIGHT);
}

static char changed[256];

static void on_changed(const char *key)
{
	strcat(changed, key);
	strcat(changed, " ");
}

Test(config, what_cannot_change_stays_and_is_named)
{
	struct config now;

	config_init(&now);
	cr_assert_eq(
		load("{\"socket\": \"/tmp/s\", \"socket_mode\": \"0600\", \"device\": \"soft\","
		     "\"topology\": {\"cores\": 4}, \"memory_bytes\": 67108864,"
		     "\"metrics\": {\"socket\": \"m\", \"port\": 1},"
		     "\"log_level\": \"debug\", \"limits\": {\"models\": 7}}"),
		0);
	config_keep_fixed(&config, &now, on_changed);
	cr_expect_str_eq(changed, "socket socket_mode device topology.cores memory_bytes "
				  "metrics.socket metrics.port ");
	cr_expect_str_eq(config.socket, now.socket);
	cr_expect_eq(config.socket_mode, now.socket_mode);
	cr_expect_str_eq(config.device, now.device);
	cr_expect_eq(config.soft.cores, 3);
	cr_expect_eq(config.soft.memory_bytes, now.soft.memory_bytes);
	cr_expect_eq(config.log_level, LOG_LEVEL_DEBUG);
	cr_expect_eq(config.limits.models, 7);
}

static void expect_same(const struct config *a, const struct config *b)
{
	cr_expect_str_eq(a->socket, b->socket);
	cr_expect_eq(a->socket_mode, b->socket_mode);
	cr_expect_str_eq(a->device, b->device);
	cr_expect_eq(a->log_level, b->log_level);
	cr_expect_eq(a->soft.partitions, b->soft.partitions);
	cr_expect_eq(a->soft.clusters, b->soft.clusters);
	cr_expect_eq(a->soft.cores, b->soft.cores);
	cr_expect_eq(a->soft.tecs, b->soft.tecs);
	cr_expect_eq(a->soft.memory_bytes, b->soft.memory_bytes);
	cr_expect_eq(a->limits.sessions, b->limits.sessions);
	cr_expect_eq(a->limits.queued_per_session, b->limits.queued_per_session);
	cr_expect_eq(a->limits.buffers_per_session, b->limits.buffers_per_session);
	cr_expect_eq(a->limits.buffer_bytes_per_session, b->limits.buffer_bytes_per_session);
	cr_expect_eq(a->limits.bindings_per_session, b->limits.bindings_per_session);
	cr_expect_eq(a->limits.models_per_session, b->limits.models_per_session);
	cr_expect_eq(a->limits.models, b->limits.models);
	cr_expect_eq(a->limits.image_bytes, b->limits.image_bytes);
	cr_expect_eq(a->watchdog.factor, b->watchdog.factor);
	cr_expect_eq(a->watchdog.floor_ms, b->watchdog.floor_ms);
	cr_expect_eq(a->watchdog.ceiling_ms, b->watchdog.ceiling_ms);
	cr_expect_eq(a->warm_up_ms, b->warm_up_ms);
	cr_expect_eq(a->n_model_watchdogs, b->n_model_watchdogs);
	cr_expect_eq(a->quarantine.strikes, b->quarantine.strikes);
	cr_expect_eq(a->quarantine.first_ms, b->quarantine.first_ms);
	cr_expect_eq(a->quarantine.longest_ms, b->quarantine.longest_ms);
	cr_expect_eq(a->quarantine.fade_ms, b->quarantine.fade_ms);
	for (int i = 0; i < ZY_CLASS_MAX_; i++)
		cr_expect_eq(a->scheduling.floor_percent[i], b->scheduling.floor_percent[i]);
	cr_expect_eq(a->scheduling.stack_us, b->scheduling.stack_us);
	cr_expect_eq(a->scheduling.collect_ms, b->scheduling.collect_ms);
	cr_expect_str_eq(a->metrics.socket, b->metrics.socket);
	cr_expect_eq(a->metrics.socket_mode, b->metrics.socket_mode);
	cr_expect_eq(a->metrics.port, b->metrics.port);
	cr_expect_eq(a->access.n, b->access.n);
}

/* Starting from nothing, so that it mentions every key, too. */
Test(config, the_example_says_the_defaults)
{
	struct config defaults;

	config_init(&defaults);
	config_finish(&config);
	memset(&config, 0, sizeof(config));
	cr_assert_eq(config_load(&config, "configs/zhouyid.json", &report), 0, "%s", error.text);
	expect_same(&config, &defaults);
}

Test(config, the_example_of_access_rules_is_valid)
{
	reset();
	cr_assert_eq(config_load(&config, "configs/examples/access.json", &report), 0, "%s",
		     error.text);
	cr_expect_eq(config.access.n, 3);
}

Test(config, models_may_have_watchdogs_of_their_own)
{
	cr_assert_eq(load("{\"watchdog\": {\"factor\": 4, \"floor_ms\": 20, \"ceiling_ms\": 3000,"
			  "\"warm_up_ms\": 0, \"models\": {\"#\": 1,"
			  "\"slow\": {\"ceiling_ms\": 60000, \"#why\": \"large\"}, \"fast\": {}}},"
			  "\"quarantine\": {\"strikes\": 0, \"first_ms\": 7}}"),
		     0, "%s", error.text);
	cr_expect_eq(config.watchdog.factor, 4);
	cr_expect_eq(config.watchdog.floor_ms, 20);
	cr_expect_eq(config.watchdog.ceiling_ms, 3000);
	cr_expect_eq(config.warm_up_ms, 0);
	cr_expect_eq(config.quarantine.strikes, 0);
	cr_expect_eq(config.quarantine.first_ms, 7);
	cr_assert_eq(config.n_model_watchdogs, 2);
	cr_expect_str_eq(config.model_watchdogs[0].model, "slow");
	cr_expect_eq(config.model_watchdogs[0].watchdog.ceiling_ms, 60000);
	cr_expect_eq(config.model_watchdogs[0].watchdog.floor_ms, 0, "as for all");
	cr_expect_str_eq(config.model_watchdogs[1].model, "fast");
}

Test(config, watchdogs_that_make_no_sense_are_refused)
{
	refuses("{\"watchdog\": {\"factor\": 1}}", "watchdog.factor", "2 to 1000");
	refuses("{\"watchdog\": {\"models\": []}}", "watchdog.models", "object");
	refuses("{\"watchdog\": {\"models\": {\"m\": 5}}}", "watchdog.models.m:", "object");
	refuses("{\"watchdog\": {\"models\": {\"m\": {\"flor_ms\": 5}}}}", "watchdog.models",
		"flor_ms");
	refuses("{\"watchdog\": {\"models\": {\"m\": {\"floor_ms\": 0}}}}", "watchdog.models",
		"must be an integer");
	refuses("{\"quarantine\": {\"strikes\": -1}}", "quarantine.strikes", "integer");
}

Test(config, what_is_shown_can_be_read_again)
{
	struct config first;
	char *text;

	cr_assert_eq(load("{\"socket_mode\": \"0600\", \"watchdog\": {\"models\": {\"a\": "
			  "{\"factor\": 3}}},"
			  "\"limits\": {\"buffer_bytes_per_session\": 8589934592},"
			  "\"access\": {\"user:7\": {\"allow\": [\"admin\"], \"deny\": [\"load\"],"
			  "\"cores\": [0, 2], \"exclusive\": true, \"class\": \"background\","
			  "\"device_bytes\": 8589934592, \"weight\": 3}}}"),
		     0, "%s", error.text);
	first = config;
	config.access = (struct access_rules){0};
	text = config_dump(&first);
	cr_assert_not_null(text);
	write_file(file, text);
	memset(&config, 0, sizeof(config));
	cr_assert_eq(config_load(&config, file, &report), 0, "%s", error.text);
	expect_same(&config, &first);
	cr_expect_str_eq(config.model_watchdogs[0].model, "a");
	cr_expect_eq(config.model_watchdogs[0].watchdog.factor, 3);
	cr_assert_eq(config.access.n, 1);
	cr_expect_eq(memcmp(config.access.rules, first.access.rules, sizeof(struct access_rule)),
		     0);
	config_finish(&first);
	free(text);
}
