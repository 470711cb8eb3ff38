/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to watch 64 clients with `zhouyi-cli top` on a terminal: CPU time of top,
 * and what the loop of the daemon needs more than without it, for each look.
 *
 * usage: watch SOCKET MODEL PID ZHOUYI-CLI ROUNDS
 * MODEL should take a millisecond or two. Prints CSV: clients,round,ns of top,ns of the
 * daemon; clients are "idle" or "busy": ten requests a second each.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/cpu.h"
#include "zhouyi-observe.h"

#define N_CLIENTS 64
#define REQUESTS_PER_SECOND 10
/* Looks are this close together, so that they stand out from all else. */
#define DELAY_MS 50
#define WINDOW_MS 2000
#define MS UINT64_C(1000000)

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "watch: %s: %s\n", what, zhouyi_strerror(r));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t at_ns)
{
	struct timespec at = {(time_t)(at_ns / 1000000000u), (long)(at_ns % 1000000000u)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

/*
 * The crowd: a process of its own
 */

static void done(struct zhouyi_binding *binding, const struct zhouyi_result *result, void *arg)
{
	(void)binding, (void)arg;
	must(result->error, "run");
}

static void be_crowd(const char *socket, const char *path, bool busy, int ready)
{
	static struct zhouyi_client *clients[N_CLIENTS];
	static struct zhouyi_binding *bindings[N_CLIENTS];
	struct zhouyi_model *model;
	uint64_t next;

	for (int i = 0; i < N_CLIENTS; i++) {
		must(zhouyi_client_open(&clients[i], socket), "open");
		must(zhouyi_model_load_file(clients[i], path, NULL, 0, &model), "load");
		must(zhouyi_binding_create_simple(model, &bindings[i]), "bind");
	}
	if (write(ready, "", 1) != 1)
		exit(1);
	next = now_ns();
	for (unsigned int i = 0; busy; i = (i + 1) % N_CLIENTS) {
		uint64_t request;

		must(zhouyi_client_dispatch(clients[i], 0), "dispatch");
		must(zhouyi_submit(bindings[i], NULL, done, NULL, &request), "submit");
		next += 1000 * MS / (N_CLIENTS * REQUESTS_PER_SECOND);
		sleep_until(next);
	}
	for (;;)
		pause();
}

static pid_t start_crowd(const char *socket, const char *path, bool busy)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready) < 0 || (pid = fork()) < 0) {
		perror("watch");
		exit(1);
	}
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		be_crowd(socket, path, busy, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		fprintf(stderr, "watch: the clients did not come\n");
		exit(1);
	}
	close(ready[0]);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/*
 * Watching
 */

/* On a terminal that shows all 64. */
static pid_t start_top(const char *cli, const char *socket, int *ret_terminal)
{
	struct winsize size = {.ws_row = 100, .ws_col = 100};
	char delay[16];
	pid_t pid = forkpty(ret_terminal, NULL, NULL, &size);

	if (pid < 0) {
		perror("watch: a terminal");
		exit(1);
	}
	if (pid)
		return pid;
	snprintf(delay, sizeof(delay), "%dms", DELAY_MS);
	setenv("TERM", "xterm", 1);
	execl(cli, cli, "--socket", socket, "top", "--delay", delay, (char *)NULL);
	_exit(127);
}

/* Until then; how often the screen was drawn, from its first line on. */
static unsigned int read_screen(int terminal, uint64_t until_ns)
{
	static const char home[] = "\033[H";
	unsigned int n = 0, matched = 0;
	char data[65536];

	for (;;) {
		struct pollfd poll_in = {.fd = terminal, .events = POLLIN};
		uint64_t now = now_ns();
		ssize_t got;

		if (now >= until_ns)
			return n;
		if (poll(&poll_in, 1, (int)((until_ns - now) / MS) + 1) <= 0)
			continue;
		got = read(terminal, data, sizeof(data));
		if (got <= 0) {
			fprintf(stderr, "watch: top has ended\n");
			exit(1);
		}
		for (ssize_t i = 0; i < got; i++) {
			matched = data[i] == home[matched] ? matched + 1 : data[i] == home[0];
			n += matched == sizeof(home) - 1;
			matched %= sizeof(home) - 1;
		}
	}
}

static void measure(char **argv, bool busy, unsigned int round)
{
	pid_t daemon = (pid_t)atoi(argv[3]), crowd = start_crowd(argv[1], argv[2], busy), top;
	uint64_t without, with, of_top;
	unsigned int n;
	int terminal;

	sleep_until(now_ns() + 500 * MS);
	without = cpu_ns(daemon);
	sleep_until(now_ns() + WINDOW_MS * MS);
	without = cpu_ns(daemon) - without;

	top = start_top(argv[4], argv[1], &terminal);
	read_screen(terminal, now_ns() + 500 * MS);
	with = cpu_ns(daemon);
	of_top = cpu_ns(top);
	n = read_screen(terminal, now_ns() + WINDOW_MS * MS);
	with = cpu_ns(daemon) - with;
	of_top = cpu_ns(top) - of_top;
	stop(top);
	close(terminal);
	stop(crowd);
	if (n < WINDOW_MS / DELAY_MS / 2) {
		fprintf(stderr, "watch: top looked only %u times\n", n);
		exit(1);
	}
	printf("%s,%u,%" PRIu64 ",%" PRId64 "\n", busy ? "busy" : "idle", round, of_top / n,
	       ((int64_t)with - (int64_t)without) / (int)n);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr, "usage: watch SOCKET MODEL PID ZHOUYI-CLI ROUNDS\n");
		return 2;
	}
	for (unsigned int round = 0; round < (unsigned int)atoi(argv[5]); round++) {
		measure(argv, false, round);
		measure(argv, true, round);
	}
	return 0;
}
