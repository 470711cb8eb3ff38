/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model's image on its way to the daemon: a memfd that is sealed against every
 * change, so that nobody has to copy it again to trust it.
 */
#pragma once

#include <stddef.h>

struct zhouyi_client;

/*
 * Copy a file, or @size bytes at @data. The descriptor is the caller's. Return 0 or a
 * negated enum zhouyi_error, with its text in @client.
 */
int zy_image_from_file(struct zhouyi_client *client, const char *path, int *ret_fd);
int zy_image_from_memory(struct zhouyi_client *client, const void *data, size_t size, int *ret_fd);
