// SPDX-License-Identifier: GPL-2.0-only
/* A queue's ring, event channel, memory and grants: what there is before and after requests. */
#include "blkfront.h"

#include <linux/interrupt.h>
#include <linux/slab.h>
#include <xen/events.h>
#include <xen/page.h>

/* What the pool of tables starts with; more are made when that many requests are large at once. */
#define FIRST_TABLES	4u

bool xpv_blkfront_pool_grow(struct xpv_blkfront_queue *q, struct xpv_blkfront_pool *pool, gfp_t gfp)
{
	struct xpv_blkfront_grant g = {};
	grant_ref_t first;
	int ref;

	if (!pool->paged) {
		if (gnttab_alloc_grant_reference_seq(1, &first))
			return false;
		g.gref = first;
		goto out;
	}
	/* Zeroed: an answer that is shorter than its page, or a backend that reads all of it. */
	g.addr = (void *)__get_free_page(gfp | __GFP_ZERO | __GFP_NOWARN);
	if (!g.addr)
		return false;
	ref = gnttab_grant_foreign_access(q->dev->xb->otherend_id, virt_to_gfn(g.addr), 0);
	if (ref < 0) {
		free_page((unsigned long)g.addr);
		return false;
	}
	g.gref = ref;
out:
	pool->free[pool->nr_free++] = g;
	pool->total++;
	return true;
}

static int fill(struct xpv_blkfront_queue *q, struct xpv_blkfront_pool *pool, bool paged,
		u32 max, u32 first)
{
	pool->free = kvmalloc_array(max, sizeof(*pool->free), GFP_KERNEL);
	if (!pool->free)
		return -ENOMEM;
	pool->nr_free = 0;
	pool->total = 0;
	pool->max = max;
	pool->paged = paged;
	while (pool->total < first)
		if (!xpv_blkfront_pool_grow(q, pool, GFP_KERNEL))
			return -ENOMEM;
	return 0;
}

/* End a page's grant and free it. False: the backend has it still mapped, it is freed when it no longer is. */
static bool end_page(struct xpv_blkfront_grant *g)
{
	if (likely(gnttab_try_end_foreign_access(g->gref))) {
		free_page((unsigned long)g->addr);
		return true;
	}
	gnttab_end_foreign_access(g->gref, virt_to_page(g->addr));
	return false;
}

/*
 * Every grant is back in the pool, but for those that could not be ended and are counted out. Returns
 * whether the backend has let go of all pages.
 */
static bool drain(struct xpv_blkfront_pool *pool)
{
	bool ended = true;

	while (pool->nr_free) {
		struct xpv_blkfront_grant *g = &pool->free[--pool->nr_free];

		if (g->addr)
			ended &= end_page(g);
		else
			gnttab_free_grant_reference(g->gref);
	}
	kvfree(pool->free);
	memset(pool, 0, sizeof(*pool));
	return ended;
}

/* The same for the ring. */
static bool drop_ring(struct xpv_blkfront_queue *q)
{
	bool ended = true;
	unsigned int i;

	if (!q->page)
		return true;
	for (i = 0; i < q->nr_pages; i++) {
		if (gnttab_try_end_foreign_access(q->gref[i]))
			q->gref[i] = INVALID_GRANT_REF;
		else
			ended = false;
	}
	/* Sees to those that are left. */
	xenbus_teardown_ring(&q->page, q->nr_pages, q->gref);
	return ended;
}

static irqreturn_t interrupt(int irq, void *arg)
{
	struct xpv_blkfront_queue *q = arg;
	bool worked = xpv_blkfront_reap(q);

	/* Events that bring nothing are throttled by Xen, and so is a backend that sends them. */
	xen_irq_lateeoi(irq, worked ? 0 : XEN_EOI_FLAG_SPURIOUS);
	return IRQ_HANDLED;
}

int xpv_blkfront_queue_open(struct xpv_blkfront_queue *q, unsigned int order)
{
	struct xenbus_device *xb = q->dev->xb;
	int err;

	q->nr_pages = 1u << order;
	err = xenbus_setup_ring(xb, GFP_KERNEL, &q->page, q->nr_pages, q->gref);
	if (err)
		return err;
	xpv_front_init(&q->ring, q->page, q->nr_pages, sizeof(struct xpv_blk_slot64));

	err = xenbus_alloc_evtchn(xb, &q->evtchn);
	if (err)
		goto err_ring;
	/* From here on the backend can interrupt; it has no requests to answer, and the ring says so. */
	err = bind_evtchn_to_irqhandler_lateeoi(q->evtchn, interrupt, 0, q->dev->name, q);
	if (err < 0)
		goto err_evtchn;
	q->irq = err;
	return 0;

err_evtchn:
	xenbus_free_evtchn(xb, q->evtchn);
err_ring:
	xpv_ring_detach(&q->ring);
	xenbus_teardown_ring(&q->page, q->nr_pages, q->gref);
	return err;
}

int xpv_blkfront_queue_start(struct xpv_blkfront_queue *q, unsigned int depth)
{
	u32 segs = q->dev->max_segs;
	unsigned int i;
	int err;

	q->shadow = kvcalloc(depth, sizeof(*q->shadow), GFP_KERNEL);
	q->held = kvcalloc(array_size(depth, segs), sizeof(*q->held), GFP_KERNEL);
	if (!q->shadow || !q->held)
		return -ENOMEM;
	for (i = 0; i < depth; i++)
		q->shadow[i].held = q->held + i * segs;
	q->depth = depth;

	/*
	 * Enough from the start for one request of any size, so that there is always progress,
	 * and for as many small ones as there can be.
	 */
	err = fill(q, &q->data, q->dev->bounce, depth * segs, max(depth, segs));
	if (err)
		return err;
	if (segs > XPV_BLK_DIRECT_SEGS) {
		err = fill(q, &q->tables, true, depth, min(depth, FIRST_TABLES));
		if (err)
			return err;
	}

	spin_lock_irq(&q->lock);
	q->live = true;
	spin_unlock_irq(&q->lock);
	return 0;
}

static void shut(struct xpv_blkfront_dev *dev, blk_status_t refuse)
{
	struct xpv_blkfront_queue *q;

	lockdep_assert_held(&dev->lock);
	/* All there can be: lanes still lead to those of an earlier connection. */
	for (q = dev->queue; q < dev->queue + dev->max_queues; q++) {
		spin_lock_irq(&q->lock);
		WRITE_ONCE(q->live, false);
		q->refuse = refuse;
		spin_unlock_irq(&q->lock);
	}
	/* Whoever had seen it live leaves before this returns; whoever comes later finds it dead. */
	if (dev->disk && !dev->frozen)
		blk_mq_quiesce_queue(dev->disk->queue);
	dev->frozen = !!dev->disk;
}

void xpv_blkfront_halt(struct xpv_blkfront_dev *dev)
{
	shut(dev, BLK_STS_RESOURCE);
}

bool xpv_blkfront_idle(struct xpv_blkfront_dev *dev)
{
	struct xpv_blkfront_queue *q;
	u32 n = 0;

	lockdep_assert_held(&dev->lock);
	for (q = dev->queue; q < dev->queue + dev->nr_queues; q++) {
		/* Those who would look for its answers may be frozen. */
		if (q->live && q->polled)
			xpv_blkfront_reap(q);
		spin_lock_irq(&q->lock);
		if (q->live)
			n += xpv_front_inflight(&q->ring);
		spin_unlock_irq(&q->lock);
	}
	return !n;
}

void xpv_blkfront_stop(struct xpv_blkfront_dev *dev, bool again)
{
	struct xpv_blkfront_queue *q;

	shut(dev, again ? BLK_STS_RESOURCE : BLK_STS_IOERR);
	for (q = dev->queue; q < dev->queue + dev->nr_queues; q++) {
		/* Waits for a handler that runs. After it nobody takes answers but us. */
		if (q->irq)
			unbind_from_irqhandler(q->irq, q);
		q->irq = 0;
		if (q->ring.shared)
			xpv_blkfront_reap(q);
		xpv_blkfront_recall(q, again);
	}
	if (!again)
		xpv_blkfront_thaw(dev);
}

void xpv_blkfront_thaw(struct xpv_blkfront_dev *dev)
{
	lockdep_assert_held(&dev->lock);
	if (!dev->frozen)
		return;
	dev->frozen = false;
	blk_mq_unquiesce_queue(dev->disk->queue);
	/* Of a disk that is gone nothing can be on the list, and its work would outlive it. */
	if (!completion_done(&dev->retired))
		blk_mq_kick_requeue_list(dev->disk->queue);
}

bool xpv_blkfront_queue_close(struct xpv_blkfront_queue *q)
{
	bool ended;

	xpv_ring_detach(&q->ring);
	ended = drain(&q->tables);
	ended &= drain(&q->data);
	kvfree(q->held);
	q->held = NULL;
	kvfree(q->shadow);
	q->shadow = NULL;
	q->depth = 0;
	return drop_ring(q) && ended;
}
