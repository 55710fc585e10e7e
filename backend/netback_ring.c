// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page in which a guest's ring lies. The bus would map it as well, but writes to the log of each that
 * can't be mapped, as often as a guest likes.
 */
#include "netback.h"

static void unmap(struct xpv_netback *vif, struct xpv_mapping *map)
{
	xpv_batch_add_unmap(&vif->batch, map);
	xpv_batch_unmap(&vif->batch);
}

int xpv_netback_attach(struct xpv_netback *vif, struct xpv_ring *ring, struct xpv_mapping *map,
		       grant_ref_t ref, u32 stride)
{
	int err;

	err = gnttab_alloc_pages(1, &map->page);
	if (err)
		return err;
	map->gref = ref;
	xpv_batch_add_map(&vif->batch, map, false);
	err = xpv_batch_map(&vif->batch);
	if (err)
		goto err_free;
	err = xpv_back_attach(ring, page_address(map->page), 1, stride);
	if (err)
		goto err_unmap;
	return 0;

err_unmap:
	unmap(vif, map);
err_free:
	gnttab_free_pages(1, &map->page);
	return err;
}

void xpv_netback_detach(struct xpv_netback *vif, struct xpv_ring *ring, struct xpv_mapping *map)
{
	xpv_ring_detach(ring);
	unmap(vif, map);
	gnttab_free_pages(1, &map->page);
}
