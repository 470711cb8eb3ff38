/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/cli.h"

#define FIRST_ROOM ((size_t)65536)

void file_finish(struct file *file)
{
	free(file->data);
	*file = (struct file){.data = NULL};
}

static int open_input(const char *path)
{
	if (strcmp(path, "-") == 0)
		return dup(STDIN_FILENO);
	return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

/* What fstat() says is enough for a file; a pipe grows as it comes. */
static size_t first_room(int fd, size_t limit)
{
	struct stat st;
	size_t room = FIRST_ROOM;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size <= limit)
		room = (size_t)st.st_size + 1;
	return room;
}

/* Appends until the end. Returns 0, -EFBIG, or another negative errno. */
static int read_all(int fd, struct file *file, size_t limit)
{
	size_t room = first_room(fd, limit);

	for (;;) {
		uint8_t *data = realloc(file->data, room + 1);
		ssize_t n;

		if (!data)
			return -ENOMEM;
		file->data = data;
		do
			n = read(fd, data + file->size, room - file->size);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		file->size += (size_t)n;
		if (file->size > limit)
			return -EFBIG;
		if (file->size == room && __builtin_mul_overflow(room, 2, &room))
			return -EFBIG;
	}
	file->data[file->size] = 0;
	return 0;
}

int file_read(struct file *ret, const char *path, size_t limit)
{
	struct file file = {.data = NULL};
	int fd = open_input(path);
	int r = fd < 0 ? -errno : read_all(fd, &file, limit);

	if (fd >= 0)
		close(fd);
	if (r < 0) {
		file_finish(&file);
		if (r == -EFBIG)
			return cli_fail(CLI_FILE, "%s: larger than %s", path, cli_size(limit));
		return cli_fail(CLI_FILE, "cannot read %s: %s", path, strerror(-r));
	}
	*ret = file;
	return CLI_OK;
}

static int write_all(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

int file_write(const char *path, const void *data, size_t size)
{
	int fd, r;

	if (strcmp(path, "-") == 0)
		fd = dup(STDOUT_FILENO);
	else
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	if (fd < 0)
		return cli_fail(CLI_FILE, "cannot write %s: %s", path, strerror(errno));
	r = write_all(fd, data, size);
	/* Some file systems say only now that there is no room. */
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r < 0)
		return cli_fail(CLI_FILE, "cannot write %s: %s", path, strerror(-r));
	return CLI_OK;
}

int file_check(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return cli_fail(CLI_FILE, "cannot open %s: %s", path, strerror(errno));
	close(fd);
	return CLI_OK;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

bool file_is_tflite(const char *path)
{
	char head[8] = {0};
	int fd;
	ssize_t n;

	if (ends_with(path, ".tflite"))
		return true;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return false;
	n = read(fd, head, sizeof(head));
	close(fd);
	return n == sizeof(head) && memcmp(head + 4, "TFL3", 4) == 0;
}

int file_refuse_tflite(const char *path)
{
	int stem = (int)strlen(path);

	if (ends_with(path, ".tflite"))
		stem -= (int)strlen(".tflite");
	return cli_fail(
		CLI_FILE,
		"%s is a TensorFlow Lite model, which has to be compiled for the NPU first: "
		"zhouyi-cc %s -o %.*s.elf",
		path, path, stem, path);
}
