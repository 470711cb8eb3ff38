/* SPDX-License-Identifier: Apache-2.0 */
/* The text. Series of models and results that did not happen are left out. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/metrics.h"
#include "proto/status.h"

/* metrics_bounds_ns in seconds; most of the text is made of these. */
static const char *const bounds[METRICS_BUCKETS] = {
	"5e-05", "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025",
	"0.05",	 "0.1",	   "0.25",    "0.5",	"1",	 "2.5",	   "5",	    "10",
};

/* Each byte may become "\\xNN", with two backslashes. */
#define LABEL_MAX (5 * METRICS_NAME_MAX)

/*
 * Names of models are whatever a client says: what is not printable UTF-8 becomes \xNN, as in
 * the log, and what means something in a label gets a backslash.
 */
static void escape(char ret[static LABEL_MAX], const char *name)
{
	size_t n;

	for (; *name; name += n ? n : 1) {
		n = log_printable(name);
		if (!n) {
			ret += sprintf(ret, "\\\\x%02x", (unsigned char)*name);
			continue;
		}
		if (*name == '\\' || *name == '"')
			*ret++ = '\\';
		memcpy(ret, name, n);
		ret += n;
	}
	*ret = '\0';
}

/* Everything is counted in nanoseconds and told in seconds; exactly, so not by way of a double. */
static void put_seconds(FILE *out, uint64_t ns)
{
	fprintf(out, " %" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000u, ns % 1000000000u);
}

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP zhouyid_%s %s\n# TYPE zhouyid_%s %s\n", name, help, name, type);
}

static void gauge(FILE *out, const char *name, const char *help, uint64_t value)
{
	head(out, name, "gauge", help);
	fprintf(out, "zhouyid_%s %" PRIu64 "\n", name, value);
}

static void counter(FILE *out, const char *name, const char *help, uint64_t value)
{
	head(out, name, "counter", help);
	fprintf(out, "zhouyid_%s %" PRIu64 "\n", name, value);
}

static void labelled(FILE *out, const char *name, const char *label, const char *value, uint64_t n)
{
	fprintf(out, "zhouyid_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, n);
}

/*
 * The daemon and its device
 */

static void put_daemon(FILE *out, const struct metrics_snapshot *s)
{
	head(out, "build_info", "gauge",
	     "The version of the daemon, and what it drives; always 1.");
	fprintf(out,
		"zhouyid_build_info{version=\"" ZHOUYI_VERSION
		"\",device=\"%s\",target=\"%s\"} 1\n",
		s->backend, s->target);
	head(out, "start_time_seconds", "gauge", "When the daemon started, since 1970.");
	fprintf(out, "zhouyid_start_time_seconds %.3f\n", s->start_time);
	head(out, "health", "gauge", "1 for the state the daemon is in.");
	for (unsigned int i = 0; i < HEALTH_STATE_MAX_; i++)
		labelled(out, "health", "state", health_state_name((enum health_state)i),
			 s->health == i);
	head(out, "health_reason", "gauge", "1 for what keeps the daemon from being ready.");
	for (unsigned int i = 0; i < HEALTH_REASON_MAX_; i++)
		labelled(out, "health_reason", "reason", health_reason_name((enum health_reason)i),
			 s->health_reasons >> i & 1);
	gauge(out, "sessions", "Clients that are connected.", s->sessions);
	gauge(out, "models", "Models that are loaded.", s->loaded_models);
	gauge(out, "requests_running", "Requests on the device.", s->running);
	head(out, "requests_queued", "gauge", "Requests that wait for the device.");
	for (unsigned int i = 0; i < ZY_CLASS_MAX_; i++)
		labelled(out, "requests_queued", "class", zy_class_name(i), s->classes[i].n_queued);
}

static void put_device(FILE *out, const struct metrics_snapshot *s)
{
	gauge(out, "device_memory_bytes", "Memory of the device.", s->memory_bytes);
	gauge(out, "device_memory_used_bytes", "Memory of the device that models and buffers use.",
	      s->memory_used);
	head(out, "device_busy_seconds_total", "counter", "How long each core has worked.");
	for (unsigned int i = 0; i < s->n_cores; i++) {
		fprintf(out, "zhouyid_device_busy_seconds_total{core=\"%u\"}", i);
		put_seconds(out, s->core_ns[i]);
	}
	head(out, "class_busy_seconds_total", "counter",
	     "How long cores have worked for requests of each class.");
	for (unsigned int i = 0; i < ZY_CLASS_MAX_; i++) {
		fprintf(out, "zhouyid_class_busy_seconds_total{class=\"%s\"}", zy_class_name(i));
		put_seconds(out, s->classes[i].device_ns);
	}
}

static void put_troubles(FILE *out, const struct metrics_snapshot *s)
{
	static const char *const faults[METRICS_FAULTS] = {
		[ZY_FAULT_NONE] = "unknown",  [ZY_FAULT_EXCEPTION] = "exception",
		[ZY_FAULT_MEMORY] = "memory", [ZY_FAULT_ERROR] = "error",
		[ZY_FAULT_NO_END] = "no-end",
	};

	head(out, "device_faults_total", "counter", "Requests that failed on the device.");
	for (unsigned int i = 0; i < METRICS_FAULTS; i++)
		labelled(out, "device_faults_total", "fault", faults[i], s->counted.faults[i]);
	counter(out, "overruns_total", "Requests that the watchdog stopped.", s->overrun);
	counter(out, "resubmissions_total", "Runs that were repeated for another request's sake.",
		s->resubmitted);
	counter(out, "preemptions_total", "Runs that were stopped for a reservation's sake.",
		s->preempted);
	gauge(out, "quarantines", "Pairs of a user and a model that are refused for a while.",
	      s->quarantines);
	head(out, "recovery_steps_total", "counter", "What was done to get the device to work.");
	for (unsigned int i = RECOVERY_ABORT; i < RECOVERY_STEP_MAX_; i++)
		labelled(out, "recovery_steps_total", "step", recovery_step_name(i), s->steps[i]);
	counter(out, "recoveries_total", "How often the device got to work again.", s->recoveries);
	head(out, "recovery_longest_seconds", "gauge", "How long that took at most.");
	fputs("zhouyid_recovery_longest_seconds", out);
	put_seconds(out, s->recovery_max_ns);
}

/*
 * Requests
 */

static void put_results(FILE *out, const struct metrics_model *model, const char *label)
{
	for (unsigned int class = 0; class < ZY_CLASS_MAX_; class ++)
		for (int status = 0; status < ZY_STATUS_MAX_; status++)
			if (model->classes[class].results[status])
				fprintf(out,
					"zhouyid_requests_total{class=\"%s\",model=\"%s\",result="
					"\"%s\"} %" PRIu64 "\n",
					zy_class_name(class), label, zy_status_name(status),
					model->classes[class].results[status]);
}

static void put_histogram(FILE *out, const char *name, const char *labels,
			  const struct metrics_histogram *histogram)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < METRICS_BUCKETS; i++) {
		sum += histogram->buckets[i];
		fprintf(out, "zhouyid_%s_bucket{%s,le=\"%s\"} %" PRIu64 "\n", name, labels,
			bounds[i], sum);
	}
	sum += histogram->buckets[METRICS_BUCKETS];
	fprintf(out, "zhouyid_%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\nzhouyid_%s_sum{%s}", name,
		labels, sum, name, labels);
	put_seconds(out, histogram->sum_ns);
	fprintf(out, "zhouyid_%s_count{%s} %" PRIu64 "\n", name, labels, sum);
}

static bool is_empty(const struct metrics_histogram *histogram)
{
	for (unsigned int i = 0; i <= METRICS_BUCKETS; i++)
		if (histogram->buckets[i])
			return false;
	return true;
}

static void put_histograms(FILE *out, const char *name, const struct metrics_model *model,
			   const char *label, size_t offset)
{
	char labels[LABEL_MAX + 64];

	for (unsigned int class = 0; class < ZY_CLASS_MAX_; class ++) {
		const char *requests = (const char *)&model->classes[class];
		const struct metrics_histogram *histogram = (const void *)(requests + offset);

		if (is_empty(histogram))
			continue;
		snprintf(labels, sizeof(labels), "class=\"%s\",model=\"%s\"", zy_class_name(class),
			 label);
		put_histogram(out, name, labels, histogram);
	}
}

static void put_times(FILE *out, const struct metrics *counted, char labels[][LABEL_MAX])
{
	static const struct {
		const char *name, *help;
		size_t offset; /* in struct metrics_requests */
	} times[] = {
		{"request_queue_seconds", "From accepting a request to starting it.",
		 offsetof(struct metrics_requests, queue)},
		{"request_run_seconds", "How long requests ran on the device.",
		 offsetof(struct metrics_requests, run)},
		{"request_duration_seconds", "From accepting a request to its answer.",
		 offsetof(struct metrics_requests, duration)},
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		head(out, times[i].name, "histogram", times[i].help);
		for (unsigned int m = 0; m < counted->n_models; m++)
			put_histograms(out, times[i].name, &counted->models[m], labels[m],
				       times[i].offset);
	}
}

static void put_requests(FILE *out, const struct metrics_snapshot *s)
{
	const struct metrics *counted = &s->counted;
	char labels[1 + METRICS_MODELS][LABEL_MAX];

	for (unsigned int i = 0; i < counted->n_models; i++)
		escape(labels[i], counted->models[i].name);
	counter(out, "requests_accepted_total", "Requests that were accepted.", s->accepted);
	counter(out, "requests_answered_total", "Of those, the ones that were answered.",
		s->answered);
	head(out, "requests_refused_total", "counter", "Requests that were not accepted.");
	for (int i = 0; i < ZY_STATUS_MAX_; i++)
		if (counted->refused[i])
			labelled(out, "requests_refused_total", "result", zy_status_name(i),
				 counted->refused[i]);
	head(out, "requests_late_total", "counter",
	     "Requests that succeeded after their deadline.");
	for (unsigned int i = 0; i < ZY_CLASS_MAX_; i++)
		labelled(out, "requests_late_total", "class", zy_class_name(i), counted->late[i]);
	head(out, "requests_total", "counter", "Requests that were answered.");
	for (unsigned int i = 0; i < counted->n_models; i++)
		put_results(out, &counted->models[i], labels[i]);
	put_times(out, counted, labels);
	counter(out, "copied_bytes_total", "Bytes of tensors that the daemon copied.",
		s->copied_bytes);
}

int metrics_print(const struct metrics_snapshot *snapshot, char **ret, size_t *ret_size)
{
	FILE *out = open_memstream(ret, ret_size);
	bool failed;

	if (!out)
		return -ENOMEM;
	put_daemon(out, snapshot);
	put_device(out, snapshot);
	put_troubles(out, snapshot);
	put_requests(out, snapshot);
	failed = ferror(out);
	if (fclose(out) == 0 && !failed)
		return 0;
	free(*ret);
	return -ENOMEM;
}
