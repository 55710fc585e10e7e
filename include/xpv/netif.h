/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * netif on the wire: xen/include/public/io/netif.h, and packets as they are
 * gathered from their slots.
 *
 *   transmit, guest to backend:  request, [extras], [more requests]
 *   receive, backend to guest:   response, [extras], [more responses]
 *
 * An extra takes a whole slot and has no id. On the transmit ring each slot,
 * extras too, gets a response; on the receive ring a response stands in the slot of its own
 * request, and an extra uses up the buffer posted there.
 *
 * Pure functions over a ring, any context.
 */
#ifndef XPV_NETIF_H
#define XPV_NETIF_H

#include "xpv_os.h"
#include <xpv/netctl.h>
#include <xpv/ring.h>

struct xpv_net_txreq {
	u32 gref;
	u16 offset;
	u16 flags;		/* XPV_NET_TX_* */
	u16 id;
	u16 size;		/* in a packet's first request: of the whole packet */
};

struct xpv_net_txrsp {
	u16 id;
	s16 status;
};

struct xpv_net_rxreq {
	u16 id;
	u16 pad;
	u32 gref;
};

struct xpv_net_rxrsp {
	u16 id;
	u16 offset;
	u16 flags;		/* XPV_NET_RX_* */
	s16 status;		/* bytes in this slot, or an error below 0 */
};

struct xpv_net_extra {
	u8 type;		/* XPV_NET_EXTRA_* */
	u8 flags;		/* XPV_NET_EXTRA_MORE */
	union {
		struct {
			u16 size;
			u8 type;	/* XPV_NET_GSO_* */
			u8 pad;
			u16 features;
		} gso;
		struct {
			u8 addr[6];
		} mcast;
		struct {
			u8 type;	/* XPV_NET_HASH_* */
			u8 algorithm;	/* XPV_NET_ALGORITHM_* */
			u8 value[4];	/* lowest octet first */
		} hash;
		struct {
			u16 headroom;
			u16 pad[2];
		} xdp;
		u16 pad[3];
	};
};

#define XPV_NET_TX_STRIDE	12u
#define XPV_NET_RX_STRIDE	8u
#define XPV_NET_RING_SLOTS	256u	/* of one page, either ring */

static_assert(sizeof(struct xpv_net_txreq) == XPV_NET_TX_STRIDE, "transmit request");
static_assert(sizeof(struct xpv_net_txrsp) == 4, "transmit response");
static_assert(sizeof(struct xpv_net_rxreq) == XPV_NET_RX_STRIDE, "receive request");
static_assert(sizeof(struct xpv_net_rxrsp) == XPV_NET_RX_STRIDE, "receive response");
static_assert(sizeof(struct xpv_net_extra) == 8, "extra");

#define XPV_NET_TX_CSUM_BLANK	0x1u	/* the protocol checksum is to be filled in */
#define XPV_NET_TX_VALIDATED	0x2u	/* the data has been checked */
#define XPV_NET_TX_MORE		0x4u	/* the packet goes on in the next request */
#define XPV_NET_TX_EXTRA	0x8u	/* extras follow this, the first request */

#define XPV_NET_RX_VALIDATED	0x1u
#define XPV_NET_RX_CSUM_BLANK	0x2u
#define XPV_NET_RX_MORE		0x4u
#define XPV_NET_RX_EXTRA	0x8u

#define XPV_NET_EXTRA_GSO	1u
#define XPV_NET_EXTRA_MCAST_ADD	2u
#define XPV_NET_EXTRA_MCAST_DEL	3u
#define XPV_NET_EXTRA_HASH	4u
#define XPV_NET_EXTRA_XDP	5u
#define XPV_NET_EXTRA_TYPES	6u

#define XPV_NET_EXTRA_MORE	0x1u

#define XPV_NET_GSO_NONE	0u
#define XPV_NET_GSO_TCPV4	1u
#define XPV_NET_GSO_TCPV6	2u
/* Bytes of a segment at least, as TCP has it: fewer would turn one packet into thousands. */
#define XPV_NET_MIN_GSO		8u

/* Response status. */
enum {
	XPV_NET_DROPPED	= -2,
	XPV_NET_ERROR	= -1,
	XPV_NET_OKAY	= 0,
	XPV_NET_NULL	= 1,	/* answers the slot of an extra */
};

/* Slots with data that a packet may take; netif.h demands 18 of every backend. */
#define XPV_NET_MAX_SLOTS	18u
/* More than that is dropped, and more than this is no accident: it is what the in-tree backend bears with as well. */
#define XPV_NET_FATAL_SLOTS	20u
#define XPV_NET_MAX_PACKET	65535u
#define XPV_NET_MIN_PACKET	14u	/* an Ethernet header */

/* A transmit ring and a receive ring each. More than any machine has use for. */
#define XPV_NET_MAX_QUEUES	64u

/* The extra that tells a packet's hash; of type XPV_NET_HASH_*. */
static inline struct xpv_net_extra xpv_net_hash_extra(u8 type, u32 hash)
{
	return (struct xpv_net_extra){
		.type = XPV_NET_EXTRA_HASH,
		.hash.type = type,
		.hash.algorithm = XPV_NET_ALGORITHM_TOEPLITZ,
		.hash.value = { (u8)hash, (u8)(hash >> 8), (u8)(hash >> 16), (u8)(hash >> 24) },
	};
}

/* One packet that a guest sends, copied out of its slots and checked. */
struct xpv_net_txpkt {
	u32 slots;		/* ring slots it takes, extras included */
	u32 extras;
	u32 frags;		/* data requests in frag[] */
	u32 size;		/* bytes of data, the sum of frag[].size */
	u16 flags;		/* of the first request */
	u8 gso_type;		/* XPV_NET_GSO_*; with size 0 if NONE */
	u16 gso_size;
	u8 mcast;		/* XPV_NET_EXTRA_MCAST_ADD or _DEL when it is that, not data */
	u8 mcast_addr[6];
	u8 hash_type;		/* XPV_NET_HASH_*; _TYPES when there is no hash */
	u32 hash;
	/* gref, offset, id and its own size of each; [0].size is what the first one holds */
	struct xpv_net_txreq frag[XPV_NET_FATAL_SLOTS];
};

/* net.c APIs: */

/*
 * Take the next packet off @ring, a backend's transmit ring (@ring->cons moves past it).
 * Returns
 *   1        @pkt is a packet to be carried; each of its slots is to be answered
 *   0        nothing there
 *   -EINVAL  a packet to be refused, and nothing worse: @pkt->slots, ->extras, ->frags and the ids of
 *            frag[] tell what to answer
 *   -EPROTO  what no working guest does; @ring is broken now
 */
int xpv_net_take_tx(struct xpv_ring *ring, struct xpv_net_txpkt *pkt);

/*
 * Answer all slots of @pkt with @status: data slots with it, extras with
 * XPV_NET_NULL, in the order in which the slots were taken. @ring is its backend end;
 * the caller publishes.
 */
void xpv_net_answer_tx(struct xpv_ring *ring, const struct xpv_net_txpkt *pkt, s16 status);

/* One packet that a frontend receives: its slots as they were copied. */
struct xpv_net_rxpkt {
	u32 slots;		/* ring slots it takes, extras included */
	u32 frags;		/* data responses in frag[] */
	u32 size;		/* bytes, the sum of frag[].size */
	u32 first;		/* ring index of the first slot */
	int error;		/* 0, or why the packet is to be dropped though the ring is well */
	u8 gso_type;
	u16 gso_size;
	u16 flags;		/* of the first response */
	u16 headroom;		/* from an XDP extra */
	u8 hash_type;		/* XPV_NET_HASH_*; _TYPES when there is no hash */
	u32 hash;
	/* each with the ring index whose buffer it fills */
	struct {
		u32 index;
		u16 offset;
		u16 size;
	} frag[XPV_NET_FATAL_SLOTS];
};

/*
 * Take the next packet off @ring, a frontend's receive ring (@ring->cons moves past it; each of the
 * indices from @pkt->first on gives back the buffer posted there).
 * Returns as xpv_net_take_tx() does. -EINVAL: there is nothing to deliver, but @pkt's slots, first, frags and each
 * frag's index say which buffers have come back.
 */
int xpv_net_take_rx(struct xpv_ring *ring, struct xpv_net_rxpkt *pkt);

#endif
