/* SPDX-License-Identifier: MIT */
/*
 * The few things the software NPU needs from its surroundings. It is
 * freestanding C11: no libc, no allocation, no float; the same files are
 * compiled into user space and into a kernel module.
 */
#pragma once

#ifdef __KERNEL__
#include <linux/limits.h>
#include <linux/string.h>
#include <linux/types.h>
typedef s8 int8_t;
typedef s16 int16_t;
typedef s32 int32_t;
typedef s64 int64_t;
#ifndef UINT32_MAX
#define UINT32_MAX U32_MAX
#endif
#ifndef UINT64_MAX
#define UINT64_MAX U64_MAX
#endif
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The compiler may call these even in freestanding code; every host has them. */
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memset(void *dst, int c, size_t n);
#endif

#define NPU_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
