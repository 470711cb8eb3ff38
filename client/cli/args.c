/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 1024u

int args_number(const struct cli *cli, const char *option, const char *text, uint64_t min,
		uint64_t max, uint64_t *ret)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (end == text || *end != '\0' || errno != 0 || text[0] == '-' || value < min ||
	    value > max)
		return cli_usage(cli, "%s: '%s' is not a number from %llu to %llu", option, text,
				 (unsigned long long)min, (unsigned long long)max);
	*ret = value;
	return CLI_OK;
}

static uint64_t unit_of(const char *text)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(units[i].name, text) == 0)
			return units[i].ns;
	return 0;
}

/* Digits before and after a point, as a number of 10^-9: what comes after that is lost. */
static const char *read_decimal(const char *text, unsigned __int128 *ret)
{
	unsigned __int128 value = 0;
	unsigned int places = 0;
	const char *c = text;

	for (; *c >= '0' && *c <= '9' && c - text < 20; c++)
		value = value * 10 + (unsigned int)(*c - '0');
	if (c == text)
		return NULL;
	if (*c == '.') {
		const char *point = c++;

		for (; *c >= '0' && *c <= '9'; c++)
			if (places < 9) {
				value = value * 10 + (unsigned int)(*c - '0');
				places++;
			}
		if (c == point + 1)
			return NULL;
	}
	for (; places < 9; places++)
		value *= 10;
	*ret = value;
	return c;
}

int args_time_parse(const char *text, uint64_t *ret_ns)
{
	unsigned __int128 value;
	const char *unit = read_decimal(text, &value);
	uint64_t ns = unit ? unit_of(unit) : 0;

	if (!ns)
		return -1;
	value = value * ns / 1000000000u;
	if (!value || value > ARGS_LONGEST_NS)
		return -1;
	*ret_ns = (uint64_t)value;
	return 0;
}

int args_time(const struct cli *cli, const char *option, const char *text, uint64_t *ret_ns)
{
	if (args_time_parse(text, ret_ns) == 0)
		return CLI_OK;
	return cli_usage(cli,
			 "%s: '%s' is not a time such as 10ms, 2.5s or 100us, of an hour at most",
			 option, text);
}

int args_class(const struct cli *cli, const char *option, const char *text, enum zhouyi_class *ret)
{
	for (unsigned int i = 0; i <= ZHOUYI_CLASS_BACKGROUND; i++) {
		if (strcmp(zhouyi_class_name((enum zhouyi_class)i), text) == 0) {
			*ret = (enum zhouyi_class)i;
			return CLI_OK;
		}
	}
	return cli_usage(cli, "%s: '%s' is none of realtime, interactive, normal, background",
			 option, text);
}

int args_drop(const struct cli *cli, const char *option, const char *text, enum zhouyi_drop *ret,
	      unsigned int *ret_depth)
{
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : strlen(text);
	uint64_t depth = 1;
	int code = CLI_OK;

	if (strcmp(text, "latest") == 0) {
		*ret = ZHOUYI_DROP_LATEST;
		*ret_depth = 1;
		return CLI_OK;
	}
	if (n == 5 && strncmp(text, "queue", n) == 0 && colon)
		*ret = ZHOUYI_DROP_OLDEST;
	else if (n == 5 && strncmp(text, "block", n) == 0)
		*ret = ZHOUYI_DROP_BLOCK;
	else
		return cli_usage(cli, "%s: '%s' is none of latest, queue:N, block, block:N", option,
				 text);
	if (colon)
		code = args_number(cli, option, colon + 1, 1, MAX_DEPTH, &depth);
	*ret_depth = (unsigned int)depth;
	return code;
}

const char *args_time_text(uint64_t ns)
{
	char text[48];

	if (ns < 1000)
		snprintf(text, sizeof(text), "%u ns", (unsigned int)ns);
	else if (ns < 1000000)
		snprintf(text, sizeof(text), "%.1f us", (double)ns / 1e3);
	else if (ns < 1000000000)
		snprintf(text, sizeof(text), "%.3f ms", (double)ns / 1e6);
	else
		snprintf(text, sizeof(text), "%.3f s", (double)ns / 1e9);
	return cli_text(text);
}
