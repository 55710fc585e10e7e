/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A request, and chains of them.
 *
 * Who owns a request, and which chain it is in:
 *
 *   queue->free      nobody
 *   a batch          the queue's thread, which decodes, checks and maps it
 *   queue->starved   the thread: it could not be mapped for want of room, and waits
 *   -                the block layer, from submit_bio() to end_io()
 *   queue->again     the thread, to discard the next piece
 *   queue->done      the thread, to unmap what was mapped for this request alone
 *   queue->finished  the thread, to answer it
 *   queue->lent      the thread: its pages can't be unmapped yet
 *
 * A request all of whose pages stay mapped is answered by end_io() itself, in whatever
 * context the disk completes it.
 */
#ifndef XPV_BLKBACK_REQUEST_H
#define XPV_BLKBACK_REQUEST_H

#include <linux/bio.h>
#include <linux/list.h>

#include <xpv/blkif.h>
#include <xpv/grant.h>

struct xpv_blkback_queue;

/* A page of the peer's that a request needs. */
struct xpv_blkback_page {
	struct xpv_cached *cached;	/* our pin in the queue's cache, or NULL: */
	struct xpv_mapping own;		/* mapped for this request alone; gref is set in both cases */
};

/* What a request with many segments needs on top. Made when first needed, then kept. */
struct xpv_blkback_big {
	struct list_head link;		/* in queue->big while no request has it */
	struct xpv_blk_seg seg[XPV_BLK_MAX_SEGS];
	struct bio_vec vec[XPV_BLK_MAX_SEGS];
	struct xpv_blkback_page page[1 + XPV_BLK_MAX_SEGS];
};

struct xpv_blkback_request {
	struct xpv_blkback_request *next;	/* in the chain it is in, see above */
	struct xpv_blkback_queue *queue;
	struct xpv_blkback_big *big;	/* ours until answered, or NULL */
	struct xpv_blkback_page *page;	/* own_page, or big's; a page of segments comes first */
	struct xpv_blk_seg *seg;	/* req.seg, or big's: private copies, checked */
	u32 nr_pages;			/* of page[] that were looked up and are to be released */
	u32 borrowed;			/* of these, mapped for this request alone, and so accounted for */
	int err;			/* how it went, once it is finished */
	bool described;			/* indirect, and seg[] has been fetched: never fetch it again */
	bool missing;			/* not all of page[] was mapped when it was looked up */
	struct xpv_blk_req req;		/* the private copy of what the peer asked */
	struct bio bio;			/* the block layer's from submit_bio() to end_io() */
	struct bio_vec own_vec[XPV_BLK_DIRECT_SEGS];
	struct xpv_blkback_page own_page[1 + XPV_BLK_DIRECT_SEGS];
};

/*
 * Requests one after the other; each is in one chain at most. Whoever owns the chain says who may
 * touch it; whether it is empty anybody may see.
 */
struct xpv_blkback_chain {
	struct xpv_blkback_request *first;
	struct xpv_blkback_request **end;	/* where the next one is linked to */
};

/* Where the mapping of @p is, or shall be. */
static inline struct xpv_mapping *xpv_blkback_mapping(struct xpv_blkback_page *p)
{
	return p->cached ? &p->cached->map : &p->own;
}

static inline void chain_init(struct xpv_blkback_chain *c)
{
	WRITE_ONCE(c->first, NULL);
	c->end = &c->first;
}

static inline bool chain_empty(const struct xpv_blkback_chain *c)
{
	return !READ_ONCE(c->first);
}

/* Add @req behind all others. */
static inline void chain_add(struct xpv_blkback_chain *c, struct xpv_blkback_request *req)
{
	req->next = NULL;
	WRITE_ONCE(*c->end, req);
	c->end = &req->next;
}

/* Take all out of @c: the first, from which the others follow, or NULL. */
static inline struct xpv_blkback_request *chain_take(struct xpv_blkback_chain *c)
{
	struct xpv_blkback_request *first = c->first;

	chain_init(c);
	return first;
}

/* Take the first out of @c, or NULL. */
static inline struct xpv_blkback_request *chain_pop(struct xpv_blkback_chain *c)
{
	struct xpv_blkback_request *first = c->first;

	if (!first)
		return NULL;
	WRITE_ONCE(c->first, first->next);
	if (!first->next)
		c->end = &c->first;
	return first;
}

static inline int chain_length(const struct xpv_blkback_chain *c)
{
	const struct xpv_blkback_request *req;
	int n = 0;

	for (req = c->first; req; req = req->next)
		n++;
	return n;
}

/* Put all of @from behind all of @c. */
static inline void chain_move(struct xpv_blkback_chain *c, struct xpv_blkback_chain *from)
{
	if (!from->first)
		return;
	WRITE_ONCE(*c->end, from->first);
	c->end = from->end;
	chain_init(from);
}

#endif
