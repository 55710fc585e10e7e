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

#endif
