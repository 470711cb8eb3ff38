/* SPDX-License-Identifier: Apache-2.0 */
/* Strings that share one allocation: first their sizes are summed up, then they are put. */
#pragma once

#include <stddef.h>
#include <string.h>

static inline size_t zy_text_size(const char *text)
{
	return strlen(text) + 1;
}

/* Append @text at @cursor, which has room for it; returns the copy. */
static inline const char *zy_text_put(char **cursor, const char *text)
{
	size_t size = zy_text_size(text);
	char *copy = *cursor;

	memcpy(copy, text, size);
	*cursor += size;
	return copy;
}
