/* SPDX-License-Identifier: GPL-2.0-only */
/* Both ends of a ring over one piece of memory, at any index. */
#ifndef XPV_FAKE_PAIR_H
#define XPV_FAKE_PAIR_H

#include <xpv/ring.h>

#define PAIR_PAGES	(1u << XPV_RING_MAX_ORDER)

struct pair {
	struct xpv_ring front, back;
	union {
		struct xpv_sring shared;
		u8 page[PAIR_PAGES * XPV_PAGE_SIZE];
	} __attribute__((aligned(4096)));
};

/* A ring that has been used and drained until all its indices are @at; slots hold 0xa5. */
static inline int pair_init(struct pair *p, unsigned int pages, u32 stride, u32 at)
{
	memset(p, 0, sizeof(*p));
	xpv_front_init(&p->front, p->page, pages, stride);
	memset(p->shared.slots, 0xa5, sizeof(p->page) - sizeof(p->shared));
	p->shared.req_prod = at;
	p->shared.rsp_prod = at;
	p->shared.req_event = at + 1;
	p->shared.rsp_event = at + 1;
	p->front.prod = at;
	p->front.published = at;
	p->front.cons = at;
	return xpv_back_attach(&p->back, p->page, pages, stride);
}

#endif
