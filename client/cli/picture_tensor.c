/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a picture to a tensor: channels, size, numbers.
 *
 * Size: each direction for itself. Smaller: the mean over the area that a target
 * pixel covers. Larger: linear between the centres of pixels. The same: untouched.
 *
 * Numbers: 8-bit tensors of picture models are quantized so that their codes span
 * the pixels' range, whatever real range their scale gives it; so there the code
 * is the pixel, shifted to -128 for int8. Wider types get the real value.
 */
#include "client/cli/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What the tensor wants. */
struct target {
	uint32_t width, height, channels;
	bool planar; /* NCHW */
};

static int read_shape(struct target *ret, const struct zhouyi_tensor *tensor,
		      struct picture_error *ret_error)
{
	const uint32_t *d = tensor->dims;
	unsigned int rank = tensor->rank;

	if (rank == 4 && d[0] == 1) { /* one picture at a time */
		d++;
		rank--;
	}
	if (rank != 3)
		return picture_fail(ret_error,
				    "the model's input has no picture's shape: give it a raw file "
				    "of %zu bytes",
				    tensor->size);
	ret->planar = tensor->layout == ZHOUYI_LAYOUT_NCHW;
	ret->channels = ret->planar ? d[0] : d[2];
	ret->height = ret->planar ? d[1] : d[0];
	ret->width = ret->planar ? d[2] : d[1];
	if (ret->channels != 1 && ret->channels != 3)
		return picture_fail(
			ret_error,
			"the model's input has %u channels, a picture 1 or 3: give it a raw "
			"file of %zu bytes",
			ret->channels, tensor->size);
	return 0;
}

static size_t element_size(enum zhouyi_data_type type)
{
	switch (type) {
	case ZHOUYI_TYPE_UINT8:
	case ZHOUYI_TYPE_INT8:
		return 1;
	case ZHOUYI_TYPE_UINT16:
	case ZHOUYI_TYPE_INT16:
		return 2;
	case ZHOUYI_TYPE_UINT32:
	case ZHOUYI_TYPE_INT32:
	case ZHOUYI_TYPE_FLOAT32:
		return 4;
	default:
		return 0;
	}
}

static int check_target(const struct target *t, const struct zhouyi_tensor *tensor,
			struct picture_error *ret_error)
{
	size_t size = element_size(tensor->type);

	if (size == 0)
		return picture_fail(ret_error,
				    "a picture cannot become %s: give the model a raw file",
				    zhouyi_data_type_name(tensor->type));
	if (__builtin_mul_overflow(size, t->channels, &size) ||
	    __builtin_mul_overflow(size, t->height, &size) ||
	    __builtin_mul_overflow(size, t->width, &size) || size != tensor->size || size == 0)
		return picture_fail(ret_error,
				    "the shape of the model's input does not fit its size");
	return 0;
}

/* Gray by the weights of ITU-R BT.601. */
static float sample(const struct picture *p, uint32_t x, uint32_t y, uint32_t channel,
		    uint32_t channels)
{
	const uint8_t *pixel = p->pixels + ((size_t)y * p->width + x) * p->channels;

	if (p->channels == 1)
		return pixel[0];
	if (channels == 1)
		return 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
	return pixel[channel];
}

/* What a target pixel is made of: source pixels from @first with the weights w[0 … n-1]. */
struct mix {
	uint32_t first, n;
	const float *w;
};

struct axis {
	struct mix *mix; /* owned, one for each target pixel */
	float *weights;	 /* owned */
};

static void axis_finish(struct axis *axis)
{
	free(axis->mix);
	free(axis->weights);
}

static uint32_t mix_area(float *w, uint32_t i, double step, uint32_t from, uint32_t *ret_n)
{
	double begin = i * step, end = begin + step;
	uint32_t first = (uint32_t)begin, n = 0;

	if (end > from)
		end = from;
	for (uint32_t x = first; x < from && x < end; x++) {
		double left = x > begin ? x : begin, right = x + 1 < end ? x + 1 : end;

		w[n++] = (float)((right - left) / (end - begin));
	}
	*ret_n = n;
	return first;
}

static uint32_t mix_linear(float *w, uint32_t i, double step, uint32_t from, uint32_t *ret_n)
{
	double at = (i + 0.5) * step - 0.5;
	uint32_t first;

	if (at < 0)
		at = 0;
	if (at > from - 1)
		at = from - 1;
	first = (uint32_t)at;
	w[0] = (float)(1 - (at - first));
	w[1] = (float)(at - first);
	*ret_n = first + 1 < from ? 2 : 1;
	return first;
}

static int axis_init(struct axis *axis, uint32_t from, uint32_t to)
{
	double step = (double)from / to;
	size_t room = (size_t)ceil(step) + 2;

	axis->mix = calloc(to, sizeof(*axis->mix));
	axis->weights = calloc(to, room * sizeof(*axis->weights));
	if (!axis->mix || !axis->weights)
		return -1;
	for (uint32_t i = 0; i < to; i++) {
		float *w = axis->weights + i * room;
		struct mix *mix = &axis->mix[i];

		mix->w = w;
		if (from > to)
			mix->first = mix_area(w, i, step, from, &mix->n);
		else
			mix->first = mix_linear(w, i, step, from, &mix->n);
	}
	return 0;
}

/* Rows get their width first; @ret has target width × picture height × channels. */
static void stretch_rows(float *ret, const struct picture *p, const struct target *t,
			 const struct axis *axis)
{
	for (uint32_t y = 0; y < p->height; y++)
		for (uint32_t x = 0; x < t->width; x++)
			for (uint32_t c = 0; c < t->channels; c++) {
				const struct mix *mix = &axis->mix[x];
				float sum = 0;

				for (uint32_t i = 0; i < mix->n; i++)
					sum += mix->w[i] *
					       sample(p, mix->first + i, y, c, t->channels);
				*ret++ = sum;
			}
}

static float mix_column(const float *rows, size_t stride, const struct mix *mix)
{
	float sum = 0;

	for (uint32_t i = 0; i < mix->n; i++)
		sum += mix->w[i] * rows[(mix->first + i) * stride];
	return sum;
}

/* How pixels, 0 to 255, become numbers: code = pixel × factor + offset, within limits. */
struct coding {
	enum zhouyi_data_type type;
	double factor, offset;
	double min, max;
};

static void type_limits(struct coding *coding)
{
	switch (coding->type) {
	case ZHOUYI_TYPE_INT8:
		coding->min = INT8_MIN, coding->max = INT8_MAX;
		break;
	case ZHOUYI_TYPE_UINT16:
		coding->min = 0, coding->max = UINT16_MAX;
		break;
	case ZHOUYI_TYPE_INT16:
		coding->min = INT16_MIN, coding->max = INT16_MAX;
		break;
	case ZHOUYI_TYPE_UINT32:
		coding->min = 0, coding->max = UINT32_MAX;
		break;
	case ZHOUYI_TYPE_INT32:
		coding->min = INT32_MIN, coding->max = INT32_MAX;
		break;
	default:
		coding->min = 0, coding->max = UINT8_MAX;
		break;
	}
}

static bool about(double value, double wanted)
{
	return fabs(value - wanted) < 0.1;
}

static struct coding coding_for(const struct zhouyi_tensor *tensor)
{
	struct coding c = {.type = tensor->type, .factor = 1, .offset = 0};
	double low, high;

	type_limits(&c);
	if (c.type == ZHOUYI_TYPE_FLOAT32) {
		c.factor = 1.0 / 255;
	} else if (c.type == ZHOUYI_TYPE_INT8) {
		c.offset = INT8_MIN;
	} else if (c.type != ZHOUYI_TYPE_UINT8 && tensor->scale > 0) {
		low = (c.min - tensor->zero_point) * tensor->scale;
		high = (c.max - tensor->zero_point) * tensor->scale;
		if (about(high, 1) && about(low, 0)) {
			c.factor = 1 / (255.0 * tensor->scale);
			c.offset = tensor->zero_point;
		} else if (about(high, 1) && about(low, -1)) {
			c.factor = 1 / (127.5 * tensor->scale);
			c.offset = tensor->zero_point - 1 / (double)tensor->scale;
		}
	}
	return c;
}

static void put(const struct coding *c, void *data, size_t i, float pixel)
{
	double value = pixel * c->factor + c->offset;
	int64_t code;

	if (c->type == ZHOUYI_TYPE_FLOAT32) {
		((float *)data)[i] = (float)value;
		return;
	}
	value = value < c->min ? c->min : value > c->max ? c->max : value;
	code = (int64_t)floor(value + 0.5);
	if (c->max > INT32_MAX || c->type == ZHOUYI_TYPE_INT32)
		((uint32_t *)data)[i] = (uint32_t)code;
	else if (element_size(c->type) == 2)
		((uint16_t *)data)[i] = (uint16_t)code;
	else
		((uint8_t *)data)[i] = (uint8_t)code;
}

/* Columns get their height, and everything its place. */
static void write_tensor(const float *rows, const struct target *t, const struct axis *axis,
			 const struct coding *coding, void *data)
{
	size_t stride = (size_t)t->width * t->channels;
	size_t plane = (size_t)t->width * t->height;

	for (uint32_t y = 0; y < t->height; y++)
		for (size_t i = 0; i < stride; i++) {
			size_t x = i / t->channels, c = i % t->channels;
			size_t place = y * stride + i;

			if (t->planar)
				place = c * plane + (size_t)y * t->width + x;
			put(coding, data, place, mix_column(rows + i, stride, &axis->mix[y]));
		}
}

int picture_fill_tensor(const struct picture *picture, const struct zhouyi_tensor *tensor,
			void *data, struct picture_error *ret_error)
{
	struct axis horizontal = {.mix = NULL}, vertical = {.mix = NULL};
	struct coding coding = coding_for(tensor);
	float *rows = NULL;
	struct target t = {.width = 0};
	int r = -1;

	if (read_shape(&t, tensor, ret_error) < 0 || check_target(&t, tensor, ret_error) < 0)
		return -1;
	rows = calloc((size_t)t.width * t.channels, picture->height * sizeof(*rows));
	if (rows && axis_init(&horizontal, picture->width, t.width) == 0 &&
	    axis_init(&vertical, picture->height, t.height) == 0) {
		stretch_rows(rows, picture, &t, &horizontal);
		write_tensor(rows, &t, &vertical, &coding, data);
		r = 0;
	} else {
		picture_fail(ret_error, "out of memory");
	}
	axis_finish(&horizontal);
	axis_finish(&vertical);
	free(rows);
	return r;
}
