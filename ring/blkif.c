// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Requests and responses in the three layouts of blkif. */
#include <xpv/blkif.h>
#include <xpv/ring.h>

u32 xpv_blk_stride(enum xpv_blk_abi abi)
{
	/* A slot has to hold the larger of request and response: that's the request. */
	return abi == XPV_BLK_X86_32 ? sizeof(struct xpv_blk_slot32) :
				       sizeof(struct xpv_blk_slot64);
}
EXPORT_SYMBOL_GPL(xpv_blk_stride);

int xpv_blk_abi(const char *protocol, enum xpv_blk_abi *abi)
{
	if (!protocol || !strcmp(protocol, "x86_32-abi"))
		*abi = XPV_BLK_X86_32;
	else if (!strcmp(protocol, "x86_64-abi"))
		*abi = XPV_BLK_X86_64;
	else
		return -EINVAL;
	return 0;
}
EXPORT_SYMBOL_GPL(xpv_blk_abi);

/*
 * The layouts differ in where fields lie, not in what they are called. The front of a slot, which
 * most requests do not go beyond, tells how much more there is.
 */
#define TAKE(layout, slot, req)							\
	do {									\
		struct layout s;						\
										\
		xpv_copy_once(&s, slot, offsetof(struct layout, seg[1]));	\
		(req)->op = s.op;						\
		(req)->nr_segs = s.nr_segs;					\
		(req)->handle = s.handle;					\
		(req)->id = s.id;						\
		(req)->sector = s.sector;					\
		switch (s.op) {							\
		case XPV_BLK_DISCARD:						\
			(req)->flags = s.nr_segs;				\
			(req)->nr_segs = 0;					\
			(req)->nr_sectors = s.nr_sectors;			\
			break;							\
		case XPV_BLK_INDIRECT:						\
			(req)->indirect = true;					\
			(req)->op = s.nr_segs;					\
			(req)->nr_segs = s.handle;				\
			(req)->handle = s.ind.handle;				\
			(req)->ind[0] = s.ind.gref[0];				\
			xpv_copy_once(&(req)->ind[1],				\
				      (slot) + offsetof(struct layout, ind.gref[1]), \
				      sizeof((req)->ind) - sizeof((req)->ind[0])); \
			break;							\
		default:							\
			(req)->seg[0] = s.seg[0];				\
			if (s.nr_segs > 1)					\
				xpv_copy_once(&(req)->seg[1],			\
					      (slot) + offsetof(struct layout, seg[1]), \
					      more_segs(s.nr_segs));		\
			break;							\
		}								\
	} while (0)

/* Bytes of those that a slot holds after the first. */
static size_t more_segs(u32 nr_segs)
{
	if (nr_segs > XPV_BLK_DIRECT_SEGS)
		nr_segs = XPV_BLK_DIRECT_SEGS;
	return (nr_segs - 1) * sizeof(struct xpv_blk_seg);
}

void xpv_blk_take(enum xpv_blk_abi abi, const void *slot, struct xpv_blk_req *req)
{
	req->nr_sectors = 0;
	req->flags = 0;
	req->indirect = false;
	if (abi == XPV_BLK_X86_32)
		TAKE(xpv_blk_slot32, slot, req);
	else
		TAKE(xpv_blk_slot64, slot, req);
}
EXPORT_SYMBOL_GPL(xpv_blk_take);

void xpv_blk_respond(enum xpv_blk_abi abi, void *slot, u64 id, u8 op, s16 status)
{
	if (abi == XPV_BLK_X86_32) {
		struct xpv_blk_rsp32 rsp = { .id = id, .op = op, .status = status };

		memcpy(slot, &rsp, sizeof(rsp));
	} else {
		struct xpv_blk_rsp64 rsp = { .id = id, .op = op, .status = status };

		memcpy(slot, &rsp, sizeof(rsp));
	}
}
EXPORT_SYMBOL_GPL(xpv_blk_respond);
