// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grants that the guest asks us to keep mapped (netif.h's GREF_MAPPING). A slot that names
 * one is copied by this CPU, without a hypercall; all others as ever. What netif.h leaves
 * open is settled like this:
 *
 *   the size that is told   the most a queue may have, not what is free of it
 *   a list                  has 1 to 512 entries, and no flag but readonly; else it is refused
 *                           whole. It is copied once, and what the guest makes of it then is
 *                           its own affair.
 *   a gref twice            in a list, or in one that came before: that list is refused whole
 *   a list that fails       leaves nothing mapped
 *   a readonly grant        is one we don't know where it would be written to; the ordinary copy
 *                           then fails on it as on any such grant
 *   one that is in use      when it is to be unmapped is not, for long: data is copied while
 *                           its slot is taken, with softirqs off. It is taken out of the table, and
 *                           unmapped when nobody can be at it any more. A slot that names it
 *                           later is copied the ordinary way.
 *   an entry that is none,  or is in the list for the second time: its status says so, and
 *                           the others are unmapped all the same
 *   a guest that ends a     cannot have its page back before it is unmapped, for the hypervisor keeps
 *   grant we have mapped    it alive: what we touch is there
 *   whether there is this   is found out by asking for the size: no key in xenstore tells
 *   a connection's end      unmaps everything; the next one begins with nothing
 *   all queues of a guest   may have as much as each of them
 */
#include "netback.h"

#include <linux/slab.h>

#define MOST_OF_BUCKET	32u

/* The one of @gref, mapped or not. The table changes by the caller alone. */
static struct xpv_netback_static *look_up(struct xpv_netback_queue *q, u32 gref)
{
	struct xpv_netback_static *s;

	hlist_for_each_entry(s, xpv_netback_bucket(q, gref), node)
		if (s->map.gref == gref)
			return s;
	return NULL;
}

/* Nobody finds it before it is mapped. A guest that has so many in one bucket has found out the seed. */
static struct xpv_netback_static *reserve(struct xpv_netback_queue *q, u32 gref)
{
	struct xpv_netback_static *s;
	u32 n = 0;

	hlist_for_each_entry(s, xpv_netback_bucket(q, gref), node)
		if (s->map.gref == gref || ++n == MOST_OF_BUCKET)
			return NULL;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return NULL;
	s->map.gref = gref;
	s->map.handle = XPV_NO_HANDLE;
	hlist_add_head_rcu(&s->node, xpv_netback_bucket(q, gref));
	return s;
}

/* Those in lot[] of whom nobody knows, or any more. */
static void destroy(struct xpv_netback_ctl *ctl, u32 n)
{
	u32 i, pages = 0;

	for (i = 0; i < n; i++) {
		struct xpv_netback_static *s = ctl->lot[i];

		if (s->map.page)
			ctl->page_of[pages++] = s->map.page;
		if (!xpv_mapped(&s->map))
			continue;
		if (xpv_batch_full(&ctl->batch))
			xpv_batch_unmap(&ctl->batch);
		xpv_batch_add_unmap(&ctl->batch, &s->map);
	}
	xpv_batch_unmap(&ctl->batch);
	gnttab_free_pages((int)pages, ctl->page_of);
	for (i = 0; i < n; i++)
		kfree(ctl->lot[i]);
}

/* The same of those that are out of the table: who found one did so with softirqs off, and is done with it then. */
static void destroy_unseen(struct xpv_netback_ctl *ctl, u32 n)
{
	if (!n)
		return;
	synchronize_net();
	destroy(ctl, n);
}

/* Map lot[]. Returns 0, or an error and some of them are. */
static int map(struct xpv_netback_ctl *ctl, u32 n)
{
	int err;
	u32 i;

	err = gnttab_alloc_pages((int)n, ctl->page_of);
	if (err)
		return err;
	for (i = 0; i < n; i++)
		ctl->lot[i]->map.page = ctl->page_of[i];
	for (i = 0; i < n && !err; i++) {
		struct xpv_netback_static *s = ctl->lot[i];

		xpv_batch_add_map(&ctl->batch, &s->map, s->readonly);
		if (xpv_batch_full(&ctl->batch))
			err = xpv_batch_map(&ctl->batch);
	}
	return err ? err : xpv_batch_map(&ctl->batch);
}

static u32 add(struct xpv_netback_queue *q, const struct xpv_net_gref *list, u32 n)
{
	struct xpv_netback_ctl *ctl = q->vif->ctl;
	u32 i, done;

	if (xpv_net_check_grefs(list, n))
		return XPV_NET_CTL_INVALID;
	for (done = 0; done < n; done++) {
		ctl->lot[done] = reserve(q, list[done].gref);
		if (!ctl->lot[done])
			goto err_reserved;
		ctl->lot[done]->readonly = list[done].flags & XPV_NET_GREF_READONLY;
	}
	if (map(ctl, n))
		goto err_reserved;
	/* Senders and NAPI may find them from here on. Pairs with the acquire in xpv_netback_find(). */
	for (i = 0; i < n; i++)
		smp_store_release(&ctl->lot[i]->mem, page_address(ctl->lot[i]->map.page));
	WRITE_ONCE(q->statics, q->statics + n);
	return XPV_NET_CTL_SUCCESS;

err_reserved:
	for (i = 0; i < done; i++)
		hlist_del_rcu(&ctl->lot[i]->node);
	destroy_unseen(ctl, done);
	return XPV_NET_CTL_INVALID;
}

/* Sets each entry's status. Returns how many were there. */
static u32 delete(struct xpv_netback_queue *q, struct xpv_net_gref *list, u32 n)
{
	struct xpv_netback_ctl *ctl = q->vif->ctl;
	u32 i, found = 0;

	for (i = 0; i < n; i++) {
		struct xpv_netback_static *s = look_up(q, list[i].gref);

		list[i].status = s ? XPV_NET_CTL_SUCCESS : XPV_NET_CTL_INVALID;
		if (!s)
			continue;
		hlist_del_rcu(&s->node);
		ctl->lot[found++] = s;
	}
	WRITE_ONCE(q->statics, q->statics - found);
	destroy_unseen(ctl, found);
	return found;
}

void xpv_netback_drop_grefs(struct xpv_netback_queue *q)
{
	struct xpv_netback_ctl *ctl = q->vif->ctl;
	struct xpv_netback_static *s;
	struct hlist_node *next;
	u32 i, n = 0;

	for (i = 0; i < ARRAY_SIZE(q->grefs); i++) {
		hlist_for_each_entry_safe(s, next, &q->grefs[i], node) {
			hlist_del(&s->node);
			ctl->lot[n++] = s;
			if (n < ARRAY_SIZE(ctl->lot))
				continue;
			destroy(ctl, n);
			n = 0;
		}
	}
	destroy(ctl, n);
	q->statics = 0;
}

u32 xpv_netback_change_grefs(struct xpv_netback *vif, const struct xpv_net_ctlreq *req, u32 *data)
{
	u32 most = vif->ctl->most_grefs, gref = req->data[1], n = req->data[2];
	struct xpv_netback_queue *q;
	struct xpv_net_gref *list;

	if (req->data[0] >= vif->queues)
		return XPV_NET_CTL_INVALID;
	q = vif->queue[req->data[0]];
	if (req->type == XPV_NET_CTL_GET_GREFS) {
		*data = most;
		return XPV_NET_CTL_SUCCESS;
	}
	if (!n || n > XPV_NET_GREFS_MAX)
		return XPV_NET_CTL_INVALID;
	if (req->type == XPV_NET_CTL_ADD_GREFS && n > most - q->statics)
		return XPV_NET_CTL_INVALID;
	list = xpv_netback_fetch(vif, gref, n * (u32)sizeof(*list));
	if (!list)
		return XPV_NET_CTL_INVALID;
	if (req->type == XPV_NET_CTL_ADD_GREFS)
		return add(q, list, n);
	*data = delete(q, list, n);
	/* They are unmapped, but the guest can't see which. */
	return xpv_netback_store(vif, gref, n * (u32)sizeof(*list)) ? XPV_NET_CTL_INVALID :
								      XPV_NET_CTL_SUCCESS;
}
