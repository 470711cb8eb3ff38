/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/http.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/metrics_server.h"
#include "daemon/worker.h"
#include "tests/unit/daemon/front.h"

#define GET "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
#define BIG 2000000u

static struct front front;
static struct metrics *metrics;
static struct metrics_server server;
static char directory[] = "/tmp/zhouyi-metrics.XXXXXX";
static char path[64];

static void setup(void)
{
	cr_assert(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/m", directory);
	log_open(LOG_LEVEL_ERROR);
	front_init(&front);
	metrics = malloc(sizeof(*metrics));
	metrics_init(metrics);
	front.models.metrics = metrics;
	cr_assert_eq(metrics_server_init(&server, &front.group), 0);
}

static void teardown(void)
{
	metrics_server_finish(&server);
	front_finish(&front);
	free(metrics);
	/* Fails if anything was left behind. */
	if (rmdir(directory) < 0)
		abort();
}

TestSuite(metrics_server, .init = setup, .fini = teardown, .timeout = 60);

static int connect_to(const char *where)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, where);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -errno;
}

/* A connection on which this was said. */
static int say(const char *text, size_t n)
{
	int fd = connect_to(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, n), (ssize_t)n);
	return fd;
}

/* What comes on @fd up to its end, at most @size - 1 bytes; -ETIMEDOUT: nothing for a second. */
static ssize_t hear(int fd, char *ret, size_t size)
{
	size_t n = 0;
	ssize_t r = -1;

	for (int i = 0; i < 50 && r != 0; i++) {
		r = read(fd, ret + n, size - 1 - n);
		if (r > 0) {
			n += (size_t)r;
			i = 0;
		} else if (r < 0 && errno != EAGAIN) {
			return -errno;
		} else if (r < 0) {
			front_settle(&front);
		}
	}
	ret[n] = '\0';
	return r == 0 ? (ssize_t)n : -ETIMEDOUT;
}

static char text[BIG];

/* The answer to that; the status, or what hear() says. */
static int ask(const char *question)
{
	int fd = say(question, strlen(question)), status;
	ssize_t n = hear(fd, text, sizeof(text));

	close(fd);
	if (n <= 0)
		return (int)n;
	cr_assert_eq(sscanf(text, "HTTP/1.1 %d ", &status), 1, "%s", text);
	return status;
}

static void open_path(void)
{
	cr_assert_eq(metrics_server_open_path(&server, path, 0640), 0);
}

/* What the header promises, and where it begins. */
static const char *body(void)
{
	const char *at = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");

	cr_assert(at && length && length < at);
	at += 4;
	cr_assert_eq(strtoul(length + strlen("Content-Length: "), NULL, 10), strlen(at));
	return at;
}

static uint64_t clock_of(void)
{
	return server.made_ns;
}

/*
 * Answers
 */

Test(metrics_server, the_page_is_there)
{
	struct stat st;

	open_path();
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0640);
	cr_assert_eq(ask(GET), HTTP_OK);
	cr_assert(strstr(text, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	cr_assert(strstr(text, "\r\nConnection: close\r\n"));
	cr_assert(strstr(body(), "\nzhouyid_health{state=\"ready\"} 1\n"));
}

Test(metrics_server, its_head_is_as_long)
{
	open_path();
	cr_assert_eq(ask("HEAD /metrics HTTP/1.1\r\n\r\n"), HTTP_OK);
	cr_assert_str_eq(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	cr_assert_gt(strtoul(strstr(text, "Content-Length: ") + 16, NULL, 10), 1000);
}

Test(metrics_server, whatever_else_is_wanted_is_refused)
{
	open_path();
	cr_assert_eq(ask("GET / HTTP/1.1\r\n\r\n"), HTTP_NOT_FOUND);
	cr_assert_str_eq(body(), "Not Found\n");
	cr_assert_eq(ask("POST /metrics HTTP/1.1\r\n\r\nbody"), HTTP_NOT_ALLOWED);
	cr_assert_eq(ask("\r\n\r\n"), HTTP_BAD_REQUEST);
	cr_assert_eq(ask("GET /metrics HTTP/3.0\r\n\r\n"), HTTP_BAD_VERSION);
	front_settle(&front);
	cr_assert_eq(server.n_connections, 0);
}

Test(metrics_server, a_request_may_come_in_pieces)
{
	int fd;

	open_path();
	fd = connect_to(path);
	for (const char *c = GET; *c; c++) {
		cr_assert_eq(write(fd, c, 1), 1);
		if (c[1] == '\r' || c[1] == ' ')
			front_settle(&front);
	}
	cr_assert_gt(hear(fd, text, sizeof(text)), 0);
	cr_assert_str_not_empty(body());
	close(fd);
}

Test(metrics_server, numbers_are_those_of_the_moment)
{
	int client;

	open_path();
	cr_assert_eq(ask(GET), HTTP_OK);
	cr_assert(strstr(text, "\nzhouyid_sessions 0\n"));
	client = front_client(&front);
	/* Soon after the first; it has to wait, not to be told what was. */
	cr_assert_eq(ask(GET), HTTP_OK);
	cr_assert(strstr(text, "\nzhouyid_sessions 1\n"));
	close(client);
}

Test(metrics_server, a_request_is_counted_and_its_model_named)
{
	int client = front_client(&front);
	struct front_setup own;
	struct front_packet packet;

	open_path();
	front_setup(&front, client, 64, 0, 0, &own);
	front_submit(client, own.binding, 1);
	front_receive(&front, client, &packet);
	cr_assert_eq(packet.complete.status, ZY_OK);
	front_submit(client, 4711, 2);
	front_receive(&front, client, &packet);
	cr_assert_eq(packet.complete.status, ZY_NOT_FOUND);
	cr_assert_eq(ask(GET), HTTP_OK);
	cr_assert(strstr(text, "\nzhouyid_requests_total{class=\"interactive\",model=\"copy\","
			       "result=\"ok\"} 1\n"));
	cr_assert(strstr(text, "\nzhouyid_requests_answered_total 1\n"));
	cr_assert(strstr(text, "\nzhouyid_requests_refused_total{result=\"not-found\"} 1\n"));
	close(client);
	front_setup_finish(&own);
	front_settle(&front);
	cr_assert_eq(metrics->models[1].n_loaded, 0, "unloaded");
}

/*
 * Those who mean it badly, or do not get on
 */

Test(metrics_server, who_sends_too_much_is_told_so)
{
	static char much[HTTP_REQUEST_MAX * 4];
	int fd;

	open_path();
	memset(much, 'x', sizeof(much));
	fd = say(much, sizeof(much));
	cr_assert_gt(hear(fd, text, sizeof(text)), 0);
	cr_assert(strstr(text, "HTTP/1.1 431 "));
	close(fd);
	front_settle(&front);
	cr_assert_eq(server.n_connections, 0);
}

Test(metrics_server, who_goes_on_sending_is_cut_off)
{
	static char much[65536];
	int fd;
	ssize_t n = 1;

	open_path();
	fd = say("\n\n", 2);
	for (int i = 0; i < 100 && n > 0; i++) {
		n = send(fd, much, sizeof(much), MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			n = 1;
		front_settle(&front);
	}
	cr_assert_eq(n, -1);
	cr_assert_eq(server.n_connections, 0);
	close(fd);
}

Test(metrics_server, who_leaves_early_harms_nobody)
{
	open_path();
	for (size_t n = 0; n <= strlen(GET); n++)
		close(say(GET, n));
	for (int i = 0; i < 10; i++) {
		front_settle(&front);
		close(say(GET, strlen(GET)));
	}
	cr_assert_eq(ask(GET), HTTP_OK);
	front_settle(&front);
	cr_assert_eq(server.n_connections, 0);
}

Test(metrics_server, there_are_only_so_many_connections)
{
	int fds[METRICS_CONNECTIONS + 1];

	open_path();
	for (unsigned int i = 0; i < METRICS_CONNECTIONS; i++)
		fds[i] = connect_to(path);
	front_settle(&front);
	cr_assert_eq(server.n_connections, METRICS_CONNECTIONS);
	cr_assert_eq(ask(""), 0, "one more is closed at once");
	close(fds[0]);
	front_settle(&front);
	cr_assert_eq(ask(GET), HTTP_OK, "there is room again");
	for (unsigned int i = 1; i < METRICS_CONNECTIONS; i++)
		close(fds[i]);
}

Test(metrics_server, patience_ends_wherever_somebody_stops)
{
	int silent, slow, deaf;

	/* More than fits into a socket. */
	for (unsigned int i = 0; i < METRICS_MODELS; i++) {
		metrics_place place = 0;
		char name[16];

		snprintf(name, sizeof(name), "m%u", i);
		metrics_join(metrics, &place, name, (uint8_t[METRICS_HASH_MAX]){0});
		for (int class = 0; class < ZY_CLASS_MAX_; class ++)
			metrics_answered(metrics, place, (enum zy_class) class,
					 &(struct zy_complete){.run_ns = 1});
	}
	open_path();
	silent = connect_to(path);
	slow = say("GET ", 4);
	deaf = say(GET, strlen(GET));
	front_settle(&front);
	cr_assert_eq(server.n_connections, 3);
	for (uint64_t until = loop_now() + METRICS_PATIENCE_NS - 1000000000; loop_now() < until;) {
		front_settle(&front);
		cr_assert_leq(write(slow, "x", 1), 1);
	}
	cr_assert_eq(server.n_connections, 3);
	cr_assert_eq(ask(GET), HTTP_OK, "others are served meanwhile");
	cr_assert_gt(strlen(body()), 500000);
	cr_assert_str_eq(text + strlen(text) - 30, "\nzhouyid_copied_bytes_total 0\n");
	for (uint64_t until = loop_now() + 2000000000; loop_now() < until;)
		front_settle(&front);
	cr_assert_eq(server.n_connections, 0);
	close(silent);
	close(slow);
	close(deaf);
}

/* What keeps the worker busy until it is told. */
static struct work chore;
static bool may_end, has_ended;

static void do_chore(struct work *work)
{
	(void)work;
	while (!__atomic_load_n(&may_end, __ATOMIC_ACQUIRE))
		usleep(1000);
}

static void end_chore(struct work *work)
{
	(void)work;
	has_ended = true;
}

Test(metrics_server, who_waits_for_us_is_not_hurried)
{
	int first, second;

	open_path();
	chore = (struct work){.run = do_chore, .done = end_chore};
	worker_submit(front.worker, &chore);
	first = say(GET, strlen(GET));
	for (uint64_t until = loop_now() + 2 * METRICS_PERIOD_NS; loop_now() < until;)
		front_settle(&front);
	/* The text for the first is still to be made. */
	second = say(GET, strlen(GET));
	for (uint64_t until = loop_now() + METRICS_PATIENCE_NS + 500000000; loop_now() < until;)
		front_settle(&front);
	cr_assert_eq(server.n_connections, 2);
	__atomic_store_n(&may_end, true, __ATOMIC_RELEASE);
	cr_assert_gt(hear(first, text, sizeof(text)), 0);
	cr_assert_str_not_empty(body());
	cr_assert_gt(hear(second, text, sizeof(text)), 0);
	cr_assert_str_not_empty(body());
	cr_assert(has_ended);
	close(first);
	close(second);
}

Test(metrics_server, the_text_is_made_once_for_all_who_wait)
{
	int fds[METRICS_CONNECTIONS];
	uint64_t before;

	open_path();
	cr_assert_eq(ask(GET), HTTP_OK);
	before = clock_of();
	for (unsigned int i = 0; i < METRICS_CONNECTIONS; i++)
		fds[i] = say(GET, strlen(GET));
	for (unsigned int i = 0; i < METRICS_CONNECTIONS; i++) {
		cr_assert_gt(hear(fds[i], text, sizeof(text)), 0);
		cr_assert_str_not_empty(body());
		close(fds[i]);
	}
	cr_assert_geq(clock_of() - before, METRICS_PERIOD_NS);
	/* All came within one period, so there was one text, perhaps two on a busy machine. */
	cr_assert_leq(clock_of() - before, 5 * METRICS_PERIOD_NS);
}

Test(metrics_server, without_descriptors_it_waits_and_does_not_spin)
{
	struct rlimit limit, few;
	struct rusage a, b;
	uint64_t until;
	int fd, last;

	open_path();
	front_settle(&front);
	getrlimit(RLIMIT_NOFILE, &limit);
	fd = say(GET, strlen(GET));
	last = dup(0);
	close(last);
	few = limit;
	few.rlim_cur = (rlim_t)last;
	setrlimit(RLIMIT_NOFILE, &few);
	getrusage(RUSAGE_SELF, &a);
	for (until = loop_now() + 500000000; loop_now() < until;)
		front_settle(&front);
	getrusage(RUSAGE_SELF, &b);
	setrlimit(RLIMIT_NOFILE, &limit);
	cr_assert_lt((b.ru_utime.tv_sec - a.ru_utime.tv_sec) * 1000000 + b.ru_utime.tv_usec -
			     a.ru_utime.tv_usec + b.ru_stime.tv_usec - a.ru_stime.tv_usec,
		     200000);
	cr_assert_eq(server.n_connections, 0);
	for (until = loop_now() + 1000000000; loop_now() < until;)
		front_settle(&front);
	cr_assert_gt(hear(fd, text, sizeof(text)), 0);
	close(fd);
}

Test(metrics_server, it_can_end_at_any_moment)
{
	int fds[4];

	open_path();
	fds[0] = connect_to(path);
	fds[1] = say("GET", 3);
	fds[2] = say(GET, strlen(GET));
	fds[3] = say("\n\n", 2);
	front_settle(&front);
	metrics_server_finish(&server);
	metrics_server_finish(&server);
	cr_assert_eq(access(path, F_OK), -1);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

/*
 * Where it listens
 */

static int listen_on(int domain, int type, const struct sockaddr *address, socklen_t size)
{
	int fd = socket(domain, type | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, address, size), 0);
	cr_assert_eq(listen(fd, 5), 0);
	return fd;
}

Test(metrics_server, a_second_one_is_refused)
{
	static struct metrics_server second;

	open_path();
	cr_assert_eq(metrics_server_init(&second, &front.group), 0);
	cr_assert_eq(metrics_server_open_path(&second, path, 0600), -EADDRINUSE);
	cr_assert_eq(second.n_listeners, 0);
	metrics_server_release(&server);
	cr_assert_eq(access(path, F_OK), -1);
	cr_assert_eq(metrics_server_open_path(&second, path, 0600), 0, "when that has gone");
	metrics_server_finish(&second);
}

Test(metrics_server, who_is_being_served_stays_when_it_is_released)
{
	int fd;

	open_path();
	fd = say("GET /metrics HTTP/1.1\r\n", 23);
	front_settle(&front);
	metrics_server_release(&server);
	cr_assert_eq(connect_to(path), -ENOENT);
	cr_assert_eq(write(fd, "\r\n", 2), 2);
	cr_assert_gt(hear(fd, text, sizeof(text)), 0);
	cr_assert(strstr(text, " 200 OK"));
	close(fd);
}

Test(metrics_server, sockets_may_be_passed)
{
	struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un unix_ = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(tcp);
	int fd, client;

	fd = listen_on(AF_INET, SOCK_STREAM, (struct sockaddr *)&tcp, sizeof(tcp));
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&tcp, &size), 0);
	cr_assert_eq(metrics_server_take(&server, fd), 0);
	strcpy(unix_.sun_path, path);
	fd = listen_on(AF_UNIX, SOCK_STREAM, (struct sockaddr *)&unix_, sizeof(unix_));
	cr_assert_not(metrics_server_is_at(&server, path));
	cr_assert_eq(metrics_server_take(&server, fd), 0);
	cr_assert(metrics_server_is_at(&server, path));
	for (unsigned int i = 0; i < server.n_listeners; i++)
		cr_assert(fcntl(server.listeners[i].path.fd, F_GETFL) & O_NONBLOCK);

	cr_assert_eq(ask(GET), HTTP_OK);
	metrics_server_release(&server);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(client, (struct sockaddr *)&tcp, sizeof(tcp)), 0);
	cr_assert_eq(write(client, GET, strlen(GET)), (ssize_t)strlen(GET));
	fcntl(client, F_SETFL, O_NONBLOCK);
	cr_assert_gt(hear(client, text, sizeof(text)), 0);
	cr_assert_str_not_empty(body());
	close(client);
	/* The file is whose socket it was. */
	metrics_server_finish(&server);
	cr_assert_eq(unlink(path), 0);
}

Test(metrics_server, what_is_passed_may_be_no_use)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	strcpy(address.sun_path, path);
	fd = listen_on(AF_UNIX, SOCK_SEQPACKET, (struct sockaddr *)&address, sizeof(address));
	cr_assert_eq(metrics_server_take(&server, fd), -EINVAL);
	unlink(path);
	cr_assert_eq(metrics_server_take(&server, open("/dev/null", O_RDWR)), -EINVAL);
	cr_assert_eq(metrics_server_take(&server, socket(AF_UNIX, SOCK_STREAM, 0)), -EINVAL);
	cr_assert_eq(server.n_listeners, 0);
}

Test(metrics_server, a_port_is_that_of_the_loopback)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int taken;

	/* One that is taken, then the same when it is free. */
	taken = listen_on(AF_INET, SOCK_STREAM, (struct sockaddr *)&address, sizeof(address));
	cr_assert_eq(getsockname(taken, (struct sockaddr *)&address, &size), 0);
	cr_assert_eq(metrics_server_open_port(&server, ntohs(address.sin_port)), -EADDRINUSE);
	close(taken);
	cr_assert_eq(metrics_server_open_port(&server, ntohs(address.sin_port)), 0);
	cr_assert_eq(server.n_listeners, 1);
	cr_assert_eq(getsockname(server.listeners[0].path.fd, (struct sockaddr *)&address, &size),
		     0);
	cr_assert_eq(address.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
}
