// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host to guest. A packet is copied into the buffers that the guest has posted while the
 * stack hands it to us, or at the end of the poll that a stream is answered in. None is kept for longer: what
 * the guest is too slow for waits in the netdev's queueing discipline, whose limits bound it.
 *
 * A slot's buffer is filled before the next is begun, so a packet takes as many as its
 * length needs, and one more after its first for each extra: GSO, its hash, and how much of the
 * first buffer was left free for the guest. A buffer that stays mapped is filled at once, the
 * others by a batch of grant copies.
 *
 * On this ring responses are written in the order of the requests, each at once: prod
 * and cons are equal wherever no slot is being filled.
 */
#include "netback.h"
#include "netback_trace.h"

#include <linux/jiffies.h>
#include <linux/moduleparam.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <xen/events.h>
#include <xpv_data.h>

static unsigned int rx_drain_timeout_msecs = 10000;
module_param(rx_drain_timeout_msecs, uint, 0644);
MODULE_PARM_DESC(rx_drain_timeout_msecs, "How long a guest may post too few buffers for a packet before its packets are dropped, in ms (default: 10000; of a guest that does not tell when it posts: 30)");

static unsigned int rx_stall_timeout_msecs = 60000;
module_param(rx_stall_timeout_msecs, uint, 0644);
MODULE_PARM_DESC(rx_stall_timeout_msecs, "And before its link is down until it posts again, in ms (default: 60000; 0: never)");

/* Copies that make a hypercall worth while. */
#define BATCH_COPIES	(XPV_COPY_MAX / 2)

/* One that doesn't tell when it posts is looked after, and no packet waits longer. */
#define LOOK_DELAY	msecs_to_jiffies(30)

/* The slot being filled. */
struct filler {
	struct xpv_netback_queue *q;
	void *slot;			/* in the ring; written once, when the slot is complete */
	u32 gref;
	void *mem;			/* the buffer, if it stays mapped */
	u32 statics;			/* how many did so far */
	u32 start;			/* of the buffer, where the data begins */
	u32 used;			/* bytes of the buffer, those before the start too */
	struct xpv_net_rxrsp rsp;	/* but for where the data is */
};

/* One that can't say that it posts again has no link to lose. */
static unsigned long stall_delay(const struct xpv_netback_queue *q)
{
	unsigned int ms = READ_ONCE(rx_stall_timeout_msecs);

	return ms && q->vif->rx_notify ? msecs_to_jiffies(ms) : MAX_JIFFY_OFFSET;
}

/* At most as long as until the link is down. */
static unsigned long drain_delay(const struct xpv_netback_queue *q)
{
	return q->vif->rx_notify ? min(msecs_to_jiffies(READ_ONCE(rx_drain_timeout_msecs)), stall_delay(q)) : LOOK_DELAY;
}

/* What the guest is told of a packet beside its data. */
struct hash {
	u8 type;			/* XPV_NET_HASH_*, _TYPES for none */
	u32 value;
};

static u32 extras_needed(const struct xpv_netback_queue *q, const struct sk_buff *skb,
			 const struct hash *hash)
{
	return skb_is_gso(skb) + (hash->type != XPV_NET_HASH_TYPES) + !!q->headroom;
}

static u32 slots_needed(const struct xpv_netback_queue *q, const struct sk_buff *skb,
			const struct hash *hash)
{
	return DIV_ROUND_UP(q->headroom + skb->len, XPV_PAGE_SIZE) + extras_needed(q, skb, hash);
}

/* All that is in the batch; a packet with a refused copy is remembered as failed. */
static void copy_all(struct xpv_netback_queue *q)
{
	struct xpv_netback_count *count = &q->to_guest;
	u32 i;

	xpv_copy_submit(&q->rx_copy);
	u64_stats_update_begin(&count->syncp);
	u64_stats_add(&count->copies, q->rx_copy.n);
	u64_stats_update_end(&count->syncp);
	for (i = 0; i < q->rx_copy.n; i++)
		if (unlikely(xpv_copy_status(&q->rx_copy, i)))
			q->out[q->out_of_op[i]].failed = true;
	xpv_copy_reset(&q->rx_copy);
}

/* A failed packet keeps its slots, and each that has a status now tells the failure. */
static void spoil(struct xpv_netback_queue *q, const struct xpv_netback_out *out)
{
	u32 i;

	for (i = 0; i < out->slots; i++) {
		struct xpv_net_rxrsp *rsp = xpv_ring_slot(&q->rx, out->first + i);

		if (!i || i > out->extras)
			WRITE_ONCE(rsp->status, XPV_NET_ERROR);
	}
	xpv_netback_count(&q->to_guest, &q->to_guest.errors);
}

void xpv_netback_flush(struct xpv_netback_queue *q)
{
	u32 i;

	if (!q->outs)
		return;
	copy_all(q);
	for (i = 0; i < q->outs; i++)
		if (unlikely(q->out[i].failed))
			spoil(q, &q->out[i]);
	if (xpv_back_publish(&q->rx))
		notify_remote_via_irq(q->rx_irq);
	for (i = 0; i < q->outs; i++) {
		trace_xpv_netback_to_guest(q, &q->out[i]);
		dev_consume_skb_any(q->out[i].skb);
	}
	q->outs = 0;
}

static void open_slot(struct filler *f)
{
	const struct xpv_netback_static *mapped;
	struct xpv_ring *ring = &f->q->rx;
	struct xpv_net_rxreq req;

	xpv_ring_copy(ring, ring->cons++, &req, sizeof(req));
	f->slot = xpv_back_next(ring);
	f->gref = req.gref;
	mapped = xpv_netback_find(f->q, req.gref);
	f->mem = mapped && !mapped->readonly ? mapped->mem : NULL;
	f->statics += !!f->mem;
	f->start = 0;
	f->used = 0;
	f->rsp.id = req.id;
	f->rsp.flags = 0;
}

static void close_slot(struct filler *f, u16 flags)
{
	f->rsp.flags |= flags;
	f->rsp.offset = (u16)f->start;
	f->rsp.status = (s16)(f->used - f->start);
	memcpy(f->slot, &f->rsp, sizeof(f->rsp));
}

/* An extra takes the request after the ones before, buffer and all. */
static void put_extra(struct filler *f, struct xpv_net_extra extra, bool more)
{
	extra.flags = more ? XPV_NET_EXTRA_MORE : 0;
	f->q->rx.cons++;
	memcpy(xpv_back_next(&f->q->rx), &extra, sizeof(extra));
	f->rsp.flags |= XPV_NET_RX_EXTRA;
}

static struct xpv_net_extra gso_extra(const struct sk_buff *skb)
{
	return (struct xpv_net_extra){
		.type = XPV_NET_EXTRA_GSO,
		.gso = {
			.size = skb_shinfo(skb)->gso_size,
			.type = skb_shinfo(skb)->gso_type & SKB_GSO_TCPV6 ?
				XPV_NET_GSO_TCPV6 : XPV_NET_GSO_TCPV4,
		},
	};
}

/*
 * Also the slot says where its data begin. The in-tree frontend takes the number from the extra,
 * and the length for the data's own.
 */
static void leave_headroom(struct filler *f, u32 headroom)
{
	struct xpv_net_extra extra = { .type = XPV_NET_EXTRA_XDP, .xdp.headroom = (u16)headroom };

	put_extra(f, extra, false);
	f->start = headroom;
	f->used = headroom;
}

static void put_bytes(struct filler *f, void *mem, u32 len)
{
	struct xpv_netback_queue *q = f->q;

	while (len) {
		u32 n = min(len, XPV_PAGE_SIZE - f->used);

		if (!n) {
			close_slot(f, XPV_NET_RX_MORE);
			open_slot(f);
			continue;
		}
		if (f->mem) {
			xpv_data_copy(f->mem + f->used, mem, n);
		} else {
			n = min(n, XPV_PAGE_SIZE - (u32)xen_offset_in_page(mem));
			if (unlikely(!xpv_copy_room(&q->rx_copy)))
				copy_all(q);
			q->out_of_op[xpv_copy_to(&q->rx_copy, f->gref, f->used, mem, n)] =
				(u8)q->outs;
		}
		f->used += n;
		mem += n;
		len -= n;
	}
}

static void put_data(struct filler *f, const struct sk_buff *skb)
{
	const struct skb_shared_info *info = skb_shinfo(skb);
	u32 i;

	put_bytes(f, skb->data, skb_headlen(skb));
	for (i = 0; i < info->nr_frags; i++)
		put_bytes(f, skb_frag_address(&info->frags[i]), skb_frag_size(&info->frags[i]));
}

/* The requests it takes are there. */
static void put_packet(struct xpv_netback_queue *q, struct sk_buff *skb, const struct hash *hash)
{
	struct xpv_netback_out *out = &q->out[q->outs];
	struct xpv_netback_count *count = &q->to_guest;
	struct filler f = { .q = q };
	struct sk_buff *part;

	out->skb = skb;
	out->first = q->rx.prod;
	out->extras = extras_needed(q, skb, hash);
	out->failed = false;

	open_slot(&f);
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		f.rsp.flags = XPV_NET_RX_CSUM_BLANK | XPV_NET_RX_VALIDATED;
	else if (skb->ip_summed == CHECKSUM_UNNECESSARY)
		f.rsp.flags = XPV_NET_RX_VALIDATED;
	if (skb_is_gso(skb))
		put_extra(&f, gso_extra(skb), out->extras > 1);
	if (hash->type != XPV_NET_HASH_TYPES)
		put_extra(&f, xpv_net_hash_extra(hash->type, hash->value), q->headroom);
	if (unlikely(q->headroom))
		leave_headroom(&f, q->headroom);
	put_data(&f, skb);
	skb_walk_frags(skb, part)
		put_data(&f, part);
	close_slot(&f, 0);

	out->slots = q->rx.prod - out->first;
	q->outs++;
	u64_stats_update_begin(&count->syncp);
	u64_stats_inc(&count->packets);
	u64_stats_add(&count->bytes, skb->len);
	u64_stats_add(&count->statics, f.statics);
	u64_stats_update_end(&count->syncp);
}

/*
 * Fewer than @need buffers: have the guest tell us when they are there, and stop the stack
 * until then. False if they still are not. While draining it is not stopped.
 */
static bool await(struct xpv_netback_queue *q, struct netdev_queue *txq, u32 need)
{
	if (!q->draining)
		netif_tx_stop_queue(txq);
	if (xpv_back_rearm(&q->rx, need) >= need) {
		netif_tx_start_queue(txq);
		return true;
	}
	if (!q->need) {
		q->since = jiffies;
		/* It is let run from one wait to the next, and looks at @since: no timer per wait. */
		schedule_delayed_work(&q->stall_work, drain_delay(q));
	}
	q->need = need;
	trace_xpv_netback_wait(q, need);
	return false;
}

/*
 * May the batch stay for more packets? Those that come out of softirqs come in
 * numbers: answers to what our own poll delivers, and what is forwarded. They are flushed
 * at the end of our poll, which runs before the CPU does anything else.
 */
static bool left_to_poll(struct xpv_netback_queue *q)
{
	if (q->polling)
		return true;
	if (!in_serving_softirq())
		return false;
	napi_schedule(&q->napi);
	return true;
}

static bool flush_now(struct xpv_netback_queue *q, struct netdev_queue *txq)
{
	if (q->outs == XPV_NETBACK_OUT || q->rx_copy.n >= BATCH_COPIES || netif_xmit_stopped(txq))
		return true;
	return !netdev_xmit_more() && !left_to_poll(q);
}

/* There are buffers again. A sender that does not look at the carrier may be the first to see it. */
static void end_wait(struct xpv_netback_queue *q)
{
	q->need = 0;
	q->draining = false;
	xpv_netback_set_dead(q, false);
}

netdev_tx_t xpv_netback_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct xpv_netback *vif = netdev_priv(dev);
	struct xpv_netback_queue *q = vif->queue[skb_get_queue_mapping(skb)];
	struct netdev_queue *txq = xpv_netback_txq(q);
	struct hash hash;
	u32 need;

	hash.type = xpv_netback_hash(vif, skb, &hash.value);
	need = slots_needed(q, skb, &hash);
	if (unlikely(!q->plain) && !(q->up && xpv_netback_wanted(vif, skb->data))) {
		xpv_netback_flush(q);
		goto drop;
	}
	if (unlikely(skb->len > XPV_NET_MAX_PACKET)) {
		xpv_netback_flush(q);
		goto drop;
	}
	if (unlikely(xpv_back_pending(&q->rx) < need) && !await(q, txq, need)) {
		xpv_netback_flush(q);
		if (xpv_ring_broken(&q->rx))
			xpv_netback_give_up(q);
		else if (!q->draining)
			return NETDEV_TX_BUSY;
		goto drop;
	}
	if (unlikely(q->need))
		end_wait(q);

	skb_tx_timestamp(skb);
	put_packet(q, skb, &hash);
	if (flush_now(q, txq))
		xpv_netback_flush(q);
	return NETDEV_TX_OK;

drop:
	xpv_netback_count(&q->to_guest, &q->to_guest.dropped);
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

/*
 * A sender can't know which of its flows go to the queue that is dead, so it is told that
 * the whole link is.
 */
void xpv_netback_set_dead(struct xpv_netback_queue *q, bool dead)
{
	struct xpv_netback *vif = q->vif;

	if (q->dead == dead)
		return;
	q->dead = dead;
	spin_lock(&vif->link_lock);
	vif->dead += dead ? 1 : -1;
	if (vif->dead)
		netif_carrier_off(vif->dev);
	else
		netif_carrier_on(vif->dev);
	spin_unlock(&vif->link_lock);
}

/* End a wait if the buffers are there. Under the transmit lock. */
static bool resume(struct xpv_netback_queue *q, struct netdev_queue *txq)
{
	u32 there;

	if (!q->up || !q->need)
		return false;
	there = xpv_back_pending(&q->rx);
	if (unlikely(xpv_ring_broken(&q->rx)))
		xpv_netback_give_up(q);
	if (there < q->need)
		return false;
	end_wait(q);
	netif_tx_wake_queue(txq);
	return true;
}

bool xpv_netback_posted(struct xpv_netback_queue *q)
{
	struct netdev_queue *txq = xpv_netback_txq(q);
	bool waited;

	__netif_tx_lock(txq, smp_processor_id());
	waited = resume(q, txq);
	__netif_tx_unlock(txq);
	return waited;
}

/* Waiting for too long: drop what waits, later take the link down. */
static void give_in(struct xpv_netback_queue *q, struct netdev_queue *txq)
{
	unsigned long drain = drain_delay(q), stall = stall_delay(q);
	unsigned long waited = jiffies - q->since;
	unsigned long next;

	if (waited < drain) {
		next = drain - waited;
	} else if (waited < stall) {
		q->draining = true;
		netif_tx_wake_queue(txq);
		/* Another wait may have begun by then, and is not to last longer than this one. */
		next = min(stall - waited, max(drain, LOOK_DELAY));
	} else {
		/* From here on only the guest's event helps. */
		xpv_netback_set_dead(q, true);
		return;
	}
	schedule_delayed_work(&q->stall_work, next);
}

static void look_after_wait(struct work_struct *work)
{
	struct xpv_netback_queue *q =
		container_of(to_delayed_work(work), struct xpv_netback_queue, stall_work);
	struct netdev_queue *txq = xpv_netback_txq(q);

	__netif_tx_lock_bh(txq);
	if (q->up && q->need && !resume(q, txq))
		give_in(q, txq);
	__netif_tx_unlock_bh(txq);
}

void xpv_netback_init_rx(struct xpv_netback_queue *q)
{
	INIT_DELAYED_WORK(&q->stall_work, look_after_wait);
}
