// SPDX-License-Identifier: GPL-2.0-only
/* A queue: its rings, event channels and NAPI, from connect to disconnect. */
#include "netback.h"

#include <linux/interrupt.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <xen/events.h>

#include <xpv_pool.h>

/*
 * An event channel stays masked until its EOI, which is given when its work is
 * done: that is what holds back a guest that sends too many.
 */
static irqreturn_t tx_event(int irq, void *arg)
{
	struct xpv_netback_queue *q = arg;

	set_bit(XPV_NETBACK_TX_EVENT, &q->events);
	napi_schedule(&q->napi);
	return IRQ_HANDLED;
}

static irqreturn_t rx_event(int irq, void *arg)
{
	struct xpv_netback_queue *q = arg;

	set_bit(XPV_NETBACK_RX_EVENT, &q->events);
	napi_schedule(&q->napi);
	return IRQ_HANDLED;
}

static irqreturn_t any_event(int irq, void *arg)
{
	struct xpv_netback_queue *q = arg;

	set_bit(XPV_NETBACK_RX_EVENT, &q->events);
	return tx_event(irq, arg);
}

static void serve_rx_event(struct xpv_netback_queue *q)
{
	bool shared = q->rx_irq == q->tx_irq, worked;

	/* With one channel for both, the next event comes only when all that is sent was taken. */
	if (!test_and_clear_bit(XPV_NETBACK_RX_EVENT, &q->events) &&
	    likely(!shared || !READ_ONCE(q->need)))
		return;
	worked = xpv_netback_posted(q);
	if (!shared)
		xen_irq_lateeoi(q->rx_irq, worked ? 0 : XEN_EOI_FLAG_SPURIOUS);
	else if (worked)
		set_bit(XPV_NETBACK_TX_WORKED, &q->events);
}

/* The poll is over, and another one may run already. */
static void end_tx_event(struct xpv_netback_queue *q)
{
	bool worked;

	if (!test_and_clear_bit(XPV_NETBACK_TX_EVENT, &q->events))
		return;
	worked = test_and_clear_bit(XPV_NETBACK_TX_WORKED, &q->events);
	xen_irq_lateeoi(q->tx_irq, worked ? 0 : XEN_EOI_FLAG_SPURIOUS);
}

static int work(struct xpv_netback_queue *q, int budget)
{
	bool wait = false;
	u32 ahead;
	int done;

	xpv_moderation_begin(&q->moderation);
	serve_rx_event(q);
	done = xpv_netback_carry(q, budget, &wait);
	if (done)
		set_bit(XPV_NETBACK_TX_WORKED, &q->events);
	if (done == budget)
		return budget;

	/*
	 * Only now do we ask to be told: while there is work, none is needed. Nor while we wait
	 * for credit, but the event's end is due all the same: it may also tell of rx buffers.
	 */
	if (likely(!wait)) {
		if (xpv_moderation_linger(&q->moderation, done))
			return budget;
		ahead = xpv_moderation_ahead(&q->moderation, done);
		if (xpv_back_rearm(&q->tx, ahead) >= ahead)
			return budget;
	}
	if (unlikely(xpv_ring_broken(&q->tx))) {
		/* No EOI: we don't want to hear of this guest again. */
		xpv_netback_give_up(q);
		napi_complete_done(&q->napi, done);
	} else if (napi_complete_done(&q->napi, done)) {
		/* Nor while somebody polls, or will by a timer of his. */
		end_tx_event(q);
	}
	return done;
}

static int poll(struct napi_struct *napi, int budget)
{
	struct xpv_netback_queue *q = container_of(napi, struct xpv_netback_queue, napi);
	struct netdev_queue *txq = xpv_netback_txq(q);
	int done;

	/* netpoll's call for finished transmissions: ours are finished at once. */
	if (unlikely(!budget))
		return 0;

	WRITE_ONCE(q->polling, true);
	done = work(q, budget);
	/*
	 * Also after completion, which delivers what GRO held. Another CPU may poll already: it
	 * then flushes more often. And the queue may be going down, if it isn't up it was flushed.
	 */
	__netif_tx_lock(txq, smp_processor_id());
	q->polling = false;
	if (q->up)
		xpv_netback_flush(q);
	__netif_tx_unlock(txq);
	return done;
}

static struct xpv_netback_queue *make_queue(struct xpv_netback *vif, u32 id)
{
	struct xpv_netback_queue *q = kvzalloc(sizeof(*q), GFP_KERNEL);

	if (!q)
		return NULL;
	q->vif = vif;
	q->id = id;
	xpv_copy_init(&q->tx_copy, (u16)vif->xdev->otherend_id);
	xpv_copy_init(&q->rx_copy, (u16)vif->xdev->otherend_id);
	u64_stats_init(&q->from_guest.syncp);
	u64_stats_init(&q->to_guest.syncp);
	xpv_moderation_init(&q->moderation, &vif->coalesce, &q->napi);
	q->seed = get_random_u32();
	xpv_netback_init_tx(q);
	xpv_netback_init_rx(q);
	return q;
}

int xpv_netback_make_queues(struct xpv_netback *vif, u32 queues)
{
	u32 i;

	for (i = 0; i < queues; i++) {
		struct xpv_netback_queue *q;

		if (vif->queue[i])
			continue;
		q = make_queue(vif, i);
		if (!q)
			return -ENOMEM;
		/* Pairs with the address dependency of whoever counts: what it finds is complete. */
		smp_store_release(&vif->queue[i], q);
	}
	return 0;
}

void xpv_netback_free_queues(struct xpv_netback *vif)
{
	u32 i;

	for (i = 0; i < vif->max_queues; i++)
		kvfree(vif->queue[i]);
}

void xpv_netback_add_count(struct xpv_netback_sum *sum, const struct xpv_netback_count *count)
{
	struct xpv_netback_sum now;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&count->syncp);
		now.packets = u64_stats_read(&count->packets);
		now.bytes = u64_stats_read(&count->bytes);
		now.dropped = u64_stats_read(&count->dropped);
		now.errors = u64_stats_read(&count->errors);
		now.copies = u64_stats_read(&count->copies);
		now.statics = u64_stats_read(&count->statics);
	} while (u64_stats_fetch_retry(&count->syncp, start));
	sum->packets += now.packets;
	sum->bytes += now.bytes;
	sum->dropped += now.dropped;
	sum->errors += now.errors;
	sum->copies += now.copies;
	sum->statics += now.statics;
}

static int bind(struct xpv_netback_queue *q, evtchn_port_t port, irq_handler_t handler,
		const char *name)
{
	return bind_interdomain_evtchn_to_irqhandler_lateeoi(q->vif->xdev, port, handler, 0,
							     name, q);
}

static void unbind_events(struct xpv_netback_queue *q)
{
	if (q->rx_irq && q->rx_irq != q->tx_irq)
		unbind_from_irqhandler(q->rx_irq, q);
	q->rx_irq = 0;
	if (q->tx_irq)
		unbind_from_irqhandler(q->tx_irq, q);
	q->tx_irq = 0;
}

/* Events that come from here on leave their bit and find NAPI disabled. */
static int bind_events(struct xpv_netback_queue *q, const struct xpv_netback_where *w)
{
	bool split = w->tx_port != w->rx_port;
	int irq;

	q->events = 0;
	snprintf(q->tx_name, sizeof(q->tx_name), "%s-q%u%s", q->vif->dev->name, q->id,
		 split ? "-tx" : "");
	snprintf(q->rx_name, sizeof(q->rx_name), "%s-q%u-rx", q->vif->dev->name, q->id);

	irq = bind(q, w->tx_port, split ? tx_event : any_event, q->tx_name);
	if (irq < 0)
		return irq;
	q->tx_irq = irq;
	if (split) {
		irq = bind(q, w->rx_port, rx_event, q->rx_name);
		if (irq < 0) {
			unbind_events(q);
			return irq;
		}
	}
	q->rx_irq = irq;
	return 0;
}

static int make_pools(struct xpv_netback_queue *q)
{
	struct page_pool *pool;

	pool = xpv_pool_create_pieces(&q->napi, XPV_NETBACK_HEADS);
	if (IS_ERR(pool))
		return (int)PTR_ERR(pool);
	q->heads = pool;
	pool = xpv_pool_create(&q->napi, XPV_NETBACK_PAGES);
	if (IS_ERR(pool)) {
		page_pool_destroy(q->heads);
		return (int)PTR_ERR(pool);
	}
	q->pages = pool;
	return 0;
}

static void destroy_pools(struct xpv_netback_queue *q)
{
	page_pool_destroy(q->pages);
	page_pool_destroy(q->heads);
}

int xpv_netback_connect_queue(struct xpv_netback_queue *q, const struct xpv_netback_where *w)
{
	int err;

	err = xpv_netback_attach(q->vif, &q->tx, &q->tx_map, w->tx_ref, XPV_NET_TX_STRIDE);
	if (err)
		return err;
	err = xpv_netback_attach(q->vif, &q->rx, &q->rx_map, w->rx_ref, XPV_NET_RX_STRIDE);
	if (err)
		goto err_tx;
	netif_napi_add(q->vif->dev, &q->napi, poll);
	err = make_pools(q);
	if (err)
		goto err_napi;
	err = bind_events(q, w);
	if (err)
		goto err_pools;
	return 0;

err_pools:
	destroy_pools(q);
err_napi:
	netif_napi_del(&q->napi);
	xpv_netback_detach(q->vif, &q->rx, &q->rx_map);
err_tx:
	xpv_netback_detach(q->vif, &q->tx, &q->tx_map);
	return err;
}

/*
 * The queue is down: nobody transmits, and NAPI is disabled, so that an event's
 * handler can at most leave a bit. Freeing the interrupts waits for those; no
 * lock is held that they could want.
 */
void xpv_netback_disconnect_queue(struct xpv_netback_queue *q)
{
	destroy_pools(q);
	/* Waits for all who may still look at it, and for the last poll, which gives its EOI when it is over. */
	netif_napi_del(&q->napi);
	unbind_events(q);
	xpv_netback_detach(q->vif, &q->rx, &q->rx_map);
	xpv_netback_detach(q->vif, &q->tx, &q->tx_map);
}

void xpv_netback_up(struct xpv_netback_queue *q)
{
	struct netdev_queue *txq = xpv_netback_txq(q);

	ASSERT_RTNL();
	napi_enable(&q->napi);
	__netif_tx_lock_bh(txq);
	q->need = 0;
	q->draining = false;
	q->up = true;
	q->plain = !q->vif->filtered;
	q->headroom = q->vif->headroom;
	netif_tx_wake_queue(txq);
	__netif_tx_unlock_bh(txq);

	/* Whatever came before: packets in the ring, or events nobody could serve. */
	local_bh_disable();
	napi_schedule(&q->napi);
	local_bh_enable();
}

void xpv_netback_down(struct xpv_netback_queue *q)
{
	struct netdev_queue *txq = xpv_netback_txq(q);

	ASSERT_RTNL();
	/*
	 * All who touch the ring or wake the queue hold this lock and look at @up first: after
	 * this nobody does, though start_xmit may still be entered once, to drop its packet.
	 */
	__netif_tx_lock_bh(txq);
	xpv_netback_flush(q);
	q->up = false;
	q->plain = false;
	xpv_netback_set_dead(q, false);
	netif_tx_stop_queue(txq);
	__netif_tx_unlock_bh(txq);
	napi_disable(&q->napi);
	/* Nothing is left that could queue these anew. */
	cancel_delayed_work_sync(&q->stall_work);
	cancel_delayed_work_sync(&q->credit_work);
	xpv_moderation_stop(&q->moderation);
}

void xpv_netback_refresh(struct xpv_netback_queue *q)
{
	struct netdev_queue *txq = xpv_netback_txq(q);

	__netif_tx_lock_bh(txq);
	q->plain = q->up && !q->vif->filtered;
	q->headroom = q->vif->headroom;
	__netif_tx_unlock_bh(txq);
}

void xpv_netback_give_up(struct xpv_netback_queue *q)
{
	schedule_work(&q->vif->broken_work);
}
