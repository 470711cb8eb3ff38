/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "fake_daemon.h"
#include "zhouyi-client.h"

static struct fake fake;

static bool is_readable(const struct zhouyi_client *client)
{
	struct pollfd p = {.fd = zhouyi_client_fd(client), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void greet_and_wait(int socket)
{
	fake_hello(socket);
	fake_wait_end(socket);
}

Test(client, opens_and_closes)
{
	struct zhouyi_client *client;

	fake_start(&fake, greet_and_wait);
	client = fake_client(&fake);
	cr_assert_geq(zhouyi_client_fd(client), 0);
	cr_assert_not(is_readable(client));
	cr_assert_str_eq(zhouyi_client_error(client), "success");
	zhouyi_client_close(client);
	fake_stop(&fake);
}

Test(client, finds_the_socket_in_the_environment)
{
	struct zhouyi_client *client;

	fake_start(&fake, greet_and_wait);
	setenv("ZHOUYI_SOCKET", fake.path, 1);
	cr_assert_eq(zhouyi_client_open(&client, NULL), 0);
	zhouyi_client_close(client);
	fake_stop(&fake);
}

Test(client, closing_nothing_is_harmless)
{
	zhouyi_client_close(NULL);
	zhouyi_model_close(NULL);
	zhouyi_buffer_destroy(NULL);
	zhouyi_binding_destroy(NULL);
	zhouyi_free(NULL);
}

Test(client, without_a_daemon_it_is_disconnected)
{
	struct zhouyi_client *client = (void *)1;
	size_t n_open = fake_count_open();
	char path[200];

	cr_assert_eq(zhouyi_client_open(&client, "/nonexistent/socket"),
		     -ZHOUYI_ERROR_DISCONNECTED);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	cr_assert_eq(zhouyi_client_open(&client, path), -ZHOUYI_ERROR_INVALID);
	cr_assert_eq(zhouyi_client_open(&client, ""), -ZHOUYI_ERROR_INVALID);
	cr_assert_eq(client, (void *)1, "untouched");
	cr_assert_eq(fake_count_open(), n_open);
}

Test(client, a_socket_of_another_type_is_no_daemon)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct zhouyi_client *client;
	char dir[] = "/tmp/fake-zhouyid-XXXXXX";
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	cr_assert_not_null(mkdtemp(dir));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", dir);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_expect_eq(zhouyi_client_open(&client, address.sun_path), -ZHOUYI_ERROR_PROTOCOL);
	unlink(address.sun_path);
	rmdir(dir);
	close(listener);
}

static void refuse_version(int socket)
{
	Zy__Request *request = fake_expect(socket, ZY__REQUEST__BODY_HELLO, 0, NULL);

	fake_ack(socket, request, ZY_VERSION, "this daemon speaks versions 7 to 9");
}

static void wrong_version(int socket)
{
	Zy__Request *request = fake_expect(socket, ZY__REQUEST__BODY_HELLO, 0, NULL);
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Welcome welcome = ZY__WELCOME__INIT;

	welcome.version = 7;
	response.serial = request->serial;
	response.body_case = ZY__RESPONSE__BODY_WELCOME;
	response.welcome = &welcome;
	fake_reply(socket, &response, -1);
	fake_wait_end(socket);
}

static void wrong_features(int socket)
{
	Zy__Request *request = fake_expect(socket, ZY__REQUEST__BODY_HELLO, 0, NULL);
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Welcome welcome = ZY__WELCOME__INIT;

	welcome.version = ZY_PROTOCOL_VERSION;
	welcome.features = ~ZY_FEATURES;
	response.serial = request->serial;
	response.body_case = ZY__RESPONSE__BODY_WELCOME;
	response.welcome = &welcome;
	fake_reply(socket, &response, -1);
	fake_wait_end(socket);
}

static void hang_up_at_once(int socket)
{
	(void)socket;
}

static void too_many_clients(int socket)
{
	Zy__Request *request = fake_expect(socket, ZY__REQUEST__BODY_HELLO, 0, NULL);

	fake_ack(socket, request, ZY_LIMIT, "");
}

static const struct {
	void (*script)(int socket);
	int expected;
} refusals[] = {
	{refuse_version, -ZHOUYI_ERROR_VERSION},       {wrong_version, -ZHOUYI_ERROR_VERSION},
	{wrong_features, -ZHOUYI_ERROR_PROTOCOL},      {too_many_clients, -ZHOUYI_ERROR_LIMIT},
	{hang_up_at_once, -ZHOUYI_ERROR_DISCONNECTED},
};

Test(client, says_why_a_daemon_does_not_welcome_it)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct zhouyi_client *client = NULL;

		fake_start(&fake, refusals[i].script);
		cr_assert_eq(zhouyi_client_open(&client, fake.path), refusals[i].expected,
			     "refusal %zu", i);
		cr_assert_null(client);
		fake_stop(&fake);
	}
}

static void greet_and_hang_up(int socket)
{
	fake_hello(socket);
}

Test(client, notices_that_the_daemon_has_gone)
{
	struct zhouyi_client *client;
	struct zhouyi_status *status;

	fake_start(&fake, greet_and_hang_up);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_client_dispatch(client, -1), -ZHOUYI_ERROR_DISCONNECTED);
	cr_assert(is_readable(client), "there is something to say");
	cr_assert_eq(zhouyi_client_dispatch(client, -1), -ZHOUYI_ERROR_DISCONNECTED);
	cr_assert_eq(zhouyi_status_get(client, &status), -ZHOUYI_ERROR_DISCONNECTED);
	cr_assert(strstr(zhouyi_client_error(client), "the daemon closed it"));
	zhouyi_client_close(client);
	fake_stop(&fake);
}

Test(client, dispatch_waits_as_long_as_it_is_told)
{
	struct zhouyi_client *client;

	fake_start(&fake, greet_and_wait);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_client_dispatch(client, 0), 0);
	cr_assert_eq(zhouyi_client_dispatch(client, 20), 0);
	zhouyi_client_close(client);
	fake_stop(&fake);
}

static void deny_status(int socket)
{
	fake_hello(socket);
	fake_ack(socket, fake_expect(socket, ZY__REQUEST__BODY_GET_STATUS, 0, NULL), ZY_DENIED,
		 "status is for\nadministrators\x1b[2J");
	fake_ack(socket, fake_expect(socket, ZY__REQUEST__BODY_GET_STATUS, 0, NULL), ZY_DENIED, "");
	fake_wait_end(socket);
}

Test(client, repeats_the_daemons_sentence_but_not_its_control_characters)
{
	struct zhouyi_client *client;
	struct zhouyi_status *status;

	fake_start(&fake, deny_status);
	client = fake_client(&fake);
	cr_assert_eq(zhouyi_status_get(client, &status), -ZHOUYI_ERROR_DENIED);
	cr_assert_str_eq(zhouyi_client_error(client), "status is for?administrators?[2J");
	cr_assert_eq(zhouyi_status_get(client, &status), -ZHOUYI_ERROR_DENIED);
	cr_assert_str_eq(zhouyi_client_error(client), zhouyi_strerror(ZHOUYI_ERROR_DENIED));
	zhouyi_client_close(client);
	fake_stop(&fake);
}

/*
 * Daemons that are none. Each greets, waits for one request, and answers nonsense;
 * the client must end the connection, and say so.
 */

static uint32_t serial;

static void garbage_type(int socket)
{
	FAKE_CHECK(zy_packet_send(socket, "garbage", 7, NULL, 0) == 0);
}

static void garbage_short(int socket)
{
	FAKE_CHECK(zy_packet_send(socket, "xy", 2, NULL, 0) == 0);
}

static void garbage_protobuf(int socket)
{
	uint8_t packet[64];
	uint32_t type = ZY_PACKET_CONTROL;

	memset(packet, 0xff, sizeof(packet));
	memcpy(packet, &type, sizeof(type));
	FAKE_CHECK(zy_packet_send(socket, packet, sizeof(packet), NULL, 0) == 0);
}

static void garbage_huge(int socket)
{
	static uint8_t packet[ZY_PACKET_MAX + 1];
	uint32_t type = ZY_PACKET_CONTROL;

	memcpy(packet, &type, sizeof(type));
	FAKE_CHECK(zy_packet_send(socket, packet, sizeof(packet), NULL, 0) == 0);
}

static void garbage_submission(int socket)
{
	struct zy_submit entry = {.type = ZY_PACKET_SUBMIT};

	FAKE_CHECK(zy_packet_send(socket, &entry, sizeof(entry), NULL, 0) == 0);
}

static void garbage_completion(int socket)
{
	fake_complete(socket, UINT64_C(1) << 32, 0);
}

static void garbage_serial(int socket)
{
	Zy__Request request = ZY__REQUEST__INIT;

	request.serial = serial + 1;
	fake_ack(socket, &request, 0, "");
}

static void garbage_farewell(int socket)
{
	Zy__Request request = ZY__REQUEST__INIT;

	request.serial = serial | 1u << 31;
	fake_ack(socket, &request, 0, "");
}

static void reply_status(int socket, int status, int fd)
{
	Zy__Response response = ZY__RESPONSE__INIT;

	response.serial = serial;
	response.status = status;
	fake_reply(socket, &response, fd);
}

static void garbage_status(int socket)
{
	reply_status(socket, ZY_STATUS_MAX_, -1);
}

static void garbage_negative_status(int socket)
{
	reply_status(socket, -1, -1);
}

static void garbage_empty_body(int socket)
{
	reply_status(socket, 0, -1);
}

static void garbage_refusal_with_fd(int socket)
{
	reply_status(socket, ZY_DENIED, socket);
}

static void garbage_body(int socket)
{
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Binding binding = ZY__BINDING__INIT;

	response.serial = serial;
	response.body_case = ZY__RESPONSE__BODY_BINDING;
	response.binding = &binding;
	fake_reply(socket, &response, -1);
}

static void garbage_fd(int socket)
{
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__Status status = ZY__STATUS__INIT;

	response.serial = serial;
	response.body_case = ZY__RESPONSE__BODY_DAEMON;
	response.daemon = &status;
	fake_reply(socket, &response, socket);
}

static void (*const garbage[])(int socket) = {
	garbage_type,	    garbage_short,	     garbage_protobuf, garbage_huge,
	garbage_submission, garbage_completion,	     garbage_serial,   garbage_farewell,
	garbage_status,	    garbage_empty_body,	     garbage_body,     garbage_refusal_with_fd,
	garbage_fd,	    garbage_negative_status,
};

static size_t which;

static void answer_garbage(int socket)
{
	fake_hello(socket);
	serial = fake_expect(socket, ZY__REQUEST__BODY_GET_STATUS, 0, NULL)->serial;
	garbage[which](socket);
	fake_wait_end(socket);
}

Test(client, ends_the_connection_with_a_daemon_that_talks_nonsense)
{
	for (which = 0; which < sizeof(garbage) / sizeof(garbage[0]); which++) {
		struct zhouyi_client *client;
		struct zhouyi_status *status = NULL;

		fake_start(&fake, answer_garbage);
		client = fake_client(&fake);
		cr_assert_eq(zhouyi_status_get(client, &status), -ZHOUYI_ERROR_PROTOCOL,
			     "garbage %zu", which);
		cr_assert_null(status);
		cr_assert(strstr(zhouyi_client_error(client), "broke the protocol"));
		cr_assert_eq(zhouyi_client_dispatch(client, -1), -ZHOUYI_ERROR_DISCONNECTED);
		zhouyi_client_close(client);
		fake_stop(&fake);
	}
}

static unsigned int seed;

/* A well-formed answer with a few bytes changed, or cut. */
static void answer_noise(int socket)
{
	Zy__Response response = ZY__RESPONSE__INIT;
	Zy__ModelList list = ZY__MODEL_LIST__INIT;
	Zy__ModelSummary summary = ZY__MODEL_SUMMARY__INIT, *summaries[8];
	uint8_t packet[1024];
	ssize_t n;

	fake_hello(socket);
	summary.name = summary.hash = summary.target = (char *)"something";
	for (int i = 0; i < 8; i++)
		summaries[i] = &summary;
	list.n_models = 8;
	list.models = summaries;
	response.serial = fake_expect(socket, ZY__REQUEST__BODY_LIST_MODELS, 0, NULL)->serial;
	response.body_case = ZY__RESPONSE__BODY_MODELS;
	response.models = &list;
	n = zy_packet_pack(packet, sizeof(packet), &response.base);
	FAKE_CHECK(n > 0);
	for (int i = rand_r(&seed) % 4; i >= 0; i--)
		packet[rand_r(&seed) % n] = (uint8_t)rand_r(&seed);
	if (rand_r(&seed) % 4 == 0)
		n = 1 + rand_r(&seed) % n;
	FAKE_CHECK(zy_packet_send(socket, packet, (size_t)n, NULL, 0) == 0);
}

Test(client, survives_any_noise)
{
	const char *given = getenv("ZHOUYI_SEED");
	int r;

	seed = given ? (unsigned int)strtoul(given, NULL, 0) : (unsigned int)getpid();
	cr_log_info("ZHOUYI_SEED=%u", seed);
	for (int i = 0; i < 200; i++) {
		struct zhouyi_client *client;
		struct zhouyi_model_list *list = NULL;

		fake_start(&fake, answer_noise);
		client = fake_client(&fake);
		r = zhouyi_model_list_get(client, &list);
		cr_assert((r == 0) == (list != NULL));
		for (size_t j = 0; list && j < list->n; j++)
			cr_assert_leq(strlen(list->models[j].name), 1024);
		zhouyi_free(list);
		zhouyi_client_close(client);
		fake_stop(&fake);
		seed++;
	}
}
