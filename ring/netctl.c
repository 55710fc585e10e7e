// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Messages of netif's control ring, each copied once, and what they may say. */
#include <xpv/netctl.h>

int xpv_net_take_ctl(struct xpv_ring *ring, struct xpv_net_ctlreq *req)
{
	if (!xpv_back_pending(ring))
		return xpv_ring_broken(ring) ? -EPROTO : 0;
	xpv_ring_copy(ring, ring->cons, req, sizeof(*req));
	ring->cons++;
	return 1;
}
EXPORT_SYMBOL_GPL(xpv_net_take_ctl);

void xpv_net_answer_ctl(struct xpv_ring *ring, const struct xpv_net_ctlreq *req, u32 status,
			u32 data)
{
	struct xpv_net_ctlrsp rsp = { req->id, req->type, status, data };

	memcpy(xpv_back_next(ring), &rsp, sizeof(rsp));
}
EXPORT_SYMBOL_GPL(xpv_net_answer_ctl);

static int meaning(u32 status)
{
	switch (status) {
	case XPV_NET_CTL_SUCCESS:
		return 0;
	case XPV_NET_CTL_NOT_SUPPORTED:
		return -EOPNOTSUPP;
	case XPV_NET_CTL_OVERFLOW:
		return -ENOSPC;
	default:
		return -EINVAL;
	}
}

int xpv_net_take_ctl_answer(struct xpv_ring *ring, const struct xpv_net_ctlreq *req, u32 *data)
{
	struct xpv_net_ctlrsp rsp;

	if (!xpv_front_pending(ring))
		return xpv_ring_broken(ring) ? -EPROTO : -EAGAIN;
	xpv_ring_copy(ring, ring->cons, &rsp, sizeof(rsp));
	ring->cons++;
	if (rsp.id != req->id || rsp.type != req->type) {
		xpv_ring_break(ring);
		return -EPROTO;
	}
	*data = rsp.data;
	return meaning(rsp.status);
}
EXPORT_SYMBOL_GPL(xpv_net_take_ctl_answer);

int xpv_net_check_grefs(const struct xpv_net_gref *list, u32 n)
{
	u32 i;

	if (!n || n > XPV_NET_GREFS_MAX)
		return -EINVAL;
	/* A flag we don't know may forbid what we would do. */
	for (i = 0; i < n; i++)
		if (list[i].flags & ~XPV_NET_GREF_READONLY)
			return -EINVAL;
	return 0;
}
EXPORT_SYMBOL_GPL(xpv_net_check_grefs);

int xpv_net_check_table_place(u32 first, u32 n, u32 size)
{
	return n <= size && first <= size - n ? 0 : -EINVAL;
}
EXPORT_SYMBOL_GPL(xpv_net_check_table_place);

int xpv_net_check_table(const u32 *entry, u32 n, u32 queues)
{
	while (n--)
		if (entry[n] >= queues)
			return -EINVAL;
	return 0;
}
EXPORT_SYMBOL_GPL(xpv_net_check_table);
