/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of the scheduling policy, over random schedules on a virtual clock.
 *
 * usage: properties [--seed N] [--schedules N] [--jobs N] [--family 0..3] [--long N] [-v]
 *   --seed       of the first schedule; the next has the next number. Default: drawn
 *   --schedules  how many; default 20000
 *   --jobs       how many a schedule has at most, more or less; default 40
 *   --family     only anything (0), fairness (1), floors (2) or reservations (3)
 *   --long       further schedules of reservations, of 2,000 jobs each
 *   -v           say what happens; for one schedule
 *
 * Speaks TAP, a line for each property. What is broken is shown with the smallest
 * schedule of its seed that breaks it; `properties --family F --seed N --schedules 1
 * --jobs M -v` shows that one.
 */
#include "tests/policy/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
	uint64_t seed, schedules, longs;
	unsigned int jobs;
	int family; /* -1: all */
	bool verbose;
};

static struct world world;
static uint64_t n_broken[N_PROPERTIES], n_frames, n_frames_met, n_granted;

static enum property run(enum family family, uint64_t seed, unsigned int jobs, bool verbose)
{
	mix_make(&world, family, seed, jobs);
	world.verbose = verbose;
	world_run(&world);
	world_finish(&world);
	return world.broken;
}

/* The smallest that still breaks it, told by its number of jobs. */
static void show(enum family family, uint64_t seed, unsigned int jobs, enum property broken)
{
	for (unsigned int fewer = 1; fewer < jobs && fewer <= 100; fewer++) {
		if (run(family, seed, fewer, false) == broken) {
			jobs = fewer;
			break;
		}
	}
	run(family, seed, jobs, false);
	printf("# broken: %s\n# %s\n# with --family %d --seed %" PRIu64 " --jobs %u\n",
	       property_names[broken], world.message, family, seed, jobs);
}

static void judge(enum family family, uint64_t seed, unsigned int jobs, bool verbose)
{
	enum property broken = run(family, seed, jobs, verbose);

	n_frames += world.n_frames;
	n_frames_met += world.n_frames_met;
	n_granted += world.n_granted;
	if (broken == N_PROPERTIES)
		return;
	if (n_broken[broken]++ < 2)
		show(family, seed, jobs, broken);
}

static enum family family_of(const struct options *options, uint64_t i)
{
	static const enum family order[] = {FAMILY_ANYTHING, FAMILY_RESERVED, FAMILY_ANYTHING,
					    FAMILY_FAIR,     FAMILY_RESERVED, FAMILY_ANYTHING,
					    FAMILY_FLOORS};

	if (options->family >= 0 && options->family < N_FAMILIES)
		return (enum family)options->family;
	return order[i % (sizeof(order) / sizeof(*order))];
}

static uint64_t number(int argc, char **argv, int *i)
{
	char *end = NULL;
	uint64_t n = 0;

	if (*i + 1 < argc)
		n = strtoull(argv[++*i], &end, 10);
	if (!end || *end || end == argv[*i]) {
		fprintf(stderr, "properties: %s needs a number\n", argv[*i]);
		exit(2);
	}
	return n;
}

static void parse(struct options *options, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--seed"))
			options->seed = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--schedules"))
			options->schedules = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--long"))
			options->longs = number(argc, argv, &i);
		else if (!strcmp(argv[i], "--jobs"))
			options->jobs = (unsigned int)number(argc, argv, &i);
		else if (!strcmp(argv[i], "--family"))
			options->family = (int)number(argc, argv, &i);
		else if (!strcmp(argv[i], "-v"))
			options->verbose = true;
		else {
			fprintf(stderr, "properties: what is %s?\n", argv[i]);
			exit(2);
		}
	}
	if (!options->jobs || options->jobs > MAX_TASKS / 4) {
		fprintf(stderr, "properties: 1 to %u jobs\n", MAX_TASKS / 4);
		exit(2);
	}
}

/* One line for each property that should have been looked at. */
static bool report(const struct options *options)
{
	bool all = options->family < 0 && options->schedules >= 1000, good = true;

	for (int i = 0; i < N_PROPERTIES; i++) {
		bool holds = !n_broken[i] && (n_checked[i] || !all);

		good = good && holds;
		printf("%sok %d - %s\n# looked at %" PRIu64 " times, broken in %" PRIu64
		       " schedules\n",
		       holds ? "" : "not ", i + 1, property_names[i], n_checked[i], n_broken[i]);
	}
	printf("# %" PRIu64 " reservations granted, %" PRIu64 " of their frames ended, %" PRIu64
	       " conformed, kept to their budget and were compared with their deadline\n",
	       n_granted, n_frames, n_frames_met);
	return good;
}

int main(int argc, char **argv)
{
	struct options options = {.schedules = 20000, .jobs = 40, .family = -1};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	options.seed = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	parse(&options, argc, argv);
	printf("TAP version 13\n1..%d\n# seed %" PRIu64 ", %" PRIu64 " schedules\n", N_PROPERTIES,
	       options.seed, options.schedules + options.longs);
	for (uint64_t i = 0; i < options.schedules; i++)
		judge(family_of(&options, i), options.seed + i, options.jobs, options.verbose);
	for (uint64_t i = 0; i < options.longs; i++)
		judge(FAMILY_RESERVED, options.seed + i, 2000, options.verbose);
	return report(&options) ? 0 : 1;
}
