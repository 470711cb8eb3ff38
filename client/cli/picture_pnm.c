/* SPDX-License-Identifier: Apache-2.0 */
/* Binary PNM: P5 (gray) and P6 (RGB), 8 or 16 bits. */
#include "client/cli/picture.h"

struct reader {
	const uint8_t *at, *end;
};

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* White space and comments, which end with their line. */
static void skip(struct reader *r)
{
	while (r->at < r->end) {
		if (*r->at == '#')
			while (r->at < r->end && *r->at != '\n')
				r->at++;
		else if (is_space(*r->at))
			r->at++;
		else
			break;
	}
}

/* A decimal number up to 2^24, or -1. */
static int32_t number(struct reader *r)
{
	int32_t value = 0;

	skip(r);
	if (r->at == r->end || *r->at < '0' || *r->at > '9')
		return -1;
	for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
		value = value * 10 + (*r->at - '0');
		if (value > 1 << 24)
			return -1;
	}
	return value;
}

static uint8_t scaled(uint32_t value, uint32_t max)
{
	if (value > max)
		value = max;
	return (uint8_t)((value * 255 + max / 2) / max);
}

static void copy_samples(uint8_t *to, const uint8_t *from, size_t n, uint32_t max)
{
	for (size_t i = 0; i < n; i++) {
		if (max < 256)
			to[i] = scaled(from[i], max);
		else
			to[i] = scaled((uint32_t)from[2 * i] << 8 | from[2 * i + 1], max);
	}
}

int picture_decode_pnm(struct picture *ret, const uint8_t *data, size_t size,
		       struct picture_error *ret_error)
{
	struct reader r = {.at = data + 2, .end = data + size};
	uint32_t channels = data[1] == '6' ? 3 : 1;
	int32_t width = number(&r), height = number(&r), max = number(&r);
	size_t n;

	if (width < 0 || height < 0 || max < 1 || max > 65535)
		return picture_fail(ret_error, "the PNM header is damaged");
	/* Exactly one: the next byte may be a pixel that looks like white space. */
	if (r.at == r.end || !is_space(*r.at++))
		return picture_fail(ret_error, "the PNM header does not end");
	if (picture_create(ret, (uint32_t)width, (uint32_t)height, channels, ret_error) < 0)
		return -1;
	n = (size_t)ret->width * ret->height * channels;
	if ((size_t)(r.end - r.at) < n * (max < 256 ? 1 : 2)) {
		picture_finish(ret);
		return picture_fail(ret_error,
				    "the PNM file is cut off: %dx%d pixels are announced", width,
				    height);
	}
	copy_samples(ret->pixels, r.at, n, (uint32_t)max);
	return 0;
}
