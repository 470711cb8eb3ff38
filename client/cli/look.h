/* SPDX-License-Identifier: Apache-2.0 */
/* What explain, plan, accounts, record and top share. */
#pragma once

#include <stdbool.h>

#include "client/cli/cli.h"

/*
 * The daemon answers expensive questions only so often. Returns whether @r says so and
 * it is worth asking again, after a short sleep; *@tries begins at 0.
 */
bool look_again(int r, unsigned int *tries);

/* "0, 2", "-" for none; like cli_text(). */
const char *look_cores(uint64_t cores);
json_t *look_cores_json(uint64_t cores);
