// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that the backend still maps though the connection is over. No memory goes back to the system
 * before its grant is ended; here each waits for that, and is looked at every second.
 *
 * Nor does an interface connect anew before: a backend that keeps what it has, and says Closed and
 * InitWait again and again, would be given another connection's pages and grants each time. One that
 * works has unmapped all before it says Closed. After a resume nothing is held, for the grant
 * table is a new one.
 */
#include "netfront.h"

#include <linux/skbuff.h>
#include <net/dst.h>

struct held {
	struct list_head list;
	struct xpv_netfront *front;	/* whose it was; NULL: it is gone */
	grant_ref_t gref;
	struct page *page;		/* one reference; NULL: ->skb has it */
	struct sk_buff *skb;		/* the same */
};

static void look_again(struct work_struct *work);

/* Comes after all other locks. Protects the list, and held and waiting of whoever is in there. */
static DEFINE_MUTEX(lock);
static LIST_HEAD(list);
static DECLARE_DELAYED_WORK(look_work, look_again);

static bool hold(struct xpv_netfront *np, grant_ref_t gref, struct page *page, struct sk_buff *skb)
{
	struct held *h = kmalloc(sizeof(*h), GFP_KERNEL);

	if (!h)
		return false;
	h->front = np;
	h->gref = gref;
	h->page = page;
	h->skb = skb;
	mutex_lock(&lock);
	np->held++;
	list_add_tail(&h->list, &list);
	schedule_delayed_work(&look_work, HZ);
	mutex_unlock(&lock);
	return true;
}

static void let_go(struct held *h)
{
	struct xpv_netfront *np = h->front;

	if (np && !--np->held && np->waiting) {
		np->waiting = false;
		queue_delayed_work(system_freezable_wq, &np->return_work, 0);
	}
	if (h->page)
		put_page(h->page);
	else
		kfree_skb(h->skb);
	list_del(&h->list);
	kfree(h);
}

static void look(void)
{
	struct held *h, *next;

	list_for_each_entry_safe(h, next, &list, list)
		if (gnttab_try_end_foreign_access(h->gref))
			let_go(h);
}

static void look_again(struct work_struct *work)
{
	mutex_lock(&lock);
	look();
	if (!list_empty(&list))
		schedule_delayed_work(&look_work, HZ);
	mutex_unlock(&lock);
}

void xpv_netfront_end_grant(struct xpv_netfront *np, grant_ref_t gref, struct page *page)
{
	if (gnttab_try_end_foreign_access(gref))
		put_page(page);
	else if (!hold(np, gref, page, NULL))
		gnttab_end_foreign_access(gref, page);
}

/* The head of an skb is no page whose reference could be given away, so the skb stays as a whole. */
void xpv_netfront_end_skb_grant(struct xpv_netfront *np, grant_ref_t gref, struct sk_buff *skb)
{
	if (gnttab_try_end_foreign_access(gref))
		return;
	/* Never to be freed without memory to remember it by. */
	skb_get(skb);
	skb_orphan(skb);
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	hold(np, gref, NULL, skb);
}

bool xpv_netfront_is_held(struct xpv_netfront *np)
{
	u32 held;

	mutex_lock(&lock);
	look();
	held = np->held;
	if (held && !np->waiting)
		dev_warn_ratelimited(&np->xbdev->dev,
				     "backend is closed and keeps %u pages mapped: not connected before it lets go of them\n",
				     held);
	np->waiting = held;
	mutex_unlock(&lock);
	return held;
}

void xpv_netfront_disown(struct xpv_netfront *np)
{
	struct held *h;

	mutex_lock(&lock);
	list_for_each_entry(h, &list, list)
		if (h->front == np)
			h->front = NULL;
	mutex_unlock(&lock);
	cancel_delayed_work_sync(&np->return_work);
}

void xpv_netfront_held_exit(void)
{
	struct held *h, *next;

	cancel_delayed_work_sync(&look_work);
	look();
	list_for_each_entry_safe(h, next, &list, list) {
		/* The kernel goes on to look after a page, but not after an skb. */
		if (h->page)
			gnttab_end_foreign_access(h->gref, h->page);
		else
			pr_warn("grant %u is still mapped, its page is lost\n", h->gref);
		kfree(h);
	}
}
