/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where each operator's options table keeps what: one row per operator that has
 * options we read.
 */
#include "compiler/tflite.h"

#define MAX_FIELDS 8

enum kind { END = 0, U8, I32, FLOAT };

struct option_field {
	enum kind kind;
	uint8_t field;	 /* number in the options table */
	uint16_t offset; /* in struct tflite_options */
	int32_t absent;	 /* the format's default */
};

struct option_table {
	uint32_t code; /* enum tflite_builtin */
	uint8_t type;  /* number in the union of options */
	struct option_field fields[MAX_FIELDS];
};

#define AT(member) offsetof(struct tflite_options, member)

static const struct option_table tables[] = {
	{TFLITE_CONV_2D,
	 1,
	 {{U8, 0, AT(padding), 0},
	  {I32, 1, AT(stride_w), 0},
	  {I32, 2, AT(stride_h), 0},
	  {U8, 3, AT(activation), 0},
	  {I32, 4, AT(dilation_w), 1},
	  {I32, 5, AT(dilation_h), 1}}},
	{TFLITE_DEPTHWISE_CONV_2D,
	 2,
	 {{U8, 0, AT(padding), 0},
	  {I32, 1, AT(stride_w), 0},
	  {I32, 2, AT(stride_h), 0},
	  {U8, 4, AT(activation), 0},
	  {I32, 5, AT(dilation_w), 1},
	  {I32, 6, AT(dilation_h), 1}}},
	{TFLITE_AVERAGE_POOL_2D,
	 5,
	 {{U8, 0, AT(padding), 0},
	  {I32, 1, AT(stride_w), 0},
	  {I32, 2, AT(stride_h), 0},
	  {I32, 3, AT(filter_w), 0},
	  {I32, 4, AT(filter_h), 0},
	  {U8, 5, AT(activation), 0}}},
	{TFLITE_MAX_POOL_2D,
	 5,
	 {{U8, 0, AT(padding), 0},
	  {I32, 1, AT(stride_w), 0},
	  {I32, 2, AT(stride_h), 0},
	  {I32, 3, AT(filter_w), 0},
	  {I32, 4, AT(filter_h), 0},
	  {U8, 5, AT(activation), 0}}},
	{TFLITE_FULLY_CONNECTED,
	 8,
	 {{U8, 0, AT(activation), 0},
	  {U8, 1, AT(weights_format), 0},
	  {U8, 2, AT(keep_num_dims), 0}}},
	{TFLITE_SOFTMAX, 9, {{FLOAT, 0, AT(beta), 0}}},
	{TFLITE_CONCATENATION, 10, {{I32, 0, AT(axis), 0}, {U8, 1, AT(activation), 0}}},
	{TFLITE_ADD, 11, {{U8, 0, AT(activation), 0}}},
};

static void read_field(struct tflite_options *options, const struct option_field *field,
		       const struct flatbuffer_table *table)
{
	uint8_t *member = (uint8_t *)options + field->offset;

	switch (field->kind) {
	case END:
		break;
	case U8:
		*member = flatbuffer_u8(table, field->field, (uint8_t)field->absent);
		break;
	case I32:
		*(int32_t *)(void *)member = flatbuffer_i32(table, field->field, field->absent);
		break;
	case FLOAT:
		*(float *)(void *)member =
			flatbuffer_float(table, field->field, (float)field->absent);
		break;
	}
}

#define OPERATOR_OPTIONS_TYPE 3
#define OPERATOR_OPTIONS 4

void tflite_options_read(struct tflite_operator *op, const struct flatbuffer_table *table)
{
	uint8_t type = flatbuffer_u8(table, OPERATOR_OPTIONS_TYPE, 0);
	struct flatbuffer_table options;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (tables[i].code != op->code || tables[i].type != type)
			continue;
		options = flatbuffer_table(table, OPERATOR_OPTIONS);
		op->has_options = options.buffer != NULL;
		for (int k = 0; k < MAX_FIELDS && op->has_options; k++)
			read_field(&op->options, &tables[i].fields[k], &options);
	}
}
