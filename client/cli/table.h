/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables in columns of a terminal, however wide the characters of names are. What is not
 * printable is a '?': names come from strangers.
 */
#pragma once

#include <stdio.h>

#define TABLE_COLUMNS 12

struct table {
	unsigned int indent;
	struct {
		const char *title; /* NULL: there are no more */
		/* As for printf(): below 0 it is for names, which are to the left and cut if
		 * need be; numbers never are. */
		int width;
	} columns[TABLE_COLUMNS];
};

/* @extra: what the first column gets beyond its width. */
void table_head(FILE *out, const struct table *table, unsigned int extra);
void table_row(FILE *out, const struct table *table, unsigned int extra, const char *const cells[]);

/* Columns of a terminal that the table takes, unless a number is too long. */
unsigned int table_width(const struct table *table);

/* Up to @width columns of @text, to @out unless that is NULL. Returns how many. */
unsigned int table_cut(FILE *out, const char *text, unsigned int width);
