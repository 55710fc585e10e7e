// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue's life: its ring, its event channel, its pool of requests, and the thread
 * that serves it.
 */
#include "blkback.h"

#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/stat.h>
#include <xen/events.h>

#include <xpv_event.h>

#define RETRY_WAIT	msecs_to_jiffies(10)	/* for what somebody else has to do, and does not tell us */
#define IDLE_WAIT	(10 * HZ)		/* from one look for unused grants, or pages, to the next */
#define MOST_POLL_US	1000u

struct xpv_blkback_queue *xpv_blkback_queue_make(struct xpv_blkback_device *dev,
						 unsigned int index)
{
	struct xpv_blkback_queue *q = kvzalloc(sizeof(*q), GFP_KERNEL);

	if (!q)
		return NULL;
	q->dev = dev;
	q->index = index;
	init_waitqueue_head(&q->wq);
	spin_lock_init(&q->lock);
	chain_init(&q->finished);
	chain_init(&q->starved);
	chain_init(&q->lent);
	chain_init(&q->done);
	chain_init(&q->again);
	INIT_LIST_HEAD(&q->big);
	spin_lock_init(&q->grants_lock);
	xpv_batch_init(&q->batch, dev->xdev->otherend_id);
	return q;
}

static irqreturn_t handle_event(int irq, void *data)
{
	struct xpv_blkback_queue *q = data;

	/* Pairs with the acquire in serve(): what the peer published before, the thread sees. */
	smp_store_release(&q->event, true);
	if (wq_has_sleeper(&q->wq))
		wake_up(&q->wq);
	return IRQ_HANDLED;
}

/*
 * Ask for an event at the next request. Returns whether one is there already. The peer's index
 * is looked at here once more: it may be now that the ring turns out to be broken.
 */
static bool arm(struct xpv_blkback_queue *q)
{
	bool pending;

	spin_lock_irq(&q->lock);
	pending = xpv_back_rearm(&q->ring, 1);
	spin_unlock_irq(&q->lock);
	return pending;
}

/* Once: the device is to be closed, by somebody who may wait for this thread. */
static void report(struct xpv_blkback_queue *q)
{
	if (!q->reported)
		xpv_blkback_tell(q->dev, XPV_BLKBACK_BROKEN);
	q->reported = true;
}

static bool roused(struct xpv_blkback_queue *q)
{
	return READ_ONCE(q->event) || READ_ONCE(q->squeezed) || !chain_empty(&q->done) ||
	       kthread_should_stop() || (!chain_empty(&q->again) && !q->pause) ||
	       (!chain_empty(&q->starved) && !READ_ONCE(q->hungry));
}

/* ns that the thread may look for a request, 0 for not at all. */
static u64 poll_time(void)
{
	return min(READ_ONCE(xpv_blkback_poll_us), MOST_POLL_US) * (u64)NSEC_PER_USEC;
}

/*
 * Look for the next request for a while, as long as nobody else wants the CPU: it may come sooner
 * than an event of it would wake us, and the peer is spared to send one. Returns whether there is
 * anything to do.
 */
static bool poll(struct xpv_blkback_queue *q)
{
	u64 now, most = poll_time();

	if (likely(!most) || unlikely(xpv_ring_broken(&q->ring)))
		return false;
	now = ktime_get_ns();
	xpv_poll_pause(&q->poll, now);
	while (xpv_poll_on(&q->poll, now, most)) {
		if (xpv_back_peek(&q->ring) || roused(q))
			return true;
		if (need_resched() || !single_task_running())
			break;
		cpu_relax();
		now = ktime_get_ns();
	}
	return false;
}

static void wait(struct xpv_blkback_queue *q)
{
	long timeout = MAX_SCHEDULE_TIMEOUT;

	/* To be stopped would be a reason to be roused again and again, while requests end. */
	if (kthread_should_stop()) {
		if (chain_empty(&q->done) && chain_empty(&q->again))
			schedule_timeout_idle(1);
		return;
	}
	if (!chain_empty(&q->starved) || !chain_empty(&q->lent))
		timeout = RETRY_WAIT;
	else if (q->pause)
		timeout = q->pause;
	else if (READ_ONCE(q->grants.count) || READ_ONCE(q->dev->pages.num_pages) > XPV_BLKBACK_SPARE_PAGES)
		timeout = IDLE_WAIT;
	wait_event_idle_timeout(q->wq, roused(q), timeout);
}

/*
 * The thread. As long as there are requests it does not ask for events. An event is
 * acknowledged only when all that it announced has been taken, so that the peer can't have
 * us interrupted more often than we can, or may, serve it; a broken ring is never acknowledged
 * again.
 */
static int serve(void *data)
{
	/* We are on the way of somebody's I/O: no allocation is to start more of it to make room. */
	unsigned int noio = memalloc_noio_save();
	struct xpv_blkback_queue *q = data;
	bool owed = false, useful = false;

	for (;;) {
		u64 now = 0;
		u32 taken;

		/*
		 * Taken before the ring is looked at, for the sake of what it announces. Pairs
		 * with the release in handle_event(), which is not called again before the EOI.
		 */
		if (smp_load_acquire(&q->event)) {
			WRITE_ONCE(q->event, false);
			owed = true;
		}
		if (unlikely(q->poll.idle))
			now = ktime_get_ns();
		taken = xpv_blkback_io(q);
		if (unlikely(now) && taken)
			xpv_poll_work(&q->poll, now, poll_time());
		useful |= taken != 0;
		xpv_blkback_tidy(q);
		cond_resched();

		if (kthread_should_stop()) {
			if (!atomic_read(&q->inflight))
				break;
		} else if (chain_empty(&q->starved) && likely(!q->pause)) {
			if (taken == XPV_BLKBACK_ROUND || poll(q) || arm(q))
				continue;
			if (unlikely(xpv_ring_broken(&q->ring))) {
				report(q);
			} else if (owed) {
				xpv_event_end(q->irq, useful);
				owed = false;
				useful = false;
			}
		}
		wait(q);
	}
	memalloc_noio_restore(noio);
	return 0;
}

struct xpv_blkback_big *xpv_blkback_big_get(struct xpv_blkback_queue *q)
{
	struct xpv_blkback_big *big;

	spin_lock_irq(&q->lock);
	big = list_first_entry_or_null(&q->big, struct xpv_blkback_big, link);
	if (big)
		list_del(&big->link);
	spin_unlock_irq(&q->lock);

	if (big || q->bigs == XPV_BLKBACK_BIG)
		return big;
	big = kzalloc(sizeof(*big), GFP_KERNEL | __GFP_NOWARN);
	if (big)
		q->bigs++;
	return big;
}

static int make_requests(struct xpv_blkback_queue *q, u32 n)
{
	u32 i;

	q->request = kvcalloc(n, sizeof(*q->request), GFP_KERNEL);
	if (!q->request)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		q->request[i].queue = q;
		q->request[i].next = i + 1 < n ? &q->request[i + 1] : NULL;
	}
	q->free = q->request;
	return 0;
}

static void free_requests(struct xpv_blkback_queue *q)
{
	struct xpv_blkback_big *big, *next;

	list_for_each_entry_safe(big, next, &q->big, link)
		kfree(big);
	INIT_LIST_HEAD(&q->big);
	q->bigs = 0;
	q->free = NULL;
	kvfree(q->request);
	q->request = NULL;
}

/* Named after the domain, and the disk as the guest knows it if the toolstack says so. */
static int start_serving(struct xpv_blkback_queue *q)
{
	struct xenbus_device *xdev = q->dev->xdev;
	char *name = xenbus_read(XBT_NIL, xdev->nodename, "dev", NULL);
	struct task_struct *thread;

	thread = kthread_run(serve, q, "xpv-blk.%u.%s-%u", xdev->otherend_id,
			     kbasename(IS_ERR(name) ? xdev->nodename : name), q->index);
	if (!IS_ERR(name))
		kfree(name);
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	q->thread = thread;
	return 0;
}

static void unmap_ring(struct xpv_blkback_queue *q)
{
	void *shared = q->ring.shared;

	spin_lock_irq(&q->lock);
	xpv_ring_detach(&q->ring);
	spin_unlock_irq(&q->lock);
	xenbus_unmap_ring_vfree(q->dev->xdev, shared);
}

static int map_ring(struct xpv_blkback_queue *q, struct xpv_blkback_ring_info *info)
{
	void *shared;
	int err;

	err = xenbus_map_ring_valloc(q->dev->xdev, info->gref, info->pages, &shared);
	if (err)
		return err;
	/* Nobody but who looks at the queue from outside is there yet. */
	spin_lock_irq(&q->lock);
	err = xpv_back_attach(&q->ring, shared, info->pages, xpv_blk_stride(q->dev->abi));
	spin_unlock_irq(&q->lock);
	if (err)
		xenbus_unmap_ring_vfree(q->dev->xdev, shared);
	return err;
}

void xpv_blkback_queue_limit(struct xpv_blkback_queue *q)
{
	spin_lock_irq(&q->lock);
	q->offered = q->dev->limits;
	spin_unlock_irq(&q->lock);
}

void xpv_blkback_queue_squeeze(struct xpv_blkback_queue *q)
{
	WRITE_ONCE(q->squeezed, true);
	wake_up(&q->wq);
}

int xpv_blkback_queue_connect(struct xpv_blkback_queue *q,
			      struct xpv_blkback_ring_info *info)
{
	int err;

	q->event = false;
	q->squeezed = false;
	q->hungry = false;
	q->reported = false;
	q->tries = 0;
	q->tidied = jiffies;
	memset(&q->poll, 0, sizeof(q->poll));
	xpv_blkback_queue_limit(q);

	err = map_ring(q, info);
	if (err)
		return err;
	err = make_requests(q, q->ring.size);
	if (err)
		goto err_unmap_ring;
	err = xpv_blkback_grants_init(q);
	if (err)
		goto err_free_requests;
	err = bind_interdomain_evtchn_to_irqhandler_lateeoi(q->dev->xdev, info->event_channel,
							    handle_event, 0, "xpv-blkback", q);
	if (err < 0)
		goto err_exit_grants;
	q->irq = err;
	err = start_serving(q);
	if (err)
		goto err_unbind_irq;
	return 0;

err_unbind_irq:
	unbind_from_irqhandler(q->irq, q);
	q->irq = 0;
err_exit_grants:
	xpv_blkback_grants_exit(q);
err_free_requests:
	free_requests(q);
err_unmap_ring:
	unmap_ring(q);
	return err;
}

void xpv_blkback_queue_disconnect(struct xpv_blkback_queue *q)
{
	if (!q->thread)
		return;
	/*
	 * It takes nothing more from the ring, cuts discards short, and ends when nothing is in flight:
	 * then all that it took has been answered, and no completion touches the queue any more.
	 */
	kthread_stop(q->thread);
	q->thread = NULL;
	/* There are frontends that wait for every answer before they let go of the disk. */
	if (q->dev->gone)
		xpv_blkback_refuse(q);
	/* An event may still wake the queue, but nobody is there. */
	unbind_from_irqhandler(q->irq, q);
	q->irq = 0;
	xpv_blkback_grants_exit(q);
	free_requests(q);
	unmap_ring(q);
}
