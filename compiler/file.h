/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole files, in and out.
 */
#pragma once

#include "compiler/bytes.h"

/*
 * Append all of @path to @ret, which stays the caller's. Returns 0, -EFBIG for more
 * than @max bytes, or the errno of the failure.
 */
int file_read(struct bytes *ret, const char *path, size_t max);

/*
 * Replace @path at once: it has the old content, or all of the new. What is not a
 * regular file (a device, a pipe) is written to.
 */
int file_write(const char *path, const void *data, size_t size);
