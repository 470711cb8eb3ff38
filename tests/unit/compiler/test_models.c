/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public networks, compiled, run, and compared with what the reference runtime made of the
 * same pictures. ZHOUYI_MODELS says where they are.
 */
#include "compiler/bytes.h"
#include "compiler/compile.h"
#include "compiler/file.h"
#include "run_model.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLASSES 1001

struct sample {
	char model[64], picture[32], expected[96];
	size_t picture_size;
	int tolerance; /* integer rounding differs between correct implementations */
};

ParameterizedTestParameters(models, a_network_sees_what_the_reference_sees)
{
	static struct sample samples[] = {
		{"mobilenet_v1_0.25_128_quant.tflite", "parrot.128.rgb",
		 "parrot.mobilenet_v1_0.25_128_quant.expected", 128 * 128 * 3, 3},
		{"mobilenet_v1_0.25_128_quant.tflite", "cat.128.rgb",
		 "cat.mobilenet_v1_0.25_128_quant.expected", 128 * 128 * 3, 3},
		{"tf2_mobilenet_v2_1.0_224_ptq.tflite", "parrot.224.rgb",
		 "parrot.tf2_mobilenet_v2_1.0_224_ptq.expected", 224 * 224 * 3, 6},
		{"tf2_mobilenet_v2_1.0_224_ptq.tflite", "cat.224.rgb",
		 "cat.tf2_mobilenet_v2_1.0_224_ptq.expected", 224 * 224 * 3, 6},
	};

	return cr_make_param_array(struct sample, samples, sizeof(samples) / sizeof(samples[0]));
}

static const char *folder(void)
{
	const char *path = getenv("ZHOUYI_MODELS");

	return path ? path : "../shared/models";
}

static void load(struct bytes *ret, const char *name, size_t size)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder(), name);
	cr_assert_eq(file_read(ret, path, 1u << 30), 0, "cannot read %s", path);
	if (size)
		cr_assert_eq(ret->size, size, "%s has %zu bytes", path, ret->size);
}

static int argmax(const uint8_t *p)
{
	int best = 0;

	for (int i = 1; i < CLASSES; i++)
		if (p[i] > p[best])
			best = i;
	return best;
}

static void compare(const uint8_t *got, const uint8_t *want, int tolerance)
{
	int worst = 0;

	for (int i = 0; i < CLASSES; i++)
		if (abs(got[i] - want[i]) > worst)
			worst = abs(got[i] - want[i]);
	cr_log_info("largest difference %d, class %d\n", worst, argmax(got));
	cr_assert_eq(argmax(got), argmax(want), "class %d instead of %d", argmax(got),
		     argmax(want));
	cr_assert_leq(worst, tolerance, "a difference of %d", worst);
}

ParameterizedTest(struct sample *sample, models, a_network_sees_what_the_reference_sees)
{
	struct bytes model = {0}, picture = {0}, expected = {0};
	struct compile_result result;
	struct compile_error error;
	struct graph_target target;
	struct run_model m;

	if (access(folder(), R_OK) < 0)
		cr_skip_test("no models in %s; ZHOUYI_MODELS says where they are", folder());
	load(&model, sample->model, 0);
	load(&picture, sample->picture, sample->picture_size);
	load(&expected, sample->expected, CLASSES);

	cr_assert(graph_target_find(&target, COMPILE_DEFAULT_TARGET));
	cr_assert_eq(compile_tflite(&result, model.data, model.size, &target, &error), 0, "%s",
		     error.text);
	cr_assert_lt(result.report.arena_bytes, result.report.intermediate_bytes / 2);
	cr_assert_eq(run_model_open(&m, result.data, result.size), 0, "%s", m.error.text);
	memcpy(run_model_input(&m, 0), picture.data, picture.size);
	cr_assert_eq(run_model_run(&m), 0, "%s", m.error.text);
	compare(run_model_output(&m, 0), expected.data, sample->tolerance);

	run_model_close(&m);
	free(result.data);
	bytes_finish(&model);
	bytes_finish(&picture);
	bytes_finish(&expected);
}
