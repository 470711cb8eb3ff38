/* SPDX-License-Identifier: Apache-2.0 */
/* Strings that share one allocation: first their sizes are summed up, then they are put. */
#pragma once

#include <stddef.h>
#include <string.h>

#include <protobuf-c/protobuf-c.h>

struct zhouyi_client;

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

/* The same for texts most of which are empty: those take no room. */
static inline const char *zy_text_append(char **cursor, const char *text)
{
	return text[0] ? zy_text_put(cursor, text) : "";
}

/*
 * Room for a struct of @size bytes, with its arrays behind it, and then for all strings of
 * @said: each of them takes more there, unless it is empty. NULL: out of memory, and @client
 * has been told.
 */
void *zy_text_block(struct zhouyi_client *client, const ProtobufCMessage *said, size_t size,
		    char **ret_texts);
