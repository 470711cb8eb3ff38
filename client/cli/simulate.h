/* SPDX-License-Identifier: Apache-2.0 */
/* zhouyi-cli simulate: what was found out, for people and programs. */
#pragma once

#include "client/cli/cli.h"
#include "simulate/result.h"
#include "simulate/scheme.h"
#include "simulate/trace.h"

/* What each scheme made of the same trace, in the order asked for. */
struct simulated {
	const struct trace *trace;
	uint64_t seed;
	struct sim_result results[N_SCHEMES];
	unsigned int n;
};

void simulate_text(const struct simulated *simulated);
/* Clients that miss deadlines and by how much, as Markdown. */
void simulate_markdown(const struct simulated *simulated);
/* Returns an exit code. */
int simulate_json(const struct simulated *simulated);
