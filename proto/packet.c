/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/packet.h"

#include <errno.h>
#include <protobuf-c/protobuf-c.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/entry.h"

/* Room for the descriptors of one packet, aligned as the kernel wants it. */
union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(ZY_PACKET_MAX_FDS * sizeof(int))];
};

int zy_fds_take(struct zy_fds *fds, size_t i)
{
	int fd;

	if (i >= fds->n)
		return -1;
	fd = fds->fd[i];
	fds->fd[i] = -1;
	return fd;
}

void zy_fds_close(struct zy_fds *fds)
{
	for (size_t i = 0; i < fds->n; i++)
		if (fds->fd[i] >= 0)
			close(fds->fd[i]);
	fds->n = 0;
}

static void control_attach(struct msghdr *msg, union control *control, const int *fds, size_t n_fds)
{
	struct cmsghdr *c = &control->header;

	memset(control, 0, sizeof(*control));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
}

int zy_packet_send(int socket, const void *data, size_t size, const int *fds, size_t n_fds)
{
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control;

	if (size == 0 || n_fds > ZY_PACKET_MAX_FDS)
		return -EINVAL;
	if (n_fds > 0)
		control_attach(&msg, &control, fds, n_fds);
	if (sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

/* Our own limit is exactly what fits into union control, so this never sees more than ret->fd
 * holds. */
static void control_collect(struct msghdr *msg, struct zy_fds *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n && ret->n < ZY_PACKET_MAX_FDS; i++)
			memcpy(&ret->fd[ret->n++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
}

static ssize_t receive(int socket, void *buf, size_t size, struct zy_fds *ret, int flags)
{
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct zy_fds fds = {.n = 0};
	ssize_t n;

	n = recvmsg(socket, &msg, flags | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	control_collect(&msg, &fds);
	if (msg.msg_flags & MSG_CTRUNC)
		n = -EBADMSG;
	else if (msg.msg_flags & MSG_TRUNC)
		n = -EMSGSIZE;
	if (n <= 0)
		zy_fds_close(&fds);
	*ret = fds;
	return n;
}

ssize_t zy_packet_receive(int socket, void *buf, size_t size, struct zy_fds *ret)
{
	ret->n = 0;
	return receive(socket, buf, size, ret, MSG_DONTWAIT);
}

ssize_t zy_packet_receive_wait(int socket, void *buf, size_t size, struct zy_fds *ret)
{
	ssize_t n;

	ret->n = 0;
	do
		n = receive(socket, buf, size, ret, 0);
	while (n == -EINTR);
	return n;
}

uint32_t zy_packet_type(const void *data, size_t size)
{
	uint32_t type;

	if (size < sizeof(type))
		return 0;
	memcpy(&type, data, sizeof(type));
	return type;
}

ssize_t zy_packet_pack(void *buf, size_t size, const struct ProtobufCMessage *message)
{
	const uint32_t type = ZY_PACKET_CONTROL;
	size_t length = protobuf_c_message_get_packed_size(message);

	if (size < sizeof(type) || length > size - sizeof(type))
		return -EMSGSIZE;
	memcpy(buf, &type, sizeof(type));
	protobuf_c_message_pack(message, (uint8_t *)buf + sizeof(type));
	return (ssize_t)(sizeof(type) + length);
}

const uint8_t *zy_packet_message(const void *data, size_t size, size_t *ret_size)
{
	if (zy_packet_type(data, size) != ZY_PACKET_CONTROL)
		return NULL;
	*ret_size = size - sizeof(uint32_t);
	return (const uint8_t *)data + sizeof(uint32_t);
}
