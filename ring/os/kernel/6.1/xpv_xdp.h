/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* XDP's buffers of several pages, in kernels before 7.0, where a driver sees to their parts itself. */
#ifndef XPV_XDP_H
#define XPV_XDP_H

#include <linux/filter.h>
#include <linux/skbuff.h>
#include <net/xdp.h>
#include <xpv_frag.h>

/* The first @size bytes of @page go on where @xdp ends. False if it has no room for one more. */
static inline bool xpv_xdp_add_page(struct xdp_buff *xdp, struct page *page, u32 size)
{
	struct skb_shared_info *info = xdp_get_shared_info_from_buff(xdp);

	if (!xdp_buff_has_frags(xdp)) {
		xdp_buff_set_frags_flag(xdp);
		info->nr_frags = 0;
		info->xdp_frags_size = 0;
	}
	if (info->nr_frags == MAX_SKB_FRAGS)
		return false;
	if (page_is_pfmemalloc(page))
		xdp_buff_set_frag_pfmemalloc(xdp);
	xpv_frag_fill(&info->frags[info->nr_frags++], page, size);
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
