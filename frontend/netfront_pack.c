// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packet's way into slots of the ring, all under the transmit lock.
 *
 * The front of a packet is copied to a small buffer that its id keeps granted; what is longer is
 * granted where it lies, until it is answered. Buffers that the backend keeps mapped are pages, and all
 * is copied there: its copy is one of this CPU's kind then, and both together cost less than one by
 * the hypervisor and a grant. So is all that a backend gets that isn't trusted. A packet that was
 * copied is free at once, and nobody waits for its answer.
 */
#include "netfront.h"

#include <linux/skbuff.h>
#include <xen/page.h>
#include <xpv_data.h>

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
	struct skb_seq_state parts;	/* where it is read, if some of it is copied and in frags */
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

/* The next @size bytes of the packet, which is that long. */
static void copy_out(struct packing *p, void *to, u32 size)
{
	u32 n, done, from = p->size - p->left;
	const u8 *part;

	if (!skb_is_nonlinear(p->skb)) {
		xpv_data_copy(to, p->skb->data + from, size);
		return;
	}
	for (done = 0; done < size; done += n) {
		n = min(skb_seq_read(from + done, &part, &p->parts), size - done);
		if (unlikely(!n)) {
			/* It is in no memory of ours; nor does the backend get what was here before. */
			memset(to + done, 0, size - done);
			return;
		}
		xpv_data_copy(to + done, part, n);
	}
}

static void put_copy(struct packing *p, u32 size, const void *data)
{
	struct xpv_netfront_tx *tx = &p->queue->tx;
	const struct xpv_netfront_copies *c = tx->copies;
	u16 id = take_id(p, XPV_NETFRONT_COPIED);
	u32 i = id * c->size / XPV_PAGE_SIZE, offset = id * c->size % XPV_PAGE_SIZE;
	void *copy = page_address(c->page[i]) + offset;

	if (p->skb)
		copy_out(p, copy, size);
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
		++*xpv_netfront_left(p->skb);
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
	/* To be copied whole, wherever it lies. */
	if (tx->mapped || skb->len <= tx->copies->size || p->queue->front->untrusted) {
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
static bool fill(struct packing *p)
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
	*xpv_netfront_left(skb) = 0;

	skb_prepare_seq_read(skb, 0, skb->len, &p->parts);
	for (i = p->head; i; i -= min(i, size))
		put_copy(p, min(i, size), NULL);
	skb_abort_seq_read(&p->parts);
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

static void count_sent(struct xpv_netfront_tx *tx, const struct packing *p)
{
	u64_stats_update_begin(&tx->count.syncp);
	u64_stats_inc(&tx->count.packets);
	u64_stats_add(&tx->count.bytes, p->size);
	u64_stats_add(&tx->count.grants, p->grants);
	u64_stats_add(&tx->count.statics, p->statics);
	u64_stats_update_end(&tx->count.syncp);
}

int xpv_netfront_pack(struct xpv_netfront_queue *q, struct sk_buff *skb)
{
	struct packing p = { .queue = q, .skb = skb };
	bool stays;

	if (unlikely(!prepare(&p)))
		return -EINVAL;
	skb_tx_timestamp(skb);
	stays = fill(&p);
	q->tx.waiting += stays;
	count_sent(&q->tx, &p);
	return stays;
}

void xpv_netfront_pack_frame(struct xpv_netfront_queue *q, struct xdp_frame *frame)
{
	struct packing p = { .queue = q, .size = frame->len, .left = frame->len, .first = true };
	struct xpv_netfront_tx *tx = &q->tx;
	u16 id;

	if (frame->len <= tx->copies->size) {
		put_copy(&p, frame->len, frame->data);
		count_sent(tx, &p);
		xdp_return_frame(frame);
		return;
	}
	id = take_id(&p, XPV_NETFRONT_FRAME);
	gnttab_page_grant_foreign_access_ref_one(tx->gref[id], q->front->xbdev->otherend_id,
						 virt_to_page(frame->data), 1);
	tx->slot[id].frame = frame;
	tx->waiting++;
	tx->frames++;
	p.grants++;
	put_slot(&p, id, tx->gref[id], offset_in_page(frame->data), frame->len);
	count_sent(tx, &p);
}

void xpv_netfront_pack_mcast(struct xpv_netfront_queue *q, u8 type, u64 addr)
{
	struct packing p = { .queue = q, .first = true };	/* its failure is to be noticed */
	struct xpv_net_txreq req = { .flags = XPV_NET_TX_EXTRA };
	struct xpv_net_extra extra = { .type = type };

	u64_to_ether_addr(addr, extra.mcast.addr);
	req.id = take_id(&p, XPV_NETFRONT_MESSAGE);
	memcpy(xpv_front_next(&q->tx.ring), &req, sizeof(req));
	put_extra(&q->tx, &extra);
	q->tx.waiting++;
}
