/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kernel/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 60u /* for one test; a kernel with KASAN, emulated, on a busy machine */
#define STATUS_SKIPPED 77

static struct test *first, **end = &first;

void test_register(struct test *test)
{
	*end = test;
	end = &test->next;
}

void test_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("# %s:%d: ", file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

void test_skip(const char *reason)
{
	printf("# %s\n", reason);
	fflush(stdout);
	_exit(STATUS_SKIPPED);
}

static int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* Show what the kernel has logged since, up to level "info"; how many lines? */
static unsigned int log_show(int fd)
{
	unsigned int lines = 0;
	char record[8192];
	ssize_t n;

	/* EPIPE: records were overwritten before they could be read */
	while ((n = read(fd, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		if (n < 0)
			continue;
		record[n] = '\0';
		/* "PRIORITY,sequence,time,flags;text": facility 0 is the kernel, level 7 debug */
		if (strtoul(record, NULL, 10) >= 7)
			continue;
		printf("# the kernel says: %s", strchr(record, ';') ? strchr(record, ';') + 1 : "");
		lines++;
	}
	return lines;
}

static int run_child(const struct test *test)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		alarm(SECONDS);
		test->run();
		fflush(stdout);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		printf("# ended by signal %d (%s)\n", WTERMSIG(status),
		       WTERMSIG(status) == SIGALRM ? "too slow" : strsignal(WTERMSIG(status)));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static bool run_test(const struct test *test, unsigned int number)
{
	char name[200];
	struct timespec start;
	int log = log_open(), status;
	double seconds;
	bool loud;

	snprintf(name, sizeof(name), "%s", test->name);
	for (char *p = name; *p; p++)
		if (*p == '_')
			*p = ' ';
	clock_gettime(CLOCK_MONOTONIC, &start);
	status = run_child(test);
	seconds = seconds_since(&start);
	loud = test->quiet && log >= 0 && log_show(log) > 0;
	if (log >= 0)
		close(log);
	if (status && status != STATUS_SKIPPED && test_after_failure)
		test_after_failure();
	if (status == STATUS_SKIPPED)
		printf("ok %u - %s # SKIP\n", number, name);
	else
		printf("%s %u - %s\n", status || loud ? "not ok" : "ok", number, name);
	if (seconds > 2)
		printf("# that took %.1f s\n", seconds);
	return (status == 0 || status == STATUS_SKIPPED) && !loud;
}

int test_main(int argc, char **argv)
{
	unsigned int n = 0, failed = 0;

	printf("TAP version 13\n");
	for (struct test *test = first; test; test = test->next)
		if (argc < 2 || strstr(test->name, argv[1]))
			failed += !run_test(test, ++n);
	printf("1..%u\n", n);
	return failed > 0;
}
