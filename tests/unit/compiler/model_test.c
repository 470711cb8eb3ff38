/* SPDX-License-Identifier: Apache-2.0 */
#include "model_test.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void model_test_seed(void)
{
	const char *text = getenv("ZHOUYI_SEED");
	unsigned int s = text ? (unsigned int)strtoul(text, NULL, 0) : (unsigned int)time(NULL);

	cr_log_info("ZHOUYI_SEED=%u\n", s);
	srand(s);
}

double model_test_random(double low, double high)
{
	return low + (high - low) * rand() / RAND_MAX;
}

size_t sample_size(const struct sample *s)
{
	size_t n = 1;

	for (int i = 0; s->dims[i]; i++)
		n *= (size_t)s->dims[i];
	cr_assert_leq(n, MODEL_TEST_MAX);
	return n;
}

static void set_dims(struct sample *s, const int32_t *dims)
{
	int i = 0;

	memset(s->dims, 0, sizeof(s->dims));
	for (; dims[i]; i++)
		s->dims[i] = dims[i];
}

void sample_fill(struct sample *s, uint8_t type, float scale, int32_t zero, const int32_t *dims)
{
	s->type = type;
	s->scale = scale;
	s->zero = zero;
	set_dims(s, dims);
	for (size_t i = 0; i < sample_size(s); i++)
		s->data[i] = (uint8_t)rand();
}

static int stored(const struct sample *s, size_t i)
{
	return s->type == TFLITE_INT8 ? (int8_t)s->data[i] : s->data[i];
}

double sample_real(const struct sample *s, size_t i)
{
	return (double)s->scale * (stored(s, i) - s->zero);
}

void sample_fit(struct sample *s, uint8_t type, const double *real, size_t n, const int32_t *dims)
{
	double low = 0, high = 0;

	for (size_t i = 0; i < n; i++) {
		low = fmin(low, real[i]);
		high = fmax(high, real[i]);
	}
	s->type = type;
	s->scale = (float)((high - low) / 250 + 1e-6);
	s->zero = (int32_t)lround(-low / (double)s->scale) - (type == TFLITE_INT8 ? 128 : 0);
	set_dims(s, dims);
}

int sample_add(struct builder *b, const char *name, const struct sample *s)
{
	return builder_tensor(b, name, s->type, s->scale, s->zero, s->dims);
}

struct compile_result model_test_compile(struct builder *b)
{
	struct compile_result result = {0};
	struct compile_error error = {""};
	struct graph_target target;
	int r;

	builder_write(b);
	cr_assert(graph_target_find(&target, COMPILE_DEFAULT_TARGET));
	r = compile_tflite(&result, b->data, b->size, &target, &error);
	cr_assert_eq(r, 0, "%s", error.text);
	return result;
}

void model_test_run(struct builder *b, const struct sample *const *inputs, size_t n_inputs,
		    struct sample *output)
{
	struct compile_result result = model_test_compile(b);
	struct run_model m;

	cr_assert_eq(run_model_open(&m, result.data, result.size), 0, "%s", m.error.text);
	for (uint32_t i = 0; i < n_inputs; i++)
		memcpy(run_model_input(&m, i), inputs[i]->data, sample_size(inputs[i]));
	cr_assert_eq(run_model_run(&m), 0, "%s", m.error.text);
	memcpy(output->data, run_model_output(&m, 0), sample_size(output));
	run_model_close(&m);
	free(result.data);
}

void model_test_compare(const struct sample *output, const double *real, double low, double high,
			int tolerance, const char *what)
{
	int first = output->type == TFLITE_INT8 ? -128 : 0;

	for (size_t i = 0; i < sample_size(output); i++) {
		double bounded = fmin(fmax(real[i], low), high);
		double want = round(bounded / (double)output->scale) + output->zero;

		want = fmin(fmax(want, first), first + 255);
		cr_assert_leq(fabs(want - stored(output, i)), tolerance,
			      "%s: element %zu is %d instead of %g", what, i, stored(output, i),
			      want);
	}
}
