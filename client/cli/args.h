/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values on the command line. Each function returns CLI_OK, or an exit code and has
 * said what is wrong; @option is what it is the value of, for that.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "client/cli/cli.h"

/* Decimal, 0x or 0; from @min to @max. */
int args_number(const struct cli *cli, const char *option, const char *text, uint64_t min,
		uint64_t max, uint64_t *ret);

/* The longest time on the command line: an hour. */
#define ARGS_LONGEST_NS UINT64_C(3600000000000)

/* "10ms", "2.5s", "100us", "7ns", more than 0 and up to an hour. */
int args_time(const struct cli *cli, const char *option, const char *text, uint64_t *ret_ns);

/* The same without complaint: 0, or -1 if it is no such time. */
int args_time_parse(const char *text, uint64_t *ret_ns);

/* "realtime", … */
int args_class(const struct cli *cli, const char *option, const char *text, enum zhouyi_class *ret);

/* "latest", "queue:N", "block" (of one frame), "block:N". */
int args_drop(const struct cli *cli, const char *option, const char *text, enum zhouyi_drop *ret,
	      unsigned int *ret_depth);

/* "2.500 ms", "100.0 us", "1.25 s"; like cli_text(). */
const char *args_time_text(uint64_t ns);
