/* SPDX-License-Identifier: Apache-2.0 */
/* Files, whole. Failures are said here; the functions return exit codes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file {
	uint8_t *data; /* owned; with a NUL behind it */
	size_t size;
};

/* Read @path, or standard input if it is "-"; refused if longer than @limit. */
int file_read(struct file *ret, const char *path, size_t limit);
/* Accepts an empty one. */
void file_finish(struct file *file);

/* Write @path, or standard output if it is "-". */
int file_write(const char *path, const void *data, size_t size);

/* Whether it can be opened for reading; says why not. */
int file_check(const char *path);

/* Whether it is a model that has to be compiled first, by its name or its content. */
bool file_is_tflite(const char *path);
/* Say how, and return the exit code. */
int file_refuse_tflite(const char *path);
