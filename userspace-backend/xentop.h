/* SPDX-License-Identifier: GPL-2.0-only */
/* What xentop shows of our disks. All of it is the main thread's. */
#ifndef XPV_BLKD_XENTOP_H
#define XPV_BLKD_XENTOP_H

#include "daemon.h"

/* Before there is another thread: it blocks a signal. 0 or a negative errno; to have nowhere to show is none. */
int xentop_start(void);

/* No disk is shown any more. */
void xentop_stop(void);

/* Show @d from now on, or no more. */
void xentop_add(const struct disk *d);
void xentop_remove(const struct disk *d);

#endif
