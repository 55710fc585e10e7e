/* SPDX-License-Identifier: GPL-2.0-only */
/* Disks in xenstore. The main thread's. */
#ifndef XPV_BLKD_XENBUS_H
#define XPV_BLKD_XENBUS_H

#include "daemon.h"

/*
 * Take on the disks that are there, and go on with those that a process before us served; then, by
 * the loop, all that come and go. Returns 0 or a negative errno.
 */
int xenbus_start(void);

/*
 * Serve no request more, and call @done when all have been answered. What xenstore says stays, so that
 * who comes after us can go on.
 */
void xenbus_drain(void (*done)(void));

/* After that, or never: let go of all disks. */
void xenbus_stop(void);

/* --- for adopt.c and access.c --- */

#define XENBUS_FRONT	"front"		/* token of watches on frontends' states */

/* Have the frontend told what it can have. The disk is Initialising. */
void xenbus_offer(struct disk *d);

/* To the log and to xenstore, but not as often as a peer can make us. */
void xenbus_complain(struct disk *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The store is open: connect to who waits for it, or go on. @d may be gone afterwards. */
void xenbus_opened(struct disk *d);

/* The store has been measured: tell the frontend if it does not know. Returns 0 or -EIO. */
int xenbus_measured(struct disk *d);

#endif
