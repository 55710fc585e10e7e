/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is in flight, where it outlives the process: a file of shared memory for each disk, in which the
 * queues' requests themselves are kept. Nothing is written twice; it is the order of the stores that
 * makes the file true at every moment at which a process may be killed.
 *
 *   take      fill req, taken;   entry = TAKEN;     cons moves on   (else it is still on the ring)
 *   answer    answer = index;    entry = ANSWERED;  response, rsp_prod moves on;   entry = FREE
 *
 * So an entry is in flight if it is TAKEN and was taken before cons, or ANSWERED and its answer was not
 * shown yet. To carry it out once more does no harm: the frontend has not been told that it was done,
 * so nothing that it does may depend on when.
 *
 * Which ring that is about, the ring itself says: who begins to serve it leaves a mark in its header, where
 * a frontend that makes one leaves zeroes. What has another mark can't be gone on with; of a ring without
 * one nothing has been taken, whatever is written here of the one before it.
 */
#ifndef XPV_BLKD_JOURNAL_H
#define XPV_BLKD_JOURNAL_H

#include <xpv/blkif.h>
#include <xpv/ring.h>

enum entry_state { ENTRY_FREE, ENTRY_TAKEN, ENTRY_ANSWERED };

struct journal_entry {
	u32 state;
	u32 taken;		/* ring index of the request */
	u32 answer;		/* and of its response */
	u32 pad;
	struct xpv_blk_req req;
};

/* One queue's. */
struct journal_ring {
	u32 cons;		/* the ring's, as far as requests were taken */
	u32 pad[13];
	u64 mark;		/* the ring's; 0: none has been served */
	struct journal_entry entry[];
};

struct journal {
	char *path;
	void *map;
	size_t bytes;
	u32 queues, slots;
};

/*
 * Disk @name's, for so many queues of so many slots, empty; what was there is replaced. NULL: errno
 * says why.
 */
struct journal *journal_make(const char *name, u32 queues, u32 slots);

/*
 * What a process before us left of disk @name. NULL: errno ENOENT if that is nothing, EINVAL if it is for other
 * queues or slots, or why it can't be had.
 */
struct journal *journal_find(const char *name, u32 queues, u32 slots);

/* Did one leave anything? */
bool journal_left(const char *name);

struct journal_ring *journal_ring(struct journal *j, u32 queue);

/* Let go of it; with @remove nobody is to find it any more. */
void journal_close(struct journal *j, bool remove);

/* Nobody is to find what a process before us left of disk @name. */
void journal_forget(const char *name);

/* The same for all disks that @gone says are no more. */
void journal_sweep(bool (*gone)(u16 domid, u32 devid));

/* Does @e have to be carried out again, on a ring whose responses are shown up to @rsp_prod? */
static inline bool journal_inflight(const struct journal_ring *j, const struct journal_entry *e,
				    u32 rsp_prod)
{
	if (e->state == ENTRY_TAKEN)
		return (s32)(e->taken - j->cons) < 0;
	return e->state == ENTRY_ANSWERED && (s32)(e->answer - rsp_prod) >= 0;
}

#endif
