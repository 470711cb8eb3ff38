/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "npu/isa.h"
#include "tests/unit/daemon/front.h"

#define SECOND UINT64_C(1000000000)

static char directory[] = "/tmp/zhouyi-daemon.XXXXXX";
static struct config config;
static pid_t child;
static int client;

static void setup(void)
{
	cr_assert(mkdtemp(directory));
	log_open(LOG_LEVEL_ERROR);
	config_init(&config);
	config.log_level = LOG_LEVEL_ERROR;
	snprintf(config.socket, sizeof(config.socket), "%s/s", directory);
	strcpy(config.device, "soft");
	config.soft.memory_bytes = 64 << 20;
}

static void teardown(void)
{
	/* Fails if the daemon left its socket or its lock behind. */
	if (rmdir(directory) < 0)
		abort();
}

TestSuite(daemon, .init = setup, .fini = teardown, .timeout = 30);

/*
 * In this process
 */

Test(daemon, it_starts_and_stops_when_told_to)
{
	struct daemon daemon;

	for (int i = 0; i < 3; i++) {
		cr_assert_eq(daemon_init(&daemon, &config), 0);
		raise(i ? SIGTERM : SIGINT);
		cr_assert_eq(daemon_run(&daemon), 0);
		daemon_finish(&daemon);
	}
}

Test(daemon, two_in_one_process_do_not_notice_each_other)
{
	struct config other = config;
	struct daemon a, b;

	snprintf(other.socket, sizeof(other.socket), "%s/t", directory);
	cr_assert_eq(daemon_init(&a, &config), 0);
	cr_assert_eq(daemon_init(&b, &other), 0);
	daemon_finish(&a);
	daemon_finish(&b);
}

/* Whether there is a socket for metrics. */
static bool has_metrics(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

Test(daemon, metrics_are_beside_the_clients_or_where_they_are_wanted)
{
	struct daemon daemon;

	cr_assert_eq(daemon_init(&daemon, &config), 0);
	cr_expect(has_metrics("metrics.sock"));
	daemon_finish(&daemon);
	strcpy(config.metrics.socket, "");
	cr_assert_eq(daemon_init(&daemon, &config), 0);
	cr_expect_eq(daemon.metrics_server.n_listeners, 0);
	daemon_finish(&daemon);
	snprintf(config.metrics.socket, sizeof(config.metrics.socket), "%s/elsewhere", directory);
	cr_assert_eq(daemon_init(&daemon, &config), 0);
	cr_expect(has_metrics("elsewhere"));
	cr_expect_not(has_metrics("metrics.sock"));
	daemon_finish(&daemon);
	cr_expect_not(has_metrics("elsewhere"));
}

Test(daemon, it_starts_without_metrics_if_need_be)
{
	struct daemon daemon;

	strcpy(config.metrics.socket, "/nonexistent/below/this");
	cr_assert_eq(daemon_init(&daemon, &config), 0);
	cr_expect_eq(daemon.metrics_server.n_listeners, 0);
	daemon_finish(&daemon);
	/* Fits alone, but not beside the clients. */
	memset(config.metrics.socket, 'm', sizeof(config.metrics.socket) - 1);
	cr_assert_eq(daemon_init(&daemon, &config), 0);
	cr_expect_eq(daemon.metrics_server.n_listeners, 0);
	daemon_finish(&daemon);
}

Test(daemon, a_start_that_fails_leaves_nothing)
{
	struct daemon a, b;

	config.soft.cores = 0;
	cr_assert_eq(daemon_init(&a, &config), -EINVAL);
	config.soft.cores = 3;
	strcpy(config.device, "drm");
	cr_assert_lt(daemon_init(&a, &config), 0);
	strcpy(config.device, "soft");
	cr_assert_eq(daemon_init(&a, &config), 0);
	cr_assert_eq(daemon_init(&b, &config), -EADDRINUSE);
	daemon_finish(&a);
}

/*
 * As a child, with a client that blocks
 */

static void start_child(void)
{
	int ready[2];
	char byte;

	cr_assert_eq(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		struct daemon daemon;
		int r = daemon_init(&daemon, &config);

		close(ready[0]);
		if (r < 0 || write(ready[1], "", 1) != 1)
			_exit(100);
		r = daemon_run(&daemon);
		daemon_finish(&daemon);
		_exit(r == 0 ? 0 : 101);
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

static void connect_to_child(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(address.sun_path, config.socket);
	client = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
}

static Zy__Response *call(Zy__Request *req, int fd)
{
	static uint8_t buf[ZY_PACKET_MAX];
	struct zy_fds fds = {.n = 0};
	const uint8_t *message;
	size_t size;
	ssize_t n;

	front_request(client, req, 1, fd);
	n = zy_packet_receive_wait(client, buf, sizeof(buf), &fds);
	cr_assert_gt(n, 0);
	zy_fds_close(&fds);
	message = zy_packet_message(buf, (size_t)n, &size);
	cr_assert(message);
	return zy__response__unpack(NULL, size, message);
}

static uint32_t call_for_id(Zy__Request *req, int fd)
{
	Zy__Response *response = call(req, fd);
	uint32_t id = 0;

	cr_assert_eq(response->status, 0, "%s", response->detail);
	if (response->body_case == ZY__RESPONSE__BODY_MODEL)
		id = response->model->model;
	else if (response->body_case == ZY__RESPONSE__BODY_BUFFER)
		id = response->buffer->buffer;
	else if (response->body_case == ZY__RESPONSE__BODY_BINDING)
		id = response->binding->binding;
	zy__response__free_unpacked(response, NULL);
	return id;
}

/* Submit one request for a program that begins with @opcode. */
static void submit_one(uint16_t opcode, uint32_t extra)
{
	Zy__Hello hello = ZY__HELLO__INIT;
	Zy__LoadModel load = ZY__LOAD_MODEL__INIT;
	Zy__CreateBuffer create = ZY__CREATE_BUFFER__INIT;
	Zy__CreateBinding bind = ZY__CREATE_BINDING__INIT;
	Zy__TensorRange range[2] = {ZY__TENSOR_RANGE__INIT, ZY__TENSOR_RANGE__INIT};
	Zy__TensorRange *list[2] = {&range[0], &range[1]};
	Zy__Request req = ZY__REQUEST__INIT;
	int image = front_image(64, opcode, extra);

	hello.min_version = hello.max_version = ZY_PROTOCOL_VERSION;
	req.body_case = ZY__REQUEST__BODY_HELLO;
	req.hello = &hello;
	call_for_id(&req, -1);
	req.body_case = ZY__REQUEST__BODY_LOAD_MODEL;
	req.load_model = &load;
	bind.model = call_for_id(&req, image);
	close(image);
	create.size = 4096;
	for (int i = 0; i < 2; i++) {
		req.body_case = ZY__REQUEST__BODY_CREATE_BUFFER;
		req.create_buffer = &create;
		range[i].buffer = call_for_id(&req, -1);
		range[i].kind = (Zy__TensorKind)i;
		range[i].size = 64;
	}
	bind.n_ranges = 2;
	bind.ranges = list;
	req.body_case = ZY__REQUEST__BODY_CREATE_BINDING;
	req.create_binding = &bind;
	front_submit(client, call_for_id(&req, -1), 42);
	/* It is on the device when this is answered. */
	Zy__GetStatus get = ZY__GET_STATUS__INIT;
	req.body_case = ZY__REQUEST__BODY_GET_STATUS;
	req.get_status = &get;
	call_for_id(&req, -1);
}

static int32_t completion(void)
{
	struct zy_complete answer;
	struct zy_fds fds;

	cr_assert_eq(zy_packet_receive_wait(client, &answer, sizeof(answer), &fds), sizeof(answer));
	cr_assert_eq(answer.cookie, 42);
	return answer.status;
}

static int child_status(void)
{
	int status;

	cr_assert_eq(waitpid(child, &status, 0), child);
	return status;
}

Test(daemon, running_jobs_may_finish_and_are_answered)
{
	start_child();
	connect_to_child();
	submit_one(NPU_OP_DELAY, 300000);
	kill(child, SIGTERM);
	cr_expect_eq(completion(), ZY_OK);
	cr_expect_eq(child_status(), 0);
}

/*
 * What a service manager is told
 */

static int manager;

static void start_manager(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 5};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", directory);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(manager, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(setsockopt(manager, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
}

static void stop_manager(void)
{
	close(manager);
	unlink(getenv("NOTIFY_SOCKET"));
	unsetenv("NOTIFY_SOCKET");
}

/* The next thing it is told. */
static const char *told(void)
{
	static char text[2048];
	ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

Test(daemon, the_service_manager_is_told_how_it_is)
{
	start_manager();
	config.limits.sessions = 1;
	start_child();
	cr_expect_str_eq(told(), "STATUS=starting: opening the device");
	cr_expect_str_eq(told(), "STATUS=ready");
	cr_expect_str_eq(told(), "READY=1");
	connect_to_child();
	submit_one(NPU_OP_DELAY, 300000);
	connect_to_child();
	cr_expect_str_eq(told(), "STATUS=degraded: clients are turned away: limits.sessions is "
				 "reached");
	kill(child, SIGTERM);
	cr_expect_str_eq(told(), "STOPPING=1");
	cr_expect(begins(told(), "STATUS=draining: zhouyid is stopping"));
	cr_expect_eq(child_status(), 0);
	stop_manager();
}

Test(daemon, a_second_signal_aborts_what_would_run_for_ever)
{
	uint64_t start;

	start_child();
	connect_to_child();
	submit_one(NPU_OP_HANG, 0);
	kill(child, SIGTERM);
	usleep(50000);
	start = loop_now();
	kill(child, SIGTERM);
	cr_expect_eq(completion(), ZY_SHUTTING_DOWN);
	cr_expect_eq(child_status(), 0);
	cr_expect_lt(loop_now() - start, 2 * SECOND);
}

Test(daemon, what_runs_for_ever_is_aborted_after_a_while)
{
	uint64_t start = loop_now();

	start_child();
	connect_to_child();
	submit_one(NPU_OP_HANG, 0);
	cr_expect(has_metrics("metrics.sock"));
	kill(child, SIGTERM);
	while (has_metrics("metrics.sock") && loop_now() - start < 3 * SECOND)
		usleep(10000);
	cr_expect_not(has_metrics("metrics.sock"), "the next daemon may have the path");
	cr_expect_eq(completion(), ZY_SHUTTING_DOWN);
	cr_expect_eq(child_status(), 0);
	cr_expect_lt(loop_now() - start, DAEMON_JOBS_NS + 3 * SECOND);
}

/* A client that does not take its answers cannot keep the daemon from stopping. */
Test(daemon, nobody_can_keep_it_from_stopping)
{
	Zy__GetStatus get = ZY__GET_STATUS__INIT;
	Zy__Request req = ZY__REQUEST__INIT;
	uint64_t start = loop_now();
	uint8_t buf[64];
	ssize_t n;

	start_child();
	connect_to_child();
	submit_one(0, 0);
	req.body_case = ZY__REQUEST__BODY_GET_STATUS;
	req.get_status = &get;
	n = zy_packet_pack(buf, sizeof(buf), &req.base);
	for (int refused = 0; refused < 5;) {
		if (front_send(client, buf, (size_t)n, NULL, 0) == 0)
			continue;
		refused++;
		usleep(20000);
	}
	kill(child, SIGTERM);
	cr_expect_eq(child_status(), 0);
	cr_expect_lt(loop_now() - start, DAEMON_ANSWERS_NS + 2 * SECOND);
}
