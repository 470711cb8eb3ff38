/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands stream and reserve share. */
#pragma once

#include "client/cli/infer.h"

/* The options they have in common, and what came of them. */
struct reserve {
	struct zhouyi_reserve_options options;
	struct zhouyi_reservation *reservation; /* NULL: none */
	struct zhouyi_verdict *verdict;		/* freed with zhouyi_free(); NULL: not asked */
};

enum {
	OPT_PERIOD = CLI_OPTION_FIRST,
	OPT_DEADLINE,
	OPT_BUDGET,
	OPT_JITTER,
	OPT_CORE_MASK,
	OPT_RESERVE_LAST = OPT_CORE_MASK,
};

/* Handle one of them. Returns CLI_OK or the exit code. */
int reserve_option(const struct cli *cli, struct reserve *reserve, int option);

/*
 * Ask for it. If the daemon has to learn the budget, the model is run for it first, with the
 * binding. Returns an exit code.
 */
int reserve_ask(struct infer *infer, struct reserve *reserve);

/* "granted: …", in one line; or as JSON. */
void reserve_print(FILE *out, const struct zhouyi_verdict *verdict);
json_t *reserve_json(const struct zhouyi_verdict *verdict);
