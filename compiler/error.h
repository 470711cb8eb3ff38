/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a model is refused, in words for the person who has it.
 */
#pragma once

struct compile_error {
	char text[512];
};

/* Say why, cut to fit and with control characters replaced; returns @r, so that callers can return
 * it. */
int compile_error_set(struct compile_error *error, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
