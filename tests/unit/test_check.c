// SPDX-License-Identifier: GPL-2.0-only
/* Every verdict on a block request. */
#include <xpv/blkif.h>
#include "test.h"

#define CAPACITY	1000u
#define HUGE		0xffffffffffffffffull

static const struct xpv_blk_limits disk = {
	.capacity = CAPACITY, .max_segs = XPV_BLK_MAX_SEGS, .block_sectors = 1,
	.flush = true, .barrier = true, .discard = true, .secure_erase = true,
};
static const struct xpv_blk_limits plain = { .capacity = CAPACITY, .block_sectors = 1 };
static const struct xpv_blk_limits readonly = {
	.capacity = CAPACITY, .max_segs = XPV_BLK_MAX_SEGS, .block_sectors = 1, .readonly = true,
	.flush = true, .barrier = true, .discard = true,
};
static const struct xpv_blk_limits large = {
	.capacity = CAPACITY, .max_segs = 32, .block_sectors = 8,
	.flush = true, .barrier = true, .discard = true,
};
static const struct xpv_blk_limits small = { .capacity = 5, .block_sectors = 1, .discard = true };
static const struct xpv_blk_limits none = { .capacity = 0, .block_sectors = 1, .discard = true };
/* Sums of sector and length that wrap past 2^64 lie within this one. */
static const struct xpv_blk_limits endless = {
	.capacity = HUGE, .block_sectors = 1, .discard = true,
};

#define R XPV_BLK_READ
#define W XPV_BLK_WRITE
#define B XPV_BLK_BARRIER
#define F XPV_BLK_FLUSH
#define D XPV_BLK_DISCARD

/* Requests whose segments, @segs times { @first, @last }, lie in the slot. */
static const struct {
	const struct xpv_blk_limits *lim;
	u8 op;
	u16 segs;
	u8 first, last;
	u64 sector;
	int want;
	u64 nr_sectors;		/* if want is 0 */
} direct[] = {
	{ &disk, R, 1, 0, 7, 0, 0, 8 },
	{ &disk, W, 1, 0, 7, 0, 0, 8 },
	{ &disk, R, 1, 0, 0, 0, 0, 1 },
	{ &disk, R, 1, 7, 7, 0, 0, 1 },
	{ &disk, W, 11, 0, 7, 0, 0, 88 },
	{ &disk, W, 11, 3, 4, 0, 0, 22 },

	/* number of segments */
	{ &disk, R, 0, 0, 7, 0, -EINVAL, 0 },
	{ &disk, W, 0, 0, 7, 0, -EINVAL, 0 },
	{ &disk, R, 12, 0, 7, 0, -EINVAL, 0 },
	{ &disk, W, 12, 0, 7, 0, -EINVAL, 0 },
	{ &disk, R, 255, 0, 7, 0, -EINVAL, 0 },

	/* a segment's own bounds */
	{ &disk, R, 1, 4, 3, 0, -EINVAL, 0 },
	{ &disk, R, 1, 7, 0, 0, -EINVAL, 0 },
	{ &disk, R, 1, 0, 8, 0, -EINVAL, 0 },
	{ &disk, R, 1, 8, 8, 0, -EINVAL, 0 },
	{ &disk, R, 1, 0, 255, 0, -EINVAL, 0 },
	{ &disk, R, 1, 255, 255, 0, -EINVAL, 0 },
	{ &disk, R, 1, 255, 0, 0, -EINVAL, 0 },

	/* the end of the device */
	{ &disk, R, 1, 0, 7, CAPACITY - 8, 0, 8 },
	{ &disk, R, 1, 0, 7, CAPACITY - 7, -ERANGE, 0 },
	{ &disk, W, 1, 0, 0, CAPACITY - 1, 0, 1 },
	{ &disk, W, 1, 0, 0, CAPACITY, -ERANGE, 0 },
	{ &disk, W, 1, 0, 0, HUGE, -ERANGE, 0 },
	{ &disk, W, 1, 0, 7, HUGE - 7, -ERANGE, 0 },
	{ &disk, W, 1, 0, 7, HUGE - 6, -ERANGE, 0 },
	{ &disk, R, 1, 0, 7, 0x8000000000000000ull, -ERANGE, 0 },
	{ &small, R, 1, 0, 4, 0, 0, 5 },
	{ &small, R, 1, 0, 5, 0, -ERANGE, 0 },
	{ &none, R, 1, 0, 0, 0, -ERANGE, 0 },
	{ &endless, W, 1, 0, 7, HUGE - 8, 0, 8 },
	{ &endless, W, 1, 0, 7, HUGE - 7, -ERANGE, 0 },
	{ &endless, W, 1, 0, 7, HUGE, -ERANGE, 0 },

	/* read-only */
	{ &readonly, R, 1, 0, 7, 0, 0, 8 },
	{ &readonly, W, 1, 0, 7, 0, -EROFS, 0 },
	{ &readonly, W, 0, 0, 7, 0, -EROFS, 0 },
	{ &readonly, F, 0, 0, 0, 0, 0, 0 },
	{ &readonly, F, 1, 0, 7, 0, -EROFS, 0 },
	{ &readonly, B, 0, 0, 0, 0, 0, 0 },
	{ &readonly, B, 1, 0, 7, 0, -EROFS, 0 },

	/* flush and barrier, with and without data */
	{ &disk, F, 0, 0, 0, 0, 0, 0 },
	{ &disk, F, 0, 0, 0, HUGE, 0, 0 },
	{ &disk, F, 2, 0, 7, 0, 0, 16 },
	{ &disk, F, 11, 0, 7, CAPACITY - 88, 0, 88 },
	{ &disk, F, 11, 0, 7, CAPACITY - 87, -ERANGE, 0 },
	{ &disk, F, 12, 0, 7, 0, -EINVAL, 0 },
	{ &disk, F, 1, 5, 4, 0, -EINVAL, 0 },
	{ &disk, B, 0, 0, 0, 0, 0, 0 },
	{ &disk, B, 1, 0, 7, 0, 0, 8 },
	{ &disk, B, 12, 0, 7, 0, -EINVAL, 0 },
	{ &disk, B, 1, 0, 7, CAPACITY, -ERANGE, 0 },
	{ &plain, F, 0, 0, 0, 0, -EOPNOTSUPP, 0 },
	{ &plain, F, 1, 0, 7, 0, -EOPNOTSUPP, 0 },
	{ &plain, B, 0, 0, 0, 0, -EOPNOTSUPP, 0 },
	{ &plain, B, 1, 0, 7, 0, -EOPNOTSUPP, 0 },

	/* whole blocks of 4096 */
	{ &large, R, 1, 0, 7, 0, 0, 8 },
	{ &large, R, 1, 0, 7, 992, 0, 8 },
	{ &large, R, 1, 0, 7, 1000, -ERANGE, 0 },
	{ &large, R, 1, 0, 7, 4, -EINVAL, 0 },
	{ &large, R, 1, 0, 7, 1, -EINVAL, 0 },
	{ &large, R, 1, 0, 6, 8, -EINVAL, 0 },
	{ &large, W, 1, 1, 7, 8, -EINVAL, 0 },
	{ &large, W, 2, 0, 3, 8, -EINVAL, 0 },
	{ &large, W, 2, 0, 7, 8, 0, 16 },
	{ &large, F, 1, 0, 3, 0, -EINVAL, 0 },

	/* no operations */
	{ &disk, 4, 1, 0, 7, 0, -EOPNOTSUPP, 0 },
	{ &disk, 6, 1, 0, 7, 0, -EOPNOTSUPP, 0 },
	{ &disk, 7, 1, 0, 7, 0, -EOPNOTSUPP, 0 },
	{ &disk, 255, 1, 0, 7, 0, -EOPNOTSUPP, 0 },
	{ &readonly, 4, 0, 0, 0, 0, -EOPNOTSUPP, 0 },
};

static void direct_requests(void **state)
{
	u32 i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(direct); i++) {
		struct xpv_blk_req req = {
			.op = direct[i].op,
			.nr_segs = direct[i].segs, .sector = direct[i].sector,
		};
		int got;

		for (j = 0; j < XPV_BLK_DIRECT_SEGS; j++) {
			req.seg[j].first = direct[i].first;
			req.seg[j].last = direct[i].last;
		}
		got = xpv_blk_check(&req, direct[i].lim);
		if (got != direct[i].want)
			ROW_FAILED("row %u: %d, not %d", i, got, direct[i].want);
		if (!got && req.nr_sectors != direct[i].nr_sectors)
			ROW_FAILED("row %u: %llu sectors", i, (unsigned long long)req.nr_sectors);
	}
}

/* A bad one among good ones, at each place. */
static void no_segment_escapes_the_check(void **state)
{
	u32 bad, i;

	(void)state;
	for (bad = 0; bad < XPV_BLK_DIRECT_SEGS; bad++) {
		struct xpv_blk_req req = { .op = XPV_BLK_WRITE, .nr_segs = XPV_BLK_DIRECT_SEGS };

		for (i = 0; i < XPV_BLK_DIRECT_SEGS; i++)
			req.seg[i].last = 7;
		assert_int_equal(xpv_blk_check(&req, &disk), 0);
		req.seg[bad].last = 8;
		assert_int_equal(xpv_blk_check(&req, &disk), -EINVAL);
		/* Beyond those the request has, nobody looks. */
		req.nr_segs = (u16)bad;
		assert_int_equal(xpv_blk_check(&req, &disk), bad ? 0 : -EINVAL);
	}
}

static const struct {
	const struct xpv_blk_limits *lim;
	u64 sector, nr_sectors;
	int want;
} discards[] = {
	{ &disk, 0, 1, 0 },
	{ &disk, 0, CAPACITY, 0 },
	{ &disk, 0, CAPACITY + 1, -ERANGE },
	{ &disk, 1, CAPACITY, -ERANGE },
	{ &disk, CAPACITY - 1, 1, 0 },
	{ &disk, CAPACITY, 1, -ERANGE },
	{ &disk, 0, 0, -EINVAL },
	{ &disk, 0, HUGE, -ERANGE },
	{ &disk, HUGE, HUGE, -ERANGE },
	{ &disk, HUGE, 2, -ERANGE },
	{ &disk, 2, HUGE, -ERANGE },
	{ &disk, 0x8000000000000000ull, 0x8000000000000000ull, -ERANGE },
	{ &endless, 0, HUGE, 0 },
	{ &endless, 1, HUGE, -ERANGE },
	{ &endless, HUGE, 1, -ERANGE },
	{ &small, 0, 6, -ERANGE },
	{ &none, 0, 1, -ERANGE },
	{ &large, 8, 16, 0 },
	{ &large, 8, 15, -EINVAL },
	{ &large, 4, 16, -EINVAL },
	{ &plain, 0, 1, -EOPNOTSUPP },
	{ &plain, 0, 0, -EOPNOTSUPP },
	{ &readonly, 0, 1, -EROFS },
	{ &readonly, 0, 0, -EROFS },
};

static void discard_requests(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(discards); i++) {
		struct xpv_blk_req req = {
			.op = XPV_BLK_DISCARD, .sector = discards[i].sector,
			.nr_sectors = discards[i].nr_sectors,
		};
		int got = xpv_blk_check(&req, discards[i].lim);

		if (got != discards[i].want)
			ROW_FAILED("row %u: %d, not %d", i, got, discards[i].want);
		assert_true(req.nr_sectors == discards[i].nr_sectors);
	}
}

/* Never a plain discard in place of a secure one. The other flags mean nothing yet. */
static void secure_discards(void **state)
{
	static const struct {
		const struct xpv_blk_limits *lim;
		u8 flags;
		int want;
	} t[] = {
		{ &disk, 1, 0 }, { &disk, 0xff, 0 }, { &disk, 2, 0 },
		{ &large, 1, -EOPNOTSUPP }, { &large, 0xff, -EOPNOTSUPP }, { &large, 2, 0 },
		{ &plain, 1, -EOPNOTSUPP }, { &readonly, 1, -EOPNOTSUPP }, { &readonly, 0, -EROFS },
	};
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct xpv_blk_req req = {
			.op = XPV_BLK_DISCARD, .nr_sectors = 8, .flags = t[i].flags,
		};
		int got = xpv_blk_check(&req, t[i].lim);

		if (got != t[i].want)
			ROW_FAILED("row %u: %d, not %d", i, got, t[i].want);
	}
}

/* The request itself; its segments are not there yet. */
static const struct {
	const struct xpv_blk_limits *lim;
	u8 op;
	u16 segs;
	int want;
} indirect[] = {
	{ &disk, R, 1, 0 },
	{ &disk, W, 1, 0 },
	{ &disk, R, 12, 0 },
	{ &disk, R, 256, 0 },
	{ &disk, W, 256, 0 },
	{ &disk, R, 257, -EINVAL },
	{ &disk, W, 65535, -EINVAL },
	{ &disk, R, 0, -EINVAL },
	{ &large, R, 32, 0 },
	{ &large, R, 33, -EINVAL },
	{ &plain, R, 1, -EOPNOTSUPP },
	{ &plain, W, 256, -EOPNOTSUPP },
	{ &readonly, R, 256, 0 },
	{ &readonly, W, 256, -EROFS },
	{ &disk, B, 1, -EINVAL },
	{ &disk, F, 1, -EINVAL },
	{ &disk, F, 0, -EINVAL },
	{ &disk, D, 1, -EINVAL },
	{ &disk, 4, 1, -EINVAL },
	{ &disk, 6, 1, -EINVAL },
	{ &disk, 255, 1, -EINVAL },
	{ &plain, F, 1, -EINVAL },
};

static void indirect_requests(void **state)
{
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(indirect); i++) {
		struct xpv_blk_req req = {
			.op = indirect[i].op,
			.nr_segs = indirect[i].segs, .indirect = true,
			/* What would be segments of a direct request is not looked at. */
			.ind = { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
		};
		int got = xpv_blk_check(&req, indirect[i].lim);

		if (got != indirect[i].want)
			ROW_FAILED("row %u: %d, not %d", i, got, indirect[i].want);
	}
}

static void indirect_segments(void **state)
{
	struct xpv_blk_seg seg[XPV_BLK_MAX_SEGS];
	struct xpv_blk_limits lim = disk;
	struct xpv_blk_req req = { .op = XPV_BLK_READ, .indirect = true };
	u32 n, i;

	(void)state;
	memset(seg, 0, sizeof(seg));
	for (i = 0; i < XPV_BLK_MAX_SEGS; i++)
		seg[i].last = 7;
	for (n = 1; n <= XPV_BLK_MAX_SEGS; n++) {
		req.nr_segs = (u16)n;
		lim.capacity = 8 * n + 3;
		req.sector = 3;
		assert_int_equal(xpv_blk_check_segs(&req, seg, n, &lim), 0);
		assert_true(req.nr_sectors == 8 * n);
		req.sector = 4;
		assert_int_equal(xpv_blk_check_segs(&req, seg, n, &lim), -ERANGE);
		req.sector = HUGE - 8 * n + 1;
		assert_int_equal(xpv_blk_check_segs(&req, seg, n, &lim), -ERANGE);
		req.sector = 0;
		seg[n - 1].first = 7;
		seg[n - 1].last = 6;
		assert_int_equal(xpv_blk_check_segs(&req, seg, n, &lim), -EINVAL);
		seg[n - 1].first = 0;
		seg[n - 1].last = 8;
		assert_int_equal(xpv_blk_check_segs(&req, seg, n, &lim), -EINVAL);
		seg[n - 1].last = 7;
	}
	assert_int_equal(xpv_blk_check_segs(&req, seg, 0, &disk), -EINVAL);

}

/* Segments { first, last } on a disk of 4096 that copes with blocks in pages that join. */
static const struct {
	u32 n;
	u8 at[4][2];
	u64 sector;
	bool joined, apart;	/* allowed if it does, and if it does not */
} blocks[] = {
	{ 2, { { 0, 7 }, { 0, 7 } }, 8, true, true },
	{ 1, { { 0, 3 } }, 8, false, false },
	{ 1, { { 1, 7 } }, 8, false, false },
	/* a buffer that begins within a page */
	{ 2, { { 3, 7 }, { 0, 2 } }, 8, true, false },
	{ 2, { { 3, 7 }, { 0, 2 } }, 4, false, false },
	{ 3, { { 1, 7 }, { 0, 7 }, { 0, 0 } }, 16, true, false },
	{ 4, { { 7, 7 }, { 0, 7 }, { 0, 7 }, { 0, 6 } }, 0, true, false },
	/* two of them */
	{ 4, { { 3, 7 }, { 0, 2 }, { 6, 7 }, { 0, 5 } }, 0, true, false },
	{ 3, { { 0, 7 }, { 5, 7 }, { 0, 4 } }, 0, true, false },
	/* the sum is whole, the pages do not join */
	{ 2, { { 0, 3 }, { 4, 7 } }, 8, false, false },
	{ 2, { { 0, 3 }, { 0, 3 } }, 8, false, false },
	{ 2, { { 4, 7 }, { 4, 7 } }, 8, false, false },
	{ 3, { { 3, 7 }, { 0, 6 }, { 0, 3 } }, 8, false, false },
	{ 3, { { 3, 7 }, { 1, 7 }, { 0, 3 } }, 8, false, false },
	{ 4, { { 3, 7 }, { 0, 2 }, { 6, 6 }, { 0, 6 } }, 0, false, false },
	/* the pages join, the sum is not whole */
	{ 2, { { 3, 7 }, { 0, 1 } }, 8, false, false },
	{ 2, { { 0, 7 }, { 0, 1 } }, 8, false, false },
};

static void blocks_across_segments(void **state)
{
	struct xpv_blk_limits joined = large;
	u32 i, j;

	(void)state;
	joined.blocks_join = true;
	for (i = 0; i < ARRAY_SIZE(blocks); i++) {
		struct xpv_blk_req req = {
			.op = XPV_BLK_READ, .sector = blocks[i].sector, .nr_segs = (u16)blocks[i].n,
		};

		for (j = 0; j < blocks[i].n; j++) {
			req.seg[j].first = blocks[i].at[j][0];
			req.seg[j].last = blocks[i].at[j][1];
		}
		if (xpv_blk_check(&req, &joined) != (blocks[i].joined ? 0 : -EINVAL))
			ROW_FAILED("row %u: wrong where blocks join%s", i, "");
		if (xpv_blk_check(&req, &large) != (blocks[i].apart ? 0 : -EINVAL))
			ROW_FAILED("row %u: wrong where they do not%s", i, "");
		/* To blocks of 512 all of this is whole. */
		assert_int_equal(xpv_blk_check(&req, &disk), 0);
	}
}

static void an_errno_has_its_status(void **state)
{
	static const struct {
		int err;
		s16 status;
	} t[] = {
		{ 0, 0 }, { -EOPNOTSUPP, -2 }, { -EIO, -1 }, { -EINVAL, -1 }, { -ERANGE, -1 },
		{ -EROFS, -1 }, { -ENOMEM, -1 }, { -ENOSPC, -1 },
	};
	u32 i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(xpv_blk_status(t[i].err), t[i].status);
}

/* Whole blocks of a larger size are what a disk with such blocks would take. */
static void whole_blocks_are_what_a_disk_of_them_takes(void **state)
{
	static const u8 firsts[] = { 0, 1, 4 }, lasts[] = { 3, 6, 7 };
	struct xpv_blk_limits blocks = disk;
	u32 i, j, sector, join;

	(void)state;
	blocks.block_sectors = 8;
	for (i = 0; i < 9 * 9; i++)
		for (sector = 0; sector < 16; sector++)
			for (join = 0; join < 2; join++) {
				struct xpv_blk_req req = { .op = W, .nr_segs = 2, .sector = sector };

				blocks.blocks_join = join;
				for (j = 0; j < 2; j++) {
					u32 which = j ? i / 9 : i % 9;

					req.seg[j].first = firsts[which / 3];
					req.seg[j].last = lasts[which % 3];
				}
				if (xpv_blk_check(&req, &disk))
					continue;
				assert_int_equal(xpv_blk_whole(&req, req.seg, &blocks),
						 !xpv_blk_check(&req, &blocks));
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(direct_requests),
		cmocka_unit_test(no_segment_escapes_the_check),
		cmocka_unit_test(discard_requests),
		cmocka_unit_test(secure_discards),
		cmocka_unit_test(indirect_requests),
		cmocka_unit_test(indirect_segments),
		cmocka_unit_test(blocks_across_segments),
		cmocka_unit_test(whole_blocks_are_what_a_disk_of_them_takes),
		cmocka_unit_test(an_errno_has_its_status),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
