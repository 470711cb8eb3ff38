/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a JSON text something stands: jansson knows that only while it parses. */
#pragma once

#include <stddef.h>

/* A way into a text: members by name, elements by number. */
struct json_step {
	const char *name; /* NULL: element @index of an array */
	size_t index;
};

/*
 * The line, from 1, of what @n @steps lead to in @text, which is valid JSON. If a name
 * has escapes in the text it is not found: then the line of what it is in.
 */
unsigned int json_line(const char *text, size_t size, const struct json_step *steps, size_t n);
