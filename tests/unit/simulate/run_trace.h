/* SPDX-License-Identifier: Apache-2.0 */
/* Simulating a trace that stands in a test. */
#pragma once

#include "simulate/simulation.h"

#define CORES(n) "\"device\": {\"cores\": " #n ", \"hand_over\": 60, \"report\": 40"

/* Parses, simulates with seed 1 and demands that both work; the caller finishes the result. */
struct sim_result run_trace(const char *text, const struct scheme *scheme);
/* Only what simulation_run() says. */
int try_trace(const char *text, const struct scheme *scheme);

/* The @i th latency, in order of size, of client @client. */
uint64_t latency(const struct sim_result *result, uint32_t client, size_t i);
