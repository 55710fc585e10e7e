// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets from the backend to the guest's stack, and the pages they arrive in.
 *
 * A page is granted while it is posted. A small packet is copied out of it, and
 * the page goes to the ring again as it is, granted all along: nothing above ever
 * sees it, so it does not matter that the backend may write to it. The page of a larger
 * packet becomes part of the skb, after its grant was ended; one that the backend keeps mapped
 * is lent to the skb, or its data copied if the backend isn't trusted.
 */
#include "netfront.h"

#include <linux/tcp.h>
#include <xen/page.h>
#include "xpv_data.h"
#include "xpv_flow.h"
#include "xpv_pool.h"

/* Bytes of a large packet that are in the linear part: the headers of nearly any. */
#define HEAD	128u

/* Unused pages the pool keeps: what a few sockets hold, and give back in one go. */
#define POOL	1024u

static struct xpv_netfront_rxbuf *posted(struct xpv_netfront_rx *rx, u32 index)
{
	return &rx->posted[index % XPV_NETFRONT_SLOTS];
}

/* The page stays granted and is posted again. */
static void keep(struct xpv_netfront_rx *rx, u32 index)
{
	rx->ready_buf[rx->ready++] = *posted(rx, index);
}

/* The slots of the packet that held no data of it: extras. */
static void keep_extras(struct xpv_netfront_rx *rx, const struct xpv_net_rxpkt *pkt)
{
	u32 i, extras = pkt->slots - pkt->frags;

	/* They come after the first slot, which has data. */
	for (i = 1; i <= extras; i++)
		keep(rx, pkt->first + i);
}

static void keep_frags(struct xpv_netfront_rx *rx, const struct xpv_net_rxpkt *pkt, u32 i, u32 end)
{
	for (; i < end; i++)
		keep(rx, pkt->frag[i].index);
}

void xpv_netfront_rx_keep(struct xpv_netfront_rx *rx, const struct xpv_net_rxpkt *pkt)
{
	keep_frags(rx, pkt, 0, pkt->frags);
}

void *xpv_netfront_rx_data(struct xpv_netfront_rx *rx, const struct xpv_net_rxpkt *pkt, u32 i)
{
	return page_address(posted(rx, pkt->frag[i].index)->page) + pkt->frag[i].offset;
}

bool xpv_netfront_rx_mapped(struct xpv_netfront_rx *rx, const struct xpv_net_rxpkt *pkt, u32 i)
{
	return posted(rx, pkt->frag[i].index)->kept;
}

/* A packet small enough to leave its pages behind. */
static struct sk_buff *copy_out(struct xpv_netfront_queue *q, const struct xpv_net_rxpkt *pkt)
{
	struct sk_buff *skb = napi_alloc_skb(&q->rx.napi, pkt->size);
	u32 i;

	if (skb)
		for (i = 0; i < pkt->frags; i++)
			skb_put_data(skb, xpv_netfront_rx_data(&q->rx, pkt, i), pkt->frag[i].size);
	xpv_netfront_rx_keep(&q->rx, pkt);
	return skb;
}

/* Copy the front of the packet to the linear part. Returns how much of it stays there. */
static u32 copy_head(struct xpv_netfront_queue *q, struct sk_buff *skb,
		     const struct xpv_net_rxpkt *pkt, u32 len)
{
	memcpy(skb->data, xpv_netfront_rx_data(&q->rx, pkt, 0), len);
	/* To be merged with others, it has to be the headers exactly. */
	if (pkt->frags == 1 && !pkt->gso_type)
		len = eth_get_headlen(q->front->netdev, skb->data, len);
	skb_put(skb, len);
	return len;
}

static void keeps_page(struct xpv_netfront_queue *q)
{
	xpv_ring_break(&q->rx.ring);
	xpv_netfront_fail(q->front, "delivered a packet and keeps its page");
}

struct page *xpv_netfront_rx_take(struct xpv_netfront_queue *q, u32 index)
{
	struct xpv_netfront_rx *rx = &q->rx;
	struct xpv_netfront_rxbuf *buf = posted(rx, index);

	if (unlikely(!gnttab_end_foreign_access_ref(buf->gref))) {
		keep(rx, index);
		keeps_page(q);
		return NULL;
	}
	rx->bare_ref[rx->bare++] = buf->gref;
	return buf->page;
}

/* A page that stays mapped goes up the stack when there is another one to be posted in its place. */
static bool lend(struct xpv_netfront_rx *rx, const struct xpv_netfront_rxbuf *buf)
{
	if (!xpv_netfront_take_kept(rx->lot, &rx->looks, &rx->ready_buf[rx->ready]))
		return false;
	rx->ready++;
	xpv_netfront_lend(rx->lot, buf);
	return true;
}

/* Else, or if it may be written to even now, by a backend that isn't trusted, its data does. */
static int add_copy(struct xpv_netfront_queue *q, struct sk_buff *skb,
		    const struct xpv_netfront_rxbuf *buf, u32 off, u32 len)
{
	struct page *page = xpv_netfront_new_page(&q->rx);

	if (unlikely(!page))
		return -ENOMEM;
	xpv_data_copy(page_address(page), page_address(buf->page) + off, len);
	skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page, 0, len, PAGE_SIZE);
	return 0;
}

/* Make the page of slot @i part of @skb, from byte @skip of the data on. */
static int add_page(struct xpv_netfront_queue *q, struct sk_buff *skb,
		    const struct xpv_net_rxpkt *pkt, u32 i, u32 skip)
{
	struct xpv_netfront_rx *rx = &q->rx;
	struct xpv_netfront_rxbuf *buf = posted(rx, pkt->frag[i].index);
	u32 off = pkt->frag[i].offset + skip, len = pkt->frag[i].size - skip;

	if (!len) {
		keep(rx, pkt->frag[i].index);
		return 0;
	}
	if (buf->kept) {
		if (q->front->untrusted || !lend(rx, buf)) {
			int err = add_copy(q, skb, buf, off, len);

			/* Also those behind it, if there was no memory. */
			keep_frags(rx, pkt, i, err ? pkt->frags : i + 1);
			return err;
		}
	} else if (unlikely(!xpv_netfront_rx_take(q, pkt->frag[i].index))) {
		keep_frags(rx, pkt, i + 1, pkt->frags);
		return -EIO;
	}
	skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, buf->page, off, len, PAGE_SIZE);
	return 0;
}

static struct sk_buff *gather(struct xpv_netfront_queue *q, const struct xpv_net_rxpkt *pkt)
{
	u32 i, pull = min_t(u32, pkt->frag[0].size, HEAD);
	struct sk_buff *skb = NULL;

	/* When the frags would not fit otherwise, the first slot is copied whole. */
	if (pkt->frags > MAX_SKB_FRAGS)
		pull = pkt->frag[0].size;
	if (pkt->frags <= MAX_SKB_FRAGS + 1)
		skb = napi_alloc_skb(&q->rx.napi, max(pull, HEAD));
	if (!skb) {
		xpv_netfront_rx_keep(&q->rx, pkt);
		return NULL;
	}
	skb_mark_for_recycle(skb);
	pull = copy_head(q, skb, pkt, pull);
	for (i = 0; i < pkt->frags; i++) {
		if (unlikely(add_page(q, skb, pkt, i, i ? 0 : pull))) {
			kfree_skb(skb);
			return NULL;
		}
	}
	/* A backend may spread the headers over slots; who forwards the packet wants them here. */
	if (unlikely(pull < HEAD && pull == pkt->frag[0].size) &&
	    !__pskb_pull_tail(skb, min(HEAD, skb->len) - pull)) {
		kfree_skb(skb);
		return NULL;
	}
	return skb;
}

/* Say what is known of checksum and segments. Returns 0, or why the packet is none. */
static int describe(struct xpv_netfront_rx *rx, struct sk_buff *skb,
		    const struct xpv_net_rxpkt *pkt)
{
	bool fixup = pkt->gso_type && !(pkt->flags & XPV_NET_RX_CSUM_BLANK);
	int err;

	if (pkt->gso_type) {
		skb_shinfo(skb)->gso_size = pkt->gso_size;
		skb_shinfo(skb)->gso_type = SKB_GSO_DODGY |
			(pkt->gso_type == XPV_NET_GSO_TCPV4 ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6);
	}
	if (fixup)
		xpv_netfront_count(&rx->count, &rx->count.gso_fixups);
	if (!fixup && !(pkt->flags & XPV_NET_RX_CSUM_BLANK)) {
		if (pkt->flags & XPV_NET_RX_VALIDATED)
			skb->ip_summed = CHECKSUM_UNNECESSARY;
		return 0;
	}
	skb->ip_summed = CHECKSUM_PARTIAL;
	err = skb_checksum_setup(skb, fixup);
	if (err || !pkt->gso_type)
		return err;
	/* Segments of what it says they are, and nothing else. */
	if (skb->csum_offset != offsetof(struct tcphdr, check) ||
	    skb->protocol != htons(pkt->gso_type == XPV_NET_GSO_TCPV4 ? ETH_P_IP : ETH_P_IPV6))
		return -EINVAL;
	return 0;
}

/* Pass a well-formed packet up. */
static void deliver(struct xpv_netfront_queue *q, const struct xpv_net_rxpkt *pkt)
{
	struct xpv_netfront_rx *rx = &q->rx;
	struct sk_buff *skb;

	skb = pkt->size <= XPV_NETFRONT_COPY ? copy_out(q, pkt) : gather(q, pkt);
	if (unlikely(!skb)) {
		xpv_netfront_count(&rx->count, &rx->count.dropped);
		return;
	}
	u64_stats_update_begin(&rx->count.syncp);
	u64_stats_inc(&rx->count.packets);
	u64_stats_add(&rx->count.bytes, skb->len);
	u64_stats_update_end(&rx->count.syncp);

	skb->protocol = eth_type_trans(skb, q->front->netdev);
	skb_reset_network_header(skb);
	if (unlikely(describe(rx, skb, pkt))) {
		kfree_skb(skb);
		xpv_netfront_count(&rx->count, &rx->count.errors);
		return;
	}
	skb_record_rx_queue(skb, q->id);
	xpv_flow_tell(skb, pkt->hash_type, pkt->hash);
	napi_gro_receive(&rx->napi, skb);
}

/* Take packets until there is none, or @budget of them. */
static int receive(struct xpv_netfront_queue *q, int budget)
{
	struct xpv_netfront_rx *rx = &q->rx;
	struct bpf_prog *prog = rcu_dereference_bh(q->front->xdp_prog);
	struct xpv_net_rxpkt pkt;
	int done, what;
	u32 first;

	for (done = 0; done < budget; done++) {
		first = rx->ring.cons;
		what = xpv_net_take_rx(&rx->ring, &pkt);
		if (!what)
			break;
		if (unlikely(what == -EPROTO)) {
			/* Whatever it has taken off. */
			for (; first != rx->ring.cons; first++)
				keep(rx, first);
			xpv_netfront_fail(q->front, "delivered what is no packet");
			break;
		}
		keep_extras(rx, &pkt);
		if (likely(what > 0 && netif_running(q->front->netdev))) {
			if (unlikely(prog))
				xpv_netfront_xdp_run(q, prog, &pkt);
			else
				deliver(q, &pkt);
		} else {
			xpv_netfront_rx_keep(rx, &pkt);
			xpv_netfront_count(&rx->count,
					   what < 0 ? &rx->count.errors : &rx->count.dropped);
		}
	}
	if (unlikely(prog))
		xpv_netfront_xdp_end(q);
	return done;
}

struct page *xpv_netfront_new_page(struct xpv_netfront_rx *rx)
{
	return page_pool_alloc_pages(rx->pool, GFP_ATOMIC | __GFP_NOWARN | __GFP_ZERO);
}

/* A new page for a reference that has none. */
static int grant_page(struct xpv_netfront_queue *q, struct xpv_netfront_rxbuf *buf)
{
	struct xpv_netfront_rx *rx = &q->rx;

	buf->page = xpv_netfront_new_page(rx);
	if (!buf->page)
		return -ENOMEM;
	/* One that comes back may hold what the guest made of it: not for everybody's eyes. */
	if (q->front->untrusted)
		clear_page(page_address(buf->page));
	buf->gref = rx->bare_ref[--rx->bare];
	buf->kept = 0;
	gnttab_page_grant_foreign_access_ref_one(buf->gref, q->front->xbdev->otherend_id,
						 buf->page, 0);
	return 0;
}

/* There is one to be had that stays mapped: this one, granted for a packet, has had its time. */
static void retire(struct xpv_netfront_queue *q, const struct xpv_netfront_rxbuf *buf)
{
	struct xpv_netfront_rx *rx = &q->rx;

	if (unlikely(!gnttab_end_foreign_access_ref(buf->gref))) {
		rx->ready_buf[rx->ready++] = *buf;
		keeps_page(q);
		return;
	}
	rx->bare_ref[rx->bare++] = buf->gref;
	page_pool_recycle_direct(rx->pool, buf->page);
}

/* What to post next. 0 or -ENOMEM. */
static int next_buffer(struct xpv_netfront_queue *q, struct xpv_netfront_rxbuf *buf)
{
	struct xpv_netfront_rx *rx = &q->rx;
	struct xpv_netfront_rxbuf old;

	if (!rx->ready)
		return xpv_netfront_take_kept(rx->lot, &rx->looks, buf) ? 0 : grant_page(q, buf);
	*buf = rx->ready_buf[--rx->ready];
	if (!buf->kept) {
		old = *buf;
		if (xpv_netfront_take_kept(rx->lot, &rx->looks, buf))
			retire(q, &old);
	}
	return 0;
}

/* Post all the pages there are, new ones for those that went up the stack. */
static void refill(struct xpv_netfront_queue *q)
{
	struct xpv_netfront_rx *rx = &q->rx;
	u32 statics = 0, grants = 0;

	if (!netif_running(q->front->netdev) || xpv_ring_broken(&rx->ring))
		return;
	while (xpv_front_free(&rx->ring) && likely(!xpv_ring_broken(&rx->ring))) {
		struct xpv_netfront_rxbuf buf;
		struct xpv_net_rxreq req;

		if (next_buffer(q, &buf)) {
			schedule_delayed_work(&rx->refill, HZ / 10);
			break;
		}
		req.id = rx->ring.prod % XPV_NETFRONT_SLOTS;
		req.pad = 0;
		req.gref = buf.gref;
		statics += !!buf.kept;
		grants += !buf.kept;
		*posted(rx, rx->ring.prod) = buf;
		memcpy(xpv_front_next(&rx->ring), &req, sizeof(req));
	}
	u64_stats_update_begin(&rx->count.syncp);
	u64_stats_add(&rx->count.statics, statics);
	u64_stats_add(&rx->count.grants, grants);
	u64_stats_update_end(&rx->count.syncp);
	if (likely(!xpv_ring_broken(&rx->ring)) && xpv_front_publish(&rx->ring))
		notify_remote_via_irq(rx->channel->irq);
}

/* There will be another poll without an event: with one channel for both, none tells of answers. */
static int poll_on(struct xpv_netfront_queue *q, int done)
{
	if (unlikely(q->rx.channel->serves & XPV_NETFRONT_TX))
		napi_schedule(&q->tx.napi);
	return done;
}

int xpv_netfront_poll_rx(struct napi_struct *napi, int budget)
{
	struct xpv_netfront_queue *q = container_of(napi, struct xpv_netfront_queue, rx.napi);
	struct xpv_netfront_rx *rx = &q->rx;
	int done = 0;
	u32 ahead;

	/* netpoll has no use for packets. */
	if (!budget)
		return 0;
	xpv_moderation_begin(&rx->moderation);
	xpv_netfront_begin_looks(rx);
	for (;;) {
		int n = receive(q, budget - done);

		done += n;
		if (n)
			WRITE_ONCE(rx->channel->worked, true);
		refill(q);
		if (done == budget || xpv_moderation_linger(&rx->moderation, done))
			return poll_on(q, budget);
		ahead = xpv_moderation_ahead(&rx->moderation, done);
		if (xpv_front_rearm(&rx->ring, ahead) < ahead)
			break;
		/* For those an event may come, though they will be gone by then. */
		WRITE_ONCE(rx->channel->forgive, true);
	}
	if (!napi_complete_done(napi, done))
		return poll_on(q, done);
	if (likely(!xpv_ring_broken(&rx->ring)))
		xpv_netfront_eoi(rx->channel, XPV_NETFRONT_RX);
	else
		xpv_netfront_fail(q->front, "delivered what is no packet");
	return done;
}

void xpv_netfront_refill_work(struct work_struct *work)
{
	struct xpv_netfront_queue *q = container_of(to_delayed_work(work),
						    struct xpv_netfront_queue, rx.refill);

	local_bh_disable();
	napi_schedule(&q->rx.napi);
	local_bh_enable();
}

/* Give back a page that is granted to the backend, now or when it lets go of it. */
static void abandon(struct xpv_netfront_queue *q, struct xpv_netfront_rxbuf *buf)
{
	/* The lot has it. */
	if (buf->kept)
		return;
	/* With a second reference the pool gives up its claim to the page. */
	get_page(buf->page);
	page_pool_put_full_page(q->rx.pool, buf->page, false);
	xpv_netfront_end_grant(q->front, buf->gref, buf->page);
}

void xpv_netfront_rx_release(struct xpv_netfront_queue *q)
{
	struct xpv_netfront_rx *rx = &q->rx;
	u32 i;

	for (i = 0; rx->ring.shared && i < xpv_front_inflight(&rx->ring); i++)
		abandon(q, posted(rx, rx->ring.cons + i));
	while (rx->ready)
		abandon(q, &rx->ready_buf[--rx->ready]);
	while (rx->bare)
		gnttab_free_grant_reference(rx->bare_ref[--rx->bare]);
	xpv_netfront_xdp_release(q);
	if (rx->pool)
		page_pool_destroy(rx->pool);
	rx->pool = NULL;
}

/* What it took before an error is left to the release. */
int xpv_netfront_rx_connect(struct xpv_netfront_queue *q)
{
	struct xpv_netfront_rx *rx = &q->rx;
	int err;

	rx->pool = xpv_pool_create(&rx->napi, POOL);
	if (IS_ERR(rx->pool)) {
		err = PTR_ERR(rx->pool);
		rx->pool = NULL;
		return err;
	}
	err = xpv_netfront_claim(rx->bare_ref, XPV_NETFRONT_SLOTS);
	if (err)
		return err;
	rx->bare = XPV_NETFRONT_SLOTS;
	return xpv_netfront_xdp_connect(q);
}
