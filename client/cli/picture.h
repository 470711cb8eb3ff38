/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures: from PNM, PNG and JPEG files to 8-bit gray or RGB, and from there to
 * the size and the numbers that a tensor wants. Files are hostile until decoded:
 * everything that a header announces is checked before memory is allocated for it.
 *
 * Pure, but for memory: nothing is printed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zhouyi-client.h"

/* Larger ones are refused. */
#define PICTURE_MAX_SIDE 16384u
#define PICTURE_MAX_PIXELS (64u << 20)

struct picture {
	uint32_t width, height;
	uint32_t channels; /* 1 gray, 3 RGB */
	uint8_t *pixels;   /* owned; rows from the top, channels together */
};

/* Why something was refused. */
struct picture_error {
	char text[200];
};

enum picture_format {
	PICTURE_NONE, /* none that we know */
	PICTURE_PNM,
	PICTURE_PNG,
	PICTURE_JPEG,
};

/* By the first bytes. */
enum picture_format picture_format_of(const uint8_t *data, size_t size);

/* Decode a file of any known format. Returns 0 and the picture, which is the caller's, or -1. */
int picture_decode(struct picture *ret, const uint8_t *data, size_t size,
		   struct picture_error *ret_error);

/* The decoders behind it, each for its own format. */
int picture_decode_pnm(struct picture *ret, const uint8_t *data, size_t size,
		       struct picture_error *ret_error);
int picture_decode_png(struct picture *ret, const uint8_t *data, size_t size,
		       struct picture_error *ret_error);
int picture_decode_jpeg(struct picture *ret, const uint8_t *data, size_t size,
			struct picture_error *ret_error);

/* For decoders: check what a header says and allocate the pixels. Returns 0 or -1. */
int picture_create(struct picture *ret, uint32_t width, uint32_t height, uint32_t channels,
		   struct picture_error *ret_error);
/* Accepts an empty one. */
void picture_finish(struct picture *picture);

/* For decoders: note why; returns -1. */
int picture_fail(struct picture_error *ret_error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Fill the tensor at @data, which has tensor->size bytes, with @picture: converted
 * to the tensor's channels, stretched to its height and width, and written as its
 * numbers as zhouyi-cli(1) says. Returns 0 or -1.
 */
int picture_fill_tensor(const struct picture *picture, const struct zhouyi_tensor *tensor,
			void *data, struct picture_error *ret_error);
