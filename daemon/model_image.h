/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model images: a client's memfd becomes memory that nobody can change any more.
 * Any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct model_image {
	const uint8_t *data; /* NULL: none */
	size_t size;
	uint8_t hash[32]; /* SHA-256 */
};

/*
 * Copy what is behind @fd, which stays the caller's. The copy lives in a memfd
 * sealed against everything, so that what was hashed is what is parsed.
 *   -EINVAL   not a memfd
 *   -ENOEXEC  empty
 *   -EFBIG    larger than @max
 *   -EBADMSG  it changed its size meanwhile
 *   -ENOMEM
 * and @text says so.
 */
int model_image_copy(struct model_image *ret, int fd, size_t max, char *text, size_t text_size);
void model_image_finish(struct model_image *image);
