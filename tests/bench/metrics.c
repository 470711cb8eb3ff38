/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What metrics cost, with all places taken and all classes used: an answer and the numbers of a
 * scrape on the loop, the text on the worker.
 *
 * Prints CSV: what,round,ns, median of a round; what is answer, copy, print; then size,0,bytes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/metrics.h"

#define ROUNDS 7u
#define SAMPLES 101u
#define ANSWERS 1000u

static struct metrics_snapshot snapshot = {.backend = "soft", .target = "soft_X2_1204"};
static struct metrics live;
static metrics_place places[METRICS_MODELS];

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fill(void)
{
	static const uint8_t hash[METRICS_HASH_MAX];
	char name[32];

	metrics_init(&live);
	for (unsigned int i = 0; i < METRICS_MODELS; i++) {
		snprintf(name, sizeof(name), "some_network_v%u.elf", i);
		metrics_join(&live, &places[i], name, hash);
		for (unsigned int class = 0; class < ZY_CLASS_MAX_; class ++)
			metrics_answered(&live, places[i], (enum zy_class) class,
					 &(struct zy_complete){.run_ns = 1});
	}
}

static uint64_t answer(void)
{
	struct zy_complete complete = {0};
	uint64_t begin = now();

	for (unsigned int i = 0; i < ANSWERS; i++) {
		complete.queue_ns = complete.run_ns = complete.total_ns = UINT64_C(1) << i % 34;
		metrics_answered(&live, places[i % METRICS_MODELS], i % ZY_CLASS_MAX_, &complete);
	}
	return (now() - begin) / ANSWERS;
}

static uint64_t copy(void)
{
	uint64_t begin = now();

	metrics_copy(&snapshot.counted, &live);
	return now() - begin;
}

static size_t size;

static uint64_t print(void)
{
	uint64_t begin = now();
	char *text;

	if (metrics_print(&snapshot, &text, &size) < 0)
		abort();
	free(text);
	return now() - begin;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t (*measure)(void))
{
	uint64_t samples[SAMPLES];

	for (unsigned int i = 0; i < SAMPLES; i++)
		samples[i] = measure();
	qsort(samples, SAMPLES, sizeof(samples[0]), compare);
	return samples[SAMPLES / 2];
}

int main(void)
{
	fill();
	for (unsigned int round = 0; round < ROUNDS; round++) {
		printf("answer,%u,%" PRIu64 "\n", round, median(answer));
		printf("copy,%u,%" PRIu64 "\n", round, median(copy));
		printf("print,%u,%" PRIu64 "\n", round, median(print));
	}
	printf("size,0,%zu\n", size);
	return 0;
}
