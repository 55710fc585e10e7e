/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* XDP's buffers of several pages, in kernels that see to their parts. */
#ifndef XPV_XDP_H
#define XPV_XDP_H

#include <linux/filter.h>
#include <linux/skbuff.h>
#include <net/xdp.h>
#include <xpv_frag.h>

/* The first @size bytes of @page go on where @xdp ends. False if it has no room for one more. */
static inline bool xpv_xdp_add_page(struct xdp_buff *xdp, struct page *page, u32 size)
{
	return xdp_buff_add_frag(xdp, page_to_netmem(page), 0, size, PAGE_SIZE);
}

/*
 * @skb was built around the first page of @xdp, which has forgotten by that how many others there
 * are: @pages. It gets them too.
 */
static inline void xpv_xdp_pass_pages(struct xdp_buff *xdp, struct sk_buff *skb, u8 pages)
{
	struct skb_shared_info *info = xdp_get_shared_info_from_buff(xdp);

	xdp_update_skb_frags_info(skb, pages, info->xdp_frags_size, info->xdp_frags_truesize,
				  xdp_buff_get_skb_flags(xdp));
}

#endif
