/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * blkif on the wire: xen/include/public/io/blkif.h in its three layouts, and
 * the one form in which everything above the ring sees a request.
 *
 * Sectors are 512 bytes everywhere on the ring, whatever the device's own size.
 *
 * What counts of a slot is copied once out of the ring, decoded (xpv_blk_take())
 * into struct xpv_blk_req, checked by xpv_blk_check(), and then trusted. Pure functions,
 * any context.
 */
#ifndef XPV_BLKIF_H
#define XPV_BLKIF_H

#include "xpv_os.h"

#define XPV_BLK_SECTOR_SHIFT	9u
#define XPV_BLK_DIRECT_SEGS	11u	/* segments that fit the slot itself */
#define XPV_BLK_INDIRECT_PAGES	8u	/* pages of segments an indirect request may name */
#define XPV_BLK_SEGS_PER_PAGE	512u	/* segments in such a page */
#define XPV_BLK_MAX_SEGS	256u	/* the most we take in one request: 1 MiB */

enum xpv_blk_abi {
	XPV_BLK_NATIVE,		/* of whom this is compiled for: x86_64's, under no name of its own */
	XPV_BLK_X86_32,		/* also what a missing `protocol` means on x86 */
	XPV_BLK_X86_64,		/* "x86_64-abi" */
};

enum xpv_blk_op {
	XPV_BLK_READ		= 0,
	XPV_BLK_WRITE		= 1,
	XPV_BLK_BARRIER		= 2,
	XPV_BLK_FLUSH		= 3,
	XPV_BLK_DISCARD		= 5,
	XPV_BLK_INDIRECT	= 6,
};

/* Response status. */
enum {
	XPV_BLK_OK		= 0,
	XPV_BLK_ERROR		= -1,
	XPV_BLK_EOPNOTSUPP	= -2,
};

/* Flags of a discard: */
#define XPV_BLK_DISCARD_SECURE	0x1u	/* not to be recovered by any means */

/* The info node: */
#define XPV_VDISK_CDROM		0x1u
#define XPV_VDISK_REMOVABLE	0x2u
#define XPV_VDISK_READONLY	0x4u

/* A segment lies in one granted page, from sector @first to @last (0 to 7) inclusive. */
struct xpv_blk_seg {
	u32 gref;
	u8 first;
	u8 last;
	u16 pad;
};

/* The layout of a 64-bit guest, and our own. */
struct xpv_blk_slot64 {
	u8 op;
	u8 nr_segs;		/* discard: flags; indirect: the operation meant */
	u16 handle;		/* indirect: number of segments */
	u32 pad;
	u64 id;
	u64 sector;
	union {
		struct xpv_blk_seg seg[XPV_BLK_DIRECT_SEGS];
		u64 nr_sectors;			/* discard */
		struct {
			u16 handle;
			u16 pad;
			u32 gref[XPV_BLK_INDIRECT_PAGES];
		} ind;
	};
};

/* A 32-bit x86 guest aligns u64 to 4 bytes. */
struct xpv_blk_slot32 {
	u8 op;
	u8 nr_segs;
	u16 handle;
	u64 id;
	u64 sector;
	union {
		struct xpv_blk_seg seg[XPV_BLK_DIRECT_SEGS];
		u64 nr_sectors;
		struct {
			u16 handle;
			u16 pad;
			u32 gref[XPV_BLK_INDIRECT_PAGES];
		} ind;
	} __attribute__((packed, aligned(4)));
} __attribute__((packed, aligned(4)));

struct xpv_blk_rsp64 {
	u64 id;
	u8 op;
	u8 pad;
	s16 status;
	u32 pad2;
};

struct xpv_blk_rsp32 {
	u64 id;
	u8 op;
	u8 pad;
	s16 status;
} __attribute__((packed, aligned(4)));

static_assert(sizeof(struct xpv_blk_seg) == 8, "segment");
static_assert(sizeof(struct xpv_blk_slot64) == 112, "x86_64 slot");
static_assert(sizeof(struct xpv_blk_slot32) == 108, "x86_32 slot");
static_assert(sizeof(struct xpv_blk_rsp64) == 16, "x86_64 response");
static_assert(sizeof(struct xpv_blk_rsp32) == 12, "x86_32 response");

/* A request as everything above the ring sees it. */
struct xpv_blk_req {
	u64 id;			/* the peer's, returned as it came */
	u64 sector;
	u64 nr_sectors;		/* discard: as asked; read, write with direct segments: their sum, set by xpv_blk_check() */
	u16 nr_segs;
	u16 handle;
	u8 op;			/* enum xpv_blk_op, never INDIRECT: that is the flag below */
	u8 flags;		/* discard */
	bool indirect;		/* the segments are in the pages of ind[] */
	union {
		struct xpv_blk_seg seg[XPV_BLK_DIRECT_SEGS];
		u32 ind[XPV_BLK_INDIRECT_PAGES];
	};
};

/* What the device and the negotiation allow. */
struct xpv_blk_limits {
	u64 capacity;		/* sectors */
	u32 max_segs;		/* of an indirect request; 0: not offered */
	u32 block_sectors;	/* sectors per logical block: a power of two, 1 for 512 */
	bool blocks_join;	/* a block may lie in several segments, see xpv_blk_check_segs() */
	bool readonly;
	bool flush, barrier, discard;
	bool secure_erase;	/* discards may ask for it */
};

/* blkif.c APIs: */

/* Bytes from slot to slot of a ring in layout @abi. */
u32 xpv_blk_stride(enum xpv_blk_abi abi);

/*
 * The layout the frontend's `protocol` names, NULL for a missing node.
 * Returns 0, or -EINVAL for a name that is none (*@abi is untouched).
 */
int xpv_blk_abi(const char *protocol, enum xpv_blk_abi *abi);

/*
 * Copy the request out of a slot of the ring, which a frontend may be changing: what counts of it, each
 * byte once. No field is checked, no memory beyond the slot is read. Of segments, those beyond nr_segs are
 * not set.
 */
void xpv_blk_take(enum xpv_blk_abi abi, const void *slot, struct xpv_blk_req *req);

/*
 * Write a whole response, padding too, into a ring slot. @op is the operation that was meant, of an
 * indirect request too: that is what frontends compare.
 */
void xpv_blk_respond(enum xpv_blk_abi abi, void *slot, u64 id, u8 op, s16 status);

/* check.c APIs: */

/*
 * Is @req one that may be carried out? Checks the operation, the number of segments, and,
 * where they are in the slot, the segments and the range on the device (and sets
 * nr_sectors). For an indirect request the caller fetches its segments next and
 * calls xpv_blk_check_segs() on its private copy of them.
 * Returns 0, or: -EOPNOTSUPP an operation that is unknown or not offered,
 * -EINVAL malformed, -ERANGE beyond the end, -EROFS.
 */
int xpv_blk_check(struct xpv_blk_req *req, const struct xpv_blk_limits *lim);

/*
 * The same for @n segments, all that @req has; sets req->nr_sectors. Together they are whole
 * blocks. Where one ends within a block, it has to end with its page and the next to begin with
 * one, as in any buffer that is contiguous to the guest; and @lim to say that the disk copes.
 */
int xpv_blk_check_segs(struct xpv_blk_req *req, const struct xpv_blk_seg *seg, u32 n,
		       const struct xpv_blk_limits *lim);

/*
 * Is @req, which was checked and has its segments in @seg, also one of whole blocks as @lim has them?
 * For a disk whose blocks are larger than those that its frontend was told of.
 */
bool xpv_blk_whole(const struct xpv_blk_req *req, const struct xpv_blk_seg *seg,
		   const struct xpv_blk_limits *lim);

/* The response status that says errno @err (0 or negative). */
s16 xpv_blk_status(int err);

#endif
