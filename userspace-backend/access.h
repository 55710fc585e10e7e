/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk's way to its store, which others ask for: the script, and a process that was before us. */
#ifndef XPV_BLKD_ACCESS_H
#define XPV_BLKD_ACCESS_H

#include "daemon.h"

/* Did a process before us have the store of @d open? */
bool access_was_open(const struct disk *d);

/* Then it is to be open again, however long that takes: the guest sees a disk that takes its time. */
void access_recover(struct disk *d);

/* The same for one whose store is open, which is closed: it could not be gone on with for want of something. */
void access_recover_later(struct disk *d);

#endif
