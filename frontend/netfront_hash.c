// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hash by which the backend chooses a packet's queue, and that each end tells the other of a
 * packet: off until it is asked for, by the feature rxhash or by setting the key or the
 * table, which switches that on. Both outlive a connection.
 */
#include "netfront.h"

#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include <xpv_flow.h>

/* Never changed once senders see it, but replaced. */
struct xpv_netfront_hash {
	struct rcu_head rcu;
	u32 types;			/* bits of XPV_NET_HASH_* that the backend knows */
	struct xpv_toeplitz key;
};

void xpv_netfront_init_hash(struct xpv_netfront *np)
{
	netdev_rss_key_fill(np->hash_key, sizeof(np->hash_key));
	xpv_netfront_fit_table(np);
}

void xpv_netfront_free_hash(struct xpv_netfront *np)
{
	kfree(rcu_dereference_protected(np->hash, true));
}

/* Each entry names a queue there is. */
void xpv_netfront_fit_table(struct xpv_netfront *np)
{
	u32 i;

	if (netif_is_rxfh_configured(np->netdev) &&
	    !xpv_net_check_table(np->hash_table, XPV_NET_TABLE_SIZE, np->queues))
		return;
	for (i = 0; i < XPV_NET_TABLE_SIZE; i++)
		np->hash_table[i] = ethtool_rxfh_indir_default(i, np->queues);
}

static int tell_key(struct xpv_netfront *np)
{
	void *page = xpv_netfront_ctl_page(np);

	if (!page)
		return -ENOTCONN;
	memcpy(page, np->hash_key, sizeof(np->hash_key));
	return xpv_netfront_ask_ctl(np, XPV_NET_CTL_SET_KEY, np->ctl.page_ref,
				    sizeof(np->hash_key), 0, NULL);
}

static int tell_table(struct xpv_netfront *np)
{
	void *page = xpv_netfront_ctl_page(np);
	int err;

	if (!page)
		return -ENOTCONN;
	memcpy(page, np->hash_table, sizeof(np->hash_table));
	err = xpv_netfront_ask_ctl(np, XPV_NET_CTL_SET_TABLE_SIZE, XPV_NET_TABLE_SIZE, 0, 0, NULL);
	if (err)
		return err;
	return xpv_netfront_ask_ctl(np, XPV_NET_CTL_SET_TABLE, np->ctl.page_ref,
				    XPV_NET_TABLE_SIZE, 0, NULL);
}

/* All of it: what the backend has of an earlier time is changed last. */
static int tell(struct xpv_netfront *np, u32 *types)
{
	int err;

	err = xpv_netfront_ask_ctl(np, XPV_NET_CTL_SET_ALGORITHM, XPV_NET_ALGORITHM_TOEPLITZ,
				   0, 0, NULL);
	if (!err)
		err = tell_key(np);
	if (!err)
		err = tell_table(np);
	if (!err)
		err = xpv_netfront_ask_ctl(np, XPV_NET_CTL_GET_FLAGS, 0, 0, 0, types);
	if (err)
		return err;
	*types &= XPV_NET_HASH_ALL;
	return xpv_netfront_ask_ctl(np, XPV_NET_CTL_SET_FLAGS, *types, 0, 0, NULL);
}

static void replace(struct xpv_netfront *np, struct xpv_netfront_hash *new)
{
	struct xpv_netfront_hash *old = rtnl_dereference(np->hash);

	/* Pairs with the rcu_dereference_bh() of senders: what they find is complete. */
	rcu_assign_pointer(np->hash, new);
	if (old)
		kfree_rcu(old, rcu);
}

int xpv_netfront_tell_hash(struct xpv_netfront *np)
{
	struct xpv_netfront_hash *h = kzalloc(sizeof(*h), GFP_KERNEL);
	int err;

	if (!h)
		return -ENOMEM;
	xpv_toeplitz_init(&h->key, np->hash_key, sizeof(np->hash_key));
	xpv_netfront_lock_ctl(np);
	err = tell(np, &h->types);
	xpv_netfront_unlock_ctl(np);
	if (err)
		kfree(h);
	else
		np->hash_told = h;
	return err;
}

int xpv_netfront_set_hash(struct xpv_netfront *np, bool on)
{
	int err = 0;

	ASSERT_RTNL();
	if (on) {
		if (!np->hash_told)
			err = xpv_netfront_tell_hash(np);
		if (!err)
			replace(np, np->hash_told);
		np->hash_told = NULL;
		return err;
	}
	replace(np, NULL);
	kfree(np->hash_told);
	np->hash_told = NULL;
	xpv_netfront_lock_ctl(np);
	/* Without a connection nobody has to know. */
	xpv_netfront_ask_ctl(np, XPV_NET_CTL_SET_ALGORITHM, XPV_NET_ALGORITHM_NONE, 0, 0, NULL);
	xpv_netfront_unlock_ctl(np);
	return 0;
}

u8 __xpv_netfront_hash(const struct xpv_netfront *np, const struct sk_buff *skb, u32 *hash)
{
	const struct xpv_netfront_hash *h = rcu_dereference_bh(np->hash);

	return h ? xpv_flow_hash(skb, h->types, &h->key, hash) : XPV_NET_HASH_TYPES;
}
