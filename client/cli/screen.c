/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/table.h"

#define MIN_COLUMNS 20u
#define MIN_LINES 4u

/* The alternate screen, without a cursor; and back. */
static const char enter_text[] = "\033[?1049h\033[?25l\033[H\033[2J";
static const char leave_text[] = "\033[?25h\033[?1049l";

static struct {
	bool active, has_keys;
	struct termios before, during;
	volatile sig_atomic_t changed; /* its size, or what is on it */
} screen;

bool screen_is_there(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && term[0] && strcmp(term, "dumb") != 0;
}

/*
 * In and out of it. What signal handlers may do, and nothing else.
 */

static void say(const char *text, size_t size)
{
	ssize_t n;

	while (size) {
		n = write(STDOUT_FILENO, text, size);
		if (n < 0 && errno != EINTR)
			return;
		text += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
}

static void enter(void)
{
	if (screen.has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &screen.during);
	say(enter_text, sizeof(enter_text) - 1);
	screen.changed = 1;
}

static void leave(void)
{
	say(leave_text, sizeof(leave_text) - 1);
	if (screen.has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
}

static void on_end(int signum)
{
	leave();
	signal(signum, SIG_DFL);
	/* It arrives when this returns, and ends the process as if we had not been there. */
	raise(signum);
}

static void on_stop(int signum)
{
	int before = errno;

	(void)signum;
	leave();
	raise(SIGSTOP);
	/* Later. */
	enter();
	errno = before;
}

/* Perhaps somebody stopped us without asking. */
static void on_continue(int signum)
{
	int before = errno;

	(void)signum;
	enter();
	errno = before;
}

static void on_resize(int signum)
{
	(void)signum;
	screen.changed = 1;
}

static void handle(int signum, void (*handler)(int signum))
{
	struct sigaction action = {.sa_handler = handler};

	sigfillset(&action.sa_mask);
	sigaction(signum, &action, NULL);
}

void screen_begin(void)
{
	screen.has_keys = tcgetattr(STDIN_FILENO, &screen.before) == 0;
	screen.during = screen.before;
	/* Keys that send signals go on doing so. */
	screen.during.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	screen.during.c_cc[VMIN] = 1;
	screen.during.c_cc[VTIME] = 0;
	screen.active = true;
	enter();
	handle(SIGINT, on_end);
	handle(SIGTERM, on_end);
	handle(SIGHUP, on_end);
	handle(SIGQUIT, on_end);
	handle(SIGTSTP, on_stop);
	handle(SIGCONT, on_continue);
	handle(SIGWINCH, on_resize);
}

void screen_end(void)
{
	static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};

	if (!screen.active)
		return;
	screen.active = false;
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		signal(caught[i], SIG_DFL);
	leave();
}

/*
 * On it
 */

struct screen_size screen_size(void)
{
	struct winsize size = {0};
	struct screen_size ret = {80, 24};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row)
		ret = (struct screen_size){size.ws_col, size.ws_row};
	if (ret.columns < MIN_COLUMNS)
		ret.columns = MIN_COLUMNS;
	if (ret.lines < MIN_LINES)
		ret.lines = MIN_LINES;
	return ret;
}

/* Writes one line of @text and returns what is behind it. */
static const char *show_line(FILE *out, const char *text, unsigned int columns)
{
	size_t n = strcspn(text, "\n");
	char *line = strndup(text, n);

	if (line)
		table_cut(out, line, columns);
	free(line);
	fputs("\033[K\n", out);
	return text[n] ? text + n + 1 : text + n;
}

void screen_show(const char *text, const char *footer)
{
	struct screen_size size;
	char *frame = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&frame, &n);

	if (!out)
		return;
	/* Before the size is read: what changes from now on is seen the next time. */
	screen.changed = 0;
	size = screen_size();
	fputs("\033[H", out);
	for (unsigned int i = 0; i + 1 < size.lines; i++)
		text = show_line(out, text, size.columns);
	/* Nothing behind it: the screen must not scroll. */
	fputs("\033[7m", out);
	table_cut(out, footer, size.columns);
	fputs("\033[0m\033[K", out);
	if (fclose(out) == 0)
		say(frame, n);
	free(frame);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int screen_key(uint64_t at_ns)
{
	uint64_t now = now_ns();
	uint64_t left = at_ns > now ? at_ns - now : 0;
	struct timespec timeout = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
	struct pollfd poll_in = {.fd = screen.has_keys ? STDIN_FILENO : -1, .events = POLLIN};
	unsigned char key;
	int r;

	if (screen.changed)
		return -1;
	r = ppoll(&poll_in, 1, &timeout, NULL);
	if (r < 0 || screen.changed)
		return -1;
	if (r == 0)
		return 0;
	if (read(STDIN_FILENO, &key, 1) == 1)
		return key;
	/* There will be no more. */
	screen.has_keys = false;
	return -1;
}
