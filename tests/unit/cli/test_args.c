/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include "client/cli/args.h"

static struct cli cli;

TestSuite(args, .init = cr_redirect_stderr);

static uint64_t ns_of(const char *text)
{
	uint64_t ns = 0;

	cr_assert_eq(args_time_parse(text, &ns), 0, "%s", text);
	return ns;
}

Test(args, times_have_units_and_fractions)
{
	cr_expect_eq(ns_of("10ms"), 10000000);
	cr_expect_eq(ns_of("2.5s"), 2500000000);
	cr_expect_eq(ns_of("100us"), 100000);
	cr_expect_eq(ns_of("7ns"), 7);
	cr_expect_eq(ns_of("0.1us"), 100);
	cr_expect_eq(ns_of("16.666666666ms"), 16666666);
	cr_expect_eq(ns_of("3600s"), ARGS_LONGEST_NS);
	cr_expect_eq(ns_of("1.00000000000000000000000000000001s"), 1000000000);
}

Test(args, what_is_no_time_is_refused)
{
	static const char *const bad[] = {
		"",
		"10",
		"ms",
		"10 ms",
		"-1ms",
		"+1ms",
		"1.ms",
		".5s",
		"0ms",
		"0.1ns",
		"1e3s",
		"3601s",
		"10m",
		"10msx",
		"inf",
		"nan",
		"1..2",
		"0x10ms",
		"99999999999999999999999999999999999999999s",
	};
	uint64_t ns;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(args_time_parse(bad[i], &ns), -1, "'%s'", bad[i]);
	cr_expect_eq(args_time(&cli, "--period", "10", &ns), CLI_USAGE);
}

Test(args, ways_to_drop_are_read)
{
	enum zhouyi_drop drop;
	unsigned int depth;

	cr_expect_eq(args_drop(&cli, "--drop", "latest", &drop, &depth), CLI_OK);
	cr_expect(drop == ZHOUYI_DROP_LATEST && depth == 1);
	cr_expect_eq(args_drop(&cli, "--drop", "queue:4", &drop, &depth), CLI_OK);
	cr_expect(drop == ZHOUYI_DROP_OLDEST && depth == 4);
	cr_expect_eq(args_drop(&cli, "--drop", "block", &drop, &depth), CLI_OK);
	cr_expect(drop == ZHOUYI_DROP_BLOCK && depth == 1);
	cr_expect_eq(args_drop(&cli, "--drop", "block:9", &drop, &depth), CLI_OK);
	cr_expect(drop == ZHOUYI_DROP_BLOCK && depth == 9);
	cr_expect_eq(args_drop(&cli, "--drop", "queue", &drop, &depth), CLI_USAGE);
	cr_expect_eq(args_drop(&cli, "--drop", "queue:0", &drop, &depth), CLI_USAGE);
	cr_expect_eq(args_drop(&cli, "--drop", "queue:1025", &drop, &depth), CLI_USAGE);
	cr_expect_eq(args_drop(&cli, "--drop", "latest:2", &drop, &depth), CLI_USAGE);
	cr_expect_eq(args_drop(&cli, "--drop", "oldest", &drop, &depth), CLI_USAGE);
}

Test(args, classes_are_read)
{
	enum zhouyi_class class;

	cr_expect_eq(args_class(&cli, "--priority", "background", &class), CLI_OK);
	cr_expect_eq(class, ZHOUYI_CLASS_BACKGROUND);
	cr_expect_eq(args_class(&cli, "--priority", "urgent", &class), CLI_USAGE);
}

Test(args, times_read_well)
{
	cr_expect_str_eq(args_time_text(7), "7 ns");
	cr_expect_str_eq(args_time_text(2500), "2.5 us");
	cr_expect_str_eq(args_time_text(2500000), "2.500 ms");
	cr_expect_str_eq(args_time_text(1250000000), "1.250 s");
}
