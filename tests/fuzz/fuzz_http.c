/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP requests: whatever comes, piece by piece. What was decided about the beginning holds
 * for more of it, and what is accepted lies within what came.
 *
 * Needs no corpus: the mutator starts from a request.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static const char start[] =
	"GET http://localhost:9464/metrics?a=b HTTP/1.1\r\nHost: localhost\r\nAccept: */*\n\r\n";

static void expect(bool ok)
{
	if (!ok)
		abort();
}

/* In memory that ends where it does. */
static int parse(struct http_request *ret, const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1);
	int status;

	memcpy(text, data, size);
	status = http_parse(ret, text, size);
	if (status == HTTP_OK) {
		expect(ret->begin + ret->length <= size && ret->length > 0);
		(void)http_is_for(ret, text, "/metrics");
	}
	free(text);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char header[HTTP_ANSWER_MAX];
	struct http_request whole, part;
	size_t n = size > HTTP_REQUEST_MAX ? HTTP_REQUEST_MAX : size;
	int status = parse(&whole, data, n), early = 0;

	expect(status != 0 || n < HTTP_REQUEST_MAX);
	for (size_t i = 0; i < n && early == 0; i += 1 + n / 64)
		early = parse(&part, data, i);
	expect(early == 0 || early == status);
	if (status)
		expect(http_answer(header, (enum http_status)status, "text/plain", SIZE_MAX,
				   status == HTTP_OK && whole.head) < sizeof(header));
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	(void)seed;
	if (size < 16 && max_size >= sizeof(start)) {
		memcpy(data, start, sizeof(start) - 1);
		return sizeof(start) - 1;
	}
	return LLVMFuzzerMutate(data, size, max_size);
}
