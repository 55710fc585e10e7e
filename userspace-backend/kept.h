/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages of a frontend that stay mapped from one request to the next (blkif's persistent grants), for one
 * queue. What is not mapped is copied by its grant, and mapped for the next time; so nothing here fails.
 * A page is looked for each time it is used, and nobody holds on to it: it may be given up by any call.
 *
 * The kernel is never shown these pages as buffers: in a PV dom0 it loses count of what is pinned while it is
 * unmapped, as all is when a process is killed (seen with registered ones on Linux 6.12: WARNINGs of
 * free_zone_device_folio() and of gntdev's __unmap_grant_pages_done()).
 *
 * Time is in seconds of a clock that never goes back. All but init and destroy are the worker's.
 */
#ifndef XPV_BLKD_KEPT_H
#define XPV_BLKD_KEPT_H

#include <xpv/grant.h>

#define KEPT_FRESH	64u	/* that wait to be mapped */
#define KEPT_PIECE	16u	/* pages */

/* Pages first used at about the same time: mapped by one call, and unmapped by one when none of them is used. */
struct kept_piece {
	void *base;
	u32 pages, left;	/* of these so many are in the cache still */
	u32 next;		/* of those that are nothing */
};

struct kept {
	struct xpv_cache cache;	/* handles are numbers of pieces */
	struct kept_piece *piece;
	u32 unused;		/* the first piece that is nothing */
	u32 pages;		/* of all pieces */
	u16 domid;
	bool full;		/* somebody found no room */
	u64 again;		/* nothing is mapped before */
	struct xpv_cached *fresh[KEPT_FRESH];	/* in the cache, not mapped yet */
	u32 nr_fresh;
};

/* At most @most pages of @domid; 0: none is ever kept. Returns 0 or -ENOMEM. Main thread. */
int kept_init(struct kept *k, u16 domid, u32 most);

/* The worker has let go of the queue. Main thread. */
void kept_destroy(struct kept *k);

u8 *__kept_page(struct kept *k, u32 gref, u64 now);

/* Where page @gref is, until the next call of another function; NULL: nowhere yet. */
static inline u8 *kept_page(struct kept *k, u32 gref, u64 now)
{
	return k->cache.capacity ? __kept_page(k, gref, now) : NULL;
}

/* Map what was not found; its requests are not answered yet. Whether anything is mapped now that was not. */
bool kept_fill(struct kept *k, u64 now);

/* Give up some of what was last used before @before. Whether there is more. */
bool kept_age(struct kept *k, u64 before);

#endif
