/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Principals times operations, every cell: who has which rights, class ceiling and
 * cores is known from a number, and what should come of it from two tables that
 * know nothing of the daemon's.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/request.h"
#include "daemon/scheduler.h"
#include "tests/unit/daemon/front.h"

#define N_RIGHTS 5u
#define N_SUBSETS (1u << N_RIGHTS)
#define N_BYTES 64u

static const char *const right_names[N_RIGHTS] = {"load", "load-native", "infer", "reserve",
						  "admin"};

/* What each message of the protocol takes; NULL: everybody may. */
static const struct {
	const char *message, *right;
} needs[] = {
	{"load_model", "load"},
	{"open_model", "infer"},
	{"close_model", NULL},
	{"unload_model", "load"},
	{"list_models", NULL},
	{"create_buffer", "infer"},
	{"destroy_buffer", NULL},
	{"create_binding", "infer"},
	{"destroy_binding", NULL},
	{"cancel", NULL},
	{"get_status", NULL},
	{"get_device", NULL},
	{"reserve", "reserve"},
	{"release", NULL},
	{"create_stream", "infer"},
	{"destroy_stream", NULL},
	{"get_stream", NULL},
	{"explain", NULL},
	{"get_plan", NULL},
	{"get_trace", NULL},
	{"get_accounts", NULL},
	{"get_activity", NULL},
	{"whoami", NULL},
	/* An empty one is about nobody, and so about somebody else. */
	{"test_access", "admin"},
};

#define N_NEEDS (sizeof(needs) / sizeof(needs[0]))

static struct front front;
static struct access_rule rule;

static void setup(void)
{
	front_init(&front);
	rule = (struct access_rule){
		.kind = ACCESS_USER,
		.name = "somebody",
		.id = 12345,
		.has = 1u << ACCESS_CLASS | 1u << ACCESS_CORES,
		.cores = UINT64_MAX,
	};
}

static void teardown(void)
{
	front_finish(&front);
}

TestSuite(access_matrix, .init = setup, .fini = teardown, .timeout = 120);

/* From now on this client is somebody to whom exactly @rule applies. */
static void become(struct session *session)
{
	access_rules_finish(&front.config.access);
	cr_assert_eq(access_rules_put(&front.config.access, &rule), 0);
	session->identity->uid = rule.id;
	session->identity->has_uid = true;
	session->identity->place.is_known = true;
	session_group_refresh(&front.group);
}

static void grant(struct session *session, unsigned int rights)
{
	rule.allow = rule.deny = 0;
	for (unsigned int i = 0; i < N_RIGHTS; i++) {
		unsigned int bit = ACCESS_BIT((unsigned int)access_right_find(right_names[i]));

		*(rights >> i & 1 ? &rule.allow : &rule.deny) |= bit;
	}
	become(session);
}

static bool has(unsigned int rights, const char *name)
{
	for (unsigned int i = 0; i < N_RIGHTS; i++)
		if (strcmp(name, right_names[i]) == 0)
			return rights >> i & 1;
	cr_assert(false, "there is no right %s", name);
	return false;
}

/* A message of this kind with nothing in it. Returns its status. */
static int send_empty(int client, const ProtobufCFieldDescriptor *field)
{
	const ProtobufCMessageDescriptor *kind = field->descriptor;
	const struct request_op *op = request_op_find(field->id);
	ProtobufCMessage *message = calloc(1, kind->sizeof_message);
	Zy__Request request = ZY__REQUEST__INIT;
	int status, fd = op->n_fds ? front_image(N_BYTES, 0, 0) : -1;

	protobuf_c_message_init(kind, message);
	request.body_case = (Zy__Request__BodyCase)field->id;
	*(ProtobufCMessage **)((char *)&request + field->offset) = message;
	status = front_call(&front, client, &request, fd, NULL);
	if (fd >= 0)
		close(fd);
	free(message);
	return status;
}

static void check_messages(int client, unsigned int rights)
{
	const ProtobufCMessageDescriptor *all = &zy__request__descriptor;

	for (size_t i = 0; i < N_NEEDS; i++) {
		bool may = !needs[i].right || has(rights, needs[i].right);
		int status = send_empty(client, protobuf_c_message_descriptor_get_field_by_name(
							all, needs[i].message));

		cr_expect_eq(status != ZY_DENIED, may, "rights %#x, %s: status %d", rights,
			     needs[i].message, status);
	}
}

Test(access_matrix, each_message_is_refused_to_those_without_its_right_and_to_nobody_else)
{
	int client = front_client(&front);
	struct session *session = front_session(&front);

	for (unsigned int rights = 0; rights < N_SUBSETS; rights++) {
		grant(session, rights);
		check_messages(client, rights);
	}
	close(client);
}

Test(access_matrix, every_message_of_the_protocol_is_in_it)
{
	const ProtobufCMessageDescriptor *all = &zy__request__descriptor;

	for (unsigned int i = 0; i < all->n_fields; i++) {
		const char *name = all->fields[i].name;
		bool found = strcmp(name, "serial") == 0 || strcmp(name, "hello") == 0;

		for (size_t k = 0; k < N_NEEDS; k++)
			found |= strcmp(name, needs[k].message) == 0;
		cr_expect(found, "%s is missing", name);
	}
}

/* Submissions: rights, ceilings and cores that are granted, classes and cores that are asked for.
 */
static struct zy_complete submit(int client, uint32_t binding, uint32_t class, uint64_t cores)
{
	static uint64_t cookie;
	struct zy_submit entry = {
		.type = ZY_PACKET_SUBMIT,
		.binding = binding,
		.cookie = ++cookie,
		.class = class,
		.core_mask = cores,
	};
	struct front_packet packet;

	cr_assert_eq(front_send(client, &entry, sizeof(entry), NULL, 0), 0);
	front_receive(&front, client, &packet);
	cr_assert_eq(packet.size, (ssize_t)sizeof(packet.complete));
	cr_assert_eq(packet.complete.cookie, cookie);
	return packet.complete;
}

static void check_submit(int client, uint32_t binding, bool may, uint32_t class, uint64_t asked)
{
	uint64_t wanted = asked ? asked : 0x7, allowed = wanted & rule.cores;
	struct zy_complete answer = submit(client, binding, class, asked);

	may = may && class >= rule.ceiling && allowed;
	cr_expect_eq(answer.status, may ? ZY_OK : ZY_DENIED,
		     "ceiling %d, cores %#" PRIx64 ": class %u, mask %#" PRIx64 ": status %d",
		     rule.ceiling, rule.cores, class, asked, answer.status);
	cr_expect_eq(answer.cores & ~allowed, 0, "ran on %#" PRIx64, answer.cores);
	cr_expect_eq(answer.cores != 0, may);
}

Test(access_matrix, submissions_need_the_right_a_class_below_the_ceiling_and_cores_in_the_mask)
{
	int client = front_client(&front);
	struct session *session = front_session(&front);
	struct front_setup s;

	front_setup(&front, client, N_BYTES, 0, 0, &s);
	for (unsigned int infer = 0; infer < 2; infer++) {
		for (int ceiling = 0; ceiling < ZY_CLASS_MAX_; ceiling++) {
			for (uint64_t cores = 1; cores < 8; cores++) {
				rule.ceiling = (enum zy_class)ceiling;
				rule.cores = cores;
				grant(session, infer ? 1u << 2 : ~(1u << 2) & (N_SUBSETS - 1));
				for (uint32_t class = 0; class < ZY_CLASS_MAX_; class ++)
					for (uint64_t asked = 0; asked < 8; asked++)
						check_submit(client, s.binding, infer, class,
							     asked);
			}
		}
	}
	front_setup_finish(&s);
	close(client);
}

/* The device counts what ran on which core: nothing strays from its mask. */
Test(access_matrix, cores_that_a_slice_owns_are_nobody_elses)
{
	int client[2] = {front_client(&front), -1};
	struct session *session = front_session(&front);
	struct front_setup s[2];

	strcpy(session->identity->place.slice, "cameras.slice");
	session->identity->place.is_known = true;
	client[1] = front_client(&front);
	front_setup(&front, client[0], N_BYTES, 0, 0, &s[0]);
	front_setup(&front, client[1], N_BYTES, 0, 0, &s[1]);
	rule = (struct access_rule){.kind = ACCESS_SLICE,
				    .name = "cameras.slice",
				    .has = 1u << ACCESS_CORES,
				    .cores = 0x4,
				    .exclusive = true};
	cr_assert_eq(access_rules_put(&front.config.access, &rule), 0);
	session_group_refresh(&front.group);
	for (int i = 0; i < 50; i++) {
		cr_expect_eq(submit(client[0], s[0].binding, ZY_CLASS_NORMAL, 0).cores, 0x4);
		cr_expect_eq(submit(client[1], s[1].binding, ZY_CLASS_NORMAL, 0).cores & 0x4, 0);
	}
	cr_expect_eq(submit(client[0], s[0].binding, ZY_CLASS_NORMAL, 0x3).status, ZY_DENIED);
	cr_expect_eq(submit(client[1], s[1].binding, ZY_CLASS_NORMAL, 0x4).status, ZY_DENIED);
	for (int i = 0; i < 2; i++) {
		front_setup_finish(&s[i]);
		close(client[i]);
	}
}

/* Of the answer only numbers are left when this returns. */
static Zy__Access *ask(int client, Zy__TestAccess *about, struct front_packet *packet)
{
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__Whoami whoami = ZY__WHOAMI__INIT;

	request.body_case = about ? ZY__REQUEST__BODY_TEST_ACCESS : ZY__REQUEST__BODY_WHOAMI;
	if (about)
		request.test_access = about;
	else
		request.whoami = &whoami;
	cr_assert_eq(front_call(&front, client, &request, -1, packet), ZY_OK);
	cr_assert_eq(packet->response->body_case, ZY__RESPONSE__BODY_ACCESS);
	return packet->response->access;
}

Test(access_matrix, one_may_ask_who_one_is)
{
	int client = front_client(&front);
	struct session *session = front_session(&front);
	struct front_packet packet;
	Zy__Access *said;

	rule.ceiling = ZY_CLASS_NORMAL;
	rule.cores = 0x6;
	rule.has |= 1u << ACCESS_QUEUED;
	rule.limits.queued = 7;
	grant(session, 1u << 2 | 1u << 3);
	strcpy(session->identity->place.unit, "camera.service");
	strcpy(session->identity->cgroup, "/a\x1b[31m");
	said = ask(client, NULL, &packet);
	cr_expect(said->identity->has_uid && said->identity->placed);
	cr_expect_eq(said->identity->uid, 12345);
	cr_expect_eq(said->identity->pid, getpid());
	cr_expect_str_eq(said->identity->unit, "camera.service");
	cr_expect_str_eq(said->identity->cgroup, "/a\\x1b[31m", "fit for a terminal");
	cr_assert_eq(said->n_rules, 1);
	cr_expect_str_eq(said->rules[0], "user:somebody");
	cr_assert_eq(said->n_rights, N_RIGHTS);
	for (size_t i = 0; i < said->n_rights; i++)
		cr_expect_eq(said->rights[i]->allowed,
			     has(1u << 2 | 1u << 3, said->rights[i]->name));
	cr_expect_eq(said->class_ceiling, ZY_CLASS_NORMAL);
	cr_expect_eq(said->cores, 0x6);
	cr_expect_eq(said->limits->max_queued, 7);
	cr_expect_eq(said->limits->weight, 100);
	front_packet_finish(&packet);
	close(client);
}

Test(access_matrix, what_others_may_do_is_told_to_those_who_have_the_right_admin)
{
	int client = front_client(&front);
	struct session *session = front_session(&front);
	Zy__TestAccess about = ZY__TEST_ACCESS__INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	uint32_t groups[] = {5, 3, 4};
	struct access_rule other = {
		.kind = ACCESS_GROUP, .name = "4", .id = 4, .deny = ACCESS_BIT(ACCESS_LOAD)};
	struct front_packet packet;
	Zy__Access *said;

	request.body_case = ZY__REQUEST__BODY_TEST_ACCESS;
	request.test_access = &about;
	grant(session, 0);
	about.has_uid = true;
	about.uid = 12345;
	cr_expect_eq(front_call(&front, client, &request, -1, NULL), ZY_OK, "about oneself");
	about.uid = 12346;
	cr_expect_eq(front_call(&front, client, &request, -1, NULL), ZY_DENIED);
	about.uid = 12345;
	about.unit = (char *)"camera.service";
	cr_expect_eq(front_call(&front, client, &request, -1, NULL), ZY_DENIED);
	about.unit = (char *)"";
	about.groups = groups;
	about.n_groups = 3;
	cr_expect_eq(front_call(&front, client, &request, -1, NULL), ZY_DENIED);

	grant(session, 1u << 4);
	cr_assert_eq(access_rules_put(&front.config.access, &other), 0);
	about.uid = 12346;
	said = ask(client, &about, &packet);
	cr_assert_eq(said->n_rules, 1);
	cr_expect_str_eq(said->rules[0], "group:4");
	cr_expect(!said->rights[ACCESS_LOAD]->allowed && said->rights[ACCESS_INFER]->allowed);
	front_packet_finish(&packet);
	about.slice = (char *)"nonsense";
	cr_expect_eq(front_call(&front, client, &request, -1, NULL), ZY_INVALID);
	close(client);
}

/* Streams are a way to be urgent, too. */
Test(access_matrix, streams_and_reservations_keep_to_ceiling_and_cores)
{
	int client = front_client(&front);
	struct session *session = front_session(&front);
	Zy__CreateStream stream = ZY__CREATE_STREAM__INIT;
	Zy__Reserve reserve = ZY__RESERVE__INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	struct front_packet packet;
	struct front_setup s;

	front_setup(&front, client, N_BYTES, 0, 0, &s);
	rule.ceiling = ZY_CLASS_NORMAL;
	rule.cores = 0x2;
	grant(session, 1u << 2 | 1u << 3);
	request.body_case = ZY__REQUEST__BODY_CREATE_STREAM;
	request.create_stream = &stream;
	stream.model = s.model;
	stream.class_ = ZY_CLASS_INTERACTIVE;
	cr_expect_eq(front_call(&front, client, &request, -1, NULL), ZY_DENIED);
	stream.class_ = ZY_CLASS_NORMAL;
	cr_expect_eq(front_call(&front, client, &request, -1, NULL), ZY_OK);
	stream.cores = 0x4;
	cr_expect_eq(front_call(&front, client, &request, -1, NULL), ZY_DENIED);

	request.body_case = ZY__REQUEST__BODY_RESERVE;
	request.reserve = &reserve;
	reserve.model = s.model;
	reserve.budget = 1000000;
	reserve.period = 100000000;
	reserve.cores = 0x4;
	cr_expect_eq(front_call(&front, client, &request, -1, NULL), ZY_DENIED);
	reserve.cores = 0;
	cr_expect_eq(front_call(&front, client, &request, -1, &packet), ZY_OK);
	cr_expect_eq(packet.response->reservation->core, 1);
	front_packet_finish(&packet);
	front_setup_finish(&s);
	close(client);
}

/*
 * Limits: each of them, alone, lets as much through as it says and not more, and not
 * for the user alone but for the slice that it is said of, whoever runs there.
 */
static int use_buffer(int client)
{
	int64_t id = front_create_buffer(&front, client, 4096);

	return id < 0 ? (int)-id : ZY_OK;
}

static int use_model(int client)
{
	static uint32_t n_bytes = 128;
	int fd = front_image(n_bytes, 0, 0);
	int64_t id = front_load(&front, client, fd, "m", false);

	n_bytes += 64; /* each another one */
	close(fd);
	return id < 0 ? (int)-id : ZY_OK;
}

static const struct limit_case {
	const char *name;
	enum access_field field;
	struct account_limits limits;
	int (*use)(int client);
	unsigned int n; /* so often it goes well */
} limit_cases[] = {
	{"buffers", ACCESS_BUFFERS, {.buffers = 3}, use_buffer, 3},
	{"device memory", ACCESS_DEVICE_BYTES, {.device_bytes = 2 * 4096}, use_buffer, 2},
	{"models", ACCESS_MODELS, {.models = 2}, use_model, 2},
	{"no limit", ACCESS_QUEUED, {.queued = 0}, use_buffer, 20},
};

Test(access_matrix, each_limit_of_a_slice_holds_for_all_in_it_together)
{
	for (size_t i = 0; i < sizeof(limit_cases) / sizeof(limit_cases[0]); i++) {
		const struct limit_case *c = &limit_cases[i];
		int clients[2];

		rule = (struct access_rule){.kind = ACCESS_SLICE,
					    .name = "-.slice", /* all slices are in it */
					    .has = 1u << c->field,
					    .limits = c->limits};
		access_rules_finish(&front.config.access);
		cr_assert_eq(access_rules_put(&front.config.access, &rule), 0);
		clients[0] = front_client(&front);
		clients[1] = front_client(&front);
		if (!front_session(&front)->identity->place.is_known)
			cr_skip_test("it cannot be seen in which slice this runs");
		cr_expect_str_eq(front_session(&front)->objects.account->key.name, "slice:-.slice");
		for (unsigned int k = 0; k < c->n; k++)
			cr_expect_eq(c->use(clients[k % 2]), ZY_OK, "%s: %u", c->name, k);
		for (unsigned int k = 0; k < 2 && c->n < 20; k++)
			cr_expect_eq(c->use(clients[k]), ZY_LIMIT, "%s", c->name);
		close(clients[0]);
		close(clients[1]);
		front_settle(&front);
	}
}
