/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON to a stream: commas, quotes and escapes; nesting is the caller's.
 * Keys are plain words; inside an array the key is NULL.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out; /* borrowed */
	bool needs_comma;
};

/* @bracket: '{' or '[', and its counterpart. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);

/* Bytes that are not UTF-8 are the caller's fault and come out as they are. */
void json_string(struct json *json, const char *key, const char *value);
void json_unsigned(struct json *json, const char *key, uint64_t value);
void json_signed(struct json *json, const char *key, int64_t value);
/* null, if @value is not finite */
void json_float(struct json *json, const char *key, float value);
void json_bool(struct json *json, const char *key, bool value);
void json_unsigned_array(struct json *json, const char *key, const uint32_t *values, size_t n);
