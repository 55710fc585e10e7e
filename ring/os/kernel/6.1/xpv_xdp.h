/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* XDP's buffers of several pages, in kernels where a driver sees to their parts itself: to 6.4. */
#ifndef XPV_XDP_H
#define XPV_XDP_H

#include <linux/filter.h>
#include <linux/skbuff.h>
#include <net/xdp.h>

/* Nobody asks what a driver can do: he tries. */
static inline void xpv_xdp_features(struct net_device *dev)
{
}

/* The first @size bytes of @page go on where @xdp ends. False if it has no room for one more. */
static inline bool xpv_xdp_add_page(struct xdp_buff *xdp, struct page *page, u32 size)
{
	struct skb_shared_info *info = xdp_get_shared_info_from_buff(xdp);
	skb_frag_t *frag;

	if (!xdp_buff_has_frags(xdp)) {
		xdp_buff_set_frags_flag(xdp);
		info->nr_frags = 0;
		info->xdp_frags_size = 0;
	}
	if (info->nr_frags == MAX_SKB_FRAGS)
		return false;
	frag = &info->frags[info->nr_frags++];
	__skb_frag_set_page(frag, page);
	skb_frag_off_set(frag, 0);
	skb_frag_size_set(frag, size);
	info->xdp_frags_size += size;
	return true;
}

/*
 * @skb was built around the first page of @xdp, which has forgotten by that how many others there
 * are: @pages. It gets them too.
 */
static inline void xpv_xdp_pass_pages(struct xdp_buff *xdp, struct sk_buff *skb, u8 pages)
{
	struct skb_shared_info *info = xdp_get_shared_info_from_buff(xdp);

	xdp_update_skb_shared_info(skb, pages, info->xdp_frags_size, pages * PAGE_SIZE,
				   xdp_buff_is_frag_pfmemalloc(xdp));
}

#endif
