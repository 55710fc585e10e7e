/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The block backend: a device per virtual disk, in it queues (each a ring, an event channel,
 * a thread, and the pages it keeps mapped), in each a pool of requests, one per slot of the ring.
 */
#ifndef XPV_BLKBACK_H
#define XPV_BLKBACK_H

#include <linux/bio.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/ratelimit.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <xen/grant_table.h>
#include <xen/xenbus.h>

#include <xpv/blkif.h>
#include <xpv/grant.h>
#include <xpv/poll.h>
#include <xpv/rate.h>
#include <xpv/ring.h>
#include <xpv/state.h>
#include "blkback_request.h"
#include "xpv_bdev.h"

#define XPV_BLKBACK_MAX_QUEUES	64u	/* of a device, whatever is asked for */
#define XPV_BLKBACK_BIG		64u	/* requests of a queue with more segments than a slot holds */
#define XPV_BLKBACK_ROUND	64u	/* requests taken at once */
#define XPV_BLKBACK_SPARE_PAGES	1024	/* of a device, kept for mappings to come */

struct xpv_blkback_queue;

/* What the devices of one domain share. */
struct xpv_blkback_domain {
	struct list_head link;		/* of all domains; as @devices, under a lock of its own */
	unsigned int devices;		/* that refer to it */
	domid_t id;
	atomic_t grants;		/* that stay mapped */
	atomic_t borrowed;		/* that are mapped for one request each */
	unsigned int refusals;		/* of more; counted roughly, only changes matter */
};

/* Counted by the queue's thread, read by anybody. Never reset: the device's lifetime. */
struct xpv_blkback_stats {
	u64 reads, writes, flushes, discards;
	u64 sectors_read, sectors_written;
	u64 crowded;			/* rounds that left requests without room */
};

struct xpv_blkback_queue {
	struct xpv_blkback_device *dev;
	unsigned int index;		/* of dev->queue */
	struct task_struct *thread;	/* NULL: not connected. Others only compare it. */
	unsigned int irq;		/* of the event channel; 0: none */
	struct xpv_blkback_request *request;	/* all of them, ring.size */
	wait_queue_head_t wq;		/* the thread sleeps here, and nobody else */
	bool event;			/* set by the interrupt, taken by the thread, which owes an EOI then */
	bool squeezed;			/* set when memory is short, taken by the thread */
	atomic_t inflight;		/* taken and not answered; the last thing a request touches */

	/* The thread's alone: */
	struct xpv_blkback_chain finished;	/* to be answered; end_io() in the thread adds to it too */
	struct xpv_blkback_chain starved;	/* to be tried again, before any other */
	struct xpv_blkback_chain lent;	/* done, but somebody still refers to pages of theirs; */
	u32 nr_lent;			/* that many */
	struct xpv_blk_limits limits;	/* of this round */
	unsigned int tries;		/* for the starved, since the thread was told to stop */
	unsigned int bigs;		/* that were made */
	u32 borrowed;			/* grants that requests have mapped for themselves alone */
	struct xpv_poll poll;		/* pauses between requests, if they are of interest */
	unsigned long pause;		/* jiffies until a limit lets more through; 0: none holds us */
	bool reported;			/* that the ring is broken */
	unsigned long tidied;		/* jiffies of the last xpv_blkback_tidy() */
	bool overflow;			/* the cache was full when something was to be added */
	unsigned int refusals;		/* the domain's, at the last xpv_blkback_tidy() */
	struct xpv_batch batch;
	struct xpv_mapping evicted[XPV_BATCH_MAX];
	struct xpv_blkback_stats stats;

	/* Protects the cache. Completions take it in interrupts; nests in nothing. */
	spinlock_t grants_lock;
	struct xpv_cache grants;	/* pages that stay mapped, if the device is persistent */

	/*
	 * Protects what follows, and nests in nothing. Completions take it in interrupts. Of
	 * the ring, the thread alone moves cons, and needs no lock for that.
	 */
	spinlock_t lock;
	struct xpv_ring ring;		/* shared is NULL while not connected */
	struct xpv_blkback_request *free;	/* the first of them */
	struct xpv_blkback_chain done;		/* requests to unmap */
	struct xpv_blkback_chain again;		/* discards of which there is more to do */
	struct xpv_blk_limits offered;	/* what rounds to come are held to */
	struct list_head big;		/* free ones */
	bool hungry;			/* the thread waits for whatever a completion frees */
};

#define XPV_BLKBACK_NARROW_PAGES	16u

/* For a disk of larger blocks that is shown as one of 512 bytes. */
struct xpv_blkback_narrow {
	/* The disk's own blocks, and whether they may be joined; block_sectors 0: none of this is used. */
	struct xpv_blk_limits disk;
	atomic_t writes;		/* of whole blocks, on their way to the disk */
	wait_queue_head_t wq;		/* where it is waited for them */
	struct rw_semaphore lock;	/* held for writing by who writes part of a block */
	struct mutex buffer_lock;	/* protects what is in the pages; taken inside the other */
	struct page *page[XPV_BLKBACK_NARROW_PAGES];
};

/* Who unbinds a device may wait until it is freed, or may lose patience: the last one frees this. */
struct xpv_blkback_farewell {
	struct completion told;		/* nobody will tell the device anything any more */
	struct completion freed;
	refcount_t users;
};

/* What may have happened to a device. The first are the frontend's states, each as it was seen. */
enum xpv_blkback_news {
	XPV_BLKBACK_OWN = XPV_STATES,	/* our own state was written, by us or the toolstack */
	XPV_BLKBACK_DISK,		/* physical-device was */
	XPV_BLKBACK_BROKEN,		/* a queue's thread found its ring broken */
	XPV_BLKBACK_NO_FLUSH,		/* the disk does not do it, though it said so */
	XPV_BLKBACK_NO_DISCARD,
	XPV_BLKBACK_NO_SECURE_ERASE,
	XPV_BLKBACK_REMOVED,		/* the driver was unbound: free the device */
};

struct xpv_blkback_device {
	struct xenbus_device *xdev;	/* ours to refer to until we are freed, */
	char *front_node;		/* but its otherend goes when the driver is unbound */
	unsigned int vbd;		/* its number, as in the names of its nodes */

	/*
	 * The device lives in this work item, from InitWait until it is freed: a disk that hangs
	 * keeps its own device waiting, and neither xenwatch nor any other device. Others only
	 * leave news, see xpv_blkback_tell(). Without any it looks after the disk's size.
	 */
	struct delayed_work work;
	unsigned long news;		/* bits of enum xpv_blkback_news; above, the peer's last state */
	bool done;			/* all is let go of, xenwatch may unregister the device */
	struct dentry *debug;		/* its file in debugfs */
	struct xpv_blkback_farewell *farewell;	/* whom to tell that it is freed */
	struct xenbus_watch own_watch;	/* on our own state */
	struct xenbus_watch disk_watch;	/* on physical-device */

	/* The work's alone, if nothing else is said: */
	enum xpv_state state;		/* ours, as last published */
	enum xpv_state front;		/* the peer's, as last followed */
	bool gone;			/* the frontend, for good */
	struct ratelimit_state complaints;	/* a peer can make us complain as often as it likes */
	unsigned long retry;		/* jiffies before which no other connection is tried */
	struct xpv_bdev disk;		/* opened once, kept until the device goes */
	struct xpv_blk_limits limits;	/* the disk's, as published */
	struct xpv_blkback_narrow narrow;	/* the queues', which are connected while there is a disk */
	dev_t number;			/* of disk; constant once mode is set */
	char *mode;			/* the toolstack's, once there is a disk; readers acquire it */

	/* Set while connecting, constant while connected: */
	enum xpv_blk_abi abi;
	bool persistent;		/* grants may stay mapped: queues have a cache */
	unsigned int nr_queues;		/* that the frontend uses, from the first on */

	/* Protects the rates. Not taken in interrupts; nests in nothing. */
	spinlock_t rate_lock;
	struct xpv_rate requests;
	struct xpv_rate bytes;
	bool limited;			/* by one of them */

	struct xpv_blkback_domain *domain;	/* constant */
	unsigned long squeezed;		/* jiffies of the last call to give memory back; the bus's */
	struct gnttab_page_cache pages;	/* where the peer's pages may appear; has its own lock */
	unsigned int max_queues;	/* offered; constant */
	/* Each is made when first needed, and kept; who reads its statistics acquires it. */
	struct xpv_blkback_queue *queue[XPV_BLKBACK_MAX_QUEUES];
};

/*
 * The driver was unbound, maybe since the node has gone: whatever is there now is another device's. To
 * be asked before each write to it, for what we do takes its time.
 */
static inline bool xpv_blkback_removed(const struct xpv_blkback_device *dev)
{
	return test_bit(XPV_BLKBACK_REMOVED, &dev->news);
}

/* What a queue is connected by. */
struct xpv_blkback_ring_info {
	unsigned int event_channel;
	unsigned int pages;
	grant_ref_t gref[XENBUS_MAX_RING_GRANTS];
};

/* What the frontend chose of that which was offered, for the device as a whole. */
struct xpv_blkback_choice {
	unsigned int queues;
	bool persistent;
	int order;			/* of each ring, for xpv_blkback_read_ring() */
};

/* blkback_main.c APIs: module parameters. */

extern unsigned int xpv_blkback_max_queues;
extern unsigned int xpv_blkback_max_ring_order;
extern bool xpv_blkback_persistent;
extern unsigned int xpv_blkback_domain_grants;
extern unsigned int xpv_blkback_unused_seconds;
extern unsigned int xpv_blkback_poll_us;
extern bool xpv_blkback_force_512;

/* blkback_xenbus.c APIs: */

int xpv_blkback_register(void);

/* No device's work runs any more when it returns. */
void xpv_blkback_unregister(void);

/* Have the device's work see to @news. Any context; @dev is not freed meanwhile. */
void xpv_blkback_tell(struct xpv_blkback_device *dev, unsigned int news);

/* blkback_handshake.c APIs: by the device's work. */

/* What the frontend chose, and its layout of requests for the device. 0 or -errno: it can't be that. */
int xpv_blkback_negotiate(struct xpv_blkback_device *dev, struct xpv_blkback_choice *choice);

/* The queue's ring that is told in folder @dir, of @order as it was chosen. 0 or -errno. */
int xpv_blkback_read_ring(const char *dir, int order, struct xpv_blkback_ring_info *info);

/* blkback_disk.c APIs: by the device's work. */

/* Open @number as the toolstack's `mode` says. Returns 0, -EROFS or what opening it returned. */
int xpv_blkback_disk_open(struct xpv_blkback_device *dev, dev_t number);

/* And let go of it again. Nothing if there is none. */
void xpv_blkback_disk_close(struct xpv_blkback_device *dev);

/* Set the device's limits to what the disk can do now. */
void xpv_blkback_disk_measure(struct xpv_blkback_device *dev);

/* Write what a frontend reads when it sees us Connected. Returns 0 or -errno. */
int xpv_blkback_disk_publish(struct xpv_blkback_device *dev);

/* If the disk's size has changed: let requests to come keep to it, and tell the frontend. */
void xpv_blkback_disk_resize(struct xpv_blkback_device *dev);

/* Offer no longer what, by the bits of @news, the disk has answered not to do after all. */
void xpv_blkback_disk_revoke(struct xpv_blkback_device *dev, unsigned long news);

/* blkback_narrow.c APIs: */

/*
 * Show the disk as one of blocks of 512 bytes, if that is wanted and others do not write to it, as to
 * one that is @shared. 0 or -ENOMEM. By the device's work.
 */
int xpv_blkback_narrow_init(struct xpv_blkback_device *dev, bool shared);
void xpv_blkback_narrow_exit(struct xpv_blkback_device *dev);

/*
 * By the queue's thread, of a disk that is shown so, before it submits @req as @op. True: it has
 * been done, for better or worse, as req->err says. False: it is of whole blocks, and to be submitted;
 * when a write of data has been done, xpv_blkback_narrow_written() is to be told, in any context.
 */
bool xpv_blkback_narrow(struct xpv_blkback_request *req, blk_opf_t op);
void xpv_blkback_narrow_written(struct xpv_blkback_device *dev);

/* blkback_sysfs.c APIs: */

int xpv_blkback_sysfs_add(struct xpv_blkback_device *dev);

/* No attribute is being read any more when it returns. */
void xpv_blkback_sysfs_remove(struct xpv_blkback_device *dev);

/* blkback_debugfs.c APIs: */

void xpv_blkback_debugfs_init(void);
void xpv_blkback_debugfs_exit(void);

void xpv_blkback_debugfs_add(struct xpv_blkback_device *dev);

/* Nobody is looking any more when it returns. Process context. */
void xpv_blkback_debugfs_remove(struct xpv_blkback_device *dev);

/* blkback_queue.c APIs: */

/* Queue @index of @dev, not connected; kvfree() is all it takes to be rid of it. Or NULL. */
struct xpv_blkback_queue *xpv_blkback_queue_make(struct xpv_blkback_device *dev,
						 unsigned int index);

/* Map the ring and start serving it. On failure all is undone. By the device's work. */
int xpv_blkback_queue_connect(struct xpv_blkback_queue *q,
			      struct xpv_blkback_ring_info *info);

/* From the next round on, requests are checked against the limits of the device as they are now. */
void xpv_blkback_queue_limit(struct xpv_blkback_queue *q);

/* Memory is short: have the queue give back what it does not use now. Any context. */
void xpv_blkback_queue_squeeze(struct xpv_blkback_queue *q);

/*
 * Stop serving, wait until all that was taken has been answered (erasures that are not through, with
 * an error), let go of the ring. What was not taken is left there, for another backend; but if there
 * will be none, it is refused. Nothing if not connected. By the device's work.
 */
void xpv_blkback_queue_disconnect(struct xpv_blkback_queue *q);

/* A free one for the queue's thread, NULL if there is none now. */
struct xpv_blkback_big *xpv_blkback_big_get(struct xpv_blkback_queue *q);

/* blkback_answer.c APIs: */

/*
 * The disk is done with a request's bio, or a request is known to have failed: end_io() of all bios,
 * and of writes of whole blocks to a disk that is shown with smaller ones. Any context.
 */
void xpv_blkback_end_io(struct bio *bio);
void xpv_blkback_end_write(struct bio *bio);

/* The disk does not do @req after all, though it said so: nor do we offer it any more. Any context. */
void xpv_blkback_revoke(const struct xpv_blkback_request *req);

/*
 * Answer all of q->finished: unmap, respond, and one event for it all. What can't be unmapped yet goes to
 * q->lent, and with the next call its turn comes again. By the queue's thread.
 */
void xpv_blkback_answer(struct xpv_blkback_queue *q);

/* blkback_io.c APIs: */

/*
 * One round of the queue's thread: take up to XPV_BLKBACK_ROUND requests off the ring, start
 * them, answer what is finished. Returns how many it took.
 */
u32 xpv_blkback_io(struct xpv_blkback_queue *q);

/*
 * Answer with an error whatever else is on the ring. The thread has ended. By the device's work.
 */
void xpv_blkback_refuse(struct xpv_blkback_queue *q);

/* blkback_rate.c APIs: */

/*
 * How many requests the queue's thread may take at once, if the device is limited: up to
 * XPV_BLKBACK_ROUND, or 0, and then q->pause says for how long.
 */
u32 xpv_blkback_allowed(struct xpv_blkback_queue *q);

/* It has taken @n of them, or gone on with as many; and @sectors are moved, by these or by earlier ones. */
void xpv_blkback_charge(struct xpv_blkback_queue *q, u32 n, u64 sectors);

/* Limit @rate, which is one of @dev's, from now on; 0 for no limit. Process context. */
void xpv_blkback_limit(struct xpv_blkback_device *dev, struct xpv_rate *rate, u64 per_second);

/* blkback_domain.c APIs: */

/* That of domain @id, or NULL for want of memory; for each there is a put. Process context. */
struct xpv_blkback_domain *xpv_blkback_domain_get(domid_t id);
void xpv_blkback_domain_put(struct xpv_blkback_domain *dom);

/* Whether one more grant may stay mapped; then it counts until it is uncharged. Any context. */
bool xpv_blkback_domain_charge(struct xpv_blkback_domain *dom);
void xpv_blkback_domain_uncharge(struct xpv_blkback_domain *dom, u32 n);

/*
 * Whether @n more may be mapped for a request, which a queue's only one @always may; then they count until
 * they are given back. Any context.
 */
bool xpv_blkback_domain_borrow(struct xpv_blkback_domain *dom, u32 n, bool always);
void xpv_blkback_domain_give_back(struct xpv_blkback_domain *dom, u32 n);

/* How many too many stay mapped, now that fewer may. */
u32 xpv_blkback_domain_excess(const struct xpv_blkback_domain *dom);

/* blkback_grant.c APIs: by the queue's thread, unless another context is named. */

/* Let grants stay mapped, if the device is persistent. Returns 0 or -ENOMEM. By the device's work. */
int xpv_blkback_grants_init(struct xpv_blkback_queue *q);

/* Unmap all that stayed mapped. The thread has ended. By the device's work. */
void xpv_blkback_grants_exit(struct xpv_blkback_queue *q);

/*
 * Find the mappings of req->page[@from] and on, and add to the queue's batch what is not
 * mapped yet. xpv_blkback_map() makes it so, at the latest.
 */
void xpv_blkback_want(struct xpv_blkback_request *req, u32 from, bool readonly);
void xpv_blkback_map(struct xpv_blkback_queue *q);

/* After that: 0, -EIO if a page can't be mapped, -EAGAIN if it can't be now. */
int xpv_blkback_mapped(struct xpv_blkback_request *req);

/* Let go of the pages of @req that stay mapped. Any context if all of them were mapped. */
void xpv_blkback_unpin(struct xpv_blkback_request *req);

/* Whether somebody else still refers to what is mapped for @req alone, though its I/O is done. */
bool xpv_blkback_in_use(const struct xpv_blkback_request *req);

/* Add what is mapped for @req alone to the queue's batch; xpv_blkback_unmap() makes it so. */
void xpv_blkback_release(struct xpv_blkback_request *req);
void xpv_blkback_unmap(struct xpv_blkback_queue *q);

/* Unmap up to a batch of idle mappings last used before @before. Returns how many. */
u32 xpv_blkback_evict(struct xpv_blkback_queue *q, u32 most, u64 before);

/*
 * From time to time: what has been idle for long goes, and some more if there are too many,
 * here or in the domain. At once, all that is idle, if memory is short.
 */
void xpv_blkback_tidy(struct xpv_blkback_queue *q);

#endif
