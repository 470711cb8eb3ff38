/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "fake_daemon.h"
#include "zhouyi-observe.h"

static struct fake fake;
static struct zhouyi_client *client;

static void tell(int socket, Zy__Activity *activity)
{
	Zy__Response response = ZY__RESPONSE__INIT;

	response.serial = fake_expect(socket, ZY__REQUEST__BODY_GET_ACTIVITY, 0, NULL)->serial;
	response.body_case = ZY__RESPONSE__BODY_ACTIVITY;
	response.activity = activity;
	fake_reply(socket, &response, -1);
}

static void tell_all(int socket)
{
	Zy__Activity a = ZY__ACTIVITY__INIT;
	Zy__ActivityCore core = ZY__ACTIVITY_CORE__INIT;
	Zy__ActivityClass class = ZY__ACTIVITY_CLASS__INIT, strange = ZY__ACTIVITY_CLASS__INIT;
	Zy__ActivityClient one = ZY__ACTIVITY_CLIENT__INIT, others = ZY__ACTIVITY_CLIENT__INIT;
	Zy__ActivityModel model = ZY__ACTIVITY_MODEL__INIT;

	core.core = 5;
	core.healthy = true;
	core.running = 6;
	core.device_time = UINT64_C(1) << 50;
	class.class_ = ZY_CLASS_NORMAL;
	class.queued = 7;
	class.running = 8;
	class.device_time = 9;
	class.answered = 10;
	class.live_time = 27;
	strange.class_ = 77;
	one.session = 11;
	one.clients = 1;
	one.name = (char *)"camera";
	one.pid = 12;
	one.uid = 13;
	one.principal = (char *)"slice:cameras.slice";
	one.queued = 14;
	one.running = 15;
	one.device_time = 16;
	one.answered = 17;
	one.failed = 18;
	one.live_time = 28;
	others.clients = 300;
	model.models = 1;
	model.name = (char *)"glyphs";
	model.hash = (char *)"0123456789abcdef";
	model.users = 19;
	model.requests = 20;
	model.device_time = 21;
	model.estimate = 22;
	model.live_time = 29;
	a.now = 1;
	a.uptime = 2;
	a.health = (char *)"degraded";
	a.n_reasons = 2;
	a.reasons = (char *[]){(char *)"why", (char *)""};
	a.queued = 3;
	a.running = 4;
	a.answered = 23;
	a.failed = 24;
	a.memory_bytes = 25;
	a.memory_used = 26;
	a.n_cores = 1;
	a.cores = (Zy__ActivityCore *[]){&core};
	a.n_classes = 2;
	a.classes = (Zy__ActivityClass *[]){&class, &strange};
	a.n_clients = 2;
	a.clients = (Zy__ActivityClient *[]){&one, &others};
	a.n_models = 1;
	a.models = (Zy__ActivityModel *[]){&model};
	fake_hello(socket);
	tell(socket, &a);
	fake_wait_end(socket);
}

Test(activity, it_is_what_the_daemon_tells)
{
	struct zhouyi_activity *a;

	fake_start(&fake, tell_all);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_activity_get(client, &a), 0);
	zhouyi_client_close(client);
	cr_expect_eq(a->now_ns, 1);
	cr_expect_eq(a->uptime_ns, 2);
	cr_expect_str_eq(a->health, "degraded");
	cr_assert_eq(a->n_reasons, 2);
	cr_expect_str_eq(a->reasons[0], "why");
	cr_expect_str_eq(a->reasons[1], "");
	cr_expect(a->queued == 3 && a->running == 4 && a->answered == 23 && a->failed == 24);
	cr_expect(a->memory_bytes == 25 && a->memory_used == 26);
	cr_assert(a->n_cores == 1 && a->n_classes == 2 && a->n_clients == 2 && a->n_models == 1);
	cr_expect(a->cores[0].core == 5 && a->cores[0].healthy && a->cores[0].running == 6);
	cr_expect_eq(a->cores[0].device_ns, UINT64_C(1) << 50);
	cr_expect_eq(a->classes[0].request_class, ZHOUYI_CLASS_NORMAL);
	cr_expect(a->classes[0].queued == 7 && a->classes[0].running == 8);
	cr_expect(a->classes[0].device_ns == 9 && a->classes[0].answered == 10);
	cr_expect_not_null(zhouyi_class_name(a->classes[1].request_class), "a class of the future");
	cr_expect(a->clients[0].session == 11 && a->clients[0].clients == 1);
	cr_expect_str_eq(a->clients[0].name, "camera");
	cr_expect(a->clients[0].pid == 12 && a->clients[0].uid == 13);
	cr_expect_str_eq(a->clients[0].principal, "slice:cameras.slice");
	cr_expect(a->clients[0].queued == 14 && a->clients[0].running == 15);
	cr_expect(a->clients[0].device_ns == 16 && a->clients[0].answered == 17);
	cr_expect_eq(a->clients[0].failed, 18);
	cr_expect(a->clients[1].session == 0 && a->clients[1].clients == 300);
	cr_expect_str_eq(a->clients[1].name, "");
	cr_expect(a->models[0].models == 1 && a->models[0].users == 19);
	cr_expect_str_eq(a->models[0].name, "glyphs");
	cr_expect_str_eq(a->models[0].hash, "0123456789abcdef");
	cr_expect(a->models[0].requests == 20 && a->models[0].device_ns == 21);
	cr_expect_eq(a->models[0].estimate_ns, 22);
	cr_expect(a->classes[0].live_ns == 27 && a->clients[0].live_ns == 28);
	cr_expect_eq(a->models[0].live_ns, 29);
	zhouyi_free(a);
	fake_stop(&fake);
}

static void tell_nothing(int socket)
{
	Zy__Activity nothing = ZY__ACTIVITY__INIT;

	fake_hello(socket);
	tell(socket, &nothing);
	fake_wait_end(socket);
}

Test(activity, a_daemon_that_tells_nothing_is_believed)
{
	struct zhouyi_activity *a;

	fake_start(&fake, tell_nothing);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_activity_get(client, &a), 0);
	cr_expect_str_eq(a->health, "");
	cr_expect(a->n_cores == 0 && a->n_classes == 0 && a->n_clients == 0 && a->n_models == 0);
	zhouyi_free(a);
	zhouyi_client_close(client);
	fake_stop(&fake);
}

static void refuse(int socket)
{
	fake_hello(socket);
	fake_ack(socket, fake_expect(socket, ZY__REQUEST__BODY_GET_ACTIVITY, 0, NULL), ZY_BUSY,
		 "try again");
	fake_wait_end(socket);
}

Test(activity, who_asks_too_often_is_told)
{
	struct zhouyi_activity *a = NULL;

	fake_start(&fake, refuse);
	client = fake_client(&fake);
	cr_expect_eq(zhouyi_activity_get(client, &a), -ZHOUYI_ERROR_BUSY);
	cr_expect_null(a);
	zhouyi_client_close(client);
	fake_stop(&fake);
}

static void old_daemon(int socket)
{
	Zy__Request *request = fake_expect(socket, ZY__REQUEST__BODY_HELLO, 0, NULL);
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Welcome welcome = ZY__WELCOME__INIT;

	welcome.version = ZY_PROTOCOL_VERSION;
	response.serial = request->serial;
	response.body_case = ZY__RESPONSE__BODY_WELCOME;
	response.welcome = &welcome;
	fake_reply(socket, &response, -1);
	fake_wait_end(socket);
}

Test(activity, an_old_daemon_is_not_asked)
{
	struct zhouyi_activity *a = NULL;

	fake_start(&fake, old_daemon);
	client = fake_client(&fake);
	cr_expect_eq(zhouyi_activity_get(client, &a), -ZHOUYI_ERROR_NOT_SUPPORTED);
	zhouyi_client_close(client);
	fake_stop(&fake);
}
