/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/cli.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Several in one printf(): each call has a line of its own, for a while. */
static char *line(size_t *ret_size)
{
	static char lines[16][320];
	static unsigned int next;

	*ret_size = sizeof(lines[0]);
	return lines[next++ % 16];
}

static void say(const char *format, va_list args)
{
	fputs("zhouyi-cli: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void cli_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

int cli_fail(int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	return code;
}

int cli_usage(const struct cli *cli, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	if (cli->command)
		fprintf(stderr, "usage: zhouyi-cli %s [OPTIONS]%s%s\n", cli->command->name,
			cli->command->arguments[0] ? " " : "", cli->command->arguments);
	else
		fputs("Try: zhouyi-cli --help\n", stderr);
	return CLI_USAGE;
}

int cli_fail_call(const struct zhouyi_client *client, int r, const char *what)
{
	bool unreachable = r == -ZHOUYI_ERROR_DISCONNECTED || r == -ZHOUYI_ERROR_VERSION;

	return cli_fail(unreachable ? CLI_UNREACHABLE : CLI_FAILED, "%s: %s", what,
			cli_text(zhouyi_client_error(client)));
}

const char *cli_socket(const struct cli *cli)
{
	const char *path = getenv("ZHOUYI_SOCKET");

	if (cli->socket)
		return cli->socket;
	return path && path[0] != '\0' ? path : ZHOUYI_DEFAULT_SOCKET;
}

int cli_connect(const struct cli *cli, struct zhouyi_client **ret)
{
	const char *path = cli_socket(cli);
	int r = zhouyi_client_open(ret, cli->socket);

	switch (-r) {
	case ZHOUYI_SUCCESS:
		return CLI_OK;
	case ZHOUYI_ERROR_DISCONNECTED:
		return cli_fail(
			CLI_UNREACHABLE,
			"no daemon at %s; start one with: systemctl start zhouyid, or for a "
			"try: zhouyid --device soft --socket /tmp/z.sock, then "
			"zhouyi-cli --socket /tmp/z.sock ...",
			path);
	case ZHOUYI_ERROR_DENIED:
		return cli_fail(CLI_UNREACHABLE,
				"no permission to use %s; ask to be added to group zhouyi "
				"(sudo usermod -aG zhouyi $USER), then log in again",
				path);
	case ZHOUYI_ERROR_INVALID:
		return cli_fail(CLI_USAGE, "%s cannot be a socket: its path is empty or too long",
				path);
	default:
		return cli_fail(CLI_UNREACHABLE, "cannot use the daemon at %s: %s", path,
				zhouyi_strerror(r));
	}
}

const char *cli_text(const char *text)
{
	size_t size, n;
	char *copy = line(&size);

	n = strlen(text);
	if (n > size - 1)
		n = size - 1;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		copy[i] = c < ' ' || c == 0x7f ? '?' : text[i];
	}
	copy[n] = '\0';
	return copy;
}

const char *cli_format(const char *format, ...)
{
	size_t size;
	char *text = line(&size);
	va_list args;

	va_start(args, format);
	vsnprintf(text, size, format, args);
	va_end(args);
	return text;
}

const char *cli_size(uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes / 1024;
	unsigned int unit = 0;
	size_t size;
	char *text = line(&size);

	if (bytes < 1024) {
		snprintf(text, size, "%" PRIu64 " B", bytes);
		return text;
	}
	while (value >= 1024 && unit < 3) {
		value /= 1024;
		unit++;
	}
	snprintf(text, size, "%.1f %s", value, units[unit]);
	return text;
}

const char *cli_shape(const struct zhouyi_tensor *tensor)
{
	size_t size, length = 0;
	char *text = line(&size);

	if (tensor->rank == 0)
		return "?";
	for (unsigned int i = 0; i < tensor->rank; i++)
		length += (size_t)snprintf(text + length, size - length, "%s%" PRIu32, i ? "x" : "",
					   tensor->dims[i]);
	return text;
}

json_t *cli_json_text(const char *text)
{
	size_t n = strlen(text);
	json_t *json = json_stringn(text, n);
	char *copy;

	if (json)
		return json;
	/* Not UTF-8: keep what is ASCII. */
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	json = json_stringn(copy, n);
	free(copy);
	return json;
}

json_t *cli_json_number(uint64_t number)
{
	return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

static int json_print(json_t *json, size_t flags)
{
	int r = json ? json_dumpf(json, stdout, flags | JSON_REAL_PRECISION(9)) : -1;

	json_decref(json);
	if (r < 0)
		return cli_fail(CLI_FAILED, "out of memory");
	putchar('\n');
	return CLI_OK;
}

int cli_json_print(json_t *json)
{
	return json_print(json, JSON_INDENT(2));
}

int cli_json_line(json_t *json)
{
	return json_print(json, JSON_COMPACT);
}
