/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk as the handshake sees it: made, connected, drained, freed. All of it is the main thread's. */
#ifndef XPV_BLKD_DISK_H
#define XPV_BLKD_DISK_H

#include "daemon.h"

/* Start the workers that config asks for, and hear what they leave word of. 0 or a negative errno. */
int disks_start(void);

/* No disk is left, or what is left is to be as if killed. */
void disks_stop(void);

/* Nothing is begun or answered any more, and the process is about to end. */
void disks_halt(void);

unsigned int disks_workers(void);

/* Workers that sleep look at what config says now. */
void disks_settings_changed(void);

/* A disk with no store yet; NULL: no memory. @path and @front are copied. */
struct disk *disk_add(u16 domid, u32 devid, const char *path, const char *front);

/* It is not connected. The store is closed, whenever that is done. */
void disk_free(struct disk *d);

/*
 * Have the store opened, by d->errand.target, measured or closed; none is out. disk_back() is called when
 * it is back, unless the disk has been freed.
 */
void disk_send(struct disk *d, enum errand_kind kind);

/* Have the store closed, as soon as it can be. */
void disk_leave_store(struct disk *d);

/* Is there one to connect to? */
static inline bool disk_has_store(const struct disk *d)
{
	return d->store.ops && !d->unwanted;
}

/* What the store is by now, into limits. Queues that are connected keep what they have. */
void disk_measure(struct disk *d);

/* At most so many requests and bytes per second; 0: no limit. */
void disk_set_limits(struct disk *d, u64 iops, u64 bytes);

/*
 * Serve @n rings, all of as many pages, in layout d->abi, with what limits say; with @recover, go
 * on where a process before us was killed. Returns 0 or a negative errno, and then is not connected;
 * -EPROTO: what is there can't be gone on with.
 */
int disk_connect(struct disk *d, const struct ring_info *info, unsigned int n, bool recover);

/*
 * Take no more requests, and when all that are in flight have been answered, let go of the rings. -EAGAIN
 * until then: disk_news() is when to call again. With @keep what the journal holds is kept. If the disk is
 * abandoned, what was not begun fails and what was read goes nowhere.
 */
int disk_disconnect(struct disk *d, bool keep);

/* Any thread: look at the disks that are being drained. */
void disks_drained(void);

/* What d->errand says has been done to the store. access.c's, or a test's. */
void disk_back(struct disk *d);

/* A worker has left word, bits of enum disk_news, or @d may have drained. xenbus.c's, or a test's. */
void disk_news(struct disk *d, u32 news);

#endif
