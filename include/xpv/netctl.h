/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * netif's control ring: by it a frontend has the backend choose queues by the hash it
 * wants, and keep grants mapped. One ring per interface, in use while both are Connected.
 * A request that carries more than three words names a page of the frontend's that holds it.
 *
 * Pure functions, any context.
 */
#ifndef XPV_NETCTL_H
#define XPV_NETCTL_H

#include "xpv_os.h"
#include <xpv/ring.h>

struct xpv_net_ctlreq {
	u16 id;
	u16 type;		/* XPV_NET_CTL_*_*; the comments there say what is in data[] */
	u32 data[3];
};

struct xpv_net_ctlrsp {
	u16 id;
	u16 type;
	u32 status;		/* XPV_NET_CTL_SUCCESS and so on */
	u32 data;
};

/* An entry of the list of grants that are to stay mapped, or are not to any more. */
struct xpv_net_gref {
	u32 gref;
	u16 flags;		/* XPV_NET_GREF_* */
	u16 status;		/* written by the backend, of those to be unmapped */
};

#define XPV_NET_CTL_STRIDE	16u

static_assert(sizeof(struct xpv_net_ctlreq) == XPV_NET_CTL_STRIDE, "control request");
static_assert(sizeof(struct xpv_net_ctlrsp) == 12, "control response");
static_assert(sizeof(struct xpv_net_gref) == 8, "entry of a list of grants");

enum {
	XPV_NET_CTL_GET_FLAGS = 1,	/* -; answers the types of hash there are */
	XPV_NET_CTL_SET_FLAGS,		/* XPV_NET_HASH_* */
	XPV_NET_CTL_SET_KEY,		/* page, bytes */
	XPV_NET_CTL_GET_TABLE_SIZE,	/* -; answers the most entries */
	XPV_NET_CTL_SET_TABLE_SIZE,	/* entries */
	XPV_NET_CTL_SET_TABLE,		/* page, entries, the first one's place */
	XPV_NET_CTL_SET_ALGORITHM,	/* XPV_NET_ALGORITHM_* */
	XPV_NET_CTL_GET_GREFS,		/* queue; answers the most grants of it */
	XPV_NET_CTL_ADD_GREFS,		/* queue, page, entries */
	XPV_NET_CTL_DEL_GREFS,		/* queue, page, entries; answers how many it was */
};

enum {
	XPV_NET_CTL_SUCCESS,
	XPV_NET_CTL_NOT_SUPPORTED,
	XPV_NET_CTL_INVALID,
	XPV_NET_CTL_OVERFLOW,		/* more than the backend has room for */
};

#define XPV_NET_ALGORITHM_NONE		0u
#define XPV_NET_ALGORITHM_TOEPLITZ	1u

/* What a hash is of, as a bit's number: the addresses, or those and TCP's ports. */
enum {
	XPV_NET_HASH_IPV4,
	XPV_NET_HASH_IPV4_TCP,
	XPV_NET_HASH_IPV6,
	XPV_NET_HASH_IPV6_TCP,
	XPV_NET_HASH_TYPES,
};

#define XPV_NET_HASH_ALL	((1u << XPV_NET_HASH_TYPES) - 1)

#define XPV_NET_KEY_BYTES	40u	/* as much as the longest input has use for */
#define XPV_NET_TABLE_SIZE	128u	/* entries, at most */

#define XPV_NET_GREF_READONLY	0x1u

/* Of one list, which is a page. */
#define XPV_NET_GREFS_MAX	(XPV_PAGE_SIZE / (u32)sizeof(struct xpv_net_gref))

/* netctl.c APIs: */

/*
 * A backend's end: copies the next request. Returns 1, 0 when there is none, -EPROTO when the ring
 * is broken.
 */
int xpv_net_take_ctl(struct xpv_ring *ring, struct xpv_net_ctlreq *req);

/* Answer @req; the caller publishes. */
void xpv_net_answer_ctl(struct xpv_ring *ring, const struct xpv_net_ctlreq *req, u32 status,
			u32 data);

/*
 * A frontend's end: takes the answer to @req, the only one under way, and stores what it carries
 * in *@data. Returns 0, -EAGAIN while there is none, -EPROTO when it is none (@ring is
 * broken now), or what the backend says is wrong: -EOPNOTSUPP, -EINVAL or -ENOSPC.
 */
int xpv_net_take_ctl_answer(struct xpv_ring *ring, const struct xpv_net_ctlreq *req, u32 *data);

/* May the @n entries, copied from the guest's list, be mapped? Returns 0 or -EINVAL. */
int xpv_net_check_grefs(const struct xpv_net_gref *list, u32 n);

/* Do @n entries fit a table of @size from @first on? Whatever they say. Returns 0 or -EINVAL. */
int xpv_net_check_table_place(u32 first, u32 n, u32 size);

/* And does each of them name one of @queues? Returns 0 or -EINVAL. */
int xpv_net_check_table(const u32 *entry, u32 n, u32 queues);

/* toeplitz.c APIs: */

#define XPV_TOEPLITZ_BYTES	36u	/* of the longest input: two IPv6 addresses and two ports */

/* A key, ready for use: what each half of each byte of the input adds. */
struct xpv_toeplitz {
	u32 part[2 * XPV_TOEPLITZ_BYTES][16];
};

/* Octets of the key beyond @len are 0; @len is at most XPV_NET_KEY_BYTES. */
void xpv_toeplitz_init(struct xpv_toeplitz *t, const u8 *key, u32 len);

/* The hash of @len bytes, at most XPV_TOEPLITZ_BYTES. */
u32 xpv_toeplitz(const struct xpv_toeplitz *t, const u8 *data, u32 len);

#endif
