/* SPDX-License-Identifier: GPL-2.0-only */
/* The arenas that a worker has for those of its queues that have something to do. The worker's own thread. */
#ifndef XPV_BLKD_SPARE_H
#define XPV_BLKD_SPARE_H

#include "worker.h"

/* One for a queue that has something to do, made if there is none; NULL: no memory. It is given back by spare_put(). */
struct arena *spare_take(struct worker *w);
void spare_put(struct worker *w, struct arena *a);

/* In which second to look whether there are more than are needed: WORKER_NEVER while there are few. */
u64 spare_look_at(const struct worker *w);
void spare_look(struct worker *w, u64 second);

/* The ring is gone, and no queue is left: neither is any of them. */
void spare_unmap(struct worker *w);

#endif
