/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JPEG through libjpeg, whose errors jump. Everything that lives across the jump is
 * in struct decoder, which belongs to the caller of the function that called
 * setjmp(): no local of that function is changed in between.
 */
#include <setjmp.h>
#include <stdio.h>

/* In this order: jpeglib.h needs FILE and size_t. */
#include <jerror.h>
#include <jpeglib.h>

#include "client/cli/picture.h"

/* What libjpeg may take for itself; progressive pictures are held whole. */
#define MAX_MEMORY (512L << 20)
/* A progressive picture of this many passes is made to keep us busy. */
#define MAX_SCANS 200

struct decoder {
	struct jpeg_error_mgr error; /* first: libjpeg hands its address back */
	struct jpeg_progress_mgr progress;
	jmp_buf env;
	struct jpeg_decompress_struct jpeg;
	struct picture picture;
	struct picture_error *reason;
};

static void on_error(j_common_ptr jpeg)
{
	struct decoder *decoder = (struct decoder *)jpeg->err;
	char text[JMSG_LENGTH_MAX];

	jpeg->err->format_message(jpeg, text);
	picture_fail(decoder->reason, "the JPEG file is damaged: %.150s", text);
	longjmp(decoder->env, 1);
}

/* Warnings: what is cut off is an error to us, the rest is harmless. */
static void on_message(j_common_ptr jpeg, int level)
{
	if (level < 0 && jpeg->err->msg_code == JWRN_JPEG_EOF)
		on_error(jpeg);
}

static void on_progress(j_common_ptr jpeg)
{
	struct decoder *decoder = (struct decoder *)jpeg->err;

	if (!jpeg->is_decompressor || decoder->jpeg.input_scan_number <= MAX_SCANS)
		return;
	picture_fail(decoder->reason, "the JPEG file has more than %d scans", MAX_SCANS);
	longjmp(decoder->env, 1);
}

static void prepare(struct decoder *decoder, struct picture_error *reason)
{
	decoder->reason = reason;
	decoder->jpeg.err = jpeg_std_error(&decoder->error);
	decoder->error.error_exit = on_error;
	decoder->error.emit_message = on_message;
	decoder->progress.progress_monitor = on_progress;
}

static bool read_pixels(struct decoder *decoder)
{
	struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
	bool gray = jpeg->jpeg_color_space == JCS_GRAYSCALE;

	if (jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK) {
		picture_fail(decoder->reason, "CMYK pictures are not supported: convert it to RGB");
		return false;
	}
	if (picture_create(&decoder->picture, jpeg->image_width, jpeg->image_height, gray ? 1 : 3,
			   decoder->reason) < 0)
		return false;
	jpeg->out_color_space = gray ? JCS_GRAYSCALE : JCS_RGB;
	jpeg_start_decompress(jpeg);
	while (jpeg->output_scanline < jpeg->output_height) {
		size_t stride = (size_t)decoder->picture.width * decoder->picture.channels;
		JSAMPROW row = decoder->picture.pixels + jpeg->output_scanline * stride;

		jpeg_read_scanlines(jpeg, &row, 1);
	}
	jpeg_finish_decompress(jpeg);
	return true;
}

static bool decode(struct decoder *decoder, const uint8_t *data, size_t size)
{
	if (setjmp(decoder->env))
		return false;
	jpeg_create_decompress(&decoder->jpeg);
	decoder->jpeg.mem->max_memory_to_use = MAX_MEMORY;
	decoder->jpeg.progress = &decoder->progress;
	jpeg_mem_src(&decoder->jpeg, data, (unsigned long)size);
	jpeg_read_header(&decoder->jpeg, TRUE);
	return read_pixels(decoder);
}

int picture_decode_jpeg(struct picture *ret, const uint8_t *data, size_t size,
			struct picture_error *ret_error)
{
	struct decoder decoder = {.picture = {.pixels = NULL}};
	bool ok;

	prepare(&decoder, ret_error);
	ok = decode(&decoder, data, size);
	jpeg_destroy_decompress(&decoder.jpeg);
	if (!ok) {
		picture_finish(&decoder.picture);
		return -1;
	}
	*ret = decoder.picture;
	return 0;
}
