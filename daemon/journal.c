/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/journal.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proto/scope.h"

int journal_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	zy_auto(zy_close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	/* systemd holds the socket while journald is away, so a connection outlives journald. */
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return zy_take_fd(fd);
}

int journal_send(int fd, const char *entry, size_t size)
{
	return send(fd, entry, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

void journal_flush(int fd)
{
	int unread = 0;

	if (ioctl(fd, SIOCOUTQ, &unread) < 0)
		return;
	for (int i = 0; i < 40 && unread > 0 && ioctl(fd, SIOCOUTQ, &unread) == 0; i++)
		sleep_ms(10);
	/* Read is not looked up yet. */
	sleep_ms(100);
}
