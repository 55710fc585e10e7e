// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request's way: taken off the ring, decoded, checked, mapped, given to the disk, answered.
 * All steps are done for a round of requests together, so that a hypercall maps the pages of
 * many, and an event tells of many responses.
 */
#include "blkback.h"
#include "blkback_trace.h"

#include <linux/blkdev.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <xpv_diskops.h>

/*
 * When the thread is to stop, the starved have this many more tries, a jiffy or more apart, not counting those
 * while others are on their way: these leave them their room.
 */
#define LAST_TRIES	250

/* The most discarded at once, and where pieces end: the thread has others to serve. */
#define DISCARD_PIECE	(1u << (30 - XPV_BLK_SECTOR_SHIFT))

/* Fits a word of the block layer's map of free requests, but for disks that take fewer than 32 at once. */
#define PLUG_PORTION	8u

#define DRAIN_WAIT	msecs_to_jiffies(10)	/* from one look whether all is answered to the next */

static_assert(XPV_BLK_MAX_SEGS <= BIO_MAX_VECS, "a request is one bio");
static_assert(XPV_BLK_MAX_SEGS <= XPV_BLK_SEGS_PER_PAGE, "one page holds all segments");

/* To be answered at the end of the round. */
static void finish(struct xpv_blkback_request *req, int err)
{
	req->err = err;
	chain_add(&req->queue->finished, req);
}

/* Not now. It will be tried again before anything else is. */
static void postpone(struct xpv_blkback_request *req)
{
	struct xpv_blkback_queue *q = req->queue;

	if (q->tries > LAST_TRIES)
		finish(req, -ENOMEM);
	else
		chain_add(&q->starved, req);
}

/*
 * There is no room to map @req: give back what it has, so that two of them can't wait for
 * each other, and some of what we keep idle. The queue's batch is empty.
 */
static void starve(struct xpv_blkback_request *req)
{
	struct xpv_blkback_queue *q = req->queue;

	xpv_blkback_unpin(req);
	xpv_blkback_release(req);
	xpv_blkback_unmap(q);
	req->nr_pages = 0;
	req->missing = false;
	if (q->dev->persistent)
		xpv_blkback_evict(q, XPV_BATCH_MAX, U64_MAX);
	postpone(req);
}

/* A piece was discarded. The next is submitted by the thread, for that may sleep, if there is to be one. */
static void discarded(struct bio *bio)
{
	struct xpv_blkback_request *req = container_of(bio, struct xpv_blkback_request, bio);
	struct xpv_blkback_queue *q = req->queue;
	unsigned long flags;

	if (!req->req.nr_sectors || bio->bi_status) {
		xpv_blkback_end_io(bio);
		return;
	}
	bio_uninit(bio);
	spin_lock_irqsave(&q->lock, flags);
	chain_add(&q->again, req);
	wake_up(&q->wq);
	spin_unlock_irqrestore(&q->lock, flags);
}

/* Discard the next piece of @req. A plain one the block layer splits as the disk wants it. */
static void discard(struct xpv_blkback_request *req)
{
	struct block_device *bdev = req->queue->dev->disk.bdev;
	u32 block = req->queue->limits.block_sectors;
	bool secure = req->req.flags & XPV_BLK_DISCARD_SECURE;
	u64 n = min_t(u64, req->req.nr_sectors,
		      DISCARD_PIECE - (req->req.sector & (DISCARD_PIECE - 1)));
	struct bio *bio = &req->bio;

	/* An erasure it does not. Should the disk not do any by now, one block is enough to hear so. */
	if (secure)
		n = min_t(u64, n, max(round_down(bdev_max_secure_erase_sectors(bdev), block), block));
	bio_init(bio, bdev, NULL, 0, secure ? REQ_OP_SECURE_ERASE : REQ_OP_DISCARD);
	bio->bi_iter.bi_sector = req->req.sector;
	bio->bi_iter.bi_size = n << XPV_BLK_SECTOR_SHIFT;
	bio->bi_end_io = discarded;
	req->req.sector += n;
	req->req.nr_sectors -= n;
	submit_bio(bio);
}

/* How many requests may be taken at once; if it is 0, q->pause says for how long. */
static u32 allowed(struct xpv_blkback_queue *q)
{
	q->pause = 0;
	if (likely(!READ_ONCE(q->dev->limited)) || kthread_should_stop())
		return XPV_BLKBACK_ROUND;
	return xpv_blkback_allowed(q);
}

/*
 * Submit the next pieces, each of which counts as a request, of up to @most discards. Returns of how
 * many. To stop is to stop discarding too, however much there is left of it: who has the disk next may
 * be writing there already. A plain one is a hint, and done by that; an erasure has failed.
 */
static u32 discard_more(struct xpv_blkback_queue *q, u32 most)
{
	struct xpv_blkback_request *req, *next;
	struct xpv_blkback_chain pieces;
	u32 n = 0;

	chain_init(&pieces);
	spin_lock_irq(&q->lock);
	while (n < most && (req = chain_pop(&q->again))) {
		chain_add(&pieces, req);
		n++;
	}
	spin_unlock_irq(&q->lock);

	for (req = chain_take(&pieces); req; req = next) {
		next = req->next;
		if (kthread_should_stop())
			finish(req, req->req.flags & XPV_BLK_DISCARD_SECURE ? -EIO : 0);
		else
			discard(req);
	}
	if (unlikely(READ_ONCE(q->dev->limited)))
		xpv_blkback_charge(q, n, 0);
	return n;
}

/* Pages of the peer's are appended to page[], to be looked up together. */
static void append(struct xpv_blkback_request *req, u32 gref)
{
	struct xpv_blkback_page *p = &req->page[req->nr_pages++];

	p->cached = NULL;
	p->own.gref = gref;
	p->own.handle = XPV_NO_HANDLE;
	p->own.page = NULL;
}

static void add(u64 *counter, u64 n)
{
	WRITE_ONCE(*counter, *counter + n);
}

static void count(struct xpv_blkback_stats *stats, const struct xpv_blk_req *req)
{
	switch (req->op) {
	case XPV_BLK_READ:
		add(&stats->reads, 1);
		add(&stats->sectors_read, req->nr_sectors);
		break;
	case XPV_BLK_WRITE:
		add(&stats->writes, 1);
		add(&stats->sectors_written, req->nr_sectors);
		break;
	case XPV_BLK_BARRIER:
	case XPV_BLK_FLUSH:
		add(&stats->flushes, 1);
		/* What it brings. */
		add(&stats->sectors_written, req->nr_segs ? req->nr_sectors : 0);
		break;
	case XPV_BLK_DISCARD:
		add(&stats->discards, 1);
		break;
	}
}

/* Take the next request off the ring. */
static void fetch(struct xpv_blkback_queue *q, struct xpv_blkback_request *req)
{
	xpv_blk_take(q->dev->abi, xpv_ring_slot(&q->ring, q->ring.cons++), &req->req);
	req->big = NULL;
	req->page = req->own_page;
	req->seg = req->req.seg;
	req->nr_pages = 0;
	req->described = false;
	req->borrowed = 0;
	req->missing = false;
}

/* Take @n requests, 0 too, of those that are free. */
static struct xpv_blkback_request *take_free(struct xpv_blkback_queue *q, u32 n)
{
	struct xpv_blkback_request *first = q->free, *last = NULL;

	lockdep_assert_held(&q->lock);
	for (; n; n--) {
		last = q->free;
		q->free = last->next;
	}
	if (!last)
		return NULL;
	last->next = NULL;
	return first;
}

/* They were not needed. */
static void put_free(struct xpv_blkback_queue *q, struct xpv_blkback_request *req)
{
	struct xpv_blkback_request *next;

	spin_lock_irq(&q->lock);
	for (; req; req = next) {
		next = req->next;
		req->next = q->free;
		q->free = req;
	}
	spin_unlock_irq(&q->lock);
}

/* The sectors that @batch moves. Of indirect requests it is not known yet. */
static u64 moved(const struct xpv_blkback_chain *batch)
{
	const struct xpv_blkback_request *req;
	u64 n = 0;

	for (req = batch->first; req; req = req->next)
		if (req->req.op != XPV_BLK_DISCARD)
			n += req->req.nr_sectors;
	return n;
}

/*
 * What this round is about: the starved if there are any, for others would take from them what
 * they wait for; else what is on the ring. Returns how many came off the ring.
 */
static u32 take(struct xpv_blkback_queue *q, struct xpv_blkback_chain *batch)
{
	struct xpv_blkback_request *req, *next;
	bool starved = !chain_empty(&q->starved);
	u32 n = 0, most = allowed(q);

	if (unlikely(!chain_empty(&q->again)))
		most -= discard_more(q, most);

	spin_lock_irq(&q->lock);
	chain_move(&q->finished, &q->done);
	q->limits = q->offered;
	q->hungry = false;
	if (!starved && !kthread_should_stop())
		n = min(xpv_back_pending(&q->ring), most);
	/* Slots not answered and requests not free are equally many: there are @n. */
	req = take_free(q, n);
	spin_unlock_irq(&q->lock);

	for (n = 0; req; req = next, n++) {
		int err;

		next = req->next;
		fetch(q, req);
		err = xpv_blk_check(&req->req, &q->limits);
		if (unlikely(err)) {
			finish(req, err);
			continue;
		}
		chain_add(batch, req);
		/* What is behind it may not get ahead of it, whichever of them has to wait. */
		if (unlikely(req->req.op == XPV_BLK_BARRIER)) {
			n++;
			put_free(q, next);
			break;
		}
	}
	atomic_add(n, &q->inflight);
	if (unlikely(READ_ONCE(q->dev->limited)))
		xpv_blkback_charge(q, n, moved(batch));
	if (unlikely(starved)) {
		chain_move(batch, &q->starved);
		q->tries += kthread_should_stop() && atomic_read(&q->inflight) == chain_length(batch);
	}
	return n;
}

/*
 * Room for the segments of @req, and its pages of segments looked up. False: not now. Once there was no
 * *@room for one, the others of a round need not ask: there may be very many of them.
 */
static bool want_segments(struct xpv_blkback_request *req, bool *room)
{
	if (req->req.nr_segs > XPV_BLK_DIRECT_SEGS && !req->big) {
		req->big = *room ? xpv_blkback_big_get(req->queue) : NULL;
		*room = req->big;
		if (!req->big) {
			postpone(req);
			return false;
		}
		req->page = req->big->page;
		req->seg = req->big->seg;
	}
	append(req, req->req.ind[0]);
	xpv_blkback_want(req, 0, true);
	return true;
}

/* Whether all of @req is mapped. If not, it is starved, or finished. */
static bool mapped(struct xpv_blkback_request *req)
{
	int err = xpv_blkback_mapped(req);

	if (likely(!err))
		return true;
	if (err == -EAGAIN)
		starve(req);
	else
		finish(req, err);
	return false;
}

/* Copy the segments of @req, once, and check the copy. */
static int fetch_segments(struct xpv_blkback_request *req)
{
	u32 n = req->req.nr_segs;

	memcpy(req->seg, page_address(xpv_blkback_mapping(&req->page[0])->page),
	       n * sizeof(*req->seg));
	/* Keeps the compiler from reading the page again in place of the copy. */
	barrier();
	req->described = true;
	return xpv_blk_check_segs(&req->req, req->seg, n, &req->queue->limits);
}

static bool undescribed(const struct xpv_blkback_request *req)
{
	return req->req.indirect && !req->described;
}

/* Indirect requests: fetch the segments of all of @batch. */
static void describe(struct xpv_blkback_queue *q, struct xpv_blkback_chain *batch)
{
	struct xpv_blkback_request *req, *next;
	bool room = true;
	u64 sectors = 0;
	int err;

	for (req = batch->first; req && !undescribed(req); req = req->next)
		;
	if (!req)
		return;
	for (req = chain_take(batch); req; req = next) {
		next = req->next;
		if (!undescribed(req) || want_segments(req, &room))
			chain_add(batch, req);
	}
	xpv_blkback_map(q);
	for (req = chain_take(batch); req; req = next) {
		next = req->next;
		if (undescribed(req)) {
			if (!mapped(req))
				continue;
			err = fetch_segments(req);
			if (unlikely(err)) {
				finish(req, err);
				continue;
			}
			sectors += req->req.nr_sectors;
		}
		chain_add(batch, req);
	}
	if (unlikely(READ_ONCE(q->dev->limited)))
		xpv_blkback_charge(q, 0, sectors);
}

/* Map the data of all of @batch. What is left in it can go to the disk. */
static void map_data(struct xpv_blkback_queue *q, struct xpv_blkback_chain *batch)
{
	struct xpv_blkback_request *req, *next;
	bool missing = false;
	u32 i;

	for (req = batch->first; req; req = req->next) {
		u32 from = req->nr_pages;

		for (i = 0; i < req->req.nr_segs; i++)
			append(req, req->seg[i].gref);
		/* Only what is read from the disk is written to the page. */
		if (i)
			xpv_blkback_want(req, from, req->req.op != XPV_BLK_READ);
		missing |= req->missing;
	}
	if (likely(!missing))
		return;
	xpv_blkback_map(q);
	for (req = chain_take(batch); req; req = next) {
		next = req->next;
		if (mapped(req))
			chain_add(batch, req);
	}
}

static blk_opf_t disk_op(struct block_device *bdev, const struct xpv_blk_req *req)
{
	/*
	 * The guest has joined what it could, unless the request is as large as fits a slot. To try
	 * again pays where a head has a way to go.
	 */
	blk_opf_t alone = req->nr_segs == XPV_BLK_DIRECT_SEGS || xpv_bdev_rot(bdev) ? 0 : REQ_NOMERGE;

	switch (req->op) {
	case XPV_BLK_READ:
		return REQ_OP_READ | alone;
	case XPV_BLK_WRITE:
		/* The guest has its own writeback: to ours, these are writes somebody waits for. */
		return REQ_OP_WRITE | REQ_SYNC | REQ_IDLE | alone;
	case XPV_BLK_BARRIER:
		return REQ_OP_WRITE | REQ_SYNC | REQ_PREFLUSH | (req->nr_segs ? REQ_FUA : 0);
	default:
		return REQ_OP_WRITE | REQ_SYNC | REQ_PREFLUSH;
	}
}

/*
 * Give @req to the disk; with that it may be gone. Each page is a vector of its own: adjacent
 * in our numbering, they need not be so in the machine. The block layer asks
 * xen_biovec_phys_mergeable() before it joins vectors into one DMA segment, as
 * bio_add_page() would before it joins them here (XSA-229).
 */
static void submit(struct xpv_blkback_request *req)
{
	u32 i, n = req->req.nr_segs;
	struct xpv_blkback_page *page = req->page + (req->nr_pages - n);
	struct xpv_blkback_device *dev = req->queue->dev;
	struct block_device *bdev = dev->disk.bdev;
	blk_opf_t op = disk_op(bdev, &req->req);
	bool narrow = dev->narrow.disk.block_sectors;
	struct bio *bio = &req->bio;

	count(&req->queue->stats, &req->req);
	trace_xpv_blkback_submit(req);
	if (unlikely(narrow) && xpv_blkback_narrow(req, op)) {
		if (req->err == -EOPNOTSUPP)
			xpv_blkback_revoke(req);
		finish(req, req->err);
		return;
	}
	if (req->req.op == XPV_BLK_DISCARD) {
		discard(req);
		return;
	}
	bio_init(bio, bdev, req->big ? req->big->vec : req->own_vec, n, op);
	/* A mere flush has no place on the disk; what the peer put there was not checked. */
	bio->bi_iter.bi_sector = n ? req->req.sector : 0;
	bio->bi_end_io = unlikely(narrow) && n && op_is_write(op) ? xpv_blkback_end_write : xpv_blkback_end_io;
	for (i = 0; i < n; i++) {
		const struct xpv_blk_seg *seg = &req->seg[i];

		__bio_add_page(bio, xpv_blkback_mapping(&page[i])->page,
			       (seg->last - seg->first + 1u) << XPV_BLK_SECTOR_SHIFT,
			       (u32)seg->first << XPV_BLK_SECTOR_SHIFT);
	}
	submit_bio(bio);
}

/*
 * Wait until the disk has done, and we have answered if we can, all but the @held that the thread has. The
 * ring tells it: whoever answers moves its index, and wakes a hungry thread, under the lock.
 */
static void drain(struct xpv_blkback_queue *q, u32 held)
{
	for (;;) {
		u32 left, most = allowed(q);

		spin_lock_irq(&q->lock);
		chain_move(&q->finished, &q->done);
		q->hungry = true;
		spin_unlock_irq(&q->lock);

		if (!chain_empty(&q->again))
			discard_more(q, most);
		xpv_blkback_answer(q);
		spin_lock_irq(&q->lock);
		left = xpv_back_inflight(&q->ring);
		spin_unlock_irq(&q->lock);
		if (left == held + q->nr_lent)
			return;
		wait_event_idle_timeout(q->wq, !READ_ONCE(q->hungry) || !chain_empty(&q->done) ||
					       (!chain_empty(&q->again) && !q->pause), DRAIN_WAIT);
	}
}

/*
 * A barrier, the last of its batch: what came before it on the ring is on the medium before it, what
 * comes after it is only taken then. It waits for what waits to be mapped.
 */
static void submit_barrier(struct xpv_blkback_queue *q, struct xpv_blkback_request *req)
{
	if (!chain_empty(&q->starved)) {
		starve(req);
		return;
	}
	drain(q, 1);
	submit(req);
	drain(q, 0);
}

/*
 * Give all of @batch to the disk; up to @left of them came off the ring just now. The block layer gets
 * requests of its own for a portion of them at once, which costs less than one by one.
 */
static void submit_all(struct xpv_blkback_chain *batch, u32 left)
{
	struct xpv_blkback_request *req, *next;
	struct blk_plug plug;
	u32 i = 0;

	blk_start_plug(&plug);
	for (req = chain_take(batch); req && req->req.op != XPV_BLK_BARRIER; req = next) {
		next = req->next;
		if (left && !(i++ % PLUG_PORTION)) {
			plug.nr_ios = (unsigned short)min(left, PLUG_PORTION);
			left -= plug.nr_ios;
		}
		submit(req);
	}
	blk_finish_plug(&plug);
	if (unlikely(req))
		submit_barrier(req->queue, req);
}

u32 xpv_blkback_io(struct xpv_blkback_queue *q)
{
	struct xpv_blkback_chain batch;
	u32 taken;

	chain_init(&batch);
	taken = take(q, &batch);
	if (batch.first) {
		describe(q, &batch);
		map_data(q, &batch);
		submit_all(&batch, taken);
	}
	xpv_blkback_answer(q);
	if (unlikely(!chain_empty(&q->starved))) {
		add(&q->stats.crowded, 1);
		/* A completion that came in between goes unnoticed, but the thread does not wait long. */
		spin_lock_irq(&q->lock);
		q->hungry = true;
		spin_unlock_irq(&q->lock);
	}
	return taken;
}

void xpv_blkback_refuse(struct xpv_blkback_queue *q)
{
	struct xpv_blkback_request *req, *next;
	u32 n = xpv_back_pending(&q->ring);

	spin_lock_irq(&q->lock);
	req = take_free(q, n);
	spin_unlock_irq(&q->lock);

	atomic_add(n, &q->inflight);
	for (; req; req = next) {
		next = req->next;
		fetch(q, req);
		finish(req, -ENODEV);
	}
	xpv_blkback_answer(q);
}
