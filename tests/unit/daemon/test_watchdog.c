/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/watchdog.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/loop.h"
#include "tests/unit/daemon/front.h"

#define MS UINT64_C(1000000)

static char directory[] = "/tmp/zhouyi-watchdog.XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int manager;

static struct front front;
static struct front_setup setup;
static struct front_packet packet;
static struct watchdog watchdog;
static int client;

/* A service manager, and a daemon that is to say something every 50 ms. */
static void begin(const char *script)
{
	char pid[16];

	log_open(LOG_LEVEL_ERROR);
	cr_assert(mkdtemp(directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", directory);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(manager, (struct sockaddr *)&address, sizeof(address)), 0);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	setenv("WATCHDOG_USEC", "200000", 1);
	setenv("WATCHDOG_PID", pid, 1);

	front_init_faulty(&front, script);
	front.scheduler.patience.watchdog =
		(struct estimate_limits){.factor = 10, .floor_ns = 50 * MS, .ceiling_ns = 50 * MS};
	front.scheduler.patience.recovery.abort_ns = 20 * MS;
	front.scheduler.patience.recovery.soft_reset_ns = 20 * MS;
	front.scheduler.patience.recovery.reset_ns = 20 * MS;
	client = front_client(&front);
	front_setup(&front, client, 64, 0, 0, &setup);
}

static void end(void)
{
	watchdog_finish(&watchdog);
	front_setup_finish(&setup);
	close(client);
	front_settle(&front);
	front_finish(&front);
	close(manager);
	unlink(address.sun_path);
	rmdir(directory);
}

/* What the manager was told since the last call. */
struct told {
	unsigned int alive, trigger;
	bool trigger_was_last;
};

static struct told told(void)
{
	struct told ret = {0};
	char text[64];
	ssize_t n;

	while ((n = recv(manager, text, sizeof(text) - 1, 0)) > 0) {
		text[n] = '\0';
		ret.trigger_was_last = strcmp(text, "WATCHDOG=trigger") == 0;
		ret.trigger += ret.trigger_was_last;
		ret.alive += strcmp(text, "WATCHDOG=1") == 0;
	}
	return ret;
}

static void stop(void *arg)
{
	loop_stop(arg);
}

static void run(unsigned int ms)
{
	struct loop_timer *timer;

	cr_assert_eq(loop_timer_create(&timer, front.loop, stop, front.loop), 0);
	loop_timer_set(timer, loop_now() + ms * MS);
	cr_assert_eq(loop_run(front.loop), 0);
	loop_timer_destroy(timer);
}

/* Until the request has been released. */
static int32_t outcome(void)
{
	bool released = false;
	int32_t status = -1;

	while (!released) {
		front_receive(&front, client, &packet);
		cr_assert_eq(packet.size, (ssize_t)sizeof(packet.complete));
		status = packet.complete.status;
		released = packet.complete.flags & ZY_COMPLETE_RELEASED;
		front_packet_finish(&packet);
	}
	return status;
}

static void start(void)
{
	cr_assert_eq(watchdog_init(&watchdog, front.loop, &front.scheduler), 0);
}

Test(watchdog, a_loop_that_goes_round_says_so)
{
	struct told heard;

	begin("");
	start();
	run(520);
	heard = told();
	cr_expect_geq(heard.alive, 4);
	cr_expect_leq(heard.alive, 11);
	cr_expect_eq(heard.trigger, 0);
	usleep(300000);
	cr_expect_eq(told().alive, 0, "one that stands still does not");
	end();
}

Test(watchdog, nobody_is_told_who_did_not_ask)
{
	begin("");
	setenv("WATCHDOG_PID", "1", 1);
	start();
	cr_expect_null(watchdog.timer);
	unsetenv("WATCHDOG_PID");
	setenv("WATCHDOG_USEC", "nonsense", 1);
	start();
	cr_expect_null(watchdog.timer);
	unsetenv("WATCHDOG_USEC");
	start();
	cr_expect_null(watchdog.timer);
	end();
}

Test(watchdog, a_job_that_hangs_is_the_schedulers_business)
{
	begin("job 1 hang\njob 1 abort-fails\njob 1 soft-reset-fails");
	start();
	watchdog.device_ns = 300 * MS;
	front_submit(client, setup.binding, 1);
	cr_expect_eq(outcome(), ZY_DEVICE_TIMEOUT);
	run(400);
	cr_expect_eq(told().trigger, 0);
	end();
}

/* Half a second of trying to reopen, and then it is looked for every 250 ms. */
Test(watchdog, a_device_that_keeps_its_jobs_is_not_passed_over_in_silence)
{
	struct told heard;

	begin("job 1 hang\njob 1 abort-fails\njob 1 soft-reset-fails\njob 1 reset-fails\n"
	      "job 1 reopen-busy 16");
	start();
	watchdog.device_ns = 300 * MS;
	front_submit(client, setup.binding, 1);
	run(900);
	heard = told();
	cr_expect_gt(heard.alive, 0, "there was hope");
	cr_expect_eq(heard.trigger, 1, "asked to be restarted, once");
	cr_expect(heard.trigger_was_last, "and not a word after that");
	run(400);
	heard = told();
	cr_expect_eq(heard.alive + heard.trigger, 0);
	run(1500);
	heard = told();
	cr_expect_gt(heard.alive, 0, "a device that comes back all the same is welcome");
	cr_expect_eq(heard.trigger, 0);
	outcome();
	end();
}

Test(watchdog, a_device_that_is_gone_with_nothing_on_it_is_waited_for)
{
	struct told heard;

	begin("job 1 gone 1500");
	start();
	watchdog.device_ns = 300 * MS;
	front_submit(client, setup.binding, 1);
	cr_expect_eq(outcome(), ZY_DEVICE_GONE);
	cr_expect_str_eq(front_health(&front), "degraded: device_gone");
	run(500);
	heard = told();
	cr_expect_eq(heard.trigger, 0);
	cr_expect_gt(heard.alive, 0);
	run(800);
	end();
}
