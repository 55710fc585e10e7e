/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The words ring/ is written in, as steps of a model: found before the one of ring/os/user, from which it
 * takes all else. What is on the ring's page is read and written through memory.c, one access a step.
 */
#include_next <xpv_os.h>

#ifndef XPV_MODEL_OS_H
#define XPV_MODEL_OS_H

enum order { PLAIN, ORDERED };

u32 model_load(const void *at, size_t size, enum order order);
void model_store(void *at, size_t size, u32 value, enum order order);
void model_fence(void);
void model_copy(void *dst, const void *src, size_t n);

#undef READ_ONCE
#undef WRITE_ONCE
#undef virt_load_acquire
#undef virt_store_release
#undef virt_mb

#define READ_ONCE(x)		((__typeof__(x))model_load(&(x), sizeof(x), PLAIN))
#define WRITE_ONCE(x, v)	model_store(&(x), sizeof(x), (v), PLAIN)
#define virt_load_acquire(p)	((__typeof__(*(p)))model_load((p), sizeof(*(p)), ORDERED))
#define virt_store_release(p, v) model_store((p), sizeof(*(p)), (v), ORDERED)
#define virt_mb()		model_fence()
#define memcpy(dst, src, n)	model_copy((dst), (src), (n))

#endif
