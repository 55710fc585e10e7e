// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Batches of copies to and from another domain's pages. */
#include <xpv/grant.h>

void xpv_copy_init(struct xpv_copy_batch *b, u16 domid)
{
	b->domid = domid;
	b->n = 0;
}
EXPORT_SYMBOL_GPL(xpv_copy_init);

void xpv_copy_submit(struct xpv_copy_batch *b)
{
	if (b->n)
		xpv_os_copy(b);
}
EXPORT_SYMBOL_GPL(xpv_copy_submit);
