// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest to host. Packets are gathered into batches: slots copied and checked, the data of pages
 * that stay mapped copied, for other slots a grant copy each, one hypercall per batch; then each packet
 * is answered, and only then, while the guest may already fill the slots anew, they go up the stack.
 *
 * A packet begins in the skb's head, a piece of a page of one pool that small ones fit
 * whole, and goes on in frags, pages of another. A slot is not split over two of them unless it
 * must be: because the headers have to be in the head, or because there would be
 * more pages than an skb has frags.
 */
#include "netback.h"
#include "netback_trace.h"

#include <linux/etherdevice.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <xen/events.h>

#include <xpv_data.h>
#include <xpv_flow.h>
#include <xpv_pool.h>

/* All protocol headers fit, so that no layer below meets them split. */
#define HEAD_BYTES	256u
/*
 * Two sizes of head: half a page for an ordinary full packet, else a quarter. A socket's
 * buffer is charged for all of it, so for small packets it must be small.
 */
#define HEAD_SMALL	1024u
#define HEAD_LARGE	2048u
#define ROOM(head)	((u32)(SKB_WITH_OVERHEAD(head) - NET_SKB_PAD))
/* A slot is split once at most. */
#define PACKET_COPIES	(2 * XPV_NET_MAX_SLOTS)
/* A window is as short as the scheduler's delays; so much the in-tree driver lets pass at once. */
#define SAVED_CREDIT	131072u

static_assert(XPV_NET_MAX_SLOTS <= MAX_SKB_FRAGS + 1, "a slot each fits");
static_assert(XPV_NET_MAX_PACKET <= MAX_SKB_FRAGS * PAGE_SIZE, "as densely as can be fits");
static_assert(PACKET_COPIES <= XPV_COPY_MAX, "a packet fits a batch");

/* Where the next byte goes. */
struct placer {
	struct xpv_netback_queue *q;
	struct sk_buff *skb;
	void *mem;
	u32 room;
	u32 slots;			/* that are still to be placed */
};

static struct sk_buff *start_skb(struct xpv_netback_queue *q, u32 head)
{
	unsigned int offset;
	struct page *page = page_pool_dev_alloc_frag(q->heads, &offset, head);
	struct sk_buff *skb;

	if (unlikely(!page))
		return NULL;
	skb = napi_build_skb(page_address(page) + offset, head);
	if (unlikely(!skb)) {
		page_pool_recycle_direct(q->heads, page);
		return NULL;
	}
	skb_mark_for_recycle(skb);
	skb_reserve(skb, NET_SKB_PAD);
	return skb;
}

static bool add_page(struct placer *p)
{
	struct page *page = page_pool_dev_alloc_pages(p->q->pages);

	if (unlikely(!page))
		return false;
	skb_add_rx_frag(p->skb, (int)skb_shinfo(p->skb)->nr_frags, page, 0, 0, PAGE_SIZE);
	p->mem = page_address(page);
	p->room = PAGE_SIZE;
	return true;
}

/* How much of the @len bytes left of a slot goes to the current page. */
static u32 share(const struct placer *p, u32 len)
{
	u32 frags = skb_shinfo(p->skb)->nr_frags;

	if (len <= p->room)
		return len;
	/* A page for each slot to come is more than there may be: leave no hole. */
	if (p->slots > MAX_SKB_FRAGS - frags)
		return p->room;
	/* The head is too short yet. */
	if (!frags && p->skb->len < HEAD_BYTES)
		return HEAD_BYTES - p->skb->len;
	return 0;
}

static void grow(struct placer *p, u32 n)
{
	struct skb_shared_info *info = skb_shinfo(p->skb);

	if (info->nr_frags) {
		skb_frag_size_add(&info->frags[info->nr_frags - 1], (int)n);
		p->skb->len += n;
		p->skb->data_len += n;
	} else {
		__skb_put(p->skb, n);
	}
	p->mem += n;
	p->room -= n;
}

static bool place_slot(struct placer *p, const struct xpv_net_txreq *slot)
{
	const struct xpv_netback_static *mapped = xpv_netback_find(p->q, slot->gref);
	u32 n, done;

	if (mapped)
		p->q->tx_statics++;
	for (done = 0; done < slot->size; done += n) {
		n = share(p, slot->size - done);
		if (!n) {
			if (!add_page(p))
				return false;
			continue;
		}
		if (mapped)
			xpv_data_copy(p->mem, mapped->mem + slot->offset + done, n);
		else
			xpv_copy_from(&p->q->tx_copy, slot->gref, slot->offset + done, p->mem, n);
		grow(p, n);
	}
	p->slots--;
	return true;
}

/* Make room for a packet and add the copies that fetch it. There is room for them. */
static struct sk_buff *place_packet(struct xpv_netback_queue *q, const struct xpv_net_txpkt *pkt)
{
	u32 head = pkt->size > ROOM(HEAD_SMALL) && pkt->size <= ROOM(HEAD_LARGE) ?
		   HEAD_LARGE : HEAD_SMALL;
	struct placer p = {
		.q = q,
		.skb = start_skb(q, head),
		.room = ROOM(head),
		.slots = pkt->frags,
	};
	u32 i;

	if (unlikely(!p.skb))
		return NULL;
	p.mem = p.skb->data;
	for (i = 0; i < pkt->frags; i++) {
		if (unlikely(!place_slot(&p, &pkt->frag[i]))) {
			dev_kfree_skb_any(p.skb);
			return NULL;
		}
	}
	return p.skb;
}

/*
 * Credit: each window brings credit_bytes. Some is saved up, so that we may wake up late
 * without falling short of the rate. A packet may overdraw, so that the largest one passes the
 * smallest limit, and the next waits.
 */
static bool has_credit(struct xpv_netback_queue *q)
{
	struct xpv_netback *vif = q->vif;
	u64 now, window, n;
	bool has;

	if (likely(!READ_ONCE(vif->credit_bytes)))
		return true;
	spin_lock(&vif->credit_lock);
	now = ktime_get_ns();
	window = max(vif->credit_usec, 1u) * (u64)NSEC_PER_USEC;
	n = div64_u64(now - vif->credit_start, window);
	vif->credit_start += n * window;
	/* What this many windows bring covers any debt. */
	n = min_t(u64, n, 2 * XPV_NET_MAX_PACKET);
	vif->credit_left = min_t(s64, vif->credit_left + (s64)(n * vif->credit_bytes),
				 max(vif->credit_bytes, SAVED_CREDIT));
	has = vif->credit_left > 0 || !vif->credit_bytes;
	if (!has)
		schedule_delayed_work(&q->credit_work,
				      nsecs_to_jiffies(vif->credit_start + window - now) + 1);
	spin_unlock(&vif->credit_lock);
	return has;
}

static void charge(struct xpv_netback *vif, u32 bytes)
{
	if (likely(!READ_ONCE(vif->credit_bytes)))
		return;
	spin_lock(&vif->credit_lock);
	vif->credit_left -= bytes;
	spin_unlock(&vif->credit_lock);
}

static void go_on(struct work_struct *work)
{
	struct xpv_netback_queue *q =
		container_of(to_delayed_work(work), struct xpv_netback_queue, credit_work);

	local_bh_disable();
	napi_schedule(&q->napi);
	local_bh_enable();
}

void xpv_netback_set_rate(struct xpv_netback *vif, u32 bytes, u32 usec)
{
	u32 i;

	spin_lock_bh(&vif->credit_lock);
	WRITE_ONCE(vif->credit_bytes, bytes);
	vif->credit_usec = usec;
	vif->credit_left = bytes;
	vif->credit_start = ktime_get_ns();
	spin_unlock_bh(&vif->credit_lock);
	/* Who waits for the end of a window finds another one. */
	rtnl_lock();
	for (i = 0; i < vif->queues; i++)
		if (vif->queue[i]->up && cancel_delayed_work(&vif->queue[i]->credit_work))
			schedule_delayed_work(&vif->queue[i]->credit_work, 0);
	rtnl_unlock();
}

/* Make the packet of a job whose slots are taken; @good: it is one to carry. */
static void prepare(struct xpv_netback_queue *q, struct xpv_netback_job *job, bool good)
{
	struct xpv_copy_batch *b = &q->tx_copy;

	job->skb = NULL;
	job->status = XPV_NET_ERROR;
	job->op = b->n;
	job->ops = 0;
	if (unlikely(!good)) {
		xpv_netback_count(&q->from_guest, &q->from_guest.errors);
		return;
	}
	if (unlikely(job->pkt.mcast)) {
		if (!xpv_netback_change_mcast(q->vif, &job->pkt))
			job->status = XPV_NET_OKAY;
		return;
	}
	job->skb = place_packet(q, &job->pkt);
	if (unlikely(!job->skb)) {
		b->n = (u16)job->op;
		xpv_netback_count(&q->from_guest, &q->from_guest.dropped);
		return;
	}
	job->status = XPV_NET_OKAY;
	charge(q->vif, job->pkt.size);
	job->ops = b->n - job->op;
}

/* Fill job[] with up to @most packets and their copies. */
static u32 gather(struct xpv_netback_queue *q, u32 most, bool *wait)
{
	struct xpv_copy_batch *b = &q->tx_copy;
	u32 n = 0;

	while (n < most && n < XPV_NETBACK_JOBS && xpv_copy_room(b) >= PACKET_COPIES) {
		struct xpv_netback_job *job = &q->job[n];
		int found;

		if (!has_credit(q)) {
			*wait = true;
			break;
		}
		found = xpv_net_take_tx(&q->tx, &job->pkt);
		if (!found || found == -EPROTO)
			break;
		n++;
		prepare(q, job, found == 1);
	}
	return n;
}

static bool fetched(const struct xpv_netback_queue *q, const struct xpv_netback_job *job)
{
	u32 i;

	for (i = job->op; i < job->op + job->ops; i++)
		if (unlikely(xpv_copy_status(&q->tx_copy, i)))
			return false;
	return true;
}

/* The packet's content is ours now: answer its slots. */
static void answer(struct xpv_netback_queue *q, struct xpv_netback_job *job)
{
	if (likely(job->skb) && unlikely(!fetched(q, job))) {
		dev_kfree_skb_any(job->skb);
		job->skb = NULL;
		job->status = XPV_NET_ERROR;
		xpv_netback_count(&q->from_guest, &q->from_guest.errors);
	}
	trace_xpv_netback_from_guest(q, job);
	xpv_net_answer_tx(&q->tx, &job->pkt, job->status);
}

/* What the guest says of the packet, in the stack's terms. */
static int describe(struct sk_buff *skb, const struct xpv_net_txpkt *pkt)
{
	bool blank = pkt->flags & XPV_NET_TX_CSUM_BLANK, cut = pkt->gso_type != XPV_NET_GSO_NONE;

	if (cut) {
		struct skb_shared_info *info = skb_shinfo(skb);

		/* Whoever uses these looks at the headers first, and counts for himself. */
		info->gso_type = SKB_GSO_DODGY |
			(pkt->gso_type == XPV_NET_GSO_TCPV4 ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6);
		info->gso_size = pkt->gso_size;
	}
	/* The pieces get their checksums when they are cut, wherever that is, also where the whole has one. */
	if (cut || blank) {
		skb->ip_summed = CHECKSUM_PARTIAL;
		return skb_checksum_setup(skb, !blank);
	}
	if (pkt->flags & XPV_NET_TX_VALIDATED)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	return 0;
}

static void deliver(struct xpv_netback_queue *q, const struct xpv_netback_job *job)
{
	struct sk_buff *skb = job->skb;

	skb->protocol = eth_type_trans(skb, q->vif->dev);
	skb_reset_network_header(skb);
	if (unlikely(describe(skb, &job->pkt))) {
		xpv_netback_count(&q->from_guest, &q->from_guest.errors);
		dev_kfree_skb_any(skb);
		return;
	}
	skb_probe_transport_header(skb);
	skb_record_rx_queue(skb, (u16)q->id);
	xpv_flow_tell(skb, job->pkt.hash_type, job->pkt.hash);
	napi_gro_receive(&q->napi, skb);
}

/* The batch as a whole. */
static void count_batch(struct xpv_netback_queue *q, u32 n)
{
	struct xpv_netback_count *count = &q->from_guest;
	u32 i, packets = 0, bytes = 0;

	for (i = 0; i < n; i++) {
		if (!q->job[i].skb)
			continue;
		packets++;
		bytes += q->job[i].pkt.size;
	}
	u64_stats_update_begin(&count->syncp);
	u64_stats_add(&count->packets, packets);
	u64_stats_add(&count->bytes, bytes);
	u64_stats_add(&count->copies, q->tx_copy.n);
	u64_stats_add(&count->statics, q->tx_statics);
	u64_stats_update_end(&count->syncp);
	q->tx_statics = 0;
}

int xpv_netback_carry(struct xpv_netback_queue *q, int budget, bool *wait)
{
	int done = 0;

	while (done < budget) {
		u32 i, n = gather(q, (u32)(budget - done), wait);

		if (!n)
			break;
		xpv_copy_submit(&q->tx_copy);
		for (i = 0; i < n; i++)
			answer(q, &q->job[i]);
		count_batch(q, n);
		xpv_copy_reset(&q->tx_copy);
		if (xpv_back_publish(&q->tx))
			notify_remote_via_irq(q->tx_irq);
		for (i = 0; i < n; i++)
			if (q->job[i].skb)
				deliver(q, &q->job[i]);
		done += (int)n;
	}
	return done;
}

void xpv_netback_init_tx(struct xpv_netback_queue *q)
{
	/* The headers fit any head. */
	BUILD_BUG_ON(ROOM(HEAD_SMALL) < HEAD_BYTES);
	INIT_DELAYED_WORK(&q->credit_work, go_on);
}
