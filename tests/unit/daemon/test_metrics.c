/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/metrics.h"

static const uint8_t no_hash[METRICS_HASH_MAX];
static struct metrics_snapshot snapshot;
static struct metrics *const metrics = &snapshot.counted;

static void setup(void)
{
	snapshot = (struct metrics_snapshot){.backend = "soft", .target = "t", .n_cores = 2};
	metrics_init(metrics);
}

TestSuite(metrics, .init = setup);

/* As a model does that is loaded. */
static metrics_place join(const char *name)
{
	metrics_place place = 0;

	metrics_join(metrics, &place, name, no_hash);
	cr_assert_neq(place, 0);
	return place;
}

static void answer(metrics_place place, enum zy_status status)
{
	struct zy_complete complete = {.status = (int32_t)status, .run_ns = 1};

	metrics_answered(metrics, place, ZY_CLASS_NORMAL, &complete);
}

static char *print(void)
{
	char *text;
	size_t size;

	cr_assert_eq(metrics_print(&snapshot, &text, &size), 0);
	cr_assert_eq(strlen(text), size);
	return text;
}

/* Whether the text has this line. */
static bool says(const char *line)
{
	char *text = print(), wanted[512];
	bool found;

	snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	found = strstr(text, wanted);
	if (!found)
		fprintf(stderr, "no line %s in\n%s", line, text);
	free(text);
	return found;
}

static bool names(const char *label)
{
	char *text = print(), wanted[512];
	bool found;

	snprintf(wanted, sizeof(wanted), "model=\"%s\"", label);
	found = strstr(text, wanted);
	free(text);
	return found;
}

/*
 * Histograms
 */

#define DURATION "zhouyid_request_duration_seconds"
#define LABELS "class=\"normal\",model=\"m\""

static void take(metrics_place place, uint64_t total_ns)
{
	struct zy_complete complete = {.total_ns = total_ns};

	metrics_answered(metrics, place, ZY_CLASS_NORMAL, &complete);
}

Test(metrics, bounds_ascend)
{
	for (unsigned int i = 1; i < METRICS_BUCKETS; i++)
		cr_assert_lt(metrics_bounds_ns[i - 1], metrics_bounds_ns[i]);
}

Test(metrics, a_bucket_has_what_is_at_its_end_and_all_below)
{
	metrics_place place = join("m");

	take(place, 0);
	take(place, 50000);
	take(place, 50001);
	take(place, UINT64_C(10000000000));
	take(place, UINT64_C(10000000001));
	cr_assert(says(DURATION "_bucket{" LABELS ",le=\"5e-05\"} 2"));
	cr_assert(says(DURATION "_bucket{" LABELS ",le=\"0.0001\"} 3"));
	cr_assert(says(DURATION "_bucket{" LABELS ",le=\"5\"} 3"));
	cr_assert(says(DURATION "_bucket{" LABELS ",le=\"10\"} 4"));
	cr_assert(says(DURATION "_bucket{" LABELS ",le=\"+Inf\"} 5"));
	cr_assert(says(DURATION "_count{" LABELS "} 5"));
	cr_assert(says(DURATION "_sum{" LABELS "} 20.000100002"));
}

Test(metrics, buckets_are_called_by_their_ends)
{
	metrics_place place = join("m");
	const char *at;
	char *text;

	take(place, 0);
	text = print();
	at = strstr(text, DURATION "_bucket{");
	for (unsigned int i = 0; i < METRICS_BUCKETS; i++) {
		at = strstr(at, "le=\"") + 4;
		cr_assert_float_eq(strtod(at, NULL), (double)metrics_bounds_ns[i] / 1e9, 1e-9);
	}
	cr_assert(strncmp(strstr(at, "le=\"") + 4, "+Inf", 4) == 0);
	free(text);
}

Test(metrics, the_three_times_are_told_apart)
{
	struct zy_complete complete = {.queue_ns = 1000, .run_ns = 20000000, .total_ns = 300000000};

	metrics_answered(metrics, join("m"), ZY_CLASS_NORMAL, &complete);
	cr_assert(says("zhouyid_request_queue_seconds_sum{" LABELS "} 0.000001000"));
	cr_assert(says("zhouyid_request_run_seconds_sum{" LABELS "} 0.020000000"));
	cr_assert(says("zhouyid_request_duration_seconds_sum{" LABELS "} 0.300000000"));
}

Test(metrics, what_did_not_run_has_no_run_time)
{
	struct zy_complete complete = {.status = ZY_CANCELLED, .queue_ns = 5, .total_ns = 5};
	char *text;

	metrics_answered(metrics, join("m"), ZY_CLASS_NORMAL, &complete);
	cr_assert(says("zhouyid_request_queue_seconds_count{" LABELS "} 1"));
	text = print();
	cr_assert_null(strstr(text, "zhouyid_request_run_seconds_count"));
	free(text);
}

/*
 * What else is counted
 */

Test(metrics, results_are_counted_by_class_and_model)
{
	struct zy_complete complete = {.status = ZY_TIMEOUT};
	metrics_place a = join("a"), b = join("b");

	answer(a, ZY_OK);
	answer(a, ZY_OK);
	answer(b, ZY_OK);
	metrics_answered(metrics, b, ZY_CLASS_REALTIME, &complete);
	cr_assert(says("zhouyid_requests_total{class=\"normal\",model=\"a\",result=\"ok\"} 2"));
	cr_assert(says("zhouyid_requests_total{class=\"normal\",model=\"b\",result=\"ok\"} 1"));
	cr_assert(says(
		"zhouyid_requests_total{class=\"realtime\",model=\"b\",result=\"timeout\"} 1"));
}

Test(metrics, faults_late_answers_and_refusals_are_counted)
{
	struct zy_complete fault = {.status = ZY_DEVICE_FAULT, .fault = ZY_FAULT_MEMORY};
	struct zy_complete odd = {.status = ZY_DEVICE_FAULT, .fault = 4711};
	struct zy_complete late = {.flags = ZY_COMPLETE_LATE};
	metrics_place place = join("m");

	metrics_answered(metrics, place, ZY_CLASS_NORMAL, &fault);
	metrics_answered(metrics, place, ZY_CLASS_NORMAL, &odd);
	metrics_answered(metrics, place, ZY_CLASS_REALTIME, &late);
	metrics_refused(metrics, ZY_LIMIT);
	metrics_refused(NULL, ZY_LIMIT);
	cr_assert(says("zhouyid_device_faults_total{fault=\"memory\"} 1"));
	cr_assert(says("zhouyid_device_faults_total{fault=\"unknown\"} 1"));
	cr_assert(says("zhouyid_requests_late_total{class=\"realtime\"} 1"));
	cr_assert(says("zhouyid_requests_late_total{class=\"normal\"} 0"));
	cr_assert(says("zhouyid_requests_refused_total{result=\"limit\"} 1"));
}

Test(metrics, the_state_is_one_of_four)
{
	snapshot.health = HEALTH_DEGRADED;
	snapshot.health_reasons = 1u << HEALTH_DEVICE_GONE;
	cr_assert(says("zhouyid_health{state=\"degraded\"} 1"));
	cr_assert(says("zhouyid_health{state=\"ready\"} 0"));
	cr_assert(says("zhouyid_health{state=\"starting\"} 0"));
	cr_assert(says("zhouyid_health{state=\"draining\"} 0"));
	cr_assert(says("zhouyid_health_reason{reason=\"device_gone\"} 1"));
	cr_assert(says("zhouyid_health_reason{reason=\"quarantine\"} 0"));
}

Test(metrics, cores_have_series_of_their_own)
{
	snapshot.core_ns[1] = UINT64_C(12345678901);
	cr_assert(says("zhouyid_device_busy_seconds_total{core=\"0\"} 0.000000000"));
	cr_assert(says("zhouyid_device_busy_seconds_total{core=\"1\"} 12.345678901"));
}

/*
 * Names
 */

Test(metrics, names_are_escaped)
{
	answer(join("a\"b\\c\nd\x1b\xff\xc2\x9b\xc3\xbc\xe2\x80\xae."), ZY_OK);
	cr_assert(names("a\\\"b\\\\c\\\\x0ad\\\\x1b\\\\xff\\\\xc2\\\\x9b\xc3\xbc"
			"\\\\xe2\\\\x80\\\\xae."));
}

/* Back from a label. Returns what is behind it, or NULL if there is none. */
static const char *read_label(const char *label, char *ret)
{
	size_t n;

	for (; *label != '"'; label += n) {
		label += *label == '\\';
		n = log_printable(label);
		if (!n)
			return NULL;
		memcpy(ret, label, n);
		ret += n;
	}
	*ret = '\0';
	return label;
}

Test(metrics, no_name_breaks_the_text)
{
	char name[METRICS_NAME_MAX], label[5 * METRICS_NAME_MAX], *text;
	const char *end;

	srand(1);
	for (int i = 0; i < 20000; i++) {
		metrics_place place;

		for (size_t c = 0; c < sizeof(name) - 1; c++)
			name[c] = (char)(rand() % 4 ? rand() % 255 + 1 : "\\\"\n{"[rand() % 4]);
		name[sizeof(name) - 1] = '\0';
		setup();
		place = join(name);
		metrics->models[place - 1].classes[0].results[0] = 1;
		text = print();
		end = strstr(text, "model=\"");
		cr_assert(end);
		end = read_label(end + strlen("model=\""), label);
		cr_assert(end, "%s", text);
		cr_assert(strncmp(end, "\",result=\"ok\"} 1\n", 17) == 0, "%s", text);
		free(text);
	}
}

Test(metrics, a_model_without_a_name_is_called_by_its_hash)
{
	uint8_t hash[METRICS_HASH_MAX] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd};
	metrics_place place = 0;

	metrics_join(metrics, &place, "", hash);
	answer(place, ZY_OK);
	cr_assert(names("sha256:0123456789ab"));
}

Test(metrics, a_name_that_is_too_long_is_cut)
{
	char name[2 * METRICS_NAME_MAX] = {0};

	memset(name, 'x', sizeof(name) - 1);
	answer(join(name), ZY_OK);
	name[METRICS_NAME_MAX - 1] = '\0';
	cr_assert(names(name));
}

/*
 * Places
 */

static void fill(metrics_place places[METRICS_MODELS])
{
	char name[16];

	for (unsigned int i = 0; i < METRICS_MODELS; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		places[i] = join(name);
		answer(places[i], ZY_OK);
	}
}

Test(metrics, models_with_one_name_count_together)
{
	metrics_place a = join("m"), b = join("m"), c;

	cr_assert_eq(a, b);
	answer(a, ZY_OK);
	answer(b, ZY_OK);
	metrics_leave(metrics, &a);
	metrics_leave(metrics, &b);
	cr_assert_eq(a, 0);
	c = join("m");
	answer(c, ZY_OK);
	cr_assert(says("zhouyid_requests_total{class=\"normal\",model=\"m\",result=\"ok\"} 3"));
}

Test(metrics, joining_and_leaving_twice_is_once)
{
	metrics_place place = join("m"), before = place;

	metrics_join(metrics, &place, "another", no_hash);
	cr_assert_eq(place, before);
	metrics_leave(metrics, &place);
	metrics_leave(metrics, &place);
	metrics_leave(NULL, &place);
	cr_assert_eq(metrics->models[before - 1].n_loaded, 0);
}

Test(metrics, who_finds_no_place_is_another)
{
	metrics_place places[METRICS_MODELS], one, two;

	fill(places);
	one = join("one");
	two = join("two");
	answer(one, ZY_OK);
	answer(two, ZY_OK);
	cr_assert(says("zhouyid_requests_total{class=\"normal\",model=\"other\",result=\"ok\"} 2"));
	cr_assert_not(names("one"));
	for (unsigned int i = 0; i < METRICS_MODELS; i++)
		cr_assert_eq(metrics->models[places[i] - 1].classes[ZY_CLASS_NORMAL].results[0], 1);
	metrics_leave(metrics, &one);
	metrics_leave(metrics, &two);
	cr_assert_eq(metrics->models[0].n_loaded, 0);
}

Test(metrics, a_model_called_other_is_one)
{
	answer(join("other"), ZY_OK);
	cr_assert_eq(metrics->n_models, 1);
}

Test(metrics, the_place_of_the_unloaded_model_that_was_used_first_is_taken)
{
	metrics_place places[METRICS_MODELS];

	fill(places);
	answer(places[3], ZY_OK);
	metrics_leave(metrics, &places[3]);
	metrics_leave(metrics, &places[5]);
	answer(join("new"), ZY_OK);
	cr_assert_not(names("m5"));
	cr_assert(names("m3"));
	cr_assert(names("new"));
	cr_assert(says("zhouyid_requests_total{class=\"normal\",model=\"new\",result=\"ok\"} 1"));
	answer(join("newer"), ZY_OK);
	cr_assert_not(names("m3"));
	cr_assert_not(names("other"));
}

Test(metrics, a_place_that_nobody_needs_keeps_its_numbers)
{
	metrics_place places[METRICS_MODELS];

	fill(places);
	metrics_leave(metrics, &places[7]);
	answer(join("m7"), ZY_OK);
	cr_assert(says("zhouyid_requests_total{class=\"normal\",model=\"m7\",result=\"ok\"} 2"));
}

Test(metrics, a_copy_is_the_same)
{
	static struct metrics copy;
	metrics_place places[METRICS_MODELS];

	fill(places);
	metrics_copy(&copy, metrics);
	cr_assert_eq(memcmp(&copy, metrics, sizeof(copy)), 0);
}
