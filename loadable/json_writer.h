/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON to a stream: commas, quotes and escapes; nesting is the caller's.
 * Keys are plain words; inside an array the key is NULL.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_writer {
	FILE *out; /* borrowed */
	bool needs_comma;
};

/* @bracket: '{' or '[', and its counterpart. */
void json_writer_open(struct json_writer *json, const char *key, char bracket);
void json_writer_close(struct json_writer *json, char bracket);

/* Bytes that are not UTF-8 are the caller's fault and come out as they are. */
void json_writer_string(struct json_writer *json, const char *key, const char *value);
void json_writer_unsigned(struct json_writer *json, const char *key, uint64_t value);
void json_writer_signed(struct json_writer *json, const char *key, int64_t value);
/* null, if @value is not finite */
void json_writer_float(struct json_writer *json, const char *key, float value);
void json_writer_bool(struct json_writer *json, const char *key, bool value);
void json_writer_unsigned_array(struct json_writer *json, const char *key, const uint32_t *values,
				size_t n);
