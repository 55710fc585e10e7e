/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A Xen virtual disk, the guest's end.
 *
 * A disk has queues; a queue has a ring, an event channel and one shadow for each
 * tag of its hardware queue. A request's id on the ring is the index of its shadow, which
 * comes from its tag, so there is no free list. The number of hardware queues and tags is that
 * of the disk's first connection. When a later backend offers fewer rings, several hardware
 * queues share one: a lane says which, and where in its shadows they begin.
 *
 * Data travels in one of two ways. Bounced: through pages of our own that were
 * granted once and stay granted (what the protocol calls persistent grants, and
 * what keeps an untrusted backend away from all other memory). Direct: the request's
 * own pages are granted for as long as it lasts, but for those that could be used for something else
 * while a backend still has them: pages of ours stand in for these.
 *
 * All memory that was granted outlives the connection until the grant has ended.
 *
 * The disk outlives its backend: one that goes without the toolstack's wish will be back. Until
 * then requests wait; those that are unanswered when it has let go are issued again.
 */
#ifndef XPV_BLKFRONT_H
#define XPV_BLKFRONT_H

#include <linux/blk-mq.h>
#include <linux/completion.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <xen/grant_table.h>
#include <xen/xenbus.h>

#include <xpv/blkif.h>
#include <xpv/ring.h>
#include <xpv/state.h>
#include <xpv_disk_limits.h>

/* A request is laid out as the running kernel lays out its u64: the 64-bit way. */
static_assert(sizeof(long) == 8, "the native layout is xpv_blk_slot64");
static_assert(PAGE_SIZE == XPV_PAGE_SIZE, "a page is one grant");
static_assert(XPV_BLK_MAX_SEGS <= XPV_BLK_SEGS_PER_PAGE, "one page holds all segments");

/* Something the backend can be given: a page of ours that it may use, or only the number for one. */
struct xpv_blkfront_grant {
	void *addr;		/* our page, granted for good, or, of a bare reference, for one request; or NULL */
	grant_ref_t gref;
};

/* Grants that no request uses, last in, first out, so that the backend sees few different ones. */
struct xpv_blkfront_pool {
	struct xpv_blkfront_grant *free;	/* a stack with room for @max */
	u32 nr_free;
	u32 total;		/* made so far, free or held by a request */
	u32 max;
	bool paged;		/* with pages, or bare references */
};

/* What blk-mq sets aside with a request: how it ended. Completion may happen on another CPU. */
struct xpv_blkfront_outcome {
	blk_status_t status;
	u32 part;		/* the bytes that are done, if not all; 0: all */
};

/* A request from when it is built until it is completed. */
struct xpv_blkfront_shadow {
	struct request *rq;
	struct xpv_blkfront_shadow *next;	/* answered with this one; the reaper's */
	struct xpv_blkfront_grant *held;	/* grants of the data, from the queue's array */
	struct xpv_blkfront_grant table;	/* the page that lists the segments, if indirect */
	u32 part;		/* the bytes asked for, if the request is too large for one; 0: all */
	u16 nr_held;
	u8 op;			/* enum xpv_blk_op, never INDIRECT */
	bool indirect;
	bool stands_in;		/* direct: pages of ours, in @held, stand in for some of its own */
	bool sent;		/* the backend owns it: set and cleared under the queue's lock */
};

/* Where a hardware queue's requests go. Written while none is on its way, though somebody may poll. */
struct xpv_blkfront_lane {
	struct xpv_blkfront_queue *q;
	unsigned int first;	/* the shadow of its tag 0 */
};

struct xpv_blkfront_queue {
	struct xpv_blkfront_dev *dev;

	/* Guards the ring, the pools, @live, @refuse and every shadow's @sent. Taken with interrupts off. */
	spinlock_t lock;
	struct xpv_ring ring;
	bool live;		/* requests may be put on the ring */
	blk_status_t refuse;	/* what submitters are told while it isn't live */
	struct xpv_blkfront_pool data;
	struct xpv_blkfront_pool tables;

	/* Set up before the queue is live, unchanged while it is. */
	struct xpv_blkfront_shadow *shadow;	/* one for each tag of each lane */
	unsigned int depth;	/* shadows */
	bool polled;		/* asks for no interrupts: whoever waits for an answer looks himself */
	struct xpv_blkfront_grant *held;	/* max_segs for each shadow */
	int irq;		/* 0: none */
	evtchn_port_t evtchn;
	void *page;		/* the ring's memory; NULL: none */
	unsigned int nr_pages;
	grant_ref_t gref[1u << XPV_RING_MAX_ORDER];
};

struct xpv_blkfront_dev {
	struct xenbus_device *xb;

	/* Serialises connecting and disconnecting: guards @state and all that the state implies. */
	struct mutex lock;
	enum xpv_state state;
	bool frozen;		/* the queue is quiesced, from one connection to the next */
	bool over;		/* Closed for good: there is no disk, and no way back */
	unsigned long begun;	/* when the last connection was, in jiffies */
	struct delayed_work again;	/* starts the next one, if that was only just now */

	struct xpv_blkfront_queue *queue;
	struct xpv_blkfront_lane *lane;	/* one for each hardware queue, as many as @queue */
	unsigned int max_queues;	/* room in @queue */
	unsigned int nr_queues;		/* in use, since offer() */
	unsigned int nr_polled;		/* of the disk's hardware queues, the last ones */
	struct blk_mq_tag_set tags;
	struct gendisk *disk;	/* NULL: none */
	bool added;		/* @disk is registered; written by @add and @retire */
	bool settled;		/* no longer on the way to a disk: read by is_ready() */

	struct work_struct add;	/* registers the disk, which reads its partitions */
	struct work_struct retire;	/* unregisters it while its backend is there to take what is unwritten */
	struct completion retired;	/* by that */
	struct work_struct adapt;	/* tells the block layer of changed @limits */
	struct work_struct fail;	/* closes the device for what @complaint says */
	const char *complaint;	/* set once, before @fail is first scheduled */

	/* What was negotiated. Written while connecting. */
	struct xpv_disk_limits limits;	/* in which what the backend gives up is cleared any time */
	u32 max_segs;		/* in one request */
	u8 flush_op;		/* FLUSH or BARRIER, 0 when there is none (or no longer) */
	bool bounce;
	bool persistent;

	/* Of the name. Unchanged from probe on. */
	struct list_head list;	/* of claimed minors, under a lock of its own */
	unsigned int minor, nr_minors;
	char name[DISK_NAME_LEN];
	struct dentry *debug;	/* the file in debugfs */
	u16 handle;		/* what requests call the disk */
};

/* What the backend says of its disk, checked; the rest of it goes into the limits. */
struct xpv_blkfront_geometry {
	u64 sectors;
	u32 info;		/* XPV_VDISK_* */
};

/* blkfront_main.c APIs: */
extern unsigned int xpv_blkfront_max_queues;
extern unsigned int xpv_blkfront_poll_queues;
extern unsigned int xpv_blkfront_max_order;
extern unsigned int xpv_blkfront_max_segs;
extern bool xpv_blkfront_persistent;
extern bool xpv_blkfront_trusted;

/* Find name and minors of virtual device @vdev, and claim them. -ENODEV: no such device, -EBUSY: taken. */
int xpv_blkfront_claim(struct xpv_blkfront_dev *dev, unsigned int vdev);
void xpv_blkfront_unclaim(struct xpv_blkfront_dev *dev);

/* The number of sectors can be believed. */
bool xpv_blkfront_sane_size(u64 sectors);

/* Make the disk; xpv_blkfront_disk_add() registers it, later, from the device's work. */
int xpv_blkfront_disk_make(struct xpv_blkfront_dev *dev, const struct xpv_blkfront_geometry *geo,
			   unsigned int depth);
void xpv_blkfront_disk_add(struct work_struct *work);
void xpv_blkfront_disk_retire(struct work_struct *work);
void xpv_blkfront_disk_adapt(struct work_struct *work);

/* Take the disk away from whoever uses it. Its queues are stopped already: nothing waits for the backend. */
void xpv_blkfront_disk_kill(struct xpv_blkfront_dev *dev);

/* blkfront_xenbus.c APIs: */
extern struct xenbus_driver xpv_blkfront_driver;

/* The device can't go on, for a reason (a constant string) that is logged. Any context. */
void xpv_blkfront_fail(struct xpv_blkfront_dev *dev, const char *complaint);

/* blkfront_handshake.c APIs: */

/*
 * Both with the device's lock held, in process context, and -errno on failure: then the device is
 * to be closed, which undoes what was done.
 */

/* Make the rings, as many and as large as this backend takes, and tell it of them. */
int xpv_blkfront_offer(struct xpv_blkfront_dev *dev);
/* The backend has our rings: start them, and make the disk or wake up the one there is. */
int xpv_blkfront_connect(struct xpv_blkfront_dev *dev);

/* blkfront_debugfs.c APIs: */
void xpv_blkfront_debugfs_init(void);
void xpv_blkfront_debugfs_exit(void);
void xpv_blkfront_debugfs_add(struct xpv_blkfront_dev *dev);
/* Nobody is looking any more when it returns. The device's lock is not held: readers take it. */
void xpv_blkfront_debugfs_remove(struct xpv_blkfront_dev *dev);

/* blkfront_queue.c APIs: */

/* A fresh ring and event channel, granted to the backend. Process context. */
int xpv_blkfront_queue_open(struct xpv_blkfront_queue *q, unsigned int order);
/* Room for @depth requests of dev->max_segs; requests may come from then on. */
int xpv_blkfront_queue_start(struct xpv_blkfront_queue *q, unsigned int depth);
/*
 * End what was granted and give the memory back. Nobody is left in the queue. Idempotent. False: the
 * backend keeps some of it mapped, which is lost until it no longer does.
 */
bool xpv_blkfront_queue_close(struct xpv_blkfront_queue *q);

/*
 * No request gets in any more, no interrupt either, and nothing stays with the backend: its
 * last answers are taken, and requests without one are issued @again, else they fail.
 * With @again, submitters wait until xpv_blkfront_thaw().
 */
void xpv_blkfront_stop(struct xpv_blkfront_dev *dev, bool again);
/* The first half of that: no request gets in, submitters wait. Answers are taken still. */
void xpv_blkfront_halt(struct xpv_blkfront_dev *dev);
/* The backend owes no answers, or is not connected. The device's lock is held. */
bool xpv_blkfront_idle(struct xpv_blkfront_dev *dev);
void xpv_blkfront_thaw(struct xpv_blkfront_dev *dev);

/* One more grant for @pool, which is below its maximum. The queue's lock is held, or nobody else is there. */
bool xpv_blkfront_pool_grow(struct xpv_blkfront_queue *q, struct xpv_blkfront_pool *pool, gfp_t gfp);

/* blkfront_io.c APIs: */
extern const struct blk_mq_ops xpv_blkfront_mq_ops;

/* Move the data of a bounced request @out of its own pages to ours, or back. Any context. */
void xpv_blkfront_copy(struct xpv_blkfront_shadow *sh, bool out);
/* The same of a direct one, for those of its pages that others stand in for. Any context. */
void xpv_blkfront_copy_stand_ins(struct xpv_blkfront_shadow *sh, bool out);

/* blkfront_answer.c APIs: */

/* Give back what a request held, before its tag can be used again. False: it is granted still. The queue's lock is held. */
bool xpv_blkfront_release(struct xpv_blkfront_queue *q, struct xpv_blkfront_shadow *sh);

/* Which of the limits says whether the backend takes what @rq discards, or erases. */
bool *xpv_blkfront_discarding(struct xpv_blkfront_dev *dev, struct request *rq);

/* End @rq as its outcome says; if that is about a part of it, the rest is issued. */
void xpv_blkfront_complete(struct request *rq);

/* Complete what the backend has answered. True: there was something. Any context. */
bool xpv_blkfront_reap(struct xpv_blkfront_queue *q);

/*
 * Take back what the backend owes an answer for, to be issued @again or to fail. The queue
 * has been stopped.
 */
void xpv_blkfront_recall(struct xpv_blkfront_queue *q, bool again);

#endif
