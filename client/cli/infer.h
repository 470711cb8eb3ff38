/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of `zhouyi-cli infer` hand to each other. */
#pragma once

#include "client/cli/classes.h"
#include "client/cli/cli.h"
#include "client/cli/file.h"

struct infer {
	struct cli *cli;
	/* From the command line. */
	const char *model_name;
	char **inputs; /* borrowed: n_inputs paths */
	unsigned int n_inputs;
	const char *output; /* -o, or NULL */
	const char *labels_path;
	size_t top, repeat;
	struct zhouyi_options options;
	uint64_t deadline_ns; /* from each run's beginning; 0: none */

	struct file labels_text; /* owned */
	struct labels labels;	 /* owned */
	struct zhouyi_client *client;
	struct zhouyi_model *model;
	struct zhouyi_binding *binding;

	struct zhouyi_result result; /* of the last run */
	uint64_t *latency; /* owned: n_runs of them, in nanoseconds; sorted when all have run */
	size_t n_runs;
};

/* Connect, and load or open model_name. Returns an exit code. */
int infer_get_model(struct infer *infer);
/* Fill the binding's inputs from the files. Returns an exit code. */
int infer_read_inputs(struct infer *infer);
/* Run it as often as wanted. */
int infer_run(struct infer *infer);
/* Write the output files, or show what came out. */
int infer_show(struct infer *infer);
