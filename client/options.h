/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structs that the caller fills and that start with their size. A caller that is older than
 * the library gets defaults for what it does not know; one that is newer may use only what
 * the library knows.
 */
#pragma once

#include <stddef.h>

/*
 * Copy @options over the defaults in @known, which has @size bytes, as far as both know
 * them. @min is what the first version of the struct had. NULL: the defaults stay.
 * Returns 0, -ZHOUYI_ERROR_INVALID or -ZHOUYI_ERROR_NOT_SUPPORTED.
 */
int zy_options_read(void *known, size_t size, size_t min, const void *options);
