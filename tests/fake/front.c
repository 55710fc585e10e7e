// SPDX-License-Identifier: GPL-2.0-only
/* A frontend that does as it should. */
#undef NDEBUG
#include "loop.h"

void front_make(struct front *f, enum xpv_blk_abi abi, u32 gref, u32 pages, u32 port)
{
	u32 i;

	memset(loop_page(gref), 0, pages * XPV_PAGE_SIZE);
	xpv_front_init(&f->ring, loop_page(gref), pages, xpv_blk_stride(abi));
	f->abi = abi;
	f->info.pages = pages;
	f->info.port = port;
	for (i = 0; i < pages; i++)
		f->info.gref[i] = gref + i;
}

#define ENCODE(s, req)								\
	do {									\
		(s)->op = (req)->indirect ? XPV_BLK_INDIRECT : (req)->op;	\
		(s)->nr_segs = (req)->indirect ? (req)->op : (u8)(req)->nr_segs;	\
		(s)->handle = (req)->indirect ? (req)->nr_segs : 0;		\
		(s)->id = (req)->id;						\
		(s)->sector = (req)->sector;					\
		if ((req)->op == XPV_BLK_DISCARD)				\
			(s)->nr_sectors = (req)->nr_sectors;			\
		else if ((req)->indirect)					\
			memcpy((s)->ind.gref, (req)->ind, sizeof((req)->ind));	\
		else								\
			memcpy((s)->seg, (req)->seg, sizeof((req)->seg));	\
	} while (0)

void front_add(struct front *f, const struct xpv_blk_req *req)
{
	union {
		struct xpv_blk_slot64 s64;
		struct xpv_blk_slot32 s32;
	} slot = { 0 };

	assert(xpv_front_free(&f->ring));
	if (f->abi == XPV_BLK_X86_32)
		ENCODE(&slot.s32, req);
	else
		ENCODE(&slot.s64, req);
	memcpy(xpv_front_next(&f->ring), &slot, f->ring.stride);
}

void front_publish(struct front *f)
{
	if (xpv_front_publish(&f->ring))
		loop_kick(f->info.port);
}

bool front_take(struct front *f, struct front_response *rsp, int ms)
{
	while (!xpv_front_pending(&f->ring) && !xpv_front_rearm(&f->ring, 1))
		if (!loop_wait(f->info.port, ms))
			return false;
	if (f->abi == XPV_BLK_X86_32) {
		struct xpv_blk_rsp32 r;

		xpv_ring_copy(&f->ring, f->ring.cons++, &r, sizeof(r));
		*rsp = (struct front_response){ r.id, r.op, r.status };
	} else {
		struct xpv_blk_rsp64 r;

		xpv_ring_copy(&f->ring, f->ring.cons++, &r, sizeof(r));
		*rsp = (struct front_response){ r.id, r.op, r.status };
	}
	return true;
}
