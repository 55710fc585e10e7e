/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory that a queue's requests pass through: pieces of whole pages, each contiguous, out of one
 * block that the kernel has been shown in advance. One thread's.
 */
#ifndef XPV_BLKD_ARENA_H
#define XPV_BLKD_ARENA_H

#include <xpv/ring.h>

#include "store.h"

#define ARENA_WORDS	16u
#define ARENA_PAGES	(64 * ARENA_WORDS)
#define ARENA_BYTES	((size_t)ARENA_PAGES * XPV_PAGE_SIZE)

struct arena {
	struct arena *next;
	u8 *base;
	int registered;		/* its number as a registered buffer, -1 for none */
	struct worker *worker;
	struct event gone;	/* the kernel has let go of it */
	u64 used[ARENA_WORDS];	/* a bit for each page */
};

/* @bytes (at least 1) at the beginning of a page; NULL when there is no such piece. */
void *arena_alloc(struct arena *a, u32 bytes);

/* What arena_alloc() gave for as many @bytes. */
void arena_free(struct arena *a, void *piece, u32 bytes);

bool arena_empty(const struct arena *a);

#endif
