// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way back: what the disk has done is unmapped and answered, all of a round with one event, or by
 * itself in the context in which the disk completes it.
 */
#include "blkback.h"
#include "blkback_trace.h"

#include <linux/sched.h>
#include <xen/events.h>

/* Write the response. Nobody but the free list knows @req afterwards. */
static void answer(struct xpv_blkback_queue *q, struct xpv_blkback_request *req)
{
	lockdep_assert_held(&q->lock);

	trace_xpv_blkback_answer(req);
	/* The operation meant, not INDIRECT: it is what frontends compare. */
	xpv_blk_respond(q->dev->abi, xpv_back_next(&q->ring), req->req.id, req->req.op,
			xpv_blk_status(req->err));
	if (req->big)
		list_add(&req->big->link, &q->big);
	req->next = q->free;
	q->free = req;
}

/*
 * All that finished since the last time: unmap, answer, and one event for it all. But for what somebody
 * still refers to: it is for the next time.
 */
void xpv_blkback_answer(struct xpv_blkback_queue *q)
{
	struct xpv_blkback_request *req, *next, *first, **at = &first;
	bool notify;
	int n = 0;

	chain_move(&q->finished, &q->lent);
	q->nr_lent = 0;
	first = chain_take(&q->finished);
	while ((req = *at)) {
		if (unlikely(xpv_blkback_in_use(req))) {
			*at = req->next;
			chain_add(&q->lent, req);
			q->nr_lent++;
			continue;
		}
		xpv_blkback_unpin(req);
		xpv_blkback_release(req);
		at = &req->next;
	}
	if (!first)
		return;
	xpv_blkback_unmap(q);

	spin_lock_irq(&q->lock);
	for (req = first; req; req = next, n++) {
		next = req->next;
		answer(q, req);
	}
	notify = xpv_back_publish(&q->ring);
	spin_unlock_irq(&q->lock);

	if (notify)
		notify_remote_via_irq(q->irq);
	atomic_sub(n, &q->inflight);
}

/* The same for one, in the context of its completion. */
static void answer_now(struct xpv_blkback_request *req)
{
	struct xpv_blkback_queue *q = req->queue;
	unsigned long flags;
	bool notify;

	xpv_blkback_unpin(req);
	spin_lock_irqsave(&q->lock, flags);
	answer(q, req);
	notify = xpv_back_publish(&q->ring);
	if (q->hungry) {
		WRITE_ONCE(q->hungry, false);
		wake_up(&q->wq);
	}
	spin_unlock_irqrestore(&q->lock, flags);

	if (notify)
		notify_remote_via_irq(q->irq);
	/* Now the queue may go. */
	atomic_dec(&q->inflight);
}

void xpv_blkback_revoke(const struct xpv_blkback_request *req)
{
	struct xpv_blkback_device *dev = req->queue->dev;

	switch (req->req.op) {
	case XPV_BLK_FLUSH:
	case XPV_BLK_BARRIER:
		xpv_blkback_tell(dev, XPV_BLKBACK_NO_FLUSH);
		break;
	case XPV_BLK_DISCARD:
		xpv_blkback_tell(dev, req->req.flags & XPV_BLK_DISCARD_SECURE ?
				      XPV_BLKBACK_NO_SECURE_ERASE : XPV_BLKBACK_NO_DISCARD);
		break;
	}
}

/*
 * The disk is done, in any context. What it completes while the queue's thread is submitting
 * is answered at the end of the round; an interrupt of the thread is not that.
 */
void xpv_blkback_end_io(struct bio *bio)
{
	struct xpv_blkback_request *req = container_of(bio, struct xpv_blkback_request, bio);
	struct xpv_blkback_queue *q = req->queue;
	unsigned long flags;

	req->err = blk_status_to_errno(bio->bi_status);
	/* It is not from a pool of the block layer's, so nobody else lets go of what it refers to. */
	bio_uninit(bio);
	if (unlikely(req->err == -EOPNOTSUPP))
		xpv_blkback_revoke(req);
	if (in_task() && current == READ_ONCE(q->thread)) {
		chain_add(&q->finished, req);
	} else if (!req->borrowed) {
		answer_now(req);
	} else {
		/* The batch by which it is unmapped is the thread's. */
		spin_lock_irqsave(&q->lock, flags);
		chain_add(&q->done, req);
		/* Under the lock, since the thread, once it has it, may end and the queue go. */
		wake_up(&q->wq);
		spin_unlock_irqrestore(&q->lock, flags);
	}
}

/* The same for a write of whole blocks to a disk that is shown with smaller ones. */
void xpv_blkback_end_write(struct bio *bio)
{
	struct xpv_blkback_request *req = container_of(bio, struct xpv_blkback_request, bio);

	xpv_blkback_narrow_written(req->queue->dev);
	xpv_blkback_end_io(bio);
}
