// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Making a ring, and attaching to one that somebody else made. */
#include <xpv/ring.h>

u32 xpv_ring_slots(unsigned int pages, u32 stride)
{
	u32 fit, slots = 1;

	if (!pages || pages > 1u << XPV_RING_MAX_ORDER || !stride)
		return 0;
	fit = (pages * XPV_PAGE_SIZE - (u32)sizeof(struct xpv_sring)) / stride;
	if (!fit)
		return 0;
	while (slots <= fit / 2)
		slots *= 2;
	return slots;
}
EXPORT_SYMBOL_GPL(xpv_ring_slots);

void xpv_front_init(struct xpv_ring *r, void *shared, unsigned int pages, u32 stride)
{
	memset(r, 0, sizeof(*r));
	r->shared = shared;
	r->size = xpv_ring_slots(pages, stride);
	r->stride = stride;
	WRITE_ONCE(r->shared->req_prod, 0);
	WRITE_ONCE(r->shared->rsp_prod, 0);
	WRITE_ONCE(r->shared->req_event, 1);
	WRITE_ONCE(r->shared->rsp_event, 1);
}
EXPORT_SYMBOL_GPL(xpv_front_init);

int xpv_back_attach(struct xpv_ring *r, void *shared, unsigned int pages, u32 stride)
{
	u32 req, rsp;

	memset(r, 0, sizeof(*r));
	r->size = xpv_ring_slots(pages, stride);
	if (!r->size)
		return -EINVAL;
	r->stride = stride;
	r->shared = shared;
	/*
	 * Read once: these become our own indices, the peer's copies are not
	 * consulted again. Acquire, though the slots are read only after
	 * xpv_back_pending() acquires anew, so that a request seen here is seen whole.
	 * Pairs with the release in __xpv_publish() of the frontend.
	 */
	req = virt_load_acquire(&r->shared->req_prod);
	rsp = READ_ONCE(r->shared->rsp_prod);
	if (req - rsp > r->size) {
		xpv_ring_detach(r);
		return -EIO;
	}
	r->prod = rsp;
	r->published = rsp;
	r->cons = rsp;
	return 0;
}
EXPORT_SYMBOL_GPL(xpv_back_attach);

void xpv_ring_detach(struct xpv_ring *r)
{
	r->shared = NULL;
}
EXPORT_SYMBOL_GPL(xpv_ring_detach);
