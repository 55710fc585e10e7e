/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Another domain's pages: batches of grants to map, unmap or copy, and the
 * cache of those that stay mapped (blkif's persistent grants).
 *
 * ring/grant.c, ring/copy.c and ring/cache.c keep the books; xpv_grant_os.h, found by -I,
 * supplies the types that differ by OS (xpv_page, struct xpv_map_ops, struct
 * xpv_copy_op) and the calls that reach the hypervisor.
 *
 * Nothing here locks: one thread at a time per batch, and per cache.
 */
#ifndef XPV_GRANT_H
#define XPV_GRANT_H

#include "xpv_os.h"

/* Handles that are none: */
#define XPV_NO_HANDLE	0xffffffffu	/* not mapped, or the grant can't be */
#define XPV_NO_ROOM	0xfffffffeu	/* not mapped for want of room to track it: try later */
#define XPV_BATCH_MAX	64	/* mappings in one batch */
#define XPV_COPY_MAX	128	/* copies in one batch */

#include "xpv_grant_os.h"

/* One grant, mapped or about to be. */
struct xpv_mapping {
	u32 gref;
	u32 handle;		/* XPV_NO_HANDLE or XPV_NO_ROOM while not mapped */
	xpv_page page;		/* where it appears; the caller's, from xpv_grant_os.h's pool */
};

static inline bool xpv_mapped(const struct xpv_mapping *m)
{
	return m->handle < XPV_NO_ROOM;
}

/* grant.c APIs: */

/* A hypercall's worth of mappings of one domain. About 3 KiB: embed or allocate, not on the stack. */
struct xpv_batch {
	u16 domid;
	u16 n;
	struct xpv_mapping *item[XPV_BATCH_MAX];
	xpv_page page[XPV_BATCH_MAX];
	struct xpv_map_ops ops;
};

void xpv_batch_init(struct xpv_batch *b, u16 domid);

static inline bool xpv_batch_full(const struct xpv_batch *b)
{
	return b->n == XPV_BATCH_MAX;
}

/*
 * Add @m (gref and page set) to be mapped, for reading only if @readonly. @m
 * stays the caller's and must live until the batch is submitted. The batch is not full.
 */
void xpv_batch_add_map(struct xpv_batch *b, struct xpv_mapping *m, bool readonly);

/*
 * Map all that was added, and empty the batch. Every item's own status decides:
 * it has a handle afterwards, or XPV_NO_HANDLE or XPV_NO_ROOM. Returns 0, or -EIO when at
 * least one failed; what did map stays mapped and is the caller's to unmap or keep.
 * May sleep.
 */
int xpv_batch_map(struct xpv_batch *b);

/* Add @m, mapped, to be unmapped. The batch is not full. */
void xpv_batch_add_unmap(struct xpv_batch *b, struct xpv_mapping *m);

/*
 * Unmap all that was added, and empty the batch; the handles become XPV_NO_HANDLE.
 * Nobody else refers to the pages: xpv_os_in_use().
 */
void xpv_batch_unmap(struct xpv_batch *b);

/* copy.c APIs: */

/* A hypercall's worth of copies to and from one domain. About 5 KiB. */
struct xpv_copy_batch {
	u16 domid;
	u16 n;
	struct xpv_copy_op op[XPV_COPY_MAX];
};

void xpv_copy_init(struct xpv_copy_batch *b, u16 domid);

/* Room for this many more copies. */
static inline u32 xpv_copy_room(const struct xpv_copy_batch *b)
{
	return XPV_COPY_MAX - b->n;
}

/*
 * Add a copy of @len bytes between byte @goff of the peer's page @gref and @mem, ours.
 * Neither side may cross a page of 4096: the caller has checked. Returns the copy's
 * number in the batch, to ask xpv_copy_status() of it.
 */
static inline u32 xpv_copy_from(struct xpv_copy_batch *b, u32 gref, u32 goff,
				void *mem, u32 len)
{
	xpv_os_copy_from(&b->op[b->n], b->domid, gref, goff, mem, len);
	return b->n++;
}

static inline u32 xpv_copy_to(struct xpv_copy_batch *b, u32 gref, u32 goff,
			      void *mem, u32 len)
{
	xpv_os_copy_to(&b->op[b->n], b->domid, gref, goff, mem, len);
	return b->n++;
}

/*
 * Do all copies that were added. Each has its status afterwards. The batch stays
 * full of them until xpv_copy_reset(). Does not sleep.
 */
void xpv_copy_submit(struct xpv_copy_batch *b);

/* 0, or -EIO when copy @i of the submitted batch failed. */
static inline int xpv_copy_status(const struct xpv_copy_batch *b, u32 i)
{
	return xpv_os_copy_ok(&b->op[i]) ? 0 : -EIO;
}

static inline void xpv_copy_reset(struct xpv_copy_batch *b)
{
	b->n = 0;
}

/* cache.c APIs: */

/*
 * Entries of one bucket, at most. There are as many buckets as entries: what a frontend doesn't choose
 * to fall into one does not come near this.
 */
#define XPV_CACHE_CHAIN	8u

/* A mapping that outlives its request. Embeds in the cache's one array. */
struct xpv_cached {
	struct xpv_mapping map;
	u32 pins;		/* requests using it; may be evicted at 0 */
	u32 chain;		/* next of its hash bucket, or of the free list */
	u32 newer, older;	/* neighbours in order of use */
	u64 used;		/* time of the last xpv_cache_put() */
};

/*
 * Grants kept mapped, found by gref. It never grows past its capacity, nor a bucket past its
 * depth: a request then does without. Order of use is kept, so that the
 * least recently used are given up first.
 */
struct xpv_cache {
	struct xpv_cached *entry;
	u32 *bucket;
	u32 capacity;		/* entries, at most */
	u32 count;		/* entries in use */
	u32 buckets;		/* power of two */
	u32 unused;		/* head of the free list */
	u32 newest, oldest;
};

/* Room for @capacity mappings (at least 1). Returns 0 or -ENOMEM. Process context. */
int xpv_cache_init(struct xpv_cache *c, u32 capacity);

/* The cache is empty: all was evicted. Process context. */
void xpv_cache_destroy(struct xpv_cache *c);

/* The mapping of @gref, pinned; NULL if it is not cached. */
struct xpv_cached *xpv_cache_get(struct xpv_cache *c, u32 gref);

/*
 * A new entry for @gref, pinned once and not mapped yet; the caller maps it, or takes
 * it out again with xpv_cache_drop(). NULL when the cache is full, or @gref's bucket. @gref is not cached.
 */
struct xpv_cached *xpv_cache_add(struct xpv_cache *c, u32 gref);

/* Take out an entry that was pinned once by the caller: its mapping failed. */
void xpv_cache_drop(struct xpv_cache *c, struct xpv_cached *e);

/*
 * One pin less. @now is the caller's clock, any unit, never going back. The coarser it is, the less
 * there is to do; in which order entries of the same time are evicted is not told.
 */
void xpv_cache_put(struct xpv_cache *c, struct xpv_cached *e, u64 now);

/*
 * Take out up to @most unpinned entries last used before @before, oldest first, and
 * store their mappings in @out, which has room for @most. The caller unmaps
 * them. Returns how many. @before of U64_MAX takes any. A page that somebody else still refers to stays.
 */
u32 xpv_cache_evict(struct xpv_cache *c, struct xpv_mapping *out, u32 most, u64 before);

#endif
