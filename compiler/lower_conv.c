/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators with windows: convolutions, pools, and the fully connected layer, whose
 * constants look like a convolution's.
 */
#include "compiler/lower_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT, FILTER, BIAS }; /* of the operator */

/* Filter rows begin at multiples of this. */
#define FILTER_PITCH 16u

struct filter {
	const struct tflite_tensor *tensor;
	struct quant quant; /* the scale is that of channel 0 */
	uint32_t channels;  /* output channels */
};

/* The filter tensor: constant, of @rank dimensions, its output channels in @dimension. */
static int read_filter(const struct lower *l, uint32_t rank, uint32_t dimension, struct filter *ret)
{
	const struct tflite_tensor *tensor;
	int r = lower_constant(l, FILTER, false, &tensor);

	if (r < 0)
		return r;
	r = lower_quant(l, tensor, "input", &ret->quant);
	if (r < 0)
		return r;
	if (tensor->rank != rank)
		return lower_error(l, -EBADMSG,
				   "filter tensor '%s' has %u dimensions instead of %u",
				   tensor->name, tensor->rank, rank);
	ret->tensor = tensor;
	ret->channels = (uint32_t)tensor->dims[dimension];
	if (tensor->scale.n == 1)
		return 0;
	if (tensor->scale.n != ret->channels || tensor->quantized_dimension != (int32_t)dimension)
		return lower_error(l, -EBADMSG,
				   "filter tensor '%s' has %u scales along dimension %d; it needs "
				   "one, or %u along dimension %u",
				   tensor->name, tensor->scale.n, tensor->quantized_dimension,
				   ret->channels, dimension);
	return 0;
}

/* The instruction's bias: the model's, or zeros. */
static int add_bias(const struct lower *l, uint32_t channels, uint32_t *ret_value)
{
	const struct tflite_tensor *tensor;
	char name[32];
	uint8_t *zeros;
	int r = lower_constant(l, BIAS, true, &tensor);

	if (r < 0)
		return r;
	if (tensor && (tensor->type != TFLITE_INT32 || tensor->n_elements != channels))
		return lower_error(l, -ENOTSUP,
				   "bias tensor '%s' has %" PRIu64
				   " elements of type %s; %u of type int32 are needed",
				   tensor->name, tensor->n_elements,
				   tflite_type_name(tensor->type, name), channels);
	if (tensor)
		return lower_add_constant(l, tensor->data.data, tensor->data.n, false, ret_value);
	zeros = calloc(channels, sizeof(int32_t));
	if (!zeros)
		return lower_error(l, -ENOMEM, "out of memory");
	return lower_add_constant(l, zeros, channels * 4, true, ret_value);
}

static void put_u32(uint8_t *p, uint32_t x)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(x >> (8 * i));
}

/* A factor for each output channel: input scale * filter scale / output scale. */
static int add_scales(const struct lower *l, const struct filter *filter, double factor,
		      uint32_t *ret_value)
{
	uint8_t *scales = malloc((size_t)filter->channels * 8);
	int r = 0;

	if (!scales)
		return lower_error(l, -ENOMEM, "out of memory");
	for (uint32_t c = 0; c < filter->channels && r == 0; c++) {
		size_t i = filter->tensor->scale.n == 1 ? 0 : c;
		float scale = flatbuffer_get_float(filter->tensor->scale.data + 4 * i);
		struct npu_scale fixed = {0, 0};

		r = lower_scale(l, &fixed, factor * (double)scale);
		put_u32(scales + 8 * (size_t)c, (uint32_t)fixed.multiplier);
		put_u32(scales + 8 * (size_t)c + 4, (uint32_t)fixed.shift);
	}
	if (r < 0) {
		free(scales);
		return r;
	}
	return lower_add_constant(l, scales, filter->channels * 8, true, ret_value);
}

/* The filter as rows of @pitch bytes, one for each output channel. */
static int add_rows(const struct lower *l, const struct filter *filter, uint32_t *ret_value)
{
	const uint8_t *data = filter->tensor->data.data;
	uint32_t row = filter->tensor->data.n / filter->channels;
	uint64_t pitch = ((uint64_t)row + FILTER_PITCH - 1) & ~(uint64_t)(FILTER_PITCH - 1);
	uint64_t size = pitch * filter->channels;
	uint8_t *rows;

	if (pitch == row)
		return lower_add_constant(l, data, filter->tensor->data.n, false, ret_value);
	if (size > INT32_MAX)
		return lower_error(l, -EFBIG, "filter tensor '%s' is too large",
				   filter->tensor->name);
	rows = calloc(1, size);
	if (!rows)
		return lower_error(l, -ENOMEM, "out of memory");
	for (uint32_t c = 0; c < filter->channels; c++)
		memcpy(rows + c * pitch, data + (size_t)c * row, row);
	return lower_add_constant(l, rows, (uint32_t)size, true, ret_value);
}

/* Add the other constants, set what the instruction says of the filter, and emit it. */
static int emit_filtered(const struct lower *l, struct npu_insn *insn,
			 const struct lower_operand *in, const struct lower_operand *out,
			 const struct filter *filter, uint32_t filter_value)
{
	uint32_t values[] = {in->value, filter_value, 0, 0, out->value};
	int r;

	insn->is_signed |= (uint8_t)(filter->quant.is_signed << 1);
	insn->zero[1] = filter->quant.zero;
	r = add_bias(l, filter->channels, &values[2]);
	if (r < 0)
		return r;
	r = add_scales(l, filter, in->quant.scale / out->quant.scale, &values[3]);
	if (r < 0)
		return r;
	r = lower_activation(l, l->op->options.activation, out, insn);
	if (r < 0)
		return r;
	return lower_emit(l, insn, values, 5);
}

/* One direction of a window. */
struct window {
	const char *direction;
	uint32_t in, out;
	int64_t kernel, stride, dilation;
};

/* Check it against the padding scheme; set the instruction's fields number @i. */
static int set_window(const struct lower *l, struct npu_insn *insn, int i, const struct window *w)
{
	int64_t reach = (w->kernel - 1) * w->dilation + 1, out, pad = 0;

	if (w->kernel < 1 || w->stride < 1 || w->dilation < 1 || w->kernel > UINT16_MAX ||
	    w->stride > UINT16_MAX || w->dilation > UINT16_MAX)
		return lower_error(l, -ENOTSUP,
				   "%s of the window: size %" PRId64 ", stride %" PRId64
				   ", dilation %" PRId64 "; each must be in 1 ... 65535",
				   w->direction, w->kernel, w->stride, w->dilation);
	if (l->op->options.padding == TFLITE_PADDING_SAME) {
		out = (w->in + w->stride - 1) / w->stride;
		pad = (out - 1) * w->stride + reach - w->in;
		pad = pad > 0 ? pad / 2 : 0;
	} else {
		out = w->in < reach ? 0 : (w->in - reach) / w->stride + 1;
	}
	if (out != w->out)
		return lower_error(l, -EBADMSG,
				   "the output's %s is %u, but input, window and padding give "
				   "%" PRId64,
				   w->direction, w->out, out);
	if (pad > UINT16_MAX)
		return lower_error(l, -ENOTSUP,
				   "%s of the window needs a padding of %" PRId64
				   ", at most 65535 is supported",
				   w->direction, pad);
	insn->kernel[i] = (uint16_t)w->kernel;
	insn->stride[i] = (uint16_t)w->stride;
	insn->pad[i] = (uint16_t)pad;
	return 0;
}

static int set_windows(const struct lower *l, struct npu_insn *insn, int64_t kernel_h,
		       int64_t kernel_w, bool is_dilated)
{
	const struct tflite_options *o = &l->op->options;
	struct window height = {"height", insn->in[1], insn->out[1],
				kernel_h, o->stride_h, is_dilated ? o->dilation_h : 1};
	struct window width = {"width",	 insn->in[2], insn->out[2],
			       kernel_w, o->stride_w, is_dilated ? o->dilation_w : 1};
	int r;

	if (o->padding != TFLITE_PADDING_SAME && o->padding != TFLITE_PADDING_VALID)
		return lower_error(l, -ENOTSUP, "padding scheme %u is not supported", o->padding);
	r = set_window(l, insn, 0, &height);
	if (r < 0)
		return r;
	r = set_window(l, insn, 1, &width);
	if (r < 0)
		return r;
	if (is_dilated) {
		insn->dilation[0] = (uint16_t)o->dilation_h;
		insn->dilation[1] = (uint16_t)o->dilation_w;
	}
	return 0;
}

/* Input and output of a window operator: four dimensions, equal batches. */
static int read_images(const struct lower *l, struct lower_operand *in, struct lower_operand *out)
{
	const struct lower_operand *both[] = {in, out};
	int r = lower_input(l, INPUT, in);

	if (r < 0)
		return r;
	r = lower_output(l, out);
	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++)
		if (both[i]->tensor->rank != 4)
			return lower_error(l, -ENOTSUP,
					   "tensor '%s' has %u dimensions instead of 4",
					   both[i]->tensor->name, both[i]->tensor->rank);
	if (in->dims[0] != out->dims[0])
		return lower_error(l, -EBADMSG, "its batch is %u in the input and %u in the output",
				   in->dims[0], out->dims[0]);
	return 0;
}

static int check_channels(const struct lower *l, const struct filter *filter,
			  const struct lower_operand *out)
{
	if (filter->channels == out->dims[3])
		return 0;
	return lower_error(l, -EBADMSG,
			   "filter tensor '%s' has %u output channels, output tensor '%s' has %u",
			   filter->tensor->name, filter->channels, out->tensor->name, out->dims[3]);
}

/* @dimension of the filter is that of the output channels. */
static int read_convolution(const struct lower *l, uint32_t dimension, struct lower_operand *in,
			    struct lower_operand *out, struct filter *filter)
{
	int r = read_images(l, in, out);

	if (r == 0)
		r = read_filter(l, 4, dimension, filter);
	if (r == 0)
		r = check_channels(l, filter, out);
	return r;
}

int lower_conv2d(const struct lower *l)
{
	struct lower_operand in, out;
	struct filter filter;
	struct npu_insn insn;
	const int32_t *dims;
	uint32_t rows;
	int r;

	r = read_convolution(l, 0, &in, &out, &filter);
	if (r < 0)
		return r;
	dims = filter.tensor->dims;
	if ((uint32_t)dims[3] != in.dims[3])
		return lower_error(
			l, -ENOTSUP,
			"filter tensor '%s' has %d input channels, input tensor '%s' has "
			"%u; grouped convolutions are not supported",
			filter.tensor->name, dims[3], in.tensor->name, in.dims[3]);
	insn = lower_insn(NPU_OP_CONV2D, &in, &out, 5);
	r = set_windows(l, &insn, dims[1], dims[2], true);
	if (r < 0)
		return r;
	r = add_rows(l, &filter, &rows);
	if (r < 0)
		return r;
	return emit_filtered(l, &insn, &in, &out, &filter, rows);
}

int lower_depthwise_conv2d(const struct lower *l)
{
	struct lower_operand in, out;
	struct filter filter;
	struct npu_insn insn;
	const int32_t *dims;
	uint32_t value;
	int r;

	r = read_convolution(l, 3, &in, &out, &filter);
	if (r < 0)
		return r;
	dims = filter.tensor->dims;
	if (dims[0] != 1 || out.dims[3] % in.dims[3])
		return lower_error(
			l, -EBADMSG,
			"filter tensor '%s' does not fit: its first dimension must be 1, "
			"its channels a multiple of the input's",
			filter.tensor->name);
	insn = lower_insn(NPU_OP_DEPTHWISE2D, &in, &out, 5);
	r = set_windows(l, &insn, dims[1], dims[2], true);
	if (r < 0)
		return r;
	r = lower_add_constant(l, filter.tensor->data.data, filter.tensor->data.n, false, &value);
	if (r < 0)
		return r;
	return emit_filtered(l, &insn, &in, &out, &filter, value);
}

/* The input is taken as rows as long as the filter's, whatever its shape. */
static int set_rows(const struct lower *l, struct npu_insn *insn, const struct lower_operand *in,
		    const struct lower_operand *out, const struct filter *filter)
{
	uint32_t depth = (uint32_t)filter->tensor->dims[1];
	uint32_t rows = in->size / depth;

	if (rows == 0 || in->size % depth || (uint64_t)rows * filter->channels != out->size)
		return lower_error(l, -EBADMSG,
				   "filter tensor '%s' (%u x %u) does not fit input and output, "
				   "which have %u and %u elements",
				   filter->tensor->name, filter->channels, depth, in->size,
				   out->size);
	memcpy(insn->in, (uint32_t[]){rows, 1, 1, depth}, sizeof(insn->in));
	memcpy(insn->out, (uint32_t[]){rows, 1, 1, filter->channels}, sizeof(insn->out));
	return 0;
}

int lower_fully_connected(const struct lower *l)
{
	struct lower_operand in, out;
	struct filter filter;
	struct npu_insn insn;
	uint32_t rows;
	int r;

	r = lower_input(l, INPUT, &in);
	if (r < 0)
		return r;
	r = lower_output(l, &out);
	if (r < 0)
		return r;
	r = read_filter(l, 2, 0, &filter);
	if (r < 0)
		return r;
	if (l->op->options.weights_format != 0)
		return lower_error(l, -ENOTSUP, "shuffled weights are not supported");
	insn = lower_insn(NPU_OP_FULLY_CONNECTED, &in, &out, 5);
	r = set_rows(l, &insn, &in, &out, &filter);
	if (r < 0)
		return r;
	r = add_rows(l, &filter, &rows);
	if (r < 0)
		return r;
	return emit_filtered(l, &insn, &in, &out, &filter, rows);
}

static int lower_pool(const struct lower *l, uint16_t opcode)
{
	const struct tflite_options *options = &l->op->options;
	struct lower_operand in, out;
	struct npu_insn insn;
	int r;

	r = read_images(l, &in, &out);
	if (r < 0)
		return r;
	r = lower_same_quant(l, &in, &out);
	if (r < 0)
		return r;
	insn = lower_insn(opcode, &in, &out, 2);
	insn.zero[0] = insn.zero[2] = 0;
	r = set_windows(l, &insn, options->filter_h, options->filter_w, false);
	if (r < 0)
		return r;
	r = lower_activation(l, options->activation, &out, &insn);
	if (r < 0)
		return r;
	return lower_emit(l, &insn, (uint32_t[]){in.value, out.value}, 2);
}

int lower_average_pool(const struct lower *l)
{
	return lower_pool(l, NPU_OP_AVERAGE_POOL);
}

int lower_max_pool(const struct lower *l)
{
	return lower_pool(l, NPU_OP_MAX_POOL);
}
