/* SPDX-License-Identifier: Apache-2.0 */
/* Who the daemon takes a client for, as it says and as the library tells it. */
#include <criterion/criterion.h>
#include <string.h>

#include "fake_daemon.h"
#include "zhouyi-client.h"

static struct fake fake;
static struct zhouyi_client *client;

static void begin(void (*script)(int socket))
{
	fake_start(&fake, script);
	client = fake_client(&fake);
}

static void end(void)
{
	zhouyi_client_close(client);
	fake_stop(&fake);
}

static void reply(int socket, const Zy__Request *request, Zy__Access *access)
{
	Zy__Response response = ZY__RESPONSE__INIT;

	response.serial = request->serial;
	response.body_case = ZY__RESPONSE__BODY_ACCESS;
	response.access = access;
	fake_reply(socket, &response, -1);
}

/*
 * Whoami
 */

static void fill_identity(Zy__Identity *who)
{
	static uint32_t groups[] = {7, 8};

	who->has_uid = true;
	who->uid = 1000;
	who->has_gid = true;
	who->gid = 1001;
	who->n_groups = 2;
	who->groups = groups;
	who->pid = 4321;
	who->placed = true;
	who->unit = (char *)"camera.service";
	who->slice = (char *)"cameras.slice";
	who->user_unit = (char *)"app.service";
	who->cgroup = (char *)"/cameras.slice/camera.service";
	who->label = (char *)"label";
}

static void fill_limits(Zy__Account *limits)
{
	limits->principal = (char *)"slice:cameras.slice";
	limits->weight = 300;
	limits->max_queued = 1;
	limits->max_running = 2;
	limits->max_device_bytes = UINT64_C(1) << 40;
	limits->max_buffers = 4;
	limits->max_models = 5;
	limits->share_percent = 6;
}

static void knows(int socket)
{
	Zy__Right load = ZY__RIGHT__INIT, admin = ZY__RIGHT__INIT, *rights[] = {&load, &admin};
	char *rules[] = {(char *)"default", (char *)"slice:cameras.slice"};
	Zy__Identity who = ZY__IDENTITY__INIT;
	Zy__Account limits = ZY__ACCOUNT__INIT;
	Zy__Access access = ZY__ACCESS__INIT;

	fake_hello(socket);
	fill_identity(&who);
	fill_limits(&limits);
	load.name = (char *)"load";
	load.allowed = true;
	admin.name = (char *)"admin";
	access.identity = &who;
	access.limits = &limits;
	access.n_rules = 2;
	access.rules = rules;
	access.n_rights = 2;
	access.rights = rights;
	access.class_ceiling = ZY_CLASS_NORMAL;
	access.cores = 0x6;
	reply(socket, fake_expect(socket, ZY__REQUEST__BODY_WHOAMI, 0, NULL), &access);
	fake_wait_end(socket);
}

static void check_identity(const struct zhouyi_access *a)
{
	cr_expect(a->has_uid && a->has_gid && a->placed);
	cr_expect_eq(a->uid, 1000);
	cr_expect_eq(a->gid, 1001);
	cr_assert_eq(a->n_groups, 2);
	cr_expect_eq(a->groups[0], 7);
	cr_expect_eq(a->groups[1], 8);
	cr_expect_eq(a->pid, 4321);
	cr_expect_str_eq(a->unit, "camera.service");
	cr_expect_str_eq(a->slice, "cameras.slice");
	cr_expect_str_eq(a->user_unit, "app.service");
	cr_expect_str_eq(a->cgroup, "/cameras.slice/camera.service");
	cr_expect_str_eq(a->label, "label");
}

static void check_limits(const struct zhouyi_access *a)
{
	cr_expect_str_eq(a->principal, "slice:cameras.slice");
	cr_expect_eq(a->weight, 300);
	cr_expect_eq(a->max_queued, 1);
	cr_expect_eq(a->max_running, 2);
	cr_expect_eq(a->max_device_bytes, UINT64_C(1) << 40);
	cr_expect_eq(a->max_buffers, 4);
	cr_expect_eq(a->max_models, 5);
	cr_expect_eq(a->share_percent, 6);
}

Test(access, whoami_is_what_the_daemon_says)
{
	struct zhouyi_access *access;

	begin(knows);
	cr_assert_eq(zhouyi_whoami(client, &access), 0);
	/* It stays when everything it came from is gone. */
	end();
	check_identity(access);
	check_limits(access);
	cr_assert_eq(access->n_rules, 2);
	cr_expect_str_eq(access->rules[0], "default");
	cr_expect_str_eq(access->rules[1], "slice:cameras.slice");
	cr_assert_eq(access->n_rights, 2);
	cr_expect_str_eq(access->rights[0].name, "load");
	cr_expect(access->rights[0].allowed);
	cr_expect_str_eq(access->rights[1].name, "admin");
	cr_expect_not(access->rights[1].allowed);
	cr_expect_eq(access->class_ceiling, ZHOUYI_CLASS_NORMAL);
	cr_expect_eq(access->cores, 0x6);
	cr_expect_not(access->unplaced);
	zhouyi_free(access);
}

/* Nothing is known, and a class that this library never heard of is none of the urgent ones. */
static void knows_nothing(int socket)
{
	Zy__Identity who = ZY__IDENTITY__INIT;
	Zy__Account limits = ZY__ACCOUNT__INIT;
	Zy__Access access = ZY__ACCESS__INIT;

	fake_hello(socket);
	access.identity = &who;
	access.limits = &limits;
	access.class_ceiling = 99;
	access.unplaced = true;
	reply(socket, fake_expect(socket, ZY__REQUEST__BODY_WHOAMI, 0, NULL), &access);
	fake_wait_end(socket);
}

Test(access, what_is_not_known_is_empty)
{
	struct zhouyi_access *access;

	begin(knows_nothing);
	cr_assert_eq(zhouyi_whoami(client, &access), 0);
	cr_expect(!access->has_uid && !access->has_gid && !access->placed && access->unplaced);
	cr_expect_eq(access->n_groups + access->n_rules + access->n_rights, 0);
	cr_expect_str_eq(access->unit, "");
	cr_expect_str_eq(access->principal, "");
	cr_expect_eq(access->class_ceiling, ZHOUYI_CLASS_BACKGROUND);
	zhouyi_free(access);
	end();
}

static void half_an_answer(int socket)
{
	Zy__Account limits = ZY__ACCOUNT__INIT;
	Zy__Identity who = ZY__IDENTITY__INIT;
	Zy__Access access = ZY__ACCESS__INIT;

	fake_hello(socket);
	access.limits = &limits;
	reply(socket, fake_expect(socket, ZY__REQUEST__BODY_WHOAMI, 0, NULL), &access);
	access.limits = NULL;
	access.identity = &who;
	reply(socket, fake_expect(socket, ZY__REQUEST__BODY_WHOAMI, 0, NULL), &access);
	fake_wait_end(socket);
}

Test(access, an_answer_that_lacks_a_part_is_refused)
{
	struct zhouyi_access *access = NULL;

	begin(half_an_answer);
	cr_expect_eq(zhouyi_whoami(client, &access), -ZHOUYI_ERROR_PROTOCOL, "no identity");
	cr_expect_eq(zhouyi_whoami(client, &access), -ZHOUYI_ERROR_PROTOCOL, "no limits");
	cr_expect_null(access);
	end();
}

/*
 * Somebody else
 */

static void is_asked(int socket)
{
	Zy__Identity who = ZY__IDENTITY__INIT;
	Zy__Account limits = ZY__ACCOUNT__INIT;
	Zy__Access access = ZY__ACCESS__INIT;
	const Zy__TestAccess *about;
	Zy__Request *request;

	fake_hello(socket);
	access.identity = &who;
	access.limits = &limits;
	request = fake_expect(socket, ZY__REQUEST__BODY_TEST_ACCESS, 0, NULL);
	about = request->test_access;
	FAKE_CHECK(about->has_uid && about->uid == 12);
	FAKE_CHECK(about->n_groups == 2 && about->groups[0] == 3 && about->groups[1] == 4);
	FAKE_CHECK(strcmp(about->unit, "a.service") == 0);
	FAKE_CHECK(strcmp(about->slice, "b.slice") == 0);
	reply(socket, request, &access);
	request = fake_expect(socket, ZY__REQUEST__BODY_TEST_ACCESS, 0, NULL);
	about = request->test_access;
	FAKE_CHECK(!about->has_uid && !about->n_groups && !about->unit[0] && !about->slice[0]);
	fake_ack(socket, request, ZY_DENIED, "ask somebody else");
	fake_wait_end(socket);
}

Test(access, somebody_imagined_is_described_and_a_refusal_passed_on)
{
	static const unsigned int groups[] = {3, 4};
	struct zhouyi_principal somebody = {
		.has_uid = true,
		.uid = 12,
		.n_groups = 2,
		.groups = groups,
		.unit = "a.service",
		.slice = "b.slice",
	};
	struct zhouyi_access *access;

	begin(is_asked);
	cr_assert_eq(zhouyi_access_test(client, &somebody, &access), 0);
	zhouyi_free(access);
	somebody = (struct zhouyi_principal){.unit = NULL};
	cr_expect_eq(zhouyi_access_test(client, &somebody, &access), -ZHOUYI_ERROR_DENIED);
	cr_expect(strstr(zhouyi_client_error(client), "ask somebody else"), "%s",
		  zhouyi_client_error(client));
	end();
}

/*
 * An old daemon
 */

static void old_daemon(int socket)
{
	Zy__Request *request = fake_expect(socket, ZY__REQUEST__BODY_HELLO, 0, NULL);
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Welcome welcome = ZY__WELCOME__INIT;

	welcome.version = ZY_PROTOCOL_VERSION;
	welcome.features = request->hello->features & ~(uint64_t)ZY_FEATURE_ACCESS;
	response.serial = request->serial;
	response.body_case = ZY__RESPONSE__BODY_WELCOME;
	response.welcome = &welcome;
	fake_reply(socket, &response, -1);
	fake_wait_end(socket);
}

Test(access, an_old_daemon_is_not_asked)
{
	struct zhouyi_principal nobody = {.unit = NULL};

	begin(old_daemon);
	cr_expect_eq(zhouyi_whoami(client, NULL), -ZHOUYI_ERROR_NOT_SUPPORTED);
	cr_expect(strstr(zhouyi_client_error(client), "older"), "%s", zhouyi_client_error(client));
	cr_expect_eq(zhouyi_access_test(client, &nobody, NULL), -ZHOUYI_ERROR_NOT_SUPPORTED);
	end();
}
