// SPDX-License-Identifier: GPL-2.0-only
/* Answers off the ring: what they say, and what their requests held. */
#include "blkfront.h"

#define OPEN_ROUNDS	8u	/* of reaping, in which others may issue requests */

static struct xpv_blkfront_outcome *outcome_of(struct request *rq)
{
	return blk_mq_rq_to_pdu(rq);
}

/* The backend does no longer what it once offered. */
static void give_up(struct xpv_blkfront_dev *dev, bool *offered)
{
	WRITE_ONCE(*offered, false);
	schedule_work(&dev->adapt);
}

/* The backend has lied: what it answers from now on does not count, and the device is closed. */
static void disown(struct xpv_blkfront_queue *q, const char *complaint)
{
	lockdep_assert_held(&q->lock);
	xpv_ring_break(&q->ring);
	q->live = false;
	q->refuse = BLK_STS_IOERR;
	xpv_blkfront_fail(q->dev, complaint);
}

/* A page that stood in for another goes with its grant. */
static void drop_stand_in(struct xpv_blkfront_grant *g)
{
	if (unlikely(g->addr))
		free_page((unsigned long)g->addr);
	g->addr = NULL;
}

/*
 * End the backend's access through a bare reference. False: it still has the page mapped. The
 * reference is not used again then, and the page is not freed, by anyone, before it ends.
 */
static bool revoke(struct xpv_blkfront_queue *q, struct xpv_blkfront_grant *g)
{
	bool ended;

	if (likely(q->live)) {
		if (likely(gnttab_end_foreign_access_ref(g->gref))) {
			drop_stand_in(g);
			q->data.free[q->data.nr_free++] = *g;
			return true;
		}
		disown(q, "backend keeps a page mapped after its answer");
	}
	/* On the way out references leave the pool, and nothing is logged for each of them. */
	q->data.total--;
	ended = gnttab_try_end_foreign_access(g->gref);
	if (ended)
		drop_stand_in(g);
	else
		gnttab_end_foreign_access(g->gref, g->addr ? virt_to_page(g->addr) : NULL);
	return ended;
}

bool xpv_blkfront_release(struct xpv_blkfront_queue *q, struct xpv_blkfront_shadow *sh)
{
	bool ended = true;
	unsigned int i;

	lockdep_assert_held(&q->lock);
	if (sh->indirect)
		q->tables.free[q->tables.nr_free++] = sh->table;
	for (i = 0; i < sh->nr_held; i++)
		if (q->data.paged)
			q->data.free[q->data.nr_free++] = sh->held[i];
		else
			ended &= revoke(q, &sh->held[i]);
	return ended;
}

bool *xpv_blkfront_discarding(struct xpv_blkfront_dev *dev, struct request *rq)
{
	return req_op(rq) == REQ_OP_SECURE_ERASE ? &dev->limits.secure : &dev->limits.discard;
}

void xpv_blkfront_complete(struct request *rq)
{
	struct xpv_blkfront_outcome *outcome = outcome_of(rq);

	if (likely(!outcome->part)) {
		blk_mq_end_request(rq, outcome->status);
		return;
	}
	blk_update_request(rq, BLK_STS_OK, outcome->part);
	blk_mq_requeue_request(rq, true);
}

/* Complete a chain of requests. From here on their shadows are anybody's. */
static void complete_chain(struct xpv_blkfront_shadow *sh)
{
	DEFINE_IO_COMP_BATCH(batch);

	while (sh) {
		struct request *rq = sh->rq;
		int alone = outcome_of(rq)->status != BLK_STS_OK || outcome_of(rq)->part ? -EIO : 0;

		sh = sh->next;
		if (blk_mq_complete_request_remote(rq))
			continue;
		/* Some kernels ask whether there was an error, some which. */
		if (!blk_mq_add_to_batch(rq, &batch, alone, blk_mq_end_request_batch))
			xpv_blkfront_complete(rq);
	}
	if (batch.complete)
		batch.complete(&batch);
}

static void set_outcome(struct xpv_blkfront_shadow *sh, blk_status_t status)
{
	struct xpv_blkfront_outcome *outcome = outcome_of(sh->rq);

	outcome->status = status;
	outcome->part = likely(status == BLK_STS_OK) ? sh->part : 0;
}

static blk_status_t outcome(struct xpv_blkfront_queue *q, struct xpv_blkfront_shadow *sh, s16 status)
{
	struct xpv_blkfront_dev *dev = q->dev;

	if (likely(status == XPV_BLK_OK))
		return BLK_STS_OK;
	if (status != XPV_BLK_EOPNOTSUPP)
		return BLK_STS_IOERR;
	/* What a backend offered it may refuse later. */
	switch (sh->op) {
	case XPV_BLK_FLUSH:
	case XPV_BLK_BARRIER:
		/* It vouches for what it has answered. */
		WRITE_ONCE(dev->flush_op, 0);
		give_up(dev, &dev->limits.write_cache);
		return BLK_STS_OK;
	case XPV_BLK_DISCARD:
		give_up(dev, xpv_blkfront_discarding(dev, sh->rq));
		return BLK_STS_NOTSUPP;
	default:
		return BLK_STS_IOERR;
	}
}

/* Take all answers off the ring, as a chain in their order. A false one ends it, and the device. */
static struct xpv_blkfront_shadow *take(struct xpv_blkfront_queue *q)
{
	struct xpv_blkfront_shadow *chain = NULL, **end = &chain;
	u32 n;

	lockdep_assert_held(&q->lock);
	for (n = xpv_front_pending(&q->ring); n; n--) {
		struct xpv_blkfront_shadow *sh;
		struct xpv_blk_rsp64 rsp;

		xpv_ring_copy(&q->ring, q->ring.cons, &rsp, sizeof(rsp));
		sh = rsp.id < q->depth ? &q->shadow[rsp.id] : NULL;
		/* Backends differ in which of an indirect request's two operations they repeat. */
		if (unlikely(!sh || !sh->sent ||
			     (rsp.op != sh->op && !(sh->indirect && rsp.op == XPV_BLK_INDIRECT)))) {
			disown(q, "backend answers what was not asked");
			break;
		}
		q->ring.cons++;
		sh->sent = false;
		set_outcome(sh, outcome(q, sh, rsp.status));
		*end = sh;
		end = &sh->next;
	}
	*end = NULL;
	if (unlikely(xpv_ring_broken(&q->ring)))
		disown(q, "backend shows an impossible ring index");
	return chain;
}

/* What was read is copied to where it was asked for. */
static void copy_chain(struct xpv_blkfront_queue *q, struct xpv_blkfront_shadow *sh)
{
	for (; sh; sh = sh->next) {
		if (sh->op != XPV_BLK_READ || outcome_of(sh->rq)->status != BLK_STS_OK)
			continue;
		if (q->data.paged)
			xpv_blkfront_copy(sh, false);
		else if (unlikely(sh->stands_in))
			xpv_blkfront_copy_stand_ins(sh, false);
	}
}

/* All answers there are; if there are none, the next one is to be told by an event, unless it is looked for. */
static struct xpv_blkfront_shadow *take_or_arm(struct xpv_blkfront_queue *q)
{
	struct xpv_blkfront_shadow *chain = take(q);

	if (!chain && !q->polled && !xpv_ring_broken(&q->ring) &&
	    (xpv_front_rearm(&q->ring, 1) || xpv_ring_broken(&q->ring)))
		chain = take(q);
	return chain;
}

/*
 * Each round takes what has come and gives back what the round before has copied, so that the lock is let
 * go once a round, for the copies and the completions. Others issue requests meanwhile, which may be
 * answered before the round ends: the last rounds keep the lock, and can only be as many as are on the ring.
 */
bool xpv_blkfront_reap(struct xpv_blkfront_queue *q)
{
	struct xpv_blkfront_shadow *chain, *done = NULL, *sh;
	unsigned int round = 0;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	for (; (chain = take_or_arm(q)); round++) {
		if (likely(round < OPEN_ROUNDS)) {
			spin_unlock_irqrestore(&q->lock, flags);
			complete_chain(done);
			done = NULL;
			copy_chain(q, chain);
			spin_lock_irqsave(&q->lock, flags);
		} else {
			copy_chain(q, chain);
		}
		for (sh = chain;; sh = sh->next) {
			if (unlikely(!xpv_blkfront_release(q, sh))) {
				set_outcome(sh, BLK_STS_IOERR);
				/* Nor would it be found out when all is given back: the reference is gone. */
				xpv_blkfront_fail(q->dev, "backend keeps a page mapped after its answer");
			}
			if (!sh->next)
				break;
		}
		sh->next = done;
		done = chain;
	}
	spin_unlock_irqrestore(&q->lock, flags);
	complete_chain(done);
	return round;
}

void xpv_blkfront_recall(struct xpv_blkfront_queue *q, bool again)
{
	struct xpv_blkfront_shadow *chain = NULL, *sh;

	spin_lock_irq(&q->lock);
	for (sh = q->shadow; sh < q->shadow + q->depth; sh++) {
		if (!sh->sent)
			continue;
		sh->sent = false;
		set_outcome(sh, BLK_STS_IOERR);
		/* A backend that is Closed, or of another life, has nothing mapped. */
		if (!xpv_blkfront_release(q, sh) && again)
			xpv_blkfront_fail(q->dev, "backend keeps a page mapped");
		sh->next = chain;
		chain = sh;
	}
	spin_unlock_irq(&q->lock);

	if (!again) {
		complete_chain(chain);
		return;
	}
	while (chain) {
		sh = chain;
		chain = sh->next;
		blk_mq_requeue_request(sh->rq, false);
	}
}
