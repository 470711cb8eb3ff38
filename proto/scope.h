/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locals that own something say so where they are declared and give it away with
 * zy_take(); every early return is then correct.
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define zy_auto(fn) __attribute__((cleanup(fn##_p)))
#define zy_take(p)                                                                                 \
	({                                                                                         \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})
#define zy_take_fd(fd)                                                                             \
	({                                                                                         \
		int taken_ = (fd);                                                                 \
		(fd) = -1;                                                                         \
		taken_;                                                                            \
	})

/* For a destructor `void fn(T *)` that accepts NULL: the cleanup behind zy_auto(fn). */
#define ZY_DEFINE_AUTO(T, fn)                                                                      \
	static inline void fn##_p(T **p)                                                           \
	{                                                                                          \
		if (*p)                                                                            \
			fn(*p);                                                                    \
	}

static inline void zy_free_p(void *p)
{
	free(*(void **)p);
}

static inline void zy_close_p(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
