/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of the scheduling policy, over random schedules on a virtual clock.
 *
 * usage: properties [--seed N] [--schedules N] [--jobs N] [--family 0..3] [--long N]
 *                   [--processes N] [-v]
 *   --seed       of the first schedule; the next has the next number. Default: drawn
 *   --schedules  how many; default 10000
 *   --jobs       how many a schedule has at most, more or less; default 40
 *   --family     only anything (0), fairness (1), floors (2) or reservations (3)
 *   --long       further schedules of reservations, of 2,000 jobs each
 *   --processes  among which they are shared; default 1
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct options {
	uint64_t seed, schedules, longs;
	unsigned int jobs, processes;
	int family; /* -1: all */
	bool verbose;
};

/* What came of it. */
struct totals {
	uint64_t n_checked[N_PROPERTIES], n_broken[N_PROPERTIES];
	uint64_t n_frames, n_frames_met, n_granted;
};

static struct world world;
static struct totals totals;

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

	totals.n_frames += world.n_frames;
	totals.n_frames_met += world.n_frames_met;
	totals.n_granted += world.n_granted;
	if (broken == N_PROPERTIES)
		return;
	if (totals.n_broken[broken]++ < 2)
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
		else if (!strcmp(argv[i], "--processes"))
			options->processes = (unsigned int)number(argc, argv, &i);
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
	if (!options->jobs || options->jobs > MAX_TASKS / 4 || !options->processes ||
	    options->processes > 64) {
		fprintf(stderr, "properties: 1 to %u jobs, 1 to 64 processes\n", MAX_TASKS / 4);
		exit(2);
	}
}

/* One line for each property that should have been looked at. */
static bool report(const struct options *options)
{
	bool all = options->family < 0 && options->schedules >= 1000, good = true;

	for (int i = 0; i < N_PROPERTIES; i++) {
		bool holds = !totals.n_broken[i] && (totals.n_checked[i] || !all);

		good = good && holds;
		printf("%sok %d - %s\n# looked at %" PRIu64 " times, broken in %" PRIu64
		       " schedules\n",
		       holds ? "" : "not ", i + 1, property_names[i], totals.n_checked[i],
		       totals.n_broken[i]);
	}
	printf("# %" PRIu64 " reservations granted, %" PRIu64 " of their frames ended, %" PRIu64
	       " conformed, kept to their budget and were compared with their deadline\n",
	       totals.n_granted, totals.n_frames, totals.n_frames_met);
	return good;
}

/* Every @step-th, from @first on. */
static void judge_some(const struct options *options, uint64_t first, uint64_t step)
{
	for (uint64_t i = first; i < options->schedules; i += step)
		judge(family_of(options, i), options->seed + i, options->jobs, options->verbose);
	for (uint64_t i = first; i < options->longs; i += step)
		judge(FAMILY_RESERVED, options->seed + i, 2000, options->verbose);
	memcpy(totals.n_checked, n_checked, sizeof(n_checked));
}

static void add(const struct totals *more)
{
	for (int i = 0; i < N_PROPERTIES; i++) {
		totals.n_checked[i] += more->n_checked[i];
		totals.n_broken[i] += more->n_broken[i];
	}
	totals.n_frames += more->n_frames;
	totals.n_frames_met += more->n_frames_met;
	totals.n_granted += more->n_granted;
}

/* False: a process did not come to an end. */
static bool share_out(const struct options *options)
{
	struct totals some;
	bool good = true;
	int fds[2];

	if (pipe(fds) < 0)
		return false;
	fflush(stdout);
	for (unsigned int i = 0; i < options->processes; i++) {
		if (fork() != 0)
			continue;
		judge_some(options, i, options->processes);
		fflush(stdout);
		_exit(write(fds[1], &totals, sizeof(totals)) != sizeof(totals));
	}
	close(fds[1]);
	/* Short enough that each arrives in one piece. */
	for (unsigned int i = 0; i < options->processes; i++) {
		if (read(fds[0], &some, sizeof(some)) == sizeof(some))
			add(&some);
		else
			good = false;
	}
	while (wait(NULL) > 0)
		;
	close(fds[0]);
	return good;
}

int main(int argc, char **argv)
{
	struct options options = {.schedules = 10000, .jobs = 40, .family = -1, .processes = 1};
	struct timespec now;
	bool good = true;

	setvbuf(stdout, NULL, _IOLBF, 0);
	clock_gettime(CLOCK_REALTIME, &now);
	options.seed = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	parse(&options, argc, argv);
	printf("TAP version 13\n1..%d\n# seed %" PRIu64 ", %" PRIu64 " schedules\n", N_PROPERTIES,
	       options.seed, options.schedules + options.longs);
	if (options.processes > 1)
		good = share_out(&options);
	else
		judge_some(&options, 0, 1);
	if (!good)
		printf("# a process ended before its schedules did\n");
	return report(&options) && good ? 0 : 1;
}
