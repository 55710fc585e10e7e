/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xpv-blkd: one process that serves the disks of all guests.
 *
 *   main thread, one epoll loop          worker threads, one io_uring each
 *   xenstore: states, features           a queue's ring and event channel,
 *   control socket, metrics              its requests, and the store's I/O
 *   signals
 *
 * A disk is the main thread's, each of its queues a worker's; statistics are read across. The main
 * thread calls a worker by worker_call(), a worker leaves word by disk_tell(). So there is
 * no lock on the way of a request. The main thread does nothing that may take long: errand.h.
 *
 * All functions here are the main thread's, but for those that say so.
 */
#ifndef XPV_BLKD_DAEMON_H
#define XPV_BLKD_DAEMON_H

#include <xpv/blkif.h>
#include <xpv/rate.h>
#include <xpv/ring.h>
#include <xpv/state.h>

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "errand.h"

/* --- config.c --- */

#define MAX_WORKERS	16u
#define MAX_QUEUES	16u	/* of a disk */
#define MAX_NBD_CONNECTIONS 16u
#define CONFIG_WHY	256	/* bytes for what is wrong with the file */

struct config {
	unsigned int workers;		/* threads; 0: one for each CPU, at most 4 */
	unsigned int max_queues;	/* offered to a frontend; 0: one for each CPU, at most 4 */
	unsigned int max_ring_order;	/* offered; 0 to 4: pages of a ring, as a power of two */
	unsigned int persistent_grants;	/* pages of a domain that stay mapped; 0: none do */
	unsigned int persistent_unused_s;	/* until one that is not used is given up; 0: never */
	unsigned int poll_us;		/* to look for work before sleeping, up to 1000; 0: never */
	unsigned int drain_s;		/* to wait for requests in flight before the end */
	unsigned int nbd_connections;	/* to a server that takes several for a disk */
	unsigned int nbd_timeout_s;	/* until a request without an answer has failed */
	char *run_dir;			/* sockets, and what is in flight */
	char *metrics;			/* address for serve(); empty: none */
};

extern struct config config;

/*
 * *@c as @file says, and by default where it says nothing; NULL: all by default. -EINVAL with one
 * line in @why, CONFIG_WHY bytes, leaves nothing to free.
 */
int config_load(struct config *c, const char *file, char *why);
void config_free(struct config *c);

/* --- log.c; any thread --- */

/* Priorities are syslog's. */
void logf_(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)	logf_(3, __VA_ARGS__)
#define log_warning(...) logf_(4, __VA_ARGS__)
#define log_info(...)	logf_(6, __VA_ARGS__)

/* --- any thread --- */

/* Of a clock that never goes back. */
static inline u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

/* The same to a few ms, for next to nothing. */
static inline u64 coarse_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

/* --- loop.c: the main thread's loop --- */

/* Call @fn(@arg) when @fd is readable, until it is removed. Returns 0 or a negative errno. */
int loop_add(int fd, void (*fn)(void *arg), void *arg);
void loop_remove(int fd);

/* Call @fn(@arg) once after @ms; a negative errno if that can't be. */
int loop_after(unsigned int ms, void (*fn)(void *arg), void *arg);

/* Until loop_end(). */
void loop_run(void);
void loop_end(void);

/* --- disk.c --- */

/* Counted by the workers, for reading at any time. */
struct disk_stats {
	u64 reads, writes, flushes, discards;	/* requests that were in order */
	u64 read_sectors, write_sectors;	/* of 512 bytes */
	u64 errors;				/* answered with an error */
	u64 waits;				/* times that there was no memory for one */
	u64 events, notifies;			/* from and to the frontend */
	u64 grant_copies;			/* pieces of pages that were not mapped */
	u64 inflight;				/* now */
	u64 kept;				/* pages that are mapped, now */
};

/* What a worker leaves word of; bits of disk.news. */
enum disk_news {
	DISK_BROKEN,		/* a ring can't be true */
	DISK_NO_FLUSH,		/* the store can't do it after all */
	DISK_NO_DISCARD,
	DISK_FAILED,		/* the store has failed a request, see disk.failed */
};

/* What the store could not do. */
struct disk_failed {
	u64 at;			/* now_ns(); 0: never */
	int err;		/* negative errno */
	u8 op;			/* enum xpv_blk_op */
	u64 sector;		/* as the guest counts them */
};

/* One ring, as the frontend describes it. */
struct ring_info {
	u32 gref[1u << XPV_RING_MAX_ORDER];
	u32 pages;
	u32 port;		/* the frontend's event channel */
};

struct queue;
struct journal;

struct disk {
	struct disk *next;
	u16 domid;
	u32 devid;
	char name[24];		/* "domid/devid" for messages */
	char *path;		/* backend/vbd3/domid/devid */

	/* xenbus.c: */
	char *front;		/* the frontend's folder */
	char *target;		/* as configured; NULL before the script came */
	enum xpv_state state;
	bool readonly, cdrom, removable, discard_enabled;
	bool online;		/* the toolstack wants it */
	bool marked;		/* its node has ADOPT_MARK */
	bool removed;		/* its node has been: what is there now is another disk's, of the same name */
	bool dirty;		/* a watch has told of it */
	bool came;		/* the frontend has gone on since we connected, or tried to */
	bool anew;		/* to be closed first, before it is connected again */
	bool no_offer;		/* xenstore did not take what this frontend was to be offered */
	unsigned int complaints;
	u64 complained;		/* since when they are counted */

	/* access.c: */
	bool recovering;	/* waits for its store, to go on where a process before us was */
	bool told;		/* that it still waits */
	u64 recovering_since, retry_at;	/* ns */
	u64 back_at;		/* ns: since when who asked may hear what came of it; 0: nothing new */
	char why[STORE_WHY];	/* the store could not be opened when that was last tried */

	/* disk.c: */
	struct store store;	/* open if store.ops */
	struct errand errand;	/* one that is out, or the last one */
	bool unwanted;		/* the store is to be closed when it is back */
	bool gone;		/* and the disk to be freed then */
	enum xpv_blk_abi abi;
	struct xpv_blk_limits limits;
	bool persistent;	/* the frontend uses the same grants again and again */
	unsigned int nr_queues;	/* connected */
	struct queue *queue[MAX_QUEUES];
	struct journal *journal;
	bool stopping;		/* its queues are being drained */
	bool abandoned;		/* the frontend is gone: its memory is left alone. Workers read it */
	u32 news;		/* atomic */
	pthread_mutex_t failed_lock;
	struct disk_failed failed;
	struct disk_stats past;	/* of queues that are no more */

	/* How much it may have; the lock is taken only where there is a limit. */
	bool limited;
	pthread_mutex_t rate_lock;
	struct xpv_rate rate_requests, rate_bytes;
};

struct disk *disk_find(u16 domid, u32 devid);

/* All of them: NULL gives the first, the last gives NULL. */
struct disk *disk_next(struct disk *d);

/*
 * Open the store that the node's `params` name, and connect if the frontend waits for it.
 * For the hotplug script: the disk is in InitWait. @why as in store.h. -EAGAIN until it is open, or
 * is known not to be: who wants to hear of it asks again soon.
 */
int disk_open_store(struct disk *d, char *why);

/*
 * The script takes the disk away: close the store. -EAGAIN until that is done, -EBUSY while a frontend
 * is connected.
 */
int disk_close_store(struct disk *d);

/* At most so many requests and bytes per second, from now on and for who comes after us; 0: no limit. */
int disk_limit(struct disk *d, u64 iops, u64 bytes);

/*
 * Look how large the store is now, and tell the frontend. Returns 0 or a negative errno; -EAGAIN: to be
 * asked again soon.
 */
int disk_resize(struct disk *d);

/* Close the device as the toolstack would: the frontend sees Closing. */
int disk_detach(struct disk *d);

void disk_stats(const struct disk *d, struct disk_stats *sum);

/* When the youngest of its requests in flight was taken, coarse_ns(); 0: there are none. */
u64 disk_youngest(struct disk *d);

/* Any thread: leave word for the main thread. */
void disk_tell(struct disk *d, enum disk_news news);

/* --- control.c, metrics.c: from now on they are answered; else why not, SERVE_WHY bytes --- */

int control_start(char *why);
int metrics_start(char *why);

#endif
