/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Pages that come back: a page_pool of single pages for one queue, and
 * what is done with them. From 6.1 to 6.5: one header, and a pool that
 * doesn't know its NAPI.
 */
#ifndef XPV_POOL_H
#define XPV_POOL_H

#include <linux/err.h>
#include <linux/netdevice.h>
#include <linux/numa.h>
#include <linux/skbuff.h>
#include <net/page_pool.h>

/*
 * A pool that keeps up to @pages unused ones. Its pages are taken in @napi's
 * context only; they may be given back anywhere (skb_mark_for_recycle()). They
 * are zeroed only as the page allocator does it, when they are new. ERR_PTR()
 * on failure.
 */
static inline struct page_pool *xpv_pool_create(struct napi_struct *napi, unsigned int pages)
{
	struct page_pool_params params = {
		.pool_size = pages,
		.nid = NUMA_NO_NODE,
	};

	return page_pool_create(&params);
}

/* The same, to be taken in pieces only: page_pool_dev_alloc_frag(). */
static inline struct page_pool *xpv_pool_create_pieces(struct napi_struct *napi,
						       unsigned int pages)
{
	struct page_pool_params params = {
		.flags = PP_FLAG_PAGE_FRAG,
		.pool_size = pages,
		.nid = NUMA_NO_NODE,
	};

	return page_pool_create(&params);
}

#endif
