/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A packet's part, and what a driver says of its XDP, in kernels since 6.5. */
#ifndef XPV_FRAG_H
#define XPV_FRAG_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

/* All that is asked of a driver, but for sharing its ring with user space. */
static inline void xpv_xdp_features(struct net_device *dev)
{
	dev->xdp_features = NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT |
			    NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_RX_SG |
			    NETDEV_XDP_ACT_NDO_XMIT_SG;
}

/* @frag is the first @size bytes of @page. */
static inline void xpv_frag_fill(skb_frag_t *frag, struct page *page, u32 size)
{
	skb_frag_fill_page_desc(frag, page, 0, size);
}

#endif
