/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/health.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/listener.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/reload.h"
#include "tests/unit/daemon/front.h"

#define SECOND UINT64_C(1000000000)

static char directory[] = "/tmp/zhouyi-health.XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int manager;

static struct front front;
static struct listener listener;
static struct reload reload;
static struct health_watch watch;

/* A service manager, and a daemon that has all there is to look at. */
static void setup(void)
{
	log_open(LOG_LEVEL_ERROR);
	cr_assert(mkdtemp(directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", directory);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(manager, (struct sockaddr *)&address, sizeof(address)), 0);
	front_init(&front);
	front.group.listener = &listener;
	front.group.reload = &reload;
}

static void teardown(void)
{
	health_watch_finish(&watch);
	front_finish(&front);
	close(manager);
	unlink(address.sun_path);
	rmdir(directory);
}

TestSuite(health, .init = setup, .fini = teardown);

/* What the manager was told last, if anything since the last call. */
static const char *told(void)
{
	static char text[HEALTH_STATUS_MAX];
	ssize_t n, last = 0;

	while ((n = recv(manager, text, sizeof(text) - 1, 0)) > 0)
		last = n;
	text[last] = '\0';
	return text;
}

static void start_watch(void)
{
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	cr_assert_eq(health_watch_init(&watch, front.loop, &front.group), 0);
}

Test(health, a_daemon_without_troubles_is_ready)
{
	cr_expect_str_eq(front_health(&front), "ready");
}

Test(health, without_a_listener_and_reloading_it_is_what_the_device_is)
{
	front.group.listener = NULL;
	front.group.reload = NULL;
	cr_expect_str_eq(front_health(&front), "ready");
}

Test(health, a_refused_configuration_degrades_it)
{
	reload.was_refused = true;
	cr_expect_str_eq(front_health(&front), "degraded: old_config");
}

Test(health, clients_that_are_turned_away_degrade_it_for_a_minute)
{
	uint64_t now = loop_now();
	struct health health;

	listener.turned_away_ns = now;
	strcpy(listener.turned_away_why, "out of chairs");
	health_of(&front.group, now, &health);
	cr_expect_eq(health.state, HEALTH_DEGRADED);
	cr_expect(strstr(health.texts[HEALTH_TURNED_AWAY], "out of chairs"));
	cr_expect_eq(health.until_ns, now + HEALTH_TURNED_AWAY_NS);
	health_of(&front.group, health.until_ns - 1, &health);
	cr_expect_eq(health.state, HEALTH_DEGRADED);
	health_of(&front.group, health.until_ns, &health);
	cr_expect_eq(health.state, HEALTH_READY);
	cr_expect_eq(health.until_ns, UINT64_MAX);
}

Test(health, a_quarantine_degrades_it_until_it_is_over)
{
	static const uint8_t model[32] = {1}, other[32] = {2};
	uint64_t now = loop_now(), first = 0, second;
	struct health health;

	front.scheduler.quarantine.limits = (struct quarantine_limits){
		.strikes = 1, .first_ns = 2 * SECOND, .longest_ns = 9 * SECOND};
	first = quarantine_strike(&front.scheduler.quarantine, model, 1, now);
	second = quarantine_strike(&front.scheduler.quarantine, other, 1, now + SECOND);
	health_of(&front.group, now, &health);
	cr_expect_eq(health.reasons, 1u << HEALTH_QUARANTINE);
	cr_expect_eq(health.until_ns, first);
	health_of(&front.group, first, &health);
	cr_expect_eq(health.until_ns, second);
	health_of(&front.group, second, &health);
	cr_expect_eq(health.state, HEALTH_READY);
}

Test(health, cores_that_do_not_work_degrade_it)
{
	policy_cores_set(front.scheduler.policy, 5);
	cr_expect_str_eq(front_health(&front), "degraded: cores_unused");
	policy_cores_set(front.scheduler.policy, 7);
	cr_expect_str_eq(front_health(&front), "ready");
}

Test(health, lost_memory_is_said_rather_than_a_device_that_is_gone)
{
	front.scheduler.recovery.step = RECOVERY_GONE;
	cr_expect_str_eq(front_health(&front), "degraded: device_gone");
	front.scheduler.memory_lost = true;
	cr_expect_str_eq(front_health(&front), "degraded: memory_lost");
	front.scheduler.memory_lost = false;
	front.scheduler.recovery.step = RECOVERY_RESET;
	cr_expect_str_eq(front_health(&front), "degraded: recovering");
	front.scheduler.recovery.step = RECOVERY_IDLE;
}

Test(health, stopping_is_draining_whatever_else_is_wrong)
{
	reload.was_refused = true;
	session_group_drain(&front.group);
	cr_expect_str_eq(front_health(&front), "draining: stopping old_config");
}

Test(health, how_long_it_has_been_so_is_said_if_known)
{
	char text[HEALTH_TEXT_MAX];
	struct health health;

	front.scheduler.recovery.step = RECOVERY_GONE;
	front.scheduler.recovery.began_ns = 10 * SECOND;
	health_of(&front.group, 12 * SECOND, &health);
	health_say(&health, HEALTH_DEVICE_GONE, 12 * SECOND, text);
	cr_expect(strstr(text, "(for 2.0 s)"), "%s", text);
	front.scheduler.recovery.step = RECOVERY_IDLE;
}

Test(health, every_state_and_reason_has_a_name)
{
	for (unsigned int i = 0; i < HEALTH_STATE_MAX_; i++)
		cr_expect_str_neq(health_state_name(i), "unknown");
	for (unsigned int i = 0; i < HEALTH_REASON_MAX_; i++)
		cr_expect(health_reason_name(i) && strcmp(health_reason_name(i), "unknown"));
}

Test(health, the_manager_is_told_when_it_changes_and_only_then)
{
	start_watch();
	cr_expect_str_eq(told(), "STATUS=ready");
	health_changed(&watch);
	front_settle(&front);
	cr_expect_str_eq(told(), "");
	reload.was_refused = true;
	health_changed(&watch);
	cr_expect_str_eq(told(), "", "not in the middle of things");
	front_settle(&front);
	cr_expect_eq(strncmp(told(), "STATUS=degraded: the configuration is refused", 45), 0);
	reload.was_refused = false;
	health_changed(&watch);
	front_settle(&front);
	cr_expect_str_eq(told(), "STATUS=ready");
}

Test(health, a_device_that_vanishes_and_comes_back_says_so)
{
	struct front_setup client_setup;
	struct front_packet packet;
	char heard[HEALTH_STATUS_MAX];
	int client;

	front_finish(&front);
	front_init_faulty(&front, "job 1 gone 400");
	front.scheduler.patience.recovery.reopen_tries = 2;
	front.scheduler.patience.recovery.reopen_retry_ns = SECOND / 100;
	front.scheduler.patience.recovery.gone_retry_ns = SECOND / 50;
	front.scheduler.changed = health_changed;
	front.scheduler.changed_arg = &watch;
	start_watch();
	client = front_client(&front);
	front_setup(&front, client, 64, 0, 0, &client_setup);
	cr_expect_str_eq(told(), "STATUS=ready");
	front_submit(client, client_setup.binding, 1);
	front_receive(&front, client, &packet);
	cr_expect_eq(packet.complete.status, ZY_DEVICE_GONE);
	front_packet_finish(&packet);
	front_settle(&front);
	strcpy(heard, told());
	cr_expect_str_eq(heard, "STATUS=degraded: the device is gone; zhouyid waits for it to come "
				"back");
	for (int i = 0; i < 100 && front.scheduler.recovery.step == RECOVERY_GONE; i++)
		front_settle(&front);
	front_settle(&front);
	cr_expect_str_eq(told(), "STATUS=ready");
	front_setup_finish(&client_setup);
	close(client);
	front_settle(&front);
}

Test(health, what_ends_by_itself_needs_nobody_to_say_so)
{
	start_watch();
	listener.turned_away_ns = loop_now() - HEALTH_TURNED_AWAY_NS + SECOND / 4;
	strcpy(listener.turned_away_why, "why");
	health_changed(&watch);
	front_settle(&front);
	cr_expect_str_eq(told(), "STATUS=degraded: clients are turned away: why");
	for (int i = 0; i < 50 && watch.reasons; i++)
		front_settle(&front);
	cr_expect_str_eq(told(), "STATUS=ready");
}

Test(health, all_reasons_at_once_fit_into_one_line)
{
	static const uint8_t model[32] = {1};

	reload.was_refused = true;
	listener.turned_away_ns = loop_now();
	memset(listener.turned_away_why, 'x', sizeof(listener.turned_away_why) - 1);
	policy_cores_set(front.scheduler.policy, 1);
	front.scheduler.quarantine.limits =
		(struct quarantine_limits){.strikes = 1, .first_ns = SECOND, .longest_ns = SECOND};
	quarantine_strike(&front.scheduler.quarantine, model, 1, loop_now());
	front.scheduler.recovery.step = RECOVERY_GONE;
	start_watch();
	cr_expect(strstr(told(), "xxx"));
	front.scheduler.recovery.step = RECOVERY_IDLE;
}
