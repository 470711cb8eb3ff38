/* SPDX-License-Identifier: Apache-2.0 */
/* Running a model, perhaps often. */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/args.h"
#include "client/cli/infer.h"

/* Only who waits longer wants to be told. */
#define PROGRESS_AFTER_NS 1000000000u
#define PROGRESS_EVERY_NS 200000000u

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct progress {
	bool wanted, shown;
	uint64_t next; /* time to show it again */
};

static void progress_show(struct progress *progress, size_t n, size_t total, uint64_t now)
{
	if (!progress->wanted || now < progress->next)
		return;
	fprintf(stderr, "\r%zu of %zu", n, total);
	progress->shown = true;
	progress->next = now + PROGRESS_EVERY_NS;
}

static void progress_clear(const struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int run_once(struct infer *infer, uint64_t *now)
{
	uint64_t begin = *now;
	int r;

	if (infer->deadline_ns)
		infer->options.deadline_ns = begin + infer->deadline_ns;
	r = zhouyi_run(infer->binding, &infer->options, &infer->result);

	*now = now_ns();
	if (r == 0)
		infer->latency[infer->n_runs++] = *now - begin;
	return r;
}

static int fail_run(const struct infer *infer, int r)
{
	if (r == -ZHOUYI_ERROR_INVALID && infer->options.core_mask != 0)
		return cli_fail(CLI_FAILED,
				"no core that may run it is in --core-mask 0x%" PRIx64
				" (see: zhouyi-cli device)",
				infer->options.core_mask);
	if (r == -ZHOUYI_ERROR_INVALID && infer->options.n_cores > 1)
		return cli_fail(CLI_FAILED,
				"the device has no %u cores that may run it together "
				"(see: zhouyi-cli device)",
				infer->options.n_cores);
	if (r == -ZHOUYI_ERROR_DEADLINE_REFUSED)
		return cli_fail(CLI_FAILED,
				"a --deadline of %s cannot be met (see: zhouyi-cli plan)",
				args_time_text(infer->deadline_ns));
	if (r == -ZHOUYI_ERROR_LIMIT)
		return cli_fail(CLI_FAILED, "%s (see: zhouyi-cli accounts)",
				cli_text(zhouyi_client_error(infer->client)));
	if (r == -ZHOUYI_ERROR_NO_ROOM)
		return cli_fail(CLI_FAILED, "%s (see: zhouyi-cli plan)",
				cli_text(zhouyi_client_error(infer->client)));
	return cli_fail_call(infer->client, r, infer->model_name);
}

int infer_run(struct infer *infer)
{
	struct progress progress = {
		.wanted = infer->repeat > 1 && !infer->cli->quiet && isatty(STDERR_FILENO),
	};
	uint64_t now = now_ns();
	int r = 0;

	infer->latency = calloc(infer->repeat, sizeof(*infer->latency));
	if (!infer->latency)
		return cli_fail(CLI_FAILED, "out of memory");
	progress.next = now + PROGRESS_AFTER_NS;
	while (r == 0 && infer->n_runs < infer->repeat) {
		r = run_once(infer, &now);
		progress_show(&progress, infer->n_runs, infer->repeat, now);
	}
	progress_clear(&progress);
	if (r < 0)
		return fail_run(infer, r);
	qsort(infer->latency, infer->n_runs, sizeof(*infer->latency), compare);
	return CLI_OK;
}
