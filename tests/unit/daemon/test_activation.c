/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/activation.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/log.h"

static struct activation activation;

/*
 * Descriptors have to be the ones from 3 on, which the test's own process needs: so each
 * case is a child that ends with the number of the line that failed.
 */
#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what))                                                                       \
			_exit(__LINE__ % 256 ? __LINE__ % 256 : 1);                                \
	} while (0)

/* What the service manager does between fork() and exec(). */
static void pass(int n, const char *count, const char *names, pid_t pid)
{
	char text[16];

	log_open(LOG_LEVEL_ERROR);
	for (int fd = 3; fd < 20; fd++)
		close(fd);
	for (int i = 0; i < n; i++)
		MUST(open("/dev/null", O_RDONLY) == 3 + i);
	snprintf(text, sizeof(text), "%d", pid);
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", count, 1);
	if (names)
		setenv("LISTEN_FDNAMES", names, 1);
	else
		unsetenv("LISTEN_FDNAMES");
	activation_init(&activation);
}

static void in_a_child(void (*fn)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		fn();
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	cr_assert_eq(WEXITSTATUS(status), 0, "line %d (modulo 256)", WEXITSTATUS(status));
}

static void take_two(void)
{
	pass(2, "2", "clients:metrics", getpid());
	MUST(activation_take(&activation, "nobody") == -ENOENT);
	MUST(activation_take(&activation, "metrics") == 4);
	MUST(activation_take(&activation, "metrics") == -ENOENT);
	MUST(activation_take(&activation, "clients") == 3);
	MUST(fcntl(3, F_GETFD) == FD_CLOEXEC && fcntl(4, F_GETFD) == FD_CLOEXEC);
	activation_finish(&activation);
	MUST(fcntl(3, F_GETFD) >= 0 && fcntl(4, F_GETFD) >= 0);
}

Test(activation, sockets_are_taken_by_name_and_once)
{
	in_a_child(take_two);
}

static void hand_on(void)
{
	pass(1, "1", "clients", getpid());
	MUST(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES"));
}

Test(activation, nothing_of_it_is_handed_on)
{
	in_a_child(hand_on);
}

static void leave(void)
{
	pass(2, "2", "clients:other", getpid());
	MUST(activation_take(&activation, "clients") == 3);
	activation_finish(&activation);
	MUST(fcntl(4, F_GETFD) < 0);
}

Test(activation, what_nobody_takes_is_closed)
{
	in_a_child(leave);
}

static void for_somebody_else(void)
{
	pass(1, "1", "clients", getpid() + 1);
	MUST(activation_take(&activation, "clients") == -ENOENT);
	MUST(fcntl(3, F_GETFD) == 0);
}

Test(activation, what_is_meant_for_another_process_is_left_alone)
{
	in_a_child(for_somebody_else);
}

static void nonsense(void)
{
	static const char *const counts[] = {"", "0", "-1", "x", "1x", "99999999999", " 1"};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		pass(1, counts[i], "clients", getpid());
		MUST(activation.n == 0);
	}
	pass(1, "2147483647", "clients:", getpid());
	MUST(activation.n == 1);
	pass(2, "2", NULL, getpid());
	MUST(activation_take(&activation, "clients") == -ENOENT);
	pass(1, "1", "a-name-that-is-longer-than-any-we-know-of", getpid());
	MUST(strlen(activation.names[0]) == sizeof(activation.names[0]) - 1);
	pass(10, "10", "a:b:c:d:e:f:g:h:i:j", getpid());
	MUST(activation.n == ACTIVATION_MAX && activation_take(&activation, "h") == 10);
	MUST(fcntl(11, F_GETFD) < 0);
}

Test(activation, an_environment_that_makes_no_sense_is_survived)
{
	in_a_child(nonsense);
}
