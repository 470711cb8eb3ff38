/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Those who ask for metrics, and those who mean it badly.
 *
 * usage: http WHERE send           what standard input says; prints the answer
 *        http WHERE storm N ROUNDS N at a time ask for the page; all get all of it
 *        http WHERE hold N         N connections that say half a word each; prints "held", and then
 *                                  after how many milliseconds the first and the last was closed
 *        http WHERE garbage N SEED N connections with random bytes; every answer is a refusal
 *        http free-port            prints a port of the loopback that is free
 * WHERE is the path of a Unix socket or a port of the loopback.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_AT_A_TIME 64
#define GET "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"

static const char *where;

static void fail(const char *what)
{
	fprintf(stderr, "http: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int dial(void)
{
	struct sockaddr_in port = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un path = {.sun_family = AF_UNIX};
	int is_path = where[0] == '/';
	int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	port.sin_port = htons((uint16_t)atoi(where));
	snprintf(path.sun_path, sizeof(path.sun_path), "%s", where);
	if (fd < 0 || connect(fd, is_path ? (struct sockaddr *)&path : (struct sockaddr *)&port,
			      is_path ? sizeof(path) : sizeof(port)) < 0)
		fail(where);
	return fd;
}

/* A peer that has heard enough, or too much, may be gone. */
static void tell(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = send(fd, text, size, MSG_NOSIGNAL);

		if (n < 0)
			return;
		text += n;
		size -= (size_t)n;
	}
}

/* All that comes; to be freed. */
static char *hear(int fd)
{
	size_t used = 0, size = 1 << 22;
	char *text = malloc(size);
	ssize_t n;

	while (text && (n = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	if (!text)
		fail("memory");
	text[used] = '\0';
	return text;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int send_input(void)
{
	static char text[1 << 20];
	size_t n = fread(text, 1, sizeof(text), stdin);
	int fd = dial();
	char *answer;

	tell(fd, text, n);
	answer = hear(fd);
	fputs(answer, stdout);
	free(answer);
	close(fd);
	return 0;
}

static int is_complete(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");
	const char *length = strstr(answer, "Content-Length: ");

	return strncmp(answer, "HTTP/1.1 200 OK\r\n", 17) == 0 && body && length &&
	       strtoul(length + 16, NULL, 10) == strlen(body + 4) &&
	       strstr(body, "\nzhouyid_copied_bytes_total ");
}

static int storm(int n, int rounds)
{
	int fds[MAX_AT_A_TIME];

	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < n; i++) {
			fds[i] = dial();
			tell(fds[i], GET, strlen(GET));
		}
		for (int i = 0; i < n; i++) {
			char *answer = hear(fds[i]);

			if (!is_complete(answer)) {
				fprintf(stderr, "http: %d of round %d got: %s\n", i, round, answer);
				return 1;
			}
			free(answer);
			close(fds[i]);
		}
	}
	return 0;
}

static int hold(int n)
{
	struct pollfd fds[MAX_AT_A_TIME];
	long began = now_ms(), first = 0, last = 0;
	char byte;

	for (int i = 0; i < n; i++) {
		fds[i] = (struct pollfd){.fd = dial(), .events = POLLIN};
		tell(fds[i].fd, "GET", 3);
	}
	puts("held");
	fflush(stdout);
	for (int left = n; left;) {
		if (poll(fds, (nfds_t)n, 30000) <= 0)
			fail("they are never closed");
		for (int i = 0; i < n; i++) {
			if (fds[i].fd < 0 || !fds[i].revents || read(fds[i].fd, &byte, 1) > 0)
				continue;
			close(fds[i].fd);
			fds[i].fd = -1;
			last = now_ms() - began;
			first = first ? first : last;
			left--;
		}
	}
	printf("%ld %ld\n", first, last);
	return 0;
}

static int garbage(int n, unsigned int seed)
{
	static char text[8192];

	srand(seed);
	for (int i = 0; i < n; i++) {
		size_t size = (size_t)rand() % sizeof(text);
		int fd = dial();
		char *answer;

		for (size_t c = 0; c < size; c++)
			text[c] = (char)(rand() % 8 ? rand() : "\r\n: "[rand() % 4]);
		tell(fd, text, size);
		tell(fd, "\r\n\r\n", 4);
		answer = hear(fd);
		/* Or nothing, if it was not heard to its end. */
		if (answer[0] && strncmp(answer, "HTTP/1.1 4", 10) != 0 &&
		    strncmp(answer, "HTTP/1.1 5", 10) != 0) {
			fprintf(stderr, "http: seed %u, %d: %.100s\n", seed, i, answer);
			return 1;
		}
		free(answer);
		close(fd);
	}
	return 0;
}

static int free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		fail("no port");
	close(fd);
	printf("%u\n", ntohs(address.sin_port));
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";
	int n = argc > 3 ? atoi(argv[3]) : 0;

	where = argc > 1 ? argv[1] : "";
	if (strcmp(where, "free-port") == 0)
		return free_port();
	if (strcmp(what, "send") == 0)
		return send_input();
	if (strcmp(what, "storm") == 0 && argc == 5 && n <= MAX_AT_A_TIME)
		return storm(n, atoi(argv[4]));
	if (strcmp(what, "hold") == 0 && n <= MAX_AT_A_TIME)
		return hold(n);
	if (strcmp(what, "garbage") == 0 && argc == 5)
		return garbage(n, (unsigned int)atoi(argv[4]));
	fputs("usage: http WHERE send|storm N ROUNDS|hold N|garbage N SEED, http free-port\n",
	      stderr);
	return 2;
}
