/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of operators: random tensors, a model around one operator, and the comparison of
 * what the compiled model computes with real arithmetic.
 */
#pragma once

#include "compiler/compile.h"
#include "run_model.h"
#include "tflite_builder.h"

#include <stddef.h>
#include <stdint.h>

#define MODEL_TEST_MAX 8192

/* A quantized tensor with contents. */
struct sample {
	uint8_t type;
	float scale;
	int32_t zero;
	int32_t dims[6]; /* end with 0 */
	uint8_t data[MODEL_TEST_MAX];
};

/* Seed rand() from ZHOUYI_SEED or the clock, and say how. */
void model_test_seed(void);
double model_test_random(double low, double high);

size_t sample_size(const struct sample *s);
/* Random contents; @dims end with 0. */
void sample_fill(struct sample *s, uint8_t type, float scale, int32_t zero, const int32_t *dims);
/* What element @i stands for. */
double sample_real(const struct sample *s, size_t i);
/* Choose scale and zero point so that @n real values fit. */
void sample_fit(struct sample *s, uint8_t type, const double *real, size_t n, const int32_t *dims);

/* Add the tensor to a model under construction. */
int sample_add(struct builder *b, const char *name, const struct sample *s);

/* Compile what @b describes; asserts that it works. */
struct compile_result model_test_compile(struct builder *b);
/* Compile, run with @inputs, and leave the first output in @output->data. */
void model_test_run(struct builder *b, const struct sample *const *inputs, size_t n_inputs,
		    struct sample *output);

/* Assert that @output is @real, within @tolerance stored units. */
void model_test_compare(const struct sample *output, const double *real, double low, double high,
			int tolerance, const char *what);
