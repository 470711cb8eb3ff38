/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers of entry.h and what they are called. Names ("not-found") are for
 * logs, JSON and configuration and are for ever, like the numbers; texts ("no such
 * model, ...") are for people.
 *
 * Pure: any thread.
 */
#pragma once

#include "proto/entry.h"

/* Static, never NULL: "unknown" for a number that is no status. */
const char *zy_status_name(int status);
const char *zy_status_text(int status);

/* The status called @name, or -EINVAL. */
int zy_status_find(const char *name);

/*
 * What to answer for an internal result: 0 or more is ZY_OK, a negative errno what
 * the table says, and ZY_INTERNAL if the table does not know it.
 */
enum zy_status zy_status_from_errno(int r);

/* "realtime", "interactive", "normal", "background"; static, never NULL. */
const char *zy_class_name(unsigned int class);

/* The class called @name, or -EINVAL. */
int zy_class_find(const char *name);

/* "none", "own", "running", …; static, never NULL. */
const char *zy_wait_name(unsigned int wait);
