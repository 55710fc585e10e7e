/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The third OS of grant.h: no hypervisor, but its books. Tests read and set the
 * fields of `fake` as they like; fake_reset() makes a new machine.
 *
 * What no caller may do (unmap what is not mapped, copy across a page) ends the
 * program by assert(); what a peer may do fails as it does under Xen.
 */
#ifndef XPV_FAKE_H
#define XPV_FAKE_H

#include <xpv/grant.h>

#define FAKE_DOMID	7	/* the peer whose pages copies reach */
#define FAKE_PAGES	32	/* its grefs: 0 to 31, each a page of fake.peer */
#define FAKE_MAPPINGS	1024
#define FAKE_PAGE	4096

struct fake_mapping {
	u32 handle;		/* 0: entry not in use */
	u32 gref;
	xpv_page page;
	u16 domid;
	bool readonly;
};

struct fake {
	/* Calls, and the operations they brought. */
	u32 map_calls, unmap_calls, copy_calls;
	u32 map_ops, unmap_ops, copy_ops;

	/* Counting from 1 at the next one; 0: none fails. Each fails once. */
	u32 fail_map, fail_copy, fail_alloc;
	u32 fail_handle;	/* what the map that fails leaves: XPV_NO_HANDLE or XPV_NO_ROOM */

	xpv_page in_use;	/* somebody else refers to it */
	u32 live;		/* entries in use of mapping[] */
	u32 last_handle;	/* handles are not used twice */
	struct fake_mapping mapping[FAKE_MAPPINGS];
	u8 peer[FAKE_PAGES][FAKE_PAGE];
};

extern struct fake fake;

void fake_reset(void);

/* The books' entry for @handle, NULL if there is none. */
const struct fake_mapping *fake_find(u32 handle);

/* How often (@domid, @gref) is mapped. */
u32 fake_mapped(u16 domid, u32 gref);

#endif
