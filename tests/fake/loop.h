/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A world without Xen for the userspace backend, and its one guest. Memory, grants and event channels
 * are in memory that is shared with children, so that a backend may be a process of its own, and be
 * killed; its successor finds the guest as it was.
 *
 * A gref is the number of a page of loop_memory. Ports are the guest's; the backend's are numbered
 * differently.
 */
#ifndef XPV_FAKE_LOOP_H
#define XPV_FAKE_LOOP_H

#include <daemon.h>
#include <world.h>
#include <xpv/blkif.h>
#include <xpv/ring.h>

#define LOOP_DOMID	7
#define LOOP_PAGES	32768u
#define LOOP_PORTS	128u

extern u8 *loop_memory;
extern u32 loop_mapped;		/* atomic: pages that the backend, in this process, has mapped */
extern bool loop_refuses;	/* atomic: to map any more */

/* Before anything else; once. */
void loop_make(void);

/* The backend has died, or was never there: all its ports are unbound. */
void loop_reset(void);

/* The guest's end of an event channel. Wait returns false after @ms. */
void loop_kick(u32 port);
bool loop_wait(u32 port, int ms);

static inline void *loop_page(u32 gref)
{
	return loop_memory + (size_t)gref * XPV_PAGE_SIZE;
}

/* --- front.c: a frontend's ring, as it should be used --- */

struct front {
	struct xpv_ring ring;
	enum xpv_blk_abi abi;
	struct ring_info info;	/* what the backend is told */
};

/* A fresh ring in the pages from @gref on. */
void front_make(struct front *f, enum xpv_blk_abi abi, u32 gref, u32 pages, u32 port);

/* The next request; an indirect one's segments are where ind[] says. There is room. */
void front_add(struct front *f, const struct xpv_blk_req *req);

/* Show them to the backend. */
void front_publish(struct front *f);

struct front_response {
	u64 id;
	u8 op;
	s16 status;
};

/* The next response, within @ms. */
bool front_take(struct front *f, struct front_response *rsp, int ms);

#endif
