/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/picture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int picture_fail(struct picture_error *ret_error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_error->text, sizeof(ret_error->text), format, args);
	va_end(args);
	return -1;
}

enum picture_format picture_format_of(const uint8_t *data, size_t size)
{
	static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
	static const uint8_t jpeg[] = {0xff, 0xd8, 0xff};

	if (size >= sizeof(png) && memcmp(data, png, sizeof(png)) == 0)
		return PICTURE_PNG;
	if (size >= sizeof(jpeg) && memcmp(data, jpeg, sizeof(jpeg)) == 0)
		return PICTURE_JPEG;
	if (size >= 3 && data[0] == 'P' && (data[1] == '5' || data[1] == '6') &&
	    (data[2] == ' ' || data[2] == '\n' || data[2] == '\r' || data[2] == '\t'))
		return PICTURE_PNM;
	return PICTURE_NONE;
}

int picture_decode(struct picture *ret, const uint8_t *data, size_t size,
		   struct picture_error *ret_error)
{
	switch (picture_format_of(data, size)) {
	case PICTURE_PNM:
		return picture_decode_pnm(ret, data, size, ret_error);
	case PICTURE_PNG:
		return picture_decode_png(ret, data, size, ret_error);
	case PICTURE_JPEG:
		return picture_decode_jpeg(ret, data, size, ret_error);
	case PICTURE_NONE:
		break;
	}
	return picture_fail(ret_error, "not a PNG, JPEG or binary PNM picture");
}

int picture_create(struct picture *ret, uint32_t width, uint32_t height, uint32_t channels,
		   struct picture_error *ret_error)
{
	struct picture picture = {.width = width, .height = height, .channels = channels};

	if (width == 0 || height == 0)
		return picture_fail(ret_error, "the picture is empty");
	if (width > PICTURE_MAX_SIDE || height > PICTURE_MAX_SIDE ||
	    (uint64_t)width * height > PICTURE_MAX_PIXELS)
		return picture_fail(ret_error,
				    "%ux%u pixels are too many: at most %u a side and %u in all",
				    width, height, PICTURE_MAX_SIDE, PICTURE_MAX_PIXELS);
	picture.pixels = malloc((size_t)width * height * channels);
	if (!picture.pixels)
		return picture_fail(ret_error, "out of memory for %ux%u pixels", width, height);
	*ret = picture;
	return 0;
}

void picture_finish(struct picture *picture)
{
	free(picture->pixels);
	*picture = (struct picture){.pixels = NULL};
}
