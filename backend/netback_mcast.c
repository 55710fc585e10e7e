// SPDX-License-Identifier: GPL-2.0-only
/*
 * Multicast control: the guest says which multicasts it wants, by extras on its transmit ring, and
 * by request-multicast-control that it wants no others.
 *
 * The list is kept either way, for the request may come later. Senders look at it without a
 * lock: while it changes they see one address more or less.
 */
#include "netback.h"

#include <linux/etherdevice.h>
#include <linux/rtnetlink.h>

static u64 *find(struct xpv_netback *vif, u64 addr)
{
	u32 i;

	for (i = 0; i < XPV_NETBACK_MCASTS; i++)
		if (READ_ONCE(vif->mcast[i]) == addr)
			return &vif->mcast[i];
	return NULL;
}

bool xpv_netback_wanted(struct xpv_netback *vif, const u8 *dest)
{
	return !READ_ONCE(vif->filtered) || !is_multicast_ether_addr(dest) ||
	       is_broadcast_ether_addr(dest) || find(vif, ether_addr_to_u64(dest));
}

int xpv_netback_change_mcast(struct xpv_netback *vif, const struct xpv_net_txpkt *pkt)
{
	u64 *at, addr = ether_addr_to_u64(pkt->mcast_addr);
	int err = 0;

	if (!is_multicast_ether_addr(pkt->mcast_addr))
		return -EINVAL;
	spin_lock(&vif->mcast_lock);
	at = find(vif, addr);
	if (pkt->mcast == XPV_NET_EXTRA_MCAST_DEL) {
		if (at)
			WRITE_ONCE(*at, 0);
	} else if (!at) {
		at = find(vif, 0);
		if (at)
			WRITE_ONCE(*at, addr);
		else
			err = -ENOSPC;
	}
	spin_unlock(&vif->mcast_lock);
	return err;
}

void xpv_netback_set_filter(struct xpv_netback *vif, bool on)
{
	u32 i;

	ASSERT_RTNL();
	WRITE_ONCE(vif->filtered, on);
	for (i = 0; vif->connected && i < vif->queues; i++)
		xpv_netback_refresh(vif->queue[i]);
}

void xpv_netback_forget_mcast(struct xpv_netback *vif)
{
	memset(vif->mcast, 0, sizeof(vif->mcast));
}
