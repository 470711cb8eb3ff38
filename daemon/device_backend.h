/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What device.c and the backends share. Nobody else includes this, but tests may.
 */
#pragma once

#include "daemon/device.h"

/* Each opens its device or says why not, as device_open() does. */
int device_soft_open(struct device **ret, const struct device_soft_config *config);
int device_drm_open(struct device **ret, const char **ret_reason, const char **ret_soft_reason);

/*
 * For qsort(): ranges in the order in which backends look them up. Sets of ranges
 * need not be sorted, but those that are cost nothing at submission.
 */
int device_range_compare(const void *a, const void *b);

/* Whether @size bytes of the memfd @fd are there, and stay. -EPERM, -EINVAL, or as fcntl(2). */
int device_check_memfd(int fd, size_t size);
