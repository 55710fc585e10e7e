// SPDX-License-Identifier: GPL-2.0-only
/* A queue's life: rings, channels, opening and closing the data path, and what outlives it. */
#include "netfront.h"

#include <linux/rtnetlink.h>
#include <xen/page.h>

/* A late EOI unmasks the channel, so nobody else is in here for it. Interrupts are off. */
static irqreturn_t handle_event(int irq, void *dev_id)
{
	struct xpv_netfront_channel *ch = dev_id;

	/* Before the polls that count it down, which napi_schedule() orders. */
	atomic_set(&ch->waits, ch->serves);
	if (ch->serves & XPV_NETFRONT_TX)
		napi_schedule_irqoff(&ch->queue->tx.napi);
	if (ch->serves & XPV_NETFRONT_RX)
		napi_schedule_irqoff(&ch->queue->rx.napi);
	return IRQ_HANDLED;
}

void xpv_netfront_eoi(struct xpv_netfront_channel *ch, int who)
{
	bool worked;

	/* A poll without an event has no EOI to give. */
	if (atomic_fetch_andnot(who, &ch->waits) != who)
		return;
	worked = xchg(&ch->worked, false);
	if (!worked)
		worked = xchg(&ch->forgive, false);
	xen_irq_lateeoi(ch->irq, worked ? 0 : XEN_EOI_FLAG_SPURIOUS);
}

static int open_channel(struct xpv_netfront_queue *q, unsigned int i, int serves,
			const char *suffix)
{
	struct xpv_netfront_channel *ch = &q->channel[i];
	struct xenbus_device *xbdev = q->front->xbdev;
	int err;

	ch->queue = q;
	ch->serves = serves;
	ch->worked = false;
	ch->forgive = false;
	atomic_set(&ch->waits, 0);
	snprintf(ch->name, sizeof(ch->name), "%s-q%u%s", q->front->netdev->name, q->id, suffix);
	err = xenbus_alloc_evtchn(xbdev, &ch->port);
	if (err)
		return err;
	err = bind_evtchn_to_irqhandler_lateeoi(ch->port, handle_event, 0, ch->name, ch);
	if (err < 0) {
		xenbus_free_evtchn(xbdev, ch->port);
		return err;
	}
	ch->irq = err;
	return 0;
}

void xpv_netfront_queue_deafen(struct xpv_netfront_queue *q)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(q->channel); i++) {
		/* Also closes the event channel. */
		if (q->channel[i].irq)
			unbind_from_irqhandler(q->channel[i].irq, &q->channel[i]);
		q->channel[i].irq = 0;
	}
}

static int open_channels(struct xpv_netfront_queue *q, bool split)
{
	int err;

	q->tx.channel = &q->channel[0];
	q->rx.channel = &q->channel[split ? 1 : 0];
	if (!split)
		return open_channel(q, 0, XPV_NETFRONT_TX | XPV_NETFRONT_RX, "");
	err = open_channel(q, 0, XPV_NETFRONT_TX, "-tx");
	return err ? err : open_channel(q, 1, XPV_NETFRONT_RX, "-rx");
}

static void release_ring(struct xpv_netfront_queue *q, void **shared, grant_ref_t *ref)
{
	if (*ref != INVALID_GRANT_REF) {
		/* One reference goes with the grant, the other with the ring. */
		get_page(virt_to_page(*shared));
		xpv_netfront_end_grant(q->front, *ref, virt_to_page(*shared));
		*ref = INVALID_GRANT_REF;
	}
	xenbus_teardown_ring(shared, 1, ref);
}

void xpv_netfront_queue_release(struct xpv_netfront_queue *q)
{
	xpv_netfront_rx_release(q);
	xpv_netfront_release_static(q);
	xpv_netfront_tx_release(q);
	xpv_ring_detach(&q->rx.ring);
	xpv_ring_detach(&q->tx.ring);
	release_ring(q, &q->rx.shared, &q->rx.ring_ref);
	release_ring(q, &q->tx.shared, &q->tx.ring_ref);
}

int xpv_netfront_queue_connect(struct xpv_netfront_queue *q, bool split)
{
	struct xenbus_device *xbdev = q->front->xbdev;
	int err;

	/* First what may well be scarce: to lack a ring is fatal for the whole device. */
	err = xpv_netfront_tx_connect(q);
	if (err)
		goto err_release;
	err = xpv_netfront_rx_connect(q);
	if (err)
		goto err_release;
	err = xenbus_setup_ring(xbdev, GFP_KERNEL, &q->tx.shared, 1, &q->tx.ring_ref);
	if (err)
		goto err_release;
	err = xenbus_setup_ring(xbdev, GFP_KERNEL, &q->rx.shared, 1, &q->rx.ring_ref);
	if (err)
		goto err_release;
	xpv_front_init(&q->tx.ring, q->tx.shared, 1, XPV_NET_TX_STRIDE);
	xpv_front_init(&q->rx.ring, q->rx.shared, 1, XPV_NET_RX_STRIDE);
	err = open_channels(q, split);
	if (err)
		goto err_deafen;
	return 0;

err_deafen:
	xpv_netfront_queue_deafen(q);
err_release:
	xpv_netfront_queue_release(q);
	return err;
}

void xpv_netfront_add_count(struct xpv_netfront_sum *sum, const struct xpv_netfront_count *count)
{
	struct xpv_netfront_sum now;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&count->syncp);
		now.packets = u64_stats_read(&count->packets);
		now.bytes = u64_stats_read(&count->bytes);
		now.dropped = u64_stats_read(&count->dropped);
		now.errors = u64_stats_read(&count->errors);
		now.gso_fixups = u64_stats_read(&count->gso_fixups);
		now.xdp_drops = u64_stats_read(&count->xdp_drops);
		now.xdp_tx = u64_stats_read(&count->xdp_tx);
		now.xdp_redirects = u64_stats_read(&count->xdp_redirects);
		now.grants = u64_stats_read(&count->grants);
		now.statics = u64_stats_read(&count->statics);
	} while (u64_stats_fetch_retry(&count->syncp, start));
	sum->packets += now.packets;
	sum->bytes += now.bytes;
	sum->dropped += now.dropped;
	sum->errors += now.errors;
	sum->gso_fixups += now.gso_fixups;
	sum->xdp_drops += now.xdp_drops;
	sum->xdp_tx += now.xdp_tx;
	sum->xdp_redirects += now.xdp_redirects;
	sum->grants += now.grants;
	sum->statics += now.statics;
}

void xpv_netfront_queue_start(struct xpv_netfront_queue *q)
{
	struct netdev_queue *txq = xpv_netfront_txq(q);

	ASSERT_RTNL();
	q->started = true;
	napi_enable(&q->rx.napi);
	napi_enable(&q->tx.napi);
	__netif_tx_lock_bh(txq);
	q->tx.up = true;
	netif_tx_wake_queue(txq);
	__netif_tx_unlock_bh(txq);
	/* Post buffers, and give the EOI of an event that came before anybody listened. */
	local_bh_disable();
	napi_schedule(&q->rx.napi);
	napi_schedule(&q->tx.napi);
	local_bh_enable();
}

void xpv_netfront_queue_stop(struct xpv_netfront_queue *q)
{
	struct netdev_queue *txq = xpv_netfront_txq(q);

	ASSERT_RTNL();
	/* No sender comes past this. */
	__netif_tx_lock_bh(txq);
	netif_tx_stop_queue(txq);
	q->tx.up = false;
	__netif_tx_unlock_bh(txq);
	/* Nor a poll: a disabled one is not scheduled, whoever asks for it. */
	if (q->started) {
		napi_disable(&q->tx.napi);
		napi_disable(&q->rx.napi);
	}
	q->started = false;
	/* What asks: the poll that could begin this anew is gone. */
	cancel_delayed_work_sync(&q->rx.refill);
	xpv_moderation_stop(&q->rx.moderation);
	xpv_moderation_stop(&q->tx.moderation);
}

int xpv_netfront_show(struct xpv_netfront *np, struct page **page, grant_ref_t *ref, bool readonly)
{
	int err;

	*page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!*page)
		return -ENOMEM;
	err = gnttab_grant_foreign_access(np->xbdev->otherend_id, xen_page_to_gfn(*page),
					  readonly);
	if (err < 0) {
		__free_page(*page);
		return err;
	}
	*ref = err;
	return 0;
}

int xpv_netfront_make_copies(struct xpv_netfront_queue *q, struct xpv_netfront_copies *c, u32 size)
{
	u32 pages = XPV_NETFRONT_SLOTS * size / XPV_PAGE_SIZE;
	int err;

	c->size = size;
	for (; c->pages < pages; c->pages++) {
		err = xpv_netfront_show(q->front, &c->page[c->pages], &c->ref[c->pages], true);
		if (err)
			return err;
	}
	return 0;
}

void xpv_netfront_free_copies(struct xpv_netfront_queue *q, struct xpv_netfront_copies *c)
{
	while (c->pages) {
		c->pages--;
		xpv_netfront_end_grant(q->front, c->ref[c->pages], c->page[c->pages]);
	}
}

int xpv_netfront_claim(grant_ref_t *ref, u32 n)
{
	grant_ref_t head;
	int err = gnttab_alloc_grant_references(n, &head);

	if (err)
		return err;
	/* They are ours to the last: claiming can't fail. */
	while (n--)
		*ref++ = gnttab_claim_grant_reference(&head);
	return 0;
}

void xpv_netfront_queue_init(struct xpv_netfront *np, struct xpv_netfront_queue *q,
			     unsigned int id)
{
	u32 i;

	q->front = np;
	q->id = id;
	/*
	 * An answer takes as long as the backend's turn to run, so a burst that is held back till then
	 * looks like a standing queue to the stack, and loses packets.
	 */
	netdev_queue_set_dql_min_limit(netdev_get_tx_queue(np->netdev, id), 2 * XPV_NET_MAX_PACKET);
	q->tx.ring_ref = INVALID_GRANT_REF;
	q->rx.ring_ref = INVALID_GRANT_REF;
	for (i = 0; i < XPV_NETFRONT_SLOTS; i++)
		q->tx.gref[i] = INVALID_GRANT_REF;
	u64_stats_init(&q->tx.count.syncp);
	u64_stats_init(&q->rx.count.syncp);
	INIT_DELAYED_WORK(&q->rx.refill, xpv_netfront_refill_work);
	netif_napi_add_tx(np->netdev, &q->tx.napi, xpv_netfront_poll_tx);
	netif_napi_add(np->netdev, &q->rx.napi, xpv_netfront_poll_rx);
	xpv_moderation_init(&q->tx.moderation, &np->tx_coalesce, &q->tx.napi);
	xpv_moderation_init(&q->rx.moderation, &np->rx_coalesce, &q->rx.napi);
}

void xpv_netfront_queue_destroy(struct xpv_netfront_queue *q)
{
	netif_napi_del(&q->rx.napi);
	netif_napi_del(&q->tx.napi);
}
