/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A packet's part, and what a driver says of its XDP, in kernels to 6.4. */
#ifndef XPV_FRAG_H
#define XPV_FRAG_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

/* Nobody asks what a driver can do: he tries. */
static inline void xpv_xdp_features(struct net_device *dev)
{
}

/* @frag is the first @size bytes of @page. */
static inline void xpv_frag_fill(skb_frag_t *frag, struct page *page, u32 size)
{
	__skb_frag_set_page(frag, page);
	skb_frag_off_set(frag, 0);
	skb_frag_size_set(frag, size);
}

#endif
