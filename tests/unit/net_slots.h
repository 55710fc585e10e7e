/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets as tables of their slots, for the transmit and the receive ring. */
#ifndef XPV_NET_SLOTS_H
#define XPV_NET_SLOTS_H

#include <xpv/netif.h>
#include "pair.h"
#include "test.h"

#define SLOTS	24	/* of a packet in a table, at most */

#define MORE	XPV_NET_TX_MORE		/* the same on both rings */
#define EXTRA	XPV_NET_TX_EXTRA

static_assert(XPV_NET_TX_MORE == XPV_NET_RX_MORE, "MORE");
static_assert(XPV_NET_TX_EXTRA == XPV_NET_RX_EXTRA, "EXTRA");

enum kind { END, DATA, INFO };

/* One slot of a packet in a table. */
struct slot {
	enum kind kind;
	int size;		/* of data: size or status; of a GSO extra: its size */
	u16 offset;
	u16 flags;		/* of an extra: its type */
	u8 gso_type;
	bool more;		/* of an extra */
};

#define D(size, offset, flags)	{ DATA, size, offset, flags, 0, false }
#define GSO(size, type)		{ INFO, size, 0, XPV_NET_EXTRA_GSO, type, false }
#define GSO_MORE(size, type)	{ INFO, size, 0, XPV_NET_EXTRA_GSO, type, true }
#define HASH(type)		{ INFO, 0, 0, XPV_NET_EXTRA_HASH, type, false }
#define X(type)			{ INFO, 0, 0, type, 0, false }
#define X_MORE(type)		{ INFO, 0, 0, type, 0, true }
#define D1			D(4096, 0, MORE)
#define D4			D1, D1, D1, D1

static const u8 addr[6] __attribute__((unused)) = { 1, 0, 0x5e, 1, 2, 3 };

static struct xpv_net_extra extra(const struct slot *s)
{
	struct xpv_net_extra e = { .type = (u8)s->flags, .flags = s->more };

	switch (s->flags) {
	case XPV_NET_EXTRA_GSO:
		e.gso.size = (u16)s->size;
		e.gso.type = s->gso_type;
		break;
	case XPV_NET_EXTRA_MCAST_ADD:
	case XPV_NET_EXTRA_MCAST_DEL:
		memcpy(e.mcast.addr, addr, sizeof(addr));
		break;
	case XPV_NET_EXTRA_HASH:
		e = xpv_net_hash_extra(s->gso_type, 0x04030201);
		e.flags = s->more;
		break;
	case XPV_NET_EXTRA_XDP:
		e.xdp.headroom = 256;
		break;
	}
	return e;
}

#endif
