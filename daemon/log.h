/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line per event on standard error, each written at once. If the journal
 * reads standard error, they have the priority prefix of sd-daemon(3), and events go to
 * it as entries with fields.
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

/*
 * What an administrator may have to act on. Each has an identifier that never changes,
 * the journal's MESSAGE_ID, and an entry in systemd/zhouyid.catalog that says what to do.
 */
enum log_event {
	LOG_EVENT_NONE,	 /* a line like any other */
	LOG_EVENT_READY, /* which device was taken, and where clients find us */
	LOG_EVENT_STOPPED,
	LOG_EVENT_BAD_CONFIG, /* refused: at start, or later while the old one stays */
	LOG_EVENT_NO_DEVICE,  /* at start */
	LOG_EVENT_DEVICE_GONE,
	LOG_EVENT_DEVICE_BACK,
	LOG_EVENT_QUARANTINE,  /* a user's requests of a model are refused */
	LOG_EVENT_TURNED_AWAY, /* clients, because a limit is reached */
	LOG_EVENT_STUCK,       /* the device keeps jobs whatever is done: only a restart helps */
	LOG_EVENT_MAX_
};

/* 32 hexadecimal digits; NULL for LOG_EVENT_NONE. */
const char *log_event_id(enum log_event event);

/* To be called before there are other threads. Info until then. */
void log_open(enum log_level level);
/* The same, with the journal's socket at @journal. */
void log_open_with(enum log_level level, const char *journal);

/* From now on, from any thread. */
void log_set_level(enum log_level level);

const char *log_level_name(enum log_level level);

/*
 * To be called before the process ends: journald looks up whose an entry is when it reads
 * it, and somebody who has gone is nobody's unit. Waits for that, at most half a second.
 */
void log_close(void);

/* The level called "error", "warning", "info" or "debug", or -EINVAL. */
int log_level_find(const char *name);

bool log_enabled(enum log_level level);

/* @format has no newline. */
void log_print(enum log_level level, enum log_event event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_event(level, event, ...)                                                               \
	do {                                                                                       \
		if (log_enabled(level))                                                            \
			log_print(level, event, __VA_ARGS__);                                      \
	} while (0)

#define log_at(level, ...) log_event(level, LOG_EVENT_NONE, __VA_ARGS__)

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
