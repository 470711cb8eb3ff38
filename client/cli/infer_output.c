/* SPDX-License-Identifier: Apache-2.0 */
/* What came out: files, classes, numbers, times. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/infer.h"

static const struct zhouyi_tensor *output_at(const struct infer *infer, unsigned int i)
{
	return zhouyi_model_tensor(infer->model, ZHOUYI_OUTPUT, i);
}

static const void *output_data(const struct infer *infer, unsigned int i)
{
	return zhouyi_binding_data(infer->binding, ZHOUYI_OUTPUT, i);
}

static int write_numbered(const struct infer *infer, unsigned int i)
{
	size_t size = strlen(infer->output) + 16;
	char *path = malloc(size);
	int code;

	if (!path)
		return cli_fail(CLI_FAILED, "out of memory");
	snprintf(path, size, "%s.%u", infer->output, i);
	code = file_write(path, output_data(infer, i), output_at(infer, i)->size);
	free(path);
	return code;
}

static int write_outputs(const struct infer *infer)
{
	unsigned int n = zhouyi_model_n_tensors(infer->model, ZHOUYI_OUTPUT);

	if (n == 1)
		return file_write(infer->output, output_data(infer, 0), output_at(infer, 0)->size);
	if (strcmp(infer->output, "-") == 0)
		return cli_fail(CLI_USAGE,
				"the model has %u outputs, which do not fit into one stream: "
				"give -o a file name",
				n);
	for (unsigned int i = 0; i < n; i++) {
		int code = write_numbered(infer, i);

		if (code != CLI_OK)
			return code;
	}
	return CLI_OK;
}

/* Of n > 0 sorted numbers; @part from 0 to 1. */
static uint64_t quantile(const uint64_t *sorted, size_t n, double part)
{
	size_t i = (size_t)ceil(part * (double)n);

	return sorted[i > 0 ? i - 1 : 0];
}

/* What a tensor that is no list of scores is summed up to. */
struct summary {
	double min, max, mean;
};

static struct summary sum_up(const struct zhouyi_tensor *tensor, const void *data)
{
	struct summary s = {.min = INFINITY, .max = -INFINITY};
	size_t n = tensor_count(tensor);

	for (size_t i = 0; i < n; i++) {
		double value = tensor_value(tensor, data, i);

		s.min = value < s.min ? value : s.min;
		s.max = value > s.max ? value : s.max;
		s.mean += value / (double)n;
	}
	return s;
}

static bool wants_classes(const struct infer *infer, const struct zhouyi_tensor *tensor)
{
	return tensor_is_list(tensor) || (infer->labels_path && tensor_count(tensor) > 1);
}

/* The best, in memory that is the caller's. */
static struct ranked *best_of(const struct infer *infer, unsigned int i, size_t *ret_n)
{
	const struct zhouyi_tensor *tensor = output_at(infer, i);
	size_t n = tensor_count(tensor) < infer->top ? tensor_count(tensor) : infer->top;
	struct ranked *best = calloc(n, sizeof(*best));

	if (best)
		*ret_n = tensor_best(tensor, output_data(infer, i), best, n);
	return best;
}

static int print_classes(const struct infer *infer, unsigned int i)
{
	size_t n = 0;
	struct ranked *best = best_of(infer, i, &n);

	if (!best)
		return cli_fail(CLI_FAILED, "out of memory");
	for (size_t j = 0; j < n; j++) {
		const char *label = labels_find(&infer->labels, best[j].index);

		printf("%10.6g  %6zu%s%s\n", best[j].value, best[j].index, label[0] ? "  " : "",
		       cli_text(label));
	}
	free(best);
	return CLI_OK;
}

static int print_output(const struct infer *infer, unsigned int i)
{
	const struct zhouyi_tensor *tensor = output_at(infer, i);
	struct summary s;

	if (!infer->cli->quiet)
		printf("output %u%s%s: %s %s\n", i, tensor->name[0] ? " " : "",
		       cli_text(tensor->name), zhouyi_data_type_name(tensor->type),
		       cli_shape(tensor));
	if (wants_classes(infer, tensor))
		return print_classes(infer, i);
	if (tensor_count(tensor) == 0) {
		printf("  %zu bytes; -o writes them to a file\n", tensor->size);
		return CLI_OK;
	}
	s = sum_up(tensor, output_data(infer, i));
	printf("  %zu elements, min %.6g, mean %.6g, max %.6g\n", tensor_count(tensor), s.min,
	       s.mean, s.max);
	return CLI_OK;
}

static void print_times(const struct infer *infer)
{
	const uint64_t *l = infer->latency;
	size_t n = infer->n_runs;
	/* The output has standard output for itself. */
	FILE *out = infer->output ? stderr : stdout;

	if (infer->cli->quiet)
		return;
	if (n == 1)
		fprintf(out, "%s\n", zhouyi_result_text(&infer->result));
	else
		fprintf(out, "%zu runs: min %.3f ms, median %.3f ms, p99 %.3f ms, max %.3f ms\n", n,
			(double)l[0] / 1e6, (double)quantile(l, n, 0.5) / 1e6,
			(double)quantile(l, n, 0.99) / 1e6, (double)l[n - 1] / 1e6);
	if (infer->result.copied_bytes > 0)
		fprintf(out, "the daemon had to copy %s of tensors\n",
			cli_size(infer->result.copied_bytes));
}

/* With -o the bytes are what was asked for; with labels as well, so are the names. */
static bool wants_summary(const struct infer *infer)
{
	return !infer->output || (infer->labels_path && strcmp(infer->output, "-") != 0);
}

static int show_text(const struct infer *infer)
{
	unsigned int n = zhouyi_model_n_tensors(infer->model, ZHOUYI_OUTPUT);

	for (unsigned int i = 0; wants_summary(infer) && i < n; i++) {
		int code = print_output(infer, i);

		if (code != CLI_OK)
			return code;
	}
	print_times(infer);
	return CLI_OK;
}

/* JSON has no infinities. */
static json_t *json_value(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *json_classes(const struct infer *infer, unsigned int i)
{
	json_t *list = json_array();
	size_t n = 0;
	struct ranked *best = best_of(infer, i, &n);

	for (size_t j = 0; best && j < n; j++) {
		json_t *item = json_object();

		json_object_set_new(item, "class", cli_json_number(best[j].index));
		if (infer->labels_path)
			json_object_set_new(
				item, "label",
				cli_json_text(labels_find(&infer->labels, best[j].index)));
		json_object_set_new(item, "score", json_value(best[j].value));
		json_array_append_new(list, item);
	}
	free(best);
	return list;
}

static json_t *json_output(const struct infer *infer, unsigned int i)
{
	const struct zhouyi_tensor *tensor = output_at(infer, i);
	json_t *json = json_object(), *shape = json_array();
	struct summary s;

	for (unsigned int d = 0; d < tensor->rank; d++)
		json_array_append_new(shape, json_integer(tensor->dims[d]));
	json_object_set_new(json, "name", cli_json_text(tensor->name));
	json_object_set_new(json, "type", cli_json_text(zhouyi_data_type_name(tensor->type)));
	json_object_set_new(json, "shape", shape);
	json_object_set_new(json, "bytes", cli_json_number(tensor->size));
	if (wants_classes(infer, tensor)) {
		json_object_set_new(json, "top", json_classes(infer, i));
	} else if (tensor_count(tensor) > 0) {
		s = sum_up(tensor, output_data(infer, i));
		json_object_set_new(json, "min", json_value(s.min));
		json_object_set_new(json, "mean", json_value(s.mean));
		json_object_set_new(json, "max", json_value(s.max));
	}
	return json;
}

static json_t *json_latency(const struct infer *infer)
{
	json_t *json = json_object();
	const uint64_t *l = infer->latency;
	size_t n = infer->n_runs;

	json_object_set_new(json, "runs", cli_json_number(n));
	json_object_set_new(json, "min_ns", cli_json_number(l[0]));
	json_object_set_new(json, "median_ns", cli_json_number(quantile(l, n, 0.5)));
	json_object_set_new(json, "p99_ns", cli_json_number(quantile(l, n, 0.99)));
	json_object_set_new(json, "max_ns", cli_json_number(l[n - 1]));
	return json;
}

static json_t *json_cores(uint64_t cores)
{
	json_t *list = json_array();

	for (int i = 0; i < 64; i++)
		if (cores >> i & 1)
			json_array_append_new(list, json_integer(i));
	return list;
}

static int show_json(const struct infer *infer)
{
	const struct zhouyi_result *result = &infer->result;
	json_t *json = json_object(), *outputs = json_array();
	unsigned int n = zhouyi_model_n_tensors(infer->model, ZHOUYI_OUTPUT);

	for (unsigned int i = 0; i < n; i++)
		json_array_append_new(outputs, json_output(infer, i));
	json_object_set_new(json, "model", cli_json_text(zhouyi_model_name(infer->model)));
	json_object_set_new(json, "hash", cli_json_text(zhouyi_model_hash(infer->model)));
	json_object_set_new(json, "target", cli_json_text(zhouyi_model_target(infer->model)));
	json_object_set_new(json, "outputs", outputs);
	json_object_set_new(json, "request", cli_json_number(result->request));
	json_object_set_new(json, "queue_ns", cli_json_number(result->queue_ns));
	json_object_set_new(json, "run_ns", cli_json_number(result->run_ns));
	json_object_set_new(json, "total_ns", cli_json_number(result->total_ns));
	json_object_set_new(json, "cores", json_cores(result->cores));
	json_object_set_new(json, "late", json_boolean(result->late));
	json_object_set_new(json, "wait", cli_json_text(zhouyi_wait_name(result->wait)));
	json_object_set_new(json, "waited_for", cli_json_number(result->waited_for));
	json_object_set_new(json, "copied_bytes", cli_json_number(result->copied_bytes));
	json_object_set_new(json, "latency", json_latency(infer));
	return cli_json_print(json);
}

int infer_show(struct infer *infer)
{
	int code = infer->output ? write_outputs(infer) : CLI_OK;

	if (code != CLI_OK)
		return code;
	if (infer->cli->json && !(infer->output && strcmp(infer->output, "-") == 0))
		return show_json(infer);
	return show_text(infer);
}
