// SPDX-License-Identifier: GPL-2.0-only
/* Pieces of memory for requests: never the same twice, and all there again in the end. */
#include "test.h"

#include <arena.h>

static struct arena arena;

static int fresh(void **state)
{
	(void)state;
	memset(&arena, 0, sizeof(arena));
	/* Never touched: only where pieces lie matters. */
	arena.base = (u8 *)0x10000000;
	return 0;
}

static void sizes_fit(void **state)
{
	static const u32 pages[] = { 1, 2, 3, 11, 32, 63, 64, 65, 128, 129, 256, 257 };
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		u32 bytes = pages[i] * XPV_PAGE_SIZE - 512, n = 0;
		void *piece[ARENA_PAGES + 1];

		while ((piece[n] = arena_alloc(&arena, bytes)))
			n++;
		assert_int_equal(n, pages[i] > 64 ? ARENA_WORDS / ((pages[i] + 63) / 64) : 64 / pages[i] * ARENA_WORDS);
		assert_false(arena_empty(&arena));
		while (n)
			arena_free(&arena, piece[--n], bytes);
		assert_true(arena_empty(&arena));
	}
}

static void pieces_are_apart(void **state)
{
	static u8 owner[ARENA_PAGES];
	struct { u8 *at; u32 bytes; } piece[100] = { 0 };
	u32 round, i, k, seed = 1, given = 0;

	(void)state;
	memset(owner, 0xff, sizeof(owner));
	for (round = 0; round < 100000; round++) {
		seed = seed * 1664525u + 1013904223u;
		i = (seed >> 16) % ARRAY_SIZE(piece);
		if (piece[i].at) {
			for (k = 0; k < (piece[i].bytes + 4095) / 4096; k++)
				owner[(piece[i].at - arena.base) / 4096 + k] = 0xff;
			arena_free(&arena, piece[i].at, piece[i].bytes);
			piece[i].at = NULL;
			continue;
		}
		piece[i].bytes = 1 + (seed >> 8) % (seed & 1 ? 65536 : 1u << 20);
		piece[i].at = arena_alloc(&arena, piece[i].bytes);
		if (!piece[i].at)
			continue;
		given++;
		assert_true(piece[i].at + piece[i].bytes <= arena.base + ARENA_BYTES);
		for (k = 0; k < (piece[i].bytes + 4095) / 4096; k++) {
			u8 *mine = &owner[(piece[i].at - arena.base) / 4096 + k];

			assert_int_equal(*mine, 0xff);
			*mine = (u8)i;
		}
	}
	assert_true(given > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sizes_fit, fresh),
		cmocka_unit_test_setup(pieces_are_apart, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
