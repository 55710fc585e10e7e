// SPDX-License-Identifier: GPL-2.0-only
/*
 * First fit over a bitmap. A piece of up to 64 pages lies within a word of it, a larger one takes
 * whole words: that wastes little, since the largest are a few words, and finds without loops over pages.
 */
#include "arena.h"

static u32 pages(u32 bytes)
{
	return (bytes + XPV_PAGE_SIZE - 1) / XPV_PAGE_SIZE;
}

static u64 ones(u32 n)
{
	return n < 64 ? (1ull << n) - 1 : ~0ull;
}

/* Bit i of the result: @n bits from i on are set in @free. */
static u64 runs(u64 free, u32 n)
{
	u32 have = 1;

	while (have < n) {
		u32 step = have < n - have ? have : n - have;

		free &= free >> step;
		have += step;
	}
	return free;
}

static void *alloc_words(struct arena *a, u32 words)
{
	u32 i, run = 0;

	for (i = 0; i < ARENA_WORDS; i++) {
		run = a->used[i] ? 0 : run + 1;
		if (run < words)
			continue;
		i -= words - 1;
		memset(&a->used[i], 0xff, words * sizeof(a->used[0]));
		return a->base + (size_t)i * 64 * XPV_PAGE_SIZE;
	}
	return NULL;
}

void *arena_alloc(struct arena *a, u32 bytes)
{
	u32 i, bit, n = pages(bytes);

	if (n > 64)
		return alloc_words(a, (n + 63) / 64);
	for (i = 0; i < ARENA_WORDS; i++) {
		u64 at = runs(~a->used[i], n);

		if (!at)
			continue;
		bit = (u32)__builtin_ctzll(at);
		a->used[i] |= ones(n) << bit;
		return a->base + (size_t)(i * 64 + bit) * XPV_PAGE_SIZE;
	}
	return NULL;
}

void arena_free(struct arena *a, void *piece, u32 bytes)
{
	u32 page = (u32)(((u8 *)piece - a->base) / XPV_PAGE_SIZE), n = pages(bytes);

	if (n > 64)
		memset(&a->used[page / 64], 0, (n + 63) / 64 * sizeof(a->used[0]));
	else
		a->used[page / 64] &= ~(ones(n) << page % 64);
}

bool arena_empty(const struct arena *a)
{
	u64 used = 0;
	u32 i;

	for (i = 0; i < ARENA_WORDS; i++)
		used |= a->used[i];
	return !used;
}
