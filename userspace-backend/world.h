/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hypervisor gives, besides copies (xpv_os_copy() of xpv/grant.h): xen.c has it from Xen, tests/fake/loop.c
 * from a piece of shared memory.
 */
#ifndef XPV_BLKD_WORLD_H
#define XPV_BLKD_WORLD_H

#include "xpv_os.h"

/* Returns 0 or a negative errno. Before anything else here, and before xpv_os_copy(). */
int world_open(void);
void world_close(void);

/* @n granted pages as one piece of memory; NULL if one of them can't be. Any thread. */
void *world_map(u16 domid, const u32 *gref, u32 n);
void world_unmap(void *at, u32 n);

/* The event channels of one thread, all announced by one descriptor. */
struct channels;

struct channels *channels_open(void);
void channels_close(struct channels *c);

/* Readable when one has an event. */
int channels_fd(struct channels *c);

/* Bind to a peer's unbound port. Returns ours, or a negative errno. An event may be there at once. */
int channel_bind(struct channels *c, u16 domid, u32 port);
void channel_unbind(struct channels *c, u32 port);

/*
 * Ports of ours that have an event, at most @n: how many. Each stays silent until it is unmasked. The
 * descriptor becomes readable anew only after this has returned 0.
 */
u32 channels_read(struct channels *c, u32 *port, u32 n);
void channel_unmask(struct channels *c, u32 port);

void channel_notify(struct channels *c, u32 port);

#endif
