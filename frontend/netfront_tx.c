// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets from the guest's stack to the backend, and the answers to them. Those that were copied need no
 * answer: for them alone no event is asked for, and answers are taken when slots run low.
 */
#include "netfront.h"

#include <linux/skbuff.h>
#include <xen/page.h>

/* Answers that are worth taking while the sender is at it anyway. */
#define REAP_BATCH	32u

#define ANSWERED_TOO_MUCH	"answered more than was sent"

static void refused(struct xpv_netfront_queue *q, const struct xpv_netfront_txslot *slot)
{
	if (slot->state != XPV_NETFRONT_MESSAGE) {
		xpv_netfront_count(&q->tx.count, &q->tx.count.errors);
		return;
	}
	WRITE_ONCE(q->front->mcast_refused, true);
	schedule_delayed_work(&q->front->mcast_work, 0);
}

/* What somebody waits for is answered. The rest as below. */
static const char *end_wait(struct xpv_netfront_queue *q, struct xpv_netfront_txslot *slot,
			    grant_ref_t gref, int budget, u32 *packets, u32 *bytes)
{
	struct xpv_netfront_tx *tx = &q->tx;
	struct sk_buff *skb;

	switch (slot->state) {
	case XPV_NETFRONT_GRANTED:
		if (!gnttab_end_foreign_access_ref(gref))
			return "answered a packet and keeps its page";
		skb = slot->skb;
		slot->skb = NULL;
		if (--*xpv_netfront_left(skb))
			break;
		tx->waiting--;
		++*packets;
		*bytes += skb->len;
		napi_consume_skb(skb, budget);
		break;
	case XPV_NETFRONT_FRAME:
		if (!gnttab_end_foreign_access_ref(gref))
			return "answered a frame and keeps its page";
		tx->waiting--;
		tx->frames--;
		xdp_return_frame(slot->frame);
		slot->frame = NULL;
		break;
	case XPV_NETFRONT_MESSAGE:
		tx->waiting--;
		break;
	}
	return NULL;
}

/* Take one answer. NULL, or what is wrong with it. Adds an skb that is done to @bytes. */
static const char *take_answer(struct xpv_netfront_queue *q, const struct xpv_net_txrsp *rsp,
			       int budget, u32 *packets, u32 *bytes)
{
	struct xpv_netfront_tx *tx = &q->tx;
	struct xpv_netfront_txslot *slot;
	const char *wrong;

	if (rsp->status == XPV_NET_NULL) {
		if (!tx->extras)
			return "answered an extra that was not sent";
		tx->extras--;
		return NULL;
	}
	if (rsp->id >= XPV_NETFRONT_SLOTS || tx->slot[rsp->id].state == XPV_NETFRONT_FREE)
		return "answered a packet that was not sent";
	slot = &tx->slot[rsp->id];
	if (slot->state != XPV_NETFRONT_COPIED) {
		wrong = end_wait(q, slot, tx->gref[rsp->id], budget, packets, bytes);
		if (wrong)
			return wrong;
	}
	if (slot->first && rsp->status < 0)
		refused(q, slot);
	slot->state = XPV_NETFRONT_FREE;
	tx->free_id[tx->free_ids++] = rsp->id;
	return NULL;
}

/*
 * Frames go back to the pools they are from, which must not be with interrupts off, as netpoll has
 * them: then all answers wait for the real poll.
 */
static bool not_now(struct xpv_netfront_tx *tx)
{
	if (likely(!tx->frames) || !irqs_disabled())
		return false;
	napi_schedule(&tx->napi);
	return true;
}

/* Take all answers there are. @budget as of the poll, 0 when it is none. */
static void reap(struct xpv_netfront_queue *q, int budget)
{
	struct xpv_netfront_tx *tx = &q->tx;
	struct netdev_queue *txq = xpv_netfront_txq(q);
	u32 n = xpv_front_pending(&tx->ring), packets = 0, bytes = 0;
	struct xpv_net_txrsp rsp;
	const char *wrong = NULL;

	if (unlikely(not_now(tx)))
		return;
	if (n)
		WRITE_ONCE(tx->channel->worked, true);
	while (n-- && !wrong) {
		xpv_ring_copy(&tx->ring, tx->ring.cons, &rsp, sizeof(rsp));
		tx->ring.cons++;
		wrong = take_answer(q, &rsp, budget, &packets, &bytes);
	}
	if (packets)
		netdev_tx_completed_queue(txq, packets, bytes);
	if (wrong)
		xpv_ring_break(&tx->ring);
	else if (netif_tx_queue_stopped(txq) && xpv_front_free(&tx->ring) >= XPV_NETFRONT_ROOM)
		netif_tx_wake_queue(txq);
	if (unlikely(xpv_ring_broken(&tx->ring)))
		xpv_netfront_fail(q->front, wrong ? wrong : ANSWERED_TOO_MUCH);
}

/*
 * How many of @open answers to wait for: half of them, but no fewer than a whole large packet's;
 * or as many as our user likes. All of them come, but if it takes more, the timer goes off before.
 */
static u32 worth_an_event(struct xpv_netfront_queue *q, u32 open)
{
	struct xpv_netfront_tx *tx = &q->tx;
	u32 frames = READ_ONCE(tx->moderation.set->frames);

	/* The queue stands still until then. */
	if (READ_ONCE(tx->moderation.set->usecs) && !netif_xmit_stopped(xpv_netfront_txq(q)))
		return xpv_moderation_ahead(&tx->moderation, true);
	return frames ? min(open, frames) : max(min(open, XPV_NET_MAX_SLOTS), open / 2);
}

/* Ask for an event if anybody waits for one. All requests are published. */
static void arm(struct xpv_netfront_queue *q, int budget)
{
	struct xpv_netfront_tx *tx = &q->tx;
	struct xpv_ring *ring = &tx->ring;

	if (unlikely(not_now(tx)))
		return;
	while (tx->waiting || netif_xmit_stopped(xpv_netfront_txq(q))) {
		u32 pending = xpv_front_pending(ring);
		u32 open = xpv_front_inflight(ring) - pending;

		/* Each turn takes answers, and nobody sends meanwhile. */
		if (open && pending < REAP_BATCH) {
			u32 ahead = pending + worth_an_event(q, open);

			if (xpv_front_rearm(ring, ahead) < ahead)
				break;
			/* It may come nevertheless. */
			WRITE_ONCE(tx->channel->forgive, true);
		}
		if (!xpv_front_inflight(ring) || xpv_ring_broken(ring))
			break;
		reap(q, budget);
	}
	if (unlikely(xpv_ring_broken(ring)))
		xpv_netfront_fail(q->front, ANSWERED_TOO_MUCH);
}

static void drop(struct xpv_netfront_tx *tx, struct sk_buff *skb)
{
	xpv_netfront_count(&tx->count, &tx->count.dropped);
	dev_kfree_skb_any(skb);
}

/* Returns whether the backend has to be told now. */
static bool send(struct xpv_netfront_queue *q, struct sk_buff *skb)
{
	bool more = netdev_xmit_more();
	u32 size = skb->len;
	int stays;

	stays = xpv_netfront_pack(q, skb);
	if (unlikely(stays < 0))
		drop(&q->tx, skb);
	else if (stays)
		return __netdev_tx_sent_queue(xpv_netfront_txq(q), size, more);
	else
		dev_consume_skb_any(skb);
	return !more;
}

/* Take answers when slots run low. */
static void make_room(struct xpv_netfront_queue *q)
{
	if (xpv_front_free(&q->tx.ring) < XPV_NETFRONT_SLOTS / 2)
		reap(q, 0);
}

/* Tell the backend what there is, if it is to be told now; it is when nothing more would fit. */
static void show(struct xpv_netfront_queue *q, bool now)
{
	struct xpv_ring *ring = &q->tx.ring;
	bool notify;

	if (unlikely(xpv_front_free(ring) < XPV_NETFRONT_ROOM)) {
		netif_tx_stop_queue(xpv_netfront_txq(q));
		now = true;
	}
	if (!now)
		return;
	notify = xpv_front_publish(ring);
	arm(q, 0);
	if (notify)
		notify_remote_via_irq(q->tx.channel->irq);
}

int xpv_netfront_send_mcast(struct xpv_netfront_queue *q, u8 type, u64 addr)
{
	struct xpv_netfront_tx *tx = &q->tx;
	struct netdev_queue *txq = xpv_netfront_txq(q);
	int err = -EAGAIN;

	__netif_tx_lock_bh(txq);
	if (tx->up && xpv_front_free(&tx->ring) >= XPV_NETFRONT_ROOM) {
		xpv_netfront_pack_mcast(q, type, addr);
		show(q, true);
		err = 0;
	}
	__netif_tx_unlock_bh(txq);
	return err;
}

/* Single producer: the stack holds the transmit queue's lock. */
netdev_tx_t xpv_netfront_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct xpv_netfront *np = netdev_priv(dev);
	struct xpv_netfront_queue *q = &np->queue[skb_get_queue_mapping(skb)];
	struct xpv_netfront_tx *tx = &q->tx;
	bool kick;

	if (unlikely(!tx->up || xpv_ring_broken(&tx->ring) ||
		     xpv_front_free(&tx->ring) < XPV_NETFRONT_ROOM)) {
		drop(tx, skb);
		return NETDEV_TX_OK;
	}
	kick = send(q, skb);
	make_room(q);
	show(q, kick);
	return NETDEV_TX_OK;
}

/* One that is not in a single page travels as an skb. The rest as in send_frames(). */
static bool send_as_skb(struct xpv_netfront_queue *q, struct xdp_frame *frame)
{
	struct sk_buff *skb = xdp_build_skb_from_frame(frame, q->front->netdev);

	if (!skb)
		return false;
	/* It was taken for one that was received, with no word of where its headers are. */
	skb_reset_network_header(skb);
	skb_push(skb, ETH_HLEN);
	send(q, skb);
	return true;
}

static bool send_frame(struct xpv_netfront_queue *q, struct xdp_frame *frame)
{
	u32 end = offset_in_page(frame->data) + frame->len;

	if (unlikely(frame->len < ETH_HLEN))
		return false;
	if (unlikely(xdp_frame_has_frags(frame)) ||
	    (frame->len > q->tx.copies->size && end > XPV_PAGE_SIZE))
		return send_as_skb(q, frame);
	xpv_netfront_pack_frame(q, frame);
	return true;
}

int xpv_netfront_send_frames(struct xpv_netfront_queue *q, struct xdp_frame **frames, int n,
			     bool flush)
{
	struct xpv_netfront_tx *tx = &q->tx;
	struct netdev_queue *txq = xpv_netfront_txq(q);
	int i = -ENETDOWN;

	__netif_tx_lock(txq, smp_processor_id());
	if (likely(tx->up && !xpv_ring_broken(&tx->ring))) {
		for (i = 0; i < n; i++) {
			make_room(q);
			if (xpv_front_free(&tx->ring) < XPV_NETFRONT_ROOM || !send_frame(q, frames[i]))
				break;
		}
		show(q, flush);
	}
	__netif_tx_unlock(txq);
	return i;
}

int xpv_netfront_poll_tx(struct napi_struct *napi, int budget)
{
	struct xpv_netfront_queue *q = container_of(napi, struct xpv_netfront_queue, tx.napi);
	struct netdev_queue *txq = xpv_netfront_txq(q);

	__netif_tx_lock(txq, smp_processor_id());
	reap(q, budget);
	arm(q, budget);
	__netif_tx_unlock(txq);

	/* Without a budget it is netpoll that wants free slots: the real poll is still to come. */
	if (budget && napi_complete_done(napi, 0) && !xpv_ring_broken(&q->tx.ring))
		xpv_netfront_eoi(q->tx.channel, XPV_NETFRONT_TX);
	return 0;
}

/* The connection is over and so is the packet. */
static void abandon(struct xpv_netfront *np, struct sk_buff *skb, grant_ref_t gref)
{
	xpv_netfront_end_skb_grant(np, gref, skb);
	if (!--*xpv_netfront_left(skb))
		kfree_skb(skb);
}

/* Its page is free when the backend lets go of it too. */
static void abandon_frame(struct xpv_netfront *np, struct xdp_frame *frame, grant_ref_t gref)
{
	struct page *page = virt_to_page(frame->data);

	/* With a second reference a pool gives up its claim to the page. */
	get_page(page);
	xdp_return_frame(frame);
	xpv_netfront_end_grant(np, gref, page);
}

void xpv_netfront_tx_release(struct xpv_netfront_queue *q)
{
	struct xpv_netfront_tx *tx = &q->tx;
	u32 i;

	xpv_netfront_free_copies(q, &tx->kept);
	xpv_netfront_free_copies(q, &tx->own);
	tx->mapped = false;
	for (i = 0; i < XPV_NETFRONT_SLOTS; i++) {
		struct xpv_netfront_txslot *slot = &tx->slot[i];

		if (slot->state == XPV_NETFRONT_GRANTED)
			abandon(q->front, slot->skb, tx->gref[i]);
		else if (slot->state == XPV_NETFRONT_FRAME)
			abandon_frame(q->front, slot->frame, tx->gref[i]);
		else if (tx->gref[i] != INVALID_GRANT_REF)
			gnttab_free_grant_reference(tx->gref[i]);
		tx->gref[i] = INVALID_GRANT_REF;
		slot->skb = NULL;
		slot->state = XPV_NETFRONT_FREE;
	}
	tx->free_ids = 0;
	tx->waiting = 0;
	tx->frames = 0;
	netdev_tx_reset_queue(xpv_netfront_txq(q));
}

/* What it took before an error is left to the release. */
int xpv_netfront_tx_connect(struct xpv_netfront_queue *q)
{
	struct xpv_netfront_tx *tx = &q->tx;
	int err;
	u32 i;

	tx->copies = &tx->own;
	err = xpv_netfront_make_copies(q, &tx->own, q->front->untrusted ? XPV_PAGE_SIZE :
									 XPV_NETFRONT_COPY);
	if (!err)
		err = xpv_netfront_claim(tx->gref, XPV_NETFRONT_SLOTS);
	if (err)
		return err;
	for (i = 0; i < XPV_NETFRONT_SLOTS; i++)
		tx->free_id[i] = i;
	tx->free_ids = XPV_NETFRONT_SLOTS;
	tx->extras = 0;
	return 0;
}
