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

#define LINE_MAX_BYTES 2048

static struct {
	enum log_level level;
	bool journal; /* reads our standard error */
} log_state = {.level = LOG_LEVEL_INFO};

static const struct {
	const char *name;
	int priority; /* of syslog(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", 3},
	[LOG_LEVEL_WARNING] = {"warning", 4},
	[LOG_LEVEL_INFO] = {"info", 6},
	[LOG_LEVEL_DEBUG] = {"debug", 7},
};

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
	log_state.level = level;
	log_state.journal = is_journal();
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
	return level <= log_state.level;
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

void log_print(enum log_level level, const char *format, ...)
{
	char text[LINE_MAX_BYTES / 2], line[LINE_MAX_BYTES + 32];
	size_t n = 0;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);

	if (log_state.journal)
		n = (size_t)snprintf(line, sizeof(line), "<%d>", levels[level].priority);
	else
		n = (size_t)snprintf(line, sizeof(line), "zhouyid: %s%s",
				     level == LOG_LEVEL_INFO ? "" : levels[level].name,
				     level == LOG_LEVEL_INFO ? "" : ": ");
	log_escape(line + n, LINE_MAX_BYTES, text);
	n += strlen(line + n);
	line[n++] = '\n';
	/* If standard error takes nothing there is nobody to tell. */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}
