/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests that run in a guest, in the manner of Criterion: a test is a function with a
 * sentence for a name, runs in a process of its own with a time limit, and fails by
 * calling check(). TAP goes to stdout.
 *
 *	TEST(a_buffer_is_zeroed)
 *	{
 *		check(…);
 *	}
 *
 * TEST_QUIET is for what a user may do wrong: it also fails if the kernel logs a line.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct test {
	const char *name;
	void (*run)(void);
	bool quiet;
	struct test *next;
};

void test_register(struct test *test);

#define TEST_DEFINE_(ident, is_quiet)                                                              \
	static void run_##ident(void);                                                             \
	static struct test test_##ident = {#ident, run_##ident, is_quiet, NULL};                   \
	__attribute__((constructor)) static void register_##ident(void)                            \
	{                                                                                          \
		test_register(&test_##ident);                                                      \
	}                                                                                          \
	static void run_##ident(void)
#define TEST(ident) TEST_DEFINE_(ident, false)
#define TEST_QUIET(ident) TEST_DEFINE_(ident, true)

/* End this test, failed. */
_Noreturn void test_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* End this test, skipped. */
_Noreturn void test_skip(const char *reason);

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			test_fail(__FILE__, __LINE__, "%s (errno: %s)", #condition,                \
				  strerror(errno));                                                \
	} while (0)
#define check_eq(a, b)                                                                             \
	do {                                                                                       \
		long long a_ = (long long)(a), b_ = (long long)(b);                                \
		if (a_ != b_)                                                                      \
			test_fail(__FILE__, __LINE__, "%s is %lld (%#llx), not %s = %lld", #a, a_, \
				  a_, #b, b_);                                                     \
	} while (0)

/* Called after a test has failed, in the parent; a program may define it. */
void test_after_failure(void) __attribute__((weak));

/* usage: PROGRAM [PATTERN]: run the tests whose names contain the pattern. */
int test_main(int argc, char **argv);
