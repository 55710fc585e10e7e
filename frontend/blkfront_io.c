// SPDX-License-Identifier: GPL-2.0-only
/* Requests onto the ring. */
#include "blkfront.h"

#include <linux/bvec.h>
#include <linux/highmem.h>
#include <linux/net.h>
#include <xen/events.h>
#include <xen/page.h>

static bool enough(struct xpv_blkfront_queue *q, struct xpv_blkfront_pool *pool, u32 n)
{
	while (pool->nr_free < n)
		if (pool->total == pool->max || !xpv_blkfront_pool_grow(q, pool, GFP_NOWAIT))
			return false;
	return true;
}

/*
 * How many grants the data of @rq takes where it is: one for each stretch within a page, up to
 * @most. *@bytes is how much, from its start and in whole blocks, they cover.
 */
static u32 stretches(struct request *rq, u32 most, u32 *bytes)
{
	struct page *page = NULL;
	struct req_iterator iter;
	u32 n = 0, end = 0, sum = 0;
	struct bio_vec bv;

	rq_for_each_segment(bv, rq, iter) {
		if (bv.bv_page != page || bv.bv_offset != end) {
			if (n == most)
				break;
			n++;
		}
		page = bv.bv_page;
		end = bv.bv_offset + bv.bv_len;
		sum += bv.bv_len;
	}
	*bytes = round_down(sum, queue_logical_block_size(rq->q));
	return n;
}

/* How many bytes this passage over the ring is about. */
static u32 bytes_of(const struct xpv_blkfront_shadow *sh)
{
	return unlikely(sh->part) ? sh->part : blk_rq_bytes(sh->rq);
}

/*
 * Take the grants that @rq needs, all or none. Out of grants or of memory is no
 * error: blk-mq tries again when a request has completed, or a little later.
 */
static blk_status_t reserve(struct xpv_blkfront_queue *q, struct xpv_blkfront_shadow *sh,
			    struct request *rq, u8 op)
{
	u32 i, n = 0, most = q->dev->max_segs, bytes = blk_rq_bytes(rq);

	lockdep_assert_held(&q->lock);
	if (unlikely(!q->live))
		return q->refuse;
	if (op != XPV_BLK_READ && op != XPV_BLK_WRITE) {
		/* No data. */
	} else if (q->data.paged) {
		n = min(DIV_ROUND_UP(bytes, XPV_PAGE_SIZE), most);
		bytes = min(bytes, n * XPV_PAGE_SIZE);
	} else {
		n = stretches(rq, most, &bytes);
	}
	/* Made for an earlier backend, which took more at a time: the rest goes later. */
	sh->part = likely(bytes == blk_rq_bytes(rq)) ? 0 : bytes;
	sh->stands_in = false;
	sh->indirect = n > XPV_BLK_DIRECT_SEGS;
	if (unlikely(!enough(q, &q->data, n) || (sh->indirect && !enough(q, &q->tables, 1))))
		return BLK_STS_RESOURCE;

	if (sh->indirect)
		sh->table = q->tables.free[--q->tables.nr_free];
	for (i = 0; i < n; i++)
		sh->held[i] = q->data.free[--q->data.nr_free];
	sh->nr_held = n;
	sh->op = op;
	sh->rq = rq;
	return BLK_STS_OK;
}

/* Between a page of ours, at @off, and a request's data. A whole page goes by what copies pages. */
static void copy_part(void *ours, u32 off, const struct bio_vec *bv, u32 done, u32 len, bool out)
{
	if (likely(len == XPV_PAGE_SIZE)) {
		if (out)
			copy_highpage(virt_to_page(ours), bv->bv_page);
		else
			copy_highpage(bv->bv_page, virt_to_page(ours));
	} else if (out) {
		memcpy_from_page(ours + off, bv->bv_page, bv->bv_offset + done, len);
	} else {
		memcpy_to_page(bv->bv_page, bv->bv_offset + done, ours + off, len);
	}
}

void xpv_blkfront_copy(struct xpv_blkfront_shadow *sh, bool out)
{
	u32 pos = 0, end = bytes_of(sh);
	struct bio_vec bv = req_bvec(sh->rq);
	struct req_iterator iter;

	/* To walk along a page costs a quarter of what copying it does. */
	if (likely(bv.bv_len == end && bv.bv_offset + end <= XPV_PAGE_SIZE)) {
		copy_part(sh->held[0].addr, 0, &bv, 0, end, out);
		return;
	}
	rq_for_each_segment(bv, sh->rq, iter) {
		u32 done, len;

		for (done = 0; done < bv.bv_len && pos < end; done += len, pos += len) {
			u32 off = pos % XPV_PAGE_SIZE;

			len = min3(bv.bv_len - done, XPV_PAGE_SIZE - off, end - pos);
			copy_part(sh->held[pos / XPV_PAGE_SIZE].addr, off, &bv, done, len, out);
		}
	}
}

void xpv_blkfront_copy_stand_ins(struct xpv_blkfront_shadow *sh, bool out)
{
	struct xpv_blkfront_grant *g = sh->held;
	u32 end = 0, left = bytes_of(sh);
	struct page *page = NULL;
	struct req_iterator iter;
	struct bio_vec bv;

	rq_for_each_segment(bv, sh->rq, iter) {
		if (!left)
			break;
		bv.bv_len = min(bv.bv_len, left);
		left -= bv.bv_len;
		if (page && (bv.bv_page != page || bv.bv_offset != end))
			g++;
		page = bv.bv_page;
		end = bv.bv_offset + bv.bv_len;
		if (g->addr)
			copy_part(g->addr, bv.bv_offset, &bv, 0, bv.bv_len, out);
	}
}

/*
 * What to grant for @page. A reference keeps most pages until the backend has let go of them; not part of a
 * slab, whose other parts are not the backend's to see either, nor a page that has no count of its own.
 */
static struct page *to_grant(struct xpv_blkfront_shadow *sh, struct xpv_blkfront_grant *g,
			     struct page *page)
{
	if (likely(sendpage_ok(page)))
		return page;
	/* What frees memory may wait for this one. */
	page = alloc_page(GFP_ATOMIC | __GFP_NOWARN | __GFP_ZERO);
	if (!page)
		return NULL;
	sh->stands_in = true;
	g->addr = page_address(page);
	return page;
}

static void set_seg(struct xpv_blk_seg *seg, grant_ref_t gref, u32 first, u32 last)
{
	seg->gref = gref;
	seg->first = first;
	seg->last = last;
	seg->pad = 0;
}

static int list_bounced(struct xpv_blkfront_shadow *sh, struct xpv_blk_seg *seg)
{
	u32 last = (bytes_of(sh) - 1) % XPV_PAGE_SIZE >> XPV_BLK_SECTOR_SHIFT;
	u32 i, end = sh->nr_held - 1;

	for (i = 0; i < end; i++)
		set_seg(&seg[i], sh->held[i].gref, 0, 7);
	set_seg(&seg[end], sh->held[end].gref, 0, last);
	return sh->nr_held;
}

/*
 * Grant the request's own pages, one for each stretch of data within a page. Returns
 * how many, -EIO if they are not what the block layer was told to make, -ENOMEM. Only writes to @seg: the
 * backend may be changing it.
 */
static int list_direct(struct xpv_blkfront_queue *q, struct xpv_blkfront_shadow *sh,
		       struct xpv_blk_seg *seg)
{
	struct page *page = NULL;
	u32 first = 0, end = 0, n = 0, left = bytes_of(sh);
	struct req_iterator iter;
	struct page *granted;
	struct bio_vec bv;

	rq_for_each_segment(bv, sh->rq, iter) {
		if (unlikely(!left))
			break;
		bv.bv_len = min(bv.bv_len, left);
		left -= bv.bv_len;
		if (unlikely((bv.bv_offset | bv.bv_len) % SECTOR_SIZE))
			return -EIO;
		if (bv.bv_page != page || bv.bv_offset != end) {
			if (n == sh->nr_held)
				return -EIO;
			page = bv.bv_page;
			first = bv.bv_offset;
			granted = to_grant(sh, &sh->held[n], page);
			if (unlikely(!granted))
				return -ENOMEM;
			gnttab_grant_foreign_access_ref(sh->held[n++].gref,
							q->dev->xb->otherend_id,
							xen_page_to_gfn(granted),
							sh->op == XPV_BLK_WRITE);
		}
		end = bv.bv_offset + bv.bv_len;
		set_seg(&seg[n - 1], sh->held[n - 1].gref, first >> XPV_BLK_SECTOR_SHIFT,
			(end - 1) >> XPV_BLK_SECTOR_SHIFT);
	}
	if (unlikely(sh->stands_in && sh->op == XPV_BLK_WRITE))
		xpv_blkfront_copy_stand_ins(sh, true);
	return (int)n;
}

/* Compose the request in @slot. Returns how many bytes of it count, or why it can't be done. */
static ssize_t compose(struct xpv_blkfront_queue *q, struct xpv_blkfront_shadow *sh,
		      struct xpv_blk_slot64 *slot)
{
	struct xpv_blk_seg *seg = sh->indirect ? sh->table.addr : slot->seg;
	int n;

	slot->pad = 0;
	slot->id = sh - q->shadow;
	if (sh->op == XPV_BLK_DISCARD) {
		slot->op = sh->op;
		slot->nr_segs = req_op(sh->rq) == REQ_OP_SECURE_ERASE ? XPV_BLK_DISCARD_SECURE : 0;
		slot->handle = q->dev->handle;
		slot->sector = blk_rq_pos(sh->rq);
		slot->nr_sectors = blk_rq_sectors(sh->rq);
		return offsetofend(struct xpv_blk_slot64, nr_sectors);
	}
	if (!sh->nr_held) {
		slot->op = sh->op;
		slot->nr_segs = 0;
		slot->handle = q->dev->handle;
		slot->sector = 0;
		return offsetof(struct xpv_blk_slot64, seg);
	}

	slot->sector = blk_rq_pos(sh->rq);
	n = q->data.paged ? list_bounced(sh, seg) : list_direct(q, sh, seg);
	if (unlikely(n < 0))
		return n;
	if (!sh->indirect) {
		slot->op = sh->op;
		slot->nr_segs = (u8)n;
		slot->handle = q->dev->handle;
		return offsetof(struct xpv_blk_slot64, seg[n]);
	}
	slot->op = XPV_BLK_INDIRECT;
	slot->nr_segs = sh->op;
	slot->handle = (u16)n;
	slot->ind.handle = q->dev->handle;
	slot->ind.pad = 0;
	slot->ind.gref[0] = sh->table.gref;
	return offsetof(struct xpv_blk_slot64, ind.gref[1]);
}

static void commit(struct xpv_blkfront_queue *q)
{
	bool notify;

	spin_lock_irq(&q->lock);
	notify = q->live && xpv_front_publish(&q->ring);
	spin_unlock_irq(&q->lock);
	if (notify)
		notify_remote_via_evtchn(q->evtchn);
}

/*
 * Put a reserved request on the ring and, if it is the @last of a batch, show it: then *@notify
 * says whether the backend is to be told. The lock is let go for copies.
 */
static blk_status_t issue(struct xpv_blkfront_queue *q, struct xpv_blkfront_shadow *sh, bool last,
			  bool *notify)
	__must_hold(&q->lock)
{
	blk_status_t err = BLK_STS_OK;
	struct xpv_blk_slot64 slot;
	ssize_t len;

	lockdep_assert_held(&q->lock);
	if (q->data.paged && sh->op == XPV_BLK_WRITE) {
		/* What was reserved is nobody else's. */
		spin_unlock_irq(&q->lock);
		xpv_blkfront_copy(sh, true);
		spin_lock_irq(&q->lock);
	}
	len = compose(q, sh, &slot);
	if (unlikely(!q->live))
		err = q->refuse;
	else if (unlikely(len < 0))
		err = errno_to_blk_status((int)len);
	else if (unlikely(!xpv_front_free(&q->ring)))
		err = BLK_STS_RESOURCE;
	if (unlikely(err)) {
		xpv_blkfront_release(q, sh);
		return err;
	}
	memcpy(xpv_front_next(&q->ring), &slot, (size_t)len);
	sh->sent = true;
	*notify = last && xpv_front_publish(&q->ring);
	return BLK_STS_OK;
}

static blk_status_t queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	struct xpv_blkfront_lane *lane = hctx->driver_data;
	struct xpv_blkfront_queue *q = lane->q;
	struct request *rq = bd->rq;
	struct xpv_blkfront_dev *dev = q->dev;
	struct xpv_blkfront_shadow *sh;
	bool notify = false;
	blk_status_t err;
	u8 op;

	switch (req_op(rq)) {
	case REQ_OP_READ:
		op = XPV_BLK_READ;
		break;
	case REQ_OP_WRITE:
		op = XPV_BLK_WRITE;
		break;
	case REQ_OP_FLUSH:
		op = READ_ONCE(dev->flush_op);
		if (likely(op))
			break;
		/* The backend has given flushing up since the disk was made: all it answers is safe. */
		blk_mq_start_request(rq);
		blk_mq_end_request(rq, BLK_STS_OK);
		if (bd->last)
			commit(q);
		return BLK_STS_OK;
	case REQ_OP_DISCARD:
	case REQ_OP_SECURE_ERASE:
		op = XPV_BLK_DISCARD;
		if (likely(READ_ONCE(*xpv_blkfront_discarding(dev, rq))))
			break;
		return BLK_STS_NOTSUPP;
	default:
		return BLK_STS_NOTSUPP;
	}

	spin_lock_irq(&q->lock);
	sh = q->shadow + lane->first + rq->tag;
	err = reserve(q, sh, rq, op);
	if (likely(!err)) {
		blk_mq_start_request(rq);
		err = issue(q, sh, bd->last, &notify);
	}
	spin_unlock_irq(&q->lock);
	if (notify)
		notify_remote_via_evtchn(q->evtchn);
	return err;
}

static void commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct xpv_blkfront_lane *lane = hctx->driver_data;

	commit(lane->q);
}

static int init_hctx(struct blk_mq_hw_ctx *hctx, void *data, unsigned int index)
{
	struct xpv_blkfront_dev *dev = data;

	hctx->driver_data = &dev->lane[index];
	return 0;
}

static int poll(struct blk_mq_hw_ctx *hctx, struct io_comp_batch *iob)
{
	struct xpv_blkfront_lane *lane = hctx->driver_data;
	struct xpv_blkfront_queue *q = READ_ONCE(lane->q);
	bool worked;

	/* Whoever stops the queue waits for this, in blk_mq_quiesce_queue(), before anything is freed. */
	rcu_read_lock();
	worked = READ_ONCE(q->live) && xpv_blkfront_reap(q);
	rcu_read_unlock();
	return worked;
}

static void map_queues(struct blk_mq_tag_set *tags)
{
	struct xpv_blkfront_dev *dev = tags->driver_data;
	/* A kernel short of memory allows a single queue. */
	unsigned int polled = tags->nr_maps > HCTX_TYPE_POLL ? dev->nr_polled : 0;

	tags->map[HCTX_TYPE_DEFAULT].nr_queues = tags->nr_hw_queues - polled;
	blk_mq_map_queues(&tags->map[HCTX_TYPE_DEFAULT]);
	if (!polled)
		return;
	/* None for reads alone. */
	tags->map[HCTX_TYPE_READ].nr_queues = 0;
	tags->map[HCTX_TYPE_POLL].nr_queues = polled;
	tags->map[HCTX_TYPE_POLL].queue_offset = tags->nr_hw_queues - polled;
	blk_mq_map_queues(&tags->map[HCTX_TYPE_POLL]);
}

const struct blk_mq_ops xpv_blkfront_mq_ops = {
	.queue_rq = queue_rq,
	.commit_rqs = commit_rqs,
	.init_hctx = init_hctx,
	.complete = xpv_blkfront_complete,
	.poll = poll,
	.map_queues = map_queues,
};
