/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault scripts: what goes wrong on the software device, and when; for tests and
 * for seeing what the daemon does about it (`zhouyid --fault-script FILE`).
 *
 * A script is a text file. Empty lines and what follows a `#` are ignored; every
 * other line is WHEN FAULT:
 *
 *	job N			the Nth job given to the device, from 1
 *	every N			each Nth job
 *	every N from M		the Mth job, and each Nth after it
 *
 *	hang			it never ends by itself
 *	slow FACTOR		it takes FACTOR times as long (2 … 1000)
 *	exception		its program does something illegal
 *	lose			it runs, but its completion is never reported
 *	abort-fails		the next abort after that job was given is refused
 *	soft-reset-fails	the next soft reset is refused
 *	reset-fails		the next reset is refused
 *	reopen-busy COUNT	the next COUNT reopenings find an old owner
 *	gone MILLISECONDS	the device vanishes, with all jobs, and is back after so long
 *
 * Several lines may concern the same job: `job 7 hang` and `job 7 abort-fails`. Of
 * two with the same fault the later one's number counts.
 */
#pragma once

#include <stdint.h>

#include "loadable/loadable_elf.h"

enum fault_kind {
	FAULT_HANG,
	FAULT_SLOW,
	FAULT_EXCEPTION,
	FAULT_LOSE,
	FAULT_ABORT_FAILS,
	FAULT_SOFT_RESET_FAILS,
	FAULT_RESET_FAILS,
	FAULT_REOPEN_BUSY,
	FAULT_GONE,
	FAULT_KIND_MAX_
};

/* What is to happen with one job: bit i for fault i, and their numbers. */
struct fault_set {
	uint32_t faults; /* 1u << enum fault_kind */
	uint64_t value[FAULT_KIND_MAX_];
};

struct fault_script; /* immutable: any thread */

/* -EINVAL with the line and what is wrong with it; -ENOENT, -EACCES, -EFBIG … for the file. */
int fault_script_load(struct fault_script **ret, const char *path,
		      struct loadable_error *ret_error);
int fault_script_parse(struct fault_script **ret, const char *text,
		       struct loadable_error *ret_error);
void fault_script_destroy(struct fault_script *script); /* accepts NULL */

/* For the @number-th job, from 1. */
struct fault_set fault_script_at(const struct fault_script *script, uint64_t number);
