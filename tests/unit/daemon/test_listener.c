/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/listener.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "tests/unit/daemon/front.h"

static struct front front;
static struct listener listener, second;
static char directory[] = "/tmp/zhouyi-listener.XXXXXX";
static char path[64], lock[80];

static void setup(void)
{
	cr_assert(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/run/s", directory);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	/* Most of what is refused here is logged. */
	log_open(LOG_LEVEL_ERROR);
	front_init(&front);
}

static void teardown(void)
{
	char command[64];

	listener_finish(&listener);
	front_finish(&front);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	if (system(command) != 0)
		abort();
}

TestSuite(listener, .init = setup, .fini = teardown);

static int start(struct listener *l)
{
	return listener_init(l, &front.group, path, 0660);
}

/* A connected client, or a negative errno. */
static int connect_client(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -errno;
}

/* A socket file as a dead process leaves it. */
static void leave_stale_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

Test(listener, clients_connect_and_are_served)
{
	int client;

	cr_assert_eq(start(&listener), 0);
	client = connect_client();
	cr_assert_geq(client, 0);
	cr_assert_eq(front_hello(&front, client, "x"), 0);
	close(client);
}

Test(listener, the_directory_is_made_and_the_mode_set)
{
	struct stat st;

	umask(0077);
	cr_assert_eq(start(&listener), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert(S_ISSOCK(st.st_mode));
	cr_assert_eq(st.st_mode & 07777, 0660);
}

Test(listener, both_files_are_removed_at_the_end)
{
	cr_assert_eq(start(&listener), 0);
	cr_assert_eq(access(lock, F_OK), 0);
	listener_finish(&listener);
	cr_assert_eq(access(path, F_OK), -1);
	cr_assert_eq(access(lock, F_OK), -1);
	cr_assert_eq(start(&listener), 0, "and it can start again");
}

Test(listener, a_second_daemon_is_refused_and_the_first_goes_on)
{
	int client;

	cr_assert_eq(start(&listener), 0);
	cr_assert_eq(start(&second), -EADDRINUSE);
	client = connect_client();
	cr_assert_eq(front_hello(&front, client, "x"), 0);
	close(client);
}

/* As a service manager makes it. */
static int make_passed(int type, bool listening)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(lock, sizeof(lock), "%s/run", directory);
	cr_assert(mkdir(lock, 0755) == 0 || errno == EEXIST);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(path);
	strcpy(address.sun_path, path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (listening)
		cr_assert_eq(listen(fd, 8), 0);
	return fd;
}

Test(listener, a_passed_socket_serves_who_came_before)
{
	int fd = make_passed(SOCK_SEQPACKET, true), client = connect_client();

	cr_assert_geq(client, 0);
	cr_assert_eq(listener_init_passed(&listener, &front.group, fd), 0);
	cr_assert_str_eq(listener.path.address.sun_path, path);
	cr_assert_eq(front_hello(&front, client, "x"), 0);
	close(client);
}

Test(listener, a_passed_socket_stays_where_it_is)
{
	int fd = make_passed(SOCK_SEQPACKET, true);
	int managers = dup(fd);

	cr_assert_eq(listener_init_passed(&listener, &front.group, fd), 0);
	cr_assert_eq(access(lock, F_OK), -1, "whose it is, is not our question");
	listener_finish(&listener);
	cr_assert_eq(fcntl(fd, F_GETFD), -1);
	cr_assert_eq(access(path, F_OK), 0);
	/* It is still listened on, for whoever is started next. */
	fd = connect_client();
	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert_eq(start(&second), -EADDRINUSE);
	close(managers);
}

Test(listener, other_sockets_are_not_taken)
{
	int fds[] = {make_passed(SOCK_STREAM, true), make_passed(SOCK_SEQPACKET, false),
		     socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), open("/dev/null", O_RDONLY)};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		cr_expect_eq(listener_init_passed(&listener, &front.group, fds[i]), -EINVAL);
		cr_expect_geq(fcntl(fds[i], F_GETFD), 0, "still the caller's");
		close(fds[i]);
	}
}

Test(listener, a_stale_socket_is_replaced)
{
	int client;

	snprintf(lock, sizeof(lock), "%s/run", directory);
	cr_assert_eq(mkdir(lock, 0755), 0);
	leave_stale_socket();
	cr_assert_eq(connect_client(), -ECONNREFUSED);
	cr_assert_eq(start(&listener), 0);
	client = connect_client();
	cr_assert_geq(client, 0);
	close(client);
}

Test(listener, a_socket_that_answers_is_left_alone_even_without_a_lock)
{
	int client;

	cr_assert_eq(start(&listener), 0);
	cr_assert_eq(unlink(lock), 0);
	cr_assert_eq(start(&second), -EADDRINUSE);
	client = connect_client();
	cr_assert_geq(client, 0);
	close(client);
}

Test(listener, what_is_no_socket_is_left_alone)
{
	int fd;

	snprintf(lock, sizeof(lock), "%s/run", directory);
	cr_assert_eq(mkdir(lock, 0755), 0);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert_eq(start(&listener), -EEXIST);
	cr_assert_eq(access(path, F_OK), 0);
}

Test(listener, a_socket_that_is_not_ours_any_more_is_not_removed)
{
	cr_assert_eq(start(&listener), 0);
	cr_assert_eq(unlink(path), 0);
	leave_stale_socket();
	listener_finish(&listener);
	cr_assert_eq(access(path, F_OK), 0);
}

Test(listener, paths_that_do_not_fit_are_refused)
{
	char longest[200];

	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[199] = '\0';
	cr_assert_eq(listener_init(&listener, &front.group, longest, 0600), -EINVAL);
	cr_assert_eq(listener_init(&listener, &front.group, "relative", 0600), -EINVAL);
}

/* Twenty at once: exactly one may win, and none may leave the others a lock that is none. */
Test(listener, daemons_that_start_together_do_not_share_a_path)
{
	int status, n_won = 0, hold[2];

	cr_assert_eq(pipe2(hold, O_CLOEXEC), 0);
	for (int i = 0; i < 20; i++) {
		if (fork() == 0) {
			struct listener mine;
			int r = start(&mine);

			close(hold[1]);
			/* Who won keeps it until all have tried. */
			if (r == 0 && read(hold[0], &r, 1) < 0)
				_exit(2);
			_exit(r == 0 ? 0 : 1);
		}
	}
	for (int i = 0; i < 19; i++) {
		cr_assert_gt(wait(&status), 0);
		n_won += WEXITSTATUS(status) == 0;
	}
	cr_assert_eq(n_won, 0, "the winner still holds it");
	close(hold[1]);
	close(hold[0]);
	cr_assert_gt(wait(&status), 0);
	cr_assert_eq(WEXITSTATUS(status), 0);
}

/* Starts and stops again and again; exits 1 if it ever was not alone. */
static void come_and_go(void)
{
	struct listener mine;
	char owned[80];
	int fd;

	snprintf(owned, sizeof(owned), "%s/owned", directory);
	alarm(20);
	for (int n_started = 0; n_started < 300;) {
		if (start(&mine) < 0) {
			sched_yield();
			continue;
		}
		n_started++;
		fd = open(owned, O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			_exit(1);
		close(fd);
		sched_yield();
		unlink(owned);
		listener_finish(&mine);
	}
	_exit(0);
}

Test(listener, daemons_that_come_and_go_are_never_two)
{
	int status, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	for (int i = 0; i < 4; i++) {
		if (fork() == 0) {
			dup2(null, STDERR_FILENO);
			come_and_go();
		}
	}
	for (int i = 0; i < 4; i++) {
		cr_assert_gt(wait(&status), 0);
		cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
	}
	close(null);
}

Test(listener, clients_beyond_the_limit_are_turned_away_until_one_leaves)
{
	int client[3];

	front.config.limits.sessions = 2;
	cr_assert_eq(start(&listener), 0);
	for (int i = 0; i < 3; i++)
		client[i] = connect_client();
	cr_assert_eq(front_hello(&front, client[1], "x"), 0);
	cr_assert(front_is_disconnected(&front, client[2]));
	close(client[0]);
	front_settle(&front);
	close(client[2]);
	client[2] = connect_client();
	cr_assert_eq(front_hello(&front, client[2], "x"), 0);
	close(client[1]);
	close(client[2]);
}

/* No descriptor can be opened from here on; all numbers below are taken. */
static struct rlimit exhaust_descriptors(void)
{
	struct rlimit old, tight;
	int lowest = dup(0);

	cr_assert_geq(lowest, 0);
	close(lowest);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	tight.rlim_cur = (rlim_t)lowest;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	cr_assert_eq(dup(0), -1);
	return old;
}

static double cpu_seconds(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (double)use.ru_utime.tv_sec + (double)use.ru_stime.tv_sec +
	       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

Test(listener, without_descriptors_clients_are_turned_away)
{
	struct rlimit old;
	int client[2];

	cr_assert_eq(start(&listener), 0);
	client[0] = connect_client();
	client[1] = connect_client();
	cr_assert(client[0] >= 0 && client[1] >= 0);
	old = exhaust_descriptors();
	cr_expect(front_is_disconnected(&front, client[0]));
	cr_expect(front_is_disconnected(&front, client[1]));
	cr_expect_eq(front.group.n_sessions, 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(client[0]);
	close(client[1]);
	client[0] = connect_client();
	cr_assert_eq(front_hello(&front, client[0], "x"), 0);
	close(client[0]);
}

Test(listener, without_even_the_reserve_nothing_spins)
{
	struct rlimit old;
	double before;
	int client, reserve;

	cr_assert_eq(start(&listener), 0);
	client = connect_client();
	/* As if somebody had been faster than us when it was given up. */
	reserve = listener.reserve_fd;
	listener.reserve_fd = -1;
	old = exhaust_descriptors();
	before = cpu_seconds();
	for (int i = 0; i < 25; i++)
		front_settle(&front);
	cr_expect_lt(cpu_seconds() - before, 0.2);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	/* It looks again after a while. */
	cr_expect_eq(front_hello(&front, client, "x"), 0);
	close(client);
	close(reserve);
}
