/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readable listings of a graph, for `zhouyi-cc --dump` and `zhouyi-cli inspect`.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct graph;

/* Target, memory, sections, tensors, subgraphs; with @instructions every instruction. */
void graph_list(const struct graph *graph, FILE *out, bool instructions);

/* The same as one JSON object, ended by a newline. */
void graph_list_json(const struct graph *graph, FILE *out, bool instructions);
