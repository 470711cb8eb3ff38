/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/journal.h"

#define LINE_MAX_BYTES 2048

static struct {
	enum log_level level;
	bool journal;	/* reads our standard error */
	int journal_fd; /* owned; for entries with fields; -1: none */
} log_state = {.level = LOG_LEVEL_INFO, .journal_fd = -1};

static const struct {
	const char *name;
	int priority; /* of syslog(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", 3},
	[LOG_LEVEL_WARNING] = {"warning", 4},
	[LOG_LEVEL_INFO] = {"info", 6},
	[LOG_LEVEL_DEBUG] = {"debug", 7},
};

static const char *const event_ids[LOG_EVENT_MAX_] = {
	[LOG_EVENT_READY] = "5d6829a87f6b4c19aa7165c5b98c4296",
	[LOG_EVENT_STOPPED] = "2b00716e4cf041409889c93507433ad3",
	[LOG_EVENT_BAD_CONFIG] = "f336cf4bd44549ac896b800eb3171ce1",
	[LOG_EVENT_NO_DEVICE] = "c9a5af3a6e3948bf849cc2af18bb5558",
	[LOG_EVENT_DEVICE_GONE] = "479b2ae7c1a34b8383b9ffeddb6399ae",
	[LOG_EVENT_DEVICE_BACK] = "1c38c304a9334a8b9d314adffb961be5",
	[LOG_EVENT_QUARANTINE] = "2e7ce86702fc4c749f93a6bd1488621d",
	[LOG_EVENT_TURNED_AWAY] = "e7b2070ddb184dc1bf0077524dc9e759",
	[LOG_EVENT_STUCK] = "6ae1b89e04e84fc0a3352877a314891a",
};

const char *log_event_id(enum log_event event)
{
	return (unsigned int)event < LOG_EVENT_MAX_ ? event_ids[event] : NULL;
}

/* $JOURNAL_STREAM says which file the journal gave us; it may have been redirected since. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(enum log_level level)
{
	log_open_with(level, JOURNAL_SOCKET);
}

void log_open_with(enum log_level level, const char *journal)
{
	log_state.level = level;
	if (log_state.journal_fd >= 0)
		close(log_state.journal_fd);
	log_state.journal = is_journal();
	log_state.journal_fd = log_state.journal ? journal_open(journal) : -1;
}

void log_set_level(enum log_level level)
{
	__atomic_store_n(&log_state.level, level, __ATOMIC_RELAXED);
}

const char *log_level_name(enum log_level level)
{
	return levels[level].name;
}

void log_close(void)
{
	if (log_state.journal_fd < 0)
		return;
	journal_flush(log_state.journal_fd);
	close(log_state.journal_fd);
	log_state.journal_fd = -1;
}

int log_level_find(const char *name)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(levels[i].name, name) == 0)
			return (int)i;
	return -EINVAL;
}

bool log_enabled(enum log_level level)
{
	return level <= __atomic_load_n(&log_state.level, __ATOMIC_RELAXED);
}

static const struct utf8_form {
	unsigned char mask, mark; /* of the first byte */
	size_t n;
	uint32_t min; /* smallest code that may be written this way */
} utf8_forms[] = {
	{0x80, 0x00, 1, 0},
	{0xe0, 0xc0, 2, 0x80},
	{0xf0, 0xe0, 3, 0x800},
	{0xf8, 0xf0, 4, 0x10000},
};

static const struct utf8_form *utf8_form_find(unsigned char first)
{
	for (size_t i = 0; i < sizeof(utf8_forms) / sizeof(utf8_forms[0]); i++)
		if ((first & utf8_forms[i].mask) == utf8_forms[i].mark)
			return &utf8_forms[i];
	return NULL;
}

/* C0, DEL, C1, line separators and what turns the direction of writing around. */
static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

size_t log_printable(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	const struct utf8_form *form = utf8_form_find(c[0]);
	uint32_t code;

	if (!form)
		return 0;
	code = c[0] & (unsigned char)~form->mask;
	for (size_t i = 1; i < form->n; i++) {
		if ((c[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (c[i] & 0x3f);
	}
	if (code < form->min || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return is_control(code) ? 0 : form->n;
}

static size_t escape_one(char ret[5], const char *text, size_t *ret_used)
{
	size_t n = log_printable(text);

	*ret_used = n ? n : 1;
	if (*text == '\\')
		return memcpy(ret, "\\\\", 3), 2;
	if (!n)
		return (size_t)snprintf(ret, 5, "\\x%02x", (unsigned char)*text);
	memcpy(ret, text, n);
	return n;
}

char *log_escape(char *buf, size_t size, const char *text)
{
	char one[5];
	size_t at = 0, used, n;

	for (; *text; text += used) {
		n = escape_one(one, text, &used);
		if (n >= size - at)
			break;
		memcpy(buf + at, one, n);
		at += n;
	}
	buf[at] = '\0';
	return buf;
}

/* What is escaped has no newline, so every field is one line. */
static int send_entry(enum log_level level, enum log_event event, const char *message)
{
	const char *id = log_event_id(event);
	char entry[LINE_MAX_BYTES + 256];
	int n;

	/* The others are better off as lines: journald knows whose those are without looking. */
	if (!id || log_state.journal_fd < 0)
		return -ENOTCONN;
	n = snprintf(entry, sizeof(entry),
		     "PRIORITY=%d\nSYSLOG_IDENTIFIER=zhouyid\nMESSAGE_ID=%s\nMESSAGE=%s\n",
		     levels[level].priority, id, message);
	return journal_send(log_state.journal_fd, entry, (size_t)n);
}

static void write_line(enum log_level level, const char *message)
{
	char line[LINE_MAX_BYTES + 32];
	bool plain = level == LOG_LEVEL_INFO;
	int n;

	if (log_state.journal)
		n = snprintf(line, sizeof(line), "<%d>%s\n", levels[level].priority, message);
	else
		n = snprintf(line, sizeof(line), "zhouyid: %s%s%s\n",
			     plain ? "" : levels[level].name, plain ? "" : ": ", message);
	/* If standard error takes nothing there is nobody to tell. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

void log_print(enum log_level level, enum log_event event, const char *format, ...)
{
	char text[LINE_MAX_BYTES / 2], message[LINE_MAX_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_escape(message, sizeof(message), text);
	if (send_entry(level, event, message) < 0)
		write_line(level, message);
}
