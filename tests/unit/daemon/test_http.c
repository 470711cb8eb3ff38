/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/http.h"

static struct http_request request;

static int parse(const char *text)
{
	return http_parse(&request, text, strlen(text));
}

static bool is_for_metrics(const char *text)
{
	return parse(text) == HTTP_OK && http_is_for(&request, text, "/metrics");
}

Test(http, a_request_is_over_with_an_empty_line)
{
	const char text[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

	for (size_t n = 0; n < sizeof(text) - 1; n++)
		cr_assert_eq(http_parse(&request, text, n), 0, "%zu bytes", n);
	cr_assert_eq(parse(text), HTTP_OK);
	cr_assert_not(request.head);
}

Test(http, head_is_told_apart)
{
	cr_assert_eq(parse("HEAD /metrics HTTP/1.1\r\n\r\n"), HTTP_OK);
	cr_assert(request.head);
}

Test(http, the_path_may_be_written_in_many_ways)
{
	cr_assert(is_for_metrics("GET /metrics HTTP/1.0\r\n\r\n"));
	cr_assert(is_for_metrics("GET /metrics HTTP/1.1\n\n"));
	cr_assert(is_for_metrics("GET /metrics?debug=1 HTTP/1.1\r\nA:\r\n\r\n"));
	cr_assert(is_for_metrics("GET /metrics? HTTP/1.1\r\n\r\n"));
	cr_assert(is_for_metrics("GET http://localhost:9464/metrics HTTP/1.1\r\n\r\n"));
	cr_assert(is_for_metrics("GET /metrics HTTP/1.1\r\nA: b\tc \xc3\xbc\r\n\r\n"));
}

Test(http, another_path_is_another_path)
{
	cr_assert_not(is_for_metrics("GET / HTTP/1.1\r\n\r\n"));
	cr_assert_not(is_for_metrics("GET /metric HTTP/1.1\r\n\r\n"));
	cr_assert_not(is_for_metrics("GET /metricss HTTP/1.1\r\n\r\n"));
	cr_assert_not(is_for_metrics("GET /metrics/ HTTP/1.1\r\n\r\n"));
	cr_assert_not(is_for_metrics("GET //metrics HTTP/1.1\r\n\r\n"));
	cr_assert_not(is_for_metrics("GET metrics HTTP/1.1\r\n\r\n"));
	cr_assert_not(is_for_metrics("GET http://metrics HTTP/1.1\r\n\r\n"));
	cr_assert_not(is_for_metrics("GET http:/metrics HTTP/1.1\r\n\r\n"));
	cr_assert_not(is_for_metrics("GET ftp://x/metrics HTTP/1.1\r\n\r\n"));
}

Test(http, other_methods_are_not_allowed)
{
	cr_assert_eq(parse("POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
		     HTTP_NOT_ALLOWED);
	cr_assert_eq(parse("OPTIONS * HTTP/1.1\r\n\r\n"), HTTP_NOT_ALLOWED);
	cr_assert_eq(parse("get /metrics HTTP/1.1\r\n\r\n"), HTTP_NOT_ALLOWED);
	cr_assert_eq(parse("GETT /metrics HTTP/1.1\r\n\r\n"), HTTP_NOT_ALLOWED);
}

Test(http, what_is_no_request_is_refused)
{
	static const char *const bad[] = {
		"\r\n\r\n",
		"\n\n",
		"GET\r\n\r\n",
		"GET /metrics\r\n\r\n",
		"GET  /metrics HTTP/1.1\r\n\r\n",
		"GET /metrics  HTTP/1.1\r\n\r\n",
		"GET /metrics HTTP/1.1 \r\n\r\n",
		"GET /metrics HTTP/11\r\n\r\n",
		"GET /metrics HTTP/1.x\r\n\r\n",
		"GET /metrics http/1.1\r\n\r\n",
		" GET /metrics HTTP/1.1\r\n\r\n",
		"G\tT /metrics HTTP/1.1\r\n\r\n",
		"GET /m\x01trics HTTP/1.1\r\n\r\n",
		"GET /m\xc3\xbctrics HTTP/1.1\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost\r\n\r\n",
		"GET /metrics HTTP/1.1\r\n: x\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost : x\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost: x\x01\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost: x\x7f\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost: x\ry\r\n\r\n",
		"\x16\x03\x01\x02\n\n", /* the beginning of TLS */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(parse(bad[i]), HTTP_BAD_REQUEST, "%s", bad[i]);
}

Test(http, a_zero_byte_is_not_the_end)
{
	static const char text[] = "GET /metrics\0 HTTP/1.1\r\n\r\n";
	static const char method[] = "G\0ET /metrics HTTP/1.1\r\n\r\n";

	cr_assert_eq(http_parse(&request, text, sizeof(text) - 1), HTTP_BAD_REQUEST);
	cr_assert_eq(http_parse(&request, method, sizeof(method) - 1), HTTP_BAD_REQUEST);
}

Test(http, other_versions_are_named)
{
	cr_assert_eq(parse("GET /metrics HTTP/2.0\r\n\r\n"), HTTP_BAD_VERSION);
	cr_assert_eq(parse("GET /metrics HTTP/0.9\r\n\r\n"), HTTP_BAD_VERSION);
	cr_assert_eq(parse("PRI * HTTP/2.0\r\n\r\n"), HTTP_BAD_VERSION);
}

Test(http, what_does_not_end_is_too_large)
{
	char *text = malloc(HTTP_REQUEST_MAX);

	memset(text, 'x', HTTP_REQUEST_MAX);
	cr_assert_eq(http_parse(&request, text, HTTP_REQUEST_MAX - 1), 0);
	cr_assert_eq(http_parse(&request, text, HTTP_REQUEST_MAX), HTTP_TOO_LARGE);
	memcpy(text, "GET /metrics HTTP/1.1\r\nA:", 25);
	memcpy(text + HTTP_REQUEST_MAX - 4, "\r\n\r\n", 4);
	cr_assert_eq(http_parse(&request, text, HTTP_REQUEST_MAX), HTTP_OK);
	free(text);
}

/* From pieces of requests, in memory that ends where they do. */
Test(http, nothing_reads_beyond_what_is_there)
{
	static const char *const pieces[] = {
		"GET", "HEAD", " ", "/metrics", "http://", "HTTP/1.1", "\r\n", "\r", "\n",
		":",   "Host", "?", "/",	"\xff",	   "HTTP/",    "1",    ".",  "A: b\r\n"};
	unsigned int seen[600] = {0};

	srand(1);
	for (int i = 0; i < 300000; i++) {
		char text[256], *exact;
		size_t n = 0;
		int status;

		for (int k = rand() % 12; k >= 0; k--) {
			const char *piece =
				pieces[(size_t)rand() % (sizeof(pieces) / sizeof(*pieces))];

			memcpy(text + n, piece, strlen(piece));
			n += strlen(piece);
		}
		if (rand() % 2)
			memcpy(text + n, "\r\n\r\n", 4), n += 4;
		if (rand() % 8 == 0)
			text[(size_t)rand() % n] = (char)rand();
		exact = malloc(n);
		memcpy(exact, text, n);
		status = http_parse(&request, exact, n);
		if (status == HTTP_OK) {
			cr_assert_leq(request.begin + request.length, n);
			(void)http_is_for(&request, exact, "/metrics");
		}
		seen[status]++;
		free(exact);
	}
	cr_assert(seen[0] && seen[HTTP_BAD_REQUEST]);
	cr_assert_eq(seen[0] + seen[HTTP_OK] + seen[HTTP_BAD_REQUEST] + seen[HTTP_NOT_ALLOWED] +
			     seen[HTTP_BAD_VERSION],
		     300000);
}

Test(http, an_answer_says_how_long_it_is)
{
	char text[HTTP_ANSWER_MAX + 1] = {0};

	text[http_answer(text, HTTP_OK, "text/x", 1234, false)] = '\0';
	cr_assert_str_eq(text, "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 1234\r\n"
			       "Connection: close\r\n\r\n");
}

Test(http, a_refusal_says_why_unless_only_the_head_is_wanted)
{
	char text[HTTP_ANSWER_MAX + 1] = {0};

	text[http_answer(text, HTTP_NOT_ALLOWED, "text/x", 1234, false)] = '\0';
	cr_assert_str_eq(text, "HTTP/1.1 405 Method Not Allowed\r\n"
			       "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 19\r\n"
			       "Allow: GET, HEAD\r\nConnection: close\r\n\r\nMethod Not Allowed\n");
	text[http_answer(text, HTTP_NOT_FOUND, "text/x", 1234, true)] = '\0';
	cr_assert_str_eq(text, "HTTP/1.1 404 Not Found\r\n"
			       "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 10\r\n"
			       "Connection: close\r\n\r\n");
}
