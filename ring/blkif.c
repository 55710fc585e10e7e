// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Requests and responses in the three layouts of blkif. */
#include <xpv/blkif.h>

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

/* The layouts differ in where fields lie, not in what they are called. */
#define DECODE(s, req)								\
	do {									\
		(req)->op = (s)->op;						\
		(req)->nr_segs = (s)->nr_segs;					\
		(req)->handle = (s)->handle;					\
		(req)->id = (s)->id;						\
		(req)->sector = (s)->sector;					\
		switch ((s)->op) {						\
		case XPV_BLK_DISCARD:						\
			(req)->flags = (s)->nr_segs;				\
			(req)->nr_segs = 0;					\
			(req)->nr_sectors = (s)->nr_sectors;			\
			break;							\
		case XPV_BLK_INDIRECT:						\
			(req)->indirect = true;					\
			(req)->op = (s)->nr_segs;				\
			(req)->nr_segs = (s)->handle;				\
			(req)->handle = (s)->ind.handle;			\
			memcpy((req)->ind, (s)->ind.gref, sizeof((req)->ind));	\
			break;							\
		default:							\
			memcpy((req)->seg, (s)->seg, sizeof((req)->seg));	\
			break;							\
		}								\
	} while (0)

void xpv_blk_decode(enum xpv_blk_abi abi, const union xpv_blk_slot *slot,
		    struct xpv_blk_req *req)
{
	req->nr_sectors = 0;
	req->flags = 0;
	req->indirect = false;
	if (abi == XPV_BLK_X86_32)
		DECODE(&slot->s32, req);
	else
		DECODE(&slot->s64, req);
}
EXPORT_SYMBOL_GPL(xpv_blk_decode);

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
