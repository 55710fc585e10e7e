/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A queue: one ring of a disk's, its event channel, and the requests on their way.
 *
 *   ring --take--> [again] --copy in--> store --done--> [done] --copy out, answer--> ring
 *
 * @again holds what came off the ring and could not go on yet, for want of memory or
 * because of a barrier, and after a restart what was in flight before. All is the worker's, but for
 * what the main thread does before it is started and after it has drained.
 */
#ifndef XPV_BLKD_QUEUE_H
#define XPV_BLKD_QUEUE_H

#include <xpv/ring.h>

#include "journal.h"
#include "kept.h"
#include "worker.h"

#define QUEUE_ROUND	64u	/* requests taken in one turn: others wait meanwhile */

/* A request, from the ring until its answer. */
struct request {
	struct io io;		/* first: the store gives it back */
	struct queue *q;
	struct request *next;	/* in the one list that it is in */
	struct journal_entry *entry;	/* holds the request itself */
	void *data;		/* memory that its data passes through; NULL for none */
	struct xpv_blk_seg *seg;	/* its segments: in the entry, or in @page */
	struct xpv_blk_seg *page;	/* an indirect request's segments, copied; NULL for none */
	u64 since;		/* coarse_ns() */
	int err;
	u8 stage;		/* of a flush or barrier, see request.c */
};

struct request_list {
	struct request *first, **last;
};

static inline void list_init(struct request_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static inline void list_add(struct request_list *l, struct request *r)
{
	r->next = NULL;
	*l->last = r;
	l->last = &r->next;
}

static inline struct request *list_take(struct request_list *l)
{
	struct request *r = l->first;

	if (r) {
		l->first = r->next;
		if (!l->first)
			l->last = &l->first;
	}
	return r;
}

/* All of @from at the end of @to. */
static inline void list_move(struct request_list *to, struct request_list *from)
{
	if (!from->first)
		return;
	*to->last = from->first;
	to->last = from->last;
	list_init(from);
}

/* All of @from before what is in @to. */
static inline void list_prepend(struct request_list *to, struct request_list *from)
{
	if (!from->first)
		return;
	*from->last = to->first;
	if (!to->first)
		to->last = from->last;
	to->first = from->first;
	list_init(from);
}

struct queue {
	struct disk *disk;
	struct worker *worker;
	unsigned int index;
	u16 domid;
	enum xpv_blk_abi abi;
	struct xpv_blk_limits limits;

	/* In the worker's lists. */
	struct queue *next, *next_ready, *next_unarmed;
	bool ready, unarmed;

	struct xpv_ring ring;
	u32 pages;		/* of the ring */
	u32 gref;		/* the first one's: while it is mapped no other page has it, or that guest is to blame */
	u32 front_port;
	int port;		/* ours; -1: not bound */
	bool event;		/* an event is to be acknowledged */

	void *lane;		/* to the store */
	struct arena *arena;	/* while anything is in flight */
	struct kept kept;
	struct journal_ring *journal;
	struct request *request;	/* one for each slot */
	struct request_list free, again, done;
	u32 inflight;		/* taken, not answered */
	u32 stored;		/* of these, with the store */
	bool barrier;		/* one is with the store, and nothing else */

	struct event timer;	/* of a limit */
	struct __kernel_timespec timer_at;
	bool waits;		/* for the timer */

	bool stopping;		/* take no more. Stores' threads read it as well */
	bool reported;		/* that the ring is broken */
	bool drained;		/* atomic: stopped, nothing in flight, the worker has let go */
	struct disk_stats stats;	/* each atomic, written by the worker */
};

/* It takes nothing now, whatever is on the ring; its timer, or an answer, brings the next turn. */
static inline bool queue_holds(const struct queue *q)
{
	return q->waits || q->again.first;
}

/* --- queue.c --- */

/*
 * Main thread: queue @index of @d on @info's ring, on worker @w, served from now on. With @recover it
 * goes on where its journal ends. Returns NULL and *@err: -EIO an impossible ring, -EPROTO one
 * that does not agree with its journal, or another negative errno.
 */
struct queue *queue_start(struct disk *d, unsigned int index, struct worker *w,
			  const struct ring_info *info, bool recover, int *err);

/* Main thread: take no more requests. disks_drained() is called when the last has been answered. */
void queue_stop(struct queue *q);

/* Main thread: it has drained; let go of all it has. */
void queue_free(struct queue *q);

/* Main thread: what the disk allows has changed. */
void queue_set_limits(struct queue *q, const struct xpv_blk_limits *limits);

/* Main thread: when the youngest request in flight was taken, coarse_ns(); 0: there are none. */
u64 queue_youngest(struct queue *q);

/* Worker: ask for an event at the next request. Whether there is one already. */
bool queue_arm(struct queue *q);

/* Worker: after a turn: whether it has drained, and now is none of the worker's any more. */
bool queue_let_go(struct queue *q);

/* --- request.c --- */

/* Worker: all that can be done for @q now. */
void queue_turn(struct queue *q);

static inline void stat_add(u64 *counter, u64 n)
{
	WRITE_ONCE(*counter, *counter + n);
}

#endif
