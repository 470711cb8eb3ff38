/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/picture.h"

static struct picture_error error;

/* In memory of exactly its size, so that reading past it is noticed. */
static int decode(struct picture *ret, const void *data, size_t size)
{
	uint8_t *copy = malloc(size);
	int r;

	memcpy(copy, data, size);
	r = picture_decode(ret, copy, size, &error);
	free(copy);
	return r;
}

#define DECODE(picture, text) decode(picture, text, sizeof(text) - 1)

Test(picture, pnm_gray_and_rgb_are_read)
{
	struct picture p;

	cr_assert_eq(DECODE(&p, "P5 2 1 255\n\x01\xfe"), 0);
	cr_assert(p.width == 2 && p.height == 1 && p.channels == 1);
	cr_assert_arr_eq(p.pixels, "\x01\xfe", 2);
	picture_finish(&p);
	cr_assert_eq(DECODE(&p, "P6\n# by hand\n1 #one\n2\n255\nabcdef"), 0);
	cr_assert(p.width == 1 && p.height == 2 && p.channels == 3);
	cr_assert_arr_eq(p.pixels, "abcdef", 6);
	picture_finish(&p);
}

Test(picture, pnm_samples_are_scaled_to_eight_bits)
{
	struct picture p;

	cr_assert_eq(DECODE(&p, "P5 3 1 3\n\x00\x01\x03"), 0);
	cr_assert_arr_eq(p.pixels, "\x00\x55\xff", 3);
	picture_finish(&p);
	cr_assert_eq(DECODE(&p, "P5 3 1 65535\n\x00\x00\x80\x00\xff\xff"), 0);
	cr_assert_arr_eq(p.pixels, "\x00\x80\xff", 3);
	picture_finish(&p);
	cr_assert_eq(DECODE(&p, "P5 1 1 10\n\xff"), 0, "more than the maximum is the maximum");
	cr_assert_eq(p.pixels[0], 255);
	picture_finish(&p);
}

Test(picture, a_pixel_that_looks_like_white_space_is_a_pixel)
{
	struct picture p;

	cr_assert_eq(DECODE(&p, "P5 2 1 255\n\n#"), 0);
	cr_assert_arr_eq(p.pixels, "\n#", 2);
	picture_finish(&p);
}

static const struct {
	const char *data;
	size_t size;
} bad_pnm[] = {
#define BAD(text)                                                                                  \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
	BAD("P5 "),
	BAD("P5 2"),
	BAD("P5 2 2"),
	BAD("P5 2 2 255"),
	BAD("P5 2 2 255\nabc"),
	BAD("P5 0 2 255\n"),
	BAD("P5 -1 2 255\n"),
	BAD("P5 x 2 255\n"),
	BAD("P5 2 2 0\nabcd"),
	BAD("P5 2 2 65536\nabcd"),
	BAD("P5 2 2 65535\nabcdefg"),
	BAD("P5 99999999999999999999 1 255\nabcd"),
	BAD("P6 16777216 16777216 255\nabcd"),
	BAD("P5 16384 16384 255\nabcd"),
	BAD("P6 1 1 255\nab"),
	BAD("P5 1 1 255#comment"),
	BAD("P5 #"),
	BAD("P4 1 1\n\xff"),
	BAD("garbage"),
};

Test(picture, damaged_pnm_is_refused_with_a_reason)
{
	for (size_t i = 0; i < sizeof(bad_pnm) / sizeof(bad_pnm[0]); i++) {
		struct picture p = {.pixels = NULL};

		error.text[0] = '\0';
		cr_assert_eq(decode(&p, bad_pnm[i].data, bad_pnm[i].size), -1, "%s",
			     bad_pnm[i].data);
		cr_assert_null(p.pixels);
		cr_assert_neq(error.text[0], '\0');
	}
}

Test(picture, any_damage_to_pnm_is_survived)
{
	const char *given = getenv("ZHOUYI_SEED");
	unsigned int seed = given ? (unsigned int)strtoul(given, NULL, 0) : (unsigned int)getpid();
	static const char good[] = "P6\n# c\n3 2\n255\nabcdefghijklmnopqr";
	int n_read = 0;

	cr_log_info("ZHOUYI_SEED=%u", seed);
	for (int i = 0; i < 20000; i++) {
		struct picture p = {.pixels = NULL};
		char data[sizeof(good)];
		size_t size = sizeof(good) - 1;

		memcpy(data, good, sizeof(good));
		for (int j = rand_r(&seed) % 3; j > 0; j--)
			data[(size_t)rand_r(&seed) % size] = (char)rand_r(&seed);
		if (rand_r(&seed) % 4 == 0)
			size -= (size_t)rand_r(&seed) % size;
		n_read += decode(&p, data, size) == 0;
		picture_finish(&p);
	}
	cr_assert_gt(n_read, 1000, "some of it is still a picture");
}

Test(picture, formats_are_known_by_their_first_bytes)
{
	struct picture p;

	cr_assert_eq(DECODE(&p, "\x89PNG\r\n\x1a\n"), -1);
	cr_assert(strstr(error.text, "PNG"), "%s", error.text);
	cr_assert_eq(DECODE(&p, "\xff\xd8\xff\xe0"), -1);
	cr_assert(strstr(error.text, "JPEG"), "%s", error.text);
	cr_assert_eq(picture_format_of((const uint8_t *)"P5", 2), PICTURE_NONE);
	cr_assert_eq(picture_format_of(NULL, 0), PICTURE_NONE);
}

static struct zhouyi_tensor tensor_of(uint32_t h, uint32_t w, uint32_t c)
{
	return (struct zhouyi_tensor){
		.size = (size_t)h * w * c,
		.type = ZHOUYI_TYPE_UINT8,
		.rank = 4,
		.dims = {1, h, w, c},
		.layout = ZHOUYI_LAYOUT_NHWC,
	};
}

static struct picture picture_of(uint32_t w, uint32_t h, uint32_t c, const void *pixels)
{
	return (struct picture){
		.width = w,
		.height = h,
		.channels = c,
		.pixels = (uint8_t *)pixels,
	};
}

Test(picture, of_the_right_size_stays_as_it_is)
{
	uint8_t pixels[4 * 3 * 3], out[sizeof(pixels)];
	struct picture p = picture_of(4, 3, 3, pixels);
	struct zhouyi_tensor t = tensor_of(3, 4, 3);

	for (size_t i = 0; i < sizeof(pixels); i++)
		pixels[i] = (uint8_t)(i * 7);
	/* The same, whatever real range the codes stand for. */
	t.scale = 0.0078125f;
	t.zero_point = 128;
	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), 0);
	cr_assert_arr_eq(out, pixels, sizeof(pixels));
}

Test(picture, shrinks_to_the_mean_of_what_a_pixel_covers)
{
	static const uint8_t pixels[] = {0, 100, 50, 250, 200, 100, 50, 50};
	struct picture p = picture_of(4, 2, 1, pixels);
	struct zhouyi_tensor t = tensor_of(1, 2, 1);
	uint8_t out[2];

	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), 0);
	cr_assert_eq(out[0], 100);
	cr_assert_eq(out[1], 100);
}

Test(picture, covers_parts_of_pixels_by_their_share)
{
	static const uint8_t pixels[] = {30, 60, 90};
	struct picture p = picture_of(3, 1, 1, pixels);
	struct zhouyi_tensor t = tensor_of(1, 2, 1);
	uint8_t out[2];

	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), 0);
	cr_assert_eq(out[0], 40); /* (30 + 60 / 2) / 1.5 */
	cr_assert_eq(out[1], 80);
}

Test(picture, grows_linearly_between_centres)
{
	static const uint8_t pixels[] = {0, 100};
	struct picture p = picture_of(2, 1, 1, pixels);
	struct zhouyi_tensor t = tensor_of(1, 4, 1);
	uint8_t out[4];

	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), 0);
	cr_assert_arr_eq(out, "\x00\x19\x4b\x64", 4); /* 0, 25, 75, 100 */
}

Test(picture, an_even_one_stays_even_at_any_size)
{
	uint8_t pixels[13 * 7];
	struct picture p = picture_of(13, 7, 1, pixels);

	memset(pixels, 255, sizeof(pixels));
	for (uint32_t side = 1; side < 40; side++) {
		struct zhouyi_tensor t = tensor_of(side, 40 - side, 1);
		uint8_t *out = malloc(t.size);

		cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), 0);
		for (size_t i = 0; i < t.size; i++)
			cr_assert_eq(out[i], 255);
		free(out);
	}
}

Test(picture, channels_are_converted)
{
	static const uint8_t rgb[] = {255, 0, 0, 0, 255, 0}, gray[] = {7, 200};
	struct picture p = picture_of(2, 1, 3, rgb);
	struct zhouyi_tensor t = tensor_of(1, 2, 1);
	uint8_t out[6];

	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), 0);
	cr_assert_eq(out[0], 76);
	cr_assert_eq(out[1], 150);
	p = picture_of(2, 1, 1, gray);
	t = tensor_of(1, 2, 3);
	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), 0);
	cr_assert_arr_eq(out, "\x07\x07\x07\xc8\xc8\xc8", 6);
}

Test(picture, planes_come_one_after_the_other_if_the_tensor_wants_them)
{
	static const uint8_t rgb[] = {1, 2, 3, 4, 5, 6};
	struct picture p = picture_of(2, 1, 3, rgb);
	struct zhouyi_tensor t = tensor_of(3, 1, 2); /* 1 × 3 × 1 × 2 */
	uint8_t out[6];

	t.layout = ZHOUYI_LAYOUT_NCHW;
	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), 0);
	cr_assert_arr_eq(out, "\x01\x04\x02\x05\x03\x06", 6);
}

static const uint8_t ends[] = {0, 255};

Test(picture, signed_codes_are_shifted_pixels)
{
	struct picture p = picture_of(2, 1, 1, ends);
	struct zhouyi_tensor t = tensor_of(1, 2, 1);
	int8_t out[2];

	t.type = ZHOUYI_TYPE_INT8;
	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), 0);
	cr_assert_eq(out[0], -128);
	cr_assert_eq(out[1], 127);
}

Test(picture, wider_codes_stand_for_zero_to_one_or_minus_one_to_one_or_pixels)
{
	struct picture p = picture_of(2, 1, 1, ends);
	struct zhouyi_tensor t = tensor_of(1, 2, 1);
	uint16_t u[2];
	int16_t s[2];
	float f[2];

	t.size = sizeof(u);
	t.type = ZHOUYI_TYPE_UINT16;
	t.scale = 1.0f / 65535;
	cr_assert_eq(picture_fill_tensor(&p, &t, u, &error), 0);
	cr_assert_eq(u[0], 0);
	cr_assert_eq(u[1], 65535);
	t.scale = 0.5f;
	cr_assert_eq(picture_fill_tensor(&p, &t, u, &error), 0);
	cr_assert_eq(u[1], 255);

	t.type = ZHOUYI_TYPE_INT16;
	t.scale = 1.0f / 32767;
	cr_assert_eq(picture_fill_tensor(&p, &t, s, &error), 0);
	cr_assert_eq(s[0], -32767);
	cr_assert_eq(s[1], 32767);

	t.type = ZHOUYI_TYPE_FLOAT32;
	t.size = sizeof(f);
	t.scale = 0;
	cr_assert_eq(picture_fill_tensor(&p, &t, f, &error), 0);
	cr_assert_float_eq(f[0], 0, 0);
	cr_assert_float_eq(f[1], 1, 1e-6);
}

Test(picture, tensors_that_are_no_picture_are_refused)
{
	struct picture p = picture_of(2, 1, 1, ends);
	struct zhouyi_tensor t = tensor_of(1, 2, 1);
	uint8_t out[2];

	t.rank = 0;
	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), -1);
	t = tensor_of(1, 2, 1);
	t.dims[0] = 2; /* a batch */
	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), -1);
	t = tensor_of(1, 1, 2); /* channels */
	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), -1);
	t = tensor_of(1, 2, 1);
	t.size = 3;
	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), -1);
	t = tensor_of(0, 2, 1);
	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), -1);
	t = tensor_of(1, 2, 1);
	t.type = ZHOUYI_TYPE_FLOAT16;
	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), -1);
	t = tensor_of(1, 2, 1);
	t.dims[1] = t.dims[2] = UINT32_MAX;
	cr_assert_eq(picture_fill_tensor(&p, &t, out, &error), -1);
}
