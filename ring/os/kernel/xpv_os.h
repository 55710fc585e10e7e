/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The words ring/ is written in, as Linux modules spell them. */
#ifndef XPV_OS_H
#define XPV_OS_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/barrier.h>

/* Zeroed memory for tables, from process context; NULL when there is none. */
static inline void *xpv_alloc(size_t n, size_t size)
{
	return kvcalloc(n, size, GFP_KERNEL);
}

static inline void xpv_free(void *p)
{
	kvfree(p);
}

#endif
