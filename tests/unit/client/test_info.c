/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "fake_daemon.h"
#include "zhouyi-client.h"

static struct fake fake;
static struct zhouyi_client *client;

static void tell_status(int socket)
{
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Status status = ZY__STATUS__INIT;

	fake_hello(socket);
	status.version = (char *)"1.2.3";
	status.health = (char *)"draining";
	status.n_reasons = 2;
	status.reasons = (char *[]){(char *)"one is enough", (char *)""};
	status.uptime_ns = UINT64_C(1) << 40;
	status.sessions = 1;
	status.models = 2;
	status.queued = 3;
	status.running = 4;
	status.accepted = 5;
	status.answered = 6;
	status.succeeded = 7;
	status.faulted = 8;
	status.cancelled = 9;
	status.copied_bytes = 10;
	response.serial = fake_expect(socket, ZY__REQUEST__BODY_GET_STATUS, 0, NULL)->serial;
	response.body_case = ZY__RESPONSE__BODY_DAEMON;
	response.daemon = &status;
	fake_reply(socket, &response, -1);
	fake_wait_end(socket);
}

Test(info, status_is_what_the_daemon_tells)
{
	struct zhouyi_status *status;

	fake_start(&fake, tell_status);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_status_get(client, &status), 0);
	zhouyi_client_close(client);
	cr_assert_str_eq(status->version, "1.2.3");
	cr_assert_str_eq(status->health, "draining");
	cr_assert_eq(status->n_reasons, 2);
	cr_assert_str_eq(status->reasons[0], "one is enough");
	cr_assert_str_eq(status->reasons[1], "");
	cr_assert_eq(status->uptime_ns, UINT64_C(1) << 40);
	cr_assert_eq(status->sessions, 1);
	cr_assert_eq(status->models, 2);
	cr_assert_eq(status->queued, 3);
	cr_assert_eq(status->running, 4);
	cr_assert_eq(status->accepted, 5);
	cr_assert_eq(status->answered, 6);
	cr_assert_eq(status->succeeded, 7);
	cr_assert_eq(status->faulted, 8);
	cr_assert_eq(status->cancelled, 9);
	cr_assert_eq(status->copied_bytes, 10);
	zhouyi_free(status);
	fake_stop(&fake);
}

static void tell_device(int socket)
{
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Device device = ZY__DEVICE__INIT;
	Zy__Counter done = ZY__COUNTER__INIT, faults = ZY__COUNTER__INIT;
	Zy__Counter *counters[] = {&done, &faults};

	fake_hello(socket);
	done.name = (char *)"jobs done";
	done.value = 100;
	faults.name = (char *)"faults";
	faults.value = 1;
	device.backend = (char *)"soft";
	device.reason = (char *)"no /dev/accel";
	device.target = (char *)"soft_X2_1204";
	device.placement = (char *)"exact";
	device.partitions = 1;
	device.clusters = 2;
	device.cores = 3;
	device.tecs = 4;
	device.memory_bytes = UINT64_C(5) << 32;
	device.memory_used = 6;
	device.n_counters = 2;
	device.counters = counters;
	response.serial = fake_expect(socket, ZY__REQUEST__BODY_GET_DEVICE, 0, NULL)->serial;
	response.body_case = ZY__RESPONSE__BODY_DEVICE;
	response.device = &device;
	fake_reply(socket, &response, -1);
	fake_wait_end(socket);
}

Test(info, device_comes_with_its_counters)
{
	struct zhouyi_device *device;

	fake_start(&fake, tell_device);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_device_get(client, &device), 0);
	zhouyi_client_close(client);
	cr_assert_str_eq(device->backend, "soft");
	cr_assert_str_eq(device->reason, "no /dev/accel");
	cr_assert_str_eq(device->target, "soft_X2_1204");
	cr_assert_str_eq(device->placement, "exact");
	cr_assert_eq(device->partitions, 1);
	cr_assert_eq(device->clusters, 2);
	cr_assert_eq(device->cores, 3);
	cr_assert_eq(device->tecs, 4);
	cr_assert_eq(device->memory_bytes, UINT64_C(5) << 32);
	cr_assert_eq(device->memory_used, 6);
	cr_assert_eq(device->n_counters, 2);
	cr_assert_str_eq(device->counters[0].name, "jobs done");
	cr_assert_eq(device->counters[0].value, 100);
	cr_assert_str_eq(device->counters[1].name, "faults");
	cr_assert_eq(device->counters[1].value, 1);
	zhouyi_free(device);
	fake_stop(&fake);
}

static void tell_models(int socket)
{
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__ModelList list = ZY__MODEL_LIST__INIT;
	Zy__ModelSummary a = ZY__MODEL_SUMMARY__INIT, b = ZY__MODEL_SUMMARY__INIT;
	Zy__ModelSummary *models[] = {&a, &b};

	fake_hello(socket);
	response.serial = fake_expect(socket, ZY__REQUEST__BODY_LIST_MODELS, 0, NULL)->serial;
	response.body_case = ZY__RESPONSE__BODY_MODELS;
	response.models = &list;
	fake_reply(socket, &response, -1);

	a.name = (char *)"face";
	a.hash = (char *)"0123";
	a.target = (char *)"X2_1204";
	a.kept = 1;
	a.users = 2;
	a.slots = 3;
	a.device_bytes = 4;
	a.requests = 5;
	b.name = (char *)"";
	list.n_models = 2;
	list.models = models;
	response.serial = fake_expect(socket, ZY__REQUEST__BODY_LIST_MODELS, 0, NULL)->serial;
	fake_reply(socket, &response, -1);
	fake_wait_end(socket);
}

Test(info, models_are_listed)
{
	struct zhouyi_model_list *list;

	fake_start(&fake, tell_models);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_model_list_get(client, &list), 0);
	cr_assert_eq(list->n, 0);
	zhouyi_free(list);
	cr_assert_eq(zhouyi_model_list_get(client, &list), 0);
	zhouyi_client_close(client);
	cr_assert_eq(list->n, 2);
	cr_assert_str_eq(list->models[0].name, "face");
	cr_assert_str_eq(list->models[0].hash, "0123");
	cr_assert_str_eq(list->models[0].target, "X2_1204");
	cr_assert(list->models[0].kept);
	cr_assert_eq(list->models[0].users, 2);
	cr_assert_eq(list->models[0].slots, 3);
	cr_assert_eq(list->models[0].device_bytes, 4);
	cr_assert_eq(list->models[0].requests, 5);
	cr_assert_str_eq(list->models[1].name, "");
	cr_assert_not(list->models[1].kept);
	zhouyi_free(list);
	fake_stop(&fake);
}

Test(info, the_library_knows_its_version)
{
	cr_assert_str_eq(zhouyi_version(), ZHOUYI_VERSION);
}
