// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets from the guest's stack to the backend, and the answers to them.
 *
 * The front of a packet is copied to a small buffer that its id keeps granted; what is longer is
 * granted where it lies, until it is answered. Buffers that the backend keeps mapped are pages, and
 * what fits one is copied whole; so is all that one gets that isn't trusted. A packet that was copied
 * is free at once, so nobody waits for its answer: it raises no event, and is taken when slots run low.
 */
#include "netfront.h"

#include <linux/skbuff.h>
#include <xen/page.h>

/* Answers that are worth taking while the sender is at it anyway. */
#define REAP_BATCH	32u

/* Of an skb that waits for answers. */
struct cb {
	u16 left;	/* granted slots that are not answered */
};

static struct cb *cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct cb) > sizeof(skb->cb));
	return (struct cb *)skb->cb;
}

/* A packet on its way into slots. */
struct packing {
	struct xpv_netfront_queue *queue;
	struct sk_buff *skb;	/* NULL: it is a frame */
	u32 size;	/* bytes */
	u32 left;	/* bytes that are in no slot yet */
	u32 head;	/* bytes to copy from the front */
	u16 flags;	/* of the first slot */
	bool first;	/* the next slot is it */
	u8 hash_type;	/* XPV_NET_HASH_*, _TYPES for none */
	u32 hash;
	u32 grants;	/* slots whose page is granted for them */
	u32 statics;	/* slots whose page the backend keeps mapped */
};

/* There is one: ids in use and extras together are the ring's unanswered slots. */
static u16 take_id(struct packing *p, enum xpv_netfront_txstate state)
{
	struct xpv_netfront_tx *tx = &p->queue->tx;
	u16 id = tx->free_id[--tx->free_ids];

	tx->slot[id].state = state;
	tx->slot[id].first = p->first;
	return id;
}

static void put_extra(struct xpv_netfront_tx *tx, const struct xpv_net_extra *extra)
{
	memcpy(xpv_front_next(&tx->ring), extra, sizeof(*extra));
	tx->extras++;
}

static void put_extras(struct packing *p)
{
	const struct skb_shared_info *info = skb_shinfo(p->skb);
	bool hashed = p->hash_type != XPV_NET_HASH_TYPES;
	struct xpv_net_extra extra;

	if (skb_is_gso(p->skb)) {
		extra = (struct xpv_net_extra){
			.type = XPV_NET_EXTRA_GSO,
			.flags = hashed ? XPV_NET_EXTRA_MORE : 0,
			.gso.size = info->gso_size,
			.gso.type = info->gso_type & SKB_GSO_TCPV6 ? XPV_NET_GSO_TCPV6 :
								     XPV_NET_GSO_TCPV4,
		};
		put_extra(&p->queue->tx, &extra);
	}
	if (hashed) {
		extra = xpv_net_hash_extra(p->hash_type, p->hash);
		put_extra(&p->queue->tx, &extra);
	}
}

/* The next @size bytes of the packet are found at @offset of the page @gref. */
static void put_slot(struct packing *p, u16 id, grant_ref_t gref, u32 offset, u32 size)
{
	struct xpv_netfront_tx *tx = &p->queue->tx;
	struct xpv_net_txreq req = {
		.gref = gref,
		.offset = offset,
		.id = id,
		.size = p->first ? p->size : size,
	};

	p->left -= size;
	req.flags = (p->first ? p->flags : 0) | (p->left ? XPV_NET_TX_MORE : 0);
	memcpy(xpv_front_next(&tx->ring), &req, sizeof(req));
	if (p->first && p->flags & XPV_NET_TX_EXTRA)
		put_extras(p);
	p->first = false;
}

static void put_copy(struct packing *p, u32 size, const void *data)
{
	struct xpv_netfront_tx *tx = &p->queue->tx;
	const struct xpv_netfront_copies *c = tx->copies;
	u16 id = take_id(p, XPV_NETFRONT_COPIED);
	u32 i = id * c->size / XPV_PAGE_SIZE, offset = id * c->size % XPV_PAGE_SIZE;
	void *copy = page_address(c->page[i]) + offset;

	/* Can't fail: the packet is that long. */
	if (p->skb)
		skb_copy_bits(p->skb, p->size - p->left, copy, size);
	else
		memcpy(copy, data, size);
	put_slot(p, id, c->ref[i], offset, size);
	p->statics += tx->mapped;
}

/* Grant @len bytes from @offset of @page on, a page at a time. */
static void put_pages(struct packing *p, struct page *page, u32 offset, u32 len)
{
	struct xpv_netfront_tx *tx = &p->queue->tx;
	u16 domid = p->queue->front->xbdev->otherend_id;

	page += offset / XPV_PAGE_SIZE;
	offset %= XPV_PAGE_SIZE;
	while (len) {
		u32 size = min(len, XPV_PAGE_SIZE - offset);
		u16 id = take_id(p, XPV_NETFRONT_GRANTED);
		struct xpv_netfront_txslot *slot = &tx->slot[id];

		gnttab_page_grant_foreign_access_ref_one(tx->gref[id], domid, page, 1);
		slot->skb = p->skb;
		cb(p->skb)->left++;
		p->grants++;
		put_slot(p, id, tx->gref[id], offset, size);
		page++;
		offset = 0;
		len -= size;
	}
}

static u32 pages_of(unsigned long offset, u32 len)
{
	return DIV_ROUND_UP(offset % XPV_PAGE_SIZE + len, XPV_PAGE_SIZE);
}

static u32 count_slots(const struct sk_buff *skb, u32 head)
{
	u32 i, n = head ? 1 : 0, rest = skb_headlen(skb) - head;

	if (rest)
		n += pages_of(offset_in_page(skb->data + head), rest);
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		n += pages_of(skb_frag_off(frag), skb_frag_size(frag));
	}
	return n;
}

/* How much to copy, so that the first slot holds an Ethernet header at least. */
static u32 head_of(const struct sk_buff *skb)
{
	if (skb_headlen(skb) <= XPV_NETFRONT_COPY)
		return skb_headlen(skb);
	return XPV_PAGE_SIZE - offset_in_page(skb->data) < ETH_HLEN ? XPV_NETFRONT_COPY : 0;
}

/* Make @p->skb one that fits: set how much of it is copied. False: it can't be sent. */
static bool prepare(struct packing *p)
{
	struct xpv_netfront_tx *tx = &p->queue->tx;
	struct sk_buff *skb = p->skb;

	if (skb->len < ETH_HLEN || skb->len > XPV_NET_MAX_PACKET)
		return false;
	/* What the backend takes may have shrunk since the stack looked. */
	if (skb_is_gso(skb) &&
	    !net_gso_ok(p->queue->front->netdev->features, skb_shinfo(skb)->gso_type))
		return false;
	/* The backend copies it too, so a long one costs less to grant than to copy twice. */
	if (skb->len <= tx->copies->size || p->queue->front->untrusted) {
		p->head = skb->len;
		return true;
	}
	/* Another domain's page is not ours to grant. */
	if (skb_orphan_frags(skb, GFP_ATOMIC) || !pskb_may_pull(skb, ETH_HLEN))
		return false;
	p->head = head_of(skb);
	if (count_slots(skb, p->head) > XPV_NET_MAX_SLOTS) {
		if (skb_linearize(skb))
			return false;
		p->head = head_of(skb);
	}
	return true;
}

/* Fill slots. True: the skb stays until it is answered, false: it is done with. */
static bool pack(struct packing *p)
{
	u32 i, size = p->queue->tx.copies->size;
	struct sk_buff *skb = p->skb;

	p->flags = 0;
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		p->flags = XPV_NET_TX_CSUM_BLANK | XPV_NET_TX_VALIDATED;
	else if (skb->ip_summed == CHECKSUM_UNNECESSARY)
		p->flags = XPV_NET_TX_VALIDATED;
	p->hash_type = xpv_netfront_hash(p->queue->front, skb, &p->hash);
	if (skb_is_gso(skb) || p->hash_type != XPV_NET_HASH_TYPES)
		p->flags |= XPV_NET_TX_EXTRA;
	p->first = true;
	p->size = skb->len;
	p->left = skb->len;
	cb(skb)->left = 0;

	for (i = p->head; i; i -= min(i, size))
		put_copy(p, min(i, size), NULL);
	if (!p->left)
		return false;
	if (p->head < skb_headlen(skb))
		put_pages(p, virt_to_page(skb->data + p->head),
			  offset_in_page(skb->data + p->head), skb_headlen(skb) - p->head);
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		put_pages(p, skb_frag_page(frag), skb_frag_off(frag), skb_frag_size(frag));
	}
	return true;
}

int xpv_netfront_send_mcast(struct xpv_netfront_queue *q, u8 type, u64 addr)
{
	struct packing p = { .queue = q, .first = true };	/* its failure is to be noticed */
	struct xpv_netfront_tx *tx = &q->tx;
	struct netdev_queue *txq = xpv_netfront_txq(q);
	struct xpv_net_txreq req = { .flags = XPV_NET_TX_EXTRA };
	struct xpv_net_extra extra = { .type = type };
	int err = -EAGAIN;

	u64_to_ether_addr(addr, extra.mcast.addr);
	__netif_tx_lock_bh(txq);
	if (tx->up && xpv_front_free(&tx->ring) >= XPV_NETFRONT_ROOM) {
		req.id = take_id(&p, XPV_NETFRONT_MESSAGE);
		memcpy(xpv_front_next(&tx->ring), &req, sizeof(req));
		put_extra(tx, &extra);
		if (xpv_front_publish(&tx->ring))
			notify_remote_via_irq(tx->channel->irq);
		err = 0;
	}
	__netif_tx_unlock_bh(txq);
	return err;
}

static void refused(struct xpv_netfront_queue *q, const struct xpv_netfront_txslot *slot)
{
	if (slot->state != XPV_NETFRONT_MESSAGE) {
		xpv_netfront_count(&q->tx.count, &q->tx.count.errors);
		return;
	}
	WRITE_ONCE(q->front->mcast_refused, true);
	schedule_delayed_work(&q->front->mcast_work, 0);
}

/* Take one answer. NULL, or what is wrong with it. Adds an skb that is done to @bytes. */
static const char *take_answer(struct xpv_netfront_queue *q, const struct xpv_net_txrsp *rsp,
			       int budget, u32 *packets, u32 *bytes)
{
	struct xpv_netfront_tx *tx = &q->tx;
	struct xpv_netfront_txslot *slot;
	struct sk_buff *skb;

	if (rsp->status == XPV_NET_NULL) {
		if (!tx->extras)
			return "answered an extra that was not sent";
		tx->extras--;
		return NULL;
	}
	if (rsp->id >= XPV_NETFRONT_SLOTS || tx->slot[rsp->id].state == XPV_NETFRONT_FREE)
		return "answered a packet that was not sent";
	slot = &tx->slot[rsp->id];
	if (slot->state == XPV_NETFRONT_GRANTED) {
		if (!gnttab_end_foreign_access_ref(tx->gref[rsp->id]))
			return "answered a packet and keeps its page";
		skb = slot->skb;
		slot->skb = NULL;
		if (!--cb(skb)->left) {
			tx->waiting--;
			++*packets;
			*bytes += skb->len;
			napi_consume_skb(skb, budget);
		}
	}
	if (slot->state == XPV_NETFRONT_FRAME) {
		if (!gnttab_end_foreign_access_ref(tx->gref[rsp->id]))
			return "answered a frame and keeps its page";
		tx->waiting--;
		xdp_return_frame(slot->frame);
		slot->frame = NULL;
	}
	if (slot->first && rsp->status < 0)
		refused(q, slot);
	slot->state = XPV_NETFRONT_FREE;
	tx->free_id[tx->free_ids++] = rsp->id;
	return NULL;
}

/* Take all answers there are. @budget as of the poll, 0 when it is none. */
static void reap(struct xpv_netfront_queue *q, int budget)
{
	struct xpv_netfront_tx *tx = &q->tx;
	struct netdev_queue *txq = xpv_netfront_txq(q);
	u32 n = xpv_front_pending(&tx->ring), packets = 0, bytes = 0;
	struct xpv_net_txrsp rsp;
	const char *wrong = NULL;

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
		xpv_netfront_fail(q->front, wrong ? wrong : "answered more than was sent");
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

	while (tx->waiting || netif_xmit_stopped(xpv_netfront_txq(q))) {
		u32 pending = xpv_front_pending(ring);
		u32 open = xpv_front_inflight(ring) - pending;

		/* Each turn takes answers, and nobody sends meanwhile. */
		if (open && pending < REAP_BATCH) {
			u32 ahead = pending + worth_an_event(q, open);

			if (xpv_front_rearm(ring, ahead) < ahead)
				return;
			/* It may come nevertheless. */
			WRITE_ONCE(tx->channel->forgive, true);
		}
		if (!xpv_front_inflight(ring) || xpv_ring_broken(ring))
			return;
		reap(q, budget);
	}
}

static void drop(struct xpv_netfront_tx *tx, struct sk_buff *skb)
{
	xpv_netfront_count(&tx->count, &tx->count.dropped);
	dev_kfree_skb_any(skb);
}

static void count_sent(struct xpv_netfront_tx *tx, const struct packing *p)
{
	u64_stats_update_begin(&tx->count.syncp);
	u64_stats_inc(&tx->count.packets);
	u64_stats_add(&tx->count.bytes, p->size);
	u64_stats_add(&tx->count.grants, p->grants);
	u64_stats_add(&tx->count.statics, p->statics);
	u64_stats_update_end(&tx->count.syncp);
}

/* Returns whether the backend has to be told now. */
static bool send(struct xpv_netfront_queue *q, struct sk_buff *skb)
{
	struct xpv_netfront_tx *tx = &q->tx;
	struct packing p = { .queue = q, .skb = skb };
	bool more = netdev_xmit_more();

	if (unlikely(!prepare(&p))) {
		drop(tx, skb);
		return !more;
	}
	skb_tx_timestamp(skb);
	if (pack(&p)) {
		tx->waiting++;
		count_sent(tx, &p);
		return __netdev_tx_sent_queue(xpv_netfront_txq(q), p.size, more);
	}
	count_sent(tx, &p);
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
	/* It was taken for one that was received. */
	skb_push(skb, ETH_HLEN);
	send(q, skb);
	return true;
}

static bool send_frame(struct xpv_netfront_queue *q, struct xdp_frame *frame)
{
	struct xpv_netfront_tx *tx = &q->tx;
	u32 len = frame->len, offset = offset_in_page(frame->data);
	struct packing p = { .queue = q, .size = len, .left = len, .first = true };
	u16 id;

	if (unlikely(len < ETH_HLEN))
		return false;
	if (unlikely(xdp_frame_has_frags(frame)) ||
	    (len > tx->copies->size && offset + len > XPV_PAGE_SIZE))
		return send_as_skb(q, frame);
	if (len <= tx->copies->size) {
		put_copy(&p, len, frame->data);
		count_sent(tx, &p);
		xdp_return_frame(frame);
		return true;
	}
	id = take_id(&p, XPV_NETFRONT_FRAME);
	gnttab_page_grant_foreign_access_ref_one(tx->gref[id], q->front->xbdev->otherend_id,
						 virt_to_page(frame->data), 1);
	tx->slot[id].frame = frame;
	tx->waiting++;
	p.grants++;
	put_slot(&p, id, tx->gref[id], offset, len);
	count_sent(tx, &p);
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
static void abandon(struct sk_buff *skb, grant_ref_t gref)
{
	if (!gnttab_try_end_foreign_access(gref))
		xpv_netfront_linger(skb, gref);
	if (!--cb(skb)->left)
		kfree_skb(skb);
}

/* Its page is free when the backend lets go of it too. */
static void abandon_frame(struct xdp_frame *frame, grant_ref_t gref)
{
	struct page *page = virt_to_page(frame->data);

	/* With a second reference a pool gives up its claim to the page. */
	get_page(page);
	xdp_return_frame(frame);
	gnttab_end_foreign_access(gref, page);
}

void xpv_netfront_tx_release(struct xpv_netfront_queue *q)
{
	struct xpv_netfront_tx *tx = &q->tx;
	u32 i;

	xpv_netfront_free_copies(&tx->kept);
	xpv_netfront_free_copies(&tx->own);
	tx->mapped = false;
	for (i = 0; i < XPV_NETFRONT_SLOTS; i++) {
		struct xpv_netfront_txslot *slot = &tx->slot[i];

		if (slot->state == XPV_NETFRONT_GRANTED)
			abandon(slot->skb, tx->gref[i]);
		else if (slot->state == XPV_NETFRONT_FRAME)
			abandon_frame(slot->frame, tx->gref[i]);
		else if (tx->gref[i] != INVALID_GRANT_REF)
			gnttab_free_grant_reference(tx->gref[i]);
		tx->gref[i] = INVALID_GRANT_REF;
		slot->skb = NULL;
		slot->state = XPV_NETFRONT_FREE;
	}
	tx->free_ids = 0;
	tx->waiting = 0;
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
