// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which queue a packet to the guest takes: by the hash and the table that the guest has set, if it
 * has. What it sets is never changed once senders see it, but replaced as a whole:
 * nobody meets half of a table, nor one that was not checked (XSA-270).
 */
#include "netback.h"

#include <linux/rcupdate.h>
#include <linux/slab.h>

#include <xpv_flow.h>

struct xpv_netback_hash {
	bool toeplitz;			/* else the guest leaves the choice to us */
	u32 types;			/* bits of XPV_NET_HASH_*; 0: so it does */
	u32 size;			/* entries in use of queue[]; 0: the hash modulo the queues */
	u32 queue[XPV_NET_TABLE_SIZE];
	struct xpv_toeplitz key;
};

static struct xpv_netback_hash *current_of(const struct xpv_netback *vif)
{
	/* Only the control ring's work writes it. */
	return rcu_dereference_protected(vif->hash, true);
}

static struct xpv_netback_hash *copy_of(const struct xpv_netback *vif)
{
	const struct xpv_netback_hash *h = current_of(vif);

	return h ? kmemdup(h, sizeof(*h), GFP_KERNEL) : kzalloc(sizeof(*h), GFP_KERNEL);
}

static void replace(struct xpv_netback *vif, struct xpv_netback_hash *new)
{
	struct xpv_netback_hash *old = current_of(vif);

	/* Pairs with the rcu_dereference*() of senders: what they find is complete. */
	rcu_assign_pointer(vif->hash, new);
	if (!old)
		return;
	/* Waits, so that a guest which asks without end has one of them to be freed, not thousands. */
	synchronize_net();
	kfree(old);
}

static u32 set_algorithm(struct xpv_netback_hash *h, u32 algorithm)
{
	if (algorithm != XPV_NET_ALGORITHM_NONE && algorithm != XPV_NET_ALGORITHM_TOEPLITZ)
		return XPV_NET_CTL_INVALID;
	h->toeplitz = algorithm == XPV_NET_ALGORITHM_TOEPLITZ;
	return XPV_NET_CTL_SUCCESS;
}

static u32 set_types(struct xpv_netback_hash *h, u32 types)
{
	if (!h->toeplitz || types & ~XPV_NET_HASH_ALL)
		return XPV_NET_CTL_INVALID;
	h->types = types;
	return XPV_NET_CTL_SUCCESS;
}

static u32 set_key(struct xpv_netback *vif, struct xpv_netback_hash *h, u32 gref, u32 len)
{
	const u8 *key;

	if (len > XPV_NET_KEY_BYTES)
		return XPV_NET_CTL_OVERFLOW;
	key = xpv_netback_fetch(vif, gref, len);
	if (!key)
		return XPV_NET_CTL_INVALID;
	xpv_toeplitz_init(&h->key, key, len);
	return XPV_NET_CTL_SUCCESS;
}

static u32 set_size(struct xpv_netback_hash *h, u32 size)
{
	if (size > XPV_NET_TABLE_SIZE)
		return XPV_NET_CTL_INVALID;
	h->size = size;
	memset(h->queue, 0, sizeof(h->queue));
	return XPV_NET_CTL_SUCCESS;
}

static u32 set_table(struct xpv_netback *vif, struct xpv_netback_hash *h, u32 gref, u32 n,
		     u32 first)
{
	const u32 *queue;

	if (xpv_net_check_table_place(first, n, h->size))
		return XPV_NET_CTL_INVALID;
	queue = xpv_netback_fetch(vif, gref, n * (u32)sizeof(*queue));
	if (!queue || xpv_net_check_table(queue, n, vif->queues))
		return XPV_NET_CTL_INVALID;
	memcpy(&h->queue[first], queue, n * sizeof(*queue));
	return XPV_NET_CTL_SUCCESS;
}

static u32 change(struct xpv_netback *vif, struct xpv_netback_hash *h,
		  const struct xpv_net_ctlreq *req)
{
	switch (req->type) {
	case XPV_NET_CTL_SET_ALGORITHM:
		return set_algorithm(h, req->data[0]);
	case XPV_NET_CTL_SET_FLAGS:
		return set_types(h, req->data[0]);
	case XPV_NET_CTL_SET_KEY:
		return set_key(vif, h, req->data[0], req->data[1]);
	case XPV_NET_CTL_SET_TABLE_SIZE:
		return set_size(h, req->data[0]);
	case XPV_NET_CTL_SET_TABLE:
		return set_table(vif, h, req->data[0], req->data[1], req->data[2]);
	default:
		return XPV_NET_CTL_NOT_SUPPORTED;
	}
}

u32 xpv_netback_set_hash(struct xpv_netback *vif, const struct xpv_net_ctlreq *req, u32 *data)
{
	struct xpv_netback_hash *h = current_of(vif);
	u32 status;

	if (req->type == XPV_NET_CTL_GET_TABLE_SIZE) {
		*data = XPV_NET_TABLE_SIZE;
		return XPV_NET_CTL_SUCCESS;
	}
	if (req->type == XPV_NET_CTL_GET_FLAGS) {
		/* Each algorithm may have others, and there is none yet. */
		if (!h || !h->toeplitz)
			return XPV_NET_CTL_NOT_SUPPORTED;
		*data = XPV_NET_HASH_ALL;
		return XPV_NET_CTL_SUCCESS;
	}
	h = copy_of(vif);
	if (!h)
		return XPV_NET_CTL_INVALID;
	status = change(vif, h, req);
	if (status == XPV_NET_CTL_SUCCESS)
		replace(vif, h);
	else
		kfree(h);
	return status;
}

void xpv_netback_forget_hash(struct xpv_netback *vif)
{
	replace(vif, NULL);
}

static u8 hash_by(const struct xpv_netback_hash *h, const struct sk_buff *skb, u32 *hash)
{
	return h->toeplitz && h->types ? xpv_flow_hash(skb, h->types, &h->key, hash) :
					 XPV_NET_HASH_TYPES;
}

u8 __xpv_netback_hash(const struct xpv_netback *vif, const struct sk_buff *skb, u32 *hash)
{
	const struct xpv_netback_hash *h = rcu_dereference_bh(vif->hash);

	return h ? hash_by(h, skb, hash) : XPV_NET_HASH_TYPES;
}

/* What has no hash is no flow that could be out of order: it has hash 0, like a card's would. */
static u32 queue_by(const struct xpv_netback_hash *h, const struct sk_buff *skb, u32 queues)
{
	u32 hash = 0;

	hash_by(h, skb, &hash);
	return h->size ? h->queue[hash % h->size] : hash % queues;
}

/* A packet socket that goes round the queueing discipline asks with softirqs on. */
u16 xpv_netback_select_queue(struct net_device *dev, struct sk_buff *skb,
			     struct net_device *upper)
{
	const struct xpv_netback *vif = netdev_priv(dev);
	const struct xpv_netback_hash *h;
	bool chosen = false;
	u32 queue = 0;

	if (likely(!rcu_access_pointer(vif->hash)))
		return netdev_pick_tx(dev, skb, upper);
	rcu_read_lock();
	h = rcu_dereference(vif->hash);
	if (h && h->toeplitz && h->types) {
		queue = queue_by(h, skb, dev->real_num_tx_queues);
		chosen = true;
	}
	rcu_read_unlock();
	return chosen ? (u16)queue : netdev_pick_tx(dev, skb, upper);
}
