/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The words ring/ is written in, on compiler atomics. */
#ifndef XPV_OS_H
#define XPV_OS_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define virt_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define virt_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
/* ThreadSanitizer does not model a fence; every index has its acquire and release besides. */
#define virt_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define barrier()		__asm__ __volatile__("" : : : "memory")

#define EXPORT_SYMBOL_GPL(s)	struct xpv_no_export_##s
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

/* Zeroed memory for tables; NULL when there is none. */
static inline void *xpv_alloc(size_t n, size_t size)
{
	return calloc(n, size);
}

static inline void xpv_free(void *p)
{
	free(p);
}

/* The peer runs on another CPU whatever this program was built for: say virt_*. */
#pragma GCC poison mb rmb wmb smp_mb smp_rmb smp_wmb

#endif
