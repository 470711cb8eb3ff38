/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/table.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <string.h>

static char buf[512];

/* One row, of one cell before a bar. */
static const char *row(const char *text, int width, unsigned int extra)
{
	struct table table = {.columns = {{"TITLE", width}, {"BAR", -1}}};
	FILE *out = fmemopen(buf, sizeof(buf), "w");

	memset(buf, 0, sizeof(buf));
	cr_assert_not_null(out);
	table_row(out, &table, extra, (const char *[]){text, "|"});
	fclose(out);
	return buf;
}

Test(table, names_are_to_the_left_and_numbers_to_the_right)
{
	cr_expect_str_eq(row("abc", -5, 0), "abc   |\n");
	cr_expect_str_eq(row("123", 5, 0), "  123 |\n");
	cr_expect_str_eq(row("", -2, 0), "   |\n");
	cr_expect_str_eq(row("abc", -3, 2), "abc   |\n", "there is more room");
}

Test(table, names_are_cut_and_numbers_never)
{
	cr_expect_str_eq(row("abcdef", -3, 0), "abc |\n");
	cr_expect_str_eq(row("123456", 3, 0), "123456 |\n");
}

Test(table, wide_characters_count_twice_and_are_never_cut_in_two)
{
	cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
	cr_expect_str_eq(row("日本", -6, 0), "日本   |\n");
	cr_expect_str_eq(row("日本", -3, 0), "日  |\n");
	cr_expect_str_eq(row("日本", 5, 0), " 日本 |\n");
	cr_expect_str_eq(row("é", -3, 0), "é   |\n");
	cr_expect_str_eq(row("e\xcc\x81", -3, 0), "e\xcc\x81   |\n", "a mark needs no column");
}

Test(table, what_a_terminal_would_obey_or_choke_on_is_a_question_mark)
{
	cr_assert_not_null(setlocale(LC_CTYPE, "C.UTF-8"));
	cr_expect_str_eq(row("\033[2J", -6, 0), "?[2J   |\n");
	cr_expect_str_eq(row("a\nb\rc\177", -6, 0), "a?b?c? |\n");
	cr_expect_str_eq(row("\xc2\x9b", -3, 0), "??  |\n", "C1");
	cr_expect_str_eq(row("\xff\xc3", -3, 0), "??  |\n", "no UTF-8");
	setlocale(LC_CTYPE, "C");
	cr_expect_str_eq(row("\xff\x9b", -3, 0), "??  |\n");
}

Test(table, the_head_stands_above_the_columns)
{
	static const struct table table = {.indent = 2,
					   .columns = {{"NAME", -6}, {"N", 4}, {"LAST", -10}}};
	FILE *out = fmemopen(buf, sizeof(buf), "w");

	table_head(out, &table, 0);
	table_row(out, &table, 0, (const char *[]){"x", "1", "y"});
	fclose(out);
	cr_expect_str_eq(buf, "  NAME      N LAST\n  x         1 y\n");
	cr_expect_eq(table_width(&table), 2 + 6 + 1 + 4 + 1 + 10);
}
