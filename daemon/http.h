/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 (RFC 9112) as far as somebody needs it who answers one GET or HEAD and closes the
 * connection. Bodies are not for us, so what headers say about them does not matter either;
 * that they are headers does.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The largest request, without a body. */
#define HTTP_REQUEST_MAX 4096u
/* What http_answer() writes is shorter. */
#define HTTP_ANSWER_MAX 512u

enum http_status {
	HTTP_OK = 200,
	HTTP_BAD_REQUEST = 400,
	HTTP_NOT_FOUND = 404,
	HTTP_NOT_ALLOWED = 405,
	HTTP_TOO_LARGE = 431,
	HTTP_UNAVAILABLE = 503,
	HTTP_BAD_VERSION = 505,
};

struct http_request {
	bool head;    /* only the header of the answer is wanted */
	size_t begin; /* of the path in what was read, and its length */
	size_t length;
};

/*
 * Look at the @size bytes read so far. 0: more are needed. Otherwise the request is answered
 * with this status; HTTP_OK: it is what @ret says.
 */
int http_parse(struct http_request *ret, const char *data, size_t size);

/* Whether it asks for @path, whatever query comes behind it. */
bool http_is_for(const struct http_request *request, const char *data, const char *path);

/*
 * Write the header of an answer with a body of @body bytes. With any status but HTTP_OK a
 * body that says what is wrong comes with it, unless @head, and @body does not matter.
 */
size_t http_answer(char ret[static HTTP_ANSWER_MAX], enum http_status status, const char *type,
		   size_t body, bool head);
