/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client without manners: speaks the protocol by hand, to break it or to vanish
 * in the middle.
 *
 * usage: rough steps                           the steps of the protocol, in order
 *        rough end SOCKET MODEL STEP WAY       do everything up to STEP, then end: killed,
 *                                              stopped for a while and then killed, or shut
 *                                              (the connection is, the process lives on)
 *        rough garbage SOCKET SEED COUNT       COUNT connections that send rubbish
 *        rough half SOCKET                     messages cut short, at every length
 *        rough turn SOCKET                     messages out of turn, with wrong descriptors
 *        rough foreign SOCKET MODEL            use ids that belong to another client
 *        rough stuff SOCKET MODEL              submit without ever reading an answer
 *
 * Exit status 0: the daemon did what it should (it cut us off, or answered with an
 * error); 1: it did not; 2: usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/peer.h"

static const char *model_path;

static struct peer visitor(const char *socket)
{
	return (struct peer){.socket = peer_dial(socket), .name = "rough", .image = model_path};
}

static void send_submits(struct peer *peer)
{
	struct zy_submit submit = {
		.type = ZY_PACKET_SUBMIT, .binding = peer->binding, .class = ZY_CLASS_INTERACTIVE};

	for (submit.cookie = 0; submit.cookie < 16; submit.cookie++) {
		if (zy_packet_send(peer->socket, &submit, sizeof(submit), NULL, 0) < 0)
			peer_fail("submit");
	}
}

static void await_one(struct peer *peer)
{
	struct zy_complete complete;
	struct zy_fds fds = {.n = 0};

	if (zy_packet_receive_wait(peer->socket, &complete, sizeof(complete), &fds) !=
	    sizeof(complete))
		peer_fail("completion");
	zy_fds_close(&fds);
}

static void send_cancel(struct peer *peer)
{
	Zy__Cancel cancel = ZY__CANCEL__INIT;
	Zy__Request request = ZY__REQUEST__INIT;

	cancel.cookie = 9;
	request.body_case = ZY__REQUEST__BODY_CANCEL;
	request.cancel = &cancel;
	peer_ask(peer, &request, NULL, 0);
}

static void send_destroys(struct peer *peer)
{
	Zy__DestroyBinding binding = ZY__DESTROY_BINDING__INIT;
	Zy__DestroyBuffer buffer = ZY__DESTROY_BUFFER__INIT;
	Zy__Request request = ZY__REQUEST__INIT;

	binding.binding = peer->binding;
	request.body_case = ZY__REQUEST__BODY_DESTROY_BINDING;
	request.destroy_binding = &binding;
	peer_ask(peer, &request, NULL, 0);
	buffer.buffer = peer->buffer;
	request.body_case = ZY__REQUEST__BODY_DESTROY_BUFFER;
	request.destroy_buffer = &buffer;
	peer_ask(peer, &request, NULL, 0);
}

static const struct {
	const char *name;
	void (*take)(struct peer *peer);
} steps[] = {
	{"connected", NULL},
	{"hello-sent", peer_send_hello},
	{"welcomed", peer_await_reply},
	{"load-sent", peer_send_load},
	{"loaded", peer_await_model},
	{"buffer-sent", peer_send_buffer},
	{"buffered", peer_await_buffer},
	{"binding-sent", peer_send_binding},
	{"bound", peer_await_binding},
	{"submitted", send_submits},
	{"one-answered", await_one},
	{"cancel-sent", send_cancel},
	{"destroys-sent", send_destroys},
};
#define N_STEPS (sizeof(steps) / sizeof(steps[0]))

/* Take all steps up to the one called @last. */
static void walk(struct peer *peer, const char *last)
{
	for (size_t i = 0; i < N_STEPS; i++) {
		if (steps[i].take)
			steps[i].take(peer);
		if (strcmp(steps[i].name, last) == 0)
			return;
	}
	fprintf(stderr, "rough: no step is called '%s'\n", last);
	exit(2);
}

static void linger(void)
{
	usleep(50000);
}

/* In a process of its own, which does not come back from its last step. */
static void take_last_step(const char *path, const char *step, const char *way)
{
	struct peer peer = visitor(path);

	walk(&peer, step);
	if (strcmp(way, "shut") != 0) {
		raise(strcmp(way, "killed") == 0 ? SIGKILL : SIGSTOP);
		return;
	}
	shutdown(peer.socket, SHUT_RDWR);
	linger();
	_exit(0);
}

static int end(const char *path, const char *step, const char *way)
{
	const bool shut = strcmp(way, "shut") == 0, stopped = strcmp(way, "stopped") == 0;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		take_last_step(path, step, way);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, WUNTRACED) != pid)
		peer_fail("fork");
	if (stopped && WIFSTOPPED(status)) {
		linger();
		kill(pid, SIGKILL);
		if (waitpid(pid, &status, 0) != pid)
			peer_fail("wait");
	}
	if (shut)
		return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : 1;
}

/* The daemon ends the connection within five seconds. */
static bool is_cut_off(int socket)
{
	struct pollfd poll_fd = {.fd = socket, .events = POLLIN};
	char packet[ZY_PACKET_MAX];

	while (poll(&poll_fd, 1, 5000) == 1) {
		if (recv(socket, packet, sizeof(packet), 0) <= 0)
			return true;
	}
	return false;
}

static int garbage(const char *path, unsigned int seed, int count)
{
	static const uint32_t types[] = {ZY_PACKET_SUBMIT, ZY_PACKET_COMPLETE, ZY_PACKET_CONTROL,
					 0};
	uint8_t packet[512];

	for (int i = 0; i < count; i++) {
		struct peer peer = visitor(path);
		size_t size = (size_t)rand_r(&seed) % sizeof(packet) + 1;
		uint32_t type = types[i % 4];

		if (i % 8 >= 4)
			walk(&peer, "welcomed");
		for (size_t j = 0; j < size; j++)
			packet[j] = (uint8_t)rand_r(&seed);
		if (type && size >= sizeof(type))
			memcpy(packet, &type, sizeof(type));
		send(peer.socket, packet, size, MSG_NOSIGNAL);
		/* Random bytes are a legal message once in a blue moon: then they are answered. */
		if (type != ZY_PACKET_CONTROL && !is_cut_off(peer.socket)) {
			fprintf(stderr, "rough: %zu bytes of garbage were accepted\n", size);
			return 1;
		}
		close(peer.socket);
	}
	return 0;
}

static int half(const char *path)
{
	Zy__Hello hello = ZY__HELLO__INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	uint8_t packet[256];
	ssize_t size;

	hello.min_version = hello.max_version = ZY_PROTOCOL_VERSION;
	hello.name = "a name long enough to be cut";
	request.serial = 77;
	request.body_case = ZY__REQUEST__BODY_HELLO;
	request.hello = &hello;
	size = zy_packet_pack(packet, sizeof(packet), &request.base);
	for (ssize_t n = 1; n < size; n++) {
		int socket = peer_dial(path);

		send(socket, packet, (size_t)n, MSG_NOSIGNAL);
		if (!is_cut_off(socket)) {
			fprintf(stderr, "rough: %zd of %zd bytes were taken for a message\n", n,
				size);
			return 1;
		}
		close(socket);
	}
	return 0;
}

static int turn(const char *path)
{
	struct zy_submit submit = {.type = ZY_PACKET_SUBMIT, .class = ZY_CLASS_INTERACTIVE};
	Zy__GetStatus status = ZY__GET_STATUS__INIT;
	Zy__Request request = ZY__REQUEST__INIT;
	struct peer peer = visitor(path);

	/* A request, or a submission, before hello. */
	request.body_case = ZY__REQUEST__BODY_GET_STATUS;
	request.get_status = &status;
	peer_ask(&peer, &request, NULL, 0);
	if (!is_cut_off(peer.socket))
		return 1;
	peer.socket = peer_dial(path);
	zy_packet_send(peer.socket, &submit, sizeof(submit), NULL, 0);
	if (!is_cut_off(peer.socket))
		return 1;
	/* Hello twice. */
	peer.socket = peer_dial(path);
	walk(&peer, "welcomed");
	peer_send_hello(&peer);
	if (!is_cut_off(peer.socket))
		return 1;
	/* A descriptor nobody asked for; a load without one; reserved fields. */
	peer.socket = peer_dial(path);
	walk(&peer, "welcomed");
	peer_ask(&peer, &request, &(int){0}, 1);
	if (!is_cut_off(peer.socket))
		return 1;
	peer.socket = peer_dial(path);
	walk(&peer, "welcomed");
	submit.reserved[8] = 1;
	zy_packet_send(peer.socket, &submit, sizeof(submit), NULL, 0);
	return is_cut_off(peer.socket) ? 0 : 1;
}

static int foreign(const char *path)
{
	struct peer owner = visitor(path), thief = visitor(path);
	struct zy_submit submit = {.type = ZY_PACKET_SUBMIT, .class = ZY_CLASS_INTERACTIVE};
	struct zy_complete complete;
	struct zy_fds fds = {.n = 0};
	Zy__Response *reply;

	walk(&owner, "bound");
	walk(&thief, "welcomed");
	thief.size = owner.size;
	peer_send_binding_of(&thief, owner.model, owner.buffer);
	reply = peer_response(&thief);
	if (!reply || reply->status != ZY_NOT_FOUND)
		return 1;
	submit.binding = owner.binding;
	zy_packet_send(thief.socket, &submit, sizeof(submit), NULL, 0);
	if (zy_packet_receive_wait(thief.socket, &complete, sizeof(complete), &fds) !=
		    sizeof(complete) ||
	    complete.status != ZY_NOT_FOUND)
		return 1;
	zy__response__free_unpacked(reply, NULL);
	return 0;
}

static int stuff(const char *path)
{
	struct peer peer = visitor(path);
	struct zy_submit submit = {.type = ZY_PACKET_SUBMIT, .class = ZY_CLASS_INTERACTIVE};

	walk(&peer, "bound");
	fcntl(peer.socket, F_SETFL, O_NONBLOCK);
	submit.binding = peer.binding;
	for (submit.cookie = 0; submit.cookie < 100000; submit.cookie++) {
		struct pollfd poll_fd = {.fd = peer.socket, .events = POLLOUT};

		if (zy_packet_send(peer.socket, &submit, sizeof(submit), NULL, 0) == 0)
			continue;
		/* Full for half a second: the daemon has stopped reading us. */
		if (poll(&poll_fd, 1, 500) == 0 || (poll_fd.revents & POLLHUP))
			return 0;
	}
	fprintf(stderr,
		"rough: the daemon took 100000 submissions without one answer being read\n");
	return 1;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	model_path = argc > 3 ? argv[3] : NULL;
	if (strcmp(what, "steps") == 0) {
		for (size_t i = 0; i < N_STEPS; i++)
			puts(steps[i].name);
		return 0;
	}
	if (strcmp(what, "end") == 0 && argc == 6)
		return end(argv[2], argv[4], argv[5]);
	if (strcmp(what, "garbage") == 0 && argc == 5)
		return garbage(argv[2], (unsigned int)atoi(argv[3]), atoi(argv[4]));
	if (strcmp(what, "half") == 0 && argc == 3)
		return half(argv[2]);
	if (strcmp(what, "turn") == 0 && argc == 3)
		return turn(argv[2]);
	if (strcmp(what, "foreign") == 0 && argc == 4)
		return foreign(argv[2]);
	if (strcmp(what, "stuff") == 0 && argc == 4)
		return stuff(argv[2]);
	fprintf(stderr, "usage: %s steps|end|garbage|half|turn|foreign|stuff …\n", argv[0]);
	return 2;
}
