// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Which block requests may be carried out. */
#include <xpv/blkif.h>

#define LAST_SECTOR_OF_PAGE	7u

/* The segments' own bounds; returns the sectors they hold, 0 if one of them is none. */
static u64 sum(const struct xpv_blk_seg *seg, u32 n)
{
	u64 sectors = 0;
	u32 i;

	for (i = 0; i < n; i++) {
		if (seg[i].first > seg[i].last || seg[i].last > LAST_SECTOR_OF_PAGE)
			return 0;
		sectors += seg[i].last - seg[i].first + 1u;
	}
	return sectors;
}

/* Whole blocks that lie on the device. Written so that no sum can overflow. */
static int check_range(u64 sector, u64 n, const struct xpv_blk_limits *lim)
{
	if ((sector | n) & (lim->block_sectors - 1))
		return -EINVAL;
	if (n > lim->capacity || sector > lim->capacity - n)
		return -ERANGE;
	return 0;
}

/*
 * A disk may have to split a request at any segment, but can't within a block. Where pages
 * join it has no reason to, if it takes all of a block's pages at once.
 */
static int check_blocks(const struct xpv_blk_seg *seg, u32 n, const struct xpv_blk_limits *lim)
{
	u32 i, sectors = 0;

	if (likely(lim->block_sectors == 1))
		return 0;
	for (i = 0; i + 1 < n; i++) {
		sectors += seg[i].last - seg[i].first + 1u;
		if (!(sectors & (lim->block_sectors - 1)))
			continue;
		if (!lim->blocks_join || seg[i].last != LAST_SECTOR_OF_PAGE || seg[i + 1].first)
			return -EINVAL;
	}
	return 0;
}

bool xpv_blk_whole(const struct xpv_blk_req *req, const struct xpv_blk_seg *seg,
		   const struct xpv_blk_limits *lim)
{
	return !((req->sector | req->nr_sectors) & (lim->block_sectors - 1)) &&
	       !check_blocks(seg, req->nr_segs, lim);
}
EXPORT_SYMBOL_GPL(xpv_blk_whole);

int xpv_blk_check_segs(struct xpv_blk_req *req, const struct xpv_blk_seg *seg, u32 n,
		       const struct xpv_blk_limits *lim)
{
	req->nr_sectors = sum(seg, n);
	if (!req->nr_sectors || check_blocks(seg, n, lim))
		return -EINVAL;
	return check_range(req->sector, req->nr_sectors, lim);
}
EXPORT_SYMBOL_GPL(xpv_blk_check_segs);

static int check_data(struct xpv_blk_req *req, const struct xpv_blk_limits *lim)
{
	if (req->op == XPV_BLK_WRITE && lim->readonly)
		return -EROFS;
	if (req->indirect) {
		if (!lim->max_segs)
			return -EOPNOTSUPP;
		return req->nr_segs && req->nr_segs <= lim->max_segs ? 0 : -EINVAL;
	}
	if (!req->nr_segs || req->nr_segs > XPV_BLK_DIRECT_SEGS)
		return -EINVAL;
	return xpv_blk_check_segs(req, req->seg, req->nr_segs, lim);
}

/* A flush may bring data to write before or behind it; with none it is just that. */
static int check_flush(struct xpv_blk_req *req, bool offered, const struct xpv_blk_limits *lim)
{
	if (!offered)
		return -EOPNOTSUPP;
	if (!req->nr_segs)
		return 0;
	if (lim->readonly)
		return -EROFS;
	if (req->nr_segs > XPV_BLK_DIRECT_SEGS)
		return -EINVAL;
	return xpv_blk_check_segs(req, req->seg, req->nr_segs, lim);
}

/* Less than the guest asked for would be worse than nothing: it may have asked for secrecy. */
static int check_discard(const struct xpv_blk_req *req, const struct xpv_blk_limits *lim)
{
	if (!lim->discard || (req->flags & XPV_BLK_DISCARD_SECURE && !lim->secure_erase))
		return -EOPNOTSUPP;
	if (lim->readonly)
		return -EROFS;
	return req->nr_sectors ? check_range(req->sector, req->nr_sectors, lim) : -EINVAL;
}

int xpv_blk_check(struct xpv_blk_req *req, const struct xpv_blk_limits *lim)
{
	/* Only data is ever moved through pages of segments. */
	if (req->indirect && req->op != XPV_BLK_READ && req->op != XPV_BLK_WRITE)
		return -EINVAL;

	switch (req->op) {
	case XPV_BLK_READ:
	case XPV_BLK_WRITE:
		return check_data(req, lim);
	case XPV_BLK_FLUSH:
		return check_flush(req, lim->flush, lim);
	case XPV_BLK_BARRIER:
		return check_flush(req, lim->barrier, lim);
	case XPV_BLK_DISCARD:
		return check_discard(req, lim);
	default:
		return -EOPNOTSUPP;
	}
}
EXPORT_SYMBOL_GPL(xpv_blk_check);

s16 xpv_blk_status(int err)
{
	if (!err)
		return XPV_BLK_OK;
	return err == -EOPNOTSUPP ? XPV_BLK_EOPNOTSUPP : XPV_BLK_ERROR;
}
EXPORT_SYMBOL_GPL(xpv_blk_status);
