/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal's native protocol, as far as the log needs it: a datagram for each
 * entry, with a FIELD=value line for each field. journald adds by itself who sent it.
 */
#pragma once

#include <stddef.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/*
 * A descriptor for entries to the socket at @path, or a negative errno. It stays good
 * when journald is restarted.
 */
int journal_open(const char *path);

/*
 * Send an entry of @size bytes. Never waits: a log that is full must not hold up who
 * writes it.
 *   -EAGAIN  journald does not keep up
 *   or another negative errno, if there is no journald now
 */
int journal_send(int fd, const char *entry, size_t size);

/* Wait until what was sent has been read, and a moment longer; at most half a second. */
void journal_flush(int fd);
