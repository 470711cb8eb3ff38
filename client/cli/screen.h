/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A terminal as a whole screen, with keys: the few escape sequences that every terminal
 * of this century knows.
 *
 * There is one terminal and one set of signals in a process, so this is global: however
 * the process ends or is stopped, the terminal gets back what it was. Signals that end it
 * do so even while a call blocks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Whether standard output is such a terminal. */
bool screen_is_there(void);

void screen_begin(void);
/* Harmless if it has not begun. */
void screen_end(void);

struct screen_size {
	unsigned int columns, lines;
};
struct screen_size screen_size(void);

/*
 * Show @text, line by line, each cut to the width of the screen, from the top of it; and
 * in its last line @footer.
 */
void screen_show(const char *text, const char *footer);

/*
 * Wait for a key until @at_ns (CLOCK_MONOTONIC). Returns it; 0: the time has come; -1: the
 * screen has to be shown again, now.
 */
int screen_key(uint64_t at_ns);
