/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/tflite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of fields in their tables. */
enum { MODEL_VERSION = 0, MODEL_OPERATOR_CODES = 1, MODEL_SUBGRAPHS = 2, MODEL_BUFFERS = 4 };
enum { SUBGRAPH_TENSORS = 0, SUBGRAPH_INPUTS = 1, SUBGRAPH_OUTPUTS = 2, SUBGRAPH_OPERATORS = 3 };
enum { CODE_OLD = 0, CODE_CUSTOM = 1, CODE_NEW = 3 };
enum { OPERATOR_CODE = 0, OPERATOR_INPUTS = 1, OPERATOR_OUTPUTS = 2 };
enum { BUFFER_DATA = 0, BUFFER_OFFSET = 1 };
enum {
	TENSOR_SHAPE = 0,
	TENSOR_TYPE = 1,
	TENSOR_BUFFER = 2,
	TENSOR_NAME = 3,
	TENSOR_QUANTIZATION = 4,
	TENSOR_VARIABLE = 5,
	TENSOR_SPARSITY = 6,
};
enum {
	QUANTIZATION_SCALE = 2,
	QUANTIZATION_ZERO_POINT = 3,
	QUANTIZATION_DETAILS_TYPE = 4,
	QUANTIZATION_DIMENSION = 6,
};

#define MODEL_FORMAT 3

struct reader {
	struct flatbuffer buffer;
	struct tflite_model *model;
	struct compile_error *error;
	struct flatbuffer_vector codes, buffers; /* of tables */
};

/* Other files people hand in, by how they begin. */
static const struct {
	const char *bytes;
	uint8_t length;
	const char *what;
} signatures[] = {
	{"\x7f"
	 "ELF",
	 4, "an ELF file; a compiled model needs no compiling, load it with zhouyi-cli"},
	{"AIPU BIN", 8, "an executable for the NPU generations v1 and v2; it needs no compiling"},
	{"PK\x03\x04", 4,
	 "a zip archive (PyTorch and Keras models are); unpack it or convert the model to TFLite"},
	{"\x1f\x8b", 2, "a gzip archive; unpack it first"},
	{"BZh", 3, "a bzip2 archive; unpack it first"},
	{"\xfd"
	 "7zXZ",
	 5, "an xz archive; unpack it first"},
	{"\x89HDF\r\n", 6, "an HDF5 file (a Keras model?); convert the model to TFLite"},
	{"\x89PNG", 4, "a PNG picture, not a model"},
	{"\xff\xd8\xff", 3, "a JPEG picture, not a model"},
	{"{", 1, "a JSON text; convert the model to TFLite"},
	{"%PDF", 4, "a PDF document, not a model"},
};

/* ONNX has no signature: a protobuf message that begins with its format's version, then text. */
static bool is_onnx(const uint8_t *image, size_t size)
{
	return size > 4 && image[0] == 0x08 && image[1] >= 1 && image[1] < 0x20 &&
	       (image[2] == 0x12 || image[2] == 0x1a || image[2] == 0x3a || image[2] == 0x42);
}

static int check_signature(const uint8_t *image, size_t size, struct compile_error *error)
{
	if (size == 0)
		return compile_error_set(error, -ENOEXEC, "not a TFLite model: the file is empty");
	if (size >= 8 && !memcmp(image + 4, "TFL3", 4))
		return 0;
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++)
		if (size >= signatures[i].length &&
		    !memcmp(image, signatures[i].bytes, signatures[i].length))
			return compile_error_set(error, -ENOEXEC, "not a TFLite model: this is %s",
						 signatures[i].what);
	if (is_onnx(image, size))
		return compile_error_set(error, -ENOEXEC,
					 "not a TFLite model: this looks like an ONNX model; "
					 "convert it to TFLite");
	return compile_error_set(error, -ENOEXEC,
				 "not a TFLite model: bytes 4 to 7 are not \"TFL3\"");
}

/* What was wrong with the object just read, if anything was. */
static int check_object(struct reader *reader, const char *what, size_t i)
{
	if (!reader->buffer.error)
		return 0;
	return compile_error_set(reader->error, -EBADMSG, "malformed TFLite file: %s %zu: %s", what,
				 i, reader->buffer.error);
}

static int check_top(struct reader *reader, const char *what)
{
	if (!reader->buffer.error)
		return 0;
	return compile_error_set(reader->error, -EBADMSG, "malformed TFLite file: %s: %s", what,
				 reader->buffer.error);
}

/* Names go into messages and listings: printable ASCII only. */
static void copy_name(char *name, size_t size, const struct flatbuffer_vector *text)
{
	size_t n = text->n < size - 1 ? text->n : size - 1;

	for (size_t i = 0; i < n; i++)
		name[i] = text->data[i] > ' ' && text->data[i] < 0x7f ? (char)text->data[i] : '_';
	name[n] = '\0';
}

static int read_shape(struct reader *reader, struct tflite_tensor *tensor,
		      const struct flatbuffer_table *table, size_t i)
{
	struct flatbuffer_vector shape = flatbuffer_vector(table, TENSOR_SHAPE, 4);

	if (shape.n > TFLITE_MAX_RANK)
		return compile_error_set(reader->error, -ENOTSUP,
					 "tensor %zu has %u dimensions, at most %u are supported",
					 i, shape.n, TFLITE_MAX_RANK);
	tensor->rank = shape.n;
	tensor->n_elements = 1;
	for (uint32_t k = 0; k < shape.n; k++) {
		tensor->dims[k] = (int32_t)flatbuffer_get_u32(shape.data + 4 * k);
		if (tensor->dims[k] <= 0)
			tensor->is_dynamic = true;
		else if (__builtin_mul_overflow(tensor->n_elements, (uint32_t)tensor->dims[k],
						&tensor->n_elements))
			return compile_error_set(reader->error, -EBADMSG,
						 "malformed TFLite file: tensor %zu is too large",
						 i);
	}
	if (tensor->is_dynamic)
		tensor->n_elements = 0;
	return 0;
}

static void read_quantization(struct tflite_tensor *tensor, const struct flatbuffer_table *table)
{
	struct flatbuffer_table quantization = flatbuffer_table(table, TENSOR_QUANTIZATION);

	/* "Details" replace scale and zero point by something we do not know: not quantized. */
	if (flatbuffer_u8(&quantization, QUANTIZATION_DETAILS_TYPE, 0))
		return;
	tensor->scale = flatbuffer_vector(&quantization, QUANTIZATION_SCALE, 4);
	tensor->zero_point = flatbuffer_vector(&quantization, QUANTIZATION_ZERO_POINT, 8);
	tensor->quantized_dimension = flatbuffer_i32(&quantization, QUANTIZATION_DIMENSION, 0);
}

static int read_buffer(struct reader *reader, struct tflite_tensor *tensor, uint32_t index,
		       size_t i)
{
	struct flatbuffer_table buffer;

	if (index == 0 && reader->buffers.n == 0)
		return 0;
	if (index >= reader->buffers.n)
		return compile_error_set(reader->error, -EBADMSG,
					 "malformed TFLite file: tensor %zu: there is no buffer %u",
					 i, index);
	buffer = flatbuffer_element(&reader->buffer, &reader->buffers, index);
	if (flatbuffer_u64(&buffer, BUFFER_OFFSET, 0) > 1)
		return compile_error_set(reader->error, -ENOTSUP,
					 "tensor %zu keeps its data behind the model (files over "
					 "2 GiB do); this is not supported",
					 i);
	tensor->data = flatbuffer_vector(&buffer, BUFFER_DATA, 1);
	if (tensor->data.n == 0)
		tensor->data.data = NULL;
	return 0;
}

static int read_tensor(struct reader *reader, const struct flatbuffer_vector *tables, uint32_t i)
{
	struct flatbuffer_table table = flatbuffer_element(&reader->buffer, tables, i);
	struct tflite_tensor *tensor = &reader->model->tensors[i];
	struct flatbuffer_vector name = flatbuffer_vector(&table, TENSOR_NAME, 1);
	int r;

	copy_name(tensor->name, sizeof(tensor->name), &name);
	if (!tensor->name[0])
		snprintf(tensor->name, sizeof(tensor->name), "tensor_%u", i);
	tensor->type = flatbuffer_u8(&table, TENSOR_TYPE, 0);
	tensor->is_variable = flatbuffer_bool(&table, TENSOR_VARIABLE, false);
	tensor->is_sparse = flatbuffer_table(&table, TENSOR_SPARSITY).buffer != NULL;
	read_quantization(tensor, &table);
	r = read_shape(reader, tensor, &table, i);
	if (r < 0)
		return r;
	r = read_buffer(reader, tensor, (uint32_t)flatbuffer_i32(&table, TENSOR_BUFFER, 0), i);
	if (r < 0)
		return r;
	return check_object(reader, "tensor", i);
}

int32_t tflite_index(const struct flatbuffer_vector *indices, uint32_t i)
{
	return (int32_t)flatbuffer_get_u32(indices->data + 4 * (size_t)i);
}

/* Whether all @indices are tensors' (or, with @optional, TFLITE_NO_TENSOR). */
static int check_indices(struct reader *reader, const struct flatbuffer_vector *indices,
			 bool optional, const char *what, size_t i)
{
	if (indices->n > TFLITE_MAX_ARGUMENTS)
		return compile_error_set(reader->error, -ENOTSUP,
					 "%s %zu has %u tensors, at most %u are supported", what, i,
					 indices->n, TFLITE_MAX_ARGUMENTS);
	for (uint32_t k = 0; k < indices->n; k++) {
		int32_t index = tflite_index(indices, k);

		if (optional && index == TFLITE_NO_TENSOR)
			continue;
		if (index < 0 || (size_t)index >= reader->model->n_tensors)
			return compile_error_set(reader->error, -EBADMSG,
						 "malformed TFLite file: %s %zu: there is no "
						 "tensor %d",
						 what, i, index);
	}
	return 0;
}

static int read_code(struct reader *reader, struct tflite_operator *op, uint32_t index, size_t i)
{
	struct flatbuffer_vector custom;
	struct flatbuffer_table table;
	int32_t old, new;

	if (index >= reader->codes.n)
		return compile_error_set(reader->error, -EBADMSG,
					 "malformed TFLite file: operator %zu: there is no "
					 "operator code %u",
					 i, index);
	table = flatbuffer_element(&reader->buffer, &reader->codes, index);
	old = (int8_t)flatbuffer_u8(&table, CODE_OLD, 0);
	new = flatbuffer_i32(&table, CODE_NEW, 0);
	op->code = (uint32_t)(old > new ? old : new);
	custom = flatbuffer_vector(&table, CODE_CUSTOM, 1);
	if (op->code == TFLITE_CUSTOM)
		copy_name(op->custom, sizeof(op->custom), &custom);
	return 0;
}

static int read_operator(struct reader *reader, const struct flatbuffer_vector *tables, uint32_t i)
{
	struct flatbuffer_table table = flatbuffer_element(&reader->buffer, tables, i);
	struct tflite_operator *op = &reader->model->operators[i];
	int r;

	r = read_code(reader, op, (uint32_t)flatbuffer_i32(&table, OPERATOR_CODE, 0), i);
	if (r < 0)
		return r;
	op->inputs = flatbuffer_vector(&table, OPERATOR_INPUTS, 4);
	op->outputs = flatbuffer_vector(&table, OPERATOR_OUTPUTS, 4);
	tflite_options_read(op, &table);
	r = check_object(reader, "operator", i);
	if (r < 0)
		return r;
	r = check_indices(reader, &op->inputs, true, "inputs of operator", i);
	if (r < 0)
		return r;
	return check_indices(reader, &op->outputs, false, "outputs of operator", i);
}

static int check_count(struct reader *reader, uint32_t n, uint32_t most, const char *what)
{
	if (n > most)
		return compile_error_set(reader->error, -ENOTSUP,
					 "the model has %u %s, at most %u are supported", n, what,
					 most);
	if (n == 0)
		return compile_error_set(reader->error, -EBADMSG, "the model has no %s", what);
	return 0;
}

static int read_tensors(struct reader *reader, const struct flatbuffer_table *subgraph)
{
	struct flatbuffer_vector tables = flatbuffer_vector(subgraph, SUBGRAPH_TENSORS, 4);
	struct tflite_model *model = reader->model;
	int r = check_top(reader, "list of tensors");

	if (r < 0)
		return r;
	r = check_count(reader, tables.n, TFLITE_MAX_TENSORS, "tensors");
	if (r < 0)
		return r;
	model->tensors = calloc(tables.n, sizeof(*model->tensors));
	if (!model->tensors)
		return compile_error_set(reader->error, -ENOMEM, "out of memory");
	model->n_tensors = tables.n;
	for (uint32_t i = 0; i < tables.n && r >= 0; i++)
		r = read_tensor(reader, &tables, i);
	return r;
}

static int read_operators(struct reader *reader, const struct flatbuffer_table *subgraph)
{
	struct flatbuffer_vector tables = flatbuffer_vector(subgraph, SUBGRAPH_OPERATORS, 4);
	struct tflite_model *model = reader->model;
	int r = check_top(reader, "list of operators");

	if (r < 0)
		return r;
	r = check_count(reader, tables.n, TFLITE_MAX_OPERATORS, "operators");
	if (r < 0)
		return r;
	model->operators = calloc(tables.n, sizeof(*model->operators));
	if (!model->operators)
		return compile_error_set(reader->error, -ENOMEM, "out of memory");
	model->n_operators = tables.n;
	for (uint32_t i = 0; i < tables.n && r >= 0; i++)
		r = read_operator(reader, &tables, i);
	return r;
}

static int read_subgraph(struct reader *reader, const struct flatbuffer_table *subgraph)
{
	struct tflite_model *model = reader->model;
	int r;

	r = read_tensors(reader, subgraph);
	if (r < 0)
		return r;
	r = read_operators(reader, subgraph);
	if (r < 0)
		return r;
	model->inputs = flatbuffer_vector(subgraph, SUBGRAPH_INPUTS, 4);
	model->outputs = flatbuffer_vector(subgraph, SUBGRAPH_OUTPUTS, 4);
	r = check_top(reader, "lists of inputs and outputs");
	if (r < 0)
		return r;
	r = check_indices(reader, &model->inputs, false, "inputs of subgraph", 0);
	if (r < 0)
		return r;
	return check_indices(reader, &model->outputs, false, "outputs of subgraph", 0);
}

static int read_model(struct reader *reader)
{
	struct flatbuffer_table root = flatbuffer_root(&reader->buffer);
	uint32_t version = (uint32_t)flatbuffer_i32(&root, MODEL_VERSION, 0);
	struct flatbuffer_vector subgraphs = flatbuffer_vector(&root, MODEL_SUBGRAPHS, 4);
	struct flatbuffer_table subgraph;
	int r;

	reader->codes = flatbuffer_vector(&root, MODEL_OPERATOR_CODES, 4);
	reader->buffers = flatbuffer_vector(&root, MODEL_BUFFERS, 4);
	r = check_top(reader, "model");
	if (r < 0)
		return r;
	if (version != MODEL_FORMAT)
		return compile_error_set(reader->error, -ENOTSUP,
					 "TFLite format version %u is not supported, only %d",
					 version, MODEL_FORMAT);
	if (subgraphs.n != 1)
		return compile_error_set(reader->error, -ENOTSUP,
					 "the model has %u subgraphs, only one is supported; "
					 "convert it without control flow and without several "
					 "signatures",
					 subgraphs.n);
	subgraph = flatbuffer_element(&reader->buffer, &subgraphs, 0);
	return read_subgraph(reader, &subgraph);
}

int tflite_parse(struct tflite_model **ret, const uint8_t *image, size_t size,
		 struct compile_error *ret_error)
{
	struct reader reader = {.buffer = {.data = image, .size = size}, .error = ret_error};
	int r;

	r = check_signature(image, size, ret_error);
	if (r < 0)
		return r;
	reader.model = calloc(1, sizeof(*reader.model));
	if (!reader.model)
		return compile_error_set(ret_error, -ENOMEM, "out of memory");
	r = read_model(&reader);
	if (r < 0) {
		tflite_destroy(reader.model);
		return r;
	}
	*ret = reader.model;
	return 0;
}

void tflite_destroy(struct tflite_model *model)
{
	if (!model)
		return;
	free(model->tensors);
	free(model->operators);
	free(model);
}
