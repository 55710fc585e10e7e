// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our wire structures and constants against Xen's public headers (libxen-dev).
 *
 * Xen's come first: xen/io/ring.h names barriers that xpv_os.h poisons.
 *
 * The public blkif.h has only the layout of whoever compiles it: x86_64 here. The
 * x86_32 layout is the same header read a second time, inside a function, packed to 4:
 * the one way in which the i386 ABI lays out these structures differently is that it
 * aligns 64-bit fields to 4 bytes. The inner structures hide the outer ones there.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/io/ring.h>
#include <xen/io/blkif.h>
#include <xen/io/netif.h>
#include <xen/io/xenbus.h>

#include <xpv/blkif.h>
#include <xpv/netif.h>
#include <xpv/state.h>
#include "test.h"

#define MEMBER_SIZE(type, m)	sizeof(((type *)0)->m)

/* Field @m of our @type lies where @theirs has @tm, and is as large. */
#define SAME(type, m, theirs, tm)						\
	do {									\
		assert_int_equal(offsetof(type, m), offsetof(theirs, tm));	\
		assert_int_equal(MEMBER_SIZE(type, m), MEMBER_SIZE(theirs, tm));	\
	} while (0)

#define SAME_SIZE(type, theirs)	assert_int_equal(sizeof(type), sizeof(theirs))

/* Every blkif structure, ours for layout @n against the public ones in scope. */
#define COMPARE_BLKIF(n)								\
	do {										\
		typedef struct xpv_blk_slot##n ours;					\
		typedef struct xpv_blk_rsp##n rsp;					\
		typedef struct blkif_request rw;					\
		typedef struct blkif_request_discard discard;				\
		typedef struct blkif_request_indirect indirect;				\
		typedef struct blkif_response response;					\
											\
		SAME_SIZE(ours, rw);							\
		SAME_SIZE(ours, union blkif_sring_entry);				\
		SAME(ours, op, rw, operation);						\
		SAME(ours, nr_segs, rw, nr_segments);					\
		SAME(ours, handle, rw, handle);						\
		SAME(ours, id, rw, id);							\
		SAME(ours, sector, rw, sector_number);					\
		SAME(ours, seg, rw, seg);						\
		SAME(ours, seg[10], rw, seg[10]);					\
											\
		SAME(ours, op, discard, operation);					\
		SAME(ours, nr_segs, discard, flag);					\
		SAME(ours, handle, discard, handle);					\
		SAME(ours, id, discard, id);						\
		SAME(ours, sector, discard, sector_number);				\
		SAME(ours, nr_sectors, discard, nr_sectors);				\
											\
		SAME(ours, op, indirect, operation);					\
		SAME(ours, nr_segs, indirect, indirect_op);				\
		SAME(ours, handle, indirect, nr_segments);				\
		SAME(ours, id, indirect, id);						\
		SAME(ours, sector, indirect, sector_number);				\
		SAME(ours, ind.handle, indirect, handle);				\
		SAME(ours, ind.gref, indirect, indirect_grefs);				\
											\
		SAME_SIZE(rsp, response);						\
		SAME(rsp, id, response, id);						\
		SAME(rsp, op, response, operation);					\
		SAME(rsp, status, response, status);					\
											\
		SAME_SIZE(struct xpv_blk_seg, struct blkif_request_segment);		\
		SAME(struct xpv_blk_seg, gref, struct blkif_request_segment, gref);	\
		SAME(struct xpv_blk_seg, first, struct blkif_request_segment, first_sect);	\
		SAME(struct xpv_blk_seg, last, struct blkif_request_segment, last_sect);	\
	} while (0)

/* Slots of each number of pages, by Xen's own macro on the sring type in scope. */
#define COMPARE_SLOTS(name, stride)							\
	do {										\
		struct name##_sring *s = NULL;						\
		u32 pages;								\
											\
		assert_int_equal(sizeof(s->ring[0]), stride);				\
		assert_int_equal(__CONST_RING_SIZE(name, 4096), xpv_ring_slots(1, stride));	\
		s = (void *)shared;							\
		for (pages = 1; pages <= 1u << XPV_RING_MAX_ORDER; pages++)		\
			assert_int_equal(__RING_SIZE(s, pages * 4096),			\
					 xpv_ring_slots(pages, stride));		\
	} while (0)

static u64 shared[1024];

static void blkif_x86_64(void **state)
{
	(void)state;
	COMPARE_BLKIF(64);
	COMPARE_SLOTS(blkif, 112);
}

static void blkif_x86_32(void **state)
{
	(void)state;
#undef __XEN_PUBLIC_IO_BLKIF_H__
#pragma pack(push, 4)
#include <xen/io/blkif.h>
#pragma pack(pop)
	assert_int_equal(sizeof(struct blkif_request), 108);
	COMPARE_BLKIF(32);
	COMPARE_SLOTS(blkif, 108);
}

static void blkif_constants(void **state)
{
	(void)state;
	assert_int_equal(XPV_BLK_READ, BLKIF_OP_READ);
	assert_int_equal(XPV_BLK_WRITE, BLKIF_OP_WRITE);
	assert_int_equal(XPV_BLK_BARRIER, BLKIF_OP_WRITE_BARRIER);
	assert_int_equal(XPV_BLK_FLUSH, BLKIF_OP_FLUSH_DISKCACHE);
	assert_int_equal(XPV_BLK_DISCARD, BLKIF_OP_DISCARD);
	assert_int_equal(XPV_BLK_INDIRECT, BLKIF_OP_INDIRECT);

	assert_int_equal(XPV_BLK_OK, BLKIF_RSP_OKAY);
	assert_int_equal(XPV_BLK_ERROR, BLKIF_RSP_ERROR);
	assert_int_equal(XPV_BLK_EOPNOTSUPP, BLKIF_RSP_EOPNOTSUPP);

	assert_int_equal(XPV_BLK_DIRECT_SEGS, BLKIF_MAX_SEGMENTS_PER_REQUEST);
	assert_int_equal(XPV_BLK_INDIRECT_PAGES, BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST);
	assert_int_equal(XPV_BLK_SEGS_PER_PAGE, 4096 / sizeof(struct blkif_request_segment));
	assert_true(XPV_BLK_MAX_SEGS <= XPV_BLK_INDIRECT_PAGES * XPV_BLK_SEGS_PER_PAGE);

	assert_int_equal(XPV_VDISK_CDROM, VDISK_CDROM);
	assert_int_equal(XPV_VDISK_REMOVABLE, VDISK_REMOVABLE);
	assert_int_equal(XPV_VDISK_READONLY, VDISK_READONLY);
}

static void netif_structures(void **state)
{
	typedef struct xpv_net_extra ours;
	typedef struct netif_extra_info extra;

	(void)state;
	SAME_SIZE(struct xpv_net_txreq, struct netif_tx_request);
	SAME(struct xpv_net_txreq, gref, struct netif_tx_request, gref);
	SAME(struct xpv_net_txreq, offset, struct netif_tx_request, offset);
	SAME(struct xpv_net_txreq, flags, struct netif_tx_request, flags);
	SAME(struct xpv_net_txreq, id, struct netif_tx_request, id);
	SAME(struct xpv_net_txreq, size, struct netif_tx_request, size);

	SAME_SIZE(struct xpv_net_txrsp, struct netif_tx_response);
	SAME(struct xpv_net_txrsp, id, struct netif_tx_response, id);
	SAME(struct xpv_net_txrsp, status, struct netif_tx_response, status);

	SAME_SIZE(struct xpv_net_rxreq, struct netif_rx_request);
	SAME(struct xpv_net_rxreq, id, struct netif_rx_request, id);
	SAME(struct xpv_net_rxreq, pad, struct netif_rx_request, pad);
	SAME(struct xpv_net_rxreq, gref, struct netif_rx_request, gref);

	SAME_SIZE(struct xpv_net_rxrsp, struct netif_rx_response);
	SAME(struct xpv_net_rxrsp, id, struct netif_rx_response, id);
	SAME(struct xpv_net_rxrsp, offset, struct netif_rx_response, offset);
	SAME(struct xpv_net_rxrsp, flags, struct netif_rx_response, flags);
	SAME(struct xpv_net_rxrsp, status, struct netif_rx_response, status);

	SAME_SIZE(ours, extra);
	SAME(ours, type, extra, type);
	SAME(ours, flags, extra, flags);
	SAME(ours, gso, extra, u.gso);
	SAME(ours, gso.size, extra, u.gso.size);
	SAME(ours, gso.type, extra, u.gso.type);
	SAME(ours, gso.pad, extra, u.gso.pad);
	SAME(ours, gso.features, extra, u.gso.features);
	SAME(ours, mcast, extra, u.mcast);
	SAME(ours, mcast.addr, extra, u.mcast.addr);
	SAME(ours, hash, extra, u.hash);
	SAME(ours, hash.type, extra, u.hash.type);
	SAME(ours, hash.algorithm, extra, u.hash.algorithm);
	SAME(ours, hash.value, extra, u.hash.value);
	SAME(ours, pad, extra, u.pad);

	COMPARE_SLOTS(netif_tx, XPV_NET_TX_STRIDE);
	COMPARE_SLOTS(netif_rx, XPV_NET_RX_STRIDE);
	assert_int_equal(XPV_NET_RING_SLOTS, __CONST_RING_SIZE(netif_tx, 4096));
	assert_int_equal(XPV_NET_RING_SLOTS, __CONST_RING_SIZE(netif_rx, 4096));
}

/* Extra type 5 is in Linux's copy of netif.h alone: { u16 headroom; u16 pad[2]; }. */
static void netif_xdp_extra_as_linux_has_it(void **state)
{
	(void)state;
	assert_int_equal(XPV_NET_EXTRA_XDP, XEN_NETIF_EXTRA_TYPE_HASH + 1);
	assert_int_equal(XPV_NET_EXTRA_TYPES, XEN_NETIF_EXTRA_TYPE_MAX + 1);
	assert_int_equal(offsetof(struct xpv_net_extra, xdp.headroom), 2);
	assert_int_equal(MEMBER_SIZE(struct xpv_net_extra, xdp.headroom), 2);
	assert_int_equal(MEMBER_SIZE(struct xpv_net_extra, xdp), 6);
}

static void netif_constants(void **state)
{
	(void)state;
	assert_int_equal(XPV_NET_TX_CSUM_BLANK, NETTXF_csum_blank);
	assert_int_equal(XPV_NET_TX_VALIDATED, NETTXF_data_validated);
	assert_int_equal(XPV_NET_TX_MORE, NETTXF_more_data);
	assert_int_equal(XPV_NET_TX_EXTRA, NETTXF_extra_info);

	assert_int_equal(XPV_NET_RX_VALIDATED, NETRXF_data_validated);
	assert_int_equal(XPV_NET_RX_CSUM_BLANK, NETRXF_csum_blank);
	assert_int_equal(XPV_NET_RX_MORE, NETRXF_more_data);
	assert_int_equal(XPV_NET_RX_EXTRA, NETRXF_extra_info);

	assert_int_equal(XPV_NET_EXTRA_GSO, XEN_NETIF_EXTRA_TYPE_GSO);
	assert_int_equal(XPV_NET_EXTRA_MCAST_ADD, XEN_NETIF_EXTRA_TYPE_MCAST_ADD);
	assert_int_equal(XPV_NET_EXTRA_MCAST_DEL, XEN_NETIF_EXTRA_TYPE_MCAST_DEL);
	assert_int_equal(XPV_NET_EXTRA_HASH, XEN_NETIF_EXTRA_TYPE_HASH);
	assert_int_equal(XPV_NET_EXTRA_MORE, XEN_NETIF_EXTRA_FLAG_MORE);

	assert_int_equal(XPV_NET_GSO_NONE, XEN_NETIF_GSO_TYPE_NONE);
	assert_int_equal(XPV_NET_GSO_TCPV4, XEN_NETIF_GSO_TYPE_TCPV4);
	assert_int_equal(XPV_NET_GSO_TCPV6, XEN_NETIF_GSO_TYPE_TCPV6);

	assert_int_equal(XPV_NET_DROPPED, NETIF_RSP_DROPPED);
	assert_int_equal(XPV_NET_ERROR, NETIF_RSP_ERROR);
	assert_int_equal(XPV_NET_OKAY, NETIF_RSP_OKAY);
	assert_int_equal(XPV_NET_NULL, NETIF_RSP_NULL);

	assert_int_equal(XPV_NET_MAX_SLOTS, XEN_NETIF_NR_SLOTS_MIN);
	assert_int_equal(XPV_NET_MAX_PACKET, XEN_NETIF_MAX_TX_SIZE);
}

static void netif_control(void **state)
{
	typedef struct xen_netif_ctrl_request req;
	typedef struct xen_netif_ctrl_response rsp;

	(void)state;
	assert_int_equal(sizeof(struct xpv_net_ctlreq), sizeof(req));
	SAME(struct xpv_net_ctlreq, id, req, id);
	SAME(struct xpv_net_ctlreq, type, req, type);
	SAME(struct xpv_net_ctlreq, data, req, data);
	assert_int_equal(sizeof(struct xpv_net_ctlrsp), sizeof(rsp));
	SAME(struct xpv_net_ctlrsp, id, rsp, id);
	SAME(struct xpv_net_ctlrsp, type, rsp, type);
	SAME(struct xpv_net_ctlrsp, status, rsp, status);
	SAME(struct xpv_net_ctlrsp, data, rsp, data);
	assert_int_equal(sizeof(struct xpv_net_gref), sizeof(struct xen_netif_gref));
	SAME(struct xpv_net_gref, gref, struct xen_netif_gref, ref);
	SAME(struct xpv_net_gref, flags, struct xen_netif_gref, flags);
	SAME(struct xpv_net_gref, status, struct xen_netif_gref, status);
	assert_int_equal(128, __CONST_RING_SIZE(xen_netif_ctrl, 4096));

	assert_int_equal(XPV_NET_CTL_GET_FLAGS, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS);
	assert_int_equal(XPV_NET_CTL_SET_FLAGS, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS);
	assert_int_equal(XPV_NET_CTL_SET_KEY, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY);
	assert_int_equal(XPV_NET_CTL_GET_TABLE_SIZE, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE);
	assert_int_equal(XPV_NET_CTL_SET_TABLE_SIZE, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE);
	assert_int_equal(XPV_NET_CTL_SET_TABLE, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING);
	assert_int_equal(XPV_NET_CTL_SET_ALGORITHM, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM);
	assert_int_equal(XPV_NET_CTL_GET_GREFS, XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE);
	assert_int_equal(XPV_NET_CTL_ADD_GREFS, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING);
	assert_int_equal(XPV_NET_CTL_DEL_GREFS, XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING);

	assert_int_equal(XPV_NET_CTL_SUCCESS, XEN_NETIF_CTRL_STATUS_SUCCESS);
	assert_int_equal(XPV_NET_CTL_NOT_SUPPORTED, XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED);
	assert_int_equal(XPV_NET_CTL_INVALID, XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER);
	assert_int_equal(XPV_NET_CTL_OVERFLOW, XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW);

	assert_int_equal(XPV_NET_ALGORITHM_NONE, XEN_NETIF_CTRL_HASH_ALGORITHM_NONE);
	assert_int_equal(XPV_NET_ALGORITHM_TOEPLITZ, XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ);
	assert_int_equal(XPV_NET_HASH_IPV4, _XEN_NETIF_CTRL_HASH_TYPE_IPV4);
	assert_int_equal(XPV_NET_HASH_IPV4_TCP, _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP);
	assert_int_equal(XPV_NET_HASH_IPV6, _XEN_NETIF_CTRL_HASH_TYPE_IPV6);
	assert_int_equal(XPV_NET_HASH_IPV6_TCP, _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP);
	assert_int_equal(XPV_NET_GREF_READONLY, XEN_NETIF_CTRLF_GREF_readonly);
}

static void ring_indices(void **state)
{
	typedef struct blkif_sring theirs;

	(void)state;
	SAME(struct xpv_sring, req_prod, theirs, req_prod);
	SAME(struct xpv_sring, req_event, theirs, req_event);
	SAME(struct xpv_sring, rsp_prod, theirs, rsp_prod);
	SAME(struct xpv_sring, rsp_event, theirs, rsp_event);
	assert_int_equal(offsetof(struct xpv_sring, slots), offsetof(theirs, ring));
}

/* A front of Xen's making, and one of ours, leave the same bytes. */
static void a_fresh_ring_is_the_same(void **state)
{
	struct netif_tx_front_ring front;
	struct xpv_ring ours;
	u8 want[4096];

	(void)state;
	memset(shared, 0, sizeof(shared));
	XEN_FRONT_RING_INIT(&front, (netif_tx_sring_t *)shared, 4096);
	memcpy(want, shared, sizeof(want));
	memset(shared, 0, sizeof(shared));
	xpv_front_init(&ours, shared, 1, XPV_NET_TX_STRIDE);
	assert_memory_equal(shared, want, sizeof(want));
	assert_int_equal(ours.size, front.nr_ents);
}

static void xenbus_states(void **state)
{
	(void)state;
	assert_int_equal(XPV_UNKNOWN, XenbusStateUnknown);
	assert_int_equal(XPV_INITIALISING, XenbusStateInitialising);
	assert_int_equal(XPV_INIT_WAIT, XenbusStateInitWait);
	assert_int_equal(XPV_INITIALISED, XenbusStateInitialised);
	assert_int_equal(XPV_CONNECTED, XenbusStateConnected);
	assert_int_equal(XPV_CLOSING, XenbusStateClosing);
	assert_int_equal(XPV_CLOSED, XenbusStateClosed);
	assert_int_equal(XPV_RECONFIGURING, XenbusStateReconfiguring);
	assert_int_equal(XPV_RECONFIGURED, XenbusStateReconfigured);
	assert_int_equal(XPV_STATES, XenbusStateReconfigured + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_indices),
		cmocka_unit_test(a_fresh_ring_is_the_same),
		cmocka_unit_test(blkif_x86_64),
		cmocka_unit_test(blkif_x86_32),
		cmocka_unit_test(blkif_constants),
		cmocka_unit_test(netif_structures),
		cmocka_unit_test(netif_xdp_extra_as_linux_has_it),
		cmocka_unit_test(netif_constants),
		cmocka_unit_test(netif_control),
		cmocka_unit_test(xenbus_states),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
