// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk of larger blocks, shown as one of 512 bytes to guests that know no other. Requests of whole
 * blocks pass as they are. The others go through a buffer, one at a time. Such a write also waits until
 * no other is on its way to the disk, and keeps new ones away: what it does not cover of its first and
 * last block is read before it is written, and what a neighbour in the same block has written meanwhile
 * would be taken back. Other devices' writes it can't keep away: a disk that is shared is
 * shown as it is.
 */
#include "blkback.h"

#include <linux/bio.h>
#include <linux/highmem.h>

int xpv_blkback_narrow_init(struct xpv_blkback_device *dev, bool shared)
{
	struct xpv_blkback_narrow *nw = &dev->narrow;
	u32 i, block = bdev_logical_block_size(dev->disk.bdev);

	if (!READ_ONCE(xpv_blkback_force_512) || block == SECTOR_SIZE || shared)
		return 0;
	for (i = 0; i < XPV_BLKBACK_NARROW_PAGES; i++) {
		nw->page[i] = alloc_page(GFP_KERNEL);
		if (!nw->page[i]) {
			xpv_blkback_narrow_exit(dev);
			return -ENOMEM;
		}
	}
	nw->disk.block_sectors = block >> SECTOR_SHIFT;
	return 0;
}

void xpv_blkback_narrow_exit(struct xpv_blkback_device *dev)
{
	struct xpv_blkback_narrow *nw = &dev->narrow;
	u32 i;

	nw->disk.block_sectors = 0;
	for (i = 0; i < XPV_BLKBACK_NARROW_PAGES; i++) {
		if (nw->page[i])
			__free_page(nw->page[i]);
		nw->page[i] = NULL;
	}
}

/* Read or write @sectors of the disk from @sector on, whole blocks, at @at sectors into the buffer. */
static int transfer(struct xpv_blkback_device *dev, blk_opf_t op, u64 sector, u32 at, u32 sectors)
{
	struct bio_vec vec[XPV_BLKBACK_NARROW_PAGES];
	u32 from = at << SECTOR_SHIFT, end = (at + sectors) << SECTOR_SHIFT;
	struct bio bio;
	int err;

	bio_init(&bio, dev->disk.bdev, vec, ARRAY_SIZE(vec), op);
	bio.bi_iter.bi_sector = sector;
	while (from < end) {
		u32 len = min_t(u32, end - from, PAGE_SIZE - offset_in_page(from));

		__bio_add_page(&bio, dev->narrow.page[from / PAGE_SIZE], len, offset_in_page(from));
		from += len;
	}
	err = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return err;
}

/*
 * Between the buffer, from @at on, and the data of @req: @sectors of it, from its sector @skip on.
 * A segment and a page of the buffer may each hold a part.
 */
static void copy(struct xpv_blkback_request *req, u32 skip, u32 at, u32 sectors, bool out)
{
	struct xpv_blkback_page *page = req->page + (req->nr_pages - req->req.nr_segs);
	const struct xpv_blk_seg *seg = req->seg;

	for (; sectors; seg++, page++) {
		u32 have = seg->last - seg->first + 1u, n, from;

		if (skip >= have) {
			skip -= have;
			continue;
		}
		for (from = seg->first + skip; from <= seg->last && sectors; from += n) {
			u32 in_page = at % (PAGE_SIZE >> SECTOR_SHIFT);
			struct page *ours = req->queue->dev->narrow.page[at / (PAGE_SIZE >> SECTOR_SHIFT)];
			struct page *theirs = xpv_blkback_mapping(page)->page;

			n = min3(sectors, seg->last - from + 1u, (u32)(PAGE_SIZE >> SECTOR_SHIFT) - in_page);
			if (out)
				memcpy_page(theirs, from << SECTOR_SHIFT, ours, in_page << SECTOR_SHIFT,
					    n << SECTOR_SHIFT);
			else
				memcpy_page(ours, in_page << SECTOR_SHIFT, theirs, from << SECTOR_SHIFT,
					    n << SECTOR_SHIFT);
			at += n;
			sectors -= n;
		}
		skip = 0;
	}
}

/* The part of @req from its sector @skip on that fits the buffer. Returns how much, or -errno. */
static int part(struct xpv_blkback_request *req, blk_opf_t op, u32 skip)
{
	struct xpv_blkback_device *dev = req->queue->dev;
	u32 block = dev->narrow.disk.block_sectors, room = XPV_BLKBACK_NARROW_PAGES * (PAGE_SIZE >> SECTOR_SHIFT);
	u64 sector = req->req.sector + skip, from = round_down(sector, block);
	u32 before = sector - from, n = min_t(u64, req->req.nr_sectors - skip, room - before);
	u32 all = round_up(before + n, block);
	int err = 0;

	if (!op_is_write(op)) {
		err = transfer(dev, op, from, 0, all);
		if (!err)
			copy(req, skip, before, n, true);
		return err ?: (int)n;
	}
	if (before)
		err = transfer(dev, REQ_OP_READ, from, 0, block);
	if (!err && (before + n) % block && !(before && all == block))
		err = transfer(dev, REQ_OP_READ, from + all - block, all - block, block);
	if (err)
		return err;
	copy(req, skip, before, n, false);
	return transfer(dev, op, from, 0, all) ?: (int)n;
}

static int all_parts(struct xpv_blkback_request *req, blk_opf_t op)
{
	u32 done = 0;
	int n;

	while (done < req->req.nr_sectors) {
		n = part(req, op, done);
		if (n < 0)
			return n;
		done += n;
	}
	return 0;
}

static int partial(struct xpv_blkback_request *req, blk_opf_t op)
{
	struct xpv_blkback_narrow *nw = &req->queue->dev->narrow;
	int err;

	if (op_is_write(op)) {
		down_write(&nw->lock);
		wait_event_idle(nw->wq, !atomic_read(&nw->writes));
	}
	mutex_lock(&nw->buffer_lock);
	err = all_parts(req, op);
	mutex_unlock(&nw->buffer_lock);
	if (op_is_write(op))
		up_write(&nw->lock);
	return err;
}

/* A discard keeps to the blocks that it covers; it is no erasure, which such a disk does not offer. */
static bool shrink(struct xpv_blk_req *req, u32 block)
{
	u64 from = round_up(req->sector, block), end = round_down(req->sector + req->nr_sectors, block);

	if (from >= end)
		return false;
	req->sector = from;
	req->nr_sectors = end - from;
	return true;
}

bool xpv_blkback_narrow(struct xpv_blkback_request *req, blk_opf_t op)
{
	struct xpv_blkback_narrow *nw = &req->queue->dev->narrow;

	req->err = 0;
	if (req->req.op == XPV_BLK_DISCARD)
		return !shrink(&req->req, nw->disk.block_sectors);
	/* A mere flush. */
	if (!req->req.nr_segs)
		return false;
	if (!xpv_blk_whole(&req->req, req->seg, &nw->disk)) {
		req->err = partial(req, op);
		return true;
	}
	if (op_is_write(op)) {
		/* Not while somebody is at a part of a block. */
		down_read(&nw->lock);
		atomic_inc(&nw->writes);
		up_read(&nw->lock);
	}
	return false;
}

void xpv_blkback_narrow_written(struct xpv_blkback_device *dev)
{
	if (atomic_dec_and_test(&dev->narrow.writes))
		wake_up(&dev->narrow.wq);
}
