/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/loop.h"

#define MS UINT64_C(1000000)

static int out[2];
static char line[4096];

/* What ends up on standard error from here to the call of said(). */
static void listen_to_stderr(void)
{
	cr_assert_eq(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	cr_assert_eq(dup2(out[1], STDERR_FILENO), STDERR_FILENO);
}

static const char *said(void)
{
	ssize_t n = read(out[0], line, sizeof(line) - 1);

	line[n < 0 ? 0 : n] = '\0';
	return line;
}

static const char *escaped(const char *text)
{
	static char buf[256];

	return log_escape(buf, sizeof(buf), text);
}

Test(log, a_line_is_one_line_whatever_is_in_it)
{
	listen_to_stderr();
	log_open(LOG_LEVEL_INFO);
	log_info("model '%s'", "x\nzhouyid: error: fire\r\033[31m");
	cr_assert_str_eq(said(), "zhouyid: model 'x\\x0azhouyid: error: fire\\x0d\\x1b[31m'\n");
}

Test(log, levels_beyond_the_chosen_one_are_silent)
{
	listen_to_stderr();
	log_open(LOG_LEVEL_WARNING);
	log_debug("no");
	log_info("no");
	cr_assert_str_eq(said(), "");
	log_warning("yes");
	cr_assert_str_eq(said(), "zhouyid: warning: yes\n");
	log_error("yes");
	cr_assert_str_eq(said(), "zhouyid: error: yes\n");
}

Test(log, a_line_that_is_too_long_is_cut)
{
	char text[5000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	listen_to_stderr();
	log_open(LOG_LEVEL_INFO);
	log_info("%s", text);
	said();
	cr_assert_gt(strlen(line), 500);
	cr_assert_lt(strlen(line), 2200);
	cr_assert_eq(line[strlen(line) - 1], '\n');
}

/* As if the journal had given us standard error. */
static void claim_stderr(void)
{
	struct stat st;
	char stream[64];

	cr_assert_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
}

Test(log, the_journal_gets_priorities)
{
	listen_to_stderr();
	claim_stderr();
	log_open_with(LOG_LEVEL_DEBUG, "/nonexistent");
	log_warning("w");
	cr_assert_str_eq(said(), "<4>w\n");
	log_debug("d");
	cr_assert_str_eq(said(), "<7>d\n");
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_open_with(LOG_LEVEL_DEBUG, "/nonexistent");
	log_info("i");
	cr_assert_str_eq(said(), "zhouyid: i\n");
}

/*
 * A journal of our own
 */

static char directory[] = "/tmp/zhouyi-log.XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int journal;

static void journal_start(void)
{
	cr_assert(mkdtemp(directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory);
	journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(journal, (struct sockaddr *)&address, sizeof(address)), 0);
	listen_to_stderr();
	claim_stderr();
	log_open_with(LOG_LEVEL_INFO, address.sun_path);
}

static void journal_stop(void)
{
	close(journal);
	unlink(address.sun_path);
	rmdir(directory);
}

static const char *entry(void)
{
	ssize_t n = recv(journal, line, sizeof(line) - 1, 0);

	line[n < 0 ? 0 : n] = '\0';
	return line;
}

Test(log, events_are_entries_of_the_journal_with_fields, .init = journal_start,
     .fini = journal_stop)
{
	char expected[256];

	log_event(LOG_LEVEL_ERROR, LOG_EVENT_DEVICE_GONE, "gone\nMESSAGE_ID=0");
	snprintf(expected, sizeof(expected),
		 "PRIORITY=3\nSYSLOG_IDENTIFIER=zhouyid\nMESSAGE_ID=%s\n"
		 "MESSAGE=gone\\x0aMESSAGE_ID=0\n",
		 log_event_id(LOG_EVENT_DEVICE_GONE));
	cr_expect_str_eq(entry(), expected);
	log_event(LOG_LEVEL_DEBUG, LOG_EVENT_READY, "no");
	cr_expect_str_eq(entry(), "", "the level counts");
	cr_expect_str_eq(said(), "", "nothing is said twice");
	log_warning("a line");
	cr_expect_str_eq(entry(), "");
	cr_expect_str_eq(said(), "<4>a line\n");
}

static void *read_later(void *arg)
{
	usleep(150000);
	entry();
	*(uint64_t *)arg = loop_now();
	return NULL;
}

Test(log, the_end_waits_until_the_journal_has_read_everything, .init = journal_start,
     .fini = journal_stop)
{
	uint64_t read_at = 0, before = loop_now();
	pthread_t reader;

	log_event(LOG_LEVEL_ERROR, LOG_EVENT_DEVICE_GONE, "gone");
	cr_assert_eq(pthread_create(&reader, NULL, read_later, &read_at), 0);
	log_close();
	cr_expect_gt(loop_now(), before + 200 * MS);
	cr_expect_lt(loop_now(), before + 2000 * MS);
	pthread_join(reader, NULL);
	/* Nobody reads: not for ever. */
	log_open_with(LOG_LEVEL_INFO, address.sun_path);
	log_event(LOG_LEVEL_ERROR, LOG_EVENT_DEVICE_GONE, "gone");
	before = loop_now();
	log_close();
	cr_expect_lt(loop_now(), before + 2000 * MS);
	log_event(LOG_LEVEL_ERROR, LOG_EVENT_DEVICE_GONE, "late");
	cr_expect_str_eq(said(), "<3>late\n", "what comes after it is a line");
}

Test(log, what_the_journal_does_not_take_is_written, .init = journal_start, .fini = journal_stop)
{
	char text[1000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	/* It does not read, so its socket fills. */
	for (int i = 0; i < 1000 && said()[0] == '\0'; i++)
		log_event(LOG_LEVEL_WARNING, LOG_EVENT_READY, "%s", text);
	cr_expect_eq(strncmp(line, "<4>xxx", 6), 0);
	while (entry()[0] != '\0')
		;
	log_event(LOG_LEVEL_WARNING, LOG_EVENT_READY, "again");
	cr_expect(strstr(entry(), "MESSAGE=again\n"));
	close(journal);
	log_event(LOG_LEVEL_WARNING, LOG_EVENT_READY, "nobody");
	cr_expect_str_eq(said(), "<4>nobody\n");
	journal = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

Test(log, events_have_identifiers_and_the_catalog_knows_them_all)
{
	FILE *catalog = fopen("systemd/zhouyid.catalog", "re");
	size_t n_known = 0;

	cr_assert(catalog);
	cr_expect_null(log_event_id(LOG_EVENT_NONE));
	while (fgets(line, sizeof(line), catalog)) {
		bool known = false;

		if (strncmp(line, "-- ", 3) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		for (int i = LOG_EVENT_NONE + 1; i < LOG_EVENT_MAX_; i++)
			known |= strcmp(log_event_id((enum log_event)i), line + 3) == 0;
		cr_expect(known, "%s is none of ours", line);
		n_known += known;
	}
	fclose(catalog);
	cr_expect_eq(n_known, LOG_EVENT_MAX_ - 1);
	for (int i = LOG_EVENT_NONE + 1; i < LOG_EVENT_MAX_; i++)
		for (int j = LOG_EVENT_NONE + 1; j < i; j++)
			cr_expect_str_neq(log_event_id((enum log_event)i),
					  log_event_id((enum log_event)j));
}

Test(log, printable_text_stays_as_it_is)
{
	cr_expect_str_eq(escaped("plain text, 100 %"), "plain text, 100 %");
	cr_expect_str_eq(escaped("K\xc3\xa4mera \xe7\x8c\xab \xf0\x9f\x90\x88"),
			 "K\xc3\xa4mera \xe7\x8c\xab \xf0\x9f\x90\x88");
	cr_expect_str_eq(escaped("a\\x0a"), "a\\\\x0a", "so that an escape cannot be forged");
}

Test(log, what_is_no_utf8_or_steers_a_terminal_is_escaped)
{
	cr_expect_str_eq(escaped("\x7f"), "\\x7f");
	cr_expect_str_eq(escaped("\xc2\x9b"), "\\xc2\\x9b", "C1");
	cr_expect_str_eq(escaped("\xc0\xaf"), "\\xc0\\xaf", "overlong");
	cr_expect_str_eq(escaped("\xe0\x80\xaf"), "\\xe0\\x80\\xaf", "overlong");
	cr_expect_str_eq(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80", "surrogate");
	cr_expect_str_eq(escaped("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80", "too large");
	cr_expect_str_eq(escaped("\xe7\x8c"), "\\xe7\\x8c", "cut off");
	cr_expect_str_eq(escaped("\xff"), "\\xff");
	cr_expect_str_eq(escaped("\xe2\x80\xae"), "\\xe2\\x80\\xae", "right to left override");
}

Test(log, escaping_never_writes_past_the_end_and_never_cuts_a_character)
{
	char buf[8];

	memset(buf, '#', sizeof(buf));
	cr_expect_str_eq(log_escape(buf, 5, "ab\n"), "ab");
	cr_expect_eq(buf[5], '#');
	cr_expect_str_eq(log_escape(buf, 1, "ab"), "");
	cr_expect_str_eq(log_escape(buf, 4, "a\xe7\x8c\xab"), "a");
	cr_expect_str_eq(log_escape(buf, 5, "a\xe7\x8c\xab"), "a\xe7\x8c\xab");
}
