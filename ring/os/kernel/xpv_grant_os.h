/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What a grant operation is to a Linux kernel. The calls are in grant_os.c. */
#ifndef XPV_GRANT_OS_H
#define XPV_GRANT_OS_H

#include <linux/mm.h>
#include <xen/grant_table.h>
#include <xen/interface/grant_table.h>
#include <xen/page.h>

typedef struct page *xpv_page;

/* A batch is of one kind, and the hypervisor wants it as a plain array. */
struct xpv_map_ops {
	union {
		struct gnttab_map_grant_ref map[XPV_BATCH_MAX];
		struct gnttab_unmap_grant_ref unmap[XPV_BATCH_MAX];
	};
};

struct xpv_copy_op {
	struct gnttab_copy copy;
};

struct xpv_batch;
struct xpv_copy_batch;

static inline void xpv_os_set_map(struct xpv_map_ops *ops, u32 i, xpv_page page,
				  u32 gref, u16 domid, bool readonly)
{
	gnttab_set_map_op(&ops->map[i], (unsigned long)pfn_to_kaddr(page_to_pfn(page)),
			  GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0), gref, domid);
}

static inline void xpv_os_set_unmap(struct xpv_map_ops *ops, u32 i, xpv_page page,
				    u32 handle)
{
	gnttab_set_unmap_op(&ops->unmap[i], (unsigned long)pfn_to_kaddr(page_to_pfn(page)),
			    GNTMAP_host_map, handle);
}

/* Submit the batch; each op has its status afterwards. To map may sleep. */
void xpv_os_map(struct xpv_batch *b);
void xpv_os_unmap(struct xpv_batch *b);

/*
 * Somebody other than us refers to a page, though its I/O is done: a network that may have to send it
 * again, say. Such a page is not to be unmapped.
 */
static inline bool xpv_os_in_use(struct page *page)
{
	return page_count(page) > 1;
}

/* The handle of a submitted map op, or the kind of failure. */
static inline u32 xpv_os_handle(const struct xpv_map_ops *ops, u32 i)
{
	switch (ops->map[i].status) {
	case GNTST_okay:
		return ops->map[i].handle;
	case GNTST_no_device_space:
		return XPV_NO_ROOM;
	default:
		return XPV_NO_HANDLE;
	}
}

/* Submit the copies, any context. */
void xpv_os_copy(struct xpv_copy_batch *b);

/* @mem is in the linear map, so that its frame can be told from its address. */
static inline void xpv_os_copy_from(struct xpv_copy_op *op, u16 domid, u32 gref,
				    u32 goff, void *mem, u32 len)
{
	op->copy.flags = GNTCOPY_source_gref;
	op->copy.len = len;
	op->copy.source.domid = domid;
	op->copy.source.u.ref = gref;
	op->copy.source.offset = goff;
	op->copy.dest.domid = DOMID_SELF;
	op->copy.dest.u.gmfn = virt_to_gfn(mem);
	op->copy.dest.offset = xen_offset_in_page(mem);
}

/*
 * The grant by which a page of a third domain is mapped here, NULL for a page of our own. The
 * flag has another meaning for pages of files and of user memory: those have a mapping.
 */
static inline const struct xen_page_foreign *xpv_os_foreign(struct page *page)
{
	const struct xen_page_foreign *foreign = xen_page_foreign(page);

	return likely(!foreign) || page->mapping ? NULL : foreign;
}

/*
 * @mem may lie in such a page (a packet of another guest's, a disk's page on its way
 * over the network): as one of ours the hypervisor wouldn't take it.
 */
static inline void xpv_os_copy_to(struct xpv_copy_op *op, u16 domid, u32 gref,
				  u32 goff, void *mem, u32 len)
{
	const struct xen_page_foreign *foreign = xpv_os_foreign(virt_to_page(mem));

	op->copy.flags = GNTCOPY_dest_gref;
	op->copy.len = len;
	if (unlikely(foreign)) {
		op->copy.flags |= GNTCOPY_source_gref;
		op->copy.source.domid = foreign->domid;
		op->copy.source.u.ref = foreign->gref;
	} else {
		op->copy.source.domid = DOMID_SELF;
		op->copy.source.u.gmfn = virt_to_gfn(mem);
	}
	op->copy.source.offset = xen_offset_in_page(mem);
	op->copy.dest.domid = domid;
	op->copy.dest.u.ref = gref;
	op->copy.dest.offset = goff;
}

static inline bool xpv_os_copy_ok(const struct xpv_copy_op *op)
{
	return op->copy.status == GNTST_okay;
}

#endif
