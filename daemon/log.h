/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line per event on standard error, each written at once, with the
 * priority prefix of sd-daemon(3) if the journal reads it.
 *
 * A line says who, what and why. Error: somebody should act. Warning: we coped.
 * Info: the life of the daemon. Debug: free. A healthy daemon is silent. What
 * cannot be printed safely, such as a client's control characters, is escaped
 * as \xNN here, so that no caller can forget it.
 *
 * Any thread. The level and the style are the only global state of the daemon: a
 * process has one standard error, and everything may have to say something.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* To be called before there are other threads. Info until then. */
void log_open(enum log_level level);

/* The level called "error", "warning", "info" or "debug", or -EINVAL. */
int log_level_find(const char *name);

bool log_enabled(enum log_level level);

/* @format has no newline. */
void log_print(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_at(level, ...)                                                                         \
	do {                                                                                       \
		if (log_enabled(level))                                                            \
			log_print(level, __VA_ARGS__);                                             \
	} while (0)

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * Copy @text into @buf of @size > 0 bytes, printable: control characters and what is not
 * UTF-8 become \xNN, a backslash \\. What does not fit is cut off between
 * characters. Returns @buf.
 */
char *log_escape(char *buf, size_t size, const char *text);

/*
 * The length in bytes of the printable UTF-8 character at @text, or 0 if there is
 * none: at the end, a control character, or broken.
 */
size_t log_printable(const char *text);
