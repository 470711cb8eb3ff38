/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to requests when the device misbehaves: through sessions, on the software device. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "daemon/binding.h"
#include "daemon/loop.h"
#include "npu/isa.h"
#include "tests/unit/daemon/front.h"

#define MS UINT64_C(1000000)
#define BYTES 64u
#define MAX_JOBS 32u

static struct front front;
static struct front_setup setup;
static struct front_packet packet;
static int client;

/* What became of each request, by cookie. */
static struct {
	unsigned int answers, releases;
	int32_t status;
} outcome[MAX_JOBS];

/* Three cores; a job copies, after @delay_us; the watchdog bites after 150 ms. */
static void begin(const char *script, uint32_t delay_us)
{
	front_init_faulty(&front, script);
	front.scheduler.patience.watchdog = (struct estimate_limits){
		.factor = 10, .floor_ns = 150 * MS, .ceiling_ns = 150 * MS};
	front.scheduler.patience.recovery.abort_ns = 20 * MS;
	front.scheduler.patience.recovery.soft_reset_ns = 20 * MS;
	front.scheduler.patience.recovery.reset_ns = 20 * MS;
	client = front_client(&front);
	front_setup(&front, client, BYTES, delay_us ? NPU_OP_DELAY : 0, delay_us, &setup);
	memset(setup.memory[0], 7, BYTES);
	memset(outcome, 0, sizeof(outcome));
}

static void end(void)
{
	front_setup_finish(&setup);
	close(client);
	front_settle(&front);
	front_finish(&front);
}

static void submit(uint64_t first, unsigned int n)
{
	for (uint64_t i = first; i < first + n; i++)
		front_submit(client, setup.binding, i);
}

/* Suspects run one at a time, before all others. */
static void check_suspects(void)
{
	if (front.scheduler.n_suspects && front.scheduler.recovery.step == RECOVERY_IDLE)
		cr_assert_leq(front.scheduler.n_running, 1);
}

/* Until each of the first @n requests has been released. */
static void collect(unsigned int n)
{
	unsigned int released = 0;

	while (released < n) {
		front_receive(&front, client, &packet);
		cr_assert_eq(packet.size, (ssize_t)sizeof(packet.complete));
		cr_assert_lt(packet.complete.cookie, MAX_JOBS);
		outcome[packet.complete.cookie].answers++;
		outcome[packet.complete.cookie].status = packet.complete.status;
		if (packet.complete.flags & ZY_COMPLETE_RELEASED) {
			outcome[packet.complete.cookie].releases++;
			released++;
		}
		front_packet_finish(&packet);
		check_suspects();
	}
	for (unsigned int i = 0; i < n; i++) {
		cr_assert_eq(outcome[i].releases, 1, "request %u", i);
		cr_assert_eq(outcome[i].answers, 1, "request %u", i);
	}
}

static unsigned int count(unsigned int n, int32_t status)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < n; i++)
		found += outcome[i].status == status;
	return found;
}

static bool output_is(uint8_t byte)
{
	for (size_t i = 0; i < BYTES; i++)
		if (setup.memory[1][i] != byte)
			return false;
	return true;
}

Test(scheduler, a_job_that_hangs_costs_only_its_owner)
{
	begin("job 2 hang", 0);
	submit(0, 12);
	collect(12);
	cr_expect_eq(count(12, ZY_DEVICE_TIMEOUT), 1);
	cr_expect_eq(outcome[1].status, ZY_DEVICE_TIMEOUT);
	cr_expect_eq(count(12, ZY_OK), 11);
	cr_expect_eq(front.scheduler.counters.overrun, 1);
	cr_expect_eq(front.scheduler.counters.steps[RECOVERY_ABORT], 1);
	cr_expect_eq(front.scheduler.counters.steps[RECOVERY_SOFT_RESET], 0);
	cr_expect_eq(front.scheduler.counters.resubmitted, 0);
	end();
}

/* 40 ms each on three cores: when the hang is found, others are in the middle of theirs. */
static void climb(const char *script, enum recovery_step top)
{
	begin(script, 40000);
	submit(0, 24);
	collect(24);
	cr_expect_eq(outcome[1].status, ZY_DEVICE_TIMEOUT);
	cr_expect_eq(count(24, ZY_OK), 23);
	cr_expect_gt(front.scheduler.counters.resubmitted, 0);
	for (int step = RECOVERY_ABORT; step <= RECOVERY_REOPEN; step++)
		cr_expect_eq(front.scheduler.counters.steps[step], step <= (int)top, "%s",
			     recovery_step_name((enum recovery_step)step));
	cr_expect_eq(front.scheduler.n_suspects, 0);
	cr_expect_str_eq(front_health(&front), "ready");
	cr_expect(output_is(7));
	end();
}

Test(scheduler, a_refused_abort_leads_to_a_soft_reset_and_innocents_run_again)
{
	climb("job 2 hang\njob 2 abort-fails", RECOVERY_SOFT_RESET);
}

Test(scheduler, a_refused_soft_reset_leads_to_a_reset)
{
	climb("job 2 hang\njob 2 abort-fails\njob 2 soft-reset-fails", RECOVERY_RESET);
}

Test(scheduler, a_refused_reset_leads_to_reopening)
{
	climb("job 2 hang\njob 2 abort-fails\njob 2 soft-reset-fails\njob 2 reset-fails",
	      RECOVERY_REOPEN);
}

Test(scheduler, a_lost_completion_is_found_by_the_watchdog)
{
	begin("job 3 lose", 0);
	submit(0, 6);
	collect(6);
	cr_expect_eq(outcome[2].status, ZY_DEVICE_TIMEOUT);
	cr_expect_eq(count(6, ZY_OK), 5);
	end();
}

Test(scheduler, a_short_absence_of_the_device_costs_nobody)
{
	begin("job 4 gone 60", 5000);
	submit(0, 12);
	collect(12);
	cr_expect_eq(count(12, ZY_OK), 12);
	cr_expect_gt(front.scheduler.counters.resubmitted, 0);
	end();
}

Test(scheduler, a_long_absence_fails_what_is_there_and_refuses_what_comes)
{
	begin("job 4 gone 400", 5000);
	front.scheduler.patience.recovery.reopen_tries = 2;
	front.scheduler.patience.recovery.reopen_retry_ns = 10 * MS;
	front.scheduler.patience.recovery.gone_retry_ns = 20 * MS;
	submit(0, 12);
	collect(12);
	cr_expect_gt(count(12, ZY_DEVICE_GONE), 0);
	cr_expect_eq(count(12, ZY_DEVICE_GONE) + count(12, ZY_OK), 12);
	cr_expect_str_eq(front_health(&front), "degraded: device_gone");
	memset(outcome, 0, sizeof(outcome));
	submit(0, 1);
	collect(1);
	cr_expect_eq(outcome[0].status, ZY_DEVICE_GONE);
	for (int i = 0; i < 100 && front.scheduler.recovery.step == RECOVERY_GONE; i++)
		front_settle(&front);
	cr_expect_str_eq(front_health(&front), "ready");
	memset(outcome, 0, sizeof(outcome));
	submit(0, 6);
	collect(6);
	cr_expect_eq(count(6, ZY_OK), 6);
	end();
}

Test(scheduler, outputs_of_a_failed_run_are_poisoned)
{
	begin("job 1 exception\njob 3 hang", 0);
	submit(0, 1);
	collect(1);
	cr_expect_eq(outcome[0].status, ZY_DEVICE_FAULT);
	cr_expect(output_is(BINDING_POISON));
	submit(1, 1);
	collect(1);
	cr_expect(output_is(7), "and a good run makes them good again");
	memset(outcome, 0, sizeof(outcome));
	submit(0, 1);
	collect(1);
	cr_expect_eq(outcome[0].status, ZY_DEVICE_TIMEOUT);
	cr_expect(output_is(BINDING_POISON));
	end();
}

Test(scheduler, outputs_of_a_request_that_never_ran_stay_as_they_were)
{
	begin("every 1 hang", 0);
	memset(setup.memory[1], 9, BYTES);
	/* Six fill the device; the seventh waits, and goes with its timeout. */
	submit(0, 6);
	cr_assert_eq(front_send(client,
				&(struct zy_submit){.type = ZY_PACKET_SUBMIT,
						    .binding = setup.binding,
						    .cookie = 6,
						    .class = ZY_CLASS_INTERACTIVE,
						    .timeout_ns = 10 * MS},
				sizeof(struct zy_submit), NULL, 0),
		     0);
	front_receive(&front, client, &packet);
	cr_expect_eq(packet.complete.cookie, 6);
	cr_expect_eq(packet.complete.status, ZY_TIMEOUT);
	cr_expect(packet.complete.flags & ZY_COMPLETE_RELEASED);
	cr_expect(output_is(9));
	end();
}

Test(scheduler, a_pair_that_keeps_hanging_is_refused_for_a_while)
{
	begin("job 1 hang\njob 2 hang", 0);
	front.scheduler.quarantine.limits = (struct quarantine_limits){.strikes = 2,
								       .first_ns = 300 * MS,
								       .longest_ns = 1000 * MS,
								       .fade_ns = 100000 * MS};
	for (unsigned int i = 0; i < 2; i++) {
		memset(outcome, 0, sizeof(outcome));
		submit(0, 1);
		collect(1);
		cr_expect_eq(outcome[0].status, ZY_DEVICE_TIMEOUT, "strike %u", i);
	}
	memset(outcome, 0, sizeof(outcome));
	submit(0, 1);
	collect(1);
	cr_expect_eq(outcome[0].status, ZY_QUARANTINED);
	cr_expect_eq(front.scheduler.counters.quarantined, 1);
	usleep(350000);
	memset(outcome, 0, sizeof(outcome));
	submit(0, 1);
	collect(1);
	cr_expect_eq(outcome[0].status, ZY_OK);
	end();
}

Test(scheduler, slow_is_not_hanging_once_that_is_known)
{
	const struct model *model;

	begin("", 30000);
	/* Ten times what it took is more than the floor. */
	front.scheduler.patience.watchdog.ceiling_ns = 5000 * MS;
	submit(0, 3);
	collect(3);
	model = list_first(&front.models.models, struct model, link);
	cr_expect_geq(estimate_quantile(&model->estimate, 0.5), 30 * MS);
	cr_expect_eq(count(3, ZY_OK), 3);
	end();
}

Test(scheduler, a_model_may_have_limits_of_its_own)
{
	const struct scheduler_model_limits patient = {
		.model = "copy",
		.limits = {.factor = 10, .floor_ns = 300 * MS, .ceiling_ns = 300 * MS},
	};

	begin("job 1 hang", 0);
	front.scheduler.patience.models = &patient;
	front.scheduler.patience.n_models = 1;
	submit(0, 1);
	collect(1);
	cr_expect_eq(outcome[0].status, ZY_DEVICE_TIMEOUT);
	cr_expect_geq(packet.complete.total_ns, 300 * MS);
	end();
}

static void load(uint16_t opcode, const char *name)
{
	int image = front_image(128, opcode, 0);

	cr_assert_gt(front_load(&front, client, image, name, false), 0);
	close(image);
}

/* Before the client hears of it, and in no count of requests. */
Test(scheduler, a_model_runs_once_when_it_is_loaded)
{
	const struct model *model;

	begin("", 0);
	front_setup_finish(&setup);
	front.group.warm_up_ns = 1000 * MS;
	load(0, "warm");
	model = list_entry(front.models.models.prev, struct model, link);
	cr_expect_str_eq(model->name, "warm");
	cr_expect_eq(model->estimate.n, 1);
	cr_expect_eq(model->n_requests, 0);
	cr_expect_eq(front.scheduler.counters.accepted, 0);
	cr_expect_eq(front.scheduler.counters.answered, 0);
	close(client);
	front_settle(&front);
	front_finish(&front);
}

Test(scheduler, a_model_that_hangs_is_still_loaded)
{
	begin("", 0);
	front.group.warm_up_ns = 50 * MS;
	load(NPU_OP_HANG, "");
	cr_expect_eq(front.scheduler.n_running, 0);
	cr_expect_eq(front.scheduler.counters.overrun, 0, "nobody is to blame");
	end();
}

Test(scheduler, a_client_that_dies_in_the_middle_of_a_recovery_leaves_nothing)
{
	begin("job 2 hang\njob 2 abort-fails\njob 2 soft-reset-fails", 30000);
	submit(0, 18);
	usleep(160000);
	front_settle(&front);
	end();
}
