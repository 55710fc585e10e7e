// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Batches of grant operations, carried out by Linux under Xen. */
#include <xpv/grant.h>

#include <xen/interface/xen.h>
#include <asm/xen/hypercall.h>

void xpv_os_map(struct xpv_batch *b)
{
	unsigned int i;

	/*
	 * Each op's status decides, and the caller left it at no success. Should the whole call
	 * fail midway, some ops may be mapped without the kernel's books knowing: undo those.
	 */
	if (likely(!gnttab_map_refs(b->ops.map, NULL, b->page, b->n)))
		return;
	for (i = 0; i < b->n; i++) {
		struct gnttab_unmap_grant_ref unmap;

		if (b->ops.map[i].status != GNTST_okay)
			continue;
		b->ops.map[i].status = GNTST_general_error;
		gnttab_set_unmap_op(&unmap, (unsigned long)pfn_to_kaddr(page_to_pfn(b->page[i])),
				    GNTMAP_host_map, b->ops.map[i].handle);
		WARN_ON_ONCE(HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1));
	}
}

void xpv_os_unmap(struct xpv_batch *b)
{
	WARN_ON_ONCE(gnttab_unmap_refs(b->ops.unmap, NULL, b->page, b->n));
}

void xpv_os_copy(struct xpv_copy_batch *b)
{
	unsigned int i;

	if (!HYPERVISOR_grant_table_op(GNTTABOP_copy, b->op, b->n))
		return;
	/* The call itself failed: none of the copies counts. */
	for (i = 0; i < b->n; i++)
		b->op[i].copy.status = GNTST_general_error;
}
