/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DRM backend is not part of this version: whoever asks for it is told so, and
 * "auto" goes on to the next backend.
 */
#include <errno.h>

#include "daemon/device_backend.h"

int device_drm_open(struct device **ret)
{
	(void)ret;
	return -ENOTSUP;
}
