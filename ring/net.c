// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Packets gathered from the slots of a netif ring, each slot copied once.
 *
 * Two degrees of wrong: a packet that can't be carried is dropped and the ring
 * goes on (-EINVAL); a ring on which it can't be told where the next packet
 * begins, or that no working peer writes, is broken (-EPROTO).
 */
#include <xpv/netif.h>


/* What remains of the slots the peer has shown. */
struct take {
	struct xpv_ring *ring;
	u32 left;
	u32 taken;
};

static bool copy_next(struct take *t, void *dst, size_t len)
{
	if (!t->left)
		return false;
	xpv_ring_copy(t->ring, t->ring->cons, dst, len);
	t->ring->cons++;
	t->left--;
	t->taken++;
	return true;
}

static int protocol_error(struct xpv_ring *ring)
{
	xpv_ring_break(ring);
	return -EPROTO;
}

/* -EPROTO: none at all. -EINVAL: of segments that may be somebody's wish, but are too small. */
static int gso(const struct xpv_net_extra *e, u8 *type, u16 *size)
{
	if (!e->gso.size ||
	    (e->gso.type != XPV_NET_GSO_TCPV4 && e->gso.type != XPV_NET_GSO_TCPV6))
		return -EPROTO;
	if (e->gso.size < XPV_NET_MIN_GSO)
		return -EINVAL;
	*type = e->gso.type;
	*size = e->gso.size;
	return 0;
}

/* Only a hint: one of a type that isn't known is none. */
static void hash(const struct xpv_net_extra *e, u8 *type, u32 *value)
{
	const u8 *v = e->hash.value;

	*type = e->hash.type < XPV_NET_HASH_TYPES ? e->hash.type : XPV_NET_HASH_TYPES;
	*value = v[0] | (u32)v[1] << 8 | (u32)v[2] << 16 | (u32)v[3] << 24;
}

static int take_tx_extras(struct take *t, struct xpv_net_txpkt *pkt)
{
	struct xpv_net_extra e;
	int err = 0;

	do {
		if (!copy_next(t, &e, sizeof(e)))
			return -EPROTO;
		pkt->extras++;
		switch (e.type) {
		case XPV_NET_EXTRA_GSO:
			err = gso(&e, &pkt->gso_type, &pkt->gso_size);
			if (err == -EPROTO)
				return err;
			break;
		case XPV_NET_EXTRA_MCAST_ADD:
		case XPV_NET_EXTRA_MCAST_DEL:
			pkt->mcast = e.type;
			memcpy(pkt->mcast_addr, e.mcast.addr, sizeof(pkt->mcast_addr));
			break;
		case XPV_NET_EXTRA_HASH:
			hash(&e, &pkt->hash_type, &pkt->hash);
			break;
		case XPV_NET_EXTRA_XDP:
			break;
		default:
			return -EPROTO;
		}
	} while (e.flags & XPV_NET_EXTRA_MORE);
	return err;
}

/* The first request names the size of the whole; its own is what the others leave. */
static int split_tx_size(struct xpv_net_txpkt *pkt)
{
	u32 i, rest = 0;

	for (i = 1; i < pkt->frags; i++) {
		if (pkt->frag[i].offset + (u32)pkt->frag[i].size > XPV_PAGE_SIZE)
			return -EPROTO;
		rest += pkt->frag[i].size;
	}
	pkt->size = pkt->frag[0].size;
	if (rest > pkt->size || pkt->size < XPV_NET_MIN_PACKET || pkt->frags > XPV_NET_MAX_SLOTS)
		return -EINVAL;
	pkt->frag[0].size = (u16)(pkt->size - rest);
	if (pkt->frag[0].offset + (u32)pkt->frag[0].size > XPV_PAGE_SIZE)
		return -EPROTO;
	return 0;
}

int xpv_net_take_tx(struct xpv_ring *ring, struct xpv_net_txpkt *pkt)
{
	struct take t = { .ring = ring, .left = xpv_back_pending(ring) };
	int err, what = 1;
	u16 flags;

	if (!t.left)
		return xpv_ring_broken(ring) ? -EPROTO : 0;

	pkt->extras = 0;
	pkt->frags = 0;
	pkt->gso_type = XPV_NET_GSO_NONE;
	pkt->gso_size = 0;
	pkt->mcast = 0;
	pkt->hash_type = XPV_NET_HASH_TYPES;
	do {
		if (pkt->frags == XPV_NET_FATAL_SLOTS ||
		    !copy_next(&t, &pkt->frag[pkt->frags], sizeof(pkt->frag[0])))
			return protocol_error(ring);
		flags = pkt->frag[pkt->frags].flags;
		if (!pkt->frags++) {
			pkt->flags = flags;
			if (flags & XPV_NET_TX_EXTRA) {
				err = take_tx_extras(&t, pkt);
				if (err == -EPROTO)
					return protocol_error(ring);
				if (err)
					what = err;
			}
		}
	} while (flags & XPV_NET_TX_MORE);

	pkt->slots = t.taken;
	/* A change of the multicast filter is a lone request without data. */
	if (pkt->mcast) {
		pkt->size = 0;
		return pkt->frags == 1 ? what : -EINVAL;
	}
	err = split_tx_size(pkt);
	if (err == -EPROTO)
		return protocol_error(ring);
	return err ? err : what;
}
EXPORT_SYMBOL_GPL(xpv_net_take_tx);

static void answer(struct xpv_ring *ring, u16 id, s16 status)
{
	struct xpv_net_txrsp rsp = { .id = id, .status = status };

	memcpy(xpv_back_next(ring), &rsp, sizeof(rsp));
}

void xpv_net_answer_tx(struct xpv_ring *ring, const struct xpv_net_txpkt *pkt, s16 status)
{
	u32 i;

	answer(ring, pkt->frag[0].id, status);
	for (i = 0; i < pkt->extras; i++)
		answer(ring, pkt->frag[0].id, XPV_NET_NULL);
	for (i = 1; i < pkt->frags; i++)
		answer(ring, pkt->frag[i].id, status);
}
EXPORT_SYMBOL_GPL(xpv_net_answer_tx);

static int take_rx_extras(struct take *t, struct xpv_net_rxpkt *pkt)
{
	struct xpv_net_extra e;

	do {
		if (!copy_next(t, &e, sizeof(e)))
			return -EPROTO;
		switch (e.type) {
		case XPV_NET_EXTRA_GSO:
			if (gso(&e, &pkt->gso_type, &pkt->gso_size))
				pkt->error = -EINVAL;
			break;
		case XPV_NET_EXTRA_XDP:
			pkt->headroom = e.xdp.headroom;
			break;
		case XPV_NET_EXTRA_HASH:
			hash(&e, &pkt->hash_type, &pkt->hash);
			break;
		default:
			pkt->error = -EINVAL;
			break;
		}
	} while (e.flags & XPV_NET_EXTRA_MORE);
	return 0;
}

static void add_rx_frag(struct xpv_net_rxpkt *pkt, u32 index, const struct xpv_net_rxrsp *rsp)
{
	u16 size = 0;

	if (rsp->status < 0 || rsp->offset + (u32)rsp->status > XPV_PAGE_SIZE)
		pkt->error = -EINVAL;
	else
		size = (u16)rsp->status;
	pkt->frag[pkt->frags].index = index;
	pkt->frag[pkt->frags].offset = rsp->offset;
	pkt->frag[pkt->frags].size = size;
	pkt->frags++;
	pkt->size += size;
}

/*
 * Two ways to leave room in front of the data. Ours is to say in the first slot where they begin. The
 * in-tree backend leaves room in every slot, says so in the extra alone, and counts the room too.
 */
static void skip_headroom(struct xpv_net_rxpkt *pkt, u32 i)
{
	if (pkt->frag[i].size < pkt->headroom) {
		pkt->error = -EINVAL;
		return;
	}
	pkt->frag[i].offset += pkt->headroom;
	pkt->frag[i].size -= pkt->headroom;
	pkt->size -= pkt->headroom;
}

int xpv_net_take_rx(struct xpv_ring *ring, struct xpv_net_rxpkt *pkt)
{
	struct take t = { .ring = ring, .left = xpv_front_pending(ring) };
	struct xpv_net_rxrsp rsp;
	bool counted = false;

	if (!t.left)
		return xpv_ring_broken(ring) ? -EPROTO : 0;

	pkt->first = ring->cons;
	pkt->frags = 0;
	pkt->size = 0;
	pkt->error = 0;
	pkt->gso_type = XPV_NET_GSO_NONE;
	pkt->gso_size = 0;
	pkt->headroom = 0;
	pkt->hash_type = XPV_NET_HASH_TYPES;
	do {
		u32 index = ring->cons;

		if (pkt->frags == XPV_NET_FATAL_SLOTS || !copy_next(&t, &rsp, sizeof(rsp)))
			return protocol_error(ring);
		add_rx_frag(pkt, index, &rsp);
		if (pkt->frags == 1) {
			pkt->flags = rsp.flags;
			if (rsp.flags & XPV_NET_RX_EXTRA && take_rx_extras(&t, pkt))
				return protocol_error(ring);
			counted = pkt->headroom > rsp.offset;
		}
		if (counted)
			skip_headroom(pkt, pkt->frags - 1);
	} while (rsp.flags & XPV_NET_RX_MORE);

	pkt->slots = t.taken;
	/* The first slot holds at least the header that tells what the packet is. */
	if (pkt->frag[0].size < XPV_NET_MIN_PACKET || pkt->size > XPV_NET_MAX_PACKET)
		pkt->error = -EINVAL;
	return pkt->error ? -EINVAL : 1;
}
EXPORT_SYMBOL_GPL(xpv_net_take_rx);
