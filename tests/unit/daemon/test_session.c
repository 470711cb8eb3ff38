/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/tenant.h"
#include "npu/isa.h"
#include "tests/unit/daemon/front.h"

static struct front front;

static void setup(void)
{
	log_open(LOG_LEVEL_ERROR);
	front_init(&front);
}

static void teardown(void)
{
	front_finish(&front);
}

TestSuite(session, .init = setup, .fini = teardown);

static void send_create_buffer(int client, uint64_t size)
{
	Zy__CreateBuffer create = ZY__CREATE_BUFFER__INIT;
	Zy__Request req = ZY__REQUEST__INIT;

	create.size = size;
	req.body_case = ZY__REQUEST__BODY_CREATE_BUFFER;
	req.create_buffer = &create;
	front_request(client, &req, 3, -1);
}

static void send_status(int client, uint32_t serial)
{
	Zy__GetStatus get = ZY__GET_STATUS__INIT;
	Zy__Request req = ZY__REQUEST__INIT;

	req.body_case = ZY__REQUEST__BODY_GET_STATUS;
	req.get_status = &get;
	front_request(client, &req, serial, -1);
}

/* Status requests until the daemon takes no more; returns how many. */
static uint32_t stuff(int client, uint32_t first_serial)
{
	uint8_t buf[64];
	Zy__Request req = ZY__REQUEST__INIT;
	Zy__GetStatus get = ZY__GET_STATUS__INIT;
	uint32_t n = 0, before;
	ssize_t size;

	req.body_case = ZY__REQUEST__BODY_GET_STATUS;
	req.get_status = &get;
	do {
		before = n;
		for (;;) {
			req.serial = first_serial + n;
			size = zy_packet_pack(buf, sizeof(buf), &req.base);
			if (front_send(client, buf, (size_t)size, NULL, 0) == -EAGAIN)
				break;
			n++;
			cr_assert_lt(n, 100000, "the daemon reads without end");
		}
		front_settle(&front);
	} while (n != before);
	return n;
}

Test(session, a_client_is_who_the_kernel_says)
{
	int client = front_connect(&front);

	cr_assert_eq(front_session(&front)->uid, getuid());
	cr_assert_eq(front_session(&front)->pid, getpid());
	close(client);
}

Test(session, of_what_groups_grant_two_sessions_the_tighter_limits_hold)
{
	struct access_rule rule = {.kind = ACCESS_GROUP,
				   .id = 1234567,
				   .has = 1u << ACCESS_QUEUED,
				   .limits = {.queued = 5}};
	struct access_rules rules = {0};
	int guest, member;
	struct session *session;
	struct account *account;

	cr_assert_eq(access_rules_put(&rules, &rule), 0);
	front.group.access = &rules;
	guest = front_client(&front);
	session = front_session(&front);
	account = session->owner.tenant->account;
	free(session->identity->groups);
	session->identity->groups = malloc(sizeof(gid_t));
	session->identity->groups[0] = rule.id;
	session->identity->n_groups = 1;
	session_group_refresh(&front.group);
	cr_expect_eq(account->limits.queued, 5);
	member = front_client(&front);
	cr_assert_eq(front_session(&front)->owner.tenant->account, account);
	cr_expect_eq(account->limits.queued, 5, "not what came last");
	session_group_refresh(&front.group);
	cr_expect_eq(account->limits.queued, 5);
	close(guest);
	front_settle(&front);
	cr_expect_eq(account->limits.queued, 0, "it has gone");
	close(member);
	front_settle(&front);
	front.group.access = NULL;
	access_rules_finish(&rules);
}

Test(session, who_does_not_read_is_not_read_from_and_loses_nothing)
{
	int client = front_client(&front);
	struct session *session = front_session(&front);
	struct front_packet packet;
	uint32_t n = stuff(client, 1);

	cr_assert_gt(n, 100);
	cr_assert_geq(session->n_out, SESSION_PAUSE);
	cr_assert_leq(session->n_out, SESSION_PAUSE + SESSION_TURN);
	for (uint32_t i = 1; i <= n; i++) {
		front_receive(&front, client, &packet);
		cr_assert(packet.size > 0 && packet.response);
		cr_assert_eq(packet.response->serial, i);
		front_packet_finish(&packet);
	}
	cr_assert_eq(session->n_out, 0);
	close(client);
}

Test(session, waiting_for_a_client_to_read_is_idle)
{
	int client = front_client(&front);
	struct rusage before, after;

	stuff(client, 1);
	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < 15; i++)
		front_settle(&front);
	getrusage(RUSAGE_SELF, &after);
	cr_assert_lt((after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
			     after.ru_utime.tv_usec - before.ru_utime.tv_usec +
			     (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
			     after.ru_stime.tv_usec - before.ru_stime.tv_usec,
		     100000, "of 300 ms");
	close(client);
}

Test(session, who_is_not_read_from_may_still_go)
{
	int client = front_client(&front);

	stuff(client, 1);
	cr_assert_eq(front.group.n_sessions, 1);
	close(client);
	front_settle(&front);
	cr_assert_eq(front.group.n_sessions, 0);
}

Test(session, descriptors_wait_in_the_queue_and_arrive_with_their_packets)
{
	int client = front_client(&front);
	struct session *session = front_session(&front);
	struct front_packet packet;
	unsigned int n_buffers = 0, n_queued = 0;
	uint32_t n;

	/* Fill the socket, but not so far that nothing is read any more. */
	for (n = 1; !session->n_out; n++) {
		send_status(client, n);
		if (n % 16 == 0)
			front_settle(&front);
	}
	for (; n_queued < 20; n_queued++)
		send_create_buffer(client, 4096);
	front_settle(&front);
	cr_assert_gt(session->n_out, 20);
	while (n_buffers < n_queued) {
		front_receive(&front, client, &packet);
		cr_assert(packet.size > 0 && packet.response);
		cr_assert_eq(packet.fds.n, packet.response->body_case == ZY__RESPONSE__BODY_BUFFER);
		n_buffers += (unsigned int)packet.fds.n;
		front_packet_finish(&packet);
	}
	close(client);
}

Test(session, a_greedy_client_delays_only_itself)
{
	int greedy = front_client(&front), modest = front_client(&front);
	struct front_packet packet;
	Zy__Request req = ZY__REQUEST__INIT;
	Zy__GetStatus get = ZY__GET_STATUS__INIT;
	unsigned int served = 0;

	req.body_case = ZY__REQUEST__BODY_GET_STATUS;
	req.get_status = &get;
	for (uint32_t i = 0; i < 200; i++)
		front_request(greedy, &req, i, -1);
	front_request(modest, &req, 1, -1);
	front_receive(&front, modest, &packet);
	cr_assert_gt(packet.size, 0);
	front_packet_finish(&packet);
	while (recv(greedy, packet.data, sizeof(packet.data), MSG_DONTWAIT) > 0)
		served++;
	cr_assert_leq(served, 2 * SESSION_TURN);
	close(greedy);
	close(modest);
}

Test(session, a_client_that_stops_sending_is_gone)
{
	int client = front_client(&front);

	cr_assert_eq(shutdown(client, SHUT_WR), 0);
	cr_assert(front_is_disconnected(&front, client));
	cr_assert_eq(front.group.n_sessions, 0);
	close(client);
}

/*
 * Clients that vanish. Each step is sent and the answer not waited for; what stays
 * behind is found by front_finish().
 */

static void send_hello(int client)
{
	Zy__Hello hello = ZY__HELLO__INIT;
	Zy__Request req = ZY__REQUEST__INIT;

	hello.min_version = hello.max_version = ZY_PROTOCOL_VERSION;
	req.body_case = ZY__REQUEST__BODY_HELLO;
	req.hello = &hello;
	front_request(client, &req, 1, -1);
}

static void send_load(int client)
{
	int image = front_image(64, 0, 0);
	Zy__LoadModel load = ZY__LOAD_MODEL__INIT;
	Zy__Request req = ZY__REQUEST__INIT;

	req.body_case = ZY__REQUEST__BODY_LOAD_MODEL;
	req.load_model = &load;
	front_request(client, &req, 2, image);
	close(image);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

/* One turn of the loop: the daemon sees what was sent, and has not finished it. */
static void turn(void)
{
	struct loop_timer *soon;

	cr_assert_eq(loop_timer_create(&soon, front.loop, stop, front.loop), 0);
	loop_timer_set(soon, 0);
	cr_assert_eq(loop_run(front.loop), 0);
	loop_timer_destroy(soon);
}

static void vanish(int client)
{
	turn();
	close(client);
	front_settle(&front);
	cr_assert_eq(front.group.n_sessions, 0);
	cr_assert_eq(front.group.n_pending, 0);
	cr_assert_eq(front.scheduler.n_running, 0);
	cr_assert_eq(policy_n_queued(front.scheduler.policy), 0);
}

Test(session, vanishing_before_hello_leaves_nothing)
{
	int client = front_connect(&front);

	vanish(client);
	client = front_connect(&front);
	send_hello(client);
	vanish(client);
}

Test(session, vanishing_while_a_model_loads_leaves_nothing)
{
	for (int i = 0; i < 5; i++) {
		int client = front_connect(&front);

		send_hello(client);
		for (int k = 0; k <= i; k++)
			send_load(client);
		vanish(client);
		cr_assert_eq(front.models.n_models, 0);
	}
}

Test(session, vanishing_while_a_large_buffer_is_made_leaves_nothing)
{
	int client = front_client(&front);

	send_create_buffer(client, 16 << 20);
	send_create_buffer(client, 4096);
	send_create_buffer(client, 1 << 20);
	vanish(client);
}

Test(session, vanishing_with_unread_descriptors_leaves_nothing)
{
	int client = front_client(&front);

	for (int i = 0; i < 60; i++)
		send_create_buffer(client, 4096);
	front_settle(&front);
	vanish(client);
}

Test(session, vanishing_with_jobs_leaves_nothing)
{
	static const uint16_t opcodes[] = {0, NPU_OP_DELAY, NPU_OP_HANG, NPU_OP_FAULT};
	static const uint32_t extras[] = {0, 3000, 0, 0};
	struct front_setup s;

	for (int i = 0; i < 4; i++) {
		int client = front_client(&front);

		front_setup(&front, client, 64, opcodes[i], extras[i], &s);
		for (uint64_t k = 0; k < 20; k++)
			front_submit(client, s.binding, k);
		vanish(client);
		front_setup_finish(&s);
	}
}

Test(session, vanishing_with_a_full_queue_of_answers_leaves_nothing)
{
	int client = front_client(&front);
	struct front_setup s;

	front_setup(&front, client, 64, 0, 0, &s);
	/* Until the daemon does not even read any more. */
	for (int refused = 0; refused < 2;) {
		struct zy_submit entry = {
			.type = ZY_PACKET_SUBMIT,
			.binding = s.binding,
			.class = ZY_CLASS_INTERACTIVE,
		};

		if (front_send(client, &entry, sizeof(entry), NULL, 0) == 0) {
			refused = 0;
			continue;
		}
		refused++;
		front_settle(&front);
	}
	cr_assert_geq(front_session(&front)->n_out, SESSION_PAUSE);
	cr_assert_leq(front_session(&front)->n_out,
		      SESSION_PAUSE + SESSION_TURN + front.config.limits.queued_per_session);
	vanish(client);
	front_setup_finish(&s);
}

Test(session, another_clients_jobs_survive_somebodys_end)
{
	int bad = front_client(&front), good = front_client(&front);
	struct front_setup a, b;
	struct front_packet packet;

	front_setup(&front, bad, 64, NPU_OP_HANG, 0, &a);
	front_setup(&front, good, 64, NPU_OP_DELAY, 20000, &b);
	for (uint64_t i = 0; i < 6; i++)
		front_submit(bad, a.binding, i);
	front_settle(&front);
	front_submit(good, b.binding, 1);
	close(bad);
	front_receive(&front, good, &packet);
	cr_assert_eq(packet.size, sizeof(packet.complete));
	cr_assert_eq(packet.complete.status, ZY_OK);
	close(good);
	front_setup_finish(&a);
	front_setup_finish(&b);
}

Test(session, shutting_down_in_the_middle_of_everything_leaves_nothing)
{
	int client = front_client(&front), other = front_connect(&front);
	struct front_setup s;

	front_setup(&front, client, 64, NPU_OP_HANG, 0, &s);
	for (uint64_t i = 0; i < 10; i++)
		front_submit(client, s.binding, i);
	front_settle(&front);
	send_load(client);
	send_create_buffer(client, 8 << 20);
	send_hello(other);
	turn();
	session_group_finish(&front.group);
	cr_assert_gt(front.scheduler.n_running, 0, "else this tests nothing");
	close(client);
	close(other);
	front_setup_finish(&s);
}
