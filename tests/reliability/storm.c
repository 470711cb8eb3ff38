/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that keep the device busy while a fault script breaks it, and that take
 * nothing on trust: every request has a payload of its own, every answer is counted,
 * every byte of every output is looked at, when it is answered and once more before
 * it is used again.
 *
 * usage: storm kinds                            the faults there are, one a line
 *        storm script KIND N SEED               a fault script that injects one N times
 *        storm run SOCKET MODEL KIND N SEED LIMIT_MS
 *
 * The daemon of `run` plays the script of the same KIND, N and SEED, its watchdog
 * waits for LIMIT_MS, nobody else uses it, and MODEL copies. Prints a row of a table.
 * Exit status 1 if a promise was broken; standard error says which.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "tests/reliability/storm_client.h"
#include "zhouyi-client.h"

#define ACCEPTABLE SECOND /* beyond the watchdog's limit */
/* Jobs before the first fault and after the last one. */
#define FIRST_JOB 200u
#define TAIL_JOBS 50u

/*
 * The faults
 */

struct kind {
	const char *name;
	const char *title;
	const char *faults[6];
	enum zy_status status; /* what its victim is answered; ZY_OK: it is not to notice */
	const char *rung;      /* counter of the rung that helps, or NULL */
	/*
	 * Jobs between two faults. Those that need a reset are further apart than what
	 * the other cores can do until the watchdog bites: else one reset would mend two.
	 */
	unsigned int near, far;
};

static const struct kind kinds[] = {
	{"slow", "10 times as slow", {"slow 10"}, ZY_OK, NULL, 20, 200},
	{"exception", "illegal instruction", {"exception"}, ZY_DEVICE_FAULT, NULL, 20, 200},
	{"hang", "hang", {"hang"}, ZY_DEVICE_TIMEOUT, "aborts", 20, 400},
	{"crawl", "1000 times as slow", {"slow 1000"}, ZY_DEVICE_TIMEOUT, "aborts", 20, 400},
	{"lose", "completion lost", {"lose"}, ZY_DEVICE_TIMEOUT, "aborts", 20, 400},
	{"abort-fails",
	 "hang, abort fails",
	 {"hang", "abort-fails"},
	 ZY_DEVICE_TIMEOUT,
	 "soft resets",
	 250,
	 350},
	{"soft-reset-fails",
	 "and soft reset fails",
	 {"hang", "abort-fails", "soft-reset-fails"},
	 ZY_DEVICE_TIMEOUT,
	 "device resets",
	 250,
	 350},
	{"reset-fails",
	 "and device reset fails",
	 {"hang", "abort-fails", "soft-reset-fails", "reset-fails"},
	 ZY_DEVICE_TIMEOUT,
	 "reopenings",
	 250,
	 350},
	{"reopen-busy",
	 "and it is busy for two reopenings",
	 {"hang", "abort-fails", "soft-reset-fails", "reset-fails", "reopen-busy 2"},
	 ZY_DEVICE_TIMEOUT,
	 "reopenings",
	 250,
	 350},
	{"gone", "device gone for 30 ms", {"gone 30"}, ZY_OK, "reopenings", 60, 160},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* The job that the next fault befalls. */
static uint64_t next_job(const struct kind *kind, uint64_t job, uint64_t *state)
{
	return job + kind->near + next_random(state) % (kind->far - kind->near + 1);
}

static uint64_t last_job(const struct kind *kind, unsigned int n, uint64_t seed)
{
	uint64_t state = seed_state(seed), job = FIRST_JOB;

	for (unsigned int i = 0; i < n; i++)
		job = next_job(kind, job, &state);
	return job;
}

static void print_script(const struct kind *kind, unsigned int n, uint64_t seed)
{
	uint64_t state = seed_state(seed), job = FIRST_JOB;

	for (unsigned int i = 0; i < n; i++) {
		job = next_job(kind, job, &state);
		for (size_t j = 0; kind->faults[j]; j++)
			printf("job %" PRIu64 " %s\n", job, kind->faults[j]);
	}
}

/*
 * The judge
 */

struct counters {
	uint64_t accepted, answered, overrun, resubmitted;
	uint64_t aborts, soft_resets, resets, reopenings;
};

struct trial {
	const struct kind *kind;
	const char *socket;
	const char *model;
	unsigned int n;
	uint64_t seed;
	uint64_t limit_ns;
	struct shared *shared;
	pid_t pids[CLIENTS];
	struct tally sum;
	struct counters counters; /* of the trial */
	uint64_t jobs;		  /* given to the device in all */
	unsigned int broken;	  /* promises */
};

__attribute__((format(printf, 2, 3))) static void broken(struct trial *trial, const char *format,
							 ...)
{
	va_list args;

	fprintf(stderr, "storm: %s: ", trial->kind->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	trial->broken++;
}

static uint64_t find_counter(const struct zhouyi_counter *counters, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(counters[i].name, name) == 0)
			return counters[i].value;
	fprintf(stderr, "storm: the daemon has no counter '%s'\n", name);
	exit(1);
}

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "storm: %s: %s\n", what, zhouyi_strerror(r));
	exit(1);
}

static struct counters read_counters(struct zhouyi_client *client)
{
	struct zhouyi_status *status;
	struct counters ret;

	must(zhouyi_status_get(client, &status), "status");
#define COUNTER(name) find_counter(status->counters, status->n_counters, name)
	ret = (struct counters){
		.accepted = status->accepted,
		.answered = status->answered,
		.overrun = COUNTER("overrun"),
		.resubmitted = COUNTER("resubmitted"),
		.aborts = COUNTER("aborts"),
		.soft_resets = COUNTER("soft resets"),
		.resets = COUNTER("device resets"),
		.reopenings = COUNTER("reopenings"),
	};
#undef COUNTER
	zhouyi_free(status);
	return ret;
}

static uint64_t read_jobs(struct zhouyi_client *client)
{
	struct zhouyi_device *device;
	uint64_t jobs;

	must(zhouyi_device_get(client, &device), "device");
	jobs = find_counter(device->counters, device->n_counters, "jobs");
	zhouyi_free(device);
	return jobs;
}

static void start_clients(struct trial *trial)
{
	for (unsigned int i = 0; i < CLIENTS; i++) {
		struct client client = {
			.peer = {.name = "storm", .image = trial->model},
			.shared = trial->shared,
			.tally = &trial->shared->tallies[i],
			.limit_ns = trial->limit_ns,
			.id = i,
		};

		trial->pids[i] = fork();
		if (trial->pids[i] < 0)
			peer_fail("fork");
		if (trial->pids[i] == 0) {
			client_main(&client, trial->socket);
			_exit(0);
		}
	}
}

/* Until the script has been played, and the last fault has had its effect. */
static void wait_for_script(struct trial *trial, struct zhouyi_client *client)
{
	uint64_t until = now_ns() + 60 * SECOND + trial->n * 2 * SECOND;
	uint64_t last = last_job(trial->kind, trial->n, trial->seed) + TAIL_JOBS;

	while ((trial->jobs = read_jobs(client)) < last && now_ns() < until &&
	       !atomic_load(&trial->shared->stop))
		usleep(10000);
	if (trial->jobs < last)
		broken(trial, "only %" PRIu64 " of %" PRIu64 " jobs were run", trial->jobs, last);
	usleep((useconds_t)(2 * trial->limit_ns / 1000));
}

static void stop_clients(struct trial *trial)
{
	atomic_store(&trial->shared->stop, true);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		const struct tally *tally = &trial->shared->tallies[i];
		int status;

		if (waitpid(trial->pids[i], &status, 0) < 0 || !WIFEXITED(status) ||
		    WEXITSTATUS(status))
			broken(trial, "client %u did not come to its end", i);
		trial->sum.submitted += tally->submitted;
		trial->sum.answered += tally->answered;
		trial->sum.lost += tally->lost;
		trial->sum.duplicated += tally->duplicated;
		trial->sum.wrong += tally->wrong;
		for (size_t j = 0; j < ZY_STATUS_MAX_; j++)
			trial->sum.status[j] += tally->status[j];
	}
}

static void run(struct trial *trial)
{
	struct zhouyi_client *client;
	struct counters before, after;

	must(zhouyi_client_open(&client, trial->socket), "open");
	before = read_counters(client);
	zhouyi_client_close(client);
	start_clients(trial);
	must(zhouyi_client_open(&client, trial->socket), "open");
	wait_for_script(trial, client);
	stop_clients(trial);
	after = read_counters(client);
	zhouyi_client_close(client);
	trial->counters = (struct counters){
		.accepted = after.accepted - before.accepted,
		.answered = after.answered - before.answered,
		.overrun = after.overrun - before.overrun,
		.resubmitted = after.resubmitted - before.resubmitted,
		.aborts = after.aborts - before.aborts,
		.soft_resets = after.soft_resets - before.soft_resets,
		.resets = after.resets - before.resets,
		.reopenings = after.reopenings - before.reopenings,
	};
}

static void judge_answers(struct trial *trial)
{
	const struct tally *sum = &trial->sum;
	const struct counters *counters = &trial->counters;

	if (sum->lost || sum->duplicated || sum->wrong)
		broken(trial, "%" PRIu64 " lost, %" PRIu64 " duplicated, %" PRIu64 " wrong",
		       sum->lost, sum->duplicated, sum->wrong);
	if (sum->answered + sum->lost != sum->submitted)
		broken(trial, "%" PRIu64 " submitted, %" PRIu64 " answered", sum->submitted,
		       sum->answered);
	if (counters->accepted != sum->submitted || counters->answered != counters->accepted)
		broken(trial,
		       "the daemon counts %" PRIu64 " accepted and %" PRIu64
		       " answered of %" PRIu64,
		       counters->accepted, counters->answered, sum->submitted);
	if (counters->overrun != sum->status[ZY_DEVICE_TIMEOUT])
		broken(trial, "%" PRIu64 " overran, %" PRIu64 " were told", counters->overrun,
		       sum->status[ZY_DEVICE_TIMEOUT]);
}

static void judge_errors(struct trial *trial)
{
	const struct tally *sum = &trial->sum;
	const enum zy_status status = trial->kind->status;

	for (int i = 1; i < ZY_STATUS_MAX_; i++)
		/* On a busy machine an honest run may overrun, too: that shows in the table. */
		if (sum->status[i] && i != (int)status && i != ZY_DEVICE_TIMEOUT)
			broken(trial, "%" PRIu64 " were answered: %s", sum->status[i],
			       zhouyi_strerror(i));
	if (status == ZY_DEVICE_FAULT && sum->status[status] != trial->n)
		broken(trial, "%u faults, but %" PRIu64 " victims", trial->n, sum->status[status]);
	/* A reset for another's sake may mend one. */
	if (status != ZY_OK && sum->status[status] < (trial->n + 1) / 2)
		broken(trial, "%u faults, but only %" PRIu64 " victims", trial->n,
		       sum->status[status]);
}

static void judge_rungs(struct trial *trial)
{
	const struct counters *c = &trial->counters;
	const char *rung = trial->kind->rung;
	uint64_t taken;

	if (!rung)
		return;
	taken = strcmp(rung, "aborts") == 0	   ? c->aborts
		: strcmp(rung, "soft resets") == 0 ? c->soft_resets
		: strcmp(rung, "reopenings") == 0  ? c->reopenings
						   : c->resets;
	if (taken < (trial->n + 1) / 2)
		broken(trial, "only %" PRIu64 " %s for %u faults", taken, rung, trial->n);
	/* While a reopening is waited for, what else was on the device ends by itself. */
	if (strcmp(rung, "aborts") != 0 && strcmp(trial->kind->name, "reopen-busy") != 0 &&
	    !c->resubmitted)
		broken(trial, "nothing was run again");
}

/*
 * Times
 */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct times {
	uint64_t *ns; /* sorted in the end */
	size_t n;
};

static struct times times_create(size_t max)
{
	struct times ret = {.ns = calloc(max + 1, sizeof(uint64_t))};

	if (!ret.ns)
		peer_fail("calloc");
	return ret;
}

static void times_print(struct trial *trial, struct times *times, const char *what)
{
	qsort(times->ns, times->n, sizeof(*times->ns), compare);
	if (!times->n) {
		printf(" – |");
		return;
	}
	printf(" %.1f, %.1f |", (double)times->ns[times->n / 2] / 1e6,
	       (double)times->ns[times->n - 1] / 1e6);
	if (times->ns[times->n - 1] > ACCEPTABLE)
		broken(trial, "%s took up to %.1f ms", what, (double)times->ns[times->n - 1] / 1e6);
}

/* The first success at @ns or later; @n if there is none. */
static size_t find_success(const uint64_t *success, size_t n, uint64_t ns)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (success[middle] < ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * The longest time in which nobody else got a result, from the victim's limit until one
 * came after its answer; 0 if none came any more.
 */
static uint64_t find_silence(const uint64_t *success, size_t n, const struct victim *victim)
{
	uint64_t end = victim->limit_ns + victim->after_ns, last = victim->limit_ns, longest = 0;
	size_t i = find_success(success, n, victim->limit_ns);

	for (; i < n; i++) {
		longest = success[i] - last > longest ? success[i] - last : longest;
		last = success[i];
		if (last >= end)
			return longest;
	}
	return 0;
}

/* If nobody is to notice: the longest silences, as many as there were faults. */
static void find_silences(struct times *ret, const uint64_t *success, size_t n, size_t wanted)
{
	struct times all = times_create(n);

	for (size_t i = 1; i < n; i++)
		all.ns[all.n++] = success[i] - success[i - 1];
	qsort(all.ns, all.n, sizeof(*all.ns), compare);
	for (size_t i = all.n > wanted ? all.n - wanted : 0; i < all.n; i++)
		ret->ns[ret->n++] = all.ns[i];
	free(all.ns);
}

static void print_times(struct trial *trial)
{
	struct shared *shared = trial->shared;
	size_t n = atomic_load(&shared->n_successes), n_victims = atomic_load(&shared->n_victims);
	struct times after, others;

	if (n > MAX_SUCCESSES || n_victims > MAX_VICTIMS) {
		broken(trial, "more answers than there is room for");
		return;
	}
	after = times_create(n_victims);
	others = times_create(n_victims + trial->n);
	qsort(shared->success_ns, n, sizeof(uint64_t), compare);
	for (size_t i = 0; i < n_victims; i++) {
		const struct victim *victim = &shared->victims[i];
		uint64_t silence = find_silence(shared->success_ns, n, victim);

		if (trial->kind->status == ZY_DEVICE_TIMEOUT)
			after.ns[after.n++] = victim->after_ns;
		if (trial->kind->status != ZY_OK && silence)
			others.ns[others.n++] = silence;
	}
	if (trial->kind->status == ZY_OK)
		find_silences(&others, shared->success_ns, n, trial->n);
	times_print(trial, &after, "answering a victim");
	times_print(trial, &others, "silence");
	free(after.ns);
	free(others.ns);
}

static void print_row(struct trial *trial)
{
	const struct tally *sum = &trial->sum;
	const struct counters *c = &trial->counters;

	printf("| %s | %u | %" PRIu64 " | ", trial->kind->title, trial->n, sum->submitted);
	if (sum->status[ZY_DEVICE_FAULT])
		printf("%" PRIu64 " faulted ", sum->status[ZY_DEVICE_FAULT]);
	if (sum->status[ZY_DEVICE_TIMEOUT])
		printf("%" PRIu64 " overran ", sum->status[ZY_DEVICE_TIMEOUT]);
	if (sum->status[ZY_OK] == sum->answered)
		printf("0 ");
	printf("| %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " |", c->resubmitted,
	       sum->lost, sum->duplicated, sum->wrong);
	print_times(trial);
	printf(" %" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %" PRIu64 " |\n", c->aborts, c->soft_resets,
	       c->resets, c->reopenings);
}

static int trial_main(struct trial *trial)
{
	trial->shared = mmap(NULL, sizeof(*trial->shared), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (trial->shared == MAP_FAILED)
		peer_fail("mmap");
	run(trial);
	judge_answers(trial);
	judge_errors(trial);
	judge_rungs(trial);
	print_row(trial);
	return trial->broken != 0;
}

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	fprintf(stderr, "storm: no fault is called '%s'\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "kinds") == 0) {
		for (size_t i = 0; i < N_KINDS; i++)
			puts(kinds[i].name);
		return 0;
	}
	if (strcmp(what, "script") == 0 && argc == 5) {
		print_script(find_kind(argv[2]), (unsigned int)atoi(argv[3]),
			     strtoull(argv[4], NULL, 0));
		return 0;
	}
	if (strcmp(what, "run") == 0 && argc == 8) {
		struct trial trial = {
			.socket = argv[2],
			.model = argv[3],
			.kind = find_kind(argv[4]),
			.n = (unsigned int)atoi(argv[5]),
			.seed = strtoull(argv[6], NULL, 0),
			.limit_ns = strtoull(argv[7], NULL, 0) * MS,
		};

		return trial_main(&trial);
	}
	fprintf(stderr,
		"usage: %s kinds | script KIND N SEED | run SOCKET MODEL KIND N SEED LIMIT_MS\n",
		argv[0]);
	return 2;
}
