/* SPDX-License-Identifier: GPL-2.0-only */
/* As much of a kernel as ring/os/kernel/grant_os.c asks for: the test that includes it says what the calls do. */
#ifndef FAKE_LINUX_MM_H
#define FAKE_LINUX_MM_H

#include "xpv_os.h"

struct page {
	void *mapping;
	int count;
};

struct xen_page_foreign {
	u16 domid;
	u32 gref;
};

struct gnttab_map_grant_ref {
	u64 host_addr;
	u32 flags, ref;
	u16 dom;
	s16 status;
	u32 handle;
};

struct gnttab_unmap_grant_ref {
	u64 host_addr;
	u32 handle;
	s16 status;
};

struct gnttab_copy_end {
	union {
		u32 ref;
		u64 gmfn;
	} u;
	u16 domid, offset;
};

struct gnttab_copy {
	struct gnttab_copy_end source, dest;
	u16 len, flags;
	s16 status;
};

#define GNTST_okay		0
#define GNTST_general_error	(-1)
#define GNTST_no_device_space	(-7)
#define GNTMAP_host_map		2u
#define GNTMAP_readonly		4u
#define GNTCOPY_source_gref	1u
#define GNTCOPY_dest_gref	2u
#define GNTTABOP_unmap_grant_ref 1
#define GNTTABOP_copy		5
#define DOMID_SELF		0x7ff0u

#define page_count(page)	((page)->count)
#define page_to_pfn(page)	((uintptr_t)(page))
#define pfn_to_kaddr(pfn)	((void *)(pfn))
#define virt_to_page(mem)	((struct page *)(mem))
#define virt_to_gfn(mem)	((uintptr_t)(mem))
#define xen_offset_in_page(mem)	((u16)((uintptr_t)(mem) & 0xfff))
#define xen_page_foreign(page)	((const struct xen_page_foreign *)((void)(page), NULL))

/* Counted: a kernel would have said something. */
extern unsigned int fake_warnings;
#define WARN_ON_ONCE(what)	do { if (what) fake_warnings++; } while (0)

int gnttab_map_refs(struct gnttab_map_grant_ref *map, void *kmap, struct page **pages, unsigned int n);
int gnttab_unmap_refs(struct gnttab_unmap_grant_ref *unmap, void *kunmap, struct page **pages, unsigned int n);
int HYPERVISOR_grant_table_op(unsigned int op, void *arg, unsigned int n);

static inline void gnttab_set_map_op(struct gnttab_map_grant_ref *map, u64 addr, u32 flags, u32 ref, u16 domid)
{
	/* As the kernel does: no result of a call is positive. */
	*map = (struct gnttab_map_grant_ref){ addr, flags, ref, domid, 1, 0 };
}

static inline void gnttab_set_unmap_op(struct gnttab_unmap_grant_ref *unmap, u64 addr, u32 flags, u32 handle)
{
	(void)flags;
	*unmap = (struct gnttab_unmap_grant_ref){ addr, handle, 0 };
}

#endif
