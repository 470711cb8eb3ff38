/* SPDX-License-Identifier: Apache-2.0 */
/* What a process of a benchmark has cost. */
#pragma once

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

/* Of the main thread of @pid: nanoseconds on a CPU. */
static inline uint64_t cpu_ns(pid_t pid)
{
	char path[64];
	uint64_t ns = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, pid);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%" SCNu64, &ns) != 1) {
		perror(path);
		exit(1);
	}
	fclose(file);
	return ns;
}
