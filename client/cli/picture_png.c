/* SPDX-License-Identifier: Apache-2.0 */
/* PNG through libpng's simplified interface, which reports errors by returning. */
#include <png.h>

#include "client/cli/picture.h"

static int decode(struct picture *ret, png_image *image, struct picture_error *ret_error)
{
	/* What shines through transparent pixels. */
	const png_color black = {0, 0, 0};
	bool color = image->format & PNG_FORMAT_FLAG_COLOR;

	if (picture_create(ret, image->width, image->height, color ? 3 : 1, ret_error) < 0)
		return -1;
	image->format = color ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
	if (!png_image_finish_read(image, &black, ret->pixels, 0, NULL)) {
		picture_finish(ret);
		return picture_fail(ret_error, "the PNG file is damaged: %s", image->message);
	}
	return 0;
}

int picture_decode_png(struct picture *ret, const uint8_t *data, size_t size,
		       struct picture_error *ret_error)
{
	png_image image = {.version = PNG_IMAGE_VERSION};
	int r;

	if (!png_image_begin_read_from_memory(&image, data, size))
		r = picture_fail(ret_error, "the PNG file is damaged: %s", image.message);
	else
		r = decode(ret, &image, ret_error);
	png_image_free(&image);
	return r;
}
