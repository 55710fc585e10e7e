// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Batches of grants: filling them, and reading every status. */
#include <xpv/grant.h>

void xpv_batch_init(struct xpv_batch *b, u16 domid)
{
	b->domid = domid;
	b->n = 0;
}
EXPORT_SYMBOL_GPL(xpv_batch_init);

void xpv_batch_add_map(struct xpv_batch *b, struct xpv_mapping *m, bool readonly)
{
	m->handle = XPV_NO_HANDLE;
	b->item[b->n] = m;
	b->page[b->n] = m->page;
	xpv_os_set_map(&b->ops, b->n, m->page, m->gref, b->domid, readonly);
	b->n++;
}
EXPORT_SYMBOL_GPL(xpv_batch_add_map);

int xpv_batch_map(struct xpv_batch *b)
{
	unsigned int i;
	int err = 0;

	if (!b->n)
		return 0;
	xpv_os_map(b);
	for (i = 0; i < b->n; i++) {
		b->item[i]->handle = xpv_os_handle(&b->ops, i);
		if (!xpv_mapped(b->item[i]))
			err = -EIO;
	}
	b->n = 0;
	return err;
}
EXPORT_SYMBOL_GPL(xpv_batch_map);

void xpv_batch_add_unmap(struct xpv_batch *b, struct xpv_mapping *m)
{
	b->item[b->n] = m;
	b->page[b->n] = m->page;
	xpv_os_set_unmap(&b->ops, b->n, m->page, m->handle);
	b->n++;
}
EXPORT_SYMBOL_GPL(xpv_batch_add_unmap);

void xpv_batch_unmap(struct xpv_batch *b)
{
	unsigned int i;

	if (!b->n)
		return;
	xpv_os_unmap(b);
	for (i = 0; i < b->n; i++)
		b->item[i]->handle = XPV_NO_HANDLE;
	b->n = 0;
}
EXPORT_SYMBOL_GPL(xpv_batch_unmap);
