/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/json_line.h"

#include <criterion/criterion.h>
#include <string.h>

static const char text[] = "{\"a\": \"\\\"}{\",\n \"b\": [{\"c\": 1}, 2.5e3,\n true],\n"
			   "\"c\"\n:\n{\n\"a\": {}, \"b\": -1,\n\"d\": null}}";

Test(json_line, a_key_is_found_where_it_stands)
{
	static const struct {
		struct json_step steps[3];
		size_t n;
		unsigned int line;
	} cases[] = {
		{{{"a", 0}}, 1, 1},
		{{{"b", 0}}, 1, 2},
		{{{"c", 0}}, 1, 4},
		{{{"c", 0}, {"a", 0}}, 2, 7},
		{{{"c", 0}, {"b", 0}}, 2, 7},
		{{{"c", 0}, {"d", 0}}, 2, 8},
		{{{"c", 0}}, 0, 1},
		{{{"x", 0}}, 1, 1},
		{{{"c", 0}, {"x", 0}}, 2, 4},
		{{{"b", 0}, {"c", 0}}, 2, 2},
		{{{"c", 0}, {"a", 0}, {"x", 0}}, 3, 7},
		{{{"b", 0}, {NULL, 0}, {"c", 0}}, 3, 2},
		{{{"b", 0}, {NULL, 2}}, 2, 3},
		{{{"b", 0}, {NULL, 3}}, 2, 2},
		{{{"a", 0}, {NULL, 0}}, 2, 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(json_line(text, strlen(text), cases[i].steps, cases[i].n),
			     cases[i].line, "case %zu", i);
}

Test(json_line, broken_off_anywhere_it_still_ends)
{
	const struct json_step steps[][2] = {{{"c", 0}, {"d", 0}}, {{"b", 0}, {NULL, 7}}};

	for (size_t n = 0; n < strlen(text); n++)
		for (size_t i = 0; i < 2; i++)
			cr_expect_leq(json_line(text, n, steps[i], 2), 8);
}
