/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/table.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* The next character of @text: its columns; @ret_bytes 0: what is there is none. */
static unsigned int character(const char *text, size_t size, size_t *ret_bytes)
{
	mbstate_t state = {0};
	wchar_t wide;
	size_t n = mbrtowc(&wide, text, size, &state);
	int columns = n == 0 || n > size ? -1 : wcwidth(wide);

	*ret_bytes = columns < 0 ? 0 : n;
	return columns < 0 ? 1 : (unsigned int)columns;
}

unsigned int table_cut(FILE *out, const char *text, unsigned int width)
{
	size_t size = strlen(text), bytes;
	unsigned int used = 0, columns;

	while (size) {
		columns = character(text, size, &bytes);
		if (used + columns > width)
			break;
		used += columns;
		if (out && bytes)
			fwrite(text, 1, bytes, out);
		else if (out)
			fputc('?', out);
		text += bytes ? bytes : 1;
		size -= bytes ? bytes : 1;
	}
	return used;
}

static void cell(FILE *out, const char *text, int width, unsigned int extra, bool last)
{
	unsigned int wanted = (unsigned int)abs(width) + extra, used;

	if (width < 0) {
		used = table_cut(out, text, wanted);
		if (!last)
			fprintf(out, "%*s", (int)(wanted - used), "");
		return;
	}
	used = table_cut(NULL, text, UINT_MAX);
	if (used < wanted)
		fprintf(out, "%*s", (int)(wanted - used), "");
	table_cut(out, text, UINT_MAX);
}

static unsigned int n_columns(const struct table *table)
{
	unsigned int n = 0;

	while (n < TABLE_COLUMNS && table->columns[n].title)
		n++;
	return n;
}

void table_row(FILE *out, const struct table *table, unsigned int extra, const char *const cells[])
{
	unsigned int n = n_columns(table);

	fprintf(out, "%*s", (int)table->indent, "");
	for (unsigned int i = 0; i < n; i++) {
		if (i)
			fputc(' ', out);
		cell(out, cells[i], table->columns[i].width, i ? 0 : extra, i + 1 == n);
	}
	fputc('\n', out);
}

void table_head(FILE *out, const struct table *table, unsigned int extra)
{
	const char *titles[TABLE_COLUMNS];

	for (unsigned int i = 0; i < TABLE_COLUMNS; i++)
		titles[i] = table->columns[i].title;
	table_row(out, table, extra, titles);
}

unsigned int table_width(const struct table *table)
{
	unsigned int n = n_columns(table), width = table->indent;

	for (unsigned int i = 0; i < n; i++)
		width += (unsigned int)abs(table->columns[i].width) + (i > 0);
	return width;
}
