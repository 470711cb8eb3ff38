/* SPDX-License-Identifier: Apache-2.0 */
/* What goes on, as those who watch get to see it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/tenant.h"
#include "npu/isa.h"
#include "tests/unit/daemon/front.h"

#define MS UINT64_C(1000000)

static struct front front;
static struct front_packet packet, other_packet;
static struct front_setup s;
static int client, watcher;
static struct account *stranger;

/* One who works, and one who watches: the group's last. */
static void setup(void)
{
	log_open(LOG_LEVEL_ERROR);
	front_init(&front);
	client = front_client(&front);
	watcher = front_client(&front);
}

static struct session *watching(void)
{
	return front_session(&front);
}

static void teardown(void)
{
	if (stranger)
		watching()->objects.account = watching()->owner.tenant->account;
	account_unref(stranger);
	front_packet_finish(&packet);
	front_packet_finish(&other_packet);
	close(client);
	close(watcher);
	front_finish(&front);
}

TestSuite(activity, .init = setup, .fini = teardown);

/* The watcher has an account of its own now, and no right over others. */
static void become_stranger(void)
{
	struct account_key key = {.uid = 54321};

	watching()->uid = watching()->identity->uid = 54321;
	session_group_refresh(&front.group);
	cr_assert_eq(account_get(&stranger, &front.scheduler.accounts, key), 0);
	watching()->objects.account = stranger;
}

static int ask(struct front_packet *ret)
{
	Zy__Request req = ZY__REQUEST__INIT;
	Zy__GetActivity get = ZY__GET_ACTIVITY__INIT;

	req.body_case = ZY__REQUEST__BODY_GET_ACTIVITY;
	req.get_activity = &get;
	front_packet_finish(ret);
	return front_call(&front, watcher, &req, -1, ret);
}

static const Zy__Activity *activity_in(struct front_packet *ret)
{
	int status;

	while ((status = ask(ret)) == ZY_BUSY)
		front_settle(&front);
	cr_assert_eq(status, ZY_OK, "%s", ret->response->detail);
	return ret->response->activity;
}

static const Zy__Activity *activity(void)
{
	return activity_in(&packet);
}

static void run(unsigned int n)
{
	struct front_packet got;

	for (unsigned int i = 0; i < n; i++) {
		front_submit(client, s.binding, i);
		front_receive(&front, client, &got);
		cr_assert_eq(got.complete.status, ZY_OK);
		front_packet_finish(&got);
	}
}

Test(activity, an_idle_daemon_has_cores_classes_and_clients)
{
	const Zy__Activity *a = activity();

	cr_expect_str_eq(a->health, "ready");
	cr_expect_eq(a->n_reasons, 0);
	cr_expect_leq(a->now, loop_now());
	cr_expect_gt(a->now, loop_now() - 60000 * MS);
	cr_expect_lt(a->uptime, 60000 * MS);
	cr_expect_eq(a->queued + a->running, 0);
	cr_expect_eq(a->memory_bytes, 64u << 20);
	cr_assert_eq(a->n_cores, 3);
	for (unsigned int i = 0; i < 3; i++) {
		cr_expect_eq(a->cores[i]->core, i);
		cr_expect(a->cores[i]->healthy);
	}
	cr_expect_eq(a->n_classes, ZY_CLASS_MAX_);
	cr_assert_eq(a->n_clients, 2);
	cr_expect_eq(a->clients[1]->session, watching()->id);
	cr_expect_eq(a->clients[1]->clients, 1);
	cr_expect_eq(a->clients[1]->pid, getpid());
	cr_expect_eq(a->clients[1]->uid, getuid());
	cr_expect_str_eq(a->clients[1]->name, "test");
	cr_expect_eq(a->n_models, 0);
}

Test(activity, what_was_done_is_counted_where_it_belongs)
{
	const Zy__Activity *a;
	uint64_t on_cores = 0;

	front_setup(&front, client, 64, NPU_OP_DELAY, 5000, &s);
	run(3);
	a = activity();
	cr_expect_eq(a->answered, 3);
	cr_expect_eq(a->failed, 0);
	cr_expect_gt(a->memory_used, 0);
	for (unsigned int i = 0; i < 3; i++)
		on_cores += a->cores[i]->device_time;
	cr_expect_geq(on_cores, 15 * MS);
	cr_expect_eq(a->clients[0]->answered, 3);
	cr_expect_eq(a->clients[0]->failed, 0);
	cr_expect_eq(a->clients[0]->device_time, on_cores);
	cr_expect_eq(a->clients[1]->answered, 0);
	cr_expect_eq(a->clients[1]->device_time, 0);
	cr_assert_eq(a->n_models, 1);
	cr_expect_str_eq(a->models[0]->name, "copy");
	cr_expect_eq(strlen(a->models[0]->hash), 16);
	cr_expect_eq(a->models[0]->models, 1);
	cr_expect_eq(a->models[0]->users, 1);
	cr_expect_eq(a->models[0]->requests, 3);
	cr_expect_eq(a->models[0]->device_time, on_cores);
	cr_expect_eq(a->models[0]->live_time + a->clients[0]->live_time, 0);
	cr_expect_geq(a->models[0]->estimate, 5 * MS);
	cr_expect_eq(a->classes[ZY_CLASS_INTERACTIVE]->answered +
			     a->classes[ZY_CLASS_NORMAL]->answered +
			     a->classes[ZY_CLASS_REALTIME]->answered +
			     a->classes[ZY_CLASS_BACKGROUND]->answered,
		     3);
	front_setup_finish(&s);
}

Test(activity, what_runs_is_counted_while_it_runs)
{
	const Zy__Activity *a, *b;
	uint64_t core = 0;

	front_setup(&front, client, 64, NPU_OP_DELAY, 300000, &s);
	front_submit(client, s.binding, 1);
	front_settle(&front);
	a = activity();
	cr_expect_eq(a->running, 1);
	cr_expect_eq(a->clients[0]->running, 1);
	front_settle(&front);
	b = activity_in(&other_packet);
	cr_expect_eq(b->running, 1);
	for (unsigned int i = 0; i < 3; i++)
		core += b->cores[i]->device_time - a->cores[i]->device_time;
	cr_expect_gt(core, 0);
	cr_expect_eq(core, b->now - a->now, "one core was busy all the time");
	cr_expect_eq(b->clients[0]->device_time - a->clients[0]->device_time, core);
	cr_expect_eq(b->models[0]->device_time - a->models[0]->device_time, core);
	cr_expect_geq(b->clients[0]->live_time, core);
	cr_expect_eq(b->models[0]->live_time, b->clients[0]->live_time);
	front_packet_finish(&packet);
	front_receive(&front, client, &packet);
	cr_expect_eq(packet.complete.status, ZY_OK);
	front_setup_finish(&s);
}

Test(activity, failures_are_counted)
{
	front_setup(&front, client, 64, NPU_OP_FAULT, 0, &s);
	front_submit(client, s.binding, 1);
	front_receive(&front, client, &packet);
	cr_assert_eq(packet.complete.status, ZY_DEVICE_FAULT);
	cr_expect_eq(activity()->failed, 1);
	cr_expect_eq(packet.response->activity->clients[0]->failed, 1);
	front_setup_finish(&s);
}

Test(activity, others_are_summed_up_for_who_has_no_right_over_them)
{
	const Zy__Activity *a;

	front_setup(&front, client, 64, NPU_OP_DELAY, 1000, &s);
	run(2);
	become_stranger();
	a = activity();
	cr_assert_eq(a->n_clients, 2);
	cr_expect_eq(a->clients[0]->session, watching()->id);
	cr_expect_eq(a->clients[1]->session, 0);
	cr_expect_eq(a->clients[1]->clients, 1);
	cr_expect_str_eq(a->clients[1]->name, "");
	cr_expect_str_eq(a->clients[1]->principal, "");
	cr_expect_eq(a->clients[1]->uid, 0);
	cr_expect_eq(a->clients[1]->pid, 0);
	cr_expect_eq(a->clients[1]->answered, 2);
	cr_expect_geq(a->clients[1]->device_time, 2 * MS);
	cr_assert_eq(a->n_models, 1);
	cr_expect_eq(a->models[0]->models, 1);
	cr_expect_str_eq(a->models[0]->name, "");
	cr_expect_str_eq(a->models[0]->hash, "");
	cr_expect_eq(a->models[0]->requests, 2);
	cr_expect_eq(a->answered, 2, "totals are everybody's");
	front_setup_finish(&s);
}

Test(activity, a_model_that_one_has_open_is_seen_whoever_uses_it)
{
	struct front_setup own;

	front_setup(&front, client, 64, NPU_OP_DELAY, 1000, &s);
	front_setup(&front, watcher, 64, NPU_OP_DELAY, 1000, &own);
	become_stranger();
	cr_assert_eq(activity()->n_models, 1);
	cr_expect_str_eq(packet.response->activity->models[0]->name, "copy");
	cr_expect_eq(packet.response->activity->models[0]->users, 2);
	front_setup_finish(&s);
	front_setup_finish(&own);
}

Test(activity, names_are_printable_and_the_answer_fits_however_many_there_are)
{
	enum { MANY = 400 };
	static int crowd[MANY];
	const Zy__Activity *a;
	unsigned int n = 0;

	for (unsigned int i = 0; i < MANY; i++) {
		crowd[i] = front_connect(&front);
		cr_assert_eq(
			front_hello(&front, crowd[i], "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\"),
			ZY_OK);
	}
	a = activity();
	cr_expect_lt(a->n_clients, MANY);
	for (unsigned int i = 0; i < a->n_clients; i++) {
		n += a->clients[i]->clients;
		for (const char *c = a->clients[i]->name; *c; c++)
			cr_assert_geq(*c, ' ');
	}
	cr_expect_eq(n, MANY + 2);
	cr_expect_eq(a->clients[a->n_clients - 1]->session, 0);
	for (unsigned int i = 0; i < MANY; i++)
		close(crowd[i]);
	front_settle(&front);
}

Test(activity, whoever_is_busy_is_listed_rather_than_who_is_not)
{
	enum { MANY = 200 };
	static int crowd[MANY];
	const Zy__Activity *a;

	for (unsigned int i = 0; i < MANY; i++)
		crowd[i] = front_client(&front);
	front_setup(&front, crowd[MANY - 1], 64, NPU_OP_DELAY, 300000, &s);
	front_submit(crowd[MANY - 1], s.binding, 1);
	front_settle(&front);
	a = activity();
	cr_expect_eq(a->clients[0]->session, watching()->id, "the last who came");
	cr_expect_eq(a->clients[0]->running, 1);
	front_packet_finish(&packet);
	front_receive(&front, crowd[MANY - 1], &packet);
	front_setup_finish(&s);
	for (unsigned int i = 0; i < MANY; i++)
		close(crowd[i]);
	front_settle(&front);
}

Test(activity, nothing_is_left_over_from_an_earlier_look)
{
	uint64_t after;

	front_setup(&front, client, 64, NPU_OP_DELAY, 50000, &s);
	front_submit(client, s.binding, 1);
	front_settle(&front);
	for (unsigned int i = 0; i < 3; i++)
		activity();
	front_packet_finish(&packet);
	front_receive(&front, client, &packet);
	after = activity()->clients[0]->device_time;
	cr_expect_geq(after, 50 * MS);
	cr_expect_lt(after, 300 * MS);
	cr_expect_eq(activity()->clients[0]->device_time, after);
	front_setup_finish(&s);
}
