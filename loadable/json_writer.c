/* SPDX-License-Identifier: Apache-2.0 */
#include "loadable/json_writer.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void begin(struct json_writer *json, const char *key)
{
	if (json->needs_comma)
		fputc(',', json->out);
	json->needs_comma = true;
	if (key)
		fprintf(json->out, "\"%s\":", key);
}

void json_writer_open(struct json_writer *json, const char *key, char bracket)
{
	begin(json, key);
	fputc(bracket, json->out);
	json->needs_comma = false;
}

void json_writer_close(struct json_writer *json, char bracket)
{
	fputc(bracket, json->out);
	json->needs_comma = true;
}

void json_writer_string(struct json_writer *json, const char *key, const char *value)
{
	begin(json, key);
	fputc('"', json->out);
	for (const char *s = value; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			fprintf(json->out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(json->out, "\\u%04x", c);
		else
			fputc(c, json->out);
	}
	fputc('"', json->out);
}

void json_writer_unsigned(struct json_writer *json, const char *key, uint64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void json_writer_signed(struct json_writer *json, const char *key, int64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void json_writer_float(struct json_writer *json, const char *key, float value)
{
	char text[32];
	char *comma;

	begin(json, key);
	if (!isfinite(value)) {
		fputs("null", json->out);
		return;
	}
	snprintf(text, sizeof(text), "%.9g", (double)value);
	/* Whatever the locale writes between the digits. */
	comma = text + strcspn(text, ",");
	if (*comma)
		*comma = '.';
	fputs(text, json->out);
}

void json_writer_bool(struct json_writer *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_writer_unsigned_array(struct json_writer *json, const char *key, const uint32_t *values,
				size_t n)
{
	json_writer_open(json, key, '[');
	for (size_t i = 0; i < n; i++)
		json_writer_unsigned(json, NULL, values[i]);
	json_writer_close(json, ']');
}
