// SPDX-License-Identifier: GPL-2.0-only
/*
 * The peer's pages: found in the cache of those that stay mapped, or mapped in batches.
 *
 * An entry of the cache is added before it is mapped. Until the batch is submitted, and for
 * good if that fails, its handle is none; whoever finds such an entry shares its fate. A
 * round of the queue's thread settles all of its own before it looks up anything new, so that
 * an entry without a mapping never outlives a round.
 *
 * That is why each queue has a cache of its own: in one for all, another queue's thread would
 * find entries that are on their way to the hypervisor, and would have to wait for this one. Nor
 * would much be shared: a frontend recycles the grants of a queue within it. How many stay
 * mapped is limited for all queues of a domain together.
 */
#include "blkback.h"

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/timekeeping.h>

#define TIDY_INTERVAL	(HZ / 10)
#define IN_USE_WAIT	10	/* ms, for others to let go of pages */
#define EVICT_SHARE	20	/* where there are too many, 1/20 is given up at a time */

/*
 * What a queue has room for: requests as frontends make them by default, of 32 segments and
 * a page that lists them, in as many slots. With more slots than that, pages are used again before
 * all of them are.
 */
#define PAGES_PER_SLOT	33u
#define FULL_SLOTS	128u

int xpv_blkback_grants_init(struct xpv_blkback_queue *q)
{
	if (!q->dev->persistent)
		return 0;
	q->overflow = false;
	q->refusals = READ_ONCE(q->dev->domain->refusals);
	return xpv_cache_init(&q->grants, min(q->ring.size, FULL_SLOTS) * PAGES_PER_SLOT);
}

static void evict_older(struct xpv_blkback_queue *q, u64 before)
{
	while (xpv_blkback_evict(q, XPV_BATCH_MAX, before) == XPV_BATCH_MAX)
		;
}

void xpv_blkback_grants_exit(struct xpv_blkback_queue *q)
{
	if (!q->grants.capacity)
		return;
	for (evict_older(q, U64_MAX); q->grants.count; evict_older(q, U64_MAX))
		msleep(IN_USE_WAIT);
	xpv_cache_destroy(&q->grants);
}

/* Add @gref to the cache, if there and in the domain's account is room for it. */
static struct xpv_cached *keep(struct xpv_blkback_queue *q, u32 gref)
{
	struct xpv_blkback_domain *dom = q->dev->domain;
	struct xpv_cached *e;

	lockdep_assert_held(&q->grants_lock);
	if (!xpv_blkback_domain_charge(dom))
		return NULL;
	e = xpv_cache_add(&q->grants, gref);
	if (!e) {
		q->overflow = true;
		xpv_blkback_domain_uncharge(dom, 1);
	}
	return e;
}

/*
 * Pin what is cached, and add what is not. Returns whether all is mapped already; if not, there is no
 * room for *@alone of it.
 */
static bool look_up(struct xpv_blkback_request *req, u32 from, u32 *alone)
{
	struct xpv_blkback_queue *q = req->queue;
	bool all = true;
	u32 i, out = 0;

	spin_lock_irq(&q->grants_lock);
	for (i = from; i < req->nr_pages; i++) {
		struct xpv_blkback_page *p = &req->page[i];

		p->cached = xpv_cache_get(&q->grants, p->own.gref);
		if (likely(p->cached)) {
			all &= xpv_mapped(&p->cached->map);
			continue;
		}
		all = false;
		p->cached = keep(q, p->own.gref);
		out += !p->cached;
	}
	spin_unlock_irq(&q->grants_lock);
	*alone = out;
	return all;
}

/*
 * Account for @n more pages that are mapped for @req alone. As long as no other request of the queue
 * has any, it may: then there is one at least that goes on.
 */
static bool borrow(struct xpv_blkback_request *req, u32 n)
{
	struct xpv_blkback_queue *q = req->queue;

	if (n && !xpv_blkback_domain_borrow(q->dev->domain, n, q->borrowed == req->borrowed))
		return false;
	q->borrowed += n;
	req->borrowed += n;
	return true;
}

static void give_back(struct xpv_blkback_request *req)
{
	struct xpv_blkback_queue *q = req->queue;

	xpv_blkback_domain_give_back(q->dev->domain, req->borrowed);
	q->borrowed -= req->borrowed;
	req->borrowed = 0;
}

void xpv_blkback_want(struct xpv_blkback_request *req, u32 from, bool readonly)
{
	struct xpv_blkback_queue *q = req->queue;
	struct xpv_blkback_device *dev = q->dev;
	u32 i, alone = req->nr_pages - from;
	bool room;

	if (dev->persistent && look_up(req, from, &alone))
		return;

	req->missing = true;
	room = borrow(req, alone);
	for (i = from; i < req->nr_pages; i++) {
		struct xpv_mapping *m = xpv_blkback_mapping(&req->page[i]);

		/* A page has been found for it: it is mapped, or in this round's batches. */
		if (m->page)
			continue;
		if ((!room && !req->page[i].cached) || gnttab_page_cache_get(&dev->pages, &m->page)) {
			m->page = NULL;
			m->handle = XPV_NO_ROOM;
			continue;
		}
		if (xpv_batch_full(&q->batch))
			xpv_blkback_map(q);
		/* What stays mapped may be read into some other time. */
		xpv_batch_add_map(&q->batch, m, readonly && !req->page[i].cached);
	}
}

void xpv_blkback_map(struct xpv_blkback_queue *q)
{
	/* Whose mapping failed finds out by its handle. */
	xpv_batch_map(&q->batch);
}

int xpv_blkback_mapped(struct xpv_blkback_request *req)
{
	int err = 0;
	u32 i;

	if (likely(!req->missing))
		return 0;
	for (i = 0; i < req->nr_pages; i++) {
		const struct xpv_mapping *m = xpv_blkback_mapping(&req->page[i]);

		if (xpv_mapped(m))
			continue;
		if (m->handle != XPV_NO_ROOM)
			return -EIO;
		err = -EAGAIN;
	}
	if (!err)
		req->missing = false;
	return err;
}

/* Let go of @e, which could not be mapped. */
static void unpin_failed(struct xpv_blkback_queue *q, struct xpv_cached *e)
{
	if (e->pins > 1) {
		e->pins--;
		return;
	}
	if (e->map.page)
		gnttab_page_cache_put(&q->dev->pages, &e->map.page, 1);
	xpv_cache_drop(&q->grants, e);
	xpv_blkback_domain_uncharge(q->dev->domain, 1);
}

void xpv_blkback_unpin(struct xpv_blkback_request *req)
{
	struct xpv_blkback_queue *q = req->queue;
	u64 now = ktime_get_seconds();
	unsigned long flags;
	u32 i;

	if (!q->dev->persistent)
		return;
	spin_lock_irqsave(&q->grants_lock, flags);
	for (i = 0; i < req->nr_pages; i++) {
		struct xpv_cached *e = req->page[i].cached;

		if (!e)
			continue;
		if (likely(xpv_mapped(&e->map)))
			xpv_cache_put(&q->grants, e, now);
		else
			unpin_failed(q, e);
	}
	spin_unlock_irqrestore(&q->grants_lock, flags);
}

bool xpv_blkback_in_use(const struct xpv_blkback_request *req)
{
	u32 i;

	if (!req->borrowed)
		return false;
	for (i = 0; i < req->nr_pages; i++) {
		const struct xpv_blkback_page *p = &req->page[i];

		if (!p->cached && xpv_mapped(&p->own) && xpv_os_in_use(p->own.page))
			return true;
	}
	return false;
}

void xpv_blkback_release(struct xpv_blkback_request *req)
{
	struct xpv_blkback_queue *q = req->queue;
	u32 i;

	if (!req->borrowed)
		return;
	for (i = 0; i < req->nr_pages; i++) {
		struct xpv_mapping *m = &req->page[i].own;

		if (req->page[i].cached || !m->page)
			continue;
		if (!xpv_mapped(m)) {
			gnttab_page_cache_put(&q->dev->pages, &m->page, 1);
			continue;
		}
		if (xpv_batch_full(&q->batch))
			xpv_blkback_unmap(q);
		xpv_batch_add_unmap(&q->batch, m);
	}
	/* But for what is in the batch, which soon will be. */
	give_back(req);
}

void xpv_blkback_unmap(struct xpv_blkback_queue *q)
{
	u32 n = q->batch.n;

	if (!n)
		return;
	xpv_batch_unmap(&q->batch);
	gnttab_page_cache_put(&q->dev->pages, q->batch.page, n);
}

u32 xpv_blkback_evict(struct xpv_blkback_queue *q, u32 most, u64 before)
{
	u32 i, n;

	spin_lock_irq(&q->grants_lock);
	n = xpv_cache_evict(&q->grants, q->evicted, min(most, XPV_BATCH_MAX), before);
	spin_unlock_irq(&q->grants_lock);

	for (i = 0; i < n; i++)
		xpv_batch_add_unmap(&q->batch, &q->evicted[i]);
	xpv_blkback_unmap(q);
	xpv_blkback_domain_uncharge(q->dev->domain, n);
	return n;
}

/* Give up what is too much. */
static void shed(struct xpv_blkback_queue *q)
{
	const struct xpv_blkback_domain *dom = q->dev->domain;
	u32 excess, refusals = READ_ONCE(dom->refusals);

	while ((excess = xpv_blkback_domain_excess(dom)) && xpv_blkback_evict(q, excess, U64_MAX))
		;
	if (!q->overflow && refusals == q->refusals)
		return;
	q->overflow = false;
	q->refusals = refusals;
	/*
	 * Little by little, and not at every miss: a peer that uses more pages than fit, round
	 * and round, would find none of them any more. All queues of the domain do so, whoever was
	 * refused: in time each has its share.
	 */
	xpv_blkback_evict(q, max(q->grants.count / EVICT_SHARE, 1u), U64_MAX);
}

void xpv_blkback_tidy(struct xpv_blkback_queue *q)
{
	u64 age = READ_ONCE(xpv_blkback_unused_seconds), now = ktime_get_seconds();
	struct xpv_blkback_device *dev = q->dev;
	bool squeezed = READ_ONCE(q->squeezed);

	if (!squeezed && time_before(jiffies, q->tidied + TIDY_INTERVAL))
		return;
	q->tidied = jiffies;
	if (squeezed)
		WRITE_ONCE(q->squeezed, false);

	if (dev->persistent) {
		if (squeezed)
			evict_older(q, U64_MAX);
		else if (age && age < now)
			evict_older(q, now - age);
		shed(q);
	}
	gnttab_page_cache_shrink(&dev->pages, squeezed ? 0 : XPV_BLKBACK_SPARE_PAGES);
}
