/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli metrics: what Prometheus would get, from the daemon's own socket. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "proto/scope.h"

#define REQUEST "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
#define PATIENCE_S 10
#define ANSWER_MAX (64u << 20)

/* Beside the clients' socket. */
static int default_path(const struct cli *cli, struct sockaddr_un *address)
{
	const char *clients = cli_socket(cli), *slash = strrchr(clients, '/');
	int directory = slash ? (int)(slash + 1 - clients) : 0;

	return snprintf(address->sun_path, sizeof(address->sun_path), "%.*smetrics.sock", directory,
			clients);
}

static int connect_to(const struct sockaddr_un *address)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	zy_auto(zy_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
	    send(fd, REQUEST, strlen(REQUEST), MSG_NOSIGNAL) != (ssize_t)strlen(REQUEST))
		return -errno;
	return zy_take_fd(fd);
}

/* All that comes, with a NUL behind it; to be freed. */
static int read_all(int fd, char **ret)
{
	size_t size = 65536, used = 0;
	zy_auto(zy_free) char *text = malloc(size);
	ssize_t n = 1;

	while (text && n != 0) {
		n = read(fd, text + used, size - 1 - used);
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		used += (size_t)n;
		if (used == size - 1) {
			char *larger = size < ANSWER_MAX ? realloc(text, 2 * size) : NULL;

			if (!larger)
				return -ENOMEM;
			text = larger;
			size *= 2;
		}
	}
	if (!text)
		return -ENOMEM;
	text[used] = '\0';
	*ret = zy_take(text);
	return 0;
}

/* The numbers, or NULL if that is no answer, or not all of it. */
static const char *body_of(const char *answer)
{
	const char *length = strstr(answer, "\r\nContent-Length: ");
	const char *body = strstr(answer, "\r\n\r\n");

	if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0 || !body || !length || length > body)
		return NULL;
	body += strlen("\r\n\r\n");
	length += strlen("\r\nContent-Length: ");
	return strtoul(length, NULL, 10) == strlen(body) ? body : NULL;
}

static int fail_to_connect(const struct sockaddr_un *address, int r)
{
	if (r == -EACCES)
		return cli_fail(CLI_UNREACHABLE,
				"no permission to use %s: metrics are for root, unless the daemon "
				"is configured otherwise",
				address->sun_path);
	return cli_fail(CLI_UNREACHABLE, "no metrics at %s: %s", address->sun_path, strerror(-r));
}

static int print_metrics(const struct sockaddr_un *address)
{
	zy_auto(zy_close) int fd = connect_to(address);
	zy_auto(zy_free) char *answer = NULL;
	const char *body;
	int r;

	if (fd < 0)
		return fail_to_connect(address, fd);
	r = read_all(fd, &answer);
	if (r < 0)
		return cli_fail(CLI_UNREACHABLE, "metrics at %s: %s", address->sun_path,
				strerror(-r));
	body = body_of(answer);
	if (!body)
		return cli_fail(CLI_FAILED, "metrics at %s: that is not the answer of a zhouyid",
				address->sun_path);
	fputs(body, stdout);
	return CLI_OK;
}

int cli_metrics(struct cli *cli, int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int code = cli_options_only(cli, argc, argv, 0, 1), n;

	if (code >= 0)
		return code;
	if (cli->json)
		return cli_usage(cli, "metrics have a format of their own: there is no --json");
	n = optind < argc ? snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[optind])
			  : default_path(cli, &address);
	if ((size_t)n >= sizeof(address.sun_path))
		return cli_usage(cli, "the socket's path is too long");
	return print_metrics(&address);
}
