/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/fault.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/device.h"
#include "npu/engine.h"
#include "proto/entry.h"
#include "tests/unit/daemon/hand_job.h"

#define LONG_MS 10000
#define BIT(kind) (1u << FAULT_##kind)

static uint64_t now_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static unsigned int seed(void)
{
	const char *text = getenv("ZHOUYI_SEED");
	unsigned int value =
		text ? (unsigned int)strtoul(text, NULL, 0) : (unsigned int)now_ms(CLOCK_REALTIME);

	fprintf(stderr, "ZHOUYI_SEED=%u\n", value);
	return value;
}

/*
 * Scripts
 */

static struct fault_script *script_of(const char *text)
{
	struct fault_script *script = NULL;
	struct loadable_error error;

	cr_assert_eq(fault_script_parse(&script, text, &error), 0, "%s", error.text);
	return script;
}

Test(fault, each_fault_is_understood_with_its_number)
{
	static const struct {
		const char *text;
		enum fault_kind kind;
		uint64_t value;
	} faults[] = {
		{"hang", FAULT_HANG, 0},
		{"slow 2", FAULT_SLOW, 2},
		{"slow 1000", FAULT_SLOW, 1000},
		{"exception", FAULT_EXCEPTION, 0},
		{"lose", FAULT_LOSE, 0},
		{"abort-fails", FAULT_ABORT_FAILS, 0},
		{"soft-reset-fails", FAULT_SOFT_RESET_FAILS, 0},
		{"reset-fails", FAULT_RESET_FAILS, 0},
		{"reopen-busy 3", FAULT_REOPEN_BUSY, 3},
		{"gone 1", FAULT_GONE, 1},
		{"gone 86400000", FAULT_GONE, 86400000},
	};
	char text[100];

	for (size_t i = 0; i < NPU_ARRAY_SIZE(faults); i++) {
		struct fault_script *script;
		struct fault_set set;

		snprintf(text, sizeof(text), "job 7 %s", faults[i].text);
		script = script_of(text);
		set = fault_script_at(script, 7);
		cr_expect_eq(set.faults, 1u << faults[i].kind, "%s", text);
		cr_expect_eq(set.value[faults[i].kind], faults[i].value, "%s", text);
		cr_expect_eq(fault_script_at(script, 6).faults, 0);
		cr_expect_eq(fault_script_at(script, 8).faults, 0);
		cr_expect_eq(fault_script_at(script, 14).faults, 0);
		fault_script_destroy(script);
	}
}

Test(fault, lines_say_when)
{
	struct fault_script *script = script_of("every 3 hang\n"
						"every 4 from 2 lose\n"
						"every 1 from 11 exception\n"
						"job 12 abort-fails");

	for (uint64_t i = 1; i <= 40; i++) {
		uint32_t expected = (i % 3 == 0 ? BIT(HANG) : 0) | (i % 4 == 2 ? BIT(LOSE) : 0) |
				    (i >= 11 ? BIT(EXCEPTION) : 0) |
				    (i == 12 ? BIT(ABORT_FAILS) : 0);

		cr_expect_eq(fault_script_at(script, i).faults, expected, "job %d", (int)i);
	}
	fault_script_destroy(script);
}

Test(fault, the_largest_job_number_is_one)
{
	struct fault_script *script = script_of("job 18446744073709551615 hang\n"
						"every 18446744073709551615 lose");

	cr_expect_eq(fault_script_at(script, UINT64_MAX).faults, BIT(HANG) | BIT(LOSE));
	cr_expect_eq(fault_script_at(script, UINT64_MAX - 1).faults, 0);
	fault_script_destroy(script);
}

Test(fault, layout_and_comments_do_not_matter_and_the_last_number_counts)
{
	struct fault_script *script = script_of("# all about job 7\r\n"
						"\n"
						" \t\n"
						"\tjob  7 slow\t9 # first\r\n"
						"job 7 hang# at once\n"
						"#job 8 hang\n"
						"job 7 slow 4");
	struct fault_set set = fault_script_at(script, 7);

	cr_expect_eq(set.faults, BIT(SLOW) | BIT(HANG));
	cr_expect_eq(set.value[FAULT_SLOW], 4);
	cr_expect_eq(fault_script_at(script, 8).faults, 0);
	fault_script_destroy(script);
	script = script_of("");
	cr_expect_eq(fault_script_at(script, 1).faults, 0);
	fault_script_destroy(script);
	fault_script_destroy(NULL);
}

Test(fault, many_lines_are_kept)
{
	char text[100 * 20];
	struct fault_script *script;
	int n = 0;

	for (int i = 1; i <= 100; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "job %d slow %d\n", i, i + 1);
	script = script_of(text);
	for (uint64_t i = 1; i <= 100; i++)
		cr_expect_eq(fault_script_at(script, i).value[FAULT_SLOW], i + 1);
	fault_script_destroy(script);
}

Test(fault, what_is_wrong_is_said_with_its_line)
{
	static const char *const bad[][2] = {
		{"never 7 hang", "line 3: 'never': a line begins with job N"},
		{"hang", "line 3: 'hang': a line begins with job N"},
		{"Job 7 hang", "line 3: 'Job': a line begins"},
		{"job", "line 3: 'job' needs N"},
		{"job hang", "line 3: 'hang' is no N: a number from 1"},
		{"job 0 hang", "line 3: '0' is no N: a number from 1"},
		{"job -1 hang", "line 3: '-1' is no N"},
		{"job +1 hang", "line 3: '+1' is no N"},
		{"job 7x hang", "line 3: '7x' is no N"},
		{"job 18446744073709551616 hang", "line 3: '18446744073709551616' is no N"},
		{"every", "line 3: 'every' needs N"},
		{"every 0 hang", "line 3: '0' is no N"},
		{"every 2 from", "line 3: 'from' needs M"},
		{"every 2 from 0 hang", "line 3: '0' is no M"},
		{"every 2 from hang", "line 3: 'hang' is no M"},
		{"job 2 from 3 hang", "line 3: 'from' is no fault"},
		{"job 7", "line 3: there is no fault behind '7'"},
		{"every 2 from 3", "line 3: there is no fault behind '3'"},
		{"job 7 explode", "line 3: 'explode' is no fault: hang, slow,"},
		{"job 7 hangs", "line 3: 'hangs' is no fault"},
		{"job 7 slow", "line 3: 'slow' needs FACTOR"},
		{"job 7 slow 1", "line 3: '1' is no FACTOR: a number from 2 to 1000 is"},
		{"job 7 slow 1001", "line 3: '1001' is no FACTOR"},
		{"job 7 slow 2.5", "line 3: '2.5' is no FACTOR"},
		{"job 7 reopen-busy", "line 3: 'reopen-busy' needs COUNT"},
		{"job 7 reopen-busy 0", "line 3: '0' is no COUNT"},
		{"job 7 gone", "line 3: 'gone' needs MILLISECONDS"},
		{"job 7 gone 0", "line 3: '0' is no MILLISECONDS"},
		{"job 7 gone 86400001", "line 3: '86400001' is no MILLISECONDS"},
		{"job 7 hang 3", "line 3: nothing may follow 'hang', but '3' does"},
		{"job 7 hang lose", "line 3: nothing may follow 'hang', but 'lose' does"},
		{"every 2 from 3 slow 4 5 6", "line 3: nothing may follow '4', but '5' does"},
	};
	char text[200];

	for (size_t i = 0; i < NPU_ARRAY_SIZE(bad); i++) {
		struct fault_script *script = NULL;
		struct loadable_error error;

		snprintf(text, sizeof(text), "job 1 hang\n# comment\n%s\njob 0", bad[i][0]);
		cr_expect_eq(fault_script_parse(&script, text, &error), -EINVAL, "%s", bad[i][0]);
		cr_expect_null(script);
		cr_expect_eq(strncmp(error.text, bad[i][1], strlen(bad[i][1])), 0, "%s: %s",
			     bad[i][0], error.text);
	}
}

Test(fault, scripts_come_from_files)
{
	char path[] = "/tmp/test-fault-XXXXXX";
	int fd = mkstemp(path);
	struct fault_script *script = NULL;
	struct loadable_error error;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, "job 2 hang\n", 11), 11);
	cr_assert_eq(fault_script_load(&script, path, &error), 0, "%s", error.text);
	cr_expect_eq(fault_script_at(script, 2).faults, BIT(HANG));
	fault_script_destroy(script);
	script = NULL;
	cr_assert_eq(write(fd, "job 3\n", 6), 6);
	cr_expect_eq(fault_script_load(&script, path, &error), -EINVAL);
	cr_expect_eq(strncmp(error.text, "line 2: ", 8), 0, "%s", error.text);
	cr_assert_eq(pwrite(fd, "", 1, 4), 1);
	cr_expect_eq(fault_script_load(&script, path, &error), -EINVAL, "a zero byte");
	cr_assert_eq(ftruncate(fd, (1 << 20) + 1), 0);
	cr_expect_eq(fault_script_load(&script, path, &error), -EFBIG);
	cr_expect_eq(fault_script_load(&script, "/tmp", &error), -EIO);
	unlink(path);
	close(fd);
	cr_expect_eq(fault_script_load(&script, path, &error), -ENOENT);
	cr_expect_str_eq(error.text, "No such file or directory");
	cr_expect_null(script);
}

/*
 * The device
 */

static struct fault_script *script;
static struct device *device;
static struct hand_job hand[6];
static uint64_t used; /* device memory, before anything was made */

/* A device that follows @text, and jobs that copy and then wait for @delay_us. */
static void open_with(const char *text, unsigned int cores, uint32_t delay_us)
{
	struct device_soft_config config = {1, 1, cores, 4, UINT64_C(1) << 20, NULL};
	struct npu_insn program[] = {hand_copy(4096), hand_insn(NPU_OP_DELAY, delay_us),
				     hand_insn(NPU_OP_END, 0)};
	const char *reason;

	script = script_of(text);
	config.faults = script;
	cr_assert_eq(device_open(&device, "soft", &config, &reason), 0);
	used = device_memory_used(device);
	for (size_t i = 0; i < NPU_ARRAY_SIZE(hand); i++) {
		hand_job_init(&hand[i], device, program, 1, true);
		hand[i].job.cookie = i;
		memset(hand[i].in->cpu, 0x40 + (int)i, 4096);
	}
}

static void close_all(void)
{
	struct device_event event;

	cr_expect_eq(device_collect(device, &event, 1), 0, "an event too many");
	for (size_t i = 0; i < NPU_ARRAY_SIZE(hand); i++)
		hand_job_finish(&hand[i]);
	cr_expect_eq(device_memory_used(device), used);
	device_close(device);
	fault_script_destroy(script);
}

static void submit(size_t i)
{
	cr_assert_eq(device_submit(device, &hand[i].job), 0);
}

static struct device_event next_event(void)
{
	struct device_event event = {0};

	cr_assert(hand_wait(device, &event, LONG_MS), "no event");
	return event;
}

static void expect_event(size_t i, enum device_result result)
{
	struct device_event event = next_event();

	cr_expect_eq(event.cookie, i, "%d instead of %zu", (int)event.cookie, i);
	cr_expect_eq(event.result, result, "%d instead of %d", event.result, result);
	if (result != DEVICE_FAULTED)
		cr_expect_eq(event.fault.class, ZY_FAULT_NONE);
}

static void expect_silence(int ms)
{
	struct device_event event;

	cr_expect_not(hand_wait(device, &event, ms), "an event");
}

static bool has_output(size_t i)
{
	return hand[i].out->cpu[0] == 0x40 + i && hand[i].out->cpu[4095] == 0x40 + i;
}

Test(fault, a_hanging_job_holds_its_core_and_sleeps_until_it_is_aborted)
{
	uint64_t cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	struct device_event event;

	open_with("job 2 hang", 1, 0);
	submit(0);
	expect_event(0, DEVICE_DONE);
	submit(1);
	submit(2);
	expect_silence(200);
	cr_expect_lt(now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu, 100);
	cr_expect_eq(device_abort(device, 1), 0);
	event = next_event();
	cr_expect_eq(event.cookie, 1);
	cr_expect_eq(event.result, DEVICE_ABORTED);
	cr_expect_geq(event.run_ns, 190000000);
	cr_expect_eq(event.cores, 1);
	cr_expect_not(has_output(1));
	expect_event(2, DEVICE_DONE);
	cr_expect(has_output(2));
	close_all();
}

Test(fault, a_slow_job_takes_that_many_times_as_long)
{
	uint64_t cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	struct device_event event;

	open_with("job 1 slow 10", 1, 40000);
	submit(0);
	event = next_event();
	cr_expect_eq(event.result, DEVICE_DONE);
	cr_expect_geq(event.run_ns, 400000000);
	cr_expect_lt(event.run_ns, 2000000000);
	cr_expect_lt(now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu, 100);
	cr_expect(has_output(0));
	submit(1);
	cr_expect_lt(next_event().run_ns, 400000000);
	close_all();
}

Test(fault, a_slow_job_is_aborted_at_once)
{
	uint64_t began;

	open_with("job 1 slow 1000", 1, 20000);
	submit(0);
	expect_silence(60);
	began = now_ms(CLOCK_MONOTONIC);
	cr_expect_eq(device_abort(device, 0), 0);
	expect_event(0, DEVICE_ABORTED);
	cr_expect_lt(now_ms(CLOCK_MONOTONIC) - began, 1000);
	close_all();
}

Test(fault, an_exception_is_reported_like_one_of_a_program)
{
	struct device_event event;

	open_with("every 2 exception", 3, 0);
	hand[1].job.core_mask = 4;
	submit(0);
	expect_event(0, DEVICE_DONE);
	submit(1);
	event = next_event();
	cr_expect_eq(event.result, DEVICE_FAULTED);
	cr_expect_eq(event.fault.class, ZY_FAULT_EXCEPTION);
	cr_expect_eq(event.fault.code, NPU_REASON_RAISED);
	cr_expect_eq(event.fault.core, 2);
	cr_expect_eq(event.fault.insn, 0);
	cr_expect_eq(event.fault.tcbp, (uint32_t)(hand[1].job.last_task - device->caps.asid0_base));
	cr_expect_not(has_output(1));
	submit(1);
	expect_event(1, DEVICE_DONE);
	close_all();
}

Test(fault, a_lost_completion_is_heard_of_when_somebody_stops_the_job)
{
	open_with("job 1 lose\njob 2 lose\njob 2 exception\njob 3 lose", 2, 0);
	submit(0);
	submit(1);
	submit(2);
	expect_silence(100);
	cr_expect(has_output(0), "the work is done");
	submit(3);
	expect_event(3, DEVICE_DONE);
	cr_expect_eq(device_abort(device, 0), 0);
	expect_event(0, DEVICE_ABORTED);
	cr_expect_eq(device_abort(device, 1), 0);
	expect_event(1, DEVICE_ABORTED);
	cr_expect_eq(device_soft_reset(device), 0);
	expect_event(2, DEVICE_ABORTED);
	close_all();
}

Test(fault, a_rung_is_refused_once)
{
	open_with("job 1 hang\njob 1 abort-fails\njob 2 hang\njob 2 soft-reset-fails\n"
		  "job 3 hang\njob 3 reset-fails",
		  3, 0);
	submit(0);
	cr_expect_eq(device_abort(device, 0), -EIO);
	expect_silence(50);
	cr_expect_eq(device_abort(device, 0), 0);
	expect_event(0, DEVICE_ABORTED);
	submit(1);
	cr_expect_eq(device_soft_reset(device), -EIO);
	expect_silence(50);
	cr_expect_eq(device_soft_reset(device), 0);
	expect_event(1, DEVICE_ABORTED);
	submit(2);
	cr_expect_eq(device_reset(device), -EIO);
	expect_silence(50);
	cr_expect_eq(device_reset(device), 0);
	expect_event(2, DEVICE_ABORTED);
	close_all();
}

Test(fault, what_nothing_stops_ends_with_reopening)
{
	open_with("job 2 hang\njob 2 abort-fails\njob 2 soft-reset-fails\njob 2 reset-fails\n"
		  "job 2 reopen-busy 2\njob 3 lose",
		  2, 0);
	submit(0);
	expect_event(0, DEVICE_DONE);
	submit(1);
	submit(2);
	cr_expect_eq(device_abort(device, 1), -EIO);
	cr_expect_eq(device_soft_reset(device), -EIO);
	cr_expect_eq(device_reset(device), -EIO);
	cr_expect_eq(device_reopen(device), -EBUSY);
	cr_expect_eq(device_reopen(device), -EBUSY);
	expect_silence(50);
	cr_expect_eq(device_reopen(device), 0);
	for (unsigned int seen = 0; seen != 6;) {
		struct device_event event = next_event();

		cr_expect_eq(event.result, DEVICE_LOST);
		cr_assert_not(seen & 1u << event.cookie, "reported twice");
		seen |= 1u << event.cookie;
	}
	memset(hand[1].out->cpu, 0, 4096);
	for (size_t i = 0; i < 6; i++) {
		submit(i);
		expect_event(i, DEVICE_DONE);
		cr_expect(has_output(i), "buffers keep addresses and content");
	}
	close_all();
}

Test(fault, reopening_an_idle_device_loses_nothing)
{
	struct device_counter before[16], after[16];
	size_t n;

	open_with("job 100 hang", 3, 0);
	submit(0);
	expect_event(0, DEVICE_DONE);
	n = device_counters(device, before, NPU_ARRAY_SIZE(before));
	cr_expect_eq(device_reopen(device), 0);
	cr_expect_eq(device_counters(device, after, NPU_ARRAY_SIZE(after)), n);
	for (size_t i = 0; i < n; i++)
		cr_expect_eq(before[i].value, after[i].value, "%s", before[i].name);
	submit(1);
	expect_event(1, DEVICE_DONE);
	close_all();
}

Test(fault, without_a_script_reopening_stops_whatever_runs)
{
	struct device *plain = hand_device(2);
	struct npu_insn program[] = {hand_insn(NPU_OP_HANG, 0), hand_insn(NPU_OP_END, 0)};
	struct hand_job jobs[4];
	struct device_event event;

	for (size_t i = 0; i < 4; i++) {
		hand_job_init(&jobs[i], plain, program, 2, false);
		cr_assert_eq(device_submit(plain, &jobs[i].job), 0);
	}
	cr_expect_eq(device_reopen(plain), 0);
	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(device_collect(plain, &event, 1), 1, "all is quiet by then");
		cr_expect_eq(event.result, DEVICE_LOST);
	}
	*hand_job_insn(&jobs[0], 0) = hand_insn(NPU_OP_DELAY, 1);
	cr_assert_eq(device_submit(plain, &jobs[0].job), 0);
	cr_assert(hand_wait(plain, &event, LONG_MS));
	cr_expect_eq(event.result, DEVICE_DONE);
	for (size_t i = 0; i < 4; i++)
		hand_job_finish(&jobs[i]);
	device_close(plain);
}

Test(fault, a_device_that_is_gone_comes_back_after_so_long)
{
	uint64_t began;
	unsigned int seen = 0;
	int r;

	open_with("job 1 hang\njob 3 gone 300\njob 3 reopen-busy 1\njob 4 exception", 2, 300000);
	submit(0);
	submit(1);
	began = now_ms(CLOCK_MONOTONIC);
	submit(2);
	for (int i = 0; i < 3; i++) {
		struct device_event event = next_event();

		cr_expect_eq(event.result, DEVICE_LOST);
		cr_expect_eq(event.fault.class, ZY_FAULT_NONE);
		cr_expect_not(seen & 1u << event.cookie);
		seen |= 1u << event.cookie;
	}
	cr_expect_eq(seen, 7);
	cr_expect_eq(device_submit(device, &hand[3].job), -ENODEV);
	cr_expect_eq(device_abort(device, 0), -ENODEV);
	cr_expect_eq(device_soft_reset(device), -ENODEV);
	cr_expect_eq(device_reset(device), -ENODEV);
	while ((r = device_reopen(device)) == -ENODEV)
		usleep(5000);
	cr_expect_eq(r, -EBUSY, "an old owner lingers, once it is there again");
	cr_expect_geq(now_ms(CLOCK_MONOTONIC) - began, 299);
	cr_expect_eq(device_submit(device, &hand[3].job), -ENODEV);
	cr_expect_eq(device_reopen(device), 0);
	submit(3);
	expect_event(3, DEVICE_FAULTED);
	submit(4);
	expect_event(4, DEVICE_DONE);
	close_all();
}

Test(fault, a_refused_job_has_no_number)
{
	open_with("job 2 exception\njob 3 gone 1", 1, 0);
	hand[0].job.core_mask = 0;
	cr_expect_eq(device_submit(device, &hand[0].job), -EINVAL);
	submit(1);
	expect_event(1, DEVICE_DONE);
	submit(2);
	expect_event(2, DEVICE_FAULTED);
	submit(3);
	expect_event(3, DEVICE_LOST);
	cr_expect_eq(device_submit(device, &hand[4].job), -ENODEV);
	usleep(2000);
	cr_expect_eq(device_reopen(device), 0);
	submit(4);
	expect_event(4, DEVICE_DONE);
	close_all();
}

Test(fault, closing_waits_for_no_fault)
{
	open_with("every 2 hang\nevery 2 from 1 lose\nevery 1 abort-fails\n"
		  "every 1 soft-reset-fails\nevery 1 reset-fails",
		  2, 0);
	for (size_t i = 0; i < 4; i++)
		submit(i);
	device_close(device);
	fault_script_destroy(script);
}

/*
 * Anything at any time
 */

/* What the test knows of each of its jobs. */
static struct {
	bool on_its_way;
	unsigned int n_events;
} known[NPU_ARRAY_SIZE(hand)];

static unsigned int state, n_done;

static unsigned int pick(unsigned int n)
{
	return (unsigned int)rand_r(&state) % n;
}

static void collect(int timeout_ms)
{
	struct pollfd p = {.fd = device->fd, .events = POLLIN};
	struct device_event event;

	if (poll(&p, 1, timeout_ms) != 1)
		return;
	while (device_collect(device, &event, 1) == 1) {
		cr_assert_lt(event.cookie, NPU_ARRAY_SIZE(hand));
		cr_assert(known[event.cookie].on_its_way, "reported twice");
		known[event.cookie].on_its_way = false;
		if (event.result != DEVICE_FAULTED)
			cr_assert_eq(event.fault.class, ZY_FAULT_NONE);
		if (event.result == DEVICE_DONE) {
			cr_assert(has_output(event.cookie));
			n_done++;
		}
		/* A core that still wrote would be noticed by the next round, or by a sanitizer. */
		memset(hand[event.cookie].out->cpu, 0, 4096);
	}
}

static bool any_on_its_way(void)
{
	for (size_t i = 0; i < NPU_ARRAY_SIZE(hand); i++)
		if (known[i].on_its_way)
			return true;
	return false;
}

static bool is_one_of(int r, const int *allowed)
{
	while (*allowed && *allowed != r)
		allowed++;
	return *allowed == r;
}

static void do_anything(void)
{
	static const int submit_errors[] = {-EAGAIN, -ENODEV, 0};
	static const int rung_errors[] = {-EIO, -ENODEV, 0};
	static const int abort_errors[] = {-EIO, -ENODEV, -ENOENT, 0};
	static const int reopen_errors[] = {-EBUSY, -ENODEV, 0};
	unsigned int i = pick(NPU_ARRAY_SIZE(hand));
	int r;

	switch (pick(14)) {
	default:
		if (known[i].on_its_way)
			break;
		r = device_submit(device, &hand[i].job);
		cr_assert(is_one_of(r, submit_errors), "%d", r);
		known[i].on_its_way = r == 0;
		break;
	case 0:
	case 1:
		cr_assert(is_one_of(device_abort(device, i), abort_errors));
		break;
	case 2:
		cr_assert(is_one_of(device_soft_reset(device), rung_errors));
		break;
	case 3:
		cr_assert(is_one_of(device_reset(device), rung_errors));
		break;
	case 4:
		cr_assert(is_one_of(device_reopen(device), reopen_errors));
		break;
	case 5:
	case 6:
	case 7:
		collect((int)pick(3));
		break;
	}
}

/* Up the ladder until nothing is on its way. */
static void clear_up(void)
{
	int r;

	for (size_t i = 0; i < NPU_ARRAY_SIZE(hand); i++)
		if (known[i].on_its_way)
			device_abort(device, i);
	collect(1);
	device_soft_reset(device);
	device_reset(device);
	for (int tries = 0; (r = device_reopen(device)) < 0; tries++) {
		cr_assert_lt(tries, 1000, "it does not come back");
		usleep(1000);
	}
	collect(0);
	cr_assert_not(any_on_its_way(), "a job without an event");
}

static void write_any_script(char *text, size_t size)
{
	static const char *const faults[] = {
		"hang",	       "slow 3",	   "slow 50",	  "exception",	   "lose",
		"abort-fails", "soft-reset-fails", "reset-fails", "reopen-busy 2", "gone 2",
	};
	int n = 0;

	for (unsigned int i = 0; i < 8; i++)
		n += snprintf(text + n, size - (size_t)n, "every %u from %u %s\n", 3 + pick(40),
			      1 + pick(10), faults[pick(NPU_ARRAY_SIZE(faults))]);
}

Test(fault, whatever_goes_wrong_each_job_has_one_event)
{
	char text[1000];

	state = seed();
	for (int round = 0; round < 200; round++) {
		write_any_script(text, sizeof(text));
		open_with(text, 1 + pick(3), pick(300));
		for (int i = 0; i < 60; i++)
			do_anything();
		clear_up();
		close_all();
	}
	cr_expect_gt(n_done, 200, "%u jobs were done", n_done);
}
