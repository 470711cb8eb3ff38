/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client/binding.h"
#include "client/control.h"
#include "proto/scope.h"

/* What one dispatch takes from the socket, so that a busy daemon cannot keep it for ever. */
#define DISPATCH_BUDGET 64

void zy_client_ref(struct zhouyi_client *client)
{
	client->n_refs++;
}

void zy_client_unref(struct zhouyi_client *client)
{
	if (--client->n_refs == 0)
		free(client);
}

bool zy_client_is_forked(const struct zhouyi_client *client)
{
	return client->pid != getpid();
}

int zy_client_check(struct zhouyi_client *client)
{
	if (zy_client_is_forked(client))
		return zy_client_fail(client, ZHOUYI_ERROR_FORKED, NULL);
	/* The sentence that says why stays. */
	if (client->closed || client->broken)
		return -ZHOUYI_ERROR_DISCONNECTED;
	return 0;
}

int zy_client_needs(struct zhouyi_client *client, uint64_t feature)
{
	int r = zy_client_check(client);

	if (r < 0 || client->features & feature)
		return r;
	return zy_client_fail(client, ZHOUYI_ERROR_NOT_SUPPORTED,
			      "the daemon is older than this library and does not know that");
}

/* What a stranger's sentence may do to a terminal or a log: nothing. */
static void tame(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

int zy_client_fail(struct zhouyi_client *client, enum zhouyi_error error, const char *format, ...)
{
	va_list args;

	if (!format) {
		snprintf(client->error, sizeof(client->error), "%s", zhouyi_strerror((int)error));
		return -(int)error;
	}
	va_start(args, format);
	vsnprintf(client->error, sizeof(client->error), format, args);
	va_end(args);
	tame(client->error);
	return -(int)error;
}

/* The connection is over: nothing more comes in or goes out, and it polls as readable. */
static void disconnect(struct zhouyi_client *client)
{
	client->broken = true;
	shutdown(client->socket, SHUT_RDWR);
	zy_pending_answer_all(&client->pending, ZY_DISCONNECTED);
	zy_control_forget(client);
}

int zy_client_violation(struct zhouyi_client *client, const char *what)
{
	disconnect(client);
	return zy_client_fail(client, ZHOUYI_ERROR_PROTOCOL,
			      "the daemon broke the protocol: it sent %s", what);
}

static int lose(struct zhouyi_client *client, const char *why)
{
	disconnect(client);
	return zy_client_fail(client, ZHOUYI_ERROR_DISCONNECTED, "the connection is lost: %s", why);
}

void zy_client_hang_up(struct zhouyi_client *client)
{
	shutdown(client->socket, SHUT_RDWR);
	while (zy_client_receive(client, false) > 0)
		;
}

static int note_completion(struct zhouyi_client *client, size_t size, const struct zy_fds *fds)
{
	struct zy_complete answer;

	if (size != sizeof(answer) || fds->n > 0)
		return zy_client_violation(client, "a malformed completion");
	memcpy(&answer, client->in, sizeof(answer));
	if (answer.status < 0 || answer.status >= ZY_STATUS_MAX_)
		return zy_client_violation(client, "a status that does not exist");
	if (zy_pending_answer(&client->pending, &answer) < 0)
		return zy_client_violation(client, "an answer nobody waits for");
	return 0;
}

static int note_packet(struct zhouyi_client *client, size_t size, struct zy_fds *fds)
{
	const uint8_t *message;
	size_t length;

	if (zy_packet_type(client->in, size) == ZY_PACKET_COMPLETE)
		return note_completion(client, size, fds);
	message = zy_packet_message(client->in, size, &length);
	if (!message)
		return zy_client_violation(client, "a packet of unknown type");
	return zy_control_note(client, message, length, fds);
}

/* Why nothing was received. Returns 0 if that is no reason to give up. */
static int note_failure(struct zhouyi_client *client, ssize_t n)
{
	switch (-n) {
	case EAGAIN:
		return 0;
	case 0:
		return lose(client, "the daemon closed it");
	case EMSGSIZE:
		return zy_client_violation(client, "a packet that is too long");
	case EBADMSG:
		return zy_client_violation(
			client, "more descriptors than it may, or than this process can take");
	default:
		return lose(client, strerror((int)-n));
	}
}

int zy_client_receive(struct zhouyi_client *client, bool wait)
{
	zy_auto(zy_fds_close) struct zy_fds fds = {.n = 0};
	ssize_t n;
	int r;

	if (client->broken)
		return -ZHOUYI_ERROR_DISCONNECTED;
	for (;;) {
		if (wait)
			n = zy_packet_receive_wait(client->socket, client->in, sizeof(client->in),
						   &fds);
		else
			n = zy_packet_receive(client->socket, client->in, sizeof(client->in), &fds);
		/* What the daemon sent before it went away is still there. */
		if (n != -ECONNRESET || client->reset)
			break;
		client->reset = true;
	}
	if (n <= 0)
		return note_failure(client, n);
	r = note_packet(client, (size_t)n, &fds);
	return r < 0 ? r : 1;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* For poll(): rounded up, so that it does not return early. */
static int remaining_ms(uint64_t deadline_ns)
{
	uint64_t now, ms;

	if (deadline_ns == UINT64_MAX)
		return -1;
	now = now_ns();
	if (now >= deadline_ns)
		return 0;
	ms = (deadline_ns - now + 999999) / 1000000;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

short zy_client_wait(struct zhouyi_client *client, short events, uint64_t deadline_ns)
{
	struct pollfd p = {.fd = client->socket, .events = events};

	for (;;) {
		int ms = remaining_ms(deadline_ns);
		int n = poll(&p, 1, ms);

		if (n > 0)
			return p.revents;
		if (n == 0 && ms >= 0 && remaining_ms(deadline_ns) == 0)
			return 0;
	}
}

void zy_client_settle(struct zhouyi_client *client)
{
	bool ready = zy_pending_has_ready(&client->pending);
	uint64_t value = 1;
	ssize_t n;

	if (ready == client->alarmed)
		return;
	if (ready)
		n = write(client->alarm, &value, sizeof(value));
	else
		n = read(client->alarm, &value, sizeof(value));
	/* Only this process uses it, between 0 and 1: it can do both at any time. */
	(void)n;
	client->alarmed = ready;
}

static void result_fill(struct zhouyi_result *ret, const struct zy_complete *answer)
{
	*ret = (struct zhouyi_result){
		.error = -answer->status,
		.request = answer->request,
		.queue_ns = answer->queue_ns,
		.run_ns = answer->run_ns,
		.total_ns = answer->total_ns,
		.cores = answer->cores,
		.copied_bytes = answer->copied_bytes,
		.fault = answer->fault,
		.fault_code = answer->fault_code,
		.fault_core = answer->fault_core,
		.fault_tec = answer->fault_tec,
		.fault_insn = answer->fault_insn,
		.fault_address = answer->fault_address,
		.wait = answer->wait < ZY_WAIT_MAX_ ? (enum zhouyi_wait)answer->wait
						    : ZHOUYI_WAIT_NONE,
		.late = answer->flags & ZY_COMPLETE_LATE,
		.waited_for = answer->waited_for,
		.sequence = answer->sequence,
		.dropped = answer->dropped,
	};
}

bool zy_client_deliver(struct zhouyi_client *client)
{
	struct zy_pending pending;
	struct zhouyi_result result;

	if (!zy_pending_pop(&client->pending, &pending))
		return false;
	result_fill(&result, &pending.answer);
	pending.done(pending.binding, &result, pending.userdata);
	zy_binding_unref(pending.binding);
	return true;
}

static int deliver_all(struct zhouyi_client *client)
{
	int n = 0;

	while (zy_client_deliver(client))
		n++;
	return n;
}

/* Take what has arrived. */
static void collect(struct zhouyi_client *client)
{
	for (int i = 0; i < DISPATCH_BUDGET; i++)
		if (zy_client_receive(client, false) <= 0)
			return;
}

static int dispatch_until(struct zhouyi_client *client, uint64_t deadline_ns)
{
	for (;;) {
		int n;

		collect(client);
		n = deliver_all(client);
		if (client->broken)
			return -ZHOUYI_ERROR_DISCONNECTED;
		if (n > 0 || deadline_ns == 0)
			return n;
		if (deadline_ns == UINT64_MAX)
			zy_client_receive(client, true);
		else if (!zy_client_wait(client, POLLIN, deadline_ns))
			return 0;
	}
}

int zhouyi_client_dispatch(struct zhouyi_client *client, int timeout_ms)
{
	uint64_t deadline_ns = UINT64_MAX;
	int r;

	if (zy_client_is_forked(client))
		return -ZHOUYI_ERROR_FORKED;
	if (client->closed)
		return -ZHOUYI_ERROR_DISCONNECTED;
	if (timeout_ms == 0)
		deadline_ns = 0;
	else if (timeout_ms > 0)
		deadline_ns = now_ns() + (uint64_t)timeout_ms * 1000000u;
	if (!client->broken)
		zy_control_flush(client);
	r = dispatch_until(client, deadline_ns);
	zy_client_settle(client);
	return r;
}

int zhouyi_client_fd(const struct zhouyi_client *client)
{
	return client->epoll;
}

const char *zhouyi_client_error(const struct zhouyi_client *client)
{
	return client->error;
}

static int connect_to(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r;

	if (strlen(path) >= sizeof(address.sun_path) || path[0] == '\0')
		return -ZHOUYI_ERROR_INVALID;
	memcpy(address.sun_path, path, strlen(path));
	do
		r = connect(fd, (struct sockaddr *)&address, sizeof(address));
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return 0;
	switch (errno) {
	case EACCES:
	case EPERM:
		return -ZHOUYI_ERROR_DENIED;
	case EPROTOTYPE:
		return -ZHOUYI_ERROR_PROTOCOL;
	case ENOMEM:
		return -ZHOUYI_ERROR_NO_MEMORY;
	default:
		return -ZHOUYI_ERROR_DISCONNECTED;
	}
}

static int watch(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int open_descriptors(struct zhouyi_client *client)
{
	client->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	client->alarm = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	client->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (client->socket < 0 || client->alarm < 0 || client->epoll < 0)
		return errno == ENOMEM ? -ZHOUYI_ERROR_NO_MEMORY : -ZHOUYI_ERROR_LIMIT;
	if (watch(client->epoll, client->socket) < 0 || watch(client->epoll, client->alarm) < 0)
		return -ZHOUYI_ERROR_NO_MEMORY;
	return 0;
}

static void close_descriptors(struct zhouyi_client *client)
{
	const int fds[] = {client->epoll, client->alarm, client->socket};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	client->epoll = client->alarm = client->socket = -1;
}

/* The program's name, fit for a protobuf string and a log. */
static void own_name(char *ret, size_t size)
{
	snprintf(ret, size, "%s", program_invocation_short_name);
	for (; *ret; ret++)
		if (*ret <= ' ' || *ret >= 0x7f)
			*ret = '?';
}

static int greet(struct zhouyi_client *client)
{
	zy_auto(zy_reply_finish) struct zy_reply reply = ZY_REPLY_INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	Zy__Hello hello = ZY__HELLO__INIT;
	char name[64];
	int r;

	own_name(name, sizeof(name));
	hello.min_version = ZY_PROTOCOL_VERSION;
	hello.max_version = ZY_PROTOCOL_VERSION;
	hello.features = ZY_FEATURES;
	hello.name = name;
	request.body_case = ZY__REQUEST__BODY_HELLO;
	request.hello = &hello;
	r = zy_control_call(client, &request, -1, ZY__RESPONSE__BODY_WELCOME, &reply);
	if (r < 0)
		return r;
	if (reply.response->welcome->version != ZY_PROTOCOL_VERSION)
		return -ZHOUYI_ERROR_VERSION;
	if (reply.response->welcome->features & ~ZY_FEATURES)
		return -ZHOUYI_ERROR_PROTOCOL;
	client->features = reply.response->welcome->features;
	return 0;
}

static struct zhouyi_client *client_new(void)
{
	struct zhouyi_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->n_refs = 1;
	client->pid = getpid();
	client->socket = client->alarm = client->epoll = -1;
	zy_pending_init(&client->pending);
	list_init(&client->farewells);
	zy_client_fail(client, ZHOUYI_SUCCESS, NULL);
	return client;
}

static const char *default_path(void)
{
	const char *path = secure_getenv("ZHOUYI_SOCKET");

	return path && path[0] != '\0' ? path : ZHOUYI_DEFAULT_SOCKET;
}

int zhouyi_client_open(struct zhouyi_client **ret, const char *socket_path)
{
	struct zhouyi_client *client;
	int r;

	client = client_new();
	if (!client)
		return -ZHOUYI_ERROR_NO_MEMORY;
	r = open_descriptors(client);
	if (r == 0)
		r = connect_to(client->socket, socket_path ? socket_path : default_path());
	if (r == 0)
		r = greet(client);
	if (r < 0) {
		zhouyi_client_close(client);
		return r;
	}
	*ret = client;
	return 0;
}

/* In a forked child, requests are still the parent's: no callback, just the references. */
static void abandon_requests(struct zhouyi_client *client)
{
	struct zy_pending pending;

	while (zy_pending_pop(&client->pending, &pending))
		zy_binding_unref(pending.binding);
}

void zhouyi_client_close(struct zhouyi_client *client)
{
	if (!client || client->closed)
		return;
	client->closed = true;
	zy_pending_answer_all(&client->pending, ZY_CANCELLED);
	if (zy_client_is_forked(client)) {
		abandon_requests(client);
	} else {
		/* A forked child may have the socket, too, but the session is over. */
		shutdown(client->socket, SHUT_RDWR);
		deliver_all(client);
	}
	close_descriptors(client);
	zy_control_forget(client);
	zy_pending_finish(&client->pending);
	zy_client_unref(client);
}
