// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that see each packet before the stack does.
 *
 * A program may write to a packet, and what it has read must stay so: the backend is not to reach
 * it any more. A packet that lies alone in its page, with the room around it that programs may
 * use, is handed to it there, after the page's grant was ended. The backend is asked to leave
 * such room. All others are copied, close together, to pages of the pool that the backend never had:
 * small ones, whose pages then stay granted, large ones, those of a backend that leaves no room, and
 * those in pages that it keeps mapped, which cost neither end more than the copy.
 *
 * An XDP buffer has no place for a blank checksum or for the size of segments, so the backend is
 * asked to send neither. One that still does, because it has not heard of it yet, loses the packet.
 */
#include "netfront.h"

#include <linux/bpf_trace.h>
#include <linux/rtnetlink.h>
#include "xpv_pool.h"
#include "xpv_xdp.h"

/* What a program finds in the first page. */
#define ROOM	((u32)(SKB_WITH_OVERHEAD(PAGE_SIZE) - XDP_PACKET_HEADROOM))

static_assert(ROOM + XPV_NETFRONT_XDP_FRAGS * PAGE_SIZE >= XPV_NET_MAX_PACKET, "any packet fits");
static_assert(XPV_NETFRONT_XDP_FRAGS <= MAX_SKB_FRAGS, "and is one to the stack");

static bool can_stay(struct xpv_netfront_rx *rx, const struct xpv_net_rxpkt *pkt)
{
	return pkt->frags == 1 && pkt->size > XPV_NETFRONT_COPY &&
	       !xpv_netfront_rx_mapped(rx, pkt, 0) &&
	       pkt->frag[0].offset >= XDP_PACKET_HEADROOM &&
	       pkt->frag[0].offset + pkt->size <= SKB_WITH_OVERHEAD(PAGE_SIZE);
}

static bool stay(struct xpv_netfront_queue *q, const struct xpv_net_rxpkt *pkt,
		 struct xdp_buff *xdp)
{
	struct page *page = xpv_netfront_rx_take(q, pkt->frag[0].index);

	if (!page)
		return false;
	xdp_init_buff(xdp, PAGE_SIZE, &q->rx.xdp.info);
	xdp_prepare_buff(xdp, page_address(page), pkt->frag[0].offset, (int)pkt->size, true);
	return true;
}

/* Where the next byte of a packet goes. */
struct placer {
	struct xpv_netfront_rx *rx;
	struct xdp_buff *xdp;
	u32 left;		/* bytes that have no place yet */
	void *mem;
	u32 room;
};

static bool start_buff(struct placer *p)
{
	struct page *page = xpv_netfront_new_page(p->rx);
	u32 size = min(p->left, ROOM);

	if (!page)
		return false;
	xdp_init_buff(p->xdp, PAGE_SIZE, &p->rx->xdp.info);
	xdp_prepare_buff(p->xdp, page_address(page), XDP_PACKET_HEADROOM, (int)size, true);
	p->mem = p->xdp->data;
	p->room = size;
	p->left -= size;
	return true;
}

static bool add_page(struct placer *p)
{
	struct page *page = xpv_netfront_new_page(p->rx);
	u32 size = min(p->left, (u32)PAGE_SIZE);

	/* There is one more in it for any packet. */
	if (!page || !xpv_xdp_add_page(p->xdp, page, size))
		return false;
	p->mem = page_address(page);
	p->room = size;
	p->left -= size;
	return true;
}

/* Copy all of the packet. False, and there is no buffer, when memory is short. */
static bool copy_out(struct xpv_netfront_queue *q, const struct xpv_net_rxpkt *pkt,
		     struct xdp_buff *xdp)
{
	struct placer p = { .rx = &q->rx, .xdp = xdp, .left = pkt->size };
	u32 i, n, done;

	if (!start_buff(&p))
		return false;
	for (i = 0; i < pkt->frags; i++) {
		for (done = 0; done < pkt->frag[i].size; done += n) {
			if (!p.room && !add_page(&p)) {
				xdp_return_buff(xdp);
				return false;
			}
			n = min(p.room, pkt->frag[i].size - done);
			memcpy(p.mem, xpv_netfront_rx_data(&q->rx, pkt, i) + done, n);
			p.mem += n;
			p.room -= n;
		}
	}
	return true;
}

/* Have the packet in @xdp, and be done with its slots. Returns false when it is lost. */
static bool make_buff(struct xpv_netfront_queue *q, const struct bpf_prog *prog,
		      const struct xpv_net_rxpkt *pkt, struct xdp_buff *xdp)
{
	bool made = false;

	if (can_stay(&q->rx, pkt))
		return stay(q, pkt, xdp);
	if (pkt->size <= ROOM || prog->aux->xdp_has_frags)
		made = copy_out(q, pkt, xdp);
	xpv_netfront_rx_keep(&q->rx, pkt);
	return made;
}

/* An skb with what @xdp holds; NULL without memory, and it still holds it. */
static struct sk_buff *make_skb(struct xpv_netfront_queue *q, struct xdp_buff *xdp)
{
	u32 len = xdp->data_end - xdp->data, meta = xdp->data - xdp->data_meta;
	struct sk_buff *skb;
	u8 pages = 0;

	/* A socket's buffer is charged for what the packet occupies. */
	if (len <= XPV_NETFRONT_COPY && !meta && !xdp_buff_has_frags(xdp)) {
		skb = napi_alloc_skb(&q->rx.napi, len);
		if (skb) {
			skb_put_data(skb, xdp->data, len);
			xdp_return_buff(xdp);
		}
		return skb;
	}
	if (xdp_buff_has_frags(xdp))
		pages = xdp_get_shared_info_from_buff(xdp)->nr_frags;
	skb = napi_build_skb(xdp->data_hard_start, PAGE_SIZE);
	if (!skb)
		return NULL;
	skb_mark_for_recycle(skb);
	skb_reserve(skb, xdp->data - xdp->data_hard_start);
	__skb_put(skb, len);
	if (meta)
		skb_metadata_set(skb, meta);
	if (pages)
		xpv_xdp_pass_pages(xdp, skb, pages);
	return skb;
}

/* Up the stack. Of its checksum and hash nothing is known: the program may have changed anything. */
static bool pass(struct xpv_netfront_queue *q, struct xdp_buff *xdp)
{
	struct sk_buff *skb = make_skb(q, xdp);

	if (!skb)
		return false;
	skb->protocol = eth_type_trans(skb, q->front->netdev);
	skb_record_rx_queue(skb, q->id);
	napi_gro_receive(&q->rx.napi, skb);
	return true;
}

static void send_kept(struct xpv_netfront_queue *q)
{
	struct xpv_netfront_xdp *own = &q->rx.xdp;
	int sent = xpv_netfront_send_frames(q, own->frame, (int)own->frames, true);
	u32 i;

	for (i = max(sent, 0); i < own->frames; i++) {
		xdp_return_frame(own->frame[i]);
		xpv_netfront_count(&q->rx.count, &q->rx.count.dropped);
	}
	own->frames = 0;
}

/* Back to the backend, with others, when the poll's last packet was looked at. */
static bool send_back(struct xpv_netfront_queue *q, struct xdp_buff *xdp)
{
	struct xpv_netfront_xdp *own = &q->rx.xdp;
	struct xdp_frame *frame = xdp_convert_buff_to_frame(xdp);

	if (!frame)
		return false;
	own->frame[own->frames++] = frame;
	if (own->frames == XPV_NETFRONT_XDP_BULK)
		send_kept(q);
	return true;
}

static bool redirect(struct xpv_netfront_queue *q, struct bpf_prog *prog, struct xdp_buff *xdp)
{
	if (xdp_do_redirect(q->front->netdev, xdp, prog))
		return false;
	q->rx.xdp.redirected = true;
	return true;
}

/* Do as the program says. False: the packet was not to be, and the buffer is still there. */
static bool obey(struct xpv_netfront_queue *q, struct bpf_prog *prog, struct xdp_buff *xdp,
		 u32 act)
{
	struct xpv_netfront_count *count = &q->rx.count;
	bool done;

	switch (act) {
	case XDP_PASS:
		done = pass(q, xdp);
		break;
	case XDP_TX:
		done = send_back(q, xdp);
		xpv_netfront_count(count, &count->xdp_tx);
		break;
	case XDP_REDIRECT:
		done = redirect(q, prog, xdp);
		xpv_netfront_count(count, &count->xdp_redirects);
		break;
	case XDP_DROP:
		xpv_netfront_count(count, &count->xdp_drops);
		xdp_return_buff(xdp);
		return true;
	default:
		bpf_warn_invalid_xdp_action(q->front->netdev, prog, act);
		fallthrough;
	case XDP_ABORTED:
		done = false;
		break;
	}
	if (!done)
		trace_xdp_exception(q->front->netdev, prog, act);
	return done;
}

void xpv_netfront_xdp_run(struct xpv_netfront_queue *q, struct bpf_prog *prog,
			  const struct xpv_net_rxpkt *pkt)
{
	struct xpv_netfront_count *count = &q->rx.count;
	struct xdp_buff xdp;

	if (unlikely(pkt->gso_type || pkt->flags & XPV_NET_RX_CSUM_BLANK)) {
		xpv_netfront_rx_keep(&q->rx, pkt);
		xpv_netfront_count(count, &count->dropped);
		return;
	}
	if (unlikely(!make_buff(q, prog, pkt, &xdp))) {
		xpv_netfront_count(count, &count->dropped);
		return;
	}
	u64_stats_update_begin(&count->syncp);
	u64_stats_inc(&count->packets);
	u64_stats_add(&count->bytes, pkt->size);
	u64_stats_update_end(&count->syncp);
	if (unlikely(!obey(q, prog, &xdp, bpf_prog_run_xdp(prog, &xdp)))) {
		xdp_return_buff(&xdp);
		xpv_netfront_count(count, &count->dropped);
	}
}

void xpv_netfront_xdp_end(struct xpv_netfront_queue *q)
{
	if (q->rx.xdp.frames)
		send_kept(q);
	if (q->rx.xdp.redirected)
		xdp_do_flush();
	q->rx.xdp.redirected = false;
}

int xpv_netfront_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames, u32 flags)
{
	struct xpv_netfront *np = netdev_priv(dev);

	if (unlikely(flags & ~XDP_XMIT_FLAGS_MASK))
		return -EINVAL;
	/* Any queue will do, so each CPU has its own, as far as there are enough. */
	return xpv_netfront_send_frames(&np->queue[smp_processor_id() % READ_ONCE(np->queues)],
					frames, n, flags & XDP_XMIT_FLUSH);
}

/* Without frags a packet has to lie in one page. */
static bool too_long(const struct bpf_prog *prog, int mtu)
{
	return !prog->aux->xdp_has_frags && mtu + VLAN_ETH_HLEN > ROOM;
}

bool xpv_netfront_xdp_forbids(const struct xpv_netfront *np, int mtu)
{
	const struct bpf_prog *prog = rtnl_dereference(np->xdp_prog);

	return prog && too_long(prog, mtu);
}

static int set_prog(struct xpv_netfront *np, struct bpf_prog *prog, struct netlink_ext_ack *extack)
{
	struct bpf_prog *old = rtnl_dereference(np->xdp_prog);

	if (prog && too_long(prog, np->netdev->mtu)) {
		NL_SET_ERR_MSG_MOD(extack, "the MTU is too large for a program without frags");
		return -EINVAL;
	}
	rcu_assign_pointer(np->xdp_prog, prog);
	/* What the backend may send is another from now on, and where it is to put it. */
	if (!old != !prog) {
		netdev_update_features(np->netdev);
		xpv_netfront_renew(np);
	}
	if (old)
		bpf_prog_put(old);
	return 0;
}

int xpv_netfront_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	switch (bpf->command) {
	case XDP_SETUP_PROG:
		return set_prog(netdev_priv(dev), bpf->prog, bpf->extack);
	default:
		return -EINVAL;
	}
}

u32 xpv_netfront_xdp_headroom(const struct xpv_netfront *np)
{
	return rcu_access_pointer(np->xdp_prog) ? XDP_PACKET_HEADROOM : 0;
}

int xpv_netfront_xdp_connect(struct xpv_netfront_queue *q)
{
	struct xdp_rxq_info *info = &q->rx.xdp.info;
	int err;

	err = __xdp_rxq_info_reg(info, q->front->netdev, q->id, q->rx.napi.napi_id, PAGE_SIZE);
	return err ? err : xdp_rxq_info_reg_mem_model(info, MEM_TYPE_PAGE_POOL, q->rx.pool);
}

void xpv_netfront_xdp_release(struct xpv_netfront_queue *q)
{
	if (xdp_rxq_info_is_reg(&q->rx.xdp.info))
		xdp_rxq_info_unreg(&q->rx.xdp.info);
}
