/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/http.h"

#include <stdio.h>
#include <string.h>

/* A part of what was read. */
struct part {
	const char *at;
	size_t n;
};

static bool is(struct part part, const char *text)
{
	return part.n == strlen(text) && memcmp(part.at, text, part.n) == 0;
}

/* Cuts off what is before the next @end, which goes as well. Without one it is all of it. */
static struct part cut(struct part *from, char end)
{
	const char *found = from->n ? memchr(from->at, end, from->n) : NULL;
	struct part part = {from->at, found ? (size_t)(found - from->at) : from->n};
	size_t used = part.n + !!found;

	*from = (struct part){from->at + used, from->n - used};
	return part;
}

/* The same, up to the end of a line; the CR before it may be missing. */
static struct part cut_line(struct part *from)
{
	struct part line = cut(from, '\n');

	if (line.n && line.at[line.n - 1] == '\r')
		line.n--;
	return line;
}

/* The "tchar" of RFC 9110. */
static bool is_token(struct part part)
{
	for (size_t i = 0; i < part.n; i++) {
		char c = part.at[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    !(c && strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return part.n > 0;
}

static bool is_visible(struct part part)
{
	for (size_t i = 0; i < part.n; i++)
		if (part.at[i] <= ' ' || part.at[i] > '~')
			return false;
	return part.n > 0;
}

/* A value may be anything but control characters; a line that goes on in the next one has no name.
 */
static bool is_header(struct part line)
{
	struct part name = cut(&line, ':');

	for (size_t i = 0; i < line.n; i++)
		if ((unsigned char)line.at[i] < ' ' ? line.at[i] != '\t' : line.at[i] == 0x7f)
			return false;
	return is_token(name) && name.at + name.n != line.at + line.n;
}

/* Where the empty line is over that ends the request, or 0. */
static size_t find_end(const char *data, size_t size)
{
	for (size_t i = 1; i < size; i++)
		if (data[i] == '\n' &&
		    (data[i - 1] == '\n' || (i >= 2 && data[i - 1] == '\r' && data[i - 2] == '\n')))
			return i + 1;
	return 0;
}

static int parse_version(struct part version)
{
	if (version.n != 8 || memcmp(version.at, "HTTP/", 5) != 0 || version.at[6] != '.' ||
	    version.at[5] < '0' || version.at[5] > '9' || version.at[7] < '0' ||
	    version.at[7] > '9')
		return HTTP_BAD_REQUEST;
	return version.at[5] == '1' ? HTTP_OK : HTTP_BAD_VERSION;
}

static int parse_first_line(struct http_request *ret, const char *data, struct part line)
{
	struct part method = cut(&line, ' '), target = cut(&line, ' ');
	int status = parse_version(line);

	if (!is_token(method) || !is_visible(target))
		return HTTP_BAD_REQUEST;
	if (status != HTTP_OK)
		return status;
	if (!is(method, "GET") && !is(method, "HEAD"))
		return HTTP_NOT_ALLOWED;
	*ret = (struct http_request){
		.head = is(method, "HEAD"),
		.begin = (size_t)(target.at - data),
		.length = target.n,
	};
	return HTTP_OK;
}

int http_parse(struct http_request *ret, const char *data, size_t size)
{
	size_t end = find_end(data, size);
	struct part rest = {data, end}, line;
	int status;

	if (!end)
		return size < HTTP_REQUEST_MAX ? 0 : HTTP_TOO_LARGE;
	line = cut_line(&rest);
	status = parse_first_line(ret, data, line);
	/* Another line is there in any case, the empty one. */
	for (line = cut_line(&rest); line.n; line = cut_line(&rest))
		if (!is_header(line))
			return HTTP_BAD_REQUEST;
	return status;
}

/* The target may be a whole address: "http://localhost/metrics". */
static struct part path_of(struct part target)
{
	struct part path = target, scheme = cut(&path, ':');

	if (!is(scheme, "http") || path.n < 2 || memcmp(path.at, "//", 2) != 0)
		return target;
	path = (struct part){path.at + 2, path.n - 2};
	while (path.n && path.at[0] != '/')
		path = (struct part){path.at + 1, path.n - 1};
	return path;
}

bool http_is_for(const struct http_request *request, const char *data, const char *path)
{
	struct part target = path_of((struct part){data + request->begin, request->length});

	return is(cut(&target, '?'), path);
}

/*
 * Answering
 */

static const char *text_of(enum http_status status)
{
	switch (status) {
	case HTTP_OK:
		return "OK";
	case HTTP_BAD_REQUEST:
		return "Bad Request";
	case HTTP_NOT_FOUND:
		return "Not Found";
	case HTTP_NOT_ALLOWED:
		return "Method Not Allowed";
	case HTTP_TOO_LARGE:
		return "Request Header Fields Too Large";
	case HTTP_UNAVAILABLE:
		return "Service Unavailable";
	case HTTP_BAD_VERSION:
		return "HTTP Version Not Supported";
	}
	return "";
}

size_t http_answer(char ret[static HTTP_ANSWER_MAX], enum http_status status, const char *type,
		   size_t body, bool head)
{
	const char *text = text_of(status);
	bool failed = status != HTTP_OK;
	int n;

	if (failed) {
		type = "text/plain; charset=utf-8";
		body = strlen(text) + 1;
	}
	n = snprintf(ret, HTTP_ANSWER_MAX,
		     "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
		     "Connection: close\r\n\r\n%s%s",
		     status, text, type, body,
		     status == HTTP_NOT_ALLOWED ? "Allow: GET, HEAD\r\n" : "",
		     failed && !head ? text : "", failed && !head ? "\n" : "");
	return (size_t)n;
}
