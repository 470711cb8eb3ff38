/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/entry.h"
#include "proto/packet.h"
#include "proto/zhouyi.pb-c.h"

static int pair[2];
static size_t n_open;

static size_t count_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void setup(void)
{
	n_open = count_open();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
}

/* Criterion ignores assertions here. */
static void teardown(void)
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	if (count_open() != n_open)
		abort();
}

TestSuite(packet, .init = setup, .fini = teardown);

static bool same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

/* What no caller of the module can send: any number of descriptors. */
static void send_raw(int socket, const void *data, size_t size, int fd, size_t n_fds)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(64 * sizeof(int))];
	} control = {.space = {0}};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds > 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		for (size_t i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &fd, sizeof(fd));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	cr_assert_eq(sendmsg(socket, &msg, 0), (ssize_t)size);
}

Test(packet, arrives_as_it_was_sent)
{
	char buf[16];
	struct zy_fds fds;

	cr_assert_eq(zy_packet_send(pair[0], "hello", 5, NULL, 0), 0);
	cr_assert_eq(zy_packet_receive(pair[1], buf, sizeof(buf), &fds), 5);
	cr_assert_arr_eq(buf, "hello", 5);
	cr_assert_eq(fds.n, 0);
}

Test(packet, descriptors_arrive_in_order_and_close_on_exec)
{
	char buf[16];
	struct zy_fds fds;
	int sent[4] = {pair[0], pair[1], pair[1], pair[0]};

	cr_assert_eq(zy_packet_send(pair[0], "x", 1, sent, 4), 0);
	cr_assert_eq(zy_packet_receive(pair[1], buf, sizeof(buf), &fds), 1);
	cr_assert_eq(fds.n, 4);
	for (int i = 0; i < 4; i++) {
		cr_assert(same_file(fds.fd[i], sent[i]));
		cr_assert(fcntl(fds.fd[i], F_GETFD) & FD_CLOEXEC);
	}
	zy_fds_close(&fds);
}

Test(packet, a_taken_descriptor_is_the_takers)
{
	char buf[16];
	struct zy_fds fds;
	int taken;

	cr_assert_eq(zy_packet_send(pair[0], "x", 1, pair, 2), 0);
	cr_assert_eq(zy_packet_receive(pair[1], buf, sizeof(buf), &fds), 1);
	taken = zy_fds_take(&fds, 1);
	cr_assert_geq(taken, 0);
	cr_assert_eq(zy_fds_take(&fds, 1), -1);
	cr_assert_eq(zy_fds_take(&fds, 2), -1);
	zy_fds_close(&fds);
	cr_assert(same_file(taken, pair[1]));
	close(taken);
}

Test(packet, nothing_there_does_not_block)
{
	char buf[16];
	struct zy_fds fds = {.n = 77};

	cr_assert_eq(zy_packet_receive(pair[1], buf, sizeof(buf), &fds), -EAGAIN);
	cr_assert_eq(fds.n, 0);
}

Test(packet, a_full_socket_does_not_block)
{
	char buf[1024] = {0};
	int r;

	while ((r = zy_packet_send(pair[0], buf, sizeof(buf), NULL, 0)) == 0)
		;
	cr_assert_eq(r, -EAGAIN);
}

Test(packet, the_end_is_zero_and_sending_to_it_raises_no_signal)
{
	char buf[16];
	struct zy_fds fds;

	close(pair[0]);
	pair[0] = -1;
	cr_assert_eq(zy_packet_receive(pair[1], buf, sizeof(buf), &fds), 0);
	cr_assert_eq(zy_packet_receive_wait(pair[1], buf, sizeof(buf), &fds), 0);
	cr_assert_eq(zy_packet_send(pair[1], "x", 1, NULL, 0), -EPIPE);
}

Test(packet, what_was_sent_before_a_reset_can_still_be_received)
{
	char buf[16];
	struct zy_fds fds;

	cr_assert_eq(zy_packet_send(pair[1], "unread", 6, NULL, 0), 0);
	cr_assert_eq(zy_packet_send(pair[0], "last", 4, NULL, 0), 0);
	close(pair[0]);
	pair[0] = -1;
	cr_assert_eq(zy_packet_receive(pair[1], buf, sizeof(buf), &fds), -ECONNRESET);
	cr_assert_eq(zy_packet_receive(pair[1], buf, sizeof(buf), &fds), 4);
	cr_assert_eq(zy_packet_receive(pair[1], buf, sizeof(buf), &fds), 0);
}

Test(packet, a_packet_too_long_is_refused_with_its_descriptors)
{
	char data[17] = {0}, buf[16];
	struct zy_fds fds;

	cr_assert_eq(zy_packet_send(pair[0], data, sizeof(data), pair, 2), 0);
	cr_assert_eq(zy_packet_receive(pair[1], buf, sizeof(buf), &fds), -EMSGSIZE);
	cr_assert_eq(fds.n, 0);
}

Test(packet, too_many_descriptors_are_refused_and_closed)
{
	char buf[16];
	struct zy_fds fds;

	for (size_t n = ZY_PACKET_MAX_FDS + 1; n <= 64; n++) {
		send_raw(pair[0], "x", 1, pair[0], n);
		cr_assert_eq(zy_packet_receive(pair[1], buf, sizeof(buf), &fds), -EBADMSG);
		cr_assert_eq(fds.n, 0);
	}
}

Test(packet, an_empty_packet_is_the_end_and_its_descriptors_are_closed)
{
	char buf[16];
	struct zy_fds fds;

	send_raw(pair[0], "", 0, pair[0], 2);
	cr_assert_eq(zy_packet_receive(pair[1], buf, sizeof(buf), &fds), 0);
	cr_assert_eq(fds.n, 0);
}

Test(packet, without_room_for_descriptors_none_leak)
{
	char buf[16];
	struct zy_fds fds;
	struct rlimit limit, tight;
	int last = dup(pair[0]);

	cr_assert_eq(zy_packet_send(pair[0], "x", 1, pair, 2), 0);
	close(last);
	getrlimit(RLIMIT_NOFILE, &limit);
	tight = limit;
	tight.rlim_cur = (rlim_t)last + 1; /* room for one */
	setrlimit(RLIMIT_NOFILE, &tight);
	cr_expect_eq(zy_packet_receive(pair[1], buf, sizeof(buf), &fds), -EBADMSG);
	setrlimit(RLIMIT_NOFILE, &limit);
	cr_assert_eq(fds.n, 0);
}

Test(packet, neither_nothing_nor_too_many_descriptors_are_sent)
{
	int fds[ZY_PACKET_MAX_FDS + 1] = {0};

	cr_assert_eq(zy_packet_send(pair[0], "x", 0, NULL, 0), -EINVAL);
	cr_assert_eq(zy_packet_send(pair[0], "x", 1, fds, ZY_PACKET_MAX_FDS + 1), -EINVAL);
}

Test(packet, a_message_is_packed_behind_its_type_word)
{
	Zy__Request request = ZY__REQUEST__INIT, *back;
	Zy__OpenModel open = ZY__OPEN_MODEL__INIT;
	char buf[64];
	const uint8_t *message;
	size_t size;
	ssize_t n;

	request.serial = 7;
	request.body_case = ZY__REQUEST__BODY_OPEN_MODEL;
	request.open_model = &open;
	open.name = "mobilenet";
	n = zy_packet_pack(buf, sizeof(buf), &request.base);
	cr_assert_gt(n, 4);
	cr_assert_eq(zy_packet_type(buf, n), ZY_PACKET_CONTROL);

	message = zy_packet_message(buf, n, &size);
	cr_assert_eq(size, (size_t)n - 4);
	back = zy__request__unpack(NULL, size, message);
	cr_assert_not_null(back);
	cr_assert_eq(back->serial, 7);
	cr_assert_str_eq(back->open_model->name, "mobilenet");
	zy__request__free_unpacked(back, NULL);
}

Test(packet, a_message_that_does_not_fit_is_not_written)
{
	Zy__OpenModel open = ZY__OPEN_MODEL__INIT;
	char buf[16] = {0};

	open.name = "0123456789"; /* 12 bytes packed */
	cr_assert_eq(zy_packet_pack(buf, 16, &open.base), 16);
	memset(buf, 0x55, sizeof(buf));
	for (size_t size = 0; size < 16; size++)
		cr_assert_eq(zy_packet_pack(buf, size, &open.base), -EMSGSIZE);
	for (size_t i = 0; i < sizeof(buf); i++)
		cr_assert_eq(buf[i], 0x55);
}

Test(packet, short_packets_have_no_type)
{
	uint32_t word = ZY_PACKET_CONTROL;
	size_t size = 99;

	for (size_t n = 0; n < 4; n++) {
		cr_assert_eq(zy_packet_type(&word, n), 0);
		cr_assert_null(zy_packet_message(&word, n, &size));
	}
	cr_assert_not_null(zy_packet_message(&word, 4, &size));
	cr_assert_eq(size, 0);
	word = ZY_PACKET_SUBMIT;
	cr_assert_null(zy_packet_message(&word, 4, &size));
}
