/* SPDX-License-Identifier: GPL-2.0-only */
/* What backend and frontend tell each other. The main thread's. */
#ifndef XPV_BLKD_HANDSHAKE_H
#define XPV_BLKD_HANDSHAKE_H

#include "daemon.h"

/* Before InitWait: what a frontend may choose from. False: xenstore does not take it. */
bool handshake_offer(struct disk *d);

/* Before Connected, and when something of it has changed: the disk as it is measured. Its sectors stay as told. */
bool handshake_geometry(struct disk *d);

/*
 * What the frontend chose: d->abi, how many queues, and for each its ring, MAX_QUEUES at most. It may have
 * been offered more than we offer. Returns 0 or a negative errno.
 */
int handshake_read(struct disk *d, struct ring_info *info, u32 *queues);

/* What it names by now as the ring of its first queue. Returns 0 or a negative errno. */
int handshake_first(const struct disk *d, struct ring_info *info);

#endif
