// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that a queue keeps granted, and that the backend keeps mapped (GREF_MAPPING on the control
 * ring), so that a slot costs neither end a hypercall or a write to the grant table.
 *
 *   tx   a page for each id, for reading only, which packets are copied to
 *   rx   pages of which some are posted, some with the stack, some idle. One goes up the stack
 *        when there is another to be posted for it, and is used again when nobody but us refers to
 *        it; else its data is copied out. So it is if the backend isn't trusted, which could
 *        still write to what the stack reads.
 *
 * All are granted for as long as the connection lasts. They are not given back one by one: the
 * backend unmaps them when it closes, and only then does their memory go back.
 */
#include "netfront.h"

#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

static unsigned int static_grants = 768;
module_param(static_grants, uint, 0644);
MODULE_PARM_DESC(static_grants, "Pages of each queue that are kept granted, if the backend keeps them mapped, 256 of them to send from; for new connections (default, and at most: 768; below 257: none)");

/* Grants that are left to disks and other interfaces. */
#define SPARE_GRANTS	4096u

/* Have the backend keep @n grants mapped, which are one list. */
static int add(struct xpv_netfront_queue *q, const struct xpv_netfront_rxbuf *buf,
	       const grant_ref_t *ref, u32 n)
{
	struct xpv_netfront *np = q->front;
	struct xpv_net_gref *list = xpv_netfront_ctl_page(np);
	u32 i;

	if (!list)
		return -ENOTCONN;
	for (i = 0; i < n; i++)
		list[i] = (struct xpv_net_gref){
			.gref = ref ? ref[i] : buf[i].gref,
			.flags = ref ? XPV_NET_GREF_READONLY : 0,
		};
	return xpv_netfront_ask_ctl(np, XPV_NET_CTL_ADD_GREFS, q->id, np->ctl.page_ref, n, NULL);
}

/* The list may be served even now: what it names is the connection's till its end. */
static bool undecided(int err)
{
	return err == -ETIMEDOUT || err == -EPROTO;
}

static void begin_tx(struct xpv_netfront_queue *q)
{
	struct xpv_netfront_tx *tx = &q->tx;
	struct netdev_queue *txq = xpv_netfront_txq(q);
	/* What isn't trusted is sent copies anyhow. */
	struct xpv_netfront_copies *c = q->front->untrusted ? &tx->own : &tx->kept;
	int err = 0;

	if (c == &tx->kept)
		err = xpv_netfront_make_copies(q, c, XPV_PAGE_SIZE);
	if (!err)
		err = add(q, NULL, c->ref, c->pages);
	if (err) {
		if (c == &tx->kept && !undecided(err))
			xpv_netfront_free_copies(q, c);
		return;
	}
	/* What is on its way from the others stays there. */
	__netif_tx_lock_bh(txq);
	tx->copies = c;
	tx->mapped = true;
	__netif_tx_unlock_bh(txq);
}

static void free_lot(struct xpv_netfront *np, struct xpv_netfront_lot *lot)
{
	while (lot->n--)
		xpv_netfront_end_grant(np, lot->buf[lot->n].gref, lot->buf[lot->n].page);
	kvfree(lot);
}

static struct xpv_netfront_lot *make_lot(struct xpv_netfront *np, u32 n)
{
	struct xpv_netfront_lot *lot = kvzalloc(struct_size(lot, buf, n), GFP_KERNEL);

	if (!lot)
		return NULL;
	for (; lot->n < n; lot->n++) {
		struct xpv_netfront_rxbuf *buf = &lot->buf[lot->n];

		if (xpv_netfront_show(np, &buf->page, &buf->gref, false)) {
			free_lot(np, lot);
			return NULL;
		}
		buf->kept = lot->n + 1;
		lot->idle[lot->n] = lot->n;
	}
	lot->nr_idle = n;
	return lot;
}

static void begin_rx(struct xpv_netfront_queue *q, u32 n)
{
	struct xpv_netfront_lot *lot = make_lot(q->front, n);
	int err;

	if (!lot)
		return;
	err = add(q, lot->buf, NULL, n);
	if (undecided(err))
		q->rx.late = lot;
	else if (err)
		free_lot(q->front, lot);
	else
		/* Pairs with the address dependency of rx.napi, which it belongs to from here on. */
		smp_store_release(&q->rx.lot, lot);
}

void xpv_netfront_begin_static(struct xpv_netfront_queue *q)
{
	u32 most, wanted = min(READ_ONCE(static_grants), XPV_NETFRONT_SLOTS + XPV_NET_GREFS_MAX);
	grant_ref_t spare;

	if (wanted <= XPV_NETFRONT_SLOTS)
		return;
	if (xpv_netfront_ask_ctl(q->front, XPV_NET_CTL_GET_GREFS, q->id, 0, 0, &most))
		return;
	wanted = min(wanted, most);
	if (wanted <= XPV_NETFRONT_SLOTS ||
	    gnttab_alloc_grant_references(SPARE_GRANTS + wanted, &spare))
		return;
	/* There are as many. Nobody is to lack them while we wait for the backend. */
	gnttab_free_grant_references(spare);
	begin_tx(q);
	begin_rx(q, wanted - XPV_NETFRONT_SLOTS);
}

void xpv_netfront_release_static(struct xpv_netfront_queue *q)
{
	if (q->rx.lot)
		free_lot(q->front, q->rx.lot);
	q->rx.lot = NULL;
	if (q->rx.late)
		free_lot(q->front, q->rx.late);
	q->rx.late = NULL;
}

/* Under rx.napi, as the next two. The page is with the stack, which has a reference of its own. */
void xpv_netfront_lend(struct xpv_netfront_lot *lot, const struct xpv_netfront_rxbuf *buf)
{
	get_page(buf->page);
	lot->idle[(lot->first + lot->nr_idle++) % lot->n] = buf->kept - 1;
}

bool xpv_netfront_take_kept(struct xpv_netfront_lot *lot, u32 *looks,
			    struct xpv_netfront_rxbuf *buf)
{
	for (; *looks; --*looks) {
		u16 i = lot->idle[lot->first];

		lot->first = (lot->first + 1) % lot->n;
		/*
		 * Whoever read the page was done before it gave up its reference, and the index
		 * that shows the page to the backend is published after this look.
		 */
		if (page_ref_count(lot->buf[i].page) == 1) {
			--*looks;
			lot->nr_idle--;
			*buf = lot->buf[i];
			return true;
		}
		lot->idle[(lot->first + lot->nr_idle - 1) % lot->n] = i;
	}
	return false;
}
