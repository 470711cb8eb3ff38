/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/model_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <sha2.h>

#include "proto/scope.h"

/* How much is copied before it is hashed: what a cache holds is not fetched twice. */
#define CHUNK ((size_t)256 << 10)

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

static int image_size(int fd, size_t max, size_t *ret, char *text, size_t text_size)
{
	struct stat st;

	/* Reading any other file could block, for ever if it is a pipe. */
	if (fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &st) < 0) {
		snprintf(text, text_size, "the model's descriptor is not a memfd");
		return -EINVAL;
	}
	if (st.st_size <= 0) {
		snprintf(text, text_size, "the model is empty");
		return -ENOEXEC;
	}
	if ((uint64_t)st.st_size > max) {
		snprintf(text, text_size, "the model has %lld bytes, at most %zu are allowed",
			 (long long)st.st_size, max);
		return -EFBIG;
	}
	*ret = (size_t)st.st_size;
	return 0;
}

/* Fill @to, and hash what has arrived there, not what was there to be read. */
static int read_and_hash(int fd, uint8_t *to, size_t size, uint8_t hash[32])
{
	SHA2_CTX context;
	size_t done = 0;

	SHA256Init(&context);
	while (done < size) {
		size_t want = size - done < CHUNK ? size - done : CHUNK;
		ssize_t n = pread(fd, to + done, want, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EBADMSG;
		SHA256Update(&context, to + done, (size_t)n);
		done += (size_t)n;
	}
	SHA256Final(hash, &context);
	return 0;
}

static int copy(struct model_image *ret, int fd, size_t size)
{
	zy_auto(zy_close) int memfd =
		memfd_create("zhouyid-model", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct model_image image = {.size = size};
	void *p;
	int r;

	if (memfd < 0)
		return -errno;
	/* Not only sized: a hole that cannot be filled later would be a SIGBUS. */
	r = -posix_fallocate(memfd, 0, (off_t)size);
	if (r < 0)
		return r;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (p == MAP_FAILED)
		return -errno;
	r = read_and_hash(fd, p, size, image.hash);
	munmap(p, size);
	if (r < 0)
		return r;
	if (fcntl(memfd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	p = mmap(NULL, size, PROT_READ, MAP_SHARED, memfd, 0);
	if (p == MAP_FAILED)
		return -errno;
	image.data = p;
	*ret = image;
	return 0;
}

int model_image_copy(struct model_image *ret, int fd, size_t max, char *text, size_t text_size)
{
	size_t size;
	int r = image_size(fd, max, &size, text, text_size);

	if (r < 0)
		return r;
	r = copy(ret, fd, size);
	if (r == -EBADMSG) {
		snprintf(text, text_size, "the model became shorter while it was read");
	} else if (r < 0) {
		snprintf(text, text_size, "no memory for a copy of the model (%zu bytes)", size);
		r = -ENOMEM;
	}
	return r;
}

void model_image_finish(struct model_image *image)
{
	if (image->data)
		munmap((void *)image->data, image->size);
	image->data = NULL;
}
