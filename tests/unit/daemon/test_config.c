/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config.h"

static char directory[] = "/tmp/zhouyi-config.XXXXXX";
static char file[64];
static struct config config;
static struct config_error error;

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static int load(const char *text)
{
	write_file(file, text);
	config_init(&config);
	error.text[0] = '\0';
	return config_load(&config, file, &error);
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
	config_init(&config);
	cr_assert_eq(config_load(&config, "/nonexistent/z.json", &error), -ENOENT);
	cr_assert(strstr(error.text, "/nonexistent/z.json"));
}

Test(config, an_endless_file_is_refused)
{
	config_init(&config);
	cr_assert_eq(config_load(&config, "/dev/zero", &error), -EFBIG);
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
	cr_assert(strstr(error.text, "/30.json: oops:"), "%s", error.text);
}

Test(config, the_command_line_sets_single_values)
{
	config_init(&config);
	cr_assert_eq(config_set(&config, "log_level", "debug", &error), 0);
	cr_assert_eq(config.log_level, LOG_LEVEL_DEBUG);
	cr_assert_eq(config_set(&config, "device", "gpu", &error), -EINVAL);
	cr_assert(strstr(error.text, "device:"), "%s", error.text);
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
}

/* Starting from nothing, so that it mentions every key, too. */
Test(config, the_example_says_the_defaults)
{
	struct config defaults;

	config_init(&defaults);
	memset(&config, 0, sizeof(config));
	cr_assert_eq(config_load(&config, "configs/zhouyid.json", &error), 0, "%s", error.text);
	expect_same(&config, &defaults);
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
	refuses("{\"watchdog\": {\"models\": {\"m\": 5}}}", "watchdog.models", "'m'");
	refuses("{\"watchdog\": {\"models\": {\"m\": {\"flor_ms\": 5}}}}", "watchdog.models",
		"flor_ms");
	refuses("{\"watchdog\": {\"models\": {\"m\": {\"floor_ms\": 0}}}}", "watchdog.models",
		"floor_ms must be");
	refuses("{\"quarantine\": {\"strikes\": -1}}", "quarantine.strikes", "integer");
}
