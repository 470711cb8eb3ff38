/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One packet of a SOCK_SEQPACKET socket, with its descriptors, in or out. Nothing
 * here blocks (but zy_packet_receive_wait()), raises SIGPIPE, allocates or loses a descriptor. What
 * may be in a packet is said in entry.h; its content is the caller's to check.
 *
 * Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* No message carries more descriptors. */
#define ZY_PACKET_MAX_FDS 4

struct ProtobufCMessage;

/* Descriptors that came with a packet; owned by whoever holds the struct. */
struct zy_fds {
	int fd[ZY_PACKET_MAX_FDS]; /* the first n are valid, or -1 if taken */
	size_t n;
};

/* The descriptor at @i becomes the caller's; -1 if there is none or it was taken. */
int zy_fds_take(struct zy_fds *fds, size_t i);

/* Close what was not taken. The struct is then empty. */
void zy_fds_close(struct zy_fds *fds);

/* The cleanup behind zy_auto(zy_fds_close). Such a local must be initialized: { .n = 0 }. */
static inline void zy_fds_close_p(struct zy_fds *fds)
{
	zy_fds_close(fds);
}

/*
 * Send one packet. The descriptors stay the caller's. Returns 0, or
 *   -EAGAIN  the socket is full: wait for POLLOUT
 *   -EPIPE, -ECONNRESET  the other end is gone
 *   -EINVAL  empty, or more than ZY_PACKET_MAX_FDS descriptors
 *   or another negative errno of sendmsg()
 */
int zy_packet_send(int socket, const void *data, size_t size, const int *fds, size_t n_fds);

/*
 * Receive one packet of at most @size bytes. Its descriptors, which are
 * close-on-exec, become the caller's through @ret; on every other outcome than a
 * positive result there are none. Returns the packet's size, or
 *   0         the other end is gone (or sent an empty packet, which nobody may)
 *   -EAGAIN   nothing there
 *   -EMSGSIZE the packet was longer than @size
 *   -EBADMSG  it had more than ZY_PACKET_MAX_FDS descriptors, or this process has no
 *             room for them
 *   -ECONNRESET  the other end is gone and did not read everything; packets that
 *             it sent before can still be received
 *   or another negative errno of recvmsg()
 */
ssize_t zy_packet_receive(int socket, void *buf, size_t size, struct zy_fds *ret);

/* The same, but blocks instead of returning -EAGAIN, if the socket is in blocking mode. Retries
 * after signals. */
ssize_t zy_packet_receive_wait(int socket, void *buf, size_t size, struct zy_fds *ret);

/* The type word, ZY_PACKET_*; 0, which is no type, if the packet is too short to have one. */
uint32_t zy_packet_type(const void *data, size_t size);

/*
 * Write a control packet, type word and @message, into @buf, ready to send.
 * Returns its size, or -EMSGSIZE if it does not fit.
 */
ssize_t zy_packet_pack(void *buf, size_t size, const struct ProtobufCMessage *message);

/*
 * The protobuf part of a received control packet, borrowed from @data; @ret_size
 * may become 0. Returns NULL if the packet is no control packet.
 */
const uint8_t *zy_packet_message(const void *data, size_t size, size_t *ret_size);
